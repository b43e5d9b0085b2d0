//! The changes of commits, kept between runs in a file of the caller's.
//!
//! A commit's changes never change, so the file only grows. It is a head line and records, each with its length
//! and hash; a record that does not fit its hash ends the reading, and the file is written anew at the end. Two
//! writers at once can damage a record, never an answer. Nothing here is worth keeping: without the
//! file git is asked again.
//! What was told incompletely, because contents are missing in the clone, counts as long as no pack comes or goes.

use std::fs;
use std::hash::{DefaultHasher, Hasher as _};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tradewind_host::files::{self, Mode};

use super::diffs::{Part, Told};
use super::{Change, Deed, PathId};
use crate::location::Location;
use crate::oid::Oid;
use crate::stamp::Stamp;

/// Changes with the form of records or with what is asked of git.
const HEAD: &[u8] = b"tradewind history 4\n";
/// Files longer than this are begun anew.
const MAX_BYTES: u64 = 256 * 1024 * 1024;
/// Length and hash before each record.
const FRAME: usize = 16;

/// An open cache.
#[derive(Debug)]
pub(super) struct Cache {
    path: PathBuf,
    bytes: Vec<u8>,
    // How far the file is sound.
    sound: usize,
    new: Vec<u8>,
    is_damaged: bool,
    store: u64,
}

/// Tells when objects came into the repository: the times of the folders of packs and loose objects, and of the last
/// fetch.
pub(super) fn store(location: &Location) -> u64 {
    let objects = location.common_dir.join("objects");
    let mut hasher = DefaultHasher::new();
    let fetched = location.common_dir.join("FETCH_HEAD");
    for path in [objects.join("pack"), objects, fetched] {
        let stamp = Stamp::of(&path).ok().flatten().unwrap_or_default();
        hasher.write_i64(stamp.mtime_ns);
        hasher.write_u64(stamp.ino);
    }
    (hasher.finish() >> 1).max(1)
}

impl Cache {
    /// Reads what is there; what cannot be read is as good as absent.
    pub(super) fn open(path: &Path, store: u64) -> Self {
        let bytes = files::read_bounded(path, MAX_BYTES).unwrap_or_default();
        let is_ours = bytes.starts_with(HEAD);
        Self {
            path: path.to_owned(),
            is_damaged: !is_ours,
            bytes: if is_ours { bytes } else { Vec::new() },
            sound: 0,
            new: Vec::new(),
            store,
        }
    }

    /// Hands on what earlier runs kept.
    pub(super) fn take(&mut self) -> Vec<Part> {
        let mut parts = Vec::new();
        if self.is_damaged {
            return parts;
        }
        self.sound = HEAD.len();
        loop {
            let rest = self.bytes.get(self.sound..).unwrap_or_default();
            if rest.is_empty() {
                return parts;
            }
            let Some((part, length)) = record(rest) else {
                self.is_damaged = true;
                return parts;
            };
            self.sound += length;
            let (part, store) = part;
            if store == 0 || store == self.store {
                parts.push(part);
            }
        }
    }

    /// Keeps the changes of some more commits; what more contents would change by itself.
    pub(super) fn add(&mut self, part: &Part) {
        for (is_whole, store) in [(true, 0), (false, self.store)] {
            let mut body = Vec::new();
            number(&mut body, store);
            if write_part(&mut body, part, is_whole) == 0 {
                continue;
            }
            self.new
                .extend_from_slice(&(body.len() as u64).to_le_bytes());
            self.new.extend_from_slice(&hash(&body).to_le_bytes());
            self.new.extend_from_slice(&body);
        }
    }

    /// Writes what is new; returns why it could not.
    pub(super) fn close(self) -> Option<io::Error> {
        if self.new.is_empty() && !self.is_damaged {
            return None;
        }
        if self.is_damaged {
            let sound = self.bytes.get(..self.sound).unwrap_or_default();
            let head = if sound.is_empty() { HEAD } else { sound };
            let whole = [head, &self.new].concat();
            let parent = self.path.parent().unwrap_or(Path::new("."));
            return fs::create_dir_all(parent)
                .and_then(|()| {
                    files::atomic_write(&self.path, &whole, Mode::Private).map_err(io::Error::other)
                })
                .err();
        }
        // One write, so that another writer's record is not torn apart.
        let file = fs::OpenOptions::new().append(true).open(&self.path);
        file.and_then(|mut file| file.write_all(&self.new)).err()
    }
}

/// Tells damage, not forgery: who can write the file can as well write the repository.
fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

/// Reads one record; returns its length with it.
fn record(bytes: &[u8]) -> Option<((Part, u64), usize)> {
    let length = u64::from_le_bytes(bytes.get(..8)?.try_into().ok()?);
    let length = usize::try_from(length).ok()?;
    let expected = u64::from_le_bytes(bytes.get(8..FRAME)?.try_into().ok()?);
    let end = FRAME.checked_add(length)?;
    let body = bytes.get(FRAME..end)?;
    if hash(body) != expected {
        return None;
    }
    let mut from = Reader { bytes: body };
    let store = from.number()?;
    Some(((read_part(&mut from)?, store), end))
}

/// Writes the commits that more contents would not change, or the others; returns how many.
fn write_part(out: &mut Vec<u8>, part: &Part, is_whole: bool) -> usize {
    number(out, part.paths.list.len() as u64);
    for path in &part.paths.list {
        number(out, path.len() as u64);
        out.extend_from_slice(path.as_bytes());
    }
    number(out, part.large.len() as u64);
    for large in &part.large {
        oid(out, Some(*large));
    }
    let commits = || {
        let commits = part.commits.iter();
        commits.filter(|(_, told, _)| told.is_whole() == is_whole)
    };
    number(out, commits().count() as u64);
    for (commit, told, changes) in commits() {
        oid(out, Some(*commit));
        out.push(match told {
            Told::Paths => 0,
            Told::Lines => 1,
            Told::Names => 2,
            Told::Nothing => 3,
            Told::Late => 4,
            Told::Overrun => 5,
        });
        number(out, changes.len() as u64);
        for change in changes {
            let (deed, from) = match change.deed {
                Deed::Added => (0, None),
                Deed::Modified => (1, None),
                Deed::Deleted => (2, None),
                Deed::Renamed { from } => (3, Some(from)),
            };
            out.push(deed);
            number(out, u64::from(change.path.0));
            if let Some(from) = from {
                number(out, u64::from(from.0));
            }
            for count in [change.added, change.deleted] {
                number(out, count.map_or(0, |count| u64::from(count) + 1));
            }
            oid(out, change.blob);
        }
    }
    commits().count()
}

fn read_part(from: &mut Reader<'_>) -> Option<Part> {
    let mut part = Part::default();
    for _ in 0..from.number()? {
        let length = usize::try_from(from.number()?).ok()?;
        let path = std::str::from_utf8(from.take(length)?).ok()?;
        part.paths.id(path);
    }
    let known = part.paths.list.len();
    let path = |from: &mut Reader<'_>| -> Option<PathId> {
        let id = u32::try_from(from.number()?).ok()?;
        ((id as usize) < known).then_some(PathId(id))
    };
    for _ in 0..from.number()? {
        part.large.push(from.oid()??);
    }
    for _ in 0..from.number()? {
        let commit = from.oid()??;
        let told = match from.take(1)?.first()? {
            0 => Told::Paths,
            1 => Told::Lines,
            2 => Told::Names,
            3 => Told::Nothing,
            4 => Told::Late,
            5 => Told::Overrun,
            _ => return None,
        };
        let mut changes = Vec::new();
        for _ in 0..from.number()? {
            let deed = *from.take(1)?.first()?;
            let at = path(from)?;
            let deed = match deed {
                0 => Deed::Added,
                1 => Deed::Modified,
                2 => Deed::Deleted,
                3 => Deed::Renamed { from: path(from)? },
                _ => return None,
            };
            changes.push(Change {
                path: at,
                deed,
                added: from.count()?,
                deleted: from.count()?,
                blob: from.oid()?,
            });
        }
        part.commits.push((commit, told, changes));
    }
    from.bytes.is_empty().then_some(part)
}

/// Reads any bytes as a kept part, and what was just read of git as what was kept of it.
#[cfg(any(test, feature = "fuzz"))]
pub(super) fn fuzz(bytes: &[u8], part: &Part) {
    let _ = record(bytes).map(|(_, length)| assert!(length <= bytes.len()));
    let _ = read_part(&mut Reader { bytes });
    for is_whole in [true, false] {
        let mut body = Vec::new();
        write_part(&mut body, part, is_whole);
        let kept = read_part(&mut Reader { bytes: &body }).map(|kept| kept.commits);
        let of_part = part.commits.iter();
        let commits: Vec<_> = of_part
            .filter(|(_, told, _)| told.is_whole() == is_whole)
            .cloned()
            .collect();
        assert_eq!(kept, Some(commits));
    }
}

/// Seven bits a byte, the lowest first.
fn number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(u8::try_from(number & 0x7f).unwrap_or(0) | 0x80);
        number >>= 7;
    }
    out.push(u8::try_from(number).unwrap_or(0));
}

fn oid(out: &mut Vec<u8>, oid: Option<Oid>) {
    let raw = oid.as_ref().map_or(&[][..], Oid::as_slice);
    out.push(u8::try_from(raw.len()).unwrap_or(0));
    out.extend_from_slice(raw);
}

/// Reads within bounds.
struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(head)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..63).step_by(7) {
            let byte = *self.take(1)?.first()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    #[expect(clippy::option_option, reason = "outside: damaged; inside: not known")]
    fn count(&mut self) -> Option<Option<u32>> {
        match self.number()? {
            0 => Some(None),
            count => Some(Some(u32::try_from(count - 1).ok()?)),
        }
    }

    #[expect(clippy::option_option, reason = "outside: damaged; inside: no content")]
    fn oid(&mut self) -> Option<Option<Oid>> {
        match *self.take(1)?.first()? {
            0 => Some(None),
            length => Some(Some(Oid::from_slice(self.take(usize::from(length))?)?)),
        }
    }
}
