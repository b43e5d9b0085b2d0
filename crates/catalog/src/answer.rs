//! What an answer looks like: its rows, stamps, numbers, what is final, and how success is recognised.
//!
//! Why by the expected data: providers refuse with status 200 and reword the refusal from year to year;
//! only the data itself proves that there is data. Not here: turning an answer into bars.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::basis::Basis;
use crate::mapping::Body;
use crate::period::Period;
use crate::plan::ClockTime;
use crate::pointer::Pointer;

/// `[endpoint.answer]`: facts about the rows that come back. What is unknown is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Answer {
    /// How many rows come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<Rows>,
    /// How long a span can be, and how far back, where that depends on the interval or is bounded.
    #[serde(rename = "span", skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<SpanBound>,
    /// Which row comes first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sort: Option<RowSort>,
    /// How numbers are written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub numbers: Option<Numbers>,
    /// What a row's time says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<RowTime>,
    /// How prices are adjusted unless asked otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adjustment: Option<Adjustment>,
    /// Which feed the rows come from unless asked otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feed: Option<String>,
    /// When a bar no longer changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finality: Option<Finality>,
    /// Where the facts come from. Default: the endpoint's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
}

/// How many rows one answer has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rows {
    /// At most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
    /// Unless asked otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<u32>,
    /// What the limit counts. Default: rows of the answer.
    pub counts: RowCount,
}

/// What a limit on rows counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RowCount {
    /// Rows of the answer.
    #[default]
    Rows,
    /// The minute or day bars that the rows are made of, so fewer rows come than asked for.
    BaseBars,
    /// Rows of all symbols together.
    AllSymbols,
}

/// A bound on the span of one call, or on how far back it may begin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SpanBound {
    /// Values of the interval that it holds for. Default: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub intervals: Vec<String>,
    /// Longest span of one call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<Period>,
    /// How far back data can be had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub back: Option<Period>,
}

impl SpanBound {
    /// Tells whether it holds for that value of the interval.
    pub fn holds_for(&self, interval: &str) -> bool {
        self.intervals.is_empty() || self.intervals.iter().any(|known| known == interval)
    }
}

/// Which row comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RowSort {
    /// Oldest first.
    OldestFirst,
    /// Newest first.
    NewestFirst,
}

impl RowSort {
    /// Returns the words for a sentence.
    pub const fn as_words(self) -> &'static str {
        match self {
            Self::OldestFirst => "oldest first",
            Self::NewestFirst => "newest first",
        }
    }
}

/// How numbers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Numbers {
    /// JSON numbers.
    Numbers,
    /// Text with a decimal in it.
    Strings,
    /// Some of both.
    Mixed,
}

impl Numbers {
    /// Returns the words for a sentence.
    pub const fn as_words(self) -> &'static str {
        match self {
            Self::Numbers => "JSON numbers",
            Self::Strings => "decimal strings",
            Self::Mixed => "some JSON numbers, some decimal strings",
        }
    }
}

/// What a row's time says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RowTime {
    /// Which moment is meant.
    pub means: Moment,
    /// How it is written.
    pub form: TimeForm,
    /// Zone of a local time or date: `exchange`, `answer` when the answer says it, or an IANA name.
    /// Default UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// What a reader should know about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Which moment a row's time means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// Start of the bar.
    Start,
    /// End of the bar.
    End,
    /// Both are in the row.
    StartAndEnd,
    /// When it happened: a trade, a quote, an article.
    Event,
}

impl Moment {
    /// Returns the words for a sentence.
    pub const fn as_words(self) -> &'static str {
        match self {
            Self::Start => "start of the bar",
            Self::End => "end of the bar",
            Self::StartAndEnd => "start and end of the bar",
            Self::Event => "when it happened",
        }
    }
}

/// How a time is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimeForm {
    /// Seconds since 1970.
    EpochSeconds,
    /// Milliseconds since 1970.
    EpochMillis,
    /// Nanoseconds since 1970.
    EpochNanos,
    /// RFC 3339 with an offset or `Z`.
    Rfc3339,
    /// Date and time of day without an offset.
    LocalDateTime,
    /// `20240131T1530`.
    CompactDateTime,
    /// `2024-01-31`.
    Date,
    /// `2024-01`.
    Month,
    /// A date, or milliseconds since 1970.
    DateOrEpochMillis,
    /// A date, or a date and time of day.
    DateOrDateTime,
}

impl TimeForm {
    /// Returns the words for a sentence.
    pub const fn as_words(self) -> &'static str {
        match self {
            Self::EpochSeconds => "epoch seconds",
            Self::EpochMillis => "epoch milliseconds",
            Self::EpochNanos => "epoch nanoseconds",
            Self::Rfc3339 => "RFC 3339",
            Self::LocalDateTime => "local date and time",
            Self::CompactDateTime => "YYYYMMDDTHHMM",
            Self::Date => "date",
            Self::Month => "month",
            Self::DateOrEpochMillis => "date or epoch milliseconds",
            Self::DateOrDateTime => "date, or date and time",
        }
    }
}

/// How prices are adjusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Adjustment {
    /// As traded.
    None,
    /// For splits.
    Splits,
    /// For splits and dividends.
    SplitsAndDividends,
    /// The answer has raw and adjusted fields.
    Both,
}

impl Adjustment {
    /// Returns the words for a sentence.
    pub const fn as_words(self) -> &'static str {
        match self {
            Self::None => "not adjusted",
            Self::Splits => "adjusted for splits",
            Self::SplitsAndDividends => "adjusted for splits and dividends",
            Self::Both => "raw and adjusted fields",
        }
    }
}

/// When a bar no longer changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Finality {
    /// Whether the newest bar of an answer is still being made.
    pub last_bar: LastBar,
    /// Time of day until which the day's bar may still be corrected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrected_until: Option<ClockTime>,
    /// Zone of `corrected_until`, an IANA name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// How long after its end a bar may still change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settles: Option<Period>,
    /// What a reader should know about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Whether the newest bar of an answer is still being made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LastBar {
    /// It is closed.
    Closed,
    /// It may be open: the clock decides.
    MayBeOpen,
    /// It is always open.
    AlwaysOpen,
}

impl LastBar {
    /// Returns the words for a sentence.
    pub const fn as_words(self) -> &'static str {
        match self {
            Self::Closed => "is closed",
            Self::MayBeOpen => "may still be open",
            Self::AlwaysOpen => "is always open",
        }
    }
}

/// `success = { … }`: what a good answer has. All of it must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Success {
    /// Places where a value must stand. An empty pointer is the answer as a whole.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub present: Vec<Pointer>,
    /// Places of which one must have a value. Default: no such choice.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub any: Vec<Pointer>,
    /// Form of the answer as a whole. Default: an object.
    pub shape: Shape,
    /// Places that must hold an empty list or nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub empty: Vec<Pointer>,
}

/// Form of an answer as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// An object.
    #[default]
    Object,
    /// A list.
    Array,
    /// Either.
    Any,
}

impl Success {
    /// Tells whether `answer` has what a good one has.
    pub fn holds(&self, answer: &Value) -> bool {
        let shape = match self.shape {
            Shape::Object => answer.is_object(),
            Shape::Array => answer.is_array(),
            Shape::Any => answer.is_object() || answer.is_array(),
        };
        shape
            && self
                .present
                .iter()
                .all(|place| place.first(answer).is_some())
            && (self.any.is_empty() || self.any.iter().any(|place| place.first(answer).is_some()))
            && self.empty.iter().all(|place| {
                place.first(answer).is_none_or(|value| match value {
                    Value::Null => true,
                    Value::Array(items) => items.is_empty(),
                    Value::Object(members) => members.is_empty(),
                    Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
                })
            })
    }

    /// Tells whether `answer` has what a good one has; the same as [`Self::holds`].
    pub fn holds_in(&self, answer: &Body) -> bool {
        let shape = match self.shape {
            Shape::Object => answer.is_object(),
            Shape::Array => answer.is_array(),
            Shape::Any => answer.is_object() || answer.is_array(),
        };
        shape
            && self.present.iter().all(|place| answer.has(place))
            && (self.any.is_empty() || self.any.iter().any(|place| answer.has(place)))
            && self.empty.iter().all(|place| answer.is_empty_at(place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn success_is_the_data_that_is_there() {
        let success = Success {
            present: vec![Pointer::try_from("/result/*".to_owned()).unwrap()],
            any: Vec::new(),
            shape: Shape::Object,
            empty: vec![Pointer::try_from("/error".to_owned()).unwrap()],
        };
        assert!(success.holds(&json!({ "error": [], "result": { "XXBTZUSD": [] } })));
        assert!(!success.holds(&json!({ "error": ["EAPI:Rate limit exceeded"] })));
        assert!(!success.holds(&json!({ "error": ["E"], "result": { "XXBTZUSD": [] } })));
        assert!(!success.holds(&json!([])));
    }

    #[test]
    fn both_readers_of_an_answer_agree_on_success() {
        let success = |text: &str| serde_json::from_str::<Success>(text).unwrap();
        let tests = [
            success("{\"present\":[\"/result/*\"],\"empty\":[\"/error\"]}"),
            success("{\"any\":[\"/a\",\"/*/b\"]}"),
            success("{\"shape\":\"array\",\"present\":[\"\"]}"),
            success("{\"shape\":\"any\",\"any\":[\"/0/a\",\"/Time (*)\"]}"),
        ];
        for answer in [
            "{\"error\":[],\"result\":{\"X\":null}}",
            "{\"error\":[\"E\"],\"result\":{\"X\":[]}}",
            "{\"error\":0,\"result\":{\"X\":[]}}",
            "{\"a\":null}",
            "{\"x\":{\"b\":1}}",
            "[]",
            "[{\"a\":1}]",
            "{\"Time (5min)\":{}}",
            "\"a\"",
            "null",
        ] {
            let body = Body::read(answer.as_bytes()).unwrap();
            let value = serde_json::from_str(answer).unwrap();
            for test in &tests {
                assert_eq!(test.holds_in(&body), test.holds(&value), "{answer}");
            }
        }
    }
}
