//! Text from a repository made safe for readers: no control characters, no direction overrides, one line.
//!
//! The JSON forms escape by themselves; everything else passes here before it is escaped for its form.

/// Replaces what could move a cursor or turn the sense of a line around; line feeds and tabs become blanks.
pub fn clean(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' | '\r' => ' ',
            c if c.is_control() => '\u{fffd}',
            '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}' => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// Cuts a text to so many characters; the last one is then an ellipsis.
pub fn cut(text: &str, max_chars: usize) -> String {
    if text.chars().count() <= max_chars {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(max_chars.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// Returns `1 file`, `2 files`.
pub fn count(n: usize, one: &str) -> String {
    if n == 1 {
        return format!("1 {one}");
    }
    match one.strip_suffix('y') {
        Some(stem) if !one.ends_with("ey") => format!("{n} {stem}ies"),
        _ => format!("{n} {one}s"),
    }
}

/// Joins words: `a`, `a and b`, `a, b and c`.
pub fn list(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [head @ .., last] => format!("{} and {last}", head.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_is_left() {
        assert_eq!(clean("a\u{1b}[2Jb\nc\u{202e}d"), "a\u{fffd}[2Jb c\u{fffd}d");
    }

    #[test]
    fn words_are_counted_and_joined() {
        assert_eq!(
            (count(1, "commit"), count(2, "entry")),
            ("1 commit".to_owned(), "2 entries".to_owned())
        );
        assert_eq!(list(&["a".into(), "b".into(), "c".into()]), "a, b and c");
    }
}
