//! `secret-in-history`.

use jiff::tz::TimeZone;
use tradewind_repo::leaks::Leak;

use super::leaked;
use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};
use crate::rules::documentation::capped;

/// Credentials that only old commits hold.
pub(super) struct SecretInHistory;

const ABOUT: About = About {
    id: "secret-in-history",
    title: "Credentials in old commits",
    area: Area::Safety,
    severity: Severity::High,
    confidence: Confidence::Certain,
    timeframe: Timeframe::Immediate,
    impact: "Deleting is not revoking: every clone keeps the credential, and it works until it is replaced.",
    action: "Replace the credential at its issuer; rewrite history only if it has to go as well.",
    after: &[],
};

impl Rule for SecretInHistory {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        if context.history.is_shallow {
            findings.not_checked("the clone is shallow: older commits are not here");
        }
        let counted: Vec<&Leak> = context
            .leaks
            .history
            .iter()
            .filter(|leak| leaked::counts(leak) && !has_expired(context, leak))
            .collect();
        // All that one file held is one cause, however often it was changed: a file of tokens that a program wrote anew.
        let mut causes: Vec<Vec<&Leak>> = Vec::new();
        for leak in counted {
            let same = causes
                .iter_mut()
                .find(|cause| cause.first().is_some_and(|first| first.path == leak.path));
            match same {
                Some(cause) => cause.push(leak),
                None => causes.push(vec![leak]),
            }
        }
        for cause in causes {
            let Some(first) = cause.first() else {
                continue;
            };
            let kind = leaked::worst(&cause);
            let state = if context.tree.get(&first.path).is_none() {
                " (the file is gone)"
            } else {
                ""
            };
            let what = match cause.len() {
                1 => leaked::words(kind),
                count => format!("{count} credentials"),
            };
            let commit = first
                .commit
                .map(|commit| commit.to_string())
                .unwrap_or_default();
            let short = commit.get(..8).unwrap_or_default();
            let title = format!(
                "{what} in {}{state}, since {short}, in no file any more",
                first.path
            );
            let evidence = cause
                .iter()
                .map(|leak| Evidence {
                    path: Some(leak.path.to_string()),
                    line: Some(leak.line),
                    commit: leak.commit.map(|commit| commit.to_string()),
                    note: leaked::quote(leak),
                })
                .collect();
            let added = findings.add(title, capped(evidence));
            added.severity = leaked::severity(kind).min(Severity::High);
            added.confidence = leaked::confidence(kind);
            // Examples and pages of a program that was copied in show what a key looks like.
            if added.confidence == Confidence::Likely
                && cause.iter().all(|leak| is_shown(&leak.path))
            {
                added.confidence = Confidence::Possible;
            }
        }
    }
}

/// Says whether a file shows something: an example, or anything in a folder as forges name their archives.
fn is_shown(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    let folders = path.rsplit_once('/').map_or("", |(folders, _)| folders);
    path.contains("example")
        || folders.split('/').any(|folder| {
            ["-main", "-master", "-develop"]
                .iter()
                .any(|end| folder.ends_with(end))
        })
}

/// Says whether a leak is a session or a signed token that has ended long ago: they last hours or months, not years.
fn has_expired(context: &Context<'_>, leak: &Leak) -> bool {
    let commits = &context.history.commits;
    let year = || {
        let commit = commits
            .iter()
            .find(|commit| Some(commit.id) == leak.commit)?;
        Some(commit.committed_at.to_zoned(TimeZone::UTC).year())
    };
    matches!(leak.kind, "session-cookie" | "json-web-token")
        && year().is_some_and(|year| year + 1 < context.today.year())
}
