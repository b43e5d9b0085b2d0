//! Reflogs: which commits a ref stood at between two looks.
//!
//! Logs only grow, except when git expires old entries or renames a branch. So a view keeps for each
//! log its length and last entry; what lies behind that place is new. When the last entry is not where
//! it was, the log was rewritten and the entry is searched for in the whole file.
//! With the `reftable` store only HEAD's log is followed, through git. Bare repositories keep no logs
//! unless told to; there, moves between two looks leave no trace but the objects.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use tradewind_core::{Seq, mark};
use tradewind_host::git::Git;

use super::{BRANCHES, HEAD, Head, LogEnd, RefsView, store};
use crate::error::RepoError;
use crate::location::Location;
use crate::oid::Oid;

/// Key of the main work tree's log, seen from a linked one.
const MAIN: &str = "main-worktree";
/// Key prefix of the logs of other work trees' HEADs.
const OTHERS: &str = "worktrees/";
/// How much of a log's end is read to find its last entry; a message is far shorter.
const TAIL_BYTES: u64 = 16 * 1024;
/// Bound on what is read of one log at once.
const MAX_READ_BYTES: u64 = 64 * 1024 * 1024;

struct Entry {
    to: Oid,
    at: i64,
    maker: Maker,
}

/// Who moved a reference or made a commit, as far as the reflogs tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    /// The action of a request of ours, by the mark that it leaves.
    Request(Seq),
    /// Somebody else: git wrote down what it did, without a mark.
    Other,
    /// No log says: tags and deletions have none, and some of git's commands never write a mark.
    Unknown,
}

impl Maker {
    fn read(message: &[u8]) -> Self {
        if let Some(request) = mark::request_in(message) {
            return Self::Request(request);
        }
        // `git branch` writes its own words whatever the environment says, `git update-ref` none at all.
        let is_mute = message.trim_ascii().is_empty()
            || message.starts_with(b"branch: ")
            || message.starts_with(b"Branch: ");
        if is_mute { Self::Unknown } else { Self::Other }
    }
}

/// Reads `<old> <new> <name> <mail> <seconds> <zone>\t<message>`.
fn parse(line: &[u8]) -> Option<Entry> {
    let mut words = line.splitn(3, |byte| *byte == b' ');
    words.next()?;
    let to = Oid::from_hex(words.next()?).ok()?;
    let mut rest = words.next()?.splitn(2, |byte| *byte == b'\t');
    let (rest, message) = (rest.next()?, rest.next().unwrap_or_default());
    let after_mail = rest.iter().rposition(|byte| *byte == b'>')?;
    let seconds = rest
        .get(after_mail + 1..)?
        .trim_ascii_start()
        .split(|byte| *byte == b' ')
        .next()?;
    let at = std::str::from_utf8(seconds).ok()?.parse().ok()?;
    Some(Entry {
        to,
        at,
        maker: Maker::read(message),
    })
}

/// Lists the git directories of the repository's other work trees by name.
pub(super) fn other_git_dirs(location: &Location) -> Vec<(String, PathBuf)> {
    let mut dirs = Vec::new();
    if location.git_dir != location.common_dir {
        dirs.push((MAIN.to_owned(), location.common_dir.clone()));
    }
    let Ok(entries) = fs::read_dir(location.common_dir.join("worktrees")) else {
        return dirs;
    };
    for entry in entries.flatten() {
        if entry.path() != location.git_dir {
            let name = entry.file_name().to_string_lossy().into_owned();
            dirs.push((format!("{OTHERS}{name}"), entry.path()));
        }
    }
    dirs.sort();
    dirs
}

fn log_path(location: &Location, key: &str) -> PathBuf {
    if key == HEAD {
        return location.git_dir.join("logs").join("HEAD");
    }
    match key.strip_prefix(OTHERS) {
        None if key == MAIN => location.common_dir.join("logs").join("HEAD"),
        Some(name) => location
            .common_dir
            .join("worktrees")
            .join(name)
            .join("logs")
            .join("HEAD"),
        None => location.common_dir.join("logs").join(key),
    }
}

/// Finds the ends of the logs of all HEADs and of the branches known so far.
pub(super) fn ends(
    git: &Git,
    location: &Location,
    previous: Option<&RefsView>,
) -> Result<BTreeMap<String, LogEnd>, RepoError> {
    if store::is_reftable(location) {
        return Ok(ask_end(git, location)
            .map(|end| (HEAD.to_owned(), end))
            .into_iter()
            .collect());
    }
    let known = previous.iter().flat_map(|previous| previous.refs.keys());
    let branches = known.filter(|name| name.starts_with(BRANCHES)).cloned();
    let others = other_git_dirs(location).into_iter().map(|(name, _)| name);
    let mut ends = BTreeMap::new();
    for key in std::iter::once(HEAD.to_owned())
        .chain(others)
        .chain(branches)
    {
        let known = previous.and_then(|previous| previous.logs.get(&key));
        if let Some(end) = end_of(&log_path(location, &key), known)? {
            ends.insert(key, end);
        }
    }
    Ok(ends)
}

/// Adds the ends of the logs of branches that are new, and drops those of branches that are gone.
pub(super) fn fit_to_branches(
    location: &Location,
    refs: &BTreeMap<String, Oid>,
    ends: &mut BTreeMap<String, LogEnd>,
) -> Result<(), RepoError> {
    if store::is_reftable(location) {
        return Ok(());
    }
    ends.retain(|key, _| !key.starts_with(BRANCHES) || refs.contains_key(key));
    for name in refs.keys().filter(|name| name.starts_with(BRANCHES)) {
        if !ends.contains_key(name)
            && let Some(end) = end_of(&log_path(location, name), None)?
        {
            ends.insert(name.clone(), end);
        }
    }
    Ok(())
}

fn end_of(path: &Path, known: Option<&LogEnd>) -> Result<Option<LogEnd>, RepoError> {
    let meta = match fs::metadata(path) {
        Ok(meta) if meta.is_file() => meta,
        Ok(_) => return Ok(None),
        Err(error) if is_absent(&error) => return Ok(None),
        Err(source) => return Err(RepoError::read(path)(source)),
    };
    if let Some(known) = known
        && known.bytes == meta.len()
    {
        return Ok(Some(known.clone()));
    }
    let from = meta.len().saturating_sub(TAIL_BYTES);
    let tail = read_range(path, from, meta.len())?;
    // A line that is being written has no end yet; it belongs to the next look.
    let whole = tail
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    let lines = tail.get(..whole).unwrap_or_default();
    let last = lines
        .trim_ascii_end()
        .rsplit(|byte| *byte == b'\n')
        .next()
        .and_then(parse);
    Ok(Some(LogEnd {
        bytes: from + whole as u64,
        to: last.as_ref().map(|entry| entry.to),
        at: last.map_or(0, |entry| entry.at),
    }))
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// Reads a part of a file; less when the file has become shorter.
fn read_range(path: &Path, from: u64, to: u64) -> Result<Vec<u8>, RepoError> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        Err(source) => return Err(RepoError::read(path)(source)),
    };
    let from = from.max(to.saturating_sub(MAX_READ_BYTES));
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(from))
        .and_then(|_| file.take(to.saturating_sub(from)).read_to_end(&mut bytes))
        .map_err(RepoError::read(path))?;
    Ok(bytes)
}

/// Returns the commits that HEADs and branches stood at between two views, oldest first for each.
pub(crate) fn visited(
    git: &Git,
    location: &Location,
    before: &RefsView,
    after: &RefsView,
) -> Result<Vec<Oid>, RepoError> {
    if store::is_reftable(location) {
        return Ok(ask_visited(git, location, before, after));
    }
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for (key, end) in &after.logs {
        if before.logs.get(key) == Some(end) {
            continue;
        }
        let path = log_path(location, key);
        let start = match before.logs.get(key) {
            Some(start) => Some(start),
            None => renamed_from(&path, before, after)?,
        };
        for oid in oids(new_entries(&path, start, end)?.into_iter()) {
            if seen.insert(oid) {
                found.push(oid);
            }
        }
    }
    Ok(found)
}

/// A log that appears under a new name may be that of a branch that went away: `git branch -m` moves
/// the file.
fn renamed_from<'a>(
    path: &Path,
    before: &'a RefsView,
    after: &RefsView,
) -> Result<Option<&'a LogEnd>, RepoError> {
    for (_, start) in before
        .logs
        .iter()
        .filter(|(key, _)| !after.logs.contains_key(*key))
    {
        if entry_before(path, start.bytes)?.is_some_and(|entry| is_at(&entry, start)) {
            return Ok(Some(start));
        }
    }
    Ok(None)
}

fn is_at(entry: &Entry, end: &LogEnd) -> bool {
    Some(entry.to) == end.to && entry.at == end.at
}

/// Returns the entry that ends at `offset`.
fn entry_before(path: &Path, offset: u64) -> Result<Option<Entry>, RepoError> {
    let bytes = read_range(path, offset.saturating_sub(TAIL_BYTES), offset)?;
    if bytes.last() != Some(&b'\n') {
        return Ok(None);
    }
    Ok(bytes
        .trim_ascii_end()
        .rsplit(|byte| *byte == b'\n')
        .next()
        .and_then(parse))
}

/// Who made what is new, by commit and by log.
#[derive(Debug, Default)]
pub(crate) struct Makers {
    /// The first entry that names a commit is the one that was written when it was made.
    commits: HashMap<Oid, (i64, Maker)>,
    /// The last entry of a log is the one that moved its reference to where it is.
    logs: HashMap<String, Maker>,
}

impl Makers {
    /// Says who made a commit; none when no log names it.
    pub(crate) fn of_commit(&self, oid: Oid) -> Option<Maker> {
        self.commits.get(&oid).map(|(_, maker)| *maker)
    }

    /// Says who moved a reference.
    pub(crate) fn of_log(&self, name: &str) -> Maker {
        self.logs.get(name).copied().unwrap_or(Maker::Unknown)
    }

    fn add(&mut self, key: &str, entries: &[Entry]) {
        for entry in entries {
            let first = self
                .commits
                .entry(entry.to)
                .or_insert((entry.at, entry.maker));
            if entry.at < first.0 {
                *first = (entry.at, entry.maker);
            }
        }
        if let Some(last) = entries.last() {
            self.logs.insert(key.to_owned(), last.maker);
        }
    }
}

/// Finds out who made what is new since `before`.
///
/// Reads the logs as they are now, beyond the ends in `after`: git writes an entry before it moves the
/// reference, but a look reads the logs first, so a reference may be ahead of the ends in its view.
pub(crate) fn makers(
    git: &Git,
    location: &Location,
    before: &RefsView,
    after: &RefsView,
) -> Result<Makers, RepoError> {
    let mut makers = Makers::default();
    if store::is_reftable(location) {
        let mut entries = ask(git, location);
        entries.truncate(asked_since(&entries, before.logs.get(HEAD)));
        entries.reverse();
        makers.add(HEAD, &entries);
        // The branch at HEAD moves with it; the others' logs are not followed here.
        if let (Head::Ref(branch), Some(maker)) = (&after.head, makers.logs.get(HEAD).copied()) {
            makers.logs.insert(branch.clone(), maker);
        }
        return Ok(makers);
    }
    let others = other_git_dirs(location).into_iter().map(|(name, _)| name);
    let moved = after
        .refs
        .iter()
        .filter(|(name, oid)| name.starts_with(BRANCHES) && before.refs.get(*name) != Some(oid));
    let moved = moved.map(|(name, _)| name.clone());
    for key in std::iter::once(HEAD.to_owned()).chain(others).chain(moved) {
        let path = log_path(location, &key);
        let known = before.logs.get(&key);
        let Some(end) = end_of(&path, known)? else {
            continue;
        };
        let start = match known {
            Some(start) => Some(start),
            None => renamed_from(&path, before, after)?,
        };
        makers.add(&key, &new_entries(&path, start, &end)?);
    }
    Ok(makers)
}

fn new_entries(path: &Path, start: Option<&LogEnd>, end: &LogEnd) -> Result<Vec<Entry>, RepoError> {
    let from = match start {
        None => 0,
        Some(start) if start.bytes == 0 => 0,
        Some(start) if start.bytes <= end.bytes => match entry_before(path, start.bytes)? {
            Some(entry) if is_at(&entry, start) => start.bytes,
            _ => return after_rewrite(path, start, end),
        },
        Some(start) => return after_rewrite(path, start, end),
    };
    let bytes = read_range(path, from, end.bytes)?;
    Ok(entries(&bytes).collect())
}

/// The log was rewritten: what follows the known entry is new; when that one was expired, what is
/// not older than it.
fn after_rewrite(path: &Path, start: &LogEnd, end: &LogEnd) -> Result<Vec<Entry>, RepoError> {
    let bytes = read_range(path, 0, end.bytes)?;
    let all: Vec<Entry> = entries(&bytes).collect();
    let known = all.iter().rposition(|entry| is_at(entry, start));
    let new = all
        .into_iter()
        .enumerate()
        .filter(|(at, entry)| match known {
            Some(known) => *at > known,
            None => entry.at >= start.at,
        });
    Ok(new.map(|(_, entry)| entry).collect())
}

fn entries(bytes: &[u8]) -> impl Iterator<Item = Entry> + '_ {
    bytes.split(|byte| *byte == b'\n').filter_map(parse)
}

fn oids(entries: impl Iterator<Item = Entry>) -> Vec<Oid> {
    entries
        .map(|entry| entry.to)
        .filter(|oid| !oid.is_zero())
        .collect()
}

/// Arguments by which git lists a log, newest entry first, as `<oid> HEAD@{<seconds>} <message>`.
const ASK: &[&str] = &["log", "-g", "--date=unix", "--format=%H %gd %gs", HEAD];

fn parse_asked(line: &[u8]) -> Option<Entry> {
    let text = String::from_utf8_lossy(line);
    let (oid, rest) = text.split_once(' ')?;
    let (at, message) = rest.split_once("@{")?.1.split_once('}')?;
    Some(Entry {
        to: oid.parse().ok()?,
        at: at.parse().ok()?,
        maker: Maker::read(message.trim_start().as_bytes()),
    })
}

/// Lists HEAD's log, newest entry first. A repository without commits has no log; git calls that an
/// error.
fn ask(git: &Git, location: &Location) -> Vec<Entry> {
    let mut found = Vec::new();
    let done = git.records(&location.git_dir, ASK, Vec::new(), b'\n', |line| {
        found.extend(parse_asked(line));
        ControlFlow::Continue(())
    });
    if let Err(error) = done {
        tracing::debug!(%error, "no reflog in the table store");
    }
    found
}

/// Here the length counts entries: within one second, object id and time do not tell them apart.
fn ask_end(git: &Git, location: &Location) -> Option<LogEnd> {
    let entries = ask(git, location);
    let last = entries.first()?;
    Some(LogEnd {
        bytes: entries.len() as u64,
        to: Some(last.to),
        at: last.at,
    })
}

fn ask_visited(git: &Git, location: &Location, before: &RefsView, after: &RefsView) -> Vec<Oid> {
    let (start, Some(end)) = (before.logs.get(HEAD), after.logs.get(HEAD)) else {
        return Vec::new();
    };
    if start == Some(end) {
        return Vec::new();
    }
    let entries = ask(git, location);
    let new = asked_since(&entries, start);
    oids(entries.into_iter().take(new))
}

/// Says how many of `entries`, newest first, came after the known end.
fn asked_since(entries: &[Entry], start: Option<&LogEnd>) -> usize {
    match start {
        None => entries.len(),
        Some(start) if start.bytes <= entries.len() as u64 => {
            let new = (entries.len() as u64).saturating_sub(start.bytes);
            usize::try_from(new).unwrap_or(usize::MAX)
        }
        // Entries expired: what is not older than the known one may be new.
        Some(start) => entries
            .iter()
            .take_while(|entry| entry.at >= start.at)
            .count(),
    }
}

/// Takes a log apart, as a file and as git's answer.
#[cfg(any(test, feature = "fuzz"))]
pub(super) fn fuzz(bytes: &[u8]) {
    let mut makers = Makers::default();
    let read: Vec<Entry> = entries(bytes).collect();
    makers.add(HEAD, &read);
    let asked: Vec<Entry> = bytes
        .split(|byte| *byte == b'\n')
        .filter_map(parse_asked)
        .collect();
    assert!(asked_since(&asked, None) == asked.len());
    makers.add("refs/heads/main", &asked);
    let _ = oids(read.into_iter().chain(asked));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_with_a_strange_name_and_message_is_read() {
        let (old, new) = ("0".repeat(40), "ab".repeat(20));
        let line = format!("{old} {new} A > B <a@b> 1700000000 +0100\tcommit: a > b 5 +0000");
        let entry = parse(line.as_bytes()).unwrap();
        assert_eq!((entry.to.to_string(), entry.at), (new, 1_700_000_000));
        assert!(parse(b"garbage").is_none());
    }
}
