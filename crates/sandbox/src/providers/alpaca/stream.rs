//! Alpaca's streams, of IEX and of crypto: a key first, one connection of a key, thirty items for who does not pay.
//!
//! What it is strict about: nothing before the key, and frames are lists. Ids of trades have gaps.

use std::time::Duration;

use serde_json::Value;

use super::{CRYPTO_PPM, IEX_PPM, crypto_quote, crypto_trade, quote, trade};
use crate::market::listing::Listing;
use crate::market::{Market, Quote, Trade};
use crate::streams::{Feed, Heard, Kind, Session};
use crate::wire::{Json, list, object};

/// Items that are free.
const MAX_FREE: usize = 30;

/// What a stream tells of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// Shares, as they trade on IEX.
    Iex,
    /// Pairs, as they trade at Alpaca itself.
    Crypto,
}

pub(super) struct Stream(pub(super) Of);

pub(super) static IEX: Stream = Stream(Of::Iex);
pub(super) static CRYPTO: Stream = Stream(Of::Crypto);

impl Stream {
    fn listing(&self, market: &Market, name: &str) -> Option<Listing> {
        let listing = market.listing(name)?;
        match self.0 {
            Of::Iex => (!listing.is_crypto()).then(|| listing.seen_by("iex", IEX_PPM)),
            Of::Crypto => listing
                .is_crypto()
                .then(|| listing.seen_by("alpaca", CRYPTO_PPM)),
        }
    }
}

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

impl Feed for Stream {
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
                if let Some(listing) = self.listing(session.market, name) {
                    session.subscribe(kind, name, listing);
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
        match self.0 {
            Of::Iex => named(trade(row), "t", name),
            Of::Crypto => named(crypto_trade(row), "t", name),
        }
    }

    fn quote(&self, name: &str, row: &Quote) -> Json {
        match self.0 {
            Of::Iex => named(quote(row, row.at_ns), "q", name),
            Of::Crypto => named(crypto_quote(row), "q", name),
        }
    }

    fn one_too_many(&self) -> Json {
        error(406, "connection limit exceeded")
    }
}
