//! `key-in-url-logged`.

use tradewind_repo::python::{Binding, Call, Code, Module, Value};

use super::calls;
use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};

/// Keys in URLs that are logged, printed or raised.
pub(super) struct KeyInUrlLogged;

const ABOUT: About = About {
    id: "key-in-url-logged",
    title: "A key in a URL is logged",
    area: Area::Safety,
    severity: Severity::High,
    confidence: Confidence::Certain,
    timeframe: Timeframe::Immediate,
    impact: "The key is in every log file, log service and screenshot of an error.",
    action: "Send the key in a header, or log the symbol instead of the URL.",
    after: &[],
};

/// Parameters of URLs that carry a key.
const KEYS: &[&str] = &[
    "apikey=",
    "api_key=",
    "api-key=",
    "apitoken=",
    "api_token=",
    "access_key=",
    "accesskey=",
    "token=",
    "secret=",
    "auth=",
    "password=",
    "appid=",
    "app_key=",
];

impl Rule for KeyInUrlLogged {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        for module in &context.code.modules {
            if Code::is_test(&module.path) {
                continue;
            }
            let shown: Vec<(u32, u32)> = module
                .calls
                .iter()
                .filter_map(|call| shown(module, call))
                .collect();
            if shown.is_empty() {
                continue;
            }
            let text = context.tree.text(&module.path).unwrap_or_default();
            let path = module.path.as_ref();
            let mut evidence = Vec::new();
            for (made, told) in shown {
                // What is told was blotted out where it was made.
                let line = calls::line(&text, made).to_ascii_lowercase();
                if ["redact", "mask", "sanitize", "***"]
                    .iter()
                    .any(|word| line.contains(word))
                {
                    continue;
                }
                for line in [made, told] {
                    let item =
                        Evidence::at(path, line, without_literals(&calls::line(&text, line)));
                    if !evidence.contains(&item) {
                        evidence.push(item);
                    }
                }
            }
            evidence.truncate(20);
            if evidence.is_empty() {
                continue;
            }
            findings.add(format!("{path} logs a URL that carries a key"), evidence);
        }
    }
}

/// A note never shows what may be a key written into the URL itself.
fn without_literals(line: &str) -> String {
    let lower = line.to_ascii_lowercase();
    for key in KEYS {
        if let Some(at) = lower.find(key) {
            let rest = line.get(at + key.len()..).unwrap_or_default();
            if !rest.starts_with(['{', '"', '\'', '%']) {
                let kept = line.get(..at + key.len()).unwrap_or_default();
                return format!("{kept}***");
            }
        }
    }
    line.to_owned()
}

/// Returns the line where the URL is made and the line where it is told.
fn shown(module: &Module, call: &Call) -> Option<(u32, u32)> {
    if !tells(call) {
        return None;
    }
    call.arguments.iter().find_map(|argument| {
        if carries_key(&argument.value) {
            return Some((call.line, call.line));
        }
        calls::names(&argument.value).into_iter().find_map(|name| {
            let bound = module
                .assignments
                .iter()
                .filter(|each| each.name.as_ref() == name && each.line <= call.line);
            let made = bound.filter(|each| match each.binding {
                Binding::Local(scope) => call.scope == Some(scope),
                Binding::Module => true,
                _ => false,
            });
            made.filter(|each| carries_key(&each.value))
                .map(|each| (each.line, call.line))
                .next_back()
        })
    })
}

/// Says whether a URL has a parameter that carries a key which is put in at run time.
fn carries_key(value: &Value) -> bool {
    let Value::Parts(parts) = value else {
        return false;
    };
    let is_address = parts.iter().any(|(is_known, text)| {
        *is_known && (text.contains("://") || text.starts_with('/') || text.contains('?'))
    });
    is_address
        && parts.windows(2).any(|pair| match pair {
            [(true, before), (false, _)] => {
                let before = before.to_ascii_lowercase();
                KEYS.iter().any(|key| {
                    before
                        .strip_suffix(key)
                        .is_some_and(|rest| rest.ends_with(['?', '&', '_', '-']) || rest.is_empty())
                })
            }
            _ => false,
        })
}

/// Says whether a call writes its arguments where people read them.
fn tells(call: &Call) -> bool {
    let callee = call.callee.as_ref();
    let last = callee.rsplit('.').next().unwrap_or_default();
    let is_log = matches!(
        last,
        "debug" | "info" | "warning" | "warn" | "error" | "exception" | "critical" | "log"
    ) && callee.contains('.')
        && !callee.starts_with("math.")
        && !callee.starts_with("numpy.");
    let is_error = callee.rsplit('.').next().is_some_and(|name| {
        name.starts_with(|first: char| first.is_ascii_uppercase())
            && (name.ends_with("Error") || name.ends_with("Exception"))
    });
    matches!(callee, "print" | "SystemExit" | "sys.exit") || is_log || is_error
}
