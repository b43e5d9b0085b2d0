//! `trailing-whitespace`: no line ends in blanks; two of them stay in Markdown where asked for.

use super::args::{ArgError, Options};
use super::{About, BEFORE, Check, File, FileCheck, PLAIN, Surroundings, Verdict};

pub(super) const ABOUT: About = About {
    id: "trailing-whitespace",
    name: "trim trailing whitespace",
    what: "Takes blanks off the ends of lines.",
    types: &["text"],
    stages: BEFORE,
    can_fix: true,
    arguments: &[
        (
            "--markdown-linebreak-ext=EXT[,EXT]",
            "keeps two blanks at the end of a line in files with these extensions; `*` for all",
        ),
        (
            "--chars=CHARS",
            "takes these characters off instead of all blanks",
        ),
        ("--no-markdown-linebreak-ext", "does nothing"),
    ],
    make,
    ..PLAIN
};

const OPTIONS: Options = Options {
    flags: &[&["--no-markdown-linebreak-ext"]],
    values: &[&["--markdown-linebreak-ext"], &["--chars"]],
};

struct TrailingWhitespace {
    markdown: Markdown,
    /// `None` for all of ASCII's blanks.
    chars: Option<Vec<u8>>,
}

enum Markdown {
    All,
    Extensions(Vec<String>),
}

fn make(args: &[String]) -> Result<Check, ArgError> {
    const NAME: &str = "--markdown-linebreak-ext";
    let parsed = OPTIONS.parse(args)?;
    let given = parsed.all(NAME);
    let mut extensions = Vec::new();
    for extension in given.iter().flat_map(|given| given.split(',')) {
        let lower = extension.to_lowercase();
        let bare = lower.trim_start_matches('.');
        if bare.contains(['.', '/', '\\', ':']) {
            return Err(ArgError::Invalid(NAME.to_owned(), extension.to_owned()));
        }
        extensions.push(bare.to_owned());
    }
    if let Some(empty) = given.iter().find(|given| given.is_empty()) {
        return Err(ArgError::Invalid(NAME.to_owned(), empty.clone()));
    }
    let is_all = given.iter().any(|given| given == "*");
    Ok(Check::files(TrailingWhitespace {
        markdown: if is_all {
            Markdown::All
        } else {
            // The script's default is one empty extension: that of `name.`.
            extensions.extend(given.is_empty().then(String::new));
            Markdown::Extensions(extensions)
        },
        chars: parsed
            .last("--chars")
            .map(|chars| chars.as_bytes().to_vec()),
    }))
}

impl FileCheck for TrailingWhitespace {
    fn check(&self, file: &File<'_>, _around: &dyn Surroundings) -> Verdict {
        let keeps_two = match &self.markdown {
            Markdown::All => true,
            Markdown::Extensions(extensions) => {
                let own = extension(&file.shown().to_lowercase());
                own.is_some_and(|own| extensions.contains(&own))
            }
        };
        match self.trimmed(file.bytes, keeps_two) {
            Some(bytes) => Verdict::fixed(bytes, format!("Fixing {}", file.shown())),
            None => Verdict::clean(),
        }
    }
}

impl TrailingWhitespace {
    /// Returns the content without blanks at the ends of its lines; `None` where nothing changes.
    fn trimmed(&self, bytes: &[u8], keeps_two: bool) -> Option<Vec<u8>> {
        let mut out: Option<Vec<u8>> = None;
        // What is before `copied` is in `out`.
        let mut copied = 0;
        let mut start = 0;
        let ends = memchr::memchr_iter(b'\n', bytes).chain(std::iter::once(bytes.len()));
        for end in ends {
            let line = &bytes[start..end];
            let has_cr = end < bytes.len() && line.last() == Some(&b'\r');
            let line = if has_cr {
                &line[..line.len() - 1]
            } else {
                line
            };
            let kept = self.kept(line, keeps_two);
            if kept != line.len() {
                let out = out.get_or_insert_with(|| Vec::with_capacity(bytes.len()));
                out.extend_from_slice(&bytes[copied..start + kept]);
                if keeps_two && Self::is_break(line) {
                    out.extend_from_slice(b"  ");
                }
                copied = start + line.len();
            }
            start = end + 1;
        }
        let mut out = out?;
        out.extend_from_slice(&bytes[copied..]);
        Some(out)
    }

    fn is_break(line: &[u8]) -> bool {
        line.ends_with(b"  ") && !line.iter().all(|byte| is_space(*byte))
    }

    /// How much of a line stays; a line break of Markdown that is already right stays whole.
    fn kept(&self, line: &[u8], keeps_two: bool) -> usize {
        if keeps_two && Self::is_break(line) {
            let kept = self.stripped(&line[..line.len() - 2]);
            return if kept + 2 == line.len() {
                line.len()
            } else {
                kept
            };
        }
        self.stripped(line)
    }

    fn stripped(&self, line: &[u8]) -> usize {
        let stays = |byte: &u8| match &self.chars {
            None => !is_space(*byte),
            Some(chars) => !chars.contains(byte),
        };
        line.iter().rposition(stays).map_or(0, |at| at + 1)
    }
}

/// What stands after the last dot of a path's name; dots at its beginning do not count.
fn extension(path: &str) -> Option<String> {
    let name = path.rsplit('/').next()?;
    let stem = name.trim_start_matches('.');
    stem.rsplit_once('.')
        .map(|(_, extension)| extension.to_owned())
}

/// What Python's `bytes` take for a blank.
fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ')
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::super::tests::on;

    fn trimmed(args: &[&str], path: &str, before: &[u8]) -> Option<Vec<u8>> {
        match on("trailing-whitespace", args, path, before).outcome {
            Outcome::Fixed(bytes) => Some(bytes),
            _ => None,
        }
    }

    #[test]
    fn blanks_at_line_ends_go() {
        let of = |before: &[u8]| trimmed(&[], "a.py", before);
        assert_eq!(of(b"a\nb\r\nc"), None);
        assert_eq!(of(b"a \nb\t\r\nc\x0c"), Some(b"a\nb\r\nc".to_vec()));
        assert_eq!(of(b"a\r"), Some(b"a".to_vec()));
        assert_eq!(of(b"  \n\n \r\r\n"), Some(b"\n\n\r\n".to_vec()));
        assert_eq!(of(b"a\xc2\xa0\n"), None);
    }

    #[test]
    fn two_blanks_stay_in_markdown() {
        let md = ["--markdown-linebreak-ext=md,txt"];
        assert_eq!(
            trimmed(&md, "a.MD", b"a  \n  \n"),
            Some(b"a  \n\n".to_vec())
        );
        assert_eq!(
            trimmed(&md, "a.md", b"a   \nb  \n"),
            Some(b"a  \nb  \n".to_vec())
        );
        assert_eq!(trimmed(&md, "a.py", b"a  \n"), Some(b"a\n".to_vec()));
        assert_eq!(
            trimmed(&["--markdown-linebreak-ext=*"], "a.py", b"a \t  \n"),
            Some(b"a  \n".to_vec())
        );
        assert_eq!(
            trimmed(&["--chars= "], "a.py", b"a\t \n"),
            Some(b"a\t\n".to_vec())
        );
    }
}
