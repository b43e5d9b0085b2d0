//! Versions that cannot be installed together.
//!
//! *Certain* is what an installer refuses: two conditions that no version fits, a Python that the release itself
//! excludes, a numpy outside of a declared bound. Where only a wheel is missing, or a package was compiled for the
//! numpy before, it is *likely*: the source may compile, and the installer says nothing.

use std::collections::{BTreeMap, BTreeSet};

use tradewind_repo::project::manifest::Manifest;
use tradewind_repo::project::requirement::Requirement;
use tradewind_repo::project::version::{Specifiers, Version};

use crate::declared::{Declared, folder_of};
use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::pythons::{Installs, Pythons, installs, pythons_of_job};
use crate::rule::{About, Context, Findings, Rule};
use crate::tables::releases::{Install, NEWEST_KNOWN, Release, release};

/// Versions that cannot be installed together.
#[derive(Debug)]
pub struct ContradictingPins;

const ABOUT: About = About {
    id: "contradicting-pins",
    title: "Versions that cannot be installed together",
    area: Area::Runs,
    severity: Severity::High,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Immediate,
    impact: "The requirements cannot be installed: no redeploy until somebody untangles them.",
    action: "Keep one source of versions, and raise the pin to one that fits everything.",
    after: &[],
};

/// A requirement with its file.
type Line<'a> = (&'a str, &'a Requirement);

/// What speaks against one requirement.
#[derive(Debug, Default)]
struct Against {
    /// In words, for the title.
    why: Vec<String>,
    evidence: Vec<Evidence>,
    /// Whether an installer refuses it.
    is_certain: bool,
    /// Whether only a Python that nobody uses may be affected.
    is_promise_only: bool,
}

impl Against {
    fn add(&mut self, why: String, evidence: Evidence, is_certain: bool) {
        self.why.push(why);
        self.evidence.push(evidence);
        self.is_certain |= is_certain;
        self.is_promise_only = false;
    }
}

impl Rule for ContradictingPins {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let declared = Declared::of(context);
        let pythons = Pythons::of(context);
        let main: Vec<Line<'_>> = declared.main().collect();
        let locked: Vec<Line<'_>> = declared.locked().collect();
        let mut said: Vec<(&str, u32)> = Vec::new();
        let mut beyond = BTreeSet::new();
        let mut apart: Apart<'_> = BTreeMap::new();
        // Exact pins first: they are what has to move.
        let mut sorted = main.clone();
        sorted.sort_by_key(|(path, requirement)| {
            (exact(requirement).is_none(), *path, requirement.line)
        });
        sorted.extend(&locked);
        for (path, requirement) in sorted {
            if said.contains(&(path, requirement.line)) || requirement.marker.is_some() {
                continue;
            }
            let is_locked = declared.locks().any(|lock| lock == path);
            let all = if is_locked { &locked } else { &main };
            let mut against = Against::default();
            if !is_locked {
                for (other_path, other) in others(all, path, requirement) {
                    if !are_together(context, path, other_path) {
                        let mut pair = [(path, requirement), (other_path, other)];
                        pair.sort_by_key(|(path, requirement)| (*path, requirement.line));
                        let [one, other] = pair;
                        apart.entry((one.0, other.0)).or_default().insert((
                            one.1.name.as_ref(),
                            one.1.line,
                            other.1.line,
                        ));
                        continue;
                    }
                    said.push((other_path, other.line));
                    let why = format!("{} in {other_path}", other.written);
                    against.add(why, context.quote(other_path, other.line), true);
                }
            }
            if let Some(version) = exact(requirement) {
                match release(&requirement.name, version) {
                    Some(row) => {
                        let pin = Pin { path, version, row };
                        pin.against_pythons(context, &pythons, &mut against);
                        pin.against_manifests(context, &mut against);
                    }
                    // A lock holds a hundred packages that no table knows.
                    None if is_locked => {}
                    None => drop(beyond.insert(format!("{} {version}", requirement.name))),
                }
            }
            for need in needs(all, path, requirement) {
                let (other_path, other) = need.of;
                if !are_together(context, path, other_path) {
                    continue;
                }
                let why = format!("what {} needs", other.written);
                let evidence = context.quote_with(other_path, other.line, &need.words);
                against.add(why, evidence, need.is_declared);
            }
            tell(context, findings, (path, requirement), against);
        }
        tell_apart(context, findings, &apart);
        check_jobs(context, findings);
        not_checked(findings, &pythons, &beyond);
    }
}

/// Files of one folder for different machines, and the packages that they ask for differently, with both lines.
type Apart<'a> = BTreeMap<(&'a str, &'a str), BTreeSet<(&'a str, u32, u32)>>;

/// Says whether two files are installed into one environment: the same file, a manifest, or two lists of which one
/// takes in the other or a third takes in both. `requirements-ci.txt` beside `requirements-server.txt` is a choice.
fn are_together(context: &Context<'_>, path: &str, other: &str) -> bool {
    let project = context.project;
    let is_list = |path| project.requirements_file(path).is_some();
    if path == other || !is_list(path) || !is_list(other) {
        return true;
    }
    project.requirements.iter().any(|file| {
        let takes = |wanted: &str| {
            let mut taken = file.includes.iter().chain(&file.constraints);
            *file.path == *wanted || taken.any(|(_, path)| path.as_deref() == Some(wanted))
        };
        takes(path) && takes(other)
    })
}

/// Says which lists for different machines ask for different versions.
fn tell_apart(context: &Context<'_>, findings: &mut Findings, apart: &Apart<'_>) {
    for ((path, other), packages) in apart {
        let names: BTreeSet<&str> = packages.iter().map(|(name, ..)| *name).collect();
        let shown: Vec<&str> = names.iter().take(4).copied().collect();
        let title = format!(
            "{path} and {other} ask for different versions of {}",
            shown.join(", ")
        );
        let evidence = packages.iter().flat_map(|(_, line, other_line)| {
            [
                context.quote(path, *line),
                context.quote(other, *other_line),
            ]
        });
        let finding = findings.add(title, evidence.collect());
        finding.severity = Severity::Medium;
        "What one machine was tested with is not what the other one runs."
            .clone_into(&mut finding.impact);
        "Keep the versions in one file that both lists take in with `-r` or `-c`."
            .clone_into(&mut finding.action);
    }
}

/// Says what speaks against a requirement, if anything does.
fn tell(
    context: &Context<'_>,
    findings: &mut Findings,
    (path, requirement): Line<'_>,
    mut against: Against,
) {
    if against.evidence.is_empty() {
        return;
    }
    against.why.truncate(3);
    let title = format!(
        "{} in {path} contradicts {}",
        requirement.written,
        against.why.join(", ")
    );
    let mut evidence = vec![context.quote(path, requirement.line)];
    evidence.append(&mut against.evidence);
    let finding = findings.add(title, evidence);
    if !against.is_certain {
        "The installation compiles for an hour, or fails, or what it installed breaks on import."
            .clone_into(&mut finding.impact);
    }
    if against.is_promise_only {
        finding.severity = Severity::Medium;
        "The package promises a Python on which it cannot be installed; lock files for it cannot be made."
            .clone_into(&mut finding.impact);
    }
}

/// An exact pin of a release that the table knows.
#[derive(Debug)]
struct Pin<'a> {
    path: &'a str,
    version: &'a Version,
    row: Release,
}

impl Pin<'_> {
    fn words(&self, install: Install) -> String {
        format!(
            "{} {} {}",
            self.row.package,
            self.version,
            self.row.words(install)
        )
    }

    /// Says whether a workflow installs something else: its Python never meets this list.
    fn is_not_installed_by(&self, context: &Context<'_>, workflow: &str) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or(self.path);
        context.project.requirements_file(self.path).is_some()
            && workflow.starts_with(".github/")
            && context
                .tree
                .text(workflow)
                .is_some_and(|text| !text.contains(name))
    }

    /// Compares with the Pythons of images, CI and pins of the folder.
    fn against_pythons(&self, context: &Context<'_>, pythons: &Pythons, against: &mut Against) {
        let places = pythons.of_folder(folder_of(self.path));
        for place in places.filter(|place| !place.is_for_tools) {
            if self.is_not_installed_by(context, &place.path) {
                continue;
            }
            let install = self.row.on(place.minor);
            if install == Install::Works {
                continue;
            }
            let words = format!("{}, this is 3.{}", self.words(install), place.minor);
            against.add(
                format!("Python 3.{} in {}", place.minor, place.path),
                context.quote_with(&place.path, place.line, &words),
                install == Install::Refused,
            );
        }
    }

    /// Compares with the Pythons that manifests of the folder declare.
    fn against_manifests(&self, context: &Context<'_>, against: &mut Against) {
        let folder = folder_of(self.path);
        for manifest in &context.project.manifests {
            let (Some(asked), Some(versions)) = (&manifest.python, &manifest.python_versions)
            else {
                continue;
            };
            if folder_of(&manifest.path) != folder {
                continue;
            }
            let declared: Vec<(u64, Install)> = (FIRST_JUDGED..=NEWEST_KNOWN)
                .filter(|minor| fits(versions, *minor))
                .map(|minor| (minor, self.row.on(minor)))
                .collect();
            let Some((oldest, on_oldest)) = declared.first().copied() else {
                continue;
            };
            let best = declared.iter().map(|(_, install)| *install).min();
            let is_hopeless = best.is_some_and(|best| best != Install::Works);
            // A range that begins earlier than the pin allows: only what is declared in one place is a promise.
            let is_promise = on_oldest == Install::Refused && self.path == manifest.path.as_ref();
            if !is_hopeless && !is_promise {
                continue;
            }
            let is_alone = against.evidence.is_empty();
            let install = if is_hopeless { best } else { None }.unwrap_or(Install::Refused);
            let why = if is_hopeless {
                format!("Python {} in {}", asked.value, manifest.path)
            } else {
                format!("Python 3.{oldest}, which {} allows", manifest.path)
            };
            let evidence = context.quote_with(&manifest.path, asked.line, &self.words(install));
            let was_promise_only = against.is_promise_only;
            against.add(why, evidence, install == Install::Refused);
            against.is_promise_only = !is_hopeless && (is_alone || was_promise_only);
        }
    }
}

/// The oldest Python that ranges are tried with; what is declared for older ones is not judged.
const FIRST_JUDGED: u64 = 6;

fn fits(versions: &Specifiers, minor: u64) -> bool {
    Specifiers::parse(&format!("==3.{minor}.*")).is_some_and(|python| versions.fits_with(&python))
}

/// Compares the Pythons of CI jobs that install the package with what the package declares.
fn check_jobs(context: &Context<'_>, findings: &mut Findings) {
    let at_root = |manifest: &&Manifest| !manifest.path.contains('/');
    for manifest in context.project.manifests.iter().filter(at_root) {
        let (Some(asked), Some(versions)) = (&manifest.python, &manifest.python_versions) else {
            continue;
        };
        for workflow in &context.project.workflows {
            let installing = workflow
                .jobs
                .iter()
                .filter(|job| matches!(installs(job), Installs::Package));
            let outside: Vec<(u32, u64)> = installing
                .flat_map(pythons_of_job)
                .filter(|(_, minor)| !fits(versions, *minor))
                .collect();
            let Some((_, first)) = outside.first() else {
                continue;
            };
            let title = format!(
                "{} installs the package on Python 3.{first}, {} asks for {}",
                workflow.path, manifest.path, asked.value
            );
            let mut evidence: Vec<Evidence> = outside
                .iter()
                .map(|(line, minor)| {
                    context.quote_with(&workflow.path, *line, &format!("Python 3.{minor}"))
                })
                .collect();
            evidence.push(context.quote(&manifest.path, asked.line));
            findings.add(title, evidence);
        }
    }
}

/// Says what the table does not reach.
fn not_checked(findings: &mut Findings, pythons: &Pythons, beyond: &BTreeSet<String>) {
    if !beyond.is_empty() {
        let shown: Vec<&str> = beyond.iter().take(5).map(String::as_str).collect();
        findings.not_checked(format!(
            "on which Python {} runs: the table of releases does not say ({} pins)",
            shown.join(", "),
            beyond.len()
        ));
    }
    if let Some(place) = pythons.all().find(|place| place.minor > NEWEST_KNOWN) {
        findings.not_checked(format!(
            "what is built for Python 3.{} of {}: the table of releases ends at 3.{NEWEST_KNOWN}",
            place.minor, place.path
        ));
    }
    if let Some(path) = pythons.undated.first() {
        findings.not_checked(format!(
            "which Python the image of {path} has: it names no version, and the table of Pythons ends before today"
        ));
    }
}

fn exact(requirement: &Requirement) -> Option<&Version> {
    requirement.versions.as_ref()?.exact()
}

/// The same package in other files of the folder, or later in the file, that no common version fits.
fn others<'a>(all: &[Line<'a>], path: &str, requirement: &Requirement) -> Vec<Line<'a>> {
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

/// A pinned package that another version of this one is needed by.
#[derive(Debug)]
struct Need<'a> {
    of: Line<'a>,
    words: String,
    /// Whether the release declares it, so that the installer refuses.
    is_declared: bool,
}

/// Pinned packages of the folder that need another version of this one.
fn needs<'a>(all: &[Line<'a>], path: &str, requirement: &Requirement) -> Vec<Need<'a>> {
    let Some(versions) = exact(requirement).and(requirement.versions.as_ref()) else {
        return Vec::new();
    };
    if requirement.name.as_ref() != "numpy" {
        return Vec::new();
    }
    let is_numpy_2 = exact(requirement).is_some_and(|version| *version >= Version::of(&[2]));
    let beside = all.iter().filter(|(other_path, other)| {
        folder_of(other_path) == folder_of(path) && other.marker.is_none()
    });
    beside
        .filter_map(|(other_path, other)| {
            let row = release(&other.name, exact(other)?)?;
            let declared = Specifiers::parse(row.numpy)?;
            let need = |words: String, is_declared| Need {
                of: (other_path, other),
                words,
                is_declared,
            };
            if !declared.fits_with(versions) {
                Some(need(format!("needs numpy{}", row.numpy), true))
            } else if is_numpy_2 && row.is_for_numpy_1 {
                Some(need("was compiled for numpy 1".to_owned(), false))
            } else {
                None
            }
        })
        .collect()
}
