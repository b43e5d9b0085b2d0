//! `project-json`.

use super::existing::Existing;
use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

/// `project.json` against packaging and tree.
pub(super) struct ProjectJsonContradicts;

const ABOUT: About = About {
    id: "project-json",
    title: "project.json contradicts the repository",
    area: Area::Documentation,
    severity: Severity::Medium,
    confidence: Confidence::Certain,
    timeframe: Timeframe::Week,
    impact: "Tools that read the file deploy another version, on another Python, or start what is gone.",
    action: "Write the values of today, or let them be generated.",
    after: &[],
};

impl Rule for ProjectJsonContradicts {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let Some(file) = &context.documents.project_json else {
            return;
        };
        let existing = Existing::new(context);
        let manifests = || {
            context
                .project
                .manifests
                .iter()
                .filter(|manifest| !manifest.path.contains('/'))
        };
        let mut own = Vec::new();
        let mut others = Vec::new();
        let mut say = |key: &str, value: &str, line: u32, why: String| {
            own.push(Evidence::at(
                "project.json",
                line,
                format!("{key} {value}: {why}"),
            ));
        };
        if let Some(entry) = file.get(&["version"])
            && let Some((path, version)) =
                manifests().find_map(|m| Some((&m.path, m.version.as_ref()?)))
            && version.value != entry.value
        {
            say(
                "version",
                &entry.value,
                entry.line,
                format!("{path} says {}", version.value),
            );
            others.push(Evidence::at(
                path.as_ref(),
                version.line,
                format!("version {}", version.value),
            ));
        }
        if let Some(entry) = file.get(&[
            "python",
            "python_version",
            "pythonVersion",
            "requires_python",
        ]) && let Some((path, python)) =
            manifests().find_map(|m| Some((&m.path, m.python.as_ref()?)))
            && is_below(&entry.value, &python.value)
        {
            say(
                "python",
                &entry.value,
                entry.line,
                format!("{path} says {}", python.value),
            );
            others.push(Evidence::at(
                path.as_ref(),
                python.line,
                format!("python {}", python.value),
            ));
        }
        if let Some(entry) = file.get(&["entry", "main", "entrypoint", "entry_point"])
            && entry.value.contains(['/', '.'])
            && !entry.value.contains([' ', ':'])
            && !existing.is_at(&entry.value)
            && !context.documents.is_ignored(&entry.value)
        {
            say(
                "entry",
                &entry.value,
                entry.line,
                "does not exist".to_owned(),
            );
        }
        if own.is_empty() {
            return;
        }
        let count = own.len();
        own.extend(others);
        let values = if count == 1 { "value" } else { "values" };
        findings.add(
            format!("project.json: {count} {values} that the repository contradicts"),
            own,
        );
    }
}

/// Says whether a plain version is below the lower bound of a specifier: `3.8` against `>=3.10`.
fn is_below(version: &str, specifier: &str) -> bool {
    let parts = |text: &str| -> Option<(u32, u32)> {
        let mut numbers = text.trim().split('.');
        Some((
            numbers.next()?.parse().ok()?,
            numbers.next()?.trim_end_matches('*').parse().ok()?,
        ))
    };
    let bound = specifier.split(',').find_map(|part| {
        let part = part.trim();
        let plain = part
            .strip_prefix(">=")
            .or_else(|| part.strip_prefix('^'))
            .or_else(|| part.strip_prefix("~="))?;
        parts(plain)
    });
    let version = version.trim_start_matches(['>', '=', '^', '~']);
    matches!((parts(version), bound), (Some(version), Some(bound)) if version < bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_numbers() {
        assert!(is_below("3.8", ">=3.10"));
        assert!(is_below("3.9.1", ">=3.10,<4"));
        assert!(!is_below("3.11", ">=3.10"));
        assert!(!is_below("3", ">=3.10"));
        assert!(!is_below("latest", "<4"));
    }
}
