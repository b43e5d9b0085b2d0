//! Messages that say nothing, or the same again and again.

use std::collections::BTreeMap;

use tradewind_repo::history::Commit;

use super::past::{self, Past};
use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

const ABOUT: About = About {
    id: "poor-messages",
    title: "Commit messages that say nothing",
    area: Area::History,
    severity: Severity::Low,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Month,
    impact: "What changed the strategy on the day it began to lose cannot be searched.",
    action: "Say what changed and why in one line; a hook can refuse the words that say nothing.",
    after: &[],
};

/// Commits that are looked at, the newest.
const WINDOW: usize = 300;
/// Fewer commits show no habit.
const MIN_COMMITS: usize = 10;
/// Messages that say nothing, in percent, from which it is a habit.
const HABIT: usize = 30;
/// The same, from which hardly anything can be searched.
const RULE: usize = 60;
/// Uses of one message from which it is a repetition.
const REPEATED: usize = 3;

/// The rule.
pub(super) struct PoorMessages;

impl Rule for PoorMessages {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let Some(past) = Past::of(context, findings) else {
            return;
        };
        let commits: Vec<&Commit> = context
            .history
            .commits
            .iter()
            .filter(|commit| commit.parents.len() == 1)
            .filter(|commit| !past::is_reviewed_or_made(past.history, commit))
            .take(WINDOW)
            .collect();
        if commits.len() < MIN_COMMITS {
            return;
        }
        let mut subjects: BTreeMap<String, Vec<&Commit>> = BTreeMap::new();
        for commit in &commits {
            let subject = commit.subject().trim().to_lowercase();
            subjects.entry(subject).or_default().push(commit);
        }
        let is_poor = |commit: &&&Commit| past::says_nothing(commit) || is_default(commit);
        let poor: Vec<&Commit> = commits.iter().filter(is_poor).copied().collect();
        let percent = poor.len() * 100 / commits.len();
        if percent < HABIT {
            return;
        }
        let mut repeated: Vec<(&String, &Vec<&Commit>)> = subjects
            .iter()
            .filter(|(_, commits)| commits.len() >= REPEATED)
            .collect();
        repeated.sort_by_key(|(subject, commits)| (std::cmp::Reverse(commits.len()), *subject));
        let mut evidence = vec![Evidence::repository(format!(
            "{} of the last {} messages say nothing ({percent} %)",
            poor.len(),
            commits.len()
        ))];
        for (subject, commits) in repeated.iter().take(5) {
            if let Some(newest) = commits.first() {
                let text = if subject.is_empty() {
                    "no message"
                } else {
                    subject
                };
                let text: String = text.chars().take(60).collect();
                let note = format!("\"{text}\" is used {} times", commits.len());
                evidence.push(Evidence::commit(newest.id, note));
            }
        }
        let told = poor.iter().take(10).filter(|commit| {
            let subject = commit.subject().trim().to_lowercase();
            !repeated.iter().any(|(known, _)| **known == subject)
        });
        evidence.extend(told.map(|commit| Evidence::commit(commit.id, past::dated(commit))));
        let most = repeated
            .first()
            .map_or(String::new(), |(subject, commits)| {
                let subject: String = subject.chars().take(40).collect();
                format!(", \"{subject}\" alone {} times", commits.len())
            });
        let title = format!(
            "{} of {} commit messages say nothing{most}",
            poor.len(),
            commits.len()
        );
        let finding = findings.add(title, past::bounded(evidence));
        if percent >= RULE {
            finding.severity = Severity::Medium;
        }
    }
}

/// Says whether a message only names the file, as a forge fills it in: `Update bot.py`.
fn is_default(commit: &Commit) -> bool {
    if commit.message.lines().count() > 1 {
        return false;
    }
    let words: Vec<&str> = commit.subject().split_whitespace().collect();
    match words.as_slice() {
        ["Update" | "Create", name] => {
            name.contains('.') && past::purpose(name) != past::Purpose::Documents
        }
        ["Add", "files", "via", "upload"] => true,
        _ => false,
    }
}
