//! CI and hooks.

pub mod end_of_life_action;
pub mod hooks_not_installed;
pub mod job_path_missing;
pub mod missing_concurrency;
pub mod missing_permissions;
pub mod missing_timeout;
pub mod no_ci;
pub mod no_hooks;
pub mod no_pull_request_trigger;
pub mod script_injection;
pub mod unpinned_action;
pub mod yaml_number_version;

use tradewind_repo::project::workflow::{Forge, Job, Step, Workflow};

use crate::rule::Rule;

/// Rules over the whole repository.
pub const RULES: &[&dyn Rule] = &[
    &end_of_life_action::EndOfLifeAction,
    &hooks_not_installed::HooksNotInstalled,
    &job_path_missing::JobPathMissing,
    &missing_concurrency::MissingConcurrency,
    &missing_permissions::MissingPermissions,
    &missing_timeout::MissingTimeout,
    &no_ci::NoCi,
    &no_hooks::NoHooks,
    &no_pull_request_trigger::NoPullRequestTrigger,
    &script_injection::ScriptInjection,
    &unpinned_action::UnpinnedAction,
    &yaml_number_version::YamlNumberVersion,
];

/// Says whether nothing starts a workflow: its `on` is commented out, and nobody mends what never runs.
fn is_never_started(workflow: &Workflow) -> bool {
    workflow.forge == Forge::GitHub && workflow.triggers.is_empty()
}

/// Says whether a workflow only has the forge scan the code: it tests nothing, deploys nothing, and keeps nobody
/// waiting.
fn is_scan(workflow: &Workflow) -> bool {
    let scans = |job: &Job| {
        let mut actions = job.steps.iter().filter_map(Step::action);
        actions.any(|action| action.starts_with("github/codeql-action/"))
    };
    !workflow.jobs.is_empty() && workflow.jobs.iter().all(scans)
}
