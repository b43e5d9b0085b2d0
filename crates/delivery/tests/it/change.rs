//! Plans of commits beside git: trees that apply one on the other, ending in what `git add -A` would commit.

#![expect(
    clippy::disallowed_methods,
    reason = "tests start outside programs themselves"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use tradewind_delivery::change::{ChangeError, How, Plan, Request, Store, plan};
use tradewind_delivery::guard::Policy;

struct Repo {
    folder: tempfile::TempDir,
}

impl Repo {
    fn new() -> Self {
        let repo = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        repo.git(&["init", "-q", "-b", "main"]);
        for (name, value) in [
            ("user.name", "Ada"),
            ("user.email", "ada@example.invalid"),
            ("gc.auto", "0"),
            ("core.autocrlf", "false"),
        ] {
            repo.git(&["config", name, value]);
        }
        repo
    }

    fn top(&self) -> &Path {
        self.folder.path()
    }

    fn git_with(&self, args: &[&str], env: &[(&str, &Path)]) -> String {
        let output = Command::new("git")
            .args(args)
            .current_dir(self.top())
            .env_remove("GIT_DIR")
            .env_remove("GIT_INDEX_FILE")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env(
                "GIT_CONFIG_GLOBAL",
                if cfg!(windows) { "NUL" } else { "/dev/null" },
            )
            .envs(env.iter().copied())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "git {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout)
            .trim_end()
            .to_owned()
    }

    fn git(&self, args: &[&str]) -> String {
        self.git_with(args, &[])
    }

    fn write(&self, path: &str, text: &str) {
        let full = self.top().join(path);
        std::fs::create_dir_all(full.parent().unwrap()).unwrap();
        std::fs::write(full, text).unwrap();
    }

    fn commit(&self) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", "state"]);
    }

    /// The tree that `git add -A` would make, computed beside the index.
    fn whole_tree(&self) -> String {
        let index = tempfile::tempdir().unwrap();
        let file = index.path().join("index");
        let own = self.top().join(".git/index");
        if own.exists() {
            std::fs::copy(own, &file).unwrap();
        }
        let env = [("GIT_INDEX_FILE", file.as_path())];
        self.git_with(&["add", "-A"], &env);
        self.git_with(&["write-tree"], &env)
    }

    fn plan_in(
        &self,
        store: Store,
        takes_whole: bool,
        lets_pass: bool,
    ) -> Result<Plan, ChangeError> {
        plan(&Request {
            dir: self.top(),
            paths: &[],
            takes_whole,
            policy: &Policy::default(),
            is_excepted: &|_| lets_pass,
            store,
        })
    }

    fn plan(&self) -> Plan {
        self.plan_in(Store::Private, false, false).unwrap()
    }
}

/// The paths of each group.
fn shape(plan: &Plan) -> Vec<Vec<&str>> {
    let paths = |group: &tradewind_delivery::change::Group| -> Vec<&str> {
        let names = group.parts.iter().map(|part| part.path.as_str());
        names.map(leak).collect()
    };
    plan.groups.iter().map(paths).collect()
}

fn leak(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

fn bot() -> Repo {
    let repo = Repo::new();
    repo.write("bot/__init__.py", "");
    repo.write(
        "bot/risk.py",
        "LIMIT = 1\n\n\ndef position_size(cash):\n    return cash * LIMIT\n",
    );
    repo.write(
        "bot/broker.py",
        "class Broker:\n    def send(self, order):\n        return order\n",
    );
    repo.write("tests/test_risk.py", "from bot.risk import position_size\n\n\ndef test_size():\n    assert position_size(1) == 1\n");
    repo.write("README.md", "# Bot\n\nA bot.\n");
    repo.write("pyproject.toml", "[project]\nname = \"bot\"\n");
    repo.write("uv.lock", "version = 1\n");
    repo.commit();
    repo
}

#[test]
fn code_goes_with_its_test_and_the_page_that_names_it_and_other_things_apart() {
    let repo = bot();
    repo.write(
        "bot/trailing.py",
        "def trailing_stop(price):\n    return price * 0.9\n",
    );
    repo.write("tests/test_trailing.py", "from bot.trailing import trailing_stop\n\n\ndef test_it():\n    assert trailing_stop(10) == 9\n");
    repo.write("README.md", "# Bot\n\nA bot with a trailing_stop.\n");
    repo.write(
        "pyproject.toml",
        "[project]\nname = \"bot\"\ndependencies = [\"httpx\"]\n",
    );
    repo.write("uv.lock", "version = 1\n# httpx\n");
    repo.write("data/bars.csv", "1,2\n");
    let plan = repo.plan();
    assert_eq!(
        shape(&plan),
        [
            vec!["pyproject.toml", "uv.lock"],
            vec!["data/bars.csv"],
            vec!["README.md", "bot/trailing.py", "tests/test_trailing.py"],
        ]
    );
    let headers: Vec<String> = plan
        .groups
        .iter()
        .map(|group| group.message.header())
        .collect();
    assert_eq!(
        headers,
        [
            "build: change pyproject.toml",
            "chore: add bars.csv",
            "feat(bot): add trailing.py"
        ]
    );
    assert!(
        plan.groups[2]
            .why
            .iter()
            .any(|why| why.contains("trailing_stop")),
        "{:?}",
        plan.groups[2].why
    );
}

#[test]
fn a_file_in_which_two_concerns_meet_is_split_between_their_commits() {
    let repo = Repo::new();
    let helpers = |fee: &str, clock: &str| {
        format!(
            "def fee_of(order):\n    return {fee}\n\n\n\n\n\n\n\ndef market_hours(day):\n    return {clock}\n"
        )
    };
    repo.write("bot/shared.py", &helpers("1", "2"));
    repo.write("bot/orders.py", "x = 1\n");
    repo.write("bot/calendar.py", "y = 1\n");
    repo.commit();
    repo.write(
        "bot/shared.py",
        &helpers("order.fee_schedule", "day.session_table"),
    );
    repo.write("bot/orders.py", "x = fee_of(order).fee_schedule\n");
    repo.write("bot/calendar.py", "y = market_hours(day).session_table\n");
    let plan = repo.plan();
    assert_eq!(
        shape(&plan),
        [
            vec!["bot/calendar.py", "bot/shared.py"],
            vec!["bot/orders.py", "bot/shared.py"]
        ]
    );
    let shared = plan.groups[0]
        .parts
        .iter()
        .find(|part| part.path == "bot/shared.py")
        .unwrap();
    assert_eq!(shared.hunks, Some((1, 2)));
}

#[test]
fn a_rename_is_one_step_and_takes_its_importers_along() {
    let repo = bot();
    repo.git(&["mv", "bot/risk.py", "bot/sizing.py"]);
    repo.write("tests/test_risk.py", "from bot.sizing import position_size\n\n\ndef test_size():\n    assert position_size(1) == 1\n");
    let plan = repo.plan_in(Store::Private, false, true).unwrap();
    assert_eq!(plan.groups.len(), 1, "{:?}", shape(&plan));
    let moved = &plan.groups[0]
        .parts
        .iter()
        .find(|part| part.how == How::Renamed)
        .unwrap();
    assert_eq!(
        (moved.path.as_str(), moved.from.as_deref()),
        ("bot/sizing.py", Some("bot/risk.py"))
    );
    assert_eq!(
        plan.groups[0].message.header(),
        "refactor(bot): rename risk.py to sizing.py"
    );
}

#[test]
fn what_does_not_belong_into_a_commit_stays_out_and_it_is_said_why() {
    let repo = bot();
    repo.write(".venv/pyvenv.cfg", "home = /usr\n");
    repo.write(".venv/lib/python3.12/site-packages/x.py", "x = 1\n");
    repo.write(
        "bot/broken.py",
        "<<<<<<< HEAD\na = 1\n=======\na = 2\n>>>>>>> other\n",
    );
    std::fs::remove_file(repo.top().join("bot/risk.py")).unwrap();
    repo.write(
        "bot/broker.py",
        "class Broker:\n    def send(self, order):\n        return order.id\n",
    );
    let plan = repo.plan();
    assert_eq!(shape(&plan), [vec!["bot/broker.py"]]);
    let left: BTreeMap<&str, &str> = plan
        .left
        .iter()
        .map(|left| (left.path.as_str(), left.why.as_str()))
        .collect();
    assert!(left[".venv/"].contains("environment"), "{left:?}");
    assert!(left["bot/broken.py"].contains("guard"), "{left:?}");
    assert!(left["bot/risk.py"].contains("guard"), "{left:?}");
    assert!(
        plan.left.iter().all(|left| !left.next.is_empty()),
        "{:?}",
        plan.left
    );
}

#[test]
fn a_half_staged_file_keeps_its_staged_part_unless_it_is_taken_whole() {
    let repo = bot();
    repo.write(
        "bot/broker.py",
        "class Broker:\n    def send(self, order):\n        return order.staged\n",
    );
    repo.git(&["add", "bot/broker.py"]);
    repo.write(
        "bot/broker.py",
        "class Broker:\n    def send(self, order):\n        return order.later\n",
    );
    let plan = repo.plan_in(Store::Repository, false, false).unwrap();
    let tree = plan.groups[0].tree.to_string();
    assert!(
        repo.git(&["show", &format!("{tree}:bot/broker.py")])
            .contains("staged")
    );
    assert_eq!(plan.left[0].path, "bot/broker.py");
    let plan = repo.plan_in(Store::Repository, true, false).unwrap();
    let tree = plan.groups[0].tree.to_string();
    assert!(
        repo.git(&["show", &format!("{tree}:bot/broker.py")])
            .contains("later")
    );
    assert!(plan.left.is_empty());
}

#[test]
fn a_plan_leaves_the_repository_as_it_is() {
    let repo = bot();
    repo.write("bot/new.py", "def anything_new():\n    return 1\n");
    repo.write("bot/broker.py", "class Broker:\n    pass\n");
    repo.git(&["add", "bot/broker.py"]);
    let state = || {
        (
            std::fs::read(repo.top().join(".git/index")).unwrap(),
            repo.git(&["count-objects", "-v"]),
            repo.git(&["for-each-ref"]),
        )
    };
    let before = state();
    assert!(!repo.plan().groups.is_empty());
    assert!(before == state());
}

#[test]
fn conflicts_and_the_first_commit_are_answered() {
    let repo = Repo::new();
    assert!(repo.plan().groups.is_empty());
    repo.write("a.py", "a = 1\n");
    let plan = repo.plan();
    assert_eq!((plan.base, plan.groups.len()), (None, 1));
    repo.commit();
    repo.git(&["checkout", "-q", "-b", "other"]);
    repo.write("a.py", "a = 2\n");
    repo.commit();
    repo.git(&["checkout", "-q", "main"]);
    repo.write("a.py", "a = 3\n");
    repo.commit();
    let merge = Command::new("git")
        .args(["merge", "-q", "other"])
        .current_dir(repo.top())
        .output()
        .unwrap();
    assert!(!merge.status.success());
    let refused = repo.plan_in(Store::Private, false, false).unwrap_err();
    assert!(
        matches!(refused, ChangeError::Conflicts { count: 1, .. }),
        "{refused:?}"
    );
}

/// One thing that a person does to a work tree.
#[derive(Clone, Debug)]
enum Deed {
    Edit(u8, u8),
    Rewrite(u8),
    Remove(u8),
    Add(u8),
    Move(u8, u8),
    Executable(u8),
    Folder(u8),
    Stage,
    Unindexed(u8),
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        4 => (0..12_u8, 0..60_u8).prop_map(|(file, line)| Deed::Edit(file, line)),
        1 => (0..12_u8).prop_map(Deed::Rewrite),
        2 => (0..12_u8).prop_map(Deed::Remove),
        2 => (0..12_u8).prop_map(Deed::Add),
        2 => (0..12_u8, 0..12_u8).prop_map(|(from, to)| Deed::Move(from, to)),
        1 => (0..12_u8).prop_map(Deed::Executable),
        1 => (0..12_u8).prop_map(Deed::Folder),
        1 => Just(Deed::Stage),
        1 => (0..12_u8).prop_map(Deed::Unindexed),
    ]
}

fn path(number: u8) -> String {
    let folder = ["", "bot/", "bot/deep/", "tests/"][usize::from(number % 4)];
    format!("{folder}f{number}.py")
}

fn content(number: u8) -> String {
    let mut text = String::new();
    for line in 0..60 {
        writeln!(text, "value_{line} = compute_{number}({line})").unwrap();
    }
    text
}

fn act(repo: &Repo, deed: &Deed) {
    let full = |number: u8| repo.top().join(path(number));
    match deed {
        Deed::Edit(file, line) => {
            if let Ok(text) = std::fs::read_to_string(full(*file)) {
                let edited: String = text
                    .split_inclusive('\n')
                    .zip(0..)
                    .map(|(old, at)| {
                        if at == *line {
                            format!("edited_{line} = {file}\r\n")
                        } else {
                            old.to_owned()
                        }
                    })
                    .collect();
                std::fs::write(full(*file), edited).unwrap();
            }
        }
        Deed::Rewrite(file) if full(*file).is_file() => {
            std::fs::write(full(*file), b"\0binary\xff").unwrap();
        }
        Deed::Remove(file) if full(*file).is_file() => std::fs::remove_file(full(*file)).unwrap(),
        Deed::Add(file) if !full(*file).exists() => {
            repo.write(&path(*file), &content(file.wrapping_mul(7)));
        }
        Deed::Move(from, to) if full(*from).is_file() && !full(*to).exists() => {
            std::fs::create_dir_all(full(*to).parent().unwrap()).unwrap();
            std::fs::rename(full(*from), full(*to)).unwrap();
        }
        #[cfg(unix)]
        Deed::Executable(file) if full(*file).is_file() => {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(full(*file), std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        // A folder takes the place of a file.
        Deed::Folder(file) if full(*file).is_file() => {
            std::fs::remove_file(full(*file)).unwrap();
            repo.write(&format!("{}/inner.py", path(*file)), "inner = 1\n");
        }
        Deed::Stage => {
            repo.git(&["add", "-A"]);
        }
        Deed::Unindexed(file) => {
            repo.git(&[
                "rm",
                "-r",
                "-q",
                "--cached",
                "--ignore-unmatch",
                "--",
                &path(*file),
            ]);
        }
        _ => {}
    }
}

/// Lists a tree: path to mode and content.
fn listing(repo: &Repo, tree: &str) -> BTreeMap<String, String> {
    let listed = repo.git(&["ls-tree", "-r", tree]);
    listed
        .lines()
        .filter_map(|line| {
            let (facts, path) = line.split_once('\t')?;
            Some((path.to_owned(), facts.to_owned()))
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 60, ..ProptestConfig::default() })]

    #[test]
    fn the_last_tree_is_what_the_work_tree_would_be_committed_as(
        first in proptest::collection::vec(0..12_u8, 0..9),
        deeds in proptest::collection::vec(deed(), 1..14),
        takes_whole in any::<bool>(),
    ) {
        let repo = Repo::new();
        for number in &first {
            repo.write(&path(*number), &content(*number));
        }
        repo.commit();
        for deed in &deeds {
            act(&repo, deed);
        }
        let status = repo.git(&["status", "--porcelain"]);
        let plan = repo.plan_in(Store::Repository, takes_whole, true).unwrap();
        prop_assert_eq!(&status, &repo.git(&["status", "--porcelain"]));
        let base = listing(&repo, "HEAD");
        let whole = listing(&repo, &repo.whole_tree());
        let staged = listing(&repo, &repo.git(&["write-tree"]));
        // Path by path: a part that was staged by hand stays as it was staged.
        let mut expected = whole.clone();
        if !takes_whole {
            for path in base.keys().chain(staged.keys()).chain(whole.keys()) {
                let (was, index, work) = (base.get(path), staged.get(path), whole.get(path));
                if index != was && index != work {
                    match index {
                        Some(index) => expected.insert(path.clone(), index.clone()),
                        None => expected.remove(path),
                    };
                }
            }
        }
        // What was said to stay out because of what lies there is not in the last tree.
        for left in plan.left.iter().filter(|left| left.why.contains("stays out lies")) {
            expected.remove(&left.path);
        }
        let mut last = base.clone();
        for group in &plan.groups {
            let tree = listing(&repo, &group.tree.to_string());
            let of_group: Vec<&str> = group
                .parts
                .iter()
                .flat_map(|part| [Some(part.path.as_str()), part.from.as_deref()])
                .flatten()
                .collect();
            prop_assert!(!of_group.is_empty());
            prop_assert_ne!(&tree, &last, "a group that changes nothing");
            for path in tree.keys().chain(last.keys()) {
                if tree.get(path) != last.get(path) {
                    prop_assert!(of_group.contains(&path.as_str()), "{path} changes in a group that does not name it");
                }
            }
            last = tree;
        }
        prop_assert_eq!(last, expected);
    }
}
