//! `tradewind audit` as a user types it: its forms, exit codes, what it remembers and what it never touches.

#![expect(
    clippy::disallowed_methods,
    reason = "tests start outside programs themselves"
)]

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;
use tradewind_core::EventKind;
use tradewind_core::payload::AuditCompleted;

use crate::support::{Repo, Said, User, skipped};

/// A workflow with one high finding that any audit must see: 3.10 is the number 3.1.
const WORKFLOW: &str = "on: [push, pull_request]\npermissions: {contents: read}\njobs:\n  test:\n    runs-on: ubuntu-latest\n    timeout-minutes: 5\n    \
    strategy:\n      matrix:\n        python-version: [3.10]\n    steps:\n      - run: python -m unittest\n";
const RULE: &str = "yaml-number-version";

fn bot(user: &User) -> Repo {
    let repo = Repo::new(user.home.path().join("bot"));
    repo.write(".github/workflows/ci.yml", WORKFLOW);
    repo.write("README.md", "# bot\n");
    repo.commit("a workflow");
    repo
}

fn json(user: &User, repo: &Repo, args: &[&str]) -> Value {
    let mut all = vec!["audit", "--format", "json"];
    all.extend(args);
    serde_json::from_str(&user.ok(&repo.path, &all)).unwrap()
}

fn rules(report: &Value) -> BTreeSet<&str> {
    report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["rule"].as_str().unwrap())
        .collect()
}

fn keys(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

#[test]
fn the_json_is_the_contract_and_the_repository_is_left_as_it_was() {
    let user = User::new();
    let repo = bot(&user);
    let before = repo.git(&["status", "--porcelain", "--ignored"]);
    let report = json(&user, &repo, &[]);
    assert_eq!(
        keys(&report),
        [
            "api_map",
            "findings",
            "not_checked",
            "repository",
            "schema_version"
        ]
    );
    assert_eq!(report["schema_version"], 1);
    let finding = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|finding| finding["rule"] == RULE)
        .unwrap();
    assert_eq!(
        keys(finding),
        [
            "action",
            "area",
            "confidence",
            "evidence",
            "fix",
            "impact",
            "rule",
            "severity",
            "timeframe",
            "title"
        ]
    );
    assert_eq!(
        keys(&finding["evidence"][0]),
        ["commit", "line", "note", "path"]
    );
    assert_eq!(
        (
            &finding["evidence"][0]["path"],
            &finding["evidence"][0]["line"]
        ),
        (&Value::from(".github/workflows/ci.yml"), &Value::from(9))
    );
    assert_eq!(repo.git(&["status", "--porcelain", "--ignored"]), before);
    assert!(!repo.path.join(".git/tradewind-id").exists());
}

#[test]
fn the_exit_code_says_whether_something_is_that_severe() {
    let user = User::new();
    let repo = bot(&user);
    let code = |args: &[&str]| {
        let mut all = vec!["audit", "--only", RULE];
        all.extend(args);
        user.run(&repo.path, &all).code
    };
    assert_eq!(code(&[]), Some(0));
    assert_eq!(code(&["--fail-on", "high"]), Some(1));
    assert_eq!(code(&["--fail-on", "critical"]), Some(0));
    let fails = |args: &[&str], exit: i32, next: &str| {
        let said: Said = user.run(&repo.path, args);
        assert_eq!(said.code, Some(exit), "{args:?} {said:#?}");
        assert!(
            said.err.contains("next:") && said.err.contains(next),
            "{args:?} {said:#?}"
        );
    };
    fails(&["audit", "--only", "nonsense"], 2, "audit --rules");
    fails(&["audit", "--explain", "nonsense"], 2, "audit --rules");
    fails(&["audit", "nowhere"], 2, "tradewind audit PATH");
    fails(&["audit", "--at", "nowhere"], 2, "git log");
    fails(&["audit", "--since", "last"], 2, "tradewind");
    fails(
        &["audit", "--baseline", "nowhere.json"],
        2,
        "--write-baseline",
    );
    fails(&["audit", "-o", "no/such/folder/r.html"], 5, "folder");
    assert!(
        user.ok(&repo.path, &["audit", "--explain", RULE])
            .contains("## When it is wrong")
    );
}

/// A workflow that deploys with what is newest, and tests nothing else to complain of: remarks only.
const OPINIONS: &str = "on: [push, pull_request]\npermissions: {contents: read}\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n      - run: rsync -a . server:bot\n";

#[test]
fn remarks_are_counted_apart_and_fail_only_when_asked_for() {
    let user = User::new();
    let repo = bot(&user);
    repo.write(".github/workflows/ci.yml", OPINIONS);
    repo.commit("opinions");
    let report = json(&user, &repo, &[]);
    let all = report["findings"].as_array().unwrap();
    let is_remark = |finding: &&Value| finding["confidence"] == "possible";
    let remarks = all.iter().filter(is_remark).count();
    // The JSON keeps every one, what is shown before what is folded.
    assert!(
        remarks > 0 && rules(&report).contains("missing-timeout"),
        "{report}"
    );
    assert!(
        all.iter()
            .rev()
            .take(remarks)
            .all(|finding| is_remark(&finding))
    );
    let only = ["--only", "missing-timeout,missing-concurrency"];
    let run = |args: &[&str]| {
        let mut whole = vec!["audit"];
        whole.extend(only);
        whole.extend(args);
        user.run(&repo.path, &whole)
    };
    let said = run(&["--fail-on", "low"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert!(
        said.out
            .contains("possible only: `tradewind audit --remarks` lists them"),
        "{said:#?}"
    );
    assert!(!said.out.contains("timeout-minutes"), "{said:#?}");
    let said = run(&["--fail-on", "low", "--remarks"]);
    assert_eq!(said.code, Some(1), "{said:#?}");
    assert!(said.out.contains("timeout-minutes"), "{said:#?}");
    // One screen names each of them, too.
    let said = run(&["--summary", "--remarks"]);
    assert!(said.out.contains("missing-timeout: "), "{said:#?}");
    for (format, closed) in [
        ("markdown", "<details><summary>"),
        ("html", "<details class=\"remarks\">"),
    ] {
        let out = run(&["--format", format]).out;
        let (open, folded) = out.split_once(closed).unwrap();
        assert!(!open.contains("timeout-minutes"), "{format}: {open}");
        assert!(folded.contains("timeout-minutes"), "{format}: {folded}");
    }
    let log: Value = serde_json::from_str(&run(&["--format", "sarif"]).out).unwrap();
    let results = log["runs"][0]["results"].as_array().unwrap();
    assert!(!results.is_empty() && results.iter().all(|result| result["level"] == "note"));
    // A baseline knows them like any other.
    user.ok(&repo.path, &["audit", "--write-baseline", "known.json"]);
    let report = json(&user, &repo, &["--baseline", "known.json"]);
    assert!(!rules(&report).contains("missing-timeout"), "{report}");
}

#[test]
fn a_folder_without_a_repository_is_read_too_and_says_what_it_cannot_say() {
    let user = User::new();
    let folder = user.home.path().join("plain");
    std::fs::create_dir_all(folder.join(".github/workflows")).unwrap();
    std::fs::write(folder.join(".github/workflows/ci.yml"), WORKFLOW).unwrap();
    let out = user.ok(user.home.path(), &["audit", "plain", "--format", "json"]);
    let report: Value = serde_json::from_str(&out).unwrap();
    assert!(rules(&report).contains(RULE), "{out}");
    let reasons = report["not_checked"].to_string();
    assert!(reasons.contains("no git repository"), "{reasons}");
}

#[test]
fn a_baseline_hides_what_is_known_although_lines_move() {
    let user = User::new();
    let repo = bot(&user);
    user.ok(&repo.path, &["audit", "--write-baseline", "known.json"]);
    repo.write(
        ".github/workflows/ci.yml",
        &format!("# moved\n\n{WORKFLOW}"),
    );
    let report = json(&user, &repo, &["--baseline", "known.json"]);
    assert!(!rules(&report).contains(RULE), "{report}");
    let said = user.ok(&repo.path, &["audit", "--baseline", "known.json"]);
    assert!(said.contains("known (baseline)"), "{said}");
}

#[test]
fn a_suppression_counts_until_its_day_and_is_told_after() {
    let user = User::new();
    let repo = bot(&user);
    repo.write(
        "tradewind.toml",
        &format!(
            "[[audit.suppress]]\nrule = \"{RULE}\"\npath = \".github/**\"\nreason = \"the old runner goes in June\"\nuntil = \"2026-06-30\"\n"
        ),
    );
    let during = user.ok(&repo.path, &["audit", "--today", "2026-06-30"]);
    assert!(during.contains("the old runner goes in June"), "{during}");
    let after = user.ok(&repo.path, &["audit", "--today", "2026-07-01"]);
    assert!(
        after.contains("ended on 2026-06-30: 1 finding is shown again"),
        "{after}"
    );
    repo.write(
        "tradewind.toml",
        "[[audit.suppress]]\nrule = \"nonsense\"\nreason = \"\"\nuntil = \"2026-06-30\"\n",
    );
    let said = user.run(&repo.path, &["config", "check"]);
    assert_eq!(said.code, Some(3));
    assert!(
        said.out.contains("tradewind.toml:2:8: there is no rule"),
        "{said:#?}"
    );
}

#[test]
fn the_journal_remembers_and_the_next_audit_says_what_changed() {
    let user = User::new();
    let repo = bot(&user);
    let daemon = user.up(&repo.path);
    user.ok(&repo.path, &["audit"]);
    // Some rules only: nothing to compare with later.
    user.ok(&repo.path, &["audit", "--only", "tests"]);
    repo.write(
        ".github/workflows/ci.yml",
        &WORKFLOW.replace("3.10", "\"3.10\""),
    );
    repo.write("Dockerfile", "FROM python:latest\nCMD python bot.py\n");
    let said = user.ok(&repo.path, &["audit", "--since", "last"]);
    assert!(
        said.contains("Since the audit of") && said.contains("Gone since"),
        "{said}"
    );
    assert!(said.contains(RULE), "{said}");
    let events = user.events(&[EventKind::InsightAuditCompleted]);
    assert_eq!(events.len(), 3);
    let first: AuditCompleted = events[0].payload().unwrap();
    let second: AuditCompleted = events[1].payload().unwrap();
    assert!(events[0].repository.is_some() && second.is_partial && !first.is_partial);
    assert_eq!(first.by_rule[RULE], 1);
    assert!(
        first
            .findings
            .iter()
            .any(|finding| finding.rule == RULE && finding.identity.len() == 32)
    );
    drop(daemon);
}

#[test]
fn names_from_the_repository_steer_neither_terminal_nor_browser() {
    let user = User::new();
    let repo = bot(&user);
    repo.write(
        ".github/workflows/\u{1b}[31m<script>alert(1)<!--\u{202e}.yml",
        WORKFLOW,
    );
    repo.commit("hostile");
    for format in ["text", "markdown", "html"] {
        let out = user.ok(&repo.path, &["audit", "--format", format]);
        assert!(out.contains("alert(1)"), "{format}: {out}");
        assert!(!out.contains(['\u{1b}', '\u{202e}']), "{format}");
        // In a code span, Markdown takes nothing for markup.
        let mut outside = out.split('`').step_by(2);
        let is_markup = outside.any(|piece| piece.contains("<script"));
        assert!(format == "text" || !is_markup, "{format}: {out}");
    }
    let html = user.ok(&repo.path, &["audit", "--format", "html"]);
    for outside in ["src=", "<link", "@import", "url(", "href=\"http"] {
        assert!(
            !html.contains(outside),
            "the report asks for something: {outside}"
        );
    }
}

#[test]
fn a_commit_can_be_audited_as_it_was() {
    let user = User::new();
    let repo = bot(&user);
    repo.write(
        ".github/workflows/ci.yml",
        &WORKFLOW.replace("3.10", "\"3.10\""),
    );
    repo.commit("mended");
    assert!(!rules(&json(&user, &repo, &[])).contains(RULE));
    let before = json(&user, &repo, &["--at", "HEAD~1"]);
    assert!(rules(&before).contains(RULE));
    assert_eq!(before["repository"]["is_work_tree"], false);
}

#[test]
fn the_sarif_has_what_the_standard_requires() {
    let user = User::new();
    let repo = bot(&user);
    let file = repo.path.join("report.sarif");
    user.ok(
        &repo.path,
        &["audit", "--format", "sarif", "-o", "report.sarif"],
    );
    let text = std::fs::read_to_string(&file).unwrap();
    let log: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    assert_eq!(run["tool"]["driver"]["name"], "tradewind");
    let results = run["results"].as_array().unwrap();
    assert!(!results.is_empty());
    for result in results {
        let at = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[at]["id"], result["ruleId"]);
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        assert!(["error", "warning", "note"].contains(&result["level"].as_str().unwrap()));
        assert_eq!(
            result["partialFingerprints"]["tradewind/v1"]
                .as_str()
                .unwrap()
                .len(),
            32
        );
        for location in result["locations"].as_array().unwrap() {
            let uri = location["physicalLocation"]["artifactLocation"]["uri"]
                .as_str()
                .unwrap();
            assert!(!uri.starts_with('/') && !uri.contains([' ', ':']), "{uri}");
        }
    }
    let Some(python) = std::env::var_os("TRADEWIND_TEST_PYTHON") else {
        return skipped(
            "sarif",
            "TRADEWIND_TEST_PYTHON names no Python with the package sarif-pydantic",
        );
    };
    let output = Command::new(&python)
        .args(["-c", "import sys, json, sarif_pydantic; sarif_pydantic.Sarif.model_validate(json.load(open(sys.argv[1])))"])
        .arg(&file)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
