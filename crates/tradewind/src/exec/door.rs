//! Where the proxy takes a call: to the daemon when one runs, else to a gateway in this process.
//!
//! Why two: there is one ledger. Whoever holds the store's lock keeps it; the other asks him.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response};
use axum::response::IntoResponse;
use tradewind_host::egress::{DirectEgress, Egress, EgressError, Request, Url};
use tradewind_market::http::passed;
use tradewind_market::pass::{Call, Pass};

use crate::http::guard::TOKEN_HEADER;

/// How long a call through the daemon may take; it has its own bounds.
const TIME_LIMIT: Duration = Duration::from_mins(10);
/// Upper bound on an answer.
const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;

/// A way to the gateway.
#[derive(Clone, Debug)]
pub(crate) enum Door {
    /// In this process.
    Here(Pass),
    /// Through the daemon.
    There {
        /// Its address, `http://127.0.0.1:8420`.
        base: String,
        /// Its token.
        token: String,
        /// The way to it.
        wire: DirectEgress,
    },
}

impl Door {
    /// Takes a call to the gateway and returns what came back, problems included.
    pub(crate) async fn take(&self, call: Call) -> Response<Body> {
        match self {
            Self::Here(pass) => passed(pass.send(call).await),
            Self::There { base, token, wire } => match through(base, token, wire, call).await {
                Ok(response) => response,
                Err(error) => {
                    tracing::warn!(%error, "the daemon did not pass a call on");
                    crate::http::problem(
                        axum::http::StatusCode::BAD_GATEWAY,
                        "the daemon did not answer",
                        "look at it with `tradewind status`",
                    )
                }
            },
        }
    }
}

async fn through(
    base: &str,
    token: &str,
    wire: &DirectEgress,
    call: Call,
) -> Result<Response<Body>, EgressError> {
    let path = call
        .path_and_query
        .strip_prefix('/')
        .unwrap_or(&call.path_and_query);
    let url =
        Url::parse(&format!("{base}/p/{}/{path}", call.provider)).map_err(|_not_an_address| {
            EgressError::Held {
                host: base.to_owned(),
                reason: "the path is none that can be asked for".to_owned(),
                retry_after: None,
            }
        })?;
    let mut request = Request::new(call.method, url);
    request.headers = call.headers;
    request.headers.remove("host");
    request.headers.remove("content-length");
    request.headers.remove("transfer-encoding");
    request.body = call.body;
    request.timeout = TIME_LIMIT;
    request.max_body_bytes = MAX_BODY_BYTES;
    // What the program says of a single call counts more than what was said of all.
    let has_priority = request.headers.contains_key("x-tradewind-priority");
    let mut say = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            request.headers.insert(HeaderName::from_static(name), value);
        }
    };
    say(TOKEN_HEADER, token);
    say("x-tradewind-consumer", &call.consumer);
    if !has_priority {
        say("x-tradewind-priority", call.urgency.class.as_str());
    }
    if let Some(host) = &call.host {
        say("x-tradewind-host", host);
    }
    let answer = wire.send(request).await?;
    let mut response = answer.body.into_response();
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    for name in ["connection", "transfer-encoding", "content-length"] {
        response.headers_mut().remove(name);
    }
    Ok(response)
}
