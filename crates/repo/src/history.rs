//! The commits of a repository with what they changed, read from git's own streamed output.
//!
//! Why two questions to git: heads and messages of 20,000 commits take it a fifth of a second, their line counts
//! twenty-five. Heads are asked every time; changes only of commits that the caller's cache does not know, by as
//! many processes as there are cores; lines, which cost nine tenths of that, only of commits that the caller
//! wants counted. Nothing of the repository runs, nothing is fetched; where a blob is not there, a commit is told
//! without line counts, and [`History::unread`] says so.
//! Not here: watching for new commits (that is [`crate::changes`]). Start reading at [`History`].

mod cache;
mod diffs;
mod log;
mod order;
mod paths;
mod tags;

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;
use tradewind_host::git::Git;

use crate::error::RepoError;
use crate::location::Location;
use crate::oid::Oid;
use crate::tree::Unread;
use crate::{generated, objects};

/// A path that history speaks of; [`History::path`] gives its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathId(pub u32);

/// Who wrote or committed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Person {
    /// Name as written, mailmap not applied.
    pub name: Box<str>,
    /// Address as written.
    pub email: Box<str>,
}

/// What a commit did to a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// It came.
    Added,
    /// Its content or mode differs.
    Modified,
    /// It went.
    Deleted,
    /// It came from another path, with the same or nearly the same content.
    Renamed {
        /// The other path.
        from: PathId,
    },
}

/// One path in one commit, against its first parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The path after the commit; for a deletion the one before.
    pub path: PathId,
    /// What was done.
    pub deed: Deed,
    /// Lines added; `None` for binary content and where they were not counted ([`Commit::lines`]).
    pub added: Option<u32>,
    /// Lines deleted; `None` likewise.
    pub deleted: Option<u32>,
    /// The content after the commit; `None` for a deletion.
    pub blob: Option<Oid>,
}

/// Whether the lines that a commit changed were counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lines {
    /// Nobody asked for them; see [`Options::counts`].
    #[default]
    Unasked,
    /// They were.
    Counted,
    /// They were to be, and the clone does not hold what that needs.
    Missing,
}

/// One commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Its name.
    pub id: Oid,
    /// Its parents; empty for a root.
    pub parents: Box<[Oid]>,
    /// Who wrote it: index into [`History::people`].
    pub author: u32,
    /// Who committed it: index into [`History::people`].
    pub committer: u32,
    /// When it was written, by the author's clock.
    pub authored_at: Timestamp,
    /// Offset of the author's clock from UTC in minutes.
    pub authored_offset_minutes: i16,
    /// When it was committed.
    pub committed_at: Timestamp,
    /// The message, subject and body; bytes that are no UTF-8 replaced.
    pub message: Box<str>,
    /// What it changed; empty for merges.
    pub changes: Box<[Change]>,
    /// Whether [`Change::added`] and [`Change::deleted`] are known.
    pub lines: Lines,
    /// The first tag (by time of the tagged commit) that contains it: index into [`History::tags`].
    pub first_tag: Option<u32>,
    /// Whether it is on the line of first parents from HEAD.
    pub is_on_main_line: bool,
}

/// One tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Its name without `refs/tags/`.
    pub name: Box<str>,
    /// The commit it leads to.
    pub commit: Oid,
    /// When it was made, or the commit's time for a lightweight tag.
    pub at: Timestamp,
    /// Whether it is an object of its own.
    pub is_annotated: bool,
}

/// The commits reachable from HEAD.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Commits, children before parents.
    pub commits: Vec<Commit>,
    /// Tags that lead to commits, by time.
    pub tags: Vec<Tag>,
    /// Everyone who wrote or committed.
    pub people: Vec<Person>,
    /// Whether parents of the last commits are missing, because the clone is shallow.
    pub is_shallow: bool,
    /// What could not be read.
    pub unread: Vec<Unread>,
    pub(crate) paths: Vec<Box<str>>,
    pub(crate) sizes: BTreeMap<Oid, u64>,
}

/// Says of a commit, whose changes are known, whether its lines are to be counted.
pub type Counts<'a> = &'a (dyn Fn(&History, &Commit) -> bool + Sync);

/// How to read a history.
#[derive(Clone, Copy, Default)]
pub struct Options<'a> {
    /// File that keeps the changes of commits between runs; the caller chooses one for each repository.
    /// It may be deleted at any time, and a damaged one is written anew.
    pub cache: Option<&'a std::path::Path>,
    /// Called with commits done and commits to do, from any thread.
    pub on_progress: Option<&'a (dyn Fn(usize, usize) + Sync)>,
    /// Commit to read from. Default HEAD.
    pub commit: Option<Oid>,
    /// Whose lines are counted. Default everybody's. Those of commits that bring a content of at least
    /// [`LARGE_BYTES`] are counted in any case, to know whether it is text.
    pub counts: Option<Counts<'a>>,
    /// Commits to read at most, the newest first. Default [`MAX_COMMITS`].
    pub max_commits: Option<usize>,
}

impl std::fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("cache", &self.cache)
            .field("commit", &self.commit)
            .field("max_commits", &self.max_commits)
            .finish_non_exhaustive()
    }
}

/// Commits that are read at most; older ones are told as unread.
pub const MAX_COMMITS: usize = 200_000;
/// Contents from this length on are told by [`History::size`], whatever [`Options::counts`] says.
pub const LARGE_BYTES: u64 = 5 * 1024 * 1024;
/// Lines from which a text file's size is asked as well.
const MANY_LINES: u32 = 20_000;
/// Contents whose size is asked.
const MAX_SIZES: usize = 200_000;

impl History {
    /// Reads the commits reachable from HEAD, or from the commit asked for. An unborn HEAD gives an empty history.
    ///
    /// # Errors
    /// [`RepoError::Git`] when git does not run at all; what git cannot read of the repository is told in
    /// [`History::unread`].
    pub fn read(git: &Git, location: &Location, options: &Options<'_>) -> Result<Self, RepoError> {
        let mut history = Self::default();
        let shallow = log::shallow(location);
        history.is_shallow = !shallow.is_empty();
        let max = options.max_commits.unwrap_or(MAX_COMMITS);
        let start = match options.commit {
            Some(commit) => Some(commit),
            None => log::head(git, location, &mut history.unread)?,
        };
        if let Some(start) = start {
            log::read(git, location, start, max, &mut history)?;
        }
        if history.commits.is_empty() {
            return Ok(history);
        }
        order::children_first(&mut history.commits);
        order::mark_main_line(&mut history.commits);
        tags::read(git, location, &mut history)?;
        diffs::read(git, location, options, &shallow, &mut history);
        history.ask_sizes(git, location);
        log::tell_what_bends_history(git, location, &mut history);
        Ok(history)
    }

    /// Returns the length of a content, for generated files and, in commits whose lines were counted, for binary and
    /// very long ones.
    pub fn size(&self, blob: Oid) -> Option<u64> {
        self.sizes.get(&blob).copied()
    }

    /// Says whether any commit touched a file of that name, in lower case and in whatever folder.
    pub fn has_name(&self, name: &str) -> bool {
        self.paths.iter().any(|path| {
            let own = path.rsplit_once('/').map_or(path.as_ref(), |(_, own)| own);
            own.len() == name.len() && own.to_lowercase() == name
        })
    }

    fn ask_sizes(&mut self, git: &Git, location: &Location) {
        let is_generated: Vec<bool> = self
            .paths
            .iter()
            .map(|path| generated::root_of(path).is_some())
            .collect();
        let mut wanted = HashSet::new();
        for commit in &self.commits {
            for change in &commit.changes {
                let is_big = commit.lines != Lines::Unasked
                    && change.added.is_none_or(|lines| lines >= MANY_LINES)
                    || is_generated.get(change.path.0 as usize) == Some(&true);
                if let Some(blob) = change.blob.filter(|_| is_big)
                    && wanted.len() < MAX_SIZES
                {
                    wanted.insert(blob);
                }
            }
        }
        let mut wanted: Vec<Oid> = wanted.into_iter().collect();
        wanted.sort_unstable();
        let mut sizes = BTreeMap::new();
        let asked = objects::sizes(git, location, &wanted, |oid, size| {
            if let Some(size) = size {
                sizes.insert(oid, size);
            }
        });
        if let Err(error) = asked {
            self.unread("sizes of contents", error.to_string());
        }
        self.sizes = sizes;
    }

    fn unread(&mut self, what: &str, reason: String) {
        self.unread.push(Unread {
            what: what.to_owned(),
            reason,
        });
    }

    /// Returns the place of each commit in [`History::commits`].
    fn places(&self) -> HashMap<Oid, u32> {
        (0..)
            .zip(&self.commits)
            .map(|(at, commit)| (commit.id, at))
            .collect()
    }

    /// Returns the text of a path.
    pub fn path(&self, id: PathId) -> &str {
        self.paths
            .get(id.0 as usize)
            .map_or("", |path| path.as_ref())
    }
}

impl Commit {
    /// Returns the first line of the message.
    pub fn subject(&self) -> &str {
        self.message.lines().next().unwrap_or_default()
    }
}

/// Takes what git would answer apart, whatever it is.
#[cfg(any(test, feature = "fuzz"))]
pub(crate) fn fuzz(answer: &[u8]) -> History {
    let mut history = History::default();
    log::fuzz(answer, &mut history);
    let count = history.commits.len();
    order::children_first(&mut history.commits);
    order::mark_main_line(&mut history.commits);
    assert_eq!(history.commits.len(), count);
    diffs::fuzz(answer, &mut history);
    tags::fuzz(answer);
    history
}
