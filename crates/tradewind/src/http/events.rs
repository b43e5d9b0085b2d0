//! `/v1/events`: the journal out, foreign events in, both as CloudEvents 1.0.
//!
//! Out: `GET` answers a batch (`application/cloudevents-batch+json`) with a `Link: …; rel="next"`, or,
//! when the client accepts `text/event-stream`, follows live (Server-Sent Events, resumable by
//! `Last-Event-ID`). In: `POST` takes structured, batched and binary mode of the CloudEvents HTTP
//! binding 1.0.2; a foreign event becomes `external.event.received`, never a kind of ours.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tradewind_core::cloudevent::{self, CloudEventError};
use tradewind_core::{Draft, Event, EventKind, RepositoryId, Seq};
use tradewind_journal::{Filter, Follow};

use super::problem;
use crate::daemon::hub::Hub;

/// Events in one answer when the client does not say.
const DEFAULT_LIMIT: usize = 100;
/// Upper bound on events in one answer.
const MAX_LIMIT: usize = 1_000;
/// How long after it was recorded an event may take to be there for readers.
pub(crate) const LAST_WRITE: SignedDuration = SignedDuration::from_secs(1);
/// Upper bound on events in one posted batch.
const MAX_BATCH: usize = 500;

/// What a client may ask for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventsQuery {
    after: Option<u64>,
    before: Option<u64>,
    limit: Option<usize>,
    kind: Option<String>,
    repository: Option<String>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl EventsQuery {
    fn filter(&self) -> Result<Filter, String> {
        let mut kinds = Vec::new();
        for pattern in self.kind.iter().flat_map(|list| list.split(',')) {
            let matching = EventKind::matching(pattern);
            if matching.is_empty() {
                return Err(format!(
                    "kind {pattern:?} matches none of the kinds that exist"
                ));
            }
            kinds.extend(matching);
        }
        let repository = self
            .repository
            .as_deref()
            .map(str::parse::<RepositoryId>)
            .transpose()
            .map_err(|error| format!("repository: {error}"))?;
        Ok(Filter {
            after: Seq(self.after.unwrap_or_default()),
            before: self.before.map(Seq),
            kinds,
            repository,
            since: self.since,
            until: self.until,
            limit: self.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT),
            ..Filter::default()
        })
    }
}

/// Answers `GET /v1/events`.
pub(crate) async fn list(
    State(hub): State<Hub>,
    query: Result<Query<EventsQuery>, axum::extract::rejection::QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let query = match query {
        Ok(Query(query)) => query,
        Err(error) => {
            return problem(
                StatusCode::BAD_REQUEST,
                "a query parameter is wrong",
                &error.body_text(),
            );
        }
    };
    let filter = match query.filter() {
        Ok(filter) => filter,
        Err(error) => {
            return problem(
                StatusCode::BAD_REQUEST,
                "a query parameter is wrong",
                &error,
            );
        }
    };
    if accepts_stream(&headers) {
        // Who names a begin or an end asks for what was, as without a stream; else for what comes.
        let is_bounded = query.after.is_some()
            || query.before.is_some()
            || query.since.is_some()
            || query.until.is_some();
        let after = last_event_id(&headers).unwrap_or(if is_bounded {
            filter.after
        } else {
            hub.journal().last()
        });
        let journal = hub.journal().id();
        return stream(&hub, after, filter, move |event| {
            cloudevent::to_json(event, journal).to_string()
        });
    }
    let journal = hub.journal().id();
    let limit = filter.limit;
    let events = match hub.read(move |reader| reader.select(&filter)).await {
        Ok(events) => events,
        Err(error) => {
            return problem(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the journal cannot be read",
                &error.to_string(),
            );
        }
    };
    let next = (events.len() == limit)
        .then(|| events.last().map(|e| e.seq))
        .flatten();
    let body = Value::Array(
        events
            .iter()
            .map(|e| cloudevent::to_json(e, journal))
            .collect(),
    );
    let mut response = (
        [(header::CONTENT_TYPE, "application/cloudevents-batch+json")],
        body.to_string(),
    )
        .into_response();
    if let Some(link) = next.and_then(|seq| next_link(&query, seq).parse().ok()) {
        response.headers_mut().insert(header::LINK, link);
    }
    response
}

fn next_link(query: &EventsQuery, after: Seq) -> String {
    let mut url = format!("</v1/events?after={after}");
    let mut put = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            let encoded = value.bytes().fold(String::new(), |mut out, byte| {
                match byte {
                    b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'*' | b',' => {
                        out.push(char::from(byte));
                    }
                    byte => out.push_str(&format!("%{byte:02X}")),
                }
                out
            });
            url.push_str(&format!("&{name}={encoded}"));
        }
    };
    put("before", query.before.map(|v| v.to_string()));
    put("limit", query.limit.map(|v| v.to_string()));
    put("kind", query.kind.clone());
    put("repository", query.repository.clone());
    put("since", query.since.map(|v| v.to_string()));
    put("until", query.until.map(|v| v.to_string()));
    url.push_str(">; rel=\"next\"");
    url
}

/// Returns the event after which a client that lost its connection goes on.
pub(crate) fn last_event_id(headers: &HeaderMap) -> Option<Seq> {
    headers.get("last-event-id")?.to_str().ok()?.parse().ok()
}

/// Whether the client wants Server-Sent Events.
pub(crate) fn accepts_stream(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| {
            value
                .split(',')
                .any(|part| part.trim().starts_with("text/event-stream"))
        })
}

/// Answers with the events after `after` that pass `filter`, each rendered by `render`, until the client leaves
/// or the filter's end is reached.
pub(crate) fn stream(
    hub: &Hub,
    after: Seq,
    filter: Filter,
    render: impl Fn(&Event) -> String + Send + 'static,
) -> Response {
    let Some(permit) = hub.stream_permit() else {
        return problem(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many streams are open",
            "close one and try again",
        );
    };
    // A time so far away that no clock reaches it does not end the stream.
    let deadline = filter.until.and_then(|end| {
        let left = end.duration_since(hub.now()).saturating_add(LAST_WRITE);
        Instant::now().checked_add(Duration::try_from(left).unwrap_or_default())
    });
    let live = Live {
        follow: hub.journal().follow(after),
        shutdown: hub.shutdown().clone(),
        deadline,
        filter,
        position: after,
        batch: Vec::new().into_iter(),
        _permit: permit,
    };
    let messages = futures_util::stream::unfold((live, render), |(mut live, render)| async move {
        let event = live.next().await?;
        let message = sse::Event::default()
            .id(event.seq.to_string())
            .data(render(&event));
        Some((Ok::<_, Infallible>(message), (live, render)))
    });
    let mut response = Sse::new(messages)
        .keep_alive(KeepAlive::default())
        .into_response();
    response.headers_mut().insert(
        header::CACHE_CONTROL,
        header::HeaderValue::from_static("no-store"),
    );
    response
}

/// A stream under way.
struct Live {
    follow: Follow,
    shutdown: CancellationToken,
    /// When nothing that was recorded before `filter.until` can come any more.
    deadline: Option<Instant>,
    filter: Filter,
    /// The last event that was looked at.
    position: Seq,
    batch: std::vec::IntoIter<Event>,
    _permit: OwnedSemaphorePermit,
}

impl Live {
    /// Returns the next event that passes the filter; none at the stream's end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            let is_behind = |before| self.position.next() >= before;
            if self.filter.before.is_some_and(is_behind) {
                return None;
            }
            if let Some(event) = self.batch.next() {
                self.position = event.seq;
                let is_late = |end: Timestamp| event.recorded_at.duration_since(end) > LAST_WRITE;
                if self.filter.until.is_some_and(is_late) {
                    return None;
                }
                if is_wanted(&self.filter, &event) {
                    return Some(event);
                }
                continue;
            }
            let deadline = self.deadline;
            let over = async move {
                match deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // In this order: what is in the journal is told before the stream ends by time.
                biased;
                // Cancel-safe: nothing is taken from the journal by waiting for the end.
                () = self.shutdown.cancelled() => return None,
                // Cancel-safe by `Follow`'s contract: a batch is handed over whole or not at all.
                next = self.follow.next() => match next {
                    Ok(events) => self.batch = events.into_iter(),
                    Err(error) => {
                        tracing::warn!(%error, "event stream ended");
                        return None;
                    }
                },
                // Cancel-safe: it only waits.
                () = over => return None,
            }
        }
    }
}

/// Whether an event passes all of the filter but its ends.
fn is_wanted(filter: &Filter, event: &Event) -> bool {
    (filter.kinds.is_empty() || filter.kinds.contains(&event.kind))
        && (filter.repository.is_none() || filter.repository == event.repository)
        && filter.before.is_none_or(|before| event.seq < before)
        && filter.since.is_none_or(|since| event.recorded_at >= since)
        && filter.until.is_none_or(|until| event.recorded_at < until)
}

/// Answers `POST /v1/events`.
pub(crate) async fn receive(
    State(hub): State<Hub>,
    headers: HeaderMap,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Response {
    let now = hub.now();
    let body = match body {
        Ok(body) => body,
        Err(error) => {
            return problem(
                error.status(),
                "the body cannot be read",
                "send at most 1 MiB at once",
            );
        }
    };
    let drafts = match drafts(&headers, &body, now) {
        Ok(drafts) => drafts,
        Err(error) => {
            let detail =
                std::iter::successors(Some(&error as &dyn std::error::Error), |e| e.source())
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(": ");
            return problem(
                StatusCode::BAD_REQUEST,
                "this is no CloudEvent 1.0",
                &detail,
            );
        }
    };
    if drafts.len() > MAX_BATCH {
        return problem(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the batch is too long",
            "send at most 500 events at once",
        );
    }
    match hub.journal().append_all(drafts).await {
        Ok(seqs) => {
            let body = serde_json::json!({ "schema_version": 1, "seqs": seqs });
            (StatusCode::ACCEPTED, axum::Json(body)).into_response()
        }
        Err(error) => problem(
            StatusCode::SERVICE_UNAVAILABLE,
            "the journal does not take events",
            &error.to_string(),
        ),
    }
}

fn drafts(
    headers: &HeaderMap,
    body: &Bytes,
    now: Timestamp,
) -> Result<Vec<Draft>, CloudEventError> {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    let media_type = text("content-type")
        .unwrap_or_default()
        .to_ascii_lowercase();
    if media_type.starts_with("application/cloudevents-batch+json") {
        let items: Vec<&serde_json::value::RawValue> =
            serde_json::from_slice(body).map_err(CloudEventError::Json)?;
        return items
            .into_iter()
            .map(|item| cloudevent::external_from_json(item.get(), now))
            .collect();
    }
    if text("ce-specversion").is_some() {
        return Ok(vec![binary(headers, &media_type, body, now)?]);
    }
    let body = String::from_utf8_lossy(body);
    Ok(vec![cloudevent::external_from_json(&body, now)?])
}

/// Binary mode: attributes are `ce-` headers (percent-encoded), the body is the data.
fn binary(
    headers: &HeaderMap,
    media_type: &str,
    body: &Bytes,
    now: Timestamp,
) -> Result<Draft, CloudEventError> {
    let mut event = Map::new();
    for (name, value) in headers {
        let Some(name) = name.as_str().strip_prefix("ce-") else {
            continue;
        };
        let value = value.to_str().unwrap_or_default();
        event.insert(name.to_owned(), percent_decoded(value).into());
    }
    if !media_type.is_empty() {
        event.insert("datacontenttype".to_owned(), media_type.into());
    }
    if !body.is_empty() {
        let is_json = media_type.is_empty() || media_type.contains("json");
        match serde_json::from_slice::<Value>(body) {
            Ok(data) if is_json => event.insert("data".to_owned(), data),
            Err(error) if is_json => return Err(CloudEventError::Json(error)),
            _ => event.insert(
                "data".to_owned(),
                String::from_utf8_lossy(body).into_owned().into(),
            ),
        };
    }
    cloudevent::external_from_json(&Value::Object(event).to_string(), now)
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let escaped = (*byte == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        out.push(escaped.unwrap_or(*byte));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_that_cannot_match_is_a_mistake() {
        let query = EventsQuery {
            kind: Some("repo.comit.*".into()),
            ..EventsQuery::default()
        };
        assert!(query.filter().is_err());
    }

    #[test]
    fn the_next_link_keeps_the_question() {
        let query = EventsQuery {
            kind: Some("repo.*".into()),
            limit: Some(2),
            ..EventsQuery::default()
        };
        assert_eq!(
            next_link(&query, Seq(9)),
            "</v1/events?after=9&limit=2&kind=repo.*>; rel=\"next\""
        );
    }

    #[test]
    fn binary_mode_reads_attributes_from_headers() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("ce-specversion", "1.0"),
            ("ce-id", "a%20b"),
            ("ce-source", "/s"),
            ("ce-type", "t"),
            ("content-type", "application/json"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        let drafts = drafts(
            &headers,
            &Bytes::from_static(b"{\"x\":1}"),
            Timestamp::UNIX_EPOCH,
        )
        .unwrap();
        assert_eq!(drafts[0].key.as_deref(), Some("external//s\na b"));
        assert!(drafts[0].data.get().contains("\"x\":1"));
    }
}
