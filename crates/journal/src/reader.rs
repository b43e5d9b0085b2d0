//! Reading the store: on a connection of its own, beside a writing process or with none.
//!
//! Why own connections: a reader sees one consistent state and never makes the writer wait. Long reads
//! go through the events in pieces, because a read that stays open keeps the log from being emptied.
//! Not here: whether what is read is genuine ([`crate::verify`]), waiting for more ([`crate::follow`]).

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Params, Row};
use tradewind_core::{Event, EventKind, JournalId, RepositoryId, Seq};

use crate::error::ReadError;
use crate::layout::{self, Found};
use crate::open::MAX_STATEMENTS;
use crate::place;
use crate::row::{self, COLUMNS, Kinds};

/// How long a reader waits while another connection recovers the log after a crash.
const BUSY_LIMIT: Duration = Duration::from_secs(10);
/// Events read at one go during a replay.
const PIECE: usize = 4096;

/// Which events to select; the default takes them all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Only events after this one.
    pub after: Seq,
    /// Only events before this one.
    pub before: Option<Seq>,
    /// Only events of these kinds; empty takes every kind.
    pub kinds: Vec<EventKind>,
    /// Only events about this repository.
    pub repository: Option<RepositoryId>,
    /// Only events recorded at this time or later.
    pub since: Option<Timestamp>,
    /// Only events recorded before this time.
    pub until: Option<Timestamp>,
    /// Only events about exactly this subject.
    pub subject: Option<String>,
    /// At most this many.
    pub limit: usize,
    /// The newest first, and the newest ones when `limit` cuts.
    pub newest_first: bool,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            after: Seq::ZERO,
            before: None,
            kinds: Vec::new(),
            repository: None,
            since: None,
            until: None,
            subject: None,
            limit: usize::MAX,
            newest_first: false,
        }
    }
}

/// How much the store holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Events that are kept.
    pub events: u64,
    /// Size of the store's file, without its log.
    pub bytes: u64,
    /// The first event that is kept; zero when there is none.
    pub first: Seq,
    /// The last event; zero when there has never been one.
    pub last: Seq,
    /// Events of each kind.
    pub kinds: BTreeMap<EventKind, u64>,
}

/// A connection for reading.
#[derive(Debug)]
pub struct Reader {
    pub(crate) conn: Connection,
    id: JournalId,
    pub(crate) kinds: Kinds,
}

impl Reader {
    /// Opens the store in `dir` for reading.
    ///
    /// # Errors
    /// [`ReadError::Missing`] when there is no store yet, [`ReadError::Newer`] when a newer program wrote it,
    /// [`ReadError::Older`] when it waits for migration, [`ReadError::Corrupt`] when it is no journal.
    pub fn open(dir: &Path) -> Result<Self, ReadError> {
        let path = place::store(dir);
        if !path.exists() {
            return Err(ReadError::Missing {
                dir: dir.to_owned(),
            });
        }
        Self::open_file(&path)
    }

    /// Opens the store or a copy of it at `path`.
    pub(crate) fn open_file(path: &Path) -> Result<Self, ReadError> {
        let missing = || ReadError::Missing {
            dir: path.parent().unwrap_or(path).to_owned(),
        };
        let conn = Connection::open_with_flags(
            path,
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        conn.busy_timeout(BUSY_LIMIT)?;
        conn.pragma_update(None, "temp_store", "MEMORY")?;
        conn.set_prepared_statement_cache_capacity(MAX_STATEMENTS);
        let expected = layout::version_of(layout::STEPS);
        match layout::find(&conn)? {
            Found::Empty => return Err(missing()),
            Found::Foreign => {
                return Err(ReadError::Corrupt {
                    seq: Seq::ZERO,
                    problem: "the store is a database of another program",
                });
            }
            Found::Journal(version) if version > expected => {
                return Err(ReadError::Newer {
                    what: format!("its layout is {version}, this program knows up to {expected}"),
                });
            }
            Found::Journal(version) if version < expected => {
                return Err(ReadError::Older {
                    found: version,
                    expected,
                });
            }
            Found::Journal(_) => {}
        }
        let id = layout::journal_id(&conn)?.ok_or(ReadError::Corrupt {
            seq: Seq::ZERO,
            problem: "the store has no id",
        })?;
        let kinds = Kinds::load(&conn)?;
        Ok(Self { conn, id, kinds })
    }

    /// Returns the journal's identity.
    pub fn journal_id(&self) -> JournalId {
        self.id
    }

    /// Returns the first event that is kept; zero when there is none.
    ///
    /// # Errors
    /// [`ReadError::Sqlite`] when the database refuses.
    pub fn first(&self) -> Result<Seq, ReadError> {
        self.edge("SELECT min(seq) FROM events")
    }

    /// Returns the last event; zero when there has never been one.
    ///
    /// # Errors
    /// [`ReadError::Sqlite`] when the database refuses.
    pub fn last(&self) -> Result<Seq, ReadError> {
        self.edge(
            "SELECT coalesce((SELECT max(seq) FROM events), (SELECT value FROM meta WHERE name = 'anchor_seq'))",
        )
    }

    fn edge(&self, sql: &str) -> Result<Seq, ReadError> {
        let seq: Option<u64> = self
            .conn
            .prepare_cached(sql)?
            .query_row([], |row| row.get(0))?;
        Ok(Seq(seq.unwrap_or(0)))
    }

    /// Returns an event, or `None` when it was pruned or is not there yet.
    ///
    /// # Errors
    /// [`ReadError::Corrupt`] when the row is damaged; otherwise what the database said.
    pub fn get(&self, seq: Seq) -> Result<Option<Event>, ReadError> {
        row::get(&self.conn, &self.kinds, seq)
    }

    /// Returns the event that was appended with `key`.
    ///
    /// # Errors
    /// As [`Reader::get`].
    pub fn by_key(&self, key: &str) -> Result<Option<Event>, ReadError> {
        row::by_key(&self.conn, &self.kinds, key)
    }

    /// Returns the newest event of a kind.
    ///
    /// # Errors
    /// As [`Reader::get`].
    pub fn newest(&self, kind: EventKind) -> Result<Option<Event>, ReadError> {
        row::newest(&self.conn, &self.kinds, kind)
    }

    /// Returns at most `limit` events after `seq`, in their sequence.
    ///
    /// # Errors
    /// As [`Reader::get`].
    pub fn after(&self, seq: Seq, limit: usize) -> Result<Vec<Event>, ReadError> {
        let mut events = Vec::new();
        self.piece(seq, limit, |event| {
            events.push(event);
            ControlFlow::Continue(())
        })?;
        Ok(events)
    }

    /// Reads at most `limit` events after `seq`; returns how many were read.
    fn piece(
        &self,
        seq: Seq,
        limit: usize,
        mut f: impl FnMut(Event) -> ControlFlow<()>,
    ) -> Result<usize, ReadError> {
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2"
        ))?;
        let mut rows = statement.query([clamp(seq.0), clamp(limit as u64)])?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            count += 1;
            if f(row::event(&self.conn, &self.kinds, row)?).is_break() {
                break;
            }
        }
        Ok(count)
    }

    /// Returns the events that `filter` selects.
    ///
    /// # Errors
    /// As [`Reader::get`].
    pub fn select(&self, filter: &Filter) -> Result<Vec<Event>, ReadError> {
        let Some((sql, params)) = self.select_statement(filter)? else {
            return Ok(Vec::new());
        };
        let mut statement = self.conn.prepare_cached(&sql)?;
        let mut rows = statement.query(rusqlite::params_from_iter(params))?;
        let mut events = Vec::new();
        while let Some(row) = rows.next()? {
            events.push(row::event(&self.conn, &self.kinds, row)?);
        }
        Ok(events)
    }

    /// Builds the statement for a filter; `None` when nothing can match.
    fn select_statement(&self, filter: &Filter) -> Result<Option<(String, Vec<Value>)>, ReadError> {
        // Recorded times never go backwards, so a span of time is a span of seqs: two short searches.
        let mut after = filter.after;
        let mut before = filter.before;
        if let Some(since) = filter.since {
            after = after.max(self.last_recorded_before(since)?);
        }
        if let Some(until) = filter.until {
            let end = self.last_recorded_before(until)?.next();
            before = Some(before.map_or(end, |before| before.min(end)));
        }
        let mut sql = format!("SELECT {COLUMNS} FROM events WHERE seq > ?1");
        let mut params: Vec<Value> = vec![clamp(after.0).into()];
        let mut add = |sql: &mut String, condition: &str, value: Value| {
            params.push(value);
            sql.push_str(&condition.replace('?', &format!("?{}", params.len())));
        };
        if let Some(before) = before {
            add(&mut sql, " AND seq < ?", clamp(before.0).into());
        }
        if let Some(repository) = filter.repository {
            add(
                &mut sql,
                " AND repository = ?",
                repository.as_bytes().to_vec().into(),
            );
        }
        if let Some(subject) = &filter.subject {
            add(&mut sql, " AND subject = ?", subject.clone().into());
        }
        if !filter.kinds.is_empty() {
            let ids: Vec<String> = self
                .kind_ids(&filter.kinds)?
                .into_iter()
                .map(|id| id.to_string())
                .collect();
            if ids.is_empty() {
                return Ok(None);
            }
            sql.push_str(" AND kind IN (");
            sql.push_str(&ids.join(","));
            sql.push(')');
        }
        sql.push_str(if filter.newest_first {
            " ORDER BY seq DESC"
        } else {
            " ORDER BY seq"
        });
        add(&mut sql, " LIMIT ?", clamp(filter.limit as u64).into());
        Ok(Some((sql, params)))
    }

    fn kind_ids(&self, kinds: &[EventKind]) -> Result<Vec<i64>, ReadError> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT id FROM kinds WHERE name = ?1")?;
        let mut ids = Vec::with_capacity(kinds.len());
        for kind in kinds {
            let id: Option<i64> = statement
                .query_row([kind.as_str()], |row| row.get(0))
                .optional()?;
            ids.extend(id);
        }
        Ok(ids)
    }

    /// Finds the last event that was recorded before `time`, or the place before the first one.
    pub(crate) fn last_recorded_before(&self, time: Timestamp) -> Result<Seq, ReadError> {
        let mut low = self.first()?.0.saturating_sub(1);
        let mut high = self.last()?.0;
        let time = time.as_microsecond();
        let mut statement = self
            .conn
            .prepare_cached("SELECT recorded_at < ?2 FROM events WHERE seq = ?1")?;
        // Invariant: low is before `time` (or before the first event), everything after high is not.
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            // A row that is pruned meanwhile was older than all that is kept.
            let is_before = statement
                .query_row([clamp(middle), time], |row| row.get(0))
                .optional()?
                .unwrap_or(true);
            if is_before {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        Ok(Seq(low))
    }

    /// Returns the events that `of` led to directly.
    ///
    /// # Errors
    /// As [`Reader::get`].
    pub fn effects(&self, of: Seq) -> Result<Vec<Event>, ReadError> {
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM events WHERE cause = ?1 ORDER BY seq"
        ))?;
        let mut rows = statement.query([clamp(of.0)])?;
        let mut events = Vec::new();
        while let Some(row) = rows.next()? {
            events.push(row::event(&self.conn, &self.kinds, row)?);
        }
        Ok(events)
    }

    /// Gives every event after `after` to `f`, until `f` breaks; returns the last one given.
    ///
    /// Memory stays bounded however many there are, and events appended meanwhile are given too.
    ///
    /// # Errors
    /// As [`Reader::get`].
    pub fn for_each(
        &self,
        after: Seq,
        mut f: impl FnMut(&Event) -> ControlFlow<()>,
    ) -> Result<Seq, ReadError> {
        let mut last = after;
        let mut is_done = false;
        while !is_done {
            let count = self.piece(last, PIECE, |event| {
                last = event.seq;
                let flow = f(&event);
                is_done = flow.is_break();
                flow
            })?;
            is_done |= count < PIECE;
        }
        Ok(last)
    }

    /// Says how much the store holds; counts every event.
    ///
    /// # Errors
    /// As [`Reader::get`].
    pub fn stats(&self) -> Result<Stats, ReadError> {
        let mut kinds = BTreeMap::new();
        let mut statement = self
            .conn
            .prepare_cached("SELECT kind, count(*) FROM events GROUP BY kind")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let kind = self.kinds.kind(&self.conn, Seq::ZERO, row.get(0)?)?;
            kinds.insert(kind, row.get(1)?);
        }
        let pragma = |name| {
            self.conn
                .pragma_query_value(None, name, |row| row.get::<_, u64>(0))
        };
        Ok(Stats {
            events: kinds.values().sum(),
            bytes: pragma("page_count")? * pragma("page_size")?,
            first: self.first()?,
            last: self.last()?,
            kinds,
        })
    }

    /// Runs one query, on any table, and maps each row: for the rooms' own tables.
    ///
    /// # Errors
    /// [`ReadError::Sqlite`] when the database refuses or `f` does.
    pub fn query<T>(
        &self,
        sql: &str,
        params: impl Params,
        f: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, ReadError> {
        let mut statement = self.conn.prepare_cached(sql)?;
        let rows = statement.query_map(params, f)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

/// Turns a number into what SQLite stores; beyond that nothing can be.
pub(crate) fn clamp(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
