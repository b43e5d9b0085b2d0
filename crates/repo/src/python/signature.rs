//! What a function is on the outside: parameters, decorators, size, and a hash of its body for copies.

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{self as ast, Expr, Stmt};
use ruff_text_size::Ranged;

use super::body_hash::body_hash;
use super::dotted::{dotted, without_calls};
use super::lines::Lines;
use super::module::{Function, Parameter, ParameterKind};
use super::values::cut;

/// Fewer statements are too small to compare.
const MIN_STATEMENTS_TO_HASH: u32 = 4;

/// Describes a function, without its place among others; names are as written.
pub(crate) fn function(function: &ast::StmtFunctionDef, lines: &Lines) -> Function {
    let mut inside = Inside::default();
    inside.visit_body(&function.body);
    Function {
        name: function.name.as_str().into(),
        qualified: Box::default(),
        line: lines.line(function.name.start()),
        end_line: lines.line(function.end()),
        scope: None,
        class: None,
        parameters: parameters(&function.parameters),
        decorators: decorators(&function.decorator_list),
        decorator_texts: function.decorator_list.iter().map(first_text).collect(),
        is_async: function.is_async,
        is_generator: inside.is_generator,
        is_stub: is_stub(&function.body),
        body_hash: if inside.statements < MIN_STATEMENTS_TO_HASH {
            0
        } else {
            body_hash(function)
        },
        statements: inside.statements,
    }
}

/// Returns decorators as dotted names, called or not. What has no name is `?`, so that places stay.
pub(crate) fn decorators(list: &[ast::Decorator]) -> Vec<Box<str>> {
    list.iter()
        .map(|decorator| {
            dotted(&decorator.expression).map_or("?".into(), |name| {
                without_calls(&name.written).trim_end_matches("[]").into()
            })
        })
        .collect()
}

fn first_text(decorator: &ast::Decorator) -> Option<Box<str>> {
    let Expr::Call(call) = &decorator.expression else {
        return None;
    };
    match call.arguments.args.first()? {
        Expr::StringLiteral(text) => Some(cut(text.value.to_str()).into()),
        _ => None,
    }
}

fn parameters(list: &ast::Parameters) -> Vec<Parameter> {
    let named = |parameter: &ast::Parameter, kind, has_default| Parameter {
        name: parameter.name.as_str().into(),
        kind,
        has_default,
    };
    let plain = |parameters: &[ast::ParameterWithDefault], kind| {
        parameters
            .iter()
            .map(|parameter| named(&parameter.parameter, kind, parameter.default.is_some()))
            .collect::<Vec<_>>()
    };
    let mut all = plain(&list.posonlyargs, ParameterKind::PositionalOnly);
    all.extend(plain(&list.args, ParameterKind::Either));
    let many = list.vararg.as_deref();
    all.extend(many.map(|parameter| named(parameter, ParameterKind::ManyPositional, false)));
    all.extend(plain(&list.kwonlyargs, ParameterKind::KeywordOnly));
    let many = list.kwarg.as_deref();
    all.extend(many.map(|parameter| named(parameter, ParameterKind::ManyKeyword, false)));
    all
}

/// Says whether a body does nothing.
fn is_stub(body: &[Stmt]) -> bool {
    body.iter().all(|statement| match statement {
        Stmt::Pass(_) => true,
        Stmt::Expr(statement) => {
            statement.value.is_string_literal_expr() || statement.value.is_ellipsis_literal_expr()
        }
        Stmt::Raise(raise) => raise.exc.as_deref().is_some_and(|raised| {
            dotted(raised).is_some_and(|name| without_calls(&name.written) == "NotImplementedError")
        }),
        _ => false,
    })
}

/// Counts what is inside a function.
#[derive(Default)]
struct Inside {
    statements: u32,
    is_generator: bool,
    depth: u32,
}

impl<'a> Visitor<'a> for Inside {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        self.statements = self.statements.saturating_add(1);
        match statement {
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => {
                self.depth += 1;
                visitor::walk_stmt(self, statement);
                self.depth -= 1;
            }
            _ => visitor::walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Yield(_) | Expr::YieldFrom(_) if self.depth == 0 => self.is_generator = true,
            Expr::Lambda(_) => {
                self.depth += 1;
                visitor::walk_expr(self, expression);
                self.depth -= 1;
                return;
            }
            _ => {}
        }
        visitor::walk_expr(self, expression);
    }
}
