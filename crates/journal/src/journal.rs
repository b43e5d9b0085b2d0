//! The handle to the journal: opening the store and asking its one writer.
//!
//! Why a handle: everybody appends, one thread writes. A [`Journal`] is cheap to clone; dropping the
//! last one lets the writer finish what is queued and closes the store.
//! Not here: what the writer does ([`mod@crate::writer`]), how others read ([`crate::reader`]).

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};
use tradewind_core::payload::{StoreMigrated, StoreOpened};
use tradewind_core::{Clock, Draft, JournalId, Seq};

use crate::error::{AppendError, OpenError, ReadError, TxError};
use crate::follow::Follow;
use crate::gate::Gate;
use crate::layout;
use crate::open::{self, Flush};
use crate::place::{self, WriterLock};
use crate::reader::Reader;
use crate::row::Kinds;
use crate::tx::{Prepared, Tx};
use crate::writer::{self, Job, MAX_QUEUE, Outcome, Writer, block_on};

/// How to open the store for writing.
#[derive(Clone, Debug)]
pub struct Options {
    /// The state directory; made, private to its owner, when it is not there.
    pub dir: PathBuf,
    /// Tells when events are recorded.
    pub clock: Arc<dyn Clock>,
    /// Version of the program, for the event that says that the store was opened.
    pub program_version: String,
}

impl Options {
    /// Uses `dir` and `clock`, and this crate's version as the program's.
    pub fn new(dir: impl Into<PathBuf>, clock: Arc<dyn Clock>) -> Self {
        Self {
            dir: dir.into(),
            clock,
            program_version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// Whether the journal still writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It acknowledges events.
    Writing,
    /// A write went wrong: nothing is acknowledged until the store is opened again; reading works.
    ReadOnly {
        /// What went wrong.
        error: String,
    },
}

/// What the handles and the writer's thread have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub dir: PathBuf,
    pub clock: Arc<dyn Clock>,
    pub id: JournalId,
    /// The last event that is on disk.
    pub last: watch::Sender<Seq>,
    failure: OnceLock<String>,
}

impl Shared {
    /// Notes what ended writing; the first word stands.
    pub(crate) fn fail(&self, error: &str) {
        self.failure.get_or_init(|| error.to_owned());
    }
}

/// The handle to the one writer of a store.
#[derive(Clone, Debug)]
pub struct Journal {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    /// `None` only while being dropped.
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    /// Released last, when nothing writes any more.
    _lock: WriterLock,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Without a sender the writer finishes its queue and ends.
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take()
            // A transaction may own the last handle; its thread cannot wait for itself.
            && thread.thread().id() != std::thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!("journal writer panicked");
        }
    }
}

impl Journal {
    /// Takes the writer's lock of a store, makes or migrates it where needed, and starts its writer.
    ///
    /// # Errors
    /// [`OpenError::Locked`] when another process writes, [`OpenError::Newer`] when a newer program wrote
    /// the store, [`OpenError::NetworkFileSystem`], [`OpenError::OldSqlite`], [`OpenError::Corrupt`] when the
    /// file is no journal; otherwise what the system or the database said.
    pub fn open(options: Options) -> Result<Self, OpenError> {
        Self::open_with(options, Flush::Always, layout::STEPS)
    }

    /// Opens a store that loses events at a power cut: only there to prove that the fault tests notice.
    ///
    /// # Errors
    /// As [`Journal::open`].
    #[doc(hidden)]
    pub fn open_without_flushing(options: Options) -> Result<Self, OpenError> {
        Self::open_with(options, Flush::Never, layout::STEPS)
    }

    pub(crate) fn open_with(
        options: Options,
        flush: Flush,
        steps: &[&str],
    ) -> Result<Self, OpenError> {
        open::check_sqlite()?;
        place::prepare(&options.dir)?;
        let lock = place::lock(&options.dir)?;
        Self::open_locked(options, lock, flush, steps)
    }

    /// Opens the store of a directory that is prepared and whose writer's lock is held.
    pub(crate) fn open_locked(
        options: Options,
        lock: WriterLock,
        flush: Flush,
        steps: &[&str],
    ) -> Result<Self, OpenError> {
        let path = place::store(&options.dir);
        place::create_store(&path)?;
        let mut conn = open::connect(&path, flush)?;
        let migrated = open::bring_up(&conn, &path, &options.dir, steps)?;
        let corrupt = |problem: &str| OpenError::Corrupt {
            path: path.clone(),
            problem: problem.to_owned(),
        };
        let id = layout::journal_id(&conn)?.ok_or_else(|| corrupt("it has no id"))?;
        let head = open::find_head(&conn)?.ok_or_else(|| corrupt("its chain has no anchor"))?;
        let kinds = Kinds::load(&conn).map_err(|error| open::open_error(error, &path))?;
        let gate = Gate::install(&mut conn)?;
        let shared = Arc::new(Shared {
            dir: options.dir,
            clock: options.clock,
            id,
            last: watch::Sender::new(head.last),
            failure: OnceLock::new(),
        });
        let (jobs, queue) = mpsc::channel(MAX_QUEUE);
        let writer_shared = Arc::clone(&shared);
        let writer = Writer::new(conn, gate, head, kinds, writer_shared)?;
        let thread = std::thread::Builder::new()
            .name("journal-writer".to_owned())
            .spawn(move || writer.run(queue))
            .map_err(|source| OpenError::Io {
                action: "start a thread for",
                path: path.clone(),
                source,
            })?;
        let journal = Self {
            inner: Arc::new(Inner {
                shared,
                jobs: Some(jobs),
                thread: Some(thread),
                _lock: lock,
            }),
        };
        journal.journal_opening(
            &options.program_version,
            layout::version_of(steps),
            migrated,
        )?;
        Ok(journal)
    }

    fn journal_opening(
        &self,
        version: &str,
        layout: u32,
        migrated: Option<StoreMigrated>,
    ) -> Result<(), OpenError> {
        let now = self.inner.shared.clock.now();
        let mut drafts = Vec::with_capacity(2);
        if let Some(body) = migrated {
            drafts.push(Draft::new(now, &body).map_err(AppendError::Draft)?);
        }
        let body = StoreOpened {
            version: version.to_owned(),
            layout,
            sqlite: rusqlite::version().to_owned(),
        };
        drafts.push(Draft::new(now, &body).map_err(AppendError::Draft)?);
        block_on(self.append_all(drafts))?;
        Ok(())
    }

    /// Returns the journal's identity.
    pub fn id(&self) -> JournalId {
        self.inner.shared.id
    }

    /// Returns the state directory.
    pub fn dir(&self) -> &Path {
        &self.inner.shared.dir
    }

    pub(crate) fn clock_now(&self) -> Timestamp {
        self.inner.shared.clock.now()
    }

    /// Returns the last event that is on disk.
    pub fn last(&self) -> Seq {
        *self.inner.shared.last.borrow()
    }

    /// Says whether the journal still acknowledges events.
    pub fn health(&self) -> Health {
        match self.inner.shared.failure.get() {
            None => Health::Writing,
            Some(error) => Health::ReadOnly {
                error: error.clone(),
            },
        }
    }

    /// Appends an event and waits until it is on disk.
    ///
    /// A draft whose key is known yields the first event's seq and changes nothing. Times are kept to
    /// the microsecond. When the returned future is dropped the event may or may not be appended.
    ///
    /// # Errors
    /// [`AppendError`] when the draft is refused or the journal no longer writes. After
    /// [`AppendError::ReadOnly`] the event may be there once the store is opened again, or not; a key makes
    /// it safe to append it again then.
    pub async fn append(&self, draft: Draft) -> Result<Seq, AppendError> {
        let prepared = Prepared::new(draft)?;
        let (reply, answer) = oneshot::channel();
        self.send(Job::Append(prepared, reply)).await?;
        answer.await.unwrap_or_else(|_gone| Err(self.unanswered()))
    }

    /// Appends several events next to each other, all or none, and waits until they are on disk.
    ///
    /// # Errors
    /// As [`Journal::append`]; one refused draft refuses all.
    pub async fn append_all(&self, drafts: Vec<Draft>) -> Result<Vec<Seq>, AppendError> {
        if drafts.is_empty() {
            return Ok(Vec::new());
        }
        let prepared = drafts
            .into_iter()
            .map(Prepared::new)
            .collect::<Result<_, _>>()?;
        let (reply, answer) = oneshot::channel();
        self.send(Job::AppendAll(prepared, reply)).await?;
        answer.await.unwrap_or_else(|_gone| Err(self.unanswered()))
    }

    /// Appends an event from a thread that may block; inside a runtime, use [`Journal::append`].
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub fn append_blocking(&self, draft: Draft) -> Result<Seq, AppendError> {
        block_on(self.append(draft))
    }

    /// Runs `f` as one transaction on the writer's thread and waits until it is on disk.
    ///
    /// An error of `f` takes back what it did and is returned. A panic of `f` does the same and goes on
    /// in the caller. `f` must be short and must not wait for the journal: everybody waits for it.
    ///
    /// # Errors
    /// What `f` returned, or [`TxError::Append`] when the journal no longer writes.
    pub async fn transact<T: Send + 'static>(
        &self,
        f: impl FnOnce(&mut Tx<'_>) -> Result<T, TxError> + Send + 'static,
    ) -> Result<T, TxError> {
        let (job, answer) = writer::pack(f);
        self.send(job).await?;
        match answer.await {
            Ok(Outcome::Done(result)) => result,
            Ok(Outcome::Panicked(panic)) => std::panic::resume_unwind(panic),
            Err(_gone) => Err(self.unanswered().into()),
        }
    }

    /// Runs `f` as one transaction from a thread that may block; inside a runtime, use [`Journal::transact`].
    ///
    /// # Errors
    /// As [`Journal::transact`].
    pub fn transact_blocking<T: Send + 'static>(
        &self,
        f: impl FnOnce(&mut Tx<'_>) -> Result<T, TxError> + Send + 'static,
    ) -> Result<T, TxError> {
        block_on(self.transact(f))
    }

    /// Brings a room's own tables up to date: each step runs once, in order, all of them or none.
    ///
    /// Tables, indexes, views and triggers must be named `<namespace>_…`. Blocks the calling thread.
    ///
    /// # Errors
    /// [`TxError::NewerRoom`] when a newer program made the tables; otherwise what the database said.
    pub fn migrate(
        &self,
        namespace: &'static str,
        steps: &'static [&'static str],
    ) -> Result<(), TxError> {
        self.transact_blocking(move |tx| tx.migrate(namespace, steps))
    }

    /// Opens a connection of its own for reading.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn reader(&self) -> Result<Reader, ReadError> {
        Reader::open(&self.inner.shared.dir)
    }

    /// Follows the journal from the event after `after` on.
    pub fn follow(&self, after: Seq) -> Follow {
        Follow::new(
            self.inner.shared.dir.clone(),
            self.inner.shared.last.subscribe(),
            after,
        )
    }

    pub(crate) async fn send(&self, job: Job) -> Result<(), AppendError> {
        let writer = self
            .inner
            .thread
            .as_ref()
            .map(|thread| thread.thread().id());
        if writer == Some(std::thread::current().id()) {
            return Err(AppendError::Nested);
        }
        match &self.inner.jobs {
            Some(jobs) => jobs.send(job).await.map_err(|_closed| AppendError::Closed),
            None => Err(AppendError::Closed),
        }
    }

    /// Says why a request was dropped without an answer.
    pub(crate) fn unanswered(&self) -> AppendError {
        match self.health() {
            Health::ReadOnly { error } => AppendError::ReadOnly { error },
            Health::Writing if self.inner.jobs.as_ref().is_none_or(mpsc::Sender::is_closed) => {
                AppendError::Closed
            }
            Health::Writing => AppendError::Busy,
        }
    }
}
