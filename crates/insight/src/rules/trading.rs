//! Look-ahead, doubled orders, two traders on one account.

pub mod fitted_on_whole_series;
pub mod order_error_swallowed;
pub mod order_without_client_id;
pub mod shuffled_split;
pub mod two_traders_one_account;

use tradewind_catalog::UseCase;
use tradewind_catalog::endpoint::ParameterRole;
use tradewind_repo::api_map::ApiCall;

use crate::rule::{Context, PythonRule, Rule};
use crate::source::Source;

/// Rules over the whole repository.
pub const RULES: &[&dyn Rule] = &[
    &fitted_on_whole_series::FittedOnWholeSeries,
    &order_error_swallowed::OrderErrorSwallowed,
    &order_without_client_id::OrderWithoutClientId,
    &shuffled_split::ShuffledSplit,
    &two_traders_one_account::TwoTradersOneAccount,
];

/// Rules over one Python file.
pub const PYTHON_RULES: &[&dyn PythonRule] = &[];

/// Says whether a call asks a venue to buy or sell, where the venue knows client order ids.
fn sends_order(context: &Context<'_>, call: &ApiCall) -> bool {
    if call.use_case != Some(UseCase::Order) {
        return false;
    }
    let Some(provider) = context.catalog.provider(&call.provider) else {
        return false;
    };
    let takes_id = |id: &str| {
        let endpoint = provider.endpoint(id);
        endpoint.is_some_and(|e| e.parameter_for(ParameterRole::ClientOrderId).is_some())
    };
    match call.endpoint.as_deref() {
        Some(id) => takes_id(id),
        // A package's call to a market that the catalog does not describe: as on those that it does.
        None => provider
            .endpoints
            .iter()
            .any(|endpoint| takes_id(&endpoint.id)),
    }
}

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
