//! What is kept and what goes: verify, prune, erase, back up, load.

use std::path::Path;
use std::time::Duration;

use tradewind_core::{EventKind, JournalId, Seq};
use tradewind_journal::{
    BackupError, ChainFault, Journal, OpenError, Reader, Retention, TxError, Verified, load_backup,
};

use crate::support::{Place, at, draft, runtime};

/// Verifies the store in `dir` and returns what was found.
fn verify(dir: &Path) -> Verified {
    Reader::open(dir).unwrap().verify(|_| {}).unwrap()
}

/// Appends `count` events and returns the last.
fn fill(journal: &Journal, count: usize) -> Seq {
    let drafts = (0..count).map(|n| draft(&format!("event {n}"))).collect();
    *runtime()
        .block_on(journal.append_all(drafts))
        .unwrap()
        .last()
        .unwrap()
}

/// Says whether `needle` stands in any file of `dir`.
fn is_on_disk(dir: &Path, needle: &str) -> bool {
    std::fs::read_dir(dir).unwrap().any(|entry| {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        bytes
            .windows(needle.len())
            .any(|window| window == needle.as_bytes())
    })
}

#[test]
fn pruning_keeps_what_the_policy_names_and_the_rest_verifies() {
    let place = Place::new();
    let journal = place.open();
    fill(&journal, 4999);
    place.clock.set(at(1000));
    fill(&journal, 100);
    let pruned = runtime()
        .block_on(journal.prune(Retention {
            max_age: Some(Duration::from_secs(500)),
            ..Retention::default()
        }))
        .unwrap()
        .unwrap();
    assert_eq!((pruned.first, pruned.last), (Seq(1), Seq(5000)));
    let reader = journal.reader().unwrap();
    assert_eq!(reader.first().unwrap(), Seq(5001));
    assert_eq!(reader.get(Seq(5000)).unwrap().map(|event| event.seq), None);
    let verified = verify(place.dir.path());
    assert_eq!(verified.problems, []);
    assert_eq!(verified.events, 101);
    let told = reader
        .newest(EventKind::JournalRangePruned)
        .unwrap()
        .unwrap();
    assert_eq!(told.seq, Seq(5101));
    drop((journal, reader));
    let journal = place.open();
    assert_eq!(
        journal
            .append_blocking(draft("x").caused_by(Seq(7)))
            .unwrap(),
        Seq(5103),
        "a pruned cause is a cause"
    );
    assert_eq!(verify(place.dir.path()).problems, []);
}

#[test]
fn pruning_by_size_stops_at_the_newest_to_keep_and_before_what_a_consumer_has_not_seen() {
    let place = Place::new();
    let journal = place.open();
    fill(&journal, 999);
    let everything = |keep_last| Retention {
        max_bytes: Some(0),
        keep_last,
        max_age: None,
    };
    journal
        .transact_blocking(|tx| {
            let cursor = tx.take_cursor("rules")?;
            tx.set_cursor("rules", Seq(100), cursor.epoch)
        })
        .unwrap();
    let prune = |keep_last| {
        runtime()
            .block_on(journal.prune(everything(keep_last)))
            .unwrap()
    };
    assert_eq!(prune(950).unwrap().last, Seq(50));
    assert_eq!(prune(10).unwrap().last, Seq(100));
    assert_eq!(prune(10), None);
    journal
        .transact_blocking(|tx| tx.drop_cursor("rules"))
        .unwrap();
    assert_eq!(prune(10).unwrap().last, Seq(992));
    assert_eq!(verify(place.dir.path()).problems, []);
}

#[test]
fn an_erased_body_is_gone_from_every_file_and_the_chain_still_verifies() {
    let place = Place::new();
    let journal = place.open();
    fill(&journal, 50);
    let secret = "sk-live-0123456789abcdef";
    let long = format!("{secret} {}", "padding ".repeat(3000));
    let short = journal.append_blocking(draft(secret)).unwrap();
    let long = journal.append_blocking(draft(&long)).unwrap();
    fill(&journal, 50);
    assert!(is_on_disk(place.dir.path(), secret));
    let told = runtime()
        .block_on(journal.erase(vec![short, long], "a key".to_owned()))
        .unwrap();
    assert!(!is_on_disk(place.dir.path(), secret));
    let reader = journal.reader().unwrap();
    assert!(reader.get(short).unwrap().unwrap().data.is_none());
    assert_eq!(
        reader.get(told).unwrap().unwrap().kind,
        EventKind::JournalPayloadErased
    );
    let verified = verify(place.dir.path());
    assert_eq!(verified.problems, []);
    assert_eq!(verified.erased, 2);
    let again = runtime().block_on(journal.erase(vec![short], String::new()));
    assert!(matches!(again, Err(TxError::Refused { .. })));
}

#[test]
fn a_log_that_a_reader_holds_is_emptied_of_an_erased_body_once_the_reader_has_gone() {
    let place = Place::new();
    let journal = place.open();
    let secret = "sk-live-fedcba9876543210";
    let seq = journal.append_blocking(draft(secret)).unwrap();
    let reader =
        tradewind_journal::rusqlite::Connection::open(place.dir.path().join("journal.db")).unwrap();
    reader
        .execute_batch("BEGIN; SELECT count(*) FROM events")
        .unwrap();
    let error = runtime()
        .block_on(journal.erase(vec![seq], String::new()))
        .unwrap_err();
    assert!(matches!(error, TxError::LogHeld { .. }), "{error}");
    reader.execute_batch("ROLLBACK").unwrap();
    // Bounded by the journal's own pause before it tidies up.
    while is_on_disk(place.dir.path(), secret) {
        std::thread::yield_now();
    }
    assert_eq!(verify(place.dir.path()).problems, []);
}

#[test]
fn a_backup_made_while_writing_loads_and_keeps_the_replaced_store() {
    let place = Place::new();
    let journal = place.open();
    let id = journal.id();
    fill(&journal, 99);
    let copy = place.dir.path().join("copy.db");
    let last = runtime().block_on(journal.backup(copy.clone())).unwrap();
    assert_eq!(last, Seq(100));
    assert!(matches!(
        runtime().block_on(journal.backup(copy.clone())),
        Err(BackupError::Exists { .. })
    ));
    fill(&journal, 10);
    let clock = std::sync::Arc::clone(&place.clock);
    assert!(matches!(
        load_backup(&copy, place.dir.path(), std::sync::Arc::clone(&clock) as _),
        Err(BackupError::Open(OpenError::Locked { .. }))
    ));
    drop(journal);
    let loaded = load_backup(&copy, place.dir.path(), clock).unwrap();
    assert_eq!(loaded, last);
    let reader = Reader::open(place.dir.path()).unwrap();
    assert_ne!(reader.journal_id(), id);
    assert_eq!(reader.last().unwrap(), Seq(102));
    assert_eq!(
        reader.get(Seq(102)).unwrap().unwrap().kind,
        EventKind::JournalBackupLoaded
    );
    assert_eq!(verify(place.dir.path()).problems, []);
    let replaced = std::fs::read_dir(place.dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .find(|name| name.starts_with("journal-replaced-"))
        .unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::copy(
        place.dir.path().join(replaced),
        elsewhere.path().join("journal.db"),
    )
    .unwrap();
    assert_eq!(verify(elsewhere.path()).last, Seq(111));
}

#[test]
fn a_damaged_backup_is_refused_and_the_store_stays() {
    let place = Place::new();
    let journal = place.open();
    fill(&journal, 9);
    let copy = place.dir.path().join("copy.db");
    runtime().block_on(journal.backup(copy.clone())).unwrap();
    drop(journal);
    let conn = tradewind_journal::rusqlite::Connection::open(&copy).unwrap();
    conn.execute("UPDATE events SET subject = 'forged' WHERE seq = 5", [])
        .unwrap();
    drop(conn);
    let clock = std::sync::Arc::clone(&place.clock);
    let error = load_backup(&copy, place.dir.path(), clock as _).unwrap_err();
    assert!(matches!(error, BackupError::Unsound { .. }), "{error}");
    assert_eq!(verify(place.dir.path()).last, Seq(11));
    let nothing = place.dir.path().join("nothing.db");
    assert!(
        load_backup(
            &nothing,
            place.dir.path(),
            std::sync::Arc::clone(&place.clock) as _
        )
        .is_err()
    );
}

#[test]
fn a_row_that_was_taken_out_or_changed_is_found() {
    let place = Place::new();
    fill(&place.open(), 20);
    let conn =
        tradewind_journal::rusqlite::Connection::open(place.dir.path().join("journal.db")).unwrap();
    conn.execute_batch(
        "DELETE FROM events WHERE seq = 5; UPDATE events SET data = '{}' WHERE seq = 10;",
    )
    .unwrap();
    drop(conn);
    let found: Vec<_> = verify(place.dir.path())
        .problems
        .iter()
        .map(|problem| (problem.seq.0, problem.fault))
        .collect();
    assert_eq!(
        found,
        [
            (5, ChainFault::Missing),
            (6, ChainFault::Altered),
            (10, ChainFault::Altered)
        ]
    );
}

#[test]
fn verifying_while_events_are_appended_and_pruned_finds_nothing() {
    let place = Place::new();
    let journal = place.open();
    fill(&journal, 10_000);
    let writer = journal.clone();
    let writing = std::thread::spawn(move || {
        for _ in 0..20 {
            fill(&writer, 500);
            let policy = Retention {
                max_bytes: Some(0),
                keep_last: 5000,
                max_age: None,
            };
            runtime().block_on(writer.prune(policy)).unwrap();
        }
    });
    let reader = journal.reader().unwrap();
    while !writing.is_finished() {
        assert_eq!(reader.verify(|_| {}).unwrap().problems, []);
    }
    writing.join().unwrap();
}

#[test]
fn an_id_is_made_once_and_stays() {
    let place = Place::new();
    let first: JournalId = place.open().id();
    assert_eq!(place.open().id(), first);
    assert_ne!(Place::new().open().id(), first);
}

#[cfg(unix)]
#[test]
fn every_file_of_the_store_is_private_to_its_owner() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    let dir = place.dir.path().join("state");
    std::fs::create_dir(&dir).unwrap();
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut options = place.options();
    options.dir.clone_from(&dir);
    let journal = Journal::open(options).unwrap();
    fill(&journal, 3);
    runtime()
        .block_on(journal.backup(dir.join("copy.db")))
        .unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    for entry in std::fs::read_dir(&dir).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[cfg(unix)]
#[test]
fn a_directory_that_is_shared_on_purpose_stays_shared() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    let dir = place.dir.path().join("tmp");
    std::fs::create_dir(&dir).unwrap();
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o1777)).unwrap();
    let mut options = place.options();
    options.dir.clone_from(&dir);
    drop(Journal::open(options).unwrap());
    let mode = std::fs::metadata(&dir).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o1777);
}
