//! `fix-byte-order-marker`: no byte-order mark at the beginning of UTF-8.

use super::args::Options;
use super::{About, Check, File, FileCheck, PLAIN, Surroundings, Verdict};

pub(super) const ABOUT: About = About {
    id: "fix-byte-order-marker",
    name: "fix utf-8 byte order marker",
    what: "Takes the UTF-8 byte-order mark off.",
    types: &["text"],
    can_fix: true,
    make: |args| {
        Options::NONE.parse(args)?;
        Ok(Check::files(Marker))
    },
    ..PLAIN
};

struct Marker;

impl FileCheck for Marker {
    fn check(&self, file: &File<'_>, _around: &dyn Surroundings) -> Verdict {
        let path = file.shown();
        match file.bytes.strip_prefix(b"\xef\xbb\xbf") {
            None => Verdict::clean(),
            Some(rest) if std::str::from_utf8(rest).is_ok() => {
                Verdict::fixed(rest.to_vec(), format!("{path}: removed byte-order marker"))
            }
            Some(_) => Verdict::broken(format!(
                "{path}: begins with a byte-order marker and is no UTF-8"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::super::tests::on;

    #[test]
    fn one_mark_goes() {
        let of = |bytes: &[u8]| on("fix-byte-order-marker", &[], "a", bytes).outcome;
        assert_eq!(of(b"\xef\xbb\xbfa\r\n"), Outcome::Fixed(b"a\r\n".to_vec()));
        assert_eq!(
            of(b"\xef\xbb\xbf\xef\xbb\xbf"),
            Outcome::Fixed(b"\xef\xbb\xbf".to_vec())
        );
        assert_eq!(of(b"\xef\xbb\xbf\xff"), Outcome::Broken);
        assert_eq!(of(b"a"), Outcome::Clean);
    }
}
