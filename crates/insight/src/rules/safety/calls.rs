//! What rules of this area ask of calls.

use tradewind_repo::python::{Argument, Call, Module, ScopeId, Value};

/// Calls that bring bytes from elsewhere.
const NETWORK: &[&str] = &[
    "requests.get",
    "requests.post",
    "requests.request",
    "requests.Session.get",
    "requests.Session.post",
    "urllib.request.urlopen",
    "urllib.request.urlretrieve",
    "httpx.get",
    "httpx.post",
    "httpx.Client.get",
    "httpx.AsyncClient.get",
    "aiohttp.ClientSession.get",
    "wget.download",
    "gdown.download",
    "boto3.client.download_file",
    "boto3.client.download_fileobj",
    "boto3.client.get_object",
    "socket.socket.recv",
    "redis.Redis.get",
    "redis.StrictRedis.get",
    "huggingface_hub.hf_hub_download",
    "urllib3.PoolManager.request",
    "ftplib.FTP.retrbinary",
    "paramiko.SFTPClient.get",
];

/// Says whether a call brings bytes from elsewhere.
pub(super) fn is_network(call: &Call) -> bool {
    let callee = call.callee.as_ref();
    NETWORK.iter().any(|name| {
        callee == *name
            || callee
                .strip_prefix(name)
                .is_some_and(|rest| rest.starts_with('.'))
    })
}

/// Returns the calls of one function (or of the module's own level).
pub(super) fn of_scope(module: &Module, scope: ScopeId) -> impl Iterator<Item = &Call> {
    module.calls.iter().filter(move |call| call.scope == scope)
}

/// Returns the argument at a place or of a name.
pub(super) fn argument<'c>(call: &'c Call, place: usize, names: &[&str]) -> Option<&'c Value> {
    let by_name = call.arguments.iter().find(|argument| {
        argument
            .name
            .as_deref()
            .is_some_and(|name| names.contains(&name))
    });
    let by_place = || {
        call.arguments
            .get(place)
            .filter(|argument| argument.name.is_none())
    };
    by_name
        .or_else(by_place)
        .map(|argument: &Argument| &argument.value)
}

/// Returns the known text of a value: parts that are put in read `{}`.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.to_string()),
        Value::Parts(parts) => Some(
            parts
                .iter()
                .map(|(is_known, text)| if *is_known { text.as_ref() } else { "{}" })
                .collect(),
        ),
        Value::List(items) => {
            let words: Vec<String> = items
                .iter()
                .map(|item| text(item).unwrap_or_else(|| "{}".to_owned()))
                .collect();
            Some(words.join(" "))
        }
        _ => None,
    }
}

/// Returns every name that a value holds.
pub(super) fn names(value: &Value) -> Vec<&str> {
    match value {
        Value::Name(name) | Value::Call(name, _) | Value::Item(name, _) => vec![name],
        Value::Parts(parts) => parts
            .iter()
            .filter(|(is_known, _)| !is_known)
            .map(|(_, name)| name.as_ref())
            .collect(),
        Value::List(items) | Value::Either(items) => items.iter().flat_map(names).collect(),
        Value::Dict(items) => items.iter().flat_map(|(_, value)| names(value)).collect(),
        _ => Vec::new(),
    }
}

/// Quotes a line of a file.
pub(super) fn line(text: &str, number: u32) -> String {
    let line = text
        .lines()
        .nth(number.saturating_sub(1) as usize)
        .unwrap_or_default();
    line.trim().chars().take(160).collect()
}
