//! The listener's connections: how many there may be, how long they may take to ask, how they end.
//!
//! Why not `axum::serve`: it has no bound on connections, waits for a request that never comes to its end,
//! and a stop waits with it.
//! - When it acts: a connection whose head is not here after [`HEAD_LIMIT`] is closed, an idle one too; when
//!   [`MAX_CONNECTIONS`] are open, the oldest that has not asked anything yet makes room for a new one.
//! - When it ends: what has been asked is answered; who is still asking is not waited for.
//! - First start: nothing is kept.
//!
//! Not here: what is answered (the router), and how long a body may take ([`super::body`]).

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tradewind_market::http::follow::Cut;

/// Upper bound on connections open at once.
const MAX_CONNECTIONS: usize = 256;
/// How long the head of a request may take, and how long a connection may be idle.
const HEAD_LIMIT: Duration = Duration::from_secs(10);
/// How long the last bytes of an answer may take once the daemon ends.
const FLUSH_LIMIT: Duration = Duration::from_millis(500);
/// Pause after a connection could not be taken, as when no file descriptor is left.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Serves `router` on `listener` until `shutdown` fires and what was asked is answered.
pub(crate) async fn serve(listener: TcpListener, router: Router, shutdown: CancellationToken) {
    let mut tasks = JoinSet::new();
    let mut peers = VecDeque::<Arc<Peer>>::new();
    loop {
        let accepted = tokio::select! {
            // Cancel-safe: it only waits.
            () = shutdown.cancelled() => break,
            // Cancel-safe: a connection is taken or it is not.
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _from)) => stream,
            Err(error) => {
                tracing::warn!(%error, "connection cannot be taken");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        while tasks.try_join_next().is_some() {}
        // A peer whose task has ended is held by nobody else.
        peers.retain(|peer| Arc::strong_count(peer) > 1);
        if tasks.len() >= MAX_CONNECTIONS {
            let Some(mute) = peers.iter().position(|peer| !peer.has_asked()) else {
                tracing::warn!("too many connections are open; a new one is refused");
                continue;
            };
            if let Some(peer) = peers.remove(mute) {
                peer.close.cancel();
            }
            tasks.join_next().await;
        }
        let peer = Arc::new(Peer::default());
        peers.push_back(Arc::clone(&peer));
        tasks.spawn(connection(stream, router.clone(), peer, shutdown.clone()));
    }
    drop(listener);
    while tasks.join_next().await.is_some() {}
}

/// What is known of the other end of a connection.
#[derive(Debug)]
struct Peer {
    /// Fires when the connection must make room.
    close: CancellationToken,
    /// Whether the head of a request has come.
    has_asked: AtomicBool,
    /// How many requests are being answered.
    busy: watch::Sender<usize>,
}

impl Default for Peer {
    fn default() -> Self {
        Self {
            close: CancellationToken::new(),
            has_asked: AtomicBool::new(false),
            busy: watch::Sender::new(0),
        }
    }
}

impl Peer {
    fn has_asked(&self) -> bool {
        self.has_asked.load(Ordering::Relaxed)
    }

    fn begin(self: &Arc<Self>) -> Answering {
        self.has_asked.store(true, Ordering::Relaxed);
        self.busy.send_modify(|busy| *busy += 1);
        Answering(Arc::clone(self))
    }

    /// Returns once nothing is being answered and the last answer has had time to leave.
    async fn settled(&self) {
        // The sender is `self`: it cannot be gone.
        drop(self.busy.subscribe().wait_for(|busy| *busy == 0).await);
        if self.has_asked() {
            tokio::time::sleep(FLUSH_LIMIT).await;
        }
    }
}

/// A request that is being answered.
struct Answering(Arc<Peer>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.busy.send_modify(|busy| *busy -= 1);
    }
}

/// Serves one connection.
async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    peer: Arc<Peer>,
    shutdown: CancellationToken,
) {
    let router = TowerToHyperService::new(router);
    let answering = Arc::clone(&peer);
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        let begun = answering.begin();
        // Who listens to a stream and takes nothing is cut off by whoever serves the stream.
        request
            .extensions_mut()
            .insert(Cut(answering.close.clone()));
        let answer = hyper::service::Service::call(&router, request);
        async move {
            let answer: Result<Response<Body>, Infallible> = answer.await;
            drop(begun);
            answer
        }
    });
    let mut served = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_LIMIT)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
    );
    tokio::select! {
        ended = served.as_mut() => {
            if let Err(error) = ended {
                tracing::debug!(%error, "connection ended");
            }
            return;
        }
        // Cancel-safe, both: they only wait.
        () = peer.close.cancelled() => return,
        () = shutdown.cancelled() => served.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        // Nobody is left to be told how it ended.
        _ = served.as_mut() => {}
        // Cancel-safe: it only waits.
        () = peer.settled() => {}
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn router() -> Router {
        Router::new().route("/", axum::routing::get(|| async { "here" }))
    }

    async fn rest(mut stream: impl AsyncRead + Unpin) -> String {
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    #[tokio::test(start_paused = true)]
    async fn half_a_head_and_an_idle_connection_are_closed_after_a_while() {
        for sent in [
            "GET / HTTP/1.1\r\nHost: x\r\n",
            "",
            "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        ] {
            let (mut near, far) = tokio::io::duplex(4096);
            near.write_all(sent.as_bytes()).await.unwrap();
            let began = tokio::time::Instant::now();
            let served = connection(far, router(), Arc::default(), CancellationToken::new());
            let ((), said) = tokio::join!(served, rest(near));
            let took = began.elapsed();
            assert!(
                took >= HEAD_LIMIT && took < HEAD_LIMIT * 2,
                "{sent:?}: {took:?}"
            );
            assert_eq!(
                said.contains("200 OK"),
                sent.ends_with("\r\n\r\n"),
                "{said}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_serves_a_stream_can_cut_its_connection() {
        let streams = Router::new().route(
            "/",
            axum::routing::get(
                |axum::Extension(Cut(cut)): axum::Extension<Cut>| async move {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    cut.cancel();
                    std::future::pending::<String>().await
                },
            ),
        );
        let (mut near, far) = tokio::io::duplex(4096);
        near.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .unwrap();
        let served = connection(far, streams, Arc::default(), CancellationToken::new());
        let ((), said) = tokio::join!(served, rest(near));
        assert_eq!(said, "");
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_does_not_wait_for_who_is_still_asking() {
        for sent in ["GET / HTTP/1.1\r\nHost: x\r\n", ""] {
            let (mut near, far) = tokio::io::duplex(4096);
            near.write_all(sent.as_bytes()).await.unwrap();
            let shutdown = CancellationToken::new();
            let began = tokio::time::Instant::now();
            let served = connection(far, router(), Arc::default(), shutdown.clone());
            let end = async {
                tokio::task::yield_now().await;
                shutdown.cancel();
            };
            tokio::join!(served, rest(near), end);
            assert!(began.elapsed() <= FLUSH_LIMIT, "{sent:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_waits_for_the_answer_to_what_was_asked() {
        let slow = Router::new().route(
            "/",
            axum::routing::get(|| async {
                tokio::time::sleep(Duration::from_secs(5)).await;
                "late"
            }),
        );
        let (mut near, far) = tokio::io::duplex(4096);
        near.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .unwrap();
        let shutdown = CancellationToken::new();
        let served = connection(far, slow, Arc::default(), shutdown.clone());
        let end = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            shutdown.cancel();
        };
        let ((), said, ()) = tokio::join!(served, rest(near), end);
        assert!(said.ends_with("late"), "{said}");
    }
}
