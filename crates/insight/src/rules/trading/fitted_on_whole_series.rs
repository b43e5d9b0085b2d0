//! Scalers that have seen the test days before the split.

use tradewind_repo::python::{Call, Module, Value};

use crate::finding::{Area, Confidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};
use crate::rules::trading::is_about_prices;
use crate::source::{Source, function, is_test};

/// Scalers that have seen the test days before the split.
#[derive(Debug)]
pub struct FittedOnWholeSeries;

const ABOUT: About = About {
    id: "fitted-on-whole-series",
    title: "A scaler or indicator that has seen the future",
    area: Area::Trading,
    severity: Severity::High,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Week,
    impact: "What the model learns from knows the level of days that it is tested on: the result of the test does not hold in trading.",
    action: "Split first; fit on the training part only and apply the fitted one to the rest.",
    after: &[],
};

/// Classes that learn from the rows they are fitted on.
const LEARNERS: &[&str] = &[
    "StandardScaler",
    "MinMaxScaler",
    "RobustScaler",
    "MaxAbsScaler",
    "QuantileTransformer",
    "PowerTransformer",
    "Normalizer",
    "PCA",
    "KBinsDiscretizer",
    "SelectKBest",
    "SimpleImputer",
    "KNNImputer",
];

impl Rule for FittedOnWholeSeries {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        for module in context.code.modules.iter().filter(|m| !is_test(&m.path)) {
            let fits = module.calls.iter().filter(|call| is_fit(module, call));
            let centred = module.calls.iter().filter(|call| is_centred(call));
            let (fits, centred): (Vec<_>, Vec<_>) = (fits.collect(), centred.collect());
            if fits.is_empty() && centred.is_empty() {
                continue;
            }
            let Some(source) = Source::read(context, &module.path) else {
                continue;
            };
            if !is_about_prices(&source) {
                continue;
            }
            for fit in fits {
                let Some((line, is_certain)) = split_after(module, &source, fit) else {
                    continue;
                };
                let title = format!(
                    "{} is fitted on the whole series before the split",
                    what(module, fit)
                );
                let finding = findings.add(
                    title,
                    vec![
                        source.at(fit.line),
                        source.noted(line, "the split comes after"),
                    ],
                );
                if is_certain {
                    finding.confidence = Confidence::Likely;
                }
            }
            let centred = centred
                .into_iter()
                .filter(|call| looks_ahead(module, &source, call));
            let places: Vec<_> = centred.map(|call| source.at(call.line)).collect();
            if !places.is_empty() {
                let title = "a centred window uses prices from after the bar it describes";
                let finding = findings.add(title, places);
                "Use a window that ends at the bar (`center=False`)."
                    .clone_into(&mut finding.action);
            }
        }
    }
}

fn is_centred(call: &Call) -> bool {
    call.callee.rsplit('.').next() == Some("rolling")
        && call
            .arguments
            .iter()
            .any(|a| a.name.as_deref() == Some("center") && a.value == Value::Bool(true))
}

/// Says whether the result of a centred window is used at the bar it describes: neither drawn nor shifted to
/// the bar at which it is known.
fn looks_ahead(module: &Module, source: &Source, call: &Call) -> bool {
    let text = source.around(module, call.scope);
    let lower = text.to_lowercase();
    if lower.contains("plot") || lower.contains("plt.") {
        return false;
    }
    // Levels out of all bars so far, of which the last few are kept: no bar of the past gets one.
    if function(module, call.scope).is_some() && lower.contains(".tail(") {
        return false;
    }
    let line = source.line(call.line);
    let written = line.split_once('=').map_or("", |(name, _)| name.trim());
    let name = call.bound.as_deref().unwrap_or(written);
    let is_name = !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || "_[]'\"".contains(c));
    let is_shifted = is_name && text.contains(&format!("{name}.shift("));
    !is_shifted && !line.contains(".shift(")
}

/// Returns the class that is fitted: `StandardScaler`.
fn what(module: &Module, call: &Call) -> String {
    learner(module, call).map_or_else(|| call.written.to_string(), |name| format!("`{name}`"))
}

fn learner(module: &Module, call: &Call) -> Option<&'static str> {
    let callee = call.callee.replace("()", "");
    let (owner, _) = callee.rsplit_once('.')?;
    let of = |name: &str| {
        let last = name.rsplit('.').next().unwrap_or_default();
        LEARNERS.iter().find(|known| **known == last).copied()
    };
    if let Some(name) = of(owner) {
        return Some(name);
    }
    // Kept in a table or handed in: its own name says what it is.
    if owner.to_lowercase().ends_with("scaler") {
        return Some("scaler");
    }
    // A variable of this function or module that holds one.
    module
        .calls
        .iter()
        .filter(|made| made.bound.as_deref() == Some(owner))
        .find_map(|made| of(&made.callee))
}

fn is_fit(module: &Module, call: &Call) -> bool {
    let last = call.callee.rsplit('.').next().unwrap_or_default();
    if !matches!(last, "fit" | "fit_transform") || learner(module, call).is_none() {
        return false;
    }
    // What is named after the training part is one.
    match call.arguments.first().map(|argument| &argument.value) {
        Some(Value::Name(name)) => !name.to_lowercase().contains("train"),
        Some(Value::Other | Value::Call(..)) | None => true,
        Some(_) => false,
    }
}

/// Returns the line of the first split after a fit in the same function, and whether it is sure to be one.
fn split_after(module: &Module, source: &Source, fit: &Call) -> Option<(u32, bool)> {
    if source.line(fit.line).to_lowercase().contains("train") {
        return None;
    }
    let split = module.calls.iter().filter(|call| {
        let last = call.callee.rsplit('.').next().unwrap_or_default();
        call.scope == fit.scope && call.line > fit.line && last == "train_test_split"
    });
    if let Some(line) = split.map(|call| call.line).min() {
        return Some((line, true));
    }
    let span = source.span(module, fit.scope);
    (fit.line + 1..=*span.end())
        .find(|line| cuts_training_part(source.line(*line)))
        .map(|line| (line, false))
}

/// Says whether a line cuts a training part off: `train = data[:split]`.
fn cuts_training_part(line: &str) -> bool {
    let Some((names, value)) = line.split_once('=') else {
        return false;
    };
    let squeezed: String = value.chars().filter(|c| !c.is_whitespace()).collect();
    names.to_lowercase().contains("train")
        && (squeezed.contains("[:") || squeezed.contains("[0:"))
        && !squeezed.contains("[:,")
}
