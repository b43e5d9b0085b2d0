//! Supply: whoever wants bars gets them from what is held, from a fetch that is under way, or from a new one.
//!
//! Why on ranges: two programs that want nine to twelve and ten to eleven need one call. Each fetch runs on
//! a task of its own, so that a caller who goes away cancels nobody. Only what nobody holds and nobody is
//! fetching is asked for, in the cheapest calls ([`crate::plan`]).
//! The open bar is never kept: it is served from memory for as long as the caller's `max_age` allows.
//! When it acts: on every question. When the provider fails: what is held and final is served, marked stale,
//! if nothing but the newest bars is missing; else the failure. First start: everything is asked for.
//! Not here: which provider is asked ([`crate::service`]).

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tradewind_core::{Bar, Clock};
use tradewind_engine::Supervisor;
use tradewind_quota::Urgency;

use crate::coverage::Answered;
use crate::grid::Key;
use crate::plan::Tariff;
use crate::rows::Rows;
use crate::source::{FetchError, Fetched, Source};
use crate::store::{Series, Store};

/// How often what is missing is looked at again: a provider that vouches for nothing is not asked for ever.
const MAX_ROUNDS: u32 = 4;
/// Upper bound on series whose open bars are remembered.
const MAX_TAILS: usize = 10_000;

/// Holds, fetches and hands out bars. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Supply {
    shared: Arc<Shared>,
}

struct Shared {
    store: Store,
    clock: Arc<dyn Clock>,
    supervisor: Supervisor,
    desk: Mutex<Desk>,
}

#[derive(Default)]
struct Desk {
    flights: HashMap<String, Vec<Flight>>,
    tails: HashMap<String, Tail>,
    next: u64,
}

type Ended = Option<Result<u32, FetchError>>;

/// A fetch that is under way.
struct Flight {
    id: u64,
    span: Range<Key>,
    ended: watch::Receiver<Ended>,
}

/// Bars that may still change, as they were at a moment.
#[derive(Clone, Debug)]
struct Tail {
    /// What the answer vouched for, from the first bar that was not final on.
    span: Range<Key>,
    bars: Vec<(Key, Bar)>,
    at: Timestamp,
}

/// What is handed out.
#[derive(Clone, Debug, Default)]
pub struct Supplied {
    /// Final bars.
    pub rows: Rows,
    /// Bars that may still change, and when they were fetched.
    pub open: Vec<(Key, Bar)>,
    /// When the open bars were fetched, in microseconds since 1970.
    pub open_fetched_us: i64,
    /// Requests that were sent for this answer.
    pub calls: u32,
    /// Whether a fetch of somebody else was waited for.
    pub is_shared: bool,
    /// Why the newest bars are missing, where they are.
    pub stale: Option<FetchError>,
    /// Parts that nobody knows: the provider did not vouch for them.
    pub unknown: Vec<Range<Key>>,
}

/// What a caller wants.
#[derive(Clone, Debug)]
pub struct Want {
    /// Which bars.
    pub keys: Range<Key>,
    /// Age up to which a bar that may still change is served without asking again.
    pub max_age: Duration,
    /// How urgent it is.
    pub urgency: Urgency,
}

impl std::fmt::Debug for Supply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Supply").finish_non_exhaustive()
    }
}

impl Supply {
    /// Builds it over what is held; fetches run on tasks of `supervisor`.
    pub fn new(store: Store, clock: Arc<dyn Clock>, supervisor: Supervisor) -> Self {
        Self {
            shared: Arc::new(Shared {
                store,
                clock,
                supervisor,
                desk: Mutex::default(),
            }),
        }
    }

    /// Returns what is held.
    pub fn store(&self) -> &Store {
        &self.shared.store
    }

    /// Returns the bars that are wanted, fetching what is missing.
    ///
    /// # Errors
    /// [`FetchError`] when bars are missing that do not lie at the end.
    pub async fn bars(
        &self,
        source: &Arc<dyn Source>,
        want: &Want,
    ) -> Result<Supplied, FetchError> {
        let store = &self.shared.store;
        let kept = |error| FetchError::Store(Arc::new(error));
        let series = store.series(source.identity()).await.map_err(kept)?;
        let mut supplied = Supplied::default();
        let mut keys = want.keys.clone();
        // What has not begun is no gap.
        if let Some(now) = source.grid().key(self.shared.clock.now()) {
            keys.end = keys.end.min(now.saturating_add(1)).max(keys.start);
        }
        let mut failed = None;
        let mut before = Vec::new();
        for _ in 0..MAX_ROUNDS {
            let gaps = self.gaps(source.as_ref(), &series, &keys, want.max_age);
            if gaps.is_empty() || gaps == before {
                break;
            }
            let flights = self.depart(source, &series, &gaps, want.urgency);
            before = gaps;
            for (mut ended, is_own) in flights {
                supplied.is_shared |= !is_own;
                let outcome = match ended.wait_for(Option::is_some).await {
                    Ok(outcome) => outcome.clone(),
                    Err(_gone) => None,
                };
                match outcome.unwrap_or(Err(FetchError::Ended)) {
                    Ok(calls) => supplied.calls += if is_own { calls } else { 0 },
                    Err(error) => failed = Some(error),
                }
            }
            if failed.is_some() {
                break;
            }
        }
        let mark = series.final_before();
        supplied.rows = store.rows(&series, keys.clone()).await.map_err(kept)?;
        if let Some(tail) = self.desk().tails.get(source.identity()) {
            let is_new = |key: Key| mark.is_none_or(|mark| key >= mark);
            let bars = tail
                .bars
                .iter()
                .filter(|(key, _)| keys.contains(key) && is_new(*key));
            supplied.open = bars.cloned().collect();
            supplied.open_fetched_us = tail.at.as_microsecond();
        }
        let gaps = self.gaps(source.as_ref(), &series, &keys, want.max_age);
        let Some(error) = failed else {
            supplied.unknown = gaps;
            return Ok(supplied);
        };
        let only_the_newest = !supplied.rows.is_empty()
            && gaps
                .iter()
                .all(|gap| mark.is_some_and(|mark| gap.start >= mark));
        if !only_the_newest {
            return Err(error);
        }
        supplied.stale = Some(error);
        Ok(supplied)
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.shared
            .desk
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what is missing, leaving out times without trading and open bars that are young enough.
    fn gaps(
        &self,
        source: &dyn Source,
        series: &Series,
        keys: &Range<Key>,
        max_age: Duration,
    ) -> Vec<Range<Key>> {
        let gaps = series.gaps(keys).into_iter();
        let gaps: Vec<_> = gaps
            .map(|gap| source.trading(gap))
            .filter(|gap| gap.start < gap.end)
            .collect();
        let desk = self.desk();
        let Some(tail) = desk.tails.get(series.identity()) else {
            return gaps;
        };
        let age = self.shared.clock.now().duration_since(tail.at);
        let is_young = Duration::try_from(age).is_ok_and(|age| age <= max_age);
        if !is_young {
            return gaps;
        }
        without(gaps, &tail.span)
    }

    /// Starts fetching what is missing and not under way; returns every fetch to wait for, and whether it
    /// is a new one.
    fn depart(
        &self,
        source: &Arc<dyn Source>,
        series: &Arc<Series>,
        gaps: &[Range<Key>],
        urgency: Urgency,
    ) -> Vec<(watch::Receiver<Ended>, bool)> {
        let mut desk = self.desk();
        let desk = &mut *desk;
        let flights = desk
            .flights
            .entry(source.identity().to_owned())
            .or_default();
        let mut missing = gaps.to_vec();
        let mut waits = Vec::new();
        for flight in flights.iter() {
            if gaps
                .iter()
                .any(|gap| gap.start < flight.span.end && flight.span.start < gap.end)
            {
                waits.push((flight.ended.clone(), false));
                missing = without(missing, &flight.span);
            }
        }
        let tariff = source.tariff();
        let now = source.grid().key(self.shared.clock.now());
        let mut calls = tariff.plan(&missing);
        for place in 0..calls.len() {
            let next = calls.get(place + 1).map(|call| call.span.start);
            let call = &calls[place].span;
            let busy = flights.iter().map(|flight| &flight.span);
            calls[place].span =
                read_ahead(call, tariff, series, &busy, next.or(now.map(|now| now + 1)));
        }
        for call in calls {
            let span = overlapped(source.as_ref(), series, call.span);
            desk.next += 1;
            let id = desk.next;
            let (tell, ended) = watch::channel(None);
            flights.push(Flight {
                id,
                span: span.clone(),
                ended: ended.clone(),
            });
            waits.push((ended, true));
            let (supply, source, series) = (self.clone(), Arc::clone(source), Arc::clone(series));
            self.shared.supervisor.start_once("fetch", async move {
                let landing = Landing {
                    supply: &supply,
                    identity: source.identity(),
                    id,
                };
                let outcome = supply.fetch(&source, &series, span, urgency).await;
                drop(landing);
                // Nobody may be waiting any more; what was fetched is kept all the same.
                drop(tell.send(Some(outcome)));
            });
        }
        waits
    }

    async fn fetch(
        &self,
        source: &Arc<dyn Source>,
        series: &Arc<Series>,
        span: Range<Key>,
        urgency: Urgency,
    ) -> Result<u32, FetchError> {
        let at = self.shared.clock.now();
        let fetched = source.fetch(span, urgency).await?;
        let calls = fetched.calls;
        for note in &fetched.notes {
            tracing::info!(
                provider = source.provider(),
                series = source.identity(),
                note,
                "note on an answer"
            );
        }
        self.take(source, series, fetched, at)
            .await
            .map_err(|error| FetchError::Store(Arc::new(error)))?;
        Ok(calls)
    }

    /// Keeps what is final, remembers what is not.
    async fn take(
        &self,
        source: &Arc<dyn Source>,
        series: &Arc<Series>,
        mut fetched: Fetched,
        at: Timestamp,
    ) -> Result<(), crate::store::StoreError> {
        fetched.bars.sort_by_key(|(key, _)| *key);
        let mut revised = Vec::new();
        for answered in &fetched.proved {
            let mark = answered.final_before;
            let mut rows = Rows::default();
            let said = answered.bars.iter().copied().collect::<BTreeSet<_>>();
            for (key, bar) in &fetched.bars {
                if *key < mark && bar.is_final && said.contains(key) {
                    rows.push(*key, bar, at.as_microsecond());
                }
            }
            let answered = Answered {
                bars: rows.keys().to_vec(),
                ..answered.clone()
            };
            let gained = self.shared.store.learn(series, &answered, rows).await?;
            revised.extend(gained.revised);
        }
        if source.is_adjusted()
            && !revised.is_empty()
            && let Some(vouched) = whole(&fetched.proved)
        {
            // A split or dividend since: whatever was adjusted before it is of another scale now.
            tracing::info!(
                provider = source.provider(),
                series = source.identity(),
                "bars were adjusted anew: what was held before is fetched again"
            );
            self.shared
                .store
                .forget(
                    series,
                    &[Key::MIN / 4..vouched.start, vouched.end..Key::MAX / 4],
                )
                .await?;
        }
        if let Some(last) = fetched
            .proved
            .iter()
            .max_by_key(|answered| answered.vouched.end)
        {
            let span = last.final_before.max(last.vouched.start)..last.vouched.end;
            let is_open = |(key, bar): &(Key, Bar)| *key >= last.final_before || !bar.is_final;
            fetched.bars.retain(is_open);
            if span.start < span.end {
                let mut desk = self.desk();
                if desk.tails.len() >= MAX_TAILS {
                    desk.tails.clear();
                }
                let tail = Tail {
                    span,
                    bars: fetched.bars,
                    at,
                };
                desk.tails.insert(source.identity().to_owned(), tail);
            }
        }
        Ok(())
    }
}

/// Ends a flight, also when the task that flies it is dropped.
struct Landing<'a> {
    supply: &'a Supply,
    identity: &'a str,
    id: u64,
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        let mut desk = self.supply.desk();
        if let Some(flights) = desk.flights.get_mut(self.identity) {
            flights.retain(|flight| flight.id != self.id);
            if flights.is_empty() {
                desk.flights.remove(self.identity);
            }
        }
    }
}

/// Begins a call for adjusted bars with one that is held: whether it still says the same tells whether a
/// split or dividend has changed all of them.
fn overlapped(source: &dyn Source, series: &Series, span: Range<Key>) -> Range<Key> {
    const LOOK_BACK: Key = 10;
    if !source.is_adjusted() {
        return span;
    }
    let held = (span.start.saturating_sub(LOOK_BACK)..span.start)
        .rev()
        .find(|key| series.of(*key) == Some(crate::coverage::Known::Bar));
    held.unwrap_or(span.start)..span.end
}

/// Makes a call as long as one of its price may be, within reason: who asks for one day asks for the next
/// one soon, and who goes back in time goes on doing so. Nothing that is known or under way is fetched twice.
fn read_ahead<'a>(
    call: &Range<Key>,
    tariff: Tariff,
    series: &Series,
    busy: &(impl Iterator<Item = &'a Range<Key>> + Clone),
    end: Option<Key>,
) -> Range<Key> {
    /// Rows that nobody minds to wait for.
    const FEW: Key = 1_000;
    let length = call.end - call.start;
    let lot = Key::try_from(tariff.lot).unwrap_or(Key::MAX);
    // What is longer than a lot already is a backfill, which knows what it wants.
    let room = lot.min(FEW.max(length.saturating_mul(4))) - length;
    if room <= 0 {
        return call.clone();
    }
    let free = |span: Range<Key>| {
        let mut parts = series.gaps(&span);
        for busy in busy.clone() {
            parts = without(parts, busy);
        }
        parts
    };
    let ahead = call.end..call.end.saturating_add(room).min(end.unwrap_or(call.end));
    if let Some(part) = free(ahead).first().filter(|part| part.start == call.end) {
        return call.start..part.end;
    }
    let is_before_what_is_held = series.of(call.end).is_some();
    let behind = call.start.saturating_sub(room)..call.start;
    match free(behind).last() {
        Some(part) if is_before_what_is_held && part.end == call.start => part.start..call.end,
        _ => call.clone(),
    }
}

/// Returns the span from the first to the last bar that answers vouch for.
fn whole(proved: &[Answered]) -> Option<Range<Key>> {
    let start = proved.iter().map(|answered| answered.vouched.start).min()?;
    let end = proved.iter().map(|answered| answered.vouched.end).max()?;
    Some(start..end)
}

/// Takes a span out of others.
fn without(spans: Vec<Range<Key>>, gone: &Range<Key>) -> Vec<Range<Key>> {
    let mut left = Vec::with_capacity(spans.len() + 1);
    for span in spans {
        for part in [
            span.start..span.end.min(gone.start),
            span.start.max(gone.end)..span.end,
        ] {
            if part.start < part.end {
                left.push(part);
            }
        }
    }
    left
}
