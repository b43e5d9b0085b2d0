//! How values stand on the wire: JSON with exact numbers and keys in their order, times in their forms.
//!
//! Why not `serde_json::Value`: it sorts keys and turns prices into floats. Here a number is its digits.
//! Not here: which value stands where (the providers).

use std::fmt::{self, Write as _};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;

/// A JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    /// Digits as they shall stand; no quotes.
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// Builds an object with its keys in the order given.
macro_rules! object {
    ($($key:expr => $value:expr),* $(,)?) => {
        $crate::wire::Json::Object(vec![$(($key.to_string(), $crate::wire::Json::from($value))),*])
    };
}

/// Builds a list of unlike values.
macro_rules! list {
    ($($value:expr),* $(,)?) => {
        $crate::wire::Json::List(vec![$($crate::wire::Json::from($value)),*])
    };
}

pub(crate) use {list, object};

impl Json {
    /// Adds a member at the end of an object; does nothing to another value.
    #[must_use]
    pub(crate) fn with(mut self, key: &str, value: impl Into<Self>) -> Self {
        if let Self::Object(members) = &mut self {
            members.push((key.to_owned(), value.into()));
        }
        self
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Json {
    fn from(value: i64) -> Self {
        Self::Number(value.to_string())
    }
}

impl From<i128> for Json {
    fn from(value: i128) -> Self {
        Self::Number(value.to_string())
    }
}

impl From<usize> for Json {
    fn from(value: usize) -> Self {
        Self::Number(value.to_string())
    }
}

/// A price as a number, without zeros at the end.
impl From<Decimal> for Json {
    fn from(value: Decimal) -> Self {
        Self::Number(value.normalize().to_string())
    }
}

impl From<Vec<Json>> for Json {
    fn from(values: Vec<Json>) -> Self {
        Self::List(values)
    }
}

impl<T: Into<Json>> From<Option<T>> for Json {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(digits) => f.write_str(digits),
            Self::Text(text) => quoted(f, text),
            Self::List(values) => {
                f.write_char('[')?;
                for (place, value) in values.iter().enumerate() {
                    if place > 0 {
                        f.write_char(',')?;
                    }
                    write!(f, "{value}")?;
                }
                f.write_char(']')
            }
            Self::Object(members) => {
                f.write_char('{')?;
                for (place, (key, value)) in members.iter().enumerate() {
                    if place > 0 {
                        f.write_char(',')?;
                    }
                    quoted(f, key)?;
                    write!(f, ":{value}")?;
                }
                f.write_char('}')
            }
        }
    }
}

fn quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}

/// Writes a number as text with exactly `digits` digits after the point.
pub(crate) fn fixed(value: Decimal, digits: u32) -> String {
    let mut value = value.round_dp(digits);
    value.rescale(digits);
    value.to_string()
}

/// Writes a number as JSON with a point even when it is whole: `1.0`.
pub(crate) fn pointed(value: Decimal) -> Json {
    let text = value.normalize().to_string();
    Json::Number(if text.contains('.') {
        text
    } else {
        format!("{text}.0")
    })
}

/// Writes a moment as RFC 3339 in UTC, with only as many digits of a second as it has.
pub(crate) fn rfc3339(ns: i128) -> String {
    Timestamp::from_nanosecond(ns)
        .map(|at| at.to_string())
        .unwrap_or_default()
}

/// Writes seconds since 1970 in UTC by a pattern.
pub(crate) fn utc(second: i64, pattern: &str) -> String {
    written(second, pattern, &TimeZone::UTC)
}

/// Writes seconds since 1970 in `zone` by a pattern.
pub(crate) fn written(second: i64, pattern: &str, zone: &TimeZone) -> String {
    Timestamp::from_second(second)
        .map(|at| at.to_zoned(zone.clone()).strftime(pattern).to_string())
        .unwrap_or_default()
}

/// Reads a date or a date with a time. A date is midnight in `zone`; a time without an offset is in
/// `zone` too. Nanoseconds since 1970.
pub(crate) fn read_time(text: &str, zone: &TimeZone) -> Option<i128> {
    let text = text.trim();
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at.as_nanosecond());
    }
    let local = if text.len() == 10 {
        text.parse::<Date>().ok()?.at(0, 0, 0, 0)
    } else {
        text.replace(' ', "T")
            .parse::<jiff::civil::DateTime>()
            .ok()?
    };
    let zoned = local.to_zoned(zone.clone()).ok()?;
    Some(zoned.timestamp().as_nanosecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_digits_and_keys_their_order() {
        let json = object! {
            "z" => Decimal::new(17_400, 2),
            "a" => Decimal::new(-5, 3),
            "t" => "a\"b\n",
            "n" => Json::Null,
            "l" => list![1_i64, "x", true],
        };
        assert_eq!(
            json.to_string(),
            r#"{"z":174,"a":-0.005,"t":"a\"b\n","n":null,"l":[1,"x",true]}"#
        );
        assert_eq!(fixed(Decimal::new(435, 1), 8), "43.50000000");
        assert_eq!(pointed(Decimal::new(1, 0)).to_string(), "1.0");
    }

    #[test]
    fn a_bare_date_is_midnight_in_the_zone() {
        let zone = TimeZone::get("America/New_York").unwrap();
        for (text, expected) in [
            ("2005-04-01", "2005-04-01T05:00:00Z"),
            ("2005-04-04 09:30:00", "2005-04-04T13:30:00Z"),
            ("2005-04-04T09:30:00Z", "2005-04-04T09:30:00Z"),
            ("2005-04-04T09:30:00-04:00", "2005-04-04T13:30:00Z"),
        ] {
            assert_eq!(rfc3339(read_time(text, &zone).unwrap()), expected);
        }
        assert_eq!(read_time("yesterday", &zone), None);
    }
}
