//! Cassettes: what a program asked providers and what they said, written down without keys, to be played
//! again without a network.
//!
//! Why: a test that asks a live provider is slow, fails with its network and says something else each day.
//! One recording makes it run offline and the same each time. A cassette is committed beside the tests, so
//! it is text whose lines change where an answer changes: calls stand by address, a body in pieces of a row.
//! What is kept: calls that the catalog knows as reading data. Of everything else, an order above all,
//! only the host and how many there were. What was said on streams is kept connection by connection, in its
//! sequence. Keys never: [`crate::redact`].
//! Not here: who makes the calls (the proxy of `exec`), where the file lies.

pub mod call;
pub mod listening;
pub mod player;
pub mod recorder;
pub mod reel;
mod spoken;
pub mod stream;
pub mod tap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tradewind_catalog::endpoint::Method;
use tradewind_host::egress::{HeaderMap, HeaderName, HeaderValue, StatusCode};

pub use call::Subject;
pub use player::{Played, Player, Refusal};
pub use recorder::Recorder;
pub use reel::{Next, Reel};
pub use stream::{Ending, From, RecordedStream};

/// Newest version of the format.
pub const SCHEMA_VERSION: u32 = 2;
/// The version without streams. A recording without any is still written in it: nothing in it is new.
const WITHOUT_STREAMS: u32 = 1;
/// Upper bound on a file that is read, in bytes.
pub const MAX_FILE_BYTES: u64 = 256 * 1024 * 1024;
/// What every cassette says of itself.
const KIND: &str = "tradewind-cassette";
/// Characters after which a body goes on in the next line.
const MAX_PIECE: usize = 2_000;

/// A recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cassette {
    /// Version of the format.
    pub schema_version: u32,
    /// Always `tradewind-cassette`.
    pub kind: String,
    /// When the program was started: the clock that a replay has.
    pub recorded_at: Timestamp,
    /// Calls that are not in here.
    pub left_out: Vec<LeftOut>,
    /// What was taken out of the texts.
    pub redacted: Vec<Redacted>,
    /// Calls by address; those of one address in the sequence in which they were made.
    pub calls: Vec<Recorded>,
    /// Connections to streams by address; those of one address in the sequence in which they were opened.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub streams: Vec<RecordedStream>,
}

/// Calls that were made and are not in the cassette; nothing of their content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// Host of the catalog.
    pub host: String,
    /// Why.
    pub why: Why,
    /// How many calls, or connections where they were carried unread.
    pub calls: u64,
}

/// Why a call is not in a cassette.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The catalog does not know it as one that reads data: orders, accounts, everything else.
    NotData,
    /// It reads data and has a body.
    HasBody,
    /// Its answer is compressed or no text: what cannot be read cannot be cleaned.
    NotText,
    /// The connection was carried unread: to a host that judges a client by its TLS, or at a port that is not
    /// the catalog's.
    CarriedUnread,
    /// The provider did not open a stream.
    NotOpened,
    /// The cassette is full.
    Full,
    /// The program used more different keys than can be watched.
    TooManyKeys,
}

impl Why {
    /// Says it to a person.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotData => "is no call for data",
            Self::HasBody => "asks for data with a body",
            Self::NotText => "has an answer or a message that is no plain text",
            Self::CarriedUnread => "was carried unread",
            Self::NotOpened => "was to open a stream and was refused",
            Self::Full => "no longer fits",
            Self::TooManyKeys => "came after more keys than can be watched",
        }
    }
}

/// Something that was taken out, and how often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redacted {
    /// What stands in its place.
    pub placeholder: String,
    /// How often.
    pub times: u64,
}

/// One call and its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// Provider in the catalog.
    pub provider: String,
    /// Always GET.
    pub method: Method,
    /// Host that was asked.
    pub host: String,
    /// Path, as it came.
    pub path: String,
    /// Parameters `name=value`, decoded, sorted, without keys.
    pub query: Vec<String>,
    /// When the answer was there.
    pub answered_at: Timestamp,
    /// Who answered: a refusal or an outage may be the gateway's own word.
    pub answered_by: By,
    /// Status.
    pub status: u16,
    /// Headers `name: value`, sorted.
    pub headers: Vec<String>,
    /// Body; its pieces, one after the other, are the whole.
    pub body: Vec<String>,
}

/// Who answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The provider.
    Provider,
    /// The gateway: it held the call back, or nobody was heard.
    Gateway,
}

/// Why a file is no cassette that can be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CassetteError {
    /// It is no cassette.
    #[error("it is no cassette")]
    NotOne,
    /// It is damaged, or was changed by hand.
    #[error("it does not have the form of a cassette")]
    Form(#[source] serde_json::Error),
    /// A newer program wrote it.
    #[error("it has version {0}, and this program reads up to {SCHEMA_VERSION}")]
    Version(u32),
    /// A stream in it cannot be played.
    #[error("stream {place} cannot be played: {what}")]
    Stream {
        /// Which, from 1.
        place: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// A call in it cannot be played.
    #[error("call {place} cannot be played: {what}")]
    Call {
        /// Which, from 1.
        place: usize,
        /// What is wrong.
        what: &'static str,
    },
}

impl Cassette {
    /// Reads a cassette.
    ///
    /// # Errors
    /// [`CassetteError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, CassetteError> {
        /// What tells a cassette from other files, and its version.
        #[derive(Deserialize)]
        struct Head {
            schema_version: u32,
            kind: String,
        }
        let head: Head =
            serde_json::from_slice(bytes).map_err(|_other_file| CassetteError::NotOne)?;
        if head.kind != KIND {
            return Err(CassetteError::NotOne);
        }
        if !(WITHOUT_STREAMS..=SCHEMA_VERSION).contains(&head.schema_version) {
            return Err(CassetteError::Version(head.schema_version));
        }
        let cassette: Self = serde_json::from_slice(bytes).map_err(CassetteError::Form)?;
        for (index, call) in cassette.calls.iter().enumerate() {
            let wrong = |what| CassetteError::Call {
                place: index + 1,
                what,
            };
            if call.method != Method::Get {
                return Err(wrong("only GET is ever recorded"));
            }
            if StatusCode::from_u16(call.status).is_err() || call.status < 200 {
                return Err(wrong("its status is none"));
            }
            if call.header_map().is_none() {
                return Err(wrong("a header has no name or holds what no header can"));
            }
        }
        for (index, stream) in cassette.streams.iter().enumerate() {
            if let Some(what) = stream.fault() {
                let place = index + 1;
                return Err(CassetteError::Stream { place, what });
            }
        }
        Ok(cassette)
    }

    /// Writes it as text that ends with a line feed.
    pub fn to_text(&self) -> String {
        // Maps have text as keys and no number is infinite: nothing here can be refused.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }
}

impl Recorded {
    /// Returns what it is found by.
    pub fn subject(&self) -> Subject {
        Subject {
            provider: self.provider.clone(),
            host: self.host.clone(),
            path: self.path.clone(),
            query: self.query.clone(),
        }
    }

    /// Returns its headers; `None` when a line is none.
    pub fn header_map(&self) -> Option<HeaderMap> {
        let mut headers = HeaderMap::new();
        for line in &self.headers {
            let (name, value) = line.split_once(": ")?;
            headers.append(
                HeaderName::from_bytes(name.as_bytes()).ok()?,
                HeaderValue::from_str(value).ok()?,
            );
        }
        Some(headers)
    }
}

/// Breaks a body where a person would: behind a line feed, and between the rows of JSON.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut piece = String::new();
    let mut before = ' ';
    for c in text.chars() {
        piece.push(c);
        let is_between = c == ',' && matches!(before, '}' | ']');
        if c == '\n' || is_between || piece.len() >= MAX_PIECE {
            pieces.push(std::mem::take(&mut piece));
        }
        before = c;
    }
    if !piece.is_empty() {
        pieces.push(piece);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_body_breaks_between_rows_and_behind_lines() {
        assert_eq!(
            pieces("[[1,2],[3,4]]\n{\"a\":1},x"),
            ["[[1,2],", "[3,4]]\n", "{\"a\":1},", "x"]
        );
        assert!(pieces("").is_empty());
    }

    proptest! {
        #[test]
        fn a_cassette_that_was_changed_by_hand_is_read_or_refused(
            at in 0..6_000_usize,
            piece in "[\\PC\\n\"{}\\[\\],:0-9]{0,12}",
        ) {
            let mut text = include_str!("../tests/cassette-2.json").to_owned();
            let at = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap();
            text.insert_str(at, &piece);
            if let Ok(cassette) = Cassette::parse(text.as_bytes()) {
                let again = Cassette::parse(cassette.to_text().as_bytes()).unwrap();
                prop_assert_eq!(again, cassette);
            }
        }

        #[test]
        fn the_pieces_of_a_body_are_the_whole(text in "[\\PC\\n,}\\]]{0,4000}") {
            prop_assert_eq!(pieces(&text).concat(), text);
        }
    }

    #[test]
    fn a_cassette_of_version_1_is_read_for_ever() {
        let text = include_str!("../tests/cassette.json");
        let cassette = Cassette::parse(text.as_bytes()).unwrap();
        assert_eq!(cassette.calls.len(), 2);
        assert_eq!(cassette.to_text(), text);
    }

    #[test]
    fn a_cassette_of_version_2_is_read_for_ever() {
        let text = include_str!("../tests/cassette-2.json");
        let cassette = Cassette::parse(text.as_bytes()).unwrap();
        assert_eq!(cassette.streams.len(), 2);
        assert_eq!(cassette.to_text(), text);
        let broken = text.replace("\"< [{", "\"[{");
        assert_eq!(
            Cassette::parse(broken.as_bytes()).unwrap_err().to_string(),
            "stream 1 cannot be played: a line of its frames begins with neither `> ` nor `< `"
        );
    }

    #[test]
    fn the_page_about_the_format_names_every_field_and_every_reason() {
        let page = include_str!("../../../docs/reference/cassette.md");
        let call = Recorded {
            provider: String::new(),
            method: Method::Get,
            host: String::new(),
            path: String::new(),
            query: Vec::new(),
            answered_at: Timestamp::UNIX_EPOCH,
            answered_by: By::Gateway,
            status: 200,
            headers: Vec::new(),
            body: Vec::new(),
        };
        let whys = [
            Why::NotData,
            Why::HasBody,
            Why::NotText,
            Why::CarriedUnread,
            Why::NotOpened,
            Why::Full,
            Why::TooManyKeys,
        ];
        let ends = [
            Ending::Open,
            Ending::Cut,
            Ending::Full,
            stream::closed(Some((1000, String::new()))),
        ];
        let streams = ends.map(|end| RecordedStream {
            provider: String::new(),
            host: String::new(),
            path: String::new(),
            query: Vec::new(),
            opened_at: Timestamp::UNIX_EPOCH,
            protocol: None,
            frames: Vec::new(),
            end,
        });
        let cassette = Cassette {
            schema_version: SCHEMA_VERSION,
            kind: KIND.to_owned(),
            recorded_at: Timestamp::UNIX_EPOCH,
            left_out: vec![LeftOut {
                host: String::new(),
                why: Why::Full,
                calls: 1,
            }],
            redacted: vec![Redacted {
                placeholder: String::new(),
                times: 1,
            }],
            calls: vec![call],
            streams: streams.into(),
        };
        let text = cassette.to_text() + &serde_json::to_string(&whys).unwrap();
        let mut words: Vec<_> = text.split('"').skip(1).step_by(2).collect();
        words.retain(|word| {
            word.chars()
                .all(|c| c.is_ascii_lowercase() || "_-".contains(c))
        });
        words.retain(|word| !word.is_empty());
        assert!(words.len() > 20, "{words:?}");
        for word in words {
            assert!(page.contains(&format!("`{word}`")), "{word}");
        }
    }

    #[test]
    fn what_is_no_cassette_is_told_apart_from_one_that_is_damaged() {
        let is = |text: &str| Cassette::parse(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(is("not json"), "it is no cassette");
        assert_eq!(is(r#"{"name": "x"}"#), "it is no cassette");
        assert_eq!(
            is(r#"{"schema_version": 1, "kind": "tradewind-audit"}"#),
            "it is no cassette"
        );
        assert_eq!(
            is(r#"{"schema_version": 7, "kind": "tradewind-cassette", "more": 1}"#),
            "it has version 7, and this program reads up to 2"
        );
        assert_eq!(
            is(r#"{"schema_version": 1, "kind": "tradewind-cassette", "calls": []}"#),
            "it does not have the form of a cassette"
        );
        let call = |from: &str, to: &str| {
            let text = r#"{"schema_version": 1, "kind": "tradewind-cassette", "recorded_at": "2026-01-01T00:00:00Z",
                "left_out": [], "redacted": [], "calls": [{"provider": "fred", "method": "GET", "host": "a.example", "path": "/",
                "query": [], "answered_at": "2026-01-01T00:00:00Z", "answered_by": "provider", "status": 200,
                "headers": ["date: x"], "body": []}]}"#;
            Cassette::parse(text.replace(from, to).as_bytes())
        };
        assert!(call("", "").is_ok());
        assert!(call("GET", "POST").is_err());
        assert!(call("200", "7").is_err());
        assert!(call("200", "101").is_err());
        assert!(call("date: x", "date").is_err());
        assert!(call("date: x", "da te: x").is_err());
    }
}
