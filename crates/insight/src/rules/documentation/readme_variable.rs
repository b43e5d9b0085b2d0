//! `readme-variable`.

use std::collections::BTreeMap;

use tradewind_repo::documents::{PageKind, VariableHow, What};

use super::existing::capped;
use super::variables::{self, Reads};
use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

/// Variables that pages name and nothing reads.
pub(super) struct ReadmeVariable;

const ABOUT: About = About {
    id: "readme-variable",
    title: "Documented variables that nothing reads",
    area: Area::Documentation,
    severity: Severity::Medium,
    confidence: Confidence::Certain,
    timeframe: Timeframe::Week,
    impact: "The owner sets the variable and believes the key or limit is in force; the program runs without it.",
    action: "Write the name that the code reads.",
    after: &[],
};

impl Rule for ReadmeVariable {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let reads = variables::reads(context.code);
        let mut unread: BTreeMap<&str, Vec<Evidence>> = BTreeMap::new();
        let mut is_told = BTreeMap::new();
        for page in &context.documents.pages {
            if !matches!(
                page.kind,
                PageKind::Readme | PageKind::Contributing | PageKind::Page
            ) {
                continue;
            }
            for claim in &page.claims {
                let What::Variable { name, how } = &claim.what else {
                    continue;
                };
                if variables::is_foreign(name)
                    || variables::is_read_by_packages(name)
                    || !context.references.variable(name).is_empty()
                    || is_settings_field(context, name)
                {
                    continue;
                }
                let is_credential = ["_KEY", "_TOKEN", "_SECRET", "_PASSWORD"]
                    .iter()
                    .any(|end| name.ends_with(end));
                let is_clear =
                    matches!(how, VariableHow::Table | VariableHow::Set) || is_credential;
                is_told
                    .entry(name.as_ref())
                    .and_modify(|clear| *clear |= is_clear)
                    .or_insert(is_clear);
                unread.entry(name).or_default().push(Evidence::at(
                    page.path.as_ref(),
                    claim.line,
                    claim.quote.as_ref(),
                ));
            }
        }
        if !unread.is_empty() && context.code.modules.is_empty() {
            findings.not_checked("no Python code: who reads a variable is not known");
            return;
        }
        for (name, evidence) in unread {
            report(
                name,
                evidence,
                &reads,
                is_told.get(name) == Some(&true),
                findings,
            );
        }
    }
}

fn report(
    name: &str,
    mut evidence: Vec<Evidence>,
    reads: &Reads,
    is_clear: bool,
    findings: &mut Findings,
) {
    let page = evidence
        .first()
        .and_then(|first| first.path.clone())
        .unwrap_or_default();
    if let Some(meant) = variables::meant(name, reads) {
        let places = reads.get(meant).map_or(&[][..], Vec::as_slice);
        evidence.extend(
            places
                .iter()
                .map(|(path, line)| Evidence::at(path.as_ref(), *line, format!("reads {meant}"))),
        );
        let title = format!("{page} says {name}, the code reads {meant}");
        findings.add(title, capped(evidence));
    } else if is_clear && !reads.is_empty() {
        let title = format!("{page} names the variable {name}, which nothing reads");
        findings.add(title, capped(evidence)).confidence = Confidence::Likely;
    }
}

/// Settings classes read variables by the names of their fields, in any case.
fn is_settings_field(context: &Context<'_>, name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    context.code.modules.iter().any(|module| {
        let has_settings = module.classes.iter().any(|class| {
            class
                .bases
                .iter()
                .any(|base| base.ends_with("BaseSettings"))
        });
        has_settings
            && (module
                .assignments
                .iter()
                .any(|each| lower.ends_with(&each.name.to_ascii_lowercase()))
                || context
                    .tree
                    .text(&module.path)
                    .is_some_and(|text| text.to_ascii_lowercase().contains(&lower)))
    })
}
