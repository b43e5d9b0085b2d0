//! What the README and its like claim.

mod absolute_home_path;
mod existing;
mod feature_missing;
mod header_names_other_path;
mod license_missing;
mod no_changelog;
mod project_json;
mod readme_command;
mod readme_count;
mod readme_path;
mod readme_tree;
mod readme_variable;
mod several_names;
mod targets;
mod undocumented_variable;
mod variables;

pub(in crate::rules) use existing::capped;

use crate::rule::Rule;

/// Rules over the whole repository.
pub const RULES: &[&dyn Rule] = &[
    &readme_command::ReadmeCommand,
    &readme_tree::ReadmeTree,
    &readme_path::ReadmePath,
    &readme_variable::ReadmeVariable,
    &undocumented_variable::UndocumentedVariable,
    &readme_count::ReadmeCount,
    &feature_missing::FeatureMissing,
    &header_names_other_path::HeaderNamesOtherPath,
    &absolute_home_path::AbsoluteHomePath,
    &license_missing::LicenseMissing,
    &no_changelog::NoChangelog,
    &project_json::ProjectJsonContradicts,
    &several_names::SeveralNames,
];
