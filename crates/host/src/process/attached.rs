//! Runs a program in the foreground, in place of this one: its terminal, its signals, its exit code.
//!
//! Why: whoever puts a word in front of a command expects nothing else to change. The child shares our
//! process group, so Ctrl-C reaches it from the terminal; we wait for what it makes of it. A request to end
//! that reaches us alone (TERM) is handed on. Not here: bounds on time and output; the user's own command
//! has none.

use super::{CommandSpec, ExitOutcome, ProcessError, group, running};

/// Runs a program with this process's own input and output until it ends.
///
/// The time limit, the bound on output and the input of `spec` do not apply.
///
/// # Errors
/// [`ProcessError::NotFound`], [`ProcessError::NoDir`], [`ProcessError::Start`], [`ProcessError::Wait`].
#[expect(
    clippy::disallowed_methods,
    reason = "this is the home of subprocesses"
)]
pub async fn run_attached(spec: &CommandSpec) -> Result<ExitOutcome, ProcessError> {
    let found = super::find_program(&spec.program)
        .ok_or(std::io::ErrorKind::NotFound.into())
        .map_err(|source| running::start_error(spec, source))?;
    let mut command = std::process::Command::new(found);
    command.args(&spec.args).current_dir(&spec.dir);
    spec.env.apply(&mut command);
    let mut command = tokio::process::Command::from(command);
    let mut child = command
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| running::start_error(spec, source))?;
    let pid = child.id();
    loop {
        tokio::select! {
            // Cancel-safe by the contract of `wait`.
            status = child.wait() => {
                return status.map(group::outcome).map_err(|source| ProcessError::Wait {
                    program: running::display(&spec.program),
                    source,
                });
            }
            // Cancel-safe: it only waits. The child has had it from the terminal as well.
            _ = tokio::signal::ctrl_c() => {}
            // Cancel-safe: it only waits.
            () = told_to_end() => hand_on(pid),
        }
    }
}

#[cfg(unix)]
async fn told_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut signal) => drop(signal.recv().await),
        Err(error) => {
            tracing::warn!(%error, "SIGTERM cannot be received");
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(not(unix))]
async fn told_to_end() {
    // Windows has no such request; whoever ends us ends the child with its console.
    std::future::pending::<()>().await;
}

#[cfg(unix)]
fn hand_on(pid: Option<u32>) {
    let pid = pid
        .and_then(|pid| i32::try_from(pid).ok())
        .and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid
        && let Err(error) = rustix::process::kill_process(pid, rustix::process::Signal::TERM)
    {
        tracing::debug!(%error, "the child is gone already");
    }
}

#[cfg(not(unix))]
fn hand_on(_: Option<u32>) {}
