//! The proof that a condition is right: names, fields, types and work, without running it.
//!
//! Why static: a sample run only sees the branch it takes, and a deadline would make the answer
//! depend on the machine. Work is counted in steps: each node is one, what copies or compares texts
//! costs more, and a macro multiplies its body by the longest list that an event may hold.
//! What is unknown (a foreign event's data) is allowed here and may still fail when evaluated.

use std::sync::Arc;

use cel::Program;
use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, SelectExpr,
};
use regex::RegexBuilder;

use tradewind_core::EventKind;
use tradewind_core::nearest::nearest;

use super::shape::{self, Shape};
use super::{ConditionMistake, MAX_ENTRIES};

/// Upper bound on the steps of one evaluation: well under a second.
const MAX_STEPS: u64 = 5_000_000;
const STEPS_PER_MATCH: u64 = 2_000;
const STEPS_PER_COPY: u64 = 1_000;
const STEPS_PER_SEARCH: u64 = 20;
/// Upper bound on a compiled pattern: `matches` compiles it anew each time.
const MAX_PATTERN_BYTES: usize = 64 * 1024;
/// Functions that may be called as `f(x)` or `x.f()`.
const FUNCTIONS: &[&str] = &[
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "int",
    "double",
    "string",
    "type",
    "bool",
    "has",
    "all",
    "exists",
    "exists_one",
    "map",
    "filter",
];

/// Returns every mistake in `program`.
pub(super) fn check(program: &Program, source: &str, kinds: &[EventKind]) -> Vec<ConditionMistake> {
    let mut checker = Checker {
        program,
        source,
        scope: vec![
            ("event".to_owned(), shape::event(kinds)),
            ("view".to_owned(), shape::view()),
        ],
        is_guarded: mentions_kind(program.expression()),
        guards: Vec::new(),
        mistakes: Vec::new(),
    };
    collect_guards(program.expression(), &mut checker.guards);
    let root = program.expression();
    let (result, steps) = checker.infer(root);
    if !matches!(result.solid(), Shape::Bool | Shape::Any) {
        let message = format!(
            "the condition gives {} and not true or false",
            result.word()
        );
        checker
            .mistakes
            .push(ConditionMistake { offset: 0, message });
    }
    if steps > MAX_STEPS {
        checker.mistakes.push(ConditionMistake {
            offset: 0,
            message: format!(
                "too much work: up to {steps} steps where {MAX_STEPS} are allowed; \
                 macros inside macros multiply"
            ),
        });
    }
    checker.mistakes.sort_by_key(|mistake| mistake.offset);
    checker.mistakes.dedup();
    checker.mistakes
}

struct Checker<'p> {
    program: &'p Program,
    source: &'p str,
    /// Variables, innermost last.
    scope: Vec<(String, Shape)>,
    /// Whether the condition asks for `event.kind` anywhere, and so may know which fields exist.
    is_guarded: bool,
    /// Fields that a `has()` asks for.
    guards: Vec<String>,
    mistakes: Vec<ConditionMistake>,
}

impl Checker<'_> {
    /// Returns the shape of an expression and the most steps it may take.
    fn infer(&mut self, expr: &IdedExpr) -> (Shape, u64) {
        match &expr.expr {
            Expr::Unspecified => (Shape::Any, 1),
            Expr::Literal(literal) => (literal_shape(literal), 1),
            Expr::Ident(name) => (self.variable(expr.id, name), 1),
            Expr::Select(select) => self.select(expr.id, select),
            Expr::Call(call) => self.call(expr.id, call),
            Expr::List(list) => {
                let mut steps = 1_u64;
                let mut item = None;
                for element in &list.elements {
                    let (shape, cost) = self.infer(element);
                    steps = steps.saturating_add(cost);
                    item = Some(match item {
                        Some(known) => Shape::join(known, shape),
                        None => shape,
                    });
                }
                (Shape::List(Arc::new(item.unwrap_or(Shape::Any))), steps)
            }
            Expr::Map(map) => {
                let mut steps = 1_u64;
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        steps = steps.saturating_add(self.infer(&entry.key).1);
                        steps = steps.saturating_add(self.infer(&entry.value).1);
                    }
                }
                (Shape::Map(Arc::new(Shape::Any)), steps)
            }
            Expr::Struct(_) => {
                self.mistake(expr.id, "typed messages are not known here");
                (Shape::Any, 1)
            }
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
        }
    }

    fn variable(&mut self, id: u64, name: &str) -> Shape {
        if let Some((_, shape)) = self.scope.iter().rev().find(|(known, _)| known == name) {
            return shape.clone();
        }
        if matches!(
            name,
            "int" | "string" | "bool" | "double" | "list" | "map" | "null_type"
        ) {
            return Shape::Any;
        }
        let known = self.scope.iter().map(|(known, _)| known.as_str());
        let hint = nearest(name, known).map_or("there are `event` and `view`".to_owned(), |near| {
            format!("did you mean `{near}`?")
        });
        self.mistake(id, format!("unknown name `{name}`, {hint}"));
        Shape::Any
    }

    fn select(&mut self, id: u64, select: &SelectExpr) -> (Shape, u64) {
        let (operand, steps) = self.infer(&select.operand);
        let steps = steps.saturating_add(1);
        let found = match operand.solid() {
            Shape::Record(fields) => {
                if let Some((shape, always)) = fields.get(&select.field) {
                    let is_safe = *always
                        || select.test
                        || self.is_guarded
                        || self.guards.contains(&select.field);
                    if !is_safe {
                        let field = &select.field;
                        self.mistake_at_field(id, format!(
                        "only some of these events have `{field}`: ask `has(….{field})` first, \
                         or for `event.kind`"
                    ));
                    }
                    shape.clone()
                } else {
                    let names = || fields.keys().map(String::as_str);
                    let hint = nearest(&select.field, names()).map_or_else(
                        || format!("there are {}", names().collect::<Vec<_>>().join(", ")),
                        |near| format!("did you mean `{near}`?"),
                    );
                    self.mistake_at_field(id, format!("unknown field `{}`, {hint}", select.field));
                    Shape::Any
                }
            }
            Shape::Map(item) => (**item).clone(),
            Shape::Any => Shape::Any,
            other => {
                let word = other.word();
                self.mistake_at_field(id, format!("{word} has no field `{}`", select.field));
                Shape::Any
            }
        };
        (if select.test { Shape::Bool } else { found }, steps)
    }

    fn call(&mut self, id: u64, call: &CallExpr) -> (Shape, u64) {
        let mut steps = 1_u64;
        let mut shapes = Vec::new();
        for argument in call.target.as_deref().into_iter().chain(&call.args) {
            let (shape, cost) = self.infer(argument);
            steps = steps.saturating_add(cost);
            shapes.push(shape);
        }
        let name = call.func_name.as_str();
        let (shape, own) = match (name, shapes.as_slice()) {
            ("_&&_" | "_||_", [a, b]) => (self.want_bools(id, &[a, b]), 1),
            ("!_", [a]) => (self.want_bools(id, &[a]), 1),
            ("@not_strictly_false", [_]) => (Shape::Bool, 1),
            ("_?_:_", [test, yes, no]) => {
                self.want_bools(id, &[test]);
                (yes.clone().join(no.clone()), 1)
            }
            ("_==_" | "_!=_", [a, b]) => {
                if !a.may_equal(b) {
                    self.mistake(id, format!("{} is never {}", a.word(), b.word()));
                }
                self.check_kind_name(call);
                (Shape::Bool, STEPS_PER_SEARCH)
            }
            ("_<_" | "_<=_" | "_>_" | "_>=_", [a, b]) => {
                if !a.may_equal(b) || matches!(a.solid(), Shape::List(_) | Shape::Record(_)) {
                    let message = format!("{} cannot be compared to {}", a.word(), b.word());
                    self.mistake(id, message);
                }
                (Shape::Bool, STEPS_PER_SEARCH)
            }
            ("@in", [item, whole]) => (self.contains(id, item, whole), STEPS_PER_SEARCH * 20),
            ("_[_]" | "_[?_]", [whole, key]) => (self.index(id, whole, key), 1),
            ("_+_", [a, b]) => (self.add(id, a, b), STEPS_PER_COPY),
            ("_-_" | "_*_" | "_/_" | "_%_", [a, b]) => (self.want_numbers(id, &[a, b]), 1),
            ("-_", [a]) => (self.want_numbers(id, &[a]), 1),
            _ => self.function(id, call, &shapes),
        };
        (shape, steps.saturating_add(own))
    }

    /// A function by name, called either way.
    fn function(&mut self, id: u64, call: &CallExpr, shapes: &[Shape]) -> (Shape, u64) {
        let name = call.func_name.as_str();
        let solid: Vec<&Shape> = shapes.iter().map(Shape::solid).collect();
        let text = |shape: &Shape| matches!(shape, Shape::Text | Shape::Any);
        let is_method = call.target.is_some();
        match (name, solid.as_slice()) {
            (
                "size",
                [Shape::Text | Shape::List(_) | Shape::Map(_) | Shape::Record(_) | Shape::Any],
            ) => (Shape::Int, 1),
            ("contains" | "startsWith" | "endsWith", [a, b]) if is_method && text(a) && text(b) => {
                (Shape::Bool, STEPS_PER_SEARCH)
            }
            ("matches", [a, b]) if text(a) && text(b) => {
                self.check_pattern(id, call);
                (Shape::Bool, STEPS_PER_MATCH)
            }
            ("int", [_]) if !is_method => (Shape::Int, STEPS_PER_SEARCH),
            ("double", [_]) if !is_method => (Shape::Float, STEPS_PER_SEARCH),
            ("string", [_]) if !is_method => (Shape::Text, STEPS_PER_COPY),
            ("bool", [_]) if !is_method => (Shape::Bool, STEPS_PER_SEARCH),
            ("type", [_]) if !is_method => (Shape::Any, 1),
            _ if FUNCTIONS.contains(&name) => {
                let words: Vec<_> = shapes.iter().map(Shape::word).collect();
                self.mistake(
                    id,
                    format!("`{name}` does not work on {}", words.join(" and ")),
                );
                (Shape::Any, 1)
            }
            _ => {
                let hint = nearest(name, FUNCTIONS.iter().copied()).map_or_else(
                    || format!("there are {}", FUNCTIONS.join(", ")),
                    |near| format!("did you mean `{near}`?"),
                );
                self.mistake(id, format!("unknown function `{name}`, {hint}"));
                (Shape::Any, 1)
            }
        }
    }

    fn comprehension(&mut self, macro_: &ComprehensionExpr) -> (Shape, u64) {
        let (range, range_steps) = self.infer(&macro_.iter_range);
        let item = match range.solid() {
            Shape::List(item) => (**item).clone(),
            Shape::Map(_) | Shape::Record(_) => Shape::Text,
            Shape::Any => Shape::Any,
            other => {
                let message = format!("{} has no entries to go through", other.word());
                self.mistake(macro_.iter_range.id, message);
                Shape::Any
            }
        };
        let entries = match &macro_.iter_range.expr {
            Expr::List(list) => list.elements.len(),
            Expr::Map(map) => map.entries.len(),
            _ => MAX_ENTRIES,
        };
        let (start, start_steps) = self.infer(&macro_.accu_init);
        let depth = self.scope.len();
        // What a macro gathers is a list of anything; what it counts or decides keeps its shape.
        let gathered = if matches!(start, Shape::List(_)) {
            Shape::List(Arc::new(Shape::Any))
        } else {
            start
        };
        self.scope.push((macro_.accu_var.clone(), gathered));
        self.scope.push((macro_.iter_var.clone(), item));
        if let Some(second) = &macro_.iter_var2 {
            self.scope.push((second.clone(), Shape::Any));
        }
        let (_, test_steps) = self.infer(&macro_.loop_cond);
        let step = self.loop_step(&macro_.loop_step);
        self.scope.truncate(depth + 1);
        let (result, result_steps) = self.infer(&macro_.result);
        self.scope.truncate(depth);
        let steps = u64::try_from(entries)
            .unwrap_or(u64::MAX)
            .saturating_mul(test_steps.saturating_add(step))
            .saturating_add(range_steps)
            .saturating_add(start_steps)
            .saturating_add(result_steps);
        (result, steps)
    }

    /// A `map` or `filter` adds one entry to its result each round; that addition copies nothing
    /// that could grow, unlike one that a person wrote.
    fn loop_step(&mut self, expr: &IdedExpr) -> u64 {
        let steps = self.infer(expr).1;
        let adds =
            |expr: &IdedExpr| matches!(&expr.expr, Expr::Call(call) if call.func_name == "_+_");
        let is_ours = match &expr.expr {
            Expr::Call(call) if call.func_name == "_?_:_" => call.args.iter().any(adds),
            _ => adds(expr),
        };
        if is_ours {
            steps.saturating_sub(STEPS_PER_COPY - STEPS_PER_SEARCH)
        } else {
            steps
        }
    }

    fn want_bools(&mut self, id: u64, shapes: &[&Shape]) -> Shape {
        for shape in shapes {
            if !matches!(shape.solid(), Shape::Bool | Shape::Any) {
                self.mistake(id, format!("{} is not true or false", shape.word()));
            }
        }
        Shape::Bool
    }

    fn want_numbers(&mut self, id: u64, shapes: &[&Shape]) -> Shape {
        let mut result = Shape::Int;
        for shape in shapes {
            match shape.solid() {
                Shape::Int => {}
                Shape::Float => result = Shape::Float,
                Shape::Any => result = Shape::Any,
                other => self.mistake(id, format!("{} is not a number", other.word())),
            }
        }
        result
    }

    fn add(&mut self, id: u64, a: &Shape, b: &Shape) -> Shape {
        match (a.solid(), b.solid()) {
            (Shape::Any, other) | (other, Shape::Any) => other.clone(),
            (Shape::Text, Shape::Text) => Shape::Text,
            (Shape::List(x), Shape::List(y)) => {
                Shape::List(Arc::new((**x).clone().join((**y).clone())))
            }
            (Shape::Int | Shape::Float, Shape::Int | Shape::Float) => {
                self.want_numbers(id, &[a, b])
            }
            (x, y) => {
                let message = format!("{} and {} cannot be added", x.word(), y.word());
                self.mistake(id, message);
                Shape::Any
            }
        }
    }

    fn contains(&mut self, id: u64, item: &Shape, whole: &Shape) -> Shape {
        let fits = match whole.solid() {
            Shape::List(element) => element.may_equal(item),
            Shape::Map(_) | Shape::Record(_) => Shape::Text.may_equal(item),
            Shape::Any => true,
            _ => false,
        };
        if !fits {
            self.mistake(id, format!("{} is never in {}", item.word(), whole.word()));
        }
        Shape::Bool
    }

    fn index(&mut self, id: u64, whole: &Shape, key: &Shape) -> Shape {
        match (whole.solid(), key.solid()) {
            (Shape::List(item), Shape::Int | Shape::Any)
            | (Shape::Map(item), Shape::Text | Shape::Any) => (**item).clone(),
            (Shape::Record(_), Shape::Text | Shape::Any) | (Shape::Any, _) => Shape::Any,
            (whole, key) => {
                let message = format!("{} has no entry at {}", whole.word(), key.word());
                self.mistake(id, message);
                Shape::Any
            }
        }
    }

    /// A kind that is compared to must exist, or the comparison is always false.
    fn check_kind_name(&mut self, call: &CallExpr) {
        for (one, other) in [(0, 1), (1, 0)] {
            let (Some(field), Some(name)) = (call.args.get(one), call.args.get(other)) else {
                continue;
            };
            let Some(text) = literal_text(name).filter(|_| is_kind(field)) else {
                continue;
            };
            if text.parse::<EventKind>().is_err() {
                let hint = nearest(text, EventKind::ALL.iter().map(|kind| kind.as_str()))
                    .map(|near| format!(", did you mean `{near}`?"))
                    .unwrap_or_default();
                self.mistake(name.id, format!("no event kind is `{text}`{hint}"));
            }
        }
    }

    fn check_pattern(&mut self, id: u64, call: &CallExpr) {
        let Some(pattern) = call.args.last() else {
            return;
        };
        let Some(text) = literal_text(pattern) else {
            self.mistake(id, "the pattern of `matches` must be a text in quotes");
            return;
        };
        let built = RegexBuilder::new(text)
            .size_limit(MAX_PATTERN_BYTES)
            .build();
        if let Err(error) = built {
            let said = error.to_string();
            let last = said.lines().last().unwrap_or_default().trim();
            let what = last.trim_start_matches("error: ").to_owned();
            self.mistake(pattern.id, format!("the pattern is not usable: {what}"));
        }
    }

    fn mistake(&mut self, id: u64, message: impl Into<String>) {
        let offset = self.offset(id);
        self.mistakes.push(ConditionMistake {
            offset,
            message: message.into(),
        });
    }

    /// The parser places a selection at its dot; a person looks at the name behind it.
    fn mistake_at_field(&mut self, id: u64, message: impl Into<String>) {
        let dot = self.offset(id);
        let after = self.source.chars().skip(dot);
        let skipped = after.take_while(|c| *c == '.' || c.is_whitespace()).count();
        let offset = dot + skipped;
        self.mistakes.push(ConditionMistake {
            offset,
            message: message.into(),
        });
    }

    fn offset(&self, id: u64) -> usize {
        let start = self
            .program
            .source_info()
            .offset_for(id)
            .map_or(0, |(start, _)| start);
        usize::try_from(start).unwrap_or(0)
    }
}

fn literal_shape(literal: &LiteralValue) -> Shape {
    match literal {
        LiteralValue::Boolean(_) => Shape::Bool,
        LiteralValue::Bytes(_) => Shape::Any,
        LiteralValue::Double(_) => Shape::Float,
        LiteralValue::Int(_) | LiteralValue::UInt(_) => Shape::Int,
        LiteralValue::Null => Shape::Null,
        LiteralValue::String(_) => Shape::Text,
    }
}

fn literal_text(expr: &IdedExpr) -> Option<&str> {
    match &expr.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

/// Whether the expression is `event.kind`.
fn is_kind(expr: &IdedExpr) -> bool {
    let Expr::Select(select) = &expr.expr else {
        return false;
    };
    let Expr::Ident(root) = &select.operand.expr else {
        return false;
    };
    root == "event" && select.field == "kind"
}

fn mentions_kind(expr: &IdedExpr) -> bool {
    let mut found = false;
    walk(expr, &mut |expr| found |= is_kind(expr));
    found
}

fn collect_guards(expr: &IdedExpr, guards: &mut Vec<String>) {
    walk(expr, &mut |expr| {
        if let Expr::Select(select) = &expr.expr
            && select.test
        {
            guards.push(select.field.clone());
        }
    });
}

/// Calls `visit` on every node.
fn walk<'e>(expr: &'e IdedExpr, visit: &mut impl FnMut(&'e IdedExpr)) {
    let mut open = vec![expr];
    while let Some(expr) = open.pop() {
        visit(expr);
        match &expr.expr {
            Expr::Call(call) => open.extend(call.target.as_deref().into_iter().chain(&call.args)),
            Expr::Select(select) => open.push(&select.operand),
            Expr::List(list) => open.extend(&list.elements),
            Expr::Comprehension(inner) => open.extend([
                &inner.iter_range,
                &inner.accu_init,
                &inner.loop_cond,
                &inner.loop_step,
                &inner.result,
            ]),
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        open.extend([&entry.key, &entry.value]);
                    }
                }
            }
            Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) | Expr::Struct(_) => {}
        }
    }
}
