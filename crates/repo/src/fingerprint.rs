//! A cheap answer to "did anything move in this repository?".
//!
//! A few stat calls on what git must touch whenever a ref, HEAD or the index changes: no child
//! process, some ten microseconds. Folders below `refs/` stand for the refs in them, because git
//! replaces a ref's file by rename. A write within the file system's clock tick would leave no trace,
//! so a fingerprint that was taken too soon after a change equals no other.
//! Not here: what moved ([`crate::refs`]); file contents of the work tree ([`crate::worktree`]).

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::location::Location;
use crate::stamp::{self, Stamp};

/// Folders within folders below `refs/` that are followed.
const MAX_DEPTH: usize = 32;

/// What the repository's own files looked like at one moment.
#[derive(Clone, Debug)]
pub struct Fingerprint {
    index: Option<Stamp>,
    files: Vec<Option<Stamp>>,
    folders: Vec<(PathBuf, Option<Stamp>)>,
    is_racy: bool,
}

impl Fingerprint {
    /// Takes a fingerprint. With the previous one at hand, folders are not listed again.
    pub fn take(location: &Location, previous: Option<&Self>, now: Timestamp) -> Self {
        let index = stamp(&location.index());
        let mut files: Vec<_> = [
            location.git_dir.join("HEAD"),
            location.git_dir.join("logs").join("HEAD"),
            location.common_dir.join("packed-refs"),
            location.common_dir.join("reftable").join("tables.list"),
        ]
        .iter()
        .map(|path| stamp(path))
        .collect();
        let known = previous.map(|previous| {
            let paths = previous.folders.iter().map(|(path, _)| path.clone());
            paths
                .map(|path| (stamp(&path), path))
                .map(|(stamp, path)| (path, stamp))
                .collect()
        });
        let folders = match (known, previous) {
            (Some(known), Some(previous)) if known == previous.folders => known,
            _ => list_folders(location),
        };
        for (folder, _) in &folders {
            // The logs of other work trees grow in place.
            if folder
                .parent()
                .is_some_and(|parent| parent.ends_with("worktrees"))
            {
                files.push(stamp(&folder.join("logs").join("HEAD")));
                files.push(stamp(&folder.join("HEAD")));
            }
        }
        let now_ns = stamp::nanoseconds(now);
        let stamps = files
            .iter()
            .chain([&index])
            .chain(folders.iter().map(|(_, stamp)| stamp));
        let is_racy = stamps.flatten().any(|stamp| stamp.is_racy(now_ns));
        Self {
            index,
            files,
            folders,
            is_racy,
        }
    }

    /// Says whether refs, HEAD and index have certainly not moved between this look and a `later` one.
    pub fn is_same(&self, later: &Self) -> bool {
        self.has_same_refs(later) && self.index == later.index
    }

    /// Says whether refs and HEAD have certainly not moved between this look and a `later` one.
    pub fn has_same_refs(&self, later: &Self) -> bool {
        !self.is_racy && self.files == later.files && self.folders == later.folders
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    // What cannot be looked at is as good as absent; reading the refs will say why.
    Stamp::of(path).ok().flatten()
}

fn list_folders(location: &Location) -> Vec<(PathBuf, Option<Stamp>)> {
    let refs = location.common_dir.join("refs");
    let worktrees = location.common_dir.join("worktrees");
    let mut open = vec![(refs.join("heads"), 0), (refs.join("tags"), 0)];
    let mut folders = vec![
        (location.common_dir.join("reftable"), None),
        (worktrees.clone(), None),
    ];
    if let Ok(entries) = fs::read_dir(worktrees) {
        folders.extend(entries.flatten().map(|entry| (entry.path(), None)));
    }
    while let Some((folder, depth)) = open.pop() {
        if depth < MAX_DEPTH
            && let Ok(entries) = fs::read_dir(&folder)
        {
            let dirs = entries
                .flatten()
                .filter(|e| e.file_type().is_ok_and(|kind| kind.is_dir()));
            open.extend(dirs.map(|entry| (entry.path(), depth + 1)));
        }
        folders.push((folder, None));
    }
    for (folder, found) in &mut folders {
        *found = stamp(folder);
    }
    folders
}
