//! Pass-through: a call as a bot makes it, to a provider of the catalog, through the ledger.
//!
//! Why: a bot that speaks to its provider in the provider's own words gains limits, a shared quota and one
//! call for many askers without a changed line. Only GET calls to endpoints that the catalog knows as data are
//! rationed and shared; every other call, an order above all, is sent once, at once, as it came, and never
//! repeated, shared, kept or given a key that it did not bring.
//! Why sharing is safe: two callers share an answer only when address, headers that choose it and
//! credential are the same. A caller who goes away cancels nobody.
//! Not here: who may ask (the edge), a cache of answers, TLS.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use tokio::sync::watch;
use tradewind_catalog::access::How;
use tradewind_catalog::endpoint::Method as Declared;
use tradewind_catalog::host::{Host, HostName, Role};
use tradewind_catalog::url::Address;
use tradewind_catalog::{Catalog, Provider};
use tradewind_core::Clock;
use tradewind_engine::Supervisor;
use tradewind_host::egress::{EgressError, HeaderMap, Method, Request, Response, Url};
use tradewind_quota::{Governor, Urgency};

use crate::redact;
use crate::secrets::{Keyring, Keys};
use crate::usage::{self, Counts, Usage};

/// How long a call that is not rationed may take: brokers are slow when it matters.
const TIME_LIMIT: Duration = Duration::from_mins(2);
/// Upper bound on an answer, in bytes.
const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;

/// Headers that belong to one connection (RFC 9110 §7.6.1), and those that are written anew.
const OF_THE_CONNECTION: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "host",
    "content-length",
    // What is compressed on the way is plain again when it is handed on.
    "accept-encoding",
];
/// Headers that say who asks and choose nothing.
const OF_THE_CALLER: &[&str] = &[
    "user-agent",
    "date",
    "origin",
    "referer",
    "cache-control",
    "pragma",
];

/// A call that came in.
#[derive(Clone, Debug)]
pub struct Call {
    /// Name of the provider in the catalog.
    pub provider: String,
    /// Which of its hosts. Default: the first that answers data.
    pub host: Option<String>,
    /// Method.
    pub method: Method,
    /// Path and query, as they came.
    pub path_and_query: String,
    /// Headers, as they came.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
    /// Who calls, in a word.
    pub consumer: String,
    /// How urgent it is; for data only.
    pub urgency: Urgency,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Passed {
    /// The answer, without headers of the connection.
    pub response: Response,
    /// Requests that were sent for it; 0 when it was fetched for somebody else.
    pub calls: u32,
    /// Whether it was rationed and may have been shared.
    pub is_data: bool,
}

/// Why a call was not passed on, or has no answer.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PassError {
    /// The catalog has no such provider.
    #[error("there is no provider {0:?} in the catalog")]
    UnknownProvider(String),
    /// The provider has no such host.
    #[error("{host:?} is no host of {provider}")]
    UnknownHost {
        /// The provider.
        provider: String,
        /// What was asked for.
        host: String,
    },
    /// The address cannot be made.
    #[error("the path is none that can be asked for")]
    Address,
    /// A key is not where the user says.
    #[error("the key of {0} cannot be read")]
    Key(String),
    /// Not sent, or without an answer.
    #[error("{provider} was not heard")]
    Unheard {
        /// The provider.
        provider: String,
        /// Why.
        #[source]
        source: Arc<EgressError>,
    },
    /// Whoever fetched it ended before there was an answer.
    #[error("the call was ended before it had an answer")]
    Ended,
}

type Ended = Option<Result<Passed, PassError>>;

/// Passes calls on. Cheap to clone; clones share what is under way.
#[derive(Clone)]
pub struct Pass {
    shared: Arc<Shared>,
}

struct Shared {
    catalog: Arc<Catalog>,
    governor: Governor,
    keyring: Keyring,
    usage: Usage,
    clock: Arc<dyn Clock>,
    supervisor: Supervisor,
    flights: Mutex<HashMap<[u8; 32], watch::Receiver<Ended>>>,
}

impl std::fmt::Debug for Pass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pass").finish_non_exhaustive()
    }
}

impl Shared {
    /// Names what a call is counted as: the endpoint of the catalog that it asks, or that it is none for data.
    fn what(&self, call: &Call) -> String {
        let endpoint = || {
            let provider = self.catalog.provider(&call.provider)?;
            let (name, host) = host(provider, call.host.as_deref()).ok()?;
            let path = call.path_and_query.trim_start_matches('/');
            let address = Address::parse(&format!("https://{name}/{path}"))?;
            let (path, query) = (&address.path, &address.query);
            let matched = provider.matched(Declared::Get, Some(&host.id), path, query)?;
            matched
                .endpoint
                .is_data()
                .then(|| matched.endpoint.id.clone())
        };
        match (call.method == Method::GET).then(endpoint).flatten() {
            Some(endpoint) => format!("{}{endpoint}", usage::PASSED),
            None => format!("{}other", usage::PASSED),
        }
    }
}

impl Pass {
    /// Passes calls to providers of `catalog` on through `governor`.
    pub fn new(
        catalog: Arc<Catalog>,
        governor: Governor,
        keyring: Keyring,
        usage: Usage,
        clock: Arc<dyn Clock>,
        supervisor: Supervisor,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                catalog,
                governor,
                keyring,
                usage,
                clock,
                supervisor,
                flights: Mutex::default(),
            }),
        }
    }

    /// Returns the present time.
    pub(crate) fn now(&self) -> jiff::Timestamp {
        self.shared.clock.now()
    }

    /// Passes a call on, or waits for the same one that is under way.
    ///
    /// # Errors
    /// [`PassError`].
    pub async fn send(&self, call: Call) -> Result<Passed, PassError> {
        let (provider, consumer) = (call.provider.clone(), call.consumer.clone());
        let what = self.shared.what(&call);
        let passed = self.pass(call).await;
        let mut counts = Counts::default();
        match &passed {
            Ok(passed) => {
                counts.answers = 1;
                counts.hits = u64::from(passed.calls == 0);
                counts.calls = u64::from(passed.calls);
            }
            Err(_) => counts.failures = 1,
        }
        self.shared
            .usage
            .count(self.shared.clock.now(), &consumer, &provider, &what, counts);
        passed
    }

    async fn pass(&self, call: Call) -> Result<Passed, PassError> {
        let shared = &self.shared;
        let unknown = || PassError::UnknownProvider(call.provider.chars().take(40).collect());
        let provider = shared
            .catalog
            .provider(&call.provider)
            .ok_or_else(unknown)?;
        let (name, host) = host(provider, call.host.as_deref())?;
        let path = call
            .path_and_query
            .strip_prefix('/')
            .unwrap_or(&call.path_and_query);
        let url =
            Url::parse(&format!("https://{name}/{path}")).map_err(|_error| PassError::Address)?;
        let mut request = Request::new(call.method.clone(), url);
        request.headers = end_to_end(&call.headers);
        request.body = call.body.clone();
        request.max_body_bytes = MAX_BODY_BYTES;
        let is_data = is_data(provider, host, &request);
        if !is_data {
            request.timeout = TIME_LIMIT;
            return fly(&shared.governor, &provider.name, request, false).await;
        }
        if !has_own_key(provider, host, &request) {
            let keys = shared.keyring.keys(&provider.name).await;
            let keys = keys.map_err(|_error| PassError::Key(provider.name.clone()))?;
            sign(provider, host, &mut request, &keys);
            let name = provider.name.clone();
            let passed = self.shared_flight(name, request, call.urgency).await;
            return passed.map(|mut passed| {
                redact::hide(provider, &keys, &mut passed.response);
                passed
            });
        }
        self.shared_flight(provider.name.clone(), request, call.urgency)
            .await
    }

    /// Sends a call for data, or waits for the same one that is under way.
    async fn shared_flight(
        &self,
        provider: String,
        request: Request,
        urgency: Urgency,
    ) -> Result<Passed, PassError> {
        let key = key_of(&request);
        let (mut ended, is_own) = {
            let mut flights = self
                .shared
                .flights
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if let Some(ended) = flights.get(&key) {
                (ended.clone(), false)
            } else {
                let (tell, ended) = watch::channel(None);
                flights.insert(key, ended.clone());
                let (pass, governor) = (self.clone(), self.shared.governor.with(urgency));
                self.shared
                    .supervisor
                    .start_once("pass-through", async move {
                        let landing = Landing { pass: &pass, key };
                        let passed = fly(&governor, &provider, request, true).await;
                        // Whoever comes from now on asks anew: the answer is as old as its first byte.
                        drop(landing);
                        drop(tell.send(Some(passed)));
                    });
                (ended, true)
            }
        };
        let outcome = match ended.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone(),
            Err(_gone) => None,
        };
        let mut passed = outcome.unwrap_or(Err(PassError::Ended))?;
        if !is_own {
            passed.calls = 0;
        }
        Ok(passed)
    }
}

/// Ends a flight, also when the task that flies it is dropped.
struct Landing<'a> {
    pass: &'a Pass,
    key: [u8; 32],
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        let mut flights = self
            .pass
            .shared
            .flights
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        flights.remove(&self.key);
    }
}

async fn fly(
    governor: &Governor,
    provider: &str,
    request: Request,
    is_data: bool,
) -> Result<Passed, PassError> {
    let answer = governor
        .fetch(request)
        .await
        .map_err(|error| PassError::Unheard {
            provider: provider.to_owned(),
            source: Arc::new(error),
        })?;
    let mut response = answer.response;
    response.headers = end_to_end(&response.headers);
    Ok(Passed {
        response,
        calls: answer.attempts,
        is_data,
    })
}

/// Finds the host that is meant: the named one, or the first name that answers data.
fn host<'p>(provider: &'p Provider, named: Option<&str>) -> Result<(String, &'p Host), PassError> {
    let unknown = || PassError::UnknownHost {
        provider: provider.name.clone(),
        host: named.unwrap_or_default().chars().take(80).collect(),
    };
    if let Some(named) = named {
        let name = HostName::parse(named).ok_or_else(unknown)?;
        let host = provider.host_of(&name).ok_or_else(unknown)?;
        return Ok((name.to_string(), host));
    }
    let data = provider.hosts.iter().filter(|host| host.role == Role::Data);
    let mut all = data.flat_map(|host| host.names.iter().map(move |name| (name, host)));
    let found = all.find_map(|(name, host)| Some((name.exact()?.to_string(), host)));
    found.ok_or_else(unknown)
}

/// Says whether the catalog knows the call as one that reads data and changes nothing.
fn is_data(provider: &Provider, host: &Host, request: &Request) -> bool {
    let Some(address) = Address::parse(request.url.as_str()) else {
        return false;
    };
    request.method == Method::GET
        && provider
            .matched(Declared::Get, Some(&host.id), &address.path, &address.query)
            .is_some_and(|matched| matched.endpoint.is_data())
}

fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let listed: Vec<String> = headers
        .get_all("connection")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    let mut kept = HeaderMap::new();
    for (name, value) in headers {
        let text = name.as_str();
        let is_kept = !OF_THE_CONNECTION.contains(&text)
            && !text.starts_with("x-tradewind-")
            && !listed.iter().any(|listed| listed == text);
        if is_kept {
            kept.append(name.clone(), value.clone());
        }
    }
    kept
}

/// Says whether the call brings a key of its own.
fn has_own_key(provider: &Provider, host: &Host, request: &Request) -> bool {
    let here = |way: &&tradewind_catalog::access::Authentication| {
        way.on.is_empty() || way.on.contains(&host.id)
    };
    let has_header = |name: &str| request.headers.contains_key(name);
    provider
        .authentications
        .iter()
        .filter(here)
        .any(|way| match &way.how {
            How::None {} => false,
            How::Query { parameter, .. } => request
                .url
                .query_pairs()
                .any(|(name, _)| name == parameter.as_str()),
            How::Headers { headers } => headers.iter().any(|header| has_header(&header.name)),
            How::Signed { header, .. } => has_header(header),
        })
}

/// Puts a key into a call, where there is one.
fn sign(provider: &Provider, host: &Host, request: &mut Request, keys: &Keys) {
    let ways = provider
        .authentications
        .iter()
        .filter(|way| way.on.is_empty() || way.on.contains(&host.id));
    for way in ways {
        match &way.how {
            How::Query {
                parameter,
                credential,
            } => {
                if let Some(key) = keys.get(credential) {
                    request.url.query_pairs_mut().append_pair(parameter, &key);
                    return;
                }
            }
            How::Headers { headers } => {
                let values: Option<Vec<_>> = headers
                    .iter()
                    .map(|header| {
                        let text = format!("{}{}", header.prefix, keys.get(&header.credential)?);
                        let mut value =
                            tradewind_host::egress::HeaderValue::from_str(&text).ok()?;
                        value.set_sensitive(true);
                        Some((
                            tradewind_host::egress::HeaderName::from_bytes(header.name.as_bytes())
                                .ok()?,
                            value,
                        ))
                    })
                    .collect();
                if let Some(values) = values {
                    request.headers.extend(values);
                    return;
                }
            }
            How::None {} => return,
            How::Signed { .. } => {}
        }
    }
}

/// Returns what two calls must have in common to share an answer: address, credential, and what chooses
/// between answers. A digest, because the credential is in it.
fn key_of(request: &Request) -> [u8; 32] {
    let mut hash = blake3::Hasher::new();
    let mut add = |bytes: &[u8]| {
        hash.update(&(bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    add(request.url.as_str().as_bytes());
    let chooses = |name: &str| !OF_THE_CALLER.contains(&name);
    let mut headers: Vec<_> = request
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
