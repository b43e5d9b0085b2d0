//! How long what is left of the long windows lasts: what was used, how fast, and when it is gone.
//!
//! Why from the store: the question is asked most often when something already went wrong, and then it must
//! be answered without a daemon. What a daemon has used in the last moment may be missing by one lease.
//! A forecast says what happens if the pace of late goes on; where nothing was used of late there is none.
//! Not here: who used it (the market attributes calls), windows of seconds and minutes, which end by waiting.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tradewind_catalog::plan::{Counts, Plan, Window as Declared};
use tradewind_catalog::{Catalog, Provider};
use tradewind_core::payload::LimitCorrected;
use tradewind_core::{EventKind, Uptime};
use tradewind_journal::{Filter, ReadError, Reader};

use crate::boundary::{HOUR_US, SECOND_US, longest_us};
use crate::config::QuotaSection;
use crate::record::{GateRow, LeaseRow, Records};
use crate::server_clock::{Offset, ServerClock};
use crate::store;
use crate::window::{Rule, Symbol, Window};

/// Shortest window that is told of.
const SHORTEST_US: i64 = HOUR_US;
/// Least and most time over which the pace is taken.
const PACE_US: (i64, i64) = (5 * 60 * SECOND_US, 24 * HOUR_US);
/// Units below which nothing is concluded from when the first of them was used.
const FEW: u64 = 5;
/// Corrections that are looked at, newest first.
const MAX_CORRECTIONS: usize = 500;

/// How one long window stands and where it is going.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outlook {
    /// Name of the provider in the catalog.
    pub provider: String,
    /// Title of the plan that the limits are of.
    pub plan: String,
    /// Id of the window in the catalog.
    pub window: String,
    /// Whose it is: `address`, or digits of a digest of the key.
    pub scope: String,
    /// What is counted.
    pub counts: Counts,
    /// Units in the window: the catalog's, the user's, or what the provider has said since.
    pub limit: u64,
    /// In how long a time, as the catalog writes it: `1 day`.
    pub per: String,
    /// Units taken.
    pub used: u64,
    /// Units per hour of late; none when nothing was used of late or the stamps are of another run of the machine.
    pub per_hour: Option<f64>,
    /// When nothing is left if that goes on; none when the window outlasts it.
    pub runs_out: Option<Timestamp>,
    /// When the first of what was used comes back; for a window of the calendar that is all of it.
    pub renews: Option<Timestamp>,
    /// What other plans of the provider allow in the same time, where this one runs out.
    pub other_plans: Vec<OtherPlan>,
}

/// What would be different on another plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OtherPlan {
    /// Title of the plan.
    pub title: String,
    /// Whether it costs nothing.
    pub is_free: bool,
    /// Units in the same time; none when the catalog knows no such limit.
    pub limit: Option<u64>,
    /// Whether the pace of late would last there.
    pub is_enough: bool,
}

/// Returns the outlook of every long window of which something is used, by provider and window.
///
/// `uptime` is the machine's, which stamps are compared with; `now` is the same moment as time of day.
///
/// # Errors
/// [`ReadError`] when the store cannot be read; nothing is told where no ledger was kept yet.
pub fn outlooks(
    reader: &Reader,
    catalog: &Catalog,
    section: &QuotaSection,
    uptime: &dyn Uptime,
    now: Timestamp,
) -> Result<Vec<Outlook>, ReadError> {
    let Some(Records { leases, gates }) = store::kept(reader)? else {
        return Ok(Vec::new());
    };
    let said = corrections(reader)?;
    let mut by_window: BTreeMap<&str, Vec<&LeaseRow>> = BTreeMap::new();
    for lease in &leases {
        by_window.entry(&lease.window).or_default().push(lease);
    }
    let clock = Moment {
        now,
        now_us: uptime.now_us(),
        boot: uptime.boot(),
    };
    let mut all = Vec::new();
    for (key, leases) in by_window {
        let Some((provider, plan, declared, scope)) = declared(catalog, section, key) else {
            continue;
        };
        let rule = section.rule(&provider.name, declared);
        if rule.length_us < SHORTEST_US {
            continue;
        }
        let offset = clock.offset(&gates, &provider.name);
        let mut window = Window::new(rule, clock.now_us);
        let own = section.limit(&provider.name, &declared.id);
        if let (None, Some(limit)) = (own, said.get(&(provider.name.clone(), declared.id.clone())))
        {
            window.limit = *limit;
        }
        let spent = clock.spent(&leases, &mut window);
        let used = window.taken(clock.now_us, offset);
        if used == 0 {
            continue;
        }
        let course = course(&window, used, &spent, offset, &clock);
        let other_plans = match course.runs_out {
            Some(_) => other_plans(provider, plan, declared, course.per_us),
            None => Vec::new(),
        };
        all.push(Outlook {
            provider: provider.name.clone(),
            plan: plan.title.clone(),
            window: declared.id.clone(),
            scope: scope.to_owned(),
            counts: declared.counts,
            limit: window.limit,
            per: declared.per.to_string(),
            used,
            per_hour: (course.per_us > 0.0).then_some(course.per_us * to_f64(HOUR_US)),
            runs_out: course.runs_out.map(|at_us| clock.time(at_us)),
            renews: course.renews.map(|at_us| clock.time(at_us)),
            other_plans,
        });
    }
    Ok(all)
}

/// Returns the last limit that each provider said of each window, where it was not the catalog's.
///
/// # Errors
/// [`ReadError`].
pub fn corrected(reader: &Reader) -> Result<Vec<(Timestamp, LimitCorrected)>, ReadError> {
    let filter = Filter {
        kinds: vec![EventKind::QuotaLimitCorrected],
        limit: MAX_CORRECTIONS,
        newest_first: true,
        ..Filter::default()
    };
    let mut newest: BTreeMap<(String, String), (Timestamp, LimitCorrected)> = BTreeMap::new();
    for event in reader.select(&filter)? {
        if let Ok(body) = event.payload::<LimitCorrected>() {
            newest
                .entry((body.provider.clone(), body.window.clone()))
                .or_insert((event.recorded_at, body));
        }
    }
    Ok(newest.into_values().collect())
}

/// Returns the limit in force by the last correction, by provider and window.
fn corrections(reader: &Reader) -> Result<BTreeMap<(String, String), u64>, ReadError> {
    let all = corrected(reader)?.into_iter();
    Ok(all
        .map(|(_, body)| ((body.provider, body.window), body.to))
        .collect())
}

/// Finds what the catalog says of the window called `provider/window@scope`.
fn declared<'c, 'k>(
    catalog: &'c Catalog,
    section: &QuotaSection,
    key: &'k str,
) -> Option<(&'c Provider, &'c Plan, &'c Declared, &'k str)> {
    let (name, scope) = key.rsplit_once('@')?;
    let (provider, window) = name.split_once('/')?;
    let provider = catalog.provider(provider)?;
    let plan = section.plan(provider)?;
    let declared = plan.windows.iter().find(|known| known.id == window)?;
    Some((provider, plan, declared, scope))
}

/// One moment, by the machine's uptime and by the time of day.
struct Moment {
    now: Timestamp,
    now_us: i64,
    boot: Option<String>,
}

impl Moment {
    fn time(&self, at_us: i64) -> Timestamp {
        let after = SignedDuration::from_micros(at_us.saturating_sub(self.now_us));
        self.now.saturating_add(after).unwrap_or(self.now)
    }

    /// Returns what is known of the provider's clock, whichever of its gates learned it.
    fn offset(&self, gates: &[GateRow], provider: &str) -> Option<Offset> {
        let of = |row: &&GateRow| {
            let name = row.gate.split(['/', '@']).next();
            name == Some(provider) && row.boot.is_some() && row.boot == self.boot
        };
        let known = gates.iter().filter(of).filter_map(|row| {
            ServerClock::restore(row.offset?, row.written_us).offset(self.now_us)
        });
        known.min_by_key(|offset| offset.high_us.saturating_sub(offset.low_us))
    }

    /// Puts what was spent into `window` as the ledger would after a restart; returns what has a stamp of
    /// this run of the machine.
    fn spent(&self, leases: &[&LeaseRow], window: &mut Window) -> Vec<(i64, u64)> {
        let (mut stamped, mut all) = (Vec::new(), Vec::new());
        for lease in leases {
            let is_same_run = lease.boot.is_some() && lease.boot == self.boot;
            // What another run of the machine spent counts from now on: how long ago it was is not known here.
            let stamp_us = if lease.is_open || !is_same_run {
                self.now_us
            } else {
                lease.stamp_us
            };
            if let Some(name) = lease.symbol {
                let symbol = Symbol {
                    held: 0,
                    stamp_us,
                    lease: lease.id,
                };
                window.symbols.insert(name, symbol);
            }
            all.push((stamp_us, lease.units));
            if is_same_run {
                stamped.push((stamp_us, lease.units));
            }
        }
        if !window.rule.counts_symbols {
            window.restore(all, self.now_us);
        }
        stamped.sort_unstable();
        stamped
    }
}

/// Where a window is going.
struct Course {
    per_us: f64,
    runs_out: Option<i64>,
    renews: Option<i64>,
}

fn course(
    window: &Window,
    used: u64,
    spent: &[(i64, u64)],
    offset: Option<Offset>,
    clock: &Moment,
) -> Course {
    let rule = &window.rule;
    let now_us = clock.now_us;
    let mut free: Vec<(i64, u64)> = spent
        .iter()
        .map(|(stamp_us, units)| (rule.free_at_us(*stamp_us, offset), *units))
        .filter(|(at_us, _)| *at_us > now_us)
        .collect();
    free.sort_unstable();
    let per_us = pace(rule, spent, now_us);
    let left = window.limit.saturating_sub(used);
    let until_us = rule.free_at_us(now_us, offset);
    Course {
        per_us,
        runs_out: gone_at(left, per_us, &free, now_us, until_us),
        renews: free.first().map(|(at_us, _)| *at_us),
    }
}

/// Returns the units per microsecond of late: over a 24th of the window. What began less long ago is taken over
/// its own time, but over no less than a quarter of that, and a few units are no pace of their own.
fn pace(rule: &Rule, spent: &[(i64, u64)], now_us: i64) -> f64 {
    let over_us = (rule.length_us / 24).clamp(PACE_US.0, PACE_US.1);
    let late = spent
        .iter()
        .filter(|(stamp_us, _)| *stamp_us > now_us - over_us);
    let units: u64 = late.clone().map(|(_, units)| units).sum();
    let first_us = late.map(|(stamp_us, _)| *stamp_us).min().unwrap_or(now_us);
    let span_us = if units < FEW {
        over_us
    } else {
        (now_us - first_us).clamp(over_us / 4, over_us)
    };
    to_f64(i64::try_from(units).unwrap_or(i64::MAX)) / to_f64(span_us)
}

/// Returns when `left` units are gone at this pace, while what was used comes back as `free` says; none when
/// they last until what is used from now on comes back itself.
fn gone_at(left: u64, per_us: f64, free: &[(i64, u64)], now_us: i64, until_us: i64) -> Option<i64> {
    if left == 0 {
        return Some(now_us);
    }
    if per_us <= 0.0 {
        return None;
    }
    let (mut at_us, mut left) = (now_us, to_f64(i64::try_from(left).ok()?));
    let end = (until_us, 0);
    for (back_us, units) in free
        .iter()
        .filter(|(at, _)| *at < until_us)
        .chain(std::iter::once(&end))
    {
        let span = to_f64(back_us - at_us);
        if left <= per_us * span {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "bounded by the span, which is an i64"
            )]
            let after_us = (left / per_us) as i64;
            return Some(at_us.saturating_add(after_us));
        }
        left += to_f64(i64::try_from(*units).unwrap_or(i64::MAX)) - per_us * span;
        at_us = *back_us;
    }
    None
}

/// Says what every other plan of the provider allows in the same time.
fn other_plans(
    provider: &Provider,
    plan: &Plan,
    declared: &Declared,
    per_us: f64,
) -> Vec<OtherPlan> {
    let needed = per_us * to_f64(longest_us(declared.per));
    let others = provider.plans.iter().filter(|other| other.id != plan.id);
    others
        .map(|other| {
            let same = other
                .windows
                .iter()
                .find(|w| w.per == declared.per && w.counts == declared.counts);
            let limit = same.map(|window| u64::from(window.limit));
            OtherPlan {
                title: other.title.clone(),
                is_free: other.free,
                limit,
                is_enough: limit
                    .is_none_or(|limit| needed < to_f64(i64::try_from(limit).unwrap_or(i64::MAX))),
            }
        })
        .collect()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a forecast is no account: 53 bits are plenty"
)]
fn to_f64(number: i64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE_US: i64 = 60 * SECOND_US;

    #[test]
    fn what_comes_back_in_time_puts_the_end_off() {
        // One unit a minute, ten left: gone in ten minutes, or in fifteen when five come back in the fifth.
        let pace = 1.0 / to_f64(MINUTE_US);
        let hour = 60 * MINUTE_US;
        assert_eq!(gone_at(10, pace, &[], 0, hour), Some(10 * MINUTE_US));
        let back = [(5 * MINUTE_US, 5)];
        assert_eq!(gone_at(10, pace, &back, 0, hour), Some(15 * MINUTE_US));
    }

    #[test]
    fn a_pace_that_the_window_keeps_up_with_never_ends() {
        let pace = 1.0 / to_f64(MINUTE_US);
        let hour = 60 * MINUTE_US;
        assert_eq!(gone_at(61, pace, &[], 0, hour), None);
        assert_eq!(gone_at(60, pace, &[], 0, hour), Some(hour));
        assert_eq!(gone_at(5, 0.0, &[], 0, hour), None);
        assert_eq!(gone_at(0, 0.0, &[], 7, hour), Some(7));
    }
}
