//! What differs between two views of one work tree.

use std::cmp::Ordering;

use tradewind_core::payload::WorktreeChanged;

use super::{Entry, TreeView, text};

/// Paths that a diff names.
pub const MAX_TOLD_PATHS: usize = 50;
/// Bound on the named paths together; a path may be 4 KiB long.
pub(super) const MAX_TOLD_BYTES: usize = 32 * 1024;

/// What differs between two views of one work tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorktreeDiff {
    /// How many tracked files were modified.
    pub modified: u64,
    /// How many files appeared.
    pub added: u64,
    /// How many files went away.
    pub deleted: u64,
    /// The first of them in the order of paths, at most [`MAX_TOLD_PATHS`], with `/`.
    pub paths: Vec<String>,
}

impl WorktreeDiff {
    /// Says whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.modified + self.added + self.deleted == 0
    }

    /// Returns it as the body of an event.
    pub fn to_payload(&self) -> WorktreeChanged {
        WorktreeChanged {
            modified: self.modified,
            added: self.added,
            deleted: self.deleted,
            paths: self.paths.clone(),
        }
    }

    fn name(&mut self, path: &[u8]) {
        push_bounded(&mut self.paths, path);
    }
}

/// Adds a path to those that are told, within the bounds.
pub(super) fn push_bounded(paths: &mut Vec<String>, path: &[u8]) {
    let told: usize = paths.iter().map(String::len).sum();
    if paths.len() < MAX_TOLD_PATHS && told + path.len() <= MAX_TOLD_BYTES {
        paths.push(text(path));
    }
}

/// Compares two views of one work tree.
///
/// When an ignore file changed in between, untracked files that come or go are not told: it is their
/// being ignored that changed.
pub fn diff(before: &TreeView, after: &TreeView) -> WorktreeDiff {
    let has_same_rules = before.ignores.state() == after.ignores.state();
    let is_whole = !before.is_truncated && !after.is_truncated;
    let counts = |entry: &Entry| entry.is_tracked || (has_same_rules && is_whole);
    let mut found = WorktreeDiff::default();
    let (mut old, mut new) = (0, 0);
    loop {
        let (was, is) = (before.entries.get(old), after.entries.get(new));
        let order = match (was, is) {
            (None, None) => return found,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(was), Some(is)) => before.path(was).cmp(after.path(is)),
        };
        match (order, was, is) {
            (Ordering::Equal, Some(was), Some(is))
                if is.is_tracked && differs(before, (old, was), after, (new, is)) =>
            {
                found.modified += 1;
                found.name(after.path(is));
            }
            (Ordering::Less, Some(was), _) if counts(was) => {
                found.deleted += 1;
                found.name(before.path(was));
            }
            (Ordering::Greater, _, Some(is)) if counts(is) => {
                found.added += 1;
                found.name(after.path(is));
            }
            _ => {}
        }
        old += usize::from(order != Ordering::Greater);
        new += usize::from(order != Ordering::Less);
    }
}

fn differs(
    before: &TreeView,
    (old, was): (usize, &Entry),
    after: &TreeView,
    (new, is): (usize, &Entry),
) -> bool {
    let (was, is) = (was.stamp, is.stamp);
    if (was.size, was.mtime_ns, was.ino, was.mode) != (is.size, is.mtime_ns, is.ino, is.mode) {
        return true;
    }
    let (Ok(old), Ok(new)) = (u32::try_from(old), u32::try_from(new)) else {
        return false;
    };
    match before.contents(old, after, new) {
        Some((was, is)) => was != is,
        // Somebody set the time back after a write; without that, a change of rights or links only.
        None => was.ctime_ns != is.ctime_ns,
    }
}
