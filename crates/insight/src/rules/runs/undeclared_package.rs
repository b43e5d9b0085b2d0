//! Imported packages that nothing declares.

use std::collections::BTreeMap;

use crate::declared::Declared;
use crate::tables::distributions::packages_of;
use tradewind_repo::python::{Code, Resolution};

use crate::finding::{Area, Confidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

/// Imported packages that nothing declares.
#[derive(Debug)]
pub struct UndeclaredPackage;

const ABOUT: About = About {
    id: "undeclared-package",
    title: "Imported packages that nothing declares",
    area: Area::Runs,
    severity: Severity::High,
    confidence: Confidence::Likely,
    timeframe: Timeframe::Immediate,
    impact: "The program fails with ModuleNotFoundError on every machine but the one where the package happens to be installed.",
    action: "Add the package to the requirements, with the version that works today.",
    after: &[],
};

impl Rule for UndeclaredPackage {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let declared = Declared::of(context);
        let mut missing: BTreeMap<&str, Vec<(&str, u32)>> = BTreeMap::new();
        for (module, import, resolution) in context.code.imports() {
            let Resolution::Outside { package } = resolution else {
                continue;
            };
            if import.is_optional || import.is_for_types || is_aside(&module.path) {
                continue;
            }
            let dotted = match import.name.as_deref() {
                Some(name) if packages_of(&import.module).is_none() => {
                    format!("{}.{name}", import.module)
                }
                _ => import.module.to_string(),
            };
            // Modules that no row knows may be anything, even a file that is missing: other rules ask for those.
            let Some(packages) = packages_of(&dotted) else {
                continue;
            };
            let is_declared = packages
                .iter()
                .any(|package| declared.has(package) || declared.brings(package));
            if !is_declared {
                missing
                    .entry(packages.first().copied().unwrap_or(package))
                    .or_default()
                    .push((&module.path, import.line));
            }
        }
        if missing.is_empty() {
            return;
        }
        if let Some(reason) = &declared.open {
            findings.not_checked(format!("packages that the code imports: {reason}"));
            return;
        }
        if declared.is_nothing() {
            let names: Vec<&str> = missing.keys().copied().collect();
            let title = match names.as_slice() {
                [one] => format!("{one} is imported, and the repository declares no packages"),
                many => format!(
                    "{} packages are imported, and the repository declares none",
                    many.len()
                ),
            };
            let evidence = missing
                .iter()
                .filter_map(|(package, places)| {
                    let (path, line) = places.first()?;
                    Some(context.quote_with(path, *line, package))
                })
                .collect();
            findings.add(title, evidence);
            return;
        }
        if missing.len() > MAX_APART {
            let names: Vec<&str> = missing.keys().take(4).copied().collect();
            let title = format!(
                "{} packages are imported and declared nowhere: {} and others",
                missing.len(),
                names.join(", ")
            );
            let evidence = missing
                .iter()
                .filter_map(|(package, places)| {
                    let (path, line) = places.first()?;
                    Some(context.quote_with(path, *line, package))
                })
                .collect();
            findings.add(title, evidence);
            return;
        }
        for (package, places) in missing {
            let evidence = places
                .iter()
                .map(|(path, line)| context.quote(path, *line))
                .collect();
            findings.add(
                format!("{package} is imported and declared nowhere"),
                evidence,
            );
        }
    }
}

/// More packages than this have one cause: a list that was lost or never kept.
const MAX_APART: usize = 4;

/// Says whether a file stands beside the program: tests, docs, examples, settings of tools.
fn is_aside(path: &str) -> bool {
    let aside = [
        "docs",
        "doc",
        "examples",
        "example",
        "notebooks",
        "samples",
        "benchmarks",
        "tutorials",
        "test",
        "tests",
        "testing",
        "archive",
        "archived",
    ];
    Code::is_test(path)
        || path
            .split('/')
            .any(|part| aside.contains(&part.to_ascii_lowercase().as_str()))
        || matches!(
            path.rsplit('/').next(),
            Some("setup.py" | "conftest.py" | "noxfile.py" | "fabfile.py" | "tasks.py")
        )
}
