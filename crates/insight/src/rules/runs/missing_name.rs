//! `missing-name`: names that are taken out of a module here that does not define them.

use std::collections::BTreeMap;

use tradewind_repo::python::{Code, Definition, Module, Resolution, Value};

use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::quotes::{
    Quotes, grouped, is_declared, is_foreign, is_of_another_root, is_shelved, is_template,
};
use crate::rule::{About, Context, Findings, Rule};

static ABOUT: About = About {
    id: "missing-name",
    title: "Names that a module does not define",
    area: Area::Runs,
    severity: Severity::High,
    confidence: Confidence::Certain,
    timeframe: Timeframe::Immediate,
    impact: "Whatever imports it dies with ImportError or AttributeError before it does anything.",
    action: "Use the name that the module defines, or define it.",
    after: &["unresolved-import", "syntax-error"],
};

/// The rule.
pub struct MissingName;

struct Lacking {
    places: Vec<(Box<str>, u32)>,
    is_attribute: bool,
}

impl Rule for MissingName {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let mut lacking: BTreeMap<(Box<str>, Box<str>), Lacking> = BTreeMap::new();
        let mut add = |module: &Module, name: &str, path: &str, line: u32, is_attribute: bool| {
            lacking
                .entry((module.path.clone(), name.into()))
                .or_insert_with(|| Lacking {
                    places: Vec::new(),
                    is_attribute,
                })
                .places
                .push((path.into(), line));
        };
        let mut doubtful = 0_usize;
        for (module, import, resolution) in context.code.imports() {
            let Resolution::File {
                path,
                name: Some(name),
            } = resolution
            else {
                continue;
            };
            let is_excused = import.is_optional || import.is_for_types;
            if name.as_ref() == "*" || is_excused || is_aside(&module.path) {
                continue;
            }
            if let Definition::Missing(lacks, missing) = context.code.find_in(path, name).what
                && missing == *name
                && lacks.path != module.path
                && (import.level > 0
                    || !is_of_another_root(
                        context.tree,
                        &module.path,
                        top(&import.module),
                        &lacks.path,
                    ))
                && (import.level > 0 || !is_declared(context, top(&import.module)))
            {
                if import.level == 0 && another_has(context.code, path, &import.module, name) {
                    doubtful += 1;
                    continue;
                }
                add(lacks, name, &module.path, import.line, false);
            }
        }
        note_doubt(doubtful, findings);
        let mut elsewhere = Elsewhere::default();
        for module in &context.code.modules {
            if is_aside(&module.path) {
                continue;
            }
            for (name, line) in attributes(context.code, module) {
                if let Definition::Missing(lacks, missing) =
                    context.code.find_absolute(&module.path, name).what
                    && name.ends_with(missing.as_ref())
                    // Every class has `__new__` and its like.
                    && !missing.starts_with("__")
                    && !elsewhere.sets(context, &missing)
                {
                    add(lacks, &missing, &module.path, line, true);
                }
            }
        }
        let filled = filled(context.code);
        lacking.retain(|(path, _), _| {
            let is_filled = is_filled(&filled, path);
            if is_filled {
                findings.not_checked(format!("{path}: setattr gives it names at run time"));
            }
            !is_filled
        });
        let mut quotes = Quotes::new(context);
        // What one file alone wants in vain has one cause.
        let mut groups: BTreeMap<Vec<&str>, Vec<(&str, &str, &Lacking)>> = BTreeMap::new();
        for ((path, name), lacking) in &lacking {
            let mut wanting: Vec<&str> = lacking
                .places
                .iter()
                .map(|(path, _)| path.as_ref())
                .collect();
            wanting.sort_unstable();
            wanting.dedup();
            groups
                .entry(wanting)
                .or_default()
                .push((path, name, lacking));
        }
        for group in joined(groups) {
            report(context.code, &mut quotes, &group, findings);
        }
    }
}

/// One name that is wanted in vain: the module that lacks it, the name, and who wants it.
type Wanted<'a> = (&'a str, &'a str, &'a Lacking);

/// Joins groups that one file is in: it was written for older versions of all that it wants. Modules that are
/// imported by different files stay apart.
fn joined<'a>(groups: BTreeMap<Vec<&'a str>, Vec<Wanted<'a>>>) -> Vec<Vec<Wanted<'a>>> {
    let mut all: Vec<(Vec<&str>, Vec<Wanted<'a>>)> = Vec::new();
    for (wanting, group) in groups {
        let is_one = |lacking: &Wanted<'_>| lacking.2.is_attribute == group[0].2.is_attribute;
        let known = all.iter_mut().find(|(files, other)| {
            other.iter().all(is_one) && files.iter().any(|file| wanting.contains(file))
        });
        match known {
            Some((files, other)) => {
                files.extend(wanting);
                other.extend(group);
            }
            None => all.push((wanting, group)),
        }
    }
    all.into_iter().map(|(_, group)| group).collect()
}

fn is_aside(path: &str) -> bool {
    is_foreign(path) || is_template(path) || is_shelved(path)
}

fn note_doubt(doubtful: usize, findings: &mut Findings) {
    if doubtful > 0 {
        findings.not_checked(format!(
            "{doubtful} names that one file lacks and another file of the same module name has: which of them Python finds depends on how the program is started"
        ));
    }
}

/// Says whether another file that goes by the same dotted name has what one lacks, or may have it.
fn another_has(code: &Code, path: &str, module: &str, name: &str) -> bool {
    let stem = module.replace('.', "/");
    let is_of_name = |other: &str| {
        let end = other
            .strip_suffix("/__init__.py")
            .or_else(|| other.strip_suffix(".py"));
        end.and_then(|end| end.strip_suffix(stem.as_str()))
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
    };
    code.modules.iter().any(|other| {
        other.path.as_ref() != path
            && is_of_name(&other.path)
            && !matches!(
                code.find_in(&other.path, name).what,
                Definition::Missing(..)
            )
    })
}

fn top(module: &str) -> &str {
    module.split('.').next().unwrap_or(module)
}

/// Dotted names that are read from modules that were imported whole.
fn attributes<'m>(code: &'m Code, module: &'m Module) -> impl Iterator<Item = (&'m str, u32)> {
    let whole: Vec<&str> = code
        .imports_of(&module.path)
        .filter(|(import, resolution)| {
            matches!(resolution, Resolution::File { name: None, .. })
                && import.level == 0
                && !import.is_optional
        })
        .map(|(import, _)| import.module.as_ref())
        .collect();
    module
        .names
        .iter()
        .filter(move |name| {
            whole.iter().any(|module| {
                name.name
                    .strip_prefix(module)
                    .is_some_and(|rest| rest.starts_with('.'))
            })
        })
        .map(|name| (name.name.as_ref(), name.line))
}

/// What some file gives names that it computes: `desk.api` in `setattr(desk.api, function.__name__, function)`.
fn filled(code: &Code) -> Vec<&str> {
    let calls = code.modules.iter().flat_map(|module| &module.calls);
    calls
        .filter(|call| call.written.as_ref() == "setattr")
        .filter_map(|call| {
            let mut arguments = call.arguments.iter().map(|argument| &argument.value);
            match (arguments.next()?, arguments.next()?) {
                (_, Value::Text(_)) => None,
                (Value::Name(target), _) => Some(target.as_ref()),
                _ => None,
            }
        })
        .collect()
}

/// Whether a module is one of those.
fn is_filled(filled: &[&str], path: &str) -> bool {
    let plain = path.trim_end_matches(".py").trim_end_matches("/__init__");
    let dotted = plain.replace('/', ".");
    filled.iter().any(|target| {
        let before = dotted.strip_suffix(target);
        before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
    })
}

/// Names that some file may put into a module from outside: `settings.DEBUG = True`.
#[derive(Default)]
struct Elsewhere {
    has_setattr: Option<bool>,
    known: BTreeMap<Box<str>, bool>,
}

impl Elsewhere {
    fn sets(&mut self, context: &Context<'_>, name: &str) -> bool {
        let modules = &context.code.modules;
        let has_setattr = *self.has_setattr.get_or_insert_with(|| {
            let mut calls = modules.iter().flat_map(|module| &module.calls);
            calls.any(|call| call.written.as_ref() == "setattr")
        });
        if has_setattr {
            return true;
        }
        if let Some(known) = self.known.get(name) {
            return *known;
        }
        let mut texts = modules.iter().flat_map(|module| &module.texts);
        let assigned = format!(".{name} =");
        // Reads every file: only where the summaries do not tell already.
        let sets = texts.any(|text| text.text.as_ref() == name)
            || modules.iter().any(|module| {
                let text = context.tree.text(&module.path);
                text.is_some_and(|text| text.contains(&assigned))
            });
        self.known.insert(name.into(), sets);
        sets
    }
}

fn report(
    code: &Code,
    quotes: &mut Quotes<'_>,
    group: &[(&str, &str, &Lacking)],
    findings: &mut Findings,
) {
    let Some((path, name, lacking)) = group.first() else {
        return;
    };
    let mut evidence: Vec<Evidence> = Vec::new();
    for (_, _, lacking) in group {
        let mut seen = std::collections::BTreeSet::new();
        for place in lacking.places.iter().filter(|place| seen.insert(*place)) {
            evidence.push(quotes.at(&place.0, place.1));
        }
    }
    let close = code.module(path).and_then(|module| closest(module, name));
    let first = lacking.places.first().map_or("", |(path, _)| path.as_ref());
    let more = group.len() - 1;
    let title = match &close {
        _ if more > 0 => {
            format!("{first} wants {name} from {path}, and {more} more names that are not there")
        }
        Some((close, _)) => format!("{first} wants {name} from {path}, which defines {close}"),
        None => format!("{first} wants {name} from {path}, which defines no such name"),
    };
    if let Some((close, line)) = &close {
        let note = quotes.noted(path, *line, &format!("defines {close}"));
        evidence.insert(evidence.len().min(1), note);
    }
    let places = || group.iter().flat_map(|(_, _, lacking)| &lacking.places);
    let is_test = places().all(|(path, _)| Code::is_test(path));
    let starts = places().any(|(path, _)| !Code::is_test(path) && code.is_loaded(path));
    let is_attribute = group.iter().all(|(_, _, lacking)| lacking.is_attribute);
    let finding = grouped(findings, title, evidence);
    if is_test {
        finding.area = Area::Tests;
        "These tests test a name that is gone: they cannot pass, and what replaced it is not tested."
            .clone_into(&mut finding.impact);
    } else if starts && !is_attribute && code.importers_of(first).next().is_some() {
        finding.severity = Severity::Critical;
    }
    // Two branches of a function may bind one name to different modules.
    if is_attribute {
        finding.confidence = Confidence::Possible;
    }
}

/// The defined name that looks most like the wanted one.
fn closest(module: &Module, name: &str) -> Option<(Box<str>, u32)> {
    let wanted = words(name);
    module
        .bound
        .iter()
        .filter(|bound| !bound.name.starts_with('_'))
        .map(|bound| {
            let own = words(&bound.name);
            let shared = own.iter().filter(|word| wanted.contains(word)).count();
            let distance = distance(name, &bound.name);
            (bound, shared, distance)
        })
        .filter(|(bound, shared, distance)| {
            *distance <= 2 && name.len() > 4 || (*shared > 0 && bound.name.len() > 3)
        })
        .min_by_key(|(_, shared, distance)| (usize::MAX - *shared, *distance))
        .map(|(bound, _, _)| (bound.name.clone(), bound.line))
}

fn words(name: &str) -> Vec<String> {
    name.split('_')
        .filter(|word| word.len() > 2)
        .map(str::to_ascii_lowercase)
        .collect()
}

/// How many letters differ, for short names.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().take(40).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().take(40).enumerate() {
        let mut before = i;
        let mut last = i + 1;
        for (j, b) in other.iter().enumerate() {
            let here = row.get(j + 1).copied().unwrap_or_default();
            let next = (before + usize::from(a != *b)).min(here + 1).min(last + 1);
            before = here;
            if let Some(slot) = row.get_mut(j) {
                *slot = last;
            }
            last = next;
        }
        if let Some(slot) = row.last_mut() {
            *slot = last;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_differ_are_counted() {
        assert_eq!(distance("fetch", "fetsh"), 1);
        assert_eq!(distance("abc", "abc"), 0);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
