//! Files that git tracks although a pattern of the repository hides them.

use std::collections::BTreeMap;

use super::past;
use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

const ABOUT: About = About {
    id: "tracked-although-ignored",
    title: "Files that are tracked although a pattern ignores them",
    area: Area::History,
    severity: Severity::Low,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Month,
    impact: "Changes to these files are committed, a new file beside them is silently left out: the next clone gets \
             half of the folder.",
    action: "Decide: take the file out of the index, or write an exception (`!path`) below the pattern.",
    after: &[],
};

/// Files that keep a folder in git and are forced in on purpose.
const KEEPERS: &[&str] = &[
    ".gitkeep",
    ".keep",
    ".gitignore",
    ".placeholder",
    ".gitattributes",
];

/// The rule.
pub(super) struct TrackedAlthoughIgnored;

impl Rule for TrackedAlthoughIgnored {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let mut patterns: BTreeMap<(&str, u32, &str), Vec<&str>> = BTreeMap::new();
        for (path, by) in context.tree.tracked_although_ignored() {
            // The user's own list outside the repository is nobody else's business.
            let Some(file) = by.file.as_deref() else {
                continue;
            };
            let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
            // Environment files are secrets first; the rule for those tells them.
            if file.starts_with(".git/") || KEEPERS.contains(&name) || name.starts_with(".env") {
                continue;
            }
            let key = (file, by.line, by.pattern.as_str());
            patterns.entry(key).or_default().push(path);
        }
        // One file alone out of a whole folder that is ignored was added by force, for a reason.
        // So was a picture out of all pictures: `*.png` and a logo.
        patterns.retain(|(_, _, pattern), paths| {
            let is_ending = [
                ".png", ".jpg", ".jpeg", ".gif", ".svg", ".ico", ".pdf", ".webp",
            ]
            .iter()
            .any(|end| pattern.strip_prefix('*') == Some(end));
            paths.len() > 1 && !(is_ending && paths.len() <= 3)
                || !is_ending && !pattern.trim_end().ends_with('/')
        });
        if patterns.is_empty() {
            return;
        }
        let files: usize = patterns.values().map(Vec::len).sum();
        let mut evidence = Vec::new();
        for ((file, line, pattern), paths) in &patterns {
            evidence.push(Evidence::at(*file, *line, past::shown(pattern)));
            let told = paths.iter().take(3);
            evidence.extend(told.map(|path| {
                Evidence::file(
                    *path,
                    format!("tracked, although `{}` ignores it", past::shown(pattern)),
                )
            }));
            if paths.len() > 3 {
                let more = format!("and {} more below that pattern", paths.len() - 3);
                evidence.push(Evidence::repository(more));
            }
        }
        let first = patterns.values().next().and_then(|paths| paths.first());
        let title = match (files, first) {
            (1, Some(path)) => format!("{} is tracked although it is ignored", past::shown(path)),
            _ => format!("{files} files are tracked although they are ignored"),
        };
        findings.add(title, past::bounded(evidence));
    }
}
