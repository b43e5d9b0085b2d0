//! Which calls are HTTP, over which client, and where their address, parameters and time-out stand.
//!
//! A table of the clients that Python bots use. Not here: what the address is ([`super::address`]) and
//! whose it is.

use tradewind_catalog::Method;

use crate::python::{Argument, Call, Value};

/// Who carries a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Client {
    /// `requests` and packages with its interface.
    Requests,
    /// `httpx`, which has a time-out of five seconds by itself.
    Httpx,
    /// `aiohttp`, which has a time-out of five minutes by itself.
    Aiohttp,
    /// `urllib.request`.
    Urllib,
    /// `urllib3`.
    Urllib3,
    /// `http.client`.
    HttpClient,
    /// A web socket.
    Socket,
    /// A reader of `pandas` that takes an address.
    Pandas,
    /// A package of the provider.
    Sdk,
    /// Something with a method of that name, handed in from elsewhere.
    Unknown,
}

/// A call over HTTP as it stands in the code.
#[derive(Clone, Debug)]
pub(super) struct Shape<'m> {
    pub client: Client,
    /// `None` when the code decides at run time.
    pub method: Option<Method>,
    /// The argument that holds the address or host.
    pub address: &'m Value,
    /// Whether the argument is a bare host.
    pub is_host: bool,
    pub params: Option<&'m Value>,
    pub body: Option<&'m Value>,
    pub headers: Option<&'m Value>,
}

const VERBS: &[(&str, Method)] = &[
    ("get", Method::Get),
    ("post", Method::Post),
    ("put", Method::Put),
    ("patch", Method::Patch),
    ("delete", Method::Delete),
];

impl<'m> Shape<'m> {
    /// Reads a call; `None` when it is none over HTTP.
    pub(super) fn of(call: &'m Call) -> Option<Self> {
        let callee = call.callee.as_ref();
        let (owner, last) = callee.rsplit_once('.').unwrap_or(("", callee));
        let root = callee.split('.').next().unwrap_or_default();
        // What is asked of an answer (`requests.get(…).json().get(…)`) goes nowhere.
        let is_of_answer = |part: &str| {
            VERBS.iter().any(|(verb, _)| *verb == part)
                || matches!(part, "json" | "headers" | "cookies" | "urlopen" | "loads")
        };
        if owner.split('.').any(is_of_answer) {
            return None;
        }
        let shape = |client, method, address, is_host| Self {
            client,
            method,
            address,
            is_host,
            params: named(call, "params").or_else(|| named(call, "fields")),
            body: named(call, "json").or_else(|| named(call, "data")),
            headers: named(call, "headers"),
        };
        let at = |name: &str, place: usize| argument(call, name, place);
        match (root, last) {
            ("urllib" | "urllib2", "urlopen" | "urlretrieve" | "Request") => {
                return Some(shape(
                    Client::Urllib,
                    Some(Method::Get),
                    at("url", 0)?,
                    false,
                ));
            }
            ("http", "HTTPSConnection" | "HTTPConnection") => {
                return Some(shape(Client::HttpClient, None, at("host", 0)?, true));
            }
            ("urllib3", "request") => {
                let method = at("method", 0).and_then(method_of);
                return Some(shape(Client::Urllib3, method, at("url", 1)?, false));
            }
            ("websockets", "connect") | ("websocket", "create_connection" | "WebSocketApp") => {
                return Some(shape(
                    Client::Socket,
                    None,
                    at("url", 0).or(at("uri", 0))?,
                    false,
                ));
            }
            ("pandas", "read_csv" | "read_json" | "read_html") => {
                let address = at("filepath_or_buffer", 0).or(named(call, "path_or_buf"))?;
                return Some(shape(Client::Pandas, Some(Method::Get), address, false));
            }
            _ => {}
        }
        let client = match root {
            "requests" | "requests_cache" | "requests_html" | "cloudscraper" | "grequests"
            | "requests_futures" | "requests_toolbelt" | "curl_cffi" => Client::Requests,
            "httpx" => Client::Httpx,
            "aiohttp" => Client::Aiohttp,
            _ => Client::Unknown,
        };
        if last == "request" || last == "ws_connect" {
            let (method, place) = if last == "request" {
                (at("method", 0).and_then(method_of), 1)
            } else {
                (None, 0)
            };
            return Some(shape(client, method, at("url", place)?, false));
        }
        // A plain function named `get` is no client; `dict.get` is told apart by its argument, later.
        if owner.is_empty() {
            return None;
        }
        let (_, method) = VERBS.iter().find(|(verb, _)| *verb == last)?;
        let mut found = shape(client, Some(*method), at("url", 0)?, false);
        // `get(url, params)` and `post(url, data)`.
        let second = argument(call, "", 1);
        match method {
            Method::Get => found.params = found.params.or(second),
            _ => found.body = found.body.or(second),
        }
        Some(found)
    }
}

/// Returns the argument of that name, or else at that place.
pub(super) fn argument<'m>(call: &'m Call, name: &str, place: usize) -> Option<&'m Value> {
    named(call, name).or_else(|| {
        let by_place = |argument: &&Argument| argument.name.is_none();
        Some(&call.arguments.iter().filter(by_place).nth(place)?.value)
    })
}

/// Returns the argument of that name.
pub(super) fn named<'m>(call: &'m Call, name: &str) -> Option<&'m Value> {
    let is = |argument: &&Argument| argument.name.as_deref() == Some(name);
    Some(&call.arguments.iter().find(is)?.value)
}

/// Returns the method that a text names.
pub(super) fn method_of(value: &Value) -> Option<Method> {
    let Value::Text(text) = value else {
        return None;
    };
    let (_, method) = VERBS
        .iter()
        .find(|(verb, _)| verb.eq_ignore_ascii_case(text))?;
    Some(*method)
}

/// Says whether a call waits without bound: `None` when that depends on what is handed in.
pub(super) fn has_timeout(client: Client, call: &Call) -> Option<bool> {
    let last = call.callee.rsplit('.').next().unwrap_or_default();
    if call
        .arguments
        .iter()
        .any(|a| a.name.as_deref() == Some("**"))
    {
        return None;
    }
    let given = match named(call, "timeout") {
        Some(Value::None) | None => Some(false),
        Some(_) => Some(true),
    };
    match (client, last) {
        (Client::Requests | Client::HttpClient, _) => given,
        (Client::Httpx | Client::Aiohttp, _) if named(call, "timeout") == Some(&Value::None) => {
            Some(false)
        }
        (Client::Urllib, "urlopen") => {
            Some(argument(call, "timeout", 2).is_some_and(|v| *v != Value::None))
        }
        _ => None,
    }
}
