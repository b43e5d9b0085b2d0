//! `check-added-large-files`: nothing large comes in by accident. Files of Git LFS are small in git.

use super::args::{ArgError, Options, int};
use super::{About, BEFORE, Check, File, FileCheck, Needs, PLAIN, Surroundings, Verdict};

pub(super) const ABOUT: About = About {
    id: "check-added-large-files",
    name: "check for added large files",
    what: "Stops new files that are larger than a limit.",
    stages: BEFORE,
    arguments: &[
        (
            "--maxkb=NUMBER",
            "largest size in units of 1,024 bytes, 500 when not given",
        ),
        ("--enforce-all", "looks at all files, not only at new ones"),
    ],
    make,
    ..PLAIN
};

const OPTIONS: Options = Options {
    flags: &[&["--enforce-all"]],
    values: &[&["--maxkb"]],
};

struct Large {
    max_kib: i64,
    looks_at_all: bool,
}

fn make(args: &[String]) -> Result<Check, ArgError> {
    let parsed = OPTIONS.parse(args)?;
    let mut max_kib = 500;
    for given in parsed.all("--maxkb") {
        max_kib = int("--maxkb", given)?;
    }
    Ok(Check::files(Large {
        max_kib,
        looks_at_all: parsed.has("--enforce-all"),
    }))
}

impl FileCheck for Large {
    fn needs(&self) -> Needs {
        Needs::Size
    }

    fn check(&self, file: &File<'_>, around: &dyn Surroundings) -> Verdict {
        let kib = i64::try_from(file.size.div_ceil(1024)).unwrap_or(i64::MAX);
        if kib <= self.max_kib {
            return Verdict::clean();
        }
        let added = around.added();
        let is_added = || {
            added
                .binary_search_by(|known| known.as_ref().cmp(file.path))
                .is_ok()
        };
        if (!self.looks_at_all && !is_added()) || around.is_lfs(file.path) {
            return Verdict::clean().for_now();
        }
        let (path, max) = (file.shown(), self.max_kib);
        Verdict::broken(format!("{path} ({kib} KB) exceeds {max} KB.")).for_now()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::super::tests::{Around, on_with};
    use crate::staged::Mode;

    #[test]
    fn only_what_is_new_and_large_and_not_lfs_is_stopped() {
        let around = Around {
            added: vec![(*b"lfs").into(), (*b"new").into()],
            lfs: vec!["lfs"],
            ..Around::default()
        };
        let of = |args: &[&str], path: &str, size: usize| {
            let bytes = vec![0; size];
            let id = "check-added-large-files";
            let verdict = on_with(id, args, path, Mode::Regular, &bytes, &around);
            (verdict.outcome == Outcome::Broken, verdict.is_lasting)
        };
        let max = ["--maxkb=1"];
        assert_eq!(of(&max, "new", 1024), (false, true));
        assert_eq!(of(&max, "new", 1025), (true, false));
        assert_eq!(of(&max, "lfs", 1025), (false, false));
        assert_eq!(of(&max, "old", 1025), (false, false));
        assert_eq!(
            of(&["--maxkb", "1", "--enforce-all"], "old", 1025),
            (true, false)
        );
        assert_eq!(of(&[], "new", 500 * 1024), (false, true));
    }
}
