//! Does it run: imports, names, entry points, packages and their versions.

pub mod contradicting_pins;
pub mod entry_point_missing;
pub mod hidden_definition;
pub mod import_side_effects;
pub mod logging_arguments;
pub mod missing_name;
pub mod standard_module_version;
pub mod syntax_error;
pub mod two_names_for_one_module;
pub mod unbound_name;
pub mod undeclared_package;
pub mod undefined_name;
pub mod unresolved_import;
pub mod unused_requirement;
pub mod wrong_arguments;

use crate::rule::{PythonRule, Rule};

/// Rules over the whole repository.
pub const RULES: &[&dyn Rule] = &[
    &unresolved_import::UnresolvedImport,
    &missing_name::MissingName,
    &undefined_name::UndefinedName,
    &syntax_error::SyntaxErrors,
    &wrong_arguments::WrongArguments,
    &two_names_for_one_module::TwoNamesForOneModule,
    &import_side_effects::ImportSideEffects,
    &logging_arguments::LoggingArguments,
    &contradicting_pins::ContradictingPins,
    &standard_module_version::StandardModuleVersion,
    &entry_point_missing::EntryPointMissing,
    &undeclared_package::UndeclaredPackage,
    &unused_requirement::UnusedRequirement,
];

/// Rules over one Python file.
pub const PYTHON_RULES: &[&dyn PythonRule] = &[
    &hidden_definition::HiddenDefinition,
    &unbound_name::UnboundName,
];
