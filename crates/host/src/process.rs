//! Runs programs, with a bound on time, on output and on what is left behind.
//!
//! Why: a hung hook, a chatty test or a grandchild that keeps a pipe open must never hang or fill
//! Tradewind. Each child gets its own process group. At the time limit, or when cancelled, the group
//! gets TERM, two seconds later KILL (Windows: `taskkill /T /F`). Output is always drained; of each
//! stream the first and the last part are kept and the dropped bytes counted. After the child's own
//! exit a grandchild may hold the pipes for half a second more; then the answer goes out without it.
//! It is left alone and its output is thrown away by a thread that ends with it.
//! Not here: shells (except [`shell`]), retries, what an exit code means.

mod attached;
mod capture;
mod detached;
mod group;
mod running;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tradewind_core::Recovery;

pub use attached::run_attached;
pub use capture::Captured;
pub(crate) use detached::find_program;
pub use detached::{Detached, spawn_detached};
pub(crate) use running::Flow;
use running::{Event, Running, Streaming};

/// Upper bound on what is written to a child's standard input.
pub const MAX_STDIN_BYTES: usize = 64 * 1024 * 1024;
/// Time between TERM and KILL.
pub const GRACE: Duration = Duration::from_secs(2);
/// How long a grandchild may hold the pipes after the child's exit.
pub const LINGER: Duration = Duration::from_millis(500);

/// What to run, where, and how much of it.
#[derive(Clone, Debug)]
pub struct CommandSpec {
    /// Program, looked up on the path when it holds no separator.
    pub program: OsString,
    /// Arguments, passed as they are; no shell sees them.
    pub args: Vec<OsString>,
    /// Folder to run in.
    pub dir: PathBuf,
    /// Environment of the child.
    pub env: Env,
    /// What the child reads; at most [`MAX_STDIN_BYTES`]. Nothing when empty.
    pub stdin: Vec<u8>,
    /// Time after which the process group is ended.
    pub time_limit: Duration,
    /// Bytes kept of each output stream; the middle of more than that is dropped and counted.
    pub max_output_bytes: usize,
}

impl CommandSpec {
    /// Names a program to run in `dir`: inherited environment, no input, one minute, 1 MiB a stream.
    pub fn new(program: impl Into<OsString>, dir: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            dir: dir.into(),
            env: Env::inherit(),
            stdin: Vec::new(),
            time_limit: Duration::from_mins(1),
            max_output_bytes: 1024 * 1024,
        }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets the bound on time.
    #[must_use]
    pub fn within(mut self, time_limit: Duration) -> Self {
        self.time_limit = time_limit;
        self
    }
}

/// Environment of a child.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Env {
    /// What it starts from.
    pub base: EnvBase,
    /// Variables taken away from it.
    pub remove: Vec<OsString>,
    /// Variables set in it, after the removals.
    pub set: Vec<(OsString, OsString)>,
}

/// What a child's environment starts from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EnvBase {
    /// This process's environment.
    #[default]
    Inherit,
    /// Only what programs need to be found and to know their user: path, home, locale, temporary
    /// folder, and on Windows the system's folders.
    Clean,
}

/// Variables that [`EnvBase::Clean`] keeps.
const KEPT_WHEN_CLEAN: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "TEMP",
    "TMP",
    "SystemRoot",
    "SystemDrive",
    "PATHEXT",
    "COMSPEC",
    "USERPROFILE",
    "APPDATA",
    "LOCALAPPDATA",
    "ProgramData",
    "ProgramFiles",
];

impl Env {
    /// Starts from this process's environment.
    pub fn inherit() -> Self {
        Self::default()
    }

    /// Starts from the short list of [`EnvBase::Clean`].
    pub fn clean() -> Self {
        Self {
            base: EnvBase::Clean,
            ..Self::default()
        }
    }

    /// Sets one variable.
    #[must_use]
    pub fn with(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.set.push((name.into(), value.into()));
        self
    }

    /// Takes one variable away.
    #[must_use]
    pub fn without(mut self, name: impl Into<OsString>) -> Self {
        self.remove.push(name.into());
        self
    }

    fn apply(&self, command: &mut std::process::Command) {
        if self.base == EnvBase::Clean {
            command.env_clear();
            for name in KEPT_WHEN_CLEAN {
                if let Some(value) = std::env::var_os(name) {
                    command.env(name, value);
                }
            }
        }
        for name in &self.remove {
            command.env_remove(name);
        }
        command.envs(self.set.iter().map(|(name, value)| (name, value)));
    }
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitOutcome {
    /// It returned this code.
    Code(i32),
    /// This signal, not ours, ended it.
    Signal(i32),
    /// It ran into its time limit and was ended.
    TimedOut,
    /// The caller cancelled it and it was ended.
    Cancelled,
}

impl ExitOutcome {
    /// Says whether it returned 0.
    pub fn is_success(self) -> bool {
        self == Self::Code(0)
    }
}

impl std::fmt::Display for ExitOutcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
            Self::TimedOut => f.write_str("time limit"),
            Self::Cancelled => f.write_str("cancelled"),
        }
    }
}

/// A child that is over.
#[derive(Clone, Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitOutcome,
    /// What it wrote to standard output.
    pub stdout: Captured,
    /// What it wrote to standard error.
    pub stderr: Captured,
    /// How long it ran.
    pub elapsed: Duration,
    /// Whether a grandchild still held a pipe when the answer went out.
    pub left_running: bool,
}

/// Why a program could not be run to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// No such program on the path.
    #[error("program {program} was not found")]
    NotFound {
        /// The program.
        program: String,
    },
    /// The folder to run in does not exist.
    #[error("folder {} to run {program} in does not exist", dir.display())]
    NoDir {
        /// The program.
        program: String,
        /// The folder.
        dir: PathBuf,
    },
    /// The system refused to start it.
    #[error("program {program} cannot be started")]
    Start {
        /// The program.
        program: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The system lost track of it.
    #[error("program {program} was started but its end cannot be seen")]
    Wait {
        /// The program.
        program: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// It does not end even by KILL, as when it hangs in a dead network file system.
    #[error("program {program} (process {pid}) does not end although it was killed")]
    Unkillable {
        /// The program.
        program: String,
        /// Its process id.
        pid: u32,
    },
    /// More input than the bound.
    #[error("input of {actual_bytes} bytes for {program}, at most {MAX_STDIN_BYTES} are passed on")]
    StdinTooLarge {
        /// The program.
        program: String,
        /// Size of the input.
        actual_bytes: usize,
    },
}

impl ProcessError {
    /// Says what a caller may usefully do next.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::NotFound { .. } | Self::NoDir { .. } | Self::Start { .. } => Recovery::Fix,
            Self::Wait { .. } => Recovery::Retry,
            Self::Unkillable { .. } | Self::StdinTooLarge { .. } => Recovery::GiveUp,
        }
    }
}

/// Runs a program to its end, its limit or its cancellation. Dropping the future cancels.
///
/// # Errors
/// [`ProcessError`]; an exit code other than 0 is no error, see [`Finished::status`].
pub async fn run(spec: CommandSpec, cancel: CancellationToken) -> Result<Finished, ProcessError> {
    let program = running::display(&spec.program);
    let (events, inbox) = running::channel();
    let stop = StopOnDrop(events.clone());
    let mut job = tokio::task::spawn_blocking(move || {
        Running::start(spec, events, inbox, Streaming::Off)?.finish()
    });
    let joined = tokio::select! {
        // Cancel-safe: `cancelled` holds no state; the job is awaited again below.
        () = cancel.cancelled() => {
            stop.now();
            (&mut job).await
        }
        // Cancel-safe: a join handle keeps its result until it is taken.
        joined = &mut job => joined,
    };
    joined.unwrap_or_else(|error| {
        Err(ProcessError::Wait {
            program,
            source: std::io::Error::other(error),
        })
    })
}

/// Runs a program to its end or its limit, on this thread.
///
/// # Errors
/// As for [`run`].
pub fn run_blocking(spec: CommandSpec) -> Result<Finished, ProcessError> {
    let (events, inbox) = running::channel();
    Running::start(spec, events, inbox, Streaming::Off)?.finish()
}

/// A running child, from another thread's side.
#[derive(Clone, Debug)]
pub struct Handle {
    group: u32,
    events: std::sync::mpsc::SyncSender<Event>,
}

impl Handle {
    /// Returns the number of its process group.
    pub fn group(&self) -> u32 {
        self.group
    }

    /// Asks for its end, as at its time limit.
    pub fn cancel(&self) {
        // A full or closed inbox means that the child is ending already.
        self.events.try_send(Event::Cancel).unwrap_or_default();
    }
}

/// Runs a program to its end, its limit or its cancellation, on this thread; `on_start` is handed what can cancel it.
///
/// # Errors
/// As for [`run`].
pub fn run_handed(
    spec: CommandSpec,
    on_start: impl FnOnce(Handle),
) -> Result<Finished, ProcessError> {
    let (events, inbox) = running::channel();
    let running = Running::start(spec, events.clone(), inbox, Streaming::Off)?;
    on_start(Handle {
        group: running.group(),
        events,
    });
    running.finish()
}

/// Runs a program as [`run_handed`] does, and hands on what it writes while it runs. Both streams are kept as one, in the
/// sequence in which they came, as [`Finished::stdout`].
///
/// What is left of its process group afterwards is ended too: [`Finished::left_running`] says that there was something.
/// On Windows a program that it left behind after its own end is not seen.
///
/// # Errors
/// As for [`run`].
pub fn run_watched(
    spec: CommandSpec,
    on_start: impl FnOnce(Handle),
    on_output: &mut dyn FnMut(&[u8]),
) -> Result<Finished, ProcessError> {
    let (events, inbox) = running::channel();
    let running = Running::start(spec, events.clone(), inbox, Streaming::Both)?;
    let group = running.group();
    on_start(Handle { group, events });
    let mut finished = running.finish_with(&mut |piece| {
        on_output(piece);
        Flow::Continue
    })?;
    finished.left_running |= group::end_rest(group);
    Ok(finished)
}

/// Says whether a process group still has a member; on Windows always no.
pub fn is_group_alive(group: u32) -> bool {
    group::is_alive(group)
}

/// Runs a program and hands its standard output on, piece by piece, while it runs;
/// [`Flow::Stop`] ends the child.
///
/// [`Finished::stdout`] is empty then. A slow receiver slows the child down (four pieces in flight).
///
/// # Errors
/// As for [`run`].
pub(crate) fn stream_blocking(
    spec: CommandSpec,
    on_output: &mut dyn FnMut(&[u8]) -> Flow,
) -> Result<Finished, ProcessError> {
    let (events, inbox) = running::channel();
    Running::start(spec, events, inbox, Streaming::Output)?.finish_with(on_output)
}

/// Makes a spec that hands `line` to the system's shell: `sh -c`, on Windows `cmd /C`.
///
/// Only for a line that the user wrote and trusts; never for text from outside.
pub fn shell(line: &str, dir: impl Into<PathBuf>) -> CommandSpec {
    if cfg!(windows) {
        CommandSpec::new("cmd", dir).args(["/C", line])
    } else {
        CommandSpec::new("sh", dir).args(["-c", line])
    }
}

/// Cancels the child when the future that waits for it goes away.
struct StopOnDrop(std::sync::mpsc::SyncSender<Event>);

impl StopOnDrop {
    fn now(&self) {
        // A full or closed inbox means that the child is ending already.
        self.0.try_send(Event::Cancel).unwrap_or_default();
    }
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.now();
    }
}
