//! What goes out: the address, the span, the key where it belongs and nowhere else.

use tradewind_host::egress::Request;
use tradewind_market::adapter::{AdapterError, Adjust, Question, Span, Why};

use crate::answers::{LATE, adapters, at, bars, offer, request, span};

fn asked(provider: &str, question: &Question, start: &str, end: &str) -> Request {
    let offer = offer(provider, question);
    request(&offer, &span(&offer, start, end), None, LATE).request
}

#[test]
fn a_span_is_written_as_each_provider_wants_it() {
    let july = ("2026-07-01T04:00:00Z", "2026-07-03T04:00:00Z");
    let day = asked("alpaca", &bars("BRK.B", "1d"), july.0, july.1);
    assert_eq!(
        day.url.as_str(),
        "https://data.alpaca.markets/v2/stocks/bars?limit=10000&sort=asc&symbols=BRK.B&timeframe=1Day\
         &adjustment=raw&feed=sip&start=2026-07-01T04%3A00%3A00Z&end=2026-07-03T03%3A59%3A59Z"
    );
    assert_eq!(day.headers["APCA-API-KEY-ID"], "the-secret-key");
    assert_eq!(day.headers["APCA-API-SECRET-KEY"], "the-secret-secret");
    let splits = Question {
        adjust: Adjust::Splits,
        ..bars("AAPL", "1d")
    };
    let day = asked("polygon", &splits, july.0, july.1);
    assert_eq!(
        day.url.as_str(),
        "https://api.massive.com/v2/aggs/ticker/AAPL/range/1/day/2026-07-01/2026-07-02?limit=50000&sort=asc&adjusted=true"
    );
    let minutes = asked(
        "polygon",
        &bars("AAPL", "5m"),
        "2026-07-01T14:00:00Z",
        "2026-07-01T15:00:00Z",
    );
    assert_eq!(
        minutes.url.path(),
        "/v2/aggs/ticker/AAPL/range/5/minute/1782914400000/1782917999999"
    );
    let hours = asked(
        "binance",
        &bars("BTC/USDT@binance", "4h"),
        "2026-07-01T00:00:00Z",
        "2026-07-02T00:00:00Z",
    );
    assert_eq!(
        hours.url.query(),
        Some("symbol=BTCUSDT&interval=4h&startTime=1782864000000&endTime=1782950399999&limit=7")
    );
    assert!(hours.headers.is_empty());
}

#[test]
fn a_day_begins_at_midnight_in_new_york_in_summer_and_in_winter() {
    let across = asked(
        "polygon",
        &bars("AAPL", "1d"),
        "2026-10-31T04:00:00Z",
        "2026-11-03T05:00:00Z",
    );
    assert!(
        across.url.path().ends_with("/2026-10-31/2026-11-02"),
        "{}",
        across.url
    );
}

#[test]
fn nobody_is_asked_for_what_the_plan_does_not_show_yet() {
    let offer = offer("alpaca", &bars("AAPL", "1m"));
    let minutes = span(&offer, "2026-11-23T11:00:00Z", LATE);
    let sip = request(&offer, &minutes, None, LATE).request;
    assert!(
        sip.url.as_str().ends_with("end=2026-11-23T11%3A44%3A59Z"),
        "{}",
        sip.url
    );
    let plus = request(&offer.clone().with_plan(Some("plus")), &minutes, None, LATE).request;
    assert!(
        plus.url.as_str().ends_with("end=2026-11-23T11%3A59%3A59Z"),
        "{}",
        plus.url
    );
    assert_eq!(
        offer.final_before(at(LATE)),
        offer.grid().unwrap().key(at("2026-11-23T11:44:00Z"))
    );
}

#[test]
fn what_is_not_offered_says_what_there_is() {
    let why = |provider: &str, question: &Question| {
        adapters().offers(provider, question).unwrap_err().why
    };
    let text = |provider: &str, question: &Question| {
        adapters()
            .offers(provider, question)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(why("nobody", &bars("AAPL", "1d")), Why::UnknownProvider);
    assert_eq!(
        text("alpaca", &bars("AAPL", "2h")),
        "alpaca offers nothing for it: it has bars of 1m, 5m, 15m, 30m, 1h, 1d"
    );
    assert_eq!(
        text("binance", &bars("BTCUSDT@binance", "1h")),
        "binance offers nothing for it: it has crypto pairs (`BTC/USD`)"
    );
    assert_eq!(
        text("binance", &bars("BTC/USDT@kraken", "1h")),
        "binance offers nothing for it: it tells about @binance"
    );
    let all = Question {
        adjust: Adjust::All,
        ..bars("AAPL", "1d")
    };
    assert_eq!(
        text("polygon", &all),
        "polygon offers nothing for it: it adjusts none, splits"
    );
    let otc = Question {
        feed: Some("otc".to_owned()),
        ..bars("AAPL", "1d")
    };
    assert_eq!(
        text("alpaca", &otc),
        "alpaca offers nothing for it: it has the feeds sip, iex"
    );
}

#[test]
fn a_missing_key_is_told_with_the_names_people_give_it() {
    let offer = offer("polygon", &bars("AAPL", "1d"));
    let days = span(&offer, "2026-07-01T04:00:00Z", "2026-07-03T04:00:00Z");
    let error = offer
        .request(&days, None, &|_: &str, _: &str| None, at(LATE))
        .unwrap_err();
    assert!(
        matches!(error, AdapterError::MissingCredential { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("POLYGON_API_KEY"), "{error}");
}

#[test]
fn no_key_is_shown_when_a_request_is_printed() {
    for (provider, question) in [
        ("alpaca", bars("AAPL", "1d")),
        ("polygon", bars("AAPL", "1d")),
    ] {
        let offer = offer(provider, &question);
        let prepared = request(
            &offer,
            &span(&offer, "2026-07-01T04:00:00Z", "2026-07-03T04:00:00Z"),
            None,
            LATE,
        );
        assert!(!format!("{prepared:?}").contains("the-secret"));
        let bad = |_: &str, _: &str| Some("the-secret\n".to_owned());
        let error = offer
            .request(&Span::Bars(0..1), None, &bad, at(LATE))
            .unwrap_err();
        assert!(!format!("{error} {error:?}").contains("the-secret"));
    }
}
