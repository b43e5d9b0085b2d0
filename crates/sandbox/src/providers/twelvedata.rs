//! Twelve Data: series of one or several symbols, paid in credits.
//!
//! What it is strict about: eight credits a minute and 800 a day, a credit for each symbol, statements only
//! for who pays. A refused call is counted too. Numbers are text; times are local to the exchange, the newest
//! first. In an answer about several symbols each may fail by itself.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;

use super::{Handler, Provider};
use crate::call::{Call, Reply};
use crate::limits::{Charge, Counts, Limit, Refusal, Usage};
use crate::market::listing::{Kind, Listing};
use crate::market::{Adjust, Anchor, Ask, Bar, Step, Take, second};
use crate::wire::{Json, fixed, object, read_time, written};

pub(super) struct TwelveData;

impl Provider for TwelveData {
    fn name(&self) -> &'static str {
        "twelvedata"
    }

    fn limits(&self, is_paid: bool) -> Vec<Limit> {
        let credits = |id, units, seconds| Limit {
            counts: Counts::WeightOfAll,
            ..Limit::requests(id, units, seconds)
        };
        if is_paid {
            return vec![credits("minute", 610, 60)];
        }
        vec![credits("minute", 8, 60), credits("day", 800, 86_400)]
    }

    fn charge(&self, call: &Call<'_>) -> Result<Charge, Reply> {
        let header = call.header("Authorization");
        let header = header.and_then(|value| value.strip_prefix("apikey "));
        let key = header.or_else(|| call.get("apikey")).unwrap_or_default();
        if !call.is_right(key) {
            let text = "**apikey** parameter is incorrect or not specified. You can get your free API key instantly following this link: https://twelvedata.com/pricing. If you believe that everything is correct, you can contact us at https://twelvedata.com/contact/customer";
            return Err(refusal(401, text));
        }
        let symbols = i64::try_from(symbols(call).len()).unwrap_or(1).max(1);
        let weight = match call.pieces().as_slice() {
            ["income_statement" | "balance_sheet" | "cash_flow"] => 100 * symbols,
            ["stocks" | "symbol_search"] => 1,
            _ => symbols,
        };
        Ok(Charge {
            weight,
            ..Charge::one(key)
        })
    }

    fn route(&self, call: &Call<'_>) -> Option<(&'static str, Handler)> {
        Some(match call.pieces().as_slice() {
            ["time_series"] => ("time-series", |call| each(call, series)),
            ["quote"] => ("quote", |call| each(call, quote)),
            ["price"] => ("price", |call| each(call, price)),
            ["eod"] => ("eod", |call| each(call, eod)),
            ["earliest_timestamp"] => ("earliest-timestamp", |call| each(call, earliest)),
            ["symbol_search"] => ("symbol-search", |call| Ok(stocks(call, true))),
            ["stocks"] => ("stocks", |call| Ok(stocks(call, false))),
            ["income_statement"] => ("income-statement", statement),
            ["balance_sheet"] => ("balance-sheet", statement),
            ["cash_flow"] => ("cash-flow", statement),
            _ => return None,
        })
    }

    fn refuse(&self, _call: &Call<'_>, refused: &Refusal) -> Reply {
        let usage = &refused.usage;
        let units = usage.limit.units;
        let used = usage.used.max(units + 1);
        let text = if usage.limit.id == "day" {
            format!(
                "You have run out of API credits for the day. {used} API credits were used, with the current limit being {units}. Wait for the next day or consider switching to a higher tier plan at https://twelvedata.com/pricing"
            )
        } else {
            format!(
                "You have run out of API credits for the current minute. {used} API credits were used, with the current limit being {units}. Wait for the next minute or consider switching to a higher tier plan at https://twelvedata.com/pricing"
            )
        };
        let reply = refusal(429, &text);
        if refused.is_ban {
            return Reply {
                status: 418,
                ..reply
            };
        }
        reply
    }

    fn has_pages(&self) -> bool {
        false
    }

    fn nothing(&self, _call: &Call<'_>) -> Reply {
        refusal(404, "The requested endpoint was not found")
    }

    fn tell(&self, reply: &mut Reply, usages: &[Usage], _now: Timestamp) {
        if let Some(usage) = usages.first() {
            let left = (usage.limit.units - usage.used).max(0);
            reply
                .headers
                .push(("api-credits-used", usage.used.to_string()));
            reply.headers.push(("api-credits-left", left.to_string()));
        }
    }
}

fn problem(code: i64, message: &str) -> Json {
    object! { "code" => code, "message" => message, "status" => "error" }
}

fn refusal(status: u16, message: &str) -> Reply {
    Reply::refusal(status, &problem(i64::from(status), message))
}

fn symbols(call: &Call<'_>) -> Vec<String> {
    let list = call.get_or("symbol", "");
    let symbols = list.split(',').map(str::trim).filter(|s| !s.is_empty());
    symbols.map(str::to_owned).collect()
}

/// Answers about one symbol, or about several by name.
fn each(
    call: &Call<'_>,
    one: fn(&Call<'_>, &Listing) -> Result<Json, Json>,
) -> Result<Reply, Reply> {
    let symbols = symbols(call);
    let answer = |symbol: &str| match call.market.listing(symbol) {
        Some(listing) if listing.is_crypto() => one(call, &listing.seen_by("twelvedata", 800_000)),
        Some(listing) => one(call, &listing),
        None => Err(problem(
            404,
            &format!(
                "**symbol** not found: {symbol}. Please specify it correctly according to API Documentation."
            ),
        )),
    };
    match symbols.as_slice() {
        [] => Err(refusal(400, "**symbol** parameter is missing.")),
        [symbol] => match answer(symbol) {
            Ok(json) => Ok(Reply::json(&json)),
            Err(json) => Err(Reply::refusal(code(&json), &json)),
        },
        many => {
            let members = many.iter().map(|symbol| {
                let json = answer(symbol).unwrap_or_else(|problem| problem);
                (symbol.clone(), json)
            });
            Ok(Reply::json(&Json::Object(members.collect())))
        }
    }
}

/// Returns the status that stands in a problem.
fn code(json: &Json) -> u16 {
    let Json::Object(members) = json else {
        return 400;
    };
    match members.first() {
        Some((_, Json::Number(code))) => code.parse().unwrap_or(400),
        _ => 400,
    }
}

fn interval(text: &str) -> Option<Step> {
    Some(match text {
        "1min" => Step::Minutes(1),
        "5min" => Step::Minutes(5),
        "15min" => Step::Minutes(15),
        "30min" => Step::Minutes(30),
        "45min" => Step::Minutes(45),
        "1h" => Step::Minutes(60),
        "2h" => Step::Minutes(120),
        "4h" => Step::Minutes(240),
        "8h" => Step::Minutes(480),
        "1day" => Step::Days(1),
        "1week" => Step::Week,
        "1month" => Step::Months(1),
        _ => return None,
    })
}

/// Returns the zone in which times are told and read.
fn zone(call: &Call<'_>, listing: &Listing) -> Result<TimeZone, Json> {
    let own = if listing.is_crypto() {
        TimeZone::UTC
    } else {
        call.market.calendar().zone().clone()
    };
    match call.get_or("timezone", "Exchange") {
        "Exchange" | "exchange" => Ok(own),
        name => TimeZone::get(name).map_err(|_unknown| {
            problem(
                400,
                "Invalid **timezone** provided. Please use Exchange, UTC or an IANA name.",
            )
        }),
    }
}

fn meta(listing: &Listing, interval: &str) -> Json {
    if let Some((base, quote)) = listing.symbol.split_once('/') {
        return object! {
            "symbol" => listing.symbol.as_str(),
            "interval" => interval,
            "currency_base" => base,
            "currency_quote" => quote,
            "exchange" => "Coinbase Pro",
            "type" => "Digital Currency",
        };
    }
    object! {
        "symbol" => listing.symbol.as_str(),
        "interval" => interval,
        "currency" => "USD",
        "exchange_timezone" => "America/New_York",
        "exchange" => exchange(listing),
        "mic_code" => listing.mic,
        "type" => kind(listing),
    }
}

fn exchange(listing: &Listing) -> &'static str {
    match listing.mic {
        "XNAS" => "NASDAQ",
        "ARCX" => "CBOE",
        _ => "NYSE",
    }
}

fn kind(listing: &Listing) -> &'static str {
    match listing.kind {
        Kind::Stock => "Common Stock",
        Kind::Fund => "ETF",
        Kind::Crypto => "Digital Currency",
    }
}

fn series(call: &Call<'_>, listing: &Listing) -> Result<Json, Json> {
    let text = call
        .get("interval")
        .ok_or_else(|| problem(400, "**interval** parameter is missing."))?;
    let step = interval(text).ok_or_else(|| {
        problem(400, &format!("Invalid **interval** provided: {text}. Supported intervals: 1min, 5min, 15min, 30min, 45min, 1h, 2h, 4h, 8h, 1day, 1week, 1month"))
    })?;
    let size = call
        .whole("outputsize", 30)
        .ok()
        .filter(|size| (1..=5_000).contains(size));
    let size = size.ok_or_else(|| {
        problem(
            400,
            "Invalid **outputsize** provided. It must be between 1 and 5000.",
        )
    })?;
    let zone = zone(call, listing)?;
    let time = |name: &str| {
        call.get(name)
            .map(|text| {
                let ns = read_time(text, &zone).map(second);
                ns.ok_or_else(|| problem(400, &format!("Invalid **{name}** provided: {text}.")))
            })
            .transpose()
    };
    let (start, end) = (time("start_date")?, time("end_date")?);
    let adjust = Adjust {
        splits: true,
        dividends: false,
    };
    // With a start, as many rows as fit behind it are told, up to the maximum.
    let size = if start.is_some() && call.get("outputsize").is_none() {
        5_000
    } else {
        size
    };
    let size = usize::try_from(size).unwrap_or(1);
    let mut bars = call.market.bars(&Ask {
        anchor: Anchor::Open,
        from: start.unwrap_or(0),
        to: end.map_or(i64::MAX / 4, |end| end.saturating_add(1)),
        adjust,
        take: Take::Last(size),
        ..Ask::of(listing, step, call.now)
    });
    if bars.is_empty() {
        let text =
            "No data is available on the specified dates. Try setting different start/end dates.";
        return Err(problem(400, text));
    }
    if call.get_or("order", "DESC") != "ASC" && call.get("order") != Some("asc") {
        bars.reverse();
    }
    let digits = call
        .whole("dp", 5)
        .ok()
        .and_then(|dp| u32::try_from(dp).ok())
        .unwrap_or(5)
        .min(11);
    let value = |bar: &Bar| {
        let datetime = match step {
            Step::Minutes(_) | Step::Seconds(_) => written(bar.start, "%Y-%m-%d %H:%M:%S", &zone),
            Step::Days(_) | Step::Week | Step::Months(_) => bar.date.to_string(),
        };
        let json = object! {
            "datetime" => datetime,
            "open" => fixed(bar.open, digits),
            "high" => fixed(bar.high, digits),
            "low" => fixed(bar.low, digits),
            "close" => fixed(bar.close, digits),
        };
        if listing.is_crypto() {
            return json;
        }
        json.with("volume", bar.volume.to_string())
    };
    let values: Vec<Json> = call.rows(bars).iter().map(value).collect();
    Ok(object! { "meta" => meta(listing, text), "values" => values, "status" => "ok" })
}

fn quote(call: &Call<'_>, listing: &Listing) -> Result<Json, Json> {
    let days = call.days(listing, 2);
    let (Some(before), Some(today)) = (days.first(), days.last()) else {
        return Err(problem(404, "Data not found"));
    };
    let change = today.close - before.close;
    let percent = change.checked_div(before.close).unwrap_or_default() * Decimal::ONE_HUNDRED;
    let price = |value: Decimal| fixed(value, 5);
    Ok(object! {
        "symbol" => listing.symbol.as_str(),
        "name" => listing.name.as_str(),
        "exchange" => exchange(listing),
        "mic_code" => listing.mic,
        "currency" => "USD",
        "datetime" => today.date.to_string(),
        "timestamp" => today.opened,
        "open" => price(today.open),
        "high" => price(today.high),
        "low" => price(today.low),
        "close" => price(today.close),
        "volume" => today.volume.to_string(),
        "previous_close" => price(before.close),
        "change" => price(change),
        "percent_change" => price(percent),
        "is_market_open" => today.is_open,
    })
}

fn price(call: &Call<'_>, listing: &Listing) -> Result<Json, Json> {
    let trade = call.market.last_trade(listing, call.now);
    let trade = trade.ok_or_else(|| problem(404, "Data not found"))?;
    Ok(object! { "price" => fixed(trade.price, 5) })
}

fn eod(call: &Call<'_>, listing: &Listing) -> Result<Json, Json> {
    let days = call.days(listing, 2);
    let closed = days.iter().rfind(|bar| !bar.is_open);
    let bar = closed.ok_or_else(|| problem(404, "Data not found"))?;
    Ok(object! {
        "symbol" => listing.symbol.as_str(),
        "exchange" => exchange(listing),
        "currency" => "USD",
        "datetime" => bar.date.to_string(),
        "close" => fixed(bar.close, 5),
    })
}

fn earliest(call: &Call<'_>, listing: &Listing) -> Result<Json, Json> {
    interval(call.get_or("interval", ""))
        .ok_or_else(|| problem(400, "**interval** parameter is missing."))?;
    let midnight = call.market.midnight(listing, listing.listed);
    Ok(object! { "datetime" => listing.listed.to_string(), "unix_time" => midnight })
}

fn stocks(call: &Call<'_>, is_search: bool) -> Reply {
    let words = call.get_or("symbol", "").to_uppercase();
    let found = Listing::shares()
        .into_iter()
        .filter_map(|symbol| call.stock(symbol));
    let found = found.filter(|listing| {
        let is_near =
            listing.symbol.contains(&words) || listing.name.to_uppercase().contains(&words);
        words.is_empty() || listing.symbol == words || (is_search && is_near)
    });
    let rows = found.map(|listing| {
        let (symbol, name) = (listing.symbol.as_str(), listing.name.as_str());
        if is_search {
            return object! {
                "symbol" => symbol,
                "instrument_name" => name,
                "exchange" => exchange(&listing),
                "mic_code" => listing.mic,
                "exchange_timezone" => "America/New_York",
                "instrument_type" => kind(&listing),
                "country" => "United States",
                "currency" => "USD",
            };
        }
        object! {
            "symbol" => symbol,
            "name" => name,
            "currency" => "USD",
            "exchange" => exchange(&listing),
            "mic_code" => listing.mic,
            "country" => "United States",
            "type" => kind(&listing),
        }
    });
    let rows = call.rows(rows.collect());
    Reply::json(&object! { "data" => rows, "status" => "ok" })
}

fn statement(call: &Call<'_>) -> Result<Reply, Reply> {
    let path = call.path.join("/");
    if !call.is_paid {
        let text = format!(
            "/{path} is available exclusively with pro or ultra or enterprise plans. Consider upgrading your API Key now at https://twelvedata.com/pricing"
        );
        return Err(refusal(403, &text));
    }
    // The made-up market has no books.
    Err(refusal(404, "Data not found"))
}
