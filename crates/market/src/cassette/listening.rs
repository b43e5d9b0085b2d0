//! Records what is said on streams: each connection apart, in memory, as everything of a recording.
//!
//! What it decides: which connections are recorded (those to where a provider pushes data, as long as nothing on
//! them is about an account), and where a recording of one ends. One that is about an account, or that has
//! something on it that cannot be read, is forgotten whole: a part of it would be played as if it were all.
//! One that no longer fits is kept as far as it did. Not here: what is taken out at the end ([`super::recorder`]).

use jiff::Timestamp;
use tradewind_catalog::url::Address;
use tradewind_host::egress::HeaderMap;

use super::call::{Subject, url};
use super::recorder::{MAX_BYTES, Recorder, Tape};
use super::stream::{Ending, From, RecordedStream, closed, fitting};
use super::tap::Seen;
use super::{Why, spoken};
use crate::redact::Cleaner;

/// Upper bound on messages of all connections that are kept.
const MAX_FRAMES: usize = 500_000;
/// Upper bound on connections that are kept.
const MAX_STREAMS: usize = 10_000;
/// What a message takes beside its text.
const OVERHEAD_BYTES: usize = 48;

/// A connection that is about to be opened, and is to be recorded.
#[derive(Debug)]
pub struct Opening {
    number: u64,
    subject: Subject,
}

/// A connection that is recorded, for as long as it is open.
#[derive(Clone, Copy, Debug)]
pub struct Listening {
    number: u64,
}

/// A connection as it was.
#[derive(Debug)]
pub(super) struct Taken {
    subject: Subject,
    opened_at: Timestamp,
    protocol: Option<String>,
    frames: Vec<(From, String)>,
    end: Option<Ending>,
    bytes: usize,
}

impl Recorder {
    /// Notes a handshake that is about to be made; `None` when the connection is not to be kept.
    pub fn begin_stream(
        &self,
        host: &str,
        path_and_query: &str,
        headers: &HeaderMap,
    ) -> Option<Opening> {
        let subject = Subject::of_stream(self.catalog(), host, path_and_query);
        let address = Address::parse(&url(host, path_and_query));
        let mut tape = self.tape();
        if let Some((provider, _)) = self.catalog().by_host(host) {
            let query = address.map(|address| address.query).unwrap_or_default();
            tape.secrets.add_request(provider, headers, &query);
        }
        match subject {
            Ok(subject) => Some(Opening {
                number: tape.number(),
                subject,
            }),
            Err(why) => {
                tape.leave_out(host, why);
                None
            }
        }
    }

    /// Notes that the provider did not open it.
    pub fn not_opened(&self, opening: &Opening) {
        self.tape().leave_out(&opening.subject.host, Why::NotOpened);
    }

    /// Notes that it is open; `None` when it does not fit.
    pub fn opened(&self, opening: Opening, protocol: Option<String>) -> Option<Listening> {
        let opened_at = self.now();
        let mut tape = self.tape();
        if tape.secrets.is_full() || tape.streams.len() >= MAX_STREAMS {
            let why = if tape.secrets.is_full() {
                Why::TooManyKeys
            } else {
                Why::Full
            };
            tape.leave_out(&opening.subject.host, why);
            return None;
        }
        let number = opening.number;
        tape.streams.insert(
            number,
            Taken {
                subject: opening.subject,
                opened_at,
                protocol,
                frames: Vec::new(),
                end: None,
                bytes: 0,
            },
        );
        Some(Listening { number })
    }

    /// Notes what went by. Called before it is handed on, so that causes stand before what follows from them.
    pub fn seen(&self, listening: Listening, from: From, seen: Seen) {
        let mut tape = self.tape();
        let is_open = |taken: &Taken| taken.end.is_none();
        if !tape.streams.get(&listening.number).is_some_and(is_open) {
            return;
        }
        match (from, seen) {
            (From::Program, Seen::Text(text)) => {
                let spoken = spoken::read(&text);
                if spoken.is_private {
                    return tape.forget(listening, Why::NotData);
                }
                tape.secrets.add_found(&spoken.keys);
                if tape.secrets.is_full() {
                    return tape.forget(listening, Why::TooManyKeys);
                }
                tape.keep(listening, from, spoken.text);
            }
            (From::Provider, Seen::Text(text)) => tape.keep(listening, from, text),
            (_, Seen::Unreadable) => tape.forget(listening, Why::NotText),
            (_, Seen::TooLong) => tape.cut_short(listening),
            (From::Program, Seen::Close(_)) => tape.end(listening, Ending::Open),
            (From::Provider, Seen::Close(said)) => tape.end(listening, closed(said)),
        }
    }

    /// Notes that a side is gone.
    pub fn gone(&self, listening: Listening, from: From) {
        let end = match from {
            From::Program => Ending::Open,
            From::Provider => Ending::Cut,
        };
        self.tape().end(listening, end);
    }
}

impl Tape {
    fn keep(&mut self, listening: Listening, from: From, text: String) {
        let size = text.len().saturating_add(OVERHEAD_BYTES);
        let is_full = self.bytes.saturating_add(size) > MAX_BYTES || self.frames >= MAX_FRAMES;
        if is_full {
            return self.cut_short(listening);
        }
        if let Some(taken) = self.streams.get_mut(&listening.number) {
            taken.frames.push((from, text));
            taken.bytes += size;
            self.bytes += size;
            self.frames += 1;
        }
    }

    fn cut_short(&mut self, listening: Listening) {
        if let Some(taken) = self.streams.get_mut(&listening.number) {
            taken.end = Some(Ending::Full);
            let host = taken.subject.host.clone();
            self.leave_out(&host, Why::Full);
        }
    }

    fn forget(&mut self, listening: Listening, why: Why) {
        if let Some(taken) = self.streams.remove(&listening.number) {
            self.bytes -= taken.bytes.min(self.bytes);
            self.frames -= taken.frames.len().min(self.frames);
            self.leave_out(&taken.subject.host, why);
        }
    }

    /// The side that ended it is the one that said so first.
    fn end(&mut self, listening: Listening, end: Ending) {
        if let Some(taken) = self.streams.get_mut(&listening.number) {
            taken.end.get_or_insert(end);
        }
    }
}

impl Taken {
    /// Returns what was said, for whoever looks for keys in it.
    pub(super) fn text(&self) -> String {
        let mut text = String::with_capacity(self.bytes);
        for (_, frame) in &self.frames {
            text.push_str(frame);
            text.push('\n');
        }
        if let Some(Ending::Closed { reason, .. }) = &self.end {
            text.push_str(reason);
        }
        text
    }

    pub(super) fn written(&self, cleaner: &mut Cleaner) -> RecordedStream {
        let subject = self.subject.cleaned(cleaner);
        let mut line =
            |(from, text): &(From, String)| format!("{}{}", from.mark(), cleaner.clean(text));
        let frames = self.frames.iter().map(&mut line).collect();
        let end = match self.end.clone().unwrap_or(Ending::Open) {
            Ending::Closed { code, reason } => Ending::Closed {
                code,
                reason: fitting(&cleaner.clean(&reason)),
            },
            other => other,
        };
        let mut stream = RecordedStream {
            provider: subject.provider,
            host: subject.host,
            path: subject.path,
            query: subject.query,
            opened_at: self.opened_at,
            protocol: self.protocol.clone(),
            frames,
            end,
        };
        // A provider may say what nobody may; then the connection ended without a word.
        if stream.fault().is_some() {
            stream.protocol = None;
        }
        if stream.fault().is_some() {
            stream.end = Ending::Cut;
        }
        stream
    }
}

#[cfg(test)]
mod tests {
    use super::super::recorder::tests::recorder;
    use super::super::{Cassette, SCHEMA_VERSION};
    use super::*;

    const HOST: &str = "stream.data.alpaca.markets";

    fn open(recorder: &Recorder, path: &str) -> Listening {
        let opening = recorder.begin_stream(HOST, path, &HeaderMap::new());
        recorder.opened(opening.unwrap(), None).unwrap()
    }

    fn says(recorder: &Recorder, listening: Listening, from: From, text: &str) {
        recorder.seen(listening, from, Seen::Text(text.to_owned()));
    }

    fn left_out(cassette: &Cassette) -> Vec<(Why, u64)> {
        let all = cassette.left_out.iter();
        all.map(|out| (out.why, out.calls)).collect()
    }

    #[test]
    fn a_key_that_a_message_shows_is_in_nothing_that_was_said_before_it() {
        let recorder = recorder();
        let listening = open(&recorder, "/v2/iex?token=query-of-ours&feed=iex");
        says(
            &recorder,
            listening,
            From::Provider,
            "[\"hello, late-key-of-ours\"]",
        );
        says(
            &recorder,
            listening,
            From::Program,
            r#"{"action":"auth","key":"short","secret":"late-key-of-ours"}"#,
        );
        says(
            &recorder,
            listening,
            From::Provider,
            r#"{"echo":"key-in-a-variable query-of-ours"}"#,
        );
        recorder.seen(
            listening,
            From::Provider,
            Seen::Close(Some((1008, "no, late-key-of-ours".to_owned()))),
        );
        let cassette = recorder.finish().unwrap();
        let text = cassette.to_text();
        for gone in ["of-ours", "key-in-a-variable", "short"] {
            assert!(!text.contains(gone), "{gone}: {text}");
        }
        let stream = &cassette.streams[0];
        assert_eq!(stream.query, ["feed=iex"]);
        assert_eq!(
            stream.frames,
            [
                r#"< ["hello, REDACTED-secret"]"#,
                r#"> {"action":"auth","key":"REDACTED-key","secret":"REDACTED-secret"}"#,
                r#"< {"echo":"REDACTED-alpaca-key REDACTED-token"}"#,
            ]
        );
        let reason = "no, REDACTED-secret".to_owned();
        assert_eq!(
            stream.end,
            Ending::Closed {
                code: Some(1008),
                reason
            }
        );
        assert_eq!(cassette.schema_version, SCHEMA_VERSION);
        assert_eq!(Cassette::parse(text.as_bytes()).unwrap(), cassette);
    }

    #[test]
    fn an_account_and_what_cannot_be_read_are_forgotten_whole() {
        let recorder = recorder();
        let private = open(&recorder, "/v2/iex");
        says(&recorder, private, From::Provider, "before");
        says(
            &recorder,
            private,
            From::Program,
            r#"{"action":"listen","data":{"streams":["trade_updates"]}}"#,
        );
        says(&recorder, private, From::Provider, "order-of-ours");
        let binary = open(&recorder, "/v2/iex");
        says(&recorder, binary, From::Provider, "begun");
        recorder.seen(binary, From::Provider, Seen::Unreadable);
        // Neither are accounts of a broker, nor an address that is one user's own.
        for (host, path) in [
            ("paper-api.alpaca.markets", "/stream"),
            (
                "stream.binance.com",
                "/ws/pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sdf19v8a65a1",
            ),
        ] {
            assert!(
                recorder
                    .begin_stream(host, path, &HeaderMap::new())
                    .is_none()
            );
        }
        let refused = recorder
            .begin_stream(HOST, "/v2/sip", &HeaderMap::new())
            .unwrap();
        recorder.not_opened(&refused);
        let cassette = recorder.finish().unwrap();
        assert!(cassette.streams.is_empty(), "{cassette:?}");
        assert!(!cassette.to_text().contains("of-ours"));
        let mut out = left_out(&cassette);
        out.sort();
        assert_eq!(
            out,
            [
                (Why::NotData, 1),
                (Why::NotData, 1),
                (Why::NotData, 1),
                (Why::NotText, 1),
                (Why::NotOpened, 1)
            ]
        );
    }

    #[test]
    fn what_no_longer_fits_is_kept_as_far_as_it_did_and_told() {
        let recorder = recorder();
        let listening = open(&recorder, "/v2/iex");
        let large = "x".repeat(MAX_BYTES / 2);
        for text in ["small", &large, &large, "not any more"] {
            says(&recorder, listening, From::Provider, text);
        }
        let cassette = recorder.finish().unwrap();
        let stream = &cassette.streams[0];
        assert_eq!((stream.frames.len(), &stream.end), (2, &Ending::Full));
        assert_eq!(left_out(&cassette), [(Why::Full, 1)]);
    }

    #[test]
    fn who_ended_it_is_who_said_so_first() {
        let recorder = recorder();
        let ends: Vec<_> = (0..4).map(|_| open(&recorder, "/v2/iex")).collect();
        recorder.seen(ends[0], From::Program, Seen::Close(None));
        recorder.seen(
            ends[0],
            From::Provider,
            Seen::Close(Some((1000, String::new()))),
        );
        recorder.gone(ends[1], From::Provider);
        recorder.gone(ends[1], From::Program);
        // One that says what may not be said ended without a word.
        recorder.seen(
            ends[2],
            From::Provider,
            Seen::Close(Some((1006, String::new()))),
        );
        let streams = recorder.finish().unwrap().streams;
        let ends: Vec<_> = streams.into_iter().map(|stream| stream.end).collect();
        assert_eq!(ends, [Ending::Open, Ending::Cut, Ending::Cut, Ending::Open]);
    }
}
