//! Files that were deleted and came back as they were, outside mass deletions.

use std::collections::HashMap;

use tradewind_repo::Oid;
use tradewind_repo::generated;
use tradewind_repo::history::{Commit, Deed, PathId};

use super::mass_deletion;
use super::past::{self, Past, Purpose};
use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

const ABOUT: About = About {
    id: "delete-and-re-add",
    title: "Files that were deleted and came back as they were",
    area: Area::History,
    severity: Severity::Low,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Month,
    impact: "Between the two commits whatever needed the file was broken on main, and nothing stopped the \
             commit.",
    action: "Before a file is deleted, look who refers to it; run the tests before the commit, not after.",
    after: &["mass-deletion"],
};

/// One pair in this many commits is housekeeping.
const COMMITS_PER_PAIR: usize = 200;

/// The rule.
pub(super) struct DeleteAndReAdd;

struct Gone<'a> {
    by: &'a Commit,
    blob: Oid,
}

impl Rule for DeleteAndReAdd {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let Some(past) = Past::of(context, findings) else {
            return;
        };
        let history = past.history;
        let told = mass_deletion::paths(&past);
        let mut blobs: HashMap<PathId, Oid> = HashMap::new();
        let mut gone: HashMap<PathId, Gone<'_>> = HashMap::new();
        let mut pairs: Vec<(PathId, &Commit, &Commit)> = Vec::new();
        // Off the line of first parents a file may be there on one side and gone on the other.
        for step in past.steps.iter().filter(|step| step.commit.is_on_main_line) {
            for change in &step.commit.changes {
                match (change.deed, change.blob) {
                    (Deed::Deleted, _) => {
                        if let Some(blob) = blobs.remove(&change.path) {
                            let by = step.commit;
                            gone.insert(change.path, Gone { by, blob });
                        }
                    }
                    (_, Some(blob)) => {
                        blobs.insert(change.path, blob);
                        if let Some(before) = gone.remove(&change.path)
                            && before.blob == blob
                            && change.deed == Deed::Added
                        {
                            pairs.push((change.path, before.by, step.commit));
                        }
                    }
                    (_, None) => {}
                }
            }
        }
        pairs.retain(|(_, _, back)| past::is_recent(context, back));
        pairs.retain(|(path, by, back)| {
            let text = history.path(*path);
            let purpose = past::purpose(text);
            !told.contains(path)
                && generated::root_of(text).is_none()
                && matches!(
                    purpose,
                    Purpose::Source | Purpose::Scripts | Purpose::Tests | Purpose::Settings
                )
                && !text.ends_with("__init__.py")
                && !is_revert(by)
                && !is_revert(back)
        });
        let bound = 1 + past.steps.len() / COMMITS_PER_PAIR;
        if pairs.len() < bound {
            return;
        }
        pairs.sort_by_key(|(_, by, _)| std::cmp::Reverse(by.committed_at));
        let files = past::counted(pairs.len(), "file was", "files were");
        let title = format!("{files} deleted and came back unchanged");
        let mut evidence = Vec::new();
        for (path, by, back) in &pairs {
            let note = format!(
                "{} deletes {}, {} brings it back unchanged",
                past::dated(by),
                past::shown(history.path(*path)),
                past::dated(back)
            );
            evidence.push(Evidence::commit(by.id, note));
        }
        findings.add(title, past::bounded(evidence));
    }
}

/// A revert says itself that something was wrong.
fn is_revert(commit: &Commit) -> bool {
    let subject = commit.subject().to_ascii_lowercase();
    subject.starts_with("revert") || subject.starts_with("reapply")
}
