//! `private-key`.

use super::leaked;
use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::quotes::is_foreign;
use crate::rule::{About, Context, Findings, Rule};

/// Private keys in tracked files.
pub(super) struct PrivateKey;

const ABOUT: About = About {
    id: "private-key",
    title: "Private keys in tracked files",
    area: Area::Safety,
    severity: Severity::Critical,
    confidence: Confidence::Certain,
    timeframe: Timeframe::Immediate,
    impact: "Whoever reads the repository can sign orders, open servers or read what was encrypted.",
    action: "Make a new key pair, replace the public half everywhere, and keep the private one out of git.",
    after: &[],
};

impl Rule for PrivateKey {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        // The page that a generator made of another page holds the same key, and is mended with it.
        let mut leaks: Vec<_> = context
            .leaks
            .head
            .iter()
            .filter(|leak| leak.kind == "private-key")
            .collect();
        leaks.sort_by_key(|leak| (is_foreign(&leak.path), leak.path.clone()));
        let mut seen = Vec::new();
        for leak in leaks {
            if seen.contains(&leak.mark) || (is_foreign(&leak.path) && !seen.is_empty()) {
                continue;
            }
            seen.push(leak.mark);
            let path = leak.path.to_ascii_lowercase();
            // Certificates for this computer only come with their keys; so do manuals.
            let is_local = [
                "localhost",
                "snakeoil",
                "selfsigned",
                "self-signed",
                "self_signed",
                "dummy",
                "example",
                "sample",
                "demo",
            ]
            .iter()
            .any(|word| path.contains(word));
            // A tracked `.env` is told as such, with all that it holds.
            if is_local
                || leaked::is_dummy_place(&leak.path)
                || super::env_tracked::is_env(&leak.path)
            {
                continue;
            }
            let title = format!("{} holds a private key", leak.path);
            let added = findings.add(
                title,
                vec![Evidence::at(
                    leak.path.as_ref(),
                    leak.line,
                    "a block of a private key (not shown)",
                )],
            );
            if path.starts_with("doc") || path.rsplit_once('.').is_some_and(|(_, end)| end == "md")
            {
                added.confidence = Confidence::Likely;
            }
        }
    }
}
