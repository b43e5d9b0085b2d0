//! Which function of the repository a call leads to, where that can be told exactly.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::code::Code;
use super::define::{Definition, Found};
use super::module::{Binding, Call, Module, ScopeId, Value};
use crate::cores;

/// What a call leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// A function or method: index of the module in [`Code::modules`], index of the function in it.
    Function(usize, usize),
    /// A class, called to make an object: module and class likewise.
    Class(usize, usize),
}

/// One call that leads to something here.
#[derive(Clone, Copy, Debug)]
pub struct CallSite<'c> {
    /// The module it stands in.
    pub module: &'c Arc<Module>,
    /// The call.
    pub call: &'c Call,
    /// What it leads to.
    pub target: Target,
    /// Whether the object or class before the last dot is given by Python itself: `self` is not among the
    /// arguments.
    pub is_bound: bool,
    /// Whether nothing else can stand behind the name.
    pub is_sole: bool,
}

/// One resolved call: module, call, target.
#[derive(Clone, Copy, Debug)]
struct Edge {
    module: usize,
    call: usize,
    target: Target,
    is_bound: bool,
    is_sole: bool,
}

/// Where a call leads, before it is known whether that is something here.
#[derive(Clone, Copy, Debug)]
struct Led {
    target: Option<Target>,
    is_bound: bool,
    is_sole: bool,
}

impl Led {
    fn of(code: &Code, found: &Found<'_>, is_bound: bool) -> Self {
        Self {
            target: code.target(found),
            is_bound,
            is_sole: found.is_sole,
        }
    }
}

/// What absolute names mean in one module: its calls name the same few classes again and again.
type Known<'c> = HashMap<Box<str>, Found<'c>>;

/// Every call that leads to something here.
#[derive(Debug, Default)]
pub(super) struct Calls {
    edges: Vec<Edge>,
    by_target: BTreeMap<Target, Vec<usize>>,
    by_caller: BTreeMap<(usize, ScopeId), Vec<usize>>,
}

impl Calls {
    pub(super) fn of(code: &Code) -> Self {
        let mut calls = Self::default();
        let mut through_parameters = Vec::new();
        let told = cores::each(&code.modules, |_, module| {
            let mut known = Known::default();
            let told = module
                .calls
                .iter()
                .map(|call| code.find_call(module, call, &mut known));
            told.map(|found| found.map(|(found, is_bound)| Led::of(code, &found, is_bound)))
                .collect::<Vec<_>>()
        });
        for (index, of_module) in told.into_iter().enumerate() {
            for (at, led) in of_module.into_iter().enumerate() {
                match led {
                    Some(led) => calls.push(code, index, at, led),
                    None => through_parameters.push((index, at)),
                }
            }
        }
        // What a parameter is, its callers say: those are known now. Twice, for what is handed on.
        for _ in 0..2 {
            let mut found = Vec::new();
            for (index, at) in std::mem::take(&mut through_parameters) {
                match calls.find_on_parameter(code, index, at) {
                    Some(method) => found.push((index, at, Led::of(code, &method, true))),
                    None => through_parameters.push((index, at)),
                }
            }
            for (index, at, led) in found {
                calls.push(code, index, at, led);
            }
        }
        calls
    }

    fn push(&mut self, code: &Code, module: usize, call: usize, led: Led) {
        let Some(target) = led.target else {
            return;
        };
        let scope = code
            .modules
            .get(module)
            .and_then(|module| module.calls.get(call))
            .and_then(|call| call.scope);
        let edge = self.edges.len();
        self.edges.push(Edge {
            module,
            call,
            target,
            is_bound: led.is_bound,
            is_sole: led.is_sole,
        });
        self.by_target.entry(target).or_default().push(edge);
        self.by_caller
            .entry((module, scope))
            .or_default()
            .push(edge);
    }

    /// `notifier.send(…)` where every caller of the function gives a `Notifier` for `notifier`.
    fn find_on_parameter<'c>(&self, code: &'c Code, index: usize, at: usize) -> Option<Found<'c>> {
        let module = code.modules.get(index)?;
        let call = module.calls.get(at)?;
        let (object, method) = call.written.split_once('.')?;
        if method.contains(['.', '(', '[']) || object.contains(['(', '[']) {
            return None;
        }
        let scope = call.scope?;
        let (class_module, class) = self.class_of_parameter(code, index, scope, object)?;
        let class_module = code.modules.get(class_module)?;
        Some(code.find_attribute(class_module, class, method, 0))
    }

    /// The one class whose objects every caller gives for a parameter.
    fn class_of_parameter(
        &self,
        code: &Code,
        index: usize,
        scope: u32,
        name: &str,
    ) -> Option<(usize, usize)> {
        let module = code.modules.get(index)?;
        let function = module.functions.get(scope as usize)?;
        let place = function
            .parameters
            .iter()
            .position(|parameter| parameter.name.as_ref() == name)?;
        let is_assigned = module
            .assignments_to(name)
            .any(|assignment| assignment.binding == Binding::Local(scope));
        if is_assigned {
            return None;
        }
        let target = Target::Function(index, scope as usize);
        let mut class = None;
        for edge in self.by_target.get(&target)? {
            let edge = self.edges.get(*edge)?;
            let caller = code.modules.get(edge.module)?;
            let call = caller.calls.get(edge.call)?;
            let place = place.checked_sub(usize::from(edge.is_bound))?;
            let given = call
                .arguments
                .iter()
                .find(|argument| argument.name.as_deref() == Some(name))
                .or_else(|| {
                    let argument = call.arguments.get(place)?;
                    let is_plain = call
                        .arguments
                        .iter()
                        .take(place + 1)
                        .all(|argument| argument.name.is_none());
                    is_plain.then_some(argument)
                })?;
            let made = match &given.value {
                Value::Name(variable) => made_by(caller, call.scope, variable)?,
                Value::Call(class, _) => class,
                _ => return None,
            };
            let mut found = code.find_from(caller, call.scope, made);
            if !matches!(found.what, Definition::Class(..)) && made.contains('.') {
                found = code.find_absolute(&caller.path, made);
            }
            let Some(Target::Class(of, at)) = code.target(&found).filter(|_| found.is_sole) else {
                return None;
            };
            if class.is_some_and(|known| known != (of, at)) {
                return None;
            }
            class = Some((of, at));
        }
        class
    }

    /// Targets of the calls in one function, or at the top level of a module.
    pub(super) fn from(&self, module: usize, scope: ScopeId) -> impl Iterator<Item = Target> {
        self.by_caller
            .get(&(module, scope))
            .into_iter()
            .flatten()
            .filter_map(|edge| self.edges.get(*edge))
            .map(|edge| edge.target)
    }
}

impl Code {
    /// Returns every call that leads to a function or class here.
    pub fn calls(&self) -> impl Iterator<Item = CallSite<'_>> {
        self.calls.edges.iter().filter_map(|edge| self.site(edge))
    }

    fn site(&self, edge: &Edge) -> Option<CallSite<'_>> {
        let module = self.modules.get(edge.module)?;
        Some(CallSite {
            module,
            call: module.calls.get(edge.call)?,
            target: edge.target,
            is_bound: edge.is_bound,
            is_sole: edge.is_sole,
        })
    }

    /// Returns the calls of the function of that qualified name (or of the class, to make an object) in the
    /// file at `path`.
    pub fn callers_of(&self, path: &str, qualified: &str) -> Vec<CallSite<'_>> {
        let Some(index) = self.index(path) else {
            return Vec::new();
        };
        let Some(module) = self.modules.get(index) else {
            return Vec::new();
        };
        let name = qualified.rsplit('.').next().unwrap_or_default();
        let functions = module
            .functions_named(name)
            .filter(|(_, function)| function.qualified.as_ref() == qualified)
            .map(|(at, _)| Target::Function(index, at));
        let classes = module
            .classes_named(qualified)
            .map(|(at, _)| Target::Class(index, at));
        functions
            .chain(classes)
            .filter_map(|target| self.calls.by_target.get(&target))
            .flatten()
            .filter_map(|edge| self.site(self.calls.edges.get(*edge)?))
            .collect()
    }

    /// Returns what the calls in one function of the file at `path`, or at its top level, lead to.
    pub fn calls_in(&self, path: &str, scope: ScopeId) -> impl Iterator<Item = CallSite<'_>> {
        self.index(path)
            .and_then(|index| self.calls.by_caller.get(&(index, scope)))
            .into_iter()
            .flatten()
            .filter_map(|edge| self.site(self.calls.edges.get(*edge)?))
    }

    pub(super) fn target(&self, found: &Found<'_>) -> Option<Target> {
        match &found.what {
            Definition::Function(module, index) => {
                Some(Target::Function(self.index(&module.path)?, *index))
            }
            Definition::Class(module, index) => {
                Some(Target::Class(self.index(&module.path)?, *index))
            }
            _ => None,
        }
    }

    /// Finds what a call leads to, and whether `self` is given by Python.
    fn find_call<'c>(
        &'c self,
        module: &'c Arc<Module>,
        call: &Call,
        known: &mut Known<'c>,
    ) -> Option<(Found<'c>, bool)> {
        let written = call.written.as_ref();
        let (first, rest) = written.split_once('.').unwrap_or((written, ""));
        if first == "cls" && !is_given_class(module, call.scope) {
            return None;
        }
        if (first == "self" || first == "cls") && !rest.is_empty() {
            return self.find_on_self(module, call.scope, rest, known);
        }
        if let Some((head, method)) = written.rsplit_once("().") {
            // `Client().bars(…)`: a method of a fresh object.
            if head.contains("()") || method.contains(['.', '(', '[']) {
                return None;
            }
            return self.find_on_object(module, call.scope, (head, method), known);
        }
        if written.contains(['(', '[']) || is_local(module, call.scope, first) {
            return None;
        }
        if let Some((object, method)) = written.split_once('.')
            && !method.contains('.')
            && let Some(class) = made_by(module, call.scope, object)
        {
            return self.find_on_object(module, call.scope, (class, method), known);
        }
        let found = self.find_from(module, call.scope, written);
        // `Broker.submit(broker, …)`: a method called on its class gets what is given, unless it is bound to
        // the class.
        let is_bound = match &found.what {
            Definition::Function(module, index) => {
                module.functions.get(*index).is_some_and(|function| {
                    function
                        .decorators
                        .iter()
                        .any(|decorator| decorator.as_ref() == "classmethod")
                })
            }
            _ => false,
        };
        Some((found, is_bound))
    }

    /// A method of the class around a function, or of an object that the class keeps.
    fn find_on_self<'c>(
        &'c self,
        module: &'c Arc<Module>,
        scope: ScopeId,
        rest: &str,
        known: &mut Known<'c>,
    ) -> Option<(Found<'c>, bool)> {
        let class = class_of(module, scope)?;
        if let Some((attribute, method)) = rest.split_once('.') {
            if method.contains(['.', '(', '[']) {
                return None;
            }
            let mut made = module
                .assignments_to(attribute)
                .filter(|assignment| assignment.binding == Binding::Instance(class));
            let Some(Value::Call(name, _)) = made.next().map(|assignment| &assignment.value) else {
                return None;
            };
            if made.next().is_some() {
                return None;
            }
            return self.find_on_object(module, None, (name, method), known);
        }
        if rest.contains(['(', '[']) {
            return None;
        }
        let found = self.find_attribute(module, class as usize, rest, 0);
        Some((found, true))
    }

    fn find_on_object<'c>(
        &'c self,
        module: &'c Arc<Module>,
        scope: ScopeId,
        (class, method): (&str, &str),
        known: &mut Known<'c>,
    ) -> Option<(Found<'c>, bool)> {
        let mut found = self.find_from(module, scope, class);
        if !matches!(found.what, Definition::Class(..)) && class.contains('.') {
            found = if let Some(found) = known.get(class) {
                found.clone()
            } else {
                let found = self.find_absolute(&module.path, class);
                known.insert(class.into(), found.clone());
                found
            };
        }
        let Definition::Class(module, index) = found.what else {
            return None;
        };
        let method = self.find_attribute(module, index, method, 0);
        Some((
            Found {
                is_sole: method.is_sole && found.is_sole,
                what: method.what,
            },
            true,
        ))
    }
}

/// Whether a name is bound inside one of the functions around a place, so that the module's name of the
/// same spelling is not meant.
fn is_local(module: &Module, scope: ScopeId, name: &str) -> bool {
    let mut at = scope;
    while let Some(index) = at {
        let Some(function) = module.functions.get(index as usize) else {
            return true;
        };
        if function
            .parameters
            .iter()
            .any(|parameter| parameter.name.as_ref() == name)
        {
            return true;
        }
        let shadow = module
            .shadows
            .binary_search_by(|shadow| (shadow.function, &*shadow.name).cmp(&(index, name)));
        if shadow.is_ok() {
            return true;
        }
        at = function.scope;
    }
    false
}

/// Whether one of the functions around a place is given `cls`: elsewhere the name holds any class.
fn is_given_class(module: &Module, scope: ScopeId) -> bool {
    let mut at = scope;
    while let Some(function) = at.and_then(|index| module.functions.get(index as usize)) {
        let parameters = &function.parameters;
        if parameters
            .iter()
            .any(|parameter| parameter.name.as_ref() == "cls")
        {
            return true;
        }
        at = function.scope;
    }
    false
}

/// The class whose method a function is, or is nested in.
fn class_of(module: &Module, scope: ScopeId) -> Option<u32> {
    let mut at = scope;
    while let Some(index) = at {
        let function = module.functions.get(index as usize)?;
        if function.class.is_some() {
            return function.class;
        }
        at = function.scope;
    }
    None
}

/// The class that a name was made by, where exactly one assignment says so.
fn made_by<'m>(module: &'m Module, scope: ScopeId, name: &str) -> Option<&'m str> {
    let mut at = scope;
    loop {
        let binding = at.map_or(Binding::Module, Binding::Local);
        let mut all = module
            .assignments_to(name)
            .filter(|assignment| assignment.binding == binding);
        if let Some(first) = all.next() {
            return match (&first.value, all.next()) {
                (Value::Call(class, _), None) => Some(class),
                _ => None,
            };
        }
        at = module.functions.get(at? as usize)?.scope;
    }
}
