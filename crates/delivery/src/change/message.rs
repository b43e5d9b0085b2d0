//! The message that is proposed for a group: facts of the diff, nothing else.
//!
//! Why so dry: whether a change mends something, or is faster, is not in its lines. `feat` stands only where a definition or a
//! file of a program comes; what is merely another than before is a `chore`, and its author knows better.
//! Not here: which changes belong together.

use std::collections::BTreeSet;

use serde::Serialize;

use super::How;
use super::parts::File;
use super::role::{Role, folder_of, name_of};

/// Characters of a first line.
pub(super) const MAX_HEADER: usize = 72;
/// Paths that a body lists.
const MAX_LISTED: usize = 20;
/// Names that one line of a body lists.
const MAX_NAMED: usize = 6;
/// Folders that say nothing of what is in them.
const PLAIN_FOLDERS: &[&str] = &[
    "src", "lib", "crates", "packages", "pkg", "app", "tests", "test", "docs", "python",
];

/// A message by the rules of conventional commits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    /// Which kind of change it is.
    pub kind: &'static str,
    /// Which part of the repository it is in.
    pub scope: Option<String>,
    /// What it does, without a full stop.
    pub subject: String,
    /// Facts, one a line.
    pub body: Vec<String>,
}

impl Message {
    /// Returns the first line.
    pub fn header(&self) -> String {
        match &self.scope {
            Some(scope) => format!("{}({scope}): {}", self.kind, self.subject),
            None => format!("{}: {}", self.kind, self.subject),
        }
    }

    /// Returns the whole text, as git takes it.
    pub fn text(&self) -> String {
        let mut text = self.header();
        if !self.body.is_empty() {
            text.push_str("\n\n");
            text.push_str(&self.body.join("\n"));
        }
        text.push('\n');
        text
    }
}

/// What a group does to a file.
pub(super) struct Piece<'f> {
    pub(super) file: &'f File,
    pub(super) hunks: &'f BTreeSet<usize>,
}

impl Piece<'_> {
    fn named(&self, of: impl Fn(&super::parts::Hunk) -> &Vec<Box<str>>) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for hunk in self.hunks.iter().filter_map(|at| self.file.hunks.get(*at)) {
            for name in of(hunk) {
                if !found.iter().any(|known| **known == **name) {
                    found.push(name.to_string());
                }
            }
        }
        found
    }

    fn defines(&self) -> Vec<String> {
        // What is inside of a new class is told by the class.
        let mut names = self.named(|hunk| &hunk.defines);
        names.sort_by_key(|name| name.starts_with('_'));
        names
    }

    fn drops(&self) -> Vec<String> {
        self.named(|hunk| &hunk.drops)
    }

    fn inside(&self) -> Vec<String> {
        self.named(|hunk| &hunk.inside)
    }
}

/// Proposes a message.
pub(super) fn propose(pieces: &[Piece<'_>]) -> Message {
    let kind = kind(pieces);
    let scope = scope(pieces);
    let room = MAX_HEADER - kind.len() - scope.as_ref().map_or(0, |scope| scope.len() + 2) - 2;
    Message {
        kind,
        scope,
        subject: subject(pieces, room),
        body: body(pieces),
    }
}

fn kind(pieces: &[Piece<'_>]) -> &'static str {
    if pieces.iter().all(|piece| piece.file.is_formatting) {
        return "style";
    }
    let has = |role: Role| pieces.iter().any(|piece| piece.file.role == role);
    if has(Role::Code) {
        let code = || pieces.iter().filter(|piece| piece.file.role == Role::Code);
        if code().any(|piece| piece.file.how == How::Added || !piece.defines().is_empty()) {
            return "feat";
        }
        let only_goes_or_moves = code().all(|piece| match piece.file.how {
            How::Deleted | How::Renamed => true,
            How::Added => false,
            How::Modified => piece
                .hunks
                .iter()
                .filter_map(|at| piece.file.hunks.get(*at))
                .all(|hunk| hunk.added == 0),
        });
        return if only_goes_or_moves {
            "refactor"
        } else {
            "chore"
        };
    }
    if has(Role::Test) {
        "test"
    } else if has(Role::Manifest) || has(Role::Lock) || has(Role::Container) {
        "build"
    } else if has(Role::Ci) {
        "ci"
    } else if pieces.iter().all(|piece| piece.file.role == Role::Page) {
        "docs"
    } else {
        "chore"
    }
}

/// The files that the message speaks of: code where there is some.
fn leading<'p, 'f>(pieces: &'p [Piece<'f>]) -> Vec<&'p Piece<'f>> {
    let of = |role: Role| -> Vec<&Piece<'f>> {
        pieces
            .iter()
            .filter(|piece| piece.file.role == role)
            .collect()
    };
    for role in [
        Role::Code,
        Role::Test,
        Role::Manifest,
        Role::Container,
        Role::Ci,
        Role::Settings,
        Role::Page,
    ] {
        let found = of(role);
        if !found.is_empty() {
            return found;
        }
    }
    pieces.iter().collect()
}

fn scope(pieces: &[Piece<'_>]) -> Option<String> {
    let leading = leading(pieces);
    if leading.iter().any(|piece| piece.file.role != Role::Code) {
        return None;
    }
    let mut common: Option<Vec<&str>> = None;
    for piece in &leading {
        let folders: Vec<&str> = folder_of(&piece.file.name)
            .split('/')
            .filter(|part| !part.is_empty())
            .collect();
        common = Some(match common {
            None => folders,
            Some(common) => {
                let same = common
                    .iter()
                    .zip(&folders)
                    .take_while(|(a, b)| a == b)
                    .count();
                common.into_iter().take(same).collect()
            }
        });
    }
    let common = common.unwrap_or_default();
    let last = common
        .into_iter()
        .rev()
        .find(|part| !PLAIN_FOLDERS.contains(part))?;
    let is_plain = last.len() <= 20
        && last
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    is_plain.then(|| last.to_owned())
}

fn subject(pieces: &[Piece<'_>], room: usize) -> String {
    let leading = leading(pieces);
    let names: Vec<String> = leading
        .iter()
        .map(|piece| name_of(&piece.file.name).to_owned())
        .collect();
    let all = |how: How| leading.iter().all(|piece| piece.file.how == how);
    let place = places(&leading);
    if pieces.iter().all(|piece| piece.file.is_formatting) {
        return fit("change only blanks in ", &names, "", "file", room);
    }
    if let [one] = leading.as_slice()
        && let Some(from) = &one.file.from
    {
        let from = String::from_utf8_lossy(from).into_owned();
        let is_same_folder = folder_of(&from) == folder_of(&one.file.name);
        let (a, b) = if is_same_folder {
            (
                name_of(&from).to_owned(),
                name_of(&one.file.name).to_owned(),
            )
        } else {
            (from, one.file.name.clone())
        };
        let long = clean(&format!("rename {a} to {b}"));
        if long.chars().count() <= room {
            return long;
        }
    }
    if all(How::Renamed) {
        return fit("rename ", &names, "", "file", room);
    }
    if all(How::Deleted) {
        return fit("remove ", &names, &place, "file", room);
    }
    let defines: Vec<String> = leading.iter().flat_map(|piece| piece.defines()).collect();
    if all(How::Added) {
        return fit("add ", &names, "", "file", room);
    }
    let is_code = leading.iter().all(|piece| piece.file.role.is_program());
    let within = if let [one] = names.as_slice() {
        format!(" in {one}")
    } else {
        place
    };
    if is_code && !defines.is_empty() {
        return fit("add ", &defines, &within, "definition", room);
    }
    let drops: Vec<String> = leading.iter().flat_map(|piece| piece.drops()).collect();
    if is_code && !drops.is_empty() {
        return fit(
            "remove ",
            &drops,
            &within.replace(" in ", " from "),
            "definition",
            room,
        );
    }
    let inside: Vec<String> = leading.iter().flat_map(|piece| piece.inside()).collect();
    if is_code && !inside.is_empty() && leading.len() <= 2 {
        return fit("change ", &inside, &within, "definition", room);
    }
    fit("change ", &names, "", "file", room)
}

fn places(leading: &[&Piece<'_>]) -> String {
    let folders: BTreeSet<&str> = leading
        .iter()
        .map(|piece| folder_of(&piece.file.name))
        .collect();
    match folders.iter().next() {
        Some(folder) if folders.len() == 1 && !folder.is_empty() => format!(" in {folder}"),
        _ => String::new(),
    }
}

/// Names as many as there is room for.
fn fit(verb: &str, names: &[String], within: &str, noun: &str, room: usize) -> String {
    let mut known: Vec<&String> = Vec::new();
    for name in names {
        if !known.contains(&name) {
            known.push(name);
        }
    }
    let counted = |count: usize| {
        if count == 1 {
            format!("1 {noun}")
        } else {
            format!("{count} {noun}s")
        }
    };
    for shown in (1..=known.len().min(3)).rev() {
        let rest = known.len() - shown;
        let mut words: Vec<String> = known
            .iter()
            .take(shown)
            .map(|name| (*name).clone())
            .collect();
        if rest > 0 {
            words.push(format!("{rest} more"));
        }
        let listed = match words.as_slice() {
            [one] => one.clone(),
            [start @ .., last] => format!("{} and {last}", start.join(", ")),
            [] => String::new(),
        };
        for within in [within, ""] {
            let text = clean(&format!("{verb}{listed}{within}"));
            if text.chars().count() <= room {
                return text;
            }
        }
    }
    clean(&format!("{verb}{}", counted(known.len())))
}

fn body(pieces: &[Piece<'_>]) -> Vec<String> {
    let mut body = Vec::new();
    for piece in pieces.iter().take(MAX_LISTED) {
        let mut facts = Vec::new();
        if let Some(from) = &piece.file.from {
            facts.push(format!("was {}", String::from_utf8_lossy(from)));
        }
        match piece.file.how {
            How::Added => facts.push("new".to_owned()),
            How::Deleted => facts.push("gone".to_owned()),
            _ => {}
        }
        if piece.file.is_formatting {
            facts.push("only blanks differ".to_owned());
        } else if piece.file.role.is_program() && piece.file.how != How::Deleted {
            for (verb, names) in [
                ("adds", piece.defines()),
                ("removes", piece.drops()),
                ("changes", piece.inside()),
            ] {
                if !names.is_empty() {
                    facts.push(format!("{verb} {}", listed(&names)));
                }
            }
        }
        if facts.is_empty() {
            let (added, removed) = counts(piece);
            facts.push(match (added, removed, piece.file.lines.is_some()) {
                (_, _, false) => "another content".to_owned(),
                (0, 0, true) => "another mode".to_owned(),
                (added, removed, true) => format!("{added} lines come, {removed} go"),
            });
        }
        body.push(clean(&format!(
            "- {}: {}",
            piece.file.name,
            facts.join("; ")
        )));
    }
    if pieces.len() > MAX_LISTED {
        body.push(format!("- and {} more paths", pieces.len() - MAX_LISTED));
    }
    body
}

pub(super) fn counts(piece: &Piece<'_>) -> (usize, usize) {
    let hunks = piece
        .hunks
        .iter()
        .filter_map(|at| piece.file.hunks.get(*at));
    hunks.fold((0, 0), |(added, removed), hunk| {
        (added + hunk.added, removed + hunk.removed)
    })
}

fn listed(names: &[String]) -> String {
    let shown: Vec<&str> = names.iter().take(MAX_NAMED).map(String::as_str).collect();
    let rest = names.len().saturating_sub(MAX_NAMED);
    if rest == 0 {
        shown.join(", ")
    } else {
        format!("{} and {rest} more", shown.join(", "))
    }
}

/// Names come from files: no control character gets into a message.
fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_room_is_counted() {
        let names: Vec<String> = ["alpha_strategy", "beta_strategy", "gamma_strategy", "delta"]
            .map(String::from)
            .into();
        assert_eq!(
            fit("add ", &names, " in bot.py", "definition", 72),
            "add alpha_strategy, beta_strategy, gamma_strategy and 1 more in bot.py"
        );
        assert_eq!(
            fit("add ", &names, " in bot.py", "definition", 40),
            "add alpha_strategy and 3 more in bot.py"
        );
        assert_eq!(
            fit("add ", &names, " in bot.py", "definition", 20),
            "add 4 definitions"
        );
    }

    #[test]
    fn control_characters_of_names_do_not_get_into_a_message() {
        assert_eq!(clean("a\u{1b}[31m\nb"), "a?[31m?b");
    }
}
