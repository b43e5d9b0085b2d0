//! Imported packages that nothing declares.

use std::collections::{BTreeMap, BTreeSet};

use crate::declared::Declared;
use crate::tables::distributions::{is_common, packages_of};
use tradewind_repo::python::{Code, Import, Module, Resolution};

use crate::finding::{Area, Confidence, Evidence, Finding, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};
use crate::source::Source;

/// Imported packages that nothing declares.
#[derive(Debug)]
pub struct UndeclaredPackage;

const ABOUT: About = About {
    id: "undeclared-package",
    title: "Imported packages that nothing declares",
    area: Area::Runs,
    severity: Severity::High,
    confidence: Confidence::Possible,
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
        let installed = installed_by_hand(context);
        let mut missing: BTreeMap<&str, Vec<(&str, u32)>> = BTreeMap::new();
        let mut undecided = BTreeSet::new();
        let mut needed = BTreeSet::new();
        let has_choices = offers_choices(context);
        for (module, import, resolution) in context.code.imports() {
            let Resolution::Outside { package } = resolution else {
                continue;
            };
            if import.is_optional
                || import.is_for_types
                || is_aside(&module.path)
                || is_given_away(&module.path)
                || import.scope.is_some() && is_asked_for(context, &module.path, import.line)
                || is_caught_by_callers(module, import)
                || is_from_its_maker(context, import)
                || is_loaded_on_trial(context, module)
                || import.scope.is_some() && has_choices
                // What a function takes from a notebook's shell is there where it is called.
                || import.scope.is_some() && import.module.split('.').next() == Some("IPython")
            {
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
            let is_declared = packages.iter().any(|package| {
                declared.has(package)
                    || declared.brings(package)
                    || declared.offers(package)
                    || declared.has_fork_of(package)
                    || installed.iter().any(|word| brings(word, package))
            });
            let may_come_along = packages
                .iter()
                .filter(|package| is_common(package))
                .find_map(|_| declared.unknown());
            if let (false, Some(other)) = (is_declared, may_come_along) {
                undecided.insert(format!(
                    "{}: {other} may bring it, what that needs is in no table here",
                    packages.first().copied().unwrap_or(package)
                ));
                continue;
            }
            if !is_declared {
                let name = packages.first().copied().unwrap_or(package);
                let places = missing.entry(name).or_default();
                places.push((&module.path, import.line));
                // What only a function needs, or a file that nothing starts, may be somebody's choice.
                if import.scope.is_none() && is_a_part(context.code, &module.path) {
                    needed.insert(name);
                }
            }
        }
        for reason in undecided {
            findings.not_checked(reason);
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
            let title = title_of_none(&names);
            let evidence = firsts(context, &missing);
            let is_needed = !needed.is_empty() && !is_on_a_page(context);
            weigh(findings.add(title, evidence), is_needed);
            return;
        }
        if missing.len() > MAX_APART {
            let names: Vec<&str> = missing.keys().take(4).copied().collect();
            let title = format!(
                "{} packages are imported and declared nowhere: {} and others",
                missing.len(),
                names.join(", ")
            );
            let evidence = firsts(context, &missing);
            weigh(findings.add(title, evidence), !needed.is_empty());
            return;
        }
        report_each(context, &missing, &needed, findings);
    }
}

/// Tells what is missing, package by package, and together what one file alone needs.
fn report_each(
    context: &Context<'_>,
    missing: &BTreeMap<&str, Vec<(&str, u32)>>,
    needed: &BTreeSet<&str>,
    findings: &mut Findings,
) {
    // What one file needs and nobody declared was forgotten at one time.
    let mut together: BTreeMap<Vec<&str>, Vec<&str>> = BTreeMap::new();
    for (package, places) in missing {
        let mut files: Vec<&str> = places.iter().map(|(path, _)| *path).collect();
        files.dedup();
        together.entry(files).or_default().push(package);
    }
    for (files, packages) in &together {
        if let ([file], [_, _, ..]) = (files.as_slice(), packages.as_slice()) {
            let title = format!("{file} imports {}, declared nowhere", packages.join(", "));
            let of_file = missing
                .iter()
                .filter(|(package, _)| packages.contains(package));
            let evidence = of_file
                .filter_map(|(package, places)| {
                    let (path, line) = places.first()?;
                    Some(context.quote_with(path, *line, package))
                })
                .collect();
            let is_needed = packages.iter().any(|package| needed.contains(package));
            weigh(findings.add(title, evidence), is_needed);
        }
    }
    let is_told = |package: &str| {
        together.iter().any(|(files, packages)| {
            files.len() == 1 && packages.len() > 1 && packages.contains(&package)
        })
    };
    for (package, places) in missing {
        if is_told(package) {
            continue;
        }
        let evidence = places
            .iter()
            .map(|(path, line)| context.quote(path, *line))
            .collect();
        let finding = findings.add(
            format!("{package} is imported and declared nowhere"),
            evidence,
        );
        weigh(finding, needed.contains(package));
        if places.iter().all(|(path, _)| is_lone_script(context, path)) {
            finding.severity = Severity::Medium;
        }
    }
}

/// Says whether something that starts loads a file, and another one imports it: a script may have what it needs on the
/// one machine where somebody starts it.
fn is_a_part(code: &Code, path: &str) -> bool {
    code.is_loaded(path)
        && code
            .importers_of(path)
            .any(|(importer, _)| !Code::is_test(&importer.path) && importer.path.as_ref() != path)
}

/// Says whether a page tells by hand what to install: a list of a kind.
fn is_on_a_page(context: &Context<'_>) -> bool {
    let pages = context.documents.pages.iter();
    pages
        .filter_map(|page| context.tree.text(&page.path))
        .any(|text| text.contains("pip install ") || text.contains("pip3 install "))
}

/// Returns what pages tell to install beside the lists: `pip install git+https://host/someone/bt-ccxt-store`.
fn installed_by_hand(context: &Context<'_>) -> BTreeSet<String> {
    let pages = context.documents.pages.iter();
    let texts = pages.filter_map(|page| context.tree.text(&page.path));
    let mut found = BTreeSet::new();
    for text in texts {
        for line in text.lines() {
            let Some((_, words)) = line
                .split_once("pip install ")
                .or_else(|| line.split_once("pip3 install "))
            else {
                continue;
            };
            let names = words
                .split_whitespace()
                .take(MAX_WORDS)
                .filter(|word| !word.starts_with('-'))
                .filter_map(|word| word.trim_matches(['`', '"', '\'']).rsplit('/').next());
            found.extend(names.map(|name| name.trim_end_matches(".git").to_ascii_lowercase()));
        }
    }
    found
}

/// Most words of one line that are read as packages.
const MAX_WORDS: usize = 40;

/// Says whether an installed distribution is a package, or one for it by its name: `bt-ccxt-store` needs `ccxt`.
fn brings(installed: &str, package: &str) -> bool {
    let package = package.to_ascii_lowercase().replace('_', "-");
    let installed = installed.replace('_', "-");
    let bare = installed
        .split(['=', '<', '>', '[', '~'])
        .next()
        .unwrap_or_default();
    bare == package || !package.contains('-') && bare.split('-').any(|part| part == package)
}

/// What something that starts loads at its first lines is missing for sure where nothing else brings it.
fn weigh(finding: &mut Finding, is_needed: bool) {
    if is_needed {
        finding.confidence = Confidence::Likely;
    }
}

/// Says whether a package comes from its maker's own installer, and a page says so: the API of Interactive Brokers.
fn is_from_its_maker(context: &Context<'_>, import: &Import) -> bool {
    let pages = || {
        let pages = context.documents.pages.iter();
        pages.filter_map(|page| context.tree.text(&page.path))
    };
    import.module.split('.').next() == Some("ibapi")
        && pages().any(|text| text.contains("TWS API") || text.contains("ibapi"))
}

/// Says whether only people start a file, and it lies where tools lie: the bot goes on without it.
fn is_lone_script(context: &Context<'_>, path: &str) -> bool {
    let folders = path.rsplit_once('/').map_or("", |(folders, _)| folders);
    let is_tool = folders.split('/').any(|part| {
        matches!(
            part,
            "scripts" | "tools" | "research" | "experiments" | "utils"
        )
    });
    is_tool && context.code.importers_of(path).next().is_none()
}

/// Says whether a condition asks first whether the package is there: `if is_lightgbm_available():`.
fn is_asked_for(context: &Context<'_>, path: &str, line: u32) -> bool {
    let text = context.tree.text(path).unwrap_or_default();
    let source = Source::of(path, &text);
    source.heads(line).into_iter().any(|head| {
        let head = source.line(head).to_lowercase();
        head.trim_start().starts_with("if ")
            && ["available", "installed", "find_spec", "has_", "have_"]
                .iter()
                .any(|word| head.contains(word))
    })
}

/// Says whether a file is handed out to run somewhere else, with what is installed there.
fn is_given_away(path: &str) -> bool {
    path.split('/')
        .rev()
        .skip(1)
        .any(|part| matches!(part, "static" | "templates"))
}

/// Says what is missing where nothing is declared at all.
fn title_of_none(names: &[&str]) -> String {
    match names {
        [one] => format!("{one} is imported, and the repository declares no packages"),
        many => format!(
            "{} packages are imported, and the repository declares none",
            many.len()
        ),
    }
}

/// Quotes the first import of each package.
fn firsts(context: &Context<'_>, missing: &BTreeMap<&str, Vec<(&str, u32)>>) -> Vec<Evidence> {
    missing
        .iter()
        .filter_map(|(package, places)| {
            let (path, line) = places.first()?;
            Some(context.quote_with(path, *line, package))
        })
        .collect()
}

/// More packages than this have one cause: a list that was lost or never kept.
const MAX_APART: usize = 4;

/// Says whether a function imports something and everybody who calls it goes on when it fails: a chart that is
/// drawn where the package for it is there.
fn is_caught_by_callers(module: &Module, import: &Import) -> bool {
    let function = import
        .scope
        .and_then(|scope| module.functions.get(scope as usize));
    let Some(function) = function else {
        return false;
    };
    let mut calls = module
        .calls
        .iter()
        .filter(|call| call.written.rsplit('.').next() == Some(&function.name))
        .peekable();
    calls.peek().is_some() && calls.all(|call| call.swallowed_at.is_some())
}

/// Says whether everybody who imports a module goes on without it: its packages are needed by those who use it.
fn is_loaded_on_trial(context: &Context<'_>, module: &Module) -> bool {
    let mut importers = context.code.importers_of(&module.path).peekable();
    importers.peek().is_some() && importers.all(|(_, import)| import.is_optional)
}

/// Says whether the package is a library that leaves choices to whoever installs it: it needs nothing, or names
/// extras beside those for its own development. What only a function imports may be one of these choices.
fn offers_choices(context: &Context<'_>) -> bool {
    const OWN: &[&str] = &[
        "dev", "test", "tests", "testing", "doc", "docs", "lint", "all", "build", "ci",
    ];
    let has_list = !context.project.requirements.is_empty();
    let mut manifests = context
        .project
        .manifests
        .iter()
        .filter(|manifest| manifest.name.is_some());
    manifests.any(|manifest| {
        let needs_nothing = !has_list
            && !manifest.is_open
            && manifest
                .requirements
                .iter()
                .all(|requirement| requirement.group.is_some());
        let has_extra = manifest.requirements.iter().any(|requirement| {
            requirement
                .group
                .as_deref()
                .is_some_and(|group| !OWN.contains(&group.to_ascii_lowercase().as_str()))
        });
        needs_nothing || has_extra
    })
}

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
        "contrib",
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
