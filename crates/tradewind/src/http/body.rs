//! A request's body: read whole, before any handler, within a bounded time.
//!
//! Why before: a client that sends half a body and then nothing would hold a handler for ever, and a stop
//! of the daemon with it.
//! Acts on every request that the guard lets pass. Keeps no state: nothing to recover, nothing on first start.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use tokio_util::sync::CancellationToken;
use tradewind_market::http::MAX_FILE_BYTES;

use super::problem;
use crate::daemon::hub::Hub;

/// How long a whole body may take; 1 MiB in this time is a slow modem.
const BODY_LIMIT: Duration = Duration::from_secs(30);
/// Upper bound on a body, in bytes.
const MAX_BODY_BYTES: usize = 1024 * 1024;
/// Path below which a file may come that is imported, with a bound of its own.
const FILES: &str = "/v1/bars/";

/// Reads the body and hands the request on with it.
pub(crate) async fn read(State(hub): State<Hub>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let max_bytes = max_bytes(&parts.method, parts.uri.path());
    match whole(body, max_bytes, hub.shutdown()).await {
        Ok(body) => next.run(Request::from_parts(parts, Body::from(body))).await,
        Err(refusal) => refusal,
    }
}

/// Returns how large a body may be. A file is posted, which takes the token; who only reads needs none, and must
/// not be able to fill the memory.
fn max_bytes(method: &Method, path: &str) -> usize {
    if method == Method::POST && path.starts_with(FILES) {
        MAX_FILE_BYTES
    } else {
        MAX_BODY_BYTES
    }
}

/// Returns the whole body, or what its sender is told instead.
async fn whole(
    body: Body,
    max_bytes: usize,
    shutdown: &CancellationToken,
) -> Result<Bytes, Response> {
    let read = tokio::time::timeout(BODY_LIMIT, axum::body::to_bytes(body, max_bytes));
    let read = tokio::select! {
        // In this order: a body that is here is answered, even at the end.
        biased;
        // Cancel-safe: a body that is given up is answered with a refusal.
        read = read => read,
        // Cancel-safe: it only waits.
        () = shutdown.cancelled() => {
            return Err(problem(
                StatusCode::SERVICE_UNAVAILABLE,
                "the daemon ends",
                "send it again once it runs: `tradewind up`",
            ));
        }
    };
    match read {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(_cut_off)) => Err(problem(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the body cannot be read",
            &format!("send at most {} MiB at once", max_bytes / (1024 * 1024)),
        )),
        Err(_late) => Err(problem(
            StatusCode::REQUEST_TIMEOUT,
            "the body did not come",
            "send it within 30 s",
        )),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;
    use futures_util::stream;

    use super::*;

    /// A body that begins and never ends.
    fn endless() -> Body {
        let begun = stream::iter([Ok::<_, std::io::Error>("half")]);
        Body::from_stream(begun.chain(stream::pending()))
    }

    #[test]
    fn only_a_posted_file_may_be_large() {
        assert_eq!(
            max_bytes(&Method::POST, "/v1/bars/AAPL.csv"),
            MAX_FILE_BYTES
        );
        for (method, path) in [
            (Method::GET, "/v1/bars/AAPL.csv"),
            (Method::POST, "/v1/events"),
            (Method::POST, "/p/alpaca/v2/orders"),
        ] {
            assert_eq!(max_bytes(&method, path), MAX_BODY_BYTES, "{method} {path}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_given_up() {
        let refusal = whole(endless(), 100, &CancellationToken::new()).await;
        assert_eq!(refusal.unwrap_err().status(), StatusCode::REQUEST_TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_does_not_wait_for_a_body_but_takes_one_that_is_here() {
        let ended = CancellationToken::new();
        ended.cancel();
        let refusal = whole(endless(), 100, &ended).await.unwrap_err();
        assert_eq!(refusal.status(), StatusCode::SERVICE_UNAVAILABLE);
        let here = || Body::from("all of it");
        assert_eq!(whole(here(), 9, &ended).await.unwrap(), "all of it");
        let refusal = whole(here(), 8, &ended).await.unwrap_err();
        assert_eq!(refusal.status(), StatusCode::PAYLOAD_TOO_LARGE);
    }
}
