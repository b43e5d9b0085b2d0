//! Long answers: where they go on, what each page proves, and what is never followed.

use tradewind_catalog::UseCase;
use tradewind_host::egress::HeaderValue;
use tradewind_market::adapter::{AdapterError, Cursor, Note, Offer, Page, Proven, Question, Span};

use crate::answers::{
    LATE, at, bars, lines, offer, payload, read, request, response, rows_of, span, words,
};

fn vouched(page: &Page) -> std::ops::Range<i64> {
    match &page.proven {
        Proven::Bars(pieces) => pieces.first().unwrap().vouched.clone(),
        other => panic!("{other:?}"),
    }
}

fn proven(page: &Page) -> String {
    match &page.proven {
        Proven::Times(Some(times)) => format!("{} {}", times.start, times.end),
        other => format!("{other:?}"),
    }
}

fn url(offer: &Offer, asked: &Span, cursor: Option<&Cursor>) -> String {
    request(offer, asked, cursor, LATE).request.url.to_string()
}

fn read_next(offer: &Offer, asked: &Span, cursor: &Cursor, body: &str) -> Page {
    let prepared = request(offer, asked, Some(cursor), LATE);
    offer
        .read(&prepared, &response(200, body), at(LATE))
        .unwrap()
}

#[test]
fn a_page_with_a_token_proves_up_to_its_last_row_and_the_next_goes_on_there() {
    let offer = offer("alpaca", &bars("META", "1d"));
    let asked = span(&offer, "2022-06-07T04:00:00Z", "2022-06-18T04:00:00Z");
    let key = |day: &str| {
        offer
            .grid()
            .unwrap()
            .key(at(&format!("{day}T16:00:00Z")))
            .unwrap()
    };
    let first = read(&offer, &asked, &payload("alpaca-bars-paged-1.json"), LATE);
    assert_eq!(vouched(&first), key("2022-06-07")..key("2022-06-10"));
    let cursor = first.next.unwrap();
    let next = url(&offer, &asked, Some(&cursor));
    assert!(
        next.contains("page_token=TUVUQXxEfDIwMjItMDYtMDlUMDQ6MDA6MDAuMDAwMDAwMDAwWg%3D%3D"),
        "{next}"
    );
    let second = read_next(
        &offer,
        &asked,
        &cursor,
        &payload("alpaca-bars-paged-2.json"),
    );
    assert_eq!(lines(&second.rows).len(), 2);
    assert_eq!(vouched(&second), key("2022-06-10")..key("2022-06-14"));
    // The end: an empty page without a token proves the rest.
    let cursor = second.next.unwrap();
    let last = read_next(
        &offer,
        &asked,
        &cursor,
        r#"{"bars":{},"next_page_token":null}"#,
    );
    assert_eq!(vouched(&last), key("2022-06-14")..key("2022-06-18"));
    assert_eq!(last.next, None);
}

#[test]
fn the_same_token_again_is_no_next_page() {
    let offer = offer("alpaca", &bars("META", "1d"));
    let asked = span(&offer, "2022-06-07T04:00:00Z", "2022-06-18T04:00:00Z");
    let body = payload("alpaca-bars-paged-1.json");
    let cursor = read(&offer, &asked, &body, LATE).next.unwrap();
    assert_eq!(read_next(&offer, &asked, &cursor, &body).next, None);
}

#[test]
fn a_full_page_of_a_span_goes_on_behind_its_last_row() {
    let offer = offer("binance", &bars("BTC/USDT@binance", "1m"));
    let asked = span(&offer, "2026-07-01T00:00:00Z", "2026-07-02T00:00:00Z");
    let start = at("2026-07-01T00:00:00Z").as_millisecond();
    let row = |n: i64| format!("[{},\"1\",\"1\",\"1\",\"1\",\"1\"]", start + n * 60_000);
    let rows: Vec<_> = (0..1_000).map(row).collect();
    let page = read(&offer, &asked, &format!("[{}]", rows.join(",")), LATE);
    let first = offer
        .grid()
        .unwrap()
        .key(at("2026-07-01T00:00:00Z"))
        .unwrap();
    assert_eq!(vouched(&page), first..first + 1_000);
    assert_eq!(page.notes, [Note::Full]);
    let next = url(&offer, &asked, page.next.as_ref());
    assert!(
        next.contains(&format!("startTime={}&", start + 1_000 * 60_000)),
        "{next}"
    );
    assert_eq!(offer.max_rows(), 1_000);
    assert_eq!((offer.tariff().units, offer.tariff().max_rows), (2, 1_000));
}

#[test]
fn no_call_asks_for_a_longer_span_than_its_answer_can_hold() {
    for (provider, instrument, interval, most) in [
        ("coinbase", "BTC/USD", "1m", 300),
        ("twelvedata", "AAPL", "1m", 5_000),
        // Eight days of minutes.
        ("yahoo", "AAPL", "1m", 11_520),
        ("binance", "BTC/USDT", "1m", 1_000),
        // No month is shorter than 28 days.
        ("alphavantage", "MSFT", "1h", 672),
    ] {
        let adjust = match provider {
            "twelvedata" | "yahoo" => tradewind_market::adapter::Adjust::Splits,
            _ => tradewind_market::adapter::Adjust::None,
        };
        let offer = offer(
            provider,
            &Question {
                adjust,
                ..bars(instrument, interval)
            },
        );
        assert_eq!(offer.max_rows(), most, "{provider}");
    }
    let offer = offer("coinbase", &bars("BTC/USD", "1m"));
    let asked = span(&offer, "2026-11-01T00:00:00Z", "2026-11-01T12:00:00Z");
    let first = url(&offer, &asked, None);
    assert!(
        first.ends_with("start=2026-11-01T00%3A00%3A00Z&end=2026-11-01T04%3A59%3A59Z"),
        "{first}"
    );
    let page = read(&offer, &asked, "[]", LATE);
    let from = offer
        .grid()
        .unwrap()
        .key(at("2026-11-01T00:00:00Z"))
        .unwrap();
    assert_eq!(vouched(&page), from..from + 300);
    let next = url(&offer, &asked, page.next.as_ref());
    assert!(
        next.ends_with("start=2026-11-01T05%3A00%3A00Z&end=2026-11-01T09%3A59%3A59Z"),
        "{next}"
    );
}

#[test]
fn nothing_but_the_same_endpoint_of_the_same_provider_is_followed() {
    let question = Question {
        history: true,
        ..rows_of(UseCase::Quote, "AAPL")
    };
    let offer = offer("polygon", &question);
    let asked = span(&offer, "2022-05-10T14:00:00Z", "2022-05-10T15:00:00Z");
    let recorded = payload("polygon-quotes-page1.json");
    let page = read(&offer, &asked, &recorded, LATE);
    let followed = request(&offer, &asked, page.next.as_ref(), LATE).request;
    assert!(
        followed
            .url
            .as_str()
            .starts_with("https://api.massive.com/v3/quotes/AAPL?cursor=YXA9")
    );
    assert_eq!(followed.headers["Authorization"], "Bearer the-secret-key");
    for foreign in [
        "https://evil.example/v3/quotes/AAPL?cursor=1",
        "http://api.massive.com/v3/quotes/AAPL?cursor=1",
        "https://api.massive.com:8443/v3/quotes/AAPL?cursor=1",
        "https://user@api.massive.com/v3/quotes/AAPL?cursor=1",
        "https://api.massive.com.evil.example/v3/quotes/AAPL",
        "https://api.massive.com/v3/reference/tickers?cursor=1",
        "//api.massive.com/v3/quotes/AAPL",
        "not an address",
    ] {
        let start = recorded.find("https://api.massive.com/v3/quotes").unwrap();
        let end = start + recorded[start..].find('"').unwrap();
        let body = format!("{}{foreign}{}", &recorded[..start], &recorded[end..]);
        let cursor = read(&offer, &asked, &body, LATE).next.unwrap();
        let secrets = |_: &str, _: &str| Some("the-secret".to_owned());
        let error = offer
            .request(&asked, Some(&cursor), &secrets, at(LATE))
            .unwrap_err();
        assert!(
            matches!(error, AdapterError::Address { .. }),
            "{foreign}: {error:?}"
        );
    }
}

#[test]
fn trades_of_kraken_go_on_from_the_last_nanosecond_until_the_span_is_reached() {
    let offer = offer("kraken", &rows_of(UseCase::Trades, "BTC/USDT"));
    let asked = span(&offer, "2024-03-13T11:05:00Z", "2024-03-13T11:10:00Z");
    let first = url(&offer, &asked, None);
    assert!(
        first.ends_with("/0/public/Trades?pair=XBTUSDT&since=1710327899000000000"),
        "{first}"
    );
    let page = read(&offer, &asked, &payload("kraken-Trades.json"), LATE);
    assert_eq!(
        proven(&page),
        "2024-03-13T11:05:00Z 2024-03-13T11:05:59.1733468Z"
    );
    let cursor = page.next.unwrap();
    let next = url(&offer, &asked, Some(&cursor));
    assert!(next.ends_with("since=1710327959173746878"), "{next}");
    let beyond = r#"{"error":[],"result":{"XBTUSDT":[["1","1",1710328200.5,"s","m","",7]],"last":"1710328200500000000"}}"#;
    let last = read_next(&offer, &asked, &cursor, beyond);
    assert_eq!(last.next, None);
    assert_eq!(last.outside.len(), 1);
    assert_eq!(
        proven(&last),
        "2024-03-13T11:05:59.1733468Z 2024-03-13T11:10:00Z"
    );
}

#[test]
fn trades_of_binance_go_on_after_the_last_id() {
    let offer = offer("binance", &rows_of(UseCase::Trades, "BTC/USDT"));
    let asked = span(&offer, "2026-07-01T00:00:00Z", "2026-07-01T01:00:00Z");
    let start = at("2026-07-01T00:00:00Z").as_millisecond();
    let row = |n: i64| {
        format!(
            r#"{{"a":{},"p":"1","q":"1","T":{},"m":true}}"#,
            500 + n,
            start + n
        )
    };
    let rows: Vec<_> = (0..1_000).map(row).collect();
    let page = read(&offer, &asked, &format!("[{}]", rows.join(",")), LATE);
    assert_eq!(
        proven(&page),
        "2026-07-01T00:00:00Z 2026-07-01T00:00:00.999Z"
    );
    let cursor = page.next.unwrap();
    let next = url(&offer, &asked, Some(&cursor));
    assert!(
        next.ends_with("aggTrades?limit=1000&symbol=BTCUSDT&fromId=1499"),
        "{next}"
    );
    // The trade that comes twice because the id counts in is one on its page and ends the chain.
    let last = read_next(&offer, &asked, &cursor, &format!("[{}]", row(999)));
    assert_eq!((last.rows.len(), last.next), (1, None));
}

#[test]
fn trades_of_coinbase_go_back_until_the_start_is_reached() {
    let offer = offer("coinbase", &rows_of(UseCase::Trades, "BTC/USDT"));
    let asked = span(&offer, "2024-03-13T11:00:00Z", "2024-03-13T11:10:00Z");
    let prepared = request(&offer, &asked, None, LATE);
    let mut answer = response(200, payload("coinbase-Trades.json"));
    answer
        .headers
        .insert("cb-after", HeaderValue::from_static("18502034"));
    let page = offer.read(&prepared, &answer, at(LATE)).unwrap();
    assert_eq!(
        proven(&page),
        "2024-03-13T11:00:17.710679001Z 2024-03-13T11:10:00Z"
    );
    let cursor = page.next.unwrap();
    assert!(
        url(&offer, &asked, Some(&cursor)).ends_with("/products/BTC-USDT/trades?after=18502034")
    );
    let older = r#"[{"trade_id":2,"side":"buy","size":"1","price":"1","time":"2024-03-13T11:00:01Z"},
        {"trade_id":1,"side":"buy","size":"1","price":"1","time":"2024-03-13T10:59:59Z"}]"#;
    let last = read_next(&offer, &asked, &cursor, older);
    assert_eq!(
        (last.rows.len(), last.outside.len(), last.next.as_ref()),
        (1, 1, None)
    );
    assert_eq!(
        proven(&last),
        "2024-03-13T11:00:00Z 2024-03-13T11:00:17.710679001Z"
    );
}

#[test]
fn a_span_is_cut_into_months_where_months_are_asked_for() {
    let offer = offer("alphavantage", &bars("MSFT", "30m"));
    let asked = span(&offer, "2026-09-20T04:00:00Z", "2026-11-10T05:00:00Z");
    let body = r#"{"Meta Data":{"6. Time Zone":"US/Eastern"},"Time Series (30min)":{}}"#;
    let mut cursor: Option<Cursor> = None;
    let mut months = Vec::new();
    let mut covered = 0;
    for _ in 0..5 {
        let prepared = request(&offer, &asked, cursor.as_ref(), LATE);
        let month = prepared
            .request
            .url
            .query_pairs()
            .find(|(name, _)| name == "month");
        months.push(month.unwrap().1.into_owned());
        let page = offer
            .read(&prepared, &response(200, body), at(LATE))
            .unwrap();
        let part = vouched(&page);
        covered += part.end - part.start;
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(months, ["2026-09", "2026-10", "2026-11"]);
    let Span::Bars(keys) = asked else { panic!() };
    assert_eq!(covered, keys.end - keys.start);
}

#[test]
fn the_whole_history_is_asked_for_only_when_the_newest_rows_do_not_reach() {
    let offer = offer("alphavantage", &bars("MSFT", "1d"));
    let near = span(&offer, "2026-11-02T05:00:00Z", "2026-11-20T05:00:00Z");
    let far = span(&offer, "2025-11-03T05:00:00Z", "2026-11-20T05:00:00Z");
    assert!(url(&offer, &near, None).contains("outputsize=compact"));
    assert!(url(&offer, &far, None).contains("outputsize=full"));
}

#[test]
fn a_bar_that_a_page_was_cut_within_is_asked_for_again() {
    let offer = offer("polygon", &bars("AAPL", "1h"));
    // The limit counts minutes.
    assert_eq!(offer.max_rows(), 833);
    let asked = span(&offer, "2026-07-01T13:00:00Z", "2026-07-01T20:00:00Z");
    let row = |hour: i64| {
        let stamp = at("2026-07-01T13:00:00Z").as_millisecond() + hour * 3_600_000;
        format!(r#"{{"t":{stamp},"o":1,"h":1,"l":1,"c":1,"v":1}}"#)
    };
    let body = format!(
        r#"{{"resultsCount":3,"results":[{},{},{}],"next_url":"https://api.massive.com/v2/aggs/ticker/AAPL/range/1/hour/1/2?cursor=x"}}"#,
        row(0),
        row(1),
        row(2)
    );
    let page = read(&offer, &asked, &body, LATE);
    assert_eq!(
        (page.rows.len(), page.notes.as_slice()),
        (2, [Note::Torn(1)].as_slice())
    );
    let first = offer
        .grid()
        .unwrap()
        .key(at("2026-07-01T13:00:00Z"))
        .unwrap();
    assert_eq!(vouched(&page), first..first + 2);
    let next = url(&offer, &asked, page.next.as_ref());
    let from = at("2026-07-01T15:00:00Z").as_millisecond();
    assert!(next.contains(&format!("/hour/{from}/")), "{next}");
}

#[test]
fn numbered_pages_go_on_while_they_are_full() {
    let offer = offer("newsapi", &words("gold"));
    let asked = span(&offer, "2026-11-10T00:00:00Z", "2026-11-20T00:00:00Z");
    assert_eq!(
        url(&offer, &asked, None),
        "https://newsapi.org/v2/everything?pageSize=100&sortBy=publishedAt&q=gold&from=2026-11-10T00%3A00%3A00&to=2026-11-19T23%3A59%3A59&page=1"
    );
    let row = |n: i64| {
        let moment = at("2026-11-19T00:00:00Z") - jiff::SignedDuration::from_mins(n);
        format!(
            r#"{{"source":{{"name":"A"}},"title":"T","url":"https://a.example/{n}","publishedAt":"{moment}"}}"#
        )
    };
    let rows: Vec<_> = (0..100).map(row).collect();
    let page = read(
        &offer,
        &asked,
        &format!(r#"{{"status":"ok","articles":[{}]}}"#, rows.join(",")),
        LATE,
    );
    assert_eq!(
        proven(&page),
        "2026-11-18T22:21:00.000000001Z 2026-11-20T00:00:00Z"
    );
    let cursor = page.next.unwrap();
    assert!(url(&offer, &asked, Some(&cursor)).ends_with("page=2"));
    let last = read_next(&offer, &asked, &cursor, r#"{"status":"ok","articles":[]}"#);
    assert_eq!(last.next, None);
    assert_eq!(
        proven(&last),
        "2026-11-10T00:00:00Z 2026-11-18T22:21:00.000000001Z"
    );
}
