//! The little of XML in which test results are written: tags, attributes and text, nothing that refers elsewhere.
//!
//! Why our own: the file was written by a program of others. There are no entities but the five of the language, no document
//! types with content, and everything has a bound. Not here: whether a document is well-formed ([`crate::builtin`] does).

/// Longest file that is read.
pub(super) const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// Attributes of one tag.
const MAX_ATTRIBUTES: usize = 64;

/// A piece of a document.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    /// `<name a="b">`, or `<name/>`.
    Open {
        /// Its name.
        name: &'t str,
        /// Its attributes.
        attributes: Vec<(&'t str, String)>,
        /// Whether it closes itself.
        is_empty: bool,
    },
    /// `</name>`.
    Close,
}

/// Reads a document piece by piece; `None` when it is none, or wants more than is given.
pub(super) fn read<'t>(text: &'t str, mut each: impl FnMut(Piece<'t>)) -> Option<()> {
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        rest = rest.get(at..)?;
        if let Some(after) = rest.strip_prefix("<!--") {
            rest = after.get(after.find("-->")? + 3..)?;
        } else if let Some(after) = rest.strip_prefix("<![CDATA[") {
            rest = after.get(after.find("]]>")? + 3..)?;
        } else if let Some(after) = rest.strip_prefix("<?") {
            rest = after.get(after.find("?>")? + 2..)?;
        } else if let Some(after) = rest.strip_prefix("<!") {
            let end = after.find('>')?;
            // A document type that declares something is not ours to believe.
            if after.get(..end)?.contains('[') {
                return None;
            }
            rest = after.get(end + 1..)?;
        } else if let Some(after) = rest.strip_prefix("</") {
            each(Piece::Close);
            rest = after.get(after.find('>')? + 1..)?;
        } else {
            rest = open(rest.get(1..)?, &mut each)?;
        }
    }
    Some(())
}

fn open<'t>(text: &'t str, each: &mut impl FnMut(Piece<'t>)) -> Option<&'t str> {
    let end = text.find(|c: char| c.is_whitespace() || c == '>' || c == '/')?;
    let name = text.get(..end)?;
    let mut rest = text.get(end..)?.trim_start();
    let mut attributes = Vec::new();
    loop {
        if let Some(after) = rest.strip_prefix("/>") {
            each(Piece::Open {
                name,
                attributes,
                is_empty: true,
            });
            return Some(after);
        }
        if let Some(after) = rest.strip_prefix('>') {
            each(Piece::Open {
                name,
                attributes,
                is_empty: false,
            });
            return Some(after);
        }
        let equals = rest.find('=')?;
        let key = rest.get(..equals)?.trim();
        let after = rest.get(equals + 1..)?.trim_start();
        let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let after = after.get(1..)?;
        let end = after.find(quote)?;
        if key.is_empty() || attributes.len() >= MAX_ATTRIBUTES {
            return None;
        }
        attributes.push((key, plain(after.get(..end)?)));
        rest = after.get(end + 1..)?.trim_start();
    }
}

/// Puts the five entities and characters by number in; anything else stays as it stands.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (before, after) = rest.split_at(at);
        plain.push_str(before);
        let end = after.find(';').filter(|end| *end <= 10);
        let known = end.and_then(|end| character(after.get(1..end)?));
        if let (Some(known), Some(end)) = (known, end) {
            plain.push(known);
            rest = after.get(end + 1..).unwrap_or_default();
        } else {
            plain.push('&');
            rest = after.get(1..).unwrap_or_default();
        }
    }
    plain.push_str(rest);
    plain
}

fn character(name: &str) -> Option<char> {
    match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let number = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(number)
        }
    }
}

/// Returns an attribute.
pub(super) fn attribute<'a>(attributes: &'a [(&str, String)], name: &str) -> Option<&'a str> {
    let found = attributes.iter().find(|(key, _)| *key == name);
    found.map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn entities_that_a_document_declares_are_refused() {
        let text = r#"<!DOCTYPE a [<!ENTITY b "cc">]><a x="&b;"/>"#;
        assert_eq!(read(text, |_| {}), None);
        let mut seen = Vec::new();
        read(r#"<a x="&lt;&#65;&b;&amp;lt;"/>"#, |piece| seen.push(piece)).unwrap();
        let Some(Piece::Open { attributes, .. }) = seen.pop() else {
            panic!("no tag");
        };
        assert_eq!(attribute(&attributes, "x"), Some("<A&b;&lt;"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[<>&;/!?a-c\"'= \\-\\[\\]#x0-9é]{0,80}") {
            read(&text, |_| {});
        }
    }
}
