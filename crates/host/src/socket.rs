//! Outgoing WebSockets: RFC 6455 over TLS, opened by the same wire as outgoing HTTP.
//!
//! Why behind [`crate::egress::Egress`]: a handshake is a request that a provider counts like any other, so
//! the governor must see it. TLS trusts what the system trusts, through ring, like everything else here; plain
//! text goes to this machine only. Messages and the handshake are bounded; pings are answered by whoever
//! reads. There is no way through an HTTP proxy.
//! Not here: what is said, and opening again.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite;
use tungstenite::client::IntoClientRequest as _;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Error, Message};

use crate::egress::{EgressError, Request};

/// Upper bound on what waits to be sent, in bytes.
const MAX_UNSENT_BYTES: usize = 256 * 1024;
/// Upper bound on the characters of a reason that the other side gave.
const MAX_REASON: usize = 120;

/// A byte stream of either kind.
trait Bytestream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytestream for T {}

/// An open WebSocket. Dropped without [`Socket::close`], the connection just ends.
pub struct Socket {
    stream: WebSocketStream<Box<dyn Bytestream>>,
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Socket").finish_non_exhaustive()
    }
}

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// A message of text.
    Text(String),
    /// A message of bytes.
    Binary(Bytes),
    /// A ping, which is answered, or a pong.
    Alive,
}

/// Why nothing comes any more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SocketError {
    /// The other side closed it.
    #[error("the other side closed the connection ({code}: {reason})")]
    Closed {
        /// Its code; 1005 when it gave none.
        code: u16,
        /// Its reason, cut short.
        reason: String,
    },
    /// The connection broke.
    #[error("the connection broke")]
    Broken(#[source] io::Error),
    /// A message is larger than the bound.
    #[error("a message is larger than the bound")]
    TooLarge,
    /// What came breaks the protocol; text that is not UTF-8 does.
    #[error("what came is no WebSocket: {0}")]
    Protocol(String),
}

impl From<Error> for SocketError {
    fn from(error: Error) -> Self {
        match error {
            Error::Io(source) => Self::Broken(source),
            Error::ConnectionClosed | Error::AlreadyClosed => {
                Self::Broken(io::ErrorKind::ConnectionReset.into())
            }
            Error::Capacity(_) | Error::WriteBufferFull(_) => Self::TooLarge,
            other => Self::Protocol(other.to_string().chars().take(MAX_REASON).collect()),
        }
    }
}

impl Socket {
    /// Waits for what comes next. Cancel-safe: what has come in part is kept.
    ///
    /// # Errors
    /// [`SocketError`]; nothing comes after one.
    pub async fn next(&mut self) -> Result<Received, SocketError> {
        loop {
            let message = match self.stream.next().await {
                Some(message) => message?,
                None => return Err(SocketError::Broken(io::ErrorKind::UnexpectedEof.into())),
            };
            return Ok(match message {
                Message::Text(text) => Received::Text(text.as_str().to_owned()),
                Message::Binary(bytes) => Received::Binary(bytes),
                Message::Ping(_) | Message::Pong(_) => Received::Alive,
                Message::Close(frame) => {
                    let (code, reason) = frame.map_or((1005, String::new()), |frame| {
                        let reason = frame.reason.chars().filter(|c| !c.is_control());
                        (u16::from(frame.code), reason.take(MAX_REASON).collect())
                    });
                    return Err(SocketError::Closed { code, reason });
                }
                // Only whoever reads raw frames sees one.
                Message::Frame(_) => continue,
            });
        }
    }

    /// Sends a message of text.
    ///
    /// # Errors
    /// [`SocketError`].
    pub async fn send(&mut self, text: String) -> Result<(), SocketError> {
        Ok(self.stream.send(Message::text(text)).await?)
    }

    /// Asks whether the other side still lives; its answer comes as [`Received::Alive`].
    ///
    /// # Errors
    /// [`SocketError`].
    pub async fn ping(&mut self) -> Result<(), SocketError> {
        Ok(self.stream.send(Message::Ping(Bytes::new())).await?)
    }

    /// Says that it ends. The caller bounds the time.
    pub async fn close(mut self) {
        let frame = tungstenite::protocol::CloseFrame {
            code: CloseCode::Normal,
            reason: tungstenite::Utf8Bytes::from_static(""),
        };
        // Whoever is gone already need not be told.
        drop(self.stream.close(Some(frame)).await);
    }
}

/// What TLS trusts: what the system trusts.
pub(crate) fn tls() -> Result<Arc<rustls::ClientConfig>, rustls::Error> {
    let config = rustls::ClientConfig::builder()
        .with_platform_verifier()?
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Opens a WebSocket: `wss` with `tls`, `ws` to this machine.
pub(crate) async fn open(
    request: Request,
    tls: Option<Arc<rustls::ClientConfig>>,
) -> Result<Socket, EgressError> {
    let host = request.host();
    let limit = request.timeout;
    tokio::time::timeout(limit, handshake(request, tls))
        .await
        .unwrap_or(Err(EgressError::TimedOut { host, limit }))
}

async fn handshake(
    request: Request,
    tls: Option<Arc<rustls::ClientConfig>>,
) -> Result<Socket, EgressError> {
    let host = request.host();
    let garbled = |what: &str| EgressError::NoSocket {
        host: host.clone(),
        what: what.to_owned(),
    };
    let unreached = |source: io::Error| EgressError::Unreached {
        host: host.clone(),
        source,
    };
    let name = request.url.host_str().unwrap_or_default().to_owned();
    let is_here = name
        .trim_matches(['[', ']'])
        .parse::<IpAddr>()
        .is_ok_and(|address| address.is_loopback());
    let port = request.url.port_or_known_default().unwrap_or(443);
    let stream: Box<dyn Bytestream> = match (request.url.scheme(), tls) {
        ("wss", Some(tls)) => {
            let stream = dial(&name, port).await.map_err(unreached)?;
            let server = rustls::pki_types::ServerName::try_from(name)
                .map_err(|_no_name| garbled("its name is none"))?;
            let connector = TlsConnector::from(tls);
            Box::new(connector.connect(server, stream).await.map_err(unreached)?)
        }
        ("ws", _) if is_here => Box::new(dial(&name, port).await.map_err(unreached)?),
        ("wss", None) => return Err(garbled("this wire has no TLS")),
        _ => return Err(garbled("only wss is spoken beyond this machine")),
    };
    let mut asked = request
        .url
        .as_str()
        .into_client_request()
        .map_err(|_no_request| garbled("its address is none"))?;
    for (key, value) in &request.headers {
        // `Host` may differ where a sandbox stands in for the name.
        asked.headers_mut().insert(key.clone(), value.clone());
    }
    let config = WebSocketConfig::default()
        .max_message_size(Some(request.max_body_bytes))
        .max_frame_size(Some(request.max_body_bytes))
        .max_write_buffer_size(MAX_UNSENT_BYTES);
    match tokio_tungstenite::client_async_with_config(asked, stream, Some(config)).await {
        Ok((stream, _answer)) => Ok(Socket { stream }),
        Err(Error::Http(answer)) => Err(EgressError::Declined {
            host,
            status: answer.status(),
            retry_after: answer
                .headers()
                .get(reqwest::header::RETRY_AFTER)
                .and_then(|wait| wait.to_str().ok()?.parse().ok())
                .map(std::time::Duration::from_secs),
        }),
        Err(Error::Io(source)) => Err(unreached(source)),
        Err(other) => {
            let what: String = other.to_string().chars().take(MAX_REASON).collect();
            Err(garbled(&what))
        }
    }
}

async fn dial(name: &str, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((name.trim_matches(['[', ']']), port)).await?;
    // A trade is smaller than a packet and should not wait for the next one.
    stream.set_nodelay(true)?;
    Ok(stream)
}
