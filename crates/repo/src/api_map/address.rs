//! The address that a call asks, as far as the code says it: known parts as they are, unknown ones as `{name}`.
//!
//! Base addresses are followed through constants, classes, settings and defaults of environment variables,
//! over files. What is unknown keeps its braces, which the catalog's templates take for any segment.

use super::names::{DEPTH, Names, Place};
use crate::python::Value;

/// Longest address that is put together.
const MAX_LENGTH: usize = 600;

/// Returns the text of `value`; unknown parts as `{name}`. `None` when nothing of it is known.
pub(super) fn text(names: &Names<'_>, place: Place, value: &Value) -> Option<String> {
    let text = read(names, place, value, DEPTH)?;
    (text.len() <= MAX_LENGTH).then_some(text)
}

fn read(names: &Names<'_>, place: Place, value: &Value, depth: u8) -> Option<String> {
    let depth = depth.checked_sub(1)?;
    match value {
        Value::Text(text) => Some(text.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(yes) => Some(if *yes { "true" } else { "false" }.to_owned()),
        Value::Parts(parts) => {
            let mut whole = String::new();
            for (is_known, part) in parts {
                if *is_known {
                    whole.push_str(part);
                } else {
                    whole.push_str(&hole(names, place, part, depth));
                }
                if whole.len() > MAX_LENGTH {
                    return None;
                }
            }
            Some(whole)
        }
        // What a caller hands in stays open, so that the caller may be asked.
        Value::Name(name) => named(names, place, name, depth).or_else(|| {
            names
                .is_parameter(place, name)
                .then(|| format!("{{{name}}}"))
        }),
        Value::Call(callee, line) => called(names, place, callee, *line, depth),
        // Decided at run time; a text that stands in when a variable is not set is the usual one.
        Value::Either(values) => {
            let mut texts = values
                .iter()
                .rev()
                .filter_map(|value| read(names, place, value, depth));
            texts.next()
        }
        Value::Item(..) | Value::None | Value::List(_) | Value::Dict(_) | Value::Other => None,
    }
}

fn hole(names: &Names<'_>, place: Place, name: &str, depth: u8) -> String {
    named(names, place, name, depth).unwrap_or_else(|| {
        let last = name.rsplit('.').next().unwrap_or_default();
        let plain = last.chars().all(|c| c.is_alphanumeric() || c == '_');
        if plain && !last.is_empty() {
            format!("{{{last}}}")
        } else {
            "{x}".to_owned()
        }
    })
}

fn named(names: &Names<'_>, place: Place, name: &str, depth: u8) -> Option<String> {
    let (value, there) = names.value(place, name, depth)?;
    // A name that is made out of itself (`url = url + "?x"`) is read as it was before.
    let there = Place {
        line: if there.module == place.module {
            there.line.saturating_sub(1)
        } else {
            there.line
        },
        ..there
    };
    read(names, there, value, depth)
}

fn called(names: &Names<'_>, place: Place, callee: &str, line: u32, depth: u8) -> Option<String> {
    let call = names.call(place.module, callee, line)?;
    let first = || Some(&call.arguments.first()?.value);
    match callee {
        "os.getenv" | "os.environ.get" | "decouple.config" | "environ.get" => {
            let default = &call.arguments.get(1)?.value;
            read(names, place, default, depth)
        }
        "str" | "urllib.request.Request" | "yarl.URL" | "httpx.URL" => {
            read(names, place, first()?, depth)
        }
        "urllib.parse.urljoin" => {
            let base = read(names, place, first()?, depth)?;
            let tail = read(names, place, &call.arguments.get(1)?.value, depth)
                .unwrap_or_else(|| "{x}".to_owned());
            Some(joined(&base, &tail))
        }
        _ => {
            let subject = callee
                .strip_suffix(".format")
                .or(callee.strip_suffix(".rstrip"))?;
            // The literal itself: the summary keeps the call only, so nothing is known of it.
            named(names, place, subject, depth)
        }
    }
}

fn joined(base: &str, tail: &str) -> String {
    if tail.contains("://") {
        return tail.to_owned();
    }
    let Some((scheme, rest)) = base.split_once("://") else {
        return format!("{base}{tail}");
    };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    if let Some(tail) = tail.strip_prefix('/') {
        return format!("{scheme}://{host}/{tail}");
    }
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let slash = if folder.is_empty() { "" } else { "/" };
    format!("{scheme}://{host}/{folder}{slash}{tail}")
}
