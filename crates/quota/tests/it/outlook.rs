//! What the store says about how long a window lasts.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tradewind_core::Uptime;
use tradewind_core::clock::FixedClock;
use tradewind_journal::{Journal, Options, Reader};
use tradewind_quota::QuotaSection;
use tradewind_quota::outlook::{Outlook, outlooks};
use tradewind_quota::record::Write;
use tradewind_quota::store::Store;

use crate::practice;

const MINUTE_US: i64 = 60_000_000;
/// Long enough after the start of the machine for any window.
const NOW_US: i64 = 100 * 24 * 60 * MINUTE_US;

#[derive(Debug)]
struct Machine(&'static str);

impl Uptime for Machine {
    fn now_us(&self) -> i64 {
        NOW_US
    }

    fn boot(&self) -> Option<String> {
        Some(self.0.to_owned())
    }
}

fn now() -> Timestamp {
    "2026-03-02T12:00:00Z".parse().unwrap()
}

/// Returns the outlook on a window of 25 a day of which one unit was used at each of `ages`, in minutes.
async fn outlook_on(ages: &[i64], of: &'static str) -> Vec<Outlook> {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().to_owned();
    let writes: Vec<Write> = ages
        .iter()
        .zip(1..)
        .flat_map(|(age, id)| {
            let window = "practice/window@address".to_owned();
            let stamp_us = NOW_US - age * MINUTE_US;
            [
                Write::Open {
                    id,
                    window,
                    symbol: None,
                    units: 1,
                },
                Write::Close {
                    id,
                    units: 1,
                    stamp_us,
                },
            ]
        })
        .collect();
    let store = tokio::task::block_in_place(|| {
        let clock = Arc::new(FixedClock::at(now()));
        let journal = Journal::open(Options::new(&state, clock)).unwrap();
        Store::open(journal, &Machine(of)).unwrap()
    });
    store.write(writes).await.unwrap();
    let catalog = practice::catalog(&practice::window("requests", 25, "1 day", ""));
    let reader = Reader::open(&state).unwrap();
    outlooks(
        &reader,
        &catalog,
        &QuotaSection::default(),
        &Machine("this"),
        now(),
    )
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quick_pace_says_when_the_day_runs_out() {
    // Twelve in the last hour, one every five minutes: 13 are left, gone in 65 minutes.
    let ages: Vec<i64> = (0..12).map(|n| n * 5 + 1).collect();
    let [outlook] = &outlook_on(&ages, "this").await[..] else {
        panic!("one window was used");
    };
    assert_eq!((outlook.used, outlook.limit), (12, 25));
    let pace = outlook.per_hour.unwrap();
    assert!((12.0..14.0).contains(&pace), "{pace}");
    let left = outlook.runs_out.unwrap().duration_since(now());
    assert!(
        left > SignedDuration::from_mins(55) && left < SignedDuration::from_mins(66),
        "{left:?}"
    );
    let renews = outlook.renews.unwrap().duration_since(now());
    assert!(renews > SignedDuration::from_hours(22), "{renews:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pace_that_lasts_and_one_that_ended_have_no_end() {
    let lasting = outlook_on(&[600, 300], "this").await;
    assert_eq!(
        (lasting[0].used, lasting[0].runs_out, lasting[0].per_hour),
        (2, None, None)
    );
    let slow = outlook_on(&[50], "this").await;
    assert!(slow[0].per_hour.is_some());
    assert_eq!(slow[0].runs_out, None, "one an hour is 24 a day");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_run_of_the_machine_spent_counts_but_has_no_pace() {
    let other = outlook_on(&[1, 2, 3], "before").await;
    assert_eq!(
        (other[0].used, other[0].per_hour, other[0].renews),
        (3, None, None)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_back_is_not_told_of() {
    assert_eq!(outlook_on(&[26 * 60], "this").await, []);
}
