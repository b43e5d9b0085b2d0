//! The work tree is seen as git sees it, and mass deletions are noticed.

use std::fs;

use jiff::Timestamp;
use tradewind_core::Clock as _;
use tradewind_host::clock::SystemClock;
use tradewind_repo::worktree::deletions::{Deletions, Notice};
use tradewind_repo::worktree::{TreeView, WorktreeDiff, diff, watch_filter};
use tradewind_repo::{Fingerprint, Location, Operation, operation_in_progress};

use crate::scratch::Scratch;

/// Looks with a clock that is far ahead, so that no file is too fresh to be trusted.
fn later() -> Timestamp {
    SystemClock.now() + std::time::Duration::from_mins(1)
}

fn scan(scratch: &Scratch, previous: Option<&TreeView>) -> TreeView {
    TreeView::scan(&scratch.git, &scratch.location(), previous, later()).unwrap()
}

fn counts(diff: &WorktreeDiff) -> (u64, u64, u64) {
    (diff.modified, diff.added, diff.deleted)
}

fn with_files(count: usize) -> Scratch {
    let scratch = Scratch::new();
    for n in 0..count {
        scratch.write(&format!("f{n:03}"), "x");
    }
    scratch.run(&["add", "."]);
    scratch.commit("files");
    scratch
}

#[test]
fn modified_added_and_deleted_files_are_counted_and_named() {
    let scratch = with_files(3);
    let before = scan(&scratch, None);
    assert_eq!(
        (before.len(), before.tracked(), before.missing()),
        (3, 3, 0)
    );
    scratch.write("f000", "longer");
    fs::remove_file(scratch.top.join("f001")).unwrap();
    scratch.write("new/file", "x");
    let after = scan(&scratch, Some(&before));
    let found = diff(&before, &after);
    assert_eq!(counts(&found), (1, 1, 1));
    assert_eq!(found.paths, ["f000", "f001", "new/file"]);
    assert_eq!(
        after.missing_paths().collect::<Vec<_>>(),
        ["f001".into()] as [std::path::PathBuf; 1]
    );
    assert!(diff(&after, &scan(&scratch, Some(&after))).is_empty());
    // Adding it to the index changes no file.
    scratch.run(&["add", "new/file"]);
    let added = scan(&scratch, Some(&after));
    assert!(diff(&after, &added).is_empty());
    assert_eq!(added.tracked(), 4);
}

#[test]
fn a_write_within_the_clock_tick_is_found_by_content() {
    let scratch = with_files(1);
    let path = scratch.top.join("f000");
    let stamp = fs::metadata(&path).unwrap().modified().unwrap();
    let now = SystemClock.now();
    let location = scratch.location();
    let before = TreeView::scan(&scratch.git, &location, None, now).unwrap();
    // Same size, and the time set back to what it was; the inode stays.
    fs::write(&path, "y").unwrap();
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(stamp)
        .unwrap();
    let after = TreeView::scan(&scratch.git, &location, Some(&before), later()).unwrap();
    assert_eq!(counts(&diff(&before, &after)), (1, 0, 0));
}

#[test]
fn the_same_files_are_seen_as_git_sees_them() {
    let scratch = Scratch::new();
    scratch.write(
        ".gitignore",
        "*.log\n/build/\n!keep.log\nnode_modules\ntmp*/**\n",
    );
    scratch.write("a/.gitignore", "local\n!important.log\n");
    for path in [
        "a/x.py",
        "a/local",
        "a/important.log",
        "a/other.log",
        "b/local",
        "build/out",
        "x/build/out",
        "keep.log",
        "no.log",
        "node_modules/m/index.js",
        "deep/node_modules/x",
        "tmp1/a/b",
        "a-b",
        "a.b",
        "a0",
        "a/b/c",
        "a b/ü",
        ".hidden/file",
        "-rf",
        "build2",
    ] {
        scratch.write(path, "x");
    }
    fs::write(scratch.top.join(".git/info/exclude"), "b/\n").unwrap();
    scratch.write("build/tracked", "x");
    scratch.run(&[
        "add",
        "-f",
        "build/tracked",
        "a/x.py",
        "a-b",
        "keep.log",
        "a.b",
    ]);
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("a", scratch.top.join("link")).unwrap();
        std::os::unix::fs::symlink("missing", scratch.top.join("dangling")).unwrap();
    }
    // A repository within this one is left to itself.
    fs::create_dir(scratch.top.join("nested")).unwrap();
    scratch.run(&["init", "-q", "nested"]);
    scratch.write("nested/file", "x");
    let listed = scratch.run(&[
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]);
    let mut expected: Vec<&str> = listed.split('\0').filter(|p| !p.is_empty()).collect();
    // Git names the nested repository itself.
    expected.retain(|path| *path != "nested/");
    expected.sort_unstable();
    expected.dedup();
    let seen: Vec<String> = scan(&scratch, None).paths().collect();
    assert_eq!(seen, expected);
}

#[cfg(unix)]
#[test]
fn hostile_names_are_counted_and_told_without_loss() {
    use std::os::unix::ffi::OsStrExt as _;
    let scratch = with_files(1);
    let before = scan(&scratch, None);
    let names: [&[u8]; 6] = [
        b"new\nline",
        b"quo'te\"",
        b"-rf",
        b"\xff\xfe",
        b"100%41",
        b"a\tb",
    ];
    for name in names {
        fs::write(scratch.top.join(std::ffi::OsStr::from_bytes(name)), "x").unwrap();
    }
    scratch.run(&["add", "."]);
    let after = scan(&scratch, Some(&before));
    assert_eq!(after.tracked(), 7);
    let found = diff(&before, &after);
    assert_eq!(counts(&found), (0, 6, 0));
    let told: Vec<_> = found
        .paths
        .iter()
        .map(|path| tradewind_host::files::from_slash(path))
        .collect();
    for name in names {
        assert!(
            told.iter().any(|path| path.as_os_str().as_bytes() == name),
            "{name:?} {told:?}"
        );
    }
}

#[test]
fn a_changed_ignore_file_is_no_deletion() {
    let scratch = with_files(1);
    scratch.write("out.csv", "x");
    let before = scan(&scratch, None);
    scratch.write(".gitignore", "*.csv\n");
    let after = scan(&scratch, Some(&before));
    assert_eq!(after.len(), 2);
    assert_eq!(diff(&before, &after).deleted, 0);
    assert_ne!(before.ignore_state(), after.ignore_state());
}

#[test]
fn deleting_many_tracked_files_is_told_once_and_so_is_their_return() {
    let scratch = with_files(40);
    let mut view = scan(&scratch, None);
    let mut deletions = Deletions::new(&view);
    for n in 0..25 {
        fs::remove_file(scratch.top.join(format!("f{n:03}"))).unwrap();
    }
    view = scan(&scratch, Some(&view));
    assert_eq!(deletions.update(&view, Some(Operation::IndexLocked)), None);
    let Some(Notice::Deleted(told)) = deletions.update(&view, None) else {
        panic!("untold")
    };
    assert_eq!((told.deleted, told.tracked), (25, 40));
    assert_eq!(told.paths.len(), 25);
    assert_eq!(deletions.update(&view, None), None);
    assert!(deletions.is_open());
    scratch.run(&["checkout", "-q", "--", "."]);
    view = scan(&scratch, Some(&view));
    let Some(Notice::Restored(told)) = deletions.update(&view, None) else {
        panic!("untold")
    };
    assert_eq!(told.restored, 25);
    assert_eq!(deletions.update(&view, None), None);
}

#[test]
fn a_deletion_that_goes_on_adds_up_and_a_small_one_is_housekeeping() {
    let scratch = with_files(40);
    let mut view = scan(&scratch, None);
    let mut deletions = Deletions::new(&view);
    let mut told = Vec::new();
    for n in 0..12 {
        fs::remove_file(scratch.top.join(format!("f{n:03}"))).unwrap();
        view = scan(&scratch, Some(&view));
        told.extend(deletions.update(&view, None));
    }
    assert!(
        matches!(&told[..], [Notice::Deleted(files)] if files.deleted == 10),
        "{told:?}"
    );

    let scratch = with_files(40);
    let mut view = scan(&scratch, None);
    let mut deletions = Deletions::new(&view);
    for n in 0..20 {
        fs::remove_file(scratch.top.join(format!("f{n:03}"))).unwrap();
        view = scan(&scratch, Some(&view));
        assert_eq!(deletions.update(&view, None), None);
        assert_eq!(deletions.update(&view, None), None);
    }
}

#[test]
fn losing_a_whole_top_folder_is_told_and_a_commit_of_it_closes_the_matter() {
    let scratch = with_files(60);
    for n in 0..4 {
        scratch.write(&format!("src/m{n}.py"), "x");
    }
    scratch.run(&["add", "."]);
    scratch.commit("source");
    let mut view = scan(&scratch, None);
    let mut deletions = Deletions::new(&view);
    fs::remove_dir_all(scratch.top.join("src")).unwrap();
    view = scan(&scratch, Some(&view));
    assert!(matches!(deletions.update(&view, None), Some(Notice::Deleted(f)) if f.deleted == 4));
    scratch.run(&["commit", "-qam", "Remove the source"]);
    view = scan(&scratch, Some(&view));
    assert_eq!(deletions.update(&view, None), None);
    assert!(!deletions.is_open());
}

#[test]
fn a_checkout_and_a_sparse_checkout_delete_nothing() {
    let scratch = with_files(30);
    scratch.run(&["checkout", "-q", "--orphan", "other"]);
    scratch.run(&["rm", "-qrf", "."]);
    scratch.write("only", "x");
    scratch.run(&["add", "."]);
    scratch.commit("other");
    scratch.run(&["checkout", "-q", "main"]);
    let mut view = scan(&scratch, None);
    let mut deletions = Deletions::new(&view);
    scratch.run(&["checkout", "-q", "other"]);
    view = scan(&scratch, Some(&view));
    assert_eq!(deletions.update(&view, None), None);
    assert_eq!(view.missing(), 0);
    scratch.run(&["checkout", "-q", "main"]);
    scratch.run(&["sparse-checkout", "set", "--no-cone", "/f000"]);
    view = scan(&scratch, Some(&view));
    assert_eq!((view.tracked(), view.missing(), view.len()), (1, 0, 1));
    assert_eq!(deletions.update(&view, None), None);
}

#[test]
fn a_submodule_is_not_missing_and_not_walked() {
    let scratch = with_files(2);
    let inner = scratch.top.join("sub");
    fs::create_dir(&inner).unwrap();
    scratch.run(&["init", "-q", "sub"]);
    scratch
        .run_in(&inner, &["commit", "-q", "--allow-empty", "-m", "one"])
        .unwrap();
    let oid = scratch.run_in(&inner, &["rev-parse", "HEAD"]).unwrap();
    scratch.write("sub/file", "x");
    scratch.run(&[
        "update-index",
        "--add",
        "--cacheinfo",
        &format!("160000,{oid},sub"),
    ]);
    let view = scan(&scratch, None);
    assert_eq!((view.tracked(), view.missing(), view.len()), (2, 0, 2));
    fs::remove_dir_all(inner).unwrap();
    assert_eq!(scan(&scratch, Some(&view)).missing(), 0);
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_read_is_unknown_and_not_deleted() {
    use std::os::unix::fs::PermissionsExt as _;
    let scratch = with_files(1);
    scratch.write("closed/a", "x");
    scratch.run(&["add", "."]);
    let closed = scratch.top.join("closed");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    let view = scan(&scratch, None);
    let can_read = fs::read_dir(&closed).is_ok();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(view.missing(), 0);
    // Root reads everything.
    assert_eq!(view.problems().count(), usize::from(!can_read));
}

#[test]
fn the_filter_for_the_watcher_leaves_out_what_is_ignored_and_untracked() {
    let scratch = Scratch::new();
    scratch.write(".gitignore", "venv/\nbuild/\n*.pyc\n");
    scratch.write("sub/.gitignore", "out\n");
    scratch.write("venv/lib/x", "x");
    scratch.write("build/tracked", "x");
    scratch.run(&["add", "-f", ".gitignore", "sub/.gitignore", "build/tracked"]);
    let location = scratch.location();
    let is_ignored = watch_filter(&location, &scan(&scratch, None));
    for (path, is_dir, expected) in [
        ("", true, false),
        ("venv", true, true),
        ("build", true, false),
        ("src", true, false),
        ("sub/out", true, true),
        ("src/a.pyc", false, true),
        ("src/a.py", false, false),
        (".git", true, false),
        (".git/objects", true, true),
        (".git/refs/heads", true, false),
        (".git/HEAD", false, false),
        (".git/index.lock", false, true),
        ("vendored/.git", true, true),
    ] {
        assert_eq!(
            is_ignored(&scratch.top.join(path), is_dir),
            expected,
            "{path}"
        );
    }
}

#[test]
fn a_bare_repository_has_an_empty_view() {
    let scratch = Scratch::with_init(&["--bare"]);
    assert!(scan(&scratch, None).is_empty());
}

#[test]
fn operations_of_git_are_noticed() {
    let scratch = with_files(1);
    let location = scratch.location();
    assert_eq!(operation_in_progress(&location), None);
    scratch.run(&["checkout", "-q", "-b", "other"]);
    scratch.write("f000", "theirs");
    scratch.run(&["commit", "-qam", "theirs"]);
    scratch.run(&["checkout", "-q", "main"]);
    scratch.write("f000", "ours");
    scratch.run(&["commit", "-qam", "ours"]);
    for (args, expected) in [
        (["merge", "other"], Operation::Merge),
        (["rebase", "other"], Operation::Rebase),
        (["cherry-pick", "other"], Operation::CherryPick),
    ] {
        scratch.try_run(&args).unwrap_err();
        assert_eq!(operation_in_progress(&location), Some(expected));
        scratch.run(&[args[0], "--abort"]);
        assert_eq!(operation_in_progress(&location), None);
    }
    fs::write(location.git_dir.join("index.lock"), "").unwrap();
    assert_eq!(
        operation_in_progress(&location),
        Some(Operation::IndexLocked)
    );
}

#[test]
fn a_fingerprint_tells_every_kind_of_move_and_is_still_otherwise() {
    let scratch = with_files(1);
    let linked = scratch.folder().join("linked");
    scratch.run(&[
        "worktree",
        "add",
        "-q",
        "--detach",
        linked.to_str().unwrap(),
    ]);
    let location: Location = scratch.location();
    let take = |previous: Option<&Fingerprint>| Fingerprint::take(&location, previous, later());
    let mut last = take(None);
    assert!(last.is_same(&take(Some(&last))));
    let here = scratch.top.as_path();
    for (dir, args) in [
        (here, ["commit", "--allow-empty", "-qm", "x"].as_slice()),
        (here, &["branch", "a/b/c"]),
        (here, &["update-ref", "refs/heads/a/b/c", "HEAD~1"]),
        (here, &["tag", "t"]),
        (here, &["pack-refs", "--all"]),
        (here, &["update-ref", "refs/heads/a/b/c", "HEAD"]),
        (here, &["checkout", "-q", "a/b/c"]),
        (linked.as_path(), &["commit", "--allow-empty", "-qm", "y"]),
        (here, &["branch", "-D", "main"]),
    ] {
        scratch.run_in(dir, args).unwrap();
        let next = take(Some(&last));
        assert!(!last.has_same_refs(&next), "{args:?}");
        last = next;
        assert!(last.is_same(&take(Some(&last))), "{args:?}");
    }
    scratch.write("f000", "changed");
    scratch.run(&["add", "f000"]);
    let next = take(Some(&last));
    assert!(last.has_same_refs(&next) && !last.is_same(&next));
    // Taken within the clock's tick, it vouches for nothing.
    scratch.run(&["tag", "fresh"]);
    let fresh = Fingerprint::take(&location, Some(&next), SystemClock.now());
    assert!(!fresh.is_same(&fresh.clone()));
}
