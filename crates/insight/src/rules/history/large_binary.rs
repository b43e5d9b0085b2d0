//! Large files in HEAD and in history.

use std::collections::{BTreeMap, HashMap, HashSet};

use tradewind_repo::Oid;
use tradewind_repo::generated;
use tradewind_repo::history::{Commit, Deed};

use super::past::{self, Past};
use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

const ABOUT: About = About {
    id: "large-binary",
    title: "Large files in commits",
    area: Area::History,
    severity: Severity::Low,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Month,
    impact: "Every clone, image build and CI run fetches every version of it; a model or data set in git also goes \
             stale unnoticed.",
    action: "Keep data and models in object storage or git LFS, and fetch them by digest.",
    after: &[],
};

/// A file is large from here on.
const LARGE: u64 = tradewind_repo::history::LARGE_BYTES;

/// The rule.
pub(super) struct LargeBinary;

struct Found<'a> {
    came: &'a Commit,
    // Content and size of each large version.
    versions: BTreeMap<Oid, u64>,
}

impl Rule for LargeBinary {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let history = context.history;
        let past = Past::of(context, findings);
        let mut found: HashMap<&str, Found<'_>> = HashMap::new();
        let mut is_large_now: HashSet<&str> = HashSet::new();
        for step in past.iter().flat_map(|past| &past.steps) {
            for change in &step.commit.changes {
                let path = history.path(change.path);
                if let Deed::Renamed { from } = change.deed {
                    is_large_now.remove(history.path(from));
                }
                is_large_now.remove(path);
                let Some((blob, size)) = change
                    .blob
                    .and_then(|blob| Some((blob, history.size(blob)?)))
                else {
                    continue;
                };
                if size < LARGE || generated::root_of(path).is_some() {
                    continue;
                }
                is_large_now.insert(path);
                let entry = found.entry(path).or_insert_with(|| Found {
                    came: step.commit,
                    versions: BTreeMap::new(),
                });
                entry.versions.insert(blob, size);
            }
        }
        let is_here = |path: &str| {
            is_large_now.contains(path)
                && context
                    .tree
                    .get(path)
                    .is_some_and(|file| file.state == tradewind_repo::tree::FileState::Tracked)
        };
        let (here, gone): (Vec<_>, Vec<_>) = found.iter().partition(|(path, _)| is_here(path));
        tell(here, true, findings);
        tell(gone, false, findings);
    }
}

fn tell(mut files: Vec<(&&str, &Found<'_>)>, is_here: bool, findings: &mut Findings) {
    let size = |found: &Found<'_>| found.versions.values().sum::<u64>();
    files.sort_by_key(|(path, found)| (std::cmp::Reverse(size(found)), **path));
    let Some((first, _)) = files.first() else {
        return;
    };
    let first = past::shown(first);
    // One content under several names is stored once.
    let all: BTreeMap<Oid, u64> = files
        .iter()
        .flat_map(|(_, found)| found.versions.iter().map(|(oid, size)| (*oid, *size)))
        .collect();
    let bytes = past::size(all.values().sum());
    let title = match (files.len() - 1, is_here) {
        (0, true) => format!("{first} is tracked: {bytes} with all its versions"),
        (0, false) => format!("{first} is gone and stays in history: {bytes}"),
        (more, true) => format!("{first} and {more} more large files are tracked: {bytes}"),
        (more, false) => {
            format!("{first} and {more} more large files are gone and stay in history: {bytes}")
        }
    };
    let evidence = files.iter().map(|(path, found)| {
        let versions = past::counted(found.versions.len(), "version", "versions");
        let size = past::size(size(found));
        if is_here {
            let note = format!("{size} in {versions}, first in {}", past::dated(found.came));
            Evidence::file(**path, note)
        } else {
            let note = format!(
                "{} adds {}: {size} in {versions}",
                past::dated(found.came),
                past::shown(path)
            );
            Evidence::commit(found.came.id, note)
        }
    });
    let evidence = past::bounded(evidence.collect());
    let finding = findings.add(title, evidence);
    if is_here {
        finding.severity = Severity::Medium;
    }
}
