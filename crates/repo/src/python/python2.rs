//! Says in words what a line of Python 2 is, where the parser only says that something else was expected.

/// Says what of Python 2 a line holds; asked for lines with a syntax error only.
pub(crate) fn python2(line: &str) -> Option<&'static str> {
    let line = line.trim_start();
    let word = |word: &str| {
        line.strip_prefix(word)
            .filter(|rest| rest.starts_with([' ', '\t', '"', '\'', '>']))
            .map(str::trim_start)
    };
    if let Some(rest) = word("print")
        && !rest.starts_with(['(', '=', '.', ','])
    {
        return Some("Python 2: print without brackets");
    }
    if let Some(rest) = word("exec")
        && !rest.starts_with(['(', '=', '.'])
    {
        return Some("Python 2: exec without brackets");
    }
    if let Some(rest) = word("except")
        && rest.contains(',')
        && !rest.starts_with('(')
    {
        return Some("Python 2: except with a comma instead of as");
    }
    if let Some(rest) = word("raise")
        && rest.contains(',')
        && !rest.contains('(')
    {
        return Some("Python 2: raise with a comma");
    }
    if line.contains("<>") {
        return Some("Python 2: <> instead of !=");
    }
    if line.contains('`') {
        return Some("Python 2: backticks instead of repr");
    }
    if line.contains("ur'") || line.contains("ur\"") {
        return Some("Python 2: a text that begins with ur");
    }
    let old_number = line
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.')
        .any(is_old_number);
    old_number.then_some("Python 2: an old octal or long number")
}

/// `0777` and `10L`.
fn is_old_number(word: &str) -> bool {
    let digits = word.trim_end_matches(['l', 'L']);
    if digits.is_empty() || !digits.chars().all(|c| c.is_ascii_digit()) {
        return false;
    }
    digits.len() < word.len()
        || digits.len() > 1 && digits.starts_with('0') && !digits.trim_matches('0').is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_python_2_is_named() {
        for old in [
            "print \"x\"",
            "  print x, y",
            "print>>f, x",
            "exec code in ns",
            "except ValueError, error:",
            "raise ValueError, 'x'",
            "if a <> b:",
            "x = `y`",
            "os.chmod(p, 0755)",
            "n = 10L",
        ] {
            assert!(python2(old).is_some(), "{old}");
        }
        for other in [
            "print(x)",
            "print = 1",
            "x = 0 1",
            "def f(:",
            "except (A, B) as e",
            "x = 00 )",
        ] {
            assert_eq!(python2(other), None, "{other}");
        }
    }
}
