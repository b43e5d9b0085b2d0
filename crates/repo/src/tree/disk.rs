//! Reads the files of a work tree, or of a folder that is in no repository.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tradewind_host::git::Git;

use super::index::{Fact, Index};
use super::{
    Contents, File, FileKind, FileState, IgnorePattern, MAX_TEXT_BYTES, Tree, Unread, held,
    patterns,
};
use crate::error::RepoError;
use crate::location::{self, Location};
use crate::oid::Oid;
use crate::stamp::Stamp;
use crate::worktree::{Hidden, Kind, TreeView};

/// Files that are named one by one as too long.
const MAX_TOLD: usize = 20;

/// Reads the work tree of `location`.
pub(super) fn work_tree(git: &Git, location: &Location) -> Result<Tree, RepoError> {
    let index = Index::read(git, location)?;
    let mut listing = Listing::new(&location.top);
    let mut hidden = Hidden::default();
    let view = TreeView::with_hidden(location, &index.tracked, &mut hidden)?;
    listing.tracked(&view, &index);
    listing.hidden(hidden);
    let absent = std::mem::take(&mut listing.absent);
    let ids = absent.iter().filter_map(|file| file.id);
    let blobs = held::read(git, location, ids, &mut listing.unread)?;
    listing.files.extend(absent);
    Ok(listing.finish(view.unread(), blobs))
}

/// Reads a folder that is in no repository: every file that no ignore rule hides counts as tracked.
pub(super) fn folder(top: &Path) -> Result<Tree, RepoError> {
    let git_dir = top.join(".git");
    let location = Location {
        top: top.to_owned(),
        common_dir: git_dir.clone(),
        git_dir,
        is_bare: false,
    };
    let index = Index::default();
    let mut listing = Listing::new(top);
    let mut hidden = Hidden::default();
    let view = TreeView::with_hidden(&location, &index.tracked, &mut hidden)?;
    listing.tracked(&view, &index);
    for file in &mut listing.files {
        if file.state == FileState::Untracked {
            file.state = FileState::Tracked;
        }
    }
    listing.hidden(hidden);
    listing.unread.push(Unread {
        what: "git".to_owned(),
        reason:
            "the folder is in no git repository: each file that no ignore rule hides counts as \
                 tracked, and there is no history"
                .to_owned(),
    });
    Ok(listing.finish(view.unread(), BTreeMap::new()))
}

struct Listing<'a> {
    top: &'a Path,
    files: Vec<File>,
    // Tracked files that are not in the work tree because of a sparse checkout.
    absent: Vec<File>,
    missing: Vec<Box<str>>,
    ignored_by: BTreeMap<Box<str>, Arc<IgnorePattern>>,
    odd: BTreeMap<Box<str>, PathBuf>,
    too_long: usize,
    too_long_untracked: usize,
    unread: Vec<Unread>,
}

impl<'a> Listing<'a> {
    fn new(top: &'a Path) -> Self {
        Self {
            top,
            files: Vec::new(),
            absent: Vec::new(),
            missing: Vec::new(),
            ignored_by: BTreeMap::new(),
            odd: BTreeMap::new(),
            too_long: 0,
            too_long_untracked: 0,
            unread: Vec::new(),
        }
    }

    /// Makes text of a path and remembers its bytes where they are no UTF-8.
    fn name(&mut self, path: &[u8]) -> Box<str> {
        let text = match std::str::from_utf8(path) {
            Ok(text) => return text.into(),
            Err(_) => Box::<str>::from(String::from_utf8_lossy(path)),
        };
        self.odd.insert(text.clone(), location::bytes_to_path(path));
        text
    }

    fn unread(&mut self, what: &str, reason: String) {
        self.unread.push(Unread {
            what: what.to_owned(),
            reason,
        });
    }

    fn tracked(&mut self, view: &TreeView, index: &Index) {
        let mut is_seen = vec![false; index.facts.len()];
        for (path, is_tracked, stamp) in view.stamps() {
            let fact = is_tracked
                .then(|| index.tracked.find(path))
                .flatten()
                .and_then(|at| {
                    *is_seen.get_mut(at)? = true;
                    index.facts.get(at)
                });
            self.file(path, &stamp, fact.map(|fact| (fact, index)));
        }
        for at in view.missing_places() {
            if let Some(seen) = is_seen.get_mut(at as usize) {
                *seen = true;
            }
            let name = self.name(index.tracked.path(at));
            self.missing.push(name);
        }
        for (at, fact) in index
            .facts
            .iter()
            .enumerate()
            .filter(|(at, _)| !is_seen[*at])
        {
            let Ok(at) = u32::try_from(at) else { break };
            self.unseen(index, at, fact);
        }
    }

    /// Takes a tracked path that the walk did not meet: a submodule, a file outside a sparse checkout, a
    /// file in a folder that was too large or too deep to be listed.
    fn unseen(&mut self, index: &Index, at: u32, fact: &Fact) {
        let path = index.tracked.path(at);
        let stamp = (index.tracked.kind(at) == Kind::File)
            .then(|| Stamp::of(&self.top.join(location::bytes_to_path(path))))
            .and_then(|stamp| stamp.ok().flatten());
        if let Some(stamp) = stamp {
            return self.file(path, &stamp, Some((fact, index)));
        }
        let file = File {
            path: self.name(path),
            id: fact.id,
            size: 0,
            kind: fact.kind,
            state: FileState::Tracked,
        };
        if fact.kind == FileKind::Submodule {
            self.files.push(file);
        } else {
            self.absent.push(file);
        }
    }

    fn file(&mut self, path: &[u8], stamp: &Stamp, fact: Option<(&Fact, &Index)>) {
        let name = self.name(path);
        let Some(kind) = kind(stamp) else {
            if fact.is_some() {
                self.unread(&name, "is no file, folder or link".to_owned());
            }
            return;
        };
        if stamp.size > MAX_TEXT_BYTES && kind != FileKind::Link && fact.is_none() {
            self.too_long_untracked += 1;
        } else if stamp.size > MAX_TEXT_BYTES && kind != FileKind::Link {
            self.too_long += 1;
            if self.too_long <= MAX_TOLD {
                let mib = stamp.size / (1024 * 1024);
                self.unread(&name, format!("{mib} MiB, files beyond 2 MiB are not read"));
            }
        }
        if is_perhaps_closed(stamp)
            && kind != FileKind::Link
            && let Err(error) = fs::File::open(self.top.join(location::bytes_to_path(path)))
        {
            self.unread(&name, format!("cannot be read: {error}"));
        }
        self.files.push(File {
            path: name,
            id: fact.and_then(|(fact, index)| index.id_if_unchanged(fact, stamp)),
            size: stamp.size,
            kind,
            state: if fact.is_some() {
                FileState::Tracked
            } else {
                FileState::Untracked
            },
        });
    }

    fn hidden(&mut self, hidden: Hidden) {
        let patterns = patterns::locate(self.top, &hidden.patterns);
        for (path, at) in &hidden.tracked {
            if let Some(pattern) = patterns.get(*at as usize) {
                let name = self.name(path);
                self.ignored_by.insert(name, Arc::clone(pattern));
            }
        }
        for file in hidden.files {
            let Some(pattern) = patterns.get(file.pattern as usize) else {
                continue;
            };
            let kind = match (file.is_folder, file.is_link) {
                (true, _) => FileKind::Folder,
                (_, true) => FileKind::Link,
                _ => FileKind::Regular,
            };
            let path = self.name(&file.path);
            self.files.push(File {
                path,
                id: None,
                size: file.size,
                kind,
                state: FileState::Ignored(Arc::clone(pattern)),
            });
        }
        for path in hidden.nested {
            let path = self.name(&path);
            self.files.push(File {
                path,
                id: None,
                size: 0,
                kind: FileKind::Submodule,
                state: FileState::Untracked,
            });
        }
        if hidden.dropped > 0 {
            let reason = format!("{} more are not listed", hidden.dropped);
            self.unread("ignored files", reason);
        }
    }

    fn finish(mut self, problems: &[Unread], blobs: BTreeMap<Oid, Arc<[u8]>>) -> Tree {
        if self.too_long > MAX_TOLD {
            let more = self.too_long - MAX_TOLD;
            self.unread(
                "files",
                format!("{more} more are beyond 2 MiB and not read"),
            );
        }
        if self.too_long_untracked > 0 {
            let count = self.too_long_untracked;
            self.unread(
                "files that git does not track",
                format!("{count} are beyond 2 MiB and not read"),
            );
        }
        self.unread.extend(problems.iter().cloned());
        self.files.sort_by(|a, b| a.path.cmp(&b.path));
        // Two names that differ only in bytes that are no UTF-8 look the same.
        self.files.dedup_by(|a, b| a.path == b.path);
        Tree {
            files: self.files,
            missing: self.missing,
            ignored_by: self.ignored_by,
            contents: Contents::Disk {
                root: self.top.to_owned(),
                odd: self.odd,
                blobs,
            },
            unread: self.unread,
        }
    }
}

#[cfg(unix)]
fn kind(stamp: &Stamp) -> Option<FileKind> {
    match stamp.mode & 0o170_000 {
        0o100_000 if stamp.mode & 0o100 != 0 => Some(FileKind::Executable),
        0o100_000 => Some(FileKind::Regular),
        0o120_000 => Some(FileKind::Link),
        _ => None,
    }
}

#[cfg(not(unix))]
#[expect(
    clippy::unnecessary_wraps,
    reason = "the other system has files that are none"
)]
fn kind(_stamp: &Stamp) -> Option<FileKind> {
    Some(FileKind::Regular)
}

/// Says whether somebody may not read the file; most files can be read by everybody and are not tried.
#[cfg(unix)]
fn is_perhaps_closed(stamp: &Stamp) -> bool {
    stamp.mode & 0o004 == 0
}

#[cfg(not(unix))]
fn is_perhaps_closed(_stamp: &Stamp) -> bool {
    false
}
