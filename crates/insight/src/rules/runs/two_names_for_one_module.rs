//! `two-names-for-one-module`: one file that one process loads under two names.

use std::collections::{BTreeMap, BTreeSet};

use tradewind_repo::python::{Binding, Code, EntryKind, Module, Resolution, Value};

use crate::finding::{Area, Confidence, Severity, Timeframe};
use crate::quotes::{Quotes, grouped, is_declared, is_foreign, named_elsewhere};
use crate::rule::{About, Context, Findings, Rule};
use crate::tables::distributions::packages_of;

static ABOUT: About = About {
    id: "two-names-for-one-module",
    title: "Modules that one process loads under two names",
    area: Area::Runs,
    severity: Severity::Medium,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Week,
    impact: "There are two copies of the module's state: what one half of the program stores, the other never sees.",
    action: "Import it by one name everywhere, and start the program with `python -m`.",
    after: &["unresolved-import"],
};

/// The rule.
pub struct TwoNamesForOneModule;

impl Rule for TwoNamesForOneModule {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let code = context.code;
        let mut quotes = Quotes::new(context);
        let starts: BTreeSet<&str> = code
            .entries()
            .iter()
            .filter(|entry| matches!(entry.kind, EntryKind::Script | EntryKind::Package))
            .map(|entry| entry.path.as_ref())
            .collect();
        let mut found: BTreeMap<(String, Vec<String>), Vec<Place>> = BTreeMap::new();
        for start in starts {
            if is_foreign(start) || Code::is_test(start) {
                continue;
            }
            for (path, mut names) in loaded(code, start) {
                // `import redis` means the package, whatever lies in `backend/redis`.
                names.retain(|name, _| {
                    let top = name.split('.').next().unwrap_or_default();
                    packages_of(top).is_none()
                        || !is_declared(context, top)
                        || context.tree.has(top)
                });
                let has_state = code.module(&path).is_some_and(|module| has_state(module));
                if names.len() < 2 || !has_state {
                    continue;
                }
                let places: Vec<_> = names.values().cloned().collect();
                let names = names.into_keys().collect();
                found.entry((path, names)).or_insert(places);
            }
        }
        // A guard for trying a module out by hand is no start; one that a page, script or container names is.
        let words: Vec<(String, String)> = found
            .keys()
            .filter(|(_, names)| names.iter().any(|name| name == "__main__"))
            .flat_map(|(path, _)| {
                let dotted = path.trim_end_matches(".py").replace('/', ".");
                [
                    (path.clone(), path.clone()),
                    (format!("-m {dotted}"), path.clone()),
                ]
            })
            .collect();
        let named = named_elsewhere(context, &words);
        for ((path, names), places) in found {
            let dotted = path.trim_end_matches(".py").replace('/', ".");
            let is_tried_out = names.iter().any(|name| name == "__main__")
                && path.contains('/')
                && !named.contains(&path)
                && !named.contains(&format!("-m {dotted}"));
            if is_tried_out {
                continue;
            }
            let evidence = places
                .iter()
                .map(|(at, line)| quotes.at(at, *line))
                .collect();
            grouped(
                findings,
                format!("{path} is loaded as {}", names.join(" and as ")),
                evidence,
            );
        }
    }
}

/// Where a module is imported under each of its names.
type Names = BTreeMap<String, Place>;

/// A path and a line.
type Place = (Box<str>, u32);

/// Files that a start loads, each with its names.
fn loaded(code: &Code, start: &str) -> BTreeMap<String, Names> {
    let mut names: BTreeMap<String, Names> = BTreeMap::new();
    let line = code
        .module(start)
        .and_then(|module| module.main_guard)
        .unwrap_or(1);
    names
        .entry(start.to_owned())
        .or_default()
        .insert("__main__".to_owned(), (start.into(), line));
    let mut seen = BTreeSet::new();
    let mut waiting = vec![start.to_owned()];
    while let Some(path) = waiting.pop() {
        if !seen.insert(path.clone()) || seen.len() > 5_000 {
            continue;
        }
        for (import, resolution) in code.imports_of(&path) {
            let Resolution::File { path: to, name } = resolution else {
                continue;
            };
            // Of `try: from a import b` and `except ImportError: import b` one process runs one.
            if import.is_for_types || import.is_optional {
                continue;
            }
            // What a function imports is loaded when the function runs: followed only where that is seen.
            let runs = import
                .scope
                .is_none_or(|function| code.is_reached(&path, function));
            if import.scope.is_none() {
                waiting.push(to.to_string());
            } else if !runs || **to != *start {
                continue;
            }
            // Relative imports take the name of the package, whatever it is called by.
            if import.level > 0 || import.module.is_empty() || *path == **to {
                continue;
            }
            let dotted = match (&import.name, name) {
                (Some(taken), None) => format!("{}.{taken}", import.module),
                _ => import.module.to_string(),
            };
            names
                .entry(to.to_string())
                .or_default()
                .entry(dotted)
                .or_insert((path.as_str().into(), import.line));
        }
    }
    names
}

/// Whether a module keeps something that a second copy would not share: objects, lists, tables.
fn has_state(module: &Module) -> bool {
    module.assignments.iter().any(|assignment| {
        assignment.binding == Binding::Module
            && match &assignment.value {
                Value::Call(name, _) => {
                    let last = name.rsplit('.').next().unwrap_or(name);
                    !matches!(
                        last,
                        "getLogger"
                            | "get_logger"
                            | "getenv"
                            | "namedtuple"
                            | "TypeVar"
                            | "compile"
                            | "get"
                            | "Path"
                            | "join"
                            | "dirname"
                            | "abspath"
                            | "timedelta"
                            | "int"
                            | "float"
                            | "str"
                            | "frozenset"
                            | "tuple"
                            | "Decimal"
                            | "ZoneInfo"
                            | "timezone"
                            | "NewType"
                            | "partial"
                            | "ArgumentParser"
                            | "parse_args"
                            | "resolve"
                    )
                }
                // Tables of constants are in capitals and full; what collects begins empty.
                Value::List(items) => items.is_empty(),
                Value::Dict(items) => items.is_empty(),
                _ => false,
            }
    })
}
