//! Commits, tags and changes are told as git tells them, whatever the repository is like.

use std::collections::BTreeMap;
use std::fs;

use tradewind_repo::Location;
use tradewind_repo::history::Lines::{Counted, Unasked};
use tradewind_repo::history::{Commit, Deed, History, LARGE_BYTES, Lines, Options};

use crate::scratch::Scratch;

fn read(scratch: &Scratch) -> History {
    read_at(scratch, &scratch.location(), &Options::default())
}

fn read_at(scratch: &Scratch, location: &Location, options: &Options<'_>) -> History {
    History::read(&scratch.git, location, options).unwrap()
}

/// Changes as `letter path +added -deleted`, sorted.
fn changes(history: &History, commit: &Commit) -> Vec<String> {
    let count = |count: Option<u32>| count.map_or("?".to_owned(), |count| count.to_string());
    let mut changes: Vec<String> = commit
        .changes
        .iter()
        .map(|change| {
            let path = history.path(change.path);
            let (added, deleted) = (count(change.added), count(change.deleted));
            match change.deed {
                Deed::Added => format!("A {path} +{added} -{deleted}"),
                Deed::Modified => format!("M {path} +{added} -{deleted}"),
                Deed::Deleted => format!("D {path} +{added} -{deleted}"),
                Deed::Renamed { from } => {
                    format!("R {} > {path} +{added} -{deleted}", history.path(from))
                }
            }
        })
        .collect();
    changes.sort();
    changes
}

#[test]
fn commits_have_people_times_messages_and_changes() {
    let scratch = Scratch::new();
    scratch.write("a.py", "1\n2\n3\n");
    scratch.write("bin", "x\0y");
    scratch.run(&["add", "."]);
    scratch.commit("first\n\nwith a body\n");
    scratch.run(&["mv", "a.py", "b.py"]);
    fs::write(scratch.top.join("b.py"), "1\n2\n3\n4\n").unwrap();
    scratch.run(&["rm", "-q", "bin"]);
    scratch.run(&["add", "."]);
    scratch.commit("second");
    scratch.commit("");
    let history = read(&scratch);
    let [empty, second, first] = history.commits.as_slice() else {
        panic!("{:?}", history.commits);
    };
    assert_eq!(first.message.as_ref(), "first\n\nwith a body");
    assert_eq!(first.subject(), "first");
    assert_eq!(changes(&history, first), ["A a.py +3 -0", "A bin +? -?"]);
    assert_eq!(
        changes(&history, second),
        ["D bin +? -?", "R a.py > b.py +1 -0"]
    );
    assert!(empty.changes.is_empty() && empty.message.is_empty());
    assert_eq!(second.parents.as_ref(), [first.id]);
    let person = |at: u32| history.people[at as usize].name.as_ref();
    assert_eq!((person(first.author), person(first.committer)), ("A", "C"));
    let blob = first
        .changes
        .iter()
        .find(|change| change.added.is_none())
        .unwrap();
    assert_eq!(history.size(blob.blob.unwrap()), Some(3));
    assert!(history.commits.iter().all(|commit| commit.is_on_main_line));
    assert!(history.unread.is_empty(), "{:?}", history.unread);
}

#[test]
fn merges_have_no_changes_and_the_main_line_is_that_of_first_parents() {
    let scratch = Scratch::new();
    scratch.write("a", "1\n");
    scratch.run(&["add", "."]);
    scratch.commit("base");
    scratch.run(&["checkout", "-q", "-b", "side"]);
    scratch.write("b", "1\n");
    scratch.run(&["add", "."]);
    scratch.commit("side");
    scratch.run(&["checkout", "-q", "main"]);
    scratch.write("c", "1\n");
    scratch.run(&["add", "."]);
    scratch.commit("main");
    scratch.run(&["merge", "-q", "--no-ff", "-m", "merge", "side"]);
    let history = read(&scratch);
    let seen: BTreeMap<&str, (bool, usize)> = history
        .commits
        .iter()
        .map(|c| (c.subject(), (c.is_on_main_line, c.changes.len())))
        .collect();
    let expected = [
        ("base", (true, 1)),
        ("main", (true, 1)),
        ("merge", (true, 0)),
        ("side", (false, 1)),
    ];
    assert_eq!(seen, expected.into());
}

#[test]
fn tags_of_all_kinds_are_peeled_and_what_leads_nowhere_is_told() {
    let scratch = Scratch::new();
    scratch.write("a", "1\n");
    scratch.run(&["add", "."]);
    let first = scratch.commit("first");
    scratch.run(&["tag", "light"]);
    scratch.run(&["tag", "-a", "annotated", "-m", "x"]);
    scratch.run(&["tag", "-a", "nested", "-m", "x", "annotated"]);
    scratch.run(&["tag", "tree", "HEAD^{tree}"]);
    scratch.run(&["tag", "-a", "blob", "-m", "x", "HEAD:a"]);
    let history = read(&scratch);
    let tags: BTreeMap<&str, (String, bool)> = history
        .tags
        .iter()
        .map(|tag| {
            (
                tag.name.as_ref(),
                (tag.commit.to_string(), tag.is_annotated),
            )
        })
        .collect();
    let expected = [
        ("light", (first.clone(), false)),
        ("annotated", (first.clone(), true)),
        ("nested", (first, true)),
    ];
    assert_eq!(tags, expected.into());
    assert_eq!(history.unread.len(), 1, "{:?}", history.unread);
    assert!(history.unread[0].reason.starts_with("2 lead"));
}

#[test]
fn bare_shallow_detached_unborn_and_linked_repositories_are_read() {
    let scratch = Scratch::new();
    assert!(read(&scratch).commits.is_empty());
    for n in 0..4 {
        scratch.write("a", &format!("{n}\n"));
        scratch.run(&["add", "."]);
        scratch.commit(&format!("c{n}"));
    }
    scratch.run(&["worktree", "add", "-q", "--detach", "../linked", "HEAD~1"]);
    let linked = Location::find(&scratch.git, &scratch.top.join("../linked")).unwrap();
    assert_eq!(
        read_at(&scratch, &linked, &Options::default())
            .commits
            .len(),
        3
    );
    // What a shallow clone has: the file that names its edge.
    let edge = scratch.run(&["rev-parse", "HEAD~1"]);
    fs::write(scratch.top.join(".git/shallow"), format!("{edge}\n")).unwrap();
    let history = read(&scratch);
    assert!(history.is_shallow && history.commits.len() == 2);
    assert!(
        history.commits[1].changes.is_empty(),
        "its parent is unknown"
    );
    assert!(
        history
            .unread
            .iter()
            .any(|unread| unread.reason.contains("shallow"))
    );
    let bare = Location {
        top: scratch.top.join(".git"),
        is_bare: true,
        ..scratch.location()
    };
    assert_eq!(
        read_at(&scratch, &bare, &Options::default()).commits.len(),
        2
    );
}

#[test]
fn a_missing_blob_costs_one_commit_its_line_counts_and_nothing_else() {
    let scratch = Scratch::new();
    for n in 0..6 {
        scratch.write("a", &format!("line {n}\n"));
        scratch.write("same", "x\n");
        scratch.run(&["add", "."]);
        scratch.commit(&format!("c{n}"));
    }
    let blob = scratch.run(&["rev-parse", "HEAD~2:a"]);
    let (folder, file) = blob.split_at(2);
    let object = scratch.top.join(".git/objects").join(folder).join(file);
    fs::remove_file(object).unwrap();
    let history = read(&scratch);
    assert_eq!(history.commits.len(), 6);
    let counted: Vec<bool> = history
        .commits
        .iter()
        .map(|commit| commit.changes[0].added.is_some())
        .collect();
    // The commit that wrote it and the one that replaced it.
    assert_eq!(counted, [true, false, false, true, true, true]);
    assert!(
        history.unread[0].what.contains("of 2 commits"),
        "{:?}",
        history.unread
    );
    // A tree that is gone makes the changes of its commits unknown.
    let tree = scratch.run(&["rev-parse", "HEAD~4^{tree}"]);
    let (folder, file) = tree.split_at(2);
    fs::remove_file(scratch.top.join(".git/objects").join(folder).join(file)).unwrap();
    let history = read(&scratch);
    assert_eq!(history.commits.len(), 6);
    assert!(!history.commits[0].changes.is_empty());
    assert!(
        history
            .unread
            .iter()
            .any(|unread| unread.what == "changes of 2 commits")
    );
}

#[test]
fn only_lines_that_are_asked_for_are_counted_and_later_questions_add_to_the_cache() {
    let scratch = Scratch::new();
    for n in 0..4 {
        scratch.write("a.py", &"x\n".repeat(n + 1));
        scratch.run(&["add", "."]);
        scratch.commit(&format!("c{n}"));
    }
    let long = usize::try_from(LARGE_BYTES).unwrap();
    scratch.write("long.csv", &"1\n".repeat(long / 2));
    scratch.write("long.bin", &"\0".repeat(long));
    scratch.run(&["add", "."]);
    scratch.commit("long");
    let cache = scratch.folder().join("cache/history");
    let asked = |counts: &(dyn Fn(&History, &Commit) -> bool + Sync)| {
        let options = Options {
            cache: Some(&cache),
            counts: Some(counts),
            ..Options::default()
        };
        let history = read_at(&scratch, &scratch.location(), &options);
        let lines: Vec<Lines> = history.commits.iter().map(|commit| commit.lines).collect();
        (history, lines)
    };
    // Who chooses sees the changes; what is large is counted in any case.
    let chosen = |history: &History, commit: &Commit| {
        commit.subject() == "c2" && history.path(commit.changes[0].path) == "a.py"
    };
    for _ in 0..2 {
        let (history, lines) = asked(&chosen);
        assert_eq!(lines, [Counted, Unasked, Counted, Unasked, Unasked]);
        assert_eq!(changes(&history, &history.commits[1]), ["M a.py +? -?"]);
        assert_eq!(changes(&history, &history.commits[2]), ["M a.py +1 -0"]);
        let sizes: Vec<Option<u64>> = history.commits[0]
            .changes
            .iter()
            .map(|change| history.size(change.blob.unwrap()))
            .collect();
        // The text has more lines than a person writes.
        assert_eq!(sizes, [Some(LARGE_BYTES), Some(LARGE_BYTES)]);
        assert!(history.unread.is_empty(), "{:?}", history.unread);
    }
    let (all, lines) = asked(&|_, _| true);
    assert_eq!(lines, [Counted; 5]);
    assert_eq!(
        asked(&|_, _| false).1,
        [Counted; 5],
        "what is known stays known"
    );
    let plain = read(&scratch);
    for (one, other) in all.commits.iter().zip(&plain.commits) {
        assert_eq!(changes(&all, one), changes(&plain, other));
    }
}

#[test]
fn a_missing_commit_ends_the_history_there_and_says_so() {
    let scratch = Scratch::new();
    for n in 0..4 {
        scratch.commit(&format!("c{n}"));
    }
    let gone = scratch.run(&["rev-parse", "HEAD~2"]);
    let (folder, file) = gone.split_at(2);
    fs::remove_file(scratch.top.join(".git/objects").join(folder).join(file)).unwrap();
    let history = read(&scratch);
    assert!(history.commits.len() <= 2);
    assert!(!history.unread.is_empty());
    // HEAD itself leads to what is not there.
    let head = scratch.top.join(".git/refs/heads/main");
    fs::write(head, format!("{}\n", "12".repeat(20))).unwrap();
    let history = read(&scratch);
    assert!(history.commits.is_empty());
    assert!(history.unread[0].reason.contains("not in this repository"));
}

#[test]
fn clocks_that_go_wrong_never_put_a_parent_before_its_child() {
    let scratch = Scratch::new();
    let tree = scratch.run(&["write-tree"]);
    let mut ids: Vec<String> = Vec::new();
    // Each commit has two earlier ones as parents, and a time that says nothing.
    for n in 0..60_usize {
        let date = format!("{} +0000", 1_600_000_000 + (n * 7_919) % 1_000);
        let parents = [n.checked_sub(1), n.checked_sub(1 + n % 5)];
        let mut args = vec![
            "commit-tree".to_owned(),
            tree.clone(),
            "-m".to_owned(),
            format!("c{n}"),
        ];
        let mut named: Vec<usize> = parents.into_iter().flatten().collect();
        named.dedup();
        for parent in named {
            args.extend(["-p".to_owned(), ids[parent].clone()]);
        }
        let env = [
            ("GIT_AUTHOR_NAME", "A"),
            ("GIT_AUTHOR_EMAIL", "a@b"),
            ("GIT_COMMITTER_NAME", "A"),
            ("GIT_COMMITTER_EMAIL", "a@b"),
            ("GIT_AUTHOR_DATE", date.as_str()),
            ("GIT_COMMITTER_DATE", date.as_str()),
        ];
        let id = scratch
            .git
            .porcelain(&scratch.top, &args, Vec::new(), &env)
            .unwrap();
        ids.push(String::from_utf8(id).unwrap().trim().to_owned());
    }
    scratch.run(&["update-ref", "refs/heads/main", &ids[59]]);
    // Tags in an order that has nothing to do with the graph, some beside the line of HEAD.
    for (n, id) in ids.iter().enumerate().filter(|(n, _)| n % 7 == 3) {
        scratch.run(&["tag", &format!("t{n:02}"), id]);
    }
    let side = scratch.run(&["commit-tree", &tree, "-m", "side", "-p", &ids[20]]);
    scratch.run(&["tag", "side", &side]);
    let history = read(&scratch);
    let places: BTreeMap<_, _> = history
        .commits
        .iter()
        .zip(0..)
        .map(|(c, at)| (c.id, at))
        .collect();
    assert_eq!(places.len(), 60);
    for commit in &history.commits {
        let child = places[&commit.id];
        assert!(commit.parents.iter().all(|parent| places[parent] > child));
    }
    // Git's own answer: the tags that contain a commit, of which ours is the first.
    for commit in &history.commits {
        let id = commit.id.to_string();
        let containing = scratch.run(&["tag", "--contains", &id]);
        let expected = history
            .tags
            .iter()
            .position(|tag| containing.lines().any(|name| name == tag.name.as_ref()));
        let found = commit.first_tag.map(|at| at as usize);
        assert_eq!(found, expected, "{} {containing:?}", commit.subject());
    }
}

#[test]
fn the_cache_gives_the_same_history_and_survives_any_damage() {
    let scratch = Scratch::new();
    for n in 0..5 {
        scratch.write(&format!("dir/f{n}.py"), &"x\n".repeat(n + 1));
        scratch.write("bin", &format!("\0{n}"));
        scratch.run(&["add", "."]);
        scratch.commit(&format!("c{n}"));
    }
    let told = |history: &History| -> Vec<Vec<String>> {
        let commits = history.commits.iter();
        commits.map(|commit| changes(history, commit)).collect()
    };
    let plain = read(&scratch);
    let cache = scratch.folder().join("cache/history");
    let options = Options {
        cache: Some(&cache),
        ..Options::default()
    };
    let with_cache = || read_at(&scratch, &scratch.location(), &options);
    assert_eq!(told(&with_cache()), told(&plain));
    let first = fs::read(&cache).unwrap();
    assert_eq!(told(&with_cache()), told(&plain));
    assert_eq!(
        fs::read(&cache).unwrap(),
        first,
        "nothing new, nothing written"
    );
    // Grows by new commits only.
    scratch.write("dir/new.py", "1\n");
    scratch.run(&["add", "."]);
    scratch.commit("new");
    let plain = read(&scratch);
    assert_eq!(told(&with_cache()), told(&plain));
    let grown = fs::read(&cache).unwrap();
    assert!(grown.starts_with(&first) && grown.len() < first.len() + 200);
    // Cut at every place, a byte changed at every place: never another answer.
    for at in (0..grown.len()).step_by(7) {
        fs::write(&cache, &grown[..at]).unwrap();
        assert_eq!(told(&with_cache()), told(&plain), "cut at {at}");
        let mut bent = grown.clone();
        bent[at] ^= 0x55;
        fs::write(&cache, &bent).unwrap();
        assert_eq!(told(&with_cache()), told(&plain), "bent at {at}");
    }
    assert_eq!(told(&with_cache()), told(&plain));
    let renewed = fs::metadata(&cache).unwrap().len();
    assert!(renewed > 0 && with_cache().unread.is_empty());
}

#[cfg(unix)]
#[test]
fn names_and_messages_of_any_bytes_are_told_and_mislead_nobody() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    let scratch = Scratch::new();
    let names: [&[u8]; 6] = [
        b"line\nfeed",
        b"\xff\xfe",
        b":100644 100644 a b M",
        b"1\t2\tfake",
        b"--output=pwned",
        b"0123456789012345678901234567890123456789",
    ];
    for name in names {
        fs::write(scratch.top.join(OsStr::from_bytes(name)), "x\n").unwrap();
    }
    scratch.run(&["add", "."]);
    fs::write(
        scratch.folder().join("message"),
        b"caf\xe9 \xff\n\nsecond\x01\n",
    )
    .unwrap();
    scratch.run(&["commit", "-q", "-F", "../message"]);
    let history = read(&scratch);
    let found = changes(&history, &history.commits[0]);
    let mut expected = [
        "A 0123456789012345678901234567890123456789 +1 -0",
        "A --output=pwned +1 -0",
        "A 1\t2\tfake +1 -0",
        "A :100644 100644 a b M +1 -0",
        "A line\nfeed +1 -0",
        "A \u{fffd}\u{fffd} +1 -0",
    ];
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert!(history.commits[0].message.ends_with("second\u{1}"));
    assert!(!scratch.top.join("pwned").exists());
}

/// Settings that name a program git would start.
#[cfg(unix)]
const PROGRAMS: &[&str] = &[
    "core.fsmonitor",
    "core.hooksPath",
    "core.pager",
    "core.editor",
    "core.sshCommand",
    "core.askPass",
    "core.gitProxy",
    "core.alternateRefsCommand",
    "diff.external",
    "diff.evil.command",
    "diff.evil.textconv",
    "filter.evil.clean",
    "filter.evil.smudge",
    "filter.evil.process",
    "merge.evil.driver",
    "gpg.program",
    "gpg.ssh.program",
    "credential.helper",
    "pager.log",
    "pager.diff-tree",
    "pager.ls-files",
    "pager.cat-file",
    "interactive.diffFilter",
    "trailer.x.command",
    "uploadpack.packObjectsHook",
];

#[cfg(unix)]
#[test]
fn nothing_that_a_repository_brings_along_is_executed() {
    use std::os::unix::fs::PermissionsExt as _;

    use tradewind_repo::tree::{Source, Tree};

    let scratch = Scratch::new();
    let mark = scratch.folder().join("executed");
    let evil = scratch.folder().join("evil.sh");
    fs::write(
        &evil,
        format!("#!/bin/sh\necho \"$0 $@\" >> {}\ncat\n", mark.display()),
    )
    .unwrap();
    fs::set_permissions(&evil, fs::Permissions::from_mode(0o755)).unwrap();
    let name = "$(touch pwned);`touch pwned`.py";
    scratch.write(name, "x = 1\n");
    scratch.write("a.py", "x = 1\n");
    scratch.write(
        ".gitattributes",
        "* diff=evil filter=evil merge=evil textconv=evil\n",
    );
    scratch.run(&["add", "."]);
    scratch.commit("first");
    scratch.run(&["mv", "a.py", "b.py"]);
    scratch.commit("second");
    let path = evil.display().to_string();
    for key in PROGRAMS {
        scratch.run(&["config", key, &path]);
    }
    for (key, value) in [
        ("log.showSignature", "true"),
        ("alias.log", &format!("!{path}")),
        ("alias.ls-files", &format!("!{path}")),
        ("core.untrackedCache", "true"),
        ("include.path", "/dev/zero-is-not-there"),
        ("diff.evil.cachetextconv", "true"),
    ] {
        scratch.run(&["config", key, value]);
    }
    for hook in [
        "post-index-change",
        "fsmonitor-watchman",
        "pre-commit",
        "post-checkout",
    ] {
        let hooks = scratch.top.join(".git/hooks");
        fs::create_dir_all(&hooks).unwrap();
        fs::copy(&evil, hooks.join(hook)).unwrap();
    }
    scratch.write("b.py", "x = 2\n");
    fs::remove_file(&mark).ok();
    let location = scratch.location();
    let tree = Tree::read(&scratch.git, &location, Source::WorkTree).unwrap();
    let head = scratch
        .git
        .run_blocking(&scratch.top, &["rev-parse", "HEAD"])
        .unwrap();
    let head = String::from_utf8(head).unwrap().trim().parse().unwrap();
    let committed = Tree::read(&scratch.git, &location, Source::Commit(head)).unwrap();
    let history = read(&scratch);
    assert_eq!(tree.text("b.py").unwrap(), "x = 2\n");
    assert_eq!(committed.text("b.py").unwrap(), "x = 1\n");
    assert!(tree.get(name).is_some());
    assert_eq!(
        changes(&history, &history.commits[0]),
        ["R a.py > b.py +0 -0"]
    );
    let executed = fs::read_to_string(&mark).unwrap_or_default();
    assert!(executed.is_empty(), "{executed}");
    assert!(!scratch.top.join("pwned").exists());
}
