//! The proxy of `exec`: hosts of the catalog are answered by the gateway, everything else goes through.
//!
//! What it answers itself: `CONNECT` to a data, broker or practice host of the catalog, with a certificate of the
//! run's authority, and every call inside. What it only carries: hosts of nobody, streams that are neither
//! recorded nor played, and hosts that
//! judge a client by its TLS (these are counted; with a sandbox they end there). Who may use it: whoever has the run's password; another
//! program on this machine does not. When it ends: with the run.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes};
use axum::http::uri::Authority as Address;
use axum::http::{HeaderMap, Method, Request, Response, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tradewind_catalog::Catalog;
use tradewind_catalog::host::Role;
use tradewind_engine::Supervisor;
use tradewind_host::egress::{DirectEgress, Egress};
use tradewind_market::cassette::Recorder;
use tradewind_quota::Urgency;

use super::authority::{Authority, AuthorityError};
use super::frames::is_handshake;
use super::straight::Straight;
use super::way::{Asked, Way};
use crate::http::problem;

/// Upper bound on the body of a call, in bytes.
const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

/// What went where, for the summary at the end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Carried {
    /// Calls that the gateway answered, by provider.
    pub(crate) answered: BTreeMap<String, u64>,
    /// WebSockets that went straight to their hosts, and whose bytes were seen on the way, by host.
    pub(crate) streams: BTreeMap<String, u64>,
    /// Connections that were only carried, by host.
    pub(crate) tunnelled: BTreeMap<String, u64>,
    /// Connections that were refused because nothing may leave this machine, by host.
    pub(crate) refused: BTreeMap<String, u64>,
}

/// A proxy that listens. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Proxy {
    shared: Arc<Shared>,
}

struct Shared {
    catalog: Arc<Catalog>,
    authority: Authority,
    way: Way,
    straight: Straight,
    /// Hosts that are reached although nothing else is.
    allowed: Vec<String>,
    /// Where connections to hosts of the catalog end that are carried unread, instead of there.
    sandbox: Option<SocketAddr>,
    consumer: String,
    urgency: Urgency,
    password: String,
    wire: DirectEgress,
    carried: Mutex<Carried>,
    supervisor: Supervisor,
}

/// A host of the catalog whose calls are answered here.
#[derive(Clone)]
struct Governed {
    provider: String,
    host: String,
    port: u16,
    is_stream: bool,
}

/// What a proxy is made of.
pub(crate) struct Parts {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) authority: Authority,
    pub(crate) way: Way,
    pub(crate) straight: Straight,
    pub(crate) allowed: Vec<String>,
    pub(crate) sandbox: Option<SocketAddr>,
    pub(crate) consumer: String,
    pub(crate) urgency: Urgency,
    pub(crate) password: String,
    pub(crate) wire: DirectEgress,
    pub(crate) supervisor: Supervisor,
}

impl Proxy {
    /// Listens on a free port of this machine, on tasks of the supervisor, until it ends.
    pub(crate) async fn start(parts: Parts) -> std::io::Result<(Self, SocketAddr)> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let supervisor = parts.supervisor.clone();
        let proxy = Self {
            shared: Arc::new(Shared {
                catalog: parts.catalog,
                authority: parts.authority,
                way: parts.way,
                straight: parts.straight,
                allowed: parts.allowed,
                sandbox: parts.sandbox,
                consumer: parts.consumer,
                urgency: parts.urgency,
                password: parts.password,
                wire: parts.wire,
                carried: Mutex::default(),
                supervisor: parts.supervisor,
            }),
        };
        let (accepting, token) = (proxy.clone(), supervisor.token());
        supervisor.start_once(
            "proxy",
            async move { accepting.accept(listener, token).await },
        );
        Ok((proxy, address))
    }

    /// Returns what went where.
    pub(crate) fn carried(&self) -> Carried {
        self.count().clone()
    }

    /// Tells a recording which hosts of the catalog were carried unread.
    pub(crate) fn tell_unread(&self, recorder: &Recorder) {
        for (address, connections) in self.carried().tunnelled {
            let host = address
                .rsplit_once(':')
                .map_or(address.as_str(), |(host, _)| host);
            if self.shared.catalog.by_host(host).is_some() {
                recorder.carried_unread(host, connections);
            }
        }
    }

    /// Returns what became of calls.
    pub(crate) fn way(&self) -> &Way {
        &self.shared.way
    }

    fn count(&self) -> std::sync::MutexGuard<'_, Carried> {
        self.shared
            .carried
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    async fn accept(self, listener: TcpListener, token: CancellationToken) {
        loop {
            let accepted = tokio::select! {
                // Cancel-safe: it only waits.
                () = token.cancelled() => return,
                // Cancel-safe: a connection is taken or it is not.
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, _)) = accepted else { continue };
            let (proxy, token) = (self.clone(), token.clone());
            self.shared
                .supervisor
                .start_once("proxied connection", async move {
                    tokio::select! {
                        // Cancel-safe, both: the program that asked has ended.
                        () = token.cancelled() => {}
                        () = proxy.serve(stream) => {}
                    }
                });
        }
    }

    async fn serve(self, stream: TcpStream) {
        let service = hyper::service::service_fn(move |request| {
            let proxy = self.clone();
            async move { Ok::<_, Infallible>(proxy.answer(request).await) }
        });
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .preserve_header_case(true)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
            .await;
        if let Err(error) = served {
            tracing::debug!(%error, "proxied connection ended");
        }
    }

    /// Answers what is said to the proxy itself.
    async fn answer(self, request: Request<Incoming>) -> Response<Body> {
        if !self.is_allowed(request.headers()) {
            let mut refusal = problem(
                StatusCode::PROXY_AUTHENTICATION_REQUIRED,
                "this proxy belongs to another program",
                "start yours with `tradewind exec -- COMMAND`",
            );
            let realm = axum::http::HeaderValue::from_static("Basic realm=\"tradewind\"");
            refusal
                .headers_mut()
                .insert(header::PROXY_AUTHENTICATE, realm);
            return refusal;
        }
        let Some(address) = request.uri().authority().cloned() else {
            return problem(
                StatusCode::BAD_REQUEST,
                "this is a proxy",
                "it is asked by `CONNECT host:443`, or with whole addresses",
            );
        };
        let governed = self.governed(&address);
        if governed.is_none()
            && let Some(refusal) = self.kept_in(&address)
        {
            return refusal;
        }
        if request.method() == Method::CONNECT {
            return self.connect(request, &address, governed);
        }
        match governed {
            Some(governed) => self.call(&governed, request).await,
            None => self.forward(request).await,
        }
    }

    fn is_allowed(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(header::PROXY_AUTHORIZATION);
        let given = given.and_then(|value| value.to_str().ok()?.strip_prefix("Basic "));
        let given = given.and_then(|text| STANDARD.decode(text.trim()).ok());
        let Some(given) = given else { return false };
        let wanted = format!("tradewind:{}", self.shared.password);
        crate::http::guard::digest(&String::from_utf8_lossy(&given))
            == crate::http::guard::digest(&wanted)
    }

    /// Returns whose host it is when its calls are answered here and not only carried.
    fn governed(&self, address: &Address) -> Option<Governed> {
        let name = address.host();
        let (provider, host) = self.shared.catalog.by_host(name)?;
        let port = address.port_u16().unwrap_or(443);
        let is_stream = host.role == Role::Stream;
        let is_ours = if is_stream {
            // Nobody looks into a stream but who writes it down.
            matches!(self.shared.way, Way::Record(..) | Way::Replay(_))
                && host.ports.contains(&port)
        } else {
            // Calls leave for the usual port; another one is another service.
            port == 443
        };
        (is_ours && !provider.judges_tls_fingerprint).then(|| Governed {
            provider: provider.name.clone(),
            host: name.to_ascii_lowercase(),
            port,
            is_stream,
        })
    }

    /// Refuses what would leave this machine while a cassette is played.
    fn kept_in(&self, address: &Address) -> Option<Response<Body>> {
        let Way::Replay(player) = &self.shared.way else {
            return None;
        };
        let host = address.host().to_ascii_lowercase();
        let is_catalogued = self.shared.catalog.by_host(&host).is_some();
        if !is_catalogued && self.shared.allowed.contains(&host) {
            return None;
        }
        let detail = if is_catalogued {
            player.refuse_connection(&host);
            "connections to this host are carried unread, so they are in no cassette; let a test stand in for it"
        } else {
            *self.count().refused.entry(host).or_default() += 1;
            "to let the program reach it, add `--allow HOST`"
        };
        Some(problem(
            StatusCode::FORBIDDEN,
            "nothing leaves this machine while a cassette is played",
            detail,
        ))
    }

    fn connect(
        self,
        request: Request<Incoming>,
        address: &Address,
        governed: Option<Governed>,
    ) -> Response<Body> {
        let address = address.to_string();
        let proxy = self.clone();
        self.shared.supervisor.start_once("tunnel", async move {
            let token = proxy.shared.supervisor.token();
            let upgraded = match hyper::upgrade::on(request).await {
                Ok(upgraded) => upgraded,
                Err(error) => {
                    tracing::debug!(%error, "the program went away");
                    return;
                }
            };
            let carried = async {
                match governed {
                    Some(governed) => proxy.end_tls(upgraded, governed).await,
                    None => proxy.tunnel(upgraded, &address).await,
                }
            };
            tokio::select! {
                // Cancel-safe, both: the program that asked has ended.
                () = token.cancelled() => {}
                () = carried => {}
            }
        });
        Response::new(Body::empty())
    }

    /// Answers TLS as that host and takes every call inside.
    async fn end_tls(self, upgraded: Upgraded, governed: Governed) {
        let host = governed.host.as_str();
        let config = match self.shared.authority.server(host) {
            Ok(config) => config,
            Err(error @ (AuthorityError::Make(_) | AuthorityError::Tls(_))) => {
                tracing::warn!(%error, host, "no certificate for a host of the catalog");
                return;
            }
        };
        let stream = match TlsAcceptor::from(config)
            .accept(TokioIo::new(upgraded))
            .await
        {
            Ok(stream) => stream,
            Err(error) => {
                // The program does not believe our authority; it was told of it in every usual way.
                tracing::warn!(%error, host, "the program did not accept the certificate of the gateway");
                return;
            }
        };
        let service = hyper::service::service_fn(move |request| {
            let (proxy, governed) = (self.clone(), governed.clone());
            async move { Ok::<_, Infallible>(proxy.call(&governed, request).await) }
        });
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .preserve_header_case(true)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
            .await;
        if let Err(error) = served {
            tracing::debug!(%error, "governed connection ended");
        }
    }

    async fn call(&self, governed: &Governed, request: Request<Incoming>) -> Response<Body> {
        let is_replay = matches!(self.shared.way, Way::Replay(_));
        if is_handshake(&request) && !is_replay {
            *self
                .count()
                .streams
                .entry(governed.host.clone())
                .or_default() += 1;
        } else {
            let mut carried = self.count();
            let answered = carried.answered.entry(governed.provider.clone());
            *answered.or_default() += 1;
        }
        let asked = Asked {
            provider: &governed.provider,
            host: &governed.host,
            port: governed.port,
            is_stream: governed.is_stream,
            consumer: &self.shared.consumer,
            urgency: self.shared.urgency,
            request,
        };
        let Shared {
            way,
            straight,
            supervisor,
            ..
        } = &*self.shared;
        way.take(asked, straight, supervisor).await
    }

    /// Carries bytes to a host that is nobody's, unread.
    async fn tunnel(&self, upgraded: Upgraded, address: &str) {
        *self
            .count()
            .tunnelled
            .entry(address.to_owned())
            .or_default() += 1;
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        let is_catalogued = self.shared.catalog.by_host(host).is_some();
        let connected = match self.shared.sandbox.filter(|_| is_catalogued) {
            // Who practises must not reach the real one by a side door.
            Some(sandbox) => TcpStream::connect(sandbox).await,
            None => TcpStream::connect(address).await,
        };
        let mut there = match connected {
            Ok(there) => there,
            Err(error) => {
                tracing::warn!(%error, address, "no connection to a host that the program asked for");
                return;
            }
        };
        let mut here = TokioIo::new(upgraded);
        // How it ended, both ends see for themselves.
        drop(copy_bidirectional(&mut here, &mut there).await);
    }

    /// Passes on a plain call to a host that is nobody's.
    async fn forward(&self, request: Request<Incoming>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let host = parts
            .uri
            .authority()
            .map(ToString::to_string)
            .unwrap_or_default();
        *self.count().tunnelled.entry(host).or_default() += 1;
        let whole: Result<Bytes, _> = axum::body::to_bytes(Body::new(body), MAX_BODY_BYTES).await;
        let (Ok(body), Ok(url)) = (whole, parts.uri.to_string().parse()) else {
            return problem(
                StatusCode::BAD_REQUEST,
                "the call cannot be passed on",
                "send at most 16 MiB",
            );
        };
        let mut asked = tradewind_host::egress::Request::new(parts.method, url);
        asked.headers = parts.headers;
        for name in [
            "proxy-authorization",
            "proxy-connection",
            "connection",
            "host",
            "content-length",
            "transfer-encoding",
            // What it is compressed with on the way is our affair.
            "accept-encoding",
        ] {
            asked.headers.remove(name);
        }
        asked.body = body;
        match self.shared.wire.send(asked).await {
            Ok(answer) => {
                let mut response = Response::new(Body::from(answer.body));
                *response.status_mut() = answer.status;
                *response.headers_mut() = answer.headers;
                for name in ["connection", "transfer-encoding", "content-length"] {
                    response.headers_mut().remove(name);
                }
                response
            }
            Err(error) => problem(
                StatusCode::BAD_GATEWAY,
                "the host was not heard",
                &error.to_string(),
            ),
        }
    }
}
