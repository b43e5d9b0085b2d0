//! References of Rust files, from their tokens: `mod`, `use`, `extern crate`, included files.

use super::{MAX_TARGET, Reference, Refers, add};

/// Returns the references.
pub(super) fn references(text: &str) -> Vec<Reference> {
    let mut found = Vec::new();
    let tokens = tokens(text);
    for (index, (line, token)) in tokens.iter().enumerate() {
        let after = |place: usize| tokens.get(index + place).map_or("", |(_, token)| *token);
        let is_start = index == 0
            || matches!(
                tokens.get(index - 1),
                Some((_, ";" | "}" | "{" | "pub" | ")" | "]"))
            );
        match *token {
            "mod" if is_start && after(2) == ";" => {
                add(&mut found, *line, Refers::Module, after(1));
            }
            "use" if is_start => uses(&tokens, index + 1, &mut found),
            "extern" if after(1) == "crate" => add(&mut found, *line, Refers::Import, after(2)),
            "include" | "include_str" | "include_bytes"
                if after(1) == "!" && matches!(after(2), "(" | "[" | "{") =>
            {
                add_text(&mut found, *line, after(3));
            }
            "path" if after(1) == "=" && index > 1 && tokens[index - 1].1 == "[" => {
                add_text(&mut found, *line, after(2));
            }
            _ => {}
        }
    }
    found
}

fn add_text(found: &mut Vec<Reference>, line: u32, token: &str) {
    if let Some(text) = token.strip_prefix('"') {
        add(found, line, Refers::File, text.trim_end_matches('"'));
    }
}

/// Adds each path of a `use`: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn uses(tokens: &[(u32, &str)], start: usize, found: &mut Vec<Reference>) {
    let mut outer: Vec<usize> = Vec::new();
    let mut path = String::new();
    let mut is_alias = false;
    let Some((line, _)) = tokens.get(start) else {
        return;
    };
    for (_, token) in &tokens[start..] {
        match *token {
            ";" => break,
            "{" => {
                outer.push(path.len());
                if outer.len() > 30 {
                    return;
                }
            }
            "," | "}" => {
                let before = outer.last().copied().unwrap_or_default();
                if path.len() > before {
                    add(found, *line, Refers::Import, path.trim_start_matches("::"));
                }
                if *token == "}" {
                    outer.pop();
                    // What was in the braces is said.
                    path.truncate(outer.last().copied().unwrap_or_default());
                } else {
                    path.truncate(before);
                }
                is_alias = false;
            }
            "as" => is_alias = true,
            _ if is_alias => {}
            token if path.len() + token.len() <= MAX_TARGET => path.push_str(token),
            _ => return,
        }
    }
    if outer.is_empty() && !path.is_empty() {
        add(found, *line, Refers::Import, path.trim_start_matches("::"));
    }
}

/// Splits a text: words, `::`, texts with their quotes, single signs.
fn tokens(text: &str) -> Vec<(u32, &str)> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let (mut at, mut line) = (0, 1_u32);
    while let Some(byte) = bytes.get(at) {
        // Most of a file is blanks: they are neither cut out nor counted.
        if byte.is_ascii_whitespace() {
            line += u32::from(*byte == b'\n');
            at += 1;
            continue;
        }
        let rest = &text[at..];
        let length = match byte {
            b'/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            b'/' if rest.starts_with("/*") => comment(rest),
            b'"' => quoted(rest),
            b'r' | b'b' if raw(rest).is_some() => raw(rest).unwrap_or(1),
            b'\'' => character(rest),
            _ if is_word(*byte) => rest
                .bytes()
                .position(|byte| !is_word(byte))
                .unwrap_or(rest.len()),
            b':' if rest.starts_with("::") => 2,
            _ => 1,
        };
        let token = &rest[..length];
        let is_comment = token.starts_with("//") || token.starts_with("/*");
        if !is_comment {
            found.push((line, token));
        }
        // Only comments and texts go over several lines.
        if is_comment || !is_word(*byte) || token.contains('"') {
            let lines = token.bytes().filter(|byte| *byte == b'\n').count();
            line += u32::try_from(lines).unwrap_or(u32::MAX);
        }
        at += length;
    }
    found
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// Returns the length of a comment with comments in it.
fn comment(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let (mut at, mut depth) = (0, 0_u32);
    while at < bytes.len() {
        match bytes.get(at..at + 2) {
            Some(b"/*") => {
                depth += 1;
                at += 2;
            }
            Some(b"*/") => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    rest.len()
}

fn quoted(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// Returns the length of `r"…"`, `r#"…"#`, `br"…"`.
fn raw(rest: &str) -> Option<usize> {
    let inner = rest.strip_prefix('b').unwrap_or(rest).strip_prefix('r')?;
    let signs = inner.bytes().take_while(|byte| *byte == b'#').count();
    let text = inner.get(signs..)?.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(signs.min(255)));
    let before = rest.len() - text.len();
    Some(
        text.find(&end)
            .map_or(rest.len(), |at| before + at + end.len()),
    )
}

/// Returns the length of `'x'`, `'\n'`, or of the quote of a lifetime.
fn character(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => {
            chars.next();
            let end = chars.take(12).find(|(_, c)| *c == '\'');
            end.map_or(1, |(at, _)| at + 1)
        }
        Some((at, first)) => match chars.next() {
            Some((_, '\'')) => at + first.len_utf8() + 1,
            _ => 1,
        },
        None => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_of_a_rust_file() {
        let text = r##"
//! use no::one;
pub mod a;
mod b { use c::d; }
use std::{fs, io::{self, Read as _}, x::*};
use ::e as f;
/* /* mod no; */ mod no2; */
#[path = "other/file.rs"]
mod g;
const T: &str = include_str!("../x.sql");
const R: &str = r#"mod no3;"#;
fn h<'a>(x: &'a str) -> char { let module = 'x'; '\'' }
extern crate alloc;
"##;
        let found: Vec<(u32, String)> = references(text)
            .into_iter()
            .map(|it| (it.line, it.target.to_string()))
            .collect();
        let expected = [
            (3, "a"),
            (4, "c::d"),
            (5, "std::fs"),
            (5, "std::io::self"),
            (5, "std::io::Read"),
            (5, "std::x::*"),
            (6, "e"),
            (8, "other/file.rs"),
            (9, "g"),
            (10, "../x.sql"),
            (13, "alloc"),
        ]
        .map(|(line, target)| (line, target.to_owned()));
        assert_eq!(found, expected);
    }
}
