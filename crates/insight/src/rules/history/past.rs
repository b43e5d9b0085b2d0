//! What several rules of this area ask: the commits in the order they were made, how many files there were
//! before each, what a path is for, how a commit is quoted.

use std::collections::HashMap;

use jiff::tz::TimeZone;
use tradewind_repo::Oid;
use tradewind_repo::history::{Commit, Deed, History};

use crate::finding::Evidence;
use crate::rule::{Context, Findings};

/// Evidence of one finding, before "and N more".
pub(super) const MAX_EVIDENCE: usize = 20;
/// Characters quoted of a subject.
const MAX_SUBJECT: usize = 72;

/// Commits, the oldest first, each with the number of files before it.
pub(super) struct Past<'a> {
    pub(super) history: &'a History,
    /// Oldest first.
    pub(super) steps: Vec<Step<'a>>,
}

/// One commit.
#[derive(Clone, Copy)]
pub(super) struct Step<'a> {
    pub(super) commit: &'a Commit,
    /// Files that its first parent held; about right behind merges.
    pub(super) files_before: usize,
}

impl<'a> Past<'a> {
    /// Puts the history in order; `None`, and said as not checked, when there is none.
    pub(super) fn of(context: &Context<'a>, findings: &mut Findings) -> Option<Self> {
        let history = context.history;
        if history.commits.is_empty() {
            findings.not_checked("there are no commits to look at");
            return None;
        }
        if history.is_shallow {
            findings.not_checked(format!(
                "the clone is shallow: only {} commits were looked at",
                history.commits.len()
            ));
        }
        let mut files: HashMap<Oid, usize> = HashMap::new();
        let steps = history.commits.iter().rev().map(|commit| {
            let parents = commit
                .parents
                .iter()
                .filter_map(|id| files.get(id).copied());
            // A merge brings what the other side added.
            let before = parents.max().unwrap_or(0);
            let count = |deed: fn(&Deed) -> bool| {
                let changes = commit.changes.iter();
                changes.filter(|change| deed(&change.deed)).count()
            };
            let added = count(|deed| *deed == Deed::Added);
            let deleted = count(|deed| *deed == Deed::Deleted);
            files.insert(commit.id, (before + added).saturating_sub(deleted));
            Step {
                commit,
                files_before: before,
            }
        });
        Some(Self {
            steps: steps.collect(),
            history,
        })
    }
}

/// Quotes a subject.
pub(super) fn quoted(commit: &Commit) -> String {
    let subject = commit.subject().trim();
    if subject.is_empty() {
        return "(no message)".to_owned();
    }
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let cut: String = subject.chars().map(clean).take(MAX_SUBJECT).collect();
    let more = if cut.len() < subject.len() { "…" } else { "" };
    format!("\"{cut}{more}\"")
}

/// Older commits are habits that nobody can change any more.
const MAX_AGE_DAYS: i32 = 365;

/// Says whether a commit is young enough to change how the next one is made.
pub(super) fn is_recent(context: &Context<'_>, commit: &Commit) -> bool {
    let day = commit.authored_at.to_zoned(TimeZone::UTC).date();
    (context.today - day).get_days() <= MAX_AGE_DAYS
}

/// Quotes a commit with its day.
pub(super) fn dated(commit: &Commit) -> String {
    format!("{} of {}", quoted(commit), day(commit))
}

/// The day a commit was written on, by its author's clock.
pub(super) fn day(commit: &Commit) -> String {
    let seconds = i64::from(commit.authored_offset_minutes) * 60;
    let local = commit.authored_at.as_second().saturating_add(seconds);
    jiff::Timestamp::from_second(local)
        .unwrap_or(commit.authored_at)
        .strftime("%Y-%m-%d")
        .to_string()
}

/// Cuts evidence at its bound and says how much is left out.
pub(super) fn bounded(mut evidence: Vec<Evidence>) -> Vec<Evidence> {
    let more = evidence.len().saturating_sub(MAX_EVIDENCE);
    if more > 0 {
        evidence.truncate(MAX_EVIDENCE);
        evidence.push(Evidence::repository(format!("and {more} more")));
    }
    evidence
}

/// Shows a path on one line and within its bound.
pub(super) fn shown(path: &str) -> String {
    let mut text: String = path.chars().flat_map(char::escape_debug).take(80).collect();
    if text.len() < path.len() {
        text.push('…');
    }
    text
}

/// Says `1 file`, `3 files`.
pub(super) fn counted(count: usize, one: &str, many: &str) -> String {
    if count == 1 {
        format!("1 {one}")
    } else {
        format!("{count} {many}")
    }
}

/// Says a size in the unit a person would use.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..1_024 => format!("{bytes} B"),
        1_024..1_048_576 => format!("{} KiB", bytes / 1_024),
        _ => format!(
            "{}.{} MiB",
            bytes / 1_048_576,
            bytes % 1_048_576 * 10 / 1_048_576
        ),
    }
}

/// Says whether a path can stand in a command as it is.
pub(super) fn is_plain(path: &str) -> bool {
    !path.starts_with('-')
        && path
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._/-+".contains(&byte))
}

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Purpose {
    Source,
    Scripts,
    Tests,
    Documents,
    Ci,
    Containers,
    Packaging,
    Data,
    Settings,
    Other,
}

impl Purpose {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Scripts => "scripts",
            Self::Tests => "tests",
            Self::Documents => "documents",
            Self::Ci => "CI",
            Self::Containers => "containers",
            Self::Packaging => "packaging",
            Self::Data => "data",
            Self::Settings => "settings",
            Self::Other => "other files",
        }
    }
}

/// Tells from its path what a file is for.
pub(super) fn purpose(path: &str) -> Purpose {
    let lower = path.to_ascii_lowercase();
    let (folders, name) = lower.rsplit_once('/').unwrap_or(("", lower.as_str()));
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let is_in = |names: &[&str]| folders.split('/').any(|folder| names.contains(&folder));
    if is_in(&["test", "tests", "testing", "spec", "__tests__", "e2e"])
        || folders.split('/').any(|folder| folder.ends_with("_tests"))
        || name.starts_with("test_")
        || name == "conftest.py"
        || ["_test.", ".test.", ".tests.", ".spec.", "_tests."]
            .iter()
            .any(|mark| name.contains(mark))
    {
        return Purpose::Tests;
    }
    if folders.starts_with(".github/workflows")
        || folders.starts_with(".circleci")
        || matches!(
            name,
            ".gitlab-ci.yml" | ".travis.yml" | "jenkinsfile" | "azure-pipelines.yml"
        )
    {
        return Purpose::Ci;
    }
    if name.starts_with("dockerfile")
        || name.ends_with(".dockerfile")
        || name.starts_with("docker-compose")
        || name == ".dockerignore"
    {
        return Purpose::Containers;
    }
    if name.starts_with("requirements")
        || matches!(
            name,
            "pyproject.toml"
                | "setup.py"
                | "setup.cfg"
                | "package.json"
                | "package-lock.json"
                | "poetry.lock"
                | "pipfile"
                | "pipfile.lock"
                | "uv.lock"
                | "cargo.toml"
                | "cargo.lock"
                | "yarn.lock"
                | "environment.yml"
                | "manifest.in"
        )
    {
        return Purpose::Packaging;
    }
    match ending {
        "md" | "rst" | "adoc" => Purpose::Documents,
        _ if matches!(name, "license" | "changelog" | "readme" | "authors") => Purpose::Documents,
        "txt" if is_in(&["docs", "doc"]) => Purpose::Documents,
        "sh" | "bash" | "ps1" | "bat" | "cmd" => Purpose::Scripts,
        _ if is_code(ending)
            && !folders.starts_with("src/")
            && is_in(&["scripts", "tools", "bin"]) =>
        {
            Purpose::Scripts
        }
        _ if is_code(ending) => Purpose::Source,
        "csv" | "parquet" | "feather" | "pkl" | "pickle" | "h5" | "npy" | "npz" | "db"
        | "sqlite" | "zip" | "gz" | "joblib" | "txt" | "log" | "xlsx" => Purpose::Data,
        "toml" | "yaml" | "yml" | "ini" | "cfg" | "conf" | "json" | "env" => Purpose::Settings,
        _ => Purpose::Other,
    }
}

fn is_code(ending: &str) -> bool {
    matches!(
        ending,
        "py" | "pyi"
            | "pyx"
            | "ipynb"
            | "js"
            | "jsx"
            | "mjs"
            | "ts"
            | "tsx"
            | "rs"
            | "go"
            | "c"
            | "cc"
            | "cpp"
            | "h"
            | "hpp"
            | "java"
            | "kt"
            | "rb"
            | "php"
            | "cs"
            | "swift"
            | "r"
            | "jl"
            | "sql"
            | "html"
            | "css"
            | "scss"
            | "vue"
            | "svelte"
            | "mq4"
            | "mq5"
            | "pine"
    )
}

/// Subjects that say nothing, in lower case without punctuation.
const EMPTY_WORDS: &[&str] = &[
    "a",
    "again",
    "all",
    "another",
    "asdf",
    "backup",
    "bit",
    "bug",
    "bugfix",
    "bugs",
    "change",
    "changed",
    "changes",
    "clean",
    "cleaned",
    "cleanup",
    "code",
    "commit",
    "committing",
    "done",
    "edit",
    "edits",
    "etc",
    "file",
    "files",
    "final",
    "finally",
    "first",
    "fix",
    "fixed",
    "fixes",
    "fixing",
    "hotfix",
    "improvements",
    "init",
    "initial",
    "it",
    "last",
    "latest",
    "little",
    "lol",
    "many",
    "minor",
    "misc",
    "more",
    "new",
    "nothing",
    "ok",
    "oops",
    "patch",
    "progress",
    "push",
    "quick",
    "refactor",
    "refactoring",
    "save",
    "saving",
    "small",
    "some",
    "stuff",
    "temp",
    "test",
    "testing",
    "thing",
    "things",
    "tmp",
    "try",
    "tweak",
    "tweaks",
    "up",
    "update",
    "updated",
    "updates",
    "updating",
    "various",
    "wip",
    "work",
    "working",
    "works",
    "yes",
];

/// Says whether a message tells nothing that the list of files does not.
pub(super) fn says_nothing(commit: &Commit) -> bool {
    let mut lines = commit.message.lines();
    let subject = lines.next().unwrap_or_default();
    if lines.any(|line| {
        let line = line.trim();
        !line.is_empty()
            && !line.to_ascii_lowercase().starts_with("co-authored-by:")
            && !line.to_ascii_lowercase().starts_with("signed-off-by:")
    }) {
        return false;
    }
    words(subject).all(|word| is_empty_word(&word))
}

/// Counts the words of a subject that tell something.
pub(super) fn telling_words(commit: &Commit) -> usize {
    let telling = |word: &String| word.len() > 2 && !is_empty_word(word) && word != "add";
    words(commit.subject()).filter(telling).count()
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '_')
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
}

fn is_empty_word(word: &str) -> bool {
    EMPTY_WORDS.contains(&word) || word.chars().all(|c| c.is_ascii_digit())
}

/// Says whether a commit came through a pull request or a machine.
pub(super) fn is_reviewed_or_made(history: &History, commit: &Commit) -> bool {
    let subject = commit.subject();
    let has_number = subject
        .rsplit_once("(#")
        .is_some_and(|(_, rest)| rest.starts_with(|c: char| c.is_ascii_digit()));
    let author = history
        .people
        .get(commit.author as usize)
        .map_or("", |person| person.name.as_ref());
    has_number || author.ends_with("[bot]") || author.starts_with("dependabot")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_path_is_for_follows_from_its_name_and_folders() {
        let cases = [
            ("bot/strategy.py", Purpose::Source),
            ("tests/test_a.py", Purpose::Tests),
            ("bot/test_a.py", Purpose::Tests),
            ("web/a.test.ts", Purpose::Tests),
            ("README.md", Purpose::Documents),
            (".github/workflows/ci.yml", Purpose::Ci),
            ("Dockerfile", Purpose::Containers),
            ("requirements-dev.txt", Purpose::Packaging),
            ("data/a.csv", Purpose::Data),
            ("scripts/fetch.py", Purpose::Scripts),
            ("config.yaml", Purpose::Settings),
            ("logo.png", Purpose::Other),
        ];
        for (path, expected) in cases {
            assert_eq!(purpose(path), expected, "{path}");
        }
    }

    #[test]
    fn sizes_are_said_in_units_of_people() {
        assert_eq!(size(12), "12 B");
        assert_eq!(size(2_048), "2 KiB");
        assert_eq!(size(1_572_864), "1.5 MiB");
    }
}
