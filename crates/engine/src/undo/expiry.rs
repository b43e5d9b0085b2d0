//! Forgetting: operations that are too old or too many, and contents that nobody needs.
//!
//! Oldest first, by age and then by size. What is younger than a day, what runs, and what is being
//! put back is never forgotten, even when it is more than allowed: an undo that is gone an hour after
//! the mistake is worse than a full disk's warning.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tradewind_core::RepositoryId;
use tradewind_journal::rusqlite::params;

use super::{Below, Operation, Shared, UndoError};
use crate::store;

/// What is younger than this is never forgotten.
const SAFE_AGE: Duration = Duration::from_hours(24);

/// How much is kept for one repository.
#[derive(Clone, Debug)]
pub struct Expiry {
    /// The repository.
    pub repository: RepositoryId,
    /// Upper bound on age.
    pub max_age: Duration,
    /// Upper bound on bytes, counted as if operations shared no content.
    pub max_bytes: u64,
}

/// What was forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Expired {
    /// Operations.
    pub operations: u64,
    /// Bytes freed on the disk.
    pub freed_bytes: u64,
}

impl Shared {
    pub(super) fn expire(&self, expiry: &Expiry) -> Result<Expired, UndoError> {
        let repository = expiry.repository.to_string();
        let now = self.clock.now();
        let before = |age: Duration| now.checked_sub(age).unwrap_or(Timestamp::MIN);
        let safe_from = before(SAFE_AGE);
        let too_old = before(expiry.max_age).min(safe_from);
        let max_bytes = expiry.max_bytes;
        let operations = self.journal.transact_blocking(move |tx| {
            let rows = tx.query(
                "SELECT id, created_ms, size_bytes FROM engine_operations
                    WHERE repository = ?1 AND state <> 'captured'
                        AND id NOT IN (SELECT operation FROM engine_intents)
                    ORDER BY created_ms DESC",
                params![repository],
                |row| {
                    let size: i64 = row.get(2)?;
                    Ok((
                        row.get::<_, String>(0)?,
                        store::time_at(row, 1)?,
                        u64::try_from(size).unwrap_or(0),
                    ))
                },
            )?;
            let mut kept_bytes = 0_u64;
            let mut forgotten = 0;
            for (id, created_at, size_bytes) in rows {
                kept_bytes = kept_bytes.saturating_add(size_bytes);
                let is_safe = created_at > safe_from;
                if is_safe || (created_at > too_old && kept_bytes <= max_bytes) {
                    continue;
                }
                tx.execute("DELETE FROM engine_operations WHERE id = ?1", params![id])?;
                forgotten += 1;
            }
            Ok(forgotten)
        })?;
        let freed_bytes = if operations > 0 { self.sweep()? } else { 0 };
        Ok(Expired {
            operations,
            freed_bytes,
        })
    }

    /// Removes contents that no operation of any repository needs. The caller holds the turn, so
    /// nothing is being captured.
    fn sweep(&self) -> Result<u64, UndoError> {
        let records = self.journal.reader()?.query(
            "SELECT id, record FROM engine_operations",
            [],
            |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)),
        )?;
        let mut used = BTreeSet::new();
        for (id, text) in records {
            // A record that cannot be read may need anything: better to free nothing.
            let operation: Operation = serde_json::from_str(&text)
                .map_err(|source| UndoError::Below(Below::Record { id, source }))?;
            used.extend(operation.contents().map(str::to_owned));
        }
        self.blobs.sweep(&used)
    }
}
