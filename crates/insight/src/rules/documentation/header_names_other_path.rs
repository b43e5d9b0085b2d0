//! `header-names-other-path`.

use super::existing::capped;
use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

/// First comments of files that are the path of another file.
pub(super) struct HeaderNamesOtherPath;

const ABOUT: About = About {
    id: "header-names-other-path",
    title: "File headers that name another path",
    area: Area::Documentation,
    severity: Severity::Low,
    confidence: Confidence::Certain,
    timeframe: Timeframe::Month,
    impact: "Edits and answers of assistants go to the file that the header names, which is another one.",
    action: "Delete the comment: the path is known without it.",
    after: &[],
};

impl Rule for HeaderNamesOtherPath {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let mut evidence = Vec::new();
        for header in &context.names.headers {
            let named = header.text.replace('\\', "/");
            let named = named.trim_start_matches("./").trim_start_matches('/');
            let path = header.path.as_ref();
            let is_own = path == named
                || path.ends_with(&format!("/{named}"))
                || named.ends_with(&format!("/{path}"))
                // "bot/src/run.py" in "src/run.py" of a repository named bot, and the other way round.
                || tail(named) == tail(path) && (named.matches('/').count() == 0 || shares_folders(named, path));
            if !is_own {
                evidence.push(Evidence::at(
                    path,
                    header.line,
                    format!("says {}", header.text),
                ));
            }
        }
        let Some(first) = evidence.first() else {
            return;
        };
        let place = first.path.clone().unwrap_or_default();
        let title = match evidence.len() {
            1 => format!("{place} calls itself by another path: it {}", first.note),
            count => format!(
                "{count} files call themselves by other paths, {place} {}",
                first.note
            ),
        };
        findings.add(title, capped(evidence));
    }
}

fn tail(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// Says whether the last folders are the same, so that only the roots differ.
fn shares_folders(named: &str, path: &str) -> bool {
    let folder = |path: &str| path.rsplit('/').nth(1).map(str::to_owned);
    folder(named) == folder(path)
}
