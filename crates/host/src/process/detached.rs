//! Starts a program that outlives this one: the daemon behind `up --detach`.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{CommandSpec, ProcessError, group, running};

/// A program that runs on by itself.
#[derive(Debug)]
pub struct Detached {
    child: Child,
}

impl Detached {
    /// Returns its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Says whether it has already ended, and how: a daemon that dies at once should be told of.
    ///
    /// # Errors
    /// [`ProcessError::Wait`] when the system lost track of it.
    pub fn try_wait(&mut self) -> Result<Option<super::ExitOutcome>, ProcessError> {
        let exit = self.child.try_wait().map_err(|source| ProcessError::Wait {
            program: format!("process {}", self.child.id()),
            source,
        })?;
        Ok(exit.map(group::outcome))
    }
}

/// Starts a program in a session of its own (through `setsid` where that program exists, else in a
/// process group of its own), with no input and its output appended to `log`.
///
/// The time limit, the bound on output and the input of `spec` do not apply.
///
/// # Errors
/// [`ProcessError::NotFound`], [`ProcessError::NoDir`], [`ProcessError::Start`].
pub fn spawn_detached(spec: &CommandSpec, log: &Path) -> Result<Detached, ProcessError> {
    let start = |source| ProcessError::Start {
        program: running::display(&spec.program),
        source,
    };
    let output = crate::files::append_private(log).map_err(start)?;
    let errors = output.try_clone().map_err(start)?;
    match spawn(spec, output, errors) {
        Ok(child) => Ok(Detached { child }),
        Err(source) => Err(running::start_error(spec, source)),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the home of subprocesses"
)]
fn spawn(spec: &CommandSpec, output: File, errors: File) -> std::io::Result<Child> {
    // Making a session takes code between fork and exec, which is unsafe in Rust; the small program
    // of the same name does it for us and then becomes the program, under the same process id.
    let setsid = if cfg!(unix) {
        find_program("setsid")
    } else {
        None
    };
    let program = find_program(&spec.program).ok_or(std::io::ErrorKind::NotFound)?;
    let mut command = match &setsid {
        Some(setsid) => {
            let mut command = Command::new(setsid);
            command.arg(program);
            command
        }
        None => Command::new(program),
    };
    command.args(&spec.args).current_dir(&spec.dir);
    command.stdin(Stdio::null()).stdout(output).stderr(errors);
    spec.env.apply(&mut command);
    if setsid.is_none() {
        group::isolate(&mut command);
    }
    command.spawn()
}

/// Finds a program on the path, or checks the one that is named by its path.
pub(crate) fn find_program(program: impl AsRef<Path>) -> Option<std::path::PathBuf> {
    let program = program.as_ref();
    if program.components().count() > 1 {
        return program.is_file().then(|| program.to_owned());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .filter(|dir| dir.is_absolute())
        .find_map(|dir| {
            let found = dir.join(program);
            if found.is_file() {
                return Some(found);
            }
            let found = found.with_extension("exe");
            (cfg!(windows) && found.is_file()).then_some(found)
        })
}
