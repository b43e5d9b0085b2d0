//! A configuration file that is read section by section, and never stops at the first mistake.
//!
//! Why: serde gives up at the first wrong key; a person who edits a file wants to see everything
//! that is wrong with it, each with line and column. [`Document::section`] reads a section again
//! without the entry that was wrong until nothing is left to say. Each room owns its sections'
//! types; the edge asks one document for all of them and then for [`Document::finish`].
//! Not here: what the sections mean.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

/// Upper bound on a configuration file, in bytes.
pub const MAX_CONFIG_BYTES: usize = 1024 * 1024;
/// Upper bound on the mistakes that are reported for one file.
const MAX_MISTAKES: usize = 100;

/// Upper bound on one mistake's text, in characters.
const MAX_MESSAGE_CHARS: usize = 600;

/// One thing that is wrong with a configuration file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub struct ConfigMistake {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// What is wrong, one sentence without a full stop.
    pub message: String,
}

impl fmt::Display for ConfigMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

/// A parsed file whose sections are being read.
#[derive(Debug)]
pub struct Document<'t> {
    text: &'t str,
    root: Spanned<DeTable<'t>>,
    known: BTreeSet<String>,
    mistakes: Vec<ConfigMistake>,
}

impl<'t> Document<'t> {
    /// Parses `text`; mistakes in the TOML itself are kept for [`finish`](Self::finish).
    pub fn parse(text: &'t str) -> Self {
        let whole = if text.len() > MAX_CONFIG_BYTES {
            ""
        } else {
            text
        };
        let (root, errors) = DeTable::parse_recoverable(whole);
        let mut document = Self {
            text: whole,
            root,
            known: BTreeSet::new(),
            mistakes: Vec::new(),
        };
        if text.len() > MAX_CONFIG_BYTES {
            document.mistake(
                0..0,
                format!(
                    "the file has {} bytes, at most {MAX_CONFIG_BYTES} are read",
                    text.len()
                ),
            );
        }
        for error in errors {
            document.mistake(error.span().unwrap_or(0..0), error.message());
        }
        document
    }

    /// Reads the top-level section `name` as `T`; a missing section is an empty one.
    ///
    /// Every mistake inside is noted. `None` when the section cannot be read even without its
    /// wrong entries; [`finish`](Self::finish) will then say why.
    pub fn section<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        self.known.insert(name.to_owned());
        let value = self
            .value(&[name])
            .cloned()
            .unwrap_or_else(|| Spanned::new(0..0, DeValue::Table(DeTable::new())));
        self.read(value)
    }

    /// Reads the value at `path` as `T`, noting every mistake inside.
    pub fn read_at<T: DeserializeOwned>(&mut self, path: &[&str]) -> Option<T> {
        let value = self.value(path)?.clone();
        self.read(value)
    }

    /// Returns the keys of the table at `path`, in file order; empty when there is none.
    pub fn keys(&self, path: &[&str]) -> Vec<String> {
        let table = if path.is_empty() {
            Some(self.root.get_ref())
        } else {
            self.value(path)
                .and_then(|value| value.get_ref().as_table())
        };
        table
            .into_iter()
            .flat_map(DeTable::keys)
            .map(|key| key.get_ref().to_string())
            .collect()
    }

    /// Returns whether a value stands at `path`.
    pub fn has(&self, path: &[&str]) -> bool {
        self.value(path).is_some()
    }

    /// Says that the section `name` belongs to somebody, without reading it.
    pub fn claim(&mut self, name: &str) {
        self.known.insert(name.to_owned());
    }

    /// Returns the bytes of the file where the value at `path` stands.
    pub fn span(&self, path: &[&str]) -> Option<Range<usize>> {
        self.value(path).map(Spanned::span)
    }

    /// Returns the bytes of the file where the last key of `path` stands.
    pub fn key_span(&self, path: &[&str]) -> Option<Range<usize>> {
        let (last, parents) = path.split_last()?;
        let table = if parents.is_empty() {
            self.root.get_ref()
        } else {
            self.value(parents)?.get_ref().as_table()?
        };
        table
            .keys()
            .find(|key| key.get_ref() == last)
            .map(Spanned::span)
    }

    /// Returns the bytes of the file for character offset `at` of the text value at `path`, which
    /// may be written with any of TOML's four quotes and with escapes.
    pub fn span_in_text(&self, path: &[&str], at: usize) -> Option<Range<usize>> {
        let span = self.span(path)?;
        let offset = raw_offset(self.text.get(span.clone())?, at);
        Some(span.start + offset..span.end)
    }

    /// Notes a mistake that stands at `span` of the file.
    pub fn mistake(&mut self, span: Range<usize>, message: impl Into<String>) {
        // Where it stands is counted from the beginning: not for each of ten thousand broken lines.
        if self.mistakes.len() >= MAX_MISTAKES {
            return;
        }
        let (line, column) = position(self.text, span.start);
        let mistake = ConfigMistake {
            line,
            column,
            message: shorten(&message.into()),
        };
        if !self.mistakes.contains(&mistake) {
            self.mistakes.push(mistake);
        }
    }

    /// Notes a mistake about the value at `path`, or about the nearest thing above it that exists.
    pub fn mistake_at(&mut self, path: &[&str], message: impl Into<String>) {
        let span = (1..=path.len())
            .rev()
            .find_map(|depth| self.span(&path[..depth]))
            .unwrap_or(0..0);
        self.mistake(span, message);
    }

    /// Checks that every section was asked for, and returns all mistakes in file order.
    ///
    /// # Errors
    /// Every mistake that was noted.
    pub fn finish(mut self) -> Result<(), Vec<ConfigMistake>> {
        let unknown: Vec<_> = self
            .root
            .get_ref()
            .keys()
            .filter(|key| !self.known.contains(key.get_ref().as_ref()))
            .map(|key| (key.span(), key.get_ref().to_string()))
            .collect();
        let known = self.known.iter().cloned().collect::<Vec<_>>().join(", ");
        for (span, name) in unknown {
            self.mistake(
                span,
                format!("unknown section `{name}`, expected one of {known}"),
            );
        }
        self.mistakes.sort();
        if self.mistakes.is_empty() {
            Ok(())
        } else {
            Err(self.mistakes)
        }
    }

    fn value(&self, path: &[&str]) -> Option<&Spanned<DeValue<'t>>> {
        let (first, rest) = path.split_first()?;
        let mut value = child(self.root.get_ref(), first)?;
        for step in rest {
            value = match value.get_ref() {
                DeValue::Table(table) => child(table, step)?,
                DeValue::Array(items) => items.get(step.parse::<usize>().ok()?)?,
                _ => return None,
            };
        }
        Some(value)
    }

    /// Deserializes `value`; after a mistake, again without the entry it stands in.
    fn read<T: DeserializeOwned>(&mut self, mut value: Spanned<DeValue<'t>>) -> Option<T> {
        let mut removed = false;
        for _ in 0..MAX_MISTAKES {
            let error = match T::deserialize(ValueDeserializer::from(value.clone())) {
                Ok(read) => return Some(read),
                Err(error) => error,
            };
            // An entry that was taken out is missing now; that is our doing, not a mistake.
            if !(removed && error.message().starts_with("missing field")) {
                let span = error.span().unwrap_or_else(|| value.span());
                self.mistake(span, error.message());
            }
            let at = error.span()?;
            if !remove_entry(value.get_mut(), &at) {
                return None;
            }
            removed = true;
        }
        None
    }
}

/// One line, and not the whole file: a mistake may quote a key of any length.
fn shorten(message: &str) -> String {
    let line = message.replace('\n', " ");
    match line.char_indices().nth(MAX_MESSAGE_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

fn child<'a, 't>(table: &'a DeTable<'t>, key: &str) -> Option<&'a Spanned<DeValue<'t>>> {
    table
        .iter()
        .find(|(name, _)| name.get_ref() == key)
        .map(|(_, value)| value)
}

/// Takes the innermost entry that holds `at` out of `value`. False when there is none.
fn remove_entry(value: &mut DeValue<'_>, at: &Range<usize>) -> bool {
    let holds =
        |span: Range<usize>| span.start <= at.start && at.start < span.end.max(span.start + 1);
    match value {
        DeValue::Table(table) => {
            let mut inner = false;
            let mut doomed = None;
            for (key, item) in table.iter_mut() {
                if holds(key.span()) {
                    doomed = Some(key.get_ref().to_string());
                } else if holds(item.span()) {
                    // A table's span is where its header stands, so look inside all of them first.
                    inner = item.span() != *at && remove_entry(item.get_mut(), at);
                    if !inner {
                        doomed = Some(key.get_ref().to_string());
                    }
                } else if matches!(item.get_ref(), DeValue::Table(_) | DeValue::Array(_)) {
                    inner = remove_entry(item.get_mut(), at);
                }
                if inner || doomed.is_some() {
                    break;
                }
            }
            if let Some(key) = doomed {
                drop(table.remove(key.as_str()));
                return true;
            }
            inner
        }
        DeValue::Array(items) => items
            .iter_mut()
            .any(|item| remove_entry(item.get_mut(), at)),
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => false,
    }
}

/// Returns line and column, both from 1, of byte `offset` of `text`.
pub fn position(text: &str, offset: usize) -> (u32, u32) {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let before = &text[..offset];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    (
        u32::try_from(line).unwrap_or(u32::MAX),
        u32::try_from(column).unwrap_or(u32::MAX),
    )
}

/// Returns the byte of the raw TOML text value `raw` where its decoded character `at` stands.
fn raw_offset(raw: &str, at: usize) -> usize {
    let (quotes, escapes) = if raw.starts_with("\"\"\"") {
        (3, true)
    } else if raw.starts_with("'''") {
        (3, false)
    } else if raw.starts_with('"') {
        (1, true)
    } else if raw.starts_with('\'') {
        (1, false)
    } else {
        (0, false)
    };
    let mut offset = quotes;
    if quotes == 3 {
        // TOML drops a newline that follows the opening quotes.
        let rest = raw.get(offset..).unwrap_or("");
        offset += if rest.starts_with("\r\n") {
            2
        } else {
            usize::from(rest.starts_with('\n'))
        };
    }
    let mut decoded = 0;
    while let Some(rest) = raw.get(offset..) {
        let Some(first) = rest.chars().next() else {
            break;
        };
        let second = rest.chars().nth(1).filter(|_| escapes && first == '\\');
        if second.is_some_and(char::is_whitespace) {
            // A backslash at a line's end swallows the white space that follows.
            let tail = &rest[1..];
            offset += 1 + tail.len() - tail.trim_start().len();
            continue;
        }
        if decoded == at {
            break;
        }
        decoded += 1;
        offset += match second {
            None => first.len_utf8(),
            Some('u') => 6,
            Some('U') => 10,
            Some('x') => 4,
            Some(letter) => 1 + letter.len_utf8(),
        };
    }
    offset.min(raw.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    /// 64 KiB of broken lines took seconds, because each one was counted out.
    #[test]
    fn of_ten_thousand_broken_lines_the_first_hundred_are_told() {
        let mistakes = Document::parse(&" 60\n".repeat(10_000)).finish();
        let mistakes = mistakes.unwrap_err();
        assert_eq!((mistakes.len(), mistakes[0].line), (MAX_MISTAKES, 1));
    }

    #[derive(Debug, Deserialize, Default)]
    #[serde(deny_unknown_fields, default)]
    struct Section {
        number: u8,
        flag: bool,
        inner: Inner,
    }

    #[derive(Debug, Deserialize, Default)]
    #[serde(deny_unknown_fields, default)]
    struct Inner {
        name: String,
    }

    #[test]
    fn every_mistake_of_a_file_is_reported_with_its_place() {
        let text =
            "[a]\nnumber = \"x\"\nflg = true\nflag = 3\n\n[a.inner]\nnme = 'n'\nname = 7\n[b]\n";
        let mut document = Document::parse(text);
        let _: Option<Section> = document.section("a");
        let mistakes = document.finish().unwrap_err();
        let places: Vec<_> = mistakes.iter().map(|m| (m.line, m.column)).collect();
        assert_eq!(
            places,
            [(2, 10), (3, 1), (4, 8), (7, 1), (8, 8), (9, 2)],
            "{mistakes:#?}"
        );
    }

    #[test]
    fn a_file_that_is_no_toml_is_reported_once_per_place() {
        let document = Document::parse("a = \nb = 1 1\n");
        let mistakes = document.finish().unwrap_err();
        assert!(mistakes.iter().any(|m| m.line == 1), "{mistakes:#?}");
    }

    #[test]
    fn a_decoded_character_is_found_behind_escapes_and_quotes() {
        assert_eq!(raw_offset(r#""a\u0041b""#, 2), 8);
        assert_eq!(raw_offset("'''\nab'''", 1), 5);
        assert_eq!(raw_offset("\"\"\"a\\\n   b\"\"\"", 1), 4 + 5);
    }

    #[test]
    fn a_position_counts_characters_not_bytes() {
        assert_eq!(position("é = 1\nx", 3), (1, 3));
        assert_eq!(position("é = 1\nx", 7), (2, 1));
    }
}
