//! Laws of the market: all ways of looking at a day agree, and nothing depends on what was asked before.

use jiff::Timestamp;
use jiff::civil::{Date, date};
use proptest::prelude::*;
use rust_decimal::Decimal;
use tradewind_sandbox::Market;
use tradewind_sandbox::market::listing::Listing;
use tradewind_sandbox::market::{Adjust, Anchor, Ask, Bar, Step, Take};

const SYMBOLS: [&str; 8] = [
    "AAPL", "GE", "BRK.B", "SPY", "SIM7", "SIM41", "BTC/USDT", "DOT/EUR",
];

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn ask(listing: &Listing, step: Step, now: Timestamp) -> Ask<'_> {
    Ask {
        listing,
        step,
        anchor: Anchor::Midnight,
        from: 0,
        to: i64::MAX / 4,
        now,
        adjust: Adjust::default(),
        take: Take::First(usize::MAX),
    }
}

/// The day's bar, and what its parts of `step` add up to.
fn both_ways(
    market: &Market,
    listing: &Listing,
    day: Date,
    step: Step,
    now: Timestamp,
) -> Option<(Bar, Bar)> {
    let from = market.midnight(listing, day);
    let to = market.midnight(listing, day.tomorrow().unwrap());
    let bars = |step| {
        market.bars(&Ask {
            from,
            to,
            ..ask(listing, step, now)
        })
    };
    let whole = bars(Step::Days(1)).pop()?;
    let parts = bars(step);
    let sum = |field: fn(&Bar) -> Decimal| parts.iter().map(field).sum::<Decimal>();
    let added = Bar {
        opened: parts[0].opened,
        open: parts[0].open,
        high: parts.iter().map(|bar| bar.high).max().unwrap(),
        low: parts.iter().map(|bar| bar.low).min().unwrap(),
        close: parts.last().unwrap().close,
        volume: sum(|bar| bar.volume),
        bought: sum(|bar| bar.bought),
        notional: sum(|bar| bar.notional),
        trades: parts.iter().map(|bar| bar.trades).sum(),
        ..whole.clone()
    };
    Some((whole, added))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_parts_of_a_day_add_up_to_its_bar(
        seed in 0_u64..1_000,
        which in 0..SYMBOLS.len(),
        days in 0_i32..5_000,
        step in prop::sample::select(vec![1, 5, 60, 240]),
    ) {
        let market = Market::new(seed).unwrap();
        let listing = market.listing(SYMBOLS[which]).unwrap().seen_by("x", 500_000);
        let day = date(2012, 1, 1).checked_add(jiff::Span::new().days(days)).unwrap();
        let now = at("2026-01-01T00:00:00Z");
        if let Some((whole, added)) = both_ways(&market, &listing, day, Step::Minutes(step), now) {
            prop_assert_eq!(&whole, &added);
            prop_assert!(whole.low <= whole.open.min(whole.close));
            prop_assert!(whole.high >= whole.open.max(whole.close));
            prop_assert!(whole.low > Decimal::ZERO && whole.volume > Decimal::ZERO);
        }
    }

    #[test]
    fn an_unfinished_day_adds_up_too(second in 0_i64..86_400, which in 0..SYMBOLS.len()) {
        let market = Market::new(3).unwrap();
        let listing = market.listing(SYMBOLS[which]).unwrap();
        let now = Timestamp::from_second(1_749_772_800 + second).unwrap();
        let day = market.date(&listing, now.as_second());
        if let Some((whole, added)) = both_ways(&market, &listing, day, Step::Minutes(1), now) {
            prop_assert_eq!(&whole, &added);
            prop_assert_eq!(whole.is_open, whole.end > now.as_second());
        }
    }
}

#[test]
fn trades_add_up_to_their_minute_and_are_numbered_without_gaps() {
    let market = Market::new(1).unwrap();
    for symbol in SYMBOLS {
        let listing = market.listing(symbol).unwrap();
        let now = at("2026-01-01T00:00:00Z");
        let from = market.midnight(&listing, date(2025, 6, 12));
        let asked = Ask {
            from,
            to: from + 86_400,
            ..ask(&listing, Step::Minutes(1), now)
        };
        let minutes = market.bars(&asked);
        let span = (
            i128::from(from) * 1_000_000_000,
            i128::from(from + 86_400) * 1_000_000_000,
        );
        let trades = market.trades(&listing, span, now, Take::First(usize::MAX));
        assert!(
            trades
                .windows(2)
                .all(|w| w[1].id == w[0].id + 1 && w[0].at_ns < w[1].at_ns)
        );
        for minute in &minutes {
            let of =
                |ns: i128| i64::try_from(ns / 1_000_000_000).unwrap() / 60 * 60 == minute.start;
            let mine: Vec<_> = trades.iter().filter(|trade| of(trade.at_ns)).collect();
            assert_eq!(i64::try_from(mine.len()).unwrap(), minute.trades);
            assert_eq!(mine[0].price, minute.open);
            assert_eq!(mine.last().unwrap().price, minute.close);
            assert_eq!(mine.iter().map(|t| t.price).max().unwrap(), minute.high);
            assert_eq!(mine.iter().map(|t| t.price).min().unwrap(), minute.low);
            assert_eq!(mine.iter().map(|t| t.size).sum::<Decimal>(), minute.volume);
        }
    }
}

#[test]
fn any_day_is_the_same_alone_and_in_a_row_from_either_end() {
    let market = Market::new(9).unwrap();
    for symbol in SYMBOLS {
        let listing = market.listing(symbol).unwrap();
        let now = at("2025-06-13T19:30:20Z");
        let from = market.midnight(&listing, date(2025, 1, 1));
        let whole = Ask {
            from,
            ..ask(&listing, Step::Days(1), now)
        };
        let all = market.bars(&whole);
        let last = market.bars(&Ask {
            take: Take::Last(30),
            ..whole
        });
        assert_eq!(all[all.len() - 30..], last[..]);
        let one = &all[40];
        let alone = Ask {
            from: one.start,
            to: one.start + 1,
            ..whole
        };
        assert_eq!(market.bars(&alone), std::slice::from_ref(one));
        let is_sorted = all.windows(2).all(|w| w[0].start < w[1].start);
        assert!(is_sorted && all.last().unwrap().is_open && !all[all.len() - 2].is_open);
    }
}

#[test]
fn a_split_is_in_raw_prices_and_not_in_adjusted_ones_and_not_before_it_is_known() {
    let market = Market::new(1).unwrap();
    let listing = market.listing("NVDA").unwrap();
    let from = market.midnight(&listing, date(2024, 6, 6));
    let to = market.midnight(&listing, date(2024, 6, 12));
    let closes = |now: &str, splits: bool| {
        let adjust = Adjust {
            splits,
            dividends: false,
        };
        let asked = Ask {
            from,
            to,
            adjust,
            ..ask(&listing, Step::Days(1), at(now))
        };
        let bars = market.bars(&asked);
        bars.iter()
            .map(|bar| (bar.close, bar.volume))
            .collect::<Vec<_>>()
    };
    let raw = closes("2025-01-01T00:00:00Z", false);
    let adjusted = closes("2025-01-01T00:00:00Z", true);
    let ten = Decimal::TEN;
    // The split was on Monday the 10th: Thursday and Friday are before it.
    assert_eq!(raw.len(), 4);
    assert_eq!(raw[0].0 / ten, adjusted[0].0);
    assert_eq!(raw[1].1 * ten, adjusted[1].1);
    assert_eq!(raw[2..], adjusted[2..]);
    assert!(raw[1].0 > raw[2].0 * Decimal::from(8));
    assert_eq!(closes("2024-06-08T00:00:00Z", true), raw[..2]);
}

#[test]
fn dividends_lower_older_prices_only() {
    let market = Market::new(1).unwrap();
    let listing = market.listing("KO").unwrap();
    let paid = market.dividends(&listing, date(2024, 1, 1), date(2025, 1, 1));
    assert_eq!(paid.len(), 4);
    let from = market.midnight(&listing, date(2024, 1, 2));
    let now = at("2025-01-01T00:00:00Z");
    let plain = Ask {
        from,
        ..ask(&listing, Step::Days(1), now)
    };
    let adjust = Adjust {
        splits: true,
        dividends: true,
    };
    let raw = market.bars(&plain);
    let lowered = market.bars(&Ask { adjust, ..plain });
    assert!(lowered[0].close < raw[0].close);
    let after = raw.iter().position(|bar| bar.date >= paid[3].ex).unwrap();
    assert_eq!(raw[after..], lowered[after..]);
    assert_ne!(raw[after - 1].close, lowered[after - 1].close);
}

#[test]
fn a_revised_day_has_more_volume_and_still_adds_up() {
    let market = Market::new(1).unwrap();
    let revised = market.revised();
    let listing = market.listing("AAPL").unwrap();
    let now = at("2025-06-13T19:30:20Z");
    let day = date(2025, 6, 12);
    let (before, _) = both_ways(&market, &listing, day, Step::Minutes(1), now).unwrap();
    let (after, added) = both_ways(&revised, &listing, day, Step::Minutes(1), now).unwrap();
    assert!(after.volume > before.volume && after.high > before.high);
    assert_eq!(after, added);
}

#[test]
fn a_coin_costs_much_the_same_in_all_dollars_and_on_all_venues() {
    let market = Market::new(1).unwrap();
    let now = at("2025-06-13T19:30:20Z");
    let prices = ["USD", "USDT", "USDC"].map(|money| {
        let listing = market.listing(&format!("BTC/{money}")).unwrap();
        let seen = listing.seen_by(money, 300_000);
        market.last_trade(&seen, now).unwrap().price
    });
    let spread = prices.iter().max().unwrap() - prices.iter().min().unwrap();
    assert!(spread < prices[0] * Decimal::new(3, 2), "{prices:?}");
}

#[test]
fn a_span_beyond_all_time_is_empty() {
    let market = Market::new(1).unwrap();
    let listing = market.listing("BTC/USDT").unwrap();
    let whole = ask(&listing, Step::Minutes(1), at("2025-06-13T19:30:20Z"));
    for (from, to) in [
        (i64::MAX / 8, i64::MAX / 4),
        (i64::MIN, i64::MIN / 2),
        (10, 5),
    ] {
        assert!(market.bars(&Ask { from, to, ..whole }).is_empty());
    }
}

#[test]
fn what_is_not_listed_is_not_there() {
    let market = Market::new(1).unwrap();
    for symbol in [
        "NOPE", "SIM", "SIM10000", "SIM01", "BTC/XYZ", "ABC/USD", "", "/", "aapl",
    ] {
        assert!(market.listing(symbol).is_none(), "{symbol}");
    }
    let listing = market.listing("META").unwrap();
    let asked = ask(&listing, Step::Days(1), at("2014-01-01T00:00:00Z"));
    assert_eq!(market.bars(&asked)[0].date, date(2013, 1, 2));
    assert!(market.midnight(&listing, Date::MAX) > 1_000_000_000_000);
}
