//! Do the tests test: what is collected, what is tested, what is only claimed to be.

use crate::rule::{PythonRule, Rule};

pub mod ignored_test_settings;
pub mod live_test;
pub mod missing_test_path;
pub(crate) mod network;
pub mod not_a_test;
pub mod patch_target;
pub mod uncollectable_tests;

/// Rules over the whole repository.
pub const RULES: &[&dyn Rule] = &[
    &uncollectable_tests::UncollectableTests,
    &missing_test_path::MissingTestPath,
    &ignored_test_settings::IgnoredTestSettings,
    &live_test::LiveTest,
    &not_a_test::NotATest,
    &patch_target::PatchTarget,
];

/// Rules over one Python file.
pub const PYTHON_RULES: &[&dyn PythonRule] = &[];

/// Says whether a test runner collects a file of that name.
pub(crate) fn is_collected_by_name(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    std::path::Path::new(name)
        .extension()
        .is_some_and(|extension| extension == "py")
        && (name.starts_with("test_") || name.ends_with("_test.py"))
}
