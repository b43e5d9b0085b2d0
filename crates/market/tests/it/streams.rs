//! Streams against the sandbox, over sockets: what a listener gets is compared with the sandbox's own trades.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rust_decimal::Decimal;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tradewind_catalog::Catalog;
use tradewind_catalog::refusal::FailureClass;
use tradewind_core::{Clock, Interval, Side, Trade};
use tradewind_engine::Supervisor;
use tradewind_host::clock::{SystemClock, SystemUptime};
use tradewind_journal::{Journal, Options};
use tradewind_market::config::MarketSection;
use tradewind_market::http_cache::{self, Front, Rules};
use tradewind_market::pass::Pass;
use tradewind_market::secrets::Keyring;
use tradewind_market::service::{MarketError, Parts, Service};
use tradewind_market::store::Store;
use tradewind_market::stream::hub::Pace;
use tradewind_market::stream::{Follow, FollowAsk, Followed, Kind, Told, What};
use tradewind_market::usage::Usage;
use tradewind_quota::{Governor, QuotaSection};
use tradewind_sandbox::market::{Ask, Step, Take};
use tradewind_sandbox::{Accelerated, Fault, FaultKind, Running, Sandbox, Settings};

/// An afternoon on which New York trades; crypto does always.
const NOON: &str = "2025-06-13T15:00:00Z";
/// Upper bound on waiting for one message. Only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// A service whose every wire leads to a sandbox, on one fast clock.
pub(crate) struct World {
    pub(crate) sandbox: Running,
    pub(crate) service: Service,
    pub(crate) pass: Pass,
    supervisor: Supervisor,
    clock: Arc<dyn Clock>,
    _dir: TempDir,
}

impl World {
    /// Minutes of the market pass `factor` times as fast as the machine's.
    pub(crate) async fn new(factor: i32, key: &str) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(Accelerated::new(NOON.parse().unwrap(), factor));
        let sandbox = Sandbox::start(Settings::generous().at(Arc::clone(&clock)))
            .await
            .unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("key"), key).unwrap();
        let catalog = Arc::new(Catalog::builtin());
        let journal = Journal::open(Options::new(dir.path(), Arc::new(SystemClock))).unwrap();
        let quota = QuotaSection::default();
        let governor = Governor::open(
            journal.clone(),
            Arc::new(SystemUptime::new()),
            Arc::clone(&catalog),
            quota.clone(),
            Arc::new(sandbox.detour().unwrap()),
        )
        .unwrap();
        let supervisor = Supervisor::new(None, Arc::new(SystemClock), CancellationToken::new());
        let keeper = governor.clone();
        supervisor.start("ledger", move |token| {
            let keeper = keeper.clone();
            async move {
                keeper.keep(token).await;
                Ok::<_, String>(())
            }
        });
        let file = |id: &str| (id.to_owned(), "file:key".to_owned());
        let section = MarketSection {
            keys: [
                ("alpaca".to_owned(), [file("key"), file("secret")].into()),
                ("finnhub".to_owned(), [file("key")].into()),
                ("polygon".to_owned(), [file("key")].into()),
            ]
            .into(),
            ..MarketSection::default()
        };
        let keyring = Keyring::new(Arc::clone(&catalog), section.clone(), dir.path().to_owned());
        let usage = Usage::new(journal.clone());
        let pass = Pass::new(
            Arc::clone(&catalog),
            governor.clone(),
            keyring.clone(),
            usage.clone(),
            Arc::clone(&clock),
            Front::new(
                Arc::new(http_cache::Store::new(1024 * 1024)),
                Rules::STRICT,
                Arc::clone(&clock),
                supervisor.clone(),
            ),
        );
        let service = Service::new(Parts {
            store: Store::open(journal, dir.path().join("market")).unwrap(),
            keyring,
            catalog,
            governor,
            section,
            quota,
            clock: Arc::clone(&clock),
            supervisor: supervisor.clone(),
            usage,
            pace: Pace {
                linger: Duration::from_millis(100),
                first_pause: Duration::from_millis(50),
                max_pause: Duration::from_millis(200),
                max_stall: Duration::from_millis(300),
            },
        })
        .unwrap();
        Self {
            sandbox,
            service,
            pass,
            supervisor,
            clock,
            _dir: dir,
        }
    }

    async fn follow(&self, instrument: &str, kind: Kind) -> Follow {
        self.try_follow(instrument, kind).await.unwrap()
    }

    async fn follow_at(&self, provider: &str, instrument: &str, kind: Kind) -> Follow {
        let mut ask = ask(instrument, kind);
        ask.provider = Some(provider.to_owned());
        self.service.follow(&ask).await.unwrap()
    }

    async fn try_follow(&self, instrument: &str, kind: Kind) -> Result<Follow, MarketError> {
        self.service.follow(&ask(instrument, kind)).await
    }

    fn fault(&self, provider: &str, kind: FaultKind, times: u32) {
        self.sandbox
            .switch_on(Fault::new(provider, kind).times(times))
            .unwrap();
    }

    /// The sandbox's own trades between the first and the last of those that came.
    fn own(&self, symbol: &str, seen_by: (&str, i64), came: &[Trade], step_ns: i128) -> Vec<Row> {
        let market = self.sandbox.market();
        let mut listing = market.listing(symbol).unwrap();
        if !seen_by.0.is_empty() {
            listing = listing.seen_by(seen_by.0, seen_by.1);
        }
        let (first, last) = (came.first().unwrap(), came.last().unwrap());
        let ns = |trade: &Trade| trade.at.as_nanosecond();
        let span = (ns(first), ns(last) + step_ns);
        let all = market.trades(&listing, span, self.clock.now(), Take::First(usize::MAX));
        let rows = all.iter().map(|trade| {
            let id = trade.id.to_string();
            (
                id,
                trade.price.normalize(),
                trade.size.normalize(),
                trade.is_buy,
            )
        });
        rows.collect()
    }
}

/// Id, price, size, and whether the buyer crossed the spread.
type Row = (String, Decimal, Decimal, bool);

fn rows(came: &[Trade]) -> Vec<Row> {
    came.iter()
        .map(|trade| {
            let id = trade.id.clone().unwrap();
            let id = id.rsplit(':').next().unwrap().to_owned();
            let is_buy = trade.taker == Some(Side::Buy);
            (id, trade.price.normalize(), trade.size.normalize(), is_buy)
        })
        .collect()
}

/// Of providers that do not say who crossed the spread.
fn without_side(rows: Vec<Row>) -> Vec<(String, Decimal, Decimal)> {
    rows.into_iter()
        .map(|(id, price, size, _)| (id, price, size))
        .collect()
}

fn ask(instrument: &str, kind: Kind) -> FollowAsk {
    FollowAsk {
        instrument: instrument.parse().unwrap(),
        kind,
        provider: None,
        feed: None,
        after: None,
        consumer: "test".to_owned(),
    }
}

async fn next(follow: &mut Follow) -> Followed {
    tokio::time::timeout(PATIENCE, follow.next()).await.unwrap()
}

/// What came until there were so many trades.
#[derive(Default)]
struct Came {
    trades: Vec<Trade>,
    notices: Vec<What>,
}

impl Came {
    fn take(&mut self, followed: Followed) {
        match followed {
            Followed::Told(_, Told::Trade(trade)) => self.trades.push(trade),
            Followed::Told(_, Told::Notice(notice)) => self.notices.push(notice.what),
            other => panic!("{other:?}"),
        }
    }

    fn count(&self, what: What) -> usize {
        self.notices.iter().filter(|known| **known == what).count()
    }
}

/// Listens until `count` trades came; at each of `troubles` a fault is switched on.
async fn listened(
    world: &World,
    follow: &mut Follow,
    count: usize,
    troubles: &[(usize, &str, FaultKind)],
) -> Came {
    let mut came = Came::default();
    let mut troubles: BTreeMap<usize, (&str, FaultKind)> = troubles
        .iter()
        .map(|(at, provider, kind)| (*at, (*provider, *kind)))
        .collect();
    while came.trades.len() < count {
        let followed = next(follow).await;
        came.take(followed);
        let at = came.trades.len();
        while let Some(entry) = troubles.first_entry()
            && *entry.key() <= at
        {
            let (provider, kind) = entry.remove();
            world.fault(provider, kind, 1);
        }
    }
    came
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_trade_of_binance_comes_once_whatever_happens_to_the_connection() {
    let world = World::new(300, "right").await;
    let mut follow = world.follow("BTC/USDT@binance", Kind::Trades).await;
    let troubles: Vec<(usize, &str, FaultKind)> = [
        FaultKind::StreamCut,
        FaultKind::StreamGap,
        FaultKind::StreamDuplicate,
        FaultKind::StreamReorder,
        FaultKind::StreamCut,
        FaultKind::StreamUnknown,
        FaultKind::StreamGap,
        FaultKind::StreamDeep,
        FaultKind::StreamCharset,
        FaultKind::StreamDuplicate,
        FaultKind::StreamHuge,
        FaultKind::StreamReorder,
    ]
    .into_iter()
    .zip(1..)
    .map(|(kind, place)| (place * 25, "binance", kind))
    .collect();
    let came = listened(&world, &mut follow, 350, &troubles).await;
    let own = world.own("BTC/USDT", ("binance", 1_000_000), &came.trades, 1_000_000);
    assert_eq!(rows(&came.trades), own);
    assert!(came.count(What::Reconnecting) >= 4, "{:?}", came.notices);
    assert!(came.count(What::GapFound) >= 2, "{:?}", came.notices);
    assert_eq!(came.count(What::GapUnfillable), 0, "{:?}", came.notices);
    assert!(
        world.sandbox.stats().of("binance").requests > 0,
        "nothing was fetched"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_trade_of_coinbase_comes_once_where_only_newest_pages_can_be_fetched() {
    let world = World::new(300, "right").await;
    let mut follow = world.follow("ETH/USD@coinbase", Kind::Trades).await;
    let troubles = [
        (20, "coinbase", FaultKind::StreamGap),
        (45, "coinbase", FaultKind::StreamCut),
        (70, "coinbase", FaultKind::StreamReorder),
        (95, "coinbase", FaultKind::StreamDuplicate),
        (120, "coinbase", FaultKind::StreamCut),
    ];
    let came = listened(&world, &mut follow, 200, &troubles).await;
    let own = world.own("ETH/USD", ("coinbase", 450_000), &came.trades, 1_000);
    assert_eq!(rows(&came.trades), own);
    assert_eq!(came.count(What::Reconnecting), 2, "{:?}", came.notices);
    assert_eq!(came.count(What::GapUnfillable), 0, "{:?}", came.notices);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trades_of_alpaca_come_once_across_lost_connections_although_their_ids_show_no_gap() {
    let world = World::new(300, "right").await;
    let mut follow = world.follow("AAPL", Kind::Trades).await;
    assert_eq!(follow.provider(), "alpaca");
    let troubles = [
        (20, "alpaca", FaultKind::StreamCut),
        (50, "alpaca", FaultKind::StreamDuplicate),
        (80, "alpaca", FaultKind::StreamFull),
        (81, "alpaca", FaultKind::StreamCut),
    ];
    let came = listened(&world, &mut follow, 160, &troubles[..3]).await;
    let own = world.own("AAPL", ("iex", 17_800), &came.trades, 1);
    assert_eq!(without_side(rows(&came.trades)), without_side(own));
    assert!(came.count(What::GapFilled) + came.count(What::GapUnproven) >= 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_trade_of_kraken_comes_once_whatever_happens_to_the_connection() {
    let world = World::new(300, "right").await;
    let mut follow = world.follow("ETH/USD@kraken", Kind::Trades).await;
    // A second pair has a message and an answer of its own.
    let _other = world.follow("BTC/USD@kraken", Kind::Trades).await;
    let troubles = [
        (15, "kraken", FaultKind::StreamGap),
        (35, "kraken", FaultKind::StreamCut),
        (60, "kraken", FaultKind::StreamReorder),
        (80, "kraken", FaultKind::StreamDuplicate),
        (100, "kraken", FaultKind::StreamUnknown),
        (120, "kraken", FaultKind::StreamCut),
    ];
    let came = listened(&world, &mut follow, 160, &troubles).await;
    let own = world.own("ETH/USD", ("kraken", 120_000), &came.trades, 1_000);
    assert_eq!(rows(&came.trades), own);
    assert_eq!(came.count(What::Reconnecting), 2, "{:?}", came.notices);
    assert_eq!(came.count(What::GapUnfillable), 0, "{:?}", came.notices);
    let mut quotes = world.follow("ETH/USD@kraken", Kind::Quotes).await;
    loop {
        if let Followed::Told(_, Told::Quote(quote)) = next(&mut quotes).await {
            assert!(quote.bid < quote.ask, "{quote:?}");
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_trade_of_polygon_comes_once_although_its_stamps_are_coarser_than_those_of_rest() {
    let world = World::new(300, "right").await;
    let mut follow = world.follow_at("polygon", "MSFT", Kind::Trades).await;
    let troubles = [
        (20, "polygon", FaultKind::StreamCut),
        (60, "polygon", FaultKind::StreamDuplicate),
    ];
    let came = listened(&world, &mut follow, 120, &troubles).await;
    let own = world.own("MSFT", ("", 0), &came.trades, 1_000_000);
    assert_eq!(without_side(rows(&came.trades)), without_side(own));
    assert_eq!(came.count(What::Reconnecting), 1, "{:?}", came.notices);
    assert_eq!(came.count(What::GapUnfillable), 0, "{:?}", came.notices);
    let is_named = |trade: &Trade| trade.id.as_ref().unwrap().starts_with("11:");
    assert!(came.trades.iter().all(is_named));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trades_of_alpacas_pairs_come_once_with_their_side_beside_those_of_stocks() {
    let world = World::new(300, "right").await;
    let mut stocks = world.follow("AAPL", Kind::Trades).await;
    let mut follow = world.follow("BTC/USD@alpaca", Kind::Trades).await;
    let troubles = [
        (20, "alpaca", FaultKind::StreamDuplicate),
        (40, "alpaca", FaultKind::StreamCut),
        (41, "alpaca", FaultKind::StreamCut),
        (80, "alpaca", FaultKind::StreamCut),
    ];
    let came = listened(&world, &mut follow, 120, &troubles).await;
    let own = world.own("BTC/USD", ("alpaca", 9_000), &came.trades, 1);
    assert_eq!(rows(&came.trades), own);
    assert_eq!(came.count(What::GapUnfillable), 0, "{:?}", came.notices);
    let first = listened(&world, &mut stocks, 5, &[]).await;
    let own = world.own("AAPL", ("iex", 17_800), &first.trades, 1);
    assert_eq!(without_side(rows(&first.trades)), without_side(own));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_finnhub_lost_is_said_to_be_lost_and_nothing_comes_twice() {
    let world = World::new(300, "right").await;
    let mut follow = world.follow_at("finnhub", "IBM", Kind::Trades).await;
    let trouble = [(20, "finnhub", FaultKind::StreamCut)];
    let mut came = listened(&world, &mut follow, 40, &trouble).await;
    while came.count(What::GapUnfillable) == 0 {
        let followed = next(&mut follow).await;
        came.take(followed);
    }
    assert_eq!(came.count(What::Reconnecting), 1, "{:?}", came.notices);
    let told: Vec<_> = came
        .trades
        .iter()
        .map(|trade| (trade.price.normalize(), trade.size.normalize()))
        .collect();
    let own = world.own("IBM", ("", 0), &came.trades, 1_000_000);
    let own: Vec<_> = own
        .into_iter()
        .map(|(_, price, size, _)| (price, size))
        .collect();
    // What was told is the market's own without one stretch.
    let same = told.iter().zip(&own).take_while(|(a, b)| a == b).count();
    let (before, behind) = told.split_at(same);
    assert!(before.len() >= 20, "{} of {}", before.len(), told.len());
    assert!(own.len() > told.len(), "nothing was lost");
    assert!(own.ends_with(behind));
    assert!(came.trades.iter().all(|trade| trade.id.is_none()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_listens_to_the_same_shares_one_connection_and_the_last_one_closes_it() {
    let world = World::new(300, "right").await;
    let mut first = world.follow("BTC/USDT@binance", Kind::Trades).await;
    let mut second = world.follow("BTC/USDT", Kind::Trades).await;
    let mut third = world.follow("ETH/USDT@binance", Kind::Quotes).await;
    for follow in [&mut first, &mut second] {
        let came = listened(&world, follow, 3, &[]).await;
        assert_eq!(came.trades.len(), 3);
    }
    loop {
        if let Followed::Told(_, Told::Quote(quote)) = next(&mut third).await {
            assert!(quote.bid < quote.ask, "{quote:?}");
            break;
        }
    }
    let stats = world.sandbox.stats().stream_of("binance");
    assert_eq!(
        (stats.connections, stats.open, stats.subscriptions),
        (1, 1, 2)
    );
    drop((first, third));
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(world.sandbox.stats().stream_of("binance").open, 1);
    drop(second);
    let closed = async {
        while world.sandbox.stats().stream_of("binance").open > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, closed).await.unwrap();
    assert_eq!(world.service.streams().listeners(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_refused_is_told_and_not_tried_again() {
    let world = World::new(300, "wrong").await;
    let mut follow = world.follow("AAPL", Kind::Trades).await;
    let Followed::End(end) = next(&mut follow).await else {
        panic!("it did not end")
    };
    assert_eq!(end.class, FailureClass::Auth);
    assert!(!end.said.contains("wrong"), "{end}");
    for _ in 0..3 {
        let error = world.try_follow("MSFT", Kind::Trades).await.unwrap_err();
        assert!(matches!(error, MarketError::Stream(_)), "{error:?}");
    }
    let stats = world.sandbox.stats().stream_of("alpaca");
    assert_eq!((stats.connections, stats.denied), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_whose_place_is_taken_elsewhere_is_shown_again_after_a_while() {
    let world = World::new(300, "right").await;
    // 406: somebody else has the one connection of this key.
    world.fault("alpaca", FaultKind::StreamFull, 1);
    let mut follow = world.follow("AAPL", Kind::Trades).await;
    let came = listened(&world, &mut follow, 3, &[]).await;
    assert_eq!(came.trades.len(), 3);
    let stats = world.sandbox.stats().stream_of("alpaca");
    assert_eq!((stats.connections, stats.denied), (2, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_symbol_that_the_provider_does_not_know_ends_and_the_others_go_on() {
    let world = World::new(300, "right").await;
    let mut good = world.follow("BTC/USD@coinbase", Kind::Trades).await;
    let mut bad = world.follow("NOPE/USD@coinbase", Kind::Trades).await;
    let end = loop {
        match next(&mut bad).await {
            Followed::End(end) => break end,
            Followed::Told(_, Told::Notice(_)) => {}
            other => panic!("{other:?}"),
        }
    };
    assert!(
        end.said.contains("NOPE-USD is not a valid product"),
        "{end}"
    );
    let came = listened(&world, &mut good, 5, &[]).await;
    assert_eq!(came.trades.len(), 5);
    let nobody = world.try_follow("^GSPC", Kind::Trades).await.unwrap_err();
    assert!(
        matches!(nobody, MarketError::NobodyHasIt { .. }),
        "{nobody:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_too_slow_is_told_so_and_nothing_grows() {
    let world = World::new(30_000, "right").await;
    let mut slow = world.follow("BTC/USDT@binance", Kind::Trades).await;
    let mut quick = world.follow("BTC/USDT@binance", Kind::Trades).await;
    let mut seen = 0_usize;
    while seen < 11_000 {
        assert!(!matches!(
            next(&mut quick).await,
            Followed::TooSlow | Followed::End(_)
        ));
        seen += 1;
    }
    assert_eq!(next(&mut slow).await, Followed::TooSlow);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_back_goes_on_behind_what_it_saw_last() {
    let world = World::new(300, "right").await;
    let mut steady = world.follow("BTC/USDT@binance", Kind::Trades).await;
    let mut follow = world.follow("BTC/USDT@binance", Kind::Trades).await;
    let mut came = Vec::new();
    let mut place = None;
    for round in 0..3 {
        for _ in 0..10 {
            if let Followed::Told(at, Told::Trade(trade)) = next(&mut follow).await {
                place = Some(at);
                came.push(trade);
            }
        }
        drop(follow);
        // Meanwhile others hear what this one does not.
        listened(&world, &mut steady, 10 * (round + 1), &[]).await;
        let mut again = ask("BTC/USDT@binance", Kind::Trades);
        again.after = place;
        follow = world.service.follow(&again).await.unwrap();
    }
    let own = world.own("BTC/USDT", ("binance", 1_000_000), &came, 1_000_000);
    assert_eq!(rows(&came), own);
    let mut stranger = ask("BTC/USDT@binance", Kind::Trades);
    stranger.after = Some("00000000-7".parse().unwrap());
    let mut follow = world.service.follow(&stranger).await.unwrap();
    let Followed::Told(_, Told::Notice(notice)) = next(&mut follow).await else {
        panic!("it was not told")
    };
    assert_eq!(notice.what, What::NotHeld);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bars_are_those_of_the_market_and_the_first_is_not_passed_off_as_whole() {
    let world = World::new(60, "right").await;
    let minute = Interval::Minutes(1);
    let mut follow = world.follow("BTC/USDT@binance", Kind::Bars(minute)).await;
    let mut bars = BTreeMap::new();
    let mut is_first = true;
    while bars.len() < 6 {
        if bars.len() == 3 {
            world.fault("binance", FaultKind::StreamCut, 1);
        }
        if let Followed::Bar(_, bar) = next(&mut follow).await {
            assert_eq!(bar.is_partial, is_first, "{bar:?}");
            if !is_first {
                bars.insert(bar.start, bar);
            }
            is_first = false;
        }
    }
    let market = world.sandbox.market();
    let listing = market
        .listing("BTC/USDT")
        .unwrap()
        .seen_by("binance", 1_000_000);
    // The last one may be told again; those of before are settled.
    bars.pop_last();
    let (first, last) = (
        bars.first_key_value().unwrap(),
        bars.last_key_value().unwrap(),
    );
    let own = market.bars(&Ask {
        from: first.0.as_second(),
        to: last.0.as_second() + 1,
        ..Ask::of(&listing, Step::Minutes(1), world.clock.now())
    });
    let told: Vec<_> = bars
        .values()
        .map(|bar| {
            (
                bar.start.as_second(),
                [bar.open, bar.high, bar.low, bar.close, bar.volume].map(|n| n.normalize()),
            )
        })
        .collect();
    let own: Vec<_> = own
        .iter()
        .map(|bar| {
            (
                bar.start,
                [bar.open, bar.high, bar.low, bar.close, bar.volume].map(|n| n.normalize()),
            )
        })
        .collect();
    assert_eq!(told, own);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_fetched_is_said_and_the_stream_goes_on() {
    let world = World::new(300, "right").await;
    // REST answers, and has nothing.
    world
        .sandbox
        .switch_on(Fault::new("binance", FaultKind::Empty))
        .unwrap();
    let mut follow = world.follow("BTC/USDT@binance", Kind::Trades).await;
    let mut came = listened(
        &world,
        &mut follow,
        10,
        &[(5, "binance", FaultKind::StreamGap)],
    )
    .await;
    while came.count(What::GapUnfillable) == 0 {
        let followed = next(&mut follow).await;
        came.take(followed);
    }
    let more = listened(&world, &mut follow, 20, &[]).await;
    came.trades.extend(more.trades);
    let ids: Vec<i64> = came
        .trades
        .iter()
        .map(|t| t.id.as_ref().unwrap().parse().unwrap())
        .collect();
    let all: BTreeSet<i64> = (ids[0]..=*ids.last().unwrap()).collect();
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");
    assert_eq!(
        all.len(),
        ids.len() + 1,
        "one trade is missing, and it was said"
    );
    assert_eq!(came.count(What::GapFound), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_the_daemon_ends_every_stream() {
    let world = World::new(300, "right").await;
    let mut follow = world.follow("BTC/USDT@binance", Kind::Trades).await;
    listened(&world, &mut follow, 1, &[]).await;
    let left = world.supervisor.shut_down(Duration::from_secs(5)).await;
    assert!(left.is_empty(), "{left:?}");
    loop {
        if let Followed::End(end) = next(&mut follow).await {
            assert_eq!(end.class, FailureClass::Outage);
            break;
        }
    }
}
