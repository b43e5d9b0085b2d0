//! `check-merge-conflict`: no marks that a merge left, looked for while one is under way.

use memchr::memchr;

use super::args::Options;
use super::{About, Check, File, FileCheck, PLAIN, Report, Surroundings, Verdict};

pub(super) const ABOUT: About = About {
    id: "check-merge-conflict",
    name: "check for merge conflicts",
    what: "Stops files that hold marks of a merge conflict, while a merge or a rebase is under way.",
    types: &["text"],
    arguments: &[("--assume-in-merge", "looks for them always")],
    make: |args| {
        let parsed = OPTIONS.parse(args)?;
        Ok(Check::files(Conflict {
            looks_always: parsed.has("--assume-in-merge"),
        }))
    },
    ..PLAIN
};

const OPTIONS: Options = Options {
    flags: &[&["--assume-in-merge"]],
    values: &[],
};

/// Beginnings of lines, and what is printed of them.
const MARKS: [(&[u8], &str); 5] = [
    (b"<<<<<<< ", "<<<<<<<"),
    (b"======= ", "======="),
    (b"=======\r\n", "======="),
    (b"=======\n", "======="),
    (b">>>>>>> ", ">>>>>>>"),
];

struct Conflict {
    looks_always: bool,
}

impl FileCheck for Conflict {
    fn settles_at_once(&self, around: &dyn Surroundings) -> Option<Report> {
        (!self.looks_always && !around.is_merging()).then(Report::default)
    }

    fn check(&self, file: &File<'_>, _around: &dyn Surroundings) -> Verdict {
        let mut found = Vec::new();
        let mut rest = file.bytes;
        let mut number = 1;
        while let Some(first) = rest.first() {
            if matches!(first, b'<' | b'=' | b'>')
                && let Some((_, mark)) = MARKS.iter().find(|(mark, _)| rest.starts_with(mark))
            {
                let path = file.shown();
                found.push(format!(
                    "{path}:{number}: Merge conflict string '{mark}' found"
                ));
            }
            let Some(end) = memchr(b'\n', rest) else {
                break;
            };
            rest = &rest[end + 1..];
            number += 1;
        }
        Verdict::all_broken(found)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Around, made, on};
    use super::super::{Check, Report};

    #[test]
    fn marks_are_seen_at_the_beginning_of_lines() {
        let of = |text: &str| on("check-merge-conflict", &[], "a", text.as_bytes()).lines;
        assert_eq!(of("a\n<<<<<<< HEAD\nx\n=======\ny\n>>>>>>> b\n").len(), 3);
        assert_eq!(
            of("a\n=======\r\n")[0],
            "a:2: Merge conflict string '=======' found"
        );
        assert!(of(" <<<<<<< a\n========\n=======").is_empty());
    }

    #[test]
    fn nothing_is_looked_at_outside_a_merge() {
        let settled = |args: &[&str], is_merging| {
            let around = Around {
                is_merging,
                ..Around::default()
            };
            match made("check-merge-conflict", args) {
                Check::Files(check) => check.settles_at_once(&around),
                Check::Change(_) => None,
            }
        };
        assert_eq!(settled(&[], false), Some(Report::default()));
        assert_eq!(settled(&[], true), None);
        assert_eq!(settled(&["--assume-in-merge"], false), None);
    }
}
