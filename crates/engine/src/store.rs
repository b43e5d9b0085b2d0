//! The engine's own tables in the journal's store, and the small questions asked of them.
//!
//! Why tables beside the events: a decision must know in one look which requests wait, how often a
//! rule fired and whether acting is paused, in the same transaction that appends its events. All of
//! it is written together with the events that say the same. Not here: what the answers lead to.

use std::str::FromStr;

use jiff::Timestamp;
use tradewind_core::payload::{ActionRequested, Reversibility};
use tradewind_core::{Draft, Event, RepositoryId, Seq};
use tradewind_journal::rusqlite::{Row, params, types::Type};
use tradewind_journal::{Journal, Tx, TxError};

/// Namespace of the tables.
pub(crate) const NAMESPACE: &str = "engine";

/// Statements that made the tables, in order; one is added for each change, none is ever edited.
const STEPS: &[&str] = &[
    "CREATE TABLE engine_requests (
        seq INTEGER PRIMARY KEY,
        repository TEXT NOT NULL,
        rule TEXT NOT NULL,
        key TEXT NOT NULL UNIQUE,
        event INTEGER NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('waiting', 'started', 'queued', 'done')),
        not_after_ms INTEGER NOT NULL,
        operation TEXT
    ) STRICT",
    "CREATE INDEX engine_requests_open ON engine_requests (state, seq) WHERE state <> 'done'",
    "CREATE TABLE engine_proposals (
        seq INTEGER PRIMARY KEY,
        repository TEXT NOT NULL,
        event INTEGER NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('open', 'approved', 'rejected', 'expired')),
        expires_ms INTEGER NOT NULL
    ) STRICT",
    "CREATE INDEX engine_proposals_open ON engine_proposals (expires_ms) WHERE state = 'open'",
    "CREATE TABLE engine_firings (
        repository TEXT NOT NULL,
        rule TEXT NOT NULL,
        at_ms INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        PRIMARY KEY (repository, rule, seq)
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE engine_debounces (
        repository TEXT NOT NULL,
        rule TEXT NOT NULL,
        event INTEGER NOT NULL,
        first_ms INTEGER NOT NULL,
        PRIMARY KEY (repository, rule)
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE engine_facts (name TEXT PRIMARY KEY, seq INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE engine_configs (
        repository TEXT PRIMARY KEY,
        digest TEXT NOT NULL,
        state TEXT NOT NULL
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE engine_trust (
        repository TEXT NOT NULL,
        digest TEXT NOT NULL,
        seq INTEGER NOT NULL,
        PRIMARY KEY (repository, digest)
    ) STRICT, WITHOUT ROWID",
    "CREATE TABLE engine_operations (
        id TEXT PRIMARY KEY,
        repository TEXT NOT NULL,
        path TEXT NOT NULL,
        request INTEGER NOT NULL,
        created_ms INTEGER NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('captured', 'sealed', 'undone')),
        size_bytes INTEGER NOT NULL,
        record TEXT NOT NULL
    ) STRICT",
    "CREATE INDEX engine_operations_by_request ON engine_operations (repository, request)",
    "CREATE TABLE engine_intents (
        operation TEXT PRIMARY KEY,
        direction TEXT NOT NULL CHECK (direction IN ('undo', 'redo')),
        request INTEGER NOT NULL,
        path TEXT NOT NULL,
        started_ms INTEGER NOT NULL
    ) STRICT",
];

/// Makes the tables.
pub(crate) fn migrate(journal: &Journal) -> Result<(), TxError> {
    journal.migrate(NAMESPACE, STEPS)
}

/// A request that has no outcome yet.
#[derive(Clone, Debug)]
pub(crate) struct RequestRow {
    pub(crate) seq: Seq,
    pub(crate) repository: RepositoryId,
    pub(crate) rule: String,
    pub(crate) key: String,
    pub(crate) event: Seq,
    pub(crate) not_after: Timestamp,
    pub(crate) operation: Option<String>,
}

const REQUEST_COLUMNS: &str =
    "SELECT seq, repository, rule, key, event, not_after_ms, operation FROM engine_requests";

fn request_row(row: &Row<'_>) -> tradewind_journal::rusqlite::Result<RequestRow> {
    Ok(RequestRow {
        seq: seq_at(row, 0)?,
        repository: id_at(row, 1)?,
        rule: row.get(2)?,
        key: row.get(3)?,
        event: seq_at(row, 4)?,
        not_after: time_at(row, 5)?,
        operation: row.get(6)?,
    })
}

/// Returns up to `limit` requests in a state other than done, oldest first.
pub(crate) fn requests_in(
    tx: &Tx<'_>,
    state: &str,
    limit: u32,
) -> Result<Vec<RequestRow>, TxError> {
    tx.query(
        &format!("{REQUEST_COLUMNS} WHERE state = ?1 AND state <> 'done' ORDER BY seq LIMIT ?2"),
        params![state, limit],
        request_row,
    )
}

/// Returns the request `seq`.
pub(crate) fn request(tx: &Tx<'_>, seq: Seq) -> Result<Option<RequestRow>, TxError> {
    tx.query_row(
        &format!("{REQUEST_COLUMNS} WHERE seq = ?1"),
        params![int(seq)],
        request_row,
    )
}

/// What is asked for, and by whom.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) repository: RepositoryId,
    pub(crate) rule: String,
    pub(crate) action: String,
    pub(crate) arguments: serde_json::Value,
    pub(crate) summary: String,
    pub(crate) reversibility: Reversibility,
    /// The event that the action is about.
    pub(crate) event: Seq,
    /// What led to the request: the event, or a person's approval.
    pub(crate) cause: Seq,
    pub(crate) not_after: Timestamp,
}

/// Returns the idempotency key of a rule's request.
pub(crate) fn request_key(repository: RepositoryId, rule: &str, event: Seq) -> String {
    format!("{repository}/{rule}/{event}")
}

/// Appends a request and puts it on the list of what waits. Asking twice with one key asks once.
pub(crate) fn append_request(tx: &mut Tx<'_>, asked: Asked) -> Result<Seq, TxError> {
    let key = request_key(asked.repository, &asked.rule, asked.event);
    let is_known = tx.by_key(&key)?.is_some();
    let body = ActionRequested {
        rule: asked.rule.clone(),
        action: asked.action,
        arguments: asked.arguments,
        summary: asked.summary,
        reversibility: asked.reversibility,
    };
    let draft = draft(tx, &body)?
        .about(asked.rule.clone())
        .caused_by(asked.cause)
        .in_repository(asked.repository)
        .with_key(key.clone());
    let seq = tx.append(draft)?;
    if is_known {
        // Its row may be forgotten by now; it must not run a second time for that.
        return Ok(seq);
    }
    tx.execute(
        "INSERT OR IGNORE INTO engine_requests
            (seq, repository, rule, key, event, state, not_after_ms)
            VALUES (?1, ?2, ?3, ?4, ?5, 'waiting', ?6)",
        params![
            int(seq),
            asked.repository.to_string(),
            asked.rule,
            key,
            int(asked.event),
            asked.not_after.as_millisecond()
        ],
    )?;
    Ok(seq)
}

/// Takes a waiting request; false when somebody else has.
pub(crate) fn mark_started(tx: &mut Tx<'_>, seq: Seq) -> Result<bool, TxError> {
    let changed = tx.execute(
        "UPDATE engine_requests SET state = 'started' WHERE seq = ?1 AND state = 'waiting'",
        params![int(seq)],
    )?;
    Ok(changed == 1)
}

/// Puts a request back among those that wait.
pub(crate) fn mark_waiting(tx: &mut Tx<'_>, seq: Seq) -> Result<(), TxError> {
    set_state(tx, seq, "waiting")
}

/// Says that the effect of a request waits in the outbox.
pub(crate) fn mark_queued(tx: &mut Tx<'_>, seq: Seq) -> Result<(), TxError> {
    set_state(tx, seq, "queued")
}

/// Says that a request has an outcome. False when it had one already.
pub(crate) fn mark_done(tx: &mut Tx<'_>, seq: Seq) -> Result<bool, TxError> {
    let changed = tx.execute(
        "UPDATE engine_requests SET state = 'done' WHERE seq = ?1 AND state <> 'done'",
        params![int(seq)],
    )?;
    Ok(changed == 1)
}

fn set_state(tx: &mut Tx<'_>, seq: Seq, state: &str) -> Result<(), TxError> {
    tx.execute(
        "UPDATE engine_requests SET state = ?2 WHERE seq = ?1",
        params![int(seq), state],
    )?;
    Ok(())
}

/// Forgets requests and proposals that were settled before a time; their events stay.
pub(crate) fn forget_settled(tx: &mut Tx<'_>, before: Timestamp) -> Result<(), TxError> {
    let before = before.as_millisecond();
    tx.execute(
        "DELETE FROM engine_requests WHERE state = 'done' AND not_after_ms < ?1",
        params![before],
    )?;
    tx.execute(
        "DELETE FROM engine_proposals WHERE state <> 'open' AND expires_ms < ?1",
        params![before],
    )?;
    Ok(())
}

/// Notes which recorded operation belongs to a request.
pub(crate) fn set_operation(tx: &mut Tx<'_>, seq: Seq, operation: &str) -> Result<(), TxError> {
    tx.execute(
        "UPDATE engine_requests SET operation = ?2 WHERE seq = ?1",
        params![int(seq), operation],
    )?;
    Ok(())
}

/// Counts the firings of a rule after `since`.
pub(crate) fn firings(
    tx: &Tx<'_>,
    repository: RepositoryId,
    rule: &str,
    since: Timestamp,
) -> Result<u64, TxError> {
    let count: Option<i64> = tx.query_row(
        "SELECT count(*) FROM engine_firings WHERE repository = ?1 AND rule = ?2 AND at_ms > ?3",
        params![repository.to_string(), rule, since.as_millisecond()],
        |row| row.get(0),
    )?;
    Ok(count
        .and_then(|count| u64::try_from(count).ok())
        .unwrap_or(0))
}

/// Notes a firing, and forgets those before `keep`.
pub(crate) fn note_firing(
    tx: &mut Tx<'_>,
    repository: RepositoryId,
    rule: &str,
    event: &Event,
    keep: Timestamp,
) -> Result<(), TxError> {
    let repository = repository.to_string();
    tx.execute(
        "INSERT OR IGNORE INTO engine_firings (repository, rule, at_ms, seq) VALUES (?1, ?2, ?3, ?4)",
        params![repository, rule, event.recorded_at.as_millisecond(), int(event.seq)],
    )?;
    tx.execute(
        "DELETE FROM engine_firings WHERE repository = ?1 AND rule = ?2 AND at_ms < ?3",
        params![repository, rule, keep.as_millisecond()],
    )?;
    Ok(())
}

/// Returns the event that paused acting; `None` when nothing is paused.
pub(crate) fn paused(tx: &Tx<'_>) -> Result<Option<Seq>, TxError> {
    tx.query_row(
        "SELECT seq FROM engine_facts WHERE name = 'paused'",
        [],
        |row| seq_at(row, 0),
    )
}

/// Returns whether a person has allowed what the content with this digest executes.
pub(crate) fn is_trusted(
    tx: &Tx<'_>,
    repository: RepositoryId,
    digest: &str,
) -> Result<bool, TxError> {
    let found: Option<i64> = tx.query_row(
        "SELECT 1 FROM engine_trust WHERE repository = ?1 AND digest = ?2",
        params![repository.to_string(), digest],
        |row| row.get(0),
    )?;
    Ok(found.is_some())
}

/// Builds a draft that happens now.
pub(crate) fn draft<P: tradewind_core::payload::Payload>(
    tx: &Tx<'_>,
    body: &P,
) -> Result<Draft, TxError> {
    Draft::new(tx.now(), body).map_err(|error| TxError::Append(error.into()))
}

/// A seq as SQLite keeps it; seqs never reach 2⁶³.
pub(crate) fn int(seq: Seq) -> i64 {
    i64::try_from(seq.0).unwrap_or(i64::MAX)
}

pub(crate) fn seq_at(row: &Row<'_>, column: usize) -> tradewind_journal::rusqlite::Result<Seq> {
    let number: i64 = row.get(column)?;
    Ok(Seq(u64::try_from(number).unwrap_or(0)))
}

pub(crate) fn time_at(
    row: &Row<'_>,
    column: usize,
) -> tradewind_journal::rusqlite::Result<Timestamp> {
    Timestamp::from_millisecond(row.get(column)?).map_err(|error| wrong(column, error))
}

pub(crate) fn id_at(
    row: &Row<'_>,
    column: usize,
) -> tradewind_journal::rusqlite::Result<RepositoryId> {
    let text: String = row.get(column)?;
    RepositoryId::from_str(&text).map_err(|error| wrong(column, error))
}

fn wrong(
    column: usize,
    error: impl std::error::Error + Send + Sync + 'static,
) -> tradewind_journal::rusqlite::Error {
    tradewind_journal::rusqlite::Error::FromSqlConversionFailure(
        column,
        Type::Text,
        Box::new(error),
    )
}
