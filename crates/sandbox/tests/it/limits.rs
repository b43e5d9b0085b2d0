//! Limits, keys and plans, each as its provider has them.

use jiff::ToSpan;
use tradewind_core::Clock;

use crate::asking;

const KLINES: &str = "https://api.binance.com/api/v3/klines?symbol=BTCUSDT&interval=1h&limit=2";

#[tokio::test]
async fn polygon_refuses_the_sixth_request_of_a_minute() {
    let (running, clock) = asking::free().await;
    let url = "https://api.polygon.io/v2/aggs/ticker/AAPL/prev?apiKey=practice";
    for _ in 0..5 {
        asking::data(&running, url).await;
    }
    let (status, body) = asking::get(&running, url).await;
    assert_eq!((status, &body["status"]), (429, &"ERROR".into()));
    let other = url.replace("practice", "another");
    asking::data(&running, &other).await;
    clock.set(clock.now() + 1.minute());
    asking::data(&running, url).await;
    let counted = running.stats().of("polygon");
    assert_eq!((counted.requests, counted.refused), (8, 1));
}

#[tokio::test]
async fn binance_weighs_says_so_refuses_and_bans_who_goes_on() {
    let (running, _) = asking::free().await;
    let detour = running.detour().unwrap();
    let info = "https://api.binance.com/api/v3/exchangeInfo";
    let mut used = 0;
    let mut statuses = Vec::new();
    for _ in 0..310 {
        let answer = asking::send(&detour, info).await.unwrap();
        let told = answer.headers["x-mbx-used-weight-1m"].to_str().unwrap();
        if answer.status.as_u16() == 200 {
            used += 20;
        }
        assert_eq!(told, used.to_string());
        statuses.push(answer.status.as_u16());
        if answer.status.as_u16() == 418 {
            assert_eq!(answer.headers["retry-after"], "120");
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            assert!(
                text.contains("-1003") && text.contains("banned until"),
                "{text}"
            );
            break;
        }
    }
    assert_eq!(statuses.iter().filter(|s| **s == 200).count(), 300);
    assert_eq!(statuses.iter().filter(|s| **s == 429).count(), 5);
    assert_eq!(statuses.last(), Some(&418));
    assert_eq!(running.stats().of("binance").too_early, 5);
}

#[tokio::test]
async fn alpaca_wants_both_keys_and_keeps_the_newest_consolidated_data_for_who_pays() {
    let (running, _) = asking::free().await;
    let bars = "https://data.alpaca.markets/v2/stocks/bars?symbols=AAPL&timeframe=1Min";
    let mut request = asking::request(bars);
    request.headers = asking::keys("wrong");
    let detour = running.detour().unwrap();
    let answer = tradewind_host::egress::Egress::send(&detour, request)
        .await
        .unwrap();
    assert_eq!(answer.status.as_u16(), 403);
    let (status, body) = asking::get(&running, &format!("{bars}&end=2025-06-13T19:29:00Z")).await;
    let gate = "subscription does not permit querying recent SIP data";
    assert_eq!((status, body["message"].as_str()), (403, Some(gate)));
    let iex = format!("{bars}&end=2025-06-13T19:29:00Z&feed=iex");
    asking::data(&running, &iex).await;
    assert_eq!(running.stats().of("alpaca").denied, 2);
}

#[tokio::test]
async fn polygon_shows_two_years_to_who_does_not_pay() {
    let (running, _) = asking::free().await;
    let url = |from: &str| {
        format!(
            "https://api.massive.com/v2/aggs/ticker/AAPL/range/1/day/{from}/2025-01-01?apiKey=practice"
        )
    };
    let (status, body) = asking::get(&running, &url("2020-01-01")).await;
    assert_eq!((status, &body["status"]), (403, &"NOT_AUTHORIZED".into()));
    asking::data(&running, &url("2024-01-01")).await;
    let (status, body) =
        asking::get(&running, &url("2024-01-01").replace("practice", "wrong")).await;
    assert_eq!((status, &body["error"]), (401, &"Unknown API Key".into()));
}

#[tokio::test]
async fn a_wrong_call_is_refused_in_the_providers_words() {
    let running = asking::generous().await;
    let (status, body) = asking::get(&running, &KLINES.replace("BTCUSDT", "NOPE")).await;
    assert_eq!((status, &body["code"]), (400, &(-1121).into()));
    let (status, body) = asking::get(&running, &KLINES.replace("1h", "1H")).await;
    assert_eq!((status, &body["code"]), (400, &(-1120).into()));
    let (status, body) = asking::get(&running, &format!("{KLINES}&startTime=x")).await;
    assert_eq!((status, &body["code"]), (400, &(-1100).into()));
}
