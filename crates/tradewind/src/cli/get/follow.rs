//! `tradewind get … --follow`: what happens, line by line, until Ctrl-C.
//!
//! Why through the daemon only: one connection serves everybody, and a command that held the store's lock for
//! hours would keep all others out.

use std::io::Write as _;
use std::time::Duration;

use axum::http::HeaderMap;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tradewind_host::egress::EgressError;
use tradewind_host::socket::{Received, SocketError};

use super::{Given, refused};
use crate::client::{Daemon, SendError};
use crate::daemon;
use crate::place::Place;
use crate::report::{Exit, Failure, Outcome};
use crate::terminal::{self, Tone, paint};

/// How long the daemon may take to say why it declined.
const WHY_LIMIT: Duration = Duration::from_secs(5);
/// Upper bound on what it says.
const MAX_WHY_BYTES: usize = 64 * 1024;

/// What is listened to.
pub(super) struct Listened {
    /// Path and query of the daemon's door.
    pub(super) path: String,
    /// Whether messages are printed as they are.
    pub(super) is_json: bool,
    /// Rows after which it ends.
    pub(super) limit: Option<usize>,
}

pub(super) async fn run(place: &Place, listened: Listened) -> Outcome {
    let daemon = Daemon::find(place.state()).ok_or_else(|| {
        Failure::new(
            Exit::Daemon,
            "no daemon runs, and streams are followed through it",
        )
        .hint("start it with `tradewind up`")
    })?;
    let mut socket = match daemon.listen(&listened.path).await {
        Ok(socket) => socket,
        Err(SendError::Broken(EgressError::Declined { .. })) => {
            return Err(declined(&daemon, &listened.path).await);
        }
        Err(error) => return Err(error.into()),
    };
    let ended = CancellationToken::new();
    let mut rows = 0;
    loop {
        let received = tokio::select! {
            // Cancel-safe: it only waits.
            _ = daemon::wait_for_end(&ended) => {
                socket.close().await;
                return Ok(Exit::Done);
            }
            // Cancel-safe: what has come in part is kept.
            received = socket.next() => received,
        };
        let text = match received {
            Ok(Received::Text(text)) => text,
            Ok(Received::Binary(_) | Received::Alive) => continue,
            Err(SocketError::Closed { code: 1001, .. }) => {
                return Err(Failure::new(Exit::Daemon, "the daemon has ended")
                    .hint("start it with `tradewind up`"));
            }
            Err(error) => return Err(Failure::from_error(Exit::Daemon, &error)),
        };
        let message: Value = serde_json::from_str(&text).unwrap_or_default();
        let kind = message["type"].as_str().unwrap_or_default();
        if listened.is_json {
            written(&text)?;
        } else if kind != "end" {
            show(kind, &message)?;
        }
        if kind == "end" {
            let why = message["detail"].as_str().unwrap_or("the stream ended");
            let exit = match message["class"].as_str() {
                Some("auth") => Exit::Config,
                _ => Exit::Outside,
            };
            return Err(Failure::new(exit, terminal::clean(why))
                .hint("`tradewind doctor` looks at keys; `tradewind catalog show` has what is known of the stream"));
        }
        rows += usize::from(kind != "notice");
        if listened.limit.is_some_and(|limit| rows >= limit) {
            socket.close().await;
            return Ok(Exit::Done);
        }
    }
}

/// Says why the daemon opens no stream: a WebSocket's refusal has no room for it, so it is asked once more.
async fn declined(daemon: &Daemon, path: &str) -> Failure {
    let asked = daemon
        .get(path, &HeaderMap::new(), WHY_LIMIT, MAX_WHY_BYTES)
        .await;
    match asked {
        Ok((status, headers, body)) => refused(&Given {
            status,
            headers,
            body,
        }),
        Err(_) => Failure::new(Exit::Daemon, "the daemon opens no stream")
            .hint("look at its log: `tradewind doctor` names it"),
    }
}

fn written(line: &str) -> Result<(), Failure> {
    // Not by the terminal's writer: whoever reads a pipe wants the line as it is, and at once.
    let mut out = std::io::stdout().lock();
    let done = writeln!(out, "{line}").and_then(|()| out.flush());
    done.map_err(|e| Failure::because(Exit::Outside, "what came cannot be written", &e))
}

/// Shows a message on one line.
fn show(kind: &str, message: &Value) -> Result<(), Failure> {
    let text = |key: &str| match &message[key] {
        Value::String(text) => terminal::one_line(text, 60),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    };
    let line = match kind {
        "trade" => format!(
            "{}  {:>14}  {:>14}  {}",
            text("at"),
            text("price"),
            text("size"),
            text("taker")
        ),
        "quote" => format!(
            "{}  {:>14}  {:>14}  {:>14}  {:>14}",
            text("at"),
            text("bid"),
            text("bid_size"),
            text("ask"),
            text("ask_size")
        ),
        "bar" => {
            let mark = if message["partial"] == true {
                "  partial"
            } else {
                ""
            };
            format!(
                "{}  {:>12}  {:>12}  {:>12}  {:>12}  {:>14}{mark}",
                text("start"),
                text("open"),
                text("high"),
                text("low"),
                text("close"),
                text("volume")
            )
        }
        _ => {
            let mut said = message["what"].as_str().unwrap_or(kind).replace('_', " ");
            if let Some(trades) = message["trades"].as_u64() {
                said.push_str(&format!(", {trades} trades"));
            }
            if message["because"].is_string() {
                said.push_str(&format!(": {}", text("because")));
            }
            terminal::note(paint(Tone::Dim, said));
            return Ok(());
        }
    };
    written(&line)
}
