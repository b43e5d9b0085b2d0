//! `uncollectable-tests`: tests that the test runner never runs although they can be read.

use std::collections::BTreeMap;

use tradewind_repo::python::{Class, Function, Module};

use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::quotes::{Quotes, grouped, has_end, is_foreign};
use crate::rule::{About, Context, Findings, Rule};

static ABOUT: About = About {
    id: "uncollectable-tests",
    title: "Tests that are never run",
    area: Area::Tests,
    severity: Severity::High,
    confidence: Confidence::Certain,
    timeframe: Timeframe::Week,
    impact: "These tests are in the repository and never run: what they guard is not guarded.",
    action: "Give the file, class or function a name and form that the test runner collects.",
    after: &["syntax-error", "unresolved-import"],
};

/// The rule.
pub struct UncollectableTests;

impl Rule for UncollectableTests {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let mut quotes = Quotes::new(context);
        let patterns = patterns(context);
        let mut named: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for module in &context.code.modules {
            let path = module.path.as_ref();
            if is_foreign(path) || !has_end(path, "py") {
                continue;
            }
            let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
            if is_collected(&patterns, name) {
                let init = format!("{folder}/__init__.py");
                if holds_tests(module)
                    && !folder.is_empty()
                    && context.code.module(&init).is_none()
                    && is_entered(context, folder)
                {
                    named.entry(name).or_default().push(path);
                }
                classes_that_make_themselves(&mut quotes, module, findings);
            } else if is_test_file_by_content(context, module) {
                let evidence = first_test(module)
                    .map(|function| quotes.at(path, function.line))
                    .into_iter()
                    .collect::<Vec<_>>();
                let count = tests(module).count();
                let finding = findings.add(
                    format!(
                        "{path} holds {count} tests, and its name is not one that pytest collects"
                    ),
                    evidence,
                );
                finding.confidence = Confidence::Likely;
                finding.severity = Severity::Medium;
            }
        }
        if !imports_by_path(context) {
            for (name, paths) in named.into_iter().filter(|(_, paths)| paths.len() > 1) {
                let evidence = paths
                    .iter()
                    .map(|path| Evidence::file(*path, "no __init__.py beside it"))
                    .collect();
                let finding = grouped(
                    findings,
                    format!(
                        "{} files are called {name}: pytest refuses all but the first",
                        paths.len()
                    ),
                    evidence,
                );
                "Put an __init__.py beside them, or give them different names."
                    .clone_into(&mut finding.action);
            }
        }
    }
}

/// Patterns of test files: what the settings say, else pytest's own.
fn patterns(context: &Context<'_>) -> Vec<String> {
    let said: Vec<String> = context
        .project
        .settings
        .iter()
        .flat_map(|settings| &settings.file_patterns)
        .map(|pattern| pattern.value.to_string())
        .collect();
    if said.is_empty() {
        vec!["test_*.py".to_owned(), "*_test.py".to_owned()]
    } else {
        said
    }
}

/// Whether pytest, started without paths, comes to a folder: `testpaths` and `norecursedirs`.
fn is_entered(context: &Context<'_>, folder: &str) -> bool {
    let settings = &context.project.settings;
    let skipped = settings.iter().flat_map(|of| &of.skipped_folders);
    let is_skipped = skipped
        .map(|pattern| pattern.value.as_ref())
        .any(|pattern| folder.split('/').any(|part| fits(pattern, part)) || folder == pattern);
    let mut roots = settings
        .iter()
        .flat_map(|of| &of.test_paths)
        .map(|path| path.value.trim_start_matches("./").trim_end_matches('/'))
        .peekable();
    let is_below = |root: &str| {
        root.is_empty()
            || root == "."
            || root.contains('*')
            || folder
                .strip_prefix(root)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    !is_skipped && (roots.peek().is_none() || roots.any(is_below))
}

fn is_collected(patterns: &[String], name: &str) -> bool {
    patterns.iter().any(|pattern| fits(pattern, name))
}

/// Whether a name fits a pattern with `*`.
fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(first) = parts.next() else {
        return false;
    };
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
        last = Some(part);
    }
    rest.is_empty()
        || last == Some("")
        || last.is_some_and(|part| !part.is_empty() && name.ends_with(part))
}

/// Whether modules of tests may share a name.
fn imports_by_path(context: &Context<'_>) -> bool {
    context
        .project
        .settings
        .iter()
        .filter_map(|settings| settings.options.as_ref())
        .any(|options| options.value.contains("importlib"))
        || !context.code.modules.iter().any(|module| {
            module
                .imports
                .iter()
                .any(|import| import.module.split('.').next() == Some("pytest"))
        })
}

fn tests(module: &Module) -> impl Iterator<Item = &Function> {
    module.functions.iter().filter(|function| {
        let class = function
            .class
            .and_then(|class| module.classes.get(class as usize));
        function.name.starts_with("test_")
            && function.scope.is_none()
            && class.is_none_or(|class| class.name.starts_with("Test") || is_unittest(class))
    })
}

fn first_test(module: &Module) -> Option<&Function> {
    tests(module).next()
}

fn holds_tests(module: &Module) -> bool {
    first_test(module).is_some()
}

fn is_unittest(class: &Class) -> bool {
    class.bases.iter().any(|base| base.contains("TestCase"))
}

/// A file in a test folder that is full of tests, started by nothing.
fn is_test_file_by_content(context: &Context<'_>, module: &Module) -> bool {
    let path = module.path.as_ref();
    let name = path.rsplit('/').next().unwrap_or(path);
    let is_among_tests = path
        .split('/')
        .rev()
        .skip(1)
        .any(|part| matches!(part, "tests" | "test"));
    is_among_tests
        && name != "conftest.py"
        && name != "__init__.py"
        && module.main_guard.is_none()
        && tests(module).count() >= 2
        && context.code.importers_of(path).next().is_none()
        && !["unittest", "nose", "django"].iter().any(|runner| {
            module
                .imports
                .iter()
                .any(|import| import.module.split('.').next() == Some(runner))
        })
}

/// Classes that pytest passes over, because they have an `__init__` of their own.
fn classes_that_make_themselves(quotes: &mut Quotes<'_>, module: &Module, findings: &mut Findings) {
    for (index, class) in module.classes.iter().enumerate() {
        let methods = || {
            module
                .functions
                .iter()
                .filter(move |function| function.class.is_some_and(|of| of as usize == index))
        };
        let makes_itself = methods().find(|function| function.name.as_ref() == "__init__");
        let count = methods()
            .filter(|function| function.name.starts_with("test"))
            .count();
        if let Some(init) = makes_itself
            && count > 0
            && class.name.starts_with("Test")
            && class.bases.iter().all(|base| base.as_ref() == "object")
        {
            let path = module.path.as_ref();
            let evidence = vec![quotes.at(path, init.line), quotes.at(path, class.line)];
            findings.add(
                format!("{path}: pytest passes over {} with its {count} tests, because it has an __init__", class.name),
                evidence,
            );
        }
    }
}

#[cfg(test)]
mod unit {
    use super::fits;

    #[test]
    fn patterns_fit_as_a_shell_would() {
        assert!(fits("test_*.py", "test_a.py"));
        assert!(fits("*_test.py", "live_quotes_test.py"));
        assert!(!fits("test_*.py", "tests.py"));
        assert!(fits("*.py", "a.py"));
        assert!(!fits("test_*.py", "test_a.pyc"));
    }
}
