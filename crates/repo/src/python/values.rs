//! What an expression is, as far as rules ask: [`Value`] of an argument or assignment.

use ruff_python_ast::{self as ast, Expr};
use ruff_text_size::{Ranged, TextSize};

use super::dotted::{dotted, without_calls};
use super::format_text::{braces, percents};
use super::lines::Lines;
use super::module::Value;
use super::scopes::Scopes;

/// Longest text that is kept, in characters.
const MAX_TEXT: usize = 300;
/// Most items of a list or dict.
const MAX_ITEMS: usize = 50;
/// Most parts of a joined text.
const MAX_PARTS: usize = 100;
/// How deep lists and dicts are followed.
const MAX_DEPTH: u8 = 4;

/// Cuts a text to what is kept.
pub(crate) fn cut(text: &str) -> &str {
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

/// Reads values of one file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Values<'a> {
    pub(crate) scopes: &'a Scopes,
    pub(crate) lines: &'a Lines,
    pub(crate) text: &'a str,
}

impl Values<'_> {
    /// Returns the value of an expression.
    pub(crate) fn of(self, expression: &Expr) -> Value {
        self.deep(expression, 0)
    }

    fn deep(self, expression: &Expr, depth: u8) -> Value {
        if depth > MAX_DEPTH {
            return Value::Other;
        }
        match expression {
            Expr::StringLiteral(text) => Value::Text(cut(text.value.to_str()).into()),
            Expr::NumberLiteral(_) => self.number(expression),
            Expr::UnaryOp(operation)
                if operation.op == ast::UnaryOp::USub
                    && operation.operand.is_number_literal_expr() =>
            {
                self.number(expression)
            }
            Expr::BooleanLiteral(literal) => Value::Bool(literal.value),
            Expr::NoneLiteral(_) => Value::None,
            Expr::Name(_) | Expr::Attribute(_) => self.name(expression),
            Expr::Await(awaited) => self.deep(&awaited.value, depth),
            Expr::Named(named) => self.deep(&named.value, depth),
            Expr::FString(_) | Expr::BinOp(_) => {
                self.parts(expression).map_or(Value::Other, Value::Parts)
            }
            Expr::Call(call) => match self.parts(expression) {
                Some(parts) => Value::Parts(parts),
                None => Value::Call(self.callee(&call.func).1.into(), self.line(call.start())),
            },
            Expr::List(list) => self.list(&list.elts, depth),
            Expr::Tuple(tuple) => self.list(&tuple.elts, depth),
            Expr::Set(set) => self.list(&set.elts, depth),
            Expr::Dict(dict) => self.dict(dict, depth),
            Expr::Subscript(subscript) => self.item(subscript),
            Expr::BoolOp(operation) => Value::Either(
                operation
                    .values
                    .iter()
                    .take(MAX_ITEMS)
                    .map(|value| self.deep(value, depth + 1))
                    .collect(),
            ),
            Expr::If(branch) => Value::Either(vec![
                self.deep(&branch.body, depth + 1),
                self.deep(&branch.orelse, depth + 1),
            ]),
            _ => Value::Other,
        }
    }

    /// Returns the line of an offset.
    pub(crate) fn line(self, offset: TextSize) -> u32 {
        self.lines.line(offset)
    }

    /// Returns what is called, as written and resolved.
    pub(crate) fn callee(self, called: &Expr) -> (String, String) {
        let Some(name) = dotted(called) else {
            let written = match called {
                Expr::Attribute(attribute) => format!("?.{}", attribute.attr.as_str()),
                _ => "?".to_owned(),
            };
            return (written.clone(), written);
        };
        let resolved = self
            .scopes
            .resolve(&name.root, &name.written, called.start())
            .unwrap_or_else(|| without_calls(&name.written).into_owned());
        (name.written, resolved)
    }

    /// Returns the dotted name of an expression, resolved through imports.
    pub(crate) fn imported(self, expression: &Expr) -> Option<String> {
        let name = dotted(expression)?;
        self.scopes
            .imported(&name.root, &name.written, expression.start())
    }

    fn name(self, expression: &Expr) -> Value {
        match dotted(expression) {
            Some(name) => {
                let imported = self
                    .scopes
                    .imported(&name.root, &name.written, expression.start());
                Value::Name(imported.unwrap_or(name.written).into())
            }
            None => Value::Other,
        }
    }

    fn number(self, expression: &Expr) -> Value {
        let range = expression.range();
        let written = self.text.get(range.start().into()..range.end().into());
        Value::Number(cut(written.unwrap_or_default()).into())
    }

    fn list(self, items: &[Expr], depth: u8) -> Value {
        let items = items.iter().take(MAX_ITEMS);
        Value::List(items.map(|item| self.deep(item, depth + 1)).collect())
    }

    fn dict(self, dict: &ast::ExprDict, depth: u8) -> Value {
        let plain = dict.items.iter().filter_map(|item| match &item.key {
            Some(Expr::StringLiteral(key)) => Some((
                Box::from(cut(key.value.to_str())),
                self.deep(&item.value, depth + 1),
            )),
            _ => None,
        });
        Value::Dict(plain.take(MAX_ITEMS).collect())
    }

    fn item(self, subscript: &ast::ExprSubscript) -> Value {
        let key = match &*subscript.slice {
            Expr::StringLiteral(text) => cut(text.value.to_str()).into(),
            Expr::NumberLiteral(_) | Expr::UnaryOp(_) => {
                match self.deep(&subscript.slice, MAX_DEPTH) {
                    Value::Number(number) => number,
                    _ => return Value::Other,
                }
            }
            _ => return Value::Other,
        };
        match self.name(&subscript.value) {
            Value::Name(name) => Value::Item(name, key),
            _ => Value::Other,
        }
    }

    /// Returns the parts of a formatted or joined text; `None` where the expression is none.
    pub(crate) fn parts(self, expression: &Expr) -> Option<Vec<(bool, Box<str>)>> {
        let mut parts = Vec::new();
        match expression {
            Expr::FString(text) => self.f_string(text, &mut parts),
            Expr::BinOp(operation) if operation.op == ast::Operator::Add => {
                let operands = joined(expression);
                let is_text = operands
                    .iter()
                    .any(|operand| is_textual(operand) || names_an_address(operand));
                if !is_text {
                    return None;
                }
                for operand in operands {
                    self.put(operand, &mut parts);
                }
            }
            Expr::BinOp(operation) if operation.op == ast::Operator::Mod => {
                let Expr::StringLiteral(format) = &*operation.left else {
                    return None;
                };
                let given: Vec<&Expr> = match &*operation.right {
                    Expr::Tuple(tuple) => tuple.elts.iter().collect(),
                    other => vec![other],
                };
                for part in percents(format.value.to_str()) {
                    match part {
                        Ok(text) => push(&mut parts, true, text),
                        Err(place) => self.put_place(&place, &given, &operation.right, &mut parts),
                    }
                }
            }
            Expr::Call(call) => {
                let Expr::Attribute(method) = &*call.func else {
                    return None;
                };
                let (Expr::StringLiteral(format), "format") =
                    (&*method.value, method.attr.as_str())
                else {
                    return None;
                };
                for part in braces(format.value.to_str()) {
                    match part {
                        Ok(text) => push(&mut parts, true, text),
                        Err(place) => {
                            let given = match place.parse::<usize>() {
                                Ok(index) => call.arguments.args.get(index),
                                Err(_) => call.arguments.find_keyword(&place).map(|it| &it.value),
                            };
                            let name = given.map_or(String::new(), |given| self.put_in(given));
                            push(&mut parts, false, &name);
                        }
                    }
                }
            }
            _ => return None,
        }
        parts.truncate(MAX_PARTS);
        Some(parts)
    }

    fn f_string(self, text: &ast::ExprFString, parts: &mut Vec<(bool, Box<str>)>) {
        for part in &text.value {
            match part {
                ast::FStringPart::Literal(literal) => push(parts, true, literal.as_str()),
                ast::FStringPart::FString(inner) => {
                    for element in &inner.elements {
                        match element {
                            ast::InterpolatedStringElement::Literal(literal) => {
                                push(parts, true, literal);
                            }
                            ast::InterpolatedStringElement::Interpolation(inner) => {
                                push(parts, false, &self.put_in(&inner.expression));
                            }
                        }
                    }
                }
            }
        }
    }

    /// Adds one operand of a sum.
    fn put(self, operand: &Expr, parts: &mut Vec<(bool, Box<str>)>) {
        match operand {
            Expr::StringLiteral(text) => push(parts, true, text.value.to_str()),
            Expr::FString(text) => self.f_string(text, parts),
            _ => push(parts, false, &self.put_in(operand)),
        }
    }

    /// Adds what a place of a `%` format is filled with: `0` by number, `name` by key.
    fn put_place(
        self,
        place: &str,
        given: &[&Expr],
        whole: &Expr,
        parts: &mut Vec<(bool, Box<str>)>,
    ) {
        let found = match (place.parse::<usize>(), whole) {
            (Ok(index), _) => given.get(index).copied(),
            (Err(_), Expr::Dict(dict)) => dict.items.iter().find_map(|item| match &item.key {
                Some(Expr::StringLiteral(key)) if key.value.to_str() == place => Some(&item.value),
                _ => None,
            }),
            _ => None,
        };
        let name = found.map_or(String::new(), |found| self.put_in(found));
        push(parts, false, &name);
    }

    /// Returns the dotted name of what is put into a text; `str(x)` and `quote(x)` are `x`.
    fn put_in(self, expression: &Expr) -> String {
        if let Expr::Call(call) = expression
            && let [only] = &*call.arguments.args
            && let Some(name) = dotted(&call.func)
            && matches!(
                name.written.rsplit('.').next(),
                Some("str" | "int" | "quote" | "quote_plus")
            )
        {
            return self.put_in(only);
        }
        match dotted(expression) {
            Some(name) => self
                .scopes
                .imported(&name.root, &name.written, expression.start())
                .unwrap_or(name.written),
            None => String::new(),
        }
    }
}

/// Adds a part; known texts that follow each other become one.
fn push(parts: &mut Vec<(bool, Box<str>)>, is_known: bool, text: &str) {
    if is_known && text.is_empty() {
        return;
    }
    if let Some((true, last)) = parts.last_mut()
        && is_known
    {
        *last = cut(&format!("{last}{text}")).into();
        return;
    }
    if parts.len() < MAX_PARTS {
        parts.push((is_known, cut(text).into()));
    }
}

/// Returns the operands of a chain of `+`, from left to right.
pub(crate) fn joined(expression: &Expr) -> Vec<&Expr> {
    let mut operands = Vec::new();
    let mut rest = expression;
    while let Expr::BinOp(operation) = rest
        && operation.op == ast::Operator::Add
    {
        operands.push(&*operation.right);
        rest = &operation.left;
    }
    operands.push(rest);
    operands.reverse();
    operands
}

/// Says whether an operand is named like the front of an address, so that a sum of names alone (`base + path`)
/// is one.
fn names_an_address(expression: &Expr) -> bool {
    let name = match expression {
        Expr::Name(name) => name.id.as_str(),
        Expr::Attribute(attribute) => attribute.attr.as_str(),
        _ => return false,
    };
    let lower = name.to_lowercase();
    ["url", "uri", "base", "host", "endpoint"]
        .iter()
        .any(|word| lower.contains(word))
}

/// Says whether an operand makes a sum a text.
fn is_textual(expression: &Expr) -> bool {
    matches!(expression, Expr::StringLiteral(_) | Expr::FString(_))
}
