//! Series of prices that are split at random into training and test.

use tradewind_repo::python::{Call, Module, Value};

use crate::finding::{Area, Confidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};
use crate::rules::trading::is_about_prices;
use crate::source::{Source, grouped, is_test};

/// Series of prices that are split at random into training and test.
#[derive(Debug)]
pub struct ShuffledSplit;

const ABOUT: About = About {
    id: "shuffled-split",
    title: "A time series split at random",
    area: Area::Trading,
    severity: Severity::High,
    confidence: Confidence::Likely,
    timeframe: Timeframe::Week,
    impact: "Days around each test day are in the training set: the measured accuracy is too good to be true and is lost with real money.",
    action: "Split by time (`shuffle=False`), better walk forward (`TimeSeriesSplit`) with a gap as long as the label looks ahead.",
    after: &[],
};

impl Rule for ShuffledSplit {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        for module in context.code.modules.iter().filter(|m| !is_test(&m.path)) {
            let calls: Vec<&Call> = module.calls.iter().filter(|call| is_random(call)).collect();
            if calls.is_empty() {
                continue;
            }
            let Some(source) = Source::read(context, &module.path) else {
                continue;
            };
            // Rows that a generator drew have no sequence to keep.
            let is_drawn = module.calls.iter().any(|call| {
                call.callee.starts_with("sklearn.datasets.make_")
                    && calls.iter().any(|split| split.scope == call.scope)
            });
            if is_drawn || !is_about_prices(&source) {
                continue;
            }
            let places = calls.iter().map(|call| source.at(call.line)).collect();
            let title = format!("{} splits a time series at random", place(module, calls[0]));
            grouped(findings, title, places);
        }
    }
}

fn place(module: &Module, call: &Call) -> String {
    match call
        .scope
        .and_then(|scope| module.functions.get(scope as usize))
    {
        Some(function) => format!("`{}` in {}", function.qualified, module.path),
        None => module.path.to_string(),
    }
}

fn is_random(call: &Call) -> bool {
    let argument = |name: &str| {
        call.arguments
            .iter()
            .find(|a| a.name.as_deref() == Some(name))
    };
    if argument("**").is_some() {
        return false;
    }
    let shuffle = argument("shuffle").map(|argument| &argument.value);
    let last = call.callee.rsplit('.').next().unwrap_or_default();
    match last {
        "train_test_split" if call.callee.starts_with("sklearn.") => {
            matches!(shuffle, None | Some(Value::Bool(true)))
        }
        "KFold" | "StratifiedKFold" if call.callee.starts_with("sklearn.") => {
            shuffle == Some(&Value::Bool(true))
        }
        "ShuffleSplit" | "StratifiedShuffleSplit" => call.callee.starts_with("sklearn."),
        _ => false,
    }
}
