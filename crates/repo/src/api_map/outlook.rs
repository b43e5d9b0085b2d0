//! Whether a call is ever made, and what stops it: starts, files that Python cannot read, imports that lead nowhere.
//!
//! Not here: what goes wrong once it is sent (the rules).

use super::ApiCall;
use super::reach::Callers;
use crate::python::{Code, Module, Resolution, ScopeId};

/// Fills in what starts each call, whether anything does, and what stops it.
pub(super) fn tell(code: &Code, callers: &Callers, calls: &mut [ApiCall]) {
    for call in calls {
        let (starts, is_started) = callers.starts(code, (call.module, call.scope));
        call.entry_points = starts;
        call.is_reachable = if is_started {
            Some(true)
        } else {
            would_be_seen(code, call).then_some(false)
        };
        if let Some(module) = code.modules.get(call.module) {
            call.obstacles = obstacles(code, module, call.scope);
        }
        if call.elsewhere.is_some() {
            call.obstacles.push("the host does not serve it".to_owned());
        }
    }
}

/// Returns what stops a call in this file: what Python cannot read, and imports that lead nowhere.
fn obstacles(code: &Code, module: &Module, scope: ScopeId) -> Vec<String> {
    let error = module.errors.first().map(|error| {
        format!(
            "line {} cannot be read by Python: {}",
            error.line, error.message
        )
    });
    let missing =
        code.imports_of(&module.path)
            .filter_map(|(import, resolution)| {
                let is_needed = !import.is_optional && !import.is_for_types;
                let is_on_the_way = import.scope.is_none() || import.scope == scope;
                match resolution {
                    Resolution::Missing { module, .. } if is_needed && is_on_the_way => Some(
                        format!("line {} imports {module}, which is not there", import.line),
                    ),
                    _ => None,
                }
            });
    error.into_iter().chain(missing).take(5).collect()
}

/// Says whether a start of a call would have been seen: methods, decorated and inner functions may be
/// called in ways that nobody can read off the code.
fn would_be_seen(code: &Code, call: &ApiCall) -> bool {
    let module = code.modules.get(call.module);
    let function = module.and_then(|module| module.functions.get(call.scope? as usize));
    function.is_some_and(|f| f.class.is_none() && f.scope.is_none() && f.decorators.is_empty())
        && module.is_some_and(|module| !module.is_dynamic)
}
