//! How long one look at a repository takes. `cargo bench -p tradewind-repo` prints medians, beside what
//! git itself needs for the nearest question. Nothing is asserted here.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench prints its numbers and stops where it cannot go on"
)]

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tradewind_core::{Clock as _, EventKind, RepositoryId};
use tradewind_host::clock::SystemClock;
use tradewind_host::git::Git;
use tradewind_repo::refs::RefsView;
use tradewind_repo::worktree::TreeView;
use tradewind_repo::{Fingerprint, Location, changes, secrets};

const ID: RepositoryId = RepositoryId::from_bytes([7; 16]);

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let git = Git::discover().unwrap();
    let top = std::fs::canonicalize(folder.path()).unwrap();
    run(&git, &top, &["init", "-q", "-b", "main"], "");
    work_tree(&git, &top);
    history(&git, &top);
    replay(&git, &top);
    detector();
}

fn run(git: &Git, top: &Path, args: &[&str], stdin: &str) {
    let env = [
        ("GIT_AUTHOR_NAME", "A"),
        ("GIT_AUTHOR_EMAIL", "a@b"),
        ("GIT_COMMITTER_NAME", "C"),
        ("GIT_COMMITTER_EMAIL", "c@d"),
    ];
    git.porcelain(top, args, stdin.into(), &env).unwrap();
}

fn later() -> Timestamp {
    SystemClock.now() + Duration::from_mins(1)
}

fn median(count: usize, mut what: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..count)
        .map(|_| {
            let started = Instant::now();
            what();
            started.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[count / 2]
}

fn work_tree(git: &Git, top: &Path) {
    for folder in 0..1000 {
        let path = top.join(format!("package{}/module{folder:03}", folder % 20));
        std::fs::create_dir_all(&path).unwrap();
        for file in 0..20 {
            std::fs::write(path.join(format!("strategy_{file:02}.py")), "x = 1\n").unwrap();
        }
    }
    std::fs::write(
        top.join(".gitignore"),
        "*.pyc\n__pycache__/\n/build/\n*.log\n",
    )
    .unwrap();
    run(git, top, &["add", "."], "");
    run(git, top, &["commit", "-q", "-m", "files"], "");
    for file in 0..200 {
        std::fs::write(top.join(format!("package0/new_{file}.txt")), "x").unwrap();
    }
    let location = Location::find(git, top).unwrap();
    let first = Instant::now();
    let view = TreeView::scan(git, &location, None, later()).unwrap();
    println!("first scan of {} files: {:?}", view.len(), first.elapsed());
    let rescan = median(21, || {
        assert_eq!(
            TreeView::scan(git, &location, Some(&view), later())
                .unwrap()
                .missing(),
            0
        );
    });
    println!(
        "rescan: {rescan:?}, memory of a view: {} KiB",
        view.memory_bytes() / 1024
    );
    let status = median(5, || run(git, top, &["status", "--porcelain"], ""));
    println!(
        "  git status: {status:?}, ratio {:.2}",
        rescan.as_secs_f64() / status.as_secs_f64()
    );
    let one = Fingerprint::take(&location, None, later());
    let fingerprint = median(1001, || {
        assert!(one.is_same(&Fingerprint::take(&location, Some(&one), later())));
    });
    println!("fingerprint: {fingerprint:?}");
    let refs = RefsView::read(git, &location).unwrap();
    let look = median(1001, || {
        assert_eq!(refs.look_again(git, &location).unwrap().refs.len(), 1);
    });
    println!("look at the refs: {look:?}");
}

/// Adds commits to a branch, each changing one small file.
fn import(git: &Git, top: &Path, branch: &str, count: usize) {
    let mut stream = String::new();
    for n in 0..count {
        let from = if n == 0 {
            "from refs/heads/main^0\n"
        } else {
            ""
        };
        let message = format!("Change number {n}");
        write!(
            stream,
            "commit refs/heads/{branch}\ncommitter C <c@d> {} +0000\ndata {}\n{message}\n{from}\
             M 644 inline counter\ndata 8\n{n:08}\n",
            1_600_000_000 + n,
            message.len()
        )
        .unwrap();
    }
    run(git, top, &["fast-import", "--quiet"], &stream);
}

fn history(git: &Git, top: &Path) {
    let location = Location::find(git, top).unwrap();
    let before = RefsView::read(git, &location).unwrap();
    for count in [1, 1000, 20_000] {
        let branch = format!("long{count}");
        import(git, top, &branch, count);
        let after = before.look_again(git, &location).unwrap();
        let mut found = 0;
        let took = median(5, || {
            let now = SystemClock.now();
            let changes = changes::between(git, &location, ID, &before, &after, now).unwrap();
            found = changes.found.len();
        });
        let log = median(5, || {
            run(
                git,
                top,
                &[
                    "log",
                    "--topo-order",
                    "--format=%H%n%P%n%at%n%an%n%s",
                    &branch,
                ],
                "",
            );
        });
        let ratio = took.as_secs_f64() / log.as_secs_f64();
        println!(
            "changes, {count} new commits, {found} drafts: {took:?}, git log {log:?}, ratio {ratio:.2}"
        );
        run(git, top, &["branch", "-qD", &branch], "");
    }
}

/// Follows `git reset` through a few thousand commits at full speed.
fn replay(git: &Git, top: &Path) {
    import(git, top, "replayed", 3000);
    let list = git
        .run_blocking(top, &["rev-list", "--reverse", "main..replayed"])
        .unwrap();
    let commits: Vec<String> = String::from_utf8(list)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    run(git, top, &["branch", "-qD", "replayed"], "");
    let location = Location::find(git, top).unwrap();
    let mut view = RefsView::read(git, &location).unwrap();
    let mut seen = HashSet::new();
    let (mut looks, mut doubles) = (0, 0);
    let started = Instant::now();
    let mut look = |view: &mut RefsView| {
        let after = view.look_again(git, &location).unwrap();
        if after == *view {
            return;
        }
        looks += 1;
        let now = SystemClock.now();
        let found = changes::between(git, &location, ID, view, &after, now).unwrap();
        for changes::Found { draft, .. } in found.found {
            if draft.kind == EventKind::RepoCommitCreated && !seen.insert(draft.subject) {
                doubles += 1;
            }
        }
        *view = after;
    };
    let mut wrote = Duration::ZERO;
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let started = Instant::now();
            for oid in &commits {
                run(git, top, &["reset", "-q", "--soft", oid], "");
            }
            started.elapsed()
        });
        while !writer.is_finished() {
            look(&mut view);
            std::thread::sleep(Duration::from_millis(5));
        }
        wrote = writer.join().unwrap();
    });
    look(&mut view);
    println!(
        "replay of {} commits by git reset in {wrote:?}: {} told, {doubles} twice, {looks} looks, done after {:?}",
        commits.len(),
        seen.len(),
        started.elapsed()
    );
}

fn detector() {
    let line =
        "    price = self.client.fetch_latest_bar(symbol, interval='1d', adjust=\"splits\")\n";
    let text = line.repeat(1_000_000 / line.len());
    let took = median(5, || {
        assert!(secrets::find("bot.py", text.as_bytes()).is_empty());
    });
    println!("secrets in 1 MB of code: {took:?}");
}
