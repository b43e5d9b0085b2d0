//! Whether bytes are well-formed XML 1.0, as a reader without validation and without network takes them.
//!
//! Why our own: the readers at hand pass over much that makes a file unreadable (a name twice, text after the end).
//! Nothing is built and nothing is expanded, so that no entity can grow. Not here: what a DTD declares beyond the
//! names of entities.

use std::borrow::Cow;
use std::collections::HashSet;

/// Line, and what is wrong in it.
type Wrong = (usize, String);

/// Deepest nesting.
const MAX_DEPTH: usize = 10_000;

/// Says whether bytes are well-formed.
///
/// # Errors
/// Line and kind of the first mistake.
pub(super) fn well_formed(bytes: &[u8]) -> Result<(), Wrong> {
    let text = decode(bytes).ok_or((1, "not the encoding that it says".to_owned()))?;
    if let Some(at) = text.find(|c| !is_char(c)) {
        let line = memchr::memchr_iter(b'\n', &text.as_bytes()[..at]).count() + 1;
        return Err((line, "a character that XML does not have".to_owned()));
    }
    let mut reader = Reader {
        text: &text,
        at: 0,
        entities: HashSet::new(),
        knows_all: true,
    };
    let found = reader.document();
    found.map_err(|what| {
        let line = memchr::memchr_iter(b'\n', &text.as_bytes()[..reader.at]).count() + 1;
        (line, what.to_owned())
    })
}

fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r') || (c >= ' ' && !matches!(c, '\u{fffe}' | '\u{ffff}'))
}

fn decode(bytes: &[u8]) -> Option<Cow<'_, str>> {
    let utf16 = |bytes: &[u8], from: fn([u8; 2]) -> u16| {
        let units = bytes
            .chunks(2)
            .map(|unit| <[u8; 2]>::try_from(unit).ok().map(from));
        let units: Vec<u16> = units.collect::<Option<_>>()?;
        String::from_utf16(&units).ok().map(Cow::Owned)
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => return utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => return utf16(rest, u16::from_be_bytes),
        [b'<', 0, ..] => return utf16(bytes, u16::from_le_bytes),
        [0, b'<', ..] => return utf16(bytes, u16::from_be_bytes),
        _ => {}
    }
    if let Some(rest) = bytes.strip_prefix(b"\xef\xbb\xbf") {
        return std::str::from_utf8(rest).ok().map(Cow::Borrowed);
    }
    let named = declared(bytes).map(str::to_ascii_lowercase);
    match named.as_deref() {
        None | Some("utf-8" | "utf8") => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        Some("us-ascii" | "ascii") if !bytes.is_ascii() => None,
        // It has a declaration that could be read, so it is not of two bytes a character.
        Some("utf-16" | "utf-16le" | "utf-16be") => None,
        Some(_) => Some(Cow::Owned(
            bytes.iter().map(|byte| char::from(*byte)).collect(),
        )),
    }
}

/// The encoding that a declaration names.
fn declared(bytes: &[u8]) -> Option<&str> {
    let rest = bytes.strip_prefix(b"<?xml")?;
    let end = memchr::memmem::find(rest, b"?>")?;
    let declaration = std::str::from_utf8(rest.get(..end)?).ok()?;
    let (_, rest) = declaration.split_once("encoding")?;
    let rest = rest.trim_start().strip_prefix('=')?.trim_start();
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    rest[1..].split_once(quote).map(|(name, _)| name)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// Names of entities that are declared.
    entities: HashSet<&'a str>,
    /// Whether no declaration can be elsewhere.
    knows_all: bool,
}

type Found = Result<(), &'static str>;

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn take(&mut self, text: &str) -> bool {
        let is_there = self.rest().starts_with(text);
        if is_there {
            self.at += text.len();
        }
        is_there
    }

    fn blanks(&mut self) -> bool {
        let rest = self.rest();
        let blanks = rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
        self.at += blanks;
        blanks > 0
    }

    /// Goes behind the next `end`.
    fn skip(&mut self, end: &str, what: &'static str) -> Result<&'a str, &'static str> {
        let rest = self.rest();
        let length = memchr::memmem::find(rest.as_bytes(), end.as_bytes()).ok_or(what)?;
        self.at += length + end.len();
        Ok(&rest[..length])
    }

    fn name(&mut self) -> Result<&'a str, &'static str> {
        let rest = self.rest();
        let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        let name = &rest[..end];
        if name.starts_with(is_name_start) {
            self.at += end;
            Ok(name)
        } else {
            Err("expected a name")
        }
    }

    fn document(&mut self) -> Found {
        if self.rest().starts_with("<?xml") && self.rest()[5..].starts_with([' ', '\t', '\n', '\r'])
        {
            self.declaration()?;
        }
        let mut has_doctype = false;
        let mut has_root = false;
        loop {
            self.blanks();
            if self.rest().is_empty() {
                return if has_root {
                    Ok(())
                } else {
                    Err("no element found")
                };
            }
            if self.take("<!--") {
                self.comment()?;
            } else if self.take("<?") {
                self.instruction()?;
            } else if !has_doctype && !has_root && self.take("<!DOCTYPE") {
                has_doctype = true;
                self.doctype()?;
            } else if has_root {
                return Err("junk after document element");
            } else if self.rest().starts_with('<') {
                self.element()?;
                has_root = true;
            } else {
                return Err("syntax error");
            }
        }
    }

    fn declaration(&mut self) -> Found {
        let text = self.skip("?>", "XML declaration is not ended")?;
        let mut rest = &text[5..];
        let mut before = 0;
        while !rest.trim_start().is_empty() {
            let trimmed = rest.trim_start();
            if trimmed.len() == rest.len() {
                return Err("XML declaration not well-formed");
            }
            let (name, value) = trimmed
                .split_once('=')
                .ok_or("XML declaration not well-formed")?;
            let value = value.trim_start();
            let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
            let quote = quote.ok_or("XML declaration not well-formed")?;
            let (value, after) = value[1..]
                .split_once(quote)
                .ok_or("XML declaration not well-formed")?;
            // Each once, in this sequence.
            let place = match name.trim_end() {
                "version" if !value.is_empty() => 1,
                "encoding"
                    if before == 1 && value.starts_with(|c: char| c.is_ascii_alphabetic()) =>
                {
                    2
                }
                "standalone" if before >= 1 && matches!(value, "yes" | "no") => 3,
                _ => return Err("XML declaration not well-formed"),
            };
            if place <= before {
                return Err("XML declaration not well-formed");
            }
            before = place;
            rest = after;
        }
        if before == 0 {
            Err("XML declaration not well-formed")
        } else {
            Ok(())
        }
    }

    fn comment(&mut self) -> Found {
        self.skip("--", "a comment is not ended")?;
        if self.take(">") {
            Ok(())
        } else {
            Err("`--` in a comment")
        }
    }

    fn instruction(&mut self) -> Found {
        let target = self.name()?;
        if target.eq_ignore_ascii_case("xml") {
            return Err("XML or text declaration not at start of entity");
        }
        if !self.rest().starts_with("?>") && !self.blanks() {
            return Err("expected a blank");
        }
        self.skip("?>", "an instruction is not ended").map(|_| ())
    }

    fn doctype(&mut self) -> Found {
        if !self.blanks() {
            return Err("expected a blank");
        }
        self.name()?;
        self.blanks();
        let has_external = if self.take("SYSTEM") {
            self.blanks();
            self.quoted()?;
            true
        } else if self.take("PUBLIC") {
            self.public()?;
            true
        } else {
            false
        };
        self.knows_all &= !has_external;
        self.blanks();
        if self.take("[") {
            self.subset()?;
            self.blanks();
        }
        if self.take(">") {
            Ok(())
        } else {
            Err("DOCTYPE not well-formed")
        }
    }

    fn quoted(&mut self) -> Result<&'a str, &'static str> {
        if self.take("\"") {
            self.skip("\"", "a text is not ended")
        } else if self.take("'") {
            self.skip("'", "a text is not ended")
        } else {
            Err("expected a text in quotes")
        }
    }

    /// Reads a public name and where it is to be found.
    fn public(&mut self) -> Found {
        let is_plain =
            |c: char| c.is_ascii_alphanumeric() || "- \r\n'()+,./:=?;!*#@$_%".contains(c);
        if !self.blanks() || !self.quoted()?.chars().all(is_plain) || !self.blanks() {
            return Err("a public name is not well-formed");
        }
        self.quoted().map(|_| ())
    }

    /// Goes over declarations and keeps the names of entities.
    fn subset(&mut self) -> Found {
        loop {
            self.blanks();
            if self.take("]") {
                return Ok(());
            } else if self.take("<!--") {
                self.comment()?;
            } else if self.take("<?") {
                self.instruction()?;
            } else if self.take("%") {
                // What it stands for may declare more.
                self.knows_all = false;
                self.name()?;
                if !self.take(";") {
                    return Err("expected `;`");
                }
            } else if self.take("<!ENTITY") {
                self.entity()?;
            } else if ["<!ELEMENT", "<!ATTLIST", "<!NOTATION"]
                .iter()
                .any(|start| self.take(start))
            {
                self.rest_of_declaration()?;
            } else {
                return Err("DOCTYPE not well-formed");
            }
        }
    }

    /// Reads the declaration of an entity: a text, or where it is to be found.
    fn entity(&mut self) -> Found {
        const WRONG: &str = "the declaration of an entity is not well-formed";
        let need = |is_there: bool| if is_there { Ok(()) } else { Err(WRONG) };
        need(self.blanks())?;
        let is_parameter = self.take("%");
        if is_parameter {
            need(self.blanks())?;
        }
        let name = self.name()?;
        need(self.blanks())?;
        if self.take("SYSTEM") {
            need(self.blanks())?;
            self.quoted()?;
        } else if self.take("PUBLIC") {
            self.public()?;
        } else {
            self.quoted()?;
        }
        if self.blanks() && !is_parameter && self.take("NDATA") {
            need(self.blanks())?;
            self.name()?;
            self.blanks();
        }
        if !is_parameter {
            self.entities.insert(name);
        }
        need(self.take(">"))
    }

    fn rest_of_declaration(&mut self) -> Found {
        loop {
            let rest = self.rest();
            let next = rest
                .find(['"', '\'', '>', '<'])
                .ok_or("a declaration is not ended")?;
            self.at += next;
            if self.take(">") {
                return Ok(());
            }
            self.quoted()?;
        }
    }

    /// Reads an element with all that is in it.
    fn element(&mut self) -> Found {
        let mut open: Vec<&'a str> = Vec::new();
        loop {
            // At a start tag, or, when something is open, at any content.
            if self.take("</") {
                let name = self.name()?;
                if open.pop() != Some(name) {
                    return Err("mismatched tag");
                }
                self.blanks();
                if !self.take(">") {
                    return Err("expected `>`");
                }
            } else if !open.is_empty() && self.take("<!--") {
                self.comment()?;
            } else if !open.is_empty() && self.take("<![CDATA[") {
                self.skip("]]>", "unclosed CDATA section")?;
            } else if !open.is_empty() && self.take("<?") {
                self.instruction()?;
            } else if self.take("<") {
                let name = self.name()?;
                if self.attributes()? {
                    if open.len() >= MAX_DEPTH {
                        return Err("nested too deeply");
                    }
                    open.push(name);
                }
            } else {
                self.characters()?;
            }
            if open.is_empty() {
                return Ok(());
            }
        }
    }

    /// Reads attributes and the end of a start tag; says whether the element stays open.
    fn attributes(&mut self) -> Result<bool, &'static str> {
        let mut names: Vec<&str> = Vec::new();
        loop {
            let has_blank = self.blanks();
            if self.take("/>") {
                break Ok(false);
            }
            if self.take(">") {
                break Ok(true);
            }
            if !has_blank {
                break Err("expected a blank");
            }
            names.push(self.name()?);
            self.blanks();
            if !self.take("=") {
                break Err("expected `=`");
            }
            self.blanks();
            let start = self.at + 1;
            let value = self.quoted()?;
            if let Some(bad) = value.find('<') {
                self.at = start + bad;
                break Err("`<` in a value");
            }
            self.references(value)?;
        }
        .and_then(|stays_open| {
            names.sort_unstable();
            if names.windows(2).any(|pair| pair[0] == pair[1]) {
                Err("duplicate attribute")
            } else {
                Ok(stays_open)
            }
        })
    }

    fn characters(&mut self) -> Found {
        let rest = self.rest();
        let end = memchr::memchr(b'<', rest.as_bytes()).unwrap_or(rest.len());
        let text = &rest[..end];
        if text.contains("]]>") {
            return Err("`]]>` in a text");
        }
        self.references(text)?;
        self.at += end;
        if end == rest.len() {
            Err("no element found")
        } else {
            Ok(())
        }
    }

    fn references(&self, text: &str) -> Found {
        let mut rest = text;
        while let Some(at) = memchr::memchr(b'&', rest.as_bytes()) {
            rest = &rest[at + 1..];
            let (name, after) = rest.split_once(';').ok_or("`&` without name and `;`")?;
            rest = after;
            if let Some(number) = name.strip_prefix('#') {
                let code = match number.strip_prefix('x') {
                    Some(digits) if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                        u32::from_str_radix(digits, 16)
                    }
                    None if number.bytes().all(|byte| byte.is_ascii_digit()) => number.parse(),
                    _ => return Err("reference to invalid character number"),
                };
                let c = code.ok().and_then(char::from_u32);
                if !c.is_some_and(is_char) {
                    return Err("reference to invalid character number");
                }
                continue;
            }
            if !name.starts_with(is_name_start) || !name.chars().all(is_name) {
                return Err("`&` without name and `;`");
            }
            let is_known = matches!(name, "lt" | "gt" | "amp" | "quot" | "apos")
                || self.entities.contains(name);
            if !is_known && self.knows_all {
                return Err("undefined entity");
            }
        }
        Ok(())
    }
}

fn is_name_start(c: char) -> bool {
    matches!(c, ':' | '_' | 'A'..='Z' | 'a'..='z' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{2ff}'
        | '\u{370}'..='\u{37d}' | '\u{37f}'..='\u{1fff}' | '\u{200c}'..='\u{200d}' | '\u{2070}'..='\u{218f}'
        | '\u{2c00}'..='\u{2fef}' | '\u{3001}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}'
        | '\u{10000}'..='\u{effff}')
}

fn is_name(c: char) -> bool {
    is_name_start(c)
        || matches!(c, '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
}
