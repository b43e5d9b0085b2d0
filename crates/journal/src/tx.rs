//! One transaction: what any room may do to the store, together with its events.
//!
//! Why: an event, the cursor of its consumer, a debit and a message to the outside must all be there
//! after a crash, or none of them. Everything here runs on the writer's thread inside a group commit,
//! so it has to be short and must not wait for anything.
//! Not here: when it becomes durable ([`mod@crate::writer`]); cursors, leases and the like have their own files.

use std::cell::RefCell;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Params, Row};
use tradewind_core::{Draft, Event, EventKind, Seq};

use crate::chain::{self, Hash, Link, Salt};
use crate::error::{AppendError, MAX_KEY_BYTES, TxError, chain_of, is_fatal};
use crate::gate::{Gate, Scope};
use crate::row::{self, Kinds};

const INSERT: &str = "INSERT INTO events \
    (seq, kind, schema, occurred_at, recorded_at, cause, correlation, subject, repository, key, data, salt, hash) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";

/// Where the journal ends, as the writer knows it.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    /// The last event; zero when there has never been one.
    pub last: Seq,
    /// The last event that was pruned; zero when none was.
    pub pruned: Seq,
    /// Hash of the last event.
    pub hash: Hash,
    /// When the last event was recorded, in microseconds. Invariant: never goes backwards.
    pub recorded_at: i64,
}

/// A draft with everything that can be computed away from the writer's thread.
#[derive(Debug)]
pub(crate) struct Prepared {
    draft: Draft,
    salt: Salt,
    digest: Hash,
}

impl Prepared {
    /// Checks the bounds of `draft`, draws its salt and digests its body.
    pub(crate) fn new(draft: Draft) -> Result<Self, AppendError> {
        draft.check()?;
        if let Some(key) = &draft.key
            && key.len() > MAX_KEY_BYTES
        {
            return Err(AppendError::KeyTooLong {
                actual_bytes: key.len(),
            });
        }
        let mut salt = Salt::default();
        getrandom::fill(&mut salt).map_err(AppendError::Random)?;
        let digest = chain::digest(&salt, draft.data.get().as_bytes());
        Ok(Self {
            draft,
            salt,
            digest,
        })
    }
}

/// A transaction on the store; everything done through it happens together or not at all.
pub struct Tx<'a> {
    pub(crate) conn: &'a Connection,
    pub(crate) head: &'a mut Head,
    kinds: &'a mut Kinds,
    gate: &'a Gate,
    now: i64,
    insert: CachedStatement<'a>,
    /// A failure that puts the whole store in doubt, even when the caller swallowed it.
    fatal: RefCell<Option<String>>,
}

impl std::fmt::Debug for Tx<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tx")
            .field("last", &self.head.last)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

impl<'a> Tx<'a> {
    pub(crate) fn new(
        conn: &'a Connection,
        head: &'a mut Head,
        kinds: &'a mut Kinds,
        gate: &'a Gate,
        clock_now: i64,
    ) -> rusqlite::Result<Self> {
        let now = clock_now.max(head.recorded_at);
        Ok(Self {
            insert: conn.prepare_cached(INSERT)?,
            conn,
            head,
            kinds,
            gate,
            now,
            fatal: RefCell::new(None),
        })
    }

    /// Returns the failure that puts the whole store in doubt, when there was one.
    pub(crate) fn take_fatal(&mut self) -> Option<String> {
        self.is_doomed();
        self.fatal.take()
    }

    /// Says whether the transaction can no longer be committed.
    pub(crate) fn is_doomed(&self) -> bool {
        // SQLite takes a transaction back by itself after some errors. What comes then would be a
        // commit of its own, on top of events that are no longer there.
        if self.conn.is_autocommit() {
            self.doom("the transaction was taken back by the database");
        }
        self.fatal.borrow().is_some()
    }

    fn doom(&self, error: &str) {
        self.fatal
            .borrow_mut()
            .get_or_insert_with(|| error.to_owned());
    }

    /// Remembers when an error is more than a refused statement.
    pub(crate) fn watch<T>(&self, result: rusqlite::Result<T>) -> rusqlite::Result<T> {
        if let Err(error) = &result
            && is_fatal(error)
        {
            self.doom(&chain_of(error));
        }
        result
    }

    /// Refuses to go on in a transaction that can no longer be committed.
    fn check_open(&self) -> Result<(), AppendError> {
        if self.is_doomed() {
            let error = self.fatal.borrow().clone().unwrap_or_default();
            return Err(AppendError::ReadOnly { error });
        }
        Ok(())
    }

    /// Runs `f` inside a savepoint: an error or a panic in it takes back what it did, and nothing else.
    pub(crate) fn attempt<T, E>(
        &mut self,
        f: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> rusqlite::Result<std::thread::Result<Result<T, E>>> {
        let head = self.head.clone();
        let kinds = self.kinds.mark();
        self.run("SAVEPOINT request")?;
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| f(self)));
        if matches!(outcome, Ok(Ok(_))) && !self.is_doomed() {
            self.run("RELEASE request")?;
        } else if !self.is_doomed() {
            self.run("ROLLBACK TO request")?;
            self.run("RELEASE request")?;
            *self.head = head;
            self.kinds.forget_after(kinds);
        }
        Ok(outcome)
    }

    fn run(&mut self, sql: &str) -> rusqlite::Result<()> {
        self.conn
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute([]))
            .map(drop)
            // Whatever the reason: what belongs to which request can no longer be told apart.
            .inspect_err(|error| self.doom(&chain_of(error)))
    }

    /// Returns the time that events of this transaction are recorded at; it never goes backwards.
    pub fn now(&self) -> Timestamp {
        row::time(self.now).unwrap_or(Timestamp::MAX)
    }

    pub(crate) fn now_us(&self) -> i64 {
        self.now
    }

    /// Returns the last event, including those of this transaction.
    pub fn last(&self) -> Seq {
        self.head.last
    }

    /// Appends an event; a draft whose key is known yields the first event's seq and changes nothing.
    ///
    /// # Errors
    /// [`TxError::Append`] when the draft is too large, its cause unknown, or the database refuses.
    pub fn append(&mut self, draft: Draft) -> Result<Seq, TxError> {
        let prepared = Prepared::new(draft)?;
        Ok(self.append_prepared(&prepared)?)
    }

    pub(crate) fn append_prepared(&mut self, prepared: &Prepared) -> Result<Seq, AppendError> {
        self.check_open()?;
        let draft = &prepared.draft;
        if let Some(key) = &draft.key {
            let known = self.seq_of_key(key);
            if let Some(seq) = self.watch(known).map_err(AppendError::Sqlite)? {
                return Ok(seq);
            }
        }
        let seq = self.head.last.next();
        let correlation = match draft.cause {
            None => seq,
            Some(cause) => {
                let found = self.correlation_of(cause);
                self.watch(found)
                    .map_err(AppendError::Sqlite)?
                    .ok_or(AppendError::UnknownCause { cause })?
            }
        };
        let kind = self.kinds.id_of(self.conn, draft.kind);
        let kind = self.watch(kind).map_err(AppendError::Sqlite)?;
        let (seq_db, correlation_db) = (to_db(seq)?, to_db(correlation)?);
        let cause = draft.cause.map(to_db).transpose()?;
        let occurred_at = draft.occurred_at.as_microsecond();
        let repository = draft.repository.as_ref().map(|id| id.as_bytes().as_slice());
        let hash = chain::next(
            &self.head.hash,
            &Link {
                seq,
                kind: chain::kind_bytes(draft.kind),
                schema: draft.schema,
                occurred_at,
                recorded_at: self.now,
                cause,
                correlation: correlation_db,
                subject: draft.subject.as_bytes(),
                repository,
                key: draft.key.as_deref().map(str::as_bytes),
                digest: &prepared.digest,
            },
        );
        let inserted = self.insert.execute(rusqlite::params![
            seq_db,
            kind,
            draft.schema,
            occurred_at,
            self.now,
            cause,
            correlation_db,
            draft.subject,
            repository,
            draft.key,
            draft.data.get(),
            prepared.salt,
            hash,
        ]);
        self.watch(inserted).map_err(AppendError::Sqlite)?;
        self.head.last = seq;
        self.head.hash = hash;
        self.head.recorded_at = self.now;
        Ok(seq)
    }

    fn seq_of_key(&self, key: &str) -> rusqlite::Result<Option<Seq>> {
        self.conn
            .prepare_cached("SELECT seq FROM events WHERE key = ?1")?
            .query_row([key], |row| row.get(0).map(Seq))
            .optional()
    }

    /// Returns the correlation that an event caused by `cause` gets; `None` when there was never such an event.
    fn correlation_of(&self, cause: Seq) -> rusqlite::Result<Option<Seq>> {
        if cause == Seq::ZERO || cause > self.head.last {
            return Ok(None);
        }
        if cause <= self.head.pruned {
            // The chain of causes above is gone; what is left of it begins here.
            return Ok(Some(cause));
        }
        self.conn
            .prepare_cached("SELECT correlation FROM events WHERE seq = ?1")?
            .query_row([cause.0], |row| row.get(0).map(Seq))
            .optional()
    }

    /// Returns an event, also one that this transaction has appended.
    ///
    /// # Errors
    /// [`TxError::Read`] when the stored row is damaged.
    pub fn get(&self, seq: Seq) -> Result<Option<Event>, TxError> {
        Ok(row::get(self.conn, self.kinds, seq)?)
    }

    /// Returns the event that was appended with `key`.
    ///
    /// # Errors
    /// [`TxError::Read`] when the stored row is damaged.
    pub fn by_key(&self, key: &str) -> Result<Option<Event>, TxError> {
        Ok(row::by_key(self.conn, self.kinds, key)?)
    }

    /// Returns the newest event of a kind.
    ///
    /// # Errors
    /// [`TxError::Read`] when the stored row is damaged.
    pub fn newest(&self, kind: EventKind) -> Result<Option<Event>, TxError> {
        Ok(row::newest(self.conn, self.kinds, kind)?)
    }

    /// Runs one statement on the rooms' own tables and returns how many rows it changed.
    ///
    /// # Errors
    /// [`TxError::Sqlite`] when the database refuses, also when the statement touches the journal's own tables.
    pub fn execute(&mut self, sql: &str, params: impl Params) -> Result<usize, TxError> {
        let _scope = self.gate.enter(Scope::Room);
        self.own(&of_room(sql), params)
    }

    /// Runs one query, on any table, and maps each row.
    ///
    /// # Errors
    /// [`TxError::Sqlite`] when the database refuses or `f` does.
    pub fn query<T>(
        &self,
        sql: &str,
        params: impl Params,
        f: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, TxError> {
        let _scope = self.gate.enter(Scope::Room);
        self.own_rows(&of_room(sql), params, f)
    }

    /// Runs one query and maps its first row.
    ///
    /// # Errors
    /// [`TxError::Sqlite`] when the database refuses or `f` does.
    pub fn query_row<T>(
        &self,
        sql: &str,
        params: impl Params,
        f: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, TxError> {
        let _scope = self.gate.enter(Scope::Room);
        self.own_row(&of_room(sql), params, f)
    }

    /// Runs the steps of a room's migration that have not run yet.
    pub(crate) fn migrate(
        &mut self,
        namespace: &'static str,
        steps: &[&str],
    ) -> Result<(), TxError> {
        let done = self
            .conn
            .query_row(
                "SELECT steps FROM rooms WHERE namespace = ?1",
                [namespace],
                |row| row.get::<_, u64>(0),
            )
            .optional()?
            .unwrap_or(0);
        let known = steps.len() as u64;
        if done > known {
            return Err(TxError::NewerRoom {
                namespace: namespace.to_owned(),
                found: done,
                known,
            });
        }
        if done == known {
            return Ok(());
        }
        for step in steps
            .iter()
            .skip(usize::try_from(done).unwrap_or(usize::MAX))
        {
            let scope = self.gate.enter(Scope::Migration(namespace));
            let result = self.conn.execute_batch(step);
            drop(scope);
            self.watch(result)?;
        }
        let written = self.conn.execute(
            "INSERT INTO rooms (namespace, steps) VALUES (?1, ?2)
             ON CONFLICT (namespace) DO UPDATE SET steps = excluded.steps",
            rusqlite::params![namespace, known],
        );
        self.watch(written)?;
        Ok(())
    }

    /// Runs one of the journal's own statements.
    pub(crate) fn own(&mut self, sql: &str, params: impl Params) -> Result<usize, TxError> {
        self.check_open()?;
        let result = self
            .conn
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(params));
        Ok(self.watch(result)?)
    }

    /// Runs one of the journal's own queries for at most one row.
    pub(crate) fn own_row<T>(
        &self,
        sql: &str,
        params: impl Params,
        f: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, TxError> {
        let result = self
            .conn
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_row(params, f).optional());
        Ok(self.watch(result)?)
    }

    /// Runs one of the journal's own queries.
    pub(crate) fn own_rows<T>(
        &self,
        sql: &str,
        params: impl Params,
        f: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, TxError> {
        let result = self
            .conn
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_map(params, f)?.collect());
        Ok(self.watch(result)?)
    }

    /// Returns the time `ttl` from now in microseconds, at most the end of time.
    pub(crate) fn after(&self, ttl: Duration) -> i64 {
        let micros = i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX);
        self.now
            .saturating_add(micros)
            .min(Timestamp::MAX.as_microsecond())
    }
}

/// Marks a room's statement, so that it is never found in the cache as one of the journal's own, which
/// has passed the gate with other rights.
fn of_room(sql: &str) -> String {
    format!("/* room */ {sql}")
}

/// Turns a seq into what SQLite stores.
pub(crate) fn to_db(seq: Seq) -> Result<i64, AppendError> {
    i64::try_from(seq.0).map_err(|_too_large| AppendError::UnknownCause { cause: seq })
}
