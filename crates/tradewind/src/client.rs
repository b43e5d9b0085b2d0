//! The running daemon as seen from another process: where it listens, and how to ask it.
//!
//! The daemon writes `daemon.json` (address, process id) and `daemon.token` into the state directory,
//! both private to the user. The card of a daemon that does not hold the store's lock any more is a leftover
//! of a kill and means nothing: another program may listen there now, and must not get the token.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tradewind_host::egress::{
    DirectEgress, Egress, EgressError, HeaderMap, HeaderValue, Method, Request, Response, Url,
    header,
};
use tradewind_host::files;
use tradewind_host::random::RandomError;
use tradewind_host::socket::Socket;
use tradewind_journal::Writer;

use crate::control::{Answer, Command};
use crate::report::{Exit, Failure};

/// Name of the file that says where the daemon listens.
const CARD_FILE: &str = "daemon.json";
/// Name of the file that holds the token.
const TOKEN_FILE: &str = "daemon.token";
/// How long a command may take in the daemon; an undo of many files or a backup is slow.
const TIME_LIMIT: Duration = Duration::from_mins(10);
/// Upper bound on an answer.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;
/// Upper bound on a message of a stream.
const MAX_MESSAGE_BYTES: usize = 64 * 1024;

/// What the daemon says about itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Card {
    /// Process id.
    pub(crate) pid: u32,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// Version of the program.
    pub(crate) version: String,
    /// Whether it has looked at every repository once; it answers before that.
    #[serde(default = "yes")]
    pub(crate) is_ready: bool,
}

/// A daemon of before it said so wrote its card when it was ready.
fn yes() -> bool {
    true
}

impl Card {
    /// Writes the card; the daemon does so once it listens.
    pub(crate) fn write(&self, state: &Path) -> Result<(), files::FileError> {
        let text = serde_json::to_vec_pretty(self).unwrap_or_default();
        files::write_private(&state.join(CARD_FILE), &text)
    }

    /// Removes the card; the daemon does so when it ends.
    pub(crate) fn remove(state: &Path) {
        // A card that stays behind is recognised as a leftover by its address not answering.
        drop(std::fs::remove_file(state.join(CARD_FILE)));
    }

    /// Reads the card.
    pub(crate) fn read(state: &Path) -> Option<Self> {
        let bytes = files::read_bounded(&state.join(CARD_FILE), 64 * 1024).ok()?;
        serde_json::from_slice(&bytes).ok()
    }
}

/// Returns where the token lies.
pub(crate) fn token_path(state: &Path) -> PathBuf {
    state.join(TOKEN_FILE)
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenError {
    /// The system gives no random bytes.
    #[error("token cannot be made")]
    Random(#[source] RandomError),
    /// Its file cannot be written.
    #[error(transparent)]
    File(#[from] files::FileError),
}

/// Reads the token, making one when there is none.
pub(crate) fn token(state: &Path) -> Result<String, TokenError> {
    let path = token_path(state);
    if let Ok(bytes) = files::read_bounded(&path, 1024) {
        let text = String::from_utf8_lossy(&bytes).trim().to_owned();
        if text.len() >= 32 {
            return Ok(text);
        }
    }
    let token = tradewind_host::random::token().map_err(TokenError::Random)?;
    files::write_private(&path, token.as_bytes())?;
    Ok(token)
}

/// Why the daemon gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    /// Nothing listens where the card says: the daemon was killed.
    #[error("no daemon runs")]
    Gone,
    /// It cannot be written as JSON: a path is not UTF-8.
    #[error("the daemon cannot be told")]
    Unsayable(#[source] serde_json::Error),
    /// It listens but did not answer as agreed.
    #[error("the daemon did not answer")]
    Broken(#[source] EgressError),
    /// It answered something else.
    #[error("the daemon answered with status {status}: {text}")]
    Unexpected {
        /// HTTP status.
        status: u16,
        /// Begin of the body.
        text: String,
    },
}

impl From<SendError> for Failure {
    fn from(error: SendError) -> Self {
        if let SendError::Unsayable(_) = error {
            return Self::from_error(Exit::Usage, &error).hint(
                "name a path that is UTF-8, or end the daemon with `tradewind up --stop` first",
            );
        }
        Self::from_error(Exit::Daemon, &error)
            .hint("look at it with `tradewind status`; end it with `tradewind up --stop` and start it again with `tradewind up`")
    }
}

/// A daemon that may run.
pub(crate) struct Daemon {
    card: Card,
    token: String,
}

impl Daemon {
    /// Finds the daemon that the state directory speaks of; none when its card was left behind by a kill.
    pub(crate) fn find(state: &Path) -> Option<Self> {
        let card = Card::read(state)?;
        match tradewind_journal::writer(state) {
            Writer::Process(pid) if pid == card.pid => {}
            // Where the system hides who writes, the card is all there is.
            Writer::Unknown => {}
            Writer::Process(_) | Writer::Nobody => return None,
        }
        let token = files::read_bounded(&token_path(state), 1024).ok()?;
        Some(Self {
            card,
            token: String::from_utf8_lossy(&token).trim().to_owned(),
        })
    }

    /// Returns what it said about itself.
    pub(crate) fn card(&self) -> &Card {
        &self.card
    }

    /// Returns where it listens, `http://127.0.0.1:8420`.
    pub(crate) fn base(&self) -> String {
        let address = match self.card.address {
            // Listening on every address means listening on loopback as well.
            address if address.ip().is_unspecified() && address.is_ipv6() => {
                SocketAddr::new(std::net::Ipv6Addr::LOCALHOST.into(), address.port())
            }
            address if address.ip().is_unspecified() => {
                SocketAddr::new(std::net::Ipv4Addr::LOCALHOST.into(), address.port())
            }
            address => address,
        };
        format!("http://{address}")
    }

    /// Returns what shows that we may ask it.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Whether it answers.
    pub(crate) async fn is_alive(&self) -> bool {
        self.ask(Method::GET, "/healthz", Vec::new(), Duration::from_secs(5))
            .await
            .is_ok()
    }

    /// Returns why market data is not written down, where the daemon says so.
    pub(crate) async fn market_unsaved(&self) -> Option<String> {
        let limit = Duration::from_secs(5);
        let (_, body) = self
            .ask(Method::GET, "/healthz", Vec::new(), limit)
            .await
            .ok()?;
        let health: serde_json::Value = serde_json::from_slice(&body).ok()?;
        health.get("market_unsaved")?.as_str().map(str::to_owned)
    }

    /// Sends a command and waits for what came of it.
    pub(crate) async fn send(&self, command: &Command) -> Result<Answer, SendError> {
        let body = serde_json::to_vec(command).map_err(SendError::Unsayable)?;
        let (status, bytes) = self
            .ask(Method::POST, "/v1/control", body, TIME_LIMIT)
            .await?;
        serde_json::from_slice(&bytes).map_err(|_not_an_answer| SendError::Unexpected {
            status,
            text: String::from_utf8_lossy(&bytes).chars().take(300).collect(),
        })
    }

    /// Reads `path`, which begins with a slash: status, headers and body.
    pub(crate) async fn get(
        &self,
        path: &str,
        headers: &HeaderMap,
        limit: Duration,
        max_body_bytes: usize,
    ) -> Result<(u16, HeaderMap, Vec<u8>), SendError> {
        let mut request = self.request(Method::GET, path)?;
        request.headers.extend(headers.clone());
        request.timeout = limit;
        request.max_body_bytes = max_body_bytes;
        let response = Self::sent(request).await?;
        Ok((
            response.status.as_u16(),
            response.headers,
            response.body.to_vec(),
        ))
    }

    /// Opens a WebSocket at `path`, which begins with a slash.
    pub(crate) async fn listen(&self, path: &str) -> Result<Socket, SendError> {
        let mut request = self.request(Method::GET, path)?;
        let scheme = request.url.set_scheme("ws");
        scheme.map_err(|()| SendError::Gone)?;
        request.headers.remove(header::CONTENT_TYPE);
        request.max_body_bytes = MAX_MESSAGE_BYTES;
        let egress = DirectEgress::loopback().map_err(SendError::Broken)?;
        egress.open(request).await.map_err(|error| match error {
            EgressError::Unreached { .. } => SendError::Gone,
            error => SendError::Broken(error),
        })
    }

    /// Sends a request with a body and waits for status and body of the answer.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
        limit: Duration,
    ) -> Result<(u16, Vec<u8>), SendError> {
        let mut request = self.request(method, path)?;
        request.body = body.into();
        request.timeout = limit;
        request.max_body_bytes = MAX_ANSWER_BYTES;
        let response = Self::sent(request).await?;
        Ok((response.status.as_u16(), response.body.to_vec()))
    }

    async fn sent(request: Request) -> Result<Response, SendError> {
        let egress = DirectEgress::loopback().map_err(SendError::Broken)?;
        egress.send(request).await.map_err(|error| match error {
            EgressError::Connect { .. } => SendError::Gone,
            error => SendError::Broken(error),
        })
    }

    /// Builds a request with the token.
    fn request(&self, method: Method, path: &str) -> Result<Request, SendError> {
        let url = Url::parse(&format!("{}{path}", self.base()))
            .map_err(|_not_an_address| SendError::Gone)?;
        let mut headers = HeaderMap::new();
        // A token that is no header text was written by nobody of ours.
        let bearer = HeaderValue::from_str(&format!("Bearer {}", self.token))
            .map_err(|_no_text| SendError::Gone)?;
        headers.insert(header::AUTHORIZATION, bearer);
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        let mut request = Request::new(method, url);
        request.headers = headers;
        Ok(request)
    }
}
