//! Errors of an order that nobody ever sees.

use std::collections::BTreeMap;

use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};
use crate::rules::trading::sends_order;
use crate::source::{Source, is_test};

/// Errors of an order that nobody ever sees.
#[derive(Debug)]
pub struct OrderErrorSwallowed;

const ABOUT: About = About {
    id: "order-error-swallowed",
    title: "The error of an order is thrown away",
    area: Area::Trading,
    severity: Severity::High,
    confidence: Confidence::Likely,
    timeframe: Timeframe::Immediate,
    impact: "A refused stop, a missing margin or a lost answer looks like nothing at all: the bot goes on as if the order stood, or sends it again.",
    action: "Log the error with the order, tell a person, and ask the venue what stands before going on.",
    after: &[],
};

impl Rule for OrderErrorSwallowed {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let mut done: Vec<(&str, u32)> = Vec::new();
        // One file has one habit: all its handlers are one finding.
        let mut files: BTreeMap<&str, (String, Vec<Evidence>, usize)> = BTreeMap::new();
        for call in &context.api_map.calls {
            if is_test(&call.path) || !sends_order(context, call) {
                continue;
            }
            let made = context
                .code
                .modules
                .get(call.module)
                .and_then(|module| module.calls.get(call.call));
            let Some(handler) = made.and_then(|made| made.swallowed_at) else {
                continue;
            };
            if done.contains(&(&*call.path, handler)) {
                continue;
            }
            let Some(source) = Source::read(context, &call.path) else {
                continue;
            };
            if !is_silent(&source, handler) {
                continue;
            }
            done.push((&*call.path, handler));
            let name = if call.function.is_empty() {
                &call.path
            } else {
                &call.function
            };
            let title = format!("`{name}` throws the error of an order away");
            let (_, places, handlers) = files
                .entry(&call.path)
                .or_insert_with(|| (title, Vec::new(), 0));
            places.extend([source.at(call.line), source.at(handler)]);
            *handlers += 1;
        }
        for (title, places, handlers) in files.into_values() {
            let more = match handlers {
                1 => String::new(),
                many => format!(", and {} more handlers do", many - 1),
            };
            findings.add(format!("{title}{more}"), places);
        }
    }
}

/// Says whether a handler does nothing at all.
fn is_silent(source: &Source, handler: u32) -> bool {
    let code = |text: &str| text.split('#').next().unwrap_or_default().trim().to_owned();
    let is_nothing = |text: &str| matches!(text, "" | "pass" | "continue" | "...");
    let head = code(source.line(handler));
    match head.rsplit_once(':') {
        Some((_, after)) if !after.is_empty() => is_nothing(after.trim()),
        _ => {
            let mut lines = source.block(handler);
            lines.all(|line| is_nothing(&code(source.line(line))))
        }
    }
}
