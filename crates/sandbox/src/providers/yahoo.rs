//! Yahoo's chart: one path, columns, no key and no contract.
//!
//! What it is strict about: about 60 requests a minute from an address, how far back bars within the day go
//! and how long a span of minutes may be. Minutes without a trade are nulls. The day that is not over is
//! stamped with the time of its last price, a day that is over with the session's open.

use jiff::civil::Date;
use rust_decimal::Decimal;

use super::{Handler, Provider};
use crate::call::{Call, Reply};
use crate::limits::{Charge, Limit, Refusal};
use crate::market::calendar::later;
use crate::market::listing::{Kind, Listing};
use crate::market::{Adjust, Anchor, Ask, Bar, Step, second};
use crate::wire::{Json, list, object};

pub(super) struct Yahoo;

const DAY: i64 = 86_400;
const RANGES: [&str; 11] = [
    "1d", "5d", "1mo", "3mo", "6mo", "1y", "2y", "5y", "10y", "ytd", "max",
];
const SPLITS: Adjust = Adjust {
    splits: true,
    dividends: false,
};
const BOTH: Adjust = Adjust {
    splits: true,
    dividends: true,
};

impl Provider for Yahoo {
    fn name(&self) -> &'static str {
        "yahoo"
    }

    fn limits(&self, _is_paid: bool) -> Vec<Limit> {
        vec![Limit::requests("minute", 60, 60)]
    }

    fn has_pages(&self) -> bool {
        false
    }

    fn charge(&self, call: &Call<'_>) -> Result<Charge, Reply> {
        Ok(Charge::one(call.from.to_string()))
    }

    fn route(&self, call: &Call<'_>) -> Option<(&'static str, Handler)> {
        match call.pieces().as_slice() {
            ["v8", "finance", "chart", _] => Some(("chart", chart)),
            _ => None,
        }
    }

    fn refuse(&self, _call: &Call<'_>, refused: &Refusal) -> Reply {
        let status = if refused.is_ban { 418 } else { 429 };
        Reply::text(status, "text/plain", "Too Many Requests\r\n")
    }

    fn nothing(&self, _call: &Call<'_>) -> Reply {
        Reply::text(404, "text/html", "<html><body>Not Found</body></html>")
    }
}

fn error(status: u16, code: &str, description: &str) -> Reply {
    let error = object! { "code" => code, "description" => description };
    let chart = object! { "result" => Json::Null, "error" => error };
    Reply::refusal(status, &object! { "chart" => chart })
}

/// Reads an interval; the number is its length within the day, in minutes.
fn interval(text: &str) -> Option<(Step, Option<i64>)> {
    let minutes = |count: i64| Some((Step::Minutes(count), Some(count)));
    match text {
        "1m" => minutes(1),
        "2m" => minutes(2),
        "5m" => minutes(5),
        "15m" => minutes(15),
        "30m" => minutes(30),
        "60m" | "1h" => minutes(60),
        "90m" => minutes(90),
        "1d" => Some((Step::Days(1), None)),
        "5d" => Some((Step::Days(5), None)),
        "1wk" => Some((Step::Week, None)),
        "1mo" => Some((Step::Months(1), None)),
        "3mo" => Some((Step::Months(3), None)),
        _ => None,
    }
}

/// Returns the span in seconds that is asked for, and the name of the range.
fn span(call: &Call<'_>, listing: &Listing) -> Result<(i64, i64, String), Reply> {
    let now = call.now.as_second();
    let wrong = |_text: String| {
        error(
            400,
            "Bad Request",
            "Invalid input - period1 and period2 are seconds since 1970",
        )
    };
    if call.get("period1").is_some() {
        let from = call.whole("period1", 0).map_err(wrong)?;
        let to = call.whole("period2", now).map_err(wrong)?;
        if to <= from {
            return Err(error(
                400,
                "Bad Request",
                "Invalid input - start date cannot be after end date",
            ));
        }
        return Ok((from, to, String::new()));
    }
    let range = call.get_or("range", "1d");
    let today = call.market.date(listing, now);
    let back = |days: i64| {
        let mut date = later(today, 1);
        let mut left = days;
        // So many days of trading, the newest included.
        while left > 0 {
            date = later(date, -1);
            let session = call.market.session(listing, date);
            if session.is_some_and(|session| session.open <= now) {
                left -= 1;
            }
        }
        date
    };
    let months = |months: i32| {
        today
            .checked_sub(jiff::Span::new().months(months))
            .unwrap_or(today)
    };
    let from: Date = match range {
        "1d" => back(1),
        "5d" => back(5),
        "1mo" => months(1),
        "3mo" => months(3),
        "6mo" => months(6),
        "1y" => months(12),
        "2y" => months(24),
        "5y" => months(60),
        "10y" => months(120),
        "ytd" => today.first_of_year(),
        "max" => listing.listed,
        _ => {
            let text = format!(
                "Invalid input - range={range} is not supported. Valid ranges: {}",
                list_of(&RANGES)
            );
            return Err(error(422, "Unprocessable Entity", &text));
        }
    };
    Ok((
        call.market.midnight(listing, from),
        now + 1,
        range.to_owned(),
    ))
}

fn list_of(names: &[&str]) -> String {
    format!("[{}]", names.join(", "))
}

/// Refuses what lies too far back, or is too long, for bars of so many minutes.
fn reach(call: &Call<'_>, minutes: i64, from: i64, to: i64) -> Result<(), Reply> {
    let (most_back, most_long) = match minutes {
        1 => (30, Some(8)),
        2..=30 | 90 => (60, None),
        _ => (730, None),
    };
    let code = "Unprocessable Entity";
    if most_long.is_some_and(|days| to - from > days * DAY) {
        let text = format!(
            "1m data not available for startTime={from} and endTime={to}. Only 8 days worth of 1m granularity data are allowed to be fetched per request."
        );
        return Err(error(422, code, &text));
    }
    if from < call.now.as_second() - most_back * DAY {
        let text = format!(
            "{minutes}m data not available for startTime={from} and endTime={to}. The requested range must be within the last {most_back} days."
        );
        return Err(error(422, code, &text));
    }
    Ok(())
}

/// Finds `AAPL`, `BRK-B` or `BTC-USD`.
fn listing(call: &Call<'_>) -> Option<Listing> {
    let symbol = call.path.last()?;
    let stock = call.stock(&symbol.replace('-', "."));
    stock.or_else(|| {
        let pair = call.market.listing(&symbol.replace('-', "/"))?;
        Some(pair.seen_by("yahoo", 1_500_000))
    })
}

fn chart(call: &Call<'_>) -> Result<Reply, Reply> {
    let not_found = || error(404, "Not Found", "No data found, symbol may be delisted");
    let listing = listing(call).ok_or_else(not_found)?;
    let text = call.get_or("interval", "1d");
    let (step, minutes) = interval(text).ok_or_else(|| {
        let valid = "[1m, 2m, 5m, 15m, 30m, 60m, 90m, 1h, 1d, 5d, 1wk, 1mo, 3mo]";
        let text =
            format!("Invalid input - interval={text} is not supported. Valid intervals: {valid}");
        error(422, "Unprocessable Entity", &text)
    })?;
    let (from, to, range) = span(call, &listing)?;
    if let Some(minutes) = minutes {
        reach(call, minutes, from, to)?;
    }
    let bars = |adjust: Adjust| {
        let bars = call.market.bars(&Ask {
            anchor: Anchor::Open,
            from: if minutes.is_some() {
                from
            } else {
                from - from.rem_euclid(60)
            },
            to,
            adjust,
            ..Ask::of(&listing, step, call.now)
        });
        call.rows(bars)
    };
    let traded = bars(SPLITS);
    let slots = slots(call, &listing, &traded, minutes);
    let column = |field: fn(&Bar) -> Decimal| {
        let values = slots.iter().map(|slot| match slot {
            Ok(bar) => field(bar).into(),
            Err(_) => Json::Null,
        });
        values.collect::<Vec<Json>>()
    };
    let quote = object! {
        "close" => column(|bar| bar.close),
        "high" => column(|bar| bar.high),
        "open" => column(|bar| bar.open),
        "volume" => column(|bar| bar.volume.trunc()),
        "low" => column(|bar| bar.low),
    };
    let mut indicators = object! { "quote" => list![quote] };
    if minutes.is_none() {
        let adjusted = bars(BOTH)
            .iter()
            .map(|bar| bar.close.into())
            .collect::<Vec<Json>>();
        indicators = indicators.with("adjclose", list![object! { "adjclose" => adjusted }]);
    }
    let mut result = object! { "meta" => meta(call, &listing, text, &range, &traded) };
    if !slots.is_empty() {
        let stamps = slots.iter().map(|slot| match slot {
            Ok(bar) => stamp(call, &listing, bar, minutes).into(),
            Err(empty) => Json::from(*empty),
        });
        result = result.with("timestamp", stamps.collect::<Vec<_>>());
    }
    if let Some(events) = events(call, &listing, from, to) {
        result = result.with("events", events);
    }
    let result = result.with("indicators", indicators);
    let chart = object! { "result" => list![result], "error" => Json::Null };
    let reply = Reply::json(&object! { "chart" => chart });
    Ok(reply.with_header(
        "Cache-Control",
        &"public, max-age=10, stale-while-revalidate=20",
    ))
}

/// Returns the bars of the grid within each day; where nothing was traded, only the time.
fn slots<'b>(
    call: &Call<'_>,
    listing: &Listing,
    bars: &'b [Bar],
    minutes: Option<i64>,
) -> Vec<Result<&'b Bar, i64>> {
    let mut slots = Vec::new();
    let mut last: Option<&Bar> = None;
    for bar in bars {
        if let (Some(last), Some(minutes)) = (last, minutes)
            && last.date == bar.date
            && call.market.session(listing, bar.date).is_some()
        {
            let size = minutes * 60;
            slots.extend((1..(bar.start - last.start) / size).map(|n| Err(last.start + n * size)));
        }
        slots.push(Ok(bar));
        last = Some(bar);
    }
    slots
}

/// Returns the time that a bar is told under.
fn stamp(call: &Call<'_>, listing: &Listing, bar: &Bar, minutes: Option<i64>) -> i64 {
    if minutes.is_some() || listing.is_crypto() {
        return bar.start;
    }
    if bar.is_open {
        let last = call.market.last_trade(listing, call.now);
        return last.map_or(bar.opened, |trade| second(trade.at_ns));
    }
    bar.opened
}

fn meta(call: &Call<'_>, listing: &Listing, text: &str, range: &str, bars: &[Bar]) -> Json {
    let now = call.now.as_second();
    let trade = call.market.last_trade(listing, call.now);
    let (at, price) = trade.map_or((0, Decimal::ZERO), |t| (second(t.at_ns), t.price));
    let (offset, zone) = call.market.calendar().offset(now);
    let first = call
        .market
        .session(listing, listing.listed)
        .or_else(|| call.market.session(listing, later(listing.listed, 1)));
    let day = call.market.date(listing, at);
    let session = call.market.session(listing, day);
    let (open, close) = session.map_or((at, at), |session| (session.open, session.close));
    let period = |start: i64, end: i64| {
        object! {
            "timezone" => zone.as_str(),
            "start" => start,
            "end" => end,
            "gmtoffset" => offset,
        }
    };
    let before = bars.first().map_or(day, |bar| bar.date);
    let kind = match listing.kind {
        Kind::Stock => "EQUITY",
        Kind::Fund => "ETF",
        Kind::Crypto => "CRYPTOCURRENCY",
    };
    let symbol = call.path.last().map_or("", String::as_str);
    object! {
        "currency" => "USD",
        "symbol" => symbol,
        "exchangeName" => if listing.mic == "XNAS" { "NMS" } else { "NYQ" },
        "instrumentType" => kind,
        "firstTradeDate" => first.map(|session| session.open),
        "regularMarketTime" => at,
        "gmtoffset" => offset,
        "timezone" => zone.as_str(),
        "exchangeTimezoneName" => if listing.is_crypto() { "UTC" } else { "America/New_York" },
        "regularMarketPrice" => price,
        "chartPreviousClose" => call.market.closed_before(listing, before),
        "priceHint" => 2_i64,
        "currentTradingPeriod" => object! {
            "pre" => period(open - 19_800, open),
            "regular" => period(open, close),
            "post" => period(close, close + 14_400),
        },
        "dataGranularity" => text,
        "range" => range,
        "validRanges" => RANGES.map(Json::from).to_vec(),
    }
}

/// Returns what happened to prices, as far as it is asked for.
fn events(call: &Call<'_>, listing: &Listing, from: i64, to: i64) -> Option<Json> {
    let asked = call.get("events")?;
    let (first, last) = (
        call.market.date(listing, from),
        call.market.date(listing, to - 1),
    );
    let open = |date: Date| {
        let session = call.market.session(listing, date);
        session.map_or(0, |session| session.open)
    };
    let mut events = Vec::new();
    if asked.contains("div") {
        let dividends = call.market.dividends(listing, first, later(last, 1));
        let dividends = dividends.into_iter().map(|dividend| {
            let (to, from) = listing.shares_after(dividend.ex, last);
            let amount = dividend.cash * Decimal::from(from) / Decimal::from(to);
            let at = open(dividend.ex);
            (
                at.to_string(),
                object! { "amount" => amount.round_dp(6), "date" => at },
            )
        });
        let members: Vec<_> = dividends.collect();
        if !members.is_empty() {
            events.push(("dividends".to_owned(), Json::Object(members)));
        }
    }
    if asked.contains("split") {
        let splits = listing
            .splits
            .iter()
            .filter(|split| split.on >= first && split.on <= last);
        let members: Vec<_> = splits
            .map(|split| {
                let at = open(split.on);
                let json = object! {
                    "date" => at,
                    "numerator" => split.to,
                    "denominator" => split.from,
                    "splitRatio" => format!("{}:{}", split.to, split.from),
                };
                (at.to_string(), json)
            })
            .collect();
        if !members.is_empty() {
            events.push(("splits".to_owned(), Json::Object(members)));
        }
    }
    (!events.is_empty()).then_some(Json::Object(events))
}
