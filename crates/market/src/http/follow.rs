//! `GET /v1/stream`: what happens, as Server-Sent Events or over a WebSocket, in the same JSON.
//!
//! Why two doors: a script reads lines of HTTP with what it has, and many libraries speak WebSockets only.
//! An event's `id` is where a listener goes on: `Last-Event-ID`, or `after` in the query. Whoever does not
//! take its messages for [`Pace::max_stall`](crate::stream::hub::Pace) is cut off, and whoever falls behind
//! what is held is told so and ended.
//! - Bounds: 64 messages under way, 4 KiB of message from a listener, the hub's bound on listeners.
//!
//! Not here: who may ask (the edge), what is told ([`crate::stream`]).

use std::convert::Infallible;
use std::time::Duration;

use axum::Extension;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tradewind_catalog::refusal::FailureClass;

use super::question::{consumer, stream_question};
use super::{Problem, problem};
use crate::service::Service;
use crate::stream::told::{Writer, Written};
use crate::stream::{Follow, Followed};

/// Messages under way to a listener.
const UNDER_WAY: usize = 64;
/// Upper bound on a message of a listener, in bytes.
const MAX_HEARD_BYTES: usize = 4 * 1024;
/// How often a listener is asked whether it lives.
const ALIVE_EVERY: Duration = Duration::from_secs(15);

/// What cuts the connection that a request came on; the edge puts it there.
#[derive(Clone, Debug)]
pub struct Cut(pub CancellationToken);

/// Answers `GET /v1/stream`.
pub(super) async fn follow(
    State(service): State<Service>,
    cut: Option<Extension<Cut>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Response {
    let begun = begin(&service, &query, &headers).await;
    let (follow, writer) = match begun {
        Ok(begun) => begun,
        Err(problem) => return problem.into_response(),
    };
    let wants_socket = headers
        .get(header::UPGRADE)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"));
    match upgrade {
        Ok(upgrade) => socket(&service, upgrade, follow, writer),
        Err(rejection) if wants_socket => Problem {
            status: rejection.status(),
            title: "the WebSocket cannot be opened".to_owned(),
            detail: rejection.body_text(),
            class: None,
            retry_after: None,
        }
        .into_response(),
        Err(_plain_request) => events(&service, cut.map(|Extension(cut)| cut), follow, writer),
    }
}

async fn begin(
    service: &Service,
    query: &[(String, String)],
    headers: &HeaderMap,
) -> Result<(Follow, Writer), Problem> {
    let (mut ask, numbers) = stream_question(query, headers)?;
    if let Some(consumer) = consumer(headers) {
        ask.consumer = consumer;
    }
    let follow = service
        .follow(&ask)
        .await
        .map_err(|error| problem(&error))?;
    let writer = Writer {
        instrument: ask.instrument.to_string(),
        provider: follow.provider().to_owned(),
        numbers,
    };
    Ok((follow, writer))
}

/// Answers with Server-Sent Events.
fn events(service: &Service, cut: Option<Cut>, follow: Follow, writer: Writer) -> Response {
    let (to, from) = mpsc::channel(UNDER_WAY);
    let streams = service.streams().clone();
    let stall = streams.max_stall();
    let ended = streams.token();
    streams.supervise("stream listener", async move {
        let mut follow = follow;
        loop {
            let followed = tokio::select! {
                // Cancel-safe: it only waits.
                () = ended.cancelled() => return,
                // Cancel-safe: it only waits. The listener is gone.
                () = to.closed() => return,
                // Cancel-safe: nothing is taken before it is returned.
                followed = follow.next() => followed,
            };
            let is_last = is_last(&followed);
            if to
                .send_timeout(writer.write(&followed), stall)
                .await
                .is_err()
            {
                // Without this it would hold its connection until it reads again, which may be never.
                tracing::info!("a listener to a stream takes nothing and is cut off");
                if let Some(Cut(cut)) = cut {
                    cut.cancel();
                }
                return;
            }
            if is_last {
                return;
            }
        }
    });
    let messages = futures_util::stream::unfold(from, |mut from| async move {
        let Written { kind, id, json } = from.recv().await?;
        let mut event = sse::Event::default().event(kind);
        if let Some(id) = id {
            event = event.id(id);
        }
        Some((Ok::<_, Infallible>(event.data(json)), from))
    });
    let alive = KeepAlive::new().interval(ALIVE_EVERY);
    let mut response = Sse::new(messages).keep_alive(alive).into_response();
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn is_last(followed: &Followed) -> bool {
    matches!(followed, Followed::TooSlow | Followed::End(_))
}

/// Answers with a WebSocket.
fn socket(
    service: &Service,
    upgrade: WebSocketUpgrade,
    follow: Follow,
    writer: Writer,
) -> Response {
    let streams = service.streams().clone();
    upgrade
        .max_message_size(MAX_HEARD_BYTES)
        .max_frame_size(MAX_HEARD_BYTES)
        .on_upgrade(move |socket| async move {
            let (stall, ended) = (streams.max_stall(), streams.token());
            streams.supervise(
                "stream listener",
                talk(socket, follow, writer, stall, ended),
            );
        })
}

async fn talk(
    mut socket: WebSocket,
    mut follow: Follow,
    writer: Writer,
    stall: Duration,
    ended: CancellationToken,
) {
    let mut alive = tokio::time::interval(ALIVE_EVERY);
    let close = loop {
        let message = tokio::select! {
            // Cancel-safe: it only waits.
            () = ended.cancelled() => break (1001, "the daemon ends"),
            // Cancel-safe: what has come in part is kept.
            heard = socket.recv() => match heard {
                // What a listener says changes nothing; that it is there is all there is to know.
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => continue,
            },
            // Cancel-safe: it only waits.
            _ = alive.tick() => Message::Ping(axum::body::Bytes::new()),
            // Cancel-safe: nothing is taken before it is returned.
            followed = follow.next() => {
                let text = Message::text(writer.write(&followed).json);
                if is_last(&followed) {
                    let sent = tokio::time::timeout(stall, socket.send(text)).await;
                    if !matches!(sent, Ok(Ok(()))) {
                        return;
                    }
                    break closing(&followed);
                }
                text
            }
        };
        match tokio::time::timeout(stall, socket.send(message)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return,
            Err(_late) => {
                tracing::info!("a listener to a stream takes nothing and is cut off");
                return;
            }
        }
    };
    drop(follow);
    let frame = CloseFrame {
        code: close.0,
        reason: close.1.into(),
    };
    // A connection that is dropped while something of the listener's lies unread in it, the answer to
    // a ping say, is reset by the kernel, and the reset overtakes the code. So what comes is read
    // until the listener has closed too (RFC 6455 §7.1.1).
    let closed = async {
        socket.send(Message::Close(Some(frame))).await?;
        while socket.recv().await.transpose()?.is_some() {}
        Ok::<_, axum::Error>(())
    };
    // Whoever does not take it is cut off without it.
    drop(tokio::time::timeout(Duration::from_secs(1), closed).await);
}

/// Says with which code a WebSocket ends.
fn closing(followed: &Followed) -> (u16, &'static str) {
    match followed {
        Followed::TooSlow => (4408, "too slow"),
        Followed::End(end) => match end.class {
            FailureClass::Auth => (4401, "the provider refuses the key"),
            FailureClass::Plan => (4403, "the plan does not have it"),
            FailureClass::BadRequest | FailureClass::NotFound => {
                (4404, "the provider does not have it")
            }
            FailureClass::Throttled | FailureClass::QuotaGone | FailureClass::Banned => {
                (4429, "the provider asks for patience")
            }
            _ => (1011, "the stream ended"),
        },
        Followed::Told(..) | Followed::Bar(..) => (1000, ""),
    }
}
