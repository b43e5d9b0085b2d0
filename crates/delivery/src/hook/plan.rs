//! Which hooks of a configuration run at a stage, and how each of them is run.
//!
//! Not here: reading the configuration ([`crate::precommit`]), running anything.

use std::collections::HashMap;
use std::path::PathBuf;

use super::{HookError, Request, cache};
use crate::builtin::pygrep::Pygrep;
use crate::builtin::{ChangeCheck, Check, FileCheck, Report};
use crate::precommit::{Config, Settled, Source, Stage};

/// How a hook is run.
pub(crate) enum Runner {
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
pub(crate) struct Planned {
    pub(crate) settled: Settled,
    pub(crate) runner: Runner,
    /// Whether it is run: not passed over, of the stage.
    pub(crate) is_on: bool,
    /// Name of all that decides besides the file.
    pub(crate) digest: u64,
    /// Which of several of the same id it is.
    pub(crate) number: u32,
    /// Folder of the programs of its environment, where it has one.
    pub(crate) bin: Option<PathBuf>,
}

/// Settles the hooks of a stage, and how each is run.
pub(crate) fn plan(config: &Config, request: &Request<'_>) -> Result<Vec<Planned>, HookError> {
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
                    number: 0,
                    bin: None,
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
            if native.is_none() {
                // Of a check of our own the id says it all.
                hasher.update(&[0]);
                hasher.update(settled.entry.as_bytes());
            }
            for arg in &settled.args {
                hasher.update(&[0]);
                hasher.update(arg.as_bytes());
            }
            planned.push(Planned {
                digest: cache::first(&hasher),
                settled,
                runner,
                is_on: true,
                number: 0,
                bin: None,
            });
        }
    }
    let mut numbers: HashMap<String, u32> = HashMap::new();
    for hook in &mut planned {
        let number = numbers.entry(hook.settled.id.clone()).or_default();
        hook.number = *number;
        *number += 1;
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
        "pygrep" => match Pygrep::new(&hook.entry, &hook.args) {
            Ok(check) => Runner::File {
                check: Box::new(check),
                at_once: None,
            },
            Err(error) => Runner::Cannot(format!(
                "{error}; with Python: `entry: python -m pre_commit.languages.pygrep …`, `language: system`"
            )),
        },
        language => Runner::Cannot(format!(
            "`language: {language}` needs an environment of its own, which is not made yet; install the program and say \
             `language: system`, or pass it over with SKIP={}",
            hook.id
        )),
    }
}
