//! `check-illegal-windows-names` and `forbid-submodules`: whatever they are for must not be there.

use super::args::Options;
use super::{About, Check, File, FileCheck, Needs, PLAIN, Surroundings, Verdict};

pub(super) const WINDOWS: About = About {
    id: "check-illegal-windows-names",
    name: "check illegal windows names",
    what: "Stops names that Windows cannot have.",
    files: r#"(?i)((^|/)(CON|PRN|AUX|NUL|COM[\d¹²³]|LPT[\d¹²³])(\.|/|$)|[<>:\"\\|?*\x00-\x1F]|/[^/]*[\.\s]/|[^/]*[\.\s]$)"#,
    language: "fail",
    make: |args| {
        Options::NONE.parse(args)?;
        Ok(Check::files(Forbidden(&[
            "Illegal Windows filenames detected",
        ])))
    },
    ..PLAIN
};

pub(super) const SUBMODULES: About = About {
    id: "forbid-submodules",
    name: "forbid submodules",
    what: "Stops every submodule.",
    types: &["directory"],
    language: "fail",
    make: |args| {
        Options::NONE.parse(args)?;
        Ok(Check::files(Forbidden(&[
            "submodules are not allowed in this repository",
        ])))
    },
    ..PLAIN
};

struct Forbidden(&'static [&'static str]);

impl FileCheck for Forbidden {
    fn needs(&self) -> Needs {
        Needs::Path
    }

    fn check(&self, file: &File<'_>, _around: &dyn Surroundings) -> Verdict {
        Verdict::broken(file.shown().into_owned())
    }

    fn advice(&self) -> &'static [&'static str] {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use crate::precommit::Pattern;

    #[test]
    fn windows_names_are_chosen_by_the_pattern() {
        let pattern = Pattern::new(super::WINDOWS.files).unwrap();
        for name in [
            "a/nul", "CON.txt", "com1/x", "a:b", "x/a./b/c", "x/a /b", "end.", "lpt¹",
        ] {
            assert!(pattern.is_in(name.as_bytes()).unwrap(), "{name}");
        }
        for name in ["console.py", "a/null.py", "a.b/c", "com10.txt"] {
            assert!(!pattern.is_in(name.as_bytes()).unwrap(), "{name}");
        }
    }
}
