//! Records: every call for data that a program makes, and every stream it listens to, in memory, until it ends.
//!
//! Why only then: a key that the program uses last may stand in the first answer, so nothing is written down before
//! all of them are known. The bound on what is kept is a bound on memory. A call whose answer never came
//! is not in the cassette: its program went on without it. Not here: what of a stream is kept
//! ([`super::listening`]).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use jiff::Timestamp;
use tradewind_catalog::Catalog;
use tradewind_catalog::endpoint::Method;
use tradewind_catalog::url::Address;
use tradewind_core::Clock;
use tradewind_host::egress::{HeaderMap, StatusCode};

use super::call::{Subject, url_of};
use super::{
    By, Cassette, KIND, LeftOut, Recorded, RecordedStream, Redacted, SCHEMA_VERSION,
    WITHOUT_STREAMS, Why, listening, pieces,
};
use crate::pass::Call;
use crate::redact::{Cleaner, Secrets};

/// Upper bound on bodies and headers that are kept, in bytes.
pub const MAX_BYTES: usize = 64 * 1024 * 1024;
/// Upper bound on calls that are kept.
pub const MAX_CALLS: usize = 50_000;
/// Upper bound on hosts that calls are left out of, apart from each other.
const MAX_HOSTS: usize = 500;

/// Headers of an answer that are never kept: those of the connection, sessions, and what the gateway adds.
const NEVER: &[&str] = &[
    "set-cookie",
    "set-cookie2",
    "www-authenticate",
    "authentication-info",
    "connection",
    "transfer-encoding",
    "content-length",
    "cache-status",
];

/// Records what goes through it. One of these for one run of a program.
#[derive(Debug)]
pub struct Recorder {
    catalog: Arc<Catalog>,
    clock: Arc<dyn Clock>,
    started: Timestamp,
    tape: Mutex<Tape>,
}

/// What was recorded so far.
#[derive(Debug, Default)]
pub(super) struct Tape {
    next: u64,
    calls: Vec<Taken>,
    /// Connections to streams, in the sequence in which they were begun.
    pub(super) streams: BTreeMap<u64, listening::Taken>,
    /// Of both, and of messages on streams.
    pub(super) bytes: usize,
    pub(super) frames: usize,
    left_out: BTreeMap<(String, Why), u64>,
    pub(super) secrets: Secrets,
}

/// A call whose answer is awaited.
#[derive(Debug)]
pub struct Awaited {
    number: u64,
    subject: Subject,
}

/// An answer as it came.
#[derive(Debug)]
struct Taken {
    number: u64,
    subject: Subject,
    answered_at: Timestamp,
    answered_by: By,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Recorder {
    /// Begins a recording now.
    pub fn new(catalog: Arc<Catalog>, clock: Arc<dyn Clock>, secrets: Secrets) -> Self {
        // To the second: nobody needs more, and it is read by people.
        let now = clock.now();
        let started = Timestamp::from_second(now.as_second()).unwrap_or(now);
        Self {
            catalog,
            clock,
            started,
            tape: Mutex::new(Tape {
                secrets,
                ..Tape::default()
            }),
        }
    }

    /// Returns when it began: the clock of a replay.
    pub fn started(&self) -> Timestamp {
        self.started
    }

    /// Notes a call that is about to be made; `None` when its answer is not to be kept.
    pub fn begin(&self, call: &Call) -> Option<Awaited> {
        let host = call.host.as_deref().unwrap_or_default();
        let subject = Subject::of(&self.catalog, call);
        let address = Address::parse(&url_of(call));
        let mut tape = self.tape();
        if let Some((provider, _)) = self.catalog.by_host(host) {
            let query = address.map(|address| address.query).unwrap_or_default();
            tape.secrets.add_request(provider, &call.headers, &query);
        }
        match subject {
            Ok(subject) => Some(Awaited {
                number: tape.number(),
                subject,
            }),
            Err(why) => {
                tape.leave_out(host, why);
                None
            }
        }
    }

    /// Notes what came back.
    pub fn end(
        &self,
        awaited: Awaited,
        answered_by: By,
        status: StatusCode,
        headers: &HeaderMap,
        body: &Bytes,
    ) {
        let answered_at = self.clock.now();
        let is_encoded = headers
            .get_all("content-encoding")
            .iter()
            .any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"));
        let size = body.len()
            + headers
                .iter()
                .map(|(name, value)| name.as_str().len() + value.len())
                .sum::<usize>();
        let mut tape = self.tape();
        let host = awaited.subject.host.clone();
        if is_encoded || std::str::from_utf8(body).is_err() {
            tape.leave_out(&host, Why::NotText);
        } else if tape.secrets.is_full() {
            tape.leave_out(&host, Why::TooManyKeys);
        } else if tape.calls.len() >= MAX_CALLS || tape.bytes.saturating_add(size) > MAX_BYTES {
            tape.leave_out(&host, Why::Full);
        } else {
            tape.bytes += size;
            tape.calls.push(Taken {
                number: awaited.number,
                subject: awaited.subject,
                answered_at,
                answered_by,
                status,
                headers: headers.clone(),
                body: body.clone(),
            });
        }
    }

    /// Notes a call to a host where only streams are data.
    pub fn not_data(&self, host: &str) {
        self.tape().leave_out(host, Why::NotData);
    }

    /// Notes a connection to a host of the catalog that was carried unread.
    pub fn carried_unread(&self, host: &str, connections: u64) {
        let mut tape = self.tape();
        for _ in 0..connections.min(1_000_000) {
            tape.leave_out(host, Why::CarriedUnread);
        }
    }

    /// Ends the recording; `None` when there are more keys than can be looked for.
    pub fn finish(&self) -> Option<Cassette> {
        let mut tape = std::mem::take(&mut *self.tape());
        tape.calls.sort_by_key(|taken| taken.number);
        let mut cleaner = tape.secrets.cleaner()?;
        let mut secrets = tape.secrets.clone();
        for taken in &tape.calls {
            // What is known is taken out first, so that it keeps its own name.
            let body = cleaner.clean(&String::from_utf8_lossy(&taken.body));
            let headers = lines(&taken.headers, &mut cleaner).join("\n");
            secrets.add_by_look("answer.json", &body);
            secrets.add_by_look("headers.txt", &headers);
        }
        for taken in tape.streams.values() {
            secrets.add_by_look("answer.json", &cleaner.clean(&taken.text()));
        }
        let mut cleaner = secrets.cleaner()?;
        let mut calls: Vec<_> = tape
            .calls
            .iter()
            .map(|taken| taken.written(&mut cleaner))
            .collect();
        // The sequence of what was asked at once differs from run to run; that of one address counts.
        calls.sort_by_cached_key(Recorded::subject);
        let streams = tape.streams.values();
        let mut streams: Vec<_> = streams.map(|taken| taken.written(&mut cleaner)).collect();
        streams.sort_by_cached_key(RecordedStream::subject);
        let left_out = tape.left_out.iter().map(|((host, why), calls)| LeftOut {
            host: cleaner.clean(host),
            why: *why,
            calls: *calls,
        });
        let left_out: Vec<_> = left_out.collect();
        // A program that knows no streams reads what has none.
        let is_newer = !streams.is_empty() || left_out.iter().any(|out| out.why == Why::NotOpened);
        let redacted = cleaner.replaced().map(|(placeholder, times)| Redacted {
            placeholder: placeholder.to_owned(),
            times,
        });
        Some(Cassette {
            schema_version: if is_newer {
                SCHEMA_VERSION
            } else {
                WITHOUT_STREAMS
            },
            kind: KIND.to_owned(),
            recorded_at: self.started,
            redacted: redacted.collect(),
            left_out,
            calls,
            streams,
        })
    }

    pub(super) fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn tape(&self) -> MutexGuard<'_, Tape> {
        self.tape.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tape {
    /// Returns a number that is larger than every one before it.
    pub(super) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    pub(super) fn leave_out(&mut self, host: &str, why: Why) {
        let key = (host.to_owned(), why);
        if self.left_out.len() < MAX_HOSTS || self.left_out.contains_key(&key) {
            *self.left_out.entry(key).or_default() += 1;
        }
    }
}

impl Taken {
    fn written(&self, cleaner: &mut Cleaner) -> Recorded {
        let subject = self.subject.cleaned(cleaner);
        let body = cleaner.clean(&String::from_utf8_lossy(&self.body));
        Recorded {
            provider: subject.provider,
            method: Method::Get,
            host: subject.host,
            path: subject.path,
            query: subject.query,
            answered_at: self.answered_at,
            answered_by: self.answered_by,
            status: self.status.as_u16(),
            headers: lines(&self.headers, cleaner),
            body: pieces(&body),
        }
    }
}

/// Writes the headers that are kept, without keys.
fn lines(headers: &HeaderMap, cleaner: &mut Cleaner) -> Vec<String> {
    let kept = headers
        .iter()
        .filter(|(name, _)| !NEVER.contains(&name.as_str()));
    let mut lines: Vec<String> = kept
        .filter_map(|(name, value)| {
            let value = cleaner.clean(value.to_str().ok()?);
            Some(format!("{name}: {value}"))
        })
        .collect();
    lines.sort();
    lines
}

#[cfg(test)]
pub(super) mod tests {
    use tradewind_host::egress::{HeaderName, HeaderValue, Method as Http};

    use super::super::call::tests::call;
    use super::*;

    const BARS: &str = "/v2/stocks/bars?symbols=AAPL&timeframe=1Day";
    const HOST: &str = "data.alpaca.markets";

    #[derive(Debug)]
    struct At(i64);

    impl Clock for At {
        fn now(&self) -> Timestamp {
            Timestamp::from_second(self.0).unwrap()
        }
    }

    pub(in super::super) fn recorder() -> Recorder {
        let secrets = Secrets::of_environment(Catalog::builtin_shared(), |name| {
            (name == "APCA_API_KEY_ID").then(|| "key-in-a-variable".to_owned())
        });
        let catalog = Arc::new(Catalog::builtin());
        Recorder::new(catalog, Arc::new(At(1_700_000_000)), secrets)
    }

    fn answered(recorder: &Recorder, path: &str, headers: &[(&str, &str)], body: &str) {
        let awaited = recorder.begin(&call(Http::GET, HOST, path)).unwrap();
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_bytes(name.as_bytes()).unwrap(),
                    HeaderValue::from_str(value).unwrap(),
                )
            })
            .collect();
        let body = Bytes::copy_from_slice(body.as_bytes());
        recorder.end(awaited, By::Provider, StatusCode::OK, &headers, &body);
    }

    #[test]
    fn a_key_that_is_used_last_is_taken_out_of_the_first_answer() {
        let recorder = recorder();
        let leaky = r#"{"bars": {}, "hint": "late-key-of-ours or key-in-a-variable"}"#;
        answered(
            &recorder,
            BARS,
            &[("x-echo", "late-key-of-ours"), ("set-cookie", "sid=1")],
            leaky,
        );
        let mut last = call(Http::POST, "paper-api.alpaca.markets", "/v2/orders");
        last.headers
            .insert("apca-api-secret-key", "late-key-of-ours".parse().unwrap());
        last.body = Bytes::from_static(b"{\"client\": \"order-of-ours\"}");
        assert!(recorder.begin(&last).is_none());
        let cassette = recorder.finish().unwrap();
        let text = cassette.to_text();
        for gone in ["of-ours", "key-in-a-variable", "set-cookie", "/v2/orders"] {
            assert!(!text.contains(gone), "{gone}: {text}");
        }
        assert_eq!(
            cassette.calls[0].headers,
            ["x-echo: REDACTED-alpaca-secret"]
        );
        let out = &cassette.left_out[0];
        assert_eq!(
            (out.host.as_str(), out.why, out.calls),
            ("paper-api.alpaca.markets", Why::NotData, 1)
        );
        assert_eq!(Cassette::parse(text.as_bytes()).unwrap(), cassette);
    }

    #[test]
    fn what_looks_like_a_key_has_the_same_name_wherever_it_stands() {
        let recorder = recorder();
        let token = format!("ghp_{}", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8");
        answered(
            &recorder,
            BARS,
            &[],
            &format!("{{\"next_page_token\": \"{token}\"}}"),
        );
        answered(&recorder, &format!("{BARS}&page_token={token}"), &[], "{}");
        let cassette = recorder.finish().unwrap();
        assert!(!cassette.to_text().contains(&token));
        let name = cassette.redacted[0].placeholder.clone();
        assert!(name.starts_with("REDACTED-1-"), "{name}");
        // Whoever plays it follows the page that the first answer names.
        assert!(
            cassette
                .calls
                .iter()
                .any(|call| call.query.contains(&format!("page_token={name}")))
        );
        assert!(
            cassette
                .calls
                .iter()
                .any(|call| call.body.concat().contains(&name))
        );
    }

    #[test]
    fn calls_of_one_address_keep_their_sequence_and_addresses_are_sorted() {
        let recorder = recorder();
        answered(
            &recorder,
            "/v2/stocks/bars?symbols=MSFT&timeframe=1Day",
            &[],
            "1",
        );
        answered(&recorder, BARS, &[], "2");
        answered(
            &recorder,
            "/v2/stocks/bars?timeframe=1Day&symbols=AAPL",
            &[],
            "3",
        );
        let calls = recorder.finish().unwrap().calls;
        let bodies: Vec<_> = calls.iter().map(|call| call.body.concat()).collect();
        assert_eq!(bodies, ["2", "3", "1"]);
    }

    #[test]
    fn what_cannot_be_read_or_does_not_fit_is_left_out_and_told() {
        let recorder = recorder();
        answered(&recorder, BARS, &[("content-encoding", "br")], "x");
        let awaited = recorder.begin(&call(Http::GET, HOST, BARS)).unwrap();
        let binary = Bytes::from_static(b"\xff\xfe");
        recorder.end(
            awaited,
            By::Provider,
            StatusCode::OK,
            &HeaderMap::new(),
            &binary,
        );
        let awaited = recorder.begin(&call(Http::GET, HOST, BARS)).unwrap();
        let large = Bytes::from(vec![b'x'; MAX_BYTES + 1]);
        recorder.end(
            awaited,
            By::Provider,
            StatusCode::OK,
            &HeaderMap::new(),
            &large,
        );
        recorder.carried_unread("stream.data.alpaca.markets", 2);
        let cassette = recorder.finish().unwrap();
        assert!(cassette.calls.is_empty());
        let left_out: Vec<_> = cassette
            .left_out
            .iter()
            .map(|out| (out.why, out.calls))
            .collect();
        assert_eq!(
            left_out,
            [(Why::NotText, 2), (Why::Full, 1), (Why::CarriedUnread, 2)]
        );
    }
}
