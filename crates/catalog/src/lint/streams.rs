//! Streams: a connection can be opened from each of them, subscribed to, and its messages read.
//!
//! Not here: whether the mapping is right; only recorded messages show that.

use std::collections::BTreeSet;

use super::{Rule, Sink};
use crate::endpoint::UseCase;
use crate::host::Role;
use crate::provider::Provider;
use crate::stream::{Stream, fill, placeholders};

pub(super) fn check(provider: &Provider, sink: &mut Sink<'_>) {
    for (at, stream) in provider.streams.iter().enumerate() {
        check_one(provider, stream, at, sink);
    }
}

fn check_one(provider: &Provider, stream: &Stream, at: usize, sink: &mut Sink<'_>) {
    let mut say = |rule: Rule, key: &str, message: String| {
        sink.say(rule, &[&"stream", &at, &key], message);
    };
    match provider.host(&stream.on) {
        None => {
            let message = format!("host group `{}` is not declared", stream.on);
            say(Rule::UndeclaredHost, "on", message);
        }
        Some(host) if host.role != Role::Stream => {
            let message = format!("host group `{}` is not for streams", stream.on);
            say(Rule::UnusableStream, "on", message);
        }
        Some(host) if host.names.first().is_none_or(|name| name.exact().is_none()) => {
            let message = format!(
                "the first name of host group `{}` is no whole name",
                stream.on
            );
            say(Rule::UnusableStream, "on", message);
        }
        Some(_) => {}
    }
    let is_path = stream.path.starts_with('/') && !stream.path.contains(['?', '#', '{', ' ']);
    if !is_path {
        let message = format!("{:?} is no path", stream.path);
        say(Rule::UnusableStream, "path", message);
    }
    if let Err(error) = stream.messages.compile(&[]) {
        say(Rule::BadMapping, "messages", error.to_string());
    }
    for id in stream.credentials() {
        if !provider.credentials.iter().any(|known| known.id == id) {
            let message = format!("credential `{id}` is not declared");
            say(Rule::UnknownReference, "authenticate", message);
        }
    }
    if let Some(template) = &stream.authenticate
        && !is_json(template, &|_| Some("\"a\"".to_owned()))
    {
        let message = "the message is no JSON".to_owned();
        say(Rule::UnusableStream, "authenticate", message);
    }
    if stream.silence.count == 0 || stream.lifetime.is_some_and(|lifetime| lifetime.count == 0) {
        say(
            Rule::UnusableStream,
            "silence",
            "it lasts no time".to_owned(),
        );
    }
    let bounds = [
        ("max_items", stream.max_items),
        ("max_connections", stream.max_connections),
        ("max_messages_per_second", stream.max_messages_per_second),
    ];
    let per_message = stream
        .channels
        .iter()
        .map(|channel| ("channel", channel.items_per_message));
    for (key, bound) in bounds.into_iter().chain(per_message) {
        if bound == Some(0) {
            say(Rule::UnusableStream, key, "it allows nothing".to_owned());
        }
    }
    check_channels(stream, &mut say);
}

fn check_channels(stream: &Stream, say: &mut dyn FnMut(Rule, &str, String)) {
    let mut seen = BTreeSet::new();
    if stream.channels.is_empty() {
        say(Rule::UnusableStream, "channel", "there is none".to_owned());
    }
    for channel in &stream.channels {
        if !matches!(channel.use_case, UseCase::Trades | UseCase::Quote)
            || !seen.insert(channel.use_case)
        {
            let message = "a channel is for trades or quotes, and stands once".to_owned();
            say(Rule::UnusableStream, "channel", message);
        }
        if !["{symbol}", "{lower}"]
            .iter()
            .any(|form| channel.item.contains(form))
        {
            let message = "the symbol is not in the item".to_owned();
            say(Rule::UnusableStream, "channel", message);
        }
        for template in [&channel.subscribe, &channel.unsubscribe] {
            let items = if channel.items_per_message == Some(1) {
                "\"a\""
            } else {
                "\"a\",\"b\""
            };
            let value = |name: &str| match name {
                "items" => Some(items.to_owned()),
                "id" => Some("1".to_owned()),
                _ => None,
            };
            if !is_json(template, &value) || !placeholders(template).contains(&"items") {
                let message = "a message is JSON and has {items} in it".to_owned();
                say(Rule::UnusableStream, "channel", message);
            }
        }
    }
}

fn is_json(template: &str, value: &dyn Fn(&str) -> Option<String>) -> bool {
    fill(template, value)
        .is_some_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok())
}
