//! How much is kept, and what goes first when that is too much.

use std::sync::atomic::Ordering;

use tradewind_journal::rusqlite::params;

use super::manifest::name;
use super::{Size, Store, StoreError};

impl Store {
    /// Returns how much is kept on disk.
    ///
    /// # Errors
    /// [`StoreError::Manifest`].
    pub async fn size(&self) -> Result<Size, StoreError> {
        let size = self
            .shared
            .journal
            .transact(|tx| {
                tx.query_row(
                    "SELECT count(DISTINCT series), coalesce(sum(rows), 0), coalesce(sum(bytes), 0) FROM market_segments",
                    [],
                    |row| Ok(Size { series: row.get(0)?, rows: row.get(1)?, bytes: row.get(2)? }),
                )
            })
            .await?;
        Ok(size.unwrap_or_default())
    }

    /// Removes series that were used longest ago until at most `max_bytes` are on disk; returns how many.
    ///
    /// # Errors
    /// [`StoreError::Manifest`].
    pub async fn prune(&self, max_bytes: u64) -> Result<u64, StoreError> {
        let used = self.used_since();
        let gone = self
            .shared
            .journal
            .transact(move |tx| {
                for (id, uses_since) in used {
                    let at_us = tx.now().as_microsecond().saturating_sub(uses_since);
                    let sql = "UPDATE market_series SET used_us = ?2 WHERE id = ?1";
                    tx.execute(sql, params![id, at_us])?;
                }
                let all = tx.query(
                    "SELECT id, identity, (SELECT coalesce(sum(bytes), 0) FROM market_segments WHERE series = id)
                     FROM market_series ORDER BY used_us DESC, id DESC",
                    [],
                    |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, u64>(2)?)),
                )?;
                let mut kept = 0_u64;
                let mut gone = Vec::new();
                for (id, identity, bytes) in all {
                    kept = kept.saturating_add(bytes);
                    if kept <= max_bytes {
                        continue;
                    }
                    let files = tx.query(
                        "SELECT slot, digest FROM market_segments WHERE series = ?1 AND digest IS NOT NULL",
                        [id],
                        |row| Ok(name(id, row.get(0)?, &row.get::<_, String>(1)?)),
                    )?;
                    tx.execute("DELETE FROM market_segments WHERE series = ?1", [id])?;
                    tx.execute("DELETE FROM market_revisions WHERE series = ?1", [id])?;
                    tx.execute("DELETE FROM market_series WHERE id = ?1", [id])?;
                    gone.push((identity, files));
                }
                Ok(gone)
            })
            .await?;
        for (identity, files) in &gone {
            self.open_series().remove(identity);
            for file in files {
                drop(std::fs::remove_file(self.shared.dir.join(file)));
            }
        }
        Ok(gone.len() as u64)
    }

    /// Returns the series that were used since this was last asked, with how many uses came after the last of
    /// each: reading one writes nothing down.
    fn used_since(&self) -> Vec<(i64, i64)> {
        let now = self.shared.tick.load(Ordering::Relaxed);
        let last = self.shared.pruned_at.swap(now, Ordering::Relaxed).max(1);
        let open = self.open_series();
        let uses = open.values().filter_map(|series| {
            let used = series.used.load(Ordering::Relaxed);
            let since = i64::try_from(now.saturating_sub(used)).unwrap_or(i64::MAX);
            (used >= last).then_some((series.id, since))
        });
        uses.collect()
    }
}
