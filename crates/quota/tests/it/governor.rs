//! The governor on real sockets, against a server that judges by its own log.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tradewind_catalog::Catalog;
use tradewind_catalog::refusal::FailureClass;
use tradewind_core::Uptime;
use tradewind_host::clock::{SystemClock, SystemUptime};
use tradewind_host::egress::{Egress, EgressError, Method, Request};
use tradewind_journal::{Journal, Options};
use tradewind_quota::{Class, Governor, QuotaSection, Urgency};

use crate::origin::{Conduct, Origin, Policy, Scripted};
use crate::practice;

/// A governor at work, and the end of its keeper.
struct Running {
    governor: Governor,
    shutdown: CancellationToken,
    keeper: tokio::task::JoinHandle<()>,
}

impl Running {
    fn start(state: &Path, catalog: Arc<Catalog>, wire: Arc<dyn Egress>) -> Self {
        Self::with(state, catalog, wire, QuotaSection::default())
    }

    fn with(
        state: &Path,
        catalog: Arc<Catalog>,
        wire: Arc<dyn Egress>,
        config: QuotaSection,
    ) -> Self {
        Self::on(state, catalog, wire, config, Arc::new(SystemUptime::new()))
    }

    fn on(
        state: &Path,
        catalog: Arc<Catalog>,
        wire: Arc<dyn Egress>,
        config: QuotaSection,
        uptime: Arc<dyn Uptime>,
    ) -> Self {
        let governor = tokio::task::block_in_place(|| {
            let journal = Journal::open(Options::new(state, Arc::new(SystemClock))).unwrap();
            Governor::open(journal, uptime, catalog, config, wire).unwrap()
        });
        let shutdown = CancellationToken::new();
        let keeper = {
            let (governor, shutdown) = (governor.clone(), shutdown.clone());
            #[expect(clippy::disallowed_methods, reason = "a test starts its own keeper")]
            tokio::spawn(async move { governor.keep(shutdown).await })
        };
        Self {
            governor,
            shutdown,
            keeper,
        }
    }

    async fn end(self) {
        self.shutdown.cancel();
        self.keeper.await.unwrap();
    }
}

/// A server without a limit of its own, and a governor before it that knows `windows`.
struct Bench {
    origin: Origin,
    running: Running,
    _state: tempfile::TempDir,
}

impl Bench {
    async fn new(windows: &str) -> Self {
        let origin = Origin::start(free()).await;
        let state = tempfile::tempdir().unwrap();
        let running = Running::start(state.path(), practice::catalog(windows), origin.wire());
        Self {
            origin,
            running,
            _state: state,
        }
    }

    async fn fetch(&self, path: &str) -> Result<tradewind_quota::Answer, EgressError> {
        self.running.governor.fetch(practice::get(path)).await
    }
}

fn free() -> Conduct {
    Conduct {
        policy: Policy::Free,
        limit: 1,
        window: Duration::from_secs(1),
        jitter: Duration::ZERO,
        lost_every: 0,
    }
}

fn scripted(status: u16, headers: &[(&'static str, &str)], body: &'static str) -> Scripted {
    Scripted {
        status,
        headers: headers
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect(),
        body,
    }
}

fn post(host: &str) -> Request {
    let url = format!("https://{host}.practice.example/orders");
    Request::new(Method::POST, url.parse().unwrap())
}

fn held(outcome: Result<tradewind_quota::Answer, EgressError>) -> (String, Option<Duration>) {
    match outcome {
        Err(EgressError::Held {
            reason,
            retry_after,
            ..
        }) => (reason, retry_after),
        other => panic!("not held back: {other:?}"),
    }
}

/// Eight workers ask for three seconds; returns the answers they had.
async fn saturate(governor: &Governor, path: &'static str) -> u64 {
    let until = Instant::now() + Duration::from_secs(3);
    let workers = (0..8).map(|_| async {
        let patient = governor.with(Urgency {
            class: Class::Interactive,
            within: Some(Duration::from_secs(2)),
        });
        let mut answers = 0;
        while Instant::now() < until {
            match patient.fetch(practice::get(path)).await {
                Ok(answer) => {
                    assert_eq!(answer.class, None);
                    answers += 1;
                }
                Err(EgressError::Broken { .. }) => {}
                Err(other) => panic!("{other}"),
            }
        }
        answers
    });
    futures_util::future::join_all(workers).await.iter().sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_workers_never_exceed_what_a_server_counts_whatever_its_style() {
    for (policy, style, counts, path) in [
        (Policy::Sliding, "style = \"sliding\"", "requests", "/ping"),
        (
            Policy::Bucket,
            "style = \"bucket\"\nburst = 20",
            "requests",
            "/ping",
        ),
        (Policy::Fixed, "", "requests", "/ping"),
        (Policy::Weighted, "", "weight", "/klines?symbol=A"),
    ] {
        let origin = Origin::start(Conduct {
            policy,
            limit: 20,
            window: Duration::from_secs(1),
            jitter: Duration::from_millis(20),
            lost_every: 17,
        })
        .await;
        let state = tempfile::tempdir().unwrap();
        let catalog = practice::catalog(&practice::window(counts, 20, "1 second", style));
        let running = Running::start(state.path(), catalog, origin.wire());
        let answers = saturate(&running.governor, path).await;
        let counted = origin.stats();
        assert_eq!(
            (counted.refused, counted.banned),
            (0, 0),
            "{policy:?} {counted:?}"
        );
        assert!(counted.lost > 0, "{policy:?} {counted:?}");
        assert!(answers > 10, "{policy:?} {counted:?}");
        running.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_without_room_before_its_deadline_is_refused_at_once_and_told_when() {
    let bench = Bench::new(&practice::window("requests", 2, "1 hour", "")).await;
    for _ in 0..2 {
        bench.fetch("/klines?symbol=A").await.unwrap();
    }
    let begun = Instant::now();
    let (reason, after) = held(bench.fetch("/klines?symbol=A").await);
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(reason.contains("no room"), "{reason}");
    let after = after.unwrap();
    assert!(
        after > Duration::from_mins(59) && after < Duration::from_mins(62),
        "{after:?}"
    );
    assert_eq!(bench.origin.paths().len(), 2);
    bench.running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_spent_stays_spent_over_a_clean_end_and_an_abrupt_one() {
    let origin = Origin::start(free()).await;
    let state = tempfile::tempdir().unwrap();
    let catalog = practice::catalog(&practice::window("requests", 3, "1 hour", ""));
    let one = Running::start(state.path(), Arc::clone(&catalog), origin.wire());
    one.governor
        .fetch(practice::get("/klines?symbol=A"))
        .await
        .unwrap();
    one.end().await;
    let two = Running::start(state.path(), Arc::clone(&catalog), origin.wire());
    assert_eq!(two.governor.view().windows.len(), 0, "nobody has asked yet");
    two.governor
        .fetch(practice::get("/klines?symbol=A"))
        .await
        .unwrap();
    assert_eq!(two.governor.view().windows[0].used, 2);
    // The keeper is gone from one moment to the next, and with it whatever it still wanted to write.
    two.keeper.abort();
    drop(two.keeper.await);
    drop(two.governor);
    let three = Running::start(state.path(), catalog, origin.wire());
    three
        .governor
        .fetch(practice::get("/klines?symbol=A"))
        .await
        .unwrap();
    held(
        three
            .governor
            .fetch(practice::get("/klines?symbol=A"))
            .await,
    );
    three.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_call_waits_as_long_as_it_was_told_and_comes_again() {
    let bench = Bench::new("").await;
    bench
        .origin
        .script([scripted(429, &[("Retry-After", "1")], "{}")]);
    let begun = Instant::now();
    let answer = bench.fetch("/klines?symbol=A").await.unwrap();
    assert_eq!((answer.class, answer.attempts), (None, 2));
    assert!(begun.elapsed() >= Duration::from_secs(1));
    bench.running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_and_a_spent_quota_are_told_and_not_repeated() {
    let bench = Bench::new(&practice::window("requests", 25, "1 day", "")).await;
    bench
        .origin
        .script([scripted(200, &[], "{\"error\": \"unknown key\"}")]);
    let answer = bench.fetch("/klines?symbol=A").await.unwrap();
    assert_eq!(
        (answer.class, answer.attempts),
        (Some(FailureClass::Auth), 1)
    );
    // A refusal that comes with status 200: the window is full from now on, whatever we counted.
    bench
        .origin
        .script([scripted(200, &[], "{\"error\": \"daily limit\"}")]);
    let answer = bench.fetch("/klines?symbol=A").await.unwrap();
    assert_eq!(
        (answer.class, answer.attempts),
        (Some(FailureClass::QuotaGone), 1)
    );
    held(bench.fetch("/klines?symbol=A").await);
    assert_eq!(bench.origin.paths().len(), 2);
    bench.running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_passes_straight_through_whatever_is_spent_or_broken() {
    let bench = Bench::new(&practice::window("requests", 1, "1 hour", "")).await;
    bench.fetch("/klines?symbol=A").await.unwrap();
    held(bench.fetch("/klines?symbol=A").await);
    for host in ["api", "broker"] {
        let answer = bench.running.governor.fetch(post(host)).await.unwrap();
        assert_eq!(answer.response.status, 200);
    }
    // An order that fails is never repeated.
    bench.origin.script([scripted(503, &[], "down")]);
    let answer = bench.running.governor.fetch(post("api")).await.unwrap();
    assert_eq!((answer.response.status.as_u16(), answer.attempts), (503, 1));
    assert_eq!(bench.origin.paths().len(), 4);
    bench.running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_fails_is_left_alone_and_tried_again_with_the_cheapest_call() {
    let bench = Bench::new(&practice::window("weight", 1_000, "1 hour", "")).await;
    bench.origin.script(vec![scripted(503, &[], "down"); 100]);
    let (reason, after) = loop {
        match bench.fetch("/trades?symbol=A&key=k1").await {
            Ok(answer) => assert_eq!(answer.class, Some(FailureClass::Outage)),
            other => break held(other),
        }
    };
    assert!(reason.contains("fails"), "{reason}");
    let asked = bench.origin.paths().len();
    assert!(asked >= 5, "fewer failures are no outage");
    bench.origin.script_no_more();
    tokio::time::sleep(after.unwrap() + Duration::from_millis(20)).await;
    let answer = bench.fetch("/trades?symbol=A&key=k1").await.unwrap();
    assert_eq!(answer.class, None);
    assert_eq!(
        bench.origin.paths()[asked..],
        ["/ping?key=k1", "/trades?symbol=A&key=k1"]
    );
    bench.running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_gives_back_what_it_did_not_send() {
    let bench = Bench::new(&practice::window("requests", 2, "1 hour", "")).await;
    bench.fetch("/klines?symbol=A").await.unwrap();
    bench.fetch("/klines?symbol=A").await.unwrap();
    let patient = bench.running.governor.with(Urgency {
        class: Class::Backfill,
        within: None,
    });
    let waiting = patient.fetch(practice::get("/klines?symbol=A"));
    tokio::time::timeout(Duration::from_millis(50), waiting)
        .await
        .unwrap_err();
    let view = bench.running.governor.view();
    assert_eq!((view.waiting, view.windows[0].used), ([0; 4], 2));
    bench.running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_have_windows_of_their_own_and_never_stand_in_a_name() {
    let origin = Origin::start(free()).await;
    let state = tempfile::tempdir().unwrap();
    let window = practice::window("requests", 1, "1 hour", "").replace("address", "key");
    let running = Running::start(state.path(), practice::catalog(&window), origin.wire());
    for key in ["first-secret", "second-secret"] {
        let path = format!("/klines?symbol=A&key={key}");
        running.governor.fetch(practice::get(&path)).await.unwrap();
        held(running.governor.fetch(practice::get(&path)).await);
    }
    let shown = format!("{:?}", running.governor.view());
    assert_eq!(running.governor.view().windows.len(), 2);
    assert!(!shown.contains("secret"), "{shown}");
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shadow_counts_and_holds_nothing_back() {
    let origin = Origin::start(free()).await;
    let state = tempfile::tempdir().unwrap();
    let catalog = practice::catalog(&practice::window("requests", 1, "1 hour", ""));
    let config = QuotaSection {
        shadow: true,
        ..QuotaSection::default()
    };
    let running = Running::with(state.path(), catalog, origin.wire(), config);
    for _ in 0..3 {
        running
            .governor
            .fetch(practice::get("/klines?symbol=A"))
            .await
            .unwrap();
    }
    let view = running.governor.view();
    assert_eq!((view.windows[0].used, view.would_wait), (3, 2));
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_of_nobody_is_let_through() {
    let bench = Bench::new("").await;
    let request = Request::new(Method::GET, "https://elsewhere.example/x".parse().unwrap());
    assert_eq!(
        bench.running.governor.send(request).await.unwrap().status,
        200
    );
    assert!(bench.running.governor.view().gates.is_empty());
    bench.running.end().await;
}

/// The same machine, started again: uptime runs from zero and the boot has another name.
#[derive(Debug)]
struct Restarted {
    boot: &'static str,
    ahead_us: i64,
    uptime: SystemUptime,
}

impl Uptime for Restarted {
    fn now_us(&self) -> i64 {
        self.uptime.now_us().saturating_add(self.ahead_us)
    }

    fn boot(&self) -> Option<String> {
        Some(self.boot.to_owned())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_of_the_machine_a_home_page_tells_that_yesterdays_units_are_back() {
    const DAY_US: i64 = 86_400_000_000;
    let origin = Origin::start(free()).await;
    let state = tempfile::tempdir().unwrap();
    let catalog = practice::catalog(&practice::window("requests", 2, "1 day", ""));
    let restarted = |boot, ahead_us| {
        Arc::new(Restarted {
            boot,
            ahead_us,
            uptime: SystemUptime::new(),
        })
    };
    let begin = |uptime| {
        let wire = origin.wire();
        Running::on(
            state.path(),
            Arc::clone(&catalog),
            wire,
            QuotaSection::default(),
            uptime,
        )
    };
    origin.set_ahead(0);
    let monday = begin(restarted("monday", 0));
    for _ in 0..2 {
        monday.governor.fetch(practice::get("/ping")).await.unwrap();
    }
    held(monday.governor.fetch(practice::get("/ping")).await);
    monday.end().await;
    // Started again at once: the page says that no day has passed.
    let again = begin(restarted("monday evening", 0));
    held(again.governor.fetch(practice::get("/ping")).await);
    again.end().await;
    let asked = origin.paths();
    assert_eq!(asked, ["/ping", "/ping", "/"]);
    // A machine that stands still does not count: nobody but the other side knows that a day has passed.
    origin.set_ahead(DAY_US + 400_000_000);
    let tuesday = begin(restarted("tuesday", -DAY_US / 2));
    tuesday
        .governor
        .fetch(practice::get("/ping"))
        .await
        .unwrap();
    assert_eq!(tuesday.governor.view().windows[0].used, 1);
    tuesday.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_does_not_wait_for_anybodys_time_of_day() {
    let origin = Origin::start(free()).await;
    let state = tempfile::tempdir().unwrap();
    let catalog = practice::catalog(&practice::window("requests", 1, "1 day", ""));
    let begin = |boot| {
        let uptime = Restarted {
            boot,
            ahead_us: 0,
            uptime: SystemUptime::new(),
        };
        let (catalog, wire) = (Arc::clone(&catalog), origin.wire());
        Running::on(
            state.path(),
            catalog,
            wire,
            QuotaSection::default(),
            Arc::new(uptime),
        )
    };
    origin.set_ahead(0);
    let monday = begin("monday");
    monday.governor.fetch(practice::get("/ping")).await.unwrap();
    monday.end().await;
    // Yesterday's unit is in the way of data, and the home page would be asked how old it is.
    let tuesday = begin("tuesday");
    tuesday.governor.fetch(post("api")).await.unwrap();
    assert_eq!(origin.paths(), ["/ping", "/orders"]);
    tuesday.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_that_do_not_wait_are_no_outage_and_what_they_sent_is_spent() {
    let slow = Conduct {
        jitter: Duration::from_millis(800),
        ..free()
    };
    let origin = Origin::start(slow).await;
    let state = tempfile::tempdir().unwrap();
    let catalog = practice::catalog(&practice::window("requests", 100, "1 hour", ""));
    let running = Running::start(state.path(), catalog, origin.wire());
    let hurried = running.governor.with(Urgency {
        class: Class::Live,
        within: Some(Duration::from_millis(10)),
    });
    for turn in 0..12 {
        if turn % 2 == 0 {
            hurried.fetch(practice::get("/ping")).await.unwrap_err();
        } else {
            let gone = running.governor.fetch(practice::get("/ping"));
            drop(tokio::time::timeout(Duration::from_millis(10), gone).await);
        }
    }
    let view = running.governor.view();
    assert_eq!(
        view.gates[0].breaker,
        tradewind_quota::view::BreakerView::Closed
    );
    assert!(view.windows[0].used >= 6, "{view:?}");
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_spent_is_believed_from_the_counter() {
    let bench = Bench::new(&practice::window("weight", 100, "1 hour", "")).await;
    // Somebody else with this key has spent 97 already, says the server.
    bench.origin.script([scripted(
        200,
        &[("X-MBX-USED-WEIGHT-1M", "99")],
        "{\"rows\": []}",
    )]);
    bench.fetch("/klines?symbol=A").await.unwrap();
    assert_eq!(bench.running.governor.view().windows[0].used, 99);
    held(bench.fetch("/klines?symbol=A").await);
    bench.running.end().await;
}
