//! Versions that cannot be installed together.

use crate::declared::{Declared, Pythons, folder_of};
use crate::tables::releases::release;
use tradewind_repo::project::requirement::Requirement;
use tradewind_repo::project::version::{Specifiers, Version};

use crate::finding::{Area, Confidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

/// Versions that cannot be installed together.
#[derive(Debug)]
pub struct ContradictingPins;

const ABOUT: About = About {
    id: "contradicting-pins",
    title: "Versions that cannot be installed together",
    area: Area::Runs,
    severity: Severity::High,
    confidence: Confidence::Certain,
    timeframe: Timeframe::Immediate,
    impact: "The requirements cannot be installed: no redeploy until somebody untangles them.",
    action: "Keep one source of versions, and raise the pin to one that fits everything.",
    after: &[],
};

impl Rule for ContradictingPins {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let declared = Declared::of(context);
        let pythons = Pythons::of(context);
        let all: Vec<(&str, &Requirement)> = declared.main().collect();
        let mut said: Vec<(&str, u32)> = Vec::new();
        let mut beyond = Vec::new();
        // Exact pins first: they are what has to move.
        let mut sorted = all.clone();
        sorted.sort_by_key(|(path, requirement)| {
            (exact(requirement).is_none(), *path, requirement.line)
        });
        for (path, requirement) in sorted {
            if said.contains(&(path, requirement.line)) || requirement.marker.is_some() {
                continue;
            }
            let mut evidence = Vec::new();
            let mut why = Vec::new();
            for (other_path, other) in others(&all, path, requirement) {
                said.push((other_path, other.line));
                why.push(format!("{} in {other_path}", other.written));
                evidence.push(context.quote(other_path, other.line));
            }
            if let Some(version) = exact(requirement) {
                match release(&requirement.name, version) {
                    Some(row) => {
                        for place in pythons
                            .of_folder(folder_of(path))
                            .filter(|place| place.minor < row.oldest || place.minor > row.newest)
                        {
                            why.push(format!("Python 3.{} in {}", place.minor, place.path));
                            let words = format!(
                                "{} {version} is built for Python 3.{} to 3.{}, this is 3.{}",
                                row.package, row.oldest, row.newest, place.minor
                            );
                            evidence.push(context.quote_with(&place.path, place.line, &words));
                        }
                    }
                    None => beyond.push(format!("{} {version}", requirement.name)),
                }
            }
            for (other_path, other, need) in needs(&all, path, requirement) {
                why.push(format!("what {} needs", other.written));
                evidence.push(context.quote_with(
                    other_path,
                    other.line,
                    &format!("needs {}{need}", requirement.name),
                ));
            }
            if evidence.is_empty() {
                continue;
            }
            why.truncate(3);
            let title = format!(
                "{} in {path} contradicts {}",
                requirement.written,
                why.join(", ")
            );
            evidence.insert(0, context.quote(path, requirement.line));
            findings.add(title, evidence);
        }
        beyond.sort();
        beyond.dedup();
        if !beyond.is_empty() {
            let shown: Vec<String> = beyond.iter().take(5).cloned().collect();
            findings.not_checked(format!(
                "on which Python {} runs: the table of releases does not say ({} pins)",
                shown.join(", "),
                beyond.len()
            ));
        }
    }
}

fn exact(requirement: &Requirement) -> Option<&Version> {
    requirement.versions.as_ref()?.exact()
}

/// The same package in other files of the folder, or later in the file, that no common version fits.
fn others<'a>(
    all: &[(&'a str, &'a Requirement)],
    path: &str,
    requirement: &Requirement,
) -> Vec<(&'a str, &'a Requirement)> {
    let Some(versions) = &requirement.versions else {
        return Vec::new();
    };
    all.iter()
        .filter(|(other_path, other)| {
            let is_same = *other_path == path && other.line == requirement.line;
            !is_same
                && other.name == requirement.name
                && folder_of(other_path) == folder_of(path)
                && other.marker.is_none()
                && other.url.is_none()
        })
        .filter(|(_, other)| {
            other
                .versions
                .as_ref()
                .is_some_and(|other| !other.fits_with(versions))
        })
        .copied()
        .collect()
}

/// Pinned packages of the folder that need another version of this one.
fn needs<'a>(
    all: &[(&'a str, &'a Requirement)],
    path: &str,
    requirement: &Requirement,
) -> Vec<(&'a str, &'a Requirement, &'static str)> {
    let Some(versions) = exact(requirement).and(requirement.versions.as_ref()) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (other_path, other) in all.iter().filter(|(other_path, other)| {
        folder_of(other_path) == folder_of(path) && other.marker.is_none()
    }) {
        let Some(row) = exact(other).and_then(|version| release(&other.name, version)) else {
            continue;
        };
        for (package, need) in row
            .needs
            .iter()
            .filter(|(package, _)| *package == requirement.name.as_ref())
        {
            debug_assert_eq!(*package, requirement.name.as_ref());
            if Specifiers::parse(need).is_some_and(|need| !need.fits_with(versions)) {
                found.push((*other_path, *other, *need));
            }
        }
    }
    found
}
