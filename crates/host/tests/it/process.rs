//! Children that hang, flood, fork and refuse to die.
#![cfg(unix)]

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tradewind_host::process::{
    self, CommandSpec, Env, ExitOutcome, ProcessError, run, run_blocking, shell,
};

fn sh(line: &str) -> CommandSpec {
    shell(line, std::env::temp_dir())
}

#[test]
fn output_and_exit_code_come_back() {
    let finished = run_blocking(sh("printf out; printf err >&2; exit 3")).unwrap();
    assert_eq!(finished.status, ExitOutcome::Code(3));
    assert_eq!(finished.stdout.bytes, b"out");
    assert_eq!(finished.stderr.text(), "err");
    assert!(!finished.left_running);
}

#[test]
fn a_missing_program_is_named() {
    let error = run_blocking(CommandSpec::new("no-such-tool", "/")).unwrap_err();
    assert!(matches!(&error, ProcessError::NotFound { program } if program == "no-such-tool"));
    let error = run_blocking(CommandSpec::new("sh", "/no/such/dir")).unwrap_err();
    assert!(matches!(error, ProcessError::NoDir { .. }));
}

#[test]
fn a_flood_is_drained_and_only_its_ends_are_kept() {
    let mut spec = sh("printf head; head -c 3000000 /dev/zero; printf tail");
    spec.max_output_bytes = 1000;
    let finished = run_blocking(spec).unwrap();
    assert!(finished.status.is_success());
    assert!(finished.stdout.bytes.starts_with(b"head") && finished.stdout.bytes.ends_with(b"tail"));
    assert_eq!(finished.stdout.dropped_bytes, 3_000_008 - 1000);
}

#[test]
fn input_reaches_the_child_and_a_child_that_does_not_read_it_is_no_error() {
    let mut spec = sh("cat");
    spec.stdin = vec![b'x'; 1_000_000];
    assert_eq!(
        run_blocking(spec.clone()).unwrap().stdout.bytes.len(),
        1_000_000
    );
    spec.args = vec!["-c".into(), "exit 0".into()];
    assert!(run_blocking(spec).unwrap().status.is_success());
}

#[test]
fn the_time_limit_ends_the_whole_group() {
    let spec = sh("sleep 600 & echo $!; wait").within(Duration::from_millis(300));
    let finished = run_blocking(spec).unwrap();
    assert_eq!(finished.status, ExitOutcome::TimedOut);
    let grandchild: i32 = finished.stdout.text().trim().parse().unwrap();
    let pid = rustix::process::Pid::from_raw(grandchild).unwrap();
    // It may be a zombie until init takes it; it must not run.
    if rustix::process::test_kill_process(pid).is_ok() {
        let stat = std::fs::read_to_string(format!("/proc/{grandchild}/stat")).unwrap_or_default();
        assert!(stat.is_empty() || stat.contains(") Z "), "{stat}");
    }
}

#[test]
fn a_child_that_ignores_term_is_killed_after_the_grace() {
    let spec = sh("trap '' TERM; echo ready; while :; do sleep 1; done");
    let started = Instant::now();
    let finished = run_blocking(spec.within(Duration::from_millis(200))).unwrap();
    assert_eq!(finished.status, ExitOutcome::TimedOut);
    assert_eq!(finished.stdout.bytes, b"ready\n");
    assert!(started.elapsed() >= process::GRACE);
}

#[test]
fn a_child_may_clean_up_after_term() {
    let spec = sh("trap 'echo cleaned; exit 0' TERM; echo ready; while :; do sleep 0.05; done");
    let finished = run_blocking(spec.within(Duration::from_millis(300))).unwrap();
    assert_eq!(finished.status, ExitOutcome::TimedOut);
    assert_eq!(finished.stdout.bytes, b"ready\ncleaned\n");
}

#[test]
fn a_grandchild_that_keeps_the_pipe_does_not_hang_us() {
    let finished = run_blocking(sh("sleep 5 & echo done")).unwrap();
    assert_eq!(finished.status, ExitOutcome::Code(0));
    assert_eq!(finished.stdout.bytes, b"done\n");
    assert!(finished.left_running);
    assert!(
        finished.elapsed < Duration::from_secs(4),
        "{:?}",
        finished.elapsed
    );
}

#[test]
fn a_signal_from_elsewhere_is_told() {
    let finished = run_blocking(sh("kill -USR1 $$")).unwrap();
    assert!(matches!(finished.status, ExitOutcome::Signal(_)));
}

#[test]
fn the_environment_is_what_was_asked_for() {
    let mut spec = CommandSpec::new("env", "/");
    spec.env = Env::clean().with("A", "1").without("HOME");
    let text = run_blocking(spec).unwrap().stdout.text();
    assert!(text.contains("A=1\n") && text.contains("PATH="));
    assert!(
        !text.contains("HOME=") && !text.contains("CARGO_MANIFEST_DIR="),
        "{text}"
    );
}

#[tokio::test]
async fn cancelling_ends_the_child() {
    let cancel = CancellationToken::new();
    let job = run(sh("sleep 600"), cancel.clone());
    cancel.cancel();
    assert_eq!(job.await.unwrap().status, ExitOutcome::Cancelled);
}

#[tokio::test]
async fn dropping_the_future_ends_the_child() {
    let dir = tempfile::tempdir().unwrap();
    let mut spec =
        sh("trap 'echo gone > ended; exit' TERM; echo > started; while :; do sleep 0.02; done");
    spec.dir = dir.path().to_owned();
    let started = dir.path().join("started");
    {
        let job = run(spec, CancellationToken::new());
        tokio::pin!(job);
        while !started.exists() {
            let tick = tokio::time::timeout(Duration::from_millis(10), &mut job).await;
            assert!(tick.is_err(), "the child ended by itself");
        }
    }
    // Dropped: wait, bounded, for the child's own word that it was asked to end.
    let ended = dir.path().join("ended");
    let deadline = Instant::now() + Duration::from_secs(10);
    while !ended.exists() {
        assert!(Instant::now() < deadline, "the child runs on");
        std::thread::yield_now();
    }
}

#[test]
fn a_detached_program_has_its_own_session_and_writes_to_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let mut spec = sh("ps -o sid= -p $$ 2>/dev/null || cut -d' ' -f6 /proc/$$/stat; echo $$");
    spec.dir = dir.path().to_owned();
    let mut detached = process::spawn_detached(&spec, &log).unwrap();
    let pid = detached.pid();
    let deadline = Instant::now() + Duration::from_secs(10);
    while detached.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
    let text = std::fs::read_to_string(&log).unwrap();
    let numbers: Vec<u32> = text
        .split_whitespace()
        .map(|word| word.parse().unwrap())
        .collect();
    assert_eq!(numbers.last(), Some(&pid), "{text}");
    if cfg!(target_os = "linux") {
        assert_eq!(numbers.first(), Some(&pid), "{text}");
    }
}
