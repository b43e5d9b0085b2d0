//! The durable journal: what happened, in one sequence, on disk before anybody is told so.
//!
//! Why: everything else in Tradewind is decided from these events, so they must survive a crash, be
//! the same for every reader, and show when somebody changed them. This room is the only place that
//! opens the store; others keep their own tables in it through [`Tx`], so that one transaction can
//! hold an event, a cursor and a debit.
//! Not here: what events mean (rooms above), which directory the store lies in (`host`).
//! Start reading at `journal.rs`, then `writer.rs` for how a commit comes about.

mod backup;
mod chain;
mod checkpoint;
mod cursor;
mod error;
mod follow;
mod gate;
mod journal;
mod layout;
mod lease;
mod open;
mod outbox;
mod place;
mod reader;
mod retention;
mod row;
mod schedule;
mod tx;
mod verify;
mod writer;

pub use backup::load_backup;
pub use cursor::Cursor;
pub use error::{AppendError, BackupError, MAX_KEY_BYTES, OpenError, ReadError, TxError};
pub use follow::{Follow, MAX_FOLLOW_BATCH};
pub use journal::{Health, Journal, Options};
pub use lease::Lease;
pub use outbox::Message;
pub use place::{Writer, writer};
pub use reader::{Filter, Reader, Stats};
pub use retention::Retention;
pub use rusqlite;
pub use schedule::Schedule;
pub use tx::Tx;
pub use verify::{ChainFault, ChainProblem, MAX_PROBLEMS, Verified};

/// Runs `f`, which blocks for long, on a thread of its own; `None` when it panicked or no thread can be had.
async fn off_thread<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (reply, answer) = tokio::sync::oneshot::channel();
    std::thread::Builder::new()
        .name("journal-reader".to_owned())
        .spawn(move || drop(reply.send(f())))
        .ok()?;
    answer.await.ok()
}
