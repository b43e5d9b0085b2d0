//! What the catalog says of answers and refusals, held against answers and refusals.
//!
//! The catalog is written from documents, the sandbox from recordings; where they disagree, one is wrong.

use tradewind_catalog::Catalog;
use tradewind_catalog::endpoint::Method;
use tradewind_catalog::refusal::FailureClass;
use tradewind_sandbox::{Fault, FaultKind, Running};

use crate::asking;

/// One endpoint of each provider, with a key where one is wanted.
const CALLS: [(&str, &str); 12] = [
    (
        "alpaca",
        "https://data.alpaca.markets/v2/stocks/bars?symbols=AAPL&timeframe=1Day&start=2025-06-02",
    ),
    (
        "alphavantage",
        "https://www.alphavantage.co/query?function=TIME_SERIES_DAILY&symbol=AAPL&apikey=KEY",
    ),
    (
        "binance",
        "https://api.binance.com/api/v3/klines?symbol=BTCUSDT&interval=1d",
    ),
    (
        "coinbase",
        "https://api.exchange.coinbase.com/products/BTC-USD/candles?granularity=86400",
    ),
    ("finnhub", "https://finnhub.io/api/v1/quote?symbol=AAPL"),
    (
        "fred",
        "https://api.stlouisfed.org/fred/series/observations?series_id=DGS10&file_type=json&api_key=KEY",
    ),
    (
        "kraken",
        "https://api.kraken.com/0/public/OHLC?pair=XBTUSDT&interval=1440",
    ),
    ("newsapi", "https://newsapi.org/v2/everything?q=Apple"),
    (
        "polygon",
        "https://api.massive.com/v2/aggs/ticker/AAPL/range/1/day/2025-06-02/2025-06-11?apiKey=KEY",
    ),
    (
        "tiingo",
        "https://api.tiingo.com/tiingo/daily/AAPL/prices?token=KEY",
    ),
    (
        "twelvedata",
        "https://api.twelvedata.com/time_series?symbol=AAPL&interval=1day&apikey=KEY",
    ),
    (
        "yahoo",
        "https://query1.finance.yahoo.com/v8/finance/chart/AAPL?interval=1d&range=1mo",
    ),
];

/// Asks, and returns what the catalog takes the answer for.
async fn class(running: &Running, provider: &str, url: &str, key: &str) -> Option<FailureClass> {
    let url = url.replace("KEY", key);
    let mut request = asking::request(&url);
    request.headers = asking::keys(key);
    let detour = running.detour().unwrap();
    let answer = tradewind_host::egress::Egress::send(&detour, request.clone())
        .await
        .unwrap();
    let query: Vec<_> = request
        .url
        .query_pairs()
        .map(|(k, v)| (k.into_owned(), v.into_owned()))
        .collect();
    let provider = Catalog::builtin_shared().provider(provider).unwrap();
    let matched = provider
        .matched(Method::Get, None, request.url.path(), &query)
        .unwrap();
    let body = String::from_utf8_lossy(&answer.body);
    provider.classify(matched.endpoint, answer.status.as_u16(), &body)
}

#[tokio::test]
async fn data_is_recognised_as_data() {
    let running = asking::generous().await;
    for (provider, url) in CALLS {
        assert_eq!(
            class(&running, provider, url, "practice").await,
            None,
            "{provider}"
        );
    }
}

#[tokio::test]
async fn one_call_too_many_is_recognised() {
    let running = asking::generous().await;
    for (provider, url) in CALLS {
        for kind in [FaultKind::Storm, FaultKind::RefusedOk] {
            running
                .switch_on(Fault::new(provider, kind).times(1))
                .unwrap();
            let class = class(&running, provider, url, "practice").await;
            let is_limit = matches!(
                class,
                Some(FailureClass::Throttled | FailureClass::QuotaGone)
            );
            // With status 200 a refusal without a form of its own is at least no data.
            let is_no_data = kind == FaultKind::RefusedOk && class.is_some();
            assert!(is_limit || is_no_data, "{provider} {kind}: {class:?}");
        }
    }
}

#[tokio::test]
async fn a_wrong_key_is_recognised() {
    let running = asking::generous().await;
    for (provider, url) in CALLS {
        let class = class(&running, provider, url, "wrong").await;
        let expected = match provider {
            "binance" | "coinbase" | "kraken" | "yahoo" => None,
            _ => Some(FailureClass::Auth),
        };
        assert_eq!(class, expected, "{provider}");
    }
}
