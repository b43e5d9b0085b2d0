//! Contents and changes of a repository for the guard, read by git's own commands.
//!
//! Three ways to say what a commit is: a commit of history, two commits, or what is staged. Contents are kept between
//! questions, because one commit's tree is nearly the next one's.
//! Not here: the hook's own reader of the index, which starts no process.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;

use tradewind_host::git::Git;
use tradewind_repo::{Location, Oid, RepoError, objects};

use super::{Blob, Contents, Listed};
use crate::staged::{Change, Entry, Mode};

/// Bytes of contents kept between questions; beyond, all are forgotten.
const MAX_KEPT_BYTES: u64 = 192 * 1024 * 1024;
/// Paths of one tree.
const MAX_PATHS: usize = 1_000_000;
/// Names of contents remembered without their bytes.
const MAX_KNOWN: usize = 2_000_000;

/// Which tree is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// That of a commit.
    Commit(Oid),
    /// That of the index.
    Index,
}

/// Contents that were read.
#[derive(Debug, Default)]
pub struct Kept {
    blobs: HashMap<Oid, Known>,
    bytes: u64,
}

#[derive(Clone, Debug)]
struct Known {
    // `None` for what is no blob here, or is missing.
    size: Option<u64>,
    bytes: Option<Arc<[u8]>>,
}

/// A repository's contents, and the tree that a commit would make.
#[derive(Debug)]
pub struct GitContents<'g> {
    git: &'g Git,
    location: &'g Location,
    after: After,
    kept: &'g RefCell<Kept>,
}

impl<'g> GitContents<'g> {
    /// Names the tree; contents are shared by all that use `kept`.
    pub fn new(
        git: &'g Git,
        location: &'g Location,
        after: After,
        kept: &'g RefCell<Kept>,
    ) -> Self {
        Self {
            git,
            location,
            after,
            kept,
        }
    }

    /// Reads what is not known yet, so far as `max_bytes` allows.
    fn fetch(&self, ids: &[Oid], max_bytes: u64) -> Result<(), RepoError> {
        let mut kept = self.kept.borrow_mut();
        if kept.bytes > MAX_KEPT_BYTES || kept.blobs.len() > MAX_KNOWN {
            *kept = Kept::default();
        }
        let unknown: Vec<Oid> = ids
            .iter()
            .copied()
            .filter(|id| !kept.blobs.contains_key(id))
            .collect();
        if !unknown.is_empty() {
            for id in &unknown {
                let known = Known {
                    size: None,
                    bytes: None,
                };
                kept.blobs.insert(*id, known);
            }
            objects::sizes(self.git, self.location, &unknown, |id, size| {
                if let Some(known) = kept.blobs.get_mut(&id) {
                    known.size = size;
                }
            })?;
        }
        let wanted: Vec<Oid> = ids
            .iter()
            .copied()
            .filter(|id| {
                kept.blobs.get(id).is_some_and(|known| {
                    known.bytes.is_none() && known.size.is_some_and(|size| size <= max_bytes)
                })
            })
            .collect();
        if wanted.is_empty() {
            return Ok(());
        }
        objects::read_sized(self.git, self.location, &wanted, |id, bytes| {
            if let Some(known) = kept.blobs.get_mut(&id) {
                known.bytes = Some(Arc::from(bytes));
                kept.bytes += bytes.len() as u64;
            }
            ControlFlow::Continue(())
        })
    }
}

impl Contents for GitContents<'_> {
    fn tree(&self) -> Result<Vec<Listed>, RepoError> {
        match self.after {
            After::Commit(commit) => commit_tree(self.git, self.location, commit),
            After::Index => index_tree(self.git, self.location),
        }
    }

    fn blobs(
        &self,
        ids: &[Oid],
        max_bytes: u64,
        each: &mut dyn FnMut(Blob<'_>),
    ) -> Result<(), RepoError> {
        // In parts, so that what is kept stays within its bound while a large tree is read.
        for part in ids.chunks(2_000) {
            self.fetch(part, max_bytes)?;
            let found: Vec<(Oid, Known)> = {
                let kept = self.kept.borrow();
                let known = |id: &Oid| Some((*id, kept.blobs.get(id)?.clone()));
                part.iter().filter_map(known).collect()
            };
            for (id, known) in found {
                if let Some(size) = known.size {
                    let bytes = known.bytes.as_deref().filter(|_| size <= max_bytes);
                    each(Blob { id, size, bytes });
                }
            }
        }
        Ok(())
    }
}

/// Lists the paths of a commit's tree.
///
/// # Errors
/// [`RepoError::Git`].
pub fn commit_tree(git: &Git, location: &Location, commit: Oid) -> Result<Vec<Listed>, RepoError> {
    let commit = commit.to_string();
    let args = ["ls-tree", "-r", "-z", "--full-tree", commit.as_str()];
    let mut found = Vec::new();
    git.records(&location.git_dir, &args, Vec::new(), 0, |record| {
        found.extend(tree_entry(record));
        bounded(found.len())
    })?;
    Ok(found)
}

/// Lists the paths of the index; for what a merge left in conflict our side stands.
///
/// # Errors
/// [`RepoError::Git`].
pub fn index_tree(git: &Git, location: &Location) -> Result<Vec<Listed>, RepoError> {
    let mut found = Vec::new();
    let args = ["ls-files", "-z", "-s"];
    git.records(&location.top, &args, Vec::new(), 0, |record| {
        found.extend(index_entry(record));
        bounded(found.len())
    })?;
    Ok(found)
}

fn bounded(count: usize) -> ControlFlow<()> {
    if count < MAX_PATHS {
        ControlFlow::Continue(())
    } else {
        ControlFlow::Break(())
    }
}

/// Says what is staged against `HEAD`, or against nothing where there is no commit yet.
///
/// # Errors
/// [`RepoError::Git`].
pub fn staged(git: &Git, location: &Location, head: Option<Oid>) -> Result<Vec<Change>, RepoError> {
    let before = match head {
        Some(head) => commit_tree(git, location, head)?,
        None => Vec::new(),
    };
    Ok(between(before, index_tree(git, location)?))
}

/// What a path was and what it becomes.
pub(super) type Sides = (Option<Entry>, Option<Entry>);

/// Says what one tree changes of another.
pub fn between(before: Vec<Listed>, after: Vec<Listed>) -> Vec<Change> {
    let mut paths: BTreeMap<Box<[u8]>, Sides> = BTreeMap::new();
    for (path, entry) in before {
        paths.insert(path, (Some(entry), None));
    }
    for (path, entry) in after {
        paths.entry(path).or_default().1 = Some(entry);
    }
    paths
        .into_iter()
        .filter(|(_, (before, after))| before != after)
        .map(|(path, (before, after))| Change {
            path,
            before,
            after,
        })
        .collect()
}

/// Says what a commit changes of another.
///
/// # Errors
/// [`RepoError::Git`].
pub fn of_range(
    git: &Git,
    location: &Location,
    from: Oid,
    to: Oid,
) -> Result<Vec<Change>, RepoError> {
    let before = commit_tree(git, location, from)?;
    Ok(between(before, commit_tree(git, location, to)?))
}

pub(super) fn mode(digits: &[u8]) -> Option<Mode> {
    match digits {
        b"100755" => Some(Mode::Executable),
        b"120000" => Some(Mode::Link),
        b"160000" => Some(Mode::Submodule),
        digits if digits.starts_with(b"100") => Some(Mode::Regular),
        _ => None,
    }
}

/// Reads `<mode> <kind> <oid>\t<path>`.
fn tree_entry(record: &[u8]) -> Option<Listed> {
    let tab = record.iter().position(|byte| *byte == b'\t')?;
    let mut words = record.get(..tab)?.split(|byte| *byte == b' ');
    let mode = mode(words.next()?)?;
    let id = Oid::from_hex(words.nth(1)?).ok()?;
    Some((record.get(tab + 1..)?.into(), Entry { mode, id }))
}

/// Reads `<mode> <oid> <stage>\t<path>`.
fn index_entry(record: &[u8]) -> Option<Listed> {
    let tab = record.iter().position(|byte| *byte == b'\t')?;
    let mut words = record.get(..tab)?.split(|byte| *byte == b' ');
    let mode = mode(words.next()?)?;
    let id = Oid::from_hex(words.next()?).ok()?;
    // Of a path in conflict our side stands for it until it is resolved: it has not gone.
    matches!(words.next()?, b"0" | b"2").then_some(())?;
    Some((record.get(tab + 1..)?.into(), Entry { mode, id }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn a_path_in_conflict_has_not_gone() {
        let entry = |stage: u8| index_entry(format!("100644 {ID} {stage}\ta b.py").as_bytes());
        assert_eq!(entry(0).unwrap().0.as_ref(), b"a b.py");
        assert!(entry(2).is_some());
        assert!(entry(1).is_none() && entry(3).is_none());
    }

    #[test]
    fn what_is_no_record_is_passed_over() {
        for record in [
            &b""[..],
            b"\t",
            b"100644 blob",
            b"100644 blob xyz\ta",
            b"999 blob x\t",
        ] {
            assert!(tree_entry(record).is_none() && index_entry(record).is_none());
        }
        let listed = tree_entry(format!("160000 commit {ID}\tvendor/x").as_bytes()).unwrap();
        assert_eq!(listed.1.mode, Mode::Submodule);
    }

    #[test]
    fn a_mode_that_changes_is_a_change_and_the_same_is_none() {
        let entry = |mode| Entry {
            mode,
            id: ID.parse().unwrap(),
        };
        let tree = |mode| vec![(Box::from(&b"run.sh"[..]), entry(mode))];
        assert!(between(tree(Mode::Regular), tree(Mode::Regular)).is_empty());
        let changed = between(tree(Mode::Regular), tree(Mode::Executable));
        assert_eq!(changed.len(), 1);
        assert_eq!(between(Vec::new(), tree(Mode::Link))[0].before, None);
    }
}
