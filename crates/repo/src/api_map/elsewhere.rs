//! Calls of brokers and providers that the catalog does not describe: by the package that asks, or by the host.
//!
//! Why: a map that leaves a broker out because nobody wrote its page yet hides the calls that move money. Only the
//! name is known here, so no rule judges these calls. Not here: providers of the catalog.

use std::collections::BTreeSet;

use super::build::blank;
use super::{ApiCall, ApiMap};
use crate::python::{Call, Code, Module};

/// Module of a package, and the name of whom it asks. The longest module that fits is meant.
const PACKAGES: &[(&str, &str)] = &[
    ("MetaTrader5", "metatrader5"),
    ("bitfinex", "bitfinex"),
    ("bitget", "bitget"),
    ("bitmex", "bitmex"),
    ("bittrex", "bittrex"),
    ("bybit", "bybit"),
    ("coinbase.rest", "coinbase-advanced"),
    ("deribit", "deribit"),
    ("dhanhq", "dhan"),
    ("fyers_api", "fyers"),
    ("fyers_apiv3", "fyers"),
    ("gate_api", "gate.io"),
    ("growwapi", "groww"),
    ("hyperliquid", "hyperliquid"),
    ("ib_async", "interactive-brokers"),
    ("ib_insync", "interactive-brokers"),
    ("ibind", "interactive-brokers"),
    ("iexfinance", "iex-cloud"),
    ("kiteconnect", "zerodha"),
    ("kucoin", "kucoin"),
    ("moomoo", "moomoo"),
    ("futu", "futu"),
    ("oandapyV20", "oanda"),
    ("okx", "okx"),
    ("pyEX", "iex-cloud"),
    ("pybit", "bybit"),
    ("pyupbit", "upbit"),
    ("pycoingecko", "coingecko"),
    ("robin_stocks", "robinhood"),
    ("schwab", "schwab"),
    ("smartapi", "angel-one"),
    ("SmartApi", "angel-one"),
    ("tastytrade", "tastytrade"),
    ("td.client", "td-ameritrade"),
    ("tda", "td-ameritrade"),
    ("v20", "oanda"),
    ("webull", "webull"),
];

/// Beginnings of methods that ask, as against those that set up.
const ASKS: &[&str] = &[
    "get_",
    "fetch_",
    "place_",
    "create_",
    "cancel_",
    "submit_",
    "post_",
    "order",
    "market_open",
    "market_close",
    "query_",
    "req",
    "copy_",
    "account_info",
    "positions_",
    "orders_",
    "history_",
    "symbol_info",
    "modify_",
    "amend_",
    "close_",
    "update_leverage",
    "user_state",
    "all_mids",
    "candles",
    "price_history",
    "historical",
    "quote",
    "balance",
    "positions",
    "account",
    "kline",
    "ticker",
    "trades",
];

/// Returns the calls of whom the catalog does not describe.
pub(super) fn calls(code: &Code, map: &ApiMap) -> Vec<ApiCall> {
    let known: BTreeSet<usize> = map.calls.iter().map(|call| call.carrier).collect();
    let mut found = Vec::new();
    for (carrier, outgoing) in map.outgoing.iter().enumerate() {
        let Some(host) = outgoing.host.as_deref() else {
            continue;
        };
        let place = || {
            let module = code.modules.get(outgoing.module)?;
            Some((module, module.calls.get(outgoing.call)?))
        };
        let is_here = host == "localhost" || host.starts_with("127.") || host.contains(['{', '}']);
        if let Some((module, call)) = place().filter(|_| !known.contains(&carrier) && !is_here) {
            found.push(ApiCall {
                provider: host.into(),
                ..blank(outgoing.module, module, outgoing.call, call, carrier)
            });
        }
    }
    let told: BTreeSet<(usize, usize)> = map
        .outgoing
        .iter()
        .map(|out| (out.module, out.call))
        .collect();
    let own: BTreeSet<&str> = code
        .modules
        .iter()
        .flat_map(|module| {
            module
                .functions
                .iter()
                .map(|function| function.name.as_ref())
        })
        .collect();
    for (at, module) in code.modules.iter().enumerate() {
        let imported = imported(module);
        for (index, call) in module.calls.iter().enumerate() {
            let by_object = || imported.filter(|_| is_client(call, &own));
            let name = asked(call).or_else(by_object);
            if let Some(name) = name.filter(|_| !told.contains(&(at, index))) {
                found.push(ApiCall {
                    provider: name.into(),
                    ..blank(at, module, index, call, usize::MAX)
                });
            }
        }
    }
    found.sort_by(|a, b| (&a.path, a.line, &a.provider).cmp(&(&b.path, b.line, &b.provider)));
    found.dedup_by(|a, b| (&a.path, a.line, &a.provider) == (&b.path, b.line, &b.provider));
    found
}

/// Returns whom a file asks, when it imports one such package.
fn imported(module: &Module) -> Option<&'static str> {
    let mut names = module
        .imports
        .iter()
        .filter_map(|import| package(&import.module));
    let first = names.next()?;
    names.all(|name| name == first).then_some(first)
}

/// Says whether a call asks through an object that was made elsewhere: `self.session.get_quotes(…)`, when the
/// repository itself has no function of that name.
fn is_client(call: &Call, own: &BTreeSet<&str>) -> bool {
    let Some((front, last)) = call.callee.rsplit_once('.') else {
        return false;
    };
    let object = front
        .rsplit('.')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    ["client", "session", "api", "broker", "exchange"]
        .iter()
        .any(|word| object.contains(word))
        && last.contains('_')
        && ASKS.iter().any(|start| last.starts_with(start))
        && !own.contains(last)
}

/// Returns whom a module of a package asks.
fn package(module: &str) -> Option<&'static str> {
    let fits = |(known, _): &&(&str, &str)| {
        let rest = module.strip_prefix(known);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    PACKAGES.iter().find(fits).map(|(_, name)| *name)
}

/// Returns whom a call asks through a package: `ib_insync.IB.reqHistoricalData`, `ccxt.bybit.fetch_ohlcv`.
fn asked(call: &Call) -> Option<&str> {
    let callee = call.callee.as_ref();
    let (front, last) = callee.rsplit_once('.')?;
    if !ASKS.iter().any(|start| last.starts_with(start)) {
        return None;
    }
    let mut parts = front.split('.');
    if parts.next() == Some("ccxt") {
        // `ccxt.async_support.bybit.fetch_ohlcv`: the venue is what is called.
        let venue = parts.find(|part| !matches!(*part, "async_support" | "pro"))?;
        return venue
            .starts_with(|c: char| c.is_ascii_lowercase())
            .then_some(venue);
    }
    package(front)
}
