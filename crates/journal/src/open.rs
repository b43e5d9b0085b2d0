//! Opening: from a file, perhaps none, to a connection that a writer may trust.
//!
//! Why apart: everything that can be wrong with a store is found here, before anything is
//! acknowledged: an old library, another program's file, a newer layout, a log that a crash left.
//! Not here: the lock and the disk it lies on ([`crate::place`]), the tables ([`crate::layout`]).

use std::path::Path;

use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use tradewind_core::payload::StoreMigrated;
use tradewind_core::{JournalId, Seq};

use crate::backup;
use crate::chain;
use crate::error::{AppendError, OpenError, ReadError};
use crate::layout::{self, Found};
use crate::place;
use crate::tx::Head;
use crate::writer::BUSY_LIMIT;

/// The first SQLite without the race that corrupts a store while its log is being reset.
const MIN_SQLITE: i32 = 3_051_003;
/// Statements that a connection keeps compiled: ours and those of the rooms.
pub(crate) const MAX_STATEMENTS: usize = 256;
/// Memory that the writer's pages may take, in KiB.
const CACHE_KIB: i32 = 8 * 1024;

/// How hard the store tries to survive a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flush {
    /// Every commit is on disk before it is acknowledged.
    Always,
    /// Never, to prove that the fault tests notice.
    Never,
}

/// Refuses a SQLite that is known to lose data.
pub(crate) fn check_sqlite() -> Result<(), OpenError> {
    if rusqlite::version_number() < MIN_SQLITE {
        return Err(OpenError::OldSqlite {
            found: rusqlite::version().to_owned(),
        });
    }
    Ok(())
}

/// Opens the writing connection and empties the log that a crash may have left.
pub(crate) fn connect(path: &Path, flush: Flush) -> Result<Connection, OpenError> {
    let conn = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    conn.busy_timeout(BUSY_LIMIT)?;
    conn.set_prepared_statement_cache_capacity(MAX_STATEMENTS);
    let mode: String =
        conn.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode != "wal" {
        return Err(OpenError::Corrupt {
            path: path.to_owned(),
            problem: format!("its journal mode is {mode} and cannot be changed"),
        });
    }
    let synchronous = match flush {
        Flush::Always => "FULL",
        Flush::Never => "OFF",
    };
    conn.pragma_update(None, "synchronous", synchronous)?;
    // On macOS an ordinary flush stops at the disk's cache.
    conn.pragma_update(None, "fullfsync", true)?;
    conn.pragma_update(None, "checkpoint_fullfsync", true)?;
    conn.pragma_update(None, "wal_autocheckpoint", 0)?;
    // Nothing of the journal in files of the directory for temporary ones.
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    conn.pragma_update(None, "cache_size", -CACHE_KIB)?;
    // Erasing and pruning overwrite what they free.
    conn.pragma_update(None, "secure_delete", true)?;
    conn.pragma_update(None, "foreign_keys", false)?;
    conn.pragma_update(None, "trusted_schema", false)?;
    // After a failed flush the log's pages may be in memory only. Nothing new is acknowledged on top of
    // them before they have been written and flushed again as part of the store itself.
    match conn.wal_checkpoint_v2(Some("main"), CheckpointMode::TRUNCATE) {
        Ok(_) => {}
        // A reader of an older state keeps the log from being cut; copied and flushed it is all the same.
        Err(error) if crate::error::is_busy(&error) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(conn)
}

/// Makes the tables of an empty file, migrates those of an older one, refuses others.
pub(crate) fn bring_up(
    conn: &Connection,
    path: &Path,
    dir: &Path,
    steps: &[&str],
) -> Result<Option<StoreMigrated>, OpenError> {
    let known = layout::version_of(steps);
    match layout::find(conn)? {
        Found::Foreign => Err(OpenError::Corrupt {
            path: path.to_owned(),
            problem: "it is a database of another program".to_owned(),
        }),
        Found::Journal(version) if version > known => Err(OpenError::Newer {
            path: path.to_owned(),
            what: format!("its layout is {version}, this program knows up to {known}"),
        }),
        Found::Journal(version) if version == known => Ok(None),
        Found::Empty => {
            let mut bytes = [0; 16];
            getrandom::fill(&mut bytes).map_err(AppendError::Random)?;
            let id = JournalId::from_bytes(bytes);
            run_steps(conn, steps, 0, |conn| {
                layout::set_meta(conn, "journal", id.as_bytes())?;
                layout::set_meta(conn, "anchor_seq", 0)?;
                layout::set_meta(conn, "anchor_hash", chain::genesis(id))
            })?;
            place::sync_dir(dir).map_err(|source| OpenError::Io {
                action: "flush",
                path: dir.to_owned(),
                source,
            })?;
            Ok(None)
        }
        Found::Journal(version) => {
            let copy = backup::before_migration(conn, path, version)
                .map_err(|error| OpenError::Backup(Box::new(error)))?;
            run_steps(conn, steps, version, |_| Ok(()))?;
            Ok(Some(StoreMigrated {
                from: version,
                to: known,
                backup: copy,
            }))
        }
    }
}

fn run_steps(
    conn: &Connection,
    steps: &[&str],
    from: u32,
    finish: impl FnOnce(&Connection) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let tx = conn.unchecked_transaction()?;
    for step in steps
        .iter()
        .skip(usize::try_from(from).unwrap_or(usize::MAX))
    {
        tx.execute_batch(step)?;
    }
    finish(&tx)?;
    tx.pragma_update(None, "application_id", layout::APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", layout::version_of(steps))?;
    tx.commit()
}

/// Reads where the journal ends.
pub(crate) fn find_head(conn: &Connection) -> rusqlite::Result<Option<Head>> {
    let Some(anchor) = layout::anchor(conn)? else {
        return Ok(None);
    };
    let last = conn
        .query_row(
            "SELECT seq, hash, recorded_at FROM events ORDER BY seq DESC LIMIT 1",
            [],
            |row| {
                Ok(Head {
                    last: Seq(row.get(0)?),
                    pruned: anchor.seq,
                    hash: row.get(1)?,
                    recorded_at: row.get(2)?,
                })
            },
        )
        .optional()?;
    Ok(Some(last.unwrap_or(Head {
        last: anchor.seq,
        pruned: anchor.seq,
        hash: anchor.hash,
        recorded_at: i64::MIN,
    })))
}

pub(crate) fn open_error(error: ReadError, path: &Path) -> OpenError {
    match error {
        ReadError::Newer { what } => OpenError::Newer {
            path: path.to_owned(),
            what,
        },
        ReadError::Sqlite(error) => OpenError::Sqlite(error),
        other => OpenError::Corrupt {
            path: path.to_owned(),
            problem: other.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use tradewind_core::clock::FixedClock;

    use jiff::Timestamp;
    use tradewind_core::{Draft, Event, EventKind};

    use super::*;
    use crate::journal::{Journal, Options};
    use crate::reader::Reader;

    /// The steps of a program of the future.
    const NEXT_STEPS: &[&str] = &[
        layout::STEPS[0],
        "CREATE TABLE notes (text TEXT) STRICT; INSERT INTO notes VALUES ('new');",
    ];

    fn options(dir: &Path) -> Options {
        Options::new(dir, Arc::new(FixedClock::at(Timestamp::UNIX_EPOCH)))
    }

    fn draft() -> Draft {
        Draft::raw(
            EventKind::RepoTagCreated,
            Timestamp::UNIX_EPOCH,
            &"anything",
        )
        .unwrap()
    }

    #[test]
    fn an_older_layout_is_copied_then_migrated_and_the_migration_journaled() {
        let dir = tempfile::tempdir().unwrap();
        let seq = {
            let journal = Journal::open(options(dir.path())).unwrap();
            journal.append_blocking(draft()).unwrap()
        };
        let journal = Journal::open_with(options(dir.path()), Flush::Always, NEXT_STEPS).unwrap();
        let (kept, told, note) = journal
            .transact_blocking(move |tx| {
                Ok((
                    tx.get(seq)?,
                    tx.get(seq.next())?,
                    tx.query_row("SELECT text FROM notes", [], |row| row.get::<_, String>(0))?,
                ))
            })
            .unwrap();
        assert_eq!(kept.unwrap().kind, EventKind::RepoTagCreated);
        assert_eq!(note.as_deref(), Some("new"));
        let told: Event = told.unwrap();
        assert_eq!(told.kind, EventKind::JournalStoreMigrated);
        let body: StoreMigrated = told.payload().unwrap();
        assert_eq!((body.from, body.to), (1, 2));
        let copy = Reader::open_file(&dir.path().join(body.backup)).unwrap();
        assert_eq!(copy.last().unwrap(), seq);
        assert_eq!(copy.verify(|_| {}).unwrap().problems, []);
    }

    #[test]
    fn a_newer_layout_is_refused_for_writing_and_reading_and_is_left_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        drop(Journal::open_with(options(dir.path()), Flush::Always, NEXT_STEPS).unwrap());
        let before = std::fs::read(place::store(dir.path())).unwrap();
        let error = Journal::open(options(dir.path())).unwrap_err();
        assert!(matches!(error, OpenError::Newer { .. }), "{error}");
        let error = Reader::open(dir.path()).unwrap_err();
        assert!(matches!(error, ReadError::Newer { .. }), "{error}");
        assert_eq!(std::fs::read(place::store(dir.path())).unwrap(), before);
    }

    #[test]
    fn a_layout_that_waits_for_migration_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        drop(Journal::open(options(dir.path())).unwrap());
        let conn = Connection::open(place::store(dir.path())).unwrap();
        conn.pragma_update(None, "user_version", 0).unwrap();
        drop(conn);
        let error = Reader::open(dir.path()).unwrap_err();
        assert!(matches!(error, ReadError::Older { .. }), "{error}");
    }

    #[test]
    fn a_migration_that_goes_wrong_leaves_the_older_layout_in_force() {
        let dir = tempfile::tempdir().unwrap();
        drop(Journal::open(options(dir.path())).unwrap());
        let broken: &[&str] = &[layout::STEPS[0], "CREATE TABLE half (a); nonsense"];
        assert!(Journal::open_with(options(dir.path()), Flush::Always, broken).is_err());
        let journal = Journal::open(options(dir.path())).unwrap();
        let half = journal
            .reader()
            .unwrap()
            .query(
                "SELECT 1 FROM sqlite_schema WHERE name = 'half'",
                [],
                |_| Ok(()),
            )
            .unwrap();
        assert_eq!(half, []);
    }

    #[test]
    fn a_kind_of_event_from_the_future_is_refused_by_name_and_crashes_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let seq = {
            let journal = Journal::open(options(dir.path())).unwrap();
            journal.append_blocking(draft()).unwrap()
        };
        // A reader that was there before, and one that comes later.
        let early = Reader::open(dir.path()).unwrap();
        let conn = Connection::open(place::store(dir.path())).unwrap();
        conn.execute_batch(
            "INSERT INTO kinds VALUES (99, 'market.moon.landed');
             UPDATE events SET kind = 99 WHERE seq = 2",
        )
        .unwrap();
        for error in [
            early.get(seq).unwrap_err(),
            Reader::open(dir.path()).unwrap_err(),
        ] {
            assert!(error.to_string().contains("market.moon.landed"), "{error}");
        }
        let error = Journal::open(options(dir.path())).unwrap_err();
        assert!(matches!(error, OpenError::Newer { .. }), "{error}");
    }

    #[test]
    fn a_database_of_another_program_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let conn = Connection::open(place::store(dir.path())).unwrap();
        conn.execute_batch("CREATE TABLE theirs (a); INSERT INTO theirs VALUES (1)")
            .unwrap();
        drop(conn);
        let error = Journal::open(options(dir.path())).unwrap_err();
        assert!(matches!(error, OpenError::Corrupt { .. }), "{error}");
        assert!(Reader::open(dir.path()).is_err());
        std::fs::write(place::store(dir.path()), "no database at all, only text").unwrap();
        assert!(Journal::open(options(dir.path())).is_err());
        assert!(Reader::open(dir.path()).is_err());
    }

    #[test]
    fn the_bundled_sqlite_is_new_enough() {
        assert!(check_sqlite().is_ok());
    }
}
