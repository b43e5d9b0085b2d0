//! Where bars are kept: one Arrow file for each stretch of a series, and their manifest in the journal's store.
//!
//! Why files beside a manifest: bars are large and rewritten in stretches, while what is known of them must
//! change in the same moment as the bars. A stretch is written under the digest of its content, flushed, and
//! only then named by the manifest, with its coverage, in one transaction; a crash leaves a file that
//! nobody names, which the next start removes.
//! What was learned holds in memory at once. When the disk refuses, serving goes on, and the stretch is
//! written with the next answer. First start: nothing is known. A damaged file is forgotten, with its coverage.
//! Not here: whom to ask for what is missing ([`crate::service`]).

mod imports;
mod manifest;
mod prune;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tradewind_host::files::{self, FileError, Mode};
use tradewind_journal::rusqlite::params;
use tradewind_journal::{Journal, TxError};

use crate::coverage::{Answered, Coverage, Known};
use crate::grid::Key;
use crate::rows::{Rows, RowsError};
pub use imports::{ImportNote, ImportState};
use manifest::{STEPS, digest, name, read_coverage, segment_row, sweep, write_coverage};

const NAMESPACE: &str = "market";

/// Keys of one stretch. Minutes of eleven days: small enough to write anew with each closing bar.
const STRETCH: Key = 16_384;
/// Upper bound on a file of a stretch.
const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;
/// Upper bound on the bars that stay in memory, in bytes.
const MAX_MEMORY_BYTES: usize = 256 * 1024 * 1024;
/// Upper bound on the revisions that one answer writes down.
const MAX_REVISIONS: usize = 1_000;

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The manifest cannot be read or written.
    #[error("the manifest of market data cannot be used")]
    Manifest(#[from] TxError),
    /// A file cannot be read or written.
    #[error("a file of market data cannot be used")]
    File(#[from] FileError),
    /// The content of a file cannot be made.
    #[error("market data cannot be encoded")]
    Rows(#[from] RowsError),
    /// A thread for it cannot be had.
    #[error("no thread for the files of market data")]
    Thread,
}

/// What was learned from an answer.
#[derive(Debug, Default)]
pub struct Gained {
    /// Bars that were not held before.
    pub new: u64,
    /// Held bars whose values are others now.
    pub revised: Vec<Key>,
    /// Held bars that an answer which vouches for them no longer has.
    pub vanished: Vec<Range<Key>>,
    /// Why it is only in memory so far.
    pub unsaved: Option<StoreError>,
}

/// How much is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Series.
    pub series: u64,
    /// Bars.
    pub rows: u64,
    /// Bytes on disk.
    pub bytes: u64,
}

/// The bars of every series. Cheap to clone; clones share everything.
#[derive(Clone, Debug)]
pub struct Store {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    journal: Journal,
    dir: PathBuf,
    open: Mutex<HashMap<String, Arc<Series>>>,
    memory: AtomicUsize,
    tick: AtomicU64,
    /// What `tick` was when the store was last pruned.
    pruned_at: AtomicU64,
    /// Why the last answer could not be written down.
    refused: Mutex<Option<String>>,
}

/// One series, as far as it is known.
#[derive(Debug)]
pub struct Series {
    id: i64,
    identity: String,
    state: Mutex<State>,
    /// One answer after the other is written down.
    writing: tokio::sync::Mutex<()>,
    used: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    coverage: Coverage,
    segments: BTreeMap<Key, Segment>,
    /// Stretches that memory knows better than the disk.
    unsaved: BTreeSet<Key>,
}

#[derive(Clone, Debug, Default)]
struct Segment {
    digest: Option<String>,
    rows: Option<Arc<Rows>>,
}

struct Draft {
    slot: Key,
    digest: Option<String>,
    bytes: Vec<u8>,
    rows: usize,
    coverage: String,
}

impl Series {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what it is, as [`Store::series`] was told.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// Returns the parts of `asked` that nothing is known of.
    pub fn gaps(&self, asked: &Range<Key>) -> Vec<Range<Key>> {
        self.state().coverage.gaps(asked)
    }

    /// Returns the first bar that may still change; `None` before the first answer.
    pub fn final_before(&self) -> Option<Key> {
        self.state().coverage.final_before()
    }

    /// Returns what is known of one bar.
    pub fn of(&self, key: Key) -> Option<Known> {
        self.state().coverage.of(key)
    }
}

impl Store {
    /// Makes or migrates the tables and removes files that nobody names; blocks the calling thread. The
    /// files lie in `dir`.
    ///
    /// # Errors
    /// [`StoreError`] when the manifest cannot be used or the folder cannot be made.
    pub fn open(journal: Journal, dir: PathBuf) -> Result<Self, StoreError> {
        journal.migrate(NAMESPACE, STEPS)?;
        std::fs::create_dir_all(&dir).map_err(|source| {
            StoreError::File(FileError::Io {
                what: "make",
                path: dir.clone(),
                source,
            })
        })?;
        let named = journal.transact_blocking(|tx| {
            // An answer may have come for a series that was being pruned.
            tx.execute(
                "DELETE FROM market_segments WHERE series NOT IN (SELECT id FROM market_series)",
                [],
            )?;
            tx.query(
                "SELECT series, slot, digest FROM market_segments WHERE digest IS NOT NULL",
                [],
                |row| Ok(name(row.get(0)?, row.get(1)?, &row.get::<_, String>(2)?)),
            )
        })?;
        sweep(&dir, &named.into_iter().collect());
        Ok(Self {
            shared: Arc::new(Shared {
                journal,
                dir,
                open: Mutex::default(),
                memory: AtomicUsize::new(0),
                tick: AtomicU64::new(1),
                pruned_at: AtomicU64::new(0),
                refused: Mutex::default(),
            }),
        })
    }

    /// Returns a series by its identity, making it when there is none.
    ///
    /// # Errors
    /// [`StoreError::Manifest`].
    pub async fn series(&self, identity: &str) -> Result<Arc<Series>, StoreError> {
        if let Some(series) = self.opened(identity) {
            return Ok(series);
        }
        let wanted = identity.to_owned();
        let (id, final_before, segments) = self
            .shared
            .journal
            .transact(move |tx| {
                tx.execute(
                    "INSERT INTO market_series (identity, used_us) VALUES (?1, ?2)
                     ON CONFLICT (identity) DO UPDATE SET used_us = excluded.used_us",
                    params![wanted, tx.now().as_microsecond()],
                )?;
                let found = tx.query_row(
                    "SELECT id, final_before FROM market_series WHERE identity = ?1",
                    [&wanted],
                    |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<Key>>(1)?)),
                )?;
                let (id, final_before) = found.unwrap_or_default();
                let segments = tx.query(
                    "SELECT slot, digest, coverage FROM market_segments WHERE series = ?1",
                    [id],
                    segment_row,
                )?;
                Ok((id, final_before, segments))
            })
            .await?;
        let mut state = State::default();
        let mut known = Vec::new();
        for (slot, digest, coverage) in segments {
            known.extend(read_coverage(&coverage));
            state.segments.insert(slot, Segment { digest, rows: None });
        }
        state.coverage = Coverage::of_parts(known, final_before);
        let series = Arc::new(Series {
            id,
            identity: identity.to_owned(),
            state: Mutex::new(state),
            writing: tokio::sync::Mutex::default(),
            used: AtomicU64::new(0),
        });
        let mut open = self.open_series();
        // Somebody else may have been as quick.
        Ok(Arc::clone(
            open.entry(identity.to_owned()).or_insert(series),
        ))
    }

    fn opened(&self, identity: &str) -> Option<Arc<Series>> {
        self.open_series().get(identity).map(Arc::clone)
    }

    fn open_series(&self) -> MutexGuard<'_, HashMap<String, Arc<Series>>> {
        self.shared
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a series is in use.
    fn touch(&self, series: &Series) {
        let tick = self.shared.tick.fetch_add(1, Ordering::Relaxed);
        series.used.store(tick, Ordering::Relaxed);
    }

    /// Returns the held bars of a span.
    ///
    /// # Errors
    /// [`StoreError::Thread`]. A file that cannot be read is no error: its bars are unknown from then on.
    pub async fn rows(&self, series: &Arc<Series>, span: Range<Key>) -> Result<Rows, StoreError> {
        self.touch(series);
        if let Some(rows) = loaded(series, &span) {
            return Ok(rows);
        }
        self.read(series, span.clone()).await?;
        Ok(loaded(series, &span).unwrap_or_default())
    }

    /// Reads the stretches of a span into memory.
    async fn read(&self, series: &Arc<Series>, span: Range<Key>) -> Result<(), StoreError> {
        let (store, series) = (self.clone(), Arc::clone(series));
        tokio::task::spawn_blocking(move || {
            store.load(&series, &span);
            store.bound_memory();
        })
        .await
        .map_err(|_panicked| StoreError::Thread)
    }

    /// Reads the stretches of a span that are not in memory.
    fn load(&self, series: &Series, span: &Range<Key>) {
        let missing: Vec<(Key, String)> = {
            let state = series.state();
            let inside = state
                .segments
                .range(slot_of(span.start)..=slot_of(span.end));
            let missing = inside.filter_map(|(slot, segment)| match segment {
                Segment {
                    digest: Some(digest),
                    rows: None,
                } => Some((*slot, digest.clone())),
                Segment { .. } => None,
            });
            missing.collect()
        };
        for (slot, digest) in missing {
            let path = self.shared.dir.join(name(series.id, slot, &digest));
            let read = read_segment(&path, &digest);
            let mut state = series.state();
            let Some(segment) = state.segments.get_mut(&slot) else {
                continue;
            };
            if segment.rows.is_some() || segment.digest.as_deref() != Some(&digest) {
                continue;
            }
            if let Some(rows) = read {
                self.shared
                    .memory
                    .fetch_add(rows.bytes(), Ordering::Relaxed);
                segment.rows = Some(Arc::new(rows));
            } else {
                tracing::warn!(path = %path.display(), "a file of market data is missing or damaged: its bars are fetched again");
                state.segments.insert(slot, Segment::default());
                state.coverage.forget(keys_of(slot));
                state.unsaved.insert(slot);
            }
        }
    }

    /// Forgets bars in memory that are on disk too, of series that were used longest ago first.
    fn bound_memory(&self) {
        if self.shared.memory.load(Ordering::Relaxed) <= MAX_MEMORY_BYTES {
            return;
        }
        let mut all: Vec<_> = self.open_series().values().map(Arc::clone).collect();
        all.sort_by_key(|series| series.used.load(Ordering::Relaxed));
        // The newest one was asked for just now.
        all.pop();
        for series in all {
            let mut state = series.state();
            let State {
                segments, unsaved, ..
            } = &mut *state;
            for (slot, segment) in segments {
                if unsaved.contains(slot) {
                    continue;
                }
                if let Some(rows) = segment.rows.take() {
                    self.shared
                        .memory
                        .fetch_sub(rows.bytes(), Ordering::Relaxed);
                }
            }
            if self.shared.memory.load(Ordering::Relaxed) <= MAX_MEMORY_BYTES {
                return;
            }
        }
    }

    /// Takes over what an answer proves and the final bars that it holds.
    ///
    /// # Errors
    /// [`StoreError::Thread`]. What the disk refuses is told in [`Gained::unsaved`] and kept in memory.
    pub async fn learn(
        &self,
        series: &Arc<Series>,
        answered: &Answered,
        bars: Rows,
    ) -> Result<Gained, StoreError> {
        let _one_after_the_other = series.writing.lock().await;
        self.touch(series);
        let span = bars
            .keys()
            .first()
            .zip(bars.keys().last())
            .map(|(a, b)| *a..b + 1);
        if let Some(span) = &span {
            self.read(series, span.clone()).await?;
        }
        let mut gained = Gained::default();
        let mut revisions = Vec::new();
        {
            let mut state = series.state();
            let learned = state.coverage.learn(answered);
            gained.new = learned.new;
            gained.vanished = learned.vanished;
            for slot in slots(&answered.vouched) {
                state.unsaved.insert(slot);
            }
            for slot in span.iter().flat_map(slots) {
                let bars = bars.slice(&keys_of(slot));
                let segment = state.segments.entry(slot).or_default();
                let held = segment.rows.take().unwrap_or_default();
                let (merged, revised) = held.overlaid(&bars);
                let grown = merged.bytes().saturating_sub(held.bytes());
                self.shared.memory.fetch_add(grown, Ordering::Relaxed);
                for key in &revised {
                    revisions.push((*key, said(&held, *key), said(&merged, *key)));
                }
                segment.rows = Some(Arc::new(merged));
                gained.revised.extend(revised);
                state.unsaved.insert(slot);
            }
        }
        revisions.truncate(MAX_REVISIONS);
        gained.unsaved = self.save(series, revisions).await.err();
        *self.refused_slot() = gained.unsaved.as_ref().map(told);
        if let Some(error) = &gained.unsaved {
            tracing::warn!(%error, "market data cannot be written down: it is kept in memory");
        }
        self.bound_memory();
        Ok(gained)
    }

    /// Says why the last answer is only in memory; none when it is on disk.
    pub fn refused(&self) -> Option<String> {
        self.refused_slot().clone()
    }

    fn refused_slot(&self) -> MutexGuard<'_, Option<String>> {
        let refused = &self.shared.refused;
        refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets the bars of some spans and what is known of them, in one transaction.
    ///
    /// # Errors
    /// [`StoreError`] when the disk refuses; they are forgotten in memory all the same.
    pub async fn forget(
        &self,
        series: &Arc<Series>,
        spans: &[Range<Key>],
    ) -> Result<(), StoreError> {
        let _one_after_the_other = series.writing.lock().await;
        for span in spans {
            self.read(series, span.clone()).await?;
            let mut state = series.state();
            let State {
                segments,
                unsaved,
                coverage,
            } = &mut *state;
            // A stretch that is known to be empty has no segment until it was read from disk.
            unsaved.extend(coverage.parts(span).flat_map(|(part, _)| slots(&part)));
            coverage.forget(span.clone());
            for (slot, segment) in segments {
                let keys = keys_of(*slot);
                if keys.end <= span.start || span.end <= keys.start {
                    continue;
                }
                if let Some(rows) = &segment.rows {
                    let before = rows.slice(&(keys.start..span.start));
                    let after = rows.slice(&(span.end..keys.end));
                    segment.rows = Some(Arc::new(before.overlaid(&after).0));
                }
                unsaved.insert(*slot);
            }
        }
        self.save(series, Vec::new()).await
    }

    /// Writes down every stretch that memory knows better.
    async fn save(
        &self,
        series: &Arc<Series>,
        revisions: Vec<(Key, String, String)>,
    ) -> Result<(), StoreError> {
        let (store, of) = (self.clone(), Arc::clone(series));
        let drafts = tokio::task::spawn_blocking(move || store.write_files(&of))
            .await
            .map_err(|_panicked| StoreError::Thread)??;
        let (id, identity) = (series.id, series.identity.clone());
        let final_before = series.final_before();
        let rows: Vec<_> = drafts
            .iter()
            .map(|d| {
                (
                    d.slot,
                    d.digest.clone(),
                    d.rows,
                    d.bytes.len(),
                    d.coverage.clone(),
                )
            })
            .collect();
        self.shared
            .journal
            .transact(move |tx| {
                let at_us = tx.now().as_microsecond();
                let named = tx.execute(
                    "UPDATE market_series SET final_before = ?2, used_us = ?3 WHERE id = ?1 AND identity = ?4",
                    params![id, final_before, at_us, identity],
                )?;
                if named == 0 {
                    // It was pruned meanwhile, and its number may be another's by now.
                    return Ok(());
                }
                for (slot, digest, rows, bytes, coverage) in rows {
                    tx.execute(
                        "INSERT OR REPLACE INTO market_segments (series, slot, digest, rows, bytes, coverage)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                        params![id, slot, digest, rows, bytes, coverage],
                    )?;
                }
                for (key, was, now) in revisions {
                    tx.execute(
                        "INSERT OR REPLACE INTO market_revisions (series, key, at_us, was, now)
                         VALUES (?1, ?2, ?3, ?4, ?5)",
                        params![id, key, at_us, was, now],
                    )?;
                }
                Ok(())
            })
            .await?;
        let mut old = Vec::new();
        {
            let mut state = series.state();
            for draft in &drafts {
                state.unsaved.remove(&draft.slot);
                if let Some(segment) = state.segments.get_mut(&draft.slot)
                    && segment.digest != draft.digest
                {
                    old.extend(
                        segment
                            .digest
                            .take()
                            .map(|digest| name(id, draft.slot, &digest)),
                    );
                    segment.digest.clone_from(&draft.digest);
                }
            }
        }
        for name in old {
            // What stays behind, the next start removes.
            drop(std::fs::remove_file(self.shared.dir.join(name)));
        }
        Ok(())
    }

    fn write_files(&self, series: &Series) -> Result<Vec<Draft>, StoreError> {
        let mut drafts = Vec::new();
        let unsaved: Vec<Key> = series.state().unsaved.iter().copied().collect();
        for slot in unsaved {
            self.load(series, &keys_of(slot));
            let (rows, coverage) = {
                let state = series.state();
                let rows = state
                    .segments
                    .get(&slot)
                    .and_then(|segment| segment.rows.clone());
                (rows, write_coverage(&state.coverage, &keys_of(slot)))
            };
            let mut draft = Draft {
                slot,
                digest: None,
                bytes: Vec::new(),
                rows: 0,
                coverage,
            };
            if let Some(rows) = rows.filter(|rows| !rows.is_empty()) {
                draft.rows = rows.len();
                draft.bytes = rows.encode()?;
                let digest = digest(&draft.bytes);
                let path = self.shared.dir.join(name(series.id, slot, &digest));
                draft.digest = Some(digest);
                if !path.exists() {
                    files::atomic_write(&path, &draft.bytes, Mode::Keep)?;
                }
            }
            drafts.push(draft);
        }
        Ok(drafts)
    }
}

/// Says why, with what lies beneath it.
fn told(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(beneath) = source {
        text.push_str(&format!(": {beneath}"));
        source = beneath.source();
    }
    text
}

/// Returns the bars of a span when all its stretches are in memory.
fn loaded(series: &Series, span: &Range<Key>) -> Option<Rows> {
    let parts: Vec<Arc<Rows>> = {
        let state = series.state();
        let mut parts = Vec::new();
        for (_, segment) in state
            .segments
            .range(slot_of(span.start)..=slot_of(span.end))
        {
            match segment {
                Segment {
                    rows: Some(rows), ..
                } => parts.push(Arc::clone(rows)),
                Segment { digest: None, .. } => {}
                Segment { .. } => return None,
            }
        }
        parts
    };
    let places = parts.iter().map(|rows| rows.places(span).len());
    let mut all = Rows::with_capacity(places.sum());
    for rows in parts {
        all.append(&rows, span);
    }
    Some(all)
}

fn read_segment(path: &Path, named: &str) -> Option<Rows> {
    let bytes = files::read_bounded(path, MAX_FILE_BYTES).ok()?;
    if digest(&bytes) != named {
        return None;
    }
    Rows::decode(&bytes).ok()
}

fn slot_of(key: Key) -> Key {
    key.div_euclid(STRETCH)
}

fn keys_of(slot: Key) -> Range<Key> {
    slot * STRETCH..(slot + 1) * STRETCH
}

fn slots(span: &Range<Key>) -> Range<Key> {
    if span.start >= span.end {
        return 0..0;
    }
    slot_of(span.start)..slot_of(span.end - 1) + 1
}

/// Returns what a row says, for the table of revisions.
fn said(rows: &Rows, key: Key) -> String {
    let place = rows.places(&(key..key + 1)).start;
    let words = (0..5).map(|value| {
        let said = rows.exact(place, value);
        said.map_or_else(|| "-".to_owned(), |said| said.to_string())
    });
    words.collect::<Vec<_>>().join(" ")
}
