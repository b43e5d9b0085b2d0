//! `wrong-arguments`: calls of functions and classes here with arguments they do not take.

use std::collections::BTreeMap;

use tradewind_repo::python::{
    Call, CallSite, Class, Code, Definition, Function, Module, Parameter, ParameterKind, Target,
    Value,
};

use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::quotes::{Quotes, grouped, is_foreign, is_of_another_root, is_shelved};
use crate::rule::{About, Context, Findings, Rule};

static ABOUT: About = About {
    id: "wrong-arguments",
    title: "Calls with arguments that the function does not take",
    area: Area::Runs,
    severity: Severity::High,
    confidence: Confidence::Certain,
    timeframe: Timeframe::Immediate,
    impact: "Each of these calls raises TypeError instead of doing its work.",
    action: "Give what the function takes.",
    after: &["unresolved-import", "missing-name"],
};

/// Decorators that leave the signature as it is.
const HARMLESS: &[&str] = &[
    "staticmethod",
    "classmethod",
    "abstractmethod",
    "abc.abstractmethod",
    "functools.lru_cache",
    "lru_cache",
    "functools.cache",
    "cache",
    "contextlib.contextmanager",
    "contextmanager",
    "contextlib.asynccontextmanager",
    "asynccontextmanager",
    "typing.no_type_check",
    "override",
    "typing.override",
    "typing_extensions.override",
    "asyncio.coroutine",
];

/// The rule.
pub struct WrongArguments;

/// What can be called, and with what.
struct Callable<'a> {
    module: &'a Module,
    function: &'a Function,
    parameters: &'a [Parameter],
}

impl Rule for WrongArguments {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let mut quotes = Quotes::new(context);
        let mut wrong: BTreeMap<(Box<str>, u32, String), Vec<CallSite<'_>>> = BTreeMap::new();
        let mut names = BTreeMap::new();
        let overridden = Overridden::of(context.code);
        for site in context.code.calls() {
            if !site.is_sole || is_foreign(&site.module.path) || is_shelved(&site.module.path) {
                continue;
            }
            let Some(callable) = callable(context.code, &overridden, &site) else {
                continue;
            };
            let Some(words) = mistake(callable.parameters, site.call) else {
                continue;
            };
            // Reads the file: only where there is something to tell.
            if is_replaced(site.module, callable.function, site.call)
                || is_bound_anew(context, &site, callable.function)
                || is_stand_in(&site)
                || is_ambiguous(context, &site, callable.module)
                || expects_errors(context, &site)
            {
                continue;
            }
            let key = (callable.module.path.clone(), callable.function.line, words);
            names.insert(key.clone(), callable.function.qualified.clone());
            wrong.entry(key).or_default().push(site);
        }
        // What one file calls wrongly has one cause: it was written for an older version of what it calls.
        let mut causes: BTreeMap<(bool, Vec<&str>), Vec<Wrong<'_>>> = BTreeMap::new();
        for (key, sites) in wrong {
            let name = names.remove(&key).unwrap_or_default();
            let mut users: Vec<&str> = sites.iter().map(|site| site.module.path.as_ref()).collect();
            users.sort_unstable();
            users.dedup();
            let (path, line, words) = key;
            let is_swallowed = sites.iter().any(|site| site.call.swallowed_at.is_some());
            let cause = causes.entry((is_swallowed, users)).or_default();
            cause.push(Wrong {
                path,
                line,
                words,
                name,
                sites,
            });
        }
        for cause in causes.values() {
            report(&mut quotes, cause, findings);
        }
    }
}

/// Calls of one function that make one mistake.
struct Wrong<'a> {
    path: Box<str>,
    line: u32,
    words: String,
    name: Box<str>,
    sites: Vec<CallSite<'a>>,
}

/// Whether the file puts another function in the place of the called one: `patch.object(Desk, "__init__", …)`,
/// `patch("desk.Desk.__init__")`.
fn is_replaced(module: &Module, function: &Function, call: &Call) -> bool {
    let owner = call.written.rsplit('.').next().unwrap_or_default();
    let dotted = format!("{owner}.{}", function.name);
    module.calls.iter().any(|other| {
        let texts = || {
            other
                .arguments
                .iter()
                .filter_map(|argument| match &argument.value {
                    Value::Text(text) => Some(text.as_ref()),
                    _ => None,
                })
        };
        let names = || {
            other
                .arguments
                .iter()
                .filter_map(|argument| match &argument.value {
                    Value::Name(name) => name.rsplit('.').next(),
                    _ => None,
                })
        };
        let last = other.written.rsplit('.').next().unwrap_or_default();
        matches!(last, "object" | "setattr" | "patch")
            && (texts().any(|text| text.ends_with(&dotted) || text.ends_with(&*function.qualified))
                || texts().any(|text| *text == *function.name)
                    && (names().any(|name| name == owner) || function.name.as_ref() != "__init__"))
    })
}

/// Whether the import behind a call may mean another file of the same name.
fn is_ambiguous(context: &Context<'_>, site: &CallSite<'_>, defines: &Module) -> bool {
    let root = site.call.written.split('.').next().unwrap_or_default();
    let mut imports = site.module.imports.iter();
    let import = imports.find(|import| import.bound.as_ref() == root && import.level == 0);
    import.is_some_and(|import| {
        let top = import.module.split('.').next().unwrap_or_default();
        is_of_another_root(context.tree, &site.module.path, top, &defines.path)
            && defines
                .path
                .split('/')
                .any(|part| part.trim_end_matches(".py") == top)
    })
}

/// Whether what is called stands in for a package that is not installed: `except ImportError: desk = DeskMock()`.
fn is_stand_in(site: &CallSite<'_>) -> bool {
    let root = site.call.written.split('.').next().unwrap_or_default();
    let mut imports = site.module.imports.iter();
    imports.any(|import| import.is_optional && import.bound.as_ref() == root)
}

/// Whether the file gives an object another function by the name of the called one: `desk.run = algo`.
fn is_bound_anew(context: &Context<'_>, site: &CallSite<'_>, function: &Function) -> bool {
    if function.class.is_none() {
        return false;
    }
    let text = context.tree.text(&site.module.path).unwrap_or_default();
    let name = format!(".{}", function.name);
    text.lines().any(|line| {
        line.split_once('=').is_some_and(|(target, value)| {
            let is_set = target
                .split(',')
                .any(|target| target.trim().ends_with(name.as_str()));
            is_set && !value.starts_with('=')
        })
    })
}

/// Whether a test may call wrongly on purpose.
fn expects_errors(context: &Context<'_>, site: &CallSite<'_>) -> bool {
    Code::is_test(&site.module.path)
        && context.tree.text(&site.module.path).is_none_or(|text| {
            let before = (site.call.line as usize).saturating_sub(4);
            text.contains("TypeError")
                || text
                    .lines()
                    .skip(before)
                    .take(4)
                    .any(|line| line.contains("raises(") || line.contains("assertRaises"))
        })
}

/// Methods that some class here overrides, by name: which of them a call on `self` reaches cannot be told.
struct Overridden<'a> {
    by_method: BTreeMap<&'a str, usize>,
}

impl<'a> Overridden<'a> {
    fn of(code: &'a Code) -> Self {
        let mut by_method = BTreeMap::new();
        for module in &code.modules {
            for function in &module.functions {
                let derives = function
                    .class
                    .and_then(|class| module.classes.get(class as usize))
                    .is_some_and(|class| !class.bases.is_empty());
                if function.class.is_some() {
                    *by_method.entry(function.name.as_ref()).or_insert(0) +=
                        1 + usize::from(derives);
                }
            }
        }
        Self { by_method }
    }

    /// Whether another class than a root one defines a method of that name too.
    fn holds(&self, name: &str) -> bool {
        self.by_method.get(name).is_some_and(|count| *count > 2)
    }
}

fn callable<'a>(
    code: &'a Code,
    overridden: &Overridden<'_>,
    site: &CallSite<'a>,
) -> Option<Callable<'a>> {
    match site.target {
        Target::Function(module, function) => {
            let module = code.modules.get(module)?;
            let function = module.functions.get(function)?;
            let is_on_self =
                site.call.written.starts_with("self.") || site.call.written.starts_with("cls.");
            if function.class.is_some() && is_on_self && overridden.holds(&function.name) {
                return None;
            }
            let mut parameters = plain_parameters(function)?;
            if function.class.is_some() && !has(function, "staticmethod") {
                if !site.is_bound {
                    return None;
                }
                parameters = without_self(parameters)?;
            }
            Some(Callable {
                module,
                function,
                parameters,
            })
        }
        Target::Class(module, class) => {
            let module = code.modules.get(module)?;
            let this = module.classes.get(class)?;
            if !is_plain_class(code, module, this, 0) {
                return None;
            }
            let Definition::Function(of, made) =
                code.find_attribute(module, class, "__init__", 0).what
            else {
                return None;
            };
            let function = of.functions.get(made)?;
            Some(Callable {
                module: of,
                function,
                parameters: without_self(plain_parameters(function)?)?,
            })
        }
    }
}

/// Whether making an object of a class calls `__init__` with what is given, and nothing else.
fn is_plain_class(code: &Code, module: &Module, class: &Class, depth: u8) -> bool {
    if depth > 8 || !class.decorators.is_empty() {
        return false;
    }
    let makes_itself = module.functions.iter().any(|function| {
        function
            .class
            .and_then(|of| module.classes.get(of as usize))
            .is_some_and(|of| of.qualified == class.qualified)
            && matches!(function.name.as_ref(), "__new__" | "__call__")
    });
    !makes_itself
        && class.bases.iter().all(|base| {
            matches!(
                base.as_ref(),
                "object" | "ABC" | "abc.ABC" | "Exception" | "threading.Thread" | "Thread"
            ) || match code.find_in(&module.path, base).what {
                Definition::Class(module, index) => module
                    .classes
                    .get(index)
                    .is_some_and(|class| is_plain_class(code, module, class, depth + 1)),
                _ => match code.find_absolute(&module.path, base).what {
                    Definition::Class(module, index) => module
                        .classes
                        .get(index)
                        .is_some_and(|class| is_plain_class(code, module, class, depth + 1)),
                    _ => false,
                },
            }
        })
}

fn has(function: &Function, decorator: &str) -> bool {
    function
        .decorators
        .iter()
        .any(|name| name.as_ref() == decorator)
}

fn plain_parameters(function: &Function) -> Option<&[Parameter]> {
    function
        .decorators
        .iter()
        .all(|decorator| HARMLESS.contains(&decorator.as_ref()))
        .then_some(function.parameters.as_slice())
}

fn without_self(parameters: &[Parameter]) -> Option<&[Parameter]> {
    let first = parameters.first()?;
    match first.kind {
        ParameterKind::Either | ParameterKind::PositionalOnly => parameters.get(1..),
        ParameterKind::ManyPositional => Some(parameters),
        ParameterKind::KeywordOnly | ParameterKind::ManyKeyword => None,
    }
}

/// Says what is wrong with a call; `None` when nothing is, or when it cannot be told.
fn mistake(parameters: &[Parameter], call: &Call) -> Option<String> {
    let named = |name: &str| {
        call.arguments
            .iter()
            .any(|argument| argument.name.as_deref() == Some(name))
    };
    let has_star = named("*");
    let has_stars = named("**");
    let takes_any_name = parameters
        .iter()
        .any(|parameter| parameter.kind == ParameterKind::ManyKeyword);
    let takes_any_number = parameters
        .iter()
        .any(|parameter| parameter.kind == ParameterKind::ManyPositional);
    let by_place: Vec<&Parameter> = parameters
        .iter()
        .filter(|parameter| {
            matches!(
                parameter.kind,
                ParameterKind::PositionalOnly | ParameterKind::Either
            )
        })
        .collect();
    let given = call
        .arguments
        .iter()
        .filter(|argument| argument.name.is_none())
        .count();
    for argument in &call.arguments {
        let Some(name) = argument
            .name
            .as_deref()
            .filter(|name| !matches!(*name, "*" | "**"))
        else {
            continue;
        };
        let place = parameters.iter().position(|parameter| {
            parameter.name.as_ref() == name
                && matches!(
                    parameter.kind,
                    ParameterKind::Either | ParameterKind::KeywordOnly
                )
        });
        match place {
            None if !takes_any_name => return Some(format!("takes no argument `{name}`")),
            Some(place)
                if place < given
                    && !has_star
                    && parameters
                        .get(place)
                        .is_some_and(|p| p.kind == ParameterKind::Either) =>
            {
                return Some(format!("is given `{name}` twice"));
            }
            _ => {}
        }
    }
    if given > by_place.len() && !takes_any_number {
        let takes = by_place.len();
        return Some(format!(
            "takes {takes} arguments by place, is given {given}"
        ));
    }
    if has_star || has_stars {
        return None;
    }
    let missing: Vec<&str> = parameters
        .iter()
        .enumerate()
        .filter(|(place, parameter)| {
            !parameter.has_default
                && match parameter.kind {
                    ParameterKind::PositionalOnly => *place >= given,
                    ParameterKind::Either => *place >= given && !named(&parameter.name),
                    ParameterKind::KeywordOnly => !named(&parameter.name),
                    ParameterKind::ManyPositional | ParameterKind::ManyKeyword => false,
                }
        })
        .map(|(_, parameter)| parameter.name.as_ref())
        .collect();
    match missing.as_slice() {
        [] => None,
        [one] => Some(format!("needs `{one}`")),
        [one, rest @ ..] => Some(format!("needs `{one}` and {} more", rest.len())),
    }
}

fn report(quotes: &mut Quotes<'_>, cause: &[Wrong<'_>], findings: &mut Findings) {
    let mut evidence: Vec<Evidence> = Vec::new();
    let mut is_swallowed = false;
    for wrong in cause {
        for (at, site) in wrong.sites.iter().enumerate() {
            evidence.push(quotes.at(&site.module.path, site.call.line));
            if let Some(handler) = site.call.swallowed_at {
                is_swallowed = true;
                evidence.push(quotes.noted(&site.module.path, handler, "swallows the TypeError"));
            }
            if at == 0 {
                evidence.push(quotes.noted(&wrong.path, wrong.line, "the definition"));
            }
        }
    }
    let Some(Wrong {
        path, words, name, ..
    }) = cause.first()
    else {
        return;
    };
    let sites = || cause.iter().flat_map(|wrong| &wrong.sites);
    let first = sites().next().map_or("", |site| site.module.path.as_ref());
    let end = if is_swallowed {
        ", and the error is swallowed"
    } else {
        ""
    };
    let title = match cause.len() {
        1 => format!("{first} calls {name}, which {words}{end}"),
        many if cause.iter().all(|wrong| wrong.path == *path) => {
            format!("{first} calls {many} functions of {path} with what they do not take{end}")
        }
        many => format!("{first} calls {many} functions with what they do not take{end}"),
    };
    let finding = grouped(findings, title, evidence);
    if is_swallowed {
        finding.severity = Severity::Critical;
        "The call never does its work, and nothing says so: the except hides the TypeError."
            .clone_into(&mut finding.impact);
        "Correct the arguments, and let the handler catch only what is expected."
            .clone_into(&mut finding.action);
    } else if sites().all(|site| Code::is_test(&site.module.path)) {
        finding.area = Area::Tests;
        "These tests fail on the call itself and test nothing.".clone_into(&mut finding.impact);
    }
}
