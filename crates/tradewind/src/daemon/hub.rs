//! What the listener's handlers and the daemon's tasks share: one cheap handle.
//!
//! Owns nothing that decides; it only knows where everything is.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tradewind_core::{Clock, EventKind, RepositoryId};
use tradewind_journal::{Journal, ReadError, Reader};

use crate::control::Controls;
use crate::http::guard::{self, Policy};
use crate::repositories::Watched;

/// Upper bound on streams open at once.
const MAX_STREAMS: usize = 64;
/// Upper bound on readers kept open between requests.
const MAX_IDLE_READERS: usize = 4;

/// The shared handle.
#[derive(Clone, Debug)]
pub(crate) struct Hub(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    journal: Journal,
    state: PathBuf,
    clock: Arc<dyn Clock>,
    policy: Policy,
    controls: Controls,
    started: Instant,
    shutdown: CancellationToken,
    streams: Arc<Semaphore>,
    readers: Mutex<Vec<Reader>>,
    counts: Mutex<BTreeMap<EventKind, u64>>,
    repositories: Mutex<Vec<Watched>>,
}

impl Hub {
    /// Puts the handle together.
    pub(crate) fn new(
        controls: Controls,
        bound: SocketAddr,
        names: Vec<String>,
        token: &str,
        shutdown: CancellationToken,
    ) -> Self {
        let policy = Policy {
            bound,
            names: names
                .into_iter()
                .map(|name| name.to_ascii_lowercase())
                .collect(),
            token_digest: guard::digest(token),
        };
        Self(Arc::new(Inner {
            journal: controls.journal().clone(),
            state: controls.state().to_path_buf(),
            clock: controls.clock(),
            policy,
            controls,
            started: Instant::now(),
            shutdown,
            streams: Arc::new(Semaphore::new(MAX_STREAMS)),
            readers: Mutex::default(),
            counts: Mutex::default(),
            repositories: Mutex::default(),
        }))
    }

    /// Returns the journal.
    pub(crate) fn journal(&self) -> &Journal {
        &self.0.journal
    }

    /// Returns what commands are executed with.
    pub(crate) fn controls(&self) -> &Controls {
        &self.0.controls
    }

    /// Returns who may pass.
    pub(crate) fn policy(&self) -> &Policy {
        &self.0.policy
    }

    /// Returns the token that fires when the daemon ends.
    pub(crate) fn shutdown(&self) -> &CancellationToken {
        &self.0.shutdown
    }

    /// Returns the present time.
    pub(crate) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Returns how long the daemon has run.
    pub(crate) fn uptime(&self) -> Duration {
        self.0.started.elapsed()
    }

    /// Takes a place among the open streams; none when all are taken.
    pub(crate) fn stream_permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0.streams).try_acquire_owned().ok()
    }

    /// Reads from the store on a thread that may block.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Reader) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let hub = self.clone();
        let work = move || {
            let idle = hub.lock_readers().pop();
            let reader = match idle {
                Some(reader) => reader,
                None => Reader::open(&hub.0.state)?,
            };
            let found = read(&reader);
            let mut readers = hub.lock_readers();
            if readers.len() < MAX_IDLE_READERS {
                readers.push(reader);
            }
            found
        };
        // A panic while reading is a bug of ours; to the client it is a closed journal.
        tokio::task::spawn_blocking(work)
            .await
            .unwrap_or_else(|_panicked| Err(ReadError::Closed))
    }

    fn lock_readers(&self) -> std::sync::MutexGuard<'_, Vec<Reader>> {
        self.0
            .readers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one journaled event.
    pub(crate) fn count(&self, kind: EventKind) {
        *self
            .0
            .counts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(kind)
            .or_default() += 1;
    }

    /// Returns how many events of each kind were journaled since the start.
    pub(crate) fn event_counts(&self) -> BTreeMap<EventKind, u64> {
        self.0
            .counts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Replaces the list of repositories that pages and metrics show.
    pub(crate) fn set_repositories(&self, repositories: Vec<Watched>) {
        *self
            .0
            .repositories
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = repositories;
    }

    /// Returns the repositories under watch.
    pub(crate) fn repositories(&self) -> Vec<Watched> {
        self.0
            .repositories
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Returns how many repositories are under watch.
    pub(crate) fn repository_count(&self) -> u64 {
        u64::try_from(
            self.0
                .repositories
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .len(),
        )
        .unwrap_or(u64::MAX)
    }

    /// Returns a repository's name.
    pub(crate) fn repository_name(&self, id: RepositoryId) -> Option<String> {
        let repositories = self
            .0
            .repositories
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        repositories
            .iter()
            .find(|r| r.id == id)
            .map(|r| r.name.clone())
    }
}
