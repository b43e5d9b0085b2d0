//! One reading of every text file for names of files and variables.

use std::collections::{HashMap, HashSet};

use crate::cores;
use crate::documents::{Documents, home_paths, is_foreign};
use crate::tree::{File, FileKind, FileState, Tree};

use super::outlined::Resolver;
use super::{How, MAX_OF_ONE, Place, Reference, References};

/// Longer files are data or made by machines.
const MAX_BYTES: u64 = 512 * 1024;
/// Notebooks hold pictures; their code is read all the same.
const MAX_NOTEBOOK_BYTES: u64 = 8 * 1024 * 1024;
/// Longer lines are data or made by machines; only their beginning is read.
const MAX_LINE: usize = 2_000;
/// Names of variables kept.
const MAX_NAMES: usize = 50_000;
/// Places kept of one name.
const MAX_PLACES: usize = 8;
/// Paths of one computer kept.
const MAX_HOMES: usize = 1_000;

/// References to one file that are read: twice what is kept, so that what is sorted out later is not what came last in
/// the alphabet only.
pub(super) const MAX_OF_ONE_READ: usize = 2 * MAX_OF_ONE;

/// Endings of data, whose content names nothing.
const DATA: &[&str] = &[
    "csv", "tsv", "lock", "svg", "map", "parquet", "arrow", "feather", "jsonl", "ndjson", "log",
    "min.js", "min.css", "sum", "pem", "crt", "xml", "html", "snap",
];

/// Files that one thread reads at a time.
const PART: usize = 128;

/// The tracked paths, to look names up.
pub(super) struct Paths<'t> {
    files: HashSet<&'t str>,
    /// How many files end in this last part, and the first of them.
    last: HashMap<&'t str, (usize, &'t str)>,
    /// What a module's dotted name can end in.
    modules: HashSet<&'t str>,
    shapes: Shapes,
}

/// Lengths, first and last letters of names, one bit each: dismisses nearly every other name before it is hashed.
struct Shapes(Box<[u64; 1024]>);

impl Shapes {
    fn place(name: &str) -> (usize, u64) {
        let bits = |byte: Option<&u8>| byte.map_or(0, |byte| usize::from(byte & 31));
        let bytes = name.as_bytes();
        let shape = (bytes.len() & 63) << 10 | bits(bytes.first()) << 5 | bits(bytes.last());
        (shape >> 6, 1 << (shape & 63))
    }

    fn add(&mut self, name: &str) {
        let (word, bit) = Self::place(name);
        if let Some(word) = self.0.get_mut(word) {
            *word |= bit;
        }
    }

    fn may_hold(&self, name: &str) -> bool {
        let (word, bit) = Self::place(name);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }
}

impl<'t> Paths<'t> {
    pub(super) fn of(tree: &'t Tree) -> Self {
        let mut paths = Self {
            files: HashSet::new(),
            last: HashMap::new(),
            modules: HashSet::new(),
            shapes: Shapes(Box::new([0; 1024])),
        };
        for file in tree.files() {
            if matches!(file.state, FileState::Ignored(_)) {
                continue;
            }
            let path = file.path.as_ref();
            paths.files.insert(path);
            let (folder, last) = path.rsplit_once('/').unwrap_or(("", path));
            paths.last.entry(last).or_insert((0, path)).0 += 1;
            match last.strip_suffix(".py") {
                Some("__main__" | "__init__") => {
                    let package = folder.rsplit('/').next().unwrap_or_default();
                    paths.modules.insert(package);
                }
                Some(stem) => {
                    paths.modules.insert(stem);
                }
                None => {}
            }
        }
        for name in paths.last.keys().chain(&paths.modules) {
            paths.shapes.add(name);
        }
        paths
    }

    /// Returns the file at a path, as the tree holds it.
    pub(super) fn at(&self, path: &str) -> Option<&'t str> {
        self.files.get(path).copied()
    }

    /// Finds the file that a word in the file `from` names: from the root, from its own folder, as a
    /// module with dots, or as the only file of that name.
    pub(super) fn resolve(&self, from: &str, word: &str) -> Option<&'t str> {
        if word.len() > 400 || word.is_empty() || !self.may_lead(word) {
            return None;
        }
        let word = word.replace('\\', "/");
        let plain = word.trim_start_matches("./").trim_start_matches('/');
        if let Some(found) = self.files.get(plain) {
            return Some(found);
        }
        let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
        if !folder.is_empty()
            && let Some(joined) = join(folder, &word)
            && let Some(found) = self.files.get(joined.as_str())
        {
            return Some(found);
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
                    return Some(found);
                }
            }
        }
        match self.last.get(plain) {
            Some((1, path)) if plain.contains('.') => Some(path),
            _ => None,
        }
    }

    /// Says whether a word can lead to a file at all, by its last part: nearly no word of a program does, and
    /// there are millions of them.
    fn may_lead(&self, word: &str) -> bool {
        let bytes = word.as_bytes();
        let cut = bytes.iter().rposition(|byte| matches!(byte, b'/' | b'\\'));
        let last = word.get(cut.map_or(0, |at| at + 1)..).unwrap_or_default();
        if matches!(last, "" | "." | "..")
            || self.shapes.may_hold(last) && self.last.contains_key(last)
        {
            return true;
        }
        let end = last.bytes().position(|byte| byte == b':');
        let dotted = last.get(..end.unwrap_or(last.len())).unwrap_or_default();
        let dot = dotted.bytes().rposition(|byte| byte == b'.');
        let module = dotted.get(dot.map_or(0, |at| at + 1)..).unwrap_or_default();
        self.shapes.may_hold(module) && self.modules.contains(module)
    }
}

/// Joins a relative path to a folder; `None` where it leads out.
pub(super) fn join(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
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

/// What some files say, in their sequence.
#[derive(Default)]
struct Part {
    to: HashMap<Box<str>, Vec<Reference>>,
    /// Names with their places; the number says which was met first.
    variables: HashMap<Box<str>, (usize, Vec<Place>)>,
    absent: HashMap<Box<str>, usize>,
    headers: Vec<Place>,
    homes: Vec<Place>,
    unread: Vec<Box<str>>,
}

/// Reads every text file, on all cores. What is found does not depend on who was faster.
pub(super) fn files(
    tree: &Tree,
    resolver: Option<&Resolver<'_>>,
    paths: &Paths<'_>,
    documents: &Documents,
    found: &mut References,
) {
    let files: Vec<&File> = tree.tracked().collect();
    let parts: Vec<&[&File]> = files.chunks(PART).collect();
    let answers = cores::each(&parts, |_, files| {
        let mut part = Part::default();
        for file in *files {
            one_file(tree, resolver, paths, file, documents, &mut part);
        }
        part
    });
    for part in answers {
        join_part(part, found);
    }
}

/// Adds what later files say, within the bounds.
fn join_part(part: Part, found: &mut References) {
    for (to, list) in part.to {
        let known = found.to.entry(to).or_default();
        let room = MAX_OF_ONE_READ.saturating_sub(known.len());
        known.extend(list.into_iter().take(room));
    }
    let mut variables: Vec<_> = part.variables.into_iter().collect();
    variables.sort_unstable_by_key(|(_, (met, _))| *met);
    for (name, (_, places)) in variables {
        if found.names.variables.len() < MAX_NAMES || found.names.variables.contains_key(&name) {
            let known = found.names.variables.entry(name).or_default();
            let room = MAX_PLACES.saturating_sub(known.len());
            known.extend(places.into_iter().take(room));
        }
    }
    let mut absent: Vec<_> = part.absent.into_iter().collect();
    absent.sort_unstable_by_key(|(_, met)| *met);
    for (name, _) in absent {
        if found.names.absent.len() >= MAX_NAMES {
            break;
        }
        found.names.absent.insert(name);
    }
    found.names.headers.extend(part.headers);
    let room = MAX_HOMES.saturating_sub(found.names.homes.len());
    found.names.homes.extend(part.homes.into_iter().take(room));
    found.names.unread.extend(part.unread);
}

/// Reads one file.
fn one_file(
    tree: &Tree,
    resolver: Option<&Resolver<'_>>,
    paths: &Paths<'_>,
    file: &File,
    documents: &Documents,
    found: &mut Part,
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
    let is_notebook = lower.strip_suffix(".ipynb").is_some() && file.size <= MAX_NOTEBOOK_BYTES;
    if file.size > MAX_BYTES && !(is_notebook && resolver.is_some()) {
        found.unread.push(file.path.clone());
        return;
    }
    let Some(text) = tree.text(path) else {
        return;
    };
    let outlined = resolver.map(|resolver| resolver.file(path, &text));
    for outlined in outlined.unwrap_or_default() {
        if outlined.to != path {
            found.reference(outlined.to, path, outlined.line, outlined.how);
        }
    }
    if file.size > MAX_BYTES {
        found.unread.push(file.path.clone());
        return;
    }
    let is_page = documents.page(path).is_some();
    let kind = Kind::of(path, &lower);
    let has_homes = names_home(&text);
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
            if index >= 4 {
                break;
            }
            continue;
        }
        if has_homes && names_home(line) {
            for home in home_paths(line) {
                if found.homes.len() < MAX_HOMES {
                    found.homes.push(place(path, number, home));
                }
            }
        }
        let at = Line {
            path,
            number,
            text: line,
            kind,
        };
        words(line, |word, traits| {
            one_word(paths, &at, word, traits, found);
        });
    }
}

fn names_home(text: &str) -> bool {
    text.contains("sers") || text.contains("/home/")
}

fn place(path: &str, line: u32, text: &str) -> Place {
    Place {
        path: path.into(),
        line,
        text: text.into(),
    }
}

/// The line that a word stands on.
struct Line<'l> {
    path: &'l str,
    number: u32,
    text: &'l str,
    kind: Kind,
}

fn one_word(paths: &Paths<'_>, at: &Line<'_>, word: &str, traits: u8, found: &mut Part) {
    if traits & (CAPITAL | UNDERSCORE) == CAPITAL | UNDERSCORE {
        variables(word, |name| found.variable(name, at));
    }
    if word.len() <= 3 || traits & SEPARATOR == 0 || traits & LETTER == 0 {
        return;
    }
    let word = word.trim_end_matches(['.', ':', '/']);
    if let Some(to) = paths.resolve(at.path, word) {
        if to != at.path {
            found.reference(to, at.path, at.number, at.kind.how(at.text));
        }
    } else if let Some(last) = word.rsplit(['/', '\\']).next()
        && last.len() > 3
        && last.len() < 100
        && at.kind == Kind::Code
    {
        found.absent(last);
    }
}

/// Calls `each` with every run of capitals, digits and `_` that may name a variable.
fn variables<'w>(word: &'w str, mut each: impl FnMut(&'w str)) {
    let is_part = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
    let bytes = word.as_bytes();
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let length = rest.iter().take_while(|byte| is_part(byte)).count();
        let is_variable = (4..=64).contains(&length)
            && rest.first().is_some_and(u8::is_ascii_uppercase)
            && rest.iter().take(length).any(|byte| *byte == b'_');
        if is_variable && let Some(name) = word.get(at..at + length) {
            each(name);
        }
        at += length + 1;
    }
}

impl Part {
    fn variable(&mut self, name: &str, at: &Line<'_>) {
        let met = self.variables.len();
        if let Some((_, places)) = self.variables.get_mut(name) {
            if places.len() < MAX_PLACES {
                places.push(place(at.path, at.number, ""));
            }
        } else if met < MAX_NAMES {
            let places = vec![place(at.path, at.number, "")];
            self.variables.insert(name.into(), (met, places));
        }
    }

    fn reference(&mut self, to: &str, from: &str, line: u32, how: How) {
        let reference = || Reference {
            from: from.into(),
            line,
            how,
        };
        if let Some(list) = self.to.get_mut(to) {
            if list.len() < MAX_OF_ONE_READ {
                list.push(reference());
            }
        } else {
            self.to.insert(to.into(), vec![reference()]);
        }
    }

    fn absent(&mut self, name: &str) {
        let met = self.absent.len();
        if met < MAX_NAMES && !self.absent.contains_key(name) {
            self.absent.insert(name.into(), met);
        }
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

/// What the bytes of a word are: a part of one at all, and what else.
const PART_OF_WORD: u8 = 1;
const SEPARATOR: u8 = 2;
const LETTER: u8 = 4;
const CAPITAL: u8 = 8;
const UNDERSCORE: u8 = 16;

/// What each byte is. A table, because it is asked for every byte of a repository.
const TRAITS: [u8; 256] = {
    let mut traits = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(
            clippy::as_conversions,
            clippy::cast_possible_truncation,
            reason = "a constant cannot call `try_from`; the loop ends at 255"
        )]
        let this = byte as u8;
        traits[byte] = match this {
            b'A'..=b'Z' => PART_OF_WORD | LETTER | CAPITAL,
            b'a'..=b'z' => PART_OF_WORD | LETTER,
            b'0'..=b'9' | b'-' | b':' | 0x80.. => PART_OF_WORD,
            b'.' | b'/' | b'\\' => PART_OF_WORD | SEPARATOR,
            b'_' => PART_OF_WORD | UNDERSCORE,
            _ => 0,
        };
        byte += 1;
    }
    traits
};

/// Calls `each` with every run of letters that may be a path or a name, and with what its bytes are.
fn words<'l>(line: &'l str, mut each: impl FnMut(&'l str, u8)) {
    let traits = |byte: &u8| TRAITS.get(usize::from(*byte)).copied().unwrap_or_default();
    let mut start = 0;
    let mut all = 0;
    let mut end = |start: usize, at: usize, all: u8| {
        if at - start > 3
            && let Some(word) = line.get(start..at)
        {
            each(word, all);
        }
    };
    for (at, byte) in line.bytes().enumerate() {
        let this = traits(&byte);
        if this == 0 {
            end(start, at, all);
            start = at + 1;
            all = 0;
        } else {
            all |= this;
        }
    }
    end(start, line.len(), all);
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
        words("a(\"käse/b.py\", 'x') ", |word, _| found.push(word));
        assert_eq!(found, ["käse/b.py"]);
    }
}
