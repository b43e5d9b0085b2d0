//! The length of a bar, as callers write it: `1m`, `15m`, `1h`, `1d`, `1w`, `1mo`.
//!
//! Why closed: `1M` is a month at one provider and a minute at the next; here each length has one
//! spelling, and `60m` is read as the `1h` that it is. Not here: when bars begin (the room `market`).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The length of a bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Interval {
    /// So many seconds, 1 to 30, a divisor of a minute.
    Seconds(u8),
    /// So many minutes, 1 to 30, a divisor of an hour.
    Minutes(u8),
    /// So many hours, 1 to 12, a divisor of a day.
    Hours(u8),
    /// A trading day of the venue.
    Day,
    /// From Monday to Sunday.
    Week,
    /// A month of the calendar.
    Month,
}

/// Text that is no interval.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not an interval; there are seconds that divide a minute (`5s`), minutes that divide an hour (`15m`), hours that divide a day (`4h`), `1d`, `1w` and `1mo`"
)]
pub struct IntervalError(String);

impl Interval {
    /// Returns its length in seconds; `None` for those whose length depends on the calendar.
    pub const fn seconds(self) -> Option<i64> {
        match self {
            Self::Seconds(count) => Some(count as i64),
            Self::Minutes(count) => Some(count as i64 * 60),
            Self::Hours(count) => Some(count as i64 * 3_600),
            Self::Day | Self::Week | Self::Month => None,
        }
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seconds(count) => write!(f, "{count}s"),
            Self::Minutes(count) => write!(f, "{count}m"),
            Self::Hours(count) => write!(f, "{count}h"),
            Self::Day => f.write_str("1d"),
            Self::Week => f.write_str("1w"),
            Self::Month => f.write_str("1mo"),
        }
    }
}

impl FromStr for Interval {
    type Err = IntervalError;

    fn from_str(text: &str) -> Result<Self, IntervalError> {
        let error = || IntervalError(text.chars().take(40).collect());
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (count, unit) = text.split_at(digits);
        // A leading zero or a plus would be a second spelling.
        let count: u32 = match count.parse() {
            Ok(count) if count > 0 && !text.starts_with('0') && digits <= 6 => count,
            Ok(_) | Err(_) => return Err(error()),
        };
        let seconds = match unit {
            "s" => count,
            "m" => count * 60,
            "h" => count * 3_600,
            "d" if count == 1 => return Ok(Self::Day),
            "w" | "wk" if count == 1 => return Ok(Self::Week),
            "mo" if count == 1 => return Ok(Self::Month),
            _ => return Err(error()),
        };
        let whole = |size: u32, of: u32| {
            let fits = seconds.is_multiple_of(size) && of.is_multiple_of(seconds) && seconds < of;
            u8::try_from(seconds / size).ok().filter(|_| fits)
        };
        whole(1, 60)
            .map(Self::Seconds)
            .or_else(|| whole(60, 3_600).map(Self::Minutes))
            .or_else(|| whole(3_600, 86_400).map(Self::Hours))
            .ok_or_else(error)
    }
}

impl TryFrom<String> for Interval {
    type Error = IntervalError;

    fn try_from(text: String) -> Result<Self, IntervalError> {
        text.parse()
    }
}

impl From<Interval> for String {
    fn from(interval: Interval) -> Self {
        interval.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_length_has_one_spelling() {
        for (text, canonical) in [
            ("1s", "1s"),
            ("60s", "1m"),
            ("1m", "1m"),
            ("60m", "1h"),
            ("120m", "2h"),
            ("4h", "4h"),
            ("1d", "1d"),
            ("1wk", "1w"),
            ("1mo", "1mo"),
        ] {
            let interval: Interval = text.parse().unwrap();
            assert_eq!(interval.to_string(), canonical);
            assert_eq!(canonical.parse::<Interval>().unwrap(), interval);
        }
    }

    #[test]
    fn what_fits_no_hour_or_day_is_refused() {
        for text in [
            "",
            "m",
            "0m",
            "01m",
            "+1m",
            "7m",
            "45m",
            "5h",
            "24h",
            "2d",
            "1M",
            "1 m",
            "1D",
            "-1m",
            "99999999999m",
            "1.5h",
            "1mon",
        ] {
            assert!(text.parse::<Interval>().is_err(), "{text:?}");
        }
    }
}
