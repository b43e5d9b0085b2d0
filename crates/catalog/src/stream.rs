//! Streams: what a provider pushes over a WebSocket, and in which words.
//!
//! Why data: each provider greets, takes a key and a subscription, numbers its trades and says that it ends
//! in another way, and a client that knows all of them by heart is code for each. What is not written here is
//! not followed. Not here: connections, gaps, who listens (the room `market`).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::TimeForm;
use crate::basis::Basis;
use crate::endpoint::UseCase;
use crate::mapping::Mapping;
use crate::offer::{AssetClass, SymbolSpelling};
use crate::period::Period;
use crate::refusal::FailureClass;

/// Fields of a row that a mapping of messages gives.
///
/// `is` says what it is: `trade` or `quote`; `heartbeat` with the id of the newest trade where the provider
/// tells it; `connected` (it waits for the key), `ready` (it takes subscriptions), `subscribed`, `error` with
/// `code` and `text`, or `ending` (it will close). Anything else is passed over.
pub const FIELDS: [&str; 14] = [
    "is", "symbol", "at", "id", "price", "size", "taker", "bid", "bid_size", "ask", "ask_size",
    "last", "code", "text",
];

/// `[[stream]]`: one address at which a provider pushes data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// Its name; unique in the file.
    pub id: String,
    /// Host group, of the role `stream`.
    pub on: String,
    /// Path of the address.
    pub path: String,
    /// What kind of instrument it tells of.
    pub class: AssetClass,
    /// Venue whose trades it tells. Default: all venues together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub venue: Option<String>,
    /// Its feed, as the endpoints call it. Default: there is no choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feed: Option<String>,
    /// How our symbols are spelled in its messages.
    #[serde(default)]
    pub symbol: SymbolSpelling,
    /// Message that proves who listens: `{key}` is the credential of that id, in quotes. Default: none is
    /// needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authenticate: Option<String>,
    /// Parameters of the address that prove who listens: the name of each, and the id of the credential that is its
    /// value. Default: there are none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub query: BTreeMap<String, String>,
    /// Whether it says that a subscription was taken, or refuses it. Default: it does.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub acknowledges: bool,
    /// What can be subscribed to.
    #[serde(rename = "channel")]
    pub channels: Vec<Channel>,
    /// Most items that one connection may be subscribed to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_items: Option<u32>,
    /// Most connections of one key or address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_connections: Option<u32>,
    /// Most messages a second that it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_messages_per_second: Option<u32>,
    /// How long nothing at all may come, neither data nor an answer to a ping, before the connection counts
    /// as dead.
    pub silence: Period,
    /// After how long the provider ends a connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<Period>,
    /// How times are written.
    pub time: TimeForm,
    /// What the ids of trades say.
    pub trade_ids: TradeIds,
    /// What each message is, in the language of jq: rows with [`FIELDS`]. Numbers are text in it.
    pub messages: Mapping,
    /// What codes of errors mean. One that is not here is an outage.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub errors: BTreeMap<String, FailureClass>,
    /// What a reader should know about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Where the facts come from. Default: the provider's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
}

/// `[[stream.channel]]`: one kind of rows that a stream pushes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// What kind: trades or quotes.
    pub use_case: UseCase,
    /// How an instrument is named in a subscription: `{symbol}` as in messages, `{lower}` in small letters.
    #[serde(default = "plain_item")]
    pub item: String,
    /// Message that subscribes: `{items}` are the items, each in quotes, with commas; `{id}` is a number that
    /// has not been used before.
    pub subscribe: String,
    /// Message that takes it back.
    pub unsubscribe: String,
    /// Most items in one message. Default: 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items_per_message: Option<u32>,
}

pub(crate) const fn yes() -> bool {
    true
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks with a reference"
)]
pub(crate) const fn is_yes(value: &bool) -> bool {
    *value
}

fn plain_item() -> String {
    "{symbol}".to_owned()
}

/// What the ids of trades say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TradeIds {
    /// Each is one more than that of the trade before, so that a missing one is seen.
    Consecutive,
    /// They tell trades apart, and nothing else.
    Unique,
    /// There are none: what comes twice is handed on twice, and what was lost is not found again.
    Absent,
}

impl TradeIds {
    /// Returns the words for a sentence.
    pub const fn as_words(self) -> &'static str {
        match self {
            Self::Consecutive => "ids of trades are consecutive, which shows gaps",
            Self::Unique => "ids tell trades apart and do not show gaps",
            Self::Absent => "trades have no ids, so what a lost connection took is lost",
        }
    }
}

impl Stream {
    /// Returns the channel for that kind of rows.
    pub fn channel(&self, use_case: UseCase) -> Option<&Channel> {
        self.channels
            .iter()
            .find(|channel| channel.use_case == use_case)
    }

    /// Returns the ids of the credentials that its key message and its address name, in sequence.
    pub fn credentials(&self) -> Vec<&str> {
        let mut ids = self
            .authenticate
            .as_deref()
            .map(placeholders)
            .unwrap_or_default();
        ids.extend(self.query.values().map(String::as_str));
        ids
    }

    /// Returns the message that proves who listens; `None` where none is needed, or a credential is missing.
    pub fn key_message(&self, secret: &dyn Fn(&str) -> Option<String>) -> Option<String> {
        fill(self.authenticate.as_deref()?, &|name| {
            secret(name).map(|secret| quoted(&secret))
        })
    }

    /// Says what an error means.
    pub fn failure(&self, code: Option<&str>) -> FailureClass {
        code.and_then(|code| self.errors.get(code).copied())
            .unwrap_or(FailureClass::Outage)
    }
}

impl Channel {
    /// Names an instrument as a subscription does; `symbol` is as it stands in messages.
    pub fn item(&self, symbol: &str) -> String {
        self.item
            .replace("{symbol}", symbol)
            .replace("{lower}", &symbol.to_lowercase())
    }

    /// Returns the message that subscribes to `items`, or takes that back.
    pub fn message(&self, items: &[String], id: u64, is_on: bool) -> String {
        let template = if is_on {
            &self.subscribe
        } else {
            &self.unsubscribe
        };
        let items: Vec<String> = items.iter().map(|item| quoted(item)).collect();
        let items = items.join(",");
        let value = |name: &str| match name {
            "items" => Some(items.clone()),
            "id" => Some(id.to_string()),
            _ => None,
        };
        fill(template, &value).unwrap_or_default()
    }
}

/// Returns a text as it stands in JSON.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Takes a template apart: text, and after each text but the last the name of a placeholder. A brace that no
/// name follows is text.
fn parts(template: &str) -> Vec<(&str, Option<&str>)> {
    let mut parts = Vec::new();
    let (mut rest, mut from) = (template, 0);
    while let Some(open) = rest.get(from..).and_then(|tail| tail.find('{')) {
        let open = from + open;
        let name = rest
            .get(open + 1..)
            .and_then(|tail| tail.split_once('}'))
            .map(|(name, _)| name)
            .filter(|name| !name.is_empty() && name.bytes().all(is_of_name));
        let Some(name) = name else {
            from = open + 1;
            continue;
        };
        parts.push((rest.get(..open).unwrap_or_default(), Some(name)));
        rest = rest.get(open + name.len() + 2..).unwrap_or_default();
        from = 0;
    }
    parts.push((rest, None));
    parts
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte == b'_' || byte == b'-'
}

/// Returns the names of the placeholders of a template.
pub(crate) fn placeholders(template: &str) -> Vec<&str> {
    parts(template)
        .into_iter()
        .filter_map(|(_, name)| name)
        .collect()
}

/// Puts values in place of placeholders; `None` when one has none.
pub(crate) fn fill(template: &str, value: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let mut filled = String::with_capacity(template.len());
    for (text, name) in parts(template) {
        filled.push_str(text);
        if let Some(name) = name {
            filled.push_str(&value(name)?);
        }
    }
    Some(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placeholder_is_a_name_in_braces_and_every_other_brace_is_text() {
        let template = r#"{"a":{key},"b":[{items}],"c":{},"d":{"e":{}}}"#;
        assert_eq!(placeholders(template), ["key", "items"]);
        let filled = fill(template, &|name| Some(format!("<{name}>")));
        let wanted = r#"{"a":<key>,"b":[<items>],"c":{},"d":{"e":{}}}"#;
        assert_eq!(filled.as_deref(), Some(wanted));
        assert_eq!(
            fill("{a}{b}", &|name| (name == "a").then(String::new)),
            None
        );
    }

    #[test]
    fn what_is_put_into_a_message_cannot_leave_its_quotes() {
        let channel = Channel {
            use_case: UseCase::Trades,
            item: "{lower}@aggTrade".to_owned(),
            items_per_message: None,
            subscribe: r#"{"method":"SUBSCRIBE","params":[{items}],"id":{id}}"#.to_owned(),
            unsubscribe: r#"{"method":"UNSUBSCRIBE","params":[{items}],"id":{id}}"#.to_owned(),
        };
        let items = [channel.item("BTCUSDT"), "a\"],\"x\":[\"{id}".to_owned()];
        let message = channel.message(&items, 7, true);
        let read: serde_json::Value = serde_json::from_str(&message).unwrap();
        assert_eq!(read["params"][0], "btcusdt@aggTrade");
        assert_eq!(read["params"][1], "a\"],\"x\":[\"{id}");
        assert_eq!(read["id"], 7);
        assert!(read.get("x").is_none());
    }
}
