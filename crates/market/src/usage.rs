//! Usage: who asked whom for what, how often a provider had to be asked for it, and what that saved.
//!
//! Why in batches: a single answer is no event; counting it must cost nothing. Counts are kept in memory
//! and added to the store's table twice a second and at the end; a crash loses the last of them,
//! never a unit of quota, which `quota` writes down by itself. Not here: limits and what is left of them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use tradewind_journal::rusqlite::{Row, params};
use tradewind_journal::{Journal, ReadError, Reader, TxError};

/// How often counts are written down.
const EVERY: Duration = Duration::from_millis(500);
/// Upper bound on different counts between two writings; what is beyond it is counted for `others`.
const MAX_COUNTS: usize = 4_096;

/// How [`Whose::what`] begins for a call in a provider's own words; the id of its endpoint follows, or `other`.
pub const PASSED: &str = "pass ";

/// What is counted apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Whose {
    /// Day, UTC, as `2024-01-31`.
    pub day: String,
    /// Who asked.
    pub consumer: String,
    /// Who was to be asked for it.
    pub provider: String,
    /// What for: `bars 1d`, or `pass klines` for a call in the provider's own words.
    pub what: String,
}

/// Counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Questions that were answered.
    pub answers: u64,
    /// Answers that needed no call.
    pub hits: u64,
    /// Calls to the provider.
    pub calls: u64,
    /// Rows that were handed out.
    pub rows: u64,
    /// Questions that had no answer.
    pub failures: u64,
}

impl Counts {
    /// Returns the calls that were not needed: one for each question is what asking every time costs.
    pub fn saved(&self) -> u64 {
        self.answers.saturating_sub(self.calls)
    }

    /// Adds others.
    pub fn add(&mut self, other: Self) {
        self.answers += other.answers;
        self.hits += other.hits;
        self.calls += other.calls;
        self.rows += other.rows;
        self.failures += other.failures;
    }
}

/// Counts of one consumer at one door, for where an answer takes microseconds: no lock, no text.
#[derive(Debug, Default)]
pub struct Tally {
    answers: AtomicU64,
    hits: AtomicU64,
    calls: AtomicU64,
    failures: AtomicU64,
    /// When it was counted last, in seconds; the day of all that is written down at once.
    last: AtomicI64,
}

impl Tally {
    /// Counts one question; rows are not counted here.
    pub fn count(&self, at: Timestamp, counts: Counts) {
        self.last.store(at.as_second(), Ordering::Relaxed);
        for (counter, more) in [
            (&self.answers, counts.answers),
            (&self.hits, counts.hits),
            (&self.calls, counts.calls),
            (&self.failures, counts.failures),
        ] {
            if more > 0 {
                counter.fetch_add(more, Ordering::Relaxed);
            }
        }
    }

    fn take(&self) -> Counts {
        let take = |counter: &AtomicU64| counter.swap(0, Ordering::Relaxed);
        Counts {
            answers: take(&self.answers),
            hits: take(&self.hits),
            calls: take(&self.calls),
            rows: 0,
            failures: take(&self.failures),
        }
    }
}

/// A tally, and whose it is.
#[derive(Debug)]
struct Kept {
    consumer: String,
    provider: String,
    what: String,
    tally: Arc<Tally>,
}

/// Counts what is asked. Cheap to clone; clones share the counts.
#[derive(Clone, Debug)]
pub struct Usage {
    journal: Journal,
    counts: Arc<Mutex<BTreeMap<Whose, Counts>>>,
    tallies: Arc<Mutex<Vec<Kept>>>,
}

impl Usage {
    /// Counts into the tables that [`crate::Store::open`] made.
    pub fn new(journal: Journal) -> Self {
        Self {
            journal,
            counts: Arc::default(),
            tallies: Arc::default(),
        }
    }

    /// Returns the tally of a consumer at one door, to be held for as long as the door is open. What is beyond
    /// the bound on different counts is counted for `others`.
    pub fn tally(&self, consumer: &str, provider: &str, what: &str) -> Arc<Tally> {
        let mut tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        let consumer = if tallies.len() < MAX_COUNTS {
            consumer
        } else {
            "others"
        };
        let same = |kept: &&Kept| {
            kept.consumer == consumer && kept.provider == provider && kept.what == what
        };
        if let Some(kept) = tallies.iter().find(same) {
            return Arc::clone(&kept.tally);
        }
        let tally = Arc::<Tally>::default();
        tallies.push(Kept {
            consumer: consumer.to_owned(),
            provider: provider.to_owned(),
            what: what.to_owned(),
            tally: Arc::clone(&tally),
        });
        tally
    }

    /// Puts what the tallies have counted to the other counts.
    fn gather(&self) {
        let tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        for kept in tallies.iter() {
            let counts = kept.tally.take();
            let last = Timestamp::from_second(kept.tally.last.load(Ordering::Relaxed));
            if let Ok(last) = last
                && counts != Counts::default()
            {
                self.count(last, &kept.consumer, &kept.provider, &kept.what, counts);
            }
        }
    }

    /// Counts one question.
    pub fn count(&self, at: Timestamp, consumer: &str, provider: &str, what: &str, counts: Counts) {
        let whose = Whose {
            day: at.to_zoned(TimeZone::UTC).date().to_string(),
            consumer: consumer.to_owned(),
            provider: provider.to_owned(),
            what: what.to_owned(),
        };
        let mut all = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let whose = if all.len() < MAX_COUNTS || all.contains_key(&whose) {
            whose
        } else {
            Whose {
                consumer: "others".to_owned(),
                ..whose
            }
        };
        all.entry(whose).or_default().add(counts);
    }

    /// Adds what was counted since to the table.
    ///
    /// # Errors
    /// [`TxError`]; the counts are kept for the next time.
    pub async fn flush(&self) -> Result<(), TxError> {
        self.gather();
        let counts =
            std::mem::take(&mut *self.counts.lock().unwrap_or_else(PoisonError::into_inner));
        if counts.is_empty() {
            return Ok(());
        }
        let added = counts.clone();
        let written = self
            .journal
            .transact(move |tx| {
                for (whose, counts) in &added {
                    tx.execute(
                        "INSERT INTO market_usage (day, consumer, provider, what, answers, hits, calls, rows, failures)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
                         ON CONFLICT DO UPDATE SET answers = answers + excluded.answers, hits = hits + excluded.hits,
                         calls = calls + excluded.calls, rows = rows + excluded.rows, failures = failures + excluded.failures",
                        params![
                            whose.day,
                            whose.consumer,
                            whose.provider,
                            whose.what,
                            counts.answers,
                            counts.hits,
                            counts.calls,
                            counts.rows,
                            counts.failures
                        ],
                    )?;
                }
                Ok(())
            })
            .await;
        if written.is_err() {
            let mut all = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
            for (whose, counts) in counts {
                all.entry(whose).or_default().add(counts);
            }
        }
        written
    }

    /// Writes counts down now and then, until `shutdown`, and then once more.
    pub async fn keep(&self, shutdown: CancellationToken) {
        loop {
            let is_over = tokio::select! {
                // Cancel-safe, both: they only wait.
                () = tokio::time::sleep(EVERY) => false,
                () = shutdown.cancelled() => true,
            };
            if let Err(error) = self.flush().await {
                tracing::warn!(%error, "usage cannot be written down yet");
            }
            if is_over {
                return;
            }
        }
    }
}

/// Returns what was counted from `first_day` (`2024-01-31`) on, day by day.
///
/// # Errors
/// [`ReadError`] when the store cannot be read; nothing was counted where there are no tables yet.
pub fn read(reader: &Reader, first_day: &str) -> Result<Vec<(Whose, Counts)>, ReadError> {
    let has_table = reader.query(
        "SELECT 1 FROM sqlite_schema WHERE name = 'market_usage'",
        [],
        |row| row.get::<_, i64>(0),
    )?;
    if has_table.is_empty() {
        return Ok(Vec::new());
    }
    reader.query(
        "SELECT day, consumer, provider, what, answers, hits, calls, rows, failures FROM market_usage
         WHERE day >= ?1 ORDER BY day, consumer, provider, what",
        [first_day],
        counted,
    )
}

fn counted(row: &Row<'_>) -> tradewind_journal::rusqlite::Result<(Whose, Counts)> {
    let whose = Whose {
        day: row.get(0)?,
        consumer: row.get(1)?,
        provider: row.get(2)?,
        what: row.get(3)?,
    };
    let counts = Counts {
        answers: row.get(4)?,
        hits: row.get(5)?,
        calls: row.get(6)?,
        rows: row.get(7)?,
        failures: row.get(8)?,
    };
    Ok((whose, counts))
}
