//! `check-toml`: a file is TOML.

use super::args::Options;
use super::{About, Check, File, FileCheck, PLAIN, Surroundings, Verdict};

pub(super) const ABOUT: About = About {
    id: "check-toml",
    name: "check toml",
    what: "Stops files that are no TOML.",
    types: &["toml"],
    differs: &[
        "TOML 1.1 is read (line ends in inline tables, `\\e`, `\\x`, times without seconds); Python reads 1.0",
    ],
    make: |args| {
        Options::NONE.parse(args)?;
        Ok(Check::files(Toml))
    },
    ..PLAIN
};

struct Toml;

impl FileCheck for Toml {
    fn check(&self, file: &File<'_>, _around: &dyn Surroundings) -> Verdict {
        let path = file.shown();
        let Ok(text) = std::str::from_utf8(file.bytes) else {
            return Verdict::broken(format!("{path}: no UTF-8"));
        };
        if text.starts_with('\u{feff}') {
            return Verdict::broken(format!("{path}:1: a byte-order mark"));
        }
        let (_, errors) = toml::de::DeTable::parse_recoverable(text);
        let Some(error) = errors.first() else {
            return Verdict::clean();
        };
        let at = error.span().map_or(0, |span| span.start);
        let before = text.as_bytes().get(..at).unwrap_or_default();
        let line = memchr::memchr_iter(b'\n', before).count() + 1;
        Verdict::broken(format!("{path}:{line}: {}", error.message()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::on;

    #[test]
    fn toml_is_told_from_what_is_none() {
        let of = |text: &str| on("check-toml", &[], "a", text.as_bytes()).lines;
        assert!(of("a = 1\n[b]\nc = [1,\n 2]\n").is_empty());
        assert_eq!(of("a = 1\na = 2\n").len(), 1);
        assert!(of("x = 1\nb = \n")[0].starts_with("a:2: "));
        assert!(on("check-toml", &[], "a", b"a = '\xff'").lines.len() == 1);
        assert!(!of(&"[".repeat(100_000)).is_empty());
    }
}
