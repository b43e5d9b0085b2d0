//! Limits as providers enforce them: windows, buckets, weights, different symbols, bans.
//!
//! Why of its own: what keeps a client inside its limits must not be checked by itself.
//! - When it acts: a call that does not fit is refused and told how long to wait.
//! - When it recovers: with the next window; a ban ends by itself and is twice as long the next time.
//! - First start: nothing is counted yet.
//!
//! Windows are counted by the sandbox's clock. Not here: how a refusal looks (the providers).

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

/// Upper bound on keys and addresses that are counted; beyond it all are forgotten.
const MAX_COUNTED: usize = 10_000;
/// More units than anybody uses.
const UNLIMITED: i64 = 1_000_000_000;
/// So often a refused client may go on before it is banned.
const STRIKES: u32 = 5;
/// Length of a first ban, in seconds.
const BAN_SECONDS: i64 = 120;

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counts {
    /// Requests.
    Requests,
    /// Units that calls cost.
    Weight,
    /// Units that calls cost, those of refused calls too.
    WeightOfAll,
    /// Different symbols.
    Symbols,
}

/// How a limit flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// All units come back when a window of the clock begins.
    Fixed,
    /// Units flow back; so many fit at once.
    Bucket(i64),
}

/// A limit of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    /// Its name: `minute`.
    pub(crate) id: &'static str,
    /// What it counts.
    pub(crate) counts: Counts,
    /// Units in a window.
    pub(crate) units: i64,
    /// Length of the window, in seconds.
    pub(crate) seconds: i64,
    /// How it flows.
    pub(crate) style: Style,
    /// Whether going on after a refusal leads to a ban.
    pub(crate) bans: bool,
}

impl Limit {
    /// Counts on and refuses nobody: a provider without limits still says how much is used.
    pub(crate) fn set_off(&mut self) {
        self.set_units(UNLIMITED);
    }

    /// Changes how many units there are; a bucket holds as many more or fewer.
    pub(crate) fn set_units(&mut self, units: i64) {
        if let Style::Bucket(size) = &mut self.style {
            *size = (*size - self.units + units).max(units);
        }
        self.units = units;
    }

    /// So many requests in windows of the clock.
    pub(crate) const fn requests(id: &'static str, units: i64, seconds: i64) -> Self {
        Self {
            id,
            counts: Counts::Requests,
            units,
            seconds,
            style: Style::Fixed,
            bans: false,
        }
    }
}

/// What one call takes, and from whom.
#[derive(Clone, Debug)]
pub(crate) struct Charge {
    /// The key or the address.
    pub(crate) who: String,
    pub(crate) weight: i64,
    pub(crate) symbols: Vec<String>,
}

impl Charge {
    /// One unit of `who`.
    pub(crate) fn one(who: impl Into<String>) -> Self {
        Self {
            who: who.into(),
            weight: 1,
            symbols: Vec::new(),
        }
    }
}

/// How full a limit is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    pub(crate) limit: Limit,
    pub(crate) used: i64,
    /// Seconds until units come back.
    pub(crate) wait: i64,
}

/// Why a call was refused.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refusal {
    /// What was too full.
    pub(crate) usage: Usage,
    /// Whether it is a ban.
    pub(crate) is_ban: bool,
}

#[derive(Debug, Default)]
struct Count {
    window: i64,
    used: i64,
    /// Milliseconds since 1970 at which the bucket was looked at, and its thousandths of a unit.
    level: Option<(i64, i64)>,
    symbols: BTreeSet<String>,
    refused_until: i64,
    strikes: u32,
    banned_until: i64,
    bans: u32,
}

/// What everybody has used.
#[derive(Debug, Default)]
pub(crate) struct Limiter {
    counts: HashMap<(&'static str, &'static str, String), Count>,
}

/// The decision on a call.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) usages: Vec<Usage>,
    pub(crate) refusal: Option<Refusal>,
    /// Whether the client had been told to wait and did not.
    pub(crate) was_told_to_wait: bool,
}

impl Limiter {
    /// Counts a call of `charge` against `limits`: against all or, when one is too full, none.
    pub(crate) fn admit(
        &mut self,
        provider: &'static str,
        limits: &[Limit],
        charge: &Charge,
        now: Timestamp,
    ) -> Verdict {
        if self.counts.len() > MAX_COUNTED {
            self.counts.clear();
        }
        let mut verdict = Verdict {
            usages: Vec::new(),
            refusal: None,
            was_told_to_wait: false,
        };
        for limit in limits {
            let count = self.count(provider, limit, charge);
            verdict.was_told_to_wait |= now.as_second() < count.refused_until;
            if let Some(refusal) = count.refusal(limit, charge, now) {
                verdict.refusal.get_or_insert(refusal);
            }
        }
        for limit in limits {
            let is_counted = verdict.refusal.is_none() || limit.counts == Counts::WeightOfAll;
            let count = self.count(provider, limit, charge);
            if is_counted {
                count.spend(limit, charge);
            }
            verdict.usages.push(count.usage(limit, now));
        }
        verdict
    }

    fn count(&mut self, provider: &'static str, limit: &Limit, charge: &Charge) -> &mut Count {
        let key = (provider, limit.id, charge.who.clone());
        self.counts.entry(key).or_default()
    }
}

impl Count {
    fn units(&self, limit: &Limit, charge: &Charge) -> i64 {
        match limit.counts {
            Counts::Requests => 1,
            Counts::Weight | Counts::WeightOfAll => charge.weight,
            Counts::Symbols => {
                let new = charge.symbols.iter().filter(|s| !self.symbols.contains(*s));
                i64::try_from(new.count()).unwrap_or(i64::MAX)
            }
        }
    }

    /// Brings the window or the bucket up to `now` and says whether the call does not fit.
    fn refusal(&mut self, limit: &Limit, charge: &Charge, now: Timestamp) -> Option<Refusal> {
        let second = now.as_second();
        self.flow(limit, now);
        let refused = |usage: Usage, is_ban: bool| Refusal { usage, is_ban };
        if second < self.banned_until {
            let usage = self.usage(limit, now);
            let wait = self.banned_until - second;
            return Some(refused(Usage { wait, ..usage }, true));
        }
        let most = match limit.style {
            Style::Fixed => limit.units,
            Style::Bucket(size) => size,
        };
        if self.used + self.units(limit, charge) <= most {
            return None;
        }
        let usage = self.usage(limit, now);
        if limit.bans && second < self.refused_until {
            self.strikes += 1;
            if self.strikes >= STRIKES {
                self.strikes = 0;
                let wait = BAN_SECONDS << self.bans.min(11);
                self.bans += 1;
                self.banned_until = second + wait;
                self.refused_until = self.banned_until;
                return Some(refused(Usage { wait, ..usage }, true));
            }
        }
        self.refused_until = self.refused_until.max(second + usage.wait);
        Some(refused(usage, false))
    }

    fn flow(&mut self, limit: &Limit, now: Timestamp) {
        match limit.style {
            Style::Fixed => {
                let window = now.as_second().div_euclid(limit.seconds.max(1));
                if window != self.window {
                    self.window = window;
                    self.used = 0;
                    self.symbols.clear();
                }
            }
            Style::Bucket(_) => {
                let now_ms = now.as_millisecond();
                let (since, thousandths) = self.level.unwrap_or((now_ms, 0));
                let passed = (now_ms - since).max(0);
                let freed = passed.saturating_mul(limit.units) / limit.seconds.max(1);
                let left = (thousandths - freed).max(0);
                self.level = Some((now_ms, left));
                self.used = (left + 999) / 1_000;
            }
        }
    }

    fn spend(&mut self, limit: &Limit, charge: &Charge) {
        let units = self.units(limit, charge);
        self.used += units;
        if let Some((_, thousandths)) = &mut self.level {
            *thousandths += units * 1_000;
        }
        if limit.counts == Counts::Symbols {
            self.symbols.extend(charge.symbols.iter().cloned());
        }
    }

    fn usage(&self, limit: &Limit, now: Timestamp) -> Usage {
        let seconds = limit.seconds.max(1);
        let wait = match limit.style {
            Style::Fixed => seconds - now.as_second().rem_euclid(seconds),
            Style::Bucket(_) => (seconds / limit.units.max(1)).max(1),
        };
        Usage {
            limit: *limit,
            used: self.used,
            wait,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(1_700_000_040_000 + ms).unwrap()
    }

    fn refused(limiter: &mut Limiter, limit: Limit, charge: &Charge, ms: i64) -> Option<Refusal> {
        limiter.admit("x", &[limit], charge, at(ms)).refusal
    }

    #[test]
    fn a_fixed_window_gives_all_units_back_at_once() {
        let mut limiter = Limiter::default();
        let limit = Limit::requests("minute", 2, 60);
        let charge = Charge::one("a");
        for ms in [0, 1] {
            assert!(refused(&mut limiter, limit, &charge, ms).is_none());
        }
        let refusal = refused(&mut limiter, limit, &charge, 2_000).unwrap();
        assert!(!refusal.is_ban && refusal.usage.wait <= 60);
        let other = Charge::one("b");
        assert!(refused(&mut limiter, limit, &other, 2_000).is_none());
        assert!(refused(&mut limiter, limit, &charge, 60_000).is_none());
    }

    #[test]
    fn a_bucket_flows() {
        let mut limiter = Limiter::default();
        let limit = Limit {
            style: Style::Bucket(3),
            ..Limit::requests("second", 2, 1)
        };
        let charge = Charge::one("a");
        for _ in 0..3 {
            assert!(refused(&mut limiter, limit, &charge, 0).is_none());
        }
        assert!(refused(&mut limiter, limit, &charge, 400).is_some());
        assert!(refused(&mut limiter, limit, &charge, 500).is_none());
        assert!(refused(&mut limiter, limit, &charge, 501).is_some());
    }

    #[test]
    fn who_goes_on_is_banned_and_the_next_ban_is_longer() {
        let mut limiter = Limiter::default();
        let limit = Limit {
            bans: true,
            ..Limit::requests("minute", 1, 60)
        };
        let charge = Charge::one("a");
        assert!(refused(&mut limiter, limit, &charge, 0).is_none());
        let is_ban = |limiter: &mut Limiter, ms: i64| {
            let refusal = refused(limiter, limit, &charge, ms).unwrap();
            refusal.is_ban.then_some(refusal.usage.wait)
        };
        assert_eq!(is_ban(&mut limiter, 1_000), None);
        for _ in 0..4 {
            assert_eq!(is_ban(&mut limiter, 2_000), None);
        }
        assert_eq!(is_ban(&mut limiter, 3_000), Some(120));
        assert_eq!(is_ban(&mut limiter, 122_000), Some(1));
        assert!(refused(&mut limiter, limit, &charge, 124_000).is_none());
        for _ in 0..5 {
            assert_eq!(is_ban(&mut limiter, 125_000), None);
        }
        assert_eq!(is_ban(&mut limiter, 125_000), Some(240));
    }

    #[test]
    fn a_symbol_counts_once_a_window() {
        let mut limiter = Limiter::default();
        let limit = Limit {
            counts: Counts::Symbols,
            ..Limit::requests("symbols", 2, 2_592_000)
        };
        let charge = |symbol: &str| Charge {
            symbols: vec![symbol.to_owned()],
            ..Charge::one("a")
        };
        for symbol in ["A", "A", "B", "A"] {
            assert!(refused(&mut limiter, limit, &charge(symbol), 0).is_none());
        }
        assert!(refused(&mut limiter, limit, &charge("C"), 0).is_some());
        assert!(refused(&mut limiter, limit, &charge("B"), 0).is_none());
    }
}
