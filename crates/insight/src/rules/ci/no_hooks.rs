//! No hooks before a commit.

use tradewind_repo::project::hooks::Installed;
use tradewind_repo::python::Code;

use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};
use crate::rules::safety::leaked;

/// No hooks before a commit.
#[derive(Debug)]
pub struct NoHooks;

const ABOUT: About = About {
    id: "no-hooks",
    title: "No hooks before a commit",
    area: Area::Ci,
    severity: Severity::Low,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Month,
    impact: "Nothing looks at a commit before it is made: keys, deletions by accident and broken files go straight into history.",
    action: "Install hooks: `tradewind hook`, or pre-commit with a few checks.",
    after: &[],
};

impl Rule for NoHooks {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn asks_for_leaks(&self) -> bool {
        true
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let project = context.project;
        if let Some(unread) = project
            .unread
            .iter()
            .find(|unread| unread.what.contains("pre-commit") || unread.what.contains("lefthook"))
        {
            findings.not_checked(format!("{}: {}", unread.what, unread.reason));
            return;
        }
        // Where nothing checks anything, that is what `no-ci` tells.
        if project.workflows.is_empty() && project.other_ci.is_empty() {
            return;
        }
        let own = match &project.installed_hooks {
            Installed::Known {
                names, hooks_path, ..
            } => hooks_path.is_some() || !names.is_empty(),
            Installed::Unknown => false,
        };
        let code = context
            .code
            .modules
            .iter()
            .filter(|module| !Code::is_test(&module.path))
            .count();
        let is_other = ["package.json", ".huskyrc", ".overcommit.yml"]
            .iter()
            .any(|path| {
                context.tree.text(path).is_some_and(|text| {
                    text.contains("husky")
                        || text.contains("simple-git-hooks")
                        || path.starts_with('.')
                })
            });
        if !project.hooks.is_empty()
            || own
            || is_other
            || code < MIN_MODULES
            || !would_help(context)
        {
            return;
        }
        let evidence = Evidence::file(
            ".pre-commit-config.yaml",
            "absent, and so are .husky, lefthook.yml and hooks in .git/hooks",
        );
        findings.add(
            "No hooks look at a commit before it is made",
            vec![evidence],
        );
    }
}

/// Says whether a hook would have spared somebody something: keys went into commits. What CI refuses as well costs a
/// minute, and whoever is content with that need not be told.
fn would_help(context: &Context<'_>) -> bool {
    let mut leaks = context.leaks.head.iter().chain(&context.leaks.history);
    leaks.any(leaked::counts)
}

/// Fewer files are a script, not a project.
const MIN_MODULES: usize = 5;
