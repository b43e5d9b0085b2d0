//! How Python writes a text between quotes, so that a line says the same here as there.

/// Returns what `repr` makes of a text.
pub(super) fn repr(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            c if c == quote => out.extend(['\\', c]),
            c if c.is_control() => {
                let code = u32::from(c);
                out.push_str(&format!("\\x{code:02x}"));
            }
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

/// Returns a path as `shlex.quote` does.
pub(super) fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./-_".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\"'\"'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_chosen_as_python_chooses_them() {
        assert_eq!(repr("a'b"), "\"a'b\"");
        assert_eq!(quoted("a b'c"), "'a b'\"'\"'c'");
        assert_eq!(quoted("a/b.py"), "a/b.py");
        assert_eq!(repr("a'\"\n\\\u{1}"), r#"'a\'"\n\\\x01'"#);
    }
}
