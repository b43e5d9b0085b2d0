//! Commits that do many things at once and whose message does not say which.
//!
//! First imports, merges, pull requests, vendored code, mere deletions and mechanical changes (a few lines in many
//! files) are not meant.

use std::collections::{BTreeMap, BTreeSet};

use tradewind_repo::generated;
use tradewind_repo::history::{Commit, Deed, History};

use super::past::{self, Past, Purpose, Step};
use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

const ABOUT: About = About {
    id: "kitchen-sink-commit",
    title: "Commits that do many things at once",
    area: Area::History,
    severity: Severity::Low,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Month,
    impact: "Such a commit can neither be reviewed nor taken back: undoing the one line that lost money undoes the \
             rest as well.",
    action: "One purpose per commit; `git add -p` splits what has grown together.",
    after: &[],
};

/// Written files that a commit must touch at least.
const MIN_FILES: usize = 12;
/// In large projects more is usual: one in this many files.
const SHARE: usize = 20;
/// Beyond this many files a project's size is no excuse.
const MAX_BOUND: usize = 60;
/// Different purposes that must come together.
const MIN_PURPOSES: usize = 4;
/// Changed lines for each file below which a change is mechanical.
const MECHANICAL_LINES: u64 = 4;
/// Files before a project has begun: what comes earlier is its import.
const BEGUN_FILES: usize = 5;
/// A habit is at least one in this many commits; a rare one is told to nobody, because nothing can be done about it.
const HABIT_SHARE: usize = 50;
/// One in this many files that was moved makes a move with its imports out of a commit.
const MOVED_SHARE: usize = 5;
/// Telling words that a subject needs to say what a large commit does.
const EXPLAINING_WORDS: usize = 2;

/// The rule.
pub(super) struct KitchenSinkCommit;

impl Rule for KitchenSinkCommit {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let Some(past) = Past::of(context, findings) else {
            return;
        };
        let recent = || {
            let steps = past.steps.iter();
            steps.filter(|step| past::is_recent(context, step.commit))
        };
        let mut found: Vec<(&Commit, usize, BTreeMap<Purpose, usize>)> = recent()
            .filter_map(|step| sink(past.history, step))
            .collect();
        if found.len() * HABIT_SHARE < recent().count() {
            return;
        }
        found.reverse();
        let Some((newest, files, _)) = found.first() else {
            return;
        };
        let title = match found.len() - 1 {
            0 => format!("{} does many things in {files} files", past::quoted(newest)),
            more => format!(
                "{} and {more} more commits do many things at once",
                past::quoted(newest)
            ),
        };
        let evidence = found.iter().map(|(commit, files, purposes)| {
            let kinds: Vec<String> = purposes
                .iter()
                .map(|(purpose, count)| format!("{count} {}", purpose.as_str()))
                .collect();
            let kinds = kinds.join(", ");
            Evidence::commit(
                commit.id,
                format!("{} touches {files} files: {kinds}", past::dated(commit)),
            )
        });
        let evidence = past::bounded(evidence.collect());
        findings.add(title, evidence);
    }
}

/// Says whether the rule asks how many lines a commit changed: of others they are not counted.
pub(super) fn asks_for_lines(history: &History, commit: &Commit) -> bool {
    commit.changes.len() >= MIN_FILES
        && !explains(commit)
        && !past::is_reviewed_or_made(history, commit)
}

fn sink<'a>(
    history: &History,
    step: &Step<'a>,
) -> Option<(&'a Commit, usize, BTreeMap<Purpose, usize>)> {
    let commit = step.commit;
    if step.files_before < BEGUN_FILES || !asks_for_lines(history, commit) {
        return None;
    }
    let mut purposes: BTreeMap<Purpose, usize> = BTreeMap::new();
    let mut tops = BTreeSet::new();
    let (mut files, mut moved, mut lines) = (0, 0, 0_u64);
    let mut alike: BTreeMap<(Option<u32>, Option<u32>), usize> = BTreeMap::new();
    for change in &commit.changes {
        let path = history.path(change.path);
        moved += usize::from(matches!(change.deed, Deed::Renamed { .. }));
        let is_here = matches!(change.deed, Deed::Added | Deed::Modified);
        if !is_here || generated::root_of(path).is_some() {
            continue;
        }
        files += 1;
        lines += u64::from(change.added.unwrap_or(0)) + u64::from(change.deleted.unwrap_or(0));
        if change.deed == Deed::Modified {
            *alike.entry((change.added, change.deleted)).or_default() += 1;
        }
        *purposes.entry(past::purpose(path)).or_default() += 1;
        tops.insert(path.split_once('/').map_or("", |(top, _)| top));
    }
    // Data and pictures come in crowds; they make a commit long and not many-minded.
    let crowd: usize = [Purpose::Data, Purpose::Other]
        .iter()
        .filter_map(|purpose| purposes.get(purpose))
        .sum();
    // A licence header or a new name changes most files by the same number of lines.
    let most_alike = alike.values().copied().max().unwrap_or(0);
    let is_grown = files * 5 > step.files_before * 6 && step.files_before < MIN_FILES;
    let bound = (step.files_before / SHARE).clamp(MIN_FILES, MAX_BOUND);
    let is_sink = files - crowd >= bound
        && !is_grown
        && most_alike * 2 < files
        && files * 2 > commit.changes.len()
        && moved * MOVED_SHARE < files
        && purposes.len() >= MIN_PURPOSES
        && purposes.contains_key(&Purpose::Source)
        && tops.len() >= 3
        && lines >= MECHANICAL_LINES * files as u64;
    is_sink.then_some((commit, files, purposes))
}

/// Says whether a message tells what a large commit does.
fn explains(commit: &Commit) -> bool {
    let has_body = commit
        .message
        .lines()
        .skip(1)
        .any(|line| line.split_whitespace().count() >= 3);
    let is_renaming = commit.subject().to_lowercase().contains("renam");
    has_body || is_renaming || past::telling_words(commit) >= EXPLAINING_WORDS
}
