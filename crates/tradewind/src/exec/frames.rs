//! WebSockets through the proxy: carried as they come, perhaps with a recording beside them, or played.
//!
//! Why carried as bytes: whoever records must not be heard, so no frame is made anew. One thing differs from
//! a program without us: no extension is offered to the other side, because what is compressed cannot be
//! searched for keys. Every extension is the server's to decline, so no client minds.
//! - When it ends: with either side, or with the program.
//! - Bounds: 16 KiB under way in each direction; what is recorded has its own.
//!
//! Not here: what is kept of a message and what comes next in a replay (`market`, `cassette`).

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::FromRequestParts as _;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tradewind_engine::Supervisor;
use tradewind_market::cassette::listening::Listening;
use tradewind_market::cassette::tap::Tap;
use tradewind_market::cassette::{Ending, From, Next, Player, Recorder, Reel};

use super::straight::Straight;
use crate::http::problem;

/// Bytes that are read at once.
const PIECE: usize = 16 * 1024;
/// Upper bound on a message of a program in a replay.
const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;
/// How long the program may take to answer that a connection ends.
const CLOSE_LIMIT: Duration = Duration::from_secs(10);
/// With what a connection is closed on which something is said that is not in the cassette. Private use, so that
/// no provider and no client means something by it; its last digits are those of 599.
const NOT_PLAYED: u16 = 4599;

/// Says whether a call asks for a WebSocket.
pub(super) fn is_handshake(request: &Request<Incoming>) -> bool {
    let upgrade = request.headers().get(header::UPGRADE);
    let upgrade = upgrade.and_then(|value| value.to_str().ok());
    request.method() == Method::GET
        && upgrade.is_some_and(|value| value.trim().eq_ignore_ascii_case("websocket"))
}

/// Opens a WebSocket at the host itself and carries it; with a recorder what is said on it is written down.
pub(super) async fn carry(
    straight: &Straight,
    (host, port): (&str, u16),
    mut request: Request<Incoming>,
    recorder: Option<&Arc<Recorder>>,
    supervisor: &Supervisor,
) -> Response<Body> {
    request
        .headers_mut()
        .remove(header::SEC_WEBSOCKET_EXTENSIONS);
    let path = request.uri().path_and_query();
    let path = path.map_or("/", |whole| whole.as_str()).to_owned();
    let opening = recorder.and_then(|it| it.begin_stream(host, &path, request.headers()));
    let here = hyper::upgrade::on(&mut request);
    let mut response = match straight.send((host, port), request, supervisor).await {
        Ok(response) => response,
        Err(error) => {
            if let (Some(recorder), Some(opening)) = (recorder, &opening) {
                recorder.not_opened(opening);
            }
            return problem(
                StatusCode::BAD_GATEWAY,
                "the stream was not opened",
                &error.to_string(),
            );
        }
    };
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        if let (Some(recorder), Some(opening)) = (recorder, &opening) {
            recorder.not_opened(opening);
        }
        return response.map(Body::new);
    }
    let noted = recorder.zip(opening).and_then(|(recorder, opening)| {
        let listening = recorder.opened(opening, protocol(response.headers()))?;
        Some((Arc::clone(recorder), listening))
    });
    let there = hyper::upgrade::on(&mut response);
    let token = supervisor.token();
    supervisor.start_once("carried stream", async move {
        let (here, there) = match (here.await, there.await) {
            (Ok(here), Ok(there)) => (here, there),
            (Err(error), _) | (_, Err(error)) => {
                tracing::debug!(%error, "a stream ended before it began");
                return;
            }
        };
        tokio::select! {
            // Cancel-safe, both: the program that asked has ended.
            () = token.cancelled() => {}
            () = both_ways(here, there, noted.as_ref()) => {}
        }
    });
    let (parts, _) = response.into_parts();
    Response::from_parts(parts, Body::empty())
}

fn protocol(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::SEC_WEBSOCKET_PROTOCOL)?;
    value.to_str().ok().map(str::to_owned)
}

async fn both_ways(
    program: Upgraded,
    provider: Upgraded,
    noted: Option<&(Arc<Recorder>, Listening)>,
) {
    let (mut said, mut shown) = tokio::io::split(TokioIo::new(program));
    let (mut answers, mut asked) = tokio::io::split(TokioIo::new(provider));
    tokio::join!(
        one_way(&mut said, &mut asked, From::Program, noted),
        one_way(&mut answers, &mut shown, From::Provider, noted),
    );
}

/// Carries one direction until it ends.
async fn one_way(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    who: From,
    noted: Option<&(Arc<Recorder>, Listening)>,
) {
    let mut tap = Tap::default();
    let mut piece = vec![0; PIECE];
    // Whatever ends it, both sides see for themselves.
    while let Ok(count @ 1..) = from.read(&mut piece).await {
        let bytes = piece.get(..count).unwrap_or_default();
        if let Some((recorder, listening)) = noted {
            for seen in tap.see(bytes) {
                recorder.seen(*listening, who, seen);
            }
        }
        if to.write_all(bytes).await.is_err() {
            break;
        }
    }
    if let Some((recorder, listening)) = noted {
        recorder.gone(*listening, who);
    }
    drop(to.shutdown().await);
}

/// Answers a WebSocket from a cassette.
pub(super) async fn play(
    player: &Arc<Player>,
    host: &str,
    request: Request<Incoming>,
    token: CancellationToken,
) -> Response<Body> {
    let path = request.uri().path_and_query();
    let path = path.map_or("/", |whole| whole.as_str()).to_owned();
    let (mut parts, _) = request.into_parts();
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => upgrade,
        Err(rejection) => {
            return problem(
                StatusCode::BAD_REQUEST,
                "this is no handshake of a WebSocket",
                &rejection.body_text(),
            );
        }
    };
    let reel = match player.open(host, &path) {
        Ok(reel) => reel,
        Err(refusal) => return super::way::refused(&refusal),
    };
    let agreed = reel.protocol().map(str::to_owned);
    let upgrade = upgrade.max_message_size(MAX_MESSAGE_BYTES);
    let upgrade = match agreed {
        Some(agreed) => upgrade.protocols([agreed]),
        None => upgrade,
    };
    let player = Arc::clone(player);
    upgrade.on_upgrade(move |socket| async move {
        tokio::select! {
            // Cancel-safe, both: the program that asked has ended.
            () = token.cancelled() => {}
            () = speak(socket, &player, reel) => {}
        }
    })
}

/// Says what came then and hears what is said now, until either side ends.
async fn speak(mut socket: WebSocket, player: &Player, mut reel: Reel) {
    let close = loop {
        match reel.next() {
            Next::Say(text) => {
                if socket.send(Message::Text(text.into())).await.is_err() {
                    return;
                }
                continue;
            }
            Next::End(Ending::Cut) => return,
            Next::End(Ending::Closed { code, reason }) => {
                break code.map(|code| (code, reason));
            }
            Next::Wait | Next::End(Ending::Open | Ending::Full) => {}
        }
        let refusal = match socket.recv().await {
            Some(Ok(Message::Text(text))) => match player.hear(&mut reel, &text) {
                Ok(()) => continue,
                Err(refusal) => refusal.to_string(),
            },
            Some(Ok(Message::Binary(_))) => {
                player.cannot_hear(&reel);
                "bytes are in no cassette".to_owned()
            }
            // What is asked by a ping is answered by the socket itself.
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
            Some(Ok(Message::Close(_)) | Err(_)) | None => return,
        };
        tracing::debug!(refusal, "a stream is not played on");
        break Some((NOT_PLAYED, "not in the cassette".to_owned()));
    };
    let frame = close.map(|(code, reason)| CloseFrame {
        code,
        reason: reason.into(),
    });
    if socket.send(Message::Close(frame)).await.is_err() {
        return;
    }
    // A connection that is dropped with something unread is reset, and the code with it: what is still on its
    // way here is read until the program has answered.
    let answered = async { while let Some(Ok(_)) = socket.recv().await {} };
    drop(timeout(CLOSE_LIMIT, answered).await);
}
