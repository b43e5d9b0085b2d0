//! A catalog file as text: read in full, with the place of everything that is wrong.
//!
//! Why: serde gives up at the first wrong key; a person who edits a file wants to see all mistakes at
//! once, each with line and column. So a file is read again without the entry that was wrong until
//! nothing is left to say. Not here: what the entries mean.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use crate::provider::Provider;

/// Upper bound on a file, in bytes.
pub(crate) const MAX_FILE_BYTES: usize = 1024 * 1024;
/// Upper bound on the mistakes that are reported for one file.
const MAX_MISTAKES: usize = 100;

/// Something wrong at a place of one file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PlacedMessage {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// What is wrong, without a full stop.
    pub message: String,
}

/// A file that has been read.
#[derive(Debug)]
pub(crate) struct Document<'t> {
    text: &'t str,
    root: Spanned<DeValue<'t>>,
    mistakes: Vec<PlacedMessage>,
}

impl<'t> Document<'t> {
    /// Parses `text`; what is not TOML is kept as mistakes.
    pub(crate) fn parse(text: &'t str) -> Self {
        let whole = if text.len() > MAX_FILE_BYTES {
            ""
        } else {
            text
        };
        let (root, errors) = DeTable::parse_recoverable(whole);
        let span = root.span();
        let mut document = Self {
            text: whole,
            root: Spanned::new(span, DeValue::Table(root.into_inner())),
            mistakes: Vec::new(),
        };
        if text.len() > MAX_FILE_BYTES {
            let message = format!(
                "the file has {} bytes, at most {MAX_FILE_BYTES} are read",
                text.len()
            );
            document.mistake(0, &message);
        }
        for error in errors {
            document.mistake(error.span().unwrap_or(0..0).start, error.message());
        }
        document
    }

    /// Reads the file as a provider. `None` when something is wrong with it.
    pub(crate) fn provider(&mut self) -> Option<Provider> {
        let mut value = self.root.clone();
        let mut removed = false;
        for _ in 0..MAX_MISTAKES {
            let source = ValueDeserializer::from(value.clone());
            let error = match <Provider as serde::Deserialize>::deserialize(source) {
                Ok(provider) => return self.mistakes.is_empty().then_some(provider),
                Err(error) => error,
            };
            // An entry that was taken out is missing now; that is our doing, not a mistake.
            if !(removed && error.message().starts_with("missing field")) {
                let start = error.span().unwrap_or_else(|| value.span()).start;
                self.mistake(start, error.message());
            }
            let at = error.span()?;
            if !remove_entry(value.get_mut(), &at) {
                return None;
            }
            removed = true;
        }
        None
    }

    /// Notes a mistake about what stands at `path`, or about the nearest thing above it that exists.
    pub(crate) fn mistake_at(&mut self, path: &[String], message: &str) {
        let start = (0..=path.len())
            .rev()
            .find_map(|depth| self.place(&path[..depth]))
            .unwrap_or(0);
        self.mistake(start, message);
    }

    /// Returns all mistakes, in file order.
    pub(crate) fn into_mistakes(mut self) -> Vec<PlacedMessage> {
        self.mistakes.sort();
        self.mistakes
    }

    fn mistake(&mut self, start: usize, message: &str) {
        // Where it stands is counted from the beginning: not for each of ten thousand broken lines.
        if self.mistakes.len() >= MAX_MISTAKES {
            return;
        }
        let (line, column) = line_and_column(self.text, start);
        let mistake = PlacedMessage {
            line,
            column,
            message: message.trim().replace('\n', " "),
        };
        if !self.mistakes.contains(&mistake) {
            self.mistakes.push(mistake);
        }
    }

    /// Returns the byte where the value at `path` starts.
    fn place(&self, path: &[String]) -> Option<usize> {
        let mut value = &self.root;
        for step in path {
            value = match value.get_ref() {
                DeValue::Table(table) => table
                    .iter()
                    .find(|(key, _)| key.get_ref() == step.as_str())
                    .map(|(_, value)| value)?,
                DeValue::Array(items) => items.get(step.parse::<usize>().ok()?)?,
                _ => return None,
            };
        }
        Some(value.span().start)
    }
}

/// Takes the innermost entry that holds `at` out of `value`. False when there is none.
fn remove_entry(value: &mut DeValue<'_>, at: &Range<usize>) -> bool {
    let holds =
        |span: Range<usize>| span.start <= at.start && at.start < span.end.max(span.start + 1);
    match value {
        DeValue::Table(table) => {
            let mut doomed = None;
            for (key, item) in table.iter_mut() {
                let is_here = holds(key.span()) || holds(item.span());
                // A table's span is where its header stands, so look inside all of them.
                if item.span() != *at && !holds(key.span()) && remove_entry(item.get_mut(), at) {
                    return true;
                }
                if is_here {
                    doomed = Some(key.get_ref().to_string());
                    break;
                }
            }
            let Some(key) = doomed else { return false };
            let kept = std::mem::replace(table, DeTable::new()).into_iter();
            *table = kept
                .filter(|(name, _)| name.get_ref() != key.as_str())
                .collect();
            true
        }
        // A wrong table of a list goes as a whole; what else is wrong in it was said before.
        DeValue::Array(items) => {
            if items
                .iter_mut()
                .any(|item| item.span() != *at && remove_entry(item.get_mut(), at))
            {
                return true;
            }
            let Some(index) = items.iter().position(|item| holds(item.span())) else {
                return false;
            };
            // The list can only be built anew.
            let kept = items.iter().enumerate().filter(|(i, _)| *i != index);
            *items = kept.map(|(_, item)| item.clone()).collect();
            true
        }
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => false,
    }
}

/// Returns line and column, both from 1, of byte `offset` of `text`.
pub(crate) fn line_and_column(text: &str, offset: usize) -> (u32, u32) {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// 64 KiB of broken lines took seconds, because each one was counted out.
    #[test]
    fn of_ten_thousand_broken_lines_the_first_hundred_are_told() {
        let mistakes = Document::parse(&" 60\n".repeat(10_000)).into_mistakes();
        assert_eq!((mistakes.len(), mistakes[0].line), (MAX_MISTAKES, 1));
    }
}
