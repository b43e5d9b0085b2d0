//! The audit of the example bot finds every mistake that is listed beside it, and nothing that is not.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use tradewind_host::git::Git;
use tradewind_insight::{Audit, Finding, Request, audit};

use crate::mistakes::{self, Mistake, Place};
use crate::replay;

/// The rules that must find each row, all of them.
const ROWS: &[(&str, &[&str])] = &[
    ("R1", &["unresolved-import"]),
    ("R2", &["missing-name"]),
    ("R3", &["entry-point-missing"]),
    ("R4", &["entry-point-missing"]),
    ("R5", &["readme-command"]),
    ("R6", &["entry-point-missing"]),
    ("R7", &["undeclared-package"]),
    ("R8", &["unused-requirement"]),
    ("R9", &["contradicting-pins"]),
    ("R10", &["wrong-arguments"]),
    ("R11", &["hidden-definition"]),
    ("R12", &["undefined-name"]),
    ("T1", &["live-test"]),
    ("T2", &["not-a-test"]),
    ("T3", &["missing-test-path"]),
    ("C1", &["yaml-number-version"]),
    ("C2", &["no-pull-request-trigger"]),
    ("C3", &["unpinned-action", "end-of-life-action"]),
    (
        "C4",
        &[
            "missing-permissions",
            "missing-timeout",
            "missing-concurrency",
        ],
    ),
    ("C5", &["no-hooks"]),
    ("D1", &["latest-image"]),
    ("D2", &["runs-as-root"]),
    ("D3", &["no-healthcheck"]),
    ("D4", &["shell-form-cmd"]),
    ("D5", &["copy-missing"]),
    ("D6", &["missing-dockerignore"]),
    ("D7", &["compose-no-restart"]),
    ("D8", &["port-nothing-serves"]),
    ("S1", &["secret-in-head"]),
    ("S2", &["env-tracked"]),
    ("S3", &["key-in-url-logged"]),
    ("S4", &["eval-exec-pickle"]),
    ("M1", &["no-timeout"]),
    ("M2", &["no-pacing"]),
    ("M3", &["unchecked-refusal"]),
    ("M4", &["errors-become-empty"]),
    ("M5", &["no-shared-cache"]),
    ("M6", &["one-key-two-names"]),
    ("M7", &["naive-time"]),
    ("M8", &["blocking-call-in-async"]),
    ("M9", &["ignored-pagination"]),
    ("M10", &["wrong-host"]),
    ("B1", &["fitted-on-whole-series", "shuffled-split"]),
    ("B2", &["order-without-client-id"]),
    ("B3", &["two-traders-one-account"]),
    ("X1", &["readme-tree"]),
    ("X2", &["readme-variable"]),
    ("X3", &["undocumented-variable"]),
    ("X4", &["absolute-home-path"]),
    ("X5", &["license-missing"]),
    ("X6", &["no-changelog"]),
    ("X7", &["project-json"]),
    ("X8", &["several-names"]),
    ("X9", &["header-names-other-path"]),
    ("X10", &["readme-count"]),
    ("Y1", &["copied-function"]),
    ("Y2", &["identical-files"]),
    ("Y3", &["abandoned-generation"]),
    ("H1", &["mass-deletion"]),
    ("H2", &["generated-tree-committed"]),
    ("H3", &["poor-messages"]),
    ("H4", &["secret-in-history"]),
    ("H5", &["message-contradicts-content"]),
    ("H6", &["kitchen-sink-commit"]),
    ("H7", &["editor-backup"]),
    ("H8", &["straight-to-main"]),
];

/// Says whether a fact of the finding lies at a place of the row, a line up or down.
fn touches(finding: &Finding, mistake: &Mistake, subjects: &BTreeMap<String, String>) -> bool {
    mistake.places.iter().any(|place| {
        finding.evidence.iter().any(|evidence| match place {
            Place::Line(path, line) => {
                evidence.path.as_ref() == Some(path)
                    && evidence.line.is_none_or(|at| at.abs_diff(*line) <= 1)
            }
            Place::Absent(path) => evidence.path.as_ref() == Some(path),
            Place::Commit(line) => evidence
                .commit
                .as_ref()
                .and_then(|commit| subjects.get(commit))
                .is_some_and(|subject| *subject == mistakes::message_at(*line)),
            Place::History => evidence.path.is_none(),
        })
    })
}

fn told(finding: &Finding) -> String {
    let first = &finding.evidence[0];
    format!(
        "{} | {}:{} {} | {} | {}",
        finding.rule,
        first.path.as_deref().unwrap_or("-"),
        first.line.unwrap_or_default(),
        first
            .commit
            .as_deref()
            .map(|commit| &commit[..8])
            .unwrap_or_default(),
        finding.title,
        first.note
    )
}

fn audit_of_the_bot() -> (Audit, BTreeMap<String, String>) {
    let git = Git::discover().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let bot = folder.path().join("tidebot");
    std::fs::create_dir(&bot).unwrap();
    let now = "2026-11-01T12:00:00Z".parse().unwrap();
    replay::replay(&git, &bot, now).unwrap();
    let request = Request::new(git.clone(), &bot, "2026-11-01".parse().unwrap());
    let audit = audit::run(&request).unwrap();
    let log = git.run_blocking(&bot, &["log", "--format=%H %s"]).unwrap();
    let subjects = String::from_utf8_lossy(&log)
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(id, subject)| (id.to_owned(), subject.to_owned()))
        .collect();
    (audit, subjects)
}

#[test]
fn every_mistake_of_the_bot_is_found_and_nothing_else() {
    let (audit, subjects) = audit_of_the_bot();
    assert!(audit.broken.is_empty(), "{:?}", audit.broken);
    let mistakes = mistakes::read();
    let ids: Vec<_> = mistakes.iter().map(|mistake| mistake.id.as_str()).collect();
    let known: Vec<_> = ROWS.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, known, "MISTAKES.md and ROWS must have the same rows");
    let mut report = String::new();
    for (mistake, (id, rules)) in mistakes.iter().zip(ROWS) {
        for rule in *rules {
            let mut of_rule = audit.findings.iter().filter(|found| found.rule == *rule);
            if !of_rule.any(|finding| touches(finding, mistake, &subjects)) {
                writeln!(report, "{rule} does not find {id}: {}", mistake.what).unwrap();
            }
        }
    }
    for finding in &audit.findings {
        let mut rows = mistakes.iter();
        if !rows.any(|mistake| touches(finding, mistake, &subjects)) {
            writeln!(report, "not explained: {}", told(finding)).unwrap();
        }
    }
    assert!(report.is_empty(), "\n{report}");
}
