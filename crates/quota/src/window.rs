//! One window: how much of a limit is taken at a moment, by the strictest reading of its rule.
//!
//! Why it is safe: the other side counts a request at some moment between its sending and its answer,
//! and nobody knows when. A slot is therefore busy from the grant on, and only with the answer does its
//! time start to run. Whenever the other side counts, all requests that it could count together hold
//! their slots together here, so that they are never more than the limit.
//! A window whose style is unknown is read as sliding, and as a bucket too when a smaller burst is said;
//! a fixed one is read by the other side's own clock once that is known, and as sliding until then.
//! Not here: who may take the next slot ([`crate::ledger`]), what is durable ([`crate::lease`]).

use std::collections::{BTreeMap, HashMap};

use tradewind_catalog::plan::{Counts, Style, Window as Declared};

use crate::boundary::{Boundary, HOUR_US, longest_us};
use crate::server_clock::Offset;

/// Parts of a window's length below which moments are not told apart.
const QUANTA: i64 = 1_024;
/// From this length on a window has a closing hour that backfill must leave to others.
const LONG_US: i64 = 12 * HOUR_US;

/// What a symbol is called in the ledger: a digest of its name.
pub type SymbolId = [u8; 16];

/// What a call takes from a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// Units, at least 1.
    Units(u64),
    /// Symbols; those that were asked for already in this window take nothing.
    Symbols(Vec<SymbolId>),
}

/// How many of something may be taken in which time.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// How many; at least 1.
    pub limit: u32,
    /// Length in microseconds by the strictest reading; at least 1.
    pub length_us: i64,
    /// Whether different symbols are counted.
    pub counts_symbols: bool,
    /// Whether no span of that length may hold more than the limit.
    pub is_log: bool,
    /// When it begins anew, where that is said.
    pub boundary: Option<Boundary>,
    /// Capacity of the bucket, where it is one or may be one.
    pub burst: Option<u32>,
}

impl Rule {
    /// Reads a declared window strictly.
    pub fn of(declared: &Declared) -> Self {
        let limit = declared.limit.max(1);
        let boundary = match (&declared.resets, declared.style) {
            (Some(reset), Some(Style::Fixed)) => Boundary::of(declared.per, reset),
            _ => None,
        };
        let counts_symbols = declared.counts == Counts::UniqueSymbols;
        let is_bucket = declared.style == Some(Style::Bucket) && !counts_symbols;
        let smaller = declared.burst.filter(|burst| *burst < limit);
        Self {
            limit,
            length_us: longest_us(declared.per),
            counts_symbols,
            is_log: !is_bucket,
            boundary,
            burst: if counts_symbols {
                None
            } else if is_bucket {
                Some(declared.burst.unwrap_or(limit).max(1))
            } else {
                smaller.map(|burst| burst.max(1))
            },
        }
    }

    /// Returns the time that is waited beyond the length, for clocks that do not run alike.
    pub(crate) fn slack_us(&self) -> i64 {
        (self.length_us / 2_000).clamp(5_000, 10_000_000)
    }

    /// Says whether the window is so long that its last hour is kept from backfill.
    pub(crate) fn is_long(&self) -> bool {
        self.length_us >= LONG_US
    }

    fn quantum_us(&self) -> i64 {
        (self.length_us / QUANTA).max(1)
    }

    /// Returns the newest stamp whose units are free at `now_us`.
    fn cut_us(&self, now_us: i64, offset: Option<Offset>) -> i64 {
        let slid = now_us
            .saturating_sub(self.length_us)
            .saturating_sub(self.slack_us());
        let fixed = self.boundary.as_ref().zip(offset).and_then(|(b, offset)| {
            // The last boundary that has passed whatever their clock says, and what was answered
            // before it whatever their clock says.
            let (begun, _) = b.around(now_us.checked_add(offset.low_us)?)?;
            begun.checked_sub(offset.high_us)?.checked_sub(1)
        });
        fixed.map_or(slid, |fixed| fixed.max(slid))
    }

    /// Returns when units that are stamped `stamp_us` are free.
    pub(crate) fn free_at_us(&self, stamp_us: i64, offset: Option<Offset>) -> i64 {
        let slid = stamp_us
            .saturating_add(self.length_us)
            .saturating_add(self.slack_us());
        let fixed = self.boundary.as_ref().zip(offset).and_then(|(b, offset)| {
            let (_, next) = b.around(stamp_us.checked_add(offset.high_us)?)?;
            next.checked_sub(offset.low_us)
        });
        fixed.map_or(slid, |fixed| fixed.min(slid))
    }
}

/// Units by when they were answered for.
#[derive(Clone, Debug, Default)]
struct Log {
    // Invariant: no entry has 0 units; `used` is the sum of those after `cut_us`.
    spent: BTreeMap<i64, u64>,
    cut_us: i64,
    used: u64,
}

impl Log {
    fn new() -> Self {
        Self {
            spent: BTreeMap::new(),
            cut_us: i64::MIN,
            used: 0,
        }
    }

    /// Returns the moment that a stamp is kept under.
    fn key(stamp_us: i64, quantum_us: i64) -> i64 {
        // Rounded up: later is stricter.
        let up = stamp_us.saturating_add(quantum_us - 1);
        up.div_euclid(quantum_us).saturating_mul(quantum_us)
    }

    fn charge(&mut self, stamp_us: i64, units: u64, quantum_us: i64) {
        if units == 0 {
            return;
        }
        let key = Self::key(stamp_us, quantum_us);
        *self.spent.entry(key).or_default() += units;
        if key > self.cut_us {
            self.used += units;
        }
    }

    /// Takes units back that were charged at `stamp_us`; returns how many of them were still there.
    fn refund(&mut self, stamp_us: i64, units: u64, quantum_us: i64) -> u64 {
        let key = Self::key(stamp_us, quantum_us);
        let Some(spent) = self.spent.get_mut(&key) else {
            return 0;
        };
        let gone = units.min(*spent);
        *spent -= gone;
        if *spent == 0 {
            self.spent.remove(&key);
        }
        if key > self.cut_us {
            self.used -= gone;
        }
        gone
    }

    /// Moves to a moment at which everything stamped up to `cut_us` is free.
    fn move_to(&mut self, cut_us: i64, forget_us: i64) {
        if cut_us != self.cut_us {
            self.cut_us = cut_us;
            self.used = self.after(cut_us);
        }
        while let Some(oldest) = self.spent.first_entry() {
            if *oldest.key() > forget_us.min(cut_us) {
                break;
            }
            oldest.remove();
        }
    }

    fn after(&self, cut_us: i64) -> u64 {
        cut_us.checked_add(1).map_or(0, |from| {
            self.spent.range(from..).map(|(_, units)| units).sum()
        })
    }

    /// Forgets the oldest units until no more than `target` are used.
    fn lower_to(&mut self, target: u64) {
        let mut excess = self.used.saturating_sub(target);
        while excess > 0 {
            let Some(from) = self.cut_us.checked_add(1) else {
                return;
            };
            let Some((&key, &units)) = self.spent.range(from..).next() else {
                return;
            };
            let gone = units.min(excess);
            if gone == units {
                self.spent.remove(&key);
            } else {
                self.spent.insert(key, units - gone);
            }
            self.used -= gone;
            excess -= gone;
        }
    }
}

/// A bucket seen from outside: what it owes, and what will be owed once its stamp has come.
#[derive(Clone, Debug)]
struct Bucket {
    burst: u64,
    /// Units times the window's length, so that nothing is rounded.
    debt: i128,
    at_us: i64,
    later: BTreeMap<i64, u64>,
}

impl Bucket {
    fn new(burst: u32, now_us: i64) -> Self {
        Self {
            burst: u64::from(burst),
            debt: 0,
            at_us: now_us,
            later: BTreeMap::new(),
        }
    }

    fn move_to(&mut self, now_us: i64, limit: u64, length_us: i64) {
        while let Some(entry) = self.later.first_entry() {
            let stamp = *entry.key();
            if stamp > now_us {
                break;
            }
            let units = entry.remove();
            self.drain(stamp, limit);
            self.debt += i128::from(units) * i128::from(length_us);
        }
        self.drain(now_us, limit);
    }

    fn drain(&mut self, to_us: i64, limit: u64) {
        let passed = i128::from(to_us.saturating_sub(self.at_us).max(0));
        self.debt = (self.debt - passed * i128::from(limit)).max(0);
        self.at_us = self.at_us.max(to_us);
    }

    /// Returns what is taken, times the window's length.
    fn taken(&self, held: u64, length_us: i64) -> i128 {
        let whole = held + self.later.values().sum::<u64>();
        self.debt + i128::from(whole) * i128::from(length_us)
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Symbol {
    /// Calls that ask for it now.
    pub(crate) held: u64,
    /// When the last of them was answered.
    pub(crate) stamp_us: i64,
    /// Its lease, the same for ever.
    pub(crate) lease: u64,
}

/// What an answer's headers say of a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// The limit.
    pub limit: Option<u64>,
    /// Units used.
    pub used: Option<u64>,
    /// Units left.
    pub remaining: Option<u64>,
    /// Whether it is proven to mean this, so that it may also say that less is used than we think.
    pub is_confirmed: bool,
}

/// A window at work.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    pub(crate) rule: Rule,
    /// The limit in force: the rule's, or what an answer said.
    pub(crate) limit: u64,
    /// Units of calls that have no answer yet.
    pub(crate) held: u64,
    log: Option<Log>,
    bucket: Option<Bucket>,
    pub(crate) symbols: HashMap<SymbolId, Symbol>,
}

impl Window {
    pub(crate) fn new(rule: Rule, now_us: i64) -> Self {
        Self {
            limit: u64::from(rule.limit),
            held: 0,
            log: (rule.is_log && !rule.counts_symbols).then(Log::new),
            bucket: rule.burst.map(|burst| Bucket::new(burst, now_us)),
            symbols: HashMap::new(),
            rule,
        }
    }

    /// Puts another rule in force; what was spent stays spent.
    pub(crate) fn set_rule(&mut self, rule: Rule, now_us: i64) {
        if rule == self.rule {
            return;
        }
        let mut next = Self::new(rule, now_us);
        next.held = self.held;
        next.symbols = std::mem::take(&mut self.symbols);
        for (stamp, units) in self.log.iter().flat_map(|log| &log.spent) {
            next.charge(*stamp, *units, now_us);
        }
        if self.log.is_none()
            && let Some(bucket) = &self.bucket
        {
            let length = i128::from(self.rule.length_us);
            let owed = (bucket.taken(0, self.rule.length_us) + length - 1) / length;
            next.charge(now_us, u64::try_from(owed).unwrap_or(u64::MAX), now_us);
        }
        *self = next;
    }

    fn move_to(&mut self, now_us: i64, offset: Option<Offset>) {
        if let Some(log) = &mut self.log {
            // What a fixed window has let go is kept as long as a sliding one would keep it: their
            // clock may turn out to be less well known.
            let forget = self.rule.cut_us(now_us, None);
            log.move_to(self.rule.cut_us(now_us, offset), forget);
        }
        if let Some(bucket) = &mut self.bucket {
            bucket.move_to(now_us, self.limit, self.rule.length_us);
        }
    }

    /// Returns how many units are taken, those of calls without an answer included.
    pub(crate) fn taken(&mut self, now_us: i64, offset: Option<Offset>) -> u64 {
        if self.rule.counts_symbols {
            let cut = self.rule.cut_us(now_us, offset);
            let active = |symbol: &&Symbol| symbol.held > 0 || symbol.stamp_us > cut;
            return self.symbols.values().filter(active).count() as u64;
        }
        self.move_to(now_us, offset);
        let logged = self.log.as_ref().map_or(0, |log| log.used + self.held);
        let owed = self.bucket.as_ref().map_or(0, |bucket| {
            let length = i128::from(self.rule.length_us);
            let units = (bucket.taken(self.held, self.rule.length_us) + length - 1) / length;
            u64::try_from(units).unwrap_or(u64::MAX)
        });
        logged.max(owed)
    }

    /// Returns how many units `need` takes at this moment.
    pub(crate) fn cost(&self, need: &Need, now_us: i64, offset: Option<Offset>) -> u64 {
        match need {
            Need::Units(units) => *units,
            Need::Symbols(names) => {
                let cut = self.rule.cut_us(now_us, offset);
                let is_new = |name: &&SymbolId| {
                    self.symbols
                        .get(*name)
                        .is_none_or(|symbol| symbol.held == 0 && symbol.stamp_us <= cut)
                };
                names.iter().filter(is_new).count() as u64
            }
        }
    }

    /// Says whether `units` more may be taken so that no more than `cap` are.
    pub(crate) fn fits(
        &mut self,
        units: u64,
        cap: u64,
        now_us: i64,
        offset: Option<Offset>,
    ) -> bool {
        if units == 0 {
            return true;
        }
        if self.rule.counts_symbols {
            return self.taken(now_us, offset) + units <= cap;
        }
        self.move_to(now_us, offset);
        let logged = self
            .log
            .as_ref()
            .is_none_or(|log| log.used + self.held + units <= cap);
        let length = self.rule.length_us;
        let owed = self.bucket.as_ref().is_none_or(|bucket| {
            let room = self.bucket_cap(bucket, cap);
            bucket.taken(self.held + units, length) <= i128::from(room) * i128::from(length)
        });
        logged && owed
    }

    /// Scales a cap on the limit to the bucket's own capacity.
    fn bucket_cap(&self, bucket: &Bucket, cap: u64) -> u64 {
        let kept = self.limit.saturating_sub(cap);
        bucket
            .burst
            .saturating_sub(kept.saturating_mul(bucket.burst) / self.limit.max(1))
            .max(1)
    }

    /// Returns the largest number of units that one call may ever take.
    pub(crate) fn most(&self) -> u64 {
        let burst = self.bucket.as_ref().map_or(u64::MAX, |bucket| bucket.burst);
        self.limit.min(burst)
    }

    /// Returns a moment before which `units` more cannot be taken, after `ahead` others have been; the
    /// exact moment where nothing is ahead and no answer is awaited.
    pub(crate) fn ready_at_us(
        &mut self,
        units: u64,
        ahead: u64,
        cap: u64,
        now_us: i64,
        offset: Option<Offset>,
    ) -> i64 {
        if ahead == 0 && self.fits(units, cap, now_us, offset) {
            return now_us;
        }
        let need = units.saturating_add(ahead);
        let logged = if self.rule.counts_symbols {
            let mut stamps: Vec<i64> = self
                .symbols
                .values()
                .filter(|symbol| symbol.held == 0)
                .map(|symbol| symbol.stamp_us)
                .collect();
            stamps.sort_unstable();
            let taken = self.taken(now_us, offset);
            self.log_ready(
                stamps.into_iter().map(|at| (at, 1)),
                taken,
                need,
                cap,
                now_us,
                offset,
            )
        } else if let Some(log) = &self.log {
            let from = log.cut_us.saturating_add(1);
            let taken = log.used + self.held;
            let entries = log.spent.range(from..).map(|(at, units)| (*at, *units));
            self.log_ready(entries, taken, need, cap, now_us, offset)
        } else {
            now_us
        };
        let owed = self.bucket.as_ref().map_or(now_us, |bucket| {
            let length = i128::from(self.rule.length_us);
            let room = i128::from(self.bucket_cap(bucket, cap)) * length;
            let excess = bucket.taken(self.held.saturating_add(need), self.rule.length_us) - room;
            let limit = i128::from(self.limit.max(1));
            let wait = (excess.max(0) + limit - 1) / limit;
            now_us.saturating_add(i64::try_from(wait).unwrap_or(i64::MAX))
        });
        logged.max(owed)
    }

    fn log_ready(
        &self,
        entries: impl Iterator<Item = (i64, u64)>,
        taken: u64,
        need: u64,
        cap: u64,
        now_us: i64,
        offset: Option<Offset>,
    ) -> i64 {
        if need > cap {
            // Whole windows pass between the first of them and the last; of fixed ones, one less.
            let spare = i64::from(self.rule.boundary.is_some());
            let cap = cap.max(1);
            let windows = i64::try_from((need - 1) / cap).unwrap_or(i64::MAX);
            let wait = windows.saturating_sub(spare).max(0);
            let first = (need - 1) % cap + 1;
            return self
                .log_ready(entries, taken, first, cap, now_us, offset)
                .saturating_add(wait.saturating_mul(self.rule.length_us));
        }
        let mut left = taken;
        let room = cap - need;
        for (stamp, units) in entries {
            if left <= room {
                break;
            }
            left = left.saturating_sub(units);
            if left <= room {
                return self.rule.free_at_us(stamp, offset).max(now_us);
            }
        }
        if left <= room {
            now_us
        } else {
            // Calls without an answer are in the way: none of them is free before its time has run.
            self.rule.free_at_us(now_us, offset)
        }
    }

    /// Counts units as spent at `stamp_us`, which may lie ahead.
    pub(crate) fn charge(&mut self, stamp_us: i64, units: u64, now_us: i64) {
        let quantum = self.rule.quantum_us();
        if let Some(log) = &mut self.log {
            log.charge(stamp_us, units, quantum);
        }
        let slack = self.rule.slack_us().min(50_000);
        let (limit, length) = (self.limit, self.rule.length_us);
        if let Some(bucket) = &mut self.bucket
            && units > 0
        {
            bucket.move_to(now_us, limit, length);
            // A stamp in the past drains from now on: stricter, and the order of stamps is kept.
            let at = stamp_us.max(now_us).saturating_add(slack);
            *bucket.later.entry(at).or_default() += units;
        }
    }

    /// Counts units that were charged at `from_us` as spent at `to_us` instead. A bucket stays as it is: it
    /// drains by itself, whatever it was filled with.
    pub(crate) fn restamp(&mut self, from_us: i64, to_us: i64, units: u64) {
        let quantum = self.rule.quantum_us();
        if let Some(log) = &mut self.log {
            let units = log.refund(from_us, units, quantum);
            log.charge(to_us, units, quantum);
        }
    }

    /// Counts what a former process spent, as stamps and units.
    ///
    /// How full a bucket was is not written down, only that it never owed more than it holds. So it was
    /// full when the oldest of these was answered, drained since, and never ran over.
    pub(crate) fn restore(&mut self, mut spent: Vec<(i64, u64)>, now_us: i64) {
        spent.sort_unstable();
        let bucket = self.bucket.take();
        for (stamp, units) in &spent {
            self.charge(*stamp, *units, now_us);
        }
        let (limit, length) = (self.limit, self.rule.length_us);
        self.bucket = bucket.map(|mut bucket| {
            let full = i128::from(bucket.burst) * i128::from(length);
            if let Some((oldest, _)) = spent.first() {
                bucket.debt = full;
                bucket.at_us = *oldest;
            }
            for (stamp, units) in spent {
                if stamp > now_us {
                    *bucket.later.entry(stamp).or_default() += units;
                } else {
                    bucket.drain(stamp, limit);
                    bucket.debt += i128::from(units) * i128::from(length);
                    bucket.debt = bucket.debt.min(full);
                }
            }
            bucket.drain(now_us, limit);
            bucket.debt = bucket
                .debt
                .min((full - bucket.taken(0, length) + bucket.debt).max(0));
            bucket
        });
    }

    /// Returns a moment up to which what is stamped can be forgotten for good.
    pub(crate) fn forgotten_us(&self, now_us: i64) -> i64 {
        let fills = self.bucket.as_ref().map_or(1, |bucket| {
            i64::try_from(bucket.burst / self.limit.max(1) + 1).unwrap_or(i64::MAX)
        });
        now_us
            .saturating_sub(self.rule.length_us.saturating_mul(fills))
            .saturating_sub(self.rule.slack_us())
            .saturating_sub(self.rule.quantum_us())
    }

    /// Takes over what an answer says; returns units that somebody else must have spent, already charged.
    ///
    /// The call was sent at `sent_us`, answered at `now_us` and has `own` units, charged already. What can
    /// have been counted with it is what was not free when it was sent; what can have been counted after
    /// it is what was answered since.
    pub(crate) fn reconcile(
        &mut self,
        said: Said,
        own: u64,
        sent_us: i64,
        now_us: i64,
        offset: Option<Offset>,
    ) -> u64 {
        if let Some(limit) = said.limit.filter(|limit| *limit > 0) {
            self.limit = limit.min(u64::from(u32::MAX));
        }
        if self.rule.counts_symbols {
            return 0;
        }
        self.move_to(now_us, offset);
        let left = said.remaining.map(|left| self.limit.saturating_sub(left));
        let Some(used) = said.used.or(left) else {
            return 0;
        };
        // No header can close more than the window.
        let used = used.min(self.limit);
        let Some(log) = &mut self.log else {
            return self.reconcile_bucket(used, now_us);
        };
        let ours = log.after(self.rule.cut_us(sent_us, offset)) + self.held;
        let foreign = used.saturating_sub(ours);
        if foreign > 0 {
            self.charge(now_us, foreign, now_us);
            return foreign;
        }
        if said.is_confirmed {
            let since = log.after(sent_us.saturating_sub(1)).saturating_sub(own);
            log.lower_to(used.saturating_add(since));
        }
        0
    }

    /// One unit is left to rounding: a bucket's level is seldom whole.
    fn reconcile_bucket(&mut self, used: u64, now_us: i64) -> u64 {
        let length = i128::from(self.rule.length_us);
        let Some(bucket) = &self.bucket else { return 0 };
        let ours = (bucket.taken(self.held, self.rule.length_us) + length - 1) / length;
        let ours = u64::try_from(ours).unwrap_or(u64::MAX);
        let foreign = used.saturating_sub(ours.saturating_add(1));
        if foreign > 0 {
            self.charge(now_us, foreign, now_us);
        }
        foreign
    }
}
