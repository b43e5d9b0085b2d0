//! Repositories in which every commit goes straight to main.

use std::collections::BTreeSet;

use super::past::{self, Past};
use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

const ABOUT: About = About {
    id: "straight-to-main",
    title: "Every commit goes straight to main",
    area: Area::History,
    severity: Severity::Low,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Month,
    impact: "No check stands between a slip and the live bot: what is pushed is what the next pull starts.",
    action: "Work on a branch, let checks run on the pull request, and protect main.",
    after: &[],
};

/// Fewer commits show no habit.
const MIN_COMMITS: usize = 12;
/// A day of pushing is no habit either.
const MIN_SECONDS: i64 = 7 * 86_400;

/// The rule.
pub(super) struct StraightToMain;

impl Rule for StraightToMain {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let Some(past) = Past::of(context, findings) else {
            return;
        };
        let commits = &context.history.commits;
        if context.history.is_shallow || commits.len() < MIN_COMMITS {
            return;
        }
        let is_reviewed = commits.iter().any(|commit| {
            commit.parents.len() > 1 || past::is_reviewed_or_made(past.history, commit)
        });
        let times = || commits.iter().map(|commit| commit.committed_at.as_second());
        let span = times().max().unwrap_or(0) - times().min().unwrap_or(0);
        if is_reviewed || span < MIN_SECONDS {
            return;
        }
        let people: BTreeSet<&str> = commits
            .iter()
            .filter_map(|commit| past.history.people.get(commit.author as usize))
            .map(|person| person.email.as_ref())
            .collect();
        // Whoever works alone and has no checks has nothing that a branch would wait for.
        let project = context.project;
        if people.len() < 2 && project.workflows.is_empty() && project.other_ci.is_empty() {
            return;
        }
        let people = past::counted(people.len(), "person", "people");
        let title = format!("all {} commits went straight to main", commits.len());
        let note = format!(
            "{} commits by {people} in {} days, no merge and no pull request among them",
            commits.len(),
            span / 86_400
        );
        let mut evidence = vec![Evidence::repository(note)];
        let newest = commits.first();
        evidence.extend(newest.map(|commit| Evidence::commit(commit.id, past::dated(commit))));
        findings.add(title, evidence);
    }
}
