//! The object database of a repository: blobs, trees and commits by name, read without a git child.
//!
//! Why: a hook reads a few dozen objects in some milliseconds, about as long as git takes to start. Loose objects and
//! packs with their deltas are read, here and in alternates; what is not there (a partial clone) is told as absent and
//! never fetched. Replacements and grafts are not followed, as git is told by room `host`.
//! Every length comes from the file and is bounded. A blob that is read from the work tree instead is proven by its name:
//! [`blob_name`].
//! Not here: writing objects; histories (git walks them faster). Format: git's `gitformat-pack.adoc`.

mod delta;
mod loose;
mod pack;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use sha1::{Digest as _, Sha1};
use sha2::Sha256;
use tradewind_host::files;

use crate::error::RepoError;
use crate::location::bytes_to_path;
use crate::oid::Oid;

/// Alternates of alternates that are followed, as many as git does.
const MAX_ALTERNATES: usize = 64;

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A commit.
    Commit,
    /// A folder.
    Tree,
    /// Content of a file.
    Blob,
    /// A signed or described tag.
    Tag,
}

/// Why an object cannot be read, though it is there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectError {
    /// The file it lies in cannot be read.
    #[error("object {id} cannot be read")]
    Io {
        /// The object.
        id: Oid,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Its bytes make no object.
    #[error("object {id} is damaged: {what}; `git fsck` says more")]
    Damaged {
        /// The object.
        id: Oid,
        /// What is wrong.
        what: &'static str,
    },
    /// It is longer than asked for.
    #[error("object {id} is {size} bytes long, beyond the bound")]
    TooLong {
        /// The object.
        id: Oid,
        /// Its length.
        size: u64,
    },
}

/// One object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// What it is.
    pub kind: Kind,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// The objects of one repository. Reading needs no lock: threads may share it.
#[derive(Debug)]
pub struct Objects {
    dirs: Vec<PathBuf>,
    is_sha256: bool,
    packs: OnceLock<Vec<pack::Pack>>,
}

impl Objects {
    /// Opens a folder of objects (`objects` in the common git directory) with its alternates; reads no object.
    ///
    /// # Errors
    /// [`RepoError::File`] when a list of alternates cannot be read.
    pub fn open(dir: PathBuf, is_sha256: bool) -> Result<Self, RepoError> {
        let mut dirs = vec![dir];
        let mut at = 0;
        while let Some(dir) = dirs.get(at).cloned() {
            for found in alternates(&dir)? {
                if dirs.len() < MAX_ALTERNATES && !dirs.contains(&found) {
                    dirs.push(found);
                }
            }
            at += 1;
        }
        Ok(Self {
            dirs,
            is_sha256,
            packs: OnceLock::new(),
        })
    }

    /// Says whether names are SHA-256.
    pub fn is_sha256(&self) -> bool {
        self.is_sha256
    }

    /// Returns the folders of objects, the repository's own first.
    pub fn dirs(&self) -> &[PathBuf] {
        &self.dirs
    }

    /// Reads an object of at most `max_bytes`; `None` when the repository does not hold it.
    ///
    /// # Errors
    /// [`ObjectError`].
    pub fn read(&self, id: Oid, max_bytes: u64) -> Result<Option<Object>, ObjectError> {
        for dir in &self.dirs {
            if let Some(object) = loose::read(dir, id, max_bytes)? {
                return Ok(Some(object));
            }
        }
        for pack in self.packs() {
            if let Some(at) = pack.find(id)? {
                return pack.read(id, at, max_bytes).map(Some);
            }
        }
        Ok(None)
    }

    fn packs(&self) -> &[pack::Pack] {
        self.packs.get_or_init(|| {
            let mut packs: Vec<_> = self
                .dirs
                .iter()
                .flat_map(|dir| pack::of(&dir.join("pack"), self.is_sha256))
                .collect();
            // Newest first: what is staged and what HEAD names came last.
            packs.sort_by_key(|pack| std::cmp::Reverse(pack.written()));
            packs
        })
    }
}

fn alternates(dir: &Path) -> Result<Vec<PathBuf>, RepoError> {
    let list = dir.join("info").join("alternates");
    let text = match files::read_bounded(&list, 1024 * 1024) {
        Ok(text) => text,
        Err(error) if error.is_not_found() => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let lines = text.split(|byte| *byte == b'\n');
    let paths = lines.filter(|line| !line.is_empty() && !line.starts_with(b"#"));
    Ok(paths.map(|path| dir.join(bytes_to_path(path))).collect())
}

/// Returns the name that git gives to content.
pub fn blob_name(bytes: &[u8], is_sha256: bool) -> Oid {
    name(Kind::Blob, bytes, is_sha256)
}

/// Returns the name that git gives to an object.
pub(crate) fn name(kind: Kind, bytes: &[u8], is_sha256: bool) -> Oid {
    let word = match kind {
        Kind::Commit => "commit",
        Kind::Tree => "tree",
        Kind::Blob => "blob",
        Kind::Tag => "tag",
    };
    let head = format!("{word} {}\0", bytes.len());
    digest_of(head.as_bytes(), bytes, is_sha256)
}

/// Returns the digest by which a repository names things.
pub(crate) fn digest(bytes: &[u8], is_sha256: bool) -> Oid {
    digest_of(&[], bytes, is_sha256)
}

fn digest_of(head: &[u8], bytes: &[u8], is_sha256: bool) -> Oid {
    if is_sha256 {
        let digest = <Sha256 as sha2::Digest>::new_with_prefix(head);
        let digest = sha2::Digest::chain_update(digest, bytes);
        Oid::from_digest(sha2::Digest::finalize(digest).as_slice())
    } else {
        let digest = Sha1::new_with_prefix(head).chain_update(bytes).finalize();
        Oid::from_digest(digest.as_slice())
    }
}
