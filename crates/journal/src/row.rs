//! Between a stored row and an [`Event`].
//!
//! Why one place: the writer's transactions and every reader must see the same event in the same row.
//! Not here: which rows ([`crate::reader`]), whether they are genuine ([`crate::verify`]).

use std::cell::RefCell;
use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension as _, Row};
use serde_json::value::RawValue;
use tradewind_core::{Event, EventKind, RepositoryId, Seq};

use crate::error::ReadError;

/// The columns that [`event`] reads, in its order.
pub(crate) const COLUMNS: &str =
    "seq, kind, schema, occurred_at, recorded_at, cause, correlation, subject, repository, data";

/// The numbers by which this store knows the kinds of event.
#[derive(Debug, Default)]
pub(crate) struct Kinds {
    /// By number. Grows while reading, because another process may use a kind for the first time.
    by_id: RefCell<Vec<Option<EventKind>>>,
    by_kind: HashMap<EventKind, i64>,
    /// In the order in which the numbers were given out, so that a rollback can forget the last ones.
    given: Vec<(i64, EventKind)>,
}

impl Kinds {
    /// Reads the kinds of the store behind `conn`; one that this program does not know means a newer store.
    pub(crate) fn load(conn: &Connection) -> Result<Self, ReadError> {
        let mut kinds = Self::default();
        let mut statement = conn.prepare_cached("SELECT id, name FROM kinds ORDER BY id")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let kind = parse(&row.get::<_, String>(1)?)?;
            kinds.add(row.get(0)?, kind);
        }
        drop(rows);
        drop(statement);
        Ok(kinds)
    }

    fn add(&mut self, id: i64, kind: EventKind) {
        remember(&mut self.by_id.borrow_mut(), id, Some(kind));
        self.by_kind.insert(kind, id);
        self.given.push((id, kind));
    }

    /// Returns the number of `kind`, giving it one when it has none.
    pub(crate) fn id_of(&mut self, conn: &Connection, kind: EventKind) -> rusqlite::Result<i64> {
        if let Some(id) = self.by_kind.get(&kind) {
            return Ok(*id);
        }
        let id = conn
            .prepare_cached("INSERT INTO kinds (name) VALUES (?1) RETURNING id")?
            .query_row([kind.as_str()], |row| row.get(0))?;
        self.add(id, kind);
        Ok(id)
    }

    /// Returns the kind with this number; asks the store when it is new here.
    pub(crate) fn kind(
        &self,
        conn: &Connection,
        seq: Seq,
        id: i64,
    ) -> Result<EventKind, ReadError> {
        let known = usize::try_from(id)
            .ok()
            .and_then(|index| self.by_id.borrow().get(index).copied().flatten());
        if let Some(kind) = known {
            return Ok(kind);
        }
        let name: Option<String> = conn
            .prepare_cached("SELECT name FROM kinds WHERE id = ?1")?
            .query_row([id], |row| row.get(0))
            .optional()?;
        let kind = parse(&name.ok_or(ReadError::Corrupt {
            seq,
            problem: "its kind has no name",
        })?)?;
        remember(&mut self.by_id.borrow_mut(), id, Some(kind));
        Ok(kind)
    }

    /// Returns how many numbers have been given out.
    pub(crate) fn mark(&self) -> usize {
        self.given.len()
    }

    /// Forgets the numbers that were given out after `mark`.
    pub(crate) fn forget_after(&mut self, mark: usize) {
        for (id, kind) in self.given.drain(mark.min(self.given.len())..) {
            remember(&mut self.by_id.borrow_mut(), id, None);
            self.by_kind.remove(&kind);
        }
    }
}

fn parse(name: &str) -> Result<EventKind, ReadError> {
    name.parse().map_err(|_unknown| ReadError::Newer {
        what: format!("it holds events of kind {name:?}"),
    })
}

/// Upper bound on the numbers kept in memory; numbers are given out from 1 upwards, one per kind.
const MAX_KIND_ID: usize = 4096;

fn remember(by_id: &mut Vec<Option<EventKind>>, id: i64, kind: Option<EventKind>) {
    let Ok(index) = usize::try_from(id) else {
        return;
    };
    if index < MAX_KIND_ID {
        if by_id.len() <= index {
            by_id.resize(index + 1, None);
        }
        by_id[index] = kind;
    }
}

/// Reads the event in a row of [`COLUMNS`].
pub(crate) fn event(conn: &Connection, kinds: &Kinds, row: &Row<'_>) -> Result<Event, ReadError> {
    let seq = Seq(row.get(0)?);
    let damaged = |problem| ReadError::Corrupt { seq, problem };
    let kind = kinds.kind(conn, seq, row.get(1)?)?;
    let data = match row.get_ref(9)? {
        ValueRef::Null => None,
        ValueRef::Text(bytes) => {
            let text = std::str::from_utf8(bytes)
                .map_err(|_invalid| damaged("its body is not UTF-8"))?
                .to_owned();
            let json =
                RawValue::from_string(text).map_err(|_invalid| damaged("its body is not JSON"))?;
            Some(json)
        }
        ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Blob(_) => {
            return Err(damaged("its body is not text"));
        }
    };
    let moment = |index| -> Result<Timestamp, ReadError> {
        time(row.get(index)?).ok_or(damaged("a time in it is out of range"))
    };
    Ok(Event {
        seq,
        kind,
        schema: row.get(2)?,
        occurred_at: moment(3)?,
        recorded_at: moment(4)?,
        cause: row.get::<_, Option<u64>>(5)?.map(Seq),
        correlation: Seq(row.get(6)?),
        subject: row.get(7)?,
        repository: row
            .get::<_, Option<[u8; 16]>>(8)?
            .map(RepositoryId::from_bytes),
        data,
    })
}

/// Returns the time of a stored number of microseconds.
pub(crate) fn time(micros: i64) -> Option<Timestamp> {
    Timestamp::from_microsecond(micros).ok()
}

/// Reads at most one event.
fn one(
    conn: &Connection,
    kinds: &Kinds,
    condition: &str,
    params: impl rusqlite::Params,
) -> Result<Option<Event>, ReadError> {
    let mut statement =
        conn.prepare_cached(&format!("SELECT {COLUMNS} FROM events WHERE {condition}"))?;
    let mut rows = statement.query(params)?;
    match rows.next()? {
        None => Ok(None),
        Some(row) => event(conn, kinds, row).map(Some),
    }
}

/// Reads the event at `seq`.
pub(crate) fn get(conn: &Connection, kinds: &Kinds, seq: Seq) -> Result<Option<Event>, ReadError> {
    one(conn, kinds, "seq = ?1", [seq.0])
}

/// Reads the event that was appended with `key`.
pub(crate) fn by_key(
    conn: &Connection,
    kinds: &Kinds,
    key: &str,
) -> Result<Option<Event>, ReadError> {
    one(conn, kinds, "key = ?1", [key])
}

/// Reads the newest event of a kind.
pub(crate) fn newest(
    conn: &Connection,
    kinds: &Kinds,
    kind: EventKind,
) -> Result<Option<Event>, ReadError> {
    one(
        conn,
        kinds,
        "kind = (SELECT id FROM kinds WHERE name = ?1) ORDER BY seq DESC LIMIT 1",
        [kind.as_str()],
    )
}
