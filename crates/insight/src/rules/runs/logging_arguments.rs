//! `logging-arguments`: log lines that are given a value and have no place for it.

use tradewind_repo::python::{Call, Value};

use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::quotes::{Quotes, grouped, is_foreign, is_shelved, is_template};
use crate::rule::{About, Context, Findings, Rule};

static ABOUT: About = About {
    id: "logging-arguments",
    title: "Log lines without a place for their value",
    area: Area::Runs,
    severity: Severity::Medium,
    confidence: Confidence::Certain,
    timeframe: Timeframe::Week,
    impact: "The log shows an error of the logger instead of the line: on the bad day the price, the order or the error that it was to tell is nowhere.",
    action: "Give the text a place for each value: `logging.info(\"price: %s\", price)`.",
    after: &[],
};

/// Calls of the standard library's logging that take a text and values to put into it.
const CALLS: &[&str] = &[
    "debug",
    "info",
    "warning",
    "warn",
    "error",
    "exception",
    "critical",
    "fatal",
];

/// The rule.
pub struct LoggingArguments;

impl Rule for LoggingArguments {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let mut quotes = Quotes::new(context);
        let mut places: Vec<Evidence> = Vec::new();
        for module in &context.code.modules {
            let path = module.path.as_ref();
            if is_foreign(path) || is_shelved(path) || is_template(path) {
                continue;
            }
            let lost = module.calls.iter().filter(|call| loses_a_value(call));
            places.extend(lost.map(|call| quotes.at(path, call.line)));
        }
        let title = match places.as_slice() {
            [] => return,
            [one] => {
                let path = one.path.as_deref().unwrap_or_default();
                format!("{path} gives a log line a value and no place for it")
            }
            many => format!(
                "{} log lines are given a value and no place for it",
                many.len()
            ),
        };
        grouped(findings, title, places);
    }
}

/// Says whether a call of the standard library's logging has more values than its text has places: none.
fn loses_a_value(call: &Call) -> bool {
    let Some((owner, last)) = call.callee.rsplit_once('.') else {
        return false;
    };
    if !CALLS.contains(&last) || !matches!(owner, "logging" | "logging.getLogger") {
        return false;
    }
    let mut by_place = call
        .arguments
        .iter()
        .filter(|argument| argument.name.is_none());
    let (Some(text), Some(value)) = (by_place.next(), by_place.next()) else {
        return false;
    };
    // A table of values needs no places, and a text that was cut may have one behind the cut.
    matches!(&text.value, Value::Text(text) if !text.contains('%') && text.len() < MAX_TEXT)
        && !matches!(&value.value, Value::Dict(_))
}

/// Longer texts are kept cut.
const MAX_TEXT: usize = 300;
