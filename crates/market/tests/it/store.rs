//! What is kept survives the end of the process, damage and a full disk, and no file is left behind.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use rust_decimal::Decimal;
use tradewind_core::Bar;
use tradewind_host::clock::SystemClock;
use tradewind_journal::{Journal, Options};
use tradewind_market::Rows;
use tradewind_market::coverage::{Answered, Known, Proof};
use tradewind_market::store::Store;

fn open(dir: &Path) -> Store {
    let journal = Journal::open(Options::new(dir, Arc::new(SystemClock))).unwrap();
    Store::open(journal, dir.join("market")).unwrap()
}

fn rows(keys: impl IntoIterator<Item = i64>, cents: i64) -> Rows {
    let mut rows = Rows::default();
    for key in keys {
        let price = Decimal::new(cents + key, 2);
        let bar = Bar {
            start: Timestamp::UNIX_EPOCH,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: None,
            is_final: true,
        };
        rows.push(key, &bar, 7);
    }
    rows
}

fn answered(vouched: std::ops::Range<i64>, rows: &Rows, final_before: i64) -> Answered {
    Answered {
        vouched,
        bars: rows.keys().to_vec(),
        final_before,
    }
}

fn files(dir: &Path) -> Vec<String> {
    let all = std::fs::read_dir(dir.join("market")).unwrap();
    let mut names: Vec<_> = all
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn what_is_learned_is_there_after_the_end_with_what_is_known_to_be_empty() {
    let dir = tempfile::tempdir().unwrap();
    // Over the edge of a stretch, on both sides of 1970.
    let (first, second) = (rows(-20_000..-19_990, 5), rows(16_380..16_390, 5));
    {
        let store = open(dir.path());
        let series = store.series("a").await.unwrap();
        for part in [&first, &second] {
            let span = part.keys()[0] - 3..part.keys()[9] + 1;
            let gained = store
                .learn(&series, &answered(span, part, 20_000), part.clone())
                .await
                .unwrap();
            assert_eq!(gained.new, 10);
            assert!(gained.unsaved.is_none(), "{:?}", gained.unsaved);
        }
        assert_eq!(store.size().await.unwrap().rows, 20);
    }
    let store = open(dir.path());
    let series = store.series("a").await.unwrap();
    assert_eq!(series.of(-20_002), Some(Known::Empty(Proof::Answered)));
    assert_eq!(series.of(16_389), Some(Known::Bar));
    assert_eq!(series.of(0), None);
    assert_eq!(series.final_before(), Some(20_000));
    assert_eq!(store.rows(&series, 16_300..17_000).await.unwrap(), second);
    let all = store.rows(&series, -30_000..30_000).await.unwrap();
    assert_eq!(all.len(), 20);
    assert_eq!(all.slice(&(-30_000..0)), first);
}

#[tokio::test]
async fn a_revised_bar_replaces_the_old_one_which_is_written_down() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let series = store.series("a").await.unwrap();
    let old = rows(0..5, 100);
    let learned = store
        .learn(&series, &answered(0..5, &old, 9), old.clone())
        .await
        .unwrap();
    assert!(learned.revised.is_empty());
    let mut new = old.slice(&(0..4));
    new.append(&rows(4..5, 900), &(0..9));
    let learned = store
        .learn(&series, &answered(0..5, &new, 9), new.clone())
        .await
        .unwrap();
    assert_eq!((learned.new, learned.revised), (0, vec![4]));
    assert_eq!(store.rows(&series, 0..9).await.unwrap(), new);
    assert_eq!(files(dir.path()).len(), 1, "the file of before is gone");
}

#[tokio::test]
async fn a_damaged_or_missing_file_is_unknown_again_and_nothing_else_is() {
    for is_missing in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let far = 50_000..50_003;
        {
            let store = open(dir.path());
            let series = store.series("a").await.unwrap();
            for span in [0..5, far.clone()] {
                let part = rows(span.clone(), 100);
                store
                    .learn(&series, &answered(span, &part, 60_000), part)
                    .await
                    .unwrap();
            }
        }
        let name = files(dir.path())
            .into_iter()
            .find(|name| name.contains("_0_"))
            .unwrap();
        let path = dir.path().join("market").join(name);
        if is_missing {
            std::fs::remove_file(path).unwrap();
        } else {
            let mut bytes = std::fs::read(&path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            std::fs::write(&path, bytes).unwrap();
        }
        let store = open(dir.path());
        let series = store.series("a").await.unwrap();
        assert!(store.rows(&series, 0..5).await.unwrap().is_empty());
        assert_eq!(series.gaps(&(0..5)).first(), Some(&(0..5)));
        assert!(series.gaps(&far).is_empty());
        assert_eq!(store.rows(&series, far.clone()).await.unwrap().len(), 3);
        let again = rows(0..5, 100);
        store
            .learn(&series, &answered(0..5, &again, 60_000), again.clone())
            .await
            .unwrap();
        assert_eq!(store.rows(&series, 0..5).await.unwrap(), again);
    }
}

#[tokio::test]
async fn a_file_that_nobody_names_is_removed_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    {
        let store = open(dir.path());
        let series = store.series("a").await.unwrap();
        let part = rows(0..5, 100);
        store
            .learn(&series, &answered(0..5, &part, 9), part)
            .await
            .unwrap();
    }
    let kept = files(dir.path());
    std::fs::write(dir.path().join("market/1_0_00ff.arrow"), "left by a crash").unwrap();
    std::fs::write(dir.path().join("market/notes.txt"), "somebody's own").unwrap();
    open(dir.path());
    let mut expected = kept;
    expected.push("notes.txt".to_owned());
    assert_eq!(files(dir.path()), expected);
}

#[tokio::test]
async fn a_disk_that_refuses_costs_nothing_but_the_next_start_and_is_caught_up_with() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("market");
    {
        let store = open(dir.path());
        let series = store.series("a").await.unwrap();
        std::fs::remove_dir(&folder).unwrap();
        std::fs::write(&folder, "no folder").unwrap();
        let part = rows(0..5, 100);
        let gained = store
            .learn(&series, &answered(0..5, &part, 9), part.clone())
            .await
            .unwrap();
        assert!(gained.unsaved.is_some());
        assert!(store.refused().unwrap().contains("market"));
        assert_eq!(store.rows(&series, 0..5).await.unwrap(), part);
        std::fs::remove_file(&folder).unwrap();
        std::fs::create_dir(&folder).unwrap();
        let more = rows(7..8, 100);
        let gained = store
            .learn(&series, &answered(7..8, &more, 9), more)
            .await
            .unwrap();
        assert!(gained.unsaved.is_none());
        assert_eq!(store.refused(), None);
    }
    let store = open(dir.path());
    let series = store.series("a").await.unwrap();
    assert_eq!(
        store.rows(&series, 0..9).await.unwrap().keys(),
        [0, 1, 2, 3, 4, 7]
    );
}

#[tokio::test]
async fn forgetting_leaves_the_rest_and_pruning_takes_whole_series_used_longest_ago() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for name in ["old", "new"] {
        let series = store.series(name).await.unwrap();
        let part = rows(0..100, 100);
        store
            .learn(&series, &answered(0..100, &part, 200), part)
            .await
            .unwrap();
    }
    let old = store.series("old").await.unwrap();
    store
        .forget(&old, std::slice::from_ref(&(10..20)))
        .await
        .unwrap();
    assert_eq!(old.gaps(&(0..100)).first(), Some(&(10..20)));
    assert_eq!(store.rows(&old, 5..25).await.unwrap().len(), 10);
    let new = store.series("new").await.unwrap();
    let part = rows(100..101, 100);
    store
        .learn(&new, &answered(100..101, &part, 200), part)
        .await
        .unwrap();
    let bytes = store.size().await.unwrap().bytes;
    assert_eq!(store.prune(bytes - 1).await.unwrap(), 1);
    assert_eq!(files(dir.path()).len(), 1);
    let new = store.series("new").await.unwrap();
    assert_eq!(store.rows(&new, 0..200).await.unwrap().len(), 101);
    let old = store.series("old").await.unwrap();
    assert_eq!(old.gaps(&(0..100)).first(), Some(&(0..100)));
}

#[tokio::test]
async fn what_is_only_read_is_in_use_too() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for name in ["read", "written"] {
        let series = store.series(name).await.unwrap();
        let part = rows(0..100, 100);
        let answer = answered(0..100, &part, 200);
        store.learn(&series, &answer, part).await.unwrap();
    }
    let read = store.series("read").await.unwrap();
    store.rows(&read, 0..100).await.unwrap();
    let bytes = store.size().await.unwrap().bytes;
    assert_eq!(store.prune(bytes - 1).await.unwrap(), 1);
    let read = store.series("read").await.unwrap();
    assert_eq!(read.gaps(&(0..100)), []);
}

#[tokio::test]
async fn an_answer_for_a_series_that_was_pruned_is_written_to_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let gone = store.series("gone").await.unwrap();
    let part = rows(0..10, 100);
    let answer = answered(0..10, &part, 200);
    store.learn(&gone, &answer, part.clone()).await.unwrap();
    assert_eq!(store.prune(0).await.unwrap(), 1);
    // The store gives the free number to the next one.
    let next = store.series("next").await.unwrap();
    let late = rows(10..20, 999);
    store
        .learn(&gone, &answered(10..20, &late, 200), late)
        .await
        .unwrap();
    drop((gone, next));
    assert_eq!(store.size().await.unwrap().rows, 0);
    drop(store);
    let store = open(dir.path());
    let next = store.series("next").await.unwrap();
    assert_eq!(
        next.gaps(&(0..20)).first(),
        Some(&(0..20)),
        "the bars of another series"
    );
    assert_eq!(files(dir.path()), Vec::<String>::new());
}
