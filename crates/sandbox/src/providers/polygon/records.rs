//! Polygon's records: trades, quotes, news, tickers, splits, dividends, and whether the market is open.
//!
//! All lists are paged by `next_url`; trades and quotes by time, the others by place.

use jiff::Timestamp;
use jiff::civil::{Date, date};

use super::{cursor, enough, error, listing, next_url, request_id};
use crate::call::{Call, Page, Reply};
use crate::market::calendar::{later, utc_date};
use crate::market::listing::{Kind, Listing};
use crate::market::{Market, Take, Trade, second};
use crate::wire::{Json, list, object, utc, written};

/// Answers a list; `next` is where the next page begins. Some lists say how many rows they have.
fn records(call: &Call<'_>, rows: Vec<Json>, next: Option<i64>, has_count: bool) -> Reply {
    let count = rows.len();
    let mut json = object! {
        "results" => rows,
        "status" => "OK",
        "request_id" => request_id(call),
    };
    if has_count {
        json = json.with("count", count);
    }
    if let Some(next) = next {
        json = json.with("next_url", next_url(call, next));
    }
    Reply::json(&json)
}

fn not_found(call: &Call<'_>) -> Reply {
    let json = object! {
        "status" => "NOT_FOUND",
        "request_id" => request_id(call),
        "message" => "Data not found.",
    };
    Reply::refusal(404, &json)
}

/// Returns the thing that the path ends in, and its newest trade.
fn newest(call: &Call<'_>) -> Result<(Listing, Trade), Reply> {
    let ticker = call.path.last().cloned().unwrap_or_default();
    let listing = listing(call, &ticker).ok_or_else(|| not_found(call))?;
    let trade = call.market.last_trade(&listing, call.now);
    Ok((listing, trade.ok_or_else(|| not_found(call))?))
}

fn single(call: &Call<'_>, results: Json) -> Reply {
    let id = request_id(call);
    Reply::json(&object! { "results" => results, "status" => "OK", "request_id" => id })
}

pub(super) fn last_trade(call: &Call<'_>) -> Result<Reply, Reply> {
    let (_, trade) = newest(call)?;
    let ticker = call.path.last().cloned().unwrap_or_default();
    let results = object! {
        "c" => list![12_i64, 37_i64],
        "i" => trade.id.to_string(),
        "p" => trade.price,
        "s" => trade.size,
        "x" => 4_i64,
        "r" => 202_i64,
        "z" => 3_i64,
        "T" => ticker,
        "t" => trade.at_ns,
        "y" => trade.at_ns - 2_600_000,
        "f" => trade.at_ns - 29_000,
        "q" => trade.id,
    };
    Ok(single(call, results))
}

pub(super) fn last_quote(call: &Call<'_>) -> Result<Reply, Reply> {
    let (listing, trade) = newest(call)?;
    let quote = call.market.quote(&listing, &trade);
    let ticker = call.path.last().cloned().unwrap_or_default();
    let results = object! {
        "p" => quote.bid,
        "s" => quote.bid_size,
        "x" => 19_i64,
        "P" => quote.ask,
        "S" => quote.ask_size,
        "X" => 11_i64,
        "z" => 3_i64,
        "T" => ticker,
        "t" => quote.at_ns,
        "y" => quote.at_ns - 219_000,
        "q" => quote.id,
    };
    Ok(single(call, results))
}

/// Reads the bounds of a span in nanoseconds: numbers, dates or times.
fn span(call: &Call<'_>) -> Result<(i128, i128), Reply> {
    let read = |name: &str| {
        let parse = |text: &str| {
            let ns: Option<i128> = text.parse().ok();
            let date = |text: &str| text.parse::<Date>().ok().filter(|_| text.len() == 10);
            let midnight = |date| i128::from(call.market.calendar().midnight(date)) * 1_000_000_000;
            ns.or_else(|| date(text).map(midnight))
                .or_else(|| text.parse().ok().map(Timestamp::as_nanosecond))
                .ok_or_else(|| error(call, 400, &format!("invalid {name}: {text}")))
        };
        call.get(name).map(parse).transpose()
    };
    let (mut from, mut to) = (0, call.now.as_nanosecond() + 1);
    if let Some(at) = read("timestamp")? {
        let is_date = call.get("timestamp").is_some_and(|text| text.len() == 10);
        (from, to) = (at, at + if is_date { 86_400_000_000_000 } else { 1 });
    }
    from = read("timestamp.gte")?.unwrap_or(from);
    from = read("timestamp.gt")?.map_or(from, |at| at + 1);
    to = read("timestamp.lt")?.unwrap_or(to);
    to = read("timestamp.lte")?.map_or(to, |at| at + 1);
    Ok((from, to))
}

/// Answers trades or what is made of them. The cursor is a time in nanoseconds.
fn timed(call: &Call<'_>, told: &dyn Fn(&Listing, &Trade) -> Json) -> Result<Reply, Reply> {
    let ticker = call.path.last().cloned().unwrap_or_default();
    let size = enough(call, 1_000, 50_000)?;
    let (from, to) = span(call)?;
    let cursor = cursor(call)?;
    let is_newest_first = call.get_or("order", "desc") == "desc";
    let Some(listing) = listing(call, &ticker) else {
        return Ok(records(call, Vec::new(), None, false));
    };
    let page: Page<Trade> = call.page(size, cursor.is_some(), |take| {
        let at = cursor.map(i128::from);
        let (before, rest) = match (at, is_newest_first) {
            (None, _) => ((0, 0), (from, to)),
            (Some(at), false) => ((from, at), (at, to)),
            (Some(at), true) => ((at, to), (from, at)),
        };
        let span = if matches!(take, Take::First(_)) {
            rest
        } else {
            before
        };
        let take = match (take, is_newest_first) {
            (Take::First(count), true) => Take::Last(count),
            (Take::Last(count), true) => Take::First(count),
            (take, false) => take,
        };
        let mut trades = call.market.trades(&listing, span, call.now, take);
        if is_newest_first {
            trades.reverse();
        }
        trades
    });
    let next = if page.is_again {
        cursor
    } else {
        let last = page.rows.last().filter(|_| page.has_more);
        let ns = last.map(|trade| trade.at_ns + i128::from(!is_newest_first));
        ns.and_then(|ns| i64::try_from(ns).ok())
    };
    let rows = page.rows.iter().map(|trade| told(&listing, trade));
    Ok(records(call, rows.collect(), next, false))
}

pub(super) fn trades(call: &Call<'_>) -> Result<Reply, Reply> {
    timed(call, &|_, trade| {
        object! {
            "conditions" => list![12_i64, 37_i64],
            "correction" => 0_i64,
            "exchange" => 11_i64,
            "id" => trade.id.to_string(),
            "participant_timestamp" => trade.at_ns - 342_000,
            "price" => trade.price,
            "sequence_number" => trade.id,
            "sip_timestamp" => trade.at_ns,
            "size" => trade.size,
            "tape" => 3_i64,
            "trf_id" => 3_i64,
            "trf_timestamp" => trade.at_ns - 100_000,
        }
    })
}

pub(super) fn quotes(call: &Call<'_>) -> Result<Reply, Reply> {
    timed(call, &|listing, trade| {
        let quote = call.market.quote(listing, trade);
        object! {
            "ask_exchange" => 15_i64,
            "ask_price" => quote.ask,
            "ask_size" => quote.ask_size,
            "bid_exchange" => 19_i64,
            "bid_price" => quote.bid,
            "bid_size" => quote.bid_size,
            "participant_timestamp" => trade.at_ns - 236_000,
            "sequence_number" => quote.id,
            "sip_timestamp" => trade.at_ns,
            "tape" => 3_i64,
        }
    })
}

/// Answers one page of rows that are all there; the cursor is a place.
fn placed(call: &Call<'_>, all: &[Json], default: i64, has_count: bool) -> Result<Reply, Reply> {
    let size = enough(call, default, 1_000)?;
    let cursor = cursor(call)?;
    let at = usize::try_from(cursor.unwrap_or(0)).unwrap_or(0);
    let page = call.placed(all, cursor.map(|_| at), size);
    let next = if page.is_again {
        cursor
    } else {
        let next = i64::try_from(at + size).ok();
        next.filter(|_| page.has_more)
    };
    Ok(records(call, page.rows, next, has_count))
}

pub(super) fn news(call: &Call<'_>) -> Result<Reply, Reply> {
    let now = call.now.as_second();
    let asked = call.get("ticker").map(|ticker| vec![ticker.to_owned()]);
    let asked = asked.unwrap_or_else(Market::newsworthy);
    let zone = jiff::tz::TimeZone::UTC;
    let time = |name: &str| {
        let ns = call
            .get(name)
            .and_then(|text| crate::wire::read_time(text, &zone));
        ns.map(second)
    };
    let from = time("published_utc.gte").unwrap_or(now - 30 * 86_400);
    let to = time("published_utc.lt").unwrap_or(now + 1).min(now + 1);
    let mut stories = call.market.stories(&asked, from, to);
    if call.get("order") != Some("asc") {
        stories.reverse();
    }
    let rows = stories.iter().map(|story| {
        let home = format!("https://{}/", story.host);
        let publisher = object! {
            "name" => story.publisher,
            "homepage_url" => home.as_str(),
            "logo_url" => format!("{home}logo.svg"),
            "favicon_url" => format!("{home}favicon.ico"),
        };
        let tickers = story.symbols.iter().map(|symbol| symbol.as_str().into());
        object! {
            "id" => format!("{:043}", story.id),
            "publisher" => publisher,
            "title" => story.title.as_str(),
            "author" => story.author,
            "published_utc" => utc(story.at, "%Y-%m-%dT%H:%M:%SZ"),
            "article_url" => story.url.as_str(),
            "tickers" => tickers.collect::<Vec<Json>>(),
            "amp_url" => format!("{}/amp", story.url),
            "image_url" => format!("{home}images/{}.jpg", story.id),
            "description" => story.summary.as_str(),
        }
    });
    placed(call, &rows.collect::<Vec<_>>(), 10, true)
}

pub(super) fn tickers(call: &Call<'_>) -> Result<Reply, Reply> {
    let words = call.get_or("search", "").to_uppercase();
    let found = Listing::shares()
        .into_iter()
        .filter_map(|symbol| call.stock(symbol));
    let found = found.filter(|listing| {
        let is_asked = call
            .get("ticker")
            .is_none_or(|ticker| ticker == listing.symbol);
        let name = listing.name.to_uppercase();
        is_asked && (listing.symbol.contains(&words) || name.contains(&words))
    });
    let today = utc_date(call.now.as_second());
    let rows = found.map(|listing| {
        let chance = call.market.chance("cik").on(&listing.symbol);
        let number = chance.below(2_000_000);
        object! {
            "ticker" => listing.symbol.as_str(),
            "name" => listing.name.as_str(),
            "market" => "stocks",
            "locale" => "us",
            "primary_exchange" => listing.mic,
            "type" => if listing.kind == Kind::Fund { "ETF" } else { "CS" },
            "active" => true,
            "currency_name" => "usd",
            "cik" => format!("{number:010}"),
            "composite_figi" => format!("BBG{number:09}"),
            "share_class_figi" => format!("BBG1{number:08}"),
            "last_updated_utc" => format!("{today}T00:00:00Z"),
        }
    });
    placed(call, &rows.collect::<Vec<_>>(), 100, true)
}

/// Returns the shares that are asked for.
fn shares(call: &Call<'_>) -> Vec<Listing> {
    let all = || Listing::shares().into_iter().filter_map(|s| call.stock(s));
    call.get("ticker").map_or_else(
        || all().collect(),
        |ticker| listing(call, ticker).into_iter().collect(),
    )
}

pub(super) fn splits(call: &Call<'_>) -> Result<Reply, Reply> {
    let announced = later(utc_date(call.now.as_second()), 14);
    let mut found = Vec::new();
    for listing in shares(call) {
        let known = listing.splits.iter().filter(|split| split.on <= announced);
        found.extend(known.map(|split| (split.on, listing.symbol.clone(), *split)));
    }
    found.sort_by(|a, b| (b.0, &b.1).cmp(&(a.0, &a.1)));
    let rows = found.into_iter().map(|(on, ticker, split)| {
        object! {
            "execution_date" => on.to_string(),
            "split_from" => split.from,
            "split_to" => split.to,
            "ticker" => ticker,
        }
    });
    placed(call, &rows.collect::<Vec<_>>(), 10, false)
}

pub(super) fn dividends(call: &Call<'_>) -> Result<Reply, Reply> {
    let announced = later(utc_date(call.now.as_second()), 14);
    let mut found = Vec::new();
    for listing in shares(call) {
        let paid = call.market.dividends(&listing, date(2000, 1, 1), announced);
        found.extend(
            paid.into_iter()
                .map(|d| (d.ex, listing.symbol.clone(), d.cash)),
        );
    }
    found.sort_by(|a, b| (b.0, &b.1).cmp(&(a.0, &a.1)));
    let rows = found.into_iter().map(|(ex, ticker, cash)| {
        object! {
            "cash_amount" => cash,
            "declaration_date" => later(ex, -21).to_string(),
            "dividend_type" => "CD",
            "ex_dividend_date" => ex.to_string(),
            "frequency" => 4_i64,
            "pay_date" => later(ex, 18).to_string(),
            "record_date" => later(ex, 3).to_string(),
            "ticker" => ticker,
        }
    });
    placed(call, &rows.collect::<Vec<_>>(), 10, false)
}

pub(super) fn status(call: &Call<'_>) -> Reply {
    let calendar = call.market.calendar();
    let now = call.now.as_second();
    let session = calendar.session(calendar.date(now));
    let is_open = session.is_some_and(|s| now >= s.open && now < s.close);
    let word = if is_open { "open" } else { "closed" };
    Reply::json(&object! {
        "afterHours" => false,
        "currencies" => object! { "crypto" => "open", "fx" => "open" },
        "earlyHours" => false,
        "exchanges" => object! { "nasdaq" => word, "nyse" => word, "otc" => word },
        "market" => word,
        "serverTime" => written(now, "%Y-%m-%dT%H:%M:%S%:z", calendar.zone()),
    })
}
