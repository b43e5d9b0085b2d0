//! How old an answer is, how long it is good, and what that means for a question (RFC 9111 §4.2, RFC 5861).
//!
//! Ages and lifetimes are whole seconds. Whoever is in doubt is stale: an answer whose age has reached its lifetime,
//! one that would be good until a date that cannot be read, one with two of them.
//! Not here: what is asked of the origin then ([`super::validate`]).

use jiff::Timestamp;
use tradewind_host::egress::{HeaderMap, StatusCode, header};

use super::Rules;
use super::date;
use super::directives::{Directives, delta_seconds};
use super::storing::Stored;

/// Upper bound on a guessed lifetime, in seconds.
const MAX_GUESS: u64 = 24 * 60 * 60;
/// How long after its end an answer may stand in for an origin that cannot be reached, in seconds.
const MAX_CUT_OFF: u64 = 24 * 60 * 60;

/// Returns how old an answer was when it came (RFC 9111 §4.2.3).
pub fn initial_age(headers: &HeaderMap, requested_at: Timestamp, received_at: Timestamp) -> u64 {
    let apparent = headers
        .get(header::DATE)
        .and_then(|value| date::parse(value.to_str().ok()?, received_at))
        .map_or(0, |date| seconds_between(date, received_at));
    let told = headers
        .get(header::AGE)
        .and_then(|value| value.to_str().ok()?.split(',').next())
        .and_then(|text| delta_seconds(text.trim()))
        .unwrap_or(0);
    apparent.max(told + seconds_between(requested_at, received_at))
}

/// Returns how long an answer is good, counted from its origin (RFC 9111 §4.2.1).
pub fn lifetime(
    status: StatusCode,
    headers: &HeaderMap,
    directives: &Directives,
    received_at: Timestamp,
    rules: Rules,
) -> u64 {
    if let Some(seconds) = directives.s_maxage.or(directives.max_age) {
        return seconds;
    }
    let date = headers
        .get(header::DATE)
        .and_then(|value| date::parse(value.to_str().ok()?, received_at))
        .unwrap_or(received_at);
    if !directives.is_targeted && headers.contains_key(header::EXPIRES) {
        let mut lines = headers.get_all(header::EXPIRES).iter();
        let (Some(line), None) = (lines.next(), lines.next()) else {
            return 0;
        };
        let expires = line
            .to_str()
            .ok()
            .and_then(|text| date::parse(text, received_at));
        return expires.map_or(0, |expires| seconds_between(date, expires));
    }
    if !rules.may_guess || !(is_guessable(status) || directives.public) {
        return 0;
    }
    let changed = headers
        .get(header::LAST_MODIFIED)
        .and_then(|value| date::parse(value.to_str().ok()?, received_at));
    changed.map_or(0, |changed| {
        (seconds_between(changed, date) / 10).min(MAX_GUESS)
    })
}

/// Says whether an answer with this status may be reused although it does not say for how long (RFC 9110 §15.1).
pub fn is_guessable(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        200 | 203 | 204 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501
    )
}

fn seconds_between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.as_second() - from.as_second()).unwrap_or(0)
}

/// What to do with an answer that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Serve it.
    Fresh,
    /// Serve it although it is stale; `behind` says that a new one has to be fetched meanwhile.
    Stale {
        /// Whether to fetch a new one behind the back of who asked.
        behind: bool,
    },
    /// Ask the origin first.
    Ask,
}

/// Decides on an answer that is held, for a question that said `asked`.
pub fn verdict(stored: &Stored, asked: &Directives, now: Timestamp) -> Verdict {
    let said = &stored.directives;
    if asked.no_cache || said.no_cache {
        return Verdict::Ask;
    }
    let age = stored.age(now);
    if asked
        .max_age
        .is_some_and(|max_age| max_age == 0 || age > max_age)
    {
        return Verdict::Ask;
    }
    let min_fresh = asked.min_fresh.unwrap_or(0);
    if stored.lifetime > age.saturating_add(min_fresh) {
        return Verdict::Fresh;
    }
    if !may_be_stale(said) || min_fresh > 0 {
        return Verdict::Ask;
    }
    let late = age.saturating_sub(stored.lifetime);
    if said
        .stale_while_revalidate
        .is_some_and(|window| late < window)
    {
        return Verdict::Stale { behind: true };
    }
    if asked.max_stale.is_some_and(|window| late <= window) {
        return Verdict::Stale { behind: false };
    }
    Verdict::Ask
}

/// Says whether an answer may stand in for one that the origin could not give.
///
/// `is_cut_off` says that the origin was not reached at all, rather than answered with a failure.
pub fn stands_in(
    stored: &Stored,
    asked: &Directives,
    is_cut_off: bool,
    rules: Rules,
    now: Timestamp,
) -> bool {
    let said = &stored.directives;
    if asked.no_cache || asked.max_age == Some(0) || !may_be_stale(said) {
        return false;
    }
    let late = stored.age(now).saturating_sub(stored.lifetime);
    let window = said.stale_if_error.max(asked.stale_if_error);
    window.is_some_and(|window| late <= window)
        || (is_cut_off && rules.stale_when_cut_off && late <= MAX_CUT_OFF)
}

/// Says whether an answer may ever be served stale (RFC 9111 §4.2.4).
fn may_be_stale(said: &Directives) -> bool {
    // s-maxage means proxy-revalidate to a shared cache (§5.2.2.10).
    !said.must_revalidate && !said.proxy_revalidate && !said.no_cache && said.s_maxage.is_none()
}

/// Says whether a status is a failure that a stale answer may stand in for (RFC 5861 §4).
pub fn is_failure(status: StatusCode) -> bool {
    matches!(status.as_u16(), 500 | 502 | 503 | 504)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use tradewind_host::egress::HeaderName;

    use super::super::storing::tests::{at, kept};
    use super::*;

    const NOW: &str = "2026-11-23T12:00:00Z";
    const DATE: (&str, &str) = ("date", "Mon, 23 Nov 2026 12:00:00 GMT");

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        headers
    }

    fn good_for(status: u16, lines: &[(&'static str, &str)], rules: Rules) -> u64 {
        let headers = headers(lines);
        let directives = Directives::of_answer(&headers);
        let status = StatusCode::from_u16(status).unwrap();
        lifetime(status, &headers, &directives, at(NOW), rules)
    }

    #[test]
    fn the_most_specific_lifetime_counts() {
        let expires = ("expires", "Mon, 23 Nov 2026 13:00:00 GMT");
        for (lines, seconds) in [
            (
                &[("cache-control", "max-age=5, s-maxage=7"), expires][..],
                7,
            ),
            (&[("cache-control", "max-age=5"), expires], 5),
            (&[DATE, expires], 3600),
            (&[expires], 3600),
            (
                &[
                    ("cdn-cache-control", "max-age=9"),
                    ("cache-control", "max-age=5"),
                ],
                9,
            ),
            (&[("cdn-cache-control", "public"), expires], 0),
            (&[DATE, expires, expires], 0),
            (&[DATE, ("expires", "0")], 0),
            (&[("expires", "Mon, 23 Nov 2026 11:00:00 GMT")], 0),
            (&[], 0),
        ] {
            assert_eq!(good_for(200, lines, Rules::FULL), seconds, "{lines:?}");
        }
    }

    #[test]
    fn a_lifetime_is_guessed_only_where_it_may() {
        let day_old = ("last-modified", "Sun, 22 Nov 2026 12:00:00 GMT");
        let old = ("last-modified", "Sun, 22 Nov 2020 12:00:00 GMT");
        assert_eq!(good_for(200, &[DATE, day_old], Rules::FULL), 8640);
        assert_eq!(good_for(200, &[DATE, old], Rules::FULL), MAX_GUESS);
        assert_eq!(
            good_for(200, &[DATE, day_old], Rules::STRICT),
            0,
            "prices are not guessed"
        );
        assert_eq!(good_for(201, &[DATE, day_old], Rules::FULL), 0);
        let public = ("cache-control", "public");
        assert_eq!(good_for(599, &[DATE, day_old, public], Rules::FULL), 8640);
    }

    #[test]
    fn ages_add_up_and_what_is_no_number_is_ignored() {
        let aged = |lines: &[(&'static str, &str)]| {
            initial_age(
                &headers(lines),
                at(NOW) - SignedDuration::from_secs(2),
                at(NOW),
            )
        };
        assert_eq!(aged(&[]), 2, "the time on the way counts");
        assert_eq!(aged(&[("age", "30")]), 32);
        assert_eq!(aged(&[("age", "30, 0")]), 32);
        assert_eq!(aged(&[("age", "30"), ("age", "0")]), 32);
        assert_eq!(aged(&[("date", "Mon, 23 Nov 2026 11:59:00 GMT")]), 60);
        for wrong in ["abc", "-7200", "7200.0", "7200;foo=bar"] {
            assert_eq!(aged(&[("age", wrong)]), 2, "{wrong}");
        }
    }

    /// What `asked` leads to `seconds` after an answer that said `said` came.
    fn decided(said: &str, asked: &str, seconds: i64) -> Verdict {
        let stored = kept(200, &[("cache-control", said), ("etag", "\"a\"")], NOW).unwrap();
        let asked = Directives::of_request(&headers(&[("cache-control", asked)]));
        verdict(
            &stored,
            &asked,
            at(NOW) + SignedDuration::from_secs(seconds),
        )
    }

    #[test]
    fn an_answer_is_served_while_it_is_good_and_the_asker_agrees() {
        const BEHIND: Verdict = Verdict::Stale { behind: true };
        const LATE: Verdict = Verdict::Stale { behind: false };
        for (said, asked, seconds, expected) in [
            ("max-age=10", "x", 9, Verdict::Fresh),
            ("max-age=10", "x", 10, Verdict::Ask),
            ("max-age=10, immutable", "x", 10, Verdict::Ask),
            ("max-age=10, no-cache", "x", 1, Verdict::Ask),
            ("max-age=10", "no-cache", 1, Verdict::Ask),
            ("max-age=10", "max-age=0", 0, Verdict::Ask),
            ("max-age=10", "max-age=3", 3, Verdict::Fresh),
            ("max-age=10", "max-age=3", 4, Verdict::Ask),
            ("max-age=10", "min-fresh=5", 4, Verdict::Fresh),
            ("max-age=10", "min-fresh=5", 5, Verdict::Ask),
            ("max-age=10", "max-stale=5", 15, LATE),
            ("max-age=10", "max-stale=5", 16, Verdict::Ask),
            ("max-age=10", "max-stale", 9_999, LATE),
            ("max-age=10, must-revalidate", "max-stale", 11, Verdict::Ask),
            (
                "max-age=10, proxy-revalidate",
                "max-stale",
                11,
                Verdict::Ask,
            ),
            ("s-maxage=10", "max-stale", 11, Verdict::Ask),
            ("max-age=10, stale-while-revalidate=5", "x", 14, BEHIND),
            (
                "max-age=10, stale-while-revalidate=5",
                "x",
                15,
                Verdict::Ask,
            ),
            (
                "max-age=10, stale-while-revalidate=5, must-revalidate",
                "x",
                11,
                Verdict::Ask,
            ),
            (
                "max-age=10, stale-while-revalidate=5",
                "max-age=3",
                11,
                Verdict::Ask,
            ),
        ] {
            assert_eq!(
                decided(said, asked, seconds),
                expected,
                "{said} | {asked} | {seconds}"
            );
        }
    }

    #[test]
    fn a_stale_answer_stands_in_only_with_leave() {
        let stands = |said: &str, asked: &str, is_cut_off, rules, seconds| {
            let stored = kept(200, &[("cache-control", said), ("etag", "\"a\"")], NOW).unwrap();
            let asked = Directives::of_request(&headers(&[("cache-control", asked)]));
            let now = at(NOW) + SignedDuration::from_secs(seconds);
            stands_in(&stored, &asked, is_cut_off, rules, now)
        };
        let (full, strict) = (Rules::FULL, Rules::STRICT);
        assert!(stands(
            "max-age=1, stale-if-error=9",
            "x",
            false,
            strict,
            10
        ));
        assert!(!stands(
            "max-age=1, stale-if-error=9",
            "x",
            false,
            strict,
            11
        ));
        assert!(stands("max-age=1", "stale-if-error=9", false, strict, 10));
        assert!(
            !stands("max-age=1", "x", false, full, 2),
            "a failure is an answer"
        );
        assert!(stands("max-age=1", "x", true, full, 2));
        assert!(
            !stands("max-age=1", "x", true, strict, 2),
            "prices never silently"
        );
        for forbidden in [
            "must-revalidate",
            "proxy-revalidate",
            "no-cache",
            "s-maxage=1",
        ] {
            let said = format!("max-age=1, stale-if-error=99, {forbidden}");
            assert!(!stands(&said, "x", true, full, 2), "{forbidden}");
        }
        assert!(!stands(
            "max-age=1, stale-if-error=9",
            "no-cache",
            true,
            full,
            2
        ));
    }
}
