//! When the exchanges in New York are open, and what a day of crypto is.
//!
//! Why rules and not a table: the market goes as far back as anybody asks. Days on which the exchange
//! closed for a storm or a funeral are listed by hand, the newest of them only.
//! Not here: hours before and after the session; the sandbox has none.

use jiff::civil::{Date, Weekday, date};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::MarketError;

/// A span of trading, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// First second.
    pub open: i64,
    /// The second after the last one.
    pub close: i64,
}

/// Days on which the exchange was closed by no rule.
const CLOSED: [Date; 6] = [
    date(2001, 9, 11),
    date(2001, 9, 12),
    date(2012, 10, 29),
    date(2012, 10, 30),
    date(2018, 12, 5),
    date(2025, 1, 9),
];

/// Tells sessions apart from holidays.
#[derive(Clone, Debug)]
pub struct Calendar {
    zone: TimeZone,
}

impl Calendar {
    /// Looks up the zone of New York.
    ///
    /// # Errors
    /// [`MarketError::NoZone`] when the time zone database lacks it.
    pub fn new() -> Result<Self, MarketError> {
        let zone = TimeZone::get("America/New_York").map_err(MarketError::NoZone)?;
        Ok(Self { zone })
    }

    /// Returns the zone of the exchange.
    pub const fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Returns the session of the exchange on `date`; `None` on weekends and holidays.
    pub fn session(&self, date: Date) -> Option<Session> {
        if matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday) || is_holiday(date) {
            return None;
        }
        let close = if is_short(date) { 13 } else { 16 };
        Some(Session {
            open: self.second(date, 9, 30),
            close: self.second(date, close, 0),
        })
    }

    /// Returns midnight of `date` in New York, in seconds since 1970.
    pub fn midnight(&self, date: Date) -> i64 {
        self.second(date, 0, 0)
    }

    fn second(&self, date: Date, hour: i8, minute: i8) -> i64 {
        date.at(hour, minute, 0, 0)
            .to_zoned(self.zone.clone())
            .map_or(end_of_time(date), |at| at.timestamp().as_second())
    }

    /// Returns the date in New York at `second`.
    pub fn date(&self, second: i64) -> Date {
        moment(second).to_zoned(self.zone.clone()).date()
    }

    /// Returns how far New York is from UTC at `second`, in seconds, and how the zone is called then.
    pub fn offset(&self, second: i64) -> (i64, String) {
        let at = Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH);
        let info = self.zone.to_offset_info(at);
        (
            i64::from(info.offset().seconds()),
            info.abbreviation().to_owned(),
        )
    }
}

/// Returns a second beyond all moments, on the side of a date that has none.
fn end_of_time(date: Date) -> i64 {
    let end = i64::MAX / 8;
    if date.year() > 0 { end } else { -end }
}

/// Returns the date in UTC at `second`.
pub(crate) fn utc_date(second: i64) -> Date {
    moment(second).to_zoned(TimeZone::UTC).date()
}

/// Returns the moment at `second`; what lies beyond all time is its end or its begin.
fn moment(second: i64) -> Timestamp {
    let end = if second > 0 {
        Timestamp::MAX
    } else {
        Timestamp::MIN
    };
    Timestamp::from_second(second).unwrap_or(end)
}

/// Returns midnight of `date` in UTC, in seconds since 1970.
pub(crate) fn utc_midnight(date: Date) -> i64 {
    day_number(date) * 86_400
}

/// Returns the days from 1970-01-01 to `date`.
pub(crate) fn day_number(date: Date) -> i64 {
    let epoch = jiff::civil::date(1970, 1, 1);
    epoch.duration_until(date).as_hours() / 24
}

/// Returns the date `days` after `date`, or the last or first date there is.
pub(crate) fn later(date: Date, days: i64) -> Date {
    let span = jiff::Span::new().try_days(days);
    let end = if days > 0 { Date::MAX } else { Date::MIN };
    span.and_then(|span| date.checked_add(span)).unwrap_or(end)
}

fn nth(year: i16, month: i8, nth: i8, weekday: Weekday) -> Option<Date> {
    date(year, month, 1).nth_weekday_of_month(nth, weekday).ok()
}

/// The Friday before Easter, by the rule of Gauss as Meeus gives it.
fn good_friday(year: i16) -> Option<Date> {
    let year_32 = i32::from(year);
    let (golden, century, rest) = (year_32 % 19, year_32 / 100, year_32 % 100);
    let leap = (century - (century + 8) / 25 + 1) / 3;
    let moon = (19 * golden + century - century / 4 - leap + 15) % 30;
    let sunday = (32 + 2 * (century % 4) + 2 * (rest / 4) - moon - rest % 4) % 7;
    let days = moon + sunday - 7 * ((golden + 11 * moon + 22 * sunday) / 451) + 114;
    let (month, day) = (
        i8::try_from(days / 31).ok()?,
        i8::try_from(days % 31 + 1).ok()?,
    );
    let easter = Date::new(year, month, day).ok()?;
    easter.checked_sub(2.days()).ok()
}

/// A fixed holiday moves to the nearest weekday; New Year's Day of a Saturday is not made up for.
fn observed(year: i16, month: i8, day: i8) -> Date {
    let holiday = date(year, month, day);
    match holiday.weekday() {
        Weekday::Saturday if month != 1 => later(holiday, -1),
        Weekday::Sunday => later(holiday, 1),
        _ => holiday,
    }
}

fn is_holiday(day: Date) -> bool {
    let year = day.year();
    let moving = match day.month() {
        1 if year >= 1998 => nth(year, 1, 3, Weekday::Monday),
        2 => nth(year, 2, 3, Weekday::Monday),
        3 | 4 => good_friday(year),
        5 => nth(year, 5, -1, Weekday::Monday),
        9 => nth(year, 9, 1, Weekday::Monday),
        11 => nth(year, 11, 4, Weekday::Thursday),
        _ => None,
    };
    moving == Some(day)
        || day == observed(year, 1, 1)
        || (year >= 2022 && day == observed(year, 6, 19))
        || day == observed(year, 7, 4)
        || day == observed(year, 12, 25)
        || CLOSED.contains(&day)
}

/// The eve of Independence Day and of Christmas, and the day after Thanksgiving end at 13:00.
fn is_short(day: Date) -> bool {
    let after = later(day, -1);
    let thanksgiving = nth(day.year(), 11, 4, Weekday::Thursday);
    let is_eve = |month: i8, next: i8| day.month() == month && day.day() == next - 1;
    (is_eve(7, 4) && day.weekday() != Weekday::Friday)
        || is_eve(12, 25)
        || (day.month() == 11 && thanksgiving == Some(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_of_2024_to_2026_is_that_of_the_exchange() {
        let calendar = Calendar::new().unwrap();
        for (year, holidays) in [
            (
                2024,
                "01-01 01-15 02-19 03-29 05-27 06-19 07-04 09-02 11-28 12-25",
            ),
            (
                2025,
                "01-01 01-09 01-20 02-17 04-18 05-26 06-19 07-04 09-01 11-27 12-25",
            ),
            (
                2026,
                "01-01 01-19 02-16 04-03 05-25 06-19 07-03 09-07 11-26 12-25",
            ),
        ] {
            let mut day = date(year, 1, 1);
            let mut closed = Vec::new();
            while day.year() == year {
                let is_weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
                if !is_weekend && calendar.session(day).is_none() {
                    closed.push(day.strftime("%m-%d").to_string());
                }
                day = later(day, 1);
            }
            assert_eq!(closed.join(" "), holidays, "{year}");
        }
    }

    #[test]
    fn a_short_day_ends_at_13_and_the_offset_moves_with_the_summer() {
        let calendar = Calendar::new().unwrap();
        let hours = |day: Date| {
            let session = calendar.session(day).unwrap();
            (session.close - session.open) / 60
        };
        assert_eq!(hours(date(2025, 7, 3)), 210);
        assert_eq!(hours(date(2025, 11, 28)), 210);
        assert_eq!(hours(date(2025, 12, 24)), 210);
        assert_eq!(hours(date(2025, 12, 26)), 390);
        // The recorded stamps of two day bars, on either side of the change in 2005.
        assert_eq!(calendar.midnight(date(2005, 4, 1)), 1_112_331_600);
        assert_eq!(calendar.midnight(date(2005, 4, 4)), 1_112_587_200);
    }
}
