//! Finnhub: quotes, bars in columns, news.
//!
//! What it is strict about: a token, 60 requests a minute and 30 a second, bars of US shares only for who
//! pays. An unknown symbol has a quote of zeros, and a span without bars says `no_data`.

mod stream;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;

use super::{Handler, Provider};
use crate::call::{Call, Reply};
use crate::limits::{Charge, Limit, Refusal, Usage};
use crate::market::listing::Listing;
use crate::market::news::Story;
use crate::market::{Adjust, Ask, Bar, Market, Step, second};
use crate::streams::Feed;
use crate::wire::{Json, object, read_time};

pub(super) struct Finnhub;

impl Provider for Finnhub {
    fn name(&self) -> &'static str {
        "finnhub"
    }

    fn limits(&self, is_paid: bool) -> Vec<Limit> {
        let second = Limit::requests("second", 30, 1);
        if is_paid {
            return vec![second];
        }
        vec![Limit::requests("minute", 60, 60), second]
    }

    fn has_pages(&self) -> bool {
        false
    }

    fn charge(&self, call: &Call<'_>) -> Result<Charge, Reply> {
        let key = call.header("X-Finnhub-Token").or_else(|| call.get("token"));
        match key {
            None => Err(refusal(401, "Please use an API key.")),
            Some(key) if !call.is_right(key) => Err(refusal(401, "Invalid API key")),
            Some(key) => Ok(Charge::one(key)),
        }
    }

    fn route(&self, call: &Call<'_>) -> Option<(&'static str, Handler)> {
        Some(match call.pieces().as_slice() {
            ["api", "v1", "quote"] => ("quote", quote),
            ["api", "v1", "stock", "candle"] => ("candles", candles),
            ["api", "v1", "company-news"] => ("company-news", company_news),
            ["api", "v1", "news"] => ("market-news", market_news),
            ["api", "v1", "search"] => ("search", search),
            ["api", "v1", "stock", "symbol"] => ("symbols", |call| Ok(symbols(call))),
            _ => return None,
        })
    }

    fn feed(&self, path: &[&str]) -> Option<&'static dyn Feed> {
        (path == [""]).then_some(&stream::Trades as &dyn Feed)
    }

    fn refuse(&self, _call: &Call<'_>, refused: &Refusal) -> Reply {
        let status = if refused.is_ban { 418 } else { 429 };
        refusal(
            status,
            "API limit reached. Please try again later. Remaining Limit: 0",
        )
    }

    fn nothing(&self, _call: &Call<'_>) -> Reply {
        refusal(404, "API path not found.")
    }

    fn tell(&self, reply: &mut Reply, usages: &[Usage], now: Timestamp) {
        if let Some(usage) = usages.first() {
            let left = (usage.limit.units - usage.used).max(0);
            for (name, value) in [
                ("X-Ratelimit-Limit", usage.limit.units),
                ("X-Ratelimit-Remaining", left),
                ("X-Ratelimit-Reset", now.as_second() + usage.wait),
            ] {
                reply.headers.push((name, value.to_string()));
            }
        }
    }
}

fn refusal(status: u16, text: &str) -> Reply {
    Reply::refusal(status, &object! { "error" => text })
}

fn required<'a>(call: &'a Call<'_>, name: &str) -> Result<&'a str, Reply> {
    let missing = || refusal(422, &format!("Missing parameters: {name}"));
    call.get(name).ok_or_else(missing)
}

fn quote(call: &Call<'_>) -> Result<Reply, Reply> {
    let symbol = required(call, "symbol")?;
    let days = call.stock(symbol).map(|listing| {
        let trade = call.market.last_trade(&listing, call.now);
        (call.days(&listing, 2), trade)
    });
    let Some((days, Some(trade))) = days else {
        let zero = || Json::from(0_i64);
        return Ok(Reply::json(&object! {
            "c" => zero(), "d" => Json::Null, "dp" => Json::Null, "h" => zero(), "l" => zero(),
            "o" => zero(), "pc" => zero(), "t" => zero(),
        }));
    };
    let today = days.last();
    let before = days.first().map_or(trade.price, |bar| bar.close);
    let change = trade.price - before;
    let percent = change.checked_div(before).unwrap_or_default() * Decimal::ONE_HUNDRED;
    let of = |field: fn(&Bar) -> Decimal| today.map_or(trade.price, field);
    Ok(Reply::json(&object! {
        "c" => trade.price,
        "d" => change,
        "dp" => percent.round_dp(4),
        "h" => of(|bar| bar.high),
        "l" => of(|bar| bar.low),
        "o" => of(|bar| bar.open),
        "pc" => before,
        "t" => second(trade.at_ns),
    }))
}

fn candles(call: &Call<'_>) -> Result<Reply, Reply> {
    let symbol = required(call, "symbol")?;
    let step = match required(call, "resolution")? {
        "1" => Step::Minutes(1),
        "5" => Step::Minutes(5),
        "15" => Step::Minutes(15),
        "30" => Step::Minutes(30),
        "60" => Step::Minutes(60),
        "D" => Step::Days(1),
        "W" => Step::Week,
        "M" => Step::Months(1),
        _ => return Err(refusal(422, "Wrong resolution")),
    };
    let time = |name: &str| {
        required(call, name)?;
        call.whole(name, 0)
            .map_err(|_text| refusal(422, "Timestamp must be UNIX seconds"))
    };
    let (from, to) = (time("from")?, time("to")?);
    if !call.is_paid {
        return Err(refusal(403, "You don't have access to this resource."));
    }
    let bars = call.stock(symbol).map(|listing| {
        call.market.bars(&Ask {
            from,
            to: to.saturating_add(1),
            adjust: Adjust {
                splits: true,
                dividends: false,
            },
            ..Ask::of(&listing, step, call.now)
        })
    });
    let bars = call.rows(bars.unwrap_or_default());
    if bars.is_empty() {
        return Ok(Reply::json(&object! { "s" => "no_data" }));
    }
    let column = |field: fn(&Bar) -> Json| bars.iter().map(field).collect::<Vec<_>>();
    Ok(Reply::json(&object! {
        "c" => column(|bar| bar.close.into()),
        "h" => column(|bar| bar.high.into()),
        "l" => column(|bar| bar.low.into()),
        "o" => column(|bar| bar.open.into()),
        "s" => "ok",
        "t" => column(|bar| bar.start.into()),
        "v" => column(|bar| bar.volume.into()),
    }))
}

fn article(story: &Story, category: &str) -> Json {
    object! {
        "category" => category,
        "datetime" => story.at,
        "headline" => story.title.as_str(),
        "id" => story.id,
        "image" => "",
        "related" => story.symbols.join(","),
        "source" => story.publisher,
        "summary" => story.summary.as_str(),
        "url" => story.url.as_str(),
    }
}

fn company_news(call: &Call<'_>) -> Result<Reply, Reply> {
    let symbol = required(call, "symbol")?.to_owned();
    let date = |name: &str| {
        let text = required(call, name)?;
        let ns = read_time(text, &TimeZone::UTC).filter(|_| text.len() == 10);
        ns.map(second)
            .ok_or_else(|| refusal(422, "Wrong date format. Please use YYYY-MM-DD"))
    };
    let (from, to) = (date("from")?, date("to")? + 86_400);
    let to = to.min(call.now.as_second() + 1);
    let mut stories = call.market.stories(&[symbol], from, to);
    // The newest comes first.
    stories.reverse();
    let rows = call.rows(stories);
    let rows = rows.iter().map(|story| article(story, "company"));
    Ok(Reply::json(&Json::List(rows.collect())))
}

fn market_news(call: &Call<'_>) -> Result<Reply, Reply> {
    let category = required(call, "category")?;
    let after = call
        .whole("minId", 0)
        .map_err(|_text| refusal(422, "Wrong minId"))?;
    let now = call.now.as_second();
    let mut stories = call
        .market
        .stories(&Market::newsworthy(), now - 3 * 86_400, now + 1);
    stories.retain(|story| {
        story.id > after && (category != "crypto" || story.symbols.iter().any(|s| s.contains('/')))
    });
    stories.reverse();
    stories.truncate(100);
    let rows = call.rows(stories);
    let rows = rows.iter().map(|story| article(story, category));
    Ok(Reply::json(&Json::List(rows.collect())))
}

fn listed(call: &Call<'_>) -> impl Iterator<Item = Listing> {
    Listing::shares()
        .into_iter()
        .filter_map(|symbol| call.stock(symbol))
}

fn search(call: &Call<'_>) -> Result<Reply, Reply> {
    let words = required(call, "q")?.to_lowercase();
    let found = listed(call).filter(|listing| {
        listing.symbol.to_lowercase().contains(&words)
            || listing.name.to_lowercase().contains(&words)
    });
    let rows = found.map(|listing| {
        object! {
            "description" => listing.name.to_uppercase(),
            "displaySymbol" => listing.symbol.as_str(),
            "symbol" => listing.symbol.as_str(),
            "type" => "Common Stock",
        }
    });
    let rows = call.rows(rows.collect());
    Ok(Reply::json(
        &object! { "count" => rows.len(), "result" => rows },
    ))
}

fn symbols(call: &Call<'_>) -> Reply {
    let rows = listed(call).filter(|_| call.get("exchange") == Some("US"));
    let rows = rows.map(|listing| {
        object! {
            "currency" => "USD",
            "description" => listing.name.to_uppercase(),
            "displaySymbol" => listing.symbol.as_str(),
            "mic" => listing.mic,
            "symbol" => listing.symbol.as_str(),
            "type" => "Common Stock",
        }
    });
    let rows = call.rows(rows.collect());
    Reply::json(&Json::List(rows))
}
