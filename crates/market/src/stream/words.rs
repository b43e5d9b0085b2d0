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

    /// Returns where it is.
    pub(crate) fn address(&self) -> Option<Url> {
        let stream = self.stream();
        let host = self.provider.host(&stream.on)?;
        let name = host.names.first().and_then(HostPattern::exact)?;
        let port = host.ports.first().copied().unwrap_or(443);
        Url::parse(&format!("wss://{}:{port}{}", name.as_str(), stream.path)).ok()
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
    fn a_message_of_another_form_is_none_of_the_streams() {
        let now = Timestamp::UNIX_EPOCH;
        for provider in ["binance", "coinbase", "alpaca"] {
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
        let address = words("binance").address().unwrap();
        assert_eq!(address.as_str(), "wss://stream.binance.com:9443/stream");
        let address = words("alpaca").address().unwrap();
        assert_eq!(address.as_str(), "wss://stream.data.alpaca.markets/v2/iex");
        let pair = "BTC/USD@kraken".parse().unwrap();
        let refused = words("coinbase").symbol(&pair, UseCase::Trades, None);
        assert!(matches!(refused, Err(Why::Venue { .. })));
    }
}
