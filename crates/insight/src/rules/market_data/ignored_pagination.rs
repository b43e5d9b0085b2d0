//! Answers that come in pages, of which only the first is read.

use tradewind_catalog::endpoint::{Endpoint, Pages, ParameterRole};
use tradewind_repo::api_map::{ApiCall, Client};
use tradewind_repo::python::Module;

use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::quotes::is_shelved;
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
    confidence: Confidence::Possible,
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
        let mut told: Vec<(String, Vec<Evidence>)> = Vec::new();
        for call in &context.api_map.calls {
            let carrier = context.api_map.outgoing.get(call.carrier);
            // Packages follow pages by themselves.
            if is_test(&call.path)
                || is_shelved(&call.path)
                || carrier.is_none_or(|c| c.client == Client::Sdk)
            {
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
                || holds_all(&source, module, call, limit_of(call, endpoint))
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
            told.push((title, places));
        }
        // One way of asking is one finding, however many functions have it.
        if told.len() > MAX_APART {
            let title = format!("{} functions read the first page only", told.len());
            let firsts = told
                .into_iter()
                .filter_map(|(_, places)| places.into_iter().next());
            findings.add(title, firsts.collect());
            return;
        }
        for (title, places) in told {
            findings.add(title, places);
        }
    }
}

/// More functions than this were written in one way.
const MAX_APART: usize = 2;

/// Daily bars of a year; fewer on one page are few for a span that nobody knows.
const YEAR: u32 = 252;

/// Returns the rows that a call asks for.
fn limit_of(call: &ApiCall, endpoint: &Endpoint) -> Option<u32> {
    let limit = endpoint.parameter_for(ParameterRole::Limit)?;
    let pair = call.query.iter().find(|(key, _)| **key == *limit.name)?;
    pair.1.parse().ok()
}

/// Says whether one page holds all daily bars of the span that a function counts back: 302 days have 210 of them.
fn holds_all(source: &Source, module: &Module, call: &ApiCall, limit: Option<u32>) -> bool {
    let text = source.around(module, call.scope);
    let Some(limit) = limit.filter(|_| text.contains("/day/")) else {
        return false;
    };
    let numbers = |text: &str| -> Vec<u32> {
        text.split(|c: char| !c.is_ascii_digit())
            .filter_map(|number| number.parse().ok())
            .collect()
    };
    // `timedelta(days=days + 50)`, and `days: int = 252` in the head.
    let counted: Vec<&str> = text
        .split("timedelta(days=")
        .skip(1)
        .filter_map(|rest| rest.split_once(')').map(|(days, _)| days))
        .collect();
    let head = text.split_once("):").or_else(|| text.split_once(") ->"));
    let default = head
        .and_then(|(head, _)| head.split_once("days"))
        .and_then(|(_, rest)| rest.split_once('='))
        .and_then(|(_, rest)| rest.split([',', ')']).next())
        .and_then(|value| value.trim().parse::<u32>().ok());
    let days = counted
        .iter()
        .map(|days| {
            let names = days.contains(|c: char| c.is_alphabetic());
            let known: u32 = numbers(days).iter().sum();
            (!names || default.is_some())
                .then(|| known.saturating_add(if names { default.unwrap_or(0) } else { 0 }))
        })
        .max()
        .flatten();
    match days {
        Some(days) => days.saturating_mul(7) / 10 < limit,
        None => limit >= YEAR,
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
