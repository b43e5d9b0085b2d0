//! Tables as they leave: CSV, JSON, Arrow and Parquet.
//!
//! Why these four: pandas, polars and a spreadsheet read them without a client library. Numbers are floats
//! unless exact decimals are asked for: strings in JSON, `decimal128` in Arrow and Parquet. JSON is a list of
//! objects; times are RFC 3339 in text and nanoseconds UTC in columns. Not here: which columns a table has.

use std::str::FromStr;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Decimal128Array, Float64Array, RecordBatch, StringArray,
    TimestampNanosecondArray,
};
use arrow_buffer::OffsetBuffer;
use arrow_ipc::writer::FileWriter;
use arrow_schema::{ArrowError, Field, Schema};
use jiff::Timestamp;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use rust_decimal::Decimal;

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values with a header line.
    Csv,
    /// A list of objects.
    Json,
    /// The Arrow IPC file format, also called Feather 2.
    Arrow,
    /// Parquet, compressed with zstd.
    Parquet,
}

impl Format {
    /// All of them, as they are written.
    pub const NAMES: [&str; 4] = ["csv", "json", "arrow", "parquet"];

    /// Returns its media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Json => "application/json",
            Self::Arrow => "application/vnd.apache.arrow.file",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        match text {
            "csv" => Ok(Self::Csv),
            "json" => Ok(Self::Json),
            "arrow" => Ok(Self::Arrow),
            "parquet" => Ok(Self::Parquet),
            _ => Err(UnknownFormat(text.chars().take(40).collect())),
        }
    }
}

/// Text that names no form of an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no format; there are csv, json, arrow and parquet")]
pub struct UnknownFormat(String);

/// How numbers are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Numbers {
    /// As floats of 64 bits.
    #[default]
    Float,
    /// Digit by digit as the provider wrote them.
    Decimal,
}

/// Why bars cannot be written in a form.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// Arrow refused.
    #[error("bars cannot be written as Arrow")]
    Arrow(#[from] ArrowError),
    /// Parquet refused.
    #[error("bars cannot be written as Parquet")]
    Parquet(#[from] ParquetError),
    /// The texts of a column are too long for one array.
    #[error("the answer is too long for one column; ask for less at once")]
    TooLong,
    /// The digits of a column do not fit into a decimal of 128 bits.
    #[error(
        "the digits of {0} do not fit into one decimal column; ask for csv or json, or for floats"
    )]
    Digits(&'static str),
}

/// A column.
#[derive(Clone, Debug)]
pub enum Column {
    /// Moments, in nanoseconds since 1970.
    Time(Vec<i64>),
    /// Floats; NaN where there is none.
    Float(Vec<f64>),
    /// Decimals.
    Decimal(Vec<Option<Decimal>>),
    /// Texts.
    Text(Vec<Option<String>>),
    /// Yes or no.
    Truth(Vec<bool>),
    /// The same text in every row.
    Same(String),
}

/// Columns of one length.
#[derive(Clone, Debug, Default)]
pub struct Table {
    rows: usize,
    columns: Vec<(&'static str, Column)>,
}

impl Table {
    /// Builds a table of so many rows without columns.
    pub fn of(rows: usize) -> Self {
        Self {
            rows,
            columns: Vec::new(),
        }
    }

    /// Adds a column, which has as many values as the table has rows.
    #[must_use]
    pub fn with(mut self, name: &'static str, column: Column) -> Self {
        self.columns.push((name, column));
        self
    }

    /// Writes it.
    ///
    /// # Errors
    /// [`FormatError`].
    pub fn encode(self, format: Format) -> Result<Vec<u8>, FormatError> {
        match format {
            Format::Csv => Ok(self.csv().into_bytes()),
            Format::Json => Ok(self.json().into_bytes()),
            Format::Arrow => {
                let batch = self.into_batch()?;
                let about = batch.get_array_memory_size() + 4_096;
                let mut file = FileWriter::try_new(Vec::with_capacity(about), &batch.schema())?;
                file.write(&batch)?;
                Ok(file.into_inner()?)
            }
            Format::Parquet => {
                let batch = self.into_batch()?;
                let settings = WriterProperties::builder()
                    .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
                    .build();
                let mut file = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(settings))?;
                file.write(&batch)?;
                Ok(file.into_inner()?)
            }
        }
    }

    /// Writes it as an Arrow file, piece by piece, so that whoever reads need not wait for the whole.
    ///
    /// # Errors
    /// [`FormatError`], also when `sink` refuses.
    pub fn write_arrow(self, sink: impl std::io::Write) -> Result<(), FormatError> {
        /// Rows of a piece: about a megabyte.
        const PIECE: usize = 16_384;
        let batch = self.into_batch()?;
        let mut file = FileWriter::try_new(sink, &batch.schema())?;
        for start in (0..batch.num_rows()).step_by(PIECE) {
            file.write(&batch.slice(start, PIECE.min(batch.num_rows() - start)))?;
        }
        Ok(file.finish()?)
    }

    fn csv(&self) -> String {
        let names: Vec<_> = self.columns.iter().map(|(name, _)| *name).collect();
        let mut text = names.join(",");
        text.reserve(self.rows * self.columns.len() * 12);
        text.push('\n');
        for row in 0..self.rows {
            for (place, (_, column)) in self.columns.iter().enumerate() {
                if place > 0 {
                    text.push(',');
                }
                match column.shown(row) {
                    Some(Shown::Text(value)) if value.contains(['"', ',', '\n', '\r']) => {
                        text.push('"');
                        text.push_str(&value.replace('"', "\"\""));
                        text.push('"');
                    }
                    Some(shown) => text.push_str(shown.as_str()),
                    None => {}
                }
            }
            text.push('\n');
        }
        text
    }

    fn json(&self) -> String {
        let mut text = String::with_capacity(64 + self.rows * self.columns.len() * 20);
        text.push('[');
        for row in 0..self.rows {
            text.push_str(if row == 0 { "\n{" } else { ",\n{" });
            for (place, (name, column)) in self.columns.iter().enumerate() {
                if place > 0 {
                    text.push(',');
                }
                text.push('"');
                text.push_str(name);
                text.push_str("\":");
                match column.shown(row) {
                    None => text.push_str("null"),
                    Some(Shown::Bare(value)) => text.push_str(&value),
                    Some(Shown::Text(value)) => {
                        text.push_str(&serde_json::Value::from(value).to_string());
                    }
                }
            }
            text.push('}');
        }
        text.push_str(if self.rows == 0 { "]\n" } else { "\n]\n" });
        text
    }

    fn into_batch(self) -> Result<RecordBatch, FormatError> {
        let mut fields = Vec::with_capacity(self.columns.len());
        let mut arrays = Vec::with_capacity(self.columns.len());
        for (name, column) in self.columns {
            let array = column.into_array(name, self.rows)?;
            fields.push(Field::new(name, array.data_type().clone(), true));
            arrays.push(array);
        }
        Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
    }
}

/// A value in text.
enum Shown {
    /// A number or yes and no: without quotes in JSON.
    Bare(String),
    /// A text.
    Text(String),
}

impl Shown {
    fn as_str(&self) -> &str {
        match self {
            Self::Bare(text) | Self::Text(text) => text,
        }
    }
}

impl Column {
    /// Returns what stands in a row; `None` where nothing does.
    fn shown(&self, row: usize) -> Option<Shown> {
        Some(match self {
            Self::Time(values) => {
                let at = Timestamp::from_nanosecond(i128::from(*values.get(row)?)).ok()?;
                Shown::Text(at.to_string())
            }
            Self::Float(values) => {
                let float = values.get(row).filter(|float| float.is_finite())?;
                Shown::Bare(float.to_string())
            }
            // Text, so that no reader makes a float of it.
            Self::Decimal(values) => Shown::Text(values.get(row)?.as_ref()?.to_string()),
            Self::Text(values) => Shown::Text(values.get(row)?.clone()?),
            Self::Truth(values) => Shown::Bare(values.get(row)?.to_string()),
            Self::Same(text) => Shown::Text(text.clone()),
        })
    }

    /// Makes an array of it, without a copy where it can be.
    fn into_array(self, name: &'static str, rows: usize) -> Result<ArrayRef, FormatError> {
        Ok(match self {
            Self::Time(values) => {
                Arc::new(TimestampNanosecondArray::from(values).with_timezone("UTC"))
            }
            Self::Float(values) if values.iter().all(|value| value.is_finite()) => {
                Arc::new(Float64Array::from(values))
            }
            Self::Float(values) => {
                let nulls = values
                    .into_iter()
                    .map(|value| Some(value).filter(|v| v.is_finite()));
                Arc::new(nulls.collect::<Float64Array>())
            }
            Self::Decimal(values) => decimals(&values, name)?,
            Self::Text(values) => Arc::new(values.iter().collect::<StringArray>()),
            Self::Truth(values) => Arc::new(BooleanArray::from(values)),
            Self::Same(text) => same(&text, rows)?,
        })
    }
}

/// Makes a column with the same text in every row.
fn same(text: &str, rows: usize) -> Result<ArrayRef, FormatError> {
    let bytes = text.as_bytes().repeat(rows);
    let length = i32::try_from(text.len()).map_err(|_too_long| FormatError::TooLong)?;
    let whole = i32::try_from(bytes.len()).map_err(|_too_long| FormatError::TooLong)?;
    let ends = if length == 0 {
        vec![0; rows + 1]
    } else {
        (0..=whole).step_by(text.len()).collect::<Vec<i32>>()
    };
    let ends = OffsetBuffer::new(ends.into());
    Ok(Arc::new(StringArray::try_new(ends, bytes.into(), None)?))
}

/// Makes a column of decimals with as many places as the longest of them has.
fn decimals(values: &[Option<Decimal>], name: &'static str) -> Result<ArrayRef, FormatError> {
    /// Digits of a decimal of 128 bits.
    const DIGITS: u8 = 38;
    let scale = values
        .iter()
        .flatten()
        .map(Decimal::scale)
        .max()
        .unwrap_or(0);
    let scaled = values.iter().map(|decimal| {
        let Some(decimal) = decimal else {
            return Ok(None);
        };
        let zeros = 10_i128.checked_pow(scale - decimal.scale());
        let scaled = zeros.and_then(|zeros| decimal.mantissa().checked_mul(zeros));
        let fits = scaled.filter(|scaled| scaled.unsigned_abs() < 10_u128.pow(DIGITS.into()));
        fits.map(Some).ok_or(FormatError::Digits(name))
    });
    let scaled: Vec<Option<i128>> = scaled.collect::<Result<_, _>>()?;
    let scale = i8::try_from(scale).unwrap_or(i8::MAX);
    let column = Decimal128Array::from(scaled).with_precision_and_scale(DIGITS, scale)?;
    Ok(Arc::new(column))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_with_commas_and_quotes_stays_one_value() {
        let titles = vec![Some("Up, \"again\"".to_owned()), None];
        let table = Table::of(2)
            .with("title", Column::Text(titles))
            .with("n", Column::Float(vec![1.5, f64::NAN]));
        let csv = String::from_utf8(table.clone().encode(Format::Csv).unwrap()).unwrap();
        assert_eq!(csv, "title,n\n\"Up, \"\"again\"\"\",1.5\n,\n");
        let json = table.encode(Format::Json).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(json[0]["title"], "Up, \"again\"");
        assert_eq!(json[1]["n"], serde_json::Value::Null);
    }

    #[test]
    fn no_rows_are_an_answer_in_every_form() {
        let table = Table::of(0).with("at", Column::Time(Vec::new()));
        for name in Format::NAMES {
            let format: Format = name.parse().unwrap();
            assert!(!table.clone().encode(format).unwrap().is_empty());
        }
        assert_eq!(table.encode(Format::Json).unwrap(), b"[]\n");
    }

    #[test]
    fn digits_that_do_not_fit_are_told() {
        let wide = [Decimal::MAX, Decimal::new(1, 28)].map(Some).to_vec();
        let table = Table::of(2).with("size", Column::Decimal(wide));
        assert!(matches!(
            table.clone().encode(Format::Arrow),
            Err(FormatError::Digits("size"))
        ));
        assert!(table.encode(Format::Csv).is_ok());
    }
}
