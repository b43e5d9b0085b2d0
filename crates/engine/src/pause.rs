//! The big switch: stops every acting rule at once, in every repository, across restarts.
//!
//! While paused: rules in `act` mode are held (once per rule and pause), requests that wait are not
//! started, proposals are still opened but cannot be approved. An action that runs already is not
//! ended. Resuming lets waiting requests start unless they have grown too old. Not here: who may say so.

use tradewind_core::Seq;
use tradewind_core::payload::{ActingPaused, ActingResumed};
use tradewind_journal::rusqlite::params;
use tradewind_journal::{Journal, ReadError, Reader, TxError};

use crate::proposals::{cut, has_tables};
use crate::store;

/// Pauses acting; returns the event that did, which is the former one when it was paused already.
///
/// # Errors
/// [`TxError`] when the journal refuses; nothing is paused then.
pub async fn pause(journal: &Journal, by: &str, reason: &str) -> Result<Seq, TxError> {
    let body = ActingPaused {
        by: cut(by),
        reason: cut(reason),
    };
    journal
        .transact(move |tx| {
            if let Some(paused) = store::paused(tx)? {
                return Ok(paused);
            }
            let seq = tx.append(store::draft(tx, &body)?)?;
            tx.execute(
                "INSERT OR REPLACE INTO engine_facts (name, seq) VALUES ('paused', ?1)",
                params![store::int(seq)],
            )?;
            Ok(seq)
        })
        .await
}

/// Lets rules act again; `None` when nothing was paused.
///
/// # Errors
/// [`TxError`] when the journal refuses; acting stays paused then.
pub async fn resume(journal: &Journal, by: &str) -> Result<Option<Seq>, TxError> {
    let body = ActingResumed { by: cut(by) };
    journal
        .transact(move |tx| {
            let Some(paused) = store::paused(tx)? else {
                return Ok(None);
            };
            let draft = store::draft(tx, &body)?.caused_by(paused);
            let seq = tx.append(draft)?;
            tx.execute("DELETE FROM engine_facts WHERE name = 'paused'", [])?;
            Ok(Some(seq))
        })
        .await
}

/// Returns the event that paused acting; `None` when rules may act.
///
/// # Errors
/// [`ReadError`] when the journal cannot be read.
pub fn paused(reader: &Reader) -> Result<Option<Seq>, ReadError> {
    if !has_tables(reader)? {
        return Ok(None);
    }
    let found = reader.query(
        "SELECT seq FROM engine_facts WHERE name = 'paused'",
        [],
        |row| store::seq_at(row, 0),
    )?;
    Ok(found.first().copied())
}
