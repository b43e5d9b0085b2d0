//! `license-missing`.

use tradewind_repo::documents::{PageKind, What};

use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

/// A licence that is claimed and whose text is not there.
pub(super) struct LicenseMissing;

const ABOUT: About = About {
    id: "license-missing",
    title: "A licence is claimed, its text is missing",
    area: Area::Documentation,
    severity: Severity::Low,
    confidence: Confidence::Certain,
    timeframe: Timeframe::Month,
    impact: "Without the text nobody may legally use, change or help with the code.",
    action: "Add the file LICENSE with the text of the licence that is named.",
    after: &[],
};

impl Rule for LicenseMissing {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let mut evidence = Vec::new();
        let mut name = None;
        for page in &context.documents.pages {
            if page.kind != PageKind::Readme {
                continue;
            }
            for claim in &page.claims {
                if let What::License(named) = &claim.what {
                    name = name.or(*named);
                    evidence.push(Evidence::at(
                        page.path.as_ref(),
                        claim.line,
                        claim.quote.as_ref(),
                    ));
                }
            }
        }
        for manifest in &context.project.manifests {
            // Manifests of examples and parts have the licence of the whole.
            if let Some(license) = manifest
                .license
                .as_ref()
                .filter(|license| !manifest.path.contains('/') && !license.value.trim().is_empty())
            {
                evidence.push(Evidence::at(
                    manifest.path.as_ref(),
                    license.line,
                    format!("license: {}", license.value),
                ));
            }
        }
        if evidence.is_empty() || !context.documents.licenses.is_empty() {
            return;
        }
        evidence.dedup_by(|a, b| a.path == b.path && a.line == b.line);
        evidence.truncate(20);
        let has_text = context.documents.readme().is_some_and(|readme| {
            let text = context.tree.text(&readme.path).unwrap_or_default();
            text.contains("WITHOUT WARRANTY OF ANY KIND")
        });
        if has_text {
            return;
        }
        let what = name.unwrap_or("a licence");
        let place = evidence
            .first()
            .and_then(|first| first.path.clone())
            .unwrap_or_default();
        findings.add(
            format!("{place} claims {what}, no file holds its text"),
            evidence,
        );
    }
}
