//! One credential that is read from two variables.

use std::collections::BTreeMap;

use tradewind_repo::api_map::KeyFrom;
use tradewind_repo::python::TextRole;

use crate::finding::{Area, Confidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};
use crate::source::{Source, grouped, is_test};

/// One credential that is read from two variables.
#[derive(Debug)]
pub struct OneKeyTwoNames;

const ABOUT: About = About {
    id: "one-key-two-names",
    title: "One key under two variable names",
    area: Area::MarketData,
    severity: Severity::Medium,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Week,
    impact: "The key that was set is not the one that is used: one part of the bot works, the other is refused or falls back to something else.",
    action: "Read it in one place, under one name.",
    after: &[],
};

/// Variables by name, each with the places that read it: path and line.
type Reads<'a> = BTreeMap<&'a str, Vec<(&'a str, u32)>>;

impl Rule for OneKeyTwoNames {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        for provider in context.catalog.providers() {
            for credential in &provider.credentials {
                let mut known: Vec<&str> = credential.env.iter().map(String::as_str).collect();
                // A name of the owner's own, when a call shows that it carries this credential alone.
                if provider.credentials.len() == 1 {
                    known.extend(
                        context
                            .api_map
                            .calls
                            .iter()
                            .filter_map(|call| match &call.key {
                                KeyFrom::Variable { name, .. }
                                    if *call.provider == *provider.name =>
                                {
                                    Some(name.as_ref())
                                }
                                _ => None,
                            }),
                    );
                }
                // What another provider calls its own is not this one's, whoever seems to carry it.
                known.retain(|name| {
                    credential.env.iter().any(|own| own == name)
                        || !context
                            .catalog
                            .providers()
                            .flat_map(|other| &other.credentials)
                            .any(|other| other.env.iter().any(|own| own == name))
                });
                let reads = reads(context, &known);
                let names: Vec<&str> = reads
                    .keys()
                    .copied()
                    .filter(|name| !is_for_a_mode(name))
                    .collect();
                if names.len() < 2 || are_fallbacks(&reads) {
                    continue;
                }
                // Least used first: that is the odd one.
                let mut sorted: Vec<_> = reads
                    .iter()
                    .filter(|(name, _)| names.contains(name))
                    .collect();
                sorted.sort_by_key(|(name, places)| (places.len(), **name));
                let mut evidence = Vec::new();
                for (_, places) in sorted {
                    for (path, line) in places {
                        if let Some(source) = Source::read(context, path) {
                            evidence.push(source.at(*line));
                        }
                    }
                }
                let title = format!(
                    "one {} credential is read from {}",
                    provider.title,
                    names.join(" and ")
                );
                grouped(findings, title, evidence);
            }
        }
    }
}

fn reads<'a>(context: &Context<'a>, known: &[&str]) -> Reads<'a> {
    let mut reads = Reads::new();
    for module in context.code.modules.iter().filter(|m| !is_test(&m.path)) {
        for text in &module.texts {
            if text.role == TextRole::Variable && known.contains(&text.text.as_ref()) {
                reads
                    .entry(&text.text)
                    .or_default()
                    .push((&module.path, text.line));
            }
        }
    }
    reads
}

/// Says whether a name is one of a pair on purpose: paper and live accounts have keys of their own.
fn is_for_a_mode(name: &str) -> bool {
    ["PAPER", "LIVE", "TEST", "SANDBOX", "DEMO", "PROD", "DEV"]
        .iter()
        .any(|mode| name.split('_').any(|part| part == *mode))
}

/// Says whether all names but one only stand in for that one: `getenv("A") or getenv("B")`.
fn are_fallbacks(reads: &Reads<'_>) -> bool {
    let stands_beside = |places: &[(&str, u32)], main: &[(&str, u32)]| {
        places.iter().all(|(path, line)| {
            main.iter()
                .any(|(other, at)| other == path && at.abs_diff(*line) <= 3)
        })
    };
    reads.iter().any(|(main, places)| {
        reads
            .iter()
            .all(|(name, others)| name == main || stands_beside(others, places))
    })
}
