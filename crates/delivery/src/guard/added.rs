//! What comes: environments, large files, credentials, marks of an unfinished merge.
//!
//! One look at each new content, whatever its path. What was in the file before is a baseline: only what the
//! commit adds is told.

mod generated;
mod merge;
mod secret;

use std::collections::{HashMap, HashSet};

use tradewind_repo::{Oid, RepoError};

use crate::staged::{Change, Entry, Mode};

use super::{
    Blob, Contents, Evidence, How, Judgement, Kind, Next, Question, Stop, gone, shell, text,
};

/// Longer contents are data: their length is judged, not their bytes.
pub(super) const MAX_READ_BYTES: u64 = 1024 * 1024;
/// Names of the content that is nothing, in both kinds of repository.
const EMPTY: [&str; 2] = [
    "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
    "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813",
];

/// What was seen of the new contents.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// Contents that are nothing or blanks only.
    empty: HashSet<Oid>,
}

impl Look {
    pub(super) fn is_empty(&self, id: &Oid) -> bool {
        self.empty.contains(id)
    }
}

/// Looks at every content that is new, and tells what is wrong with what comes.
pub(super) fn look(
    question: &Question<'_>,
    contents: &dyn Contents,
    judgement: &mut Judgement,
) -> Result<Look, RepoError> {
    let mut look = Look::default();
    look.empty
        .extend(EMPTY.iter().filter_map(|name| name.parse::<Oid>().ok()));
    let mut by_id: HashMap<Oid, Vec<&Change>> = HashMap::new();
    let mut made: Vec<&Change> = Vec::new();
    let mut ids: Vec<Oid> = Vec::new();
    for change in question.changes {
        let Some(after) = new_content(change) else {
            continue;
        };
        if change.before.is_none() && generated::is_made(&change.path) {
            // What is in an environment is told once, for its root.
            if !question.policy.allows(&text(&change.path)) {
                made.push(change);
            }
            continue;
        }
        let of_id = by_id.entry(after.id).or_default();
        if of_id.is_empty() {
            ids.push(after.id);
        }
        of_id.push(change);
    }
    let mut suspects: Vec<secret::Suspect<'_>> = Vec::new();
    let mut merges: Vec<merge::Suspect<'_>> = Vec::new();
    let mut large: Vec<(&Change, u64)> = Vec::new();
    contents.blobs(&ids, MAX_READ_BYTES, &mut |Blob { id, size, bytes }| {
        let changes = by_id.get(&id).map_or(&[][..], Vec::as_slice);
        if size >= question.policy.least_max_bytes() {
            large.extend(changes.iter().map(|change| (*change, size)));
        }
        let Some(bytes) = bytes else { return };
        if bytes.iter().all(u8::is_ascii_whitespace) {
            look.empty.insert(id);
            return;
        }
        for change in changes {
            suspects.extend(secret::of(change, bytes));
        }
        if let Some(line) = merge::mark(bytes) {
            merges.extend(changes.iter().map(|change| merge::Suspect { change, line }));
        }
    })?;
    if !made.is_empty() {
        generated::tell(question, contents, &made, judgement)?;
    }
    large_files(question, contents, &large, judgement)?;
    secret::tell(question, contents, suspects, judgement)?;
    merge::tell(contents, merges, judgement)?;
    Ok(look)
}

/// Returns what a path becomes where its content is new.
fn new_content(change: &Change) -> Option<Entry> {
    let after = change.after?;
    let is_file = matches!(after.mode, Mode::Regular | Mode::Executable);
    let is_new = change.before.is_none_or(|before| before.id != after.id);
    (is_file && is_new).then_some(after)
}

fn large_files(
    question: &Question<'_>,
    contents: &dyn Contents,
    large: &[(&Change, u64)],
    judgement: &mut Judgement,
) -> Result<(), RepoError> {
    if large.is_empty() {
        return Ok(());
    }
    // What was large before is no news.
    let before: Vec<Oid> = large
        .iter()
        .filter_map(|(change, _)| Some(change.before?.id))
        .collect();
    let mut sizes: HashMap<Oid, u64> = HashMap::new();
    contents.blobs(&before, 0, &mut |blob| {
        sizes.insert(blob.id, blob.size);
    })?;
    for (change, size) in large {
        let path = text(&change.path);
        let max = question.policy.max_bytes(&path);
        let was_large = change
            .before
            .and_then(|before| sizes.get(&before.id))
            .is_some_and(|before| *before >= max);
        if *size < max || was_large || question.policy.allows(&path) {
            continue;
        }
        judgement.tell(Stop {
            kind: Kind::LargeFile,
            what: format!(
                "{path} has {} and stays in every clone for ever (at most {} here).",
                mebibytes(*size),
                mebibytes(max)
            ),
            evidence: vec![Evidence {
                path: path.to_string(),
                line: None,
                how: How::Here,
                note: mebibytes(*size),
            }],
            more: 0,
            next: vec![unstage(&path), ignore(&path), gone::allow(&path)],
            path: path.into_owned(),
        });
    }
    Ok(())
}

fn mebibytes(bytes: u64) -> String {
    let tenths = bytes.saturating_mul(10) / (1024 * 1024);
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

/// The command that leaves a new path out of the commit and on disk.
fn unstage(path: &str) -> Next {
    Next {
        does: "leave it out of the commit; it stays on disk".to_owned(),
        command: format!("git rm -r --cached --quiet -- {}", shell(path)),
    }
}

/// The command that keeps a path, or what a pattern matches, out from now on.
fn ignore(path: &str) -> Next {
    let line = if path.starts_with('*') {
        path.to_owned()
    } else {
        format!("/{path}")
    };
    Next {
        does: "keep it out from now on".to_owned(),
        command: format!("echo {} >> .gitignore", shell(&line)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::{GuardSection, Policy};
    use super::super::memory::{Memory, stops};

    #[test]
    fn an_environment_is_told_once_and_only_where_git_has_none() {
        let found = stops(
            &[("bot.py", "x = 1\n")],
            &[
                ("bot.py", "x = 1\n"),
                (".venv/pyvenv.cfg", "home = /usr\n"),
                (".venv/lib/python3.11/site-packages/six.py", "y = 1\n"),
                ("__pycache__/bot.cpython-311.pyc", "z\n"),
            ],
        );
        assert_eq!(
            found,
            ["generated-tree .venv", "generated-tree __pycache__"]
        );
        let known = [("venv/lib/python3.11/site-packages/six.py", "y = 1\n")];
        let more = [known[0], ("venv/lib/python3.11/site-packages/a.py", "a\n")];
        assert!(stops(&known, &more).is_empty());
    }

    #[test]
    fn a_credential_is_told_when_it_is_new_and_its_value_never() {
        let value = ["AKIA", "Q7RZ3MNP5XVBW2LD"].concat();
        let old = format!("KEY = \"{value}\"\n");
        let new = format!("{old}OTHER = 1\n");
        let found = stops(&[], &[("bot.py", &old)]);
        assert_eq!(found, ["secret bot.py"]);
        assert!(stops(&[("bot.py", &old)], &[("bot.py", &new)]).is_empty());
        let memory = Memory::new(&[], &[("bot.py", &old)]);
        let judgement = memory.judge(&Policy::default(), None);
        assert!(!format!("{judgement:?}").contains(&value));
        assert_eq!(judgement.stops[0].evidence[0].line, Some(1));
    }

    #[test]
    fn what_is_allowed_may_be_made_or_large_and_gives_nothing_away() {
        let policy = Policy::new(&GuardSection {
            allow: vec!["attic/**".into()],
            ..GuardSection::default()
        });
        let value = ["AKIA", "Q7RZ3MNP5XVBW2LD"].concat();
        let key = format!("KEY = \"{value}\"\n");
        let after = [
            ("attic/a.py", key.as_str()),
            ("attic/venv/pyvenv.cfg", "home = /usr\n"),
        ];
        let judgement = Memory::new(&[], &after).judge(&policy, None);
        let paths: Vec<&str> = judgement
            .stops
            .iter()
            .map(|stop| stop.path.as_str())
            .collect();
        assert_eq!(paths, ["attic/a.py"]);
    }

    #[test]
    fn a_large_file_is_told_unless_it_was_large_before_or_lies_with_data() {
        let policy = Policy::new(&GuardSection {
            max_file_bytes: 10.try_into().unwrap(),
            max_data_bytes: 100.try_into().unwrap(),
            ..GuardSection::default()
        });
        let long = "0123456789abcdef";
        let longer = "0123456789abcdef0";
        let kinds = |before: &[(&str, &str)], after: &[(&str, &str)]| -> usize {
            let memory = Memory::new(before, after);
            memory.judge(&policy, None).stops.len()
        };
        assert_eq!(kinds(&[], &[("model.bin", long)]), 1);
        assert_eq!(kinds(&[], &[("data/bars.csv", long)]), 0);
        assert_eq!(kinds(&[("model.bin", long)], &[("model.bin", longer)]), 0);
    }
}
