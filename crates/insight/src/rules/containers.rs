//! Images and compose files.

pub mod compose_no_restart;
pub mod copy_missing;
pub mod dropped_deployment_files;
pub mod end_of_life_python;
pub mod healthcheck_cannot_fail;
pub mod image_python_contradiction;
pub mod latest_image;
pub mod missing_dockerignore;
pub mod no_healthcheck;
pub mod port_nothing_serves;
pub mod runs_as_root;
pub mod shell_form_cmd;

use tradewind_repo::project::compose::{Compose, Service};
use tradewind_repo::project::dockerfile::{Dockerfile, Instruction};
use tradewind_repo::project::requirement::join;

use crate::quotes::is_shelved;
use crate::rule::{Context, Rule};

/// Rules over the whole repository.
pub const RULES: &[&dyn Rule] = &[
    &compose_no_restart::ComposeNoRestart,
    &copy_missing::CopyMissing,
    &dropped_deployment_files::DroppedDeploymentFiles,
    &end_of_life_python::EndOfLifePython,
    &healthcheck_cannot_fail::HealthcheckCannotFail,
    &image_python_contradiction::ImagePythonContradiction,
    &latest_image::LatestImage,
    &missing_dockerignore::MissingDockerignore,
    &no_healthcheck::NoHealthcheck,
    &port_nothing_serves::PortNothingServes,
    &runs_as_root::RunsAsRoot,
    &shell_form_cmd::ShellFormCmd,
];

/// Says whether a file is for development, tests or CI only, by its path.
fn is_for_development(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    // Of an editor or an agent: `.devcontainer`, `.cursor`.
    let is_hidden = |part: &str| part.starts_with('.') && !matches!(part, "." | "..");
    path.split('/').rev().skip(1).any(is_hidden)
        || path.split('/').any(|part| {
            matches!(
                part,
                "test" | "tests" | "testing" | "examples" | "example" | "ci" | "dev"
            )
        })
        || path.rsplit('/').next().is_some_and(|name| {
            ["test", "dev", "lint", "docs"]
                .iter()
                .any(|word| name.contains(word))
        })
}

/// Dockerfiles that start something, those for development left out.
fn services<'a>(context: &Context<'a>) -> Vec<&'a Dockerfile> {
    let files = context.project.dockerfiles.iter();
    files
        .filter(|file| {
            !is_for_development(&file.path) && !is_shelved(&file.path) && start_of(file).is_some()
        })
        .collect()
}

/// The instruction that says what the container starts: ENTRYPOINT before CMD, the last of each.
fn start_of(file: &Dockerfile) -> Option<&Instruction> {
    let shipped = file.shipped();
    let last = |keyword: &str| {
        shipped
            .iter()
            .rev()
            .find(|instruction| instruction.keyword.as_ref() == keyword)
            .copied()
    };
    last("ENTRYPOINT").or_else(|| last("CMD"))
}

/// The Dockerfile that a service builds.
fn built_by<'a>(
    context: &Context<'a>,
    compose: &Compose,
    service: &Service,
) -> Option<&'a Dockerfile> {
    let build = service.build.as_ref()?;
    let folder = compose
        .path
        .rsplit_once('/')
        .map_or("", |(folder, _)| folder);
    let file = build
        .dockerfile
        .as_ref()
        .map_or("Dockerfile", |file| &file.value);
    let path = join(&join(folder, &build.context)?, file)?;
    context
        .project
        .dockerfiles
        .iter()
        .find(|file| *file.path == *path)
}

/// Services that build a Dockerfile, with their compose file.
pub(crate) fn compose_of<'a>(
    context: &Context<'a>,
    file: &Dockerfile,
) -> Vec<(&'a Compose, &'a Service)> {
    let all = context.project.compose.iter().flat_map(|compose| {
        compose
            .services
            .iter()
            .map(move |service| (compose, service))
    });
    all.filter(|(compose, service)| {
        built_by(context, compose, service).is_some_and(|built| built.path == file.path)
    })
    .collect()
}

/// The same without their files.
fn compose_services<'a>(context: &Context<'a>, file: &Dockerfile) -> Vec<&'a Service> {
    compose_of(context, file)
        .into_iter()
        .map(|(_, service)| service)
        .collect()
}

/// Says whether something else than Docker starts the containers.
fn is_orchestrated(context: &Context<'_>) -> bool {
    context.tree.tracked().any(|file| {
        matches!(
            file.path.as_ref(),
            "fly.toml"
                | "render.yaml"
                | "app.yaml"
                | "railway.json"
                | "railway.toml"
                | "heroku.yml"
        ) || file.path.split('/').any(|part| {
            matches!(
                part,
                "k8s" | "kubernetes" | "helm" | "charts" | "nomad" | "kustomize"
            )
        }) || file.path.ends_with("Chart.yaml")
    })
}
