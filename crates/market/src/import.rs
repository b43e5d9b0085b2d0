//! Bars from a file that somebody has already: read strictly, checked against the series, and kept as held.
//!
//! Why strict: what is imported is never asked for again, so a file that means something else would be wrong
//! for good. A file with one wrong row is refused as a whole, with the row. What a provider said itself stays
//! where both have a bar. Short holes between two bars of a file are taken for times without trading, unless
//! the file is said to be sparse: otherwise every weekend would be asked for again.
//! Not here: which columns a file has ([`columns`]), who may import (the edge).

mod columns;

use std::collections::BTreeMap;
use std::ops::Range;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use serde::Serialize;
use tradewind_core::Bar;

pub use columns::{ReadError, read};

use crate::coverage::{Answered, Known};
use crate::grid::{Grid, Key};
use crate::rows::Rows;
use crate::service::When;
use crate::store::{Series, Store, StoreError};

/// Longest time between two bars in which there was no trading: a weekend with a holiday on either side.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(24 * 5);
/// What ended less long ago may still be corrected by the provider and is not taken.
const SETTLES: SignedDuration = SignedDuration::from_hours(24);
/// Holes that are told one by one.
const MAX_TOLD: usize = 5;

/// One row of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its line in a text, its number in a table; from 1.
    pub place: usize,
    /// When it begins.
    pub start: When,
    /// Open, high, low, close.
    pub prices: [Decimal; 4],
    /// Volume, where the file has it.
    pub volume: Option<Decimal>,
}

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// Its number, by which it can be taken back; `None` when it brought nothing.
    pub id: Option<i64>,
    /// Bars that are held now and were not.
    pub imported: u64,
    /// Bars that were held already and say the same.
    pub already_held: u64,
    /// Bars that were held already and say something else; those that were held stay.
    pub differing: u64,
    /// Bars that ended less than a day ago; they are not taken.
    pub too_new: u64,
    /// Spans between bars that are too long for a pause: they stay unknown. At most five are named.
    pub holes: Vec<(Timestamp, Timestamp)>,
    /// How many such spans there are.
    pub hole_count: u64,
    /// Where the first bar begins.
    pub first: Option<Timestamp>,
    /// Where the last bar begins.
    pub last: Option<Timestamp>,
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// A row cannot be a bar of the series.
    #[error("row {place}: {why}")]
    Row {
        /// The row.
        place: usize,
        /// What is wrong with it.
        why: String,
    },
    /// The file has no rows.
    #[error("there are no rows")]
    Empty,
    /// The store does not take it.
    #[error("bars cannot be kept")]
    Store(#[from] StoreError),
}

fn wrong(row: &Row, why: impl Into<String>) -> ImportError {
    ImportError::Row {
        place: row.place,
        why: why.into(),
    }
}

/// Where imported bars go.
pub(crate) struct Target<'a> {
    /// Names the series.
    pub(crate) identity: &'a str,
    /// Names it for people.
    pub(crate) what: &'a str,
    /// The bars that there can be.
    pub(crate) grid: &'a Grid,
    /// Reads a moment as the venue's.
    pub(crate) moment: &'a (dyn Fn(When) -> Timestamp + Sync),
    /// Zone of times that have none; `None` refuses them.
    pub(crate) zone: Option<&'a TimeZone>,
    /// Whether holes between bars stay unknown however short.
    pub(crate) is_sparse: bool,
    /// The time.
    pub(crate) now: Timestamp,
}

/// Checks all rows and keeps them, or none.
pub(crate) async fn take(
    store: &Store,
    target: &Target<'_>,
    rows: &[Row],
) -> Result<Report, ImportError> {
    let bars = placed(target, rows)?;
    let settled = target.now.saturating_sub(SETTLES).unwrap_or(target.now);
    let end = target.grid.key(settled).unwrap_or(Key::MIN);
    let (Some(first), Some(last)) = (bars.keys().next(), bars.keys().next_back()) else {
        return Err(ImportError::Empty);
    };
    let mut report = Report {
        first: target.grid.start(*first),
        last: target.grid.start(*last),
        ..Report::default()
    };
    let series = store.series(target.identity).await?;
    let held = store.rows(&series, *first..last + 1).await?;
    let mut fresh = Rows::default();
    for (key, bar) in &bars {
        if *key >= end {
            report.too_new += 1;
        } else if series.of(*key) == Some(Known::Bar) {
            if says_the_same(&held, *key, bar) {
                report.already_held += 1;
            } else {
                report.differing += 1;
            }
        } else {
            fresh.push(*key, bar, target.now.as_microsecond());
        }
    }
    let keys: Vec<Key> = bars.keys().copied().filter(|key| *key < end).collect();
    let all = runs(target, &keys, &mut report);
    let spans = made_known(&series, target.is_sparse, &all, fresh.keys());
    if !spans.is_empty() {
        let bars = fresh.keys().len() as u64;
        let noted = store.note_import(&series, target.what, &spans, bars);
        report.id = Some(noted.await?);
    }
    for run in all {
        let span = fresh.slice(&run);
        let answered = Answered {
            vouched: if target.is_sparse {
                run.start..run.start
            } else {
                run.clone()
            },
            bars: keys
                .iter()
                .copied()
                .filter(|key| run.contains(key))
                .collect(),
            final_before: end,
        };
        let gained = store.learn(&series, &answered, span).await?;
        report.imported += gained.new;
        if let Some(error) = gained.unsaved {
            return Err(error.into());
        }
    }
    Ok(report)
}

/// Returns what an import makes known that was not: its new bars, and the pauses between its bars that nobody had
/// asked about.
fn made_known(
    series: &Series,
    is_sparse: bool,
    runs: &[Range<Key>],
    fresh: &[Key],
) -> Vec<Range<Key>> {
    let pauses = runs.iter().flat_map(|run| series.gaps(run));
    let mut all: Vec<Range<Key>> = if is_sparse {
        Vec::new()
    } else {
        pauses.collect()
    };
    all.extend(fresh.iter().map(|key| *key..key + 1));
    all.sort_unstable_by_key(|span| span.start);
    let mut joined: Vec<Range<Key>> = Vec::new();
    for span in all {
        match joined.last_mut() {
            Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
            _ => joined.push(span),
        }
    }
    joined
}

/// Puts every row on its bar.
fn placed(target: &Target<'_>, rows: &[Row]) -> Result<BTreeMap<Key, Bar>, ImportError> {
    let mut bars: BTreeMap<Key, Bar> = BTreeMap::new();
    for row in rows {
        let start = start(target, row)?;
        let key = target.grid.key(start);
        let key = key.filter(|key| target.grid.start(*key) == Some(start));
        let Some(key) = key else {
            return Err(wrong(
                row,
                format!(
                    "no bar of {} begins at {start}; times must be the start of a bar",
                    target.grid.interval()
                ),
            ));
        };
        let bar = bar(row, start)?;
        if let Some(other) = bars.insert(key, bar.clone())
            && other != bar
        {
            return Err(wrong(
                row,
                format!("another row says something else of {start}"),
            ));
        }
    }
    Ok(bars)
}

/// Returns when a row begins. Of days and longer bars the date counts, however its midnight is written.
fn start(target: &Target<'_>, row: &Row) -> Result<Timestamp, ImportError> {
    let is_long = target
        .grid
        .interval()
        .seconds()
        .is_none_or(|length| length >= 86_400);
    let local = |at: jiff::civil::DateTime| {
        if is_long && at.time() == jiff::civil::Time::midnight() {
            return Ok((target.moment)(When::Day(at.date())));
        }
        let Some(zone) = target.zone else {
            return Err(wrong(
                row,
                format!("{at} has no zone: say which, as in --zone UTC or --zone America/New_York"),
            ));
        };
        let zoned = at.to_zoned(zone.clone());
        zoned
            .map(|zoned| zoned.timestamp())
            .map_err(|error| wrong(row, error.to_string()))
    };
    match row.start {
        When::Day(day) => Ok((target.moment)(When::Day(day))),
        When::Local(at) => local(at),
        When::Moment(at) => {
            let utc = TimeZone::UTC.to_datetime(at);
            let is_midnight = utc.time() == jiff::civil::Time::midnight();
            let is_bar = target.grid.key(at).and_then(|key| target.grid.start(key)) == Some(at);
            if is_long && is_midnight && !is_bar {
                return Ok((target.moment)(When::Day(utc.date())));
            }
            Ok(at)
        }
    }
}

/// Makes a bar of a row whose prices can be one.
fn bar(row: &Row, start: Timestamp) -> Result<Bar, ImportError> {
    let [open, high, low, close] = row.prices;
    if row.prices.iter().any(|price| *price <= Decimal::ZERO) {
        return Err(wrong(row, "a price is zero or less"));
    }
    if high < low || high < open || high < close || low > open || low > close {
        return Err(wrong(
            row,
            format!("high {high} and low {low} do not enclose open {open} and close {close}"),
        ));
    }
    if row.volume.is_some_and(|volume| volume < Decimal::ZERO) {
        return Err(wrong(row, "the volume is below zero"));
    }
    Ok(Bar {
        start,
        open,
        high,
        low,
        close,
        volume: row.volume,
        is_final: true,
    })
}

fn says_the_same(held: &Rows, key: Key, bar: &Bar) -> bool {
    let places = held.places(&(key..key + 1));
    let wanted = [
        Some(bar.open),
        Some(bar.high),
        Some(bar.low),
        Some(bar.close),
        bar.volume,
    ];
    let is_same = |(value, wanted): (usize, &Option<Decimal>)| {
        // A file without volumes contradicts nobody.
        wanted.is_none() || held.exact(places.start, value) == *wanted
    };
    !places.is_empty() && wanted.iter().enumerate().all(is_same)
}

/// Cuts the bars where the time between two is too long for a pause, and tells of those places.
fn runs(target: &Target<'_>, keys: &[Key], report: &mut Report) -> Vec<Range<Key>> {
    let mut runs: Vec<Range<Key>> = Vec::new();
    for key in keys {
        let (Some(run), Some(start)) = (runs.last_mut(), target.grid.start(*key)) else {
            runs.push(*key..key + 1);
            continue;
        };
        let before = target.grid.start(run.end).unwrap_or(start);
        if start.duration_since(before) <= LONGEST_PAUSE {
            run.end = key + 1;
            continue;
        }
        report.hole_count += 1;
        if report.holes.len() < MAX_TOLD {
            report.holes.push((before, start));
        }
        runs.push(*key..key + 1);
    }
    runs
}
