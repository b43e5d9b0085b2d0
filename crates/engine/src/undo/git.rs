//! The index and the references of a repository: reading them, and putting them back.
//!
//! Two states of the index are the same when they hold the same entries: git rewrites the cached
//! file times in it whenever it likes. References move by compare-and-swap only, without hooks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tradewind_host::files::{self, FileKind};
use tradewind_host::git::Git;

use super::UndoError;
use super::blobs::{Blobs, MAX_CONTENT_BYTES, io};

/// Name under which HEAD stands among the references.
pub(super) const HEAD: &str = "HEAD";
const SYMBOLIC: &str = "ref: ";

/// The index of a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexImage {
    /// Name of the file's bytes in the store; `None` when there is no index.
    pub content: Option<String>,
    /// Hash of its entries.
    pub stage: String,
}

/// Reads the index; keeps its bytes when asked to.
pub(super) fn read_index(
    git: &Git,
    dir: &Path,
    blobs: &Blobs,
    keep: bool,
) -> Result<IndexImage, UndoError> {
    let stage = git.run_blocking(dir, &["ls-files", "--stage", "-z"])?;
    let path = index_path(git, dir)?;
    let content = if keep && files::file_kind(&path)? == FileKind::File {
        let bytes = files::read_bounded(&path, MAX_CONTENT_BYTES)?;
        Some(blobs.keep("", &bytes)?)
    } else {
        None
    };
    Ok(IndexImage {
        content,
        stage: blobs.name(&stage),
    })
}

/// Replaces the index, under git's own lock.
pub(super) fn write_index(
    git: &Git,
    dir: &Path,
    blobs: &Blobs,
    image: &IndexImage,
) -> Result<(), UndoError> {
    let path = index_path(git, dir)?;
    let Some(content) = &image.content else {
        return match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(io("remove", &path)(error))
            }
            _ => Ok(()),
        };
    };
    let bytes = blobs.load(content)?;
    let mut lock = path.clone().into_os_string();
    lock.push(".lock");
    let lock = PathBuf::from(lock);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&lock)
        .map_err(io("lock the index with", &lock))?;
    let written = std::io::Write::write_all(&mut file, &bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::rename(&lock, &path));
    if written.is_err() {
        // The lock is ours; without it git works again.
        std::fs::remove_file(&lock).unwrap_or_default();
    }
    written.map_err(io("write", &path))
}

fn index_path(git: &Git, dir: &Path) -> Result<PathBuf, UndoError> {
    let path = git.run_blocking(dir, &["rev-parse", "--git-path", "index"])?;
    let path = String::from_utf8_lossy(&path);
    Ok(dir.join(path.trim_end_matches('\n')))
}

/// Reads every branch, tag and other reference, and HEAD.
pub(super) fn read_references(
    git: &Git,
    dir: &Path,
) -> Result<BTreeMap<String, String>, UndoError> {
    let listed = git.run_blocking(
        dir,
        &[
            "for-each-ref",
            "--format=%(refname)%00%(objectname)%00%(symref)",
        ],
    )?;
    let mut references = BTreeMap::new();
    for line in String::from_utf8_lossy(&listed).lines() {
        let mut fields = line.split('\0');
        let (Some(name), Some(object), symbolic) = (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let to = match symbolic {
            Some(target) if !target.is_empty() => format!("{SYMBOLIC}{target}"),
            _ => object.to_owned(),
        };
        references.insert(name.to_owned(), to);
    }
    if let Some(head) = read_head(git, dir)? {
        references.insert(HEAD.to_owned(), head);
    }
    Ok(references)
}

fn read_head(git: &Git, dir: &Path) -> Result<Option<String>, UndoError> {
    match git.run_blocking(dir, &["symbolic-ref", "-q", HEAD]) {
        Ok(name) => {
            let name = String::from_utf8_lossy(&name);
            Ok(Some(format!("{SYMBOLIC}{}", name.trim_end())))
        }
        // Exit code 1 stands for a detached HEAD.
        Err(error) if error.exit_code() == Some(1) => read_object(git, dir, HEAD),
        Err(error) => Err(error.into()),
    }
}

fn read_object(git: &Git, dir: &Path, name: &str) -> Result<Option<String>, UndoError> {
    match git.run_blocking(dir, &["rev-parse", "--verify", "-q", name]) {
        Ok(object) => Ok(Some(String::from_utf8_lossy(&object).trim_end().to_owned())),
        Err(error) if error.exit_code() == Some(1) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Returns where one reference points now.
pub(super) fn read_reference(
    git: &Git,
    dir: &Path,
    name: &str,
) -> Result<Option<String>, UndoError> {
    if name == HEAD {
        return read_head(git, dir);
    }
    match git.run_blocking(dir, &["symbolic-ref", "-q", name]) {
        Ok(target) => {
            let target = String::from_utf8_lossy(&target);
            Ok(Some(format!("{SYMBOLIC}{}", target.trim_end())))
        }
        Err(_) => read_object(git, dir, name),
    }
}

/// Moves a reference from one place to another; git refuses when it stands elsewhere.
pub(super) fn move_reference(
    git: &Git,
    dir: &Path,
    name: &str,
    from: Option<&str>,
    to: Option<&str>,
) -> Result<(), UndoError> {
    if let Some(target) = to.and_then(|to| to.strip_prefix(SYMBOLIC)) {
        git.porcelain(dir, &["symbolic-ref", name, target], Vec::new(), &[])?;
        return Ok(());
    }
    // A symbolic reference has no object id of its own to compare with; it was looked at just now.
    let old = from.filter(|from| !from.starts_with(SYMBOLIC));
    match (to, from) {
        (None, _) if from.is_some_and(|from| from.starts_with(SYMBOLIC)) => {
            git.porcelain(dir, &["symbolic-ref", "--delete", name], Vec::new(), &[])?;
        }
        (None, _) => {
            let mut args = vec!["update-ref", "--no-deref", "-d", name];
            args.extend(old);
            git.porcelain(dir, &args, Vec::new(), &[])?;
        }
        (Some(to), None) => {
            // Forty zeroes: it must not exist yet.
            let none = "0".repeat(to.len());
            git.porcelain(
                dir,
                &["update-ref", "--no-deref", name, to, &none],
                Vec::new(),
                &[],
            )?;
        }
        (Some(to), Some(_)) => {
            let mut args = vec!["update-ref", "--no-deref", name, to];
            args.extend(old);
            git.porcelain(dir, &args, Vec::new(), &[])?;
        }
    }
    Ok(())
}

/// Returns the newest commit at or before `until` (Unix seconds) in which `path` has a content,
/// reachable from any reference or reflog, with its time.
pub(super) fn newest_commit_with(
    git: &Git,
    dir: &Path,
    path: &str,
    until: i64,
) -> Result<Option<(String, i64)>, UndoError> {
    // A literal path: a file may be named like a pattern. Added, modified, type changed; the
    // shorter `--diff-filter=d` finds nothing in git 2.47 without a diff format.
    let literal = format!(":(top,literal){path}");
    let until = format!("--before=@{until}");
    let found = git.run_blocking(
        dir,
        &[
            "log",
            "--all",
            "--reflog",
            "--full-history",
            "-m",
            "--diff-filter=AMT",
            "--no-renames",
            "--date-order",
            "-n",
            "1",
            "--format=%H %ct",
            until.as_str(),
            "--",
            literal.as_str(),
        ],
    );
    let found = match found {
        Ok(found) => found,
        // A repository without a commit has no log.
        Err(error) if error.exit_code() == Some(128) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let text = String::from_utf8_lossy(&found);
    let mut words = text.split_whitespace();
    let commit = words.next().map(str::to_owned);
    let time = words.next().and_then(|time| time.parse().ok());
    Ok(commit.zip(time))
}

/// Returns content and mode bits of `path` in a commit; `None` when it is no file there.
pub(super) fn read_file_at(
    git: &Git,
    dir: &Path,
    commit: &str,
    path: &str,
) -> Result<Option<(Vec<u8>, String)>, UndoError> {
    // Unlike `log`, `ls-tree` takes paths literally.
    let entry = git.run_blocking(dir, &["ls-tree", "-z", "--full-tree", commit, "--", path])?;
    let text = String::from_utf8_lossy(&entry);
    let mut words = text.split(['\0', ' ', '\t']);
    let (Some(mode), Some("blob"), Some(object)) = (words.next(), words.next(), words.next())
    else {
        return Ok(None);
    };
    let content = git.run_blocking(dir, &["cat-file", "blob", object])?;
    Ok(Some((content, mode.to_owned())))
}
