//! Tests that do not run on pull requests.

use tradewind_repo::project::workflow::{Forge, Workflow};

use crate::finding::{Area, Confidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

/// Tests that do not run on pull requests.
#[derive(Debug)]
pub struct NoPullRequestTrigger;

const ABOUT: About = About {
    id: "no-pull-request-trigger",
    title: "Tests that do not run on pull requests",
    area: Area::Ci,
    severity: Severity::Medium,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Week,
    impact: "Changes are merged untested into a program that trades: a push to a fork starts nothing here.",
    action: "Add `pull_request:` to the triggers of the workflow that tests.",
    after: &[],
};

impl Rule for NoPullRequestTrigger {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let workflows = &context.project.workflows;
        let reacts = |workflow: &Workflow| {
            workflow.forge == Forge::GitLab
                || [
                    "pull_request",
                    "pull_request_target",
                    "merge_group",
                    "workflow_run",
                ]
                .iter()
                .any(|name| workflow.is_started_by(name))
        };
        if workflows.iter().any(reacts) || !context.project.other_ci.is_empty() {
            return;
        }
        let tests = workflows
            .iter()
            .find(|workflow| workflow.is_started_by("push") && checks(workflow));
        let Some(workflow) = tests else { return };
        let evidence = context.quote_with(
            &workflow.path,
            workflow.on_line,
            "no pull_request among the triggers",
        );
        findings.add(
            format!("{} does not run on pull requests", workflow.path),
            vec![evidence],
        );
    }
}

/// Says whether some step tests or checks code.
fn checks(workflow: &Workflow) -> bool {
    const WORDS: &[&str] = &[
        "pytest",
        "unittest",
        "tox",
        "nox",
        "ruff",
        "flake8",
        "mypy",
        "make test",
        "npm test",
        "cargo test",
        "go test",
        "pylint",
        "coverage",
    ];
    let scripts = workflow
        .jobs
        .iter()
        .flat_map(|job| &job.steps)
        .filter_map(|step| step.run.as_ref());
    scripts
        .into_iter()
        .any(|run| WORDS.iter().any(|word| run.value.contains(word)))
}
