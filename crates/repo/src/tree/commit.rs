//! Reads the files of a commit, for bare repositories and for questions about the past.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use tradewind_host::git::Git;

use super::{Contents, File, FileKind, FileState, Tree, Unread, held, index};
use crate::error::RepoError;
use crate::location::Location;
use crate::oid::Oid;

/// Files of one commit that are listed.
const MAX_FILES: usize = 1_000_000;

/// Reads the files of `commit` and the texts among them.
pub(super) fn read(git: &Git, location: &Location, commit: Oid) -> Result<Tree, RepoError> {
    let mut files = Vec::new();
    let mut unread = Vec::new();
    let mut wanted = Vec::new();
    let commit = commit.to_string();
    let args = ["ls-tree", "-r", "-z", "-l", "--full-tree", commit.as_str()];
    let is_whole = git.records(&location.git_dir, &args, Vec::new(), 0, |record| {
        if files.len() == MAX_FILES {
            return ControlFlow::Break(());
        }
        if let Some(file) = entry(record) {
            let is_file = matches!(file.kind, FileKind::Regular | FileKind::Executable);
            if is_file && file.size <= super::MAX_TEXT_BYTES {
                wanted.extend(file.id);
            } else if is_file {
                unread.push(Unread {
                    what: file.path.to_string(),
                    reason: "beyond 2 MiB, not read".to_owned(),
                });
            }
            files.push(file);
        }
        ControlFlow::Continue(())
    })?;
    if !is_whole {
        unread.push(Unread {
            what: "files".to_owned(),
            reason: format!("more than {MAX_FILES}, the rest is not listed"),
        });
    }
    let blobs = held::read(git, location, wanted, &mut unread)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files.dedup_by(|a, b| a.path == b.path);
    Ok(Tree {
        files,
        missing: Vec::new(),
        ignored_by: BTreeMap::new(),
        contents: Contents::Blobs(blobs),
        unread,
    })
}

/// Reads `<mode> <kind> <oid> <size>\t<path>`, the size padded with spaces, `-` or `BAD`.
fn entry(record: &[u8]) -> Option<File> {
    let tab = record.iter().position(|byte| *byte == b'\t')?;
    let (facts, path) = record.split_at(tab);
    let facts = std::str::from_utf8(facts).ok()?;
    let mut words = facts.split_ascii_whitespace();
    let (mode, _, id, size) = (words.next()?, words.next()?, words.next()?, words.next()?);
    Some(File {
        path: String::from_utf8_lossy(path.get(1..)?).into(),
        id: id.parse().ok(),
        size: size.parse().unwrap_or(0),
        kind: index::kind(mode),
        state: FileState::Tracked,
    })
}

/// Takes records of `git ls-tree` apart.
#[cfg(any(test, feature = "fuzz"))]
pub(super) fn fuzz(answer: &[u8]) {
    for file in answer.split(|byte| *byte == 0).filter_map(entry) {
        assert_eq!(file.state, FileState::Tracked);
    }
}
