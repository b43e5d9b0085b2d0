//! The example bot's history, replayed as real commits.
//!
//! The files are those of `examples/bot`, built into the program; `history.toml` beside them says which
//! came when. Order inside a commit: remove, write, add.

use std::path::Path;

use include_dir::{Dir, include_dir};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use tradewind_host::git::Git;

use crate::report::{Exit, Failure};

static BOT: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../examples/bot");

/// Files of the folder that describe the example and are no part of it.
const ABOUT: &[&str] = &["MISTAKES.md", "history.toml"];
/// The line that decides the trend, right and broken.
const RIGHT: &str = "trend_up = fast[i] > slow[i]";
const BROKEN: &str = "trend_up = fast[i] < slow[i]";
const STRATEGY: &str = "bot/strategy.py";

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
pub(super) fn replay(git: &Git, bot: &Path, now: Timestamp) -> Result<usize, Failure> {
    let text = BOT
        .get_file("history.toml")
        .and_then(|f| f.contents_utf8())
        .unwrap_or_default();
    let history: History = toml::from_str(text)
        .map_err(|e| Failure::because(Exit::Bug, "the example's history cannot be read", &e))?;
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

/// Commits all changes of tracked files and `tradewind.toml`.
pub(super) fn commit_all(
    git: &Git,
    bot: &Path,
    message: &str,
    author: &str,
    when: Timestamp,
) -> Result<(), Failure> {
    run(git, bot, &["add", "-u"], &[])?;
    commit(git, bot, message, author, when)
}

fn commit(
    git: &Git,
    bot: &Path,
    message: &str,
    author: &str,
    when: Timestamp,
) -> Result<(), Failure> {
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

/// Turns the moving average crossover upside down: one character.
pub(super) fn break_strategy(bot: &Path) -> Result<(), Failure> {
    replace(bot, RIGHT, BROKEN)
}

/// Turns it right again.
pub(super) fn mend_strategy(bot: &Path) -> Result<(), Failure> {
    replace(bot, BROKEN, RIGHT)
}

fn replace(bot: &Path, from: &str, to: &str) -> Result<(), Failure> {
    let path = bot.join(STRATEGY);
    let text = std::fs::read_to_string(&path)
        .map_err(|e| Failure::because(Exit::Outside, "the strategy cannot be read", &e))?;
    if text.matches(from).count() != 1 {
        return Err(Failure::new(
            Exit::Bug,
            format!("{STRATEGY} of the example does not hold {from:?} once"),
        ));
    }
    std::fs::write(&path, text.replace(from, to))
        .map_err(|e| Failure::because(Exit::Outside, "the strategy cannot be written", &e))
}

/// Copies the built-in files that match one of `patterns`; returns their paths.
fn copy(bot: &Path, patterns: &[String]) -> Result<Vec<String>, Failure> {
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

fn put(bot: &Path, path: &str, contents: &[u8]) -> Result<(), Failure> {
    let full = bot.join(path);
    let written = full
        .parent()
        .map_or(Ok(()), std::fs::create_dir_all)
        .and_then(|()| std::fs::write(&full, contents));
    written.map_err(|e| {
        Failure::because(
            Exit::Outside,
            format!("{} cannot be written", full.display()),
            &e,
        )
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

fn run(git: &Git, bot: &Path, args: &[&str], env: &[(&str, &str)]) -> Result<(), Failure> {
    git.porcelain(bot, args, Vec::new(), env)
        .map(drop)
        .map_err(|e| {
            Failure::because(
                Exit::Outside,
                format!(
                    "git {} did not work in the example",
                    args.first().unwrap_or(&"")
                ),
                &e,
            )
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

    #[test]
    fn the_story_can_break_and_mend_the_strategy() {
        let text = BOT.get_file(STRATEGY).unwrap().contents_utf8().unwrap();
        assert_eq!(
            (text.matches(RIGHT).count(), text.matches(BROKEN).count()),
            (1, 0)
        );
    }
}
