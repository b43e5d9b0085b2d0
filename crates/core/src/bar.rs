//! Rows of market data as every room sees them: bars, quotes, trades and articles.
//!
//! Why decimals: a price that went through a float is another price. Why every row says when: two rows
//! without a time cannot be merged. Not here: who said so and when it was fetched (the room `market`).

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// What happened over `[start, start + interval)`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bar {
    /// Start of the bar.
    pub start: Timestamp,
    /// First price.
    pub open: Decimal,
    /// Highest price.
    pub high: Decimal,
    /// Lowest price.
    pub low: Decimal,
    /// Last price.
    pub close: Decimal,
    /// Units traded; `None` where the provider counts none, as for currencies.
    pub volume: Option<Decimal>,
    /// Whether it will change no more.
    #[serde(rename = "final")]
    pub is_final: bool,
}

/// The best bid and ask, or the newest price, at a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// When it held.
    pub at: Timestamp,
    /// Best bid.
    pub bid: Option<Decimal>,
    /// Units wanted at the bid.
    pub bid_size: Option<Decimal>,
    /// Best ask.
    pub ask: Option<Decimal>,
    /// Units offered at the ask.
    pub ask_size: Option<Decimal>,
    /// Price of the last trade.
    pub last: Option<Decimal>,
}

/// One print.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trade {
    /// When it happened.
    pub at: Timestamp,
    /// The venue's own id of it; unique per venue and instrument where there is one.
    pub id: Option<String>,
    /// Price.
    pub price: Decimal,
    /// Units.
    pub size: Decimal,
    /// Who crossed the spread; `None` where the provider does not say.
    pub taker: Option<Side>,
}

/// A side of a trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Bought.
    Buy,
    /// Sold.
    Sell,
}

/// One article of news.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Article {
    /// When it was published.
    pub at: Timestamp,
    /// Headline.
    pub title: String,
    /// Where it stands.
    pub url: String,
    /// Who published it.
    pub publisher: Option<String>,
    /// What it says in short.
    pub summary: Option<String>,
    /// Symbols that it names, as the provider writes them.
    pub symbols: Vec<String>,
}
