//! What starts something: scripts, web routes, schedulers, handlers of windows and chats, threads; and what
//! is loaded and reached from there.
//!
//! Console scripts, CI jobs and containers stand in other files: the map of references adds them.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::calls::Target;
use super::code::Code;
use super::module::{Argument, Call, Module, ScopeId, Value};
use super::resolve::Resolution;
use super::roots::{join, split};

/// What kind of start an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    /// A file with a main guard, or one that does something when it is started.
    Script,
    /// `__main__.py`: `python -m package`.
    Package,
    /// A web route, with its path where it is a plain text.
    Route,
    /// Called again and again, or at a time.
    Schedule,
    /// Called by a window's control.
    Window,
    /// Called by a chat.
    Chat,
    /// Run in a thread, process or task of its own.
    Thread,
    /// A command of a command line library.
    Command,
}

/// One start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What kind.
    pub kind: EntryKind,
    /// File.
    pub path: Box<str>,
    /// Line.
    pub line: u32,
    /// Index of the function that is started in [`Module::functions`]; `None` for the file itself.
    pub function: Option<u32>,
    /// How a person calls it: `bot/run.py`, `python -m bot`, `GET /bars`.
    pub name: Box<str>,
}

/// Last parts of decorators that make a function a start.
const DECORATORS: &[(&str, EntryKind)] = &[
    ("route", EntryKind::Route),
    ("get", EntryKind::Route),
    ("post", EntryKind::Route),
    ("put", EntryKind::Route),
    ("delete", EntryKind::Route),
    ("patch", EntryKind::Route),
    ("websocket", EntryKind::Route),
    ("api_view", EntryKind::Route),
    ("before_request", EntryKind::Route),
    ("on_event", EntryKind::Route),
    ("middleware", EntryKind::Route),
    ("callback", EntryKind::Window),
    ("scheduled_job", EntryKind::Schedule),
    ("repeat", EntryKind::Schedule),
    ("periodic_task", EntryKind::Schedule),
    ("shared_task", EntryKind::Schedule),
    ("task", EntryKind::Schedule),
    ("loop", EntryKind::Schedule),
    ("command", EntryKind::Command),
    ("hybrid_command", EntryKind::Chat),
    ("group", EntryKind::Command),
    ("event", EntryKind::Chat),
    ("listener", EntryKind::Chat),
    ("message_handler", EntryKind::Chat),
    ("callback_query_handler", EntryKind::Chat),
    ("on_message", EntryKind::Chat),
    ("Slot", EntryKind::Window),
    ("pyqtSlot", EntryKind::Window),
];

/// Last parts of calls that are given a function to start.
const STARTERS: &[(&str, EntryKind)] = &[
    ("do", EntryKind::Schedule),
    ("add_job", EntryKind::Schedule),
    ("call_later", EntryKind::Schedule),
    ("after", EntryKind::Schedule),
    ("call_soon", EntryKind::Schedule),
    ("run_repeating", EntryKind::Schedule),
    ("run_daily", EntryKind::Schedule),
    ("connect", EntryKind::Window),
    ("bind", EntryKind::Window),
    ("protocol", EntryKind::Window),
    ("trace", EntryKind::Window),
    ("trace_add", EntryKind::Window),
    ("CommandHandler", EntryKind::Chat),
    ("MessageHandler", EntryKind::Chat),
    ("CallbackQueryHandler", EntryKind::Chat),
    ("Thread", EntryKind::Thread),
    ("Process", EntryKind::Thread),
    ("Timer", EntryKind::Thread),
    ("submit", EntryKind::Thread),
    ("map", EntryKind::Thread),
    ("imap", EntryKind::Thread),
    ("apply_async", EntryKind::Thread),
    ("run_in_executor", EntryKind::Thread),
    ("to_thread", EntryKind::Thread),
    ("start_new_thread", EntryKind::Thread),
    ("add_url_rule", EntryKind::Route),
    ("add_api_route", EntryKind::Route),
    ("add_get", EntryKind::Route),
    ("add_post", EntryKind::Route),
    ("add_route", EntryKind::Route),
    ("path", EntryKind::Route),
    ("re_path", EntryKind::Route),
    ("url", EntryKind::Route),
    ("register", EntryKind::Thread),
    ("signal", EntryKind::Thread),
];

/// Names of arguments that carry a function to start, whatever is called.
const HANDLER_ARGUMENTS: &[&str] = &[
    "command",
    "target",
    "callback",
    "handler",
    "func",
    "function",
    "on_message",
    "on_open",
    "on_close",
    "on_error",
    "on_data",
    "on_click",
    "on_change",
    "view_func",
    "job",
    "postcommand",
    "validatecommand",
];

/// Finds every start.
pub(super) fn entries(code: &Code) -> Vec<Entry> {
    let mut found = Vec::new();
    for (index, module) in code.modules.iter().enumerate() {
        if Code::is_test(&module.path) {
            continue;
        }
        files(code, module, &mut found);
        decorated(module, &mut found);
        for call in &module.calls {
            started(code, index, module, call, &mut found);
        }
    }
    found.sort_by(|one, other| {
        (&one.path, one.line, one.function, one.kind).cmp(&(
            &other.path,
            other.line,
            other.function,
            other.kind,
        ))
    });
    found.dedup();
    found
}

fn files(code: &Code, module: &Arc<Module>, found: &mut Vec<Entry>) {
    let (folder, name) = split(&module.path);
    let entry = |kind, line, name: String| Entry {
        kind,
        path: module.path.clone(),
        line,
        function: None,
        name: name.into(),
    };
    if name == "__main__.py" {
        let package = folder.replace('/', ".");
        found.push(entry(EntryKind::Package, 1, format!("python -m {package}")));
    } else if let Some(line) = module.main_guard {
        found.push(entry(EntryKind::Script, line, module.path.to_string()));
    } else if module.has_top_level_effects
        && !name.starts_with("__")
        && code.importers_of(&module.path).next().is_none()
    {
        found.push(entry(EntryKind::Script, 1, module.path.to_string()));
    }
}

fn decorated(module: &Module, found: &mut Vec<Entry>) {
    for (index, function) in module.functions.iter().enumerate() {
        for (at, decorator) in function.decorators.iter().enumerate() {
            let Some((_, last)) = decorator.rsplit_once('.') else {
                if !matches!(
                    decorator.as_ref(),
                    "shared_task" | "api_view" | "repeat" | "pyqtSlot" | "Slot"
                ) {
                    continue;
                }
                push_function(module, index, EntryKind::Schedule, decorator, found);
                continue;
            };
            let Some((_, kind)) = DECORATORS.iter().find(|(name, _)| *name == last) else {
                continue;
            };
            let text = function.decorator_texts.get(at).and_then(Option::as_deref);
            let name = match (kind, text) {
                (EntryKind::Route, Some(path)) if last == "route" => path.to_owned(),
                (EntryKind::Route, Some(path)) => format!("{} {path}", last.to_ascii_uppercase()),
                _ => function.qualified.to_string(),
            };
            push_function(module, index, *kind, &name, found);
        }
    }
}

fn push_function(
    module: &Module,
    index: usize,
    kind: EntryKind,
    name: &str,
    found: &mut Vec<Entry>,
) {
    let (Some(function), Ok(at)) = (module.functions.get(index), u32::try_from(index)) else {
        return;
    };
    found.push(Entry {
        kind,
        path: module.path.clone(),
        line: function.line,
        function: Some(at),
        name: name.into(),
    });
}

/// Functions that are given to something that starts them.
fn started(code: &Code, index: usize, module: &Arc<Module>, call: &Call, found: &mut Vec<Entry>) {
    let last = call.written.rsplit('.').next().unwrap_or_default();
    let kind = STARTERS
        .iter()
        .find(|(name, _)| *name == last)
        .map(|(_, kind)| *kind);
    for argument in &call.arguments {
        let is_handler = argument
            .name
            .as_deref()
            .is_some_and(|name| HANDLER_ARGUMENTS.contains(&name));
        let Some(kind) = kind.or(is_handler.then_some(EntryKind::Window)) else {
            continue;
        };
        let Value::Name(name) = &argument.value else {
            continue;
        };
        let Some(Target::Function(of, function)) = given(code, module, call.scope, name) else {
            continue;
        };
        let Some(target) = code.modules.get(of) else {
            continue;
        };
        let text = first_text(&call.arguments).unwrap_or_default();
        let kind = if is_handler && argument.name.as_deref() == Some("target") {
            EntryKind::Thread
        } else {
            kind
        };
        let name = if kind == EntryKind::Route && of != index && !text.is_empty() {
            text.to_owned()
        } else {
            target
                .functions
                .get(function)
                .map_or_else(String::new, |function| function.qualified.to_string())
        };
        push_function(target, function, kind, &name, found);
    }
}

fn first_text(arguments: &[Argument]) -> Option<&str> {
    arguments.iter().find_map(|argument| match &argument.value {
        Value::Text(text) => Some(text.as_ref()),
        _ => None,
    })
}

/// Finds the function that a value names.
fn given(code: &Code, module: &Arc<Module>, scope: ScopeId, name: &str) -> Option<Target> {
    if let Some(attribute) = name.strip_prefix("self.") {
        let mut at = scope;
        while let Some(index) = at {
            let function = module.functions.get(index as usize)?;
            if let Some(class) = function.class {
                return code.target(&code.find_attribute(module, class as usize, attribute, 0));
            }
            at = function.scope;
        }
        return None;
    }
    let found = code.find_from(module, scope, name);
    code.target(&found).or_else(|| {
        name.contains('.')
            .then(|| code.target(&code.find_absolute(&module.path, name)))
            .flatten()
    })
}

/// Follows imports and calls from every start.
pub(super) fn reach(code: &Code) -> (BTreeSet<usize>, BTreeSet<(usize, usize)>) {
    let mut loaded = BTreeSet::new();
    let mut reached = BTreeSet::new();
    let mut files: Vec<usize> = Vec::new();
    let mut functions: Vec<(usize, usize)> = Vec::new();
    for entry in &code.entries {
        if let Some(index) = code.index(&entry.path) {
            match entry.function {
                Some(function) => functions.push((index, function as usize)),
                None => files.push(index),
            }
        }
    }
    // A function that something starts is started only when its file is loaded: those wait.
    loop {
        while let Some(index) = files.pop() {
            if loaded.insert(index) {
                load(code, index, &mut files);
                visit(code, index, None, &mut functions, &mut reached, &mut files);
            }
        }
        let before = reached.len();
        let waiting = std::mem::take(&mut functions);
        for (module, function) in waiting {
            if !loaded.contains(&module) {
                functions.push((module, function));
            } else if reached.insert((module, function)) {
                let scope = u32::try_from(function).ok();
                visit(
                    code,
                    module,
                    scope,
                    &mut functions,
                    &mut reached,
                    &mut files,
                );
            }
        }
        if reached.len() == before && files.is_empty() {
            return (loaded, reached);
        }
    }
}

/// Loads what a module imports at its top level, and the packages around it.
fn load(code: &Code, index: usize, files: &mut Vec<usize>) {
    let (Some(module), Some(resolved)) = (code.modules.get(index), code.resolved.get(index)) else {
        return;
    };
    for (import, resolution) in module.imports.iter().zip(resolved) {
        if import.scope.is_none() && !import.is_for_types {
            load_resolution(code, resolution, files);
        }
    }
    let mut folder = split(&module.path).0;
    while !folder.is_empty() {
        files.extend(code.index(&join(folder, "__init__.py")));
        folder = split(folder).0;
    }
}

fn load_resolution(code: &Code, resolution: &Resolution, files: &mut Vec<usize>) {
    if let Resolution::File { path, .. } = resolution {
        files.extend(code.index(path));
    }
}

/// Follows the calls and imports of one function, or of a module's top level.
fn visit(
    code: &Code,
    index: usize,
    scope: ScopeId,
    functions: &mut Vec<(usize, usize)>,
    reached: &mut BTreeSet<(usize, usize)>,
    files: &mut Vec<usize>,
) {
    let (Some(module), Some(resolved)) = (code.modules.get(index), code.resolved.get(index)) else {
        return;
    };
    if scope.is_some() {
        for (import, resolution) in module.imports.iter().zip(resolved) {
            if import.scope == scope {
                load_resolution(code, resolution, files);
            }
        }
    }
    // Functions inside a function may be called by whoever gets them.
    for (at, function) in module.functions.iter().enumerate() {
        if scope.is_some() && function.scope == scope && function.class.is_none() {
            functions.push((index, at));
        }
    }
    for target in code.calls.from(index, scope) {
        match target {
            Target::Function(module, function) => functions.push((module, function)),
            Target::Class(module, class) => made(code, module, class, functions, reached),
        }
    }
}

/// An object of a class was made: any of its methods may be called.
fn made(
    code: &Code,
    module: usize,
    class: usize,
    functions: &mut Vec<(usize, usize)>,
    reached: &BTreeSet<(usize, usize)>,
) {
    let Some(of) = code.modules.get(module) else {
        return;
    };
    for (at, function) in of.functions.iter().enumerate() {
        if function.class.is_some_and(|of| of as usize == class) && !reached.contains(&(module, at))
        {
            functions.push((module, at));
        }
    }
    let Some(class) = of.classes.get(class) else {
        return;
    };
    for base in &class.bases {
        let found = code.find_in(&of.path, base);
        if let Some(Target::Class(base, index)) = code.target(&found)
            && (base != module
                || of
                    .classes
                    .get(index)
                    .is_none_or(|base| base.qualified != class.qualified))
        {
            let methods = code.modules.get(base).into_iter().flat_map(|of| {
                of.functions
                    .iter()
                    .enumerate()
                    .filter(|(_, function)| function.class.is_some_and(|of| of as usize == index))
                    .map(|(at, _)| (base, at))
            });
            functions.extend(methods);
        }
    }
}

impl Code {
    /// Returns everything that starts something, tests apart, by path and line.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Says whether something that starts loads the file at `path`, tests apart.
    pub fn is_loaded(&self, path: &str) -> bool {
        self.index(path)
            .is_some_and(|index| self.loaded.contains(&index))
    }

    /// Says whether something that starts reaches a function (index into [`Module::functions`]) of the file
    /// at `path`, tests apart. Calls through variables are not followed, so `false` means "not seen".
    pub fn is_reached(&self, path: &str, function: u32) -> bool {
        self.index(path)
            .is_some_and(|index| self.reached.contains(&(index, function as usize)))
    }

    /// Returns the starts from which a function (index into [`Module::functions`]) of the file at `path` is
    /// reached through calls, nearest first, at most eight.
    pub fn entries_to(&self, path: &str, function: ScopeId) -> Vec<&Entry> {
        let Some(index) = self.index(path) else {
            return Vec::new();
        };
        let mut found: Vec<&Entry> = Vec::new();
        let mut seen = BTreeSet::new();
        let mut queue = std::collections::VecDeque::from([(index, function)]);
        while let Some((module, scope)) = queue.pop_front() {
            if !seen.insert((module, scope)) || seen.len() > 5_000 || found.len() >= 8 {
                continue;
            }
            let Some(of) = self.modules.get(module) else {
                continue;
            };
            let starts = self
                .entries
                .iter()
                .filter(|entry| entry.path == of.path && entry.function == scope);
            for entry in starts {
                if !found.contains(&entry) {
                    found.push(entry);
                }
            }
            let Some(at) = scope else {
                // What a file does when it is loaded, its importers start.
                for (importer, _) in self.importers.get(&of.path).into_iter().flatten() {
                    queue.push_back((*importer, None));
                }
                continue;
            };
            queue.extend(self.callers(module, at as usize));
        }
        found.truncate(8);
        found
    }

    /// Who calls a function, and who makes objects whose method it is.
    fn callers(&self, module: usize, function: usize) -> Vec<(usize, ScopeId)> {
        let Some(of) = self.modules.get(module) else {
            return Vec::new();
        };
        let Some(this) = of.functions.get(function) else {
            return Vec::new();
        };
        let mut sites = self.callers_of(&of.path, &this.qualified);
        if sites.is_empty()
            && let Some(class) = this.class.and_then(|class| of.classes.get(class as usize))
        {
            sites = self.callers_of(&of.path, &class.qualified);
        }
        let mut callers: Vec<(usize, ScopeId)> = sites
            .iter()
            .filter_map(|site| Some((self.index(&site.module.path)?, site.call.scope)))
            .collect();
        if this.scope.is_some() && this.class.is_none() {
            callers.push((module, this.scope));
        }
        callers
    }
}
