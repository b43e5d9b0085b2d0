//! What comes out of an answer: its rows, what was done to them, and what the answer proves.
//!
//! Why proof beside rows: a table cannot show what is missing in it. Not here: how an answer is read
//! (`adapter/read.rs`), and keeping any of it ([`crate::coverage`]).

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use jiff::Timestamp;
use tradewind_core::{Article, Bar, Quote, Trade};

use super::ask::Cursor;
use crate::coverage::Answered;
use crate::grid::Key;

/// A bar and its key in the grid of the offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyedBar {
    /// Its key.
    pub key: Key,
    /// The bar; `start` is that of the key, whatever stamp the provider gave it.
    pub bar: Bar,
}

/// Rows of one kind, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rows {
    /// Bars, at most one of a key.
    Bars(Vec<KeyedBar>),
    /// Quotes.
    Quotes(Vec<Quote>),
    /// Trades, at most one of an id.
    Trades(Vec<Trade>),
    /// Articles, at most one of an address.
    Articles(Vec<Article>),
}

impl Rows {
    /// Returns how many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Bars(rows) => rows.len(),
            Self::Quotes(rows) => rows.len(),
            Self::Trades(rows) => rows.len(),
            Self::Articles(rows) => rows.len(),
        }
    }

    /// Tells whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns when the first of them happened; `None` for bars, which have keys.
    pub(crate) fn first_at(&self) -> Option<Timestamp> {
        match self {
            Self::Bars(_) => None,
            Self::Quotes(rows) => rows.first().map(|row| row.at),
            Self::Trades(rows) => rows.first().map(|row| row.at),
            Self::Articles(rows) => rows.first().map(|row| row.at),
        }
    }

    /// Leaves out what did not happen within a time; bars have keys and stay.
    pub(crate) fn keep_within(&mut self, times: &Range<Timestamp>) {
        match self {
            Self::Bars(_) => {}
            Self::Quotes(rows) => rows.retain(|row| times.contains(&row.at)),
            Self::Trades(rows) => rows.retain(|row| times.contains(&row.at)),
            Self::Articles(rows) => rows.retain(|row| times.contains(&row.at)),
        }
    }
}

/// What an answer proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proven {
    /// About bars: each part can be given to [`crate::Coverage::learn`].
    Bars(Vec<Answered>),
    /// About what happened: within this time there is nothing but the rows. `None`: nothing is sure.
    Times(Option<Range<Timestamp>>),
    /// About what is newest there is nothing to prove.
    Newest,
}

/// One answer, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The rows within the span that was asked for.
    pub rows: Rows,
    /// Rows that came although nobody asked for them.
    pub outside: Rows,
    /// Where to go on; `None` when the span is covered as far as it can be. Who follows it bounds the
    /// number of pages.
    pub next: Option<Cursor>,
    /// What was done to the rows.
    pub notes: Vec<Note>,
    /// What the answer proves.
    pub proven: Proven,
}

/// Something that was done to the rows of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Note {
    /// Rows without any price were left out: the provider has none for them.
    Nulls(usize),
    /// Rows with a part missing were left out; nothing is known of their time.
    Incomplete(usize),
    /// Rows with a number that cannot be held exactly were left out; nothing is known of their time.
    Inexact(usize),
    /// Rows whose time cannot be read, or comes twice that day, were left out.
    BadTime(usize),
    /// Bars that do not start where a bar starts were left out.
    OffGrid(usize),
    /// Rows that came twice, the same each time, were merged.
    Duplicates(usize),
    /// Of rows that came twice and differed the later one was kept.
    Conflicts(usize),
    /// Rows came that nobody asked for.
    Outside(usize),
    /// Bars whose lowest price is not the lowest or whose highest is not the highest; they are kept.
    Odd(usize),
    /// Last bars of answers that were cut within them were left out.
    Torn(usize),
    /// The answer was as long as it can be, so more may be there.
    Full,
    /// The answer has no time, so its rows have that of its arrival.
    Unstamped,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nulls(n) => write!(f, "{n} rows without a price were left out"),
            Self::Incomplete(n) => write!(f, "{n} rows with a part missing were left out"),
            Self::Inexact(n) => {
                write!(f, "{n} rows with a number of too many digits were left out")
            }
            Self::BadTime(n) => write!(f, "{n} rows without a clear time were left out"),
            Self::OffGrid(n) => write!(f, "{n} bars that start between two bars were left out"),
            Self::Duplicates(n) => write!(f, "{n} rows came twice and were merged"),
            Self::Conflicts(n) => write!(
                f,
                "{n} rows came twice and differed; the later one was kept"
            ),
            Self::Outside(n) => write!(f, "{n} rows lie outside of what was asked for"),
            Self::Odd(n) => write!(f, "{n} bars have a price beyond their highest or lowest"),
            Self::Torn(n) => write!(f, "{n} bars at the end were cut short and left out"),
            Self::Full => f.write_str("the answer is as long as it can be, more may be there"),
            Self::Unstamped => f.write_str("the answer has no time; it has that of its arrival"),
        }
    }
}

/// A note with the number of rows that it is about.
pub(super) type Counted = fn(usize) -> Note;

/// Counts what was done.
#[derive(Default)]
pub(super) struct Notes(BTreeMap<u8, (Counted, usize)>);

impl Notes {
    pub(super) fn count(&mut self, note: Counted) {
        self.add(note, 1);
    }

    pub(super) fn add(&mut self, note: Counted, more: usize) {
        if more > 0 {
            let entry = self.0.entry(rank(note(0))).or_insert((note, 0));
            entry.1 += more;
        }
    }

    pub(super) fn into_notes(self) -> Vec<Note> {
        self.0
            .into_values()
            .map(|(note, count)| note(count))
            .collect()
    }
}

fn rank(note: Note) -> u8 {
    match note {
        Note::Nulls(_) => 0,
        Note::Incomplete(_) => 1,
        Note::Inexact(_) => 2,
        Note::BadTime(_) => 3,
        Note::OffGrid(_) => 4,
        Note::Duplicates(_) => 5,
        Note::Conflicts(_) => 6,
        Note::Outside(_) => 7,
        Note::Odd(_) => 8,
        Note::Torn(_) => 9,
        Note::Full => 10,
        Note::Unstamped => 11,
    }
}
