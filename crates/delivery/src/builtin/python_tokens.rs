//! Checks that read Python's tokens: `check-docstring-first`, `double-quote-string-fixer`.
//!
//! A reader of strings, comments and lines of our own, because the scripts take files that no parser takes
//! (`tokenize` asks for little) and need the exact text of every string. Not here: names, numbers, operators.

use super::args::Options;
use super::python::text;
use super::{About, Check, File, FileCheck, PLAIN, Surroundings, Verdict};

const TOLERANT: &str = "a file with an open bracket or string at its end, or with indentation that does not fit, is told; other mistakes are passed over, while newer Pythons tell more of them";

pub(super) const DOCSTRING: About = About {
    id: "check-docstring-first",
    name: "check docstring is first",
    what: "Stops a second text at the left margin, or one after code.",
    types: &["python"],
    differs: &[
        TOLERANT,
        "a formatted string is code, as from Python 3.12 on",
    ],
    make: |args| {
        Options::NONE.parse(args)?;
        Ok(Check::files(Docstring))
    },
    ..PLAIN
};

pub(super) const QUOTES: About = About {
    id: "double-quote-string-fixer",
    name: "fix double quoted strings",
    what: "Writes texts in single quotes where no quote is in them.",
    types: &["python"],
    can_fix: true,
    differs: &[
        TOLERANT,
        "formatted strings stay as they are, as from Python 3.12 on",
    ],
    make: |args| {
        Options::NONE.parse(args)?;
        Ok(Check::files(Quotes))
    },
    ..PLAIN
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A text, not a formatted one.
    Text,
    /// A comment, or the end of a line.
    Blank,
    /// Anything else.
    Code,
}

#[derive(Clone, Copy, Debug)]
struct Token {
    kind: Kind,
    start: usize,
    end: usize,
    line: usize,
    is_at_margin: bool,
}

/// Cuts a text into tokens.
///
/// # Errors
/// What `tokenize` cannot read: the end of the file within brackets or a long string, indentation that does not fit.
fn tokens(text: &str) -> Result<Vec<Token>, &'static str> {
    let mut cutter = Cutter {
        bytes: text.as_bytes(),
        at: 0,
        line: 1,
        line_start: 0,
        brackets: 0,
        indents: vec![0],
        tokens: Vec::new(),
    };
    let mut is_line_start = true;
    while let Some(byte) = cutter.bytes.get(cutter.at) {
        if is_line_start && cutter.brackets == 0 {
            is_line_start = false;
            cutter.indent()?;
        } else {
            is_line_start = cutter.token(*byte)?;
        }
    }
    if cutter.brackets != 0 {
        return Err("EOF in multi-line statement");
    }
    Ok(cutter.tokens)
}

struct Cutter<'a> {
    bytes: &'a [u8],
    at: usize,
    line: usize,
    line_start: usize,
    /// How many are open; below zero where more were closed, which `tokenize` passes over too.
    brackets: isize,
    indents: Vec<usize>,
    tokens: Vec<Token>,
}

impl Cutter<'_> {
    fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn push(&mut self, kind: Kind, start: usize) {
        self.tokens.push(Token {
            kind,
            start,
            end: self.at,
            line: self.line,
            is_at_margin: start == self.line_start,
        });
    }

    /// Reads the blanks that a line begins with.
    fn indent(&mut self) -> Result<(), &'static str> {
        let column = indentation(self.rest());
        let is_blank = |byte: &&u8| matches!(byte, b' ' | b'\t' | 12);
        self.at += self.rest().iter().take_while(is_blank).count();
        if matches!(self.rest(), [] | [b'#' | b'\n', ..] | [b'\r', b'\n', ..]) {
            return Ok(());
        }
        let current = self.indents.last().copied().unwrap_or(0);
        if column > current {
            self.indents.push(column);
            self.push(Kind::Code, self.line_start);
        } else if column < current {
            if !self.indents.contains(&column) {
                return Err("unindent does not match any outer indentation level");
            }
            self.indents.retain(|known| *known <= column);
            self.push(Kind::Code, self.at);
        }
        Ok(())
    }

    /// Reads what begins here; says whether a line ended.
    fn token(&mut self, byte: u8) -> Result<bool, &'static str> {
        let start = self.at;
        match byte {
            b' ' | b'\t' | 12 => self.at += 1,
            b'\\' if line_end(self.bytes.get(start + 1..).unwrap_or_default()) > 0 => {
                self.at += 1;
                self.at += line_end(self.rest());
                self.next_line();
                if self.rest().is_empty() {
                    return Err("EOF in multi-line statement");
                }
            }
            b'\n' | b'\r' if line_end(self.rest()) > 0 => {
                self.at += line_end(self.rest());
                self.push(Kind::Blank, start);
                self.next_line();
                return Ok(true);
            }
            b'#' => {
                let end = memchr::memchr2(b'\n', b'\r', self.rest());
                self.at += end.unwrap_or(self.bytes.len() - start);
                self.push(Kind::Blank, start);
            }
            _ => match prefix(self.rest()) {
                Some(prefix) => self.string(prefix)?,
                None => self.code(byte),
            },
        }
        Ok(false)
    }

    fn next_line(&mut self) {
        self.line += 1;
        self.line_start = self.at;
    }

    fn code(&mut self, byte: u8) {
        let start = self.at;
        match byte {
            b'(' | b'[' | b'{' => self.brackets += 1,
            b')' | b']' | b'}' => self.brackets -= 1,
            _ => {}
        }
        let is_word = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_' || **byte >= 0x80;
        self.at += self.rest().iter().take_while(is_word).count().max(1);
        self.push(Kind::Code, start);
    }

    fn string(&mut self, prefix: usize) -> Result<(), &'static str> {
        let start = self.at;
        let letters = &self.bytes[start..start + prefix];
        let is_formatted = letters.iter().any(|byte| b"fFtT".contains(byte));
        let Some(end) = string_end(self.bytes, start + prefix)? else {
            // A short string that its line ends: an error token, and what follows is read again.
            self.at += prefix + 1;
            self.push(Kind::Code, start);
            return Ok(());
        };
        self.at = end;
        self.push(if is_formatted { Kind::Code } else { Kind::Text }, start);
        let string = &self.bytes[start..end];
        if let Some(last) = memchr::memrchr(b'\n', string) {
            self.line += memchr::memchr_iter(b'\n', string).count();
            self.line_start = start + last + 1;
        }
        Ok(())
    }
}

/// Length of the line end that is here; 0 where none is. To `tokenize` a lone carriage return is none.
fn line_end(bytes: &[u8]) -> usize {
    match bytes {
        [b'\r', b'\n', ..] => 2,
        [b'\n', ..] => 1,
        _ => 0,
    }
}

/// How far in a line begins; a tab goes to the next multiple of eight.
fn indentation(bytes: &[u8]) -> usize {
    let mut column = 0;
    for byte in bytes {
        match byte {
            b' ' => column += 1,
            b'\t' => column = (column / 8 + 1) * 8,
            12 => column = 0,
            _ => break,
        }
    }
    column
}

/// Length of the letters before the quote of a string that begins here; `None` where none does.
fn prefix(bytes: &[u8]) -> Option<usize> {
    let letters = bytes
        .iter()
        .take(3)
        .take_while(|byte| byte.is_ascii_alphabetic())
        .count();
    if !matches!(bytes.get(letters), Some(b'"' | b'\'')) {
        return None;
    }
    let lower = bytes[..letters].to_ascii_lowercase();
    matches!(
        lower.as_slice(),
        b"" | b"r" | b"u" | b"b" | b"f" | b"t" | b"br" | b"rb" | b"fr" | b"rf" | b"tr" | b"rt"
    )
    .then_some(letters)
}

/// Where a string ends whose quote is at `at`; `None` where its line ends before.
fn string_end(bytes: &[u8], at: usize) -> Result<Option<usize>, &'static str> {
    let quote = bytes[at];
    let is_long = bytes[at..].starts_with(&[quote; 3]);
    let mut place = at + if is_long { 3 } else { 1 };
    loop {
        match bytes.get(place) {
            None if is_long => return Err("EOF in multi-line string"),
            None => return Ok(None),
            Some(b'\\') => {
                place += 1;
                if let Some(rest) = bytes.get(place..).filter(|rest| !rest.is_empty()) {
                    place += line_end(rest).max(1);
                }
            }
            Some(b'\n') if !is_long => return Ok(None),
            Some(byte) if *byte == quote => {
                if !is_long {
                    return Ok(Some(place + 1));
                }
                if bytes[place..].starts_with(&[quote; 3]) {
                    return Ok(Some(place + 3));
                }
                place += 1;
            }
            Some(_) => place += 1,
        }
    }
}

struct Docstring;

impl FileCheck for Docstring {
    fn check(&self, file: &File<'_>, _around: &dyn Surroundings) -> Verdict {
        let path = file.shown();
        let Some(text) = text(file.bytes) else {
            return Verdict::broken(format!(
                "{path}: null bytes, or not the encoding that it says"
            ));
        };
        let tokens = match tokens(&text) {
            Ok(tokens) => tokens,
            Err(what) => return Verdict::broken(format!("{path}: {what}")),
        };
        let (mut docstring, mut code) = (None, None);
        for token in tokens {
            let line = token.line;
            if token.kind == Kind::Text && token.is_at_margin {
                if let Some(first) = docstring {
                    return Verdict::broken(format!(
                        "{path}:{line}: Multiple module docstrings (first docstring on line {first})."
                    ));
                }
                if let Some(first) = code {
                    return Verdict::broken(format!(
                        "{path}:{line}: Module docstring appears after code (code seen on line {first})."
                    ));
                }
                docstring = Some(line);
            } else if token.kind != Kind::Blank && code.is_none() {
                code = Some(line);
            }
        }
        Verdict::clean()
    }
}

struct Quotes;

impl FileCheck for Quotes {
    fn check(&self, file: &File<'_>, _around: &dyn Surroundings) -> Verdict {
        let path = file.shown();
        let Ok(text) = std::str::from_utf8(file.bytes) else {
            return Verdict::broken(format!("{path}: no UTF-8"));
        };
        let tokens = match tokens(text) {
            Ok(tokens) => tokens,
            Err(what) => return Verdict::broken(format!("{path}: {what}")),
        };
        let mut fixed: Option<Vec<u8>> = None;
        for token in tokens.iter().filter(|token| token.kind == Kind::Text) {
            let string = &text[token.start..token.end];
            let Some(open) = string
                .find(['"', '\''])
                .filter(|at| string[*at..].starts_with('"'))
            else {
                continue;
            };
            let meat = string.get(open + 1..string.len() - 1).unwrap_or_default();
            if string.contains("\"\"\"") || meat.contains(['"', '\'']) {
                continue;
            }
            let bytes = fixed.get_or_insert_with(|| text.as_bytes().to_vec());
            bytes[token.start + open] = b'\'';
            bytes[token.end - 1] = b'\'';
        }
        match fixed {
            Some(fixed) => Verdict::fixed(fixed, format!("Fixing strings in {path}")),
            None => Verdict::clean(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::super::tests::on;

    #[test]
    fn one_docstring_comes_first() {
        let of = |text: &str| on("check-docstring-first", &[], "a", text.as_bytes()).lines;
        assert!(of("#!x\n\n\"doc\"\nimport a\nx = 'y'\n").is_empty());
        assert_eq!(
            of("import a\n'''doc'''\n"),
            ["a:2: Module docstring appears after code (code seen on line 1)."]
        );
        assert_eq!(
            of("'a'\n\n\"b\"\n"),
            ["a:3: Multiple module docstrings (first docstring on line 1)."]
        );
        assert!(of("x = 1\nf'y'\n").is_empty());
        assert_eq!(of("x = (\n").len(), 1);
        assert_eq!(of("x = '''\n").len(), 1);
        assert_eq!(of("if x:\n    y\n  z\n").len(), 1);
    }

    #[test]
    fn double_quotes_become_single() {
        let of =
            |text: &str| match on("double-quote-string-fixer", &[], "a", text.as_bytes()).outcome {
                Outcome::Fixed(bytes) => String::from_utf8(bytes).unwrap(),
                Outcome::Clean => "clean".to_owned(),
                Outcome::Broken => "broken".to_owned(),
            };
        assert_eq!(
            of("x = \"a\" + rb\"b\" # \"c\"\n"),
            "x = 'a' + rb'b' # \"c\"\n"
        );
        assert_eq!(
            of("x = \"it's\" + '\"' + \"\"\"d\"\"\" + f\"e\"\n"),
            "clean"
        );
        assert_eq!(of("x = \"\\\"\"\n"), "clean");
        assert_eq!(of("x = \"a\\\nb\"\r\n"), "x = 'a\\\nb'\r\n");
        assert_eq!(of("x = \"\"\n"), "x = ''\n");
    }
}
