//! The loop: events in, decisions, requests, actions, outcomes back into the journal.
//!
//! How one event flows: the loop follows the journal from its own cursor. For each event it finds
//! the rules that match (kinds, then conditions, both pure), and one transaction records every
//! decision together with the cursor. A decision to act is an `engine.action.requested` and a row
//! among the requests that wait; nothing has any effect before that is durable. The dispatcher then
//! takes waiting requests, saves preimages, runs the action and records its outcome, one action at
//! a time per repository and a few at a time in all.
//!
//! - When it acts: see [`crate::decide`].
//! - When it recovers: a crash before the transaction repeats the decision, which has the same keys;
//!   a crash after it finds the request waiting; a crash in the middle of an action finds it
//!   started, and the action itself says whether it is run again or abandoned (`reconcile`).
//! - First start: the cursor is put behind the last event. History is not news.
//!
//! Not here: what events mean, what actions do, how undo works.

mod apply;
mod dispatch;
mod outbox;
mod reconcile;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use tradewind_core::payload::{ConfigLoaded, ConfigRejected, RuleFailed};
use tradewind_core::{Clock, Event, EventKind, RepositoryId, Seq};
use tradewind_host::egress::Egress;
use tradewind_journal::{Cursor, Journal, ReadError, TxError, rusqlite::params};

use crate::action::Registry;
use crate::condition::Facts;
use crate::config::{Config, Rule};
use crate::decide;
use crate::document::ConfigMistake;
use crate::error::EngineError;
use crate::store;
use crate::supervisor::Supervisor;
use crate::undo::{Expiry, SecretScan, Undo};
use crate::view::View;

/// Name of the engine's cursor in the journal.
pub const CONSUMER: &str = "engine";
/// How many actions run at once, over all repositories.
const MAX_RUNNING: usize = 4;
/// How far the cursor may lag behind events that no rule looked at.
const MAX_LAG: u64 = 4_096;
/// The longest sleep: a clock that steps, or a machine that slept, is noticed after this.
const MAX_SLEEP: Duration = Duration::from_secs(1);
/// How long the rows of settled requests and proposals are kept; their events stay longer.
const FORGET_AFTER: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How often old preimages and settled rows are forgotten.
const EXPIRE_EVERY: SignedDuration = SignedDuration::from_hours(6);
/// The shortest time between two looks at what is due, unless something happens.
const MIN_PAUSE: SignedDuration = SignedDuration::from_millis(250);
/// How long after its end an action still counts as the cause of what is seen in its repository.
const ECHO: SignedDuration = SignedDuration::from_secs(10);

/// What the engine is built from.
#[derive(Clone)]
pub struct EngineParts {
    /// The journal, opened for writing.
    pub journal: Journal,
    /// The actions that rules may name.
    pub actions: Registry,
    /// The way to the outside world, for webhooks.
    pub egress: Arc<dyn Egress>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Says which contents hold secrets; those are stored encrypted only.
    pub secret_scan: SecretScan,
    /// The user's state directory.
    pub state_dir: PathBuf,
}

/// The engine. A cheap handle; clones are the same engine.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    parts: EngineParts,
    undo: Undo,
    supervisor: Supervisor,
    /// State that the loop, the actions and the edge share; never held across an await.
    state: Mutex<State>,
    /// Wakes the loop: an action ended, a person decided, a repository came.
    kick: Notify,
    /// The last event that the loop has looked at and decided on.
    looked: watch::Sender<Seq>,
}

#[derive(Default)]
struct State {
    repositories: BTreeMap<RepositoryId, Arc<Watched>>,
    /// Requests whose actions run in this process, by repository.
    running: BTreeMap<RepositoryId, Running>,
    /// Requests whose actions ended, and when.
    ended: BTreeMap<RepositoryId, (Seq, Timestamp)>,
    /// Deliveries under way.
    delivering: BTreeSet<i64>,
    is_running: bool,
}

struct Running {
    request: Seq,
    /// Whether what is seen in the repository meanwhile may be its doing.
    changes: bool,
}

/// A repository and the rules in force for it.
#[derive(Debug)]
struct Watched {
    path: PathBuf,
    config: Config,
    digest: String,
}

/// A rule that matches an event, or could not tell.
struct Candidate {
    repository: RepositoryId,
    watched: Arc<Watched>,
    rule: Arc<Rule>,
    event: Arc<Event>,
    /// What the condition could not answer.
    error: Option<String>,
}

impl Engine {
    /// Prepares the engine: its tables, its store of preimages. Nothing runs yet.
    ///
    /// # Errors
    /// [`EngineError::Write`] when the tables cannot be made, [`EngineError::Undo`] when the state
    /// directory cannot be used.
    pub fn new(parts: EngineParts, supervisor: Supervisor) -> Result<Self, EngineError> {
        store::migrate(&parts.journal)?;
        let undo = Undo::open(
            parts.journal.clone(),
            Arc::clone(&parts.clock),
            &parts.state_dir,
            parts.secret_scan.clone(),
        )?;
        Ok(Self {
            shared: Arc::new(Shared {
                parts,
                undo,
                supervisor,
                state: Mutex::default(),
                kick: Notify::new(),
                looked: watch::channel(Seq::ZERO).0,
            }),
        })
    }

    /// Returns the store of preimages, for undo, redo and restore.
    pub fn undo(&self) -> &Undo {
        &self.shared.undo
    }

    /// Returns the actions that rules may name.
    pub fn actions(&self) -> &Registry {
        &self.shared.parts.actions
    }

    /// Puts a repository's configuration in force, in place of the one before.
    ///
    /// Call it for every repository before [`run`](Self::run), so that no event passes unseen.
    ///
    /// # Errors
    /// [`EngineError::Write`] when the change cannot be journaled; the one before stays in force.
    pub async fn set_repository(
        &self,
        repository: RepositoryId,
        path: PathBuf,
        config: Config,
        digest: String,
    ) -> Result<(), EngineError> {
        let rules = config.modes();
        let executes = !crate::trust::executes(&config).is_empty();
        let body_digest = digest.clone();
        self.shared
            .parts
            .journal
            .transact(move |tx| {
                let is_trusted = !executes || store::is_trusted(tx, repository, &body_digest)?;
                let state = if is_trusted { "trusted" } else { "untrusted" };
                if !note_config(tx, repository, &body_digest, state)? {
                    return Ok(());
                }
                let body = ConfigLoaded {
                    digest: body_digest,
                    rules,
                    is_trusted,
                };
                let draft = store::draft(tx, &body)?.in_repository(repository);
                tx.append(draft).map(drop)
            })
            .await?;
        let watched = Arc::new(Watched {
            path,
            config,
            digest,
        });
        self.shared.lock().repositories.insert(repository, watched);
        self.shared.kick.notify_one();
        Ok(())
    }

    /// Says that a repository's new configuration has mistakes; the one before stays in force.
    ///
    /// # Errors
    /// [`EngineError::Write`] when that cannot be journaled.
    pub async fn reject_configuration(
        &self,
        repository: RepositoryId,
        digest: String,
        mistakes: &[ConfigMistake],
    ) -> Result<(), EngineError> {
        let errors = mistakes.iter().map(ToString::to_string).collect();
        self.shared
            .parts
            .journal
            .transact(move |tx| {
                if !note_config(tx, repository, &digest, "rejected")? {
                    return Ok(());
                }
                let draft = store::draft(tx, &ConfigRejected { digest, errors })?;
                tx.append(draft.in_repository(repository)).map(drop)
            })
            .await?;
        Ok(())
    }

    /// Takes a repository's rules out of force. Actions that run are not ended.
    pub fn remove_repository(&self, repository: RepositoryId) {
        self.shared.lock().repositories.remove(&repository);
    }

    /// Returns the request whose action is what changes this repository at present, or did until
    /// ten seconds ago.
    ///
    /// For watchers: what they see then has this cause, and rules do not chase their own tail. An
    /// action that claims to change nothing is never returned.
    ///
    /// `made_at` is when the change itself says that it was made, where it does: what was made after
    /// the action had ended is somebody else's doing, however soon it came.
    pub fn cause_of_changes(
        &self,
        repository: RepositoryId,
        made_at: Option<Timestamp>,
    ) -> Option<Seq> {
        let now = self.shared.parts.clock.now();
        let state = self.shared.lock();
        if let Some(running) = state.running.get(&repository) {
            return running.changes.then_some(running.request);
        }
        state
            .ended
            .get(&repository)
            .filter(|(_, at)| now.duration_since(*at) <= ECHO)
            .filter(|(_, at)| made_at.is_none_or(|made| made <= *at))
            .map(|(request, _)| *request)
    }

    /// Returns the last event that was looked at, as it moves; the decisions on it are recorded.
    pub fn looked(&self) -> watch::Receiver<Seq> {
        self.shared.looked.subscribe()
    }

    /// Returns the requests whose actions run at present.
    pub fn running(&self) -> Vec<Seq> {
        let state = self.shared.lock();
        state
            .running
            .values()
            .map(|running| running.request)
            .collect()
    }

    /// Looks at once at what waits, for instance after a clock was moved.
    pub fn kick(&self) {
        self.shared.kick.notify_one();
    }

    /// Runs until `shutdown` fires, then waits for the actions that it has asked to end.
    ///
    /// # Errors
    /// [`EngineError`] when the journal refuses; a supervised task is then started again.
    pub async fn run(&self, shutdown: CancellationToken) -> Result<(), EngineError> {
        if std::mem::replace(&mut self.shared.lock().is_running, true) {
            return Err(EngineError::Running);
        }
        let only_one = OnlyOne(&self.shared);
        let result = self.run_alone(shutdown).await;
        drop(only_one);
        result
    }

    async fn run_alone(&self, shutdown: CancellationToken) -> Result<(), EngineError> {
        self.undo().complete_interrupted().await?;
        self.shared.reconcile().await?;
        let mut cursor = self.shared.take_cursor().await?;
        let mut view = self.shared.replay(cursor.seq).await?;
        let mut follow = self.shared.parts.journal.follow(cursor.seq);
        self.shared.looked.send_replace(cursor.seq);
        let mut wake_at = Some(Timestamp::MIN);
        let mut expire_at = Timestamp::MIN;
        let mut may_start = true;
        while !shutdown.is_cancelled() {
            let now = self.shared.parts.clock.now();
            if expire_at <= now {
                self.shared.expire().await?;
                expire_at = now.checked_add(EXPIRE_EVERY).unwrap_or(Timestamp::MAX);
            }
            if wake_at.is_some_and(|at| at <= now) {
                // A webhook under way stays due until its answer is recorded; do not spin for it.
                let soonest = now.checked_add(MIN_PAUSE).unwrap_or(Timestamp::MAX);
                wake_at = self.shared.turn().await?.map(|at| at.max(soonest));
                may_start = true;
            }
            if std::mem::take(&mut may_start) {
                self.shared.dispatch(&shutdown).await?;
            }
            let sleep = wake_at
                .and_then(|at| Duration::try_from(at.duration_since(now)).ok())
                .unwrap_or(MAX_SLEEP)
                .min(MAX_SLEEP);
            tokio::select! {
                // Cancel-safe: they only wait, and `next` hands out nothing when dropped.
                () = shutdown.cancelled() => {}
                events = follow.next() => {
                    let events = match events {
                        Ok(events) => events,
                        Err(ReadError::Closed) => break,
                        Err(error) => return Err(error.into()),
                    };
                    may_start = events.iter().any(|event| {
                        matches!(
                            event.kind,
                            EventKind::EngineActionRequested | EventKind::EngineActingResumed
                        )
                    });
                    let due = self.shared.take(&mut cursor, &mut view, events).await?;
                    wake_at = earlier(wake_at, due);
                }
                () = self.shared.kick.notified() => wake_at = Some(Timestamp::MIN),
                () = tokio::time::sleep(sleep) => {}
            }
        }
        self.shared.drain().await;
        Ok(())
    }
}

/// Frees the place of the one loop, also when the loop panics.
struct OnlyOne<'a>(&'a Shared);

impl Drop for OnlyOne<'_> {
    fn drop(&mut self) {
        self.0.lock().is_running = false;
    }
}

fn earlier(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// Notes what is in force; false when it was so before.
fn note_config(
    tx: &mut tradewind_journal::Tx<'_>,
    repository: RepositoryId,
    digest: &str,
    state: &str,
) -> Result<bool, TxError> {
    let changed = tx.execute(
        "INSERT INTO engine_configs (repository, digest, state) VALUES (?1, ?2, ?3)
            ON CONFLICT (repository) DO UPDATE SET digest = ?2, state = ?3
            WHERE digest <> ?2 OR state <> ?3",
        params![repository.to_string(), digest, state],
    )?;
    Ok(changed > 0)
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the cursor; on the first start ever, behind the last event.
    async fn take_cursor(&self) -> Result<Cursor, EngineError> {
        let taken = self.parts.journal.transact(|tx| {
            let is_first = tx.cursor(CONSUMER)?.is_none();
            let mut cursor = tx.take_cursor(CONSUMER)?;
            if is_first {
                cursor.seq = tx.last();
                tx.set_cursor(CONSUMER, cursor.seq, cursor.epoch)?;
            }
            Ok(cursor)
        });
        Ok(taken.await?)
    }

    /// Forgets settled rows, and preimages that are older or larger than their repository allows.
    async fn expire(&self) -> Result<(), EngineError> {
        let repositories = self.lock().repositories.clone();
        for (repository, watched) in repositories {
            let undo = &watched.config.engine.undo;
            let expiry = Expiry {
                repository,
                max_age: undo.max_age,
                max_bytes: undo.max_bytes.get(),
            };
            self.undo.expire(expiry).await?;
        }
        let before = self
            .parts
            .clock
            .now()
            .checked_sub(FORGET_AFTER)
            .unwrap_or(Timestamp::MIN);
        self.parts
            .journal
            .transact(move |tx| store::forget_settled(tx, before))
            .await?;
        Ok(())
    }

    async fn replay(&self, until: Seq) -> Result<View, EngineError> {
        let (journal, now) = (self.parts.journal.clone(), self.parts.clock.now());
        let read =
            tokio::task::spawn_blocking(move || View::replay(&journal.reader()?, until, now));
        Ok(read.await.or(Err(EngineError::Lost))??)
    }

    /// Looks at a batch of events and records what the rules decide; returns when to wake up.
    async fn take(
        &self,
        cursor: &mut Cursor,
        view: &mut View,
        events: Vec<Event>,
    ) -> Result<Option<Timestamp>, EngineError> {
        let repositories = self.lock().repositories.clone();
        let mut candidates = Vec::new();
        let mut last = cursor.seq;
        for event in events {
            last = event.seq;
            let event = Arc::new(event);
            for (id, watched) in &repositories {
                if event.repository.is_none_or(|about| about == *id) {
                    look(&mut candidates, *id, watched, &event, view).await;
                }
            }
            view.apply(&event);
        }
        if candidates.is_empty() && last.0.saturating_sub(cursor.seq.0) < MAX_LAG {
            // Looking at these again after a crash finds nothing again; a commit would cost more.
            self.looked.send_replace(last);
            return Ok(None);
        }
        let epoch = cursor.epoch;
        let due = self.parts.journal.transact(move |tx| {
            for candidate in &candidates {
                apply::arrive(tx, candidate)?;
            }
            tx.set_cursor(CONSUMER, last, epoch)?;
            tx.next_due()
        });
        let due = due.await?;
        cursor.seq = last;
        self.looked.send_replace(last);
        Ok(due)
    }
}

/// Finds the rules of one repository that match an event.
async fn look(
    candidates: &mut Vec<Candidate>,
    repository: RepositoryId,
    watched: &Arc<Watched>,
    event: &Arc<Event>,
    view: &View,
) {
    for rule in watched.config.rules.values() {
        if !decide::may_look(rule, event) {
            continue;
        }
        let error = match &rule.when {
            None => None,
            Some(condition) => {
                let facts = view.facts(repository, rule.mode, event.recorded_at);
                let answer = match Facts::new(event, &facts) {
                    Ok(facts) => condition.evaluate(&Arc::new(facts)).await,
                    Err(error) => Err(error),
                };
                match answer {
                    Ok(true) => None,
                    Ok(false) => continue,
                    Err(error) => Some(error.to_string()),
                }
            }
        };
        candidates.push(Candidate {
            repository,
            watched: Arc::clone(watched),
            rule: Arc::clone(rule),
            event: Arc::clone(event),
            error,
        });
    }
}

/// Body of the notice that a condition gave no answer.
fn rule_failed(rule: &Rule, error: &str) -> RuleFailed {
    RuleFailed {
        rule: rule.name.clone(),
        error: error.to_owned(),
    }
}
