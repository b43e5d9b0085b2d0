//! The fused pass: each file is read once and goes through every check that is for it, on all cores.
//!
//! Why: reading is what costs. A file meets its checks in the configuration's sequence, and what a fixer made of it is
//! what the next one sees, as if they had run one after the other over all files.
//! Not here: which files there are, what the answers mean for the commit.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::HookError;
use super::cache::{Cache, Known};
use super::plan::{Planned, Runner};
use super::situation::{Candidate, Situation};
use crate::builtin::{File, FileCheck, Needs, Outcome, Surroundings};
use crate::precommit::{Tags, identify};
use crate::staged::Mode;

/// Files that a thread takes at once.
const CHUNK: usize = 16;
/// Python is taken apart by functions that call themselves, to a bounded depth.
const STACK_BYTES: usize = 8 * 1024 * 1024;
/// More threads would wait for the same disk.
const MAX_THREADS: usize = 8;

/// What a check said of files.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// Files that it was for.
    pub(crate) files: usize,
    /// Whether one of them is not as it should be.
    pub(crate) is_broken: bool,
    /// Files that it fixed.
    pub(crate) fixed: usize,
    /// Lines, by place of their file.
    lines: Vec<(usize, Vec<String>)>,
    /// Places of the files that it is for; only of hooks that are run afterwards.
    pub(crate) places: Vec<usize>,
}

impl Said {
    /// Returns the lines in the sequence of the files.
    pub(crate) fn lines(&mut self) -> Vec<String> {
        self.lines.sort_by_key(|(place, _)| *place);
        std::mem::take(&mut self.lines)
            .into_iter()
            .flat_map(|(_, lines)| lines)
            .collect()
    }
}

/// What came of the pass.
#[derive(Debug, Default)]
pub(crate) struct Pass {
    /// By place of the hook.
    pub(crate) said: Vec<Said>,
    /// What fixers made, by place of the file.
    pub(crate) fixed: BTreeMap<usize, Vec<u8>>,
    /// Files whose verdict was known.
    pub(crate) known: usize,
    /// Why others were not.
    pub(crate) misses: Vec<(usize, Known)>,
}

impl Pass {
    fn new(hooks: usize) -> Self {
        Self {
            said: (0..hooks).map(|_| Said::default()).collect(),
            ..Self::default()
        }
    }

    fn add(&mut self, other: Self) {
        for (mine, theirs) in self.said.iter_mut().zip(other.said) {
            mine.files += theirs.files;
            mine.is_broken |= theirs.is_broken;
            mine.fixed += theirs.fixed;
            mine.lines.extend(theirs.lines);
            mine.places.extend(theirs.places);
        }
        self.fixed.extend(other.fixed);
        self.known += other.known;
        self.misses.extend(other.misses);
    }
}

/// Takes every candidate through its hooks.
pub(crate) fn run(
    situation: &Situation,
    hooks: &[Planned],
    cache: &Cache,
) -> Result<Pass, HookError> {
    let next = AtomicUsize::new(0);
    let is_over = AtomicBool::new(false);
    let total: Mutex<Result<Pass, HookError>> = Mutex::new(Ok(Pass::new(hooks.len())));
    let files = &situation.candidates;
    let work = || {
        let mut pass = Pass::new(hooks.len());
        let mut failure = None;
        while failure.is_none() && !is_over.load(Ordering::Relaxed) {
            let from = next.fetch_add(CHUNK, Ordering::Relaxed);
            let Some(chunk) = files.get(from..).filter(|rest| !rest.is_empty()) else {
                break;
            };
            for (at, file) in chunk.iter().take(CHUNK).enumerate() {
                if let Err(error) = one(situation, hooks, cache, from + at, file, &mut pass) {
                    failure = Some(error);
                    is_over.store(true, Ordering::Relaxed);
                    break;
                }
            }
        }
        let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
        match (failure, total.as_mut()) {
            (Some(error), Ok(_)) => *total = Err(error),
            (None, Ok(sum)) => sum.add(pass),
            (_, Err(_)) => {}
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = cores.min(MAX_THREADS).min(files.len().div_ceil(CHUNK));
    std::thread::scope(|scope| -> Result<(), HookError> {
        for _ in 0..threads {
            std::thread::Builder::new()
                .stack_size(STACK_BYTES)
                .spawn_scoped(scope, work)
                .map_err(HookError::io(
                    "start a thread in",
                    situation.location().top.clone(),
                ))?;
        }
        Ok(())
    })?;
    let mut pass = total.into_inner().unwrap_or_else(PoisonError::into_inner)?;
    for said in &mut pass.said {
        said.places.sort_unstable();
    }
    Ok(pass)
}

fn one(
    situation: &Situation,
    hooks: &[Planned],
    cache: &Cache,
    place: usize,
    file: &Candidate,
    pass: &mut Pass,
) -> Result<(), HookError> {
    let is_seen = match &situation.config {
        Some(config) => config.names(&file.path)?,
        None => true,
    };
    if !is_seen {
        return Ok(());
    }
    let mut named = Vec::with_capacity(hooks.len());
    for (at, hook) in hooks.iter().enumerate() {
        if hook.is_on && hook.settled.names(&file.path)? {
            named.push(at);
        }
    }
    if named.is_empty() {
        return Ok(());
    }
    let mut content = Content::default();
    let tags = tags(situation, file, &mut content)?;
    let mut checks = Vec::with_capacity(named.len());
    for at in named {
        let (Some(hook), Some(said)) = (hooks.get(at), pass.said.get_mut(at)) else {
            continue;
        };
        if !hook.settled.takes(&tags) {
            continue;
        }
        said.files += 1;
        match &hook.runner {
            Runner::File { check, .. } => checks.push((at, check.as_ref())),
            _ => said.places.push(place),
        }
    }
    if checks.is_empty() {
        return Ok(());
    }
    let unit = cache.unit(
        checks
            .iter()
            .filter_map(|(at, _)| Some(hooks.get(*at)?.digest)),
    );
    match cache.find(&file.path, file.mode, file.id, unit) {
        Known::Clean => {
            pass.known += 1;
            return Ok(());
        }
        miss => pass.misses.push((place, miss)),
    }
    let is_clean = through(situation, place, file, &checks, &mut content, pass)?;
    if is_clean {
        cache.keep(&file.path, file.mode, file.id, unit);
    }
    Ok(())
}

/// Takes a file through its checks; says whether all found it clean, for ever.
fn through(
    situation: &Situation,
    place: usize,
    file: &Candidate,
    checks: &[(usize, &dyn FileCheck)],
    content: &mut Content,
    pass: &mut Pass,
) -> Result<bool, HookError> {
    let mut is_clean = true;
    let mut is_fixed = false;
    for (at, check) in checks {
        let bytes: &[u8] = if check.needs() == Needs::Path {
            &[]
        } else {
            content.get(situation, file)?
        };
        let seen = File {
            path: &file.path,
            mode: file.mode,
            size: bytes.len() as u64,
            bytes,
        };
        let verdict = check.check(&seen, situation);
        is_clean &=
            verdict.is_lasting && verdict.outcome == Outcome::Clean && verdict.lines.is_empty();
        let Some(said) = pass.said.get_mut(*at) else {
            continue;
        };
        if !verdict.lines.is_empty() {
            said.lines.push((place, verdict.lines));
        }
        match verdict.outcome {
            Outcome::Clean => {}
            Outcome::Broken => said.is_broken = true,
            Outcome::Fixed(bytes) => {
                said.is_broken = true;
                said.fixed += 1;
                is_fixed = true;
                content.0 = Some(bytes);
            }
        }
    }
    if is_fixed && let Some(bytes) = content.0.take() {
        pass.fixed.insert(place, bytes);
    }
    Ok(is_clean)
}

fn tags(situation: &Situation, file: &Candidate, content: &mut Content) -> Result<Tags, HookError> {
    if let Some(tags) = identify::tags(&file.path, file.mode, None) {
        return Ok(tags);
    }
    let bytes = content.get(situation, file)?;
    Ok(identify::tags(&file.path, file.mode, Some(bytes)).unwrap_or_default())
}

/// A content that is read when it is first asked for.
#[derive(Default)]
struct Content(Option<Vec<u8>>);

impl Content {
    fn get(&mut self, situation: &Situation, file: &Candidate) -> Result<&[u8], HookError> {
        let bytes = match self.0.take() {
            Some(bytes) => bytes,
            None => situation.read(&file.path, file.mode, file.id)?,
        };
        Ok(self.0.insert(bytes))
    }
}

/// Returns the paths that a check of the whole change is given.
pub(crate) fn paths<'a>(situation: &'a Situation, said: &Said) -> Vec<&'a [u8]> {
    let places = said.places.iter();
    let files = places.filter_map(|place| situation.candidates.get(*place));
    files
        .filter(|file| file.mode != Mode::Submodule || situation.mode(&file.path).is_some())
        .map(|file| file.path.as_ref())
        .collect()
}
