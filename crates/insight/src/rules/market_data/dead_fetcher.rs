//! Functions that ask a provider and are started by nothing.

use std::collections::BTreeSet;

use crate::finding::{Area, Confidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};
use crate::source::{Source, function, grouped, is_test};

/// Functions that ask a provider and are started by nothing.
#[derive(Debug)]
pub struct DeadFetcher;

const ABOUT: About = About {
    id: "dead-fetcher",
    title: "A fetcher that nothing starts",
    area: Area::MarketData,
    severity: Severity::Low,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Month,
    impact: "Code that looks like a source of data is none; corrections go into it and change nothing.",
    action: "Delete it, or call it.",
    after: &[],
};

impl Rule for DeadFetcher {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        if context.code.entries().is_empty() {
            if !context.api_map.calls.is_empty() {
                findings.not_checked("nothing here starts by itself: the code may be a library");
            }
            return;
        }
        let mut dead: Vec<(&str, &str, u32)> = Vec::new();
        for call in &context.api_map.calls {
            let Some(module) = context.code.modules.get(call.module) else {
                continue;
            };
            let Some(of) = function(module, call.scope) else {
                continue;
            };
            let is_plain = of.class.is_none() && of.decorators.is_empty() && of.scope.is_none();
            let is_new = !dead.iter().any(|(name, ..)| *name == of.name.as_ref());
            if call.is_reachable == Some(false)
                && is_plain
                && is_new
                && !is_test(&call.path)
                && !module.is_dynamic
            {
                dead.push((&of.name, &module.path, of.line));
            }
        }
        if dead.is_empty() {
            return;
        }
        let told = mentioned(context, &dead);
        dead.retain(|(name, ..)| !told.contains(name));
        let names: Vec<&str> = dead.iter().map(|(name, ..)| *name).collect();
        let places = dead
            .iter()
            .filter_map(|(_, path, line)| Some(Source::read(context, path)?.at(*line)))
            .collect();
        let title = match names.as_slice() {
            [one] => format!("`{one}` asks a provider and nothing starts it"),
            several => format!(
                "{} functions ask providers and nothing starts them",
                several.len()
            ),
        };
        grouped(findings, title, places);
    }
}

/// Returns the names that stand anywhere beside their definition: they may be found at run time.
fn mentioned<'a>(context: &Context<'_>, dead: &[(&'a str, &str, u32)]) -> BTreeSet<&'a str> {
    let mut told = BTreeSet::new();
    for file in context.tree.tracked() {
        if !file.path.ends_with(".py") && !file.path.ends_with(".ipynb") {
            continue;
        }
        let Some(text) = context.tree.text(&file.path) else {
            continue;
        };
        let mut at_home: BTreeSet<&str> = BTreeSet::new();
        for word in text.split(|c: char| !c.is_alphanumeric() && c != '_') {
            let Some((name, home, _)) = dead.iter().find(|(name, ..)| *name == word) else {
                continue;
            };
            // At home the definition is the first of them.
            if *home != file.path.as_ref() || !at_home.insert(name) {
                told.insert(*name);
            }
        }
    }
    told
}
