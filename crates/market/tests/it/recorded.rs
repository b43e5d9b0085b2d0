//! Recorded answers give the rows that an independent reader found in them.

use tradewind_catalog::UseCase;
use tradewind_market::adapter::{Adjust, Question, Span};

use crate::answers::{LATE, bars, lines, offer_of, payload, read, rows_of, span, words};

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

fn newest(file: &'static str, at: (&'static str, &'static str), instrument: &str) -> Recording {
    Recording {
        asked: None,
        ..recording(file, at, rows_of(UseCase::Quote, instrument), ("", ""))
    }
}

fn history(question: Question) -> Question {
    Question {
        history: true,
        ..question
    }
}

const IN_2005: (&str, &str) = ("2005-04-01T05:00:00Z", "2005-04-05T04:00:00Z");
const IN_2015: (&str, &str) = ("2015-01-02T05:00:00Z", "2015-01-06T05:00:00Z");
const IN_2016: (&str, &str) = ("2016-01-11T00:00:00Z", "2016-01-12T00:00:00Z");
const IN_2017: (&str, &str) = ("2017-12-18T18:17:00Z", "2017-12-18T19:57:00Z");
const IN_2018: (&str, &str) = ("2018-01-01T05:00:00Z", "2018-06-11T04:00:00Z");
const IN_2019: (&str, &str) = ("2019-05-01T00:00:00Z", "2019-05-03T00:00:00Z");
const IN_2020: (&str, &str) = ("2020-08-09T00:00:00Z", "2020-08-10T00:00:00Z");
const IN_2021: (&str, &str) = ("2021-10-04T18:00:00Z", "2021-10-15T17:15:00Z");
const IN_2022: (&str, &str) = ("2022-02-01T05:00:00Z", "2022-07-01T04:00:00Z");
const IN_2023: (&str, &str) = ("2023-09-25T04:00:00Z", "2023-09-28T04:00:00Z");
const IN_MARCH_2024: (&str, &str) = ("2024-03-13T00:00:00Z", "2024-03-14T00:00:00Z");
const IN_2024: (&str, &str) = ("2024-01-30T15:00:00Z", "2024-03-14T00:00:00Z");

fn bar_recordings() -> Vec<Recording> {
    let alpaca = ("alpaca", "bars");
    let (daily, crypto) = (("tiingo", "daily-prices"), ("tiingo", "crypto-prices"));
    vec![
        recording("alpaca-bars-day", alpaca, bars("AAPL", "1d"), IN_2022),
        recording("alpaca-bars-day-desc", alpaca, bars("TSLA", "1d"), IN_2023),
        recording(
            "alpaca-bars-multisymbol",
            alpaca,
            bars("TSLA", "1d"),
            IN_2022,
        ),
        recording("alpaca-bars-paged-1", alpaca, bars("META", "1d"), IN_2022),
        recording("alpaca-bars-paged-2", alpaca, bars("META", "1d"), IN_2022),
        recording("alpaca-bars-15min", alpaca, bars("AMZN", "15m"), IN_2021),
        recording(
            "polygon-aggs-day",
            ("polygon", "aggregates"),
            adjusted(bars("AAPL", "1d"), Adjust::Splits),
            IN_2005,
        ),
        recording(
            "binance-OHLCV",
            ("binance", "klines"),
            bars("BTC/USDT@binance", "1h"),
            IN_2024,
        ),
        recording(
            "coinbase-OHLCV",
            ("coinbase", "candles"),
            bars("BTC/USDT", "1h"),
            IN_MARCH_2024,
        ),
        recording(
            "kraken-OHLCV",
            ("kraken", "ohlc"),
            bars("BTC/USDT@kraken", "1h"),
            IN_2024,
        ),
        recording("tiingo-daily-prices", daily, bars("GOOGL", "1d"), IN_2018),
        recording(
            "tiingo-daily-prices-2015",
            daily,
            adjusted(bars("GOOGL", "1d"), Adjust::All),
            IN_2015,
        ),
        recording("tiingo-daily-latest", daily, bars("GOOGL", "1d"), IN_2018),
        recording(
            "tiingo-daily-prices-weekly",
            daily,
            bars("GOOGL", "1w"),
            IN_2018,
        ),
        recording(
            "tiingo-iex-30min",
            ("tiingo", "iex-prices"),
            bars("GOOGL", "30m"),
            IN_2018,
        ),
        Recording {
            rows: "tiingo-crypto-prices-btcusd",
            ..recording(
                "tiingo-crypto-prices",
                crypto,
                bars("BTC/USD", "1d"),
                IN_2019,
            )
        },
        Recording {
            rows: "tiingo-crypto-prices-fldcbtc",
            ..recording(
                "tiingo-crypto-prices",
                crypto,
                bars("FLDC/BTC", "1d"),
                IN_2019,
            )
        },
        recording(
            "alphavantage-TIME_SERIES_INTRADAY-1min",
            ("alphavantage", "intraday"),
            adjusted(bars("MSFT", "1m"), Adjust::All),
            IN_2017,
        ),
    ]
}

fn other_recordings() -> Vec<Recording> {
    let trades = |instrument| rows_of(UseCase::Trades, instrument);
    let quotes = |instrument| history(rows_of(UseCase::Quote, instrument));
    let (alpaca_trades, alpaca_quotes) = (("alpaca", "trades"), ("alpaca", "quotes"));
    vec![
        Recording {
            rows: "alpaca-trades-multi-F",
            ..recording("alpaca-trades-multi", alpaca_trades, trades("F"), IN_2018)
        },
        Recording {
            rows: "alpaca-trades-multi-GE",
            ..recording("alpaca-trades-multi", alpaca_trades, trades("GE"), IN_2018)
        },
        recording(
            "polygon-v3-trades",
            ("polygon", "trades"),
            trades("AAPL"),
            IN_2022,
        ),
        recording(
            "binance-Trades",
            ("binance", "agg-trades"),
            trades("BTC/USDT"),
            IN_2024,
        ),
        recording(
            "coinbase-Trades",
            ("coinbase", "trades"),
            trades("BTC/USDT"),
            IN_2024,
        ),
        recording(
            "kraken-Trades",
            ("kraken", "trades"),
            trades("BTC/USDT"),
            IN_2024,
        ),
        recording(
            "alpaca-quotes-paged-1",
            alpaca_quotes,
            quotes("IBM"),
            IN_2021,
        ),
        recording(
            "alpaca-quotes-paged-2",
            alpaca_quotes,
            quotes("IBM"),
            IN_2021,
        ),
        recording(
            "polygon-quotes-page1",
            ("polygon", "quotes"),
            quotes("AAPL"),
            IN_2022,
        ),
        newest("polygon-last-nbbo", ("polygon", "last-quote"), "AAPL"),
        newest("polygon-last-trade", ("polygon", "last-trade"), "AAPL"),
        newest("coinbase-Ticker", ("coinbase", "ticker"), "BTC/USDT"),
        newest("binance-Ticker", ("binance", "ticker-24h"), "BTC/USDT"),
        newest("kraken-Ticker", ("kraken", "ticker"), "BTC/USDT"),
        newest("twelvedata-price", ("twelvedata", "price"), "VXX"),
        newest("finnhub-quote", ("finnhub", "quote"), "EURUSD"),
        newest(
            "alphavantage-GLOBAL_QUOTE",
            ("alphavantage", "quote"),
            "MSFT",
        ),
        recording(
            "polygon-news",
            ("polygon", "news"),
            rows_of(UseCase::News, "MSFT"),
            IN_2022,
        ),
        recording(
            "tiingo-news",
            ("tiingo", "news"),
            rows_of(UseCase::News, "AAPL"),
            IN_2016,
        ),
        recording(
            "newsapi-everything",
            ("newsapi", "everything"),
            words("bitcoin"),
            IN_2020,
        ),
    ]
}

fn recordings() -> Vec<Recording> {
    bar_recordings()
        .into_iter()
        .chain(other_recordings())
        .collect()
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
