//! `restore`: the newest content of a path at or before a time, from wherever it is known.

use std::fs;

use jiff::Timestamp;
use tradewind_core::EventKind;
use tradewind_engine::undo::{Restore, UndoError};
use tradewind_journal::Filter;

use crate::support::{Bench, git, repository};

fn restore(bench: &Bench, file: &str) -> Restore {
    Restore {
        repository: repository(),
        path: bench.repo(),
        file: file.into(),
        at: None,
        force: false,
    }
}

#[tokio::test]
async fn a_deleted_file_comes_back_from_history_and_the_restore_can_be_undone() {
    let bench = Bench::new();
    let repo = bench.repo();
    git(&repo, &["init", "-q", "-b", "main"]);
    fs::create_dir(repo.join("src")).unwrap();
    fs::write(repo.join("src/bot.py"), "print('trade')\n").unwrap();
    git(&repo, &["add", "."]);
    git(&repo, &["commit", "-qm", "one"]);
    let commit = git(&repo, &["rev-parse", "HEAD"]);
    git(&repo, &["rm", "-q", "src/bot.py"]);
    git(&repo, &["commit", "-qm", "two"]);
    assert!(!repo.join("src").exists());
    let restored = bench
        .undo
        .restore(restore(&bench, "src/bot.py"))
        .await
        .unwrap();
    assert_eq!(restored.origin, commit);
    assert_eq!(
        fs::read_to_string(repo.join("src/bot.py")).unwrap(),
        "print('trade')\n"
    );
    let filter = Filter {
        kinds: vec![EventKind::EngineFileRestored],
        limit: 9,
        ..Filter::default()
    };
    let told = bench.journal.reader().unwrap().select(&filter).unwrap();
    assert_eq!(told.len(), 1);
    let request = bench
        .journal
        .reader()
        .unwrap()
        .get(told[0].cause.unwrap())
        .unwrap()
        .unwrap();
    assert_eq!(request.kind, EventKind::EngineActionRequested);
    bench.undo.undo(bench.which()).await.unwrap();
    assert!(!repo.join("src").exists());
    // The second time it is not restored but redone.
    bench.undo.redo(bench.which()).await.unwrap();
    assert!(repo.join("src/bot.py").exists());
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
}

#[tokio::test]
async fn a_commit_that_only_the_reflog_knows_is_found() {
    let bench = Bench::new();
    let repo = bench.repo();
    git(&repo, &["init", "-q", "-b", "main"]);
    git(&repo, &["commit", "-qm", "one", "--allow-empty"]);
    fs::write(repo.join("lost"), "found").unwrap();
    git(&repo, &["add", "."]);
    git(&repo, &["commit", "-qm", "two"]);
    git(&repo, &["reset", "-q", "--hard", "HEAD~1"]);
    assert!(!repo.join("lost").exists());
    bench.undo.restore(restore(&bench, "lost")).await.unwrap();
    assert_eq!(fs::read_to_string(repo.join("lost")).unwrap(), "found");
}

#[tokio::test]
async fn a_file_that_git_never_saw_comes_back_from_an_operation() {
    let bench = Bench::new();
    fs::write(bench.repo().join("cache.db"), "v1").unwrap();
    bench
        .act(&["cache.db"], |repo| {
            fs::write(repo.join("cache.db"), "v2").unwrap();
        })
        .await;
    fs::remove_file(bench.repo().join("cache.db")).unwrap();
    bench
        .undo
        .restore(restore(&bench, "cache.db"))
        .await
        .unwrap();
    assert_eq!(
        fs::read_to_string(bench.repo().join("cache.db")).unwrap(),
        "v2"
    );
}

#[tokio::test]
async fn other_content_is_replaced_only_by_force_and_kept() {
    let bench = Bench::new();
    let file = bench.repo().join("a");
    fs::write(&file, "v1").unwrap();
    bench
        .act(&["a"], |repo| fs::write(repo.join("a"), "v2").unwrap())
        .await;
    fs::write(&file, "mine").unwrap();
    let refused = bench.undo.restore(restore(&bench, "a")).await;
    assert!(
        matches!(refused, Err(UndoError::Differs { .. })),
        "{refused:?}"
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    let forced = Restore {
        force: true,
        ..restore(&bench, "a")
    };
    bench.undo.restore(forced).await.unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "v2");
    bench.undo.undo(bench.which()).await.unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
}

#[tokio::test]
async fn a_time_before_the_first_content_finds_nothing() {
    let bench = Bench::new();
    fs::write(bench.repo().join("a"), "v1").unwrap();
    bench
        .act(&["a"], |repo| fs::remove_file(repo.join("a")).unwrap())
        .await;
    let early = Restore {
        at: Some(Timestamp::UNIX_EPOCH),
        ..restore(&bench, "a")
    };
    assert!(matches!(
        bench.undo.restore(early).await,
        Err(UndoError::Nothing { .. })
    ));
    let restored = bench.undo.restore(restore(&bench, "a")).await.unwrap();
    assert!(restored.operation.is_some());
    let again = bench.undo.restore(restore(&bench, "a")).await.unwrap();
    assert_eq!(again.operation, None);
}

#[tokio::test]
async fn a_path_that_leaves_the_repository_is_refused() {
    let bench = Bench::new();
    for file in ["../x", "/etc/passwd", ".git/config", "", "a/../../x"] {
        let refused = bench.undo.restore(restore(&bench, file)).await;
        assert!(matches!(refused, Err(UndoError::Nothing { .. })), "{file}");
    }
}
