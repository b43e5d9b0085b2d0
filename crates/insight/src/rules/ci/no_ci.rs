//! No continuous integration.

use tradewind_repo::project::workflow::Workflow;
use tradewind_repo::python::Code;

use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::quotes::is_shelved;
use crate::rule::{About, Context, Findings, Rule};

/// No continuous integration.
#[derive(Debug)]
pub struct NoCi;

const ABOUT: About = About {
    id: "no-ci",
    title: "No continuous integration",
    area: Area::Ci,
    severity: Severity::Medium,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Month,
    impact: "Nothing tests a change before it trades; a broken import is found by the bot, at the open.",
    action: "Add a workflow that installs the requirements and runs the tests on push and pull request.",
    after: &[],
};

impl Rule for NoCi {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let project = context.project;
        let unread = project.unread.iter().find(|unread| {
            unread.what.starts_with(".github/workflows/") || unread.what == ".gitlab-ci.yml"
        });
        if let Some(unread) = unread {
            findings.not_checked(format!("{}: {}", unread.what, unread.reason));
            return;
        }
        let live = || {
            let modules = context.code.modules.iter();
            modules.filter(|module| !is_shelved(&module.path))
        };
        let modules = live().count();
        if !project.other_ci.is_empty() || modules < MIN_MODULES {
            return;
        }
        let tests = live().filter(|module| Code::is_test(&module.path)).count();
        if let Some(first) = project.workflows.first() {
            if tests >= MIN_TESTS && !project.workflows.iter().any(may_check) {
                let words = format!("{tests} test files, and no step of any workflow starts one");
                let finding = findings.add(
                    "No workflow tests or checks a change",
                    vec![context.quote_with(&first.path, first.on_line, &words)],
                );
                finding.confidence = Confidence::Likely;
            }
            return;
        }
        if tests == 0 && modules < MIN_UNTESTED {
            return;
        }
        let words = match tests {
            0 => format!("absent; {modules} Python files are checked by nobody"),
            tests => format!(
                "absent; {modules} Python files, {tests} of them tests, are run by nobody but people"
            ),
        };
        let finding = findings.add(
            "No workflow tests or checks a change",
            vec![Evidence::file(".github/workflows", words)],
        );
        // Where there is hardly a test, what a workflow should run is a matter of opinion.
        if tests >= MIN_TESTS {
            finding.confidence = Confidence::Likely;
        }
    }
}

/// Says whether a workflow may check a change. What other files do that it starts is not looked into.
fn may_check(workflow: &Workflow) -> bool {
    const WORDS: &[&str] = &[
        "test",
        "check",
        "lint",
        "ruff",
        "flake8",
        "mypy",
        "tox",
        "nox",
        "make",
        "just ",
        "task ",
        ".sh",
        "docker",
        "compose",
        "npm",
        "uv run",
        "poetry run",
        "hatch",
        "invoke",
        "python ",
        "scan",
        "codeql",
    ];
    workflow.jobs.iter().any(|job| {
        job.uses.is_some()
            || job.steps.iter().any(|step| {
                let runs = step
                    .run
                    .as_ref()
                    .is_some_and(|run| WORDS.iter().any(|word| run.value.contains(word)));
                runs || step.action().is_some_and(|action| {
                    action.starts_with('.') || WORDS.iter().any(|word| action.contains(word))
                })
            })
    })
}

/// Fewer tests are a beginning.
const MIN_TESTS: usize = 5;
/// Without tests a workflow has little to run; a few scripts do not need one.
const MIN_UNTESTED: usize = 20;
/// Fewer files are a script, not a project.
const MIN_MODULES: usize = 5;
