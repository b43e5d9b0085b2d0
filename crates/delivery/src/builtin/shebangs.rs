//! `check-executables-have-shebangs` and `check-shebang-scripts-are-executable`: a script says who runs it, and may
//! be started. What may be started is what git has recorded.

use super::args::Options;
use super::text::quoted;
use super::{About, BEFORE, Check, File, FileCheck, PLAIN, Surroundings, Verdict};
use crate::staged::Mode;

pub(super) const HAVE: About = About {
    id: "check-executables-have-shebangs",
    name: "check that executables have shebangs",
    what: "Stops text files that may be started and do not say by what.",
    types: &["text", "executable"],
    stages: BEFORE,
    differs: &[
        "the mode that git has recorded decides, also where the file system has another; the script does so only with `core.fileMode` off",
    ],
    make: |args| {
        Options::NONE.parse(args)?;
        Ok(Check::files(Have))
    },
    ..PLAIN
};

pub(super) const ARE: About = About {
    id: "check-shebang-scripts-are-executable",
    name: "check that scripts with shebangs are executable",
    what: "Stops scripts that say what runs them and may not be started.",
    types: &["text"],
    stages: BEFORE,
    make: |args| {
        Options::NONE.parse(args)?;
        Ok(Check::files(Are))
    },
    ..PLAIN
};

struct Have;
struct Are;

impl FileCheck for Have {
    fn check(&self, file: &File<'_>, _around: &dyn Surroundings) -> Verdict {
        if file.mode != Mode::Executable || file.bytes.starts_with(b"#!") {
            return Verdict::clean();
        }
        let path = file.shown();
        let quoted = quoted(&path);
        Verdict::all_broken(vec![
            format!("{path}: marked executable but has no (or invalid) shebang!"),
            format!("  If it isn't supposed to be executable, try: `chmod -x {quoted}`"),
            format!("  If on Windows, you may also need to: `git add --chmod=-x {quoted}`"),
            "  If it is supposed to be executable, double-check its shebang.".to_owned(),
        ])
    }
}

impl FileCheck for Are {
    fn check(&self, file: &File<'_>, _around: &dyn Surroundings) -> Verdict {
        if file.mode != Mode::Regular || !file.bytes.starts_with(b"#!") {
            return Verdict::clean();
        }
        let path = file.shown();
        let quoted = quoted(&path);
        Verdict::all_broken(vec![
            format!("{path}: has a shebang but is not marked executable!"),
            format!("  If it is supposed to be executable, try: `chmod +x {quoted}`"),
            format!("  If on Windows, you may also need to: `git add --chmod=+x {quoted}`"),
            "  If it is not supposed to be executable, double-check its shebang is wanted."
                .to_owned(),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::super::tests::{Around, on_with};
    use crate::staged::Mode;

    #[test]
    fn mode_and_first_line_agree() {
        let of = |id: &str, mode: Mode, bytes: &[u8]| {
            on_with(id, &[], "a b", mode, bytes, &Around::default()).outcome
        };
        let (have, are) = (
            "check-executables-have-shebangs",
            "check-shebang-scripts-are-executable",
        );
        assert_eq!(of(have, Mode::Executable, b"x"), Outcome::Broken);
        assert_eq!(of(have, Mode::Executable, b"#!x"), Outcome::Clean);
        assert_eq!(of(have, Mode::Regular, b"x"), Outcome::Clean);
        assert_eq!(of(are, Mode::Regular, b"#!x"), Outcome::Broken);
        assert_eq!(of(are, Mode::Executable, b"#!x"), Outcome::Clean);
        assert_eq!(of(are, Mode::Regular, b"x"), Outcome::Clean);
    }
}
