//! Bars as columns: what a segment of a series holds, in memory and on disk.
//!
//! Why columns of floats beside exact decimals: nearly every price has fewer than sixteen digits, and of
//! those the shortest decimal that names the float *is* the price. The few that are not so are kept
//! beside the columns, digit by digit, so that nothing is lost and the usual answer is a copy of memory.
//! Not here: which bars are known ([`crate::coverage`]), where the files lie ([`crate::store`]).

use std::collections::BTreeMap;
use std::io::Cursor;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_ipc::reader::FileReader;
use arrow_ipc::writer::FileWriter;
use arrow_schema::{ArrowError, DataType, Field, Schema};
use rust_decimal::Decimal;
use tradewind_core::Bar;

use crate::grid::Key;

/// Values of a bar, in the sequence of their columns.
pub const VALUES: [&str; 5] = ["open", "high", "low", "close", "volume"];

/// Final bars of one series, in the sequence of their keys, each once.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    // Invariant: all columns have one length; keys rise; a value is NaN where there is none.
    keys: Vec<Key>,
    values: [Vec<f64>; 5],
    /// When each was fetched, in microseconds since 1970.
    fetched_us: Vec<i64>,
    /// Values that the float does not name exactly.
    exact: BTreeMap<Key, [Option<Decimal>; 5]>,
}

impl PartialEq for Rows {
    /// Two values that are not there are the same.
    fn eq(&self, other: &Self) -> bool {
        let bits = |rows: &Self| {
            rows.values
                .clone()
                .map(|column| column.into_iter().map(f64::to_bits).collect::<Vec<_>>())
        };
        self.keys == other.keys
            && self.fetched_us == other.fetched_us
            && self.exact == other.exact
            && bits(self) == bits(other)
    }
}

/// Why a file of rows cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RowsError {
    /// It is no Arrow file, or a damaged one.
    #[error("not a readable Arrow file")]
    Arrow(#[from] ArrowError),
    /// It is an Arrow file with other columns, or with rows that contradict each other.
    #[error("column {column}: {what}")]
    Column {
        /// Its name.
        column: &'static str,
        /// What is wrong with it.
        what: &'static str,
    },
}

impl Rows {
    /// Makes room for so many.
    pub fn with_capacity(rows: usize) -> Self {
        Self {
            keys: Vec::with_capacity(rows),
            values: std::array::from_fn(|_| Vec::with_capacity(rows)),
            fetched_us: Vec::with_capacity(rows),
            exact: BTreeMap::new(),
        }
    }

    /// Returns keys, values and times of fetching as they are, without a copy.
    pub fn into_columns(self) -> (Vec<Key>, [Vec<f64>; 5], Vec<i64>) {
        (self.keys, self.values, self.fetched_us)
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Says whether there are none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Returns the keys, rising.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// Returns a column of [`VALUES`]; NaN where there is no value.
    pub fn column(&self, value: usize) -> &[f64] {
        self.values.get(value).map_or(&[], Vec::as_slice)
    }

    /// Returns when each row was fetched, in microseconds since 1970.
    pub fn fetched_us(&self) -> &[i64] {
        &self.fetched_us
    }

    /// Returns the rows whose keys lie in `span`, as places in the columns.
    pub fn places(&self, span: &Range<Key>) -> Range<usize> {
        let from = self.keys.partition_point(|key| *key < span.start);
        let to = self.keys.partition_point(|key| *key < span.end);
        from..to.max(from)
    }

    /// Returns a value as it was written by whoever said it; `None` where there is none.
    pub fn exact(&self, place: usize, value: usize) -> Option<Decimal> {
        let key = self.keys.get(place)?;
        if let Some(exact) = self.exact.get(key)
            && let Some(decimal) = exact.get(value)?
        {
            return Some(*decimal);
        }
        decimal_of(*self.values.get(value)?.get(place)?)
    }

    /// Adds a row behind all others; does nothing when it would not be the last.
    pub fn push(&mut self, key: Key, bar: &Bar, fetched_us: i64) {
        if self.keys.last().is_some_and(|last| *last >= key) {
            return;
        }
        self.keys.push(key);
        self.fetched_us.push(fetched_us);
        let mut exact = [None; 5];
        let given = [
            Some(bar.open),
            Some(bar.high),
            Some(bar.low),
            Some(bar.close),
            bar.volume,
        ];
        for ((column, given), exact) in self.values.iter_mut().zip(given).zip(&mut exact) {
            let float = given.map_or(f64::NAN, float_of);
            column.push(float);
            if given.is_some() && decimal_of(float) != given {
                *exact = given;
            }
        }
        if exact.iter().any(Option::is_some) {
            self.exact.insert(key, exact);
        }
    }

    /// Adds a row of another set behind all others.
    fn push_from(&mut self, other: &Self, place: usize) {
        let key = other.keys[place];
        self.keys.push(key);
        self.fetched_us.push(other.fetched_us[place]);
        for (column, from) in self.values.iter_mut().zip(&other.values) {
            column.push(from[place]);
        }
        if let Some(exact) = other.exact.get(&key) {
            self.exact.insert(key, *exact);
        }
    }

    fn says_the_same(&self, place: usize, other: &Self, there: usize) -> bool {
        (0..VALUES.len()).all(|value| self.exact(place, value) == other.exact(there, value))
    }

    /// Returns these rows with `newer` over them, and the keys whose values are others now. A row that
    /// `newer` only repeats keeps the time at which it was fetched first.
    #[must_use]
    pub fn overlaid(&self, newer: &Self) -> (Self, Vec<Key>) {
        let mut merged = Self::default();
        let mut revised = Vec::new();
        let (mut old, mut new) = (0, 0);
        loop {
            match (self.keys.get(old), newer.keys.get(new)) {
                (None, None) => return (merged, revised),
                (Some(key), Some(other)) if key == other => {
                    if self.says_the_same(old, newer, new) {
                        merged.push_from(self, old);
                    } else {
                        revised.push(*key);
                        merged.push_from(newer, new);
                    }
                    old += 1;
                    new += 1;
                }
                (Some(key), other) if other.is_none_or(|other| key < other) => {
                    merged.push_from(self, old);
                    old += 1;
                }
                _ => {
                    merged.push_from(newer, new);
                    new += 1;
                }
            }
        }
    }

    /// Returns the rows whose keys lie in `span`.
    #[must_use]
    pub fn slice(&self, span: &Range<Key>) -> Self {
        let mut rows = Self::default();
        rows.append(self, span);
        rows
    }

    /// Adds the rows of `other` whose keys lie in `span` behind all others; those that would not be last are
    /// left out.
    pub fn append(&mut self, other: &Self, span: &Range<Key>) {
        let from = self
            .keys
            .last()
            .map_or(span.start, |last| span.start.max(last + 1));
        let places = other.places(&(from..span.end));
        if let Some(keys) = other.keys.get(places.clone()) {
            self.keys.extend_from_slice(keys);
        }
        for (column, other) in self.values.iter_mut().zip(&other.values) {
            column.extend_from_slice(other.get(places.clone()).unwrap_or_default());
        }
        let fetched = other.fetched_us.get(places).unwrap_or_default();
        self.fetched_us.extend_from_slice(fetched);
        let exact = other.exact.range(from..span.end.max(from));
        self.exact.extend(exact.map(|(key, exact)| (*key, *exact)));
    }

    /// Returns about how many bytes of memory they take.
    pub fn bytes(&self) -> usize {
        self.len() * 7 * 8 + self.exact.len() * 120
    }

    /// Writes them as an Arrow file.
    ///
    /// # Errors
    /// [`RowsError::Arrow`], which would be a bug.
    pub fn encode(&self) -> Result<Vec<u8>, RowsError> {
        let mut columns: Vec<Arc<dyn Array>> = vec![Arc::new(Int64Array::from(self.keys.clone()))];
        for column in &self.values {
            columns.push(Arc::new(Float64Array::from(column.clone())));
        }
        columns.push(Arc::new(Int64Array::from(self.fetched_us.clone())));
        let exact = self.keys.iter().map(|key| self.exact.get(key).map(words));
        columns.push(Arc::new(exact.collect::<StringArray>()));
        let schema = Arc::new(schema());
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns)?;
        let mut file = FileWriter::try_new(Vec::new(), &schema)?;
        file.write(&batch)?;
        Ok(file.into_inner()?)
    }

    /// Reads what [`Rows::encode`] wrote. Whether the bytes are what was written, the caller has to know:
    /// the reader of Arrow files panics on some damaged ones.
    ///
    /// # Errors
    /// [`RowsError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, RowsError> {
        let mut rows = Self::default();
        for batch in FileReader::try_new(Cursor::new(bytes), None)? {
            let batch = batch?;
            let keys = integers(&batch, "key")?;
            if !keys.windows(2).all(|pair| pair[0] < pair[1])
                || rows
                    .keys
                    .last()
                    .zip(keys.first())
                    .is_some_and(|(a, b)| a >= b)
            {
                return Err(RowsError::Column {
                    column: "key",
                    what: "does not rise",
                });
            }
            rows.fetched_us.extend(integers(&batch, "fetched_us")?);
            for (name, column) in VALUES.into_iter().zip(&mut rows.values) {
                column.extend(floats(&batch, name)?);
            }
            let exact = batch
                .column_by_name("exact")
                .and_then(|c| c.as_string_opt::<i32>());
            let exact = exact.ok_or(RowsError::Column {
                column: "exact",
                what: "is missing",
            })?;
            for (key, words) in keys.iter().zip(exact) {
                if let Some(words) = words {
                    rows.exact.insert(*key, from_words(words)?);
                }
            }
            rows.keys.extend(keys);
        }
        Ok(rows)
    }
}

fn schema() -> Schema {
    let mut fields = vec![Field::new("key", DataType::Int64, false)];
    fields.extend(VALUES.map(|name| Field::new(name, DataType::Float64, false)));
    fields.push(Field::new("fetched_us", DataType::Int64, false));
    fields.push(Field::new("exact", DataType::Utf8, true));
    Schema::new(fields)
}

fn integers(batch: &RecordBatch, column: &'static str) -> Result<Vec<i64>, RowsError> {
    let found = batch.column_by_name(column);
    let found = found.and_then(|found| found.as_primitive_opt::<Int64Type>());
    let found = found.filter(|found| found.null_count() == 0);
    let found = found.ok_or(RowsError::Column {
        column,
        what: "is not of whole numbers",
    })?;
    Ok(found.values().to_vec())
}

fn floats(batch: &RecordBatch, column: &'static str) -> Result<Vec<f64>, RowsError> {
    let found = batch.column_by_name(column);
    let found = found.and_then(|found| found.as_primitive_opt::<Float64Type>());
    let found = found.filter(|found| found.null_count() == 0);
    let found = found.ok_or(RowsError::Column {
        column,
        what: "is not of floats",
    })?;
    Ok(found.values().to_vec())
}

/// Writes exact values as words, `-` where the float is exact.
fn words(exact: &[Option<Decimal>; 5]) -> String {
    let words = exact.map(|value| value.map_or_else(|| "-".to_owned(), |value| value.to_string()));
    words.join(" ")
}

fn from_words(words: &str) -> Result<[Option<Decimal>; 5], RowsError> {
    let wrong = || RowsError::Column {
        column: "exact",
        what: "has a word that is no decimal",
    };
    let mut exact = [None; 5];
    let mut given = words.split(' ');
    for value in &mut exact {
        *value = match given.next().ok_or_else(wrong)? {
            "-" => None,
            word => Some(Decimal::from_str_exact(word).map_err(|_overflow| wrong())?),
        };
    }
    Ok(exact)
}

/// Returns the float that is nearest to a decimal.
pub fn float_of(decimal: Decimal) -> f64 {
    // Through text, because that is rounded correctly; arithmetic on mantissa and scale is not.
    decimal.to_string().parse().unwrap_or(f64::NAN)
}

/// Returns the shortest decimal that names a float; `None` when it is not finite or has too many digits.
pub fn decimal_of(float: f64) -> Option<Decimal> {
    if !float.is_finite() {
        return None;
    }
    Decimal::from_str_exact(&float.to_string()).ok()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;

    fn bar(close: Decimal, volume: Option<Decimal>) -> Bar {
        Bar {
            start: Timestamp::UNIX_EPOCH,
            open: close,
            high: close,
            low: close,
            close,
            volume,
            is_final: true,
        }
    }

    fn decimals() -> impl Strategy<Value = Decimal> {
        prop_oneof![
            3 => (0..10_000_000_i64, 0..6_u32).prop_map(|(units, scale)| Decimal::new(units, scale)),
            1 => (any::<i64>(), 0..18_u32).prop_map(|(units, scale)| Decimal::new(units, scale)),
            1 => (0..1_i128 << 95, 0..28_u32)
                .prop_map(|(units, scale)| Decimal::from_i128_with_scale(units, scale)),
        ]
    }

    prop_compose! {
        fn rows()(
            keys in prop::collection::btree_set(-50..50_i64, 0..30),
            values in prop::collection::vec((decimals(), prop::option::of(decimals())), 30),
            fetched_us in 0..3_i64,
        ) -> (Rows, BTreeMap<Key, (Decimal, Option<Decimal>)>) {
            let mut rows = Rows::default();
            let mut model = BTreeMap::new();
            for (key, (close, volume)) in keys.into_iter().zip(values) {
                rows.push(key, &bar(close, volume), fetched_us);
                model.insert(key, (close, volume));
            }
            (rows, model)
        }
    }

    fn said(rows: &Rows) -> BTreeMap<Key, (Decimal, Option<Decimal>)> {
        let of = |(place, key): (usize, &Key)| {
            (*key, (rows.exact(place, 3).unwrap(), rows.exact(place, 4)))
        };
        rows.keys().iter().enumerate().map(of).collect()
    }

    proptest! {
        #[test]
        fn every_digit_survives_the_columns_and_the_file((rows, model) in rows()) {
            prop_assert_eq!(said(&rows), model);
            let back = Rows::decode(&rows.encode().unwrap()).unwrap();
            prop_assert_eq!(said(&back), said(&rows));
            prop_assert_eq!(back.fetched_us(), rows.fetched_us());
        }

        #[test]
        fn the_newer_row_wins_and_is_told_when_it_says_something_else(
            (old, old_model) in rows(), (new, new_model) in rows(), span in (-60..60_i64, 0..60_i64),
        ) {
            let (merged, revised) = old.overlaid(&new);
            let mut model = old_model.clone();
            model.extend(new_model.clone());
            prop_assert_eq!(said(&merged), model);
            let other = |key: &&Key| old_model.get(key).is_some_and(|value| *value != new_model[key]);
            let told: Vec<Key> = new_model.keys().filter(other).copied().collect();
            prop_assert_eq!(revised, told);
            let span = span.0..span.0 + span.1;
            let inside: BTreeMap<_, _> =
                said(&merged).into_iter().filter(|(key, _)| span.contains(key)).collect();
            prop_assert_eq!(said(&merged.slice(&span)), inside);
        }
    }
}
