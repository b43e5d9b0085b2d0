//! Secrets and history copied into images.

use tradewind_repo::history::History;
use tradewind_repo::project::dockerfile::{DockerIgnore, Dockerfile};
use tradewind_repo::project::requirement::join;

use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

/// Secrets and history copied into images.
#[derive(Debug)]
pub struct MissingDockerignore;

const ABOUT: About = About {
    id: "missing-dockerignore",
    title: "Secrets and history copied into images",
    area: Area::Containers,
    severity: Severity::Medium,
    confidence: Confidence::Certain,
    timeframe: Timeframe::Immediate,
    impact: "Whoever gets the image has what lies beside the code: the keys in `.env`, and the history with keys that were deleted.",
    action: "Write a `.dockerignore` with at least `.git` and `.env*`.",
    after: &[],
};

impl Rule for MissingDockerignore {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        for file in &context.project.dockerfiles {
            let Some(folder) = context.project.build_context(context.tree, file) else {
                continue;
            };
            let Some(line) = whole_copy(file, &folder) else {
                continue;
            };
            let in_context = |path: &str| {
                if folder.is_empty() {
                    Some(path.to_owned())
                } else {
                    path.strip_prefix(&format!("{folder}/")).map(Into::into)
                }
            };
            let is_hidden = |path: &str| {
                file.ignores
                    .as_ref()
                    .is_some_and(|ignores: &DockerIgnore| ignores.hides(path))
            };
            let secrets: Vec<String> = context
                .tree
                .below(&folder)
                .filter(|file| is_secret(&file.path))
                .filter_map(|file| in_context(&file.path))
                .filter(|path| !is_hidden(path))
                .collect();
            let has_history = folder.is_empty()
                && !context.history.commits.is_empty()
                && !is_hidden(".git/config")
                && !is_hidden(".git");
            // Alone, a small history in which nothing secret ever was harms nobody.
            let is_worth_it = has_history
                && (!context.leaks.history.is_empty() || size(context.history) > BULKY_BYTES);
            if secrets.is_empty() && !is_worth_it {
                continue;
            }
            let mut what = secrets.clone();
            what.extend(has_history.then(|| ".git".to_owned()));
            let names = what.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
            let mut evidence =
                vec![context.quote_with(&file.path, line, &format!("takes along {names}"))];
            evidence.push(match &file.ignores {
                Some(ignores) => {
                    Evidence::file(ignores.path.to_string(), format!("does not name {names}"))
                }
                None => {
                    Evidence::file(join(&folder, ".dockerignore").unwrap_or_default(), "absent")
                }
            });
            let finding = findings.add(
                format!("{} copies {names} into the image", file.path),
                evidence,
            );
            if !secrets.is_empty() {
                finding.severity = Severity::High;
            } else if file.ignores.is_some() {
                finding.severity = Severity::Low;
            }
        }
    }
}

/// A history of this size makes every image and every build slower.
const BULKY_BYTES: u64 = 50 << 20;

/// Bytes of all that the history holds, before git packs it.
fn size(history: &History) -> u64 {
    let changes = history.commits.iter().flat_map(|commit| &commit.changes);
    changes
        .filter_map(|change| history.size(change.blob?))
        .sum()
}

/// Line of the copy that takes the whole folder into what is shipped.
fn whole_copy(file: &Dockerfile, folder: &str) -> Option<u32> {
    let shipped: Vec<u32> = file
        .shipped()
        .iter()
        .map(|instruction| instruction.line)
        .collect();
    let copies = file.copies();
    let whole = copies.iter().find(|(_, copy)| {
        copy.from.is_none()
            && shipped.contains(&copy.line)
            && copy.sources.iter().any(|source| {
                join(folder, source.trim_start_matches('/')).as_deref() == Some(folder)
            })
    })?;
    Some(whole.1.line)
}

/// Names of files that hold secrets; examples do not.
fn is_secret(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let is_example = ["example", "sample", "template", "dist", "test"]
        .iter()
        .any(|word| name.contains(word));
    let is_env = name == ".env" || name.starts_with(".env.");
    let is_key = matches!(
        name.as_str(),
        "id_rsa"
            | "id_ed25519"
            | "credentials.json"
            | "service_account.json"
            | ".netrc"
            | ".pypirc"
    );
    !is_example && (is_env || is_key)
}
