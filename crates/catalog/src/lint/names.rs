//! Names: unique where they must be, and known where they are used.
//!
//! Not here: parameters of endpoints ([`super::endpoints`]).

use std::collections::BTreeSet;

use super::{Rule, Sink};
use crate::provider::Provider;

pub(super) fn check(provider: &Provider, sink: &mut Sink<'_>) {
    let name = &provider.name;
    let sound = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if !sound {
        sink.say(
            Rule::BadName,
            &[&"name"],
            format!("{name:?} is not lower-case letters and digits"),
        );
    }
    for (what, is_missing) in [
        ("host", provider.hosts.is_empty()),
        ("plan", provider.plans.is_empty()),
        ("endpoint", provider.endpoints.is_empty()),
        ("authentication", provider.authentications.is_empty()),
    ] {
        if is_missing {
            sink.say(
                Rule::Incomplete,
                &[&what],
                format!("there is no [[{what}]]"),
            );
        }
    }
    duplicates(provider, sink);
    hosts(provider, sink);
    references(provider, sink);
}

fn duplicates(provider: &Provider, sink: &mut Sink<'_>) {
    twice("host", provider.hosts.iter().map(|h| h.id.as_str()), sink);
    twice(
        "credential",
        provider.credentials.iter().map(|c| c.id.as_str()),
        sink,
    );
    twice("plan", provider.plans.iter().map(|p| p.id.as_str()), sink);
    twice(
        "endpoint",
        provider.endpoints.iter().map(|e| e.id.as_str()),
        sink,
    );
    twice(
        "stream",
        provider.streams.iter().map(|s| s.id.as_str()),
        sink,
    );
    for (at, plan) in provider.plans.iter().enumerate() {
        let mut seen = BTreeSet::new();
        for (window_at, window) in plan.windows.iter().enumerate() {
            if !seen.insert(&window.id) {
                let message = format!("window `{}` stands twice in plan `{}`", window.id, plan.id);
                sink.say(
                    Rule::DuplicateId,
                    &[&"plan", &at, &"window", &window_at, &"id"],
                    message,
                );
            }
        }
    }
    let mut seen = BTreeSet::new();
    for (at, credential) in provider.credentials.iter().enumerate() {
        for (env_at, variable) in credential.env.iter().enumerate() {
            if !seen.insert(variable) {
                let message = format!("variable `{variable}` stands twice");
                sink.say(
                    Rule::DuplicateId,
                    &[&"credential", &at, &"env", &env_at],
                    message,
                );
            }
        }
    }
}

fn twice<'a>(kind: &str, ids: impl Iterator<Item = &'a str>, sink: &mut Sink<'_>) {
    let mut seen = BTreeSet::new();
    for (at, id) in ids.enumerate() {
        if !seen.insert(id) {
            sink.say(
                Rule::DuplicateId,
                &[&kind, &at, &"id"],
                format!("{kind} `{id}` stands twice"),
            );
        }
    }
}

fn hosts(provider: &Provider, sink: &mut Sink<'_>) {
    let mut known = Vec::new();
    for (at, host) in provider.hosts.iter().enumerate() {
        for (name_at, name) in host.names.iter().enumerate() {
            if known.iter().any(|other| name.overlaps(other)) {
                let message = format!("{name} belongs to two host groups");
                sink.say(
                    Rule::SharedHost,
                    &[&"host", &at, &"names", &name_at],
                    message,
                );
            }
            known.push(name.clone());
        }
    }
    let mut declared = |on: &[String], path: &[&dyn std::fmt::Display]| {
        for (at, id) in on.iter().enumerate() {
            if provider.host(id).is_none() {
                let path: Vec<_> = path
                    .iter()
                    .copied()
                    .chain([&"on" as &dyn std::fmt::Display, &at])
                    .collect();
                sink.say(
                    Rule::UndeclaredHost,
                    &path,
                    format!("host group `{id}` is not declared"),
                );
            }
        }
    };
    for (at, endpoint) in provider.endpoints.iter().enumerate() {
        declared(&endpoint.on, &[&"endpoint", &at]);
    }
    for (at, authentication) in provider.authentications.iter().enumerate() {
        declared(&authentication.on, &[&"authentication", &at]);
    }
    for (at, plan) in provider.plans.iter().enumerate() {
        for (window_at, window) in plan.windows.iter().enumerate() {
            declared(&window.on, &[&"plan", &at, &"window", &window_at]);
        }
    }
    for (at, endpoint) in provider.endpoints.iter().enumerate() {
        if endpoint.on.is_empty() {
            let message = format!("endpoint `{}` is on no host", endpoint.id);
            sink.say(Rule::UndeclaredHost, &[&"endpoint", &at, &"on"], message);
        }
    }
}

fn references(provider: &Provider, sink: &mut Sink<'_>) {
    for (at, authentication) in provider.authentications.iter().enumerate() {
        for id in authentication.how.credentials() {
            if !provider
                .credentials
                .iter()
                .any(|credential| credential.id == id)
            {
                let message = format!("credential `{id}` is not declared");
                sink.say(
                    Rule::UnknownReference,
                    &[&"authentication", &at, &"how"],
                    message,
                );
            }
        }
    }
    for (at, credential) in provider.credentials.iter().enumerate() {
        let mut carried = provider
            .authentications
            .iter()
            .flat_map(|a| a.how.credentials());
        // Without any authentication that is the mistake, and it is told already.
        if !provider.authentications.is_empty() && !carried.any(|id| id == credential.id) {
            let message = format!(
                "no authentication carries the credential `{}`",
                credential.id
            );
            sink.say(Rule::IdleCredential, &[&"credential", &at, &"id"], message);
        }
    }
    for (at, counter) in provider.counters.iter().enumerate() {
        let windows = || provider.plans.iter().flat_map(|plan| &plan.windows);
        if let Some(id) = counter
            .window
            .as_ref()
            .filter(|id| !windows().any(|w| w.id == **id))
        {
            let message = format!("window `{id}` is on no plan");
            sink.say(
                Rule::UnknownReference,
                &[&"counter", &at, &"window"],
                message,
            );
        }
    }
    for (at, endpoint) in provider.endpoints.iter().enumerate() {
        for (plan_at, id) in endpoint.plans.iter().enumerate() {
            if !provider.plans.iter().any(|plan| plan.id == *id) {
                let message = format!("plan `{id}` is not declared");
                sink.say(
                    Rule::UnknownReference,
                    &[&"endpoint", &at, &"plans", &plan_at],
                    message,
                );
            }
        }
    }
    let unknown = |ids: &[String]| {
        ids.iter()
            .find(|id| provider.endpoint(id).is_none())
            .cloned()
    };
    let message = |id: String| format!("endpoint `{id}` is not declared");
    for (at, sdk) in provider.sdks.iter().enumerate() {
        for (call_at, call) in sdk.calls.iter().enumerate() {
            if let Some(id) = unknown(&call.endpoints) {
                let path: &[&dyn std::fmt::Display] = &[&"sdk", &at, &"calls", &call_at];
                sink.say(Rule::UnknownReference, path, message(id));
            }
        }
    }
    for (at, refusal) in provider.refusals.iter().enumerate() {
        if let Some(id) = unknown(&refusal.endpoints) {
            sink.say(
                Rule::UnknownReference,
                &[&"refusal", &at, &"endpoints"],
                message(id),
            );
        }
    }
    for (at, quirk) in provider.quirks.iter().enumerate() {
        if let Some(id) = unknown(&quirk.endpoints) {
            sink.say(
                Rule::UnknownReference,
                &[&"quirk", &at, &"endpoints"],
                message(id),
            );
        }
    }
}

/// Says what `provider` claims that `other` claims as well.
pub(super) fn check_pair(provider: &Provider, other: &Provider, sink: &mut Sink<'_>) {
    for (at, credential) in provider.credentials.iter().enumerate() {
        for (env_at, variable) in credential.env.iter().enumerate() {
            if other.variables().any(|name| name == variable) {
                let message = format!("variable `{variable}` is claimed by {} too", other.name);
                sink.say(
                    Rule::SharedVariable,
                    &[&"credential", &at, &"env", &env_at],
                    message,
                );
            }
        }
    }
    let theirs: Vec<_> = other.hosts.iter().flat_map(|host| &host.names).collect();
    for (at, host) in provider.hosts.iter().enumerate() {
        for (name_at, name) in host.names.iter().enumerate() {
            if theirs.iter().any(|theirs| name.overlaps(theirs)) {
                let message = format!("host {name} is claimed by {} too", other.name);
                sink.say(
                    Rule::SharedHost,
                    &[&"host", &at, &"names", &name_at],
                    message,
                );
            }
        }
    }
}
