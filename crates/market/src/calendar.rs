//! When the stock exchanges of the United States surely do not trade, so that nobody is asked for it.
//!
//! Why only what is sure: a day that is taken for closed and is not would hide bars. So weekends count, and the
//! holidays that the exchanges have published for the years of [`HOLIDAYS`] (hours and calendars of the NYSE,
//! which Nasdaq follows); nights do not, because some venues trade through them. The evening of a day, from 20:00
//! on, belongs to the next day, as trading overnight does.
//! Nothing of it is written down: a bar that a provider has all the same is held like any other.
//! Not here: half days, whose hours providers report anyway.

use std::ops::Range;

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use tradewind_core::Interval;

use crate::grid::{Grid, Key};

/// Years whose holidays are known by rule.
const HOLIDAYS: std::ops::RangeInclusive<i16> = 2000..=2028;
/// The first year of which every Saturday was without trading.
const FIRST_YEAR: i16 = 1953;
/// The zone of the exchanges.
pub(crate) const ZONE: &str = "America/New_York";
/// When an evening begins to belong to the next day.
const EVENING: Time = Time::constant(20, 0, 0, 0);
/// Days in a row that are looked at; no closure was longer since 1933.
const MAX_DAYS: usize = 16;
/// Days of mourning, of storms and of one attack.
const CLOSED: [(i16, i8, i8); 10] = [
    (2001, 9, 11),
    (2001, 9, 12),
    (2001, 9, 13),
    (2001, 9, 14),
    (2004, 6, 11),
    (2007, 1, 2),
    (2012, 10, 29),
    (2012, 10, 30),
    (2018, 12, 5),
    (2025, 1, 9),
];

/// Says whether there surely is no trading on a date.
pub(crate) fn is_closed(date: Date) -> bool {
    if date.year() < FIRST_YEAR {
        return false;
    }
    matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday)
        || (HOLIDAYS.contains(&date.year()) && is_holiday(date))
}

fn is_holiday(date: Date) -> bool {
    let (year, month, day) = (date.year(), date.month(), date.day());
    // The nth of a weekday lies within these days of its month.
    let nth = |weekday, n: i8| date.weekday() == weekday && (7 * n - 6..=7 * n).contains(&day);
    let is_special = CLOSED.contains(&(year, month, day));
    let is_moving = match month {
        1 | 2 => nth(Weekday::Monday, 3),
        5 => date.weekday() == Weekday::Monday && day > 24,
        9 => nth(Weekday::Monday, 1),
        11 => nth(Weekday::Thursday, 4),
        _ => false,
    };
    let is_fixed = match date.weekday() {
        // On a Sunday it is kept on the Monday after, on a Saturday on the Friday before; the new year is not,
        // because that Friday ends the books.
        Weekday::Monday => is_feast(date) || date.yesterday().is_ok_and(is_feast),
        Weekday::Friday => {
            is_feast(date) || (month != 12 || day != 31) && date.tomorrow().is_ok_and(is_feast)
        }
        _ => is_feast(date),
    };
    let is_good_friday = date.tomorrow().and_then(Date::tomorrow).ok() == easter(year);
    is_special || is_moving || is_fixed || is_good_friday
}

/// Says whether a feast with a date of its own falls on this one.
fn is_feast(date: Date) -> bool {
    match (date.month(), date.day()) {
        (1, 1) | (7, 4) | (12, 25) => true,
        (6, 19) => date.year() >= 2022,
        _ => false,
    }
}

/// Returns Easter Sunday by the Gregorian calendar (the algorithm of Meeus, Jones and Butcher).
#[expect(
    clippy::many_single_char_names,
    reason = "the letters of the published algorithm"
)]
fn easter(year: i16) -> Option<Date> {
    let year = i32::from(year);
    let (a, b, c) = (year % 19, year / 100, year % 100);
    let (d, e) = (b / 4, b % 4);
    let g = (b - (b + 8) / 25 + 1) / 3;
    let h = (19 * a + b - d - g + 15) % 30;
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k) % 7;
    let m = (a + 11 * h + 22 * l) / 451;
    let sum = h + l - 7 * m + 114;
    let month = i8::try_from(sum / 31).ok()?;
    let day = i8::try_from(sum % 31 + 1).ok()?;
    Date::new(i16::try_from(year).ok()?, month, day).ok()
}

/// Returns the part of a gap within which there may be bars of a stock; it may be empty.
///
/// Only its ends are cut: what is closed in between costs nothing, because a call covers it anyway.
pub(crate) fn trading(grid: &Grid, gap: Range<Key>) -> Range<Key> {
    let (Some(start), Some(end)) = (grid.start(gap.start), grid.start(gap.end)) else {
        return gap;
    };
    let Ok(zone) = TimeZone::get(ZONE) else {
        return gap;
    };
    let is_daily = grid.interval() == Interval::Day;
    if !is_daily
        && grid
            .interval()
            .seconds()
            .is_none_or(|length| length >= 86_400)
    {
        return gap;
    }
    let opens = after(start, &zone, is_daily);
    if opens >= end {
        return gap.start..gap.start;
    }
    let closes = before(end, &zone, is_daily);
    // The bar that holds the first moment of trading, and the one after that which holds the last.
    let first = grid
        .key(opens)
        .unwrap_or(gap.start)
        .clamp(gap.start, gap.end);
    let last = closes
        .checked_sub(1.nanosecond())
        .ok()
        .and_then(|at| grid.key(at));
    let last = last.map_or(gap.end, |last| last.saturating_add(1));
    first..last.clamp(first, gap.end)
}

/// Returns the part of the day that a moment lies in: its date, and whether it is the evening.
fn part(at: Timestamp, zone: &TimeZone) -> (Date, bool) {
    let local = zone.to_datetime(at);
    (local.date(), local.time() >= EVENING)
}

/// Says whether there is no trading in a part of a day; a daily bar knows no evenings.
fn is_closed_part((date, is_evening): (Date, bool), is_daily: bool) -> bool {
    if is_evening && !is_daily {
        return date.tomorrow().is_ok_and(is_closed);
    }
    is_closed(date)
}

fn at(date: Date, time: Time, zone: &TimeZone) -> Option<Timestamp> {
    let zoned = date.to_datetime(time).to_zoned(zone.clone()).ok()?;
    Some(zoned.timestamp())
}

/// Returns the first moment from `from` on that is not surely without trading.
fn after(from: Timestamp, zone: &TimeZone, is_daily: bool) -> Timestamp {
    let mut now = from;
    for _ in 0..2 * MAX_DAYS {
        let (date, is_evening) = part(now, zone);
        if !is_closed_part((date, is_evening), is_daily) {
            break;
        }
        let next = if is_evening || is_daily {
            date.tomorrow()
                .ok()
                .and_then(|date| at(date, Time::midnight(), zone))
        } else {
            at(date, EVENING, zone)
        };
        let Some(next) = next.filter(|next| *next > now) else {
            break;
        };
        now = next;
    }
    now
}

/// Returns the last moment up to `until` before which there is no time that is surely without trading.
fn before(until: Timestamp, zone: &TimeZone, is_daily: bool) -> Timestamp {
    let mut now = until;
    for _ in 0..2 * MAX_DAYS {
        let Ok(just_before) = now.checked_sub(1.nanosecond()) else {
            break;
        };
        let (date, is_evening) = part(just_before, zone);
        if !is_closed_part((date, is_evening), is_daily) {
            break;
        }
        let time = if is_evening && !is_daily {
            EVENING
        } else {
            Time::midnight()
        };
        let Some(begun) = at(date, time, zone).filter(|begun| *begun < now) else {
            break;
        };
        now = begun;
    }
    now
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn holidays_are_those_that_the_exchange_published() {
        // Hours and calendars of the NYSE for 2021 to 2026, weekends left out.
        let published = [
            (
                2021,
                &[
                    (1, 1),
                    (1, 18),
                    (2, 15),
                    (4, 2),
                    (5, 31),
                    (7, 5),
                    (9, 6),
                    (11, 25),
                    (12, 24),
                ][..],
            ),
            (
                2022,
                &[
                    (1, 17),
                    (2, 21),
                    (4, 15),
                    (5, 30),
                    (6, 20),
                    (7, 4),
                    (9, 5),
                    (11, 24),
                    (12, 26),
                ],
            ),
            (
                2023,
                &[
                    (1, 2),
                    (1, 16),
                    (2, 20),
                    (4, 7),
                    (5, 29),
                    (6, 19),
                    (7, 4),
                    (9, 4),
                    (11, 23),
                    (12, 25),
                ],
            ),
            (
                2025,
                &[
                    (1, 1),
                    (1, 9),
                    (1, 20),
                    (2, 17),
                    (4, 18),
                    (5, 26),
                    (6, 19),
                    (7, 4),
                    (9, 1),
                    (11, 27),
                    (12, 25),
                ],
            ),
            (
                2026,
                &[
                    (1, 1),
                    (1, 19),
                    (2, 16),
                    (4, 3),
                    (5, 25),
                    (6, 19),
                    (7, 3),
                    (9, 7),
                    (11, 26),
                    (12, 25),
                ],
            ),
        ];
        for (year, expected) in published {
            let mut day = date(year, 1, 1);
            let mut found = Vec::new();
            while day.year() == year {
                let is_weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
                if is_closed(day) && !is_weekend {
                    found.push((day.month(), day.day()));
                }
                day = day.tomorrow().unwrap();
            }
            assert_eq!(found, expected, "{year}");
        }
    }

    #[test]
    fn the_sandbox_which_has_rules_of_its_own_trades_on_the_same_days() {
        let sandbox = tradewind_sandbox::Market::new(1).unwrap();
        let listing = sandbox.listing("AAPL").unwrap();
        let mut day = date(2005, 1, 1);
        while day.year() < 2029 {
            // Two days of mourning that the sandbox leaves out.
            let is_known = ![date(2007, 1, 2)].contains(&day);
            if is_known {
                assert_eq!(
                    is_closed(day),
                    sandbox.session(&listing, day).is_none(),
                    "{day}"
                );
            }
            day = day.tomorrow().unwrap();
        }
    }

    fn minutes(start: &str, end: &str) -> (String, String) {
        let zone = TimeZone::get(ZONE).unwrap();
        let grid = Grid::new(Interval::Minutes(1), zone, Time::midnight(), 0).unwrap();
        let moment = |text: &str| text.parse::<Timestamp>().unwrap();
        let left = trading(&grid, grid.keys(moment(start), moment(end)).unwrap());
        let told = |key| grid.start(key).unwrap().to_string();
        (told(left.start), told(left.end))
    }

    #[test]
    fn a_weekend_is_cut_off_and_an_evening_belongs_to_the_next_day() {
        // Friday noon to Sunday noon, in winter: trading may go on until 20:00 in New York.
        let (start, end) = minutes("2024-03-01T17:00:00Z", "2024-03-03T17:00:00Z");
        assert_eq!(
            (&*start, &*end),
            ("2024-03-01T17:00:00Z", "2024-03-02T01:00:00Z")
        );
        // Saturday to Monday over the change of the clocks: trading overnight begins on Sunday evening.
        let (start, end) = minutes("2024-03-09T12:00:00Z", "2024-03-11T15:00:00Z");
        assert_eq!(
            (&*start, &*end),
            ("2024-03-11T00:00:00Z", "2024-03-11T15:00:00Z")
        );
        let (start, end) = minutes("2024-03-02T12:00:00Z", "2024-03-02T13:00:00Z");
        assert_eq!(start, end, "nothing is left of a Saturday");
        // A night of the week may be traded through.
        let (start, end) = minutes("2024-03-05T02:00:00Z", "2024-03-05T03:00:00Z");
        assert_eq!(
            (&*start, &*end),
            ("2024-03-05T02:00:00Z", "2024-03-05T03:00:00Z")
        );
    }
}
