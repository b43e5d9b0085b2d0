//! What a link asks the provider to push, and what becomes of it.
//!
//! One message is under way at a time, so that a refusal is about it and nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tradewind_catalog::UseCase;
use tradewind_catalog::refusal::FailureClass;

use super::{Held, Link, Over, Session};
use crate::stream::sequence::Sequence;
use crate::stream::topic::{Subject, Topic, What};

/// How long the answer to a subscription may take before the next one is sent.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// Items in one subscription, where the provider does not take fewer.
const MAX_ITEMS: u32 = 100;

impl Link {
    /// Takes over what the hub wants followed, and forgets what it does not.
    pub(super) fn adopt(&mut self) -> bool {
        let Some(topics) = self.streams.wanted(&self.key) else {
            return false;
        };
        let ids = self.words.stream().trade_ids;
        let wanted: BTreeMap<Subject, Arc<Topic>> = topics
            .into_iter()
            .map(|topic| (topic.subject.clone(), topic))
            .collect();
        self.held.retain(|subject, held| {
            wanted
                .get(subject)
                .is_some_and(|topic| Arc::ptr_eq(topic, &held.topic))
                // What is subscribed has to be taken back first.
                || held.is_subscribed
        });
        for (subject, topic) in wanted {
            let is_trades = subject.use_case == UseCase::Trades;
            self.held.entry(subject).or_insert_with(|| Held {
                topic,
                sequence: is_trades.then(|| Sequence::new(ids)),
                is_subscribed: false,
                gap: None,
            });
        }
        true
    }

    /// Says what the difference is between what is wanted and what is subscribed.
    pub(super) fn reconcile(&mut self, session: &mut Session) -> Result<(), Over> {
        let Some(wanted) = self.streams.wanted(&self.key) else {
            return Err(Over::Idle);
        };
        if session.in_flight.is_some() || !session.unsent.is_empty() {
            return Ok(());
        }
        let is_wanted = |held: &Held| wanted.iter().any(|topic| Arc::ptr_eq(topic, &held.topic));
        let gone: Vec<Subject> = self
            .held
            .iter()
            .filter(|(_, held)| !is_wanted(held))
            .map(|(subject, _)| subject.clone())
            .collect();
        let subscribed = |subject: &&Subject| self.held[*subject].is_subscribed;
        let back: Vec<Subject> = gone.iter().filter(subscribed).cloned().collect();
        self.queue(session, &back, false);
        for subject in gone {
            self.held.remove(&subject);
        }
        self.adopt();
        let fresh: Vec<Subject> = self
            .held
            .iter()
            .filter(|(_, held)| !held.is_subscribed)
            .map(|(subject, _)| subject.clone())
            .collect();
        self.queue(session, &fresh, true);
        Ok(())
    }

    pub(super) fn queue(&mut self, session: &mut Session, subjects: &[Subject], is_on: bool) {
        let stream = self.words.stream();
        for channel in &stream.channels {
            let of_channel: Vec<Subject> = subjects
                .iter()
                .filter(|subject| subject.use_case == channel.use_case)
                .cloned()
                .collect();
            let most = channel.items_per_message.unwrap_or(MAX_ITEMS).max(1);
            for some in of_channel.chunks(most as usize) {
                let items: Vec<String> = some
                    .iter()
                    .map(|subject| channel.item(&subject.symbol))
                    .collect();
                let text = channel.message(&items, self.next_id, is_on);
                self.next_id += 1;
                session.unsent.push_back((some.to_vec(), is_on, text));
            }
        }
    }

    /// Sends the next message when the one before was answered and the provider's pace allows it.
    pub(super) async fn say(&mut self, session: &mut Session) -> Result<(), Over> {
        if let Some((_, _, sent)) = &session.in_flight {
            if sent.elapsed() < ANSWER_LIMIT {
                return Ok(());
            }
            // It said nothing against it.
            self.answered(session);
        }
        let most = self
            .words
            .stream()
            .max_messages_per_second
            .unwrap_or(10)
            .max(1);
        // A fifth more than needed: clocks and networks are not exact.
        let apart = Duration::from_millis(1_200 / u64::from(most));
        if session.sent_at.is_some_and(|sent| sent.elapsed() < apart) {
            return Ok(());
        }
        if let Some((subjects, is_on, text)) = session.unsent.pop_front() {
            session.socket.send(text).await?;
            session.sent_at = Some(Instant::now());
            session.in_flight = Some((subjects, is_on, Instant::now()));
            if !self.words.stream().acknowledges {
                // Nothing will come that says so.
                self.answered(session);
            }
        }
        Ok(())
    }

    /// The message under way was taken.
    pub(super) fn answered(&mut self, session: &mut Session) {
        let Some((subjects, is_on, _)) = session.in_flight.take() else {
            return;
        };
        let mut pushed = Vec::new();
        for subject in subjects {
            if let Some(held) = self.held.get_mut(&subject) {
                let is_new = is_on && !held.is_subscribed;
                held.is_subscribed = is_on;
                if is_new {
                    pushed.push(Arc::clone(&held.topic));
                }
                let is_whole = held.sequence.as_ref().is_none_or(Sequence::is_whole);
                held.topic.set_whole(is_on && is_whole);
            }
        }
        for topic in pushed {
            self.notice(&topic, What::Connected, None, None, None);
        }
    }

    /// The message under way was refused: if it was about one subject that one ends, else each is tried alone.
    pub(super) fn refused(&mut self, session: &mut Session, class: FailureClass, said: &str) {
        let Some((subjects, is_on, _)) = session.in_flight.take() else {
            return;
        };
        if !is_on {
            return;
        }
        if let [subject] = subjects.as_slice() {
            let end = self.end(class, said);
            if let Some(held) = self.held.remove(subject) {
                held.topic.end(&end);
            }
        } else {
            for subject in subjects {
                self.queue(session, &[subject], true);
            }
        }
    }
}
