//! Files and functions that nothing reaches: what is wrong in them is true, stops nothing, and becomes a remark.
//!
//! Reached is what a start loads (a script, a route, a schedule, a command), what a test imports, and what CI, a
//! container, a setting, a command on a page or another file names; a function besides, when any text outside of pages
//! has its name. Whatever may be loaded in a way that cannot be read counts as
//! reached: a repository that imports by computed names, a library that people install, a class or function that a
//! framework looks for by itself. Also idle is a file that `abandoned-generation` found to be the old one of two.
//! Not here: what was put away by the folder it lies in (`audit.rs`), trials (`demote.rs`).

use std::collections::BTreeSet;

use tradewind_repo::python::{Code, Function, Module, Value};

use crate::finding::{Area, Confidence, Finding};
use crate::quotes::{has_end, is_shelved};
use crate::rule::Context;

/// Calls that load a file by a name that may be computed.
const LOADERS: &[&str] = &[
    "__import__",
    "imp.load_source",
    "importlib.import_module",
    "importlib.util.spec_from_file_location",
    "pkgutil.iter_modules",
    "pkgutil.walk_packages",
    "runpy.run_module",
    "runpy.run_path",
];

/// Bases, by last part, of classes that a program outside finds by itself.
const FOUND_BY_FRAMEWORKS: &[&str] = &[
    "AppConfig",
    "BaseCommand",
    "IHyperOpt",
    "IHyperOptLoss",
    "IStrategy",
    "Migration",
    "QCAlgorithm",
    "ScriptStrategyBase",
    "StrategyV2Base",
];

/// Functions that a host calls by name.
const CALLED_BY_HOSTS: &[&str] = &[
    "handle_data",
    "handler",
    "initialize",
    "lambda_handler",
    "upgrade",
];

/// Most files and functions that are asked for: each costs a search through all texts.
const MAX_FILES: usize = 200;

/// Makes remarks of what lies altogether in files that nothing reaches, or in functions that nothing names.
pub(crate) fn make_remarks(findings: &mut [Finding], context: &Context<'_>) {
    let mut idle: BTreeSet<String> = findings
        .iter()
        .filter(|finding| finding.rule == "abandoned-generation" && !finding.is_remark())
        .flat_map(files)
        .map(str::to_owned)
        .collect();
    let asked: Vec<&Finding> = findings
        .iter()
        .filter(|finding| may_be_idle(finding))
        .collect();
    if !asked.is_empty() && !context.code.entries().is_empty() && !is_installed(context) {
        let unseen: BTreeSet<&str> = asked
            .iter()
            .flat_map(|finding| files(finding))
            .filter(|path| is_unseen(context, path))
            .take(MAX_FILES)
            .collect();
        let lone: BTreeSet<&str> = asked
            .iter()
            .flat_map(|finding| places(finding))
            .filter_map(|(path, line)| function_at(context, path, line?))
            .take(MAX_FILES)
            .collect();
        let named = named(context, &unseen, &lone);
        if !loads_by_computed_names(context) {
            let unnamed = unseen
                .into_iter()
                .filter(|path| !named.files.contains(path));
            idle.extend(unnamed.map(str::to_owned));
        }
        let is_idle = |(path, line): (&str, Option<u32>)| {
            let function = line.and_then(|line| function_at(context, path, line));
            idle.contains(path) || function.is_some_and(|name| !named.functions.contains(name))
        };
        let marks: Vec<bool> = findings
            .iter()
            .map(|finding| may_be_idle(finding) && places(finding).all(is_idle))
            .collect();
        for (finding, is_idle) in findings.iter_mut().zip(marks) {
            if is_idle {
                finding.confidence = Confidence::Possible;
            }
        }
    }
    for finding in findings.iter_mut().filter(|finding| may_be_idle(finding)) {
        if files(finding).all(|path| idle.contains(path)) {
            finding.confidence = Confidence::Possible;
        }
    }
}

/// Only what stops a program: secrets do harm from anywhere, pages and history are read without being loaded.
fn may_be_idle(finding: &Finding) -> bool {
    !finding.is_remark()
        && matches!(finding.area, Area::Runs | Area::MarketData | Area::Trading)
        && files(finding).next().is_some()
        && files(finding).all(|path| has_end(path, "py"))
}

/// Places that a finding is about, without those that only define what they use.
fn places(finding: &Finding) -> impl Iterator<Item = (&str, Option<u32>)> {
    finding
        .evidence
        .iter()
        .filter(|fact| !fact.note.contains("(the definition)") && !fact.note.contains("(defines "))
        .filter_map(|fact| Some((fact.path.as_deref()?, fact.line)))
}

fn files(finding: &Finding) -> impl Iterator<Item = &str> {
    places(finding).map(|(path, _)| path)
}

/// Returns the name of the outermost plain function or method around a line: one that whoever wants it has to name.
fn function_at<'a>(context: &Context<'a>, path: &str, line: u32) -> Option<&'a str> {
    let module = context.code.module(path)?;
    let around = |function: &&Function| function.line <= line && line <= function.end_line;
    let function = module.functions.iter().find(around)?;
    let name = function.name.as_ref();
    let class = function
        .class
        .and_then(|at| module.classes.get(at as usize));
    // What a class inherits from may call its methods.
    let is_plain = function.decorators.is_empty()
        && function.scope.is_none()
        && class.is_none_or(|class| class.bases.is_empty() && class.decorators.is_empty())
        && !name.starts_with("__")
        && !name.starts_with("test")
        && !CALLED_BY_HOSTS.contains(&name)
        && name != "main"
        && !Code::is_test(path);
    is_plain.then_some(name)
}

/// Says whether neither a start nor a test loads a file, and nothing outside would find it by itself.
fn is_unseen(context: &Context<'_>, path: &str) -> bool {
    let code = context.code;
    let Some(module) = code.module(path) else {
        return false;
    };
    let starts = |module: &Module| code.entries().iter().any(|entry| entry.path == module.path);
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut open: Vec<&Module> = vec![module];
    while let Some(next) = open.pop() {
        if !seen.insert(&next.path) {
            continue;
        }
        if Code::is_test(&next.path)
            || code.is_loaded(&next.path)
            || starts(next)
            || is_found_from_outside(next)
        {
            return false;
        }
        open.extend(code.importers_of(&next.path).map(|(user, _)| user.as_ref()));
    }
    true
}

fn is_found_from_outside(module: &Module) -> bool {
    let mut bases = module.classes.iter().flat_map(|class| &class.bases);
    bases.any(|base| {
        let last = base.rsplit('.').next().unwrap_or_default();
        FOUND_BY_FRAMEWORKS.contains(&last)
    }) || module.functions.iter().any(|function| {
        function.class.is_none() && CALLED_BY_HOSTS.contains(&function.name.as_ref())
    })
}

/// Says whether some file loads others by names that it computes.
fn loads_by_computed_names(context: &Context<'_>) -> bool {
    let own = context
        .code
        .modules
        .iter()
        .filter(|module| !Code::is_test(&module.path));
    own.flat_map(|module| &module.calls).any(|call| {
        LOADERS.contains(&call.callee.as_ref())
            && !matches!(
                call.arguments.first().map(|argument| &argument.value),
                Some(Value::Text(_))
            )
    })
}

/// Says whether people install it and import what they like: a page says how.
fn is_installed(context: &Context<'_>) -> bool {
    let names: Vec<String> = context
        .project
        .manifests
        .iter()
        .filter_map(|manifest| manifest.name.as_ref())
        .map(|name| format!("pip install {}", name.value).to_ascii_lowercase())
        .collect();
    let pages = context.documents.pages.iter();
    !names.is_empty()
        && pages
            .filter_map(|page| context.tree.text(&page.path))
            .any(|text| {
                let text = text.to_ascii_lowercase();
                names.iter().any(|name| text.contains(name.as_str()))
            })
}

/// What is named somewhere else than where it stands.
#[derive(Default)]
struct Named<'a> {
    files: BTreeSet<&'a str>,
    functions: BTreeSet<&'a str>,
}

/// Looks through every text for files and functions.
fn named<'a>(
    context: &Context<'_>,
    files: &BTreeSet<&'a str>,
    functions: &BTreeSet<&'a str>,
) -> Named<'a> {
    let mut named = Named::default();
    if files.is_empty() && functions.is_empty() {
        return named;
    }
    let spelled: Vec<(&str, String)> = files
        .iter()
        .flat_map(|path| spellings(path).map(|word| (*path, word)))
        .collect();
    for file in context.tree.tracked() {
        if !is_text(&file.path) || is_shelved(&file.path) {
            continue;
        }
        if file.size > MAX_BYTES {
            // It may name any of them.
            named.functions.extend(functions);
            continue;
        }
        let Some(text) = context.tree.text(&file.path) else {
            continue;
        };
        let is_page = ["md", "rst", "txt"]
            .iter()
            .any(|end| has_end(&file.path, end));
        for (path, word) in &spelled {
            if *path != file.path.as_ref() && !named.files.contains(path) {
                // A page that lists a file starts nothing; one that tells to run it does.
                let starts =
                    |line: &str| line.contains(word.as_str()) && (!is_page || is_command(line));
                if text.contains(word.as_str()) && text.lines().any(starts) {
                    named.files.insert(path);
                }
            }
        }
        if is_page {
            continue;
        }
        let mut before = "";
        for word in text.split(|c: char| !c.is_alphanumeric() && c != '_') {
            if word.is_empty() {
                continue;
            }
            if std::mem::replace(&mut before, word) == "def" {
                continue;
            }
            if let Some(name) = functions.get(word) {
                named.functions.insert(name);
            } else if word.len() > 2 && word.ends_with('_') {
                // `getattr(self, f"fetch_{name}")`.
                let begins = functions.iter().filter(|name| name.starts_with(word));
                named.functions.extend(begins);
            }
        }
    }
    named
}

/// Longest file that is searched.
const MAX_BYTES: u64 = 1024 * 1024;

/// Says whether a line of a page tells to run something.
fn is_command(line: &str) -> bool {
    [
        "python",
        "pytest",
        "uvicorn",
        "gunicorn",
        "streamlit",
        "celery",
        "./",
        "cron",
    ]
    .iter()
    .any(|word| line.contains(word))
}

/// Whether files of this kind name what they start or call.
fn is_text(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    if name.starts_with("changelog") {
        return false;
    }
    let end = name.rsplit_once('.').map_or("", |(_, end)| end);
    matches!(
        end,
        "py" | "pyi"
            | "ipynb"
            | "yml"
            | "yaml"
            | "toml"
            | "cfg"
            | "ini"
            | "conf"
            | "sh"
            | "bash"
            | "bat"
            | "cmd"
            | "ps1"
            | "json"
            | "service"
            | "timer"
            | "plist"
            | "mk"
            | "md"
            | "rst"
            | "txt"
            | "html"
            | "js"
            | "ts"
            | "jsx"
            | "tsx"
            | "vue"
            | "qml"
            | "ui"
            | "kv"
            | "tf"
    ) || matches!(
        name.as_str(),
        "dockerfile" | "makefile" | "procfile" | "justfile" | "crontab"
    ) || name.starts_with("dockerfile")
}

/// What others would call a file: its name, and the dotted name of its module.
fn spellings(path: &str) -> impl Iterator<Item = String> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let parent = folder.rsplit('/').next().unwrap_or_default();
    // At the root: `uvicorn app:api`, `python -m app`.
    let dotted = if parent.is_empty() {
        format!("-m {stem}")
    } else {
        format!("{parent}.{stem}")
    };
    [name.to_owned(), dotted, format!("{stem}:")].into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_goes_by_its_name_and_by_its_module() {
        let words: Vec<_> = spellings("bot/fetch/yahoo.py").collect();
        assert_eq!(words, ["yahoo.py", "fetch.yahoo", "yahoo:"]);
        let words: Vec<_> = spellings("app.py").collect();
        assert_eq!(words, ["app.py", "-m app", "app:"]);
    }
}
