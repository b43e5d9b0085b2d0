//! The listener: one loopback address on which every provider answers.
//!
//! Which provider: by the name in `Host`, as a client sends it whose connections lead here; or, on a
//! loopback name, by the first piece of the path: `/binance/api/v3/klines`. There is also
//! `/_sandbox/stats` (what was counted) and `/_sandbox/faults` (the switches), for loopback names only.
//! - Bounds: 256 connections, 1 MiB of request, ten seconds for its head.
//! - When it ends: what was asked is answered, for at most half a second.
//!
//! Not here: what is answered ([`mod@crate::providers`]), limits ([`crate::limits`]).

mod control;
mod push;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, Response, header};
use futures_util::StreamExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tradewind_catalog::Catalog;
use tradewind_catalog::host::HostName;
use tradewind_host::egress::EgressError;

use crate::Detour;
use crate::call::{Call, Reply};
use crate::faults::{self, Conduct, Fault, FaultKind};
use crate::limits::{Limit, Limiter, Refusal, Usage};
use crate::market::{Market, MarketError};
use crate::providers::{self, Provider};
use crate::settings::{EVERYBODY, LimitChange, Settings};
use crate::stats::Stats;
use crate::venue::{Order, Venue};

/// Upper bound on connections at once.
const MAX_CONNECTIONS: usize = 256;
/// Upper bound on the body of a request, in bytes.
const MAX_BODY_BYTES: usize = 1024 * 1024;
/// How long the head of a request may take.
const HEAD_LIMIT: Duration = Duration::from_secs(10);
/// How long the half of an answer that is sent has for leaving.
const CUT_AFTER: Duration = Duration::from_millis(50);
/// How long the last bytes may take once the sandbox ends.
const FLUSH_LIMIT: Duration = Duration::from_millis(500);

/// Why there is no sandbox.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// The market cannot be made.
    #[error(transparent)]
    Market(#[from] MarketError),
    /// The address is not this machine's own.
    #[error("the sandbox listens on loopback only, not on {0}")]
    NotLoopback(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A setting names what is not there.
    #[error("{what} names {name:?}; there are {}", known.join(", "))]
    Unknown {
        /// Which setting.
        what: &'static str,
        /// The name.
        name: String,
        /// What could be named.
        known: Vec<String>,
    },
    /// A fault of pages for a provider without pages.
    #[error("{0} does not answer in pages that follow each other")]
    NoPages(String),
    /// A fault of streams for a provider without one.
    #[error("{0} has no stream here")]
    NoStream(String),
}

/// What all connections share.
#[derive(Debug)]
struct Shared {
    settings: Settings,
    market: Market,
    revised: Market,
    address: SocketAddr,
    state: Mutex<State>,
    venue: Mutex<Venue>,
}

#[derive(Debug, Default)]
struct State {
    limiter: Limiter,
    faults: Vec<Fault>,
    stats: Stats,
    /// Connections to streams that are taken, by provider and key.
    taken: BTreeMap<(&'static str, String), usize>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn venue(&self) -> MutexGuard<'_, Venue> {
        self.venue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A sandbox that listens and does not answer yet.
#[derive(Debug)]
pub struct Sandbox {
    listener: TcpListener,
    shared: Arc<Shared>,
}

/// A sandbox that answers until it is dropped.
#[derive(Debug)]
pub struct Running {
    shared: Arc<Shared>,
    // Dropping the set ends its task.
    _task: JoinSet<()>,
}

impl Sandbox {
    /// Listens as `settings` say.
    ///
    /// # Errors
    /// [`SandboxError::NotLoopback`], [`SandboxError::Bind`], [`SandboxError::Market`];
    /// [`SandboxError::Unknown`] and [`SandboxError::NoPages`] for settings that make no sense.
    pub async fn bind(settings: Settings) -> Result<Self, SandboxError> {
        if !settings.listen.ip().is_loopback() {
            return Err(SandboxError::NotLoopback(settings.listen));
        }
        check(&settings)?;
        let failed = |source| SandboxError::Bind {
            address: settings.listen,
            source,
        };
        let market = Market::new(settings.seed)?;
        let listener = TcpListener::bind(settings.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let state = State {
            faults: settings.faults.clone(),
            ..State::default()
        };
        let shared = Arc::new(Shared {
            revised: market.revised(),
            market,
            address,
            settings,
            state: Mutex::new(state),
            venue: Mutex::default(),
        });
        Ok(Self { listener, shared })
    }

    /// Listens and answers until the value that comes back is dropped.
    ///
    /// # Errors
    /// As [`Self::bind`].
    pub async fn start(settings: Settings) -> Result<Running, SandboxError> {
        let sandbox = Self::bind(settings).await?;
        let shared = Arc::clone(&sandbox.shared);
        let mut task = JoinSet::new();
        task.spawn(sandbox.serve(CancellationToken::new()));
        Ok(Running {
            shared,
            _task: task,
        })
    }

    /// Returns where it listens.
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// Answers until `shutdown` fires.
    pub async fn serve(self, shutdown: CancellationToken) {
        let mut tasks = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                // Cancel-safe: it only waits.
                () = shutdown.cancelled() => break,
                // Cancel-safe: a connection is taken or it is not.
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, from)) => {
                    while tasks.try_join_next().is_some() {}
                    if tasks.len() >= MAX_CONNECTIONS {
                        tasks.join_next().await;
                    }
                    let shared = Arc::clone(&self.shared);
                    tasks.spawn(connection(stream, from.ip(), shared, shutdown.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "connection cannot be taken");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
        while tasks.join_next().await.is_some() {}
    }
}

impl Running {
    /// Returns where it listens.
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// Returns the market that it tells of.
    pub fn market(&self) -> &Market {
        &self.shared.market
    }

    /// Returns a wire that leads here.
    ///
    /// # Errors
    /// [`EgressError::Client`] when no client can be built.
    pub fn detour(&self) -> Result<Detour, EgressError> {
        Detour::new(self.address())
    }

    /// Returns what was counted so far.
    pub fn stats(&self) -> Stats {
        self.shared.state().stats.clone()
    }

    /// Returns every order that came, oldest first.
    pub fn orders(&self) -> Vec<Order> {
        self.shared.venue().all().to_vec()
    }

    /// Switches a fault on.
    ///
    /// # Errors
    /// [`SandboxError::Unknown`] and [`SandboxError::NoPages`] when it makes no sense.
    pub fn switch_on(&self, fault: Fault) -> Result<(), SandboxError> {
        check_fault(&fault)?;
        self.shared.state().faults.push(fault);
        Ok(())
    }

    /// Switches all faults off.
    pub fn switch_off(&self) {
        self.shared.state().faults.clear();
    }
}

fn unknown(what: &'static str, name: &str, known: Vec<String>) -> SandboxError {
    SandboxError::Unknown {
        what,
        name: name.to_owned(),
        known,
    }
}

fn check(settings: &Settings) -> Result<(), SandboxError> {
    let named = |what: &'static str, name: &str| match providers::find(name) {
        None if name != EVERYBODY => Err(unknown(what, name, providers::names())),
        found => Ok(found),
    };
    for name in &settings.paid {
        named("the paid plan", name)?;
    }
    for change in &settings.limits {
        if let (Some(provider), Some(window)) =
            (named("a limit", &change.provider)?, &change.window)
        {
            let limits = provider.limits(settings.paid.contains(&change.provider));
            if !limits.iter().any(|limit| limit.id == window) {
                let known = limits.iter().map(|limit| limit.id.to_owned()).collect();
                return Err(unknown("a limit", window, known));
            }
        }
    }
    settings.faults.iter().try_for_each(check_fault)
}

fn check_fault(fault: &Fault) -> Result<(), SandboxError> {
    let Some(provider) = providers::find(&fault.provider) else {
        return Err(unknown("a fault", &fault.provider, providers::names()));
    };
    if fault.kind.is_of_stream() && !providers::pushes(provider) {
        return Err(SandboxError::NoStream(fault.provider.clone()));
    }
    if fault.kind.needs_pages() && !provider.has_pages() {
        return Err(SandboxError::NoPages(fault.provider.clone()));
    }
    Ok(())
}

/// Returns the limits in force for a provider.
fn limits(provider: &dyn Provider, is_paid: bool, changes: &[LimitChange]) -> Vec<Limit> {
    let mut limits = provider.limits(is_paid);
    for change in changes {
        if change.provider != provider.name() && change.provider != EVERYBODY {
            continue;
        }
        match (&change.window, change.units) {
            (None, None) => limits.iter_mut().for_each(Limit::set_off),
            (Some(window), None) => {
                let named = limits.iter_mut().filter(|limit| limit.id == window);
                named.for_each(Limit::set_off);
            }
            (window, Some(units)) => {
                let wanted = |limit: &&mut Limit| window.as_ref().is_none_or(|w| w == limit.id);
                if let Some(limit) = limits.iter_mut().find(wanted) {
                    limit.set_units(units);
                }
            }
        }
    }
    limits
}

/// What shall come over the wire.
struct Shaped {
    reply: Reply,
    conduct: Conduct,
}

/// Answers one request to a provider.
fn answer(shared: &Shared, provider: &dyn Provider, asked: &Asked<'_>) -> Shaped {
    let now = shared.settings.clock.now();
    let name = provider.name();
    let conduct = faults::conduct(&shared.state().faults, name);
    let paid = &shared.settings.paid;
    let call = Call {
        method: &asked.parts.method,
        body: asked.body,
        venue: &shared.venue,
        path: asked.path.clone(),
        query: asked.query.clone(),
        headers: &asked.parts.headers,
        from: asked.from,
        base: asked.base.clone(),
        now,
        market: if conduct.has(FaultKind::Revised) {
            &shared.revised
        } else {
            &shared.market
        },
        is_paid: paid.iter().any(|p| p == name || p == EVERYBODY),
        wrong_keys: &shared.settings.wrong_keys,
        conduct,
        had_page: std::cell::Cell::new(false),
    };
    let is_read = matches!(*call.method, Method::GET | Method::HEAD);
    let route = provider.route(&call).filter(|_| is_read);
    let route = route.or_else(|| provider.trades(&call));
    let endpoint = route.map_or("unknown", |route| route.0);
    let charge = provider.charge(&call);
    let limits = limits(provider, call.is_paid, &shared.settings.limits);
    let mut usages = Vec::new();
    let mut refused = switched(&limits, provider, &call);
    if let Ok(charge) = &charge {
        let mut state = shared.state();
        let verdict = state.limiter.admit(name, &limits, charge, now);
        let count = state.stats.at(name, endpoint);
        count.too_early += u64::from(verdict.was_told_to_wait);
        usages = verdict.usages;
        refused = refused.or(verdict.refusal);
    }
    let mut reply = match (charge, &refused, route) {
        (Err(denied), _, _) => denied,
        (Ok(_), Some(refusal), _) => provider.refuse(&call, refusal),
        (Ok(_), None, Some((_, handler))) => handler(&call).unwrap_or_else(|refusal| refusal),
        (Ok(_), None, None) => provider.nothing(&call),
    };
    let is_denied = matches!(reply.status, 401 | 403) && refused.is_none();
    provider.tell(&mut reply, &usages, now);
    if conduct.has(FaultKind::RefusedOk) {
        reply.status = 200;
    }
    let mut state = shared.state();
    let count = state.stats.at(name, endpoint);
    count.requests += 1;
    count.refused += u64::from(refused.is_some());
    count.banned += u64::from(refused.is_some_and(|refusal| refusal.is_ban));
    count.denied += u64::from(is_denied);
    faults::count_down(&mut state.faults, name, call.had_page.get());
    Shaped { reply, conduct }
}

/// Returns the refusal that a switch asks for.
fn switched(limits: &[Limit], provider: &dyn Provider, call: &Call<'_>) -> Option<Refusal> {
    let conduct = call.conduct;
    let is_ban = conduct.has(FaultKind::Ban);
    if !is_ban && !conduct.has(FaultKind::Storm) && !conduct.has(FaultKind::RefusedOk) {
        return None;
    }
    let free = provider.limits(false);
    let limit = *limits.first().or(free.first())?;
    let wait = if is_ban { 120 } else { limit.seconds.min(60) };
    let usage = Usage {
        limit,
        used: limit.units,
        wait,
    };
    Some(Refusal { usage, is_ban })
}

/// A request, taken apart.
struct Asked<'r> {
    parts: &'r Parts,
    path: Vec<String>,
    query: Vec<(String, String)>,
    body: &'r [u8],
    from: IpAddr,
    base: String,
}

/// The connection shall be reset.
#[derive(Debug, thiserror::Error)]
#[error("a switch resets this connection")]
struct Cut;

/// Answers one request.
async fn respond(
    shared: &Shared,
    from: IpAddr,
    parts: &Parts,
    body: &Bytes,
) -> Result<Response<Body>, Cut> {
    let host = parts.headers.get(header::HOST);
    let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
    let (name, _port) = host.rsplit_once(':').unwrap_or((host, ""));
    let is_loopback = matches!(name, "127.0.0.1" | "localhost" | "[::1]" | "");
    let mut asked = Asked {
        parts,
        path: pieces(parts.uri.path()),
        query: query(parts.uri.query().unwrap_or_default()),
        body,
        from,
        base: format!("https://{host}"),
    };
    let provider = if is_loopback {
        let first = asked.path.first().cloned().unwrap_or_default();
        if first == "_sandbox" {
            return Ok(sent(control::answer(shared, &asked, body), 0));
        }
        asked.base = format!("http://{}/{first}", shared.address);
        asked.path.drain(..asked.path.len().min(1));
        providers::find(&first)
    } else {
        owner(name)
    };
    let Some(provider) = provider else {
        return Ok(sent(control::lost(&providers::names()), 0));
    };
    let Shaped { reply, conduct } = answer(shared, provider, &asked);
    if conduct.late_seconds > 0 {
        tokio::time::sleep(Duration::from_secs(conduct.late_seconds.unsigned_abs())).await;
    }
    if conduct.has(FaultKind::Reset) {
        return Err(Cut);
    }
    let now = shared.settings.clock.now().as_second() + conduct.skew_seconds;
    if conduct.has(FaultKind::Truncated) {
        return Ok(truncated(reply, now));
    }
    Ok(sent(reply, now))
}

/// Returns the provider that a host name belongs to.
fn owner(name: &str) -> Option<&'static dyn Provider> {
    let name = HostName::parse(name)?;
    let mut all = Catalog::builtin_shared().providers();
    let owner = all.find(|provider| provider.host_of(&name).is_some())?;
    providers::find(&owner.name)
}

/// Returns the pieces of a path between slashes, decoded.
fn pieces(path: &str) -> Vec<String> {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.split('/').map(|piece| decoded(piece, false)).collect()
}

fn query(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(key, true), decoded(value, true))
        })
        .collect()
}

fn decoded(text: &str, plus_is_space: bool) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = bytes
            .get(at + 1..at + 3)
            .and_then(|hex| std::str::from_utf8(hex).ok());
        match (byte, hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(value)) => {
                out.push(value);
                at += 2;
            }
            (b'+', _) if plus_is_space => out.push(b' '),
            _ => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Makes the response; `second` is what the header `Date` says, 0 for the machine's own time.
fn sent(reply: Reply, second: i64) -> Response<Body> {
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() = axum::http::StatusCode::from_u16(reply.status).unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(reply.content_type),
    );
    let date = crate::wire::utc(second, "%a, %d %b %Y %H:%M:%S GMT");
    if second > 0
        && let Ok(date) = HeaderValue::from_str(&date)
    {
        headers.insert(header::DATE, date);
    }
    for (name, value) in reply.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.append(name, value);
        }
    }
    response
}

/// Makes a response that announces all of its body and sends half of it.
fn truncated(reply: Reply, second: i64) -> Response<Body> {
    let whole = Bytes::from(reply.body.clone());
    let mut response = sent(reply, second);
    let half = whole.slice(..whole.len() / 2);
    let length = HeaderValue::from(whole.len());
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, length);
    let sent = futures_util::stream::iter([Ok(half)]);
    // An error at once would take what is still in the buffer with it.
    let pieces = sent.chain(futures_util::stream::once(async {
        tokio::time::sleep(CUT_AFTER).await;
        Err(std::io::Error::other("a switch cuts this answer short"))
    }));
    *response.body_mut() = Body::from_stream(pieces);
    response
}

/// Serves one connection.
async fn connection(
    stream: TcpStream,
    from: IpAddr,
    shared: Arc<Shared>,
    shutdown: CancellationToken,
) {
    let upgraded = Mutex::new(None);
    let service = hyper::service::service_fn(|request: axum::http::Request<Incoming>| {
        let (shared, upgraded) = (Arc::clone(&shared), &upgraded);
        async move {
            let (parts, body) = request.into_parts();
            if let Some((answer, pushed)) = push::upgrade(&parts, &shared) {
                *upgraded.lock().unwrap_or_else(PoisonError::into_inner) = pushed;
                return Ok(answer);
            }
            match axum::body::to_bytes(Body::new(body), MAX_BODY_BYTES).await {
                Ok(body) => respond(&shared, from, &parts, &body).await,
                Err(_too_large) => {
                    let reply = Reply::text(413, "text/plain", "Payload Too Large");
                    Ok(sent(reply, 0))
                }
            }
        }
    });
    let mut served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .serve_connection(TokioIo::new(stream), service);
    let ended = tokio::select! {
        ended = &mut served => Some(ended),
        // Cancel-safe: it only waits.
        () = shutdown.cancelled() => None,
    };
    match ended {
        None => {
            Pin::new(&mut served).graceful_shutdown();
            // Who does not take its answer in time goes without.
            drop(tokio::time::timeout(FLUSH_LIMIT, &mut served).await);
        }
        Some(Err(error)) if is_cut(&error) => {
            let stream = served.into_parts().io.into_inner();
            // Without lingering, closing is a reset. If it cannot be set, closing is all there is.
            drop(stream.set_zero_linger());
        }
        Some(Err(error)) => tracing::debug!(%error, "connection ended"),
        Some(Ok(())) => {
            let parts = served.into_parts();
            let pushed = upgraded
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            if let Some(pushed) = pushed {
                let early = parts.read_buf.to_vec();
                pushed
                    .serve(parts.io.into_inner(), early, &shared, &shutdown)
                    .await;
            }
        }
    }
}

fn is_cut(error: &hyper::Error) -> bool {
    std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<Cut>)
}
