//! The one writer: a thread that turns whatever is waiting into one durable commit.
//!
//! Why: a flush costs the same for one event as for five hundred. While one commit is being flushed
//! the next requests gather in the queue; they are taken together, at most [`MAX_BATCH`], and nobody
//! waits for a batch to fill up. An answer goes out only after the commit is on disk.
//!
//! When it acts: as soon as a request is there. When it stops for good: after any failed commit, flush
//! or checkpoint (a disk that is full counts). It then answers every request with an error, never
//! tries the flush again, because the second one may succeed without the data, and leaves recovery to
//! the next start. First start: the write-ahead log that a crash left is copied into the store and
//! emptied before anything new is acknowledged.
//!
//! Checkpoints run here between two commits (SQLite's own automatic ones are off), and empty the log
//! when nothing happens.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::hooks::Wal;
use rusqlite::wal::CheckpointMode;
use tokio::sync::{mpsc, oneshot};
use tradewind_core::Seq;

use crate::error::{AppendError, TxError, chain_of, is_busy};
use crate::gate::Gate;
use crate::journal::Shared;
use crate::row::Kinds;
use crate::tx::{Head, Prepared, Tx};

/// Upper bound on requests in one commit.
pub(crate) const MAX_BATCH: usize = 512;
/// Upper bound on requests that wait for the writer; more producers wait outside.
pub(crate) const MAX_QUEUE: usize = 4096;
/// Pages in the write-ahead log from which on it is copied into the store: 8 MiB.
///
/// Smaller, and with 64 producers more than one commit in a hundred waits for a copy (p99 6 ms at 1000
/// pages, 1.2 ms at 4096). Larger, and a lone producer writes longer into a file that still grows,
/// which costs it about a tenth.
const CHECKPOINT_PAGES: i32 = 2048;
/// Upper bound on the wait for a batch to become as large as the one before: a fraction of a flush.
const GATHER: Duration = Duration::from_micros(50);
/// How long the writer waits for another program's lock, and everybody with it.
pub(crate) const BUSY_LIMIT: Duration = Duration::from_secs(2);
/// After this long without a request the log is copied and emptied.
const IDLE: Duration = Duration::from_secs(2);

/// What a transaction's closure leaves behind: an answer that is sent once its fate is known.
pub(crate) type Answer = Box<dyn FnOnce(Result<(), AppendError>) + Send>;
/// A transaction on its way to the writer.
pub(crate) type Work = Box<dyn FnOnce(&mut Tx<'_>) -> Answer + Send>;

/// A request to the writer.
pub(crate) enum Job {
    /// One event.
    Append(Prepared, oneshot::Sender<Result<Seq, AppendError>>),
    /// Several events, all or none.
    AppendAll(
        Vec<Prepared>,
        oneshot::Sender<Result<Vec<Seq>, AppendError>>,
    ),
    /// Anything else.
    Transact(Work),
    /// No change: the log is to be emptied now, readers or not; answers whether it is.
    EmptyLog(oneshot::Sender<bool>),
}

/// The part of the writer that lives on its thread.
pub(crate) struct Writer {
    conn: Connection,
    gate: Gate,
    head: Head,
    kinds: Kinds,
    shared: Arc<Shared>,
    /// Pages in the write-ahead log after the last commit.
    log_pages: Arc<AtomicI32>,
    /// The same after the commit before it.
    pages_before: i32,
    /// From how many pages on the log is copied.
    checkpoint_at: i32,
    /// Requests in the last commit.
    batch_before: usize,
    /// Who waits for the log to be emptied.
    asked: Vec<oneshot::Sender<bool>>,
}

/// A request that has been carried out and waits for the commit.
enum Pending {
    One(oneshot::Sender<Result<Seq, AppendError>>, Seq),
    Many(oneshot::Sender<Result<Vec<Seq>, AppendError>>, Vec<Seq>),
    Answer(Answer),
}

impl Pending {
    /// Tells the requester; one who has stopped waiting is no concern of ours.
    fn settle(self, outcome: Result<(), AppendError>) {
        match self {
            Self::One(reply, seq) => drop(reply.send(outcome.map(|()| seq))),
            Self::Many(reply, seqs) => drop(reply.send(outcome.map(|()| seqs))),
            Self::Answer(answer) => answer(outcome),
        }
    }
}

/// Why a whole batch came to nothing.
enum Failed {
    /// Another program holds the lock; the store is sound.
    Busy,
    /// The store can no longer be trusted to write.
    Fatal(String),
}

impl Failed {
    fn of(error: &rusqlite::Error) -> Self {
        if is_busy(error) {
            Self::Busy
        } else {
            Self::Fatal(chain_of(error))
        }
    }

    fn answer(&self) -> AppendError {
        match self {
            Self::Busy => AppendError::Busy,
            Self::Fatal(error) => AppendError::ReadOnly {
                error: error.clone(),
            },
        }
    }
}

/// Wakes the writer's thread; also any other thread that blocks on a future.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for `future` on this thread, inside or outside of a runtime.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

impl Writer {
    /// Puts the parts together; `conn` must be open for writing and free of a transaction.
    pub(crate) fn new(
        mut conn: Connection,
        gate: Gate,
        head: Head,
        kinds: Kinds,
        shared: Arc<Shared>,
    ) -> rusqlite::Result<Self> {
        let log_pages = Arc::new(AtomicI32::new(0));
        let seen = Arc::clone(&log_pages);
        conn.wal_hook(Some(move |_log: &mut Wal, pages| {
            seen.store(pages, Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(Self {
            conn,
            gate,
            head,
            kinds,
            shared,
            log_pages,
            pages_before: 0,
            checkpoint_at: CHECKPOINT_PAGES,
            batch_before: 0,
            asked: Vec::new(),
        })
    }

    /// Serves requests until every handle is gone, then empties the log and closes the store.
    pub(crate) fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut context = Context::from_waker(&waker);
        let mut batch = Vec::with_capacity(MAX_BATCH);
        // What lies in the log is copied at the latest when the journal has been idle.
        let mut is_log_empty = false;
        loop {
            match jobs.poll_recv_many(&mut context, &mut batch, MAX_BATCH) {
                Poll::Ready(0) => break,
                Poll::Ready(_) => {
                    is_log_empty = false;
                    self.gather(&mut jobs, &mut batch);
                    let outcome = self
                        .serve(&mut batch)
                        .and_then(|()| self.empty_log_when_asked())
                        .and_then(|()| self.checkpoint_when_long());
                    if let Err(error) = outcome {
                        self.fail(&error);
                        return refuse_all(&mut jobs, &error);
                    }
                }
                Poll::Pending if is_log_empty => std::thread::park(),
                Poll::Pending => {
                    let asleep = Instant::now();
                    std::thread::park_timeout(IDLE);
                    // Woken early, by a request or for no reason, the loop just looks again.
                    if asleep.elapsed() < IDLE || !jobs.is_empty() {
                        continue;
                    }
                    match self.empty_log() {
                        Ok(is_empty) => is_log_empty = is_empty,
                        Err(error) => {
                            self.fail(&error);
                            return refuse_all(&mut jobs, &error);
                        }
                    }
                }
            }
        }
        // SQLite copies the log and removes it when the last connection closes.
        if let Err((_conn, error)) = self.conn.close() {
            tracing::warn!(error = %chain_of(&error), "journal closed with an error");
        }
    }

    /// Gives those who were answered by the last commit the moment they need to ask again.
    ///
    /// Without it the first of them to wake would get a flush of its own, and all the others the next
    /// one: half as many events for as many flushes. A lone producer never waits here.
    fn gather(&mut self, jobs: &mut mpsc::Receiver<Job>, batch: &mut Vec<Job>) {
        if batch.len() < self.batch_before {
            let start = Instant::now();
            while batch.len() < self.batch_before && start.elapsed() < GATHER {
                std::thread::yield_now();
                while batch.len() < MAX_BATCH
                    && let Ok(job) = jobs.try_recv()
                {
                    batch.push(job);
                }
            }
        }
        self.batch_before = batch.len();
    }

    /// Carries out a batch in one commit and answers everybody.
    fn serve(&mut self, batch: &mut Vec<Job>) -> Result<(), String> {
        let mut pending = Vec::with_capacity(batch.len());
        let head = self.head.clone();
        let kinds = self.kinds.mark();
        match self.commit(batch, &mut pending) {
            Ok(()) => {
                if self.head.last != head.last {
                    self.shared.last.send_replace(self.head.last);
                }
                for request in pending {
                    request.settle(Ok(()));
                }
                Ok(())
            }
            Err(failed) => {
                self.head = head;
                self.kinds.forget_after(kinds);
                if !self.conn.is_autocommit()
                    && let Err(error) = self.conn.execute_batch("ROLLBACK")
                {
                    tracing::debug!(error = %chain_of(&error), "rollback after a failed commit");
                }
                if let Failed::Fatal(error) = &failed {
                    // Before the answers, so that whoever gets one also sees the new health.
                    self.shared.fail(error);
                }
                for request in pending {
                    request.settle(Err(failed.answer()));
                }
                for job in batch.drain(..) {
                    refuse(job, &failed.answer());
                }
                match failed {
                    Failed::Busy => Ok(()),
                    Failed::Fatal(error) => Err(error),
                }
            }
        }
    }

    fn commit(&mut self, batch: &mut Vec<Job>, pending: &mut Vec<Pending>) -> Result<(), Failed> {
        let now = self.shared.clock.now().as_microsecond();
        let sql = |sql: &str| -> Result<(), Failed> {
            self.conn
                .prepare_cached(sql)
                .and_then(|mut statement| statement.execute([]))
                .map(drop)
                .map_err(|error| Failed::of(&error))
        };
        sql("BEGIN IMMEDIATE")?;
        let mut tx = Tx::new(&self.conn, &mut self.head, &mut self.kinds, &self.gate, now)
            .map_err(|error| Failed::of(&error))?;
        // From the back, which is cheap; those that are not reached stay to be refused.
        batch.reverse();
        while let Some(job) = batch.pop() {
            carry_out(job, &mut tx, pending, &mut self.asked);
            if let Some(error) = tx.take_fatal() {
                return Err(Failed::Fatal(error));
            }
        }
        drop(tx);
        // In WAL mode with the write lock held there is nothing to be busy with: any failure is fatal.
        sql("COMMIT").map_err(|failed| match failed {
            Failed::Busy => Failed::Fatal("commit found the store locked".to_owned()),
            fatal @ Failed::Fatal(_) => fatal,
        })
    }

    /// Empties the log for whoever has asked for that.
    fn empty_log_when_asked(&mut self) -> Result<(), String> {
        if self.asked.is_empty() {
            return Ok(());
        }
        let is_empty = self.checkpoint(CheckpointMode::TRUNCATE)?;
        for reply in self.asked.drain(..) {
            if reply.send(is_empty).is_err() {
                tracing::trace!("nobody waits for the log to be empty any more");
            }
        }
        Ok(())
    }

    /// Copies the log into the store when it has grown by enough since the last time.
    fn checkpoint_when_long(&mut self) -> Result<(), String> {
        let pages = self.log_pages.load(Ordering::Relaxed);
        if pages < self.pages_before {
            // Everything had been copied and SQLite began the log anew.
            self.checkpoint_at = CHECKPOINT_PAGES;
        }
        self.pages_before = pages;
        if pages >= self.checkpoint_at {
            self.checkpoint(CheckpointMode::PASSIVE)?;
            // A reader may have kept pages back; they are not tried again with every commit.
            self.checkpoint_at = pages + CHECKPOINT_PAGES;
        }
        Ok(())
    }

    /// Copies the log and cuts it to nothing; returns whether that worked out.
    fn empty_log(&self) -> Result<bool, String> {
        // Readers are not waited for: whoever appends now should not have to, either.
        let wait = |limit| {
            self.conn
                .busy_timeout(limit)
                .map_err(|error| chain_of(&error))
        };
        wait(Duration::ZERO)?;
        let is_empty = self.checkpoint(CheckpointMode::TRUNCATE)?;
        wait(BUSY_LIMIT)?;
        Ok(is_empty)
    }

    fn checkpoint(&self, mode: CheckpointMode) -> Result<bool, String> {
        match self.conn.wal_checkpoint_v2(Some("main"), mode) {
            Ok(_) => Ok(true),
            // A reader is in the way; the log grows until it has gone.
            Err(error) if is_busy(&error) => Ok(false),
            // A flush that failed once may succeed the second time without the data: never again.
            Err(error) => Err(chain_of(&error)),
        }
    }

    /// Ends writing: nothing is copied or flushed any more, not even when the store is closed.
    ///
    /// The connection stays open meanwhile. The pages of the failed commit are in the log's file; without
    /// an open connection the next reader would rebuild the index over it and take them for committed.
    fn fail(&self, error: &str) {
        self.shared.fail(error);
        tracing::error!(error, "journal is read-only since a write went wrong");
        if let Err(error) = self
            .conn
            .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        {
            tracing::debug!(error = %chain_of(&error), "last checkpoint cannot be turned off");
        }
    }
}

fn carry_out(
    job: Job,
    tx: &mut Tx<'_>,
    pending: &mut Vec<Pending>,
    asked: &mut Vec<oneshot::Sender<bool>>,
) {
    match job {
        Job::Append(prepared, reply) => match tx.append_prepared(&prepared) {
            Ok(seq) => pending.push(Pending::One(reply, seq)),
            // Told with all the others, once everybody can see that the journal is read-only.
            Err(_) if tx.is_doomed() => pending.push(Pending::One(reply, Seq::ZERO)),
            Err(error) => drop(reply.send(Err(error))),
        },
        Job::AppendAll(prepared, reply) => {
            let outcome = tx.attempt(|tx| {
                prepared
                    .iter()
                    .map(|one| tx.append_prepared(one))
                    .collect::<Result<Vec<_>, _>>()
            });
            match outcome {
                Ok(Ok(Ok(seqs))) => pending.push(Pending::Many(reply, seqs)),
                _ if tx.is_doomed() => pending.push(Pending::Many(reply, Vec::new())),
                Ok(Ok(Err(error))) => drop(reply.send(Err(error))),
                Ok(Err(panic)) => std::panic::resume_unwind(panic),
                Err(error) => drop(reply.send(Err(AppendError::Sqlite(error)))),
            }
        }
        Job::Transact(work) => pending.push(Pending::Answer(work(tx))),
        Job::EmptyLog(reply) => asked.push(reply),
    }
}

fn refuse(job: Job, error: &AppendError) {
    let again = || match error {
        AppendError::ReadOnly { error } => AppendError::ReadOnly {
            error: error.clone(),
        },
        _ => AppendError::Busy,
    };
    match job {
        Job::Append(_, reply) => drop(reply.send(Err(again()))),
        Job::AppendAll(_, reply) => drop(reply.send(Err(again()))),
        // Its reply is dropped with it; the handle then asks for the journal's health.
        Job::Transact(work) => drop(work),
        Job::EmptyLog(reply) => drop(reply),
    }
}

/// Answers every request with the error that ended writing, until every handle is gone.
fn refuse_all(jobs: &mut mpsc::Receiver<Job>, error: &str) {
    let error = AppendError::ReadOnly {
        error: error.to_owned(),
    };
    while let Some(job) = block_on(jobs.recv()) {
        refuse(job, &error);
    }
}

/// What reaches the caller of a transaction.
pub(crate) enum Outcome<T> {
    /// It ran; this is what it said.
    Done(Result<T, TxError>),
    /// It panicked; the panic goes on in the caller.
    Panicked(Box<dyn std::any::Any + Send>),
}

/// Packs a transaction for the writer.
pub(crate) fn pack<T: Send + 'static>(
    f: impl FnOnce(&mut Tx<'_>) -> Result<T, TxError> + Send + 'static,
) -> (Job, oneshot::Receiver<Outcome<T>>) {
    let (reply, answer) = oneshot::channel();
    let work: Work = Box::new(move |tx| {
        let outcome = tx.attempt(f);
        Box::new(move |commit| {
            let outcome = match (outcome, commit) {
                (Ok(Err(panic)), _) => Outcome::Panicked(panic),
                (_, Err(error)) => Outcome::Done(Err(error.into())),
                (Ok(Ok(result)), Ok(())) => Outcome::Done(result),
                (Err(error), Ok(())) => Outcome::Done(Err(error.into())),
            };
            drop(reply.send(outcome));
        })
    });
    (Job::Transact(work), answer)
}
