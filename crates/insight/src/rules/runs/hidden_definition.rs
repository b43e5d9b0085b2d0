//! `hidden-definition`: functions, methods and classes that a later one of the same name hides.

use tradewind_repo::python::ast::comparable::ComparableStmt;
use tradewind_repo::python::ast::visitor::{self, Visitor};
use tradewind_repo::python::ast::{self, Expr, Stmt};
use tradewind_repo::python::{Code, SourceFile};

use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::quotes::{grouped, is_foreign, quoted};
use crate::rule::{About, Findings, PythonRule};

static ABOUT: About = About {
    id: "hidden-definition",
    title: "Definitions that a later one of the same name hides",
    area: Area::Runs,
    severity: Severity::Medium,
    confidence: Confidence::Certain,
    timeframe: Timeframe::Week,
    impact: "The first one never runs, though everyone who reads the file believes it does.",
    action: "Rename one of them, or delete the one that is not meant.",
    after: &[],
};

/// Decorators under which a definition is nothing but a definition.
const PLAIN: &[&str] = &[
    "staticmethod",
    "classmethod",
    "property",
    "functools.lru_cache",
    "lru_cache",
    "functools.cache",
    "asyncio.coroutine",
    "pytest.fixture",
    "contextlib.contextmanager",
    "abc.abstractmethod",
    "abstractmethod",
    "dataclasses.dataclass",
    "dataclass",
];

/// Beginnings of decorators under which a test is nothing but a test.
const PLAIN_TEST: &[&str] = &[
    "pytest.mark.",
    "unittest.skip",
    "unittest.mock.patch",
    "mock.patch",
    "patch",
];

/// The rule.
pub struct HiddenDefinition;

impl PythonRule for HiddenDefinition {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, file: &SourceFile, findings: &mut Findings) {
        if is_foreign(&file.path) || file.path.ends_with(".ipynb") || !file.module.errors.is_empty()
        {
            return;
        }
        let mut blocks = Blocks {
            file,
            hidden: Vec::new(),
            depth: 0,
        };
        blocks.block(&file.tree.body, "");
        report(file, &blocks.hidden, findings);
    }
}

/// Says whether a class stands in for another one in tests.
fn is_stand_in(name: &str) -> bool {
    ["Fake", "Stub", "Mock", "Dummy"]
        .iter()
        .any(|word| name.contains(word))
}

/// Looks at every block of statements for itself: branches of `if` and `try` are alternatives.
struct Blocks<'a> {
    file: &'a SourceFile,
    hidden: Vec<Hidden>,
    depth: u8,
}

/// A definition that a later one hides.
struct Hidden {
    /// Its name, with the class it stands in.
    name: String,
    is_test: bool,
    /// Whether both do the same.
    is_same: bool,
    first: u32,
    second: u32,
}

impl<'a> Blocks<'a> {
    fn block(&mut self, body: &'a [Stmt], class: &str) {
        if self.depth > 20 {
            return;
        }
        self.depth += 1;
        for (at, statement) in body.iter().enumerate() {
            if let Some(first) = Definition::of(statement)
                && let Some((between, second)) = self.next_of_name(body, at, &first)
                && !between.iter().any(|statement| uses(statement, first.name))
                && !second
                    .decorators()
                    .any(|decorator| mentions(decorator, first.name))
            {
                self.keep(class, &first, &second);
            }
            match statement {
                // A stand-in of a test has what the test needs.
                Stmt::ClassDef(class) if is_stand_in(class.name.as_str()) => {}
                Stmt::ClassDef(class) => self.block(&class.body, class.name.as_str()),
                Stmt::FunctionDef(function) => self.block(&function.body, ""),
                _ => {}
            }
        }
        self.depth -= 1;
    }

    fn next_of_name(
        &self,
        body: &'a [Stmt],
        at: usize,
        first: &Definition<'a>,
    ) -> Option<(&'a [Stmt], Definition<'a>)> {
        if first.name == "_" || !first.decorators().all(|decorator| self.is_plain(decorator)) {
            return None;
        }
        let rest = body.get(at + 1..)?;
        let place = rest.iter().position(|statement| {
            Definition::of(statement).is_some_and(|next| next.name == first.name)
        })?;
        let second = Definition::of(rest.get(place)?)?;
        second
            .decorators()
            .all(|decorator| self.is_plain(decorator))
            .then_some((rest.get(..place)?, second))
    }

    fn is_plain(&self, decorator: &Expr) -> bool {
        let written = match decorator {
            Expr::Call(call) => self.file.qualified(&call.func),
            other => self.file.qualified(other),
        };
        written.is_some_and(|name| {
            PLAIN.contains(&name.as_str()) || PLAIN_TEST.iter().any(|start| name.starts_with(start))
        })
    }

    fn keep(&mut self, class: &str, first: &Definition<'_>, second: &Definition<'_>) {
        let name = if class.is_empty() {
            first.name.to_owned()
        } else {
            format!("{class}.{}", first.name)
        };
        self.hidden.push(Hidden {
            name,
            is_test: first.name.starts_with("test"),
            is_same: first.is_like(second),
            first: self.file.line(first.name_start),
            second: self.file.line(second.name_start),
        });
    }
}

/// Tells all of one file together: they came with one paste or one merge.
fn report(file: &SourceFile, hidden: &[Hidden], findings: &mut Findings) {
    let Some((first, others)) = hidden.split_first() else {
        return;
    };
    let path = file.path.as_ref();
    let quote = |line: u32| Evidence::at(path, line, quoted(path, file.quote(line)));
    let evidence = hidden
        .iter()
        .flat_map(|each| [quote(each.first), quote(each.second)])
        .collect();
    let more = match others.len() {
        0 => String::new(),
        more => format!(", and {more} more such pairs"),
    };
    let title = format!(
        "{path}: the second {} (line {}) hides the first{more}",
        first.name, first.second
    );
    let finding = grouped(findings, title, evidence);
    if Code::is_test(path) && hidden.iter().any(|each| each.is_test) {
        finding.severity = Severity::High;
        "The first test never runs: what it guards is not guarded, though it looks so."
            .clone_into(&mut finding.impact);
    } else if Code::is_test(path) || hidden.iter().all(|each| each.is_same) {
        // A stand-in of a test may be written anew on purpose, and of two that are the same either will do.
        finding.confidence = Confidence::Possible;
    }
}

/// A function or class that a block defines.
struct Definition<'a> {
    name: &'a str,
    name_start: tradewind_repo::python::text_size::TextSize,
    decorators: &'a [ast::Decorator],
    body: &'a [Stmt],
}

impl<'a> Definition<'a> {
    fn of(statement: &'a Stmt) -> Option<Self> {
        match statement {
            Stmt::FunctionDef(function) => Some(Self {
                name: function.name.as_str(),
                name_start: function.name.range.start(),
                decorators: &function.decorator_list,
                body: &function.body,
            }),
            Stmt::ClassDef(class) => Some(Self {
                name: class.name.as_str(),
                name_start: class.name.range.start(),
                decorators: &class.decorator_list,
                body: &class.body,
            }),
            _ => None,
        }
    }

    /// Says whether two do the same, whatever they say about it.
    fn is_like(&self, other: &Self) -> bool {
        let deeds = |body: &'a [Stmt]| {
            let is_said = |statement: &&Stmt| matches!(statement, Stmt::Expr(said) if said.value.is_string_literal_expr());
            body.iter()
                .skip_while(is_said)
                .map(ComparableStmt::from)
                .collect::<Vec<_>>()
        };
        deeds(self.body) == deeds(other.body)
    }

    fn decorators(&self) -> impl Iterator<Item = &'a Expr> + use<'a> {
        self.decorators
            .iter()
            .map(|decorator| &decorator.expression)
    }
}

/// Whether running a statement reads a name; what functions do later does not count, what they are given as
/// defaults and decorators does.
fn uses(statement: &Stmt, name: &str) -> bool {
    let mut reads = Reads { name, found: false };
    reads.visit_stmt(statement);
    reads.found
}

fn mentions(expression: &Expr, name: &str) -> bool {
    let mut reads = Reads { name, found: false };
    reads.visit_expr(expression);
    reads.found
}

struct Reads<'n> {
    name: &'n str,
    found: bool,
}

impl<'a> Visitor<'a> for Reads<'_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        if self.found {
            return;
        }
        match statement {
            Stmt::FunctionDef(function) => {
                for decorator in &function.decorator_list {
                    self.visit_expr(&decorator.expression);
                }
                for parameter in &*function.parameters {
                    if let Some(default) = parameter.default() {
                        self.visit_expr(default);
                    }
                }
            }
            _ => visitor::walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Name(name) => self.found |= name.id.as_str() == self.name,
            // `locals()` and the like may read anything.
            Expr::Call(call) if matches!(call.func.as_ref(), Expr::Name(name) if matches!(name.id.as_str(), "locals" | "vars" | "globals")) =>
            {
                self.found = true;
            }
            _ => visitor::walk_expr(self, expression),
        }
    }
}
