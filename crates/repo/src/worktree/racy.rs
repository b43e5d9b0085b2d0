//! Content hashes for files whose times cannot be trusted yet.

use std::collections::BTreeMap;
use std::fs::File;
use std::hash::{DefaultHasher, Hasher as _};
use std::io::Read as _;
use std::path::Path;

use super::TreeView;
use crate::location;

/// Bytes hashed of one file. A larger one changes its size or its end in practice.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// The content of a file that was too fresh at this look or at the one before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Content {
    pub(super) hash: u64,
    // Whether it was too fresh at this look; if not, it is told for comparison once and forgotten.
    is_fresh: bool,
}

/// Hashes the files of `view` at the places `fresh`, and those that were too fresh in `previous`
/// and still have the same stamp.
pub(super) fn hashes(
    top: &Path,
    view: &TreeView,
    fresh: &[u32],
    previous: Option<&TreeView>,
) -> BTreeMap<u32, Content> {
    let mut places: BTreeMap<u32, bool> = fresh.iter().map(|place| (*place, true)).collect();
    for (place, content) in previous.iter().flat_map(|previous| &previous.racy) {
        let Some(previous) = previous.filter(|_| content.is_fresh) else {
            continue;
        };
        let Some(old) = previous.entries.get(*place as usize) else {
            continue;
        };
        if let Some((place, now)) = view.find(previous.path(old))
            && now.stamp == old.stamp
        {
            places.entry(place).or_insert(false);
        }
    }
    let mut hashes = BTreeMap::new();
    for (place, is_fresh) in places {
        let Some(entry) = view.entries.get(place as usize) else {
            continue;
        };
        let path = top.join(location::bytes_to_path(view.path(entry)));
        if let Some(hash) = content_hash(&path) {
            hashes.insert(place, Content { hash, is_fresh });
        }
    }
    hashes
}

/// Hashes a file's content; `None` when it cannot be read (any more). Not stable between versions of
/// the program, so it never leaves memory.
fn content_hash(path: &Path) -> Option<u64> {
    let meta = path.symlink_metadata().ok()?;
    let mut hasher = DefaultHasher::new();
    if meta.file_type().is_symlink() {
        let target = std::fs::read_link(path).ok()?;
        hasher.write(target.as_os_str().as_encoded_bytes());
        return Some(hasher.finish());
    }
    if !meta.is_file() {
        return None;
    }
    let mut file = File::open(path).ok()?.take(MAX_BYTES);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Some(hasher.finish()),
            Ok(count) => hasher.write(buffer.get(..count)?),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}
