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
mod error;
mod guarded;
#[cfg(test)]
mod kills;
mod merge;
mod native;
mod outside;
pub mod shim;
mod situation;
mod snapshot;

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

use crate::builtin::{ChangeCheck, Check, FileCheck, Report};
use crate::precommit::{Config, Settled, Source, Stage};
use cache::{Cache, Known};
use native::{Pass, Said};
use situation::{Candidate, Situation, mode};
use snapshot::Together;

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
#[derive(Debug)]
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

    fn add(&self, handle: Handle) {
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
    pub misses: Vec<(String, &'static str)>,
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

/// How a hook is run.
enum Runner {
    /// By our own check, one file at a time.
    File {
        check: Box<dyn FileCheck>,
        at_once: Option<Report>,
    },
    /// By our own check, over all files.
    Change(Box<dyn ChangeCheck>),
    /// As a program.
    Outside,
    /// It only says that its files are not wanted.
    Fail,
    /// Not at all, and why.
    Cannot(String),
}

/// A hook that was settled, with how it is run.
struct Planned {
    settled: Settled,
    runner: Runner,
    /// Whether it is run: not passed over, of the stage.
    is_on: bool,
    /// Name of all that decides besides the file.
    digest: u64,
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
    let mut run = Run {
        situation: &situation,
        hooks: &hooks,
        request,
        cancel,
        stops_early,
        fixed: BTreeMap::new(),
    };
    for (place, bytes) in std::mem::take(&mut pass.fixed) {
        if let Some(file) = situation.candidates.get(place) {
            run.fixed.insert(file.path.clone(), bytes);
        }
    }
    run.all(&mut pass, &mut outcome)?;
    outcome.files = situation.candidates.len();
    outcome.known = pass.known;
    outcome.misses = misses(&situation, &pass);
    outcome.is_cancelled = cancel.is_cancelled();
    let fixes = run.fixed;
    if outcome.is_cancelled {
        outcome.elapsed = started.elapsed();
        return Ok(outcome);
    }
    cache.save();
    if situation.is_staged && !fixes.is_empty() {
        let fixes: Vec<(Candidate, Vec<u8>)> = fixes
            .into_iter()
            .filter_map(|(path, bytes)| {
                let entry = situation.index.get(&path)?;
                let file = Candidate {
                    mode: mode(entry.mode),
                    id: entry.id,
                    path,
                };
                Some((file, bytes))
            })
            .collect();
        outcome.applied = apply::apply(&situation, &fixes)?;
    }
    outcome.elapsed = started.elapsed();
    Ok(outcome)
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

fn misses(situation: &Situation, pass: &Pass) -> Vec<(String, &'static str)> {
    let mut misses: Vec<_> = pass
        .misses
        .iter()
        .filter_map(|(place, known)| {
            let why = match known {
                Known::Off => "the cache is off",
                Known::Never => "never seen clean at this path",
                Known::Changed => "content, mode, hooks or their arguments changed",
                Known::Clean => return None,
            };
            let file = situation.candidates.get(*place)?;
            Some((String::from_utf8_lossy(&file.path).into_owned(), why))
        })
        .collect();
    misses.sort();
    misses
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
        Err(error) if error.is_not_found() => return Ok(None),
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

/// Settles the hooks of a stage, and how each is run.
fn plan(config: &Config, request: &Request<'_>) -> Result<Vec<Planned>, HookError> {
    let mut planned = Vec::new();
    for repository in &config.repositories {
        for hook in &repository.hooks {
            let native = Config::native(repository, hook);
            let Some(settled) = config.settle(repository, hook) else {
                let Source::Remote { url, rev } = &repository.source else {
                    continue;
                };
                let given = hook.given.clone();
                let why = format!(
                    "{url} at {rev} needs an environment of its own, which is not made yet; run it as a `local` hook with \
                     `language: system`, or pass it over with SKIP={}",
                    hook.id
                );
                let settled = Settled::new(hook, given, config);
                planned.push(Planned {
                    settled,
                    runner: Runner::Cannot(why),
                    is_on: true,
                    digest: 0,
                });
                continue;
            };
            let runner = match native {
                Some(about) => match about.with_args(&settled.args) {
                    Ok(Check::Files(check)) => Runner::File {
                        check,
                        at_once: None,
                    },
                    Ok(Check::Change(check)) => Runner::Change(check),
                    Err(error) => Runner::Cannot(error.to_string()),
                },
                None => local(&settled),
            };
            let mut hasher = blake3::Hasher::new();
            hasher.update(settled.id.as_bytes());
            for arg in &settled.args {
                hasher.update(&[0]);
                hasher.update(arg.as_bytes());
            }
            planned.push(Planned {
                digest: cache::first(&hasher),
                settled,
                runner,
                is_on: true,
            });
        }
    }
    planned.retain(|hook| is_for(config, &hook.settled, request.stage));
    let is_named = |hook: &Planned, name: &str| {
        hook.settled.id == name || (!hook.settled.alias.is_empty() && hook.settled.alias == name)
    };
    if let Some(only) = request.only {
        if !planned.iter().any(|hook| is_named(hook, only)) {
            let known: Vec<_> = planned
                .iter()
                .map(|hook| hook.settled.id.as_str())
                .collect();
            return Err(HookError::NoSuchHook {
                id: only.to_owned(),
                known: if known.is_empty() {
                    "none".to_owned()
                } else {
                    known.join(", ")
                },
            });
        }
        planned.retain(|hook| is_named(hook, only));
    }
    for hook in &mut planned {
        hook.is_on = !request.skip.iter().any(|name| is_named(hook, name));
    }
    Ok(planned)
}

/// Says whether a hook runs at a stage. One that names no stage is for all of them; git calls us for more stages than
/// pre-commit is installed for, so there it runs before a commit, by hand, and where the configuration asks for it.
fn is_for(config: &Config, hook: &Settled, stage: Stage) -> bool {
    let names_none = hook.stages.is_empty() || hook.stages.len() == Stage::ALL.len();
    if names_none {
        matches!(
            stage,
            Stage::PreCommit | Stage::PreMergeCommit | Stage::Manual
        ) || config.default_install_hook_types.contains(&stage)
    } else {
        hook.stages.contains(&stage)
            // A merge is a commit.
            || stage == Stage::PreMergeCommit && hook.stages.contains(&Stage::PreCommit)
    }
}

/// Says how a hook that is written in the configuration is run.
fn local(hook: &Settled) -> Runner {
    match hook.language {
        "system" | "unsupported" | "script" | "unsupported_script" => Runner::Outside,
        "fail" => Runner::Fail,
        language => Runner::Cannot(format!(
            "`language: {language}` needs an environment of its own, which is not made yet; install the program and say \
             `language: system`, or pass it over with SKIP={}",
            hook.id
        )),
    }
}

/// A run on its way.
struct Run<'a> {
    situation: &'a Situation,
    hooks: &'a [Planned],
    request: &'a Request<'a>,
    cancel: &'a Cancel,
    stops_early: bool,
    /// What fixers made so far.
    fixed: BTreeMap<Box<[u8]>, Vec<u8>>,
}

impl Run<'_> {
    fn all(&mut self, pass: &mut Pass, outcome: &mut Outcome) -> Result<(), HookError> {
        let mut ended = self.outside(pass, &mut outcome.remarks)?;
        let mut is_stopped = false;
        for (at, hook) in self.hooks.iter().enumerate() {
            let mut empty = Said::default();
            let said = pass.said.get_mut(at).unwrap_or(&mut empty);
            let mut told = Told {
                id: hook.settled.id.clone(),
                name: hook.settled.name.clone(),
                ending: Ending::Passed,
                output: Vec::new(),
                is_verbose: hook.settled.verbose,
                elapsed: None,
                files: said.files,
            };
            told.ending = if !hook.is_on {
                Ending::Skipped
            } else if is_stopped {
                Ending::NotReached
            } else if !self.is_due(hook, said) {
                Ending::NoFiles
            } else {
                self.one(hook, said, ended.get_mut(&at), &mut told)
            };
            let has_failed = matches!(told.ending, Ending::Failed { .. } | Ending::CannotRun(_));
            is_stopped |= has_failed && (self.stops_early || hook.settled.fail_fast);
            outcome.hooks.push(told);
        }
        Ok(())
    }

    /// Hooks of a message are for the message, which is no file of the tree.
    fn is_due(&self, hook: &Planned, said: &Said) -> bool {
        said.files > 0
            || hook.settled.always_run
            || matches!(
                self.request.stage,
                Stage::CommitMsg | Stage::PrepareCommitMsg
            )
    }

    fn one(
        &self,
        hook: &Planned,
        said: &mut Said,
        ended: Option<&mut outside::Ended>,
        told: &mut Told,
    ) -> Ending {
        let report = |report: &Report, told: &mut Told| {
            told.output = lines(&report.lines);
            if report.exit_code == 0 {
                Ending::Passed
            } else {
                Ending::Failed {
                    exit_code: i32::from(report.exit_code),
                    fixed: 0,
                }
            }
        };
        match &hook.runner {
            Runner::File {
                at_once: Some(at_once),
                ..
            } => report(at_once, told),
            Runner::File { check, .. } => {
                let mut said_lines = said.lines();
                if said.is_broken {
                    said_lines.extend(check.advice().iter().map(|line| (*line).to_owned()));
                }
                told.output = lines(&said_lines);
                if said.is_broken {
                    Ending::Failed {
                        exit_code: 1,
                        fixed: said.fixed,
                    }
                } else {
                    Ending::Passed
                }
            }
            Runner::Change(check) => {
                let paths = native::paths(self.situation, said);
                report(&check.check(&paths, self.situation), told)
            }
            Runner::Fail => {
                let mut text = format!("{}\n", hook.settled.entry);
                for path in native::paths(self.situation, said) {
                    text.push_str(&format!("\n{}", String::from_utf8_lossy(path)));
                }
                told.output = format!("{text}\n").into_bytes();
                Ending::Failed {
                    exit_code: 1,
                    fixed: 0,
                }
            }
            Runner::Cannot(why) => Ending::CannotRun(why.clone()),
            Runner::Outside => {
                let Some(ended) = ended else {
                    return Ending::NotReached;
                };
                told.output = std::mem::take(&mut ended.output);
                told.elapsed = Some(ended.elapsed);
                let fixed = ended.changes.written.len();
                for path in &ended.changes.odd {
                    let path = String::from_utf8_lossy(path);
                    let text = format!(
                        "{path}: removed or replaced in the copy; that is not carried over\n"
                    );
                    told.output.extend_from_slice(text.as_bytes());
                }
                if ended.exit_code == 0 && fixed == 0 {
                    Ending::Passed
                } else {
                    Ending::Failed {
                        exit_code: ended.exit_code,
                        fixed,
                    }
                }
            }
        }
    }

    /// Runs the programs of others and puts together what they changed.
    fn outside(
        &mut self,
        pass: &Pass,
        remarks: &mut Vec<String>,
    ) -> Result<BTreeMap<usize, outside::Ended>, HookError> {
        let mut jobs = Vec::new();
        let mut places = Vec::new();
        for (at, hook) in self.hooks.iter().enumerate() {
            let Some(said) = pass.said.get(at) else {
                continue;
            };
            if hook.is_on && self.is_due(hook, said) && matches!(hook.runner, Runner::Outside) {
                let files = said.places.iter();
                places.push(at);
                jobs.push(outside::Job {
                    hook: &hook.settled,
                    files: files
                        .filter_map(|place| self.situation.candidates.get(*place))
                        .collect(),
                    args: if hook.settled.pass_filenames {
                        self.request.args
                    } else {
                        &[]
                    },
                    env: self.request.env,
                });
            }
        }
        if jobs.is_empty() {
            return Ok(BTreeMap::new());
        }
        let folder = self.copies();
        let base = std::mem::take(&mut self.fixed);
        let ended = outside::run(self.situation, &folder, &base, &jobs, self.cancel)?;
        let mut together = Together::default();
        let mut all = BTreeMap::new();
        for (at, ended) in places.into_iter().zip(ended) {
            let changes = snapshot::Changes {
                written: ended.changes.written.clone(),
                odd: Vec::new(),
            };
            together.add(self.situation, &base, changes)?;
            all.insert(at, ended);
        }
        for path in together.collided.keys() {
            remarks.push(format!(
                "{}: two hooks changed the same lines; the first one counts, the next run asks the other again",
                String::from_utf8_lossy(path)
            ));
        }
        self.fixed = base;
        self.fixed.extend(together.over);
        Ok(all)
    }

    /// Returns the folder of this repository's copies.
    fn copies(&self) -> PathBuf {
        let git_dir = &self.situation.location().git_dir;
        let mut hasher = blake3::Hasher::new();
        hasher.update(git_dir.as_os_str().as_encoded_bytes());
        self.request
            .cache
            .join("snapshots")
            .join(format!("{:016x}", cache::first(&hasher)))
    }
}

fn lines(lines: &[String]) -> Vec<u8> {
    let mut text = lines.join("\n").into_bytes();
    if !text.is_empty() {
        text.push(b'\n');
    }
    text
}

#[cfg(test)]
mod faults {
    //! Ends the process at a named step, as a power cut would.

    /// Variable that says where: `<step>:<how often before>`.
    pub(super) const VARIABLE: &str = "TRADEWIND_TEST_DIE_AT";

    pub(super) fn reached(name: &str) {
        use std::sync::atomic::{AtomicU32, Ordering};
        static REACHED: AtomicU32 = AtomicU32::new(0);
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
