//! Named tasks: the only place that starts one.
//!
//! Why: a task that nobody owns is a task that nobody ends. Every task here has a name and a token
//! that asks it to end; a panic or a failure is journaled as `daemon.task.restarted` and the task
//! begins again after a pause that doubles from 100 ms to a minute and starts over once it has run
//! well for a minute. [`Supervisor::shut_down`] asks all of them at once, waits until one deadline, ends what
//! is left by force and names it. Not here: what the tasks do, and their inboxes (bounded, theirs).

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use tradewind_core::payload::TaskRestarted;
use tradewind_core::{Clock, Draft};
use tradewind_journal::Journal;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_mins(1);
/// Running this long means running well.
const RAN_WELL: Duration = Duration::from_mins(1);

/// Starts tasks, restarts them, and ends them all.
#[derive(Clone, Debug)]
pub struct Supervisor {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    journal: Option<Journal>,
    clock: Arc<dyn Clock>,
    token: CancellationToken,
    tasks: Mutex<Tasks>,
    ended: Notify,
}

#[derive(Debug, Default)]
struct Tasks {
    next: u64,
    running: BTreeMap<u64, (String, AbortHandle)>,
}

impl Supervisor {
    /// Supervises until `token` fires; restarts are journaled where there is a journal.
    pub fn new(journal: Option<Journal>, clock: Arc<dyn Clock>, token: CancellationToken) -> Self {
        Self {
            shared: Arc::new(Shared {
                journal,
                clock,
                token,
                tasks: Mutex::default(),
                ended: Notify::new(),
            }),
        }
    }

    /// Returns the token that asks every task to end.
    pub fn token(&self) -> CancellationToken {
        self.shared.token.clone()
    }

    /// Starts the task `name`; `make` builds it, anew after each panic or failure.
    ///
    /// A task that returns `Ok` is over and is not started again. One that had no turn before the end is
    /// asked for still gets its first run: many write down at their end what they hold.
    pub fn start<F, R, E>(&self, name: impl Into<String>, mut make: F)
    where
        F: FnMut(CancellationToken) -> R + Send + 'static,
        R: Future<Output = Result<(), E>> + Send + 'static,
        E: Display + Send + 'static,
    {
        let name = name.into();
        let shared = Arc::clone(&self.shared);
        self.spawn(name.clone(), async move {
            let mut attempt = 0;
            loop {
                let began = Instant::now();
                // Building the task may panic as well as running it.
                let run = AssertUnwindSafe(async { make(shared.token.child_token()).await });
                let error = match run.catch_unwind().await {
                    Ok(Ok(())) => return,
                    Ok(Err(error)) => error.to_string(),
                    Err(panic) => panic_text(panic.as_ref()),
                };
                attempt = if began.elapsed() >= RAN_WELL {
                    1
                } else {
                    attempt + 1
                };
                let pause = pause(attempt);
                shared.journal_restart(&name, error, attempt, pause).await;
                tokio::select! {
                    // Cancel-safe: both only wait.
                    () = shared.token.cancelled() => return,
                    () = tokio::time::sleep(pause) => {}
                }
            }
        });
    }

    /// Starts a task that is run once; a panic in it is logged and ends nothing else.
    pub fn start_once<R>(&self, name: impl Into<String>, task: R)
    where
        R: Future<Output = ()> + Send + 'static,
    {
        let name = name.into();
        let label = name.clone();
        self.spawn(name, async move {
            if let Err(panic) = AssertUnwindSafe(task).catch_unwind().await {
                let error = panic_text(panic.as_ref());
                tracing::error!(task = label, error, "task panicked");
            }
        });
    }

    /// Returns the names of the tasks that run.
    pub fn running(&self) -> Vec<String> {
        self.shared
            .lock()
            .running
            .values()
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// Asks every task to end, waits until the deadline, ends the rest by force and names it.
    pub async fn shut_down(&self, deadline: Duration) -> Vec<String> {
        self.shared.token.cancel();
        let all_ended = async {
            loop {
                let ended = self.shared.ended.notified();
                if self.shared.lock().running.is_empty() {
                    return;
                }
                ended.await;
            }
        };
        if tokio::time::timeout(deadline, all_ended).await.is_ok() {
            return Vec::new();
        }
        let mut tasks = self.shared.lock();
        let left: Vec<_> = tasks
            .running
            .values()
            .map(|(name, _)| name.clone())
            .collect();
        for (_, abort) in tasks.running.values() {
            abort.abort();
        }
        tasks.running.clear();
        left
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that starts tasks: here each gets its name and its end"
    )]
    fn spawn(&self, name: String, task: impl Future<Output = ()> + Send + 'static) {
        let shared = Arc::clone(&self.shared);
        let mut tasks = self.shared.lock();
        let id = tasks.next;
        tasks.next += 1;
        // The task cannot leave the list before it is on it: the list is locked meanwhile.
        let handle = tokio::spawn(async move {
            let leave = Leave { shared, id };
            task.await;
            drop(leave);
        });
        tasks.running.insert(id, (name, handle.abort_handle()));
    }
}

/// Takes a task off the list however it ends.
struct Leave {
    shared: Arc<Shared>,
    id: u64,
}

impl Drop for Leave {
    fn drop(&mut self) {
        self.shared.lock().running.remove(&self.id);
        self.shared.ended.notify_waiters();
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Tasks> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn journal_restart(&self, task: &str, error: String, attempt: u32, pause: Duration) {
        tracing::error!(task, attempt, error, "task is started again");
        let Some(journal) = &self.journal else { return };
        let body = TaskRestarted {
            task: task.to_owned(),
            error,
            attempt,
            backoff_ms: u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
        };
        let appended = match Draft::new(self.clock.now(), &body) {
            Ok(draft) => journal
                .append(draft.about(task))
                .await
                .map(drop)
                .map_err(|e| e.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = appended {
            tracing::error!(task, error, "restart was not journaled");
        }
    }
}

fn pause(attempt: u32) -> Duration {
    FIRST_PAUSE
        .saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1).min(16)))
        .min(MAX_PAUSE)
}

/// Returns what a panic said.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let said = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    format!(
        "panicked: {}",
        said.unwrap_or_else(|| "without a message".to_owned())
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use std::sync::atomic::{AtomicU32, Ordering};
    use tradewind_core::clock::FixedClock;

    fn supervisor() -> Supervisor {
        let clock = Arc::new(FixedClock::at(Timestamp::UNIX_EPOCH));
        Supervisor::new(None, clock, CancellationToken::new())
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_restarts_the_task_with_growing_pauses() {
        let supervisor = supervisor();
        let runs = Arc::new(AtomicU32::new(0));
        let seen = Arc::clone(&runs);
        supervisor.start("shaky", move |_| {
            let run = seen.fetch_add(1, Ordering::SeqCst);
            async move {
                assert!(run >= 3, "not yet");
                Ok::<_, String>(())
            }
        });
        tokio::time::sleep(Duration::from_millis(690)).await;
        assert_eq!(runs.load(Ordering::SeqCst), 3);
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(runs.load(Ordering::SeqCst), 4);
        assert!(supervisor.running().is_empty());
    }

    #[tokio::test]
    async fn a_task_that_had_no_turn_before_the_end_still_writes_down_what_it_holds() {
        let supervisor = supervisor();
        let written = Arc::new(AtomicU32::new(0));
        let seen = Arc::clone(&written);
        supervisor.start("keeper", move |token| {
            let seen = Arc::clone(&seen);
            async move {
                token.cancelled().await;
                seen.fetch_add(1, Ordering::SeqCst);
                Ok::<_, String>(())
            }
        });
        // On one thread nothing else runs before this waits.
        assert!(
            supervisor
                .shut_down(Duration::from_mins(1))
                .await
                .is_empty()
        );
        assert_eq!(written.load(Ordering::SeqCst), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_does_not_end_is_named_at_the_deadline() {
        let supervisor = supervisor();
        supervisor.start("polite", |token| async move {
            token.cancelled().await;
            Ok::<_, String>(())
        });
        supervisor.start_once("stubborn", std::future::pending());
        tokio::task::yield_now().await;
        let left = supervisor.shut_down(Duration::from_secs(5)).await;
        assert_eq!(left, ["stubborn"]);
        assert!(supervisor.running().is_empty());
    }
}
