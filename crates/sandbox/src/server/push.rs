//! From a request to a WebSocket: the handshake, and what a session may ask of the server.

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response, StatusCode, header};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_util::sync::CancellationToken;
use tradewind_core::Clock;

use super::{Shared, owner, pieces};
use crate::faults::{self, FaultKind};
use crate::market::Market;
use crate::providers;
use crate::settings::EVERYBODY;
use crate::stats::StreamStats;
use crate::streams::{self, Feed, House};

/// A request that has become a WebSocket.
pub(super) struct Pushed {
    provider: &'static str,
    feed: &'static dyn Feed,
}

/// Answers a request for a WebSocket where a provider pushes; `None` leaves it to whoever answers requests.
pub(super) fn upgrade(parts: &Parts) -> Option<(Response<Body>, Pushed)> {
    let text = |name| parts.headers.get(name).and_then(|v| v.to_str().ok());
    if !text(header::UPGRADE)?.eq_ignore_ascii_case("websocket") {
        return None;
    }
    let key = text(header::SEC_WEBSOCKET_KEY)?;
    let host = text(header::HOST)?;
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let mut path = pieces(parts.uri.path());
    // By the name in `Host`, or by the first piece of the path, as everywhere here.
    let provider = owner(name).or_else(|| {
        let first = path.first().cloned().unwrap_or_default();
        path.drain(..path.len().min(1));
        providers::find(&first)
    })?;
    if path.is_empty() {
        path.push(String::new());
    }
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let feed = provider.feed(&path)?;
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = answer.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes())).ok()?;
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    let provider = provider.name();
    Some((answer, Pushed { provider, feed }))
}

impl Pushed {
    /// Serves the client until it goes or the server ends.
    pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
        self,
        io: S,
        early: Vec<u8>,
        shared: &Shared,
        shutdown: &CancellationToken,
    ) {
        let paid = &shared.settings.paid;
        let is_paid = paid.iter().any(|p| p == self.provider || p == EVERYBODY);
        let home = Home {
            shared,
            provider: self.provider,
        };
        streams::serve(io, early, self.feed, &home, is_paid, shutdown).await;
    }
}

/// The server as a session of one provider sees it.
struct Home<'h> {
    shared: &'h Shared,
    provider: &'static str,
}

impl House for Home<'_> {
    fn market(&self) -> &Market {
        &self.shared.market
    }

    fn clock(&self) -> &dyn Clock {
        self.shared.settings.clock.as_ref()
    }

    fn wrong_keys(&self) -> &[String] {
        &self.shared.settings.wrong_keys
    }

    fn takes(&self, kind: FaultKind) -> bool {
        faults::take(&mut self.shared.state().faults, self.provider, kind)
    }

    fn count(&self, count: &dyn Fn(&mut StreamStats)) {
        let mut state = self.shared.state();
        count(
            state
                .stats
                .streams
                .entry(self.provider.to_owned())
                .or_default(),
        );
    }

    fn enter(&self, key: &str, most: usize) -> bool {
        let mut state = self.shared.state();
        let taken = state
            .taken
            .entry((self.provider, key.to_owned()))
            .or_default();
        if *taken >= most {
            return false;
        }
        *taken += 1;
        true
    }

    fn leave(&self, key: &str) {
        let mut state = self.shared.state();
        if let Some(taken) = state.taken.get_mut(&(self.provider, key.to_owned())) {
            *taken = taken.saturating_sub(1);
        }
    }
}
