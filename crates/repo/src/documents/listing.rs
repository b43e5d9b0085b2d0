//! Listings of files in pages: drawn with lines (`├──`) or by indentation.
//!
//! A listing gives paths from its own root. Entries that stand for others (`...`, `*.py`, `<symbol>.csv`)
//! are left out, and so is everything below them.

/// One entry of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    /// Line within the block, the first is 0.
    pub(super) line: u32,
    /// Path from the listing's root.
    pub(super) path: String,
    pub(super) is_folder: bool,
    /// What is said beside it.
    pub(super) note: String,
}

/// Deeper entries are not read.
const MAX_DEPTH: usize = 20;
/// More entries of one listing are not read.
const MAX_ENTRIES: usize = 1_000;

/// Reads a block of code as a listing; `None` where it is none.
pub(super) fn read(block: &str) -> Option<Vec<Listed>> {
    let lines: Vec<&str> = block.lines().take(MAX_ENTRIES).collect();
    let drawn = lines.iter().filter(|line| is_drawn(line)).count();
    if drawn >= 2 {
        return Some(entries(&lines, true));
    }
    let filled: Vec<&&str> = lines
        .iter()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let is_listing = filled.len() >= 3
        && filled.iter().any(|line| first_word(line).ends_with('/'))
        && filled.iter().any(|line| line.starts_with([' ', '\t']))
        && filled.iter().all(|line| {
            let word = first_word(line);
            is_name(word) && (word.ends_with('/') || word.contains('.') || is_known(word))
        });
    is_listing.then(|| entries(&lines, false))
}

fn is_drawn(line: &str) -> bool {
    let line = line.trim_start_matches([' ', '\t', '│', '|', '┃', '\u{a0}', '║']);
    [
        "├", "└", "┣", "┗", "╠", "╚", "|--", "|__", "|-", "+--", "\\--", "`--", "'--",
    ]
    .iter()
    .any(|mark| line.starts_with(mark))
        || line.starts_with("--") && line.len() > 3
}

fn first_word(line: &str) -> &str {
    line.split_whitespace().next().unwrap_or_default()
}

fn is_known(name: &str) -> bool {
    matches!(
        name,
        "Dockerfile" | "Makefile" | "LICENSE" | "README" | "Procfile" | "Pipfile" | "LICENCE"
    )
}

/// Says whether a word may be the name of a file.
fn is_name(word: &str) -> bool {
    !word.is_empty()
        && word.len() < 200
        && word.chars().all(|letter| {
            letter.is_alphanumeric() || matches!(letter, '.' | '_' | '-' | '/' | '+' | '@' | ' ')
        })
        && word.chars().any(char::is_alphanumeric)
}

fn entries(lines: &[&str], is_drawing: bool) -> Vec<Listed> {
    let mut found: Vec<Listed> = Vec::new();
    // Folders that list a few of many: `...` stands for the others.
    let mut series: Vec<String> = Vec::new();
    // Column, path and whether entries below it can be named.
    let mut above: Vec<(usize, String, bool)> = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let marks = |letter: char| {
            letter.is_whitespace()
                || is_drawing
                    && matches!(
                        letter,
                        '│' | '|'
                            | '├'
                            | '└'
                            | '─'
                            | '┣'
                            | '┗'
                            | '━'
                            | '┃'
                            | '╠'
                            | '╚'
                            | '═'
                            | '║'
                            | '+'
                            | '`'
                            | '\\'
                            | '-'
                            | '\''
                            | '┬'
                            | '▸'
                            | '╰'
                            | '╭'
                    )
        };
        let column = line.chars().take_while(|letter| marks(*letter)).count();
        let rest: String = line.chars().skip(column).collect();
        // `__init__.py` begins with what `|__` ends with.
        let rest = rest.trim_end();
        if rest.is_empty() {
            continue;
        }
        let rest = rest.trim_start_matches(['📁', '📂', '📄', '📜', '🗂', '\u{fe0f}', ' ']);
        let (name, note) = split(rest);
        while above.last().is_some_and(|(at, _, _)| *at >= column) {
            above.pop();
        }
        let is_root = is_drawing && column == 0 && !is_drawn(line);
        if above.len() >= MAX_DEPTH {
            continue;
        }
        let parent = above.last();
        let is_known = parent.is_none_or(|(_, _, is_known)| *is_known);
        let is_folder = name.ends_with('/') || name.ends_with('\\');
        let clean = name.trim_end_matches(['/', '\\']).trim_start_matches("./");
        let is_clean = is_name(clean) && !clean.contains("..") && !clean.contains(' ');
        let path = match parent {
            Some((_, folder, _)) if !folder.is_empty() => format!("{folder}/{clean}"),
            _ => clean.to_owned(),
        };
        if matches!(name, "..." | "…") {
            series.extend(parent.map(|(_, folder, _)| folder.clone()));
        }
        let is_dot = matches!(name, "." | "./" | "/");
        if is_root && (is_dot || found.is_empty() || is_folder) {
            above.push((
                column,
                if is_dot { String::new() } else { path.clone() },
                is_dot || is_clean,
            ));
            if is_dot {
                continue;
            }
        } else {
            above.push((column, path.clone(), is_known && is_clean));
        }
        if is_known && is_clean && path.len() < 400 {
            found.push(Listed {
                line: u32::try_from(number).unwrap_or(u32::MAX),
                path,
                is_folder,
                note: note.chars().take(120).collect(),
            });
        }
    }
    leave_patterns(&mut found, &series);
    tell_folders(&mut found);
    found
}

/// Leaves out what shows how the files of a folder are called.
fn leave_patterns(found: &mut Vec<Listed>, series: &[String]) {
    // `playbook_v1_20260205.md` beside `...` shows how such files are called.
    found.retain(|entry| {
        let (folder, name) = entry.path.rsplit_once('/').unwrap_or(("", &entry.path));
        !name.contains(|c: char| c.is_ascii_digit()) || !series.iter().any(|of| of == folder)
    });
}

fn tell_folders(found: &mut [Listed]) {
    // What has entries below it is a folder, however it is written.
    let mut parents: Vec<String> = Vec::new();
    for entry in &*found {
        if let Some((parent, _)) = entry.path.rsplit_once('/') {
            parents.push(parent.to_owned());
        }
    }
    parents.sort_unstable();
    for entry in found {
        entry.is_folder |= parents.binary_search(&entry.path).is_ok();
    }
}

/// Splits an entry into its name and what is said beside it.
fn split(rest: &str) -> (&str, &str) {
    let marks = [
        "  ", "\t", " #", " <-", " ←", " //", " (", " - ", " – ", " — ", " : ", " -> ", ": ",
    ];
    let at = marks.iter().filter_map(|mark| rest.find(mark)).min();
    let (name, note) = match at {
        Some(at) => rest.split_at(at),
        None => rest
            .split_once(' ')
            .filter(|(name, _)| name.contains(['.', '/']))
            .unwrap_or((rest, "")),
    };
    let note = note.trim_matches([
        ' ', '\t', '#', '<', '-', '←', '/', '(', ')', '–', '—', ':', '>',
    ]);
    (
        name.trim_end()
            .trim_matches('`')
            .trim_start_matches("**")
            .trim_end_matches("**"),
        note,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(block: &str) -> Vec<String> {
        read(block)
            .unwrap()
            .into_iter()
            .map(|entry| entry.path)
            .collect()
    }

    #[test]
    fn a_drawn_listing_gives_paths() {
        let block = "bot/\n├── core/          # engine\n│   ├── __init__.py\n│   └── loop.py\n├── data/\n│   └── *.csv\n└── README.md\n";
        assert_eq!(
            paths(block),
            [
                "bot",
                "bot/core",
                "bot/core/__init__.py",
                "bot/core/loop.py",
                "bot/data",
                "bot/README.md"
            ]
        );
    }

    #[test]
    fn a_dot_is_the_root() {
        assert_eq!(
            paths(".\n|-- a.py\n`-- b\n    `-- c.py\n"),
            ["a.py", "b", "b/c.py"]
        );
    }

    #[test]
    fn a_row_of_files_that_goes_on_is_a_pattern() {
        let block = "bot/\n├── plans/\n│   ├── plan_v1_20260205.md\n│   ├── notes.md\n│   └── ...\n└── run2.py\n";
        assert_eq!(
            paths(block),
            ["bot", "bot/plans", "bot/plans/notes.md", "bot/run2.py"]
        );
    }

    #[test]
    fn indentation_draws_too() {
        let block = "bot/\n  cli.py      the commands\n  fetchers/   one file each\ntests/\n";
        assert_eq!(paths(block), ["bot", "bot/cli.py", "bot/fetchers", "tests"]);
        assert_eq!(read(block).unwrap()[1].note, "the commands");
    }

    #[test]
    fn other_blocks_are_no_listings() {
        assert!(read("python a.py\npython b.py\npython c.py\n").is_none());
        assert!(read("{\n  \"a\": 1,\n  \"b/\": 2\n}\n").is_none());
        assert!(read("").is_none());
    }
}
