//! One cause, one finding: what one act repairs is told once, with every place.
//!
//! Why: of what an audit shows, most of the lines that were true and of no use told again what a line before them had
//! told: a call that was copied into five scripts, a class that was copied with its mistake
//! (`docs/audit/precision-n.md`). Joining comes last, after baseline and suppressions: each place keeps the identity
//! that it would have alone, so that one place can be suppressed, known, new or repaired while the others stay.
//! Not here: what a rule itself counts as one finding, and credentials, which are revoked one by one.

use std::collections::BTreeMap;

use crate::finding::{Evidence, Finding, Fix};
use crate::identity::without_figures;
use crate::quotes::{has_end, is_shelved};
use crate::report::{Part, Told};
use crate::rule::MAX_EVIDENCE;

/// Rules whose findings are acted on one by one, however alike they are.
const ONE_BY_ONE: &[&str] = &["private-key", "secret-in-head", "secret-in-history"];

/// Rules whose title does not tell the mistake: the quoted line has to be the same as well.
const ONE_LINE: &[&str] = &["syntax-error"];

/// Rules whose findings one act repairs altogether: one list gets more lines.
const ONE_ACT: &[&str] = &["undeclared-package"];

/// Rules of which a file cannot be used before all its findings are repaired.
const ONE_FILE: &[&str] = &["missing-name", "unresolved-import"];

/// Rules that see one file each: what many files have in common is one habit, or one file that was copied.
const ONE_HABIT: &[&str] = &["hidden-definition", "unbound-name"];

/// More findings than this of one habit are told together.
const MAX_APART: usize = 3;

/// Longest command that several are joined into.
const MAX_COMMAND_CHARS: usize = 300;

/// Joins findings with one cause; each group stands where its first one stood.
pub(crate) fn join(told: Vec<Told>) -> Vec<Told> {
    let habits = group(told, cause);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for one in &habits {
        *counts.entry(one.finding.rule.clone()).or_default() += 1;
    }
    group(habits, |finding| {
        let is_habit = ONE_HABIT.contains(&finding.rule.as_str())
            && counts
                .get(&finding.rule)
                .is_some_and(|count| *count > MAX_APART);
        is_habit.then(|| finding.rule.clone())
    })
}

fn group(told: Vec<Told>, key: impl Fn(&Finding) -> Option<String>) -> Vec<Told> {
    let mut groups: Vec<Vec<Told>> = Vec::with_capacity(told.len());
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for one in told {
        let known = key(&one.finding).map(|key| *places.entry(key).or_insert(groups.len()));
        match known.and_then(|at| groups.get_mut(at)) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    groups.into_iter().filter_map(as_one).collect()
}

/// Returns what two findings have in common when they have one cause; `None` where nothing says so.
fn cause(finding: &Finding) -> Option<String> {
    let rule = finding.rule.as_str();
    if ONE_BY_ONE.contains(&rule) {
        return None;
    }
    if ONE_ACT.contains(&rule) {
        return Some(rule.to_owned());
    }
    let path = first_path(finding)?;
    if ONE_FILE.contains(&rule) && has_end(path, "py") {
        return Some(format!("{rule}\0{path}"));
    }
    // What is said of the one file is said of the other.
    let mut shape = finding.title.replacen(path, "", 1);
    if ONE_LINE.contains(&rule) {
        shape.push_str(&finding.evidence.first()?.note);
    }
    Some(format!("{rule}\0{}", without_figures(&shape)))
}

fn as_one(mut group: Vec<Told>) -> Option<Told> {
    // What was put away is not what a finding points at.
    group.sort_by_key(|one| first_path(&one.finding).is_some_and(is_shelved));
    let mut rest = group.into_iter();
    let mut first = rest.next()?;
    let others: Vec<Told> = rest.collect();
    if others.is_empty() {
        return Some(first);
    }
    let end = words(&first, &others);
    let fix = joined(&first.finding, &others);
    let mut parts: Vec<Part> = first.parts().collect();
    let own = first.finding.evidence.len();
    // One fact of each other place, before the further ones of this one.
    let more_of_own = first.finding.evidence.split_off(1.min(own));
    for other in &others {
        parts.extend(other.parts());
        first
            .finding
            .evidence
            .extend(other.finding.evidence.first().cloned());
    }
    let finding = &mut first.finding;
    finding.evidence.extend(more_of_own);
    let more = finding.evidence.len().saturating_sub(MAX_EVIDENCE);
    if more > 0 {
        finding.evidence.truncate(MAX_EVIDENCE);
        let words = format!("and {more} more");
        finding.evidence.push(Evidence::repository(words));
    }
    finding.title.push_str(&end);
    finding.fix = fix;
    for other in &others {
        let other_finding = &other.finding;
        finding.severity = finding.severity.max(other_finding.severity);
        finding.confidence = finding.confidence.min(other_finding.confidence);
        finding.timeframe = finding.timeframe.min(other_finding.timeframe);
    }
    // New as soon as one place is.
    let is_new = others.iter().any(|other| other.is_new == Some(true));
    first.is_new = first.is_new.map(|own| own || is_new);
    first.joined = parts;
    Some(first)
}

fn first_path(finding: &Finding) -> Option<&str> {
    finding.evidence.first()?.path.as_deref()
}

/// Says how many more there are: files where each lies in one of its own, places otherwise.
fn words(first: &Told, others: &[Told]) -> String {
    let mut paths: Vec<Option<&str>> = others
        .iter()
        .chain([first])
        .map(|told| first_path(&told.finding))
        .collect();
    let all = paths.len();
    paths.sort();
    paths.dedup();
    let thing = if paths.len() == all && paths.first().is_some_and(Option::is_some) {
        "file"
    } else {
        "place"
    };
    match others.len() {
        1 => format!("; 1 more {thing} has the like"),
        many => format!("; {many} more {thing}s have the like"),
    }
}

/// Joins what repairs each: only where all have it, and of one kind.
fn joined(first: &Finding, others: &[Told]) -> Option<Fix> {
    let mut commands: Vec<&str> = Vec::new();
    let mut patches = String::new();
    let all = others.iter().map(|other| other.finding.fix.as_ref());
    for fix in std::iter::once(first.fix.as_ref()).chain(all) {
        match fix? {
            Fix::Command { command } if patches.is_empty() => {
                if !commands.contains(&command.as_str()) {
                    commands.push(command);
                }
            }
            Fix::Patch { patch } if commands.is_empty() => patches.push_str(patch),
            Fix::Command { .. } | Fix::Patch { .. } => return None,
        }
    }
    if commands.is_empty() {
        return Some(Fix::Patch { patch: patches });
    }
    let command = commands.join(" && ");
    (command.chars().count() <= MAX_COMMAND_CHARS).then_some(Fix::Command { command })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Confidence, Severity};
    use crate::identity::identities;
    use crate::identity::tests::finding;

    fn told(findings: Vec<Finding>) -> Vec<Told> {
        let names = identities(&findings);
        let told = findings.into_iter().zip(names);
        told.map(|(finding, identity)| Told {
            identity,
            finding,
            is_new: None,
            joined: Vec::new(),
        })
        .collect()
    }

    #[test]
    fn a_call_that_was_copied_into_five_scripts_is_told_once() {
        let all = (0..5)
            .map(|at| {
                let path = format!("scripts/{at}.py");
                let title = format!("{path} calls load, which needs `symbol`");
                finding("wrong-arguments", &title, &path, at + 1)
            })
            .chain([finding(
                "wrong-arguments",
                "bot.py calls save, which needs `symbol`",
                "bot.py",
                1,
            )])
            .collect();
        let all = told(all);
        let alone: Vec<_> = all.iter().map(|one| one.identity.clone()).collect();
        let joined = join(all);
        assert_eq!(joined.len(), 2);
        assert_eq!(
            joined[0].finding.title,
            "scripts/0.py calls load, which needs `symbol`; 4 more files have the like"
        );
        assert_eq!(joined[0].finding.evidence.len(), 5);
        let parts: Vec<_> = joined[0].parts().map(|part| part.identity).collect();
        assert_eq!(parts, alone[..5]);
        assert_eq!(joined[1].parts().count(), 1);
    }

    #[test]
    fn a_group_is_as_bad_as_its_worst_and_as_sure_as_its_least() {
        let mut all = vec![
            finding("no-timeout", "a.py waits for ever", "a.py", 1),
            finding("no-timeout", "b.py waits for ever", "b.py", 1),
        ];
        all[0].confidence = Confidence::Likely;
        all[0].severity = Severity::Medium;
        let joined = join(told(all));
        let finding = &joined[0].finding;
        assert_eq!(
            (finding.severity, finding.confidence),
            (Severity::High, Confidence::Likely)
        );
        assert!(finding.title.ends_with("; 1 more file has the like"));
    }

    #[test]
    fn credentials_are_told_one_by_one() {
        let all = vec![
            finding("secret-in-head", "a.py:1 holds a credential", "a.py", 1),
            finding("secret-in-head", "b.py:1 holds a credential", "b.py", 1),
        ];
        assert_eq!(join(told(all)).len(), 2);
    }

    #[test]
    fn what_many_files_have_is_told_once() {
        let unbound = |at: usize| {
            let title = format!("bot/{at}.py: line 3 reads `x{at}`");
            finding("unbound-name", &title, &format!("bot/{at}.py"), 1)
        };
        let mut all: Vec<Finding> = (0..30).map(unbound).collect();
        all.push(finding("syntax-error", "s", "bot/x.py", 1));
        let joined = join(told(all));
        assert_eq!(joined.len(), 2);
        let one = &joined[0].finding;
        assert!(one.title.contains("29 more files"), "{}", one.title);
        assert_eq!(one.evidence.len(), MAX_EVIDENCE + 1);
        assert_eq!(joined[0].parts().count(), 30);
        let few = join(told((0..3).map(unbound).collect()));
        assert_eq!(few.len(), 3);
    }

    #[test]
    fn commands_are_joined_where_every_place_has_one() {
        let env = |path: &str| {
            let mut one = finding("env-tracked", &format!("{path} is tracked"), path, 1);
            one.command(format!("git rm --cached {path}"));
            one
        };
        let joined = join(told(vec![env("a.env"), env("b.env")]));
        let command = "git rm --cached a.env && git rm --cached b.env".to_owned();
        assert_eq!(joined[0].finding.fix, Some(Fix::Command { command }));
        let mut without = env("b.env");
        without.fix = None;
        let joined = join(told(vec![env("a.env"), without]));
        assert_eq!(joined[0].finding.fix, None);
    }
}
