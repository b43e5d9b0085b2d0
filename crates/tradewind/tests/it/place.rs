//! Which daemon, which store, which folder: leftovers of a kill, two starts at once, folders that are
//! not the one on the list.

use std::io::Read;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use tradewind_core::{EventKind, Seq};

use crate::support::{Repo, User};

fn bot(user: &User) -> Repo {
    let repo = Repo::new(user.home.path().join("bot"));
    repo.write("notes.md", "kept\n");
    repo.commit("notes");
    repo
}

/// A daemon was killed and another program has its port now: it must neither be taken for the daemon
/// nor be given the token.
#[test]
fn a_stranger_on_a_killed_daemons_port_gets_no_token_and_stops_nobody() {
    let user = User::new();
    let repo = bot(&user);
    let daemon = user.up(&repo.path);
    let address = daemon.address;
    daemon.kill();
    let stranger = TcpListener::bind(address).unwrap();
    stranger.set_nonblocking(true).unwrap();
    assert!(user.state().join("daemon.json").exists(), "no leftover");

    assert!(user.ok(&repo.path, &["status"]).contains("No daemon runs"));
    user.ok(&repo.path, &["pause"]);
    user.ok(&repo.path, &["up", "--stop"]);
    let again = user.up(&repo.path);
    assert_ne!(again.address, address);
    match stranger.accept() {
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
        Ok((mut caller, _)) => {
            let mut said = [0; 512];
            let n = caller.read(&mut said).unwrap_or(0);
            panic!(
                "a stranger was asked: {}",
                String::from_utf8_lossy(&said[..n])
            );
        }
    }
}

#[test]
fn of_several_that_start_at_once_one_runs_and_the_others_join_it() {
    let user = User::new();
    let repo = bot(&user);
    let starts: Vec<_> = (0..3)
        .map(|_| {
            user.tradewind(&repo.path)
                .args(["up", "--detach", "--listen", "127.0.0.1:0"])
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    for start in starts {
        let output = start.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    assert_eq!(user.events(&[EventKind::DaemonProcessStarted]).len(), 1);
    user.ok(&repo.path, &["up", "--stop"]);
    // The lock is free when the daemon is said to have ended.
    user.ok(&repo.path, &["pause"]);
}

#[test]
fn commands_without_a_daemon_take_turns() {
    let user = User::new();
    let repo = bot(&user);
    let commands: Vec<_> = (0..4)
        .map(|_| {
            user.tradewind(&repo.path)
                .arg("pause")
                .stdout(std::process::Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut command in commands {
        assert_eq!(command.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn a_daemon_in_the_background_that_cannot_start_says_at_once_what_one_in_the_foreground_says() {
    let user = User::new();
    let repo = bot(&user);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let begun = std::time::Instant::now();
    let behind = user.run(&repo.path, &["up", "--detach", "--listen", &address]);
    let before = user.run(&repo.path, &["up", "--listen", &address]);
    assert_eq!((behind.code, &behind.err), (before.code, &before.err));
    assert_eq!(behind.code, Some(5));
    // It used to wait for a daemon that had ended long ago.
    assert!(begun.elapsed() < Duration::from_secs(14));
}

#[test]
fn a_command_in_a_linked_work_tree_does_not_change_files_in_another_one() {
    let user = User::new();
    let repo = bot(&user);
    let _daemon = user.up(&repo.path);
    repo.git(&["worktree", "add", "-q", "../linked", "-b", "linked"]);
    let linked = user.home.path().join("linked");
    std::fs::remove_file(repo.path.join("notes.md")).unwrap();
    std::fs::remove_file(linked.join("notes.md")).unwrap();
    for args in [&["restore", "notes.md"][..], &["undo"], &["redo"]] {
        let said = user.run(&linked, args);
        assert_eq!(said.code, Some(2), "{said:#?}");
        assert!(said.err.contains("linked work tree"), "{}", said.err);
    }
    assert_eq!(repo.read("notes.md"), None);
    assert!(!linked.join("notes.md").exists());
}

#[test]
fn a_command_works_in_the_folder_it_is_typed_in_after_a_move_or_a_copy() {
    let user = User::new();
    let repo = bot(&user);
    user.up(&repo.path).kill();
    // Moved while nobody watched: the old folder must not come back.
    let moved = user.home.path().join("moved");
    std::fs::rename(&repo.path, &moved).unwrap();
    std::fs::remove_file(moved.join("notes.md")).unwrap();
    user.ok(&moved, &["restore", "notes.md"]);
    assert_eq!(
        std::fs::read_to_string(moved.join("notes.md")).unwrap(),
        "kept\n"
    );
    assert!(!repo.path.exists());
    // A copy has the same id: undoing there must not touch the original.
    let copy = user.home.path().join("copy");
    copy_folder(&moved, &copy);
    let said = user.run(&copy, &["undo"]);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(moved.join("notes.md").exists());
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn a_configuration_that_is_no_text_does_not_keep_the_repository_from_being_watched() {
    let user = User::new();
    let repo = bot(&user);
    let _daemon = user.up(&repo.path);
    std::fs::write(repo.path.join("tradewind.toml"), b"[rules.a]\n# caf\xe9\n").unwrap();
    let rejected = user.wait(Seq::ZERO, EventKind::EngineConfigRejected);
    assert!(
        rejected.data.unwrap().get().contains("line 2 is not UTF-8"),
        "the place is told"
    );
    repo.commit("while it is wrong");
    user.wait(rejected.seq, EventKind::RepoCommitCreated);
    assert!(user.events(&[EventKind::DaemonTaskRestarted]).is_empty());
    let said = user.run(&repo.path, &["config", "check"]);
    assert_eq!(said.code, Some(3));
    assert!(said.err.contains("UTF-8"), "{}", said.err);
}

#[cfg(unix)]
#[test]
fn a_configuration_that_is_a_link_to_an_endless_device_is_not_read() {
    let user = User::new();
    let repo = bot(&user);
    std::os::unix::fs::symlink("/dev/zero", repo.path.join("tradewind.toml")).unwrap();
    for args in [&["config", "check"][..], &["trust", "--show"]] {
        let said = user.run(&repo.path, args);
        assert_eq!(said.code, Some(3), "{said:#?}");
        assert!(said.err.contains("no regular file"), "{}", said.err);
    }
    let _daemon = user.up(&repo.path);
    repo.commit("still watched");
    user.wait(Seq::ZERO, EventKind::RepoCommitCreated);
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_whose_name_is_not_utf_8_is_refused_by_name() {
    use std::os::unix::ffi::OsStrExt;
    let user = User::new();
    let name = std::ffi::OsStr::from_bytes(b"b\xffot");
    let repo = Repo::new(user.home.path().join(name));
    let said = user.run(&repo.path, &["up"]);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(said.err.contains("not UTF-8"), "{}", said.err);
}

#[test]
fn a_restore_that_changes_nothing_says_so() {
    let user = User::new();
    let repo = bot(&user);
    user.up(&repo.path).kill();
    let out = user.ok(&repo.path, &["restore", "notes.md"]);
    assert!(
        out.contains("has the content already") && out.contains("nothing to change"),
        "{out}"
    );
}
