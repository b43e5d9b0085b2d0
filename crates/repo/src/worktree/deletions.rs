//! Tells when many tracked files vanish from the work tree together, and when they are back.
//!
//! It acts when at least `max(10, 10 % of the tracked files)` are newly missing, in a small repository
//! half of them but no fewer than 3; or when every tracked file of a top-level folder with 3 or more is
//! gone. A deletion that goes on for several looks adds up until a look finds no more; what then is
//! below the bounds is taken as somebody's housekeeping. What is missing at the first look is no news.
//! It recovers when each of the vanished files is back or no longer tracked. While git itself writes
//! the work tree ([`Operation::IndexLocked`]) nothing is judged.
//! Not here: who did it, and putting anything back.

use std::collections::{BTreeMap, BTreeSet};

use tradewind_core::payload::{FilesDeleted, FilesRestored};

use super::{TreeView, diff};
use crate::operation::Operation;

/// Files that must vanish together in a repository of usual size.
pub const MIN_FILES: u64 = 10;
/// Share of the tracked files that must vanish together in a large repository: one in this many.
pub const SHARE: u64 = 10;
/// Tracked files that a top-level folder must have held to be told as a whole, and the least that
/// must vanish in a small repository.
pub const MIN_FOLDER: u64 = 3;

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// Many files are gone.
    Deleted(FilesDeleted),
    /// They are back.
    Restored(FilesRestored),
}

/// Remembers what is missing and why that is all right.
#[derive(Clone, Debug, Default)]
pub struct Deletions {
    // Missing since the first look, or too few to tell.
    accepted: BTreeSet<Vec<u8>>,
    // Missing and told.
    told: BTreeSet<Vec<u8>>,
    // How many were newly missing at the last look and not yet judged.
    pending: usize,
}

impl Deletions {
    /// Starts from a first look.
    pub fn new(first: &TreeView) -> Self {
        Self {
            accepted: missing(first).map(<[u8]>::to_vec).collect(),
            ..Self::default()
        }
    }

    /// Judges another look.
    pub fn update(&mut self, now: &TreeView, operation: Option<Operation>) -> Option<Notice> {
        if operation.is_some_and(Operation::is_transient) {
            return None;
        }
        let missing: BTreeSet<&[u8]> = missing(now).collect();
        if let Some(notice) = self.recover(now, &missing) {
            return Some(notice);
        }
        self.accepted
            .retain(|path| missing.contains(path.as_slice()));
        let is_new = |path: &&[u8]| !self.accepted.contains(*path) && !self.told.contains(*path);
        let new: Vec<&[u8]> = missing.iter().copied().filter(is_new).collect();
        if new.is_empty() {
            self.pending = 0;
            return None;
        }
        if new.len() as u64 >= threshold(now.tracked()) || empties_a_folder(now, &missing, &new) {
            let mut paths = Vec::new();
            for path in &new {
                diff::push_bounded(&mut paths, path);
            }
            let deleted = new.len() as u64;
            self.told.extend(new.into_iter().map(<[u8]>::to_vec));
            self.pending = 0;
            return Some(Notice::Deleted(FilesDeleted {
                deleted,
                tracked: now.tracked(),
                paths,
            }));
        }
        if new.len() > self.pending {
            self.pending = new.len();
        } else {
            let new: Vec<Vec<u8>> = new.into_iter().map(<[u8]>::to_vec).collect();
            self.accepted.extend(new);
            self.pending = 0;
        }
        None
    }

    /// Says whether a mass deletion was told and has not been taken back.
    pub fn is_open(&self) -> bool {
        !self.told.is_empty()
    }

    fn recover(&mut self, now: &TreeView, missing: &BTreeSet<&[u8]>) -> Option<Notice> {
        if self.told.is_empty()
            || self
                .told
                .iter()
                .any(|path| missing.contains(path.as_slice()))
        {
            return None;
        }
        let told = std::mem::take(&mut self.told);
        let restored = told.iter().filter(|path| now.find(path).is_some()).count() as u64;
        (restored > 0).then_some(Notice::Restored(FilesRestored { restored }))
    }
}

fn missing(view: &TreeView) -> impl Iterator<Item = &[u8]> {
    view.missing.iter().map(|at| view.tracked.path(*at))
}

/// Returns how many files must vanish together where `tracked` are tracked.
pub fn threshold(tracked: u64) -> u64 {
    MIN_FILES
        .max(tracked.div_ceil(SHARE))
        .min(MIN_FOLDER.max(tracked.div_ceil(2)))
}

fn empties_a_folder(now: &TreeView, missing: &BTreeSet<&[u8]>, new: &[&[u8]]) -> bool {
    let mut gone: BTreeMap<&[u8], u64> = BTreeMap::new();
    for path in missing {
        *gone.entry(top_folder(path)).or_default() += 1;
    }
    let folders: BTreeSet<&[u8]> = new.iter().map(|path| top_folder(path)).collect();
    folders
        .into_iter()
        .filter(|folder| !folder.is_empty())
        .any(|folder| {
            let gone = gone.get(folder).copied().unwrap_or(0);
            gone >= MIN_FOLDER && gone == now.tracked.expected_in(folder)
        })
}

/// Returns the first folder of a path with its `/`; nothing for a file at the top.
fn top_folder(path: &[u8]) -> &[u8] {
    let end = path
        .iter()
        .position(|byte| *byte == b'/')
        .map_or(0, |at| at + 1);
    path.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_grows_with_the_repository() {
        let cases = [
            (0, 3),
            (4, 3),
            (8, 4),
            (20, 10),
            (90, 10),
            (101, 11),
            (20_000, 2_000),
        ];
        for (tracked, expected) in cases {
            assert_eq!(threshold(tracked), expected, "{tracked}");
        }
    }
}
