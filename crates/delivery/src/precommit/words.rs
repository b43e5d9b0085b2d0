//! A line cut into words as Python's `shlex.split` cuts it: what `entry:` and first lines of scripts mean.
//!
//! Why not the shell reader of room `repo`: that one understands commands, this one must agree with Python in
//! what it refuses. No variable, pattern or substitution is expanded.

/// Why a line is no list of words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WordsError {
    /// A quote is opened and not closed.
    #[error("no closing quotation")]
    NoClosingQuote,
    /// It ends in a backslash.
    #[error("no escaped character")]
    NothingEscaped,
}

/// Cuts a line into words: blanks separate, quotes and backslashes hold together.
///
/// # Errors
/// A quote that is not closed, a backslash at the end.
pub fn split(line: &str) -> Result<Vec<String>, WordsError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next().ok_or(WordsError::NoClosingQuote)? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next().ok_or(WordsError::NoClosingQuote)? {
                        '"' => break,
                        '\\' => match chars.next().ok_or(WordsError::NothingEscaped)? {
                            c @ ('"' | '\\') => word.push(c),
                            c => word.extend(['\\', c]),
                        },
                        c => word.push(c),
                    }
                }
            }
            '\\' => {
                let escaped = chars.next().ok_or(WordsError::NothingEscaped)?;
                word.get_or_insert_default().push(escaped);
            }
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_cut_as_python_cuts_them() {
        let of = |line| split(line).unwrap();
        assert_eq!(of("a  b\tc"), ["a", "b", "c"]);
        assert_eq!(
            of(r#"a 'b "c' "d \" \x" e\ f ''"#),
            ["a", "b \"c", "d \" \\x", "e f", ""]
        );
        assert_eq!(of("a#b #c"), ["a#b", "#c"]);
        assert_eq!(split("a 'b"), Err(WordsError::NoClosingQuote));
        assert_eq!(split("a \\"), Err(WordsError::NothingEscaped));
    }
}
