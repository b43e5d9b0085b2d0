//! Services that nobody restarts.

use tradewind_repo::project::compose::{Compose, Service, Started};

use crate::finding::{Area, Confidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

/// Services that nobody restarts.
#[derive(Debug)]
pub struct ComposeNoRestart;

const ABOUT: About = About {
    id: "compose-no-restart",
    title: "Services that nobody restarts",
    area: Area::Containers,
    severity: Severity::Medium,
    confidence: Confidence::Likely,
    timeframe: Timeframe::Week,
    impact: "After a reboot at night or a crash nobody trades and nobody is told.",
    action: "Add `restart: unless-stopped` and a `healthcheck`.",
    after: &[],
};

impl Rule for ComposeNoRestart {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        for compose in context.project.compose.iter().filter(|compose| {
            is_deployed(&compose.path) && !is_a_tool(compose) && !is_laid_over(context, compose)
        }) {
            let left: Vec<&Service> = compose
                .services
                .iter()
                .filter(|service| lacks(service) && !is_a_trial(context, compose, service))
                .collect();
            let Some(first) = left.first() else { continue };
            let more = if left.len() > 1 {
                format!(" and {} more", left.len() - 1)
            } else {
                String::new()
            };
            let title = format!("{}: nothing restarts {}{more}", compose.path, first.name);
            let evidence = left
                .iter()
                .map(|service| {
                    let words = if has_check(context, compose, service) {
                        "no restart"
                    } else {
                        "no restart, no healthcheck"
                    };
                    context.quote_with(&compose.path, service.line, words)
                })
                .collect();
            findings.add(title, evidence);
        }
    }
}

/// Words in the name or command of services that run once.
const ONCE: &[&str] = &[
    "migrat", "init", "test", "backtest", "download", "setup", "seed", "train", "alembic", "lint",
    "build", "notebook", "jupyter",
];

fn is_deployed(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    !super::is_for_development(path)
        && !["override", "local", "debug", "ci.", "base", "build"]
            .iter()
            .any(|word| name.contains(word))
}

/// Says whether a file beside the usual one starts ready-made images alone (`docker-compose.pact.yml`): tools that
/// somebody starts for a while.
fn is_a_tool(compose: &Compose) -> bool {
    let name = compose.path.rsplit('/').next().unwrap_or(&compose.path);
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let is_usual = matches!(stem, "docker-compose" | "compose")
        || ["prod", "deploy", "live", "server"]
            .iter()
            .any(|word| stem.contains(word));
    !is_usual
        && compose
            .services
            .iter()
            .all(|service| service.build.is_none())
}

fn lacks(service: &Service) -> bool {
    let restart = service
        .restart
        .as_ref()
        .is_some_and(|restart| !matches!(restart.value.as_ref(), "no" | "false" | "none"));
    let command = match service.command.as_ref().map(|command| &command.value) {
        Some(Started::Words(words)) => words.join(" "),
        Some(Started::Line(line)) => line.to_string(),
        None => String::new(),
    };
    let is_once = ONCE
        .iter()
        .any(|word| service.name.to_ascii_lowercase().contains(word) || command.contains(word));
    !restart
        && !is_once
        && !service.is_extended
        && service.profiles.is_empty()
        && (service.build.is_some() || service.image.is_some())
}

/// Says whether a file only changes services of the one that it is laid over: those are told there.
fn is_laid_over(context: &Context<'_>, compose: &Compose) -> bool {
    let (folder, name) = compose.path.rsplit_once('/').unwrap_or(("", &compose.path));
    let is_base = |name: &str| {
        matches!(
            name,
            "docker-compose.yml" | "docker-compose.yaml" | "compose.yml" | "compose.yaml"
        )
    };
    let mut others = context.project.compose.iter();
    !is_base(name)
        && others.any(|other| {
            let (other_folder, other_name) =
                other.path.rsplit_once('/').unwrap_or(("", &other.path));
            folder == other_folder
                && is_base(other_name)
                && compose
                    .services
                    .iter()
                    .all(|service| other.services.iter().any(|base| base.name == service.name))
        })
}

/// Says whether the image that a service builds is started for a trial: nobody misses it.
fn is_a_trial(context: &Context<'_>, compose: &Compose, service: &Service) -> bool {
    service.command.is_none()
        && super::built_by(context, compose, service)
            .and_then(super::start_of)
            .is_some_and(|start| {
                ["--dry-run", "--once"]
                    .iter()
                    .any(|word| start.rest.contains(word))
            })
}

/// Says whether the service, or the Dockerfile it builds, has a health check.
fn has_check(context: &Context<'_>, compose: &Compose, service: &Service) -> bool {
    service.healthcheck.is_some()
        || super::built_by(context, compose, service).is_some_and(|file| {
            file.shipped()
                .iter()
                .any(|instruction| instruction.keyword.as_ref() == "HEALTHCHECK")
        })
}
