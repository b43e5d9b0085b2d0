//! Appending, following, transactions.

use std::ops::ControlFlow;
use std::time::Duration;

use jiff::Timestamp;
use tradewind_core::{EventKind, RepositoryId, Seq};
use tradewind_journal::{AppendError, Filter, Health, OpenError, ReadError, TxError};

use crate::support::{Place, at, draft, runtime};

#[test]
fn an_appended_event_reads_back_as_it_was_and_survives_reopening() {
    let place = Place::new();
    let repository = RepositoryId::from_bytes([7; 16]);
    let seq = {
        let journal = place.open();
        let first = journal.append_blocking(draft("one")).unwrap();
        journal
            .append_blocking(
                draft("two")
                    .about("src/main.rs")
                    .caused_by(first)
                    .in_repository(repository)
                    .with_key("k"),
            )
            .unwrap()
    };
    let journal = place.open();
    let event = journal.reader().unwrap().get(seq).unwrap().unwrap();
    assert_eq!(event.seq, Seq(3));
    assert_eq!(event.kind, EventKind::RepoWorktreeChanged);
    assert_eq!(event.subject, "src/main.rs");
    assert_eq!(event.cause, Some(Seq(2)));
    assert_eq!(event.correlation, Seq(2));
    assert_eq!(event.repository, Some(repository));
    assert_eq!(event.recorded_at, at(0));
    assert_eq!(event.data.unwrap().get(), r#"{"text":"two"}"#);
    assert_eq!(
        journal.reader().unwrap().by_key("k").unwrap().unwrap().seq,
        seq
    );
    assert_eq!(journal.last(), Seq(4), "the second opening is journaled");
}

#[test]
fn a_second_draft_with_the_same_key_yields_the_first_ones_seq_also_within_one_batch() {
    let place = Place::new();
    let journal = place.open();
    let seqs = runtime()
        .block_on(journal.append_all(vec![
            draft("a").with_key("k"),
            draft("b").with_key("k"),
            draft("c"),
        ]))
        .unwrap();
    assert_eq!(seqs, [Seq(2), Seq(2), Seq(3)]);
    assert_eq!(
        journal.append_blocking(draft("d").with_key("k")).unwrap(),
        Seq(2)
    );
    assert_eq!(journal.last(), Seq(3));
}

#[test]
fn a_cause_that_never_was_is_refused_and_takes_its_whole_batch_with_it() {
    let place = Place::new();
    let journal = place.open();
    let error = runtime()
        .block_on(journal.append_all(vec![draft("a"), draft("b").caused_by(Seq(99))]))
        .unwrap_err();
    assert!(matches!(
        error,
        AppendError::UnknownCause { cause: Seq(99) }
    ));
    assert_eq!(journal.last(), Seq(1));
    assert_eq!(journal.append_blocking(draft("c")).unwrap(), Seq(2));
}

#[test]
fn a_clock_that_steps_back_does_not_take_recorded_at_along() {
    let place = Place::new();
    let journal = place.open();
    place.clock.set(at(100));
    journal.append_blocking(draft("a")).unwrap();
    place.clock.set(at(50));
    let seq = journal.append_blocking(draft("b")).unwrap();
    let event = journal.reader().unwrap().get(seq).unwrap().unwrap();
    assert_eq!(event.recorded_at, at(100));
}

#[test]
fn a_second_writer_is_refused_and_told_who_writes() {
    let place = Place::new();
    let _journal = place.open();
    let error = tradewind_journal::Journal::open(place.options()).unwrap_err();
    let OpenError::Locked { pid, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(pid, Some(std::process::id()));
}

#[test]
fn a_reader_works_beside_a_writer_and_without_one() {
    let place = Place::new();
    assert!(matches!(
        tradewind_journal::Reader::open(place.dir.path()),
        Err(ReadError::Missing { .. })
    ));
    let journal = place.open();
    journal.append_blocking(draft("a")).unwrap();
    let reader = tradewind_journal::Reader::open(place.dir.path()).unwrap();
    assert_eq!(reader.last().unwrap(), Seq(2));
    assert_eq!(reader.journal_id(), journal.id());
    drop(journal);
    let reader = tradewind_journal::Reader::open(place.dir.path()).unwrap();
    assert_eq!(reader.after(Seq::ZERO, 10).unwrap().len(), 2);
}

#[test]
fn a_refused_transaction_leaves_nothing_and_does_not_disturb_others() {
    let place = Place::new();
    let journal = place.open();
    journal
        .migrate(
            "quota",
            &["CREATE TABLE quota_ledger (name TEXT PRIMARY KEY, units INTEGER)"],
        )
        .unwrap();
    let error = journal
        .transact_blocking(|tx| {
            tx.append(draft("lost"))?;
            tx.execute("INSERT INTO quota_ledger VALUES ('a', 1)", [])?;
            Err::<(), _>(TxError::Refused {
                reason: "no".to_owned(),
            })
        })
        .unwrap_err();
    assert!(matches!(error, TxError::Refused { .. }));
    let kept = journal
        .transact_blocking(|tx| {
            tx.execute("INSERT INTO quota_ledger VALUES (?1, ?2)", ("b", 2))?;
            tx.append(draft("kept"))
        })
        .unwrap();
    let reader = journal.reader().unwrap();
    assert_eq!(kept, Seq(2));
    let names = reader
        .query("SELECT name FROM quota_ledger", [], |row| {
            row.get::<_, String>(0)
        })
        .unwrap();
    assert_eq!(names, ["b"]);
}

#[test]
fn a_panicking_transaction_panics_in_its_caller_and_nowhere_else() {
    let place = Place::new();
    let journal = place.open();
    let caller = journal.clone();
    let outcome = std::thread::spawn(move || {
        caller.transact_blocking(|tx| {
            tx.append(draft("lost"))?;
            assert_eq!(tx.last(), Seq::ZERO, "on purpose");
            Ok(())
        })
    })
    .join();
    assert!(outcome.is_err());
    assert_eq!(journal.append_blocking(draft("next")).unwrap(), Seq(2));
}

#[test]
fn a_room_cannot_touch_the_journals_tables_or_end_its_transaction() {
    let place = Place::new();
    let journal = place.open();
    // The journal's own statements are in the cache by now; a room must not find them there.
    journal
        .transact_blocking(|tx| tx.take_cursor("rules"))
        .unwrap();
    for sql in [
        "SAVEPOINT request",
        "BEGIN IMMEDIATE",
        "DELETE FROM events",
        "UPDATE cursors SET seq = 0",
        "DELETE FROM cursors WHERE consumer = 'rules'",
        "COMMIT",
        "SAVEPOINT x",
        "CREATE TABLE quota_x (a)",
        "PRAGMA synchronous = OFF",
        "ATTACH ':memory:' AS other",
        "CREATE TEMP TABLE x (a)",
        "DELETE FROM sqlite_schema",
    ] {
        let result = journal.transact_blocking(move |tx| tx.execute(sql, []));
        assert!(result.is_err(), "{sql}");
    }
    assert!(
        journal
            .migrate("quota", &["CREATE TABLE other (a)"])
            .is_err()
    );
    assert!(journal.migrate("quota", &["DROP TABLE events"]).is_err());
    journal
        .migrate(
            "quota",
            &[
                "CREATE TABLE quota_a (a TEXT UNIQUE); CREATE INDEX quota_a_a ON quota_a (a);",
                "ALTER TABLE quota_a ADD COLUMN b; CREATE VIRTUAL TABLE quota_text USING fts5 (body);",
            ],
        )
        .unwrap();
    let hits = journal
        .transact_blocking(|tx| {
            tx.execute("INSERT INTO quota_text VALUES ('hello world')", [])?;
            tx.query(
                "SELECT body FROM quota_text WHERE quota_text MATCH 'world'",
                [],
                |row| row.get::<_, String>(0),
            )
        })
        .unwrap();
    assert_eq!(hits, ["hello world"]);
}

#[test]
fn a_follower_gets_every_event_once_and_in_sequence() {
    let place = Place::new();
    let journal = place.open();
    runtime().block_on(async {
        let mut follow = journal.follow(Seq::ZERO);
        assert_eq!(follow.next().await.unwrap().len(), 1);
        let appends = async {
            for n in 0..1000 {
                journal.append(draft(&n.to_string())).await.unwrap();
            }
        };
        let reads = async {
            let mut next = Seq(2);
            while next <= Seq(1001) {
                for event in follow.next().await.unwrap() {
                    assert_eq!(event.seq, next);
                    next = next.next();
                }
            }
        };
        tokio::join!(appends, reads);
        drop(journal);
        assert!(matches!(follow.next().await, Err(ReadError::Closed)));
    });
}

#[test]
fn a_selection_by_kind_time_subject_and_repository_finds_exactly_those() {
    let place = Place::new();
    let journal = place.open();
    let repository = RepositoryId::from_bytes([1; 16]);
    for n in 1..=10 {
        place.clock.set(at(n));
        let mut one = draft("x").about(format!("s{}", n % 2));
        if n > 5 {
            one = one.in_repository(repository);
        }
        journal.append_blocking(one).unwrap();
    }
    let reader = journal.reader().unwrap();
    let seqs = |filter: &Filter| -> Vec<u64> {
        reader
            .select(filter)
            .unwrap()
            .iter()
            .map(|event| event.seq.0)
            .collect()
    };
    let all = Filter::default();
    assert_eq!(seqs(&all).len(), 11);
    let timed = |since: i64, until: i64| Filter {
        since: Some(at(since)),
        until: Some(at(until)),
        ..Filter::default()
    };
    assert_eq!(seqs(&timed(3, 5)), [4, 5]);
    assert_eq!(seqs(&timed(100, 200)), [0; 0]);
    assert_eq!(
        seqs(&Filter {
            until: Some(Timestamp::MIN),
            ..Filter::default()
        }),
        [0; 0]
    );
    assert_eq!(
        seqs(&Filter {
            kinds: vec![EventKind::JournalStoreOpened, EventKind::RepoTagMoved],
            ..Filter::default()
        }),
        [1]
    );
    assert_eq!(
        seqs(&Filter {
            subject: Some("s0".to_owned()),
            repository: Some(repository),
            newest_first: true,
            limit: 2,
            ..Filter::default()
        }),
        [11, 9]
    );
}

#[test]
fn a_lease_is_held_by_one_and_its_epoch_only_grows() {
    let place = Place::new();
    let journal = place.open();
    let ttl = Duration::from_secs(10);
    let take = |owner: &'static str| {
        journal
            .transact_blocking(move |tx| tx.take_lease("leader", owner, ttl))
            .unwrap()
    };
    let first = take("a").unwrap();
    assert_eq!(take("b"), None);
    place.clock.set(at(10));
    let second = take("b").unwrap();
    assert!(second.epoch > first.epoch);
    let stale = journal.transact_blocking(move |tx| tx.renew_lease("leader", first.epoch, ttl));
    assert!(matches!(stale, Err(TxError::StaleEpoch { .. })));
}

#[test]
fn a_cursor_is_moved_only_by_its_latest_holder_and_never_back() {
    let place = Place::new();
    let journal = place.open();
    let taken = journal
        .transact_blocking(|tx| {
            let old = tx.take_cursor("rules")?;
            let new = tx.take_cursor("rules")?;
            assert!(matches!(
                tx.set_cursor("rules", Seq(1), old.epoch),
                Err(TxError::StaleEpoch { .. })
            ));
            tx.set_cursor("rules", Seq(1), new.epoch)?;
            for wrong in [Seq(0), Seq(2)] {
                assert!(matches!(
                    tx.set_cursor("rules", wrong, new.epoch),
                    Err(TxError::CursorRange { .. })
                ));
            }
            Ok(new)
        })
        .unwrap();
    let cursor = journal
        .transact_blocking(|tx| tx.cursor("rules"))
        .unwrap()
        .unwrap();
    assert_eq!((cursor.seq, cursor.epoch), (Seq(1), taken.epoch));
}

#[test]
fn a_reader_sees_a_prefix_without_holes_at_all_times() {
    let place = Place::new();
    let journal = place.open();
    let reader = journal.reader().unwrap();
    let producers: Vec<_> = (0..4)
        .map(|_| {
            let journal = journal.clone();
            std::thread::spawn(move || {
                for n in 0..100 {
                    journal.append_blocking(draft(&n.to_string())).unwrap();
                }
            })
        })
        .collect();
    let mut seen = 0;
    while seen < 401 {
        let events = reader.after(Seq::ZERO, usize::MAX).unwrap();
        assert!(events.len() >= seen, "events went away");
        seen = events.len();
        for (event, place) in events.iter().zip(1..) {
            assert_eq!(event.seq, Seq(place));
        }
    }
    for producer in producers {
        producer.join().unwrap();
    }
}

#[test]
fn a_dropped_handle_lets_the_writer_finish_what_is_queued() {
    let place = Place::new();
    let journal = place.open();
    // Nobody waits for the answers; the requests are in the queue all the same.
    runtime().block_on(async {
        for n in 0..100 {
            let mut append = std::pin::pin!(journal.append(draft(&n.to_string())));
            std::future::poll_fn(|context| {
                assert!(append.as_mut().poll(context).is_pending());
                std::task::Poll::Ready(())
            })
            .await;
        }
    });
    drop(journal);
    let reader = tradewind_journal::Reader::open(place.dir.path()).unwrap();
    assert_eq!(reader.last().unwrap(), Seq(101));
}

#[test]
fn a_call_to_next_that_is_cancelled_loses_no_event() {
    let place = Place::new();
    let journal = place.open();
    runtime().block_on(async {
        let mut follow = journal.follow(Seq::ZERO);
        for n in 0..50_u64 {
            let mut next = std::pin::pin!(follow.next());
            std::future::poll_fn(|context| {
                // Whatever it was about to hand out is dropped with it, unless it is ready.
                drop(next.as_mut().poll(context));
                std::task::Poll::Ready(())
            })
            .await;
            journal.append(draft(&n.to_string())).await.unwrap();
        }
        let mut expected = follow.position().next();
        while expected <= journal.last() {
            for event in follow.next().await.unwrap() {
                assert_eq!(event.seq, expected);
                expected = expected.next();
            }
        }
    });
}

#[test]
fn causes_are_followed_both_ways() {
    let place = Place::new();
    let journal = place.open();
    let root = journal.append_blocking(draft("root")).unwrap();
    let child = journal
        .append_blocking(draft("child").caused_by(root))
        .unwrap();
    let grandchild = journal
        .append_blocking(draft("grandchild").caused_by(child))
        .unwrap();
    let reader = journal.reader().unwrap();
    let effects = |seq| -> Vec<Seq> {
        reader
            .effects(seq)
            .unwrap()
            .iter()
            .map(|event| event.seq)
            .collect()
    };
    assert_eq!(effects(root), [child]);
    assert_eq!(effects(child), [grandchild]);
    let event = reader.get(grandchild).unwrap().unwrap();
    assert_eq!((event.cause, event.correlation), (Some(child), root));
}

#[test]
fn a_replay_stops_where_it_is_told_to_and_counts_match() {
    let place = Place::new();
    let journal = place.open();
    let drafts = (0..9999).map(|n| draft(&n.to_string())).collect();
    runtime().block_on(journal.append_all(drafts)).unwrap();
    let reader = journal.reader().unwrap();
    let mut count = 0;
    let last = reader
        .for_each(Seq::ZERO, |_| {
            count += 1;
            if count == 5000 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })
        .unwrap();
    assert_eq!((count, last), (5000, Seq(5000)));
    let rest = reader
        .for_each(last, |_| {
            count += 1;
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!((count, rest), (10_000, Seq(10_000)));
    let stats = reader.stats().unwrap();
    assert_eq!(
        (stats.events, stats.first, stats.last),
        (10_000, Seq(1), rest)
    );
    assert_eq!(stats.kinds[&EventKind::RepoWorktreeChanged], 9999);
    assert!(stats.bytes > 100_000);
}

#[test]
fn a_cursor_that_nobody_took_cannot_be_moved() {
    let place = Place::new();
    let journal = place.open();
    for epoch in [0, 1] {
        let moved = journal.transact_blocking(move |tx| tx.set_cursor("nobody", Seq(1), epoch));
        assert!(matches!(moved, Err(TxError::StaleEpoch { .. })));
    }
}

#[test]
fn a_call_from_inside_a_transaction_is_refused_and_does_not_wait_for_itself() {
    let place = Place::new();
    let journal = place.open();
    let inner = journal.clone();
    let error = journal
        .transact_blocking(move |_| Ok(inner.append_blocking(draft("nested"))))
        .unwrap();
    assert!(matches!(error, Err(AppendError::Nested)));
}

#[test]
fn another_program_that_holds_the_lock_makes_appends_busy_and_does_not_end_writing() {
    let place = Place::new();
    let journal = place.open();
    let other =
        tradewind_journal::rusqlite::Connection::open(place.dir.path().join("journal.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = journal.append_blocking(draft("a")).unwrap_err();
    assert!(matches!(error, AppendError::Busy), "{error}");
    let error = journal.transact_blocking(|tx| tx.append(draft("b")));
    assert!(matches!(error, Err(TxError::Append(AppendError::Busy))));
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(journal.health(), Health::Writing);
    assert_eq!(journal.append_blocking(draft("c")).unwrap(), Seq(2));
}
