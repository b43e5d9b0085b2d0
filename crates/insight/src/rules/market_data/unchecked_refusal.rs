//! Refusals with status 200 that are read as an empty answer.

use tradewind_catalog::Provider;
use tradewind_repo::api_map::Client;
use tradewind_repo::python::{Call, Module, Value};

use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};
use crate::source::{Source, is_test};

/// Refusals with status 200 that are read as an empty answer.
#[derive(Debug)]
pub struct UncheckedRefusal;

const ABOUT: About = About {
    id: "unchecked-refusal",
    title: "Refusals that come with status 200 are read as empty data",
    area: Area::MarketData,
    severity: Severity::High,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Immediate,
    impact: "\"Limit reached\" reads as \"no data\": reports come out empty, downloads write empty files and say done.",
    action: "Take the presence of the data key as the only success; raise with the provider's words otherwise.",
    after: &[],
};

impl Rule for UncheckedRefusal {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        for provider in context.catalog.providers() {
            let refusals = || {
                provider
                    .refusals
                    .iter()
                    .filter(|refusal| refusal.present.is_some())
            };
            let refuses: Vec<&str> = refusals()
                .filter(|refusal| refusal.status.is_empty() || refusal.status.contains(&200))
                .filter_map(|refusal| top(refusal.present.as_ref()?.as_str()))
                .collect();
            // Where a refusal may come with a status of its own, looking at that is a check, too.
            let is_always_200 = refusals().any(|refusal| refusal.status == [200]);
            let refuses = Refuses {
                names: refuses,
                is_always_200,
            };
            if refuses.names.is_empty() {
                continue;
            }
            for (at, module) in context.code.modules.iter().enumerate() {
                if is_test(&module.path) {
                    continue;
                }
                look(context, findings, provider, &refuses, (at, module));
            }
            tables(context, findings, provider);
        }
    }
}

/// How a provider refuses.
struct Refuses<'a> {
    names: Vec<&'a str>,
    is_always_200: bool,
}

/// Looks for `answer.get("Time Series (Daily)", {})` in one file.
fn look(
    context: &Context<'_>,
    findings: &mut Findings,
    provider: &Provider,
    refuses: &Refuses<'_>,
    (at, module): (usize, &Module),
) {
    let mut source = None;
    for call in &module.calls {
        let Some(key) = empty_for(call) else {
            continue;
        };
        let is_data = provider.endpoints.iter().any(|endpoint| {
            endpoint.success.as_ref().is_some_and(|success| {
                let mut places = success.present.iter().chain(&success.any);
                places.any(|place| top(place.as_str()).is_some_and(|name| is_like(name, key)))
            })
        });
        // A plain word may be anybody's; only a function that asks this provider itself means its answer.
        let is_own = key.contains(' ')
            || context.api_map.calls.iter().any(|asked| {
                *asked.provider == *provider.name && asked.module == at && asked.scope == call.scope
            });
        if !is_data || !is_own {
            continue;
        }
        if source.is_none() {
            source = Source::read(context, &module.path);
        }
        let Some(source) = &source else { return };
        let text = source.around(module, call.scope);
        if is_checked(&text, key, refuses) {
            continue;
        }
        let mut places = vec![source.at(call.line)];
        places.extend(askers(context, provider, at, module, call));
        let title = format!(
            "a refusal of {} becomes an empty \"{key}\" in {}",
            provider.title, module.path
        );
        findings.add(title, places);
    }
}

/// Answers as a table: a refusal is one, too.
fn tables(context: &Context<'_>, findings: &mut Findings, provider: &Provider) {
    for asked in &context.api_map.calls {
        let carrier = context.api_map.outgoing.get(asked.carrier);
        let is_table = carrier.is_some_and(|carrier| carrier.client == Client::Pandas);
        if *asked.provider != *provider.name || !is_table || is_test(&asked.path) {
            continue;
        }
        let (Some(source), Some(module)) = (
            Source::read(context, &asked.path),
            context.code.modules.get(asked.module),
        ) else {
            continue;
        };
        let text = source.around(module, asked.scope);
        if text.contains("columns") || text.contains(".empty") {
            continue;
        }
        let title = format!("a refusal of {} is read as a table", provider.title);
        let finding = findings.add(title, vec![source.at(asked.line)]);
        "Fetch the text first and check that it begins with the expected header."
            .clone_into(&mut finding.action);
    }
}

/// Returns the key of `answer.get(key, <something empty>)`.
fn empty_for(call: &Call) -> Option<&str> {
    if call.callee.rsplit('.').next() != Some("get") {
        return None;
    }
    let [key, default] = call.arguments.as_slice() else {
        return None;
    };
    let is_empty = match &default.value {
        Value::List(items) => items.is_empty(),
        Value::Dict(pairs) => pairs.is_empty(),
        Value::Text(text) => text.is_empty(),
        _ => false,
    };
    match &key.value {
        Value::Text(key) if is_empty => Some(key),
        _ => None,
    }
}

/// Says whether a function looks for a refusal, or for the key, before it goes on.
fn is_checked(text: &str, key: &str, refuses: &Refuses<'_>) -> bool {
    let quoted = |name: &str| [format!("\"{name}\""), format!("'{name}'")];
    let names_refusal = refuses
        .names
        .iter()
        .any(|name| quoted(name).iter().any(|q| text.contains(q.as_str())));
    let tests_key = quoted(key)
        .iter()
        .any(|q| text.contains(&format!("{q} in ")) || text.contains(&format!("{q} not in ")));
    let looks_at_status = ["raise_for_status", "status_code", ".ok"]
        .iter()
        .any(|word| text.contains(word));
    names_refusal
        || looks_at_status && !refuses.is_always_200
        || tests_key
        || text.contains("raise ")
        || text.contains("logger.")
        || text.contains("logging.")
}

/// Returns the places where the answer is handed to the function that reads it.
fn askers(
    context: &Context<'_>,
    provider: &Provider,
    at: usize,
    module: &Module,
    call: &Call,
) -> Vec<Evidence> {
    let is_asked_by = |module: usize, scope| {
        context.api_map.calls.iter().any(|asked| {
            *asked.provider == *provider.name && asked.module == module && asked.scope == scope
        })
    };
    if module.functions.is_empty() || is_asked_by(at, call.scope) {
        return Vec::new();
    }
    let mut places = Vec::new();
    for caller in context.api_map.callers.of(at, call.scope) {
        if !is_asked_by(caller.module, caller.scope) {
            continue;
        }
        let Some(of) = context.code.modules.get(caller.module) else {
            continue;
        };
        let line = caller
            .call
            .and_then(|call| of.calls.get(call))
            .map(|call| call.line);
        if let (Some(line), Some(source)) = (line, Source::read(context, &of.path)) {
            places.push(source.at(line));
        }
    }
    places
}

/// Returns the first name of a pointer: `Time Series (*)` of `/Time Series (*)`.
fn top(pointer: &str) -> Option<&str> {
    pointer
        .strip_prefix('/')?
        .split('/')
        .next()
        .filter(|name| !name.is_empty())
}

/// Says whether a key has the form of a name with a star.
fn is_like(name: &str, key: &str) -> bool {
    match name.split_once('*') {
        None => name == key,
        Some((front, back)) => {
            !front.is_empty()
                && key.len() >= front.len() + back.len()
                && key.starts_with(front)
                && key.ends_with(back)
        }
    }
}
