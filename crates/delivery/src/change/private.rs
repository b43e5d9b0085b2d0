//! A private index, and where plumbing of git writes objects to while a plan is made.
//!
//! Why git and not our own reader: what a file of the work tree becomes in a commit is decided by attributes, filters, line
//! ends and modes, and only git's answer is the one that the commit will have. The user's own index is copied, never opened
//! for writing. Not here: what to put in.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tradewind_host::git::Git;
use tradewind_repo::checkout::Checkout;
use tradewind_repo::odb::{Kind, Objects};
use tradewind_repo::{Oid, trees};

use super::ChangeError;

/// Contents longer than this are not read; their length is judged by the guard.
pub(super) const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// Where new objects go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// Into a folder that is gone with the plan.
    Private,
    /// Into the repository, for commits that are about to be made.
    Repository,
}

/// A private folder with an index of its own.
#[derive(Debug)]
pub(super) struct Private {
    git: Git,
    top: PathBuf,
    folder: TempDir,
    store: Store,
    real_objects: PathBuf,
    pub(super) is_sha256: bool,
}

impl Private {
    pub(super) fn new(git: Git, checkout: &Checkout, store: Store) -> Result<Self, ChangeError> {
        let folder = tempfile::Builder::new()
            .prefix("tradewind-change-")
            .tempdir()
            .map_err(ChangeError::io("make a folder in", std::env::temp_dir()))?;
        let this = Self {
            git,
            top: checkout.location.top.clone(),
            real_objects: checkout.location.common_dir.join("objects"),
            folder,
            store,
            is_sha256: checkout.is_sha256,
        };
        if store == Store::Private {
            let info = this.objects_dir().join("info");
            fs::create_dir_all(&info).map_err(ChangeError::io("make", &info))?;
            let list = info.join("alternates");
            let real = this.real_objects.clone().into_os_string();
            let mut line = real.into_encoded_bytes();
            line.push(b'\n');
            fs::write(&list, line).map_err(ChangeError::io("write", &list))?;
        }
        let index = &checkout.index;
        match fs::copy(index, this.index()) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(ChangeError::io("copy", index)(error)),
        }
        Ok(this)
    }

    fn index(&self) -> PathBuf {
        self.folder.path().join("index")
    }

    fn objects_dir(&self) -> PathBuf {
        match self.store {
            Store::Private => self.folder.path().join("objects"),
            Store::Repository => self.real_objects.clone(),
        }
    }

    /// Opens all objects, also those that were made here; anew, because packs are remembered by who opened them.
    pub(super) fn objects(&self) -> Result<Objects, ChangeError> {
        Ok(Objects::open(self.objects_dir(), self.is_sha256)?)
    }

    /// Runs a command of git with the private index.
    pub(super) fn run(&self, args: &[&str], stdin: Vec<u8>) -> Result<Vec<u8>, ChangeError> {
        let index = text(&self.index())?;
        let objects = text(&self.objects_dir())?;
        let mut env = vec![("GIT_INDEX_FILE", index.as_str())];
        if self.store == Store::Private {
            env.push(("GIT_OBJECT_DIRECTORY", objects.as_str()));
        }
        Ok(self.git.porcelain(&self.top, args, stdin, &env)?)
    }

    /// Writes the private index as a tree.
    pub(super) fn write_tree(&self) -> Result<Oid, ChangeError> {
        let answer = self.run(&["write-tree", "--missing-ok"], Vec::new())?;
        oid("write-tree", &answer)
    }

    /// Makes the private index the one of a tree, without files.
    pub(super) fn read_tree(&self, tree: Oid) -> Result<(), ChangeError> {
        let tree = tree.to_string();
        self.run(&["read-tree", "--reset", &tree], Vec::new())?;
        Ok(())
    }

    /// Writes a content; no filter sees it, because it was made of what git holds.
    pub(super) fn write_blob(&self, bytes: Vec<u8>) -> Result<Oid, ChangeError> {
        let answer = self.run(&["hash-object", "-w", "--stdin"], bytes)?;
        oid("hash-object", &answer)
    }

    /// Returns the tree of the commit that is checked out, the empty one before the first.
    pub(super) fn base(&self, checkout: &Checkout) -> Result<Oid, ChangeError> {
        match checkout.commit {
            Some(commit) => Ok(trees::commit(&self.objects()?, commit)?.0),
            None => oid("mktree", &self.run(&["mktree"], Vec::new())?),
        }
    }
}

/// Reads a content of a bounded length; `None` where it is longer.
pub(super) fn read(objects: &Objects, id: Oid) -> Result<Option<Vec<u8>>, ChangeError> {
    match objects.read(id, MAX_BYTES) {
        Ok(Some(object)) if object.kind == Kind::Blob => Ok(Some(object.bytes)),
        Ok(_) => Err(ChangeError::Missing { id }),
        Err(tradewind_repo::odb::ObjectError::TooLong { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn text(path: &Path) -> Result<String, ChangeError> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        let error = std::io::Error::other("its path is no text; set TMPDIR to another folder");
        ChangeError::io("use", path)(error)
    })
}

pub(super) fn oid(command: &'static str, answer: &[u8]) -> Result<Oid, ChangeError> {
    Oid::from_hex(answer.trim_ascii()).map_err(|_no_id| {
        let text = String::from_utf8_lossy(answer).chars().take(200).collect();
        ChangeError::Answer { command, text }
    })
}
