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
use crate::streams::{self, Feed, House, Shown};

/// A request that has become a WebSocket.
pub(super) struct Pushed {
    provider: &'static str,
    feed: &'static dyn Feed,
    /// Path of its address.
    path: String,
    /// The key that was in the address.
    key: Option<String>,
}

/// Answers a request for a WebSocket where a provider pushes; `None` leaves it to whoever answers requests. Who
/// shows no right key in the address, where it has to be, is refused and gets no WebSocket.
pub(super) fn upgrade(parts: &Parts, shared: &Shared) -> Option<(Response<Body>, Option<Pushed>)> {
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
    let home = Home {
        shared,
        provider: provider.name(),
        path: path.join("/"),
    };
    let shown = match feed.key_parameter() {
        None => None,
        Some(name) => match home.admitted(name, parts.uri.query().unwrap_or_default()) {
            Ok(key) => Some(key),
            Err(status) => {
                let mut answer = Response::new(Body::empty());
                *answer.status_mut() = status;
                return Some((answer, None));
            }
        },
    };
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = answer.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes())).ok()?;
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    let pushed = Pushed {
        provider: provider.name(),
        feed,
        path: home.path,
        key: shown,
    };
    Some((answer, Some(pushed)))
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
            path: self.path,
        };
        let shown = Shown {
            is_paid,
            key: self.key,
        };
        streams::serve(io, early, self.feed, &home, shown, shutdown).await;
    }
}

/// The server as a session of one provider sees it.
struct Home<'h> {
    shared: &'h Shared,
    provider: &'static str,
    path: String,
}

impl Home<'_> {
    /// Names a place at this address: a key has one at each.
    fn place(&self, key: &str) -> (&'static str, String) {
        (self.provider, format!("{} {key}", self.path))
    }
}

impl Home<'_> {
    /// Returns the key in the parameter `name`, and takes its place.
    fn admitted(&self, name: &str, query: &str) -> Result<String, StatusCode> {
        let count_denied = || self.count(&|count| count.denied += 1);
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let key = pairs
            .filter(|(key, _)| *key == name)
            .map(|(_, value)| value)
            .find(|value| !value.is_empty());
        let is_wrong = |key: &str| self.wrong_keys().iter().any(|wrong| wrong == key);
        let key = key.filter(|key| !is_wrong(key) && !self.takes(FaultKind::StreamAuth));
        let Some(key) = key else {
            count_denied();
            return Err(StatusCode::UNAUTHORIZED);
        };
        if self.takes(FaultKind::StreamFull) || !self.enter(key, 1) {
            count_denied();
            return Err(StatusCode::TOO_MANY_REQUESTS);
        }
        Ok(key.to_owned())
    }
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
        let taken = state.taken.entry(self.place(key)).or_default();
        if *taken >= most {
            return false;
        }
        *taken += 1;
        true
    }

    fn leave(&self, key: &str) {
        let mut state = self.shared.state();
        if let Some(taken) = state.taken.get_mut(&self.place(key)) {
            *taken = taken.saturating_sub(1);
        }
    }
}
