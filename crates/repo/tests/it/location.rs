//! Repositories of every kind are found, and keep their identity.

use std::fs;

use tradewind_host::git::Git;
use tradewind_repo::location::{self, identity, peek_identity, renew_identity};
use tradewind_repo::{Location, RepoError};

use crate::scratch::Scratch;

#[test]
fn a_work_tree_is_found_from_below_and_from_its_git_directory() {
    let scratch = Scratch::new();
    fs::create_dir_all(scratch.top.join("a/b")).unwrap();
    for dir in ["", "a/b", ".git", ".git/refs"] {
        let found = Location::find(&scratch.git, &scratch.top.join(dir)).unwrap();
        assert_eq!(found.top, scratch.top, "{dir}");
        assert_eq!(found.git_dir, scratch.top.join(".git"), "{dir}");
        assert_eq!(found.common_dir, found.git_dir, "{dir}");
        assert!(!found.is_bare && found.exists(), "{dir}");
    }
}

#[test]
fn a_bare_repository_is_its_own_top() {
    let scratch = Scratch::with_init(&["--bare"]);
    let found = scratch.location();
    assert!(found.is_bare);
    assert_eq!(found.top, scratch.top);
    assert_eq!(found.git_dir, scratch.top);
}

#[test]
fn a_linked_work_tree_shares_the_common_directory_and_the_identity() {
    let scratch = Scratch::new();
    scratch.commit("one");
    let linked = scratch.folder().join("linked");
    scratch.run(&["worktree", "add", "-q", linked.to_str().unwrap()]);
    let main = scratch.location();
    let found = Location::find(&scratch.git, &linked).unwrap();
    assert_eq!(found.common_dir, main.common_dir);
    assert_ne!(found.git_dir, main.git_dir);
    assert!(found.is_same_repository(&main));
    assert_eq!(identity(&found).unwrap(), identity(&main).unwrap());
    let inside = Location::find(&scratch.git, &found.git_dir).unwrap();
    assert_eq!(inside, found);
}

#[test]
fn a_submodule_is_a_repository_of_its_own() {
    let outer = Scratch::new();
    fs::create_dir(outer.top.join(".git/modules")).unwrap();
    outer.run(&[
        "init",
        "-q",
        "--separate-git-dir",
        ".git/modules/sub",
        "sub",
    ]);
    let found = Location::find(&outer.git, &outer.top.join("sub")).unwrap();
    assert_eq!(found.top, outer.top.join("sub"));
    assert_eq!(found.git_dir, outer.top.join(".git/modules/sub"));
    assert!(!found.is_same_repository(&outer.location()));
}

#[test]
fn no_repository_is_an_error_that_names_the_path() {
    let folder = tempfile::tempdir().unwrap();
    let error = Location::find(&Git::discover().unwrap(), folder.path()).unwrap_err();
    assert!(matches!(error, RepoError::NotARepository { .. }), "{error}");
}

#[cfg(unix)]
#[test]
fn a_path_with_a_line_feed_and_quotes_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let top = fs::canonicalize(folder.path()).unwrap().join("a\n'b\"");
    fs::create_dir(&top).unwrap();
    let git = Git::discover().unwrap();
    git.porcelain(&top, &["init", "-q"], Vec::new(), &[])
        .unwrap();
    assert_eq!(Location::find(&git, &top).unwrap().top, top);
}

#[test]
fn the_identity_stays_when_the_folder_moves_and_a_copy_can_get_its_own() {
    let scratch = Scratch::new();
    let here = scratch.location();
    assert_eq!(peek_identity(&here).unwrap(), None);
    let id = identity(&here).unwrap();
    let moved = scratch.folder().join("moved");
    fs::rename(&scratch.top, &moved).unwrap();
    let there = Location::find(&scratch.git, &moved).unwrap();
    assert_eq!(identity(&there).unwrap(), id);
    assert!(!here.exists());

    fs::create_dir_all(scratch.top.join(".git/refs")).unwrap();
    fs::create_dir_all(scratch.top.join(".git/objects")).unwrap();
    for file in ["HEAD", "config", location::IDENTITY_FILE] {
        fs::copy(
            moved.join(".git").join(file),
            scratch.top.join(".git").join(file),
        )
        .unwrap();
    }
    let copy = scratch.location();
    assert_eq!(peek_identity(&copy).unwrap(), Some(id));
    assert!(!copy.is_same_repository(&there));
    let renewed = renew_identity(&copy).unwrap();
    assert_ne!(renewed, id);
    assert_eq!(identity(&copy).unwrap(), renewed);
    assert_eq!(identity(&there).unwrap(), id);
}

#[test]
fn a_damaged_identity_is_refused() {
    let scratch = Scratch::new();
    fs::write(
        scratch.top.join(".git").join(location::IDENTITY_FILE),
        "no id",
    )
    .unwrap();
    assert!(matches!(
        identity(&scratch.location()),
        Err(RepoError::BadIdentity { .. })
    ));
}
