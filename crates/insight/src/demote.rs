//! What is right and nobody would act on, whatever rule found it: such findings become remarks.
//!
//! Measured: of findings in folders for trials and leftovers, and of second mistakes in files that cannot be loaded
//! anyway, most were true and useless (`docs/audit/precision-k.md`).
//! Not here: what one rule knows about its own shapes, and what has one cause (`cause.rs`).

use std::collections::BTreeSet;

use crate::finding::{Area, Confidence, Finding};

/// Folders that hold trials and leftovers, by name.
const TRIALS: &[&str] = &[
    "debug",
    "example",
    "examples",
    "experiments",
    "legacy",
    "playground",
    "sandbox",
    "scratch",
    "scratchpad",
    "temp",
    "tmp",
];

/// Files that are trials by their own name, without suffix.
const TRIAL_FILES: &[&str] = &["example", "playground", "scratch", "temp", "tmp"];

/// Rules whose findings in a file are of no use while the file cannot be loaded.
const SECOND: &[&str] = &[
    "missing-name",
    "unbound-name",
    "undefined-name",
    "wrong-arguments",
];

/// Makes remarks of what lies in trials and leftovers altogether. Secrets do harm from anywhere, and history and CI
/// lie in no folder.
pub(crate) fn beside_the_program(findings: &mut [Finding]) {
    for finding in findings {
        let lies_there = !matches!(finding.area, Area::Safety | Area::History | Area::Ci)
            && first_path(finding).is_some_and(is_trial)
            && users(finding).all(|path| is_trial(path) || !path.contains('.'));
        if lies_there {
            finding.confidence = Confidence::Possible;
        }
    }
}

/// Makes remarks of further mistakes in files whose imports fail: they are looked at when the first one is mended.
pub(crate) fn behind_a_broken_import(findings: &mut [Finding]) {
    for rule in ["unresolved-import", "missing-name"] {
        let broken: BTreeSet<String> = findings
            .iter()
            .filter(|finding| finding.rule == rule && !finding.is_remark())
            .flat_map(importers)
            .map(str::to_owned)
            .collect();
        for finding in findings.iter_mut() {
            let is_second = SECOND.contains(&finding.rule.as_str())
                && finding.rule != rule
                && first_path(finding).is_some_and(|path| broken.contains(path));
            if is_second {
                finding.confidence = Confidence::Possible;
            }
        }
    }
}

/// Files that a finding is about, without those that only define what they use.
fn users(finding: &Finding) -> impl Iterator<Item = &str> {
    finding
        .evidence
        .iter()
        .filter(|fact| !fact.note.contains("(the definition)"))
        .filter_map(|fact| fact.path.as_deref())
}

/// Files with an import among the facts of a finding.
fn importers(finding: &Finding) -> impl Iterator<Item = &str> {
    finding
        .evidence
        .iter()
        .filter(|fact| {
            let words = fact.note.trim_start();
            words.starts_with("from ") || words.starts_with("import ")
        })
        .filter_map(|fact| fact.path.as_deref())
}

fn paths(finding: &Finding) -> impl Iterator<Item = &str> {
    finding
        .evidence
        .iter()
        .filter_map(|fact| fact.path.as_deref())
}

fn first_path(finding: &Finding) -> Option<&str> {
    paths(finding).next()
}

fn is_trial(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    let (folders, file) = path.rsplit_once('/').unwrap_or(("", path.as_str()));
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    folders.split('/').any(|folder| TRIALS.contains(&folder)) || TRIAL_FILES.contains(&stem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::tests::finding;

    #[test]
    fn leftovers_become_remarks_and_their_secrets_do_not() {
        let mut all = vec![
            finding("unbound-name", "a", "legacy/a.py", 1),
            finding("secret-in-head", "b", "legacy/b.py", 1),
            finding("unbound-name", "c", "bot/legacy_orders.py", 1),
        ];
        all[0].area = Area::Runs;
        all[1].area = Area::Safety;
        all[2].area = Area::Runs;
        beside_the_program(&mut all);
        let remarks: Vec<bool> = all.iter().map(Finding::is_remark).collect();
        assert_eq!(remarks, [true, false, false]);
    }

    #[test]
    fn second_mistakes_wait_for_the_import() {
        let mut all = vec![
            finding("unresolved-import", "a", "bot/a.py", 1),
            finding("undefined-name", "b", "bot/a.py", 9),
            finding("undefined-name", "c", "bot/b.py", 9),
        ];
        all[0].evidence[0].note = "from bot.gone import x".to_owned();
        behind_a_broken_import(&mut all);
        let remarks: Vec<bool> = all.iter().map(Finding::is_remark).collect();
        assert_eq!(remarks, [false, true, false]);
    }
}
