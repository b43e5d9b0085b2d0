//! One run of a stage's hooks: what our own checks said, what programs of others did, told hook by hook.
//!
//! Not here: choosing the hooks ([`mod@super::plan`]), bringing fixes back ([`super::apply`]).

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::memory::{Memory, Standing};
use super::native::{self, Pass, Said};
use super::plan::{Planned, Runner};
use super::situation::{Candidate, Situation};
use super::snapshot::Together;
use super::{Cancel, Ending, HookError, Miss, Outcome, Request, Told, cache, outside};
use crate::builtin::Report;
use crate::precommit::Stage;

/// What became of a program of others.
#[derive(Debug, Default)]
struct Answer {
    /// Files whose verdict was known.
    known: usize,
    /// Why its verdicts are not kept.
    unremembered: Option<String>,
    /// What it did; `None` where every verdict was known.
    ended: Option<outside::Ended>,
}

/// A run on its way.
pub(crate) struct Run<'a> {
    pub(crate) situation: &'a Situation,
    pub(crate) hooks: &'a [Planned],
    pub(crate) request: &'a Request<'a>,
    pub(crate) cancel: &'a Cancel,
    pub(crate) stops_early: bool,
    /// What is remembered of programs of others.
    pub(crate) memory: Memory<'a>,
    /// What fixers made so far.
    pub(crate) fixed: BTreeMap<Box<[u8]>, Vec<u8>>,
}

impl Run<'_> {
    pub(crate) fn all(&mut self, pass: &mut Pass, outcome: &mut Outcome) -> Result<(), HookError> {
        let mut ended = self.outside(pass, outcome)?;
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
                known: 0,
                unremembered: None,
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
        answer: Option<&mut Answer>,
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
                let Some(answer) = answer else {
                    return Ending::NotReached;
                };
                told.known = answer.known;
                told.unremembered = answer.unremembered.take();
                let Some(ended) = &mut answer.ended else {
                    return Ending::Passed;
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
        outcome: &mut Outcome,
    ) -> Result<BTreeMap<usize, Answer>, HookError> {
        let mut jobs = Vec::new();
        let mut asked = Vec::new();
        let mut all = BTreeMap::new();
        for (at, hook) in self.hooks.iter().enumerate() {
            let Some(said) = pass.said.get(at) else {
                continue;
            };
            if !hook.is_on || !self.is_due(hook, said) || !matches!(hook.runner, Runner::Outside) {
                continue;
            }
            let files = said.places.iter();
            let mut files: Vec<&Candidate> = files
                .filter_map(|place| self.situation.candidates.get(*place))
                .collect();
            let mut answer = Answer::default();
            let standing = self.recall(hook, &mut files, &mut answer, outcome);
            if files.is_empty() && answer.known > 0 {
                all.insert(at, answer);
                continue;
            }
            jobs.push(outside::Job {
                hook: &hook.settled,
                bin: hook.bin.as_deref(),
                files,
                args: if hook.settled.pass_filenames {
                    self.request.args
                } else {
                    &[]
                },
                env: self.request.env,
                is_patient: false,
            });
            asked.push((at, standing, answer));
        }
        if jobs.is_empty() {
            self.memory.save();
            return Ok(all);
        }
        let folder = self.copies();
        let base = std::mem::take(&mut self.fixed);
        let ended = outside::run(self.situation, &folder, &base, &jobs, self.cancel)?;
        let mut together = Together::default();
        for (((at, standing, mut answer), ended), job) in asked.into_iter().zip(ended).zip(&jobs) {
            let is_in_order = ended.exit_code == 0
                && ended.changes.written.is_empty()
                && ended.changes.odd.is_empty();
            if let Some(standing) = standing
                && is_in_order
                && !self.cancel.is_cancelled()
            {
                let files = job.files.iter();
                let files = files.map(|file| (*file, base.get(&file.path).map(Vec::as_slice)));
                self.memory.keep(&standing, files);
            }
            together.add(self.situation, &base, ended.changes.written.clone())?;
            answer.ended = Some(ended);
            all.insert(at, answer);
        }
        if !self.cancel.is_cancelled() {
            self.memory.save();
        }
        for path in together.collided.keys() {
            outcome.remarks.push(format!(
                "{}: two hooks changed the same lines; the first one counts, the next run asks the other again",
                String::from_utf8_lossy(path)
            ));
        }
        self.fixed = base;
        self.fixed.extend(together.over);
        Ok(all)
    }

    /// Takes away the files whose verdict is known; says on what the others will depend.
    fn recall(
        &mut self,
        hook: &Planned,
        files: &mut Vec<&Candidate>,
        answer: &mut Answer,
        outcome: &mut Outcome,
    ) -> Option<Standing> {
        if !self.request.uses_cache {
            return None;
        }
        let standing = match self.memory.standing(hook, self.request.stage) {
            Ok(standing) => standing,
            Err(why) => {
                answer.unremembered = Some(why.0);
                return None;
            }
        };
        files.retain(|file| {
            let over = self.fixed.get(&file.path).map(Vec::as_slice);
            match self.memory.is_known(&standing, file, over) {
                Ok(()) => {
                    answer.known += 1;
                    false
                }
                Err(why) => {
                    outcome.misses.push(Miss {
                        path: String::from_utf8_lossy(&file.path).into_owned(),
                        hook: Some(hook.settled.id.clone()),
                        why: why.into(),
                    });
                    true
                }
            }
        });
        Some(standing)
    }

    /// Returns the folder of this repository's copies.
    fn copies(&self) -> PathBuf {
        let name = cache::repository(self.situation.location());
        self.request.cache.join("snapshots").join(name)
    }
}

fn lines(lines: &[String]) -> Vec<u8> {
    let mut text = lines.join("\n").into_bytes();
    if !text.is_empty() {
        text.push(b'\n');
    }
    text
}
