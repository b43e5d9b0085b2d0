//! Walks the new part of history: one `git log` from every new tip to everything known.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Write as _;
use std::ops::ControlFlow;

use jiff::Timestamp;
use tradewind_host::git::Git;

use super::labels;
use crate::error::RepoError;
use crate::location::Location;
use crate::oid::Oid;
use crate::refs::RefsView;

/// Bound on a title, in characters.
pub(super) const MAX_TITLE_CHARS: usize = 200;
/// Bound on an author's name, in characters.
const MAX_AUTHOR_CHARS: usize = 200;
/// RFC 3339 has years of four digits; git takes any number.
const MIN_SECOND: i64 = -62_135_596_800;
const MAX_SECOND: i64 = 253_402_207_200;

/// A commit that was not known before.
#[derive(Clone, Debug)]
pub(super) struct Commit {
    pub(super) oid: Oid,
    pub(super) parents: Vec<Oid>,
    pub(super) author: String,
    pub(super) authored_at: Timestamp,
    pub(super) committed_at: Timestamp,
    pub(super) title: String,
    pub(super) reference: Option<String>,
}

const FORMAT: &str = "--format=tformat:%H%n%P%n%at%n%ct%n%an%n%s";

/// Returns the commits that are new, parents before children.
pub(super) fn new_commits(
    git: &Git,
    location: &Location,
    before: &RefsView,
    after: &RefsView,
    visited: &[Oid],
    problems: &mut Vec<String>,
) -> Result<Vec<Commit>, RepoError> {
    let known: BTreeSet<Oid> = before
        .tips()
        .chain(before.history.iter().copied())
        .collect();
    let tips: Vec<Oid> = after.tips().chain(visited.iter().copied()).collect();
    let tips: BTreeSet<Oid> = tips
        .into_iter()
        .filter(|oid| !known.contains(oid))
        .collect();
    if tips.is_empty() {
        return Ok(Vec::new());
    }
    let mut commits = match walk(git, location, &tips, &known) {
        Ok(commits) => commits,
        Err(RepoError::Git(error)) if error.exit_code().is_some() => {
            problems.push(format!(
                "history is incomplete, only the tips are told: {error}"
            ));
            tips_alone(git, location, &tips)?
        }
        Err(error) => return Err(error),
    };
    // Children come first here, so a label travels from a tip down to what it brought in.
    let mut references: HashMap<Oid, String> = labels(after).into_iter().collect();
    for commit in &mut commits {
        let Some(reference) = references.get(&commit.oid).cloned() else {
            continue;
        };
        for parent in &commit.parents {
            references
                .entry(*parent)
                .or_insert_with(|| reference.clone());
        }
        commit.reference = Some(reference);
    }
    commits.reverse();
    Ok(commits)
}

fn walk(
    git: &Git,
    location: &Location,
    tips: &BTreeSet<Oid>,
    known: &BTreeSet<Oid>,
) -> Result<Vec<Commit>, RepoError> {
    let mut input = Vec::with_capacity((tips.len() + known.len()) * 42);
    for oid in tips {
        writeln!(input, "{oid}").unwrap_or_default();
    }
    for oid in known {
        writeln!(input, "^{oid}").unwrap_or_default();
    }
    let args = [
        "log",
        "--stdin",
        "--ignore-missing",
        "--topo-order",
        "-z",
        FORMAT,
    ];
    read_log(git, location, &args, input)
}

/// Where the walk breaks off because objects are missing, what stands at the tips can still be told.
fn tips_alone(
    git: &Git,
    location: &Location,
    tips: &BTreeSet<Oid>,
) -> Result<Vec<Commit>, RepoError> {
    let mut commits = Vec::new();
    for oid in tips {
        let oid = oid.to_string();
        let args = ["log", "--no-walk", "--ignore-missing", "-z", FORMAT, &oid];
        match read_log(git, location, &args, Vec::new()) {
            Ok(one) => commits.extend(one),
            Err(RepoError::Git(error)) if error.exit_code().is_some() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(commits)
}

fn read_log(
    git: &Git,
    location: &Location,
    args: &[&str],
    input: Vec<u8>,
) -> Result<Vec<Commit>, RepoError> {
    let mut commits = Vec::new();
    let mut strange = None;
    git.records(&location.git_dir, args, input, 0, |record| {
        if let Some(commit) = parse(record) {
            commits.push(commit);
            return ControlFlow::Continue(());
        }
        strange = Some(String::from_utf8_lossy(record).chars().take(200).collect());
        ControlFlow::Break(())
    })?;
    match strange {
        Some(text) => Err(RepoError::Answer {
            command: "log",
            text,
        }),
        None => Ok(commits),
    }
}

fn parse(record: &[u8]) -> Option<Commit> {
    let mut lines = record.splitn(6, |byte| *byte == b'\n');
    let oid = Oid::from_hex(lines.next()?).ok()?;
    let parents = lines
        .next()?
        .split(|byte| *byte == b' ')
        .filter(|word| !word.is_empty());
    let parents = parents.map(Oid::from_hex).collect::<Result<_, _>>().ok()?;
    let authored_at = clamped_time(lines.next()?);
    let committed_at = clamped_time(lines.next()?);
    let author = printable(lines.next()?, MAX_AUTHOR_CHARS);
    let title = printable(lines.next()?, MAX_TITLE_CHARS);
    Some(Commit {
        oid,
        parents,
        author,
        authored_at,
        committed_at,
        title,
        reference: None,
    })
}

/// Reads seconds since 1970; what is no number, or beyond the years 1 to 9999, becomes the nearest
/// time that can be written down.
fn clamped_time(seconds: &[u8]) -> Timestamp {
    let text = std::str::from_utf8(seconds).unwrap_or_default().trim();
    let is_negative = text.starts_with('-');
    let second = text
        .parse::<i64>()
        .unwrap_or_else(|error| match error.kind() {
            std::num::IntErrorKind::PosOverflow => i64::MAX,
            std::num::IntErrorKind::NegOverflow => i64::MIN,
            _ if is_negative => i64::MIN,
            _ => 0,
        });
    Timestamp::from_second(second.clamp(MIN_SECOND, MAX_SECOND)).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Makes text of bytes from outside: invalid UTF-8 replaced, control characters gone, cut.
fn printable(bytes: &[u8], max_chars: usize) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars()
        .filter(|c| !c.is_control())
        .take(max_chars)
        .collect::<String>()
        .trim()
        .to_owned()
}

/// Finds the commits that tags stand for. What cannot be read is left out.
pub(super) fn peel(git: &Git, location: &Location, oids: &[Oid]) -> BTreeMap<Oid, Oid> {
    let mut peeled = BTreeMap::new();
    if oids.is_empty() {
        return peeled;
    }
    let mut input = Vec::new();
    for oid in oids {
        writeln!(input, "{oid}^{{}}").unwrap_or_default();
    }
    let args = ["cat-file", "--batch-check=%(objectname)"];
    let Ok(answer) = git.run_with_stdin(&location.git_dir, &args, input) else {
        return peeled;
    };
    for (oid, line) in oids.iter().zip(answer.split(|byte| *byte == b'\n')) {
        // A missing object is answered by `<name> missing`.
        if let Ok(target) = Oid::from_hex(line) {
            peeled.insert(*oid, target);
        }
    }
    peeled
}

/// Takes records of `git log` apart.
#[cfg(any(test, feature = "fuzz"))]
pub(super) fn fuzz(answer: &[u8]) {
    for commit in answer.split(|byte| *byte == 0).filter_map(parse) {
        assert!(commit.title.chars().count() <= MAX_TITLE_CHARS + 1);
        assert!(!commit.title.chars().any(char::is_control));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absurd_dates_are_clamped() {
        let cases = [
            ("0", "1970-01-01T00:00:00Z"),
            ("99999999999999999999999", "9999-12-30T22:00:00Z"),
            ("-99999999999999999999999", "0001-01-01T00:00:00Z"),
            ("18446744073709551615", "9999-12-30T22:00:00Z"),
            ("", "1970-01-01T00:00:00Z"),
        ];
        for (text, expected) in cases {
            assert_eq!(
                clamped_time(text.as_bytes()).to_string(),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn titles_hold_no_control_characters_and_end_at_the_bound() {
        let bytes = [b"a\x1b[31m\xff\r".as_slice(), "x".repeat(300).as_bytes()].concat();
        let title = printable(&bytes, MAX_TITLE_CHARS);
        assert!(title.starts_with("a[31m\u{fffd}x"), "{title}");
        assert_eq!(title.chars().count(), MAX_TITLE_CHARS);
    }
}
