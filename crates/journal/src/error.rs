//! Why the journal refuses, one enum per door: opening, appending, transacting, reading, copying.
//!
//! Why several: whoever appends can do other things about an error than whoever opens or reads.
//! Each enum answers `recovery()`; nobody needs to read the text.

use std::path::PathBuf;
use std::time::Duration;

use tradewind_core::{DraftError, Recovery, Seq};

/// Upper bound on an idempotency key, in bytes.
pub const MAX_KEY_BYTES: usize = 4 * 1024;

/// How long a caller should wait when another connection holds the store's write lock.
const BUSY_RETRY: Duration = Duration::from_secs(1);

/// Why the store cannot be opened for writing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process writes this store.
    #[error("journal in {} is being written by {}", dir.display(), owner(*pid))]
    Locked {
        /// The state directory.
        dir: PathBuf,
        /// Process id of the writer, when its lock file says so.
        pid: Option<u32>,
    },
    /// The store was written by a newer program.
    #[error("journal {} is newer than this program: {what}", path.display())]
    Newer {
        /// The store.
        path: PathBuf,
        /// What this program does not know: a layout version or a kind of event.
        what: String,
    },
    /// The state directory lies on a file system on which locks or flushes cannot be trusted.
    #[error(
        "state directory {} is on a network file system ({kind}), where a journal cannot be kept safe; \
         set TRADEWIND_STATE to a directory on a local disk",
        dir.display()
    )]
    NetworkFileSystem {
        /// The state directory.
        dir: PathBuf,
        /// The file system's name.
        kind: String,
    },
    /// The SQLite library has a known bug that loses data.
    #[error("SQLite {found} can corrupt a journal, at least 3.51.3 is needed")]
    OldSqlite {
        /// Version of the library.
        found: String,
    },
    /// The file is not a journal, or is damaged.
    #[error("{} is not a sound journal: {problem}", path.display())]
    Corrupt {
        /// The store.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A file or directory of the store cannot be used.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The database refused.
    #[error("journal cannot be opened")]
    Sqlite(#[from] rusqlite::Error),
    /// The first event, which says that the store was opened, cannot be appended.
    #[error("opening cannot be journaled")]
    Append(#[from] AppendError),
    /// The copy that precedes a migration cannot be made.
    #[error("journal cannot be copied before its layout is changed")]
    Backup(#[source] Box<BackupError>),
}

fn owner(pid: Option<u32>) -> String {
    pid.map_or_else(
        || "another process".to_owned(),
        |pid| format!("process {pid}"),
    )
}

impl OpenError {
    /// Says what a caller may usefully do next.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Locked { .. } => Recovery::RetryAfter(BUSY_RETRY),
            Self::Newer { .. }
            | Self::NetworkFileSystem { .. }
            | Self::OldSqlite { .. }
            | Self::Io { .. }
            | Self::Sqlite(_)
            | Self::Backup(_) => Recovery::Fix,
            Self::Append(error) => error.recovery(),
            Self::Corrupt { .. } => Recovery::GiveUp,
        }
    }
}

/// Why an event was not appended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The draft is larger than the journal keeps.
    #[error("event cannot be kept")]
    Draft(#[from] DraftError),
    /// The idempotency key is larger than [`MAX_KEY_BYTES`].
    #[error("idempotency key has {actual_bytes} bytes, at most {MAX_KEY_BYTES} are kept")]
    KeyTooLong {
        /// Size of the key.
        actual_bytes: usize,
    },
    /// The draft names a cause that the journal has never held.
    #[error("cause {cause} is no event of this journal")]
    UnknownCause {
        /// The cause that was named.
        cause: Seq,
    },
    /// A write went wrong before; nothing is acknowledged any more until the store is opened again.
    #[error("journal is read-only since a write went wrong: {error}")]
    ReadOnly {
        /// What went wrong.
        error: String,
    },
    /// Another program holds the store's write lock.
    #[error("journal is held by another program")]
    Busy,
    /// The database refused this event alone.
    #[error("event is refused by the database")]
    Sqlite(#[source] rusqlite::Error),
    /// The operating system gave no random bytes for the salt.
    #[error("no randomness for the salt")]
    Random(#[source] getrandom::Error),
    /// The caller runs inside a transaction of this journal and would wait for itself.
    #[error("journal is asked from inside its own transaction")]
    Nested,
    /// The journal was closed.
    #[error("journal is closed")]
    Closed,
}

impl AppendError {
    /// Says what a caller may usefully do next.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Busy => Recovery::RetryAfter(BUSY_RETRY),
            Self::ReadOnly { .. } | Self::Random(_) => Recovery::Fix,
            Self::Draft(_)
            | Self::KeyTooLong { .. }
            | Self::UnknownCause { .. }
            | Self::Sqlite(_)
            | Self::Nested
            | Self::Closed => Recovery::GiveUp,
        }
    }
}

/// Why a transaction had no effect.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TxError {
    /// An event in it was not appended.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The database refused a statement.
    #[error("statement is refused by the database")]
    Sqlite(#[from] rusqlite::Error),
    /// A stored event cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The room that asked decided against it.
    #[error("refused: {reason}")]
    Refused {
        /// Why, in the words of the room.
        reason: String,
    },
    /// Somebody else has taken over since this epoch was handed out.
    #[error("epoch {given} of {name:?} is stale, now at {current}")]
    StaleEpoch {
        /// The cursor or the lease.
        name: String,
        /// The epoch that the caller holds.
        given: u64,
        /// The epoch in force.
        current: u64,
    },
    /// A cursor was to go backwards, or past the last event.
    #[error("cursor {name:?} at {current} cannot go to {given}")]
    CursorRange {
        /// The cursor.
        name: String,
        /// Where it was to go.
        given: Seq,
        /// Where it is.
        current: Seq,
    },
    /// A room's tables were made by a newer program.
    #[error("tables of {namespace:?} have version {found}, this program knows {known}")]
    NewerRoom {
        /// The room's namespace.
        namespace: String,
        /// Version in the store.
        found: u64,
        /// Version that this program knows.
        known: u64,
    },
    /// Bodies were erased, but a reader keeps the log that still holds them from being emptied.
    #[error("bodies are erased as event {seq}, but a reader holds a log with the former content")]
    LogHeld {
        /// The event that tells of the erasure.
        seq: Seq,
    },
}

impl TxError {
    /// Says what a caller may usefully do next.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Append(error) => error.recovery(),
            Self::Read(error) => error.recovery(),
            Self::NewerRoom { .. } => Recovery::Fix,
            // It is emptied by itself once the reader has gone.
            Self::LogHeld { .. } => Recovery::RetryAfter(BUSY_RETRY),
            Self::Sqlite(_)
            | Self::Refused { .. }
            | Self::StaleEpoch { .. }
            | Self::CursorRange { .. } => Recovery::GiveUp,
        }
    }
}

/// Why the store cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// There is no store yet.
    #[error("no journal in {}", dir.display())]
    Missing {
        /// The state directory.
        dir: PathBuf,
    },
    /// The store was written by a newer program.
    #[error("journal is newer than this program: {what}")]
    Newer {
        /// What this program does not know: a layout version or a kind of event.
        what: String,
    },
    /// The store was written by an older program and waits for a writer to migrate it.
    #[error("journal has layout {found}, this program reads {expected}; open it for writing once")]
    Older {
        /// Layout of the store.
        found: u32,
        /// Layout of this program.
        expected: u32,
    },
    /// A stored value is not what the layout promises.
    #[error("event {seq} is damaged: {problem}")]
    Corrupt {
        /// The event; zero when the damage is elsewhere.
        seq: Seq,
        /// What is wrong.
        problem: &'static str,
    },
    /// The file's own structure is damaged; whole tables may be hidden.
    #[error("structure of the journal's file is damaged: {problem}")]
    Structure {
        /// The first damage, in SQLite's words.
        problem: String,
    },
    /// The database refused.
    #[error("journal cannot be read")]
    Sqlite(#[from] rusqlite::Error),
    /// The journal that was followed is closed.
    #[error("journal is closed")]
    Closed,
}

impl ReadError {
    /// Says what a caller may usefully do next.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Sqlite(error) if is_busy(error) => Recovery::RetryAfter(BUSY_RETRY),
            Self::Missing { .. } | Self::Newer { .. } | Self::Older { .. } => Recovery::Fix,
            Self::Corrupt { .. } | Self::Structure { .. } | Self::Sqlite(_) | Self::Closed => {
                Recovery::GiveUp
            }
        }
    }
}

/// Why a copy was not made or not loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// A file cannot be used.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The database refused.
    #[error("copy is refused by the database")]
    Sqlite(#[from] rusqlite::Error),
    /// Something is already at the target.
    #[error("{} exists", path.display())]
    Exists {
        /// The target.
        path: PathBuf,
    },
    /// The copy to be loaded is damaged or no journal.
    #[error("{} is not a sound backup: {problem}", path.display())]
    Unsound {
        /// The copy.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A journal cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The fact cannot be journaled.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The copy was cancelled because the runtime shut down.
    #[error("copying was cut short by shutdown")]
    Cancelled,
}

impl BackupError {
    /// Says what a caller may usefully do next.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Io { .. } | Self::Exists { .. } | Self::Unsound { .. } => Recovery::Fix,
            Self::Read(error) => error.recovery(),
            Self::Open(error) => error.recovery(),
            Self::Append(error) => error.recovery(),
            Self::Sqlite(_) | Self::Cancelled => Recovery::GiveUp,
        }
    }
}

/// Says whether `error` means that another connection holds a lock.
pub(crate) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked)
    )
}

/// Says whether `error` puts in doubt that the store can be written at all.
///
/// Everything else (a constraint, a mistake in SQL) concerns one statement only.
pub(crate) fn is_fatal(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode as Code;
    matches!(
        error.sqlite_error_code(),
        Some(
            Code::SystemIoFailure
                | Code::DiskFull
                | Code::DatabaseCorrupt
                | Code::NotADatabase
                | Code::CannotOpen
                | Code::ReadOnly
                | Code::OutOfMemory
                | Code::FileLockingProtocolFailed
                | Code::PermissionDenied
                | Code::InternalMalfunction
        )
    )
}

/// Writes `error` and everything below it in one line.
pub(crate) fn chain_of(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}
