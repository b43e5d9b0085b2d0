//! The words of one stream: from a message of the provider to what it says.
//!
//! Not here: connections ([`super::link`]), what follows from it ([`super::sequence`]).

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tradewind_catalog::host::HostPattern;
use tradewind_catalog::mapping::{Body, Cell, MappingError, Program};
use tradewind_catalog::stream::{FIELDS, Stream};
use tradewind_catalog::{Catalog, Provider, UseCase};
use tradewind_core::{Instrument, Quote, Trade};
use tradewind_host::egress::Url;

use crate::adapter::{Why, event_quote, event_trade, moment_of};

/// Place of each field that is read by itself.
const IS: usize = 0;
const SYMBOL: usize = 1;
const AT: usize = 2;
const ID: usize = 3;
const CODE: usize = 12;
const TEXT: usize = 13;
/// Upper bound on the characters of what a provider said.
const MAX_SAID: usize = 200;

/// What a message says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Said {
    Trade(String, Trade),
    Quote(String, Quote),
    /// It lives; where the symbol is named, with the number and time of its newest trade.
    Heartbeat(Option<String>, Option<u64>, Option<Timestamp>),
    /// It waits for the key.
    Connected,
    /// It takes subscriptions.
    Ready,
    /// A subscription was taken, or taken back.
    Subscribed,
    /// It refuses something.
    Error {
        code: Option<String>,
        text: String,
    },
    /// It will close.
    Ending,
}

/// A stream of the catalog, ready to be followed. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Words {
    pub(crate) provider: Arc<Provider>,
    at: usize,
    program: Arc<Program>,
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Words")
            .field("provider", &self.provider.name)
            .field("stream", &self.stream().id)
            .finish_non_exhaustive()
    }
}

impl Words {
    /// Compiles every stream of a catalog whose mapping came with Tradewind.
    ///
    /// # Errors
    /// [`MappingError::Syntax`]; the catalog's lint refuses such files, so none is in force.
    pub(crate) fn all(catalog: &Catalog) -> Result<Vec<Self>, MappingError> {
        let mut all = Vec::new();
        for provider in catalog.providers().filter(|p| !p.streams.is_empty()) {
            let provider = Arc::new(provider.clone());
            for (at, stream) in provider.streams.iter().enumerate() {
                // A stranger's program can run for ever, and this process cannot be killed for it.
                let known = Catalog::builtin_shared().provider(&provider.name);
                let known = known.and_then(|known| known.stream(&stream.id));
                if known.is_some_and(|known| known.messages == stream.messages) {
                    let program = Arc::new(stream.messages.compile(&[])?);
                    let provider = Arc::clone(&provider);
                    all.push(Self {
                        provider,
                        at,
                        program,
                    });
                }
            }
        }
        Ok(all)
    }

    /// Returns what the catalog says of it.
    pub(crate) fn stream(&self) -> &Stream {
        // Invariant: the place of one of its streams. Built in `all` only.
        &self.provider.streams[self.at]
    }

    /// Returns where it is, with what proves there who listens; `None` where that is missing.
    pub(crate) fn address(&self, secret: &dyn Fn(&str) -> Option<String>) -> Option<Url> {
        let stream = self.stream();
        let host = self.provider.host(&stream.on)?;
        let name = host.names.first().and_then(HostPattern::exact)?;
        let port = host.ports.first().copied().unwrap_or(443);
        let address = format!("wss://{}:{port}{}", name.as_str(), stream.path);
        let mut address = Url::parse(&address).ok()?;
        for (parameter, credential) in &stream.query {
            let secret = secret(credential)?;
            address.query_pairs_mut().append_pair(parameter, &secret);
        }
        Some(address)
    }

    /// Spells an instrument as it stands in messages.
    pub(crate) fn symbol(
        &self,
        instrument: &Instrument,
        use_case: UseCase,
        feed: Option<&str>,
    ) -> Result<String, Why> {
        let stream = self.stream();
        if stream.channel(use_case).is_none() {
            return Err(Why::UseCase { wanted: use_case });
        }
        if !stream.class.has(instrument.symbol()) {
            return Err(Why::Symbol {
                classes: vec![stream.class],
            });
        }
        if instrument.venue().is_some() && instrument.venue() != stream.venue.as_deref() {
            return Err(Why::Venue {
                offered: stream.venue.iter().cloned().collect(),
            });
        }
        if feed.is_some() && feed != stream.feed.as_deref() {
            return Err(Why::Feed {
                offered: stream.feed.iter().cloned().collect(),
            });
        }
        Ok(stream.symbol.spell(instrument.symbol()))
    }

    /// Reads a message that came at `now`. Rows that cannot be read are counted and left out.
    pub(crate) fn read(&self, text: &str, now: Timestamp) -> Result<(Vec<Said>, u64), Unreadable> {
        let body = Body::read(text.as_bytes()).map_err(|_error| Unreadable)?;
        let rows = self.program.rows(&body, &[], &FIELDS);
        let rows = rows.map_err(|_error| Unreadable)?;
        let (mut said, mut unread) = (Vec::new(), 0);
        for row in rows {
            match self.said(&row, now) {
                Some(one) => said.push(one),
                None => unread += 1,
            }
        }
        Ok((said, unread))
    }

    fn said(&self, row: &[Cell], now: Timestamp) -> Option<Said> {
        let text = |place: usize| row.get(place).and_then(Cell::text);
        let at = || moment_of(text(AT)?, self.stream().time, &TimeZone::UTC);
        Some(match text(IS)? {
            "trade" => Said::Trade(
                text(SYMBOL)?.to_owned(),
                event_trade(at()?, row.get(AT..)?)?,
            ),
            "quote" => {
                // Some tell the best bid and ask without a time: then it is that of its arrival.
                let at = if text(AT).is_some() { at()? } else { now };
                // The field before `bid` stands where a quote of an answer has its time.
                Said::Quote(text(SYMBOL)?.to_owned(), event_quote(at, row.get(6..)?)?)
            }
            "heartbeat" => {
                let id = text(ID).and_then(|id| id.parse().ok());
                Said::Heartbeat(text(SYMBOL).map(str::to_owned), id, at())
            }
            "connected" => Said::Connected,
            "ready" => Said::Ready,
            "subscribed" => Said::Subscribed,
            "ending" => Said::Ending,
            "error" => {
                let plain = |text: &str| -> String {
                    let plain = text.chars().filter(|c| !c.is_control());
                    plain.take(MAX_SAID).collect()
                };
                Said::Error {
                    code: text(CODE).map(plain),
                    text: plain(text(TEXT).or(text(CODE)).unwrap_or("nothing more")),
                }
            }
            _ => return None,
        })
    }
}

/// A message that is none of the stream's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable;

#[cfg(test)]
mod tests {
    use tradewind_core::Side;

    use super::*;

    fn words(provider: &str) -> Words {
        let all = Words::all(Catalog::builtin_shared()).unwrap();
        all.into_iter()
            .find(|words| words.provider.name == provider)
            .unwrap()
    }

    /// Reads a recording: for each message what it says, in a word, and a few of its values.
    fn read(provider: &str, recording: &str) -> Vec<String> {
        let words = words(provider);
        let now = "2021-10-12T00:28:33Z".parse().unwrap();
        let mut lines = Vec::new();
        for message in recording.lines() {
            let (all, unread) = words.read(message, now).unwrap();
            assert_eq!(unread, 0, "{message}");
            if all.is_empty() {
                lines.push("nothing".to_owned());
            }
            lines.extend(all.into_iter().map(|said| match said {
                Said::Trade(symbol, trade) => {
                    let side = if trade.taker == Some(Side::Buy) {
                        "buy"
                    } else {
                        "sell"
                    };
                    let id = trade.id.unwrap();
                    format!(
                        "trade {symbol} {} {id} {} {} {side}",
                        trade.at, trade.price, trade.size
                    )
                }
                Said::Quote(symbol, quote) => format!(
                    "quote {symbol} {} {} {}",
                    quote.at,
                    quote.bid.unwrap(),
                    quote.ask.unwrap()
                ),
                Said::Heartbeat(Some(symbol), Some(id), Some(at)) => {
                    format!("last {symbol} {id} {at}")
                }
                other => format!("{other:?}"),
            }));
        }
        lines
    }

    #[test]
    fn recorded_messages_of_binance_are_read() {
        let recording = include_str!("../../tests/payloads/stream-binance.txt");
        assert_eq!(
            read("binance", recording),
            [
                "nothing",
                "quote NKNUSDT 2021-10-12T00:28:33Z 0.35210000 0.35260000",
                "quote NKNUSDT 2021-10-12T00:28:33Z 0.35210000 0.35250000",
                "trade NKNUSDT 2021-10-12T00:28:43.963Z 15683430 0.35280000 58.00000000 buy",
                "nothing",
                "trade LRCBTC 2021-10-12T00:28:54.486Z 9213679 0.00000638 177.00000000 buy",
            ]
        );
    }

    #[test]
    fn recorded_messages_of_coinbase_are_read_and_the_side_is_the_takers() {
        let recording = include_str!("../../tests/payloads/stream-coinbase.txt");
        assert_eq!(
            read("coinbase", recording),
            [
                "Subscribed",
                "Subscribed",
                "last BAND-GBP 881613 2021-04-17T16:43:30.244075Z",
                "last SKL-GBP 82007 2021-04-17T16:43:29.571587Z",
                "trade SKL-BTC 2021-04-17T16:43:37.089723Z 280232 0.00001305 985 buy",
                "trade SKL-USD 2021-04-17T16:43:37.121358Z 1568268 0.791 450 buy",
                "trade SKL-USD 2021-04-17T16:43:37.140491Z 1568269 0.7912 1787 buy",
                "trade NMR-EUR 2021-04-17T16:43:37.207503Z 868599 67.021 0.148 buy",
                "quote BAND-GBP 2021-04-17T16:43:30.244075Z 14.7550 14.8060",
            ]
        );
    }

    #[test]
    fn messages_as_alpaca_documents_them_are_read() {
        let messages = concat!(
            "[{\"T\":\"success\",\"msg\":\"connected\"}]\n",
            "[{\"T\":\"success\",\"msg\":\"authenticated\"}]\n",
            "[{\"T\":\"t\",\"i\":96921,\"S\":\"AAPL\",\"x\":\"D\",\"p\":126.55,\"s\":1,\"t\":\"2021-02-22T15:51:44.208Z\",\"c\":[\"@\",\"I\"],\"z\":\"C\"}]\n",
            "[{\"T\":\"error\",\"code\":406,\"msg\":\"connection limit exceeded\"}]",
        );
        assert_eq!(
            read("alpaca", messages),
            [
                "Connected",
                "Ready",
                "trade AAPL 2021-02-22T15:51:44.208Z D:96921 126.55 1 sell",
                "Error { code: Some(\"406\"), text: \"connection limit exceeded\" }",
            ]
        );
    }

    #[test]
    fn messages_as_kraken_documents_them_are_read() {
        let messages = concat!(
            "{\"channel\":\"status\",\"type\":\"update\",\"data\":[{\"system\":\"online\",\"version\":\"2.0.0\"}]}\n",
            "{\"method\":\"subscribe\",\"req_id\":1,\"result\":{\"channel\":\"trade\",\"snapshot\":false,\"symbol\":\"MATIC/USD\"},\"success\":true,\"time_in\":\"2023-09-25T09:04:31.742599Z\"}\n",
            "{\"channel\":\"trade\",\"type\":\"snapshot\",\"data\":[{\"symbol\":\"MATIC/USD\",\"side\":\"buy\",\"price\":0.5147,\"qty\":1,\"trade_id\":1,\"timestamp\":\"2023-09-25T07:48:36.925533Z\"}]}\n",
            "{\"channel\":\"trade\",\"type\":\"update\",\"data\":[{\"symbol\":\"MATIC/USD\",\"side\":\"sell\",\"price\":0.5117,\"qty\":40.0,\"ord_type\":\"market\",\"trade_id\":4665906,\"timestamp\":\"2023-09-25T07:49:37.708706Z\"}]}\n",
            "{\"channel\":\"ticker\",\"type\":\"update\",\"data\":[{\"symbol\":\"ALGO/USD\",\"bid\":0.1002,\"bid_qty\":740.0,\"ask\":0.10035,\"ask_qty\":740.0,\"last\":0.1002}]}\n",
            "{\"channel\":\"heartbeat\"}\n",
            "{\"error\":\"Currency pair not supported NOPE/USD\",\"method\":\"subscribe\",\"req_id\":2,\"success\":false,\"symbol\":\"NOPE/USD\"}",
        );
        assert_eq!(
            read("kraken", messages),
            [
                "nothing",
                "Subscribed",
                "nothing",
                "trade MATIC/USD 2023-09-25T07:49:37.708706Z 4665906 0.5117 40.0 sell",
                "quote ALGO/USD 2021-10-12T00:28:33Z 0.1002 0.10035",
                "Heartbeat(None, None, None)",
                "Error { code: Some(\"pair\"), text: \"Currency pair not supported NOPE/USD\" }",
            ]
        );
    }

    #[test]
    fn messages_as_polygon_documents_them_are_read() {
        let messages = concat!(
            "[{\"ev\":\"status\",\"status\":\"connected\",\"message\":\"Connected Successfully\"}]\n",
            "[{\"ev\":\"status\",\"status\":\"auth_success\",\"message\":\"authenticated\"}]\n",
            "[{\"ev\":\"T\",\"sym\":\"MSFT\",\"x\":4,\"i\":\"12345\",\"z\":3,\"p\":114.125,\"s\":100,\"c\":[0,12],\"t\":1536036818784,\"q\":3681328}]\n",
            "[{\"ev\":\"status\",\"status\":\"max_connections\",\"message\":\"Maximum number of websocket connections exceeded.\"}]",
        );
        assert_eq!(
            read("polygon", messages),
            [
                "Connected",
                "Ready",
                "trade MSFT 2018-09-04T04:53:38.784Z 4:12345 114.125 100 sell",
                "Error { code: Some(\"max_connections\"), text: \"Maximum number of websocket connections exceeded.\" }",
            ]
        );
    }

    #[test]
    fn a_trade_of_finnhub_has_no_id_and_an_update_without_volume_is_none() {
        let text = r#"{"data":[{"c":["1"],"p":7296.89,"s":"AAPL","t":1575526691134,"v":11.5},{"p":7296.9,"s":"AAPL","t":1575526691135,"v":0}],"type":"trade"}"#;
        let (said, unread) = words("finnhub").read(text, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(unread, 0);
        let [Said::Trade(symbol, trade)] = said.as_slice() else {
            panic!("{said:?}")
        };
        assert_eq!((symbol.as_str(), &trade.id), ("AAPL", &None));
        assert_eq!(trade.at.to_string(), "2019-12-05T06:18:11.134Z");
        let ping = words("finnhub").read(r#"{"type":"ping"}"#, Timestamp::UNIX_EPOCH);
        assert_eq!(ping, Ok((vec![Said::Heartbeat(None, None, None)], 0)));
    }

    #[test]
    fn a_message_of_another_form_is_none_of_the_streams() {
        let now = Timestamp::UNIX_EPOCH;
        for provider in [
            "binance", "coinbase", "alpaca", "kraken", "polygon", "finnhub",
        ] {
            for text in ["", "7", "\"x\"", "{", &"[".repeat(10_000)] {
                assert_eq!(
                    words(provider).read(text, now),
                    Err(Unreadable),
                    "{provider}: {text}"
                );
            }
        }
        let torn = r#"{"type":"match","trade_id":1,"side":"sell","size":"1","product_id":"A-B","time":"2021-04-17T16:43:37Z"}"#;
        assert_eq!(
            words("coinbase").read(torn, now),
            Ok((Vec::new(), 1)),
            "its price is missing"
        );
    }

    #[test]
    fn an_address_and_a_symbol_are_those_of_the_catalog() {
        let address = |provider: &str| {
            let words = words(provider);
            let address = words.address(&|id| (id == "key").then(|| "a b&c".to_owned()));
            address.map(|address| address.to_string())
        };
        for (provider, expected) in [
            ("binance", "wss://stream.binance.com:9443/stream"),
            ("alpaca", "wss://stream.data.alpaca.markets/v2/iex"),
            ("kraken", "wss://ws.kraken.com/v2"),
            ("polygon", "wss://socket.massive.com/stocks"),
            ("finnhub", "wss://ws.finnhub.io/?token=a+b%26c"),
        ] {
            assert_eq!(address(provider).as_deref(), Some(expected));
        }
        assert_eq!(words("finnhub").address(&|_| None), None);
        let pair = "BTC/USD@kraken".parse().unwrap();
        let refused = words("coinbase").symbol(&pair, UseCase::Trades, None);
        assert!(matches!(refused, Err(Why::Venue { .. })));
    }
}
