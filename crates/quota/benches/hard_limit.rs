//! How much of a hard limit is used, and how often it is hit, through one daemon for several processes.
//!
//! `cargo bench -p tradewind-quota -- [SECONDS [POLICY…]]`: an origin that enforces 100 units in 10 s (fixed,
//! sliding, bucket; `weighted` 1,200 units of weight in fixed windows with a counter in each answer and
//! bans) with 0–50 ms of jitter before and after counting; eight workers in three processes ask as fast as
//! they may, through one daemon, for 60 s. Each policy runs calm, and once more with faults: the daemon
//! killed and started again twice, its wall clock an hour ahead after the first and an hour behind after
//! the second, one answer in fifty lost. Only the origin's own counts are judged.
//! Peer, measured with the same kind of origin: the best client library 99.5 % with 3 refusals.
//! Nothing here asserts a number; the table shows them.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    dead_code,
    reason = "a bench prints its results, stops at the first surprise and starts its own processes; \
              it shares the origin with the tests, which ask it for more"
)]

#[path = "../tests/it/origin.rs"]
mod origin;
#[path = "../tests/it/practice.rs"]
mod practice;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;
use tradewind_core::Clock;
use tradewind_host::clock::SystemUptime;
use tradewind_host::egress::{DirectEgress, Egress as _, Method, Request};
use tradewind_journal::{Journal, Options};
use tradewind_quota::{Class, Governor, QuotaSection, Urgency};

use origin::{Conduct, Origin, Policy, Rerouted};

const WINDOW: Duration = Duration::from_secs(10);
/// Workers in each of the three processes.
const WORKERS: [u32; 3] = [3, 3, 2];

fn main() {
    let args: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| arg != "--bench")
        .collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    match words.as_slice() {
        ["daemon", origin, state, policy, ahead_s] => {
            let origin = origin.parse().unwrap();
            let ahead = SignedDuration::from_secs(ahead_s.parse().unwrap());
            daemon(&runtime, origin, Path::new(state), policy_of(policy), ahead);
        }
        ["worker", daemon, count, seconds, policy] => {
            let until = Duration::from_secs_f64(seconds.parse().unwrap());
            let path = path(policy_of(policy));
            runtime.block_on(work(daemon, count.parse().unwrap(), until, path));
        }
        [] | [_, ..] => {
            let seconds = words.first().and_then(|text| text.parse().ok());
            let mut policies: Vec<Policy> =
                words.iter().skip(1).map(|name| policy_of(name)).collect();
            if policies.is_empty() {
                policies = vec![
                    Policy::Fixed,
                    Policy::Sliding,
                    Policy::Bucket,
                    Policy::Weighted,
                ];
            }
            println!(
                "policy    run     used of quota   429   418   lost   (peer: 99.5 %, 3, –, –)"
            );
            for policy in policies {
                for is_faulty in [false, true] {
                    run(&runtime, policy, seconds.unwrap_or(60), is_faulty);
                }
            }
        }
    }
}

fn policy_of(name: &str) -> Policy {
    match name {
        "fixed" => Policy::Fixed,
        "sliding" => Policy::Sliding,
        "bucket" => Policy::Bucket,
        "weighted" => Policy::Weighted,
        other => panic!("{other} is no policy"),
    }
}

fn name(policy: Policy) -> &'static str {
    match policy {
        Policy::Fixed => "fixed",
        Policy::Sliding => "sliding",
        Policy::Bucket => "bucket",
        Policy::Weighted => "weighted",
        Policy::Free => "free",
    }
}

fn path(policy: Policy) -> &'static str {
    if policy == Policy::Weighted {
        "/klines?symbol=A"
    } else {
        "/ping"
    }
}

fn limit(policy: Policy) -> u64 {
    if policy == Policy::Weighted {
        1_200
    } else {
        100
    }
}

fn catalog(policy: Policy) -> Arc<tradewind_catalog::Catalog> {
    let (counts, rest) = match policy {
        Policy::Fixed => ("requests", FIXED),
        Policy::Weighted => ("weight", FIXED),
        Policy::Sliding | Policy::Free => ("requests", "style = \"sliding\""),
        Policy::Bucket => ("requests", "style = \"bucket\"\nburst = 100"),
    };
    practice::catalog(&practice::window(counts, limit(policy), "10 seconds", rest))
}

const FIXED: &str = "style = \"fixed\"\nresets = { at = \"00:00\", zone = \"UTC\" }";

fn run(runtime: &tokio::runtime::Runtime, policy: Policy, seconds: u64, is_faulty: bool) {
    let length = Duration::from_secs(seconds);
    let origin = runtime.block_on(Origin::start(Conduct {
        policy,
        limit: limit(policy),
        window: WINDOW,
        jitter: Duration::from_millis(50),
        lost_every: if is_faulty { 50 } else { 0 },
    }));
    let state = tempfile::tempdir().unwrap();
    if matches!(policy, Policy::Fixed | Policy::Weighted) {
        // Whole windows are measured.
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let into = wall.as_nanos() % WINDOW.as_nanos();
        std::thread::sleep(
            WINDOW.saturating_sub(Duration::from_nanos(u64::try_from(into).unwrap())),
        );
    }
    let begun = Instant::now();
    let mut daemon = start_daemon(&origin, state.path(), policy, 0, 0);
    let mut workers: Vec<Child> = WORKERS
        .iter()
        .map(|count| {
            let args = [
                "worker".to_owned(),
                daemon.1.to_string(),
                count.to_string(),
                length.as_secs_f64().to_string(),
                name(policy).to_owned(),
            ];
            child(&args).spawn().unwrap()
        })
        .collect();
    if is_faulty {
        for (part, ahead_s) in [(1, 3_600), (2, -3_600)] {
            let until = length * part / 3;
            std::thread::sleep(until.saturating_sub(begun.elapsed()));
            daemon.0.kill().unwrap();
            daemon.0.wait().unwrap();
            daemon = start_daemon(&origin, state.path(), policy, ahead_s, daemon.1.port());
        }
    }
    std::thread::sleep(length.saturating_sub(begun.elapsed()));
    let counted = origin.stats();
    for worker in &mut workers {
        worker.kill().unwrap_or_default();
        worker.wait().unwrap();
    }
    daemon.0.kill().unwrap();
    daemon.0.wait().unwrap();
    let windows = length.as_secs_f64() / WINDOW.as_secs_f64();
    let burst = if policy == Policy::Bucket { 1.0 } else { 0.0 };
    let quota = limit(policy) as f64 * (windows + burst);
    println!(
        "{:9} {:7} {:10.2} % {:8} {:5} {:6}",
        name(policy),
        if is_faulty { "faults" } else { "calm" },
        100.0 * counted.admitted_units as f64 / quota,
        counted.refused - counted.banned,
        counted.banned,
        counted.lost,
    );
}

fn child(args: &[String]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(args).stdout(Stdio::piped());
    command
}

/// Starts the daemon on `port` (0 for any) and returns it with its address once it answers.
fn start_daemon(
    origin: &Origin,
    state: &Path,
    policy: Policy,
    ahead_s: i64,
    port: u16,
) -> (Child, SocketAddr) {
    let args = [
        "daemon".to_owned(),
        origin.address.to_string(),
        state.to_str().unwrap().to_owned(),
        name(policy).to_owned(),
        ahead_s.to_string(),
    ];
    let mut child = child(&args).env("PORT", port.to_string()).spawn().unwrap();
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    (child, line.trim().parse().unwrap())
}

/// A wall clock that is wrong by so much.
#[derive(Debug)]
struct Stepped(SignedDuration);

impl Clock for Stepped {
    fn now(&self) -> Timestamp {
        Timestamp::now() + self.0
    }
}

fn daemon(
    runtime: &tokio::runtime::Runtime,
    origin: SocketAddr,
    state: &Path,
    policy: Policy,
    ahead: SignedDuration,
) {
    let journal = Journal::open(Options::new(state, Arc::new(Stepped(ahead)))).unwrap();
    let wire = Arc::new(Rerouted {
        to: origin,
        direct: DirectEgress::loopback().unwrap(),
    });
    let uptime = Arc::new(SystemUptime::new());
    let governor = {
        let config = QuotaSection::default();
        Governor::open(journal, uptime, catalog(policy), config, wire).unwrap()
    };
    runtime.block_on(async move {
        let keeper = governor.clone();
        tokio::spawn(async move { keeper.keep(CancellationToken::new()).await });
        let port: u16 = std::env::var("PORT").unwrap().parse().unwrap();
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port))
            .await
            .unwrap();
        println!("{}", listener.local_addr().unwrap());
        std::io::stdout().flush().unwrap();
        let patient = governor.with(Urgency {
            class: Class::Interactive,
            within: Some(Duration::from_mins(2)),
        });
        let router = Router::new().fallback(pass).with_state(patient);
        axum::serve(listener, router).await.unwrap();
    });
}

async fn pass(State(governor): State<Governor>, uri: Uri) -> StatusCode {
    let request = practice::get(&uri.to_string());
    match governor.fetch(request).await {
        Ok(answer) => answer.response.status,
        Err(_) => StatusCode::BAD_GATEWAY,
    }
}

async fn work(daemon: &str, count: u32, length: Duration, path: &str) {
    let until = Instant::now() + length;
    let url: tradewind_host::egress::Url = format!("http://{daemon}{path}").parse().unwrap();
    let direct = DirectEgress::loopback().unwrap();
    let workers = (0..count).map(|_| {
        let (direct, url) = (direct.clone(), url.clone());
        async move {
            while Instant::now() < until {
                let mut request = Request::new(Method::GET, url.clone());
                request.timeout = Duration::from_secs(150);
                if direct.send(request).await.is_err() {
                    // The daemon is gone for a moment.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    });
    futures_util::future::join_all(workers).await;
}
