//! Settings of pytest in a file that pytest does not read.

use std::collections::BTreeMap;

use tradewind_repo::project::settings::TestSettings;

use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::quotes::{is_foreign, is_shelved};
use crate::rule::{About, Context, Findings, Rule};

static ABOUT: About = About {
    id: "ignored-test-settings",
    title: "Settings of pytest that pytest does not read",
    area: Area::Tests,
    severity: Severity::Medium,
    confidence: Confidence::Certain,
    timeframe: Timeframe::Month,
    impact: "Paths, markers and options that are written down do not hold: tests are left out, or warnings that should fail do not.",
    action: "Keep one of the two files and move the settings of the other there.",
    after: &[],
};

/// Files that may hold the settings, in the sequence in which pytest looks; the first one wins, and an empty
/// `pytest.ini` wins as well.
const FILES: &[&str] = &[
    "pytest.toml",
    ".pytest.toml",
    "pytest.ini",
    ".pytest.ini",
    "pyproject.toml",
    "tox.ini",
    "setup.cfg",
];
/// Of these the file alone is enough; in the others there must be a section.
const ALONE: &[&str] = &["pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini"];

/// The rule.
pub struct IgnoredTestSettings;

impl Rule for IgnoredTestSettings {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let mut folders: BTreeMap<&str, Vec<(usize, &TestSettings, u32)>> = BTreeMap::new();
        for settings in &context.project.settings {
            let (folder, name) = parts(&settings.path);
            let rank = FILES.iter().position(|file| *file == name);
            if let (Some(rank), Some(line)) = (rank, settings.pytest)
                && !is_foreign(&settings.path)
                && !is_shelved(&settings.path)
            {
                folders
                    .entry(folder)
                    .or_default()
                    .push((rank, settings, line));
            }
        }
        for (folder, mut files) in folders {
            files.sort_by_key(|(rank, ..)| *rank);
            let alone = ALONE.iter().enumerate().find_map(|(rank, name)| {
                let path = if folder.is_empty() {
                    (*name).to_owned()
                } else {
                    format!("{folder}/{name}")
                };
                context.tree.get(&path).map(|_| (rank, path))
            });
            let first = files
                .first()
                .map(|(rank, settings, _)| (*rank, settings.path.to_string()));
            let winner = match (alone, first) {
                (Some(alone), Some(first)) => alone.min(first),
                (_, Some(first)) => first,
                (_, None) => continue,
            };
            let mut evidence: Vec<Evidence> = files
                .iter()
                .filter(|(rank, ..)| *rank > winner.0)
                .map(|(_, settings, line)| {
                    context.quote_with(&settings.path, *line, "nothing below is read")
                })
                .collect();
            let Some(path) = evidence.first().and_then(|first| first.path.clone()) else {
                continue;
            };
            evidence.push(Evidence::file(
                winner.1.clone(),
                "pytest reads this one, and no other",
            ));
            findings.add(
                format!(
                    "{path}: its settings of pytest are not read, because {} is there",
                    winner.1
                ),
                evidence,
            );
        }
    }
}

/// Folder and name of a path.
fn parts(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}
