//! Bars of an answer: one for each key, and what the answer proves about those that it does not have.
//!
//! An answer vouches for the part of the span that it covers completely: not for what was cut off behind a
//! full page, not for a row that could not be read, not for a bar that may still change.

use std::collections::BTreeMap;
use std::ops::Range;

use rust_decimal::Decimal;
use tradewind_catalog::answer::LastBar;
use tradewind_catalog::endpoint::Pages;
use tradewind_catalog::mapping::Cell;
use tradewind_catalog::offer::{Keeps, Stamp};
use tradewind_core::Bar;

use super::ask::{Cursor, Next, Span};
use super::page::{KeyedBar, Note, Page, Proven, Rows};
use super::read::Reading;
use super::value;
use crate::coverage::Answered;
use crate::grid::{Grid, Key};

/// What became of a row of bars.
enum Cut {
    Bar(KeyedBar),
    /// There is something, but it cannot be read; nothing is known of this bar.
    Hole(Option<Key>),
    /// The provider says that there is nothing.
    Null(Key),
}

impl Reading<'_> {
    pub(super) fn bars(mut self, grid: &Grid, cells: &[Vec<Cell>]) -> Page {
        let final_before = self.offer.final_before(self.clock.now).unwrap_or(Key::MIN);
        let mut holes = Vec::new();
        let mut is_blind = false;
        let mut newest = None;
        let mut oldest = None;
        let mut by_key: BTreeMap<Key, Bar> = BTreeMap::new();
        for row in cells {
            let cut = self.cut(grid, row);
            let key = match &cut {
                Cut::Bar(keyed) => Some(keyed.key),
                Cut::Null(key) => Some(*key),
                Cut::Hole(key) => *key,
            };
            if let Some(key) = key {
                newest = newest.max(Some(key));
                oldest = Some(oldest.map_or(key, |oldest: Key| oldest.min(key)));
            }
            match cut {
                Cut::Bar(KeyedBar { key, bar }) => match by_key.insert(key, bar.clone()) {
                    None => {}
                    Some(before) if before == bar => self.notes.count(Note::Duplicates),
                    Some(_) => self.notes.count(Note::Conflicts),
                },
                Cut::Null(_) => self.notes.count(Note::Nulls),
                Cut::Hole(Some(key)) => holes.push(key),
                Cut::Hole(None) => is_blind = true,
            }
        }
        // What is counted is the minutes that bars are made of, so the last bar may lack some of its own.
        let is_torn = self.told().1 && self.offer.base_bars() > 1;
        let torn = newest.filter(|_| is_torn);
        if torn.is_some_and(|key| by_key.remove(&key).is_some()) {
            self.notes.count(Note::Torn);
        }
        let last_bar = self
            .offer
            .endpoint()
            .answer
            .as_ref()
            .and_then(|a| a.finality.as_ref());
        let is_open = last_bar.is_some_and(|finality| finality.last_bar == LastBar::AlwaysOpen);
        let final_before = match newest {
            Some(newest) if is_open => final_before.min(newest),
            Some(_) | None => final_before,
        };
        let covers = match &self.prepared.covers {
            Span::Bars(keys) => keys.clone(),
            Span::Times(_) | Span::Newest => 0..0,
        };
        let (mut rows, mut outside) = (Vec::new(), Vec::new());
        for (key, mut bar) in by_key {
            bar.is_final = key < final_before;
            let keyed = KeyedBar { key, bar };
            if covers.contains(&key) {
                rows.push(keyed);
            } else {
                outside.push(keyed);
            }
        }
        self.notes.add(Note::Outside, outside.len());
        let (vouched, next) = self.vouched_bars(&covers, oldest, newest);
        // What has not begun yet, or the plan does not show, is no next page.
        let shown = self.offer.newest(self.clock.now);
        let next = next.filter(|cursor| match &cursor.rest {
            Span::Bars(keys) => grid.start(keys.start).is_some_and(|start| start < shown),
            Span::Times(_) | Span::Newest => true,
        });
        let vouched = if is_blind {
            vouched.start..vouched.start
        } else {
            vouched
        };
        let proven = Proven::Bars(pieces(&vouched, &mut holes, &rows, final_before));
        self.page(Rows::Bars(rows), Rows::Bars(outside), next, proven)
    }

    /// Returns what the answer covers completely, and where to go on.
    fn vouched_bars(
        &self,
        covers: &Range<Key>,
        oldest: Option<Key>,
        newest: Option<Key>,
    ) -> (Range<Key>, Option<Cursor>) {
        let all = match &self.prepared.span {
            Span::Bars(keys) => keys.end,
            Span::Times(_) | Span::Newest => covers.end,
        };
        let clamp = |key: Key| key.clamp(covers.start, covers.end);
        let keeps = self.offer.keeps();
        let (told, is_cut) = self.told();
        if !is_cut {
            // Whole, as far as this call went; a longer span may need another one.
            let rest = Span::Bars(covers.end..all);
            let how = Next::Span;
            let next = (covers.end < all).then_some(Cursor { rest, how });
            return (covers.clone(), next);
        }
        let (vouched, rest) = match keeps {
            // A torn bar is asked for again, from its start on.
            Keeps::Oldest if self.offer.base_bars() > 1 => {
                let end = newest.map_or(covers.start, clamp);
                let rest = Span::Bars(end..all);
                let how = Next::Span;
                let next = (covers.start < end && end < all).then_some(Cursor { rest, how });
                return (covers.start..end, next);
            }
            Keeps::Oldest => {
                let end = newest.map_or(covers.start, |key| clamp(key.saturating_add(1)));
                (covers.start..end, end..all)
            }
            Keeps::Newest => {
                let start = oldest.map_or(covers.end, clamp);
                // What is open on both sides: the later part shows as a gap to whoever keeps it.
                let rest = if start > covers.start {
                    covers.start..start
                } else {
                    covers.end..all
                };
                (start..covers.end, rest)
            }
        };
        let can_move = matches!(self.offer.endpoint().pages, Some(Pages::Span { .. }))
            && vouched.start < vouched.end;
        let how = told.or(can_move.then_some(Next::Span));
        let is_open = rest.start < rest.end;
        let next = how.filter(|_| is_open).map(|how| Cursor {
            rest: Span::Bars(rest),
            how,
        });
        (vouched, next)
    }

    fn cut(&mut self, grid: &Grid, row: &[Cell]) -> Cut {
        let [at, prices @ .., volume] = row else {
            return Cut::Hole(None);
        };
        let Some(key) = self.key(grid, at) else {
            return Cut::Hole(None);
        };
        let (key, is_on_grid) = key;
        if !is_on_grid {
            self.notes.count(Note::OffGrid);
            return Cut::Hole(Some(key));
        }
        if prices.iter().all(|price| *price == Cell::Nothing) {
            return Cut::Null(key);
        }
        if prices.iter().any(|price| price.text().is_none()) {
            self.notes.count(Note::Incomplete);
            return Cut::Hole(Some(key));
        }
        let numbers: Vec<Option<Decimal>> = prices
            .iter()
            .map(|price| value::decimal(price.text()?))
            .collect();
        let has_volume = *volume != Cell::Nothing;
        let volume = volume.text().and_then(value::decimal);
        let start = grid.start(key);
        let (&[Some(open), Some(high), Some(low), Some(close)], Some(start)) =
            (numbers.as_slice(), start)
        else {
            self.notes.count(Note::Inexact);
            return Cut::Hole(Some(key));
        };
        if has_volume && volume.is_none() {
            self.notes.count(Note::Inexact);
            return Cut::Hole(Some(key));
        }
        if low > open.min(close) || high < open.max(close) {
            self.notes.count(Note::Odd);
        }
        Cut::Bar(KeyedBar {
            key,
            bar: Bar {
                start,
                open,
                high,
                low,
                close,
                volume,
                is_final: false,
            },
        })
    }

    /// Returns the key of a row and whether its stamp is where it must be.
    fn key(&mut self, grid: &Grid, cell: &Cell) -> Option<(Key, bool)> {
        let read = || {
            let text = cell.text()?;
            if self.clock.stamp == Stamp::Date {
                return value::date(text).map(value::Read::On);
            }
            value::time(text, self.clock.form?, &self.clock.zone)
        };
        let key = match read() {
            Some(value::Read::At(at)) => grid.key(at).map(|key| {
                let is_exact = grid.start(key) == Some(at);
                (key, is_exact || self.clock.stamp == Stamp::Within)
            }),
            // At noon of the day that is named, whenever that day begins, it has begun.
            Some(value::Read::On(date)) => date
                .at(12, 0, 0, 0)
                .to_zoned(self.offer.zone.clone())
                .ok()
                .and_then(|noon| Some((grid.key(noon.timestamp())?, true))),
            None => None,
        };
        if key.is_none() {
            self.notes.count(Note::BadTime);
        }
        key
    }
}

/// Splits what is vouched for at the bars that could not be read.
fn pieces(
    vouched: &Range<Key>,
    holes: &mut Vec<Key>,
    rows: &[KeyedBar],
    final_before: Key,
) -> Vec<Answered> {
    holes.retain(|hole| vouched.contains(hole));
    // A bar that came once whole and once not is known.
    holes.retain(|hole| rows.iter().all(|keyed| keyed.key != *hole));
    holes.sort_unstable();
    holes.dedup();
    let bars: Vec<Key> = rows.iter().map(|keyed| keyed.key).collect();
    let mut pieces = Vec::new();
    let mut from = vouched.start;
    for end in holes.iter().copied().chain(std::iter::once(vouched.end)) {
        // The first piece tells of every bar, also of those that nothing vouches for.
        let bars = if pieces.is_empty() {
            bars.clone()
        } else {
            inside(&bars, &(from..end))
        };
        if from < end || (pieces.is_empty() && !bars.is_empty()) {
            pieces.push(Answered {
                vouched: from..end,
                bars,
                final_before,
            });
        }
        from = end.saturating_add(1);
    }
    pieces
}

fn inside(bars: &[Key], span: &Range<Key>) -> Vec<Key> {
    bars.iter()
        .copied()
        .filter(|key| span.contains(key))
        .collect()
}
