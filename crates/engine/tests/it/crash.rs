//! Crashes at every step of an undo: every file old or new, and the next command completes it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use tradewind_core::EventKind;
use tradewind_engine::undo::{Below, UndoError};
use tradewind_journal::Filter;

use crate::support::Bench;
use crate::undo::{deeds, perform, snapshot};

type Tree = BTreeMap<String, String>;

/// Files and links only, without the spare names that a crash leaves behind.
fn files(tree: &Tree) -> Tree {
    tree.iter()
        .filter(|(name, what)| *what != "folder" && !name.contains(".tradewind-"))
        .map(|(name, what)| (name.clone(), what.clone()))
        .collect()
}

fn is_old_or_new(now: &Tree, old: &Tree, new: &Tree) {
    let names = old.keys().chain(new.keys()).chain(now.keys());
    for name in names {
        let state = now.get(name);
        assert!(
            state == old.get(name) || state == new.get(name),
            "{name} is {state:?}, neither {:?} nor {:?}",
            old.get(name),
            new.get(name)
        );
    }
}

#[tokio::test]
async fn a_crash_at_any_step_leaves_every_file_old_or_new_and_is_completed() {
    // Deterministic: the same trees in every run.
    let mut runner = TestRunner::deterministic();
    let mut crashes = 0;
    for _ in 0..40 {
        if crashes >= 600 {
            break;
        }
        let first = deeds().new_tree(&mut runner).unwrap().current();
        let second = deeds().new_tree(&mut runner).unwrap().current();
        crashes +=
            crash_everywhere(|repo| perform(repo, &first), |repo| perform(repo, &second)).await;
    }
    assert!(crashes >= 500, "only {crashes} crashes");
}

/// Crashes at each step of undo and of redo, and once more while completing.
async fn crash_everywhere(prepare: impl Fn(&Path), act: impl Fn(&Path)) -> u64 {
    let bench = Bench::new();
    let repo = bench.repo();
    prepare(&repo);
    let before = snapshot(&repo);
    bench.act(&["**"], &act).await;
    let after = snapshot(&repo);
    let mut crashes = 0;
    let mut point = 1;
    loop {
        bench.faults.stop_at(point);
        let undone = bench.undo.undo(bench.which()).await;
        let Err(error) = undone else { break };
        assert!(
            matches!(error, UndoError::Below(Below::Injected)),
            "{error}"
        );
        crashes += 1;
        is_old_or_new(&files(&snapshot(&repo)), &files(&after), &files(&before));
        // The machine crashes again while the next command completes it.
        bench.faults.stop_at(1 + point % 7);
        if let Err(error) = bench.undo.complete_interrupted().await {
            assert!(
                matches!(error, UndoError::Below(Below::Injected)),
                "{error}"
            );
            crashes += 1;
            is_old_or_new(&files(&snapshot(&repo)), &files(&after), &files(&before));
        }
        bench.faults.stop_at(0);
        bench.undo.complete_interrupted().await.unwrap();
        assert_eq!(snapshot(&repo), before, "after a crash at step {point}");
        assert!(bench.undo.complete_interrupted().await.unwrap().is_empty());
        bench.undo.redo(bench.which()).await.unwrap();
        assert_eq!(
            snapshot(&repo),
            after,
            "redone after a crash at step {point}"
        );
        point += 1;
    }
    crashes
}

#[tokio::test]
async fn a_save_between_crash_and_completion_is_kept() {
    let bench = Bench::new();
    let repo = bench.repo();
    for name in ["a", "b", "c"] {
        fs::write(repo.join(name), "old").unwrap();
    }
    bench
        .act(&["*"], |repo| {
            for name in ["a", "b", "c"] {
                fs::write(repo.join(name), "new").unwrap();
            }
        })
        .await;
    let mut point = 1;
    loop {
        bench.faults.stop_at(point);
        if bench.undo.undo(bench.which()).await.is_ok() {
            break;
        }
        bench.faults.stop_at(0);
        fs::write(repo.join("b"), "mine").unwrap();
        bench.undo.complete_interrupted().await.unwrap();
        assert_eq!(fs::read_to_string(repo.join("a")).unwrap(), "old");
        assert_eq!(
            fs::read_to_string(repo.join("b")).unwrap(),
            "mine",
            "step {point}"
        );
        assert_eq!(fs::read_to_string(repo.join("c")).unwrap(), "old");
        assert_eq!(
            snapshot(&repo).len(),
            3,
            "nothing is left lying about at step {point}"
        );
        fs::write(repo.join("b"), "old").unwrap();
        bench.undo.redo(bench.which()).await.unwrap();
        point += 1;
    }
    assert!(point > 10);
}

#[tokio::test]
async fn a_completed_undo_is_told_once() {
    let bench = Bench::new();
    bench
        .act(&["a"], |repo| fs::write(repo.join("a"), "x").unwrap())
        .await;
    bench.faults.stop_at(3);
    assert!(bench.undo.undo(bench.which()).await.is_err());
    bench.faults.stop_at(0);
    // Any next command completes it first; here the same one, which then finds nothing left.
    assert!(matches!(
        bench.undo.undo(bench.which()).await,
        Err(UndoError::Nothing { .. })
    ));
    let filter = Filter {
        kinds: vec![EventKind::EngineActionUndone],
        limit: 9,
        ..Filter::default()
    };
    assert_eq!(
        bench
            .journal
            .reader()
            .unwrap()
            .select(&filter)
            .unwrap()
            .len(),
        1
    );
    assert!(!bench.repo().join("a").exists());
}

#[tokio::test]
async fn a_save_at_any_moment_of_an_undo_is_never_lost() {
    // In place, as some editors write, and by a rename, as others do.
    let in_place = |path: &Path| fs::write(path, "mine").unwrap();
    let by_rename = |path: &Path| {
        let other = path.with_file_name("editor~");
        fs::write(&other, "mine").unwrap();
        fs::rename(other, path).unwrap();
    };
    save_everywhere(in_place, Some("old")).await;
    save_everywhere(by_rename, Some("old")).await;
    save_everywhere(in_place, None).await;
    save_everywhere(by_rename, None).await;
}

/// Saves a file at each step of an undo that gives it the content `old`, or takes it away.
async fn save_everywhere(save: fn(&Path), old: Option<&str>) {
    let mut point = 1;
    loop {
        let bench = Bench::new();
        let file = bench.repo().join("b");
        if let Some(old) = old {
            fs::write(&file, old).unwrap();
        }
        bench
            .act(&["b"], |repo| fs::write(repo.join("b"), "new").unwrap())
            .await;
        let path = file.clone();
        bench.faults.meanwhile_at(point, move || save(&path));
        let done = bench.undo.undo(bench.which()).await.unwrap();
        if bench.faults.passed() < point {
            break;
        }
        assert_eq!(
            fs::read_to_string(&file).unwrap(),
            "mine",
            "saved at step {point}, kept {:?}",
            done.kept
        );
        assert_eq!(snapshot(&bench.repo()).len(), 1, "step {point}");
        point += 1;
    }
    assert!(point > 4, "only {point} steps");
}
