//! Undo and redo: bytes, rights, links, absent files, the index, references, secrets.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use tradewind_core::EventKind;
use tradewind_engine::action::Writes;
use tradewind_engine::undo::{Expiry, UndoError, Which};
use tradewind_journal::Filter;

use crate::support::{Bench, git, repository};

/// What stands in a folder: rights and content of files, targets of links, folders.
pub(crate) fn snapshot(top: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![top.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path
                .strip_prefix(top)
                .unwrap()
                .to_string_lossy()
                .into_owned();
            if name == ".git" {
                continue;
            }
            let meta = fs::symlink_metadata(&path).unwrap();
            let what = if meta.is_symlink() {
                format!("link {}", fs::read_link(&path).unwrap().display())
            } else if meta.is_dir() {
                open.push(path);
                "folder".to_owned()
            } else {
                format!("{:o} {:?}", mode(&meta), fs::read(&path).unwrap())
            };
            found.insert(name, what);
        }
    }
    found
}

#[cfg(unix)]
fn mode(meta: &fs::Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    meta.permissions().mode() & 0o7777
}

#[cfg(not(unix))]
fn mode(_: &fs::Metadata) -> u32 {
    0
}

fn chmod(path: &Path, bits: u32) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(path, fs::Permissions::from_mode(bits)).unwrap();
    }
    #[cfg(not(unix))]
    {
        let _: (&Path, u32) = (path, bits);
    }
}

#[cfg(unix)]
fn link(target: &str, path: &Path) {
    std::os::unix::fs::symlink(target, path).unwrap();
}

#[cfg(not(unix))]
fn link(target: &str, path: &Path) {
    fs::write(path, target).unwrap();
}

#[tokio::test]
async fn undo_and_redo_restore_every_kind_of_change() {
    let bench = Bench::new();
    let repo = bench.repo();
    fs::write(repo.join("changed"), b"old\0bytes").unwrap();
    fs::write(repo.join("deleted"), "gone").unwrap();
    fs::write(repo.join("script"), "x").unwrap();
    chmod(&repo.join("script"), 0o640);
    link("nowhere", &repo.join("link"));
    fs::create_dir(repo.join("empty")).unwrap();
    fs::write(repo.join("file-to-folder"), "f").unwrap();
    fs::create_dir(repo.join("folder-to-file")).unwrap();
    fs::write(repo.join("folder-to-file/inner"), "i").unwrap();
    let before = snapshot(&repo);
    bench
        .act(&["**"], |repo| {
            fs::write(repo.join("changed"), "new").unwrap();
            fs::remove_file(repo.join("deleted")).unwrap();
            chmod(&repo.join("script"), 0o755);
            fs::remove_file(repo.join("link")).unwrap();
            link("changed", &repo.join("link"));
            fs::remove_dir(repo.join("empty")).unwrap();
            fs::create_dir_all(repo.join("made/deep")).unwrap();
            fs::write(repo.join("made/deep/file"), "n").unwrap();
            fs::remove_file(repo.join("file-to-folder")).unwrap();
            fs::create_dir(repo.join("file-to-folder")).unwrap();
            fs::write(repo.join("file-to-folder/now"), "n").unwrap();
            fs::remove_dir_all(repo.join("folder-to-file")).unwrap();
            fs::write(repo.join("folder-to-file"), "n").unwrap();
        })
        .await;
    let after = snapshot(&repo);
    for _ in 0..2 {
        let done = bench.undo.undo(bench.which()).await.unwrap();
        assert!(done.kept.is_empty());
        assert_eq!(snapshot(&repo), before);
        let done = bench.undo.redo(bench.which()).await.unwrap();
        assert!(done.event.is_some());
        assert_eq!(snapshot(&repo), after);
    }
}

#[tokio::test]
async fn undo_refuses_when_somebody_worked_on_it_and_shows_how() {
    let bench = Bench::new();
    let file = bench.repo().join("a.txt");
    fs::write(&file, "one\ntwo\n").unwrap();
    bench
        .act(&["a.txt"], |repo| {
            fs::write(repo.join("a.txt"), "one\n2\n").unwrap();
        })
        .await;
    fs::write(&file, "one\n2\nthree\n").unwrap();
    let Err(UndoError::Differs { differences }) = bench.undo.undo(bench.which()).await else {
        panic!("it must refuse");
    };
    assert_eq!(differences.len(), 1);
    assert!(
        differences[0].diff.as_ref().unwrap().contains("+three"),
        "{differences:?}"
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), "one\n2\nthree\n");
}

#[tokio::test]
async fn a_dry_run_says_and_changes_nothing() {
    let bench = Bench::new();
    let file = bench.repo().join("a.txt");
    fs::write(&file, "old\n").unwrap();
    bench
        .act(&["a.txt"], |repo| {
            fs::write(repo.join("a.txt"), "new\n").unwrap();
        })
        .await;
    let which = Which {
        dry_run: true,
        ..bench.which()
    };
    let done = bench.undo.undo(which).await.unwrap();
    assert_eq!(done.event, None);
    assert!(done.files[0].diff.as_ref().unwrap().contains("-new\n+old"));
    assert_eq!(fs::read_to_string(&file).unwrap(), "new\n");
}

#[tokio::test]
async fn ignored_files_come_back_after_git_clean() {
    let bench = Bench::new();
    let repo = bench.repo();
    git(&repo, &["init", "-q"]);
    fs::write(repo.join(".gitignore"), "*.db\n").unwrap();
    fs::write(repo.join("data.db"), "precious").unwrap();
    bench
        .act(&["*.db"], |repo| {
            fs::write(repo.join("data.db"), "spoilt").unwrap();
        })
        .await;
    git(&repo, &["clean", "-fdxq"]);
    assert!(!repo.join("data.db").exists());
    // It is not as the action left it, so undo refuses, and what it needs is still there.
    assert!(matches!(
        bench.undo.undo(bench.which()).await,
        Err(UndoError::Differs { .. })
    ));
    fs::write(repo.join("data.db"), "spoilt").unwrap();
    chmod(&repo.join("data.db"), 0o644);
    bench.undo.undo(bench.which()).await.unwrap();
    assert_eq!(
        fs::read_to_string(repo.join("data.db")).unwrap(),
        "precious"
    );
}

#[tokio::test]
async fn index_branches_and_head_go_back() {
    let bench = Bench::new();
    let repo = bench.repo();
    git(&repo, &["init", "-q", "-b", "main"]);
    fs::write(repo.join("a"), "1").unwrap();
    git(&repo, &["add", "a"]);
    git(&repo, &["commit", "-qm", "one"]);
    fs::write(repo.join("b"), "staged").unwrap();
    git(&repo, &["add", "b"]);
    let state = |repo: &Path| {
        (
            git(repo, &["for-each-ref"]),
            git(repo, &["symbolic-ref", "HEAD"]),
            git(repo, &["ls-files", "--stage"]),
        )
    };
    let before = state(&repo);
    let writes = Writes {
        paths: Vec::new(),
        index: true,
        references: true,
    };
    bench
        .act_with(writes, |repo| {
            git(repo, &["checkout", "-q", "-b", "topic"]);
            git(repo, &["commit", "-qm", "two"]);
            git(repo, &["tag", "v1"]);
            git(repo, &["rm", "-q", "--cached", "a"]);
            git(repo, &["branch", "-D", "main"]);
        })
        .await;
    let after = state(&repo);
    assert_ne!(before, after);
    let done = bench.undo.undo(bench.which()).await.unwrap();
    assert_eq!(state(&repo), before);
    assert!(done.index);
    assert_eq!(
        done.references,
        [
            "HEAD",
            "refs/heads/main",
            "refs/heads/topic",
            "refs/tags/v1"
        ]
    );
    bench.undo.redo(bench.which()).await.unwrap();
    assert_eq!(state(&repo), after);
    git(&repo, &["commit", "-qm", "three", "--allow-empty"]);
    assert!(matches!(
        bench.undo.undo(bench.which()).await,
        Err(UndoError::Differs { .. })
    ));
}

#[tokio::test]
async fn a_secret_is_kept_encrypted_and_never_shown() {
    let bench = Bench::new();
    let file = bench.repo().join(".env");
    fs::write(&file, "KEY=AKIAIOSFODNN7EXAMPLE\n").unwrap();
    bench
        .act(&[".env"], |repo| {
            fs::write(repo.join(".env"), "KEY=\n").unwrap();
        })
        .await;
    let done = bench
        .undo
        .undo(Which {
            dry_run: true,
            ..bench.which()
        })
        .await
        .unwrap();
    assert_eq!(done.files[0].diff, None);
    let mut open = vec![bench.dir.path().join("state")];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else {
            let bytes = fs::read(&path).unwrap();
            assert!(
                !bytes.windows(8).any(|w| w == b"AKIAIOSF"),
                "{}",
                path.display()
            );
        }
    }
    bench.undo.undo(bench.which()).await.unwrap();
    assert_eq!(
        fs::read_to_string(&file).unwrap(),
        "KEY=AKIAIOSFODNN7EXAMPLE\n"
    );
}

#[tokio::test]
async fn what_is_old_is_forgotten_and_what_is_young_is_not() {
    let bench = Bench::new();
    let file = bench.repo().join("a");
    for round in 0..3 {
        let content = format!("{round}");
        bench
            .act(&["a"], |repo| fs::write(repo.join("a"), content).unwrap())
            .await;
        let later = tradewind_core::Clock::now(&bench.clock) + Duration::from_hours(240);
        bench.clock.set(later);
    }
    let expiry = |days: u64, max_bytes| Expiry {
        repository: repository(),
        max_age: Duration::from_secs(days * 24 * 3600),
        max_bytes,
    };
    let expired = bench.undo.expire(expiry(25, 1 << 30)).await.unwrap();
    assert_eq!(expired.operations, 1);
    bench
        .act(&["a"], |repo| fs::write(repo.join("a"), "young").unwrap())
        .await;
    let expired = bench.undo.expire(expiry(1, 1)).await.unwrap();
    assert_eq!(expired.operations, 2);
    assert!(expired.freed_bytes > 0);
    bench.undo.undo(bench.which()).await.unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "2");
    assert!(matches!(
        bench.undo.undo(bench.which()).await,
        Err(UndoError::Nothing { .. })
    ));
}

#[tokio::test]
async fn an_undo_is_told_by_one_event() {
    let bench = Bench::new();
    bench
        .act(&["a"], |repo| fs::write(repo.join("a"), "x").unwrap())
        .await;
    let done = bench.undo.undo(bench.which()).await.unwrap();
    let filter = Filter {
        kinds: vec![EventKind::EngineActionUndone],
        limit: 9,
        ..Filter::default()
    };
    let told = bench.journal.reader().unwrap().select(&filter).unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].cause, Some(done.request));
    // By the number of the undo, of the outcome or of the request: it is the same action.
    let again = Which {
        seq: Some(told[0].seq),
        ..bench.which()
    };
    bench.undo.redo(again).await.unwrap();
    assert!(bench.repo().join("a").exists());
}

/// One thing that a random action does to a random tree.
#[derive(Clone, Debug)]
pub(crate) enum Deed {
    Write(usize, Vec<u8>, bool),
    Delete(usize),
    Link(usize, usize),
    Folder(usize),
}

/// Paths that a random tree is made of: they get in each other's way on purpose.
pub(crate) const PATHS: &[&str] = &[
    "a",
    "b",
    "a/c",
    "d/e",
    "d/e/f",
    "d/g",
    "h i",
    "ü",
    "d/ignored.db",
    "x%41",
];

pub(crate) fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let path = 0..PATHS.len();
    let deed = prop_oneof![
        4 => (path.clone(), prop::collection::vec(any::<u8>(), 0..40), any::<bool>())
            .prop_map(|(path, bytes, run)| Deed::Write(path, bytes, run)),
        2 => path.clone().prop_map(Deed::Delete),
        1 => (path.clone(), path.clone()).prop_map(|(path, to)| Deed::Link(path, to)),
        1 => path.prop_map(Deed::Folder),
    ];
    prop::collection::vec(deed, 0..12)
}

pub(crate) fn perform(repo: &Path, deeds: &[Deed]) {
    let clear = |path: &Path| match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path).unwrap(),
        Ok(_) => fs::remove_file(path).unwrap(),
        Err(_) => {}
    };
    let make_room = |path: &Path| {
        for parent in path
            .ancestors()
            .skip(1)
            .take_while(|parent| *parent != repo)
        {
            if fs::symlink_metadata(parent).is_ok_and(|meta| !meta.is_dir()) {
                clear(parent);
            }
        }
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        clear(path);
    };
    for deed in deeds {
        match deed {
            Deed::Write(path, bytes, run) => {
                let path = repo.join(PATHS[*path]);
                make_room(&path);
                fs::write(&path, bytes).unwrap();
                chmod(&path, if *run { 0o755 } else { 0o640 });
            }
            Deed::Delete(path) => {
                let path = repo.join(PATHS[*path]);
                let through_link = path
                    .ancestors()
                    .skip(1)
                    .take_while(|parent| *parent != repo)
                    .any(|parent| fs::symlink_metadata(parent).is_ok_and(|meta| !meta.is_dir()));
                if !through_link {
                    clear(&path);
                }
            }
            Deed::Link(path, to) => {
                let path = repo.join(PATHS[*path]);
                make_room(&path);
                link(PATHS[*to], &path);
            }
            Deed::Folder(path) => {
                let path = repo.join(PATHS[*path]);
                make_room(&path);
                fs::create_dir(&path).unwrap();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn undo_restores_any_tree_and_redo_goes_back(first in deeds(), second in deeds()) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let bench = Bench::new();
            let repo = bench.repo();
            perform(&repo, &first);
            let before = snapshot(&repo);
            bench.act(&["**"], |repo| perform(repo, &second)).await;
            let after = snapshot(&repo);
            bench.undo.undo(bench.which()).await.unwrap();
            assert_eq!(snapshot(&repo), before);
            bench.undo.redo(bench.which()).await.unwrap();
            assert_eq!(snapshot(&repo), after);
        });
    }
}

#[cfg(unix)]
#[tokio::test]
async fn nothing_is_written_through_a_link_that_leads_out() {
    let bench = Bench::new();
    let repo = bench.repo();
    let outside = bench.dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::create_dir(repo.join("d")).unwrap();
    fs::write(repo.join("d/a"), "old").unwrap();
    bench
        .act(&["d/a"], |repo| fs::write(repo.join("d/a"), "new").unwrap())
        .await;
    fs::write(outside.join("a"), "new").unwrap();
    chmod(&outside.join("a"), 0o644);
    fs::remove_dir_all(repo.join("d")).unwrap();
    link(outside.to_str().unwrap(), &repo.join("d"));
    let refused = bench.undo.undo(bench.which()).await;
    assert!(
        matches!(refused, Err(UndoError::Differs { .. })),
        "{refused:?}"
    );
    assert_eq!(fs::read_to_string(outside.join("a")).unwrap(), "new");
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_that_leads_into_itself_comes_back() {
    let bench = Bench::new();
    let repo = bench.repo();
    link("a/c", &repo.join("a"));
    let before = snapshot(&repo);
    bench
        .act(&["**"], |repo| {
            fs::remove_file(repo.join("a")).unwrap();
            fs::create_dir(repo.join("a")).unwrap();
            fs::write(repo.join("a/c"), "").unwrap();
        })
        .await;
    bench.undo.undo(bench.which()).await.unwrap();
    assert_eq!(snapshot(&repo), before);
    bench.undo.redo(bench.which()).await.unwrap();
    assert!(repo.join("a/c").is_file());
}
