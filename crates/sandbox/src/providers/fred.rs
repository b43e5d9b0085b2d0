//! FRED: series of an economy, with what was known when.
//!
//! What it is strict about: a key, 120 requests a minute. It answers XML unless `file_type=json` asks for JSON.
//! A missing value is a full stop; values are revised, and `realtime_end` says as of when they are told.
//! Simplified: values come as they are (`units=lin`) and as often as they are.

use jiff::civil::Date;

use super::{Handler, Provider};
use crate::call::{Call, Reply};
use crate::limits::{Charge, Limit, Refusal};
use crate::market::calendar::{later, utc_date};
use crate::market::economy::{Frequency, SERIES, Series};
use crate::wire::{Json, object};

pub(super) struct Fred;

/// Upper bound on the rows of an answer.
const MAX_ROWS: i64 = 100_000;

impl Provider for Fred {
    fn name(&self) -> &'static str {
        "fred"
    }

    fn limits(&self, _is_paid: bool) -> Vec<Limit> {
        vec![Limit::requests("minute", 120, 60)]
    }

    fn charge(&self, call: &Call<'_>) -> Result<Charge, Reply> {
        match call.get("api_key") {
            None => Err(bad(
                call,
                "Variable api_key is not set.  Read https://fred.stlouisfed.org/docs/api/api_key.html for more information.",
            )),
            Some(key) if !call.is_right(key) => Err(bad(
                call,
                "The value for variable api_key is not registered.  Read https://fred.stlouisfed.org/docs/api/api_key.html for more information.",
            )),
            Some(key) => Ok(Charge::one(key)),
        }
    }

    fn route(&self, call: &Call<'_>) -> Option<(&'static str, Handler)> {
        Some(match call.pieces().as_slice() {
            ["fred", "series", "observations"] => ("observations", observations),
            ["fred", "series"] => ("series", one),
            ["fred", "series", "search"] => ("series-search", search),
            ["fred", "series", "vintagedates"] => ("vintage-dates", vintages),
            ["fred", "releases"] => ("releases", |call| Ok(releases(call))),
            _ => return None,
        })
    }

    fn refuse(&self, call: &Call<'_>, refused: &Refusal) -> Reply {
        let status = if refused.is_ban { 418 } else { 429 };
        error(call, status, "Too Many Requests.  Exceeded Rate Limit")
    }

    fn nothing(&self, call: &Call<'_>) -> Reply {
        error(
            call,
            404,
            "Not Found.  The requested service does not exist.",
        )
    }
}

fn is_json(call: &Call<'_>) -> bool {
    call.get("file_type") == Some("json")
}

fn error(call: &Call<'_>, status: u16, text: &str) -> Reply {
    if is_json(call) {
        let json = object! { "error_code" => i64::from(status), "error_message" => text };
        return Reply::refusal(status, &json);
    }
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\" ?>\n<error code=\"{status}\" message=\"{text}\"/>\n"
    );
    Reply::text(status, "text/xml; charset=utf-8", xml)
}

fn bad(call: &Call<'_>, text: &str) -> Reply {
    error(call, 400, &format!("Bad Request.  {text}"))
}

/// Answers an object whose list stands under `name`, as JSON or as XML with elements named `each`.
fn told(call: &Call<'_>, head: Json, name: &str, each: &str, rows: Vec<Json>) -> Reply {
    if is_json(call) {
        return Reply::json(&head.with(name, rows));
    }
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\" ?>\n<{name}{}>\n",
        attributes(&head)
    );
    for row in &rows {
        xml.push_str(&match row {
            Json::Text(text) => format!("  <{each}>{text}</{each}>\n"),
            row => format!("  <{each}{}/>\n", attributes(row)),
        });
    }
    xml.push_str(&format!("</{name}>\n"));
    Reply::text(200, "text/xml; charset=utf-8", xml)
}

fn attributes(json: &Json) -> String {
    let Json::Object(members) = json else {
        return String::new();
    };
    let text = |value: &Json| match value {
        Json::Text(text) => text
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('"', "&quot;"),
        other => other.to_string(),
    };
    let one = |(name, value): &(String, Json)| format!(" {name}=\"{}\"", text(value));
    members.iter().map(one).collect()
}

fn series(call: &Call<'_>) -> Result<Series, Reply> {
    let id = call
        .get("series_id")
        .ok_or_else(|| bad(call, "Variable series_id is not set."))?;
    Series::find(id).ok_or_else(|| bad(call, "The series does not exist."))
}

fn date(call: &Call<'_>, name: &str, default: Date) -> Result<Date, Reply> {
    call.get(name).map_or(Ok(default), |text| {
        text.parse().map_err(|_no_date| {
            bad(
                call,
                &format!("Variable {name} is not a valid date (YYYY-MM-DD)."),
            )
        })
    })
}

fn observations(call: &Call<'_>) -> Result<Reply, Reply> {
    let series = series(call)?;
    let today = utc_date(call.now.as_second());
    let known = date(call, "realtime_end", today)?.min(today);
    let known_from = date(call, "realtime_start", known)?;
    let from = date(call, "observation_start", jiff::civil::date(1776, 7, 4))?;
    let to = date(call, "observation_end", jiff::civil::date(9999, 12, 31))?;
    for (name, only) in [("units", "lin"), ("aggregation_method", "avg")] {
        if call.get(name).is_some_and(|value| value != only) {
            return Err(bad(
                call,
                &format!("Variable {name} is not one of the values: '{only}'."),
            ));
        }
    }
    let whole = |name: &str, default: i64, most: i64| {
        let value = call
            .whole(name, default)
            .ok()
            .filter(|value| (0..=most).contains(value));
        value.ok_or_else(|| {
            bad(
                call,
                &format!("Variable {name} is not between 0 and {most}."),
            )
        })
    };
    let (limit, offset) = (
        whole("limit", MAX_ROWS, MAX_ROWS)?,
        whole("offset", 0, i64::MAX)?,
    );
    let mut all = call.market.observations(&series, from, to, known);
    let sort = call.get_or("sort_order", "asc");
    if sort == "desc" {
        all.reverse();
    }
    let at = usize::try_from(offset).ok().filter(|at| *at > 0);
    let page = call.placed(&all, at, usize::try_from(limit).unwrap_or(0));
    let rows = page.rows.iter().map(|observation| {
        let value = observation
            .value
            .map_or_else(|| ".".to_owned(), |value| value.to_string());
        object! {
            "realtime_start" => known_from.to_string(),
            "realtime_end" => known.to_string(),
            "date" => observation.date.to_string(),
            "value" => value,
        }
    });
    let head = object! {
        "realtime_start" => known_from.to_string(),
        "realtime_end" => known.to_string(),
        "observation_start" => from.to_string(),
        "observation_end" => to.to_string(),
        "units" => "lin",
        "output_type" => 1_i64,
        "file_type" => if is_json(call) { "json" } else { "xml" },
        "order_by" => "observation_date",
        "sort_order" => sort,
        "count" => all.len(),
        "offset" => offset,
        "limit" => limit,
    };
    Ok(told(
        call,
        head,
        "observations",
        "observation",
        rows.collect(),
    ))
}

fn head(call: &Call<'_>) -> Json {
    let today = utc_date(call.now.as_second()).to_string();
    object! { "realtime_start" => today.as_str(), "realtime_end" => today }
}

fn description(call: &Call<'_>, series: &Series) -> Json {
    let today = utc_date(call.now.as_second());
    let (long, short) = match series.frequency {
        Frequency::Daily => ("Daily", "D"),
        Frequency::Monthly => ("Monthly", "M"),
        Frequency::Quarterly => ("Quarterly", "Q"),
    };
    let newest = call
        .market
        .observations(series, later(today, -200), today, today);
    let newest = newest
        .last()
        .map_or(series.since, |observation| observation.date);
    object! {
        "id" => series.id,
        "realtime_start" => today.to_string(),
        "realtime_end" => today.to_string(),
        "title" => series.title,
        "observation_start" => series.since.to_string(),
        "observation_end" => newest.to_string(),
        "frequency" => long,
        "frequency_short" => short,
        "units" => series.units,
    }
}

fn one(call: &Call<'_>) -> Result<Reply, Reply> {
    let series = series(call)?;
    Ok(told(
        call,
        head(call),
        "seriess",
        "series",
        vec![description(call, &series)],
    ))
}

fn search(call: &Call<'_>) -> Result<Reply, Reply> {
    let words = call
        .get("search_text")
        .ok_or_else(|| bad(call, "Variable search_text is not set."))?;
    let words = words.to_lowercase();
    let is_found = |series: &&Series| {
        let text = format!("{} {}", series.id, series.title).to_lowercase();
        words.split_whitespace().all(|word| text.contains(word))
    };
    let rows = SERIES
        .iter()
        .filter(is_found)
        .map(|series| description(call, series));
    let rows = call.rows(rows.collect());
    Ok(told(
        call,
        head(call).with("count", rows.len()),
        "seriess",
        "series",
        rows,
    ))
}

fn vintages(call: &Call<'_>) -> Result<Reply, Reply> {
    let series = series(call)?;
    let today = utc_date(call.now.as_second());
    let all = call
        .market
        .observations(&series, series.since, today, today);
    let mut dates: Vec<Date> = all.iter().map(|observation| observation.known).collect();
    dates.sort_unstable();
    dates.dedup();
    let dates = call.rows(dates);
    let rows: Vec<Json> = dates.iter().map(|date| date.to_string().into()).collect();
    let head = head(call).with("count", rows.len());
    Ok(told(call, head, "vintage_dates", "vintage_date", rows))
}

fn releases(call: &Call<'_>) -> Reply {
    let rows = [
        (10_i64, "Consumer Price Index"),
        (50, "Employment Situation"),
        (53, "Gross Domestic Product"),
    ];
    let rows =
        rows.map(|(id, name)| object! { "id" => id, "name" => name, "press_release" => true });
    let rows = call.rows(rows.to_vec());
    told(
        call,
        head(call).with("count", rows.len()),
        "releases",
        "release",
        rows,
    )
}
