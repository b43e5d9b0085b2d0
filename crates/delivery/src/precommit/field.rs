//! Reading one value of the configuration: what it must be, and a sentence with line and column where it is not.
//!
//! Everything wrong is collected, so that a file with three mistakes is mended in one go.
//! Not here: which keys there are.

use tradewind_repo::project::data::{self, Data, DataError, Node};

use super::READ_AS;
use super::config::Remark;
use super::hook::{LANGUAGES, Stage};
use super::identify::Tags;
use super::pattern::Pattern;
use super::yaml11::{Scalar, scalar};

/// Most mistakes and most warnings that are kept.
const MAX_REMARKS: usize = 100;

/// Collects what is wrong while values are read.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) mistakes: Vec<Remark>,
    pub(super) warnings: Vec<Remark>,
}

impl Reader {
    /// Reads the only document of a text.
    pub(super) fn document(&mut self, text: &str) -> Option<Node> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        match data::yaml(text) {
            Ok(mut documents) if documents.len() == 1 => documents.pop(),
            Ok(documents) => {
                let (line, column) = documents
                    .get(1)
                    .map_or((1, 1), |node| (node.line, node.column));
                let what = if documents.is_empty() {
                    "the file is empty"
                } else {
                    "the file has a second document; one is read"
                };
                self.mistake(line, column, what.to_owned());
                None
            }
            Err(DataError::Syntax {
                line,
                column,
                message,
            }) => {
                self.mistake(line, column, format!("this is not YAML: {message}"));
                None
            }
            Err(error) => {
                self.mistake(1, 1, error.to_string());
                None
            }
        }
    }

    /// Notes a mistake at a value.
    pub(super) fn wrong(&mut self, node: &Node, text: String) {
        self.mistake(node.line, node.column, text);
    }

    /// Notes something that pre-commit warns of.
    pub(super) fn warn(&mut self, node: &Node, text: String) {
        if self.warnings.len() < MAX_REMARKS {
            self.warnings.push(Remark {
                line: node.line,
                column: node.column,
                text,
            });
        }
    }

    fn mistake(&mut self, line: u32, column: u32, text: String) {
        if self.mistakes.len() < MAX_REMARKS {
            self.mistakes.push(Remark { line, column, text });
        }
    }

    fn expected(&mut self, node: &Node, key: &str, what: &str) {
        self.wrong(node, format!("`{key}` is {what}, not {}", found(node)));
    }

    /// Returns the pairs of a map.
    pub(super) fn map<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [(Node, Node)]> {
        if let Data::Map(pairs) = &node.data {
            return Some(pairs);
        }
        self.wrong(
            node,
            format!("{what} is a map of keys, not {}", found(node)),
        );
        None
    }

    /// Returns the items of a list.
    pub(super) fn list<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        if let Data::List(items) = &node.data {
            return items;
        }
        self.wrong(node, format!("{what} is a list, not {}", found(node)));
        &[]
    }

    /// Returns a text. A number without quotes is none: `3.10` would be `3.1`.
    pub(super) fn text(&mut self, node: &Node, key: &str) -> Option<String> {
        match &node.data {
            Data::Text(text) => return Some(text.to_string()),
            Data::Plain(text) if scalar(text) == Scalar::Text => return Some(text.to_string()),
            Data::Plain(text) if scalar(text) != Scalar::Nothing => {
                let kind = found(node);
                self.wrong(
                    node,
                    format!("`{key}` is a text, not {kind}: write '{text}'"),
                );
            }
            _ => self.expected(node, key, "a text"),
        }
        None
    }

    /// Returns a list of texts.
    pub(super) fn texts(&mut self, node: &Node, key: &str) -> Option<Vec<String>> {
        let Data::List(items) = &node.data else {
            self.expected(node, key, "a list of texts");
            return None;
        };
        items
            .iter()
            .map(|item| self.text(item, key))
            .collect::<Vec<_>>()
            .into_iter()
            .collect()
    }

    /// Returns a truth.
    pub(super) fn truth(&mut self, node: &Node, key: &str) -> Option<bool> {
        if let Data::Plain(text) = &node.data
            && let Scalar::Truth(truth) = scalar(text)
        {
            return Some(truth);
        }
        self.expected(node, key, "`true` or `false`");
        None
    }

    /// Returns a whole number.
    pub(super) fn number(&mut self, node: &Node, key: &str) -> Option<u32> {
        if let Data::Plain(text) = &node.data
            && let Ok(number) = text.parse()
        {
            return Some(number);
        }
        self.expected(node, key, "a whole number, 0 or more");
        None
    }

    /// Returns a regular expression.
    pub(super) fn pattern(&mut self, node: &Node, key: &str) -> Option<Pattern> {
        let text = self.text(node, key)?;
        if text.contains("/*") {
            let hint = format!(
                "`{key}` is a regular expression, not a glob: `/*` probably is not what you want"
            );
            self.warn(node, hint);
        }
        for slashes in [r"[\\/]", r"[\/]", r"[/\\]"] {
            if text.contains(slashes) {
                self.warn(
                    node,
                    format!("paths in `{key}` have `/` everywhere: write / instead of {slashes}"),
                );
            }
        }
        match Pattern::new(&text) {
            Ok(pattern) => Some(pattern),
            Err(error) => {
                self.wrong(node, format!("`{key}`: {error}"));
                None
            }
        }
    }

    /// Returns a set of file types.
    pub(super) fn tags(&mut self, node: &Node, key: &str) -> Option<Tags> {
        let texts = self.texts(node, key)?;
        match Tags::of(texts.iter().map(String::as_str)) {
            Ok(tags) => Some(tags),
            Err(name) => {
                let near = nearest(name, super::identify::all().iter().copied());
                self.wrong(
                    node,
                    format!("`{key}`: there is no file type `{name}`{near}"),
                );
                None
            }
        }
    }

    /// Returns a language by its name of today.
    pub(super) fn language(&mut self, node: &Node) -> Option<&'static str> {
        let text = self.text(node, "language")?;
        let name = match text.as_str() {
            "system" => "unsupported",
            "script" => "unsupported_script",
            name => name,
        };
        let known = LANGUAGES.into_iter().find(|known| *known == name);
        if known.is_none() {
            let near = nearest(name, LANGUAGES.into_iter().chain(["system", "script"]));
            self.wrong(node, format!("there is no language `{text}`{near}"));
        }
        known
    }

    /// Returns stages, names of yesterday included.
    pub(super) fn stages(&mut self, node: &Node, key: &str, manual: bool) -> Option<Vec<Stage>> {
        let texts = self.texts(node, key)?;
        let mut stages = Vec::new();
        let mut old = Vec::new();
        for (text, item) in texts.iter().zip(node.list()) {
            let name = match text.as_str() {
                "commit" => "pre-commit",
                "merge-commit" => "pre-merge-commit",
                "push" => "pre-push",
                name => name,
            };
            let is_old = name != text;
            let stage = Stage::named(name);
            let is_allowed = |stage: &Stage| manual || (*stage != Stage::Manual && !is_old);
            if let Some(stage) = stage.filter(is_allowed) {
                old.extend(is_old.then_some(text.as_str()));
                stages.push(stage);
            } else {
                let near = nearest(text, Stage::ALL.into_iter().map(Stage::name));
                let what = format!("`{key}`: there is no hook type `{text}`{near}");
                self.wrong(item, what);
            }
        }
        if !old.is_empty() {
            let names = old.join(", ");
            self.warn(
                node,
                format!("`{key}` uses deprecated stage names ({names})"),
            );
        }
        (stages.len() == texts.len()).then_some(stages)
    }

    /// Checks that a version is not beyond the one whose reading this is.
    pub(super) fn minimum_version(&mut self, node: &Node) {
        let Some(text) = self.text(node, "minimum_pre_commit_version") else {
            return;
        };
        let parse = |text: &str| -> Option<Vec<u64>> {
            text.split('.')
                .map(|part| part.trim().parse().ok())
                .collect()
        };
        match parse(&text) {
            None => self.wrong(node, format!("`{text}` is no version")),
            Some(version) if Some(&version) > parse(READ_AS).as_ref() => self.wrong(
                node,
                format!("pre-commit {text} is asked for; this file is read as {READ_AS} reads it"),
            ),
            Some(_) => {}
        }
    }
}

/// What a value is, in words.
fn found(node: &Node) -> &'static str {
    match &node.data {
        Data::Text(_) => "a text",
        Data::List(_) => "a list",
        Data::Map(_) => "a map",
        Data::Plain(text) => match scalar(text) {
            Scalar::Text => "a text",
            Scalar::Truth(_) => "a truth",
            Scalar::Number => "a number",
            Scalar::Time => "a date",
            Scalar::Nothing => "nothing",
            Scalar::Sign => "a sign of YAML",
        },
    }
}

/// Names the nearest of some names, as the end of a sentence.
pub(super) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> String {
    tradewind_core::nearest::nearest(name, names)
        .map(|near| format!("; did you mean `{near}`?"))
        .unwrap_or_default()
}
