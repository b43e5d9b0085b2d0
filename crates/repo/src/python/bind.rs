//! First look at a syntax tree: imports, functions, classes, and which name is bound to what where.
//!
//! A second look ([`super::outline`]) needs all bindings at hand, because a method may use what a later one
//! makes. Start reading at [`Binder`].

use std::collections::{BTreeMap, HashMap};

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{self as ast, Expr, Stmt};
use ruff_text_size::{Ranged, TextRange, TextSize};

use super::dotted::dotted;
use super::guards::{Catches, catches, is_type_checking, suppresses_import};
use super::lines::Lines;
use super::module::{Class, Function, Import};
use super::scopes::{Block, Bound, Held, Scope, Scopes};
use super::signature;

/// What the first look finds.
#[derive(Debug)]
pub(crate) struct Bindings {
    pub(crate) scopes: Scopes,
    pub(crate) imports: Vec<Import>,
    pub(crate) functions: Vec<Function>,
    pub(crate) classes: Vec<Class>,
    /// Where the statement of a function or class begins, and its index.
    pub(crate) places: HashMap<TextSize, u32>,
    /// Names that the module binds: where first, how often.
    pub(crate) top: BTreeMap<Box<str>, (u32, u32)>,
}

/// Takes the first look.
pub(crate) struct Binder<'a> {
    lines: &'a Lines,
    found: Bindings,
    scope: usize,
    // Names that this function declares `global` or `nonlocal`, and the scope they are bound in.
    elsewhere: Vec<(&'a str, usize)>,
    is_optional: bool,
    is_for_types: bool,
    is_fallback: bool,
    bound_by: By,
}

/// What binds the name at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// A value, a loop, an import: anything not named below.
    Other,
    /// `def`.
    Definition,
    /// `= None`.
    None,
}

impl<'a> Binder<'a> {
    /// Looks at a whole file.
    pub(crate) fn bind(tree: &'a ast::ModModule, lines: &'a Lines) -> Bindings {
        let mut binder = Self {
            lines,
            found: Bindings {
                scopes: Scopes::new(),
                imports: Vec::new(),
                functions: Vec::new(),
                classes: Vec::new(),
                places: HashMap::new(),
                top: BTreeMap::new(),
            },
            scope: 0,
            elsewhere: Vec::new(),
            is_optional: false,
            is_for_types: false,
            is_fallback: false,
            bound_by: By::Other,
        };
        binder.visit_body(&tree.body);
        binder.link_bases();
        binder.found.scopes.sort();
        binder.found
    }

    fn line(&self, offset: TextSize) -> u32 {
        self.lines.line(offset)
    }

    /// Binds a name in the scope at hand.
    fn hold(&mut self, name: &'a str, at: TextSize, held: Held) {
        let scope = self
            .elsewhere
            .iter()
            .rev()
            .find(|(other, _)| *other == name)
            .map_or(self.scope, |(_, scope)| *scope);
        if scope == 0 {
            let line = self.line(at);
            let times = self.found.top.entry(name.into()).or_insert((line, 0));
            *times = (times.0.min(line), times.1 + 1);
        }
        let names = &mut self.found.scopes.all[scope].names;
        // What stands in for a missing import does not hide it.
        let says_nothing = self.bound_by == By::None
            || self.is_fallback && matches!(held, Held::Opaque | Held::Class(_));
        if says_nothing && names.contains_key(name) {
            return;
        }
        let is_plain =
            !matches!(held, Held::Import(_) | Held::Class(_)) && self.bound_by != By::Definition;
        names
            .entry(name.into())
            .or_default()
            .push(Bound { at, held, is_plain });
    }

    /// Binds what an assignment target names.
    fn hold_target(&mut self, target: &'a Expr, at: TextSize, held: &Held) {
        match target {
            Expr::Name(name) => self.hold(name.id.as_str(), at, held.clone()),
            Expr::Tuple(tuple) => self.hold_all(&tuple.elts, at),
            Expr::List(list) => self.hold_all(&list.elts, at),
            Expr::Starred(starred) => self.hold_target(&starred.value, at, &Held::Opaque),
            Expr::Attribute(attribute) => self.hold_attribute(attribute, at, held),
            _ => {}
        }
    }

    fn hold_all(&mut self, targets: &'a [Expr], at: TextSize) {
        for target in targets {
            self.hold_target(target, at, &Held::Opaque);
        }
    }

    /// Notes what is put into an attribute of `self`.
    fn hold_attribute(&mut self, attribute: &'a ast::ExprAttribute, at: TextSize, held: &Held) {
        let is_own = matches!(&*attribute.value, Expr::Name(name) if matches!(name.id.as_str(), "self" | "cls"));
        if !is_own {
            return;
        }
        if let Some(class) = self.found.scopes.method_of(self.scope) {
            let bound = Bound {
                at,
                held: held.clone(),
                is_plain: true,
            };
            self.found
                .scopes
                .attributes
                .entry((class, attribute.attr.as_str().into()))
                .or_default()
                .push((self.scope, bound));
        }
    }

    /// Opens a scope, looks at what is in it, and closes it.
    fn within(
        &mut self,
        block: Block,
        (stands_at, range): (TextSize, TextRange),
        look: impl FnOnce(&mut Self),
    ) {
        let outer = self.scope;
        self.found.scopes.all.push(Scope {
            block,
            range,
            stands_at,
            parent: outer,
            names: HashMap::new(),
        });
        self.scope = self.found.scopes.all.len() - 1;
        let declared = self.elsewhere.len();
        let hidden = match block {
            Block::Function(_) => std::mem::take(&mut self.elsewhere),
            _ => Vec::new(),
        };
        look(self);
        if matches!(block, Block::Function(_)) {
            self.elsewhere = hidden;
        } else {
            self.elsewhere.truncate(declared);
        }
        self.scope = outer;
    }

    fn parameters(&mut self, parameters: &'a ast::Parameters) {
        for parameter in parameters {
            let parameter = parameter.as_parameter();
            let held = parameter.annotation().map_or(Held::Opaque, annotated);
            self.hold(parameter.name.as_str(), parameter.start(), held);
        }
    }

    /// Returns the dotted names around the scope at hand, with a dot at the end.
    fn prefix(&self) -> String {
        match self.found.scopes.all[self.scope].block {
            Block::Function(index) => {
                format!("{}.", self.found.functions[index as usize].qualified)
            }
            Block::Class(index) => format!("{}.", self.found.classes[index as usize].qualified),
            Block::Module => String::new(),
            Block::Expression => self
                .found
                .scopes
                .function(self.scope)
                .map_or(String::new(), |index| {
                    format!("{}.", self.found.functions[index as usize].qualified)
                }),
        }
    }

    fn function(&mut self, function: &'a ast::StmtFunctionDef) {
        let index = u32::try_from(self.found.functions.len()).unwrap_or(u32::MAX);
        let class = match self.found.scopes.all[self.scope].block {
            Block::Class(class) => Some(class),
            _ => None,
        };
        let name = function.name.as_str();
        let mut made = signature::function(function, self.lines);
        made.qualified = format!("{}{name}", self.prefix()).into();
        made.scope = self.found.scopes.function(self.scope);
        made.class = class;
        self.found.places.insert(function.start(), index);
        self.found.functions.push(made);
        self.bound_by = By::Definition;
        self.hold(name, function.start(), Held::Opaque);
        self.bound_by = By::Other;
        for decorator in &function.decorator_list {
            self.visit_decorator(decorator);
        }
        // Default values belong to the scope around.
        for parameter in &*function.parameters {
            if let Some(default) = parameter.default() {
                self.visit_expr(default);
            }
        }
        let flags = (self.is_optional, self.is_fallback);
        (self.is_optional, self.is_fallback) = (false, false);
        let place = (
            function.start(),
            body_range(&function.body, function.range()),
        );
        self.within(Block::Function(index), place, |binder| {
            binder.parameters(&function.parameters);
            binder.visit_body(&function.body);
        });
        (self.is_optional, self.is_fallback) = flags;
    }

    fn class(&mut self, class: &'a ast::StmtClassDef) {
        let index = u32::try_from(self.found.classes.len()).unwrap_or(u32::MAX);
        let qualified: Box<str> = format!("{}{}", self.prefix(), class.name.as_str()).into();
        self.found.places.insert(class.start(), index);
        self.found.classes.push(Class {
            name: class.name.as_str().into(),
            qualified: qualified.clone(),
            line: self.line(class.name.start()),
            end_line: self.line(class.end()),
            scope: self.found.scopes.function(self.scope),
            bases: class.bases().iter().filter_map(base).collect(),
            decorators: signature::decorators(&class.decorator_list),
        });
        self.hold(class.name.as_str(), class.start(), Held::Class(qualified));
        for decorator in &class.decorator_list {
            self.visit_decorator(decorator);
        }
        let place = (class.start(), body_range(&class.body, class.range()));
        self.within(Block::Class(index), place, |binder| {
            binder.visit_body(&class.body);
        });
        // `client: Client` in a class body says what `self.client` is.
        for statement in &class.body {
            let Stmt::AnnAssign(assign) = statement else {
                continue;
            };
            let held = annotated(&assign.annotation);
            if let (Expr::Name(name), Held::Value { .. }) = (&*assign.target, &held) {
                let bound = Bound {
                    at: assign.end(),
                    held,
                    is_plain: false,
                };
                self.found
                    .scopes
                    .attributes
                    .entry((index, name.id.as_str().into()))
                    .or_default()
                    .push((self.scope, bound));
            }
        }
    }

    /// Finds the classes of this file that other classes are derived from.
    fn link_bases(&mut self) {
        for scope in &self.found.scopes.all {
            let Block::Class(class) = scope.block else {
                continue;
            };
            let Some(bases) = self.found.classes.get(class as usize) else {
                continue;
            };
            let bases = bases
                .bases
                .iter()
                .filter_map(|base| {
                    let at = self
                        .found
                        .classes
                        .iter()
                        .position(|other| other.name == *base)?;
                    u32::try_from(at).ok().filter(|at| *at != class)
                })
                .collect::<Vec<_>>();
            if !bases.is_empty() {
                self.found.scopes.bases.insert(class, bases);
            }
        }
    }

    fn import(&mut self, import: &'a ast::StmtImport) {
        for alias in &import.names {
            let module = alias.name.as_str();
            let first = module.split('.').next().unwrap_or_default();
            let bound = alias.asname.as_ref().map_or(first, ast::Identifier::as_str);
            self.note_import(alias, 0, module, None, bound);
            let whole = if alias.asname.is_some() {
                module
            } else {
                first
            };
            self.hold(bound, alias.start(), Held::Import(whole.into()));
        }
    }

    fn import_from(&mut self, import: &'a ast::StmtImportFrom) {
        let module = import.module.as_ref().map_or("", ast::Identifier::as_str);
        let dots = ".".repeat(import.level.min(20) as usize);
        for alias in &import.names {
            let name = alias.name.as_str();
            let bound = alias.asname.as_ref().map_or(name, ast::Identifier::as_str);
            let level = u8::try_from(import.level).unwrap_or(u8::MAX);
            self.note_import(alias, level, module, Some(name), bound);
            if name == "*" {
                continue;
            }
            let between = if module.is_empty() { "" } else { "." };
            let whole = format!("{dots}{module}{between}{name}");
            self.hold(bound, alias.start(), Held::Import(whole.into()));
        }
    }

    fn note_import(
        &mut self,
        alias: &ast::Alias,
        level: u8,
        module: &str,
        name: Option<&str>,
        bound: &str,
    ) {
        // `import ` and a syntax error: nothing is imported.
        if module.is_empty() && name.is_none_or(str::is_empty) {
            return;
        }
        self.found.imports.push(Import {
            line: self.line(alias.start()),
            level,
            module: module.into(),
            name: name.map(Box::from),
            bound: bound.into(),
            scope: self.found.scopes.function(self.scope),
            is_optional: self.is_optional,
            is_for_types: self.is_for_types,
        });
    }

    fn assign(&mut self, targets: &'a [Expr], value: &'a Expr, at: TextSize) {
        let held = held(value);
        for target in targets {
            // `a, b = x(), y()` binds one by one.
            if let (Expr::Tuple(names), Expr::Tuple(values)) = (target, value)
                && names.elts.len() == values.elts.len()
            {
                for (name, value) in names.elts.iter().zip(&values.elts) {
                    self.hold_target(name, at, &self::held(value));
                }
                continue;
            }
            // `client = None` after or before the object is made says nothing about what it holds.
            if value.is_none_literal_expr() {
                self.bound_by = By::None;
            }
            self.hold_target(target, at, &held);
            self.bound_by = By::Other;
        }
    }

    fn try_statement(&mut self, statement: &'a ast::StmtTry) {
        let outer = (self.is_optional, self.is_fallback);
        let caught = statement.handlers.iter().any(|handler| {
            let ast::ExceptHandler::ExceptHandler(handler) = handler;
            catches(handler.type_.as_deref()) != Catches::Other
        });
        self.is_optional = outer.0 || caught;
        self.visit_body(&statement.body);
        self.visit_body(&statement.orelse);
        self.is_fallback = outer.1 || caught;
        for handler in &statement.handlers {
            let ast::ExceptHandler::ExceptHandler(handler) = handler;
            if let Some(name) = &handler.name {
                self.hold(name.as_str(), handler.start(), Held::Opaque);
            }
            self.visit_body(&handler.body);
        }
        (self.is_optional, self.is_fallback) = outer;
        self.visit_body(&statement.finalbody);
    }

    fn comprehension(&mut self, expression: &'a Expr, generators: &'a [ast::Comprehension]) {
        self.within(
            Block::Expression,
            (expression.start(), expression.range()),
            |binder| {
                for generator in generators {
                    binder.hold_target(&generator.target, generator.start(), &Held::Opaque);
                }
                visitor::walk_expr(binder, expression);
            },
        );
    }
}

impl<'a> Visitor<'a> for Binder<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(function) => return self.function(function),
            Stmt::ClassDef(class) => return self.class(class),
            Stmt::Try(statement) => return self.try_statement(statement),
            Stmt::Import(import) => self.import(import),
            Stmt::ImportFrom(import) => self.import_from(import),
            Stmt::Global(global) => {
                let names = global.names.iter().map(|name| (name.as_str(), 0));
                self.elsewhere.extend(names);
            }
            Stmt::Nonlocal(nonlocal) => {
                let parent = self.found.scopes.all[self.scope].parent;
                let names = nonlocal.names.iter().map(|name| (name.as_str(), parent));
                self.elsewhere.extend(names);
            }
            Stmt::Assign(assign) => self.assign(&assign.targets, &assign.value, assign.end()),
            Stmt::AnnAssign(assign) => {
                let held = match assign.value.as_deref() {
                    Some(value) => match held(value) {
                        Held::Opaque => annotated(&assign.annotation),
                        held => held,
                    },
                    None => annotated(&assign.annotation),
                };
                self.hold_target(&assign.target, assign.end(), &held);
            }
            Stmt::AugAssign(assign) => {
                self.hold_target(&assign.target, assign.end(), &Held::Opaque);
            }
            Stmt::For(statement) => {
                self.hold_target(&statement.target, statement.iter.end(), &Held::Opaque);
            }
            Stmt::With(with) => {
                for item in &with.items {
                    if let Some(target) = &item.optional_vars {
                        self.hold_target(target, item.end(), &held(&item.context_expr));
                    }
                }
                let outer = self.is_optional;
                self.is_optional |= with
                    .items
                    .iter()
                    .any(|item| suppresses_import(&item.context_expr));
                visitor::walk_stmt(self, statement);
                self.is_optional = outer;
                return;
            }
            Stmt::If(branch) if is_type_checking(&branch.test) => {
                let outer = self.is_for_types;
                self.is_for_types = true;
                self.visit_body(&branch.body);
                self.is_for_types = outer;
                for clause in &branch.elif_else_clauses {
                    self.visit_elif_else_clause(clause);
                }
                return;
            }
            _ => {}
        }
        visitor::walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Named(named) => {
                self.hold_target(&named.target, named.end(), &held(&named.value));
            }
            Expr::ListComp(inner) => return self.comprehension(expression, &inner.generators),
            Expr::SetComp(inner) => return self.comprehension(expression, &inner.generators),
            Expr::DictComp(inner) => return self.comprehension(expression, &inner.generators),
            Expr::Generator(inner) => return self.comprehension(expression, &inner.generators),
            Expr::Lambda(lambda) => {
                return self.within(
                    Block::Expression,
                    (expression.start(), expression.range()),
                    |binder| {
                        if let Some(parameters) = &lambda.parameters {
                            binder.parameters(parameters);
                        }
                        visitor::walk_expr(binder, expression);
                    },
                );
            }
            _ => {}
        }
        visitor::walk_expr(self, expression);
    }

    fn visit_pattern(&mut self, pattern: &'a ast::Pattern) {
        let name = match pattern {
            ast::Pattern::MatchAs(inner) => inner.name.as_ref(),
            ast::Pattern::MatchStar(inner) => inner.name.as_ref(),
            ast::Pattern::MatchMapping(inner) => inner.rest.as_ref(),
            _ => None,
        };
        if let Some(name) = name {
            self.hold(name.as_str(), pattern.start(), Held::Opaque);
        }
        visitor::walk_pattern(self, pattern);
    }
}

/// Returns a base as a dotted name; `Generic[T]` is `Generic`.
fn base(expression: &Expr) -> Option<Box<str>> {
    let written = dotted(expression)?.written;
    Some(written.trim_end_matches("[]").into())
}

/// Returns the range of a body, from its first statement to its last.
fn body_range(body: &[Stmt], whole: TextRange) -> TextRange {
    match (body.first(), body.last()) {
        (Some(first), Some(last)) => TextRange::new(first.start(), last.end()),
        _ => TextRange::empty(whole.end()),
    }
}

/// Says what a name is bound to by a value.
fn held(value: &Expr) -> Held {
    match value {
        Expr::Name(_)
        | Expr::Attribute(_)
        | Expr::Call(_)
        | Expr::Await(_)
        | Expr::Subscript(_) => dotted(value).map_or(Held::Opaque, |name| Held::Value {
            root: name.root,
            written: name.written.into(),
        }),
        Expr::Named(named) => held(&named.value),
        // `given or requests.Session()`: the one that is made.
        Expr::BoolOp(operation) => made(operation.values.iter()),
        Expr::If(branch) => made([&*branch.body, &*branch.orelse].into_iter()),
        _ => Held::Opaque,
    }
}

/// Returns what the first call among values makes.
fn made<'e>(mut values: impl Iterator<Item = &'e Expr>) -> Held {
    values
        .find(|value| value.is_call_expr())
        .map_or(Held::Opaque, held)
}

/// Says what a name holds by its annotation: `Client`, `Optional[Client]`, `Client | None`, `"Client"`.
fn annotated(annotation: &Expr) -> Held {
    match annotation {
        Expr::Name(_) | Expr::Attribute(_) => held(annotation),
        Expr::Subscript(subscript) => {
            let is_optional = dotted(&subscript.value).is_some_and(|name| {
                matches!(
                    name.written.rsplit('.').next(),
                    Some("Optional" | "Annotated")
                )
            });
            match (&*subscript.slice, is_optional) {
                (Expr::Tuple(tuple), true) => tuple.elts.first().map_or(Held::Opaque, annotated),
                (inner, true) => annotated(inner),
                _ => Held::Opaque,
            }
        }
        Expr::BinOp(union) if union.op == ast::Operator::BitOr => {
            if union.right.is_none_literal_expr() {
                annotated(&union.left)
            } else {
                Held::Opaque
            }
        }
        Expr::StringLiteral(text) => {
            let text = text.value.to_str();
            let is_name = !text.is_empty()
                && text.split('.').all(|part| {
                    part.chars().all(|c| c.is_alphanumeric() || c == '_')
                        && !part.starts_with(|c: char| c.is_ascii_digit())
                        && !part.is_empty()
                });
            if is_name {
                Held::Value {
                    root: text.split('.').next().unwrap_or_default().into(),
                    written: text.into(),
                }
            } else {
                Held::Opaque
            }
        }
        _ => Held::Opaque,
    }
}
