//! What the work tree looks like at one moment, and what differs from the last one.
//!
//! A view holds size, times, inode and mode of every tracked file and of every untracked one that is
//! not ignored; no file is opened except where its time is too fresh to be trusted. Tracked paths
//! come from `git ls-files`, asked again only when the index changed. Links are not followed;
//! submodules and nested repositories are left to themselves; files outside a sparse checkout are not
//! missing.
//! A file counts as modified when its size, modification time, inode or mode differ; one that was
//! rewritten with the same bytes counts too. A file that was written less than a clock tick before
//! the look is compared by content at the next look.
//! Not here: mass deletions ([`deletions`]), what the change means.

pub mod deletions;
mod diff;
mod filter;
mod hidden;
mod ignores;
mod racy;
mod scan;
mod tracked;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use tradewind_host::files;
use tradewind_host::git::Git;

pub use diff::{MAX_TOLD_PATHS, WorktreeDiff, diff};
pub use filter::watch_filter;

use crate::error::RepoError;
use crate::location::{self, Location};
use crate::stamp::Stamp;
use crate::tree::Unread;
pub(crate) use hidden::Hidden;
use ignores::Ignores;
pub(crate) use tracked::{Kind, Tracked};

/// Untracked files kept in a view; beyond it they are counted no more and a notice is due.
pub const MAX_UNTRACKED: usize = 100_000;

/// A work tree at one moment.
#[derive(Clone, Debug)]
pub struct TreeView {
    // Invariant: entries are sorted by path, byte by byte; each path's bytes lie in `paths`.
    paths: Vec<u8>,
    entries: Vec<Entry>,
    // Content hashes of the files that were too fresh, by place in `entries`.
    racy: BTreeMap<u32, racy::Content>,
    // Places in `tracked` of files that are not there.
    missing: Vec<u32>,
    tracked: Arc<Tracked>,
    ignores: Arc<Ignores>,
    is_truncated: bool,
    problems: Vec<Unread>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    at: u32,
    len: u32,
    is_tracked: bool,
    stamp: Stamp,
}

impl TreeView {
    /// Looks at the work tree. `previous` saves asking git for an unchanged index and reading
    /// unchanged ignore files. `now` is the time just before the look. A bare repository has an
    /// empty view.
    ///
    /// # Errors
    /// [`RepoError::Gone`] when the work tree is not there, [`RepoError::Git`], [`RepoError::Read`].
    pub fn scan(
        git: &Git,
        location: &Location,
        previous: Option<&Self>,
        now: Timestamp,
    ) -> Result<Self, RepoError> {
        let known = previous.map(|previous| Arc::clone(&previous.tracked));
        let tracked = Tracked::read(git, location, known, now)?;
        scan::run(location, &tracked, previous, now, None)
    }

    /// Looks at the work tree with an index that was read already, and tells what is ignored.
    pub(crate) fn with_hidden(
        location: &Location,
        tracked: &Arc<Tracked>,
        hidden: &mut Hidden,
    ) -> Result<Self, RepoError> {
        // Nothing is too fresh: the reader of a tree compares with the index and hashes nothing.
        scan::run(location, tracked, None, Timestamp::MAX, Some(hidden))
    }

    /// Iterates over all files: path, whether it is tracked, stamp.
    pub(crate) fn stamps(&self) -> impl Iterator<Item = (&[u8], bool, Stamp)> {
        let stamp = |entry: &Entry| (entry.is_tracked, entry.stamp);
        self.entries.iter().map(move |entry| {
            let (is_tracked, stamp) = stamp(entry);
            (self.path(entry), is_tracked, stamp)
        })
    }

    /// Iterates over the places in the index of files that are not there.
    pub(crate) fn missing_places(&self) -> impl Iterator<Item = u32> + '_ {
        self.missing.iter().copied()
    }

    /// Returns how many files the view holds.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Says whether the view holds no file.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Iterates over all files, in the order of their bytes, as text with `/`.
    pub fn paths(&self) -> impl Iterator<Item = String> + '_ {
        self.entries.iter().map(|entry| text(self.path(entry)))
    }

    /// Returns how many files git tracks here, without submodules and files outside a sparse
    /// checkout.
    pub fn tracked(&self) -> u64 {
        self.tracked.expected()
    }

    /// Returns how many tracked files are not there.
    pub fn missing(&self) -> usize {
        self.missing.len()
    }

    /// Iterates over the tracked files that are not there.
    pub fn missing_paths(&self) -> impl Iterator<Item = PathBuf> + '_ {
        self.missing
            .iter()
            .map(|at| location::bytes_to_path(self.tracked.path(*at)))
    }

    /// Says whether there are more untracked files than [`MAX_UNTRACKED`].
    pub fn is_truncated(&self) -> bool {
        self.is_truncated
    }

    /// Returns a number that changes when any ignore file does; a filter made before is stale then.
    pub fn ignore_state(&self) -> u64 {
        self.ignores.state()
    }

    /// Returns what could not be read, as sentences, the first 50.
    pub fn problems(&self) -> impl Iterator<Item = String> + '_ {
        let sentence = |problem: &Unread| format!("{}: {}", problem.what, problem.reason);
        self.problems.iter().map(sentence)
    }

    /// Returns what could not be read, the first 50.
    pub(crate) fn unread(&self) -> &[Unread] {
        &self.problems
    }

    /// Returns about how many bytes of memory the view takes.
    pub fn memory_bytes(&self) -> usize {
        self.paths.capacity()
            + self.entries.capacity() * size_of::<Entry>()
            + self.missing.capacity() * size_of::<u32>()
            + self.tracked.memory_bytes()
    }

    fn path(&self, entry: &Entry) -> &[u8] {
        let start = entry.at as usize;
        self.paths
            .get(start..start + entry.len as usize)
            .unwrap_or_default()
    }

    /// Finds a file and its place.
    fn find(&self, path: &[u8]) -> Option<(u32, &Entry)> {
        let at = self
            .entries
            .binary_search_by(|entry| self.path(entry).cmp(path))
            .ok()?;
        Some((u32::try_from(at).ok()?, self.entries.get(at)?))
    }

    /// Returns content hashes of one file in two views, where both have one.
    fn contents(&self, here: u32, other: &Self, there: u32) -> Option<(u64, u64)> {
        Some((self.racy.get(&here)?.hash, other.racy.get(&there)?.hash))
    }
}

/// Makes text of a path as it stands in the index.
fn text(path: &[u8]) -> String {
    files::to_slash(&location::bytes_to_path(path))
}

/// Takes what git would say about tracked paths apart.
#[cfg(any(test, feature = "fuzz"))]
pub(crate) fn fuzz(answer: &[u8]) {
    tracked::fuzz(answer);
}
