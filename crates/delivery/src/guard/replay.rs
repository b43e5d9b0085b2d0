//! What the guard would have stopped in history.
//!
//! Why: a rule that stops honest work is switched off within a week, so it is first shown on the commits that were
//! made. Commits are judged oldest first, each against its parent, with what the commit's own tree held; merges are
//! left out, because both sides were judged.

use std::cell::RefCell;
use std::ops::ControlFlow;

use serde::Serialize;
use tradewind_host::git::Git;
use tradewind_repo::{Location, Oid, RepoError};

use super::source::{After, GitContents, Kept, Sides, mode};
use super::{Contents as _, Judgement, Policy, Question, judge};
use crate::staged::{Change, Entry};

/// Commits whose changes are asked at once.
const PART: usize = 400;
/// Commits that are judged at most.
const MAX_COMMITS: usize = 500_000;
/// Longest subject that is kept.
const MAX_SUBJECT: usize = 200;

/// One commit of history and what the guard says of it.
#[derive(Clone, Debug, Serialize)]
pub struct Replayed {
    /// The commit.
    #[serde(serialize_with = "as_text")]
    pub commit: Oid,
    /// The first line of its message.
    pub subject: String,
    /// Paths that it changes.
    pub changes: usize,
    /// What the guard says.
    pub judgement: Judgement,
}

fn as_text<S: serde::Serializer>(id: &Oid, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

/// What came of a replay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Commits that were judged.
    pub judged: usize,
    /// Commits that would have been stopped.
    pub stopped: usize,
    /// Commits that would have been warned about and not stopped.
    pub warned: usize,
    /// Commits for which the whole tree was read.
    pub trees_read: usize,
    /// Commits that could not be read, as in a partial clone.
    pub unread: usize,
}

/// Judges the commits of `range` (as `git rev-list` takes it; without one, all that `HEAD` reaches). Every commit is
/// handed to `on_commit`, with how many are done and how many there are; it may end the replay.
///
/// # Errors
/// [`RepoError::Git`] when the range cannot be read. A commit that cannot be read is counted.
pub fn replay(
    git: &Git,
    location: &Location,
    range: Option<&str>,
    policy: &Policy,
    mut on_commit: impl FnMut(&Replayed, usize, usize) -> ControlFlow<()>,
) -> Result<Tally, RepoError> {
    let commits = list(git, location, range.unwrap_or("HEAD"))?;
    let kept = RefCell::new(Kept::default());
    let mut tally = Tally::default();
    let mut done = 0;
    for part in commits.chunks(PART) {
        let read = changes(git, location, part)?;
        tally.unread += part.len() - read.len();
        done += part.len() - read.len();
        // The new contents of all of them in one question to git.
        if let Some(last) = part.last() {
            let new = read.iter().flat_map(|commit| &commit.changes);
            let ids: Vec<Oid> = new.filter_map(|change| Some(change.after?.id)).collect();
            let contents = GitContents::new(git, location, After::Commit(*last), &kept);
            for ids in ids.chunks(PART) {
                contents.blobs(ids, super::added::MAX_READ_BYTES, &mut |_| {})?;
            }
        }
        for commit in read {
            done += 1;
            let contents = GitContents::new(git, location, After::Commit(commit.id), &kept);
            let question = Question {
                changes: &commit.changes,
                policy,
                message: Some(&commit.message),
            };
            let Ok(judgement) = judge(&question, &contents) else {
                tally.unread += 1;
                continue;
            };
            tally.judged += 1;
            tally.stopped += usize::from(!judgement.stops.is_empty());
            tally.warned +=
                usize::from(judgement.stops.is_empty() && !judgement.warnings.is_empty());
            tally.trees_read += usize::from(judgement.has_read_tree);
            let replayed = Replayed {
                commit: commit.id,
                subject: commit.message.lines().next().unwrap_or_default().to_owned(),
                changes: commit.changes.len(),
                judgement,
            };
            if on_commit(&replayed, done, commits.len()).is_break() {
                return Ok(tally);
            }
        }
    }
    Ok(tally)
}

/// One commit as it is read.
#[derive(Debug)]
struct Commit {
    id: Oid,
    message: String,
    changes: Vec<Change>,
}

/// Lists the commits of a range, oldest first.
fn list(git: &Git, location: &Location, range: &str) -> Result<Vec<Oid>, RepoError> {
    let args = [
        "rev-list",
        "--no-merges",
        "--topo-order",
        "--reverse",
        // What begins with a dash is no range.
        "--end-of-options",
        range,
        "--",
    ];
    let mut found = Vec::new();
    git.records(&location.git_dir, &args, Vec::new(), b'\n', |record| {
        found.extend(Oid::from_hex(record).ok());
        if found.len() < MAX_COMMITS {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    })?;
    Ok(found)
}

/// Reads what some commits change, each against its parent.
fn changes(git: &Git, location: &Location, commits: &[Oid]) -> Result<Vec<Commit>, RepoError> {
    let mut stdin = Vec::with_capacity(commits.len() * 41);
    for id in commits {
        stdin.extend_from_slice(id.to_string().as_bytes());
        stdin.push(b'\n');
    }
    let args = [
        "log",
        "--stdin",
        "--no-walk=unsorted",
        "--root",
        "--raw",
        "-r",
        "-z",
        "--no-renames",
        "--no-abbrev",
        "--no-show-signature",
        "--format=tformat:%x01%H%x02%B",
    ];
    let mut parser = Parser::default();
    git.records(&location.git_dir, &args, stdin, 0, |record| {
        parser.feed(record);
        ControlFlow::Continue(())
    })?;
    Ok(parser.commits)
}

/// Takes the output of `git log --raw -z` apart: heads, and for each path its modes and names, then the path.
#[derive(Debug, Default)]
struct Parser {
    commits: Vec<Commit>,
    pending: Option<Sides>,
}

impl Parser {
    fn feed(&mut self, record: &[u8]) {
        if let Some((before, after)) = self.pending.take() {
            if let Some(commit) = self.commits.last_mut() {
                commit.changes.push(Change {
                    path: record.into(),
                    before,
                    after,
                });
            }
            return;
        }
        let record = record.strip_prefix(b"\n").unwrap_or(record);
        if let Some(head) = record.strip_prefix(b"\x01") {
            let end = head
                .iter()
                .position(|byte| *byte == 2)
                .unwrap_or(head.len());
            let (id, message) = head.split_at(end);
            if let Ok(id) = Oid::from_hex(id) {
                let message = String::from_utf8_lossy(message.get(1..).unwrap_or_default());
                let cut = message.floor_char_boundary(MAX_SUBJECT * 10);
                self.commits.push(Commit {
                    id,
                    message: message.get(..cut).unwrap_or_default().to_owned(),
                    changes: Vec::new(),
                });
            }
        } else if let Some(sides) = record.strip_prefix(b":") {
            self.pending = sides_of(sides);
        }
    }
}

/// Reads `<mode> <mode> <oid> <oid> <letter>`.
fn sides_of(sides: &[u8]) -> Option<Sides> {
    let mut words = sides.split(|byte| *byte == b' ');
    let modes = [words.next()?, words.next()?];
    let ids = [words.next()?, words.next()?];
    let side = |mode_digits: &[u8], id: &[u8]| {
        Some(Entry {
            mode: mode(mode_digits)?,
            id: Oid::from_hex(id).ok()?,
        })
    };
    let [old, new] = modes;
    let [from, to] = ids;
    Some((side(old, from), side(new, to)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_are_read_whatever_their_messages_and_paths_hold() {
        let one = "1".repeat(40);
        let two = "2".repeat(40);
        let zero = "0".repeat(40);
        let stream = format!(
            "\x01{one}\x02first\n\n:not a change\n\0\n:000000 100644 {zero} {two} A\0:a b\nc.py\0\
             \x01{two}\x02\0\n:100644 000000 {one} {zero} D\0gone.py\0"
        );
        let mut parser = Parser::default();
        for record in stream.strip_suffix('\0').unwrap().split('\0') {
            parser.feed(record.as_bytes());
        }
        assert_eq!(parser.commits.len(), 2);
        let first = &parser.commits[0];
        assert_eq!(first.message, "first\n\n:not a change\n");
        assert_eq!(first.changes[0].path.as_ref(), b":a b\nc.py");
        assert_eq!(first.changes[0].before, None);
        let second = &parser.commits[1].changes[0];
        assert!(second.before.is_some() && second.after.is_none());
    }
}
