//! The one thread on which conditions are parsed and evaluated.
//!
//! Why: measured with cel 0.15, sixteen nested brackets overflow tokio's 2 MiB stacks in debug
//! builds, and an overflow aborts the process instead of panicking. 64 MiB hold everything that
//! passes the bounds on size and nesting. A panic is caught: the next condition still gets an answer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::sync::mpsc::{SyncSender, sync_channel};

use super::ConditionError;

const STACK_BYTES: usize = 64 * 1024 * 1024;
/// Bound on waiting jobs; more askers wait in line.
const INBOX: usize = 64;

type Job = Box<dyn FnOnce() + Send>;

fn inbox() -> Option<&'static SyncSender<Job>> {
    static INBOX_OF_WORKER: OnceLock<Option<SyncSender<Job>>> = OnceLock::new();
    INBOX_OF_WORKER
        .get_or_init(|| {
            let (sender, jobs) = sync_channel::<Job>(INBOX);
            std::thread::Builder::new()
                .name("tradewind-cel".into())
                .stack_size(STACK_BYTES)
                .spawn(move || {
                    for job in jobs {
                        // The asker sees a closed channel and reports it; nothing is half-done.
                        drop(catch_unwind(AssertUnwindSafe(job)));
                    }
                })
                .ok()
                .map(|_| sender)
        })
        .as_ref()
}

/// Runs `job` there and blocks for its result.
pub(super) fn run<T: Send + 'static>(
    job: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ConditionError> {
    let (reply, result) = sync_channel(1);
    let job = Box::new(move || drop(reply.send(job())));
    inbox()
        .ok_or(ConditionError::Lost)?
        .send(job)
        .or(Err(ConditionError::Lost))?;
    result.recv().or(Err(ConditionError::Lost))
}

/// Runs `job` there and waits for its result without blocking the runtime.
pub(super) async fn run_async<T: Send + 'static>(
    job: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ConditionError> {
    let (reply, result) = tokio::sync::oneshot::channel();
    let job = Box::new(move || drop(reply.send(job())));
    inbox()
        .ok_or(ConditionError::Lost)?
        .send(job)
        .or(Err(ConditionError::Lost))?;
    result.await.or(Err(ConditionError::Lost))
}
