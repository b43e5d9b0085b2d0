//! The tree that is checked: of a commit, of the index, or of the work tree as it lies there.
//!
//! Why the work tree is a tree too: a check never runs in the folder where the user is typing. What differs there from the
//! index is read once and laid over it; nothing is written into the repository for that.
//! Not here: the copy ([`crate::hook::snapshot`]).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use tradewind_repo::Oid;
use tradewind_repo::index::Index;
use tradewind_repo::{odb, trees};

use super::CheckError;
use crate::hook::HookError;
use crate::hook::situation::{MAX_BYTES, Situation, bits, to_path};
use crate::staged::Mode;

/// Untracked files longer than this are left out.
const MAX_UNTRACKED_BYTES: u64 = 64 * 1024 * 1024;

/// Which tree is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// That of a commit.
    Commit(Oid),
    /// This one.
    Tree(Oid),
    /// What is staged.
    Staged,
    /// What lies in the work tree: tracked files as they are, and those that are neither tracked nor ignored.
    Worktree,
}

/// Returns the commit where nothing differs from it, else the work tree.
pub(super) fn usual(dir: &Path) -> Result<What, CheckError> {
    let here = Subject::look(dir, What::Worktree)?;
    let Some(commit) = here.situation.checkout.commit else {
        return Ok(What::Worktree);
    };
    let there = Subject::look(dir, What::Commit(commit))?;
    let is_clean = here.files().eq(there.files());
    Ok(if is_clean {
        What::Commit(commit)
    } else {
        What::Worktree
    })
}

/// The tree that is checked.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) situation: Situation,
    /// Contents that are in no object.
    pub(super) over: BTreeMap<Box<[u8]>, Vec<u8>>,
    pub(super) commit: Option<Oid>,
    pub(super) remarks: Vec<String>,
}

impl Subject {
    /// Looks at a tree.
    pub(super) fn look(dir: &Path, what: What) -> Result<Self, CheckError> {
        let mut this = Self {
            situation: Situation::open(dir)?,
            over: BTreeMap::new(),
            commit: None,
            remarks: Vec::new(),
        };
        match what {
            What::Commit(commit) => {
                let (tree, _) =
                    trees::commit(&this.situation.objects, commit).map_err(HookError::from)?;
                this.situation.take_tree(tree, Some(commit))?;
                this.commit = Some(commit);
            }
            What::Tree(tree) => this.situation.take_tree(tree, None)?,
            What::Staged => this.situation.take_staged()?,
            What::Worktree => {
                this.situation.take_staged()?;
                this.lay_over()?;
            }
        }
        Ok(this)
    }

    /// Returns every file: path, mode and name of its content, sorted by path.
    pub(super) fn files(&self) -> impl Iterator<Item = (&[u8], u32, Oid)> {
        let index = &self.situation.index;
        let entries = index.entries().iter();
        entries
            .filter(|entry| entry.stage == 0 && !entry.is_intent_to_add)
            .map(|entry| (index.path(entry), entry.mode, entry.id))
    }

    /// Returns a name of all files: same name, same files.
    pub(super) fn digest(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for (path, mode, id) in self.files() {
            hasher.update(path);
            hasher.update(&[0]);
            hasher.update(&mode.to_le_bytes());
            hasher.update(id.as_slice());
        }
        hasher.finalize().to_hex().to_string()
    }

    /// Replaces what is staged by what lies in the work tree.
    fn lay_over(&mut self) -> Result<(), CheckError> {
        let git = self.situation.git()?;
        let args = ["ls-files", "-z", "-m", "-d", "-o", "--exclude-standard"];
        let top = self.situation.location().top.clone();
        let listed = git.run_blocking(&top, &args).map_err(HookError::from)?;
        let mut files: BTreeMap<Box<[u8]>, (u32, Oid)> = self
            .files()
            .map(|(path, mode, id)| (path.into(), (mode, id)))
            .collect();
        let is_sha256 = self.situation.objects.is_sha256();
        for path in listed
            .split(|byte| *byte == 0)
            .filter(|path| !path.is_empty())
        {
            if path.ends_with(b"/") {
                // Another repository lies there.
                continue;
            }
            let here = self.situation.on_disk(path);
            let is_tracked = files.contains_key(path);
            let Ok(meta) = fs::symlink_metadata(&here) else {
                files.remove(path);
                continue;
            };
            let limit = if is_tracked {
                MAX_BYTES
            } else {
                MAX_UNTRACKED_BYTES
            };
            if meta.is_file() && meta.len() > limit {
                self.remarks.push(format!(
                    "{} is left out: it has {} bytes",
                    String::from_utf8_lossy(path),
                    meta.len()
                ));
                files.remove(path);
                continue;
            }
            let (mode, bytes) = if meta.is_symlink() {
                let leads = fs::read_link(&here).map_err(CheckError::io("read", &here))?;
                (Mode::Link, leads.into_os_string().into_encoded_bytes())
            } else if meta.is_file() {
                let was = files.get(path).map(|(mode, _)| *mode);
                let bytes = fs::read(&here).map_err(CheckError::io("read", &here))?;
                (mode_of(&meta, was), bytes)
            } else {
                continue;
            };
            let id = odb::blob_name(&bytes, is_sha256);
            files.insert(path.into(), (bits(mode), id));
            self.over.insert(path.into(), bytes);
        }
        let entries: Vec<_> = files
            .iter()
            .map(|(path, (mode, id))| (path.as_ref(), *mode, *id))
            .collect();
        let index = Index::write(entries.into_iter(), is_sha256);
        self.situation.index = Index::parse(&index, is_sha256).map_err(|error| {
            let source = std::io::Error::other(error);
            CheckError::io("list the files below", to_path(b"."))(source)
        })?;
        Ok(())
    }
}

#[cfg(unix)]
fn mode_of(meta: &fs::Metadata, _: Option<u32>) -> Mode {
    use std::os::unix::fs::PermissionsExt as _;
    if meta.permissions().mode() & 0o100 == 0 {
        Mode::Regular
    } else {
        Mode::Executable
    }
}

/// There, whether a file may be started is what git remembers of it.
#[cfg(not(unix))]
fn mode_of(_: &fs::Metadata, was: Option<u32>) -> Mode {
    was.map_or(Mode::Regular, crate::hook::situation::mode)
}
