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
    confidence: Confidence::Possible,
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
            let text = context.tree.text(&page.path).unwrap_or_default();
            for claim in &page.claims {
                let What::Variable { name, how } = &claim.what else {
                    continue;
                };
                // Of very large files only the parsed reading is known.
                if reads.contains_key(name.as_ref()) {
                    continue;
                }
                if is_of_the_page(&text, name, claim.line)
                    || is_variant(&reads, name)
                    || names_the_other(context, &text, name, claim.line)
                {
                    continue;
                }
                if variables::is_foreign(name)
                    || variables::is_stand_in(name)
                    || variables::is_read_by_packages(name)
                    || !context.names.variable(name).is_empty()
                    || is_settings_field(context, name)
                    || is_put_together(context, name)
                    || is_said_to_be_unused(&text, claim.line)
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
                let item = Evidence::at(page.path.as_ref(), claim.line, claim.quote.as_ref());
                let items = unread.entry(name).or_default();
                if !items.contains(&item) {
                    items.push(item);
                }
            }
        }
        if !unread.is_empty() && context.code.modules.is_empty() {
            findings.not_checked("no Python code: who reads a variable is not known");
            return;
        }
        // What one page names in vain has one cause.
        let mut by_page: BTreeMap<String, Vec<(&str, Vec<Evidence>)>> = BTreeMap::new();
        for (name, evidence) in unread {
            let page = evidence
                .first()
                .and_then(|first| first.path.as_deref())
                .unwrap_or_default()
                .to_owned();
            if variables::meant(name, &reads).is_some() {
                report_meant(name, &page, evidence, &reads, findings);
            } else if is_told.get(name) == Some(&true) && !reads.is_empty() {
                by_page.entry(page).or_default().push((name, evidence));
            }
        }
        for (page, group) in by_page {
            report_unread(&page, group, findings);
        }
    }
}

/// Says whether code puts names together that begin like this one: `f"FEATURE_{name}"`.
fn is_put_together(context: &Context<'_>, name: &str) -> bool {
    name.match_indices('_').any(|(at, _)| {
        let beginning = &name[..=at];
        let goes_on = |line: &str| {
            line.split(beginning)
                .skip(1)
                .any(|rest| rest.starts_with(['{', '"', '\'', '%']))
        };
        context.names.variable(beginning).iter().any(|place| {
            let text = context.tree.text(&place.path).unwrap_or_default();
            let line = (place.line as usize).saturating_sub(1);
            text.lines().nth(line).is_some_and(goes_on)
        })
    })
}

/// Says whether the line itself says that the variable is for later.
fn is_said_to_be_unused(text: &str, line: u32) -> bool {
    let at = (line as usize).saturating_sub(1);
    let line = text.lines().nth(at).unwrap_or_default().to_lowercase();
    [
        "reserved for",
        "future use",
        "not used",
        "unused",
        "not yet",
        "planned",
    ]
    .iter()
    .any(|words| line.contains(words))
}

/// Says whether a page sets a name for its own commands: `ID=1` with `$ID` below, or for a program that is not
/// in the repository.
fn is_of_the_page(text: &str, name: &str, line: u32) -> bool {
    let is_used = [format!("${name}"), format!("${{{name}}}")]
        .iter()
        .any(|used| text.contains(used.as_str()));
    if is_used {
        return true;
    }
    let start = (line as usize).saturating_sub(1);
    let mut lines = text.lines().skip(start).take(10);
    let is_open = |line: &&str| line.trim_end().ends_with('\\');
    let first = lines.next().filter(is_open);
    first.is_some()
        && lines
            .find(|line| !is_open(line))
            .is_some_and(|last| last.split_whitespace().any(|word| word.starts_with("~/")))
}

/// Says whether the sentence that names a variable names the one that is read as well: it tells of two names, and
/// nobody is misled (`.env` says `X_KEY`, the service expects `X_API_KEY`).
fn names_the_other(context: &Context<'_>, text: &str, name: &str, line: u32) -> bool {
    let at = (line as usize).saturating_sub(1);
    let Some(line) = text.lines().nth(at) else {
        return false;
    };
    let first = name.split('_').next().unwrap_or(name);
    line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| *word != name && word.split('_').next() == Some(first))
        .any(|word| !context.names.variable(word).is_empty())
}

/// Says whether a name is one that is read, for another machine: `KEY_DEV` beside `KEY`.
fn is_variant(reads: &Reads, name: &str) -> bool {
    name.rsplit_once('_').is_some_and(|(base, end)| {
        matches!(end, "DEV" | "PROD" | "STAGING") && reads.contains_key(base)
    })
}

fn report_unread(page: &str, group: Vec<(&str, Vec<Evidence>)>, findings: &mut Findings) {
    let names: Vec<&str> = group.iter().map(|(name, _)| *name).collect();
    let title = match names.as_slice() {
        [name] => format!("{page} names the variable {name}, which nothing reads"),
        many => {
            let shown: Vec<&str> = many.iter().take(3).copied().collect();
            let more = match many.len().saturating_sub(3) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!(
                "{page} names {} variables that nothing reads: {}{more}",
                many.len(),
                shown.join(", ")
            )
        }
    };
    let evidence = group.into_iter().flat_map(|(_, items)| items).collect();
    findings.add(title, capped(evidence));
}

fn report_meant(
    name: &str,
    page: &str,
    mut evidence: Vec<Evidence>,
    reads: &Reads,
    findings: &mut Findings,
) {
    if let Some(meant) = variables::meant(name, reads) {
        let places = reads.get(meant).map_or(&[][..], Vec::as_slice);
        evidence.extend(
            places
                .iter()
                .map(|(path, line)| Evidence::at(path.as_ref(), *line, format!("reads {meant}"))),
        );
        let title = format!("{page} says {name}, the code reads {meant}");
        findings.add(title, capped(evidence));
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
