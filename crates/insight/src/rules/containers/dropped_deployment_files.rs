//! Deployment files that are not there.

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
                    // A mounted file that was never there may be made on the server.
                    if gone.is_none() && verb == "mounts" {
                        findings.not_checked(format!(
                            "{}:{line}: {path} may be made on the server",
                            compose.path
                        ));
                        continue;
                    }
                    let title = format!(
                        "{}: {} {verb} {path}, which does not exist",
                        compose.path, service.name
                    );
                    let mut evidence = vec![context.quote_with(
                        &compose.path,
                        line,
                        &format!("{path} is not in git"),
                    )];
                    evidence.extend(gone);
                    findings.add(title, evidence);
                }
            }
        }
    }
}

/// Says whether a mounted path is a file of configuration, by its ending.
fn is_configuration(path: &str) -> bool {
    [
        ".yml", ".yaml", ".toml", ".json", ".ini", ".conf", ".cfg", ".sql", ".sh", ".py",
    ]
    .iter()
    .any(|end| path.ends_with(end))
}
