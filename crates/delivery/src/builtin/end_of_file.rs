//! `end-of-file-fixer`: a file ends in exactly one line end, or is empty.

use super::args::Options;
use super::{About, BEFORE, Check, File, FileCheck, PLAIN, Surroundings, Verdict};

pub(super) const ABOUT: About = About {
    id: "end-of-file-fixer",
    name: "fix end of files",
    what: "Makes a file end in exactly one line end; a file of line ends only becomes empty.",
    types: &["text"],
    stages: BEFORE,
    can_fix: true,
    make: |args| {
        Options::NONE.parse(args)?;
        Ok(Check::files(EndOfFile))
    },
    ..PLAIN
};

struct EndOfFile;

impl FileCheck for EndOfFile {
    fn check(&self, file: &File<'_>, _around: &dyn Surroundings) -> Verdict {
        let bytes = file.bytes;
        let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
        let ends = bytes.iter().rev().take_while(|byte| is_end(byte)).count();
        let (body, ends) = bytes.split_at(bytes.len() - ends);
        let kept = match (body, ends) {
            ([], []) => return Verdict::clean(),
            ([], _) => Vec::new(),
            (body, []) => [body, b"\n"].concat(),
            (_, b"\n" | b"\r\n" | b"\r") => return Verdict::clean(),
            (body, ends) => {
                let first = if ends.starts_with(b"\r\n") { 2 } else { 1 };
                [body, &ends[..first]].concat()
            }
        };
        Verdict::fixed(kept, format!("Fixing {}", file.shown()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::super::tests::on;

    #[test]
    fn one_line_end_stays() {
        for (before, after) in [
            (&b""[..], None),
            (b"a\n", None),
            (b"a\r\n", None),
            (b"a\r", None),
            (b"a", Some(&b"a\n"[..])),
            (b"a\n\n", Some(b"a\n")),
            (b"a\r\n\r\n", Some(b"a\r\n")),
            (b"a\r\r\n", Some(b"a\r")),
            (b"\n", Some(b"")),
            (b"\r\n\n", Some(b"")),
        ] {
            let expected = after.map_or(Outcome::Clean, |after| Outcome::Fixed(after.to_vec()));
            assert_eq!(
                on("end-of-file-fixer", &[], "a", before).outcome,
                expected,
                "{before:?}"
            );
        }
    }
}
