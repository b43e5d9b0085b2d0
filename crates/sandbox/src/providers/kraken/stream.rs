//! Kraken's stream, version 2: trades, and the best bid and ask.
//!
//! What it is strict about: each symbol is answered by itself; a symbol is BTC/USD and not XBT/USD; what is
//! subscribed cannot be subscribed again. Numbers are numbers. Who does not say otherwise is sent what was before.

use std::time::Duration;

use serde_json::Value;

use super::pairs;
use crate::market::listing::Listing;
use crate::market::{Market, Quote, Take, Trade};
use crate::streams::{Feed, Heard, Kind, Session};
use crate::wire::{Json, object, rfc3339};

/// Trades in a snapshot.
const MAX_SNAPSHOT: usize = 50;

pub(super) struct Version2;

fn listing(market: &Market, symbol: &str) -> Option<Listing> {
    let found = pairs(market)
        .into_iter()
        .find(|pair| pair.listing.symbol == symbol);
    found.map(|pair| pair.listing)
}

/// Says what became of the request for one symbol.
fn answer(message: &Value, symbol: &str, outcome: Result<Json, &str>) -> Json {
    let method = message["method"].as_str().unwrap_or_default();
    let mut json = object! { "method" => method };
    json = match outcome {
        Ok(result) => json.with("result", result).with("success", true),
        Err(error) => json
            .with("error", error)
            .with("success", false)
            .with("symbol", symbol),
    };
    match message["req_id"].as_i64() {
        Some(id) => json.with("req_id", id),
        None => json,
    }
}

/// Micros are as exact as it is.
fn moment(ns: i128) -> String {
    rfc3339(ns - ns.rem_euclid(1_000))
}

fn row(symbol: &str, trade: &Trade) -> Json {
    object! {
        "symbol" => symbol,
        "side" => if trade.is_buy { "buy" } else { "sell" },
        "price" => trade.price,
        "qty" => trade.size,
        "ord_type" => if trade.id % 3 == 0 { "market" } else { "limit" },
        "trade_id" => trade.id,
        "timestamp" => moment(trade.at_ns),
    }
}

fn told(channel: &str, kind: &str, rows: Vec<Json>) -> Json {
    object! { "channel" => channel, "type" => kind, "data" => rows }
}

/// Returns the newest trades, oldest first.
fn snapshot(session: &Session<'_>, symbol: &str, listing: &Listing) -> Json {
    let now = session.clock.now();
    let span = (0, now.as_nanosecond() + 1);
    let trades = session
        .market
        .trades(listing, span, now, Take::Last(MAX_SNAPSHOT));
    let rows = trades.iter().map(|trade| row(symbol, trade)).collect();
    told("trade", "snapshot", rows)
}

impl Feed for Version2 {
    fn greeting(&self) -> Vec<Json> {
        let status = object! {
            "version" => "2.0.10",
            "system" => "online",
            "api_version" => "v2",
            "connection_id" => 12_345_678_901_234_i64,
        };
        vec![told("status", "update", vec![status])]
    }

    fn patience(&self) -> Duration {
        Duration::from_mins(1)
    }

    fn max_messages(&self) -> u32 {
        50
    }

    fn hear(&self, session: &mut Session<'_>, message: Option<&Value>) -> Heard {
        let Some(message) = message else {
            return Heard::say(answer(&Value::Null, "", Err("Malformed request")));
        };
        let is_on = match message["method"].as_str() {
            Some("ping") => {
                let pong = object! { "method" => "pong", "time_in" => "", "time_out" => "" };
                return Heard::say(pong);
            }
            Some("subscribe") => true,
            Some("unsubscribe") => false,
            _ => return Heard::say(answer(message, "", Err("Method not found"))),
        };
        let params = &message["params"];
        let channel = params["channel"].as_str().unwrap_or_default();
        let kind = match channel {
            "trade" => Kind::Trades,
            "ticker" => Kind::Quotes,
            _ => return Heard::say(answer(message, "", Err("Subscription name not supported"))),
        };
        let mut frames = Vec::new();
        for symbol in params["symbol"].as_array().into_iter().flatten() {
            let symbol = symbol.as_str().unwrap_or_default();
            let Some(listing) = listing(session.market, symbol) else {
                let error = format!("Currency pair not supported {symbol}");
                frames.push(answer(message, symbol, Err(&error)));
                continue;
            };
            let is_there = session.items.contains_key(&(kind, symbol.to_owned()));
            let done = object! { "channel" => channel, "symbol" => symbol };
            if is_on == is_there {
                let error = if is_on {
                    "Already subscribed"
                } else {
                    "Subscription Not Found"
                };
                frames.push(answer(message, symbol, Err(error)));
                continue;
            }
            if !is_on {
                session.unsubscribe(kind, symbol);
                frames.push(answer(message, symbol, Ok(done)));
                continue;
            }
            let has_snapshot = params["snapshot"].as_bool().unwrap_or(true);
            frames.push(answer(
                message,
                symbol,
                Ok(done.with("snapshot", has_snapshot)),
            ));
            if has_snapshot && kind == Kind::Trades {
                frames.push(snapshot(session, symbol, &listing));
            }
            session.subscribe(kind, symbol, listing);
        }
        Heard {
            frames,
            ends: false,
        }
    }

    fn trade(&self, name: &str, trade: &Trade) -> Json {
        told("trade", "update", vec![row(name, trade)])
    }

    fn quote(&self, name: &str, quote: &Quote) -> Json {
        let json = object! {
            "symbol" => name,
            "bid" => quote.bid,
            "bid_qty" => quote.bid_size,
            "ask" => quote.ask,
            "ask_qty" => quote.ask_size,
            "last" => quote.bid,
        };
        told("ticker", "update", vec![json])
    }

    fn beat(&self, _name: &str, _last: &Trade, _now_ns: i128) -> Option<Json> {
        Some(object! { "channel" => "heartbeat" })
    }
}
