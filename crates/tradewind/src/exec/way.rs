//! What becomes of a call that reaches the proxy: the gateway, the gateway with a recording, a cassette, or the
//! host itself in shadow mode.
//!
//! Why one place: whatever the mode, an order is judged by the same rule. A recording changes nothing of a
//! call, a cassette lets none out, and shadow mode does not even read it. A WebSocket is no call: it goes straight
//! to its host, or into a recording, or comes out of a cassette ([`super::frames`]).

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use tradewind_engine::Supervisor;
use tradewind_market::cassette::{By, Played, Player, Recorder, Refusal};
use tradewind_market::pass::Call;
use tradewind_quota::Urgency;

use super::door::Door;
use super::frames;
use super::shadow::Shadow;
use super::straight::Straight;
use crate::http::problem;

/// Upper bound on the body of a call that is read, in bytes.
const MAX_CALL_BYTES: usize = 16 * 1024 * 1024;
/// Upper bound on an answer, as the door has it.
const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;
/// What is said to a call that a cassette cannot answer. No provider uses it, and no client repeats a call for it.
const NOT_PLAYED: u16 = 599;

/// What becomes of calls.
#[derive(Debug)]
pub(crate) enum Way {
    /// The gateway answers.
    Gateway(Door),
    /// The gateway answers, and what it says is written down.
    Record(Door, Arc<Recorder>),
    /// A cassette answers, and nobody is asked.
    Replay(Arc<Player>),
    /// The host itself answers, and what the gateway would have done is counted.
    Shadow(Shadow),
}

/// A call to a host of the catalog.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    /// Whose host it is.
    pub(crate) provider: &'a str,
    /// The host.
    pub(crate) host: &'a str,
    /// Its port.
    pub(crate) port: u16,
    /// Whether it is there to push data.
    pub(crate) is_stream: bool,
    /// Who calls, in a word.
    pub(crate) consumer: &'a str,
    /// How urgent it is.
    pub(crate) urgency: Urgency,
    /// What was said.
    pub(crate) request: Request<Incoming>,
}

impl Way {
    /// Takes a call to whoever answers it and returns what came back, problems included.
    pub(crate) async fn take(
        &self,
        asked: Asked<'_>,
        straight: &Straight,
        supervisor: &Supervisor,
    ) -> Response<Body> {
        let there = (asked.host, asked.port);
        if frames::is_handshake(&asked.request) {
            return match self {
                Self::Replay(player) => {
                    frames::play(player, asked.host, asked.request, supervisor.token()).await
                }
                Self::Record(_, recorder) => {
                    frames::carry(straight, there, asked.request, Some(recorder), supervisor).await
                }
                Self::Gateway(_) | Self::Shadow(_) => {
                    frames::carry(straight, there, asked.request, None, supervisor).await
                }
            };
        }
        if let (true, Self::Record(_, recorder)) = (asked.is_stream, self) {
            // Nothing but handshakes is data there.
            return match straight.send(there, asked.request, supervisor).await {
                Ok(answer) => {
                    recorder.not_data(asked.host);
                    answer.map(Body::new)
                }
                Err(error) => problem(
                    StatusCode::BAD_GATEWAY,
                    "the host was not heard",
                    &error.to_string(),
                ),
            };
        }
        if let Self::Shadow(shadow) = self {
            return shadow.take(asked.host, asked.request, supervisor).await;
        }
        let call = match read(asked).await {
            Ok(call) => call,
            Err(problem) => return *problem,
        };
        match self {
            Self::Gateway(door) => door.take(call).await,
            Self::Record(door, recorder) => record(door, recorder, call).await,
            Self::Replay(player) => played(player.play(&call)),
            Self::Shadow(_) => problem(
                StatusCode::INTERNAL_SERVER_ERROR,
                "a call was read in shadow mode",
                "this is a bug in Tradewind",
            ),
        }
    }
}

async fn read(asked: Asked<'_>) -> Result<Call, Box<Response<Body>>> {
    let (parts, body) = asked.request.into_parts();
    let body = axum::body::to_bytes(Body::new(body), MAX_CALL_BYTES).await;
    let body = body.map_err(|_too_large| {
        problem(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the body is too large for the gateway",
            "at most 16 MiB are passed on",
        )
    })?;
    let path = parts.uri.path_and_query();
    Ok(Call {
        provider: asked.provider.to_owned(),
        host: Some(asked.host.to_owned()),
        method: parts.method,
        path_and_query: path.map_or("/", |whole| whole.as_str()).to_owned(),
        headers: parts.headers,
        body,
        consumer: asked.consumer.to_owned(),
        urgency: asked.urgency,
    })
}

async fn record(door: &Door, recorder: &Recorder, call: Call) -> Response<Body> {
    let awaited = recorder.begin(&call);
    let response = door.take(call).await;
    let Some(awaited) = awaited else {
        return response;
    };
    let (parts, body) = response.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY_BYTES).await else {
        return problem(
            StatusCode::BAD_GATEWAY,
            "the answer ended before it was whole",
            "ask again; it is not in the cassette",
        );
    };
    // The gateway says of every answer that it passes on where it comes from, and of its own words nothing.
    let is_passed_on = parts.headers.contains_key("cache-status");
    let by = if is_passed_on {
        By::Provider
    } else {
        By::Gateway
    };
    recorder.end(awaited, by, parts.status, &parts.headers, &body);
    Response::from_parts(parts, Body::from(body))
}

fn played(played: Result<Played, Refusal>) -> Response<Body> {
    match played {
        Ok(Played {
            status,
            headers,
            body,
        }) => {
            let mut response = Response::new(Body::from(body));
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            response.headers_mut().append(
                HeaderName::from_static("cache-status"),
                HeaderValue::from_static("tradewind; hit; detail=\"cassette\""),
            );
            response
        }
        Err(refusal) => refused(&refusal),
    }
}

/// Says that a cassette has no answer.
pub(super) fn refused(refusal: &Refusal) -> Response<Body> {
    let status = StatusCode::from_u16(NOT_PLAYED).unwrap_or(StatusCode::NOT_IMPLEMENTED);
    let detail = match refusal {
        Refusal::Missing(_) => "record it again: `tradewind exec --record FILE -- COMMAND`",
        Refusal::Never { .. } => {
            "let a test stand in for the broker, or run it against the sandbox: `tradewind sandbox`"
        }
    };
    problem(status, &refusal.to_string(), detail)
}
