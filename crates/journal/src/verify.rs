//! Verifying: is every event still what was appended?
//!
//! When it reports: an event whose hash does not follow from the one before it and from what is
//! stored, a hole, a recorded time that goes backwards, an anchor that does not fit. Stored values are
//! taken as bytes whatever their type, so that damage is reported and does not end the check. The file's
//! own structure is checked first: damage there can hide whole tables, and a chain without events holds.
//! What it cannot see: events missing at the very end, and a chain that was computed anew from some
//! point on by somebody who can write the file. For both, compare the last hash with a backup.

use rusqlite::Row;
use rusqlite::types::ValueRef;
use tradewind_core::{EventKind, Seq};

use crate::chain::{self, Hash, Link};
use crate::error::ReadError;
use crate::layout::{self, Anchor};
use crate::reader::{Reader, clamp};

/// Events read at one go.
const PIECE: usize = 4096;
/// Upper bound on the problems that are listed.
pub const MAX_PROBLEMS: usize = 1000;

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Events that were looked at.
    pub events: u64,
    /// The first of them; zero when there is none.
    pub first: Seq,
    /// The last of them; zero when there is none.
    pub last: Seq,
    /// How many of them have no body any more because it was erased.
    pub erased: u64,
    /// The chain hash of the last event, lower-case hexadecimal: compare it with one kept elsewhere.
    pub hash: String,
    /// What is wrong, in sequence; at most [`MAX_PROBLEMS`].
    pub problems: Vec<ChainProblem>,
}

/// Something that is not as it was appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainProblem {
    /// The event.
    pub seq: Seq,
    /// What is wrong with it.
    pub fault: ChainFault,
}

/// What can be wrong with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChainFault {
    /// It, its hash or the hash before it was changed.
    Altered,
    /// It is missing, perhaps with others after it.
    Missing,
    /// It was recorded before the event before it.
    OutOfTime,
    /// The store names another hash for the last pruned event than the event that tells of the pruning.
    Anchor,
}

impl std::fmt::Display for ChainProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let fault = match self.fault {
            ChainFault::Altered => "it, its hash or the hash before it was changed",
            ChainFault::Missing => "it is missing",
            ChainFault::OutOfTime => "it was recorded before the event before it",
            ChainFault::Anchor => "its hash is not the one noted when it was pruned",
        };
        write!(f, "event {}: {fault}", self.seq)
    }
}

/// Where the check stands.
struct Check {
    seq: Seq,
    hash: Hash,
    recorded_at: i64,
    found: Verified,
}

impl Reader {
    /// Checks every event against the chain and tells `progress` now and then how far it has come.
    ///
    /// # Errors
    /// [`ReadError::Structure`] when the file's structure is damaged; [`ReadError::Sqlite`] when the
    /// database refuses, also because its file is damaged beyond reading.
    pub fn verify(&self, mut progress: impl FnMut(Seq)) -> Result<Verified, ReadError> {
        self.check_structure()?;
        let mut check = self.start_check()?;
        let mut statement = self.conn.prepare_cached(
            "SELECT seq, kinds.name, schema, occurred_at, recorded_at, cause, correlation, subject,
                    repository, key, data, salt, digest, hash
             FROM events LEFT JOIN kinds ON kinds.id = events.kind
             WHERE seq > ?1 ORDER BY seq LIMIT ?2",
        )?;
        loop {
            // One short read each: the log can be emptied in between, and pruning can go on.
            let piece = self.conn.unchecked_transaction()?;
            check.skip_pruned(self.anchor()?);
            let mut rows = statement.query([clamp(check.seq.0), clamp(PIECE as u64)])?;
            let mut count = 0;
            while let Some(row) = rows.next()? {
                count += 1;
                check.event(row)?;
            }
            drop(rows);
            piece.finish()?;
            progress(check.seq);
            if count < PIECE {
                break;
            }
        }
        check.found.hash = chain::to_hex(&check.hash);
        Ok(check.found)
    }

    fn check_structure(&self) -> Result<(), ReadError> {
        let answer: String = self
            .conn
            .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        if answer != "ok" {
            return Err(ReadError::Structure { problem: answer });
        }
        // A letter changed in `INTEGER PRIMARY KEY` is still sound to SQLite, and reads as no events.
        if layout::is_as_built(&self.conn)? {
            return Ok(());
        }
        Err(ReadError::Structure {
            problem: "a table is not defined as this program defines it".to_owned(),
        })
    }

    fn anchor(&self) -> Result<Anchor, ReadError> {
        layout::anchor(&self.conn)?.ok_or(ReadError::Corrupt {
            seq: Seq::ZERO,
            problem: "the chain has no anchor",
        })
    }

    fn start_check(&self) -> Result<Check, ReadError> {
        let anchor = self.anchor()?;
        let mut problems = Vec::new();
        if let Some(pruned) = self.newest(EventKind::JournalRangePruned).ok().flatten()
            && let Ok(body) = pruned.payload::<tradewind_core::payload::RangePruned>()
            && body.last == anchor.seq
            && body.anchor != chain::to_hex(&anchor.hash)
        {
            problems.push(ChainProblem {
                seq: anchor.seq,
                fault: ChainFault::Anchor,
            });
        }
        Ok(Check {
            seq: anchor.seq,
            hash: anchor.hash,
            recorded_at: i64::MIN,
            found: Verified {
                events: 0,
                first: Seq::ZERO,
                last: Seq::ZERO,
                erased: 0,
                hash: String::new(),
                problems,
            },
        })
    }
}

impl Check {
    fn problem(&mut self, seq: Seq, fault: ChainFault) {
        if self.found.problems.len() < MAX_PROBLEMS {
            self.found.problems.push(ChainProblem { seq, fault });
        }
    }

    /// Goes on after what was pruned since the last piece was read.
    fn skip_pruned(&mut self, anchor: Anchor) {
        if anchor.seq > self.seq {
            self.seq = anchor.seq;
            self.hash = anchor.hash;
        }
    }

    fn event(&mut self, row: &Row<'_>) -> rusqlite::Result<()> {
        let seq = Seq(row.get(0)?);
        if seq != self.seq.next() {
            self.problem(self.seq.next(), ChainFault::Missing);
        }
        if self.found.events == 0 {
            self.found.first = seq;
        }
        self.found.events += 1;
        self.found.last = seq;
        self.seq = seq;
        if matches!(row.get_ref(10)?, ValueRef::Null) {
            self.found.erased += 1;
        }
        if !self.follows(seq, row)? {
            self.problem(seq, ChainFault::Altered);
        }
        if let ValueRef::Integer(recorded_at) = row.get_ref(4)? {
            if recorded_at < self.recorded_at {
                self.problem(seq, ChainFault::OutOfTime);
            }
            self.recorded_at = recorded_at;
        }
        // Go on from what is stored: one changed event is one problem, not a problem of all after it.
        if let Some(hash) = blob(row.get_ref(13)?) {
            self.hash = hash;
        }
        Ok(())
    }

    /// Says whether a row's hash follows from the hash before it and from the row.
    fn follows(&self, seq: Seq, row: &Row<'_>) -> rusqlite::Result<bool> {
        let integer = |index| -> rusqlite::Result<Option<i64>> {
            Ok(match row.get_ref(index)? {
                ValueRef::Integer(number) => Some(number),
                _ => None,
            })
        };
        let digest = match (row.get_ref(10)?, row.get_ref(11)?, row.get_ref(12)?) {
            (ValueRef::Text(data), ValueRef::Blob(salt), ValueRef::Null) => {
                chain::digest(salt, data)
            }
            (ValueRef::Null, ValueRef::Null, digest @ ValueRef::Blob(_)) => match blob(digest) {
                Some(digest) => digest,
                None => return Ok(false),
            },
            _ => return Ok(false),
        };
        let (Some(schema), Some(occurred_at), Some(recorded_at), Some(correlation)) =
            (integer(2)?, integer(3)?, integer(4)?, integer(6)?)
        else {
            return Ok(false);
        };
        let (ValueRef::Text(kind), ValueRef::Text(subject), Ok(schema)) =
            (row.get_ref(1)?, row.get_ref(7)?, u16::try_from(schema))
        else {
            return Ok(false);
        };
        let (Ok(cause), Ok(repository), Ok(key)) = (
            optional(row.get_ref(5)?, |value| match value {
                ValueRef::Integer(number) => Some(number),
                _ => None,
            }),
            optional(row.get_ref(8)?, |value| match value {
                ValueRef::Blob(bytes) => Some(bytes),
                _ => None,
            }),
            optional(row.get_ref(9)?, |value| match value {
                ValueRef::Text(bytes) => Some(bytes),
                _ => None,
            }),
        ) else {
            return Ok(false);
        };
        let expected = chain::next(
            &self.hash,
            &Link {
                seq,
                kind,
                schema,
                occurred_at,
                recorded_at,
                cause,
                correlation,
                subject,
                repository,
                key,
                digest: &digest,
            },
        );
        Ok(blob(row.get_ref(13)?) == Some(expected))
    }
}

/// Reads a value that may be null; a value of another type than expected is an error.
fn optional<'a, T>(
    value: ValueRef<'a>,
    read: impl FnOnce(ValueRef<'a>) -> Option<T>,
) -> Result<Option<T>, ()> {
    match value {
        ValueRef::Null => Ok(None),
        other => read(other).map(Some).ok_or(()),
    }
}

fn blob(value: ValueRef<'_>) -> Option<Hash> {
    match value {
        ValueRef::Blob(bytes) => bytes.try_into().ok(),
        _ => None,
    }
}
