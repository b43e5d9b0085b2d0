//! `no-changelog`.

use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

/// Neither a changelog nor a tag.
pub(super) struct NoChangelog;

const ABOUT: About = About {
    id: "no-changelog",
    title: "No changelog and no tags",
    area: Area::Documentation,
    severity: Severity::Low,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Month,
    impact: "Which version lost the money cannot be said, and there is no version to go back to.",
    action: "Tag what you run, and keep a list of what changed.",
    after: &[],
};

/// Fewer commits are a beginning, not a history.
const LEAST_COMMITS: usize = 10;

impl Rule for NoChangelog {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let commits = context.history.commits.len();
        if !context.documents.changelogs.is_empty() || !context.history.tags.is_empty() {
            return;
        }
        if context.history.is_shallow {
            findings.not_checked("the clone is shallow: tags may be missing here only");
            return;
        }
        if commits < LEAST_COMMITS {
            return;
        }
        // Whoever numbers nothing releases nothing.
        if !has_moved(context) {
            return;
        }
        let mut evidence = vec![Evidence::repository(format!(
            "{commits} commits, no tag, no CHANGELOG.md"
        ))];
        for manifest in &context.project.manifests {
            if let Some(version) = manifest
                .version
                .as_ref()
                .filter(|_| !manifest.path.contains('/'))
            {
                evidence.push(Evidence::at(
                    manifest.path.as_ref(),
                    version.line,
                    format!("version {}", version.value),
                ));
            }
        }
        let added = findings.add(
            format!("{commits} commits and neither a changelog nor a tag"),
            evidence,
        );
        added.command("tradewind changelog");
    }
}

/// Versions that templates write.
const FIRST_VERSIONS: &[&str] = &["0", "0.0.0", "0.0.1", "0.1", "0.1.0", "1.0", "1.0.0"];

/// Says whether the version moved: it is none that templates write, or a commit names one.
fn has_moved(context: &Context<'_>) -> bool {
    let mut versions = context.project.manifests.iter().filter_map(|manifest| {
        let version = manifest.version.as_ref()?;
        (!manifest.path.contains('/')).then_some(version.value.as_ref())
    });
    // A number in a subject may be anybody's; a release or a raised version says that numbers are given.
    let is_release = |subject: &str| {
        let lower = subject.to_lowercase();
        let first = lower.split_whitespace().next().unwrap_or_default();
        matches!(first, "release" | "release:") && lower.contains('.')
            || lower.contains("bump version")
    };
    versions.any(|version| !FIRST_VERSIONS.contains(&version))
        || context
            .history
            .commits
            .iter()
            .any(|commit| is_release(commit.subject()))
}
