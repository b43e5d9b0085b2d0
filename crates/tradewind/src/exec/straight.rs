//! Sends a call as it came and hands its answer on while it arrives: what a program's own client would do.
//!
//! Why not the gateway's way out: that one reads whole answers, unpacks what is compressed and writes addresses
//! anew. In shadow mode nothing may differ. Each call has a connection of its own, so none is ever
//! sent into one that the other side has just given up. Not here: counting ([`super::shadow`]).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tradewind_engine::Supervisor;

/// How long a connection may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);
/// Headers that are the proxy's and nobody else's.
const OF_THE_PROXY: &[&str] = &["proxy-authorization", "proxy-connection"];

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    /// Nobody is there.
    #[error("no connection to {0}")]
    Connect(String, #[source] std::io::Error),
    /// It took too long.
    #[error("no connection to {0} within 30 s")]
    Late(String),
    /// The name is none that a certificate can have.
    #[error("{0} is no name for TLS")]
    Name(String),
    /// The call was sent, or may have been, and was not answered.
    #[error("no answer from {0}")]
    Unanswered(String, #[source] hyper::Error),
}

/// The way straight to a host.
#[derive(Clone, Debug)]
pub(crate) struct Straight {
    /// Leads everybody to this address instead, as they are: a sandbox.
    instead: Option<SocketAddr>,
    /// How TLS is spoken; `None` for a sandbox, which speaks none.
    tls: Option<Arc<ClientConfig>>,
}

impl Straight {
    /// Leads to the hosts themselves, believing this machine's authorities.
    pub(crate) fn to_hosts() -> Result<Self, rustls::Error> {
        let mut roots = RootCertStore::empty();
        // Those that cannot be read are not believed; without any, no connection comes about.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Ok(Self {
            instead: None,
            tls: Some(Arc::new(client(roots)?)),
        })
    }

    /// Leads to a sandbox.
    pub(crate) fn to_sandbox(address: SocketAddr) -> Self {
        Self {
            instead: Some(address),
            tls: None,
        }
    }

    /// Sends one call to a host and its port, and returns its answer as soon as its head is there. What is asked to
    /// become something else, a WebSocket, can become it.
    pub(crate) async fn send(
        &self,
        (host, port): (&str, u16),
        mut request: Request<Incoming>,
        supervisor: &Supervisor,
    ) -> Result<Response<Incoming>, SendError> {
        let path = request.uri().path_and_query().cloned();
        if let Some(path) = path {
            *request.uri_mut() = path.into();
        }
        for name in OF_THE_PROXY {
            request.headers_mut().remove(*name);
        }
        let stream = timeout(CONNECT_LIMIT, self.connect(host, port))
            .await
            .map_err(|_late| SendError::Late(host.to_owned()))??;
        let lost = |error| SendError::Unanswered(host.to_owned(), error);
        let (mut sender, connection) = http1::Builder::new()
            .preserve_header_case(true)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(lost)?;
        supervisor.start_once("straight connection", async move {
            // How it ended, the answer says.
            drop(connection.with_upgrades().await);
        });
        sender.send_request(request).await.map_err(lost)
    }

    async fn connect(&self, host: &str, port: u16) -> Result<Box<dyn Stream>, SendError> {
        let failed = |error| SendError::Connect(host.to_owned(), error);
        let stream = match self.instead {
            Some(address) => TcpStream::connect(address).await,
            None => TcpStream::connect((host, port)).await,
        };
        let stream = stream.map_err(failed)?;
        // An answer to a small call must not wait for the next packet.
        stream.set_nodelay(true).map_err(failed)?;
        let Some(tls) = &self.tls else {
            return Ok(Box::new(stream));
        };
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_no_name| SendError::Name(host.to_owned()))?;
        let connector = TlsConnector::from(Arc::clone(tls));
        Ok(Box::new(
            connector.connect(name, stream).await.map_err(failed)?,
        ))
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

fn client(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::exec::authority::Authority;

    /// Answers one TLS connection as `host`; returns what was said.
    async fn host(listener: TcpListener, config: Arc<rustls::ServerConfig>) -> Option<String> {
        let (stream, _) = listener.accept().await.unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(config);
        let mut stream = acceptor.accept(stream).await.ok()?;
        let mut said = Vec::new();
        while !said.ends_with(b"\r\n\r\n") {
            said.push(stream.read_u8().await.unwrap());
        }
        let answer = b"HTTP/1.1 200 OK\r\nX-OdD-Case: 1\r\ncontent-length: 2\r\n\r\n\x1f\x8b";
        stream.write_all(answer).await.unwrap();
        stream.shutdown().await.unwrap();
        Some(String::from_utf8(said).unwrap())
    }

    /// Sends one call through a connection of hyper's own, because only that makes an `Incoming`.
    async fn sent(straight: &Straight, to: &str) -> Result<Response<Incoming>, SendError> {
        let (near, far) = tokio::io::duplex(4096);
        let supervisor = Supervisor::new(
            None,
            Arc::new(tradewind_host::clock::SystemClock),
            CancellationToken::new(),
        );
        let (mut sender, connection) = http1::handshake::<_, Body>(TokioIo::new(near))
            .await
            .unwrap();
        supervisor.start_once("asking", async move { drop(connection.await) });
        let (tell, mut told) = tokio::sync::mpsc::channel(1);
        supervisor.start_once("asked", async move {
            let service = hyper::service::service_fn(move |request: Request<Incoming>| {
                let tell = tell.clone();
                async move {
                    drop(tell.send(request).await);
                    std::future::pending::<Result<Response<Body>, std::convert::Infallible>>().await
                }
            });
            let served = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(far), service);
            drop(served.await);
        });
        let request = Request::get("https://data.example/bars?a=%7C|{x}")
            .header("Host", "data.example")
            .header("Proxy-Authorization", "Basic secret")
            .body(Body::empty())
            .unwrap();
        supervisor.start_once(
            "call",
            async move { drop(sender.send_request(request).await) },
        );
        let incoming = told.recv().await.unwrap();
        straight.send((to, 443), incoming, &supervisor).await
    }

    #[tokio::test]
    async fn a_call_reaches_the_host_it_names_and_nobody_who_only_says_so() {
        let authority = Authority::new().unwrap();
        let mut roots = RootCertStore::empty();
        let certificate = CertificateDer::from_pem_slice(authority.certificate().as_bytes());
        roots.add(certificate.unwrap()).unwrap();
        let tls = Some(Arc::new(client(roots).unwrap()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let straight = Straight {
            instead: Some(listener.local_addr().unwrap()),
            tls: tls.clone(),
        };
        let config = authority.server("data.example").unwrap();
        let (said, answer) = tokio::join!(host(listener, config), sent(&straight, "data.example"));
        let said = said.unwrap();
        assert!(
            said.starts_with("GET /bars?a=%7C|{x} HTTP/1.1\r\n"),
            "{said}"
        );
        assert!(!said.contains("secret"), "{said}");
        let answer = answer.unwrap();
        let body = axum::body::to_bytes(Body::new(answer.into_body()), 10).await;
        assert_eq!(&body.unwrap()[..], b"\x1f\x8b");

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let straight = Straight {
            instead: Some(listener.local_addr().unwrap()),
            tls,
        };
        let config = authority.server("evil.example").unwrap();
        let (said, answer) = tokio::join!(host(listener, config), sent(&straight, "data.example"));
        assert!(said.is_none(), "{said:?}");
        assert!(matches!(answer, Err(SendError::Connect(..))));
    }
}
