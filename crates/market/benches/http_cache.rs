//! What a listener costs beside bare hyper that answers the same from a map, and what waiting for somebody else's call
//! costs beside asking oneself.
//!
//! `cargo bench -p tradewind-market --bench http_cache`. Requests per CPU-second of the server's thread (Linux; per
//! second elsewhere), rounds of both in turn, medians; then 1,000 clients for one address that is not held, straight
//! at the origin and through the listener. Metrics and attribution are on. Prints ratios; asserts nothing.
//!
//! For outside load tools: `-- floor PORT` serves `/2k.json` and `/200k.json` as bare hyper, `-- serve PORT ORIGIN`
//! is a listener before `ORIGIN` (`http://127.0.0.1:…`). 1,000 clients take 4,000 file descriptors: `ulimit -n 8192`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement stops at the first surprise and prints what it found"
)]

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, RwLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{AGE, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Barrier;
use tokio_util::sync::CancellationToken;
use tradewind_core::Clock;
use tradewind_engine::Supervisor;
use tradewind_host::clock::SystemClock;
use tradewind_host::egress::{DirectEgress, Url};
use tradewind_journal::{Journal, Options};
use tradewind_market::http_cache::{Front, Rules, Sharing, Store as Answers};
use tradewind_market::listener::{Guard, Listener, Parts, To};
use tradewind_market::store::Store;
use tradewind_market::usage::Usage;

/// Rounds of each server in each cell; the median counts.
const ROUNDS: usize = 7;
/// How long a round lasts.
const ROUND: Duration = Duration::from_millis(1_500);
/// Clients that ask for one address at once.
const CLIENTS: usize = 1_000;
/// How long the origin takes for an answer that nobody holds.
const SLOW: Duration = Duration::from_millis(200);

fn main() {
    let args: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| arg != "--bench")
        .collect();
    match args
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["floor", port] => {
            let (server, _count) = Server::floor(port.parse().unwrap());
            println!("bare hyper: http://{}", server.address);
            std::thread::park();
        }
        ["serve", port, origin] => {
            let kit = Kit::new();
            let server = kit.listener(port.parse().unwrap(), origin);
            println!("listener: http://{}", server.address);
            std::thread::park();
        }
        _ => {
            hits();
            coalescing();
        }
    }
}

fn hits() {
    let (floor, _count) = Server::floor(0);
    let kit = Kit::new();
    let listener = kit.listener(0, &format!("http://{}", floor.address));
    println!("requests per second of the server, bare hyper / listener (ratio); p99 in ms");
    for (path, connections) in [("/2k.json", 32), ("/2k.json", 256), ("/200k.json", 32)] {
        let mut rounds = [Vec::new(), Vec::new()];
        let mut lates = [Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            for (which, server) in [&floor, &listener].into_iter().enumerate() {
                let (rate, p99) = load(server, path, connections);
                rounds[which].push(rate);
                lates[which].push(p99);
            }
        }
        let [bare, ours] = rounds.map(median);
        let [bare_late, our_late] = lates.map(median);
        println!(
            "{path} c={connections}: {bare:.0} / {ours:.0} ({:.2}); p99 {bare_late:.2} / {our_late:.2} ({:.2})",
            ours / bare,
            our_late / bare_late
        );
    }
}

/// Asks a server as fast as it answers, and returns its rate and the 99th percentile of waits in milliseconds.
fn load(server: &Server, path: &str, connections: usize) -> (f64, f64) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let before = server.busy();
    let began = Instant::now();
    let mut waits = runtime.block_on(async {
        let mut clients = tokio::task::JoinSet::new();
        for _ in 0..connections {
            let (address, path) = (server.address, path.to_owned());
            clients.spawn(async move {
                let mut client = Client::open(address).await;
                let mut waits = Vec::new();
                while began.elapsed() < ROUND {
                    let asked = Instant::now();
                    assert_eq!(client.get(&path).await, 200);
                    waits.push(asked.elapsed());
                }
                waits
            });
        }
        clients.join_all().await.concat()
    });
    let busy = match (before, server.busy()) {
        (Some(before), Some(after)) => after.checked_sub(before).unwrap(),
        _ => began.elapsed(),
    };
    waits.sort();
    (
        f64::from(u32::try_from(waits.len()).unwrap()) / busy.as_secs_f64(),
        millis(waits[waits.len() * 99 / 100]),
    )
}

fn coalescing() {
    let (floor, count) = Server::floor(0);
    let kit = Kit::new();
    let listener = kit.listener(0, &format!("http://{}", floor.address));
    println!(
        "{CLIENTS} clients at once, origin takes {} ms; p50 / p99 in ms",
        SLOW.as_millis()
    );
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for kind in ["cacheable", "no-store", "error"] {
        let mut straight = Vec::new();
        let mut shared = Vec::new();
        for round in 0..5 {
            let path = format!("/slow/{kind}/{round}");
            straight.push(runtime.block_on(crowd(floor.address, &path)));
            let before = count.load(Ordering::SeqCst);
            shared.push(runtime.block_on(crowd(listener.address, &path)));
            let calls = count.load(Ordering::SeqCst) - before;
            assert_eq!(calls, 1, "{kind}: the origin was asked {calls} times");
        }
        let of = |all: &[(f64, f64)], pick: fn(&(f64, f64)) -> f64| {
            median(all.iter().map(pick).collect())
        };
        let (p50, p99) = (of(&straight, |r| r.0), of(&straight, |r| r.1));
        let (our_p50, our_p99) = (of(&shared, |r| r.0), of(&shared, |r| r.1));
        println!(
            "{kind}: straight {p50:.0} / {p99:.0}, {CLIENTS} requests; listener {our_p50:.0} / {our_p99:.0}, 1 request; added p99 {:.0}",
            our_p99 - p99
        );
    }
}

/// Lets everybody ask at the same moment, on connections that are open.
async fn crowd(address: SocketAddr, path: &str) -> (f64, f64) {
    let barrier = Arc::new(Barrier::new(CLIENTS));
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..CLIENTS {
        let mut client = Client::open(address).await;
        let (barrier, path) = (Arc::clone(&barrier), path.to_owned());
        clients.spawn(async move {
            barrier.wait().await;
            let asked = Instant::now();
            client.get(&path).await;
            asked.elapsed()
        });
    }
    let mut waits = clients.join_all().await;
    waits.sort();
    (
        millis(waits[CLIENTS / 2]),
        millis(waits[CLIENTS * 99 / 100]),
    )
}

/// A client with one connection, that reads no more of an answer than it must.
struct Client {
    stream: TcpStream,
    host: SocketAddr,
    buffer: Vec<u8>,
}

impl Client {
    async fn open(host: SocketAddr) -> Self {
        let stream = TcpStream::connect(host).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            host,
            buffer: vec![0; 256 * 1024],
        }
    }

    /// Asks, and returns the status.
    async fn get(&mut self, path: &str) -> u16 {
        let head = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.host);
        self.stream.write_all(head.as_bytes()).await.unwrap();
        let mut filled = 0;
        let end = loop {
            filled += self.stream.read(&mut self.buffer[filled..]).await.unwrap();
            let found = self.buffer[..filled]
                .windows(4)
                .position(|part| part == b"\r\n\r\n");
            if let Some(end) = found {
                break end + 4;
            }
        };
        let head = std::str::from_utf8(&self.buffer[..end]).unwrap();
        let status = head[9..12].parse().unwrap();
        let length = head
            .split("\r\n")
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse::<usize>().unwrap());
        let mut left = (end + length).checked_sub(filled).unwrap();
        while left > 0 {
            let room = left.min(self.buffer.len());
            left -= self.stream.read(&mut self.buffer[..room]).await.unwrap();
        }
        status
    }
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn millis(wait: Duration) -> f64 {
    wait.as_secs_f64() * 1_000.0
}

/// A server on a thread of its own.
struct Server {
    address: SocketAddr,
    /// Where the system counts the time of that thread.
    times: Option<std::path::PathBuf>,
}

impl Server {
    fn start(port: u16, serve: impl FnOnce(StdListener) + Send + 'static) -> Self {
        let listener = StdListener::bind(("127.0.0.1", port)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        std::thread::spawn(move || {
            let here = std::fs::read_link("/proc/thread-self").ok();
            let times = here.map(|here| std::path::Path::new("/proc").join(here).join("schedstat"));
            tell.send(times).unwrap();
            serve(listener);
        });
        Self {
            address,
            times: told.recv().unwrap(),
        }
    }

    /// Returns how long its thread has been busy.
    fn busy(&self) -> Option<Duration> {
        let text = std::fs::read_to_string(self.times.as_ref()?).ok()?;
        let nanos = text.split(' ').next()?.parse().ok()?;
        Some(Duration::from_nanos(nanos))
    }

    /// Bare hyper over a map, which is the origin as well; counts what is slow.
    fn floor(port: u16) -> (Self, Arc<AtomicUsize>) {
        let slow = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&slow);
        let server = Self::start(port, move |listener| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(floor(listener, counted));
        });
        (server, slow)
    }
}

async fn floor(listener: StdListener, slow: Arc<AtomicUsize>) {
    let listener = TcpListener::from_std(listener).unwrap();
    let bodies: HashMap<String, Bytes> = [("/2k.json", 2_048), ("/200k.json", 204_800)]
        .into_iter()
        .map(|(path, length)| (path.to_owned(), Bytes::from(vec![b'1'; length])))
        .collect();
    let bodies = Arc::new(RwLock::new(bodies));
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (bodies, slow) = (Arc::clone(&bodies), Arc::clone(&slow));
        let service = service_fn(move |request: Request<Incoming>| {
            let held = bodies.read().unwrap().get(request.uri().path()).cloned();
            let slow = Arc::clone(&slow);
            async move {
                if let Some(body) = held {
                    return Ok::<_, Infallible>(answer(body, "max-age=3600"));
                }
                slow.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(SLOW).await;
                let path = request.uri().path();
                let control = if path.contains("cacheable") {
                    "max-age=60"
                } else {
                    "no-store"
                };
                let mut answer = answer(Bytes::from(vec![b'1'; 2_048]), control);
                if path.contains("error") {
                    *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                }
                Ok(answer)
            }
        });
        let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move { drop(served.await) });
    }
}

fn answer(body: Bytes, control: &'static str) -> Response<One> {
    let mut response = Response::new(One(Some(body)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(control));
    headers.insert(ETAG, HeaderValue::from_static("\"abc123\""));
    headers.insert(AGE, HeaderValue::from(0));
    response
}

/// A body in one piece.
struct One(Option<Bytes>);

impl Body for One {
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

/// What a daemon has besides its listeners.
struct Kit {
    runtime: tokio::runtime::Runtime,
    supervisor: Supervisor,
    usage: Usage,
    clock: Arc<dyn Clock>,
    _dir: tempfile::TempDir,
}

impl Kit {
    fn new() -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let journal = Journal::open(Options::new(dir.path(), Arc::clone(&clock))).unwrap();
        Store::open(journal.clone(), dir.path().join("market")).unwrap();
        let usage = Usage::new(journal);
        let token = CancellationToken::new();
        let supervisor = Supervisor::new(None, Arc::clone(&clock), token.clone());
        let kept = usage.clone();
        runtime.spawn(async move { kept.keep(token).await });
        Self {
            runtime,
            supervisor,
            usage,
            clock,
            _dir: dir,
        }
    }

    fn listener(&self, port: u16, origin: &str) -> Server {
        let (supervisor, clock, usage) = (
            self.supervisor.clone(),
            Arc::clone(&self.clock),
            self.usage.clone(),
        );
        let base = Url::parse(origin).unwrap();
        let _inside = self.runtime.enter();
        let answers = Arc::new(Answers::new(256 << 20));
        // As the edge does it: the right host name, and no other site's page.
        let guard: Guard = Arc::new(|_method, _uri, headers| {
            let is_ours = headers
                .get("host")
                .is_some_and(|host| host.as_bytes().starts_with(b"127.0.0.1:"));
            let is_page = headers.contains_key("origin") || headers.contains_key("sec-fetch-site");
            if is_ours && !is_page {
                return Ok(());
            }
            Err((StatusCode::FORBIDDEN, "not ours", "ask for 127.0.0.1"))
        });
        let listener = Listener::new(Parts {
            name: "bench".to_owned(),
            guard,
            to: To::Origin {
                front: Front::new(answers, Rules::FULL, Arc::clone(&clock), supervisor.clone()),
                base,
                wire: DirectEgress::loopback().unwrap(),
                sharing: Sharing::Every,
            },
            usage,
            clock,
            supervisor,
        })
        .unwrap();
        Server::start(port, move |socket| {
            listener.run(socket, CancellationToken::new()).unwrap();
        })
    }
}
