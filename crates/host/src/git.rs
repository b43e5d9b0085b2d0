//! Runs git so that nothing of a repository's own configuration executes.
//!
//! Why: a repository is data from a stranger. Its `.git/config`, hooks, attributes and file names
//! must not be able to start a program because Tradewind looked at it. Every call therefore
//! overrides what git would otherwise run (see [`NEUTRAL`]), denies every transport, never prompts,
//! never pages, takes no optional lock and forgets the variables of a surrounding hook.
//!
//! What no override can stop is a filter or merge driver under a name we cannot know. So
//! [`Git::run`] takes only the commands of [`READING`] and [`PLUMBING`], which never run one:
//!
//! | allowed | why not its neighbour |
//! |---|---|
//! | `ls-files -s/-t/-o`, `ls-tree`, `diff-tree` | `status`, `diff`, `diff-files`, `ls-files -m`, `diff-index` hash work-tree files through clean filters and look into submodules under their own configuration |
//! | `log`, `rev-list`, `cat-file` | `blame`, `grep --textconv`, `cat-file --textconv/--filters` run drivers |
//! | `hash-object --no-filters/--stdin`, `write-tree`, `commit-tree` | `add`, `commit`, `checkout`, `archive`, `merge-tree` run filters, hooks or drivers |
//!
//! [`Git::porcelain`] takes any command, for repositories that we made or that the user told us to
//! change; hooks, fsmonitor, signing and pagers stay off, filters run.
//! Not here: what the output means (room `repo`), fetching and pushing.

mod call;
mod version;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tradewind_core::Recovery;

pub use call::{NEUTRAL, PLUMBING, READING};
pub use version::Version;

use crate::process::{self, ExitOutcome, Finished, Flow, ProcessError};

/// Oldest git whose behaviour was checked.
pub const MIN_VERSION: Version = Version {
    major: 2,
    minor: 30,
    patch: 0,
};
/// Bound on one call's time.
pub const TIME_LIMIT: Duration = Duration::from_mins(2);
/// Bound on what [`Git::run`] returns; longer output belongs to [`Git::records`].
pub const MAX_OUTPUT_BYTES: usize = 256 * 1024 * 1024;
/// Bound on one record of [`Git::records`].
pub const MAX_RECORD_BYTES: usize = 4 * 1024 * 1024;

/// The git program of this machine. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Git {
    program: PathBuf,
    version: Version,
    keeps_hook_env: bool,
}

/// Why git gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GitError {
    /// No git on the path.
    #[error("git was not found on the path; install git {MIN_VERSION} or newer")]
    Missing,
    /// A git too old to be trusted with the overrides.
    #[error("git {found} is too old, {MIN_VERSION} is needed")]
    TooOld {
        /// Version found.
        found: Version,
    },
    /// The answer to `git version` is no version.
    #[error("git names its version as {text:?}")]
    UnknownVersion {
        /// What it said.
        text: String,
    },
    /// A command outside the closed list, which could be an alias or run a filter.
    #[error("git command {command:?} is not one that executes nothing of the repository")]
    Refused {
        /// The command.
        command: String,
    },
    /// It ended with an error code.
    #[error("git {command} in {} ended with {status}: {message}", dir.display())]
    Exit {
        /// The command.
        command: String,
        /// Where.
        dir: PathBuf,
        /// How it ended.
        status: ExitOutcome,
        /// First lines of what it said.
        message: String,
    },
    /// More output than the bound.
    #[error("git {command} in {} wrote {dropped_bytes} bytes beyond the bound", dir.display())]
    TooMuch {
        /// The command.
        command: String,
        /// Where.
        dir: PathBuf,
        /// Bytes beyond the bound.
        dropped_bytes: u64,
    },
    /// It could not be run.
    #[error("git cannot be run")]
    Process(#[source] ProcessError),
}

impl GitError {
    /// Says what a caller may usefully do next.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Missing
            | Self::TooOld { .. }
            | Self::UnknownVersion { .. }
            | Self::Exit {
                status: ExitOutcome::Code(_),
                ..
            } => Recovery::Fix,
            Self::Refused { .. } | Self::TooMuch { .. } => Recovery::GiveUp,
            Self::Exit { .. } => Recovery::Retry,
            Self::Process(source) => source.recovery(),
        }
    }

    /// Says whether git was ended because it took longer than [`TIME_LIMIT`].
    pub fn is_late(&self) -> bool {
        matches!(
            self,
            Self::Exit {
                status: ExitOutcome::TimedOut,
                ..
            }
        )
    }

    /// Returns git's exit code where that is what went wrong; many commands answer "no" by 1.
    pub fn exit_code(&self) -> Option<i32> {
        match self {
            Self::Exit {
                status: ExitOutcome::Code(code),
                ..
            } => Some(*code),
            _ => None,
        }
    }
}

impl Git {
    /// Finds git on the path and checks its version.
    ///
    /// # Errors
    /// [`GitError::Missing`], [`GitError::TooOld`], [`GitError::UnknownVersion`],
    /// [`GitError::Process`].
    pub fn discover() -> Result<Self, GitError> {
        let program = process::find_program("git").ok_or(GitError::Missing)?;
        let mut git = Self {
            program,
            version: MIN_VERSION,
            keeps_hook_env: false,
        };
        let root = std::env::current_dir().unwrap_or_else(|_| std::env::temp_dir());
        let answer = git.run_blocking(&root, &["version"])?;
        let text = String::from_utf8_lossy(&answer).into_owned();
        git.version = Version::parse(&text).ok_or(GitError::UnknownVersion { text })?;
        if git.version < MIN_VERSION {
            return Err(GitError::TooOld { found: git.version });
        }
        Ok(git)
    }

    /// Returns the version found.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Returns where the program is.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Returns a runner that keeps `GIT_DIR`, `GIT_INDEX_FILE` and the like as a surrounding hook
    /// set them. Without it they are removed, because they name another repository.
    #[must_use]
    pub fn keeping_hook_env(mut self) -> Self {
        self.keeps_hook_env = true;
        self
    }

    /// Runs one safe command in `dir` and returns its output.
    ///
    /// # Errors
    /// [`GitError`]; an exit code other than 0 is [`GitError::Exit`].
    pub async fn run<A: AsRef<OsStr>>(&self, dir: &Path, args: &[A]) -> Result<Vec<u8>, GitError> {
        let spec = self.spec(dir, args, Vec::new(), call::Door::Safe)?;
        let finished = process::run(spec, CancellationToken::new()).await;
        self.output(dir, args, finished)
    }

    /// Runs one safe command in `dir` on this thread and returns its output.
    ///
    /// # Errors
    /// As for [`Git::run`].
    pub fn run_blocking<A: AsRef<OsStr>>(
        &self,
        dir: &Path,
        args: &[A],
    ) -> Result<Vec<u8>, GitError> {
        self.run_with_stdin(dir, args, Vec::new())
    }

    /// Runs one safe command that reads `stdin`, on this thread.
    ///
    /// # Errors
    /// As for [`Git::run`].
    pub fn run_with_stdin<A: AsRef<OsStr>>(
        &self,
        dir: &Path,
        args: &[A],
        stdin: Vec<u8>,
    ) -> Result<Vec<u8>, GitError> {
        let spec = self.spec(dir, args, stdin, call::Door::Safe)?;
        self.output(dir, args, process::run_blocking(spec))
    }

    /// Runs any command, on this thread; for repositories that we made or were told to change.
    ///
    /// Hooks, fsmonitor, pagers, prompts, signing and transports stay off; filters run.
    ///
    /// # Errors
    /// As for [`Git::run`].
    pub fn porcelain<A: AsRef<OsStr>>(
        &self,
        dir: &Path,
        args: &[A],
        stdin: Vec<u8>,
        env: &[(&str, &str)],
    ) -> Result<Vec<u8>, GitError> {
        let mut spec = self.spec(dir, args, stdin, call::Door::Any)?;
        spec.env
            .set
            .extend(env.iter().map(|(name, value)| (name.into(), value.into())));
        self.output(dir, args, process::run_blocking(spec))
    }

    /// Runs one safe command and hands on each record of its output, ended by `end` (0 or `\n`),
    /// while it runs. Returns `false` when `on_record` asked to stop.
    ///
    /// A record longer than [`MAX_RECORD_BYTES`] is cut there.
    ///
    /// # Errors
    /// As for [`Git::run`]; the records before an error have been handed on.
    pub fn records<A: AsRef<OsStr>>(
        &self,
        dir: &Path,
        args: &[A],
        stdin: Vec<u8>,
        end: u8,
        mut on_record: impl FnMut(&[u8]) -> std::ops::ControlFlow<()>,
    ) -> Result<bool, GitError> {
        let spec = self.spec(dir, args, stdin, call::Door::Safe)?;
        let mut partial = Vec::new();
        let mut is_stopped = false;
        let finished = process::stream_blocking(spec, &mut |piece| {
            let mut rest = piece;
            while let Some(at) = rest.iter().position(|byte| *byte == end) {
                let (head, tail) = rest.split_at(at);
                rest = tail.get(1..).unwrap_or_default();
                let flow = if partial.is_empty() {
                    on_record(head)
                } else {
                    append_bounded(&mut partial, head);
                    let flow = on_record(&partial);
                    partial.clear();
                    flow
                };
                if flow.is_break() {
                    is_stopped = true;
                    return Flow::Stop;
                }
            }
            append_bounded(&mut partial, rest);
            Flow::Continue
        });
        if is_stopped {
            return Ok(false);
        }
        self.output(dir, args, finished)?;
        if !partial.is_empty() {
            return Ok(on_record(&partial).is_continue());
        }
        Ok(true)
    }

    /// Runs one safe command and hands on its output piece by piece as it comes, for output whose
    /// records name their own length. Returns `false` when `on_piece` asked to stop.
    ///
    /// # Errors
    /// As for [`Git::run`]; the pieces before an error have been handed on.
    pub fn pieces<A: AsRef<OsStr>>(
        &self,
        dir: &Path,
        args: &[A],
        stdin: Vec<u8>,
        mut on_piece: impl FnMut(&[u8]) -> std::ops::ControlFlow<()>,
    ) -> Result<bool, GitError> {
        let spec = self.spec(dir, args, stdin, call::Door::Safe)?;
        let mut is_stopped = false;
        let finished = process::stream_blocking(spec, &mut |piece| {
            is_stopped = on_piece(piece).is_break();
            if is_stopped {
                Flow::Stop
            } else {
                Flow::Continue
            }
        });
        if is_stopped {
            return Ok(false);
        }
        self.output(dir, args, finished)?;
        Ok(true)
    }

    fn spec<A: AsRef<OsStr>>(
        &self,
        dir: &Path,
        args: &[A],
        stdin: Vec<u8>,
        door: call::Door,
    ) -> Result<process::CommandSpec, GitError> {
        let args: Vec<OsString> = args.iter().map(|arg| arg.as_ref().to_owned()).collect();
        call::spec(self, dir, &args, stdin, door)
    }

    #[expect(clippy::unused_self, reason = "reads as the second half of a call")]
    fn output<A: AsRef<OsStr>>(
        &self,
        dir: &Path,
        args: &[A],
        finished: Result<Finished, ProcessError>,
    ) -> Result<Vec<u8>, GitError> {
        let finished = finished.map_err(|error| match error {
            ProcessError::NotFound { .. } => GitError::Missing,
            other => GitError::Process(other),
        })?;
        let command = || {
            args.first()
                .map_or_else(String::new, |a| a.as_ref().to_string_lossy().into_owned())
        };
        if !finished.status.is_success() {
            let message = finished.stderr.text();
            return Err(GitError::Exit {
                command: command(),
                dir: dir.to_owned(),
                status: finished.status,
                message: message.trim().chars().take(500).collect(),
            });
        }
        if finished.stdout.dropped_bytes > 0 {
            return Err(GitError::TooMuch {
                command: command(),
                dir: dir.to_owned(),
                dropped_bytes: finished.stdout.dropped_bytes,
            });
        }
        Ok(finished.stdout.bytes)
    }
}

fn append_bounded(record: &mut Vec<u8>, bytes: &[u8]) {
    let room = MAX_RECORD_BYTES.saturating_sub(record.len());
    record.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
}
