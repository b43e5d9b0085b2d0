//! What a program says on a stream, read for two questions: where are keys in it, and is it about an account?
//!
//! Why by place: on a stream a key travels in a message, each provider has its own words for that, and a short
//! key is found by nothing else. What says that it proves who somebody is keeps none of its values; elsewhere
//! a member whose name tells of a key keeps none, nor does a time beside it, which only goes with a signature.
//! Why accounts: some providers push orders and balances over the stream that has their trades too. What
//! names them is no data, and no recording has it.
//! Not here: keys by value and by look ([`crate::redact`]).

use serde_json::Value;

use crate::redact::{is_telling, placeholder_of, words_of};

/// Values of a message that say that it proves who somebody is.
const PROVES: &[&str] = &["auth", "authenticate", "authorize", "login", "logon"];
/// Members that are signed together with a key, and differ each time.
const SIGNED: &[&str] = &[
    "timestamp",
    "time",
    "ts",
    "nonce",
    "expires",
    "expiry",
    "recvwindow",
];
/// Members that hold a key and are no word of their own elsewhere.
const ON_STREAMS: &[&str] = &["jwt"];
/// Words that name an account and what is in it.
const OF_ACCOUNTS: &[&str] = &[
    "user",
    "account",
    "accounts",
    "balance",
    "balances",
    "execution",
    "executions",
    "fills",
    "order",
    "orders",
    "portfolio",
    "position",
    "positions",
    "wallet",
    "openorders",
    "owntrades",
    "listenkey",
];
/// Names of private subjects whose words say something else each.
const PRIVATE: &[&str] = &["trade_updates"];
/// Upper bound on levels of a message that is read. Deeper is taken as it is; `serde_json` refuses at 128.
const MAX_LEVELS: usize = 100;

/// What a message is without keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spoken {
    /// The message; as it came where no key is in it.
    pub(super) text: String,
    /// Values that stood where keys do, each with what stands there now.
    pub(super) keys: Vec<(String, String)>,
    /// Whether it is about an account.
    pub(super) is_private: bool,
}

/// Reads a message of a program.
pub(super) fn read(text: &str) -> Spoken {
    let mut spoken = Spoken {
        text: text.to_owned(),
        keys: Vec::new(),
        is_private: false,
    };
    let Ok(mut value) = serde_json::from_str::<Value>(text) else {
        spoken.is_private = is_of_an_account(text);
        return spoken;
    };
    spoken.is_private = names_an_account(&value, 0);
    let before = spoken.keys.len();
    let mut is_changed = false;
    blank(&mut value, &mut spoken.keys, &mut is_changed, 0);
    if is_changed || spoken.keys.len() > before {
        spoken.text = value.to_string();
    }
    spoken
}

/// Says whether two messages say the same: in JSON the sequence of members says nothing.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    if one == other {
        return true;
    }
    let read = |text| serde_json::from_str::<Value>(text).ok();
    read(one)
        .zip(read(other))
        .is_some_and(|(one, other)| one == other)
}

fn blank(value: &mut Value, keys: &mut Vec<(String, String)>, is_changed: &mut bool, level: usize) {
    if level > MAX_LEVELS {
        return;
    }
    match value {
        Value::Array(values) => {
            for value in values {
                blank(value, keys, is_changed, level + 1);
            }
        }
        Value::Object(members) => {
            let proves = |value: &Value| {
                let word = value.as_str().unwrap_or_default();
                PROVES.iter().any(|proof| {
                    let last = word.rsplit(['.', '/', ':']).next().unwrap_or_default();
                    last.eq_ignore_ascii_case(proof)
                })
            };
            let is_proof = members.values().any(proves);
            let is_key = |name: &str| {
                is_telling(name) || ON_STREAMS.contains(&name.to_ascii_lowercase().as_str())
            };
            let has_key = members.keys().any(|name| is_key(name));
            for (name, value) in members.iter_mut() {
                let is_signed = has_key
                    && SIGNED.contains(&name.to_ascii_lowercase().replace('_', "").as_str());
                if (is_proof && !proves(value)) || is_key(name) || is_signed {
                    take_out(name, value, keys, is_changed, level);
                } else {
                    blank(value, keys, is_changed, level + 1);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Takes every text and number out of what stands under `name`.
fn take_out(
    name: &str,
    value: &mut Value,
    keys: &mut Vec<(String, String)>,
    is_changed: &mut bool,
    level: usize,
) {
    match value {
        // Too deep to be looked into is too deep to be kept.
        Value::Array(_) | Value::Object(_) if level > MAX_LEVELS => {
            *is_changed = true;
            *value = Value::Null;
        }
        Value::Array(values) => {
            for value in values {
                take_out(name, value, keys, is_changed, level + 1);
            }
        }
        Value::Object(members) => {
            for (name, value) in members.iter_mut() {
                take_out(name, value, keys, is_changed, level + 1);
            }
        }
        Value::String(text) => {
            let placeholder = placeholder_of(name);
            if *text != placeholder {
                keys.push((std::mem::take(text), placeholder.clone()));
            }
            *text = placeholder;
        }
        Value::Number(_) => {
            *is_changed = true;
            *value = Value::String(placeholder_of(name));
        }
        Value::Null | Value::Bool(_) => {}
    }
}

fn names_an_account(value: &Value, level: usize) -> bool {
    if level > MAX_LEVELS {
        return true;
    }
    match value {
        Value::String(text) => is_of_an_account(text),
        Value::Array(values) => values
            .iter()
            .any(|value| names_an_account(value, level + 1)),
        Value::Object(members) => members
            .iter()
            .any(|(name, value)| is_of_an_account(name) || names_an_account(value, level + 1)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Says whether a text names an account. One in capitals is a symbol, and some are called like that.
fn is_of_an_account(text: &str) -> bool {
    if !text.chars().any(|c| c.is_ascii_lowercase()) {
        return false;
    }
    let is_private = PRIVATE.iter().any(|known| text.eq_ignore_ascii_case(known));
    is_private
        || words_of(text)
            .iter()
            .any(|word| OF_ACCOUNTS.contains(&word.as_str()))
        || OF_ACCOUNTS.contains(&text.to_ascii_lowercase().as_str())
}

/// Says whether a path leads to what is one user's alone: a part of it is a key.
pub(super) fn has_key(path: &str) -> bool {
    /// Characters from which on a part of a path without any mark is no word.
    const MIN_CHARS: usize = 40;
    path.split('/').any(|part| {
        part.len() >= MIN_CHARS && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(text: &str) -> String {
        read(text).text
    }

    #[test]
    fn the_words_with_which_providers_take_keys_keep_none() {
        for (said, expected) in [
            // Alpaca, new and old.
            (
                r#"{"action":"auth","key":"k","secret":"s"}"#,
                r#"{"action":"auth","key":"REDACTED-key","secret":"REDACTED-secret"}"#,
            ),
            (
                r#"{"action":"authenticate","data":{"key_id":"k","secret_key":"s"}}"#,
                r#"{"action":"authenticate","data":{"key_id":"REDACTED-key_id","secret_key":"REDACTED-secret_key"}}"#,
            ),
            // Polygon has it where others have their subjects.
            (
                r#"{"action":"auth","params":"k"}"#,
                r#"{"action":"auth","params":"REDACTED-params"}"#,
            ),
            // Coinbase, signed and so different each time.
            (
                r#"{"type":"subscribe","channels":["ticker"],"key":"k","passphrase":"p","signature":"s","timestamp":"1700000000"}"#,
                r#"{"channels":["ticker"],"key":"REDACTED-key","passphrase":"REDACTED-passphrase","signature":"REDACTED-signature","timestamp":"REDACTED-timestamp","type":"subscribe"}"#,
            ),
            (
                r#"{"op":"auth","args":["k",1700000000,"s"]}"#,
                r#"{"args":["REDACTED-args","REDACTED-args","REDACTED-args"],"op":"auth"}"#,
            ),
            (
                r#"{"method":"session.logon","params":{"apiKey":"k","timestamp":7}}"#,
                r#"{"method":"session.logon","params":{"apiKey":"REDACTED-apiKey","timestamp":"REDACTED-timestamp"}}"#,
            ),
        ] {
            assert!(is_same(&kept(said), expected), "{}", kept(said));
            // Whoever plays it has another key, and what is clean already stays as it is.
            assert!(is_same(&kept(&kept(said)), expected), "{said}");
        }
    }

    #[test]
    fn a_message_without_a_key_stays_as_it_is_to_the_byte() {
        for said in [
            r#"{ "action":"subscribe", "trades":["AAPL"], "limit": 1.0000000000000000001, "time": 5 }"#,
            r#"{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}"#,
            "ping",
            "[1, 2",
        ] {
            let spoken = read(said);
            assert_eq!(spoken.text, said);
            assert!(spoken.keys.is_empty() && !spoken.is_private, "{said}");
        }
    }

    #[test]
    fn what_is_about_an_account_is_told_from_symbols_that_are_called_so() {
        for said in [
            r#"{"type":"subscribe","channels":["user"]}"#,
            r#"{"type":"subscribe","channels":[{"name":"user","product_ids":["BTC-USD"]}]}"#,
            r#"{"action":"listen","data":{"streams":["trade_updates"]}}"#,
            r#"{"method":"add_order","params":{}}"#,
            r#"{"method":"subscribe","params":{"channel":"openOrders"}}"#,
            r#"{"event":"subscribe","subscription":{"name":"ownTrades"}}"#,
            r#"{"method":"order.place"}"#,
            "subscribe orders",
        ] {
            assert!(read(said).is_private, "{said}");
        }
        for said in [
            r#"{"type":"subscribe","channels":["matches"],"product_ids":["ORDER-USD","USER-USD"]}"#,
            r#"{"method":"SUBSCRIBE","params":["orderusdt@trade"],"id":1}"#,
            r#"{"action":"subscribe","quotes":["AAPL"],"orderbooks":["BTC/USD"]}"#,
        ] {
            assert!(!read(said).is_private, "{said}");
        }
        assert!(has_key(
            "/ws/pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf19v8a65a1"
        ));
        assert!(!has_key(
            "/ws/btcusdt@aggTrade/ethusdt@aggTrade/a-very-long-name"
        ));
    }

    #[test]
    fn the_sequence_of_members_says_nothing_and_that_of_values_does() {
        assert!(is_same(r#"{"a":1,"b":[1,2]}"#, r#"{ "b": [1,2], "a": 1 }"#));
        assert!(!is_same(r#"{"b":[1,2]}"#, r#"{"b":[2,1]}"#));
        assert!(!is_same("ping", "pong"));
        assert!(is_same("ping", "ping"));
    }

    #[test]
    fn however_deep_a_message_is_it_is_read_or_left() {
        let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
        assert_eq!(kept(&deep), deep);
        let proof = format!(
            r#"{{"op":"auth","args":{}"key-of-ours"{}}}"#,
            "[".repeat(110),
            "]".repeat(110)
        );
        assert!(!kept(&proof).contains("key-of-ours"));
    }
}
