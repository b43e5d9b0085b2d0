//! Takes waiting requests and runs their actions.
//!
//! One action at a time per repository, because two that change the same files would make undo
//! impossible; a few at a time in all. Around each action, in this order: it is marked started,
//! preimages are saved, it runs, postimages are saved, its outcome is recorded. A crash between any
//! two of these is found by `reconcile`. While acting is paused nothing new is started.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use tradewind_core::payload::{
    ActionAbandoned, ActionFailed, ActionRequested, ActionSucceeded, ProposalExpired, Reversibility,
};
use tradewind_core::{Event, RepositoryId, Seq};
use tradewind_journal::rusqlite::params;
use tradewind_journal::{Tx, TxError};

use super::{Candidate, EngineError, MAX_RUNNING, Running, Shared, Watched, apply, outbox};
use crate::action::{Action, ActionContext, Outcome};
use crate::store::{self, RequestRow};
use crate::supervisor::panic_text;
use crate::undo::{Capture, SecretScan};

/// How many open requests are looked at in one go.
const MAX_LOOKED_AT: u32 = 4_096;
/// How many due debounces and expired proposals are handled in one transaction.
const MAX_DUE: usize = 64;

/// Upper bounds on what an outcome may say in the journal.
const MAX_OUTPUT_BYTES: usize = 64 * 1024;
const MAX_SENTENCE_CHARS: usize = 2_000;
/// Stands where a secret would have been journaled.
const WITHHELD: &str = "(holds a secret, not kept)";

/// A request that is about to run.
struct Start {
    row: RequestRow,
    body: ActionRequested,
    event: Event,
}

impl Shared {
    /// Starts what may start now.
    pub(super) async fn dispatch(
        self: &Arc<Self>,
        shutdown: &CancellationToken,
    ) -> Result<(), EngineError> {
        let (free, busy, known) = {
            let state = self.lock();
            let busy: Vec<RepositoryId> = state.running.keys().copied().collect();
            let known: Vec<RepositoryId> = state.repositories.keys().copied().collect();
            (MAX_RUNNING.saturating_sub(busy.len()), busy, known)
        };
        if free == 0 || shutdown.is_cancelled() {
            return Ok(());
        }
        let starts = self
            .parts
            .journal
            .transact(move |tx| take_waiting(tx, free, busy, &known))
            .await?;
        for start in starts {
            self.start(start, shutdown);
        }
        Ok(())
    }

    fn start(self: &Arc<Self>, start: Start, shutdown: &CancellationToken) {
        let repository = start.row.repository;
        let request = start.row.seq;
        let watched = {
            let mut state = self.lock();
            let changes = start.body.reversibility != Reversibility::Harmless;
            state
                .running
                .insert(repository, Running { request, changes });
            state.repositories.get(&repository).cloned()
        };
        let shared = Arc::clone(self);
        let cancel = shutdown.child_token();
        self.supervisor
            .start_once(format!("action {request}"), async move {
                let slot = Slot {
                    shared: Arc::clone(&shared),
                    repository,
                };
                if let Err(error) = shared.run_one(start, watched, cancel).await {
                    // The request stays without an outcome; the next start finds and reconciles it.
                    tracing::error!(action_id = request.0, %error, "outcome was not recorded");
                }
                drop(slot);
            });
    }

    /// Runs one request from its preimages to its outcome.
    async fn run_one(
        &self,
        start: Start,
        watched: Option<Arc<Watched>>,
        cancel: CancellationToken,
    ) -> Result<(), EngineError> {
        let Start { row, body, event } = start;
        let began = Instant::now();
        let action = self.parts.actions.action(&body.action);
        let mut operation = row.operation.clone();
        let outcome = match (action, watched) {
            (Some(action), Some(watched)) => {
                let context = ActionContext {
                    request: row.seq,
                    key: row.key.clone(),
                    repository: row.repository,
                    path: watched.path.clone(),
                    rule: row.rule.clone(),
                    event: Arc::new(event),
                    arguments: body.arguments,
                    journal: self.parts.journal.clone(),
                    cancel,
                };
                self.act(action, context, &mut operation).await
            }
            (None, _) => failed(format!(
                "No action is named `{}` in this version.",
                body.action
            )),
            (_, None) => failed("The repository is no longer watched.".to_owned()),
        };
        let outcome = presentable(outcome, &self.parts.secret_scan);
        let elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        if outcome == Outcome::Queued {
            return Ok(());
        }
        self.parts
            .journal
            .transact(move |tx| record_outcome(tx, &row, outcome, elapsed_ms, operation).map(drop))
            .await?;
        Ok(())
    }

    /// Saves preimages, runs the action, saves postimages.
    async fn act(
        &self,
        action: Arc<dyn Action>,
        context: ActionContext,
        operation: &mut Option<String>,
    ) -> Outcome {
        let writes = action.writes(&context.arguments);
        if !writes.is_empty() && operation.is_none() {
            let capture = Capture {
                repository: context.repository,
                path: context.path.clone(),
                request: context.request,
                writes,
            };
            match self.undo.capture(capture).await {
                Ok(id) => *operation = Some(id),
                Err(error) => {
                    return failed(format!(
                        "Nothing was done, because what it may change could not be saved: {error}."
                    ));
                }
            }
        }
        let run = AssertUnwindSafe(async { action.run(context).await }).catch_unwind();
        let outcome = match run.await {
            Ok(outcome) => outcome,
            Err(panic) => failed(format!("The action {}.", panic_text(panic.as_ref()))),
        };
        if let Some(id) = operation
            && let Err(error) = self.undo.seal(id).await
        {
            tracing::error!(operation = id, %error, "postimages were not saved");
        }
        outcome
    }

    /// Does what the clock asks for: debounces, expired proposals, webhooks. Returns when to come back.
    pub(super) async fn turn(self: &Arc<Self>) -> Result<Option<Timestamp>, EngineError> {
        let repositories = self.lock().repositories.clone();
        let (due, messages) = self
            .parts
            .journal
            .transact(move |tx| {
                for due in apply::take_due(tx, MAX_DUE)? {
                    let watched = repositories.get(&due.repository);
                    let rule = watched.and_then(|watched| watched.config.rules.get(&due.rule));
                    let (Some(watched), Some(rule), Some(event)) = (watched, rule, due.event)
                    else {
                        // The rule, the repository or the event is gone: nothing is left to do.
                        tracing::debug!(schedule = due.name, "debounce has no rule any more");
                        continue;
                    };
                    let candidate = Candidate {
                        repository: due.repository,
                        watched: Arc::clone(watched),
                        rule: Arc::clone(rule),
                        event: Arc::new(event),
                        error: None,
                    };
                    apply::fire(tx, &candidate)?;
                }
                expire_proposals(tx)?;
                let messages = outbox::due(tx)?;
                Ok((next_wake(tx)?, messages))
            })
            .await?;
        self.deliver(messages);
        Ok(due)
    }

    /// Waits for the actions that were asked to end.
    pub(super) async fn drain(&self) {
        loop {
            let ended = self.kick.notified();
            if self.lock().running.is_empty() {
                return;
            }
            ended.await;
        }
    }
}

/// Frees a repository's place however its action ends.
struct Slot {
    shared: Arc<Shared>,
    repository: RepositoryId,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let now = self.shared.parts.clock.now();
        let mut state = self.shared.lock();
        if let Some(running) = state.running.remove(&self.repository)
            && running.changes
        {
            state.ended.insert(self.repository, (running.request, now));
        }
        drop(state);
        self.shared.kick.notify_one();
    }
}

/// The next moment at which the clock asks for something.
fn next_wake(tx: &Tx<'_>) -> Result<Option<Timestamp>, TxError> {
    let proposals: Option<Option<i64>> = tx.query_row(
        "SELECT min(expires_ms) FROM engine_proposals WHERE state = 'open'",
        [],
        |row| row.get(0),
    )?;
    let waiting: Option<Option<i64>> = tx.query_row(
        "SELECT min(not_after_ms) FROM engine_requests WHERE state = 'waiting'",
        [],
        |row| row.get(0),
    )?;
    let time = |ms: Option<Option<i64>>| Timestamp::from_millisecond(ms.flatten()?).ok();
    let times = [
        tx.next_due()?,
        time(proposals),
        // One millisecond later it is too late, and said so.
        time(waiting).and_then(|at| at.checked_add(SignedDuration::from_millis(1)).ok()),
        outbox::next_due(tx)?,
    ];
    Ok(times.into_iter().flatten().min())
}

/// Marks what may start as started. What waited too long is abandoned.
fn take_waiting(
    tx: &mut Tx<'_>,
    free: usize,
    mut busy: Vec<RepositoryId>,
    known: &[RepositoryId],
) -> Result<Vec<Start>, TxError> {
    let now = tx.now();
    let is_paused = store::paused(tx)?.is_some();
    let mut starts = Vec::new();
    for row in store::requests_in(tx, "waiting", MAX_LOOKED_AT)? {
        if row.not_after < now {
            let reason = format!(
                "It waited until after {}, which is too late.",
                row.not_after
            );
            abandon(tx, &row, reason)?;
            continue;
        }
        let is_free = known.contains(&row.repository) && !busy.contains(&row.repository);
        if is_paused || !is_free || starts.len() >= free {
            continue;
        }
        let (Some(request), Some(event)) = (tx.get(row.seq)?, tx.get(row.event)?) else {
            abandon(
                tx,
                &row,
                "The event that it is about was removed by retention.".into(),
            )?;
            continue;
        };
        let Ok(body) = request.payload::<ActionRequested>() else {
            abandon(tx, &row, "The request itself was erased.".into())?;
            continue;
        };
        if store::mark_started(tx, row.seq)? {
            busy.push(row.repository);
            starts.push(Start { row, body, event });
        }
    }
    Ok(starts)
}

/// Says that a request is not run (again).
pub(super) fn abandon(tx: &mut Tx<'_>, row: &RequestRow, reason: String) -> Result<(), TxError> {
    if !store::mark_done(tx, row.seq)? {
        return Ok(());
    }
    let body = ActionAbandoned {
        request: row.seq,
        reason,
        operation: row.operation.clone(),
    };
    let draft = store::draft(tx, &body)?
        .about(row.rule.clone())
        .caused_by(row.seq)
        .in_repository(row.repository);
    tx.append(draft).map(drop)
}

/// Appends the outcome of a request, once.
pub(super) fn record_outcome(
    tx: &mut Tx<'_>,
    row: &RequestRow,
    outcome: Outcome,
    elapsed_ms: u64,
    operation: Option<String>,
) -> Result<Option<Seq>, TxError> {
    let request = row.seq;
    let draft = match outcome {
        Outcome::Queued => return Ok(None),
        Outcome::Done { summary, output } => {
            let body = ActionSucceeded {
                request,
                elapsed_ms,
                summary,
                output,
                operation,
            };
            store::draft(tx, &body)?
        }
        Outcome::Failed { error, output } => {
            let body = ActionFailed {
                request,
                elapsed_ms,
                error,
                output,
                operation,
            };
            store::draft(tx, &body)?
        }
    };
    if !store::mark_done(tx, request)? {
        return Ok(None);
    }
    let draft = draft
        .about(row.rule.clone())
        .caused_by(request)
        .in_repository(row.repository);
    tx.append(draft).map(Some)
}

/// Makes an outcome fit for the journal: bounded, and without texts that hold a secret.
fn presentable(outcome: Outcome, scan: &SecretScan) -> Outcome {
    let output = |mut output: Value| {
        scrub(&mut output, scan);
        let size_bytes = output.to_string().len();
        if size_bytes > MAX_OUTPUT_BYTES {
            output = json!({ "dropped_bytes": size_bytes });
        }
        output
    };
    let sentence = |text: String| {
        if scan("", text.as_bytes()) {
            return WITHHELD.to_owned();
        }
        match text.char_indices().nth(MAX_SENTENCE_CHARS) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    };
    match outcome {
        Outcome::Queued => Outcome::Queued,
        Outcome::Done {
            summary,
            output: raw,
        } => Outcome::Done {
            summary: sentence(summary),
            output: output(raw),
        },
        Outcome::Failed { error, output: raw } => Outcome::Failed {
            error: sentence(error),
            output: output(raw),
        },
    }
}

/// Replaces every text that holds a secret.
fn scrub(value: &mut Value, scan: &SecretScan) {
    match value {
        Value::String(text) if scan("", text.as_bytes()) => WITHHELD.clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(|item| scrub(item, scan)),
        Value::Object(fields) => fields.values_mut().for_each(|field| scrub(field, scan)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn failed(error: String) -> Outcome {
    Outcome::Failed {
        error,
        output: json!({}),
    }
}

fn expire_proposals(tx: &mut Tx<'_>) -> Result<(), TxError> {
    let now = tx.now().as_millisecond();
    let expired = tx.query(
        "SELECT seq, repository FROM engine_proposals
            WHERE state = 'open' AND expires_ms <= ?1 ORDER BY seq LIMIT ?2",
        params![now, i64::try_from(MAX_DUE).unwrap_or(i64::MAX)],
        |row| Ok((store::seq_at(row, 0)?, store::id_at(row, 1)?)),
    )?;
    for (proposal, repository) in expired {
        let rule = tx
            .get(proposal)?
            .map(|event| event.subject)
            .unwrap_or_default();
        tx.execute(
            "UPDATE engine_proposals SET state = 'expired' WHERE seq = ?1",
            params![store::int(proposal)],
        )?;
        let draft = store::draft(tx, &ProposalExpired { proposal })?
            .about(rule)
            .caused_by(proposal)
            .in_repository(repository);
        tx.append(draft)?;
    }
    Ok(())
}
