//! The paths that git tracks, compactly.

use std::ops::ControlFlow;
use std::sync::Arc;

use jiff::Timestamp;
use tradewind_host::git::Git;

use crate::error::RepoError;
use crate::location::Location;
use crate::stamp::{self, Stamp};

/// Tracked paths of one index.
#[derive(Debug, Default)]
pub(crate) struct Tracked {
    // Invariant: sorted by path, byte by byte, without doubles; each path's bytes lie in `paths`.
    paths: Vec<u8>,
    entries: Vec<Entry>,
    expected: u64,
    index: Option<Stamp>,
    is_racy: bool,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    at: u32,
    len: u32,
    kind: Kind,
}

/// What git expects at a tracked path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A file or a link.
    File,
    /// Nothing: it lies outside the sparse checkout. A file may be there nevertheless.
    Skipped,
    /// The folder of another repository.
    Submodule,
}

impl Tracked {
    /// Asks git, unless the index is what it was.
    pub(super) fn read(
        git: &Git,
        location: &Location,
        known: Option<Arc<Self>>,
        now: Timestamp,
    ) -> Result<Arc<Self>, RepoError> {
        if location.is_bare {
            return Ok(Arc::new(Self::default()));
        }
        let path = location.index();
        let index = Stamp::of(&path).map_err(RepoError::read(&path))?;
        if let Some(known) = known
            && known.index == index
            && !known.is_racy
        {
            return Ok(known);
        }
        let is_racy = index.is_some_and(|index| index.is_racy(stamp::nanoseconds(now)));
        let mut tracked = Self {
            index,
            is_racy,
            ..Self::default()
        };
        if index.is_some() {
            // Reads the index only: no work-tree file is opened, no filter runs.
            let args = ["ls-files", "-z", "-s", "-t"];
            git.records(&location.top, &args, Vec::new(), 0, |record| {
                tracked.push(record);
                ControlFlow::Continue(())
            })?;
        }
        tracked.paths.shrink_to_fit();
        tracked.entries.shrink_to_fit();
        Ok(Arc::new(tracked))
    }

    /// Takes `<tag> <mode> <oid> <stage>\t<path>`.
    pub(crate) fn push(&mut self, record: &[u8]) {
        let Some(tab) = record.iter().position(|byte| *byte == b'\t') else {
            return;
        };
        let (facts, path) = record.split_at(tab);
        let path = path.get(1..).unwrap_or_default();
        // The stages of a conflict follow each other.
        if self
            .entries
            .last()
            .is_some_and(|last| self.slice(last) == path)
        {
            return;
        }
        let mut words = facts.split(|byte| *byte == b' ');
        let kind = match (words.next(), words.next()) {
            (_, Some(b"160000")) => Kind::Submodule,
            (Some(b"S"), _) => Kind::Skipped,
            _ => Kind::File,
        };
        // 4 GiB of path text is more than any index can name.
        let (Ok(at), Ok(len)) = (u32::try_from(self.paths.len()), u32::try_from(path.len())) else {
            return;
        };
        self.paths.extend_from_slice(path);
        self.entries.push(Entry { at, len, kind });
        self.expected += u64::from(kind == Kind::File);
    }

    fn slice(&self, entry: &Entry) -> &[u8] {
        let start = entry.at as usize;
        self.paths
            .get(start..start + entry.len as usize)
            .unwrap_or_default()
    }

    /// Returns how many paths there are, of every kind.
    pub(crate) fn len(&self) -> u32 {
        u32::try_from(self.entries.len()).unwrap_or(u32::MAX)
    }

    /// Returns how many files git expects in the work tree.
    pub(super) fn expected(&self) -> u64 {
        self.expected
    }

    pub(crate) fn path(&self, at: u32) -> &[u8] {
        self.entries
            .get(at as usize)
            .map_or(&[], |entry| self.slice(entry))
    }

    pub(crate) fn kind(&self, at: u32) -> Kind {
        self.entries
            .get(at as usize)
            .map_or(Kind::Skipped, |entry| entry.kind)
    }

    /// Returns how many files git expects below a folder, named with its `/`.
    pub(super) fn expected_in(&self, folder: &[u8]) -> u64 {
        let start = self
            .entries
            .partition_point(|entry| self.slice(entry) < folder);
        let below = self.entries.iter().skip(start);
        let below = below.take_while(|entry| self.slice(entry).starts_with(folder));
        below.filter(|entry| entry.kind == Kind::File).count() as u64
    }

    /// Finds the place of a path.
    pub(crate) fn find(&self, path: &[u8]) -> Option<usize> {
        self.entries
            .binary_search_by(|entry| self.slice(entry).cmp(path))
            .ok()
    }

    /// Says whether git tracks a path; with a `/` at its end, anything below that folder.
    pub(super) fn holds(&self, name: &[u8]) -> bool {
        let at = self
            .entries
            .partition_point(|entry| self.slice(entry) < name);
        let found = self.entries.get(at).map(|entry| self.slice(entry));
        let is_folder = name.ends_with(b"/");
        found.is_some_and(|path| path == name || (is_folder && path.starts_with(name)))
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.paths.capacity() + self.entries.capacity() * size_of::<Entry>()
    }
}

/// Takes records of `git ls-files` apart.
#[cfg(any(test, feature = "fuzz"))]
pub(super) fn fuzz(answer: &[u8]) {
    let mut tracked = Tracked::default();
    for record in answer.split(|byte| *byte == 0) {
        tracked.push(record);
    }
    for at in 0..tracked.len() {
        let path = tracked.path(at).to_vec();
        let _ = (tracked.find(&path), tracked.holds(&path), tracked.kind(at));
    }
    assert!(tracked.expected_in(b"") <= tracked.expected());
}
