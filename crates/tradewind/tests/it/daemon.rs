//! The daemon on real repositories: each commit once, whatever dies; rules that act; one daemon per user.

use std::collections::BTreeSet;

use tradewind_core::payload::{
    ActionSucceeded, CommitCreated, FilesDeleted, HeldReason, RepositoryMoved, RuleHeld,
};
use tradewind_core::{EventKind as K, Seq};

use crate::support::{Repo, User, git, program};

fn commits(user: &User) -> Vec<String> {
    user.events(&[K::RepoCommitCreated])
        .iter()
        .map(|e| e.payload::<CommitCreated>().unwrap().id)
        .collect()
}

#[test]
fn commits_branches_tags_merges_rewrites_and_checkouts_are_journaled() {
    let user = User::new();
    let repo = Repo::new(user.home.path().join("bot"));
    repo.write("strategy.py", "x = 1\n");
    let before = repo.commit("history, not news");
    let _daemon = user.up(&repo.path);

    repo.write("strategy.py", "x = 2\n");
    let first = repo.commit("first");
    user.wait(Seq::ZERO, K::RepoBranchUpdated);
    repo.git(&["checkout", "-q", "-b", "idea"]);
    user.wait(Seq::ZERO, K::RepoHeadSwitched);
    repo.write("idea.py", "y = 1\n");
    let second = repo.commit("second");
    repo.git(&["checkout", "-q", "main"]);
    repo.git(&["merge", "-q", "--no-ff", "-m", "merge idea", "idea"]);
    user.wait(Seq::ZERO, K::RepoChangeMerged);
    let merge = repo.git(&["rev-parse", "HEAD"]);
    repo.git(&["tag", "v1"]);
    user.wait(Seq::ZERO, K::RepoTagCreated);
    repo.git(&["commit", "-q", "--amend", "-m", "merge idea, again"]);
    user.wait(Seq::ZERO, K::RepoBranchRewritten);
    let amended = repo.git(&["rev-parse", "HEAD"]);
    repo.git(&["tag", "-d", "v1"]);
    user.wait(Seq::ZERO, K::RepoTagDeleted);
    repo.git(&["branch", "-D", "idea"]);
    user.wait(Seq::ZERO, K::RepoBranchDeleted);

    let seen = commits(&user);
    assert_eq!(
        seen.iter().collect::<BTreeSet<_>>().len(),
        seen.len(),
        "a commit twice: {seen:?}"
    );
    assert_eq!(
        seen.iter().cloned().collect::<BTreeSet<_>>(),
        BTreeSet::from([first, second, merge, amended])
    );
    assert!(!seen.contains(&before));
    assert!(user.ok(&repo.path, &["log", "--verify"]).contains("intact"));
}

#[test]
fn a_kill_at_any_moment_neither_loses_nor_repeats_a_commit() {
    let user = User::new();
    let repo = Repo::new(user.home.path().join("bot"));
    repo.commit("history");
    let mut expected = BTreeSet::new();
    for round in 0..6 {
        let daemon = user.up(&repo.path);
        for n in 0..4 {
            repo.write("n.txt", &format!("{round} {n}\n"));
            expected.insert(repo.commit(&format!("commit {round} {n}")));
        }
        if round % 2 == 0 {
            let last = expected.len();
            user.until("the commits so far", || {
                Some(()).filter(|()| commits(&user).len() >= last - 2)
            });
        }
        daemon.kill();
        // Committed while nobody looks.
        repo.write("n.txt", &format!("{round} alone\n"));
        expected.insert(repo.commit(&format!("alone {round}")));
    }
    let _daemon = user.up(&repo.path);
    user.until("all commits", || {
        Some(()).filter(|()| commits(&user).len() >= expected.len())
    });
    let seen = commits(&user);
    assert_eq!(seen.len(), expected.len(), "a commit is journaled twice");
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), expected);
    assert!(user.ok(&repo.path, &["log", "--verify"]).contains("intact"));
}

#[test]
fn a_history_replayed_at_full_speed_is_journaled_once_each() {
    const COMMITS: usize = 150;
    let user = User::new();
    let source = Repo::new(user.home.path().join("source"));
    let mut ids = vec![source.commit("root")];
    for n in 1..COMMITS {
        source.write(&format!("src/m{}.py", n % 17), &format!("x = {n}\n"));
        ids.push(source.commit(&format!("change {n}")));
    }
    let bot = user.home.path().join("bot");
    git(user.home.path(), &["clone", "-q", "source", "bot"]);
    git(&bot, &["reset", "-q", "--hard", &ids[0]]);
    git(&bot, &["update-ref", "-d", "refs/remotes/origin/main"]);
    git(&bot, &["remote", "remove", "origin"]);
    git(&bot, &["reflog", "expire", "--expire=now", "--all"]);
    let _daemon = user.up(&bot);
    for id in &ids[1..] {
        git(&bot, &["reset", "-q", "--hard", id]);
    }
    user.until("all commits", || {
        Some(()).filter(|()| commits(&user).len() >= COMMITS - 1)
    });
    let seen = commits(&user);
    assert_eq!(seen, ids[1..], "not each once, parents first");
}

#[test]
fn a_second_repository_joins_the_running_daemon() {
    let user = User::new();
    let (one, two) = (
        Repo::new(user.home.path().join("one")),
        Repo::new(user.home.path().join("two")),
    );
    one.commit("one");
    two.commit("two");
    let daemon = user.up(&one.path);
    let said = user.ok(&two.path, &["up"]);
    assert!(
        said.contains("two") && said.contains(&daemon.address.to_string()),
        "{said}"
    );
    let id = two.commit("in two");
    user.until("the commit in two", || {
        commits(&user).contains(&id).then_some(())
    });
    assert_eq!(user.events(&[K::RepoRepositoryRegistered]).len(), 2);
    // Each log shows its own repository; both with --all.
    assert!(user.ok(&two.path, &["log"]).contains("in two"));
    assert!(!user.ok(&one.path, &["log"]).contains("in two"));
    assert!(user.ok(&one.path, &["log", "--all"]).contains("in two"));
    let status = user.ok(&one.path, &["status"]);
    assert!(
        status.contains("running") && status.contains("one") && status.contains("two"),
        "{status}"
    );
    user.ok(&two.path, &["up", "--remove"]);
    let status: serde_json::Value =
        serde_json::from_str(&user.ok(&one.path, &["status", "--format", "json"])).unwrap();
    assert_eq!(
        status["repositories"].as_array().unwrap().len(),
        1,
        "{status}"
    );
    user.ok(&one.path, &["up", "--stop"]);
    user.wait(Seq::ZERO, K::DaemonProcessStopped);
}

#[test]
fn a_moved_repository_keeps_its_history_and_a_copied_one_gets_its_own() {
    let user = User::new();
    let repo = Repo::new(user.home.path().join("bot"));
    repo.commit("history");
    let daemon = user.up(&repo.path);
    repo.commit("before the move");
    user.wait(Seq::ZERO, K::RepoCommitCreated);
    let moved = Repo {
        path: user.home.path().join("bot-renamed"),
    };
    std::fs::rename(&repo.path, &moved.path).unwrap();
    let event = user.wait(Seq::ZERO, K::RepoRepositoryMoved);
    let body: RepositoryMoved = event.payload().unwrap();
    assert!(body.to.ends_with("bot-renamed"), "{body:?}");
    let id = moved.commit("after the move");
    user.until("the commit after the move", || {
        commits(&user).contains(&id).then_some(())
    });
    let ids: BTreeSet<_> = user
        .events(&[K::RepoCommitCreated])
        .iter()
        .map(|e| e.repository)
        .collect();
    assert_eq!(ids.len(), 1);

    let copy = user.home.path().join("copy");
    copy_dir(&moved.path, &copy);
    user.ok(&copy, &["up"]);
    let registered: BTreeSet<_> = user
        .events(&[K::RepoRepositoryRegistered])
        .iter()
        .map(|e| e.repository)
        .collect();
    assert_eq!(registered.len(), 2, "the copy shares the original's id");
    drop(daemon);
}

fn copy_dir(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &to.join(entry.file_name()));
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

const RULES: &str = r#"
[rules.count]
on = "repo.commit.created"
do = "run"
with = { command = ["git", "rev-list", "--count", "HEAD"], writes = [] }
mode = "act"

[rules.page]
on = "repo.commit.created"
do = "run"
with = { command = ["git", "log", "-1", "--pretty=%s", "--output=LAST.txt"], writes = ["LAST.txt"] }
mode = "propose"
"#;

#[test]
fn a_rule_acts_only_after_trust_and_its_effect_can_be_taken_back() {
    let user = User::new();
    let repo = Repo::new(user.home.path().join("bot"));
    repo.write("LAST.txt", "precious, never committed\n");
    repo.write(".gitignore", "LAST.txt\n");
    repo.write("tradewind.toml", RULES);
    repo.commit("history");
    let _daemon = user.up(&repo.path);

    repo.commit("before trust");
    let held: RuleHeld = user.wait(Seq::ZERO, K::EngineRuleHeld).payload().unwrap();
    assert_eq!(held.reason, HeldReason::Untrusted);
    assert_eq!(user.run(&repo.path, &["trust", "--show"]).code, Some(1));
    let trusted = user.ok(&repo.path, &["trust", "--yes"]);
    assert!(trusted.contains("rev-list"), "{trusted}");

    let before = user.last();
    repo.commit("after trust");
    let done: ActionSucceeded = user
        .wait(before, K::EngineActionSucceeded)
        .payload()
        .unwrap();
    assert!(
        done.output.to_string().contains('3'),
        "three commits: {done:?}"
    );

    let proposal = user.wait(before, K::EngineProposalOpened).seq;
    assert_eq!(
        repo.read("LAST.txt").as_deref(),
        Some("precious, never committed\n")
    );
    user.ok(&repo.path, &["proposals", "approve", &proposal.to_string()]);
    let approved = user.wait(proposal, K::EngineProposalApproved).seq;
    let request = user.wait(approved, K::EngineActionRequested).seq;
    let is_outcome = |e: &tradewind_core::Event| e.cause == Some(request);
    let written = user
        .until("the outcome", || {
            user.events(&[K::EngineActionSucceeded])
                .into_iter()
                .find(is_outcome)
        })
        .seq;
    assert_eq!(repo.read("LAST.txt").as_deref(), Some("after trust\n"));
    assert_ne!(
        user.run(&repo.path, &["proposals", "approve", &proposal.to_string()])
            .code,
        Some(0)
    );

    let tree = user.ok(&repo.path, &["explain", &written.to_string()]);
    for part in [
        "repo.commit.created",
        "engine.proposal.opened",
        "engine.proposal.approved",
        "engine.action.requested",
    ] {
        assert!(tree.contains(part), "{part}: {tree}");
    }
    user.ok(&repo.path, &["undo", "--dry-run"]);
    assert_eq!(repo.read("LAST.txt").as_deref(), Some("after trust\n"));
    user.ok(&repo.path, &["undo"]);
    assert_eq!(
        repo.read("LAST.txt").as_deref(),
        Some("precious, never committed\n")
    );
    user.ok(&repo.path, &["redo"]);
    assert_eq!(repo.read("LAST.txt").as_deref(), Some("after trust\n"));
    // Somebody's later edit is not overwritten.
    repo.write("LAST.txt", "edited since\n");
    let refused = user.run(&repo.path, &["undo"]);
    assert_ne!(refused.code, Some(0));
    assert_eq!(repo.read("LAST.txt").as_deref(), Some("edited since\n"));

    // The brake.
    user.ok(&repo.path, &["pause"]);
    let before = user.last();
    repo.commit("while paused");
    let held: RuleHeld = user.wait(before, K::EngineRuleHeld).payload().unwrap();
    assert_eq!(held.reason, HeldReason::Paused);
    assert!(user.ok(&repo.path, &["status"]).contains("paused"));
    user.ok(&repo.path, &["resume"]);
}

#[test]
fn a_mass_deletion_in_the_work_tree_is_noticed_and_a_file_comes_back() {
    let user = User::new();
    let repo = Repo::new(user.home.path().join("bot"));
    for n in 0..40 {
        repo.write(&format!("bot/m{n}.py"), &format!("x = {n}\n"));
    }
    repo.commit("history");
    let _daemon = user.up(&repo.path);
    std::fs::remove_dir_all(repo.path.join("bot")).unwrap();
    let gone: FilesDeleted = user.wait(Seq::ZERO, K::RepoFilesDeleted).payload().unwrap();
    assert_eq!((gone.deleted, gone.tracked), (40, 40));
    user.ok(&repo.path, &["restore", "bot/m7.py"]);
    assert_eq!(repo.read("bot/m7.py").as_deref(), Some("x = 7\n"));
    repo.git(&["checkout", "-q", "--", "."]);
    user.wait(Seq::ZERO, K::RepoFilesRestored);
}

#[test]
fn a_broken_configuration_is_told_and_the_one_before_stays() {
    let user = User::new();
    let repo = Repo::new(user.home.path().join("bot"));
    repo.write("tradewind.toml", "[rules.a]\non = \"repo.commit.created\"\ndo = \"log\"\nwith = { message = \"seen\" }\nmode = \"act\"\n");
    repo.commit("history");
    let _daemon = user.up(&repo.path);
    repo.write("tradewind.toml", "[rules.a]\non = \"repo.comit.created\"\ndo = \"log\"\nwith = { message = \"seen\" }\nmode = \"act\"\n");
    user.wait(Seq::ZERO, K::EngineConfigRejected);
    let before = user.last();
    repo.commit("still acts");
    user.wait(before, K::EngineActionSucceeded);
}

/// What a person commits while an action runs, or right after it, was held as the action's own doing.
#[cfg(unix)]
#[test]
fn a_commit_of_a_persons_is_news_even_while_an_action_runs() {
    const SLOW: &str = r#"
[rules.robot]
on = "repo.commit.created"
do = "run"
with = { shell = "while [ ! -e go ]; do sleep 0.01; done; git commit -q --allow-empty -m robot", writes = ["git:refs", "git:index"] }
mode = "act"
"#;
    let user = User::new();
    let repo = Repo::new(user.home.path().join("bot"));
    repo.write("tradewind.toml", SLOW);
    repo.write(".gitignore", "go\n");
    repo.commit("history");
    let _daemon = user.up(&repo.path);
    user.ok(&repo.path, &["trust", "--yes"]);
    let created = |id: &str| {
        user.until("the commit", || {
            user.events(&[K::RepoCommitCreated])
                .into_iter()
                .find(|event| event.subject == id)
        })
    };
    let requested_by = |cause: Seq| {
        user.until("the request", || {
            user.events(&[K::EngineActionRequested])
                .into_iter()
                .find(|event| event.cause == Some(cause))
        })
    };
    let ended = |request: Seq| {
        user.until("the end", || {
            user.events(&[K::EngineActionSucceeded])
                .into_iter()
                .find(|event| event.cause == Some(request))
        })
    };

    let first = requested_by(created(&repo.commit("first")).seq);
    let meanwhile = created(&repo.commit("meanwhile"));
    assert_eq!(meanwhile.cause, None);
    repo.write("go", "");
    ended(first.seq);
    let second = requested_by(meanwhile.seq);
    ended(second.seq);
    let after = created(&repo.commit("right after"));
    let third = requested_by(after.seq);
    ended(third.seq);

    // What the action itself commits is its own doing, and does not run it again.
    let robots = user.until("the robot's commits", || {
        let all = user.events(&[K::RepoCommitCreated]);
        let robots: Vec<_> = all
            .into_iter()
            .filter(|e| e.payload::<CommitCreated>().unwrap().title == "robot")
            .collect();
        (robots.len() == 3).then_some(robots)
    });
    let causes: Vec<_> = robots.iter().map(|e| e.cause).collect();
    assert_eq!(causes, [first, second, third].map(|e| Some(e.seq)));
    user.until("three cut loops", || {
        (user.events(&[K::EngineRuleHeld]).len() == 3).then_some(())
    });
    for held in user.events(&[K::EngineRuleHeld]) {
        let held: RuleHeld = held.payload().unwrap();
        assert_eq!(held.reason, HeldReason::Loop);
    }
    assert_eq!(user.events(&[K::EngineActionRequested]).len(), 3);
}

/// While the start looked at a slow repository, `status` said that no daemon ran.
#[cfg(unix)]
#[test]
fn a_daemon_that_starts_answers_before_it_has_looked_at_everything() {
    use std::io::{BufRead, BufReader};
    use std::os::unix::fs::PermissionsExt;
    struct Ended(std::process::Child);
    impl Drop for Ended {
        fn drop(&mut self) {
            drop(self.0.kill());
            drop(self.0.wait());
        }
    }
    let user = User::new();
    let repo = Repo::new(user.home.path().join("bot"));
    repo.write("a.py", "");
    repo.commit("history");
    user.up(&repo.path).kill();
    // A git that does not list files before it may, or before the test has gone.
    let bin = user.home.path().join("bin");
    let go = user.home.path().join("go");
    std::fs::create_dir(&bin).unwrap();
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *ls-files*) while [ ! -e '{}' ] && [ -e \"$0\" ]; do sleep 0.02; done;; esac\nexec '{}' \"$@\"\n",
        go.display(),
        program(&["git"]).unwrap().display()
    );
    std::fs::write(bin.join("git"), script).unwrap();
    std::fs::set_permissions(bin.join("git"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = std::env::join_paths(
        std::iter::once(bin).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    let child = user
        .tradewind(&repo.path)
        .args(["up", "--listen", "127.0.0.1:0"])
        .env("PATH", path.unwrap())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut child = Ended(child);
    let out = BufReader::new(child.0.stdout.take().unwrap());
    user.until("a daemon that starts", || {
        let status = user.ok(&repo.path, &["status"]);
        status.contains("starting").then_some(())
    });
    // It takes commands already.
    user.ok(&repo.path, &["pause"]);
    std::fs::write(go, "").unwrap();
    let mut lines = out.lines().map_while(Result::ok);
    assert!(lines.any(|line| line.starts_with("First page:")));
    let status = user.ok(&repo.path, &["status"]);
    assert!(status.starts_with("running"), "{status}");
    user.ok(&repo.path, &["up", "--stop"]);
    assert!(child.0.wait().unwrap().success());
}

#[test]
fn a_daemon_goes_on_when_nobody_reads_what_it_says() {
    let user = User::new();
    let repo = Repo::new(user.home.path().join("bot"));
    let mut child = user
        .tradewind(&repo.path)
        .args(["up", "--listen", "127.0.0.1:0"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // The reader is gone before the first line is written, as after `up | head -0`.
    drop(child.stdout.take());
    user.until("a daemon without a reader", || {
        let status = user.run(&repo.path, &["status"]).out;
        status.starts_with("running").then_some(())
    });
    user.ok(&repo.path, &["up", "--stop"]);
    assert!(child.wait().unwrap().success());
}

/// Says whether the daemon holds notices of the file system.
#[cfg(target_os = "linux")]
fn listens_to_the_file_system(daemon: &crate::support::Daemon) -> bool {
    std::fs::read_dir(format!("/proc/{}/fd", daemon.child.id()))
        .unwrap()
        .filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok())
        .any(|target| target.to_string_lossy().contains("inotify"))
}

#[test]
fn without_notices_of_change_everything_is_seen_by_looking() {
    let user = User::new();
    let repo = Repo::new(user.home.path().join("bot"));
    repo.write(
        "tradewind.toml",
        "[watch]\nmethod = \"poll\"\npoll = \"200ms\"\n",
    );
    for n in 0..40 {
        repo.write(&format!("bot/m{n}.py"), "");
    }
    repo.commit("history");
    let daemon = user.up(&repo.path);
    #[cfg(target_os = "linux")]
    assert!(!listens_to_the_file_system(&daemon));
    let id = repo.commit("seen");
    assert_eq!(user.wait(Seq::ZERO, K::RepoCommitCreated).subject, id);
    repo.write("new.py", "x = 1\n");
    user.wait(Seq::ZERO, K::RepoWorktreeChanged);
    std::fs::remove_dir_all(repo.path.join("bot")).unwrap();
    user.wait(Seq::ZERO, K::RepoFilesDeleted);
    // It was asked for: nothing is degraded.
    assert_eq!(user.events(&[K::RepoWatchDegraded]).len(), 0);
    // And back, without a restart.
    let before = user.last();
    repo.write("tradewind.toml", "[watch]\nmethod = \"notices\"\n");
    user.wait(before, K::EngineConfigLoaded);
    #[cfg(target_os = "linux")]
    user.until("notices", || {
        listens_to_the_file_system(&daemon).then_some(())
    });
    let id = repo.commit("seen again");
    let commits = || commits(&user).contains(&id).then_some(());
    user.until("the commit", commits);
    drop(daemon);
}

#[test]
fn an_address_that_has_no_effect_is_told() {
    let user = User::new();
    let repo = Repo::new(user.home.path().join("bot"));
    let daemon = user.up(&repo.path);
    let here = daemon.address.to_string();
    for args in [
        &["up", "--listen", "127.0.0.1:1"][..],
        &["up", "--only-registered", "--listen", "127.0.0.1:1"],
    ] {
        let said = user.run(&repo.path, args);
        assert_eq!(said.code, Some(0), "{said:#?}");
        assert!(
            said.err
                .contains(&format!("listens on {here}, not on 127.0.0.1:1")),
            "{said:#?}"
        );
        assert!(
            said.err.contains("tradewind up --listen 127.0.0.1:1"),
            "{said:#?}"
        );
    }
    let named = user.run(&repo.path, &["up", "--host-name", "box"]);
    assert!(
        named.err.contains("tradewind up --host-name box"),
        "{named:#?}"
    );
    for listen in [here.as_str(), "127.0.0.1:0"] {
        let said = user.run(&repo.path, &["up", "--listen", listen]);
        assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:#?}");
    }
}
