//! Look-ahead, doubled orders, two traders on one account.

pub mod fitted_on_whole_series;
pub mod order_without_client_id;
pub mod shuffled_split;
pub mod two_traders_one_account;

use crate::rule::{PythonRule, Rule};
use crate::source::Source;

/// Rules over the whole repository.
pub const RULES: &[&dyn Rule] = &[
    &fitted_on_whole_series::FittedOnWholeSeries,
    &order_without_client_id::OrderWithoutClientId,
    &shuffled_split::ShuffledSplit,
    &two_traders_one_account::TwoTradersOneAccount,
];

/// Rules over one Python file.
pub const PYTHON_RULES: &[&dyn PythonRule] = &[];

/// Says whether a file is about prices over time, so that the sequence of its rows has a meaning.
fn is_about_prices(source: &Source) -> bool {
    let text = source.text(1..=source.length()).to_lowercase();
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    let mut seen = std::collections::BTreeSet::new();
    for word in words {
        if matches!(
            word,
            "close"
                | "closes"
                | "ohlcv"
                | "ohlc"
                | "candle"
                | "candles"
                | "bars"
                | "rsi"
                | "sma"
                | "ema"
                | "macd"
                | "ticker"
                | "yfinance"
                | "stock"
                | "stocks"
                | "ccxt"
                | "btc"
                | "price"
                | "prices"
                | "returns"
                | "backtest"
                | "trading"
        ) {
            seen.insert(word);
        }
    }
    seen.len() >= 2
}
