//! Bars of one series, ready to leave, with the columns that the contract fixes.
//!
//! Columns, in this sequence: `start` (UTC), `open`, `high`, `low`, `close`, `volume`, `final`, `provider`,
//! `fetched_at`, `stale`. Not here: how a table is written ([`crate::format`]), which bars
//! ([`crate::supply`]).

use jiff::Timestamp;
use tradewind_core::Bar;

use crate::format::{Column, Numbers, Table};
use crate::grid::{Grid, Key};
use crate::rows::{Rows, VALUES};

/// Bars of one series, ready to leave.
#[derive(Clone, Debug)]
pub struct Bars {
    grid: Grid,
    // Final bars, then those that may still change.
    rows: Rows,
    final_rows: usize,
    provider: String,
    is_stale: bool,
}

impl Bars {
    /// Puts final bars and those that may still change together; the latter were fetched at
    /// `open_fetched_us`.
    pub fn new(
        grid: Grid,
        mut rows: Rows,
        open: &[(Key, Bar)],
        open_fetched_us: i64,
        provider: &str,
        is_stale: bool,
    ) -> Self {
        let final_rows = rows.len();
        for (key, bar) in open {
            rows.push(*key, bar, open_fetched_us);
        }
        Self {
            grid,
            rows,
            final_rows,
            provider: provider.to_owned(),
            is_stale,
        }
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Says whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Returns which bars there can be.
    pub(crate) fn grid(&self) -> &Grid {
        &self.grid
    }

    /// Returns the bars in columns, those that may still change last.
    pub(crate) fn rows(&self) -> &Rows {
        &self.rows
    }

    /// Returns who said them.
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// Says whether the newest ones are missing because nobody could be asked.
    pub fn is_stale(&self) -> bool {
        self.is_stale
    }

    /// Returns when the oldest fetch was that anything of this comes from; `None` without bars.
    pub fn fetched_at(&self) -> Option<Timestamp> {
        let oldest = self.rows.fetched_us().iter().min()?;
        Timestamp::from_microsecond(*oldest).ok()
    }

    /// Returns one bar.
    pub fn bar(&self, place: usize) -> Option<Bar> {
        let value = |value| self.rows.exact(place, value);
        Some(Bar {
            start: self.grid.start(*self.rows.keys().get(place)?)?,
            open: value(0)?,
            high: value(1)?,
            low: value(2)?,
            close: value(3)?,
            volume: value(4),
            is_final: place < self.final_rows,
        })
    }

    /// Makes a table of them.
    pub fn into_table(self, numbers: Numbers) -> Table {
        let rows = self.len();
        let exact: Option<Vec<Column>> = (numbers == Numbers::Decimal).then(|| {
            let column = |value| {
                (0..rows)
                    .map(|place| self.rows.exact(place, value))
                    .collect()
            };
            (0..VALUES.len())
                .map(|value| Column::Decimal(column(value)))
                .collect()
        });
        let (keys, floats, mut fetched) = self.rows.into_columns();
        let mut table = Table::of(rows).with("start", Column::Time(self.grid.starts_ns(&keys)));
        let columns = exact.unwrap_or_else(|| floats.into_iter().map(Column::Float).collect());
        for (name, column) in VALUES.into_iter().zip(columns) {
            table = table.with(name, column);
        }
        for time in &mut fetched {
            *time = time.saturating_mul(1_000);
        }
        let final_rows = self.final_rows;
        table
            .with(
                "final",
                Column::Truth((0..rows).map(|place| place < final_rows).collect()),
            )
            .with("provider", Column::Same(self.provider))
            .with("fetched_at", Column::Time(fetched))
            .with("stale", Column::Truth(vec![self.is_stale; rows]))
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;
    use tradewind_core::Interval;

    use super::*;
    use crate::format::Format;

    fn bars() -> Bars {
        let decimal = |text: &str| text.parse::<Decimal>().unwrap();
        let bar = |close: &str, volume: Option<&str>| Bar {
            start: Timestamp::UNIX_EPOCH,
            open: decimal("1.10"),
            high: decimal("2"),
            low: decimal("0.5"),
            close: decimal(close),
            volume: volume.map(decimal),
            is_final: true,
        };
        let mut rows = Rows::default();
        rows.push(19_724, &bar("1.25", Some("1000")), 1_700_000_000_000_000);
        rows.push(
            19_725,
            &bar("0.1234567890123456789", None),
            1_700_000_000_000_000,
        );
        let open = [(19_726, bar("1.5", Some("3.25")))];
        let grid = Grid::new(
            Interval::Day,
            jiff::tz::TimeZone::get("America/New_York").unwrap(),
            jiff::civil::Time::midnight(),
            0,
        );
        Bars::new(
            grid.unwrap(),
            rows,
            &open,
            1_700_000_060_000_000,
            "alpaca",
            true,
        )
    }

    #[test]
    fn text_has_the_columns_of_the_contract() {
        let csv = String::from_utf8(
            bars()
                .into_table(Numbers::Float)
                .encode(Format::Csv)
                .unwrap(),
        )
        .unwrap();
        assert_eq!(
            csv,
            "start,open,high,low,close,volume,final,provider,fetched_at,stale\n\
             2024-01-02T05:00:00Z,1.1,2,0.5,1.25,1000,true,alpaca,2023-11-14T22:13:20Z,true\n\
             2024-01-03T05:00:00Z,1.1,2,0.5,0.12345678901234568,,true,alpaca,2023-11-14T22:13:20Z,true\n\
             2024-01-04T05:00:00Z,1.1,2,0.5,1.5,3.25,false,alpaca,2023-11-14T22:14:20Z,true\n"
        );
        let json = bars()
            .into_table(Numbers::Decimal)
            .encode(Format::Json)
            .unwrap();
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(json[1]["close"], "0.1234567890123456789");
        assert_eq!(json[1]["volume"], serde_json::Value::Null);
        assert_eq!(json[2]["final"], false);
        let json = bars()
            .into_table(Numbers::Float)
            .encode(Format::Json)
            .unwrap();
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(json[0]["close"], 1.25);
    }

    #[test]
    fn columns_hold_every_digit_when_decimals_are_asked_for() {
        let file = bars()
            .into_table(Numbers::Decimal)
            .encode(Format::Arrow)
            .unwrap();
        let mut batches =
            arrow_ipc::reader::FileReader::try_new(std::io::Cursor::new(file), None).unwrap();
        let batch = batches.next().unwrap().unwrap();
        let close = batch.column_by_name("close").unwrap();
        assert_eq!(
            close.data_type(),
            &arrow_schema::DataType::Decimal128(38, 19)
        );
        let close = close
            .as_any()
            .downcast_ref::<arrow_array::Decimal128Array>()
            .unwrap();
        assert_eq!(close.value(1), 1_234_567_890_123_456_789);
    }
}
