//! What an answer says about limits: its class, its counters, its clock and how long it says to wait.
//!
//! Why by the expected data first: providers refuse with status 200, and their wording changes; the
//! catalog's success test decides, and only then its list of refusals. Counters are believed as far as
//! they are confirmed. A header that no catalog names is believed only where one window can be meant.
//! Not here: what is done about it ([`crate::ledger`], [`crate::retry`]).

use jiff::Timestamp;
use tradewind_catalog::plan::{Counts, Says};
use tradewind_catalog::refusal::{FailureClass, Wait};
use tradewind_host::egress::{HeaderMap, Response};

use crate::boundary::SECOND_US;
use crate::call::Facts;
use crate::terms::Terms;
use crate::window::Said;

/// The headers that many servers send without saying so, in the drafts' and in the older spelling.
const USUAL: &[(&str, Says)] = &[
    ("ratelimit-limit", Says::Limit),
    ("ratelimit-remaining", Says::Remaining),
    ("ratelimit-reset", Says::ResetInSeconds),
    ("x-ratelimit-limit", Says::Limit),
    ("x-ratelimit-remaining", Says::Remaining),
    ("x-ratelimit-used", Says::Used),
];

/// Reads what `response` says.
pub(crate) fn facts(terms: &Terms<'_>, response: &Response) -> Facts {
    let status = response.status.as_u16();
    let body = String::from_utf8_lossy(&response.body);
    let class = match terms.endpoint {
        Some(endpoint) => terms.provider.classify(endpoint, status, &body),
        None => by_status(status),
    };
    let date_us = date_us(&response.headers);
    let mut counted = Counted::default();
    for counter in &terms.provider.counters {
        let Some(value) = number(&response.headers, &counter.header) else {
            continue;
        };
        let is_confirmed = terms.provider.basis_of(counter.basis.as_ref()).confirmed;
        let window = match &counter.window {
            Some(id) => terms.windows.iter().find(|(window, _)| window.id == *id),
            None => only_window(terms),
        };
        counted.take(
            counter.says,
            value,
            window.map(|(_, name)| name),
            is_confirmed,
        );
    }
    if terms.provider.counters.iter().all(|c| c.window.is_none())
        && let Some((_, name)) = only_window(terms)
    {
        for (header, says) in USUAL {
            let is_catalogued = terms
                .provider
                .counters
                .iter()
                .any(|counter| counter.header.eq_ignore_ascii_case(header));
            if let Some(value) = number(&response.headers, header).filter(|_| !is_catalogued) {
                counted.take(*says, value, Some(name), false);
            }
        }
        for (says, value) in in_one_line(&response.headers) {
            counted.take(says, value, Some(name), false);
        }
    }
    let wait_us = class
        .filter(|class| {
            matches!(
                class,
                FailureClass::Throttled
                    | FailureClass::QuotaGone
                    | FailureClass::Banned
                    | FailureClass::Outage
            )
        })
        .and_then(|_| wait_us(terms, response, &body, date_us, &counted));
    Facts {
        date_us,
        said: counted.said,
        class,
        wait_us,
    }
}

/// Reads `RateLimit: "name";r=50;t=30` with `RateLimit-Policy: "name";q=100;w=60`
/// (draft-ietf-httpapi-ratelimit-headers-10), and the form of the drafts before the eighth,
/// `RateLimit: limit=100, remaining=50, reset=30`. Where several policies are told, nothing is read: which of
/// them is ours cannot be known.
fn in_one_line(headers: &HeaderMap) -> Vec<(Says, u64)> {
    let mut read = Vec::new();
    for (header, known) in [
        (
            "ratelimit",
            &[("r", Says::Remaining), ("t", Says::ResetInSeconds)][..],
        ),
        ("ratelimit-policy", &[("q", Says::Limit)]),
    ] {
        let Some(line) = text(headers, header) else {
            continue;
        };
        let is_older = line.contains("remaining=");
        let is_several =
            !is_older && line.contains(',') || headers.get_all(header).iter().count() > 1;
        if is_several {
            return Vec::new();
        }
        let older = [
            ("limit", Says::Limit),
            ("remaining", Says::Remaining),
            ("reset", Says::ResetInSeconds),
        ];
        let known = if is_older { &older[..] } else { known };
        for part in line.split([';', ',']) {
            let Some((name, value)) = part.trim().split_once('=') else {
                continue;
            };
            let says = known.iter().find(|(known, _)| *known == name);
            if let (Some((_, says)), Ok(value)) = (says, value.parse()) {
                read.push((*says, value));
            }
        }
    }
    read
}

/// Returns the other side's time of day, unless a cache on the way kept the answer for a while.
pub(crate) fn date_us(headers: &HeaderMap) -> Option<i64> {
    let is_kept = number(headers, "age").is_some_and(|age| age > 0);
    text(headers, "date")
        .filter(|_| !is_kept)
        .and_then(http_date_us)
}

/// What status alone says of a call that the catalog does not describe.
pub(crate) fn by_status(status: u16) -> Option<FailureClass> {
    match status {
        429 => Some(FailureClass::Throttled),
        418 => Some(FailureClass::Banned),
        500.. => Some(FailureClass::Outage),
        _ => None,
    }
}

/// Returns the one window that a nameless counter can be about.
fn only_window<'t>(
    terms: &'t Terms<'_>,
) -> Option<&'t (&'t tradewind_catalog::plan::Window, String)> {
    let mut units = terms
        .windows
        .iter()
        .filter(|(window, _)| window.counts != Counts::UniqueSymbols);
    let first = units.next();
    first.filter(|_| units.next().is_none())
}

#[derive(Debug, Default)]
struct Counted {
    said: Vec<(String, Said)>,
    reset_in_us: Option<i64>,
    reset_at_us: Option<i64>,
}

impl Counted {
    fn take(&mut self, says: Says, value: u64, window: Option<&String>, is_confirmed: bool) {
        let seconds = i64::try_from(value)
            .unwrap_or(i64::MAX)
            .saturating_mul(SECOND_US);
        match says {
            Says::ResetInSeconds => self.reset_in_us = Some(seconds),
            Says::ResetAtEpochSeconds => self.reset_at_us = Some(seconds),
            Says::RetryAfterSeconds | Says::Reset => {}
            Says::Limit | Says::Used | Says::Remaining => {
                let Some(window) = window else {
                    return;
                };
                let index = self.said.iter().position(|(name, _)| name == window);
                let index = index.unwrap_or_else(|| {
                    let said = Said {
                        is_confirmed,
                        ..Said::default()
                    };
                    self.said.push((window.clone(), said));
                    self.said.len() - 1
                });
                let said = &mut self.said[index].1;
                // Two counters of one window are believed as far as the weaker.
                said.is_confirmed &= is_confirmed;
                match says {
                    Says::Limit => said.limit = Some(value),
                    Says::Used => said.used = Some(value),
                    _ => said.remaining = Some(value),
                }
            }
        }
    }
}

fn wait_us(
    terms: &Terms<'_>,
    response: &Response,
    body: &str,
    date_us: Option<i64>,
    counted: &Counted,
) -> Option<i64> {
    let from = |moment: Option<i64>| {
        let wait = moment?.checked_sub(date_us?)?;
        (wait > 0).then_some(wait)
    };
    let refusal = terms.endpoint.and_then(|endpoint| {
        terms
            .provider
            .refusal(endpoint, response.status.as_u16(), body)
    });
    let in_text = match refusal.and_then(|refusal| refusal.wait) {
        Some(Wait::EpochMillisInText) => {
            from(epoch_in(body, 13).map(|ms| ms.saturating_mul(1_000)))
        }
        Some(Wait::EpochSecondsInText) => {
            from(epoch_in(body, 10).map(|s| s.saturating_mul(SECOND_US)))
        }
        Some(Wait::RetryAfter) | None => None,
    };
    let retry_after = || {
        let said = text(&response.headers, "retry-after")?;
        match said.trim().parse::<u32>() {
            Ok(seconds) => Some(i64::from(seconds).saturating_mul(SECOND_US)),
            Err(_) => from(http_date_us(said)),
        }
    };
    in_text
        .or_else(retry_after)
        .or(counted.reset_in_us)
        .or_else(|| from(counted.reset_at_us))
}

/// Returns the first number of exactly so many digits in `text`.
fn epoch_in(text: &str, digits: usize) -> Option<i64> {
    text.split(|c: char| !c.is_ascii_digit())
        .find(|run| run.len() == digits)
        .and_then(|run| run.parse().ok())
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// Returns the number that a header begins with: `100` and also `100, 100;w=60`.
fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    let text = text(headers, name)?.trim();
    let digits = text.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// Reads `Sun, 06 Nov 1994 08:49:37 GMT`, the form of RFC 9110.
fn http_date_us(text: &str) -> Option<i64> {
    let at: Timestamp = jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(text.trim())
        .ok()?;
    Some(at.as_microsecond())
}

#[cfg(test)]
mod tests {
    use tradewind_catalog::Catalog;
    use tradewind_host::egress::{HeaderValue, Method, Request, StatusCode};

    use super::*;
    use crate::config::QuotaSection;

    const NOON: &str = "Mon, 23 Nov 2026 12:00:00 GMT";
    const NOON_US: i64 = 1_795_435_200_000_000;

    fn read(url: &str, status: u16, headers: &[(&'static str, &str)], body: &'static str) -> Facts {
        let request = Request::new(Method::GET, url.parse().unwrap());
        let catalog = Catalog::builtin_shared();
        let terms = Terms::of(catalog, &QuotaSection::default(), &request).unwrap();
        let mut response = Response {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: body.into(),
        };
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).unwrap();
            response.headers.insert(*name, value);
        }
        facts(&terms, &response)
    }

    const KLINES: &str = "https://api.binance.com/api/v3/klines?symbol=BTCUSDT&interval=1m";

    #[test]
    fn a_counter_is_about_its_window_and_the_date_is_theirs() {
        let headers = [("x-mbx-used-weight-1m", "1234"), ("date", NOON)];
        let facts = read(KLINES, 200, &headers, "[]");
        assert_eq!(facts.date_us, Some(NOON_US));
        let (window, said) = &facts.said[0];
        assert_eq!(window, "binance/weight-minute@address");
        assert_eq!(
            (said.used, said.limit, said.remaining),
            (Some(1234), None, None)
        );
        assert_eq!((facts.class, facts.wait_us), (None, None));
    }

    #[test]
    fn an_answer_out_of_a_cache_tells_no_time() {
        let headers = [("date", NOON), ("age", "60")];
        assert_eq!(read(KLINES, 200, &headers, "[]").date_us, None);
        let headers = [("date", NOON), ("age", "0")];
        assert_eq!(read(KLINES, 200, &headers, "[]").date_us, Some(NOON_US));
    }

    #[test]
    fn a_wait_is_read_in_every_form() {
        let wait = |status, headers: &[(&'static str, &str)], body| {
            let facts = read(KLINES, status, headers, body);
            (facts.class, facts.wait_us)
        };
        let throttled = Some(FailureClass::Throttled);
        assert_eq!(
            wait(429, &[("retry-after", "7")], "{}"),
            (throttled, Some(7_000_000))
        );
        let later = [
            ("retry-after", "Mon, 23 Nov 2026 12:00:30 GMT"),
            ("date", NOON),
        ];
        assert_eq!(wait(429, &later, "{}"), (throttled, Some(30_000_000)));
        assert_eq!(wait(429, &[], "{}"), (throttled, None));
        // Until when stands in the text, by their clock.
        let banned = r#"{"code": -1003, "msg": "IP banned until 1795435320000."}"#;
        let until = wait(400, &[("date", NOON)], banned);
        assert_eq!(until, (Some(FailureClass::Banned), Some(120_000_000)));
        // An answer that is good has nothing to wait for.
        assert_eq!(wait(200, &[("retry-after", "7")], "[]"), (None, None));
    }

    #[test]
    fn a_usual_header_is_believed_where_one_window_can_be_meant() {
        let polygon =
            "https://api.polygon.io/v2/aggs/ticker/AAPL/range/1/day/2026-01-02/2026-01-09?apiKey=k";
        let headers = [("x-ratelimit-limit", "5"), ("x-ratelimit-remaining", "3")];
        let facts = read(polygon, 200, &headers, r#"{"results": []}"#);
        let said = facts.said.first().map(|(_, said)| *said).unwrap();
        assert_eq!((said.limit, said.remaining), (Some(5), Some(3)));
        assert!(!said.is_confirmed);
    }

    #[test]
    fn limits_in_one_line_are_read_where_one_policy_is_told() {
        let polygon =
            "https://api.polygon.io/v2/aggs/ticker/AAPL/range/1/day/2026-01-02/2026-01-09?apiKey=k";
        let said = |headers: &[(&'static str, &str)]| {
            let facts = read(polygon, 200, headers, r#"{"results": []}"#);
            let said = facts.said.first().map(|(_, said)| *said);
            said.map(|said| (said.limit, said.remaining))
        };
        let newer = [
            ("ratelimit", "\"minute\";r=3;t=41"),
            ("ratelimit-policy", "\"minute\";q=5;w=60"),
        ];
        assert_eq!(said(&newer), Some((Some(5), Some(3))));
        assert_eq!(said(&newer[..1]), Some((None, Some(3))));
        let older = [("ratelimit", "limit=5, remaining=3, reset=41")];
        assert_eq!(said(&older), Some((Some(5), Some(3))));
        let two = [("ratelimit", "\"minute\";r=3;t=41, \"day\";r=90;t=4000")];
        assert_eq!(said(&two), None);
        assert_eq!(said(&[("ratelimit", "\"x\";r=many")]), None);
    }
}
