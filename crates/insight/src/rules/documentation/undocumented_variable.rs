//! `undocumented-variable`.

use tradewind_repo::documents::What;

use super::existing::capped;
use super::variables;
use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::quotes::is_shelved;
use crate::rule::{About, Context, Findings, Rule};

/// Variables that code reads and no page names.
pub(super) struct UndocumentedVariable;

const ABOUT: About = About {
    id: "undocumented-variable",
    title: "Variables that no page names",
    area: Area::Documentation,
    severity: Severity::Low,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Month,
    impact: "A limit or a key can be set and nobody knows: the next machine runs with the defaults.",
    action: "Add the variables to the README or to `.env.example`.",
    after: &["readme-variable"],
};

impl Rule for UndocumentedVariable {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        if context.documents.readme().is_none() {
            return;
        }
        let documented = variables::documented(context);
        let reads = variables::reads(context.code);
        // What a page names by a slip is told there.
        let slips: Vec<&str> = context
            .documents
            .pages
            .iter()
            .flat_map(|page| &page.claims)
            .filter_map(|claim| match &claim.what {
                What::Variable { name, .. } if !reads.contains_key(name) => {
                    variables::meant(name, &reads)
                }
                _ => None,
            })
            .collect();
        let mut names = Vec::new();
        let mut evidence = Vec::new();
        let mut is_needed = false;
        for (name, places) in &reads {
            if documented.contains(name.as_ref())
                || variables::is_foreign(name)
                || slips.contains(&name.as_ref())
                || is_set_by_the_program(context, name, places)
                || !matters(context, name, places)
            {
                continue;
            }
            is_needed |= is_required(context, places);
            names.push(name.as_ref());
            if let Some((path, line)) = places.first() {
                evidence.push(Evidence::at(path.as_ref(), *line, format!("reads {name}")));
            }
        }
        if evidence.is_empty() {
            return;
        }
        evidence.sort();
        let shown: Vec<&str> = names.iter().copied().take(4).collect();
        let more = match names.len().saturating_sub(shown.len()) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let title = format!("No page names {}{more}", shown.join(", "));
        let finding = findings.add(title, capped(evidence));
        // A default does for whoever does not know the variable.
        if is_needed {
            finding.confidence = Confidence::Likely;
        }
    }
}

/// Words of variables whose value moves money: what trades, how much, with whose key.
const MONEY: &[&str] = &[
    "ALLOCATION",
    "BUDGET",
    "CAPITAL",
    "DRAWDOWN",
    "EXPOSURE",
    "KEY",
    "LEVERAGE",
    "LIVE",
    "LOSS",
    "NOTIONAL",
    "PASSPHRASE",
    "PASSWORD",
    "RISK",
    "SECRET",
    "TESTNET",
    "TOKEN",
    "WALLET",
    "WEBHOOK",
];

/// Says whether somebody misses a variable that no page names: the program does not start without it, or its value
/// moves money. Any other knob has a default, and stands in the code for whoever wants to turn it.
fn matters(context: &Context<'_>, name: &str, places: &[(Box<str>, u32)]) -> bool {
    let moves_money = name.split('_').any(|word| MONEY.contains(&word));
    let of_the_program = |(path, _): &&(Box<str>, u32)| !is_beside(path);
    places.iter().filter(of_the_program).any(|(path, line)| {
        let text = context.tree.text(path).unwrap_or_default();
        let at = (*line as usize).saturating_sub(1);
        let line = text.lines().nth(at).unwrap_or_default();
        moves_money || line.contains("environ[")
    })
}

/// Says whether something that starts dies without the variable: it is read by `environ[…]`, in a file that is loaded.
fn is_required(context: &Context<'_>, places: &[(Box<str>, u32)]) -> bool {
    places.iter().any(|(path, line)| {
        let text = context.tree.text(path).unwrap_or_default();
        let at = (*line as usize).saturating_sub(1);
        !is_beside(path)
            && context.code.is_loaded(path)
            && text
                .lines()
                .nth(at)
                .is_some_and(|line| line.contains("environ["))
    })
}

/// Says whether a file stands beside the program, for those who work on it: they read its code.
fn is_beside(path: &str) -> bool {
    let folders = path.rsplit_once('/').map_or("", |(folders, _)| folders);
    is_shelved(path)
        || folders.split('/').any(|part| {
            matches!(
                part.to_ascii_lowercase().as_str(),
                "scripts"
                    | "tools"
                    | "research"
                    | "notebooks"
                    | "experiments"
                    | "examples"
                    | "benchmarks"
                    | "dev"
            )
        })
}

/// Says whether a file that reads a variable also sets it, for programs that it starts: nobody else has to know it.
fn is_set_by_the_program(context: &Context<'_>, name: &str, places: &[(Box<str>, u32)]) -> bool {
    places.iter().any(|(path, _)| {
        let text = context.tree.text(path).unwrap_or_default();
        [
            format!("\"{name}\":"),
            format!("'{name}':"),
            format!("environ[\"{name}\"] ="),
            format!("environ['{name}'] ="),
        ]
        .iter()
        .any(|set| text.contains(set.as_str()))
    })
}
