//! Answers that come in pages, of which only the first is read.

use tradewind_catalog::endpoint::{Endpoint, Pages, ParameterRole};
use tradewind_repo::api_map::{ApiCall, Client};

use crate::finding::{Area, Confidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};
use crate::source::{Source, is_test};

/// Answers that come in pages, of which only the first is read.
#[derive(Debug)]
pub struct IgnoredPagination;

const ABOUT: About = About {
    id: "ignored-pagination",
    title: "Only the first page of an answer is read",
    area: Area::MarketData,
    severity: Severity::High,
    confidence: Confidence::Likely,
    timeframe: Timeframe::Week,
    impact: "The series ends early without an error; sorted oldest first, the newest bars are the ones that are missing.",
    action: "Go on until the answer names no next page, and ask for the largest page.",
    after: &[],
};

impl Rule for IgnoredPagination {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let mut done: Vec<(usize, Option<u32>)> = Vec::new();
        for call in &context.api_map.calls {
            let carrier = context.api_map.outgoing.get(call.carrier);
            // Packages follow pages by themselves.
            if is_test(&call.path) || carrier.is_none_or(|c| c.client == Client::Sdk) {
                continue;
            }
            if done.contains(&(call.module, call.scope)) {
                continue;
            }
            let provider = context.catalog.provider(&call.provider);
            let endpoint = provider.and_then(|p| p.endpoint(call.endpoint.as_deref()?));
            let Some((endpoint, cursor)) = endpoint.and_then(|e| Some((e, cursor(e)?))) else {
                continue;
            };
            let Some(reason) = is_cut(call, endpoint) else {
                continue;
            };
            let (Some(source), Some(module)) = (
                Source::read(context, &call.path),
                context.code.modules.get(call.module),
            ) else {
                continue;
            };
            if source.text(1..=source.length()).contains(cursor)
                || is_followed(context, call, cursor)
            {
                continue;
            }
            done.push((call.module, call.scope));
            let span = source.span(module, call.scope);
            let near = call.line..=(*span.end()).min(call.line + 12);
            let mut places = Vec::new();
            if let Some(line) = near
                .clone()
                .find(|line| source.line(*line).contains("limit"))
            {
                places.push(source.noted(line, &reason));
            }
            places.push(source.at(call.line));
            if let Some(line) = near
                .clone()
                .find(|line| *line > call.line && source.line(*line).contains(".json()"))
            {
                places.push(source.noted(line, &format!("`{cursor}` is never looked at")));
            }
            let title = format!("{} reads the first page only: {reason}", called(call));
            findings.add(title, places);
        }
    }
}

fn called(call: &ApiCall) -> String {
    if call.function.is_empty() {
        call.path.to_string()
    } else {
        format!("`{}` in {}", call.function, call.path)
    }
}

/// Returns the word by which the next page is known.
fn cursor(endpoint: &Endpoint) -> Option<&str> {
    match endpoint.pages.as_ref()? {
        Pages::NextUrl { field } | Pages::Token { field, .. } => field.as_str().rsplit('/').next(),
        _ => None,
    }
}

/// Says whether the helper that sends the call follows pages.
fn is_followed(context: &Context<'_>, call: &ApiCall, cursor: &str) -> bool {
    let carrier = context.api_map.outgoing.get(call.carrier);
    let callers = context.api_map.callers.of(call.module, call.scope);
    let paths = callers
        .iter()
        .filter_map(|caller| context.code.modules.get(caller.module))
        .map(|module| module.path.as_ref())
        .chain(carrier.map(|carrier| carrier.path.as_ref()));
    paths
        .filter_map(|path| context.tree.text(path))
        .any(|text| text.contains(cursor))
}

/// Returns why one page is too little, when that shows.
fn is_cut(call: &ApiCall, endpoint: &Endpoint) -> Option<String> {
    let given = |name: &str| {
        let pair = call.query.iter().find(|(key, _)| key.as_ref() == name);
        pair.map(|(_, value)| value.as_ref())
    };
    let sort = endpoint.parameter_for(ParameterRole::Sort);
    if sort.is_some_and(|sort| given(&sort.name).is_some_and(|value| value != "asc")) {
        return None;
    }
    let starts = endpoint.parameter_for(ParameterRole::Start)?;
    let in_path = starts.place == tradewind_catalog::endpoint::Place::Path;
    if !in_path && given(&starts.name).is_none() {
        return None;
    }
    let limit = endpoint.parameter_for(ParameterRole::Limit)?;
    let largest = limit.max?;
    let rows: u32 = given(&limit.name)?.parse().ok()?;
    (rows < largest && rows > 5)
        .then(|| format!("`{}` is {rows}, up to {largest} are possible", limit.name))
}
