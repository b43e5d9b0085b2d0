//! The changed files with their hunks, and what each hunk says: names that it defines, mentions and stands in.
//!
//! Why by lines and not by a parser for each language: a hunk is often no program that parses, and the same few words begin
//! a definition in all languages of a bot's repository. What is found decides only which commit a hunk is proposed for.
//! Not here: joining ([`super::joins`]).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use similar::{Algorithm, DiffOp, capture_diff_slices};
use tradewind_repo::trees::Side;

use super::private::{Private, read as read_blob};
use super::role::{Role, folder_of, stem_of};
use super::sides::{SUBMODULE, Sides, text};
use super::{ChangeError, How};

/// Longer files are not compared by lines.
const MAX_TEXT_BYTES: usize = 512 * 1024;
/// Files of more lines are not compared by lines.
const MAX_LINES: usize = 10_000;
/// Names kept of one hunk.
const MAX_NAMES: usize = 1_500;
/// Lines looked up for the definition that a hunk stands in.
const MAX_UP: usize = 600;
/// Unchanged lines between two edits of one hunk, as git shows them.
const CONTEXT: usize = 3;
/// Bytes of contents held at once; what comes after is taken whole.
const MAX_HELD_BYTES: usize = 256 * 1024 * 1024;
/// Share of common lines from which on a file that goes and one that comes are the same.
const ALIKE: f64 = 0.6;

/// A changed file.
#[derive(Debug)]
pub(super) struct File {
    pub(super) path: Box<[u8]>,
    pub(super) name: String,
    /// The path that goes with a rename.
    pub(super) from: Option<Box<[u8]>>,
    pub(super) before: Option<Side>,
    pub(super) after: Option<Side>,
    pub(super) how: How,
    pub(super) role: Role,
    /// Its lines; `None` where they are not compared.
    pub(super) lines: Option<Lines>,
    /// At least one, the only one where lines are not compared or the file comes or goes.
    pub(super) hunks: Vec<Hunk>,
    /// Whether only blanks differ.
    pub(super) is_formatting: bool,
    /// The outermost folder above it that did not exist before.
    pub(super) new_folder: Option<String>,
}

/// Both contents of a file, by lines.
#[derive(Debug)]
pub(super) struct Lines {
    pub(super) before: Vec<u8>,
    pub(super) after: Vec<u8>,
    pub(super) edits: Vec<Edit>,
}

/// Lines that go, and lines that come in their place.
#[derive(Clone, Debug)]
pub(super) struct Edit {
    pub(super) old: Range<usize>,
    pub(super) new: Range<usize>,
}

/// Neighbouring edits.
#[derive(Debug, Default)]
pub(super) struct Hunk {
    pub(super) edits: Range<usize>,
    pub(super) added: usize,
    pub(super) removed: usize,
    /// Names on lines that come.
    pub(super) comes: BTreeSet<Box<str>>,
    /// Names on lines that go.
    pub(super) goes: BTreeSet<Box<str>>,
    /// Names that are defined on lines that come.
    pub(super) defines: Vec<Box<str>>,
    /// Names whose definition goes.
    pub(super) drops: Vec<Box<str>>,
    /// The definitions that it stands in, innermost first.
    pub(super) inside: Vec<Box<str>>,
}

impl Hunk {
    /// Says whether a changed line has this name.
    pub(super) fn mentions(&self, name: &str) -> bool {
        self.comes.contains(name) || self.goes.contains(name)
    }
}

impl File {
    /// Says whether its hunks may go into different commits.
    pub(super) fn can_split(&self) -> bool {
        self.hunks.len() > 1
    }

    /// Returns the content with only these hunks applied.
    pub(super) fn with(&self, hunks: &BTreeSet<usize>) -> Option<Vec<u8>> {
        let lines = self.lines.as_ref()?;
        let (before, after) = (split(&lines.before), split(&lines.after));
        let mut bytes = Vec::with_capacity(lines.after.len());
        let mut at = 0;
        let copy = |bytes: &mut Vec<u8>, of: &[&[u8]], range: Range<usize>| {
            for line in of.get(range).unwrap_or_default() {
                bytes.extend_from_slice(line);
            }
        };
        for (number, hunk) in self.hunks.iter().enumerate() {
            if !hunks.contains(&number) {
                continue;
            }
            for edit in lines.edits.get(hunk.edits.clone()).unwrap_or_default() {
                copy(&mut bytes, &before, at..edit.old.start);
                copy(&mut bytes, &after, edit.new.clone());
                at = edit.old.end;
            }
        }
        copy(&mut bytes, &before, at..before.len());
        Some(bytes)
    }
}

/// All changed files with what is known of them together.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) files: Vec<File>,
    /// Names that some changed file had before.
    pub(super) old_names: BTreeSet<Box<str>>,
    /// Names that some changed file has afterwards.
    pub(super) new_names: BTreeSet<Box<str>>,
}

/// Reads the changed files.
pub(super) fn read(
    sides: &Sides,
    private: &Private,
    remarks: &mut Vec<String>,
) -> Result<Parts, ChangeError> {
    let objects = private.objects()?;
    let mut files = Vec::new();
    let mut held = 0;
    let mut whole = 0_usize;
    for (path, (before, after)) in &sides.changes {
        let content = |side: Option<Side>| -> Result<Option<Vec<u8>>, ChangeError> {
            match side {
                None => Ok(Some(Vec::new())),
                Some((SUBMODULE, _)) => Ok(None),
                Some((_, id)) => read_blob(&objects, id),
            }
        };
        let both = content(*before)?.zip(content(*after)?);
        let both = both.filter(|(before, after)| is_text(before) && is_text(after));
        let size = both.as_ref().map_or(0, |(a, b)| a.len() + b.len());
        let both = both.filter(|_| held + size <= MAX_HELD_BYTES);
        if both.is_none() {
            whole += 1;
        }
        held += if both.is_some() { size } else { 0 };
        let how = match (before, after) {
            (None, _) => How::Added,
            (_, None) => How::Deleted,
            _ => How::Modified,
        };
        files.push(file(path, *before, *after, how, both));
    }
    if whole > 0 {
        remarks.push(format!(
            "{whole} changed paths are binary or too long to be compared by lines; each is taken whole"
        ));
    }
    let mut files = renames(files);
    new_folders(&mut files, sides);
    let mut parts = Parts {
        files,
        old_names: BTreeSet::new(),
        new_names: BTreeSet::new(),
    };
    for file in &parts.files {
        if let Some(lines) = &file.lines {
            names(&lines.before, &mut parts.old_names, usize::MAX);
            names(&lines.after, &mut parts.new_names, usize::MAX);
        }
    }
    Ok(parts)
}

fn file(
    path: &[u8],
    before: Option<Side>,
    after: Option<Side>,
    how: How,
    both: Option<(Vec<u8>, Vec<u8>)>,
) -> File {
    let name = text(path);
    let lines = both.map(|(before, after)| {
        let edits = edits(&split(&before), &split(&after));
        Lines {
            before,
            after,
            edits,
        }
    });
    let hunks = hunks(lines.as_ref(), how);
    // A mode that changes has no line, so that it goes with the first hunk.
    let is_formatting = how == How::Modified
        && before.map(|side| side.0) == after.map(|side| side.0)
        && lines
            .as_ref()
            .is_some_and(|lines| is_formatting(&name, lines));
    File {
        role: Role::of(&name),
        path: path.into(),
        name,
        from: None,
        before,
        after,
        how,
        lines,
        hunks,
        is_formatting,
        new_folder: None,
    }
}

fn is_text(bytes: &[u8]) -> bool {
    bytes.len() <= MAX_TEXT_BYTES
        && !bytes
            .get(..8_000.min(bytes.len()))
            .unwrap_or_default()
            .contains(&0)
        && bytes.split(|byte| *byte == b'\n').count() <= MAX_LINES + 1
}

pub(super) fn split(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n').collect()
}

fn edits(before: &[&[u8]], after: &[&[u8]]) -> Vec<Edit> {
    capture_diff_slices(Algorithm::Patience, before, after)
        .into_iter()
        .filter_map(|op| match op {
            DiffOp::Equal { .. } => None,
            op => Some(Edit {
                old: op.old_range(),
                new: op.new_range(),
            }),
        })
        .collect()
}

/// Says whether nothing but blanks at the end of lines, empty lines or, where they mean nothing, blanks at all differ.
fn is_formatting(name: &str, lines: &Lines) -> bool {
    let ending = name.rsplit_once('.').map_or("", |(_, end)| end);
    // There the blanks at the beginning of a line are part of the program.
    let indent_counts = matches!(
        ending,
        "py" | "pyi" | "yml" | "yaml" | "md" | "rst" | "pyx" | "ipynb"
    ) || ending == name
        || ending.is_empty();
    let bare = |bytes: &[u8]| -> Vec<u8> {
        if !indent_counts {
            return bytes
                .iter()
                .copied()
                .filter(|byte| !byte.is_ascii_whitespace())
                .collect();
        }
        let lines = split(bytes).into_iter().map(<[u8]>::trim_ascii_end);
        lines
            .filter(|line| !line.is_empty())
            .collect::<Vec<_>>()
            .join(&b'\n')
    };
    !lines.edits.is_empty() && bare(&lines.before) == bare(&lines.after)
}

fn hunks(lines: Option<&Lines>, how: How) -> Vec<Hunk> {
    let Some(lines) = lines else {
        return vec![Hunk::default()];
    };
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for (at, edit) in lines.edits.iter().enumerate() {
        let is_near = at > 0
            && lines.edits.get(at - 1).is_some_and(|last| {
                how != How::Modified || edit.old.start - last.old.end <= CONTEXT
            });
        match ranges.last_mut() {
            Some(range) if is_near => range.end = at + 1,
            _ => ranges.push(at..at + 1),
        }
    }
    if ranges.is_empty() {
        // Only the mode differs, or an empty file comes or goes.
        ranges.push(0..0);
    }
    let (before, after) = (split(&lines.before), split(&lines.after));
    ranges
        .into_iter()
        .map(|range| hunk(lines, &before, &after, range))
        .collect()
}

fn hunk(lines: &Lines, before: &[&[u8]], after: &[&[u8]], range: Range<usize>) -> Hunk {
    let mut hunk = Hunk {
        edits: range.clone(),
        ..Hunk::default()
    };
    for edit in lines.edits.get(range).unwrap_or_default() {
        let goes = before.get(edit.old.clone()).unwrap_or_default();
        let comes = after.get(edit.new.clone()).unwrap_or_default();
        hunk.added += comes.len();
        hunk.removed += goes.len();
        for line in comes {
            names(line, &mut hunk.comes, MAX_NAMES);
            hunk.defines.extend(definition(line).map(Box::from));
        }
        for line in goes {
            names(line, &mut hunk.goes, MAX_NAMES);
            hunk.drops.extend(definition(line).map(Box::from));
        }
        let (side, at) = if comes.is_empty() {
            (before, edit.old.clone())
        } else {
            (after, edit.new.clone())
        };
        for name in enclosing(side, at) {
            if !hunk.inside.contains(&name) && hunk.inside.len() < 12 {
                hunk.inside.push(name);
            }
        }
    }
    // A definition that is rewritten in its place is one that the hunk stands in.
    let rewritten: Vec<Box<str>> = hunk
        .defines
        .iter()
        .filter(|name| hunk.drops.contains(name))
        .cloned()
        .collect();
    hunk.defines.retain(|name| !rewritten.contains(name));
    hunk.drops.retain(|name| !rewritten.contains(name));
    for name in rewritten {
        if !hunk.inside.contains(&name) {
            hunk.inside.push(name);
        }
    }
    hunk
}

/// Returns the definitions that lines stand in, innermost first, at most two.
fn enclosing(lines: &[&[u8]], at: Range<usize>) -> Vec<Box<str>> {
    let shown = lines.get(at.clone()).unwrap_or_default();
    let least = shown
        .iter()
        .filter(|line| !line.trim_ascii().is_empty())
        .map(|line| indent(line))
        .min();
    let Some(mut least) = least else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for line in lines
        .get(at.start.saturating_sub(MAX_UP)..at.start)
        .unwrap_or_default()
        .iter()
        .rev()
    {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let here = indent(line);
        if here < least {
            if let Some(name) = definition(line) {
                found.push(name.into());
            }
            least = here;
            if least == 0 || found.len() == 2 {
                break;
            }
        }
    }
    found
}

fn indent(line: &[u8]) -> usize {
    line.iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count()
}

const BEFORE_A_DEFINITION: &[&str] = &[
    "pub",
    "pub(crate)",
    "pub(super)",
    "async",
    "export",
    "default",
    "static",
    "abstract",
    "public",
    "private",
    "protected",
    "final",
    "unsafe",
    "declare",
    "inline",
    "extern",
];
const DEFINES: &[&str] = &[
    "def",
    "class",
    "fn",
    "function",
    "struct",
    "enum",
    "trait",
    "interface",
    "type",
    "func",
    "mod",
    "const",
    "let",
    "var",
    "union",
];

/// Returns the name that a line begins to define.
pub(super) fn definition(line: &[u8]) -> Option<&str> {
    let line = std::str::from_utf8(line.get(..line.len().min(300))?).ok()?;
    let is_outermost = !line.starts_with([' ', '\t']);
    let mut words = line.split_whitespace();
    let mut word = words.next()?;
    while BEFORE_A_DEFINITION.contains(&word) {
        word = words.next()?;
    }
    let rest = if DEFINES.contains(&word) {
        if matches!(word, "let" | "var" | "const") && !is_outermost {
            return None;
        }
        words.next()?
    } else if is_outermost && matches!(words.next(), Some("=" | ":=")) {
        // A constant, as Python has them.
        word
    } else {
        return None;
    };
    let end = rest
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(rest.len());
    let name = rest.get(..end)?;
    (name.len() > 1 && name.len() <= 60 && !name.starts_with(|c: char| c.is_ascii_digit()))
        .then_some(name)
}

/// Words that say nothing of what a change is about.
const COMMON: &[&str] = &[
    "self",
    "this",
    "from",
    "import",
    "return",
    "None",
    "True",
    "False",
    "true",
    "false",
    "null",
    "else",
    "elif",
    "with",
    "while",
    "class",
    "async",
    "await",
    "yield",
    "raise",
    "except",
    "finally",
    "assert",
    "lambda",
    "pass",
    "global",
    "print",
    "super",
    "init",
    "__init__",
    "__name__",
    "__main__",
    "main",
    "args",
    "kwargs",
    "list",
    "dict",
    "tuple",
    "float",
    "bool",
    "bytes",
    "object",
    "type",
    "Type",
    "name",
    "names",
    "value",
    "values",
    "data",
    "item",
    "items",
    "keys",
    "path",
    "file",
    "files",
    "test",
    "tests",
    "that",
    "then",
    "than",
    "when",
    "what",
    "will",
    "would",
    "should",
    "must",
    "have",
    "which",
    "where",
    "into",
    "only",
    "also",
    "more",
    "does",
    "line",
    "lines",
    "text",
    "string",
    "String",
    "result",
    "results",
    "error",
    "Error",
    "errors",
    "Optional",
    "Union",
    "List",
    "Dict",
    "Tuple",
    "Callable",
    "typing",
    "function",
    "const",
    "static",
    "public",
    "private",
    "protected",
    "void",
    "export",
    "default",
    "require",
    "module",
    "undefined",
    "typeof",
    "switch",
    "case",
    "break",
    "continue",
    "match",
    "impl",
    "struct",
    "enum",
    "trait",
    "crate",
    "super",
    "Self",
    "Some",
    "Result",
    "Option",
    "unwrap",
    "index",
    "count",
    "size",
    "length",
    "append",
    "join",
    "split",
    "format",
    "open",
    "read",
    "write",
    "close",
    "config",
    "default",
    "param",
    "params",
    "version",
    "https",
    "http",
    "github",
    "there",
    "their",
    "been",
    "each",
    "they",
    "them",
    "were",
    "your",
    "case",
    "make",
    "used",
    "uses",
    "using",
    "call",
    "called",
    "code",
    "example",
    "note",
    "todo",
    "TODO",
    "FIXME",
    "pytest",
    "unittest",
    "mock",
    "setup",
    "setUp",
    "update",
    "create",
    "start",
    "stop",
    "time",
    "date",
    "user",
    "work",
    "same",
    "other",
    "first",
    "last",
    "next",
    "node",
    "root",
];

pub(super) fn is_common(name: &str) -> bool {
    COMMON.contains(&name)
}

/// Adds the names of a text.
fn names(text: &[u8], into: &mut BTreeSet<Box<str>>, most: usize) {
    for word in text.split(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_') {
        if into.len() >= most {
            return;
        }
        let is_name =
            (4..=60).contains(&word.len()) && !word.first().is_some_and(u8::is_ascii_digit);
        if !is_name {
            continue;
        }
        if let Ok(word) = std::str::from_utf8(word)
            && !into.contains(word)
            && !is_common(word)
        {
            into.insert(word.into());
        }
    }
}

/// Joins what goes with what comes elsewhere, where the contents are the same or alike.
fn renames(files: Vec<File>) -> Vec<File> {
    let mut gone: Vec<usize> = Vec::new();
    let mut come: Vec<usize> = Vec::new();
    for (at, file) in files.iter().enumerate() {
        match file.how {
            How::Deleted => gone.push(at),
            How::Added => come.push(at),
            _ => {}
        }
    }
    let mut pairs: BTreeMap<usize, usize> = BTreeMap::new();
    let mut taken = BTreeSet::new();
    let mut by_id: HashMap<_, Vec<usize>> = HashMap::new();
    for old in &gone {
        if let Some(id) = files.get(*old).and_then(|file| file.before) {
            by_id.entry(id.1).or_default().push(*old);
        }
    }
    for new in &come {
        let Some(file) = files.get(*new) else {
            continue;
        };
        let is_empty = file
            .lines
            .as_ref()
            .is_some_and(|lines| lines.after.is_empty());
        let same = file
            .after
            .and_then(|side| by_id.get(&side.1))
            .filter(|_| !is_empty);
        let same = same
            .into_iter()
            .flatten()
            .filter(|old| !taken.contains(*old));
        let best = same.max_by_key(|old| {
            files
                .get(**old)
                .is_some_and(|old| stem_of(&old.name) == stem_of(&file.name))
        });
        if let Some(old) = best {
            taken.insert(*old);
            pairs.insert(*new, *old);
        }
    }
    // Beyond that many pairs only equal contents are joined.
    if gone.len() * come.len() <= 10_000 {
        for new in &come {
            if pairs.contains_key(new) {
                continue;
            }
            let mut best: Option<(f64, usize)> = None;
            for old in gone.iter().filter(|old| !taken.contains(*old)) {
                let alike = files
                    .get(*old)
                    .zip(files.get(*new))
                    .map_or(0.0, |(a, b)| alike(a, b));
                if alike >= ALIKE && best.is_none_or(|(so_far, _)| alike > so_far) {
                    best = Some((alike, *old));
                }
            }
            if let Some((_, old)) = best {
                taken.insert(old);
                pairs.insert(*new, old);
            }
        }
    }
    let mut files: Vec<Option<File>> = files.into_iter().map(Some).collect();
    for (new, old) in &pairs {
        let old = files.get_mut(*old).and_then(Option::take);
        let new = files.get_mut(*new).and_then(Option::as_mut);
        if let (Some(old), Some(new)) = (old, new) {
            let both = old
                .lines
                .map(|l| l.before)
                .zip(new.lines.take().map(|l| l.after));
            let mut joined = file(&new.path, old.before, new.after, How::Renamed, both);
            joined.from = Some(old.path);
            *new = joined;
        }
    }
    files.into_iter().flatten().collect()
}

/// Returns the share of lines that two contents have in common.
fn alike(old: &File, new: &File) -> f64 {
    let (Some(old), Some(new)) = (&old.lines, &new.lines) else {
        return 0.0;
    };
    let (old, new) = (split(&old.before), split(&new.after));
    let most = old.len().max(new.len());
    if most == 0 || old.len().min(new.len()) * 2 < most {
        return 0.0;
    }
    let mut counts: HashMap<&[u8], usize> = HashMap::new();
    let has_words = |line: &&[u8]| line.iter().any(u8::is_ascii_alphanumeric);
    for line in old.iter().filter(|line| has_words(line)) {
        *counts.entry(line).or_default() += 1;
    }
    let mut same = 0_usize;
    let mut all = 0_usize;
    for line in new.iter().filter(|line| has_words(line)) {
        all += 1;
        if let Some(count) = counts.get_mut(line).filter(|count| **count > 0) {
            *count -= 1;
            same += 1;
        }
    }
    let ratio = |part: usize, of: usize| {
        f64::from(u32::try_from(part).unwrap_or(u32::MAX))
            / f64::from(u32::try_from(of.max(1)).unwrap_or(u32::MAX))
    };
    // One line in common proves nothing.
    if all < 3 { 0.0 } else { ratio(same, all) }
}

fn new_folders(files: &mut [File], sides: &Sides) {
    for file in files.iter_mut().filter(|file| file.how == How::Added) {
        let mut folder = folder_of(&file.name);
        while !folder.is_empty() && !sides.folders.contains(folder.as_bytes()) {
            file.new_folder = Some(folder.to_owned());
            folder = folder_of(folder);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(before: &str, after: &str) -> File {
        let both = Some((before.as_bytes().to_vec(), after.as_bytes().to_vec()));
        file(b"a.py", None, None, How::Modified, both)
    }

    #[test]
    fn a_line_that_begins_a_definition_names_it() {
        for (line, name) in [
            ("def load_bars(path):", Some("load_bars")),
            ("    async def fetch(self):", Some("fetch")),
            ("pub(crate) fn plan(x: u8) {", Some("plan")),
            ("export default class Bars {", Some("Bars")),
            ("MAX_RISK = 0.02", Some("MAX_RISK")),
            ("    x = 1", None),
            ("    let x = 1;", None),
            ("return def", None),
            ("", None),
        ] {
            assert_eq!(definition(line.as_bytes()), name, "{line}");
        }
    }

    #[test]
    fn a_hunk_knows_what_it_stands_in_and_what_it_defines() {
        let before = "class Broker:\n    def send(self):\n        pass\n\n\n\n\ndef other():\n    return 1\n";
        let after = "class Broker:\n    def send(self):\n        self.log()\n\n\n\n\ndef other():\n    return 1\n\n\ndef extra_thing():\n    return 2\n";
        let file = changed(before, after);
        assert_eq!(file.hunks.len(), 2);
        assert_eq!(
            file.hunks[0].inside,
            ["send".into(), "Broker".into()] as [Box<str>; 2]
        );
        assert_eq!(
            file.hunks[1].defines,
            ["extra_thing".into()] as [Box<str>; 1]
        );
    }

    #[test]
    fn some_hunks_give_a_content_between_both() {
        let before = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        let after = "one\n2\n3\n4\n5\n6\n7\n8\nnine\n";
        let file = changed(before, after);
        let with = |hunks: &[usize]| {
            String::from_utf8(file.with(&hunks.iter().copied().collect()).unwrap()).unwrap()
        };
        assert_eq!(with(&[]), before);
        assert_eq!(with(&[0, 1]), after);
        assert_eq!(with(&[1]), "1\n2\n3\n4\n5\n6\n7\n8\nnine\n");
    }

    #[test]
    fn indentation_is_no_formatting_where_it_means_something() {
        assert!(changed("if x:\n    y()\n", "if x:\n    y()  \n\n").is_formatting);
        assert!(!changed("if x:\n    y()\nz()\n", "if x:\n    y()\n    z()\n").is_formatting);
    }
}
