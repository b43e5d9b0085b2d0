//! The watchers of the daemon: one task per repository.
//!
//! A watcher looks when the file system hints at a change and, because hints may lie, on a timer. A look
//! compares by stat; git is asked only when something moved. What it finds is journaled together with
//! the new view of the references in one transaction.
//! - When it acts: references at once, the work tree once it has been quiet for `watch.settle`.
//! - When it recovers: a restart begins from the view in the store, so nothing is lost or repeated;
//!   without notices of change it polls and says so; a repository that is gone is looked for beside its old place.
//! - First start: what is there is history.
//!
//! Not here: what a look finds ([`eyes`]), what rules make of it (engine).

mod eyes;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tradewind_core::payload::{RepositoryLost, WatchDegraded};
use tradewind_core::{Draft, RepositoryId};
use tradewind_engine::Supervisor;
use tradewind_host::watch::{Hint, Watch};

use super::hub::Hub;
use crate::control::Controls;
use crate::report::Failure;
use crate::wire::{WatchMethod, WatchSection};
use crate::{registration, repositories};
use eyes::{Eyes, Look, Scope};

/// Hints that wait for the watcher; more of them say nothing new.
const MAX_HINTS: usize = 64;
/// Several hints of one git command are one look.
const GATHER: Duration = Duration::from_millis(20);
/// After something moved, one more look: a change in the same clock tick leaves no trace.
const AFTERLOOK: Duration = Duration::from_millis(300);
/// However restless the work tree is, it is looked at after this long.
const MAX_UNREST: Duration = Duration::from_secs(15);
/// How long the start waits for the first look at a repository.
const FIRST_LOOK_LIMIT: Duration = Duration::from_secs(10);
/// How often a repository that is gone is looked for.
const LOST_INTERVAL: Duration = Duration::from_secs(5);
/// A poll may cost at most one part in so many of a core.
const MAX_POLL_SHARE: u32 = 150;

/// All watchers of the daemon. A cheap handle.
#[derive(Clone)]
pub(crate) struct Watchers(Arc<Inner>);

struct Inner {
    supervisor: Supervisor,
    hub: OnceLock<Hub>,
    tasks: Mutex<BTreeMap<RepositoryId, Task>>,
}

struct Task {
    token: CancellationToken,
    /// Fires after the first look: what happens from then on is seen.
    looked: CancellationToken,
    /// Asks for a look at once: the configuration was trusted, or `up` was said again.
    nudge: mpsc::Sender<Hint>,
}

impl Watchers {
    /// Prepares watchers whose tasks belong to `supervisor`.
    pub(crate) fn new(supervisor: Supervisor) -> Self {
        Self(Arc::new(Inner {
            supervisor,
            hub: OnceLock::new(),
            tasks: Mutex::default(),
        }))
    }

    /// Says where pages and metrics learn what is watched; watching begins.
    pub(crate) async fn begin(&self, controls: &Controls, hub: &Hub) -> Result<(), Failure> {
        // Set once, by the daemon's start.
        drop(self.0.hub.set(hub.clone()));
        super::refresh_repositories(hub).await?;
        let looks: Vec<_> = hub
            .repositories()
            .iter()
            .filter_map(|repository| self.start(controls, repository.id))
            .collect();
        // All at once, under one limit: several slow ones take no longer than one.
        let all = futures_util::future::join_all(looks.iter().map(CancellationToken::cancelled));
        wait_for_look(all).await;
        Ok(())
    }

    /// Watches a repository that is on the list; one that is watched already is looked at once.
    pub(crate) async fn watch(&self, controls: &Controls, id: RepositoryId) -> Result<(), Failure> {
        let Some(hub) = self.0.hub.get() else {
            return Ok(());
        };
        super::refresh_repositories(hub).await?;
        if let Some(looked) = self.start(controls, id) {
            wait_for_look(looked.cancelled()).await;
        }
        Ok(())
    }

    /// Stops watching a repository.
    pub(crate) async fn unwatch(&self, id: RepositoryId) -> Result<(), Failure> {
        if let Some(task) = self.lock().remove(&id) {
            task.token.cancel();
        }
        match self.0.hub.get() {
            Some(hub) => super::refresh_repositories(hub).await,
            None => Ok(()),
        }
    }

    /// Asks the whole daemon to end.
    pub(crate) fn stop(&self) {
        self.0.supervisor.token().cancel();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<RepositoryId, Task>> {
        self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a watcher; returns what fires after its first look.
    fn start(&self, controls: &Controls, id: RepositoryId) -> Option<CancellationToken> {
        let mut tasks = self.lock();
        if let Some(task) = tasks.get(&id) {
            // A full inbox means that it is about to look anyway.
            drop(task.nudge.try_send(Hint::Overflow));
            return Some(task.looked.clone());
        }
        let hub = self.0.hub.get().cloned()?;
        let looked = CancellationToken::new();
        let token = self.0.supervisor.token().child_token();
        let (nudge, inbox) = mpsc::channel(MAX_HINTS);
        let inbox = Arc::new(tokio::sync::Mutex::new(inbox));
        let (controls, own, hints, first) = (
            controls.clone(),
            token.clone(),
            nudge.clone(),
            looked.clone(),
        );
        self.0
            .supervisor
            .start(format!("watcher {id}"), move |_all| {
                let (controls, hub, own, hints, inbox) = (
                    controls.clone(),
                    hub.clone(),
                    own.clone(),
                    hints.clone(),
                    Arc::clone(&inbox),
                );
                let looked = first.clone();
                async move {
                    let mut inbox = inbox.lock().await;
                    let mut watcher = Watcher {
                        controls,
                        hub,
                        id,
                        hints,
                        watch: None,
                        config: WatchSection::default(),
                        is_polling: false,
                        is_lost: false,
                        looked,
                    };
                    Box::pin(watcher.run(&mut inbox, &own))
                        .await
                        .map_err(|failure| failure.what)
                }
            });
        tasks.insert(
            id,
            Task {
                token,
                looked: looked.clone(),
                nudge,
            },
        );
        Some(looked)
    }
}

/// Says how much the next look takes in.
///
/// `unrest` is when the first hint came that no full look has followed yet.
fn next_scope(
    unrest: Option<Instant>,
    last_hint: Instant,
    now: Instant,
    settle: Duration,
) -> Scope {
    let Some(since) = unrest else {
        return Scope::Everything;
    };
    if now - last_hint >= settle || now - since >= MAX_UNREST {
        Scope::Everything
    } else {
        Scope::References
    }
}

/// Waits for a first look, but not for ever: a huge work tree must not hold up the others.
async fn wait_for_look(looked: impl Future) {
    if tokio::time::timeout(FIRST_LOOK_LIMIT, looked)
        .await
        .is_err()
    {
        tracing::warn!("the first look takes long; it goes on in the background");
    }
}

struct Watcher {
    controls: Controls,
    hub: Hub,
    id: RepositoryId,
    hints: mpsc::Sender<Hint>,
    /// Notices of change; none where they do not work.
    watch: Option<Watch>,
    config: WatchSection,
    is_polling: bool,
    is_lost: bool,
    looked: CancellationToken,
}

impl Watcher {
    async fn run(
        &mut self,
        inbox: &mut mpsc::Receiver<Hint>,
        token: &CancellationToken,
    ) -> Result<(), Failure> {
        let mut eyes = loop {
            match Eyes::open(&self.controls, self.id).await {
                Ok(Some(eyes)) => break eyes,
                // Taken off the list meanwhile.
                Ok(None) => return Ok(()),
                Err(failure) => self.lost(&failure.what).await?,
            }
            self.looked.cancel();
            tokio::select! {
                // Cancel-safe: both only wait.
                () = token.cancelled() => return Ok(()),
                () = tokio::time::sleep(LOST_INTERVAL) => {}
            }
        };
        self.found().await?;
        self.config = registration::configure(&self.controls, self.id, eyes.top())
            .await?
            .watch;
        let mut scope = Scope::Everything;
        let mut heeded = None;
        let (mut unrest, mut last_hint) = (None::<Instant>, Instant::now());
        loop {
            let begun = Instant::now();
            let (back, look) = eyes.look(scope, self.hub.now()).await?;
            eyes = back;
            let moved = match look {
                Look::Gone { error } => {
                    if !self.seek(&mut eyes, &error).await? {
                        self.lost(&error).await?;
                    }
                    false
                }
                Look::Seen(seen) => {
                    if self.is_lost {
                        self.found().await?;
                    }
                    if seen.is_config_changed {
                        let before = self.config.method;
                        self.config = registration::configure(&self.controls, self.id, eyes.top())
                            .await?
                            .watch;
                        if self.config.method != before {
                            self.listen(&eyes).await?;
                        }
                    }
                    let moved = !seen.refs.is_empty() || !seen.tree.is_empty();
                    eyes.journal(&self.controls, seen).await?;
                    moved
                }
            };
            let cost = begun.elapsed();
            // What is worth listening to is known after the first look, and another after `.gitignore` changed.
            if self.watch.is_none() && !self.is_polling || heeded != eyes.ignore_state() {
                heeded = eyes.ignore_state();
                self.listen(&eyes).await?;
                // What moved before the ears were open is seen by one more look.
                drop(self.hints.try_send(Hint::Overflow));
            }
            self.looked.cancel();
            if scope == Scope::Everything {
                unrest = None;
            }
            let pause = self.pause(moved, cost, unrest, last_hint);
            scope = tokio::select! {
                // Cancel-safe: it only waits.
                () = token.cancelled() => return Ok(()),
                // Cancel-safe: it only waits.
                () = tokio::time::sleep(pause) => {
                    next_scope(unrest, last_hint, Instant::now(), self.config.settle)
                }
                // Cancel-safe: a hint is taken or it is not.
                hint = inbox.recv() => {
                    if hint.is_none() {
                        return Ok(());
                    }
                    tokio::time::sleep(GATHER).await;
                    while inbox.try_recv().is_ok() {}
                    last_hint = Instant::now();
                    unrest.get_or_insert(last_hint);
                    // Here too: whoever writes without a pause leaves the timer no chance.
                    next_scope(unrest, last_hint, Instant::now(), self.config.settle)
                }
            };
            if self
                .watch
                .as_ref()
                .is_some_and(|watch| watch.failure().is_some())
            {
                self.listen(&eyes).await?;
            }
        }
    }

    /// Says how long to wait for the next look when no hint comes.
    fn pause(
        &self,
        moved: bool,
        cost: Duration,
        unrest: Option<Instant>,
        last_hint: Instant,
    ) -> Duration {
        if self.is_lost {
            return LOST_INTERVAL;
        }
        if unrest.is_some() {
            return self
                .config
                .settle
                .saturating_sub(last_hint.elapsed())
                .max(GATHER);
        }
        let regular = if self.is_polling {
            self.config.poll.max(cost * MAX_POLL_SHARE)
        } else {
            self.config.rescan
        };
        if moved {
            AFTERLOOK.min(regular)
        } else {
            regular
        }
    }

    /// Starts to listen for notices of change, or says that there are none.
    async fn listen(&mut self, eyes: &Eyes) -> Result<(), Failure> {
        self.watch = None;
        if self.config.method == WatchMethod::Poll {
            self.is_polling = true;
            return Ok(());
        }
        let Some(spec) = eyes.watch_spec() else {
            return Ok(());
        };
        let hints = self.hints.clone();
        let started = super::blocking(move || Watch::start(spec, hints)).await?;
        match started {
            Ok(watch) => {
                self.watch = Some(watch);
                self.is_polling = false;
            }
            Err(error) => {
                if !std::mem::replace(&mut self.is_polling, true) {
                    let poll_ms = u64::try_from(self.config.poll.as_millis()).unwrap_or(u64::MAX);
                    self.append(&WatchDegraded {
                        error: error.to_string(),
                        poll_ms,
                    })
                    .await?;
                }
            }
        }
        Ok(())
    }

    /// Looks for a repository that was moved, beside its old place.
    async fn seek(&mut self, eyes: &mut Eyes, error: &str) -> Result<bool, Failure> {
        let (controls, id, old) = (self.controls.clone(), self.id, eyes.top().to_path_buf());
        let git = controls.git().clone();
        let Some(place) = super::blocking(move || eyes::find_moved(&git, id, &old)).await? else {
            tracing::debug!(error, "repository is not beside its old place");
            return Ok(false);
        };
        let Some((_, refs)) = registration::lookup(&controls, id).await? else {
            return Ok(false);
        };
        registration::moved(&controls, id, eyes.top(), &place, refs).await?;
        let Some(found) = Eyes::open(&controls, id).await? else {
            return Ok(false);
        };
        *eyes = found;
        self.config = registration::configure(&controls, id, eyes.top())
            .await?
            .watch;
        self.listen(eyes).await?;
        self.found().await?;
        // What happened there meanwhile is seen at once.
        drop(self.hints.try_send(Hint::Overflow));
        Ok(true)
    }

    /// Says once that the repository is gone.
    async fn lost(&mut self, error: &str) -> Result<(), Failure> {
        if std::mem::replace(&mut self.is_lost, true) {
            return Ok(());
        }
        let path = self
            .hub
            .repositories()
            .iter()
            .find(|r| r.id == self.id)
            .map(|r| r.path.clone())
            .unwrap_or_default();
        self.append(&RepositoryLost {
            path: path.display().to_string(),
            error: error.to_owned(),
        })
        .await?;
        self.set_problem(Some(format!("not found: {error}"))).await
    }

    /// Says that the repository can be watched.
    async fn found(&mut self) -> Result<(), Failure> {
        self.is_lost = false;
        self.set_problem(None).await
    }

    async fn set_problem(&self, problem: Option<String>) -> Result<(), Failure> {
        let id = self.id;
        self.controls
            .journal()
            .transact(move |tx| repositories::set_problem(tx, id, problem.as_deref()))
            .await
            .map_err(|e| super::outside(&e))?;
        super::refresh_repositories(&self.hub).await
    }

    async fn append<P: tradewind_core::payload::Payload>(&self, body: &P) -> Result<(), Failure> {
        let draft = Draft::new(self.hub.now(), body)
            .map_err(|e| super::outside(&e))?
            .in_repository(self.id);
        self.controls
            .journal()
            .append(draft)
            .await
            .map(drop)
            .map_err(|e| super::outside(&e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTLE: Duration = Duration::from_secs(1);

    /// A bot that writes its log twice a second must not hide what else happens in the work tree.
    #[test]
    fn a_work_tree_that_never_rests_is_looked_at_after_a_while() {
        let first = Instant::now();
        let full = (0..40).position(|hint| {
            let now = first + Duration::from_millis(500) * hint;
            next_scope(Some(first), now, now, SETTLE) == Scope::Everything
        });
        assert_eq!(full, Some(30));
    }

    #[test]
    fn a_work_tree_that_rests_is_looked_at_once_it_has_settled() {
        let hint = Instant::now();
        let at = |now| next_scope(Some(hint), hint, now, SETTLE);
        assert_eq!(at(hint), Scope::References);
        assert_eq!(at(hint + SETTLE), Scope::Everything);
        assert_eq!(next_scope(None, hint, hint, SETTLE), Scope::Everything);
    }
}
