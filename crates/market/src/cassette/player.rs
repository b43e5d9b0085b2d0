//! Plays a cassette: answers calls from it, in sequence, and asks nobody.
//!
//! A stream is played connection by connection, each in its sequence ([`super::reel`]).
//! Several answers of one address come in the sequence in which they were recorded; the last one comes again for
//! whoever asks on (a program that polls asks as often as it has time). What is not in it is refused and
//! remembered, so that the end of the run can say what was missing.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use jiff::Timestamp;
use tradewind_catalog::Catalog;
use tradewind_host::egress::{HeaderMap, StatusCode};

use super::call::Subject;
use super::reel::{Heard, Reel};
use super::{Cassette, RecordedStream, Why, spoken};
use crate::pass::Call;
use crate::redact::{Cleaner, Secrets};

/// Upper bound on different refusals that are remembered, and on the length of each.
const MAX_REFUSALS: usize = 1_000;
const MAX_CHARS: usize = 500;

/// Plays one cassette for one run of a program.
#[derive(Debug)]
pub struct Player {
    catalog: Arc<Catalog>,
    recorded_at: Timestamp,
    answers: HashMap<Subject, Vec<Played>>,
    streams: HashMap<Subject, Vec<Arc<RecordedStream>>>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    cleaner: Cleaner,
    next: HashMap<Subject, usize>,
    next_stream: HashMap<Subject, usize>,
    tally: Tally,
}

/// What became of the calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Calls that were answered, by provider.
    pub answered: BTreeMap<String, u64>,
    /// Of these, calls that got the last answer once more.
    pub again: u64,
    /// Connections to streams that were played, by provider.
    pub streams: BTreeMap<String, u64>,
    /// Of these, connections that were the last one once more.
    pub streams_again: u64,
    /// What was asked for and is not there, with what comes close, and how often.
    pub missing: BTreeMap<String, u64>,
    /// What is never played, and how often.
    pub refused: BTreeMap<String, u64>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Played {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is not in the cassette.
    #[error("{0} is not in the cassette")]
    Missing(String),
    /// It is no call for data, so it is neither recorded nor played nor sent.
    #[error("{what} {}, and nothing is sent while a cassette is played", why.as_str())]
    Never {
        /// Method, host and path.
        what: String,
        /// Why.
        why: Why,
    },
}

impl Player {
    /// Plays `cassette`; `secrets` are the keys of whoever plays it. `None` when these are more than can be
    /// looked for.
    pub fn new(catalog: Arc<Catalog>, cassette: Cassette, secrets: &Secrets) -> Option<Self> {
        let mut answers: HashMap<Subject, Vec<Played>> = HashMap::new();
        for call in cassette.calls {
            let played = Played {
                // Both were checked when the cassette was read.
                status: StatusCode::from_u16(call.status).unwrap_or_default(),
                headers: call.header_map().unwrap_or_default(),
                body: Bytes::from(call.body.concat()),
            };
            answers.entry(call.subject()).or_default().push(played);
        }
        let mut streams: HashMap<Subject, Vec<Arc<RecordedStream>>> = HashMap::new();
        for stream in cassette.streams {
            let of = streams.entry(stream.subject()).or_default();
            of.push(Arc::new(stream));
        }
        Some(Self {
            catalog,
            recorded_at: cassette.recorded_at,
            answers,
            streams,
            state: Mutex::new(State {
                cleaner: secrets.cleaner()?,
                next: HashMap::new(),
                next_stream: HashMap::new(),
                tally: Tally::default(),
            }),
        })
    }

    /// Returns when it was recorded: the clock that the program is offered.
    pub fn recorded_at(&self) -> Timestamp {
        self.recorded_at
    }

    /// Answers a call.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn play(&self, call: &Call) -> Result<Played, Refusal> {
        let subject = Subject::of(&self.catalog, call);
        let mut state = self.state();
        let State {
            cleaner,
            next,
            tally,
            ..
        } = &mut *state;
        let subject = match subject {
            Ok(subject) => subject.cleaned(cleaner),
            Err(why) => {
                let path = call.path_and_query.split('?').next().unwrap_or_default();
                let host = call.host.as_deref().unwrap_or_default();
                let what = format!("{} https://{host}{}", call.method, cleaner.clean(path));
                count(&mut tally.refused, &what);
                return Err(Refusal::Never {
                    what: bounded(&what),
                    why,
                });
            }
        };
        let Some(answers) = self.answers.get(&subject) else {
            let what = format!("{subject}{}", self.nearest(&subject));
            count(&mut tally.missing, &what);
            return Err(Refusal::Missing(bounded(&what)));
        };
        *tally.answered.entry(subject.provider.clone()).or_default() += 1;
        let at = next.entry(subject).or_default();
        if *at >= answers.len() {
            tally.again += 1;
        }
        let played = answers.get(*at).or(answers.last());
        *at = (*at).saturating_add(1);
        played
            .cloned()
            .ok_or_else(|| Refusal::Missing(String::new()))
    }

    /// Opens a stream at `host`.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn open(&self, host: &str, path_and_query: &str) -> Result<Reel, Refusal> {
        let subject = Subject::of_stream(&self.catalog, host, path_and_query);
        let mut state = self.state();
        let State {
            cleaner,
            next_stream,
            tally,
            ..
        } = &mut *state;
        let subject = match subject {
            Ok(subject) => subject.cleaned(cleaner),
            Err(why) => {
                // A part of its path may be a key.
                let what = format!("a stream of {host}");
                count(&mut tally.refused, &what);
                return Err(Refusal::Never {
                    what: bounded(&what),
                    why,
                });
            }
        };
        let at = next_stream.entry(subject.clone()).or_default();
        let there = self.streams.get(&subject);
        let Some(stream) = there.and_then(|all| all.get(*at).or(all.last())) else {
            let what = subject.stream_name();
            count(&mut tally.missing, &what);
            return Err(Refusal::Missing(bounded(&what)));
        };
        if there.is_some_and(|all| *at >= all.len()) {
            tally.streams_again += 1;
        }
        *at = (*at).saturating_add(1);
        *tally.streams.entry(subject.provider).or_default() += 1;
        Ok(Reel::new(Arc::clone(stream)))
    }

    /// Takes what the program said on a stream.
    ///
    /// # Errors
    /// [`Refusal`]: it did not say it when it was recorded.
    pub fn hear(&self, reel: &mut Reel, text: &str) -> Result<(), Refusal> {
        let spoken = spoken::read(text);
        let mut state = self.state();
        let text = state.cleaner.clean(&spoken.text);
        if reel.hear(&text) != Heard::Missing {
            return Ok(());
        }
        let what = format!("{text}, said to {}", reel.stream.subject().stream_name());
        count(&mut state.tally.missing, &what);
        Err(Refusal::Missing(bounded(&what)))
    }

    /// Notes that the program said to a stream what no recording has: no text.
    pub fn cannot_hear(&self, reel: &Reel) {
        let what = format!("bytes, said to {}", reel.stream.subject().stream_name());
        count(&mut self.state().tally.missing, &what);
    }

    /// Notes that a connection to `host` was refused: what goes over it could not be played.
    pub fn refuse_connection(&self, host: &str) {
        count(&mut self.state().tally.refused, &format!("CONNECT {host}"));
    }

    /// Returns what became of the calls so far.
    pub fn tally(&self) -> Tally {
        self.state().tally.clone()
    }

    /// Says how what is there differs from what is not.
    fn nearest(&self, asked: &Subject) -> String {
        let shared = |known: &&Subject| {
            let common = known.query.iter().filter(|pair| asked.query.contains(pair));
            (common.count(), std::cmp::Reverse(known.query.clone()))
        };
        let there = self.answers.keys().filter(|known| {
            known.host == asked.host && known.path == asked.path && known.query != asked.query
        });
        let Some(nearest) = there.max_by_key(shared) else {
            return String::new();
        };
        let name = |pair: &String| pair.split('=').next().unwrap_or_default().to_owned();
        let ours = asked
            .query
            .iter()
            .filter(|pair| !nearest.query.contains(pair));
        let theirs = nearest
            .query
            .iter()
            .filter(|pair| !asked.query.contains(pair));
        let mut names: Vec<_> = ours.chain(theirs).map(name).collect();
        names.sort();
        names.dedup();
        format!(" (recorded with another {})", names.join(", "))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bounded(text: &str) -> String {
    text.chars().take(MAX_CHARS).collect()
}

fn count(counts: &mut BTreeMap<String, u64>, what: &str) {
    let what = bounded(what);
    if counts.len() < MAX_REFUSALS || counts.contains_key(&what) {
        *counts.entry(what).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use tradewind_host::egress::Method;

    use super::super::call::tests::call;
    use super::super::{By, Ending, Next, Recorded};
    use super::*;

    const HOST: &str = "data.alpaca.markets";

    fn recorded(query: &[&str], body: &str) -> Recorded {
        Recorded {
            provider: "alpaca".to_owned(),
            method: tradewind_catalog::endpoint::Method::Get,
            host: HOST.to_owned(),
            path: "/v2/stocks/bars".to_owned(),
            query: query.iter().map(|pair| (*pair).to_owned()).collect(),
            answered_at: Timestamp::UNIX_EPOCH,
            answered_by: By::Provider,
            status: 200,
            headers: vec!["content-type: application/json".to_owned()],
            body: vec![body.to_owned()],
        }
    }

    fn player(calls: Vec<Recorded>, secrets: &Secrets) -> Player {
        let cassette = Cassette {
            schema_version: 1,
            kind: super::super::KIND.to_owned(),
            recorded_at: Timestamp::UNIX_EPOCH,
            left_out: Vec::new(),
            redacted: Vec::new(),
            calls,
            streams: Vec::new(),
        };
        Player::new(Arc::new(Catalog::builtin()), cassette, secrets).unwrap()
    }

    fn body(player: &Player, query: &str) -> Result<String, Refusal> {
        let answer = player.play(&call(
            Method::GET,
            HOST,
            &format!("/v2/stocks/bars?{query}"),
        ))?;
        Ok(String::from_utf8(answer.body.to_vec()).unwrap())
    }

    #[test]
    fn answers_come_in_sequence_and_the_last_one_again() {
        let query = ["symbols=AAPL", "timeframe=1Day"];
        let player = player(
            vec![recorded(&query, "1"), recorded(&query, "2")],
            &Secrets::default(),
        );
        let said: Vec<_> = (0..4)
            .map(|_| body(&player, "timeframe=1Day&symbols=AAPL").unwrap())
            .collect();
        assert_eq!(said, ["1", "2", "2", "2"]);
        let tally = player.tally();
        assert_eq!((tally.answered["alpaca"], tally.again), (4, 2));
    }

    #[test]
    fn what_is_missing_is_named_with_what_comes_close() {
        let player = player(
            vec![recorded(
                &["end=2", "start=1", "symbols=AAPL", "timeframe=1Day"],
                "1",
            )],
            &Secrets::default(),
        );
        let refusal = body(
            &player,
            "symbols=AAPL&timeframe=1Day&start=3&end=4&feed=sip",
        )
        .unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "GET https://data.alpaca.markets/v2/stocks/bars?end=4&feed=sip&start=3&symbols=AAPL&timeframe=1Day \
             (recorded with another end, feed, start) is not in the cassette"
        );
        assert_eq!(player.tally().missing.len(), 1);
    }

    #[test]
    fn an_order_is_refused_without_its_parameters() {
        let player = player(Vec::new(), &Secrets::default());
        let order = call(
            Method::POST,
            "paper-api.alpaca.markets",
            "/v2/orders?note=private",
        );
        let refusal = player.play(&order).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "POST https://paper-api.alpaca.markets/v2/orders is no call for data, and nothing is sent while a cassette is played"
        );
        assert_eq!(player.tally().refused.len(), 1);
    }

    #[test]
    fn another_key_in_the_same_place_finds_the_same_answer() {
        let secrets = Secrets::of_environment(Catalog::builtin_shared(), |name| {
            (name == "APCA_API_KEY_ID").then(|| "key-of-the-one-who-plays".to_owned())
        });
        let player = player(
            vec![recorded(
                &["asof=REDACTED-alpaca-key", "symbols=AAPL", "timeframe=1Day"],
                "1",
            )],
            &secrets,
        );
        let query = "symbols=AAPL&timeframe=1Day&asof=key-of-the-one-who-plays";
        assert_eq!(body(&player, query).unwrap(), "1");
    }

    const STREAM: &str = "stream.data.alpaca.markets";

    fn listener(secrets: &Secrets) -> Player {
        let text = include_str!("../../tests/cassette-2.json");
        let cassette = Cassette::parse(text.as_bytes()).unwrap();
        Player::new(Arc::new(Catalog::builtin()), cassette, secrets).unwrap()
    }

    #[test]
    fn connections_come_in_sequence_and_the_last_one_again() {
        let player = listener(&Secrets::default());
        let mut first = player.open(STREAM, "/v2/iex?apiKey=mine").unwrap();
        assert!(matches!(first.next(), Next::Say(text) if text.contains("connected")));
        let own = r#"{"secret":"7","key":"another-key","action":"auth"}"#;
        player.hear(&mut first, own).unwrap();
        assert!(matches!(first.next(), Next::Say(text) if text.contains("authenticated")));
        assert_eq!(first.next(), Next::Wait);
        for _ in 0..2 {
            let mut last = player.open(STREAM, "/v2/iex").unwrap();
            assert_eq!(last.protocol(), Some("json"));
            assert_eq!(last.next(), Next::End(Ending::Open));
        }
        let tally = player.tally();
        assert_eq!((tally.streams["alpaca"], tally.streams_again), (3, 1));
        assert!(tally.missing.is_empty() && tally.refused.is_empty());
    }

    #[test]
    fn a_subscription_that_was_not_recorded_is_named_without_keys() {
        let secrets = Secrets::of_environment(Catalog::builtin_shared(), |name| {
            (name == "APCA_API_KEY_ID").then(|| "key-of-the-one-who-plays".to_owned())
        });
        let player = listener(&secrets);
        let mut reel = player.open(STREAM, "/v2/iex").unwrap();
        let other = r#"{"action":"subscribe","trades":["key-of-the-one-who-plays"]}"#;
        assert_eq!(
            player.hear(&mut reel, other).unwrap_err().to_string(),
            "{\"action\":\"subscribe\",\"trades\":[\"REDACTED-alpaca-key\"]}, said to the stream \
             wss://stream.data.alpaca.markets/v2/iex is not in the cassette"
        );
        let missing = player.open(STREAM, "/v2/sip?b=2&a=1").unwrap_err();
        assert_eq!(
            missing.to_string(),
            "the stream wss://stream.data.alpaca.markets/v2/sip?a=1&b=2 is not in the cassette"
        );
        let never = player
            .open("paper-api.alpaca.markets", "/stream")
            .unwrap_err();
        assert_eq!(
            never.to_string(),
            "a stream of paper-api.alpaca.markets is no call for data, and nothing is sent while a cassette is played"
        );
        let tally = player.tally();
        assert_eq!((tally.missing.len(), tally.refused.len()), (2, 1));
    }
}
