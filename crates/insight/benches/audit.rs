//! How long an audit takes and how much memory it holds, cold and warm, beside git on the same repository:
//!
//!     cargo bench -p tradewind-insight --bench audit -- /path/to/a/repository
//!
//! Without a path this project is audited. Each audit runs in a process of its own, so that its peak is its own;
//! the first finds no cache, the second one that the first left.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench that cannot go on says so by panicking, and prints what it measured"
)]

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tradewind_host::git::Git;
use tradewind_host::process::{self, CommandSpec};
use tradewind_insight::report::{Decisions, Report};
use tradewind_insight::{Request, audit};
use tradewind_repo::Location;

/// How many of the slowest readers and rules are named.
const SLOWEST: usize = 8;

fn main() {
    let args: Vec<_> = std::env::args()
        .skip(1)
        .filter(|arg| arg != "--bench")
        .collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--once", cache, path] => once(Path::new(cache), Path::new(path)),
        [path] => compare(Path::new(path)),
        _ => compare(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")),
    }
}

/// Audits and says how long it took.
fn once(cache: &Path, path: &Path) {
    let mut request = Request::new(
        Git::discover().unwrap(),
        path,
        "2026-11-01".parse().unwrap(),
    );
    request.cache = Some(cache.to_owned());
    let began = Instant::now();
    let audit = audit::run(&request).unwrap();
    let report = Report::of(&audit, &Decisions::default());
    let took = began.elapsed();
    println!(
        "{} {} {} {}",
        took.as_micros(),
        peak_mib(),
        report.findings.len(),
        report.not_checked.len()
    );
    let mut durations = audit.durations;
    durations.sort_by_key(|(_, took)| std::cmp::Reverse(*took));
    for (name, took) in durations.iter().take(SLOWEST) {
        println!("    {took:>9.2?} {name}");
    }
}

/// The most memory this process held, in MiB; 0 where the system does not say.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}

fn compare(path: &Path) {
    let git = Git::discover().unwrap();
    let location = Location::find(&git, path).unwrap();
    let peer = |args: &[&str]| {
        let began = Instant::now();
        let done = git.records(&location.git_dir, args, Vec::new(), 0, |_| {
            ControlFlow::Continue(())
        });
        // A partial clone lacks contents that git wants to read; the time until then is a floor.
        if let Err(error) = done {
            println!("git {} ended early: {error}", args[0]);
        }
        began.elapsed()
    };
    let log = peer(&["log", "-z", "--numstat", "-M", "-l400", "--format=%H%n%B"]);
    let files = peer(&["ls-tree", "-r", "-z", "HEAD"]);
    println!("git log --numstat {log:.2?}, git ls-tree {files:.2?}");
    let folder = tempfile::tempdir().unwrap();
    for name in ["cold", "warm"] {
        let said = child(folder.path(), path);
        let (head, slowest) = said.split_once('\n').unwrap();
        let figures: Vec<u64> = head
            .split(' ')
            .map(|figure| figure.parse().unwrap())
            .collect();
        let took = Duration::from_micros(figures[0]);
        println!(
            "{name}: {took:.2?}, {:.2} of git log, {:.0} of git ls-tree, peak {} MiB, {} findings, {} not checked",
            took.as_secs_f64() / log.as_secs_f64(),
            took.as_secs_f64() / files.as_secs_f64(),
            figures[1],
            figures[2],
            figures[3]
        );
        println!("{slowest}");
    }
}

fn child(cache: &Path, path: &Path) -> String {
    let program: PathBuf = std::env::current_exe().unwrap();
    let here = std::env::current_dir().unwrap();
    let spec = CommandSpec::new(&program, &here)
        .arg("--once")
        .arg(cache)
        .arg(path)
        .within(Duration::from_mins(5));
    let finished = process::run_blocking(spec).unwrap();
    assert!(finished.status.is_success(), "{}", finished.stderr.text());
    finished.stdout.text()
}
