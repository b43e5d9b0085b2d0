//! `absolute-home-path`.

use std::collections::BTreeMap;

use tradewind_repo::documents::{PageKind, What};
use tradewind_repo::python::Code;

use super::existing::capped;
use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

/// Paths that exist on one person's computer.
pub(super) struct AbsoluteHomePath;

const ABOUT: About = About {
    id: "absolute-home-path",
    title: "Paths of one computer",
    area: Area::Documentation,
    severity: Severity::Low,
    confidence: Confidence::Certain,
    timeframe: Timeframe::Week,
    impact: "The line works for one person on one machine; on a server or in a container it fails at once.",
    action: "Use a path relative to the repository, or a setting.",
    after: &[],
};

impl Rule for AbsoluteHomePath {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let mut computers: BTreeMap<String, Vec<Evidence>> = BTreeMap::new();
        for page in &context.documents.pages {
            if matches!(page.kind, PageKind::Changelog | PageKind::Record) {
                continue;
            }
            for claim in &page.claims {
                if let What::Home(path) = &claim.what {
                    let item = Evidence::at(page.path.as_ref(), claim.line, claim.quote.as_ref());
                    computers.entry(owner(path)).or_default().push(item);
                }
            }
        }
        let mut runs = BTreeMap::new();
        for place in &context.references.homes {
            let name = place.path.to_ascii_lowercase();
            // Outputs of notebooks and recorded data tell where they were made; nothing runs by them.
            let is_record = [
                ".ipynb",
                ".json",
                ".txt",
                ".xml",
                ".ipynb_checkpoints",
                ".log",
                ".out",
            ]
            .iter()
            .any(|end| name.ends_with(end));
            if is_record || Code::is_test(&place.path) {
                continue;
            }
            let who = owner(&place.text);
            runs.entry(who.clone()).or_insert(true);
            let note: String = place.text.chars().take(160).collect();
            computers.entry(who).or_default().push(Evidence::at(
                place.path.as_ref(),
                place.line,
                note,
            ));
        }
        for (who, mut evidence) in computers {
            evidence.dedup_by(|a, b| a.path == b.path && a.line == b.line);
            let first = evidence
                .first()
                .and_then(|first| first.path.clone())
                .unwrap_or_default();
            let title = match evidence.len() {
                1 => format!("{first} names a path on the computer of {who}"),
                count => {
                    format!("{count} lines name paths on the computer of {who}, first in {first}")
                }
            };
            let added = findings.add(title, capped(evidence));
            if runs.contains_key(&who) {
                added.severity = Severity::Medium;
            }
        }
    }
}

/// The name of the home folder.
fn owner(path: &str) -> String {
    let plain = path.replace('\\', "/").replace("//", "/");
    let after = plain
        .split_once("/Users/")
        .or_else(|| plain.split_once("/home/"))
        .map_or("", |(_, rest)| rest);
    after.split('/').next().unwrap_or_default().to_owned()
}
