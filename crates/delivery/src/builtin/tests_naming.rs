//! `name-tests-test`: files of tests are named so that they are found.

use super::args::{ArgError, Options};
use super::{About, Check, File, FileCheck, Needs, PLAIN, Surroundings, Verdict};

pub(super) const ABOUT: About = About {
    id: "name-tests-test",
    name: "python tests naming",
    what: "Stops files of tests that are not named as the runner of tests expects.",
    files: r"(^|/)tests/.+\.py$",
    arguments: &[
        ("--pytest", "`…_test.py`, the default"),
        ("--pytest-test-first", "`test_….py`"),
        ("--unittest, --django", "`test….py`"),
    ],
    make,
    ..PLAIN
};

const OPTIONS: Options = Options {
    flags: &[
        &["--pytest"],
        &["--pytest-test-first"],
        &["--unittest", "--django"],
    ],
    values: &[],
};

struct Naming {
    first: &'static str,
    last: &'static str,
    pattern: &'static str,
}

fn make(args: &[String]) -> Result<Check, ArgError> {
    let parsed = OPTIONS.parse(args)?;
    parsed.at_most_one_of(&["--pytest", "--pytest-test-first", "--unittest"])?;
    let (first, last, pattern) = if parsed.has("--pytest-test-first") {
        ("test_", ".py", r"test_.*\.py")
    } else if parsed.has("--unittest") {
        ("test", ".py", r"test.*\.py")
    } else {
        ("", "_test.py", r".*_test\.py")
    };
    Ok(Check::files(Naming {
        first,
        last,
        pattern,
    }))
}

impl FileCheck for Naming {
    fn needs(&self) -> Needs {
        Needs::Path
    }

    fn check(&self, file: &File<'_>, _around: &dyn Surroundings) -> Verdict {
        let path = file.shown();
        let name = path.rsplit('/').next().unwrap_or_default();
        let is_named = name.len() >= self.first.len() + self.last.len()
            && name.starts_with(self.first)
            && name.ends_with(self.last)
            && !name.contains('\n');
        if is_named || matches!(name, "__init__.py" | "conftest.py") {
            return Verdict::clean();
        }
        let pattern = self.pattern;
        Verdict::broken(format!("{path} does not match pattern \"{pattern}\""))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::super::tests::on;

    #[test]
    fn names_are_as_the_runner_expects() {
        let of = |args: &[&str], path: &str| {
            on("name-tests-test", args, path, b"").outcome == Outcome::Clean
        };
        assert!(
            of(&[], "tests/a_test.py")
                && of(&[], "tests/conftest.py")
                && of(&["--pytest"], "_test.py")
        );
        assert!(!of(&[], "tests/test_a.py"));
        assert!(of(&["--pytest-test-first"], "test_a.py") && of(&["--django"], "tests.py"));
        assert!(!of(&["--unittest"], "a_test.py"));
    }
}
