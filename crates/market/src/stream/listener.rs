//! Somebody who listens: a place in what is told of one subject, and bars made of its trades.
//!
//! Not here: who listens to what ([`super::hub`]), what is held ([`super::topic`]).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use super::bars::{Builder, BuiltBar};
use super::hub::{FollowAsk, Kind, LinkKey, Streams};
use super::topic::{End, Message, Next, Notice, Place, Subject, Told, Topic, What};
use super::words::Words;
use crate::service::Service;
use crate::usage::Counts;

/// How often a listener to bars looks whether one is over.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Somebody's place among the listeners; given up when dropped.
#[derive(Debug)]
pub(super) struct Guard {
    pub(super) streams: Streams,
    pub(super) service: Service,
    pub(super) key: LinkKey,
    pub(super) subject: Subject,
    pub(super) consumer: String,
    /// Trades, quotes and bars that were handed out.
    pub(super) rows: u64,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let counts = Counts {
            answers: 1,
            hits: 1,
            rows: self.rows,
            ..Counts::default()
        };
        let what = format!("stream {}", self.subject.use_case.as_str());
        self.service
            .count(&self.consumer, &self.key.0, &what, counts);
        self.streams.leave(&self.key, &self.subject);
    }
}

/// What a listener gets.
#[derive(Clone, Debug, PartialEq)]
pub enum Followed {
    /// Something was told, at a place.
    Told(Place, Told),
    /// A bar was made; the place is that of the trade behind which it was.
    Bar(Place, BuiltBar),
    /// The listener was too slow: what it should have got is not held any more.
    TooSlow,
    /// Nothing comes any more.
    End(End),
}

/// Somebody who listens.
#[derive(Debug)]
pub struct Follow {
    topic: Arc<Topic>,
    changed: watch::Receiver<u64>,
    next: u64,
    builder: Option<Builder>,
    bars: VecDeque<BuiltBar>,
    /// What is told before anything else.
    first: Option<Followed>,
    guard: Guard,
    provider: String,
}

impl Follow {
    pub(super) fn new(topic: Arc<Topic>, guard: Guard, words: &Words, ask: &FollowAsk) -> Self {
        let changed = topic.watch();
        let (held, end) = topic.bounds();
        let mut builder = match ask.kind {
            Kind::Bars(interval) => Builder::new(interval),
            Kind::Trades | Kind::Quotes => None,
        };
        let (mut next, mut first) = (end, None);
        if let Some(after) = ask.after {
            let is_held =
                after.run == topic.run() && after.number + 1 >= held && after.number < end;
            if is_held {
                next = after.number + 1;
            } else {
                let notice = Notice {
                    what: What::NotHeld,
                    at: guard.service.now(),
                    from: None,
                    to: None,
                    trades: None,
                    because: Some(
                        "what came since is not held any more, or is of another run".to_owned(),
                    ),
                };
                let place = Place {
                    run: topic.run(),
                    number: end.saturating_sub(1),
                };
                first = Some(Followed::Told(place, Told::Notice(notice)));
            }
        }
        if let Some(builder) = &mut builder {
            // What is held makes the bar that is being made whole, as far as it reaches back.
            let mut told = Vec::new();
            for number in held..next {
                if let Some(Next::Message(message)) = topic.at(number) {
                    build(builder, &message, &mut told);
                }
            }
        }
        Self {
            changed,
            next,
            builder,
            bars: VecDeque::new(),
            first,
            guard,
            provider: words.provider.name.clone(),
            topic,
        }
    }

    /// Returns who pushes.
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// Waits for what comes next. Cancel-safe: nothing is taken before it is returned.
    pub async fn next(&mut self) -> Followed {
        if let Some(first) = self.first.take() {
            return first;
        }
        loop {
            if let Some(followed) = self.ready() {
                return followed;
            }
            let is_making = self.builder.as_ref().is_some_and(Builder::is_open);
            tokio::select! {
                // Cancel-safe: it only waits. The topic keeps the other end as long as it is.
                _ = self.changed.changed() => {}
                // Cancel-safe: it only waits.
                () = tokio::time::sleep(LOOK_EVERY), if is_making => {
                    // Silence means that nothing happened only where nothing is missing.
                    if self.topic.is_whole() && self.topic.bounds().1 == self.next {
                        let now = self.guard.service.now();
                        self.pass(now);
                    }
                }
            }
        }
    }

    fn pass(&mut self, now: Timestamp) {
        let mut made = Vec::new();
        if let Some(builder) = &mut self.builder {
            builder.pass(now, &mut made);
        }
        self.bars.extend(made);
    }

    fn place(&self, number: u64) -> Place {
        Place {
            run: self.topic.run(),
            number,
        }
    }

    /// Returns what is there already.
    fn ready(&mut self) -> Option<Followed> {
        loop {
            if let Some(bar) = self.bars.pop_front() {
                self.guard.rows += 1;
                return Some(Followed::Bar(self.place(self.next.saturating_sub(1)), bar));
            }
            let message = match self.topic.at(self.next)? {
                Next::Message(message) => message,
                Next::TooSlow => return Some(Followed::TooSlow),
                Next::End(end) => return Some(Followed::End(end)),
            };
            self.next += 1;
            if let Some(builder) = &mut self.builder {
                let mut made = Vec::new();
                build(builder, &message, &mut made);
                self.bars.extend(made);
                if matches!(message.told, Told::Trade(_)) {
                    continue;
                }
            }
            self.guard.rows += u64::from(!matches!(message.told, Told::Notice(_)));
            return Some(Followed::Told(
                self.place(message.number),
                message.told.clone(),
            ));
        }
    }
}

/// Gives a message to whoever makes bars.
fn build(builder: &mut Builder, message: &Message, made: &mut Vec<BuiltBar>) {
    match &message.told {
        Told::Trade(trade) => builder.take(trade, made),
        Told::Notice(notice) if matches!(notice.what, What::GapUnfillable | What::GapUnproven) => {
            builder.lose(notice.from, notice.to);
        }
        Told::Notice(_) | Told::Quote(_) => {}
    }
}
