//! JSON as Python's module `json` reads it: `NaN` and `Infinity` too, no control characters in texts, an encoding
//! that is guessed, texts that may hold half a surrogate pair.
//!
//! Why our own: other readers differ in exactly these points. Read without recursion, without building anything;
//! who wants a tree builds it from what [`Sink`] is told.
//! Texts are handed on as bytes in UTF-8 where a lone surrogate has the three bytes that it would have.

use std::borrow::Cow;

/// Deepest nesting; Python ends near 1,000 too.
const MAX_DEPTH: usize = 990;
/// Most digits of a whole number; Python's own bound.
const MAX_DIGITS: usize = 4_300;

/// Why a text is no JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NotJson {
    /// Byte where it was seen.
    pub(super) at: usize,
    pub(super) what: String,
}

/// Is told what is read, in sequence.
pub(super) trait Sink<'a> {
    /// A map or a list begins.
    fn start(&mut self, is_map: bool);
    /// A key of the map that is open.
    fn key(&mut self, key: Cow<'a, [u8]>);
    /// A text.
    fn text(&mut self, text: Cow<'a, [u8]>);
    /// A number as written, or `NaN`, `Infinity`, `-Infinity`, `true`, `false`, `null`.
    fn plain(&mut self, text: &'a [u8]);
    /// The map or list that is open ends.
    ///
    /// # Errors
    /// What is wrong with it.
    fn end(&mut self) -> Result<(), String>;
}

/// Reads a text.
pub(super) fn read<'a>(bytes: &'a [u8], sink: &mut impl Sink<'a>) -> Result<(), NotJson> {
    let mut reader = Reader { bytes, at: 0 };
    // Whether each open value is a map.
    let mut open: Vec<bool> = Vec::new();
    loop {
        // A value is expected here.
        reader.blanks();
        let mut is_complete = true;
        match reader.peek() {
            Some(byte @ (b'{' | b'[')) => {
                if open.len() >= MAX_DEPTH {
                    return Err(reader.wrong("nested too deeply"));
                }
                let is_map = byte == b'{';
                sink.start(is_map);
                reader.at += 1;
                reader.blanks();
                if reader.take(if is_map { b'}' } else { b']' }) {
                    sink.end().map_err(|what| reader.wrong(&what))?;
                } else {
                    open.push(is_map);
                    is_complete = false;
                }
            }
            Some(b'"') => {
                let text = reader.text()?;
                sink.text(text);
            }
            _ => sink.plain(reader.plain()?),
        }
        if is_complete {
            loop {
                reader.blanks();
                match open.last() {
                    None if reader.peek().is_none() => return Ok(()),
                    None => return Err(reader.wrong("extra data")),
                    Some(_) if reader.take(b',') => break,
                    Some(is_map) => {
                        if !reader.take(if *is_map { b'}' } else { b']' }) {
                            return Err(reader.wrong("expected `,` or the end"));
                        }
                        sink.end().map_err(|what| reader.wrong(&what))?;
                        open.pop();
                    }
                }
            }
        }
        if open.last() == Some(&true) {
            reader.blanks();
            if reader.peek() != Some(b'"') {
                return Err(reader.wrong("expected a key in double quotes"));
            }
            let key = reader.text()?;
            sink.key(key);
            reader.blanks();
            if !reader.take(b':') {
                return Err(reader.wrong("expected `:`"));
            }
        }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == Some(byte);
        self.at += usize::from(is_there);
        is_there
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn wrong(&self, what: &str) -> NotJson {
        NotJson {
            at: self.at,
            what: what.to_owned(),
        }
    }

    fn plain(&mut self) -> Result<&'a [u8], NotJson> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        for word in ["null", "true", "false", "NaN", "Infinity", "-Infinity"] {
            if rest.starts_with(word.as_bytes()) {
                self.at += word.len();
                return Ok(&rest[..word.len()]);
            }
        }
        let digits = |from: usize| {
            rest[from..]
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count()
        };
        let start = usize::from(rest.first() == Some(&b'-'));
        let whole = match rest.get(start) {
            Some(b'0') => 1,
            Some(b'1'..=b'9') => digits(start),
            _ => return Err(self.wrong("expected a value")),
        };
        let mut end = start + whole;
        let mut is_whole = true;
        if rest.get(end) == Some(&b'.') && rest.get(end + 1).is_some_and(u8::is_ascii_digit) {
            end += 1 + digits(end + 1);
            is_whole = false;
        }
        if matches!(rest.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(rest.get(end + 1), Some(b'-' | b'+')));
            let exponent = rest
                .get(end + 1 + sign..)
                .map_or(0, |_| digits(end + 1 + sign));
            if exponent > 0 {
                end += 1 + sign + exponent;
                is_whole = false;
            }
        }
        if is_whole && whole > MAX_DIGITS {
            return Err(self.wrong("more than 4,300 digits"));
        }
        self.at += end;
        Ok(&rest[..end])
    }

    /// Reads a text, at its first quote.
    fn text(&mut self) -> Result<Cow<'a, [u8]>, NotJson> {
        self.at += 1;
        let start = self.at;
        self.run();
        if self.peek() == Some(b'"') {
            let text = &self.bytes[start..self.at];
            self.at += 1;
            return Ok(Cow::Borrowed(text));
        }
        let mut text = self.bytes[start..self.at].to_vec();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Cow::Owned(text));
                }
                Some(b'\\') => self.escape(&mut text)?,
                Some(_) => return Err(self.wrong("control character in a text")),
                None => return Err(self.wrong("a text is not ended")),
            }
            let start = self.at;
            self.run();
            text.extend_from_slice(&self.bytes[start..self.at]);
        }
    }

    /// Goes to the next quote, backslash or control character.
    fn run(&mut self) {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let is_end = |byte: &u8| *byte < 0x20 || matches!(byte, b'"' | b'\\');
        self.at += rest.iter().position(is_end).unwrap_or(rest.len());
    }

    fn escape(&mut self, text: &mut Vec<u8>) -> Result<(), NotJson> {
        let escaped = self.bytes.get(self.at + 1).copied();
        let plain = match escaped {
            Some(byte @ (b'"' | b'\\' | b'/')) => byte,
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => {
                let first = self.unit(self.at + 2)?;
                self.at += 6;
                let mut code = first;
                if (0xd800..0xdc00).contains(&first)
                    && self.bytes.get(self.at..self.at + 2) == Some(b"\\u")
                    && let Ok(second @ 0xdc00..0xe000) = self.unit(self.at + 2)
                {
                    code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                    self.at += 6;
                }
                push(text, code);
                return Ok(());
            }
            _ => return Err(self.wrong("unknown escape")),
        };
        text.push(plain);
        self.at += 2;
        Ok(())
    }

    /// Reads four hexadecimal digits.
    fn unit(&self, at: usize) -> Result<u32, NotJson> {
        self.bytes
            .get(at..at + 4)
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .ok_or_else(|| self.wrong("expected four hexadecimal digits"))
    }
}

/// Adds a code point, half a surrogate pair included.
pub(super) fn push(text: &mut Vec<u8>, code: u32) {
    if let Some(c) = char::from_u32(code) {
        text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    } else {
        let [_, _, high, low] = code.to_be_bytes();
        text.extend([
            0xe0 | (high >> 4),
            0x80 | ((high & 0xf) << 2) | (low >> 6),
            0x80 | (low & 0x3f),
        ]);
    }
}

/// Reads bytes as the text that Python makes of them, in the form that [`read`] wants; `None` where it makes none.
pub(super) fn decode(bytes: &[u8]) -> Option<Cow<'_, [u8]>> {
    if let Some(rest) = bytes.strip_prefix(&[0, 0, 0xfe, 0xff]) {
        return units(rest, 4, true);
    }
    if let Some(rest) = bytes.strip_prefix(&[0xff, 0xfe, 0, 0]) {
        return units(rest, 4, false);
    }
    if let Some(rest) = bytes.strip_prefix(&[0xfe, 0xff]) {
        return units(rest, 2, true);
    }
    if let Some(rest) = bytes.strip_prefix(&[0xff, 0xfe]) {
        return units(rest, 2, false);
    }
    if let Some(rest) = bytes.strip_prefix(&[0xef, 0xbb, 0xbf]) {
        return utf8(rest);
    }
    match bytes {
        [0, 0, _, _, ..] => units(bytes, 4, true),
        [0, _, _, _, ..] | [0, _] => units(bytes, 2, true),
        [_, 0, 0, 0, ..] => units(bytes, 4, false),
        [_, 0, _, _, ..] | [_, 0] => units(bytes, 2, false),
        _ => utf8(bytes),
    }
}

fn utf8(bytes: &[u8]) -> Option<Cow<'_, [u8]>> {
    let mut rest = bytes;
    loop {
        match std::str::from_utf8(rest) {
            Ok(_) => return Some(Cow::Borrowed(bytes)),
            Err(error) => {
                // Half a surrogate pair passes.
                rest = rest.get(error.valid_up_to()..)?;
                match rest {
                    [0xed, 0xa0..=0xbf, 0x80..=0xbf, after @ ..] => rest = after,
                    _ => return None,
                }
            }
        }
    }
}

fn units(bytes: &[u8], width: usize, is_big: bool) -> Option<Cow<'_, [u8]>> {
    if !bytes.len().is_multiple_of(width) {
        return None;
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut codes = bytes
        .chunks_exact(width)
        .map(|unit| {
            let add = |code: u32, byte: &u8| (code << 8) | u32::from(*byte);
            if is_big {
                unit.iter().fold(0, add)
            } else {
                unit.iter().rev().fold(0, add)
            }
        })
        .peekable();
    while let Some(mut code) = codes.next() {
        if code > 0x0010_ffff {
            return None;
        }
        if width == 2
            && (0xd800..0xdc00).contains(&code)
            && let Some(low) = codes.next_if(|low| (0xdc00..0xe000).contains(low))
        {
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        }
        push(&mut out, code);
    }
    Some(Cow::Owned(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_guessed() {
        let text = "{\"ä\": \"😀\"}";
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let wide: Vec<u8> = text
            .chars()
            .flat_map(|c| u32::from(c).to_le_bytes())
            .collect();
        for bytes in [
            big,
            little,
            wide,
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
        ] {
            assert_eq!(decode(&bytes).unwrap().as_ref(), text.as_bytes());
        }
        assert!(decode(b"\xed\xa0\x80").is_some());
        assert!(decode(b"\xff").is_none());
        let mut lone = Vec::new();
        push(&mut lone, 0xd800);
        assert_eq!(lone, b"\xed\xa0\x80");
    }
}
