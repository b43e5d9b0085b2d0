//! Workflows that overtake themselves.

use tradewind_repo::project::data::Node;
use tradewind_repo::project::workflow::{Forge, Job, Step, Workflow};

use crate::finding::{Area, Confidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};
use crate::rules::tests::live_test;

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
        let live = live_test::asking(context);
        // Tests that run twice are a matter of taste, unless each run costs something.
        let costs = |workflow: &Workflow| {
            starts_twice(workflow) || !live.is_empty() && starts_on_any_branch(workflow)
        };
        let lacks = |workflow: &&Workflow| {
            workflow.forge == Forge::GitHub
                && !super::is_scan(workflow)
                && workflow.concurrency.is_none()
                && workflow.jobs.iter().any(|job| job.concurrency.is_none())
                && ["push", "pull_request"]
                    .iter()
                    .any(|name| workflow.is_started_by(name))
                // A tag is pushed once; one test job that runs twice costs a minute. Nobody acts on either.
                && !only_tags(workflow)
                && (deploys(workflow) || is_many(workflow) && costs(workflow))
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
                let words = if self::deploys(workflow) {
                    "no concurrency group"
                } else if starts_twice(workflow) {
                    "no concurrency group, and a push to a pull request starts it twice"
                } else {
                    "no concurrency group, and its tests ask live services"
                };
                let at = workflow.jobs.first().map_or(1, |job| job.line);
                context.quote_with(&workflow.path, at, words)
            })
            .collect();
        let finding = findings.add(title, evidence);
        if deploys.is_some() {
            finding.severity = Severity::Medium;
        } else if let Some((path, _)) = live.first() {
            finding.impact = format!(
                "Each push starts all jobs anew beside those of the push before, and {path} asks a live service: \
                 runs that nobody waits for any more spend its quota."
            );
        } else {
            finding.impact = String::from(
                "Each push to a pull request starts all jobs twice, beside those of the push before: \
                 the minutes of the month go twice as fast, and the last result comes last.",
            );
        }
    }
}

/// Says whether a job runs many times for each start; an axis with one value does not multiply.
fn is_many(workflow: &Workflow) -> bool {
    let runs = |job: &Job| {
        let axes = job.matrix.iter();
        let runs = axes.map(|(_, values)| values.items().len().max(1));
        runs.product::<usize>()
    };
    let mut jobs = workflow.jobs.iter();
    jobs.any(|job| job.concurrency.is_none() && runs(job) >= MANY_RUNS)
}

/// Says whether a push to the branch of a pull request starts it for the push and for the pull request.
fn starts_twice(workflow: &Workflow) -> bool {
    let is_narrowed = |what: &Node| {
        ["branches", "branches-ignore", "tags", "paths"]
            .iter()
            .any(|key| what.get(key).is_some())
    };
    let mut triggers = workflow.triggers.iter();
    let any_push =
        triggers.any(|(trigger, what)| trigger.value.as_ref() == "push" && !is_narrowed(what));
    any_push && workflow.is_started_by("pull_request")
}

/// Fewer runs are over before anybody minds.
const MANY_RUNS: usize = 3;

/// Says whether each push to a branch under work starts it again.
fn starts_on_any_branch(workflow: &Workflow) -> bool {
    workflow.triggers.iter().any(|(trigger, what)| {
        let is_narrowed = ["branches", "tags", "paths"]
            .iter()
            .any(|key| what.get(key).is_some());
        match trigger.value.as_ref() {
            "pull_request" => true,
            "push" => !is_narrowed,
            _ => false,
        }
    })
}

/// Says whether only a new tag starts it.
fn only_tags(workflow: &Workflow) -> bool {
    let mut pushes = workflow
        .triggers
        .iter()
        .filter(|(trigger, _)| matches!(trigger.value.as_ref(), "push" | "pull_request"))
        .peekable();
    pushes.peek().is_some()
        && pushes.all(|(_, what)| what.get("tags").is_some() && what.get("branches").is_none())
}

/// Says whether an image is pushed, and not only built.
fn pushes(step: &Step) -> bool {
    step.given("push")
        .and_then(|push| push.text())
        .is_some_and(|push| push.trim() != "false")
}

/// Says whether a workflow changes something that runs.
pub(in crate::rules) fn deploys(workflow: &Workflow) -> bool {
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
    // A job that only a tag or a release starts does not overtake itself.
    let is_of_tag = |job: &&Job| {
        job.condition.as_ref().is_some_and(|condition| {
            ["refs/tags", "ref_type", "release"]
                .iter()
                .any(|word| condition.value.contains(word))
        })
    };
    workflow
        .jobs
        .iter()
        .filter(|job| !is_of_tag(job))
        .any(|job| {
            job.id.to_ascii_lowercase().starts_with("deploy")
                || job.steps.iter().any(|step| {
                    let runs = step.run.as_ref().is_some_and(|run| {
                        COMMANDS.iter().any(|command| run.value.contains(command))
                    });
                    runs || step.action().is_some_and(|action| {
                        action.contains("ssh-action")
                            || action.contains("deploy")
                            || action.starts_with("docker/build-push-action") && pushes(step)
                            || action.starts_with("pypa/gh-action-pypi-publish")
                            || action.contains("git-auto-commit")
                    })
                })
        })
}
