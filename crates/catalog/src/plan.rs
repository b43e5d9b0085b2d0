//! Plans and their limits: how much may be asked in which window, and which headers say what is left.
//!
//! Why: a window has a limit, a length, somebody it is counted for and, sometimes, a clock it resets
//! by; leaving one of them implicit is how bots get banned. Every number is an editable default.
//! Not here: counting.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::basis::Basis;
use crate::period::Period;

/// `[[plan]]`: what a kind of account may do; free ones first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// What endpoints call it; unique in the file.
    pub id: String,
    /// Name that the provider gives it.
    pub title: String,
    /// Whether it costs nothing.
    pub free: bool,
    /// How old data is at least on this plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<Period>,
    /// How far back data goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<Period>,
    /// The limits; all hold at once. None known when empty.
    #[serde(default, rename = "window", skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Window>,
    /// What a reader should know about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Where the facts come from. Default: the provider's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
}

/// `[[plan.window]]`: at most `limit` of something in any `per`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// What counters call it; unique in the plan.
    pub id: String,
    /// What is counted.
    pub counts: Counts,
    /// How many. Not 0: what may not be called at all is not on the plan.
    pub limit: u32,
    /// In how long a time.
    pub per: Period,
    /// For whom it is counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
    /// How the window moves. Unknown when missing; then the strictest reading holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub style: Option<Style>,
    /// Units that may be used at once, in a bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
    /// When a fixed window begins anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resets: Option<Reset>,
    /// Host groups that are counted. Default: those with role data.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on: Vec<String>,
    /// What a reader should know about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Where the facts come from. Default: the plan's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
}

/// What a window counts.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Counts {
    /// Calls, whatever they cost.
    Requests,
    /// Units; a call costs as many as its endpoint says.
    Weight,
    /// Different symbols asked for.
    UniqueSymbols,
}

impl Counts {
    /// Returns the words for so many of them.
    pub const fn as_words(self, count: u32) -> &'static str {
        match (self, count) {
            (Self::Requests, 1) => "request",
            (Self::Requests, _) => "requests",
            (Self::Weight, 1) => "unit of weight",
            (Self::Weight, _) => "units of weight",
            (Self::UniqueSymbols, 1) => "symbol",
            (Self::UniqueSymbols, _) => "different symbols",
        }
    }
}

/// For whom a window is counted.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Each key has its own.
    Key,
    /// Everybody behind one address shares it.
    Address,
}

impl Scope {
    /// Returns the words for a sentence.
    pub const fn as_words(self) -> &'static str {
        match self {
            Self::Key => "per key",
            Self::Address => "per address",
        }
    }
}

/// How a window moves.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Style {
    /// Begins anew at fixed times.
    Fixed,
    /// Any span of that length.
    Sliding,
    /// A bucket that fills steadily.
    Bucket,
}

impl Style {
    /// Returns the words for a sentence.
    pub const fn as_words(self) -> &'static str {
        match self {
            Self::Fixed => "begins anew at fixed times",
            Self::Sliding => "slides",
            Self::Bucket => "is a bucket that refills steadily",
        }
    }
}

/// When a fixed window begins anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reset {
    /// Time of day. A window shorter than a day begins with the second, minute or hour of the clock,
    /// whatever stands here.
    pub at: ClockTime,
    /// Zone of that time, an IANA name.
    pub zone: String,
}

/// A time of day, `HH:MM`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClockTime(pub jiff::civil::Time);

/// Text that is not a time of day.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a time of day such as `17:30`")]
pub struct ClockTimeError(String);

impl TryFrom<String> for ClockTime {
    type Error = ClockTimeError;

    fn try_from(text: String) -> Result<Self, ClockTimeError> {
        let part = |part: &str, below: i8| {
            let digits = part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
            part.parse::<i8>().ok().filter(|n| digits && *n < below)
        };
        text.split_once(':')
            .and_then(|(hour, minute)| Some((part(hour, 24)?, part(minute, 60)?)))
            .map(|(hour, minute)| Self(jiff::civil::time(hour, minute, 0, 0)))
            .ok_or(ClockTimeError(text))
    }
}

impl From<ClockTime> for String {
    fn from(ClockTime(time): ClockTime) -> Self {
        format!("{:02}:{:02}", time.hour(), time.minute())
    }
}

impl JsonSchema for ClockTime {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ClockTime".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "A time of day, `HH:MM`.",
            "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"
        })
    }
}

/// `[[counter]]`: a header in which answers say how much is used or left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Counter {
    /// Name of the header.
    pub header: String,
    /// What its number says.
    pub says: Says,
    /// Id of the window that it is about, on whatever plan. Default: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<String>,
    /// Where the facts come from. Default: the provider's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
}

/// What the number in a counter says.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Says {
    /// The limit.
    Limit,
    /// Units used in this window.
    Used,
    /// Units left in this window.
    Remaining,
    /// Seconds until the window begins anew.
    ResetInSeconds,
    /// When the window begins anew, in seconds since 1970.
    ResetAtEpochSeconds,
    /// When the window begins anew, in a form that is not known.
    Reset,
    /// Seconds to wait before the next call.
    RetryAfterSeconds,
}

impl Says {
    /// Returns the words for a sentence.
    pub const fn as_words(self) -> &'static str {
        match self {
            Self::Limit => "the limit",
            Self::Used => "units used",
            Self::Remaining => "units left",
            Self::ResetInSeconds => "seconds until the window begins anew",
            Self::ResetAtEpochSeconds => "when the window begins anew, in epoch seconds",
            Self::Reset => "when the window begins anew",
            Self::RetryAfterSeconds => "seconds to wait",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_reads_back_and_others_are_refused() {
        for text in ["00:00", "09:05", "23:59"] {
            let time = ClockTime::try_from(text.to_owned()).unwrap();
            assert_eq!(String::from(time), text);
        }
        for text in ["24:00", "9:05", "12:60", "noon", "+1:00", "12:00:00"] {
            assert!(ClockTime::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
