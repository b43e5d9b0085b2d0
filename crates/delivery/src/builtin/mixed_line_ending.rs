//! `mixed-line-ending`: one kind of line end in a file.

use memchr::memchr2;

use super::args::{ArgError, Options};
use super::{About, Check, File, FileCheck, PLAIN, Surroundings, Verdict};

pub(super) const ABOUT: About = About {
    id: "mixed-line-ending",
    name: "mixed line ending",
    what: "Gives all lines of a file the same line end.",
    types: &["text"],
    can_fix: true,
    arguments: &[(
        "--fix=auto|no|cr|crlf|lf, -f",
        "`auto` (the default) takes the most frequent one where they are mixed, `no` only tells, the others are always written",
    )],
    make,
    ..PLAIN
};

const OPTIONS: Options = Options {
    flags: &[],
    values: &[&["--fix", "-f"]],
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fix {
    Auto,
    No,
    To(&'static [u8]),
}

struct Mixed(Fix);

fn make(args: &[String]) -> Result<Check, ArgError> {
    let mut fix = Fix::Auto;
    for given in OPTIONS.parse(args)?.all("--fix") {
        fix = match given.as_str() {
            "auto" => Fix::Auto,
            "no" => Fix::No,
            "cr" => Fix::To(b"\r"),
            "crlf" => Fix::To(b"\r\n"),
            "lf" => Fix::To(b"\n"),
            _ => return Err(ArgError::Invalid("--fix".to_owned(), given.clone())),
        };
    }
    Ok(Check::files(Mixed(fix)))
}

/// Calls `line` with each line, without and with its end.
fn each_line<'a>(bytes: &'a [u8], mut line: impl FnMut(&'a [u8], &'a [u8])) {
    let mut rest = bytes;
    while let Some(at) = memchr2(b'\n', b'\r', rest) {
        let length = if rest[at..].starts_with(b"\r\n") {
            2
        } else {
            1
        };
        line(&rest[..at], &rest[at..at + length]);
        rest = &rest[at + length..];
    }
    if !rest.is_empty() {
        line(rest, b"");
    }
}

impl FileCheck for Mixed {
    fn check(&self, file: &File<'_>, _around: &dyn Surroundings) -> Verdict {
        // In the sequence that decides between equals: the last wins.
        let mut counts: [(&'static [u8], usize); 3] = [(b"\r", 0), (b"\r\n", 0), (b"\n", 0)];
        each_line(file.bytes, |_, end| {
            if let Some((_, count)) = counts.iter_mut().find(|(known, _)| *known == end) {
                *count += 1;
            }
        });
        let is_mixed = counts.iter().filter(|(_, count)| *count > 0).count() > 1;
        let path = file.shown();
        let end = match self.0 {
            Fix::No if is_mixed => {
                return Verdict::broken(format!("{path}: mixed line endings"));
            }
            Fix::Auto if is_mixed => counts
                .iter()
                .max_by_key(|(_, count)| *count)
                .map(|(end, _)| *end),
            Fix::To(end)
                if counts
                    .iter()
                    .any(|(other, count)| *other != end && *count > 0) =>
            {
                Some(end)
            }
            _ => None,
        };
        let Some(end) = end else {
            return Verdict::clean();
        };
        let mut fixed = Vec::with_capacity(file.bytes.len());
        each_line(file.bytes, |line, _| {
            fixed.extend_from_slice(line);
            fixed.extend_from_slice(end);
        });
        Verdict::fixed(fixed, format!("{path}: fixed mixed line endings"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::super::tests::on;

    #[test]
    fn line_ends_become_one() {
        let of = |args: &[&str], before: &[u8]| on("mixed-line-ending", args, "a", before).outcome;
        assert_eq!(of(&[], b"a\r\nb\r\n"), Outcome::Clean);
        assert_eq!(of(&[], b"a\r\nb\nc"), Outcome::Fixed(b"a\nb\nc\n".to_vec()));
        assert_eq!(
            of(&[], b"a\r\nb\r\nc\n"),
            Outcome::Fixed(b"a\r\nb\r\nc\r\n".to_vec())
        );
        assert_eq!(of(&["--fix=no"], b"a\r\nb\n"), Outcome::Broken);
        assert_eq!(
            of(&["-f", "lf"], b"a\r\n\r"),
            Outcome::Fixed(b"a\n\n".to_vec())
        );
        assert_eq!(of(&["--fix=crlf"], b"a\r\n"), Outcome::Clean);
    }
}
