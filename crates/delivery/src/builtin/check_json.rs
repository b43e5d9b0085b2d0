//! `check-json`: a file is JSON, and no map has a key twice.

use std::borrow::Cow;

use super::args::Options;
use super::json::{Sink, decode, read};
use super::{About, Check, File, FileCheck, PLAIN, Surroundings, Verdict};

pub(super) const ABOUT: About = About {
    id: "check-json",
    name: "check json",
    what: "Stops files that are no JSON, or that have a key twice in one map.",
    types: &["json"],
    differs: &[
        "nesting deeper than 990 is refused; the script ends with a traceback near 1,000, newer Pythons later",
    ],
    make: |args| {
        Options::NONE.parse(args)?;
        Ok(Check::files(Json))
    },
    ..PLAIN
};

struct Json;

/// Keys of all open maps, and where those of each begin.
#[derive(Default)]
struct Keys<'a> {
    keys: Vec<Cow<'a, [u8]>>,
    starts: Vec<usize>,
}

impl<'a> Sink<'a> for Keys<'a> {
    fn start(&mut self, _is_map: bool) {
        self.starts.push(self.keys.len());
    }

    fn key(&mut self, key: Cow<'a, [u8]>) {
        self.keys.push(key);
    }

    fn text(&mut self, _text: Cow<'a, [u8]>) {}

    fn plain(&mut self, _text: &'a [u8]) {}

    fn end(&mut self) -> Result<(), String> {
        let start = self.starts.pop().unwrap_or(0);
        let own = self.keys.get_mut(start..).unwrap_or_default();
        own.sort_unstable();
        let twice = own.windows(2).find(|pair| pair[0] == pair[1]);
        if let Some([key, _]) = twice {
            return Err(format!("Duplicate key: {}", String::from_utf8_lossy(key)));
        }
        self.keys.truncate(start);
        Ok(())
    }
}

impl FileCheck for Json {
    fn check(&self, file: &File<'_>, _around: &dyn Surroundings) -> Verdict {
        let path = file.shown();
        let Some(text) = decode(file.bytes) else {
            return Verdict::broken(format!("{path}: Failed to json decode (no UTF-8)"));
        };
        let Err(error) = read(&text, &mut Keys::default()) else {
            return Verdict::clean();
        };
        let before = text.get(..error.at).unwrap_or_default();
        let line = memchr::memchr_iter(b'\n', before).count() + 1;
        let column = before.len() - memchr::memrchr(b'\n', before).map_or(0, |end| end + 1) + 1;
        let what = error.what;
        Verdict::broken(format!(
            "{path}: Failed to json decode ({what}: line {line} column {column})"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::on;

    #[test]
    fn json_is_what_python_takes_for_it() {
        let is_json = |text: &str| on("check-json", &[], "a", text.as_bytes()).lines.is_empty();
        for good in [
            "1",
            "[NaN, -Infinity, Infinity]",
            "{}",
            " [ ] ",
            "{\"a\": {\"a\": 1}, \"b\": [{\"a\": 1}, {\"a\": 2}]}",
            "\"\\ud800 \\u00e9\"",
            "-0.5e+10",
            "\"\u{7f}\"",
        ] {
            assert!(is_json(good), "{good}");
        }
        for bad in [
            "",
            " ",
            "{\"a\": 1, \"a\": 2}",
            "{\"a\": 1, \"\\u0061\": 2}",
            "[1,]",
            "{,}",
            "01",
            "1.",
            "1e",
            "-",
            "'a'",
            "\"\t\"",
            "\"\\x\"",
            "[1] 2",
            "{\"a\" 1}",
            "{a: 1}",
            "nul",
            "\"a",
            "[",
            "+1",
            "-NaN",
        ] {
            assert!(!is_json(bad), "{bad}");
        }
        assert!(!is_json(&"1".repeat(4_301)));
        assert!(is_json(&format!("{}.5", "1".repeat(4_301))));
        assert!(!is_json(&"[".repeat(100_000)));
        assert_eq!(
            on("check-json", &[], "a", b"{\n \"a\": x}").lines,
            ["a: Failed to json decode (expected a value: line 2 column 7)"]
        );
    }
}
