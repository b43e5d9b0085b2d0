//! One day of one thing: its bar, the minutes that add up to it, the trades that add up to a minute.
//!
//! Why from the top down: a day is made from its own number, not from the day before, and its minutes are
//! made to fit. So anything can be asked for first. All in whole numbers: price units and size units.
//! - A minute's first, highest, lowest and last trade are its bar, and the sizes add up to its volume.
//! - The minutes' first open, highest, lowest and last close are the day's bar, and volumes and trades
//!   add up. The money that changed hands adds up over minutes; over trades only nearly.
//!
//! Not here: which days there are ([`super::calendar`]), times of day, decimals ([`super`]).

use super::calendar::{Session, day_number};
use super::chance::{Chance, divided};
use super::listing::Listing;

/// The level of prices wanders on these periods, in seconds, by so many millionths.
const WAVES: [(i64, i64); 6] = [
    (1_024 * 86_400, 180_000),
    (256 * 86_400, 90_000),
    (64 * 86_400, 50_000),
    (16 * 86_400, 25_000),
    (4 * 86_400, 12_000),
    (86_400, 6_000),
];

/// The price wanders within a day on these periods, in minutes, by so many parts of the day's range.
const RIPPLES: [(i64, i64); 3] = [(64, 2), (16, 5), (4, 12)];

/// A bar in whole numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    /// First second.
    pub(crate) start: i64,
    pub(crate) open: i64,
    pub(crate) high: i64,
    pub(crate) low: i64,
    pub(crate) close: i64,
    pub(crate) volume: i64,
    /// Of the volume, what was bought by who crossed the spread.
    pub(crate) bought: i64,
    /// Price units times size units.
    pub(crate) notional: i128,
    pub(crate) trades: i64,
    /// Trades of the same day before it.
    pub(crate) before: i64,
}

/// A trade in whole numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Print {
    /// Nanoseconds since 1970.
    pub(crate) at_ns: i128,
    pub(crate) price: i64,
    pub(crate) size: i64,
    pub(crate) is_buy: bool,
    /// Number of the trade since the beginning of counting, without gaps.
    pub(crate) id: i64,
}

/// A day of one thing. A revised day has a little more volume and a slightly wider range.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Day<'l> {
    listing: &'l Listing,
    session: Session,
    number: i64,
    /// Shares of the last day in one share of this day.
    factor: (i64, i64),
    is_revised: bool,
    chance: Chance,
}

impl<'l> Day<'l> {
    /// Takes the day `date`, traded over `session`; `factor` is [`Listing::shares_after`] to the end.
    pub(crate) fn new(
        listing: &'l Listing,
        date: jiff::civil::Date,
        session: Session,
        factor: (i64, i64),
        is_revised: bool,
    ) -> Self {
        let number = day_number(date);
        Self {
            listing,
            session,
            number,
            factor,
            is_revised,
            chance: listing.noise.on("day").at(number),
        }
    }

    fn price(&self, units: i64) -> i64 {
        let (to, from) = self.factor;
        let grid = self.listing.grid;
        (units * to / from / grid * grid).max(grid)
    }

    fn level(&self, second: i64) -> i64 {
        let ppm: i64 = WAVES
            .iter()
            .map(|&(period, size)| self.listing.level.at(period).wander(second, period, size))
            .sum();
        self.listing.base / 1_000 * (1_000_000 + ppm) / 1_000
    }

    /// Returns open, high, low and close of the whole day.
    pub(crate) fn frame(&self) -> (i64, i64, i64, i64) {
        let open = self.price(self.level(self.session.open));
        let close = self.price(self.level(self.session.close));
        let grid = self.listing.grid;
        let reach = |name: &str| {
            let wick = self.listing.base / 1_000 * self.chance.on(name).between(1, 9);
            let (to, from) = self.factor;
            (wick * to / from / grid * grid).max(2 * grid)
        };
        let revised = if self.is_revised { grid } else { 0 };
        let high = open.max(close) + reach("high") + revised;
        let low = (open.min(close) - reach("low")).max(grid);
        (open, high, low, close)
    }

    fn volume(&self) -> i64 {
        let (to, from) = self.factor;
        let usual = self.listing.daily / 1_000 * self.chance.on("volume").between(600, 1_500);
        let odd = self.chance.on("odd").below(1_000);
        let usual = (usual + odd) * from / to;
        let revised = if self.is_revised { usual / 100 + 1 } else { 0 };
        // Each trade moves something.
        (usual + revised).max(self.listing.trades * 2)
    }

    /// Returns the minutes in which something was traded, oldest first.
    pub(crate) fn minutes(&self) -> Vec<Slot> {
        let count = (self.session.close - self.session.open) / 60;
        let (open, high, low, close) = self.frame();
        let peak = self.chance.on("peak").between(1, count - 2);
        let trough = (peak + self.chance.on("trough").between(1, count - 3)) % (count - 1);
        let is_traded = |minute: i64| {
            !self.listing.is_thin
                || minute == 0
                || minute == count - 1
                || minute == peak
                || minute == trough
                || self.chance.on("traded").at(minute).below(3) > 0
        };
        let weight = self.chance.on("weight");
        let traded: Vec<i64> = (0..count).filter(|minute| is_traded(*minute)).collect();
        let few = 4 * i64::try_from(traded.len()).unwrap_or(0);
        let weights: Vec<i64> = traded
            .iter()
            .map(|minute| {
                // More at the open and at the close, less at noon.
                let from_noon = (2 * minute - count).abs() * 10 / count;
                (4 + from_noon) * weight.at(*minute).between(2, 8)
            })
            .collect();
        let many_trades = divided(self.listing.trades - few, &weights);
        let volumes = divided(self.volume() - self.listing.trades, &weights);
        let grid = self.listing.grid;
        let mut before = 0;
        let mut last = open;
        let mut slots = Vec::with_capacity(traded.len());
        // Names are hashed here once, not in each of up to 1 440 minutes.
        let [opens, tops, bottoms, bought] =
            ["open", "top", "bottom", "bought"].map(|name| self.chance.on(name));
        let walk = self.chance.on("walk");
        let ripples = RIPPLES.map(|(period, part)| (walk.at(period), period, (high - low) / part));
        for (place, &minute) in traded.iter().enumerate() {
            let step = |of: Chance, most: i64| of.at(minute).below(most + 1) * grid;
            let first = if minute == 0 {
                open
            } else {
                (last + step(opens, 2) - grid).clamp(low, high)
            };
            let ended = if minute == count - 1 {
                close
            } else {
                self.walked(minute, count, (open, high, low, close), &ripples)
            };
            let wick = (high - low) / grid / 40;
            let top = (first.max(ended) + step(tops, wick)).min(high);
            let bottom = (first.min(ended) - step(bottoms, wick)).max(low);
            let many = 4 + many_trades.get(place).copied().unwrap_or(0);
            let volume = many + volumes.get(place).copied().unwrap_or(0);
            let slot = Slot {
                start: self.session.open + minute * 60,
                open: first,
                high: if minute == peak { high } else { top },
                low: if minute == trough { low } else { bottom },
                close: ended,
                volume,
                bought: volume / 100 * bought.at(minute).between(30, 70),
                notional: 0,
                trades: many,
                before,
            };
            let typical = i128::from(slot.open + slot.high + slot.low + slot.close);
            slots.push(Slot {
                notional: typical * i128::from(volume) / 4,
                ..slot
            });
            before += many;
            last = ended;
        }
        slots
    }

    /// Returns where the price stands at the end of `minute`.
    fn walked(
        &self,
        minute: i64,
        count: i64,
        (open, high, low, close): (i64, i64, i64, i64),
        ripples: &[(Chance, i64, i64); 3],
    ) -> i64 {
        let straight = open + (close - open) * (minute + 1) / count;
        // The walk must come home: the last quarter of an hour has less and less noise.
        let home = (count - 1 - minute).min(16);
        let noise: i64 = ripples
            .iter()
            .map(|(chance, period, size)| chance.wander(minute, *period, *size))
            .sum();
        let grid = self.listing.grid;
        (straight + noise * home / 16).clamp(low, high) / grid * grid
    }

    /// Returns the trades of one of [`Self::minutes`], oldest first.
    pub(crate) fn trades(&self, slot: &Slot) -> Vec<Print> {
        let chance = self.chance.on("trades").at(slot.start);
        let count = slot.trades;
        let weight = chance.on("size");
        let weights: Vec<i64> = (0..count).map(|n| weight.at(n).between(1, 9)).collect();
        let sizes = divided(slot.volume - count, &weights);
        let [prices, times, takers] = ["price", "time", "side"].map(|name| chance.on(name));
        // Of the trades between the first and the last, one is the highest and one the lowest.
        let top_first = chance.on("order").below(2) == 0;
        let (top, bottom) = if top_first { (1, 2) } else { (2, 1) };
        let grid = self.listing.grid;
        let steps = (slot.high - slot.low) / grid;
        let width = 60_000_000_000 / count;
        (0..count)
            .map(|n| {
                let any = slot.low + prices.at(n).between(0, steps) * grid;
                let price = match n {
                    0 => slot.open,
                    n if n == count - 1 => slot.close,
                    n if n == top => slot.high,
                    n if n == bottom => slot.low,
                    _ => any,
                };
                let at = n * width + times.at(n).below(width);
                Print {
                    at_ns: i128::from(slot.start) * 1_000_000_000 + i128::from(at),
                    price,
                    size: 1 + usize::try_from(n)
                        .ok()
                        .and_then(|n| sizes.get(n).copied())
                        .unwrap_or(0),
                    is_buy: takers.at(n).below(2) == 0,
                    id: self.number * self.listing.trades + slot.before + n,
                }
            })
            .collect()
    }
}

/// Puts neighbouring bars together; `None` of none.
pub(crate) fn joined(slots: &[Slot]) -> Option<Slot> {
    let (first, last) = (slots.first()?, slots.last()?);
    let mut whole = Slot {
        close: last.close,
        volume: 0,
        bought: 0,
        notional: 0,
        trades: 0,
        ..*first
    };
    for slot in slots {
        whole.high = whole.high.max(slot.high);
        whole.low = whole.low.min(slot.low);
        whole.volume += slot.volume;
        whole.bought += slot.bought;
        whole.notional += slot.notional;
        whole.trades += slot.trades;
    }
    Some(whole)
}

/// Puts trades together to the bar that began at `start`; `None` of none. `before` counts the day's trades.
pub(crate) fn summed(start: i64, before: i64, trades: &[Print]) -> Option<Slot> {
    let (first, last) = (trades.first()?, trades.last()?);
    let mut slot = Slot {
        start,
        open: first.price,
        high: first.price,
        low: first.price,
        close: last.price,
        volume: 0,
        bought: 0,
        notional: 0,
        trades: 0,
        before,
    };
    for trade in trades {
        slot.high = slot.high.max(trade.price);
        slot.low = slot.low.min(trade.price);
        slot.volume += trade.size;
        slot.bought += if trade.is_buy { trade.size } else { 0 };
        slot.notional += i128::from(trade.price) * i128::from(trade.size);
        slot.trades += 1;
    }
    Some(slot)
}
