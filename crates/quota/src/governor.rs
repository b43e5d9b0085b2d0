//! The governor: what stands between every caller and every governed host.
//!
//! Why it is an `Egress`: whoever calls a provider does it through the same trait as everybody, and
//! cannot go round the ledger by accident. It asks the ledger, waits for the turn, sends, reads what the
//! answer says of limits, and repeats what may be repeated.
//! When it acts: on hosts that the catalog knows. Data calls wait, are refused or repeated; all others
//! there, an order above all, are counted and pass straight through. Hosts of nobody are let through.
//! First start: nothing is spent. A caller that goes away gives back what it did not send; what was sent
//! counts as spent. Not here: the rules of a window ([`crate::window`]), cache, fallback, attribution.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;
use tradewind_catalog::Catalog;
use tradewind_catalog::refusal::FailureClass;
use tradewind_core::Uptime;
use tradewind_host::egress::{BoxFuture, Egress, EgressError, Method, Request, Response};
use tradewind_host::random;
use tradewind_host::socket::Socket;
use tradewind_journal::{Journal, TxError};

use crate::answer::{by_status, date_us, facts};
use crate::boundary::SECOND_US;
use crate::call::{Ask, CallId, Ending, Facts, Held, Verdict};
use crate::class::Class;
use crate::config::QuotaSection;
use crate::ledger::Ledger;
use crate::probe;
use crate::retry;
use crate::store::Store;
use crate::terms::Terms;
use crate::view::LedgerView;

/// How long the store is left alone after it could not be written.
const WRITE_AGAIN: Duration = Duration::from_secs(1);

/// How long nobody is asked for the time again, in microseconds of uptime.
const TIME_AGAIN_US: i64 = 600 * SECOND_US;

/// How urgent a call is, and how long its caller will wait for its turn and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Urgency {
    /// Who goes first.
    pub class: Class,
    /// Bound on everything together: waiting, sending, repeating. `None` waits for ever. What is not rationed
    /// keeps its own bound, the request's.
    pub within: Option<Duration>,
}

impl Urgency {
    /// Returns what is usual for a class: 10 s live, 60 s triggered, 30 s interactive, no bound on backfill.
    pub const fn of(class: Class) -> Self {
        let within = match class {
            Class::Live => Some(Duration::from_secs(10)),
            Class::Triggered => Some(Duration::from_mins(1)),
            Class::Interactive => Some(Duration::from_secs(30)),
            Class::Backfill => None,
        };
        Self { class, within }
    }
}

impl Default for Urgency {
    fn default() -> Self {
        Self::of(Class::default())
    }
}

/// An answer and what it was found to be.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The answer as it came.
    pub response: Response,
    /// What kind of failure it is; `None` when it is what was asked for, or nobody can tell.
    pub class: Option<FailureClass>,
    /// How often the request was sent.
    pub attempts: u32,
}

/// Rations every request to a host of the catalog. Cheap to clone; clones share the ledger.
#[derive(Clone)]
pub struct Governor {
    shared: Arc<Shared>,
    urgency: Urgency,
}

struct Shared {
    catalog: Arc<Catalog>,
    config: QuotaSection,
    uptime: Arc<dyn Uptime>,
    store: Store,
    wire: Arc<dyn Egress>,
    desk: Mutex<Desk>,
    /// Told when the keeper has something to write down or to wait for.
    stirred: Notify,
}

struct Desk {
    ledger: Ledger,
    askers: HashMap<CallId, oneshot::Sender<Result<(), Held>>>,
    is_closed: bool,
    /// Uptime at which a home page was last asked for the time.
    time_asked_us: i64,
}

impl std::fmt::Debug for Governor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Governor")
            .field("urgency", &self.urgency)
            .finish_non_exhaustive()
    }
}

impl Governor {
    /// Reads the ledger back from the journal's store; blocks the calling thread. Nothing is granted
    /// before [`Governor::keep`] runs.
    ///
    /// # Errors
    /// [`TxError`] when the store cannot be read or a newer program made its tables.
    pub fn open(
        journal: Journal,
        uptime: Arc<dyn Uptime>,
        catalog: Arc<Catalog>,
        config: QuotaSection,
        wire: Arc<dyn Egress>,
    ) -> Result<Self, TxError> {
        let store = Store::open(journal, uptime.as_ref())?;
        let records = store.records()?;
        let ledger = Ledger::new(config.settings(), records, uptime.boot(), uptime.now_us());
        let desk = Desk {
            ledger,
            askers: HashMap::new(),
            is_closed: false,
            time_asked_us: i64::MIN,
        };
        Ok(Self {
            shared: Arc::new(Shared {
                catalog,
                config,
                uptime,
                store,
                wire,
                desk: Mutex::new(desk),
                stirred: Notify::new(),
            }),
            urgency: Urgency::default(),
        })
    }

    /// Returns the same governor for calls of another urgency.
    #[must_use]
    pub fn with(&self, urgency: Urgency) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            urgency,
        }
    }

    /// Returns how everything stands.
    pub fn view(&self) -> LedgerView {
        let now_us = self.shared.uptime.now_us();
        self.shared.desk().ledger.view(now_us)
    }

    /// Writes debits down and gives out what time frees, until `shutdown`; then ends what is idle, so
    /// that a clean end leaves nothing to be counted twice. One of these runs per governor.
    pub async fn keep(&self, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            if !self.write_once().await {
                tokio::select! {
                    () = tokio::time::sleep(WRITE_AGAIN) => {}
                    () = shutdown.cancelled() => {}
                }
            }
            tokio::select! {
                () = self.until_stirred() => {}
                () = shutdown.cancelled() => {}
            }
        }
        {
            let mut desk = self.shared.desk();
            desk.is_closed = true;
            desk.ledger.rest(self.shared.uptime.now_us());
        }
        self.write_once().await;
    }

    /// Waits until something must be written down or time has brought something.
    async fn until_stirred(&self) {
        let wait = {
            let mut desk = self.shared.desk();
            let now_us = self.shared.uptime.now_us();
            if desk.ledger.has_writes() {
                return;
            }
            match desk.ledger.wake_us(now_us) {
                Some(wake_us) if wake_us <= now_us => {
                    desk.ledger.tick(now_us);
                    desk.settle(now_us);
                    // What is due already comes again at once; the clock must move in between.
                    Some(Duration::from_millis(1))
                }
                Some(wake_us) => u64::try_from(wake_us - now_us)
                    .ok()
                    .map(Duration::from_micros),
                None => None,
            }
        };
        let slept = async {
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = slept => {}
            () = self.shared.stirred.notified() => {}
        }
    }

    /// Writes down what there is, giving out meanwhile what time frees; false when the store refuses.
    async fn write_once(&self) -> bool {
        let writes = self.shared.desk().ledger.writes();
        if writes.is_empty() {
            return true;
        }
        let written = self.shared.store.write(writes.clone()).await;
        let mut desk = self.shared.desk();
        let now_us = self.shared.uptime.now_us();
        let is_written = match written {
            Ok(()) => {
                desk.ledger.written(now_us);
                true
            }
            Err(error) => {
                tracing::warn!(%error, "spent units cannot be written down: nothing is sent until they are");
                desk.ledger.not_written(writes, now_us);
                false
            }
        };
        desk.settle(now_us);
        is_written
    }

    /// Sends a request when its turn has come, and again where that is right.
    ///
    /// # Errors
    /// [`EgressError::Held`] when it was not sent and why; else as the wire has it.
    pub async fn fetch(&self, request: Request) -> Result<Answer, EgressError> {
        let shared = &self.shared;
        let Some(terms) = Terms::of(&shared.catalog, &shared.config, &request) else {
            let response = shared.wire.send(request).await?;
            return Ok(Answer {
                response,
                class: None,
                attempts: 1,
            });
        };
        let deadline_us = self.urgency.within.map(|within| {
            let within = i64::try_from(within.as_micros()).unwrap_or(i64::MAX);
            shared.uptime.now_us().saturating_add(within)
        });
        if terms.is_rationed {
            self.ask_the_time(&terms).await;
        }
        let mut last = None;
        let mut attempt = 1;
        loop {
            if terms.is_rationed {
                self.probe(&terms, &request).await;
            }
            let place = match self.turn(&terms, self.urgency.class, deadline_us).await {
                Ok(place) => place,
                // What the provider said tells more than that there is no second try.
                Err(held) => return last.unwrap_or_else(|| Err(held_back(&terms, &held))),
            };
            let mut request = request.clone();
            let mut is_hurried = false;
            if let (true, Some(deadline_us)) = (terms.is_rationed, deadline_us) {
                let left_us = deadline_us.saturating_sub(shared.uptime.now_us()).max(0);
                let left = Duration::from_micros(left_us.unsigned_abs());
                is_hurried = left < request.timeout;
                request.timeout = request.timeout.min(left);
            }
            let (class, asked, outcome) = place.send(&terms, request, is_hurried).await;
            let may_repeat = terms.is_rationed
                && match &outcome {
                    Ok(_) => class.is_some(),
                    Err(error) => is_outage(error),
                };
            let outcome = outcome.map(|response| Answer {
                response,
                class,
                attempts: attempt,
            });
            if !may_repeat {
                return outcome;
            }
            let Some(pause) = retry::wait(class, attempt, asked, chance()) else {
                return outcome;
            };
            let pause_us = i64::try_from(pause.as_micros()).unwrap_or(i64::MAX);
            let resumes_us = shared.uptime.now_us().saturating_add(pause_us);
            if deadline_us.is_some_and(|deadline_us| resumes_us > deadline_us) {
                return outcome;
            }
            tokio::time::sleep(pause).await;
            last = Some(outcome);
            attempt += 1;
        }
    }

    /// Opens a WebSocket when its turn has come: a connection is counted and held back like a data call, and
    /// never repeated here.
    ///
    /// # Errors
    /// [`EgressError::Held`] when it was not tried and why; else as the wire has it.
    pub async fn connect(&self, request: Request) -> Result<Socket, EgressError> {
        let shared = &self.shared;
        let terms = Terms::of(&shared.catalog, &shared.config, &request);
        let Some(mut terms) = terms else {
            return shared.wire.open(request).await;
        };
        terms.is_rationed = true;
        let deadline_us = self.urgency.within.map(|within| {
            let within = i64::try_from(within.as_micros()).unwrap_or(i64::MAX);
            shared.uptime.now_us().saturating_add(within)
        });
        let mut place = self
            .turn(&terms, self.urgency.class, deadline_us)
            .await
            .map_err(|held| held_back(&terms, &held))?;
        place.ending = Ending::Abandoned;
        let opened = shared.wire.open(request).await;
        place.ending = match &opened {
            Ok(_) => Ending::Answered(Facts::default()),
            Err(EgressError::Declined {
                status,
                retry_after,
                ..
            }) => Ending::Answered(Facts {
                class: by_status(status.as_u16()),
                wait_us: retry_after.and_then(|wait| i64::try_from(wait.as_micros()).ok()),
                ..Facts::default()
            }),
            Err(error) if error.may_have_been_sent() => Ending::Lost,
            Err(error) if is_outage(error) => Ending::Unreached,
            Err(_) => Ending::NotSent,
        };
        opened
    }

    /// Asks the provider's home page for the time when units of another run of the machine are in the way:
    /// a page costs nothing, and without the time a laptop that is started anew each morning would wait a
    /// whole day for yesterday's units.
    async fn ask_the_time(&self, terms: &Terms<'_>) {
        let shared = &self.shared;
        let sent_us = shared.uptime.now_us();
        {
            let mut desk = shared.desk();
            desk.ledger.prepare(&terms.gate, &terms.demands, sent_us);
            let is_due = !self.shared.config.shadow
                && sent_us >= desk.time_asked_us.saturating_add(TIME_AGAIN_US);
            if !is_due || !desk.ledger.is_time_in_doubt(&terms.gate, sent_us) {
                return;
            }
            desk.time_asked_us = sent_us;
        }
        let Ok(site) = terms.provider.site.parse() else {
            return;
        };
        let mut page = Request::new(Method::HEAD, site);
        page.timeout = Duration::from_secs(5);
        let Ok(answer) = shared.wire.send(page).await else {
            return;
        };
        if let Some(date_us) = date_us(&answer.headers) {
            let now_us = shared.uptime.now_us();
            let mut desk = shared.desk();
            desk.ledger.tell_time(sent_us, now_us, date_us);
            desk.ledger.pump(now_us);
            desk.settle(now_us);
        }
        shared.stirred.notify_one();
    }

    /// Tries the cheapest call first when the breaker waits for one to go ahead.
    async fn probe(&self, terms: &Terms<'_>, request: &Request) {
        let shared = &self.shared;
        let is_wanted = {
            let now_us = shared.uptime.now_us();
            shared.desk().ledger.wants_probe(&terms.gate, now_us)
        };
        if !is_wanted {
            return;
        }
        let Some(probe) = probe::cheapest(terms, request) else {
            return;
        };
        let Some(terms) = Terms::of(&shared.catalog, &shared.config, &probe) else {
            return;
        };
        let deadline_us = shared.uptime.now_us().saturating_add(SECOND_US);
        // It is worth it only while there is room for it: whoever asked goes himself otherwise.
        if let Ok(place) = self.turn(&terms, Class::Live, Some(deadline_us)).await {
            // What came of it, the ledger knows.
            drop(place.send(&terms, probe, false).await);
        }
    }

    /// Waits until the request may be sent.
    async fn turn(
        &self,
        terms: &Terms<'_>,
        class: Class,
        deadline_us: Option<i64>,
    ) -> Result<Place, Held> {
        let (told, verdict) = oneshot::channel();
        let place = {
            let now_us = self.shared.uptime.now_us();
            let mut desk = self.shared.desk();
            if desk.is_closed && terms.is_rationed {
                return Err(Held::Unwritable);
            }
            let call = desk.ledger.ask(
                Ask {
                    gate: terms.gate.clone(),
                    demands: terms.demands.clone(),
                    class,
                    deadline_us,
                    is_forced: !terms.is_rationed,
                },
                now_us,
            );
            desk.askers.insert(call, told);
            desk.settle(now_us);
            Place {
                shared: Arc::clone(&self.shared),
                call,
                ending: Ending::NotSent,
            }
        };
        self.shared.stirred.notify_one();
        // The desk keeps the other end until it has decided.
        match verdict.await {
            Ok(Ok(())) => Ok(place),
            Ok(Err(held)) => Err(held),
            Err(_gone) => Err(Held::Unwritable),
        }
    }
}

impl Egress for Governor {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, EgressError>> {
        Box::pin(async move { self.fetch(request).await.map(|answer| answer.response) })
    }

    fn open(&self, request: Request) -> BoxFuture<'_, Result<Socket, EgressError>> {
        Box::pin(self.connect(request))
    }
}

impl Shared {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        // A panic elsewhere leaves the ledger as it was between two of its steps.
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk {
    /// Tells everybody about whom something was decided.
    fn settle(&mut self, now_us: i64) {
        loop {
            let verdicts = self.ledger.verdicts();
            if verdicts.is_empty() {
                return;
            }
            for verdict in verdicts {
                match verdict {
                    Verdict::Granted { call, .. } => {
                        let told = self.askers.remove(&call);
                        // Who asked has gone: his place is given back, which may free another's.
                        if told.is_none_or(|told| told.send(Ok(())).is_err()) {
                            self.ledger.end(call, &Ending::NotSent, now_us);
                        }
                    }
                    Verdict::Refused { call, held } => {
                        if let Some(told) = self.askers.remove(&call) {
                            // Nobody may wait for it any more.
                            drop(told.send(Err(held)));
                        }
                    }
                }
            }
        }
    }
}

/// A call's place in the ledger; given up as [`Place::ending`] says, also when its caller goes away.
struct Place {
    shared: Arc<Shared>,
    call: CallId,
    ending: Ending,
}

impl Place {
    /// Sends the request and tells the ledger how it ended. `is_hurried` says that its time limit is the
    /// caller's and not what the provider may be asked to keep.
    async fn send(
        mut self,
        terms: &Terms<'_>,
        request: Request,
        is_hurried: bool,
    ) -> (
        Option<FailureClass>,
        Option<Duration>,
        Result<Response, EgressError>,
    ) {
        self.ending = Ending::Abandoned;
        let wire = Arc::clone(&self.shared.wire);
        let outcome = wire.send(request).await;
        let (mut class, mut asked) = (None, None);
        self.ending = match &outcome {
            Ok(response) => {
                let facts = facts(terms, response);
                class = facts.class;
                asked = facts.wait_us.and_then(|us| u64::try_from(us).ok());
                Ending::Answered(facts)
            }
            Err(EgressError::TimedOut { .. }) if is_hurried => Ending::Abandoned,
            Err(error) if error.may_have_been_sent() => Ending::Lost,
            Err(error) if is_outage(error) => Ending::Unreached,
            Err(_) => Ending::NotSent,
        };
        (class, asked.map(Duration::from_micros), outcome)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let now_us = self.shared.uptime.now_us();
        let mut desk = self.shared.desk();
        desk.askers.remove(&self.call);
        desk.ledger.end(self.call, &self.ending, now_us);
        desk.settle(now_us);
        drop(desk);
        self.shared.stirred.notify_one();
    }
}

/// Says whether nobody answered, so that another attempt may find somebody.
fn is_outage(error: &EgressError) -> bool {
    matches!(
        error,
        EgressError::Connect { .. }
            | EgressError::TimedOut { .. }
            | EgressError::Broken { .. }
            | EgressError::Unreached { .. }
    )
}

/// Returns a number that nobody can foresee, so that callers do not come back all at once.
fn chance() -> u32 {
    // Without randomness everybody waits the whole time, which is safe.
    random::bytes().map_or(u32::MAX, u32::from_le_bytes)
}

fn held_back(terms: &Terms<'_>, held: &Held) -> EgressError {
    let wait = match held {
        Held::Deadline { wait_us }
        | Held::Throttled { wait_us }
        | Held::Banned { wait_us }
        | Held::BreakerOpen { wait_us } => u64::try_from(*wait_us).ok().map(Duration::from_micros),
        Held::QueueFull | Held::NeverFits { .. } | Held::Unwritable => None,
    };
    EgressError::Held {
        host: terms.provider.title.clone(),
        reason: held.to_string(),
        retry_after: wait,
    }
}
