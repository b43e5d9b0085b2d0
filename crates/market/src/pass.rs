//! Pass-through: a call as a bot makes it, to a provider of the catalog, through the ledger.
//!
//! Why: a bot that speaks to its provider in the provider's own words gains limits, a shared quota and one
//! call for many askers without a changed line. Only GET calls to endpoints that the catalog knows as data are
//! rationed, shared, and kept for as long as their provider says ([`crate::http_cache`]); every other call, an
//! order above all, is sent once, at once, as it came, and never repeated, shared, kept or given a key that it did
//! not bring.
//! Why sharing is safe: two callers share an answer only when address, headers that choose it and
//! credential are the same. A caller who goes away cancels nobody.
//! Not here: who may ask (the edge), the rules of the cache, TLS.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use tradewind_catalog::access::How;
use tradewind_catalog::endpoint::Method as Declared;
use tradewind_catalog::host::{Host, HostName, Role};
use tradewind_catalog::url::Address;
use tradewind_catalog::{Catalog, Provider};
use tradewind_core::Clock;
use tradewind_host::egress::{BoxFuture, EgressError, HeaderMap, Method, Request, Response, Url};
use tradewind_quota::{Governor, Urgency};

use crate::http_cache::{
    Ask, Credential, Fetched, Front, How as Came, Key, Origin, Served, Sharing,
};
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
    /// How it was come by; `None` when it only passed through.
    pub how: Option<Came>,
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
}

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
    front: Front,
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
    /// Passes calls to providers of `catalog` on through `governor`, and data through `front`.
    pub fn new(
        catalog: Arc<Catalog>,
        governor: Governor,
        keyring: Keyring,
        usage: Usage,
        clock: Arc<dyn Clock>,
        front: Front,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                catalog,
                governor,
                keyring,
                usage,
                clock,
                front,
            }),
        }
    }

    /// Returns the present time.
    pub(crate) fn now(&self) -> jiff::Timestamp {
        self.shared.clock.now()
    }

    /// Returns the cache that calls for data go through, for its figures.
    pub fn front(&self) -> &Front {
        &self.shared.front
    }

    /// Passes a call on, or answers it from what is held or under way; counts who asked.
    ///
    /// # Errors
    /// [`PassError`].
    pub async fn send(&self, call: Call) -> Result<Passed, PassError> {
        let (provider, consumer) = (call.provider.clone(), call.consumer.clone());
        let what = self.shared.what(&call);
        let passed = self.pass(call, &what).await;
        let now = self.shared.clock.now();
        let counts = counts(&passed);
        self.shared
            .usage
            .count(now, &consumer, &provider, &what, counts);
        passed
    }

    /// Answers a call at once when what is held is good; counts nothing.
    pub(crate) fn hit(
        &self,
        to: &Destination,
        method: &Method,
        path_and_query: &str,
        headers: &HeaderMap,
        now: jiff::Timestamp,
    ) -> Option<Served> {
        if method != Method::GET {
            return None;
        }
        let key = Key::of(&[&to.base, path_and_query]);
        let credential = to.credential(headers);
        self.shared
            .front
            .hit(method, &key, headers, credential, now)
    }

    /// Finds the host that is meant.
    ///
    /// # Errors
    /// [`PassError::UnknownProvider`], [`PassError::UnknownHost`].
    pub(crate) fn destination(
        &self,
        provider: &str,
        host: Option<&str>,
    ) -> Result<Destination, PassError> {
        let unknown = || PassError::UnknownProvider(provider.chars().take(40).collect());
        let provider = self.shared.catalog.provider(provider);
        Destination::of(provider.ok_or_else(unknown)?, host)
    }

    /// Names what a call is counted as.
    pub(crate) fn what(&self, call: &Call) -> String {
        self.shared.what(call)
    }

    /// Passes a call on that is counted as `what`; counts nothing.
    pub(crate) async fn pass(&self, call: Call, what: &str) -> Result<Passed, PassError> {
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
        let base = format!("https://{name}");
        let url = Url::parse(&format!("{base}/{path}")).map_err(|_error| PassError::Address)?;
        let key = Key::of(&[&base, "/", path]);
        let mut request = Request::new(call.method.clone(), url.clone());
        request.headers = end_to_end(&call.headers);
        request.body = call.body.clone();
        request.max_body_bytes = MAX_BODY_BYTES;
        if !is_data(provider, host, &request) {
            request.timeout = TIME_LIMIT;
            let passed = fly(&shared.governor, &provider.name, request).await?;
            shared
                .front
                .changed(&call.method, &url, &key, &passed.response);
            return Ok(passed);
        }
        let credential = credential(provider, host, &request.headers);
        let mut ours = Keys::default();
        if !has_own_key(provider, host, &request) {
            let keys = shared.keyring.keys(&provider.name).await;
            let keys = keys.map_err(|_error| PassError::Key(provider.name.clone()))?;
            sign(provider, host, &mut request, &keys);
            ours = keys;
        }
        let ask = Ask {
            request,
            key,
            credential,
            origin: Arc::new(Governed {
                governor: shared.governor.with(call.urgency),
                catalog: Arc::clone(&shared.catalog),
                provider: provider.name.clone(),
                ours,
            }),
            sharing: Sharing::Every,
            label: what.into(),
        };
        let served = shared.front.answer(ask).await;
        let served = served.map_err(|source| PassError::Unheard {
            provider: provider.name.clone(),
            source,
        })?;
        Ok(Passed {
            response: served.response,
            calls: served.calls,
            how: Some(served.how),
        })
    }
}

/// A host of a provider that calls go to.
#[derive(Clone, Debug)]
pub(crate) struct Destination {
    /// Name of the provider.
    pub(crate) provider: String,
    /// `https://` and the host's name.
    base: String,
    /// Headers that a credential is in.
    credential_headers: Vec<String>,
}

impl Destination {
    fn of(provider: &Provider, named: Option<&str>) -> Result<Self, PassError> {
        let (name, host) = host(provider, named)?;
        Ok(Self {
            provider: provider.name.clone(),
            base: format!("https://{name}"),
            credential_headers: credential_headers(provider, host)
                .map(str::to_owned)
                .collect(),
        })
    }

    fn credential(&self, headers: &HeaderMap) -> Credential {
        Credential::of(headers, self.credential_headers.iter().map(String::as_str))
    }
}

/// The ledger as an origin of data.
struct Governed {
    governor: Governor,
    catalog: Arc<Catalog>,
    provider: String,
    /// Keys that we put into the call, and take out of its answer before anybody keeps it.
    ours: Keys,
}

impl Origin for Governed {
    fn fetch(&self, request: Request) -> BoxFuture<'_, Result<Fetched, EgressError>> {
        Box::pin(async move {
            let answer = self.governor.fetch(request).await?;
            let mut response = answer.response;
            response.headers = end_to_end(&response.headers);
            if let Some(provider) = self.catalog.provider(&self.provider) {
                redact::hide(provider, &self.ours, &mut response);
            }
            Ok(Fetched {
                response,
                calls: answer.attempts,
                is_refusal: answer.class.is_some(),
            })
        })
    }
}

/// Returns what a call counts for.
pub(crate) fn counts(passed: &Result<Passed, PassError>) -> Counts {
    match passed {
        Ok(passed) => Counts {
            answers: 1,
            hits: u64::from(passed.calls == 0),
            calls: u64::from(passed.calls),
            ..Counts::default()
        },
        Err(_) => Counts {
            failures: 1,
            ..Counts::default()
        },
    }
}

async fn fly(governor: &Governor, provider: &str, request: Request) -> Result<Passed, PassError> {
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
        how: None,
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

/// Leaves out what belongs to one connection.
pub(crate) fn end_to_end(headers: &HeaderMap) -> HeaderMap {
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

/// Returns the headers that a credential is in, as its provider takes it, and those that carry one anywhere.
fn credential_headers<'p>(provider: &'p Provider, host: &'p Host) -> impl Iterator<Item = &'p str> {
    let ways = provider
        .authentications
        .iter()
        .filter(|way| way.on.is_empty() || way.on.contains(&host.id));
    let named = ways.flat_map(|way| match &way.how {
        How::Headers { headers } => headers.iter().map(|header| header.name.as_str()).collect(),
        How::Signed { header, .. } => vec![header.as_str()],
        _ => Vec::new(),
    });
    ["authorization", "cookie"].into_iter().chain(named)
}

fn credential(provider: &Provider, host: &Host, headers: &HeaderMap) -> Credential {
    Credential::of(headers, credential_headers(provider, host))
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
