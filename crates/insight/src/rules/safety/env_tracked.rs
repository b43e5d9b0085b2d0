//! `env-tracked`.

use super::leaked;
use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

/// Files of secrets that git has.
pub(super) struct EnvTracked;

const ABOUT: About = About {
    id: "env-tracked",
    title: "A file of secrets is tracked",
    area: Area::Safety,
    severity: Severity::Critical,
    confidence: Confidence::Certain,
    timeframe: Timeframe::Immediate,
    impact: "Its values are in every clone and in every image that copies the folder.",
    action: "Take the file out of git, ignore it, and replace what it held.",
    after: &[],
};

/// Says whether a path is a file of settings that stay on one machine.
pub(super) fn is_env(path: &str) -> bool {
    let name = path
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let is_named = name == ".env"
        || name.starts_with(".env.")
        || name.rsplit_once('.').is_some_and(|(_, end)| end == "env")
        || name == ".envrc";
    let is_example = [
        "example", "sample", "template", "dist", "default", "test", "ci", "schema", "tmpl", "tpl",
    ]
    .iter()
    .any(|word| name.split(['.', '-', '_']).any(|part| part == *word));
    is_named && !is_example && !leaked::is_dummy_place(path)
}

impl Rule for EnvTracked {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        for file in context.tree.tracked().filter(|file| is_env(&file.path)) {
            let path = file.path.as_ref();
            let Some(text) = context.tree.text(path) else {
                continue;
            };
            let leaks: Vec<_> = context
                .leaks
                .head
                .iter()
                .filter(|leak| leak.path.as_ref() == path)
                .collect();
            let mut evidence: Vec<Evidence> = leaks
                .iter()
                .map(|leak| Evidence::at(path, leak.line, leaked::quote(leak)))
                .collect();
            let private = if leaks.is_empty() {
                private_line(&text)
            } else {
                None
            };
            if let Some((line, name)) = private {
                evidence.push(Evidence::at(path, line, format!("{name}=*** is set")));
            }
            if evidence.is_empty() {
                continue;
            }
            let pattern = context
                .tree
                .tracked_although_ignored()
                .find(|(ignored, _)| *ignored == path);
            if let Some((_, pattern)) = pattern {
                let note = format!("{} ignores it, too late: it is tracked", pattern.pattern);
                if let Some(ignores) = &pattern.file {
                    evidence.push(Evidence::at(ignores.as_str(), pattern.line, note));
                }
            }
            evidence.truncate(20);
            let what = if leaks.is_empty() {
                "settings of one machine"
            } else {
                "credentials"
            };
            let added = findings.add(format!("{path} is tracked and holds {what}"), evidence);
            if leaks.is_empty() {
                added.severity = Severity::High;
                added.confidence = Confidence::Likely;
            }
            if !path.contains([' ', '\'', '"', '\\', '$', '`']) {
                added.command(format!("git rm --cached {path}"));
            }
        }
    }
}

/// The first line that gives a name of a credential a value that is no placeholder.
fn private_line(text: &str) -> Option<(u32, &str)> {
    text.lines().enumerate().find_map(|(at, line)| {
        let (name, value) = line.split_once('=')?;
        let name = name.trim().trim_start_matches("export ").trim();
        let value = value
            .split(" #")
            .next()
            .unwrap_or_default()
            .trim()
            .trim_matches(['"', '\'']);
        let upper = name.to_ascii_uppercase();
        let is_secret = ["KEY", "SECRET", "TOKEN", "PASSWORD", "PASSWD"]
            .iter()
            .any(|end| upper.ends_with(end));
        let lower = value.to_ascii_lowercase();
        // `$NAME` is a reference: the value lies elsewhere.
        let is_placeholder = value.len() < 6
            || value.starts_with('$')
            || [
                "your",
                "xxx",
                "change",
                "example",
                "<",
                "placeholder",
                "...",
                "here",
                "dummy",
                "test",
                "todo",
                "none",
                "null",
                "${",
                "replace",
                "enter",
                "demo",
                "fake",
                "***",
                "secret",
                "password",
                "key",
                "token",
                "insert",
            ]
            .iter()
            .any(|word| lower.contains(word));
        let line = u32::try_from(at + 1).unwrap_or(u32::MAX);
        (is_secret && !is_placeholder && !name.starts_with('#')).then_some((line, name))
    })
}
