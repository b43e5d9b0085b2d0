//! What a dotted name stands for, as far as addresses and keys need it: a constant, a setting, a variable.
//!
//! Only values that the code itself writes down are followed; nothing is computed. Bounded by [`DEPTH`].
//! Not here: who calls whom.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use crate::python::{Assignment, Binding, Call, Class, Code, Module, ScopeId, Value};

/// How many names are followed before giving up.
pub(super) const DEPTH: u8 = 10;

/// Where a name is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Index of the module.
    pub module: usize,
    /// The function.
    pub scope: ScopeId,
    /// The line; what is assigned later in the same function does not count.
    pub line: u32,
}

/// Which module each dotted name means.
type Meanings = HashMap<Box<str>, Option<usize>>;

/// The modules by the names they are imported under.
pub(super) struct Names<'c> {
    code: &'c Code,
    by_path: HashMap<&'c str, usize>,
    /// Names of folders and modules: what no path holds need not be looked for.
    parts: HashSet<&'c str>,
    /// What a name means in a folder: asked again and again by all files of it.
    known: RefCell<HashMap<&'c str, Meanings>>,
}

impl<'c> Names<'c> {
    pub(super) fn new(code: &'c Code) -> Self {
        let by_path = code
            .modules
            .iter()
            .enumerate()
            .map(|(at, module)| (module.path.as_ref(), at))
            .collect();
        let paths = code.modules.iter().map(|module| module.path.as_ref());
        let parts = paths.flat_map(|path| path.strip_suffix(".py").unwrap_or(path).split('/'));
        Self {
            code,
            by_path,
            parts: parts.collect(),
            known: RefCell::default(),
        }
    }

    /// Returns the module at that index.
    pub(super) fn module(&self, at: usize) -> Option<&'c Module> {
        self.code.modules.get(at).map(AsRef::as_ref)
    }

    /// Returns what `name`, read at `place`, was last assigned, and where that stands.
    pub(super) fn value(&self, place: Place, name: &str, depth: u8) -> Option<(&'c Value, Place)> {
        let depth = depth.checked_sub(1)?;
        let module = self.module(place.module)?;
        if let Some(attribute) = name.strip_prefix("self.").or(name.strip_prefix("cls.")) {
            return self.attribute(place, module, attribute, depth);
        }
        let (first, rest) = name.split_once('.').unwrap_or((name, ""));
        if rest.is_empty() {
            if let Some(found) = Self::local(module, place, first) {
                return Some(found);
            }
            if let Some(found) = self.top_level(place.module, first, depth) {
                return Some(found);
            }
        } else if let Some(class) = module.classes.iter().find(|c| c.name.as_ref() == first) {
            return Self::class_value(place.module, module, class, rest);
        }
        self.dotted(place.module, name, depth)
    }

    /// Returns what a name is assigned inside the function, or the ones around it.
    fn local(module: &'c Module, place: Place, name: &str) -> Option<(&'c Value, Place)> {
        let mut scope = place.scope;
        while let Some(at) = scope {
            let bound = |assignment: &&Assignment| {
                assignment.binding == Binding::Local(at)
                    && (place.scope != Some(at) || assignment.line <= place.line)
            };
            if let Some(found) = module.assignments_to(name).rfind(bound) {
                let at = Place {
                    scope,
                    line: found.line,
                    ..place
                };
                return Some((&found.value, at));
            }
            let function = module.functions.get(at as usize)?;
            // A parameter hides what the module calls so.
            if function.parameters.iter().any(|p| p.name.as_ref() == name) {
                return None;
            }
            scope = function.scope.filter(|outer| *outer != at);
        }
        None
    }

    /// Returns what a name of a module is assigned, or what it is imported from.
    fn top_level(&self, module: usize, name: &str, depth: u8) -> Option<(&'c Value, Place)> {
        let depth = depth.checked_sub(1)?;
        let code = self.module(module)?;
        let bound = |assignment: &&Assignment| assignment.binding == Binding::Module;
        if let Some(found) = code.assignments_to(name).rfind(bound) {
            let place = Place {
                module,
                scope: None,
                line: found.line,
            };
            return Some((&found.value, place));
        }
        let (_, import) = code.imports_bound(name).next()?;
        let inner = import.name.as_deref()?;
        let from = self.imported(module, import.level, &import.module)?;
        self.top_level(from, inner, depth)
    }

    /// Says whether a name is a parameter of the function.
    pub(super) fn is_parameter(&self, place: Place, name: &str) -> bool {
        let function = || {
            let module = self.module(place.module)?;
            module.functions.get(place.scope? as usize)
        };
        function().is_some_and(|f| f.parameters.iter().any(|p| p.name.as_ref() == name))
    }

    fn attribute(
        &self,
        place: Place,
        module: &'c Module,
        attribute: &str,
        depth: u8,
    ) -> Option<(&'c Value, Place)> {
        let class = module.functions.get(place.scope? as usize)?.class?;
        let class = module.classes.get(class as usize)?;
        if attribute.contains('.') {
            return None;
        }
        if let Some(found) = Self::class_value(place.module, module, class, attribute) {
            return Some(found);
        }
        class.bases.iter().find_map(|base| {
            let (at, rest) = self.split(place.module, base)?;
            let owner = self.module(at)?;
            let class = owner.classes.iter().find(|c| *c.name == *rest)?;
            depth.checked_sub(1)?;
            Self::class_value(at, owner, class, attribute)
        })
    }

    /// Returns what a class or its constructor assigns.
    fn class_value(
        at: usize,
        module: &'c Module,
        class: &'c Class,
        attribute: &str,
    ) -> Option<(&'c Value, Place)> {
        let index = module.classes.iter().position(|c| std::ptr::eq(c, class))?;
        let index = u32::try_from(index).ok()?;
        let bound = |assignment: &&Assignment| {
            matches!(assignment.binding, Binding::Instance(c) | Binding::Class(c) if c == index)
                && assignment.value != Value::None
        };
        let found = module.assignments_to(attribute).find(bound)?;
        let inside = |f: &crate::python::Function| f.line <= found.line && found.line <= f.end_line;
        let scope = module
            .functions
            .iter()
            .rposition(inside)
            .and_then(|at| u32::try_from(at).ok())
            .filter(|_| matches!(found.binding, Binding::Instance(_)));
        let place = Place {
            module: at,
            scope,
            line: found.line,
        };
        Some((&found.value, place))
    }

    /// Follows `package.module.NAME` or `package.module.Class.NAME`.
    fn dotted(&self, from: usize, name: &str, depth: u8) -> Option<(&'c Value, Place)> {
        let (at, rest) = self.split(from, name)?;
        match rest.split_once('.') {
            None => self.top_level(at, &rest, depth),
            Some((class, attribute)) => {
                let module = self.module(at)?;
                if let Some(class) = module.classes.iter().find(|c| c.name.as_ref() == class) {
                    return Self::class_value(at, module, class, attribute);
                }
                // An object of a settings class, made at module level: `settings.base_url`.
                let (value, place) = self.top_level(at, class, depth)?;
                let Value::Call(made, _) = value else {
                    return None;
                };
                let (owner, class) = self.class(place.module, made)?;
                Self::class_value(owner, self.module(owner)?, class, attribute)
            }
        }
    }

    /// Returns the class of that name.
    pub(super) fn class(&self, from: usize, name: &str) -> Option<(usize, &'c Class)> {
        let module = self.module(from)?;
        if let Some(class) = module.classes.iter().find(|c| c.name.as_ref() == name) {
            return Some((from, class));
        }
        let (at, rest) = self.split(from, name)?;
        let owner = self.module(at)?;
        Some((at, owner.classes.iter().find(|c| *c.name == *rest)?))
    }

    /// Splits a dotted name into the module of this repository and what is in it.
    pub(super) fn split(&self, from: usize, name: &str) -> Option<(usize, String)> {
        let parts: Vec<&str> = name.split('.').collect();
        (1..parts.len()).rev().take(8).find_map(|cut| {
            let at = self.imported(from, 0, &parts.get(..cut)?.join("."))?;
            Some((at, parts.get(cut..)?.join(".")))
        })
    }

    /// Returns the module that an import in module `from` means.
    pub(super) fn imported(&self, from: usize, level: u8, dotted: &str) -> Option<usize> {
        let path = self.module(from)?.path.as_ref();
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        if level > 0 {
            return self.look(folder, level, dotted);
        }
        let top = dotted.split('.').next().unwrap_or_default();
        if !self.parts.contains(top) {
            return None;
        }
        let known = |known: &Meanings| known.get(dotted).copied();
        if let Some(known) = self.known.borrow().get(folder).and_then(known) {
            return known;
        }
        let found = self.look(folder, level, dotted);
        let mut known = self.known.borrow_mut();
        known
            .entry(folder)
            .or_default()
            .insert(dotted.into(), found);
        found
    }

    fn look(&self, folder: &str, level: u8, dotted: &str) -> Option<usize> {
        let mut folders: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
        let tail = dotted.replace('.', "/");
        if level > 0 {
            let keep = folders.len().checked_sub(usize::from(level) - 1)?;
            folders.truncate(keep);
            return self.file(&folders.join("/"), &tail);
        }
        if tail.is_empty() {
            return None;
        }
        // The root, then the folders above the file: a script's own folder is on its path.
        self.file("", &tail)
            .or_else(|| self.file("src", &tail))
            .or_else(|| {
                (0..folders.len())
                    .rev()
                    .find_map(|n| self.file(&folders.get(..=n)?.join("/"), &tail))
            })
    }

    fn file(&self, folder: &str, tail: &str) -> Option<usize> {
        let join = |rest: String| match (folder.is_empty(), rest.is_empty()) {
            (true, _) => rest,
            (false, true) => folder.to_owned(),
            (false, false) => format!("{folder}/{rest}"),
        };
        let package = join(tail.to_owned());
        let candidates = [format!("{package}.py"), format!("{package}/__init__.py")];
        candidates
            .iter()
            .find_map(|path| self.by_path.get(path.as_str()).copied())
    }

    /// Returns the call that a [`Value::Call`] speaks of.
    pub(super) fn call(&self, module: usize, callee: &str, line: u32) -> Option<&'c Call> {
        let module = self.module(module)?;
        module
            .calls
            .iter()
            .find(|call| call.line == line && call.callee.as_ref() == callee)
    }
}
