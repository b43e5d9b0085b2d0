//! `unbound-name`: names that are read although one way to the line never bound them.
//!
//! Two forms only, because they need no knowledge of values: a `try` whose handler goes on without the name that
//! its body was to bind, and an `if` with an `else` of which one side does not bind it. A way that may leave, or
//! that calls what is not known to come back, is left alone.

use std::collections::BTreeSet;

use tradewind_repo::python::ast::visitor::{self, Visitor};
use tradewind_repo::python::ast::{self, ExceptHandler, Expr, ExprContext, Stmt};
use tradewind_repo::python::text_size::{Ranged, TextSize};
use tradewind_repo::python::{Code, SourceFile};

use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::quotes::{has_end, is_foreign, is_shelved, quoted};
use crate::rule::{About, Findings, PythonRule};

static ABOUT: About = About {
    id: "unbound-name",
    title: "Names that are read although nothing bound them",
    area: Area::Runs,
    severity: Severity::Medium,
    confidence: Confidence::Likely,
    timeframe: Timeframe::Week,
    impact: "When the call fails, the line behind it dies with UnboundLocalError or goes on with the value of the round before: \
             the error that was to be handled stops the bot, or an old price is traded on.",
    action: "Bind the name before, or leave in the handler (`return`, `continue`, `raise`).",
    after: &["undefined-name"],
};

/// Calls after which the next line runs, by their last name.
const COMES_BACK: &[&str] = &[
    "print",
    "pprint",
    "debug",
    "info",
    "warn",
    "warning",
    "error",
    "exception",
    "critical",
    "log",
    "sleep",
    "str",
    "repr",
    "type",
    "format",
    "len",
    "int",
    "float",
    "round",
    "print_exc",
    "format_exc",
    "now",
    "time",
    "utcnow",
    "append",
    "add",
    "put",
    "write",
    "join",
    "exc_info",
    "split",
    "strftime",
    "isoformat",
    "get",
    "upper",
    "lower",
    "echo",
    "secho",
];

/// The rule.
pub struct UnboundName;

impl PythonRule for UnboundName {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, file: &SourceFile, findings: &mut Findings) {
        let path = file.path.as_ref();
        if is_foreign(path)
            || is_shelved(path)
            || Code::is_test(path)
            || has_end(path, "ipynb")
            || !file.module.errors.is_empty()
        {
            return;
        }
        let mut functions = Functions::default();
        functions.visit_body(&file.tree.body);
        let mut found = Vec::new();
        for function in functions.all {
            let mut look = Look {
                file,
                bound: Bound::of(function),
                found: &mut found,
            };
            look.block(&function.body, 0);
        }
        report(file, &found, findings);
    }
}

/// One name that is read too early: where it was to be bound, what goes on without it, and where it is read.
struct Early {
    name: String,
    bound: u32,
    without: u32,
    read: u32,
}

fn report(file: &SourceFile, found: &[Early], findings: &mut Findings) {
    let Some(first) = found.first() else { return };
    let path = file.path.as_ref();
    let quote = |line: u32, words: &str| {
        let text: String = quoted(path, file.quote(line)).chars().take(100).collect();
        Evidence::at(path, line, format!("{text}  ({words})"))
    };
    let mut evidence = Vec::new();
    for early in found {
        evidence.push(quote(early.read, &format!("reads `{}`", early.name)));
        evidence.push(quote(early.without, "goes on without it"));
        evidence.push(quote(early.bound, "would have bound it"));
    }
    let more = match found.len() {
        1 => String::new(),
        many => format!(", and {} more such lines", many - 1),
    };
    let title = format!(
        "{path}: line {} reads `{}`, which line {} leaves unbound{more}",
        first.read, first.name, first.without
    );
    findings.add(title, evidence);
}

/// Every function of a file, nested ones too.
#[derive(Default)]
struct Functions<'a> {
    all: Vec<&'a ast::StmtFunctionDef>,
}

impl<'a> Visitor<'a> for Functions<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        if let Stmt::FunctionDef(function) = statement {
            self.all.push(function);
        }
        visitor::walk_stmt(self, statement);
    }

    // Functions stand in statements only.
    fn visit_expr(&mut self, _: &'a Expr) {}
}

/// What a function binds, and where; bodies of inner functions do not count.
#[derive(Default)]
struct Bound {
    places: Vec<(String, TextSize)>,
}

impl Bound {
    fn of(function: &ast::StmtFunctionDef) -> Self {
        let mut bound = Self::default();
        for parameter in &*function.parameters {
            bound.add(parameter.name().as_str(), TextSize::new(0));
        }
        bound.visit_body(&function.body);
        bound
    }

    fn add(&mut self, name: &str, at: TextSize) {
        self.places.push((name.to_owned(), at));
    }

    fn is_before(&self, name: &str, at: TextSize) -> bool {
        self.places
            .iter()
            .any(|(bound, place)| bound == name && *place < at)
    }

    fn is_within(&self, name: &str, statement: &impl Ranged) -> bool {
        let range = statement.range();
        self.places
            .iter()
            .any(|(bound, place)| bound == name && range.contains(*place))
    }
}

impl<'a> Visitor<'a> for Bound {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(function) => {
                return self.add(function.name.as_str(), statement.start());
            }
            Stmt::ClassDef(class) => return self.add(class.name.as_str(), statement.start()),
            // What belongs to another scope is bound there.
            Stmt::Global(global) => {
                for name in &global.names {
                    self.add(name.as_str(), TextSize::new(0));
                }
            }
            Stmt::Nonlocal(nonlocal) => {
                for name in &nonlocal.names {
                    self.add(name.as_str(), TextSize::new(0));
                }
            }
            Stmt::Import(import) => {
                for alias in &import.names {
                    let name = alias.asname.as_ref().unwrap_or(&alias.name).as_str();
                    let top = name.split('.').next().unwrap_or(name);
                    self.add(top, statement.start());
                }
            }
            Stmt::ImportFrom(import) => {
                for alias in &import.names {
                    let name = alias.asname.as_ref().unwrap_or(&alias.name);
                    self.add(name.as_str(), statement.start());
                }
            }
            _ => {}
        }
        visitor::walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        if let Expr::Name(name) = expression
            && !matches!(name.ctx, ExprContext::Load)
        {
            self.add(name.id.as_str(), expression.start());
        }
        visitor::walk_expr(self, expression);
    }

    fn visit_except_handler(&mut self, handler: &'a ExceptHandler) {
        let ExceptHandler::ExceptHandler(inner) = handler;
        if let Some(name) = &inner.name {
            self.add(name.as_str(), handler.start());
        }
        visitor::walk_except_handler(self, handler);
    }

    fn visit_pattern(&mut self, pattern: &'a ast::Pattern) {
        if let ast::Pattern::MatchAs(ast::PatternMatchAs {
            name: Some(name), ..
        })
        | ast::Pattern::MatchStar(ast::PatternMatchStar {
            name: Some(name), ..
        }) = pattern
        {
            self.add(name.as_str(), pattern.start());
        }
        visitor::walk_pattern(self, pattern);
    }
}

/// Blocks nested deeper are not looked at.
const MAX_DEPTH: u8 = 20;

/// A name that one way leaves unbound: where the other binds it, and where that way begins.
struct Candidate<'a> {
    name: &'a str,
    bound: TextSize,
    without: TextSize,
}

struct Look<'a, 'f> {
    file: &'a SourceFile,
    bound: Bound,
    found: &'f mut Vec<Early>,
}

impl<'a> Look<'a, '_> {
    fn block(&mut self, body: &'a [Stmt], depth: u8) {
        if depth > MAX_DEPTH {
            return;
        }
        for (at, statement) in body.iter().enumerate() {
            let candidates = match statement {
                Stmt::Try(inner) => self.of_try(inner),
                Stmt::If(inner) => self.of_if(inner),
                _ => Vec::new(),
            };
            for candidate in candidates {
                let is_new = !self.found.iter().any(|early| {
                    early.name == candidate.name && early.bound == self.file.line(candidate.bound)
                });
                if is_new
                    && !self.bound.is_before(candidate.name, statement.start())
                    && let Some(read) =
                        self.read(body.get(at + 1..).unwrap_or_default(), candidate.name)
                {
                    self.found.push(Early {
                        name: candidate.name.to_owned(),
                        bound: self.file.line(candidate.bound),
                        without: self.file.line(candidate.without),
                        read: self.file.line(read),
                    });
                }
            }
            for inner in blocks(statement) {
                self.block(inner, depth + 1);
            }
        }
    }

    /// Names that the body of a `try` binds by something that may fail, and a handler goes on without.
    fn of_try(&self, inner: &'a ast::StmtTry) -> Vec<Candidate<'a>> {
        let mut candidates: Vec<Candidate<'a>> = Vec::new();
        let mut seen = BTreeSet::new();
        // Until something of the body may fail, the handler cannot be reached.
        let mut may_be_left = false;
        for statement in &inner.body {
            may_be_left |= may_raise(statement);
            if !may_be_left {
                continue;
            }
            for (name, value) in assigned(statement) {
                let is_bound_elsewhere = inner
                    .orelse
                    .iter()
                    .chain(&inner.finalbody)
                    .any(|other| self.bound.is_within(name, other));
                if !seen.insert(name) || !may_fail(value) || is_bound_elsewhere {
                    continue;
                }
                let goes_on = inner.handlers.iter().find(|handler| {
                    let ExceptHandler::ExceptHandler(handler) = handler;
                    !self.bound.is_within(name, handler) && self.comes_back(&handler.body)
                });
                if let Some(handler) = goes_on {
                    candidates.push(Candidate {
                        name,
                        bound: statement.start(),
                        without: handler.start(),
                    });
                }
            }
        }
        candidates
    }

    /// Names that one side of `if … else …` binds and the other does not.
    fn of_if(&self, inner: &'a ast::StmtIf) -> Vec<Candidate<'a>> {
        let [clause] = inner.elif_else_clauses.as_slice() else {
            return Vec::new();
        };
        if clause.test.is_some() {
            return Vec::new();
        }
        // How much there is was mostly asked before, some lines above: the other side never runs.
        if self
            .file
            .quote(self.file.line(inner.start()))
            .contains("len(")
        {
            return Vec::new();
        }
        let first = inner.body.first().map_or(inner.start(), Ranged::start);
        let sides = [
            (&inner.body, &clause.body, clause.start()),
            (&clause.body, &inner.body, first),
        ];
        let mut candidates = Vec::new();
        for (binds, other, start) in sides {
            if !self.comes_back(other) {
                continue;
            }
            for statement in binds {
                for (name, _) in assigned(statement) {
                    // `if not (known := find()):` binds it for both sides.
                    let is_in_test = self.bound.is_within(name, inner.test.as_ref());
                    let is_in_other =
                        || other.iter().any(|other| self.bound.is_within(name, other));
                    if !is_in_test && !is_in_other() {
                        candidates.push(Candidate {
                            name,
                            bound: statement.start(),
                            without: start,
                        });
                    }
                }
            }
        }
        candidates
    }

    /// Says whether the line behind a block is sure to run: nothing leaves, and every call is known to return.
    fn comes_back(&self, body: &[Stmt]) -> bool {
        let mut leaves = Leaves {
            file: self.file,
            is_strict: true,
            found: false,
        };
        leaves.visit_body(body);
        !leaves.found
    }

    /// Returns where the statements are sure to read a name before anything binds it or may leave.
    fn read(&self, rest: &[Stmt], name: &str) -> Option<TextSize> {
        for statement in rest {
            let mut reads = Reads { name, at: None };
            for expression in sure(statement) {
                reads.visit_expr(expression);
            }
            if reads.at.is_some() {
                return reads.at;
            }
            let mut leaves = Leaves {
                file: self.file,
                is_strict: false,
                found: false,
            };
            leaves.visit_stmt(statement);
            if self.bound.is_within(name, statement)
                || leaves.found
                || matches!(statement, Stmt::Try(_) | Stmt::Match(_))
            {
                return None;
            }
        }
        None
    }
}

/// The blocks of a statement, without those of functions and classes.
fn blocks(statement: &Stmt) -> Vec<&[Stmt]> {
    match statement {
        Stmt::If(inner) => {
            let others = inner
                .elif_else_clauses
                .iter()
                .map(|clause| clause.body.as_slice());
            std::iter::once(inner.body.as_slice())
                .chain(others)
                .collect()
        }
        Stmt::For(inner) => vec![&inner.body, &inner.orelse],
        Stmt::While(inner) => vec![&inner.body, &inner.orelse],
        Stmt::With(inner) => vec![&inner.body],
        Stmt::Try(inner) => {
            let mut all: Vec<&[Stmt]> = vec![&inner.body, &inner.orelse, &inner.finalbody];
            all.extend(inner.handlers.iter().map(|handler| {
                let ExceptHandler::ExceptHandler(handler) = handler;
                handler.body.as_slice()
            }));
            all
        }
        _ => Vec::new(),
    }
}

/// The plain names that an assignment binds, and its value.
fn assigned(statement: &Stmt) -> Vec<(&str, &Expr)> {
    fn names<'a>(target: &'a Expr, value: &'a Expr, found: &mut Vec<(&'a str, &'a Expr)>) {
        match target {
            Expr::Name(name) => found.push((name.id.as_str(), value)),
            Expr::Tuple(tuple) => tuple.elts.iter().for_each(|each| names(each, value, found)),
            Expr::List(list) => list.elts.iter().for_each(|each| names(each, value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    match statement {
        Stmt::Assign(assign) => {
            for target in &assign.targets {
                names(target, &assign.value, &mut found);
            }
        }
        Stmt::AnnAssign(assign) => {
            if let Some(value) = &assign.value {
                names(&assign.target, value, &mut found);
            }
        }
        _ => {}
    }
    found
}

/// Says whether a value is worked out by something that may raise.
fn may_fail(value: &Expr) -> bool {
    struct Fails(bool);
    impl<'a> Visitor<'a> for Fails {
        fn visit_expr(&mut self, expression: &'a Expr) {
            self.0 |= matches!(
                expression,
                Expr::Call(_) | Expr::Subscript(_) | Expr::Await(_)
            );
            visitor::walk_expr(self, expression);
        }
    }
    let mut fails = Fails(false);
    fails.visit_expr(value);
    fails.0
}

/// Calls that give the time, and nothing that could go wrong.
const SAFE: &[&str] = &[
    "now",
    "utcnow",
    "today",
    "time",
    "monotonic",
    "perf_counter",
    "time_ns",
    "dict",
    "list",
    "set",
    "Decimal",
];

/// Says whether a statement may raise: anything but a name bound to a constant, to an empty thing or to the time.
fn may_raise(statement: &Stmt) -> bool {
    struct Raises(bool);
    impl<'a> Visitor<'a> for Raises {
        fn visit_expr(&mut self, expression: &'a Expr) {
            self.0 |= match expression {
                Expr::Call(call) => {
                    let last = match call.func.as_ref() {
                        Expr::Name(name) => name.id.as_str(),
                        Expr::Attribute(attribute) => attribute.attr.as_str(),
                        _ => "",
                    };
                    let is_plain = call.arguments.args.iter().all(|argument| {
                        matches!(
                            argument,
                            Expr::Name(_) | Expr::Attribute(_) | Expr::StringLiteral(_)
                        )
                    });
                    !SAFE.contains(&last) || !is_plain
                }
                Expr::Name(_)
                | Expr::Attribute(_)
                | Expr::NumberLiteral(_)
                | Expr::StringLiteral(_)
                | Expr::BooleanLiteral(_)
                | Expr::NoneLiteral(_)
                | Expr::List(_)
                | Expr::Tuple(_)
                | Expr::Dict(_) => false,
                _ => true,
            };
            visitor::walk_expr(self, expression);
        }
    }
    match statement {
        Stmt::Assign(_) | Stmt::AnnAssign(_) => {
            let mut raises = Raises(false);
            for (_, value) in assigned(statement) {
                raises.visit_expr(value);
            }
            raises.0 || assigned(statement).is_empty()
        }
        Stmt::Pass(_) | Stmt::Global(_) | Stmt::Nonlocal(_) => false,
        Stmt::Expr(inner) => !matches!(inner.value.as_ref(), Expr::StringLiteral(_)),
        _ => true,
    }
}

/// The expressions that running a statement is sure to work out first.
fn sure(statement: &Stmt) -> Vec<&Expr> {
    match statement {
        Stmt::Expr(inner) => vec![&inner.value],
        Stmt::Return(inner) => inner.value.as_deref().into_iter().collect(),
        Stmt::Assign(inner) => vec![&inner.value],
        Stmt::AugAssign(inner) => vec![&inner.target, &inner.value],
        Stmt::AnnAssign(inner) => inner.value.as_deref().into_iter().collect(),
        Stmt::If(inner) => vec![&inner.test],
        Stmt::While(inner) => vec![&inner.test],
        Stmt::For(inner) => vec![&inner.iter],
        Stmt::With(inner) => inner
            .items
            .first()
            .map(|item| &item.context_expr)
            .into_iter()
            .collect(),
        Stmt::Assert(inner) => vec![&inner.test],
        _ => Vec::new(),
    }
}

/// Whether working an expression out is sure to read a name.
struct Reads<'n> {
    name: &'n str,
    at: Option<TextSize>,
}

impl<'a> Visitor<'a> for Reads<'_> {
    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Name(name) if name.id.as_str() == self.name => {
                self.at.get_or_insert(expression.start());
            }
            // What stands behind `and`, `or`, `if` and in functions may not be reached.
            Expr::BoolOp(inner) => {
                if let Some(first) = inner.values.first() {
                    self.visit_expr(first);
                }
            }
            Expr::If(inner) => self.visit_expr(&inner.test),
            Expr::Lambda(_) => {}
            Expr::ListComp(ast::ExprListComp { generators, .. })
            | Expr::SetComp(ast::ExprSetComp { generators, .. })
            | Expr::DictComp(ast::ExprDictComp { generators, .. })
            | Expr::Generator(ast::ExprGenerator { generators, .. }) => {
                if let Some(first) = generators.first() {
                    self.visit_expr(&first.iter);
                }
            }
            Expr::Compare(inner) => {
                self.visit_expr(&inner.left);
                if let Some(first) = inner.comparators.first() {
                    self.visit_expr(first);
                }
            }
            _ => visitor::walk_expr(self, expression),
        }
    }
}

/// Whether statements may leave the block, or call what may not come back.
struct Leaves<'f> {
    file: &'f SourceFile,
    /// Whether a call of what is not known counts as leaving.
    is_strict: bool,
    found: bool,
}

impl Leaves<'_> {
    /// Says whether a function of this file is known to end by returning.
    fn is_known(&self, name: &str) -> bool {
        let functions = &self.file.module.functions;
        let mut named = functions
            .iter()
            .filter(|function| function.name.as_ref() == name)
            .peekable();
        named.peek().is_some()
            && named.all(|function| {
                let lines = (function.line as usize).saturating_sub(1)..function.end_line as usize;
                let mut text = self.file.text.lines().skip(lines.start).take(lines.len());
                !text.any(|line| {
                    line.contains("raise") || line.contains("exit") || line.contains("quit")
                })
            })
    }
}

impl<'a> Visitor<'a> for Leaves<'_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Return(_) | Stmt::Raise(_) | Stmt::Break(_) | Stmt::Continue(_) => {
                self.found = true;
            }
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => {}
            _ => visitor::walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        if let Expr::Call(call) = expression {
            let last = match call.func.as_ref() {
                Expr::Name(name) => name.id.as_str(),
                Expr::Attribute(attribute) => attribute.attr.as_str(),
                _ => "",
            };
            let owner = match call.func.as_ref() {
                Expr::Attribute(attribute) => self.file.written(attribute.value.as_ref()),
                _ => "",
            };
            self.found |= matches!(last, "exit" | "_exit" | "quit" | "abort")
                || self.is_strict
                    && (owner.contains("parser")
                        || !COMES_BACK.contains(&last) && !self.is_known(last));
        }
        visitor::walk_expr(self, expression);
    }
}
