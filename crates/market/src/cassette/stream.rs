//! One connection to a stream in a cassette: what was said on it, by whom, in which sequence, and how it ended.
//!
//! Why lines: a message is one line of the file, `> ` in front of what the program said and `< ` of what came,
//! so that a diff shows messages. Why no time at each: a replay does not wait as the market did, and every
//! line would differ each time. Not here: recording ([`super::recorder`]), playing ([`super::reel`]).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tradewind_host::egress::HeaderValue;

use super::call::Subject;

/// Upper bound on the reason of an end, in bytes: a frame that closes holds no more (RFC 6455 §5.5).
pub(super) const MAX_REASON_BYTES: usize = 123;

/// A connection, and what was said on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedStream {
    /// Provider in the catalog.
    pub provider: String,
    /// Host.
    pub host: String,
    /// Path, as it came.
    pub path: String,
    /// Parameters `name=value`, decoded, sorted, without keys.
    pub query: Vec<String>,
    /// When it was open.
    pub opened_at: Timestamp,
    /// What was agreed to be spoken on it, where something was.
    pub protocol: Option<String>,
    /// What was said: `> ` and what the program said, `< ` and what it heard.
    pub frames: Vec<String>,
    /// How it ended.
    pub end: Ending,
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "snake_case", deny_unknown_fields)]
pub enum Ending {
    /// The program ended it, or itself. A replay keeps it open until the program does so again.
    Open,
    /// The provider said that it ends.
    Closed {
        /// Code, where it said one.
        code: Option<u16>,
        /// Reason.
        reason: String,
    },
    /// The provider was gone without a word.
    Cut,
    /// What came then no longer fitted. A replay keeps it open and has nothing more to say.
    Full,
}

/// Who said something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum From {
    /// The program.
    Program,
    /// The provider.
    Provider,
}

impl From {
    /// Returns what its lines begin with.
    pub(super) const fn mark(self) -> &'static str {
        match self {
            Self::Program => "> ",
            Self::Provider => "< ",
        }
    }
}

/// Reads a line; `None` where nobody said it.
pub(super) fn said(line: &str) -> Option<(From, &str)> {
    [From::Program, From::Provider]
        .into_iter()
        .find_map(|from| Some((from, line.strip_prefix(from.mark())?)))
}

impl RecordedStream {
    /// Returns what it is found by.
    pub fn subject(&self) -> Subject {
        Subject {
            provider: self.provider.clone(),
            host: self.host.clone(),
            path: self.path.clone(),
            query: self.query.clone(),
        }
    }

    /// Says why it cannot be played; `None` when it can.
    pub(super) fn fault(&self) -> Option<&'static str> {
        if !self.frames.iter().all(|line| said(line).is_some()) {
            return Some("a line of its frames begins with neither `> ` nor `< `");
        }
        let is_value = |protocol: &String| {
            let is_plain = |byte: u8| byte.is_ascii_graphic() && !b",;\"".contains(&byte);
            !protocol.is_empty()
                && protocol.bytes().all(is_plain)
                && HeaderValue::from_str(protocol).is_ok()
        };
        if self.protocol.as_ref().is_some_and(|it| !is_value(it)) {
            return Some("its protocol is none");
        }
        match &self.end {
            Ending::Closed { code, reason } => {
                // Those that a frame may hold (RFC 6455 §7.4).
                let is_code = |code: u16| matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
                if code.is_some_and(|code| !is_code(code)) {
                    return Some("the code that it is closed with is none");
                }
                (reason.len() > MAX_REASON_BYTES || (code.is_none() && !reason.is_empty()))
                    .then_some("the reason that it is closed with cannot be said")
            }
            Ending::Open | Ending::Cut | Ending::Full => None,
        }
    }
}

/// Returns how a provider's closing frame is written down: only what may be said again.
pub(super) fn closed(said: Option<(u16, String)>) -> Ending {
    let Some((code, reason)) = said else {
        return Ending::Closed {
            code: None,
            reason: String::new(),
        };
    };
    Ending::Closed {
        code: Some(code),
        reason,
    }
}

/// Returns the beginning of a reason that fits into a frame.
pub(super) fn fitting(reason: &str) -> String {
    let fits = (0..=MAX_REASON_BYTES.min(reason.len())).rev();
    let end = fits.into_iter().find(|end| reason.is_char_boundary(*end));
    reason
        .get(..end.unwrap_or_default())
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> RecordedStream {
        RecordedStream {
            provider: "alpaca".to_owned(),
            host: "stream.data.alpaca.markets".to_owned(),
            path: "/v2/iex".to_owned(),
            query: Vec::new(),
            opened_at: Timestamp::UNIX_EPOCH,
            protocol: None,
            frames: vec!["> {}".to_owned(), "< ".to_owned()],
            end: Ending::Open,
        }
    }

    #[test]
    fn what_cannot_be_said_again_is_refused_when_a_cassette_is_read() {
        assert_eq!(stream().fault(), None);
        let wrong = |change: &dyn Fn(&mut RecordedStream)| {
            let mut stream = stream();
            change(&mut stream);
            assert!(stream.fault().is_some(), "{stream:?}");
        };
        wrong(&|stream| stream.frames.push("{}".to_owned()));
        wrong(&|stream| stream.protocol = Some("a\r\nb".to_owned()));
        wrong(&|stream| stream.protocol = Some(String::new()));
        for code in [0, 999, 1004, 1005, 1006, 1015, 2000, 5000] {
            wrong(&|stream| {
                stream.end = Ending::Closed {
                    code: Some(code),
                    reason: String::new(),
                };
            });
        }
        wrong(&|stream| {
            stream.end = Ending::Closed {
                code: Some(1000),
                reason: "x".repeat(124),
            };
        });
        let mut fine = stream();
        fine.end = Ending::Closed {
            code: Some(1001),
            reason: fitting(&"ü".repeat(100)),
        };
        assert_eq!(fine.fault(), None);
    }

    #[test]
    fn how_it_ended_is_one_object_with_the_word_for_it() {
        let text = |end: &Ending| serde_json::to_string(end).unwrap();
        assert_eq!(text(&Ending::Cut), r#"{"how":"cut"}"#);
        let closed = closed(Some((1001, "away".to_owned())));
        assert_eq!(
            text(&closed),
            r#"{"how":"closed","code":1001,"reason":"away"}"#
        );
        assert_eq!(
            serde_json::from_str::<Ending>(&text(&closed)).unwrap(),
            closed
        );
        assert!(
            serde_json::from_str::<Ending>(r#"{"how":"closed","code":1,"reason":"","x":1}"#)
                .is_err()
        );
    }
}
