//! What is told of one instrument, and everybody who listens to it.
//!
//! Why one ring for all: a listener is a place in it, so a thousand of them hold each message once, one that
//! was away goes on where it was as long as that is held, and one that is too slow falls off the end instead
//! of growing anything. Bound: [`MAX_HELD`] messages of each instrument.
//! Not here: where messages come from ([`super::link`]), their form ([`super::told`]).

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::watch;
use tradewind_catalog::UseCase;
use tradewind_catalog::refusal::FailureClass;
use tradewind_core::{Quote, Trade};
use tradewind_host::random;

/// Messages that are held of each instrument.
pub(crate) const MAX_HELD: usize = 10_000;

/// Something that is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// A trade.
    Trade(Trade),
    /// Best bid and ask.
    Quote(Quote),
    /// Something about the stream itself.
    Notice(Notice),
}

/// Something about the stream itself that a bot should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What.
    pub what: What,
    /// When it was noticed.
    pub at: Timestamp,
    /// The last trade before what is missing.
    pub from: Option<Timestamp>,
    /// The first trade behind it.
    pub to: Option<Timestamp>,
    /// How many trades it is about; `None` where nobody knows.
    pub trades: Option<u64>,
    /// Why, for people.
    pub because: Option<String>,
}

/// What a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The provider pushes from now on.
    Connected,
    /// The connection is lost; it is opened again.
    Reconnecting,
    /// Trades are missing; they are being fetched.
    GapFound,
    /// They were fetched; `trades` of them.
    GapFilled,
    /// What could be fetched was; nothing shows that it is all.
    GapUnproven,
    /// They cannot be had; `trades` of them.
    GapUnfillable,
    /// What the listener saw last is not held any more.
    NotHeld,
}

impl What {
    /// Returns its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Reconnecting => "reconnecting",
            Self::GapFound => "gap_found",
            Self::GapFilled => "gap_filled",
            Self::GapUnproven => "gap_unproven",
            Self::GapUnfillable => "gap_unfillable",
            Self::NotHeld => "not_held",
        }
    }
}

/// Why a stream ended for good.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stream of {provider} ended ({}): {said}", class.as_str())]
pub struct End {
    /// The provider.
    pub provider: String,
    /// What kind of failure it is.
    pub class: FailureClass,
    /// What is said of it, cut short and without keys.
    pub said: String,
}

/// A message and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Its number among those of its instrument.
    pub number: u64,
    /// What is told.
    pub told: Told,
}

/// The place of a message: it can be gone on behind as long as it is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which run of the daemon and of the stream.
    pub run: u32,
    /// The number of the message.
    pub number: u64,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:08x}-{}", self.run, self.number)
    }
}

impl std::str::FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let read = || {
            let (run, number) = text.split_once('-')?;
            let is_hex = run.len() == 8 && run.bytes().all(|byte| byte.is_ascii_hexdigit());
            let run = is_hex.then(|| u32::from_str_radix(run, 16).ok())??;
            let is_whole = number.bytes().all(|byte| byte.is_ascii_digit());
            let number = is_whole.then(|| number.parse().ok())??;
            Some(Self { run, number })
        };
        read().ok_or(PlaceError)
    }
}

/// Text that is no place in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no id that a stream has given, as in 1f00ba11-42")]
pub struct PlaceError;

/// What is pushed of one instrument.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Subject {
    /// The symbol as it stands in messages.
    pub(crate) symbol: String,
    /// Trades or quotes.
    pub(crate) use_case: UseCase,
}

/// What is told of one subject.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) subject: Subject,
    run: u32,
    ring: Mutex<Ring>,
    changed: watch::Sender<u64>,
    /// Whether nothing is known to be missing: only then does silence mean that nothing happened.
    is_whole: AtomicBool,
}

#[derive(Debug, Default)]
struct Ring {
    /// Number of the oldest message that is held.
    first: u64,
    held: VecDeque<Arc<Message>>,
    end: Option<End>,
}

/// What a listener gets.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Next {
    /// A message.
    Message(Arc<Message>),
    /// What it should have got is not held any more.
    TooSlow,
    /// Nothing comes any more.
    End(End),
}

impl Topic {
    pub(crate) fn new(subject: Subject) -> Self {
        // Without randomness a listener of a former run would at worst go on at another message.
        let run = random::bytes().map_or(0, u32::from_le_bytes);
        Self {
            subject,
            run,
            ring: Mutex::default(),
            changed: watch::Sender::new(0),
            is_whole: AtomicBool::new(false),
        }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        // A panic elsewhere leaves the ring as it was between two messages.
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Names the run that numbers are of.
    pub(crate) fn run(&self) -> u32 {
        self.run
    }

    /// Tells everybody.
    pub(crate) fn tell(&self, all: impl IntoIterator<Item = Told>) {
        let mut ring = self.ring();
        for told in all {
            let number = ring.first + ring.held.len() as u64;
            ring.held.push_back(Arc::new(Message { number, told }));
            if ring.held.len() > MAX_HELD {
                ring.held.pop_front();
                ring.first += 1;
            }
        }
        let end = ring.first + ring.held.len() as u64;
        drop(ring);
        self.changed.send_replace(end);
    }

    /// Tells everybody that nothing comes any more.
    pub(crate) fn end(&self, end: &End) {
        self.ring().end.get_or_insert_with(|| end.clone());
        self.changed.send_modify(|_| {});
    }

    /// Says whether it has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.ring().end.is_some()
    }

    /// Says whether nothing is known to be missing.
    pub(crate) fn is_whole(&self) -> bool {
        self.is_whole.load(Ordering::Acquire)
    }

    pub(crate) fn set_whole(&self, is_whole: bool) {
        self.is_whole.store(is_whole, Ordering::Release);
    }

    /// Returns numbers of the oldest message that is held and of the next one that will come.
    pub(crate) fn bounds(&self) -> (u64, u64) {
        let ring = self.ring();
        (ring.first, ring.first + ring.held.len() as u64)
    }

    /// Returns the message of that number; `None` when it has not come yet.
    pub(crate) fn at(&self, number: u64) -> Option<Next> {
        let ring = self.ring();
        let Some(place) = number.checked_sub(ring.first) else {
            return Some(Next::TooSlow);
        };
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        match (ring.held.get(place), &ring.end) {
            (Some(message), _) => Some(Next::Message(Arc::clone(message))),
            (None, Some(end)) => Some(Next::End(end.clone())),
            (None, None) => None,
        }
    }

    /// Returns what fires when something was told.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(number: u64) -> Told {
        Told::Notice(Notice {
            what: What::Connected,
            at: Timestamp::UNIX_EPOCH,
            from: None,
            to: None,
            trades: Some(number),
            because: None,
        })
    }

    #[test]
    fn what_is_held_is_bounded_and_who_is_behind_it_is_told() {
        let subject = Subject {
            symbol: "A".to_owned(),
            use_case: UseCase::Trades,
        };
        let topic = Topic::new(subject);
        let many = MAX_HELD as u64 + 5;
        topic.tell((0..many).map(notice));
        assert_eq!(topic.bounds(), (5, many));
        assert_eq!(topic.at(4), Some(Next::TooSlow));
        let Some(Next::Message(message)) = topic.at(5) else {
            panic!("it is held")
        };
        assert_eq!((message.number, &message.told), (5, &notice(5)));
        assert_eq!(topic.at(many), None);
        let end = End {
            provider: "made".to_owned(),
            class: FailureClass::Auth,
            said: "no".to_owned(),
        };
        topic.end(&end);
        assert!(matches!(topic.at(many - 1), Some(Next::Message(_))));
        assert_eq!(topic.at(many), Some(Next::End(end)));
    }

    #[test]
    fn a_place_reads_back_and_other_text_is_refused() {
        let place = Place {
            run: 0xf,
            number: 42,
        };
        assert_eq!(place.to_string(), "0000000f-42");
        assert_eq!("0000000f-42".parse(), Ok(place));
        for text in [
            "",
            "42",
            "f-42",
            "0000000f-",
            "0000000f-+1",
            "+000000f-1",
            "0000000g-1",
        ] {
            assert_eq!(text.parse::<Place>(), Err(PlaceError), "{text}");
        }
    }
}
