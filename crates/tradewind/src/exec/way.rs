//! What becomes of a call that the proxy has read: the gateway, the gateway with a recording, or a cassette.
//!
//! Why one place: whatever the mode, an order is judged by the same rule. A recording changes nothing of a
//! call; a cassette lets none out.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use tradewind_market::cassette::{By, Played, Player, Recorder, Refusal};
use tradewind_market::pass::Call;

use super::door::Door;
use crate::http::problem;

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
    Record(Door, Recorder),
    /// A cassette answers, and nobody is asked.
    Replay(Player),
}

impl Way {
    /// Takes a call to whoever answers it and returns what came back, problems included.
    pub(crate) async fn take(&self, call: Call) -> Response<Body> {
        match self {
            Self::Gateway(door) => door.take(call).await,
            Self::Record(door, recorder) => record(door, recorder, call).await,
            Self::Replay(player) => played(player.play(&call)),
        }
    }
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
    let refused = |title: &str, detail: &str| {
        let status = StatusCode::from_u16(NOT_PLAYED).unwrap_or(StatusCode::NOT_IMPLEMENTED);
        problem(status, title, detail)
    };
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
        Err(refusal @ Refusal::Missing(_)) => refused(
            &refusal.to_string(),
            "record it again: `tradewind exec --record FILE -- COMMAND`",
        ),
        Err(refusal @ Refusal::Never { .. }) => refused(
            &refusal.to_string(),
            "let a test stand in for the broker, or run it against the sandbox: `tradewind sandbox`",
        ),
    }
}
