//! `secret-in-head`.

use tradewind_repo::leaks::Leak;

use super::{env_tracked, leaked};
use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::quotes::has_end;
use crate::rule::{About, Context, Findings, Rule};
use crate::rules::documentation::capped;

/// Credentials in tracked files.
pub(super) struct SecretInHead;

const ABOUT: About = About {
    id: "secret-in-head",
    title: "Credentials in tracked files",
    area: Area::Safety,
    severity: Severity::Critical,
    confidence: Confidence::Certain,
    timeframe: Timeframe::Immediate,
    impact: "Whoever reads the repository can spend the quota, read the account or trade with it.",
    action: "Replace the credential at its issuer, then read it from the environment; deleting the line is not enough.",
    after: &[],
};

impl Rule for SecretInHead {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let counted: Vec<&Leak> = context
            .leaks
            .head
            .iter()
            .filter(|leak| leaked::counts(leak) && leak.kind != "private-key")
            .filter(|leak| !is_an_example(context, leak))
            .collect();
        for group in side_by_side(leaked::credentials(&counted)) {
            // A tracked `.env` is told as such, with its credentials.
            let is_told = group.iter().all(|leak| env_tracked::is_env(&leak.path));
            let Some(first) = group
                .iter()
                .find(|leak| !env_tracked::is_env(&leak.path))
                .filter(|_| !is_told)
            else {
                continue;
            };
            let kind = leaked::worst(&group);
            let more = match group.len() {
                1 => String::new(),
                count => format!(" and {} more places", count - 1),
            };
            let title = format!(
                "{}:{} holds {}{more}",
                first.path,
                first.line,
                leaked::words(kind)
            );
            let mut evidence: Vec<Evidence> = group
                .iter()
                .map(|leak| Evidence::at(leak.path.as_ref(), leak.line, leaked::quote(leak)))
                .collect();
            if let Some(at) = evidence
                .iter()
                .position(|each| each.path.as_deref() == Some(&first.path))
            {
                evidence.swap(0, at);
            }
            let added = findings.add(title, capped(evidence));
            added.severity = leaked::severity(kind);
            added.confidence = leaked::confidence(kind);
            // Pages show what a key looks like; only what one issuer gives out by shape is one for sure.
            if added.confidence == Confidence::Likely
                && group
                    .iter()
                    .all(|leak| is_page(&leak.path) || is_an_id(leak))
                || kind == "google-api-key"
            {
                added.confidence = Confidence::Possible;
            }
        }
    }
}

/// Says whether a value stands in the description of a function: an answer of the provider, shown to readers.
fn is_an_example(context: &Context<'_>, leak: &Leak) -> bool {
    if leak.kind != "assigned-secret" || !has_end(&leak.path, "py") {
        return false;
    }
    let text = context.tree.text(&leak.path).unwrap_or_default();
    let before = text.lines().take((leak.line as usize).saturating_sub(1));
    let quotes: usize = before.map(|line| line.matches("\"\"\"").count()).sum();
    quotes % 2 == 1
}

/// Says whether a recorded output names a session of the program itself.
fn is_an_id(leak: &Leak) -> bool {
    leak.kind == "session-cookie" && !has_end(&leak.path, "py")
}

fn is_page(path: &str) -> bool {
    ["md", "rst", "txt", "html"]
        .iter()
        .any(|end| has_end(path, end))
}

/// Joins credentials that stand beside each other in one file: they were written down together.
fn side_by_side(groups: Vec<Vec<&Leak>>) -> Vec<Vec<&Leak>> {
    let mut joined: Vec<Vec<&Leak>> = Vec::new();
    for group in groups {
        let near = joined.last_mut().filter(|before| {
            let places = |one: &Leak, other: &Leak| {
                one.path == other.path && one.line.abs_diff(other.line) <= NEAR_LINES
            };
            before
                .iter()
                .any(|one| group.iter().any(|other| places(one, other)))
        });
        match near {
            Some(before) => before.extend(group),
            None => joined.push(group),
        }
    }
    joined
}

/// Lines between two credentials of one block.
const NEAR_LINES: u32 = 3;
