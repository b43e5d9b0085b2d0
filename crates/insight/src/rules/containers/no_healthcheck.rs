//! Images without a health check.

use tradewind_repo::project::dockerfile::Dockerfile;

use crate::finding::{Area, Confidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

/// Images without a health check.
#[derive(Debug)]
pub struct NoHealthcheck;

const ABOUT: About = About {
    id: "no-healthcheck",
    title: "Images without a health check",
    area: Area::Containers,
    severity: Severity::Medium,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Week,
    impact: "A loop that hangs counts as running while prices move; nothing restarts it and nobody is told.",
    action: "Add a `HEALTHCHECK` that asks whether the last poll is young enough.",
    after: &[],
};

impl Rule for NoHealthcheck {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let lacks = |file: &&&Dockerfile| {
            let shipped = file.shipped();
            let check = shipped
                .iter()
                .rev()
                .find(|instruction| instruction.keyword.as_ref() == "HEALTHCHECK");
            let services = super::compose_services(context, file);
            check.is_none_or(|check| check.rest.trim().eq_ignore_ascii_case("none"))
                && !services.iter().any(|service| service.healthcheck.is_some())
        };
        // A server of pages or notebooks is missed by whoever looks at it.
        let is_for_people = |file: &&Dockerfile| {
            super::start_of(file).is_some_and(|start| {
                [
                    "nginx",
                    "httpd",
                    "apache",
                    "caddy",
                    "notebook",
                    "jupyter",
                    "mkdocs",
                    "http.server",
                ]
                .iter()
                .any(|word| start.rest.contains(word))
            })
        };
        // What runs once and ends needs nobody to ask whether it lives.
        let ends = |file: &&Dockerfile| {
            let starts = ["ENTRYPOINT", "CMD"];
            let shipped = file.shipped();
            let mut given = shipped
                .iter()
                .filter(|instruction| starts.contains(&instruction.keyword.as_ref()));
            let is_bare = |rest: &str| {
                let word = rest.trim_matches(|c: char| !c.is_alphanumeric());
                ["python", "python3", "bash", "sh"].contains(&word)
            };
            // An interpreter alone is a tool that somebody gives a program to.
            if given.clone().count() > 0 && given.clone().all(|i| is_bare(&i.rest)) {
                return true;
            }
            given.any(|instruction| {
                ["--once", "--help", "--dry-run", "--version"]
                    .iter()
                    .any(|word| instruction.rest.contains(word))
            })
        };
        let mut files = super::services(context);
        files.retain(|file| !ends(file) && !is_for_people(file) && !is_a_job(context, file));
        let files: Vec<&Dockerfile> = files.iter().filter(lacks).copied().collect();
        let Some(first) = files.first() else { return };
        if super::is_orchestrated(context) {
            findings.not_checked("health checks of images: another system starts them (Kubernetes, Nomad, Fly, …) and has checks of its own");
            return;
        }
        let more = if files.len() > 1 {
            format!(" and {} more", files.len() - 1)
        } else {
            String::new()
        };
        let evidence = files
            .iter()
            .filter_map(|file| {
                Some(context.quote_with(
                    &file.path,
                    super::start_of(file)?.line,
                    "started, and never asked again whether it lives",
                ))
            })
            .collect();
        let is_service = files
            .iter()
            .any(|file| !super::compose_services(context, file).is_empty());
        let finding = findings.add(
            format!("{}{more}: nothing notices a bot that hangs", first.path),
            evidence,
        );
        // That it is to run for long is known where a compose file keeps it up; any other image may be a job.
        if is_service {
            finding.confidence = Confidence::Likely;
        }
    }
}

/// Says whether a scheduler starts an image and it ends by itself: a comment on it says so.
fn is_a_job(context: &Context<'_>, file: &Dockerfile) -> bool {
    let text = context.tree.text(&file.path).unwrap_or_default();
    let comments = text
        .lines()
        .filter(|line| line.trim_start().starts_with('#'))
        .map(str::to_lowercase);
    let says = |line: String| {
        [
            "one-shot",
            "oneshot",
            "runs once",
            "and exits",
            "batch job",
            "cron job",
            "run job",
        ]
        .iter()
        .any(|words| line.contains(words))
    };
    comments.into_iter().any(says)
}
