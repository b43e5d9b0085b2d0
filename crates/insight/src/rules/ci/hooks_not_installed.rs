//! Hooks that are configured and not installed.

use tradewind_repo::project::hooks::{HookConfig, HookRunner, Installed};

use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

/// Hooks that are configured and not installed.
#[derive(Debug)]
pub struct HooksNotInstalled;

const ABOUT: About = About {
    id: "hooks-not-installed",
    title: "Hooks that are configured and not installed",
    area: Area::Ci,
    severity: Severity::Low,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Week,
    impact: "The checks that everybody believes in do not run in this clone.",
    action: "Run the command that installs them, once per clone.",
    after: &[],
};

impl Rule for HooksNotInstalled {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        if context.project.hooks.is_empty() {
            return;
        }
        let Installed::Known {
            hooks_path,
            names,
            is_worked_in,
        } = &context.project.installed_hooks
        else {
            findings.not_checked("which hooks git would start: there is no work tree");
            return;
        };
        // No clone is made with hooks; it is a mistake from the first commit on that they do not see.
        if !is_worked_in {
            findings.not_checked(
                "which hooks git would start where people work: nothing was committed in this clone",
            );
            return;
        }
        let leads_to = |path: &str| {
            let hooks_path = hooks_path.as_deref().unwrap_or("").replace('\\', "/");
            hooks_path
                .trim_end_matches('/')
                .trim_end_matches("/_")
                .trim_start_matches("./")
                == path
        };
        let runs = |config: &HookConfig| match config.runner {
            HookRunner::PreCommit | HookRunner::Lefthook => !names.is_empty(),
            HookRunner::Husky | HookRunner::Folder => leads_to(&config.path) || !names.is_empty(),
        };
        // What CI runs on every change is not lost in a clone without hooks.
        let in_ci = |runner: HookRunner| {
            let steps = context.project.workflows.iter().flat_map(|workflow| {
                let jobs = workflow.jobs.iter();
                jobs.flat_map(|job| &job.steps)
            });
            runner == HookRunner::PreCommit
                && steps.into_iter().any(|step| {
                    let runs = |text: &str| text.contains("pre-commit run");
                    step.run.as_ref().is_some_and(|run| runs(&run.value))
                        || step
                            .action()
                            .is_some_and(|action| action.starts_with("pre-commit/action"))
                })
        };
        let starts_pre_commit = starts_pre_commit(context);
        let is_told =
            |config: &HookConfig| config.runner == HookRunner::PreCommit && starts_pre_commit;
        let lacking =
            |config: &&HookConfig| !runs(config) && !in_ci(config.runner) && !is_told(config);
        for config in context.project.hooks.iter().filter(lacking) {
            let command = match config.runner {
                HookRunner::PreCommit if config.path.contains('/') => {
                    format!("pre-commit install --config {}", config.path)
                }
                HookRunner::PreCommit => "pre-commit install".to_owned(),
                HookRunner::Lefthook => "lefthook install".to_owned(),
                HookRunner::Husky => "npx husky".to_owned(),
                HookRunner::Folder => format!("git config core.hooksPath {}", config.path),
            };
            let count = config.hooks.len();
            let words = format!(
                "configures {count} hook{}, and git starts none here",
                if count == 1 { "" } else { "s" }
            );
            let title = format!(
                "{} is configured, and git runs no hook in this clone",
                config.path
            );
            let path = if config.path.starts_with('.') && config.runner != HookRunner::PreCommit {
                config
                    .hooks
                    .first()
                    .map_or(config.path.to_string(), |hook| {
                        format!("{}/{}", config.path, hook.value)
                    })
            } else {
                config.path.to_string()
            };
            findings
                .add(title, vec![Evidence::file(path, words)])
                .command(command);
        }
    }
}

/// Says whether a folder of hooks starts pre-commit: then the folder is what is to be installed.
fn starts_pre_commit(context: &Context<'_>) -> bool {
    context.project.hooks.iter().any(|config| {
        matches!(config.runner, HookRunner::Folder | HookRunner::Husky)
            && config.hooks.iter().any(|hook| {
                let path = format!("{}/{}", config.path, hook.value);
                let text = context.tree.text(&path).unwrap_or_default();
                text.contains("pre-commit run")
            })
    })
}
