//! Ends a child together with whatever it started.

use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use super::{ExitOutcome, GRACE};

/// Puts the child into a process group of its own, so that the whole group can be ended.
#[cfg(unix)]
pub(super) fn isolate(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;
    command.process_group(0);
}

/// Puts the child into a process group of its own and opens no console window.
#[cfg(windows)]
pub(super) fn isolate(command: &mut Command) {
    use std::os::windows::process::CommandExt as _;
    const CREATE_NEW_PROCESS_GROUP: u32 = 0x0000_0200;
    const CREATE_NO_WINDOW: u32 = 0x0800_0000;
    command.creation_flags(CREATE_NEW_PROCESS_GROUP | CREATE_NO_WINDOW);
}

#[cfg(unix)]
fn signal(pid: u32, signal: rustix::process::Signal) {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        // The only expected error is "no such group": it is gone already. The number cannot have
        // been given to another group: it is not reused while a member lives, and pids are handed
        // out in a circle, so not within the microseconds after the last member ended.
        rustix::process::kill_process_group(pid, signal).unwrap_or_default();
    }
}

/// Asks every member of the group to end.
#[cfg(unix)]
pub(super) fn terminate(pid: u32) {
    signal(pid, rustix::process::Signal::TERM);
}

/// Ends every member of the group.
#[cfg(unix)]
pub(super) fn kill(pid: u32) {
    signal(pid, rustix::process::Signal::KILL);
}

/// Says whether the group still has a member.
#[cfg(unix)]
pub(super) fn is_alive(pid: u32) -> bool {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    pid.is_some_and(|pid| rustix::process::test_kill_process_group(pid).is_ok())
}

/// Windows knows no polite way to ask a tree of console processes: end it at once.
#[cfg(windows)]
pub(super) fn terminate(pid: u32) {
    kill(pid);
}

/// Ends the child and everything below it.
#[cfg(windows)]
#[expect(
    clippy::disallowed_methods,
    reason = "this is the home of subprocesses"
)]
pub(super) fn kill(pid: u32) {
    use std::process::Stdio;
    let ended = Command::new("taskkill")
        .args(["/T", "/F", "/PID", &pid.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if let Err(error) = ended {
        tracing::warn!(%error, pid, "taskkill cannot be run");
    }
}

/// Windows has no group to ask; the tree was ended at once.
#[cfg(windows)]
pub(super) fn is_alive(_: u32) -> bool {
    false
}

/// Ends what a child that is over left in its group; says whether there was anything.
pub(super) fn end_rest(pid: u32) -> bool {
    if !is_alive(pid) {
        return false;
    }
    terminate(pid);
    let kill_at = Instant::now() + GRACE;
    while is_alive(pid) && Instant::now() < kill_at {
        std::thread::sleep(Duration::from_millis(10));
    }
    if is_alive(pid) {
        kill(pid);
    }
    true
}

/// Reads how a child ended by itself.
pub(super) fn outcome(status: ExitStatus) -> ExitOutcome {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt as _;
        if let Some(signal) = status.signal() {
            return ExitOutcome::Signal(signal);
        }
    }
    ExitOutcome::Code(status.code().unwrap_or(-1))
}
