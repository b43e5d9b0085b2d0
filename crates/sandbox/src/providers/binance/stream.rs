//! Binance's stream: combined streams, each message wrapped with the name of its stream.
//!
//! What it is strict about: five messages a second. A stream that does not exist is subscribed to as gladly
//! as one that does, as at the original, and nothing ever comes of it.

use std::time::Duration;

use serde_json::Value;

use super::text;
use crate::market::listing::Listing;
use crate::market::{Market, Quote, Trade};
use crate::streams::{Feed, Heard, Kind, Session};
use crate::wire::{Json, object};

/// Most streams of one connection.
const MAX_STREAMS: usize = 1_024;

pub(super) struct Combined;

fn error(code: i64, msg: &str, id: Json) -> Heard {
    Heard::say(object! { "error" => object! { "code" => code, "msg" => msg }, "id" => id })
}

/// Finds what a stream is of: `btcusdt@aggTrade`.
fn stream(market: &Market, name: &str) -> Option<(Kind, String, Listing)> {
    let (pair, what) = name.split_once('@')?;
    let kind = match what {
        "aggTrade" => Kind::Trades,
        "bookTicker" => Kind::Quotes,
        _ => return None,
    };
    let symbol = pair.to_uppercase();
    if symbol.to_lowercase() != pair {
        return None;
    }
    let listing = super::pair(market, &symbol)?;
    Some((kind, symbol, listing))
}

impl Feed for Combined {
    fn patience(&self) -> Duration {
        Duration::from_hours(1)
    }

    fn max_messages(&self) -> u32 {
        5
    }

    fn hear(&self, session: &mut Session<'_>, message: Option<&Value>) -> Heard {
        let Some(message) = message else {
            return error(
                3,
                "Invalid JSON: expected value at line 1 column 1",
                Json::Null,
            );
        };
        let id = message["id"].as_i64().map_or(Json::Null, Json::from);
        let is_on = match message["method"].as_str() {
            Some("SUBSCRIBE") => true,
            Some("UNSUBSCRIBE") => false,
            Some("LIST_SUBSCRIPTIONS") => {
                let names = [(Kind::Trades, "aggTrade"), (Kind::Quotes, "bookTicker")];
                let names = names.into_iter().flat_map(|(kind, what)| {
                    let names = session.names(kind).into_iter();
                    names.map(move |name| Json::from(format!("{}@{what}", name.to_lowercase())))
                });
                let names: Vec<Json> = names.collect();
                return Heard::say(object! { "result" => names, "id" => id });
            }
            _ => return error(0, "Unknown property", id),
        };
        let Some(params) = message["params"].as_array() else {
            return error(2, "Invalid request: missing field `params`", id);
        };
        if session.items.len() + params.len() > MAX_STREAMS {
            return error(2, "Invalid request: too many streams", id);
        }
        for name in params.iter().filter_map(Value::as_str) {
            if let Some((kind, symbol, listing)) = stream(session.market, name) {
                if is_on {
                    session.subscribe(kind, &symbol, listing);
                } else {
                    session.unsubscribe(kind, &symbol);
                }
            }
        }
        Heard::say(object! { "result" => Json::Null, "id" => id })
    }

    fn trade(&self, name: &str, trade: &Trade) -> Json {
        let data = object! {
            "e" => "aggTrade",
            "E" => trade.at_ns / 1_000_000 + 1,
            "s" => name,
            "a" => trade.id,
            "p" => text(trade.price),
            "q" => text(trade.size),
            "f" => trade.id,
            "l" => trade.id,
            "T" => trade.at_ns / 1_000_000,
            "m" => !trade.is_buy,
            "M" => true,
        };
        object! { "stream" => format!("{}@aggTrade", name.to_lowercase()), "data" => data }
    }

    fn quote(&self, name: &str, quote: &Quote) -> Json {
        let data = object! {
            "u" => quote.id * 10,
            "s" => name,
            "b" => text(quote.bid),
            "B" => text(quote.bid_size),
            "a" => text(quote.ask),
            "A" => text(quote.ask_size),
        };
        object! { "stream" => format!("{}@bookTicker", name.to_lowercase()), "data" => data }
    }
}
