//! What is checked out here and now, as a hook needs it: where, which index, which commit.
//!
//! Why beside [`Location`]: a hook has some milliseconds, and asking git takes most of them. A usual repository is found
//! and read without a child; whatever is unusual (a work tree named in the configuration, included
//! configuration, a format that we do not know, somebody else's folder, variables that lead elsewhere) is asked of git,
//! whose answer counts. The variables that git sets for its hooks are heeded, above all `GIT_INDEX_FILE`:
//! `git commit -a` and `git commit PATH` check what lies in an index of their own.
//! Not here: what differs ([`crate::trees`]).

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use tradewind_host::files;
use tradewind_host::git::Git;

use crate::error::RepoError;
use crate::index::{Index, IndexError};
use crate::location::{self, Location, bytes_to_path};
use crate::odb::Objects;
use crate::oid::Oid;
use crate::refs;

/// A configuration beyond this is git's to read.
const MAX_CONFIG_BYTES: u64 = 1024 * 1024;
/// Bound on `packed-refs`.
const MAX_PACKED_BYTES: u64 = 256 * 1024 * 1024;
/// References that lead to references, as many as git follows.
const MAX_SYMREF_DEPTH: usize = 5;
/// Variables under which only git knows what is meant.
const UNUSUAL: &[&str] = &[
    "GIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_CONFIG_PARAMETERS",
    "GIT_CONFIG_COUNT",
    "GIT_CEILING_DIRECTORIES",
];

/// What is checked out.
#[derive(Clone, Debug)]
pub struct Checkout {
    /// Where it lies.
    pub location: Location,
    /// The index that counts now; another than the repository's own in `git commit -a`.
    pub index: PathBuf,
    /// Whether objects have names of SHA-256.
    pub is_sha256: bool,
    /// The branch by its full name, also one without commits yet; `None` when a commit is checked out.
    pub branch: Option<String>,
    /// The commit; `None` before the first.
    pub commit: Option<Oid>,
}

impl Checkout {
    /// Finds what is checked out around `dir`. `git` is asked for only when it is needed.
    ///
    /// # Errors
    /// [`RepoError::NotARepository`], [`RepoError::Read`], [`RepoError::Git`]; those of `git`.
    pub fn find<E: From<RepoError>>(
        dir: &Path,
        git: impl FnOnce() -> Result<Git, E>,
    ) -> Result<Self, E> {
        if let Some(found) = directly(dir) {
            return Ok(found);
        }
        let git = git()?.keeping_hook_env();
        Ok(by_git(&git, dir)?)
    }

    /// Says whether another index than the repository's own counts: `git commit -a`, `-p` or with paths.
    pub fn has_own_index(&self) -> bool {
        self.index != self.location.index()
    }

    /// Reads the index, through git where it must.
    ///
    /// # Errors
    /// [`RepoError::Index`], [`RepoError::Git`]; those of `git`.
    pub fn read_index<E: From<RepoError>>(
        &self,
        git: impl FnOnce() -> Result<Git, E>,
    ) -> Result<Index, E> {
        match Index::read(&self.index, self.is_sha256) {
            Ok(index) => Ok(index),
            Err(IndexError::Unsupported { .. }) => {
                let git = git()?.keeping_hook_env();
                let args = ["ls-files", "-z", "-s", "--debug"];
                let listing = git
                    .run_blocking(&self.location.top, &args)
                    .map_err(RepoError::from)?;
                let index = Index::from_listing(&listing).ok_or_else(|| RepoError::Answer {
                    command: "ls-files",
                    text: String::from_utf8_lossy(&listing)
                        .chars()
                        .take(200)
                        .collect(),
                });
                Ok(index?)
            }
            Err(error) => Err(RepoError::from(error).into()),
        }
    }

    /// Opens the objects.
    ///
    /// # Errors
    /// [`RepoError::File`].
    pub fn objects(&self) -> Result<Objects, RepoError> {
        Objects::open(self.location.common_dir.join("objects"), self.is_sha256)
    }

    /// Returns the commits that a merge in progress brings in.
    ///
    /// # Errors
    /// [`RepoError::File`].
    pub fn merged(&self) -> Result<Vec<Oid>, RepoError> {
        match files::read_bounded(&self.location.git_dir.join("MERGE_HEAD"), MAX_CONFIG_BYTES) {
            Ok(text) => Ok(text
                .split(|byte| *byte == b'\n')
                .filter_map(|line| Oid::from_hex(line.trim_ascii()).ok())
                .collect()),
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Finds a usual repository; `None` for all that is git's to judge.
fn directly(dir: &Path) -> Option<Checkout> {
    if UNUSUAL.iter().any(|name| std::env::var_os(name).is_some()) {
        return None;
    }
    let dir = std::path::absolute(dir).ok()?;
    let (top, git_dir) = match std::env::var_os("GIT_DIR") {
        // With this variable alone, the work tree is where git runs its hooks.
        Some(named) => (dir.clone(), dir.join(named)),
        None => around(&dir)?,
    };
    let top = top.canonicalize().ok()?;
    let git_dir = git_dir.canonicalize().ok()?;
    let common_dir = location::common_dir(&git_dir).ok()?;
    // Git refuses a repository of somebody else; whether this one is an exception, it knows.
    if !files::is_own(&git_dir) || !files::is_own(&top) {
        return None;
    }
    let is_sha256 = usual_format(&common_dir)?;
    if git_dir.join("config.worktree").exists() || common_dir.join("reftable").exists() {
        return None;
    }
    let index = match std::env::var_os("GIT_INDEX_FILE") {
        Some(named) => simplified(&dir.join(named)),
        None => git_dir.join("index"),
    };
    let (branch, commit) = head(&git_dir, &common_dir)?;
    Some(Checkout {
        location: Location {
            top,
            git_dir,
            common_dir,
            is_bare: false,
        },
        index,
        is_sha256,
        branch,
        commit,
    })
}

/// Brings a path to its real folder, so that it compares with others.
fn simplified(path: &Path) -> PathBuf {
    match (
        path.parent().and_then(|dir| dir.canonicalize().ok()),
        path.file_name(),
    ) {
        (Some(dir), Some(name)) => dir.join(name),
        _ => path.to_owned(),
    }
}

/// Walks up to the first `.git`, a folder or the file of a linked work tree.
fn around(dir: &Path) -> Option<(PathBuf, PathBuf)> {
    for top in dir.ancestors() {
        let found = top.join(".git");
        let Ok(what) = std::fs::metadata(&found) else {
            continue;
        };
        if what.is_dir() {
            // A folder without HEAD is none of git's.
            return found.join("HEAD").exists().then(|| (top.to_owned(), found));
        }
        let text = files::read_bounded(&found, 64 * 1024).ok()?;
        let named = text.strip_prefix(b"gitdir: ")?.trim_ascii_end();
        return Some((top.to_owned(), top.join(bytes_to_path(named))));
    }
    None
}

/// Returns whether names are SHA-256, when the configuration says nothing that changes where things lie.
fn usual_format(common_dir: &Path) -> Option<bool> {
    let text = files::read_bounded(&common_dir.join("config"), MAX_CONFIG_BYTES).ok()?;
    let text = std::str::from_utf8(&text).ok()?;
    let mut section = String::new();
    let mut is_sha256 = false;
    for line in text.lines() {
        let mut line = line.trim();
        if let Some(rest) = line.strip_prefix('[') {
            let (name, rest) = rest.split_once(']')?;
            section = name.to_ascii_lowercase();
            if section.starts_with("include") {
                return None;
            }
            line = rest.trim();
        }
        let (key, value) = line.split_once('=').unwrap_or((line, "true"));
        let (key, value) = (key.trim().to_ascii_lowercase(), value.trim());
        match (section.as_str(), key.as_str(), value) {
            ("extensions", "objectformat", "sha256") => is_sha256 = true,
            (_, "", _)
            | ("core", "bare", "false")
            | (
                "extensions",
                "objectformat" | "partialclone" | "noop" | "preciousobjects" | "relativeworktrees",
                _,
            ) => {}
            ("core", "bare" | "worktree", _) | ("extensions", _, _) => return None,
            _ => {}
        }
    }
    Some(is_sha256)
}

/// Returns the branch and the commit that HEAD names.
fn head(git_dir: &Path, common_dir: &Path) -> Option<(Option<String>, Option<Oid>)> {
    let text = files::read_bounded(&git_dir.join(refs::HEAD), 4096).ok()?;
    let text = std::str::from_utf8(&text).ok()?.trim_end();
    let Some(branch) = text.strip_prefix("ref: ") else {
        return Some((None, Some(text.parse().ok()?)));
    };
    let mut name = branch.trim().to_owned();
    for _ in 0..MAX_SYMREF_DEPTH {
        if !name.starts_with("refs/") || name.contains("..") {
            return None;
        }
        let text = match files::read_bounded(&common_dir.join(&name), 4096) {
            Ok(text) => text,
            Err(error) if error.is_not_found() => {
                return Some((Some(branch.trim().to_owned()), packed(common_dir, &name)?));
            }
            Err(_) => return None,
        };
        let text = std::str::from_utf8(&text).ok()?.trim_end();
        match text.strip_prefix("ref: ") {
            Some(next) => next.trim().clone_into(&mut name),
            None => return Some((Some(branch.trim().to_owned()), Some(text.parse().ok()?))),
        }
    }
    None
}

/// Looks a reference up in `packed-refs`; the inner `None` when it does not exist yet.
#[expect(
    clippy::option_option,
    reason = "the outer one hands the question to git, the inner one is an answer"
)]
fn packed(common_dir: &Path, name: &str) -> Option<Option<Oid>> {
    let text = match files::read_bounded(&common_dir.join("packed-refs"), MAX_PACKED_BYTES) {
        Ok(text) => text,
        Err(error) if error.is_not_found() => return Some(None),
        Err(_) => return None,
    };
    let found = text.split(|byte| *byte == b'\n').find_map(|line| {
        let (id, rest) = line.split_at_checked(line.iter().position(|byte| *byte == b' ')?)?;
        (rest.get(1..)? == name.as_bytes()).then(|| Oid::from_hex(id).ok())
    });
    Some(found.flatten())
}

fn by_git(git: &Git, dir: &Path) -> Result<Checkout, RepoError> {
    let location = Location::find(git, dir)?;
    let one = |args: &[&str]| -> Result<Option<String>, RepoError> {
        match git.run_blocking(dir, args) {
            Ok(answer) => Ok(Some(String::from_utf8_lossy(&answer).trim_end().to_owned())),
            Err(error) if error.exit_code() == Some(1) => Ok(None),
            Err(error) => Err(error.into()),
        }
    };
    let format = one(&["rev-parse", "--show-object-format"])?;
    let branch = one(&["symbolic-ref", "-q", "HEAD"])?;
    let commit = one(&["rev-parse", "-q", "--verify", "HEAD"])?;
    let index = match std::env::var_os("GIT_INDEX_FILE") {
        Some(named) => simplified(&dir.join::<OsString>(named)),
        None => location.index(),
    };
    Ok(Checkout {
        location,
        index,
        is_sha256: format.as_deref() == Some("sha256"),
        branch,
        commit: commit.and_then(|commit| commit.parse().ok()),
    })
}
