//! `file-contents-sorter`: lines sorted by their bytes, empty ones taken out.

use super::args::{ArgError, Options};
use super::{About, Check, File, FileCheck, PLAIN, Surroundings, Verdict};

pub(super) const ABOUT: About = About {
    id: "file-contents-sorter",
    name: "file contents sorter",
    what: "Sorts the lines of files that `files:` names, and takes empty ones out.",
    files: "^$",
    can_fix: true,
    arguments: &[
        (
            "--ignore-case",
            "compares without regard to the case of ASCII letters",
        ),
        ("--unique", "keeps one of equal lines"),
    ],
    make,
    ..PLAIN
};

const OPTIONS: Options = Options {
    flags: &[&["--ignore-case"], &["--unique"]],
    values: &[],
};

struct Sorter {
    ignores_case: bool,
    is_unique: bool,
}

fn make(args: &[String]) -> Result<Check, ArgError> {
    let parsed = OPTIONS.parse(args)?;
    parsed.at_most_one_of(&["--ignore-case", "--unique"])?;
    Ok(Check::files(Sorter {
        ignores_case: parsed.has("--ignore-case"),
        is_unique: parsed.has("--unique"),
    }))
}

impl FileCheck for Sorter {
    fn check(&self, file: &File<'_>, _around: &dyn Surroundings) -> Verdict {
        let mut lines: Vec<&[u8]> = file
            .bytes
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.iter().all(|byte| matches!(byte, b'\t'..=b'\r' | b' ')))
            .map(|line| {
                let end = line.iter().rposition(|byte| *byte != b'\r');
                &line[..end.map_or(0, |at| at + 1)]
            })
            .collect();
        if self.ignores_case {
            lines.sort_by_cached_key(|line| line.to_ascii_lowercase());
        } else {
            lines.sort_unstable();
        }
        if self.is_unique {
            lines.dedup();
        }
        let mut sorted = lines.join(&b'\n');
        if !sorted.is_empty() {
            sorted.push(b'\n');
        }
        if sorted == file.bytes {
            Verdict::clean()
        } else {
            Verdict::fixed(sorted, format!("Sorting {}", file.shown()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::super::tests::on;

    #[test]
    fn lines_are_sorted() {
        let of = |args: &[&str], before: &[u8]| match on("file-contents-sorter", args, "a", before)
            .outcome
        {
            Outcome::Fixed(bytes) => bytes,
            _ => Vec::new(),
        };
        assert_eq!(of(&[], b"b\r\n\na\nB"), b"B\na\nb\n");
        assert_eq!(of(&["--ignore-case"], b"b\nB\na\n"), b"a\nb\nB\n");
        assert_eq!(of(&["--unique"], b"b\na\nb\n"), b"a\nb\n");
        assert_eq!(of(&[], b"a\nb\n"), b"");
    }
}
