//! What the limits would have said to calls that nobody held back.
//!
//! Why apart from the governor: who tries the gateway out in shadow mode wants to know what it would have done
//! before anything is changed. A ledger of its own, in memory, begins empty with the program: it knows what
//! this program did, not what others spend. Not here: sending, and the ledger that counts for everybody.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tradewind_catalog::Catalog;
use tradewind_core::Uptime;
use tradewind_host::egress::{Request, Response};

use crate::answer::facts;
use crate::call::{Ask, CallId, Ending, Settings};
use crate::class::Class;
use crate::config::QuotaSection;
use crate::ledger::Ledger;
use crate::record::Records;
use crate::terms::Terms;

/// A limit that calls went over.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Over {
    /// Whose limit it is.
    pub provider: String,
    /// Endpoint in the catalog; empty where it has none of this form.
    pub endpoint: String,
    /// Window in the catalog.
    pub window: String,
    /// Units in it.
    pub limit: u64,
}

/// Counts calls against the limits and refuses nothing. Cheap to clone; clones share the counts.
#[derive(Clone)]
pub struct Rehearsal {
    shared: Arc<Shared>,
}

struct Shared {
    catalog: Arc<Catalog>,
    config: QuotaSection,
    uptime: Arc<dyn Uptime>,
    state: Mutex<State>,
}

struct State {
    ledger: Ledger,
    over: BTreeMap<Over, u64>,
}

impl std::fmt::Debug for Rehearsal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rehearsal").finish_non_exhaustive()
    }
}

/// A call under way; counts as spent without an answer when it is dropped.
#[derive(Debug)]
pub struct Going {
    rehearsal: Rehearsal,
    call: CallId,
    request: Request,
    ending: Ending,
}

impl Rehearsal {
    /// Begins with nothing spent.
    pub fn new(catalog: Arc<Catalog>, config: QuotaSection, uptime: Arc<dyn Uptime>) -> Self {
        let settings = Settings {
            is_shadow: true,
            ..config.settings()
        };
        let ledger = Ledger::new(settings, Records::default(), uptime.boot(), uptime.now_us());
        Self {
            shared: Arc::new(Shared {
                catalog,
                config,
                uptime,
                state: Mutex::new(State {
                    ledger,
                    over: BTreeMap::new(),
                }),
            }),
        }
    }

    /// Counts a call that is sent now; `None` when its host is nobody's. Its body does not matter.
    pub fn begin(&self, request: Request) -> Option<Going> {
        let shared = &self.shared;
        let terms = Terms::of(&shared.catalog, &shared.config, &request)?;
        let now_us = shared.uptime.now_us();
        let mut state = shared.state();
        let full = state
            .ledger
            .without_room(&terms.gate, &terms.demands, now_us);
        for (key, limit) in full {
            let window = terms.windows.iter().find(|(_, name)| *name == key);
            let over = Over {
                provider: terms.provider.name.clone(),
                endpoint: terms
                    .endpoint
                    .map(|endpoint| endpoint.id.clone())
                    .unwrap_or_default(),
                window: window.map_or(key, |(window, _)| window.id.clone()),
                limit,
            };
            *state.over.entry(over).or_default() += 1;
        }
        let ask = Ask {
            gate: terms.gate.clone(),
            demands: terms.demands.clone(),
            class: Class::default(),
            deadline_us: None,
            is_forced: !terms.is_rationed,
        };
        let call = state.ledger.ask(ask, now_us);
        state.forget_writes(now_us);
        drop(state);
        Some(Going {
            rehearsal: self.clone(),
            call,
            request,
            ending: Ending::Lost,
        })
    }

    /// Returns the limits that were gone over, each with the number of calls that found no room.
    pub fn over(&self) -> BTreeMap<Over, u64> {
        self.shared.state().over.clone()
    }
}

impl Going {
    /// Notes the answer.
    pub fn answered(&mut self, response: &Response) {
        let shared = &self.rehearsal.shared;
        if let Some(terms) = Terms::of(&shared.catalog, &shared.config, &self.request) {
            self.ending = Ending::Answered(facts(&terms, response));
        }
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        let now_us = self.rehearsal.shared.uptime.now_us();
        let mut state = self.rehearsal.shared.state();
        state.ledger.end(self.call, &self.ending, now_us);
        state.forget_writes(now_us);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves the ledger as it was between two of its steps.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Nothing of this is written down, and nobody waits for a verdict: all are granted.
    fn forget_writes(&mut self, now_us: i64) {
        drop(self.ledger.verdicts());
        if !self.ledger.writes().is_empty() {
            self.ledger.written(now_us);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use tradewind_host::egress::{HeaderMap, Method, StatusCode};

    use super::*;

    #[derive(Debug, Default)]
    struct At(AtomicI64);

    impl Uptime for At {
        fn now_us(&self) -> i64 {
            self.0.load(Ordering::Relaxed)
        }

        fn boot(&self) -> Option<String> {
            None
        }
    }

    fn ask(rehearsal: &Rehearsal) {
        let url = "https://api.polygon.io/v2/aggs/ticker/AAPL/range/1/day/2024-03-01/2024-03-15?apiKey=key-of-mine";
        let request = Request::new(Method::GET, url.parse().unwrap());
        let mut going = rehearsal.begin(request).unwrap();
        going.answered(&Response {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: "{\"status\":\"OK\",\"results\":[]}".into(),
        });
    }

    #[test]
    fn calls_beyond_a_limit_are_counted_and_time_frees_it() {
        let catalog = Arc::new(Catalog::builtin());
        let clock = Arc::new(At::default());
        let uptime: Arc<dyn Uptime> = Arc::clone(&clock) as Arc<dyn Uptime>;
        let rehearsal = Rehearsal::new(catalog, QuotaSection::default(), uptime);
        // The free plan has five calls a minute.
        for _ in 0..5 {
            ask(&rehearsal);
        }
        assert!(rehearsal.over().is_empty());
        ask(&rehearsal);
        ask(&rehearsal);
        let over: Vec<_> = rehearsal.over().into_iter().collect();
        assert_eq!(over.len(), 1, "{over:?}");
        let (over, times) = &over[0];
        assert_eq!(
            (over.provider.as_str(), over.limit, *times),
            ("polygon", 5, 2)
        );
        assert!(!over.endpoint.is_empty());
        clock.0.fetch_add(121_000_000, Ordering::Relaxed);
        ask(&rehearsal);
        assert_eq!(rehearsal.over().into_values().sum::<u64>(), 2);
    }

    #[test]
    fn a_host_of_nobody_has_no_limits() {
        let catalog = Arc::new(Catalog::builtin());
        let rehearsal = Rehearsal::new(catalog, QuotaSection::default(), Arc::new(At::default()));
        let request = Request::new(Method::GET, "https://example.org/".parse().unwrap());
        assert!(rehearsal.begin(request).is_none());
    }
}
