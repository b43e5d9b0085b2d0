//! When a fixed window begins anew, by the clock of whoever counts.
//!
//! Why apart: a day of the calendar is not 24 hours and a minute of the clock begins with the clock of
//! the server, not with ours. Not here: how well that clock is known ([`crate::server_clock`]).

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use tradewind_catalog::period::{Period, Unit};
use tradewind_catalog::plan::Reset;

/// Microseconds in a second.
pub(crate) const SECOND_US: i64 = 1_000_000;
/// Microseconds in an hour.
pub(crate) const HOUR_US: i64 = 3_600 * SECOND_US;

/// The moments at which a fixed window begins anew.
#[derive(Clone, Debug, PartialEq)]
pub enum Boundary {
    /// At the multiples of this many microseconds since 1970.
    Every(i64),
    /// At a time of day, each day.
    Daily(Time, TimeZone),
    /// At a time of the first day of each month.
    Monthly(Time, TimeZone),
}

impl Boundary {
    /// Reads when a window of this length begins anew. `None` where that leaves a choice, as which of two
    /// days begins a window of two: the strictest reading holds then.
    pub fn of(per: Period, reset: &Reset) -> Option<Self> {
        let zone = || TimeZone::get(&reset.zone).ok();
        match (per.unit, per.count) {
            (Unit::Second | Unit::Minute | Unit::Hour, count) if count > 0 => {
                Some(Self::Every(longest_us(per)))
            }
            (Unit::Day, 1) => Some(Self::Daily(reset.at.0, zone()?)),
            (Unit::Month, 1) => Some(Self::Monthly(reset.at.0, zone()?)),
            _ => None,
        }
    }

    /// Returns the last boundary at or before `at_us` and the first one after it, in microseconds since
    /// 1970; `None` at the ends of time.
    pub(crate) fn around(&self, at_us: i64) -> Option<(i64, i64)> {
        match self {
            Self::Every(length_us) => {
                let before = at_us.div_euclid(*length_us).checked_mul(*length_us)?;
                Some((before, before.checked_add(*length_us)?))
            }
            Self::Daily(time, zone) => around(at_us, zone, |date| {
                Some((date, date.checked_add(1.day()).ok()?))
            })
            .or_else_earlier(at_us, *time, zone, |date| date.checked_sub(1.day()).ok()),
            Self::Monthly(time, zone) => around(at_us, zone, |date| {
                let first = date.first_of_month();
                Some((first, first.checked_add(1.month()).ok()?))
            })
            .or_else_earlier(at_us, *time, zone, |first| {
                first.checked_sub(1.month()).ok()
            }),
        }
    }
}

/// The dates of two boundaries, of which the first may turn out to lie after the moment asked for.
struct Dates(Option<(Date, Date)>);

fn around(at_us: i64, zone: &TimeZone, dates: impl Fn(Date) -> Option<(Date, Date)>) -> Dates {
    let date = Timestamp::from_microsecond(at_us)
        .ok()
        .map(|at| zone.to_datetime(at).date());
    Dates(date.and_then(dates))
}

impl Dates {
    fn or_else_earlier(
        self,
        at_us: i64,
        time: Time,
        zone: &TimeZone,
        earlier: impl Fn(Date) -> Option<Date>,
    ) -> Option<(i64, i64)> {
        let moment = |date: Date| -> Option<i64> {
            let zoned = date.to_datetime(time).to_zoned(zone.clone()).ok()?;
            Some(zoned.timestamp().as_microsecond())
        };
        let (this, next) = self.0?;
        let begins = moment(this)?;
        if begins <= at_us {
            Some((begins, moment(next)?))
        } else {
            Some((moment(earlier(this)?)?, begins))
        }
    }
}

/// Returns the longest time that a period may be, in microseconds; at least 1.
///
/// A day is 24 hours, as the catalog says; a month has 31 of them and a year 366.
pub(crate) fn longest_us(per: Period) -> i64 {
    let day = 24 * HOUR_US;
    let unit = match per.unit {
        Unit::Second => SECOND_US,
        Unit::Minute => 60 * SECOND_US,
        Unit::Hour => HOUR_US,
        Unit::Day => day,
        Unit::Week => 7 * day,
        Unit::Month => 31 * day,
        Unit::Year => 366 * day,
    };
    i64::from(per.count.max(1)).saturating_mul(unit)
}

#[cfg(test)]
mod tests {
    use tradewind_catalog::plan::ClockTime;

    use super::*;

    fn us(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_microsecond()
    }

    fn boundary(per: &str, at: &str, zone: &str) -> Boundary {
        let reset = Reset {
            at: ClockTime::try_from(at.to_owned()).unwrap(),
            zone: zone.to_owned(),
        };
        Boundary::of(per.parse().unwrap(), &reset).unwrap()
    }

    #[test]
    fn a_day_begins_at_its_time_in_its_zone_also_when_the_clocks_change() {
        let day = boundary("1 day", "00:00", "America/New_York");
        assert_eq!(
            day.around(us("2026-03-08T12:00:00Z")).unwrap(),
            (us("2026-03-08T05:00:00Z"), us("2026-03-09T04:00:00Z"))
        );
        let late = boundary("1 day", "17:30", "UTC");
        assert_eq!(
            late.around(us("2026-03-08T17:29:59Z")).unwrap(),
            (us("2026-03-07T17:30:00Z"), us("2026-03-08T17:30:00Z"))
        );
        assert_eq!(
            late.around(us("2026-03-08T17:30:00Z")).unwrap().0,
            us("2026-03-08T17:30:00Z")
        );
    }

    #[test]
    fn a_month_begins_with_its_first_day() {
        let month = boundary("1 month", "00:00", "UTC");
        assert_eq!(
            month.around(us("2028-02-29T23:00:00Z")).unwrap(),
            (us("2028-02-01T00:00:00Z"), us("2028-03-01T00:00:00Z"))
        );
    }

    #[test]
    fn a_short_window_begins_with_the_clock_whatever_time_of_day_is_said() {
        let minutes = boundary("5 minutes", "03:07", "Europe/Zurich");
        assert_eq!(
            minutes.around(us("2026-03-08T12:04:59Z")).unwrap(),
            (us("2026-03-08T12:00:00Z"), us("2026-03-08T12:05:00Z"))
        );
    }

    #[test]
    fn what_leaves_a_choice_has_no_boundary() {
        let reset = Reset {
            at: ClockTime::try_from("00:00".to_owned()).unwrap(),
            zone: "UTC".to_owned(),
        };
        for per in ["2 days", "1 week", "3 months"] {
            assert_eq!(Boundary::of(per.parse().unwrap(), &reset), None, "{per}");
        }
    }
}
