//! One file as a syntax tree and nothing else: for who asks whether it is Python, or looks for one statement.
//!
//! Why beside [`super::SourceFile`]: that one also summarises, which costs as much again.
//! Not here: meaning. What only Python's compiler refuses (a `return` outside a function) is no mistake here,
//! as it is none to `ast.parse`.

use ruff_python_ast as ast;
use ruff_python_parser::{Mode, ParseOptions, UnsupportedSyntaxErrorKind, parse_unchecked};
use ruff_text_size::TextSize;

use super::depth::too_deep;
use super::lines::Lines;

/// The first place where a text is no Python.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct NotPython {
    /// Line, the first is 1.
    pub line: u32,
    /// What is wrong.
    pub message: String,
}

/// Parses a text, without byte-order mark. A tree is walked and dropped recursively: a thread that does so needs
/// 4 MiB of stack.
///
/// # Errors
/// The first mistake of its syntax, or that it nests too deeply to be read.
pub fn parse(text: &str) -> Result<ast::ModModule, NotPython> {
    let lines = Lines::of(text);
    if let Some((line, why)) = too_deep(text, &lines) {
        let message = format!("nested too deeply to be read: {why}");
        return Err(NotPython { line, message });
    }
    let parsed = parse_unchecked(text, ParseOptions::from(Mode::Module));
    let first = parsed
        .errors()
        .iter()
        .map(|error| (error.location.start(), error.error.to_string()));
    // Python 3.14 reads `except A, b:` as two kinds; nobody who writes it means that.
    let commas = parsed
        .unsupported_syntax_errors()
        .iter()
        .filter(|error| error.kind == UnsupportedSyntaxErrorKind::UnparenthesizedExceptionTypes)
        .map(|error| (error.range.start(), error.to_string()));
    let found = first
        .chain(commas)
        .min_by_key(|(start, _): &(TextSize, _)| *start);
    if let Some((start, message)) = found {
        let line = lines.line(start);
        return Err(NotPython { line, message });
    }
    parsed
        .try_into_module()
        .map(ruff_python_parser::Parsed::into_syntax)
        .ok_or_else(|| NotPython {
            line: 1,
            message: "no module".to_owned(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_parser_refuses_is_refused() {
        for good in [
            "",
            "return\n",
            "f(a=1, a=2)\n",
            "def f(a, a): pass\n",
            "await x\n",
        ] {
            assert!(parse(good).is_ok(), "{good}");
        }
        assert_eq!(parse("a = 1\nprint 'x'\n").unwrap_err().line, 2);
        assert!(parse("try: pass\nexcept A, b: pass\n").is_err());
        assert!(parse(&"(".repeat(100_000)).is_err());
    }
}
