//! Every rule, by area. A new rule is a file in its area's folder, one line in the area's list, a page in
//! `docs/rules/` and two fixtures.

pub mod ci;
pub mod containers;
pub mod documentation;
pub mod history;
pub mod market_data;
pub mod runs;
pub mod safety;
pub mod structure;
pub mod tests;
pub mod trading;

use crate::rule::{PythonRule, Rule};

/// The rules over the whole repository.
pub fn rules() -> impl Iterator<Item = &'static dyn Rule> {
    [
        runs::RULES,
        tests::RULES,
        ci::RULES,
        containers::RULES,
        safety::RULES,
        market_data::RULES,
        trading::RULES,
        documentation::RULES,
        structure::RULES,
        history::RULES,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// The rules over one Python file.
pub fn python_rules() -> impl Iterator<Item = &'static dyn PythonRule> {
    [
        runs::PYTHON_RULES,
        tests::PYTHON_RULES,
        safety::PYTHON_RULES,
        market_data::PYTHON_RULES,
        trading::PYTHON_RULES,
    ]
    .into_iter()
    .flatten()
    .copied()
}
