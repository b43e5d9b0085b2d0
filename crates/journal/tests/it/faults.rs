//! What happens when the process is killed, the power fails, the disk is full or broken.
//!
//! The child in each test is this test binary again, running `a_child_of_a_fault_test`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tradewind_core::Seq;
use tradewind_core::clock::FixedClock;
use tradewind_journal::{AppendError, Health, Journal, Options, Reader};

use crate::producers::{self, Bed, Dice, check};
use crate::support::{Place, draft};

/// Changes with every run; a failure prints it.
fn seed() -> u64 {
    u64::from(std::process::id())
}

fn child_args() -> Vec<String> {
    ["--exact", "faults::a_child_of_a_fault_test", "--nocapture"]
        .map(str::to_owned)
        .to_vec()
}

/// Not a test of its own: the entry of the processes that the tests below kill.
#[test]
fn a_child_of_a_fault_test() {
    producers::child();
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_is_half_there_after_200_kills() {
    let checked =
        producers::kill_at_random(&child_args(), 2, 200, Duration::from_millis(40), seed());
    assert!(checked > 200, "{checked} events were acknowledged in all");
}

/// The layer that forgets what was not flushed, or `None` where no C compiler is.
fn layer(home: &Path) -> Option<PathBuf> {
    let library = home.join("dropsync.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/dropsync.c");
    let built = cfg!(target_os = "linux")
        && command("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(&library)
            .arg(source)
            .arg("-ldl")
            .status()
            .is_ok_and(|status| status.success());
    if built {
        return Some(library);
    }
    absent("cc", "lost flushes and failing disks");
    None
}

/// Says in the summary that something needed is absent; an error where that was declared to be there.
fn absent(tool: &str, what: &str) {
    use std::io::Write as _;
    let required = std::env::var("TRADEWIND_REQUIRE").unwrap_or_default();
    assert!(
        !required.split(',').any(|name| name.trim() == tool),
        "{tool} is required by TRADEWIND_REQUIRE and does not work"
    );
    // Past libtest's capture, which hides what a passing test prints.
    let line = format!("SKIPPED: {what}: {tool} does not work here\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

#[expect(
    clippy::disallowed_methods,
    reason = "the test builds and mounts what it needs; the room host is above this one"
)]
fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// A store on a disk that keeps only what was flushed.
struct Flaky {
    home: tempfile::TempDir,
    bed: Bed,
}

impl Flaky {
    fn new(extra: &[(&'static str, &str)]) -> Option<Self> {
        let home = tempfile::tempdir().unwrap();
        let library = layer(home.path())?;
        let dir = home.path().join("state");
        let shadow = home.path().join("shadow");
        std::fs::create_dir(&shadow).unwrap();
        let mut env = vec![
            ("LD_PRELOAD", library.display().to_string()),
            ("DROPSYNC_DIR", dir.display().to_string()),
            ("DROPSYNC_SHADOW", shadow.display().to_string()),
        ];
        env.extend(
            extra
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned())),
        );
        let bed = Bed {
            dir,
            acked: home.path().join("acked"),
            args: child_args(),
            env,
        };
        Some(Self { home, bed })
    }

    fn shadow(&self) -> PathBuf {
        self.home.path().join("shadow")
    }

    /// Puts what a power cut would have left in the place of what was written.
    fn cut_power(&self) {
        for name in ["journal.db", "journal.db-wal", "journal.db-shm"] {
            let (kept, written) = (self.shadow().join(name), self.bed.dir.join(name));
            if kept.exists() {
                std::fs::copy(kept, written).unwrap();
            } else if written.exists() {
                std::fs::remove_file(written).unwrap();
            }
        }
    }

    /// Brings what lies in the log into the store and counts both as flushed, so that opening writes
    /// little and the fault hits where the test wants it: on a busy machine the child before wrote more.
    fn settle(&self) {
        let clock = Arc::new(FixedClock::at(Timestamp::UNIX_EPOCH));
        drop(Journal::open(Options::new(self.bed.dir.clone(), clock)).unwrap());
        for name in ["journal.db", "journal.db-wal", "journal.db-shm"] {
            let (kept, written) = (self.shadow().join(name), self.bed.dir.join(name));
            if written.exists() {
                std::fs::copy(written, kept).unwrap();
            } else if kept.exists() {
                std::fs::remove_file(kept).unwrap();
            }
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost_when_all_that_was_not_flushed_is() {
    let Some(flaky) = Flaky::new(&[]) else {
        return;
    };
    let seed = seed();
    let mut dice = Dice::new(seed);
    for cut in 0..20 {
        flaky
            .bed
            .kill_after(Duration::from_micros(dice.below(100_000)));
        flaky.cut_power();
        let checked = check(&flaky.bed.dir, &flaky.bed.acknowledged());
        assert_eq!(checked.lost, [""; 0], "seed {seed}, cut {cut}");
        assert_eq!(checked.broken, [""; 0], "seed {seed}, cut {cut}");
    }
}

#[test]
fn a_store_that_does_not_flush_is_caught_by_the_same_check() {
    let Some(flaky) = Flaky::new(&[(producers::NO_FLUSH, "1")]) else {
        return;
    };
    flaky.bed.kill_after(Duration::from_millis(50));
    flaky.cut_power();
    let acknowledged = flaky.bed.acknowledged();
    let lost = match Reader::open(&flaky.bed.dir) {
        Ok(_) => check(&flaky.bed.dir, &acknowledged).lost.len(),
        // Not even the empty store had been flushed.
        Err(_) => acknowledged.len(),
    };
    assert!(lost > 0, "{} acknowledged, none lost", acknowledged.len());
}

/// Lets a child run into a disk that fails; it must end by itself, and all it acknowledged be there.
fn run_into(fault: (&'static str, &str)) {
    let Some(mut flaky) = Flaky::new(&[]) else {
        return;
    };
    // A first child makes the store on a sound disk.
    flaky.bed.kill_after(Duration::from_millis(5));
    flaky.cut_power();
    flaky.settle();
    flaky.bed.env.push((fault.0, fault.1.to_owned()));
    let before = flaky.bed.acknowledged().len();
    let status = flaky.bed.command().status().unwrap();
    assert!(status.success(), "{fault:?}: {status}");
    let acknowledged = flaky.bed.acknowledged();
    assert!(acknowledged.len() > before, "{fault:?} came too early");
    // As the process saw it, and as the disk has it.
    let seen = check(&flaky.bed.dir, &acknowledged);
    assert_eq!(seen.lost, [""; 0], "{fault:?}");
    assert_eq!(seen.broken, [""; 0], "{fault:?}");
    flaky.cut_power();
    let kept = check(&flaky.bed.dir, &acknowledged);
    assert_eq!(kept.lost, [""; 0], "{fault:?}");
    assert_eq!(kept.broken, [""; 0], "{fault:?}");
    // On a sound disk it goes on.
    flaky.bed.env.pop();
    flaky.bed.kill_after(Duration::from_millis(5));
    let after = check(&flaky.bed.dir, &flaky.bed.acknowledged());
    assert_eq!(after.lost, [""; 0], "{fault:?}");
    assert_eq!(after.broken, [""; 0], "{fault:?}");
}

#[test]
fn a_failed_flush_of_the_log_ends_writing_and_loses_nothing_acknowledged() {
    for flush in [8, 40, 41, 97] {
        run_into(("DROPSYNC_EIO", &format!("journal.db-wal:{flush}")));
    }
}

#[test]
fn a_failed_flush_of_the_store_itself_ends_writing_and_loses_nothing_acknowledged() {
    // The first flush of the store is that of the opening, the next that of the first checkpoint.
    run_into(("DROPSYNC_EIO", "journal.db:2"));
}

#[test]
fn an_injected_full_disk_ends_writing_and_loses_nothing_acknowledged() {
    for bytes in ["200000", "777777", "20000000"] {
        run_into(("DROPSYNC_ENOSPC", bytes));
    }
}

/// A file system of its own that holds two megabytes; gone when dropped.
struct SmallDisk {
    dir: tempfile::TempDir,
}

impl SmallDisk {
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mounted = command("mount")
            .args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"])
            .arg(dir.path())
            .status()
            .is_ok_and(|status| status.success());
        if !mounted {
            absent("mount", "a really full file system");
            return None;
        }
        Some(Self { dir })
    }

    fn grow(&self) {
        let status = command("mount")
            .args(["-o", "remount,size=16m"])
            .arg(self.dir.path())
            .status()
            .unwrap();
        assert!(status.success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a file that is still open must not keep the mount for ever.
        let unmounted = command("umount").arg("-l").arg(self.dir.path()).status();
        assert!(
            std::thread::panicking() || unmounted.is_ok_and(|status| status.success()),
            "the small disk stays mounted"
        );
    }
}

#[test]
fn a_really_full_disk_ends_writing_says_so_and_stays_readable() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let place = Place::new();
    let options = || Options::new(disk.dir.path().join("state"), place.clock.clone());
    let journal = Journal::open(options()).unwrap();
    let mut acked = Vec::new();
    let error = loop {
        match journal.append_blocking(draft(&"x".repeat(2000))) {
            Ok(seq) => acked.push(seq),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, AppendError::ReadOnly { .. }), "{error}");
    let Health::ReadOnly { error } = journal.health() else {
        panic!("still writing");
    };
    assert!(error.contains("full"), "{error}");
    assert_eq!(journal.last(), *acked.last().unwrap());
    let reader = journal.reader().unwrap();
    assert_eq!(reader.last().unwrap(), *acked.last().unwrap());
    assert_eq!(reader.verify(|_| {}).unwrap().problems, []);
    disk.grow();
    assert!(
        matches!(
            journal.append_blocking(draft("late")),
            Err(AppendError::ReadOnly { .. })
        ),
        "it must not write again before it was opened again"
    );
    drop((journal, reader));
    let journal = Journal::open(options()).unwrap();
    let reader = journal.reader().unwrap();
    for seq in &acked {
        assert!(reader.get(*seq).unwrap().is_some(), "{seq} is lost");
    }
    assert_eq!(reader.verify(|_| {}).unwrap().problems, []);
    assert!(journal.append_blocking(draft("goes on")).unwrap() > Seq(acked.len() as u64));
}

#[test]
fn a_child_that_is_being_forked_does_not_hold_the_lock_of_a_closed_journal() {
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                command("true").status().unwrap();
            }
        });
        let place = Place::new();
        let opened = (0..50).try_for_each(|_| Journal::open(place.options()).map(drop));
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        opened.unwrap();
    });
}

/// Bytes of a page in the log, with its header.
const FRAME: usize = 4096 + 24;
/// Bytes of the log's own header.
const LOG_HEADER: usize = 32;

#[test]
fn a_log_that_breaks_off_anywhere_within_an_append_holds_all_of_it_or_nothing() {
    let place = Place::new();
    let journal = place.open();
    let log = place.dir.path().join("journal.db-wal");
    journal.append_blocking(draft("before")).unwrap();
    let before = std::fs::read(&log).unwrap().len();
    let last = journal
        .append_blocking(draft(&"long ".repeat(3000)))
        .unwrap();
    let store = std::fs::read(place.dir.path().join("journal.db")).unwrap();
    let whole = std::fs::read(&log).unwrap();
    assert!(whole.len() >= before + 3 * FRAME, "several pages");
    let is_near_an_edge = |length: &usize| {
        let within = (length - LOG_HEADER) % FRAME;
        !(40..=FRAME - 40).contains(&within) || length.is_multiple_of(97)
    };
    for length in (before..=whole.len()).filter(is_near_an_edge) {
        let cut = tempfile::tempdir().unwrap();
        std::fs::write(cut.path().join("journal.db"), &store).unwrap();
        std::fs::write(cut.path().join("journal.db-wal"), &whole[..length]).unwrap();
        let reader = Reader::open(cut.path()).unwrap();
        let expected = if length == whole.len() {
            last
        } else {
            Seq(last.0 - 1)
        };
        assert_eq!(reader.last().unwrap(), expected, "cut at {length}");
        let verified = reader.verify(|_| {}).unwrap();
        assert_eq!(verified.problems, [], "cut at {length}");
    }
}
