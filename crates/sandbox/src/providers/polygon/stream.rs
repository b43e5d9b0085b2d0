//! Polygon's stream of shares: a key first, frames that are lists, and nothing for who does not pay.
//!
//! What it is strict about: nothing before the key, one connection of a key, items in one text with commas.
//! Stamps are milliseconds, although those of REST are nanoseconds.

use std::time::Duration;

use serde_json::Value;

use crate::market::{Quote, Trade};
use crate::streams::{Feed, Heard, Kind, Session};
use crate::wire::{Json, list, object};

pub(super) struct Stocks;

fn status(status: &str, message: &str) -> Json {
    object! { "ev" => "status", "status" => status, "message" => message }
}

impl Feed for Stocks {
    fn greeting(&self) -> Vec<Json> {
        vec![list![status("connected", "Connected Successfully")]]
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(30)
    }

    fn max_messages(&self) -> u32 {
        100
    }

    fn hear(&self, session: &mut Session<'_>, message: Option<&Value>) -> Heard {
        let text = |key: &str| {
            message
                .and_then(|message| message[key].as_str())
                .unwrap_or_default()
        };
        let (action, params) = (text("action"), text("params"));
        if action == "auth" {
            if !session.is_right(params) {
                return Heard::end(list![status("auth_failed", "authentication failed")]);
            }
            if !session.is_paid {
                let text = "Your plan doesn't include websocket access. Visit https://massive.com/pricing to upgrade.";
                return Heard::end(list![status("not_authorized", text)]);
            }
            session.key = Some(params.to_owned());
            return Heard::say(list![status("auth_success", "authenticated")]);
        }
        if session.key.is_none() {
            return Heard::say(list![status("auth_required", "not authenticated")]);
        }
        let is_on = match action {
            "subscribe" => true,
            "unsubscribe" => false,
            _ => return Heard::say(list![status("error", "unknown action")]),
        };
        let mut frames = Vec::new();
        for item in params.split(',') {
            let kind = match item.split_once('.') {
                Some(("T", name)) => Some((Kind::Trades, name)),
                Some(("Q", name)) => Some((Kind::Quotes, name)),
                _ => None,
            };
            let known = kind.and_then(|(kind, name)| {
                let listing = session.market.listing(name).filter(|l| !l.is_crypto())?;
                Some((kind, name, listing))
            });
            let Some((kind, name, listing)) = known else {
                frames.push(status("error", &format!("subscription failed: {item}")));
                continue;
            };
            if is_on {
                session.subscribe(kind, name, listing);
                frames.push(status("success", &format!("subscribed to: {item}")));
            } else {
                session.unsubscribe(kind, name);
                frames.push(status("success", &format!("unsubscribed to: {item}")));
            }
        }
        Heard::say(Json::List(frames))
    }

    fn trade(&self, name: &str, trade: &Trade) -> Json {
        list![object! {
            "ev" => "T",
            "sym" => name,
            "i" => trade.id.to_string(),
            "x" => 11_i64,
            "p" => trade.price,
            "s" => trade.size,
            "c" => list![12_i64, 37_i64],
            "t" => trade.at_ns / 1_000_000,
            "q" => trade.id,
            "z" => 3_i64,
        }]
    }

    fn quote(&self, name: &str, quote: &Quote) -> Json {
        list![object! {
            "ev" => "Q",
            "sym" => name,
            "bx" => 19_i64,
            "bp" => quote.bid,
            "bs" => quote.bid_size,
            "ax" => 15_i64,
            "ap" => quote.ask,
            "as" => quote.ask_size,
            "c" => 0_i64,
            "t" => quote.at_ns / 1_000_000,
            "q" => quote.id,
            "z" => 3_i64,
        }]
    }

    fn one_too_many(&self) -> Json {
        let text = "Maximum number of websocket connections exceeded.";
        list![status("max_connections", text)]
    }
}
