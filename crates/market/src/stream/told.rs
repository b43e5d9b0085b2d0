//! What a listener reads: one JSON object per message, the same through every door.
//!
//! Why flat and small: a bot in any language reads it with its own JSON, and `type` says what it is.
//! Not here: Server-Sent Events and WebSockets ([`crate::http`]).

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde_json::{Map, Value};
use tradewind_core::Side;

use super::bars::BuiltBar;
use super::listener::Followed;
use super::topic::{End, Notice, Told};
use crate::format::Numbers;

/// A message as it leaves.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// What it is: `trade`, `quote`, `bar`, `notice` or `end`.
    pub kind: &'static str,
    /// Its id, behind which a listener can go on; `None` at the end.
    pub id: Option<String>,
    /// The object.
    pub json: String,
}

/// Writes messages of one stream.
#[derive(Clone, Debug)]
pub struct Writer {
    /// What was asked for, as the caller wrote it.
    pub instrument: String,
    /// Who pushes.
    pub provider: String,
    /// How numbers are written.
    pub numbers: Numbers,
}

impl Writer {
    /// Writes one message.
    pub fn write(&self, followed: &Followed) -> Written {
        let (kind, place, fields) = match followed {
            Followed::Told(place, told) => {
                let (kind, fields) = match told {
                    Told::Trade(trade) => ("trade", {
                        let taker = trade.taker.map(|side| match side {
                            Side::Buy => "buy",
                            Side::Sell => "sell",
                        });
                        vec![
                            ("at", moment(trade.at)),
                            ("trade_id", trade.id.clone().into()),
                            ("price", self.number(trade.price)),
                            ("size", self.number(trade.size)),
                            ("taker", taker.into()),
                        ]
                    }),
                    Told::Quote(quote) => ("quote", {
                        let number = |value: Option<Decimal>| {
                            value.map_or(Value::Null, |value| self.number(value))
                        };
                        vec![
                            ("at", moment(quote.at)),
                            ("bid", number(quote.bid)),
                            ("bid_size", number(quote.bid_size)),
                            ("ask", number(quote.ask)),
                            ("ask_size", number(quote.ask_size)),
                            ("last", number(quote.last)),
                        ]
                    }),
                    Told::Notice(notice) => ("notice", noted(notice)),
                };
                (kind, Some(place), fields)
            }
            Followed::Bar(place, bar) => ("bar", Some(place), self.bar(bar)),
            Followed::TooSlow => (
                "end",
                None,
                vec![
                    ("reason", "too_slow".into()),
                    ("detail", "the listener did not keep up; what it missed is not held any more: ask for it by REST, then listen again".into()),
                ],
            ),
            Followed::End(end) => ("end", None, ended(end)),
        };
        let mut object = Map::new();
        object.insert("type".to_owned(), kind.into());
        let id = place.map(ToString::to_string);
        if let Some(id) = &id {
            object.insert("id".to_owned(), id.clone().into());
        }
        object.insert("instrument".to_owned(), self.instrument.clone().into());
        object.insert("provider".to_owned(), self.provider.clone().into());
        for (key, value) in fields {
            object.insert(key.to_owned(), value);
        }
        Written {
            kind,
            id,
            json: Value::Object(object).to_string(),
        }
    }

    fn bar(&self, bar: &BuiltBar) -> Vec<(&'static str, Value)> {
        vec![
            ("start", moment(bar.start)),
            ("end", moment(bar.end)),
            ("open", self.number(bar.open)),
            ("high", self.number(bar.high)),
            ("low", self.number(bar.low)),
            ("close", self.number(bar.close)),
            ("volume", self.number(bar.volume)),
            ("trades", bar.trades.into()),
            ("final", (!bar.is_partial).into()),
            ("partial", bar.is_partial.into()),
            ("revision", bar.revision.into()),
        ]
    }

    fn number(&self, value: Decimal) -> Value {
        match self.numbers {
            Numbers::Decimal => value.to_string().into(),
            Numbers::Float => crate::rows::float_of(value).into(),
        }
    }
}

fn moment(at: Timestamp) -> Value {
    at.to_string().into()
}

fn noted(notice: &Notice) -> Vec<(&'static str, Value)> {
    let maybe = |at: Option<Timestamp>| at.map_or(Value::Null, moment);
    vec![
        ("what", notice.what.as_str().into()),
        ("at", moment(notice.at)),
        ("from", maybe(notice.from)),
        ("to", maybe(notice.to)),
        ("trades", notice.trades.into()),
        ("because", notice.because.clone().into()),
    ]
}

fn ended(end: &End) -> Vec<(&'static str, Value)> {
    vec![
        ("reason", "provider".into()),
        ("class", end.class.as_str().into()),
        ("detail", end.said.clone().into()),
    ]
}
