//! Texts that are held in memory because no file on disk has them.

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use tradewind_host::git::Git;

use super::{MAX_TEXT_BYTES, Unread, is_binary};
use crate::error::RepoError;
use crate::location::Location;
use crate::objects;
use crate::oid::Oid;

/// Bytes of text held together.
const MAX_HELD_BYTES: usize = 160 * 1024 * 1024;
/// Binary contents longer than this are dropped: nobody reads them as text.
const MAX_BINARY_BYTES: usize = 16 * 1024;

/// Reads contents by name, within the bounds.
pub(super) fn read(
    git: &Git,
    location: &Location,
    ids: impl IntoIterator<Item = Oid>,
    unread: &mut Vec<Unread>,
) -> Result<BTreeMap<Oid, Arc<[u8]>>, RepoError> {
    let mut blobs: BTreeMap<Oid, Arc<[u8]>> = BTreeMap::new();
    let mut held = 0;
    let mut is_full = false;
    // A content that a million files share is read once.
    let mut asked = HashSet::new();
    let ids = ids.into_iter().filter(|id| asked.insert(*id));
    let skipped = objects::read(git, location, ids, MAX_TEXT_BYTES, |oid, bytes| {
        if is_binary(bytes) && bytes.len() > MAX_BINARY_BYTES {
            return ControlFlow::Continue(());
        }
        held += bytes.len();
        if held > MAX_HELD_BYTES {
            is_full = true;
            return ControlFlow::Break(());
        }
        blobs.insert(oid, Arc::from(bytes));
        ControlFlow::Continue(())
    })?;
    let mut tell = |reason: String| {
        unread.push(Unread {
            what: "contents of files".to_owned(),
            reason,
        });
    };
    if skipped.missing > 0 {
        tell(format!(
            "{} are not in this clone (partial or broken) and are not fetched",
            skipped.missing
        ));
    }
    if is_full {
        tell(format!(
            "beyond {} MiB together, the rest is not read",
            MAX_HELD_BYTES / (1024 * 1024)
        ));
    }
    Ok(blobs)
}
