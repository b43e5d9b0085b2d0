//! Verdicts that are known: this content at this path was found clean by these checks.
//!
//! Why: most files of most runs did not change since the last one. A record is two hashes of eight bytes: of the path with
//! its mode, and of the content's name with everything that decides (checks, arguments, version). Only "clean" is kept: what
//! is broken is said anew each time. A run that is interrupted keeps nothing, because records are written at its end, as
//! a whole new file. It is a cache: no flush, and a file that makes no sense is an empty one.
//! Not here: which verdicts may be kept (the check says it).

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tradewind_host::files;
use tradewind_repo::Oid;

use crate::staged::Mode;

/// First bytes of the file; a change of form or meaning changes them.
const MAGIC: &[u8; 8] = b"TWverd01";
/// Records kept; beyond it the file is begun anew.
const MAX_RECORDS: usize = 400_000;
const RECORD: usize = 16;

/// What is known of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// It was found clean.
    Clean,
    /// Nothing was asked.
    Off,
    /// It was never seen clean at this path.
    Never,
    /// Its content or the checks are others than when it was clean.
    Changed,
}

/// Known verdicts of one repository.
#[derive(Debug)]
pub(crate) struct Cache {
    file: Option<PathBuf>,
    // Invariant: sorted by the first half of a record.
    records: Vec<u8>,
    new: Mutex<Vec<(u64, u64)>>,
}

impl Cache {
    /// Opens what is known; `None` remembers nothing.
    pub(crate) fn open(file: Option<PathBuf>) -> Self {
        let bound = (MAX_RECORDS * RECORD + MAGIC.len()) as u64;
        let records = file
            .as_deref()
            .and_then(|file| files::read_bounded(file, bound).ok())
            .filter(|bytes| {
                bytes.starts_with(MAGIC) && (bytes.len() - MAGIC.len()).is_multiple_of(RECORD)
            })
            .map(|mut bytes| bytes.split_off(MAGIC.len()));
        Self {
            file,
            records: records.unwrap_or_default(),
            new: Mutex::default(),
        }
    }

    /// Makes one name of all that decides besides the file.
    #[expect(clippy::unused_self, reason = "reads as a question to the cache")]
    pub(crate) fn unit(&self, digests: impl Iterator<Item = u64>) -> u64 {
        let mut hasher = blake3::Hasher::new();
        hasher.update(env!("CARGO_PKG_VERSION").as_bytes());
        for digest in digests {
            hasher.update(&digest.to_le_bytes());
        }
        first(&hasher)
    }

    /// Says what is known.
    pub(crate) fn find(&self, path: &[u8], mode: Mode, id: Oid, unit: u64) -> Known {
        if self.file.is_none() {
            return Known::Off;
        }
        let (place, proof) = record(path, mode, id, unit);
        match self.at(place) {
            Some(known) if known == proof => Known::Clean,
            Some(_) => Known::Changed,
            None => Known::Never,
        }
    }

    fn at(&self, place: u64) -> Option<u64> {
        let (mut low, mut high) = (0, self.records.len() / RECORD);
        while low < high {
            let middle = low.midpoint(high);
            let at = middle * RECORD;
            let here = number(self.records.get(at..at + 8)?);
            match here.cmp(&place) {
                std::cmp::Ordering::Equal => {
                    return Some(number(self.records.get(at + 8..at + 16)?));
                }
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// Remembers that a file was found clean.
    pub(crate) fn keep(&self, path: &[u8], mode: Mode, id: Oid, unit: u64) {
        if self.file.is_some() {
            let mut new = self.new.lock().unwrap_or_else(PoisonError::into_inner);
            new.push(record(path, mode, id, unit));
        }
    }

    /// Writes what is new. That it cannot is no fault of the commit.
    pub(crate) fn save(&self) {
        let new = std::mem::take(&mut *self.new.lock().unwrap_or_else(PoisonError::into_inner));
        let Some(file) = self.file.as_deref().filter(|_| !new.is_empty()) else {
            return;
        };
        let old = self.records.chunks_exact(RECORD);
        let mut all: HashMap<u64, u64> = old
            .filter_map(|record| Some((number(record.get(..8)?), number(record.get(8..)?))))
            .collect();
        if all.len() + new.len() > MAX_RECORDS {
            all.clear();
        }
        all.extend(new);
        let mut all: Vec<(u64, u64)> = all.into_iter().take(MAX_RECORDS).collect();
        all.sort_unstable();
        let mut bytes = MAGIC.to_vec();
        for (place, proof) in all {
            bytes.extend_from_slice(&place.to_le_bytes());
            bytes.extend_from_slice(&proof.to_le_bytes());
        }
        if let Err(error) = write(file, &bytes) {
            tracing::debug!(%error, "verdicts cannot be kept");
        }
    }
}

/// Writes beside and renames: who reads at the same time sees the old or the new file. No flush: after a power cut the
/// file may be empty, which makes a slow run, not a wrong one.
pub(crate) fn write(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let dir = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(dir)?;
    let mut temporary = tempfile::NamedTempFile::new_in(dir)?;
    std::io::Write::write_all(&mut temporary, bytes)?;
    temporary.persist(file)?;
    Ok(())
}

fn record(path: &[u8], mode: Mode, id: Oid, unit: u64) -> (u64, u64) {
    let mut place = blake3::Hasher::new();
    place.update(path);
    place.update(&[0, mode as u8]);
    let mut proof = blake3::Hasher::new();
    proof.update(id.as_slice());
    proof.update(&unit.to_le_bytes());
    (first(&place), first(&proof))
}

/// Names a repository (a work tree of it) for folders of its own.
pub(crate) fn repository(location: &tradewind_repo::Location) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(location.git_dir.as_os_str().as_encoded_bytes());
    format!("{:016x}", first(&hasher))
}

/// Eight bytes of a hash: a false match needs the same path and one of 2⁶⁴ contents.
pub(crate) fn first(hasher: &blake3::Hasher) -> u64 {
    let hash = hasher.finalize();
    number(hash.as_bytes().get(..8).unwrap_or_default())
}

pub(crate) fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |n, byte| n << 8 | u64::from(*byte))
}
