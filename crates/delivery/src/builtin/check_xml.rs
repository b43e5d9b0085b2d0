//! `check-xml`: a file is well-formed XML. The reading is in `xml`.

use super::args::Options;
use super::xml::well_formed;
use super::{About, Check, File, FileCheck, PLAIN, Surroundings, Verdict};

pub(super) const ABOUT: About = About {
    id: "check-xml",
    name: "check xml",
    what: "Stops files that are no well-formed XML.",
    types: &["xml"],
    differs: &[
        "what the declarations between `[` and `]` of a DOCTYPE say is followed for entities only; their own syntax is not checked, nor what an entity stands for",
        "of encodings, UTF-8, UTF-16, ISO-8859-1 and US-ASCII are known; any other is read byte by byte",
        "names follow the fifth edition of XML 1.0",
    ],
    make: |args| {
        Options::NONE.parse(args)?;
        Ok(Check::files(Xml))
    },
    ..PLAIN
};

struct Xml;

impl FileCheck for Xml {
    fn check(&self, file: &File<'_>, _around: &dyn Surroundings) -> Verdict {
        match well_formed(file.bytes) {
            Ok(()) => Verdict::clean(),
            Err((line, what)) => {
                let path = file.shown();
                Verdict::broken(format!(
                    "{path}: Failed to xml parse ({path}:{line}: {what})"
                ))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::on;

    #[test]
    fn xml_is_well_formed_or_not() {
        let is_xml = |text: &str| on("check-xml", &[], "a", text.as_bytes()).lines.is_empty();
        for good in [
            "<a/>",
            "<?xml version='1.0' encoding=\"UTF-8\"?>\n<a b='1' c=\"&lt;\">x &#65; <!-- c --> <![CDATA[<]]></a>\n",
            "<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>",
            "<!DOCTYPE a SYSTEM 'a.dtd'><a>&e;</a>",
            "<x:a y:b='1'/>",
            "<a><?pi x?></a><!-- end -->\n",
            "\u{feff}<a/>",
            "<a\n>\n</a\n>",
        ] {
            assert!(is_xml(good), "{good}");
        }
        for bad in [
            "",
            " ",
            "x",
            "<a>",
            "<a></b>",
            "<a/><b/>",
            "<a b=1/>",
            "<a b='1' b='2'/>",
            "<a b='<'/>",
            "<a>&e;</a>",
            "<a>&amp</a>",
            "<a>]]></a>",
            "<a><!-- -- --></a>",
            " <?xml version='1.0'?><a/>",
            "<a/>x",
            "<a b='1'c='2'/>",
            "<?xml?><a/>",
            "<a>\u{1}</a>",
            "<1/>",
            "<a>&#0;</a>",
            "<a><?xml x?></a>",
            "</a>",
            "<a",
            "<!DOCTYPE a [",
            "< a/>",
        ] {
            assert!(!is_xml(bad), "{bad}");
        }
    }
}
