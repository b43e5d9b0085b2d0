//! References of JavaScript and TypeScript files, from their tokens.
//!
//! Comments, texts, templates and regular expressions are told apart as far as that needs no grammar. Text of
//! JSX may hold lone quotes: a text ends with its line, so that one of them spoils no more than that.

use super::{Reference, Refers, add};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    Text(&'a str),
    Sign(u8),
}

/// Returns the references.
pub(super) fn references(text: &str) -> Vec<Reference> {
    let mut found = Vec::new();
    let mut tokens = Tokens {
        text,
        at: 0,
        line: 1,
        last: Token::Sign(b';'),
    };
    // The last three tokens before the one at hand, newest first.
    let mut before = [Token::Sign(b';'); 4];
    let mut is_open = false;
    let mut line_before = 0;
    while let Some((line, token)) = tokens.next() {
        match token {
            // A word before it in its line: it stands in a text.
            Token::Word("import" | "export") => {
                let is_within = matches!(before[0], Token::Word(_)) && line_before == line;
                is_open = !is_within && before[0] != Token::Sign(b'.');
            }
            Token::Text(target) => {
                let how = match before {
                    [Token::Word("import" | "from"), ..] if is_open => Some(Refers::Import),
                    [Token::Sign(b'('), Token::Word("import"), ..] => Some(Refers::Dynamic),
                    [Token::Sign(b'('), name, dot, of] if is_require(name, dot, of) => {
                        Some(Refers::Require)
                    }
                    [Token::Sign(b'('), Token::Word("URL"), Token::Word("new"), _] => {
                        Some(Refers::File)
                    }
                    _ => None,
                };
                if let Some(how) = how {
                    let is_address = how == Refers::File && !target.starts_with('.');
                    if !is_address {
                        add(&mut found, line, how, target);
                    }
                    is_open = false;
                }
            }
            Token::Sign(b';') => is_open = false,
            _ => {}
        }
        line_before = line;
        before = [token, before[0], before[1], before[2]];
    }
    found
}

/// `require`, not of something else, and `require.resolve`.
fn is_require(name: Token<'_>, dot: Token<'_>, of: Token<'_>) -> bool {
    match name {
        Token::Word("require") => dot != Token::Sign(b'.'),
        Token::Word("resolve") => dot == Token::Sign(b'.') && of == Token::Word("require"),
        _ => false,
    }
}

struct Tokens<'a> {
    text: &'a str,
    at: usize,
    line: u32,
    last: Token<'a>,
}

impl<'a> Tokens<'a> {
    fn next(&mut self) -> Option<(u32, Token<'a>)> {
        let bytes = self.text.as_bytes();
        loop {
            let byte = *bytes.get(self.at)?;
            let line = self.line;
            let after = bytes.get(self.at + 1).copied();
            let token = match (byte, after) {
                (b'\n', _) => {
                    self.line += 1;
                    self.at += 1;
                    continue;
                }
                (b'/', Some(b'/')) => {
                    self.skip_line();
                    continue;
                }
                (b'/', Some(b'*')) => {
                    self.skip_to("*/");
                    continue;
                }
                (b'"' | b'\'', _) => {
                    let Some(text) = self.quoted(byte) else {
                        self.at += 1;
                        continue;
                    };
                    Token::Text(text)
                }
                (b'`', _) => self.template(),
                (b'/', _) if self.begins_pattern() => {
                    self.pattern();
                    Token::Sign(b'/')
                }
                _ if is_word(byte) => {
                    let rest = &self.text[self.at..];
                    let end = rest
                        .bytes()
                        .position(|byte| !is_word(byte))
                        .unwrap_or(rest.len());
                    self.at += end;
                    Token::Word(&rest[..end])
                }
                (b' ' | b'\t' | b'\r', _) => {
                    self.at += 1;
                    continue;
                }
                _ => {
                    self.at += 1;
                    Token::Sign(byte)
                }
            };
            self.last = token;
            return Some((line, token));
        }
    }

    fn skip_line(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest
            .iter()
            .position(|byte| *byte == b'\n')
            .unwrap_or(rest.len());
    }

    fn skip_to(&mut self, end: &str) {
        let rest = &self.text[self.at..];
        let length = rest.find(end).map_or(rest.len(), |at| at + end.len());
        self.count(&rest[..length]);
        self.at += length;
    }

    fn count(&mut self, passed: &str) {
        let lines = passed.bytes().filter(|byte| *byte == b'\n').count();
        self.line += u32::try_from(lines).unwrap_or(u32::MAX);
    }

    /// Reads a text in quotes; `None` where it does not end in its line.
    fn quoted(&mut self, quote: u8) -> Option<&'a str> {
        let start = self.at + 1;
        let bytes = self.text.as_bytes();
        let mut at = start;
        loop {
            match *bytes.get(at)? {
                b'\n' => return None,
                b'\\' => at += 2,
                byte if byte == quote => break,
                _ => at += 1,
            }
        }
        self.at = at + 1;
        self.text.get(start..at)
    }

    /// Reads a template; one without `${}` is a text.
    fn template(&mut self) -> Token<'a> {
        let start = self.at + 1;
        let bytes = self.text.as_bytes();
        let mut at = start;
        let mut is_plain = true;
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'\\' => at += 1,
                b'$' if bytes.get(at + 1) == Some(&b'{') => is_plain = false,
                b'`' => break,
                _ => {}
            }
            at += 1;
        }
        let end = at.min(bytes.len());
        let inside = self.text.get(start..end);
        self.count(inside.unwrap_or_default());
        self.at = end + 1;
        match inside {
            Some(inside) if is_plain => Token::Text(inside),
            _ => Token::Sign(b'`'),
        }
    }

    /// Says whether `/` begins a regular expression: where no value stands before it.
    fn begins_pattern(&self) -> bool {
        match self.last {
            Token::Sign(sign) => !matches!(sign, b')' | b']' | b'}' | b'`' | b'<'),
            Token::Word(word) => matches!(
                word,
                "return" | "typeof" | "case" | "in" | "of" | "delete" | "void"
            ),
            Token::Text(_) => false,
        }
    }

    fn pattern(&mut self) {
        let bytes = self.text.as_bytes();
        let mut at = self.at + 1;
        let mut is_class = false;
        while let Some(byte) = bytes.get(at) {
            match byte {
                // It was a division after all.
                b'\n' => {
                    self.at += 1;
                    return;
                }
                b'\\' => at += 1,
                b'[' => is_class = true,
                b']' => is_class = false,
                b'/' if !is_class => break,
                _ => {}
            }
            at += 1;
        }
        self.at = at + 1;
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_of_a_script() {
        let text = r#"
// import "no1"
import React, { useState } from 'react';
import * as api from "./api.js"
import "./style.css";
import type { Bar } from
  "./types";
export { x } from "./x";
export default function f() { return "no2" }
const a = require("fs"), b = other.require("no3");
const c = await import(`./lazy`);
const d = import(`./no4/${name}`);
const e = /import "no5" \/ [/"]/.test(s) ? 'it' : "from";
new Worker(new URL("./worker.ts", import.meta.url));
new URL("https://no6.invalid");
const j = <p>Don't import "no7"</p>;
/* import "no8" */ require.resolve('./y')
const k = a / b; import { z } from "z"
"#;
        let found: Vec<(u32, Refers, String)> = references(text)
            .into_iter()
            .map(|it| (it.line, it.how, it.target.to_string()))
            .collect();
        let expected = [
            (3, Refers::Import, "react"),
            (4, Refers::Import, "./api.js"),
            (5, Refers::Import, "./style.css"),
            (7, Refers::Import, "./types"),
            (8, Refers::Import, "./x"),
            (10, Refers::Require, "fs"),
            (11, Refers::Dynamic, "./lazy"),
            (14, Refers::File, "./worker.ts"),
            (17, Refers::Require, "./y"),
            (18, Refers::Import, "z"),
        ]
        .map(|(line, how, target)| (line, how, target.to_owned()));
        assert_eq!(found, expected);
    }
}
