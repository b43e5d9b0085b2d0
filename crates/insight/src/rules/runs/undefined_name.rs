//! `undefined-name`: names that are read and that nothing binds.

use std::collections::BTreeMap;

use tradewind_repo::python::{Code, Definition, Module, Resolution, Unbound};

use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::quotes::{Quotes, grouped, is_foreign};
use crate::rule::{About, Context, Findings, Rule};

static ABOUT: About = About {
    id: "undefined-name",
    title: "Names that nothing defines",
    area: Area::Runs,
    severity: Severity::High,
    confidence: Confidence::Certain,
    timeframe: Timeframe::Immediate,
    impact: "The first run of this line is a NameError, often in the branch that handles the bad day.",
    action: "Define or import the name, or use the one that is meant.",
    after: &["syntax-error"],
};

/// Names that Python 2 had and Python 3 has not.
const PYTHON_2: &[&str] = &[
    "apply",
    "basestring",
    "buffer",
    "cmp",
    "coerce",
    "execfile",
    "file",
    "intern",
    "long",
    "raw_input",
    "reduce",
    "reload",
    "unichr",
    "unicode",
    "xrange",
];

/// Names that notebooks and their settings files are given.
const GIVEN: &[&str] = &["display", "get_ipython", "get_config", "In", "Out"];

/// The rule.
pub struct UndefinedName;

impl Rule for UndefinedName {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let mut quotes = Quotes::new(context);
        let mut old = Vec::new();
        let mut undecided = 0_usize;
        for module in &context.code.modules {
            if !module.errors.is_empty() || is_foreign(&module.path) || module.unbound.is_empty() {
                continue;
            }
            if is_run_by_a_platform(module) {
                findings.not_checked(format!(
                    "{}: run by a platform that brings names of its own",
                    module.path
                ));
                continue;
            }
            let mut by_name: BTreeMap<&str, Vec<&Unbound>> = BTreeMap::new();
            for unbound in &module.unbound {
                let name = unbound.name.as_ref();
                if GIVEN.contains(&name) {
                    continue;
                }
                match brought_by_star(context.code, module, name) {
                    Brought::Yes => {}
                    Brought::Perhaps => undecided += 1,
                    Brought::No if PYTHON_2.contains(&name) => {
                        old.push(quotes.noted(&module.path, unbound.line, &format!("`{name}`")));
                    }
                    Brought::No => by_name.entry(name).or_default().push(unbound),
                }
            }
            if by_name.len() > MAX_APART {
                report_fragment(context.code, &mut quotes, module, &by_name, findings);
                continue;
            }
            for (name, places) in by_name {
                report(context.code, &mut quotes, module, name, &places, findings);
            }
        }
        if !old.is_empty() {
            let count = old.len();
            let finding = grouped(
                findings,
                format!("{count} uses of names that only Python 2 had"),
                old,
            );
            "Translate these lines to Python 3.".clone_into(&mut finding.action);
        }
        if undecided > 0 {
            findings.not_checked(format!(
                "{undecided} names that `import *` may bring from packages outside the repository"
            ));
        }
    }
}

/// More names than this are missing for one reason: the head of the file, with its imports, is lost.
const MAX_APART: usize = 5;

enum Brought {
    Yes,
    No,
    Perhaps,
}

/// Whether `*` of some import brings a name.
fn brought_by_star(code: &Code, module: &Module, name: &str) -> Brought {
    let mut brought = Brought::No;
    for (import, resolution) in code.imports_of(&module.path) {
        if import.name.as_deref() != Some("*") {
            continue;
        }
        let Resolution::File { path, .. } = resolution else {
            brought = Brought::Perhaps;
            continue;
        };
        match code.find_in(path, name).what {
            Definition::Missing(..) => {}
            Definition::Unknown(_) | Definition::Unresolved(_) => brought = Brought::Perhaps,
            _ => return Brought::Yes,
        }
    }
    brought
}

/// Whether a file is a script of a platform that runs it with names of its own (Quantopian, `JoinQuant`).
fn is_run_by_a_platform(module: &Module) -> bool {
    let defines = |name: &str| {
        module
            .functions
            .iter()
            .any(|function| function.qualified.as_ref() == name)
    };
    defines("initialize") && (defines("handle_data") || defines("before_trading_start"))
        || module.imports.iter().any(|import| {
            matches!(
                import.module.split('.').next(),
                Some("quantopian" | "jqdata" | "kuanke" | "AlgorithmImports" | "clr" | "rqalpha")
            )
        })
        || (defines("initialize") && module.main_guard.is_none())
}

/// Reports a file that lacks most of what it uses: each name at its first place.
fn report_fragment(
    code: &Code,
    quotes: &mut Quotes<'_>,
    module: &Module,
    by_name: &BTreeMap<&str, Vec<&Unbound>>,
    findings: &mut Findings,
) {
    let path = module.path.as_ref();
    let shown: Vec<&str> = by_name.keys().take(3).copied().collect();
    let title = format!(
        "{path} uses {} names that are defined nowhere: {} and {} more",
        by_name.len(),
        shown.join(", "),
        by_name.len() - shown.len()
    );
    let mut firsts: Vec<(u32, &str)> = by_name
        .iter()
        .filter_map(|(name, places)| Some((places.first()?.line, *name)))
        .collect();
    firsts.sort_unstable();
    let evidence = firsts
        .into_iter()
        .map(|(line, name)| quotes.noted(path, line, name))
        .collect();
    let finding = grouped(findings, title, evidence);
    let breaks_import = |place: &&Unbound| place.scope.is_none() && place.swallowed_at.is_none();
    if Code::is_test(path) {
        finding.area = Area::Tests;
        finding.severity = Severity::Medium;
    } else if by_name.values().flatten().any(breaks_import) && code.is_loaded(path) {
        finding.severity = Severity::Critical;
    }
}

fn report(
    code: &Code,
    quotes: &mut Quotes<'_>,
    module: &Module,
    name: &str,
    places: &[&Unbound],
    findings: &mut Findings,
) {
    let path = module.path.as_ref();
    let mut evidence: Vec<Evidence> = Vec::new();
    let mut is_swallowed = false;
    for place in places {
        evidence.push(quotes.at(path, place.line));
        if let Some(line) = place.swallowed_at {
            is_swallowed = true;
            evidence.push(quotes.noted(path, line, "swallows the NameError"));
        }
    }
    let is_at_import = places
        .iter()
        .any(|place| place.scope.is_none() && place.swallowed_at.is_none());
    let title = if is_swallowed {
        format!("{path} uses {name}, which is defined nowhere, and swallows the error")
    } else {
        format!("{path} uses {name}, which is defined nowhere")
    };
    let finding = grouped(findings, title, evidence);
    if Code::is_test(path) {
        finding.area = Area::Tests;
        finding.severity = Severity::Medium;
    } else if is_swallowed || (is_at_import && code.is_loaded(path)) {
        finding.severity = Severity::Critical;
    }
}
