//! Trust: a configuration that came with a clone executes nothing until a person has read what it would.
//!
//! Why by content: the consent is to one text. Any change of the file asks again, and another
//! repository with the same text asks as well. Without it rules still look, and shadow rules still
//! say what they would do; whatever executes is held as `untrusted`. A configuration that executes
//! nothing needs no consent. Not here: hooks and checks, which bring their own lists later.

use serde::Serialize;
use tradewind_core::payload::ConfigTrusted;
use tradewind_core::{RepositoryId, Seq};
use tradewind_journal::rusqlite::params;
use tradewind_journal::{Journal, ReadError, Reader, TxError};

use crate::config::{Config, Mode};
use crate::proposals::has_tables;
use crate::store;

/// Something that a configuration would execute on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Executed {
    /// Where it stands, such as `rules.tests`.
    pub place: String,
    /// The command as a shell would read it.
    pub command: String,
    /// How far the rule may go.
    pub mode: Mode,
}

/// Returns everything that `config` would execute, in the order of its rules; shadow rules too,
/// because a mode is quickly turned up.
pub fn executes(config: &Config) -> Vec<Executed> {
    let commands = |rule: &crate::config::Rule| rule.action.executes(&rule.arguments);
    config
        .rules
        .values()
        .flat_map(|rule| {
            commands(rule).into_iter().map(|command| Executed {
                place: format!("rules.{}", rule.name),
                command,
                mode: rule.mode,
            })
        })
        .collect()
}

/// Returns the digest of a configuration's text that trust is bound to.
pub fn digest(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

/// Remembers that a person has read what the text with this digest executes, and allowed it.
///
/// # Errors
/// [`TxError`] when the journal refuses; nothing is trusted then.
pub async fn trust(
    journal: &Journal,
    repository: RepositoryId,
    digest: &str,
) -> Result<Seq, TxError> {
    let digest = digest.to_owned();
    journal
        .transact(move |tx| {
            let body = ConfigTrusted {
                digest: digest.clone(),
            };
            let draft = store::draft(tx, &body)?.in_repository(repository);
            let seq = tx.append(draft)?;
            tx.execute(
                "INSERT OR REPLACE INTO engine_trust (repository, digest, seq) VALUES (?1, ?2, ?3)",
                params![repository.to_string(), digest, store::int(seq)],
            )?;
            Ok(seq)
        })
        .await
}

/// Returns whether a person has allowed what the text with this digest executes.
///
/// # Errors
/// [`ReadError`] when the journal cannot be read.
pub fn is_trusted(
    reader: &Reader,
    repository: RepositoryId,
    digest: &str,
) -> Result<bool, ReadError> {
    if !has_tables(reader)? {
        return Ok(false);
    }
    let found = reader.query(
        "SELECT 1 FROM engine_trust WHERE repository = ?1 AND digest = ?2",
        params![repository.to_string(), digest],
        |_| Ok(()),
    )?;
    Ok(!found.is_empty())
}
