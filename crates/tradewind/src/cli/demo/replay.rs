//! The example bot's history, replayed as real commits.
//!
//! The files are those of `examples/bot`, built into the program; `history.toml` beside them says which
//! came when. Order inside a commit: remove, write, add. The audit's tests include this file, so that they judge
//! the very repository that the demo shows; it therefore uses nothing of this program.

use std::path::Path;

use include_dir::{Dir, include_dir};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use tradewind_host::git::{Git, GitError};

/// The files of the example.
pub(crate) static BOT: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../examples/bot");

/// Files of the folder that describe the example and are no part of it.
const ABOUT: &[&str] = &["MISTAKES.md", "history.toml"];

/// Why the example could not be replayed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplayError {
    /// `history.toml` is not in order.
    #[error("the example's history cannot be read")]
    History(#[source] toml::de::Error),
    /// A file could not be written.
    #[error("{path} cannot be written")]
    Write {
        /// The file.
        path: String,
        #[source]
        source: std::io::Error,
    },
    /// git refused.
    #[error("git {command} did not work in the example")]
    Git {
        /// The command.
        command: String,
        #[source]
        source: GitError,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct History {
    untracked: Vec<String>,
    commit: Vec<Step>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    days_ago: i64,
    author: String,
    message: String,
    #[serde(default)]
    add: Vec<String>,
    #[serde(default)]
    remove: Vec<String>,
    #[serde(default)]
    write: Vec<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    path: String,
    text: String,
}

/// Makes the repository in `bot`; returns how many commits it has.
pub(crate) fn replay(git: &Git, bot: &Path, now: Timestamp) -> Result<usize, ReplayError> {
    let text = BOT
        .get_file("history.toml")
        .and_then(|f| f.contents_utf8())
        .unwrap_or_default();
    let history: History = toml::from_str(text).map_err(ReplayError::History)?;
    run(git, bot, &["init", "-q", "--initial-branch=main", "."], &[])?;
    // The example must not depend on the user's own settings, nor touch them.
    for (name, value) in [
        ("core.autocrlf", "false"),
        ("commit.gpgsign", "false"),
        ("user.name", "Marco Ferri"),
        ("user.email", "marco@tidebot.invalid"),
    ] {
        run(git, bot, &["config", name, value], &[])?;
    }
    copy(bot, &history.untracked)?;
    for (index, step) in history.commit.iter().enumerate() {
        for pattern in &step.remove {
            run(git, bot, &["rm", "-q", "-r", "--", &pathspec(pattern)], &[])?;
        }
        let mut paths = Vec::new();
        for text in &step.write {
            put(bot, &text.path, text.text.as_bytes())?;
            paths.push(text.path.clone());
        }
        paths.extend(copy(bot, &step.add)?);
        if !paths.is_empty() {
            let mut args = vec!["add", "-f", "--"];
            args.extend(paths.iter().map(String::as_str));
            run(git, bot, &args, &[])?;
        }
        let minute = i64::try_from(index).unwrap_or_default() * 17 % 300;
        let when = now - SignedDuration::from_hours(24 * step.days_ago)
            + SignedDuration::from_mins(minute - 300);
        commit(git, bot, step.message.trim(), &step.author, when)?;
    }
    Ok(history.commit.len())
}

pub(crate) fn commit(
    git: &Git,
    bot: &Path,
    message: &str,
    author: &str,
    when: Timestamp,
) -> Result<(), ReplayError> {
    let date = format!("{} +0000", when.as_second());
    let email = format!(
        "{}@tidebot.invalid",
        author.to_lowercase().replace(' ', ".")
    );
    let env = [
        ("GIT_AUTHOR_NAME", author),
        ("GIT_AUTHOR_EMAIL", &email),
        ("GIT_AUTHOR_DATE", &date),
        ("GIT_COMMITTER_NAME", author),
        ("GIT_COMMITTER_EMAIL", &email),
        ("GIT_COMMITTER_DATE", &date),
    ];
    run(
        git,
        bot,
        &["commit", "-q", "--allow-empty", "-m", message],
        &env,
    )
}

/// Copies the built-in files that match one of `patterns`; returns their paths.
fn copy(bot: &Path, patterns: &[String]) -> Result<Vec<String>, ReplayError> {
    let mut files = Vec::new();
    list(&BOT, &mut files);
    let mut copied = Vec::new();
    for (path, contents) in files {
        if !ABOUT.contains(&path.as_str()) && patterns.iter().any(|p| matches(p, &path)) {
            put(bot, &path, contents)?;
            copied.push(path);
        }
    }
    Ok(copied)
}

fn list(dir: &'static Dir<'static>, out: &mut Vec<(String, &'static [u8])>) {
    for file in dir.files() {
        let path = file
            .path()
            .iter()
            .map(|p| p.to_string_lossy())
            .collect::<Vec<_>>()
            .join("/");
        // Somebody may have run the example in place before building.
        if !path.contains("__pycache__") {
            out.push((path, file.contents()));
        }
    }
    for dir in dir.dirs() {
        list(dir, out);
    }
}

fn put(bot: &Path, path: &str, contents: &[u8]) -> Result<(), ReplayError> {
    let full = bot.join(path);
    let written = full
        .parent()
        .map_or(Ok(()), std::fs::create_dir_all)
        .and_then(|()| std::fs::write(&full, contents));
    written.map_err(|source| ReplayError::Write {
        path: full.display().to_string(),
        source,
    })
}

/// `*` stays inside one path segment, `**` crosses them.
fn matches(pattern: &str, path: &str) -> bool {
    fn segments(pattern: &[&str], path: &[&str]) -> bool {
        match (pattern.split_first(), path.split_first()) {
            (None, None) => true,
            (Some((&"**", rest)), _) => {
                (0..=path.len()).any(|n| path.get(n..).is_some_and(|tail| segments(rest, tail)))
            }
            (Some((first, rest)), Some((name, tail))) => {
                segment(first, name) && segments(rest, tail)
            }
            _ => false,
        }
    }
    fn segment(pattern: &str, name: &str) -> bool {
        match pattern.split_once('*') {
            None => pattern == name,
            Some((head, tail)) => name.strip_prefix(head).is_some_and(|rest| {
                (0..=rest.len())
                    .filter(|at| rest.is_char_boundary(*at))
                    .any(|at| segment(tail, &rest[at..]))
            }),
        }
    }
    segments(
        &pattern.split('/').collect::<Vec<_>>(),
        &path.split('/').collect::<Vec<_>>(),
    )
}

fn pathspec(pattern: &str) -> String {
    format!(":(glob){pattern}")
}

pub(crate) fn run(
    git: &Git,
    bot: &Path,
    args: &[&str],
    env: &[(&str, &str)],
) -> Result<(), ReplayError> {
    git.porcelain(bot, args, Vec::new(), env)
        .map(drop)
        .map_err(|source| ReplayError::Git {
            command: args.first().copied().unwrap_or_default().to_owned(),
            source,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stays_inside_a_segment_and_two_cross_them() {
        assert!(matches("bot/*.py", "bot/a.py") && !matches("bot/*.py", "bot/x/a.py"));
        assert!(
            matches("bot/**", "bot/x/a.py") && matches("**/a.py", "a.py") && matches("*", ".env")
        );
        assert!(!matches("bot", "bot/a.py"));
    }
}
