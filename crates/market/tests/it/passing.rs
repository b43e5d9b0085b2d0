//! What tests of pass-through and listeners stand on: an origin on a real socket that keeps what it saw, a gateway
//! whose calls for Alpaca all lead there, and clients on real sockets.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response as Reply};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tradewind_catalog::Catalog;
use tradewind_core::clock::FixedClock;
use tradewind_engine::Supervisor;
use tradewind_host::clock::{SystemClock, SystemUptime};
use tradewind_host::egress::{DirectEgress, Egress, Request, Response, Url};
use tradewind_journal::{Journal, Options};
use tradewind_market::config::MarketSection;
use tradewind_market::http_cache::{Front, Rules, Sharing, Store as Answers};
use tradewind_market::listener::{Guard, Listener, Parts, To};
use tradewind_market::pass::{Call, Pass, PassError, Passed};
use tradewind_market::secrets::Keyring;
use tradewind_market::store::Store;
use tradewind_market::usage::Usage;
use tradewind_quota::{Governor, QuotaSection, Urgency};
use tradewind_sandbox::Detour;

pub(crate) const NOW: &str = "2026-11-23T12:00:00Z";
/// Data that the catalog knows.
pub(crate) const BARS: &str = "/v2/stocks/bars?symbols=AAPL&timeframe=1Day";

/// A request as the origin saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }
}

/// How the origin answers: status, headers, body.
pub(crate) type Said = (u16, Vec<(&'static str, String)>, String);
type Conduct = Arc<dyn Fn(usize, &Seen) -> Said + Send + Sync>;

/// An origin that does what it is told and keeps what it saw.
#[derive(Clone)]
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    gate: Arc<Semaphore>,
    conduct: Conduct,
    answered: Arc<AtomicUsize>,
}

impl Origin {
    /// Answers at once.
    pub(crate) async fn open(
        conduct: impl Fn(usize, &Seen) -> Said + Send + Sync + 'static,
    ) -> Self {
        let origin = Self::held(conduct).await;
        origin.release();
        origin
    }

    /// Answers nobody before [`Origin::release`].
    pub(crate) async fn held(
        conduct: impl Fn(usize, &Seen) -> Said + Send + Sync + 'static,
    ) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = Self {
            address: listener.local_addr().unwrap(),
            seen: Arc::default(),
            gate: Arc::new(Semaphore::new(0)),
            conduct: Arc::new(conduct),
            answered: Arc::default(),
        };
        let router = Router::new().fallback(answer).with_state(origin.clone());
        #[expect(clippy::disallowed_methods, reason = "a test starts its own origin")]
        tokio::spawn(async move { axum::serve(listener, router).await });
        origin
    }

    pub(crate) fn release(&self) {
        self.gate.add_permits(1_000_000);
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn requests(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// Waits until the origin has so many requests.
    pub(crate) async fn reached(&self, requests: usize) {
        until(|| self.requests() >= requests).await;
    }
}

/// Waits for something that must come; the test's own time limit ends what never does.
pub(crate) async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        tokio::task::yield_now().await;
    }
}

async fn answer(
    State(origin): State<Origin>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Reply {
    let seen = Seen {
        method,
        path: uri.to_string(),
        headers,
        body,
    };
    origin.seen.lock().unwrap().push(seen.clone());
    let _through = origin.gate.acquire().await.unwrap();
    let number = origin.answered.fetch_add(1, Ordering::SeqCst) + 1;
    let (status, lines, body) = (origin.conduct)(number, &seen);
    let mut reply = (StatusCode::from_u16(status).unwrap(), body).into_response();
    for (name, value) in lines {
        let value = value.parse().unwrap();
        let name = HeaderName::from_static(name);
        reply.headers_mut().append(name, value);
    }
    reply
}

/// A gateway with a key of its own, whose calls for providers all lead to one origin.
pub(crate) struct Gateway {
    pub(crate) pass: Pass,
    pub(crate) front: Front,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) usage: Usage,
    pub(crate) journal: Journal,
    answers: Arc<Answers>,
    supervisor: Supervisor,
    shutdown: CancellationToken,
    _dir: tempfile::TempDir,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl Gateway {
    pub(crate) fn before(origin: &Origin) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("key"), "our-key").unwrap();
        std::fs::write(dir.path().join("secret"), "our-secret").unwrap();
        let catalog = Arc::new(Catalog::builtin());
        let wire: Arc<dyn Egress> = Arc::new(Detour::new(origin.address).unwrap());
        let state = dir.path().to_owned();
        let known = Arc::clone(&catalog);
        let (journal, governor) = tokio::task::block_in_place(move || {
            let journal = Journal::open(Options::new(&state, Arc::new(SystemClock))).unwrap();
            Store::open(journal.clone(), state.join("market")).unwrap();
            let uptime = Arc::new(SystemUptime::new());
            let section = QuotaSection::default();
            let governor = Governor::open(journal.clone(), uptime, known, section, wire);
            (journal, governor.unwrap())
        });
        let clock = Arc::new(FixedClock::at(NOW.parse().unwrap()));
        let shutdown = CancellationToken::new();
        let supervisor = Supervisor::new(None, clock.clone(), shutdown.clone());
        let keeper = governor.clone();
        supervisor.start_once("keeper", {
            let token = shutdown.clone();
            async move { keeper.keep(token).await }
        });
        let file = |name: &str| (name.to_owned(), format!("file:{name}"));
        let section = MarketSection {
            keys: BTreeMap::from([(
                "alpaca".to_owned(),
                BTreeMap::from([file("key"), file("secret")]),
            )]),
            ..MarketSection::default()
        };
        let keyring = Keyring::new(Arc::clone(&catalog), section, dir.path().to_owned());
        let answers = Arc::new(Answers::new(64 << 20));
        let front = Front::new(
            Arc::clone(&answers),
            Rules::STRICT,
            clock.clone(),
            supervisor.clone(),
        );
        let usage = Usage::new(journal.clone());
        let pass = Pass::new(
            catalog,
            governor,
            keyring,
            usage.clone(),
            clock.clone(),
            front.clone(),
        );
        Self {
            pass,
            front,
            clock,
            usage,
            journal,
            answers,
            supervisor,
            shutdown,
            _dir: dir,
        }
    }

    /// Sends a call as pass-through does.
    pub(crate) async fn send(&self, call: Call) -> Result<Passed, PassError> {
        self.pass.send(call).await
    }

    /// Moves the clock on.
    pub(crate) fn later(&self, seconds: i64) {
        use tradewind_core::Clock as _;
        let now = self.clock.now();
        self.clock
            .set(now + jiff::SignedDuration::from_secs(seconds));
    }

    /// Opens a listener for Alpaca, or for `origin` itself.
    pub(crate) fn listen(&self, to: To) -> Port {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // The edge's guard has tests of its own; here only that it is asked.
        let guard: Guard = Arc::new(|_method, _uri, headers: &HeaderMap| {
            if headers.contains_key("x-stranger") {
                return Err((StatusCode::FORBIDDEN, "a stranger", "go away"));
            }
            Ok(())
        });
        let parts = Parts {
            name: "suite".to_owned(),
            guard,
            to,
            usage: self.usage.clone(),
            clock: self.clock.clone(),
            supervisor: self.supervisor.clone(),
        };
        let serving = Listener::new(parts).unwrap();
        let token = self.shutdown.clone();
        std::thread::spawn(move || serving.run(listener, token));
        Port { address }
    }

    pub(crate) fn to_alpaca(&self, host: Option<&str>) -> To {
        To::Provider {
            pass: self.pass.clone(),
            provider: "alpaca".to_owned(),
            host: host.map(str::to_owned),
        }
    }

    pub(crate) fn to_origin(&self, origin: &Origin, sharing: Sharing) -> To {
        let answers = Arc::clone(&self.answers);
        To::Origin {
            front: Front::new(
                answers,
                Rules::FULL,
                self.clock.clone(),
                self.supervisor.clone(),
            ),
            base: Url::parse(&format!("http://{}", origin.address)).unwrap(),
            wire: DirectEgress::loopback().unwrap(),
            sharing,
        }
    }
}

/// A listener that clients can ask.
#[derive(Clone, Copy)]
pub(crate) struct Port {
    pub(crate) address: SocketAddr,
}

impl Port {
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        lines: &[(&'static str, &str)],
        body: &'static str,
    ) -> Response {
        let url = Url::parse(&format!("http://{}{path}", self.address)).unwrap();
        let mut request = Request::new(method, url);
        request.headers = headers(lines);
        request.body = Bytes::from_static(body.as_bytes());
        request.timeout = Duration::from_mins(1);
        let client = DirectEgress::loopback().unwrap();
        client.send(request).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str, lines: &[(&'static str, &str)]) -> Response {
        self.ask(Method::GET, path, lines, "").await
    }
}

pub(crate) fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(HeaderName::from_static(name), value.parse().unwrap());
    }
    headers
}

/// A call as a bot makes it to Alpaca.
pub(crate) fn call(
    method: Method,
    host: Option<&str>,
    path: &str,
    lines: &[(&'static str, &str)],
) -> Call {
    Call {
        provider: "alpaca".to_owned(),
        host: host.map(str::to_owned),
        method,
        path_and_query: path.to_owned(),
        headers: headers(lines),
        body: Bytes::new(),
        consumer: "bot.py".to_owned(),
        urgency: Urgency::default(),
    }
}

pub(crate) fn text(response: &Response) -> &str {
    std::str::from_utf8(&response.body).unwrap()
}

pub(crate) fn said(response: &Response, name: &str) -> String {
    let values = response.headers.get_all(name).iter();
    let values: Vec<_> = values.map(|value| value.to_str().unwrap()).collect();
    values.join(", ")
}
