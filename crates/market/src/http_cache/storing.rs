//! Which answers may be kept (RFC 9111 §3), and what is kept of them.
//!
//! Kept is what a later question can use: an answer that is good for a while, or that can be asked about by its
//! name. Fields of one connection were removed before; those of a proxy and the length are removed here.
//! Not here: where it is kept ([`super::store`]), parts (206).

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tradewind_host::egress::{HeaderMap, HeaderValue, Response, StatusCode, header};

use super::Rules;
use super::directives::Directives;
use super::freshness::{initial_age, is_guessable, lifetime};
use super::store::Credential;
use super::vary::Chosen;

/// Fields that are not kept: those of a proxy (RFC 9111 §3.1) and those that are written anew.
const NOT_KEPT: &[&str] = &[
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "age",
    "content-length",
];
/// Fields that a 304 does not change, because they describe the body that is held (RFC 9111 §3.2).
const OF_THE_BODY: &[&str] = &["content-encoding", "content-range"];
/// Statuses whose meaning this cache understands (RFC 9111 §5.2.2.3).
const UNDERSTOOD: &[u16] = &[
    200, 203, 204, 300, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 406, 409, 410, 414, 415,
    421, 422, 429, 500, 501, 502, 503, 504,
];

/// One question to the origin and its answer.
#[derive(Clone, Copy, Debug)]
pub struct Exchange<'a> {
    /// Headers of the question, as who asked sent them.
    pub request: &'a HeaderMap,
    /// What the question said of caches.
    pub asked: &'a Directives,
    /// Whose answer it is.
    pub credential: Credential,
    /// What it is counted as.
    pub label: &'a Arc<str>,
    /// When the question was sent.
    pub requested_at: Timestamp,
    /// When the answer had come.
    pub received_at: Timestamp,
}

/// An answer that is kept.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Status.
    pub status: StatusCode,
    /// Fields, without `Age` and `Content-Length`.
    pub headers: HeaderMap,
    /// Whole body.
    pub body: axum::body::Bytes,
    /// What of the question chose it.
    pub chosen: Chosen,
    /// Whose answer it is.
    pub credential: Credential,
    /// What it is counted as.
    pub label: Arc<str>,
    /// When it came.
    pub received_at: Timestamp,
    /// How old it was then, in seconds.
    pub initial_age: u64,
    /// How long it is good, in seconds from its origin.
    pub lifetime: u64,
    /// What it says of caches.
    pub directives: Directives,
    /// Fields of an answer from the cache, ready but for the number in `Age`.
    pub(crate) ready: HeaderMap,
}

impl Stored {
    /// Keeps the answer to a GET; `None` when it must not be kept or would be of no use.
    pub fn of(exchange: &Exchange<'_>, response: &Response, rules: Rules) -> Option<Self> {
        let directives = Directives::of_answer(&response.headers);
        if !may_store(exchange, response.status, &response.headers, &directives) {
            return None;
        }
        let chosen = Chosen::of(&response.headers, exchange.request)?;
        let mut headers = response.headers.clone();
        for name in NOT_KEPT {
            headers.remove(*name);
        }
        if !headers.contains_key(header::DATE) {
            // Without it every later reader would think that it was made when it was sent (RFC 9110 §6.6.1).
            headers.insert(header::DATE, http_date(exchange.received_at)?);
        }
        let stored = Self::built(exchange, response, headers, directives, chosen, rules);
        stored.is_useful().then_some(stored)
    }

    fn built(
        exchange: &Exchange<'_>,
        response: &Response,
        headers: HeaderMap,
        directives: Directives,
        chosen: Chosen,
        rules: Rules,
    ) -> Self {
        let (from, to) = (exchange.requested_at, exchange.received_at);
        let mut ready = headers.clone();
        ready.insert(header::AGE, HeaderValue::from_static("0"));
        ready.append("cache-status", HeaderValue::from_static("tradewind; hit"));
        Self {
            status: response.status,
            initial_age: initial_age(&response.headers, from, to),
            lifetime: lifetime(response.status, &headers, &directives, to, rules),
            ready,
            headers,
            body: response.body.clone(),
            chosen,
            credential: exchange.credential,
            label: Arc::clone(exchange.label),
            received_at: to,
            directives,
        }
    }

    /// Says whether a later question could gain anything from it.
    fn is_useful(&self) -> bool {
        self.lifetime > self.initial_age
            || self.has_validator()
            || self.directives.stale_if_error.is_some()
            || self.directives.stale_while_revalidate.is_some()
    }

    /// Says whether the origin can be asked if it still holds.
    pub fn has_validator(&self) -> bool {
        self.headers.contains_key(header::ETAG) || self.headers.contains_key(header::LAST_MODIFIED)
    }

    /// Returns how old it is, in seconds.
    pub fn age(&self, now: Timestamp) -> u64 {
        let here = now.as_second() - self.received_at.as_second();
        self.initial_age + u64::try_from(here).unwrap_or(0)
    }

    /// Says whether it answers a question with these headers and this credential.
    pub fn fits(&self, request: &HeaderMap, credential: Credential) -> bool {
        self.credential == credential && self.chosen.fits(request)
    }

    /// Returns what it becomes when the origin says that it still holds (RFC 9111 §4.3.4); `None` when the origin
    /// speaks of another version. What it becomes may not be kept any more: [`Self::may_stay`].
    pub fn freshened(
        &self,
        exchange: &Exchange<'_>,
        answer: &HeaderMap,
        rules: Rules,
    ) -> Option<Self> {
        if let (Some(held), Some(named)) =
            (self.headers.get(header::ETAG), answer.get(header::ETAG))
            && weak(held) != weak(named)
        {
            return None;
        }
        let mut headers = self.headers.clone();
        for name in answer.keys() {
            let text = name.as_str();
            if NOT_KEPT.contains(&text) || OF_THE_BODY.contains(&text) {
                continue;
            }
            headers.remove(name);
            for value in answer.get_all(name) {
                headers.append(name.clone(), value.clone());
            }
        }
        let directives = Directives::of_answer(&headers);
        let response = Response {
            status: self.status,
            headers: answer.clone(),
            body: self.body.clone(),
        };
        let chosen = self.chosen.clone();
        Some(Self::built(
            exchange, &response, headers, directives, chosen, rules,
        ))
    }

    /// Says whether it may be kept after it was freshened.
    pub fn may_stay(&self) -> bool {
        !self.directives.no_store && !self.directives.private
    }

    /// Returns about how many bytes it takes.
    pub fn bytes(&self) -> u64 {
        /// What an entry takes besides its text.
        const OVERHEAD: usize = 512;
        let fields: usize = self
            .headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len() + 64)
            .sum();
        (OVERHEAD + 2 * fields + self.body.len() + self.chosen.bytes()) as u64
    }
}

/// Returns a name without its mark of weakness.
pub(crate) fn weak(tag: &HeaderValue) -> &[u8] {
    let bytes = tag.as_bytes();
    bytes.strip_prefix(b"W/").unwrap_or(bytes)
}

fn http_date(at: Timestamp) -> Option<HeaderValue> {
    let text = at
        .to_zoned(TimeZone::UTC)
        .strftime("%a, %d %b %Y %H:%M:%S GMT")
        .to_string();
    HeaderValue::from_str(&text).ok()
}

/// Says whether the answer to a GET may be kept by a shared cache (RFC 9111 §3).
fn may_store(
    exchange: &Exchange<'_>,
    status: StatusCode,
    headers: &HeaderMap,
    said: &Directives,
) -> bool {
    // 206 is a part and 304 is about another answer.
    if status.is_informational() || matches!(status.as_u16(), 206 | 304) {
        return false;
    }
    let is_understood = UNDERSTOOD.contains(&status.as_u16());
    if said.must_understand && !is_understood {
        return false;
    }
    if said.no_store && !said.must_understand || said.private || exchange.asked.no_store {
        return false;
    }
    let has_leave = said.public || said.must_revalidate || said.s_maxage.is_some();
    if exchange.request.contains_key(header::AUTHORIZATION) && !has_leave {
        return false;
    }
    // Something explicit, or a status that is kept by default.
    said.public
        || said.max_age.is_some()
        || said.s_maxage.is_some()
        || (!said.is_targeted && headers.contains_key(header::EXPIRES))
        || is_guessable(status)
}

#[cfg(test)]
pub(crate) mod tests {
    use axum::body::Bytes;
    use tradewind_host::egress::HeaderName;

    use super::*;

    pub(crate) fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        headers
    }

    fn kept_for(
        status: u16,
        asked: &[(&'static str, &str)],
        lines: &[(&'static str, &str)],
        now: &str,
    ) -> Option<Stored> {
        let request = headers(asked);
        let exchange = Exchange {
            request: &request,
            asked: &Directives::of_request(&request),
            credential: Credential::NONE,
            label: &Arc::from("test"),
            requested_at: at(now),
            received_at: at(now),
        };
        let response = Response {
            status: StatusCode::from_u16(status).unwrap(),
            headers: headers(lines),
            body: Bytes::from_static(b"0123456789"),
        };
        Stored::of(&exchange, &response, Rules::FULL)
    }

    /// Keeps an answer that came at `now`.
    pub(crate) fn kept(status: u16, lines: &[(&'static str, &str)], now: &str) -> Option<Stored> {
        kept_for(status, &[], lines, now)
    }

    const NOW: &str = "2026-11-23T12:00:00Z";

    #[test]
    fn what_must_not_be_kept_is_not() {
        let fresh = ("cache-control", "max-age=60");
        for (status, asked, said) in [
            (
                200,
                &[][..],
                &[("cache-control", "max-age=60, no-store")][..],
            ),
            (200, &[], &[("cache-control", "max-age=60, private")]),
            (200, &[], &[fresh, ("cdn-cache-control", "no-store")]),
            (200, &[("cache-control", "no-store")], &[fresh]),
            (200, &[("authorization", "Bearer x")], &[fresh]),
            (206, &[], &[fresh]),
            (304, &[], &[fresh]),
            (200, &[], &[fresh, ("vary", "*")]),
            (
                599,
                &[],
                &[("cache-control", "max-age=60, no-store, must-understand")],
            ),
            (200, &[], &[]),
            (201, &[], &[("etag", "\"a\"")]),
        ] {
            assert!(
                kept_for(status, asked, said, NOW).is_none(),
                "{status} {asked:?} {said:?}"
            );
        }
    }

    #[test]
    fn what_may_be_kept_is() {
        for (status, asked, said) in [
            (200, &[][..], &[("cache-control", "max-age=60")][..]),
            (599, &[], &[("cache-control", "max-age=60")]),
            (
                200,
                &[],
                &[("cache-control", "max-age=60, no-store, must-understand")],
            ),
            (
                200,
                &[],
                &[
                    ("cache-control", "no-store"),
                    ("cdn-cache-control", "max-age=60"),
                ],
            ),
            (
                200,
                &[("authorization", "Bearer x")],
                &[("cache-control", "max-age=60, public")],
            ),
            (
                200,
                &[("authorization", "Bearer x")],
                &[("cache-control", "s-maxage=60")],
            ),
            (
                200,
                &[("authorization", "x")],
                &[("cache-control", "max-age=60, must-revalidate")],
            ),
            (200, &[], &[("etag", "\"a\"")]),
            (404, &[], &[("expires", "Mon, 23 Nov 2026 13:00:00 GMT")]),
        ] {
            assert!(
                kept_for(status, asked, said, NOW).is_some(),
                "{status} {asked:?} {said:?}"
            );
        }
    }

    #[test]
    fn fields_of_a_proxy_are_not_kept_and_a_date_is_added() {
        let stored = kept(
            200,
            &[
                ("cache-control", "max-age=60"),
                ("proxy-authenticate", "x"),
                ("age", "7"),
                ("set-cookie", "a=b"),
            ],
            NOW,
        )
        .unwrap();
        assert!(!stored.headers.contains_key("proxy-authenticate"));
        assert_eq!(stored.headers["set-cookie"], "a=b");
        assert_eq!(stored.headers["date"], "Mon, 23 Nov 2026 12:00:00 GMT");
        assert_eq!(stored.age(at("2026-11-23T12:00:03Z")), 10);
        assert_eq!(
            stored.age(at("2026-11-23T11:00:00Z")),
            7,
            "a clock that was set back makes nothing younger"
        );
    }

    #[test]
    fn a_304_renews_fields_but_not_those_of_the_body() {
        let said = [
            ("cache-control", "max-age=1"),
            ("etag", "\"a\""),
            ("content-type", "text/plain"),
            ("content-encoding", "x"),
            ("a", "1"),
        ];
        let stored = kept(200, &said, NOW).unwrap();
        let empty = HeaderMap::new();
        let later = at("2026-11-23T12:01:00Z");
        let exchange = Exchange {
            request: &empty,
            asked: &Directives::default(),
            credential: Credential::NONE,
            label: &Arc::from("test"),
            requested_at: later,
            received_at: later,
        };
        let answer = headers(&[
            ("cache-control", "max-age=60"),
            ("etag", "W/\"a\""),
            ("content-encoding", "y"),
            ("content-length", "3"),
            ("date", "Mon, 23 Nov 2026 12:01:00 GMT"),
            ("a", "2"),
            ("a", "3"),
        ]);
        let fresh = stored.freshened(&exchange, &answer, Rules::FULL).unwrap();
        assert_eq!(
            (fresh.lifetime, fresh.age(later), fresh.body.len()),
            (60, 0, 10)
        );
        assert_eq!(fresh.headers["content-encoding"], "x");
        assert_eq!(fresh.headers["content-type"], "text/plain");
        assert!(!fresh.headers.contains_key("content-length"));
        let all: Vec<_> = fresh.headers.get_all("a").iter().collect();
        assert_eq!(all, ["2", "3"]);
        let other = headers(&[("etag", "\"b\"")]);
        assert!(stored.freshened(&exchange, &other, Rules::FULL).is_none());
        let gone = headers(&[("cache-control", "no-store")]);
        assert!(
            !stored
                .freshened(&exchange, &gone, Rules::FULL)
                .unwrap()
                .may_stay()
        );
    }
}
