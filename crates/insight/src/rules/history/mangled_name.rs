//! File names that nobody meant: made by a shell, a file manager or another system.

use super::past;
use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

const ABOUT: About = About {
    id: "mangled-name",
    title: "File names that nobody meant",
    area: Area::History,
    severity: Severity::Low,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Month,
    impact: "Left over from a slip on the command line: noise at best, at worst the output or the file that you believe \
             to be elsewhere, or a clone that fails on another system.",
    action: "Look into the file, then delete it or give it its name.",
    after: &[],
};

/// Whole names that editors, shells and programs leave behind when a key or a variable was wrong.
const SLIPS: &[&str] = &[
    ":q",
    ":q!",
    ":w",
    ":wq",
    ":wq!",
    ":x",
    "&1",
    "$null",
    "nul",
    "NUL",
    "[object Object]",
    "undefined",
    ";",
    "'",
    "\"",
    "\\",
    "~",
    "-",
];
/// Words of git's command line that a file name has only when a redirection or a pager's save went wrong.
const GIT_WORDS: &[&str] = &[
    "origin",
    "HEAD",
    "--hard",
    "--force",
    "--oneline",
    "--cached",
    "upstream",
];
/// What file managers add to copies.
const COPY_MARKS: &[&str] = &[" - copy", " copy", " - kopie", " - copia"];
/// Endings of files where a second copy is a second truth.
const SOURCE_ENDINGS: &[&str] = &[
    "py", "ipynb", "js", "ts", "rs", "go", "sh", "sql", "toml", "yaml", "yml", "json", "ini",
    "cfg", "env",
];

/// The rule.
pub(super) struct MangledName;

impl Rule for MangledName {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let mut evidence = Vec::new();
        let mut breaks_clones = false;
        for file in context.tree.tracked() {
            let Some(why) = why(&file.path) else {
                continue;
            };
            breaks_clones |= why == Why::System;
            evidence.push(Evidence::file(file.path.as_ref(), why.as_str()));
        }
        let Some(first) = evidence
            .first()
            .and_then(|first| first.path.as_deref().map(past::shown))
        else {
            return;
        };
        let title = match evidence.len() - 1 {
            0 => format!("`{first}` is a name that nobody meant"),
            more => format!("`{first}` and {more} more names that nobody meant"),
        };
        let finding = findings.add(title, past::bounded(evidence));
        if breaks_clones {
            finding.severity = Severity::Medium;
        }
    }
}

/// What is wrong with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Version,
    Dash,
    Slip,
    Command,
    Copy,
    Backslash,
    Control,
    System,
}

impl Why {
    fn as_str(self) -> &'static str {
        match self {
            Self::Version => {
                "output of a command with an unquoted `>=`, as in `pip install name>=1.2`"
            }
            Self::Dash => "programs take a name that begins with `-` for an option",
            Self::Slip => "left behind by an editor's or shell's command",
            Self::Command => "part of a git command line",
            Self::Copy => "a file manager's copy: two files that claim to be the same",
            Self::Backslash => "a Windows path taken for a name",
            Self::Control => "a name with control characters or blanks at its ends",
            Self::System => "Windows cannot check out this name",
        }
    }
}

fn why(path: &str) -> Option<Why> {
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    let is_root = folders.is_empty();
    if path.contains('\\') && name.len() > 1 {
        return Some(Why::Backslash);
    }
    if path.chars().any(char::is_control) || name != name.trim() {
        return Some(Why::Control);
    }
    if is_root && SLIPS.contains(&name) {
        return Some(Why::Slip);
    }
    if is_root && is_version(name) {
        return Some(Why::Version);
    }
    if name.starts_with('-') {
        return Some(Why::Dash);
    }
    if is_root && is_command(name) {
        return Some(Why::Command);
    }
    if is_copy(name) {
        return Some(Why::Copy);
    }
    let is_odd = path.contains(['<', '>', ':', '"', '|', '?', '*']) || name.ends_with('.');
    is_odd.then_some(Why::System)
}

fn is_version(name: &str) -> bool {
    name.strip_prefix('=')
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

fn is_command(name: &str) -> bool {
    let words: Vec<&str> = name.split(' ').collect();
    words.len() > 1 && !name.contains('.') && words.iter().any(|word| GIT_WORDS.contains(word))
}

fn is_copy(name: &str) -> bool {
    let Some((stem, ending)) = name.rsplit_once('.') else {
        return false;
    };
    if !SOURCE_ENDINGS.contains(&ending) {
        return false;
    }
    let lower = stem.to_lowercase();
    let is_numbered = lower
        .strip_suffix(')')
        .and_then(|rest| rest.rsplit_once('('))
        .is_some_and(|(before, number)| {
            !before.is_empty()
                && !number.is_empty()
                && number.len() <= 2
                && number.bytes().all(|byte| byte.is_ascii_digit())
        });
    is_numbered
        || lower.starts_with("copy of ")
        || COPY_MARKS.iter().any(|mark| lower.ends_with(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_told_from_names_that_are_meant() {
        let slips = [
            ("=1.2", Why::Version),
            ("=2.0.0,", Why::Version),
            ("h origin main", Why::Command),
            ("et --hard HEAD~1", Why::Command),
            (":wq", Why::Slip),
            ("-", Why::Slip),
            ("-rf", Why::Dash),
            ("bot/main (1).py", Why::Copy),
            ("bot/main - Copy.py", Why::Copy),
            ("Copy of bot.ipynb", Why::Copy),
            ("bot\\main.py", Why::Backslash),
            ("data/12:30.csv", Why::System),
            ("a\nb", Why::Control),
        ];
        for (path, expected) in slips {
            assert_eq!(why(path), Some(expected), "{path}");
        }
        for path in [
            "bot/main.py",
            "shallow_copy.py",
            "Screenshot (1).png",
            "docs/How to start.md",
            "__init__.py",
            "main menu.txt",
            "[slug].ts",
            "f(x).md",
            "deep copy/a.py",
            "LICENSE",
        ] {
            assert_eq!(why(path), None, "{path}");
        }
    }
}
