//! The referee: asks some of what is known again, and says whether it holds.
//!
//! Why: a verdict is kept on the word of a table or of a person that a hook judges each file alone. A tool that secretly
//! looks at something else makes that word false, and nobody would notice. So now and then some of what is known is run
//! again, never while a commit waits. It starts nothing that was not started before in the same form: what is known of a hook
//! holds only for the same command line, program and configuration.
//! When a verdict did not hold: everything known of that hook is dropped, and it is not remembered in this repository until
//! its program is another. One of our own checks that was wrong is a bug of ours; then all their verdicts are dropped.
//! Not here: telling it (the command and the daemon), when to run.

use std::collections::BTreeMap;

use super::cache::{self, Cache};
use super::memory::Memory;
use super::native;
use super::plan::{Planned, Runner, plan};
use super::situation::{Candidate, Situation};
use super::{Cancel, HookError, Request, Scope, configuration, outside};

/// Files that are asked one by one to say which of them it was.
const MAX_ONE_BY_ONE: usize = 32;
/// Files that are named.
const MAX_NAMED: usize = 20;
/// Bytes of what a program said that are told.
const MAX_SAID: usize = 2_000;

/// How much is asked again: parts of a million.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(pub u32);

impl Share {
    /// One in a hundred.
    pub const USUAL: Self = Self(10_000);

    /// Says how many of `count`; at least one where there is one.
    fn of(self, count: usize) -> usize {
        let parts = u64::from(self.0.min(1_000_000)) * count as u64;
        usize::try_from(parts.div_ceil(1_000_000))
            .unwrap_or(count)
            .max(1)
    }
}

/// A verdict that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refuted {
    /// The hook; `None` for our own checks.
    pub hook: Option<String>,
    /// Files of which it was known, some of them.
    pub files: Vec<String>,
    /// What the hook said now.
    pub said: String,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Reviewed {
    /// Verdicts that are known of what is staged.
    pub known: usize,
    /// Of them, asked again.
    pub asked: usize,
    /// Those that did not hold.
    pub refuted: Vec<Refuted>,
    /// Whether there is a configuration of hooks at all.
    pub has_config: bool,
}

/// Asks a share of what is known again; `seed` chooses which.
///
/// # Errors
/// [`HookError`]; then nothing was dropped.
pub fn review(
    request: &Request<'_>,
    share: Share,
    seed: u64,
    cancel: &Cancel,
) -> Result<Reviewed, HookError> {
    let mut situation = Situation::look(request.dir, &Scope::All)?;
    let Some((config, _)) = configuration(&situation, request)? else {
        return Ok(Reviewed::default());
    };
    let hooks = plan(&config, request)?;
    situation.hooks = hooks.iter().map(|hook| hook.settled.clone()).collect();
    situation.config = Some(config);
    let mut reviewed = Reviewed {
        has_config: true,
        ..Reviewed::default()
    };
    let file = request.cache.join("verdicts");
    let pass = native::run(&situation, &hooks, &Cache::open(Some(file.clone())))?;
    let has_programs = hooks
        .iter()
        .any(|hook| matches!(hook.runner, Runner::Outside));
    if has_programs {
        let declared = (request.declared)(&situation.location().top);
        let mut memory = Memory::open(&situation, &declared, request.cache, true);
        for (hook, said) in hooks.iter().zip(&pass.said) {
            if !hook.is_on || !matches!(hook.runner, Runner::Outside) || cancel.is_cancelled() {
                continue;
            }
            let Ok(standing) = memory.standing(hook, request.stage) else {
                continue;
            };
            let files = said.places.iter();
            let files = files.filter_map(|place| situation.candidates.get(*place));
            let known: Vec<&Candidate> = files
                .filter(|file| memory.is_known(&standing, file, None).is_ok())
                .collect();
            reviewed.known += known.len();
            let chosen = choose(known, share, seed, |file| &file.path);
            if chosen.is_empty() {
                continue;
            }
            reviewed.asked += chosen.len();
            let refuted = again(&situation, request, hook, &chosen, cancel)?;
            if let Some(refuted) = refuted.filter(|_| !cancel.is_cancelled()) {
                memory.distrust(&standing);
                reviewed.refuted.push(refuted);
            }
        }
        memory.save();
    }
    own(&mut situation, &hooks, &pass, share, seed, &mut reviewed)?;
    if reviewed
        .refuted
        .iter()
        .any(|refuted| refuted.hook.is_none())
    {
        // They are a cache: what cannot be removed is written anew by the next run that finds something.
        std::fs::remove_file(&file).unwrap_or_default();
    }
    Ok(reviewed)
}

/// Asks our own checks again.
fn own(
    situation: &mut Situation,
    hooks: &[Planned],
    pass: &native::Pass,
    share: Share,
    seed: u64,
    reviewed: &mut Reviewed,
) -> Result<(), HookError> {
    if pass.known == 0 {
        return Ok(());
    }
    reviewed.known += pass.known;
    let anew: std::collections::HashSet<usize> =
        pass.misses.iter().map(|(place, _)| *place).collect();
    let candidates = std::mem::take(&mut situation.candidates);
    let known: Vec<Candidate> = candidates
        .into_iter()
        .enumerate()
        .filter(|(place, _)| !anew.contains(place))
        .map(|(_, file)| file)
        .collect();
    situation.candidates = choose(known, share, seed, |file| &file.path);
    let again = native::run(situation, hooks, &Cache::open(None))?;
    reviewed.asked += again.misses.len();
    for (hook, mut said) in hooks.iter().zip(again.said) {
        if said.is_broken && matches!(hook.runner, Runner::File { .. }) {
            let lines = said.lines();
            reviewed.refuted.push(Refuted {
                hook: None,
                files: Vec::new(),
                said: format!("{}: {}", hook.settled.id, lines.join("; ")),
            });
        }
    }
    Ok(())
}

/// Chooses a share, by a hash that the seed moves.
fn choose<T>(all: Vec<T>, share: Share, seed: u64, path: impl Fn(&T) -> &[u8]) -> Vec<T> {
    if all.is_empty() {
        return all;
    }
    let count = share.of(all.len());
    let mut ranked: Vec<(u64, T)> = all
        .into_iter()
        .map(|one| {
            let mut hasher = blake3::Hasher::new();
            hasher.update(&seed.to_le_bytes());
            hasher.update(path(&one));
            (cache::first(&hasher), one)
        })
        .collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().take(count).map(|(_, one)| one).collect()
}

/// Runs a hook over files that it is known to have found in order; `None` when it still does.
fn again(
    situation: &Situation,
    request: &Request<'_>,
    hook: &Planned,
    files: &[&Candidate],
    cancel: &Cancel,
) -> Result<Option<Refuted>, HookError> {
    let name = cache::repository(situation.location());
    let folder = request.cache.join("snapshots").join(name);
    let job = |files: Vec<_>| outside::Job {
        hook: &hook.settled,
        bin: hook.bin.as_deref(),
        files,
        args: &[],
        env: request.env,
        is_patient: true,
    };
    let run = |jobs: &[outside::Job<'_>]| {
        outside::run(situation, &folder, &BTreeMap::new(), jobs, cancel)
    };
    let holds = |ended: &outside::Ended| {
        ended.exit_code == 0 && ended.changes.written.is_empty() && ended.changes.odd.is_empty()
    };
    let ended = run(&[job(files.to_vec())])?;
    let Some(ended) = ended.into_iter().find(|ended| !holds(ended)) else {
        return Ok(None);
    };
    let mut said = String::from_utf8_lossy(&ended.output).into_owned();
    let mut wrong: Vec<String> = Vec::new();
    if files.len() <= MAX_ONE_BY_ONE {
        let jobs: Vec<_> = files.iter().map(|file| job(vec![*file])).collect();
        for (file, ended) in files.iter().zip(run(&jobs)?) {
            if !holds(&ended) {
                wrong.push(String::from_utf8_lossy(&file.path).into_owned());
            }
        }
    }
    if wrong.is_empty() {
        let names = files.iter().take(MAX_NAMED);
        wrong = names
            .map(|file| String::from_utf8_lossy(&file.path).into_owned())
            .collect();
    }
    wrong.truncate(MAX_NAMED);
    if said.trim().is_empty() {
        said = format!(
            "exit code {}, {} files changed",
            ended.exit_code,
            ended.changes.written.len()
        );
    }
    let end = said.floor_char_boundary(MAX_SAID);
    said.truncate(end);
    Ok(Some(Refuted {
        hook: Some(hook.settled.id.clone()),
        files: wrong,
        said,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_at_least_one_and_at_most_all_and_the_seed_moves_it() {
        assert_eq!(Share::USUAL.of(1), 1);
        assert_eq!(Share::USUAL.of(100), 1);
        assert_eq!(Share::USUAL.of(101), 2);
        assert_eq!(Share(1_000_000).of(7), 7);
        assert_eq!(Share(u32::MAX).of(7), 7);
        let names: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        let chosen = |seed| choose(names.clone(), Share::USUAL, seed, |name| name.as_bytes());
        assert_eq!(chosen(1), chosen(1));
        let all: std::collections::BTreeSet<_> = (0..40).flat_map(chosen).collect();
        assert!(all.len() > 15, "{all:?}");
    }
}
