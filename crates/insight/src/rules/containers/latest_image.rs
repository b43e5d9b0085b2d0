//! Images without a fixed version.

use tradewind_repo::project::dockerfile::{Dockerfile, Image};

use crate::finding::{Area, Confidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

/// Images without a fixed version.
#[derive(Debug)]
pub struct LatestImage;

const ABOUT: About = About {
    id: "latest-image",
    title: "Images without a fixed version",
    area: Area::Containers,
    severity: Severity::Medium,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Week,
    impact: "A rebuild on release day changes what lies under the strategy, and nobody decided so.",
    action: "Name the version, better with its digest: `python:3.12-slim@sha256:…`.",
    after: &[],
};

/// Images of tools that only show what others keep.
const VIEWERS: &[&str] = &[
    "adminer",
    "dbgate",
    "dozzle",
    "flower",
    "mailhog",
    "mongo-express",
    "pgadmin4",
    "phpmyadmin",
    "portainer",
    "redis-commander",
    "redisinsight",
    "watchtower",
];

impl Rule for LatestImage {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let is_loose = |name: &str| {
            Image::parse(name).is_some_and(|image| {
                let last = image.name.rsplit('/').next().unwrap_or_default();
                // Pages to look at a database with: nothing is built on them.
                !VIEWERS.contains(&last)
                    && image.digest.is_none()
                    && image.tag.as_deref().is_none_or(|tag| tag == "latest")
            })
        };
        let mut places = Vec::new();
        for file in context
            .project
            .dockerfiles
            .iter()
            .filter(|file| !super::is_for_development(&file.path))
        {
            let loose = |file: &Dockerfile| -> Vec<(u32, String)> {
                file.stages
                    .iter()
                    .filter(|stage| stage.base.is_none() && is_loose(&stage.image))
                    .map(|stage| (stage.line, stage.image.to_string()))
                    .collect()
            };
            places.extend(
                loose(file)
                    .into_iter()
                    .map(|(line, image)| (file.path.as_ref(), line, image)),
            );
        }
        for compose in context
            .project
            .compose
            .iter()
            .filter(|file| !super::is_for_development(&file.path))
        {
            // With `build`, `image` is the name that the result gets.
            for image in compose
                .services
                .iter()
                .filter(|service| service.build.is_none())
                .filter_map(|service| service.image.as_ref())
            {
                if is_loose(&image.value) {
                    places.push((compose.path.as_ref(), image.line, image.value.to_string()));
                }
            }
        }
        let Some((path, _, image)) = places.first() else {
            return;
        };
        let more = if places.len() > 1 {
            format!(" and {} more", places.len() - 1)
        } else {
            String::new()
        };
        let title =
            format!("{path} takes {image}{more}: whatever is newest on the day of the build");
        let evidence = places
            .iter()
            .map(|(path, line, _)| context.quote(path, *line))
            .collect();
        findings.add(title, evidence);
    }
}
