//! What one action changed: every file, the index and the references, before and after.
//!
//! An operation is captured before the action and sealed after it. Captured, it knows the state
//! before of everything that the action may change; sealed, it knows only what really changed.
//! Not here: putting things back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use tradewind_core::{RepositoryId, Seq};
use tradewind_host::files::{self, FileKind};
use tradewind_host::git::Git;

use super::UndoError;
use super::blobs::{Blobs, io};
use super::git::{self, IndexImage};
use super::image::{self, Image};
use crate::action::Writes;

/// Upper bound on files that one operation holds, and on entries looked at to find them.
const MAX_FILES: usize = 20_000;
const MAX_ENTRIES: usize = 400_000;
/// Upper bound on the bytes that one operation keeps.
const MAX_OPERATION_BYTES: u64 = 1024 * 1024 * 1024;

/// What is to be saved before an action.
#[derive(Clone, Debug)]
pub struct Capture {
    /// The repository.
    pub repository: RepositoryId,
    /// Where it is.
    pub path: PathBuf,
    /// The request that is about to act.
    pub request: Seq,
    /// What it may change.
    pub writes: Writes,
}

/// What one action changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Its id.
    pub id: String,
    /// The repository.
    pub repository: RepositoryId,
    /// Where it was.
    pub path: PathBuf,
    /// The request that acted.
    pub request: Seq,
    /// When it was captured.
    pub created_at: Timestamp,
    /// Paths and globs that the action said it may change.
    pub patterns: Vec<String>,
    /// Files, by path in the repository.
    pub files: BTreeMap<String, Change<Image>>,
    /// Folders that were there only before, and those that were there only after.
    pub folders: Change<BTreeSet<String>>,
    /// The index; `None` when the action may not change it.
    pub index: Option<Change<IndexImage>>,
    /// References and where they point: an object id, or `ref: NAME`. Absent is `None`.
    pub references: BTreeMap<String, Change<Option<String>>>,
    /// Whether references may change.
    pub has_references: bool,
    /// Where the content came from, when this is a restored file.
    #[serde(default)]
    pub origin: Option<String>,
}

/// The state before and the state after.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change<T> {
    /// Before the action.
    pub before: T,
    /// After the action.
    pub after: T,
}

impl Operation {
    /// Saves the state before.
    pub(super) fn capture(
        id: String,
        created_at: Timestamp,
        capture: Capture,
        blobs: &Blobs,
        git: Option<&Git>,
    ) -> Result<Self, UndoError> {
        let Capture {
            repository,
            path,
            request,
            writes,
        } = capture;
        let found = find(&path, &writes.paths)?;
        let mut files = BTreeMap::new();
        let mut kept_bytes = 0;
        for name in found.files {
            let before = image::keep(blobs, &path, &name)?;
            kept_bytes += before.size_bytes();
            if kept_bytes > MAX_OPERATION_BYTES {
                return Err(UndoError::TooMuch {
                    what: "bytes",
                    most: MAX_OPERATION_BYTES,
                });
            }
            files.insert(
                name,
                Change {
                    before,
                    after: Image::Absent,
                },
            );
        }
        let need_git = || git.ok_or(UndoError::NoGit);
        let index = if writes.index {
            let before = git::read_index(need_git()?, &path, blobs, true)?;
            Some(Change {
                before,
                after: IndexImage::default(),
            })
        } else {
            None
        };
        let references = if writes.references {
            git::read_references(need_git()?, &path)?
                .into_iter()
                .map(|(name, to)| {
                    (
                        name,
                        Change {
                            before: Some(to),
                            after: None,
                        },
                    )
                })
                .collect()
        } else {
            BTreeMap::new()
        };
        Ok(Self {
            id,
            repository,
            path,
            request,
            created_at,
            patterns: writes.paths,
            files,
            folders: Change {
                before: found.folders,
                after: BTreeSet::new(),
            },
            index,
            references,
            has_references: writes.references,
            origin: None,
        })
    }

    /// Saves the state after, and forgets what did not change.
    pub(super) fn seal(&mut self, blobs: &Blobs, git: Option<&Git>) -> Result<(), UndoError> {
        let found = find(&self.path, &self.patterns)?;
        let stayed: BTreeSet<_> = self
            .folders
            .before
            .intersection(&found.folders)
            .cloned()
            .collect();
        self.folders
            .before
            .retain(|folder| !stayed.contains(folder));
        self.folders.after = found.folders.difference(&stayed).cloned().collect();
        for name in found.files {
            self.files.entry(name).or_default();
        }
        for (name, change) in &mut self.files {
            change.after = image::keep(blobs, &self.path, name)?;
        }
        self.files.retain(|_, change| change.before != change.after);
        if let Some(index) = &mut self.index {
            let git = git.ok_or(UndoError::NoGit)?;
            index.after = git::read_index(git, &self.path, blobs, true)?;
        }
        if self
            .index
            .as_ref()
            .is_some_and(|index| index.before.stage == index.after.stage)
        {
            self.index = None;
        }
        if self.has_references {
            let git = git.ok_or(UndoError::NoGit)?;
            for (name, to) in git::read_references(git, &self.path)? {
                self.references.entry(name).or_default().after = Some(to);
            }
            self.references
                .retain(|_, change| change.before != change.after);
        }
        Ok(())
    }

    /// Returns whether nothing was changed.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
            && self.folders == Change::default()
            && self.index.is_none()
            && self.references.is_empty()
    }

    /// Returns the names of every content that it needs.
    pub(super) fn contents(&self) -> impl Iterator<Item = &str> {
        let files = self
            .files
            .values()
            .flat_map(|change| [change.before.content(), change.after.content()]);
        let index = self.index.iter().flat_map(|change| {
            [
                change.before.content.as_deref(),
                change.after.content.as_deref(),
            ]
        });
        files.chain(index).flatten()
    }

    /// Returns how many bytes its contents have, counted as if it shared none.
    pub(super) fn size_bytes(&self) -> u64 {
        self.files
            .values()
            .map(|change| change.before.size_bytes() + change.after.size_bytes())
            .sum()
    }
}

#[derive(Default)]
struct Found {
    files: Vec<String>,
    folders: BTreeSet<String>,
}

/// Finds the files that paths and globs stand for; a folder stands for everything below it.
///
/// git's ignore rules have no say: what a build writes is ignored, and must come back all the same.
fn find(top: &Path, patterns: &[String]) -> Result<Found, UndoError> {
    let mut found = Found::default();
    if patterns.is_empty() {
        return Ok(found);
    }
    let (set, bases) = compile(patterns)?;
    let mut seen = 0_usize;
    let mut open: Vec<String> = Vec::new();
    let mut visited = BTreeSet::new();
    for base in bases {
        if image::is_behind_link(top, &base)? {
            continue;
        }
        for (end, _) in base.match_indices('/') {
            let folder = &base[..end];
            if files::file_kind(&top.join(files::from_slash(folder)))? == FileKind::Dir {
                found.folders.insert(folder.to_owned());
            }
        }
        let path = top.join(files::from_slash(&base));
        match files::file_kind(&path)? {
            FileKind::Dir => open.push(base),
            FileKind::Missing => {}
            FileKind::File | FileKind::Symlink | FileKind::Other => found.files.push(base),
        }
    }
    while let Some(folder) = open.pop() {
        if !visited.insert(folder.clone()) {
            continue;
        }
        if !folder.is_empty() {
            found.folders.insert(folder.clone());
        }
        let path = top.join(files::from_slash(&folder));
        for entry in std::fs::read_dir(&path).map_err(io("read folder", &path))? {
            let entry = entry.map_err(io("read folder", &path))?;
            seen += 1;
            if seen > MAX_ENTRIES || found.files.len() > MAX_FILES {
                return Err(UndoError::TooMuch {
                    what: "files",
                    most: MAX_FILES as u64,
                });
            }
            if entry.file_name() == ".git" {
                continue;
            }
            let name = files::to_slash(Path::new(&entry.file_name()));
            let name = if folder.is_empty() {
                name
            } else {
                format!("{folder}/{name}")
            };
            let kind = entry.file_type().map_err(io("look at", &entry.path()))?;
            if kind.is_dir() {
                open.push(name);
            } else if (kind.is_file() || kind.is_symlink()) && set.is_match(&name) {
                found.files.push(name);
            }
        }
    }
    found.files.sort_unstable();
    found.files.dedup();
    Ok(found)
}

/// Compiles patterns; also returns the folders or files where each of them begins.
fn compile(patterns: &[String]) -> Result<(GlobSet, BTreeSet<String>), UndoError> {
    let mut set = GlobSetBuilder::new();
    let mut bases = BTreeSet::new();
    for pattern in patterns {
        let pattern = pattern.trim_start_matches("./").trim_end_matches('/');
        for glob in [pattern.to_owned(), format!("{pattern}/**")] {
            let glob = GlobBuilder::new(&glob).literal_separator(true).build();
            set.add(glob.map_err(|source| UndoError::Pattern { source })?);
        }
        let literal: Vec<&str> = pattern
            .split('/')
            .take_while(|part| !part.contains(['*', '?', '[', '{', '\\']))
            .collect();
        bases.insert(literal.join("/"));
    }
    let set = set
        .build()
        .map_err(|source| UndoError::Pattern { source })?;
    Ok((set, bases))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_globs_and_folders_find_their_files() {
        let dir = tempfile::tempdir().unwrap();
        for path in [
            "a.txt",
            "src/x.py",
            "src/deep/y.py",
            "src/z.txt",
            ".git/config",
            "build/o",
        ] {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        let names = |patterns: &[&str]| {
            let patterns: Vec<_> = patterns.iter().map(|p| (*p).to_owned()).collect();
            find(dir.path(), &patterns).unwrap().files
        };
        assert_eq!(names(&["src/*.py"]), ["src/x.py"]);
        assert_eq!(names(&["src/**/*.py"]), ["src/deep/y.py", "src/x.py"]);
        assert_eq!(names(&["build/", "a.txt"]), ["a.txt", "build/o"]);
        assert_eq!(names(&["missing", "none/*"]), Vec::<String>::new());
        assert_eq!(names(&["**"]).len(), 5);
    }
}
