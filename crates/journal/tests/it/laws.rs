//! Laws that hold for every sequence of calls and for every damaged byte.

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use proptest::prelude::*;
use tradewind_core::{Event, Seq};
use tradewind_journal::rusqlite::Connection;
use tradewind_journal::rusqlite::types::Value;
use tradewind_journal::{Journal, ReadError, Reader, Retention, TxError};

use crate::support::{Place, START, at, draft, runtime};

/// Something done to a journal.
#[derive(Clone, Debug)]
enum Step {
    Append { count: usize, key: Option<u8> },
    AppendAsEffect { back: u64 },
    Prune { keep_last: u64 },
    Erase { back: u64 },
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..6_usize, proptest::option::of(0..4_u8))
            .prop_map(|(count, key)| Step::Append { count, key }),
        2 => (0..8_u64).prop_map(|back| Step::AppendAsEffect { back }),
        1 => (0..10_u64).prop_map(|keep_last| Step::Prune { keep_last }),
        2 => (0..8_u64).prop_map(|back| Step::Erase { back }),
        1 => Just(Step::Reopen),
    ]
}

fn take(journal: &Journal, step: &Step) {
    let back_from_last = |back: u64| Seq(journal.last().0.saturating_sub(back).max(1));
    match *step {
        Step::Append { count, key } => {
            let drafts = (0..count)
                .map(|n| {
                    let one = draft(&n.to_string()).about("subject");
                    match key {
                        Some(key) => one.with_key(format!("{key}")),
                        None => one,
                    }
                })
                .collect();
            runtime().block_on(journal.append_all(drafts)).unwrap();
        }
        Step::AppendAsEffect { back } => {
            let cause = back_from_last(back);
            journal
                .append_blocking(draft("effect").caused_by(cause))
                .unwrap();
        }
        Step::Prune { keep_last } => {
            let policy = Retention {
                max_age: None,
                max_bytes: Some(0),
                keep_last,
            };
            runtime().block_on(journal.prune(policy)).unwrap();
        }
        Step::Erase { back } => {
            let erased = journal.erase(vec![back_from_last(back)], String::new());
            let outcome = runtime().block_on(erased);
            // Refused when it was pruned or erased before.
            assert!(
                matches!(outcome, Ok(_) | Err(TxError::Refused { .. })),
                "{outcome:?}"
            );
        }
        Step::Reopen => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_chain_verifies_whatever_was_appended_pruned_and_erased(
        steps in proptest::collection::vec(step(), 1..25),
    ) {
        let place = Place::new();
        let mut journal = place.open();
        for step in &steps {
            if matches!(step, Step::Reopen) {
                drop(journal);
                journal = place.open();
            }
            take(&journal, step);
        }
        let last = journal.last();
        drop(journal);
        let reader = Reader::open(place.dir.path()).unwrap();
        let verified = reader.verify(|_| {}).unwrap();
        prop_assert_eq!(verified.problems, []);
        prop_assert_eq!(verified.last, last);
        let events = reader.after(Seq::ZERO, usize::MAX).unwrap();
        prop_assert_eq!(events.len() as u64, verified.events);
        prop_assert!(events.iter().all(|event| event.correlation <= event.seq));
    }
}

/// A store with every sort of event, made once: its bytes, and its events as they should be.
fn sound() -> &'static (Vec<u8>, Vec<String>) {
    static SOUND: OnceLock<(Vec<u8>, Vec<String>)> = OnceLock::new();
    SOUND.get_or_init(|| {
        let place = Place::new();
        let journal = place.open();
        for n in 0..30_u64 {
            let mut one = draft(&"text ".repeat(usize::try_from(n).unwrap())).about("a subject");
            if n % 3 == 0 {
                one = one.with_key(format!("key {n}"));
            }
            if n % 4 == 1 {
                one = one.caused_by(Seq(n));
            }
            if n % 5 == 0 {
                one = one.in_repository(tradewind_core::RepositoryId::from_bytes([9; 16]));
            }
            journal.append_blocking(one).unwrap();
        }
        runtime()
            .block_on(journal.erase(vec![Seq(11), Seq(12)], "test".to_owned()))
            .unwrap();
        drop(journal);
        let events = events_of(place.dir.path()).unwrap();
        let bytes = std::fs::read(place.dir.path().join("journal.db")).unwrap();
        (bytes, events)
    })
}

fn events_of(dir: &Path) -> Result<Vec<String>, ReadError> {
    let reader = Reader::open(dir)?;
    let events = reader.after(Seq::ZERO, usize::MAX)?;
    let text = |event: &Event| serde_json::to_string(event).unwrap();
    Ok(events.iter().map(text).collect())
}

/// Puts a store of these bytes into a directory of its own.
fn store_of(bytes: &[u8]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("journal.db"), bytes).unwrap();
    dir
}

const COLUMNS: [&str; 13] = [
    "kind",
    "schema",
    "occurred_at",
    "recorded_at",
    "cause",
    "correlation",
    "subject",
    "repository",
    "key",
    "data",
    "salt",
    "digest",
    "hash",
];

/// Changes one bit of a value, or makes something of nothing.
fn flipped(value: Value, bit: usize) -> Value {
    match value {
        Value::Null => Value::Integer(1),
        Value::Integer(number) => Value::Integer(number ^ (1 << (bit % 63))),
        Value::Real(number) => Value::Real(number + 1.0),
        Value::Text(text) if text.is_empty() => Value::Text("x".to_owned()),
        Value::Text(text) => {
            let mut bytes = text.into_bytes();
            let at = bit % bytes.len();
            // Still ASCII, so that it stays text.
            bytes[at] ^= 1;
            Value::Text(String::from_utf8(bytes).unwrap())
        }
        Value::Blob(mut bytes) => {
            let at = bit % (bytes.len() * 8);
            bytes[at / 8] ^= 1 << (at % 8);
            Value::Blob(bytes)
        }
    }
}

/// Says whether a flipped byte is reported by the verification, or changes no event that is read.
fn is_reported_or_harmless(at: usize, flip: u8) -> bool {
    let (bytes, events) = sound();
    let mut bytes = bytes.clone();
    bytes[at] ^= flip;
    let dir = store_of(&bytes);
    let is_clean = Reader::open(dir.path())
        .and_then(|reader| reader.verify(|_| {}))
        .is_ok_and(|verified| verified.problems.is_empty());
    !is_clean || events_of(dir.path()).map_or(true, |read| read == *events)
}

/// A flip in the page that names the tables' roots once made the table of events an empty one, and a
/// chain without events holds.
#[test]
fn a_flipped_byte_of_the_table_of_tables_is_reported() {
    let harmful = (100..4096)
        .flat_map(|at| [(at, 1), (at, 65)])
        .filter(|(at, flip)| !is_reported_or_harmless(*at, *flip))
        .collect::<Vec<_>>();
    assert_eq!(harmful, []);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_value_of_any_column_of_any_event_is_reported(
        seq in 1..=32_u64,
        column in proptest::sample::select(&COLUMNS[..]),
        bit in any::<usize>(),
    ) {
        let dir = store_of(&sound().0);
        let conn = Connection::open(dir.path().join("journal.db")).unwrap();
        // The index over keys would refuse some changes that a hand in the file would not.
        let index: String = conn
            .query_row("SELECT sql FROM sqlite_schema WHERE name = 'events_key'", [], |row| row.get(0))
            .unwrap();
        conn.execute_batch("DROP INDEX events_key").unwrap();
        let value: Value = conn
            .query_row(&format!("SELECT {column} FROM events WHERE seq = ?1"), [seq], |row| row.get(0))
            .unwrap();
        conn.execute(
            &format!("UPDATE events SET {column} = ?2 WHERE seq = ?1"),
            (seq, flipped(value, bit)),
        )
        .unwrap();
        conn.execute_batch(&index).unwrap();
        drop(conn);
        let verified = Reader::open(dir.path()).unwrap().verify(|_| {}).unwrap();
        prop_assert!(
            verified.problems.iter().any(|problem| problem.seq.0 == seq || problem.seq.0 == seq + 1),
            "{:?}",
            verified.problems
        );
    }

    #[test]
    fn a_flipped_byte_of_the_file_is_reported_or_changes_no_event(
        offset in any::<prop::sample::Index>(),
        flip in 1..=255_u8,
    ) {
        let at = offset.index(sound().0.len());
        prop_assert!(is_reported_or_harmless(at, flip), "byte {} flipped by {}", at, flip);
    }
}

/// What the tables for coordination should do, in a few lines.
#[derive(Debug, Default)]
struct Model {
    now: i64,
    lease: Option<(u8, i64)>,
    epoch: u64,
    cursor: (u64, u64),
    outbox: Vec<(u8, i64, u32)>,
}

#[derive(Clone, Debug)]
enum Call {
    Pass { seconds: i64 },
    TakeLease { owner: u8, seconds: u64 },
    RenewLease { epoch: u64, seconds: u64 },
    ReleaseLease { epoch: u64 },
    TakeCursor,
    SetCursor { seq: u64, epoch: u64 },
    Enqueue { key: u8, wait: i64 },
    Retry { index: usize, wait: i64 },
    Finish { index: usize },
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        (0..20_i64).prop_map(|seconds| Call::Pass { seconds }),
        (0..3_u8, 1..20_u64).prop_map(|(owner, seconds)| Call::TakeLease { owner, seconds }),
        (0..6_u64, 1..20_u64).prop_map(|(epoch, seconds)| Call::RenewLease { epoch, seconds }),
        (0..6_u64).prop_map(|epoch| Call::ReleaseLease { epoch }),
        Just(Call::TakeCursor),
        (0..4_u64, 0..4_u64).prop_map(|(seq, epoch)| Call::SetCursor { seq, epoch }),
        (0..4_u8, 0..20_i64).prop_map(|(key, wait)| Call::Enqueue { key, wait }),
        (0..4_usize, 0..20_i64).prop_map(|(index, wait)| Call::Retry { index, wait }),
        (0..4_usize).prop_map(|index| Call::Finish { index }),
    ]
}

impl Model {
    fn holds(&self, epoch: u64) -> bool {
        self.epoch == epoch && self.lease.is_some_and(|(_, end)| end > self.now)
    }

    fn due(&self) -> Vec<(u8, u32)> {
        let mut due: Vec<_> = (0..)
            .zip(&self.outbox)
            .filter(|(_, message)| message.1 <= self.now)
            .map(|(number, message)| (message.1, number, (message.0, message.2)))
            .collect();
        due.sort_by_key(|&(not_before, number, _): &(i64, i32, _)| (not_before, number));
        due.into_iter().map(|(_, _, message)| message).collect()
    }

    /// Makes the call on the model and on the journal, and compares.
    fn make(&mut self, place: &Place, journal: &Journal, call: &Call) {
        match *call {
            Call::Pass { seconds } => {
                self.now += seconds;
                place.clock.set(at(self.now));
            }
            Call::TakeLease { .. } | Call::RenewLease { .. } | Call::ReleaseLease { .. } => {
                self.lease(journal, call);
            }
            Call::TakeCursor | Call::SetCursor { .. } => self.move_cursor(journal, call),
            Call::Enqueue { .. } | Call::Retry { .. } | Call::Finish { .. } => {
                self.post(journal, call);
            }
        }
        let due: Vec<(u8, u32)> = journal
            .transact_blocking(|tx| tx.due_messages("topic", 10))
            .unwrap()
            .iter()
            .map(|message| (message.key.parse().unwrap(), message.attempts))
            .collect();
        assert_eq!(due, self.due());
    }

    fn lease(&mut self, journal: &Journal, call: &Call) {
        match *call {
            Call::TakeLease { owner, seconds } => {
                let is_free = self
                    .lease
                    .is_none_or(|(held, end)| held == owner || end <= self.now);
                if is_free {
                    self.epoch += 1;
                    self.lease = Some((owner, self.now + i64::try_from(seconds).unwrap()));
                }
                let lease = journal
                    .transact_blocking(move |tx| {
                        tx.take_lease("role", &owner.to_string(), Duration::from_secs(seconds))
                    })
                    .unwrap();
                assert_eq!(
                    lease.map(|lease| lease.epoch),
                    is_free.then_some(self.epoch)
                );
            }
            Call::RenewLease { epoch, seconds } => {
                let holds = self.holds(epoch);
                if holds && let Some((_, end)) = &mut self.lease {
                    *end = self.now + i64::try_from(seconds).unwrap();
                }
                let renewed = journal.transact_blocking(move |tx| {
                    tx.renew_lease("role", epoch, Duration::from_secs(seconds))
                });
                assert_eq!(renewed.is_ok(), holds);
                if let Ok(lease) = renewed {
                    let end = self.lease.map(|(_, end)| START + end);
                    assert_eq!(Some(lease.expires_at.as_second()), end);
                }
            }
            Call::ReleaseLease { epoch } => {
                let holds = self.holds(epoch);
                if holds {
                    self.lease = None;
                }
                let released = journal.transact_blocking(move |tx| tx.release_lease("role", epoch));
                assert_eq!(released.is_ok(), holds);
            }
            _ => unreachable!(),
        }
    }

    fn move_cursor(&mut self, journal: &Journal, call: &Call) {
        match *call {
            Call::TakeCursor => {
                self.cursor.1 += 1;
                let cursor = journal
                    .transact_blocking(|tx| tx.take_cursor("consumer"))
                    .unwrap();
                assert_eq!((cursor.seq.0, cursor.epoch), self.cursor);
            }
            Call::SetCursor { seq, epoch } => {
                let may = epoch != 0
                    && epoch == self.cursor.1
                    && seq >= self.cursor.0
                    && seq <= journal.last().0;
                if may {
                    self.cursor.0 = seq;
                }
                let set =
                    journal.transact_blocking(move |tx| tx.set_cursor("consumer", Seq(seq), epoch));
                assert_eq!(set.is_ok(), may, "{set:?}");
            }
            _ => unreachable!(),
        }
    }

    fn post(&mut self, journal: &Journal, call: &Call) {
        match *call {
            Call::Enqueue { key, wait } => {
                let not_before = self.now + wait;
                if !self.outbox.iter().any(|message| message.0 == key) {
                    self.outbox.push((key, not_before, 0));
                }
                journal
                    .transact_blocking(move |tx| {
                        tx.enqueue("topic", &key.to_string(), at(not_before), "data")
                    })
                    .unwrap();
            }
            Call::Retry { index, wait } => {
                let Some((key, attempts)) = self.due().get(index).copied() else {
                    return;
                };
                let not_before = self.now + wait;
                for message in &mut self.outbox {
                    if message.0 == key {
                        *message = (key, not_before, attempts + 1);
                    }
                }
                let is_there = journal
                    .transact_blocking(move |tx| {
                        let id = tx.due_messages("topic", 10)?[index].id;
                        tx.retry_message(id, at(not_before), "it was busy")
                    })
                    .unwrap();
                assert!(is_there);
            }
            Call::Finish { index } => {
                let Some((key, _)) = self.due().get(index).copied() else {
                    return;
                };
                self.outbox.retain(|message| message.0 != key);
                let is_there = journal
                    .transact_blocking(move |tx| {
                        let id = tx.due_messages("topic", 10)?[index].id;
                        tx.finish_message(id)
                    })
                    .unwrap();
                assert!(is_there);
            }
            _ => unreachable!(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn leases_cursors_and_the_outbox_do_what_their_model_does(
        calls in proptest::collection::vec(call(), 1..40),
    ) {
        let place = Place::new();
        let journal = place.open();
        journal.append_blocking(draft("second")).unwrap();
        let mut model = Model::default();
        for call in &calls {
            model.make(&place, &journal, call);
        }
    }
}

#[test]
fn schedules_come_due_in_sequence_and_checkpoints_keep_their_last_state() {
    let place = Place::new();
    let journal = place.open();
    journal
        .transact_blocking(|tx| {
            tx.set_schedule("b", at(20), "2")?;
            tx.set_schedule("a", at(10), "1")?;
            tx.set_schedule("c", at(99), "3")?;
            tx.set_schedule("c", at(15), "4")?;
            tx.checkpoint("status", Seq(1), b"one")?;
            tx.checkpoint("status", Seq(2), b"two")
        })
        .unwrap();
    place.clock.set(at(15));
    journal
        .transact_blocking(|tx| {
            let due: Vec<_> = tx
                .due_schedules(10)?
                .into_iter()
                .map(|schedule| (schedule.name, schedule.data))
                .collect();
            assert_eq!(
                due,
                [
                    ("a".to_owned(), "1".to_owned()),
                    ("c".to_owned(), "4".to_owned())
                ]
            );
            assert_eq!(tx.next_due()?, Some(at(10)));
            assert!(tx.cancel_schedule("a")?);
            assert!(!tx.cancel_schedule("a")?);
            assert_eq!(tx.next_due()?, Some(at(15)));
            assert_eq!(
                tx.load_checkpoint("status")?,
                Some((Seq(2), b"two".to_vec()))
            );
            assert!(tx.drop_checkpoint("status")?);
            assert_eq!(tx.load_checkpoint("status")?, None);
            Ok(())
        })
        .unwrap();
}
