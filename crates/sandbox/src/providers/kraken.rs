//! Kraken spot: public data by address, about one request a second.
//!
//! What it is strict about: errors come with status 200, in a list of texts. At most the newest 720 bars
//! can be had, and the bar that is being made is always the last one. A bar without a trade is a filler. The
//! key of a result is Kraken's own name of the pair.

mod stream;

use rust_decimal::Decimal;

use super::{Handler, Provider};
use crate::call::{Call, Reply};
use crate::limits::{Charge, Limit, Refusal};
use crate::market::listing::Listing;
use crate::market::{Ask, Bar, Market, Step, Take, Trade};
use crate::streams::Feed;
use crate::wire::{Json, fixed, list, object, rfc3339};

pub(super) struct Kraken;

/// Upper bound on finished bars.
const MAX_BARS: usize = 720;

impl Provider for Kraken {
    fn name(&self) -> &'static str {
        "kraken"
    }

    fn limits(&self, _is_paid: bool) -> Vec<Limit> {
        vec![Limit::requests("second", 1, 1)]
    }

    fn charge(&self, call: &Call<'_>) -> Result<Charge, Reply> {
        Ok(Charge::one(call.from.to_string()))
    }

    fn route(&self, call: &Call<'_>) -> Option<(&'static str, Handler)> {
        Some(match call.pieces().as_slice() {
            ["0", "public", "OHLC"] => ("ohlc", ohlc),
            ["0", "public", "Trades"] => ("trades", trades),
            ["0", "public", "Ticker"] => ("ticker", ticker),
            ["0", "public", "Depth"] => ("depth", depth),
            ["0", "public", "AssetPairs"] => ("asset-pairs", asset_pairs),
            ["0", "public", "SystemStatus"] => ("system-status", |call| {
                let time = rfc3339(i128::from(call.now.as_second()) * 1_000_000_000);
                Ok(result(
                    object! { "status" => "online", "timestamp" => time },
                ))
            }),
            _ => return None,
        })
    }

    fn feed(&self, path: &[&str]) -> Option<&'static dyn Feed> {
        (path == ["v2"]).then_some(&stream::Version2 as &dyn Feed)
    }

    fn refuse(&self, _call: &Call<'_>, refused: &Refusal) -> Reply {
        if refused.is_ban {
            return error("EGeneral:Temporary lockout");
        }
        error("EGeneral:Too many requests")
    }

    fn nothing(&self, _call: &Call<'_>) -> Reply {
        error("EGeneral:Unknown method")
    }
}

fn error(text: &str) -> Reply {
    Reply::json(&object! { "error" => list![text] })
}

fn result(json: Json) -> Reply {
    Reply::json(&object! { "error" => Json::List(Vec::new()), "result" => json })
}

/// A pair, with Kraken's names of it.
struct Pair {
    listing: Listing,
    /// `XXBTZUSD`.
    key: String,
    /// `XBTUSD`.
    alternative: String,
    /// Digits after the point in its prices.
    digits: u32,
}

fn pairs(market: &Market) -> Vec<Pair> {
    let own = |asset: &str| match asset {
        "BTC" => "XBT".to_owned(),
        "DOGE" => "XDG".to_owned(),
        other => other.to_owned(),
    };
    let all = Listing::pairs().filter_map(|(asset, money)| {
        let listing = market.listing(&format!("{asset}/{money}"))?;
        let digits = if asset == "BTC" {
            1
        } else {
            listing.price_scale
        };
        let listing = listing.seen_by("kraken", 120_000).in_steps_of(digits);
        let asset = own(asset);
        // Old assets have a letter in front, in pairs with old money only.
        let is_old = matches!(asset.as_str(), "XBT" | "ETH" | "LTC" | "XRP" | "XDG")
            && matches!(money, "USD" | "EUR")
            && asset != "XDG";
        let alternative = format!("{asset}{money}");
        let key = if is_old {
            format!("X{asset}Z{money}")
        } else {
            alternative.clone()
        };
        Some(Pair {
            listing,
            key,
            alternative,
            digits,
        })
    });
    all.collect()
}

/// Finds the pair that is asked for, under any of its names.
fn pair(call: &Call<'_>) -> Result<Pair, Reply> {
    let name = call
        .get("pair")
        .ok_or_else(|| error("EGeneral:Invalid arguments"))?;
    let is_named = |pair: &Pair| {
        let symbol = &pair.listing.symbol;
        pair.key == name
            || pair.alternative == name
            || symbol == name
            || symbol.replace('/', "") == name
    };
    let found = pairs(call.market).into_iter().find(is_named);
    found.ok_or_else(|| error("EQuery:Unknown asset pair"))
}

/// Returns the name under which the result stands.
fn key(call: &Call<'_>, pair: &Pair) -> String {
    if call.get("assetVersion") == Some("1") {
        return pair.listing.symbol.clone();
    }
    pair.key.clone()
}

fn ohlc(call: &Call<'_>) -> Result<Reply, Reply> {
    let pair = pair(call)?;
    let invalid = |_text: String| error("EGeneral:Invalid arguments");
    let minutes = call.whole("interval", 1).map_err(invalid)?;
    let since = call.whole("since", 0).map_err(invalid)?;
    let step = match minutes {
        1 | 5 | 15 | 30 | 60 | 240 => Step::Minutes(minutes),
        1_440 | 10_080 | 21_600 => Step::Days(minutes / 1_440),
        _ => return Err(error("EGeneral:Invalid arguments")),
    };
    let size = minutes * 60;
    let newest = call.now.as_second() - call.now.as_second().rem_euclid(size);
    let slots = i64::try_from(MAX_BARS).unwrap_or(0);
    let bars = call.market.bars(&Ask {
        from: newest - slots * size,
        take: Take::Last(MAX_BARS + 1),
        ..Ask::of(&pair.listing, step, call.now)
    });
    let text = |value: Decimal| Json::from(fixed(value, pair.digits));
    let mut rows = Vec::new();
    let mut last: Option<&Bar> = None;
    for bar in &bars {
        // What was not traded is filled with the last price.
        let mut empty = last.map_or(bar.start, |last| last.start + size);
        while let (Some(last), true) = (last, empty < bar.start) {
            let same = text(last.close);
            let zero = fixed(Decimal::ZERO, 8);
            let price = [same.clone(), same.clone(), same.clone(), same];
            let [open, high, low, close] = price;
            rows.push((
                empty,
                list![
                    empty,
                    open,
                    high,
                    low,
                    close,
                    fixed(Decimal::ZERO, pair.digits),
                    zero,
                    0_i64
                ],
            ));
            empty += size;
        }
        let row = list![
            bar.start,
            text(bar.open),
            text(bar.high),
            text(bar.low),
            text(bar.close),
            text(bar.vwap),
            fixed(bar.volume, 8),
            bar.trades,
        ];
        rows.push((bar.start, row));
        last = Some(bar);
    }
    // The bar that holds `since` is there too, although it begins before.
    rows.retain(|(start, _)| start + size > since);
    let rows: Vec<Json> = rows.into_iter().map(|(_, row)| row).collect();
    let rows = call.rows(rows);
    let json = object! { key(call, &pair) => rows, "last" => newest - size };
    Ok(result(json))
}

fn trades(call: &Call<'_>) -> Result<Reply, Reply> {
    let pair = pair(call)?;
    let count = call.whole("count", 1_000).unwrap_or(1_000).clamp(1, 1_000);
    let size = usize::try_from(count).unwrap_or(1);
    let since: Option<i128> = call
        .get("since")
        .map(|text| {
            text.parse()
                .map_err(|_no_number| error("EGeneral:Invalid arguments"))
        })
        .transpose()?;
    let page = call.page(size, since.is_some_and(|since| since > 0), |take| {
        let fetch = |span: (i128, i128), take: Take| {
            call.market.trades(&pair.listing, span, call.now, take)
        };
        match (since, take) {
            (Some(since), Take::First(_)) => fetch((since + 1, i128::MAX / 2), take),
            (Some(since), Take::Last(_)) => fetch((0, since + 1), take),
            (None, Take::First(many) | Take::Last(many)) => {
                let mut newest = fetch((0, i128::MAX / 2), Take::Last(many));
                newest.truncate(many);
                newest
            }
        }
    });
    let last = page.rows.iter().map(|trade| trade.at_ns).max();
    let last = if page.is_again { since } else { last.or(since) };
    let row = |trade: &Trade| {
        let ns = trade.at_ns;
        let tenths = ns.rem_euclid(1_000_000_000) / 100;
        list![
            fixed(trade.price, 5),
            fixed(trade.size, 8),
            Json::Number(format!("{}.{tenths:07}", ns / 1_000_000_000)),
            if trade.is_buy { "b" } else { "s" },
            if trade.id % 3 == 0 { "m" } else { "l" },
            "",
            trade.id,
        ]
    };
    let rows: Vec<Json> = page.rows.iter().map(row).collect();
    let last = last.unwrap_or(0).to_string();
    Ok(result(object! { key(call, &pair) => rows, "last" => last }))
}

fn ticker(call: &Call<'_>) -> Result<Reply, Reply> {
    let asked = match call.get("pair") {
        Some(_) => vec![pair(call)?],
        None => pairs(call.market),
    };
    let members = asked.iter().filter_map(|pair| {
        let listing = &pair.listing;
        let trade = call.market.last_trade(listing, call.now)?;
        let quote = call.market.quote(listing, &trade);
        let now = call.now.as_second();
        let ask = Ask {
            from: now - 86_400,
            ..Ask::of(listing, Step::Minutes(1), call.now)
        };
        let day = call.market.bars(&ask);
        let midnight = now - now.rem_euclid(86_400);
        let today: Vec<Bar> = day
            .iter()
            .filter(|b| b.start >= midnight)
            .cloned()
            .collect();
        let day = crate::market::merged(&day)?;
        let today = crate::market::merged(&today).unwrap_or_else(|| day.clone());
        let price = |value: Decimal| fixed(value, 5);
        let whole = |size: Decimal| size.ceil().to_string();
        let json = object! {
            "a" => list![price(quote.ask), whole(quote.ask_size), fixed(quote.ask_size.ceil(), 3)],
            "b" => list![price(quote.bid), whole(quote.bid_size), fixed(quote.bid_size.ceil(), 3)],
            "c" => list![price(trade.price), fixed(trade.size, 8)],
            "v" => list![fixed(today.volume, 8), fixed(day.volume, 8)],
            "p" => list![price(today.vwap), price(day.vwap)],
            "t" => list![today.trades, day.trades],
            "l" => list![price(today.low), price(day.low)],
            "h" => list![price(today.high), price(day.high)],
            "o" => price(today.open),
        };
        Some((key(call, pair), json))
    });
    Ok(result(Json::Object(members.collect())))
}

fn depth(call: &Call<'_>) -> Result<Reply, Reply> {
    let pair = pair(call)?;
    let count = call.whole("count", 100).unwrap_or(100).clamp(1, 500);
    let trade = call.market.last_trade(&pair.listing, call.now);
    let trade = trade.ok_or_else(|| error("EService:Unavailable"))?;
    let quote = call.market.quote(&pair.listing, &trade);
    let tick = Decimal::new(1, pair.digits);
    let level = |price: Decimal, size: Decimal| {
        list![fixed(price, 5), fixed(size, 3), call.now.as_second()]
    };
    let asks = (0..count).map(|n| level(quote.ask + tick * Decimal::from(n), quote.ask_size));
    let asks: Vec<Json> = asks.collect();
    let bids = (0..count).map(|n| level(quote.bid - tick * Decimal::from(n), quote.bid_size));
    let bids: Vec<Json> = bids.collect();
    let book = object! { "asks" => asks, "bids" => bids };
    Ok(result(object! { key(call, &pair) => book }))
}

fn asset_pairs(call: &Call<'_>) -> Result<Reply, Reply> {
    let asked = match call.get("pair") {
        Some(_) => vec![pair(call)?],
        None => pairs(call.market),
    };
    let members = asked.iter().map(|pair| {
        let (base, quote) = pair.listing.symbol.split_once('/').unwrap_or_default();
        let json = object! {
            "altname" => pair.alternative.as_str(),
            "wsname" => pair.listing.symbol.replace("BTC", "XBT"),
            "base" => base,
            "quote" => quote,
            "pair_decimals" => i64::from(pair.digits),
            "lot_decimals" => 8_i64,
            "status" => "online",
        };
        (key(call, pair), json)
    });
    Ok(result(Json::Object(members.collect())))
}
