//! Finnhub's stream: trades in lists, without ids, for whoever shows a token in the address.
//!
//! What it is strict about: the token, one connection of it, one symbol in a message, fifty symbols for who does
//! not pay. A subscription is answered by its trades only.

use std::time::Duration;

use serde_json::Value;

use crate::market::{Quote, Trade};
use crate::streams::{Feed, Heard, Kind, Session};
use crate::wire::{Json, list, object};

/// Symbols that are free.
const MAX_FREE: usize = 50;

pub(super) struct Trades;

fn error(text: &str) -> Json {
    object! { "type" => "error", "msg" => text }
}

impl Feed for Trades {
    fn key_parameter(&self) -> Option<&'static str> {
        Some("token")
    }

    fn patience(&self) -> Duration {
        Duration::from_mins(1)
    }

    fn max_messages(&self) -> u32 {
        60
    }

    fn hear(&self, session: &mut Session<'_>, message: Option<&Value>) -> Heard {
        let Some(message) = message else {
            return Heard::say(error("Invalid message"));
        };
        let symbol = message["symbol"].as_str().unwrap_or_default();
        match message["type"].as_str() {
            Some("subscribe") => {}
            Some("unsubscribe") => {
                session.unsubscribe(Kind::Trades, symbol);
                return Heard::default();
            }
            _ => return Heard::say(error("Invalid message type")),
        }
        if !session.is_paid && session.items.len() >= MAX_FREE {
            return Heard::say(error("Subscribing to too many symbols"));
        }
        let listing = session.market.listing(symbol).filter(|l| !l.is_crypto());
        // Nothing is said of a symbol that there is not: it is quiet for ever.
        if let Some(listing) = listing {
            session.subscribe(Kind::Trades, symbol, listing);
        }
        Heard::default()
    }

    fn trade(&self, name: &str, trade: &Trade) -> Json {
        let row = object! {
            "c" => list!["1", "12"],
            "p" => trade.price,
            "s" => name,
            "t" => trade.at_ns / 1_000_000,
            "v" => trade.size,
        };
        object! { "data" => list![row], "type" => "trade" }
    }

    fn quote(&self, name: &str, _quote: &Quote) -> Json {
        // Nobody can subscribe to quotes here.
        error(name)
    }

    fn beat(&self, _name: &str, _last: &Trade, _now_ns: i128) -> Option<Json> {
        Some(object! { "type" => "ping" })
    }
}
