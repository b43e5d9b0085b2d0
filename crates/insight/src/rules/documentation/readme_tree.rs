//! `readme-tree`.

use std::collections::BTreeMap;

use tradewind_repo::documents::{Claim, Page, PageKind, What};

use super::existing::{Existing, capped, gone_with, join};
use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

/// Entries of a listing in a page that the repository does not have.
pub(super) struct ReadmeTree;

const ABOUT: About = About {
    id: "readme-tree",
    title: "Listed files that do not exist",
    area: Area::Documentation,
    severity: Severity::Low,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Month,
    impact: "Whoever looks for a listed file searches for what is not there, and doubts the rest of the page.",
    action: "Take the entries out of the listing, or bring the files back.",
    after: &[],
};

/// One entry with where it stands.
struct Entry<'a> {
    claim: &'a Claim,
    path: &'a str,
    note: &'a str,
}

impl Rule for ReadmeTree {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let existing = Existing::new(context);
        for page in &context.documents.pages {
            if matches!(page.kind, PageKind::Changelog | PageKind::Record) {
                continue;
            }
            let mut listings: BTreeMap<u32, Vec<Entry<'_>>> = BTreeMap::new();
            for claim in &page.claims {
                if let What::Entry {
                    listing,
                    path,
                    note,
                    ..
                } = &claim.what
                {
                    listings
                        .entry(*listing)
                        .or_default()
                        .push(Entry { claim, path, note });
                }
            }
            let evidence: Vec<Evidence> = listings
                .values()
                .flat_map(|entries| missing(&existing, page, entries))
                .collect();
            if evidence.is_empty() {
                continue;
            }
            let count = evidence.len();
            let what = if count == 1 {
                "an entry that does"
            } else {
                "entries that do"
            };
            let title = format!("{} lists {what} not exist ({count})", page.path);
            let added = findings.add(title, capped(evidence));
            // Other pages list what was, or what another project has.
            if page.kind == PageKind::Readme {
                added.confidence = Confidence::Likely;
            }
        }
    }
}

/// Words of headings whose listings show what is not, or not yet, in the repository.
const OTHER_SECTIONS: &[&str] = &[
    "output",
    "generated",
    "result",
    "example",
    "your",
    "create",
    "proposed",
    "planned",
    "future",
    "roadmap",
    "todo",
    "before",
    "old",
    "migration",
];

/// Returns the entries of one listing that are not there.
fn missing(existing: &Existing<'_>, page: &Page, entries: &[Entry<'_>]) -> Vec<Evidence> {
    let section = entries
        .first()
        .and_then(|entry| page.section(entry.claim))
        .unwrap_or_default()
        .to_lowercase();
    if OTHER_SECTIONS.iter().any(|word| section.contains(word)) {
        return Vec::new();
    }
    let own = page.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let root = entries.first().map_or("", |entry| entry.path);
    let has_root = !root.contains('.')
        && entries.iter().skip(1).all(|entry| {
            entry
                .path
                .strip_prefix(root)
                .is_some_and(|rest| rest.starts_with('/'))
        });
    let mut bases = vec![(own, false), ("", false)];
    if has_root {
        bases.extend([(own, true), ("", true)]);
    }
    let place = |entry: &Entry<'_>, (base, strip): (&str, bool)| {
        let path = if strip {
            entry
                .path
                .strip_prefix(root)
                .unwrap_or_default()
                .trim_start_matches('/')
        } else {
            entry.path
        };
        join(base, path).unwrap_or_default()
    };
    let there = |at: (&str, bool)| {
        let count = entries
            .iter()
            .filter(|entry| existing.is_at(&place(entry, at)));
        count.count()
    };
    let Some(best) = bases.into_iter().max_by_key(|at| there(*at)) else {
        return Vec::new();
    };
    // A listing that is mostly not this repository shows another one, or one that is to be made.
    let found = there(best);
    if found * 2 < entries.len() || found < 2 {
        return Vec::new();
    }
    let mut missing = Vec::new();
    for entry in entries {
        let path = place(entry, best);
        let note = entry.note.to_lowercase();
        let is_made = existing.is_made(&path)
            || [
                "generated",
                "created",
                "auto",
                "your",
                "optional",
                "ignored",
                "not in",
                "local",
                "cache",
                "built",
                "output",
            ]
            .iter()
            .any(|word| note.contains(word));
        if existing.is_at(&path) || is_made {
            continue;
        }
        let gone = existing.deleted_in(&path);
        let is_front = matches!(page.kind, PageKind::Readme | PageKind::Contributing);
        // What never was, on a page beside the README, may be a pattern or a plan.
        if gone.is_none() && (!is_front || is_for_output(&path)) {
            continue;
        }
        let why = gone.map_or_else(|| "does not exist".to_owned(), gone_with);
        missing.push(Evidence::at(
            page.path.as_ref(),
            entry.claim.line,
            format!("{path}: {why}"),
        ));
    }
    missing
}

/// Says whether a folder is by its name one that a program fills: nobody commits what lies there.
fn is_for_output(path: &str) -> bool {
    let name = path
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or(path)
        .to_ascii_lowercase();
    !name.contains('.')
        && [
            "artifact",
            "backup",
            "cache",
            "checkpoint",
            "data",
            "download",
            "export",
            "figure",
            "log",
            "model",
            "output",
            "plot",
            "prediction",
            "report",
            "result",
            "saved",
            "snapshot",
            "state",
            "tmp",
            "venv",
            "weight",
        ]
        .iter()
        .any(|word| name.contains(word))
}
