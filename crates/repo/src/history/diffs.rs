//! What each commit changed against its first parent: by `git diff-tree --stdin`, in parts, on all cores.
//!
//! When git stops at a commit, because a blob or tree of it is not there, that commit is asked again without
//! line counts and inexact renames, which need no blobs; the rest goes on. After [`MAX_STOPS`] of them the
//! rest is asked so at once. Merges have no changes of their own, and commits at the edge of a shallow clone have none
//! that are known.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use tradewind_host::git::Git;

use super::cache::{self, Cache};
use super::paths::Paths;
use super::{Change, Commit, Deed, History, Options, PathId};
use crate::location::Location;
use crate::oid::Oid;

/// Commits asked of one process: long enough to pay for its start, short enough to share work out evenly.
const PART: usize = 400;
/// Processes at once.
const MAX_WORKERS: usize = 4;
/// Commits that git may stop at before line counts are given up.
const MAX_STOPS: usize = 40;
/// Paths that came or went in one commit up to which each is compared with each for renames.
const RENAME_LIMIT: &str = "-l400";
/// Paths kept of one commit; an import of a whole disk is told by its first ones.
const MAX_CHANGES: usize = 100_000;

/// How much is asked of git.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Depth {
    /// Line counts and renames of nearly the same content.
    Full,
    /// Names of contents only; renames of the same content.
    Names,
}

/// The changes of some commits, with paths numbered among themselves.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) paths: Paths,
    pub(super) commits: Vec<(Oid, Vec<Change>)>,
    // Commits whose lines were not counted, and commits of which nothing is known.
    pub(super) names_only: usize,
    pub(super) unknown: usize,
    cut: usize,
}

pub(super) fn read(
    git: &Git,
    location: &Location,
    options: &Options<'_>,
    shallow: &HashSet<Oid>,
    history: &mut History,
) {
    let mut join = Join {
        places: history.places(),
        paths: Paths::default(),
        is_known: vec![false; history.commits.len()],
    };
    let mut cache = options
        .cache
        .map(|path| Cache::open(path, cache::store(location)));
    let mut gaps = Gaps::default();
    for part in cache.iter_mut().flat_map(Cache::take) {
        gaps.add(&part);
        join.take(part, history);
    }
    let has_own = |commit: &&Commit| commit.parents.len() < 2 && !shallow.contains(&commit.id);
    let total = history.commits.iter().filter(has_own).count();
    let unknown = history.commits.iter().zip(&join.is_known);
    let wanted: Vec<Oid> = unknown
        .filter(|(commit, is_known)| !**is_known && has_own(commit))
        .map(|(commit, _)| commit.id)
        .collect();
    let known = total - wanted.len();
    let progress = |done: usize| {
        if let Some(on_progress) = options.on_progress {
            on_progress(known + done, total);
        }
    };
    for part in ask(git, location, &wanted, &progress) {
        gaps.add(&part);
        if let Some(cache) = &mut cache {
            cache.add(&part);
        }
        join.take(part, history);
    }
    history.paths = join.paths.list;
    if let Some(error) = cache.and_then(Cache::close) {
        history.unread("cache of the history", error.to_string());
    }
    gaps.tell(history);
}

/// Puts parts together. Paths get their numbers here, in the order of commits, whoever was faster.
struct Join {
    places: HashMap<Oid, u32>,
    paths: Paths,
    is_known: Vec<bool>,
}

impl Join {
    fn take(&mut self, part: Part, history: &mut History) {
        let list = part.paths.list.iter();
        let ids: Vec<PathId> = list.map(|path| self.paths.id(path)).collect();
        let id = |local: PathId| ids.get(local.0 as usize).copied().unwrap_or(local);
        for (oid, mut changes) in part.commits {
            let Some(at) = self.places.get(&oid).map(|at| *at as usize) else {
                continue;
            };
            for change in &mut changes {
                change.path = id(change.path);
                if let Deed::Renamed { from } = &mut change.deed {
                    *from = id(*from);
                }
            }
            let commit = history.commits.get_mut(at);
            if let (Some(commit), Some(is_known)) = (commit, self.is_known.get_mut(at)) {
                commit.changes = changes.into();
                *is_known = true;
            }
        }
    }
}

/// What is not known of how many commits.
#[derive(Default)]
struct Gaps {
    names_only: usize,
    unknown: usize,
    cut: usize,
}

impl Gaps {
    fn add(&mut self, part: &Part) {
        self.names_only += part.names_only;
        self.unknown += part.unknown;
        self.cut += part.cut;
    }

    fn tell(self, history: &mut History) {
        let told = [
            (
                self.names_only,
                "line counts and inexact renames",
                "contents that they need are not in this clone",
            ),
            (self.unknown, "changes", "git cannot compare their trees"),
            (self.cut, "some changes", "too many paths in one commit"),
        ];
        for (count, what, why) in told {
            if count > 0 {
                history.unread(&format!("{what} of {count} commits"), why.to_owned());
            }
        }
    }
}

/// Asks for all commits, on all cores; answers in the order asked.
fn ask(
    git: &Git,
    location: &Location,
    wanted: &[Oid],
    progress: &(dyn Fn(usize) + Sync),
) -> Vec<Part> {
    let parts: Vec<&[Oid]> = wanted.chunks(PART).collect();
    let answers: Vec<Mutex<Part>> = parts.iter().map(|_| Mutex::default()).collect();
    let (next, done, stops) = (
        AtomicUsize::new(0),
        AtomicUsize::new(0),
        AtomicUsize::new(0),
    );
    let work = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let (Some(part), Some(answer)) = (parts.get(at), answers.get(at)) else {
                return;
            };
            let found = read_part(git, location, part, &stops);
            *answer.lock().unwrap_or_else(PoisonError::into_inner) = found;
            progress(done.fetch_add(part.len(), Ordering::Relaxed) + part.len());
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 1..cores.min(MAX_WORKERS).min(parts.len()) {
            scope.spawn(work);
        }
        work();
    });
    answers
        .into_iter()
        .map(|answer| answer.into_inner().unwrap_or_else(PoisonError::into_inner))
        .collect()
}

fn read_part(git: &Git, location: &Location, wanted: &[Oid], stops: &AtomicUsize) -> Part {
    let mut part = Part::default();
    let mut rest = wanted;
    while !rest.is_empty() {
        let depth = if stops.load(Ordering::Relaxed) < MAX_STOPS {
            Depth::Full
        } else {
            Depth::Names
        };
        let (done, is_whole) = run(git, location, rest, depth, &mut part);
        if is_whole {
            return part;
        }
        // Git stopped at the first commit that is not done; it is asked by itself, for less.
        stops.fetch_add(1, Ordering::Relaxed);
        rest = rest.get(done..).unwrap_or_default();
        let Some((broken, after)) = rest.split_first() else {
            return part;
        };
        rest = after;
        let is_known =
            depth == Depth::Full && run(git, location, &[*broken], Depth::Names, &mut part).1;
        if !is_known {
            part.unknown += 1;
            part.commits.push((*broken, Vec::new()));
        }
        // A repository in which nothing can be compared is not asked a hundred thousand times.
        if stops.load(Ordering::Relaxed) > 4 * MAX_STOPS {
            part.unknown += rest.len();
            part.commits.extend(rest.iter().map(|id| (*id, Vec::new())));
            return part;
        }
    }
    part
}

/// Asks for `wanted` in one process; returns how many are done, and whether all are.
fn run(
    git: &Git,
    location: &Location,
    wanted: &[Oid],
    depth: Depth,
    part: &mut Part,
) -> (usize, bool) {
    let mut args = vec![
        "diff-tree",
        "--stdin",
        "-r",
        "--root",
        "--always",
        "-z",
        "--raw",
        "--no-abbrev",
        "--ignore-submodules=none",
    ];
    match depth {
        Depth::Full => args.extend(["--numstat", "-M"]),
        Depth::Names => args.push("-M100%"),
    }
    args.push(RENAME_LIMIT);
    let mut stdin = Vec::with_capacity(wanted.len() * 41);
    for oid in wanted {
        stdin.extend_from_slice(format!("{oid}\n").as_bytes());
    }
    let before = part.commits.len();
    let mut parser = Parser {
        part,
        state: State::Item,
        numbered: 0,
        is_cut: false,
    };
    let answer = git.records(&location.git_dir, &args, stdin, 0, |record| {
        parser.take(record);
        ControlFlow::Continue(())
    });
    let is_whole = answer.is_ok();
    if !is_whole {
        // The last one that git began may be cut in the middle.
        part.commits
            .truncate(part.commits.len().saturating_sub(1).max(before));
    }
    let done = part.commits.len() - before;
    if depth == Depth::Names {
        part.names_only += done;
    }
    (done, is_whole)
}

/// What the next record is.
#[derive(Clone, Copy, Debug)]
enum State {
    /// The name of a commit, the facts of a change or the line counts of one.
    Item,
    /// The path of a change.
    Path(Facts),
    /// The old path of a rename, then its new one.
    From(Facts),
    To(Facts, PathId),
    /// The old and the new path of a rename that lines are counted of.
    CountedFrom(Option<u32>, Option<u32>),
    CountedTo(Option<u32>, Option<u32>),
}

#[derive(Clone, Copy, Debug)]
struct Facts {
    status: u8,
    blob: Option<Oid>,
}

/// Takes the records of `diff-tree -z` apart; each kind says how many paths follow it, so that no path is taken
/// for something else, whatever its bytes.
struct Parser<'a> {
    part: &'a mut Part,
    state: State,
    // The change of the last commit that line counts come for next.
    numbered: usize,
    // Whether the last commit has more changes than are kept.
    is_cut: bool,
}

impl Parser<'_> {
    fn take(&mut self, record: &[u8]) {
        self.state = match self.state {
            State::Item => self.item(record),
            State::Path(facts) => {
                let path = self.path(record);
                self.push(facts, path, None)
            }
            State::From(facts) => State::To(facts, self.path(record)),
            State::To(facts, from) => {
                let path = self.path(record);
                self.push(facts, path, Some(from))
            }
            State::CountedFrom(added, deleted) => State::CountedTo(added, deleted),
            State::CountedTo(added, deleted) => self.count(record, added, deleted),
        };
    }

    fn path(&mut self, bytes: &[u8]) -> PathId {
        self.part.paths.id(&String::from_utf8_lossy(bytes))
    }

    fn item(&mut self, record: &[u8]) -> State {
        if let Some(facts) = record.strip_prefix(b":") {
            return match facts_of(facts) {
                Some(facts) if matches!(facts.status, b'R' | b'C') => State::From(facts),
                Some(facts) => State::Path(facts),
                None => State::Item,
            };
        }
        if let Ok(commit) = Oid::from_hex(record) {
            self.part.commits.push((commit, Vec::new()));
            self.numbered = 0;
            self.is_cut = false;
            return State::Item;
        }
        let mut words = record.splitn(3, |byte| *byte == b'\t');
        let mut number =
            || -> Option<u32> { std::str::from_utf8(words.next()?).ok()?.parse().ok() };
        let (added, deleted) = (number(), number());
        match words.next() {
            Some(b"") => State::CountedFrom(added, deleted),
            Some(path) => self.count(path, added, deleted),
            None => State::Item,
        }
    }

    fn push(&mut self, facts: Facts, path: PathId, from: Option<PathId>) -> State {
        let deed = match (facts.status, from) {
            (b'A' | b'C', _) => Deed::Added,
            (b'D', _) => Deed::Deleted,
            (_, Some(from)) => Deed::Renamed { from },
            _ => Deed::Modified,
        };
        if let Some((_, changes)) = self.part.commits.last_mut() {
            if changes.len() < MAX_CHANGES {
                changes.push(Change {
                    path,
                    deed,
                    added: None,
                    deleted: None,
                    blob: facts.blob,
                });
            } else if !self.is_cut {
                self.is_cut = true;
                self.part.cut += 1;
            }
        }
        State::Item
    }

    /// Line counts come in the order of the changes; the path tells when one is passed over.
    fn count(&mut self, path: &[u8], added: Option<u32>, deleted: Option<u32>) -> State {
        let path = self.path(path);
        if let Some((_, changes)) = self.part.commits.last_mut() {
            let rest = changes.get_mut(self.numbered..).unwrap_or_default();
            if let Some(at) = rest.iter().position(|change| change.path == path) {
                rest[at].added = added;
                rest[at].deleted = deleted;
                self.numbered += at + 1;
            }
        }
        State::Item
    }
}

/// Reads `<old mode> <new mode> <old id> <new id> <status>`.
fn facts_of(facts: &[u8]) -> Option<Facts> {
    let mut words = facts.split(|byte| *byte == b' ');
    let mode = words.nth(1)?;
    let blob = Oid::from_hex(words.nth(1)?).ok()?;
    let status = *words.next()?.first()?;
    let is_file = matches!(mode, b"100644" | b"100755" | b"100664" | b"120000");
    Some(Facts {
        status,
        blob: (is_file && !blob.is_zero()).then_some(blob),
    })
}
