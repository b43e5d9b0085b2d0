//! Conditions: those that a client sends and an answer that is held can meet, and those that we send to learn
//! whether it still holds (RFC 9110 §13, RFC 9111 §4.3).
//!
//! Not here: which answer it is about ([`super::front`]), what a 304 changes ([`super::storing`]).

use std::sync::LazyLock;

use axum::body::Bytes;
use jiff::Timestamp;
use tradewind_host::egress::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header,
};

use super::date;
use super::range::{Part, part};
use super::storing::{Stored, weak};

/// Conditions that only the origin can decide, because they guard a change.
pub fn is_for_the_origin(request: &HeaderMap) -> bool {
    request.contains_key(header::IF_MATCH) || request.contains_key(header::IF_UNMODIFIED_SINCE)
}

/// Makes a request that asks whether `stored` still holds, in place of the client's own conditions.
pub fn conditional(request: &Request, stored: &Stored) -> Request {
    let mut request = request.clone();
    for name in [
        header::IF_NONE_MATCH,
        header::IF_MODIFIED_SINCE,
        header::IF_RANGE,
        header::RANGE,
    ] {
        request.headers.remove(name);
    }
    if let Some(tag) = stored.headers.get(header::ETAG) {
        request.headers.insert(header::IF_NONE_MATCH, tag.clone());
    }
    if let Some(changed) = stored.headers.get(header::LAST_MODIFIED) {
        request
            .headers
            .insert(header::IF_MODIFIED_SINCE, changed.clone());
    }
    request
}

/// Fields of a request that change what is answered from what is held.
const MATTERING: [HeaderName; 7] = [
    header::CACHE_CONTROL,
    header::PRAGMA,
    header::IF_MATCH,
    header::IF_UNMODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::RANGE,
];

/// Says that a request wants nothing but the whole answer as it is held: most do, and one look at their few
/// fields is cheaper than seven searches.
pub fn is_plain(request: &HeaderMap) -> bool {
    !request.keys().any(|name| MATTERING.contains(name))
}

/// Says whether the client holds what is held here already.
fn is_known(request: &HeaderMap, stored: &Stored, now: Timestamp) -> bool {
    if request.contains_key(header::IF_NONE_MATCH) {
        // It goes before If-Modified-Since, also when it does not match (RFC 9110 §13.2.2).
        let Some(held) = stored.headers.get(header::ETAG) else {
            let any = request.get_all(header::IF_NONE_MATCH).iter();
            return any.into_iter().any(|value| value.as_bytes() == b"*");
        };
        let mut lines = request.get_all(header::IF_NONE_MATCH).iter();
        return lines.any(|line| names(line.as_bytes(), weak(held)));
    }
    let Some(since) = request.get(header::IF_MODIFIED_SINCE) else {
        return false;
    };
    let read = |value: &HeaderValue| date::parse(value.to_str().ok()?, now);
    let Some(since) = read(since) else {
        return false;
    };
    let changed = stored
        .headers
        .get(header::LAST_MODIFIED)
        .or(stored.headers.get(header::DATE));
    changed
        .and_then(read)
        .is_some_and(|changed| changed <= since)
}

/// Says whether a list of names has this one; commas may be inside names.
fn names(list: &[u8], held: &[u8]) -> bool {
    let mut rest = list.trim_ascii();
    if rest == b"*" {
        return true;
    }
    while !rest.is_empty() {
        let tag = rest.strip_prefix(b"W/").unwrap_or(rest);
        let end = match tag.strip_prefix(b"\"") {
            Some(inner) => inner
                .iter()
                .position(|b| *b == b'"')
                .map_or(tag.len(), |at| at + 2),
            None => tag.iter().position(|b| *b == b',').unwrap_or(tag.len()),
        };
        let (name, behind) = tag.split_at(end);
        if name.trim_ascii() == held {
            return true;
        }
        // Whatever stands between two names but a comma makes the rest no list.
        let Some(next) = behind.trim_ascii_start().strip_prefix(b",") else {
            return false;
        };
        rest = next.trim_ascii_start();
    }
    false
}

/// Fields that a 304 leaves out: they are about a body that is not sent (RFC 9110 §15.4.5).
const OF_A_BODY: &[&str] = &[
    "content-type",
    "content-encoding",
    "content-language",
    "content-range",
];

/// Ages up to this one are ready made: what is asked for again and again is young.
const READY_AGES: u64 = 600;
static AGES: LazyLock<Vec<HeaderValue>> =
    LazyLock::new(|| (0..READY_AGES).map(HeaderValue::from).collect());

fn seconds(age: u64) -> HeaderValue {
    let ready = usize::try_from(age).ok().and_then(|age| AGES.get(age));
    ready.map_or_else(|| HeaderValue::from(age), HeaderValue::clone)
}

/// Answers a question from what is held: whole, a part of it, or that the client has it already.
pub fn respond(stored: &Stored, method: &Method, request: &HeaderMap, now: Timestamp) -> Response {
    let mut headers = stored.ready.clone();
    headers.insert(header::AGE, seconds(stored.age(now)));
    let mut response = Response {
        status: stored.status,
        headers,
        body: stored.body.clone(),
    };
    let length = stored.body.len();
    if stored.status == StatusCode::OK && !is_plain(request) {
        if is_known(request, stored, now) {
            response.status = StatusCode::NOT_MODIFIED;
            for name in OF_A_BODY {
                response.headers.remove(*name);
            }
            response.body = Bytes::new();
            return response;
        }
        let part = if method == Method::GET && request.contains_key(header::RANGE) {
            part(request, &stored.headers, length)
        } else {
            Part::Whole
        };
        let told = match &part {
            Part::Whole => None,
            Part::Bytes(range) => {
                response.status = StatusCode::PARTIAL_CONTENT;
                response.body = stored.body.slice(range.clone());
                Some(format!(
                    "bytes {}-{}/{length}",
                    range.start,
                    range.end.saturating_sub(1)
                ))
            }
            Part::Nothing => {
                response.status = StatusCode::RANGE_NOT_SATISFIABLE;
                response.body = Bytes::new();
                Some(format!("bytes */{length}"))
            }
        };
        if let Some(value) = told.and_then(|told| HeaderValue::from_str(&told).ok()) {
            response.headers.insert(header::CONTENT_RANGE, value);
        }
    }
    if method == Method::HEAD {
        response
            .headers
            .insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        response.body = Bytes::new();
    }
    response
}

#[cfg(test)]
mod tests {
    use tradewind_host::egress::Url;

    use super::super::storing::tests::{at, kept};
    use super::*;

    const NOW: &str = "2026-11-23T12:00:00Z";
    const FRESH: (&str, &str) = ("cache-control", "max-age=60");
    const CHANGED: (&str, &str) = ("last-modified", "Mon, 23 Nov 2026 11:00:00 GMT");

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        headers
    }

    fn status(held: &[(&'static str, &str)], asked: &[(&'static str, &str)]) -> u16 {
        let stored = kept(200, &[&[FRESH], held].concat(), NOW).unwrap();
        respond(&stored, &Method::GET, &headers(asked), at(NOW))
            .status
            .as_u16()
    }

    #[test]
    fn who_has_it_is_told_so() {
        let strong = [("etag", "\"a,b\""), CHANGED];
        for list in [
            "\"a,b\"",
            "W/\"a,b\"",
            "\"x\", \"a,b\"",
            "\"x\",W/\"a,b\" , \"y\"",
            "*",
        ] {
            assert_eq!(status(&strong, &[("if-none-match", list)]), 304, "{list}");
        }
        for list in ["\"a\"", "\"x\" \"a,b\"", "a,b", ""] {
            assert_eq!(status(&strong, &[("if-none-match", list)]), 200, "{list}");
        }
        assert_eq!(
            status(&[("etag", "W/\"a\"")], &[("if-none-match", "\"a\"")]),
            304
        );
        let late = ("if-modified-since", "Mon, 23 Nov 2026 11:00:00 GMT");
        let early = ("if-modified-since", "Mon, 23 Nov 2026 10:59:59 GMT");
        assert_eq!(status(&strong, &[late]), 304);
        assert_eq!(status(&strong, &[early]), 200);
        assert_eq!(
            status(&strong, &[late, ("if-none-match", "\"x\"")]),
            200,
            "the name goes first"
        );
        assert_eq!(status(&strong, &[early, ("if-none-match", "\"a,b\"")]), 304);
    }

    #[test]
    fn a_304_has_its_name_and_no_fields_of_a_body() {
        let stored = kept(
            200,
            &[FRESH, ("etag", "\"a\""), ("content-type", "x/y")],
            NOW,
        )
        .unwrap();
        let asked = headers(&[("if-none-match", "\"a\"")]);
        let said = respond(&stored, &Method::GET, &asked, at("2026-11-23T12:00:07Z"));
        assert_eq!(said.headers["etag"], "\"a\"");
        assert_eq!(said.headers["age"], "7");
        assert_eq!(said.headers["cache-status"], "tradewind; hit");
        assert!(!said.headers.contains_key("content-type"));
    }

    #[test]
    fn ages_that_are_ready_and_those_that_are_not_are_the_same_numbers() {
        for age in [0, 7, READY_AGES - 1, READY_AGES, 1 << 31] {
            assert_eq!(seconds(age), age.to_string().as_str());
        }
    }

    #[test]
    fn parts_are_cut_and_head_has_no_body() {
        let stored = kept(200, &[FRESH], NOW).unwrap();
        let cut = respond(
            &stored,
            &Method::GET,
            &headers(&[("range", "bytes=2-4")]),
            at(NOW),
        );
        assert_eq!((cut.status.as_u16(), cut.body.as_ref()), (206, &b"234"[..]));
        assert_eq!(cut.headers["content-range"], "bytes 2-4/10");
        let behind = respond(
            &stored,
            &Method::GET,
            &headers(&[("range", "bytes=10-")]),
            at(NOW),
        );
        assert_eq!(behind.status.as_u16(), 416);
        assert_eq!(behind.headers["content-range"], "bytes */10");
        let head = respond(
            &stored,
            &Method::HEAD,
            &headers(&[("range", "bytes=2-4")]),
            at(NOW),
        );
        assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
        assert_eq!(head.headers["content-length"], "10");
    }

    #[test]
    fn our_question_has_our_conditions_only() {
        let stored = kept(200, &[FRESH, ("etag", "W/\"a\""), CHANGED], NOW).unwrap();
        let mut request = Request::new(Method::GET, Url::parse("http://h/").unwrap());
        request.headers = headers(&[
            ("if-none-match", "\"theirs\""),
            ("range", "bytes=0-1"),
            ("if-range", "\"theirs\""),
            ("accept", "a/b"),
        ]);
        let asked = conditional(&request, &stored).headers;
        assert_eq!(asked["if-none-match"], "W/\"a\"");
        assert_eq!(asked["if-modified-since"], CHANGED.1);
        assert_eq!(asked["accept"], "a/b");
        assert!(!asked.contains_key("range") && !asked.contains_key("if-range"));
    }
}
