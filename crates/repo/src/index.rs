//! What git has staged, read from the index file itself.
//!
//! Why: a hook has some milliseconds, and a git child that lists the index takes half of them. Versions 2 to 4 are
//! read, of the extensions only the cached trees, by which whole folders are known to be as in a commit.
//! An index that says less than everything (split in two files, or sparse, with folders as entries) is left to git:
//! [`IndexError::Unsupported`]. The trailing checksum is not looked at, as git itself does not: the file is replaced
//! as a whole, and every length is checked.
//! Not here: the work tree. Format: git's `Documentation/gitformat-index.adoc`.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use tradewind_host::files::{self, FileError};

use crate::oid::Oid;

/// An index longer than this is not read.
const MAX_BYTES: u64 = 1024 * 1024 * 1024;
/// Lines that `git ls-files --debug` writes for one path.
const DEBUG_LINES: usize = 5;
/// Folders within folders in the cached trees; git refuses longer paths long before.
const MAX_DEPTH: usize = 4096;

/// Why an index is not read here.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// The file cannot be read.
    #[error("the index cannot be read")]
    File(#[from] FileError),
    /// It says less than everything by itself; git must be asked.
    #[error("the index is {what}, which only git reads")]
    Unsupported {
        /// Which form it has.
        what: &'static str,
    },
    /// It is no index, or a damaged one.
    #[error("the index is damaged at byte {at}: {what}")]
    Damaged {
        /// Where.
        at: usize,
        /// What is wrong there.
        what: &'static str,
    },
}

/// One path of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    at: u32,
    len: u32,
    /// Mode as git writes it: `0o100644`, `0o100755`, `0o120000` or `0o160000`.
    pub mode: u32,
    /// Name of the staged content.
    pub id: Oid,
    /// 0, or which side of a conflict it is (1 base, 2 ours, 3 theirs).
    pub stage: u8,
    /// Added by `git add -N`: a place is kept, nothing is staged.
    pub is_intent_to_add: bool,
    /// Outside the sparse checkout.
    pub is_skipped: bool,
}

/// What git has staged.
#[derive(Debug, Default)]
pub struct Index {
    // Invariant: sorted by path, then stage; each path's bytes lie in `paths`.
    paths: Vec<u8>,
    entries: Vec<Entry>,
    trees: HashMap<Box<[u8]>, (Oid, usize)>,
}

impl Index {
    /// Reads an index; an absent one is empty, as in a new repository.
    ///
    /// # Errors
    /// [`IndexError`].
    pub fn read(path: &Path, is_sha256: bool) -> Result<Self, IndexError> {
        match files::read_bounded(path, MAX_BYTES) {
            Ok(bytes) => Self::parse(&bytes, is_sha256),
            Err(error) if error.is_not_found() => Ok(Self::default()),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads the bytes of an index.
    ///
    /// # Errors
    /// [`IndexError::Unsupported`], [`IndexError::Damaged`].
    pub fn parse(bytes: &[u8], is_sha256: bool) -> Result<Self, IndexError> {
        let hash = if is_sha256 { 32 } else { 20 };
        let mut input = Input { bytes, at: 0 };
        if input.take(4)? != b"DIRC" {
            return Err(input.damaged("no index begins so"));
        }
        let version = input.number()?;
        if !(2..=4).contains(&version) {
            return Err(IndexError::Unsupported {
                what: "of an unknown version",
            });
        }
        let count = input.number()? as usize;
        // The shortest entry: fixed part, name, flags and a path of one byte.
        if count > bytes.len() / (40 + hash + 3) {
            return Err(input.damaged("more entries than it has room for"));
        }
        let mut index = Self {
            paths: Vec::with_capacity(bytes.len() / 2),
            entries: Vec::with_capacity(count),
            trees: HashMap::new(),
        };
        for _ in 0..count {
            index.push(&mut input, version, hash)?;
        }
        let end = bytes.len().saturating_sub(hash);
        while input.at + 8 <= end {
            let name = input.take(4)?;
            let len = input.number()? as usize;
            let at = input.at;
            let body = input.take(len)?;
            match name {
                b"TREE" => index.cached_trees(at, body, hash)?,
                b"link" => {
                    return Err(IndexError::Unsupported {
                        what: "split in two files",
                    });
                }
                b"sdir" => return Err(IndexError::Unsupported { what: "sparse" }),
                _ if name.first().is_some_and(u8::is_ascii_lowercase) => {
                    return Err(IndexError::Unsupported {
                        what: "of a newer form",
                    });
                }
                _ => {}
            }
        }
        Ok(index)
    }

    fn push(&mut self, input: &mut Input, version: u32, hash: usize) -> Result<(), IndexError> {
        let start = input.at;
        // Times, device and inode of the file in the work tree come before its mode; owner and length after.
        input.take(24)?;
        let mode = input.number()?;
        input.take(12)?;
        let id = Oid::from_slice(input.take(hash)?)
            .ok_or_else(|| input.damaged("no name of an object"))?;
        let flags = input.short()?;
        let extended = if flags & 0x4000 == 0 {
            0
        } else if version < 3 {
            return Err(input.damaged("extended flags in version 2"));
        } else {
            input.short()?
        };
        let at = self.paths.len();
        if version == 4 {
            let drop = input.variable()?;
            let (from, len) = self
                .entries
                .last()
                .map_or((0, 0), |last| (last.at as usize, last.len as usize));
            let keep = len
                .checked_sub(drop)
                .ok_or_else(|| input.damaged("a path shortened below nothing"))?;
            self.paths.extend_from_within(from..from + keep);
            self.paths.extend_from_slice(input.until_nul()?);
        } else {
            self.paths.extend_from_slice(input.until_nul()?);
            // Padded with 1 to 8 NUL, one of which is taken.
            let read = input.at - start;
            input.take(read.next_multiple_of(8) - read)?;
        }
        let is_known = matches!(mode, 0o100_644 | 0o100_755 | 0o120_000 | 0o160_000);
        if mode == 0o040_000 {
            return Err(IndexError::Unsupported { what: "sparse" });
        }
        let path = self.paths.get(at..).unwrap_or_default();
        if path.is_empty() {
            // How the smaller half of a split index tells an entry that it replaces.
            return Err(IndexError::Unsupported {
                what: "split in two files",
            });
        }
        let stage = u8::try_from(flags >> 12 & 3).unwrap_or_default();
        if let Some(last) = self.entries.last()
            && (self.path(last), last.stage) >= (path, stage)
        {
            return Err(input.damaged("paths out of their sequence"));
        }
        let (Ok(at), Ok(len)) = (u32::try_from(at), u32::try_from(path.len())) else {
            return Err(input.damaged("paths beyond four gigabytes"));
        };
        self.entries.push(Entry {
            at,
            len,
            // Old indexes hold other modes; git reads them so.
            mode: match mode {
                mode if is_known => mode,
                mode if mode & 0o170_000 == 0o100_000 && mode & 0o100 != 0 => 0o100_755,
                _ => 0o100_644,
            },
            id,
            stage,
            is_intent_to_add: extended & 0x2000 != 0,
            is_skipped: extended & 0x4000 != 0,
        });
        Ok(())
    }

    /// Reads `TREE`: folder, count of its entries (-1 when it changed), count of folders in it, name of the tree.
    fn cached_trees(&mut self, at: usize, body: &[u8], hash: usize) -> Result<(), IndexError> {
        let mut input = Input { bytes: body, at: 0 };
        let damaged = |what| IndexError::Damaged { at, what };
        // Folders whose own folders are still to come, with how many.
        let mut open: Vec<(Vec<u8>, usize)> = Vec::new();
        while input.at < body.len() {
            let name = input.until_nul()?;
            let mut path = open.last().map_or(Vec::new(), |(path, _)| path.clone());
            if !name.is_empty() {
                path.extend_from_slice(name);
                path.push(b'/');
            }
            let entries: i64 =
                number(input.until(b' ')?).ok_or_else(|| damaged("a cached tree without count"))?;
            let folders: i64 = number(input.until(b'\n')?)
                .ok_or_else(|| damaged("a cached tree without folders"))?;
            if let Ok(entries) = usize::try_from(entries) {
                let id = Oid::from_slice(input.take(hash)?)
                    .ok_or_else(|| damaged("a cached tree without a name"))?;
                self.trees
                    .insert(path.clone().into_boxed_slice(), (id, entries));
            }
            if let Some((_, left)) = open.last_mut() {
                *left = left.saturating_sub(1);
            }
            let folders = usize::try_from(folders)
                .ok()
                .ok_or_else(|| damaged("fewer than no folders"))?;
            open.push((path, folders));
            while open.last().is_some_and(|(_, left)| *left == 0) {
                open.pop();
            }
            if open.len() > MAX_DEPTH {
                return Err(damaged("cached trees too deep"));
            }
        }
        Ok(())
    }

    /// Makes the index of a tree, as `git read-tree` would.
    ///
    /// # Errors
    /// [`crate::trees::TreeError`].
    pub fn of_tree(
        objects: &crate::odb::Objects,
        tree: Oid,
    ) -> Result<Self, crate::trees::TreeError> {
        let mut found: Vec<(Box<[u8]>, crate::trees::Side)> = Vec::new();
        crate::trees::between(objects, None, Some(tree), &mut |path, _, after| {
            found.extend(after.map(|side| (path.into(), side)));
        })?;
        found.sort_by(|a, b| a.0.cmp(&b.0));
        let mut index = Self::default();
        for (path, (mode, id)) in found {
            index.add(&path, mode, id);
        }
        Ok(index)
    }

    /// Adds a path behind all others; one that cannot be counted in 32 bits is left out.
    fn add(&mut self, path: &[u8], mode: u32, id: Oid) {
        let (Ok(at), Ok(len)) = (u32::try_from(self.paths.len()), u32::try_from(path.len())) else {
            return;
        };
        self.paths.extend_from_slice(path);
        self.entries.push(Entry {
            at,
            len,
            mode,
            id,
            stage: 0,
            is_intent_to_add: false,
            is_skipped: false,
        });
    }

    /// Writes an index (version 2) with these paths, sorted, of mode and name. It knows nothing of files: git looks at
    /// them when it has to.
    pub fn write<'a>(
        entries: impl ExactSizeIterator<Item = (&'a [u8], u32, Oid)>,
        is_sha256: bool,
    ) -> Vec<u8> {
        let mut bytes = b"DIRC\0\0\0\x02".to_vec();
        let count = u32::try_from(entries.len()).unwrap_or(u32::MAX);
        bytes.extend_from_slice(&count.to_be_bytes());
        for (path, mode, id) in entries {
            let start = bytes.len();
            bytes.extend_from_slice(&[0; 24]);
            bytes.extend_from_slice(&mode.to_be_bytes());
            bytes.extend_from_slice(&[0; 12]);
            bytes.extend_from_slice(id.as_slice());
            let len = u16::try_from(path.len()).unwrap_or(u16::MAX).min(0x0fff);
            bytes.extend_from_slice(&len.to_be_bytes());
            bytes.extend_from_slice(path);
            let len = bytes.len() - start;
            bytes.resize(start + (len + 1).next_multiple_of(8), 0);
        }
        let digest = crate::odb::digest(&bytes, is_sha256);
        bytes.extend_from_slice(digest.as_slice());
        bytes
    }

    /// Takes what `git ls-files -z -s --debug` says of an index that is not read here.
    pub(crate) fn from_listing(listing: &[u8]) -> Option<Self> {
        let mut index = Self::default();
        // The lines about a path come before the next path.
        for record in listing.split(|byte| *byte == 0) {
            let (about, next) = match index.entries.last() {
                Some(_) => lines(record, DEBUG_LINES),
                None => (&record[..0], record),
            };
            if let Some(last) = index.entries.last_mut() {
                let flags = flags(about)?;
                last.is_intent_to_add = flags & 0x2000_0000 != 0;
                last.is_skipped = flags & 0x4000_0000 != 0;
            }
            if next.is_empty() {
                continue;
            }
            let (facts, path) = next.split_at(next.iter().position(|byte| *byte == b'\t')?);
            let mut words = std::str::from_utf8(facts).ok()?.split(' ');
            let mode = u32::from_str_radix(words.next()?, 8).ok()?;
            let id = words.next()?.parse().ok()?;
            let stage = words.next()?.parse().ok()?;
            let path = path.get(1..)?;
            index.entries.push(Entry {
                at: u32::try_from(index.paths.len()).ok()?,
                len: u32::try_from(path.len()).ok()?,
                mode,
                id,
                stage,
                is_intent_to_add: false,
                is_skipped: false,
            });
            index.paths.extend_from_slice(path);
        }
        Some(index)
    }

    /// Returns all entries, sorted by path, then stage.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns the path of one of these entries.
    pub fn path(&self, entry: &Entry) -> &[u8] {
        self.paths
            .get(entry.at as usize..(entry.at + entry.len) as usize)
            .unwrap_or_default()
    }

    /// Returns what is staged at a path, without conflicts.
    pub fn get(&self, path: &[u8]) -> Option<&Entry> {
        let at = self
            .entries
            .binary_search_by(|entry| (self.path(entry), entry.stage).cmp(&(path, 0)))
            .ok()?;
        self.entries.get(at)
    }

    /// Says whether any path is in conflict.
    pub fn has_conflicts(&self) -> bool {
        self.entries.iter().any(|entry| entry.stage != 0)
    }

    /// Returns the places of the entries below a folder (`a/b/`, empty for the root).
    pub(crate) fn below(&self, folder: &[u8]) -> Range<usize> {
        let start = self
            .entries
            .partition_point(|entry| self.path(entry) < folder);
        let rest = self.entries.get(start..).unwrap_or_default();
        let len = rest.partition_point(|entry| self.path(entry).starts_with(folder));
        start..start + len
    }

    /// Returns the tree that a folder (`a/b/`) was last written as, when nothing in it changed since.
    pub(crate) fn cached_tree(&self, folder: &[u8]) -> Option<Oid> {
        Some(self.trees.get(folder)?.0)
    }
}

/// Takes so many lines off the front.
fn lines(text: &[u8], count: usize) -> (&[u8], &[u8]) {
    let ends = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    let len = ends
        .map(|(at, _)| at + 1)
        .nth(count - 1)
        .unwrap_or(text.len());
    text.split_at(len)
}

/// Reads `flags: <hexadecimal>` of the last line that `--debug` writes.
fn flags(about: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(about).ok()?;
    let (_, flags) = text.trim_end().rsplit_once("flags: ")?;
    u32::from_str_radix(flags, 16).ok()
}

fn number(digits: &[u8]) -> Option<i64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Input<'a> {
    fn damaged(&self, what: &'static str) -> IndexError {
        IndexError::Damaged { at: self.at, what }
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], IndexError> {
        let end = self.at.checked_add(len);
        let taken = end.and_then(|end| self.bytes.get(self.at..end));
        let taken = taken.ok_or_else(|| self.damaged("it ends too early"))?;
        self.at += len;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u32, IndexError> {
        let bytes = self.take(4)?;
        Ok(bytes.iter().fold(0, |n, byte| n << 8 | u32::from(*byte)))
    }

    fn short(&mut self) -> Result<u16, IndexError> {
        let bytes = self.take(2)?;
        Ok(bytes.iter().fold(0, |n, byte| n << 8 | u16::from(*byte)))
    }

    /// Takes what comes before `end`, and `end`.
    fn until(&mut self, end: u8) -> Result<&'a [u8], IndexError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let len = rest
            .iter()
            .position(|byte| *byte == end)
            .ok_or_else(|| self.damaged("it ends too early"))?;
        self.at += len + 1;
        Ok(rest.get(..len).unwrap_or_default())
    }

    fn until_nul(&mut self) -> Result<&'a [u8], IndexError> {
        self.until(0)
    }

    /// Takes a number of git's variable length: seven bits a byte, each further byte adds one.
    fn variable(&mut self) -> Result<usize, IndexError> {
        let mut value = 0_usize;
        for place in 0..10 {
            let byte = self.take(1)?.first().copied().unwrap_or_default();
            if place > 0 {
                value += 1;
            }
            value = value
                .checked_shl(7)
                .filter(|shifted| shifted >> 7 == value)
                .ok_or_else(|| self.damaged("a number too long"))?
                | usize::from(byte & 0x7f);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.damaged("a number too long"))
    }
}
