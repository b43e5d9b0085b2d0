//! `tradewind guard` as a user types it, on real repositories.

use serde_json::Value;
use tradewind_core::EventKind;
use tradewind_core::payload::ExceptionGranted;

use crate::support::{Repo, User};

fn bot(user: &User) -> Repo {
    let repo = Repo::new(user.home.path().join("bot"));
    repo.write("bot/__init__.py", "");
    repo.write("bot/risk.py", "LIMIT = 1\n");
    repo.write("bot/broker.py", "from .risk import LIMIT\n");
    repo.write("README.md", "# Bot\n");
    repo.commit("a bot");
    repo
}

#[test]
fn a_deletion_that_code_needs_is_stopped_until_an_exception_is_granted_and_that_is_spent_by_the_commit()
 {
    let user = User::new();
    let repo = bot(&user);
    let check = ["guard", "check"];
    assert_eq!(
        user.ok(&repo.path, &check),
        "Nothing stops this commit of 0 paths.\n"
    );
    repo.git(&["rm", "-q", "bot/risk.py"]);
    let said = user.run(&repo.path, &check);
    assert_eq!(said.code, Some(1), "{said:#?}");
    assert_eq!(
        said.out,
        "\
This commit is stopped, for 1 reason. Nothing was changed.

bot/risk.py is deleted, and 1 place still leads to it.  [dangling-reference]
    bot/broker.py:1  imports it: from .risk import LIMIT
  bring it back:
    git restore --staged --worktree -- bot/risk.py
  or go on, with a reason:
    tradewind guard allow bot/risk.py --reason \"…\"
"
    );
    // What it says to type is what works: bring it back …
    repo.git(&["restore", "--staged", "--worktree", "--", "bot/risk.py"]);
    assert_eq!(user.run(&repo.path, &check).code, Some(0));
    // … or go on, from wherever one is.
    repo.git(&["rm", "-q", "bot/risk.py"]);
    let below = repo.path.join("bot");
    let empty = user.run(&below, &["guard", "allow", "risk.py", "--reason", "…"]);
    assert_eq!(empty.code, Some(2), "{empty:#?}");
    let allow = ["guard", "allow", "risk.py", "--reason", "replaced tomorrow"];
    let said = user.ok(&below, &allow);
    assert!(
        said.contains("lets bot/risk.py pass for the next commit"),
        "{said}"
    );
    let events = user.events(&[EventKind::DeliveryExceptionGranted]);
    let granted: ExceptionGranted = events[0].payload().unwrap();
    assert_eq!(
        (granted.by.as_str(), granted.reason.as_str()),
        ("ada", "replaced tomorrow")
    );
    let said = user.ok(&repo.path, &check);
    assert!(said.starts_with("Passes by exception"), "{said}");
    let listed = user.ok(&repo.path, &["guard", "list"]);
    assert!(
        listed.contains("bot/risk.py for the next commit, by ada: replaced tomorrow"),
        "{listed}"
    );
    repo.commit("risk goes");
    let listed = user.ok(&repo.path, &["guard", "list"]);
    assert!(listed.contains("No exception is in force."), "{listed}");
    // The exception is spent: the same deletion again is stopped again.
    repo.write("bot/risk.py", "LIMIT = 1\n");
    repo.commit("risk is back");
    repo.git(&["rm", "-q", "bot/risk.py"]);
    assert_eq!(user.run(&repo.path, &check).code, Some(1));
}

#[test]
fn an_exception_for_a_time_lasts_over_commits_and_not_for_ever() {
    let user = User::new();
    let repo = bot(&user);
    let allow = |time: &str| {
        let args = [
            "guard",
            "allow",
            "bot",
            "--reason",
            "moving house",
            "--for",
            time,
        ];
        user.run(&repo.path, &args)
    };
    assert_eq!(allow("30d").code, Some(2));
    assert_eq!(allow("1h").code, Some(0));
    repo.write("other.py", "x = 1\n");
    repo.commit("something else");
    repo.git(&["rm", "-q", "bot/risk.py"]);
    assert_eq!(user.run(&repo.path, &["guard", "check"]).code, Some(0));
}

#[test]
fn what_the_file_protects_is_stopped_and_a_mistake_in_it_is_told_with_its_place() {
    let user = User::new();
    let repo = bot(&user);
    repo.write("tradewind.toml", "[guard]\nprotect = [\"README.md\"]\n");
    repo.commit("settings");
    repo.git(&["rm", "-q", "README.md"]);
    let args = ["guard", "check", "--format", "json"];
    let said = user.run(&repo.path, &args);
    assert_eq!(said.code, Some(1), "{said:#?}");
    let report: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(report["schema_version"], 1);
    assert_eq!(report["stops"][0]["kind"], "protected-path");
    assert_eq!(report["stops"][0]["path"], "README.md");
    repo.write("tradewind.toml", "[guard]\nprotect = [\"a[\"]\n");
    assert_eq!(user.run(&repo.path, &args).code, Some(3));
    let said = format!("{:?}", user.run(&repo.path, &["config", "check"]));
    assert!(said.contains("holds no pattern of paths"), "{said}");
}

#[test]
fn a_replay_tells_the_commits_that_would_have_been_stopped_and_the_sums() {
    let user = User::new();
    let repo = bot(&user);
    for at in 0..2_400 {
        repo.write(
            &format!(".venv/lib/python3.11/site-packages/pkg{}/m{at}.py", at % 40),
            &format!("x = {at}\n"),
        );
    }
    let environment = repo.commit("add dashboard");
    for path in ["bot/__init__.py", "bot/risk.py", "bot/broker.py"] {
        repo.git(&["rm", "-q", path]);
    }
    let emptied = repo.commit("cleanup");
    let said = user.ok(&repo.path, &["guard", "replay"]);
    assert!(
        said.contains(".venv is a Python environment (2400 files)"),
        "{said}"
    );
    assert!(said.contains("3 of 3 source files go at once."), "{said}");
    assert!(said.contains("3 commits judged: 2 stopped"), "{said}");
    let said = user.ok(
        &repo.path,
        &["guard", "replay", "HEAD~1..HEAD", "--format", "json"],
    );
    let lines: Vec<Value> = said
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert_eq!(lines[0]["commit"]["commit"], emptied.trim());
    assert_eq!(
        lines[0]["commit"]["judgement"]["stops"][0]["kind"],
        "mass-deletion"
    );
    assert_eq!(lines[1]["tally"]["stopped"], 1);
    // The way between two commits is judged like one commit.
    let args = [
        "guard",
        "check",
        "--from-ref",
        environment.trim(),
        "--to-ref",
        "HEAD",
    ];
    assert_eq!(user.run(&repo.path, &args).code, Some(1));
    let args = [
        "guard",
        "check",
        "--from-ref",
        "nowhere",
        "--to-ref",
        "HEAD",
    ];
    assert_eq!(user.run(&repo.path, &args).code, Some(2));
    let bad = user.run(&repo.path, &["guard", "replay", "--output=x"]);
    assert_eq!(bad.code, Some(2), "{bad:#?}");
}

#[test]
fn where_there_is_no_repository_or_no_commit_yet_it_says_so_or_judges_what_is_staged() {
    let user = User::new();
    let said = user.run(user.home.path(), &["guard", "check"]);
    assert_eq!(said.code, Some(2), "{said:#?}");
    let repo = Repo::new(user.home.path().join("new"));
    assert_eq!(user.run(&repo.path, &["guard", "check"]).code, Some(0));
    repo.write("__pycache__/a.pyc", "x\n");
    repo.git(&["add", "--force", "."]);
    assert_eq!(user.run(&repo.path, &["guard", "check"]).code, Some(1));
}
