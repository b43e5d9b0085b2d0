//! Second look at a syntax tree: calls, assignments, texts, names that are read, and what stands around
//! them. Together with the first look ([`super::bind`]) it fills a [`Module`].

use std::collections::{HashMap, HashSet};

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{self as ast, Expr, Stmt};
use ruff_text_size::{Ranged, TextSize};

use super::environment::{Readers, Variable, is_settings_base};
use super::guards::{Catches, catches, is_main_guard, suppressed, swallows};
use super::module::{
    Argument, Assignment, Binding, Call, Module, Name, ScopeId, Text, TextRole, Value,
};
use super::role::role;
use super::values::{Values, cut, joined};

/// Most texts of one file; generated tables have more.
const MAX_TEXTS: usize = 3_000;

/// Takes the second look.
pub(crate) struct Outline<'a> {
    values: Values<'a>,
    readers: &'a Readers,
    places: &'a HashMap<TextSize, u32>,
    module: Module,
    function: ScopeId,
    // The class whose body or method this is; the body where the second is true.
    class: Option<(u32, bool)>,
    globals: Vec<&'a str>,
    loops: u32,
    // Line of each handler that swallows what happens here, innermost last.
    handlers: Vec<u32>,
    awaited: Option<TextSize>,
    bound: Option<(TextSize, &'a str)>,
    names: HashSet<String>,
    is_guarded: bool,
    noted: HashSet<TextSize>,
    settings: HashSet<&'a str>,
}

impl<'a> Outline<'a> {
    /// Looks at a whole file; `module` holds what the first look found.
    pub(crate) fn fill(
        module: Module,
        tree: &'a ast::ModModule,
        values: Values<'a>,
        readers: &'a Readers,
        places: &'a HashMap<TextSize, u32>,
    ) -> Module {
        let mut outline = Self {
            values,
            readers,
            places,
            module,
            function: None,
            class: None,
            globals: Vec::new(),
            loops: 0,
            handlers: Vec::new(),
            awaited: None,
            bound: None,
            names: HashSet::new(),
            is_guarded: false,
            noted: HashSet::new(),
            settings: HashSet::new(),
        };
        outline.visit_body(&tree.body);
        outline.module
    }

    fn line(&self, offset: TextSize) -> u32 {
        self.values.line(offset)
    }

    /// Runs with everything that stands around cleared, as in a new function.
    fn apart(&mut self, look: impl FnOnce(&mut Self)) {
        let loops = std::mem::take(&mut self.loops);
        let handlers = std::mem::take(&mut self.handlers);
        let globals = std::mem::take(&mut self.globals);
        look(self);
        (self.loops, self.handlers, self.globals) = (loops, handlers, globals);
    }

    fn function(&mut self, function: &'a ast::StmtFunctionDef) {
        if self.function.is_none()
            && self.class.is_none()
            && function.name.as_str() == "__getattr__"
        {
            self.module.is_dynamic = true;
        }
        for decorator in &function.decorator_list {
            self.visit_decorator(decorator);
        }
        self.visit_parameters(&function.parameters);
        if let Some(returns) = &function.returns {
            self.visit_annotation(returns);
        }
        let outer = (self.function, self.class);
        self.function = self.places.get(&function.start()).copied();
        self.class = match outer.1 {
            Some((class, true)) => Some((class, false)),
            // A function inside a method still sees its `self`.
            other => other,
        };
        self.apart(|outline| outline.visit_body(&function.body));
        (self.function, self.class) = outer;
    }

    fn class(&mut self, class: &'a ast::StmtClassDef) {
        for decorator in &class.decorator_list {
            self.visit_decorator(decorator);
        }
        if let Some(arguments) = &class.arguments {
            self.visit_arguments(arguments);
        }
        let outer = self.class;
        self.class = self.places.get(&class.start()).map(|index| (*index, true));
        if self.is_settings(class) {
            for variable in Readers::of_settings(class) {
                self.variable(&variable);
                self.noted.insert(variable.at);
            }
        }
        self.apart(|outline| outline.visit_body(&class.body));
        self.class = outer;
    }

    /// Says whether a class is one of settings, by its bases or by those of a class of this file.
    fn is_settings(&mut self, class: &'a ast::StmtClassDef) -> bool {
        let is_one = class.bases().iter().any(|base| {
            let by_import = self.values.imported(base);
            by_import.as_deref().is_some_and(is_settings_base)
                || matches!(base, Expr::Name(name) if self.settings.contains(name.id.as_str()))
        });
        if is_one {
            self.settings.insert(class.name.as_str());
        }
        is_one
    }

    fn try_statement(&mut self, statement: &'a ast::StmtTry) {
        let swallowing = statement.handlers.iter().find_map(|handler| {
            let ast::ExceptHandler::ExceptHandler(handler) = handler;
            let is_wide = catches(handler.type_.as_deref()) == Catches::Everything;
            is_wide.then(|| (swallows(handler), self.line(handler.start())))
        });
        let before = self.handlers.len();
        // What is raised again is seen by handlers further out.
        if let Some((true, line)) = swallowing {
            self.handlers.push(line);
        }
        self.visit_body(&statement.body);
        self.handlers.truncate(before);
        for handler in &statement.handlers {
            self.visit_except_handler(handler);
        }
        self.visit_body(&statement.orelse);
        self.visit_body(&statement.finalbody);
    }

    fn with_statement(&mut self, with: &'a ast::StmtWith) {
        let before = self.handlers.len();
        for item in &with.items {
            if let Some(Expr::Name(name)) = item.optional_vars.as_deref() {
                self.bound = call_start(&item.context_expr).map(|at| (at, name.id.as_str()));
                let value = self.values.of(&item.context_expr);
                self.assign_name(name, value, item.start());
            }
            self.visit_with_item(item);
            if suppressed(&item.context_expr) == Catches::Everything {
                let line = self.line(item.start());
                self.handlers.push(line);
            }
        }
        self.visit_body(&with.body);
        self.handlers.truncate(before);
    }

    /// Notes an assignment of one value to one target, and finds pairs in `a, b = x, y`.
    fn assign(&mut self, target: &'a Expr, value: &'a Expr, at: TextSize) {
        match target {
            Expr::Name(name) => {
                self.bound = call_start(value).map(|at| (at, name.id.as_str()));
                let value = self.values.of(value);
                self.assign_name(name, value, at);
            }
            Expr::Attribute(attribute) => self.assign_attribute(attribute, value, at),
            Expr::Tuple(names) => {
                if let Expr::Tuple(values) = value
                    && names.elts.len() == values.elts.len()
                {
                    for (name, value) in names.elts.iter().zip(&values.elts) {
                        self.assign(name, value, at);
                    }
                }
            }
            Expr::Subscript(subscript) => {
                let is_names = match &*subscript.value {
                    Expr::Call(call) => {
                        matches!(&*call.func, Expr::Name(name) if matches!(name.id.as_str(), "globals" | "vars" | "locals"))
                    }
                    // `sys.modules[__name__] = other`: whoever imports it gets another module.
                    Expr::Attribute(attribute) => {
                        attribute.attr.as_str() == "modules"
                            && matches!(&*subscript.slice, Expr::Name(name) if name.id.as_str() == "__name__")
                    }
                    _ => false,
                };
                self.module.is_dynamic |= is_names;
            }
            _ => {}
        }
    }

    fn assign_name(&mut self, name: &'a ast::ExprName, value: Value, at: TextSize) {
        let written = name.id.as_str();
        // What lies below such a package is somewhere else.
        self.module.is_dynamic |= written == "__path__" && self.function.is_none();
        let binding = match (self.function, self.class) {
            (_, Some((class, true))) => Binding::Class(class),
            (Some(_), _) if self.globals.contains(&written) => Binding::Module,
            (Some(function), _) => {
                if matches!(value, Value::Other | Value::None | Value::Bool(_)) {
                    return;
                }
                Binding::Local(function)
            }
            (None, _) => Binding::Module,
        };
        if binding == Binding::Module && written == "__all__" {
            self.exports(&value);
        }
        self.push_assignment(binding, written, value, at);
    }

    fn assign_attribute(
        &mut self,
        attribute: &'a ast::ExprAttribute,
        value: &'a Expr,
        at: TextSize,
    ) {
        let is_own = matches!(&*attribute.value, Expr::Name(name) if matches!(name.id.as_str(), "self" | "cls"));
        if let (true, Some((class, false))) = (is_own, self.class) {
            let value = self.values.of(value);
            self.push_assignment(Binding::Instance(class), attribute.attr.as_str(), value, at);
        }
    }

    fn push_assignment(&mut self, binding: Binding, name: &str, value: Value, at: TextSize) {
        let line = self.line(at);
        self.module.assignments.push(Assignment {
            line,
            binding,
            name: name.into(),
            value,
        });
    }

    /// Reads `__all__` where it is a plain list.
    fn exports(&mut self, value: &Value) {
        let Value::List(items) = value else {
            return;
        };
        let names = items.iter().map(|item| match item {
            Value::Text(name) => Some(name.clone()),
            _ => None,
        });
        self.module.exports = names.collect();
    }

    /// Reads all names of `__all__ = […]`, more than a value keeps.
    fn export_display(&mut self, value: &Expr, adds: bool) {
        let items = match value {
            Expr::List(list) => &list.elts,
            Expr::Tuple(tuple) => &tuple.elts,
            _ => {
                self.module.exports = None;
                return;
            }
        };
        let names: Option<Vec<Box<str>>> = items
            .iter()
            .map(|item| match item {
                Expr::StringLiteral(text) => Some(text.value.to_str().into()),
                _ => None,
            })
            .collect();
        self.module.exports = match (names, adds, self.module.exports.take()) {
            (Some(names), false, _) => Some(names),
            (Some(names), true, Some(mut before)) => {
                before.extend(names);
                Some(before)
            }
            _ => None,
        };
    }

    fn call(&mut self, call: &'a ast::ExprCall) {
        let (written, callee) = self.values.callee(&call.func);
        if matches!(callee.as_str(), "exec" | "builtins.exec")
            || matches!(
                written.as_str(),
                "globals().update"
                    | "vars().update"
                    | "__path__.append"
                    | "__path__.insert"
                    | "__path__.extend"
            )
        {
            self.module.is_dynamic = true;
        }
        let by_place = call.arguments.args.iter().map(|argument| match argument {
            Expr::Starred(starred) => Argument {
                name: Some("*".into()),
                value: self.values.of(&starred.value),
            },
            _ => Argument {
                name: None,
                value: self.values.of(argument),
            },
        });
        let by_name = call.arguments.keywords.iter().map(|keyword| Argument {
            name: Some(
                keyword
                    .arg
                    .as_ref()
                    .map_or("**", ast::Identifier::as_str)
                    .into(),
            ),
            value: self.values.of(&keyword.value),
        });
        let arguments = by_place.chain(by_name).collect();
        let start = call.start();
        let bound = self.bound.filter(|(at, _)| *at == start);
        self.module.calls.push(Call {
            line: self.line(start),
            written: written.into(),
            callee: callee.into(),
            arguments,
            scope: self.function,
            is_awaited: self.awaited == Some(start),
            is_in_loop: self.loops > 0,
            swallowed_at: self.handlers.last().copied(),
            bound: bound.map(|(_, name)| name.into()),
        });
        if bound.is_some() {
            self.bound = None;
        }
        if self.awaited == Some(start) {
            self.awaited = None;
        }
    }

    fn variable(&mut self, variable: &Variable) {
        self.push_text(&variable.name, variable.role, variable.at);
    }

    fn push_text(&mut self, text: &str, role: TextRole, at: TextSize) {
        if self.module.texts.len() < MAX_TEXTS || role == TextRole::Variable {
            let line = self.line(at);
            self.module.texts.push(Text {
                line,
                text: cut(text).into(),
                role,
                scope: self.function,
            });
        }
    }

    fn text(&mut self, text: &str, at: TextSize) {
        if let Some(role) = role(text) {
            self.push_text(text, role, at);
        }
    }

    /// Notes a formatted or joined text as one, and looks at what is put in.
    fn joined_text(&mut self, expression: &'a Expr) -> bool {
        let Some(parts) = self.values.parts(expression) else {
            return false;
        };
        let text: String = parts
            .iter()
            .map(|(is_known, text)| if *is_known { text } else { "{}" })
            .collect();
        self.text(&text, expression.start());
        match expression {
            Expr::BinOp(operation) if operation.op == ast::Operator::Add => {
                for operand in joined(expression) {
                    match operand {
                        Expr::StringLiteral(_) => {}
                        Expr::FString(_) => visitor::walk_expr(self, operand),
                        _ => self.visit_expr(operand),
                    }
                }
            }
            Expr::BinOp(operation) => self.visit_expr(&operation.right),
            Expr::Call(call) => {
                self.call(call);
                self.visit_arguments(&call.arguments);
            }
            _ => visitor::walk_expr(self, expression),
        }
        true
    }

    /// Notes a dotted name that is read, if it comes by an import.
    fn name(&mut self, expression: &'a Expr) {
        if let Some(name) = self.values.imported(expression)
            && self.names.insert(name.clone())
        {
            let line = self.line(expression.start());
            self.module.names.push(Name {
                line,
                name: name.into(),
                scope: self.function,
            });
        }
    }

    fn comprehension(
        &mut self,
        generators: &'a [ast::Comprehension],
        elements: [Option<&'a Expr>; 2],
    ) {
        for (index, generator) in generators.iter().enumerate() {
            let is_first = index == 0;
            self.loops += u32::from(!is_first);
            self.visit_expr(&generator.iter);
            self.loops += u32::from(is_first);
            self.visit_expr(&generator.target);
            for condition in &generator.ifs {
                self.visit_expr(condition);
            }
        }
        for element in elements.into_iter().flatten() {
            self.visit_expr(element);
        }
        self.loops -= u32::try_from(generators.len())
            .unwrap_or(u32::MAX)
            .min(self.loops);
    }

    /// Says whether a statement at module level does something beyond defining.
    fn note_effects(&mut self, statement: &Stmt) {
        let is_effect = match statement {
            Stmt::Expr(statement) => !matches!(
                &*statement.value,
                Expr::StringLiteral(_)
                    | Expr::EllipsisLiteral(_)
                    | Expr::Name(_)
                    | Expr::Attribute(_)
            ),
            Stmt::For(_) | Stmt::While(_) | Stmt::With(_) | Stmt::Delete(_) | Stmt::Raise(_) => {
                true
            }
            _ => false,
        };
        if is_effect && self.function.is_none() && self.class.is_none() && !self.is_guarded {
            self.module.has_top_level_effects = true;
        }
    }

    fn loop_body(&mut self, body: &'a [Stmt]) {
        self.loops += 1;
        self.visit_body(body);
        self.loops -= 1;
    }
}

impl<'a> Visitor<'a> for Outline<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        self.note_effects(statement);
        match statement {
            Stmt::FunctionDef(function) => return self.function(function),
            Stmt::ClassDef(class) => return self.class(class),
            Stmt::Try(statement) => return self.try_statement(statement),
            Stmt::With(with) => return self.with_statement(with),
            Stmt::For(statement) => {
                self.visit_expr(&statement.iter);
                self.visit_expr(&statement.target);
                self.loop_body(&statement.body);
                return self.visit_body(&statement.orelse);
            }
            Stmt::While(statement) => {
                self.loops += 1;
                self.visit_expr(&statement.test);
                self.visit_body(&statement.body);
                self.loops -= 1;
                return self.visit_body(&statement.orelse);
            }
            Stmt::If(branch) if is_main_guard(&branch.test) => {
                let outer = self.is_guarded;
                if self.function.is_none() && self.class.is_none() {
                    let line = self.line(branch.start());
                    self.module.main_guard.get_or_insert(line);
                    self.is_guarded = true;
                }
                self.visit_body(&branch.body);
                self.is_guarded = outer;
                for clause in &branch.elif_else_clauses {
                    self.visit_elif_else_clause(clause);
                }
                return;
            }
            Stmt::Assign(assign) => {
                for target in &assign.targets {
                    self.assign(target, &assign.value, assign.start());
                }
                if let [Expr::Name(name)] = &*assign.targets
                    && name.id.as_str() == "__all__"
                    && self.function.is_none()
                    && self.class.is_none()
                {
                    self.export_display(&assign.value, false);
                }
            }
            Stmt::AnnAssign(assign) => match &assign.value {
                Some(value) => self.assign(&assign.target, value, assign.start()),
                None => {
                    if let (Expr::Name(name), Some((_, true))) = (&*assign.target, self.class) {
                        self.assign_name(name, Value::Other, assign.start());
                    }
                }
            },
            Stmt::AugAssign(assign) => {
                if let Expr::Name(name) = &*assign.target
                    && name.id.as_str() == "__all__"
                    && self.function.is_none()
                {
                    self.export_display(&assign.value, true);
                }
            }
            // `type Side = …` binds a name as an assignment does.
            Stmt::TypeAlias(alias) => self.assign(&alias.name, &alias.value, alias.start()),
            Stmt::Global(global) => {
                let names = global.names.iter().map(ast::Identifier::as_str);
                self.globals.extend(names);
            }
            // A text that stands alone says something to people only.
            Stmt::Expr(alone) if alone.value.is_string_literal_expr() => return,
            _ => {}
        }
        visitor::walk_stmt(self, statement);
    }

    fn visit_annotation(&mut self, annotation: &'a Expr) {
        // Texts in annotations are names; the names outside of texts are read.
        let texts = self.module.texts.len();
        self.visit_expr(annotation);
        self.module.texts.truncate(texts);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        for variable in self.readers.read(expression, self.values) {
            self.variable(&variable);
            // Its name is no other text as well.
            self.noted.insert(variable.at);
        }
        match expression {
            Expr::StringLiteral(text) => {
                if !self.noted.contains(&expression.start()) {
                    self.text(text.value.to_str(), expression.start());
                }
                return;
            }
            Expr::FString(_) | Expr::BinOp(_) if self.joined_text(expression) => return,
            Expr::Call(call) => {
                if self.joined_text(expression) {
                    return;
                }
                self.call(call);
            }
            Expr::Await(awaited) => self.awaited = Some(awaited.value.start()),
            Expr::Named(named) => self.assign(&named.target, &named.value, named.start()),
            Expr::Name(name) if name.ctx.is_load() => self.name(expression),
            Expr::Attribute(_) if is_plain(expression) => return self.name(expression),
            Expr::ListComp(inner) => {
                return self.comprehension(&inner.generators, [Some(&inner.elt), None]);
            }
            Expr::SetComp(inner) => {
                return self.comprehension(&inner.generators, [Some(&inner.elt), None]);
            }
            Expr::Generator(inner) => {
                return self.comprehension(&inner.generators, [Some(&inner.elt), None]);
            }
            Expr::DictComp(inner) => {
                let elements = [inner.key.as_deref(), Some(&*inner.value)];
                return self.comprehension(&inner.generators, elements);
            }
            _ => {}
        }
        visitor::walk_expr(self, expression);
    }
}

/// Says whether an expression is a name with attributes and nothing else.
fn is_plain(expression: &Expr) -> bool {
    let mut rest = expression;
    while let Expr::Attribute(attribute) = rest {
        rest = &attribute.value;
    }
    rest.is_name_expr()
}

/// Returns where the call begins that a value is, awaited or not.
fn call_start(value: &Expr) -> Option<TextSize> {
    match value {
        Expr::Await(awaited) => call_start(&awaited.value),
        Expr::Call(_) => Some(value.start()),
        _ => None,
    }
}
