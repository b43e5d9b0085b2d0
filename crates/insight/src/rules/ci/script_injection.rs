//! Text of strangers put into shell scripts.

use tradewind_repo::project::workflow::{Step, Workflow};

use crate::finding::{Area, Confidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

/// Text of strangers put into shell scripts.
#[derive(Debug)]
pub struct ScriptInjection;

const ABOUT: About = About {
    id: "script-injection",
    title: "Text of strangers put into shell scripts",
    area: Area::Ci,
    severity: Severity::High,
    confidence: Confidence::Certain,
    timeframe: Timeframe::Immediate,
    impact: "Whoever writes the title of an issue or names a branch runs commands in your build, with its token and secrets.",
    action: "Hand the value over as an environment variable: `env: {TITLE: ${{ … }}}` and `\"$TITLE\"` in the script.",
    after: &[],
};

impl Rule for ScriptInjection {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let of_workflows = context.project.workflows.iter().map(|workflow| {
            let steps: Vec<&Step> = workflow.jobs.iter().flat_map(|job| &job.steps).collect();
            (workflow.path.as_ref(), steps, severity(workflow))
        });
        // Which workflows run an action, and who starts those, is not followed.
        let of_actions = context.project.actions.iter().map(|action| {
            let steps: Vec<&Step> = action.steps.iter().collect();
            (action.path.as_ref(), steps, Severity::Medium)
        });
        for (path, steps, severity) in of_workflows.chain(of_actions) {
            let mut places = Vec::new();
            for step in steps {
                let script = step
                    .given("script")
                    .filter(|_| step.action().as_deref() == Some("actions/github-script"));
                let script = script.and_then(|node| Some((node.line, node.text()?)));
                let run = step.run.as_ref().map(|run| (run.line, run.value.as_ref()));
                for (line, text) in [run, script].into_iter().flatten() {
                    for (line, text) in (line..).zip(text.lines()) {
                        if let Some(expression) = hostile(text) {
                            places.push((line, expression));
                        }
                    }
                }
            }
            let Some((_, expression)) = places.first() else {
                continue;
            };
            let title = format!("{path} runs `{expression}` as a part of a script");
            let evidence = places
                .iter()
                .map(|(line, _)| context.quote(path, *line))
                .collect();
            findings.add(title, evidence).severity = severity;
        }
    }
}

/// Ends of expressions whose text an outsider chooses.
const HOSTILE: &[&str] = &[
    "github.event.issue.title",
    "github.event.issue.body",
    "github.event.pull_request.title",
    "github.event.pull_request.body",
    "github.event.pull_request.head.ref",
    "github.event.pull_request.head.label",
    "github.event.pull_request.head.repo.default_branch",
    "github.event.comment.body",
    "github.event.review.body",
    "github.event.review_comment.body",
    "github.event.discussion.title",
    "github.event.discussion.body",
    "github.event.head_commit.message",
    "github.event.head_commit.author.email",
    "github.event.head_commit.author.name",
    "github.event.workflow_run.head_branch",
    "github.event.workflow_run.head_commit.message",
    "github.head_ref",
];

/// Returns the first hostile expression of a line. Inside a function such as `contains(…)` the text itself is
/// not put in.
fn hostile(line: &str) -> Option<String> {
    let mut rest = line;
    while let Some((_, after)) = rest.split_once("${{") {
        let (inside, behind) = after.split_once("}}").unwrap_or((after, ""));
        let inside = inside.trim();
        if HOSTILE
            .iter()
            .any(|known| inside.eq_ignore_ascii_case(known))
        {
            return Some(inside.to_owned());
        }
        rest = behind;
    }
    None
}

/// Runs that outsiders start and that hold secrets are the worst; a push needs the right to push.
fn severity(workflow: &Workflow) -> Severity {
    let started = |names: &[&str]| names.iter().any(|name| workflow.is_started_by(name));
    if started(&[
        "issues",
        "issue_comment",
        "pull_request_target",
        "discussion",
        "discussion_comment",
        "workflow_run",
    ]) {
        Severity::Critical
    } else if started(&[
        "pull_request",
        "pull_request_review",
        "pull_request_review_comment",
    ]) {
        Severity::High
    } else {
        Severity::Medium
    }
}
