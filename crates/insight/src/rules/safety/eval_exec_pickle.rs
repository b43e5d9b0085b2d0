//! `eval-exec-pickle`.

use tradewind_repo::python::{Call, Code, Module, Value};

use super::calls;
use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

/// Code that runs what outside data says.
pub(super) struct EvalExecPickle;

const ABOUT: About = About {
    id: "eval-exec-pickle",
    title: "Outside data is run as code",
    area: Area::Safety,
    severity: Severity::High,
    confidence: Confidence::Likely,
    timeframe: Timeframe::Immediate,
    impact: "Whoever controls the data runs code beside the broker keys.",
    action: "Use a format that holds data only (JSON, Parquet), or check a digest that the repository holds.",
    after: &[],
};

/// Readers that run what they read.
const LOADERS: &[&str] = &[
    "pickle.load",
    "pickle.loads",
    "_pickle.loads",
    "cPickle.load",
    "cPickle.loads",
    "dill.load",
    "dill.loads",
    "cloudpickle.load",
    "cloudpickle.loads",
    "joblib.load",
    "marshal.loads",
    "pandas.read_pickle",
    "yaml.unsafe_load",
    "jsonpickle.decode",
];
/// Calls that give what a stranger typed or sent.
const STRANGERS: &[&str] = &["input", "raw_input", "sys.stdin.read", "sys.stdin.readline"];
/// Names that hold what a stranger sent.
const REQUESTS: &[&str] = &[
    "flask.request.",
    "request.args",
    "request.form",
    "request.json",
    "request.data",
    "request.GET",
    "request.POST",
    "request.query",
    "sys.argv",
];

impl Rule for EvalExecPickle {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        for module in &context.code.modules {
            if Code::is_test(&module.path) {
                continue;
            }
            for call in &module.calls {
                let Some(source) = outside(module, call) else {
                    continue;
                };
                let text = context.tree.text(&module.path).unwrap_or_default();
                let path = module.path.as_ref();
                let mut evidence = vec![Evidence::at(path, source, calls::line(&text, source))];
                if source != call.line {
                    evidence.push(Evidence::at(path, call.line, calls::line(&text, call.line)));
                }
                let title = format!(
                    "{path}:{} runs what came from outside: {}",
                    call.line, call.written
                );
                // A cache of one's own gives back what was put into it.
                let is_own = evidence
                    .first()
                    .is_some_and(|first| first.note.to_lowercase().contains("redis"));
                let finding = findings.add(title, evidence);
                if is_own {
                    finding.confidence = Confidence::Possible;
                }
            }
        }
    }
}

/// Returns the line at which the data came in, where a call runs it.
fn outside(module: &Module, call: &Call) -> Option<u32> {
    let callee = call.callee.as_ref();
    if matches!(callee, "eval" | "exec" | "builtins.eval" | "builtins.exec") {
        let value = call.arguments.first().map(|argument| &argument.value)?;
        return stranger(module, call, value);
    }
    if !LOADERS.contains(&callee) {
        return None;
    }
    let same: Vec<&Call> = calls::of_scope(module, call.scope).collect();
    let is_checked = same.iter().any(|other| {
        other.callee.starts_with("hashlib.")
            || other.callee.starts_with("hmac.")
            || other.callee.contains("digest")
            || other.callee.contains("verify")
            || other.callee.contains("checksum")
    });
    let fetched = same
        .iter()
        .find(|other| calls::is_network(other) && other.line <= call.line)?;
    (!is_checked && is_fed(call, fetched, &same)).then_some(fetched.line)
}

/// Says whether what was fetched reaches the loader: by name, or through a file of the same name.
fn is_fed(call: &Call, fetched: &Call, same: &[&Call]) -> bool {
    let value = call.arguments.first().map(|argument| &argument.value);
    let Some(value) = value else {
        return false;
    };
    let names = calls::names(value);
    let bound = fetched.bound.as_deref();
    if names.iter().any(|name| {
        bound.is_some_and(|bound| {
            *name == bound
                || name
                    .strip_prefix(bound)
                    .is_some_and(|rest| rest.starts_with('.'))
        })
    }) {
        return true;
    }
    if matches!(value, Value::Call(name, _) if name.starts_with(fetched.callee.as_ref())) {
        return true;
    }
    // urlretrieve(URL, path) … open(path) … load(f): the same path is given to both.
    let paths: Vec<&str> = fetched
        .arguments
        .iter()
        .skip(1)
        .flat_map(|argument| calls::names(&argument.value))
        .collect();
    let texts: Vec<String> = fetched
        .arguments
        .iter()
        .skip(1)
        .filter_map(|argument| calls::text(&argument.value))
        .collect();
    let gives = |value: &Value| {
        calls::names(value).iter().any(|name| paths.contains(name))
            || calls::text(value).is_some_and(|text| !text.is_empty() && texts.contains(&text))
    };
    gives(value)
        || same.iter().any(|other| {
            other.callee.as_ref() == "open"
                && other.line > fetched.line
                && other.line <= call.line
                && other
                    .arguments
                    .first()
                    .is_some_and(|argument| gives(&argument.value))
        })
}

/// Returns the line where a stranger's text came in that a value holds.
fn stranger(module: &Module, call: &Call, value: &Value) -> Option<u32> {
    let is_strange = |name: &str| {
        STRANGERS.contains(&name)
            || REQUESTS
                .iter()
                .any(|part| name.starts_with(part) || name.contains(&format!(".{part}")))
    };
    let names = calls::names(value);
    if names.iter().any(|name| is_strange(name)) {
        return Some(call.line);
    }
    let same = calls::of_scope(module, call.scope);
    let mut sources = same
        .filter(|other| other.line <= call.line)
        .filter(|other| {
            let is_source = is_strange(&other.callee) || calls::is_network(other);
            let bound = other.bound.as_deref();
            is_source
                && names.iter().any(|name| {
                    bound.is_some_and(|bound| {
                        *name == bound
                            || name
                                .strip_prefix(bound)
                                .is_some_and(|rest| rest.starts_with('.'))
                    })
                })
        });
    sources.next().map(|source| source.line)
}
