//! The market: bars, trades and quotes of anything at any time, out of a seed.
//!
//! Why a pure function of seed, symbol and time: every provider tells of the same market, a test can ask
//! for any day without the days before it, and two runs see the same. What is not over at `now` is cut
//! there: the last bar is open while it is being made.
//! Simplified: there is no trading outside the session of New York, and no trade is ever cancelled.
//! Not here: how a provider spells it ([`mod@crate::providers`]). Start reading at [`day`].

pub mod calendar;
pub(crate) mod chance;
pub(crate) mod day;
pub mod economy;
pub mod listing;
pub mod news;

use jiff::Timestamp;
use jiff::civil::{Date, Weekday};
use rust_decimal::Decimal;

use calendar::{Calendar, Session, day_number, later, utc_date, utc_midnight};
use chance::Chance;
use day::{Day, Print, Slot};
use listing::{Dividend, Listing};

/// Why there is no market.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MarketError {
    /// The time zone database lacks New York.
    #[error("there is no time zone America/New_York")]
    NoZone(#[source] jiff::Error),
}

/// The length of a bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// So many seconds, a divisor of 60.
    Seconds(i64),
    /// So many minutes, less than a day.
    Minutes(i64),
    /// So many days, counted from 1970.
    Days(i64),
    /// From Monday to Sunday.
    Week,
    /// So many months of the calendar, counted from January.
    Months(i64),
}

/// Where bars of hours begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// At midnight: the first bar of the session begins at 09:00.
    Midnight,
    /// At the session's open: the first bar begins at 09:30.
    Open,
}

/// What is done to old prices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Adjust {
    /// Prices before a split are divided, volumes multiplied.
    pub splits: bool,
    /// Prices before a dividend are lowered by its part of the price.
    pub dividends: bool,
}

/// Which of many rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// The oldest ones.
    First(usize),
    /// The newest ones.
    Last(usize),
}

/// A question for bars.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'l> {
    /// Of what.
    pub listing: &'l Listing,
    /// How long each.
    pub step: Step,
    /// Where bars of hours begin.
    pub anchor: Anchor,
    /// First second of the first bar, at the earliest.
    pub from: i64,
    /// First second of the last bar, exclusive.
    pub to: i64,
    /// What time it is.
    pub now: Timestamp,
    /// What is done to old prices.
    pub adjust: Adjust,
    /// Which, when there are too many.
    pub take: Take,
}

impl<'l> Ask<'l> {
    /// Asks for all bars of `step` there are at `now`, as they were traded.
    pub const fn of(listing: &'l Listing, step: Step, now: Timestamp) -> Self {
        Self {
            listing,
            step,
            anchor: Anchor::Midnight,
            from: 0,
            to: i64::MAX / 4,
            now,
            adjust: Adjust {
                splits: false,
                dividends: false,
            },
            take: Take::First(usize::MAX),
        }
    }
}

/// A bar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bar {
    /// Its date: in New York for what is traded there, else in UTC.
    pub date: Date,
    /// First second of its span; a day begins at midnight of where it is traded.
    pub start: i64,
    /// The second after its span, as long as sessions last.
    pub end: i64,
    /// First second of trading in it.
    pub opened: i64,
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
    /// Of it, what was bought by who crossed the spread.
    pub bought: Decimal,
    /// Money that changed hands.
    pub notional: Decimal,
    /// Average price, six digits after the point.
    pub vwap: Decimal,
    /// Number of trades.
    pub trades: i64,
    /// Whether it is still being made.
    pub is_open: bool,
}

/// A trade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trade {
    /// Nanoseconds since 1970.
    pub at_ns: i128,
    /// Price.
    pub price: Decimal,
    /// Size.
    pub size: Decimal,
    /// Whether the buyer crossed the spread.
    pub is_buy: bool,
    /// Its number, without gaps.
    pub id: i64,
}

/// Best bid and ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Nanoseconds since 1970.
    pub at_ns: i128,
    /// Best bid.
    pub bid: Decimal,
    /// Best ask.
    pub ask: Decimal,
    /// Size at the bid.
    pub bid_size: Decimal,
    /// Size at the ask.
    pub ask_size: Decimal,
    /// Its number.
    pub id: i64,
}

/// The market.
#[derive(Clone, Debug)]
pub struct Market {
    seed: u64,
    calendar: Calendar,
    is_revised: bool,
}

/// What happened to old prices since: what it was on, factor of prices, shares after and before.
#[derive(Clone, Copy, Debug)]
struct Since {
    on: Date,
    price: Decimal,
    shares: (i64, i64),
}

impl Market {
    /// Makes the market of `seed`.
    ///
    /// # Errors
    /// [`MarketError::NoZone`] when the time zone database lacks New York.
    pub fn new(seed: u64) -> Result<Self, MarketError> {
        Ok(Self {
            seed,
            calendar: Calendar::new()?,
            is_revised: false,
        })
    }

    /// Returns the same market after its days were corrected: a little more volume, a wider range.
    #[must_use]
    pub fn revised(&self) -> Self {
        let mut market = self.clone();
        market.is_revised = true;
        market
    }

    /// Returns the sessions of New York.
    pub const fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// Returns what has that canonical symbol (`AAPL`, `BTC/USD`); `None` when nothing has it.
    pub fn listing(&self, symbol: &str) -> Option<Listing> {
        Listing::find(self.seed, symbol)
    }

    pub(crate) fn chance(&self, name: &str) -> Chance {
        Chance::of(self.seed).on(name)
    }

    /// Returns the span of trading on `date`; `None` when there is none.
    pub fn session(&self, listing: &Listing, date: Date) -> Option<Session> {
        if date < listing.listed {
            return None;
        }
        if listing.is_crypto() {
            let open = utc_midnight(date);
            let close = open + 86_400;
            return Some(Session { open, close });
        }
        self.calendar.session(date)
    }

    /// Returns the date at `second` where the thing is traded.
    pub fn date(&self, listing: &Listing, second: i64) -> Date {
        if listing.is_crypto() {
            utc_date(second)
        } else {
            self.calendar.date(second)
        }
    }

    /// Returns midnight of `date` where the thing is traded.
    pub fn midnight(&self, listing: &Listing, date: Date) -> i64 {
        if listing.is_crypto() {
            utc_midnight(date)
        } else {
            self.calendar.midnight(date)
        }
    }

    fn day<'l>(&self, listing: &'l Listing, date: Date) -> Option<Day<'l>> {
        let session = self.session(listing, date)?;
        let factor = listing.shares_after(date, Date::MAX);
        Some(Day::new(listing, date, session, factor, self.is_revised))
    }

    /// Returns the minutes of `date` as far as they have come by `now`.
    fn minutes(&self, listing: &Listing, date: Date, now: Timestamp) -> Vec<Slot> {
        let Some(day) = self.day(listing, date) else {
            return Vec::new();
        };
        let mut slots = day.minutes();
        let (now, now_ns) = (now.as_second(), now.as_nanosecond());
        let over = slots.iter().take_while(|s| s.start + 60 <= now).count();
        let open = slots.get(over).filter(|slot| slot.start <= now).copied();
        slots.truncate(over);
        if let Some(slot) = open {
            let mut trades = day.trades(&slot);
            trades.retain(|trade| trade.at_ns <= now_ns);
            slots.extend(day::summed(slot.start, slot.before, &trades));
        }
        slots
    }

    /// Returns bars, oldest first.
    pub fn bars(&self, ask: &Ask<'_>) -> Vec<Bar> {
        let today = self.date(ask.listing, ask.now.as_second());
        let from = self.date(ask.listing, ask.from).max(ask.listing.listed);
        let until = ask.to.min(ask.now.as_second() + 1);
        let to = self.date(ask.listing, until.saturating_sub(1));
        let since = self.since(ask, from, today);
        let (wanted, is_reverse) = match ask.take {
            Take::First(count) => (count, false),
            Take::Last(count) => (count, true),
        };
        let mut bars = Vec::new();
        let mut at = if is_reverse { to } else { from };
        while at >= from && at <= to && bars.len() < wanted {
            let (first, next) = Self::bucket(ask.step, at);
            let mut some = self.bars_of(ask, first, next, &since);
            some.retain(|bar| bar.start >= ask.from && bar.start < ask.to);
            if is_reverse {
                some.reverse();
            }
            bars.append(&mut some);
            let following = if is_reverse { later(first, -1) } else { next };
            if following == at {
                break;
            }
            at = following;
        }
        bars.truncate(wanted);
        if is_reverse {
            bars.reverse();
        }
        bars
    }

    /// Returns the dates that stand in one step with `date`: the first, and the one after the last.
    fn bucket(step: Step, date: Date) -> (Date, Date) {
        match step {
            Step::Seconds(_) | Step::Minutes(_) => (date, later(date, 1)),
            Step::Days(count) => {
                let first = later(date, -day_number(date).rem_euclid(count.max(1)));
                (first, later(first, count.max(1)))
            }
            Step::Week => {
                let first = later(date, -i64::from(date.weekday().since(Weekday::Monday)));
                (first, later(first, 7))
            }
            Step::Months(count) => {
                let past = (i64::from(date.month()) - 1).rem_euclid(count.max(1));
                let first = date.first_of_month();
                let month = |date: Date, months: i64| {
                    let moved = date.checked_add(jiff::Span::new().months(months));
                    moved.unwrap_or(date)
                };
                let first = month(first, -past);
                (first, month(first, count.max(1)))
            }
        }
    }

    fn bars_of(&self, ask: &Ask<'_>, first: Date, next: Date, since: &[Since]) -> Vec<Bar> {
        let listing = ask.listing;
        let now = ask.now.as_second();
        match ask.step {
            Step::Minutes(count) => {
                let slots = self.minutes(listing, first, ask.now);
                self.grouped(ask, first, &slots, count * 60, since)
            }
            Step::Seconds(count) => {
                let wide = |slot: &Slot| slot.start + 60 > ask.from && slot.start < ask.to;
                let slots = self.minutes(listing, first, ask.now);
                let trades = slots
                    .iter()
                    .filter(|slot| wide(slot))
                    .flat_map(|slot| self.prints(listing, first, slot))
                    .filter(|print| print.at_ns <= ask.now.as_nanosecond());
                let slots: Vec<Slot> = trades
                    .filter_map(|print| day::summed(second(print.at_ns), 0, &[print]))
                    .collect();
                self.grouped(ask, first, &slots, count, since)
            }
            Step::Days(_) | Step::Week | Step::Months(_) => {
                let mut slots = Vec::new();
                let mut end = 0;
                let mut date = first;
                while date < next {
                    if let Some(session) = self.session(listing, date) {
                        end = session.close;
                        let day = self.minutes(listing, date, ask.now);
                        if let Some(mut slot) = day::joined(&day) {
                            // A bucket across a split is told in the last day's shares.
                            if first != later(next, -1) {
                                slot = rescaled(slot, listing.shares_after(date, later(next, -1)));
                            }
                            slots.push(slot);
                        }
                    }
                    date = later(date, 1);
                }
                let start = self.midnight(listing, first);
                let told = if next == later(first, 1) {
                    first
                } else {
                    later(next, -1)
                };
                let bar = day::joined(&slots).map(|slot| {
                    let span = (start, end.max(slot.start));
                    let mut bar = finished(listing, told, slot, span, now, since);
                    bar.date = first;
                    bar
                });
                bar.into_iter().collect()
            }
        }
    }

    /// Puts the slots of one day together into bars of `size` seconds.
    fn grouped(
        &self,
        ask: &Ask<'_>,
        date: Date,
        slots: &[Slot],
        size: i64,
        since: &[Since],
    ) -> Vec<Bar> {
        let base = match (ask.anchor, self.session(ask.listing, date)) {
            (Anchor::Open, Some(session)) => session.open,
            (Anchor::Midnight | Anchor::Open, _) => self.midnight(ask.listing, date),
        };
        let size = size.max(1);
        slots
            .chunk_by(|a, b| (a.start - base).div_euclid(size) == (b.start - base).div_euclid(size))
            .filter_map(|group| {
                let slot = day::joined(group)?;
                let start = base + (slot.start - base).div_euclid(size) * size;
                let span = (start, start + size);
                let now = ask.now.as_second();
                Some(finished(ask.listing, date, slot, span, now, since))
            })
            .collect()
    }

    /// Returns what changes prices of days from `from` on, as it is known today.
    fn since(&self, ask: &Ask<'_>, from: Date, today: Date) -> Vec<Since> {
        let mut since = Vec::new();
        if ask.adjust.splits {
            let known = |split: &&listing::Split| split.on > from && split.on <= today;
            for split in ask.listing.splits.iter().filter(known) {
                since.push(Since {
                    on: split.on,
                    price: Decimal::from(split.from) / Decimal::from(split.to),
                    shares: (split.to, split.from),
                });
            }
        }
        if ask.adjust.dividends {
            for dividend in self.dividends(ask.listing, later(from, 1), later(today, 1)) {
                let before = self.closed_before(ask.listing, dividend.ex);
                let price = Decimal::ONE - dividend.cash / before.max(dividend.cash);
                since.push(Since {
                    on: dividend.ex,
                    price,
                    shares: (1, 1),
                });
            }
        }
        since
    }

    /// Returns dividends with their first day without right in `from..to`, oldest first.
    pub fn dividends(&self, listing: &Listing, from: Date, to: Date) -> Vec<Dividend> {
        let price = |date: Date| self.closed_before(listing, date);
        listing.dividends(&self.calendar, from, to, price)
    }

    /// Returns the last price before `date`, as it was traded then.
    pub fn closed_before(&self, listing: &Listing, date: Date) -> Decimal {
        let mut day = date;
        for _ in 0..10 {
            day = later(day, -1);
            if let Some(day) = self.day(listing, day) {
                return Decimal::new(day.frame().3, listing.price_scale);
            }
        }
        Decimal::ZERO
    }

    fn prints(&self, listing: &Listing, date: Date, slot: &Slot) -> Vec<Print> {
        let day = self.day(listing, date);
        let whole = day.and_then(|day| {
            let slots = day.minutes();
            let whole = slots.into_iter().find(|s| s.start == slot.start)?;
            Some(day.trades(&whole))
        });
        whole.unwrap_or_default()
    }

    /// Returns trades with a time in `from_ns..to_ns` that have happened by `now`, oldest first.
    pub fn trades(
        &self,
        listing: &Listing,
        span_ns: (i128, i128),
        now: Timestamp,
        take: Take,
    ) -> Vec<Trade> {
        let (from_ns, to_ns) = (span_ns.0, span_ns.1.min(now.as_nanosecond() + 1));
        let (wanted, is_reverse) = match take {
            Take::First(count) => (count, false),
            Take::Last(count) => (count, true),
        };
        let first = self.date(listing, second(from_ns)).max(listing.listed);
        let last = self.date(listing, second(to_ns - 1));
        let mut found = Vec::new();
        let mut date = if is_reverse { last } else { first };
        while date >= first && date <= last && found.len() < wanted {
            if let Some(day) = self.day(listing, date) {
                let mut slots = day.minutes();
                slots.retain(|slot| {
                    let start = i128::from(slot.start) * 1_000_000_000;
                    start < to_ns && start + 60_000_000_000 > from_ns
                });
                if is_reverse {
                    slots.reverse();
                }
                for slot in &slots {
                    let mut prints = day.trades(slot);
                    prints.retain(|print| print.at_ns >= from_ns && print.at_ns < to_ns);
                    if is_reverse {
                        prints.reverse();
                    }
                    found.extend(prints);
                    if found.len() >= wanted {
                        break;
                    }
                }
            }
            date = later(date, if is_reverse { -1 } else { 1 });
        }
        found.truncate(wanted);
        if is_reverse {
            found.reverse();
        }
        found.iter().map(|print| told(listing, print)).collect()
    }

    /// Returns up to `count` trades from number `id` on that have happened by `now`. Only of what is
    /// traded without a pause: elsewhere numbers have gaps at night.
    pub fn trades_from(
        &self,
        listing: &Listing,
        id: i64,
        now: Timestamp,
        count: usize,
    ) -> Vec<Trade> {
        let mut found = Vec::new();
        let mut date = later(utc_date(0), id.div_euclid(listing.trades)).max(listing.listed);
        while found.len() < count && self.midnight(listing, date) <= now.as_second() {
            if let Some(day) = self.day(listing, date) {
                for slot in day.minutes() {
                    let first = day_number(date) * listing.trades + slot.before;
                    if first + slot.trades <= id || found.len() >= count {
                        continue;
                    }
                    let prints = day.trades(&slot);
                    let wanted = |p: &&Print| p.id >= id && p.at_ns <= now.as_nanosecond();
                    found.extend(prints.iter().filter(wanted).map(|p| told(listing, p)));
                }
            }
            date = later(date, 1);
        }
        found.truncate(count);
        found
    }

    /// Returns the newest trade by `now`; `None` before the first.
    pub fn last_trade(&self, listing: &Listing, now: Timestamp) -> Option<Trade> {
        let now_ns = now.as_nanosecond();
        // The longest pause of the exchange is shorter than ten days.
        let span = (now_ns - 10 * 86_400 * 1_000_000_000, now_ns + 1);
        self.trades(listing, span, now, Take::Last(1)).pop()
    }

    /// Returns the bid and ask in front of `trade`: who crossed the spread took one of them.
    pub fn quote(&self, listing: &Listing, trade: &Trade) -> Quote {
        let chance = listing.noise.on("quote").at(trade.id);
        let grid = Decimal::new(listing.grid, listing.price_scale);
        let spread = grid * Decimal::from(chance.on("spread").between(1, 3));
        let (bid, ask) = if trade.is_buy {
            (trade.price - spread, trade.price)
        } else {
            (trade.price, trade.price + spread)
        };
        let size = |name: &str| {
            let many = trade.size * Decimal::from(chance.on(name).between(1, 9));
            if listing.is_crypto() {
                many
            } else {
                Decimal::from(chance.on(name).between(1, 40))
            }
        };
        Quote {
            at_ns: trade.at_ns - 1_000,
            bid,
            ask,
            bid_size: size("bid"),
            ask_size: size("ask"),
            id: trade.id,
        }
    }
}

/// Returns whole seconds, rounded down.
pub(crate) fn second(ns: i128) -> i64 {
    let end = i128::from(i64::MAX / 4);
    let second = ns.div_euclid(1_000_000_000).clamp(-end, end);
    i64::try_from(second).unwrap_or(0)
}

fn told(listing: &Listing, print: &Print) -> Trade {
    Trade {
        at_ns: print.at_ns,
        price: Decimal::new(print.price, listing.price_scale),
        size: Decimal::new(print.size, listing.size_scale),
        is_buy: print.is_buy,
        id: print.id,
    }
}

fn rescaled(slot: Slot, (to, from): (i64, i64)) -> Slot {
    Slot {
        open: slot.open * from / to,
        high: slot.high * from / to,
        low: slot.low * from / to,
        close: slot.close * from / to,
        volume: slot.volume * to / from,
        bought: slot.bought * to / from,
        ..slot
    }
}

/// Turns whole numbers into a bar and does to it what happened since.
fn finished(
    listing: &Listing,
    date: Date,
    slot: Slot,
    (start, end): (i64, i64),
    now: i64,
    since: &[Since],
) -> Bar {
    let mut factor = Decimal::ONE;
    let mut shares = Decimal::ONE;
    for event in since.iter().filter(|event| event.on > date) {
        factor *= event.price;
        shares = shares * Decimal::from(event.shares.0) / Decimal::from(event.shares.1);
    }
    let digits = if factor == Decimal::ONE { 28 } else { 6 };
    let price = |units: i64| {
        let price = Decimal::new(units, listing.price_scale) * factor;
        price.round_dp(digits.min(price.scale()))
    };
    let size = |units: i64| {
        let size = Decimal::new(units, listing.size_scale) * shares;
        size.round_dp(listing.size_scale)
    };
    let scale = listing.price_scale + listing.size_scale;
    let notional = Decimal::try_from_i128_with_scale(slot.notional, scale).unwrap_or_default();
    let volume = size(slot.volume);
    let vwap = notional.checked_div(volume).unwrap_or_default() * factor * shares;
    Bar {
        date,
        start,
        end,
        opened: slot.start,
        open: price(slot.open),
        high: price(slot.high),
        low: price(slot.low),
        close: price(slot.close),
        volume,
        bought: size(slot.bought),
        notional,
        vwap: vwap.round_dp(6),
        trades: slot.trades,
        is_open: end > now,
    }
}

/// Puts neighbouring bars together; `None` of none.
pub(crate) fn merged(bars: &[Bar]) -> Option<Bar> {
    let (first, last) = (bars.first()?, bars.last()?);
    let (first, last) = if first.start <= last.start {
        (first, last)
    } else {
        (last, first)
    };
    let sum = |field: fn(&Bar) -> Decimal| bars.iter().map(field).sum::<Decimal>();
    let volume = sum(|bar| bar.volume);
    let weighed = sum(|bar| bar.vwap * bar.volume);
    Some(Bar {
        end: last.end,
        close: last.close,
        high: bars.iter().map(|bar| bar.high).max()?,
        low: bars.iter().map(|bar| bar.low).min()?,
        volume,
        bought: sum(|bar| bar.bought),
        notional: sum(|bar| bar.notional),
        vwap: weighed.checked_div(volume).unwrap_or_default().round_dp(6),
        trades: bars.iter().map(|bar| bar.trades).sum(),
        is_open: last.is_open,
        ..first.clone()
    })
}
