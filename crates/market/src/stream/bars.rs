//! Bars out of trades, as they come.
//!
//! A bar is told once its time is over and nothing is known to be missing. One that had begun before the first
//! trade that was seen, or in whose span trades were lost, is `partial` and not `final`. Should a trade of a
//! bar that was told come later, from a gap that was filled then, the bar is told again. Where nothing was
//! traded there is no bar. Bounds: [`MAX_TOLD`] bars are remembered for that.
//! Not here: bars of the provider ([`crate::supply`]).

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use tradewind_core::{Interval, Trade};

use crate::grid::{Grid, Key};

/// How long after its end a bar waits for trades that are under way, in milliseconds.
const SETTLES_MS: i64 = 2_000;
/// How many bars are remembered after they were told.
const MAX_TOLD: usize = 64;

/// A bar out of trades.
#[derive(Clone, Debug, PartialEq)]
pub struct BuiltBar {
    /// When it begins.
    pub start: Timestamp,
    /// When it ends, itself not included.
    pub end: Timestamp,
    /// First price.
    pub open: Decimal,
    /// Highest price.
    pub high: Decimal,
    /// Lowest price.
    pub low: Decimal,
    /// Last price.
    pub close: Decimal,
    /// What changed hands.
    pub volume: Decimal,
    /// Number of trades.
    pub trades: u64,
    /// Whether trades of its span may be missing.
    pub is_partial: bool,
    /// How often it was told before.
    pub revision: u32,
}

/// Makes bars of one length.
#[derive(Debug)]
pub(crate) struct Builder {
    grid: Grid,
    /// The first trade that was seen: a bar that begins before it is not whole.
    since: Option<Timestamp>,
    /// Spans in which trades were lost.
    open: BTreeMap<Key, BuiltBar>,
    told: BTreeMap<Key, BuiltBar>,
}

impl Builder {
    /// Makes bars of that length; `None` for a day or longer, whose beginning is the venue's business.
    pub(crate) fn new(interval: Interval) -> Option<Self> {
        interval.seconds()?;
        Some(Self {
            grid: Grid::utc(interval),
            since: None,
            open: BTreeMap::new(),
            told: BTreeMap::new(),
        })
    }

    /// Takes a trade; bars that are over because of it go to `out`.
    pub(crate) fn take(&mut self, trade: &Trade, out: &mut Vec<BuiltBar>) {
        let since = *self.since.get_or_insert(trade.at);
        let Some(key) = self.grid.key(trade.at) else {
            return;
        };
        // A later trade shows that those of before are there.
        self.close_before(key, out);
        if let Some(bar) = self.told.get_mut(&key) {
            bar.add(trade);
            bar.revision += 1;
            out.push(bar.clone());
            return;
        }
        let bounds = self.grid.start(key).zip(self.grid.start(key + 1));
        let Some((start, end)) = bounds else { return };
        let bar = self.open.entry(key).or_insert_with(|| BuiltBar {
            start,
            end,
            open: trade.price,
            high: trade.price,
            low: trade.price,
            close: trade.price,
            volume: Decimal::ZERO,
            trades: 0,
            is_partial: start < since,
            revision: 0,
        });
        bar.add(trade);
    }

    /// Takes that trades between the two moments were lost; `None` where nobody knows until when.
    pub(crate) fn lose(&mut self, from: Option<Timestamp>, to: Option<Timestamp>) {
        let touches = |bar: &BuiltBar| {
            from.is_none_or(|from| from < bar.end) && to.is_none_or(|to| to >= bar.start)
        };
        for bar in self.open.values_mut().filter(|bar| touches(bar)) {
            bar.is_partial = true;
        }
        // The bar in which it goes on has lost its beginning too.
        if let Some(to) = to.or(from) {
            self.since = self.since.max(Some(to));
        }
    }

    /// Takes that it is `now`; bars that are over go to `out`.
    pub(crate) fn pass(&mut self, now: Timestamp, out: &mut Vec<BuiltBar>) {
        let settled = now.checked_sub(SignedDuration::from_millis(SETTLES_MS));
        if let Some(key) = settled.ok().and_then(|at| self.grid.key(at)) {
            self.close_before(key, out);
        }
    }

    /// Says whether a bar is being made.
    pub(crate) fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    fn close_before(&mut self, key: Key, out: &mut Vec<BuiltBar>) {
        let later = self.open.split_off(&key);
        for (key, bar) in std::mem::replace(&mut self.open, later) {
            out.push(bar.clone());
            self.told.insert(key, bar);
            if self.told.len() > MAX_TOLD {
                self.told.pop_first();
            }
        }
    }
}

impl BuiltBar {
    fn add(&mut self, trade: &Trade) {
        self.high = self.high.max(trade.price);
        self.low = self.low.min(trade.price);
        self.close = trade.price;
        self.volume = self.volume.saturating_add(trade.size);
        self.trades += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trade(second: i64, price: i64) -> Trade {
        Trade {
            at: Timestamp::from_second(1_700_000_040 + second).unwrap(),
            id: None,
            price: price.into(),
            size: 2.into(),
            taker: None,
        }
    }

    fn told(builder: &mut Builder, trades: &[(i64, i64)]) -> Vec<BuiltBar> {
        let mut out = Vec::new();
        for (second, price) in trades {
            builder.take(&trade(*second, *price), &mut out);
        }
        out
    }

    #[test]
    fn the_first_bar_is_not_whole_unless_it_was_seen_from_its_beginning() {
        let mut builder = Builder::new(Interval::Minutes(1)).unwrap();
        let bars = told(
            &mut builder,
            &[(30, 5), (40, 3), (60, 4), (119, 7), (121, 6)],
        );
        assert_eq!(bars.len(), 2);
        assert!(bars[0].is_partial);
        assert_eq!(bars[0].trades, 2);
        let second = &bars[1];
        assert!(!second.is_partial);
        let numbers = [
            second.open,
            second.high,
            second.low,
            second.close,
            second.volume,
        ];
        assert_eq!(numbers, [4, 7, 4, 7, 4].map(Decimal::from));
    }

    #[test]
    fn a_bar_is_over_some_time_after_its_end_and_told_again_when_a_trade_of_it_comes() {
        let mut builder = Builder::new(Interval::Minutes(1)).unwrap();
        let mut out = told(&mut builder, &[(0, 5), (61, 6)]);
        assert_eq!(out.len(), 1);
        out.clear();
        builder.pass(trade(121, 0).at, &mut out);
        assert!(out.is_empty(), "trades may be under way");
        builder.pass(trade(122, 0).at, &mut out);
        assert_eq!((out.len(), out[0].revision), (1, 0));
        out.clear();
        builder.take(&trade(119, 9), &mut out);
        assert_eq!((out.len(), out[0].revision, out[0].trades), (1, 1, 2));
        assert_eq!((out[0].high, out[0].close), (9.into(), 9.into()));
    }

    #[test]
    fn a_bar_in_which_trades_were_lost_is_not_whole_and_nor_is_the_one_where_it_goes_on() {
        let mut builder = Builder::new(Interval::Minutes(1)).unwrap();
        let mut out = told(&mut builder, &[(0, 5), (70, 6)]);
        out.clear();
        builder.lose(Some(trade(80, 0).at), Some(trade(130, 0).at));
        for second in [130, 190, 250] {
            builder.take(&trade(second, 6), &mut out);
        }
        let partial: Vec<bool> = out.iter().map(|bar| bar.is_partial).collect();
        assert_eq!(partial, [true, true, false]);
    }

    #[test]
    fn a_day_is_not_made_of_trades() {
        assert!(Builder::new(Interval::Day).is_some() == Interval::Day.seconds().is_some());
        assert!(Builder::new(Interval::Month).is_none());
    }
}
