//! Actions that follow a branch or tag.

use crate::finding::{Area, Confidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

/// Actions that follow a branch or tag.
#[derive(Debug)]
pub struct UnpinnedAction;

const ABOUT: About = About {
    id: "unpinned-action",
    title: "Actions that follow a branch or tag",
    area: Area::Ci,
    severity: Severity::Medium,
    confidence: Confidence::Certain,
    timeframe: Timeframe::Month,
    impact: "Whoever controls that branch or tag runs code in a build that may hold secrets.",
    action: "Pin actions to a full commit id with the version in a comment, and let a bot raise it.",
    after: &[],
};

impl Rule for UnpinnedAction {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let mut places = Vec::new();
        let of_jobs = context.project.workflows.iter().flat_map(|workflow| {
            let jobs = workflow.jobs.iter().filter_map(|job| job.uses.as_ref());
            jobs.map(|uses| (workflow.path.as_ref(), uses))
        });
        let of_steps = context.project.steps();
        let of_steps = of_steps.filter_map(|(path, step)| Some((path, step.uses.as_ref()?)));
        for (path, uses) in of_jobs.chain(of_steps) {
            let Some((name, reference)) = uses.value.split_once('@') else {
                continue;
            };
            let is_local = name.starts_with('.') || name.starts_with("docker:");
            let is_commit =
                reference.len() >= 40 && reference.bytes().all(|byte| byte.is_ascii_hexdigit());
            if is_local || is_commit || reference.contains("${{") {
                continue;
            }
            let danger = match (is_branch(reference), is_official(name)) {
                (true, false) => 0,
                (false, false) => 1,
                (true, true) => 2,
                (false, true) => 3,
            };
            places.push((danger, path, uses.line, uses.value.as_ref()));
        }
        places.sort_unstable();
        let Some((worst, _, _, first)) = places.first().copied() else {
            return;
        };
        // Versions of the forge's own actions: whoever could move them owns the machines as well.
        if worst == 3 {
            return;
        }
        // Beside the actions of others, the forge's own are not worth a line.
        places.retain(|(danger, ..)| *danger < 3);
        let others = places.len() - 1;
        let more = if others > 0 {
            format!(" and {others} more")
        } else {
            String::new()
        };
        let what = if worst == 0 || worst == 2 {
            "a branch"
        } else {
            "a tag"
        };
        let evidence = places
            .iter()
            .map(|(_, path, line, _)| context.quote(path, *line))
            .collect();
        let finding = findings.add(
            format!("{first}{more}: the build runs what {what} points at today"),
            evidence,
        );
        finding.severity = match worst {
            0 => Severity::High,
            1 => Severity::Medium,
            _ => Severity::Low,
        };
    }
}

/// Anything that does not look like a version is taken for a branch.
pub(super) fn is_branch(reference: &str) -> bool {
    let version = reference.trim_start_matches(['v', 'V']);
    !version.starts_with(|c: char| c.is_ascii_digit()) && !reference.contains("/v")
}

/// Says whether the action belongs to GitHub itself.
pub(super) fn is_official(name: &str) -> bool {
    ["actions/", "github/"]
        .iter()
        .any(|owner| name.to_ascii_lowercase().starts_with(owner))
}
