//! Undo: what an action changed can be taken back, byte for byte, and put back again.
//!
//! Before a reversible action runs, everything that it may change is saved ([`Undo::capture`]);
//! after it, the state that it left ([`Undo::seal`]). [`Undo::undo`] refuses when the present state
//! is not that one, and shows the difference: somebody has worked on it since. It then records its
//! intent, puts back one file after the other, each atomically and without losing a save that comes
//! in between, and last records the event. A crash at any point leaves every file old or new, and the
//! next command completes it ([`Undo::complete_interrupted`]).
//!
//! - When it acts: when a person or a part asks; never by itself.
//! - When it recovers: from the intent record, at the next start or command.
//! - First start: makes `blobs/` and `undo.key` in the state directory, both private.
//! - Expiry: by age and size ([`Undo::expire`]); what is younger than a day is never expired.
//!
//! Not here: what is reversible (the actions say), and other people's copies of a pushed commit.

mod apply;
mod blobs;
mod diff;
mod expiry;
mod fault;
mod git;
mod image;
mod operation;
mod record;
mod restore;
mod step;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tradewind_core::{Clock, Recovery, RepositoryId, Seq};
use tradewind_host::files::FileError;
use tradewind_host::git::{Git, GitError};
use tradewind_host::random::{self, RandomError};
use tradewind_journal::{Journal, ReadError, TxError};

pub use blobs::{MAX_CONTENT_BYTES, SecretScan};
pub use diff::Difference;
pub use expiry::{Expired, Expiry};
pub use fault::Faults;
pub use git::IndexImage;
pub use image::Image;
pub use operation::{Capture, Change, Operation};
pub use record::{Listed, list};
pub use restore::{Restore, Restored};

use blobs::Blobs;

/// Why nothing was taken back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UndoError {
    /// There is nothing to take back, or not by this number.
    #[error("{what}")]
    Nothing {
        /// What was looked for, in words.
        what: String,
    },
    /// The present state is not the recorded one.
    #[error("{} changed since then: {}", count(differences), paths(differences))]
    Differs {
        /// What is different, and how.
        differences: Vec<Difference>,
    },
    /// More than undo keeps.
    #[error("more than {most} {what} may change, list fewer in `writes`")]
    TooMuch {
        /// Files or bytes.
        what: &'static str,
        /// The bound.
        most: u64,
    },
    /// A kept content is missing: it was expired or removed.
    #[error("kept content {name} is gone")]
    Gone {
        /// Its name.
        name: String,
    },
    /// A kept content is not what its name says, or the key is another one.
    #[error("kept content {name} is damaged")]
    Damaged {
        /// Its name.
        name: String,
    },
    /// A content cannot be encrypted or the key file is no key.
    #[error("content {name} cannot be encrypted")]
    Sealing {
        /// Its name.
        name: String,
    },
    /// The key file is no key.
    #[error("undo.key in the state directory is no key of 32 bytes")]
    Key,
    /// git is missing, refused or too old.
    #[error("git is needed for this and was not found")]
    NoGit,
    /// A pattern of `writes` is no glob.
    #[error("pattern is not usable")]
    Pattern {
        /// What is wrong with it.
        #[source]
        source: globset::Error,
    },
    /// Anything below: files, git, journal.
    #[error(transparent)]
    Below(#[from] Below),
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
}

/// What undo stands on, and what it said.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Below {
    /// git refused.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The journal refused to write.
    #[error(transparent)]
    Write(#[from] TxError),
    /// The journal cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// No randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// A record in the store is not readable.
    #[error("record of operation {id} is not readable")]
    Record {
        /// The operation.
        id: String,
        /// What the reader said.
        #[source]
        source: serde_json::Error,
    },
    /// A test asked for a crash here.
    #[error("injected crash")]
    Injected,
    /// The working thread ended.
    #[error("working thread ended")]
    Lost,
}

macro_rules! below {
    ($($source:ty),+) => {
        $(impl From<$source> for UndoError {
            fn from(source: $source) -> Self {
                Self::Below(source.into())
            }
        })+
    };
}
below!(GitError, TxError, ReadError, RandomError);

impl UndoError {
    /// Says what a caller may usefully do next.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Differs { .. } | Self::TooMuch { .. } | Self::NoGit | Self::Pattern { .. } => {
                Recovery::Fix
            }
            Self::File(error) => error.recovery(),
            Self::Below(Below::Git(error)) => error.recovery(),
            Self::Below(Below::Write(error)) => error.recovery(),
            Self::Below(Below::Read(error)) => error.recovery(),
            Self::Below(Below::Injected) => Recovery::Retry,
            Self::Nothing { .. }
            | Self::Gone { .. }
            | Self::Damaged { .. }
            | Self::Sealing { .. }
            | Self::Key
            | Self::Below(Below::Random(_) | Below::Record { .. } | Below::Lost) => {
                Recovery::GiveUp
            }
        }
    }
}

fn count(differences: &[Difference]) -> String {
    match differences.len() {
        1 => "one path".to_owned(),
        many => format!("{many} paths"),
    }
}

fn paths(differences: &[Difference]) -> String {
    let mut names: Vec<_> = differences
        .iter()
        .take(5)
        .map(|d| d.path.as_str())
        .collect();
    if differences.len() > names.len() {
        names.push("…");
    }
    names.join(", ")
}

/// Which way to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the state after to the state before.
    Undo,
    /// From the state before to the state after.
    Redo,
}

impl Direction {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Undo => "undo",
            Self::Redo => "redo",
        }
    }

    fn parse(text: &str) -> Self {
        if text == "redo" {
            Self::Redo
        } else {
            Self::Undo
        }
    }
}

/// Which operation to take back or put back.
#[derive(Clone, Debug)]
pub struct Which {
    /// The repository; where it is now.
    pub repository: RepositoryId,
    /// Where the repository is now; it may have moved.
    pub path: PathBuf,
    /// The request (or the outcome, or the restore) to take back; `None` for the last one.
    pub seq: Option<Seq>,
    /// Whether only to say what would be done.
    pub dry_run: bool,
}

/// What was done, or would be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Done {
    /// The operation.
    pub operation: String,
    /// The request whose action it is.
    pub request: Seq,
    /// Files that were put back, and how they changed.
    pub files: Vec<Difference>,
    /// References that were put back.
    pub references: Vec<String>,
    /// Whether the index was put back.
    pub index: bool,
    /// Paths that somebody changed in the meantime and that were left as they are.
    pub kept: Vec<String>,
    /// The event; `None` for a dry run.
    pub event: Option<Seq>,
}

/// The store of operations. A cheap handle.
#[derive(Clone, Debug)]
pub struct Undo {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    journal: Journal,
    clock: Arc<dyn Clock>,
    blobs: Blobs,
    git: Option<Git>,
    faults: Faults,
    /// One at a time: two that put back the same files would each see the other's half.
    turn: Mutex<()>,
}

impl Undo {
    /// Opens the store below `state_dir`; makes it when it is new.
    ///
    /// # Errors
    /// [`UndoError::File`] and [`UndoError::Key`] when the directory or the key cannot be used.
    pub fn open(
        journal: Journal,
        clock: Arc<dyn Clock>,
        state_dir: &Path,
        scan: SecretScan,
    ) -> Result<Self, UndoError> {
        Self::open_with_faults(journal, clock, state_dir, scan, Faults::none())
    }

    /// Opens the store so that a test can make it crash at a step.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn open_with_faults(
        journal: Journal,
        clock: Arc<dyn Clock>,
        state_dir: &Path,
        scan: SecretScan,
        faults: Faults,
    ) -> Result<Self, UndoError> {
        crate::store::migrate(&journal)?;
        let blobs = Blobs::open(state_dir, scan)?;
        Ok(Self {
            shared: Arc::new(Shared {
                journal,
                clock,
                blobs,
                // Without git, files can be taken back all the same.
                git: Git::discover().ok(),
                faults,
                turn: Mutex::new(()),
            }),
        })
    }

    /// Saves what an action may change. Durable when it returns the operation's id.
    ///
    /// # Errors
    /// [`UndoError`]; the action must not run then.
    pub async fn capture(&self, capture: Capture) -> Result<String, UndoError> {
        self.blocking(move |shared| {
            let _turn = shared.turn();
            let id = new_id()?;
            let now = shared.clock.now();
            let git = shared.git.as_ref();
            let operation = Operation::capture(id.clone(), now, capture, &shared.blobs, git)?;
            record::insert(&shared.journal, operation)?;
            Ok(id)
        })
        .await
    }

    /// Saves what an action changed.
    ///
    /// # Errors
    /// [`UndoError`]; what the action did can then not be taken back.
    pub async fn seal(&self, operation: &str) -> Result<(), UndoError> {
        let id = operation.to_owned();
        self.blocking(move |shared| {
            let _turn = shared.turn();
            let (mut operation, state) = record::load(&shared.journal, &id)?;
            if state == record::State::Captured {
                operation.seal(&shared.blobs, shared.git.as_ref())?;
                record::update(&shared.journal, operation, record::State::Sealed)?;
            }
            Ok(())
        })
        .await
    }

    /// Takes an operation back.
    ///
    /// # Errors
    /// [`UndoError::Nothing`] when there is none, [`UndoError::Differs`] when its files are no longer
    /// as it left them; nothing was changed then.
    pub async fn undo(&self, which: Which) -> Result<Done, UndoError> {
        self.go(which, Direction::Undo).await
    }

    /// Puts an operation back that was taken back.
    ///
    /// # Errors
    /// As for [`undo`](Self::undo).
    pub async fn redo(&self, which: Which) -> Result<Done, UndoError> {
        self.go(which, Direction::Redo).await
    }

    async fn go(&self, which: Which, direction: Direction) -> Result<Done, UndoError> {
        self.blocking(move |shared| {
            let _turn = shared.turn();
            shared.complete()?;
            let mut operation = record::find(&shared.journal, &which, direction)?;
            operation.path.clone_from(&which.path);
            shared.go(&operation, direction, which.dry_run)
        })
        .await
    }

    /// Completes what a crash interrupted. Every command that undoes does this first.
    ///
    /// # Errors
    /// [`UndoError`]; the intent stays and the next call goes on.
    pub async fn complete_interrupted(&self) -> Result<Vec<Done>, UndoError> {
        self.blocking(move |shared| {
            let _turn = shared.turn();
            shared.complete()
        })
        .await
    }

    /// Brings one file back as it was at a time, as an operation that can be undone.
    ///
    /// # Errors
    /// [`UndoError::Nothing`] when no content is known, [`UndoError::Differs`] when the file has
    /// another content now and `force` is not set.
    pub async fn restore(&self, restore: Restore) -> Result<Restored, UndoError> {
        self.blocking(move |shared| {
            let _turn = shared.turn();
            shared.complete()?;
            shared.restore(&restore)
        })
        .await
    }

    /// Forgets what is too old or too much.
    ///
    /// # Errors
    /// [`UndoError`]; what was forgotten until then stays forgotten.
    pub async fn expire(&self, expiry: Expiry) -> Result<Expired, UndoError> {
        self.blocking(move |shared| {
            let _turn = shared.turn();
            shared.expire(&expiry)
        })
        .await
    }

    /// Returns an operation.
    ///
    /// # Errors
    /// [`UndoError::Nothing`] when there is none with this id.
    pub async fn operation(&self, id: &str) -> Result<Operation, UndoError> {
        let id = id.to_owned();
        self.blocking(move |shared| Ok(record::load(&shared.journal, &id)?.0))
            .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> Result<T, UndoError> + Send + 'static,
    ) -> Result<T, UndoError> {
        let shared = Arc::clone(&self.shared);
        let done = tokio::task::spawn_blocking(move || work(&shared));
        done.await.or(Err(UndoError::Below(Below::Lost)))?
    }
}

impl Shared {
    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn git(&self) -> Result<&Git, UndoError> {
        self.git.as_ref().ok_or(UndoError::NoGit)
    }
}

/// Makes an id: 16 random bytes.
fn new_id() -> Result<String, UndoError> {
    Ok(random::hex(&random::bytes::<16>()?))
}
