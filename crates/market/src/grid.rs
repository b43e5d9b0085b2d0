//! Which bars a series can have, and the one key of each.
//!
//! Why keys: providers stamp the same bar in different ways (its start, its end, the last trade of an
//! open day), and a bar that is kept under its raw stamp comes back as a second row. A key is a number;
//! neighbours differ by one; the bar covers `[start, start of the next)`.
//! The boundary of days belongs to the series: a crypto day begins at midnight UTC, a day of an exchange
//! at midnight in its zone, a day of futures the evening before. Not here: holidays and sessions.

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use tradewind_core::Interval;

/// A bar of a series: bars that follow each other have numbers that follow each other.
pub type Key = i64;

/// Monday, from which weeks are counted.
const A_MONDAY: Date = jiff::civil::date(1970, 1, 5);
const EPOCH: Date = jiff::civil::date(1970, 1, 1);

/// The bars that a series can have.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    interval: Interval,
    zone: TimeZone,
    /// Time of day at which a day begins.
    boundary: Time,
    /// The day that is named begins on the evening before.
    is_evening_before: bool,
    /// Seconds that bars shorter than a day are moved from the hour: 1800 for bars from half past nine.
    offset_s: i64,
}

/// Why there is no such grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GridError {
    /// Bars of several hours begin at other times of day in summer than in winter.
    #[error("bars of several hours need days that begin at midnight UTC")]
    HoursInZone,
    /// Bars shorter than a day begin within their own length.
    #[error("an offset lies between 0 and the length of a bar")]
    Offset,
}

impl Grid {
    /// Builds the grid of a venue whose days begin at `boundary` in `zone`; a boundary from noon on means
    /// the evening before the day that is named. `offset_s` moves bars shorter than a day.
    ///
    /// # Errors
    /// [`GridError`] when bars would not follow each other without gap or overlap.
    pub fn new(
        interval: Interval,
        zone: TimeZone,
        boundary: Time,
        offset_s: i64,
    ) -> Result<Self, GridError> {
        let length = interval.seconds();
        if offset_s < 0 || length.map_or(offset_s != 0, |length| offset_s >= length) {
            return Err(GridError::Offset);
        }
        let is_utc = zone == TimeZone::UTC && boundary == Time::midnight();
        if matches!(interval, Interval::Hours(2..)) && !is_utc {
            return Err(GridError::HoursInZone);
        }
        Ok(Self {
            interval,
            zone,
            is_evening_before: boundary.hour() >= 12,
            boundary,
            offset_s,
        })
    }

    /// Builds the grid of a market that never closes.
    pub fn utc(interval: Interval) -> Self {
        Self {
            interval,
            zone: TimeZone::UTC,
            boundary: Time::midnight(),
            is_evening_before: false,
            offset_s: 0,
        }
    }

    /// Returns the interval.
    pub fn interval(&self) -> Interval {
        self.interval
    }

    /// Returns the key of the bar that holds this moment. `None` at the ends of time.
    pub fn key(&self, at: Timestamp) -> Option<Key> {
        if let Some(length) = self.interval.seconds() {
            // Before 1970 whole seconds are cut towards it, which would be the next bar.
            let second = at.as_nanosecond().div_euclid(1_000_000_000);
            return Some((i64::try_from(second).ok()? - self.offset_s).div_euclid(length));
        }
        let local = self.zone.to_datetime(at);
        let mut day = local.date();
        // Compared as moments: where clocks change, a boundary's time of day may not exist or come twice.
        if at < self.midnight(day)? {
            day = day.yesterday().ok()?;
        } else if at >= self.midnight(day.tomorrow().ok()?)? {
            day = day.tomorrow().ok()?;
        }
        Some(match self.interval {
            Interval::Week => days(A_MONDAY, day).div_euclid(7),
            Interval::Month => i64::from(day.year()) * 12 + i64::from(day.month()) - 1,
            Interval::Day | Interval::Seconds(_) | Interval::Minutes(_) | Interval::Hours(_) => {
                days(EPOCH, day)
            }
        })
    }

    /// Returns when the bar begins. `None` at the ends of time.
    pub fn start(&self, key: Key) -> Option<Timestamp> {
        if let Some(length) = self.interval.seconds() {
            let second = key.checked_mul(length)?.checked_add(self.offset_s)?;
            return Timestamp::from_second(second).ok();
        }
        self.midnight(self.date(key)?)
    }

    /// Returns when each of these bars begins, in nanoseconds since 1970; the ends of time where it would lie
    /// beyond them.
    pub fn starts_ns(&self, keys: &[Key]) -> Vec<i64> {
        let nanoseconds = |second: i64| second.saturating_mul(1_000_000_000);
        if let Some(length) = self.interval.seconds() {
            let start =
                |key: &Key| nanoseconds(key.saturating_mul(length).saturating_add(self.offset_s));
            return keys.iter().map(start).collect();
        }
        let start = |key: &Key| {
            self.start(*key)
                .map_or(i64::MIN, |at| nanoseconds(at.as_second()))
        };
        keys.iter().map(start).collect()
    }

    /// Returns the first day of a bar of a day or longer; `None` for shorter ones.
    pub fn date(&self, key: Key) -> Option<Date> {
        match self.interval {
            Interval::Day => after(EPOCH, key),
            Interval::Week => after(A_MONDAY, key.checked_mul(7)?),
            Interval::Month => {
                let year = i16::try_from(key.div_euclid(12)).ok()?;
                let month = i8::try_from(key.rem_euclid(12) + 1).ok()?;
                Date::new(year, month, 1).ok()
            }
            Interval::Seconds(_) | Interval::Minutes(_) | Interval::Hours(_) => None,
        }
    }

    /// Returns the keys of every bar that begins within `[start, end)`.
    pub fn keys(&self, start: Timestamp, end: Timestamp) -> Option<std::ops::Range<Key>> {
        let first = |at: Timestamp| {
            let key = self.key(at)?;
            Some(if self.start(key)? < at { key + 1 } else { key })
        };
        let (from, to) = (first(start)?, first(end)?);
        Some(from..to.max(from))
    }

    /// Returns when a day begins.
    fn midnight(&self, day: Date) -> Option<Timestamp> {
        let date = if self.is_evening_before {
            day.yesterday().ok()?
        } else {
            day
        };
        let zoned = date.to_datetime(self.boundary).to_zoned(self.zone.clone());
        Some(zoned.ok()?.timestamp())
    }
}

fn days(from: Date, to: Date) -> i64 {
    from.until(to).map_or(0, |span| i64::from(span.get_days()))
}

fn after(from: Date, days: i64) -> Option<Date> {
    let span = jiff::Span::new().try_days(days).ok()?;
    from.checked_add(span).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn new_york(interval: Interval) -> Grid {
        let zone = TimeZone::get("America/New_York").unwrap();
        Grid::new(interval, zone, Time::midnight(), 0).unwrap()
    }

    fn grids() -> impl Strategy<Value = Grid> {
        let futures = || {
            let zone = TimeZone::get("America/Chicago").unwrap();
            let evening = jiff::civil::time(17, 0, 0, 0);
            Grid::new(Interval::Day, zone, evening, 0).unwrap()
        };
        let half_past = || {
            let zone = TimeZone::get("America/New_York").unwrap();
            Grid::new(Interval::Hours(1), zone, Time::midnight(), 1_800).unwrap()
        };
        prop_oneof![
            Just(Grid::utc(Interval::Minutes(1))),
            Just(Grid::utc(Interval::Hours(4))),
            Just(Grid::utc(Interval::Week)),
            Just(new_york(Interval::Day)),
            Just(new_york(Interval::Week)),
            Just(new_york(Interval::Month)),
            Just(futures()),
            Just(half_past()),
        ]
    }

    proptest! {
        #[test]
        fn every_moment_lies_in_exactly_one_bar(
            grid in grids(), second in -2_000_000_000_i64..4_000_000_000, nano in 0..1_000_000_000_i32,
        ) {
            let moment = Timestamp::new(second, nano.min(999_999_999)).unwrap();
            let key = grid.key(moment).unwrap();
            let (start, next) = (grid.start(key).unwrap(), grid.start(key + 1).unwrap());
            prop_assert!(start <= moment && moment < next, "{start} <= {moment} < {next}");
            prop_assert_eq!(grid.key(start), Some(key));
            prop_assert_eq!(i128::from(grid.starts_ns(&[key])[0]), start.as_nanosecond());
            prop_assert_eq!(grid.keys(start, next), Some(key..key + 1));
        }
    }

    #[test]
    fn the_stamp_of_an_open_day_is_the_days_bar() {
        // A recorded answer: the open day carries the time of its last trade, the closed one its open.
        let grid = new_york(Interval::Day);
        let open = grid.key(at("2023-09-26T19:15:11Z"));
        assert_eq!(open, grid.key(at("2023-09-26T13:30:00Z")));
        assert_eq!(
            grid.date(open.unwrap()),
            Some(jiff::civil::date(2023, 9, 26))
        );
    }

    #[test]
    fn a_day_of_futures_begins_the_evening_before() {
        let zone = TimeZone::get("America/Chicago").unwrap();
        let grid = Grid::new(Interval::Day, zone, jiff::civil::time(17, 0, 0, 0), 0).unwrap();
        let sunday = grid.key(at("2026-03-08T22:00:00Z")).unwrap();
        assert_eq!(grid.date(sunday), Some(jiff::civil::date(2026, 3, 9)));
    }

    #[test]
    fn days_are_23_and_25_hours_long_when_the_clocks_change() {
        let grid = new_york(Interval::Day);
        for (day, hours) in [("2026-03-08", 23), ("2026-11-01", 25), ("2026-06-01", 24)] {
            let key = grid.key(at(&format!("{day}T17:00:00Z"))).unwrap();
            let length = grid
                .start(key + 1)
                .unwrap()
                .duration_since(grid.start(key).unwrap());
            assert_eq!(length.as_hours(), hours, "{day}");
        }
    }

    #[test]
    fn bars_that_would_overlap_are_refused() {
        let zone = TimeZone::get("Europe/Zurich").unwrap();
        let hours = Grid::new(Interval::Hours(4), zone, Time::midnight(), 0);
        assert_eq!(hours, Err(GridError::HoursInZone));
        let offset = Grid::new(Interval::Minutes(5), TimeZone::UTC, Time::midnight(), 300);
        assert_eq!(offset, Err(GridError::Offset));
    }
}
