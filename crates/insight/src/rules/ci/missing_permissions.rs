//! Workflows that do not limit their token.

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
        for workflow in context
            .project
            .workflows
            .iter()
            .filter(|workflow| workflow.forge == Forge::GitHub)
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

/// Says whether neither the job nor the file limits it.
fn lacks(workflow: &Workflow, job: &Job) -> bool {
    workflow.permissions.is_none() && job.permissions.is_none() && job.uses.is_none()
}
