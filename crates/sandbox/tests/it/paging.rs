//! Pages: all rows once, whatever the size of a page, and what one page says of the next.

use serde_json::Value;

use crate::asking;

/// Follows Alpaca's tokens to the end.
async fn alpaca(running: &tradewind_sandbox::Running, query: &str) -> Vec<(String, Value)> {
    let base = format!("https://data.alpaca.markets/v2/stocks/bars?{query}");
    let mut rows = Vec::new();
    let mut token = None;
    for _ in 0..200 {
        let url = match &token {
            None => base.clone(),
            Some(token) => format!("{base}&page_token={token}"),
        };
        let page = asking::data(running, &url).await;
        for (symbol, bars) in page["bars"].as_object().unwrap() {
            rows.extend(
                bars.as_array()
                    .unwrap()
                    .iter()
                    .map(|b| (symbol.clone(), b.clone())),
            );
        }
        match page["next_page_token"].as_str() {
            None => return rows,
            Some(next) => token = Some(next.to_owned()),
        }
    }
    panic!("the pages have no end");
}

#[tokio::test]
async fn alpaca_pages_run_symbol_by_symbol_and_lose_nothing() {
    let running = asking::generous().await;
    let span = "symbols=MSFT,AAPL&timeframe=1Hour&start=2025-06-02&end=2025-06-05";
    for sort in ["asc", "desc"] {
        let whole = alpaca(&running, &format!("{span}&sort={sort}")).await;
        // Four days of seven hours, 09:00 to 15:00, of two symbols.
        assert_eq!(whole.len(), 4 * 7 * 2);
        assert_eq!(whole[0].0, "AAPL");
        for limit in [1, 5, 28, 56] {
            let paged = alpaca(&running, &format!("{span}&sort={sort}&limit={limit}")).await;
            assert_eq!(paged, whole, "{limit}");
        }
    }
}

#[tokio::test]
async fn a_full_last_page_promises_another_one_that_is_empty() {
    let running = asking::generous().await;
    let url = "https://data.alpaca.markets/v2/stocks/bars?symbols=AAPL&timeframe=1Day&start=2025-06-02&end=2025-06-05&limit=4";
    let page = asking::data(&running, url).await;
    assert_eq!(page["bars"]["AAPL"].as_array().unwrap().len(), 4);
    let token = page["next_page_token"].as_str().unwrap();
    let empty = asking::data(&running, &format!("{url}&page_token={token}")).await;
    assert_eq!(empty["bars"], serde_json::json!({}));
    assert_eq!(empty["next_page_token"], Value::Null);
}

#[tokio::test]
async fn polygons_limit_counts_what_bars_are_made_of() {
    let running = asking::generous().await;
    let base = "https://api.massive.com/v2/aggs/ticker/AAPL/range/1/hour/2025-06-02/2025-06-03";
    let whole = asking::data(&running, &format!("{base}?apiKey=k")).await;
    assert_eq!(
        (&whole["resultsCount"], &whole["queryCount"]),
        (&14.into(), &780.into())
    );
    assert!(whole["next_url"].is_null());
    // A hundred minutes are not two hours: 09:30 to 10:00, 10:00 to 11:00, and ten that are cut off.
    let mut page = asking::data(&running, &format!("{base}?apiKey=k&limit=100")).await;
    assert_eq!(page["resultsCount"], 2);
    let mut rows = page["results"].as_array().unwrap().clone();
    while let Some(next) = page["next_url"].as_str().map(str::to_owned) {
        assert!(next.starts_with("https://api.massive.com/v2/aggs/") && !next.contains("apiKey"));
        page = asking::data(&running, &format!("{next}&apiKey=k")).await;
        rows.extend(page["results"].as_array().into_iter().flatten().cloned());
    }
    assert_eq!(Value::from(rows), whole["results"]);
}

#[tokio::test]
async fn binance_begins_at_the_start_or_ends_at_the_end() {
    let running = asking::generous().await;
    let url = "https://api.binance.com/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=3";
    let opens = |rows: Value| -> Vec<i64> {
        let rows = rows.as_array().unwrap().clone();
        rows.iter().map(|row| row[0].as_i64().unwrap()).collect()
    };
    let day = 1_749_772_800_000_i64;
    let minute = 60_000;
    let first = asking::data(&running, &format!("{url}&startTime={day}")).await;
    assert_eq!(opens(first), [day, day + minute, day + 2 * minute]);
    let last = asking::data(&running, &format!("{url}&endTime={day}")).await;
    assert_eq!(opens(last), [day - 2 * minute, day - minute, day]);
    let newest = asking::data(&running, url).await;
    let open = &newest[2];
    assert_eq!(open[0], 1_749_843_000_000_i64);
    // The bar that is being made ends after now.
    assert_eq!(open[6], 1_749_843_059_999_i64);
    let one = format!("{url}&startTime={}&endTime={}", day + 1, day + minute);
    assert_eq!(opens(asking::data(&running, &one).await), [day + minute]);
}
