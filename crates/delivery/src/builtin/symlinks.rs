//! `check-symlinks` and `destroyed-symlinks`: a link leads somewhere, and does not turn into a file that holds its path.

use super::args::Options;
use super::text::quoted;
use super::{
    About, BEFORE, ChangeCheck, Check, File, FileCheck, PLAIN, Report, Surroundings, Verdict,
};
use crate::staged::Mode;

pub(super) const BROKEN: About = About {
    id: "check-symlinks",
    name: "check for broken symlinks",
    what: "Stops links that lead nowhere.",
    types: &["symlink"],
    make: |args| {
        Options::NONE.parse(args)?;
        Ok(Check::files(Broken))
    },
    ..PLAIN
};

pub(super) const DESTROYED: About = About {
    id: "destroyed-symlinks",
    name: "detect destroyed symlinks",
    what: "Stops links that became files with the path that the link had led to.",
    types: &["file"],
    stages: BEFORE,
    make: |args| {
        Options::NONE.parse(args)?;
        Ok(Check::Change(Box::new(Destroyed)))
    },
    ..PLAIN
};

struct Broken;
struct Destroyed;

impl FileCheck for Broken {
    fn check(&self, file: &File<'_>, around: &dyn Surroundings) -> Verdict {
        if file.mode == Mode::Link && !around.exists(file.path) {
            Verdict::broken(format!("{}: Broken symlink", file.shown())).for_now()
        } else {
            Verdict::clean().for_now()
        }
    }
}

impl ChangeCheck for Destroyed {
    fn check(&self, paths: &[&[u8]], around: &dyn Surroundings) -> Report {
        let found: Vec<String> = paths
            .iter()
            .filter(|path| is_destroyed(path, around))
            .map(|path| String::from_utf8_lossy(path).into_owned())
            .collect();
        if found.is_empty() {
            return Report::default();
        }
        let all = found
            .iter()
            .map(|path| quoted(path))
            .collect::<Vec<_>>()
            .join(" ");
        let mut lines = vec!["Destroyed symlinks:".to_owned()];
        lines.extend(found.iter().map(|path| format!("- {path}")));
        lines.push("You should unstage affected files:".to_owned());
        lines.push(format!("\tgit reset HEAD -- {all}"));
        lines.push(
            "And retry commit. As a long term solution you may try to explicitly tell git that your environment does not support symlinks:"
                .to_owned(),
        );
        lines.push("\tgit config core.symlinks false".to_owned());
        Report {
            exit_code: 1,
            lines,
        }
    }
}

fn is_destroyed(path: &[u8], around: &dyn Surroundings) -> bool {
    if matches!(around.mode(path), None | Some(Mode::Link | Mode::Submodule)) {
        return false;
    }
    let Some((Mode::Link, before)) = around.before(path) else {
        return false;
    };
    let Some((_, after)) = around.content(path) else {
        return false;
    };
    // A fixer may have given it a line end.
    before == after || (after.len() <= before.len() + 2 && trimmed(&before) == trimmed(&after))
}

fn trimmed(bytes: &[u8]) -> &[u8] {
    let end = bytes
        .iter()
        .rposition(|byte| !matches!(byte, b'\t'..=b'\r' | b' '));
    &bytes[..end.map_or(0, |at| at + 1)]
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Around, made, on_with};
    use super::super::{Check, Outcome};
    use crate::staged::Mode;

    #[test]
    fn a_link_to_nothing_is_broken_for_now() {
        let around = Around {
            tracked: vec![(*b"a").into()],
            ..Around::default()
        };
        let of = |path| on_with("check-symlinks", &[], path, Mode::Link, b"x", &around);
        assert_eq!(of("a").outcome, Outcome::Clean);
        assert_eq!(of("b").outcome, Outcome::Broken);
        assert!(!of("a").is_lasting);
    }

    #[test]
    fn a_link_that_became_its_path_is_destroyed() {
        let of = |after: &[u8], mode| {
            let around = Around {
                before: vec![("l", Mode::Link, b"to/it".to_vec())],
                after: vec![("l", mode, after.to_vec())],
                ..Around::default()
            };
            match made("destroyed-symlinks", &[]) {
                Check::Change(check) => check.check(&[b"l"], &around).exit_code,
                Check::Files(_) => 99,
            }
        };
        assert_eq!(of(b"to/it", Mode::Regular), 1);
        assert_eq!(of(b"to/it\r\n", Mode::Regular), 1);
        assert_eq!(of(b"to/it", Mode::Link), 0);
        assert_eq!(of(b"other", Mode::Regular), 0);
        assert_eq!(of(b"to/it \n\n", Mode::Regular), 0);
    }
}
