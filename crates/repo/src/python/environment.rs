//! Environment variables: which expressions read or set one, and its name.
//!
//! Known are `os`, the usual packages around it, command line options with a variable behind them, fields of
//! pydantic settings, and functions of the same file that pass a parameter on as the name.

use std::collections::HashMap;

use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{self as ast, Expr, Stmt};
use ruff_text_size::{Ranged, TextSize};

use super::dotted::dotted;
use super::module::TextRole;
use super::values::Values;

/// Functions that pass names on through this many others are found.
const MAX_PASSES: usize = 3;

/// What reads a variable by its first argument.
const READERS: [&str; 12] = [
    "decouple.AutoConfig",
    "decouple.Config",
    "decouple.config",
    "dotenv.dotenv_values.get",
    "environ.Env",
    "environs.Env",
    "os.environ.copy.get",
    "os.environ.get",
    "os.environ.pop",
    "os.environ.setdefault",
    "os.getenv",
    "starlette.config.Config",
];

/// What is a mapping of variables.
const MAPPINGS: [&str; 3] = ["dotenv.dotenv_values", "os.environ", "os.environ.copy"];

/// One variable that is read or set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) role: TextRole,
    pub(crate) at: TextSize,
}

/// What reads variables in one file, beyond what every file has.
#[derive(Debug, Default)]
pub(crate) struct Readers {
    /// Functions of this file that pass a parameter on as the name, as they are called (`_env`, `self._env`):
    /// place and name of the parameter.
    own: HashMap<String, (usize, String)>,
    /// Whether anything in the file can read a variable by its first argument; few files do.
    is_needed: bool,
}

/// What a file says that reads variables, whatever it calls it.
const WORDS: [&str; 6] = [
    "environ",
    "getenv",
    "putenv",
    "decouple",
    "dotenv",
    "starlette",
];

impl Readers {
    /// Finds what reads variables in this file.
    pub(crate) fn of(tree: &ast::ModModule, values: Values<'_>) -> Self {
        let mut readers = Self {
            own: HashMap::new(),
            is_needed: WORDS.iter().any(|word| values.text.contains(word)),
        };
        if !readers.is_needed {
            return readers;
        }
        for _ in 0..MAX_PASSES {
            let mut finder = Finder {
                readers: &readers,
                values,
                functions: Vec::new(),
                is_in_class: false,
                found: HashMap::new(),
            };
            finder.visit_body(&tree.body);
            let found = finder.found;
            if found.len() == readers.own.len() {
                break;
            }
            readers.own = found;
        }
        readers
    }

    /// Returns the variables that an expression reads or sets itself.
    pub(crate) fn read(&self, expression: &Expr, values: Values<'_>) -> Vec<Variable> {
        let mut found = Vec::new();
        if self.is_needed
            && let Some((name, role)) = self.argument(expression, values)
        {
            add(&mut found, name, role);
        }
        if let Expr::Call(call) = expression {
            // click and typer.
            if let Some(given) = call.arguments.find_keyword("envvar") {
                add_all(&mut found, &given.value);
            }
        }
        found
    }

    /// Returns the expression that names a variable, where one is read or set.
    fn argument<'e>(
        &self,
        expression: &'e Expr,
        values: Values<'_>,
    ) -> Option<(&'e Expr, TextRole)> {
        match expression {
            Expr::Call(call) => {
                let (written, callee) = values.callee(&call.func);
                let arguments = &call.arguments;
                if let Some((place, name)) = self.own.get(&written) {
                    let given = arguments.find_argument_value(name, *place)?;
                    return Some((given, TextRole::Variable));
                }
                let callee = callee.as_str();
                let is_reader = READERS.contains(&callee)
                    || callee.starts_with("environ.Env.")
                    || callee.starts_with("environs.Env.");
                match callee {
                    _ if is_reader => {
                        Some((arguments.find_argument_value("key", 0)?, TextRole::Variable))
                    }
                    "os.putenv" => Some((arguments.find_positional(0)?, TextRole::VariableSet)),
                    "dotenv.get_key" => Some((
                        arguments.find_argument_value("key_to_get", 1)?,
                        TextRole::Variable,
                    )),
                    _ => None,
                }
            }
            Expr::Subscript(subscript) => {
                let role = match subscript.ctx {
                    ast::ExprContext::Load => TextRole::Variable,
                    _ => TextRole::VariableSet,
                };
                let (_, of) = values.callee(&subscript.value);
                MAPPINGS
                    .contains(&of.as_str())
                    .then_some((&*subscript.slice, role))
            }
            // `"KEY" in os.environ`
            Expr::Compare(compare) => match (&*compare.ops, &*compare.comparators) {
                ([ast::CmpOp::In | ast::CmpOp::NotIn], [of]) => {
                    let (_, of) = values.callee(of);
                    MAPPINGS
                        .contains(&of.as_str())
                        .then_some((&*compare.left, TextRole::Variable))
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// Returns the variables that the fields of a settings class stand for.
    pub(crate) fn of_settings(class: &ast::StmtClassDef) -> Vec<Variable> {
        let prefix = settings_prefix(&class.body);
        let mut found = Vec::new();
        for statement in &class.body {
            let Stmt::AnnAssign(field) = statement else {
                continue;
            };
            let Expr::Name(name) = &*field.target else {
                continue;
            };
            let name = name.id.as_str();
            let is_constant = dotted(&field.annotation)
                .is_some_and(|annotation| annotation.written.contains("ClassVar"));
            if is_constant || name.starts_with('_') || name == "model_config" || is_group(field) {
                continue;
            }
            let before = found.len();
            if let Some(Expr::Call(call)) = field.value.as_deref() {
                for keyword in ["env", "validation_alias", "alias"] {
                    if found.len() == before
                        && let Some(given) = call.arguments.find_keyword(keyword)
                    {
                        add_all(&mut found, &given.value);
                    }
                }
            }
            if found.len() == before {
                found.push(Variable {
                    name: format!("{prefix}{name}").to_uppercase(),
                    role: TextRole::Variable,
                    at: field.start(),
                });
            }
        }
        found
    }
}

/// Says whether a field holds settings of its own: `database: Database = Database()`. Its fields are variables,
/// the group is none that anybody sets.
fn is_group(field: &ast::StmtAnnAssign) -> bool {
    let (Expr::Name(class), Some(Expr::Call(call))) = (&*field.annotation, field.value.as_deref())
    else {
        return false;
    };
    let is_class = |expr: &Expr| matches!(expr, Expr::Name(name) if name.id == class.id);
    let factory = call.arguments.find_keyword("default_factory");
    is_class(&call.func) || factory.is_some_and(|factory| is_class(&factory.value))
}

/// Says whether a dotted base makes a class one of settings.
pub(crate) fn is_settings_base(base: &str) -> bool {
    matches!(
        base,
        "pydantic.BaseSettings"
            | "pydantic_settings.BaseSettings"
            | "pydantic.v1.BaseSettings"
            | "pydantic.env_settings.BaseSettings"
    )
}

/// Says whether a text can be the name of a variable.
fn is_variable_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 100
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn add(found: &mut Vec<Variable>, name: &Expr, role: TextRole) {
    if let Expr::StringLiteral(text) = name
        && is_variable_name(text.value.to_str())
    {
        found.push(Variable {
            name: text.value.to_str().to_owned(),
            role,
            at: name.start(),
        });
    }
}

/// Adds a text, each of a list of texts, and each argument of `AliasChoices(…)`.
fn add_all(found: &mut Vec<Variable>, names: &Expr) {
    let names: &[Expr] = match names {
        Expr::List(list) => &list.elts,
        Expr::Tuple(tuple) => &tuple.elts,
        Expr::Call(call) => &call.arguments.args,
        _ => std::slice::from_ref(names),
    };
    for name in names {
        add(found, name, TextRole::Variable);
    }
}

/// Returns `env_prefix` of `class Config:` or `model_config`.
fn settings_prefix(body: &[Stmt]) -> &str {
    for statement in body {
        match statement {
            Stmt::ClassDef(class) if class.name.as_str() == "Config" => {
                for inner in &class.body {
                    if let Stmt::Assign(assign) = inner
                        && let [Expr::Name(name)] = &*assign.targets
                        && name.id.as_str() == "env_prefix"
                        && let Expr::StringLiteral(prefix) = &*assign.value
                    {
                        return prefix.value.to_str();
                    }
                }
            }
            Stmt::Assign(assign) => {
                if let [Expr::Name(name)] = &*assign.targets
                    && name.id.as_str() == "model_config"
                    && let Some(prefix) = prefix_of(&assign.value)
                {
                    return prefix;
                }
            }
            _ => {}
        }
    }
    ""
}

fn prefix_of(config: &Expr) -> Option<&str> {
    let value = match config {
        Expr::Call(call) => &call.arguments.find_keyword("env_prefix")?.value,
        Expr::Dict(dict) => dict.items.iter().find_map(|item| match &item.key {
            Some(Expr::StringLiteral(key)) if key.value.to_str() == "env_prefix" => {
                Some(&item.value)
            }
            _ => None,
        })?,
        _ => return None,
    };
    match value {
        Expr::StringLiteral(prefix) => Some(prefix.value.to_str()),
        _ => None,
    }
}

/// Finds functions that pass a parameter on as the name of a variable.
struct Finder<'a> {
    readers: &'a Readers,
    values: Values<'a>,
    functions: Vec<(&'a ast::StmtFunctionDef, bool)>,
    is_in_class: bool,
    found: HashMap<String, (usize, String)>,
}

impl<'a> Visitor<'a> for Finder<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        let outer = self.is_in_class;
        match statement {
            Stmt::FunctionDef(function) => {
                self.functions.push((function, outer));
                self.is_in_class = false;
                visitor::walk_stmt(self, statement);
                self.functions.pop();
            }
            Stmt::ClassDef(_) => {
                self.is_in_class = true;
                visitor::walk_stmt(self, statement);
            }
            _ => visitor::walk_stmt(self, statement),
        }
        self.is_in_class = outer;
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        if let Some((function, is_method)) = self.functions.last()
            && let Some((Expr::Name(name), TextRole::Variable)) =
                self.readers.argument(expression, self.values)
        {
            let name = name.id.as_str();
            let mut parameters = function.parameters.iter_non_variadic_params();
            let place = parameters.position(|parameter| parameter.name().as_str() == name);
            if let Some(place) = place {
                let first = function.parameters.iter_non_variadic_params().next();
                let is_bound = *is_method
                    && first.is_some_and(|first| matches!(first.name().as_str(), "self" | "cls"));
                let called = if *is_method {
                    format!("self.{}", function.name.as_str())
                } else {
                    function.name.to_string()
                };
                let place = place.saturating_sub(usize::from(is_bound));
                self.found.insert(called, (place, name.to_owned()));
            }
        }
        visitor::walk_expr(self, expression);
    }
}
