//! No continuous integration.

use tradewind_repo::python::Code;

use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

/// No continuous integration.
#[derive(Debug)]
pub struct NoCi;

const ABOUT: About = About {
    id: "no-ci",
    title: "No continuous integration",
    area: Area::Ci,
    severity: Severity::Medium,
    confidence: Confidence::Certain,
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
        let modules = context.code.modules.len();
        if !project.workflows.is_empty() || !project.other_ci.is_empty() || modules < MIN_MODULES {
            return;
        }
        let tests = context
            .code
            .modules
            .iter()
            .filter(|module| Code::is_test(&module.path))
            .count();
        if tests == 0 && modules < MIN_UNTESTED {
            return;
        }
        let words = match tests {
            0 => format!("absent; {modules} Python files are checked by nobody"),
            tests => format!(
                "absent; {modules} Python files, {tests} of them tests, are run by nobody but people"
            ),
        };
        findings.add(
            "No workflow tests or checks a change",
            vec![Evidence::file(".github/workflows", words)],
        );
    }
}

/// Without tests a workflow has little to run; a few scripts do not need one.
const MIN_UNTESTED: usize = 12;
/// Fewer files are a script, not a project.
const MIN_MODULES: usize = 5;
