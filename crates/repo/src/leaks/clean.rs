//! Which contents held no credential, kept between runs in a file of the caller's.
//!
//! Why: a history of ten thousand contents is read once; later runs look at what is new. Only names of contents and
//! their lengths are kept, and only of clean ones: nothing in the file says anything about a credential, and what
//! holds one is looked at again each time. The file ends with its hash; one that does not fit, or that an
//! earlier detector wrote, is as good as absent.
//! Not here: looking.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use tradewind_host::files::{self, Mode};

use crate::oid::Oid;

/// Contents kept; beyond it the file is begun anew with what the last run met.
const MAX_ENTRIES: usize = 400_000;
/// Bytes of an entry: key and length.
const ENTRY: usize = 16 + 4;
/// Bytes of a hash.
const HASH: usize = 32;

/// What "clean" depends on besides the content and its path.
const DETECTOR: [&str; 4] = [
    include_str!("../secrets.rs"),
    include_str!("../secrets/lead.rs"),
    include_str!("../secrets/plausible.rs"),
    include_str!("../secrets/rules.rs"),
];

/// The detector's answer depends on the path too.
type Key = [u8; 16];

/// Contents without credentials.
#[derive(Debug, Default)]
pub(super) struct Clean {
    path: Option<PathBuf>,
    known: HashMap<Key, u32>,
    new: HashMap<Key, u32>,
    used: Vec<Key>,
}

fn key(blob: Oid, path: &str) -> Key {
    let mut hasher = blake3::Hasher::new();
    hasher.update(blob.as_slice());
    hasher.update(path.as_bytes());
    let mut key = Key::default();
    key.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    key
}

/// Names the detector and the form of the file.
fn version() -> [u8; HASH] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"tradewind clean 1\n");
    for source in DETECTOR {
        hasher.update(source.as_bytes());
    }
    *hasher.finalize().as_bytes()
}

impl Clean {
    /// Reads what is there. Without a path nothing is known and nothing is kept.
    pub(super) fn open(path: Option<&Path>) -> Self {
        let bound = (MAX_ENTRIES * ENTRY + 2 * HASH) as u64;
        let known = path
            .and_then(|path| files::read_bounded(path, bound).ok())
            .and_then(|bytes| entries(&bytes))
            .unwrap_or_default();
        Self {
            path: path.map(Path::to_owned),
            known,
            ..Self::default()
        }
    }

    /// Returns the length of a content that is known to be clean.
    pub(super) fn get(&mut self, blob: Oid, path: &str) -> Option<u64> {
        if self.known.is_empty() {
            return None;
        }
        let key = key(blob, path);
        let length = *self.known.get(&key)?;
        self.used.push(key);
        Some(u64::from(length))
    }

    /// Keeps that a content is clean, or too long to be looked at.
    pub(super) fn put(&mut self, blob: Oid, path: &str, length: u64) {
        if self.path.is_some() {
            let length = u32::try_from(length).unwrap_or(u32::MAX);
            self.new.insert(key(blob, path), length);
        }
    }

    /// Writes what is new. What cannot be written is forgotten.
    pub(super) fn finish(mut self) {
        let Some(path) = self.path.filter(|_| !self.new.is_empty()) else {
            return;
        };
        if self.known.len() + self.new.len() > MAX_ENTRIES {
            let used = self.used.iter();
            self.known = used
                .filter_map(|key| Some((*key, *self.known.get(key)?)))
                .collect();
        }
        self.known.extend(self.new);
        let mut bytes = version().to_vec();
        for (key, length) in self.known.iter().take(MAX_ENTRIES) {
            bytes.extend_from_slice(key);
            bytes.extend_from_slice(&length.to_le_bytes());
        }
        let hash = blake3::hash(&bytes);
        bytes.extend_from_slice(hash.as_bytes());
        let written = path
            .parent()
            .map_or(Ok(()), files::ensure_private_dir)
            .and_then(|()| files::atomic_write(&path, &bytes, Mode::Private));
        if let Err(error) = written {
            tracing::debug!(%error, "what is clean is not kept");
        }
    }
}

fn entries(bytes: &[u8]) -> Option<HashMap<Key, u32>> {
    let (content, hash) = bytes.split_at_checked(bytes.len().checked_sub(HASH)?)?;
    let body = content.strip_prefix(&version())?;
    if blake3::hash(content).as_bytes() != hash {
        return None;
    }
    let entry = |entry: &[u8]| {
        let (key, length) = entry.split_at_checked(16)?;
        Some((
            key.try_into().ok()?,
            u32::from_le_bytes(length.try_into().ok()?),
        ))
    };
    body.chunks_exact(ENTRY).map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_clean_is_known_until_the_file_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clean");
        let blob = Oid::from_hex(&[b'a'; 40]).unwrap();
        let mut clean = Clean::open(Some(&path));
        assert_eq!(clean.get(blob, "a.py"), None);
        clean.put(blob, "a.py", 7);
        clean.finish();
        let mut clean = Clean::open(Some(&path));
        assert_eq!(clean.get(blob, "a.py"), Some(7));
        assert_eq!(clean.get(blob, "b.py"), None, "the path counts");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[40] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(Clean::open(Some(&path)).get(blob, "a.py"), None);
    }
}
