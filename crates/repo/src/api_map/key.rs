//! Which variable carries the key of a call: the name in the environment, a setting, a literal.
//!
//! The value itself is never kept. Not here: whether a literal is a real secret (the secret detector).

use tradewind_catalog::access::How;
use tradewind_catalog::provider::Provider;

use super::client::{argument, named};
use super::names::{DEPTH, Names, Place};
use crate::python::{Binding, Call, TextRole, Value};

/// Where the key of a call comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyFrom {
    /// This environment variable.
    Variable {
        /// Its name.
        name: Box<str>,
        /// Whether a text stands in when it is not set.
        has_default: bool,
    },
    /// A name whose origin the code does not show.
    Name(Box<str>),
    /// A text in the code.
    Literal,
    /// The provider asks for none.
    Public,
    /// No key is seen on the way.
    Unseen,
}

impl KeyFrom {
    /// Returns the words for a report: `ALPHAVANTAGE_KEY`, `a literal`; `None` when there is nothing to say.
    pub fn words(&self) -> Option<&str> {
        match self {
            Self::Variable { name, .. } | Self::Name(name) => Some(name),
            Self::Literal => Some("a literal"),
            Self::Public | Self::Unseen => None,
        }
    }
}

/// Returns where a value comes from.
pub(super) fn trace(names: &Names<'_>, place: Place, value: &Value, depth: u8) -> Option<KeyFrom> {
    let depth = depth.checked_sub(1)?;
    match value {
        Value::Text(text) if !text.is_empty() => Some(KeyFrom::Literal),
        Value::Item(of, name) if of.ends_with("environ") => Some(KeyFrom::Variable {
            name: name.clone(),
            has_default: false,
        }),
        Value::Either(values) => values
            .iter()
            .find_map(|value| trace(names, place, value, depth)),
        Value::Name(name) => {
            let found = names.value(place, name, depth);
            found
                .and_then(|(value, there)| trace(names, there, value, depth))
                .or_else(|| setting(names, name.rsplit('.').next()?, depth))
                .or_else(|| Some(KeyFrom::Name(name.clone())))
        }
        Value::Call(callee, line) => {
            let call = names.call(place.module, callee, *line)?;
            of_call(names, place, call, depth)
        }
        Value::Parts(parts) => {
            let holes: Vec<_> = parts.iter().filter(|(known, _)| !known).collect();
            let [(_, name)] = holes.as_slice() else {
                return None;
            };
            trace(names, place, &Value::Name(name.clone()), depth)
        }
        _ => None,
    }
}

fn of_call(names: &Names<'_>, place: Place, call: &Call, depth: u8) -> Option<KeyFrom> {
    let last = call.callee.rsplit('.').next()?;
    let reads = matches!(
        call.callee.as_ref(),
        "os.getenv" | "os.environ.get" | "decouple.config" | "os.environ.pop"
    ) || matches!(last, "getenv" | "get_env" | "env");
    if reads {
        let Some(Value::Text(name)) = call.arguments.first().map(|a| &a.value) else {
            return None;
        };
        let default = argument(call, "default", 1);
        return Some(KeyFrom::Variable {
            name: name.clone(),
            has_default: matches!(default, Some(Value::Text(text)) if !text.is_empty()),
        });
    }
    // `str(…)`, `….strip()`: the same thing in other clothes.
    let inner = &call.arguments.first()?.value;
    trace(names, place, inner, depth)
}

/// Finds what a setting of that name is filled from, when all places agree.
fn setting(names: &Names<'_>, attribute: &str, depth: u8) -> Option<KeyFrom> {
    let depth = depth.checked_sub(2)?;
    let mut found: Option<KeyFrom> = None;
    for module in 0.. {
        let Some(code) = names.module(module) else {
            break;
        };
        let given = code.calls.iter().filter_map(|call| {
            let place = Place {
                module,
                scope: call.scope,
                line: call.line,
            };
            Some((place, named(call, attribute)?))
        });
        let assigned = code.assignments.iter().filter_map(|a| {
            let kept = matches!(
                a.binding,
                Binding::Instance(_) | Binding::Class(_) | Binding::Module
            );
            let place = Place {
                module,
                scope: None,
                line: a.line,
            };
            (kept && a.name.as_ref() == attribute).then_some((place, &a.value))
        });
        for (place, value) in given.chain(assigned) {
            let (Value::Call(..) | Value::Item(..) | Value::Either(_)) = value else {
                continue;
            };
            let Some(from @ KeyFrom::Variable { .. }) = trace(names, place, value, depth) else {
                continue;
            };
            match &found {
                Some(other) if *other != from => return None,
                _ => found = Some(from),
            }
        }
    }
    found
}

/// Returns where the key of an HTTP call comes from.
pub(super) fn of_http(
    names: &Names<'_>,
    place: Place,
    provider: &Provider,
    values: &[(String, Value)],
) -> KeyFrom {
    for authentication in &provider.authentications {
        let wanted: Vec<&str> = match &authentication.how {
            How::None {} => continue,
            How::Query { parameter, .. } => vec![parameter],
            How::Headers { headers } => headers.iter().map(|h| h.name.as_str()).collect(),
            How::Signed { header, .. } => vec![header],
        };
        for name in wanted {
            let given = values
                .iter()
                .find(|(key, _)| key.eq_ignore_ascii_case(name));
            if let Some(from) = given.and_then(|(_, v)| trace(names, place, v, DEPTH)) {
                return from;
            }
        }
    }
    nearby(names, place.module, provider)
}

/// Returns the variable of the provider that the module itself reads, or that the whole code reads.
pub(super) fn nearby(names: &Names<'_>, module: usize, provider: &Provider) -> KeyFrom {
    let is_public = provider.credentials.is_empty()
        || provider
            .authentications
            .iter()
            .any(|a| matches!(a.how, How::None {}));
    let reads = |at: usize| {
        let code = names.module(at)?;
        code.texts
            .iter()
            .find(|text| {
                text.role == TextRole::Variable
                    && provider.variables().any(|v| v == text.text.as_ref())
            })
            .map(|text| KeyFrom::Variable {
                name: text.text.clone(),
                has_default: false,
            })
    };
    if let Some(found) = reads(module) {
        return found;
    }
    if is_public {
        return KeyFrom::Public;
    }
    let mut all = (0..)
        .map_while(|at| names.module(at).map(|_| at))
        .filter_map(reads);
    match (all.next(), all.next()) {
        (Some(only), None) => only,
        (Some(one), Some(two)) if one == two => one,
        _ => KeyFrom::Unseen,
    }
}
