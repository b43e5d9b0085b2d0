//! One parsed file, as rules see it: text, syntax tree, summary, and helpers to ask about them.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use ruff_python_ast::{self as ast, Expr, Mod, Stmt};
use ruff_python_parser::{Mode, ParseOptions, Parsed, UnsupportedSyntaxErrorKind, parse_unchecked};
use ruff_text_size::{Ranged, TextRange, TextSize};

use super::bind::{Binder, Bindings};
use super::depth::too_deep;
use super::environment::Readers;
use super::lines::Lines;
use super::module::{
    Assignment, Binding, Bound, Class, Function, Module, PathEdit, ScopeId, Shadow, SyntaxError,
    Unbound, Value,
};
use super::outline::Outline;
use super::python2::python2;
use super::scopes::{Block, Scopes};
use super::values::Values;

/// Most syntax errors that are kept of one file; further ones follow from the first.
const MAX_ERRORS: usize = 20;
/// Most comment lines that are kept of a file's beginning.
const MAX_HEADER: usize = 20;
/// Longest quoted line, in characters.
const MAX_QUOTE: usize = 160;

/// One parsed file. Lives while its rules run.
pub struct SourceFile {
    /// Path from the root, with `/`.
    pub path: Box<str>,
    /// Its text.
    pub text: String,
    /// Its syntax tree; where there are syntax errors, the part that could be understood.
    pub tree: ast::ModModule,
    /// Its summary, imports resolved within the file only.
    pub module: Arc<Module>,
    lines: Lines,
    scopes: Scopes,
}

impl fmt::Debug for SourceFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl SourceFile {
    /// Parses a file. Never fails: what cannot be understood stands in [`Module::errors`].
    pub fn parse(path: impl Into<Box<str>>, text: impl Into<String>) -> Self {
        let (path, mut text) = (path.into(), text.into());
        if text.starts_with('\u{feff}') {
            text.drain(..'\u{feff}'.len_utf8());
        }
        let lines = Lines::of(&text);
        let mut module = Module {
            path: path.clone(),
            lines: lines.count(&text),
            ..Module::default()
        };
        let tree = if let Some((line, why)) = too_deep(&text, &lines) {
            module.errors.push(SyntaxError {
                line,
                message: format!("nested too deeply to be read: {why}").into(),
            });
            empty()
        } else {
            let parsed = parse_unchecked(&text, ParseOptions::from(Mode::Module));
            module.errors = errors(&parsed, &text, &lines);
            match parsed.into_syntax() {
                Mod::Module(tree) => tree,
                Mod::Expression(_) => empty(),
            }
        };
        module.header = header(&tree, &text, &lines);
        module.docstring = docstring(&tree);
        let bindings = Binder::bind(&tree, &lines);
        let (module, scopes) = summarise(module, bindings, &tree, &text, &lines);
        Self {
            path,
            text,
            tree,
            module: Arc::new(module),
            lines,
            scopes,
        }
    }

    /// Drops everything but the summary.
    pub(crate) fn into_module(self) -> Arc<Module> {
        self.module
    }

    /// Returns the line of an offset; the first is 1.
    pub fn line(&self, offset: TextSize) -> u32 {
        self.lines.line(offset)
    }

    /// Returns the line where a node begins.
    pub fn line_of(&self, node: &impl Ranged) -> u32 {
        self.line(node.start())
    }

    /// Returns a line as evidence quotes it: trimmed, at most 160 characters.
    pub fn quote(&self, line: u32) -> &str {
        let text = self.lines.text(&self.text, line).trim();
        match text.char_indices().nth(MAX_QUOTE) {
            Some((end, _)) => &text[..end],
            None => text,
        }
    }

    /// Returns the text of a node as written.
    pub fn written(&self, node: &impl Ranged) -> &str {
        let range = node.range();
        self.text
            .get(range.start().into()..range.end().into())
            .unwrap_or_default()
    }

    /// Returns the dotted name of an expression, resolved through the file's imports, as for
    /// [`Value::Name`]: `np.nan` is `numpy.nan`, `self.session` stays. Calls on the way are `()`,
    /// subscripts `[]`. `None` for what has no name.
    pub fn qualified(&self, expression: &Expr) -> Option<String> {
        let name = super::dotted::dotted(expression)?;
        let imported = self.values().imported(expression);
        Some(imported.unwrap_or(name.written))
    }

    /// Returns what a call calls, resolved through imports and objects, as in [`super::Call::callee`].
    pub fn callee(&self, call: &ast::ExprCall) -> String {
        self.values().callee(&call.func).1
    }

    /// Returns the value of an expression, as it stands in arguments and assignments.
    pub fn value(&self, expression: &Expr) -> Value {
        self.values().of(expression)
    }

    /// Returns the function around an offset.
    pub fn scope(&self, offset: TextSize) -> ScopeId {
        self.scopes.function(self.scopes.at(offset))
    }

    /// Returns the function around an offset, by its summary.
    pub fn function(&self, offset: TextSize) -> Option<&Function> {
        self.module.functions.get(self.scope(offset)? as usize)
    }

    /// Says whether a name is bound by this file where `offset` is: as a local, in a scope around, or in the
    /// module. Built-in names are not bound by a file.
    pub fn is_bound(&self, name: &str, offset: TextSize) -> bool {
        self.scopes.is_bound(name, self.scopes.at(offset))
    }

    fn values(&self) -> Values<'_> {
        Values {
            scopes: &self.scopes,
            lines: &self.lines,
            text: &self.text,
        }
    }
}

/// Fills the summary from both looks.
fn summarise(
    mut module: Module,
    bindings: Bindings,
    tree: &ast::ModModule,
    text: &str,
    lines: &Lines,
) -> (Module, Scopes) {
    let Bindings {
        scopes,
        imports,
        functions,
        classes,
        places,
        top,
    } = bindings;
    let top = top.into_iter();
    module.bound = top
        .map(|(name, (line, times))| Bound { name, line, times })
        .collect();
    module.imports = imports;
    module.functions = functions;
    module.classes = classes;
    let values = Values {
        scopes: &scopes,
        lines,
        text,
    };
    let readers = Readers::of(tree, values);
    let mut module = Outline::fill(module, tree, values, &readers, &places);
    add_names(&mut module, tree, lines);
    resolve_outsides(&mut module, &scopes);
    add_other_bindings(&mut module, &scopes, lines);
    module.assignments.sort_by_key(|assignment| assignment.line);
    module.calls.sort_by_key(|call| call.line);
    module.texts.sort_by_key(|text| text.line);
    module.shrink();
    (module, scopes)
}

/// Adds what nothing binds, what functions bind for themselves, and what is put on the path.
fn add_names(module: &mut Module, tree: &ast::ModModule, lines: &Lines) {
    let found = super::names::names(tree);
    let shadows = found.shadows.into_iter();
    module.shadows = shadows
        .map(|(function, name)| Shadow { function, name })
        .collect();
    module.unbound = found
        .unbound
        .into_iter()
        .map(|read| Unbound {
            line: lines.line(read.at),
            name: read.name,
            scope: read.function,
            swallowed_at: read.swallowed_at.map(|handler| lines.line(handler)),
        })
        .collect();
    let edits = super::path_edits::path_edits(tree).into_iter();
    module.path_edits = edits
        .map(|(at, folder)| PathEdit {
            line: lines.line(at),
            folder,
        })
        .collect();
}

/// Resolves decorators and bases through imports.
fn resolve_outsides(module: &mut Module, scopes: &Scopes) {
    let resolve = |name: &mut Box<str>, at: TextSize| {
        let root = name.split(['.', '[', '(']).next().unwrap_or_default();
        if let Some(found) = scopes.imported(root, name, at) {
            *name = found.into();
        }
    };
    for scope in &scopes.all {
        match scope.block {
            Block::Function(index) => {
                if let Some(function) = module.functions.get_mut(index as usize) {
                    let at = scope.stands_at;
                    for name in &mut function.decorators {
                        resolve(name, at);
                    }
                }
            }
            Block::Class(index) => {
                if let Some(Class {
                    bases, decorators, ..
                }) = module.classes.get_mut(index as usize)
                {
                    let at = scope.stands_at;
                    for name in bases.iter_mut().chain(decorators) {
                        resolve(name, at);
                    }
                }
            }
            Block::Module | Block::Expression => {}
        }
    }
}

/// Adds names that a module, class or object has without a plain assignment.
fn add_other_bindings(module: &mut Module, scopes: &Scopes, lines: &Lines) {
    let mut known: HashSet<(Binding, Box<str>)> = module
        .assignments
        .iter()
        .map(|assignment| (assignment.binding, assignment.name.clone()))
        .collect();
    let mut more = Vec::new();
    for scope in &scopes.all {
        let binding = match scope.block {
            Block::Module => Binding::Module,
            Block::Class(class) => Binding::Class(class),
            Block::Function(_) | Block::Expression => continue,
        };
        for (name, bound) in &scope.names {
            let Some(first) = bound.iter().find(|bound| bound.is_plain) else {
                continue;
            };
            if known.insert((binding, name.clone())) {
                more.push((first.at, binding, name.clone()));
            }
        }
    }
    for ((class, name), bound) in &scopes.attributes {
        let binding = Binding::Instance(*class);
        if let Some((_, first)) = bound.first()
            && first.is_plain
            && known.insert((binding, name.clone()))
        {
            more.push((first.at, binding, name.clone()));
        }
    }
    more.sort_unstable_by(|a, b| (a.0, &a.2).cmp(&(b.0, &b.2)));
    let more = more.into_iter().map(|(at, binding, name)| Assignment {
        line: lines.line(at),
        binding,
        name,
        value: Value::Other,
    });
    module.assignments.extend(more);
}

fn empty() -> ast::ModModule {
    ast::ModModule {
        node_index: ast::AtomicNodeIndex::NONE,
        range: TextRange::default(),
        body: ast::Suite::new(),
    }
}

/// Returns the syntax errors, first of each line.
fn errors(parsed: &Parsed<Mod>, text: &str, lines: &Lines) -> Vec<SyntaxError> {
    let in_words = |line: u32, message: String| {
        let old = python2(lines.text(text, line));
        SyntaxError {
            line,
            message: old.map_or_else(|| message.into(), Box::from),
        }
    };
    let mut found: Vec<SyntaxError> = parsed
        .errors()
        .iter()
        .map(|error| in_words(lines.line(error.location.start()), error.error.to_string()))
        .collect();
    // Python 3.14 reads `except A, b:` as two kinds; nobody who writes it means that.
    let commas = parsed
        .unsupported_syntax_errors()
        .iter()
        .filter(|error| error.kind == UnsupportedSyntaxErrorKind::UnparenthesizedExceptionTypes);
    found.extend(commas.map(|error| {
        let line = lines.line(error.range.start());
        in_words(line, "except with a comma and without brackets".to_owned())
    }));
    found.sort_by_key(|error| error.line);
    found.dedup_by_key(|error| error.line);
    found.truncate(MAX_ERRORS);
    found
}

/// Returns the comment lines before the first statement.
fn header(tree: &ast::ModModule, text: &str, lines: &Lines) -> Vec<(u32, Box<str>)> {
    let end = tree
        .body
        .first()
        .map_or(u32::MAX, |statement| lines.line(statement.start()));
    (1..end)
        .take_while(|line| lines.start(*line).is_some())
        .map(|line| (line, lines.text(text, line).trim()))
        .filter(|(_, text)| text.starts_with('#'))
        .take(MAX_HEADER)
        .map(|(line, text)| (line, super::values::cut(text).into()))
        .collect()
}

/// Returns the first line of the docstring.
fn docstring(tree: &ast::ModModule) -> Option<Box<str>> {
    let Some(Stmt::Expr(first)) = tree.body.first() else {
        return None;
    };
    let Expr::StringLiteral(text) = &*first.value else {
        return None;
    };
    let text = text.value.to_str().trim();
    Some(super::values::cut(text.lines().next().unwrap_or_default()).into())
}
