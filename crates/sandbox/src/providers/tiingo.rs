//! Tiingo: day bars raw and adjusted side by side, bars of IEX, crypto, news.
//!
//! What it is strict about: 50 requests an hour, 1 000 a day and 500 different symbols a month. Today's row
//! comes at 17:30 in New York and is corrected until 20:00. Bars within the day have no volume unless `columns`
//! asks for it.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;

use super::{Handler, Provider};
use crate::call::{Call, Reply};
use crate::limits::{Charge, Counts, Limit, Refusal};
use crate::market::calendar::later;
use crate::market::listing::Listing;
use crate::market::{Adjust, Ask, Bar, Market, Step, Take, second};
use crate::wire::{Json, list, object, pointed, read_time, rfc3339, utc};

pub(super) struct Tiingo;

/// What of the market's volume trades on IEX, in ppm.
const IEX_PPM: i64 = 17_800;
const BOTH: Adjust = Adjust {
    splits: true,
    dividends: true,
};

impl Provider for Tiingo {
    fn name(&self) -> &'static str {
        "tiingo"
    }

    fn limits(&self, is_paid: bool) -> Vec<Limit> {
        if is_paid {
            return vec![
                Limit::requests("hour", 10_000, 3_600),
                Limit::requests("day", 100_000, 86_400),
            ];
        }
        vec![
            Limit::requests("hour", 50, 3_600),
            Limit::requests("day", 1_000, 86_400),
            Limit {
                counts: Counts::Symbols,
                ..Limit::requests("symbols", 500, 30 * 86_400)
            },
        ]
    }

    fn charge(&self, call: &Call<'_>) -> Result<Charge, Reply> {
        let header = call.header("Authorization");
        let header = header.and_then(|value| value.strip_prefix("Token "));
        let key = match header.or_else(|| call.get("token")) {
            None => return Err(detail(403, "Please supply a token")),
            Some(key) if !call.is_right(key) => return Err(detail(403, "Invalid token.")),
            Some(key) => key,
        };
        Ok(Charge {
            symbols: symbols(call),
            ..Charge::one(key)
        })
    }

    fn route(&self, call: &Call<'_>) -> Option<(&'static str, Handler)> {
        Some(match call.pieces().as_slice() {
            ["tiingo", "daily", _, "prices"] => ("daily-prices", daily),
            ["tiingo", "daily", _] => ("daily-meta", meta),
            ["iex", _, "prices"] => ("iex-prices", iex),
            ["iex", ""] | ["iex"] => ("iex-quote", |call| Ok(quotes(call))),
            ["iex", _] => ("iex-quote-one", |call| Ok(quotes(call))),
            ["tiingo", "news"] => ("news", news),
            ["tiingo", "crypto", "prices"] => ("crypto-prices", crypto),
            _ => return None,
        })
    }

    fn refuse(&self, _call: &Call<'_>, refused: &Refusal) -> Reply {
        let status = if refused.is_ban { 418 } else { 429 };
        let text = match refused.usage.limit.id {
            "symbols" => {
                "Error: You have run over your 500 symbol look up for this month. Please upgrade at https://api.tiingo.com/pricing to have your limits increased."
            }
            "day" => {
                "Error: You have run over your daily request allocation. Please upgrade at https://api.tiingo.com/pricing to have your limits increased."
            }
            _ => {
                "Error: You have run over your hourly request allocation. Please upgrade at https://api.tiingo.com/pricing to have your limits increased."
            }
        };
        detail(status, text)
    }

    fn nothing(&self, _call: &Call<'_>) -> Reply {
        detail(404, "Not found.")
    }
}

fn detail(status: u16, text: &str) -> Reply {
    Reply::refusal(status, &object! { "detail" => text })
}

/// Returns the symbols that a call is about; each counts once a month.
fn symbols(call: &Call<'_>) -> Vec<String> {
    let list = match call.pieces().as_slice() {
        ["tiingo", "daily", symbol, ..] | ["iex", symbol, ..] if !symbol.is_empty() => {
            (*symbol).to_owned()
        }
        _ => call.get_or("tickers", "").to_owned(),
    };
    let list = list.split(',').map(|symbol| symbol.trim().to_uppercase());
    list.filter(|symbol| !symbol.is_empty()).collect()
}

/// Finds `AAPL` or `BRK-B`, in any case.
fn listing(call: &Call<'_>) -> Result<Listing, Reply> {
    let symbol = symbols(call).first().map(|symbol| symbol.replace('-', "."));
    let listing = call.stock(&symbol.unwrap_or_default());
    listing.ok_or_else(|| detail(404, "Not found."))
}

fn date(call: &Call<'_>, name: &str) -> Result<Option<Date>, Reply> {
    call.get(name)
        .map(|text| {
            let day: Option<Date> = text.get(..10).and_then(|day| day.parse().ok());
            day.ok_or_else(|| detail(400, &format!("Error: {name} must be YYYY-MM-DD")))
        })
        .transpose()
}

/// Returns the newest day with a row: today's comes at 17:30.
fn newest(call: &Call<'_>, listing: &Listing) -> Date {
    let now = call.now.as_second();
    let today = call.market.date(listing, now);
    let is_out = now >= call.market.midnight(listing, today) + 17 * 3_600 + 1_800;
    if is_out { today } else { later(today, -1) }
}

/// A row: as traded and adjusted. A week or a month is named by its last day with a row.
fn row(call: &Call<'_>, listing: &Listing, raw: &Bar, adjusted: &Bar) -> (Date, Json, String) {
    let date = call.market.date(listing, raw.end - 1);
    // Before 20:00 some trades are still to come in.
    let settled = call.market.midnight(listing, date) + 20 * 3_600;
    let is_late = call.now.as_second() < settled;
    let volume = |volume: Decimal| {
        if is_late {
            (volume * Decimal::new(98, 2)).trunc()
        } else {
            volume
        }
    };
    let on = |date: Date| {
        let dividends = call.market.dividends(listing, date, later(date, 1));
        dividends
            .first()
            .map_or(Decimal::ZERO, |dividend| dividend.cash)
    };
    let split = listing.splits.iter().find(|split| split.on == date);
    let split = split.map_or(Decimal::ONE, |s| {
        Decimal::from(s.to) / Decimal::from(s.from)
    });
    let values = [
        ("close", raw.close.into()),
        ("high", raw.high.into()),
        ("low", raw.low.into()),
        ("open", raw.open.into()),
        ("volume", volume(raw.volume).into()),
        ("adjClose", adjusted.close.into()),
        ("adjHigh", adjusted.high.into()),
        ("adjLow", adjusted.low.into()),
        ("adjOpen", adjusted.open.into()),
        ("adjVolume", volume(adjusted.volume).trunc().into()),
        ("divCash", pointed(on(date))),
        ("splitFactor", pointed(split)),
    ];
    let csv: Vec<String> = values
        .iter()
        .map(|(_, value): &(_, Json)| value.to_string())
        .collect();
    let mut json = object! { "date" => format!("{date}T00:00:00.000Z") };
    for (name, value) in values {
        json = json.with(name, value);
    }
    (date, json, format!("{date},{}", csv.join(",")))
}

fn daily(call: &Call<'_>) -> Result<Reply, Reply> {
    let listing = listing(call)?;
    let newest = newest(call, &listing);
    let step = match call.get_or("resampleFreq", "daily") {
        "daily" => Step::Days(1),
        "weekly" => Step::Week,
        "monthly" => Step::Months(1),
        "annually" => Step::Months(12),
        _ => {
            return Err(detail(
                400,
                "Error: resampleFreq must be daily, weekly, monthly or annually",
            ));
        }
    };
    let (start, end) = (date(call, "startDate")?, date(call, "endDate")?);
    let end = end.unwrap_or(newest).min(newest);
    let midnight = |date: Date| call.market.midnight(&listing, date);
    // Without a start, only the newest row comes.
    let (from, take) = match start {
        Some(start) => (midnight(start), Take::First(usize::MAX)),
        None => (0, Take::Last(1)),
    };
    let bars = |adjust: Adjust| {
        call.market.bars(&Ask {
            from,
            to: midnight(later(end, 1)),
            adjust,
            take,
            ..Ask::of(&listing, step, call.now)
        })
    };
    let raw = bars(Adjust::default());
    let adjusted = bars(BOTH);
    let rows = raw.iter().zip(&adjusted);
    let rows = rows.map(|(raw, adjusted)| row(call, &listing, raw, adjusted));
    let rows = call.rows(rows.collect());
    if call.get("format") == Some("csv") {
        let head = "date,close,high,low,open,volume,adjClose,adjHigh,adjLow,adjOpen,adjVolume,divCash,splitFactor\n";
        let lines = rows.into_iter().map(|(_, _, line)| line + "\n");
        return Ok(Reply::text(
            200,
            "text/csv",
            head.to_owned() + &lines.collect::<String>(),
        ));
    }
    Ok(Reply::json(&Json::List(
        rows.into_iter().map(|(_, json, _)| json).collect(),
    )))
}

fn meta(call: &Call<'_>) -> Result<Reply, Reply> {
    let listing = listing(call)?;
    let exchange = match listing.mic {
        "XNAS" => "NASDAQ",
        "ARCX" => "NYSE ARCA",
        _ => "NYSE",
    };
    Ok(Reply::json(&object! {
        "ticker" => listing.symbol.as_str(),
        "name" => listing.name.as_str(),
        "description" => format!("{} is part of a made-up market.", listing.name),
        "startDate" => listing.listed.to_string(),
        "endDate" => newest(call, &listing).to_string(),
        "exchangeCode" => exchange,
    }))
}

/// Reads `5min`, `1hour` and `1day`.
fn frequency(text: &str) -> Option<Step> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (count, unit) = text.split_at(digits);
    let count: i64 = count
        .parse()
        .ok()
        .filter(|count| (1..=720).contains(count))?;
    match unit.to_lowercase().as_str() {
        "min" => Some(Step::Minutes(count)),
        "hour" => Some(Step::Minutes(count * 60)),
        "day" => Some(Step::Days(count)),
        _ => None,
    }
}

fn wrong_frequency() -> Reply {
    detail(
        400,
        "Error: resampleFreq must be in the form of 5min, 1hour or 1day",
    )
}

fn stamp(second: i64) -> String {
    utc(second, "%Y-%m-%dT%H:%M:%S.000Z")
}

fn iex(call: &Call<'_>) -> Result<Reply, Reply> {
    let listing = listing(call)?.seen_by("iex", IEX_PPM);
    let step = frequency(call.get_or("resampleFreq", "5min")).ok_or_else(wrong_frequency)?;
    let today = call.market.date(&listing, call.now.as_second());
    let start = date(call, "startDate")?.unwrap_or(today);
    let end = date(call, "endDate")?.unwrap_or(today);
    let bars = call.market.bars(&Ask {
        from: call.market.midnight(&listing, start),
        to: call.market.midnight(&listing, later(end, 1)),
        ..Ask::of(&listing, step, call.now)
    });
    let columns = call.get_or("columns", "open,high,low,close");
    let row = |bar: &Bar| {
        let mut json = object! { "date" => stamp(bar.start) };
        for name in ["open", "high", "low", "close", "volume"] {
            if columns.split(',').any(|column| column.trim() == name) {
                let value = match name {
                    "open" => bar.open,
                    "high" => bar.high,
                    "low" => bar.low,
                    "close" => bar.close,
                    _ => bar.volume,
                };
                json = json.with(name, value);
            }
        }
        json
    };
    let rows = call.rows(bars);
    Ok(Reply::json(&Json::List(rows.iter().map(row).collect())))
}

fn quotes(call: &Call<'_>) -> Reply {
    let rows = symbols(call).into_iter().filter_map(|symbol| {
        let listing = call
            .stock(&symbol.replace('-', "."))?
            .seen_by("iex", IEX_PPM);
        let days = call.days(&listing, 2);
        let trade = call.market.last_trade(&listing, call.now)?;
        let quote = call.market.quote(&listing, &trade);
        let (before, today) = (days.first()?, days.last()?);
        Some(object! {
            "ticker" => symbol,
            "timestamp" => rfc3339(trade.at_ns),
            "lastSaleTimestamp" => rfc3339(trade.at_ns),
            "quoteTimestamp" => rfc3339(quote.at_ns),
            "open" => today.open,
            "high" => today.high,
            "low" => today.low,
            "mid" => (quote.bid + quote.ask) / Decimal::TWO,
            "tngoLast" => trade.price,
            "last" => trade.price,
            "lastSize" => trade.size,
            "bidSize" => quote.bid_size,
            "bidPrice" => quote.bid,
            "askPrice" => quote.ask,
            "askSize" => quote.ask_size,
            "volume" => today.volume,
            "prevClose" => before.close,
        })
    });
    let rows = call.rows(rows.collect());
    Reply::json(&Json::List(rows))
}

fn news(call: &Call<'_>) -> Result<Reply, Reply> {
    let day = |name: &str| {
        date(call, name).map(|date| {
            date.map(|date| read_time(&date.to_string(), &TimeZone::UTC).map_or(0, second))
        })
    };
    let now = call.now.as_second();
    let to = day("endDate")?.map_or(now + 1, |end| (end + 86_400).min(now + 1));
    let from = day("startDate")?.unwrap_or(to - 7 * 86_400);
    let limit = call.whole("limit", 100).unwrap_or(100).clamp(1, 1_000);
    let offset = call.whole("offset", 0).unwrap_or(0).max(0);
    let asked = symbols(call);
    let asked = if asked.is_empty() {
        Market::newsworthy()
    } else {
        asked
    };
    let mut stories = call.market.stories(&asked, from, to);
    if let Some(source) = call.get("source") {
        stories.retain(|story| source.split(',').any(|host| host == story.host));
    }
    stories.reverse();
    let at = usize::try_from(offset).ok().filter(|at| *at > 0);
    let page = call.placed(&stories, at, usize::try_from(limit).unwrap_or(1));
    let rows = page.rows.into_iter().map(|story| {
        let symbols = story
            .symbols
            .iter()
            .map(|symbol| symbol.to_lowercase().replace('/', ""));
        object! {
            "publishedDate" => utc(story.at, "%Y-%m-%dT%H:%M:%SZ"),
            "title" => story.title.as_str(),
            "url" => story.url.as_str(),
            "description" => story.summary.as_str(),
            "source" => story.host,
            "tickers" => symbols.map(Json::from).collect::<Vec<_>>(),
            "tags" => list!["Stock", "Practice"],
            "crawlDate" => utc(story.at + 95, "%Y-%m-%dT%H:%M:%S.073309+00:00"),
            "id" => story.id,
        }
    });
    Ok(Reply::json(&Json::List(rows.collect())))
}

fn crypto(call: &Call<'_>) -> Result<Reply, Reply> {
    let step = frequency(call.get_or("resampleFreq", "1day")).ok_or_else(wrong_frequency)?;
    let time = |name: &str| {
        let read = |text: &str| read_time(text, &TimeZone::UTC).map(second);
        let wrong = || detail(400, &format!("Error: {name} must be YYYY-MM-DD"));
        call.get(name)
            .map(|text| read(text).ok_or_else(wrong))
            .transpose()
    };
    let now = call.now.as_second();
    let end = time("endDate")?.map_or(now, |end| end + 86_399);
    let start = time("startDate")?.unwrap_or(now - 86_400);
    let mut answers = Vec::new();
    for ticker in symbols(call) {
        let pair = Listing::pairs().find(|(asset, money)| ticker == format!("{asset}{money}"));
        let Some((asset, money)) = pair else { continue };
        let Some(listing) = call.market.listing(&format!("{asset}/{money}")) else {
            continue;
        };
        let listing = listing.seen_by("tiingo", 1_300_000);
        let bars = call.market.bars(&Ask {
            from: start,
            to: end + 1,
            ..Ask::of(&listing, step, call.now)
        });
        let rows = call.rows(bars);
        let rows = rows.iter().map(|bar| {
            object! {
                "volume" => bar.volume,
                "date" => utc(bar.start, "%Y-%m-%dT%H:%M:%S+00:00"),
                "volumeNotional" => bar.notional,
                "close" => bar.close,
                "open" => bar.open,
                "low" => bar.low,
                "tradesDone" => bar.trades,
                "high" => bar.high,
            }
        });
        answers.push(object! {
            "ticker" => ticker.to_lowercase(),
            "baseCurrency" => asset.to_lowercase(),
            "quoteCurrency" => money.to_lowercase(),
            "priceData" => rows.collect::<Vec<_>>(),
        });
    }
    Ok(Reply::json(&Json::List(answers)))
}
