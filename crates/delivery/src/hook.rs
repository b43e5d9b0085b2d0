//! Hooks that cannot lose work.
//!
//! Why: every runner that was measured moves the work tree aside while hooks run, and loses what was not staged when it is
//! ended. Here the work tree is never touched while hooks run. Our own checks read what is staged; programs of others run in
//! a private copy; only what was fixed is brought back, file by file, each in one step ([`apply`]).
//! A run that passes writes nothing but its cache of verdicts.
//!
//! When it stops a commit: a hook says so, a hook fixed something (so that its owner sees it first), a hook cannot be run.
//! When it recovers: what an ended run had begun to apply is finished by the next. On first start it needs nothing.
//! Not here: what each check looks at ([`crate::builtin`]), the file it is configured in ([`crate::precommit`]), reading
//! the command line. Start reading at [`run`].

pub mod apply;
mod cache;
pub mod config;
mod course;
mod error;
mod guarded;
#[cfg(test)]
mod kills;
mod memory;
mod merge;
mod native;
mod outside;
mod per_file;
mod plan;
pub mod referee;
#[cfg(test)]
mod saves;
pub mod shim;
pub(crate) mod situation;
pub(crate) mod snapshot;
mod terms;
mod tool;
mod verdicts;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tradewind_host::files;
use tradewind_host::process::Handle;
use tradewind_repo::{Oid, odb};

pub use apply::{Applied, InTree};
pub use error::HookError;
pub use guarded::{Guarded, judge_staged};

use crate::precommit::{Config, Stage};
use cache::{Cache, Known};
use config::HooksSection;
use course::Run;
use memory::Memory;
use native::Pass;
use plan::{Runner, plan};
use situation::{Candidate, Situation, mode};

/// Name of the configuration at a repository's root.
pub const CONFIG_FILE: &str = ".pre-commit-config.yaml";
/// A configuration beyond this is none.
const MAX_CONFIG_BYTES: u64 = 4 * 1024 * 1024;

/// Which files hooks look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// What is staged otherwise than in the last commit.
    Staged,
    /// Every tracked file, as it is staged.
    All,
    /// These tracked files, as they are staged.
    Files(Vec<Box<[u8]>>),
    /// What differs between two commits, as it is in the second.
    Between {
        /// The first; `None` for nothing at all.
        from: Option<Oid>,
        /// The second.
        to: Oid,
    },
}

/// What to run.
pub struct Request<'a> {
    /// Folder in the repository.
    pub dir: &'a Path,
    /// When.
    pub stage: Stage,
    /// Over what.
    pub scope: Scope,
    /// The configuration, when it is another than the repository's own.
    pub config: Option<&'a Path>,
    /// Only the hook of this id or alias.
    pub only: Option<&'a str>,
    /// Hooks to pass over, by id or alias.
    pub skip: &'a [String],
    /// Arguments that git gave the hook; paths are absolute.
    pub args: &'a [OsString],
    /// Variables that programs of others get, by which pre-commit tells them of the occasion.
    pub env: &'a [(String, String)],
    /// Folder for copies and known verdicts.
    pub cache: &'a Path,
    /// Whether known verdicts count.
    pub uses_cache: bool,
    /// What `tradewind.toml` at a repository's root says of hooks; asked only when there are programs of others to run.
    pub declared: &'a (dyn Fn(&Path) -> HooksSection + Sync),
}

/// Ends what runs; shared with whoever hears of a signal.
#[derive(Debug, Default)]
pub struct Cancel(Mutex<(bool, Vec<Handle>)>);

impl Cancel {
    /// Ends every program and starts none any more.
    pub fn cancel(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 = true;
        for handle in state.1.drain(..) {
            handle.cancel();
        }
    }

    pub(crate) fn add(&self, handle: Handle) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.0 {
            handle.cancel();
        } else {
            state.1.push(handle);
        }
    }

    /// Says whether it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0
    }
}

/// How a hook ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All is as it should be.
    Passed,
    /// Something is not.
    Failed {
        /// Its exit code.
        exit_code: i32,
        /// Files that it fixed.
        fixed: usize,
    },
    /// No file is for it.
    NoFiles,
    /// It was to be passed over.
    Skipped,
    /// It cannot be run here, and why.
    CannotRun(String),
    /// It was not run, because one before it failed (`fail_fast`) or the run was ended.
    NotReached,
}

/// What became of one hook.
#[derive(Clone, Debug)]
pub struct Told {
    /// Its id.
    pub id: String,
    /// What is printed of it.
    pub name: String,
    /// How it ended.
    pub ending: Ending,
    /// What it said.
    pub output: Vec<u8>,
    /// Whether its output is shown though it passed.
    pub is_verbose: bool,
    /// How long it took, where it took a program.
    pub elapsed: Option<Duration>,
    /// How many files were for it.
    pub files: usize,
    /// How many of them it was not asked of, because its verdict is known; only of programs of others.
    pub known: usize,
    /// Why its verdicts are not kept, where they are not.
    pub unremembered: Option<String>,
}

/// A file that was looked at anew.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Miss {
    /// The file.
    pub path: String,
    /// The hook; `None` for all of our own checks, which look at a file together.
    pub hook: Option<String>,
    /// Why.
    pub why: Cow<'static, str>,
}

/// What became of a run.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Every hook of the stage, in the configuration's sequence.
    pub hooks: Vec<Told>,
    /// What was brought into the index and the work tree.
    pub applied: Vec<Applied>,
    /// What an earlier run had begun and this one finished.
    pub finished: Vec<Applied>,
    /// Whether fixes went to the work tree only (`git commit -a`, `-p` or with paths).
    pub is_tree_only: bool,
    /// What else is to be told.
    pub remarks: Vec<String>,
    /// Whether there is a configuration at all.
    pub has_config: bool,
    /// Files that were looked at.
    pub files: usize,
    /// Files whose verdict was known.
    pub known: usize,
    /// Files whose verdict was not known, and why.
    pub misses: Vec<Miss>,
    /// How long it took.
    pub elapsed: Duration,
    /// Whether it was ended from outside.
    pub is_cancelled: bool,
}

impl Outcome {
    /// Says whether the commit may go on.
    pub fn is_passed(&self) -> bool {
        !self.is_cancelled
            && self.hooks.iter().all(|hook| {
                matches!(
                    hook.ending,
                    Ending::Passed | Ending::NoFiles | Ending::Skipped
                )
            })
    }
}

/// Where the kill tests end the process.
#[cfg(test)]
use faults::reached as step;

/// Where the kill tests end the process; nothing elsewhere.
#[cfg(not(test))]
const fn step(_: &str) {}

/// Runs the hooks of a stage.
///
/// # Errors
/// [`HookError`]; then no hook was run to its end and nothing was applied.
pub fn run(request: &Request<'_>, cancel: &Cancel) -> Result<Outcome, HookError> {
    let started = Instant::now();
    let mut situation = Situation::look(request.dir, &request.scope)?;
    if situation.location().is_bare && situation.is_staged {
        return Err(HookError::Bare {
            path: situation.location().git_dir.clone(),
        });
    }
    let finished = apply::finish(&situation.checkout)?;
    if finished.iter().any(|file| file.is_staged) {
        // What is staged is another thing now.
        situation = Situation::look(request.dir, &request.scope)?;
    }
    let mut outcome = Outcome {
        finished,
        is_tree_only: situation.checkout.has_own_index(),
        ..Outcome::default()
    };
    let Some((config, path)) = configuration(&situation, request)? else {
        outcome.elapsed = started.elapsed();
        return Ok(outcome);
    };
    outcome.has_config = true;
    for warning in &config.warnings {
        outcome.remarks.push(format!(
            "{}:{}: {}",
            path.display(),
            warning.line,
            warning.text
        ));
    }
    let mut hooks = plan(&config, request)?;
    situation.hooks = hooks.iter().map(|hook| hook.settled.clone()).collect();
    let stops_early = config.fail_fast;
    situation.config = Some(config);
    for hook in &mut hooks {
        if let Runner::File { check, at_once } = &mut hook.runner
            && hook.is_on
        {
            *at_once = check.settles_at_once(&situation);
        }
    }
    let known = request.uses_cache.then(|| request.cache.join("verdicts"));
    let cache = Cache::open(known);
    let mut pass = native::run(&situation, &hooks, &cache)?;
    let has_programs = hooks
        .iter()
        .any(|hook| matches!(hook.runner, Runner::Outside));
    let declared = if has_programs {
        (request.declared)(&situation.location().top)
    } else {
        HooksSection::default()
    };
    let uses_memory = request.uses_cache && has_programs;
    let mut run = Run {
        situation: &situation,
        hooks: &hooks,
        request,
        cancel,
        stops_early,
        memory: Memory::open(&situation, &declared, request.cache, uses_memory),
        fixed: BTreeMap::new(),
    };
    for (place, bytes) in std::mem::take(&mut pass.fixed) {
        if let Some(file) = situation.candidates.get(place) {
            run.fixed.insert(file.path.clone(), bytes);
        }
    }
    run.all(&mut pass, &mut outcome)?;
    let fixes = std::mem::take(&mut run.fixed);
    outcome.files = situation.candidates.len();
    outcome.known = pass.known;
    outcome.misses.extend(misses(&situation, &pass));
    outcome.misses.sort();
    outcome.is_cancelled = cancel.is_cancelled();
    if outcome.is_cancelled {
        outcome.elapsed = started.elapsed();
        return Ok(outcome);
    }
    cache.save();
    if situation.is_staged && !fixes.is_empty() {
        let fixes = of_candidates(&situation, fixes);
        outcome.applied = apply::apply(&situation, &fixes)?;
    }
    outcome.elapsed = started.elapsed();
    Ok(outcome)
}

/// Pairs fixed contents with what is staged of their files.
fn of_candidates(
    situation: &Situation,
    fixes: BTreeMap<Box<[u8]>, Vec<u8>>,
) -> Vec<(Candidate, Vec<u8>)> {
    let paired = fixes.into_iter().filter_map(|(path, bytes)| {
        let entry = situation.index.get(&path)?;
        let file = Candidate {
            mode: mode(entry.mode),
            id: entry.id,
            path,
        };
        Some((file, bytes))
    });
    paired.collect()
}

/// Finishes what an ended run had begun to apply. Cheap where there is nothing.
///
/// # Errors
/// [`HookError`]; it stays to be finished.
pub fn finish(dir: &Path) -> Result<Vec<Applied>, HookError> {
    let checkout = tradewind_repo::checkout::Checkout::find(dir, || -> Result<_, HookError> {
        Ok(tradewind_host::git::Git::discover()?)
    })?;
    apply::finish(&checkout)
}

fn misses(situation: &Situation, pass: &Pass) -> Vec<Miss> {
    pass.misses
        .iter()
        .filter_map(|(place, known)| {
            let why = match known {
                Known::Off => "the cache is off",
                Known::Never => "never seen clean at this path",
                Known::Changed => "content, mode, hooks or their arguments changed",
                Known::Clean => return None,
            };
            let file = situation.candidates.get(*place)?;
            Some(Miss {
                path: String::from_utf8_lossy(&file.path).into_owned(),
                hook: None,
                why: why.into(),
            })
        })
        .collect()
}

/// Reads the configuration; `None` where the repository has none.
fn configuration(
    situation: &Situation,
    request: &Request<'_>,
) -> Result<Option<(Config, PathBuf)>, HookError> {
    let top = &situation.location().top;
    let path = match request.config {
        Some(named) => request.dir.join(named),
        None => top.join(CONFIG_FILE),
    };
    let text = match files::read_bounded(&path, MAX_CONFIG_BYTES) {
        Ok(text) => text,
        Err(error) if error.is_not_found() && request.config.is_some() => {
            return Err(HookError::NoConfig { path });
        }
        // Outside a sparse checkout, or only deleted in the work tree: the commit has it, so it counts.
        Err(error) if error.is_not_found() => match situation.index.get(CONFIG_FILE.as_bytes()) {
            Some(entry) if !entry.is_intent_to_add => {
                situation.read(CONFIG_FILE.as_bytes(), mode(entry.mode), entry.id)?
            }
            _ => return Ok(None),
        },
        Err(error) => return Err(error.into()),
    };
    let real = path.canonicalize().unwrap_or_else(|_| path.clone());
    if situation.is_staged
        && let Ok(name) = real.strip_prefix(top)
    {
        let name = name.to_string_lossy().replace('\\', "/");
        if let Some(entry) = situation.index.get(name.as_bytes())
            && odb::blob_name(&text, situation.objects.is_sha256()) != entry.id
            && !is_same_but_for_line_ends(situation, entry.id, &text)
        {
            return Err(HookError::ConfigNotStaged { name });
        }
    }
    let config =
        Config::parse(&String::from_utf8_lossy(&text)).map_err(|source| HookError::Config {
            path: path.clone(),
            source,
        })?;
    Ok(Some((config, path)))
}

/// A checkout may have other line ends than what is stored.
fn is_same_but_for_line_ends(situation: &Situation, id: Oid, text: &[u8]) -> bool {
    let stored = situation.objects.read(id, MAX_CONFIG_BYTES);
    let without = |text: &[u8]| -> Vec<u8> {
        let text = String::from_utf8_lossy(text);
        text.replace("\r\n", "\n").into_bytes()
    };
    matches!(stored, Ok(Some(object)) if without(&object.bytes) == without(text))
}

#[cfg(test)]
mod faults {
    //! Ends the process at a named step, as a power cut would, or saves a file there, as an editor would.

    /// Variable that says where: `<step>:<how often before>`.
    pub(super) const VARIABLE: &str = "TRADEWIND_TEST_DIE_AT";

    /// What to do, at which step, and how often that is passed before.
    type Act = (String, u32, Box<dyn FnMut()>);

    thread_local! {
        static ACT: std::cell::RefCell<Option<Act>> = const { std::cell::RefCell::new(None) };
    }

    /// Does something on this thread when a step is reached for the `times + 1`st time.
    pub(super) fn at(name: &str, times: u32, act: impl FnMut() + 'static) {
        ACT.with(|cell| *cell.borrow_mut() = Some((name.to_owned(), times, Box::new(act))));
    }

    /// Says whether what [`at`] asked for was done.
    pub(super) fn was_done() -> bool {
        ACT.with(|cell| cell.borrow().is_none())
    }

    fn act(name: &str) {
        let due = ACT.with(|cell| {
            let mut cell = cell.borrow_mut();
            match cell.as_mut() {
                Some((at, 0, _)) if at == name => cell.take(),
                Some((at, times, _)) if at == name => {
                    *times -= 1;
                    None
                }
                _ => None,
            }
        });
        if let Some((_, _, mut act)) = due {
            act();
        }
    }

    pub(super) fn reached(name: &str) {
        use std::sync::atomic::{AtomicU32, Ordering};
        static REACHED: AtomicU32 = AtomicU32::new(0);
        act(name);
        let Ok(text) = std::env::var(VARIABLE) else {
            return;
        };
        let Some((at, times)) = text.rsplit_once(':') else {
            return;
        };
        if at == name && REACHED.fetch_add(1, Ordering::SeqCst).to_string() == times {
            std::process::abort();
        }
    }
}
