//! The trades of one instrument, each once and in the provider's sequence.
//!
//! Why a state machine without clock and network: which trades were lost, come twice or come late is decided
//! here alone, so a test can try every interleaving. It is told what came and what time it is; it says what
//! may be handed on and what must be fetched.
//! - Where ids are consecutive, a number left out is waited for [`PATIENCE_MS`], then it is a gap.
//! - Where they only tell trades apart, a gap can be known after a lost connection only; trades that come
//!   meanwhile wait until those of before are there.
//! - Where there are none, everything is handed on as it comes, and a lost connection is a gap that nobody can fill.
//! - What waits is bounded; beyond the bound what is missing is given up, and said.
//!
//! Not here: fetching ([`super::link`]), who listens ([`super::topic`]).

use std::collections::{BTreeMap, HashSet, VecDeque};

use jiff::Timestamp;
use tradewind_catalog::stream::TradeIds;
use tradewind_core::Trade;

/// How long a trade that was left out may still come by itself, in milliseconds.
pub(crate) const PATIENCE_MS: i64 = 300;
/// How many trades wait for one that is missing.
const MAX_WAITING: usize = 20_000;
/// How many ids are remembered where they only tell trades apart.
const MAX_REMEMBERED: usize = 20_000;
/// How often a gap is asked for.
pub(crate) const MAX_TRIES: u32 = 3;
/// How long after an answer without the missing trades it is asked again, in milliseconds.
const AGAIN_MS: i64 = 1_000;

/// A span in which trades are missing, or may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    /// When the last trade before it happened.
    pub(crate) from: Timestamp,
    /// When the first one behind it happened; `None` where nothing has come yet.
    pub(crate) to: Option<Timestamp>,
    /// How many are missing; `None` where nobody knows.
    pub(crate) missing: Option<u64>,
    /// Which try this is, from 1.
    pub(crate) attempt: u32,
}

/// How a gap ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filled {
    /// Everything is there: so many were fetched.
    Whole(u64),
    /// So many were fetched, and nothing shows that they are all.
    Unproven(u64),
    /// It is asked for again.
    Again,
    /// So many were fetched and as many are missing for good; `None` where nobody knows how many.
    Lost(u64, Option<u64>),
}

/// The trades of one instrument.
#[derive(Debug)]
pub(crate) struct Sequence {
    ids: TradeIds,
    /// The last one that was handed on.
    last: Option<(Option<u64>, Timestamp)>,
    /// The newest id that the provider has spoken of.
    told: Option<u64>,
    /// Behind a gap, by id; where ids only tell trades apart, by arrival.
    waiting: BTreeMap<u64, Trade>,
    arrivals: u64,
    /// The last arrival before the connection broke last: between it and the next one anything may be missing.
    break_after: u64,
    /// Since when something is missing.
    since_ms: Option<i64>,
    /// Whether the connection broke, so that anything may be missing.
    is_broken: bool,
    is_asked: bool,
    /// Whether it broke once more since it was asked: the answer will not reach as far as it has to.
    has_broken_again: bool,
    tries: u32,
    found: u64,
    remembered: (VecDeque<String>, HashSet<String>),
    /// Trades that came again, or after they were given up.
    pub(crate) dropped: u64,
}

impl Sequence {
    pub(crate) fn new(ids: TradeIds) -> Self {
        Self {
            ids,
            last: None,
            told: None,
            waiting: BTreeMap::new(),
            arrivals: 0,
            break_after: 0,
            since_ms: None,
            is_broken: false,
            is_asked: false,
            has_broken_again: false,
            tries: 0,
            found: 0,
            remembered: (VecDeque::new(), HashSet::new()),
            dropped: 0,
        }
    }

    /// Says whether everything that is known of has been handed on.
    pub(crate) fn is_whole(&self) -> bool {
        self.since_ms.is_none() && !self.is_broken
    }

    /// Takes a trade that came; what may be handed on goes to `out`.
    pub(crate) fn take(&mut self, trade: Trade, now_ms: i64, out: &mut Vec<Trade>) {
        match (self.ids, number(&trade)) {
            (TradeIds::Consecutive, Some(id)) => self.take_numbered(id, trade, now_ms, out),
            // An id that is no number cannot be placed: it is told apart, like where there are no numbers.
            _ => self.take_named(trade, now_ms, out),
        }
    }

    /// Takes what the provider says of its newest trade, which happened at `at` or before.
    pub(crate) fn hear(&mut self, newest: u64, at: Option<Timestamp>, now_ms: i64) {
        if self.ids != TradeIds::Consecutive {
            return;
        }
        match (self.last, at) {
            // Trades of before the beginning are nobody's; the next one is the first.
            (None, Some(at)) => self.last = Some((Some(newest), at)),
            (Some((Some(last), _)), _) if newest > last => {
                self.told = self.told.max(Some(newest));
                self.since_ms.get_or_insert(now_ms);
            }
            _ => {}
        }
    }

    /// The connection is lost.
    pub(crate) fn broke(&mut self, now_ms: i64) {
        if self.last.is_some() {
            self.is_broken = true;
            self.has_broken_again = self.is_asked;
            self.break_after = self.arrivals;
            self.since_ms.get_or_insert(now_ms);
            self.tries = 0;
        }
    }

    /// Returns what must be fetched now; the caller answers with [`Self::fill`] or [`Self::give_up`].
    pub(crate) fn gap(&mut self, now_ms: i64) -> Option<Gap> {
        let (_, from) = self.last?;
        let since = self.since_ms?;
        if self.is_asked || now_ms < since.saturating_add(PATIENCE_MS) {
            return None;
        }
        self.is_asked = true;
        self.tries += 1;
        let first = self.first_behind();
        let missing = match (self.ids, self.last_id(), first, self.told) {
            (TradeIds::Consecutive, Some(last), Some((id, _)), _) => Some(id - last - 1),
            (TradeIds::Consecutive, Some(last), None, Some(told)) if told > last => {
                Some(told - last)
            }
            _ => None,
        };
        Some(Gap {
            from,
            to: first.map(|(_, trade)| trade.at),
            missing,
            attempt: self.tries,
        })
    }

    /// Takes what was fetched for the gap, oldest first.
    pub(crate) fn fill(&mut self, rows: Vec<Trade>, now_ms: i64, out: &mut Vec<Trade>) -> Filled {
        self.is_asked = false;
        if std::mem::take(&mut self.has_broken_again) && self.ids != TradeIds::Consecutive {
            // Numbers show what is still missing; names do not, and the whole stretch is fetched anew.
            self.since_ms = Some(now_ms);
            return Filled::Again;
        }
        match self.ids {
            TradeIds::Consecutive => self.fill_numbered(rows, now_ms, out),
            TradeIds::Unique | TradeIds::Absent => self.fill_named(rows, now_ms, out),
        }
    }

    /// Nothing more can be fetched: what waits is handed on.
    pub(crate) fn give_up(&mut self, out: &mut Vec<Trade>) -> Filled {
        self.is_asked = false;
        self.has_broken_again = false;
        let mut missing = (self.ids == TradeIds::Consecutive).then_some(0_u64);
        let waiting = std::mem::take(&mut self.waiting);
        for (id, trade) in waiting {
            if self.ids == TradeIds::Consecutive {
                let last = self.last_id();
                let skipped = last.map_or(0, |last| id.saturating_sub(last + 1));
                missing = missing.map(|missing| missing + skipped);
                self.hand_on(Some(id), trade, out);
            } else if self.remember(&trade) {
                self.hand_on(None, trade, out);
            }
        }
        if let (Some(told), Some(last), Some((id, _))) = (self.told, self.last_id(), &mut self.last)
            && told > last
        {
            missing = missing.map(|missing| missing + told - last);
            *id = Some(told);
        }
        let found = self.settle();
        Filled::Lost(found, missing)
    }

    /// Returns the trade at which everything that is missing ends.
    fn first_behind(&self) -> Option<(&u64, &Trade)> {
        match self.ids {
            TradeIds::Consecutive => self.waiting.first_key_value(),
            TradeIds::Unique | TradeIds::Absent => {
                self.waiting.range(self.break_after + 1..).next()
            }
        }
    }

    fn last_id(&self) -> Option<u64> {
        self.last.and_then(|(id, _)| id)
    }

    fn hand_on(&mut self, id: Option<u64>, trade: Trade, out: &mut Vec<Trade>) {
        self.last = Some((id, trade.at));
        out.push(trade);
    }

    /// Nothing is missing any more; returns how many were fetched since something was.
    fn settle(&mut self) -> u64 {
        self.since_ms = None;
        self.is_broken = false;
        self.tries = 0;
        std::mem::take(&mut self.found)
    }

    fn take_numbered(&mut self, id: u64, trade: Trade, now_ms: i64, out: &mut Vec<Trade>) {
        match self.last_id() {
            Some(last) if id <= last || self.waiting.contains_key(&id) => {
                self.dropped += 1;
            }
            Some(last) if id > last + 1 => {
                self.since_ms.get_or_insert(now_ms);
                if self.waiting.len() < MAX_WAITING {
                    self.waiting.insert(id, trade);
                } else {
                    // It is known that it happened; it is fetched with what is missing before it.
                    self.told = self.told.max(Some(id));
                }
            }
            _ => {
                self.hand_on(Some(id), trade, out);
                self.drain(out);
            }
        }
    }

    /// Hands on what follows without a gap.
    fn drain(&mut self, out: &mut Vec<Trade>) {
        while let (Some(last), Some(entry)) = (self.last_id(), self.waiting.first_entry()) {
            let id = *entry.key();
            if id > last + 1 {
                break;
            }
            let trade = entry.remove();
            if id > last {
                self.hand_on(Some(id), trade, out);
            } else {
                self.dropped += 1;
            }
        }
        let reaches = self.last_id() >= self.told.or(Some(0));
        if self.waiting.is_empty() && reaches && !self.is_broken && !self.is_asked {
            self.settle();
        }
    }

    fn fill_numbered(&mut self, rows: Vec<Trade>, now_ms: i64, out: &mut Vec<Trade>) -> Filled {
        for trade in rows {
            let (Some(id), Some(last)) = (number(&trade), self.last_id()) else {
                continue;
            };
            if id > last && !self.waiting.contains_key(&id) {
                self.waiting.insert(id, trade);
                self.found += 1;
            }
        }
        let was_broken = std::mem::take(&mut self.is_broken);
        let found = self.found;
        self.drain(out);
        let reaches = self.last_id() >= self.told.or(Some(0));
        if self.waiting.is_empty() && reaches {
            self.settle();
            return Filled::Whole(found);
        }
        if self.tries >= MAX_TRIES {
            return self.give_up(out);
        }
        self.is_broken = was_broken;
        self.since_ms = Some(now_ms + AGAIN_MS - PATIENCE_MS);
        Filled::Again
    }

    fn take_named(&mut self, trade: Trade, now_ms: i64, out: &mut Vec<Trade>) {
        if self.is_broken && self.ids == TradeIds::Unique {
            self.since_ms.get_or_insert(now_ms);
            if self.waiting.len() < MAX_WAITING {
                self.arrivals += 1;
                self.waiting.insert(self.arrivals, trade);
            } else {
                // It is fetched; that it was is not shown by anything.
                self.tries = MAX_TRIES;
            }
        } else if self.remember(&trade) {
            let id = self.last_id();
            self.hand_on(id, trade, out);
        } else {
            self.dropped += 1;
        }
    }

    fn fill_named(&mut self, rows: Vec<Trade>, now_ms: i64, out: &mut Vec<Trade>) -> Filled {
        // One that came by itself and was fetched too shows that the two meet.
        let first = self.first_behind().map(|(_, trade)| trade.id.clone());
        let meets = first.is_some_and(|first| rows.iter().any(|row| row.id == first));
        if !meets && !self.waiting.is_empty() && self.tries < MAX_TRIES {
            self.since_ms = Some(now_ms + AGAIN_MS - PATIENCE_MS);
            return Filled::Again;
        }
        let waiting = std::mem::take(&mut self.waiting);
        let came: HashSet<Option<String>> =
            waiting.values().map(|trade| trade.id.clone()).collect();
        let mut all: Vec<Trade> = rows;
        let known: HashSet<Option<String>> = all.iter().map(|trade| trade.id.clone()).collect();
        all.extend(
            waiting
                .into_values()
                .filter(|trade| !known.contains(&trade.id)),
        );
        // Stable: what happened at one moment keeps the sequence in which it was told.
        all.sort_by_key(|trade| trade.at);
        for trade in all {
            if self.remember(&trade) {
                self.found += u64::from(!came.contains(&trade.id));
                self.hand_on(None, trade, out);
            }
        }
        let found = self.settle();
        if meets {
            Filled::Whole(found)
        } else {
            Filled::Unproven(found)
        }
    }

    /// Remembers a trade; false when it is known. One without an id is always new.
    fn remember(&mut self, trade: &Trade) -> bool {
        let Some(id) = &trade.id else { return true };
        let (sequence, known) = &mut self.remembered;
        if !known.insert(id.clone()) {
            return false;
        }
        sequence.push_back(id.clone());
        if sequence.len() > MAX_REMEMBERED
            && let Some(oldest) = sequence.pop_front()
        {
            known.remove(&oldest);
        }
        true
    }
}

/// Returns the number of a trade.
fn number(trade: &Trade) -> Option<u64> {
    trade.id.as_deref()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn trade(id: u64) -> Trade {
        Trade {
            at: Timestamp::from_millisecond(1_700_000_000_000 + i64::try_from(id).unwrap())
                .unwrap(),
            id: Some(id.to_string()),
            price: 1.into(),
            size: 1.into(),
            taker: None,
        }
    }

    fn ids(trades: &[Trade]) -> Vec<u64> {
        trades.iter().map(|trade| number(trade).unwrap()).collect()
    }

    #[test]
    fn what_comes_twice_or_late_is_handed_on_once_and_in_sequence() {
        let mut sequence = Sequence::new(TradeIds::Consecutive);
        let mut out = Vec::new();
        for id in [10, 11, 11, 13, 14, 10, 12, 12, 15] {
            sequence.take(trade(id), 0, &mut out);
        }
        assert_eq!(ids(&out), [10, 11, 12, 13, 14, 15]);
        assert!(sequence.is_whole());
        assert_eq!(sequence.gap(10_000), None);
    }

    #[test]
    fn an_answer_from_before_the_last_break_does_not_end_the_gap() {
        let mut sequence = Sequence::new(TradeIds::Unique);
        let mut out = Vec::new();
        sequence.take(trade(10), 0, &mut out);
        sequence.broke(0);
        assert!(sequence.gap(PATIENCE_MS).is_some());
        // 13 is lost by the second break, and the answer that is on its way does not know of it.
        sequence.broke(PATIENCE_MS);
        let early = vec![trade(10), trade(11), trade(12)];
        assert_eq!(sequence.fill(early, 400, &mut out), Filled::Again);
        sequence.take(trade(14), 500, &mut out);
        assert_eq!(ids(&out), [10]);
        assert!(sequence.gap(400 + PATIENCE_MS).is_some());
        let late = (10..=14).map(trade).collect();
        assert_eq!(sequence.fill(late, 800, &mut out), Filled::Whole(3));
        assert_eq!(ids(&out), [10, 11, 12, 13, 14]);
        assert!(sequence.is_whole());
    }

    #[test]
    fn what_waits_from_before_the_last_break_is_not_its_end() {
        let mut sequence = Sequence::new(TradeIds::Unique);
        let mut out = Vec::new();
        sequence.take(trade(10), 0, &mut out);
        sequence.broke(0);
        sequence.take(trade(12), 10, &mut out);
        // 13 is lost by the second break.
        sequence.broke(20);
        assert_eq!(sequence.gap(PATIENCE_MS).unwrap().to, None);
        let rows = vec![trade(10), trade(11), trade(12)];
        assert_eq!(sequence.fill(rows, 400, &mut out), Filled::Again);
        sequence.take(trade(14), 500, &mut out);
        let gap = sequence.gap(5_000).unwrap();
        assert_eq!(gap.to, Some(trade(14).at));
        let rows = (10..=14).map(trade).collect();
        assert_eq!(sequence.fill(rows, 5_100, &mut out), Filled::Whole(2));
        assert_eq!(ids(&out), [10, 11, 12, 13, 14]);
    }

    #[test]
    fn without_ids_everything_is_handed_on_and_a_lost_connection_is_told_as_a_loss() {
        let mut sequence = Sequence::new(TradeIds::Absent);
        let mut out = Vec::new();
        let nameless = |at| Trade {
            id: None,
            ..trade(at)
        };
        for at in [1, 2, 2] {
            sequence.take(nameless(at), 0, &mut out);
        }
        sequence.broke(0);
        // Nothing waits for what cannot be fetched.
        sequence.take(nameless(5), 0, &mut out);
        assert_eq!(out.len(), 4);
        assert!(!sequence.is_whole());
        let gap = sequence.gap(PATIENCE_MS).unwrap();
        assert_eq!((gap.missing, gap.to), (None, None));
        assert_eq!(sequence.give_up(&mut out), Filled::Lost(0, None));
        assert!(sequence.is_whole());
        assert_eq!(out.len(), 4);
    }

    #[test]
    fn a_gap_is_known_after_a_while_and_what_was_fetched_comes_before_what_waited() {
        let mut sequence = Sequence::new(TradeIds::Consecutive);
        let mut out = Vec::new();
        for id in [10, 14, 15] {
            sequence.take(trade(id), 0, &mut out);
        }
        assert_eq!(sequence.gap(PATIENCE_MS - 1), None);
        let gap = sequence.gap(PATIENCE_MS).unwrap();
        assert_eq!((gap.missing, gap.attempt), (Some(3), 1));
        assert_eq!((gap.from, gap.to), (trade(10).at, Some(trade(14).at)));
        assert_eq!(sequence.gap(PATIENCE_MS), None, "it is asked for once");
        let rows = vec![
            trade(9),
            trade(10),
            trade(11),
            trade(12),
            trade(13),
            trade(14),
        ];
        assert_eq!(sequence.fill(rows, 400, &mut out), Filled::Whole(3));
        assert_eq!(ids(&out), [10, 11, 12, 13, 14, 15]);
    }

    #[test]
    fn what_cannot_be_fetched_is_asked_for_three_times_and_then_said_to_be_lost() {
        let mut sequence = Sequence::new(TradeIds::Consecutive);
        let mut out = Vec::new();
        for id in [10, 14] {
            sequence.take(trade(id), 0, &mut out);
        }
        for attempt in 1..=MAX_TRIES {
            let now = i64::from(attempt) * 10_000;
            assert_eq!(sequence.gap(now).unwrap().attempt, attempt);
            let filled = sequence.fill(vec![trade(12)], now, &mut out);
            let last = attempt == MAX_TRIES;
            let wanted = if last {
                Filled::Lost(1, Some(2))
            } else {
                Filled::Again
            };
            assert_eq!(filled, wanted);
            assert_eq!(sequence.is_whole(), last);
        }
        assert_eq!(ids(&out), [10, 12, 14]);
        sequence.take(trade(11), 0, &mut out);
        assert_eq!(
            ids(&out),
            [10, 12, 14],
            "what was given up does not come late"
        );
    }

    #[test]
    fn a_heartbeat_shows_trades_that_did_not_come() {
        let mut sequence = Sequence::new(TradeIds::Consecutive);
        let mut out = Vec::new();
        sequence.hear(9, Some(trade(9).at), 0);
        sequence.take(trade(10), 0, &mut out);
        sequence.hear(10, None, 0);
        assert_eq!(sequence.gap(10_000), None);
        sequence.hear(12, None, 0);
        let gap = sequence.gap(10_000).unwrap();
        assert_eq!((gap.missing, gap.to), (Some(2), None));
        let filled = sequence.fill(vec![trade(11), trade(12)], 0, &mut out);
        assert_eq!(filled, Filled::Whole(2));
        assert_eq!(ids(&out), [10, 11, 12]);
    }

    #[test]
    fn names_without_numbers_are_joined_where_two_ways_meet() {
        let mut sequence = Sequence::new(TradeIds::Unique);
        let mut out = Vec::new();
        for id in [5, 9, 9] {
            sequence.take(trade(id), 0, &mut out);
        }
        assert_eq!(
            sequence.gap(10_000),
            None,
            "numbers left out mean nothing here"
        );
        sequence.broke(0);
        sequence.take(trade(30), 0, &mut out);
        assert_eq!(ids(&out), [5, 9], "it waits for those of before");
        assert!(sequence.gap(1_000).is_some());
        assert_eq!(
            sequence.fill(vec![trade(9), trade(12)], 1_000, &mut out),
            Filled::Again
        );
        assert!(sequence.gap(9_000).is_some());
        let rows = vec![trade(9), trade(12), trade(20), trade(30)];
        assert_eq!(sequence.fill(rows, 9_000, &mut out), Filled::Whole(2));
        assert_eq!(ids(&out), [5, 9, 12, 20, 30]);
    }

    proptest! {
        /// However frames are lost, doubled and mixed up, and wherever the connection breaks: with a way to
        /// fetch what is missing everything arrives once and in sequence.
        #[test]
        fn every_trade_arrives_once_and_in_sequence(
            fates in prop::collection::vec(0_u8..8, 1..200),
            fetch_lags in 0_u64..3,
        ) {
            let mut sequence = Sequence::new(TradeIds::Consecutive);
            let mut out = Vec::new();
            let (mut now_ms, mut held) = (0, None);
            sequence.take(trade(1), now_ms, &mut out);
            let end = u64::try_from(fates.len()).unwrap() + 2;
            for (id, fate) in (2..).zip(fates) {
                now_ms += 50;
                match fate {
                    0 => {}
                    1 => { sequence.take(trade(id), now_ms, &mut out); sequence.take(trade(id), now_ms, &mut out); }
                    2 => held = Some(id),
                    3 => sequence.broke(now_ms),
                    _ => sequence.take(trade(id), now_ms, &mut out),
                }
                if fate > 3 && let Some(held) = held.take() {
                    sequence.take(trade(held), now_ms, &mut out);
                }
                if sequence.gap(now_ms).is_some() {
                    let newest = id.saturating_sub(fetch_lags);
                    sequence.fill((1..=newest).map(trade).collect(), now_ms, &mut out);
                }
            }
            sequence.take(trade(end), now_ms, &mut out);
            for _ in 0..=MAX_TRIES {
                now_ms += 10_000;
                if sequence.gap(now_ms).is_some() {
                    sequence.fill((1..=end).map(trade).collect(), now_ms, &mut out);
                }
            }
            prop_assert_eq!(ids(&out), (1..=end).collect::<Vec<_>>());
            prop_assert!(sequence.is_whole());
        }
    }
}
