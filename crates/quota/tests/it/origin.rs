//! A server on a loopback socket that enforces a limit by its own reading and counts every violation.
//!
//! It shares no code with the room: what it counts as too much is decided by its own clock and log.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use tradewind_host::egress::{BoxFuture, DirectEgress, Egress, EgressError};
use tradewind_host::egress::{Request as Outgoing, Response as Incoming, Url};

/// How the server reads its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// None at all.
    Free,
    /// At most so many units in each window of its wall clock.
    Fixed,
    /// At most so many units in any span of that length.
    Sliding,
    /// So many units a window flow in, and as many fit.
    Bucket,
    /// Like fixed, with the used weight on every answer, and bans for those who go on.
    Weighted,
}

/// What the server does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conduct {
    pub(crate) policy: Policy,
    pub(crate) limit: u64,
    pub(crate) window: Duration,
    /// Upper bound on the time before counting, and on that after it.
    pub(crate) jitter: Duration,
    /// One answer in so many never comes; 0 for all come.
    pub(crate) lost_every: u64,
}

/// What it counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stats {
    pub(crate) admitted_units: u64,
    pub(crate) refused: u64,
    pub(crate) banned: u64,
    pub(crate) lost: u64,
}

#[derive(Debug)]
struct Count {
    conduct: Conduct,
    stats: Stats,
    answered: u64,
    log: VecDeque<(Instant, u64)>,
    used: u64,
    window: u64,
    tokens: f64,
    filled: Instant,
    seed: u64,
    /// Answers for the next requests, before any limit.
    script: VecDeque<Scripted>,
    paths: Vec<String>,
    /// The time of day that it tells before the true one, in microseconds.
    ahead_us: Option<i64>,
}

/// An answer that was laid out before: status, headers, body.
#[derive(Clone, Debug)]
pub(crate) struct Scripted {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: &'static str,
}

/// The server; it ends with the runtime.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    count: Arc<Mutex<Count>>,
    pub(crate) address: SocketAddr,
}

impl Origin {
    pub(crate) async fn start(conduct: Conduct) -> Self {
        let now = Instant::now();
        #[expect(clippy::cast_precision_loss, reason = "limits are small")]
        let tokens = conduct.limit as f64;
        let count = Arc::new(Mutex::new(Count {
            conduct,
            stats: Stats::default(),
            answered: 0,
            log: VecDeque::new(),
            used: 0,
            window: 0,
            tokens,
            filled: now,
            seed: 0x9e37_79b9_7f4a_7c15,
            script: VecDeque::new(),
            paths: Vec::new(),
            ahead_us: None,
        }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&count));
        #[expect(clippy::disallowed_methods, reason = "a test starts its own server")]
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { count, address }
    }

    pub(crate) fn stats(&self) -> Stats {
        self.count.lock().unwrap().stats
    }

    /// Returns the paths and queries that were asked for, in order of arrival.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.count.lock().unwrap().paths.clone()
    }

    /// Lays out answers for the next requests.
    pub(crate) fn script(&self, answers: impl IntoIterator<Item = Scripted>) {
        self.count.lock().unwrap().script.extend(answers);
    }

    /// Tells the time of day, so much ahead of the true one.
    pub(crate) fn set_ahead(&self, ahead_us: i64) {
        self.count.lock().unwrap().ahead_us = Some(ahead_us);
    }

    /// Takes back what was laid out and not yet given.
    pub(crate) fn script_no_more(&self) {
        self.count.lock().unwrap().script.clear();
    }

    /// Returns a wire on which every host is this server.
    pub(crate) fn wire(&self) -> Arc<dyn Egress> {
        Arc::new(Rerouted {
            to: self.address,
            direct: DirectEgress::loopback().unwrap(),
        })
    }
}

/// A wire on which every host is one server on this machine.
#[derive(Debug)]
pub(crate) struct Rerouted {
    pub(crate) to: SocketAddr,
    pub(crate) direct: DirectEgress,
}

impl Egress for Rerouted {
    fn send(&self, mut request: Outgoing) -> BoxFuture<'_, Result<Incoming, EgressError>> {
        let mut url: Url = request.url.clone();
        url.set_scheme("http").unwrap();
        url.set_host(Some(&self.to.ip().to_string())).unwrap();
        url.set_port(Some(self.to.port())).unwrap();
        request.url = url;
        self.direct.send(request)
    }
}

impl Count {
    fn random(&mut self, below: u64) -> u64 {
        // xorshift64: any spread will do.
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        self.seed % below.max(1)
    }

    fn jitter(&mut self) -> Duration {
        let most = u64::try_from(self.conduct.jitter.as_micros()).unwrap();
        Duration::from_micros(self.random(most + 1))
    }

    #[expect(clippy::cast_precision_loss, reason = "limits are small")]
    fn admits(&mut self, units: u64) -> bool {
        let (limit, window) = (self.conduct.limit, self.conduct.window);
        let now = Instant::now();
        match self.conduct.policy {
            Policy::Free => true,
            Policy::Sliding => {
                while let Some(&(at, spent)) = self.log.front() {
                    if at + window > now {
                        break;
                    }
                    self.used -= spent;
                    self.log.pop_front();
                }
                let fits = self.used + units <= limit;
                if fits {
                    self.used += units;
                    self.log.push_back((now, units));
                }
                fits
            }
            Policy::Bucket => {
                let passed = now.duration_since(self.filled).as_secs_f64();
                self.filled = now;
                let flow = passed * limit as f64 / window.as_secs_f64();
                self.tokens = (self.tokens + flow).min(limit as f64);
                let fits = self.tokens >= units as f64;
                if fits {
                    self.tokens -= units as f64;
                }
                fits
            }
            Policy::Fixed | Policy::Weighted => {
                #[expect(clippy::disallowed_methods, reason = "the other side's own clock")]
                let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
                let current = u64::try_from(wall.as_micros() / window.as_micros()).unwrap();
                if current != self.window {
                    self.window = current;
                    self.used = 0;
                }
                let fits = self.used + units <= limit;
                if fits {
                    self.used += units;
                }
                fits
            }
        }
    }
}

/// Units of a path: `/api/v3/trades?…` is dear, as on the venue that this imitates.
fn units(path: &str) -> u64 {
    if path.contains("/trades") {
        10
    } else if path.contains("/klines") {
        2
    } else {
        1
    }
}

async fn answer(State(count): State<Arc<Mutex<Count>>>, request: Request) -> Response {
    let path = request.uri().to_string();
    let (before, after) = {
        let mut count = count.lock().unwrap();
        (count.jitter(), count.jitter())
    };
    tokio::time::sleep(before).await;
    let (mut response, is_lost) = {
        let mut count = count.lock().unwrap();
        count.answered += 1;
        count.paths.push(path.clone());
        let lost_every = count.conduct.lost_every;
        let is_lost = lost_every > 0 && count.answered % lost_every == 0;
        (count.decide(&path), is_lost)
    };
    tokio::time::sleep(after).await;
    if is_lost {
        count.lock().unwrap().stats.lost += 1;
        let broken = futures_util::stream::once(async {
            Err::<Bytes, _>(std::io::Error::other("the answer is lost"))
        });
        *response.body_mut() = Body::from_stream(broken);
    }
    response
}

impl Count {
    fn decide(&mut self, path: &str) -> Response {
        if let Some(scripted) = self.script.pop_front() {
            let mut response = Response::builder().status(scripted.status);
            for (name, value) in scripted.headers {
                response = response.header(name, value);
            }
            return response.body(Body::from(scripted.body)).unwrap();
        }
        let units = units(path);
        let response = if self.admits(units) {
            self.stats.admitted_units += units;
            Response::builder().status(200)
        } else {
            self.stats.refused += 1;
            // Who goes on while refused is shut out, as on the venue that this imitates.
            if self.conduct.policy == Policy::Weighted && self.stats.refused > 5 {
                self.stats.banned += 1;
                Response::builder().status(418).header("Retry-After", "120")
            } else {
                Response::builder().status(429).header("Retry-After", "1")
            }
        };
        let response = if self.conduct.policy == Policy::Weighted {
            response.header("X-MBX-USED-WEIGHT-1M", self.used.to_string())
        } else {
            response
        };
        let response = match self.ahead_us {
            None => response,
            Some(ahead_us) => {
                #[expect(clippy::disallowed_methods, reason = "the other side's own clock")]
                let now = jiff::Timestamp::now() + jiff::SignedDuration::from_micros(ahead_us);
                let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
                response.header("Date", date)
            }
        };
        response.body(Body::from("{\"rows\":[1]}")).unwrap()
    }
}
