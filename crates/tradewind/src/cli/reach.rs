//! How a command gets at market data: through the daemon when one runs, else here, with the store's lock in hand.
//!
//! Why both ways in one place: a daemon may end or begin while a command looks for it, and what was fetched here must be
//! written down before the program ends. Not here: what is asked, and how an answer is shown.

use std::time::Duration;

use axum::http::HeaderMap;
use axum::response::Response;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tradewind_engine::Supervisor;
use tradewind_market::service::Service;

use crate::client::{Daemon, SendError};
use crate::market;
use crate::place::Place;
use crate::report::{Exit, Failure};
use crate::terminal;

/// How long it is tried to find a daemon or to take the lock.
const FIND_LIMIT: Duration = Duration::from_secs(10);
/// How long what was fetched may take to be written down.
const END_LIMIT: Duration = Duration::from_secs(10);

/// An answer, as the listener gives it.
pub(super) struct Given {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Given {
    pub(super) fn without_headers((status, body): (u16, Vec<u8>)) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            body,
        }
    }
}

/// Asks the daemon when one runs, else the service here.
pub(super) async fn reach(
    place: &Place,
    through: impl AsyncFn(&Daemon) -> Result<Given, SendError>,
    alone: impl AsyncFnOnce(&Service) -> Response,
    max_bytes: usize,
) -> Result<Given, Failure> {
    let deadline = Instant::now() + FIND_LIMIT;
    let journal = loop {
        if let Some(daemon) = Daemon::find(place.state()) {
            match through(&daemon).await {
                Ok(given) => return Ok(given),
                Err(SendError::Gone) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if let Some(journal) = place.try_journal(deadline).await? {
            break journal;
        }
    };
    let token = CancellationToken::new();
    let supervisor = Supervisor::new(Some(journal.clone()), place.clock(), token);
    let market = market::open(place, &journal, &supervisor).await?;
    let (parts, body) = alone(&market.service).await.into_parts();
    let body = axum::body::to_bytes(body, max_bytes).await;
    let unfinished = supervisor.shut_down(END_LIMIT).await;
    if !unfinished.is_empty() {
        let unfinished = unfinished.join(", ");
        terminal::warn(format_args!("{unfinished} did not end in time"));
    }
    let body = body.map_err(|e| Failure::because(Exit::Bug, "the answer cannot be read", &e))?;
    Ok(Given {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: body.to_vec(),
    })
}
