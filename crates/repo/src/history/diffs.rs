//! What each commit changed against its first parent: by `git diff-tree --stdin`, in parts, on all cores.
//!
//! Twice where not every line is counted: first paths with renames, which is cheap, then line counts of the commits
//! that the caller chooses by them. When git stops at a commit, because a blob or tree of it is not there, that
//! commit is asked again without line counts and inexact renames, which need no blobs; the rest goes on. After
//! [`MAX_STOPS`] of them the rest is asked so at once. Merges have no changes of their own, and commits at the edge
//! of a shallow clone have none that are known.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use tradewind_host::git::Git;

use super::cache::{self, Cache};
use super::paths::Paths;
use super::{Change, Commit, Deed, History, LARGE_BYTES, Lines, Options, PathId};
use crate::location::Location;
use crate::objects;
use crate::oid::Oid;

/// Commits asked of one process: long enough to pay for its start, short enough to share work out evenly.
const PART: usize = 400;
/// Processes at once.
const MAX_WORKERS: usize = 4;
/// Commits that git may stop at before line counts are given up.
const MAX_STOPS: usize = 40;
/// Paths that came or went in one commit up to which each is compared with each for renames.
const RENAME_LIMIT: &str = "-l400";
/// Paths that a commit changes from which on its lines are not counted: git would read each content, and a commit of
/// a hundred thousand files is told by their number.
const MAX_COUNTED: usize = 10_000;
/// Paths kept of one commit; an import of a whole disk is told by its first ones.
const MAX_CHANGES: usize = 100_000;

/// How much is asked of git.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Depth {
    /// Line counts and renames of nearly the same content.
    Full,
    /// Renames of nearly the same content.
    Paths,
    /// Names of contents only; renames of the same content.
    Names,
}

/// What is known of a commit's changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// All but the lines.
    Paths,
    /// All.
    Lines,
    /// Names; what else there is to say needs contents that are missing.
    Names,
    /// Nothing.
    Nothing,
    /// Names; git took too long for the rest.
    Late,
    /// Nothing; git took too long.
    Overrun,
}

impl Told {
    /// Says whether more contents would change the answer.
    pub(super) fn is_whole(self) -> bool {
        matches!(self, Self::Paths | Self::Lines)
    }
}

/// The changes of some commits, with paths numbered among themselves.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) paths: Paths,
    pub(super) commits: Vec<(Oid, Told, Vec<Change>)>,
    /// Contents of at least [`LARGE_BYTES`], of commits whose lines were not counted.
    pub(super) large: Vec<Oid>,
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
        told: vec![None; history.commits.len()],
        large: HashSet::new(),
    };
    let mut cache = options
        .cache
        .map(|path| Cache::open(path, cache::store(location)));
    for part in cache.iter_mut().flat_map(Cache::take) {
        join.take(part, history);
    }
    let has_own = |commit: &&Commit| commit.parents.len() < 2 && !shallow.contains(&commit.id);
    let total = history.commits.iter().filter(has_own).count();
    let unknown = history.commits.iter().zip(&join.told);
    let wanted: Vec<Oid> = unknown
        .filter(|(commit, told)| told.is_none() && has_own(commit))
        .map(|(commit, _)| commit.id)
        .collect();
    let asker = Asker {
        git,
        location,
        on_progress: options.on_progress,
        known: total - wanted.len(),
        total,
        stops: AtomicUsize::new(0),
        is_late: AtomicBool::new(false),
    };
    let first = match options.counts {
        Some(_) => Depth::Paths,
        None => Depth::Full,
    };
    let mut take = |parts: Vec<Part>, join: &mut Join, history: &mut History| {
        for part in parts {
            if let Some(cache) = &mut cache {
                cache.add(&part);
            }
            join.take(part, history);
        }
    };
    take(asker.ask(&wanted, first), &mut join, history);
    history.paths = std::mem::take(&mut join.paths.list);
    let (uncounted, vast) = join.to_count(history, options);
    join.paths.list = std::mem::take(&mut history.paths);
    take(asker.ask(&uncounted, Depth::Full), &mut join, history);
    history.paths = join.paths.list;
    if let Some(error) = cache.and_then(Cache::close) {
        history.unread("cache of the history", error.to_string());
    }
    tell_gaps(&join.told, vast, history);
}

/// Puts parts together. Paths get their numbers here, in the order of commits, whoever was faster.
struct Join {
    places: HashMap<Oid, u32>,
    paths: Paths,
    told: Vec<Option<Told>>,
    large: HashSet<Oid>,
}

impl Join {
    fn take(&mut self, part: Part, history: &mut History) {
        let list = part.paths.list.iter();
        let ids: Vec<PathId> = list.map(|path| self.paths.id(path)).collect();
        let id = |local: PathId| ids.get(local.0 as usize).copied().unwrap_or(local);
        self.large.extend(part.large);
        for (oid, told, mut changes) in part.commits {
            let Some(at) = self.places.get(&oid).map(|at| *at as usize) else {
                continue;
            };
            let (Some(commit), Some(known)) = (history.commits.get_mut(at), self.told.get_mut(at))
            else {
                continue;
            };
            // Two runs at once may keep the same commit twice.
            if *known == Some(Told::Lines) {
                continue;
            }
            for change in &mut changes {
                change.path = id(change.path);
                if let Deed::Renamed { from } = &mut change.deed {
                    *from = id(*from);
                }
            }
            commit.lines = match told {
                Told::Paths => Lines::Unasked,
                Told::Lines => Lines::Counted,
                Told::Names | Told::Nothing | Told::Late | Told::Overrun => Lines::Missing,
            };
            // Where contents are missing, what was found without them stays.
            if *known == Some(Told::Paths) && !told.is_whole() {
                *known = Some(match told {
                    Told::Late | Told::Overrun => Told::Late,
                    _ => Told::Names,
                });
            } else {
                commit.changes = changes.into();
                *known = Some(told);
            }
        }
    }

    /// Returns the commits whose lines are to be counted and are not yet, and how many more change too many paths.
    fn to_count(&self, history: &History, options: &Options<'_>) -> (Vec<Oid>, usize) {
        let is_wanted = |commit: &Commit| {
            let mut blobs = commit.changes.iter().filter_map(|change| change.blob);
            options.counts.is_none_or(|counts| counts(history, commit))
                || blobs.any(|blob| self.large.contains(&blob))
        };
        let commits = history.commits.iter().zip(&self.told);
        let uncounted = commits
            .filter(|(commit, told)| **told == Some(Told::Paths) && is_wanted(commit))
            .map(|(commit, _)| commit);
        let (wanted, vast): (Vec<_>, Vec<_>) =
            uncounted.partition(|commit| commit.changes.len() < MAX_COUNTED);
        (wanted.iter().map(|commit| commit.id).collect(), vast.len())
    }
}

/// Says what is not known of how many commits.
fn tell_gaps(told: &[Option<Told>], vast: usize, history: &mut History) {
    let count = |wanted: Told| told.iter().filter(|told| **told == Some(wanted)).count();
    let commits = history.commits.iter();
    let cut = commits.filter(|commit| commit.changes.len() >= MAX_CHANGES);
    let gaps = [
        (
            count(Told::Names),
            "line counts or inexact renames",
            "contents that they need are not in this clone",
        ),
        (
            count(Told::Nothing),
            "changes",
            "git cannot compare their trees",
        ),
        (
            count(Told::Late),
            "line counts or inexact renames",
            "git takes too long to compare their contents",
        ),
        (
            count(Told::Overrun),
            "changes",
            "git takes too long to compare their trees",
        ),
        (vast, "line counts", "they change 10,000 paths or more each"),
        (cut.count(), "some changes", "too many paths in one commit"),
    ];
    for (count, what, why) in gaps {
        if count > 0 {
            history.unread(&format!("{what} of {count} commits"), why.to_owned());
        }
    }
}

/// How a process of git's ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It answered everything.
    Whole,
    /// It stopped: something is not there.
    Stopped,
    /// It ran into its time limit.
    Late,
}

/// Asks git.
struct Asker<'a> {
    git: &'a Git,
    location: &'a Location,
    on_progress: Option<&'a (dyn Fn(usize, usize) + Sync)>,
    // Commits that the cache knew, and all.
    known: usize,
    total: usize,
    stops: AtomicUsize,
    // Whether git was ended because it took too long.
    is_late: AtomicBool,
}

impl Asker<'_> {
    /// Asks for all commits, on all cores; answers in the order asked.
    fn ask(&self, wanted: &[Oid], depth: Depth) -> Vec<Part> {
        let parts: Vec<&[Oid]> = wanted.chunks(PART).collect();
        let answers: Vec<Mutex<Part>> = parts.iter().map(|_| Mutex::default()).collect();
        let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let work = || {
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let (Some(part), Some(answer)) = (parts.get(at), answers.get(at)) else {
                    return;
                };
                let mut found = self.read_part(part, depth);
                if depth == Depth::Paths {
                    self.find_large(&mut found);
                }
                *answer.lock().unwrap_or_else(PoisonError::into_inner) = found;
                let done = done.fetch_add(part.len(), Ordering::Relaxed) + part.len();
                if let Some(on_progress) = self.on_progress {
                    on_progress((self.known + done).min(self.total), self.total);
                }
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

    fn read_part(&self, wanted: &[Oid], depth: Depth) -> Part {
        let mut part = Part::default();
        let mut rest = wanted;
        while !rest.is_empty() {
            let is_less = self.stops.load(Ordering::Relaxed) >= MAX_STOPS;
            let depth = if is_less { Depth::Names } else { depth };
            let before = part.commits.len();
            let (done, end) = self.run(rest, depth, &mut part);
            if is_less && self.is_late.load(Ordering::Relaxed) {
                for (_, told, _) in part.commits.iter_mut().skip(before) {
                    *told = Told::Late;
                }
            }
            if end == End::Whole {
                return part;
            }
            // Git stopped at the first commit that is not done; it is asked by itself, for less. Two minutes are
            // not waited for twice: after that, of the others too.
            let cost = if end == End::Late { MAX_STOPS } else { 1 };
            self.stops.fetch_add(cost, Ordering::Relaxed);
            self.is_late.fetch_or(end == End::Late, Ordering::Relaxed);
            rest = rest.get(done..).unwrap_or_default();
            let Some((broken, after)) = rest.split_first() else {
                return part;
            };
            rest = after;
            let again = match depth {
                Depth::Names => end,
                Depth::Full | Depth::Paths => self.run(&[*broken], Depth::Names, &mut part).1,
            };
            match (again, end, part.commits.last_mut()) {
                (End::Whole, End::Late, Some((_, told, _))) => *told = Told::Late,
                (End::Whole, ..) => {}
                (End::Late, ..) => part.commits.push((*broken, Told::Overrun, Vec::new())),
                (End::Stopped, ..) => part.commits.push((*broken, Told::Nothing, Vec::new())),
            }
            // A repository in which nothing can be compared is not asked a hundred thousand times.
            if self.stops.load(Ordering::Relaxed) > 4 * MAX_STOPS {
                let told = match end {
                    End::Late => Told::Overrun,
                    End::Whole | End::Stopped => Told::Nothing,
                };
                let nothing = rest.iter().map(|id| (*id, told, Vec::new()));
                part.commits.extend(nothing);
                return part;
            }
        }
        part
    }

    /// Asks for `wanted` in one process; returns how many are done, and how it ended.
    fn run(&self, wanted: &[Oid], depth: Depth, part: &mut Part) -> (usize, End) {
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
            Depth::Paths => args.push("-M"),
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
            told: match depth {
                Depth::Full => Told::Lines,
                Depth::Paths => Told::Paths,
                Depth::Names => Told::Names,
            },
            state: State::Item,
            numbered: 0,
        };
        let dir = &self.location.git_dir;
        let answer = self.git.records(dir, &args, stdin, 0, |record| {
            parser.take(record);
            ControlFlow::Continue(())
        });
        let end = match answer {
            Ok(_) => End::Whole,
            Err(error) if error.is_late() => End::Late,
            Err(_) => End::Stopped,
        };
        if end != End::Whole {
            // The last one that git began may be cut in the middle.
            part.commits
                .truncate(part.commits.len().saturating_sub(1).max(before));
        }
        (part.commits.len() - before, end)
    }

    /// Notes which contents are large. What git does not answer is not known to be.
    fn find_large(&self, part: &mut Part) {
        let changes = part.commits.iter().flat_map(|(_, _, changes)| changes);
        let mut blobs: Vec<Oid> = changes.filter_map(|change| change.blob).collect();
        blobs.sort_unstable();
        blobs.dedup();
        let large = &mut part.large;
        let asked = objects::sizes(self.git, self.location, &blobs, |blob, size| {
            if size.is_some_and(|size| size >= LARGE_BYTES) {
                large.push(blob);
            }
        });
        if let Err(error) = asked {
            tracing::debug!(%error, "sizes of contents are not known");
        }
    }
}

/// Takes records of `git diff-tree` apart, joins them to `history` and has the cache keep them.
#[cfg(any(test, feature = "fuzz"))]
pub(super) fn fuzz(answer: &[u8], history: &mut History) {
    let mut part = Part::default();
    let mut parser = Parser {
        part: &mut part,
        state: State::Item,
        numbered: 0,
        told: Told::Lines,
    };
    for record in answer.split(|byte| *byte == 0) {
        parser.take(record);
    }
    cache::fuzz(answer, &part);
    let mut join = Join {
        places: history.places(),
        paths: Paths::default(),
        told: vec![None; history.commits.len()],
        large: HashSet::new(),
    };
    join.take(part, history);
    history.paths = join.paths.list;
    for change in history.commits.iter().flat_map(|commit| &commit.changes) {
        assert!((change.path.0 as usize) < history.paths.len());
    }
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
    told: Told,
    state: State,
    // The change of the last commit that line counts come for next.
    numbered: usize,
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
            self.part.commits.push((commit, self.told, Vec::new()));
            self.numbered = 0;
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
        if let Some((_, _, changes)) = self.part.commits.last_mut()
            && changes.len() < MAX_CHANGES
        {
            changes.push(Change {
                path,
                deed,
                added: None,
                deleted: None,
                blob: facts.blob,
            });
        }
        State::Item
    }

    /// Line counts come in the order of the changes; the path tells when one is passed over.
    fn count(&mut self, path: &[u8], added: Option<u32>, deleted: Option<u32>) -> State {
        let path = self.path(path);
        if let Some((_, _, changes)) = self.part.commits.last_mut() {
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

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn commit(digit: u8, changes: usize) -> Commit {
        let change = Change {
            path: PathId(0),
            deed: Deed::Added,
            added: None,
            deleted: None,
            blob: None,
        };
        Commit {
            id: Oid::from_hex(&[digit; 40]).unwrap(),
            parents: Box::default(),
            author: 0,
            committer: 0,
            authored_at: Timestamp::UNIX_EPOCH,
            authored_offset_minutes: 0,
            committed_at: Timestamp::UNIX_EPOCH,
            message: "all".into(),
            changes: vec![change; changes].into(),
            lines: Lines::Unasked,
            first_tag: None,
            is_on_main_line: true,
        }
    }

    #[test]
    fn the_lines_of_a_commit_of_ten_thousand_paths_are_not_counted_and_that_is_told() {
        let mut history = History {
            commits: vec![commit(b'a', MAX_COUNTED), commit(b'b', 3)],
            ..History::default()
        };
        let join = Join {
            places: history.places(),
            paths: Paths::default(),
            told: vec![Some(Told::Paths); 2],
            large: HashSet::new(),
        };
        let (wanted, vast) = join.to_count(&history, &Options::default());
        assert_eq!(wanted, [history.commits[1].id]);
        tell_gaps(&join.told, vast, &mut history);
        let told: Vec<_> = history
            .unread
            .iter()
            .map(|unread| format!("{}: {}", unread.what, unread.reason))
            .collect();
        assert_eq!(
            told,
            ["line counts of 1 commits: they change 10,000 paths or more each"]
        );
    }

    #[test]
    fn what_took_too_long_is_not_told_as_missing() {
        let mut history = History::default();
        let told = [Told::Late, Told::Late, Told::Overrun].map(Some);
        tell_gaps(&told, 0, &mut history);
        let told: Vec<_> = history
            .unread
            .iter()
            .map(|unread| format!("{}: {}", unread.what, unread.reason))
            .collect();
        assert_eq!(
            told,
            [
                "line counts or inexact renames of 2 commits: git takes too long to compare their contents",
                "changes of 1 commits: git takes too long to compare their trees",
            ]
        );
    }
}
