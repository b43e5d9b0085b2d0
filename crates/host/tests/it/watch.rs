//! Notices of real changes in real folders.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tradewind_host::watch::{Hint, Watch, WatchError, WatchSpec};

fn spec(top: &Path) -> WatchSpec {
    WatchSpec {
        trees: vec![top.to_owned()],
        folders: Vec::new(),
        is_ignored: Arc::new(|path, _| path.file_name().is_some_and(|name| name == "ignored")),
        max_watches: 1000,
    }
}

/// Waits, bounded, until a hint names `path`.
async fn hears(hints: &mut mpsc::Receiver<Hint>, path: &Path) -> Vec<PathBuf> {
    hears_one_of(hints, &[path]).await
}

/// Waits, bounded, until a hint names one of `wanted`.
async fn hears_one_of(hints: &mut mpsc::Receiver<Hint>, wanted: &[&Path]) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = Vec::new();
    let deadline = tokio::time::Instant::now() + Duration::from_mins(1);
    while !wanted
        .iter()
        .any(|path| all.iter().any(|heard| heard == path))
    {
        match tokio::time::timeout_at(deadline, hints.recv()).await {
            Ok(Some(Hint::Paths(paths))) => all.extend(paths),
            Ok(Some(Hint::Overflow)) => {}
            other => panic!("{other:?} instead of {wanted:?} after {all:?}"),
        }
    }
    all
}

#[tokio::test]
async fn changes_in_old_and_new_folders_are_told_and_ignored_ones_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let top = fs::canonicalize(folder.path()).unwrap();
    fs::create_dir_all(top.join("a/b")).unwrap();
    fs::create_dir_all(top.join("ignored/deep")).unwrap();
    let (tx, mut hints) = mpsc::channel(64);
    let watch = Watch::start(spec(&top), tx).unwrap();
    assert_eq!(watch.watches(), 3);

    fs::write(top.join("ignored/deep/x"), "x").unwrap();
    fs::write(top.join("a/b/c"), "x").unwrap();
    let heard = hears(&mut hints, &top.join("a/b/c")).await;
    assert!(
        heard
            .iter()
            .all(|path| !path.starts_with(top.join("ignored"))),
        "{heard:?}"
    );

    fs::create_dir_all(top.join("new/below")).unwrap();
    hears(&mut hints, &top.join("new")).await;
    // The watch on a new folder is set before the hint of it is told; that of a folder in it may come
    // after this write, and then the hint is the folder.
    fs::write(top.join("new/below/file"), "x").unwrap();
    let (below, file) = (top.join("new/below"), top.join("new/below/file"));
    hears_one_of(&mut hints, &[&below, &file]).await;
    fs::write(top.join("new/below/second"), "x").unwrap();
    hears(&mut hints, &top.join("new/below/second")).await;

    // A folder that comes back under its old name is watched again.
    fs::remove_dir_all(top.join("new")).unwrap();
    fs::create_dir(top.join("again")).unwrap();
    hears(&mut hints, &top.join("again")).await;
    fs::create_dir(top.join("new")).unwrap();
    hears(&mut hints, &top.join("new")).await;
    fs::write(top.join("new/file"), "x").unwrap();
    hears(&mut hints, &top.join("new/file")).await;
    assert!(watch.failure().is_none());
}

#[tokio::test]
async fn reading_is_no_change() {
    let folder = tempfile::tempdir().unwrap();
    let top = fs::canonicalize(folder.path()).unwrap();
    fs::create_dir(top.join("a")).unwrap();
    fs::write(top.join("a/read"), "x").unwrap();
    let (tx, mut hints) = mpsc::channel(64);
    let _watch = Watch::start(spec(&top), tx).unwrap();
    fs::read(top.join("a/read")).unwrap();
    fs::read_dir(top.join("a")).unwrap().for_each(drop);
    fs::write(top.join("a/written"), "x").unwrap();
    let heard = hears(&mut hints, &top.join("a/written")).await;
    assert!(!heard.contains(&top.join("a/read")), "{heard:?}");
}

#[tokio::test]
async fn a_slow_receiver_is_told_that_it_missed_something() {
    let folder = tempfile::tempdir().unwrap();
    let top = fs::canonicalize(folder.path()).unwrap();
    let (tx, mut hints) = mpsc::channel(1);
    let _watch = Watch::start(spec(&top), tx).unwrap();
    let mut number = 0;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        // One hint waits in the channel; with another one there must be an overflow in the end.
        for _ in 0..10 {
            number += 1;
            fs::write(top.join(format!("f{number}")), "x").unwrap();
            tokio::task::yield_now().await;
        }
        if let Ok(Some(Hint::Overflow)) = tokio::time::timeout_at(deadline, hints.recv()).await {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline);
    }
}

#[test]
fn too_many_folders_are_refused_so_that_the_caller_polls() {
    let folder = tempfile::tempdir().unwrap();
    for n in 0..10 {
        fs::create_dir(folder.path().join(format!("d{n}"))).unwrap();
    }
    let (tx, _hints) = mpsc::channel(1);
    let spec = WatchSpec {
        max_watches: 5,
        ..spec(folder.path())
    };
    assert!(matches!(
        Watch::start(spec, tx),
        Err(WatchError::TooMany { watches: 5 })
    ));
}

#[tokio::test]
async fn a_new_folder_beyond_the_bound_ends_the_hints_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let (tx, mut hints) = mpsc::channel(64);
    let spec = WatchSpec {
        max_watches: 1,
        ..spec(folder.path())
    };
    let watch = Watch::start(spec, tx).unwrap();
    fs::create_dir(folder.path().join("one too many")).unwrap();
    let end = tokio::time::timeout(Duration::from_secs(20), async {
        while hints.recv().await.is_some() {}
    });
    end.await.unwrap();
    assert!(matches!(watch.failure(), Some(WatchError::TooMany { .. })));
}

#[test]
fn a_missing_root_is_named() {
    let (tx, _hints) = mpsc::channel(1);
    let error = Watch::start(spec(Path::new("/no/such/folder")), tx).unwrap_err();
    assert!(matches!(error, WatchError::Missing { .. }), "{error}");
}
