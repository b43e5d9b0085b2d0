//! A gate: what a provider as a whole says to one key or address: not before, never again, or nothing.
//!
//! Why apart from windows: a ban, a `Retry-After` and an outage are about every call to a provider, also
//! about those that no window counts.
//!
//! The breaker. Acts: after five failures in a row (outage, no answer, an answer without form). Then:
//! open, every call is refused, for 1 s, doubled with each failing probe up to 5 minutes. Recovers:
//! half-open, one probe at a time passes, the cheapest there is; its success closes the breaker.
//! First start: closed. What a refusal of limits says is no failure: somebody is there and answers.
//!
//! Closures. Throttled: for as long as the answer says, else 1 s doubled up to the caller's fallback.
//! Banned: as long as it says, else 2 minutes, doubled with each ban in a row up to 3 days. Both survive
//! a restart; after a reboot what was left when they were written is waited in full.

use crate::boundary::{HOUR_US, SECOND_US};
use crate::record::GateRow;
use crate::server_clock::ServerClock;

/// Failures in a row that open the breaker.
const TRIP_AFTER: u32 = 5;
/// How long the breaker stays open first, and at most.
const OPEN_US: (i64, i64) = (SECOND_US, 300 * SECOND_US);
/// How long a ban is thought to last when nothing is said, first and at most.
const BAN_US: (i64, i64) = (120 * SECOND_US, 72 * HOUR_US);
/// The longest wait that an answer is believed.
const MAX_WAIT_US: i64 = 32 * 24 * HOUR_US;

/// State of the breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breaker {
    /// Calls pass.
    Closed,
    /// Calls are refused until then.
    Open {
        /// Uptime at which a probe may be sent.
        until_us: i64,
    },
    /// One probe may pass.
    HalfOpen {
        /// Whether it is under way.
        is_probing: bool,
    },
}

/// One provider as one key or address sees it.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    pub(crate) clock: ServerClock,
    breaker: Breaker,
    failures: u32,
    /// How long the breaker stays open next time.
    open_us: i64,
    closed_until_us: i64,
    is_banned: bool,
    bans: u32,
    throttles: u32,
    /// Whether a refused key has been told.
    is_key_told: bool,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            clock: ServerClock::default(),
            breaker: Breaker::Closed,
            failures: 0,
            open_us: OPEN_US.0,
            closed_until_us: i64::MIN,
            is_banned: false,
            bans: 0,
            throttles: 0,
            is_key_told: false,
        }
    }
}

impl Gate {
    /// Takes over what was written down.
    pub(crate) fn restore(row: &GateRow, boot: Option<&str>, now_us: i64) -> Self {
        let is_same_boot = row.boot.is_some() && row.boot.as_deref() == boot;
        let mut gate = Self {
            is_banned: row.is_banned,
            bans: row.bans,
            ..Self::default()
        };
        if let Some(until) = row.closed_until_us {
            gate.closed_until_us = if is_same_boot {
                until
            } else {
                now_us.saturating_add(until.saturating_sub(row.written_us).max(0))
            };
        }
        if let Some(offset) = row.offset.filter(|_| is_same_boot) {
            gate.clock = ServerClock::restore(offset, row.written_us);
        }
        gate
    }

    pub(crate) fn row(&self, gate: &str, boot: Option<&str>, now_us: i64) -> GateRow {
        GateRow {
            gate: gate.to_owned(),
            boot: boot.map(str::to_owned),
            written_us: now_us,
            closed_until_us: (self.closed_until_us > now_us).then_some(self.closed_until_us),
            is_banned: self.is_banned && self.closed_until_us > now_us,
            bans: self.bans,
            offset: self.clock.offset(now_us),
        }
    }

    /// Returns until when nothing is sent, and whether that is a ban.
    pub(crate) fn closed(&self, now_us: i64) -> Option<(i64, bool)> {
        (self.closed_until_us > now_us).then_some((self.closed_until_us, self.is_banned))
    }

    /// Returns the breaker's state at this moment.
    pub(crate) fn breaker(&mut self, now_us: i64) -> Breaker {
        if let Breaker::Open { until_us } = self.breaker
            && until_us <= now_us
        {
            self.breaker = Breaker::HalfOpen { is_probing: false };
        }
        self.breaker
    }

    /// A call passes while the breaker is half-open.
    pub(crate) fn probe(&mut self) {
        self.breaker = Breaker::HalfOpen { is_probing: true };
    }

    /// The probe was never sent; another one may.
    pub(crate) fn unprobe(&mut self) {
        if self.breaker == (Breaker::HalfOpen { is_probing: true }) {
            self.breaker = Breaker::HalfOpen { is_probing: false };
        }
    }

    /// Somebody answered; returns whether the breaker closed by it.
    pub(crate) fn answered(&mut self, is_probe: bool) -> bool {
        self.failures = 0;
        // What was under way when the breaker opened proves nothing about now.
        if self.breaker == Breaker::Closed || !is_probe {
            return false;
        }
        self.breaker = Breaker::Closed;
        self.open_us = OPEN_US.0;
        true
    }

    /// An answer was good: refusals in a row end here.
    pub(crate) fn good(&mut self) {
        self.bans = 0;
        self.throttles = 0;
        self.is_key_told = false;
    }

    /// Returns true when a refused key has not been told yet since the last good answer.
    pub(crate) fn tell_key(&mut self) -> bool {
        !std::mem::replace(&mut self.is_key_told, true)
    }

    /// A call failed; returns the number of failures and how long the breaker is open when it opened.
    pub(crate) fn failed(&mut self, is_probe: bool, now_us: i64) -> Option<(u32, i64)> {
        self.failures = self.failures.saturating_add(1);
        let trips = match self.breaker {
            Breaker::Closed => self.failures >= TRIP_AFTER,
            Breaker::HalfOpen { .. } => is_probe,
            Breaker::Open { .. } => false,
        };
        if !trips {
            return None;
        }
        let wait = self.open_us;
        self.open_us = wait.saturating_mul(2).min(OPEN_US.1);
        self.breaker = Breaker::Open {
            until_us: now_us.saturating_add(wait),
        };
        Some((self.failures, wait))
    }

    /// Nothing is sent for as long as was said, or else longer each time, up to `fallback_us`.
    pub(crate) fn throttle(&mut self, wait_us: Option<i64>, fallback_us: i64, now_us: i64) {
        let doubled = SECOND_US.saturating_mul(1 << self.throttles.min(20));
        let wait = wait_us.unwrap_or_else(|| doubled.min(fallback_us));
        self.throttles = self.throttles.saturating_add(1);
        self.close(wait.max(1_000), now_us);
    }

    /// Nothing is sent for as long as was said, or else longer with each ban; returns for how long.
    pub(crate) fn ban(&mut self, wait_us: Option<i64>, now_us: i64) -> (i64, u32) {
        let guessed = BAN_US.0.saturating_mul(1 << self.bans.min(20));
        let wait = wait_us
            .unwrap_or_else(|| guessed.min(BAN_US.1))
            .max(SECOND_US);
        self.bans = self.bans.saturating_add(1);
        self.is_banned = true;
        self.close(wait, now_us);
        (wait.min(MAX_WAIT_US), self.bans)
    }

    fn close(&mut self, wait_us: i64, now_us: i64) {
        if self.closed_until_us <= now_us && self.is_banned && self.bans == 0 {
            self.is_banned = false;
        }
        let until = now_us.saturating_add(wait_us.min(MAX_WAIT_US));
        self.closed_until_us = self.closed_until_us.max(until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_failures_in_a_row_open_the_breaker_and_a_good_probe_closes_it() {
        let mut gate = Gate::default();
        for _ in 0..4 {
            assert_eq!(gate.failed(false, 0), None);
        }
        assert!(!gate.answered(false));
        for _ in 0..4 {
            assert_eq!(gate.failed(false, 0), None);
        }
        assert_eq!(gate.failed(false, 0), Some((5, SECOND_US)));
        assert_eq!(
            gate.breaker(SECOND_US - 1),
            Breaker::Open {
                until_us: SECOND_US
            }
        );
        assert_eq!(
            gate.breaker(SECOND_US),
            Breaker::HalfOpen { is_probing: false }
        );
        gate.probe();
        assert_eq!(gate.failed(false, SECOND_US), None, "no probe, no verdict");
        assert_eq!(gate.failed(true, SECOND_US), Some((7, 2 * SECOND_US)));
        assert_eq!(
            gate.breaker(3 * SECOND_US),
            Breaker::HalfOpen { is_probing: false }
        );
        gate.probe();
        assert!(
            !gate.answered(false),
            "an answer from before proves nothing"
        );
        assert!(gate.answered(true));
        assert_eq!(gate.breaker(3 * SECOND_US), Breaker::Closed);
    }

    #[test]
    fn a_ban_that_names_no_end_doubles_and_outlives_a_restart_and_a_reboot() {
        let mut gate = Gate::default();
        assert_eq!(gate.ban(None, 0), (120 * SECOND_US, 1));
        assert_eq!(gate.ban(None, 0), (240 * SECOND_US, 2));
        let row = gate.row("g", Some("one"), 40 * SECOND_US);
        let same = Gate::restore(&row, Some("one"), 50 * SECOND_US);
        assert_eq!(same.closed(50 * SECOND_US), Some((240 * SECOND_US, true)));
        let other = Gate::restore(&row, Some("two"), 5 * SECOND_US);
        assert_eq!(other.closed(5 * SECOND_US), Some((205 * SECOND_US, true)));
    }

    #[test]
    fn a_wait_without_end_is_not_believed() {
        let mut gate = Gate::default();
        gate.throttle(Some(i64::MAX), 0, 0);
        assert_eq!(gate.closed(0), Some((MAX_WAIT_US, false)));
    }
}
