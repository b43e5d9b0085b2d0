//! The adapters against the sandbox, which shares no line with them: what they bring is what its market
//! knows, and what they prove is all of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use rust_decimal::Decimal;
use tradewind_catalog::UseCase;
use tradewind_core::clock::FixedClock;
use tradewind_core::{Clock, Interval, Side, Trade};
use tradewind_host::egress::Egress;
use tradewind_market::adapter::{Adjust, Note, Offer, Proven, Question, Rows, Span};
use tradewind_market::{Coverage, Key, Known};
use tradewind_sandbox::market::{Anchor, Ask, Step, Take};
use tradewind_sandbox::{Running, Sandbox, Settings, market};

use crate::answers::{adapters, at, bars, rows_of, span, words};

/// A Friday at 15:30:20 in New York, half an hour before the exchange closes.
const NOW: &str = "2025-06-13T19:30:20Z";
/// Upper bound on the pages of one span.
const MAX_PAGES: usize = 40;

/// A provider, what is asked of it, and whose trades of the market it sees.
struct Case {
    provider: &'static str,
    question: Question,
    from: &'static str,
    to: &'static str,
    /// Venue and part of the volume in millionths; `None` for all venues together.
    seen_by: Option<(&'static str, i64)>,
}

fn case(
    provider: &'static str,
    question: Question,
    (from, to): (&'static str, &'static str),
    seen_by: Option<(&'static str, i64)>,
) -> Case {
    Case {
        provider,
        question,
        from,
        to,
        seen_by,
    }
}

fn splits(question: Question) -> Question {
    Question {
        adjust: Adjust::Splits,
        ..question
    }
}

/// Two days around the change of clocks in spring, the last days, and the time up to now.
const SPRING: (&str, &str) = ("2025-03-07T05:00:00Z", "2025-03-12T04:00:00Z");
const LATELY: (&str, &str) = ("2025-06-09T04:00:00Z", "2025-06-14T04:00:00Z");
const TODAY: (&str, &str) = ("2025-06-13T13:00:00Z", "2025-06-13T20:00:00Z");
const YEARS: (&str, &str) = ("2023-01-03T05:00:00Z", "2025-06-14T04:00:00Z");
const UTC_DAYS: (&str, &str) = ("2025-06-10T00:00:00Z", "2025-06-14T00:00:00Z");

fn cases() -> Vec<Case> {
    let mut cases = stocks();
    cases.extend(pairs());
    cases
}

fn stocks() -> Vec<Case> {
    let all = |question| Question {
        adjust: Adjust::All,
        ..question
    };
    vec![
        case("alpaca", bars("AAPL", "1d"), YEARS, None),
        case("alpaca", all(bars("AAPL", "1d")), YEARS, None),
        case("alpaca", splits(bars("GE", "1d")), YEARS, None),
        case("alpaca", bars("SIM41", "1m"), SPRING, None),
        case("alpaca", bars("BRK.B", "15m"), SPRING, None),
        case("alpaca", bars("SPY", "1h"), SPRING, None),
        case("alpaca", bars("AAPL", "5m"), TODAY, None),
        case("polygon", bars("AAPL", "1d"), YEARS, None),
        case("polygon", splits(bars("AAPL", "1d")), YEARS, None),
        case("polygon", bars("SIM7", "1m"), SPRING, None),
        case("polygon", bars("SPY", "1h"), LATELY, None),
        case("polygon", bars("GE", "30m"), TODAY, None),
        case("tiingo", bars("GE", "1d"), YEARS, None),
        case("tiingo", all(bars("AAPL", "1d")), YEARS, None),
        case("tiingo", bars("BRK.B", "1w"), YEARS, None),
        case("tiingo", bars("SPY", "1mo"), YEARS, None),
        case("tiingo", bars("AAPL", "5m"), LATELY, Some(("iex", 17_800))),
        case("twelvedata", splits(bars("AAPL", "1d")), YEARS, None),
        case("twelvedata", splits(bars("GE", "5m")), SPRING, None),
        case(
            "alphavantage",
            bars("IBM", "1d"),
            ("2025-04-01T04:00:00Z", "2025-06-14T04:00:00Z"),
            None,
        ),
        case("alphavantage", bars("PLTR", "1w"), YEARS, None),
        case("alphavantage", bars("PLTR", "1mo"), YEARS, None),
        case("alphavantage", bars("SIM7", "15m"), SPRING, None),
        case("alphavantage", all(bars("AAPL", "30m")), LATELY, None),
        case("finnhub", splits(bars("AAPL", "1d")), YEARS, None),
        case("finnhub", splits(bars("AAPL", "15m")), SPRING, None),
        case("yahoo", splits(bars("AAPL", "1d")), YEARS, None),
        case("yahoo", splits(bars("SIM41", "1m")), TODAY, None),
    ]
}

fn pairs() -> Vec<Case> {
    let binance = Some(("binance", 1_000_000));
    let coinbase = Some(("coinbase", 450_000));
    let mut cases = vec![
        case("binance", bars("BTC/USDT@binance", "1m"), UTC_DAYS, binance),
        case(
            "binance",
            bars("DOT/EUR", "1s"),
            ("2025-06-13T19:00:00Z", "2025-06-13T19:31:00Z"),
            binance,
        ),
        case(
            "coinbase",
            bars("BTC/USD", "1m"),
            ("2025-06-13T00:00:00Z", "2025-06-14T00:00:00Z"),
            coinbase,
        ),
        case(
            "coinbase",
            bars("BTC/USD", "1d"),
            ("2024-01-01T00:00:00Z", "2025-06-14T00:00:00Z"),
            coinbase,
        ),
        case(
            "tiingo",
            bars("BTC/USD", "1h"),
            UTC_DAYS,
            Some(("tiingo", 1_300_000)),
        ),
        case(
            "tiingo",
            bars("BTC/USD", "1d"),
            UTC_DAYS,
            Some(("tiingo", 1_300_000)),
        ),
        case(
            "twelvedata",
            bars("ETH/USD", "1h"),
            UTC_DAYS,
            Some(("twelvedata", 800_000)),
        ),
        case(
            "yahoo",
            bars("BTC/USD", "1h"),
            UTC_DAYS,
            Some(("yahoo", 1_500_000)),
        ),
        case(
            "kraken",
            bars("BTC/USD", "1h"),
            UTC_DAYS,
            Some(("kraken", 120_000)),
        ),
        case(
            "kraken",
            bars("ETH/EUR", "1m"),
            ("2025-06-13T10:00:00Z", "2025-06-13T20:00:00Z"),
            Some(("kraken", 120_000)),
        ),
    ];
    for interval in ["1h", "4h", "12h", "1d", "1w", "1mo"] {
        let span = ("2024-12-30T00:00:00Z", "2025-06-14T00:00:00Z");
        cases.push(case("binance", bars("ETH/USDT", interval), span, binance));
    }
    for interval in ["5m", "15m", "1h", "6h"] {
        cases.push(case(
            "coinbase",
            bars("ETH/USD", interval),
            UTC_DAYS,
            coinbase,
        ));
    }
    cases
}

fn step(interval: Interval) -> Step {
    match interval {
        Interval::Seconds(count) => Step::Seconds(i64::from(count)),
        Interval::Minutes(count) => Step::Minutes(i64::from(count)),
        Interval::Hours(count) => Step::Minutes(i64::from(count) * 60),
        Interval::Day => Step::Days(1),
        Interval::Week => Step::Week,
        Interval::Month => Step::Months(1),
    }
}

/// Bars by start: open, high, low, close, volume, and whether it is being made.
type Known5 = BTreeMap<i64, ([Decimal; 5], bool)>;

fn truth(running: &Running, case: &Case, now: Timestamp) -> Known5 {
    let symbol = case.question.instrument.as_ref().unwrap().symbol();
    let mut listing = running.market().listing(symbol).unwrap();
    if let Some((venue, share)) = case.seen_by {
        listing = listing.seen_by(venue, share);
    }
    if case.provider == "kraken" && symbol.starts_with("BTC") {
        listing = listing.in_steps_of(1);
    }
    let ask = Ask {
        listing: &listing,
        step: step(case.question.interval.unwrap()),
        anchor: Anchor::Midnight,
        from: at(case.from).as_second(),
        to: at(case.to).as_second(),
        now,
        adjust: market::Adjust {
            splits: case.question.adjust != Adjust::None,
            dividends: case.question.adjust == Adjust::All,
        },
        take: Take::First(usize::MAX),
    };
    let bars = running.market().bars(&ask).into_iter();
    bars.map(|bar| {
        // Who writes volume as a whole number leaves the rest away.
        let volume = if case.provider == "yahoo" {
            bar.volume.trunc()
        } else {
            bar.volume
        };
        let numbers = [bar.open, bar.high, bar.low, bar.close, volume];
        (
            bar.start,
            (numbers.map(|number| number.normalize()), bar.is_open),
        )
    })
    .collect()
}

/// Asks page after page and hands on what came and what is known now.
async fn fetched(running: &Running, offer: &Offer, asked: &Span) -> (Known5, Coverage, Vec<Note>) {
    let detour = running.detour().unwrap();
    let secrets = |_: &str, _: &str| Some("practice".to_owned());
    let (mut found, mut coverage, mut notes) = (Known5::new(), Coverage::default(), Vec::new());
    let mut cursor = None;
    for _ in 0..MAX_PAGES {
        let prepared = offer
            .request(asked, cursor.as_ref(), &secrets, at(NOW))
            .unwrap();
        let answer = detour.send(prepared.request.clone()).await.unwrap();
        let page = offer.read(&prepared, &answer, at(NOW));
        let page = page.unwrap_or_else(|error| panic!("{error:?} {}", prepared.request.url));
        let Rows::Bars(rows) = page.rows else {
            panic!("{:?}", page.rows)
        };
        for keyed in rows {
            let bar = keyed.bar;
            // Some tell no volume.
            let volume = bar.volume.unwrap_or(Decimal::NEGATIVE_ONE);
            let numbers = [bar.open, bar.high, bar.low, bar.close, volume];
            let row = (numbers.map(|number| number.normalize()), !bar.is_final);
            found.insert(bar.start.as_second(), row);
        }
        let Proven::Bars(pieces) = page.proven else {
            panic!("{:?}", page.proven)
        };
        for piece in &pieces {
            coverage.learn(piece);
        }
        notes.extend(page.notes);
        cursor = page.next;
        if cursor.is_none() {
            return (found, coverage, notes);
        }
    }
    panic!("more than {MAX_PAGES} pages of {}", offer.identity());
}

#[tokio::test]
async fn what_comes_is_what_the_market_knows_and_all_of_it_is_proven() {
    let clock: Arc<dyn Clock> = Arc::new(FixedClock::at(at(NOW)));
    let running = Sandbox::start(Settings::generous().at(clock))
        .await
        .unwrap();
    for case in cases() {
        let offers = adapters().offers(case.provider, &case.question);
        let offers = offers.unwrap_or_else(|reason| panic!("{reason}"));
        let paid = offers[0]
            .provider()
            .plans
            .last()
            .map(|plan| plan.id.clone());
        let offer = offers
            .into_iter()
            .next()
            .unwrap()
            .with_plan(paid.as_deref());
        let name = offer.identity();
        let asked = span(&offer, case.from, case.to);
        let (found, coverage, notes) = fetched(&running, &offer, &asked).await;
        let wanted = truth(&running, &case, at(NOW));
        assert!(wanted.len() > 3, "{name}: {} bars", wanted.len());
        // Who tells of days that are over only has no bar, or half a one, of what is being made.
        let is_compared = |start: &i64| {
            let is_open = wanted.get(start).is_some_and(|row| row.1);
            !is_open || case.provider != "tiingo"
        };
        let mut ours: Vec<_> = found
            .iter()
            .filter(|(start, _)| is_compared(start))
            .map(|(start, row)| (*start, row.0))
            .collect();
        let theirs = wanted.iter().filter(|(start, _)| is_compared(start));
        let mut theirs: Vec<_> = theirs.map(|(start, row)| (*start, row.0)).collect();
        for (our, their) in ours.iter_mut().zip(&mut theirs) {
            if our.1[4] == Decimal::NEGATIVE_ONE {
                our.1[4] = their.1[4];
            }
        }
        let differing = ours.iter().zip(&theirs).find(|(a, b)| a != b);
        assert_eq!((ours.len(), differing), (theirs.len(), None), "{name}");
        for (start, (_, is_open)) in &wanted {
            assert!(
                !is_open || found.get(start).is_none_or(|row| row.1),
                "{name}: the bar at {start} is open and passed for final"
            );
        }
        let harmless = |note: &Note| matches!(note, Note::Outside(_) | Note::Full);
        assert!(notes.iter().all(harmless), "{name}: {notes:?}");
        let Span::Bars(keys) = &asked else { panic!() };
        assert_proven(&name, &offer, &coverage, keys, &wanted);
    }
}

/// Every bar that is final is known to be there or known not to be.
fn assert_proven(
    name: &str,
    offer: &Offer,
    coverage: &Coverage,
    keys: &std::ops::Range<Key>,
    wanted: &Known5,
) {
    let end = keys.end.min(offer.final_before(at(NOW)).unwrap());
    // Where nobody knows how many rows come, what lies before the first one is not known.
    let has_doubt = offer.provider().name == "tiingo" && offer.offering().keeps.is_some();
    let first = coverage
        .held(keys)
        .first()
        .map_or(keys.start, |held| held.start);
    let from = if has_doubt { first } else { keys.start };
    assert_eq!(coverage.gaps(&(from..end)), [], "{name}");
    let grid = offer.grid().unwrap();
    for key in from..end {
        let start = grid.start(key).unwrap().as_second();
        let is_there = coverage.of(key) == Some(Known::Bar);
        assert_eq!(is_there, wanted.contains_key(&start), "{name} at {start}");
    }
}

/// Asks page after page for what happened; hands on every row and what is proven, oldest part first.
async fn events(
    running: &Running,
    offer: &Offer,
    asked: &Span,
) -> (Vec<Rows>, Vec<(Timestamp, Timestamp)>) {
    let detour = running.detour().unwrap();
    let secrets = |_: &str, _: &str| Some("practice".to_owned());
    let (mut found, mut proven) = (Vec::new(), Vec::new());
    let mut cursor = None;
    for _ in 0..MAX_PAGES {
        let prepared = offer
            .request(asked, cursor.as_ref(), &secrets, at(NOW))
            .unwrap();
        let answer = detour.send(prepared.request.clone()).await.unwrap();
        let page = offer.read(&prepared, &answer, at(NOW));
        let page = page.unwrap_or_else(|error| panic!("{error:?} {}", prepared.request.url));
        let is_read = |note: &Note| {
            matches!(
                note,
                Note::Outside(_) | Note::Full | Note::Unstamped | Note::Duplicates(_)
            )
        };
        assert!(
            page.notes.iter().all(is_read),
            "{}: {:?}",
            offer.identity(),
            page.notes
        );
        found.push(page.rows);
        if let Proven::Times(Some(times)) = page.proven {
            proven.push((times.start, times.end));
        }
        cursor = page.next;
        if cursor.is_none() {
            proven.sort_unstable();
            return (found, proven);
        }
    }
    panic!("more than {MAX_PAGES} pages of {}", offer.identity());
}

/// What the market knows to have been traded.
fn trades(
    running: &Running,
    symbol: &str,
    seen_by: Option<(&str, i64)>,
    (from, to): (&str, &str),
) -> Vec<market::Trade> {
    let mut listing = running.market().listing(symbol).unwrap();
    if let Some((venue, share)) = seen_by {
        listing = listing.seen_by(venue, share);
    }
    let span = (at(from).as_nanosecond(), at(to).as_nanosecond());
    running
        .market()
        .trades(&listing, span, at(NOW), Take::First(usize::MAX))
}

#[tokio::test]
async fn every_trade_of_a_span_comes_once_and_with_the_side_that_crossed_the_spread() {
    let clock: Arc<dyn Clock> = Arc::new(FixedClock::at(at(NOW)));
    let running = Sandbox::start(Settings::generous().at(clock))
        .await
        .unwrap();
    let minutes = ("2025-06-13T19:20:00Z", "2025-06-13T19:30:00Z");
    for (provider, symbol, (from, to), seen_by, has_side) in [
        (
            "binance",
            "BTC/USDT",
            minutes,
            Some(("binance", 1_000_000)),
            true,
        ),
        (
            "coinbase",
            "ETH/USD",
            minutes,
            Some(("coinbase", 450_000)),
            true,
        ),
        (
            "kraken",
            "ETH/EUR",
            minutes,
            Some(("kraken", 120_000)),
            true,
        ),
        ("alpaca", "AAPL", minutes, None, false),
        ("polygon", "GE", minutes, None, false),
    ] {
        let question = rows_of(UseCase::Trades, symbol);
        let offers = adapters().offers(provider, &question).unwrap();
        let paid = offers[0]
            .provider()
            .plans
            .last()
            .map(|plan| plan.id.clone());
        let offer = offers
            .into_iter()
            .next()
            .unwrap()
            .with_plan(paid.as_deref());
        let (pages, proven) = events(&running, &offer, &Span::Times(at(from)..at(to))).await;
        let mut ours: BTreeMap<String, Trade> = BTreeMap::new();
        for page in pages {
            let Rows::Trades(trades) = page else {
                panic!("{page:?}")
            };
            ours.extend(
                trades
                    .into_iter()
                    .map(|trade| (trade.id.clone().unwrap(), trade)),
            );
        }
        let theirs = trades(&running, symbol, seen_by, (from, to));
        assert!(theirs.len() > 20, "{provider}: {}", theirs.len());
        let key = |at_ms: i128, price: Decimal, size: Decimal, side: Option<bool>| {
            (
                at_ms,
                price.normalize(),
                size.normalize(),
                side.filter(|_| has_side),
            )
        };
        let mut ours: Vec<_> = ours
            .values()
            .map(|t| {
                let is_buy = t.taker.map(|side| side == Side::Buy);
                key(t.at.as_nanosecond() / 1_000_000, t.price, t.size, is_buy)
            })
            .collect();
        let mut theirs: Vec<_> = theirs
            .iter()
            .map(|t| key(t.at_ns / 1_000_000, t.price, t.size, Some(t.is_buy)))
            .collect();
        ours.sort_unstable();
        theirs.sort_unstable();
        let differing = ours.iter().zip(&theirs).find(|(a, b)| a != b);
        assert_eq!((ours.len(), differing), (theirs.len(), None), "{provider}");
        // The parts that the pages prove join into the whole.
        let whole = proven.iter().fold(
            at(from),
            |end, part| {
                if part.0 <= end { end.max(part.1) } else { end }
            },
        );
        assert_eq!(whole, at(to), "{provider}: {proven:?}");
    }
}

#[tokio::test]
async fn every_quote_and_every_article_that_is_offered_can_be_read() {
    let clock: Arc<dyn Clock> = Arc::new(FixedClock::at(at(NOW)));
    let running = Sandbox::start(Settings::generous().at(clock))
        .await
        .unwrap();
    let mut providers = Vec::new();
    for symbol in ["AAPL", "BTC/USD", "BTC/USDT"] {
        for offer in adapters().all(&rows_of(UseCase::Quote, symbol)).0 {
            // The one has pairs against the coin only, all others have both.
            if (symbol == "BTC/USDT") != (offer.provider().name == "binance") && symbol != "AAPL" {
                continue;
            }
            let (pages, _) = events(&running, &offer, &Span::Newest).await;
            let [Rows::Quotes(quotes)] = pages.as_slice() else {
                panic!("{pages:?}")
            };
            for quote in quotes {
                assert!(quote.at <= at(NOW), "{}: {quote:?}", offer.identity());
                assert!(
                    quote
                        .bid
                        .is_none_or(|bid| quote.ask.is_none_or(|ask| bid <= ask))
                );
                providers.push(format!("{} {}", offer.provider().name, offer.endpoint().id));
            }
        }
    }
    let asked = Span::Times(at("2025-06-10T00:00:00Z")..at("2025-06-13T00:00:00Z"));
    let mut offers = adapters().all(&rows_of(UseCase::News, "AAPL")).0;
    offers.extend(adapters().all(&words("Apple")).0);
    for offer in offers {
        let paid = offer.provider().plans.last().map(|plan| plan.id.clone());
        let name = offer.identity();
        let offer = offer.with_plan(paid.as_deref());
        let (pages, proven) = events(&running, &offer, &asked).await;
        let count: usize = pages.iter().map(Rows::len).sum();
        assert!(count > 0, "{name}");
        assert_eq!(
            proven.first().unwrap().0,
            at("2025-06-10T00:00:00Z"),
            "{name}"
        );
    }
    providers.sort();
    providers.dedup();
    let wanted = [
        "alpaca latest-quotes",
        "alpaca latest-trades",
        "alphavantage quote",
        "binance book-ticker",
        "binance ticker-24h",
        "coinbase ticker",
        "finnhub quote",
        "kraken ticker",
        "polygon last-quote",
        "polygon last-trade",
        "tiingo iex-quote",
        "twelvedata price",
    ];
    assert_eq!(providers, wanted);
}
