//! Workflows that do not limit their token.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use tradewind_repo::project::workflow::{Forge, Job, Workflow};

use crate::finding::{Area, Confidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

/// Workflows that do not limit their token.
#[derive(Debug)]
pub struct MissingPermissions;

const ABOUT: About = About {
    id: "missing-permissions",
    title: "Workflows that do not limit their token",
    area: Area::Ci,
    severity: Severity::Low,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Month,
    impact: "The job token may write to the repository, unless a setting elsewhere forbids it: one bad dependency can push, release or delete.",
    action: "Write `permissions: {contents: read}` at the top of the workflow and give more only to the job that needs it.",
    after: &[],
};

impl Rule for MissingPermissions {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let mut places = Vec::new();
        // Where the forge's own setting is read-only, a workflow that says nothing gives nothing away, unless it
        // runs what anybody may have put into a branch since.
        let is_open = is_older_than_the_safe_setting(context);
        for workflow in context
            .project
            .workflows
            .iter()
            .filter(|workflow| workflow.forge == Forge::GitHub)
            .filter(|workflow| {
                is_open && runs_a_foreign_action(workflow) || runs_a_foreign_branch(workflow)
            })
        {
            let jobs: Vec<&Job> = workflow
                .jobs
                .iter()
                .filter(|job| lacks(workflow, job))
                .collect();
            let Some(first) = jobs.first() else { continue };
            let words = match jobs.len() {
                1 => "no permissions, neither here nor for the whole file".to_owned(),
                many => {
                    format!("no permissions, neither here nor for the whole file ({many} jobs)")
                }
            };
            places.push((
                workflow.path.as_ref(),
                context.quote_with(&workflow.path, first.line, &words),
            ));
        }
        let Some((path, _)) = places.first() else {
            return;
        };
        let title = match places.len() {
            1 => format!("{path} says no permissions"),
            many => format!("{many} workflows say no permissions"),
        };
        findings.add(
            title,
            places.into_iter().map(|(_, evidence)| evidence).collect(),
        );
    }
}

/// From this day on the token of a new repository may only read, unless its owner allows more.
const SAFE_SINCE: Date = Date::constant(2023, 2, 2);

/// Says whether the repository may be older than the forge's safe setting.
fn is_older_than_the_safe_setting(context: &Context<'_>) -> bool {
    let first = context.history.commits.last();
    first.is_some_and(|commit| {
        let day = commit.committed_at.to_zoned(TimeZone::UTC).date();
        day < SAFE_SINCE && !context.history.is_shallow
    })
}

/// Says whether a workflow hands its token to an action of somebody else that a tag or branch can change.
fn runs_a_foreign_action(workflow: &Workflow) -> bool {
    let mut steps = workflow.jobs.iter().flat_map(|job| &job.steps);
    steps.any(|step| {
        let uses = step.uses.as_ref();
        let parts = uses.and_then(|uses| uses.value.split_once('@'));
        parts.is_some_and(|(name, reference)| {
            let is_hash =
                reference.len() == 40 && reference.bytes().all(|byte| byte.is_ascii_hexdigit());
            !super::unpinned_action::is_official(name) && !name.starts_with('.') && !is_hash
        })
    })
}

/// Says whether a workflow runs an action of somebody else by the name of a branch.
fn runs_a_foreign_branch(workflow: &Workflow) -> bool {
    let mut steps = workflow.jobs.iter().flat_map(|job| &job.steps);
    steps.any(|step| {
        let uses = step.uses.as_ref();
        let parts = uses.and_then(|uses| uses.value.split_once('@'));
        parts.is_some_and(|(name, reference)| {
            !super::unpinned_action::is_official(name)
                && !name.starts_with('.')
                && super::unpinned_action::is_branch(reference)
                && !reference.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    })
}

/// Says whether neither the job nor the file limits it.
fn lacks(workflow: &Workflow, job: &Job) -> bool {
    workflow.permissions.is_none() && job.permissions.is_none() && job.uses.is_none()
}
