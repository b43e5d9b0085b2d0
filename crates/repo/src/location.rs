//! Where a repository lies, and who it is.
//!
//! A folder moves, an id stays: 16 random bytes in `tradewind-id` in the common git directory, shared
//! by all its work trees. Where that file cannot be written (read-only medium) the id is derived from
//! the path and changes with it. A copy (`cp -r`) carries its original's id: the daemon tells the two
//! apart by [`Location::is_same_repository`] and gives the newcomer [`renew_identity`].
//! Not here: what is in the repository.

use std::fs;
use std::path::{Path, PathBuf};

use tradewind_core::RepositoryId;
use tradewind_host::files::{self, FileError, Mode};
use tradewind_host::git::Git;
use tradewind_host::random;

use crate::error::RepoError;

/// Name of the file that holds the repository's id, in the common git directory.
pub const IDENTITY_FILE: &str = "tradewind-id";

/// Where a repository lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// Root of the work tree, or the git directory of a bare repository.
    pub top: PathBuf,
    /// Git directory of this work tree; holds `HEAD` and `index`.
    pub git_dir: PathBuf,
    /// Git directory that all work trees share; holds refs and objects. Mostly the same as `git_dir`.
    pub common_dir: PathBuf,
    /// Whether there is no work tree.
    pub is_bare: bool,
}

impl Location {
    /// Finds the repository that `path` lies in: a work tree, a linked one, a submodule, a folder
    /// below it, a bare repository or a git directory itself.
    ///
    /// # Errors
    /// [`RepoError::NotARepository`], [`RepoError::Read`], [`RepoError::Answer`].
    pub fn find(git: &Git, path: &Path) -> Result<Self, RepoError> {
        let absent = |source| RepoError::NotARepository {
            path: path.to_owned(),
            source,
        };
        let git_dir = git
            .run_blocking(path, &["rev-parse", "--absolute-git-dir"])
            .map_err(absent)?;
        let git_dir = one_path(&git_dir)?;
        let flags = ["rev-parse", "--is-bare-repository", "--is-inside-work-tree"];
        let flags = git.run_blocking(path, &flags)?;
        let common_dir = common_dir(&git_dir)?;
        let (top, is_bare) = match flags.as_slice() {
            b"true\nfalse\n" => (git_dir.clone(), true),
            b"false\ntrue\n" => (top_of(git, path)?, false),
            // Inside the git directory itself.
            b"false\nfalse\n" => match work_tree_of(&git_dir) {
                Some(dir) => (top_of(git, &dir)?, false),
                None => (git_dir.clone(), true),
            },
            other => return Err(answer(other)),
        };
        Ok(Self {
            top,
            git_dir,
            common_dir,
            is_bare,
        })
    }

    /// Says whether both are work trees of one repository, not copies of each other.
    pub fn is_same_repository(&self, other: &Self) -> bool {
        let real = |path: &Path| fs::canonicalize(path).ok();
        self.common_dir == other.common_dir
            || real(&self.common_dir).is_some_and(|here| Some(here) == real(&other.common_dir))
    }

    /// Says whether what was found is still there.
    pub fn exists(&self) -> bool {
        self.git_dir.join("HEAD").is_file() && self.top.is_dir()
    }

    /// Returns the path of the index of this work tree.
    pub fn index(&self) -> PathBuf {
        self.git_dir.join("index")
    }
}

fn top_of(git: &Git, dir: &Path) -> Result<PathBuf, RepoError> {
    one_path(&git.run_blocking(dir, &["rev-parse", "--show-toplevel"])?)
}

/// Finds the work tree from inside its git directory: a linked one names it in a file, a plain one
/// lies around it.
fn work_tree_of(git_dir: &Path) -> Option<PathBuf> {
    if let Ok(link) = fs::read(git_dir.join("gitdir")) {
        return Some(bytes_to_path(link.trim_ascii_end()).parent()?.to_owned());
    }
    (git_dir.file_name()? == ".git").then(|| git_dir.parent().map(Path::to_owned))?
}

pub(crate) fn common_dir(git_dir: &Path) -> Result<PathBuf, RepoError> {
    let file = git_dir.join("commondir");
    match fs::read(&file) {
        Ok(text) => {
            let dir = git_dir.join(bytes_to_path(text.trim_ascii_end()));
            fs::canonicalize(&dir).map_err(RepoError::read(&dir))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(git_dir.to_owned()),
        Err(source) => Err(RepoError::read(&file)(source)),
    }
}

/// Each call asks for one path, because a path may hold a line feed.
fn one_path(bytes: &[u8]) -> Result<PathBuf, RepoError> {
    match bytes.strip_suffix(b"\n") {
        Some(path) if !path.is_empty() => Ok(bytes_to_path(path)),
        _ => Err(answer(bytes)),
    }
}

fn answer(bytes: &[u8]) -> RepoError {
    let text = String::from_utf8_lossy(bytes).chars().take(200).collect();
    RepoError::Answer {
        command: "rev-parse",
        text,
    }
}

#[cfg(unix)]
pub(crate) fn bytes_to_path(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    std::ffi::OsStr::from_bytes(bytes).into()
}

/// Git speaks UTF-8 where paths are text.
#[cfg(not(unix))]
pub(crate) fn bytes_to_path(bytes: &[u8]) -> PathBuf {
    String::from_utf8_lossy(bytes).into_owned().into()
}

/// Returns the repository's id, made and kept when it has none yet.
///
/// # Errors
/// [`RepoError::BadIdentity`] when the file holds something else, [`RepoError::File`],
/// [`RepoError::Random`].
pub fn identity(location: &Location) -> Result<RepositoryId, RepoError> {
    if let Some(id) = peek_identity(location)? {
        return Ok(id);
    }
    let id = RepositoryId::from_bytes(random::bytes()?);
    match files::create_private(&identity_file(location), format!("{id}\n").as_bytes()) {
        Ok(true) => Ok(id),
        // Another process was faster: its id counts.
        Ok(false) => peek_identity(location)?.ok_or_else(|| RepoError::BadIdentity {
            path: identity_file(location),
        }),
        Err(error) if is_read_only(&error) => Ok(derived_identity(&location.common_dir)),
        Err(error) => Err(error.into()),
    }
}

/// Returns the id that the repository already has; makes none.
///
/// # Errors
/// [`RepoError::BadIdentity`], [`RepoError::File`].
pub fn peek_identity(location: &Location) -> Result<Option<RepositoryId>, RepoError> {
    let path = identity_file(location);
    let bytes = match files::read_bounded(&path, 4096) {
        Ok(bytes) => bytes,
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let id = std::str::from_utf8(&bytes)
        .ok()
        .and_then(|text| text.trim().parse().ok());
    id.map(Some).ok_or(RepoError::BadIdentity { path })
}

/// Gives a repository a new id; for a copy that came with its original's.
///
/// # Errors
/// [`RepoError::File`], [`RepoError::Random`].
pub fn renew_identity(location: &Location) -> Result<RepositoryId, RepoError> {
    let id = RepositoryId::from_bytes(random::bytes()?);
    let text = format!("{id}\n");
    files::atomic_write(&identity_file(location), text.as_bytes(), Mode::Private)?;
    Ok(id)
}

fn identity_file(location: &Location) -> PathBuf {
    location.common_dir.join(IDENTITY_FILE)
}

fn is_read_only(error: &FileError) -> bool {
    use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    matches!(error, FileError::Io { source, .. }
        if matches!(source.kind(), PermissionDenied | ReadOnlyFilesystem))
}

/// FNV-1a over the path, 128 bits: the same on every run and in every version. It needs to tell a
/// user's few read-only repositories apart, not to withstand an attacker.
fn derived_identity(common_dir: &Path) -> RepositoryId {
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let path = fs::canonicalize(common_dir).unwrap_or_else(|_| common_dir.to_owned());
    let bytes = path.as_os_str().as_encoded_bytes();
    let hash = bytes.iter().fold(BASIS, |hash, byte| {
        (hash ^ u128::from(*byte)).wrapping_mul(PRIME)
    });
    RepositoryId::from_bytes(hash.to_be_bytes())
}
