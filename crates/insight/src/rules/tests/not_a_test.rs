//! `not-a-test`: files in test folders that hold no test and help none.

use tradewind_repo::python::Module;

use crate::finding::{Area, Confidence, Severity, Timeframe};
use crate::quotes::{Quotes, grouped, has_end, is_foreign, named_elsewhere};
use crate::rule::{About, Context, Findings, Rule};

static ABOUT: About = About {
    id: "not-a-test",
    title: "Files in test folders that test nothing",
    area: Area::Tests,
    severity: Severity::Low,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Month,
    impact: "It looks as if this part were tested, and it is not.",
    action: "Move it to where scripts lie, or make it a test.",
    after: &["uncollectable-tests"],
};

/// Folders below a test folder that hold what tests read, or what people run by hand and say so.
const AROUND: &[&str] = &[
    "fixtures",
    "data",
    "resources",
    "snapshots",
    "examples",
    "benchmarks",
    "helpers",
    "utils",
    "support",
    "mocks",
    "samples",
    "assets",
    "stubs",
    "manual",
    "performance",
    "perf",
    "profiling",
    "load",
    "config",
];

/// The rule.
pub struct NotATest;

impl Rule for NotATest {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let mut quotes = Quotes::new(context);
        let scripts: Vec<&Module> = context
            .code
            .modules
            .iter()
            .map(AsRef::as_ref)
            .filter(|module| {
                is_in_test_folder(&module.path)
                    && !is_foreign(&module.path)
                    && is_script(context, module)
            })
            .collect();
        let name = |module: &Module| {
            let path = module.path.as_ref();
            path.rsplit('/')
                .next()
                .unwrap_or(path)
                .trim_end_matches(".py")
                .to_owned()
        };
        let words: Vec<(String, String)> = scripts
            .iter()
            .map(|module| (name(module), module.path.to_string()))
            .collect();
        let named = named_elsewhere(context, &words);
        let paths: Vec<&str> = scripts
            .iter()
            .filter(|module| !named.contains(&name(module)))
            .map(|module| module.path.as_ref())
            .collect();
        let Some((first, others)) = paths.split_first() else {
            return;
        };
        let title = match others.len() {
            0 => format!("{first} lies among the tests and tests nothing"),
            more => format!("{first} and {more} more files lie among the tests and test nothing"),
        };
        let evidence = paths
            .iter()
            .map(|path| quotes.noted(path, 1, "no test in it, and nothing imports it"))
            .collect();
        grouped(findings, title, evidence);
    }
}

fn is_in_test_folder(path: &str) -> bool {
    let Some((folder, _)) = path.rsplit_once('/') else {
        return false;
    };
    let mut parts = folder.split('/');
    let below = parts.by_ref().any(|part| matches!(part, "tests" | "test"));
    below && !parts.any(|part| AROUND.contains(&part))
}

/// A file that does something when it is started, holds no test and is imported by nobody.
fn is_script(context: &Context<'_>, module: &Module) -> bool {
    let name = module.path.rsplit('/').next().unwrap_or_default();
    let is_special = matches!(
        name,
        "conftest.py" | "__init__.py" | "__main__.py" | "setup.py" | "settings.py"
    ) || name.contains("run")
        || !has_end(name, "py");
    let does_something = module.main_guard.is_some() || module.has_top_level_effects;
    let holds_tests = module
        .functions
        .iter()
        .any(|function| function.name.starts_with("test"))
        || module.classes.iter().any(|class| {
            class.name.starts_with("Test")
                || class.name.ends_with("Test")
                || class.name.ends_with("Tests")
                || class
                    .bases
                    .iter()
                    .any(|base| base.contains("TestCase") || base.contains("Test"))
        })
        || module.functions.iter().any(|function| {
            function
                .decorators
                .iter()
                .any(|decorator| decorator.contains("fixture"))
        });
    let starts_tests = module.calls.iter().any(|call| {
        matches!(
            call.callee.as_ref(),
            "unittest.main" | "pytest.main" | "unittest.TextTestRunner" | "doctest.testmod"
        )
    });
    let asserts = super::is_collected_by_name(&module.path);
    !is_special
        && does_something
        && !holds_tests
        && !starts_tests
        && !asserts
        && module.errors.is_empty()
        && context.code.importers_of(&module.path).next().is_none()
}
