//! A hash of a function's body that copies share: layout, comments, docstring, quotes and the names of
//! parameters and locals are left out; everything that changes what the body does is in.

use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::mem::discriminant;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{self as ast, Expr, Stmt};

/// Returns the hash; never 0.
pub(crate) fn body_hash(function: &ast::StmtFunctionDef) -> u64 {
    let mut locals = Locals::default();
    for parameter in &*function.parameters {
        locals.add(parameter.name().as_str());
    }
    let mut body = &function.body[..];
    if let [Stmt::Expr(first), rest @ ..] = body
        && first.value.is_string_literal_expr()
    {
        body = rest;
    }
    locals.visit_body(body);
    let mut hashing = Hashing {
        state: Fnv::default(),
        locals: locals.names,
        seen: HashMap::new(),
    };
    function.parameters.len().hash(&mut hashing.state);
    // Parameters are numbered in their sequence, not in that of their use.
    for parameter in &*function.parameters {
        hashing.name(parameter.name().as_str());
    }
    hashing.visit_body(body);
    hashing.state.finish().max(1)
}

/// FNV-1a: the standard library's hasher is not promised to stay the same.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Collects the names that a body binds.
#[derive(Default)]
struct Locals<'a> {
    names: HashSet<&'a str>,
}

impl<'a> Locals<'a> {
    fn add(&mut self, name: &'a str) {
        self.names.insert(name);
    }
}

impl<'a> Visitor<'a> for Locals<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(function) => self.add(function.name.as_str()),
            Stmt::Global(global) => {
                for name in &global.names {
                    self.names.remove(name.as_str());
                }
            }
            _ => {}
        }
        visitor::walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        if let Expr::Name(name) = expression
            && name.ctx.is_store()
        {
            self.add(name.id.as_str());
        }
        visitor::walk_expr(self, expression);
    }

    fn visit_parameter(&mut self, parameter: &'a ast::Parameter) {
        self.add(parameter.name.as_str());
    }

    fn visit_except_handler(&mut self, handler: &'a ast::ExceptHandler) {
        let ast::ExceptHandler::ExceptHandler(inner) = handler;
        if let Some(name) = &inner.name {
            self.add(name.as_str());
        }
        visitor::walk_except_handler(self, handler);
    }
}

/// Feeds the hash.
struct Hashing<'a> {
    state: Fnv,
    locals: HashSet<&'a str>,
    seen: HashMap<&'a str, usize>,
}

impl<'a> Hashing<'a> {
    fn name(&mut self, name: &'a str) {
        if self.locals.contains(name) {
            let next = self.seen.len();
            let number = *self.seen.entry(name).or_insert(next);
            (0_u8, number).hash(&mut self.state);
        } else {
            (1_u8, name).hash(&mut self.state);
        }
    }

    /// Lengths keep two sequences apart that are flat alike.
    fn length(&mut self, length: usize) {
        length.hash(&mut self.state);
    }
}

impl<'a> Visitor<'a> for Hashing<'a> {
    fn visit_body(&mut self, body: &'a [Stmt]) {
        self.length(body.len());
        visitor::walk_body(self, body);
    }

    fn visit_stmt(&mut self, statement: &'a Stmt) {
        discriminant(statement).hash(&mut self.state);
        match statement {
            Stmt::FunctionDef(function) => self.name(function.name.as_str()),
            Stmt::ClassDef(class) => self.name(class.name.as_str()),
            Stmt::ImportFrom(import) => {
                let module = import.module.as_ref().map(ast::Identifier::as_str);
                (import.level, module).hash(&mut self.state);
            }
            _ => {}
        }
        visitor::walk_stmt(self, statement);
    }

    fn visit_annotation(&mut self, _annotation: &'a Expr) {}

    fn visit_expr(&mut self, expression: &'a Expr) {
        discriminant(expression).hash(&mut self.state);
        match expression {
            Expr::Name(name) => self.name(name.id.as_str()),
            Expr::Attribute(attribute) => attribute.attr.as_str().hash(&mut self.state),
            // Not its parts: `"a" "b"` is `"ab"`.
            Expr::StringLiteral(text) => return text.value.to_str().hash(&mut self.state),
            Expr::BytesLiteral(bytes) => {
                for part in &bytes.value {
                    part.as_slice().hash(&mut self.state);
                }
            }
            Expr::NumberLiteral(number) => match &number.value {
                ast::Number::Int(int) => int.to_string().hash(&mut self.state),
                ast::Number::Float(float) => float.to_bits().hash(&mut self.state),
                ast::Number::Complex { real, imag } => {
                    (real.to_bits(), imag.to_bits()).hash(&mut self.state);
                }
            },
            Expr::BooleanLiteral(literal) => literal.value.hash(&mut self.state),
            Expr::List(list) => self.length(list.elts.len()),
            Expr::Tuple(tuple) => self.length(tuple.elts.len()),
            Expr::Set(set) => self.length(set.elts.len()),
            Expr::Dict(dict) => self.length(dict.items.len()),
            Expr::Slice(slice) => {
                (slice.lower.is_some(), slice.upper.is_some()).hash(&mut self.state);
            }
            _ => {}
        }
        visitor::walk_expr(self, expression);
    }

    fn visit_arguments(&mut self, arguments: &'a ast::Arguments) {
        self.length(arguments.args.len());
        visitor::walk_arguments(self, arguments);
    }

    fn visit_keyword(&mut self, keyword: &'a ast::Keyword) {
        let name = keyword.arg.as_ref().map(ast::Identifier::as_str);
        name.hash(&mut self.state);
        visitor::walk_keyword(self, keyword);
    }

    fn visit_parameter(&mut self, parameter: &'a ast::Parameter) {
        self.name(parameter.name.as_str());
    }

    fn visit_alias(&mut self, alias: &'a ast::Alias) {
        alias.name.as_str().hash(&mut self.state);
        alias.asname.is_some().hash(&mut self.state);
    }

    fn visit_except_handler(&mut self, handler: &'a ast::ExceptHandler) {
        let ast::ExceptHandler::ExceptHandler(inner) = handler;
        inner.type_.is_some().hash(&mut self.state);
        if let Some(name) = &inner.name {
            self.name(name.as_str());
        }
        visitor::walk_except_handler(self, handler);
    }

    fn visit_elif_else_clause(&mut self, clause: &'a ast::ElifElseClause) {
        clause.test.is_some().hash(&mut self.state);
        visitor::walk_elif_else_clause(self, clause);
    }

    fn visit_operator(&mut self, operator: &'a ast::Operator) {
        discriminant(operator).hash(&mut self.state);
    }

    fn visit_bool_op(&mut self, operator: &'a ast::BoolOp) {
        discriminant(operator).hash(&mut self.state);
    }

    fn visit_unary_op(&mut self, operator: &'a ast::UnaryOp) {
        discriminant(operator).hash(&mut self.state);
    }

    fn visit_cmp_op(&mut self, operator: &'a ast::CmpOp) {
        discriminant(operator).hash(&mut self.state);
    }

    fn visit_interpolated_string_element(&mut self, element: &'a ast::InterpolatedStringElement) {
        if let ast::InterpolatedStringElement::Literal(literal) = element {
            literal.value.hash(&mut self.state);
        }
        visitor::walk_interpolated_string_element(self, element);
    }

    fn visit_string_literal(&mut self, literal: &'a ast::StringLiteral) {
        literal.value.hash(&mut self.state);
    }
}
