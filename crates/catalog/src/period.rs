//! A length of time as providers write it: `1 minute`, `30 days`, `1 month`.
//!
//! Why not a duration: a month has no fixed length, and a window of a calendar day is not one of
//! 24 hours on the day the clocks change. Not here: arithmetic; the room that rations knows the zone.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The unit of a [`Period`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// 1 second.
    Second,
    /// 60 seconds.
    Minute,
    /// 60 minutes.
    Hour,
    /// A day; of the calendar where a window says when it resets, else 24 hours.
    Day,
    /// Seven days.
    Week,
    /// A month of the calendar.
    Month,
    /// A year of the calendar.
    Year,
}

impl Unit {
    /// Every unit, shortest first.
    pub const ALL: [Self; 7] = [
        Self::Second,
        Self::Minute,
        Self::Hour,
        Self::Day,
        Self::Week,
        Self::Month,
        Self::Year,
    ];

    /// Returns the singular word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
        }
    }
}

/// So many of one unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Period {
    /// How many; 0 parses, so that the lint can name the place.
    pub count: u32,
    /// Of what.
    pub unit: Unit,
}

/// Text that is not a period.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a period such as `1 minute` or `30 days`; units are second, minute, hour, day, week, month, year"
)]
pub struct PeriodError(String);

impl Period {
    /// Builds a period.
    pub const fn new(count: u32, unit: Unit) -> Self {
        Self { count, unit }
    }
}

impl FromStr for Period {
    type Err = PeriodError;

    fn from_str(text: &str) -> Result<Self, PeriodError> {
        let error = || PeriodError(text.to_owned());
        let (count, unit) = text.split_once(' ').ok_or_else(error)?;
        // `u32::from_str` takes a plus sign, which would not read back as written.
        if !count.bytes().all(|b| b.is_ascii_digit()) {
            return Err(error());
        }
        let count = count.parse().ok().ok_or_else(error)?;
        let singular = unit.strip_suffix('s').unwrap_or(unit);
        let unit = Unit::ALL
            .into_iter()
            .find(|unit| unit.as_str() == singular)
            .ok_or_else(error)?;
        Ok(Self { count, unit })
    }
}

impl TryFrom<String> for Period {
    type Error = PeriodError;

    fn try_from(text: String) -> Result<Self, PeriodError> {
        text.parse()
    }
}

impl From<Period> for String {
    fn from(period: Period) -> Self {
        period.to_string()
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.count == 1 { "" } else { "s" };
        write!(f, "{} {}{plural}", self.count, self.unit.as_str())
    }
}

impl schemars::JsonSchema for Period {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Period".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "A length of time: `1 minute`, `30 days`, `1 month`.",
            "pattern": "^[0-9]+ (second|minute|hour|day|week|month|year)s?$"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_period_reads_back_what_it_writes(count: u32, unit in 0..7_usize) {
            let period = Period::new(count, Unit::ALL[unit]);
            prop_assert_eq!(period.to_string().parse(), Ok(period));
        }
    }

    #[test]
    fn a_bare_number_or_an_unknown_unit_is_refused() {
        for text in ["60", "1m", "1 fortnight", "+1 day", "-1 day", "a day", ""] {
            assert!(text.parse::<Period>().is_err(), "{text:?}");
        }
    }
}
