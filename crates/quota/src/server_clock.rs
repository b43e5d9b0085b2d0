//! The other side's clock, as its answers tell it: how far it stands before the machine's uptime.
//!
//! Why: a fixed window begins anew by the clock of whoever counts. Ours may be wrong or jump; the header
//! `Date` says theirs, to the second. Each answer bounds it: when it was written the other clock stood
//! between `Date` and one second more, and that was between sending and receiving. The bounds of many
//! answers together are as narrow as a round trip.
//! Servers whose clocks contradict each other widen the bounds to hold all of them; nothing is guessed.
//! Before the first answer nothing is known, and windows are read as sliding ones.

use crate::boundary::SECOND_US;

/// One second's microseconds per microsecond that the two clocks may drift apart: 200 in a million.
const DRIFT_DIVISOR: i64 = 5_000;

/// Bounds on what must be added to the uptime to get the other side's time since 1970, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offset {
    /// At least this.
    pub low_us: i64,
    /// At most this.
    pub high_us: i64,
}

/// What is known of the other side's clock.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServerClock {
    known: Option<(Offset, i64)>,
}

impl ServerClock {
    /// Takes bounds that were known at `at_us`.
    pub(crate) fn restore(offset: Offset, at_us: i64) -> Self {
        Self {
            known: (offset.low_us <= offset.high_us).then_some((offset, at_us)),
        }
    }

    /// Returns how far the clocks may have drifted apart between what was last known and `at_us`.
    pub(crate) fn drift_us(&self, at_us: i64) -> i64 {
        self.known.map_or(0, |(_, known_us)| {
            at_us.saturating_sub(known_us).saturating_abs() / DRIFT_DIVISOR
        })
    }

    /// Returns the bounds at `now_us`, widened by what the clocks may have drifted apart.
    pub(crate) fn offset(&self, now_us: i64) -> Option<Offset> {
        let (offset, at_us) = self.known?;
        let drift = now_us.saturating_sub(at_us).max(0) / DRIFT_DIVISOR;
        Some(Offset {
            low_us: offset.low_us.saturating_sub(drift),
            high_us: offset.high_us.saturating_add(drift),
        })
    }

    /// Learns from an answer to what was sent at `sent_us`, came at `answered_us` and says `date_us`.
    pub(crate) fn observe(&mut self, sent_us: i64, answered_us: i64, date_us: i64) {
        let seen = Offset {
            low_us: date_us.saturating_sub(answered_us),
            high_us: date_us.saturating_add(SECOND_US).saturating_sub(sent_us),
        };
        if seen.low_us > seen.high_us {
            return;
        }
        let offset = match self.offset(answered_us) {
            None => seen,
            Some(known) => {
                let both = Offset {
                    low_us: known.low_us.max(seen.low_us),
                    high_us: known.high_us.min(seen.high_us),
                };
                if both.low_us <= both.high_us {
                    both
                } else {
                    Offset {
                        low_us: known.low_us.min(seen.low_us),
                        high_us: known.high_us.max(seen.high_us),
                    }
                }
            }
        };
        self.known = Some((offset, answered_us));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_bounds_always_hold_the_truth_and_never_widen_by_an_honest_answer(
            truth in -1_000_000_000_i64..1_000_000_000,
            answers in prop::collection::vec((0..50_000_i64, 0..50_000_i64, 0..400_000_i64), 1..200),
        ) {
            let mut clock = ServerClock::default();
            let mut now = 0;
            for (to, back, pause) in answers {
                let sent = now + pause;
                let written = sent + to;
                now = written + back;
                let date = (written + truth).div_euclid(SECOND_US) * SECOND_US;
                let before = clock.offset(now);
                clock.observe(sent, now, date);
                let after = clock.offset(now).unwrap();
                prop_assert!(after.low_us <= truth && truth <= after.high_us);
                if let Some(before) = before {
                    prop_assert!(before.low_us <= after.low_us && after.high_us <= before.high_us);
                }
            }
        }
    }

    #[test]
    fn clocks_that_contradict_each_other_are_both_believed() {
        let mut clock = ServerClock::default();
        clock.observe(0, 10, 5_000_000);
        clock.observe(20, 30, 9_000_000);
        let offset = clock.offset(30).unwrap();
        assert!(offset.low_us <= 4_999_990 && offset.high_us >= 9_999_980);
    }
}
