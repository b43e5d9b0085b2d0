//! Workflows that overtake themselves.

use tradewind_repo::project::workflow::{Forge, Workflow};

use crate::finding::{Area, Confidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

/// Workflows that overtake themselves.
#[derive(Debug)]
pub struct MissingConcurrency;

const ABOUT: About = About {
    id: "missing-concurrency",
    title: "Workflows that overtake themselves",
    area: Area::Ci,
    severity: Severity::Low,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Month,
    impact: "Two pushes in a row start two runs at once; of two deployments the older one may win.",
    action: "Write a `concurrency` group per branch; for tests with `cancel-in-progress: true`, for deployments without.",
    after: &[],
};

impl Rule for MissingConcurrency {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let lacks = |workflow: &&Workflow| {
            workflow.forge == Forge::GitHub
                && workflow.concurrency.is_none()
                && workflow.jobs.iter().any(|job| job.concurrency.is_none())
                && ["push", "pull_request"]
                    .iter()
                    .any(|name| workflow.is_started_by(name))
                // One test job that runs twice costs a minute; nobody acts on that.
                && (deploys(workflow)
                    || workflow
                        .jobs
                        .iter()
                        .any(|job| job.concurrency.is_none() && !job.matrix.is_empty()))
        };
        let workflows: Vec<&Workflow> = context.project.workflows.iter().filter(lacks).collect();
        let Some(first) = workflows.first() else {
            return;
        };
        let deploys = workflows.iter().find(|workflow| deploys(workflow));
        let title = match (deploys, workflows.len()) {
            (Some(workflow), _) => format!(
                "{} deploys, and two of its runs may do so at once",
                workflow.path
            ),
            (None, 1) => format!("{} says no concurrency", first.path),
            (None, many) => format!("{many} workflows say no concurrency"),
        };
        let mut sorted = workflows.clone();
        sorted.sort_by_key(|workflow| !self::deploys(workflow));
        let evidence = sorted
            .iter()
            .map(|workflow| {
                context.quote_with(
                    &workflow.path,
                    workflow.jobs.first().map_or(1, |job| job.line),
                    "no concurrency group",
                )
            })
            .collect();
        let finding = findings.add(title, evidence);
        if deploys.is_some() {
            finding.severity = Severity::Medium;
            finding.confidence = Confidence::Likely;
        }
    }
}

/// Says whether a workflow changes something that runs.
fn deploys(workflow: &Workflow) -> bool {
    const COMMANDS: &[&str] = &[
        "ssh ",
        "scp ",
        "rsync ",
        "docker push",
        "twine upload",
        "git push",
        "kubectl apply",
        "helm upgrade",
        "flyctl deploy",
        "fly deploy",
        "serverless deploy",
        "eb deploy",
        "gcloud run deploy",
        "git push heroku",
    ];
    workflow.jobs.iter().any(|job| {
        job.id.to_ascii_lowercase().starts_with("deploy")
            || job.steps.iter().any(|step| {
                let runs = step
                    .run
                    .as_ref()
                    .is_some_and(|run| COMMANDS.iter().any(|command| run.value.contains(command)));
                runs || step.action().is_some_and(|action| {
                    action.contains("ssh-action")
                        || action.contains("deploy")
                        || action.starts_with("docker/build-push-action")
                        || action.starts_with("pypa/gh-action-pypi-publish")
                        || action.contains("git-auto-commit")
                })
            })
    })
}
