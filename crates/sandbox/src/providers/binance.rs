//! Binance spot: public data by address, weighed, with bans for who goes on.
//!
//! What it is strict about: weights a minute, and a 429 that becomes a 418. Symbols are written together;
//! all numbers of a bar are text with eight digits; times are milliseconds.
//! Simplified: `timeZone` is UTC only.

mod stream;
mod trading;

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::{Handler, Provider};
use crate::call::{Call, Reply};
use crate::limits::{Charge, Counts, Limit, Refusal, Usage};
use crate::market::listing::Listing;
use crate::market::{Adjust, Anchor, Ask, Bar, Market, Quote, Step, Take, Trade, merged};
use crate::streams::Feed;
use crate::wire::{Json, fixed, list, object};

pub(super) struct Binance;

impl Provider for Binance {
    fn name(&self) -> &'static str {
        "binance"
    }

    fn limits(&self, _is_paid: bool) -> Vec<Limit> {
        let minute = Limit {
            counts: Counts::Weight,
            bans: true,
            ..Limit::requests("weight-minute", 6_000, 60)
        };
        vec![minute, Limit::requests("raw-requests", 300_000, 300)]
    }

    fn charge(&self, call: &Call<'_>) -> Result<Charge, Reply> {
        Ok(Charge {
            weight: weight(call),
            ..Charge::one(call.from.to_string())
        })
    }

    fn route(&self, call: &Call<'_>) -> Option<(&'static str, Handler)> {
        let pieces = call.pieces();
        let ["api", "v3", rest @ ..] = pieces.as_slice() else {
            return None;
        };
        Some(match rest {
            ["ping"] => ("ping", |_| Ok(Reply::json(&object! {}))),
            ["time"] => ("time", |call| {
                let json = object! { "serverTime" => call.now.as_millisecond() };
                Ok(Reply::json(&json))
            }),
            ["exchangeInfo"] => ("exchange-info", exchange_info),
            ["klines"] => ("klines", klines),
            ["uiKlines"] => ("ui-klines", klines),
            ["trades"] => ("trades", trades),
            ["aggTrades"] => ("agg-trades", agg_trades),
            ["depth"] => ("depth", depth),
            ["ticker", "24hr"] => ("ticker-24h", |call| each(call, ticker)),
            ["ticker", "price"] => ("ticker-price", |call| each(call, price)),
            ["ticker", "bookTicker"] => ("book-ticker", |call| each(call, book)),
            _ => return None,
        })
    }

    fn trades(&self, call: &Call<'_>) -> Option<(&'static str, Handler)> {
        trading::route(call)
    }

    fn feed(&self, path: &[&str]) -> Option<&'static dyn Feed> {
        (path == ["stream"]).then_some(&stream::Combined as &dyn Feed)
    }

    fn refuse(&self, call: &Call<'_>, refused: &Refusal) -> Reply {
        let usage = &refused.usage;
        let advice = "Please use WebSocket Streams for live updates to avoid polling the API.";
        let (status, text) = if refused.is_ban {
            let until = call.now.as_millisecond() + usage.wait * 1_000;
            let text =
                format!("Way too much request weight used; IP banned until {until}. {advice}");
            (418, text)
        } else {
            let (units, seconds) = (usage.limit.units, usage.limit.seconds);
            let minutes = seconds / 60;
            let text = format!(
                "Too much request weight used; current limit is {units} request weight per {minutes} MINUTE. {advice}"
            );
            (429, text)
        };
        refusal(status, -1003, &text).with_header("Retry-After", &usage.wait)
    }

    fn nothing(&self, _call: &Call<'_>) -> Reply {
        Reply::text(
            404,
            "text/html",
            "<html><body><h2>404 Not found</h2></body></html>",
        )
    }

    fn tell(&self, reply: &mut Reply, usages: &[Usage], _now: Timestamp) {
        if let Some(usage) = usages.iter().find(|u| u.limit.counts == Counts::Weight) {
            for name in ["X-MBX-USED-WEIGHT", "X-MBX-USED-WEIGHT-1M"] {
                reply.headers.push((name, usage.used.to_string()));
            }
        }
    }
}

fn refusal(status: u16, code: i64, msg: &str) -> Reply {
    Reply::refusal(status, &object! { "code" => code, "msg" => msg })
}

/// What a call weighs.
fn weight(call: &Call<'_>) -> i64 {
    let is_one = call.get("symbol").is_some();
    let many = call.get("symbols").map(|list| list.split(',').count());
    match call.pieces().as_slice() {
        ["api", "v3", "klines" | "uiKlines"] => 2,
        ["api", "v3", "trades"] => 25,
        ["api", "v3", "exchangeInfo"] => 20,
        ["api", "v3", "depth"] => match call.whole("limit", 100) {
            Ok(..=100) | Err(_) => 5,
            Ok(101..=500) => 25,
            Ok(501..=1_000) => 50,
            Ok(_) => 250,
        },
        ["api", "v3", "ticker", "24hr"] => match many {
            _ if is_one => 2,
            Some(..=20) => 2,
            Some(21..=100) => 40,
            _ => 80,
        },
        ["api", "v3", "ticker", _] if is_one => 2,
        ["api", "v3", "aggTrades"] | ["api", "v3", "ticker", _] => 4,
        _ => 1,
    }
}

/// Returns the pair that is asked for.
fn symbol(call: &Call<'_>) -> Result<Listing, Reply> {
    let text = call.get("symbol").ok_or_else(|| missing("symbol"))?;
    listing(call, text).ok_or_else(|| refusal(400, -1121, "Invalid symbol."))
}

/// Finds what is written together: `BTCUSDT`. There are no US dollars here.
fn listing(call: &Call<'_>, text: &str) -> Option<Listing> {
    pair(call.market, text)
}

/// Finds what is written together in a market.
fn pair(market: &Market, text: &str) -> Option<Listing> {
    let (asset, money) = Listing::pairs()
        .filter(|(_, money)| *money != "USD")
        .find(|(asset, money)| text == format!("{asset}{money}"))?;
    let listing = market.listing(&format!("{asset}/{money}"))?;
    Some(listing.seen_by("binance", 1_000_000))
}

fn missing(name: &str) -> Reply {
    let msg = format!("Mandatory parameter '{name}' was not sent, was empty/null, or malformed.");
    refusal(400, -1102, &msg)
}

/// Returns a whole number that may be missing.
fn number(call: &Call<'_>, name: &str) -> Result<Option<i64>, Reply> {
    let illegal = |_| {
        let range = "legal range is '^[0-9]{1,20}$'.";
        let msg = format!("Illegal characters found in parameter '{name}'; {range}");
        refusal(400, -1100, &msg)
    };
    match call.get(name) {
        None => Ok(None),
        Some(_) => call.whole(name, 0).map(Some).map_err(illegal),
    }
}

fn interval(text: &str) -> Option<Step> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (count, unit) = text.split_at(digits);
    let count: i64 = count.parse().ok()?;
    match (unit, count) {
        ("s", 1) => Some(Step::Seconds(1)),
        ("m", 1 | 3 | 5 | 15 | 30) => Some(Step::Minutes(count)),
        ("h", 1 | 2 | 4 | 6 | 8 | 12) => Some(Step::Minutes(count * 60)),
        ("d", 1 | 3) => Some(Step::Days(count)),
        ("w", 1) => Some(Step::Week),
        ("M", 1) => Some(Step::Months(1)),
        _ => None,
    }
}

fn kline(bar: &Bar) -> Json {
    let text = |value| fixed(value, 8);
    list![
        bar.start * 1_000,
        text(bar.open),
        text(bar.high),
        text(bar.low),
        text(bar.close),
        text(bar.volume),
        bar.end * 1_000 - 1,
        text(bar.notional),
        bar.trades,
        text(bar.bought),
        text((bar.bought * bar.vwap).min(bar.notional)),
        "0",
    ]
}

fn klines(call: &Call<'_>) -> Result<Reply, Reply> {
    let listing = symbol(call)?;
    let text = call.get("interval").ok_or_else(|| missing("interval"))?;
    let step = interval(text).ok_or_else(|| refusal(400, -1120, "Invalid interval."))?;
    let limit = number(call, "limit")?.unwrap_or(500).clamp(1, 1_000);
    let size = usize::try_from(limit).unwrap_or(1);
    let (start, end) = (number(call, "startTime")?, number(call, "endTime")?);
    if call.get("timeZone").is_some_and(|zone| zone != "0") {
        return Err(refusal(
            400,
            -1100,
            "Illegal characters found in parameter 'timeZone'.",
        ));
    }
    // Milliseconds become the first whole second at or after them.
    let after = |ms: i64| ms.saturating_add(999).div_euclid(1_000);
    let ask = Ask {
        listing: &listing,
        step,
        anchor: Anchor::Midnight,
        from: 0,
        to: end
            .map_or(i64::MAX / 4, |ms| after(ms.saturating_add(1)))
            .min(i64::MAX / 4),
        now: call.now,
        adjust: Adjust::default(),
        take: Take::Last(size),
    };
    let bars = if let Some(start) = start {
        call.bars(&ask, Some(after(start)), size, false).rows
    } else {
        call.rows(call.market.bars(&ask))
    };
    let rows: Vec<Json> = bars.iter().map(kline).collect();
    Ok(Reply::json(&Json::List(rows)))
}

/// Returns the pairs that `symbol` or `symbols` name, or all.
fn symbols(call: &Call<'_>) -> Result<Vec<(String, Listing)>, Reply> {
    let texts: Vec<String> = match (call.get("symbol"), call.get("symbols")) {
        (Some(_), Some(_)) => {
            let msg = "Combination of optional parameters invalid. Recommendation: 'symbol'";
            return Err(refusal(400, -1128, msg));
        }
        (Some(text), None) => vec![text.to_owned()],
        (None, Some(list)) => serde_json::from_str(list).map_err(|_no_list| {
            let range =
                r#"legal range is '^\[("[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}){0,1}\]$'."#;
            let msg = format!("Illegal characters found in parameter 'symbols'; {range}");
            refusal(400, -1100, &msg)
        })?,
        (None, None) => Listing::pairs()
            .filter(|(_, money)| *money != "USD")
            .map(|(asset, money)| format!("{asset}{money}"))
            .collect(),
    };
    let pairs = texts.into_iter().map(|text| {
        let listing = listing(call, &text);
        let listing = listing.ok_or_else(|| refusal(400, -1121, "Invalid symbol."))?;
        Ok((text, listing))
    });
    pairs.collect()
}

fn exchange_info(call: &Call<'_>) -> Result<Reply, Reply> {
    let rate = |kind: &str, interval: &str, num: i64, limit: i64| {
        object! {
            "rateLimitType" => kind,
            "interval" => interval,
            "intervalNum" => num,
            "limit" => limit,
        }
    };
    let listed = symbols(call)?;
    let listed = listed.iter().map(|(text, listing)| {
        let (asset, money) = listing.symbol.split_once('/').unwrap_or_default();
        let tick = Decimal::new(1, listing.price_scale);
        object! {
            "symbol" => text.as_str(),
            "status" => "TRADING",
            "baseAsset" => asset,
            "baseAssetPrecision" => 8_i64,
            "quoteAsset" => money,
            "quotePrecision" => 8_i64,
            "quoteAssetPrecision" => 8_i64,
            "orderTypes" => list!["LIMIT", "MARKET"],
            "isSpotTradingAllowed" => true,
            "filters" => list![object! {
                "filterType" => "PRICE_FILTER",
                "minPrice" => fixed(tick, 8),
                "maxPrice" => "1000000.00000000",
                "tickSize" => fixed(tick, 8),
            }],
        }
    });
    let json = object! {
        "timezone" => "UTC",
        "serverTime" => call.now.as_millisecond(),
        "rateLimits" => list![
            rate("REQUEST_WEIGHT", "MINUTE", 1, 6_000),
            rate("RAW_REQUESTS", "MINUTE", 5, 300_000),
        ],
        "exchangeFilters" => Json::List(Vec::new()),
        "symbols" => listed.collect::<Vec<_>>(),
    };
    Ok(Reply::json(&json))
}

fn text(value: Decimal) -> String {
    fixed(value, 8)
}

/// Returns how many rows are asked for.
fn size(call: &Call<'_>, default: i64, most: i64) -> Result<usize, Reply> {
    let limit = number(call, "limit")?.unwrap_or(default).clamp(1, most);
    Ok(usize::try_from(limit).unwrap_or(1))
}

fn trades(call: &Call<'_>) -> Result<Reply, Reply> {
    let listing = symbol(call)?;
    let take = Take::Last(size(call, 500, 1_000)?);
    let trades = call
        .market
        .trades(&listing, (0, i128::MAX / 2), call.now, take);
    let rows = call.rows(trades);
    let rows = rows.iter().map(|trade| {
        object! {
            "id" => trade.id,
            "price" => text(trade.price),
            "qty" => text(trade.size),
            "quoteQty" => text(trade.price * trade.size),
            "time" => trade.at_ns / 1_000_000,
            "isBuyerMaker" => !trade.is_buy,
            "isBestMatch" => true,
        }
    });
    Ok(Reply::json(&Json::List(rows.collect())))
}

/// Every trade stands alone here: ids go up by one, as those of the original do.
fn agg_trades(call: &Call<'_>) -> Result<Reply, Reply> {
    let listing = symbol(call)?;
    let size = size(call, 500, 1_000)?;
    let from_id = number(call, "fromId")?;
    let (start, end) = (number(call, "startTime")?, number(call, "endTime")?);
    if from_id.is_some() && (start.is_some() || end.is_some()) {
        let msg = "Combination of optional parameters invalid. Recommendation: 'fromId'";
        return Err(refusal(400, -1128, msg));
    }
    let ns = |ms: i64| i128::from(ms) * 1_000_000;
    let to = end.map_or(i128::MAX / 2, |ms| ns(ms.saturating_add(1)));
    let follows = from_id.is_some() || start.is_some();
    let page = call.page(size, follows, |take| {
        let of =
            |span: (i128, i128), take: Take| call.market.trades(&listing, span, call.now, take);
        let many = |count: usize| i64::try_from(count).unwrap_or(0);
        match (from_id, start, take) {
            (Some(id), _, Take::First(count)) => {
                call.market.trades_from(&listing, id, call.now, count)
            }
            (Some(id), _, Take::Last(count)) => {
                call.market
                    .trades_from(&listing, id - many(count), call.now, count)
            }
            (None, Some(start), Take::First(_)) => of((ns(start), to), take),
            (None, Some(start), Take::Last(_)) => of((0, ns(start)), take),
            (None, None, Take::First(_) | Take::Last(_)) => of((0, to), Take::Last(size)),
        }
    });
    let rows = page.rows.iter().map(|trade| {
        object! {
            "a" => trade.id,
            "p" => text(trade.price),
            "q" => text(trade.size),
            "f" => trade.id,
            "l" => trade.id,
            "T" => trade.at_ns / 1_000_000,
            "m" => !trade.is_buy,
            "M" => true,
        }
    });
    Ok(Reply::json(&Json::List(rows.collect())))
}

/// Returns the newest trade and the quote in front of it.
fn newest(call: &Call<'_>, listing: &Listing) -> Option<(Trade, Quote)> {
    let trade = call.market.last_trade(listing, call.now)?;
    let quote = call.market.quote(listing, &trade);
    Some((trade, quote))
}

/// Answers about one pair, or a list about several.
fn each(
    call: &Call<'_>,
    one: fn(&Call<'_>, &str, &Listing) -> Option<Json>,
) -> Result<Reply, Reply> {
    let pairs = symbols(call)?;
    let mut rows = pairs
        .iter()
        .filter_map(|(text, listing)| one(call, text, listing));
    if call.get("symbol").is_some() {
        return Ok(Reply::json(&rows.next().unwrap_or_else(|| object! {})));
    }
    let rows = call.rows(rows.collect());
    Ok(Reply::json(&Json::List(rows)))
}

fn price(call: &Call<'_>, symbol: &str, listing: &Listing) -> Option<Json> {
    let (trade, _) = newest(call, listing)?;
    Some(object! { "symbol" => symbol, "price" => text(trade.price) })
}

fn book(call: &Call<'_>, symbol: &str, listing: &Listing) -> Option<Json> {
    let (_, quote) = newest(call, listing)?;
    Some(object! {
        "symbol" => symbol,
        "bidPrice" => text(quote.bid),
        "bidQty" => text(quote.bid_size),
        "askPrice" => text(quote.ask),
        "askQty" => text(quote.ask_size),
    })
}

fn ticker(call: &Call<'_>, symbol: &str, listing: &Listing) -> Option<Json> {
    let (trade, quote) = newest(call, listing)?;
    let now = call.now.as_second();
    let bars = call.market.bars(&Ask {
        from: now - now.rem_euclid(60) - 86_400 + 60,
        ..Ask::of(listing, Step::Minutes(1), call.now)
    });
    let day = merged(&bars)?;
    let change = trade.price - day.open;
    let percent = change.checked_div(day.open).unwrap_or_default() * Decimal::ONE_HUNDRED;
    Some(object! {
        "symbol" => symbol,
        "priceChange" => text(change),
        "priceChangePercent" => fixed(percent, 3),
        "weightedAvgPrice" => text(day.vwap),
        "prevClosePrice" => text(day.open),
        "lastPrice" => text(trade.price),
        "lastQty" => text(trade.size),
        "bidPrice" => text(quote.bid),
        "bidQty" => text(quote.bid_size),
        "askPrice" => text(quote.ask),
        "askQty" => text(quote.ask_size),
        "openPrice" => text(day.open),
        "highPrice" => text(day.high),
        "lowPrice" => text(day.low),
        "volume" => text(day.volume),
        "quoteVolume" => text(day.notional),
        "openTime" => call.now.as_millisecond() - 86_400_000,
        "closeTime" => call.now.as_millisecond(),
        "firstId" => trade.id - day.trades + 1,
        "lastId" => trade.id,
        "count" => day.trades,
    })
}

fn depth(call: &Call<'_>) -> Result<Reply, Reply> {
    let listing = symbol(call)?;
    let levels = i64::try_from(size(call, 100, 5_000)?).unwrap_or(1);
    let (trade, quote) =
        newest(call, &listing).ok_or_else(|| refusal(400, -1121, "Invalid symbol."))?;
    let tick = Decimal::new(1, listing.price_scale);
    let side = |best: Decimal, step: Decimal, size: Decimal| {
        let levels = 0..levels;
        let level = |n: i64| {
            let size = size * Decimal::from(1 + n % 7);
            list![text(best + step * Decimal::from(n)), text(size)]
        };
        levels.map(level).collect::<Vec<Json>>()
    };
    Ok(Reply::json(&object! {
        "lastUpdateId" => trade.id * 10,
        "bids" => side(quote.bid, -tick, quote.bid_size),
        "asks" => side(quote.ask, tick, quote.ask_size),
    }))
}
