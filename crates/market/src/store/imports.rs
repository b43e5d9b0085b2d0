//! Imports: what each made known, noted before it is kept, so that it can be taken back.
//!
//! Why spans and not bars: an import never puts anything in the place of what is held, so taking it back is
//! forgetting; what is forgotten is asked for again when somebody wants it. A note is written before the bars, and
//! that an import is being taken back before they go: a crash in between leaves a note too many, never a bar that
//! nobody can take back.
//! When it ends: notes stay, also of what was taken back; the newest [`MAX_NOTES`] are told.

use std::ops::Range;

use jiff::Timestamp;
use serde::Serialize;
use tradewind_journal::rusqlite::{Row, params};

use super::{Series, Store, StoreError};
use crate::grid::Key;

/// Upper bound on the spans of one note; an import in more pieces is noted as one span.
const MAX_SPANS: usize = 10_000;
/// Upper bound on the notes that are told.
const MAX_NOTES: i64 = 1_000;

/// What has become of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ImportState {
    /// Its bars are held.
    Held,
    /// It was being taken back when the program ended; taking it back again ends that.
    Removing,
    /// It was taken back.
    Removed,
}

/// An import, as it was noted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ImportNote {
    /// Its number.
    pub id: i64,
    /// When it was made.
    pub at: Timestamp,
    /// What it was of, in words.
    pub what: String,
    /// How many bars it brought.
    pub bars: u64,
    /// What has become of it.
    pub state: ImportState,
}

impl Store {
    /// Notes what an import is about to make known; returns its number.
    pub(crate) async fn note_import(
        &self,
        series: &Series,
        what: &str,
        spans: &[Range<Key>],
        bars: u64,
    ) -> Result<i64, StoreError> {
        let (identity, what, spans) =
            (series.identity.clone(), what.to_owned(), write_spans(spans));
        let id = self.shared.journal.transact(move |tx| {
            let at_us = tx.now().as_microsecond();
            tx.execute(
                "INSERT INTO market_imports (identity, what, at_us, bars, spans, state) VALUES (?1, ?2, ?3, ?4, ?5, 'held')",
                params![identity, what, at_us, bars, spans],
            )?;
            tx.query_row("SELECT max(id) FROM market_imports", [], |row| row.get::<_, i64>(0))
        });
        Ok(id.await?.unwrap_or_default())
    }

    /// Returns imports, the newest first.
    ///
    /// # Errors
    /// [`StoreError::Manifest`].
    pub async fn imports(&self) -> Result<Vec<ImportNote>, StoreError> {
        let all = self.shared.journal.transact(|tx| {
            tx.query(
                "SELECT id, at_us, what, bars, state FROM market_imports ORDER BY id DESC LIMIT ?1",
                [MAX_NOTES],
                note,
            )
        });
        Ok(all.await?)
    }

    /// Takes an import back: what it made known is unknown again. `None` when there is no such import; one that
    /// was taken back stays so.
    ///
    /// # Errors
    /// [`StoreError`]; it is being taken back then, and may be again.
    pub async fn take_back(&self, id: i64) -> Result<Option<ImportNote>, StoreError> {
        let begun = self.shared.journal.transact(move |tx| {
            tx.execute(
                "UPDATE market_imports SET state = 'removing' WHERE id = ?1 AND state <> 'removed'",
                [id],
            )?;
            tx.query_row(
                "SELECT id, at_us, what, bars, state, identity, spans FROM market_imports WHERE id = ?1",
                [id],
                |row| Ok((note(row)?, row.get::<_, String>(5)?, row.get::<_, String>(6)?)),
            )
        });
        let Some((mut note, identity, spans)) = begun.await? else {
            return Ok(None);
        };
        if note.state == ImportState::Removed {
            return Ok(Some(note));
        }
        let series = self.series(&identity).await?;
        self.forget(&series, &read_spans(&spans)).await?;
        let ended = self.shared.journal.transact(move |tx| {
            let sql = "UPDATE market_imports SET state = 'removed' WHERE id = ?1";
            tx.execute(sql, [id])
        });
        ended.await?;
        note.state = ImportState::Removed;
        Ok(Some(note))
    }
}

fn note(row: &Row<'_>) -> tradewind_journal::rusqlite::Result<ImportNote> {
    let state: String = row.get(4)?;
    Ok(ImportNote {
        id: row.get(0)?,
        at: Timestamp::from_microsecond(row.get(1)?).unwrap_or_default(),
        what: row.get(2)?,
        bars: row.get(3)?,
        state: match state.as_str() {
            "held" => ImportState::Held,
            "removed" => ImportState::Removed,
            _ => ImportState::Removing,
        },
    })
}

/// Writes spans as `start+length`.
fn write_spans(spans: &[Range<Key>]) -> String {
    let hull = spans
        .first()
        .zip(spans.last())
        .map(|(first, last)| first.start..last.end);
    let all = match &hull {
        Some(hull) if spans.len() > MAX_SPANS => std::slice::from_ref(hull),
        _ => spans,
    };
    let words = all
        .iter()
        .map(|span| format!("{}+{}", span.start, span.end - span.start));
    words.collect::<Vec<_>>().join(" ")
}

fn read_spans(text: &str) -> Vec<Range<Key>> {
    let span = |word: &str| {
        let (start, length) = word.split_once('+')?;
        let (start, length): (Key, Key) = (start.parse().ok()?, length.parse().ok()?);
        (length > 0).then(|| start..start.saturating_add(length))
    };
    text.split(' ').filter_map(span).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use rust_decimal::Decimal;
    use tradewind_core::Bar;
    use tradewind_host::clock::SystemClock;
    use tradewind_journal::{Journal, Options};

    use super::*;
    use crate::coverage::Answered;
    use crate::rows::Rows;

    fn one(span: Range<Key>) -> Vec<Range<Key>> {
        std::iter::once(span).collect()
    }

    fn open(dir: &Path) -> Store {
        let journal = Journal::open(Options::new(dir, Arc::new(SystemClock))).unwrap();
        Store::open(journal, dir.join("market")).unwrap()
    }

    async fn learn(store: &Store, series: &Arc<Series>, vouched: Range<Key>, keys: Range<Key>) {
        let mut rows = Rows::default();
        let one = Decimal::ONE;
        for key in keys {
            let bar = Bar {
                start: Timestamp::UNIX_EPOCH,
                open: one,
                high: one,
                low: one,
                close: one,
                volume: None,
                is_final: true,
            };
            rows.push(key, &bar, 7);
        }
        let answered = Answered {
            vouched,
            bars: rows.keys().to_vec(),
            final_before: 100_000,
        };
        store.learn(series, &answered, rows).await.unwrap();
    }

    #[tokio::test]
    async fn taking_back_forgets_what_an_import_brought_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let all = 0..60_000;
        let left = [0..5, 8..60_000];
        {
            let store = open(dir.path());
            let series = store.series("a").await.unwrap();
            learn(&store, &series, 5..8, 5..8).await;
            let gaps = series.gaps(&(0..50_000));
            let id = store.note_import(&series, "a", &gaps, 17).await.unwrap();
            // Its last stretch has no bar at all.
            learn(&store, &series, 0..50_000, 0..20).await;
            assert_eq!(series.gaps(&all), one(50_000..60_000));
            assert_eq!(store.imports().await.unwrap()[0].state, ImportState::Held);
            let note = store.take_back(id).await.unwrap().unwrap();
            assert_eq!((note.bars, note.state), (17, ImportState::Removed));
            assert_eq!(series.gaps(&all), left);
            // What came since is not an import's any more.
            learn(&store, &series, 0..5, 0..5).await;
            store.take_back(id).await.unwrap().unwrap();
            assert_eq!(series.gaps(&all), one(8..60_000));
            assert_eq!(store.take_back(id + 1).await.unwrap(), None);
        }
        let store = open(dir.path());
        let series = store.series("a").await.unwrap();
        assert_eq!(series.gaps(&all), one(8..60_000));
        assert_eq!(
            store.rows(&series, 0..60_000).await.unwrap().keys(),
            [0, 1, 2, 3, 4, 5, 6, 7]
        );
        assert_eq!(
            store.imports().await.unwrap()[0].state,
            ImportState::Removed
        );
    }

    #[tokio::test]
    async fn one_that_was_being_taken_back_when_the_program_ended_can_be_again() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        let series = store.series("a").await.unwrap();
        let id = store
            .note_import(&series, "a", &one(0..9), 9)
            .await
            .unwrap();
        learn(&store, &series, 0..9, 0..9).await;
        let sql = "UPDATE market_imports SET state = 'removing'";
        store
            .shared
            .journal
            .transact(|tx| tx.execute(sql, []))
            .await
            .unwrap();
        assert_eq!(
            store.imports().await.unwrap()[0].state,
            ImportState::Removing
        );
        assert_eq!(series.gaps(&(0..9)), []);
        store.take_back(id).await.unwrap().unwrap();
        assert_eq!(series.gaps(&(0..9)), one(0..9));
    }

    #[test]
    fn spans_are_read_as_they_were_written_and_too_many_become_one() {
        let few = [-7..-3, 0..1, 10..400];
        assert_eq!(read_spans(&write_spans(&few)), few);
        assert_eq!(read_spans(&write_spans(&[])), []);
        let many: Vec<_> = (0..20_000).map(|n| n * 2..n * 2 + 1).collect();
        assert_eq!(read_spans(&write_spans(&many)), one(0..39_999));
    }
}
