//! Who listens to what: one link per stream of a provider, however many listen.
//!
//! Why counted under one lock: the last one who leaves and the next one who comes must not miss each other.
//! A subject that nobody listens to any more stays for a moment, so that whoever was cut off finds it again;
//! then it is taken back, and with the last one the connection ends. What a provider refused for good is
//! remembered with the key that it refused, and not tried again until the key is another.
//! Bounds: [`MAX_LISTENERS`] at once, and the items that the catalog allows.
//! Not here: the connection ([`super::link`]).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tradewind_catalog::mapping::MappingError;
use tradewind_catalog::offer::AssetClass;
use tradewind_catalog::refusal::FailureClass;
use tradewind_catalog::{Catalog, UseCase};
use tradewind_core::{Instrument, Interval};
use tradewind_engine::Supervisor;

use super::link::Link;
use super::listener::{Follow, Guard};
use super::topic::{End, Place, Subject, Topic};
use super::words::Words;
use crate::adapter::{NoOffer, Why};
use crate::service::{MarketError, Service};

/// Upper bound on listeners at once.
pub const MAX_LISTENERS: usize = 128;

/// How long things take; tests take less.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How long a subject stays that nobody listens to.
    pub linger: Duration,
    /// Pause before a lost connection is opened again; it doubles each time.
    pub first_pause: Duration,
    /// Upper bound on that pause.
    pub max_pause: Duration,
    /// How long a listener may take nothing before it is cut off.
    pub max_stall: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            linger: Duration::from_secs(10),
            first_pause: Duration::from_millis(500),
            max_pause: Duration::from_mins(1),
            max_stall: Duration::from_secs(30),
        }
    }
}

/// What is listened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Trades.
    Trades,
    /// Best bid and ask.
    Quotes,
    /// Bars of that length, made of trades.
    Bars(Interval),
}

impl Kind {
    /// The names of all kinds.
    pub const NAMES: [&'static str; 3] = ["trades", "quotes", "bars"];

    /// Returns what a provider is asked for.
    pub fn use_case(self) -> UseCase {
        match self {
            Self::Trades | Self::Bars(_) => UseCase::Trades,
            Self::Quotes => UseCase::Quote,
        }
    }
}

/// What a caller asks.
#[derive(Clone, Debug)]
pub struct FollowAsk {
    /// Of what.
    pub instrument: Instrument,
    /// What.
    pub kind: Kind,
    /// Who is asked. Default: whoever has it.
    pub provider: Option<String>,
    /// Which feed. Default: the stream's.
    pub feed: Option<String>,
    /// Behind which message it goes on.
    pub after: Option<Place>,
    /// Who asks, in a word.
    pub consumer: String,
}

/// Which stream.
pub(super) type LinkKey = (String, String);

/// Everything that is followed. Cheap to clone; clones share it.
#[derive(Clone)]
pub struct Streams {
    shared: Arc<Shared>,
}

struct Shared {
    words: Vec<Words>,
    providers: Vec<String>,
    supervisor: Supervisor,
    pace: Pace,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    links: BTreeMap<LinkKey, Linked>,
    /// What a provider refused for good, with a digest of the key that it refused.
    refused: BTreeMap<LinkKey, (Option<[u8; 32]>, End)>,
    listeners: usize,
}

/// A link that runs.
struct Linked {
    topics: BTreeMap<Subject, Heard>,
    /// Told when there is something to do.
    stirred: Arc<Notify>,
}

/// A topic and who listens to it.
struct Heard {
    topic: Arc<Topic>,
    /// What it is in our words, to ask for what is missing.
    instrument: Instrument,
    listeners: usize,
    /// Since when nobody does.
    idle_since: Option<Instant>,
}

impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streams").finish_non_exhaustive()
    }
}

impl Streams {
    /// Knows the streams of a catalog.
    ///
    /// # Errors
    /// What is wrong with a mapping; the catalog's lint refuses such files.
    pub(crate) fn new(
        catalog: &Catalog,
        supervisor: Supervisor,
        pace: Pace,
    ) -> Result<Self, MappingError> {
        Ok(Self {
            shared: Arc::new(Shared {
                words: Words::all(catalog)?,
                providers: catalog.providers().map(|p| p.name.clone()).collect(),
                supervisor,
                pace,
                state: Mutex::default(),
            }),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the counts as they were between two steps.
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn pace(&self) -> Pace {
        self.shared.pace
    }

    pub(super) fn supervisor(&self) -> &Supervisor {
        &self.shared.supervisor
    }

    /// Returns how long a listener may take nothing.
    pub(crate) fn max_stall(&self) -> Duration {
        self.shared.pace.max_stall
    }

    /// Returns what fires when everything ends.
    pub(crate) fn token(&self) -> CancellationToken {
        self.shared.supervisor.token()
    }

    /// Runs the task of a listener.
    pub(crate) fn supervise<F>(&self, name: &str, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.shared.supervisor.start_once(name, task);
    }

    /// Returns the streams that have it, with the symbol as each spells it, and why the others do not.
    pub(crate) fn offers(&self, ask: &FollowAsk) -> (Vec<(Words, String)>, Vec<NoOffer>) {
        let use_case = ask.kind.use_case();
        let (mut offers, mut reasons) = (Vec::new(), Vec::new());
        let is_meant = |name: &str| ask.provider.as_deref().is_none_or(|wanted| wanted == name);
        if let Some(wanted) = &ask.provider
            && !self.shared.providers.contains(wanted)
        {
            reasons.push(NoOffer {
                provider: wanted.clone(),
                why: Why::UnknownProvider,
            });
        }
        for name in self.shared.providers.iter().filter(|name| is_meant(name)) {
            let streams = self
                .shared
                .words
                .iter()
                .filter(|w| w.provider.name == **name);
            let mut last = Why::NoStream;
            let mut found = false;
            for words in streams {
                match words.symbol(&ask.instrument, use_case, ask.feed.as_deref()) {
                    Ok(symbol) if fits(ask.kind, words) => {
                        offers.push((words.clone(), symbol));
                        found = true;
                    }
                    Ok(_) => last = Why::StreamInterval,
                    Err(why) => last = why,
                }
            }
            if !found {
                reasons.push(NoOffer {
                    provider: name.clone(),
                    why: last,
                });
            }
        }
        (offers, reasons)
    }

    /// Joins whoever listens to a subject, and begins to follow it where nobody does yet. `digest` is of the
    /// key that would be shown.
    pub(crate) fn join(
        &self,
        service: &Service,
        words: &Words,
        symbol: String,
        ask: &FollowAsk,
        digest: Option<[u8; 32]>,
    ) -> Result<Follow, MarketError> {
        let stream = words.stream();
        let key = (words.provider.name.clone(), stream.id.clone());
        let subject = Subject {
            symbol,
            use_case: ask.kind.use_case(),
        };
        let mut state = self.state();
        if let Some((refused, end)) = state.refused.get(&key) {
            if *refused == digest {
                return Err(MarketError::Stream(end.clone()));
            }
            state.refused.remove(&key);
        }
        if state.listeners >= MAX_LISTENERS {
            return Err(MarketError::TooManyListeners);
        }
        let is_new = !state.links.contains_key(&key);
        let linked = state.links.entry(key.clone()).or_insert_with(|| Linked {
            topics: BTreeMap::new(),
            stirred: Arc::new(Notify::new()),
        });
        let items = linked.topics.len();
        let most = stream.max_items.map_or(usize::MAX, |most| most as usize);
        // One that ended is of no use to whoever comes now.
        if linked
            .topics
            .get(&subject)
            .is_some_and(|heard| heard.topic.has_ended())
        {
            linked.topics.remove(&subject);
        } else if !linked.topics.contains_key(&subject) && items >= most {
            return Err(MarketError::Stream(End {
                provider: key.0,
                class: FailureClass::Plan,
                said: format!("its stream takes {most} items at once, and all are taken"),
            }));
        }
        let heard = linked
            .topics
            .entry(subject.clone())
            .or_insert_with(|| Heard {
                topic: Arc::new(Topic::new(subject.clone())),
                instrument: ask.instrument.clone(),
                listeners: 0,
                idle_since: None,
            });
        heard.listeners += 1;
        heard.idle_since = None;
        let topic = Arc::clone(&heard.topic);
        let stirred = Arc::clone(&linked.stirred);
        state.listeners += 1;
        drop(state);
        let guard = Guard {
            streams: self.clone(),
            service: service.clone(),
            key: key.clone(),
            subject,
            consumer: ask.consumer.clone(),
            rows: 0,
        };
        if is_new {
            let link = Link::new(
                self.clone(),
                service.clone(),
                words.clone(),
                Arc::clone(&stirred),
            );
            let name = format!("stream {} {}", key.0, key.1);
            let token = self.shared.supervisor.token();
            self.shared
                .supervisor
                .start_once(name, async move { link.run(token).await });
        }
        stirred.notify_one();
        Ok(Follow::new(topic, guard, words, ask))
    }

    /// One who listened to a subject leaves.
    pub(super) fn leave(&self, key: &LinkKey, subject: &Subject) {
        let mut state = self.state();
        state.listeners = state.listeners.saturating_sub(1);
        let Some(linked) = state.links.get_mut(key) else {
            return;
        };
        if let Some(heard) = linked.topics.get_mut(subject) {
            heard.listeners = heard.listeners.saturating_sub(1);
            if heard.listeners == 0 {
                heard.idle_since = Some(Instant::now());
            }
        }
        linked.stirred.notify_one();
    }

    /// Returns everything that one link must follow. `None` ends the link: nobody listens any more, and it is
    /// known to nobody from now on.
    pub(super) fn wanted(&self, key: &LinkKey) -> Option<Vec<Arc<Topic>>> {
        let linger = self.shared.pace.linger;
        let mut state = self.state();
        let linked = state.links.get_mut(key)?;
        linked.topics.retain(|_, heard| {
            let is_idle = |since: Instant| since.elapsed() >= linger;
            !heard.topic.has_ended() && !heard.idle_since.is_some_and(is_idle)
        });
        if linked.topics.is_empty() {
            state.links.remove(key);
            return None;
        }
        let topics = linked.topics.values();
        Some(topics.map(|heard| Arc::clone(&heard.topic)).collect())
    }

    /// Returns what a subject is in our words.
    pub(super) fn instrument(&self, key: &LinkKey, subject: &Subject) -> Option<Instrument> {
        let state = self.state();
        let heard = state.links.get(key)?.topics.get(subject)?;
        Some(heard.instrument.clone())
    }

    /// Ends everything that one link follows.
    pub(super) fn end(&self, key: &LinkKey, end: &End) {
        let mut state = self.state();
        if let Some(linked) = state.links.remove(key) {
            for heard in linked.topics.values() {
                heard.topic.end(end);
            }
        }
    }

    /// Ends everything that this very link still follows.
    pub(super) fn abandon(&self, key: &LinkKey, stirred: &Arc<Notify>, end: &End) {
        let mut state = self.state();
        let is_its = |linked: &Linked| Arc::ptr_eq(&linked.stirred, stirred);
        if state.links.get(key).is_some_and(is_its)
            && let Some(linked) = state.links.remove(key)
        {
            for heard in linked.topics.values() {
                heard.topic.end(end);
            }
        }
    }

    /// Ends everything that one link follows, and remembers that the provider refused the key of that digest.
    pub(super) fn refuse(&self, key: &LinkKey, end: &End, digest: Option<[u8; 32]>) {
        // Before anybody hears of the end: whoever asks again at once must not open another connection.
        let refused = (digest, end.clone());
        self.state().refused.insert(key.clone(), refused);
        self.end(key, end);
    }

    /// Returns how many listen.
    pub fn listeners(&self) -> usize {
        self.state().listeners
    }
}

/// Says whether bars of that length can be made of the trades of a stream: where days do not begin at
/// midnight UTC, no bar of several hours can.
fn fits(kind: Kind, words: &Words) -> bool {
    match kind {
        Kind::Bars(Interval::Hours(2..)) => words.stream().class == AssetClass::Crypto,
        Kind::Bars(interval) => interval.seconds().is_some(),
        Kind::Trades | Kind::Quotes => true,
    }
}
