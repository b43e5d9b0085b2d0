//! Answers that are no data: each has its class, none is taken for empty, and none tells a key.

use tradewind_catalog::UseCase;
use tradewind_catalog::refusal::FailureClass;
use tradewind_core::Recovery;
use tradewind_market::adapter::{AdapterError, Adjust, Question};

use crate::answers::{LATE, at, bars, offer, request, response, rows_of, span};

fn question(provider: &str) -> Question {
    let adjust = match provider {
        "finnhub" | "yahoo" | "twelvedata" => Adjust::Splits,
        _ => Adjust::None,
    };
    let instrument = match provider {
        "binance" | "coinbase" | "kraken" => "BTC/USD",
        _ => "AAPL",
    };
    Question {
        adjust,
        ..bars(instrument, "1d")
    }
}

fn refused(provider: &str, status: u16, body: &str) -> AdapterError {
    let offer = offer(provider, &question(provider));
    let asked = span(&offer, "2026-11-01T12:00:00Z", "2026-11-20T12:00:00Z");
    let prepared = request(&offer, &asked, None, LATE);
    offer
        .read(&prepared, &response(status, body), at(LATE))
        .unwrap_err()
}

/// Provider, status, body and what it means.
const REFUSALS: &[(&str, u16, &str, FailureClass)] = &[
    (
        "alphavantage",
        200,
        r#"{"Information":"our standard API rate limit is 25 requests per day for your API key the-secret-key"}"#,
        FailureClass::QuotaGone,
    ),
    (
        "alphavantage",
        200,
        r#"{"Note":"Thank you! Our standard API call frequency is 5 calls per minute"}"#,
        FailureClass::Throttled,
    ),
    (
        "alphavantage",
        200,
        r#"{"Information":"the parameter apikey is invalid: the-secret-key"}"#,
        FailureClass::Auth,
    ),
    (
        "alphavantage",
        200,
        r#"{"Error Message":"Invalid API call."}"#,
        FailureClass::BadRequest,
    ),
    ("alphavantage", 200, "{}", FailureClass::Malformed),
    ("polygon", 429, "", FailureClass::Throttled),
    (
        "polygon",
        403,
        r#"{"status":"NOT_AUTHORIZED"}"#,
        FailureClass::Plan,
    ),
    (
        "polygon",
        401,
        r#"{"error":"Unknown API Key"}"#,
        FailureClass::Auth,
    ),
    ("finnhub", 200, r#"{"s":"no_data"}"#, FailureClass::Empty),
    (
        "twelvedata",
        200,
        r#"{"code":429,"message":"You have run out of API credits for the current minute.","status":"error"}"#,
        FailureClass::Throttled,
    ),
    (
        "twelvedata",
        200,
        r#"{"code":429,"message":"You have run out of API credits for the day.","status":"error"}"#,
        FailureClass::QuotaGone,
    ),
    (
        "tiingo",
        200,
        "Error: You have run over your hourly request allocation.",
        FailureClass::QuotaGone,
    ),
    (
        "tiingo",
        200,
        r#"{"detail":"Error: You have run over your daily request allocation."}"#,
        FailureClass::QuotaGone,
    ),
    (
        "tiingo",
        404,
        r#"{"detail":"Not found."}"#,
        FailureClass::NotFound,
    ),
    (
        "alpaca",
        403,
        r#"{"message":"subscription does not permit querying recent SIP data"}"#,
        FailureClass::Plan,
    ),
    (
        "alpaca",
        403,
        r#"{"message":"forbidden."}"#,
        FailureClass::Auth,
    ),
    (
        "yahoo",
        200,
        "<html>Will be right back</html>",
        FailureClass::Outage,
    ),
    (
        "yahoo",
        404,
        r#"{"chart":{"result":null,"error":{"code":"Not Found"}}}"#,
        FailureClass::NotFound,
    ),
    ("yahoo", 999, "", FailureClass::Throttled),
    (
        "binance",
        418,
        r#"{"code":-1003,"msg":"Way too much request weight used"}"#,
        FailureClass::Banned,
    ),
    (
        "binance",
        400,
        r#"{"code":-1121,"msg":"Invalid symbol."}"#,
        FailureClass::NotFound,
    ),
    ("binance", 503, "", FailureClass::OutcomeUnknown),
    (
        "kraken",
        200,
        r#"{"error":["EAPI:Rate limit exceeded"]}"#,
        FailureClass::Throttled,
    ),
    (
        "kraken",
        200,
        r#"{"error":["EQuery:Unknown asset pair"]}"#,
        FailureClass::NotFound,
    ),
    ("coinbase", 500, "", FailureClass::Outage),
    ("coinbase", 302, "", FailureClass::Malformed),
];

#[test]
fn every_refusal_has_its_class() {
    for (provider, status, body, class) in REFUSALS {
        let error = refused(provider, *status, body);
        assert_eq!(error.class(), Some(*class), "{provider} {status} {body}");
        assert!(
            !format!("{error} {error:?}").contains("the-secret"),
            "{error:?}"
        );
    }
}

#[test]
fn what_a_provider_said_is_kept_without_the_key() {
    let body = "{\"Information\":\n  \"bad apikey the-secret-key\u{7f} \\u001b[31mred\"}";
    let error = refused("alphavantage", 200, body);
    let AdapterError::Refused { said, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(said, "{\"Information\": \"bad apikey *** \\u001b[31mred\"}");
    assert_eq!(
        error.to_string(),
        "alphavantage answered 200 to daily: auth"
    );
}

#[test]
fn a_person_must_change_something_before_a_key_or_a_plan_is_tried_again() {
    assert_eq!(refused("polygon", 401, "").recovery(), Recovery::Fix);
    assert_eq!(refused("polygon", 403, "").recovery(), Recovery::Fix);
    assert!(matches!(
        refused("polygon", 429, "").recovery(),
        Recovery::RetryAfter(_)
    ));
    assert_eq!(refused("tiingo", 404, "").recovery(), Recovery::GiveUp);
}

#[test]
fn an_empty_quote_of_an_unknown_symbol_is_not_found() {
    let offer = offer("alphavantage", &rows_of(UseCase::Quote, "NOPE"));
    let prepared = request(&offer, &tradewind_market::adapter::Span::Newest, None, LATE);
    let error = offer
        .read(
            &prepared,
            &response(200, r#"{"Global Quote":{}}"#),
            at(LATE),
        )
        .unwrap_err();
    assert_eq!(error.class(), Some(FailureClass::NotFound));
}
