//! Recorded answers give the rows that an independent reader found in them.

use tradewind_market::adapter::{Adjust, Question, Span};

use crate::answers::{LATE, bars, lines, offer_of, payload, read, span};

/// One recording: its file, the file of its rows, who answered it to what, and the span that was asked for.
struct Recording {
    file: &'static str,
    rows: &'static str,
    provider: &'static str,
    endpoint: &'static str,
    question: Question,
    /// `None` for what is newest.
    asked: Option<(&'static str, &'static str)>,
}

fn recording(
    file: &'static str,
    at: (&'static str, &'static str),
    question: Question,
    asked: (&'static str, &'static str),
) -> Recording {
    Recording {
        file,
        rows: file,
        provider: at.0,
        endpoint: at.1,
        question,
        asked: Some(asked),
    }
}

fn adjusted(question: Question, adjust: Adjust) -> Question {
    Question { adjust, ..question }
}

fn recordings() -> Vec<Recording> {
    let year = |year: &'static str| match year {
        "2005" => ("2005-04-01T05:00:00Z", "2005-04-05T04:00:00Z"),
        "2021" => ("2021-10-15T16:00:00Z", "2021-10-15T17:15:00Z"),
        "2022" => ("2022-02-01T05:00:00Z", "2022-07-01T04:00:00Z"),
        "2023" => ("2023-09-25T04:00:00Z", "2023-09-28T04:00:00Z"),
        _ => ("2024-01-30T16:00:00Z", "2024-01-30T19:00:00Z"),
    };
    let alpaca = ("alpaca", "bars");
    vec![
        recording("alpaca-bars-day", alpaca, bars("AAPL", "1d"), year("2022")),
        recording(
            "alpaca-bars-day-desc",
            alpaca,
            bars("TSLA", "1d"),
            year("2023"),
        ),
        recording(
            "alpaca-bars-multisymbol",
            alpaca,
            bars("TSLA", "1d"),
            year("2022"),
        ),
        recording(
            "alpaca-bars-paged-1",
            alpaca,
            bars("META", "1d"),
            year("2022"),
        ),
        recording(
            "alpaca-bars-paged-2",
            alpaca,
            bars("META", "1d"),
            year("2022"),
        ),
        recording(
            "alpaca-bars-15min",
            alpaca,
            bars("AMZN", "15m"),
            year("2021"),
        ),
        recording(
            "polygon-aggs-day",
            ("polygon", "aggregates"),
            adjusted(bars("AAPL", "1d"), Adjust::Splits),
            year("2005"),
        ),
        recording(
            "binance-OHLCV",
            ("binance", "klines"),
            bars("BTC/USDT@binance", "1h"),
            year("2024"),
        ),
    ]
}

#[test]
fn a_recording_has_the_rows_that_another_reader_found_in_it() {
    for Recording {
        file,
        rows,
        provider,
        endpoint,
        question,
        asked,
    } in recordings()
    {
        let offer = offer_of(provider, endpoint, &question);
        let span = match asked {
            Some((start, end)) => span(&offer, start, end),
            None => Span::Newest,
        };
        let page = read(&offer, &span, &payload(&format!("{file}.json")), LATE);
        let found = lines(&page.rows);
        let wanted = payload(&format!("{rows}.rows"));
        let mut sorted = found.clone();
        sorted.sort();
        assert_eq!(
            sorted.join("\n"),
            wanted.replace("now ", &format!("{LATE} ")).trim_end(),
            "{file}"
        );
        let stamps: Vec<_> = found.iter().map(|line| line.split(' ').next()).collect();
        assert!(stamps.is_sorted(), "{file}: {stamps:?}");
    }
}

#[test]
fn every_recording_is_read() {
    let read: Vec<_> = recordings()
        .iter()
        .map(|r| format!("{}.rows", r.rows))
        .collect();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/payloads");
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.contains(".rows") {
            assert!(read.contains(&name), "{name} is read by no test");
        }
    }
}
