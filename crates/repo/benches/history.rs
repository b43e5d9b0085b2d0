//! How long a history takes, beside `git log --numstat` on the same repository, in one run:
//!
//!     cargo bench -p tradewind-repo --bench history -- /path/to/a/repository
//!
//! Without a path the repository that this project lies in is read. Times are wall clock; git's processor time is part
//! of ours, so a busy machine slows both.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench that cannot go on says so by panicking, and prints what it measured"
)]

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tradewind_host::git::Git;
use tradewind_repo::Location;
use tradewind_repo::history::{History, Options};
use tradewind_repo::tree::{Source, Tree};

fn timed<T>(run: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = run();
    (result, start.elapsed())
}

/// The most memory this process held, in MiB; 0 where the system does not say.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}

fn main() {
    let path = std::env::args().skip(1).find(|arg| !arg.starts_with("--"));
    let path = path.map_or_else(|| std::env::current_dir().unwrap(), PathBuf::from);
    let git = Git::discover().unwrap();
    let location = Location::find(&git, &path).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("history");
    let options = Options {
        cache: Some(&cache),
        ..Options::default()
    };

    let (tree, files) = timed(|| Tree::read(&git, &location, Source::WorkTree).unwrap());
    println!("tree: {} files, {files:.2?}", tree.files().len());
    drop(tree);
    let args = ["log", "-z", "--numstat", "-M", "-l400", "--format=%H%n%B"];
    let log = || {
        git.records(&location.git_dir, &args, Vec::new(), 0, |_| {
            ControlFlow::Continue(())
        })
    };
    let (whole, peer) = timed(log);
    let note = if whole.is_ok() {
        ""
    } else {
        " (stopped before its end)"
    };
    println!("git log --numstat: {peer:.2?}{note}");
    let (history, cold) = timed(|| History::read(&git, &location, &options).unwrap());
    println!(
        "cold: {cold:.2?} ({:.2} of git log), {} commits, {} tags, peak {} MiB",
        cold.as_secs_f64() / peer.as_secs_f64(),
        history.commits.len(),
        history.tags.len(),
        peak_mib()
    );
    drop(history);
    let (history, warm) = timed(|| History::read(&git, &location, &options).unwrap());
    println!(
        "warm: {warm:.2?} ({:.3} of git log), cache {} KiB",
        warm.as_secs_f64() / peer.as_secs_f64(),
        std::fs::metadata(&cache).map_or(0, |meta| meta.len()) / 1024
    );
    for unread in &history.unread {
        println!("unread: {}: {}", unread.what, unread.reason);
    }
}
