//! JSON as it was written: numbers stay text, and nothing is read that is not JSON.
//!
//! Why our own: the readers at hand turn a price into a float, take more than JSON for JSON, or follow
//! nesting until the stack ends. Not here: writing JSON.

use jaq_json::{Map, Val};

use super::BodyError;

/// Upper bound on a body, in bytes.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;
/// Upper bound on nesting.
pub const MAX_DEPTH: usize = 64;
/// Upper bound on the values of a body.
pub const MAX_VALUES: usize = 2_000_000;

pub(super) fn read(bytes: &[u8]) -> Result<Val, BodyError> {
    if bytes.len() > MAX_BYTES {
        return Err(BodyError::TooLong);
    }
    let text = std::str::from_utf8(bytes).map_err(|error| match error.error_len() {
        None => BodyError::Truncated,
        Some(_) => BodyError::Charset(error.valid_up_to()),
    })?;
    let mut reader = Reader {
        // Some servers put a byte order mark in front.
        text: text.strip_prefix('\u{feff}').unwrap_or(text),
        at: 0,
        values: 0,
    };
    let value = reader.value(0)?;
    reader.blanks();
    if reader.at < reader.text.len() {
        return Err(BodyError::NotJson(reader.at));
    }
    Ok(value)
}

struct Reader<'t> {
    text: &'t str,
    // Invariant: at a boundary of characters, because it only ever passes whole ones.
    at: usize,
    values: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Says what is wrong here.
    fn wrong(&self) -> BodyError {
        if self.at >= self.text.len() {
            BodyError::Truncated
        } else {
            BodyError::NotJson(self.at)
        }
    }

    fn value(&mut self, depth: usize) -> Result<Val, BodyError> {
        if depth > MAX_DEPTH {
            return Err(BodyError::TooDeep);
        }
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(BodyError::TooMany);
        }
        self.blanks();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => Ok(Val::utf8_str(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'n') => self.word("null", Val::Null),
            Some(b't') => self.word("true", Val::Bool(true)),
            Some(b'f') => self.word("false", Val::Bool(false)),
            Some(_) | None => Err(self.wrong()),
        }
    }

    fn word(&mut self, word: &str, value: Val) -> Result<Val, BodyError> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if rest.starts_with(word) {
            self.at += word.len();
            return Ok(value);
        }
        Err(if word.starts_with(rest) {
            BodyError::Truncated
        } else {
            BodyError::NotJson(self.at)
        })
    }

    fn digits(&mut self) -> Result<(), BodyError> {
        let from = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == from {
            Err(self.wrong())
        } else {
            Ok(())
        }
    }

    fn number(&mut self) -> Result<Val, BodyError> {
        let from = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        let text = self.text.get(from..self.at).unwrap_or_default();
        Ok(Val::utf8_str(text.to_owned()))
    }

    fn string(&mut self) -> Result<String, BodyError> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let plain = rest
                .bytes()
                .position(|byte| byte == b'"' || byte == b'\\' || byte < 0x20)
                .unwrap_or(rest.len());
            out.push_str(rest.get(..plain).unwrap_or_default());
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => {
                    self.at += 1;
                    out.push(self.escape()?);
                }
                Some(_) | None => return Err(self.wrong()),
            }
        }
    }

    fn escape(&mut self) -> Result<char, BodyError> {
        let kind = self.peek().ok_or(BodyError::Truncated)?;
        let plain = match kind {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.at += 1;
                return self.unicode();
            }
            _ => return Err(self.wrong()),
        };
        self.at += 1;
        Ok(plain)
    }

    /// Reads what follows `\u`; half a pair becomes the mark for what cannot be shown.
    fn unicode(&mut self) -> Result<char, BodyError> {
        let first = self.hex()?;
        if let Some(c) = char::from_u32(first) {
            return Ok(c);
        }
        let rest = self.text.get(self.at..).unwrap_or_default();
        if first < 0xdc00 && rest.starts_with("\\u") {
            let before = self.at;
            self.at += 2;
            let second = self.hex()?;
            if (0xdc00..0xe000).contains(&second) {
                let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = before;
        }
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn hex(&mut self) -> Result<u32, BodyError> {
        let digits = self.text.get(self.at..self.at + 4).unwrap_or_default();
        let is_hex = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        match u32::from_str_radix(digits, 16) {
            Ok(code) if is_hex => {
                self.at += 4;
                Ok(code)
            }
            Ok(_) | Err(_) if self.at + 4 > self.text.len() => Err(BodyError::Truncated),
            Ok(_) | Err(_) => Err(self.wrong()),
        }
    }

    fn array(&mut self, depth: usize) -> Result<Val, BodyError> {
        self.at += 1;
        let mut items = Vec::new();
        self.blanks();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(items.into_iter().collect());
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(items.into_iter().collect());
                }
                Some(_) | None => return Err(self.wrong()),
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Val, BodyError> {
        self.at += 1;
        let mut members = Map::default();
        self.blanks();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Val::obj(members));
        }
        loop {
            self.blanks();
            if self.peek() != Some(b'"') {
                return Err(self.wrong());
            }
            let name = Val::utf8_str(self.string()?);
            self.blanks();
            if self.peek() != Some(b':') {
                return Err(self.wrong());
            }
            self.at += 1;
            let value = self.value(depth + 1)?;
            members.insert(name, value);
            self.blanks();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Val::obj(members));
                }
                Some(_) | None => return Err(self.wrong()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// The same value with every number as text, from a reader that is not ours.
    fn texts(value: Value) -> Value {
        match value {
            Value::Number(number) => Value::String(number.to_string()),
            Value::Array(items) => items.into_iter().map(texts).collect(),
            Value::Object(members) => members.into_iter().map(|(k, v)| (k, texts(v))).collect(),
            Value::Null | Value::Bool(_) | Value::String(_) => value,
        }
    }

    fn again(bytes: &[u8]) -> Result<Value, BodyError> {
        read(bytes).map(|value| serde_json::from_str(&value.to_string()).unwrap())
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..6).prop_map(|members| {
                    members
                        .into_iter()
                        .collect::<serde_json::Map<_, _>>()
                        .into()
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_another_writer_wrote_reads_the_same(value in values(), pretty in any::<bool>()) {
            let text = if pretty {
                serde_json::to_string_pretty(&value).unwrap()
            } else {
                value.to_string()
            };
            prop_assert_eq!(again(text.as_bytes()), Ok(texts(value)));
        }

        #[test]
        fn a_number_with_any_digits_survives(
            text in "-?(0|[1-9][0-9]{0,60})(\\.[0-9]{1,60})?([eE][+-]?[0-9]{1,4})?",
        ) {
            prop_assert_eq!(again(text.as_bytes()), Ok(Value::String(text)));
        }

        #[test]
        fn no_bytes_are_taken_that_another_reader_refuses(bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            "[\\[\\]{},:\"\\\\u0-9a-f.eE+ntrl -]{0,30}".prop_map(String::into_bytes),
        ]) {
            let other = serde_json::from_slice::<Value>(&bytes);
            if let Ok(ours) = again(&bytes) {
                // Numbers beyond a float, and half pairs, are no mistake of form.
                let reason = other.as_ref().err().map(ToString::to_string).unwrap_or_default();
                prop_assert!(other.is_ok() || reason.contains("out of range") || reason.contains("surrogate")
                    || reason.contains("hex escape"), "{ours}: {reason}");
            } else {
                prop_assert!(other.is_err(), "{other:?}");
            }
        }
    }

    #[test]
    fn each_way_to_be_no_json_has_its_name() {
        assert_eq!(again(b"[1,").unwrap_err(), BodyError::Truncated);
        assert_eq!(again(b"{\"a\": tru").unwrap_err(), BodyError::Truncated);
        assert_eq!(again(b"\"\\u12").unwrap_err(), BodyError::Truncated);
        assert_eq!(again(b"\"\xe2\x82").unwrap_err(), BodyError::Truncated);
        assert_eq!(again(b"\"M\xfcnchen\"").unwrap_err(), BodyError::Charset(2));
        assert_eq!(again(b"<html>").unwrap_err(), BodyError::NotJson(0));
        assert_eq!(again(b"NaN").unwrap_err(), BodyError::NotJson(0));
        assert_eq!(again(b"[1] [2]").unwrap_err(), BodyError::NotJson(4));
        assert_eq!(again(b"01").unwrap_err(), BodyError::NotJson(1));
        assert_eq!(
            again("[".repeat(100_000).as_bytes()).unwrap_err(),
            BodyError::TooDeep
        );
        let many = format!("[{}0]", "0,".repeat(MAX_VALUES));
        assert_eq!(again(many.as_bytes()).unwrap_err(), BodyError::TooMany);
        assert_eq!(
            again(&vec![b' '; MAX_BYTES + 1]).unwrap_err(),
            BodyError::TooLong
        );
        assert_eq!(again(b"\xef\xbb\xbf[]").unwrap(), serde_json::json!([]));
    }
}
