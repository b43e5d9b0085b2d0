//! Programs of others: run in private copies, several at once, each with what it changed told.
//!
//! Why: nobody knows beforehand whether a program only looks or also fixes. So each runs in a copy of its own; those that ran
//! at the same time are put together in the configuration's sequence.
//! Not here: making copies ([`super::snapshot`]), applying what they changed.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tradewind_host::process::{self, CommandSpec, Env, ExitOutcome};

use super::situation::{Candidate, Situation, to_path};
use super::snapshot::{Changes, Snapshot};
use super::{Cancel, HookError};
use crate::precommit::{Settled, words};

/// Time that one program has, unless told otherwise.
pub(crate) const TIME_LIMIT: Duration = Duration::from_mins(30);
/// Bytes of arguments in one call; Windows has the shortest line.
const MAX_ARGUMENT_BYTES: usize = if cfg!(windows) { 30_000 } else { 120_000 };
/// Bytes kept of what a program says.
const MAX_OUTPUT_BYTES: usize = 4 * 1024 * 1024;
/// Variables that tie git to the repository; the copy is another one.
const GIT_ENV: &[&str] = &[
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_PREFIX",
    "GIT_NAMESPACE",
    "GIT_LITERAL_PATHSPECS",
];

/// A program to run.
#[derive(Debug)]
pub(crate) struct Job<'a> {
    pub(crate) hook: &'a Settled,
    /// Folder of its environment's programs.
    pub(crate) bin: Option<&'a Path>,
    pub(crate) files: Vec<&'a Candidate>,
    /// Arguments that git gave the hook.
    pub(crate) args: &'a [OsString],
    pub(crate) env: &'a [(String, String)],
    /// Whether everything else goes first.
    pub(crate) is_patient: bool,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) exit_code: i32,
    pub(crate) output: Vec<u8>,
    pub(crate) changes: Changes,
    pub(crate) elapsed: Duration,
}

/// Runs programs, as many at once as there are cores, in their sequence.
pub(crate) fn run(
    situation: &Situation,
    cache: &Path,
    over: &BTreeMap<Box<[u8]>, Vec<u8>>,
    jobs: &[Job<'_>],
    cancel: &Cancel,
) -> Result<Vec<Ended>, HookError> {
    let next = AtomicUsize::new(0);
    let ended: Mutex<Vec<(usize, Result<Ended, HookError>)>> = Mutex::default();
    let work = || {
        let mut taken: Option<Snapshot> = None;
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(at).filter(|_| !cancel.is_cancelled()) else {
                return;
            };
            let one = in_copy(situation, cache, over, job, cancel, &mut taken);
            let mut ended = ended.lock().unwrap_or_else(PoisonError::into_inner);
            ended.push((at, one));
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 1..cores.min(jobs.len()) {
            scope.spawn(work);
        }
        work();
    });
    let mut ended = ended.into_inner().unwrap_or_else(PoisonError::into_inner);
    ended.sort_by_key(|(at, _)| *at);
    ended.into_iter().map(|(_, one)| one).collect()
}

fn in_copy(
    situation: &Situation,
    cache: &Path,
    over: &BTreeMap<Box<[u8]>, Vec<u8>>,
    job: &Job,
    cancel: &Cancel,
    taken: &mut Option<Snapshot>,
) -> Result<Ended, HookError> {
    let mut copy = match taken.take() {
        Some(copy) => copy,
        None => Snapshot::take(cache)?,
    };
    copy.fill(situation, over)?;
    let mut ended = Ended {
        exit_code: 0,
        output: Vec::new(),
        changes: Changes::default(),
        elapsed: Duration::ZERO,
    };
    for spec in specs(job, &copy.tree())? {
        let found = process::run_handed(spec, |handle| {
            copy.inhabited_by(Some(handle.group()));
            cancel.add(handle);
        });
        let finished = match found {
            Ok(finished) => finished,
            Err(error @ process::ProcessError::NotFound { .. }) => {
                // As a shell says it.
                ended.exit_code = 127;
                let advice = missing(job.hook, situation);
                ended
                    .output
                    .extend_from_slice(format!("{error}\n{advice}\n").as_bytes());
                break;
            }
            Err(error) => return Err(error.into()),
        };
        if !finished.left_running {
            copy.inhabited_by(None);
        }
        ended.output.extend_from_slice(&finished.stdout.bytes);
        ended.output.extend_from_slice(&finished.stderr.bytes);
        ended.elapsed += finished.elapsed;
        let code = match finished.status {
            ExitOutcome::Code(code) => code,
            ExitOutcome::Signal(signal) => 128 + signal,
            ExitOutcome::TimedOut => {
                let text = format!(
                    "took longer than {} minutes and was ended\n",
                    TIME_LIMIT.as_secs() / 60
                );
                ended.output.extend_from_slice(text.as_bytes());
                124
            }
            ExitOutcome::Cancelled => 130,
        };
        if code != 0 && ended.exit_code == 0 {
            ended.exit_code = code;
        }
        if cancel.is_cancelled() {
            break;
        }
    }
    ended.changes = copy.changes(situation)?;
    *taken = Some(copy);
    Ok(ended)
}

/// Says what to do about a program that is not there.
fn missing(hook: &Settled, situation: &Situation) -> String {
    let id = &hook.id;
    let words = words::split(&hook.entry).unwrap_or_default();
    let named = words.first().map_or("it", String::as_str);
    let programs = if cfg!(windows) { "Scripts" } else { "bin" };
    for folder in [".venv", "venv"] {
        let at = Path::new(folder).join(programs).join(named);
        let there = situation.location().top.join(&at);
        if there.is_file() || there.with_extension("exe").is_file() {
            let at = at.to_string_lossy().replace('\\', "/");
            return format!(
                "it is in {folder}, which is not active: activate it, or write `entry: {at}` in .pre-commit-config.yaml; \
                 SKIP={id} passes this hook over"
            );
        }
    }
    format!("install {named} so that it is on the PATH, or pass this hook over with SKIP={id}")
}

/// Puts the calls together: the entry, the arguments, and as many files as a line holds.
fn specs(job: &Job, tree: &Path) -> Result<Vec<CommandSpec>, HookError> {
    let mut entry: Vec<OsString> = match words::split(&job.hook.entry) {
        Ok(words) => words.into_iter().map(OsString::from).collect(),
        Err(error) => {
            return Err(HookError::io("read the entry of a hook in", tree)(
                std::io::Error::new(std::io::ErrorKind::InvalidInput, error),
            ));
        }
    };
    let Some(program) = entry.first_mut() else {
        return Err(HookError::io("run an empty entry in", tree)(
            std::io::ErrorKind::InvalidInput.into(),
        ));
    };
    let is_script = matches!(job.hook.language, "script" | "unsupported_script");
    // A path is one of the tree; a bare name is looked up.
    if is_script || Path::new(program).components().count() > 1 && !Path::new(program).is_absolute()
    {
        *program = tree.join(&*program).into_os_string();
    }
    let in_env = job.bin.and_then(|bin| program_in(bin, program));
    let mut program = in_env.unwrap_or_else(|| program.clone());
    let mut fixed: Vec<OsString> = entry.into_iter().skip(1).collect();
    if job.is_patient && cfg!(unix) {
        let patient = ["-n", "19"].map(OsString::from);
        let called = std::mem::replace(&mut program, OsString::from("nice"));
        fixed.splice(0..0, patient.into_iter().chain([called]));
    }
    fixed.extend(job.hook.args.iter().map(OsString::from));
    fixed.extend(job.args.iter().cloned());
    let make = |files: Vec<PathBuf>| {
        let mut spec = CommandSpec::new(program.clone(), tree)
            .args(fixed.iter().cloned())
            .args(files)
            .within(TIME_LIMIT);
        spec.max_output_bytes = MAX_OUTPUT_BYTES;
        let mut env = Env::inherit()
            .with("PRE_COMMIT", "1")
            .with("TRADEWIND_HOOK", "1");
        for (name, value) in job.env {
            env = env.with(name, value);
        }
        for name in GIT_ENV {
            env = env.without(*name);
        }
        if let Some(bin) = job.bin {
            env = in_environment(env, bin);
        }
        spec.env = env;
        spec
    };
    if !job.hook.pass_filenames {
        return Ok(vec![make(Vec::new())]);
    }
    let mut specs = Vec::new();
    let mut files = Vec::new();
    let mut len = 0;
    for file in &job.files {
        let path = to_path(&file.path);
        let more = file.path.len() + 1 + size_of::<usize>();
        if len + more > MAX_ARGUMENT_BYTES && !files.is_empty() {
            specs.push(make(std::mem::take(&mut files)));
            len = 0;
        }
        len += more;
        files.push(path);
    }
    if !files.is_empty() || specs.is_empty() {
        specs.push(make(files));
    }
    Ok(specs)
}

/// Finds a program of an environment.
fn program_in(bin: &Path, program: &OsString) -> Option<OsString> {
    let is_bare = Path::new(program).components().count() == 1;
    let mut names = vec![program.clone()];
    if cfg!(windows) {
        names.push(format!("{}.exe", program.to_string_lossy()).into());
    }
    names
        .into_iter()
        .map(|name| bin.join(name))
        .find(|path| is_bare && path.is_file())
        .map(PathBuf::into_os_string)
}

/// Puts an environment of Python in front, as its `activate` does.
fn in_environment(env: Env, bin: &Path) -> Env {
    let old = std::env::var_os("PATH").unwrap_or_default();
    let dirs = std::iter::once(bin.to_owned()).chain(std::env::split_paths(&old));
    let path = std::env::join_paths(dirs).unwrap_or(old);
    let root = bin.parent().unwrap_or(bin);
    env.with("PATH", path)
        .with("VIRTUAL_ENV", root.as_os_str())
        .without("PYTHONHOME")
        .without("PIP_TARGET")
}
