//! Fetchers that take a span and do not ask for it.

use tradewind_repo::api_map::ApiCall;

use crate::finding::{Area, Confidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};
use crate::source::{Source, function, is_test};

/// Fetchers that take a span and do not ask for it.
#[derive(Debug)]
pub struct IgnoredRange;

const ABOUT: About = About {
    id: "ignored-range",
    title: "A span that is given and not asked for",
    area: Area::MarketData,
    severity: Severity::Medium,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Week,
    impact: "The caller believes to have the span that it named and works on another one.",
    action: "Pass the span on, or take it out of the signature.",
    after: &[],
};

/// Names of parameters that mean a span.
const SPANS: &[&str] = &[
    "start",
    "end",
    "start_date",
    "end_date",
    "from_date",
    "to_date",
    "date_from",
    "date_to",
    "since",
    "until",
    "start_time",
    "end_time",
    "startdate",
    "enddate",
];

impl Rule for IgnoredRange {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let mut done: Vec<(usize, Option<u32>)> = Vec::new();
        for call in &context.api_map.calls {
            if is_test(&call.path) || done.contains(&(call.module, call.scope)) {
                continue;
            }
            done.push((call.module, call.scope));
            let (Some(source), Some(module)) = (
                Source::read(context, &call.path),
                context.code.modules.get(call.module),
            ) else {
                continue;
            };
            half_a_span(call, &source, findings);
            let Some(of) = function(module, call.scope) else {
                continue;
            };
            let text = source.around(module, call.scope);
            if text.contains("locals()") || of.is_stub {
                continue;
            }
            let unused: Vec<&str> = of
                .parameters
                .iter()
                .map(|parameter| parameter.name.as_ref())
                .filter(|name| SPANS.contains(name))
                .filter(|name| times(&text, name) == 1)
                .collect();
            if unused.is_empty() {
                continue;
            }
            let names = unused
                .iter()
                .map(|name| format!("`{name}`"))
                .collect::<Vec<_>>();
            let title = format!(
                "`{}` takes {} and does not use it",
                of.qualified,
                names.join(" and ")
            );
            findings.add(title, vec![source.at(of.line), source.at(call.line)]);
        }
    }
}

/// Finds a start without an end where the provider then ignores both.
fn half_a_span(call: &ApiCall, source: &Source, findings: &mut Findings) {
    if call.provider.as_ref() != "coinbase" || call.endpoint.as_deref() != Some("candles") {
        return;
    }
    let has = |name: &str| call.query.iter().any(|(key, _)| key.as_ref() == name);
    if has("start") != has("end") {
        let title = "Coinbase ignores a span of which only one end is given";
        findings.add(title, vec![source.at(call.line)]);
    }
}

fn times(text: &str, name: &str) -> usize {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| *word == name)
        .count()
}
