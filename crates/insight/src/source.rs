//! The text of one Python file as rules read it beside its summary: lines, blocks, loops around a line.
//!
//! Why: a summary says what is called; what a handler returns or which loop stands around is one look at
//! the text. Indentation is enough, because the summary has said that the place is code.
//! Quotes never hold what the secret detector takes for a secret.

use std::ops::RangeInclusive;

use tradewind_repo::python::{Function, Module, ScopeId};
use tradewind_repo::secrets;

use crate::finding::{Evidence, Finding};
use crate::rule::{Context, Findings};

/// Longest quote, in characters.
const MAX_QUOTE: usize = 160;

/// The lines of one file.
pub(crate) struct Source {
    path: String,
    lines: Vec<String>,
}

impl Source {
    /// Reads a file; `None` when it is no text.
    pub(crate) fn read(context: &Context<'_>, path: &str) -> Option<Self> {
        Some(Self::of(path, &context.tree.text(path)?))
    }

    /// Takes the text of a file.
    pub(crate) fn of(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            lines: text.lines().map(str::to_owned).collect(),
        }
    }

    /// Returns a line without its line end; empty beyond the file.
    pub(crate) fn line(&self, number: u32) -> &str {
        let at = (number as usize).checked_sub(1);
        at.and_then(|at| self.lines.get(at))
            .map_or("", String::as_str)
    }

    /// Quotes a line as evidence.
    pub(crate) fn at(&self, number: u32) -> Evidence {
        Evidence::at(self.path.as_str(), number, self.quoted(number))
    }

    /// Quotes the first part of a line as evidence, so that words may follow.
    pub(crate) fn short(&self, number: u32) -> Evidence {
        let quote: String = self.quoted(number).chars().take(110).collect();
        Evidence::at(self.path.as_str(), number, quote)
    }

    /// Quotes a line as evidence, with words after it.
    pub(crate) fn noted(&self, number: u32, words: &str) -> Evidence {
        let mut evidence = self.short(number);
        evidence.note = format!("{} ({words})", evidence.note);
        evidence
    }

    /// Returns a trimmed line, cut to what a quote may hold, secrets masked.
    fn quoted(&self, number: u32) -> String {
        let line = self.line(number).trim();
        let mut masked = String::with_capacity(line.len());
        let mut at = 0;
        for hit in secrets::find(&self.path, line.as_bytes()) {
            let before = line.get(at..hit.start);
            if let (Some(before), Some(_)) = (before, line.get(hit.end..)) {
                masked.push_str(before);
                masked.push('…');
                at = hit.end;
            }
        }
        masked.push_str(line.get(at..).unwrap_or_default());
        if masked.chars().count() <= MAX_QUOTE {
            return masked;
        }
        let mut quote: String = masked.chars().take(MAX_QUOTE - 1).collect();
        quote.push('…');
        quote
    }

    /// Returns the text of some lines.
    pub(crate) fn text(&self, lines: RangeInclusive<u32>) -> String {
        let mut text = String::new();
        for number in lines {
            text.push_str(self.line(number));
            text.push('\n');
        }
        text
    }

    /// Returns the lines of a function, or of the whole file at module level.
    pub(crate) fn span(&self, module: &Module, scope: ScopeId) -> RangeInclusive<u32> {
        match function(module, scope) {
            Some(function) => function.line..=function.end_line,
            None => 1..=self.length(),
        }
    }

    /// Returns the text of a function, or of the whole file at module level.
    pub(crate) fn around(&self, module: &Module, scope: ScopeId) -> String {
        self.text(self.span(module, scope))
    }

    /// Returns the number of lines.
    pub(crate) fn length(&self) -> u32 {
        u32::try_from(self.lines.len()).unwrap_or(u32::MAX)
    }

    /// Returns the lines below `head` that are indented deeper than it.
    pub(crate) fn block(&self, head: u32) -> RangeInclusive<u32> {
        let depth = indent(self.line(head));
        let mut last = head;
        for number in head + 1..=self.length() {
            let line = self.line(number);
            if line.trim().is_empty() {
                continue;
            }
            if indent(line) <= depth && !line.trim_start().starts_with([')', ']', '}']) {
                break;
            }
            last = number;
        }
        head + 1..=last
    }

    /// Returns the heads of blocks around a line, innermost first, up to the function's own.
    pub(crate) fn heads(&self, number: u32) -> Vec<u32> {
        let mut depth = indent(self.line(number));
        let mut heads = Vec::new();
        for above in (1..number).rev() {
            let line = self.line(above);
            let trimmed = line.trim_start();
            if trimmed.is_empty() || trimmed.starts_with('#') || indent(line) >= depth {
                continue;
            }
            depth = indent(line);
            heads.push(above);
            if is_function(trimmed) {
                break;
            }
            if depth == 0 {
                break;
            }
        }
        heads
    }

    /// Returns the innermost loop around a line in its function: a statement, or a comprehension over
    /// lines that begins on the line itself.
    pub(crate) fn loop_around(&self, number: u32) -> Option<u32> {
        let line = self.line(number).trim_start();
        if is_loop(line) || line.contains(" for ") && line.contains(" in ") {
            return Some(number);
        }
        let head = |at: &u32| is_loop(self.line(*at).trim_start());
        self.heads(number).into_iter().find(head)
    }
}

/// Returns the function of that scope.
pub(crate) fn function(module: &Module, scope: ScopeId) -> Option<&Function> {
    module.functions.get(scope? as usize)
}

/// Says whether a file is a test, where pace and time-outs matter less.
pub(crate) fn is_test(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let in_folder = path
        .split('/')
        .any(|part| matches!(part, "tests" | "test" | "testing"));
    in_folder || name.starts_with("test_") || name.ends_with("_test.py") || name == "conftest.py"
}

/// Adds one finding for many places, none when there are none.
pub(crate) fn grouped(
    findings: &mut Findings,
    title: impl Into<String>,
    places: Vec<Evidence>,
) -> Option<&mut Finding> {
    if places.is_empty() {
        return None;
    }
    Some(findings.add(title, places))
}

fn is_loop(trimmed: &str) -> bool {
    ["for ", "while ", "async for "]
        .iter()
        .any(|word| trimmed.starts_with(word))
}

fn is_function(trimmed: &str) -> bool {
    ["def ", "async def ", "class "]
        .iter()
        .any(|word| trimmed.starts_with(word))
}

/// Returns the width of a line's indentation, a tab as eight.
pub(crate) fn indent(line: &str) -> usize {
    line.chars()
        .take_while(|c| c.is_whitespace())
        .map(|c| if c == '\t' { 8 } else { 1 })
        .sum()
}
