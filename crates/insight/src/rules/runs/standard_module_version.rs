//! `standard-module-version`: modules of Python's own library that the declared Python lacks, no more or not yet.
//!
//! Not here: modules that only Python 2 had; those are `unresolved-import`.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use tradewind_repo::project::version::Specifiers;
use tradewind_repo::python::{Code, Import, Module, Resolution, StandardModule};

use crate::declared::{Declared, folder_of};
use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::pythons::{Place, Pythons};
use crate::quotes::{Quotes, grouped, is_foreign, is_shelved, is_template};
use crate::rule::{About, Context, Findings, Rule};
use crate::tables::releases::NEWEST_KNOWN;

static ABOUT: About = About {
    id: "standard-module-version",
    title: "Modules that the declared Python lacks",
    area: Area::Runs,
    severity: Severity::High,
    confidence: Confidence::Likely,
    timeframe: Timeframe::Week,
    impact: "The import fails on the Python that you say you run, mostly on the day somebody raises it.",
    action: "Use what replaced the module, or import it under a guard with a fallback.",
    after: &[],
};

/// The rule.
#[derive(Debug)]
pub struct StandardModuleVersion;

/// Packages that bring a module back, or bring it early, under its own name.
const BACKPORTS: &[(&str, &str)] = &[
    ("asynchat", "pyasynchat"),
    ("asyncore", "pyasyncore"),
    ("audioop", "audioop-lts"),
    ("cgi", "legacy-cgi"),
    ("cgitb", "legacy-cgi"),
    ("distutils", "setuptools"),
    ("graphlib", "graphlib-backport"),
    ("imp", "zombie-imp"),
];

/// What to use instead, where it has another name.
const INSTEAD: &[(&str, &str)] = &[
    ("asynchat", "asyncio"),
    ("asyncore", "asyncio"),
    ("cgi", "email.message, urllib.parse or a web framework"),
    ("crypt", "bcrypt or passlib"),
    ("distutils", "setuptools, shutil, packaging.version"),
    ("imghdr", "filetype or Pillow"),
    ("imp", "importlib"),
    ("pipes", "shlex and subprocess"),
    ("smtpd", "aiosmtpd"),
    ("telnetlib", "telnetlib3"),
    ("tomllib", "tomli, the same under another name"),
    (
        "zoneinfo",
        "backports.zoneinfo, the same under another name",
    ),
];

/// A module of Python's library that came or went, and who imports it.
#[derive(Debug)]
struct Imported<'a> {
    standard: StandardModule,
    places: Vec<(&'a Module, &'a Import)>,
}

/// A Python that somebody declares, and where.
#[derive(Debug)]
struct Asked {
    evidence: Evidence,
    /// In words: "Dockerfile runs Python 3.12".
    words: String,
    confidence: Confidence,
    path: String,
}

impl Rule for StandardModuleVersion {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let mut quotes = Quotes::new(context);
        let mut imports: BTreeMap<&str, Imported<'_>> = BTreeMap::new();
        for (module, import, resolution) in context.code.imports() {
            let Resolution::Standard(standard) = resolution else {
                continue;
            };
            let is_of_python_2 = standard.gone_in.is_some_and(|gone| gone <= (3, 0));
            let is_dated = standard.since.is_some() || standard.gone_in.is_some();
            if !is_dated || is_of_python_2 || import.is_optional || import.is_for_types {
                continue;
            }
            if is_set_aside(&module.path) || knows_versions(context, &module.path) {
                continue;
            }
            let entry = imports.entry(standard.name);
            let imported = entry.or_insert_with(|| Imported {
                standard: *standard,
                places: Vec::new(),
            });
            imported.places.push((module, import));
        }
        if imports.is_empty() {
            return;
        }
        let declared = Declared::of(context);
        let pythons = Pythons::of(context);
        let mut is_any_declared = pythons.all().next().is_some();
        is_any_declared |= manifests(context).next().is_some();
        if !is_any_declared {
            let names: Vec<&str> = imports.keys().copied().collect();
            findings.not_checked(format!(
                "whether the Python has {}: nothing says which Python it is",
                names.join(", ")
            ));
        }
        for (name, Imported { standard, places }) in &imports {
            if is_backported(&declared, name) {
                continue;
            }
            let mut asked: Vec<Asked> = Vec::new();
            let mut lines = Vec::new();
            for (module, import) in places {
                let lacking = lacking(context, &pythons, standard, &module.path);
                if lacking.is_empty() {
                    continue;
                }
                lines.push(quotes.at(&module.path, import.line));
                for one in lacking {
                    if asked.iter().all(|known| known.words != one.words) {
                        asked.push(one);
                    }
                }
            }
            asked.sort_by_key(|one| (Reverse(one.confidence), one.path.clone()));
            let Some(first) = asked.first() else { continue };
            let title = format!("{name} {}, {}", when(standard), first.words);
            let confidence = first.confidence;
            lines.extend(asked.into_iter().map(|one| one.evidence));
            let finding = grouped(findings, title, lines);
            finding.confidence = confidence;
            if let Some((_, instead)) = INSTEAD.iter().find(|(known, _)| known == name) {
                finding.action = format!(
                    "Use {instead}, or import it under `except ImportError` with a fallback."
                );
            }
        }
    }
}

/// Says in words when a module came or went.
fn when(standard: &StandardModule) -> String {
    match (standard.since, standard.gone_in) {
        (_, Some((major, minor))) => format!("is gone since Python {major}.{minor}"),
        (Some((major, minor)), None) => format!("comes with Python {major}.{minor}"),
        (None, None) => String::new(),
    }
}

/// Says whether a version of Python 3 lacks the module.
fn lacks(standard: &StandardModule, minor: u64) -> bool {
    let is_gone = |gone: (u8, u8)| minor >= u64::from(gone.1);
    let is_to_come = |since: (u8, u8)| minor < u64::from(since.1);
    standard.gone_in.is_some_and(is_gone) || standard.since.is_some_and(is_to_come)
}

/// Files that the program does not run with its own Python: others', shelved ones, forms; `setup.py`, which
/// the installer runs with setuptools beside it.
fn is_set_aside(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    is_foreign(path) || is_shelved(path) || is_template(path) || name == "setup.py"
}

/// Says whether a file asks which Python it runs on: then each import may stand under its own condition.
fn knows_versions(context: &Context<'_>, path: &str) -> bool {
    context.tree.text(path).is_none_or(|text| {
        ["version_info", "hexversion", "python_version"]
            .iter()
            .any(|word| text.contains(word))
    })
}

fn is_backported(declared: &Declared<'_>, name: &str) -> bool {
    let known = BACKPORTS.iter().filter(|(module, _)| *module == name);
    let mut packages = known.map(|(_, package)| *package);
    packages.any(|package| declared.has(package)) || declared.has(&format!("standard-{name}"))
}

fn manifests<'a>(
    context: &Context<'a>,
) -> impl Iterator<Item = (&'a str, u32, &'a str, &'a Specifiers)> {
    context.project.manifests.iter().filter_map(|manifest| {
        let asked = manifest.python.as_ref()?;
        let versions = manifest.python_versions.as_ref()?;
        Some((
            manifest.path.as_ref(),
            asked.line,
            asked.value.as_ref(),
            versions,
        ))
    })
}

/// Returns the folders above a file, the nearest first; the root is `""`.
fn folders_above(path: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(path);
    std::iter::from_fn(move || {
        let (folder, _) = rest?.rsplit_once('/').unwrap_or(("", ""));
        rest = (!folder.is_empty()).then_some(folder);
        Some(folder)
    })
}

/// Says whether CI may run a file: a test, what somebody imports, what a workflow names. A script that only people
/// start runs on their Python.
fn is_run_by_ci(context: &Context<'_>, path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    Code::is_test(path)
        || context.code.importers_of(path).next().is_some()
        || context.project.workflows.iter().any(|workflow| {
            context
                .tree
                .text(&workflow.path)
                .is_some_and(|text| text.contains(name))
        })
}

/// Returns what is declared for a file and lacks the module.
fn lacking(
    context: &Context<'_>,
    pythons: &Pythons,
    standard: &StandardModule,
    path: &str,
) -> Vec<Asked> {
    let mut found = Vec::new();
    // The nearest folder that declares a Python speaks for what lies below it.
    let near = folders_above(path)
        .map(|folder| pythons.of_folder(folder).collect::<Vec<&Place>>())
        .find(|places| !places.is_empty());
    for place in near.unwrap_or_default() {
        if place.path.starts_with(".github/") && !is_run_by_ci(context, path) {
            continue;
        }
        if !lacks(standard, place.minor) || place.is_for_tools || place.minor > NEWEST_KNOWN {
            continue;
        }
        let words = format!("{} runs Python 3.{}", place.path, place.minor);
        let evidence = context.quote_with(
            &place.path,
            place.line,
            &format!("Python 3.{}", place.minor),
        );
        found.push(Asked {
            evidence,
            words,
            confidence: Confidence::Likely,
            path: place.path.clone(),
        });
    }
    let near = folders_above(path).find_map(|folder| {
        let mut beside = manifests(context).filter(|(path, ..)| folder_of(path) == folder);
        beside.next()
    });
    if let Some((manifest, line, asked, versions)) = near {
        let allowed: Vec<u64> = (6..=NEWEST_KNOWN)
            .filter(|minor| {
                Specifiers::parse(&format!("==3.{minor}.*"))
                    .is_some_and(|python| versions.fits_with(&python))
            })
            .collect();
        let is_hopeless =
            !allowed.is_empty() && allowed.iter().all(|minor| lacks(standard, *minor));
        // `>=3.8` says nothing of how far it goes up, but it does say where it begins.
        let is_promise = standard.since.is_some()
            && allowed
                .first()
                .is_some_and(|oldest| lacks(standard, *oldest));
        if is_hopeless || is_promise {
            found.push(Asked {
                evidence: context.quote(manifest, line),
                words: format!("{manifest} allows Python {asked}"),
                confidence: if is_hopeless {
                    Confidence::Certain
                } else {
                    Confidence::Likely
                },
                path: manifest.to_owned(),
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_folder_comes_first() {
        let above: Vec<&str> = folders_above("a/b/c.py").collect();
        assert_eq!(above, ["a/b", "a", ""]);
        assert_eq!(folders_above("c.py").collect::<Vec<_>>(), [""]);
    }
}
