//! How trees of git differ: two commits, or a commit and what is staged.
//!
//! Why: what a hook looks at is what the commit would change. Folders with the same name of tree are passed over
//! without being read, and so are folders of the index that git knows to be as in a tree: a commit of fifty files among
//! twenty thousand reads a few dozen trees.
//! A rename is told as a deletion and an addition. Not here: contents.

use std::cmp::Ordering;

use crate::index::Index;
use crate::odb::{Kind, ObjectError, Objects};
use crate::oid::Oid;

/// A tree beyond this is not read: a folder of a million files.
const MAX_TREE_BYTES: u64 = 256 * 1024 * 1024;
/// Folders within folders; git refuses longer paths long before.
const MAX_DEPTH: usize = 4096;
/// Mode of a folder.
const FOLDER: u32 = 0o040_000;

/// What a path is on one side: its mode (as [`crate::index::Entry::mode`]) and the name of its content.
pub type Side = (u32, Oid);

/// Why trees cannot be compared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// A tree cannot be read.
    #[error("a folder of a commit cannot be read")]
    Object(#[from] ObjectError),
    /// A tree is not here: a partial or damaged clone.
    #[error("object {id} is not in this repository (a partial clone?); `git fsck` says more")]
    Missing {
        /// The object.
        id: Oid,
    },
    /// A tree or commit has another form.
    #[error("object {id} is damaged: {what}; `git fsck` says more")]
    Damaged {
        /// The object.
        id: Oid,
        /// What is wrong.
        what: &'static str,
    },
}

/// Hands on a path with what it was and what it becomes; at least one of them is there.
pub type OnChange<'a> = dyn FnMut(&[u8], Option<Side>, Option<Side>) + 'a;

/// Returns the tree of a commit, and its parents.
///
/// # Errors
/// [`TreeError`].
pub fn commit(objects: &Objects, id: Oid) -> Result<(Oid, Vec<Oid>), TreeError> {
    let object = objects
        .read(id, MAX_TREE_BYTES)?
        .filter(|object| object.kind == Kind::Commit)
        .ok_or(TreeError::Missing { id })?;
    let mut tree = None;
    let mut parents = Vec::new();
    for line in object.bytes.split(|byte| *byte == b'\n') {
        if let Some(name) = line.strip_prefix(b"tree ") {
            tree = Oid::from_hex(name).ok();
        } else if let Some(name) = line.strip_prefix(b"parent ") {
            parents.extend(Oid::from_hex(name));
        } else {
            break;
        }
    }
    let tree = tree.ok_or(TreeError::Damaged {
        id,
        what: "a commit without a tree",
    })?;
    Ok((tree, parents))
}

/// Tells what is staged otherwise than in `tree` (`None`: no commit yet). Paths in conflict and those that only keep
/// a place (`git add -N`) are not staged.
///
/// # Errors
/// [`TreeError`]; changes before it have been handed on.
pub fn staged(
    objects: &Objects,
    tree: Option<Oid>,
    index: &Index,
    on_change: &mut OnChange,
) -> Result<(), TreeError> {
    let mut walk = Staged {
        objects,
        index,
        on_change,
    };
    walk.folder(&mut Vec::new(), tree, 0)
}

/// Tells what differs between two trees (`None`: nothing there).
///
/// # Errors
/// [`TreeError`]; changes before it have been handed on.
pub fn between(
    objects: &Objects,
    before: Option<Oid>,
    after: Option<Oid>,
    on_change: &mut OnChange,
) -> Result<(), TreeError> {
    folders(objects, &mut Vec::new(), before, after, on_change, 0)
}

/// Returns what lies at a path of a tree.
///
/// # Errors
/// [`TreeError`].
pub fn at(objects: &Objects, tree: Oid, path: &[u8]) -> Result<Option<Side>, TreeError> {
    let mut tree = tree;
    let mut parts = path.split(|byte| *byte == b'/').peekable();
    while let Some(part) = parts.next() {
        let folder = read(objects, Some(tree))?;
        let found = folder.items()?.find(|item| item.name == part);
        match found {
            Some(item) if item.mode == FOLDER && parts.peek().is_some() => tree = item.id,
            Some(item) if item.mode != FOLDER && parts.peek().is_none() => {
                return Ok(Some((item.mode, item.id)));
            }
            _ => return Ok(None),
        }
    }
    Ok(None)
}

/// The bytes of one tree.
struct Tree {
    id: Option<Oid>,
    bytes: Vec<u8>,
    hash: usize,
}

#[derive(Clone, Copy)]
struct Item<'a> {
    name: &'a [u8],
    mode: u32,
    id: Oid,
}

fn read(objects: &Objects, tree: Option<Oid>) -> Result<Tree, TreeError> {
    let hash = if objects.is_sha256() { 32 } else { 20 };
    let Some(id) = tree else {
        return Ok(Tree {
            id: None,
            bytes: Vec::new(),
            hash,
        });
    };
    let object = objects.read(id, MAX_TREE_BYTES)?;
    // The empty tree exists without being written.
    let is_empty = crate::odb::name(Kind::Tree, &[], objects.is_sha256()) == id;
    match object {
        Some(object) if object.kind == Kind::Tree => Ok(Tree {
            id: Some(id),
            bytes: object.bytes,
            hash,
        }),
        Some(_) => Err(TreeError::Damaged {
            id,
            what: "it is no folder",
        }),
        None if is_empty => Ok(Tree {
            id: None,
            bytes: Vec::new(),
            hash,
        }),
        None => Err(TreeError::Missing { id }),
    }
}

impl Tree {
    /// Takes `<mode> <name>\0<id>` apart, as often as it comes.
    fn items(&self) -> Result<std::vec::IntoIter<Item<'_>>, TreeError> {
        let mut items = Vec::new();
        let mut rest = self.bytes.as_slice();
        while !rest.is_empty() {
            let (item, tail) = self.item(rest).ok_or(TreeError::Damaged {
                id: self.id.unwrap_or_else(|| Oid::from_digest(&[])),
                what: "an entry of it is none",
            })?;
            items.push(item);
            rest = tail;
        }
        Ok(items.into_iter())
    }

    fn item<'a>(&self, bytes: &'a [u8]) -> Option<(Item<'a>, &'a [u8])> {
        let blank = bytes.iter().position(|byte| *byte == b' ')?;
        let (mode, rest) = bytes.split_at(blank);
        let rest = rest.get(1..)?;
        let end = rest.iter().position(|byte| *byte == 0)?;
        let (name, rest) = rest.split_at(end);
        let (id, rest) = rest.get(1..)?.split_at_checked(self.hash)?;
        if name.is_empty() || name.contains(&b'/') {
            return None;
        }
        let mode = u32::from_str_radix(std::str::from_utf8(mode).ok()?, 8).ok()?;
        let item = Item {
            name,
            mode: match mode {
                0o040_000 | 0o120_000 | 0o160_000 => mode,
                // Old commits hold files that a group may write; git takes them so.
                mode if mode & 0o100 != 0 => 0o100_755,
                _ => 0o100_644,
            },
            id: Oid::from_slice(id)?,
        };
        Some((item, rest))
    }
}

/// Compares names as git sorts them: a folder as if its name ended with `/`.
fn order(a: (&[u8], bool), b: (&[u8], bool)) -> Ordering {
    let slash = |is_folder: bool| is_folder.then_some(&b'/');
    let a = a.0.iter().chain(slash(a.1));
    a.cmp(b.0.iter().chain(slash(b.1)))
}

struct Staged<'a, 'b> {
    objects: &'a Objects,
    index: &'a Index,
    on_change: &'a mut OnChange<'b>,
}

impl Staged<'_, '_> {
    /// Compares a folder (`a/b/`, empty for the root) of the index with a tree.
    fn folder(
        &mut self,
        path: &mut Vec<u8>,
        tree: Option<Oid>,
        depth: usize,
    ) -> Result<(), TreeError> {
        if tree.is_some() && self.index.cached_tree(path) == tree {
            return Ok(());
        }
        let tree = read(self.objects, tree)?;
        if depth > MAX_DEPTH {
            return Err(TreeError::Damaged {
                id: tree.id.unwrap_or_else(|| Oid::from_digest(&[])),
                what: "folders too deep",
            });
        }
        let index = self.index;
        let entries = index.entries();
        let mut staged = index.below(path);
        let mut items = tree.items()?.peekable();
        loop {
            // The next name in this folder of the index.
            let next = entries
                .get(staged.start)
                .filter(|_| staged.start < staged.end);
            let next = next.map(|entry| {
                let rest = index.path(entry).get(path.len()..).unwrap_or_default();
                match rest.iter().position(|byte| *byte == b'/') {
                    Some(len) => (rest.get(..len).unwrap_or_default(), None),
                    None => (rest, Some(entry)),
                }
            });
            let item = items.peek().copied();
            let which = match (next, item) {
                (None, None) => return Ok(()),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((name, file)), Some(item)) => {
                    order((name, file.is_none()), (item.name, item.mode == FOLDER))
                }
            };
            let before = item.filter(|_| which.is_ge());
            if which.is_ge() {
                items.next();
            }
            let len = path.len();
            match (next.filter(|_| which.is_le()), before) {
                (Some((name, Some(_))), before) => {
                    path.extend_from_slice(name);
                    let (after, is_settled) = self.take(path, &mut staged);
                    let before = before.map(|item| (item.mode, item.id));
                    if is_settled && after != before {
                        (self.on_change)(path, before, after);
                    }
                }
                (Some((name, None)), before) => {
                    path.extend_from_slice(name);
                    path.push(b'/');
                    staged.start = index.below(path).end;
                    self.folder(path, before.map(|item| item.id), depth + 1)?;
                }
                (None, Some(item)) => {
                    path.extend_from_slice(item.name);
                    if item.mode == FOLDER {
                        path.push(b'/');
                        folders(
                            self.objects,
                            path,
                            Some(item.id),
                            None,
                            self.on_change,
                            depth + 1,
                        )?;
                    } else {
                        (self.on_change)(path, Some((item.mode, item.id)), None);
                    }
                }
                (None, None) => {}
            }
            path.truncate(len);
        }
    }

    /// Takes all stages of one path: what is staged, and whether that is settled, which it is not in a conflict.
    fn take(&self, path: &[u8], staged: &mut std::ops::Range<usize>) -> (Option<Side>, bool) {
        let (mut found, mut is_settled) = (None, true);
        while let Some(entry) = self.index.entries().get(staged.start) {
            if staged.start >= staged.end || self.index.path(entry) != path {
                break;
            }
            staged.start += 1;
            if entry.stage > 0 {
                is_settled = false;
            } else if !entry.is_intent_to_add {
                found = Some((entry.mode, entry.id));
            }
        }
        (found, is_settled)
    }
}

fn folders(
    objects: &Objects,
    path: &mut Vec<u8>,
    before: Option<Oid>,
    after: Option<Oid>,
    on_change: &mut OnChange,
    depth: usize,
) -> Result<(), TreeError> {
    if before == after {
        return Ok(());
    }
    let (before, after) = (read(objects, before)?, read(objects, after)?);
    if depth > MAX_DEPTH {
        return Err(TreeError::Damaged {
            id: after
                .id
                .or(before.id)
                .unwrap_or_else(|| Oid::from_digest(&[])),
            what: "folders too deep",
        });
    }
    let mut old = before.items()?.peekable();
    let mut new = after.items()?.peekable();
    loop {
        let which = match (old.peek(), new.peek()) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => order((a.name, a.mode == FOLDER), (b.name, b.mode == FOLDER)),
        };
        let a = if which.is_le() { old.next() } else { None };
        let b = if which.is_ge() { new.next() } else { None };
        let Some(item) = a.or(b) else {
            return Ok(());
        };
        let len = path.len();
        path.extend_from_slice(item.name);
        let id = |item: Option<Item>| item.map(|item| item.id);
        if item.mode == FOLDER {
            path.push(b'/');
            folders(objects, path, id(a), id(b), on_change, depth + 1)?;
        } else {
            let side = |item: Option<Item>| item.map(|item| (item.mode, item.id));
            if side(a) != side(b) {
                on_change(path, side(a), side(b));
            }
        }
        path.truncate(len);
    }
}
