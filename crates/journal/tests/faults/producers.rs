//! Producers in a process that is about to be killed, and what must be true afterwards.
//!
//! The child appends from several threads at once: single keyed events, groups that belong together,
//! and transactions that hold an event, a row of a room's table and a cursor. What was acknowledged it
//! writes, one line each, to a file outside of the store. The parent kills it, then [`check`]s the store.
//! Used by the fault tests and, with more kills, by the bench.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tradewind_core::clock::FixedClock;
use tradewind_core::{Draft, EventKind, Seq};
use tradewind_journal::{AppendError, Health, Journal, Options, Reader, TxError};

/// Names the state directory for a child; whoever has it in its environment is one.
pub(crate) const CHILD: &str = "TRADEWIND_TEST_CHILD";
/// Names the file of acknowledged events.
const ACKED: &str = "TRADEWIND_TEST_ACKED";
/// When set, the child's store never flushes.
pub(crate) const NO_FLUSH: &str = "TRADEWIND_TEST_NO_FLUSH";

const PRODUCERS: usize = 6;
const GROUP: usize = 3;
/// Upper bound on what a child appends, should nobody kill it.
const MAX_ROUNDS: usize = 100_000;

/// A store, the list of what was acknowledged in it, and how to start a child that writes.
pub(crate) struct Bed {
    pub(crate) dir: PathBuf,
    pub(crate) acked: PathBuf,
    /// Arguments that make this very program run [`child`].
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<(&'static str, String)>,
}

impl Bed {
    /// Starts a child and returns once its first event is acknowledged.
    pub(crate) fn start(&self) -> Child {
        let before = self.acknowledged().len();
        let mut child = self.command().spawn().unwrap();
        let start = Instant::now();
        while self.acknowledged().len() == before {
            let ended = child.try_wait().unwrap();
            assert_eq!(ended, None, "the child ended by itself");
            assert!(
                start.elapsed() < Duration::from_mins(1),
                "no event in a minute"
            );
            std::thread::yield_now();
        }
        child
    }

    /// Builds the command that starts a child.
    #[expect(
        clippy::disallowed_methods,
        reason = "the test kills a process of its own; the room host is above this one"
    )]
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(&self.args)
            .env(CHILD, &self.dir)
            .env(ACKED, &self.acked)
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .stdin(Stdio::null());
        for (name, value) in &self.env {
            command.env(name, value);
        }
        command
    }

    /// Reads the complete lines of the list of acknowledged events.
    pub(crate) fn acknowledged(&self) -> Vec<(String, Seq)> {
        let text = std::fs::read_to_string(&self.acked).unwrap_or_default();
        let complete = text.rsplit_once('\n').map_or("", |(lines, _)| lines);
        complete
            .lines()
            .map(|line| {
                let (key, seq) = line.split_once(' ').unwrap();
                (key.to_owned(), seq.parse().unwrap())
            })
            .collect()
    }

    /// Starts a child, lets it write for `span` after its first event, and kills it.
    pub(crate) fn kill_after(&self, span: Duration) {
        let mut child = self.start();
        std::thread::sleep(span);
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

/// What [`check`] found.
pub(crate) struct Checked {
    pub(crate) acknowledged: usize,
    /// Keys that were acknowledged and are not there, or elsewhere.
    pub(crate) lost: Vec<String>,
    /// What is there in part, and damage to the chain.
    pub(crate) broken: Vec<String>,
}

/// Compares the store in `dir` with what was acknowledged.
pub(crate) fn check(dir: &Path, acknowledged: &[(String, Seq)]) -> Checked {
    let reader = Reader::open(dir).unwrap();
    let mut broken: Vec<String> = reader
        .verify(|_| {})
        .unwrap()
        .problems
        .iter()
        .map(ToString::to_string)
        .collect();
    let mut keys = HashMap::new();
    let mut groups: HashMap<String, usize> = HashMap::new();
    for (key, seq) in reader
        .query(
            "SELECT key, seq FROM events WHERE key IS NOT NULL",
            [],
            |row| Ok((row.get::<_, String>(0)?, Seq(row.get(1)?))),
        )
        .unwrap()
    {
        if let Some((group, _)) = key.split_once('#') {
            *groups.entry(group.to_owned()).or_default() += 1;
        }
        keys.insert(key, seq);
    }
    for (group, count) in groups {
        if count != GROUP {
            broken.push(format!("{count} events of group {group}"));
        }
    }
    check_rows(&reader, &keys, &mut broken);
    let lost = acknowledged
        .iter()
        .filter(|(key, seq)| keys.get(key) != Some(seq))
        .map(|(key, _)| key.clone())
        .collect();
    Checked {
        acknowledged: acknowledged.len(),
        lost,
        broken,
    }
}

/// A transaction's event is there if and only if its row is, and the cursor stands at the last of them.
fn check_rows(reader: &Reader, keys: &HashMap<String, Seq>, broken: &mut Vec<String>) {
    let rows = reader
        .query("SELECT key, seq FROM bed_rows", [], |row| {
            Ok((row.get::<_, String>(0)?, Seq(row.get(1)?)))
        })
        // A child that was killed before its migration has no rows either.
        .unwrap_or_default();
    for (key, seq) in &rows {
        if keys.get(key) != Some(seq) {
            broken.push(format!("row {key} without its event"));
        }
    }
    let events = keys.keys().filter(|key| key.starts_with("tx/")).count();
    if events != rows.len() {
        broken.push(format!(
            "{events} events of transactions, {} rows",
            rows.len()
        ));
    }
    let cursors: Vec<u64> = reader
        .query(
            "SELECT seq FROM cursors WHERE consumer = 'bed'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    let last = rows.iter().map(|(_, seq)| seq.0).max().unwrap_or(0);
    if cursors.first().copied().unwrap_or(0) != last {
        broken.push(format!("cursor at {cursors:?}, last row at {last}"));
    }
}

/// Runs as the child when the environment says so; returns whether it did.
pub(crate) fn child() -> bool {
    let (Ok(dir), Ok(acked)) = (std::env::var(CHILD), std::env::var(ACKED)) else {
        return false;
    };
    let clock = Arc::new(FixedClock::at(Timestamp::UNIX_EPOCH));
    let options = Options::new(dir, clock);
    let journal = if std::env::var(NO_FLUSH).is_ok() {
        Journal::open_without_flushing(options)
    } else {
        Journal::open(options)
    }
    .unwrap();
    journal
        .migrate(
            "bed",
            &["CREATE TABLE bed_rows (key TEXT PRIMARY KEY, seq INTEGER NOT NULL)"],
        )
        .unwrap();
    let list = Arc::new(
        File::options()
            .append(true)
            .create(true)
            .open(acked)
            .unwrap(),
    );
    // Every child starts at another place, so that its keys are its own.
    let origin = journal.last().0;
    let threads: Vec<_> = (0..PRODUCERS)
        .map(|number| {
            let (journal, list) = (journal.clone(), Arc::clone(&list));
            std::thread::spawn(move || produce(&journal, &list, number, origin))
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    is_over(&journal);
    true
}

/// After a failed write: nothing is acknowledged any more, it says so, and it can still be read.
fn is_over(journal: &Journal) {
    assert!(matches!(journal.health(), Health::ReadOnly { .. }));
    for _ in 0..3 {
        let error = journal.append_blocking(draft("late".to_owned()));
        assert!(matches!(error, Err(AppendError::ReadOnly { .. })));
    }
    let reader = journal.reader().unwrap();
    assert_eq!(reader.last().unwrap(), journal.last());
    assert_eq!(reader.verify(|_| {}).unwrap().problems, []);
}

fn produce(journal: &Journal, list: &File, number: usize, origin: u64) {
    for round in 0..MAX_ROUNDS {
        let name = format!("{origin}-{number}-{round}");
        let acked = match number % 3 {
            0 => single(journal, format!("one/{name}")).map_err(TxError::Append),
            1 => group(journal, &format!("group/{name}")).map_err(TxError::Append),
            _ => transaction(journal, format!("tx/{name}")),
        };
        match acked {
            Ok(acked) => {
                let mut lines = Vec::new();
                for (key, seq) in acked {
                    writeln!(lines, "{key} {seq}").unwrap();
                }
                // One call per acknowledgement: the kernel keeps it whole whatever happens to us.
                (&*list).write_all(&lines).unwrap();
            }
            // The test for failing disks waits for this end.
            Err(_) => return,
        }
    }
}

fn draft(key: String) -> Draft {
    let body = serde_json::json!({ "key": key, "padding": "x".repeat(key.len() * 7) });
    Draft::raw(EventKind::RepoWorktreeChanged, Timestamp::UNIX_EPOCH, &body)
        .unwrap()
        .with_key(key)
}

type Acked = Vec<(String, Seq)>;

fn single(journal: &Journal, key: String) -> Result<Acked, AppendError> {
    let seq = journal.append_blocking(draft(key.clone()))?;
    Ok(vec![(key, seq)])
}

fn group(journal: &Journal, name: &str) -> Result<Acked, AppendError> {
    let keys: Vec<String> = (0..GROUP).map(|part| format!("{name}#{part}")).collect();
    let drafts = keys.iter().cloned().map(draft).collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let seqs = runtime.block_on(journal.append_all(drafts))?;
    Ok(keys.into_iter().zip(seqs).collect())
}

fn transaction(journal: &Journal, key: String) -> Result<Acked, TxError> {
    let name = key.clone();
    let seq = journal.transact_blocking(move |tx| {
        let cursor = tx.take_cursor("bed")?;
        let seq = tx.append(draft(name.clone()))?;
        tx.execute("INSERT INTO bed_rows VALUES (?1, ?2)", (name, seq.0))?;
        tx.set_cursor("bed", seq, cursor.epoch)?;
        Ok(seq)
    })?;
    Ok(vec![(key, seq)])
}

/// Numbers without a pattern, the same for the same seed.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns a number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// Kills children of `beds` stores at random, `kills` times in all, and checks after each.
///
/// Returns the number of acknowledged events that were checked.
pub(crate) fn kill_at_random(
    args: &[String],
    beds: u64,
    kills: u64,
    max_span: Duration,
    seed: u64,
) -> usize {
    let workers: Vec<_> = (0..beds)
        .map(|bed| {
            let args = args.to_vec();
            std::thread::spawn(move || kill_one_bed(&args, kills / beds, max_span, seed + bed))
        })
        .collect();
    workers
        .into_iter()
        .map(|worker| worker.join().unwrap())
        .sum()
}

/// Kills that one store goes through before it is replaced by an empty one.
const KILLS_PER_STORE: u64 = 10;

fn kill_one_bed(args: &[String], kills: u64, max_span: Duration, seed: u64) -> usize {
    let mut dice = Dice::new(seed);
    let mut total = 0;
    let mut home = tempfile::tempdir().unwrap();
    for kill in 0..kills {
        if kill % KILLS_PER_STORE == 0 {
            home = tempfile::tempdir().unwrap();
        }
        let bed = Bed {
            dir: home.path().join("state"),
            acked: home.path().join("acked"),
            args: args.to_vec(),
            env: Vec::new(),
        };
        let span_us = u64::try_from(max_span.as_micros()).unwrap();
        bed.kill_after(Duration::from_micros(dice.below(span_us)));
        let checked = check(&bed.dir, &bed.acknowledged());
        assert_eq!(checked.lost, [""; 0], "seed {seed}, kill {kill}");
        assert_eq!(checked.broken, [""; 0], "seed {seed}, kill {kill}");
        if kill % KILLS_PER_STORE == KILLS_PER_STORE - 1 || kill + 1 == kills {
            total += checked.acknowledged;
        }
    }
    total
}
