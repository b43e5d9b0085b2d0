//! Alpaca: stocks and crypto by several symbols at once, one page after another.
//!
//! What it is strict about: two headers, a limit shared by all symbols of a page, consolidated data of the
//! last 15 minutes only for who pays. A page token does not promise another row, as with the original.

mod stream;
mod trading;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Handler, Provider};
use crate::call::{Call, Page, Reply, token, untoken};
use crate::faults::FaultKind;
use crate::limits::{Charge, Limit, Refusal, Usage};
use crate::market::listing::Listing;
use crate::market::{Adjust, Anchor, Ask, Bar, Market, Quote, Step, Take, Trade, second};
use crate::streams::Feed;
use crate::wire::{Json, list, object, read_time, rfc3339, utc};

pub(super) struct Alpaca;

/// What of the market's volume of pairs trades here, in ppm.
const CRYPTO_PPM: i64 = 9_000;
/// What of the market's volume trades on IEX, in ppm.
const IEX_PPM: i64 = 17_800;
const MINUTE_NS: i128 = 60_000_000_000;
const RECENT: &str = "subscription does not permit querying recent SIP data";

impl Provider for Alpaca {
    fn name(&self) -> &'static str {
        "alpaca"
    }

    fn limits(&self, is_paid: bool) -> Vec<Limit> {
        let units = if is_paid { 10_000 } else { 200 };
        vec![Limit::requests("minute", units, 60)]
    }

    fn charge(&self, call: &Call<'_>) -> Result<Charge, Reply> {
        let key = call.header("APCA-API-KEY-ID").unwrap_or_default();
        let secret = call.header("APCA-API-SECRET-KEY").unwrap_or_default();
        if !call.is_right(key) || !call.is_right(secret) {
            return Err(refusal(403, "forbidden."));
        }
        Ok(Charge::one(key))
    }

    fn route(&self, call: &Call<'_>) -> Option<(&'static str, Handler)> {
        Some(match call.pieces().as_slice() {
            ["v2", "stocks", "snapshots"] => ("snapshots", newest),
            ["v2", "stocks", "bars", "latest"] => ("latest-bars", newest),
            ["v2", "stocks", "quotes", "latest"] => ("latest-quotes", newest),
            ["v2", "stocks", "trades", "latest"] => ("latest-trades", newest),
            ["v2", "stocks", _, "trades", "latest"] => ("latest-trade-one", newest),
            ["v2", "stocks", _, "quotes", "latest"] => ("latest-quote-one", newest),
            ["v1beta1", "news"] => ("news", news),
            ["v2", "stocks", "bars"] => ("bars", bars),
            ["v2", "stocks", "trades"] => ("trades", trades),
            ["v2", "stocks", "quotes"] => ("quotes", quotes),
            ["v2", "stocks", _, "bars"] => ("bars-one", bars),
            ["v2", "stocks", _, "trades"] => ("trades-one", trades),
            ["v2", "stocks", _, "quotes"] => ("quotes-one", quotes),
            ["v1beta3", "crypto", "us", "bars"] => ("crypto-bars", bars),
            ["v1beta3", "crypto", "us", "trades"] => ("crypto-trades", crypto_trades),
            _ => return None,
        })
    }

    fn trades(&self, call: &Call<'_>) -> Option<(&'static str, Handler)> {
        trading::route(call)
    }

    fn feed(&self, path: &[&str]) -> Option<&'static dyn Feed> {
        match path {
            ["v2", "iex"] => Some(&stream::IEX),
            ["v1beta3", "crypto", "us"] => Some(&stream::CRYPTO),
            _ => None,
        }
    }

    fn refuse(&self, _call: &Call<'_>, refused: &Refusal) -> Reply {
        if refused.is_ban {
            return refusal(418, "too many requests.");
        }
        refusal(429, "too many requests.")
    }

    fn nothing(&self, _call: &Call<'_>) -> Reply {
        refusal(404, "endpoint not found.")
    }

    fn tell(&self, reply: &mut Reply, usages: &[Usage], now: Timestamp) {
        if let Some(usage) = usages.first() {
            let left = (usage.limit.units - usage.used).max(0);
            let told = [
                ("X-RateLimit-Limit", usage.limit.units),
                ("X-RateLimit-Remaining", left),
                ("X-RateLimit-Reset", now.as_second() + usage.wait),
            ];
            let told = told.map(|(name, value)| (name, value.to_string()));
            reply.headers.extend(told);
        }
    }
}

fn refusal(status: u16, message: &str) -> Reply {
    Reply::refusal(status, &object! { "message" => message })
}

/// A row and its time, in nanoseconds.
type Row = (i128, Json);

/// Finds rows of one thing in a span of nanoseconds, oldest first.
type Find<'a> = dyn Fn(&Listing, (i128, i128), Take) -> Vec<Row> + 'a;

/// Reads `5Min`, `1Hour`, `1Day`, `1Week`, `3Month`, and their short forms.
fn timeframe(text: &str) -> Option<Step> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (count, unit) = text.split_at(digits);
    let count: i64 = count.parse().ok()?;
    match (unit, count) {
        ("Min" | "T", 1..=59) => Some(Step::Minutes(count)),
        ("Hour" | "H", 1..=23) => Some(Step::Minutes(count * 60)),
        ("Day" | "D", 1) => Some(Step::Days(1)),
        ("Week" | "W", 1) => Some(Step::Week),
        ("Month" | "M", 1 | 2 | 3 | 4 | 6 | 12) => Some(Step::Months(count)),
        _ => None,
    }
}

fn bar(bar: &Bar) -> Json {
    object! {
        "t" => rfc3339(i128::from(bar.start) * 1_000_000_000),
        "o" => bar.open,
        "h" => bar.high,
        "l" => bar.low,
        "c" => bar.close,
        "v" => bar.volume,
        "n" => bar.trades,
        "vw" => bar.vwap,
    }
}

fn trade(trade: &Trade) -> Json {
    object! {
        "t" => rfc3339(trade.at_ns),
        "x" => "D",
        "p" => trade.price,
        "s" => trade.size,
        "c" => list![" "],
        "i" => trade.id,
        "z" => "A",
    }
}

fn quote(quote: &Quote, at_ns: i128) -> Json {
    object! {
        "t" => rfc3339(at_ns),
        "ax" => "N",
        "ap" => quote.ask,
        "as" => quote.ask_size,
        "bx" => "H",
        "bp" => quote.bid,
        "bs" => quote.bid_size,
        "c" => list!["R"],
        "z" => "A",
    }
}

fn bars(call: &Call<'_>) -> Result<Reply, Reply> {
    let text = call.get_or("timeframe", "");
    let step =
        timeframe(text).ok_or_else(|| refusal(400, &format!("invalid timeframe: {text}")))?;
    let adjust = match call.get_or("adjustment", "raw") {
        "raw" => Adjust::default(),
        "split" => Adjust {
            splits: true,
            dividends: false,
        },
        "dividend" => Adjust {
            splits: false,
            dividends: true,
        },
        "all" => Adjust {
            splits: true,
            dividends: true,
        },
        other => return Err(refusal(400, &format!("invalid adjustment: {other}"))),
    };
    let find = |listing: &Listing, span: (i128, i128), take: Take| {
        let ask = Ask {
            listing,
            step,
            anchor: Anchor::Midnight,
            // A bar at a whole second is in the span when its second is.
            from: second(span.0 + 999_999_999),
            to: second(span.1 + 999_999_999),
            now: call.now,
            adjust,
            take,
        };
        let rows = call.market.bars(&ask);
        let rows = rows
            .iter()
            .map(|row| (i128::from(row.start) * 1_000_000_000, bar(row)));
        rows.collect()
    };
    listed(call, "bars", text, &find)
}

fn trades(call: &Call<'_>) -> Result<Reply, Reply> {
    let find = |listing: &Listing, span: (i128, i128), take: Take| {
        let rows = call.market.trades(listing, span, call.now, take);
        rows.iter().map(|row| (row.at_ns, trade(row))).collect()
    };
    listed(call, "trades", "", &find)
}

/// Its own market, whose trades say who crossed the spread.
fn crypto_trade(trade: &Trade) -> Json {
    object! {
        "t" => rfc3339(trade.at_ns),
        "p" => trade.price,
        "s" => trade.size,
        "tks" => if trade.is_buy { "B" } else { "S" },
        "i" => trade.id,
    }
}

fn crypto_quote(quote: &Quote) -> Json {
    object! {
        "t" => rfc3339(quote.at_ns),
        "bp" => quote.bid,
        "bs" => quote.bid_size,
        "ap" => quote.ask,
        "as" => quote.ask_size,
    }
}

fn crypto_trades(call: &Call<'_>) -> Result<Reply, Reply> {
    let find = |listing: &Listing, span: (i128, i128), take: Take| {
        let rows = call.market.trades(listing, span, call.now, take);
        rows.iter()
            .map(|row| (row.at_ns, crypto_trade(row)))
            .collect()
    };
    listed(call, "trades", "", &find)
}

fn quotes(call: &Call<'_>) -> Result<Reply, Reply> {
    let find = |listing: &Listing, span: (i128, i128), take: Take| {
        let rows = call.market.trades(listing, span, call.now, take);
        let told = |row: &Trade| {
            (
                row.at_ns,
                quote(&call.market.quote(listing, row), row.at_ns),
            )
        };
        rows.iter().map(told).collect()
    };
    listed(call, "quotes", "", &find)
}

/// What is asked for, in its order.
struct Question<'a> {
    listings: Vec<Option<Listing>>,
    span: (i128, i128),
    is_descending: bool,
    /// Place among the listings and time of the last row of the page before.
    after: Option<(usize, i128)>,
    find: &'a Find<'a>,
}

impl Question<'_> {
    /// Returns rows from the page's begin on, or before it, each with the place of its symbol.
    fn rows(&self, take: Take) -> Vec<(usize, Row)> {
        let (place, ns) = self.after.unwrap_or((0, i128::MIN));
        let mut found = Vec::new();
        let last = self.listings.len().saturating_sub(1);
        let (wanted, places): (usize, Vec<usize>) = match take {
            Take::First(count) => (count, (place..=last).collect()),
            Take::Last(count) => (count, (0..=place.min(last)).rev().collect()),
        };
        let is_forward = matches!(take, Take::First(_));
        for at in places {
            let Some(Some(listing)) = self.listings.get(at) else {
                continue;
            };
            let missing = wanted - found.len();
            let (from, to) = self.span;
            let span = match (at == place && self.after.is_some(), self.is_descending) {
                (false, _) => (from, to),
                (true, false) if is_forward => (ns + 1, to),
                (true, true) if is_forward => (from, ns),
                (true, false) => (from, ns + 1),
                (true, true) => (ns, to),
            };
            // Towards older rows, the nearest are the newest of the span.
            let from_begin = is_forward != self.is_descending;
            let near = if from_begin {
                Take::First(missing)
            } else {
                Take::Last(missing)
            };
            let mut rows = (self.find)(listing, span, near);
            if !from_begin {
                rows.reverse();
            }
            found.extend(rows.into_iter().map(|row| (at, row)));
            if found.len() >= wanted {
                break;
            }
        }
        if !is_forward {
            found.reverse();
        }
        found
    }
}

/// Answers a page of rows of one or several symbols.
fn listed(call: &Call<'_>, key: &str, kind: &str, find: &Find<'_>) -> Result<Reply, Reply> {
    let one = match call.pieces().as_slice() {
        ["v2", "stocks", symbol, _] => Some((*symbol).to_owned()),
        _ => None,
    };
    let asked = one
        .clone()
        .or_else(|| call.get("symbols").map(str::to_owned));
    let asked = asked.ok_or_else(|| refusal(400, "symbols is required"))?;
    let mut symbols: Vec<String> = asked.split(',').map(|s| s.trim().to_owned()).collect();
    symbols.sort();
    symbols.dedup();
    let is_crypto = call.pieces().first() == Some(&"v1beta3");
    let is_iex = !is_crypto && call.get("feed") == Some("iex");
    let limit = call
        .whole("limit", 1_000)
        .ok()
        .filter(|l| (1..=10_000).contains(l));
    let limit = limit.ok_or_else(|| refusal(400, "invalid limit: must be between 1 and 10000"))?;
    let listings = symbols.iter().map(|symbol| {
        let listing = call.market.listing(symbol);
        let listing = listing.filter(|listing| listing.is_crypto() == is_crypto);
        listing.map(|listing| {
            if is_iex {
                listing.seen_by("iex", IEX_PPM)
            } else if is_crypto {
                listing.seen_by("alpaca", CRYPTO_PPM)
            } else {
                listing
            }
        })
    });
    let listings = listings.collect();
    let question = Question {
        listings,
        span: span(call, is_iex || is_crypto)?,
        is_descending: call.get("sort") == Some("desc"),
        after: after(call, &symbols)?,
        find,
    };
    let size = usize::try_from(limit).unwrap_or(1);
    let page = call.page(size, question.after.is_some(), |take| question.rows(take));
    let next = next(call, &page, &symbols, kind, size);
    let mut members: Vec<(String, Json)> = Vec::new();
    for (place, (_, row)) in page.rows {
        let symbol = symbols.get(place).cloned().unwrap_or_default();
        match members.last_mut() {
            Some((last, Json::List(rows))) if *last == symbol => rows.push(row),
            _ => members.push((symbol, Json::List(vec![row]))),
        }
    }
    let body = match one {
        None => object! { key => Json::Object(members) },
        Some(symbol) => {
            let rows = members.pop().map(|(_, rows)| rows);
            object! { key => rows, "symbol" => symbol }
        }
    };
    Ok(Reply::json(&body.with("next_page_token", next)))
}

/// Returns the span that is asked for. Consolidated data of the last minutes is for who pays.
fn span(call: &Call<'_>, is_open: bool) -> Result<(i128, i128), Reply> {
    let now = call.now.as_nanosecond();
    let time = |name: &str| {
        call.get(name)
            .map(|text| {
                read_time(text, &TimeZone::UTC)
                    .ok_or_else(|| refusal(400, &format!("invalid {name}: {text}")))
            })
            .transpose()
    };
    let is_gated = !is_open && !call.is_paid;
    let newest = now - if is_gated { 15 * MINUTE_NS } else { 0 };
    let end = match time("end")? {
        // A bare date means the whole day.
        Some(end) if call.get("end").is_some_and(|text| text.len() == 10) => {
            (end + 86_400_000_000_000 - 1).min(newest)
        }
        Some(end) => end,
        None => newest,
    };
    if is_gated && end > newest {
        return Err(refusal(403, RECENT));
    }
    let today = now - now.rem_euclid(86_400_000_000_000);
    let start = time("start")?.unwrap_or(today);
    if start > end {
        return Err(refusal(400, "end should not be before start"));
    }
    Ok((start, end + 1))
}

/// Reads the page token: `SYMBOL|kind|nanoseconds`.
fn after(call: &Call<'_>, symbols: &[String]) -> Result<Option<(usize, i128)>, Reply> {
    let Some(text) = call.get("page_token") else {
        return Ok(None);
    };
    let read = || {
        let text = untoken(text)?;
        let (symbol, rest) = text.split_once('|')?;
        let (_, time) = rest.split_once('|')?;
        let place = symbols.iter().position(|s| s == symbol)?;
        Some((place, read_time(time, &TimeZone::UTC)?))
    };
    read()
        .map(Some)
        .ok_or_else(|| refusal(400, "invalid page_token"))
}

/// Returns the token of the page that follows; there is one whenever this page is full.
fn next(
    call: &Call<'_>,
    page: &Page<(usize, Row)>,
    symbols: &[String],
    kind: &str,
    size: usize,
) -> Option<String> {
    if page.is_again {
        return call.get("page_token").map(str::to_owned);
    }
    let last = if call.conduct.has(FaultKind::WrongOrder) {
        page.rows.first()
    } else {
        page.rows.last()
    };
    let (place, (ns, _)) = last.filter(|_| page.rows.len() == size)?;
    let symbol = symbols.get(*place)?;
    Some(token(&format!("{symbol}|{kind}|{}", rfc3339(*ns))))
}

/// Answers the newest of each symbol: a bar, a quote, a trade, or all at once. Who does not pay gets IEX.
fn newest(call: &Call<'_>) -> Result<Reply, Reply> {
    let pieces = call.pieces();
    let (one, kind) = match pieces.as_slice() {
        ["v2", "stocks", symbol, kind, "latest"] => (Some(*symbol), *kind),
        ["v2", "stocks", kind, ..] => (None, *kind),
        _ => (None, ""),
    };
    let feed = call.get_or("feed", if call.is_paid { "sip" } else { "iex" });
    if feed == "sip" && !call.is_paid {
        return Err(refusal(403, RECENT));
    }
    let asked = one.or_else(|| call.get("symbols"));
    let asked = asked.ok_or_else(|| refusal(400, "symbols is required"))?;
    let members = asked.split(',').map(str::trim).filter_map(|symbol| {
        let listing = call.stock(symbol)?;
        let listing = if feed == "iex" {
            listing.seen_by("iex", IEX_PPM)
        } else {
            listing
        };
        Some((symbol.to_owned(), newest_of(call, &listing, kind)?))
    });
    let mut members: Vec<(String, Json)> = members.collect();
    if let Some(symbol) = one {
        let newest = members.pop();
        let (_, json) = newest.ok_or_else(|| refusal(404, "no data found for symbol"))?;
        return Ok(Reply::json(
            &object! { kind.trim_end_matches('s') => json, "symbol" => symbol },
        ));
    }
    let members = Json::Object(call.rows(members));
    if kind == "snapshots" {
        return Ok(Reply::json(&members));
    }
    Ok(Reply::json(&object! { kind => members }))
}

/// Returns the newest bar, quote or trade of one thing, or all of them.
fn newest_of(call: &Call<'_>, listing: &Listing, kind: &str) -> Option<Json> {
    let last = |step: Step, count: usize| {
        call.market.bars(&Ask {
            take: Take::Last(count),
            ..Ask::of(listing, step, call.now)
        })
    };
    let row = call.market.last_trade(listing, call.now)?;
    let told = quote(&call.market.quote(listing, &row), row.at_ns);
    let minute = last(Step::Minutes(1), 1).first().map(bar);
    Some(match kind {
        "bars" => Json::from(minute),
        "quotes" => told,
        "trades" => trade(&row),
        _ => {
            let days = last(Step::Days(1), 2);
            object! {
                "dailyBar" => days.last().map(bar),
                "latestQuote" => told,
                "latestTrade" => trade(&row),
                "minuteBar" => minute,
                "prevDailyBar" => days.first().map(bar),
            }
        }
    })
}

/// Answers articles, the newest first; the page token is a place.
fn news(call: &Call<'_>) -> Result<Reply, Reply> {
    let asked = call.get("symbols");
    let asked = asked.map(|list| list.split(',').map(str::to_owned).collect());
    let asked: Vec<String> = asked.unwrap_or_else(Market::newsworthy);
    let now = call.now.as_nanosecond();
    let (from, to) = match call.get("start") {
        Some(_) => span(call, true)?,
        None => (now - 30 * 86_400_000_000_000, now),
    };
    let mut stories = call
        .market
        .stories(&asked, second(from), second(to.min(now)) + 1);
    if call.get("sort") != Some("asc") {
        stories.reverse();
    }
    let limit = call
        .whole("limit", 10)
        .ok()
        .filter(|l| (1..=50).contains(l));
    let limit = limit.ok_or_else(|| refusal(400, "invalid limit: must be between 1 and 50"))?;
    let size = usize::try_from(limit).unwrap_or(1);
    let place = |text: &str| {
        let place = untoken(text).and_then(|text| text.parse::<usize>().ok());
        place.ok_or_else(|| refusal(400, "invalid page_token"))
    };
    let at = call.get("page_token").map(place).transpose()?;
    let page = call.placed(&stories, at, size);
    let next = at.unwrap_or(0) + if page.is_again { 0 } else { size };
    let next = page.has_more.then(|| token(&next.to_string()));
    let rows = page.rows.into_iter().map(|story| {
        let time = utc(story.at, "%Y-%m-%dT%H:%M:%SZ");
        let symbols = story
            .symbols
            .iter()
            .map(|symbol| symbol.replace('/', "").into());
        object! {
            "author" => story.author,
            "content" => "",
            "created_at" => time.as_str(),
            "headline" => story.title,
            "id" => story.id,
            "images" => list![],
            "source" => "benzinga",
            "summary" => story.summary,
            "symbols" => symbols.collect::<Vec<Json>>(),
            "updated_at" => time,
            "url" => story.url,
        }
    });
    let rows: Vec<Json> = rows.collect();
    Ok(Reply::json(
        &object! { "news" => rows, "next_page_token" => next },
    ))
}
