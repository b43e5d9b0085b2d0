//! What held bars cost: ten years of days inside the process, and a million minutes as Arrow over loopback.
//!
//! `cargo bench -p tradewind-market --bench held`. The floor of the second is the same bytes, ready made, from
//! the same server to the same client. Prints milliseconds and ratios; asserts nothing.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measurement stops at the first surprise and prints what it found"
)]

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::routing::get;
use rust_decimal::Decimal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;
use tradewind_core::{Bar, Clock, Interval};
use tradewind_engine::Supervisor;
use tradewind_host::clock::SystemClock;
use tradewind_host::egress::BoxFuture;
use tradewind_journal::{Journal, Options};
use tradewind_market::bars::Bars;
use tradewind_market::coverage::Answered;
use tradewind_market::format::{Format, Numbers};
use tradewind_market::http::stream;
use tradewind_market::plan::Tariff;
use tradewind_market::source::{FetchError, Fetched, Source};
use tradewind_market::store::Store;
use tradewind_market::supply::{Supply, Want};
use tradewind_market::{Grid, Key};
use tradewind_quota::Urgency;

/// How often each is measured; the median counts.
const ROUNDS: usize = 21;
const MINUTES: Key = 1_000_000;

struct Made {
    identity: &'static str,
    grid: Grid,
    length: Key,
}

impl Made {
    fn first(&self) -> Key {
        let now = self.grid.key(SystemClock.now()).unwrap();
        now - self.length - 10
    }
}

impl Source for Made {
    fn identity(&self) -> &str {
        self.identity
    }

    fn provider(&self) -> &'static str {
        "made"
    }

    fn grid(&self) -> &Grid {
        &self.grid
    }

    fn tariff(&self) -> Tariff {
        Tariff::fixed(1, 2_000_000)
    }

    fn is_adjusted(&self) -> bool {
        false
    }

    fn fetch(&self, span: Range<Key>, _: Urgency) -> BoxFuture<'_, Result<Fetched, FetchError>> {
        Box::pin(async move {
            let bars: Vec<(Key, Bar)> = span
                .clone()
                .map(|key| {
                    let price = Decimal::new(10_000 + key.rem_euclid(997), 2);
                    let bar = Bar {
                        start: self.grid.start(key).unwrap(),
                        open: price,
                        high: price + Decimal::ONE,
                        low: price - Decimal::ONE,
                        close: price,
                        volume: Some(Decimal::new(key.rem_euclid(5_003), 0)),
                        is_final: true,
                    };
                    (key, bar)
                })
                .collect();
            let answered = Answered {
                vouched: span.clone(),
                bars: span.clone().collect(),
                final_before: span.end,
            };
            Ok(Fetched {
                proved: vec![answered],
                bars,
                calls: 1,
                notes: Vec::new(),
            })
        })
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

async fn held(supply: &Supply, source: &Arc<dyn Source>, keys: Range<Key>) -> Bars {
    let want = Want {
        keys,
        max_age: Duration::from_hours(1),
        urgency: Urgency::default(),
    };
    let supplied = supply.bars(source, &want).await.unwrap();
    Bars::new(
        source.grid().clone(),
        supplied.rows,
        &supplied.open,
        supplied.open_fetched_us,
        "made",
        false,
    )
}

async fn download(address: std::net::SocketAddr, path: &str) -> (Duration, usize) {
    let began = Instant::now();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        match stream.read(&mut buffer).await.unwrap() {
            0 => return (began.elapsed(), bytes),
            count => bytes += count,
        }
    }
}

#[tokio::main]
async fn main() {
    let dir = tempfile::tempdir().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let journal = Journal::open(Options::new(dir.path(), Arc::clone(&clock))).unwrap();
    let folder = dir.path().join("market");
    let store = tokio::task::spawn_blocking(|| Store::open(journal, folder))
        .await
        .unwrap()
        .unwrap();
    let supervisor = Supervisor::new(None, Arc::clone(&clock), CancellationToken::new());
    let supply = Supply::new(store, clock, supervisor);
    let source = |identity, interval, length| -> (Arc<dyn Source>, Range<Key>) {
        let made = Made {
            identity,
            grid: Grid::utc(interval),
            length,
        };
        let first = made.first();
        (Arc::new(made), first..first + length)
    };

    let (days, ten_years) = source("days", Interval::Day, 2_520);
    held(&supply, &days, ten_years.clone()).await;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        assert_eq!(held(&supply, &days, ten_years.clone()).await.len(), 2_520);
        times.push(began.elapsed());
    }
    println!(
        "ten years of days, in the process: {:.3} ms (goal: 1 ms)",
        ms(median(times))
    );

    let (minutes, million) = source("minutes", Interval::Minutes(1), MINUTES);
    let began = Instant::now();
    held(&supply, &minutes, million.clone()).await;
    println!(
        "a million minutes, fetched and written down: {:.0} ms",
        ms(began.elapsed())
    );
    let ready: Bytes = held(&supply, &minutes, million.clone())
        .await
        .into_table(Numbers::Float)
        .encode(Format::Arrow)
        .unwrap()
        .into();
    let ours = {
        let (supply, minutes, million) = (supply.clone(), Arc::clone(&minutes), million.clone());
        get(move || {
            let (supply, minutes, million) =
                (supply.clone(), Arc::clone(&minutes), million.clone());
            async move {
                let bars = held(&supply, &minutes, million).await;
                stream::arrow(move || bars.into_table(Numbers::Float))
            }
        })
    };
    let router = Router::new()
        .route("/ours", ours)
        .route("/floor", get(move || async move { ready.clone() }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let mut medians = Vec::new();
    for path in ["/floor", "/ours"] {
        let mut times = Vec::new();
        let mut size = 0;
        for _ in 0..ROUNDS {
            let (time, bytes) = download(address, path).await;
            times.push(time);
            size = bytes;
        }
        let median = median(times);
        println!(
            "a million minutes as Arrow over loopback, {path}: {:.1} ms ({} MB)",
            ms(median),
            size / 1_000_000
        );
        medians.push(median);
    }
    println!(
        "ratio to the floor: {:.2} (goal: 80 ms)",
        ms(medians[1]) / ms(medians[0])
    );
    server.abort();
}
