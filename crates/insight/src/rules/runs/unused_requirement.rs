//! Required packages that nothing imports.

use std::collections::BTreeMap;

use crate::declared::Declared;
use crate::tables::distributions::{brings, is_tool, modules_of};
use tradewind_repo::project::requirement::Requirement;
use tradewind_repo::project::starts::StartKind;

use crate::finding::{Area, Confidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

/// Required packages that nothing imports.
#[derive(Debug)]
pub struct UnusedRequirement;

const ABOUT: About = About {
    id: "unused-requirement",
    title: "Required packages that nothing imports",
    area: Area::Runs,
    severity: Severity::Low,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Month,
    impact: "Slow installs and large images, and one more release that can break the build on the wrong day.",
    action: "Delete the lines; keep them with a comment if something needs them unseen.",
    after: &[],
};

impl Rule for UnusedRequirement {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let declared = Declared::of(context);
        if context.code.modules.is_empty() {
            return;
        }
        let uses = Named::of(context);
        let mut places: Vec<(&str, &Requirement)> = Vec::new();
        for (path, requirement) in declared.main() {
            let name = requirement.name.as_ref();
            let is_brought = declared
                .all()
                .any(|other| other != name && brings(other, name));
            let modules = modules_of(name);
            if is_behind(&uses, name)
                || uses.has(&name.replace('-', "_"))
                || is_tool(name)
                || is_brought
                || requirement.url.is_some()
                || modules.is_empty()
            {
                continue;
            }
            if !modules.iter().any(|module| uses.has(module))
                && !uses.is_mentioned(name)
                && !says_why(context, path, requirement.line)
            {
                places.push((path, requirement));
            }
        }
        places.sort_by_key(|(path, requirement)| (*path, requirement.line));
        places.dedup_by(|one, other| one.0 == other.0 && one.1.line == other.1.line);
        // The same names in several files were written down together and go together.
        let mut by_names: BTreeMap<Vec<&str>, Vec<(&str, u32, &str)>> = BTreeMap::new();
        for of_file in places.chunk_by(|one, other| one.0 == other.0) {
            let mut names: Vec<&str> = of_file
                .iter()
                .map(|(_, requirement)| requirement.name.as_ref())
                .collect();
            names.sort_unstable();
            let lines = of_file
                .iter()
                .map(|(path, requirement)| (*path, requirement.line, requirement.name.as_ref()));
            by_names.entry(names).or_default().extend(lines);
        }
        let mut told: Vec<_> = by_names.into_iter().collect();
        told.sort_by_key(|(_, lines)| lines.first().copied());
        for (names, lines) in told {
            let Some((path, ..)) = lines.first() else {
                continue;
            };
            let written = lines.iter().map(|(_, _, name)| *name);
            let shown: Vec<&str> = written.take(names.len().min(4)).collect();
            let more = if names.len() > shown.len() {
                format!(" and {} more", names.len() - shown.len())
            } else {
                String::new()
            };
            let evidence = lines
                .iter()
                .map(|(path, line, _)| context.quote(path, *line))
                .collect();
            findings.add(
                format!(
                    "{path} requires {}{more}: imported nowhere",
                    shown.join(", ")
                ),
                evidence,
            );
        }
        for lock in declared.locks() {
            findings.not_checked(format!("{lock}: it lists what packages need too, so that nothing in it is known to be unused"));
        }
    }
}

/// What packages look for by themselves: the package, and the imports that make them do so.
const BEHIND: &[(&str, &[&str])] = &[
    // The test client of FastAPI and Starlette is one of httpx.
    ("httpx", &["fastapi.testclient", "starlette.testclient"]),
    ("python-socketio", &["flask_socketio"]),
    ("python-engineio", &["flask_socketio", "socketio"]),
    ("eventlet", &["flask_socketio", "gunicorn"]),
    ("gevent", &["flask_socketio", "gunicorn", "locust"]),
    ("gevent-websocket", &["flask_socketio"]),
    // The server finds it for the routes of sockets.
    ("websockets", &["fastapi", "starlette", "uvicorn"]),
    ("python-multipart", &["fastapi", "starlette"]),
    ("scikit-learn", &["optuna", "yellowbrick"]),
    ("pytz", &["pandas", "apscheduler"]),
];

/// Says whether a package that is imported looks for this one by itself.
fn is_behind(uses: &Named<'_>, name: &str) -> bool {
    BEHIND
        .iter()
        .any(|(package, modules)| *package == name && modules.iter().any(|module| uses.has(module)))
}

/// Says whether the line itself says why it is there: `statsmodels<0.12  # a bound for what x needs`.
fn says_why(context: &Context<'_>, path: &str, line: u32) -> bool {
    let text = context.tree.text(path).unwrap_or_default();
    let line = text.lines().nth((line as usize).saturating_sub(1));
    let comment = line.and_then(|line| Some(line.split_once(" #")?.1));
    comment.is_some_and(|words| words.split_whitespace().count() >= 2)
}

/// What the code imports and names, anywhere.
struct Named<'c> {
    modules: Vec<&'c str>,
    texts: String,
}

impl<'c> Named<'c> {
    fn of(context: &Context<'c>) -> Self {
        let mut modules = Vec::new();
        let mut texts = String::new();
        for (module, import, _) in context.code.imports() {
            modules.push(import.module.as_ref());
            // `from google import protobuf` names a module by two parts.
            if let Some(name) = &import.name {
                texts.push_str(&format!(" {}.{name} ", import.module));
            }
            if !module.errors.is_empty() {
                texts.push_str(&context.tree.text(&module.path).unwrap_or_default());
            }
        }
        for module in context
            .code
            .modules
            .iter()
            .filter(|module| !module.errors.is_empty())
        {
            texts.push_str(&context.tree.text(&module.path).unwrap_or_default());
        }
        for text in context.code.modules.iter().flat_map(|module| &module.texts) {
            texts.push(' ');
            texts.push_str(&text.text);
        }
        for call in context.code.modules.iter().flat_map(|module| &module.calls) {
            // `import_module("x")`, `__import__("x")`, `importorskip("x")`.
            if call.callee.contains("import") {
                texts.push_str(&format!(" {:?} ", call.arguments));
            }
        }
        for script in context.project.scripts() {
            texts.push(' ');
            texts.push_str(script.text);
        }
        for file in &context.project.dockerfiles {
            for instruction in &file.instructions {
                texts.push(' ');
                texts.push_str(&instruction.rest);
            }
        }
        let has_start = |kind: StartKind| {
            context
                .project
                .starts
                .iter()
                .any(|start| start.kind == kind)
        };
        for file in context.tree.tracked() {
            let is_settings = [
                ".ipynb", ".toml", ".cfg", ".ini", ".yml", ".yaml", ".sh", ".json", ".rs",
            ]
            .iter()
            .any(|end| file.path.ends_with(end));
            let declares = context
                .project
                .manifests
                .iter()
                .any(|manifest| manifest.path == file.path);
            // Notebooks are long by the pictures in them.
            let bound = if file.path.ends_with(".ipynb") {
                MAX_NOTEBOOK_BYTES
            } else {
                MAX_SETTINGS_BYTES
            };
            if is_settings && !declares && file.size < bound && texts.len() < MAX_TEXT_BYTES {
                texts.push_str(&context.tree.text(&file.path).unwrap_or_default());
            }
        }
        if has_start(StartKind::Procfile) {
            texts.push_str(&context.tree.text("Procfile").unwrap_or_default());
        }
        Self { modules, texts }
    }

    /// Says whether a module or one below it is imported or named.
    fn has(&self, module: &str) -> bool {
        let top = module.split('.').next().unwrap_or(module);
        self.modules.iter().any(|imported| {
            imported.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
                // `import google` or `from google import …`: below, anything may follow.
                || (*imported == top && module.contains('.'))
        }) || self.is_mentioned(module)
    }

    /// Says whether a word stands somewhere in texts, commands or settings.
    fn is_mentioned(&self, word: &str) -> bool {
        let is_part = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
        self.texts.match_indices(word).any(|(at, _)| {
            let before = self
                .texts
                .get(..at)
                .and_then(|text| text.chars().next_back());
            let after = self
                .texts
                .get(at + word.len()..)
                .and_then(|text| text.chars().next());
            !is_part(before) && !is_part(after)
        })
    }
}

/// Longest file of settings that is searched.
const MAX_SETTINGS_BYTES: u64 = 500_000;
/// Longest notebook that is searched.
const MAX_NOTEBOOK_BYTES: u64 = 4_000_000;
/// Most text that is searched.
const MAX_TEXT_BYTES: usize = 20_000_000;
