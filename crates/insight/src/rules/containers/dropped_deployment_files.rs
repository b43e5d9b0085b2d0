//! Deployment files that are not there.

use std::collections::BTreeMap;

use crate::gone::deletion;
use tradewind_repo::project::presence::{Presence, path_presence};
use tradewind_repo::project::requirement::join;

use crate::finding::{Area, Confidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

/// Deployment files that are not there.
#[derive(Debug)]
pub struct DroppedDeploymentFiles;

const ABOUT: About = About {
    id: "dropped-deployment-files",
    title: "Deployment files that are not there",
    area: Area::Containers,
    severity: Severity::High,
    confidence: Confidence::Certain,
    timeframe: Timeframe::Immediate,
    impact: "The deployment stops at that line, or a mount silently becomes an empty folder: the bot starts without its configuration.",
    action: "Correct the path, or bring the file back.",
    after: &[],
};

impl Rule for DroppedDeploymentFiles {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        // Services that need one missing file have one cause.
        let mut missing: BTreeMap<(String, &str), Vec<Place<'_>>> = BTreeMap::new();
        for compose in &context.project.compose {
            let folder = compose
                .path
                .rsplit_once('/')
                .map_or("", |(folder, _)| folder);
            for service in &compose.services {
                let mut asked: Vec<(u32, String, &str)> = Vec::new();
                if let Some(build) = service
                    .build
                    .as_ref()
                    .filter(|build| !build.context.contains("://") && !build.context.contains('$'))
                    && let Some(root) = join(folder, &build.context)
                {
                    let file = build
                        .dockerfile
                        .as_ref()
                        .map_or("Dockerfile", |file| &file.value);
                    let line = build
                        .dockerfile
                        .as_ref()
                        .map_or(build.line, |file| file.line);
                    asked.extend(join(&root, file).map(|path| (line, path, "is built from")));
                }
                for (file, is_required) in &service.env_files {
                    let name = file.value.rsplit('/').next().unwrap_or(&file.value);
                    // `.env` is made by hand and belongs into no repository.
                    if *is_required && !name.contains(".env") && !name.ends_with("env") {
                        asked.extend(
                            join(folder, &file.value)
                                .map(|path| (file.line, path, "reads variables from")),
                        );
                    }
                }
                for volume in &service.volumes {
                    let is_file = volume.value.starts_with("./") && is_configuration(&volume.value);
                    if is_file {
                        asked.extend(
                            join(folder, &volume.value).map(|path| (volume.line, path, "mounts")),
                        );
                    }
                }
                for (line, path, verb) in asked {
                    if path.contains(['$', '*'])
                        || path_presence(context.tree, &path) != Presence::Absent
                    {
                        continue;
                    }
                    let gone = deletion(context.history, &path);
                    // A mounted file that was never there may be made on the server; one that is ignored is.
                    if verb == "mounts" && (gone.is_none() || is_made_there(context, &path)) {
                        findings.not_checked(format!(
                            "{}:{line}: {path} may be made on the server",
                            compose.path
                        ));
                        continue;
                    }
                    let places = missing.entry((path, verb)).or_default();
                    places.push((&compose.path, &service.name, line));
                }
            }
        }
        for ((path, verb), places) in missing {
            report(context, &path, verb, &places, findings);
        }
    }
}

/// Compose file, service and line of what needs a file.
type Place<'a> = (&'a str, &'a str, u32);

/// Tells of one missing file.
fn report(
    context: &Context<'_>,
    path: &str,
    verb: &str,
    places: &[Place<'_>],
    findings: &mut Findings,
) {
    let Some((compose, service, _)) = places.first() else {
        return;
    };
    let more = match places.len() {
        1 => String::new(),
        count => format!(" (and {} more)", count - 1),
    };
    let title = format!("{compose}: {service}{more} {verb} {path}, which does not exist");
    let mut evidence = Vec::new();
    for (compose, _, line) in places {
        let quote = context.quote_with(compose, *line, &format!("{path} is not in git"));
        // An anchor of YAML gives several services one line.
        if !evidence.contains(&quote) {
            evidence.push(quote);
        }
    }
    evidence.extend(deletion(context.history, path));
    findings.add(title, evidence);
}

/// Says whether each server has a file of its own: git ignores it, or a template of it lies beside it.
fn is_made_there(context: &Context<'_>, path: &str) -> bool {
    context.documents.is_ignored(path)
        || [".template", ".example", ".sample", ".dist"]
            .iter()
            .any(|end| context.tree.has(&format!("{path}{end}")))
}

/// Says whether a mounted path is a file of configuration, by its ending.
fn is_configuration(path: &str) -> bool {
    [
        ".yml", ".yaml", ".toml", ".json", ".ini", ".conf", ".cfg", ".sql", ".sh", ".py",
    ]
    .iter()
    .any(|end| path.ends_with(end))
}
