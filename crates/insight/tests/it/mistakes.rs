//! The table of mistakes of the example bot, read as data.

use std::path::Path;

/// One row of `examples/bot/MISTAKES.md`.
#[derive(Debug)]
pub(crate) struct Mistake {
    /// `R1`.
    pub(crate) id: String,
    /// Where it is.
    pub(crate) places: Vec<Place>,
    /// What is wrong.
    pub(crate) what: String,
}

/// One place of a row.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A line of a file.
    Line(String, u32),
    /// A file that is absent.
    Absent(String),
    /// A commit, by the number of its first line in `history.toml`.
    Commit(u32),
    /// Every commit, or the tags.
    History,
}

pub(crate) fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/bot")
}

/// Reads the table.
pub(crate) fn read() -> Vec<Mistake> {
    let text = std::fs::read_to_string(folder().join("MISTAKES.md")).unwrap();
    text.lines()
        .filter_map(|line| {
            let cells: Vec<_> = line.trim().trim_matches('|').split(" | ").collect();
            let [id, _area, places, what, ..] = cells.as_slice() else {
                return None;
            };
            let id = id.trim();
            let is_row = id.len() <= 3
                && id.starts_with(|c: char| c.is_ascii_uppercase())
                && id.ends_with(|c: char| c.is_ascii_digit());
            is_row.then(|| Mistake {
                id: id.to_owned(),
                places: places.split(", ").map(place).collect(),
                what: what.trim().to_owned(),
            })
        })
        .collect()
}

fn place(text: &str) -> Place {
    let quoted = text.split('`').nth(1).unwrap_or_default();
    if text.contains("(absent)") {
        return Place::Absent(quoted.to_owned());
    }
    let numbered = quoted
        .rsplit_once(':')
        .and_then(|(path, line)| Some((path, line.parse().ok()?)));
    match numbered {
        Some(("history.toml", line)) => Place::Commit(line),
        Some((path, line)) => Place::Line(path.to_owned(), line),
        None => Place::History,
    }
}

/// Returns the message of the commit whose table in `history.toml` holds the line.
pub(crate) fn message_at(line: u32) -> String {
    let text = std::fs::read_to_string(folder().join("history.toml")).unwrap();
    let lines: Vec<_> = text.lines().collect();
    let at = line as usize - 1;
    let start = (0..=at)
        .rev()
        .find(|at| lines[*at].trim() == "[[commit]]")
        .unwrap();
    let message = lines[start..]
        .iter()
        .find_map(|line| line.strip_prefix("message = \""))
        .unwrap();
    message.trim_end_matches('"').to_owned()
}
