//! The columns of a file, whatever wrote it: CSV, Arrow or Parquet, as pandas, brokers and providers name them.
//!
//! Numbers of text stay exact; floats are taken as the shortest decimal that names them. Not here: what bars
//! the rows can be.

use std::io::Cursor;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use arrow_array::{Array, RecordBatch};
use arrow_ipc::reader::FileReader;
use arrow_schema::{ArrowError, DataType, TimeUnit};
use axum::body::Bytes;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;
use rust_decimal::Decimal;

use super::Row;
use crate::format::Format;
use crate::rows::decimal_of;
use crate::service::When;

/// Upper bound on rows of a file.
const MAX_ROWS: usize = 5_000_000;
/// Names of the columns that are read, in lower case and without spaces, underscores and dots.
const NAMES: [(&str, &[&str]); 6] = [
    (
        "start",
        &[
            "start",
            "timestamp",
            "time",
            "date",
            "datetime",
            "opentime",
            "t",
            "index",
            "indexlevel0",
            "",
        ],
    ),
    ("open", &["open", "o", "openprice"]),
    ("high", &["high", "h", "highprice"]),
    ("low", &["low", "l", "lowprice"]),
    ("close", &["close", "c", "closeprice", "last"]),
    ("volume", &["volume", "v", "vol"]),
];

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// It is not of its form.
    #[error("the file is no CSV that can be read")]
    Csv(#[from] csv::Error),
    /// It is not of its form.
    #[error("the file is no Arrow file that can be read")]
    Arrow(#[from] ArrowError),
    /// It is not of its form.
    #[error("the file is no Parquet file that can be read")]
    Parquet(#[from] ParquetError),
    /// This form is not imported.
    #[error("bars are imported from CSV, Arrow and Parquet, not from JSON")]
    Json,
    /// A column is missing.
    #[error("there is no column for {wanted}: it is called one of {}; the file has {}", known.join(", "), found.join(", "))]
    NoColumn {
        /// What is missing.
        wanted: &'static str,
        /// Names that are understood.
        known: Vec<&'static str>,
        /// Names of the file.
        found: Vec<String>,
    },
    /// A cell cannot be read.
    #[error("row {place}, {column}: {text:?} {why}")]
    Cell {
        /// The row, or the line of a text.
        place: usize,
        /// The column.
        column: &'static str,
        /// What stands there, cut short.
        text: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// There are too many rows.
    #[error("there are more than {MAX_ROWS} rows; import the file in parts")]
    TooMany,
}

/// Reads the rows of a file.
///
/// # Errors
/// [`ReadError`]: the first thing that is wrong.
pub fn read(format: Format, bytes: Bytes) -> Result<Vec<Row>, ReadError> {
    let mut rows = Vec::new();
    match format {
        Format::Csv => of_csv(&bytes, &mut rows)?,
        Format::Arrow => {
            for batch in FileReader::try_new(Cursor::new(bytes), None)? {
                of_batch(&batch?, &mut rows)?;
            }
        }
        Format::Parquet => {
            for batch in ParquetRecordBatchReaderBuilder::try_new(bytes)?.build()? {
                of_batch(&batch?, &mut rows)?;
            }
        }
        Format::Json => return Err(ReadError::Json),
    }
    Ok(rows)
}

/// Finds the places of the columns; that of volumes may be missing.
fn places(found: &[String]) -> Result<[Option<usize>; 6], ReadError> {
    let plain = |name: &String| name.to_ascii_lowercase().replace([' ', '_', '.'], "");
    let names: Vec<String> = found.iter().map(plain).collect();
    let mut places = [None; 6];
    for (at, (wanted, known)) in NAMES.into_iter().enumerate() {
        let mut by_name = known
            .iter()
            .filter_map(|known| names.iter().position(|n| n == known));
        places[at] = by_name.next();
        if places[at].is_none() && wanted != "volume" {
            return Err(ReadError::NoColumn {
                wanted,
                known: known
                    .iter()
                    .copied()
                    .filter(|name| !name.is_empty())
                    .collect(),
                found: found.iter().take(30).cloned().collect(),
            });
        }
    }
    Ok(places)
}

fn cell(place: usize, at: usize, text: &str, why: &'static str) -> ReadError {
    ReadError::Cell {
        place,
        column: NAMES[at].0,
        text: text.chars().take(40).collect(),
        why,
    }
}

fn of_csv(bytes: &[u8], rows: &mut Vec<Row>) -> Result<(), ReadError> {
    // What some programs for tables put first.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(bytes);
    let header: Vec<String> = reader.headers()?.iter().map(str::to_owned).collect();
    let places = places(&header)?;
    for record in reader.records() {
        let record = record?;
        let line = record.position().map_or(0, csv::Position::line);
        let line = usize::try_from(line).unwrap_or(usize::MAX);
        let text = |at: usize| {
            places[at]
                .and_then(|place| record.get(place))
                .unwrap_or_default()
        };
        let number =
            |at: usize| decimal(text(at)).ok_or_else(|| cell(line, at, text(at), "is no number"));
        let start = when(text(0)).ok_or_else(|| cell(line, 0, text(0), "is no time"))?;
        let volume = if text(5).is_empty() {
            None
        } else {
            Some(number(5)?)
        };
        rows.push(Row {
            place: line,
            start,
            prices: [number(1)?, number(2)?, number(3)?, number(4)?],
            volume,
        });
        if rows.len() > MAX_ROWS {
            return Err(ReadError::TooMany);
        }
    }
    Ok(())
}

fn of_batch(batch: &RecordBatch, rows: &mut Vec<Row>) -> Result<(), ReadError> {
    let schema = batch.schema();
    let names: Vec<String> = schema
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    let places = places(&names)?;
    let column = |at: usize| places[at].map(|place| batch.column(place).as_ref());
    if rows.len() + batch.num_rows() > MAX_ROWS {
        return Err(ReadError::TooMany);
    }
    for row in 0..batch.num_rows() {
        let place = rows.len() + 1;
        let number = |at: usize| {
            let found = column(at).and_then(|column| number_at(column, row));
            found.ok_or_else(|| cell(place, at, "", "is no number"))
        };
        let start = column(0).and_then(|column| time_at(column, row));
        let volume = match column(5) {
            Some(column) if !column.is_null(row) => Some(number(5)?),
            _ => None,
        };
        rows.push(Row {
            place,
            start: start.ok_or_else(|| cell(place, 0, "", "is no time"))?,
            prices: [number(1)?, number(2)?, number(3)?, number(4)?],
            volume,
        });
    }
    Ok(())
}

fn number_at(column: &dyn Array, row: usize) -> Option<Decimal> {
    if column.is_null(row) {
        return None;
    }
    match column.data_type() {
        DataType::Float64 => decimal_of(column.as_primitive::<Float64Type>().value(row)),
        // Its own shortest form: the double that it widens to has digits that nobody wrote.
        DataType::Float32 => decimal(&column.as_primitive::<Float32Type>().value(row).to_string()),
        DataType::Int64 => Some(column.as_primitive::<Int64Type>().value(row).into()),
        DataType::Int32 => Some(column.as_primitive::<Int32Type>().value(row).into()),
        DataType::Decimal128(_, scale) => {
            let scale = u32::try_from(*scale).ok()?;
            let number = column.as_primitive::<Decimal128Type>().value(row);
            Decimal::try_from_i128_with_scale(number, scale).ok()
        }
        DataType::Utf8 => decimal(column.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => decimal(column.as_string::<i64>().value(row)),
        _ => None,
    }
}

fn time_at(column: &dyn Array, row: usize) -> Option<When> {
    if column.is_null(row) {
        return None;
    }
    match column.data_type() {
        DataType::Timestamp(unit, zone) => {
            let at = match unit {
                TimeUnit::Second => {
                    Timestamp::from_second(column.as_primitive::<TimestampSecondType>().value(row))
                }
                TimeUnit::Millisecond => Timestamp::from_millisecond(
                    column.as_primitive::<TimestampMillisecondType>().value(row),
                ),
                TimeUnit::Microsecond => Timestamp::from_microsecond(
                    column.as_primitive::<TimestampMicrosecondType>().value(row),
                ),
                TimeUnit::Nanosecond => Timestamp::from_nanosecond(
                    column
                        .as_primitive::<TimestampNanosecondType>()
                        .value(row)
                        .into(),
                ),
            };
            let at = at.ok()?;
            Some(match zone {
                Some(_) => When::Moment(at),
                // Without a zone it is a time on some wall, written as if that were UTC.
                None => When::Local(TimeZone::UTC.to_datetime(at)),
            })
        }
        DataType::Date32 => {
            let days = column.as_primitive::<Date32Type>().value(row);
            let date = Date::constant(1970, 1, 1).checked_add(days.days()).ok()?;
            Some(When::Day(date))
        }
        DataType::Int64 => epoch(column.as_primitive::<Int64Type>().value(row)),
        DataType::Utf8 => when(column.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => when(column.as_string::<i64>().value(row)),
        _ => None,
    }
}

/// Reads a number as people and programs write it, exactly.
fn decimal(text: &str) -> Option<Decimal> {
    Decimal::from_str_exact(text)
        .or_else(|_other_form| Decimal::from_scientific(text))
        .ok()
}

/// Reads a date, a time with or without a zone, or a count since 1970.
fn when(text: &str) -> Option<When> {
    if let Ok(count) = text.parse::<i64>() {
        return epoch(count);
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(When::Moment(at));
    }
    if text.len() == 10 {
        return text.parse::<Date>().ok().map(When::Day);
    }
    text.parse::<DateTime>().ok().map(When::Local)
}

/// Reads a count since 1970 in the unit that makes it a time between 1973 and 5138: seconds, then
/// milli-, micro- and nanoseconds. What is smaller is more likely a date without its dashes.
fn epoch(count: i64) -> Option<When> {
    let at = match count {
        100_000_000..100_000_000_000 => Timestamp::from_second(count),
        100_000_000_000..100_000_000_000_000 => Timestamp::from_millisecond(count),
        100_000_000_000_000..100_000_000_000_000_000 => Timestamp::from_microsecond(count),
        100_000_000_000_000_000.. => Timestamp::from_nanosecond(count.into()),
        _ => return None,
    };
    at.ok().map(When::Moment)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Vec<Row>, ReadError> {
        read(Format::Csv, Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn files_of_common_programs_are_understood() {
        let pandas = ",Open,High,Low,Close,Volume\n2024-03-01 00:00:00-05:00,1.10,2,1,1.5,100\n";
        let binance =
            "\u{feff}Open time,open,high,low,close,volume\n1709251200000,1.10,2,1,1.5,1e2\n";
        let own =
            "start,open,high,low,close,volume,final\n2024-03-01T05:00:00Z,1.10,2,1,1.5,,true\n";
        let starts: Vec<_> = [pandas, binance, own]
            .map(|text| of(text).unwrap()[0].start)
            .into();
        let at = |text: &str| When::Moment(text.parse().unwrap());
        assert_eq!(
            starts,
            [
                at("2024-03-01T05:00:00Z"),
                at("2024-03-01T00:00:00Z"),
                at("2024-03-01T05:00:00Z")
            ]
        );
        assert_eq!(
            of(pandas).unwrap()[0].prices[0].to_string(),
            "1.10",
            "every digit stays"
        );
        assert_eq!(of(binance).unwrap()[0].volume, Some(Decimal::from(100)));
        assert_eq!(of(own).unwrap()[0].volume, None);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_and_column() {
        let error =
            of("time,open,high,low,close\n2024-03-01,1,2,1,1\n2024-03-02,1,two,1,1\n").unwrap_err();
        assert_eq!(error.to_string(), "row 3, high: \"two\" is no number");
        let error = of("time,open,high,low\n").unwrap_err();
        assert!(error.to_string().contains("no column for close"), "{error}");
        let error = of("time,open,high,low,close\n20240301,1,2,1,1\n").unwrap_err();
        assert!(error.to_string().contains("is no time"), "{error}");
    }

    #[test]
    fn hostile_files_are_refused() {
        for format in [Format::Arrow, Format::Parquet] {
            for bytes in [&b"ARROW1\0\0"[..], b"PAR1PAR1", b"", &[0xff; 4096]] {
                assert!(read(format, Bytes::copy_from_slice(bytes)).is_err());
            }
        }
        assert!(of("a,b\n\"").is_err());
    }
}
