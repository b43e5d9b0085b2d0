//! Alpaca's stream of IEX: a key first, one connection of a key, thirty items for who does not pay.
//!
//! What it is strict about: nothing before the key, and frames are lists. Ids of trades have gaps.

use std::time::Duration;

use serde_json::Value;

use super::{IEX_PPM, quote, trade};
use crate::market::{Quote, Trade};
use crate::streams::{Feed, Heard, Kind, Session};
use crate::wire::{Json, list, object};

/// Items that are free.
const MAX_FREE: usize = 30;

pub(super) struct Iex;

fn error(code: i64, msg: &str) -> Json {
    list![object! { "T" => "error", "code" => code, "msg" => msg }]
}

fn success(msg: &str) -> Json {
    list![object! { "T" => "success", "msg" => msg }]
}

fn named(frame: Json, kind: &str, name: &str) -> Json {
    let Json::Object(members) = frame else {
        return frame;
    };
    let mut all = vec![
        ("T".to_owned(), Json::from(kind)),
        ("S".to_owned(), Json::from(name)),
    ];
    all.extend(members);
    list![Json::Object(all)]
}

impl Feed for Iex {
    fn greeting(&self) -> Vec<Json> {
        vec![success("connected")]
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(10)
    }

    fn max_messages(&self) -> u32 {
        100
    }

    fn hear(&self, session: &mut Session<'_>, message: Option<&Value>) -> Heard {
        let Some(message) = message else {
            return Heard::say(error(400, "invalid syntax"));
        };
        let action = message["action"].as_str().unwrap_or_default();
        if action == "auth" {
            if session.key.is_some() {
                return Heard::say(error(403, "already authenticated"));
            }
            let key = message["key"].as_str().unwrap_or_default();
            let secret = message["secret"].as_str().unwrap_or_default();
            if !session.is_right(key) || !session.is_right(secret) {
                return Heard::end(error(402, "auth failed"));
            }
            session.key = Some(key.to_owned());
            return Heard::say(success("authenticated"));
        }
        if session.key.is_none() {
            return Heard::say(error(401, "not authenticated"));
        }
        let is_on = match action {
            "subscribe" => true,
            "unsubscribe" => false,
            _ => return Heard::say(error(400, "invalid syntax")),
        };
        for (kind, field) in [(Kind::Trades, "trades"), (Kind::Quotes, "quotes")] {
            for name in message[field].as_array().into_iter().flatten() {
                let name = name.as_str().unwrap_or_default();
                if !is_on {
                    session.unsubscribe(kind, name);
                    continue;
                }
                if !session.is_paid && session.items.len() >= MAX_FREE {
                    return Heard::say(error(405, "symbol limit exceeded"));
                }
                let listing = session.market.listing(name).filter(|l| !l.is_crypto());
                if let Some(listing) = listing {
                    session.subscribe(kind, name, listing.seen_by("iex", IEX_PPM));
                }
            }
        }
        let texts = |names: Vec<String>| names.into_iter().map(Json::from).collect::<Vec<_>>();
        Heard::say(list![object! {
            "T" => "subscription",
            "trades" => texts(session.names(Kind::Trades)),
            "quotes" => texts(session.names(Kind::Quotes)),
            "bars" => Vec::<Json>::new(),
        }])
    }

    fn trade(&self, name: &str, row: &Trade) -> Json {
        named(trade(row), "t", name)
    }

    fn quote(&self, name: &str, row: &Quote) -> Json {
        named(quote(row, row.at_ns), "q", name)
    }
}
