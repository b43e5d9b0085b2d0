//! Records decisions: one transaction, with the facts it needs, the events it makes and their rows.
//!
//! Every event here has a key made of repository, rule and the event looked at, so that looking
//! twice records once.

use jiff::{SignedDuration, Timestamp};

use tradewind_core::payload::{ProposalOpened, RuleHeld, RuleShadowed};
use tradewind_core::{Event, EventKind, RepositoryId, Seq};
use tradewind_journal::rusqlite::params;
use tradewind_journal::{Tx, TxError};

use super::{Candidate, Watched, rule_failed};
use crate::config::Rule;
use crate::decide::{self, Decision, MAX_WAITS, Situation};
use crate::store::{self, Asked};

/// Prefix of the engine's durable schedules.
pub(super) const SCHEDULE: &str = "engine/debounce/";
/// Records what a rule does about an event that just came.
pub(super) fn arrive(tx: &mut Tx<'_>, candidate: &Candidate) -> Result<(), TxError> {
    let Candidate {
        repository,
        watched,
        rule,
        event,
        error,
    } = candidate;
    let situation = situation(tx, *repository, watched, rule, event)?;
    if let Some(error) = error {
        if situation.is_own || situation.depth > situation.max_depth {
            return Ok(());
        }
        let draft = store::draft(tx, &rule_failed(rule, error))?
            .about(rule.name.clone())
            .caused_by(event.seq)
            .in_repository(*repository)
            .with_key(format!("failed/{repository}/{}/{}", rule.name, event.seq));
        return tx.append(draft).map(drop);
    }
    let decision = decide::arrive(rule, event, &situation);
    record(tx, candidate, &situation, decision)
}

/// Records what a rule does now that nothing has to be waited for any more.
pub(super) fn fire(tx: &mut Tx<'_>, candidate: &Candidate) -> Result<(), TxError> {
    let Candidate {
        repository,
        watched,
        rule,
        event,
        ..
    } = candidate;
    let situation = situation(tx, *repository, watched, rule, event)?;
    let decision = decide::wake(rule, event, &situation);
    record(tx, candidate, &situation, decision)
}

fn record(
    tx: &mut Tx<'_>,
    candidate: &Candidate,
    situation: &Situation,
    decision: Decision,
) -> Result<(), TxError> {
    let Candidate {
        repository,
        rule,
        event,
        ..
    } = candidate;
    let summary = rule.action.summary(&rule.arguments);
    match decision {
        Decision::Hold {
            reason,
            detail,
            once,
        } => {
            let word = serde_json::to_value(reason).unwrap_or_default();
            let word = word.as_str().unwrap_or_default().to_owned();
            let body = RuleHeld {
                rule: rule.name.clone(),
                reason,
                detail,
            };
            let draft = store::draft(tx, &body)?
                .about(rule.name.clone())
                .caused_by(event.seq)
                .in_repository(*repository)
                .with_key(format!("held/{repository}/{}/{word}/{once}", rule.name));
            return tx.append(draft).map(drop);
        }
        Decision::Wait(quiet) => return wait(tx, *repository, rule, event, quiet),
        Decision::Shadow => {
            let body = RuleShadowed {
                rule: rule.name.clone(),
                action: rule.action.name().to_owned(),
                summary,
            };
            let draft = store::draft(tx, &body)?
                .about(rule.name.clone())
                .caused_by(event.seq)
                .in_repository(*repository)
                .with_key(format!("shadow/{repository}/{}/{}", rule.name, event.seq));
            tx.append(draft)?;
        }
        Decision::Propose => propose(tx, candidate, situation.now, summary)?,
        Decision::Act => {
            let asked = Asked {
                repository: *repository,
                rule: rule.name.clone(),
                action: rule.action.name().to_owned(),
                arguments: rule.arguments.clone(),
                summary,
                reversibility: rule.action.reversibility(&rule.arguments),
                event: event.seq,
                cause: event.seq,
                not_after: later(situation.now, rule.max_age),
            };
            store::append_request(tx, asked)?;
        }
    }
    if let Some(limit) = rule.limit {
        let keep = earlier(event.recorded_at, limit.per);
        store::note_firing(tx, *repository, &rule.name, event, keep)?;
    }
    Ok(())
}

fn propose(
    tx: &mut Tx<'_>,
    candidate: &Candidate,
    now: Timestamp,
    summary: String,
) -> Result<(), TxError> {
    let Candidate {
        repository,
        watched,
        rule,
        event,
        ..
    } = candidate;
    let expires_at = later(now, watched.config.engine.proposal_ttl);
    let body = ProposalOpened {
        rule: rule.name.clone(),
        action: rule.action.name().to_owned(),
        arguments: rule.arguments.clone(),
        summary,
        reversibility: rule.action.reversibility(&rule.arguments),
        expires_at,
    };
    let draft = store::draft(tx, &body)?
        .about(rule.name.clone())
        .caused_by(event.seq)
        .in_repository(*repository)
        .with_key(format!("proposal/{repository}/{}/{}", rule.name, event.seq));
    let seq = tx.append(draft)?;
    tx.execute(
        "INSERT OR IGNORE INTO engine_proposals (seq, repository, event, state, expires_ms)
            VALUES (?1, ?2, ?3, 'open', ?4)",
        params![
            store::int(seq),
            repository.to_string(),
            store::int(event.seq),
            expires_at.as_millisecond()
        ],
    )?;
    Ok(())
}

/// Notes the event and when to act on it, unless another one comes meanwhile.
fn wait(
    tx: &mut Tx<'_>,
    repository: RepositoryId,
    rule: &Rule,
    event: &Event,
    quiet: std::time::Duration,
) -> Result<(), TxError> {
    let now = tx.now();
    tx.execute(
        "INSERT INTO engine_debounces (repository, rule, event, first_ms) VALUES (?1, ?2, ?3, ?4)
            ON CONFLICT (repository, rule) DO UPDATE SET event = max(event, ?3)",
        params![
            repository.to_string(),
            rule.name,
            store::int(event.seq),
            now.as_millisecond()
        ],
    )?;
    let first: Option<Timestamp> = tx.query_row(
        "SELECT first_ms FROM engine_debounces WHERE repository = ?1 AND rule = ?2",
        params![repository.to_string(), rule.name],
        |row| store::time_at(row, 0),
    )?;
    let quiet = SignedDuration::try_from(quiet).unwrap_or(SignedDuration::MAX);
    let at_last = first
        .and_then(|first| {
            first
                .checked_add(quiet.saturating_mul(i32::try_from(MAX_WAITS).unwrap_or(i32::MAX)))
                .ok()
        })
        .unwrap_or(Timestamp::MAX);
    let due = now
        .checked_add(quiet)
        .unwrap_or(Timestamp::MAX)
        .min(at_last);
    tx.set_schedule(&schedule_name(repository, &rule.name), due, "")
}

pub(super) fn schedule_name(repository: RepositoryId, rule: &str) -> String {
    format!("{SCHEDULE}{repository}/{rule}")
}

/// Gathers what the decision needs to know.
fn situation(
    tx: &Tx<'_>,
    repository: RepositoryId,
    watched: &Watched,
    rule: &Rule,
    event: &Event,
) -> Result<Situation, TxError> {
    let max_depth = watched.config.engine.max_depth.get();
    let (depth, is_own) = chain(tx, repository, rule, event, max_depth)?;
    let fired = match rule.limit {
        Some(limit) => store::firings(
            tx,
            repository,
            &rule.name,
            earlier(event.recorded_at, limit.per),
        )?,
        None => 0,
    };
    Ok(Situation {
        now: tx.now(),
        paused: store::paused(tx)?,
        digest: watched.digest.clone(),
        is_trusted: store::is_trusted(tx, repository, &watched.digest)?,
        executes: !rule.action.executes(&rule.arguments).is_empty(),
        fired,
        depth,
        max_depth,
        is_own,
    })
}

/// Walks the causes of an event: how many there are, up to one more than allowed, and whether one
/// of them is the rule's own doing.
fn chain(
    tx: &Tx<'_>,
    repository: RepositoryId,
    rule: &Rule,
    event: &Event,
    max_depth: u32,
) -> Result<(u32, bool), TxError> {
    let mut depth = 0;
    let mut is_own = is_doing_of(event, repository, rule);
    let mut cause = event.cause;
    while let Some(seq) = cause {
        depth += 1;
        if depth > max_depth {
            break;
        }
        // A cause that retention removed ends the chain: it is too old to matter.
        let Some(event) = tx.get(seq)? else { break };
        is_own |= is_doing_of(&event, repository, rule);
        cause = event.cause;
    }
    Ok((depth, is_own))
}

fn is_doing_of(event: &Event, repository: RepositoryId, rule: &Rule) -> bool {
    let is_engines = matches!(
        event.kind,
        EventKind::EngineActionRequested
            | EventKind::EngineProposalOpened
            | EventKind::EngineRuleShadowed
            | EventKind::EngineRuleHeld
            | EventKind::EngineRuleFailed
    );
    // The engine writes the rule's name as the subject of what the rule does.
    is_engines && event.repository == Some(repository) && event.subject == rule.name
}

fn later(now: Timestamp, by: std::time::Duration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}

fn earlier(time: Timestamp, by: std::time::Duration) -> Timestamp {
    time.checked_sub(by).unwrap_or(Timestamp::MIN)
}

/// A debounce that is due: the rule and the last event that matched it.
pub(super) struct Due {
    pub(super) name: String,
    pub(super) repository: RepositoryId,
    pub(super) rule: String,
    pub(super) event: Option<Event>,
}

/// Takes debounces that are due off the list.
pub(super) fn take_due(tx: &mut Tx<'_>, limit: usize) -> Result<Vec<Due>, TxError> {
    let mut due = Vec::new();
    for schedule in tx.due_schedules(limit)? {
        let Some(rest) = schedule.name.strip_prefix(SCHEDULE) else {
            continue;
        };
        tx.cancel_schedule(&schedule.name)?;
        let Some((repository, rule)) = rest.split_once('/') else {
            continue;
        };
        let Ok(repository) = repository.parse::<RepositoryId>() else {
            continue;
        };
        let event: Option<Seq> = tx.query_row(
            "SELECT event FROM engine_debounces WHERE repository = ?1 AND rule = ?2",
            params![repository.to_string(), rule],
            |row| store::seq_at(row, 0),
        )?;
        tx.execute(
            "DELETE FROM engine_debounces WHERE repository = ?1 AND rule = ?2",
            params![repository.to_string(), rule],
        )?;
        let event = event.map(|seq| tx.get(seq)).transpose()?.flatten();
        due.push(Due {
            rule: rule.to_owned(),
            name: schedule.name,
            repository,
            event,
        });
    }
    Ok(due)
}
