//! Coinbase's stream: matches, ticker, and a heartbeat with the number of the newest trade.
//!
//! What it is strict about: whoever has not subscribed within five seconds is sent away, and so is whoever
//! names a product that there is not.

use std::time::Duration;

use serde_json::Value;

use super::{moment, product_of};
use crate::market::{Quote, Trade};
use crate::streams::{Feed, Heard, Kind, Session};
use crate::wire::{Json, fixed, object};

pub(super) struct Exchange;

fn error(message: &str, reason: &str) -> Heard {
    Heard::say(object! { "type" => "error", "message" => message, "reason" => reason })
}

fn texts(value: &Value) -> Vec<String> {
    let list = value.as_array().into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Returns every channel that is named, with its products.
fn wanted(message: &Value) -> Vec<(String, Vec<String>)> {
    let common = texts(&message["product_ids"]);
    let channels = message["channels"].as_array().into_iter().flatten();
    channels
        .map(|channel| match channel {
            Value::String(name) => (name.clone(), common.clone()),
            other => {
                let name = other["name"].as_str().unwrap_or_default().to_owned();
                let mut products = texts(&other["product_ids"]);
                products.extend(common.clone());
                (name, products)
            }
        })
        .collect()
}

fn subscriptions(session: &Session<'_>) -> Json {
    let channel = |name: &str, products: Vec<String>| {
        let products: Vec<Json> = products.into_iter().map(Json::from).collect();
        object! { "name" => name, "product_ids" => products }
    };
    let channels = vec![
        channel("matches", session.names(Kind::Trades)),
        channel("heartbeat", session.names(Kind::Trades)),
        channel("ticker", session.names(Kind::Quotes)),
    ];
    object! { "type" => "subscriptions", "channels" => channels }
}

fn told(kind: &str, name: &str, trade: &Trade) -> Json {
    object! {
        "type" => kind,
        "trade_id" => trade.id,
        "maker_order_id" => format!("00000000-0000-4000-8000-{:012}", trade.id),
        "taker_order_id" => format!("00000000-0000-4000-9000-{:012}", trade.id),
        // The maker's side: who bought aggressively met somebody who sold.
        "side" => if trade.is_buy { "sell" } else { "buy" },
        "size" => trade.size.normalize().to_string(),
        "price" => trade.price.normalize().to_string(),
        "product_id" => name,
        "sequence" => trade.id * 7,
        "time" => moment(trade.at_ns),
    }
}

impl Feed for Exchange {
    fn patience(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn max_messages(&self) -> u32 {
        20
    }

    fn hear(&self, session: &mut Session<'_>, message: Option<&Value>) -> Heard {
        let Some(message) = message else {
            return error("Failed to parse message", "invalid json");
        };
        let is_on = match message["type"].as_str() {
            Some("subscribe") => true,
            Some("unsubscribe") => false,
            _ => return error("Malformed message", "type is unknown"),
        };
        let mut frames = Vec::new();
        for (channel, products) in wanted(message) {
            let kind = match channel.as_str() {
                "matches" | "heartbeat" => Kind::Trades,
                "ticker" => Kind::Quotes,
                other => {
                    let reason = format!("{other} is not a valid channel");
                    return error("Failed to subscribe", &reason);
                }
            };
            for name in products {
                let Some(listing) = product_of(session.market, &name) else {
                    let reason = format!("{name} is not a valid product");
                    return error("Failed to subscribe", &reason);
                };
                if !is_on {
                    session.unsubscribe(kind, &name);
                    continue;
                }
                let last = session.subscribe(kind, &name, listing);
                if let ("matches", Some(last)) = (channel.as_str(), last) {
                    frames.push(told("last_match", &name, &last));
                }
            }
        }
        frames.push(subscriptions(session));
        Heard {
            frames,
            ends: false,
        }
    }

    fn trade(&self, name: &str, trade: &Trade) -> Json {
        told("match", name, trade)
    }

    fn quote(&self, name: &str, quote: &Quote) -> Json {
        object! {
            "type" => "ticker",
            "sequence" => quote.id * 7,
            "product_id" => name,
            "price" => quote.bid.normalize().to_string(),
            "best_bid" => quote.bid.normalize().to_string(),
            "best_bid_size" => fixed(quote.bid_size, 8),
            "best_ask" => quote.ask.normalize().to_string(),
            "best_ask_size" => fixed(quote.ask_size, 8),
            "side" => "buy",
            "time" => moment(quote.at_ns),
            "trade_id" => quote.id,
            "last_size" => "0.01",
        }
    }

    fn beat(&self, name: &str, last: &Trade, now_ns: i128) -> Option<Json> {
        Some(object! {
            "type" => "heartbeat",
            "sequence" => last.id * 7,
            "last_trade_id" => last.id,
            "product_id" => name,
            "time" => moment(now_ns),
        })
    }
}
