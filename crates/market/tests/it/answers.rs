//! What the other files share: building offers, requests and answers, and writing rows as lines.

use std::path::PathBuf;

use jiff::Timestamp;
use rust_decimal::Decimal;
use tradewind_catalog::{Catalog, UseCase};
use tradewind_core::{Side, Trade};
use tradewind_host::egress::{HeaderMap, Response, StatusCode};
use tradewind_market::adapter::{
    AdapterError, Adapters, Cursor, Offer, Page, Prepared, Question, Rows, Span,
};

/// A moment after every recording, and after everything in them has settled.
pub(crate) const LATE: &str = "2026-11-23T12:00:00Z";

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

pub(crate) fn adapters() -> &'static Adapters {
    static ADAPTERS: std::sync::LazyLock<Adapters> =
        std::sync::LazyLock::new(|| Adapters::new(Catalog::builtin_shared()).unwrap());
    &ADAPTERS
}

pub(crate) fn bars(instrument: &str, interval: &str) -> Question {
    Question::bars(instrument.parse().unwrap(), interval.parse().unwrap())
}

pub(crate) fn rows_of(use_case: UseCase, instrument: &str) -> Question {
    Question::of(use_case, instrument.parse().unwrap())
}

pub(crate) fn words(words: &str) -> Question {
    Question {
        instrument: None,
        words: Some(words.to_owned()),
        ..rows_of(UseCase::News, "A")
    }
}

pub(crate) fn offer(provider: &str, question: &Question) -> Offer {
    let offers = adapters().offers(provider, question);
    let offers = offers.unwrap_or_else(|reason| panic!("{reason}"));
    offers.into_iter().next().unwrap()
}

/// The offer that asks this endpoint.
pub(crate) fn offer_of(provider: &str, endpoint: &str, question: &Question) -> Offer {
    let offers = adapters().offers(provider, question);
    let offers = offers.unwrap_or_else(|reason| panic!("{reason}"));
    let found = offers
        .into_iter()
        .find(|offer| offer.endpoint().id == endpoint);
    found.unwrap_or_else(|| panic!("{provider} has no offer of {endpoint}"))
}

/// Bars that begin within `[start, end)`, or whatever happened then.
pub(crate) fn span(offer: &Offer, start: &str, end: &str) -> Span {
    let (start, end) = (at(start), at(end));
    match offer.grid() {
        Some(grid) => Span::Bars(grid.keys(start, end).unwrap()),
        None => Span::Times(start..end),
    }
}

pub(crate) fn request(offer: &Offer, span: &Span, cursor: Option<&Cursor>, now: &str) -> Prepared {
    let secrets = |_: &str, id: &str| Some(format!("the-secret-{id}"));
    let prepared = offer.request(span, cursor, &secrets, at(now));
    prepared.unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn response(status: u16, body: impl Into<Vec<u8>>) -> Response {
    Response {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: body.into().into(),
    }
}

pub(crate) fn try_read(
    offer: &Offer,
    span: &Span,
    body: &str,
    now: &str,
) -> Result<Page, AdapterError> {
    let prepared = request(offer, span, None, now);
    offer.read(&prepared, &response(200, body), at(now))
}

pub(crate) fn read(offer: &Offer, span: &Span, body: &str, now: &str) -> Page {
    try_read(offer, span, body, now).unwrap_or_else(|error| panic!("{error}: {error:?}"))
}

pub(crate) fn payload(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/payloads")
        .join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn number(number: Option<Decimal>) -> String {
    number.map_or("-".to_owned(), |number| number.normalize().to_string())
}

fn taker(trade: &Trade) -> &'static str {
    match trade.taker {
        Some(Side::Buy) => "buy",
        Some(Side::Sell) => "sell",
        None => "-",
    }
}

/// Writes rows as the files `*.rows` have them.
pub(crate) fn lines(rows: &Rows) -> Vec<String> {
    let numbers = |all: &[Option<Decimal>]| {
        all.iter()
            .copied()
            .map(number)
            .collect::<Vec<_>>()
            .join(" ")
    };
    match rows {
        Rows::Bars(bars) => bars
            .iter()
            .map(|keyed| &keyed.bar)
            .map(|bar| {
                let prices = [bar.open, bar.high, bar.low, bar.close].map(Some);
                format!("{} {} {}", bar.start, numbers(&prices), number(bar.volume))
            })
            .collect(),
        Rows::Quotes(quotes) => quotes
            .iter()
            .map(|q| {
                let all = [q.bid, q.bid_size, q.ask, q.ask_size, q.last];
                format!("{} {}", q.at, numbers(&all))
            })
            .collect(),
        Rows::Trades(trades) => trades
            .iter()
            .map(|t| {
                let id = t.id.as_deref().unwrap_or("-");
                format!(
                    "{} {id} {} {}",
                    t.at,
                    numbers(&[Some(t.price), Some(t.size)]),
                    taker(t)
                )
            })
            .collect(),
        Rows::Articles(articles) => articles
            .iter()
            .map(|a| {
                let symbols = if a.symbols.is_empty() {
                    "-".to_owned()
                } else {
                    a.symbols.join(",")
                };
                let publisher = a.publisher.as_deref().unwrap_or("-");
                format!("{} {} {publisher} {symbols} {}", a.at, a.url, a.title)
            })
            .collect(),
    }
}
