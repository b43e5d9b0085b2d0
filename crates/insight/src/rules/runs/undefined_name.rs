//! `undefined-name`: names that are read and that nothing binds.

use std::collections::BTreeMap;

use tradewind_repo::python::{Code, Definition, Module, Resolution, Unbound};

use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::pythons::Pythons;
use crate::quotes::{Quotes, grouped, is_foreign, is_template};
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
        let are_filled = are_modules_filled(context);
        // From Python 3.14 on nobody evaluates an annotation unless asked.
        let pythons = Pythons::of(context);
        let is_lazy =
            pythons.all().next().is_some() && pythons.all().all(|place| place.minor >= 14);
        // Names that one file lacks were lost together; files that lack the same were copied.
        let mut causes: BTreeMap<Vec<&str>, Vec<Lacking<'_>>> = BTreeMap::new();
        for module in &context.code.modules {
            let is_not_run = is_foreign(&module.path) || is_template(&module.path);
            if !module.errors.is_empty() || is_not_run || module.unbound.is_empty() {
                continue;
            }
            if is_run_by_a_platform(module) {
                findings.not_checked(format!(
                    "{}: run by a platform that brings names of its own",
                    module.path
                ));
                continue;
            }
            let text = context.tree.text(&module.path).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            let mut by_name: BTreeMap<&str, Vec<&Unbound>> = BTreeMap::new();
            for unbound in &module.unbound {
                let name = unbound.name.as_ref();
                if GIVEN.contains(&name)
                    || is_behind_an_end(&lines, unbound.line)
                    || is_switched_off(&lines, unbound.line)
                    || is_own_submodule(context.code, module, name)
                    || is_lazy && is_annotation(&lines, unbound.line, name)
                {
                    continue;
                }
                match brought_by_star(context.code, module, name) {
                    Brought::Yes => {}
                    Brought::Perhaps => undecided += 1,
                    Brought::No if are_filled && stands_as_text(&text, name) => undecided += 1,
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
            if !by_name.is_empty() {
                let names = by_name.keys().copied().collect();
                causes.entry(names).or_default().push((module, by_name));
            }
        }
        for files in causes.values() {
            report(context.code, &mut quotes, files, findings);
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
                "{undecided} names that `import *` from packages outside or `setattr` at run time may bring"
            ));
        }
    }
}

/// Says whether a line chooses against what it holds, for good: `x if False else y`.
fn is_switched_off(lines: &[&str], line: u32) -> bool {
    let at = (line as usize).saturating_sub(1);
    lines
        .get(at)
        .is_some_and(|line| line.contains(" if False else "))
}

/// Says whether a name stands as the type of something: `fill: Fill`, `-> Optional[Fill]`.
fn is_annotation(lines: &[&str], line: u32, name: &str) -> bool {
    let at = (line as usize).saturating_sub(1);
    let Some((before, _)) = lines.get(at).and_then(|text| text.split_once(name)) else {
        return false;
    };
    let before = before.trim_end_matches(|c: char| c.is_alphanumeric() || "_.[, |".contains(c));
    // In a table the key before the colon stands in quotes, or is a number.
    before.ends_with("->")
        || before
            .strip_suffix(':')
            .is_some_and(|key| key.ends_with(|c: char| c.is_alphabetic() || c == '_'))
}

/// Says whether a package's `__init__.py` imports a module of its own of that name: importing it, under whatever
/// alias, makes it a name of the package.
fn is_own_submodule(code: &Code, module: &Module, name: &str) -> bool {
    let Some(folder) = module.path.strip_suffix("__init__.py") else {
        return false;
    };
    code.imports_of(&module.path).any(|(_, resolution)| {
        let Resolution::File { path, .. } = resolution else {
            return false;
        };
        let inside = path
            .strip_prefix(folder)
            .and_then(|rest| rest.strip_prefix(name));
        inside.is_some_and(|rest| rest == ".py" || rest.starts_with('/'))
    })
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
    let breaks_import = |place: &&Unbound| is_at_import(module, place);
    if Code::is_test(path) {
        finding.area = Area::Tests;
        finding.severity = Severity::Medium;
    } else if by_name.values().flatten().any(breaks_import) && code.is_loaded(path) {
        finding.severity = Severity::Critical;
    }
}

/// Says whether a place is reached when its file is loaded; behind the main guard it is not.
fn is_at_import(module: &Module, place: &Unbound) -> bool {
    place.scope.is_none()
        && place.swallowed_at.is_none()
        && module.main_guard.is_none_or(|guard| place.line < guard)
}

fn report(code: &Code, quotes: &mut Quotes<'_>, files: &[Lacking<'_>], findings: &mut Findings) {
    let mut evidence: Vec<Evidence> = Vec::new();
    let (mut is_swallowed, mut breaks_import) = (false, false);
    for (module, by_name) in files {
        let path = module.path.as_ref();
        let mut places: Vec<&Unbound> = by_name.values().flatten().copied().collect();
        places.sort_by_key(|place| place.line);
        for place in places {
            evidence.push(quotes.at(path, place.line));
            if let Some(line) = place.swallowed_at {
                is_swallowed = true;
                evidence.push(quotes.noted(path, line, "swallows the NameError"));
            }
            let is_at_import = is_at_import(module, place);
            breaks_import |= is_at_import && code.is_loaded(path);
        }
    }
    let Some((module, by_name)) = files.first() else {
        return;
    };
    let names: Vec<&str> = by_name.keys().copied().collect();
    let (subject, verb) = match files.len() - 1 {
        0 => (module.path.to_string(), "uses"),
        more => (format!("{} and {more} more", module.path), "use"),
    };
    let what = match names.as_slice() {
        [one] => format!("{one}, which is"),
        many => format!("{}, which are", many.join(", ")),
    };
    let end = if is_swallowed {
        ", and swallows the error"
    } else {
        ""
    };
    let finding = grouped(
        findings,
        format!("{subject} {verb} {what} defined nowhere{end}"),
        evidence,
    );
    if files.iter().all(|(module, _)| Code::is_test(&module.path)) {
        finding.area = Area::Tests;
        finding.severity = Severity::Medium;
    } else if is_swallowed || breaks_import {
        finding.severity = Severity::Critical;
    }
}

/// A file, and the places of each name that it lacks.
type Lacking<'a> = (&'a Module, BTreeMap<&'a str, Vec<&'a Unbound>>);

/// Says whether some file fills modules with names that it computes: `setattr(sys.modules[name], alias, made)`.
fn are_modules_filled(context: &Context<'_>) -> bool {
    context.code.modules.iter().any(|module| {
        module
            .calls
            .iter()
            .any(|call| call.written.as_ref() == "setattr")
            && context
                .tree
                .text(&module.path)
                .is_some_and(|text| text.contains("sys.modules["))
    })
}

/// Says whether a name stands in quotes in its file: what fills modules takes it from there.
fn stands_as_text(text: &str, name: &str) -> bool {
    text.contains(&format!("'{name}'")) || text.contains(&format!("\"{name}\""))
}

/// Says whether a line stands behind a `return` or `raise` of its own block or of one around it: it never runs.
fn is_behind_an_end(lines: &[&str], line: u32) -> bool {
    let indent = |text: &str| text.len() - text.trim_start().len();
    let at = (line as usize).saturating_sub(1);
    let Some(own) = lines.get(at) else {
        return false;
    };
    let mut depth = indent(own);
    let before = lines.get(..at).unwrap_or_default().iter().rev();
    for text in before.filter(|text| !text.trim().is_empty()) {
        let here = indent(text);
        let word = text
            .trim_start()
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .next()
            .unwrap_or_default();
        if here == depth && matches!(word, "return" | "raise") {
            return true;
        }
        if here < depth && !text.trim_start().starts_with(['#', ')', ']', '}']) {
            depth = here;
        }
    }
    false
}
