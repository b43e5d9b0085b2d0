//! One shape for YAML, TOML and JSON files, with the line of every value and the way it was written.
//!
//! Why not types with `serde`: rules quote lines and ask whether `3.10` stood in quotes, and a file with one
//! odd key must still be read as far as it goes. Bounded: [`MAX_BYTES`] of text, [`MAX_NODES`] values (aliases
//! count as what they stand for), [`MAX_DEPTH`] levels.
//! Not here: what keys mean.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle};
use toml::de::{DeTable, DeValue};

/// Longest file that is read.
pub const MAX_BYTES: usize = 1024 * 1024;
/// Most values of one file.
pub const MAX_NODES: usize = 100_000;
/// Deepest nesting.
pub const MAX_DEPTH: usize = 64;

/// A value and the line it starts at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct At<T> {
    /// Line, the first is 1.
    pub line: u32,
    /// The value.
    pub value: T,
}

/// A text and its line.
pub type TextAt = At<Box<str>>;

impl<T> At<T> {
    /// Puts a value at a line.
    pub fn new(line: u32, value: T) -> Self {
        Self { line, value }
    }
}

/// One value of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Line where it starts; for YAML's block texts (`|`, `>`) the first line of the text.
    pub line: u32,
    /// Column in that line, the first is 1; in characters for YAML, in bytes for TOML.
    pub column: u32,
    /// What it is.
    pub data: Data,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// A text in quotes or a block text.
    Text(Box<str>),
    /// A scalar without quotes, as written: in YAML a text, number, truth or nothing; in TOML no text.
    Plain(Box<str>),
    /// A list.
    List(Vec<Node>),
    /// A map, in the sequence of the file.
    Map(Vec<(Node, Node)>),
}

/// Why a file could not be read as data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// Its syntax is wrong.
    #[error("line {line}: {message}")]
    Syntax {
        /// Line.
        line: u32,
        /// Column, counted as in [`Node`].
        column: u32,
        /// What the parser says.
        message: String,
    },
    /// It is longer, deeper or has more values (aliases counted as what they stand for) than is read.
    #[error("longer or deeper than is read")]
    TooLarge,
}

impl Node {
    /// Returns the value of a key of a map.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|(_, value)| value)
    }

    /// Returns a key and its value.
    pub fn entry(&self, key: &str) -> Option<(&Self, &Self)> {
        self.map()
            .iter()
            .find(|(name, _)| name.text() == Some(key))
            .map(|(name, value)| (name, value))
    }

    /// Returns the value at the end of a path of keys.
    pub fn path(&self, keys: &[&str]) -> Option<&Self> {
        keys.iter().try_fold(self, |node, key| node.get(key))
    }

    /// Returns a scalar's text, in quotes or not; `None` for lists, maps and YAML's nothing.
    pub fn text(&self) -> Option<&str> {
        match &self.data {
            Data::Text(text) => Some(text),
            Data::Plain(text) if !self.is_null() => Some(text),
            _ => None,
        }
    }

    /// Returns the items of a list; empty for anything else.
    pub fn list(&self) -> &[Self] {
        match &self.data {
            Data::List(items) => items,
            _ => &[],
        }
    }

    /// Returns the items of a list, or a scalar as the only item.
    pub fn items(&self) -> &[Self] {
        match &self.data {
            Data::List(items) => items,
            Data::Text(_) | Data::Plain(_) if !self.is_null() => std::slice::from_ref(self),
            _ => &[],
        }
    }

    /// Returns the scalars of [`Self::items`] with their lines.
    pub fn texts(&self) -> Vec<TextAt> {
        self.items()
            .iter()
            .filter_map(|item| Some(At::new(item.line, item.text()?.into())))
            .collect()
    }

    /// Returns the pairs of a map; empty for anything else.
    pub fn map(&self) -> &[(Self, Self)] {
        match &self.data {
            Data::Map(pairs) => pairs,
            _ => &[],
        }
    }

    /// Says whether it is YAML's nothing (`key:`, `~`, `null`).
    pub fn is_null(&self) -> bool {
        matches!(&self.data, Data::Plain(text) if matches!(text.as_ref(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// Says whether it is a truth without quotes, and which.
    pub fn truth(&self) -> Option<bool> {
        match &self.data {
            Data::Plain(text) => match text.as_ref() {
                "true" | "True" | "TRUE" => Some(true),
                "false" | "False" | "FALSE" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// Returns what YAML makes of a decimal number without quotes, where that is another text: `3.1` for
    /// `3.10`.
    pub fn shortened_number(&self) -> Option<String> {
        let Data::Plain(text) = &self.data else {
            return None;
        };
        let (whole, part) = text.split_once('.')?;
        let digits =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(part) || !part.ends_with('0') {
            return None;
        }
        let short = part.trim_end_matches('0');
        Some(if short.is_empty() {
            whole.to_owned()
        } else {
            format!("{whole}.{short}")
        })
    }

    fn size(&self) -> usize {
        match &self.data {
            Data::List(items) => 1 + items.iter().map(Self::size).sum::<usize>(),
            Data::Map(pairs) => {
                1 + pairs
                    .iter()
                    .map(|(key, value)| key.size() + value.size())
                    .sum::<usize>()
            }
            Data::Text(_) | Data::Plain(_) => 1,
        }
    }
}

/// Reads the documents of a YAML or JSON text.
///
/// # Errors
/// [`DataError::Syntax`] where it is no YAML; [`DataError::TooLarge`] for deep, huge or self-multiplying texts.
pub fn yaml(text: &str) -> Result<Vec<Node>, DataError> {
    if text.len() > MAX_BYTES {
        return Err(DataError::TooLarge);
    }
    let options = granit_parser::options! {
        emit_comments: false,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut builder = Builder::default();
    for next in Parser::new_from_str_with_options(text, options) {
        let (event, span) = next.map_err(|error| DataError::Syntax {
            line: line_number(error.marker().line()),
            column: line_number(error.marker().col().saturating_add(1)),
            message: error.info().clone(),
        })?;
        let place = Place {
            line: line_number(span.start.line()),
            column: line_number(span.start.col().saturating_add(1)),
        };
        builder.take(event, place)?;
    }
    Ok(builder.documents)
}

fn line_number(line: usize) -> u32 {
    u32::try_from(line).unwrap_or(u32::MAX).max(1)
}

/// Where something starts.
#[derive(Clone, Copy)]
struct Place {
    line: u32,
    column: u32,
}

impl Place {
    fn holds(self, data: Data) -> Node {
        Node {
            line: self.line,
            column: self.column,
            data,
        }
    }
}

/// What is open while events come in.
enum Open {
    List(Node),
    /// A map, and the key whose value is awaited.
    Map(Node, Option<Node>),
}

#[derive(Default)]
struct Builder {
    documents: Vec<Node>,
    open: Vec<(Open, usize)>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, at: Place) -> Result<(), DataError> {
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let text: Box<str> = text.into();
                let node = match style {
                    ScalarStyle::Plain => at.holds(Data::Plain(text)),
                    ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
                        at.holds(Data::Text(text))
                    }
                    // The span of a block text begins at its first line that is not blank.
                    ScalarStyle::Literal | ScalarStyle::Folded => {
                        at.holds(Data::Text(text.trim_start_matches('\n').into()))
                    }
                };
                self.count(1)?;
                self.put(node, anchor)?;
            }
            Event::Alias(id) => {
                let node = self.anchors.get(&id).cloned();
                let node = node.unwrap_or(at.holds(Data::Plain("".into())));
                self.count(node.size())?;
                self.put(node, 0)?;
            }
            Event::SequenceStart(_, anchor, _) => {
                self.count(1)?;
                self.push(Open::List(at.holds(Data::List(Vec::new()))), anchor)?;
            }
            Event::MappingStart(_, anchor, _) => {
                self.count(1)?;
                self.push(Open::Map(at.holds(Data::Map(Vec::new())), None), anchor)?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some((open, anchor)) = self.open.pop() {
                    let (Open::List(node) | Open::Map(node, _)) = open;
                    self.put(node, anchor)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn count(&mut self, nodes: usize) -> Result<(), DataError> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MAX_NODES {
            Err(DataError::TooLarge)
        } else {
            Ok(())
        }
    }

    fn push(&mut self, open: Open, anchor: usize) -> Result<(), DataError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(DataError::TooLarge);
        }
        self.open.push((open, anchor));
        Ok(())
    }

    /// Puts a finished value where it belongs. Depth is bounded again here, because an alias brings its own.
    fn put(&mut self, node: Node, anchor: usize) -> Result<(), DataError> {
        if anchor != 0 {
            self.count(node.size())?;
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut() {
            None => self.documents.push(node),
            Some((Open::List(list), _)) => {
                if let Data::List(items) = &mut list.data {
                    items.push(node);
                }
            }
            Some((Open::Map(map, key), _)) => match key.take() {
                None => *key = Some(node),
                Some(name) => {
                    if let Data::Map(pairs) = &mut map.data {
                        insert(pairs, name, node);
                    }
                }
            },
        }
        Ok(())
    }
}

/// Adds a pair; `<<` adds the pairs of other maps that are not there yet.
fn insert(pairs: &mut Vec<(Node, Node)>, name: Node, node: Node) {
    if name.data != Data::Plain("<<".into()) {
        pairs.retain(|(known, _)| {
            known.data != name.data || !matches!(known.data, Data::Plain(_) | Data::Text(_))
        });
        pairs.push((name, node));
        return;
    }
    let merged: Vec<Node> = match node.data {
        Data::List(items) => items,
        _ => vec![node],
    };
    for (key, value) in merged.into_iter().flat_map(|node| match node.data {
        Data::Map(pairs) => pairs,
        _ => Vec::new(),
    }) {
        if !pairs.iter().any(|(known, _)| known.data == key.data) {
            pairs.push((key, value));
        }
    }
}

/// Reads a TOML text; what is wrong in it is left out and returned beside it.
pub fn toml(text: &str) -> (Node, Option<DataError>) {
    let empty = Node {
        line: 1,
        column: 1,
        data: Data::Map(Vec::new()),
    };
    if text.len() > MAX_BYTES {
        return (empty, Some(DataError::TooLarge));
    }
    let lines = Lines::of(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    let error = errors.first().map(|error| DataError::Syntax {
        line: error.span().map_or(1, |span| lines.at(span.start).0),
        column: error.span().map_or(1, |span| lines.at(span.start).1),
        message: error.message().to_owned(),
    });
    (
        Node {
            line: 1,
            column: 1,
            data: of_table(table.into_inner(), &lines),
        },
        error,
    )
}

/// Where lines begin.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(
            text.bytes()
                .enumerate()
                .filter(|(_, byte)| *byte == b'\n')
                .map(|(at, _)| at)
                .collect(),
        )
    }

    /// Line and column of a byte.
    fn at(&self, offset: usize) -> (u32, u32) {
        let line = self.0.partition_point(|end| *end < offset);
        let before = line.checked_sub(1).and_then(|before| self.0.get(before));
        let start = before.map_or(0, |end| end + 1);
        (
            line_number(line + 1),
            line_number(offset.saturating_sub(start) + 1),
        )
    }

    fn node(&self, offset: usize, data: Data) -> Node {
        let (line, column) = self.at(offset);
        Node { line, column, data }
    }
}

fn of_table(table: DeTable<'_>, lines: &Lines) -> Data {
    let mut pairs: Vec<(usize, Node, Node)> = table
        .into_iter()
        .map(|(key, value)| {
            let at = key.span().start;
            let key = lines.node(at, Data::Text(key.into_inner().into()));
            let start = value.span().start;
            let value = lines.node(start, of_value(value.into_inner(), lines));
            (at, key, value)
        })
        .collect();
    pairs.sort_by_key(|(at, ..)| *at);
    Data::Map(
        pairs
            .into_iter()
            .map(|(_, key, value)| (key, value))
            .collect(),
    )
}

fn of_value(value: DeValue<'_>, lines: &Lines) -> Data {
    match value {
        DeValue::String(text) => Data::Text(text.into()),
        DeValue::Integer(number) => Data::Plain(number.as_str().into()),
        DeValue::Float(number) => Data::Plain(number.as_str().into()),
        DeValue::Boolean(truth) => Data::Plain(if truth { "true" } else { "false" }.into()),
        DeValue::Datetime(time) => Data::Plain(time.to_string().into()),
        DeValue::Array(items) => Data::List(
            items
                .into_iter()
                .map(|item| {
                    let start = item.span().start;
                    lines.node(start, of_value(item.into_inner(), lines))
                })
                .collect(),
        ),
        DeValue::Table(table) => of_table(table, lines),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_quotes_of_yaml_are_kept() {
        let text = "on: push\njobs:\n  a:\n    v: [3.10, '3.10', 3.9]\n    run: |\n      one\n      two\n    b: x\n";
        let nodes = yaml(text).unwrap();
        let job = nodes[0].path(&["jobs", "a"]).unwrap();
        let versions = job.get("v").unwrap().list();
        assert_eq!(versions[0].shortened_number().as_deref(), Some("3.1"));
        assert_eq!(versions[1].shortened_number(), None);
        assert_eq!(versions[2].shortened_number(), None);
        let run = job.get("run").unwrap();
        assert_eq!((run.line, run.text()), (6, Some("one\ntwo\n")));
        assert_eq!(job.get("b").unwrap().line, 8);
        assert_eq!(nodes[0].entry("jobs").unwrap().0.line, 2);
        let nodes = yaml("# c\nrun: >-  # c\n\n  a\n").unwrap();
        let run = nodes[0].get("run").unwrap();
        assert_eq!((run.line, run.text()), (4, Some("a")));
    }

    #[test]
    fn an_alias_stands_for_its_value_and_a_bomb_is_refused() {
        let nodes = yaml("a: &x {k: 1}\nb:\n  <<: *x\n  l: 2\nc: *x\n").unwrap();
        assert_eq!(nodes[0].path(&["b", "k"]).unwrap().text(), Some("1"));
        assert_eq!(nodes[0].path(&["c", "k"]).unwrap().text(), Some("1"));
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
        for n in 1..40 {
            let below = format!("*a{}, ", n - 1).repeat(9);
            bomb.push_str(&format!("a{n}: &a{n} [{}]\n", below.trim_end_matches(", ")));
        }
        assert_eq!(yaml(&bomb), Err(DataError::TooLarge));
    }

    #[test]
    fn deep_texts_are_refused_without_a_deep_stack() {
        assert!(yaml(&"[".repeat(100_000)).is_err());
        let mut deep = String::new();
        for n in 0..2_000 {
            deep.push_str(&" ".repeat(n));
            deep.push_str("a:\n");
        }
        assert!(yaml(&deep).is_err());
        assert!(yaml(&"- ".repeat(50_000)).is_err());
        assert!(yaml("a: &x [*x]").is_err() || yaml("a: &x [*x]").is_ok());
        let mut chain = String::from("a0: &a0 [x]\n");
        for n in 1..2_000 {
            chain.push_str(&format!("a{n}: &a{n} [*a{}]\n", n - 1));
        }
        assert_eq!(yaml(&chain), Err(DataError::TooLarge));
        assert!(toml(&format!("a = {}", "[".repeat(100_000))).1.is_some());
        assert!(
            toml(&format!("{} = 1", "a.".repeat(50_000) + "a"))
                .1
                .is_some()
        );
    }

    #[test]
    fn toml_has_lines() {
        let (node, error) =
            toml("[project]\nname = \"x\"\ndependencies = [\n  \"a\",\n  \"b>=1\",\n]\n");
        assert_eq!(error, None);
        let list = node.path(&["project", "dependencies"]).unwrap();
        assert_eq!(list.texts()[1], At::new(5, "b>=1".into()));
        let (node, error) = toml("[project]\nname = \"x\"\nbroken =\n[tool.x]\ny = 1\n");
        assert!(error.is_some());
        assert_eq!(node.path(&["project", "name"]).unwrap().text(), Some("x"));
    }
}
