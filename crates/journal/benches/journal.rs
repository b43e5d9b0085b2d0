//! How fast the journal is, beside bare SQLite doing the same without a chain.
//!
//! `cargo bench -p tradewind-journal -- write [SECONDS [PRODUCERS…]]`: acknowledged durable events of 400 bytes per
//! second for 1, 16 and 64 producers, each waiting for its own acknowledgement before the next event.
//! Producers are async tasks on a runtime of two threads, as in the daemon; `bare` is one thread with
//! group commit over a table of four columns, fed by the same queue, with SQLite's own checkpoints.
//! `… -- replay EVENTS`: fills a store and reads it back, with the highest memory use meanwhile.
//! `… -- follow`: time from an acknowledgement asked for to the event in a follower's hands.
//! `… -- kills COUNT`: kills a writing process that often at random and checks the store each time.
//! Nothing here asserts a time; the table shows ratios.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    reason = "a bench prints its results, stops at the first surprise and starts its own producers"
)]

#[cfg(unix)]
#[path = "../tests/faults/producers.rs"]
mod producers;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tradewind_core::{Clock, Draft, EventKind, Seq};
use tradewind_journal::rusqlite::Connection;
use tradewind_journal::{Journal, Options, Reader};

const PRODUCERS: [usize; 3] = [1, 16, 64];

#[derive(Debug)]
struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

fn main() {
    #[cfg(unix)]
    if producers::child() {
        return;
    }
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let mode = args.next().unwrap_or_else(|| "write".to_owned());
    let number = args.next().and_then(|text| text.parse::<u64>().ok());
    match mode.as_str() {
        "write" => {
            let producers: Vec<usize> = args.filter_map(|text| text.parse().ok()).collect();
            write(
                number.unwrap_or(4),
                if producers.is_empty() {
                    &PRODUCERS
                } else {
                    &producers
                },
            );
        }
        "replay" => replay(number.unwrap_or(1_000_000)),
        "follow" => follow(),
        #[cfg(unix)]
        "kills" => kills(number.unwrap_or(1000)),
        other => println!("no such mode: {other}"),
    }
}

/// What one row of the table says.
struct Measured {
    events_per_s: f64,
    p50_ms: f64,
    p99_ms: f64,
}

fn write(seconds: u64, producers: &[usize]) {
    println!(
        "400-byte events, every one acknowledged after its flush, async producers, \
         {seconds} s per cell in slices that take turns"
    );
    println!("producers | bare events/s (p50/p99 ms) | journal events/s (p50/p99 ms) | ratio");
    for &producers in producers {
        let (mut bare_slices, mut our_slices) = (Slices::default(), Slices::default());
        for _ in 0..seconds {
            bare(producers, &mut bare_slices);
            ours(producers, &mut our_slices);
        }
        let (bare, ours) = (bare_slices.measured(), our_slices.measured());
        println!(
            "{producers:>9} | {:>8.0} ({:.2}/{:.2}) | {:>8.0} ({:.2}/{:.2}) | {:.2}",
            bare.events_per_s,
            bare.p50_ms,
            bare.p99_ms,
            ours.events_per_s,
            ours.p50_ms,
            ours.p99_ms,
            ours.events_per_s / bare.events_per_s
        );
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// How long one side works before the other has its turn: a busy machine is then busy for both.
const SLICE: Duration = Duration::from_secs(1);

/// What was measured so far.
#[derive(Default)]
struct Slices {
    times: Vec<Duration>,
    elapsed: Duration,
}

impl Slices {
    fn measured(mut self) -> Measured {
        self.times.sort_unstable();
        let at = |part: usize| self.times[(self.times.len() - 1) * part / 100].as_secs_f64() * 1e3;
        Measured {
            events_per_s: self.times.len() as f64 / self.elapsed.as_secs_f64(),
            p50_ms: at(50),
            p99_ms: at(99),
        }
    }
}

/// Runs `producers` tasks that call `one` again and again until the slice is over.
fn drive<F, Fut>(producers: usize, slices: &mut Slices, one: F)
where
    F: Fn() -> Fut + Clone + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    let stop = Arc::new(AtomicBool::new(false));
    let start = Instant::now();
    let times: Vec<Duration> = runtime().block_on(async {
        let tasks: Vec<_> = (0..producers)
            .map(|_| {
                let (one, stop) = (one.clone(), Arc::clone(&stop));
                tokio::spawn(async move {
                    let mut times = Vec::new();
                    while !stop.load(Ordering::Relaxed) {
                        let asked = Instant::now();
                        one().await;
                        times.push(asked.elapsed());
                    }
                    times
                })
            })
            .collect();
        tokio::time::sleep(SLICE).await;
        stop.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        for task in tasks {
            all.extend(task.await.unwrap());
        }
        all
    });
    slices.elapsed += start.elapsed();
    slices.times.extend(times);
}

fn body() -> String {
    // 400 bytes of JSON text.
    format!("{{\"text\":\"{}\"}}", "x".repeat(389))
}

fn draft() -> Draft {
    Draft::raw(
        EventKind::RepoWorktreeChanged,
        Timestamp::UNIX_EPOCH,
        &serde_json::value::RawValue::from_string(body()).unwrap(),
    )
    .unwrap()
}

fn ours(producers: usize, slices: &mut Slices) {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(Options::new(dir.path(), Arc::new(WallClock))).unwrap();
    drive(producers, slices, move || {
        let journal = journal.clone();
        async move {
            journal.append(draft()).await.unwrap();
        }
    });
}

/// One event on its way, and who waits for it.
type BareJob = (String, oneshot::Sender<i64>);

fn bare(producers: usize, slices: &mut Slices) {
    let dir = tempfile::tempdir().unwrap();
    let conn = Connection::open(dir.path().join("bare.db")).unwrap();
    conn.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE events (seq INTEGER PRIMARY KEY, ts INTEGER, kind TEXT, body TEXT);",
    )
    .unwrap();
    let (jobs, mut queue) = mpsc::channel::<BareJob>(4096);
    let writer = std::thread::spawn(move || {
        let mut batch = Vec::with_capacity(512);
        while let Some(first) = queue.blocking_recv() {
            batch.push(first);
            while batch.len() < 512
                && let Ok(job) = queue.try_recv()
            {
                batch.push(job);
            }
            conn.execute_batch("BEGIN IMMEDIATE").unwrap();
            let mut acks = Vec::with_capacity(batch.len());
            {
                let mut insert = conn
                    .prepare_cached("INSERT INTO events (ts, kind, body) VALUES (?1, ?2, ?3)")
                    .unwrap();
                for (body, ack) in batch.drain(..) {
                    insert
                        .execute((1_700_000_000_i64, "repo.worktree.changed", body))
                        .unwrap();
                    acks.push((ack, conn.last_insert_rowid()));
                }
            }
            conn.execute_batch("COMMIT").unwrap();
            for (ack, seq) in acks {
                ack.send(seq).unwrap();
            }
        }
    });
    drive(producers, slices, move || {
        let jobs = jobs.clone();
        async move {
            let (ack, done) = oneshot::channel();
            jobs.send((body(), ack)).await.unwrap();
            done.await.unwrap();
        }
    });
    writer.join().unwrap();
}

fn replay(events: u64) {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), events);
    let before = peak_kib();
    let reader = Reader::open(dir.path()).unwrap();
    let mut count = 0_u64;
    let mut bytes = 0_usize;
    timed("replay", || {
        reader
            .for_each(Seq::ZERO, |event| {
                count += 1;
                bytes += event.data.as_ref().map_or(0, |data| data.get().len());
                ControlFlow::Continue(())
            })
            .unwrap();
        count
    });
    println!("        {bytes} bytes of bodies");
    timed("verify", || {
        let verified = reader.verify(|_| {}).unwrap();
        assert_eq!(verified.problems, []);
        verified.events
    });
    println!(
        "peak memory: {} KiB before, {} KiB after",
        before,
        peak_kib()
    );
}

fn follow() {
    const EVENTS: usize = 2000;
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(Options::new(dir.path(), Arc::new(WallClock))).unwrap();
    let mut times: Vec<Duration> = runtime().block_on(async {
        let mut follow = journal.follow(journal.last());
        let mut times = Vec::with_capacity(EVENTS);
        for _ in 0..EVENTS {
            let asked = Instant::now();
            let (seq, events) = tokio::join!(journal.append(draft()), follow.next());
            assert_eq!(events.unwrap()[0].seq, seq.unwrap());
            times.push(asked.elapsed());
        }
        times
    });
    times.sort_unstable();
    println!(
        "follow: append to follower, flush included: p50 {:?}, p99 {:?}, worst {:?}",
        times[EVENTS / 2],
        times[EVENTS * 99 / 100],
        times[EVENTS - 1]
    );
}

#[cfg(unix)]
fn kills(count: u64) {
    let seed = u64::from(std::process::id());
    let start = Instant::now();
    let span = Duration::from_millis(60);
    let checked = producers::kill_at_random(&[], 2, count, span, seed);
    println!(
        "kills: {count} with 6 producers each, {checked} acknowledged events, none lost, none half, \
         every chain intact, {:.0} s, seed {seed}",
        start.elapsed().as_secs_f64()
    );
}

fn fill(dir: &Path, events: u64) {
    let journal = Journal::open(Options::new(dir, Arc::new(WallClock))).unwrap();
    let start = Instant::now();
    let runtime = runtime();
    let mut left = events;
    while left > 0 {
        let piece = left.min(5000);
        let drafts = (0..piece).map(|_| draft()).collect();
        runtime.block_on(journal.append_all(drafts)).unwrap();
        left -= piece;
    }
    println!(
        "fill: {events} events in batches of 5000, {:.0} events/s",
        events as f64 / start.elapsed().as_secs_f64()
    );
}

/// Prints how fast `f` got through the number of events that it returns, by the clock and by the processor.
fn timed(name: &str, f: impl FnOnce() -> u64) {
    let (start, cpu) = (Instant::now(), cpu_s());
    let events = f() as f64;
    println!(
        "{name}: {events} events, {:.0} events/s, {:.0} events per second of processor time",
        events / start.elapsed().as_secs_f64(),
        events / (cpu_s() - cpu).max(0.01)
    );
}

/// Returns the processor time of this process so far.
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: f64 = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<f64>().ok())
        .sum();
    // The kernel counts in hundredths of a second on every platform that has this file.
    ticks / 100.0
}

/// Returns the highest memory use of this process so far.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|text| text.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(0)
}
