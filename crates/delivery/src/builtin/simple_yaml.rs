//! `sort-simple-yaml`: blocks of a flat YAML file, sorted by their first key; the comment at the top stays there.

use super::args::Options;
use super::{About, Check, File, FileCheck, PLAIN, Surroundings, Verdict};

pub(super) const ABOUT: About = About {
    id: "sort-simple-yaml",
    name: "sort simple yaml files",
    what: "Sorts blocks of files that `files:` names and that have keys at the top level only.",
    files: "^$",
    can_fix: true,
    make: |args| {
        Options::NONE.parse(args)?;
        Ok(Check::files(SimpleYaml))
    },
    ..PLAIN
};

struct SimpleYaml;

/// What Python's `str` takes for a blank.
fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

fn sorted<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let header = lines
        .iter()
        .take_while(|line| line.starts_with('#'))
        .count();
    let (header, body) = lines.split_at(header);
    let mut out = header.to_vec();
    let mut blocks: Vec<&[&str]> = body
        .split(|line| line.is_empty())
        .filter(|block| !block.is_empty())
        .collect();
    blocks.sort_by_key(|block| {
        let key = block.iter().find(|line| !line.starts_with('#'));
        let key = key.copied().unwrap_or_default();
        key.strip_prefix(['\'', '"']).unwrap_or(key)
    });
    for block in blocks {
        if !out.is_empty() {
            out.push("");
        }
        out.extend_from_slice(block);
    }
    out
}

impl FileCheck for SimpleYaml {
    fn check(&self, file: &File<'_>, _around: &dyn Surroundings) -> Verdict {
        let path = file.shown();
        let Ok(text) = std::str::from_utf8(file.bytes) else {
            return Verdict::broken(format!("{path}: no UTF-8"));
        };
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let mut lines: Vec<&str> = text
            .split('\n')
            .map(|line| line.trim_end_matches(is_space))
            .collect();
        // What follows the last line end is a line only when something is there.
        if text.is_empty() || text.ends_with('\n') {
            lines.pop();
        }
        let sorted = sorted(&lines);
        if sorted == lines {
            return Verdict::clean();
        }
        let fixed = sorted.join("\n") + "\n";
        if fixed.as_bytes() == file.bytes {
            // Nothing but the empty line of an empty file: the script fails and changes nothing.
            return Verdict::broken(format!("Fixing file `{path}`"));
        }
        Verdict::fixed(fixed.into_bytes(), format!("Fixing file `{path}`"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::super::tests::on;

    #[test]
    fn blocks_are_sorted() {
        let of = |before: &str| match on("sort-simple-yaml", &[], "a", before.as_bytes()).outcome {
            Outcome::Fixed(bytes) => String::from_utf8(bytes).unwrap(),
            Outcome::Clean => "clean".to_owned(),
            Outcome::Broken => "broken".to_owned(),
        };
        assert_eq!(
            of("# top\n\nb: 1\n\n# of a\n'a': 2\nz: 1\n"),
            "# top\n\n# of a\n'a': 2\nz: 1\n\nb: 1\n"
        );
        assert_eq!(of("a: 1\n\nb: 2\n"), "clean");
        assert_eq!(of("a: 1  \n\nb: 2\n"), "clean");
        assert_eq!(of("b: 1\r\n\r\n\r\na: 2"), "a: 2\n\nb: 1\n");
        assert_eq!(of(""), "clean");
        assert_eq!(of("\n"), "broken");
    }
}
