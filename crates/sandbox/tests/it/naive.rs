//! A naive client fails: it loops without pacing, takes 200 for success and the first page for all.
//!
//! Each test shows what it believes in the end, what is true, and what it would have needed: to wait as long
//! as it is told, to look for the data and not for the status, to follow pages to the end, to know which bar
//! is not over. A sandbox on which it got through would prove nothing about who is careful.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::Value;
use tradewind_core::Clock;
use tradewind_core::clock::FixedClock;
use tradewind_sandbox::Running;

use crate::asking;

const SYMBOLS: [&str; 8] = [
    "AAPL", "AMZN", "GOOG", "IBM", "META", "MSFT", "NVDA", "TSLA",
];

/// What a client believes: closes by symbol, and what it takes for nonexistent.
#[derive(Default)]
struct Belief {
    closes: BTreeMap<String, usize>,
    nonexistent: Vec<String>,
}

/// Asks for each symbol at once, and takes what has no rows for what does not exist.
async fn loop_without_pacing(
    running: &Running,
    url: impl Fn(&str) -> String,
    rows: impl Fn(&Value) -> usize,
) -> Belief {
    let mut belief = Belief::default();
    for symbol in SYMBOLS {
        let (_status, json) = asking::get(running, &url(symbol)).await;
        match rows(&json) {
            0 => belief.nonexistent.push(symbol.to_owned()),
            count => drop(belief.closes.insert(symbol.to_owned(), count)),
        }
    }
    belief
}

/// Asks again after the time that the window takes, until the data is there.
async fn with_patience(
    running: &Running,
    clock: &Arc<FixedClock>,
    window: SignedDuration,
    url: impl Fn(&str) -> String,
    rows: impl Fn(&Value) -> Option<usize>,
) -> Belief {
    let mut belief = Belief::default();
    for symbol in SYMBOLS {
        let (_status, mut json) = asking::get(running, &url(symbol)).await;
        if rows(&json).is_none() {
            clock.set(clock.now() + window);
            json = asking::data(running, &url(symbol)).await;
        }
        let count = rows(&json).unwrap();
        belief.closes.insert(symbol.to_owned(), count);
    }
    belief
}

#[tokio::test]
async fn without_pacing_three_of_eight_shares_do_not_exist() {
    let url = |symbol: &str| {
        format!(
            "https://api.massive.com/v2/aggs/ticker/{symbol}/range/1/day/2025-06-02/2025-06-11?apiKey=k"
        )
    };
    let (running, _clock) = asking::free().await;
    let count = |json: &Value| json["results"].as_array().map_or(0, Vec::len);
    let naive = loop_without_pacing(&running, url, count).await;
    assert_eq!(naive.nonexistent, ["MSFT", "NVDA", "TSLA"]);
    assert_eq!(running.stats().of("polygon").refused, 3);
    // It went on although it had been told to wait.
    assert_eq!(running.stats().of("polygon").too_early, 2);

    let (running, clock) = asking::free().await;
    let data = |json: &Value| json["results"].as_array().map(Vec::len);
    let careful = with_patience(&running, &clock, SignedDuration::from_secs(60), url, data).await;
    assert!(
        careful.closes.values().all(|count| *count == 8),
        "{:?}",
        careful.closes
    );
    assert_eq!(running.stats().of("polygon").too_early, 0);
}

#[tokio::test]
async fn status_200_is_no_data() {
    let url = |symbol: &str| {
        format!(
            "https://www.alphavantage.co/query?function=TIME_SERIES_DAILY&symbol={symbol}&apikey=k"
        )
    };
    let (running, _clock) = asking::free().await;
    let rows = |json: &Value| {
        json["Time Series (Daily)"]
            .as_object()
            .map_or(0, serde_json::Map::len)
    };
    let naive = loop_without_pacing(&running, url, rows).await;
    // All eight came with status 200; one had data.
    assert_eq!(naive.closes.len(), 1);
    assert_eq!(naive.nonexistent.len(), 7);

    let (running, clock) = asking::free().await;
    let data = |json: &Value| {
        json["Time Series (Daily)"]
            .as_object()
            .map(serde_json::Map::len)
    };
    let careful = with_patience(&running, &clock, SignedDuration::from_secs(1), url, data).await;
    assert!(
        careful.closes.values().all(|count| *count == 100),
        "{:?}",
        careful.closes
    );
}

#[tokio::test]
async fn the_first_page_is_not_all() {
    let running = asking::generous().await;
    let url = "https://data.alpaca.markets/v2/stocks/bars?symbols=AAPL,MSFT&timeframe=1Min&start=2025-06-02&end=2025-06-06";
    let naive = asking::data(&running, url).await;
    let count = |page: &Value, symbol: &str| page["bars"][symbol].as_array().map_or(0, Vec::len);
    // Of five days of 390 minutes of two shares it has half of one share, and nothing says error.
    assert_eq!((count(&naive, "AAPL"), count(&naive, "MSFT")), (1_000, 0));

    let (mut apple, mut microsoft) = (count(&naive, "AAPL"), 0);
    let mut page = naive;
    while let Some(token) = page["next_page_token"].as_str().map(str::to_owned) {
        page = asking::data(&running, &format!("{url}&page_token={token}")).await;
        apple += count(&page, "AAPL");
        microsoft += count(&page, "MSFT");
    }
    assert_eq!((apple, microsoft), (1_950, 1_950));
}

#[tokio::test]
async fn going_on_while_refused_leads_to_a_ban() {
    let (running, clock) = asking::free().await;
    let url = "https://api.binance.com/api/v3/trades?symbol=BTCUSDT&limit=1";
    let mut statuses = Vec::new();
    for _ in 0..260 {
        statuses.push(asking::get(&running, url).await.0);
    }
    // 6 000 units are 240 calls of 25; then five warnings; then the door is shut for two minutes.
    assert_eq!(
        statuses.iter().filter(|status| **status == 200).count(),
        240
    );
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 5);
    assert_eq!(statuses.iter().filter(|status| **status == 418).count(), 15);
    clock.set(clock.now() + SignedDuration::from_secs(60));
    assert_eq!(
        asking::get(&running, url).await.0,
        418,
        "a new minute does not end a ban"
    );
    clock.set(clock.now() + SignedDuration::from_secs(60));
    assert_eq!(asking::get(&running, url).await.0, 200);
}

#[tokio::test]
async fn the_bar_that_is_not_over_is_no_close() {
    let (running, clock) = asking::free().await;
    let url = "https://api.kraken.com/0/public/OHLC?pair=XBTUSDT&interval=1440";
    let last = |json: &Value| {
        json["result"]["XBTUSDT"]
            .as_array()
            .unwrap()
            .last()
            .unwrap()
            .clone()
    };
    let naive = last(&asking::data(&running, url).await);
    clock.set(clock.now() + SignedDuration::from_hours(24));
    let later = asking::data(&running, url).await;
    let rows = later["result"]["XBTUSDT"].as_array().unwrap();
    let closed = rows.iter().find(|row| row[0] == naive[0]).unwrap();
    assert_ne!(
        closed[4], naive[4],
        "what looked like a close was the price at half past seven"
    );
    assert_ne!(closed[6], naive[6]);
    // What it would have needed stands in the answer: bars up to `last` are over.
    assert!(later["result"]["last"].as_i64() >= closed[0].as_i64());
}
