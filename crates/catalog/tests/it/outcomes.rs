//! Answers as providers send them, and what each is. The forms are those of recorded answers.

use tradewind_catalog::Catalog;
use tradewind_catalog::refusal::FailureClass::{
    self, Auth, BadRequest, Banned, Empty, Malformed, NotFound, Outage, OutcomeUnknown, Plan,
    QuotaGone, Throttled,
};

fn class(provider: &str, endpoint: &str, status: u16, body: &str) -> Option<FailureClass> {
    let catalog = Catalog::builtin_shared();
    let provider = catalog.provider(provider).unwrap();
    let endpoint = provider
        .endpoint(endpoint)
        .unwrap_or_else(|| panic!("{endpoint}"));
    provider.classify(endpoint, status, body)
}

/// Provider, endpoint, and a shortened answer that is data.
const GOOD: &[(&str, &str, &str)] = &[
    (
        "alphavantage",
        "intraday",
        r#"{"Meta Data":{"6. Time Zone":"US/Eastern"},"Time Series (1min)":{"2017-12-18 14:56:00":{"4. close":"86.5000"}}}"#,
    ),
    (
        "alphavantage",
        "quote",
        r#"{"Global Quote":{"01. symbol":"MSFT","05. price":"112.1300"}}"#,
    ),
    ("alphavantage", "search", r#"{"bestMatches":[]}"#),
    (
        "polygon",
        "aggregates",
        r#"{"ticker":"AAPL","queryCount":2,"resultsCount":2,"results":[{"v":642646396.0,"t":1112331600000}],"status":"OK"}"#,
    ),
    (
        "polygon",
        "aggregates",
        r#"{"ticker":"AAPL","queryCount":0,"resultsCount":0,"status":"OK"}"#,
    ),
    (
        "polygon",
        "last-trade",
        r#"{"results":{"p":166.25,"T":"AAPL"},"status":"OK"}"#,
    ),
    (
        "finnhub",
        "quote",
        r#"{"c":1.15894,"d":0.00226,"dp":0.1954,"h":1.15943,"l":1.15497,"o":1.1554,"pc":1.15668,"t":1636322400}"#,
    ),
    (
        "finnhub",
        "candles",
        r#"{"s":"ok","t":[1],"o":[1],"h":[1],"l":[1],"c":[1],"v":[1]}"#,
    ),
    (
        "alpaca",
        "bars",
        r#"{"bars":{"META":[{"t":"2022-06-08T04:00:00Z","o":194.67}]},"next_page_token":null}"#,
    ),
    (
        "yahoo",
        "chart",
        r#"{"chart":{"result":[{"meta":{"currency":"USD"},"indicators":{"quote":[{}]}}],"error":null}}"#,
    ),
    (
        "newsapi",
        "everything",
        r#"{"status":"ok","totalResults":0,"articles":[]}"#,
    ),
    ("twelvedata", "price", r#"{"price":"20.86750"}"#),
    (
        "twelvedata",
        "price",
        r#"{"AAPL":{"price":"20.86750"},"IBM":{"price":"1"}}"#,
    ),
    (
        "twelvedata",
        "eod",
        r#"{"symbol":"VXX","exchange":"CBOE","datetime":"2021-11-05","close":"20.86750"}"#,
    ),
    (
        "tiingo",
        "daily-prices",
        r#"[{"date":"2015-01-02T00:00:00.000Z","close":529.55}]"#,
    ),
    (
        "tiingo",
        "daily-meta",
        r#"{"endDate":"2017-10-06","startDate":"2004-08-19","ticker":"GOOGL"}"#,
    ),
    (
        "fred",
        "observations",
        r#"{"count":1,"observations":[{"date":"2014-09-02","value":"2002.28"}]}"#,
    ),
    (
        "binance",
        "klines",
        r#"[[1706630400000,"43519.34000000","43936.00000000"]]"#,
    ),
    (
        "binance",
        "ticker-24h",
        r#"{"symbol":"BTCUSDT","lastPrice":"73369.84000000"}"#,
    ),
    (
        "binance",
        "ticker-24h",
        r#"[{"symbol":"BTCUSDT","lastPrice":"73369.84000000"}]"#,
    ),
    (
        "coinbase",
        "candles",
        "[[1710327600,73241.5,73402.47,73243.33,73370.65,1.56794406]]",
    ),
    (
        "kraken",
        "ohlc",
        r#"{"error":[],"result":{"XBTUSDT":[[1706626800,"43437.5"]],"last":1706626800}}"#,
    ),
    (
        "kraken",
        "ticker",
        r#"{"error":[],"result":{"XBTUSDT":{"c":["73380.60000","0.00160710"]}}}"#,
    ),
];

/// Provider, endpoint, status, answer and what it is.
const BAD: &[(&str, &str, u16, &str, FailureClass)] = &[
    (
        "alphavantage",
        "daily",
        200,
        r#"{"Information":"We have detected your API key as ABC and our standard API rate limit is 25 requests per day."}"#,
        QuotaGone,
    ),
    (
        "alphavantage",
        "daily",
        200,
        r#"{"Note":"Our standard API call frequency is 5 calls per minute"}"#,
        Throttled,
    ),
    (
        "alphavantage",
        "daily-adjusted",
        200,
        r#"{"Information":"This is a premium endpoint."}"#,
        Plan,
    ),
    (
        "alphavantage",
        "daily",
        200,
        r#"{"Error Message":"the parameter apikey is invalid or missing."}"#,
        Auth,
    ),
    (
        "alphavantage",
        "daily",
        200,
        r#"{"Error Message":"Invalid API call."}"#,
        BadRequest,
    ),
    (
        "alphavantage",
        "quote",
        200,
        r#"{"Global Quote":{}}"#,
        NotFound,
    ),
    ("alphavantage", "daily", 200, "{}", Malformed),
    ("polygon", "aggregates", 429, "", Throttled),
    (
        "polygon",
        "aggregates",
        401,
        r#"{"error":"Unknown API Key"}"#,
        Auth,
    ),
    (
        "polygon",
        "aggregates",
        403,
        r#"{"status":"NOT_AUTHORIZED"}"#,
        Plan,
    ),
    ("finnhub", "candles", 200, r#"{"s":"no_data"}"#, Empty),
    ("finnhub", "candles", 403, "", Plan),
    (
        "alpaca",
        "bars",
        403,
        r#"{"message":"subscription does not permit querying recent SIP data"}"#,
        Plan,
    ),
    ("alpaca", "bars", 403, r#"{"message":"forbidden."}"#, Auth),
    ("yahoo", "chart", 429, "Too Many Requests", Throttled),
    (
        "yahoo",
        "chart",
        404,
        r#"{"chart":{"result":null,"error":{"code":"Not Found"}}}"#,
        NotFound,
    ),
    (
        "yahoo",
        "chart",
        200,
        "<html>Will be right back...</html>",
        Outage,
    ),
    (
        "newsapi",
        "everything",
        401,
        r#"{"status":"error","code":"apiKeyInvalid","message":""}"#,
        Auth,
    ),
    (
        "newsapi",
        "everything",
        429,
        r#"{"status":"error","code":"rateLimited","message":""}"#,
        Throttled,
    ),
    (
        "twelvedata",
        "time-series",
        200,
        r#"{"code":429,"message":"You have run out of API credits for the current minute. 10 API credits were used","status":"error"}"#,
        Throttled,
    ),
    (
        "twelvedata",
        "time-series",
        200,
        r#"{"code":429,"message":"You have run out of API credits for the day.","status":"error"}"#,
        QuotaGone,
    ),
    (
        "tiingo",
        "daily-prices",
        200,
        r#"{"detail":"Error: You have run over your hourly request allocation."}"#,
        QuotaGone,
    ),
    (
        "tiingo",
        "daily-prices",
        200,
        "Error: You have run over your 500 symbol look up for this month.",
        QuotaGone,
    ),
    (
        "fred",
        "observations",
        400,
        r#"{"error_code":400,"error_message":"Bad Request. The series does not exist."}"#,
        BadRequest,
    ),
    (
        "binance",
        "klines",
        400,
        r#"{"code":-1121,"msg":"Invalid symbol."}"#,
        NotFound,
    ),
    (
        "binance",
        "klines",
        418,
        r#"{"code":-1003,"msg":"banned until 1657113600000"}"#,
        Banned,
    ),
    ("binance", "klines", 429, "", Throttled),
    ("binance", "klines", 504, "", OutcomeUnknown),
    (
        "coinbase",
        "candles",
        429,
        r#"{"message":"slow down"}"#,
        Throttled,
    ),
    ("coinbase", "candles", 500, "", Outage),
    (
        "kraken",
        "ohlc",
        200,
        r#"{"error":["EAPI:Rate limit exceeded"]}"#,
        Throttled,
    ),
    (
        "kraken",
        "ohlc",
        200,
        r#"{"error":["EQuery:Unknown asset pair"]}"#,
        NotFound,
    ),
    (
        "kraken",
        "ohlc",
        200,
        r#"{"error":["EGeneral:Temporary lockout"],"result":{}}"#,
        Banned,
    ),
];

#[test]
fn data_is_recognised_as_data() {
    for (provider, endpoint, body) in GOOD {
        assert_eq!(
            class(provider, endpoint, 200, body),
            None,
            "{provider} {endpoint} {body}"
        );
    }
}

#[test]
fn refusals_are_what_they_are_whatever_their_status() {
    for (provider, endpoint, status, body, expected) in BAD {
        assert_eq!(
            class(provider, endpoint, *status, body),
            Some(*expected),
            "{provider} {endpoint} {status} {body}"
        );
    }
}

#[test]
fn what_is_unknown_is_never_empty() {
    let catalog = Catalog::builtin_shared();
    for provider in catalog.providers() {
        for endpoint in provider
            .endpoints
            .iter()
            .filter(|endpoint| endpoint.is_data())
        {
            for body in ["", "null", "7", "{\"surprise\":1}", "<html>", "\"\""] {
                let class = provider.classify(endpoint, 200, body);
                let success = endpoint.success.as_ref().unwrap();
                let is_data = serde_json::from_str(body).is_ok_and(|json| success.holds(&json));
                assert!(
                    is_data || class == Some(Malformed),
                    "{} {} {body:?}: {class:?}",
                    provider.name,
                    endpoint.id
                );
            }
        }
    }
}
