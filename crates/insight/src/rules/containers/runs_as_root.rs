//! Containers that run as root.

use tradewind_repo::project::dockerfile::{Dockerfile, Image};

use crate::finding::{Area, Confidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

/// Containers that run as root.
#[derive(Debug)]
pub struct RunsAsRoot;

const ABOUT: About = About {
    id: "runs-as-root",
    title: "Containers that run as root",
    area: Area::Containers,
    severity: Severity::Medium,
    confidence: Confidence::Likely,
    timeframe: Timeframe::Week,
    impact: "A bad package in the bot owns the keys, the mounted data and everything else in the container.",
    action: "Add a user and `USER` before CMD; `python` images need two lines.",
    after: &[],
};

impl Rule for RunsAsRoot {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let mut places = Vec::new();
        for file in super::services(context) {
            let shipped = file.shipped();
            let user = shipped
                .iter()
                .rev()
                .find(|instruction| instruction.keyword.as_ref() == "USER");
            let is_root =
                user.is_none_or(|user| matches!(user.rest.split(':').next(), Some("root" | "0")));
            let drops = shipped.iter().any(|instruction| {
                ["gosu", "su-exec", "setpriv", "runuser"]
                    .iter()
                    .any(|word| instruction.rest.contains(word))
            });
            if !is_root
                || drops
                || super::compose_services(context, file)
                    .iter()
                    .any(|service| service.user.is_some())
            {
                continue;
            }
            let Some((_, base)) = file.base_image() else {
                continue;
            };
            if user.is_none() && !is_root_image(base) {
                findings.not_checked(format!("{}: which user the image {base} sets", file.path));
                continue;
            }
            places.push((
                file.path.as_ref(),
                user.map_or_else(|| first_line(file), |user| user.line),
            ));
        }
        let Some((path, _)) = places.first() else {
            return;
        };
        let more = if places.len() > 1 {
            format!(" and {} more", places.len() - 1)
        } else {
            String::new()
        };
        let evidence = places
            .iter()
            .map(|(path, line)| {
                context.quote_with(path, *line, "from here on everything runs as root")
            })
            .collect();
        findings.add(format!("{path}{more}: the bot runs as root"), evidence);
    }
}

/// Official images that start as root.
const ROOT_IMAGES: &[&str] = &[
    "python",
    "node",
    "debian",
    "ubuntu",
    "alpine",
    "golang",
    "rust",
    "ruby",
    "php",
    "openjdk",
    "eclipse-temurin",
    "fedora",
    "amazonlinux",
    "continuumio/miniconda3",
    "continuumio/anaconda3",
    "condaforge/miniforge3",
    "pypy",
    "tensorflow/tensorflow",
    "pytorch/pytorch",
    "nvidia/cuda",
    "ghcr.io/astral-sh/uv",
    "mcr.microsoft.com/playwright/python",
    "buildpack-deps",
    "bitnami/minideb",
    "archlinux",
    "rockylinux",
    "centos",
    "r-base",
    "julia",
    "gcc",
    "public.ecr.aws/lambda/python",
    "amancevice/pandas",
    "tiangolo/uvicorn-gunicorn-fastapi",
    "selenium/standalone-chrome",
];
/// Those of the list above that set another user.
const OTHER_USERS: &[&str] = &["selenium/standalone-chrome"];

fn is_root_image(image: &str) -> bool {
    let Some(image) = Image::parse(image) else {
        return false;
    };
    let name = image
        .name
        .trim_start_matches("docker.io/")
        .trim_start_matches("library/");
    ROOT_IMAGES.contains(&name) && !OTHER_USERS.contains(&name)
}

/// The first line of what is shipped after its FROM.
fn first_line(file: &Dockerfile) -> u32 {
    let shipped = file.shipped();
    let from = shipped
        .iter()
        .rposition(|instruction| instruction.keyword.as_ref() == "FROM")
        .unwrap_or(0);
    shipped
        .get(from + 1)
        .or(shipped.last())
        .map_or(1, |instruction| instruction.line)
}
