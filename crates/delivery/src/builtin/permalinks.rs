//! `check-vcs-permalinks`: links to lines of code name a commit, so that the lines stay what they are.

use memchr::{memchr, memmem, memrchr};

use super::args::{ArgError, Options};
use super::{About, Check, File, FileCheck, PLAIN, Surroundings, Verdict};

pub(super) const ABOUT: About = About {
    id: "check-vcs-permalinks",
    name: "check vcs permalinks",
    what: "Stops links to lines on a branch of GitHub.",
    types: &["text"],
    arguments: &[(
        "--additional-github-domain=DOMAIN",
        "looks at this host too; a regular expression; may be given several times",
    )],
    make,
    ..PLAIN
};

const OPTIONS: Options = Options {
    flags: &[],
    values: &[&["--additional-github-domain"]],
};
/// How often a search may go back.
const MAX_STEPS: usize = 1_000_000;

struct Permalinks {
    patterns: Vec<fancy_regex::Regex>,
    blob: memmem::Finder<'static>,
}

fn make(args: &[String]) -> Result<Check, ArgError> {
    const NAME: &str = "--additional-github-domain";
    let parsed = OPTIONS.parse(args)?;
    let domains = std::iter::once("github.com").chain(parsed.all(NAME).iter().map(String::as_str));
    let mut patterns = Vec::new();
    for domain in domains {
        let text = format!(
            "https://{domain}/[^/ ]+/[^/ ]+/blob/(?![a-fA-F0-9]{{4,64}}/)([^/. ]+)/[^# ]+#L[0-9]+"
        );
        let pattern = fancy_regex::RegexBuilder::new(&text)
            .backtrack_limit(MAX_STEPS)
            .build();
        let wrong = |_error| ArgError::Invalid(NAME.to_owned(), domain.to_owned());
        patterns.push(pattern.map_err(wrong)?);
    }
    Ok(Check::files(Permalinks {
        patterns,
        blob: memmem::Finder::new("/blob/"),
    }))
}

impl FileCheck for Permalinks {
    fn check(&self, file: &File<'_>, _around: &dyn Surroundings) -> Verdict {
        let mut found = Vec::new();
        let (mut at, mut number) = (0, 1);
        let bytes = file.bytes;
        while let Some(hit) = self.blob.find(&bytes[at..]) {
            let hit = at + hit;
            let start = memrchr(b'\n', &bytes[at..hit]).map_or(at, |end| at + end + 1);
            number += memchr::memchr_iter(b'\n', &bytes[at..start]).count();
            let end = memchr(b'\n', &bytes[hit..]).map_or(bytes.len(), |end| hit + end + 1);
            let line = String::from_utf8_lossy(&bytes[start..end]);
            // What is too hard to decide is told, never passed over.
            let is_hit =
                |pattern: &fancy_regex::Regex| pattern.is_match(line.as_ref()).unwrap_or(true);
            if self.patterns.iter().any(is_hit) {
                let line = line.trim_end_matches(['\r', '\n']);
                found.push(format!("{}:{number}:{line}", file.shown()));
            }
            number += usize::from(bytes[start..end].ends_with(b"\n"));
            at = end;
        }
        Verdict::all_broken(found)
    }

    fn advice(&self) -> &'static [&'static str] {
        &[
            "",
            "Non-permanent github link detected.",
            "On any page on github press [y] to load a permalink.",
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::on;

    #[test]
    fn links_to_lines_of_branches_are_told() {
        let of = |args: &[&str], text: &str| {
            on("check-vcs-permalinks", args, "a", text.as_bytes()).lines
        };
        let link = "https://github.com/a/b/blob/main/c.py#L3";
        assert_eq!(
            of(&[], &format!("x\n\n{link}\ny\n{link}")),
            [format!("a:3:{link}"), format!("a:5:{link}")]
        );
        for good in [
            "https://github.com/a/b/blob/0123abcd/c.py#L3",
            "https://github.com/a/b/blob/main/c.py",
            "https://github.com/a/b/blob/v1.0/c.py#L3",
            "https://example.com/a/b/blob/main/c.py#L3",
        ] {
            assert!(of(&[], good).is_empty(), "{good}");
        }
        let args = ["--additional-github-domain", "example.com"];
        assert_eq!(
            of(&args, "https://example.com/a/b/blob/main/c.py#L3").len(),
            1
        );
    }
}
