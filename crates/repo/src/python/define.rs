//! What a name of a module is, followed through imports, re-exports and `*`.
//!
//! Three answers: it is this, it is certainly not there, it cannot be told. A name counts as not there only
//! when everything that could bind it is known.

use std::borrow::Cow;
use std::sync::Arc;

use super::code::Code;
use super::module::{Binding, Module, ScopeId};
use super::resolve::Resolution;
use super::roots::{join, split};

/// How many imports are followed from one name.
const MAX_HOPS: u8 = 12;

/// What a name is.
#[derive(Clone, Debug)]
pub enum Definition<'c> {
    /// A function or method: index into [`Module::functions`].
    Function(&'c Arc<Module>, usize),
    /// A class: index into [`Module::classes`].
    Class(&'c Arc<Module>, usize),
    /// Something else that the module binds, and the line.
    Variable(&'c Arc<Module>, u32),
    /// A file here as a module.
    Module(Box<str>),
    /// A folder here without `__init__.py`.
    Folder(Box<str>),
    /// Something outside the repository: its dotted name.
    Outside(Box<str>),
    /// A module here that binds no such name: the module and the name.
    Missing(&'c Arc<Module>, Box<str>),
    /// A module that is missing itself: its dotted name.
    Unresolved(Box<str>),
    /// It cannot be told, and why not.
    Unknown(&'static str),
}

/// What a name is, and whether nothing else binds it.
#[derive(Clone, Debug)]
pub struct Found<'c> {
    /// What it is.
    pub what: Definition<'c>,
    /// Whether each name on the way is bound exactly once, so that nothing else can stand there.
    pub is_sole: bool,
}

impl<'c> Found<'c> {
    fn sole(what: Definition<'c>) -> Self {
        Self {
            what,
            is_sole: true,
        }
    }

    fn unknown(why: &'static str) -> Self {
        Self {
            what: Definition::Unknown(why),
            is_sole: false,
        }
    }

    fn and(mut self, is_sole: bool) -> Self {
        self.is_sole &= is_sole;
        self
    }
}

/// Names that every module has.
const IMPLICIT: &[&str] = &[
    "__name__",
    "__file__",
    "__doc__",
    "__path__",
    "__package__",
    "__spec__",
    "__loader__",
    "__dict__",
    "__builtins__",
    "__all__",
    "__class__",
    "__cached__",
    "__annotations__",
    "__version__",
];

/// Says whether a module binds a name at its top level by itself, submodules and `*` left out.
pub(super) fn binds(module: &Module, name: &str) -> bool {
    module
        .bound
        .binary_search_by(|bound| bound.name.as_ref().cmp(name))
        .is_ok()
        || module
            .functions_named(name)
            .any(|(_, function)| is_top(function.scope, function.class))
        || module
            .classes_named(name)
            .any(|(_, class)| class.scope.is_none())
        || module
            .assignments_to(name)
            .any(|assignment| assignment.binding == Binding::Module)
        || module
            .imports_bound(name)
            .any(|(_, import)| import.scope.is_none() && import.name.as_deref() != Some("*"))
}

/// Says whether a module takes names by `*`.
pub(super) fn has_star(module: &Module) -> bool {
    module
        .imports
        .iter()
        .any(|import| import.name.as_deref() == Some("*"))
}

fn is_top(scope: ScopeId, class: Option<u32>) -> bool {
    scope.is_none() && class.is_none()
}

impl Code {
    /// Finds what a dotted name means at the top level of the module at `path`: `send`, `Broker.submit`,
    /// `fetchers.yahoo.fetch_chart`.
    pub fn find_in(&self, path: &str, dotted: &str) -> Found<'_> {
        self.follow_in(path, dotted, 0)
    }

    /// Finds what an absolute dotted name means in the file at `importer`, as `patch("bot.x.y")` does.
    pub fn find_absolute(&self, importer: &str, dotted: &str) -> Found<'_> {
        self.follow_absolute(importer, dotted, 0)
    }

    /// Finds what a dotted name means inside a function of a module (or at its top level), imports of the
    /// functions around it included. Names that a function binds in other ways are not seen here.
    pub fn find_from(&self, module: &Arc<Module>, scope: ScopeId, dotted: &str) -> Found<'_> {
        let (first, rest) = dotted.split_once('.').unwrap_or((dotted, ""));
        let mut at = scope;
        while let Some(index) = at {
            let nested = rest.is_empty().then(|| {
                module
                    .functions_named(first)
                    .rfind(|(_, function)| function.scope == at && function.class.is_none())
            });
            if let Some((nested, _)) = nested.flatten()
                && let Some(module) = self.module(&module.path)
            {
                return Found {
                    what: Definition::Function(module, nested),
                    is_sole: true,
                };
            }
            let import = module
                .imports_bound(first)
                .rfind(|(_, import)| import.scope == at && import.name.as_deref() != Some("*"));
            if let Some((place, _)) = import {
                return self.follow_import(module, place, rest, 0);
            }
            at = module
                .functions
                .get(index as usize)
                .and_then(|function| function.scope);
        }
        self.find_in(&module.path, dotted)
    }

    fn follow_absolute(&self, importer: &str, dotted: &str, hops: u8) -> Found<'_> {
        if hops > MAX_HOPS {
            return Found::unknown("too many imports lead from one to the next");
        }
        // The longest beginning that is a module; the rest are names in it.
        let mut end = dotted.len();
        let mut first_missing = None;
        loop {
            let head = dotted.get(..end).unwrap_or(dotted);
            let rest = dotted.get(end + 1..).unwrap_or_default();
            match self.resolve_module(importer, head) {
                Resolution::File { path, .. } => {
                    return self.follow_path(&path, rest, hops + 1);
                }
                Resolution::Folder { path } => {
                    if rest.is_empty() {
                        return Found::sole(Definition::Folder(path));
                    }
                    return Found::unknown("a folder that may be an installed package as well");
                }
                Resolution::Standard(_) | Resolution::Outside { .. } => {
                    return Found::sole(Definition::Outside(dotted.into()));
                }
                Resolution::Undecided { .. } => {
                    return Found::unknown("an import that cannot be decided");
                }
                Resolution::Missing { module, .. } => {
                    first_missing.get_or_insert(module);
                }
            }
            match head.rfind('.') {
                Some(dot) => end = dot,
                None => {
                    return Found::sole(Definition::Unresolved(
                        first_missing.unwrap_or_else(|| dotted.into()),
                    ));
                }
            }
        }
    }

    fn follow_path(&self, path: &str, rest: &str, hops: u8) -> Found<'_> {
        if rest.is_empty() {
            return Found::sole(Definition::Module(path.into()));
        }
        self.follow_in(path, rest, hops)
    }

    fn follow_in(&self, path: &str, dotted: &str, hops: u8) -> Found<'_> {
        if hops > MAX_HOPS {
            return Found::unknown("too many imports lead from one to the next");
        }
        let Some(module) = self.module(path) else {
            return Found::unknown("a file that is no Python source or could not be read");
        };
        let (name, rest) = dotted.split_once('.').unwrap_or((dotted, ""));
        let times = module
            .bound
            .binary_search_by(|bound| bound.name.as_ref().cmp(name))
            .ok()
            .and_then(|at| module.bound.get(at))
            .map_or(1, |bound| bound.times);
        if let Some(found) = self.follow_bound(module, name, rest, hops) {
            return found.and(times == 1);
        }
        if IMPLICIT.contains(&name) {
            return Found::sole(Definition::Variable(module, 1));
        }
        self.follow_unbound(module, name, rest, hops)
    }

    /// What the module itself binds: the last binding in the file.
    fn follow_bound<'c>(
        &'c self,
        module: &'c Arc<Module>,
        name: &str,
        rest: &str,
        hops: u8,
    ) -> Option<Found<'c>> {
        let function = module
            .functions_named(name)
            .rfind(|(_, function)| is_top(function.scope, function.class));
        let class = module
            .classes_named(name)
            .rfind(|(_, class)| class.scope.is_none());
        let import = module
            .imports_bound(name)
            .rfind(|(_, import)| import.scope.is_none() && import.name.as_deref() != Some("*"));
        let line = [
            function.map(|(_, function)| function.line),
            class.map(|(_, class)| class.line),
            import.map(|(_, import)| import.line),
        ]
        .into_iter()
        .flatten()
        .max();
        let variable = module
            .assignments_to(name)
            .rfind(|assignment| assignment.binding == Binding::Module)
            .map(|assignment| assignment.line);
        let Some(line) = line else {
            let line = variable.or_else(|| {
                let at = module
                    .bound
                    .binary_search_by(|bound| bound.name.as_ref().cmp(name))
                    .ok()?;
                module.bound.get(at).map(|bound| bound.line)
            })?;
            return Some(Found::sole(if rest.is_empty() {
                Definition::Variable(module, line)
            } else {
                Definition::Unknown("an attribute of a variable")
            }));
        };
        if let Some((index, found)) = function
            && found.line == line
        {
            return Some(Found::sole(if rest.is_empty() {
                Definition::Function(module, index)
            } else {
                Definition::Unknown("an attribute of a function")
            }));
        }
        if let Some((index, found)) = class
            && found.line == line
        {
            return Some(if rest.is_empty() {
                Found::sole(Definition::Class(module, index))
            } else {
                self.find_attribute(module, index, rest, hops)
            });
        }
        import.map(|(place, _)| self.follow_import(module, place, rest, hops + 1))
    }

    /// What a module has without binding it: modules below it, names taken by `*`.
    fn follow_unbound<'c>(
        &'c self,
        module: &'c Arc<Module>,
        name: &str,
        rest: &str,
        hops: u8,
    ) -> Found<'c> {
        let (folder, file) = split(&module.path);
        if file == "__init__.py" {
            let below = join(folder, name);
            if let Some(path) = self.files.module(&below) {
                return self.follow_path(path, rest, hops + 1);
            }
            if self.files.has_folder(&below) {
                return Found::unknown("a folder below a package");
            }
        }
        if !module.errors.is_empty() {
            return Found::unknown("a file with syntax errors");
        }
        let mut doubt = None;
        for (place, import) in module.imports.iter().enumerate() {
            if import.name.as_deref() != Some("*") || import.scope.is_some() {
                continue;
            }
            let known = self.resolution(&module.path, place);
            let known = known.map_or_else(
                || Cow::Owned(self.resolve(&module.path, import)),
                Cow::Borrowed,
            );
            match known.as_ref() {
                Resolution::File { path, .. } => {
                    let is_private = name.starts_with('_');
                    let exports = self.module(path).and_then(|module| module.exports.as_ref());
                    if exports.map_or(is_private, |exports| {
                        !exports.iter().any(|n| n.as_ref() == name)
                    }) {
                        continue;
                    }
                    let found = self.follow_in(path, &join_dotted(name, rest), hops + 1);
                    match found.what {
                        Definition::Missing(..) => {}
                        Definition::Unknown(why) => doubt = Some(why),
                        _ => return found,
                    }
                }
                _ => doubt = Some("names taken by `*` from what is not here"),
            }
        }
        if let Some(why) = doubt {
            return Found::unknown(why);
        }
        if module.is_dynamic {
            return Found::unknown("a module that makes names at run time");
        }
        if module.path.ends_with(".pyx") || module.path.ends_with(".pyi") {
            return Found::unknown("a compiled module");
        }
        Found::sole(Definition::Missing(module, name.into()))
    }

    /// Follows the import at that place of a module.
    fn follow_import(&self, module: &Module, place: usize, rest: &str, hops: u8) -> Found<'_> {
        let Some(import) = module.imports.get(place) else {
            return Found::unknown("an import that is not there");
        };
        if hops > MAX_HOPS {
            return Found::unknown("too many imports lead from one to the next");
        }
        let path = &module.path;
        // `import a.b` binds `a`.
        if import.name.is_none() && import.level == 0 {
            let top = import.module.split('.').next().unwrap_or_default();
            let head = if import.bound.as_ref() == top {
                top
            } else {
                import.module.as_ref()
            };
            return self.follow_absolute(path, &join_dotted(head, rest), hops + 1);
        }
        let known = self.resolution(path, place);
        let known = known.map_or_else(|| Cow::Owned(self.resolve(path, import)), Cow::Borrowed);
        match known.as_ref() {
            Resolution::File { path, name: None } => self.follow_path(path, rest, hops + 1),
            Resolution::File {
                path,
                name: Some(name),
            } => self.follow_in(path, &join_dotted(name, rest), hops + 1),
            Resolution::Folder { path } if rest.is_empty() => {
                Found::sole(Definition::Folder(path.clone()))
            }
            Resolution::Folder { .. } => Found::unknown("a folder without `__init__.py`"),
            Resolution::Standard(_) | Resolution::Outside { .. } => {
                let name = import.name.as_deref().unwrap_or_default();
                let dotted = join_dotted(&join_dotted(&import.module, name), rest);
                Found::sole(Definition::Outside(dotted.into()))
            }
            Resolution::Missing { module, .. } => {
                Found::sole(Definition::Unresolved(module.clone()))
            }
            Resolution::Undecided { .. } => Found::unknown("an import that cannot be decided"),
        }
    }

    /// Returns what an import of the file at `path` was found to lead to when the modules were joined.
    fn resolution(&self, path: &str, place: usize) -> Option<&Resolution> {
        self.resolved.get(self.index(path)?)?.get(place)
    }

    /// Finds an attribute of a class, through the classes it is derived from.
    pub fn find_attribute<'c>(
        &'c self,
        module: &'c Arc<Module>,
        class: usize,
        dotted: &str,
        hops: u8,
    ) -> Found<'c> {
        if hops > MAX_HOPS {
            return Found::unknown("too many classes derive from one another");
        }
        let Some(this) = module.classes.get(class) else {
            return Found::unknown("a class that is not there");
        };
        let (name, rest) = dotted.split_once('.').unwrap_or((dotted, ""));
        if !rest.is_empty() {
            return Found::unknown("an attribute of an attribute");
        }
        let mut own = module
            .functions_named(name)
            .filter(|(_, function)| function.class == u32::try_from(class).ok());
        if let Some((last, _)) = own.next_back() {
            return Found {
                what: Definition::Function(module, last),
                is_sole: own.next_back().is_none(),
            };
        }
        let assigned = module.assignments_to(name).find(|assignment| {
            matches!(assignment.binding, Binding::Class(of) | Binding::Instance(of) if of as usize == class)
        });
        if let Some(assigned) = assigned {
            return Found::sole(Definition::Variable(module, assigned.line));
        }
        for base in &this.bases {
            if matches!(base.as_ref(), "object" | "ABC" | "abc.ABC") {
                continue;
            }
            let found = self.find_base(module, base, hops);
            match found.what {
                Definition::Class(module, index) => {
                    let inherited = self.find_attribute(module, index, name, hops + 1);
                    if !matches!(inherited.what, Definition::Missing(..)) {
                        return inherited.and(found.is_sole);
                    }
                }
                _ => return Found::unknown("a class that derives from what is not here"),
            }
        }
        if !this.decorators.is_empty() {
            return Found::unknown("a decorated class");
        }
        Found::sole(Definition::Missing(module, name.into()))
    }

    /// Finds a class by a base's name as written in [`super::Class::bases`].
    fn find_base<'c>(&'c self, module: &'c Arc<Module>, base: &str, hops: u8) -> Found<'c> {
        let here = self.follow_in(&module.path, base, hops + 1);
        match here.what {
            Definition::Class(..) => here,
            _ if base.contains('.') => {
                self.follow_absolute(&module.path, base.trim_start_matches('.'), hops + 1)
            }
            _ => here,
        }
    }
}

fn join_dotted(one: &str, other: &str) -> String {
    match (one.is_empty(), other.is_empty()) {
        (true, _) => other.to_owned(),
        (_, true) => one.to_owned(),
        _ => format!("{one}.{other}"),
    }
}
