//! Coinbase Exchange: public data by address, ten requests a second out of a bucket.
//!
//! What it is strict about: at most 300 bars, and no fewer than both ends of a span. A bar is time, LOW,
//! HIGH, open, close, volume, the newest first; what was not traded has none. The side of a trade is the
//! maker's.

mod stream;

use jiff::tz::TimeZone;
use rust_decimal::Decimal;

use super::{Handler, Provider};
use crate::call::{Call, Reply};
use crate::limits::{Charge, Limit, Refusal, Style};
use crate::market::listing::Listing;
use crate::market::{Adjust, Anchor, Ask, Market, Step, Take, Trade, second};
use crate::streams::Feed;
use crate::wire::{Json, fixed, list, object, read_time, utc};

pub(super) struct Coinbase;

/// Later than any time, in seconds.
const FAR: i64 = 1_000_000_000_000;
/// Upper bound on the bars of an answer.
const MAX_BARS: i64 = 300;

impl Provider for Coinbase {
    fn name(&self) -> &'static str {
        "coinbase"
    }

    fn limits(&self, _is_paid: bool) -> Vec<Limit> {
        vec![Limit {
            style: Style::Bucket(15),
            ..Limit::requests("second", 10, 1)
        }]
    }

    fn charge(&self, call: &Call<'_>) -> Result<Charge, Reply> {
        Ok(Charge::one(call.from.to_string()))
    }

    fn route(&self, call: &Call<'_>) -> Option<(&'static str, Handler)> {
        Some(match call.pieces().as_slice() {
            ["products"] => ("products", |call| Ok(products(call))),
            ["products", _, "candles"] => ("candles", candles),
            ["products", _, "ticker"] => ("ticker", ticker),
            ["products", _, "trades"] => ("trades", trades),
            _ => return None,
        })
    }

    fn feed(&self, path: &[&str]) -> Option<&'static dyn Feed> {
        (path == [""]).then_some(&stream::Exchange as &dyn Feed)
    }

    fn refuse(&self, _call: &Call<'_>, refused: &Refusal) -> Reply {
        let status = if refused.is_ban { 418 } else { 429 };
        refusal(status, "Public rate limit exceeded")
    }

    fn nothing(&self, _call: &Call<'_>) -> Reply {
        refusal(404, "NotFound")
    }
}

fn refusal(status: u16, message: &str) -> Reply {
    Reply::refusal(status, &object! { "message" => message })
}

/// Finds `BTC-USD`.
fn product(call: &Call<'_>) -> Result<Listing, Reply> {
    let id = call.path.get(1).map_or("", String::as_str);
    product_of(call.market, id).ok_or_else(|| refusal(404, "NotFound"))
}

/// Finds `BTC-USD` in a market.
fn product_of(market: &Market, id: &str) -> Option<Listing> {
    let listing = market.listing(&id.replace('-', "/"))?;
    listing
        .is_crypto()
        .then(|| listing.seen_by("coinbase", 450_000))
}

fn candles(call: &Call<'_>) -> Result<Reply, Reply> {
    let listing = product(call)?;
    let granularity = call.whole("granularity", 60).unwrap_or(0);
    let step = match granularity {
        60 | 300 | 900 | 3_600 | 21_600 => Step::Minutes(granularity / 60),
        86_400 => Step::Days(1),
        _ => return Err(refusal(400, "Unsupported granularity")),
    };
    let time = |name: &str| {
        let read = |text: &str| {
            let epoch = text.parse::<i64>().ok();
            let epoch = epoch.map(|second| second.clamp(-FAR, FAR));
            epoch.or_else(|| read_time(text, &TimeZone::UTC).map(second))
        };
        call.get(name)
            .map(|text| read(text).ok_or_else(|| refusal(400, &format!("invalid {name}"))))
            .transpose()
    };
    // With one end only, neither counts.
    let now = call.now.as_second();
    let (from, to) = time("start")?
        .zip(time("end")?)
        .unwrap_or((now - MAX_BARS * granularity, now));
    if to < from {
        return Err(refusal(400, "start must be before end"));
    }
    if (to - from) / granularity > MAX_BARS {
        let text = "granularity too small for the requested time range. Count of aggregations requested exceeds 300";
        return Err(refusal(400, text));
    }
    let ask = Ask {
        listing: &listing,
        step,
        anchor: Anchor::Midnight,
        // The bar that holds the start is there too, although it begins before.
        from: from - from.rem_euclid(granularity),
        to: to + 1,
        now: call.now,
        adjust: Adjust::default(),
        take: Take::Last(300),
    };
    let mut bars = call.market.bars(&ask);
    bars.reverse();
    let rows = call.rows(bars);
    let rows = rows.iter().map(|bar| {
        list![
            bar.start, bar.low, bar.high, bar.open, bar.close, bar.volume
        ]
    });
    Ok(Reply::json(&Json::List(rows.collect())))
}

/// Writes a moment with six digits of a second.
fn moment(ns: i128) -> String {
    let micros = ns.rem_euclid(1_000_000_000) / 1_000;
    format!("{}.{micros:06}Z", utc(second(ns), "%Y-%m-%dT%H:%M:%S"))
}

fn ticker(call: &Call<'_>) -> Result<Reply, Reply> {
    let listing = product(call)?;
    let trade = call.market.last_trade(&listing, call.now);
    let trade = trade.ok_or_else(|| refusal(404, "NotFound"))?;
    let quote = call.market.quote(&listing, &trade);
    let now = call.now.as_second();
    let ask = Ask {
        listing: &listing,
        step: Step::Minutes(1),
        anchor: Anchor::Midnight,
        from: now - 86_400,
        to: now + 1,
        now: call.now,
        adjust: Adjust::default(),
        take: Take::First(usize::MAX),
    };
    let volume: Decimal = call.market.bars(&ask).iter().map(|bar| bar.volume).sum();
    let text = |value: Decimal| value.normalize().to_string();
    Ok(Reply::json(&object! {
        "ask" => text(quote.ask),
        "bid" => text(quote.bid),
        "volume" => fixed(volume, 8),
        "trade_id" => trade.id,
        "price" => text(trade.price),
        "size" => fixed(trade.size, 8),
        "time" => moment(trade.at_ns),
        "rfq_volume" => fixed(volume / Decimal::from(160), 6),
    }))
}

fn trades(call: &Call<'_>) -> Result<Reply, Reply> {
    let listing = product(call)?;
    let limit = call.whole("limit", 1_000).unwrap_or(1_000).clamp(1, 1_000);
    let size = usize::try_from(limit).unwrap_or(1);
    let after = call
        .whole("after", 0)
        .map_err(|_text| refusal(400, "invalid after"))?;
    let newest_first = |mut trades: Vec<Trade>| {
        trades.reverse();
        trades
    };
    let page = call.page(size, after > 0, |take| {
        let count = |count: usize| i64::try_from(count).unwrap_or(0);
        newest_first(match take {
            Take::Last(many) => call.market.trades_from(&listing, after, call.now, many),
            Take::First(many) if after > 0 => {
                let first = after - count(many);
                call.market.trades_from(&listing, first, call.now, many)
            }
            Take::First(_) => {
                call.market
                    .trades(&listing, (0, i128::MAX / 2), call.now, take_last(take))
            }
        })
    });
    let ids = page.rows.iter().map(|trade| trade.id);
    let (oldest, newest) = (ids.clone().min(), ids.max());
    let rows = page.rows.iter().map(|trade| {
        object! {
            "trade_id" => trade.id,
            // The maker's side: who bought aggressively met somebody who sold.
            "side" => if trade.is_buy { "sell" } else { "buy" },
            "size" => fixed(trade.size, 8),
            "price" => fixed(trade.price, 8),
            "time" => moment(trade.at_ns),
        }
    });
    let mut reply = Reply::json(&Json::List(rows.collect()));
    if let Some(newest) = newest {
        reply = reply.with_header("cb-before", &newest);
    }
    match oldest {
        _ if page.is_again => reply = reply.with_header("cb-after", &after),
        Some(oldest) if page.has_more => reply = reply.with_header("cb-after", &oldest),
        _ => {}
    }
    Ok(reply)
}

/// The same number from the other end.
const fn take_last(take: Take) -> Take {
    match take {
        Take::First(count) | Take::Last(count) => Take::Last(count),
    }
}

fn products(call: &Call<'_>) -> Reply {
    let rows = Listing::pairs().filter_map(|(asset, money)| {
        let listing = call.market.listing(&format!("{asset}/{money}"))?;
        Some(object! {
            "id" => format!("{asset}-{money}"),
            "base_currency" => asset,
            "quote_currency" => money,
            "quote_increment" => Decimal::new(1, listing.price_scale).to_string(),
            "base_increment" => Decimal::new(1, listing.size_scale).to_string(),
            "display_name" => format!("{asset}-{money}"),
            "status" => "online",
            "trading_disabled" => false,
        })
    });
    let rows = call.rows(rows.collect());
    Reply::json(&Json::List(rows))
}
