//! The records of operations and intents in the engine's tables.

use serde::Serialize;

use tradewind_core::payload::ActionUndone;
use tradewind_core::{Draft, RepositoryId, Seq};
use tradewind_journal::rusqlite::params;
use tradewind_journal::{Journal, ReadError, Reader, Tx, TxError};

use super::{Below, Direction, Operation, UndoError, Which};
use crate::proposals::has_tables;
use crate::store;

/// Upper bound on operations listed.
const MAX_LISTED: u32 = 1_000;

/// Where an operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Its action has not ended.
    Captured,
    /// It can be undone.
    Sealed,
    /// It can be redone.
    Undone,
}

impl State {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Captured => "captured",
            Self::Sealed => "sealed",
            Self::Undone => "undone",
        }
    }

    fn parse(text: &str) -> Self {
        match text {
            "captured" => Self::Captured,
            "undone" => Self::Undone,
            _ => Self::Sealed,
        }
    }

    /// The state from which one goes in a direction, and the state where one arrives.
    pub(super) const fn of(direction: Direction) -> (Self, Self) {
        match direction {
            Direction::Undo => (Self::Sealed, Self::Undone),
            Direction::Redo => (Self::Undone, Self::Sealed),
        }
    }
}

/// An operation as it is listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Its id.
    pub operation: String,
    /// The request whose action it is.
    pub request: Seq,
    /// `captured` (its action runs), `sealed` (can be undone) or `undone` (can be redone).
    pub state: String,
    /// Bytes kept for it, counted as if it shared none.
    pub size_bytes: u64,
}

/// Lists a repository's operations, newest first.
///
/// # Errors
/// [`ReadError`] when the journal cannot be read.
pub fn list(reader: &Reader, repository: RepositoryId) -> Result<Vec<Listed>, ReadError> {
    if !has_tables(reader)? {
        return Ok(Vec::new());
    }
    reader.query(
        "SELECT id, request, state, size_bytes FROM engine_operations
            WHERE repository = ?1 ORDER BY request DESC LIMIT ?2",
        params![repository.to_string(), MAX_LISTED],
        |row| {
            let size: i64 = row.get(3)?;
            Ok(Listed {
                operation: row.get(0)?,
                request: store::seq_at(row, 1)?,
                state: row.get(2)?,
                size_bytes: u64::try_from(size).unwrap_or(0),
            })
        },
    )
}

fn text_of(operation: &Operation) -> Result<String, UndoError> {
    serde_json::to_string(operation).map_err(|source| unreadable(&operation.id, source))
}

fn unreadable(id: &str, source: serde_json::Error) -> UndoError {
    UndoError::Below(Below::Record {
        id: id.to_owned(),
        source,
    })
}

/// Records a captured operation, and with its request which one it is.
pub(super) fn insert(journal: &Journal, operation: Operation) -> Result<(), UndoError> {
    insert_as(journal, operation, State::Captured)
}

pub(super) fn insert_as(
    journal: &Journal,
    operation: Operation,
    state: State,
) -> Result<(), UndoError> {
    let text = text_of(&operation)?;
    journal.transact_blocking(move |tx| {
        tx.execute(
            "INSERT INTO engine_operations
                (id, repository, path, request, created_ms, state, size_bytes, record)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                operation.id,
                operation.repository.to_string(),
                operation.path.to_string_lossy(),
                store::int(operation.request),
                operation.created_at.as_millisecond(),
                state.as_str(),
                i64::try_from(operation.size_bytes()).unwrap_or(i64::MAX),
                text
            ],
        )?;
        store::set_operation(tx, operation.request, &operation.id)
    })?;
    Ok(())
}

/// Replaces the record of an operation.
pub(super) fn update(
    journal: &Journal,
    operation: Operation,
    state: State,
) -> Result<(), UndoError> {
    let text = text_of(&operation)?;
    journal.transact_blocking(move |tx| {
        tx.execute(
            "UPDATE engine_operations SET state = ?2, size_bytes = ?3, record = ?4 WHERE id = ?1",
            params![
                operation.id,
                state.as_str(),
                i64::try_from(operation.size_bytes()).unwrap_or(i64::MAX),
                text
            ],
        )
        .map(drop)
    })?;
    Ok(())
}

/// Loads an operation by id.
pub(super) fn load(journal: &Journal, id: &str) -> Result<(Operation, State), UndoError> {
    let wanted = id.to_owned();
    let row = journal.transact_blocking(move |tx| {
        tx.query_row(
            "SELECT record, state FROM engine_operations WHERE id = ?1",
            params![wanted],
            |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)),
        )
    })?;
    let (text, state) = row.ok_or_else(|| UndoError::Nothing {
        what: format!("operation {id} is not recorded, or has expired"),
    })?;
    let operation = serde_json::from_str(&text).map_err(|source| unreadable(id, source))?;
    Ok((operation, State::parse(&state)))
}

/// Finds the operation that a person means.
pub(super) fn find(
    journal: &Journal,
    which: &Which,
    direction: Direction,
) -> Result<Operation, UndoError> {
    let repository = which.repository.to_string();
    let (from, _) = State::of(direction);
    let seq = which.seq;
    let busy = repository.clone();
    let is_busy = journal.transact_blocking(move |tx| {
        tx.query_row(
            "SELECT 1 FROM engine_operations AS operation
                JOIN engine_requests AS request ON request.seq = operation.request
                WHERE operation.repository = ?1 AND operation.state = 'captured'
                    AND request.state <> 'done'",
            params![busy],
            |_| Ok(()),
        )
    })?;
    if is_busy.is_some() {
        let what = "an action is changing this repository at present, wait for its end";
        return Err(UndoError::Nothing {
            what: what.to_owned(),
        });
    }
    let found = journal.transact_blocking(move |tx| {
        if let Some(seq) = seq {
            let request = request_of(tx, seq)?;
            return tx.query_row(
                "SELECT id, state FROM engine_operations WHERE repository = ?1 AND request = ?2",
                params![repository, store::int(request)],
                |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)),
            );
        }
        // The last one undone is the first one to be redone.
        let order = match direction {
            Direction::Undo => "DESC",
            Direction::Redo => "ASC",
        };
        tx.query_row(
            &format!(
                "SELECT id, state FROM engine_operations
                    WHERE repository = ?1 AND state = ?2 ORDER BY request {order} LIMIT 1"
            ),
            params![repository, from.as_str()],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
    })?;
    let nothing = |what: String| UndoError::Nothing { what };
    let verb = direction.as_str();
    let Some((id, state)) = found else {
        return Err(nothing(match which.seq {
            Some(seq) => format!("event {seq} changed nothing here that is recorded for {verb}"),
            None => format!("there is nothing to {verb} here"),
        }));
    };
    match State::parse(&state) {
        state if state == from => {}
        State::Captured => return Err(nothing("its action has not ended yet".to_owned())),
        State::Undone => return Err(nothing("it is undone already".to_owned())),
        State::Sealed => return Err(nothing("it is not undone".to_owned())),
    }
    load(journal, &id).map(|(operation, _)| operation)
}

/// A person names the request, or what came of it: both mean the same action.
fn request_of(tx: &Tx<'_>, seq: Seq) -> Result<Seq, TxError> {
    let Some(event) = tx.get(seq)? else {
        return Ok(seq);
    };
    let named = event
        .data
        .as_ref()
        .and_then(|data| serde_json::from_str::<serde_json::Value>(data.get()).ok())
        .and_then(|body| body.get("request")?.as_u64());
    Ok(named
        .map(Seq)
        .or(event.cause.filter(|_| is_outcome(&event)))
        .unwrap_or(seq))
}

fn is_outcome(event: &tradewind_core::Event) -> bool {
    event.kind == tradewind_core::EventKind::EngineFileRestored
}

/// An undo or redo that was begun.
#[derive(Clone, Debug)]
pub(super) struct Intent {
    pub(super) operation: String,
    pub(super) direction: Direction,
    /// Where the repository was when it was begun.
    pub(super) path: String,
}

/// Records that an operation is about to be taken back or put back.
pub(super) fn insert_intent(
    journal: &Journal,
    operation: &Operation,
    direction: Direction,
) -> Result<(), UndoError> {
    let id = operation.id.clone();
    let request = operation.request;
    let path = operation.path.to_string_lossy().into_owned();
    journal.transact_blocking(move |tx| {
        let now = tx.now().as_millisecond();
        tx.execute(
            "INSERT INTO engine_intents (operation, direction, request, path, started_ms)
                VALUES (?1, ?2, ?3, ?4, ?5)",
            params![id, direction.as_str(), store::int(request), path, now],
        )
        .map(drop)
    })?;
    Ok(())
}

/// Returns what was begun and not completed.
pub(super) fn intents(journal: &Journal) -> Result<Vec<Intent>, UndoError> {
    let found = journal.reader()?.query(
        "SELECT operation, direction, path FROM engine_intents ORDER BY started_ms",
        [],
        |row| {
            Ok(Intent {
                operation: row.get(0)?,
                direction: Direction::parse(&row.get::<_, String>(1)?),
                path: row.get(2)?,
            })
        },
    )?;
    Ok(found)
}

/// Ends an intent: the event, the operation's new state and the intent's end, all at once.
pub(super) fn finish(
    journal: &Journal,
    operation: &Operation,
    direction: Direction,
    build: impl FnOnce(&Tx<'_>) -> Result<Draft, TxError> + Send + 'static,
) -> Result<Seq, UndoError> {
    let (id, request, repository) = (
        operation.id.clone(),
        operation.request,
        operation.repository,
    );
    let (_, to) = State::of(direction);
    let seq = journal.transact_blocking(move |tx| {
        let draft = build(tx)?.caused_by(request).in_repository(repository);
        let seq = tx.append(draft)?;
        tx.execute(
            "UPDATE engine_operations SET state = ?2 WHERE id = ?1",
            params![id, to.as_str()],
        )?;
        tx.execute(
            "DELETE FROM engine_intents WHERE operation = ?1",
            params![id],
        )?;
        Ok(seq)
    })?;
    Ok(seq)
}

/// Forgets an intent whose operation is no longer known.
pub(super) fn drop_intent(journal: &Journal, operation: &str) -> Result<(), UndoError> {
    let id = operation.to_owned();
    journal.transact_blocking(move |tx| {
        tx.execute(
            "DELETE FROM engine_intents WHERE operation = ?1",
            params![id],
        )
        .map(drop)
    })?;
    Ok(())
}

/// The rule whose request this was, for the subject of the event.
pub(super) fn rule_of(tx: &Tx<'_>, request: Seq) -> Result<String, TxError> {
    Ok(tx
        .get(request)?
        .map(|event| event.subject)
        .unwrap_or_default())
}

/// Body of the event of an undo.
pub(super) fn undone(
    operation: &Operation,
    files: &[String],
    references: &[String],
) -> ActionUndone {
    ActionUndone {
        request: operation.request,
        operation: operation.id.clone(),
        files: files.to_vec(),
        references: references.to_vec(),
    }
}
