//! Which names a file binds and which it reads without anything that binds them.
//!
//! Python's own rules: functions, lambdas and comprehensions have their own names, a class body is not seen
//! from its methods, `global` binds in the module. The sequence of statements is not followed: a name counts
//! as bound when anything in its scope binds it. Guarded uses (`except NameError`, a test for the version of
//! Python) and files that make names at run time are left out.
//! Not here: what a name holds ([`super::scopes`] tells that), and names that `*` brings from other files.

use std::collections::{BTreeSet, HashSet};

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{
    self as ast, ExceptHandler, Expr, ExprContext, ModModule, Parameters, Pattern, Stmt,
};
use ruff_text_size::{Ranged, TextSize};

/// What a file binds and reads.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Names of the top level that a function binds for itself: number of the function, in the sequence of
    /// the file, and the name.
    pub(super) shadows: BTreeSet<(u32, Box<str>)>,
    /// Names that nothing binds.
    pub(super) unbound: Vec<Use>,
}

/// One read of a name.
#[derive(Debug)]
pub(super) struct Use {
    pub(super) name: Box<str>,
    pub(super) at: TextSize,
    /// Number of the function around it.
    pub(super) function: Option<u32>,
    /// Where the handler stands that swallows what comes of it.
    pub(super) swallowed_at: Option<TextSize>,
}

/// Most unbound names that are kept of one file.
const MAX_UNBOUND: usize = 200;

/// Looks through a file.
pub(super) fn names(tree: &ModModule) -> Names {
    let mut walk = Walk::new();
    for statement in &tree.body {
        walk.visit_stmt(statement);
    }
    walk.finish()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Module,
    Class,
    Function,
    /// A lambda, comprehension or the names of type parameters.
    Inner,
}

#[derive(Debug)]
struct Scope<'a> {
    kind: Kind,
    parent: usize,
    function: Option<u32>,
    names: HashSet<&'a str>,
    globals: HashSet<&'a str>,
    outer: HashSet<&'a str>,
}

#[derive(Debug)]
struct Read<'a> {
    scope: usize,
    name: &'a str,
    at: TextSize,
    swallowed_at: Option<TextSize>,
}

struct Walk<'a> {
    scopes: Vec<Scope<'a>>,
    at: usize,
    reads: Vec<Read<'a>>,
    functions: u32,
    /// Handlers around the place that swallow a `NameError`, innermost last.
    swallowing: Vec<TextSize>,
    /// How many guards around the place make an unbound name harmless.
    guards: u32,
    has_late_annotations: bool,
    is_dynamic: bool,
}

impl<'a> Walk<'a> {
    fn new() -> Self {
        Self {
            scopes: vec![Scope {
                kind: Kind::Module,
                parent: 0,
                function: None,
                names: HashSet::new(),
                globals: HashSet::new(),
                outer: HashSet::new(),
            }],
            at: 0,
            reads: Vec::new(),
            functions: 0,
            swallowing: Vec::new(),
            guards: 0,
            has_late_annotations: false,
            is_dynamic: false,
        }
    }

    fn open(&mut self, kind: Kind, function: Option<u32>) -> usize {
        let outer = self.at;
        self.scopes.push(Scope {
            kind,
            parent: outer,
            function: function.or(self.scopes[outer].function),
            names: HashSet::new(),
            globals: HashSet::new(),
            outer: HashSet::new(),
        });
        self.at = self.scopes.len() - 1;
        outer
    }

    fn bind(&mut self, name: &'a str) {
        let here = &self.scopes[self.at];
        let scope = if here.globals.contains(name) {
            0
        } else if here.outer.contains(name) {
            return;
        } else {
            self.at
        };
        self.scopes[scope].names.insert(name);
    }

    fn read(&mut self, name: &'a str, at: TextSize) {
        if matches!(name, "exec" | "globals" | "__builtins__" | "builtins") {
            self.is_dynamic = true;
        }
        if self.guards == 0 {
            self.reads.push(Read {
                scope: self.at,
                name,
                at,
                swallowed_at: self.swallowing.last().copied(),
            });
        }
    }

    fn parameters(&mut self, parameters: &'a Parameters) {
        for parameter in parameters {
            let name = parameter.name();
            self.bind(name.as_str());
        }
    }

    fn defaults(&mut self, parameters: &'a Parameters) {
        for parameter in parameters {
            if let Some(default) = parameter.default() {
                self.visit_expr(default);
            }
        }
    }

    fn annotations(&mut self, parameters: &'a Parameters, returns: Option<&'a Expr>) {
        let annotations = parameters
            .iter()
            .filter_map(ast::AnyParameterRef::annotation)
            .chain(returns);
        for annotation in annotations {
            self.visit_annotation(annotation);
        }
    }

    fn function(&mut self, function: &'a ast::StmtFunctionDef) {
        for decorator in &function.decorator_list {
            self.visit_expr(&decorator.expression);
        }
        self.defaults(&function.parameters);
        self.bind(function.name.as_str());
        let number = self.functions;
        self.functions += 1;
        let outer = self.at;
        if let Some(types) = &function.type_params {
            self.open(Kind::Inner, None);
            self.visit_type_params(types);
        }
        self.annotations(&function.parameters, function.returns.as_deref());
        self.open(Kind::Function, Some(number));
        self.parameters(&function.parameters);
        // What is swallowed is what happens while the body runs, not while it is defined.
        let swallowing = std::mem::take(&mut self.swallowing);
        self.visit_body(&function.body);
        self.swallowing = swallowing;
        self.at = outer;
    }

    fn class(&mut self, class: &'a ast::StmtClassDef) {
        for decorator in &class.decorator_list {
            self.visit_expr(&decorator.expression);
        }
        self.bind(class.name.as_str());
        let outer = self.at;
        if let Some(types) = &class.type_params {
            self.open(Kind::Inner, None);
            self.visit_type_params(types);
        }
        if let Some(arguments) = &class.arguments {
            self.visit_arguments(arguments);
        }
        self.open(Kind::Class, None);
        self.visit_body(&class.body);
        self.at = outer;
    }

    fn import(&mut self, alias: &'a ast::Alias, is_from: bool) {
        if alias.name.as_str() == "*" {
            return;
        }
        let name = match &alias.asname {
            Some(name) => name.as_str(),
            None if is_from => alias.name.as_str(),
            None => alias.name.as_str().split('.').next().unwrap_or_default(),
        };
        self.bind(name);
    }

    fn try_statement(&mut self, statement: &'a ast::StmtTry) {
        let mut swallowing = None;
        let mut is_guarded = false;
        for handler in &statement.handlers {
            let ExceptHandler::ExceptHandler(handler) = handler;
            match handler.type_.as_deref() {
                None => swallowing = swallowing.or(Some(handler.range().start())),
                Some(kind) => {
                    is_guarded |= mentions(kind, &["NameError"]);
                    if mentions(kind, &["Exception", "BaseException"]) {
                        swallowing = swallowing.or(Some(handler.range().start()));
                    }
                }
            }
        }
        self.guards += u32::from(is_guarded);
        self.swallowing.extend(swallowing);
        self.visit_body(&statement.body);
        if swallowing.is_some() {
            self.swallowing.pop();
        }
        self.guards -= u32::from(is_guarded);
        for handler in &statement.handlers {
            self.visit_except_handler(handler);
        }
        self.visit_body(&statement.orelse);
        self.visit_body(&statement.finalbody);
    }

    fn if_statement(&mut self, statement: &'a ast::StmtIf) {
        self.visit_expr(&statement.test);
        let guards = u32::from(is_guard(&statement.test));
        self.guards += guards;
        self.visit_body(&statement.body);
        for clause in &statement.elif_else_clauses {
            if let Some(test) = &clause.test {
                self.visit_expr(test);
            }
            self.visit_body(&clause.body);
        }
        self.guards -= guards;
    }

    fn comprehension(
        &mut self,
        generators: &'a [ast::Comprehension],
        elements: [Option<&'a Expr>; 2],
    ) {
        if let Some(first) = generators.first() {
            self.visit_expr(&first.iter);
        }
        let outer = self.open(Kind::Inner, None);
        for (at, generator) in generators.iter().enumerate() {
            if at > 0 {
                self.visit_expr(&generator.iter);
            }
            self.visit_expr(&generator.target);
            for condition in &generator.ifs {
                self.visit_expr(condition);
            }
        }
        for element in elements.into_iter().flatten() {
            self.visit_expr(element);
        }
        self.at = outer;
    }

    /// Whether anything binds a name where it is read.
    fn is_bound(&self, read: &Read<'_>) -> bool {
        let mut at = read.scope;
        let mut is_own = true;
        loop {
            let scope = &self.scopes[at];
            let is_seen = scope.kind != Kind::Class || is_own;
            if is_seen && (scope.names.contains(read.name) || scope.outer.contains(read.name)) {
                return true;
            }
            if at == 0 {
                return false;
            }
            // A comprehension in a class body sees the class, at least partly.
            is_own &= scope.kind == Kind::Inner;
            at = scope.parent;
        }
    }

    fn finish(self) -> Names {
        let top = &self.scopes[0];
        let mut shadows = BTreeSet::new();
        for scope in &self.scopes[1..] {
            let Some(function) = scope.function.filter(|_| scope.kind != Kind::Class) else {
                continue;
            };
            for name in &scope.names {
                if top.names.contains(name) {
                    shadows.insert((function, Box::from(*name)));
                }
            }
        }
        let mut unbound: Vec<Use> = Vec::new();
        if !self.is_dynamic {
            for read in &self.reads {
                if unbound.len() < MAX_UNBOUND && !is_builtin(read.name) && !self.is_bound(read) {
                    unbound.push(Use {
                        name: read.name.into(),
                        at: read.at,
                        function: self.scopes[read.scope].function,
                        swallowed_at: read.swallowed_at,
                    });
                }
            }
            unbound.sort_by_key(|found| found.at);
        }
        Names { shadows, unbound }
    }
}

impl<'a> Visitor<'a> for Walk<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(function) => self.function(function),
            Stmt::ClassDef(class) => self.class(class),
            Stmt::Import(import) => import
                .names
                .iter()
                .for_each(|alias| self.import(alias, false)),
            Stmt::ImportFrom(import) => {
                if import.module.as_deref() == Some("__future__")
                    && import
                        .names
                        .iter()
                        .any(|alias| alias.name.as_str() == "annotations")
                {
                    self.has_late_annotations = true;
                }
                import
                    .names
                    .iter()
                    .for_each(|alias| self.import(alias, true));
            }
            Stmt::Global(global) => {
                for name in &global.names {
                    self.scopes[self.at].globals.insert(name.as_str());
                }
            }
            Stmt::Nonlocal(outer) => {
                for name in &outer.names {
                    self.scopes[self.at].outer.insert(name.as_str());
                }
            }
            Stmt::Try(statement) => self.try_statement(statement),
            Stmt::If(statement) => self.if_statement(statement),
            Stmt::AnnAssign(assignment) => {
                // Annotations of a function's own names are never computed.
                if self.scopes[self.at].kind != Kind::Function {
                    self.visit_annotation(&assignment.annotation);
                }
                if let Some(value) = &assignment.value {
                    self.visit_expr(value);
                }
                self.visit_expr(&assignment.target);
            }
            Stmt::TypeAlias(alias) => self.visit_expr(&alias.name),
            Stmt::IpyEscapeCommand(_) => self.is_dynamic = true,
            _ => visitor::walk_stmt(self, statement),
        }
    }

    fn visit_annotation(&mut self, annotation: &'a Expr) {
        if !self.has_late_annotations {
            self.visit_expr(annotation);
        }
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Name(name) => match name.ctx {
                ExprContext::Store => self.bind(name.id.as_str()),
                ExprContext::Load => self.read(name.id.as_str(), name.range.start()),
                ExprContext::Del | ExprContext::Invalid => {}
            },
            Expr::Named(named) => {
                self.visit_expr(&named.value);
                if let Expr::Name(name) = named.target.as_ref() {
                    // A comprehension hands such a name to the scope around it.
                    let mut scope = self.at;
                    while self.scopes[scope].kind == Kind::Inner {
                        scope = self.scopes[scope].parent;
                    }
                    self.scopes[scope].names.insert(name.id.as_str());
                }
            }
            Expr::Lambda(lambda) => {
                if let Some(parameters) = &lambda.parameters {
                    self.defaults(parameters);
                }
                let outer = self.open(Kind::Inner, None);
                if let Some(parameters) = &lambda.parameters {
                    self.parameters(parameters);
                }
                self.visit_expr(&lambda.body);
                self.at = outer;
            }
            Expr::ListComp(list) => self.comprehension(&list.generators, [Some(&list.elt), None]),
            Expr::SetComp(set) => self.comprehension(&set.generators, [Some(&set.elt), None]),
            Expr::Generator(made) => self.comprehension(&made.generators, [Some(&made.elt), None]),
            Expr::DictComp(dict) => {
                self.comprehension(&dict.generators, [dict.key.as_deref(), Some(&dict.value)]);
            }
            Expr::IpyEscapeCommand(_) => self.is_dynamic = true,
            _ => visitor::walk_expr(self, expression),
        }
    }

    fn visit_except_handler(&mut self, handler: &'a ExceptHandler) {
        let ExceptHandler::ExceptHandler(inner) = handler;
        if let Some(name) = &inner.name {
            self.bind(name.as_str());
        }
        visitor::walk_except_handler(self, handler);
    }

    fn visit_pattern(&mut self, pattern: &'a Pattern) {
        let name = match pattern {
            Pattern::MatchAs(capture) => capture.name.as_ref(),
            Pattern::MatchStar(star) => star.name.as_ref(),
            Pattern::MatchMapping(mapping) => mapping.rest.as_ref(),
            _ => None,
        };
        if let Some(name) = name {
            self.bind(name.as_str());
        }
        visitor::walk_pattern(self, pattern);
    }

    fn visit_type_param(&mut self, parameter: &'a ast::TypeParam) {
        let name = parameter.name();
        self.bind(name.as_str());
    }
}

/// Whether a test asks for the version of Python, for types only, or whether a name is there.
fn is_guard(test: &Expr) -> bool {
    mentions(
        test,
        &[
            "TYPE_CHECKING",
            "version_info",
            "hexversion",
            "PY2",
            "PY3",
            "python_version",
            "version",
            "globals",
            "locals",
            "vars",
            "dir",
        ],
    ) || matches!(test, Expr::BooleanLiteral(value) if !value.value)
        || matches!(test, Expr::NumberLiteral(number) if number.value.is_zero())
}

trait IsZero {
    fn is_zero(&self) -> bool;
}

impl IsZero for ast::Number {
    fn is_zero(&self) -> bool {
        matches!(self, ast::Number::Int(value) if *value == 0)
    }
}

/// Whether one of the names, or an attribute of that name, stands in an expression.
fn mentions(expression: &Expr, names: &[&str]) -> bool {
    struct Mentions<'n> {
        names: &'n [&'n str],
        found: bool,
    }
    impl<'a> Visitor<'a> for Mentions<'_> {
        fn visit_expr(&mut self, expression: &'a Expr) {
            let name = match expression {
                Expr::Name(name) => Some(name.id.as_str()),
                Expr::Attribute(attribute) => Some(attribute.attr.as_str()),
                _ => None,
            };
            self.found |= name.is_some_and(|name| self.names.contains(&name));
            if !self.found {
                visitor::walk_expr(self, expression);
            }
        }
    }
    let mut mentions = Mentions {
        names,
        found: false,
    };
    mentions.visit_expr(expression);
    mentions.found
}

/// Names that Python itself binds, in any version from 3.8 to 3.14.
fn is_builtin(name: &str) -> bool {
    BUILTINS.binary_search(&name).is_ok()
}

#[rustfmt::skip]
const BUILTINS: &[&str] = &[
    "ArithmeticError", "AssertionError", "AttributeError", "BaseException", "BaseExceptionGroup",
    "BlockingIOError", "BrokenPipeError", "BufferError", "BytesWarning", "ChildProcessError",
    "ConnectionAbortedError", "ConnectionError", "ConnectionRefusedError", "ConnectionResetError",
    "DeprecationWarning", "EOFError", "Ellipsis", "EncodingWarning", "EnvironmentError",
    "Exception", "ExceptionGroup", "False", "FileExistsError", "FileNotFoundError",
    "FloatingPointError", "FutureWarning", "GeneratorExit", "IOError", "ImportError",
    "ImportWarning", "IndentationError", "IndexError", "InterruptedError", "IsADirectoryError",
    "KeyError", "KeyboardInterrupt", "LookupError", "MemoryError", "ModuleNotFoundError",
    "NameError", "None", "NotADirectoryError", "NotImplemented", "NotImplementedError", "OSError",
    "OverflowError", "PendingDeprecationWarning", "PermissionError", "ProcessLookupError",
    "PythonFinalizationError", "RecursionError", "ReferenceError", "ResourceWarning",
    "RuntimeError", "RuntimeWarning", "StopAsyncIteration", "StopIteration", "SyntaxError",
    "SyntaxWarning", "SystemError", "SystemExit", "TabError", "TimeoutError", "True", "TypeError",
    "UnboundLocalError", "UnicodeDecodeError", "UnicodeEncodeError", "UnicodeError",
    "UnicodeTranslateError", "UnicodeWarning", "UserWarning", "ValueError", "Warning",
    "WindowsError", "ZeroDivisionError", "_", "_IncompleteInputError", "__annotate__",
    "__annotations__", "__build_class__", "__builtins__", "__cached__", "__class__",
    "__conditional_annotations__", "__debug__", "__dict__", "__doc__", "__file__",
    "__firstlineno__", "__import__", "__loader__", "__module__", "__name__", "__package__",
    "__path__", "__qualname__", "__spec__", "__static_attributes__", "abs", "aiter", "all", "anext",
    "any", "ascii", "bin", "bool", "breakpoint", "bytearray", "bytes", "callable", "chr",
    "classmethod", "compile", "complex", "copyright", "credits", "delattr", "dict", "dir", "divmod",
    "enumerate", "eval", "exec", "exit", "filter", "float", "format", "frozenset", "getattr",
    "globals", "hasattr", "hash", "help", "hex", "id", "input", "int", "isinstance", "issubclass",
    "iter", "len", "license", "list", "locals", "map", "max", "memoryview", "min", "next", "object",
    "oct", "open", "ord", "pow", "print", "property", "quit", "range", "repr", "reveal_locals",
    "reveal_type", "reversed", "round", "set", "setattr", "slice", "sorted", "staticmethod", "str",
    "sum", "super", "tuple", "type", "vars", "zip",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn unbound(text: &str) -> Vec<String> {
        let tree = ruff_python_parser::parse_module(text)
            .unwrap()
            .into_syntax();
        names(&tree)
            .unbound
            .iter()
            .map(|found| found.name.to_string())
            .collect()
    }

    #[test]
    fn the_table_is_sorted() {
        assert!(BUILTINS.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn names_that_nothing_binds_are_found_wherever_they_stand() {
        assert_eq!(unbound("def f():\n    logger.info('x')\n"), ["logger"]);
        assert_eq!(
            unbound("class A:\n    x = 1\n    def f(self):\n        return x\n"),
            ["x"]
        );
        assert_eq!(unbound("y = [a for b in c]\n"), ["a", "c"]);
        assert_eq!(
            unbound("def f(x: Missing = other): pass\n"),
            ["Missing", "other"]
        );
    }

    #[test]
    fn names_that_something_binds_are_left_alone() {
        for text in [
            "def f():\n    global g\n    g = 1\ndef h():\n    return g\n",
            "class A:\n    n = 3\n    xs = [i for i in range(n) if i < n]\n",
            "try:\n    unicode\nexcept NameError:\n    unicode = str\nprint(unicode)\n",
            "import sys\nif sys.version_info[0] < 3:\n    text = unicode\nelse:\n    text = str\n",
            "if (n := 10) > 5:\n    print(n)\nprint([m := 1 for _ in [1]], m)\n",
            "match x():\n    case {'a': b, **rest}: print(b, rest)\n    case [c, *d] as e: print(c, d, e)\n".replace("x()", "1").as_str(),
            "def f[T](a: T) -> T:\n    return a\nclass B[T](list[T]): pass\ntype Z[K] = dict[K, int]\n",
            "def f():\n    def g():\n        nonlocal a\n        a = 2\n    a = 1\n    return a, g\n",
            "print(__file__, __name__, __doc__)\nwith open('x') as h, open('y') as (i, j): print(h, i, j)\n",
            "def f():\n    x: Unknown = 1\n    return x\n",
            "from __future__ import annotations\ndef f(a: Later) -> Later: pass\n",
            "exec('a = 1')\nprint(a)\n",
            "f = lambda a, *b, **c: (a, b, c)\n",
            "class A:\n    def f(self):\n        return __class__\n",
        ] {
            assert_eq!(unbound(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn a_function_that_binds_a_name_of_the_module_shadows_it() {
        let tree = ruff_python_parser::parse_module(
            "def send(): pass\ndef run(send):\n    send()\ndef go():\n    send()\n",
        )
        .unwrap()
        .into_syntax();
        let names = names(&tree);
        assert_eq!(
            names.shadows.into_iter().collect::<Vec<_>>(),
            [(1, "send".into())]
        );
    }
}
