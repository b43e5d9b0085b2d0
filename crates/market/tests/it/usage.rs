//! Counts add up over writings, and a question without an answer is counted too.

use std::sync::Arc;

use jiff::Timestamp;
use tradewind_host::clock::SystemClock;
use tradewind_journal::{Journal, Options};
use tradewind_market::store::Store;
use tradewind_market::usage::{self, Counts, Usage};

#[tokio::test]
async fn counts_of_one_day_add_up_and_days_stay_apart() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(Options::new(dir.path(), Arc::new(SystemClock))).unwrap();
    assert!(
        usage::read(&journal.reader().unwrap(), "2000-01-01")
            .unwrap()
            .is_empty()
    );
    Store::open(journal.clone(), dir.path().join("market")).unwrap();
    let usage = Usage::new(journal.clone());
    let answered = Counts {
        answers: 1,
        calls: 1,
        rows: 250,
        ..Counts::default()
    };
    let hit = Counts {
        answers: 1,
        hits: 1,
        rows: 250,
        ..Counts::default()
    };
    let failed = Counts {
        failures: 1,
        ..Counts::default()
    };
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    usage.count(
        at("2026-11-22T23:59:59Z"),
        "scan.py",
        "alpaca",
        "bars 1d",
        answered,
    );
    for counts in [hit, hit, failed] {
        usage.count(
            at("2026-11-23T00:00:00Z"),
            "scan.py",
            "alpaca",
            "bars 1d",
            counts,
        );
    }
    usage.flush().await.unwrap();
    usage.count(
        at("2026-11-23T12:00:00Z"),
        "scan.py",
        "alpaca",
        "bars 1d",
        hit,
    );
    usage.flush().await.unwrap();
    let read = usage::read(&journal.reader().unwrap(), "2026-11-23").unwrap();
    assert_eq!(read.len(), 1);
    let counts = read[0].1;
    assert_eq!(
        (counts.answers, counts.hits, counts.failures, counts.saved()),
        (3, 3, 1, 3)
    );
    assert_eq!(
        usage::read(&journal.reader().unwrap(), "2026-11-22")
            .unwrap()
            .len(),
        2
    );
}
