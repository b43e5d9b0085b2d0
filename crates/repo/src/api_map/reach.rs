//! Who starts a function: callers as far as names tell, and likely ones beyond that.
//!
//! [`Code`] follows what it can tell exactly. Bots also hand functions over in tables (`PROVIDERS[name]`) and
//! objects as arguments (`broker.submit`), so two weaker steps are added here: an object's class is looked
//! up at the callers that hand it over, and a function that is named without being called may be called by
//! whoever names it. Certain and likely callers are kept apart. Nothing is executed.

use std::collections::{BTreeSet, HashMap, VecDeque};

use super::client;
use super::names::{DEPTH, Names, Place};
use crate::python::{Binding, Call, Class, Code, Module, ScopeId, Target, Value};

/// Most functions that are looked at on the way back to a start.
const MAX_STEPS: usize = 5_000;
/// Most starts that are told of one call.
const MAX_STARTS: usize = 8;

/// A function: module and scope.
pub type Node = (usize, ScopeId);

/// One step back: who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Index of the module.
    pub module: usize,
    /// The function that calls.
    pub scope: ScopeId,
    /// Index of the call in its module; `None` where the function is only named.
    pub call: Option<usize>,
    /// Whether nothing else can be meant.
    pub is_certain: bool,
}

/// Who calls whom.
#[derive(Debug, Default)]
pub struct Callers {
    by_target: HashMap<Node, Vec<Caller>>,
}

impl Callers {
    /// Returns who calls that function.
    pub fn of(&self, module: usize, scope: ScopeId) -> &[Caller] {
        self.by_target
            .get(&(module, scope))
            .map_or(&[], Vec::as_slice)
    }

    /// Returns what starts a function, nearest first, and whether something does: `None` when the file
    /// itself cannot be told to be loaded.
    pub(super) fn starts(&self, code: &Code, node: Node) -> (Vec<Box<str>>, bool) {
        let mut starts: Vec<Box<str>> = Vec::new();
        let mut seen = BTreeSet::new();
        let mut queue = VecDeque::from([node]);
        while let Some((module, scope)) = queue.pop_front() {
            if !seen.insert((module, scope)) || seen.len() > MAX_STEPS || starts.len() >= MAX_STARTS
            {
                continue;
            }
            let Some(of) = code.modules.get(module) else {
                continue;
            };
            for entry in code.entries() {
                let here = entry.path == of.path && entry.function == scope;
                if here && !starts.contains(&entry.name) {
                    starts.push(entry.name.clone());
                }
            }
            queue.extend(self.of(module, scope).iter().map(|c| (c.module, c.scope)));
            if scope.is_none() {
                let importers = code.importers_of(&of.path);
                queue
                    .extend(importers.filter_map(|(module, _)| Some((index(code, module)?, None))));
            } else if let Some(function) = of.functions.get(scope.unwrap_or_default() as usize) {
                // A function inside another is started by it.
                if function.scope.is_some() {
                    queue.push_back((module, function.scope));
                }
            }
        }
        let is_started = !starts.is_empty();
        (starts, is_started)
    }
}

fn index(code: &Code, module: &Module) -> Option<usize> {
    code.modules
        .binary_search_by(|other| other.path.cmp(&module.path))
        .ok()
}

/// Parameters whose callers were asked for the class of what they give, and one more than the steps left then.
type Asked<'n> = HashMap<(usize, u32, &'n str), u8>;

/// Puts the callers together.
pub(super) struct Joiner<'a> {
    code: &'a Code,
    names: &'a Names<'a>,
    callers: Callers,
    resolved: BTreeSet<(usize, usize)>,
    methods: HashMap<&'a str, Vec<(usize, u32)>>,
}

impl<'a> Joiner<'a> {
    pub(super) fn join(code: &'a Code, names: &'a Names<'a>) -> Callers {
        let mut joiner = Self {
            code,
            names,
            callers: Callers::default(),
            resolved: BTreeSet::new(),
            methods: HashMap::new(),
        };
        for (at, module) in code.modules.iter().enumerate() {
            for (place, function) in module.functions.iter().enumerate() {
                if function.class.is_some()
                    && let Ok(place) = u32::try_from(place)
                {
                    joiner
                        .methods
                        .entry(&function.name)
                        .or_default()
                        .push((at, place));
                }
            }
        }
        joiner.certain();
        joiner.handed_over();
        joiner.named();
        joiner.callers
    }

    fn certain(&mut self) {
        let places: HashMap<*const Call, usize> = self
            .code
            .modules
            .iter()
            .flat_map(|module| module.calls.iter().enumerate())
            .map(|(at, call)| (std::ptr::from_ref(call), at))
            .collect();
        for site in self.code.calls() {
            let Some(module) = index(self.code, site.module) else {
                continue;
            };
            let Some(call) = places.get(&std::ptr::from_ref(site.call)).copied() else {
                continue;
            };
            let target = match site.target {
                Target::Function(of, function) => Some((of, function)),
                Target::Class(of, class) => self.constructor(of, class).map(|f| (of, f)),
            };
            self.resolved.insert((module, call));
            if let Some((of, function)) = target {
                self.add(
                    (of, u32::try_from(function).ok()),
                    module,
                    site.call.scope,
                    Some(call),
                    true,
                );
            }
        }
    }

    fn add(
        &mut self,
        target: Node,
        module: usize,
        scope: ScopeId,
        call: Option<usize>,
        is_certain: bool,
    ) {
        let caller = Caller {
            module,
            scope,
            call,
            is_certain,
        };
        let callers = self.callers.by_target.entry(target).or_default();
        if !callers.contains(&caller) {
            callers.push(caller);
        }
    }

    fn constructor(&self, module: usize, class: usize) -> Option<usize> {
        let of = self.code.modules.get(module)?;
        let class = u32::try_from(class).ok()?;
        of.functions_named("__init__")
            .find(|(_, function)| function.class == Some(class))
            .map(|(at, _)| at)
    }

    /// Methods of objects that were handed over: by class where it shows, else by name.
    fn handed_over(&mut self) {
        let code = self.code;
        for (at, module) in code.modules.iter().enumerate() {
            for (index, call) in module.calls.iter().enumerate() {
                if self.resolved.contains(&(at, index)) {
                    continue;
                }
                let Some((object, method)) = call.callee.rsplit_once('.') else {
                    continue;
                };
                let Some(candidates) = self.methods.get(method).cloned() else {
                    continue;
                };
                let place = Place {
                    module: at,
                    scope: call.scope,
                    line: call.line,
                };
                let class = self.class_of(place, object, DEPTH, &mut Asked::new());
                let of_class = class.and_then(|(owner, class)| self.method(owner, class, method));
                match of_class {
                    Some(target) => self.add(target, at, call.scope, Some(index), true),
                    None if class.is_some() => {}
                    None => {
                        for (owner, function) in candidates.into_iter().take(8) {
                            self.add((owner, Some(function)), at, call.scope, Some(index), false);
                        }
                    }
                }
            }
        }
    }

    fn method(&self, owner: usize, class: &Class, method: &str) -> Option<Node> {
        let module = self.code.modules.get(owner)?;
        let at = module.classes.iter().position(|c| std::ptr::eq(c, class))?;
        let at = u32::try_from(at).ok()?;
        let (found, _) = module
            .functions_named(method)
            .find(|(_, function)| function.class == Some(at))?;
        Some((owner, u32::try_from(found).ok()))
    }

    /// Returns the class of the object that `name` holds. `asked` is what this question came by without an answer.
    fn class_of<'n>(
        &self,
        place: Place,
        name: &'n str,
        depth: u8,
        asked: &mut Asked<'n>,
    ) -> Option<(usize, &'a Class)>
    where
        'a: 'n,
    {
        let depth = depth.checked_sub(1)?;
        if let Some((value, there)) = self.names.value(place, name, depth) {
            return match value {
                Value::Call(made, _) => self.names.class(there.module, made),
                Value::Name(other) if other.as_ref() != name => {
                    self.class_of(there, other, depth, asked)
                }
                _ => None,
            };
        }
        let module = self.code.modules.get(place.module)?;
        let scope = place.scope?;
        let function = module.functions.get(scope as usize)?;
        let is_method = usize::from(function.class.is_some());
        let at = function
            .parameters
            .iter()
            .skip(is_method)
            .position(|p| p.name.as_ref() == name)?;
        // Functions that hand one object round call each other on many ways: each is asked once, and again only from
        // nearer, where more steps are left.
        let before = asked.entry((place.module, scope, name)).or_default();
        if *before > depth {
            return None;
        }
        *before = depth + 1;
        let callers = self.callers.of(place.module, Some(scope));
        callers
            .iter()
            .filter(|c| c.is_certain)
            .take(8)
            .find_map(|caller| {
                let call = self
                    .code
                    .modules
                    .get(caller.module)?
                    .calls
                    .get(caller.call?)?;
                let there = Place {
                    module: caller.module,
                    scope: caller.scope,
                    line: call.line,
                };
                match client::argument(call, name, at)? {
                    Value::Name(given) => self.class_of(there, given, depth, asked),
                    Value::Call(made, _) => self.names.class(there.module, made),
                    _ => None,
                }
            })
    }

    /// Functions that are named and not called: in tables, as arguments.
    fn named(&mut self) {
        let code = self.code;
        for (at, module) in code.modules.iter().enumerate() {
            let mut said: Vec<(ScopeId, &str)> = Vec::new();
            for call in &module.calls {
                for argument in &call.arguments {
                    collect(&argument.value, call.scope, &mut said);
                }
            }
            for assignment in &module.assignments {
                let scope = match assignment.binding {
                    Binding::Local(scope) => Some(scope),
                    _ => None,
                };
                collect(&assignment.value, scope, &mut said);
            }
            said.extend(
                module
                    .names
                    .iter()
                    .map(|name| (name.scope, name.name.as_ref())),
            );
            said.sort_unstable();
            said.dedup();
            for (scope, name) in said {
                let Some(target) = self.function(at, scope, name) else {
                    continue;
                };
                self.add(target, at, scope, None, false);
                if scope.is_some() {
                    continue;
                }
                // A table of the module: whoever of its functions reads it may call what is in it.
                for function in 0..module.functions.len() {
                    self.add(target, at, u32::try_from(function).ok(), None, false);
                }
            }
        }
    }

    fn function(&self, at: usize, scope: ScopeId, name: &str) -> Option<Node> {
        let module = self.code.modules.get(at)?;
        let of = |module: usize, qualified: &str| {
            let name = qualified.rsplit('.').next().unwrap_or_default();
            let mut named = self.code.modules.get(module)?.functions_named(name);
            let (found, _) = named.find(|(_, f)| f.qualified.as_ref() == qualified)?;
            Some((module, u32::try_from(found).ok()))
        };
        if let Some(method) = name.strip_prefix("self.") {
            let class = module.functions.get(scope? as usize)?.class?;
            return self.method(at, module.classes.get(class as usize)?, method);
        }
        if let Some(found) = of(at, name) {
            return Some(found);
        }
        let (owner, rest) = self.names.split(at, name)?;
        of(owner, &rest).or_else(|| {
            // Taken along by a package: `from bot.fetchers import yahoo` in between.
            let import = self
                .code
                .modules
                .get(owner)?
                .imports_bound(&rest)
                .next()
                .map(|(_, import)| import)?;
            let from = self.names.imported(owner, import.level, &import.module)?;
            of(from, import.name.as_deref()?)
        })
    }
}

fn collect<'a>(value: &'a Value, scope: ScopeId, said: &mut Vec<(ScopeId, &'a str)>) {
    match value {
        Value::Name(name) => said.push((scope, name)),
        Value::List(values) | Value::Either(values) => {
            for value in values {
                collect(value, scope, said);
            }
        }
        Value::Dict(pairs) => {
            for (_, value) in pairs {
                collect(value, scope, said);
            }
        }
        _ => {}
    }
}
