//! Outgoing HTTP, behind one trait.
//!
//! Why a trait: the room `quota` implements it for every governed host, so that nobody who calls a
//! provider can go round the ledger. [`DirectEgress`] is what really opens a connection. Each
//! request has a time limit and a bound on the answer's body; redirects are answers, never followed,
//! because the next host may be one that must not see the headers.
//! Not here: retries, quota, cache. An error's text never holds a query, where keys travel.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tradewind_core::Recovery;

use crate::socket::{self, Socket};

pub use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
pub use reqwest::{Method, StatusCode, Url};

/// A future on the heap.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Sends requests to the outside world.
pub trait Egress: Send + Sync {
    /// Sends one request and reads its whole answer, within the request's bounds.
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, EgressError>>;

    /// Opens a WebSocket at a `wss` address. The request's bound on a body bounds each message, its time
    /// limit the handshake; method and body are not used. A wire that cannot do it says so.
    fn open(&self, request: Request) -> BoxFuture<'_, Result<Socket, EgressError>> {
        let host = request.host();
        let reason = "this wire opens no WebSockets".to_owned();
        Box::pin(async move {
            Err(EgressError::Held {
                host,
                reason,
                retry_after: None,
            })
        })
    }
}

/// One outgoing request.
#[derive(Clone, Debug)]
pub struct Request {
    /// Method.
    pub method: Method,
    /// Where to; `http` or `https`.
    pub url: Url,
    /// Headers.
    pub headers: HeaderMap,
    /// Body; may be empty.
    pub body: Bytes,
    /// Bound on the time from connecting to the last byte.
    pub timeout: Duration,
    /// Bound on the answer's body, after decompression.
    pub max_body_bytes: usize,
}

impl Request {
    /// Builds a request without headers or body: 30 seconds, 16 MiB.
    pub fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            timeout: Duration::from_secs(30),
            max_body_bytes: 16 * 1024 * 1024,
        }
    }

    pub(crate) fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or("no host");
        self.url
            .port()
            .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }
}

/// One answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// Status; redirects and errors included.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Whole body.
    pub body: Bytes,
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EgressError {
    /// The client could not be built.
    #[error("HTTP client cannot be built")]
    Client(#[source] reqwest::Error),
    /// No connection: name, address, TLS. Nothing was sent.
    #[error("no connection to {host}")]
    Connect {
        /// Host and port.
        host: String,
        /// What went wrong.
        #[source]
        source: reqwest::Error,
    },
    /// The time limit passed; the other side may have acted.
    #[error("no whole answer from {host} within {limit:?}")]
    TimedOut {
        /// Host and port.
        host: String,
        /// The limit.
        limit: Duration,
    },
    /// The connection broke; the other side may have acted.
    #[error("connection to {host} broke")]
    Broken {
        /// Host and port.
        host: String,
        /// What went wrong.
        #[source]
        source: reqwest::Error,
    },
    /// The answer's body is larger than the bound.
    #[error("answer of {host} has more than {max_bytes} bytes")]
    TooLarge {
        /// Host and port.
        host: String,
        /// The bound.
        max_bytes: usize,
    },
    /// The request itself makes no sense.
    #[error("request to {host} is not valid")]
    Invalid {
        /// Host and port.
        host: String,
        /// What went wrong.
        #[source]
        source: reqwest::Error,
    },
    /// No connection for a WebSocket: name, address, TLS. Nothing was sent.
    #[error("no connection to {host}")]
    Unreached {
        /// Host and port.
        host: String,
        /// What went wrong.
        #[source]
        source: std::io::Error,
    },
    /// The other side answered the handshake of a WebSocket with something else.
    #[error("{host} declined the WebSocket with status {status}")]
    Declined {
        /// Host and port.
        host: String,
        /// The status.
        status: StatusCode,
        /// How long it says to wait.
        retry_after: Option<Duration>,
    },
    /// A WebSocket cannot be opened there.
    #[error("no WebSocket to {host}: {what}")]
    NoSocket {
        /// Host and port.
        host: String,
        /// Why.
        what: String,
    },
    /// A governor between caller and wire held the request back; nothing was sent.
    #[error("request to {host} was held back: {reason}")]
    Held {
        /// Host and port.
        host: String,
        /// Why.
        reason: String,
        /// When it may be sent.
        retry_after: Option<Duration>,
    },
}

impl EgressError {
    /// Says what a caller may usefully do next.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Connect { .. }
            | Self::TimedOut { .. }
            | Self::Broken { .. }
            | Self::Unreached { .. } => Recovery::Retry,
            Self::Declined {
                retry_after: None,
                status,
                ..
            } if status.is_server_error() => Recovery::Retry,
            Self::Held {
                retry_after: Some(after),
                ..
            }
            | Self::Declined {
                retry_after: Some(after),
                ..
            } => Recovery::RetryAfter(*after),
            Self::Held { .. } | Self::Client(_) => Recovery::Fix,
            Self::TooLarge { .. }
            | Self::Invalid { .. }
            | Self::Declined { .. }
            | Self::NoSocket { .. } => Recovery::GiveUp,
        }
    }

    /// Says whether the other side can have seen the request.
    pub fn may_have_been_sent(&self) -> bool {
        matches!(
            self,
            Self::TimedOut { .. }
                | Self::Broken { .. }
                | Self::TooLarge { .. }
                | Self::Declined { .. }
        )
    }
}

/// Opens connections itself. Cheap to clone; clones share their connections.
#[derive(Clone, Debug)]
pub struct DirectEgress {
    client: reqwest::Client,
    /// What TLS of WebSockets trusts; none for servers on this machine.
    tls: Option<Arc<rustls::ClientConfig>>,
}

impl DirectEgress {
    /// Builds the client: rustls with ring, the system's authorities, no redirects.
    ///
    /// # Errors
    /// [`EgressError::Client`], for instance when no certificate authority is installed.
    pub fn new() -> Result<Self, EgressError> {
        install_crypto();
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .user_agent(concat!("tradewind/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| EgressError::Client(error.without_url()))?;
        // Where the client above could be built this can; without it there are no streams, only a warning.
        let tls = socket::tls()
            .inspect_err(|error| tracing::warn!(%error, "no stream can be followed"))
            .ok();
        Ok(Self { client, tls })
    }

    /// Builds a client for servers on this machine: no proxy, and no need for certificate authorities.
    ///
    /// # Errors
    /// [`EgressError::Client`].
    pub fn loopback() -> Result<Self, EgressError> {
        install_crypto();
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .tls_certs_only([])
            .connect_timeout(Duration::from_secs(2))
            .build()
            .map_err(|error| EgressError::Client(error.without_url()))?;
        Ok(Self { client, tls: None })
    }

    async fn exchange(&self, request: Request) -> Result<Response, EgressError> {
        let host = request.host();
        let (limit, max_bytes) = (request.timeout, request.max_body_bytes);
        let fail = |error: reqwest::Error| failure(error.without_url(), &host, limit);
        let too_large = || EgressError::TooLarge {
            host: host.clone(),
            max_bytes,
        };
        let mut answer = self
            .client
            .request(request.method, request.url)
            .headers(request.headers)
            .timeout(limit)
            .body(request.body)
            .send()
            .await
            .map_err(fail)?;
        if answer
            .content_length()
            .is_some_and(|length| length > max_bytes as u64)
        {
            return Err(too_large());
        }
        let mut body = BytesMut::new();
        while let Some(piece) = answer.chunk().await.map_err(fail)? {
            if body.len() + piece.len() > max_bytes {
                return Err(too_large());
            }
            body.extend_from_slice(&piece);
        }
        let headers = std::mem::take(answer.headers_mut());
        Ok(Response {
            status: answer.status(),
            headers,
            body: body.freeze(),
        })
    }
}

impl Egress for DirectEgress {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, EgressError>> {
        Box::pin(self.exchange(request))
    }

    fn open(&self, request: Request) -> BoxFuture<'_, Result<Socket, EgressError>> {
        Box::pin(socket::open(request, self.tls.clone()))
    }
}

fn failure(source: reqwest::Error, host: &str, limit: Duration) -> EgressError {
    let host = host.to_owned();
    if source.is_timeout() && !source.is_connect() {
        EgressError::TimedOut { host, limit }
    } else if source.is_connect() {
        EgressError::Connect { host, source }
    } else if source.is_builder() {
        EgressError::Invalid { host, source }
    } else {
        EgressError::Broken { host, source }
    }
}

/// Chooses ring for all TLS of this process; harmless when that was done before.
pub fn install_crypto() {
    // An error means that a provider is installed already, which is what is wanted.
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        tracing::trace!("a crypto provider is installed already");
    }
}
