//! Proposals: what rules in `propose` mode wait for a person to decide.
//!
//! A proposal is an event and a row; it survives restarts and expires after `engine.proposal_ttl`.
//! Approving requests the action with the arguments that were shown, whatever the configuration says
//! by now. Listing works beside a running daemon; deciding needs the writer, so it is done by the
//! daemon or by a command that holds the store's lock. Not here: when a rule proposes.

use jiff::Timestamp;
use serde::Serialize;

use tradewind_core::payload::{ProposalApproved, ProposalOpened, ProposalRejected};
use tradewind_core::{Recovery, RepositoryId, Seq};
use tradewind_journal::rusqlite::params;
use tradewind_journal::{Journal, ReadError, Reader, Tx, TxError};

use crate::store::{self, Asked};

/// Upper bound on proposals listed.
pub const MAX_LISTED: u32 = 1_000;
/// Upper bound on who decided and why, in bytes.
const MAX_WORDS_BYTES: usize = 2_048;

/// Why a proposal was not decided.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProposalError {
    /// There is no such proposal.
    #[error("event {proposal} is no proposal")]
    Unknown {
        /// What was asked for.
        proposal: Seq,
    },
    /// It was decided before, or is too old.
    #[error("proposal {proposal} is {state} already")]
    Decided {
        /// The proposal.
        proposal: Seq,
        /// `approved`, `rejected` or `expired`.
        state: String,
    },
    /// Acting is paused.
    #[error("acting is paused")]
    Paused,
    /// The journal refused to write.
    #[error(transparent)]
    Write(#[from] TxError),
}

impl ProposalError {
    /// Says what a caller may usefully do next.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Unknown { .. } | Self::Decided { .. } => Recovery::GiveUp,
            Self::Paused => Recovery::Fix,
            Self::Write(error) => error.recovery(),
        }
    }
}

/// A proposal as it is listed.
#[derive(Clone, Debug, Serialize)]
pub struct Proposal {
    /// The event that opened it.
    pub seq: Seq,
    /// The repository it is for.
    pub repository: RepositoryId,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// `open`, `approved`, `rejected` or `expired`.
    pub state: String,
    /// What is proposed; `None` when the event was erased.
    pub body: Option<ProposalOpened>,
}

/// Lists proposals, newest first; only open ones unless `all`.
///
/// # Errors
/// [`ReadError`] when the journal cannot be read.
pub fn list(
    reader: &Reader,
    repository: Option<RepositoryId>,
    all: bool,
) -> Result<Vec<Proposal>, ReadError> {
    if !has_tables(reader)? {
        return Ok(Vec::new());
    }
    let rows = reader.query(
        "SELECT seq, repository, state FROM engine_proposals
            WHERE (?1 OR state = 'open') AND (?2 IS NULL OR repository = ?2)
            ORDER BY seq DESC LIMIT ?3",
        params![all, repository.map(|id| id.to_string()), MAX_LISTED],
        |row| {
            Ok((
                store::seq_at(row, 0)?,
                store::id_at(row, 1)?,
                row.get::<_, String>(2)?,
            ))
        },
    )?;
    let mut proposals = Vec::with_capacity(rows.len());
    for (seq, repository, state) in rows {
        let Some(event) = reader.get(seq)? else {
            continue;
        };
        proposals.push(Proposal {
            seq,
            repository,
            opened_at: event.recorded_at,
            state,
            body: event.payload().ok(),
        });
    }
    Ok(proposals)
}

/// Says yes: the action is requested, and runs when the daemon does. Returns the request.
///
/// # Errors
/// [`ProposalError`]; nothing was recorded then.
pub async fn approve(journal: &Journal, proposal: Seq, by: &str) -> Result<Seq, ProposalError> {
    let by = cut(by);
    let done = journal.transact(move |tx| {
        let open = match open(tx, proposal)? {
            Ok(open) => open,
            Err(error) => return Ok(Err(error)),
        };
        if store::paused(tx)?.is_some() {
            return Ok(Err(ProposalError::Paused));
        }
        settle(tx, proposal, "approved")?;
        let draft = store::draft(tx, &ProposalApproved { proposal, by })?
            .about(open.body.rule.clone())
            .caused_by(proposal)
            .in_repository(open.repository);
        let approval = tx.append(draft)?;
        let asked = Asked {
            repository: open.repository,
            rule: open.body.rule,
            action: open.body.action,
            arguments: open.body.arguments,
            summary: open.body.summary,
            reversibility: open.body.reversibility,
            event: open.event,
            cause: approval,
            not_after: open.body.expires_at,
        };
        store::append_request(tx, asked).map(Ok)
    });
    done.await?
}

/// Says no.
///
/// # Errors
/// [`ProposalError`]; nothing was recorded then.
pub async fn reject(
    journal: &Journal,
    proposal: Seq,
    by: &str,
    reason: &str,
) -> Result<Seq, ProposalError> {
    let (by, reason) = (cut(by), cut(reason));
    let done = journal.transact(move |tx| {
        let open = match open(tx, proposal)? {
            Ok(open) => open,
            Err(error) => return Ok(Err(error)),
        };
        settle(tx, proposal, "rejected")?;
        let draft = store::draft(
            tx,
            &ProposalRejected {
                proposal,
                by,
                reason,
            },
        )?
        .about(open.body.rule)
        .caused_by(proposal)
        .in_repository(open.repository);
        tx.append(draft).map(Ok)
    });
    done.await?
}

/// A proposal that can be decided.
struct Open {
    repository: RepositoryId,
    event: Seq,
    body: ProposalOpened,
}

fn open(tx: &Tx<'_>, proposal: Seq) -> Result<Result<Open, ProposalError>, TxError> {
    let row = tx.query_row(
        "SELECT repository, event, state, expires_ms FROM engine_proposals WHERE seq = ?1",
        params![store::int(proposal)],
        |row| {
            Ok((
                store::id_at(row, 0)?,
                store::seq_at(row, 1)?,
                row.get::<_, String>(2)?,
                store::time_at(row, 3)?,
            ))
        },
    )?;
    let Some((repository, event, state, expires_at)) = row else {
        return Ok(Err(ProposalError::Unknown { proposal }));
    };
    if state != "open" {
        return Ok(Err(ProposalError::Decided { proposal, state }));
    }
    if expires_at <= tx.now() {
        // The daemon will say so in an event; until then it is just as dead.
        return Ok(Err(ProposalError::Decided {
            proposal,
            state: "expired".into(),
        }));
    }
    let body = tx
        .get(proposal)?
        .and_then(|event| event.payload::<ProposalOpened>().ok());
    Ok(match body {
        Some(body) => Ok(Open {
            repository,
            event,
            body,
        }),
        None => Err(ProposalError::Unknown { proposal }),
    })
}

fn settle(tx: &mut Tx<'_>, proposal: Seq, state: &str) -> Result<(), TxError> {
    tx.execute(
        "UPDATE engine_proposals SET state = ?2 WHERE seq = ?1",
        params![store::int(proposal), state],
    )?;
    Ok(())
}

/// Cuts words of a person to what an event may hold.
pub(crate) fn cut(words: &str) -> String {
    let mut end = words.len().min(MAX_WORDS_BYTES);
    while !words.is_char_boundary(end) {
        end -= 1;
    }
    words[..end].to_owned()
}

/// Whether the engine ever ran with this store.
pub(crate) fn has_tables(reader: &Reader) -> Result<bool, ReadError> {
    let found = reader.query(
        "SELECT 1 FROM sqlite_master WHERE name = 'engine_operations'",
        [],
        |_| Ok(()),
    )?;
    Ok(!found.is_empty())
}
