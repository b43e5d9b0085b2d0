//! Series of an economy: rates, prices, jobs, with first estimates that are revised.
//!
//! A value is known from its release on; 45 days later it is revised once. Series of days have no value on
//! holidays of New York. Not here: how they are asked for.

use jiff::civil::{Date, Weekday};
use rust_decimal::Decimal;

use super::Market;
use super::calendar::{day_number, later};

/// How often a series has a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frequency {
    /// Monday to Friday.
    Daily,
    /// On the first of each month.
    Monthly,
    /// On the first of each third month.
    Quarterly,
}

/// A series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Series {
    /// Its name at the provider.
    pub id: &'static str,
    /// What it is.
    pub title: &'static str,
    /// How often.
    pub frequency: Frequency,
    /// Unit.
    pub units: &'static str,
    /// First date.
    pub since: Date,
    middle: i64,
    scale: u32,
    /// Days from the end of the period to the release.
    lag: i64,
}

/// A value and when it was known to be that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation {
    /// First day of what it is about.
    pub date: Date,
    /// Value; `None` where there is none for that day.
    pub value: Option<Decimal>,
    /// First day on which it was this value.
    pub known: Date,
}

const fn series(
    id: &'static str,
    title: &'static str,
    frequency: Frequency,
    units: &'static str,
    value: (i64, u32),
    lag: i64,
) -> Series {
    Series {
        id,
        title,
        frequency,
        units,
        since: jiff::civil::date(1990, 1, 1),
        middle: value.0,
        scale: value.1,
        lag,
    }
}

/// All series.
pub const SERIES: [Series; 9] = [
    series(
        "CPIAUCSL",
        "Consumer Price Index",
        Frequency::Monthly,
        "Index",
        (310_500, 3),
        12,
    ),
    series(
        "DGS10",
        "10-Year Treasury Yield",
        Frequency::Daily,
        "Percent",
        (410, 2),
        1,
    ),
    series(
        "DGS2",
        "2-Year Treasury Yield",
        Frequency::Daily,
        "Percent",
        (395, 2),
        1,
    ),
    series(
        "FEDFUNDS",
        "Federal Funds Rate",
        Frequency::Monthly,
        "Percent",
        (425, 2),
        1,
    ),
    series(
        "GDP",
        "Gross Domestic Product",
        Frequency::Quarterly,
        "Billions of Dollars",
        (29_000_000, 3),
        28,
    ),
    series(
        "PAYEMS",
        "All Employees",
        Frequency::Monthly,
        "Thousands of Persons",
        (158_000, 0),
        5,
    ),
    series(
        "SP500",
        "S&P 500",
        Frequency::Daily,
        "Index",
        (580_000, 2),
        1,
    ),
    series(
        "UNRATE",
        "Unemployment Rate",
        Frequency::Monthly,
        "Percent",
        (41, 1),
        5,
    ),
    series(
        "VIXCLS",
        "Volatility Index",
        Frequency::Daily,
        "Index",
        (1_700, 2),
        1,
    ),
];

impl Series {
    /// Returns the series of that name.
    pub fn find(id: &str) -> Option<Self> {
        SERIES.into_iter().find(|series| series.id == id)
    }

    fn next(&self, date: Date) -> Date {
        let months = match self.frequency {
            Frequency::Daily => return later(date, 1),
            Frequency::Monthly => 1,
            Frequency::Quarterly => 3,
        };
        let span = jiff::Span::new().months(months);
        date.checked_add(span).unwrap_or(Date::MAX)
    }

    fn first(&self, from: Date) -> Date {
        let from = from.max(self.since);
        let mut date = match self.frequency {
            Frequency::Daily => from,
            Frequency::Monthly => from.first_of_month(),
            Frequency::Quarterly => {
                let month = (from.month() - 1) / 3 * 3 + 1;
                Date::new(from.year(), month, 1).unwrap_or(from)
            }
        };
        while date < from {
            date = self.next(date);
        }
        date
    }
}

impl Market {
    /// Returns the values with a date in `from..=to` as they were known on `today`, oldest first.
    pub fn observations(
        &self,
        series: &Series,
        from: Date,
        to: Date,
        today: Date,
    ) -> Vec<Observation> {
        let mut found = Vec::new();
        let mut date = series.first(from);
        while date <= to {
            let is_weekend = matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday);
            let is_daily = series.frequency == Frequency::Daily;
            let next = series.next(date);
            let released = later(next, series.lag - 1);
            if released > today {
                break;
            }
            if !(is_daily && is_weekend) {
                let is_open = !is_daily || self.calendar().session(date).is_some();
                let revised = later(released, 45);
                let is_revised = !is_daily && revised <= today;
                found.push(Observation {
                    date,
                    value: is_open.then(|| self.value(series, date, is_revised)),
                    known: if is_revised { revised } else { released },
                });
            }
            date = next;
        }
        found
    }

    fn value(&self, series: &Series, date: Date, is_revised: bool) -> Decimal {
        let day = day_number(date);
        let chance = self.chance("economy").on(series.id);
        let part = series.middle / 10;
        let slow = chance.on("slow").wander(day, 1_500, part * 2);
        let quick = chance.on("quick").wander(day, 60, part / 4);
        let revised = if is_revised {
            1 + chance.on("revised").at(day).below(part / 50 + 2)
        } else {
            0
        };
        Decimal::new(series.middle + slow + quick + revised, series.scale)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_value_is_unknown_then_estimated_then_revised() {
        let market = Market::new(1).unwrap();
        let series = Series::find("CPIAUCSL").unwrap();
        let asked = |today: Date| {
            let month = date(2025, 3, 1);
            let found = market.observations(&series, month, month, today);
            found.first().and_then(|o| o.value)
        };
        assert_eq!(asked(date(2025, 4, 10)), None);
        let first = asked(date(2025, 4, 12)).unwrap();
        assert_eq!(asked(date(2025, 5, 26)), Some(first));
        assert!(asked(date(2025, 5, 27)).unwrap() > first);
    }

    #[test]
    fn a_series_of_days_has_gaps_on_holidays() {
        let market = Market::new(1).unwrap();
        let series = Series::find("DGS10").unwrap();
        let (from, to) = (date(2025, 7, 3), date(2025, 7, 7));
        let found = market.observations(&series, from, to, date(2025, 8, 1));
        let told: Vec<_> = found.iter().map(|o| o.value.is_some()).collect();
        // Thursday, Independence Day, Monday.
        assert_eq!(told, [true, false, true]);
    }
}
