//! Repositories that lack objects on purpose, or whose history was bent: what is there is told, nothing is fetched.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tradewind_host::files;
use tradewind_repo::history::{History, Options};
use tradewind_repo::leaks::{self, Leaks};
use tradewind_repo::location::Location;
use tradewind_repo::tree::{Source, Tree};

use crate::scratch::Scratch;

/// By which the tests' own git may clone from a folder.
const MAY_CLONE: &[(&str, &str)] = &[("GIT_ALLOW_PROTOCOL", "file")];

fn address(folder: &Path) -> String {
    format!(
        "file:///{}",
        files::to_slash(folder).trim_start_matches('/')
    )
}

fn with_history(options: &[&str]) -> Scratch {
    let scratch = Scratch::with_init(options);
    for n in 0..5 {
        scratch.write("bot.py", &format!("x = {n}\n{}", "y = 1\n".repeat(50)));
        scratch.write("same.py", "z = 1\n");
        scratch.run(&["add", "."]);
        scratch.commit(&format!("c{n}"));
    }
    scratch
}

/// Names of the objects that are promised and not there, told without fetching any.
fn missing(scratch: &Scratch, at: &Path) -> BTreeSet<String> {
    let args = ["rev-list", "--objects", "--all", "--missing=print"];
    let listed = scratch.run_in(at, &args).unwrap();
    let absent = listed.lines().filter(|line| line.starts_with('?'));
    absent.map(str::to_owned).collect()
}

#[test]
fn a_partial_clone_is_read_as_far_as_it_goes_and_nothing_is_fetched() {
    let scratch = with_history(&[]);
    scratch.run(&["config", "uploadpack.allowFilter", "true"]);
    let from = address(&scratch.top);
    for kind in ["--no-checkout", "--bare"] {
        let clone = scratch.folder().join(format!("clone{kind}"));
        let into = clone.to_string_lossy();
        let args = ["clone", "-q", "--filter=blob:none", kind, &from, &into];
        scratch
            .run_with(scratch.folder(), &args, MAY_CLONE)
            .unwrap();
        let before = missing(&scratch, &clone);
        assert_eq!(
            before.len(),
            6,
            "five contents of bot.py and one of same.py"
        );

        let location = Location::find(&scratch.git, &clone).unwrap();
        let history = History::read(&scratch.git, &location, &Options::default()).unwrap();
        assert_eq!(history.commits.len(), 5);
        let known = history.commits.iter().filter(|it| !it.changes.is_empty());
        assert_eq!(known.count(), 5, "names need no contents");
        let told = |word: &str| history.unread.iter().any(|it| it.reason.contains(word));
        assert!(told("not in this clone"), "{:?}", history.unread);
        let head = Source::Commit(history.commits[0].id);
        for source in [Source::WorkTree, head] {
            let tree = Tree::read(&scratch.git, &location, source).unwrap();
            let leaks = Leaks::read(
                &scratch.git,
                &location,
                &tree,
                &history,
                &leaks::Options::default(),
            );
            assert!(
                leaks
                    .unread
                    .iter()
                    .any(|it| it.reason.contains("does not hold")),
                "{:?}",
                leaks.unread
            );
            if source == head {
                assert!(tree.get("bot.py").is_some() && tree.text("bot.py").is_none());
                assert!(
                    !tree.unread().is_empty(),
                    "the content of a listed file is absent"
                );
            }
        }
        assert_eq!(
            missing(&scratch, &clone),
            before,
            "nothing came into {kind}"
        );
        // The other side was there all the time: git by itself, asked once, fetches.
        let own = [MAY_CLONE, &[("GIT_NO_LAZY_FETCH", "0")]].concat();
        scratch
            .run_with(&clone, &["cat-file", "-e", "HEAD:bot.py"], &own)
            .unwrap();
        assert!(missing(&scratch, &clone).len() < before.len());
    }
}

#[test]
fn a_clone_of_some_depth_says_where_it_ends() {
    for format in ["sha1", "sha256"] {
        let scratch = with_history(&[&format!("--object-format={format}")]);
        let clone = scratch.folder().join("clone");
        let (from, into) = (address(&scratch.top), clone.to_string_lossy());
        let args = ["clone", "-q", "--depth=2", &from, &into];
        scratch
            .run_with(scratch.folder(), &args, MAY_CLONE)
            .unwrap();
        let location = Location::find(&scratch.git, &clone).unwrap();
        let history = History::read(&scratch.git, &location, &Options::default()).unwrap();
        assert_eq!(history.commits.len(), 2, "{format}");
        assert!(history.is_shallow && history.commits[1].changes.is_empty());
        assert!(
            history
                .unread
                .iter()
                .any(|it| it.reason.contains("shallow"))
        );
        // The whole is read in either format.
        let whole = History::read(&scratch.git, &scratch.location(), &Options::default()).unwrap();
        let changed: Vec<_> = whole.commits.iter().map(|it| it.changes.len()).collect();
        assert_eq!(changed, [1, 1, 1, 1, 2], "{format}");
        assert_eq!(whole.unread, []);
    }
}

#[test]
fn replaced_and_grafted_commits_are_told_as_such() {
    let scratch = with_history(&[]);
    let ids = scratch.run(&["log", "--format=%H"]);
    let ids: Vec<&str> = ids.lines().collect();
    let read = || History::read(&scratch.git, &scratch.location(), &Options::default()).unwrap();
    scratch.run(&["replace", ids[1], ids[3]]);
    let history = read();
    let told: Vec<_> = history.commits.iter().map(|it| it.id.to_string()).collect();
    assert_eq!(told, ids, "a replacement changes nothing");
    assert_eq!(history.commits[1].subject(), "c3");
    assert!(
        history
            .unread
            .iter()
            .any(|it| it.reason.contains("refs/replace"))
    );
    // The root gets the tip as its parent: a circle, which ends all the same.
    let info = scratch.top.join(".git/info");
    fs::create_dir_all(&info).unwrap();
    fs::write(info.join("grafts"), format!("{} {}\n", ids[4], ids[0])).unwrap();
    let history = read();
    let told: BTreeSet<_> = history.commits.iter().map(|it| it.id.to_string()).collect();
    assert_eq!((told.len(), history.commits.len()), (5, 5));
    assert!(history.unread.iter().any(|it| it.reason.contains("grafts")));
}
