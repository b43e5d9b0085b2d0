//! Alpha Vantage: one path, `function` says what, every refusal has status 200.
//!
//! What it is strict about: 25 requests a day and one a second; long series and adjusted days for who pays.
//! Rows are the members of an object keyed by local time, the newest first; numbers are text. With
//! `datatype=csv` a refusal is JSON all the same.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;

use super::{Handler, Provider};
use crate::call::{Call, Reply};
use crate::limits::{Charge, Limit, Refusal};
use crate::market::listing::Listing;
use crate::market::{Adjust, Ask, Bar, Market, Step, Take};
use crate::wire::{Json, fixed, list, object, utc, written};

pub(super) struct AlphaVantage;

const PREMIUM: &str = "Thank you for using Alpha Vantage! This is a premium endpoint. You may subscribe to any of the premium plans at https://www.alphavantage.co/premium/ to instantly unlock all premium endpoints";
/// Rows of an answer that is compact.
const COMPACT: usize = 100;

impl Provider for AlphaVantage {
    fn name(&self) -> &'static str {
        "alphavantage"
    }

    fn limits(&self, is_paid: bool) -> Vec<Limit> {
        if is_paid {
            return vec![Limit::requests("minute", 75, 60)];
        }
        vec![
            Limit::requests("day", 25, 86_400),
            Limit::requests("second", 1, 1),
        ]
    }

    fn has_pages(&self) -> bool {
        false
    }

    fn charge(&self, call: &Call<'_>) -> Result<Charge, Reply> {
        let key = call.get_or("apikey", "");
        if !call.is_right(key) {
            return Err(told(
                "Error Message",
                "the parameter apikey is invalid or missing. Please claim your free API key on (https://www.alphavantage.co/support/#api-key). It should take less than 20 seconds.",
            ));
        }
        Ok(Charge::one(key))
    }

    fn route(&self, call: &Call<'_>) -> Option<(&'static str, Handler)> {
        if call.pieces() != ["query"] {
            return None;
        }
        Some(match call.get_or("function", "") {
            "TIME_SERIES_INTRADAY" => ("intraday", intraday),
            "TIME_SERIES_DAILY" => ("daily", |call| slow(call, &DAILY)),
            "TIME_SERIES_DAILY_ADJUSTED" => ("daily-adjusted", |call| slow(call, &DAILY_ADJUSTED)),
            "TIME_SERIES_WEEKLY" => ("weekly", |call| slow(call, &WEEKLY)),
            "TIME_SERIES_WEEKLY_ADJUSTED" => {
                ("weekly-adjusted", |call| slow(call, &WEEKLY_ADJUSTED))
            }
            "TIME_SERIES_MONTHLY" => ("monthly", |call| slow(call, &MONTHLY)),
            "TIME_SERIES_MONTHLY_ADJUSTED" => {
                ("monthly-adjusted", |call| slow(call, &MONTHLY_ADJUSTED))
            }
            "GLOBAL_QUOTE" => ("quote", quote),
            "SYMBOL_SEARCH" => ("search", search),
            "NEWS_SENTIMENT" => ("news", news),
            _ => return None,
        })
    }

    fn refuse(&self, call: &Call<'_>, refused: &Refusal) -> Reply {
        let text = match refused.usage.limit.id {
            "second" => "Thank you for using Alpha Vantage! Please consider spreading out your free API requests more sparingly (1 request per second). You may subscribe to any of the premium plans at https://www.alphavantage.co/premium/ to lift the free key rate limit (25 requests per day), raise the per-second burst limit, and instantly unlock all premium endpoints".to_owned(),
            "day" => format!("We have detected your API key as {} and our standard API rate limit is {} requests per day. Please subscribe to any of the premium plans at https://www.alphavantage.co/premium/ to instantly remove all daily rate limits.", call.get_or("apikey", ""), refused.usage.limit.units),
            _ => format!("Thank you for using Alpha Vantage! Our standard API call frequency is {} calls per minute.", refused.usage.limit.units),
        };
        told("Information", &text)
    }

    fn nothing(&self, call: &Call<'_>) -> Reply {
        let function = call.get_or("function", "");
        told(
            "Error Message",
            &format!("This API function ({function}) does not exist."),
        )
    }
}

/// Answers a single text, with status 200 as always.
fn told(key: &str, text: &str) -> Reply {
    Reply::json(&object! { key => text })
}

fn invalid(call: &Call<'_>) -> Reply {
    let function = call.get_or("function", "");
    told(
        "Error Message",
        &format!(
            "Invalid API call. Please retry or visit the documentation (https://www.alphavantage.co/documentation/) for {function}."
        ),
    )
}

fn listing(call: &Call<'_>) -> Result<Listing, Reply> {
    call.stock(call.get_or("symbol", ""))
        .ok_or_else(|| invalid(call))
}

fn price(value: Decimal) -> String {
    fixed(value, 4)
}

/// Answers rows as members of an object, or as lines.
fn rows(call: &Call<'_>, meta: Json, key: &str, rows: Vec<(String, Json)>) -> Reply {
    let rows = call.rows(rows);
    if call.get("datatype") != Some("csv") {
        return Reply::json(&object! { "Meta Data" => meta, key => Json::Object(rows) });
    }
    let cells = |row: &Json| match row {
        Json::Object(members) => members.clone(),
        _ => Vec::new(),
    };
    let mut text = "timestamp".to_owned();
    for (name, _) in rows.first().map(|row| cells(&row.1)).unwrap_or_default() {
        let name = name
            .split_once(". ")
            .map_or(name.as_str(), |(_, name)| name);
        text.push_str(&format!(",{}", name.replace(' ', "_")));
    }
    text.push_str("\r\n");
    for (time, row) in &rows {
        text.push_str(time);
        for (_, value) in cells(row) {
            text.push_str(&format!(",{}", value.to_string().trim_matches('"')));
        }
        text.push_str("\r\n");
    }
    Reply::text(200, "application/x-download", text)
}

fn plain(bar: &Bar) -> Json {
    object! {
        "1. open" => price(bar.open),
        "2. high" => price(bar.high),
        "3. low" => price(bar.low),
        "4. close" => price(bar.close),
        "5. volume" => bar.volume.trunc().to_string(),
    }
}

fn intraday(call: &Call<'_>) -> Result<Reply, Reply> {
    let listing = listing(call)?;
    let text = call.get_or("interval", "");
    let minutes = text
        .strip_suffix("min")
        .and_then(|count| count.parse().ok());
    let minutes = minutes.filter(|minutes| [1, 5, 15, 30, 60].contains(minutes));
    let minutes: i64 = minutes.ok_or_else(|| invalid(call))?;
    let zone = call.market.calendar().zone();
    let is_full = call.get("outputsize") == Some("full");
    let month = |text: &str| {
        let first: Date = format!("{text}-01")
            .parse()
            .map_err(|_no_month| invalid(call))?;
        let next = first
            .checked_add(jiff::Span::new().months(1))
            .unwrap_or(first);
        Ok::<_, Reply>((
            call.market.midnight(&listing, first),
            call.market.midnight(&listing, next),
        ))
    };
    let now = call.now.as_second();
    let span = call.get("month").map(month).transpose()?;
    let (from, to) = span.unwrap_or((now - 30 * 86_400, now + 1));
    let is_adjusted = call.get_or("adjusted", "true") != "false";
    let mut bars = call.market.bars(&Ask {
        from,
        to,
        adjust: Adjust {
            splits: is_adjusted,
            dividends: is_adjusted,
        },
        take: if is_full {
            Take::First(usize::MAX)
        } else {
            Take::Last(COMPACT)
        },
        ..Ask::of(&listing, Step::Minutes(minutes), call.now)
    });
    bars.reverse();
    let time = |second: i64| written(second, "%Y-%m-%d %H:%M:%S", zone);
    let meta = object! {
        "1. Information" => format!("Intraday ({text}) open, high, low, close prices and volume"),
        "2. Symbol" => listing.symbol.as_str(),
        "3. Last Refreshed" => bars.first().map_or_else(String::new, |bar| time(bar.start)),
        "4. Interval" => text,
        "5. Output Size" => if is_full { "Full size" } else { "Compact" },
        "6. Time Zone" => "US/Eastern",
    };
    let all = bars.iter().map(|bar| (time(bar.start), plain(bar)));
    Ok(rows(
        call,
        meta,
        &format!("Time Series ({text})"),
        all.collect(),
    ))
}

/// A series of days or longer.
struct Slow {
    information: &'static str,
    key: &'static str,
    step: Step,
    is_adjusted: bool,
}

const DAILY: Slow = Slow {
    information: "Daily Prices (open, high, low, close) and Volumes",
    key: "Time Series (Daily)",
    step: Step::Days(1),
    is_adjusted: false,
};
const DAILY_ADJUSTED: Slow = Slow {
    information: "Daily Time Series with Splits and Dividend Events",
    is_adjusted: true,
    ..DAILY
};
const WEEKLY: Slow = Slow {
    information: "Weekly Prices (open, high, low, close) and Volumes",
    key: "Weekly Time Series",
    step: Step::Week,
    is_adjusted: false,
};
const WEEKLY_ADJUSTED: Slow = Slow {
    information: "Weekly Adjusted Prices and Volumes",
    key: "Weekly Adjusted Time Series",
    is_adjusted: true,
    ..WEEKLY
};
const MONTHLY: Slow = Slow {
    information: "Monthly Prices (open, high, low, close) and Volumes",
    key: "Monthly Time Series",
    step: Step::Months(1),
    is_adjusted: false,
};
const MONTHLY_ADJUSTED: Slow = Slow {
    information: "Monthly Adjusted Prices and Volumes",
    key: "Monthly Adjusted Time Series",
    is_adjusted: true,
    ..MONTHLY
};

fn slow(call: &Call<'_>, kind: &Slow) -> Result<Reply, Reply> {
    let listing = listing(call)?;
    let is_daily = kind.step == Step::Days(1);
    let is_full = !is_daily || call.get("outputsize") == Some("full");
    if !call.is_paid && is_daily && (is_full || kind.is_adjusted) {
        return Err(told("Information", PREMIUM));
    }
    let bars = |adjust: Adjust| {
        let take = if is_full {
            Take::First(usize::MAX)
        } else {
            Take::Last(COMPACT)
        };
        let ask = Ask {
            adjust,
            take,
            ..Ask::of(&listing, kind.step, call.now)
        };
        let mut bars = call.market.bars(&ask);
        bars.reverse();
        bars
    };
    // The last day of trading names a week or a month.
    let date = |bar: &Bar| {
        call.market
            .date(&listing, bar.end.min(call.now.as_second()) - 1)
    };
    let raw = bars(Adjust::default());
    let all: Vec<(String, Json)> = if kind.is_adjusted {
        let both = Adjust {
            splits: true,
            dividends: true,
        };
        let adjusted = bars(both);
        let pairs = raw.iter().zip(&adjusted);
        pairs
            .map(|(raw, adjusted)| {
                (
                    date(raw).to_string(),
                    with_events(call, &listing, raw, adjusted, is_daily),
                )
            })
            .collect()
    } else {
        raw.iter()
            .map(|bar| (date(bar).to_string(), plain(bar)))
            .collect()
    };
    let refreshed = raw
        .first()
        .map_or_else(String::new, |bar| date(bar).to_string());
    let mut meta = object! {
        "1. Information" => kind.information,
        "2. Symbol" => listing.symbol.as_str(),
        "3. Last Refreshed" => refreshed,
    };
    meta = if is_daily {
        meta.with(
            "4. Output Size",
            if is_full { "Full size" } else { "Compact" },
        )
        .with("5. Time Zone", "US/Eastern")
    } else {
        meta.with("4. Time Zone", "US/Eastern")
    };
    Ok(rows(call, meta, kind.key, all))
}

/// A row with what was paid and split in it; the volume is the sixth member here.
fn with_events(
    call: &Call<'_>,
    listing: &Listing,
    raw: &Bar,
    adjusted: &Bar,
    is_daily: bool,
) -> Json {
    let end = call.market.date(listing, raw.end);
    let until = if end > raw.date {
        end
    } else {
        raw.date.tomorrow().unwrap_or(end)
    };
    let paid = call.market.dividends(listing, raw.date, until);
    let paid: Decimal = paid.iter().map(|dividend| dividend.cash).sum();
    let json = object! {
        "1. open" => price(raw.open),
        "2. high" => price(raw.high),
        "3. low" => price(raw.low),
        "4. close" => price(raw.close),
        "5. adjusted close" => price(adjusted.close),
        "6. volume" => raw.volume.trunc().to_string(),
        "7. dividend amount" => price(paid),
    };
    if !is_daily {
        return json;
    }
    let split = listing.splits.iter().find(|split| split.on == raw.date);
    let split = split.map_or(Decimal::ONE, |s| {
        Decimal::from(s.to) / Decimal::from(s.from)
    });
    json.with("8. split coefficient", fixed(split, 1))
}

fn quote(call: &Call<'_>) -> Result<Reply, Reply> {
    call.get("symbol").ok_or_else(|| invalid(call))?;
    let Ok(listing) = listing(call) else {
        return Ok(Reply::json(&object! { "Global Quote" => object! {} }));
    };
    let days = call.rows(call.days(&listing, 2));
    let (Some(before), Some(today)) = (days.first(), days.last()) else {
        return Ok(Reply::json(&object! { "Global Quote" => object! {} }));
    };
    let change = today.close - before.close;
    let percent = change.checked_div(before.close).unwrap_or_default() * Decimal::ONE_HUNDRED;
    let quote = object! {
        "01. symbol" => listing.symbol.as_str(),
        "02. open" => price(today.open),
        "03. high" => price(today.high),
        "04. low" => price(today.low),
        "05. price" => price(today.close),
        "06. volume" => today.volume.to_string(),
        "07. latest trading day" => today.date.to_string(),
        "08. previous close" => price(before.close),
        "09. change" => price(change),
        "10. change percent" => format!("{}%", fixed(percent, 4)),
    };
    Ok(Reply::json(&object! { "Global Quote" => quote }))
}

fn search(call: &Call<'_>) -> Result<Reply, Reply> {
    let words = call
        .get("keywords")
        .ok_or_else(|| invalid(call))?
        .to_lowercase();
    let found = Listing::shares()
        .into_iter()
        .filter_map(|symbol| call.stock(symbol));
    let mut found: Vec<(i64, Listing)> = found
        .filter_map(|listing| {
            let symbol = listing.symbol.to_lowercase();
            let score = if symbol == words {
                10_000
            } else if symbol.starts_with(&words) {
                8_000
            } else if listing.name.to_lowercase().contains(&words) {
                6_667
            } else {
                return None;
            };
            Some((score, listing))
        })
        .collect();
    found.sort_by_key(|(score, _)| -score);
    let matches = call.rows(found).into_iter().map(|(score, listing)| {
        object! {
            "1. symbol" => listing.symbol.as_str(),
            "2. name" => listing.name.as_str(),
            "3. type" => "Equity",
            "4. region" => "United States",
            "5. marketOpen" => "09:30",
            "6. marketClose" => "16:00",
            "7. timezone" => "UTC-04",
            "8. currency" => "USD",
            "9. matchScore" => fixed(Decimal::new(score, 4), 4),
        }
    });
    let matches: Vec<Json> = matches.collect();
    Ok(Reply::json(&object! { "bestMatches" => matches }))
}

fn news(call: &Call<'_>) -> Result<Reply, Reply> {
    let time = |name: &str| {
        call.get(name)
            .map(|text| {
                let civil = jiff::civil::DateTime::strptime("%Y%m%dT%H%M", text);
                let zoned = civil.and_then(|civil| civil.to_zoned(TimeZone::UTC));
                zoned
                    .map(|at| at.timestamp().as_second())
                    .map_err(|_no_time| invalid(call))
            })
            .transpose()
    };
    let now = call.now.as_second();
    let to = time("time_to")?.map_or(now, |to| to.min(now));
    let from = time("time_from")?.unwrap_or(to - 7 * 86_400);
    let limit = call.whole("limit", 50).unwrap_or(50).clamp(1, 1_000);
    let asked: Vec<String> = call
        .get_or("tickers", "")
        .split(',')
        .filter(|t| !t.is_empty())
        .map(str::to_owned)
        .collect();
    let asked = if asked.is_empty() {
        Market::newsworthy()
    } else {
        asked
    };
    let mut stories = call.market.stories(&asked, from, to + 1);
    stories.reverse();
    stories.truncate(usize::try_from(limit).unwrap_or(50));
    let feed = call.rows(stories).into_iter().map(|story| {
        let score = Decimal::new(story.id % 700 - 350, 3);
        let label = if score > Decimal::new(15, 2) {
            "Somewhat-Bullish"
        } else if score < Decimal::new(-15, 2) {
            "Somewhat-Bearish"
        } else {
            "Neutral"
        };
        let about = story.symbols.iter().map(|symbol| {
            object! {
                "ticker" => symbol.as_str(),
                "relevance_score" => "0.812345",
                "ticker_sentiment_score" => fixed(score, 6),
                "ticker_sentiment_label" => label,
            }
        });
        let about: Vec<Json> = about.collect();
        object! {
            "title" => story.title.as_str(),
            "url" => story.url.as_str(),
            "time_published" => utc(story.at, "%Y%m%dT%H%M%S"),
            "authors" => list![story.author],
            "summary" => story.summary.as_str(),
            "banner_image" => Json::Null,
            "source" => story.publisher,
            "category_within_source" => "n/a",
            "source_domain" => story.host,
            "topics" => list![object! { "topic" => "Earnings", "relevance_score" => "0.5" }],
            "overall_sentiment_score" => score,
            "overall_sentiment_label" => label,
            "ticker_sentiment" => about,
        }
    });
    let feed: Vec<Json> = feed.collect();
    Ok(Reply::json(&object! {
        "items" => feed.len().to_string(),
        "sentiment_score_definition" => "x <= -0.35: Bearish; -0.35 < x <= -0.15: Somewhat-Bearish; -0.15 < x < 0.15: Neutral; 0.15 <= x < 0.35: Somewhat_Bullish; x >= 0.35: Bullish",
        "relevance_score_definition" => "0 < x <= 1, with a higher score indicating higher relevance.",
        "feed" => feed,
    }))
}
