//! Copies of files that are not there.

use crate::gone::deletion;
use tradewind_repo::project::presence::{Presence, path_presence};
use tradewind_repo::project::requirement::join;

use crate::finding::{Area, Confidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

/// Copies of files that are not there.
#[derive(Debug)]
pub struct CopyMissing;

const ABOUT: About = About {
    id: "copy-missing",
    title: "Copies of files that are not there",
    area: Area::Containers,
    severity: Severity::High,
    confidence: Confidence::Certain,
    timeframe: Timeframe::Immediate,
    impact: "The image does not build: there is no way to deploy a fix.",
    action: "Drop the file from the line, or bring it back.",
    after: &[],
};

impl Rule for CopyMissing {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        for file in &context.project.dockerfiles {
            let Some(folder) = context.project.build_context(context.tree, file) else {
                findings.not_checked(format!("{}: from which folder it is built", file.path));
                continue;
            };
            for (_, copy) in file.copies().iter().filter(|(_, copy)| copy.from.is_none()) {
                for source in &copy.sources {
                    let is_open = source.contains(['$', '*', '?', '['])
                        || source.contains("://")
                        || source.starts_with("git@");
                    let Some(path) = join(&folder, source.trim_start_matches('/'))
                        .filter(|path| !is_open && !path.is_empty())
                    else {
                        continue;
                    };
                    match path_presence(context.tree, &path) {
                        Presence::Here => {}
                        Presence::Unknown(reason) => findings.not_checked(format!(
                            "{}:{}: {source} is {reason}",
                            file.path, copy.line
                        )),
                        Presence::Absent if is_made_by_hand(context, &path) => {
                            findings.not_checked(format!(
                                "{}:{}: {source} is made before the build",
                                file.path, copy.line
                            ));
                        }
                        Presence::Absent => {
                            let mut evidence = vec![context.quote_with(
                                &file.path,
                                copy.line,
                                &format!("{path} is not in git"),
                            )];
                            evidence.extend(deletion(context.history, &path));
                            findings.add(
                                format!("{} copies {source}, which does not exist", file.path),
                                evidence,
                            );
                        }
                    }
                }
            }
        }
    }
}

/// Folders that are built before an image.
const BUILT: &[&str] = &["dist", "build", "target", "node_modules", "wheels", "out"];

/// Says whether something tells that a person or a build makes the file.
fn is_made_by_hand(context: &Context<'_>, path: &str) -> bool {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let examples = [".example", ".sample", ".template", ".dist", ".tpl"]
        .iter()
        .any(|end| context.tree.has(&format!("{path}{end}")));
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let beside = context.tree.below(folder).any(|file| {
        let other = file.path.rsplit('/').next().unwrap_or(&file.path);
        other.contains(stem)
            && ["example", "sample", "template"]
                .iter()
                .any(|word| other.contains(word))
    });
    let ignored = context.tree.text(".gitignore").is_some_and(|text| {
        text.lines()
            .map(|line| line.trim().trim_matches('/'))
            .any(|line| !line.is_empty() && (line == path || line == name))
    });
    let built =
        path.split('/').any(|part| BUILT.contains(&part)) || name.rsplit('.').next() == Some("whl");
    examples || beside || ignored || built
}
