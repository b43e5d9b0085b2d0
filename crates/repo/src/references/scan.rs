//! One reading of every text file for names of files and variables.

use std::collections::{BTreeMap, BTreeSet};

use crate::documents::{Documents, home_paths, is_foreign};
use crate::tree::{File, FileKind, FileState, Tree};

use super::{How, Place, Reference, References};

/// Longer files are data or made by machines.
const MAX_BYTES: u64 = 512 * 1024;
/// Longer lines are data or made by machines; only their beginning is read.
const MAX_LINE: usize = 2_000;
/// Names of variables kept.
const MAX_NAMES: usize = 50_000;
/// Places kept of one name.
const MAX_PLACES: usize = 8;
/// Paths of one computer kept.
const MAX_HOMES: usize = 1_000;

/// Endings of data, whose content names nothing.
const DATA: &[&str] = &[
    "csv", "tsv", "lock", "svg", "map", "parquet", "arrow", "feather", "jsonl", "ndjson", "log",
    "min.js", "min.css", "sum", "pem", "crt", "xml", "html", "snap",
];

/// The tracked paths, to look names up.
pub(super) struct Paths {
    files: BTreeSet<Box<str>>,
    folders: BTreeSet<Box<str>>,
    /// How many files end in this last part, and one of them.
    last: BTreeMap<Box<str>, (usize, Box<str>)>,
}

impl Paths {
    pub(super) fn of(tree: &Tree) -> Self {
        let mut paths = Self {
            files: BTreeSet::new(),
            folders: BTreeSet::new(),
            last: BTreeMap::new(),
        };
        for file in tree.files() {
            if matches!(file.state, FileState::Ignored(_)) {
                continue;
            }
            paths.files.insert(file.path.clone());
            let mut folder = file.path.as_ref();
            while let Some((up, _)) = folder.rsplit_once('/') {
                if !paths.folders.insert(up.into()) {
                    break;
                }
                folder = up;
            }
            let last = file.path.rsplit('/').next().unwrap_or_default();
            let entry = paths.last.entry(last.into());
            entry.or_insert_with(|| (0, file.path.clone())).0 += 1;
        }
        paths
    }

    /// Finds the file that a word in the file `from` names: from the root, from its own folder, as a
    /// module with dots, or as the only file of that name.
    pub(super) fn resolve(&self, from: &str, word: &str) -> Option<Box<str>> {
        if word.len() > 400 || word.is_empty() {
            return None;
        }
        let word = word.replace('\\', "/");
        let plain = word.trim_start_matches("./").trim_start_matches('/');
        if let Some(found) = self.files.get(plain) {
            return Some(found.clone());
        }
        let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
        if !folder.is_empty()
            && let Some(joined) = join(folder, &word)
            && let Some(found) = self.files.get(joined.as_str())
        {
            return Some(found.clone());
        }
        if plain.contains('/') {
            return None;
        }
        // `bot.cli:main`, `bot.cli`
        let dotted = plain.split(':').next().unwrap_or_default();
        if dotted.contains('.') {
            let slashed = dotted.replace('.', "/");
            for ending in [".py", "/__main__.py", "/__init__.py"] {
                if let Some(found) = self.files.get(format!("{slashed}{ending}").as_str()) {
                    return Some(found.clone());
                }
            }
        }
        match self.last.get(plain) {
            Some((1, path)) if plain.contains('.') => Some(path.clone()),
            _ => None,
        }
    }
}

/// Joins a relative path to a folder; `None` where it leads out.
fn join(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Reads one file.
pub(super) fn file(
    tree: &Tree,
    paths: &Paths,
    file: &File,
    documents: &Documents,
    found: &mut References,
) {
    let path = file.path.as_ref();
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    if !matches!(file.kind, FileKind::Regular | FileKind::Executable) || is_foreign(folder) {
        return;
    }
    let name = path.rsplit('/').next().unwrap_or_default();
    let lower = name.to_ascii_lowercase();
    if DATA.iter().any(|ending| {
        lower
            .strip_suffix(ending)
            .is_some_and(|stem| stem.ends_with('.'))
    }) || matches!(lower.as_str(), "package-lock.json" | "pnpm-lock.yaml")
    {
        return;
    }
    if file.size > MAX_BYTES {
        found.unread.push(file.path.clone());
        return;
    }
    let Some(text) = tree.text(path) else {
        return;
    };
    let is_page = documents.page(path).is_some();
    let kind = Kind::of(path, &lower);
    for (index, line) in text.lines().enumerate() {
        let line = line
            .get(..line.floor_char_boundary(MAX_LINE))
            .unwrap_or(line);
        let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        if index < 4
            && let Some(named) = header(path, line)
        {
            found.headers.push(place(path, number, named));
            continue;
        }
        if is_page {
            continue;
        }
        if line.contains("sers") || line.contains("/home/") {
            for home in home_paths(line) {
                if found.homes.len() < MAX_HOMES {
                    found.homes.push(place(path, number, home));
                }
            }
        }
        words(line, |word| {
            one_word(paths, path, number, word, kind, line, found);
        });
    }
}

fn place(path: &str, line: u32, text: &str) -> Place {
    Place {
        path: path.into(),
        line,
        text: text.into(),
    }
}

fn one_word(
    paths: &Paths,
    path: &str,
    line: u32,
    word: &str,
    kind: Kind,
    whole: &str,
    found: &mut References,
) {
    for name in word.split(|letter: char| {
        !letter.is_ascii_uppercase() && !letter.is_ascii_digit() && letter != '_'
    }) {
        let is_variable = name.len() >= 4
            && name.len() <= 64
            && name.contains('_')
            && name.starts_with(|first: char| first.is_ascii_uppercase());
        if is_variable && (found.variables.len() < MAX_NAMES || found.variables.contains_key(name))
        {
            let places = found.variables.entry(name.into()).or_default();
            if places.len() < MAX_PLACES {
                places.push(place(path, line, ""));
            }
        }
    }
    let is_path = word.contains(['/', '.', '\\']) && word.len() > 3;
    if !is_path || !word.bytes().any(|byte| byte.is_ascii_alphabetic()) {
        return;
    }
    let word = word.trim_end_matches(['.', ':', '/']);
    if let Some(to) = paths.resolve(path, word) {
        let reference = Reference {
            from: path.into(),
            line,
            how: kind.how(whole),
        };
        found.add(&to, reference);
    } else if let Some(last) = word.rsplit(['/', '\\']).next()
        && last.len() > 3
        && last.len() < 100
        && kind == Kind::Code
        && found.absent.len() < MAX_NAMES
    {
        found.absent.insert(last.into());
    }
}

/// Endings of files that start programs; names come in small letters.
const STARTERS: &[&str] = &[".sh", ".bat", ".ps1", ".service", ".cmd"];

/// What kind of file refers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Container,
    Starter,
    /// Programs, which may make what they name.
    Code,
    Other,
}

impl Kind {
    fn of(path: &str, name: &str) -> Self {
        if name.contains("dockerfile") || name.contains("containerfile") {
            return Self::Container;
        }
        let is_starter = path.starts_with(".github/workflows/")
            || path.starts_with(".circleci/")
            || STARTERS.iter().any(|ending| name.ends_with(ending))
            || name.contains("compose")
            || matches!(
                name,
                "makefile"
                    | "procfile"
                    | "crontab"
                    | ".gitlab-ci.yml"
                    | ".travis.yml"
                    | "tox.ini"
                    | "noxfile.py"
                    | "justfile"
                    | "package.json"
                    | "azure-pipelines.yml"
                    | "pyproject.toml"
                    | "setup.py"
                    | "setup.cfg"
                    | "supervisord.conf"
            );
        let is_code = [".py", ".js", ".ts", ".tsx", ".ipynb", ".rs", ".go", ".r"]
            .iter()
            .any(|ending| name.ends_with(ending));
        match (is_starter, is_code) {
            (true, _) => Self::Starter,
            (false, true) => Self::Code,
            (false, false) => Self::Other,
        }
    }

    fn how(self, line: &str) -> How {
        let line = line.trim_start();
        let first = line.split_whitespace().next().unwrap_or_default();
        match self {
            Self::Container if matches!(first, "COPY" | "ADD") => How::Copy,
            Self::Container if matches!(first, "CMD" | "ENTRYPOINT" | "RUN" | "HEALTHCHECK") => {
                How::Start
            }
            Self::Starter => How::Start,
            _ => How::Mention,
        }
    }
}

/// Calls `each` with every run of letters that may be a path or a name.
fn words<'l>(line: &'l str, mut each: impl FnMut(&'l str)) {
    let is_part = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'.' | b'_' | b'-' | b'/' | b'\\' | b':')
            || byte >= 0x80
    };
    let bytes = line.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !bytes.get(at).copied().is_some_and(is_part) {
            at += 1;
            continue;
        }
        let rest = bytes.get(at..).unwrap_or_default();
        let length = rest
            .iter()
            .position(|byte| !is_part(*byte))
            .unwrap_or(rest.len());
        if length > 3
            && let Some(word) = line.get(at..at + length)
        {
            each(word);
        }
        at += length;
    }
}

/// The path in a comment that is nothing else: `# src/bot/run.py`, `// file: app/main.js`.
fn header<'l>(path: &str, line: &'l str) -> Option<&'l str> {
    let line = line.trim();
    let comment = ["#", "//", "\"\"\"", "/*", "--", ";"]
        .iter()
        .find_map(|mark| line.strip_prefix(mark))?;
    let comment = comment
        .trim_matches(['#', '/', '*', '"', ' ', '-', '='])
        .trim();
    let comment = [
        "file:",
        "File:",
        "filename:",
        "Filename:",
        "path:",
        "Path:",
        "FILE:",
    ]
    .iter()
    .find_map(|mark| comment.strip_prefix(mark))
    .unwrap_or(comment)
    .trim()
    .trim_matches('`');
    let extension = path.rsplit_once('.')?.1;
    let is_path = !extension.contains('/')
        && comment.len() < 200
        && comment
            .strip_suffix(extension)
            .is_some_and(|stem| stem.ends_with('.') && stem.len() > 1)
        && comment.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'/' | b'\\')
        });
    is_path.then_some(comment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_nothing_but_a_path_of_the_same_language() {
        assert_eq!(header("a/b.py", "# src/b.py"), Some("src/b.py"));
        assert_eq!(header("a/b.py", "# File: src/b.py"), Some("src/b.py"));
        assert_eq!(header("a/b.py", "# see src/b.py for more"), None);
        assert_eq!(header("a/b.py", "# -*- coding: utf-8 -*-"), None);
        assert_eq!(header("a/b.sh", "#!/bin/sh"), None);
    }

    #[test]
    fn words_of_any_line_are_cut_at_whole_letters() {
        let mut found = Vec::new();
        words("a(\"käse/b.py\", 'x') ", |word| found.push(word));
        assert_eq!(found, ["käse/b.py"]);
    }
}
