//! Which name stands for what at which place of a file: imports, objects made by what was imported,
//! and names that hide them.
//!
//! Why: `session.get(url)` is a request only where `session` was made by `requests.Session()`. Only what the
//! file itself says is used. Scopes are Python's: functions, lambdas and comprehensions have their own names,
//! a class body is not seen from its methods. Within one scope the last binding before the use counts, seen
//! from an inner function the last one of all; what is bound to `None` first is bound to what comes later.
//! Not here: building this from a syntax tree ([`super::bind`]).

use std::collections::HashMap;

use ruff_text_size::{TextRange, TextSize};

use super::dotted::{MAX_DOTTED, without_calls};

/// How many bindings are followed from one name.
const MAX_HOPS: u8 = 8;

/// What a name is bound to.
#[derive(Clone, Debug)]
pub(crate) enum Held {
    /// What this dotted name is after the import.
    Import(Box<str>),
    /// The class of this file: its dotted name.
    Class(Box<str>),
    /// The value of this dotted name, or of a call of it, as written in the scope of the binding.
    Value { root: Box<str>, written: Box<str> },
    /// Something that says nothing: a parameter, a computed value.
    Opaque,
}

/// One binding of a name.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    pub(crate) at: TextSize,
    pub(crate) held: Held,
    /// Whether it is neither an import nor a definition.
    pub(crate) is_plain: bool,
}

/// What kind of block a scope is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Block {
    /// The file.
    Module,
    /// The function of this index in the module's list.
    Function(u32),
    /// The class of this index in the module's list.
    Class(u32),
    /// A lambda or comprehension.
    Expression,
}

/// One scope.
#[derive(Debug)]
pub(crate) struct Scope {
    pub(crate) block: Block,
    pub(crate) range: TextRange,
    /// Where the statement begins that opens it.
    pub(crate) stands_at: TextSize,
    pub(crate) parent: usize,
    pub(crate) names: HashMap<Box<str>, Vec<Bound>>,
}

/// An attribute of `self`: the class and the name.
pub(crate) type Attribute = (u32, Box<str>);

/// The scopes of one file.
#[derive(Debug)]
pub(crate) struct Scopes {
    // Invariant: the first is the module's and covers everything; parents before children.
    pub(crate) all: Vec<Scope>,
    /// The scopes by where they begin, outer before inner.
    order: Vec<usize>,
    /// Attributes of `self` by class.
    pub(crate) attributes: HashMap<Attribute, Vec<(usize, Bound)>>,
    /// Classes of this file that a class is derived from.
    pub(crate) bases: HashMap<u32, Vec<u32>>,
}

impl Scopes {
    /// Starts with the module's.
    pub(crate) fn new() -> Self {
        Self {
            all: vec![Scope {
                block: Block::Module,
                range: TextRange::new(TextSize::from(0), TextSize::from(u32::MAX)),
                stands_at: TextSize::from(0),
                parent: 0,
                names: HashMap::new(),
            }],
            order: vec![0],
            attributes: HashMap::new(),
            bases: HashMap::new(),
        }
    }

    /// Sorts the scopes, after the last was added; without that [`Self::at`] finds nothing.
    pub(crate) fn sort(&mut self) {
        self.order = (0..self.all.len()).collect();
        self.order.sort_unstable_by_key(|index| {
            let range = self.all[*index].range;
            (range.start(), std::cmp::Reverse(range.end()), *index)
        });
    }

    /// Returns the innermost scope around an offset.
    pub(crate) fn at(&self, offset: TextSize) -> usize {
        let after = self
            .order
            .partition_point(|index| self.all[*index].range.start() <= offset);
        let mut index = self.order[..after].last().copied().unwrap_or_default();
        while index > 0 && self.all[index].range.end() <= offset {
            index = self.all[index].parent;
        }
        index
    }

    /// Returns the function around a scope.
    pub(crate) fn function(&self, mut scope: usize) -> Option<u32> {
        loop {
            match self.all.get(scope)?.block {
                Block::Function(index) => return Some(index),
                Block::Module => return None,
                Block::Class(_) | Block::Expression => scope = self.all[scope].parent,
            }
        }
    }

    /// Returns the class whose method a scope belongs to, however deep in it.
    pub(crate) fn method_of(&self, mut scope: usize) -> Option<u32> {
        loop {
            let here = self.all.get(scope)?;
            match (here.block, self.all.get(here.parent)?.block) {
                (Block::Module, _) => return None,
                (Block::Function(_), Block::Class(class)) => return Some(class),
                _ => scope = here.parent,
            }
        }
    }

    /// Finds the scope and the bindings of a name that is used in `scope`.
    fn lookup(&self, name: &str, scope: usize) -> Option<(usize, &[Bound])> {
        let mut at = scope;
        loop {
            let here = self.all.get(at)?;
            let is_seen = at == scope || !matches!(here.block, Block::Class(_));
            if is_seen && let Some(bound) = here.names.get(name) {
                return Some((at, bound));
            }
            if at == 0 {
                return None;
            }
            at = here.parent;
        }
    }

    /// Says whether a name is bound where a scope is.
    pub(crate) fn is_bound(&self, name: &str, scope: usize) -> bool {
        self.lookup(name, scope).is_some()
    }

    /// Resolves a dotted name through imports only.
    pub(crate) fn imported(&self, root: &str, written: &str, place: TextSize) -> Option<String> {
        let scope = self.at(place);
        let (found, bound) = self.lookup(root, scope)?;
        match &choose(bound, (found == scope).then_some(place))?.held {
            Held::Import(dotted) => join(dotted, written.get(root.len()..)?),
            _ => None,
        }
    }

    /// Resolves a dotted name through imports, objects and classes of this file.
    pub(crate) fn resolve(&self, root: &str, written: &str, place: TextSize) -> Option<String> {
        self.follow(root, written, self.at(place), Some(place), 0)
    }

    fn follow(
        &self,
        root: &str,
        written: &str,
        scope: usize,
        place: Option<TextSize>,
        hops: u8,
    ) -> Option<String> {
        if hops > MAX_HOPS {
            return None;
        }
        let rest = written.get(root.len()..)?;
        let (found, bound) = self.lookup(root, scope)?;
        let bound = choose(bound, place.filter(|_| found == scope))?;
        match &bound.held {
            // A class itself stays as it is written; what it makes is resolved to it.
            Held::Class(_) if hops == 0 && !rest.starts_with("()") => None,
            Held::Import(dotted) | Held::Class(dotted) => join(dotted, &without_calls(rest)),
            Held::Value {
                root: next,
                written: value,
            } => {
                let whole = self.follow(next, value, found, Some(bound.at), hops + 1)?;
                join(&whole, &without_calls(rest))
            }
            Held::Opaque => self.attribute(root, rest, scope, hops),
        }
    }

    /// Resolves `self.session.get` through what the class puts into `self.session`.
    fn attribute(&self, root: &str, rest: &str, scope: usize, hops: u8) -> Option<String> {
        if root != "self" && root != "cls" {
            return None;
        }
        let class = self.method_of(scope)?;
        let rest = rest.strip_prefix('.')?;
        let end = rest.find(['.', '(', '[']).unwrap_or(rest.len());
        let (name, rest) = rest.split_at_checked(end)?;
        let (scope, bound) = self.of_class(class, name, 0)?;
        let whole = match &bound.held {
            Held::Value { root, written } => {
                self.follow(root, written, scope, Some(bound.at), hops + 1)?
            }
            _ => return None,
        };
        join(&whole, &without_calls(rest))
    }

    /// Finds what a class, or a class of this file that it is derived from, puts into an attribute.
    fn of_class(&self, class: u32, name: &str, hops: u8) -> Option<(usize, &Bound)> {
        if let Some(bound) = self.attributes.get(&(class, Box::from(name))) {
            let telling = bound
                .iter()
                .find(|(_, bound)| matches!(bound.held, Held::Value { .. }));
            return telling
                .or_else(|| bound.last())
                .map(|(scope, bound)| (*scope, bound));
        }
        if hops > MAX_HOPS {
            return None;
        }
        self.bases
            .get(&class)?
            .iter()
            .find_map(|base| self.of_class(*base, name, hops + 1))
    }
}

/// Chooses the binding that counts at a place; without one, the last that says something.
fn choose(bound: &[Bound], place: Option<TextSize>) -> Option<&Bound> {
    if let Some(place) = place
        && let Some(before) = bound.iter().rev().find(|bound| bound.at < place)
    {
        return Some(before);
    }
    bound
        .iter()
        .rev()
        .find(|bound| !matches!(bound.held, Held::Opaque))
        .or_else(|| bound.last())
}

/// Joins a resolved beginning and the rest of a dotted name.
fn join(beginning: &str, rest: &str) -> Option<String> {
    (beginning.len() + rest.len() <= MAX_DOTTED).then(|| format!("{beginning}{rest}"))
}
