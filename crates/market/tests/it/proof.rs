//! What an answer proves, and what it does not: open bars, holes, rows that came twice, stamps that move.

use std::ops::Range;

use tradewind_market::adapter::{Adjust, Note, Offer, Page, Proven, Question, Rows, Span};
use tradewind_market::coverage::Answered;
use tradewind_market::{Coverage, Key, Known, Proof};

use crate::answers::{
    LATE, at, bars, lines, offer, offer_of, payload, read, request, response, span,
};

fn answered(page: &Page) -> &[Answered] {
    match &page.proven {
        Proven::Bars(pieces) => pieces,
        other => panic!("{other:?}"),
    }
}

/// First and last end of each part that is vouched for.
fn vouched(page: &Page) -> Vec<(Key, Key)> {
    let ends = |piece: &Answered| (piece.vouched.start, piece.vouched.end);
    answered(page).iter().map(ends).collect()
}

fn key(offer: &Offer, moment: &str) -> Key {
    offer.grid().unwrap().key(at(moment)).unwrap()
}

fn is_final(page: &Page) -> Vec<bool> {
    match &page.rows {
        Rows::Bars(bars) => bars.iter().map(|keyed| keyed.bar.is_final).collect(),
        other => panic!("{other:?}"),
    }
}

fn splits(question: Question) -> Question {
    Question {
        adjust: Adjust::Splits,
        ..question
    }
}

#[test]
fn a_whole_answer_proves_what_is_not_in_it() {
    let offer = offer("binance", &bars("BTC/USDT@binance", "1m"));
    let asked = span(&offer, "2026-07-01T00:00:00Z", "2026-07-01T00:05:00Z");
    // The third and the fourth minute had no trade.
    let body = r#"[[1782864000000,"1","2","1","2","5"],[1782864060000,"2","2","2","2","1"],[1782864240000,"2","3","2","3","1"]]"#;
    let page = read(&offer, &asked, body, LATE);
    let mut coverage = Coverage::default();
    for piece in answered(&page) {
        coverage.learn(piece);
    }
    let first = key(&offer, "2026-07-01T00:00:00Z");
    let known: Vec<_> = (first - 1..first + 6).map(|key| coverage.of(key)).collect();
    let empty = Some(Known::Empty(Proof::Answered));
    let bar = Some(Known::Bar);
    assert_eq!(known, [None, bar, bar, empty, empty, bar, None]);
    assert_eq!(page.notes, []);
    assert_eq!(page.next, None);
}

#[test]
fn the_bar_that_is_being_made_is_not_final_until_it_has_settled() {
    let offer = offer("binance", &bars("BTC/USDT@binance", "1m"));
    let asked = span(&offer, "2026-07-01T00:00:00Z", "2026-07-01T00:02:00Z");
    let body = r#"[[1782864000000,"1","2","1","2","5"],[1782864060000,"2","2","2","2","1"]]"#;
    for (now, wanted) in [
        ("2026-07-01T00:01:00Z", [false, false]),
        ("2026-07-01T00:01:05Z", [true, false]),
        ("2026-07-01T00:01:59Z", [true, false]),
        ("2026-07-01T00:02:05Z", [true, true]),
    ] {
        assert_eq!(is_final(&read(&offer, &asked, body, now)), wanted, "{now}");
    }
}

#[test]
fn the_last_row_of_kraken_is_open_whatever_the_clock_says() {
    let offer = offer("kraken", &bars("BTC/USDT@kraken", "1h"));
    let asked = span(&offer, "2024-01-30T16:00:00Z", "2024-02-02T00:00:00Z");
    let page = read(&offer, &asked, &payload("kraken-OHLCV.json"), LATE);
    assert_eq!(is_final(&page), [true, true, true, true, false]);
    // Its first row lies before what was asked for.
    assert_eq!(page.outside.len(), 1);
    assert_eq!(page.notes, [Note::Outside(1)]);
    let last = key(&offer, "2024-02-01T15:00:00Z");
    assert_eq!(answered(&page)[0].final_before, last);
}

#[test]
fn when_kraken_has_no_more_than_its_newest_720_nothing_older_is_taken_for_empty() {
    let offer = offer("kraken", &bars("BTC/USD", "1m"));
    let first = at("2026-11-22T23:00:00Z").as_second();
    let row = |n: i64| format!("[{},\"1\",\"1\",\"1\",\"1\",\"1\",\"0\",0]", first + n * 60);
    let rows: Vec<_> = (0..720).map(row).collect();
    let body = format!(
        r#"{{"error":[],"result":{{"XXBTZUSD":[{}],"last":1}}}}"#,
        rows.join(",")
    );
    let asked = span(&offer, "2026-11-22T20:00:00Z", "2026-11-23T11:00:00Z");
    let page = read(&offer, &asked, &body, LATE);
    let from = key(&offer, "2026-11-22T23:00:00Z");
    assert_eq!(vouched(&page), [(from, from + 720)]);
    assert_eq!(page.next, None);
    assert_eq!(page.notes, [Note::Full]);
    assert_eq!(offer.oldest(at(LATE)), Some(at("2026-11-23T00:00:00Z")));
}

const YAHOO: &str = r#"{"chart":{"result":[{"meta":{"symbol":"AAPL"},"timestamp":[TIMES],"indicators":{"quote":[
    {"open":[OPEN],"high":[9,9,9,9],"low":[1,1,1,1],"close":[CLOSE],"volume":[10,20,30,40]}]}}],"error":null}}"#;

fn yahoo(times: &str, open: &str, close: &str) -> String {
    YAHOO
        .replace("TIMES", times)
        .replace("OPEN", open)
        .replace("CLOSE", close)
}

#[test]
fn the_moving_stamp_of_an_open_day_lies_on_its_day() {
    let offer = offer("yahoo", &splits(bars("AAPL", "1d")));
    let asked = span(&offer, "2023-09-25T04:00:00Z", "2023-09-27T04:00:00Z");
    // Monday at its open; Tuesday, still open, at the time of its last price.
    let read = |last: &str, now: &str| {
        let body = yahoo(&format!("1695648600,{last}"), "2,3", "4,5.225006103515625");
        read(&offer, &asked, &body, now)
    };
    let noon = read("1695755311", "2023-09-26T19:08:40Z");
    let later = read("1695758400", "2023-09-26T20:00:10Z");
    assert_eq!(
        lines(&noon.rows),
        [
            "2023-09-25T04:00:00Z 2 9 1 4 10",
            "2023-09-26T04:00:00Z 3 9 1 5.225006103515625 20"
        ]
    );
    assert_eq!(lines(&noon.rows), lines(&later.rows));
    assert_eq!(is_final(&noon), [true, false]);
    assert_eq!(
        is_final(&read("1695735000", "2023-09-27T12:00:00Z")),
        [true, true]
    );
}

#[test]
fn rows_of_nulls_are_empty_and_half_rows_are_unknown() {
    let offer = offer("yahoo", &splits(bars("AAPL", "1m")));
    let asked = span(&offer, "2026-11-20T15:00:00Z", "2026-11-20T15:04:00Z");
    // The second minute has nothing; the third has an open but no close.
    let body = yahoo(
        "1795186800,1795186860,1795186920,1795186980",
        "2,null,3,4",
        "2,null,null,4",
    )
    .replacen("[9,9,9,9]", "[9,null,9,9]", 1)
    .replacen("[1,1,1,1]", "[1,null,1,1]", 1);
    let page = read(&offer, &asked, &body, LATE);
    let first = key(&offer, "2026-11-20T15:00:00Z");
    assert_eq!(page.rows.len(), 2);
    assert_eq!(page.notes, [Note::Nulls(1), Note::Incomplete(1)]);
    assert_eq!(vouched(&page), [(first, first + 2), (first + 3, first + 4)]);
    let mut coverage = Coverage::default();
    for piece in answered(&page) {
        coverage.learn(piece);
    }
    assert_eq!(
        coverage.gaps(&(first..first + 4)),
        vec![Range {
            start: first + 2,
            end: first + 3
        }]
    );
    assert_eq!(coverage.of(first + 1), Some(Known::Empty(Proof::Answered)));
}

#[test]
fn a_chart_without_rows_has_no_stamps() {
    let offer = offer("yahoo", &splits(bars("AAPL", "1d")));
    let asked = span(&offer, "2026-11-21T05:00:00Z", "2026-11-23T05:00:00Z");
    let body = r#"{"chart":{"result":[{"meta":{"symbol":"AAPL"},"indicators":{"quote":[{}]}}],"error":null}}"#;
    let page = read(&offer, &asked, body, LATE);
    assert!(page.rows.is_empty());
    let first = key(&offer, "2026-11-21T12:00:00Z");
    assert_eq!(vouched(&page), [(first, first + 2)]);
}

#[test]
fn the_same_bar_twice_is_one_and_of_two_the_later_is_kept() {
    let offer = offer("binance", &bars("BTC/USDT@binance", "1m"));
    let asked = span(&offer, "2026-07-01T00:00:00Z", "2026-07-01T00:02:00Z");
    let body = r#"[[1782864000000,"1","2","1","2","5"],[1782864060000,"2","2","2","2","1"],
        [1782864000000,"1.0","2","1","2.00","5"],[1782864060000,"2","3","2","3","4"]]"#;
    let page = read(&offer, &asked, body, LATE);
    assert_eq!(
        lines(&page.rows),
        [
            "2026-07-01T00:00:00Z 1 2 1 2 5",
            "2026-07-01T00:01:00Z 2 3 2 3 4"
        ]
    );
    assert_eq!(
        page.notes,
        [Note::Duplicates(1), Note::Conflicts(1), Note::Full]
    );
}

#[test]
fn days_lie_on_new_york_midnights_on_both_sides_of_a_clock_change() {
    let offer = offer("alpaca", &bars("AAPL", "1d"));
    let asked = span(&offer, "2026-10-29T04:00:00Z", "2026-11-04T05:00:00Z");
    let row = |at: &str| format!(r#"{{"t":"{at}","o":1,"h":1,"l":1,"c":1,"v":1}}"#);
    let days = [
        "2026-10-30T04:00:00Z",
        "2026-11-02T05:00:00Z",
        "2026-11-03T05:00:00Z",
    ];
    let rows: Vec<_> = days.iter().map(|at| row(at)).collect();
    let body = |rows: &[String]| {
        format!(
            r#"{{"bars":{{"AAPL":[{}]}},"next_page_token":null}}"#,
            rows.join(",")
        )
    };
    let page = read(&offer, &asked, &body(&rows), LATE);
    let starts: Vec<_> = lines(&page.rows)
        .iter()
        .map(|line| line[..20].to_owned())
        .collect();
    assert_eq!(starts, days);
    assert_eq!(page.notes, []);
    // A day that begins elsewhere is another series' day: it is left out, and its place stays unknown.
    let odd = read(
        &offer,
        &asked,
        &body(&[rows[0].clone(), row("2026-11-02T04:00:00Z")]),
        LATE,
    );
    assert_eq!(odd.rows.len(), 1);
    assert_eq!(odd.notes, [Note::OffGrid(1)]);
    let hole = key(&offer, "2026-11-02T04:00:00Z");
    assert!(
        vouched(&odd)
            .iter()
            .all(|(start, end)| !(*start..*end).contains(&hole))
    );
}

const ALPHA: &str = r#"{"Meta Data":{"6. Time Zone":"US/Eastern"},"Time Series (30min)":{ROWS}}"#;

#[test]
fn local_times_are_right_around_a_clock_change_and_the_doubled_hour_is_not_guessed() {
    let offer = offer("alphavantage", &bars("MSFT", "30m"));
    let asked = span(&offer, "2026-11-01T04:00:00Z", "2026-11-01T08:00:00Z");
    let row = |at: &str| {
        format!(
            r#""{at}":{{"1. open":"1.10","2. high":"1","3. low":"1","4. close":"1","5. volume":"1"}}"#
        )
    };
    let read = |times: &[&str]| {
        let rows: Vec<_> = times.iter().map(|at| row(at)).collect();
        read(
            &offer,
            &asked,
            &ALPHA.replace("ROWS", &rows.join(",")),
            LATE,
        )
    };
    let clear = read(&[
        "2026-11-01 02:30:00",
        "2026-11-01 02:00:00",
        "2026-11-01 00:30:00",
    ]);
    let starts: Vec<_> = lines(&clear.rows)
        .iter()
        .map(|line| line[..20].to_owned())
        .collect();
    assert_eq!(
        starts,
        [
            "2026-11-01T04:30:00Z",
            "2026-11-01T07:00:00Z",
            "2026-11-01T07:30:00Z"
        ]
    );
    let doubled = read(&["2026-11-01 02:00:00", "2026-11-01 01:30:00"]);
    assert_eq!(doubled.notes, [Note::BadTime(1), Note::Odd(1)]);
    assert_eq!(doubled.rows.len(), 1);
    // Which half hour it was is not known, so nothing around it is taken for empty.
    assert!(
        answered(&doubled)
            .iter()
            .all(|piece| piece.vouched.is_empty())
    );
}

#[test]
fn a_zone_that_there_is_not_is_an_error_and_no_guess() {
    let offer = offer("alphavantage", &bars("MSFT", "30m"));
    let asked = span(&offer, "2026-11-02T05:00:00Z", "2026-11-03T05:00:00Z");
    let prepared = request(&offer, &asked, None, LATE);
    let body = ALPHA
        .replace("US/Eastern", "Mars/North")
        .replace("ROWS", "");
    let error = offer
        .read(&prepared, &response(200, body), at(LATE))
        .unwrap_err();
    assert!(
        matches!(error, tradewind_market::adapter::AdapterError::Zone { .. }),
        "{error:?}"
    );
}

#[test]
fn a_number_with_too_many_digits_leaves_a_hole_and_is_not_rounded() {
    let offer = offer("binance", &bars("BTC/USDT@binance", "1m"));
    let asked = span(&offer, "2026-07-01T00:00:00Z", "2026-07-01T00:02:00Z");
    let body = r#"[[1782864000000,"0.1234567890123456789012345678","2","0","2","5"],
        [1782864060000,"0.12345678901234567890123456789","2","0","2","1"]]"#;
    let page = read(&offer, &asked, body, LATE);
    assert_eq!(
        lines(&page.rows),
        ["2026-07-01T00:00:00Z 0.1234567890123456789012345678 2 0 2 5"]
    );
    assert_eq!(page.notes, [Note::Inexact(1)]);
    let first = key(&offer, "2026-07-01T00:00:00Z");
    assert_eq!(vouched(&page), [(first, first + 1)]);
}

#[test]
fn a_day_that_is_corrected_until_the_evening_is_final_in_the_evening() {
    let offer = offer("tiingo", &bars("GOOGL", "1d"));
    let asked = span(&offer, "2026-11-19T05:00:00Z", "2026-11-21T05:00:00Z");
    let row = |day: &str| {
        format!(
            r#"{{"date":"{day}T00:00:00.000Z","open":1,"high":1,"low":1,"close":1,"volume":1}}"#
        )
    };
    let body = format!("[{},{}]", row("2026-11-19"), row("2026-11-20"));
    for (now, wanted) in [
        ("2026-11-21T00:59:00Z", [true, false]),
        ("2026-11-21T01:00:05Z", [true, true]),
    ] {
        assert_eq!(is_final(&read(&offer, &asked, &body, now)), wanted, "{now}");
    }
}

#[test]
fn what_a_delayed_plan_does_not_show_yet_is_not_empty() {
    let offer = offer("alpaca", &bars("AAPL", "1m"));
    let asked = span(&offer, "2026-11-23T11:40:00Z", LATE);
    let page = read(
        &offer,
        &asked,
        r#"{"bars":{},"next_page_token":null}"#,
        LATE,
    );
    // 15 minutes of the plan and the minute in which late trades still come.
    assert_eq!(
        answered(&page)[0].final_before,
        key(&offer, "2026-11-23T11:44:00Z")
    );
}

#[test]
fn adjusted_and_raw_fields_are_told_apart() {
    let row = r#"[{"date":"2020-08-28T00:00:00.000Z","open":504.05,"high":505.77,"low":498.31,"close":499.23,"volume":46907479,
        "adjOpen":123.62,"adjHigh":124.04,"adjLow":122.21,"adjClose":122.44,"adjVolume":187629916}]"#;
    let read = |adjust| {
        let question = Question {
            adjust,
            ..bars("AAPL", "1d")
        };
        let offer = offer("tiingo", &question);
        let asked = span(&offer, "2020-08-28T04:00:00Z", "2020-08-29T04:00:00Z");
        (
            lines(&read(&offer, &asked, row, LATE).rows),
            offer.identity(),
        )
    };
    let (raw, raw_series) = read(Adjust::None);
    let (all, all_series) = read(Adjust::All);
    assert_eq!(
        raw,
        ["2020-08-28T04:00:00Z 504.05 505.77 498.31 499.23 46907479"]
    );
    assert_eq!(
        all,
        ["2020-08-28T04:00:00Z 123.62 124.04 122.21 122.44 187629916"]
    );
    assert_ne!(raw_series, all_series);
}

#[test]
fn newest_first_is_turned_round() {
    let offer = offer_of("twelvedata", "time-series", &splits(bars("AAPL", "1d")));
    let asked = span(&offer, "2026-11-18T05:00:00Z", "2026-11-21T05:00:00Z");
    let row = |day: &str| {
        format!(
            r#"{{"datetime":"{day}","open":"1.5","high":"2","low":"1","close":"1.25","volume":"7"}}"#
        )
    };
    let body = format!(
        r#"{{"meta":{{}},"values":[{},{},{}],"status":"ok"}}"#,
        row("2026-11-20"),
        row("2026-11-19"),
        row("2026-11-18")
    );
    let page = read(&offer, &asked, &body, LATE);
    assert_eq!(
        lines(&page.rows),
        [
            "2026-11-18T05:00:00Z 1.5 2 1 1.25 7",
            "2026-11-19T05:00:00Z 1.5 2 1 1.25 7",
            "2026-11-20T05:00:00Z 1.5 2 1 1.25 7"
        ]
    );
}

#[test]
fn columns_of_finnhub_become_rows() {
    let offer = offer("finnhub", &splits(bars("AAPL", "5m")));
    let asked = span(&offer, "2026-11-20T15:00:00Z", "2026-11-20T15:10:00Z");
    let body = r#"{"s":"ok","t":[1795186800,1795187100],"o":[1.10,2],"h":[3,3.0],"l":[1,1],"c":[2,2.55],"v":[100,1e2]}"#;
    let page = read(&offer, &asked, body, LATE);
    assert_eq!(
        lines(&page.rows),
        [
            "2026-11-20T15:00:00Z 1.1 3 1 2 100",
            "2026-11-20T15:05:00Z 2 3 1 2.55 100"
        ]
    );
}

#[test]
fn a_quote_of_zeros_is_none() {
    let question = crate::answers::rows_of(tradewind_catalog::UseCase::Quote, "NOPE");
    let offer = offer("finnhub", &question);
    let page = read(
        &offer,
        &Span::Newest,
        r#"{"c":0,"d":null,"h":0,"l":0,"o":0,"pc":0,"t":0}"#,
        LATE,
    );
    assert!(page.rows.is_empty());
}
