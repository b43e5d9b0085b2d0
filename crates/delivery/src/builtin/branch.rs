//! `no-commit-to-branch`: no commit where it should come by a merge.

use super::args::{ArgError, Options};
use super::{About, ChangeCheck, Check, PLAIN, Report, Surroundings};
use crate::precommit::Pattern;

pub(super) const ABOUT: About = About {
    id: "no-commit-to-branch",
    name: "don't commit to branch",
    what: "Stops commits on protected branches, `main` and `master` when none is named.",
    pass_filenames: false,
    always_run: true,
    arguments: &[
        (
            "--branch=NAME, -b",
            "protects this branch; may be given several times",
        ),
        (
            "--pattern=REGEX, -p",
            "protects branches whose name begins with this; may be given several times",
        ),
    ],
    differs: &["it says which branch is meant; the script prints nothing"],
    make,
    ..PLAIN
};

const OPTIONS: Options = Options {
    flags: &[],
    values: &[&["--branch", "-b"], &["--pattern", "-p"]],
};

struct Protected {
    branches: Vec<String>,
    patterns: Vec<Pattern>,
}

fn make(args: &[String]) -> Result<Check, ArgError> {
    let parsed = OPTIONS.parse(args)?;
    let mut branches = parsed.all("--branch").to_vec();
    if branches.is_empty() {
        branches = vec!["main".to_owned(), "master".to_owned()];
    }
    let mut patterns = Vec::new();
    for given in parsed.all("--pattern") {
        let pattern = Pattern::new(given);
        let wrong = |_error| ArgError::Invalid("--pattern".to_owned(), given.clone());
        patterns.push(pattern.map_err(wrong)?);
    }
    Ok(Check::Change(Box::new(Protected { branches, patterns })))
}

impl ChangeCheck for Protected {
    fn check(&self, _paths: &[&[u8]], around: &dyn Surroundings) -> Report {
        let Some(branch) = around.branch() else {
            return Report::default();
        };
        let is_protected = self.branches.contains(&branch)
            // What cannot be decided counts as protected.
            || self.patterns.iter().any(|pattern| pattern.begins(&branch).unwrap_or(true));
        if !is_protected {
            return Report::default();
        }
        Report {
            exit_code: 1,
            lines: vec![format!("{branch} is protected: commit on another branch")],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Check;
    use super::super::tests::{Around, made};

    #[test]
    fn protected_branches_are_left_alone() {
        let of = |args: &[&str], branch: Option<&str>| {
            let around = Around {
                branch: branch.map(str::to_owned),
                ..Around::default()
            };
            match made("no-commit-to-branch", args) {
                Check::Change(check) => check.check(&[], &around).exit_code,
                Check::Files(_) => 99,
            }
        };
        assert_eq!(of(&[], Some("main")), 1);
        assert_eq!(of(&[], Some("feat/main")), 0);
        assert_eq!(of(&[], None), 0);
        assert_eq!(of(&["-b", "x"], Some("main")), 0);
        assert_eq!(of(&["--pattern", "release/.*"], Some("release/1")), 1);
        assert_eq!(of(&["--pattern", "release"], Some("pre-release")), 0);
        // Patterns come beside the default names.
        assert_eq!(of(&["-p", "x"], Some("main")), 1);
    }
}
