//! The cache in front of an origin: what is asked of it, once, and who gets the answer.
//!
//! Why a task for each call to the origin: many may wait for it, and whoever goes away cancels nobody.
//! When it acts: an answer that is held and good leaves at once. Else one call is made for everybody who asks alike
//! before the answer is there: same address, credential and headers that can choose an answer. Nothing is
//! ever sent again, but for a 304 that speaks of another version than the one that is held.
//! Not here: the rules ([`super::freshness`] and its neighbours), which calls may be kept or shared (the caller).

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use jiff::Timestamp;
use tokio::sync::{oneshot, watch};
use tradewind_core::Clock;
use tradewind_engine::Supervisor;
use tradewind_host::egress::{
    BoxFuture, EgressError, HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Url,
    header,
};

use super::Rules;
use super::directives::Directives;
use super::freshness::{Verdict, is_failure, stands_in, verdict};
use super::store::{Credential, Key, Store};
use super::storing::{Exchange, Stored};
use super::validate::{conditional, is_for_the_origin, is_plain, respond};

/// Upper bound on calls that others can join; what is beyond it goes alone.
const MAX_FLIGHTS: usize = 4_096;
/// Headers that say who asks and choose nothing.
const OF_THE_CALLER: &[&str] = &[
    "user-agent",
    "date",
    "origin",
    "referer",
    "cache-control",
    "pragma",
];

/// Who answers what is not held.
pub trait Origin: Send + Sync {
    /// Sends one request.
    fn fetch(&self, request: Request) -> BoxFuture<'_, Result<Fetched, EgressError>>;
}

/// What the origin answered.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The answer, without headers of the connection.
    pub response: Response,
    /// Requests that were sent for it.
    pub calls: u32,
    /// Whether it is a refusal in the clothes of an answer, which is never kept.
    pub is_refusal: bool,
}

/// Which answers are shared by those who wait for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Every one, errors and what must not be kept included: right where a question changes nothing and all who
    /// share it have the same credential.
    Every,
    /// Those that may be kept (RFC 9111 §4).
    Storable,
}

/// A question.
#[derive(Clone)]
pub struct Ask {
    /// The request, as it goes to the origin.
    pub request: Request,
    /// Name of its address in the store.
    pub key: Key,
    /// Who asks, as the provider sees it.
    pub credential: Credential,
    /// Who answers what is not held.
    pub origin: Arc<dyn Origin>,
    /// Which answers are shared.
    pub sharing: Sharing,
    /// What it is counted as, also when it is answered again from what is held.
    pub label: Arc<str>,
}

/// How an answer was come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It was held and good.
    Hit,
    /// It was held and is served stale, seconds after its end.
    Stale(u64),
    /// It was held, and the origin said that it still holds.
    Validated,
    /// It was fetched and is held now.
    Stored,
    /// It was fetched and is not held.
    Passed,
    /// It was fetched for somebody else who asked the same.
    Collapsed,
    /// It was not held, and the request said that nobody may be asked.
    NotHeld,
}

impl How {
    /// Returns what `Cache-Status` says (RFC 9211).
    pub fn cache_status(self) -> HeaderValue {
        let text = match self {
            Self::Hit => "tradewind; hit",
            Self::Stale(late) => {
                let text = format!("tradewind; hit; ttl=-{late}");
                let hit = HeaderValue::from_static("tradewind; hit");
                return HeaderValue::from_str(&text).unwrap_or(hit);
            }
            Self::Validated => "tradewind; fwd=stale; fwd-status=304; stored",
            Self::Stored => "tradewind; fwd=miss; stored",
            Self::Passed => "tradewind; fwd=miss",
            Self::Collapsed => "tradewind; fwd=miss; collapsed",
            Self::NotHeld => "tradewind; fwd=request; detail=only-if-cached",
        };
        HeaderValue::from_static(text)
    }
}

/// An answer, with `Age` and `Cache-Status`.
#[derive(Clone, Debug)]
pub struct Served {
    /// The answer.
    pub response: Response,
    /// How it was come by.
    pub how: How,
    /// Requests that were sent for it; 0 when they were sent for somebody else, or none was.
    pub calls: u32,
    /// What it is counted as.
    pub label: Arc<str>,
}

/// What came of a call.
#[derive(Clone)]
enum Settled {
    /// An answer that is held, or was.
    Kept {
        stored: Arc<Stored>,
        how: How,
        calls: u32,
    },
    /// An answer that is not kept.
    Passing { response: Response, calls: u32 },
    /// No answer.
    Failed(Arc<EgressError>),
}

type Ended = Option<Settled>;

/// How often what happened.
#[derive(Debug, Default)]
pub struct Figures {
    /// Answers that were held and good.
    pub hits: AtomicU64,
    /// Answers that were served stale.
    pub stale: AtomicU64,
    /// Answers that were held and confirmed.
    pub validated: AtomicU64,
    /// Answers that were fetched.
    pub fetched: AtomicU64,
    /// Questions that joined a call under way.
    pub joined: AtomicU64,
    /// Answers that were fetched for somebody else.
    pub collapsed: AtomicU64,
}

/// A cache in front of origins. Cheap to clone; clones share what is held and what is under way.
#[derive(Clone)]
pub struct Front {
    shared: Arc<Shared>,
}

struct Shared {
    store: Arc<Store>,
    rules: Rules,
    clock: Arc<dyn Clock>,
    supervisor: Supervisor,
    flights: Mutex<HashMap<[u8; 32], watch::Receiver<Ended>>>,
    figures: Figures,
}

impl std::fmt::Debug for Front {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Front")
            .field("store", &self.shared.store)
            .finish_non_exhaustive()
    }
}

impl Front {
    /// Keeps answers in `store`; calls to origins are tasks of `supervisor`.
    pub fn new(
        store: Arc<Store>,
        rules: Rules,
        clock: Arc<dyn Clock>,
        supervisor: Supervisor,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                store,
                rules,
                clock,
                supervisor,
                flights: Mutex::default(),
                figures: Figures::default(),
            }),
        }
    }

    /// Returns how often what happened.
    pub fn figures(&self) -> &Figures {
        &self.shared.figures
    }

    /// Returns how many addresses are held, and about how many bytes they take.
    pub fn held(&self) -> (usize, u64) {
        self.shared.store.held()
    }

    /// Answers at once when what is held is good at `now`, and `None` when somebody has to be asked or waited for.
    pub fn hit(
        &self,
        method: &Method,
        key: &Key,
        headers: &HeaderMap,
        credential: Credential,
        now: Timestamp,
    ) -> Option<Served> {
        let stored = self.shared.store.find(key, headers, credential)?;
        let mut asked = Directives::default();
        if !is_plain(headers) {
            if is_for_the_origin(headers) {
                return None;
            }
            asked = Directives::of_request(headers);
        }
        if verdict(&stored, &asked, now) != Verdict::Fresh {
            return None;
        }
        self.shared.figures.hits.fetch_add(1, Ordering::Relaxed);
        Some(Served {
            response: respond(&stored, method, headers, now),
            how: How::Hit,
            calls: 0,
            label: Arc::clone(&stored.label),
        })
    }

    /// Answers a GET or HEAD from what is held or from its origin.
    ///
    /// # Errors
    /// As the origin has it; everybody who waited for the same gets the same.
    pub async fn answer(&self, ask: Ask) -> Result<Served, Arc<EgressError>> {
        let headers = &ask.request.headers;
        let now = self.shared.clock.now();
        let (method, credential) = (&ask.request.method, ask.credential);
        if let Some(served) = self.hit(method, &ask.key, headers, credential, now) {
            return Ok(served);
        }
        let asked = Directives::of_request(headers);
        let held = if is_for_the_origin(headers) {
            None
        } else {
            self.shared.store.find(&ask.key, headers, ask.credential)
        };
        if let Some(stored) = &held
            && let Verdict::Stale { behind } = verdict(stored, &asked, now)
        {
            let served = self.stale(stored, &ask, now);
            if behind {
                self.renew(ask, Arc::clone(stored));
            }
            return Ok(served);
        }
        if asked.only_if_cached {
            return Ok(not_held(&ask.label));
        }
        if ask.request.method == Method::HEAD {
            return self.head(ask).await;
        }
        self.fetch(ask, held).await
    }

    /// Forgets what is held of an address that a change went to, and of those that its answer names on the same
    /// origin, when the change may have been made (RFC 9111 §4.4).
    pub fn changed(&self, method: &Method, url: &Url, key: &Key, answer: &Response) {
        let is_done = answer.status.is_success() || answer.status.is_redirection();
        if method.is_safe() || !is_done {
            return;
        }
        self.shared.store.forget(key);
        for name in [header::LOCATION, header::CONTENT_LOCATION] {
            let named = answer
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok());
            let Some(Ok(named)) = named.map(|text| url.join(text)) else {
                continue;
            };
            if named.origin() == url.origin() {
                self.shared.store.forget(&Key::of(&[named.as_str()]));
            }
        }
    }

    fn stale(&self, stored: &Stored, ask: &Ask, now: Timestamp) -> Served {
        self.shared.figures.stale.fetch_add(1, Ordering::Relaxed);
        let late = stored.age(now).saturating_sub(stored.lifetime);
        let mut response = respond(stored, &ask.request.method, &ask.request.headers, now);
        tell(&mut response, stored, How::Stale(late));
        Served {
            response,
            how: How::Stale(late),
            calls: 0,
            label: Arc::clone(&ask.label),
        }
    }

    /// Fetches an answer, or waits for the same one that is under way.
    async fn fetch(&self, ask: Ask, held: Option<Arc<Stored>>) -> Result<Served, Arc<EgressError>> {
        let (mut ended, is_own) = self.join(&ask, held.clone());
        let settled = match ended.wait_for(Option::is_some).await {
            Ok(settled) => settled.clone(),
            Err(_gone) => None,
        };
        let Some(settled) = settled else {
            return Err(Arc::new(over(&ask.request)));
        };
        let is_right = is_own
            || match &settled {
                Settled::Kept { stored, .. } => stored.fits(&ask.request.headers, ask.credential),
                Settled::Passing { .. } => ask.sharing == Sharing::Every,
                Settled::Failed(_) => true,
            };
        if is_right {
            return self.served(&ask, settled, is_own);
        }
        // What came is not for everybody: from here on this one goes alone.
        let settled = self.alone(&ask, held).await?;
        self.served(&ask, settled, true)
    }

    /// Joins the call that is under way for the same question, or starts it.
    fn join(&self, ask: &Ask, held: Option<Arc<Stored>>) -> (watch::Receiver<Ended>, bool) {
        let digest = digest(ask);
        let mut flights = self.flights();
        if let Some(ended) = flights.get(&digest) {
            self.shared.figures.joined.fetch_add(1, Ordering::Relaxed);
            return (ended.clone(), false);
        }
        let (tell, ended) = watch::channel(None);
        let is_open = flights.len() < MAX_FLIGHTS;
        if is_open {
            flights.insert(digest, ended.clone());
        }
        let (front, ask) = (self.clone(), ask.clone());
        self.shared
            .supervisor
            .start_once("pass-through", async move {
                let landing = is_open.then_some(Landing {
                    front: &front,
                    digest,
                });
                let settled = front.exchange(&ask, held).await;
                // Whoever comes from now on asks anew: the answer is as old as its first byte.
                drop(landing);
                drop(tell.send(Some(settled)));
            });
        (ended, true)
    }

    /// Fetches a new answer behind the back of who asked, unless that is under way.
    fn renew(&self, mut ask: Ask, held: Arc<Stored>) {
        ask.request = conditional(&ask.request, &held);
        drop(self.join(&ask, Some(held)));
    }

    /// Sends one question that nobody shares.
    async fn alone(
        &self,
        ask: &Ask,
        held: Option<Arc<Stored>>,
    ) -> Result<Settled, Arc<EgressError>> {
        let (front, question) = (self.clone(), ask.clone());
        let settled = async move { front.exchange(&question, held).await };
        self.on_its_own(ask, settled).await
    }

    /// Runs a call to its end, whoever waits for it.
    async fn on_its_own(
        &self,
        ask: &Ask,
        call: impl Future<Output = Settled> + Send + 'static,
    ) -> Result<Settled, Arc<EgressError>> {
        let (tell, told) = oneshot::channel();
        self.shared
            .supervisor
            .start_once("pass-through", async move {
                drop(tell.send(call.await));
            });
        told.await.map_err(|_gone| Arc::new(over(&ask.request)))
    }

    /// Asks the origin and settles what its answer means for what is held.
    async fn exchange(&self, ask: &Ask, held: Option<Arc<Stored>>) -> Settled {
        let rules = self.shared.rules;
        let asked = Directives::of_request(&ask.request.headers);
        let named = held.as_ref().filter(|stored| stored.has_validator());
        let question = named.map_or_else(
            || ask.request.clone(),
            |stored| conditional(&ask.request, stored),
        );
        let mut requested_at = self.shared.clock.now();
        let mut sent = ask.origin.fetch(question).await;
        let mut calls = 0;
        if let (Ok(fetched), Some(stored)) = (&sent, named)
            && fetched.response.status == StatusCode::NOT_MODIFIED
        {
            calls = fetched.calls;
            let exchange = self.between(ask, &asked, requested_at);
            if let Some(fresh) = stored.freshened(&exchange, &fetched.response.headers, rules) {
                return self.confirmed(ask, stored, fresh, calls);
            }
            self.shared.store.drop_one(&ask.key, stored);
            let mut whole = conditional(&ask.request, stored);
            whole.headers.remove(header::IF_NONE_MATCH);
            whole.headers.remove(header::IF_MODIFIED_SINCE);
            requested_at = self.shared.clock.now();
            sent = ask.origin.fetch(whole).await;
        }
        let is_failed = match &sent {
            Ok(fetched) => is_failure(fetched.response.status),
            Err(_) => true,
        };
        if let Some(stored) = &held
            && is_failed
        {
            let now = self.shared.clock.now();
            if stands_in(stored, &asked, sent.is_err(), rules, now) {
                let late = stored.age(now).saturating_sub(stored.lifetime);
                return Settled::Kept {
                    stored: Arc::clone(stored),
                    how: How::Stale(late),
                    calls,
                };
            }
        }
        match sent {
            Ok(fetched) => self.fetched(ask, held.as_ref(), fetched, calls, requested_at),
            Err(error) => Settled::Failed(Arc::new(error)),
        }
    }

    fn between<'a>(
        &self,
        ask: &'a Ask,
        asked: &'a Directives,
        requested_at: Timestamp,
    ) -> Exchange<'a> {
        Exchange {
            request: &ask.request.headers,
            asked,
            credential: ask.credential,
            label: &ask.label,
            requested_at,
            received_at: self.shared.clock.now(),
        }
    }

    /// Takes a new answer in.
    fn fetched(
        &self,
        ask: &Ask,
        held: Option<&Arc<Stored>>,
        fetched: Fetched,
        calls: u32,
        requested_at: Timestamp,
    ) -> Settled {
        let asked = Directives::of_request(&ask.request.headers);
        let calls = calls + fetched.calls;
        let exchange = self.between(ask, &asked, requested_at);
        let kept = if fetched.is_refusal {
            None
        } else {
            Stored::of(&exchange, &fetched.response, self.shared.rules)
        };
        if let Some(stored) = kept {
            let stored = Arc::new(stored);
            self.shared.store.put(ask.key, &stored);
            return Settled::Kept {
                stored,
                how: How::Stored,
                calls,
            };
        }
        let is_newer = !fetched.response.status.is_server_error() && !fetched.is_refusal;
        if let Some(stored) = held
            && is_newer
            && fetched.response.status != StatusCode::NOT_MODIFIED
        {
            // What is newer and must not be kept is no reason to go on with what is older.
            self.shared.store.drop_one(&ask.key, stored);
        }
        Settled::Passing {
            response: fetched.response,
            calls,
        }
    }

    /// Takes in that what is held still holds.
    fn confirmed(&self, ask: &Ask, old: &Arc<Stored>, fresh: Stored, calls: u32) -> Settled {
        let fresh = Arc::new(fresh);
        if fresh.may_stay() {
            self.shared.store.put(ask.key, &fresh);
        } else {
            self.shared.store.drop_one(&ask.key, old);
        }
        Settled::Kept {
            stored: fresh,
            how: How::Validated,
            calls,
        }
    }

    /// Makes the answer of one who waited.
    fn served(
        &self,
        ask: &Ask,
        settled: Settled,
        is_own: bool,
    ) -> Result<Served, Arc<EgressError>> {
        let figures = &self.shared.figures;
        let (mut response, how, calls) = match settled {
            Settled::Kept { stored, how, calls } => {
                let now = self.shared.clock.now();
                let mut response = respond(&stored, &ask.request.method, &ask.request.headers, now);
                if how == How::Stored && stored.initial_age == 0 {
                    response.headers.remove(header::AGE);
                }
                let how = if is_own || matches!(how, How::Stale(_)) {
                    how
                } else {
                    How::Collapsed
                };
                tell(&mut response, &stored, how);
                (response, how, calls)
            }
            Settled::Passing {
                mut response,
                calls,
            } => {
                let how = if is_own { How::Passed } else { How::Collapsed };
                response.headers.append("cache-status", how.cache_status());
                (response, how, calls)
            }
            Settled::Failed(error) => return Err(error),
        };
        let counter = match how {
            How::Stale(_) => &figures.stale,
            How::Validated => &figures.validated,
            How::Collapsed => &figures.collapsed,
            _ => &figures.fetched,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        if response.status == StatusCode::NO_CONTENT || response.status == StatusCode::NOT_MODIFIED
        {
            response.body = Bytes::new();
        }
        Ok(Served {
            response,
            how,
            calls: if is_own { calls } else { 0 },
            label: Arc::clone(&ask.label),
        })
    }

    /// Sends a HEAD on, and lets its answer confirm or end what is held of the address (RFC 9111 §4.3.5).
    async fn head(&self, ask: Ask) -> Result<Served, Arc<EgressError>> {
        let (front, question) = (self.clone(), ask.clone());
        let settled = async move {
            let requested_at = front.shared.clock.now();
            match question.origin.fetch(question.request.clone()).await {
                Ok(fetched) => {
                    front.learn_from_head(&question, &fetched.response, requested_at);
                    Settled::Passing {
                        response: fetched.response,
                        calls: fetched.calls,
                    }
                }
                Err(error) => Settled::Failed(Arc::new(error)),
            }
        };
        let settled = self.on_its_own(&ask, settled).await?;
        self.served(&ask, settled, true)
    }

    fn learn_from_head(&self, ask: &Ask, response: &Response, requested_at: Timestamp) {
        if response.status != StatusCode::OK {
            return;
        }
        let Some(stored) = self
            .shared
            .store
            .find(&ask.key, &ask.request.headers, ask.credential)
        else {
            return;
        };
        let same = |name: &str| match (stored.headers.get(name), response.headers.get(name)) {
            (Some(held), Some(told)) => held == told,
            (None, Some(_)) => false,
            (_, None) => true,
        };
        let length = response.headers.get(header::CONTENT_LENGTH);
        let is_as_long =
            length.is_none_or(|length| *length == HeaderValue::from(stored.body.len()));
        let asked = Directives::of_request(&ask.request.headers);
        let exchange = self.between(ask, &asked, requested_at);
        let fresh = (same("etag") && same("last-modified") && is_as_long)
            .then(|| stored.freshened(&exchange, &response.headers, self.shared.rules))
            .flatten();
        match fresh {
            Some(fresh) if fresh.may_stay() => self.shared.store.put(ask.key, &Arc::new(fresh)),
            _ => self.shared.store.drop_one(&ask.key, &stored),
        }
    }

    fn flights(&self) -> MutexGuard<'_, HashMap<[u8; 32], watch::Receiver<Ended>>> {
        self.shared
            .flights
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a flight, also when the task that flies it is dropped.
struct Landing<'a> {
    front: &'a Front,
    digest: [u8; 32],
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        self.front.flights().remove(&self.digest);
    }
}

/// Puts another word into the place of ours in `Cache-Status`, behind those of caches before us.
fn tell(response: &mut Response, stored: &Stored, how: How) {
    response.headers.remove("cache-status");
    for value in stored.headers.get_all("cache-status") {
        response.headers.append("cache-status", value.clone());
    }
    response.headers.append("cache-status", how.cache_status());
}

fn over(request: &Request) -> EgressError {
    EgressError::Held {
        host: request.url.host_str().unwrap_or("no host").to_owned(),
        reason: "the call was ended before it had an answer".to_owned(),
        retry_after: None,
    }
}

fn not_held(label: &Arc<str>) -> Served {
    let mut headers = HeaderMap::new();
    headers.insert("cache-status", How::NotHeld.cache_status());
    Served {
        response: Response {
            status: StatusCode::GATEWAY_TIMEOUT,
            headers,
            body: Bytes::new(),
        },
        how: How::NotHeld,
        calls: 0,
        label: Arc::clone(label),
    }
}

/// Returns what two questions must have in common to share a call: address, credential, and what chooses
/// between answers. A digest, because the credential is in it.
fn digest(ask: &Ask) -> [u8; 32] {
    let mut hash = blake3::Hasher::new();
    let mut add = |bytes: &[u8]| {
        hash.update(&(bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    add(ask.credential.bytes());
    add(ask.request.url.as_str().as_bytes());
    let chooses = |name: &str| !OF_THE_CALLER.contains(&name);
    let mut headers: Vec<_> = ask
        .request
        .headers
        .iter()
        .filter(|(name, _)| chooses(name.as_str()))
        .collect();
    headers.sort_by_key(|(name, _)| name.as_str());
    for (name, value) in headers {
        add(name.as_str().as_bytes());
        add(value.as_bytes());
    }
    *hash.finalize().as_bytes()
}
