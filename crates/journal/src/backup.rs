//! Copies of the store: made while it is being written, loaded when it is not.
//!
//! A copy is one plain file that `sqlite3` and [`load_backup`] read: one consistent state, private to
//! its owner, on disk in full before it gets its name. Making one takes a read on a connection of its
//! own and never makes the writer wait.
//! Loading keeps the store that it replaces under another name. What was appended after the copy is
//! then gone, and places of the journal are used again: the journal gets a new id, so that nobody
//! takes a new event for an old one of the same place, and every lease's epoch jumps, so that holders
//! from the lost time are fenced off.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use tradewind_core::payload::{BackupCreated, BackupLoaded};
use tradewind_core::{Clock, Draft, JournalId, Seq};

use crate::error::{AppendError, BackupError, ReadError};
use crate::journal::{Journal, Options};
use crate::layout::{self, Found};
use crate::open::{Flush, check_sqlite, connect};
use crate::place::{self, private_file};
use crate::reader::Reader;

/// How far lease epochs jump when a backup is loaded: further than they grew since it was made.
const EPOCH_JUMP: u64 = 1_000_000;
/// Upper bound on copies of the same kind in one directory.
const MAX_COPIES: u32 = 1000;

impl Journal {
    /// Writes a copy of the store to the new file `to` and returns the last event in it.
    ///
    /// # Errors
    /// [`BackupError::Exists`] when there is something at `to` already; otherwise what the system or
    /// the database said.
    pub async fn backup(&self, to: PathBuf) -> Result<Seq, BackupError> {
        let reader = self.reader()?;
        let target = to.clone();
        let last = crate::off_thread(move || copy(&reader.conn, &target))
            .await
            .unwrap_or(Err(BackupError::Cancelled))?;
        let body = BackupCreated {
            path: to.display().to_string(),
            last,
        };
        let draft = Draft::new(self.clock_now(), &body).map_err(AppendError::Draft)?;
        self.append(draft).await?;
        Ok(last)
    }
}

/// Replaces the store in `dir` by the backup `from` and returns the last event of the backup.
///
/// Nothing may be writing. The store that was there stays beside it as `journal-replaced-….db`.
///
/// # Errors
/// [`BackupError::Unsound`] when `from` is no journal, is damaged or its chain does not verify;
/// [`BackupError::Open`] when another process writes or the backup is from a newer program; otherwise
/// what the system or the database said. The former store is in force until everything is checked.
pub fn load_backup(from: &Path, dir: &Path, clock: Arc<dyn Clock>) -> Result<Seq, BackupError> {
    check_sqlite()?;
    place::prepare(dir)?;
    let lock = place::lock(dir)?;
    let unsound = |problem: String| BackupError::Unsound {
        path: from.to_owned(),
        problem,
    };
    if !from.is_file() {
        return Err(unsound("there is no such file".to_owned()));
    }
    let loading = dir.join("journal.db.loading");
    remove(&loading)?;
    let source = Connection::open_with_flags(
        from,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    let found = layout::find(&source).map_err(|error| unsound(error.to_string()))?;
    let known = layout::version_of(layout::STEPS);
    match found {
        Found::Empty | Found::Foreign => return Err(unsound("it is no journal".to_owned())),
        Found::Journal(version) if version > known => {
            return Err(BackupError::Read(ReadError::Newer {
                what: format!("its layout is {version}, this program knows up to {known}"),
            }));
        }
        Found::Journal(_) => {}
    }
    let last = copy(&source, &loading)?;
    drop(source);
    check_copy(&loading, found == Found::Journal(known)).and_then(|problem| match problem {
        None => Ok(()),
        Some(problem) => Err(unsound(problem)),
    })?;
    give_new_identity(&loading)?;
    put_aside(dir, &clock.now().strftime("%Y%m%dT%H%M%SZ").to_string())?;
    let store = place::store(dir);
    fs::rename(&loading, &store).map_err(io("rename", &loading))?;
    place::sync_dir(dir).map_err(io("flush", dir))?;
    let options = Options::new(dir, clock);
    let now = options.clock.now();
    let journal = Journal::open_locked(options, lock, Flush::Always, layout::STEPS)?;
    let body = BackupLoaded {
        path: from.display().to_string(),
        last,
    };
    journal.append_blocking(Draft::new(now, &body).map_err(AppendError::Draft)?)?;
    Ok(last)
}

/// Looks for damage in the copy that is about to be loaded.
fn check_copy(path: &Path, can_verify: bool) -> Result<Option<String>, BackupError> {
    if !can_verify {
        let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        return quick_check(&conn);
    }
    let reader = Reader::open_file(path)?;
    if let Some(problem) = quick_check(&reader.conn)? {
        return Ok(Some(problem));
    }
    let verified = reader.verify(|_| {})?;
    Ok(verified.problems.first().map(ToString::to_string))
}

fn quick_check(conn: &Connection) -> Result<Option<String>, BackupError> {
    let word: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    Ok((word != "ok").then_some(word))
}

fn give_new_identity(path: &Path) -> Result<(), BackupError> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(AppendError::Random)?;
    layout::set_meta(&conn, "journal", JournalId::from_bytes(bytes).as_bytes())?;
    conn.execute(
        "UPDATE leases SET epoch = epoch + ?1, owner = NULL",
        [EPOCH_JUMP],
    )?;
    conn.close().map_err(|(_conn, error)| error)?;
    sync(path)
}

/// Gives the store in `dir` a second name, so that its first can be taken; its log is merged before.
fn put_aside(dir: &Path, time: &str) -> Result<(), BackupError> {
    let store = place::store(dir);
    if !store.exists() {
        return Ok(());
    }
    // A store too damaged to be opened is kept as it is, with its log.
    if let Ok(conn) = connect(&store, Flush::Always)
        && let Err((_conn, error)) = conn.close()
    {
        tracing::warn!(error = %crate::error::chain_of(&error), "replaced journal closed with an error");
    }
    let aside = free_name(dir, &format!("journal-replaced-{time}"))?;
    for suffix in ["-wal", "-shm"] {
        let companion = with_suffix(&store, suffix);
        if companion.exists() {
            fs::rename(&companion, with_suffix(&aside, suffix))
                .map_err(io("rename", &companion))?;
        }
    }
    // The store's own name is never without a file: a crash here leaves the former store in force.
    if fs::hard_link(&store, &aside).is_err() {
        fs::copy(&store, &aside).map_err(io("copy", &store))?;
        sync(&aside)?;
    }
    Ok(())
}

/// Copies the store before its layout is changed; returns the copy's file name.
pub(crate) fn before_migration(
    conn: &Connection,
    path: &Path,
    version: u32,
) -> Result<String, BackupError> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let target = free_name(dir, &format!("journal-layout-{version}"))?;
    copy(conn, &target)?;
    Ok(target
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned())
}

/// Copies what `source` sees to the new file `to`; returns the last event in it.
fn copy(source: &Connection, to: &Path) -> Result<Seq, BackupError> {
    if to.exists() {
        return Err(BackupError::Exists {
            path: to.to_owned(),
        });
    }
    let partial = with_suffix(to, ".partial");
    remove(&partial)?;
    private_file(OpenOptions::new().write(true).create_new(true))
        .open(&partial)
        .map_err(io("create", &partial))?;
    let last = fill(source, &partial).inspect_err(|_| {
        // Half a copy is of no use; the error that made it so is the one to tell.
        drop(fs::remove_file(&partial));
    })?;
    sync(&partial)?;
    fs::rename(&partial, to).map_err(io("rename", &partial))?;
    place::sync_dir(parent(to)).map_err(io("flush", to))?;
    Ok(last)
}

fn fill(source: &Connection, partial: &Path) -> Result<Seq, BackupError> {
    let mut target = Connection::open_with_flags(
        partial,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    // The copy is flushed once, at the end.
    target.pragma_update(None, "synchronous", "OFF")?;
    {
        let backup = Backup::new(source, &mut target)?;
        // All pages in one step: one state of the source, and the writer is not locked out by a read.
        match backup.step(-1)? {
            StepResult::Done => {}
            _ => {
                return Err(BackupError::Sqlite(rusqlite::Error::SqliteFailure(
                    rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY),
                    None,
                )));
            }
        }
    }
    // A plain file that opens without a log beside it, also from a read-only medium.
    let mode: String =
        target.pragma_update_and_check(None, "journal_mode", "delete", |row| row.get(0))?;
    debug_assert_eq!(mode, "delete");
    let last: Option<u64> = target.query_row(
        "SELECT coalesce((SELECT max(seq) FROM events), (SELECT value FROM meta WHERE name = 'anchor_seq'))",
        [],
        |row| row.get(0),
    )?;
    target.close().map_err(|(_conn, error)| error)?;
    Ok(Seq(last.unwrap_or(0)))
}

fn sync(path: &Path) -> Result<(), BackupError> {
    // Windows flushes only through a handle that may write.
    OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|file: File| file.sync_all())
        .map_err(io("flush", path))
}

fn remove(path: &Path) -> Result<(), BackupError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(io("remove", path)(error))
        }
        _ => Ok(()),
    }
}

fn free_name(dir: &Path, stem: &str) -> Result<PathBuf, BackupError> {
    let names = std::iter::once(format!("{stem}.db"))
        .chain((2..MAX_COPIES).map(|number| format!("{stem}-{number}.db")));
    for name in names {
        let path = dir.join(name);
        if !path.exists() {
            return Ok(path);
        }
    }
    Err(BackupError::Exists {
        path: dir.join(format!("{stem}.db")),
    })
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::Io {
        action,
        path,
        source,
    }
}
