//! Retention and erasure: what may leave the journal, and how the chain goes on verifying.
//!
//! Pruning takes events away from the front, oldest first. The hash of the last one that went is kept
//! as the anchor: verification starts there. It happens in pieces, so that nobody waits long for the
//! writer, and the anchor moves with each piece. What it never takes: the newest `keep_last` events,
//! and an event that a consumer's cursor has not passed yet ([`Tx::drop_cursor`] ends a consumer).
//! The file does not shrink; its free pages are used again. A backup copies them too.
//!
//! Erasing takes the body of an event away and leaves its envelope: a tombstone. Body and salt are
//! overwritten in the store, then the log is emptied, which also held them. What it cannot reach:
//! backups, rooms' own tables, subjects and keys, blocks that the file system has given to others.

use std::ops::ControlFlow;
use std::time::Duration;

use rusqlite::OptionalExtension as _;
use tokio::sync::oneshot;
use tradewind_core::payload::{PayloadErased, RangePruned};
use tradewind_core::{Draft, Seq};

use crate::chain::{self, Hash};
use crate::error::{AppendError, ReadError, TxError};
use crate::journal::Journal;
use crate::layout;
use crate::reader::{Reader, clamp};
use crate::tx::Tx;
use crate::writer::Job;

/// Events removed in one transaction: a few milliseconds.
const PIECE: u64 = 2000;
/// What a row takes beside its body, subject and key, in bytes: numbers, salt, hash, index entries.
const ROW_OVERHEAD_BYTES: i64 = 130;

/// Which events are kept; whatever exceeds one of the limits goes.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Retention {
    /// Events recorded longer ago than this go.
    pub max_age: Option<Duration>,
    /// The oldest events go until about this much of the store's file is in use.
    pub max_bytes: Option<u64>,
    /// This many of the newest events stay whatever the limits say.
    pub keep_last: u64,
}

impl Journal {
    /// Removes what `policy` does not keep; `None` when that is nothing.
    ///
    /// # Errors
    /// [`TxError::Append`] when the journal no longer writes; otherwise what the database said.
    pub async fn prune(&self, policy: Retention) -> Result<Option<RangePruned>, TxError> {
        let reader = self.reader()?;
        let now = self.clock_now();
        let end = crate::off_thread(move || last_to_prune(&reader, &policy, now))
            .await
            .unwrap_or(Err(ReadError::Closed))?;
        loop {
            let step = self.transact(move |tx| tx.prune_piece(end)).await?;
            if let ControlFlow::Break(pruned) = step {
                return Ok(pruned);
            }
        }
    }

    /// Erases the bodies of `seqs` and returns the event that says so.
    ///
    /// # Errors
    /// [`TxError::Refused`] when an event is not there or its body is erased already; nothing is erased
    /// then. [`TxError::LogHeld`] when the bodies are erased, but a reader has kept the log from being
    /// emptied for two seconds; it is emptied as soon as the journal is idle.
    pub async fn erase(&self, seqs: Vec<Seq>, reason: String) -> Result<Seq, TxError> {
        let seq = self.transact(move |tx| tx.erase(&seqs, reason)).await?;
        let (reply, answer) = oneshot::channel();
        self.send(Job::EmptyLog(reply)).await?;
        match answer.await {
            Ok(true) => Ok(seq),
            Ok(false) => Err(TxError::LogHeld { seq }),
            Err(_gone) => Err(self.unanswered().into()),
        }
    }
}

/// Finds the last event that `policy` does not keep.
fn last_to_prune(
    reader: &Reader,
    policy: &Retention,
    now: jiff::Timestamp,
) -> Result<Seq, ReadError> {
    let mut end = Seq::ZERO;
    if let Some(max_age) = policy.max_age {
        // An age beyond the beginning of time keeps everything.
        if let Ok(oldest) = now.checked_sub(max_age) {
            end = end.max(reader.last_recorded_before(oldest)?);
        }
    }
    if let Some(max_bytes) = policy.max_bytes {
        end = end.max(reader.last_beyond(max_bytes)?);
    }
    let newest_to_go = Seq(reader.last()?.0.saturating_sub(policy.keep_last));
    Ok(end.min(newest_to_go))
}

impl Reader {
    /// Finds the last of the oldest events that have to go so that `max_bytes` of the file are in use.
    fn last_beyond(&self, max_bytes: u64) -> Result<Seq, ReadError> {
        let pragma = |name| {
            self.conn
                .pragma_query_value(None, name, |row| row.get::<_, i64>(0))
        };
        let used = (pragma("page_count")? - pragma("freelist_count")?) * pragma("page_size")?;
        let mut excess = used.saturating_sub(clamp(max_bytes));
        let mut end = Seq::ZERO;
        if excess <= 0 {
            return Ok(end);
        }
        let mut statement = self.conn.prepare_cached(
            "SELECT seq, octet_length(subject) + 2 * coalesce(octet_length(key), 0) + coalesce(octet_length(data), 0)
             FROM events ORDER BY seq",
        )?;
        let mut rows = statement.query([])?;
        while excess > 0
            && let Some(row) = rows.next()?
        {
            end = Seq(row.get(0)?);
            excess -= row.get::<_, i64>(1)? + ROW_OVERHEAD_BYTES;
        }
        Ok(end)
    }
}

impl Tx<'_> {
    /// Ends a consumer: its cursor is forgotten and no longer keeps events from being pruned.
    ///
    /// # Errors
    /// [`TxError::Sqlite`] when the database refuses.
    pub fn drop_cursor(&mut self, consumer: &str) -> Result<bool, TxError> {
        let dropped = self.own("DELETE FROM cursors WHERE consumer = ?1", [consumer])?;
        Ok(dropped > 0)
    }

    /// Removes the next piece of what lies before or at `end`; the last piece journals the whole.
    ///
    /// Goes on when there is more to do; breaks with `None` when there was nothing to remove at all.
    fn prune_piece(&mut self, end: Seq) -> Result<ControlFlow<Option<RangePruned>>, TxError> {
        let slowest = self.own_row("SELECT min(seq) FROM cursors", [], |row| {
            row.get::<_, Option<u64>>(0)
        })?;
        let end = end
            .min(slowest.flatten().map_or(end, Seq))
            .min(self.head.last);
        // Survives a crash between two pieces, so that the event tells the whole range.
        let begun = self.own_row(
            "SELECT value FROM meta WHERE name = 'prune_first'",
            [],
            |row| row.get::<_, u64>(0),
        )?;
        let first = begun.map_or(self.head.pruned.next(), Seq);
        if end > self.head.pruned {
            let piece_end = end.min(Seq(self.head.pruned.0 + PIECE));
            let hash: Hash = self
                .conn
                .prepare_cached("SELECT hash FROM events WHERE seq = ?1")?
                .query_row([clamp(piece_end.0)], |row| row.get(0))?;
            self.own("DELETE FROM events WHERE seq <= ?1", [clamp(piece_end.0)])?;
            let written = layout::set_meta(self.conn, "anchor_seq", clamp(piece_end.0))
                .and_then(|()| layout::set_meta(self.conn, "anchor_hash", hash))
                .and_then(|()| layout::set_meta(self.conn, "prune_first", clamp(first.0)));
            self.watch(written)?;
            self.head.pruned = piece_end;
            if piece_end < end {
                return Ok(ControlFlow::Continue(()));
            }
        } else if begun.is_none() {
            return Ok(ControlFlow::Break(None));
        }
        let anchor = layout::anchor(self.conn)
            .optional()?
            .flatten()
            .ok_or(ReadError::Corrupt {
                seq: self.head.pruned,
                problem: "the chain has no anchor",
            })?;
        let body = RangePruned {
            first,
            last: anchor.seq,
            anchor: chain::to_hex(&anchor.hash),
        };
        self.own("DELETE FROM meta WHERE name = 'prune_first'", [])?;
        let now = self.now();
        self.append(Draft::new(now, &body).map_err(AppendError::Draft)?)?;
        Ok(ControlFlow::Break(Some(body)))
    }

    fn erase(&mut self, seqs: &[Seq], reason: String) -> Result<Seq, TxError> {
        for seq in seqs {
            let body = self.own_row(
                "SELECT salt, data FROM events WHERE seq = ?1",
                [clamp(seq.0)],
                |row| {
                    Ok((
                        row.get::<_, Option<Vec<u8>>>(0)?,
                        row.get::<_, Option<String>>(1)?,
                    ))
                },
            )?;
            let digest = match body {
                None => {
                    return Err(TxError::Refused {
                        reason: format!("event {seq} is not in the journal"),
                    });
                }
                Some((Some(salt), Some(data))) => chain::digest(&salt, data.as_bytes()),
                Some(_) => {
                    return Err(TxError::Refused {
                        reason: format!("the body of event {seq} is erased already"),
                    });
                }
            };
            self.own(
                "UPDATE events SET data = NULL, salt = NULL, digest = ?2 WHERE seq = ?1",
                rusqlite::params![clamp(seq.0), digest],
            )?;
        }
        let now = self.now();
        let body = PayloadErased {
            events: seqs.to_vec(),
            reason,
        };
        self.append(Draft::new(now, &body).map_err(AppendError::Draft)?)
    }
}
