//! Replays the history of a real repository, commit by commit at full speed, under the daemon's eyes.
//!
//! `cargo bench -p tradewind --bench replay -- /path/to/repository` (a clone of any public bot will do).
//! Prints how many commits were replayed and journaled, how long the replay took and how far the
//! journal was behind at its end, and fails when a commit is missing, twice, or before its parent.
//! Then it measures the idle daemon: CPU share and memory.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench prints, ends at the first surprise, and starts programs itself"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tradewind_core::payload::CommitCreated;
use tradewind_core::{EventKind, Seq};
use tradewind_journal::{Filter, Reader};

/// How long the idle daemon is measured.
const IDLE: Duration = Duration::from_secs(30);
/// How long the journal may lag behind before the bench gives up.
const PATIENCE: Duration = Duration::from_mins(2);

fn git(dir: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .args(args)
        .current_dir(dir)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "git {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn tradewind(dir: &Path, state: &Path, args: &[&str]) {
    let status = Command::new(env!("CARGO_BIN_EXE_tradewind"))
        .args(args)
        .current_dir(dir)
        .env("TRADEWIND_STATE", state)
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "tradewind {args:?}");
}

fn commits(state: &Path) -> Vec<CommitCreated> {
    let filter = Filter {
        kinds: vec![EventKind::RepoCommitCreated],
        ..Filter::default()
    };
    let events = Reader::open(state).unwrap().select(&filter).unwrap();
    events
        .iter()
        .map(|event| event.payload().unwrap())
        .collect()
}

fn main() {
    let Some(source) = std::env::args()
        .skip(1)
        .find(|a| !a.starts_with("--"))
        .map(PathBuf::from)
    else {
        println!("usage: cargo bench -p tradewind --bench replay -- /path/to/repository");
        return;
    };
    let source = source.canonicalize().unwrap();
    let home = tempfile::tempdir().unwrap();
    let (bot, state) = (home.path().join("bot"), home.path().join("state"));
    git(
        home.path(),
        &["clone", "-q", "--no-local", source.to_str().unwrap(), "bot"],
    );
    let order = git(&bot, &["rev-list", "--reverse", "--topo-order", "HEAD"]);
    let order: Vec<&str> = order.lines().collect();
    // What is there at registration is history: only the first commit may be.
    git(&bot, &["reset", "-q", "--hard", order[0]]);
    git(&bot, &["remote", "remove", "origin"]);
    for tag in git(&bot, &["tag", "--list"]).lines() {
        git(&bot, &["tag", "-d", tag]);
    }
    git(&bot, &["reflog", "expire", "--expire=now", "--all"]);
    tradewind(&bot, &state, &["up", "--detach", "--listen", "127.0.0.1:0"]);

    let begun = Instant::now();
    for id in &order[1..] {
        git(&bot, &["reset", "-q", "--hard", id]);
    }
    let replayed = begun.elapsed();
    let wanted = order.len() - 1;
    let lag = Instant::now();
    while commits(&state).len() < wanted && lag.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(20));
    }
    let lag = lag.elapsed();
    let seen = commits(&state);
    let ids: BTreeSet<_> = seen.iter().map(|c| c.id.as_str()).collect();
    println!(
        "replayed   {wanted} commits of {} in {replayed:.1?}",
        source.display()
    );
    println!(
        "journaled  {} events, {} different commits, the last {lag:.1?} after the end of the replay",
        seen.len(),
        ids.len()
    );
    assert_eq!(
        ids,
        order[1..].iter().copied().collect(),
        "not the same commits"
    );
    assert_eq!(seen.len(), wanted, "a commit was journaled twice");
    let place: BTreeMap<_, _> = seen
        .iter()
        .enumerate()
        .map(|(at, c)| (c.id.as_str(), at))
        .collect();
    let is_ordered = seen.iter().enumerate().all(|(at, c)| {
        c.parents
            .iter()
            .all(|p| place.get(p.as_str()).is_none_or(|parent| *parent < at))
    });
    println!(
        "parents    {}",
        if is_ordered {
            "always before their children"
        } else {
            "NOT always before their children"
        }
    );
    let verified = Reader::open(&state).unwrap().verify(|_: Seq| {}).unwrap();
    println!(
        "chain      {} events, {} problems",
        verified.events,
        verified.problems.len()
    );
    idle(&state);
    tradewind(&bot, &state, &["up", "--stop"]);
    assert!(is_ordered && verified.problems.is_empty());
}

/// Measures CPU and memory of the daemon while nothing happens (Linux only).
fn idle(state: &Path) {
    let card: serde_json::Value =
        serde_json::from_slice(&std::fs::read(state.join("daemon.json")).unwrap()).unwrap();
    let process = PathBuf::from(format!("/proc/{}", card["pid"]));
    if !process.is_dir() {
        println!("idle       not measured: no /proc on this system");
        return;
    }
    let ticks = || -> u64 {
        let stat = std::fs::read_to_string(process.join("stat")).unwrap();
        let fields: Vec<_> = stat
            .rsplit(')')
            .next()
            .unwrap()
            .split_whitespace()
            .collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    std::thread::sleep(Duration::from_secs(3));
    let before = ticks();
    std::thread::sleep(IDLE);
    let used = ticks() - before;
    let status = std::fs::read_to_string(process.join("status")).unwrap();
    let memory = status
        .lines()
        .find(|l| l.starts_with("VmRSS"))
        .unwrap_or_default();
    // A clock tick of /proc is 10 ms.
    println!(
        "idle       {used} ms × 10 of CPU in {IDLE:?} = {:.2} % of a core; {memory}",
        f64::from(u32::try_from(used).unwrap()) / IDLE.as_secs_f64()
    );
}
