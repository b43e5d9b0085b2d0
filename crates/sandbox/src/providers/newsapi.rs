//! News API: articles by words, one page after another by number.
//!
//! What it is strict about: a key, 50 requests in 12 hours and 100 in 24, and for developers articles that
//! are a day to a month old, the first hundred of them. The same story stands under several addresses.
//! Simplified: words are looked for in title and description; all must be there, unless `OR` stands between.

use jiff::tz::TimeZone;

use super::{Handler, Provider};
use crate::call::{Call, Reply};
use crate::limits::{Charge, Limit, Refusal};
use crate::market::news::Story;
use crate::market::{Market, second};
use crate::wire::{Json, object, read_time, utc};

pub(super) struct NewsApi;

const DAY: i64 = 86_400;
/// How many results a developer can have.
const DEVELOPER_RESULTS: i64 = 100;

impl Provider for NewsApi {
    fn name(&self) -> &'static str {
        "newsapi"
    }

    fn limits(&self, is_paid: bool) -> Vec<Limit> {
        if is_paid {
            return vec![Limit::requests("month", 250_000, 30 * DAY)];
        }
        vec![
            Limit::requests("half-day", 50, DAY / 2),
            Limit::requests("day", 100, DAY),
        ]
    }

    fn charge(&self, call: &Call<'_>) -> Result<Charge, Reply> {
        let header = call
            .header("X-Api-Key")
            .or_else(|| call.header("Authorization"));
        match header.or_else(|| call.get("apiKey")) {
            None => Err(error(
                401,
                "apiKeyMissing",
                "Your API key is missing. Append this to the URL with the apiKey param, or use the x-api-key HTTP header.",
            )),
            Some(key) if !call.is_right(key) => Err(error(
                401,
                "apiKeyInvalid",
                "Your API key is invalid or incorrect. Check your key, or go to https://newsapi.org to create a free API key.",
            )),
            Some(key) => Ok(Charge::one(key)),
        }
    }

    fn route(&self, call: &Call<'_>) -> Option<(&'static str, Handler)> {
        Some(match call.pieces().as_slice() {
            ["v2", "everything"] => ("everything", everything),
            ["v2", "top-headlines"] => ("top-headlines", headlines),
            ["v2", "top-headlines", "sources"] => ("sources", |call| Ok(sources(call))),
            _ => return None,
        })
    }

    fn refuse(&self, _call: &Call<'_>, refused: &Refusal) -> Reply {
        let status = if refused.is_ban { 418 } else { 429 };
        let text = "You have made too many requests recently. Developer accounts are limited to 100 requests over a 24 hour period (50 requests available every 12 hours). Please upgrade to a paid plan if you need more requests.";
        error(status, "rateLimited", text)
    }

    fn nothing(&self, _call: &Call<'_>) -> Reply {
        error(
            404,
            "unexpectedError",
            "The endpoint you requested does not exist.",
        )
    }
}

fn error(status: u16, code: &str, message: &str) -> Reply {
    let json = object! { "status" => "error", "code" => code, "message" => message };
    Reply::refusal(status, &json)
}

/// Whether a story has the words: all, or those on one side of an `OR`.
fn has_words(story: &Story, query: &str) -> bool {
    let text = format!("{} {}", story.title, story.summary).to_lowercase();
    query.split(" OR ").any(|side| {
        side.split_whitespace()
            .filter(|word| *word != "AND")
            .all(|word| text.contains(&word.trim_matches(['"', '(', ')', '+']).to_lowercase()))
    })
}

fn everything(call: &Call<'_>) -> Result<Reply, Reply> {
    let missing = ["q", "sources", "domains"]
        .iter()
        .all(|name| call.get(name).is_none());
    if missing {
        return Err(error(
            400,
            "parametersMissing",
            "Required parameters are missing, the scope of your search is too broad. Please set any of the following required parameters and try again: q, qInTitle, sources, domains.",
        ));
    }
    let now = call.now.as_second();
    let time = |name: &str| {
        call.get(name)
            .map(|text| {
                let ns = read_time(text, &TimeZone::UTC);
                ns.map(second).ok_or_else(|| {
                    error(
                        400,
                        "parameterInvalid",
                        &format!(
                            "The {name} parameter must be a date or a date and time in ISO 8601."
                        ),
                    )
                })
            })
            .transpose()
    };
    let newest = if call.is_paid { now } else { now - DAY };
    let oldest = if call.is_paid {
        now - 5 * 365 * DAY
    } else {
        now - 30 * DAY
    };
    let from = time("from")?;
    if from.is_some_and(|from| from < oldest - DAY) {
        let text = format!(
            "You are trying to request results too far in the past. Your plan permits you to request articles as far back as {}, but you have requested an earlier date. You may need to upgrade to a paid plan.",
            utc(oldest, "%Y-%m-%d")
        );
        return Err(error(426, "parameterInvalid", &text));
    }
    let whole_day = |text: &str| if text.len() == 10 { DAY - 1 } else { 0 };
    let to = time("to")?.map(|to| to + call.get("to").map_or(0, whole_day));
    let from = from.unwrap_or(now - 30 * DAY).max(oldest);
    let mut stories = call.market.stories(
        &Market::newsworthy(),
        from,
        to.unwrap_or(newest).min(newest) + 1,
    );
    if let Some(query) = call.get("q") {
        stories.retain(|story| has_words(story, query));
    }
    if let Some(hosts) = call.get("domains") {
        stories.retain(|story| hosts.split(',').any(|host| host.trim() == story.host));
    }
    if let Some(hosts) = call.get("excludeDomains") {
        stories.retain(|story| !hosts.split(',').any(|host| host.trim() == story.host));
    }
    by_source(call, &mut stories)?;
    stories.reverse();
    paged(call, &stories)
}

/// Keeps the sources that are asked for.
fn by_source(call: &Call<'_>, stories: &mut Vec<Story>) -> Result<(), Reply> {
    let Some(sources) = call.get("sources") else {
        return Ok(());
    };
    let asked: Vec<&str> = sources.split(',').map(str::trim).collect();
    if asked.len() > 20 {
        return Err(error(
            400,
            "sourcesTooMany",
            "You can only request up to 20 sources at a time.",
        ));
    }
    stories.retain(|story| asked.contains(&id(story.publisher).as_str()));
    Ok(())
}

/// Returns the id of a publisher: `practice-wire`.
fn id(publisher: &str) -> String {
    publisher.to_lowercase().replace(' ', "-")
}

fn headlines(call: &Call<'_>) -> Result<Reply, Reply> {
    let names = ["q", "sources", "country", "category", "language"];
    if names.iter().all(|name| call.get(name).is_none()) {
        return Err(error(
            400,
            "parametersMissing",
            "Required parameters are missing. Please set any of the following parameters and try again: sources, q, language, country, category.",
        ));
    }
    let now = call.now.as_second();
    let newest = if call.is_paid { now } else { now - DAY };
    let mut stories = call
        .market
        .stories(&Market::newsworthy(), newest - DAY, newest + 1);
    if let Some(query) = call.get("q") {
        stories.retain(|story| has_words(story, query));
    }
    by_source(call, &mut stories)?;
    stories.reverse();
    paged(call, &stories)
}

fn paged(call: &Call<'_>, stories: &[Story]) -> Result<Reply, Reply> {
    let wrong = |name: &str| {
        error(
            400,
            "parameterInvalid",
            &format!("The {name} parameter is not valid."),
        )
    };
    let default = if call.pieces().contains(&"everything") {
        100
    } else {
        20
    };
    let size = call
        .whole("pageSize", default)
        .ok()
        .filter(|size| (1..=100).contains(size));
    let size = size.ok_or_else(|| wrong("pageSize"))?;
    let number = call.whole("page", 1).ok().filter(|page| *page >= 1);
    let number = number.ok_or_else(|| wrong("page"))?;
    if !call.is_paid && number > 1 && (number - 1).saturating_mul(size) >= DEVELOPER_RESULTS {
        let text = format!(
            "You have requested too many results. Developer accounts are limited to a max of 100 results. You are trying to request results {} to {}. Please upgrade to a paid plan if you need more results.",
            (number - 1).saturating_mul(size),
            number.saturating_mul(size)
        );
        return Err(error(426, "maximumResultsReached", &text));
    }
    let at = (number - 1).saturating_mul(size);
    let at = usize::try_from(at).ok().filter(|_| number > 1);
    let page = call.placed(stories, at, usize::try_from(size).unwrap_or(1));
    let rows = page.rows.into_iter().map(|story| {
        let is_known = story.publisher != "Coin Gazette";
        let source = object! {
            "id" => is_known.then(|| id(story.publisher)),
            "name" => story.publisher,
        };
        object! {
            "source" => source,
            "author" => story.author,
            "title" => story.title.as_str(),
            "description" => story.summary.as_str(),
            "url" => story.url.as_str(),
            "urlToImage" => format!("https://{}/images/{}.jpg", story.host, story.id),
            "publishedAt" => utc(story.at, "%Y-%m-%dT%H:%M:%SZ"),
            "content" => format!("{}… [+{} chars]", story.summary, 500 + story.id % 3_000),
        }
    });
    let rows: Vec<Json> = rows.collect();
    Ok(Reply::json(&object! {
        "status" => "ok",
        "totalResults" => stories.len(),
        "articles" => rows,
    }))
}

fn sources(call: &Call<'_>) -> Reply {
    let names = [
        "Practice Wire",
        "Market Lantern",
        "The Daily Ledger",
        "Harbour Times",
        "Street Almanac",
    ];
    let rows = names.map(|name| {
        object! {
            "id" => id(name),
            "name" => name,
            "description" => format!("{name} writes about a made-up market."),
            "url" => format!("https://{}.example", id(name)),
            "category" => "business",
            "language" => "en",
            "country" => "us",
        }
    });
    let rows = call.rows(rows.to_vec());
    Reply::json(&object! { "status" => "ok", "sources" => rows })
}
