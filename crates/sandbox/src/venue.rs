//! The practice venue: takes orders, once each, and fills them out of the made-up market.
//!
//! Why: whoever lets orders pass must prove that each arrives exactly once and as it was sent. So the venue
//! keeps every order with the body that came, and a client's id works once for ever.
//! - A market order fills at once, at the ask or the bid; where the market is shut, when it opens.
//! - A limit order fills when the market reaches its price, looked at whenever somebody asks.
//!
//! Not here: money (everybody can pay), partial fills, how a provider spells an order.

use std::fmt;

use jiff::Timestamp;
use rust_decimal::Decimal;

use crate::market::{Market, Quote, Take};

/// Upper bound on orders that are kept; beyond it none is taken.
pub(crate) const MAX_ORDERS: usize = 100_000;

/// How many trades are looked at in one piece.
const PIECE: usize = 5_000;

/// What became of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderState {
    /// It waits for its price.
    Open,
    /// It is done.
    Filled,
    /// It was taken back.
    Cancelled,
}

impl fmt::Display for OrderState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Filled => "filled",
            Self::Cancelled => "cancelled",
        })
    }
}

/// An order as it came and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its number, from 1.
    pub number: i64,
    /// Name of the provider.
    pub provider: &'static str,
    /// Whose it is.
    pub key: String,
    /// The client's own id of it.
    pub client_id: String,
    /// Symbol as the provider writes it.
    pub symbol: String,
    /// Canonical symbol.
    pub canonical: String,
    /// Whether it buys.
    pub is_buy: bool,
    /// How much.
    pub size: Decimal,
    /// The worst price; `None` for any.
    pub limit: Option<Decimal>,
    /// When it came.
    pub at: Timestamp,
    /// What became of it.
    pub state: OrderState,
    /// When it was filled or cancelled.
    pub done_at: Option<Timestamp>,
    /// Price at which it was filled.
    pub price: Option<Decimal>,
    /// The body or query that it came in, byte by byte.
    pub received: String,
    /// Time of the last trade that could not fill it, in nanoseconds.
    pub(crate) seen_ns: i128,
}

/// An order that was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rejected {
    /// The client has used this id before.
    Duplicate,
    /// The venue is full.
    Full,
}

/// All orders.
#[derive(Debug, Default)]
pub(crate) struct Venue {
    orders: Vec<Order>,
}

impl Venue {
    /// Takes an order; its number is given here.
    pub(crate) fn place(&mut self, mut order: Order, market: &Market) -> Result<Order, Rejected> {
        let is_same = |other: &Order| {
            other.provider == order.provider
                && other.key == order.key
                && other.client_id == order.client_id
        };
        if self.orders.iter().any(is_same) {
            return Err(Rejected::Duplicate);
        }
        if self.orders.len() >= MAX_ORDERS {
            return Err(Rejected::Full);
        }
        order.number = i64::try_from(self.orders.len()).unwrap_or(0) + 1;
        let now = order.at;
        settle(&mut order, market, now);
        self.orders.push(order.clone());
        Ok(order)
    }

    /// Returns the orders of `key` at `provider`, oldest first, as they stand at `now`.
    pub(crate) fn of(
        &mut self,
        provider: &str,
        key: &str,
        market: &Market,
        now: Timestamp,
    ) -> Vec<Order> {
        let mine = |order: &&mut Order| order.provider == provider && order.key == key;
        let mut found = Vec::new();
        for order in self.orders.iter_mut().filter(mine) {
            settle(order, market, now);
            found.push(order.clone());
        }
        found
    }

    /// Takes an open order back; `None` when there is no such open order.
    pub(crate) fn cancel(
        &mut self,
        provider: &str,
        key: &str,
        number: i64,
        now: Timestamp,
    ) -> Option<Order> {
        let order = self.orders.iter_mut().find(|order| {
            order.provider == provider
                && order.key == key
                && order.number == number
                && order.state == OrderState::Open
        })?;
        order.state = OrderState::Cancelled;
        order.done_at = Some(now);
        Some(order.clone())
    }

    /// Returns all orders, oldest first.
    pub(crate) fn all(&self) -> &[Order] {
        &self.orders
    }
}

/// Fills an open order when the market lets it.
fn settle(order: &mut Order, market: &Market, now: Timestamp) {
    let Some(listing) = market.listing(&order.canonical) else {
        return;
    };
    if order.state != OrderState::Open {
        return;
    }
    let came = order.at.as_nanosecond();
    let date = market.date(&listing, order.at.as_second());
    let session = market.session(&listing, date);
    let is_in_session = session.is_some_and(|session| {
        let second = order.at.as_second();
        second >= session.open && second < session.close
    });
    // An order that finds the market open meets the quote that is there.
    let waiting = market
        .last_trade(&listing, order.at)
        .filter(|_| is_in_session);
    if waiting.is_some_and(|trade| is_filled(order, &market.quote(&listing, &trade))) {
        order.done_at = Some(order.at);
        return;
    }
    // What has happened since somebody last asked, piece by piece.
    let mut from = order.seen_ns.max(came) + 1;
    loop {
        let some = market.trades(&listing, (from, i128::MAX / 2), now, Take::First(PIECE));
        for trade in &some {
            if is_filled(order, &market.quote(&listing, trade)) {
                order.done_at = Some(Timestamp::from_nanosecond(trade.at_ns).unwrap_or(now));
                return;
            }
        }
        let Some(last) = some.last() else { return };
        order.seen_ns = last.at_ns;
        from = last.at_ns + 1;
    }
}

/// Fills an order when a quote is good enough for it.
fn is_filled(order: &mut Order, quote: &Quote) -> bool {
    let (price, fits) = if order.is_buy {
        (
            quote.ask,
            order.limit.is_none_or(|limit| limit >= quote.ask),
        )
    } else {
        (
            quote.bid,
            order.limit.is_none_or(|limit| limit <= quote.bid),
        )
    };
    if fits {
        order.state = OrderState::Filled;
        order.price = Some(price);
    }
    fits
}
