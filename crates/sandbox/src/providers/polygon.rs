//! Polygon, now Massive: bars by path, pages by a whole address.
//!
//! What it is strict about: five requests a minute and two years of history for who does not pay, and a
//! limit that counts the minute or day bars that others are made of. Days are of New York, stamped in
//! milliseconds; what was not traded has no bar, and an answer without bars has no `results`.
//! Simplified: bars of several days begin at multiples counted from 1970. What is no bar: [`records`].

mod records;
mod stream;

use jiff::Timestamp;
use jiff::civil::Date;

use super::{Handler, Provider};
use crate::call::{Call, Page, Reply, token, untoken};
use crate::limits::{Charge, Limit, Refusal};
use crate::market::calendar::{day_number, later};
use crate::market::listing::Listing;
use crate::market::{Adjust, Anchor, Ask, Bar, Step, Take, merged};
use crate::streams::Feed;
use crate::wire::{Json, object, pointed, read_time};

pub(super) struct Polygon;

/// How far back who does not pay can see, in seconds.
const FREE_SECONDS: i64 = 2 * 366 * 86_400;
/// Upper bound on a multiplier.
const MOST: i64 = 10_000;
/// How late data is for who does not pay, in seconds.
const DELAY_SECONDS: i64 = 15 * 60;

impl Provider for Polygon {
    fn name(&self) -> &'static str {
        "polygon"
    }

    fn limits(&self, is_paid: bool) -> Vec<Limit> {
        if is_paid {
            return vec![Limit::requests("second", 100, 1)];
        }
        vec![Limit::requests("minute", 5, 60)]
    }

    fn charge(&self, call: &Call<'_>) -> Result<Charge, Reply> {
        let bearer = call.header("Authorization");
        let bearer = bearer.and_then(|value| value.strip_prefix("Bearer "));
        match bearer.or_else(|| call.get("apiKey")) {
            None => Err(error(call, 401, "API Key was not provided")),
            Some(key) if !call.is_right(key) => Err(error(call, 401, "Unknown API Key")),
            Some(key) => Ok(Charge::one(key)),
        }
    }

    fn route(&self, call: &Call<'_>) -> Option<(&'static str, Handler)> {
        Some(match call.pieces().as_slice() {
            ["v2", "aggs", "ticker", _, "range", _, _, _, _] => ("aggregates", aggregates),
            ["v2", "aggs", "ticker", _, "prev"] => ("previous-day", |call| Ok(previous(call))),
            [
                "v2",
                "aggs",
                "grouped",
                "locale",
                "us",
                "market",
                "stocks",
                _,
            ] => ("grouped-daily", grouped),
            ["v2", "last", "trade", _] => ("last-trade", records::last_trade),
            ["v2", "last", "nbbo", _] => ("last-quote", records::last_quote),
            ["v3", "trades", _] => ("trades", records::trades),
            ["v3", "quotes", _] => ("quotes", records::quotes),
            ["v2", "reference", "news"] => ("news", records::news),
            ["v3", "reference", "tickers"] => ("tickers", records::tickers),
            ["v3", "reference", "splits"] => ("splits", records::splits),
            ["v3", "reference", "dividends"] => ("dividends", records::dividends),
            ["v1", "marketstatus", "now"] => ("market-status", |call| Ok(records::status(call))),
            _ => return None,
        })
    }

    fn feed(&self, path: &[&str]) -> Option<&'static dyn Feed> {
        (path == ["stocks"]).then_some(&stream::Stocks as &dyn Feed)
    }

    fn refuse(&self, call: &Call<'_>, refused: &Refusal) -> Reply {
        let text = "You've exceeded the maximum requests per minute, please wait or upgrade your subscription to continue. https://massive.com/pricing";
        error(call, if refused.is_ban { 418 } else { 429 }, text)
    }

    fn nothing(&self, _call: &Call<'_>) -> Reply {
        Reply::text(404, "text/plain", "404 page not found\n")
    }
}

/// A number that names this request.
fn request_id(call: &Call<'_>) -> String {
    let chance = call.market.chance("request").on(&call.path.join("/"));
    let query = call
        .query
        .iter()
        .map(|(key, value)| format!("{key}={value}"));
    let chance = chance.on(&query.collect::<Vec<_>>().join("&"));
    format!("{:016x}{:016x}", chance.bits(), chance.at(1).bits())
}

fn error(call: &Call<'_>, status: u16, text: &str) -> Reply {
    let json = object! { "status" => "ERROR", "request_id" => request_id(call), "error" => text };
    Reply::refusal(status, &json)
}

fn not_entitled(call: &Call<'_>) -> Reply {
    let message = "You are not entitled to this data. Please upgrade your plan at https://massive.com/pricing";
    let json = object! {
        "status" => "NOT_AUTHORIZED",
        "request_id" => request_id(call),
        "message" => message,
    };
    Reply::refusal(403, &json)
}

/// Finds `AAPL` or `X:BTCUSD`.
fn listing(call: &Call<'_>, ticker: &str) -> Option<Listing> {
    let Some(pair) = ticker.strip_prefix("X:") else {
        return call.market.listing(ticker).filter(|l| !l.is_crypto());
    };
    let asset = pair.strip_suffix("USD")?;
    let listing = call.market.listing(&format!("{asset}/USD"))?;
    Some(listing.seen_by("polygon", 400_000))
}

/// Reads a date or milliseconds; the second is of the day's end when `is_end`.
fn moment(call: &Call<'_>, listing: &Listing, text: &str, is_end: bool) -> Result<i64, Reply> {
    if let Ok(date) = text.parse::<Date>()
        && text.len() == 10
    {
        let date = if is_end { later(date, 1) } else { date };
        return Ok(call.market.midnight(listing, date));
    }
    let ms: Result<i64, _> = text.parse();
    match ms {
        // The end is in the span.
        Ok(ms) if is_end => Ok(ms.div_euclid(1_000).saturating_add(1)),
        Ok(ms) => Ok(ms.saturating_add(999).div_euclid(1_000)),
        Err(_) => {
            let what = if is_end { "to" } else { "from" };
            let text = format!(
                "Could not parse the time parameter: '{what}'. Use YYYY-MM-DD or Unix MS Timestamps"
            );
            Err(error(call, 400, &text))
        }
    }
}

/// Reads multiplier and timespan: what the bars are made of, and how many seconds or dates one holds.
fn timespan(multiplier: &str, text: &str) -> Option<(Step, Group)> {
    let count: i64 = multiplier
        .parse()
        .ok()
        .filter(|count| (1..=MOST).contains(count))?;
    Some(match text {
        "second" => (Step::Seconds(1), Group::Seconds(count)),
        "minute" => (Step::Minutes(1), Group::Seconds(count * 60)),
        "hour" => (Step::Minutes(1), Group::Seconds(count * 3_600)),
        "day" => (Step::Days(1), Group::Days(count)),
        "week" => (Step::Days(1), Group::Weeks(count)),
        "month" => (Step::Days(1), Group::Months(count)),
        "quarter" => (Step::Days(1), Group::Months(count * 3)),
        "year" => (Step::Days(1), Group::Months(count * 12)),
        _ => return None,
    })
}

/// How base bars become one.
#[derive(Clone, Copy)]
enum Group {
    Seconds(i64),
    Days(i64),
    Weeks(i64),
    Months(i64),
}

impl Group {
    /// Returns where the bar begins that `bar` is part of.
    fn start(self, call: &Call<'_>, listing: &Listing, bar: &Bar) -> i64 {
        let day = day_number(bar.date);
        let midnight = |date: Date| call.market.midnight(listing, date);
        match self {
            Self::Seconds(size) => {
                let base = midnight(bar.date);
                base + (bar.start - base).div_euclid(size) * size
            }
            Self::Days(count) => midnight(later(bar.date, -day.rem_euclid(count))),
            // 1970-01-04 was a Sunday.
            Self::Weeks(count) => midnight(later(bar.date, -(day - 3).rem_euclid(7 * count))),
            Self::Months(count) => {
                let months = i64::from(bar.date.year()) * 12 + i64::from(bar.date.month()) - 1;
                let first = months - months.rem_euclid(count);
                let year = i16::try_from(first.div_euclid(12)).unwrap_or(1970);
                let month = i8::try_from(first.rem_euclid(12) + 1).unwrap_or(1);
                midnight(Date::new(year, month, 1).unwrap_or(bar.date))
            }
        }
    }
}

fn aggregate(bar: &Bar, start: i64) -> Json {
    object! {
        "v" => pointed(bar.volume),
        "vw" => bar.vwap.round_dp(4),
        "o" => bar.open,
        "c" => bar.close,
        "h" => bar.high,
        "l" => bar.low,
        "t" => start * 1_000,
        "n" => bar.trades,
    }
}

fn splits(call: &Call<'_>) -> bool {
    call.get_or("adjusted", "true") != "false"
}

fn adjust(call: &Call<'_>) -> Adjust {
    Adjust {
        splits: splits(call),
        dividends: false,
    }
}

/// Answers bars; `count` are those that they are made of.
fn enveloped(
    call: &Call<'_>,
    ticker: Option<&str>,
    count: usize,
    rows: Vec<Json>,
    status: &str,
    next: Option<i64>,
) -> Reply {
    let results = rows.len();
    let mut json = object! {};
    if let Some(ticker) = ticker {
        json = json.with("ticker", ticker);
    }
    json = json
        .with("queryCount", count)
        .with("resultsCount", results)
        .with("adjusted", splits(call));
    if results > 0 {
        json = json.with("results", rows);
    }
    json = json
        .with("status", status)
        .with("request_id", request_id(call))
        .with("count", results);
    if let Some(next) = next {
        json = json.with("next_url", next_url(call, next));
    }
    Reply::json(&json)
}

/// Returns the group that the limit cut, so that it is left to the next page: the last one, unless its bars
/// are single base bars or nothing else is here.
fn cut(page: &Page<Bar>, step: Step, group: Group, start: &dyn Fn(&Bar) -> i64) -> Option<i64> {
    let is_single = matches!(
        (group, step),
        (Group::Seconds(1), Step::Seconds(_))
            | (Group::Seconds(60), Step::Minutes(_))
            | (Group::Days(1), _)
    );
    if is_single || page.is_again || !page.has_more {
        return None;
    }
    let last = start(page.rows.last()?);
    let others = page.rows.iter().any(|bar| start(bar) != last);
    others.then_some(last)
}

fn aggregates(call: &Call<'_>) -> Result<Reply, Reply> {
    let pieces = call.pieces();
    let [
        "v2",
        "aggs",
        "ticker",
        ticker,
        "range",
        multiplier,
        text,
        from,
        to,
    ] = pieces.as_slice()
    else {
        return Err(error(call, 400, "the path is not whole"));
    };
    let (step, group) = timespan(multiplier, text)
        .ok_or_else(|| error(call, 400, "invalid multiplier or timespan"))?;
    let size = enough(call, 5_000, 50_000)?;
    let Some(listing) = listing(call, ticker) else {
        return Ok(enveloped(call, Some(ticker), 0, Vec::new(), "OK", None));
    };
    let from = moment(call, &listing, from, false)?;
    let to = moment(call, &listing, to, true)?;
    if to <= from {
        let text = "The parameter 'to' cannot be a time that occurs before 'from'";
        return Err(error(call, 400, text));
    }
    let now = call.now.as_second();
    if !call.is_paid && from < now - FREE_SECONDS {
        return Err(not_entitled(call));
    }
    let delay = if call.is_paid { 0 } else { DELAY_SECONDS };
    let ask = Ask {
        listing: &listing,
        step,
        anchor: Anchor::Midnight,
        from,
        to,
        now: Timestamp::from_second(now - delay).unwrap_or(call.now),
        adjust: adjust(call),
        take: Take::First(size),
    };
    let cursor = cursor(call)?;
    let is_descending = call.get("sort") == Some("desc");
    let mut page = call.bars(&ask, cursor, size, is_descending);
    let start = |bar: &Bar| group.start(call, &listing, bar);
    if let Some(cut) = cut(&page, step, group, &start) {
        page.rows.retain(|bar| start(bar) != cut);
    }
    let after = |bar: &Bar| bar.start + i64::from(!is_descending);
    let next = if page.is_again {
        cursor
    } else {
        page.rows.last().map(after).filter(|_| page.has_more)
    };
    let rows: Vec<Json> = page
        .rows
        .chunk_by(|a, b| start(a) == start(b))
        .filter_map(|bars| Some(aggregate(&merged(bars)?, start(bars.first()?))))
        .collect();
    let is_late = delay > 0 && to > now - delay;
    let status = if is_late { "DELAYED" } else { "OK" };
    Ok(enveloped(
        call,
        Some(ticker),
        page.rows.len(),
        rows,
        status,
        next,
    ))
}

/// Returns how many rows are asked for.
fn enough(call: &Call<'_>, default: i64, most: i64) -> Result<usize, Reply> {
    let limit = call.whole("limit", default).ok();
    let limit = limit.filter(|limit| (1..=most).contains(limit));
    limit
        .and_then(|limit| usize::try_from(limit).ok())
        .ok_or_else(|| error(call, 400, &format!("'limit' must be between 1 and {most}")))
}

/// Reads where the page begins.
fn cursor(call: &Call<'_>) -> Result<Option<i64>, Reply> {
    let read = |text: &str| untoken(text)?.strip_prefix("at=")?.parse::<i64>().ok();
    call.get("cursor")
        .map(|text| read(text).ok_or_else(|| error(call, 400, "invalid cursor")))
        .transpose()
}

/// Returns the address of the next page: the same path and parameters, the cursor, no key.
fn next_url(call: &Call<'_>, at: i64) -> String {
    let cursor = token(&format!("at={at}"));
    let mut url = format!("{}/{}?cursor={cursor}", call.base, call.path.join("/"));
    for (key, value) in &call.query {
        if key != "cursor" && key != "apiKey" {
            url.push_str(&format!("&{key}={value}"));
        }
    }
    url
}

/// Returns the bar of one date with its ticker, stamped at the session's close.
fn closed(call: &Call<'_>, listing: &Listing, ticker: &str, date: Date) -> Option<Json> {
    let from = call.market.midnight(listing, date);
    let ask = Ask {
        listing,
        step: Step::Days(1),
        anchor: Anchor::Midnight,
        from,
        to: from + 1,
        now: call.now,
        adjust: adjust(call),
        take: Take::First(1),
    };
    let bar = call.market.bars(&ask).pop().filter(|bar| !bar.is_open)?;
    let Json::Object(mut members) = aggregate(&bar, bar.end) else {
        return None;
    };
    members.insert(0, ("T".to_owned(), ticker.into()));
    Some(Json::Object(members))
}

fn previous(call: &Call<'_>) -> Reply {
    let ticker = call.path.get(3).cloned().unwrap_or_default();
    let mut rows = Vec::new();
    if let Some(listing) = listing(call, &ticker) {
        let today = call.market.date(&listing, call.now.as_second());
        let before = (1..10).find_map(|days| closed(call, &listing, &ticker, later(today, -days)));
        rows.extend(before);
    }
    let rows = call.rows(rows);
    enveloped(call, Some(&ticker), rows.len(), rows, "OK", None)
}

fn grouped(call: &Call<'_>) -> Result<Reply, Reply> {
    let text = call.path.last().cloned().unwrap_or_default();
    let date: Date = text
        .parse()
        .map_err(|_no_date| error(call, 400, "The date must be YYYY-MM-DD"))?;
    if !call.is_paid
        && read_time(&text, call.market.calendar().zone())
            .is_some_and(|ns| crate::market::second(ns) < call.now.as_second() - FREE_SECONDS)
    {
        return Err(not_entitled(call));
    }
    let rows = Listing::shares().into_iter().filter_map(|ticker| {
        let listing = listing(call, ticker)?;
        closed(call, &listing, ticker, date)
    });
    let rows = call.rows(rows.collect());
    Ok(enveloped(call, None, rows.len(), rows, "OK", None))
}
