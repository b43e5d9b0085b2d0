//! Runs of hurried commits that mend each other, at night or out of a long silence.
//!
//! Many small commits are no fault, and neither is work at night. Told is only what
//! a workflow deploys at each push, and has all of: one author, on the
//! main line, minutes apart, one file of the program that is touched each time, and messages that say "fix".

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use tradewind_repo::history::{Commit, PathId};

use tradewind_repo::project::workflow::Workflow;

use super::past::{self, Past, Purpose};
use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};
use crate::rules::ci::missing_concurrency::deploys;

const ABOUT: About = About {
    id: "hurried-repairs",
    title: "Hurried commits that mend each other",
    area: Area::History,
    severity: Severity::Low,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Month,
    impact: "What runs live was tried out on the main line; the next repair of this kind may be made with a position open.",
    action: "Reproduce the failure in a test, mend it on a branch, and bring one commit to the main line.",
    after: &[],
};

/// Longest pause inside a run.
const MAX_PAUSE: SignedDuration = SignedDuration::from_mins(30);
/// Commits of a run that say they mend what the ones before brought.
const MIN_REPAIRS: usize = 3;
/// Silence before a run that makes it an interruption of something else.
const SILENCE: SignedDuration = SignedDuration::from_hours(24 * 21);
/// Hours of the author's clock that count as night: from this one on, and before that one.
const NIGHT: (i64, i64) = (23, 5);
/// Words that say a commit mends something.
const MENDING: &[&str] = &[
    "again", "bugfix", "fix", "fixed", "fixes", "fixing", "forgot", "hotfix", "oops", "repair",
    "revert", "reverted", "typo", "undo",
];

/// The rule.
pub(super) struct HurriedRepairs;

/// Commits of one author, each minutes after the one before.
struct Run<'a> {
    commits: Vec<&'a Commit>,
    /// How long nothing had been committed before it; `None` for the first of all.
    silence: Option<SignedDuration>,
}

/// The file that a run mends, and the commits that touch it.
struct Mended<'a> {
    path: PathId,
    touching: Vec<&'a Commit>,
    repairs: usize,
}

impl Rule for HurriedRepairs {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        // Nights are one's own, unless each of their commits goes live by itself.
        let ships = |workflow: &&Workflow| workflow.is_started_by("push") && deploys(workflow);
        let Some(shipped) = context.project.workflows.iter().find(ships) else {
            return;
        };
        let Some(past) = Past::of(context, findings) else {
            return;
        };
        let mut told: Vec<(Run<'_>, Mended<'_>)> = runs(&past)
            .into_iter()
            .filter(|run| {
                let newest = run.commits.last();
                newest.is_some_and(|commit| past::is_recent(context, commit))
            })
            .filter_map(|run| {
                let mended = mended(&past, &run)?;
                (is_at_night(&mended) || is_out_of_silence(&run)).then_some((run, mended))
            })
            .collect();
        told.sort_by_key(|(_, mended)| std::cmp::Reverse(mended.repairs));
        let Some((run, mended)) = told.first() else {
            return;
        };
        let path = past::shown(past.history.path(mended.path));
        let when = match run.silence.filter(|_| is_out_of_silence(run)) {
            Some(silence) => format!("after {} days of silence", silence.as_hours() / 24),
            None => "at night".to_owned(),
        };
        let others = match told.len() - 1 {
            0 => String::new(),
            1 => ", and once more".to_owned(),
            more => format!(", and {more} times more"),
        };
        let title = format!(
            "{} commits within {} minutes {when}, {} of them repairs of {path}{others}",
            mended.touching.len(),
            minutes(&mended.touching),
            mended.repairs
        );
        let of_first = mended.touching.iter().map(|commit| noted(commit));
        let of_others = told.iter().skip(1).filter_map(|(_, mended)| {
            let newest = mended.touching.last()?;
            let path = past::shown(past.history.path(mended.path));
            let note = format!(
                "the last of {} commits within {} minutes to {path}",
                mended.touching.len(),
                minutes(&mended.touching)
            );
            Some(Evidence::commit(newest.id, note))
        });
        let mut evidence = past::bounded(of_first.chain(of_others).collect());
        evidence.push(context.quote_with(&shipped.path, shipped.on_line, "deploys each of them"));
        findings.add(title, evidence);
    }
}

/// Cuts the main line into runs, the oldest first.
fn runs<'a>(past: &Past<'a>) -> Vec<Run<'a>> {
    let mut runs: Vec<Run<'a>> = Vec::new();
    let mut before: Option<Timestamp> = None;
    let commits = past
        .steps
        .iter()
        .map(|step| step.commit)
        .filter(|commit| commit.is_on_main_line && commit.parents.len() <= 1);
    for commit in commits {
        if past::is_reviewed_or_made(past.history, commit) {
            continue;
        }
        let pause = before.map(|before| commit.authored_at.duration_since(before));
        before = Some(commit.authored_at);
        let continues = pause.is_some_and(|pause| pause.abs() <= MAX_PAUSE);
        match runs.last_mut() {
            Some(run)
                if continues
                    && run
                        .commits
                        .last()
                        .is_some_and(|last| last.author == commit.author) =>
            {
                run.commits.push(commit);
            }
            _ => runs.push(Run {
                commits: vec![commit],
                silence: pause,
            }),
        }
    }
    runs
}

/// Returns the file of the program that a run mends most often, if it does so often enough.
fn mended<'a>(past: &Past<'_>, run: &Run<'a>) -> Option<Mended<'a>> {
    if run.commits.len() <= MIN_REPAIRS {
        return None;
    }
    let mut touching: BTreeMap<PathId, Vec<&Commit>> = BTreeMap::new();
    for commit in &run.commits {
        for change in &commit.changes {
            let runs = matches!(
                past::purpose(past.history.path(change.path)),
                Purpose::Source
                    | Purpose::Scripts
                    | Purpose::Containers
                    | Purpose::Packaging
                    | Purpose::Settings
            );
            if runs {
                touching.entry(change.path).or_default().push(commit);
            }
        }
    }
    touching
        .into_iter()
        .map(|(path, touching)| {
            // The first one brings what the others mend.
            let later = touching.iter().skip(1);
            let repairs = later.filter(|commit| says_it_mends(commit)).count();
            Mended {
                path,
                touching,
                repairs,
            }
        })
        // A night of work has a repair here and there; told is one that is nearly nothing else.
        .filter(|mended| mended.repairs >= MIN_REPAIRS)
        .filter(|mended| mended.repairs * 4 >= (mended.touching.len() - 1) * 3)
        .max_by_key(|mended| mended.repairs)
}

fn says_it_mends(commit: &Commit) -> bool {
    commit
        .subject()
        .split(|c: char| !c.is_alphanumeric())
        .any(|word| MENDING.contains(&word.to_ascii_lowercase().as_str()))
}

fn is_at_night(mended: &Mended<'_>) -> bool {
    let (from, to) = NIGHT;
    mended.touching.iter().all(|commit| {
        let local = commit.authored_at.as_second() + i64::from(commit.authored_offset_minutes) * 60;
        let hour = local.rem_euclid(86_400) / 3_600;
        hour >= from || hour < to
    })
}

fn is_out_of_silence(run: &Run<'_>) -> bool {
    run.silence.is_some_and(|silence| silence >= SILENCE)
}

fn minutes(commits: &[&Commit]) -> i64 {
    let times = || commits.iter().map(|commit| commit.authored_at.as_second());
    let span = times().max().unwrap_or(0) - times().min().unwrap_or(0);
    (span / 60).max(1)
}

/// Quotes a commit with the time of its author's clock.
fn noted(commit: &Commit) -> Evidence {
    let seconds = i64::from(commit.authored_offset_minutes) * 60;
    let local = Timestamp::from_second(commit.authored_at.as_second().saturating_add(seconds))
        .unwrap_or(commit.authored_at);
    let note = format!(
        "{} at {}",
        past::quoted(commit),
        local.strftime("%Y-%m-%d %H:%M")
    );
    Evidence::commit(commit.id, note)
}
