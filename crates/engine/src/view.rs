//! What a condition may ask about the past: a small projection of the journal.
//!
//! | field | meaning |
//! |---|---|
//! | `view.paused` | whether acting is paused |
//! | `view.mode` | mode of the rule that asks: `shadow`, `propose` or `act` |
//! | `view.count[kind]` | how many such events were recorded in the last 60 minutes; absent for none |
//! | `view.minutes_since[kind]` | whole minutes since the last such event; absent when none in 24 hours |
//! | `view.last_outcome[rule]` | `succeeded`, `failed`, `abandoned`, `undone` or `redone`; absent before the first |
//!
//! Why so small: everything here is a pure function of the events before the one that is looked at,
//! counted by the journal's own times, so that replaying gives the same answers. Memory is bounded:
//! one table of counts per minute for an hour, one time per kind, one word per rule.

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;

use jiff::Timestamp;
use serde_json::{Value, json};

use tradewind_core::{Event, EventKind, RepositoryId, Seq};
use tradewind_journal::{Filter, ReadError, Reader};

use crate::config::Mode;

const COUNTED_MINUTES: i64 = 60;
const REMEMBERED_MINUTES: i64 = 24 * 60;
/// Upper bound on rules whose last outcome is remembered, per repository.
const MAX_RULES: usize = 1_024;

/// The projection.
#[derive(Clone, Debug, Default)]
pub struct View {
    global: Part,
    repositories: BTreeMap<RepositoryId, Part>,
    is_paused: bool,
}

/// What is remembered of one repository, or of events that are about none.
#[derive(Clone, Debug, Default)]
struct Part {
    /// Counts by minute, oldest first. Invariant: at most 61 entries.
    minutes: VecDeque<(i64, BTreeMap<EventKind, u64>)>,
    last: BTreeMap<EventKind, i64>,
    outcomes: BTreeMap<String, &'static str>,
}

impl View {
    /// Builds the view as it was after the event `until`, from the last 24 hours before `now`.
    ///
    /// # Errors
    /// [`ReadError`] when the journal cannot be read.
    pub fn replay(reader: &Reader, until: Seq, now: Timestamp) -> Result<Self, ReadError> {
        let mut view = Self::default();
        let pauses = [
            EventKind::EngineActingPaused,
            EventKind::EngineActingResumed,
        ];
        let mut filter = Filter {
            before: Some(until.next()),
            kinds: pauses.to_vec(),
            limit: 1,
            newest_first: true,
            ..Filter::default()
        };
        view.is_paused = reader
            .select(&filter)?
            .first()
            .is_some_and(|event| event.kind == EventKind::EngineActingPaused);
        filter.kinds = Vec::new();
        filter.newest_first = false;
        filter.since = now
            .checked_sub(jiff::SignedDuration::from_mins(REMEMBERED_MINUTES))
            .ok();
        let Some(first) = reader.select(&filter)?.first().map(|event| event.seq) else {
            return Ok(view);
        };
        reader.for_each(Seq(first.0.saturating_sub(1)), |event| {
            if event.seq > until {
                return ControlFlow::Break(());
            }
            view.apply(event);
            ControlFlow::Continue(())
        })?;
        Ok(view)
    }

    /// Takes note of the next event.
    pub fn apply(&mut self, event: &Event) {
        match event.kind {
            EventKind::EngineActingPaused => self.is_paused = true,
            EventKind::EngineActingResumed => self.is_paused = false,
            _ => {}
        }
        let part = match event.repository {
            Some(id) => self.repositories.entry(id).or_default(),
            None => &mut self.global,
        };
        part.apply(event);
    }

    /// Returns the view of a repository's rule at `now`, the time its event was recorded.
    pub fn facts(&self, repository: RepositoryId, mode: Mode, now: Timestamp) -> Value {
        let minute = now.as_second().div_euclid(60);
        let own = self.repositories.get(&repository);
        let mut count: BTreeMap<&str, u64> = BTreeMap::new();
        let mut since: BTreeMap<&str, i64> = BTreeMap::new();
        for part in own.into_iter().chain([&self.global]) {
            let recent = part
                .minutes
                .iter()
                .filter(|(at, _)| *at > minute - COUNTED_MINUTES);
            for (kind, number) in recent.flat_map(|(_, counts)| counts) {
                *count.entry(kind.as_str()).or_default() += number;
            }
            for (kind, second) in &part.last {
                let minutes = (now.as_second() - second).max(0) / 60;
                if minutes < REMEMBERED_MINUTES {
                    let entry = since.entry(kind.as_str()).or_insert(minutes);
                    *entry = minutes.min(*entry);
                }
            }
        }
        json!({
            "paused": self.is_paused,
            "mode": mode.as_str(),
            "count": count,
            "minutes_since": since,
            "last_outcome": own.map(|part| &part.outcomes).cloned().unwrap_or_default(),
        })
    }
}

impl Part {
    fn apply(&mut self, event: &Event) {
        let second = event.recorded_at.as_second();
        let minute = second.div_euclid(60);
        self.last.insert(event.kind, second);
        if self.minutes.back().is_none_or(|(at, _)| *at < minute) {
            self.minutes.push_back((minute, BTreeMap::new()));
        }
        if let Some((_, counts)) = self.minutes.back_mut() {
            *counts.entry(event.kind).or_default() += 1;
        }
        while self
            .minutes
            .front()
            .is_some_and(|(at, _)| *at <= minute - COUNTED_MINUTES)
        {
            self.minutes.pop_front();
        }
        let outcome = match event.kind {
            EventKind::EngineActionSucceeded => "succeeded",
            EventKind::EngineActionFailed => "failed",
            EventKind::EngineActionAbandoned => "abandoned",
            EventKind::EngineActionUndone => "undone",
            EventKind::EngineActionRedone => "redone",
            _ => return,
        };
        // The engine writes a rule's name as the subject of its outcomes.
        if self.outcomes.len() < MAX_RULES || self.outcomes.contains_key(&event.subject) {
            self.outcomes.insert(event.subject.clone(), outcome);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(seq: u64, second: i64, kind: EventKind) -> Event {
        Event {
            seq: Seq(seq),
            kind,
            schema: 1,
            occurred_at: Timestamp::from_second(second).unwrap(),
            recorded_at: Timestamp::from_second(second).unwrap(),
            cause: None,
            correlation: Seq(seq),
            subject: "tests".into(),
            repository: Some(RepositoryId::from_bytes([1; 16])),
            data: None,
        }
    }

    #[test]
    fn counts_forget_after_an_hour_and_ages_after_a_day() {
        let id = RepositoryId::from_bytes([1; 16]);
        let mut view = View::default();
        view.apply(&event(1, 0, EventKind::RepoTagCreated));
        view.apply(&event(2, 60, EventKind::EngineActionFailed));
        let at = |second| Timestamp::from_second(second).unwrap();
        let facts = view.facts(id, Mode::Act, at(120));
        assert_eq!(facts["count"]["repo.tag.created"], 1);
        assert_eq!(facts["minutes_since"]["repo.tag.created"], 2);
        assert_eq!(facts["last_outcome"]["tests"], "failed");
        let facts = view.facts(id, Mode::Act, at(3_700));
        assert!(facts["count"].get("repo.tag.created").is_none());
        assert_eq!(facts["minutes_since"]["repo.tag.created"], 61);
        let facts = view.facts(id, Mode::Act, at(90_000));
        assert!(facts["minutes_since"].get("repo.tag.created").is_none());
        let other = RepositoryId::from_bytes([2; 16]);
        assert_eq!(view.facts(other, Mode::Act, at(60))["count"], json!({}));
    }
}
