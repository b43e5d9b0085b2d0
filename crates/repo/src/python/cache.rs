//! Summaries of Python files that an earlier run made, in one file of a folder that the caller names.
//!
//! Why: a second audit must not parse 5,000 files again. An entry is found by the content's id and the
//! path, holds a [`Module`] and bytes of the caller (findings of rules that see one file only), and is valid
//! for one version of the reader and of the caller: sources of the reader and the caller's word are
//! hashed into the file's name.
//! Everything here may be lost at any time. A file that is damaged is read up to the damage and written anew;
//! of two processes one writes and both read; nothing here fails, it only forgets. The file grows by what is
//! new and is written anew with what the last run used when more than half of it is waste.
//! Not in the audited repository, ever: the caller's folder lies outside.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tracing::debug;

use super::module::Module;

/// Longer files are begun anew.
const MAX_FILE_BYTES: u64 = 512 * 1024 * 1024;
/// Longer entries are not kept.
const MAX_ENTRY_BYTES: usize = 16 * 1024 * 1024;
/// New entries are written when there are as many bytes of them.
const FLUSH_BYTES: usize = 2 * 1024 * 1024;
/// Less waste is not worth writing anew.
const MIN_WASTE_BYTES: u64 = 4 * 1024 * 1024;

/// Bytes before an entry's content: key, length of the module, length of the rest, check.
const HEAD: usize = 16 + 4 + 4 + 8;

/// What the summaries depend on besides a file's bytes.
const SOURCES: [&str; 19] = [
    include_str!("bind.rs"),
    include_str!("body_hash.rs"),
    include_str!("cache.rs"),
    include_str!("depth.rs"),
    include_str!("dotted.rs"),
    include_str!("environment.rs"),
    include_str!("format_text.rs"),
    include_str!("guards.rs"),
    include_str!("lines.rs"),
    include_str!("module.rs"),
    include_str!("names.rs"),
    include_str!("outline.rs"),
    include_str!("path_edits.rs"),
    include_str!("python2.rs"),
    include_str!("role.rs"),
    include_str!("scopes.rs"),
    include_str!("signature.rs"),
    include_str!("source.rs"),
    include_str!("values.rs"),
];

/// What an entry is found by.
pub(crate) type Key = [u8; 16];

/// Summaries of an earlier run.
#[derive(Debug, Default)]
pub struct Cache {
    store: Option<Store>,
}

#[derive(Debug)]
struct Store {
    path: PathBuf,
    file: File,
    entries: HashMap<Key, Entry>,
    // Only one process writes; the lock ends with the file.
    lock: Option<File>,
    is_damaged: bool,
    length: u64,
    fresh: Mutex<Fresh>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    at: u64,
    module: u32,
    rest: u32,
    check: [u8; 8],
}

/// What this run used and made.
#[derive(Debug, Default)]
struct Fresh {
    used: Vec<Key>,
    bytes: Vec<u8>,
    written: u64,
    has_failed: bool,
}

impl Cache {
    /// A cache that keeps nothing.
    pub fn none() -> Self {
        Self { store: None }
    }

    /// Opens the cache in `folder`, which is made if it is missing: one folder for each repository.
    /// `version` is the caller's: entries of another one are not found. What cannot be opened keeps nothing.
    pub fn open(folder: &Path, version: &str) -> Self {
        match Store::open(folder, version) {
            Ok(store) => Self { store: Some(store) },
            Err(error) => {
                debug!(%error, "python cache not usable");
                Self { store: None }
            }
        }
    }

    /// Names a content: by its git blob, or by its bytes.
    pub(crate) fn key(path: &str, content: &[u8]) -> Key {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(content.len() as u64).to_le_bytes());
        hasher.update(content);
        hasher.update(path.as_bytes());
        let mut key = Key::default();
        key.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        key
    }

    /// Says whether anything can be found or kept.
    pub(crate) fn is_used(&self) -> bool {
        self.store.is_some()
    }

    /// Returns an entry.
    pub(crate) fn get(&self, key: &Key) -> Option<(Module, Vec<u8>)> {
        let store = self.store.as_ref()?;
        let entry = store.entries.get(key)?;
        let mut content = vec![0; entry.module as usize + entry.rest as usize];
        store.file.read_exact_at(&mut content, entry.at).ok()?;
        if check(key, &content) != entry.check {
            return None;
        }
        let rest = content.split_off(entry.module as usize);
        let module = postcard::from_bytes(&content).ok()?;
        let mut fresh = store.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        fresh.used.push(*key);
        Some((module, rest))
    }

    /// Keeps an entry.
    pub(crate) fn put(&self, key: &Key, module: &Module, rest: &[u8]) {
        let Some(store) = self.store.as_ref().filter(|store| store.lock.is_some()) else {
            return;
        };
        let Ok(mut content) = postcard::to_stdvec(module) else {
            return;
        };
        let (of_module, of_rest) = (content.len(), rest.len());
        if of_module + of_rest > MAX_ENTRY_BYTES {
            return;
        }
        content.extend_from_slice(rest);
        let mut fresh = store.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        write_entry(&mut fresh.bytes, key, (of_module, of_rest), &content);
        if fresh.bytes.len() >= FLUSH_BYTES {
            store.flush(&mut fresh);
        }
    }

    /// Writes what is new, and drops what this run did not use when that is most of it. To be called once, when
    /// all files of the repository were read.
    pub fn finish(self) {
        let Some(store) = self.store else {
            return;
        };
        if store.lock.is_none() {
            return;
        }
        let mut fresh = store.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        let used: u64 = fresh
            .used
            .iter()
            .filter_map(|key| store.entries.get(key))
            .map(|entry| u64::from(entry.module) + u64::from(entry.rest) + HEAD as u64)
            .sum();
        let waste = store.length.saturating_sub(used);
        let is_wasteful = waste > used + MIN_WASTE_BYTES;
        let is_long = store.length + fresh.written > MAX_FILE_BYTES;
        // What was written by this run would be lost with the rest; the next one drops the waste.
        if (is_wasteful || is_long) && fresh.written == 0 {
            store.rewrite(&mut fresh);
        } else {
            store.flush(&mut fresh);
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // Closing is not enough: a child that another thread starts at this moment holds the file too.
        if let Some(lock) = &self.lock
            && let Err(error) = lock.unlock()
        {
            debug!(%error, "python cache stays locked");
        }
    }
}

impl Store {
    fn open(folder: &Path, version: &str) -> std::io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let mut hasher = blake3::Hasher::new();
        for source in SOURCES {
            hasher.update(source.as_bytes());
        }
        hasher.update(version.as_bytes());
        let name = format!("python-{}.cache", &hasher.finalize().to_hex()[..16]);
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(folder.join("python.lock"))?;
        let lock = lock.try_lock().is_ok().then_some(lock);
        let path = folder.join(&name);
        if lock.is_some() {
            forget_others(folder, &name);
        }
        let file = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .open(&path)?;
        let mut store = Self {
            path,
            file,
            entries: HashMap::new(),
            lock,
            is_damaged: false,
            length: 0,
            fresh: Mutex::new(Fresh::default()),
        };
        store.scan()?;
        if store.is_damaged && store.lock.is_some() {
            // Later entries would never be found.
            store.file.set_len(store.length)?;
        }
        Ok(store)
    }

    /// Finds the entries, up to the end or to what is none.
    fn scan(&mut self) -> std::io::Result<()> {
        let end = self.file.metadata()?.len();
        let mut at = 0_u64;
        let mut head = [0; HEAD];
        while at + HEAD as u64 <= end {
            self.file.read_exact_at(&mut head, at)?;
            let (key, entry) = read_head(&head, at + HEAD as u64);
            let length = entry.module as usize + entry.rest as usize;
            let next = entry.at + length as u64;
            if length > MAX_ENTRY_BYTES || next > end {
                break;
            }
            self.entries.insert(key, entry);
            at = next;
        }
        self.length = at;
        self.is_damaged = at != end;
        Ok(())
    }

    fn flush(&self, fresh: &mut Fresh) {
        let bytes = std::mem::take(&mut fresh.bytes);
        if bytes.is_empty() || fresh.has_failed || self.length + fresh.written > MAX_FILE_BYTES {
            return;
        }
        match (&self.file).write_all(&bytes) {
            Ok(()) => fresh.written += bytes.len() as u64,
            Err(error) => {
                debug!(%error, "python cache not written");
                fresh.has_failed = true;
            }
        }
    }

    /// Writes a file of what this run used and made, and puts it in the place of the old one.
    fn rewrite(&self, fresh: &mut Fresh) {
        let beside = self.path.with_extension("new");
        let done = (|| -> std::io::Result<()> {
            let mut new = std::io::BufWriter::new(File::create(&beside)?);
            for key in &fresh.used {
                let Some(entry) = self.entries.get(key) else {
                    continue;
                };
                let length = HEAD + entry.module as usize + entry.rest as usize;
                let mut bytes = vec![0; length];
                self.file
                    .read_exact_at(&mut bytes, entry.at - HEAD as u64)?;
                new.write_all(&bytes)?;
            }
            new.write_all(&fresh.bytes)?;
            new.flush()?;
            std::fs::rename(&beside, &self.path)
        })();
        if let Err(error) = done {
            debug!(%error, "python cache not written");
        }
    }
}

/// Deletes the files of other versions.
fn forget_others(folder: &Path, name: &str) {
    let Ok(files) = std::fs::read_dir(folder) else {
        return;
    };
    for file in files.flatten() {
        let other = file.file_name();
        let suffix = Path::new(&other).extension().and_then(|it| it.to_str());
        let is_ours = matches!(suffix, Some("cache" | "new"));
        let is_other = other
            .to_str()
            .is_some_and(|other| is_ours && other != name && other.starts_with("python-"));
        if is_other && let Err(error) = std::fs::remove_file(file.path()) {
            debug!(%error, "old python cache not deleted");
        }
    }
}

fn check(key: &Key, content: &[u8]) -> [u8; 8] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(key);
    hasher.update(content);
    let mut check = [0; 8];
    check.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    check
}

fn write_entry(bytes: &mut Vec<u8>, key: &Key, lengths: (usize, usize), content: &[u8]) {
    let short = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    bytes.extend_from_slice(key);
    bytes.extend_from_slice(&short(lengths.0));
    bytes.extend_from_slice(&short(lengths.1));
    bytes.extend_from_slice(&check(key, content));
    bytes.extend_from_slice(content);
}

fn read_head(head: &[u8; HEAD], at: u64) -> (Key, Entry) {
    let (mut key, mut module, mut rest, mut check) = (Key::default(), [0; 4], [0; 4], [0; 8]);
    key.copy_from_slice(&head[..16]);
    module.copy_from_slice(&head[16..20]);
    rest.copy_from_slice(&head[20..24]);
    check.copy_from_slice(&head[24..]);
    let entry = Entry {
        at,
        module: u32::from_le_bytes(module),
        rest: u32::from_le_bytes(rest),
        check,
    };
    (key, entry)
}
