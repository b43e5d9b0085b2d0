//! `check-yaml`: a file is YAML that can be loaded: one document, no key twice, no tag that needs code.
//!
//! Reads the parser's events and builds nothing. What plain scalars mean (for keys that are equal) is in
//! `yaml12`.

use std::collections::{HashMap, HashSet};

use granit_parser::{Event, Parser, ScalarStyle, Tag};

use super::args::{ArgError, Options};
use super::yaml12::{Kind, canonical, kind};
use super::{About, Check, File, FileCheck, PLAIN, Surroundings, Verdict};

pub(super) const ABOUT: About = About {
    id: "check-yaml",
    name: "check yaml",
    what: "Stops files that are no YAML, or that could not be loaded safely.",
    types: &["yaml"],
    arguments: &[
        (
            "--multi, --allow-multiple-documents, -m",
            "takes several documents in a file",
        ),
        (
            "--unsafe",
            "looks at the syntax only: any tag, any number of documents, keys twice",
        ),
    ],
    differs: &[
        "YAML 1.2 is read as its specification has it; the script's reader refuses a tab after `key:` and an empty key in `[: x]`, and takes a `#` right behind a quoted text, directives within a document and a block text (`|`) at the margin",
        "lists as keys are not compared with each other",
        "`%YAML 1.1` changes nothing",
        "nesting deeper than 250 is refused",
    ],
    make,
    ..PLAIN
};

const OPTIONS: Options = Options {
    flags: &[
        &["--multi", "--allow-multiple-documents", "-m"],
        &["--unsafe"],
    ],
    values: &[],
};
/// Deepest nesting.
const MAX_DEPTH: usize = 250;

struct Yaml {
    takes_many: bool,
    is_syntax_only: bool,
}

fn make(args: &[String]) -> Result<Check, ArgError> {
    let parsed = OPTIONS.parse(args)?;
    Ok(Check::files(Yaml {
        takes_many: parsed.has("--multi"),
        is_syntax_only: parsed.has("--unsafe"),
    }))
}

impl FileCheck for Yaml {
    fn check(&self, file: &File<'_>, _around: &dyn Surroundings) -> Verdict {
        let path = file.shown();
        let Ok(text) = std::str::from_utf8(file.bytes) else {
            return Verdict::broken(format!("{path}: no UTF-8"));
        };
        match self.read(text) {
            Ok(()) => Verdict::clean(),
            Err((line, what)) => Verdict::broken(format!("{path}:{line}: {what}")),
        }
    }
}

impl Yaml {
    fn read(&self, text: &str) -> Result<(), (usize, String)> {
        let is_plain = |byte: u8| matches!(byte, b' '..=b'~' | b'\n' | b'\r' | b'\t');
        if !text.bytes().all(is_plain)
            && let Some(at) = text.find(is_unprintable)
        {
            let line = memchr::memchr_iter(b'\n', &text.as_bytes()[..at]).count() + 1;
            return Err((line, "a character that YAML does not have".to_owned()));
        }
        let options = granit_parser::options! {
            emit_comments: false,
            emit_unresolved_aliases: true,
            flow_nesting_limit: MAX_DEPTH,
            block_nesting_limit: MAX_DEPTH,
        };
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if let Some(line) = end_without_document(text) {
            return Err((line, "the end of a document that did not begin".to_owned()));
        }
        let mut loader = Loader::default();
        for next in Parser::new_from_str_with_options(text, options) {
            let (event, span) =
                next.map_err(|error| (error.marker().line(), error.info().clone()))?;
            if !self.is_syntax_only {
                loader
                    .take(event, self.takes_many)
                    .map_err(|what| (span.start.line(), what))?;
            }
        }
        Ok(())
    }
}

/// Finds a line `...` with no document before it: the script's reader refuses what the specification allows.
fn end_without_document(text: &str) -> Option<usize> {
    let mut is_open = false;
    let mut lines = text.split('\n').enumerate();
    lines
        .find(|(_, line)| {
            let rest = line.strip_prefix("...");
            if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r'])) {
                return !std::mem::replace(&mut is_open, false);
            }
            let start = line.trim_ascii();
            is_open |= !start.is_empty() && !start.starts_with('#') && !line.starts_with('%');
            false
        })
        .map(|(at, _)| at + 1)
}

fn is_unprintable(c: char) -> bool {
    match c {
        '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' => false,
        c => c < '\u{a0}' || matches!(c, '\u{fffe}' | '\u{ffff}'),
    }
}

/// What an anchor stands for.
#[derive(Clone)]
enum Anchored {
    Scalar(String),
    List,
    Map,
}

/// A list or map that is open.
struct Open {
    kind: Collection,
    anchor: usize,
    /// Whether it is a key, or within one.
    is_key: bool,
}

enum Collection {
    List,
    /// The values of `<<`: maps only.
    Merged,
    /// A tag asks for a list of maps with one key each.
    Pairs,
    Map {
        keys: HashSet<String>,
        awaits: Awaits,
        has_merge: bool,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Awaits {
    Key,
    Value,
    Merge,
}

/// Follows the events of a document as a loader would.
#[derive(Default)]
struct Loader {
    open: Vec<Open>,
    anchors: HashMap<usize, Anchored>,
    documents: usize,
}

impl Loader {
    fn take(&mut self, event: Event<'_>, takes_many: bool) -> Result<(), String> {
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                self.anchors.clear();
                if self.documents > 1 && !takes_many {
                    return Err("expected a single document in the stream".to_owned());
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                let is_plain = matches!(style, ScalarStyle::Plain);
                let is_key = self.is_at_key();
                // Most scalars are texts as values: nothing is to be compared or checked.
                let is_passed_over = !is_key
                    && anchor == 0
                    && tag.is_none()
                    && (!is_plain || kind(&text) == Kind::Text);
                let value = if is_passed_over {
                    String::new()
                } else {
                    scalar(&text, is_plain, tag.as_deref(), is_key)?
                };
                if anchor != 0 {
                    self.anchors.insert(anchor, Anchored::Scalar(value.clone()));
                }
                let is_merge = is_plain && tag.is_none() && text == "<<";
                if is_merge && !self.is_at_key() {
                    return Err("no constructor for `<<`".to_owned());
                }
                self.value(&Anchored::Scalar(value), is_merge)?;
            }
            Event::Alias(id) => {
                let anchored = self.anchors.get(&id).cloned().unwrap_or(Anchored::List);
                self.value(&anchored, false)?;
            }
            Event::UnresolvedAlias(name) => return Err(format!("found undefined alias {name:?}")),
            Event::SequenceStart(_, anchor, tag) => {
                let kind = match tag.as_deref().map(known) {
                    None | Some(Some("seq" | "")) => Collection::List,
                    Some(Some("omap" | "pairs")) => Collection::Pairs,
                    Some(_) => return Err("a tag that no list can have".to_owned()),
                };
                let is_merge = self.awaited() == Some(Awaits::Merge);
                let kind = if is_merge { Collection::Merged } else { kind };
                self.start(kind, anchor, &Anchored::List)?;
            }
            Event::MappingStart(_, anchor, tag) => {
                if !matches!(
                    tag.as_deref().map(known),
                    None | Some(Some("map" | "set" | ""))
                ) {
                    return Err("a tag that no map can have".to_owned());
                }
                let kind = Collection::Map {
                    keys: HashSet::new(),
                    awaits: Awaits::Key,
                    has_merge: false,
                };
                self.start(kind, anchor, &Anchored::Map)?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(open) = self.open.pop()
                    && open.anchor != 0
                {
                    let anchored = match open.kind {
                        Collection::Map { .. } => Anchored::Map,
                        _ => Anchored::List,
                    };
                    self.anchors.insert(open.anchor, anchored);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn awaited(&self) -> Option<Awaits> {
        match self.open.last()?.kind {
            Collection::Map { awaits, .. } => Some(awaits),
            _ => None,
        }
    }

    fn is_at_key(&self) -> bool {
        self.awaited() == Some(Awaits::Key)
    }

    fn start(&mut self, kind: Collection, anchor: usize, what: &Anchored) -> Result<(), String> {
        let is_key = self.is_at_key() || self.open.last().is_some_and(|open| open.is_key);
        if is_key && matches!(what, Anchored::Map) {
            return Err("a map as a key".to_owned());
        }
        self.value(what, false)?;
        if anchor != 0 {
            // It may name itself.
            self.anchors.insert(anchor, what.clone());
        }
        self.open.push(Open {
            kind,
            anchor,
            is_key,
        });
        Ok(())
    }

    /// Puts a value into the list or map that is open.
    fn value(&mut self, value: &Anchored, is_merge_key: bool) -> Result<(), String> {
        let Some(open) = self.open.last_mut() else {
            return Ok(());
        };
        match &mut open.kind {
            Collection::Merged | Collection::Pairs if !matches!(value, Anchored::Map) => {
                Err("expected a map".to_owned())
            }
            Collection::List | Collection::Merged | Collection::Pairs => Ok(()),
            Collection::Map {
                keys,
                awaits,
                has_merge,
            } => match *awaits {
                Awaits::Key => {
                    *awaits = Awaits::Value;
                    if is_merge_key {
                        *awaits = Awaits::Merge;
                        if std::mem::replace(has_merge, true) {
                            return Err("found duplicate merge key \"<<\"".to_owned());
                        }
                        return Ok(());
                    }
                    match value {
                        Anchored::Scalar(key) if !keys.insert(key.clone()) => {
                            let shown: String = key.chars().skip(2).take(80).collect();
                            Err(format!("found duplicate key {shown:?}"))
                        }
                        Anchored::Map => Err("a map as a key".to_owned()),
                        _ => Ok(()),
                    }
                }
                Awaits::Value => {
                    *awaits = Awaits::Key;
                    Ok(())
                }
                Awaits::Merge => {
                    *awaits = Awaits::Key;
                    if matches!(value, Anchored::Scalar(_)) {
                        return Err("expected a map or a list of maps for merging".to_owned());
                    }
                    Ok(())
                }
            },
        }
    }
}

/// The name of a tag of YAML's own; empty for `!`; `None` for any other.
fn known(tag: &Tag) -> Option<&str> {
    match (tag.handle(), tag.suffix()) {
        ("tag:yaml.org,2002:", name) => Some(name),
        ("", name) => name
            .strip_prefix("tag:yaml.org,2002:")
            .or((name == "!").then_some("")),
        ("!", "") => Some(""),
        _ => None,
    }
}

/// What a scalar is, in a form that equal keys share.
fn scalar(text: &str, is_plain: bool, tag: Option<&Tag>, is_key: bool) -> Result<String, String> {
    let found = match tag {
        None if is_plain => kind(text),
        None => Kind::Text,
        Some(tag) => match known(tag) {
            // `!` says that it is what it would be in quotes.
            Some("str" | "") => Kind::Text,
            Some("int") => Kind::Int,
            Some("float") => Kind::Float,
            Some("bool") => Kind::Truth,
            Some("null") => Kind::Nothing,
            Some("timestamp") => Kind::Time,
            Some("binary") => Kind::Binary,
            Some(name) => return Err(format!("a scalar cannot be a {name}")),
            None => return Err(format!("no constructor for the tag {:?}", tag.to_string())),
        },
    };
    if found == Kind::Value && !is_key {
        return Err("no constructor for `=`".to_owned());
    }
    canonical(text, found)
}

#[cfg(test)]
mod tests {
    use super::super::tests::on;

    fn is_yaml(args: &[&str], text: &str) -> bool {
        on("check-yaml", args, "a", text.as_bytes())
            .lines
            .is_empty()
    }

    #[test]
    fn yaml_is_what_can_be_loaded() {
        for good in [
            "",
            "# c\n",
            "a: 1\nb: [x, {y: z}]\n",
            "\u{feff}a: 1\n",
            "a: &x {b: 1}\nc:\n  <<: *x\n  b: 2\n",
            "<<: [{a: 1}, {b: 2}]\n",
            "[a, b]: 1\n",
            "yes: 1\ntrue: 2\n",
            "1: 1\n'1': 2\n",
            "a: !!str 1\n",
            "- !\n",
            "a: !!omap [a: 1]\n",
            "&a a: *a\n",
            "--- |\n x\n",
            "a: &a\nb: *a\n",
        ] {
            assert!(is_yaml(&[], good), "{good}");
        }
        for bad in [
            "a: 1\na: 2\n",
            "a: *y\n",
            "!foo a\n",
            "a\n---\nb\n",
            "a: b: c\n",
            "a: 2024-13-45\n",
            "a: !!int x\n",
            "1: a\n01: b\n",
            "1.0: a\n1: b\n",
            "null: 1\n~: 2\n",
            "? {a: b}\n: 1\n",
            "<<: 3\n",
            "a: !!seq {}\n",
            "a: !!map []\n",
            "a: \u{1}\n",
            "a: =\n",
            "a: [1, 2\n",
            "? a\n? a\n",
            "true: 1\n1: 2\n",
        ] {
            assert!(!is_yaml(&[], bad), "{bad}");
        }
        assert!(!is_yaml(&[], &"[".repeat(100_000)));
    }

    #[test]
    fn arguments_take_more() {
        assert!(is_yaml(&["-m"], "a\n---\nb\n"));
        assert!(!is_yaml(
            &["--allow-multiple-documents"],
            "a\n---\na: 1\na: 2\n"
        ));
        assert!(is_yaml(
            &["--unsafe"],
            "!foo a\n---\na: *x\n---\na: 1\na: 2\n"
        ));
        assert!(!is_yaml(&["--unsafe"], "a: [\n"));
    }
}
