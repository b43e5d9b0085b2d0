//! What comes first: the most important finding, and before it whatever its repair depends on.
//!
//! Not here: how a report shows it.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::finding::Finding;

/// Sorts findings: severity, confidence, time frame, area, place. A finding whose repair depends on another
/// rule's comes after the findings of that rule, which are moved up to it.
///
/// `after` says for a rule which rules' findings must be repaired first. Circles are broken where they close.
pub(crate) fn sort(
    findings: Vec<Finding>,
    after: impl Fn(&str) -> &'static [&'static str],
) -> Vec<Finding> {
    let mut findings = findings;
    findings.sort_by(|a, b| key(a).cmp(&key(b)));
    let mut by_rule: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, finding) in findings.iter().enumerate() {
        by_rule.entry(&finding.rule).or_default().push(at);
    }
    let mut sequence = Vec::with_capacity(findings.len());
    let mut is_placed = vec![false; findings.len()];
    // A stack of its own: rules are few, findings may be many.
    for start in 0..findings.len() {
        let mut stack = vec![(start, false)];
        while let Some((at, is_ready)) = stack.pop() {
            if is_ready {
                sequence.push(at);
                continue;
            }
            if std::mem::replace(&mut is_placed[at], true) {
                continue;
            }
            stack.push((at, true));
            let before: Vec<usize> = after(&findings[at].rule)
                .iter()
                .flat_map(|rule| by_rule.get(rule).into_iter().flatten().copied())
                .filter(|at| !is_placed[*at])
                .collect();
            stack.extend(before.into_iter().rev().map(|at| (at, false)));
        }
    }
    let mut taken: Vec<Option<Finding>> = findings.into_iter().map(Some).collect();
    sequence
        .into_iter()
        .filter_map(|at| taken[at].take())
        .collect()
}

/// The smaller, the earlier.
fn key(finding: &Finding) -> impl Ord + use<'_> {
    let first = finding.evidence.first();
    (
        Reverse(finding.severity),
        Reverse(finding.confidence),
        finding.timeframe,
        finding.area,
        finding.rule.as_str(),
        first.and_then(|evidence| evidence.path.as_deref()),
        first.and_then(|evidence| evidence.line),
        finding.title.as_str(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Severity;
    use crate::identity::tests::finding;

    #[test]
    fn what_must_be_repaired_first_comes_first() {
        let mut findings = vec![
            finding("unpinned", "c", "c.py", 1),
            finding("untested", "a", "a.py", 1),
            finding("does-not-run", "b", "b.py", 1),
            finding("notes", "d", "d.py", 1),
        ];
        findings[0].severity = Severity::Medium;
        findings[1].severity = Severity::Critical;
        findings[2].severity = Severity::Low;
        let after = |rule: &str| -> &'static [&'static str] {
            match rule {
                "untested" => &["does-not-run"],
                // A circle must not hang or lose anything.
                "does-not-run" => &["untested"],
                _ => &[],
            }
        };
        let sorted: Vec<_> = sort(findings, after)
            .into_iter()
            .map(|finding| finding.rule)
            .collect();
        assert_eq!(sorted, ["does-not-run", "untested", "notes", "unpinned"]);
    }
}
