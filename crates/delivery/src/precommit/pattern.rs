//! A regular expression as Python's `re.search` reads it: what `files:` and `exclude:` hold.
//!
//! Why a translation: the syntax of the engine differs where Python takes characters literally (`[` and `&&` in
//! a class, a `{` that is no count) and in a few names (`\Z`). Lookarounds and back references are why the
//! engine is one that can go back; how often is bounded by [`MAX_STEPS`].
//! What differs and stays so: `$` does not match before a line end at the end of a path, and what a bounded
//! engine gives up on is an error that names the pattern, never a guess.

use std::fmt;

/// How often a search may go back before it is given up.
const MAX_STEPS: usize = 100_000;
/// Longest pattern, in bytes.
const MAX_LENGTH: usize = 100_000;
/// Most memory of a compiled pattern.
const MAX_COMPILED_BYTES: usize = 10 * 1024 * 1024;

/// A regular expression over paths.
#[derive(Clone)]
pub struct Pattern {
    text: Box<str>,
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Everything,
    Nothing,
    Search(Box<fancy_regex::Regex>),
}

/// Why a text is no pattern, or why a pattern gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// It is no regular expression.
    #[error("{text:?} is not a regular expression of Python: {why}")]
    Syntax {
        /// The text.
        text: String,
        /// What is wrong.
        why: String,
    },
    /// It was too hard to decide within the bound.
    #[error("{text:?} goes back too often on {path:?}")]
    TooHard {
        /// The text.
        text: String,
        /// The path.
        path: String,
    },
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// [`PatternError::Syntax`] where it is none, or too large.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        let kind = match text {
            "" => Kind::Everything,
            // What pre-commit itself uses for "none"; no path is empty.
            "^$" => Kind::Nothing,
            _ => Kind::Search(Box::new(compile(text).map_err(|why| {
                PatternError::Syntax {
                    text: text.to_owned(),
                    why,
                }
            })?)),
        };
        Ok(Self {
            text: text.into(),
            kind,
        })
    }

    /// The pattern that every path has: an empty one.
    pub fn everything() -> Self {
        Self {
            text: "".into(),
            kind: Kind::Everything,
        }
    }

    /// The pattern that no path has: `^$`.
    pub fn nothing() -> Self {
        Self {
            text: "^$".into(),
            kind: Kind::Nothing,
        }
    }

    /// Returns it as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Says whether it occurs in a path. Bytes that are no UTF-8 count as one unknown character each.
    ///
    /// # Errors
    /// [`PatternError::TooHard`] when the bound is reached.
    pub fn is_in(&self, path: &[u8]) -> Result<bool, PatternError> {
        match &self.kind {
            Kind::Everything => Ok(true),
            Kind::Nothing => Ok(false),
            Kind::Search(regex) => {
                let path = String::from_utf8_lossy(path);
                regex
                    .is_match(path.as_ref())
                    .map_err(|_too_hard| self.too_hard(&path))
            }
        }
    }

    /// Says whether a text begins with it, as Python's `re.match` does.
    ///
    /// # Errors
    /// [`PatternError::TooHard`] when the bound is reached.
    pub fn begins(&self, text: &str) -> Result<bool, PatternError> {
        match &self.kind {
            Kind::Everything => Ok(true),
            Kind::Nothing => Ok(text.is_empty()),
            // The first match is the leftmost: where one starts at 0, it is this one.
            Kind::Search(regex) => regex
                .find(text)
                .map(|found| found.is_some_and(|found| found.start() == 0))
                .map_err(|_too_hard| self.too_hard(text)),
        }
    }

    fn too_hard(&self, path: &str) -> PatternError {
        PatternError::TooHard {
            text: self.text.to_string(),
            path: path.to_owned(),
        }
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pattern").field(&self.text).finish()
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

fn compile(text: &str) -> Result<fancy_regex::Regex, String> {
    if text.len() > MAX_LENGTH {
        return Err(format!("longer than {MAX_LENGTH} bytes"));
    }
    fancy_regex::RegexBuilder::new(&translate(text)?)
        .backtrack_limit(MAX_STEPS)
        .delegate_size_limit(MAX_COMPILED_BYTES)
        .build()
        .map_err(|error| error.to_string())
}

/// Writes a pattern of Python in the syntax of the engine.
fn translate(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = text;
    // Comments of `(?x)` go: what they hold is not to be read as brackets.
    let is_verbose = text
        .strip_prefix("(?")
        .and_then(|text| text.split_once(')'))
        .is_some_and(|(flags, _)| {
            flags.contains('x') && flags.bytes().all(|byte| byte.is_ascii_alphabetic())
        });
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\\' => rest = escape(rest, &mut out, false),
            '[' => rest = class(rest, &mut out),
            '#' if is_verbose => {
                rest = rest.find('\n').map_or("", |end| &rest[end..]);
            }
            '{' if count(rest).is_none() => out.push_str("\\{"),
            '{' => {
                // `{,3}` is `{0,3}`.
                out.push_str(if rest.starts_with(',') { "{0" } else { "{" });
            }
            '}' => out.push('}'),
            '(' if rest.starts_with('?') => {
                let is_first = out.is_empty();
                let (flags, after) = flags(rest);
                // The engine would let them hold from here on; Python before 3.11 let them hold everywhere.
                if !is_first && after.starts_with(')') && flags != "?:" && flags != "?" {
                    return Err(format!("({flags}) belongs at the beginning"));
                }
                out.push('(');
                out.push_str(&flags);
                rest = after;
            }
            c => out.push(c),
        }
    }
    Ok(out)
}

/// Reads `{m}`, `{m,}`, `{,n}` and `{m,n}`, without the first brace. Anything else is a text.
fn count(rest: &str) -> Option<()> {
    let (inside, _) = rest.split_once('}')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_count = match inside.split_once(',') {
        Some((low, high)) => digits(low) && digits(high),
        None => !inside.is_empty() && digits(inside),
    };
    is_count.then_some(())
}

/// Leaves out the flags `a`, `u` and `L` of a group: paths are matched as Unicode.
fn flags(rest: &str) -> (String, &str) {
    let end = rest[1..]
        .find(|c: char| !c.is_ascii_alphabetic() && c != '-')
        .map_or(rest.len(), |at| at + 1);
    let (named, after) = rest.split_at(end);
    let is_flags = named.len() > 1 && named != "?P" && after.starts_with([')', ':']);
    if !is_flags {
        return (named.to_owned(), after);
    }
    let kept: String = named.chars().filter(|c| !"auL".contains(*c)).collect();
    if kept == "?" && after.starts_with(')') {
        return ("?:".to_owned(), after);
    }
    (kept, after)
}

/// Writes what follows a backslash.
fn escape<'a>(rest: &'a str, out: &mut String, in_class: bool) -> &'a str {
    let Some(c) = rest.chars().next() else {
        out.push('\\');
        return rest;
    };
    let after = &rest[c.len_utf8()..];
    match c {
        'Z' if !in_class => out.push_str("\\z"),
        // Python has no word starts and ends; here they are characters.
        '<' | '>' => out.push(c),
        '0' => {
            let digits = after
                .bytes()
                .take(2)
                .take_while(|b| (b'0'..=b'7').contains(b));
            let digits = digits.count();
            let value = u8::from_str_radix(&after[..digits], 8).unwrap_or(0);
            out.push_str(&format!("\\x{value:02x}"));
            return &after[digits..];
        }
        c if c.is_ascii_alphanumeric() => out.extend(['\\', c]),
        // Any other escaped character is itself; a blank must stay one under `(?x)`.
        c if c.is_ascii_punctuation() => out.extend(['\\', c]),
        c if c.is_whitespace() => out.push_str(&format!("\\x{{{:x}}}", u32::from(c))),
        c => out.push(c),
    }
    after
}

/// Writes a class, without its first bracket.
fn class<'a>(mut rest: &'a str, out: &mut String) -> &'a str {
    out.push('[');
    if let Some(after) = rest.strip_prefix('^') {
        out.push('^');
        rest = after;
    }
    if let Some(after) = rest.strip_prefix(']') {
        out.push_str("\\]");
        rest = after;
    }
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            ']' => {
                out.push(']');
                return rest;
            }
            '\\' => rest = escape(rest, out, true),
            // Sets within sets, unions and differences are the engine's, not Python's.
            '[' | '&' | '~' => out.extend(['\\', c]),
            '-' if rest.starts_with('-') => out.push_str("\\-"),
            c if c.is_whitespace() => out.push_str(&format!("\\x{{{:x}}}", u32::from(c))),
            '#' => out.push_str("\\#"),
            c => out.push(c),
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn is_in(pattern: &str, path: &str) -> bool {
        Pattern::new(pattern)
            .unwrap()
            .is_in(path.as_bytes())
            .unwrap()
    }

    #[test]
    fn what_python_takes_literally_is_taken_literally() {
        for (pattern, yes, no) in [
            (r"\.py\Z", "a.py", "a.pyc"),
            (r"^(?!tests/).*\.py$", "src/a.py", "tests/a.py"),
            (r"(?<!test_)a\.py", "a.py", "test_a.py"),
            (r"^[^][]$", "a", "["),
            (r"[a&&b]", "&", "c"),
            (r"[[a]x", "[x", "bx"),
            (r"{{cookiecutter}}/", "{{cookiecutter}}/a", "cookiecutter/a"),
            (r"a{,2}b$", "aab", "c"),
            (r"^a{2}$", "aa", "a"),
            (r"^a{x}$", "a{x}", "ax"),
            (r"(?i)^readme", "README.md", "xreadme"),
            (r"(?a)^\w+$", "abc", "a b"),
            (
                r"(?x)^(?:a|b # one
              |c\ d)$",
                "c d",
                "cd",
            ),
            ("(?x)^( # [not a class\n a )$", "a", "b"),
            (r"(?P<x>a)(?P=x)", "aa", "ab"),
            (r"\<x\>", "<x>", "x"),
            (r"a\/b", "a/b", "ab"),
            (r"[\w\-]+\.yml$", "a-b.yml", ".yml"),
            (r"(?x)^(docs/[ #]x)", "docs/ x", "docs/x"),
            (r"(?i:A)b", "ab", "aB"),
            (r"^\x41$", "A", "B"),
        ] {
            assert!(is_in(pattern, yes), "{pattern} {yes}");
            assert!(!is_in(pattern, no), "{pattern} {no}");
        }
        assert!(Pattern::new("(").is_err());
        assert!(Pattern::new("*.py").is_err());
        assert!(Pattern::new("a(?x)b").is_err());
        assert!(is_in("(?:a)(?=b)(?P<x>b)", "ab"));
        assert!(is_in("", "anything"));
        assert!(!is_in("^$", "anything"));
        assert!(Pattern::new("v.*").unwrap().begins("v1").unwrap());
        assert!(!Pattern::new("1").unwrap().begins("v1").unwrap());
    }

    #[test]
    fn a_search_that_goes_back_for_ever_ends() {
        let pattern = Pattern::new(r"^(?:(a|aa)(?!z))+$").unwrap();
        let path = format!("{}b", "a".repeat(60));
        assert!(matches!(
            pattern.is_in(path.as_bytes()),
            Err(PatternError::TooHard { .. })
        ));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,40}", path in any::<Vec<u8>>()) {
            if let Ok(pattern) = Pattern::new(&text) {
                let _answer = pattern.is_in(&path);
            }
        }

        #[test]
        fn no_text_of_signs_panics(text in r"[\[\](){}\\^$?!<=>:PxiaZ0-9&~,.*+| -]{0,30}") {
            let _pattern = Pattern::new(&text);
        }
    }
}
