//! `/healthz` for supervisors and `/metrics` for Prometheus.
//!
//! Labels come from closed sets only (event kinds, task names), so that no repository's content can
//! blow up a time series store. Not here: anything about one repository's content.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::Extension;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tradewind_journal::Health;
use tradewind_market::http_cache::Front;
use tradewind_market::store::Store;

use crate::daemon::hub::Hub;

/// Answers `GET /healthz`: 200 while the journal takes events, else 503 with the reason.
/// What the disk refuses of market data is told beside it: that is served from memory and makes nobody ill.
pub(crate) async fn health(
    State(hub): State<Hub>,
    Extension(market): Extension<Store>,
) -> Response {
    let (status, journal) = match hub.journal().health() {
        Health::Writing => (StatusCode::OK, json!("writing")),
        Health::ReadOnly { error } => (
            StatusCode::SERVICE_UNAVAILABLE,
            json!({ "read_only": error }),
        ),
    };
    let body = json!({
        "schema_version": 1,
        "status": if status == StatusCode::OK { "ok" } else { "degraded" },
        "version": env!("CARGO_PKG_VERSION"),
        "journal": journal,
        "last_seq": hub.journal().last(),
        "market_unsaved": market.refused(),
    });
    (status, axum::Json(body)).into_response()
}

/// Answers `GET /metrics` in the Prometheus text format 0.0.4.
pub(crate) async fn metrics(
    State(hub): State<Hub>,
    Extension(front): Extension<Front>,
) -> Response {
    let mut out = String::new();
    let mut family = |name: &str, kind: &str, help: &str, samples: &[(String, f64)]| {
        out.push_str(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
        for (labels, value) in samples {
            out.push_str(&format!("{name}{labels} {value}\n"));
        }
    };
    let one = |value: f64| vec![(String::new(), value)];
    let is_writing = matches!(hub.journal().health(), Health::Writing);
    family("tradewind_up", "gauge", "Always 1.", &one(1.0));
    family(
        "tradewind_uptime_seconds",
        "gauge",
        "Time since the daemon started.",
        &one(hub.uptime().as_secs_f64()),
    );
    family(
        "tradewind_journal_writable",
        "gauge",
        "1 while the journal takes events.",
        &one(f64::from(u8::from(is_writing))),
    );
    family(
        "tradewind_journal_last_seq",
        "counter",
        "Place of the newest event.",
        &one(count(hub.journal().last().0)),
    );
    family(
        "tradewind_repositories",
        "gauge",
        "Repositories under watch.",
        &one(count(hub.repository_count())),
    );
    let events: Vec<_> = hub
        .event_counts()
        .into_iter()
        .map(|(kind, n)| (format!("{{kind=\"{kind}\"}}"), count(n)))
        .collect();
    family(
        "tradewind_events_total",
        "counter",
        "Events journaled since the daemon started, by kind.",
        &events,
    );
    let figures = front.figures();
    let how = |how: &str, figure: &AtomicU64| {
        (
            format!("{{how=\"{how}\"}}"),
            count(figure.load(Ordering::Relaxed)),
        )
    };
    family(
        "tradewind_http_cache_answers_total",
        "counter",
        "Answers to calls for data in a provider's own words, by how they were come by.",
        &[
            how("hit", &figures.hits),
            how("stale", &figures.stale),
            how("validated", &figures.validated),
            how("fetched", &figures.fetched),
            how("collapsed", &figures.collapsed),
        ],
    );
    let (addresses, bytes) = front.held();
    family(
        "tradewind_http_cache_addresses",
        "gauge",
        "Addresses of which an answer is held.",
        &one(count(addresses as u64)),
    );
    family(
        "tradewind_http_cache_bytes",
        "gauge",
        "Bytes of the answers that are held, about.",
        &one(count(bytes)),
    );
    (
        [(
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        )],
        out,
    )
        .into_response()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "Prometheus values are doubles; counts stay below 2^53"
)]
fn count(n: u64) -> f64 {
    n as f64
}
