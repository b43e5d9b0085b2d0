//! Facts: doubts are explained, sentences are sentences, patterns compile.
//!
//! Not here: whether a fact is true in the world.

use std::fmt::Display;

use super::{Rule, Sink};
use crate::basis::Basis;
use crate::provider::Provider;

pub(super) fn check(provider: &Provider, sink: &mut Sink<'_>) {
    doubt(Some(&provider.basis), &[], sink);
    sentence(Some(&provider.summary), &[&"summary"], sink);
    for (at, host) in provider.hosts.iter().enumerate() {
        doubt(host.basis.as_ref(), &[&"host", &at], sink);
        sentence(host.note.as_ref(), &[&"host", &at, &"note"], sink);
    }
    for (at, credential) in provider.credentials.iter().enumerate() {
        doubt(credential.basis.as_ref(), &[&"credential", &at], sink);
        if let Some(Err(error)) = credential
            .shape
            .as_ref()
            .map(|shape| regex::Regex::new(shape))
        {
            let first = error
                .to_string()
                .lines()
                .last()
                .unwrap_or_default()
                .to_owned();
            let message = format!(
                "the shape of `{}` is no regular expression: {first}",
                credential.id
            );
            sink.say(Rule::BadShape, &[&"credential", &at, &"shape"], message);
        }
    }
    for (at, authentication) in provider.authentications.iter().enumerate() {
        doubt(
            authentication.basis.as_ref(),
            &[&"authentication", &at],
            sink,
        );
        sentence(
            authentication.note.as_ref(),
            &[&"authentication", &at, &"note"],
            sink,
        );
    }
    for (at, plan) in provider.plans.iter().enumerate() {
        doubt(plan.basis.as_ref(), &[&"plan", &at], sink);
        sentence(plan.note.as_ref(), &[&"plan", &at, &"note"], sink);
        for (window_at, window) in plan.windows.iter().enumerate() {
            doubt(
                window.basis.as_ref(),
                &[&"plan", &at, &"window", &window_at],
                sink,
            );
            sentence(
                window.note.as_ref(),
                &[&"plan", &at, &"window", &window_at, &"note"],
                sink,
            );
        }
    }
    for (at, counter) in provider.counters.iter().enumerate() {
        doubt(counter.basis.as_ref(), &[&"counter", &at], sink);
    }
    for (at, stream) in provider.streams.iter().enumerate() {
        doubt(stream.basis.as_ref(), &[&"stream", &at], sink);
        sentence(stream.note.as_ref(), &[&"stream", &at, &"note"], sink);
    }
    for (at, refusal) in provider.refusals.iter().enumerate() {
        doubt(refusal.basis.as_ref(), &[&"refusal", &at], sink);
        sentence(refusal.note.as_ref(), &[&"refusal", &at, &"note"], sink);
    }
    for (at, quirk) in provider.quirks.iter().enumerate() {
        doubt(quirk.basis.as_ref(), &[&"quirk", &at], sink);
        sentence(Some(&quirk.text), &[&"quirk", &at, &"text"], sink);
    }
    for (at, sdk) in provider.sdks.iter().enumerate() {
        doubt(sdk.basis.as_ref(), &[&"sdk", &at], sink);
        sentence(sdk.note.as_ref(), &[&"sdk", &at, &"note"], sink);
    }
    endpoints(provider, sink);
}

fn endpoints(provider: &Provider, sink: &mut Sink<'_>) {
    for (at, endpoint) in provider.endpoints.iter().enumerate() {
        doubt(endpoint.basis.as_ref(), &[&"endpoint", &at], sink);
        sentence(
            Some(&endpoint.summary),
            &[&"endpoint", &at, &"summary"],
            sink,
        );
        sentence(endpoint.note.as_ref(), &[&"endpoint", &at, &"note"], sink);
        for (index, parameter) in endpoint.parameters.iter().enumerate() {
            doubt(
                parameter.basis.as_ref(),
                &[&"endpoint", &at, &"parameter", &index],
                sink,
            );
            let path: &[&dyn Display] = &[&"endpoint", &at, &"parameter", &index, &"note"];
            sentence(parameter.note.as_ref(), path, sink);
        }
        for (index, offer) in endpoint.offers.iter().enumerate() {
            let path: &[&dyn Display] = &[&"endpoint", &at, &"offer", &index];
            doubt(offer.basis.as_ref(), path, sink);
            let path: &[&dyn Display] = &[&"endpoint", &at, &"offer", &index, &"note"];
            sentence(offer.note.as_ref(), path, sink);
        }
        if let Some(answer) = &endpoint.answer {
            doubt(answer.basis.as_ref(), &[&"endpoint", &at, &"answer"], sink);
            let time = answer.time.as_ref().and_then(|time| time.note.as_ref());
            sentence(time, &[&"endpoint", &at, &"answer", &"time", &"note"], sink);
            let finality = answer
                .finality
                .as_ref()
                .and_then(|finality| finality.note.as_ref());
            sentence(
                finality,
                &[&"endpoint", &at, &"answer", &"finality", &"note"],
                sink,
            );
        }
    }
}

fn doubt(basis: Option<&Basis>, path: &[&dyn Display], sink: &mut Sink<'_>) {
    let Some(basis) = basis else { return };
    let mut path: Vec<&dyn Display> = path.to_vec();
    path.push(&"basis");
    if !basis.confirmed && basis.note.is_none() {
        sink.say(
            Rule::UnconfirmedWithoutNote,
            &path,
            "an unconfirmed fact needs a note on what is in doubt",
        );
    }
    path.push(&"note");
    sentence(basis.note.as_ref(), &path, sink);
}

fn sentence(text: Option<&String>, path: &[&dyn Display], sink: &mut Sink<'_>) {
    let sound = |text: &str| text.ends_with('.') && !text.starts_with(|c: char| c.is_lowercase());
    if let Some(text) = text.filter(|text| !sound(text)) {
        sink.say(Rule::NoSentence, path, format!("{text:?} is no sentence"));
    }
}
