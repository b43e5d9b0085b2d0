//! A port of its own for one provider, or for one origin that the user named, for programs that can only change
//! a host name.
//!
//! Why bare hyper and one thread: a hit is a look into memory, and everything around it would cost more than it
//! does (docs/decisions/0012). Whole bodies and their heads leave in one vectored write. What is not held is asked
//! for on the daemon's own runtime, so that a slow origin delays no hit, and a call that was begun is ended
//! although its caller went away.
//! - When it acts: a connection that asks nothing for [`IDLE_TICKS`] is closed; when [`MAX_CONNECTIONS`] are open, the
//!   next ones wait.
//! - When it ends: what has been asked is answered, for at most [`FLUSH_LIMIT`].
//! - First start: nothing is kept but what the cache holds.
//!
//! Not here: who may ask (the guard is the edge's), what may be kept ([`crate::http_cache`]).

mod seat;

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tradewind_core::Clock;
use tradewind_engine::Supervisor;
use tradewind_host::egress::{
    BoxFuture, DirectEgress, Egress, EgressError, Request, Response, Url,
};
use tradewind_quota::Urgency;

use crate::http::{Problem, consumer, failed, urgency};
use crate::http_cache::{Ask, Credential, Fetched, Front, Key, Origin, Sharing};
use crate::pass::{Call, Destination, Pass, PassError, Passed, counts, end_to_end};
use crate::usage::{self, Counts, Tally, Usage};
use seat::{Seat, Seats, TICK, Word};

/// Upper bound on connections open at once.
const MAX_CONNECTIONS: usize = 4_096;
/// How long the head of a request may take, and how long a connection may be idle, in [`TICK`]s.
const IDLE_TICKS: u64 = 60;
/// How long answers may take once the daemon ends.
const FLUSH_LIMIT: Duration = Duration::from_secs(2);
/// Pause after a connection could not be taken, as when no file descriptor is left.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);
/// How long the body of a request may take.
const BODY_LIMIT: Duration = Duration::from_mins(1);
/// Upper bound on a request's body, in bytes.
const MAX_REQUEST_BYTES: usize = 16 * 1024 * 1024;
/// Upper bound on an answer, in bytes.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;
/// How long a call that may change something may take.
const CHANGE_LIMIT: Duration = Duration::from_mins(2);
/// Upper bound on what is counted apart; the rest is counted for `others`.
const MAX_TALLIES: usize = 1_024;

/// Decides whether a request may be answered; a refusal has a status, what is wrong and what to do.
pub type Guard = Arc<
    dyn Fn(&Method, &Uri, &HeaderMap) -> Result<(), (StatusCode, &'static str, &'static str)>
        + Send
        + Sync,
>;

/// What a listener is made of.
pub struct Parts {
    /// Its name in the configuration.
    pub name: String,
    /// Who may ask.
    pub guard: Guard,
    /// Where calls go.
    pub to: To,
    /// Counts who asked.
    pub usage: Usage,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Runs what is not held.
    pub supervisor: Supervisor,
}

/// Where the calls of a listener go.
pub enum To {
    /// To a provider of the catalog, as pass-through does.
    Provider {
        /// Passes them on.
        pass: Pass,
        /// Name of the provider.
        provider: String,
        /// Which of its hosts; the first that answers data if `None`.
        host: Option<String>,
    },
    /// To an origin on this machine.
    Origin {
        /// Its cache.
        front: Front,
        /// Its address, without path.
        base: Url,
        /// The way to it.
        wire: DirectEgress,
        /// Which answers are shared.
        sharing: Sharing,
    },
}

enum Way {
    Provider {
        pass: Pass,
        to: Destination,
        host: Option<String>,
    },
    Origin {
        front: Front,
        base: String,
        origin: Arc<dyn Origin>,
        sharing: Sharing,
    },
}

/// Answers at one port. Cheap to clone.
#[derive(Clone)]
pub struct Listener {
    shared: Arc<Shared>,
    bounds: Bounds,
}

/// What connections are allowed; tests allow less.
#[derive(Clone, Copy)]
struct Bounds {
    max_connections: usize,
    tick: Duration,
    idle_ticks: u64,
}

struct Shared {
    name: String,
    guard: Guard,
    way: Way,
    usage: Usage,
    clock: Arc<dyn Clock>,
    supervisor: Supervisor,
    /// Where calls run that somebody has to be asked for.
    daemon: Handle,
    /// What an origin's answers are counted as.
    label: Arc<str>,
    tallies: Mutex<Tallies>,
    /// How many [`TICK`]s it has been open.
    tick: AtomicU64,
}

/// Where answers are counted: by who asked, and by what for.
#[derive(Default)]
struct Tallies {
    count: usize,
    /// Of callers that do not say who they are.
    unnamed: HashMap<Arc<str>, Arc<Tally>>,
    named: HashMap<String, HashMap<Arc<str>, Arc<Tally>>>,
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener")
            .field("name", &self.shared.name)
            .finish_non_exhaustive()
    }
}

/// A server on this machine as an origin.
struct Local(DirectEgress);

impl Origin for Local {
    fn fetch(&self, request: Request) -> BoxFuture<'_, Result<Fetched, EgressError>> {
        Box::pin(async move {
            let mut response = self.0.send(request).await?;
            let length = response.headers.remove("content-length");
            response.headers = end_to_end(&response.headers);
            // An answer to HEAD has no body that could say how long it is.
            if let Some(length) = length.filter(|_| response.body.is_empty()) {
                response.headers.insert("content-length", length);
            }
            Ok(Fetched {
                response,
                calls: 1,
                is_refusal: false,
            })
        })
    }
}

impl Listener {
    /// Builds a listener whose calls run on the present runtime.
    ///
    /// # Errors
    /// [`PassError`] when the catalog has no such provider or host.
    pub fn new(parts: Parts) -> Result<Self, PassError> {
        let way = match parts.to {
            To::Provider {
                pass,
                provider,
                host,
            } => {
                let to = pass.destination(&provider, host.as_deref())?;
                Way::Provider { pass, to, host }
            }
            To::Origin {
                front,
                base,
                wire,
                sharing,
            } => {
                let base = base.as_str().trim_end_matches('/').to_owned();
                let origin: Arc<dyn Origin> = Arc::new(Local(wire));
                Way::Origin {
                    front,
                    base,
                    origin,
                    sharing,
                }
            }
        };
        Ok(Self {
            shared: Arc::new(Shared {
                name: parts.name,
                guard: parts.guard,
                way,
                usage: parts.usage,
                clock: parts.clock,
                supervisor: parts.supervisor,
                daemon: Handle::current(),
                label: format!("{}other", usage::PASSED).into(),
                tallies: Mutex::default(),
                tick: AtomicU64::new(0),
            }),
            bounds: Bounds {
                max_connections: MAX_CONNECTIONS,
                tick: TICK,
                idle_ticks: IDLE_TICKS,
            },
        })
    }

    /// Serves `listener` on a runtime of this thread until `shutdown` fires; blocks.
    ///
    /// # Errors
    /// When the runtime or the listener cannot be made ready.
    pub fn run(
        self,
        listener: std::net::TcpListener,
        shutdown: CancellationToken,
    ) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            listener.set_nonblocking(true)?;
            self.serve(TcpListener::from_std(listener)?, shutdown).await;
            Ok(())
        })
    }

    /// Serves `listener` until `shutdown` fires.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) {
        let mut tasks = JoinSet::new();
        let mut seats = Seats::default();
        let mut ticks = tokio::time::interval(self.bounds.tick);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_room = tasks.len() < self.bounds.max_connections;
            tokio::select! {
                // Cancel-safe: it only waits.
                () = shutdown.cancelled() => break,
                // Cancel-safe: a task is taken out or it is not.
                Some(ended) = tasks.join_next_with_id() => {
                    seats.free(match ended {
                        Ok((id, ())) => id,
                        Err(error) => error.id(),
                    });
                }
                // Cancel-safe: it only waits.
                _ = ticks.tick() => {
                    let tick = self.shared.tick.fetch_add(1, Ordering::Relaxed) + 1;
                    seats.look(tick, self.bounds.idle_ticks);
                }
                // Cancel-safe: a connection is taken or it is not.
                accepted = listener.accept(), if is_room => match accepted {
                    Ok((stream, _from)) => {
                        let seat = Seats::seat(self.shared.tick.load(Ordering::Relaxed));
                        let task = tasks.spawn(self.clone().connection(stream, Arc::clone(&seat)));
                        seats.take(task.id(), seat);
                    }
                    Err(error) => {
                        tracing::warn!(%error, "connection cannot be taken");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        drop(listener);
        seats.end();
        let all = async { while tasks.join_next().await.is_some() {} };
        drop(tokio::time::timeout(FLUSH_LIMIT, all).await);
    }

    async fn connection(self, stream: TcpStream, seat: Arc<Seat>) {
        // An answer is one write: waiting for more of it would only delay it.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "small answers of a connection may be late");
        }
        let seated = Arc::clone(&seat);
        let service = service_fn(move |request| {
            let (listener, seat) = (self.clone(), Arc::clone(&seated));
            async move {
                seat.asks();
                let answer = listener.answer(request).await;
                seat.waits(listener.shared.tick.load(Ordering::Relaxed));
                Ok::<_, Infallible>(answer)
            }
        });
        let mut served = std::pin::pin!(
            http1::Builder::new()
                .writev(true)
                .serve_connection(TokioIo::new(stream), service)
        );
        let mut is_ending = false;
        poll_fn(|cx| {
            match seat.word(cx.waker()) {
                Word::Leave => return Poll::Ready(()),
                Word::Finish if !is_ending => {
                    is_ending = true;
                    served.as_mut().graceful_shutdown();
                }
                Word::Stay | Word::Finish => {}
            }
            served.as_mut().poll(cx).map(|ended| {
                if let Err(error) = ended {
                    tracing::debug!(%error, "connection ended");
                }
            })
        })
        .await;
    }

    async fn answer(&self, request: hyper::Request<Incoming>) -> hyper::Response<Whole> {
        let shared = &self.shared;
        let (method, uri, headers) = (request.method(), request.uri(), request.headers());
        if let Err((status, title, detail)) = (shared.guard)(method, uri, headers) {
            return refused(status, title, detail);
        }
        if method == Method::CONNECT {
            return refused(
                StatusCode::METHOD_NOT_ALLOWED,
                "this is no proxy",
                "ask for a path; `tradewind exec` has a proxy",
            );
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let now = shared.clock.now();
        let hit = match &shared.way {
            Way::Provider { pass, to, .. } => pass.hit(to, method, path, headers, now),
            Way::Origin { front, base, .. } if is_cacheable(method) => {
                let key = Key::of(&[base, path]);
                front.hit(method, &key, headers, Credential::NONE, now)
            }
            Way::Origin { .. } => None,
        };
        if let Some(served) = hit {
            let counts = Counts {
                answers: 1,
                hits: 1,
                ..Counts::default()
            };
            self.tally(consumer(headers), &served.label)
                .count(now, counts);
            return whole(served.response);
        }
        self.asked(request).await
    }

    /// Answers what is not held, on the daemon's runtime.
    async fn asked(&self, request: hyper::Request<Incoming>) -> hyper::Response<Whole> {
        let (head, body) = request.into_parts();
        // Cancel-safe: what has come by then is thrown away with the connection.
        let body = tokio::time::timeout(BODY_LIMIT, collect(body)).await;
        let Ok(Some(body)) = body else {
            return refused(
                StatusCode::PAYLOAD_TOO_LARGE,
                "the body is too large, or did not come whole",
                "send at most 16 MiB within a minute",
            );
        };
        let urgency = match urgency(&head.headers, self.shared.clock.now()) {
            Ok(urgency) => urgency,
            Err(problem) => return told(problem),
        };
        let (tell, answered) = oneshot::channel();
        let listener = self.clone();
        {
            let _there = self.shared.daemon.enter();
            self.shared
                .supervisor
                .start_once("listener call", async move {
                    drop(tell.send(listener.pass(head, body, urgency).await));
                });
        }
        match answered.await {
            Ok(Ok(mut passed)) => {
                if passed.how.is_none() {
                    let status = hyper::header::HeaderValue::from_static("tradewind; fwd=bypass");
                    passed.response.headers.append("cache-status", status);
                }
                whole(passed.response)
            }
            Ok(Err(error)) => told(failed(&error)),
            Err(_gone) => refused(
                StatusCode::BAD_GATEWAY,
                "the call was ended before it had an answer",
                "the daemon ends, or its log says more",
            ),
        }
    }

    /// Passes a call on, and counts who asked.
    async fn pass(
        &self,
        head: hyper::http::request::Parts,
        body: Bytes,
        urgency: Urgency,
    ) -> Result<Passed, PassError> {
        let shared = &self.shared;
        let who = consumer(&head.headers);
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let (passed, label) = match &shared.way {
            Way::Provider { pass, to, host } => {
                let call = Call {
                    provider: to.provider.clone(),
                    host: host.clone(),
                    method: head.method,
                    path_and_query: path.to_owned(),
                    headers: head.headers,
                    body,
                    consumer: shared.name.clone(),
                    urgency,
                };
                let what = pass.what(&call);
                (pass.pass(call, &what).await, Arc::from(what))
            }
            Way::Origin {
                front,
                base,
                origin,
                sharing,
            } => {
                let url =
                    Url::parse(&format!("{base}{path}")).map_err(|_error| PassError::Address)?;
                let mut request = Request::new(head.method, url);
                request.headers = end_to_end(&head.headers);
                request.body = body;
                request.max_body_bytes = MAX_ANSWER_BYTES;
                let ask = Ask {
                    request,
                    key: Key::of(&[base, path]),
                    credential: Credential::NONE,
                    origin: Arc::clone(origin),
                    sharing: *sharing,
                    label: Arc::clone(&shared.label),
                };
                let passed = to_origin(front, ask).await;
                let passed = passed.map_err(|source| PassError::Unheard {
                    provider: shared.name.clone(),
                    source,
                });
                (passed, Arc::clone(&shared.label))
            }
        };
        let tally = self.tally(who, &label);
        tally.count(shared.clock.now(), counts(&passed));
        passed
    }

    /// Returns where the answers to a caller are counted.
    fn tally(&self, who: Option<String>, label: &Arc<str>) -> Arc<Tally> {
        let shared = &self.shared;
        let mut tallies = shared
            .tallies
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let held = match &who {
            Some(who) => tallies.named.get(who).and_then(|of| of.get(label)),
            None => tallies.unnamed.get(label),
        };
        if let Some(tally) = held {
            return Arc::clone(tally);
        }
        let is_room = tallies.count < MAX_TALLIES;
        let name = who.as_deref().unwrap_or(&shared.name);
        let provider = match &shared.way {
            Way::Provider { to, .. } => to.provider.as_str(),
            Way::Origin { .. } => shared.name.as_str(),
        };
        let tally = shared
            .usage
            .tally(if is_room { name } else { "others" }, provider, label);
        if is_room {
            tallies.count += 1;
            let of = match who {
                Some(who) => tallies.named.entry(who).or_default(),
                None => &mut tallies.unnamed,
            };
            of.insert(Arc::clone(label), Arc::clone(&tally));
        }
        tally
    }
}

fn is_cacheable(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

/// Takes a question to an origin on this machine: through the cache, or straight when it may change something.
async fn to_origin(front: &Front, mut ask: Ask) -> Result<Passed, Arc<EgressError>> {
    if is_cacheable(&ask.request.method) {
        let served = front.answer(ask).await?;
        return Ok(Passed {
            response: served.response,
            calls: served.calls,
            how: Some(served.how),
        });
    }
    ask.request.timeout = CHANGE_LIMIT;
    let (method, url) = (ask.request.method.clone(), ask.request.url.clone());
    let fetched = ask.origin.fetch(ask.request).await.map_err(Arc::new)?;
    front.changed(&method, &url, &ask.key, &fetched.response);
    Ok(Passed {
        response: fetched.response,
        calls: fetched.calls,
        how: None,
    })
}

/// Reads a body to its end; `None` when it is too large or breaks off.
async fn collect(mut body: Incoming) -> Option<Bytes> {
    if body.is_end_stream() {
        return Some(Bytes::new());
    }
    let mut all = Vec::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        if let Ok(data) = frame.ok()?.into_data() {
            if all.len() + data.len() > MAX_REQUEST_BYTES {
                return None;
            }
            all.extend_from_slice(&data);
        }
    }
    Some(all.into())
}

/// A body that leaves in one piece, in the same write as its head where the socket takes it.
#[derive(Debug)]
pub struct Whole(Option<Bytes>);

impl Body for Whole {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

fn whole(response: Response) -> hyper::Response<Whole> {
    let body = Some(response.body).filter(|body| !body.is_empty());
    let mut answer = hyper::Response::new(Whole(body));
    *answer.status_mut() = response.status;
    *answer.headers_mut() = response.headers;
    answer
}

fn told(problem: Problem) -> hyper::Response<Whole> {
    let (status, headers, body) = problem.whole();
    whole(Response {
        status,
        headers,
        body,
    })
}

fn refused(status: StatusCode, title: &str, detail: &str) -> hyper::Response<Whole> {
    told(Problem {
        status,
        title: title.to_owned(),
        detail: detail.to_owned(),
        class: None,
        retry_after: None,
    })
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::Instant;
    use tradewind_host::clock::SystemClock;
    use tradewind_journal::{Journal, Options};

    use super::*;
    use crate::http_cache::{Rules, Store};

    /// A listener whose guard refuses everybody, so that no answer needs an origin.
    struct Door {
        address: SocketAddr,
        shutdown: CancellationToken,
        served: JoinSet<()>,
        _dir: tempfile::TempDir,
    }

    impl Door {
        async fn open(bounds: Bounds) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let clock: Arc<dyn Clock> = Arc::new(SystemClock);
            let journal = Journal::open(Options::new(dir.path(), Arc::clone(&clock))).unwrap();
            let shutdown = CancellationToken::new();
            let supervisor = Supervisor::new(None, Arc::clone(&clock), shutdown.clone());
            let answers = Arc::new(Store::new(1 << 20));
            let front = Front::new(answers, Rules::FULL, Arc::clone(&clock), supervisor.clone());
            let mut listener = Listener::new(Parts {
                name: "test".to_owned(),
                guard: Arc::new(|_method, _uri, _headers| {
                    Err((StatusCode::FORBIDDEN, "nobody may", "go away"))
                }),
                to: To::Origin {
                    front,
                    base: Url::parse("http://127.0.0.1:9").unwrap(),
                    wire: DirectEgress::loopback().unwrap(),
                    sharing: Sharing::Every,
                },
                usage: Usage::new(journal),
                clock,
                supervisor,
            })
            .unwrap();
            listener.bounds = bounds;
            let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = socket.local_addr().unwrap();
            let mut served = JoinSet::new();
            served.spawn(listener.serve(socket, shutdown.clone()));
            Self {
                address,
                served,
                shutdown,
                _dir: dir,
            }
        }

        async fn connect(&self) -> TcpStream {
            TcpStream::connect(self.address).await.unwrap()
        }
    }

    async fn ask(stream: &mut TcpStream) {
        let head = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
        stream.write_all(head).await.unwrap();
    }

    /// Reads a whole answer; 0 when the connection has ended.
    async fn status(stream: &mut TcpStream) -> u16 {
        let mut all = Vec::new();
        let mut part = [0; 4096];
        loop {
            let read = stream.read(&mut part).await.unwrap();
            if read == 0 {
                return 0;
            }
            all.extend_from_slice(&part[..read]);
            let text = String::from_utf8_lossy(&all).to_lowercase();
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                continue;
            };
            let length = head.split("content-length: ").nth(1).unwrap();
            let length: usize = length.lines().next().unwrap().parse().unwrap();
            if body.len() == length {
                return head[9..12].parse().unwrap();
            }
        }
    }

    const BOUNDS: Bounds = Bounds {
        max_connections: MAX_CONNECTIONS,
        tick: Duration::from_millis(40),
        idle_ticks: 50,
    };

    #[tokio::test]
    async fn who_asks_nothing_for_long_is_let_go_and_who_asks_stays() {
        let door = Door::open(BOUNDS).await;
        let (mut quiet, mut slow) = (door.connect().await, door.connect().await);
        // The head of a request that never ends is no request.
        slow.write_all(b"GET / HTTP/1.1\r\nHost: ").await.unwrap();
        let mut busy = door.connect().await;
        let began = Instant::now();
        let limit = BOUNDS.tick * u32::try_from(BOUNDS.idle_ticks).unwrap();
        let asks = async {
            while began.elapsed() < limit * 3 / 2 {
                ask(&mut busy).await;
                assert_eq!(status(&mut busy).await, 403);
                tokio::time::sleep(limit / 10).await;
            }
        };
        let leaves = async {
            for stream in [&mut quiet, &mut slow] {
                assert_eq!(status(stream).await, 0);
                assert!(began.elapsed() + BOUNDS.tick * 2 > limit);
            }
        };
        tokio::join!(asks, leaves);
    }

    #[tokio::test]
    async fn when_all_seats_are_taken_the_next_one_waits_for_one() {
        let door = Door::open(Bounds {
            max_connections: 2,
            ..BOUNDS
        })
        .await;
        let mut seated = [door.connect().await, door.connect().await];
        for stream in &mut seated {
            ask(stream).await;
            assert_eq!(status(stream).await, 403);
        }
        let mut third = door.connect().await;
        ask(&mut third).await;
        let early = tokio::time::timeout(Duration::from_millis(300), status(&mut third)).await;
        assert!(early.is_err(), "it was answered beside two others");
        drop(seated);
        let late = tokio::time::timeout(Duration::from_secs(20), status(&mut third)).await;
        assert_eq!(late.unwrap(), 403);
    }

    #[tokio::test]
    async fn the_end_does_not_wait_for_connections_that_ask_nothing() {
        let mut door = Door::open(Bounds {
            tick: TICK,
            ..BOUNDS
        })
        .await;
        let mut asked = door.connect().await;
        ask(&mut asked).await;
        assert_eq!(status(&mut asked).await, 403);
        let mut fresh = door.connect().await;
        // It has a seat before the end comes.
        tokio::time::sleep(Duration::from_millis(100)).await;
        door.shutdown.cancel();
        let began = Instant::now();
        door.served.join_next().await.unwrap().unwrap();
        assert!(began.elapsed() < FLUSH_LIMIT, "{:?}", began.elapsed());
        assert_eq!(status(&mut asked).await, 0);
        assert_eq!(status(&mut fresh).await, 0);
    }
}
