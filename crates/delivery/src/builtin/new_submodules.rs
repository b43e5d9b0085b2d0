//! `forbid-new-submodules`: no submodule comes in by a careless `git add .`.

use super::args::Options;
use super::{About, ChangeCheck, Check, PLAIN, Report, Surroundings};
use crate::staged::Mode;

pub(super) const ABOUT: About = About {
    id: "forbid-new-submodules",
    name: "forbid new submodules",
    what: "Stops submodules that the last commit does not have.",
    types: &["directory"],
    make: |args| {
        Options::NONE.parse(args)?;
        Ok(Check::Change(Box::new(NewSubmodules)))
    },
    ..PLAIN
};

struct NewSubmodules;

impl ChangeCheck for NewSubmodules {
    fn check(&self, paths: &[&[u8]], around: &dyn Surroundings) -> Report {
        let added = around.added();
        let is_new = |path: &&&[u8]| {
            around.mode(path) == Some(Mode::Submodule)
                && added
                    .binary_search_by(|known| known.as_ref().cmp(**path))
                    .is_ok()
        };
        let mut lines: Vec<String> = paths
            .iter()
            .filter(is_new)
            .map(|path| {
                format!(
                    "{}: new submodule introduced",
                    String::from_utf8_lossy(path)
                )
            })
            .collect();
        if lines.is_empty() {
            return Report::default();
        }
        lines.extend(
            [
                "",
                "This commit introduces new submodules.",
                "Did you unintentionally `git add .`?",
                "To fix: git rm {thesubmodule}  # no trailing slash",
                "Also check .gitmodules",
            ]
            .map(str::to_owned),
        );
        Report {
            exit_code: 1,
            lines,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Check;
    use super::super::tests::{Around, made};
    use crate::staged::Mode;

    #[test]
    fn only_new_ones_are_stopped() {
        let around = Around {
            added: vec![(*b"file").into(), (*b"new").into()],
            after: vec![
                ("file", Mode::Regular, Vec::new()),
                ("new", Mode::Submodule, Vec::new()),
                ("old", Mode::Submodule, Vec::new()),
            ],
            ..Around::default()
        };
        let Check::Change(check) = made("forbid-new-submodules", &[]) else {
            panic!("looks at files");
        };
        assert_eq!(check.check(&[b"file", b"old"], &around).exit_code, 0);
        assert_eq!(
            check.check(&[b"new"], &around).lines[0],
            "new: new submodule introduced"
        );
    }
}
