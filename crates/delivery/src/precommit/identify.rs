//! What kind of file something is: the tags of the Python library `identify`, which `types:` of a hook names.
//!
//! Why our own: hooks are chosen by these tags, and starting Python to ask costs more than the whole run.
//! A tag comes from what the path is, from the name, from the extension, from the first line of a file that may
//! be started, and, where the name does not say, from the first kilobyte (text or binary).
//! Not here: choosing the files of a hook ([`super::Settled::takes`]).

mod table;

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::precommit::words;
use crate::staged::Mode;

/// Words of 64 tags; the library knows 323.
const WORDS: usize = 6;
/// How much of a file says whether it is text.
const HEAD: usize = 1024;
/// Tags that no table has.
const OWN: [&str; 8] = [
    "binary",
    "directory",
    "executable",
    "file",
    "non-executable",
    "socket",
    "symlink",
    "text",
];

/// A set of tags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tags([u64; WORDS]);

impl Tags {
    /// Makes a set of named tags.
    ///
    /// # Errors
    /// The first name that is no tag.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, &'a str> {
        let mut tags = Self::default();
        for name in names {
            tags.insert(index(name).ok_or(name)?);
        }
        Ok(tags)
    }

    /// Says whether no tag is in it.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// Says whether every tag of `other` is in it.
    pub fn has_all(&self, other: &Self) -> bool {
        self.0.iter().zip(other.0).all(|(a, b)| a & b == b)
    }

    /// Says whether a tag of `other` is in it.
    pub fn has_any(&self, other: &Self) -> bool {
        self.0.iter().zip(other.0).any(|(a, b)| a & b != 0)
    }

    /// Says whether a tag is in it.
    pub fn has(&self, name: &str) -> bool {
        Self::of([name]).is_ok_and(|tag| self.has_all(&tag))
    }

    /// Lists its tags by name, sorted.
    pub fn names(&self) -> Vec<&'static str> {
        TABLES
            .tags
            .iter()
            .enumerate()
            .filter(|(at, _)| self.0[at / 64] & (1 << (at % 64)) != 0)
            .map(|(_, name)| *name)
            .collect()
    }

    fn insert(&mut self, at: usize) {
        if let Some(word) = self.0.get_mut(at / 64) {
            *word |= 1 << (at % 64);
        }
    }

    fn with(mut self, other: &Self) -> Self {
        for (a, b) in self.0.iter_mut().zip(other.0) {
            *a |= b;
        }
        self
    }
}

/// Lists every tag there is, sorted.
pub fn all() -> &'static [&'static str] {
    &TABLES.tags
}

/// Says what a path is. `None` where only its bytes can say and none were given; the first line and the
/// first kilobyte are enough.
pub fn tags(path: &[u8], mode: Mode, bytes: Option<&[u8]>) -> Option<Tags> {
    let tables = &*TABLES;
    let mode_tags = match mode {
        Mode::Link => return Some(tables.link),
        Mode::Submodule => return Some(tables.directory),
        Mode::Executable => tables.executable,
        Mode::Regular => tables.regular,
    };
    let named = by_name(path);
    let mut tags = mode_tags.with(&named);
    if named.is_empty() && mode == Mode::Executable {
        let (program, _) = shebang(bytes?);
        if let Some(program) = program {
            tags = tags.with(&by_interpreter(&program));
        }
    }
    if !tags.has_any(&tables.encoding) {
        let text = is_text(bytes?);
        tags = tags.with(if text { &tables.text } else { &tables.binary });
    }
    Some(tags)
}

/// Says whether the beginning of a file looks like text.
pub fn is_text(bytes: &[u8]) -> bool {
    let head = bytes.get(..HEAD).unwrap_or(bytes);
    head.iter()
        .all(|byte| matches!(byte, 7..=13 | 27 | 0x20..=0x7e | 0x80..=0xff))
}

/// Tags by the name and the extension alone; empty where neither is known.
fn by_name(path: &[u8]) -> Tags {
    let tables = &*TABLES;
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
    let name = String::from_utf8_lossy(name);
    let known = std::iter::once(name.as_ref())
        .chain(name.split('.'))
        .find_map(|part| tables.names.get(part));
    let mut tags = known.copied().unwrap_or_default();
    if let Some(extension) = extension(&name) {
        let found = if extension.bytes().any(|byte| !byte.is_ascii_lowercase()) {
            tables.extensions.get(extension.to_lowercase().as_str())
        } else {
            tables.extensions.get(extension)
        };
        if let Some(found) = found {
            tags = tags.with(found);
        }
    }
    tags
}

/// What stands after the last dot of a name; dots at its beginning do not count.
pub(crate) fn extension(name: &str) -> Option<&str> {
    let stem = name.trim_start_matches('.');
    stem.rsplit_once('.')
        .map(|(_, extension)| extension)
        .filter(|extension| !extension.is_empty())
}

/// Tags of an interpreter: `python3.5.2`, then `python3.5`, then `python3`.
fn by_interpreter(program: &str) -> Tags {
    let mut name = program.rsplit_once('/').map_or(program, |(_, name)| name);
    while !name.is_empty() {
        if let Some(tags) = TABLES.interpreters.get(name) {
            return *tags;
        }
        name = name.rsplit_once('.').map_or("", |(name, _)| name);
    }
    Tags::default()
}

/// The program that a file's first line names, `env` taken off, with how many words follow it.
fn shebang(bytes: &[u8]) -> (Option<String>, usize) {
    let Some((line, rest)) = shebang_line(bytes) else {
        return (None, 0);
    };
    let words = split(line);
    let mut words = words.iter().map(String::as_str).collect::<Vec<_>>();
    if words.starts_with(&["/usr/bin/env", "-S"]) {
        words.drain(..2);
    } else if words.starts_with(&["/usr/bin/env"]) {
        words.drain(..1);
    }
    if words == ["nix-shell"] {
        return (Some(nix(rest)), 0);
    }
    let more = words.len().saturating_sub(1);
    (words.first().map(|word| (*word).to_owned()), more)
}

/// The interpreter that `#! nix-shell -i …` lines name; the last one counts.
fn nix(mut bytes: &[u8]) -> String {
    let mut program = String::from("nix-shell");
    while let Some((line, rest)) = shebang_line(bytes) {
        let words = split(line);
        for pair in words.windows(2) {
            if pair[0] == "-i" {
                program.clone_from(&pair[1]);
            }
        }
        bytes = rest;
    }
    program
}

/// A line that starts with `#!` and is printable ASCII, without these two, and what follows it.
fn shebang_line(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let rest = bytes.strip_prefix(b"#!")?;
    let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
    let (line, rest) = rest.split_at(end);
    let is_printable = line.iter().all(|byte| matches!(byte, 9..=13 | 0x20..=0x7e));
    let line = std::str::from_utf8(line).ok().filter(|_| is_printable)?;
    Some((line.trim_matches(is_blank), rest))
}

fn split(line: &str) -> Vec<String> {
    words::split(line).unwrap_or_else(|_| {
        line.split(is_blank)
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    })
}

fn is_blank(c: char) -> bool {
    matches!(c, '\t'..='\r' | ' ')
}

fn index(name: &str) -> Option<usize> {
    TABLES.tags.binary_search(&name).ok()
}

struct Tables {
    tags: Vec<&'static str>,
    names: HashMap<&'static str, Tags>,
    extensions: HashMap<&'static str, Tags>,
    interpreters: HashMap<&'static str, Tags>,
    link: Tags,
    directory: Tags,
    regular: Tags,
    executable: Tags,
    text: Tags,
    binary: Tags,
    encoding: Tags,
}

/// Built on first use: 40 µs.
static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let rows = [table::EXTENSIONS, table::NAMES, table::INTERPRETERS];
    let mut tags: Vec<&'static str> = rows
        .iter()
        .flat_map(|rows| rows.iter())
        .flat_map(|(tags, _)| tags.split(' '))
        .chain(OWN)
        .collect();
    tags.sort_unstable();
    tags.dedup();
    let set = |names: &str| {
        let mut set = Tags::default();
        for at in names.split(' ').filter_map(|n| tags.binary_search(&n).ok()) {
            set.insert(at);
        }
        set
    };
    let map = |rows: &[(&'static str, &'static str)]| {
        let mut map = HashMap::with_capacity(rows.len() * 4);
        for (tags, keys) in rows {
            let tags = set(tags);
            map.extend(keys.split(' ').map(|key| (key, tags)));
        }
        map
    };
    Tables {
        extensions: map(table::EXTENSIONS),
        names: map(table::NAMES),
        interpreters: map(table::INTERPRETERS),
        link: set("symlink"),
        directory: set("directory"),
        regular: set("file non-executable"),
        executable: set("file executable"),
        text: set("text"),
        binary: set("binary"),
        encoding: set("text binary"),
        tags,
    }
});

#[cfg(test)]
mod tests {
    use super::*;

    fn names(path: &str, mode: Mode, bytes: &[u8]) -> Vec<&'static str> {
        tags(path.as_bytes(), mode, Some(bytes)).unwrap().names()
    }

    #[test]
    fn every_tag_has_a_place_in_the_set() {
        assert!(all().len() <= WORDS * 64, "{}", all().len());
        assert_eq!(all().len(), 323);
        for tag in all() {
            assert_eq!(Tags::of([*tag]).unwrap().names(), [*tag]);
        }
        assert_eq!(Tags::of(["text", "pyhton"]), Err("pyhton"));
    }

    #[test]
    fn name_extension_and_mode_say_what_a_file_is() {
        use Mode::{Executable, Link, Regular, Submodule};
        let python = ["file", "non-executable", "python", "text"];
        assert_eq!(names("bot/a.PY", Regular, b"\0"), python);
        assert_eq!(
            names("Dockerfile.xenial", Regular, b""),
            ["dockerfile", "file", "non-executable", "text"]
        );
        assert_eq!(names("a", Link, b""), ["symlink"]);
        assert_eq!(names("a.py", Submodule, b""), ["directory"]);
        assert_eq!(
            names("a.plist", Regular, b"\0"),
            ["binary", "file", "non-executable", "plist"]
        );
        assert_eq!(
            names("x", Regular, b"#!/bin/sh\n"),
            ["file", "non-executable", "text"]
        );
        assert_eq!(
            names("x", Executable, b"#!/usr/bin/env -S python3.5.2 -u\n"),
            ["executable", "file", "python", "python3", "text"]
        );
        assert_eq!(
            names(
                "x",
                Executable,
                b"#!/usr/bin/env nix-shell\n#! nix-shell -i bash -p x\n"
            ),
            ["bash", "executable", "file", "shell", "text"]
        );
        assert_eq!(tags(b"x", Regular, None), None);
        assert!(tags(b"x.py", Regular, None).is_some());
        assert_eq!(extension(".bashrc"), None);
        assert_eq!(extension("..a.b"), Some("b"));
        assert_eq!(extension("a."), None);
    }
}
