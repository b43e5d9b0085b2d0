//! The listener's router: first page, health, metrics, events, control.
//!
//! Why here: the edge merges the doors of all parts into one listener. Who may pass is decided once, in
//! [`guard`], before any handler runs. Errors leave as `application/problem+json` (RFC 9457).
//! Not here: what commands do ([`crate::control`]).

pub(crate) mod body;
pub(crate) mod control;
pub(crate) mod events;
pub(crate) mod guard;
pub(crate) mod metrics;
pub(crate) mod openapi;
pub(crate) mod page;
pub(crate) mod serve;

use axum::extract::DefaultBodyLimit;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};

use crate::daemon::hub::Hub;
use crate::market::Market;

/// Builds the router over `hub`, with the doors of the market part.
pub(crate) fn router(hub: Hub, market: Market) -> Router {
    let store = market.service.store().clone();
    let front = market.pass.front().clone();
    Router::new()
        .merge(tradewind_market::http::router(market.service, market.pass))
        .route("/", get(page::show))
        .route("/healthz", get(metrics::health).layer(Extension(store)))
        .route("/metrics", get(metrics::metrics).layer(Extension(front)))
        .route("/openapi.json", get(openapi::show))
        .route("/v1/events", get(events::list).post(events::receive))
        .route("/v1/control", post(control::execute))
        .fallback(|| async {
            problem(
                StatusCode::NOT_FOUND,
                "nothing is served at this path",
                "see /openapi.json",
            )
        })
        .method_not_allowed_fallback(|| async {
            problem(
                StatusCode::METHOD_NOT_ALLOWED,
                "this path does not take that method",
                "see /openapi.json",
            )
        })
        .layer(axum::middleware::from_fn_with_state(
            hub.clone(),
            body::read,
        ))
        .layer(axum::middleware::from_fn_with_state(
            hub.clone(),
            guard::check,
        ))
        // Bodies come whole and bounded out of `body::read`.
        .layer(DefaultBodyLimit::disable())
        .with_state(hub)
}

/// Answers with a problem document: `title` says what, `detail` says what to do.
pub(crate) fn problem(status: StatusCode, title: &str, detail: &str) -> Response {
    let body = serde_json::json!({
        "type": "about:blank",
        "status": status.as_u16(),
        "title": title,
        "detail": detail,
    });
    (
        status,
        [(header::CONTENT_TYPE, "application/problem+json")],
        body.to_string(),
    )
        .into_response()
}
