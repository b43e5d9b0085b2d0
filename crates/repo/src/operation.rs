//! Which of git's own operations is under way.
//!
//! Why: while git writes the work tree or waits for a conflict to be resolved, files come and go that
//! nobody deleted. Whoever judges the work tree asks here first.

use std::path::Path;

use crate::location::Location;

/// One of git's own operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// The index is being written right now: checkout, add, commit, reset. Also what a crashed git
    /// leaves behind.
    IndexLocked,
    /// A rebase that stopped.
    Rebase,
    /// A mailbox being applied.
    ApplyMail,
    /// A merge with conflicts, or not yet committed.
    Merge,
    /// A cherry-pick that stopped.
    CherryPick,
    /// A revert that stopped.
    Revert,
    /// A bisection.
    Bisect,
}

impl Operation {
    /// Says whether it is over in a moment and worth waiting for.
    pub fn is_transient(self) -> bool {
        self == Self::IndexLocked
    }
}

/// Marks that git leaves in the git directory, the most telling first.
const MARKS: &[(&str, Operation)] = &[
    ("index.lock", Operation::IndexLocked),
    ("rebase-merge", Operation::Rebase),
    ("rebase-apply/applying", Operation::ApplyMail),
    ("rebase-apply", Operation::Rebase),
    ("MERGE_HEAD", Operation::Merge),
    ("CHERRY_PICK_HEAD", Operation::CherryPick),
    ("REVERT_HEAD", Operation::Revert),
    ("BISECT_LOG", Operation::Bisect),
];

/// Says which operation is under way in a work tree; a handful of stat calls, no child process.
pub fn operation_in_progress(location: &Location) -> Option<Operation> {
    let is_there = |mark: &str| {
        location
            .git_dir
            .join(Path::new(mark))
            .symlink_metadata()
            .is_ok()
    };
    MARKS
        .iter()
        .find(|(mark, _)| is_there(mark))
        .map(|(_, operation)| *operation)
}
