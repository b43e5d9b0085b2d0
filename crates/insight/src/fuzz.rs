//! Every reader of outside text in this room as a function of any bytes; what `tradewind_repo`'s module of the
//! same name says holds here as well.

#![expect(
    clippy::missing_panics_doc,
    reason = "a body that panics has found something"
)]

use std::sync::{Arc, Mutex, PoisonError};

use jiff::civil::{Date, date};
use tradewind_catalog::Catalog;
use tradewind_repo::api_map::ApiMap;
use tradewind_repo::documents::Documents;
use tradewind_repo::fuzz::{files, history};
use tradewind_repo::leaks::Leaks;
use tradewind_repo::project::Project;
use tradewind_repo::python::{Cache, Code, read};
use tradewind_repo::references::Names;
use tradewind_repo::tree::Tree;

use crate::audit::Audit;
use crate::baseline::Baseline;
use crate::config::{AuditSection, Suppressions};
use crate::finding::Finding;
use crate::report::{Decisions, Report, Repository, contract::Document, html, markdown, sarif};
use crate::rule::Findings;
use crate::rules::{python_rules, rules as tree_rules};
use crate::sources::Sources;

/// A target: its name, and what it calls.
pub type Target = (&'static str, fn(&[u8]));

/// Every target of this room.
pub const TARGETS: &[Target] = &[
    ("rules", rules),
    ("baseline", baseline),
    ("suppressions", suppressions),
];

const TODAY: Date = date(2026, 11, 23);

/// A repository in one text (as fixtures of rules are written; the file `.history` is what git says of its commits)
/// through every reader, every rule and every form of the report.
pub fn rules(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut files = files(&text);
    let log = files.iter().position(|(path, _)| path == ".history");
    let log = log.map(|at| files.swap_remove(at).1).unwrap_or_default();
    let tree = Tree::of(files);
    let found = Mutex::new(Vec::new());
    let reading = read(&tree, &Cache::none(), |file| {
        for rule in python_rules() {
            let mut findings = Findings::new(rule.about());
            rule.check(file, &mut findings);
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            found.extend(findings.into_parts().0);
        }
        Vec::new()
    });
    let code = Code::join(reading.modules, &tree);
    let project = Project::read(&tree);
    let documents = Documents::read(&tree);
    let sources = Sources {
        history: history(log.as_bytes()),
        names: Names::read(&tree, &documents),
        leaks: Leaks::of_tree(&tree),
        api_map: ApiMap::build(&code, &project, Catalog::builtin_shared(), &tree),
        catalog: Arc::new(Catalog::builtin()),
        today: TODAY,
        tree,
        code,
        project,
        documents,
    };
    let mut all = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    for rule in tree_rules() {
        let mut findings = Findings::new(rule.about());
        rule.check(&sources.context(), &mut findings);
        all.extend(findings.into_parts().0);
    }
    for finding in &all {
        check(finding, &sources.tree);
    }
    write(sources, all);
}

/// What every finding must keep, whatever the rule.
fn check(finding: &Finding, tree: &Tree) {
    assert!(!finding.evidence.is_empty() && !finding.title.trim().is_empty());
    assert!(!finding.title.contains('\n'), "{:?}", finding.title);
    for evidence in &finding.evidence {
        assert!(!evidence.note.contains('\n'), "{:?}", evidence.note);
        if evidence.commit.is_none()
            && let (Some(path), Some(line)) = (&evidence.path, evidence.line)
            && let Some(bytes) = tree.bytes(path)
        {
            let breaks = bytes
                .iter()
                .filter(|byte| matches!(byte, b'\n' | b'\r' | b'\x0c'));
            let last = breaks.count() + 1;
            assert!(
                (1..=last).contains(&(line as usize)),
                "{} at {path}:{line} of {last}",
                finding.rule
            );
        }
    }
}

fn write(sources: Sources, findings: Vec<Finding>) {
    let audit = Audit {
        repository: Repository {
            name: "bot".to_owned(),
            commit: None,
            branch: Some("main".to_owned()),
            is_work_tree: true,
            audited_on: TODAY,
        },
        sources: Arc::new(sources),
        findings,
        not_checked: Vec::new(),
        broken: Vec::new(),
        is_partial: false,
        durations: Vec::new(),
    };
    let report = Report::of(&audit, &Decisions::default());
    let page = html::write(&report);
    // Nothing of a repository becomes a part of the page.
    assert_eq!(page.matches("<script").count(), 0);
    let _ = markdown::write(&report);
    for text in [sarif::write(&report), Document::of(&report).to_text()] {
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
    }
    let baseline = Baseline::of(report.all());
    // Joined or not, each finding is known.
    assert_eq!(baseline.findings.len(), audit.findings.len());
    assert!(Baseline::parse(&baseline.to_text()).is_ok());
}

/// A baseline.
pub fn baseline(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(baseline) = Baseline::parse(&text) {
        let again = Baseline::parse(&baseline.to_text());
        assert_eq!(again.ok().as_ref(), Some(&baseline));
        let _ = baseline.identities();
    }
}

/// The section `[audit]`, as JSON: the reader of TOML is another target.
pub fn suppressions(bytes: &[u8]) {
    let Ok(section) = serde_json::from_slice::<AuditSection>(bytes) else {
        return;
    };
    let _ = section.mistakes();
    let mut asked = Suppressions::new(&section, TODAY);
    let about = crate::audit::abouts()[0];
    let mut findings = Findings::new(about);
    findings.add(
        "title",
        vec![crate::Evidence::file("scripts/a/b.py", "a file")],
    );
    for finding in &findings.into_parts().0 {
        let _ = asked.reason(finding);
    }
    let _ = asked.notices();
}

#[cfg(test)]
#[path = "../../../fuzz/seeds.rs"]
mod seeds;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_seeds_and_survives_them_and_their_mutations() {
        seeds::exercise("insight", TARGETS);
    }
}
