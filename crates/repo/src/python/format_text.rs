//! The places of `%` and `{}` formats: known text is `Ok`, a place is `Err` with its number or key.

/// Splits a format for `%`: `%s`, `%5.2f`, `%(name)s`, `%%`.
pub(crate) fn percents(format: &str) -> Vec<Result<&str, String>> {
    let mut found = Vec::new();
    let mut rest = format;
    let mut next = 0_usize;
    while let Some(at) = rest.find('%') {
        found.push(Ok(&rest[..at]));
        let after = &rest[at + 1..];
        if let Some(tail) = after.strip_prefix('%') {
            found.push(Ok("%"));
            rest = tail;
            continue;
        }
        let (key, spec) = match after
            .strip_prefix('(')
            .and_then(|tail| tail.split_once(')'))
        {
            Some((key, tail)) => (Some(key), tail),
            None => (None, after),
        };
        let end = spec.find(|c: char| {
            !matches!(
                c,
                '#' | '0'..='9' | '-' | ' ' | '+' | '.' | '*' | 'h' | 'l' | 'L'
            )
        });
        match end.map(|end| spec.split_at(end)) {
            Some((_, tail)) if tail.starts_with(|c: char| c.is_ascii_alphabetic()) => {
                found.push(Err(key.map_or_else(|| next.to_string(), str::to_owned)));
                next += usize::from(key.is_none());
                rest = &tail[1..];
            }
            _ => {
                found.push(Ok("%"));
                rest = after;
            }
        }
    }
    found.push(Ok(rest));
    found
}

/// Splits a format for `.format`: `{}`, `{0}`, `{name:>5}`, `{name.x}`, `{{`.
pub(crate) fn braces(format: &str) -> Vec<Result<&str, String>> {
    let mut found = Vec::new();
    let mut rest = format;
    let mut next = 0_usize;
    while let Some(at) = rest.find(['{', '}']) {
        found.push(Ok(&rest[..at]));
        let (brace, after) = rest[at..].split_at(1);
        if let Some(tail) = after.strip_prefix(brace) {
            found.push(Ok(brace));
            rest = tail;
            continue;
        }
        match after.split_once('}') {
            Some((field, tail)) if brace == "{" => {
                let end = field.find(['!', ':', '.', '[']).unwrap_or(field.len());
                let key = &field[..end];
                if key.is_empty() {
                    found.push(Err(next.to_string()));
                    next += 1;
                } else {
                    found.push(Err(key.to_owned()));
                }
                rest = tail;
            }
            _ => rest = after,
        }
    }
    found.push(Ok(rest));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(parts: &[Result<&str, String>]) -> String {
        parts
            .iter()
            .map(|part| match part {
                Ok(text) => (*text).to_owned(),
                Err(place) => format!("<{place}>"),
            })
            .collect()
    }

    #[test]
    fn places_are_found() {
        assert_eq!(shown(&percents("a%sb%(k)5.2fc%%d%")), "a<0>b<k>c%d%");
        assert_eq!(shown(&braces("a{}b{k:>5}c{{d}}{1!r}{")), "a<0>b<k>c{d}<1>");
        assert_eq!(shown(&percents("100% of %d")), "100<0>f <1>");
    }
}
