//! Jobs without a time limit.

use tradewind_repo::project::workflow::{Forge, Job, Workflow};

use crate::finding::{Area, Confidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};
use crate::rules::ci::missing_concurrency::deploys;
use crate::rules::tests::live_test;

/// Jobs without a time limit.
#[derive(Debug)]
pub struct MissingTimeout;

const ABOUT: About = About {
    id: "missing-timeout",
    title: "Jobs without a time limit",
    area: Area::Ci,
    severity: Severity::Low,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Month,
    impact: "A job that hangs runs for six hours, blocks what waits for it and uses up the minutes of the month.",
    action: "Write `timeout-minutes: 10` (or twice what the job usually takes) beside `runs-on`.",
    after: &[],
};

impl Rule for MissingTimeout {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        // Linters and tests of one's own end by themselves; what asks others may wait for them.
        let asks = !live_test::asking(context).is_empty();
        let mut places = Vec::new();
        for workflow in context
            .project
            .workflows
            .iter()
            .filter(|workflow| workflow.forge == Forge::GitHub && !super::is_scan(workflow))
            .filter(|workflow| asks || !is_a_check(workflow))
            .filter(|workflow| !super::is_never_started(workflow))
        {
            let jobs: Vec<&Job> = workflow
                .jobs
                .iter()
                .filter(|job| lacks(workflow, job))
                .collect();
            let Some(first) = jobs.first() else { continue };
            let words = match jobs.len() {
                1 => "no timeout-minutes: six hours are the limit".to_owned(),
                many => format!("no timeout-minutes: six hours are the limit ({many} jobs)"),
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
            1 => format!("{path} says no timeout-minutes"),
            many => format!("{many} workflows say no timeout-minutes"),
        };
        findings.add(
            title,
            places.into_iter().map(|(_, evidence)| evidence).collect(),
        );
    }
}

/// Says whether a workflow does nothing but check a change: tests and linters, started by the change itself.
fn is_a_check(workflow: &Workflow) -> bool {
    const CHECKS: &[&str] = &[
        "bandit",
        "black",
        "compileall",
        "flake8",
        "isort",
        "lint",
        "mypy",
        "npm test",
        "pip-audit",
        "pre-commit",
        "pylint",
        "pyright",
        "pytest",
        "ruff",
        "safety",
        "test",
        "tox",
        "unittest",
    ];
    let runs = || {
        let steps = workflow.jobs.iter().flat_map(|job| &job.steps);
        steps.filter_map(|step| step.run.as_ref())
    };
    !workflow.is_started_by("schedule")
        && !deploys(workflow)
        && runs().any(|run| CHECKS.iter().any(|check| run.value.contains(check)))
}

/// Says whether neither the job nor the file limits it.
fn lacks(_workflow: &Workflow, job: &Job) -> bool {
    job.timeout.is_none()
        && job.uses.is_none()
        && !job.steps.iter().all(|step| step.timeout.is_some())
}
