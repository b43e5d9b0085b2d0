//! Reads heads and messages of commits, and what bends the history that git shows.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use jiff::Timestamp;
use tradewind_host::files;
use tradewind_host::git::Git;

use super::{Commit, History, Lines, Person};
use crate::error::RepoError;
use crate::location::Location;
use crate::oid::Oid;
use crate::tree::Unread;

/// What is kept of one message.
const MAX_MESSAGE_BYTES: usize = 64 * 1024;
/// Bound on the files of a git directory that are read here.
const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;
/// One record a commit, one line a field; no field but the last can hold a line feed.
const FORMAT: &str = "--format=%H%n%P%n%an%n%ae%n%ad%n%cn%n%ce%n%ct%n%B";

/// Returns the commits whose parents a shallow clone left out.
pub(super) fn shallow(location: &Location) -> HashSet<Oid> {
    let file = location.common_dir.join("shallow");
    let text = files::read_bounded(&file, MAX_FILE_BYTES).unwrap_or_default();
    text.split(|byte| *byte == b'\n')
        .filter_map(|line| Oid::from_hex(line.trim_ascii()).ok())
        .collect()
}

/// Reads the commits that `start` reaches in git's order: itself first, then by time.
pub(super) fn read(
    git: &Git,
    location: &Location,
    start: Oid,
    max: usize,
    history: &mut History,
) -> Result<(), RepoError> {
    let start = start.to_string();
    let limit = format!("--max-count={}", max.saturating_add(1));
    let args = [
        "log",
        "-z",
        FORMAT,
        "--date=raw",
        "--no-show-signature",
        "--no-notes",
        "--no-decorate",
        "--no-patch",
        limit.as_str(),
        start.as_str(),
        "--",
    ];
    let mut people = People::default();
    let commits = &mut history.commits;
    let mut odd = 0;
    let read = git.records(&location.git_dir, &args, Vec::new(), 0, |record| {
        match commit(record, &mut people) {
            Some(commit) => commits.push(commit),
            None => odd += 1,
        }
        ControlFlow::Continue(())
    });
    history.people = people.list;
    if odd > 0 {
        history.unread("commits", format!("{odd} have heads of an unknown form"));
    }
    match read {
        Ok(_) => {}
        // What came before the damage is history all the same.
        Err(error) if error.exit_code().is_some() => {
            let last = history.commits.last().map(|commit| commit.committed_at);
            let what = last.map_or_else(
                || "history".to_owned(),
                |at| format!("history before {}", at.strftime("%Y-%m-%d")),
            );
            history.unread(&what, error.to_string());
        }
        Err(error) => return Err(error.into()),
    }
    if history.commits.len() > max {
        history.commits.truncate(max);
        let last = history.commits.last().map(|commit| commit.committed_at);
        let day = last.map(|at| at.strftime("%Y-%m-%d").to_string());
        let what = format!("history before {}", day.unwrap_or_default());
        history.unread(&what, format!("only the newest {max} commits are read"));
    }
    if history.is_shallow {
        let last = history.commits.last().map(|commit| commit.committed_at);
        let day = last.map(|at| at.strftime("%Y-%m-%d").to_string());
        let what = format!("history before {}", day.unwrap_or_default());
        history.unread(&what, "the clone is shallow".to_owned());
    }
    Ok(())
}

/// Returns the commit of HEAD; `None` when there is none yet or it is not there.
pub(super) fn head(
    git: &Git,
    location: &Location,
    unread: &mut Vec<Unread>,
) -> Result<Option<Oid>, RepoError> {
    if let Some(head) = crate::tree::head(git, location)? {
        return Ok(Some(head));
    }
    let named = git.run_blocking(
        &location.git_dir,
        &["rev-parse", "--verify", "--quiet", "HEAD"],
    );
    if let Ok(named) = named {
        unread.push(Unread {
            what: "history".to_owned(),
            reason: format!(
                "HEAD leads to {}, which is not in this repository",
                String::from_utf8_lossy(named.trim_ascii_end())
            ),
        });
    }
    Ok(None)
}

/// Takes records of `git log` apart.
#[cfg(any(test, feature = "fuzz"))]
pub(super) fn fuzz(answer: &[u8], history: &mut History) {
    let mut people = People::default();
    let records = answer.split(|byte| *byte == 0);
    history.commits = records
        .filter_map(|record| commit(record, &mut people))
        .collect();
    history.people = people.list;
    for commit in &history.commits {
        let last = commit.author.max(commit.committer);
        assert!((last as usize) < history.people.len());
    }
}

fn commit(record: &[u8], people: &mut People) -> Option<Commit> {
    let mut fields = record.splitn(9, |byte| *byte == b'\n');
    let id = Oid::from_hex(fields.next()?).ok()?;
    let parents = fields
        .next()?
        .split(|byte| *byte == b' ')
        .filter_map(|parent| Oid::from_hex(parent).ok())
        .collect();
    let author = people.id(fields.next()?, fields.next()?);
    let (authored_at, authored_offset_minutes) = date(fields.next()?);
    let committer = people.id(fields.next()?, fields.next()?);
    let committed_at = date(fields.next()?).0;
    let message = fields.next()?;
    let message = message.get(..MAX_MESSAGE_BYTES).unwrap_or(message);
    let message = String::from_utf8_lossy(message);
    Some(Commit {
        id,
        parents,
        author,
        committer,
        authored_at,
        authored_offset_minutes,
        committed_at,
        message: message.trim_end().into(),
        changes: Box::default(),
        lines: Lines::Unasked,
        first_tag: None,
        is_on_main_line: false,
    })
}

/// Reads `<seconds> [<offset>]`; what is no time is 1970, as git shows it.
pub(super) fn date(text: &[u8]) -> (Timestamp, i16) {
    let text = std::str::from_utf8(text).unwrap_or_default();
    let (seconds, offset) = text.split_once(' ').unwrap_or((text, ""));
    let at = seconds
        .parse()
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok());
    let minutes = offset.parse::<i16>().map_or(0, |offset| {
        let (hours, minutes) = (offset / 100, offset % 100);
        hours.saturating_mul(60).saturating_add(minutes)
    });
    (at.unwrap_or(Timestamp::UNIX_EPOCH), minutes)
}

type NameAndEmail = (Box<[u8]>, Box<[u8]>);

/// Gives each person a number.
#[derive(Default)]
struct People {
    known: HashMap<NameAndEmail, u32>,
    list: Vec<Person>,
}

impl People {
    fn id(&mut self, name: &[u8], email: &[u8]) -> u32 {
        let key = (name.into(), email.into());
        if let Some(id) = self.known.get(&key) {
            return *id;
        }
        let id = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        self.list.push(Person {
            name: String::from_utf8_lossy(name).into(),
            email: String::from_utf8_lossy(email).into(),
        });
        self.known.insert(key, id);
        id
    }
}

/// Says where what git shows differs from what the commits say: grafts are obeyed by git, replacements are
/// switched off.
pub(super) fn tell_what_bends_history(git: &Git, location: &Location, history: &mut History) {
    if location.common_dir.join("info").join("grafts").is_file() {
        let reason = "info/grafts gives commits other parents than they name; git obeys it";
        history.unread("parents of grafted commits", reason.to_owned());
    }
    let args = [
        "for-each-ref",
        "--count=1",
        "--format=%(refname)",
        "refs/replace",
    ];
    if let Ok(answer) = git.run_blocking(&location.git_dir, &args)
        && !answer.trim_ascii().is_empty()
    {
        let reason = "refs/replace is not obeyed: commits are told as they are";
        history.unread("replacements of commits", reason.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_all_ages_are_read_and_nonsense_is_1970() {
        let at = |text: &str| {
            let (at, offset) = date(text.as_bytes());
            (at.as_second(), offset)
        };
        assert_eq!(at("1700000000 +0530"), (1_700_000_000, 330));
        assert_eq!(at("1700000000 -0930"), (1_700_000_000, -570));
        assert_eq!(at("1700000000"), (1_700_000_000, 0));
        assert_eq!(at("99999999999999999999 +0000"), (0, 0));
        assert_eq!(at(""), (0, 0));
        assert_eq!(at("5 +99999"), (5, 0));
    }
}
