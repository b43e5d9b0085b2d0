//! `unresolved-import`: imports that lead to nothing, with what hides, moved or deleted their module.

use std::collections::BTreeMap;

use tradewind_repo::Oid;
use tradewind_repo::python::{Code, Import, Module, Resolution, Trace, Traces};
use tradewind_repo::tree::FileState;

use crate::declared::folder_of;
use crate::finding::{Area, Confidence, Evidence, Finding, Severity, Timeframe};
use crate::quotes::{Quotes, grouped, has_end, is_declared, is_foreign, is_shelved, is_template};
use crate::rule::{About, Context, Findings, Rule};
use crate::tables::distributions::packages_of;

static ABOUT: About = About {
    id: "unresolved-import",
    title: "Imports that resolve to nothing",
    area: Area::Runs,
    severity: Severity::High,
    confidence: Confidence::Certain,
    timeframe: Timeframe::Immediate,
    impact: "Whatever imports it dies with ImportError, on every machine that has only what git has.",
    action: "Bring the module back, add it to git, or correct the import.",
    after: &[],
};

/// The rule.
pub struct UnresolvedImport;

/// One import of something that is not there.
struct Place<'a> {
    module: &'a Module,
    import: &'a Import,
}

/// What is missing, and why.
struct Missing<'a> {
    places: Vec<Place<'a>>,
    traces: Vec<Trace>,
    is_package_sure: bool,
}

/// Says whether nothing brings an outside module: neither the project declares it, nor does a well-known package have
/// its name.
fn is_absent(context: &Context<'_>, package: &str, import: &Import) -> bool {
    packages_of(&import.module).is_none() && !is_declared(context, package)
}

/// Says whether an import may fail and nobody minds, or does not mean what it seems to lead to.
fn is_left_alone(
    context: &Context<'_>,
    module: &Module,
    import: &Import,
    resolution: &Resolution,
) -> bool {
    let is_missing = matches!(resolution, Resolution::Missing { .. });
    import.is_optional
        || import.is_for_types
        || is_foreign(&module.path)
        || is_template(&module.path)
        || is_missing && is_shadowed(context, module, import)
        || import.level == 0 && is_installed_from(context, import)
}

/// Says whether `setup.py` installs the package from a folder: `package_dir={'': 'app'}`.
fn is_installed_from(context: &Context<'_>, import: &Import) -> bool {
    let top = import.module.split('.').next().unwrap_or_default();
    let text = context.tree.text("setup.py").unwrap_or_default();
    let Some((_, rest)) = text.split_once("package_dir") else {
        return false;
    };
    let rest = rest.split('}').next().unwrap_or_default();
    rest.split(['"', '\''])
        .filter(|part| !part.is_empty())
        .any(|folder| context.tree.has(&format!("{folder}/{top}/__init__.py")))
}

/// Says whether an import means a package, although a file or a plain folder here has its name: `mcp/server.py` beside
/// the declared package `mcp`; `stockbot/alpaca.py`, which does not mean itself.
fn is_shadowed(context: &Context<'_>, module: &Module, import: &Import) -> bool {
    let top = import.module.split('.').next().unwrap_or_default();
    let (own, below) = (format!("{top}/__init__.py"), format!("/{top}/__init__.py"));
    let has_package = || {
        let mut files = context.tree.files().iter();
        files.any(|file| file.path.as_ref() == own || file.path.ends_with(&below))
    };
    let name = module.path.rsplit('/').next().unwrap_or_default();
    let is_itself = name.strip_suffix(".py") == Some(top);
    import.level == 0 && (is_itself || is_declared(context, top)) && !has_package()
}

/// Modules that hold a person's keys and are kept out of git for that reason.
const OWN_FILES: &[&str] = &[
    "api_keys",
    "apikeys",
    "creds",
    "credentials",
    "keys",
    "local_settings",
    "my_keys",
    "mykeys",
    "passwords",
    "private",
    "secret",
    "secret_keys",
    "secrets_local",
];

impl Rule for UnresolvedImport {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let mut quotes = Quotes::new(context);
        let traces = Traces::new(context.tree, context.history);
        let mut seen: BTreeMap<(String, &str), Vec<Trace>> = BTreeMap::new();
        let mut missing: BTreeMap<String, Missing<'_>> = BTreeMap::new();
        let mut old: Vec<Evidence> = Vec::new();
        let (mut undecided, mut own) = (0_usize, 0_usize);
        for (module, import, resolution) in context.code.imports() {
            if is_left_alone(context, module, import, resolution) {
                continue;
            }
            let last = import.module.rsplit('.').next().unwrap_or_default();
            if import.level == 0 && OWN_FILES.contains(&last) {
                let is_here = matches!(resolution, Resolution::File { .. });
                own += usize::from(!is_here);
                continue;
            }
            match resolution {
                Resolution::Missing {
                    module: name,
                    expected,
                } => {
                    add(
                        &mut missing,
                        name,
                        module,
                        import,
                        traces.of(expected),
                        true,
                    );
                }
                Resolution::Outside { package } => {
                    let folder = folder_of(&module.path);
                    let found = seen
                        .entry((import.module.to_string(), folder))
                        .or_insert_with(|| traces_of_local(context, &traces, folder, import))
                        .clone();
                    if !found.is_empty() && is_absent(context, package, import) {
                        add(&mut missing, &dotted(import), module, import, found, false);
                    }
                }
                Resolution::File { path, .. } => {
                    let is_untracked = |path: &str| {
                        context
                            .tree
                            .get(path)
                            .is_some_and(|file| file.state == FileState::Untracked)
                    };
                    if is_untracked(path) && !is_untracked(&module.path) {
                        let traces = vec![Trace::Untracked { path: path.clone() }];
                        add(&mut missing, &dotted(import), module, import, traces, true);
                    }
                }
                Resolution::Standard(standard) => {
                    if standard.gone_in.is_some_and(|gone| gone <= (3, 0))
                        && !handles_both(context, &module.path)
                    {
                        old.push(quotes.at(&module.path, import.line));
                    }
                }
                Resolution::Undecided { .. } => undecided += 1,
                Resolution::Folder { .. } => {}
            }
        }
        if own > 0 {
            findings.not_checked(format!(
                "{own} imports of a file of keys that everybody writes for themselves"
            ));
        }
        for (names, missing) in merged(missing) {
            let name = match names.as_slice() {
                [one] => one.clone(),
                [one, rest @ ..] => format!("{one} and {} more", rest.len()),
                [] => continue,
            };
            report(context, &mut quotes, &name, &missing, findings);
        }
        if !old.is_empty() {
            let count = old.len();
            let finding = grouped(
                findings,
                format!("{count} imports of modules that only Python 2 had"),
                old,
            );
            "Translate these files to Python 3, or delete them.".clone_into(&mut finding.action);
        }
        if undecided > 0 {
            findings.not_checked(format!(
                "{undecided} imports depend on how the program is started or built"
            ));
        }
    }
}

fn add<'a>(
    missing: &mut BTreeMap<String, Missing<'a>>,
    name: &str,
    module: &'a Module,
    import: &'a Import,
    traces: Vec<Trace>,
    is_package_sure: bool,
) {
    let entry = missing.entry(name.to_owned()).or_insert_with(|| Missing {
        places: Vec::new(),
        traces,
        is_package_sure,
    });
    entry.places.push(Place { module, import });
}

/// What two missing modules have in common when they have one cause.
#[derive(PartialEq)]
enum Cause<'a> {
    Hidden(Option<&'a str>, u32),
    Commit(Oid),
    Importer(&'a str),
}

fn cause<'a>(missing: &'a Missing<'_>) -> Cause<'a> {
    match missing.traces.first() {
        Some(Trace::Ignored { pattern, .. }) => {
            Cause::Hidden(pattern.file.as_deref(), pattern.line)
        }
        // One commit that moved some modules and deleted others is one cause.
        Some(Trace::Deleted { commit, .. } | Trace::Renamed { commit, .. }) => {
            Cause::Commit(*commit)
        }
        _ => Cause::Importer(
            missing
                .places
                .first()
                .map_or("", |place| place.module.path.as_ref()),
        ),
    }
}

/// Puts modules with one cause together.
fn merged(missing: BTreeMap<String, Missing<'_>>) -> Vec<(Vec<String>, Missing<'_>)> {
    let mut all: Vec<(Vec<String>, Missing<'_>)> = Vec::new();
    for (name, next) in missing {
        match all.iter_mut().find(|(_, known)| {
            cause(known) == cause(&next) && known.is_package_sure == next.is_package_sure
        }) {
            Some((names, known)) => {
                names.push(name);
                known.places.extend(next.places);
            }
            None => all.push((vec![name], next)),
        }
    }
    for (_, missing) in &mut all {
        leave_shelved(&mut missing.places);
    }
    all
}

/// Leaves out importers that were put away, unless there are no others.
fn leave_shelved(places: &mut Vec<Place<'_>>) {
    let is_in_use = |place: &Place<'_>| !is_shelved(&place.module.path);
    if places.iter().any(is_in_use) {
        places.retain(is_in_use);
    }
}

fn dotted(import: &Import) -> String {
    import.module.to_string()
}

/// What tells that a name nobody installed was a module here.
fn traces_of_local(
    context: &Context<'_>,
    traces: &Traces<'_>,
    folder: &str,
    import: &Import,
) -> Vec<Trace> {
    let path = import.module.replace('.', "/");
    let mut expected: Vec<Box<str>> = Vec::new();
    let roots = context.code.roots().iter().map(AsRef::as_ref);
    for root in roots.chain([folder]) {
        let stem = if root.is_empty() {
            path.clone()
        } else {
            format!("{root}/{path}")
        };
        for end in [".py", "/__init__.py"] {
            let whole: Box<str> = format!("{stem}{end}").into();
            if !expected.contains(&whole) && expected.len() < 40 {
                expected.push(whole);
            }
        }
    }
    let mut found = traces.of(&expected);
    // A file of that name elsewhere says little about one short name, and much about a dotted one.
    let is_telling = import.module.contains('.');
    found.retain(|trace| match trace {
        Trace::Elsewhere { path: elsewhere } => {
            is_telling
                && [".py", "/__init__.py"]
                    .iter()
                    .any(|end| elsewhere.ends_with(&format!("/{path}{end}")))
        }
        Trace::Ignored {
            path, is_on_disk, ..
        } => !is_environment(path) && (*is_on_disk || is_homely(import)),
        _ => true,
    });
    found
}

/// Whether a top name is one that people give to their own folders, and no package of note has.
fn is_homely(import: &Import) -> bool {
    matches!(
        import.module.split('.').next().unwrap_or_default(),
        "lib"
            | "libs"
            | "data"
            | "models"
            | "model"
            | "core"
            | "utils"
            | "src"
            | "storage"
            | "strategies"
            | "env"
            | "logs"
            | "local"
            | "private"
            | "bin"
            | "var"
            | "downloads"
    ) && import.module.contains('.')
}

/// Folders of installed packages: what lies there is installed, not a part of the repository.
fn is_environment(path: &str) -> bool {
    is_foreign(path) || path.contains("lib/python")
}

/// Whether a file says what to do under either version of Python.
fn handles_both(context: &Context<'_>, path: &str) -> bool {
    let Some(text) = context.tree.text(path) else {
        return true;
    };
    [
        "version_info",
        "PY2",
        "PY3",
        "ImportError",
        "import six",
        "ModuleNotFoundError",
    ]
    .iter()
    .any(|word| text.contains(word))
}

fn report(
    context: &Context<'_>,
    quotes: &mut Quotes<'_>,
    name: &str,
    missing: &Missing<'_>,
    findings: &mut Findings,
) {
    let mut evidence = Vec::new();
    let mut cause = String::new();
    let mut command = None;
    for trace in missing.traces.iter().take(2) {
        let (words, fact, fix) = explain(trace);
        if cause.is_empty() {
            cause = words;
        }
        command = command.or(fix);
        evidence.push((trace, fact));
    }
    let mut places: Vec<Evidence> = Vec::new();
    let is_hidden = matches!(missing.traces.first(), Some(Trace::Ignored { .. }));
    let facts = evidence.into_iter().map(|(_, fact)| fact);
    let mut imports: Vec<Evidence> = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for place in &missing.places {
        // One statement, one place.
        if seen.insert((place.module.path.as_ref(), place.import.module.as_ref())) {
            imports.push(quotes.at(&place.module.path, place.import.line));
        }
    }
    if is_hidden {
        places.extend(facts);
        places.extend(imports);
    } else {
        places.extend(imports);
        places.extend(facts);
    }
    let first = missing
        .places
        .first()
        .map_or("", |place| place.module.path.as_ref());
    let title = if cause.is_empty() {
        format!("{first} imports {name}, which is not there")
    } else {
        format!("{first} imports {name}, {cause}")
    };
    let finding = grouped(findings, title, places);
    weigh(context.code, missing, finding);
    if let Some(command) = command
        && finding.severity != Severity::Low
    {
        finding.command(command);
    }
}

fn weigh(code: &Code, missing: &Missing<'_>, finding: &mut Finding) {
    let is_test = missing
        .places
        .iter()
        .all(|place| Code::is_test(&place.module.path));
    let starts = missing.places.iter().any(|place| {
        !Code::is_test(&place.module.path)
            && code.is_loaded(&place.module.path)
            && is_part_of_more(code, &place.module.path)
            && place
                .import
                .scope
                .is_none_or(|function| code.is_reached(&place.module.path, function))
    });
    if is_test {
        finding.area = Area::Tests;
        "These tests cannot be collected: what they guard is not guarded."
            .clone_into(&mut finding.impact);
    } else if starts {
        finding.severity = Severity::Critical;
    }
    let is_sure = matches!(
        missing.traces.first(),
        Some(Trace::Ignored { .. } | Trace::Untracked { .. } | Trace::OtherCase { .. })
    );
    let is_gone = matches!(
        missing.traces.first(),
        Some(Trace::Deleted { .. } | Trace::Renamed { .. })
    );
    finding.confidence = if missing.is_package_sure || is_sure {
        // A file that nothing starts may be a leftover; one that starts dies at its first line.
        let is_loaded = |place: &Place<'_>| code.is_loaded(&place.module.path);
        if starts || is_test {
            Confidence::Certain
        } else if is_sure || is_gone || missing.places.iter().any(is_loaded) {
            Confidence::Likely
        } else {
            Confidence::Possible
        }
    } else if is_gone {
        Confidence::Likely
    } else {
        // A package that nobody knows may have the name.
        Confidence::Possible
    };
    if !missing.is_package_sure && matches!(missing.traces.first(), Some(Trace::Elsewhere { .. })) {
        finding.severity = Severity::Medium;
    }
    if is_kept_out_on_purpose(missing) {
        finding.severity = Severity::Low;
        finding.timeframe = Timeframe::Month;
        "Nothing starts in a fresh clone until somebody guesses what this file has to hold."
            .clone_into(&mut finding.impact);
        "Commit a template of it beside it, without the values, and say so in the README."
            .clone_into(&mut finding.action);
    }
    if matches!(missing.traces.first(), Some(Trace::Untracked { .. })) {
        finding.severity = finding.severity.min(Severity::High);
    }
}

/// Whether the pattern names one file that holds settings or keys: those are kept out on purpose.
fn is_kept_out_on_purpose(missing: &Missing<'_>) -> bool {
    let Some(Trace::Ignored { path, pattern, .. }) = missing.traces.first() else {
        return false;
    };
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    has_end(&pattern.pattern, "py")
        && !pattern.pattern.contains('*')
        && [
            "config",
            "secret",
            "setting",
            "key",
            "credential",
            "auth",
            "local",
            "token",
            "private",
            "env",
        ]
        .iter()
        .any(|word| name.contains(word))
}

/// Whether a file is more than a script of its own: others load it, or it is a package's start.
fn is_part_of_more(code: &Code, path: &str) -> bool {
    path.ends_with("__main__.py")
        || code
            .importers_of(path)
            .any(|(importer, _)| !Code::is_test(&importer.path) && importer.path.as_ref() != path)
}

/// Says a trace in words for the title, as evidence, and what repairs it.
fn explain(trace: &Trace) -> (String, Evidence, Option<String>) {
    match trace {
        Trace::Ignored {
            path,
            pattern,
            is_on_disk,
        } => {
            let where_it_is = if *is_on_disk {
                ", which is on this disk and in no commit"
            } else {
                ": it is in no commit"
            };
            let file = pattern
                .file
                .clone()
                .unwrap_or_else(|| "your own ignore file".to_owned());
            let fact = format!("{}  (hides {path}{where_it_is})", pattern.pattern);
            (
                format!("which {file} keeps out of git"),
                match &pattern.file {
                    Some(file) => Evidence::at(file.as_str(), pattern.line, fact),
                    None => Evidence::repository(fact),
                },
                is_on_disk.then(|| format!("git add -f {}", quoted_path(path))),
            )
        }
        Trace::Untracked { path } => (
            "which was never added to git".to_owned(),
            Evidence::file(path.as_ref(), "on this disk, not in git"),
            Some(format!("git add {}", quoted_path(path))),
        ),
        Trace::OtherCase { path } => (
            format!("which differs from {path} in capitals"),
            Evidence::file(
                path.as_ref(),
                "the same name with other capitals; on Linux that is another file",
            ),
            None,
        ),
        Trace::Renamed { commit, from, to } => (
            format!("which was renamed to {to}"),
            Evidence::commit(*commit, format!("renames {from} to {to}")),
            None,
        ),
        Trace::Deleted {
            commit,
            path,
            subject,
        } => {
            let subject: String = subject.chars().take(60).collect();
            (
                format!("which the commit \"{subject}\" deleted"),
                Evidence::commit(*commit, format!("deletes {path}")),
                Some(format!("git checkout {commit}~1 -- {}", quoted_path(path))),
            )
        }
        Trace::Elsewhere { path } => (
            format!("but the file lies at {path}"),
            Evidence::file(
                path.as_ref(),
                "a file of that name, where no setting makes Python look",
            ),
            None,
        ),
    }
}

/// Quotes a path for a shell where it needs it.
fn quoted_path(path: &str) -> String {
    let is_plain = path
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-'));
    if is_plain && !path.starts_with('-') {
        path.to_owned()
    } else {
        format!("'{}'", path.replace('\'', "'\\''"))
    }
}
