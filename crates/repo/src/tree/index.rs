//! The index with names of contents and the stamps by which git itself tells that a file is unchanged.
//!
//! Only `git ls-files` is asked: it opens no file of the work tree. The stamps come from its `--debug`
//! lines; where those have another form a file's name of content is unknown, never wrong.

use std::ops::ControlFlow;
use std::sync::Arc;

use tradewind_host::git::Git;

use super::FileKind;
use crate::error::RepoError;
use crate::location::Location;
use crate::oid::Oid;
use crate::stamp::Stamp;
use crate::worktree::Tracked;

/// Lines that `--debug` writes for one path.
const DEBUG_LINES: usize = 5;

/// Tracked paths and what the index says about each, by the same places.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) tracked: Arc<Tracked>,
    pub(super) facts: Vec<Fact>,
    written: Option<Stamp>,
}

/// What the index says about one path.
#[derive(Clone, Debug)]
pub(super) struct Fact {
    pub(super) kind: FileKind,
    /// `None` in a conflict.
    pub(super) id: Option<Oid>,
    stat: Option<Stat>,
}

/// What git remembers of a file at its last look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Stat {
    ctime_ns: i64,
    mtime_ns: i64,
    ino: u64,
    size: u64,
}

impl Index {
    pub(super) fn read(git: &Git, location: &Location) -> Result<Self, RepoError> {
        let path = location.index();
        let written = Stamp::of(&path).map_err(RepoError::read(&path))?;
        let mut tracked = Tracked::default();
        let mut facts: Vec<Fact> = Vec::new();
        if written.is_some() {
            let args = ["ls-files", "-z", "-s", "-t", "--debug"];
            git.records(&location.top, &args, Vec::new(), 0, |record| {
                let (stat, record) = split(record);
                if let (Some(stat), Some(last)) = (stat, facts.last_mut()) {
                    last.stat = Some(stat);
                }
                // What follows the last path is its debug lines only.
                if record.is_empty() {
                    return ControlFlow::Continue(());
                }
                let before = tracked.len();
                tracked.push(record);
                if tracked.len() > before {
                    facts.push(fact(record));
                } else if let Some(last) = facts.last_mut() {
                    last.id = None;
                }
                ControlFlow::Continue(())
            })?;
        }
        Ok(Self {
            tracked: Arc::new(tracked),
            facts,
            written,
        })
    }

    /// Returns the name of a file's content when its stamp proves that it is what the index says.
    pub(super) fn id_if_unchanged(&self, fact: &Fact, stamp: &Stamp) -> Option<Oid> {
        let (stat, written) = (fact.stat?, self.written?);
        let is_same = stat
            == Stat {
                ctime_ns: stamp.ctime_ns,
                mtime_ns: stamp.mtime_ns,
                ino: stamp.ino & u64::from(u32::MAX),
                size: stamp.size & u64::from(u32::MAX),
            };
        // A write just before the index was written leaves no trace in the stamp.
        (is_same && !stamp.is_racy(written.mtime_ns))
            .then_some(fact.id)
            .flatten()
    }
}

fn fact(record: &[u8]) -> Fact {
    let mut words = record
        .split(|byte| matches!(byte, b' ' | b'\t'))
        .map(|word| std::str::from_utf8(word).unwrap_or_default());
    let (_, mode, id, stage) = (words.next(), words.next(), words.next(), words.next());
    Fact {
        kind: kind(mode.unwrap_or_default()),
        id: id
            .filter(|_| stage == Some("0"))
            .and_then(|id| id.parse().ok()),
        stat: None,
    }
}

/// Names what a mode of git says.
pub(super) fn kind(mode: &str) -> FileKind {
    match mode {
        "100755" => FileKind::Executable,
        "120000" => FileKind::Link,
        "160000" => FileKind::Submodule,
        _ => FileKind::Regular,
    }
}

/// Takes the debug lines of the path before off a record.
fn split(record: &[u8]) -> (Option<Stat>, &[u8]) {
    if !record.starts_with(b"  ctime: ") {
        return (None, record);
    }
    let mut rest = record;
    let mut stat = Some(Stat::default());
    for _ in 0..DEBUG_LINES {
        let Some(at) = rest.iter().position(|byte| *byte == b'\n') else {
            return (None, &[]);
        };
        let (line, tail) = rest.split_at(at);
        rest = tail.get(1..).unwrap_or_default();
        stat = stat.and_then(|stat| take(stat, line));
    }
    (stat, rest)
}

/// Reads one debug line into `stat`; `None` when a number is none.
fn take(mut stat: Stat, line: &[u8]) -> Option<Stat> {
    let line = std::str::from_utf8(line).ok()?;
    for field in line.split('\t') {
        let (name, value) = field.trim_start().split_once(": ")?;
        match name {
            "ctime" => stat.ctime_ns = time(value)?,
            "mtime" => stat.mtime_ns = time(value)?,
            "ino" => stat.ino = value.parse().ok()?,
            "size" => stat.size = value.parse().ok()?,
            _ => {}
        }
    }
    Some(stat)
}

/// Reads `<seconds>:<nanoseconds>`.
fn time(value: &str) -> Option<i64> {
    let (seconds, ns) = value.split_once(':')?;
    let seconds: i64 = seconds.parse().ok()?;
    seconds
        .checked_mul(1_000_000_000)?
        .checked_add(ns.parse().ok()?)
}

/// Takes records of `git ls-files` apart.
#[cfg(any(test, feature = "fuzz"))]
pub(super) fn fuzz(answer: &[u8]) {
    for record in answer.split(|byte| *byte == 0) {
        let (_, rest) = split(record);
        assert!(record.ends_with(rest));
        let _ = fact(rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_lines_belong_to_the_path_before() {
        let record = b"  ctime: 5:7\n  mtime: 6:8\n  dev: 1\tino: 9\n  uid: 0\tgid: 0\n  size: 3\tflags: 0\nH 100644 x 0\ta";
        let (stat, rest) = split(record);
        assert_eq!(rest, b"H 100644 x 0\ta");
        let expected = Stat {
            ctime_ns: 5_000_000_007,
            mtime_ns: 6_000_000_008,
            ino: 9,
            size: 3,
        };
        assert_eq!(stat, Some(expected));
        assert_eq!(split(b"  ctime: x\n").0, None);
        assert_eq!(split(b"H 1 2 3\tf").1, b"H 1 2 3\tf");
    }
}
