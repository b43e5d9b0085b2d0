//! Dates of HTTP (RFC 9110 §5.6.7): the form that is written today and the two that are obsolete.
//!
//! Why strict: a date that is almost right is a date in the past to a cache, so a lax reader would reuse what its
//! peers do not. Names of days and months are taken in any case. Not here: what a date means.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const DAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

/// Reads a date; `now` decides on the century of two digits. `None` when it is none.
pub fn parse(text: &str, now: Timestamp) -> Option<Timestamp> {
    let text = text.trim_matches([' ', '\t']);
    let parts: Vec<&str> = text.split(' ').collect();
    match parts.as_slice() {
        // Sun, 06 Nov 1994 08:49:37 GMT
        [day, date, month, year, time, zone] if day.ends_with(',') => {
            is_day(day.trim_end_matches(','), 3)?;
            is_gmt(zone)?;
            stamp(number(year, 4)?, month, number(date, 2)?, time)
        }
        // Sunday, 06-Nov-94 08:49:37 GMT
        [day, date, time, zone] if day.ends_with(',') => {
            is_day(day.trim_end_matches(','), 9)?;
            is_gmt(zone)?;
            let [date, month, year]: [&str; 3] =
                date.split('-').collect::<Vec<_>>().try_into().ok()?;
            let this_year = now.to_zoned(TimeZone::UTC).year();
            let mut year = this_year - this_year % 100 + number(year, 2)?;
            if year > this_year + 50 {
                year -= 100;
            }
            stamp(year, month, number(date, 2)?, time)
        }
        // Sun Nov  6 08:49:37 1994
        [day, month, "", date, time, year] => {
            is_day(day, 3)?;
            stamp(number(year, 4)?, month, number(date, 1)?, time)
        }
        [day, month, date, time, year] => {
            is_day(day, 3)?;
            stamp(number(year, 4)?, month, number(date, 2)?, time)
        }
        _ => None,
    }
}

fn is_day(name: &str, max_letters: usize) -> Option<()> {
    let name = name.to_ascii_lowercase();
    let fits = |day: &str| match max_letters {
        3 => day.get(..3) == Some(name.as_str()),
        _ => day == name,
    };
    DAYS.iter().any(|day| fits(day)).then_some(())
}

fn is_gmt(zone: &str) -> Option<()> {
    zone.eq_ignore_ascii_case("gmt").then_some(())
}

fn number(digits: &str, length: usize) -> Option<i16> {
    let fits = digits.len() == length && digits.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| digits.parse().ok()).flatten()
}

fn stamp(year: i16, month: &str, date: i16, time: &str) -> Option<Timestamp> {
    let month = month.to_ascii_lowercase();
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    let [hour, minute, second]: [&str; 3] = time.split(':').collect::<Vec<_>>().try_into().ok()?;
    let small = |digits: &str| i8::try_from(number(digits, 2)?).ok();
    // A leap second is the last one of its minute to everybody else.
    let second = small(second)?.min(59);
    let date = i8::try_from(date).ok()?;
    let month = i8::try_from(month).ok()?;
    let civil = DateTime::new(year, month, date, small(hour)?, small(minute)?, second, 0).ok()?;
    let zoned = civil.to_zoned(TimeZone::UTC).ok()?;
    Some(zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        let now = "2026-11-23T00:00:00Z".parse().unwrap();
        parse(text, now).map(|at| at.to_string())
    }

    #[test]
    fn all_three_forms_are_one_moment() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "SUN, 06 nov 1994 08:49:37 gMT",
        ] {
            assert_eq!(
                read(text).as_deref(),
                Some("1994-11-06T08:49:37Z"),
                "{text}"
            );
        }
        assert_eq!(
            read("Thursday, 18-Aug-50 02:01:18 GMT").as_deref(),
            Some("2050-08-18T02:01:18Z"),
            "two digits mean the century that is less than fifty years ahead"
        );
    }

    #[test]
    fn what_is_almost_a_date_is_none() {
        for text in [
            "",
            "0",
            "-1",
            "Thu, 18 Aug 2050 02:01:18 UTC",
            "Thu, 18 Aug 2050 02:01:18",
            "Thu, 18 Aug 50 02:01:18 GMT",
            "Thu 18 Aug 2050 02:01:18 GMT",
            "Thu, 18  Aug  2050 02:01:18 GMT",
            "Thu, 18-Aug-2050 02:01:18 GMT",
            "Thu, 18 Aug 2050 02.01.18 GMT",
            "Thu, 18 Aug 2050 2:01:18 GMT",
            "Thu, 31 Feb 2050 02:01:18 GMT",
            "Thx, 18 Aug 2050 02:01:18 GMT",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }
}
