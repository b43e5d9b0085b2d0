//! Endpoints: reachable, with the parameters they speak of, and with a test of success.
//!
//! Not here: their costs ([`super::limits`]).

use super::{Rule, Sink};
use crate::endpoint::{Endpoint, ParameterRole, Place};
use crate::provider::Provider;

pub(super) fn check(provider: &Provider, sink: &mut Sink<'_>) {
    for (at, endpoint) in provider.endpoints.iter().enumerate() {
        check_parameters(endpoint, at, sink);
        check_defaults(endpoint, at, sink);
        check_spans(endpoint, at, sink);
        check_reach(provider, endpoint, at, sink);
        if endpoint.is_data() && endpoint.success.is_none() {
            let message = format!(
                "data endpoint `{}` does not say how success is recognised",
                endpoint.id
            );
            sink.say(Rule::MissingSuccess, &[&"endpoint", &at, &"id"], message);
        }
    }
    for (at, refusal) in provider.refusals.iter().enumerate() {
        let bounded =
            !refusal.status.is_empty() || refusal.present.is_some() || !refusal.contains.is_empty();
        if !bounded {
            sink.say(
                Rule::BoundlessRefusal,
                &[&"refusal", &at],
                "this refusal fits every answer",
            );
        }
    }
}

fn check_parameters(endpoint: &Endpoint, at: usize, sink: &mut Sink<'_>) {
    let mut known = |names: Vec<&str>, key: &str| {
        for name in names
            .into_iter()
            .filter(|name| endpoint.parameter(name).is_none())
        {
            let message = format!(
                "{key} of endpoint `{}` names the unknown parameter `{name}`",
                endpoint.id
            );
            sink.say(Rule::UnknownParameter, &[&"endpoint", &at, &key], message);
        }
    };
    known(endpoint.cost.parameters(), "cost");
    known(
        endpoint
            .pages
            .iter()
            .flat_map(|pages| pages.parameters())
            .collect(),
        "pages",
    );
    let placeholders: Vec<_> = endpoint.path.placeholders().collect();
    for name in &placeholders {
        if endpoint
            .parameter(name)
            .is_none_or(|parameter| parameter.place != Place::Path)
        {
            let message = format!("`{{{name}}}` in the path is no parameter of the path");
            sink.say(Rule::PathParameter, &[&"endpoint", &at, &"path"], message);
        }
    }
    for (index, parameter) in endpoint.parameters.iter().enumerate() {
        let path: &[&dyn std::fmt::Display] = &[&"endpoint", &at, &"parameter", &index];
        if parameter.place == Place::Path && !placeholders.contains(&parameter.name.as_str()) {
            let message = format!("`{}` is not in the path template", parameter.name);
            sink.say(Rule::PathParameter, path, message);
        }
        if endpoint.parameters[..index]
            .iter()
            .any(|other| other.name == parameter.name)
        {
            sink.say(
                Rule::DuplicateId,
                path,
                format!("parameter `{}` stands twice", parameter.name),
            );
        }
        if endpoint.conditions.contains_key(&parameter.name) {
            let message = format!(
                "`{}` is fixed by `where` and a parameter too",
                parameter.name
            );
            sink.say(Rule::DuplicateId, path, message);
        }
    }
}

fn check_defaults(endpoint: &Endpoint, at: usize, sink: &mut Sink<'_>) {
    for (index, parameter) in endpoint.parameters.iter().enumerate() {
        let Some(default) = &parameter.default else {
            continue;
        };
        let strange = !parameter.values.is_empty() && !parameter.values.contains(default);
        let above = default
            .parse::<u32>()
            .ok()
            .zip(parameter.max)
            .is_some_and(|(n, max)| n > max);
        if strange || above {
            let message = format!("`{}` cannot have its default {default:?}", parameter.name);
            let path: &[&dyn std::fmt::Display] =
                &[&"endpoint", &at, &"parameter", &index, &"default"];
            sink.say(Rule::BadDefault, path, message);
        }
    }
    let rows = endpoint
        .answer
        .as_ref()
        .and_then(|answer| answer.rows.as_ref());
    if rows.is_some_and(|rows| {
        rows.default
            .zip(rows.max)
            .is_some_and(|(default, max)| default > max)
    }) {
        let path: &[&dyn std::fmt::Display] = &[&"endpoint", &at, &"answer", &"rows"];
        sink.say(
            Rule::BadDefault,
            path,
            "the default number of rows is above the maximum",
        );
    }
}

/// A bound on spans is for intervals that the endpoint has.
fn check_spans(endpoint: &Endpoint, at: usize, sink: &mut Sink<'_>) {
    let interval = endpoint.parameter_for(ParameterRole::Interval);
    let known = |name: &String| interval.is_some_and(|interval| interval.values.contains(name));
    let spans = endpoint.answer.iter().flat_map(|answer| &answer.spans);
    for (index, span) in spans.enumerate() {
        if let Some(name) = span.intervals.iter().find(|name| !known(name)) {
            let message = format!("endpoint `{}` has no interval {name:?}", endpoint.id);
            let path: &[&dyn std::fmt::Display] = &[&"endpoint", &at, &"answer", &"span", &index];
            sink.say(Rule::UnknownReference, path, message);
        }
    }
}

/// Makes a call from the endpoint's own template and looks who takes it.
fn check_reach(provider: &Provider, endpoint: &Endpoint, at: usize, sink: &mut Sink<'_>) {
    // No real segment has this form, so it meets a literal of another template only by intent.
    let path = endpoint.path.fill(|name| {
        let values = endpoint
            .parameter(name)
            .map(|parameter| parameter.values.as_slice());
        values
            .and_then(<[String]>::first)
            .cloned()
            .unwrap_or_else(|| format!("~{name}~"))
    });
    let query: Vec<_> = endpoint
        .conditions
        .iter()
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    for host in &endpoint.on {
        let taken = provider.matched(endpoint.method, Some(host), &path, &query);
        if let Some(taken) = taken.filter(|taken| taken.endpoint.id != endpoint.id) {
            let message = format!(
                "endpoint `{}` cannot be reached on `{host}`: `{}` takes its calls",
                endpoint.id, taken.endpoint.id
            );
            sink.say(
                Rule::UnreachableEndpoint,
                &[&"endpoint", &at, &"path"],
                message,
            );
        }
    }
}
