//! Who asks gets exactly what a cold fetch would give, for the fewest calls, whoever else asks and goes away.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use rust_decimal::Decimal;
use tokio_util::sync::CancellationToken;
use tradewind_catalog::refusal::FailureClass;
use tradewind_core::{Bar, Clock, Interval};
use tradewind_engine::Supervisor;
use tradewind_host::clock::SystemClock;
use tradewind_host::egress::BoxFuture;
use tradewind_journal::{Journal, Options};
use tradewind_market::coverage::Answered;
use tradewind_market::plan::Tariff;
use tradewind_market::source::{FetchError, Fetched, Source};
use tradewind_market::store::Store;
use tradewind_market::supply::{Supplied, Supply, Want};
use tradewind_market::{Grid, Key};
use tradewind_quota::Urgency;

/// A clock that a test moves, in minutes since 1970.
#[derive(Debug, Default)]
struct Minutes(AtomicI64);

impl Clock for Minutes {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::SeqCst) * 60 + 30).unwrap()
    }
}

/// A provider with bars of its own; it answers after a while and writes down what it was asked.
struct Provider {
    identity: String,
    grid: Grid,
    max_rows: u64,
    clock: Arc<Minutes>,
    bars: Mutex<BTreeMap<Key, i64>>,
    asked: Mutex<Vec<Range<Key>>>,
    takes: Duration,
    is_down: AtomicBool,
    is_adjusted: bool,
    sent: AtomicU64,
}

impl Provider {
    fn new(clock: &Arc<Minutes>, bars: impl IntoIterator<Item = (Key, i64)>) -> Self {
        Self {
            identity: "practice/AAPL/1m".to_owned(),
            grid: Grid::utc(Interval::Minutes(1)),
            max_rows: 1_000,
            clock: Arc::clone(clock),
            bars: Mutex::new(bars.into_iter().collect()),
            asked: Mutex::default(),
            takes: Duration::ZERO,
            is_down: AtomicBool::new(false),
            is_adjusted: false,
            sent: AtomicU64::new(0),
        }
    }

    fn calls(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }

    fn now(&self) -> Key {
        self.clock.0.load(Ordering::SeqCst)
    }
}

fn bar(key: Key, cents: i64, is_final: bool) -> Bar {
    let price = Decimal::new(cents, 2);
    Bar {
        start: Timestamp::from_second(key * 60).unwrap(),
        open: price,
        high: price,
        low: price,
        close: price,
        volume: None,
        is_final,
    }
}

impl Source for Provider {
    fn identity(&self) -> &str {
        &self.identity
    }

    fn provider(&self) -> &'static str {
        "practice"
    }

    fn grid(&self) -> &Grid {
        &self.grid
    }

    fn tariff(&self) -> Tariff {
        Tariff::fixed(1, self.max_rows)
    }

    fn is_adjusted(&self) -> bool {
        self.is_adjusted
    }

    fn fetch(&self, span: Range<Key>, _: Urgency) -> BoxFuture<'_, Result<Fetched, FetchError>> {
        Box::pin(async move {
            self.sent.fetch_add(1, Ordering::SeqCst);
            self.asked.lock().unwrap().push(span.clone());
            tokio::time::sleep(self.takes).await;
            if self.is_down.load(Ordering::SeqCst) {
                return Err(FetchError::Refused {
                    provider: "practice".to_owned(),
                    class: FailureClass::Outage,
                    said: "503".to_owned(),
                });
            }
            let now = self.now();
            let bars = self.bars.lock().unwrap();
            let bars = bars.range(span.start..span.end.min(now + 1));
            let bars: Vec<_> = bars
                .map(|(key, cents)| (*key, bar(*key, *cents, *key < now)))
                .collect();
            let answered = Answered {
                vouched: span.start..span.end.min(now + 1),
                bars: bars.iter().map(|(key, _)| *key).collect(),
                final_before: now,
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

struct House {
    supply: Supply,
    supervisor: Supervisor,
    clock: Arc<Minutes>,
    _dir: tempfile::TempDir,
}

fn house(now: Key) -> House {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(Minutes::default());
    clock.0.store(now, Ordering::SeqCst);
    let options = Options::new(dir.path(), Arc::new(SystemClock));
    let journal = Journal::open_without_flushing(options).unwrap();
    let store = Store::open(journal, dir.path().join("market")).unwrap();
    let supervisor = Supervisor::new(None, Arc::new(SystemClock), CancellationToken::new());
    House {
        supply: Supply::new(store, Arc::<Minutes>::clone(&clock), supervisor.clone()),
        supervisor,
        clock,
        _dir: dir,
    }
}

fn want(keys: Range<Key>) -> Want {
    Want {
        keys,
        max_age: Duration::from_secs(90),
        urgency: Urgency::default(),
    }
}

fn cents(supplied: &Supplied) -> BTreeMap<Key, i64> {
    let of =
        |price: Decimal| i64::try_from(price.mantissa()).unwrap() * 10_i64.pow(2 - price.scale());
    let rows = &supplied.rows;
    let held = rows
        .keys()
        .iter()
        .enumerate()
        .map(|(place, key)| (*key, of(rows.exact(place, 3).unwrap())));
    held.chain(supplied.open.iter().map(|(key, bar)| (*key, of(bar.close))))
        .collect()
}

async fn ask(house: &House, source: &Arc<Provider>, keys: Range<Key>) -> BTreeMap<Key, i64> {
    let source = Arc::<Provider>::clone(source) as Arc<dyn Source>;
    let supplied = house.supply.bars(&source, &want(keys)).await.unwrap();
    assert!(supplied.unknown.is_empty(), "{:?}", supplied.unknown);
    cents(&supplied)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    /// Minutes without a trade are no gaps once somebody has vouched for it, and nothing is asked for twice.
    #[test]
    fn whatever_was_asked_before_the_bars_are_those_of_a_cold_fetch(
        traded in prop::collection::btree_map(0..2_000_i64, 1..100_000_i64, 1..400),
        asked in prop::collection::vec((0..2_100_i64, 1..900_i64, 0..3_i64), 1..12),
        max_rows in 1..500_u64,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let house = house(1_500);
            let mut provider = Provider::new(&house.clock, traded.clone());
            provider.max_rows = max_rows;
            let provider = Arc::new(provider);
            for (start, length, later) in asked {
                let now = house.clock.0.fetch_add(later, Ordering::SeqCst) + later;
                let keys = start..start + length;
                let truth: BTreeMap<_, _> = traded
                    .range(keys.start..keys.end.min(now + 1).max(keys.start))
                    .map(|(key, cents)| (*key, *cents))
                    .collect();
                prop_assert_eq!(&ask(&house, &provider, keys.clone()).await, &truth);
                let calls = provider.calls();
                prop_assert_eq!(&ask(&house, &provider, keys).await, &truth);
                prop_assert_eq!(provider.calls(), calls, "asked again for what is known");
            }
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn a_thousand_who_want_the_same_cost_one_call_and_those_who_go_away_cancel_nobody() {
    let house = house(5_000);
    let mut provider = Provider::new(&house.clock, (0..500).map(|key| (key, 100)));
    provider.takes = Duration::from_millis(300);
    let provider = Arc::new(provider);
    let mut waiting = tokio::task::JoinSet::new();
    for number in 0..1_000 {
        let (supply, source) = (house.supply.clone(), Arc::<Provider>::clone(&provider));
        waiting.spawn(async move {
            let source = source as Arc<dyn Source>;
            // The first to come, whose fetch it is, goes first.
            let patience = Duration::from_millis(if number % 2 == 0 { 100 } else { 60_000 });
            // Some want a part of what the others want.
            let keys = if number % 3 == 0 { 100..200 } else { 0..500 };
            let wanted = want(keys);
            let asked = supply.bars(&source, &wanted);
            tokio::time::timeout(patience, asked)
                .await
                .ok()
                .map(|got| got.unwrap().rows.len())
        });
        if number == 0 {
            // The first one's call is the smaller one: then two are needed, and no more.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    let mut served = 0;
    while let Some(got) = waiting.join_next().await {
        if let Some(rows) = got.unwrap() {
            assert!(rows == 500 || rows == 100, "{rows}");
            served += 1;
        }
    }
    assert_eq!(served, 500);
    let mut asked = provider.asked.lock().unwrap().clone();
    asked.sort_by_key(|span| span.start);
    // A call for a hundred fetches a thousand for the same price.
    assert_eq!(asked, [0..100, 100..1_100]);
}

#[tokio::test]
async fn a_provider_that_is_down_costs_the_newest_bars_and_says_so() {
    let house = house(1_000);
    let provider = Arc::new(Provider::new(
        &house.clock,
        (0..3_000).map(|key| (key, 100)),
    ));
    ask(&house, &provider, 0..1_001).await;
    house.clock.0.store(1_010, Ordering::SeqCst);
    provider.is_down.store(true, Ordering::SeqCst);
    let source = Arc::<Provider>::clone(&provider) as Arc<dyn Source>;
    let stale = house.supply.bars(&source, &want(0..2_000)).await.unwrap();
    assert_eq!(stale.rows.len(), 1_000);
    assert!(stale.stale.is_some());
    let error = house
        .supply
        .bars(&source, &want(-10..2_000))
        .await
        .unwrap_err();
    assert!(error.may_fall_back(), "{error}");
    provider.is_down.store(false, Ordering::SeqCst);
    assert_eq!(ask(&house, &provider, 0..2_000).await.len(), 1_011);
}

#[tokio::test]
async fn the_open_bar_is_served_while_it_is_young_and_never_kept() {
    let house = house(100);
    let provider = Arc::new(Provider::new(&house.clock, (0..300).map(|key| (key, 100))));
    assert_eq!(ask(&house, &provider, 90..200).await.len(), 11);
    provider.bars.lock().unwrap().insert(100, 777);
    assert_eq!(
        ask(&house, &provider, 90..200).await[&100],
        100,
        "a minute old at most"
    );
    assert_eq!(provider.calls(), 1);
    house.clock.0.store(101, Ordering::SeqCst);
    let later = ask(&house, &provider, 90..200).await;
    assert_eq!((later[&100], later.len()), (777, 12));
    // From what was open before, then from where the first call ended.
    let asked = provider.asked.lock().unwrap().clone();
    assert!(
        asked.iter().skip(1).all(|span| span.start >= 100),
        "{asked:?}"
    );
}

#[tokio::test]
async fn a_split_is_seen_at_the_seam_and_everything_before_it_is_fetched_again() {
    let house = house(1_000);
    let mut provider = Provider::new(&house.clock, (0..1_000).map(|key| (key, 400)));
    provider.is_adjusted = true;
    let provider = Arc::new(provider);
    ask(&house, &provider, 0..1_000).await;
    // Two for one, and the provider adjusts all that was before.
    provider
        .bars
        .lock()
        .unwrap()
        .extend((0..1_200).map(|key| (key, 200)));
    house.clock.0.store(1_100, Ordering::SeqCst);
    ask(&house, &provider, 900..1_100).await;
    let all = ask(&house, &provider, 0..1_100).await;
    assert_eq!(all.len(), 1_100);
    assert!(
        all.values().all(|cents| *cents == 200),
        "bars of two scales are mixed"
    );
}

/// A window that moves a day at a time, as backtests do it: 500 days of 20 symbols, minutes for brevity.
#[tokio::test]
async fn a_rolling_backtest_asks_fifty_times_less_than_a_cache_of_addresses() {
    let house = house(600);
    let (mut ours, mut by_address) = (0, 0);
    for symbol in 0..20 {
        let mut provider = Provider::new(&house.clock, (0..600).map(|key| (key, key + symbol)));
        provider.identity = format!("practice/{symbol}/1m");
        let provider = Arc::new(provider);
        for day in 0..500 {
            let bars = ask(&house, &provider, day..day + 60).await;
            assert_eq!(
                bars,
                (day..day + 60).map(|key| (key, key + symbol)).collect()
            );
            by_address += 1;
        }
        ours += provider.calls();
    }
    // A window has moved on by a day each time, so each address is new.
    assert!(
        by_address / ours >= 50,
        "{ours} calls instead of {by_address}"
    );
    assert_eq!(house.supervisor.running().len(), 0);
}
