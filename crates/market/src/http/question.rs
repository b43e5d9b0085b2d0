//! What a caller asks, read from path, query and headers.
//!
//! Why strict: a parameter that is not known is a mistake, and the answer to another question than the one
//! that was meant. Every problem names the choices. Not here: answering.

use std::str::FromStr as _;
use std::time::Duration;

use axum::http::HeaderMap;
use jiff::Timestamp;
use tradewind_catalog::UseCase;
use tradewind_catalog::offer::Adjust;
use tradewind_core::nearest::nearest;
use tradewind_core::{Instrument, Interval};
use tradewind_quota::{Class, Urgency};

use super::Problem;
use crate::format::{Format, Numbers};
use crate::moments::{self, MomentAsk};
use crate::service::Ask;
use crate::stream::{FollowAsk, Kind, Place};

/// Parameters of a question about quotes, trades or news.
const OF_MOMENTS: [&str; 9] = [
    "start", "end", "provider", "feed", "max_age", "numbers", "limit", "symbol", "q",
];
/// Parameters of a question about bars.
const PARAMETERS: [&str; 8] = [
    "interval", "start", "end", "adjust", "provider", "feed", "max_age", "numbers",
];
/// Parameters of a question for a stream.
const OF_STREAM: [&str; 7] = [
    "instrument",
    "kind",
    "interval",
    "provider",
    "feed",
    "numbers",
    "after",
];
/// Upper bound on the name of a consumer.
const MAX_CONSUMER: usize = 64;

/// Takes the format off a name.
fn suffixed(what: UseCase, name: &str) -> Result<(&str, Format), Problem> {
    let found = name.rsplit_once('.');
    let found = found.and_then(|(symbol, suffix)| Some((symbol, suffix.parse::<Format>().ok()?)));
    found.ok_or_else(|| {
        Problem::of_question(
            "the path names no format",
            format!(
                "end it with one of .{}, as in /v1/{}/AAPL.csv",
                Format::NAMES.join(", ."),
                what.as_str()
            ),
        )
    })
}

fn unreadable(error: &dyn std::error::Error) -> Problem {
    Problem::of_question("the question cannot be read", error.to_string())
}

fn unknown_parameter(key: &str, known: &[&str]) -> Problem {
    let near = nearest(key, known.iter().copied()).map(|near| format!("did you mean {near:?}? "));
    Problem::of_question(
        format!("there is no parameter {:?}", short(key)),
        format!("{}There are {}", near.unwrap_or_default(), known.join(", ")),
    )
}

fn numbers(value: &str) -> Result<Numbers, Problem> {
    match value {
        "float" => Ok(Numbers::Float),
        "decimal" => Ok(Numbers::Decimal),
        _ => Err(not_among("numbers", value, &["float", "decimal"])),
    }
}

/// Reads a question about quotes, trades or news.
pub(super) fn moments_question(
    what: UseCase,
    name: &str,
    query: &[(String, String)],
    headers: &HeaderMap,
    now: Timestamp,
) -> Result<(MomentAsk, Format, Numbers), Problem> {
    let mut ask = MomentAsk::of(what, None);
    let (mut format, mut number) = (Format::Json, Numbers::Float);
    if what != UseCase::News {
        let (symbol, named) = suffixed(what, name)?;
        ask.instrument = Some(symbol.parse().map_err(|error| unreadable(&error))?);
        format = named;
    }
    for (key, value) in query {
        match key.as_str() {
            "start" => ask.start = Some(value.parse().map_err(|error| unreadable(&error))?),
            "end" => ask.end = Some(value.parse().map_err(|error| unreadable(&error))?),
            "provider" => ask.provider = Some(value.to_ascii_lowercase()),
            "feed" => ask.feed = Some(value.clone()),
            "max_age" => ask.max_age = Some(duration("max_age", value)?),
            "numbers" => number = numbers(value)?,
            "limit" => {
                let limit = value
                    .parse()
                    .ok()
                    .filter(|limit| (1..=moments::ROWS.1).contains(limit));
                ask.limit = limit.ok_or_else(|| {
                    Problem::of_question(
                        format!("{:?} is no limit", short(value)),
                        format!("it is 1 to {}", moments::ROWS.1),
                    )
                })?;
            }
            "symbol" if what == UseCase::News => {
                ask.instrument = Some(value.parse().map_err(|error| unreadable(&error))?);
            }
            "q" if what == UseCase::News => ask.words = Some(value.clone()),
            "format" if what == UseCase::News => {
                format = value.parse().map_err(|error| unreadable(&error))?;
            }
            _ => return Err(unknown_parameter(key, &OF_MOMENTS)),
        }
    }
    if what == UseCase::News && ask.instrument.is_none() && ask.words.is_none() {
        return Err(Problem::of_question(
            "the question names neither a symbol nor words",
            "ask for /v1/news?symbol=AAPL or /v1/news?q=interest+rates",
        ));
    }
    if ask.end.is_some() && ask.start.is_none() {
        return Err(Problem::of_question(
            "the span has no beginning",
            "say start as well as end",
        ));
    }
    ask.urgency = urgency(headers, now)?;
    if let Some(consumer) = consumer(headers) {
        ask.consumer = consumer;
    }
    Ok((ask, format, number))
}

/// Reads a question.
pub(super) fn question(
    name: &str,
    query: &[(String, String)],
    headers: &HeaderMap,
    now: Timestamp,
) -> Result<(Ask, Format, Numbers), Problem> {
    let (symbol, format) = suffixed(UseCase::Bars, name)?;
    let wrong = unreadable;
    let instrument: Instrument = symbol.parse().map_err(|error| wrong(&error))?;
    let mut ask = Ask::of(instrument, Interval::Day);
    let mut number = Numbers::Float;
    for (key, value) in query {
        match key.as_str() {
            "interval" => ask.interval = value.parse().map_err(|error| wrong(&error))?,
            "start" => ask.start = Some(value.parse().map_err(|error| wrong(&error))?),
            "end" => ask.end = Some(value.parse().map_err(|error| wrong(&error))?),
            "adjust" => {
                let named = |adjust: &Adjust| adjust.as_str() == value;
                let known = Adjust::ALL.into_iter().find(named);
                ask.adjust = known
                    .ok_or_else(|| not_among("adjust", value, &Adjust::ALL.map(Adjust::as_str)))?;
            }
            "provider" => ask.provider = Some(value.to_ascii_lowercase()),
            "feed" => ask.feed = Some(value.clone()),
            "max_age" => ask.max_age = Some(duration("max_age", value)?),
            "numbers" => number = numbers(value)?,
            _ => return Err(unknown_parameter(key, &PARAMETERS)),
        }
    }
    ask.urgency = urgency(headers, now)?;
    if let Some(consumer) = consumer(headers) {
        ask.consumer = consumer;
    }
    Ok((ask, format, number))
}

/// Reads a question for a stream. What was seen last is in `Last-Event-ID`, or in `after`.
pub(super) fn stream_question(
    query: &[(String, String)],
    headers: &HeaderMap,
) -> Result<(FollowAsk, Numbers), Problem> {
    let (mut instrument, mut kind, mut interval) = (None, "trades", None);
    let (mut provider, mut feed, mut number) = (None, None, Numbers::Float);
    let mut after = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok())
        .map(str::to_owned);
    for (key, value) in query {
        match key.as_str() {
            "instrument" => {
                let read = value.parse::<Instrument>();
                instrument = Some(read.map_err(|error| unreadable(&error))?);
            }
            "kind" => kind = value,
            "interval" => {
                let read = value.parse::<Interval>();
                interval = Some(read.map_err(|error| unreadable(&error))?);
            }
            "provider" => provider = Some(value.to_ascii_lowercase()),
            "feed" => feed = Some(value.clone()),
            "numbers" => number = numbers(value)?,
            "after" => after = Some(value.clone()),
            _ => return Err(unknown_parameter(key, &OF_STREAM)),
        }
    }
    let instrument = instrument.ok_or_else(|| {
        Problem::of_question(
            "the question names no instrument",
            "ask for /v1/stream?instrument=BTC/USDT&kind=trades",
        )
    })?;
    let kind = match (kind, interval) {
        ("trades", None) => Kind::Trades,
        ("quotes", None) => Kind::Quotes,
        ("bars", Some(interval)) => Kind::Bars(interval),
        ("bars", None) => {
            return Err(Problem::of_question(
                "nothing says how long a bar is",
                "say interval=1s to interval=12h, as in 1m",
            ));
        }
        ("trades" | "quotes", Some(_)) => {
            return Err(Problem::of_question(
                "only bars have an interval",
                "say kind=bars, or leave the interval out",
            ));
        }
        (other, _) => return Err(not_among("kind", other, &Kind::NAMES)),
    };
    // A program of before, or another one, may send an id of its own: what is not ours is not held.
    let nowhere = Place { run: 0, number: 0 };
    let after = after.map(|text| text.parse().unwrap_or(nowhere));
    let ask = FollowAsk {
        instrument,
        kind,
        provider,
        feed,
        after,
        consumer: "unnamed".to_owned(),
    };
    Ok((ask, number))
}

fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

fn not_among(parameter: &str, value: &str, choices: &[&str]) -> Problem {
    Problem::of_question(
        format!("{:?} is no value of {parameter}", short(value)),
        format!("choose from {}", choices.join(", ")),
    )
}

/// Reads `90s`, `15m`, `2h`, `500ms`, or whole seconds.
fn duration(parameter: &str, text: &str) -> Result<Duration, Problem> {
    let wrong = || {
        Problem::of_question(
            format!("{:?} is no length of time in {parameter}", short(text)),
            "write it as 500ms, 90s, 15m or 2h",
        )
    };
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (count, unit) = text.split_at(digits);
    let count: u64 = count.parse().map_err(|_no_number| wrong())?;
    let milliseconds = match unit {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(wrong()),
    };
    count
        .checked_mul(milliseconds)
        .map(Duration::from_millis)
        .ok_or_else(wrong)
}

pub(crate) fn urgency(headers: &HeaderMap, now: Timestamp) -> Result<Urgency, Problem> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let class = match text("x-tradewind-priority") {
        Some(text) => Class::from_str(text).map_err(|error| {
            Problem::of_question("X-Tradewind-Priority cannot be read", error.to_string())
        })?,
        None => Class::default(),
    };
    let mut urgency = Urgency::of(class);
    if let Some(deadline) = text("x-tradewind-deadline") {
        let at = deadline
            .parse::<Timestamp>()
            .map(|at| at.duration_since(now));
        urgency.within = Some(match at {
            Ok(left) => Duration::try_from(left).unwrap_or_default(),
            Err(_no_moment) => duration("X-Tradewind-Deadline", deadline)?,
        });
    }
    Ok(urgency)
}

/// Returns who asks, as far as the request says it in words that can be shown.
pub(crate) fn consumer(headers: &HeaderMap) -> Option<String> {
    let name = headers.get("x-tradewind-consumer")?.to_str().ok()?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@ ".contains(c);
    (!name.is_empty() && name.len() <= MAX_CONSUMER && name.chars().all(is_plain))
        .then(|| name.to_owned())
}
