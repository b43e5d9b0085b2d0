//! The graph on its way: several checks at once, each in a copy of its own, everything ended that began.
//!
//! Not here: which checks there are ([`super::plan`]), what their files say ([`super::junit`], [`super::coverage`]).

use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tradewind_host::files;
use tradewind_host::process::{self, CommandSpec, Env, ExitOutcome, Finished, ProcessError};

use super::missing::{self, Missing};
use super::plan::{Command, Definition, Planned};
use super::report::{Checked, Observer, Report, Verdict};
use super::subject::Subject;
use super::tools::Tools;
use super::{CheckError, Run, coverage, junit, xml};
use crate::hook::snapshot::Snapshot;
use crate::hook::{Cancel, HookError};

/// Bytes kept of what a check says.
const MAX_OUTPUT_BYTES: usize = 4 * 1024 * 1024;
/// Variables that every check sees, besides those that say where programs and the user are.
const PASSED: &[&str] = &[
    "CARGO_HOME",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "PYENV_ROOT",
    "PYENV_VERSION",
    "NVM_DIR",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
];

/// What all threads know.
struct Shared<'a, 'o> {
    run: &'a Run<'a>,
    subject: &'a Subject,
    tools: Tools,
    cancel: &'a Cancel,
    state: Mutex<State<'o>>,
    /// Told whenever a check is over.
    turned: Condvar,
}

struct State<'o> {
    observer: &'o mut dyn Observer,
    /// What came of each check.
    ended: Vec<Option<Checked>>,
    is_begun: Vec<bool>,
    error: Option<CheckError>,
}

/// Runs all checks of a plan.
pub(super) fn all(
    run: &Run<'_>,
    subject: &Subject,
    cancel: &Cancel,
    observer: &mut dyn Observer,
) -> Result<Report, CheckError> {
    let count = run.plan.checks().len();
    let shared = Shared {
        run,
        subject,
        tools: Tools::of(&subject.situation.location().top),
        cancel,
        state: Mutex::new(State {
            observer,
            ended: vec![None; count],
            is_begun: vec![false; count],
            error: None,
        }),
        turned: Condvar::new(),
    };
    std::thread::scope(|scope| {
        for _ in 1..run.at_most.get().min(count) {
            scope.spawn(|| shared.work());
        }
        shared.work();
    });
    let state = shared
        .state
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    if let Some(error) = state.error {
        return Err(error);
    }
    Ok(Report {
        commit: subject.commit,
        tree: subject.digest(),
        checks: state.ended.into_iter().flatten().collect(),
        remarks: subject.remarks.clone(),
        elapsed: Duration::ZERO,
        is_cancelled: cancel.is_cancelled(),
    })
}

impl<'o> Shared<'_, 'o> {
    fn lock(&self) -> MutexGuard<'_, State<'o>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one check after the other, until none is left that another thread will not take.
    fn work(&self) {
        let mut copy = None;
        loop {
            let at = {
                let mut state = self.lock();
                loop {
                    if state.error.is_some() {
                        return;
                    }
                    self.pass_over(&mut state);
                    if let Some(at) = self.next(&state) {
                        if let Some(begun) = state.is_begun.get_mut(at) {
                            *begun = true;
                        }
                        break at;
                    }
                    if state.is_begun.iter().all(|begun| *begun) {
                        return;
                    }
                    state = self
                        .turned
                        .wait(state)
                        .unwrap_or_else(PoisonError::into_inner);
                }
            };
            let Some(planned) = self.run.plan.checks().get(at) else {
                return;
            };
            let checked = self.one(planned, &mut copy);
            let mut state = self.lock();
            match checked {
                Ok(checked) => Self::end(&mut state, at, checked),
                Err(error) => state.error = Some(error),
            }
            drop(state);
            self.turned.notify_all();
        }
    }

    fn end(state: &mut State<'o>, at: usize, checked: Checked) {
        state.observer.ended(&checked);
        if let Some(place) = state.ended.get_mut(at) {
            *place = Some(checked);
        }
    }

    /// Finds a check whose needs have all passed.
    fn next(&self, state: &State<'o>) -> Option<usize> {
        let checks = self.run.plan.checks().iter();
        let mut open = checks.zip(&state.is_begun).enumerate();
        open.find(|(_, (planned, begun))| {
            let passed = |need: &usize| {
                let ended = state.ended.get(*need).and_then(Option::as_ref);
                ended.is_some_and(|checked| {
                    matches!(checked.verdict, Verdict::Passed | Verdict::Cached)
                })
            };
            !**begun && planned.needs.iter().all(passed)
        })
        .map(|(at, _)| at)
    }

    /// Says of checks that will not run why they do not.
    fn pass_over(&self, state: &mut State<'o>) {
        for (at, planned) in self.run.plan.checks().iter().enumerate() {
            if state.is_begun.get(at).copied().unwrap_or(true) {
                continue;
            }
            let needs = planned.needs.iter();
            let missed = needs
                .filter_map(|need| state.ended.get(*need)?.as_ref())
                .find(|need| !matches!(need.verdict, Verdict::Passed | Verdict::Cached));
            let verdict = if self.cancel.is_cancelled() {
                Verdict::Cancelled
            } else if let Some(need) = missed {
                Verdict::Skipped {
                    because: match &need.verdict {
                        Verdict::Skipped { .. } => format!("{} was not run", need.name),
                        Verdict::TimedOut { .. } => format!("{} took too long", need.name),
                        Verdict::Broken { .. } => format!("{} cannot be run", need.name),
                        _ => format!("{} failed", need.name),
                    },
                    is_failure: !need.verdict.is_passed(),
                }
            } else if let Some(because) = &planned.held {
                Verdict::Skipped {
                    because: because.clone(),
                    is_failure: false,
                }
            } else {
                continue;
            };
            if let Some(begun) = state.is_begun.get_mut(at) {
                *begun = true;
            }
            let checked = blank(&planned.definition, verdict);
            Self::end(state, at, checked);
            self.turned.notify_all();
        }
    }

    /// Runs one check.
    fn one(&self, planned: &Planned, copy: &mut Option<Snapshot>) -> Result<Checked, CheckError> {
        let definition = &planned.definition;
        let mut taken = match copy.take() {
            Some(copy) => copy,
            None => Snapshot::take(&self.copies())?,
        };
        taken.fill(&self.subject.situation, &self.subject.over)?;
        let spec = match self.spec(definition, &taken) {
            Ok(spec) => spec,
            Err(Missing { why, next }) => {
                *copy = Some(taken);
                return Ok(blank(definition, Verdict::Broken { why, next }));
            }
        };
        // What was there before is not what this run says.
        for file in definition.junit.iter().chain(&definition.coverage) {
            let old = taken.tree().join(file);
            match std::fs::remove_file(&old) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(CheckError::io("remove", old)(error));
                }
                _ => {}
            }
        }
        self.lock().observer.started(planned);
        let finished = process::run_watched(
            spec,
            |handle| {
                taken.inhabited_by(Some(handle.group()));
                self.cancel.add(handle);
            },
            &mut |piece| self.lock().observer.output(planned, piece),
        );
        let mut checked = blank(definition, Verdict::Passed);
        "it was asked for".clone_into(&mut checked.why);
        match finished {
            Ok(finished) => {
                taken.inhabited_by(None);
                self.judge(definition, &taken, &finished, &mut checked);
            }
            Err(error @ (ProcessError::NotFound { .. } | ProcessError::Start { .. })) => {
                checked.verdict = Verdict::Broken {
                    why: cannot_start(&error),
                    next: "an environment that was moved or whose Python is gone does not start: make .venv anew"
                        .to_owned(),
                };
            }
            Err(error) => return Err(HookError::from(error).into()),
        }
        *copy = Some(taken);
        Ok(checked)
    }

    /// Says what an end means.
    fn judge(
        &self,
        definition: &Definition,
        copy: &Snapshot,
        finished: &Finished,
        checked: &mut Checked,
    ) {
        checked.elapsed = finished.elapsed;
        checked.output = finished.stdout.text();
        if finished.left_running {
            let what = "it left a program running, which was ended";
            checked.remarks.push(what.to_owned());
        }
        checked.verdict = match finished.status {
            ExitOutcome::Code(0) => Verdict::Passed,
            ExitOutcome::Code(exit_code) => {
                let tree = copy.tree();
                match missing::told(definition, exit_code, &checked.output, &tree, &self.tools) {
                    Some(Missing { why, next }) => Verdict::Broken { why, next },
                    None => Verdict::Failed { exit_code },
                }
            }
            ExitOutcome::Signal(_) | ExitOutcome::Cancelled if self.cancel.is_cancelled() => {
                Verdict::Cancelled
            }
            ExitOutcome::Signal(signal) => Verdict::Failed {
                exit_code: 128 + signal,
            },
            ExitOutcome::TimedOut => Verdict::TimedOut {
                limit: definition.time_limit,
            },
            ExitOutcome::Cancelled => Verdict::Cancelled,
        };
        let mut read = |path: &String| {
            let text = files::read_bounded(&copy.tree().join(path), xml::MAX_BYTES);
            match text {
                Ok(text) => Some(String::from_utf8_lossy(&text).into_owned()),
                Err(error) => {
                    checked
                        .remarks
                        .push(format!("{path} is not there: {error}"));
                    None
                }
            }
        };
        let results = definition.junit.as_ref().and_then(&mut read);
        let covered = definition.coverage.as_ref().and_then(&mut read);
        if let Some(text) = results {
            checked.tests = junit::read(&text);
            if checked.tests.is_none() {
                let what = "its file of results is no JUnit XML";
                checked.remarks.push(what.to_owned());
            }
        }
        if let Some(text) = covered {
            checked.coverage = coverage::read(&text);
            if checked.coverage.is_none() {
                let what = "its file of coverage is neither Cobertura XML nor coverage.py's JSON";
                checked.remarks.push(what.to_owned());
            }
        }
    }

    /// Puts a call together, or says why it cannot be made.
    fn spec(&self, definition: &Definition, copy: &Snapshot) -> Result<CommandSpec, Missing> {
        let tree = copy.tree();
        let broken = |why: String, next: &str| Missing {
            why,
            next: next.to_owned(),
        };
        let mut spec = match &definition.command {
            Command::Shell(line) => process::shell(line, &tree),
            Command::Words(words) => {
                let (name, args) = words.split_first().ok_or_else(|| {
                    broken("it names no program".to_owned(), "`tradewind config check`")
                })?;
                let found = self.tools.find(name, &tree);
                let program = found.ok_or_else(|| missing::program(name, &tree, &self.tools))?;
                CommandSpec::new(program, &tree).args(args)
            }
        };
        if let Some(replay) = &definition.replay {
            let program = self.run.program.ok_or_else(|| {
                let why = "this program cannot be found, which plays recorded answers";
                broken(why.to_owned(), "`tradewind doctor`")
            })?;
            if !tree.join(replay).is_file() {
                return Err(broken(
                    format!("{replay}, its recorded answers, is not in the tree"),
                    &format!(
                        "`tradewind exec --record {replay} -- {}`",
                        definition.command
                    ),
                ));
            }
            let mut args = vec!["exec".into(), "--replay".into(), tree.join(replay).into()];
            args.extend(["--".into(), std::mem::take(&mut spec.program)]);
            args.append(&mut spec.args);
            spec.args = args;
            spec.program = program.into();
        }
        let mut env = Env::clean()
            .with("PATH", self.tools.path())
            .with("TRADEWIND_CHECK", &definition.name);
        if let Some(venv) = &self.tools.venv {
            env = env.with("VIRTUAL_ENV", venv);
        }
        let wanted = PASSED.iter().copied();
        for name in wanted.chain(definition.env.iter().map(String::as_str)) {
            if let Some(value) = std::env::var_os(name) {
                env = env.with(name, value);
            }
        }
        spec.env = env;
        spec.time_limit = definition.time_limit;
        spec.max_output_bytes = MAX_OUTPUT_BYTES;
        Ok(spec)
    }

    /// Returns the folder of this repository's copies.
    fn copies(&self) -> PathBuf {
        let git_dir = &self.subject.situation.location().git_dir;
        let name = blake3::hash(git_dir.as_os_str().as_encoded_bytes()).to_hex();
        let name = name.get(..16).unwrap_or_default();
        self.run.cache.join("checks").join(name).join("copies")
    }
}

/// Says why a program that is there does not start.
fn cannot_start(error: &ProcessError) -> String {
    let cause = std::error::Error::source(error);
    match cause {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// Makes what is said of a check that did not run.
fn blank(definition: &Definition, verdict: Verdict) -> Checked {
    Checked {
        name: definition.name.clone(),
        kind: definition.kind,
        command: definition.command.to_string(),
        verdict,
        elapsed: Duration::ZERO,
        output: String::new(),
        tests: None,
        coverage: None,
        why: String::new(),
        remarks: Vec::new(),
    }
}
