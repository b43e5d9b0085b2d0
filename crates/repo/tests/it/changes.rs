//! What happened between two looks is told once, completely and in order.

use std::fs;

use tradewind_core::{Draft, EventKind, Seq};
use tradewind_repo::refs::Maker;

use crate::scratch::{Scratch, body};

fn kinds(events: &[Draft]) -> Vec<EventKind> {
    events.iter().map(|event| event.kind).collect()
}

fn only(events: &[Draft], kind: EventKind) -> Vec<&Draft> {
    events.iter().filter(|event| event.kind == kind).collect()
}

#[test]
fn history_at_registration_is_never_news() {
    let scratch = Scratch::new();
    let first = scratch.commit("one");
    scratch.commit("two");
    scratch.run(&["tag", "v1"]);
    let mut watched = scratch.watch();
    assert!(watched.look().is_empty());
    // Not even when it is left and visited again.
    scratch.run(&["tag", "-d", "v1"]);
    scratch.run(&["reset", "-q", "--hard", &first]);
    watched.look();
    scratch.run(&["reset", "-q", "--hard", "HEAD@{1}"]);
    watched.look();
    assert!(watched.commits().is_empty());
}

#[test]
fn the_first_commit_makes_a_branch() {
    let scratch = Scratch::new();
    let mut watched = scratch.watch();
    scratch.write("a.txt", "x");
    scratch.write("b.txt", "x");
    scratch.run(&["add", "."]);
    let oid = scratch.commit("Add two files");
    let events = watched.take();
    assert_eq!(
        kinds(&events),
        [EventKind::RepoCommitCreated, EventKind::RepoBranchCreated]
    );
    let commit = body(&events[0]);
    assert_eq!(commit["id"], oid.as_str());
    assert_eq!(commit["title"], "Add two files");
    assert_eq!(commit["author"], "A");
    assert_eq!(commit["reference"], "refs/heads/main");
    assert_eq!(commit["files_changed"], 2);
    assert_eq!(
        events[0].key.as_deref().unwrap(),
        format!("commit/{}/{oid}", "07".repeat(16))
    );
    assert_eq!(body(&events[1])["branch"], "main");
}

#[test]
fn a_merge_is_told_beside_its_commit_after_its_parents() {
    let scratch = Scratch::new();
    scratch.commit("base");
    let mut watched = scratch.watch();
    scratch.run(&["checkout", "-q", "-b", "feature"]);
    let feature = scratch.commit("feature");
    scratch.run(&["checkout", "-q", "main"]);
    let main = scratch.commit("main");
    scratch.run(&["merge", "-q", "--no-ff", "-m", "Merge feature", "feature"]);
    let events = watched.take();
    let commits = only(&events, EventKind::RepoCommitCreated);
    let place = |oid: &str| {
        commits
            .iter()
            .position(|event| event.subject == oid)
            .unwrap()
    };
    assert_eq!(commits.len(), 3);
    assert!(place(&feature) < 2 && place(&main) < 2);
    assert_eq!(
        body(commits[place(&feature)])["reference"],
        "refs/heads/feature"
    );
    assert_eq!(body(commits[place(&main)])["reference"], "refs/heads/main");
    let merges = only(&events, EventKind::RepoChangeMerged);
    assert_eq!(merges.len(), 1);
    let merge = body(merges[0]);
    assert_eq!(merge["branch"], "main");
    assert_eq!(merge["merged"], serde_json::json!([feature]));
    let updated = only(&events, EventKind::RepoBranchUpdated);
    assert_eq!(body(updated[0])["commits"], 3);
}

#[test]
fn commits_that_were_left_again_between_two_looks_are_told() {
    let scratch = Scratch::new();
    let base = scratch.commit("base");
    let mut watched = scratch.watch();
    let left = [scratch.commit("one"), scratch.commit("two")];
    scratch.run(&["reset", "-q", "--hard", &base]);
    scratch.run(&["checkout", "-q", "--detach"]);
    let detached = scratch.commit("on no branch");
    scratch.run(&["checkout", "-q", "main"]);
    let events = watched.take();
    let commits = only(&events, EventKind::RepoCommitCreated);
    let told: Vec<_> = commits.iter().map(|event| event.subject.clone()).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told.contains(&detached) && left.iter().all(|oid| told.contains(oid)));
    assert!(
        commits
            .iter()
            .all(|event| body(event)["reference"].is_null())
    );
    // No ref moved in the end.
    assert_eq!(events.len(), 3);
}

#[test]
fn a_rewrite_says_how_many_commits_it_dropped() {
    let scratch = Scratch::new();
    scratch.commit("base");
    scratch.commit("one");
    scratch.commit("two");
    let mut watched = scratch.watch();
    scratch.run(&["reset", "-q", "--hard", "HEAD~2"]);
    scratch.commit("other");
    let events = watched.take();
    assert_eq!(
        kinds(&events),
        [EventKind::RepoCommitCreated, EventKind::RepoBranchRewritten]
    );
    assert_eq!(body(&events[1])["dropped"], 2);
}

#[test]
fn several_moved_branches_are_counted_together() {
    let scratch = Scratch::new();
    scratch.commit("base");
    scratch.run(&["branch", "a"]);
    scratch.run(&["branch", "b"]);
    scratch.run(&["checkout", "-q", "a"]);
    scratch.commit("a1");
    scratch.commit("a2");
    let mut watched = scratch.watch();
    scratch.run(&["update-ref", "refs/heads/b", "refs/heads/a"]);
    scratch.run(&["reset", "-q", "--hard", "main"]);
    let events = watched.take();
    assert_eq!(
        kinds(&events),
        [EventKind::RepoBranchRewritten, EventKind::RepoBranchUpdated]
    );
    assert_eq!(body(&events[0])["dropped"], 2);
    assert_eq!(body(&events[1])["commits"], 2);
}

#[test]
fn tags_are_told_by_the_commit_they_stand_for() {
    let scratch = Scratch::new();
    let one = scratch.commit("one");
    let mut watched = scratch.watch();
    scratch.run(&["tag", "light"]);
    scratch.run(&["tag", "-a", "-m", "note", "heavy"]);
    let events = watched.take();
    assert_eq!(
        kinds(&events),
        [EventKind::RepoTagCreated, EventKind::RepoTagCreated]
    );
    assert!(events.iter().all(|event| body(event)["to"] == one.as_str()));
    // The same tag with another note moves nowhere.
    scratch.run(&["tag", "-f", "-a", "-m", "other note", "heavy"]);
    assert!(watched.take().is_empty());
    let two = scratch.commit("two");
    watched.take();
    scratch.run(&["tag", "-f", "-a", "-m", "note", "heavy"]);
    scratch.run(&["tag", "-d", "light"]);
    let events = watched.take();
    assert_eq!(
        kinds(&events),
        [EventKind::RepoTagDeleted, EventKind::RepoTagMoved]
    );
    let moved = body(&events[1]);
    assert_eq!((&moved["from"], &moved["to"]), (&one.into(), &two.into()));
}

#[test]
fn a_switch_and_a_rename_are_told() {
    let scratch = Scratch::new();
    let one = scratch.commit("one");
    let mut watched = scratch.watch();
    scratch.run(&["checkout", "-q", "--detach"]);
    let events = watched.take();
    assert_eq!(kinds(&events), [EventKind::RepoHeadSwitched]);
    let switched = body(&events[0]);
    assert_eq!(
        (&switched["from"], &switched["to"]),
        (&"main".into(), &one.into())
    );
    scratch.run(&["checkout", "-q", "main"]);
    watched.take();
    scratch.run(&["branch", "-m", "main", "trunk"]);
    assert_eq!(
        kinds(&watched.take()),
        [
            EventKind::RepoBranchDeleted,
            EventKind::RepoBranchCreated,
            EventKind::RepoHeadSwitched
        ]
    );
}

#[test]
fn a_renamed_branch_brings_no_old_commits_out_of_its_log() {
    let scratch = Scratch::new();
    scratch.commit("one");
    scratch.commit("dropped before registration");
    scratch.run(&["reset", "-q", "--hard", "HEAD~1"]);
    let mut watched = scratch.watch();
    scratch.run(&["branch", "-m", "main", "trunk"]);
    watched.look();
    assert!(watched.commits().is_empty());
}

#[test]
fn an_expired_log_loses_nothing_and_brings_nothing_old() {
    let scratch = Scratch::new();
    scratch.commit("one");
    scratch.commit("two");
    let mut watched = scratch.watch();
    scratch.run(&["reflog", "expire", "--expire=all", "--all"]);
    scratch.run(&["pack-refs", "--all"]);
    let three = scratch.commit("three");
    watched.look();
    assert_eq!(watched.commits(), [three]);
}

#[test]
fn commits_of_linked_work_trees_are_seen() {
    let scratch = Scratch::new();
    scratch.commit("one");
    let linked = scratch.folder().join("linked");
    scratch.run(&[
        "worktree",
        "add",
        "-q",
        "--detach",
        linked.to_str().unwrap(),
    ]);
    let mut watched = scratch.watch();
    scratch
        .run_in(&linked, &["commit", "-q", "--allow-empty", "-m", "there"])
        .unwrap();
    let oid = scratch.run_in(&linked, &["rev-parse", "HEAD"]).unwrap();
    let events = watched.take();
    assert_eq!(kinds(&events), [EventKind::RepoCommitCreated]);
    assert_eq!(body(&events[0])["id"], oid.as_str());
    assert_eq!(body(&events[0])["reference"], "worktrees/linked/HEAD");
}

#[test]
fn fetched_commits_are_news_only_when_a_branch_gets_them() {
    let (scratch, other) = (Scratch::new(), Scratch::new());
    scratch.commit("one");
    let mut watched = scratch.watch();
    let there = other.commit("elsewhere");
    // A fetch without a transport: objects copied, remote-tracking ref set.
    let from = other.top.join(".git/objects");
    fs::write(
        scratch.top.join(".git/objects/info/alternates"),
        format!("{}\n", from.display()),
    )
    .unwrap();
    scratch.run(&["update-ref", "refs/remotes/origin/main", &there]);
    assert!(watched.look().is_empty());
    scratch.run(&["branch", "theirs", "origin/main"]);
    watched.look();
    assert_eq!(watched.commits(), [there]);
}

#[test]
fn sha256_repositories_and_the_reftable_store_work() {
    for options in [
        ["--object-format=sha256"].as_slice(),
        &["--ref-format=reftable"],
    ] {
        let scratch = Scratch::with_init(options);
        let mut watched = scratch.watch();
        let one = scratch.commit("one");
        watched.look();
        scratch.run(&["tag", "v1"]);
        let left = scratch.commit("left again");
        scratch.run(&["reset", "-q", "--hard", &one]);
        scratch.run(&["checkout", "-q", "-b", "b"]);
        let two = scratch.commit("two");
        watched.look();
        let mut commits = watched.commits();
        commits.sort();
        let mut expected = [one, left, two];
        expected.sort();
        assert_eq!(commits, expected, "{options:?}");
        assert!(
            watched
                .look()
                .iter()
                .any(|event| event == "repo.head.switched HEAD")
        );
        assert_eq!(watched.view.branch(), Some("b"), "{options:?}");
    }
}

#[test]
fn a_missing_object_is_reported_and_the_rest_is_told() {
    let scratch = Scratch::new();
    scratch.commit("one");
    let mut watched = scratch.watch();
    let gone = scratch.commit("gone");
    let kept = scratch.commit("kept");
    let (folder, file) = gone.split_at(2);
    fs::remove_file(scratch.top.join(".git/objects").join(folder).join(file)).unwrap();
    let problems = watched.look_for_problems();
    assert!(!problems.is_empty());
    assert_eq!(watched.commits(), [kept]);
    assert!(
        watched
            .look()
            .iter()
            .any(|event| event.starts_with("repo.branch."))
    );
}

#[test]
fn a_ref_that_holds_garbage_is_reported() {
    let scratch = Scratch::new();
    scratch.commit("one");
    let mut watched = scratch.watch();
    fs::write(scratch.top.join(".git/refs/heads/broken"), "garbage\n").unwrap();
    let two = scratch.commit("two");
    assert_eq!(
        watched.look_for_problems(),
        ["refs/heads/broken holds no object id"]
    );
    assert_eq!(watched.commits(), [two]);
}

#[test]
fn a_hostile_author_title_and_branch_name_do_no_harm() {
    let scratch = Scratch::new();
    let mut watched = scratch.watch();
    let tree = scratch.run(&["write-tree"]);
    let raw = [
        format!("tree {tree}\n").as_bytes(),
        b"author \xff\x1b[31mEve\x00 <> 99999999999999999999 +9999\n",
        b"committer C <c> -5 +0000\n\n",
        b"title\x07 \xfe",
        "x".repeat(500).as_bytes(),
        b"\nsecond line\n",
    ]
    .concat();
    let args = [
        "hash-object",
        "-t",
        "commit",
        "-w",
        "--stdin",
        "--literally",
    ];
    let oid = scratch
        .git
        .run_with_stdin(&scratch.top, &args, raw)
        .unwrap();
    let oid = String::from_utf8(oid).unwrap();
    let branch = "refs/heads/$(reboot);'\"/-rf";
    scratch.run(&["update-ref", branch, oid.trim()]);
    let events = watched.take();
    let created = only(&events, EventKind::RepoCommitCreated);
    assert_eq!(created.len(), 1);
    let commit = body(created[0]);
    assert_eq!(commit["reference"], branch);
    let title = commit["title"].as_str().unwrap();
    assert!(
        title.chars().count() <= 200 && !title.chars().any(char::is_control),
        "{title:?}"
    );
    let branches = only(&events, EventKind::RepoBranchCreated);
    assert_eq!(body(branches[0])["branch"], "$(reboot);'\"/-rf");
}

#[test]
fn ten_thousand_refs_are_no_obstacle() {
    let scratch = Scratch::new();
    let one = scratch.commit("one");
    let mut watched = scratch.watch();
    let lines: String = (0..10_000)
        .map(|n| format!("{one} refs/tags/t{n:05}\n"))
        .collect::<Vec<_>>()
        .concat();
    let header = "# pack-refs with: peeled fully-peeled sorted \n";
    fs::write(
        scratch.top.join(".git/packed-refs"),
        format!("{header}{lines}"),
    )
    .unwrap();
    assert_eq!(watched.take().len(), 10_000);
    let two = scratch.commit("two");
    watched.look();
    assert_eq!(watched.commits(), [two]);
}

#[test]
fn a_shallow_clone_works() {
    let scratch = Scratch::new();
    scratch.commit("one");
    let two = scratch.commit("two");
    fs::write(scratch.top.join(".git/shallow"), format!("{two}\n")).unwrap();
    let mut watched = scratch.watch();
    let three = scratch.commit("three");
    assert!(watched.look_for_problems().is_empty());
    assert_eq!(watched.commits(), [three]);
}

#[test]
fn a_loop_of_resets_is_followed_whenever_one_looks() {
    let scratch = Scratch::new();
    scratch.commit("root");
    let all: Vec<String> = (0..60).map(|n| scratch.commit(&format!("c{n}"))).collect();
    scratch.run(&["reset", "-q", "--hard", "HEAD~60"]);
    scratch.run(&["reflog", "expire", "--expire=all", "--all"]);
    let mut watched = scratch.watch();
    for (at, oid) in all.iter().enumerate() {
        scratch.run(&["reset", "-q", "--hard", oid]);
        if at % 7 == 0 {
            watched.look();
        }
    }
    watched.look();
    assert_eq!(watched.commits(), all);
}

#[test]
fn a_replay_at_full_speed_is_followed_while_it_runs() {
    let scratch = Scratch::new();
    let root = scratch.commit("root");
    let all: Vec<String> = (0..150).map(|n| scratch.commit(&format!("c{n}"))).collect();
    scratch.run(&["reset", "-q", "--hard", &root]);
    scratch.run(&["reflog", "expire", "--expire=all", "--all"]);
    let mut watched = scratch.watch();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for oid in &all {
                scratch.run(&["reset", "-q", "--hard", oid]);
            }
        });
        while !writer.is_finished() {
            watched.look();
        }
        writer.join().unwrap();
    });
    watched.look();
    assert_eq!(watched.commits(), all);
    // None was taken for one that had been left again.
    assert!(watched.events.iter().all(|event| {
        event.kind != EventKind::RepoCommitCreated || body(event)["reference"] == "refs/heads/main"
    }));
}

#[test]
fn without_trees_the_commits_are_told_and_files_are_not_counted() {
    let scratch = Scratch::new();
    let mut watched = scratch.watch();
    scratch.write("a", "x");
    scratch.run(&["add", "."]);
    scratch.commit("one");
    let tree = scratch.run(&["rev-parse", "HEAD^{tree}"]);
    let (folder, file) = tree.split_at(2);
    fs::remove_file(scratch.top.join(".git/objects").join(folder).join(file)).unwrap();
    let events = watched.take();
    assert_eq!(
        kinds(&events),
        [EventKind::RepoCommitCreated, EventKind::RepoBranchCreated]
    );
    assert!(body(&events[0])["files_changed"].is_null());
}

/// A commit of a person's was held as a loop because an action ran at the same time.
#[test]
fn the_reflog_tells_the_doing_of_a_request_from_that_of_a_person() {
    use EventKind as K;
    let (ours, other) = (Maker::Request(Seq(7)), Maker::Other);
    let commit = ["commit", "-q", "--allow-empty", "-m", "x"];
    for options in [["--ref-format=files"], ["--ref-format=reftable"]] {
        let scratch = Scratch::with_init(&options);
        scratch.commit("history");
        let mut watched = scratch.watch();
        let mut look = |expected: &[(EventKind, Maker)]| {
            watched.look();
            assert_eq!(std::mem::take(&mut watched.makers), expected, "{options:?}");
        };
        scratch.commit("tradewind request 7: a title proves nothing");
        look(&[(K::RepoCommitCreated, other), (K::RepoBranchUpdated, other)]);
        scratch.run_marked(Seq(7), &commit);
        look(&[(K::RepoCommitCreated, ours), (K::RepoBranchUpdated, ours)]);
        // Both between two looks: the commits are told apart, the branch is where the later one put it.
        scratch.run_marked(Seq(7), &commit);
        scratch.commit("a person's");
        look(&[
            (K::RepoCommitCreated, ours),
            (K::RepoCommitCreated, other),
            (K::RepoBranchUpdated, other),
        ]);
        scratch.run_marked(Seq(7), &["checkout", "-q", "--detach"]);
        look(&[(K::RepoHeadSwitched, ours)]);
        // No log names what `git branch` and `git tag` did.
        scratch.run_marked(Seq(7), &["branch", "idea"]);
        scratch.run_marked(Seq(7), &["tag", "v1"]);
        look(&[
            (K::RepoBranchCreated, Maker::Unknown),
            (K::RepoTagCreated, Maker::Unknown),
        ]);
    }
}

#[test]
fn commits_that_came_in_together_have_one_maker() {
    let scratch = Scratch::new();
    let base = scratch.commit("history");
    scratch.commit("one");
    let tip = scratch.commit("two");
    scratch.run(&["reset", "-q", "--hard", &base]);
    scratch.run(&["reflog", "expire", "--expire=now", "--all"]);
    let mut watched = scratch.watch();
    scratch.run_marked(Seq(7), &["merge", "-q", "--ff-only", &tip]);
    watched.look();
    assert_eq!(watched.commits().len(), 2);
    assert!(
        watched
            .makers
            .iter()
            .all(|(_, maker)| *maker == Maker::Request(Seq(7))),
        "{:?}",
        watched.makers
    );
}
