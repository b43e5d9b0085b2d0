//! Rows that happened at a moment: quotes, trades, articles.
//!
//! Why the moment at the edge of a page is left open: what happened at the same moment may be on the next
//! one. Two rows are the same only when they say so themselves: two trades may well be equal.

use std::collections::BTreeMap;
use std::ops::Range;

use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use tradewind_catalog::endpoint::Pages;
use tradewind_catalog::mapping::Cell;
use tradewind_catalog::offer::{Keeps, Stamp};
use tradewind_core::{Article, Quote, Side, Trade};

use super::ask::{Cursor, Next, Span};
use super::page::{Counted, Note, Page, Proven, Rows};
use super::read::Reading;
use super::{SETTLES, value};

impl Reading<'_> {
    /// Reads rows that are no bars.
    pub(super) fn events<T: Event>(
        mut self,
        cells: &[Vec<Cell>],
        read: fn(Timestamp, &[Cell]) -> Result<T, Counted>,
        rows_of: fn(Vec<T>) -> Rows,
    ) -> Page {
        let mut is_blind = false;
        let mut all: Vec<T> = Vec::new();
        for row in cells {
            let Some(at) = self.clock.at(row.first()) else {
                self.notes.count(Note::BadTime);
                is_blind = true;
                continue;
            };
            match read(at, row) {
                Ok(event) => all.push(event),
                Err(note) => {
                    self.notes.count(note);
                    is_blind = true;
                }
            }
        }
        if self.clock.stamp == Stamp::Arrival && !all.is_empty() {
            self.notes.count(|_| Note::Unstamped);
        }
        let newest = all.iter().map(Event::at).max();
        let oldest = all.iter().map(Event::at).min();
        let last_id = all.last().and_then(Event::id).map(str::to_owned);
        let all = self.merged(all);
        let covers = match &self.prepared.covers {
            Span::Times(times) => Some(times.clone()),
            Span::Bars(_) | Span::Newest => None,
        };
        let (inside, outside): (Vec<T>, Vec<T>) = all.into_iter().partition(|event| {
            covers
                .as_ref()
                .is_none_or(|times| times.contains(&event.at()))
        });
        self.notes.add(Note::Outside, outside.len());
        let Some(covers) = covers else {
            // Where pages go back in time, older ones can be had for the asking.
            let next = self.told().0.map(|how| Cursor {
                rest: Span::Newest,
                how,
            });
            return self.page(rows_of(inside), rows_of(outside), next, Proven::Newest);
        };
        let (proven, next) = self.vouched_times(&covers, oldest, newest, last_id);
        let settled = self.offer.newest(self.clock.now).checked_sub(SETTLES);
        let end = settled.map_or(proven.start, |settled| proven.end.min(settled));
        let proven = (!is_blind && proven.start < end).then_some(proven.start..end);
        self.page(
            rows_of(inside),
            rows_of(outside),
            next,
            Proven::Times(proven),
        )
    }

    /// Sorts rows, oldest first, and merges those that say who they are and came twice.
    fn merged<T: Event>(&mut self, all: Vec<T>) -> Vec<T> {
        let mut by_id: BTreeMap<String, usize> = BTreeMap::new();
        let mut kept: Vec<Option<T>> = Vec::new();
        for event in all {
            let Some(id) = event.id() else {
                kept.push(Some(event));
                continue;
            };
            if let Some(before) = by_id.insert(id.to_owned(), kept.len()) {
                let earlier = kept.get_mut(before).and_then(Option::take);
                if earlier.as_ref() == Some(&event) {
                    self.notes.count(Note::Duplicates);
                } else {
                    self.notes.count(Note::Conflicts);
                }
            }
            kept.push(Some(event));
        }
        let mut kept: Vec<T> = kept.into_iter().flatten().collect();
        let is_newest_first = kept
            .first()
            .zip(kept.last())
            .is_some_and(|(first, last)| first.at() > last.at());
        if is_newest_first {
            kept.reverse();
        }
        // Stable: what happened at one moment keeps the sequence in which it was told.
        kept.sort_by_key(Event::at);
        kept
    }

    fn vouched_times(
        &self,
        covers: &Range<Timestamp>,
        oldest: Option<Timestamp>,
        newest: Option<Timestamp>,
        last_id: Option<String>,
    ) -> (Range<Timestamp>, Option<Cursor>) {
        let (told, is_cut) = self.told();
        let keeps = self.offer.keeps();
        let reaches = match keeps {
            Keeps::Oldest => newest.is_some_and(|newest| newest >= covers.end),
            Keeps::Newest => oldest.is_some_and(|oldest| oldest < covers.start),
        };
        if !is_cut || reaches {
            return (covers.clone(), None);
        }
        let clamp = |at: Timestamp| at.clamp(covers.start, covers.end);
        let (proven, rest) = match keeps {
            // Others of the same moment may be on the next page.
            Keeps::Oldest => {
                let edge = newest.map_or(covers.start, clamp);
                (covers.start..edge, edge..covers.end)
            }
            Keeps::Newest => {
                let after =
                    oldest.and_then(|at| at.checked_add(SignedDuration::from_nanos(1)).ok());
                let edge = after.map_or(covers.end, clamp);
                (edge..covers.end, covers.start..edge)
            }
        };
        let moved = || match &self.offer.endpoint().pages {
            Some(Pages::AfterId { .. }) if last_id != self.prepared.token => {
                last_id.map(Next::Token)
            }
            Some(Pages::Span { .. }) if proven.start < proven.end => Some(Next::Span),
            _ => None,
        };
        let next = told.or_else(moved).map(|how| Cursor {
            rest: Span::Times(rest),
            how,
        });
        (proven, next)
    }
}

/// A row that happened at a moment.
pub(super) trait Event: PartialEq {
    fn at(&self) -> Timestamp;
    /// What makes it the same row when it comes again.
    fn id(&self) -> Option<&str>;
}

impl Event for Quote {
    fn at(&self) -> Timestamp {
        self.at
    }

    fn id(&self) -> Option<&str> {
        None
    }
}

impl Event for Trade {
    fn at(&self) -> Timestamp {
        self.at
    }

    fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
}

impl Event for Article {
    fn at(&self) -> Timestamp {
        self.at
    }

    fn id(&self) -> Option<&str> {
        Some(&self.url)
    }
}

/// Reads a number that may be missing.
fn optional(cell: Option<&Cell>) -> Result<Option<Decimal>, Counted> {
    match cell {
        None | Some(Cell::Nothing) => Ok(None),
        Some(cell) => {
            let number = cell.text().and_then(value::decimal);
            number.map(Some).ok_or(Note::Inexact as Counted)
        }
    }
}

fn owned(cell: Option<&Cell>) -> Option<String> {
    cell.and_then(Cell::text).map(str::to_owned)
}

pub(super) fn quote(at: Timestamp, row: &[Cell]) -> Result<Quote, Counted> {
    let quote = Quote {
        at,
        bid: optional(row.get(1))?,
        bid_size: optional(row.get(2))?,
        ask: optional(row.get(3))?,
        ask_size: optional(row.get(4))?,
        last: optional(row.get(5))?,
    };
    if quote.bid.is_none() && quote.ask.is_none() && quote.last.is_none() {
        return Err(Note::Nulls);
    }
    Ok(quote)
}

pub(super) fn trade(at: Timestamp, row: &[Cell]) -> Result<Trade, Counted> {
    let taker = match row.get(4) {
        None | Some(Cell::Nothing) => None,
        Some(cell) => match cell.text() {
            Some("buy") => Some(Side::Buy),
            Some("sell") => Some(Side::Sell),
            Some(_) | None => return Err(Note::Incomplete),
        },
    };
    Ok(Trade {
        at,
        id: owned(row.get(1)),
        price: optional(row.get(2))?.ok_or(Note::Incomplete as Counted)?,
        size: optional(row.get(3))?.ok_or(Note::Incomplete as Counted)?,
        taker,
    })
}

pub(super) fn article(at: Timestamp, row: &[Cell]) -> Result<Article, Counted> {
    let symbols = match row.get(5) {
        Some(Cell::List(symbols)) => symbols.clone(),
        _ => Vec::new(),
    };
    Ok(Article {
        at,
        title: owned(row.get(1)).ok_or(Note::Incomplete as Counted)?,
        url: owned(row.get(2)).ok_or(Note::Incomplete as Counted)?,
        publisher: owned(row.get(3)),
        summary: owned(row.get(4)),
        symbols,
    })
}
