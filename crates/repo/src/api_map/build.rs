//! Puts the map together: every call that leaves the process, whose it is, and through which helper.
//!
//! A helper such as `def _get(self, path): requests.get(BASE + path)` is followed one step back to the calls
//! that name the path, because only they know the endpoint.

use std::collections::HashMap;

use tradewind_catalog::url::Address;
use tradewind_catalog::{Catalog, Method, Target};

use super::client::{self, Client, Shape};
use super::names::{Names, Place};
use super::reach::Joiner;
use super::sdk::Packages;
use super::{ApiCall, ApiMap, KeyFrom, Outgoing, address, elsewhere, key, outlook};
use crate::project::Project;
use crate::python::{Call, Code, Function, Module, Value};
use crate::tree::Tree;

/// Most places that one helper is followed back to.
const MAX_USERS: usize = 200;

struct Builder<'a> {
    catalog: &'a Catalog,
    names: Names<'a>,
    packages: Packages<'a>,
    // Calls by the last part of their name.
    by_last: HashMap<&'a str, Vec<(usize, usize)>>,
    map: ApiMap,
}

impl ApiMap {
    /// Builds the map of a repository.
    pub fn build(code: &Code, _project: &Project, catalog: &Catalog, _tree: &Tree) -> Self {
        let mut builder = Builder::new(code, catalog);
        for (at, module) in code.modules.iter().enumerate() {
            for index in 0..module.calls.len() {
                builder.look(at, module, index);
            }
        }
        let callers = Joiner::join(code, &builder.names);
        let mut map = builder.map;
        map.elsewhere = elsewhere::calls(code, &map);
        outlook::tell(code, &callers, &mut map.calls);
        outlook::tell(code, &callers, &mut map.elsewhere);
        map.callers = callers;
        map.calls
            .sort_by(|a, b| (&a.path, a.line, &a.endpoint).cmp(&(&b.path, b.line, &b.endpoint)));
        map.calls.dedup_by(|a, b| {
            (&a.path, a.line, &a.endpoint, &a.provider)
                == (&b.path, b.line, &b.endpoint, &b.provider)
        });
        map
    }
}

impl<'a> Builder<'a> {
    fn new(code: &'a Code, catalog: &'a Catalog) -> Self {
        let mut by_last: HashMap<&str, Vec<(usize, usize)>> = HashMap::new();
        for (at, module) in code.modules.iter().enumerate() {
            for (index, call) in module.calls.iter().enumerate() {
                let last = call.callee.rsplit('.').next().unwrap_or_default();
                by_last.entry(last).or_default().push((at, index));
            }
        }
        Self {
            catalog,
            names: Names::new(code),
            packages: Packages::new(catalog, code),
            by_last,
            map: ApiMap::default(),
        }
    }

    fn look(&mut self, at: usize, module: &'a Module, index: usize) {
        let Some(call) = module.calls.get(index) else {
            return;
        };
        if let Some(owner) = self.packages.owner(call) {
            let carrier = self.send(at, module, index, call, (Client::Sdk, None, None));
            let endpoint = owner.endpoint.and_then(|id| owner.provider.endpoint(id));
            let key = key::nearby(&self.names, at, owner.provider);
            self.map.calls.push(ApiCall {
                provider: owner.provider.name.as_str().into(),
                endpoint: endpoint.map(|e| e.id.as_str().into()),
                use_case: endpoint.map(|e| e.use_case).or(owner.use_case),
                key,
                query: named_texts(call),
                ..blank(at, module, index, call, carrier)
            });
            return;
        }
        let Some(mut shape) = Shape::of(call) else {
            return;
        };
        let place = Place {
            module: at,
            scope: call.scope,
            line: call.line,
        };
        self.complete(place, &mut shape);
        let text = address::text(&self.names, place, shape.address);
        let text = text.map(|text| {
            if shape.is_host {
                format!("https://{text}")
            } else {
                text
            }
        });
        let parsed = text.as_deref().and_then(Address::parse);
        // An unknown object with a method `get` is a client only when an address proves it; a file that
        // pandas reads is no call.
        if parsed.is_none() && matches!(shape.client, Client::Unknown | Client::Pandas) {
            return;
        }
        // `urlopen(Request(url))` is one call.
        if call.callee.ends_with(".Request") && shape.client == Client::Urllib {
            return;
        }
        let carrier = self.send(
            at,
            module,
            index,
            call,
            (shape.client, shape.method, text.as_deref()),
        );
        if let Some(text) = &text
            && !self.asked(place, &shape, text, (module, index, call, carrier))
        {
            return;
        }
        if text.is_none() || text.as_deref().is_some_and(|text| text.contains('{')) {
            self.follow_back(at, module, call, &shape, carrier);
        }
    }

    /// Takes method, headers and body from the request object that `urlopen` is given.
    fn complete(&self, place: Place, shape: &mut Shape<'a>) {
        if shape.client != Client::Urllib {
            return;
        }
        let made = match shape.address {
            Value::Name(name) => self.names.value(place, name, super::names::DEPTH),
            other => Some((other, place)),
        };
        let Some((Value::Call(callee, line), there)) = made else {
            return;
        };
        let request = self.names.call(there.module, callee, *line);
        let Some(request) = request.filter(|call| call.callee.ends_with(".Request")) else {
            return;
        };
        shape.headers = client::argument(request, "headers", 2);
        shape.body = client::argument(request, "data", 1).filter(|data| **data != Value::None);
        shape.method = match client::named(request, "method") {
            Some(given) => client::method_of(given),
            None if shape.body.is_some() => Some(Method::Post),
            None => Some(Method::Get),
        };
    }

    fn send(
        &mut self,
        at: usize,
        module: &Module,
        index: usize,
        call: &Call,
        (client, method, text): (Client, Option<Method>, Option<&str>),
    ) -> usize {
        let host = text
            .and_then(Address::parse)
            .map(|a| a.host.as_str().into());
        self.map.outgoing.push(Outgoing {
            path: module.path.clone(),
            module: at,
            call: index,
            line: call.line,
            scope: call.scope,
            client,
            method,
            address: text.map(Into::into),
            host,
            has_timeout: client::has_timeout(client, call),
        });
        self.map.outgoing.len() - 1
    }

    /// Adds the call when its host is a provider's. Says whether a helper may still know more.
    fn asked(
        &mut self,
        place: Place,
        shape: &Shape<'_>,
        text: &str,
        (module, index, call, carrier): (&Module, usize, &Call, usize),
    ) -> bool {
        let given = self.given(place, shape, text);
        let known: Vec<(String, String)> = given
            .iter()
            .map(|(name, value)| {
                let text = address::text(&self.names, place, value);
                (name.clone(), text.unwrap_or_else(|| "{x}".to_owned()))
            })
            .collect();
        let Some(target) = self.target(shape.method, text, &known) else {
            return true;
        };
        let is_told = target.matched.is_some();
        let provider = target.provider;
        let key = key::of_http(&self.names, place, provider, &given);
        let found = ApiCall {
            key,
            ..described(
                &target,
                &known,
                blank(place.module, module, index, call, carrier),
            )
        };
        self.map.calls.push(found);
        !is_told
    }

    fn target(
        &self,
        method: Option<Method>,
        text: &str,
        known: &[(String, String)],
    ) -> Option<Target<'a>> {
        let query: Vec<(&str, &str)> = known
            .iter()
            .map(|(a, b)| (a.as_str(), b.as_str()))
            .collect();
        let methods = [
            Method::Get,
            Method::Post,
            Method::Delete,
            Method::Put,
            Method::Patch,
        ];
        if let Some(method) = method {
            return self.catalog.target(method, text, &query);
        }
        let mut found = None;
        for method in methods {
            let target = self.catalog.target(method, text, &query)?;
            if target.matched.is_some() {
                return Some(target);
            }
            found = found.or(Some(target));
        }
        found
    }

    /// Returns what is sent by name: query, parameters and headers.
    fn given(&self, place: Place, shape: &Shape<'_>, text: &str) -> Vec<(String, Value)> {
        let mut given: Vec<(String, Value)> = Vec::new();
        for value in [shape.params, shape.headers, shape.body]
            .into_iter()
            .flatten()
        {
            let value = match value {
                Value::Name(name) => match self.names.value(place, name, super::names::DEPTH) {
                    Some((value, _)) => value,
                    None => continue,
                },
                other => other,
            };
            if let Value::Dict(pairs) = value {
                given.extend(
                    pairs
                        .iter()
                        .map(|(name, value)| (name.to_string(), value.clone())),
                );
            }
        }
        let query = text.split_once('?').map_or("", |(_, query)| query);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let hole = value.strip_prefix('{').and_then(|v| v.strip_suffix('}'));
            let value = match hole {
                Some(name) => Value::Name(name.into()),
                None => Value::Text(value.into()),
            };
            given.push((name.to_owned(), value));
        }
        given
    }

    /// Looks at the calls of the function around a helper's call: they may name the address.
    fn follow_back(
        &mut self,
        at: usize,
        module: &'a Module,
        call: &'a Call,
        shape: &Shape<'a>,
        carrier: usize,
    ) {
        let Some(function) = call
            .scope
            .and_then(|scope| module.functions.get(scope as usize))
        else {
            return;
        };
        for (user, index) in self.users(at, function) {
            let Some(code) = self.names.module(user) else {
                continue;
            };
            let Some(use_) = code.calls.get(index) else {
                continue;
            };
            let place = Place {
                module: user,
                scope: use_.scope,
                line: use_.line,
            };
            let inside = Place {
                module: at,
                scope: call.scope,
                line: call.line,
            };
            let Some(text) = self.filled(inside, shape.address, function, use_, place) else {
                continue;
            };
            if Address::parse(&text).is_none() {
                continue;
            }
            let params = client::named(use_, "params").or(shape.params);
            let method = shape.method.or_else(|| method_given(function, use_));
            let outer = Shape {
                method,
                params,
                ..shape.clone()
            };
            self.asked(place, &outer, &text, (code, index, use_, carrier));
        }
    }

    /// Returns the address with what `use_` gives for the parameters of `function`.
    fn filled(
        &self,
        inside: Place,
        value: &Value,
        function: &Function,
        use_: &Call,
        place: Place,
    ) -> Option<String> {
        let mut text = match value {
            Value::Name(name) if function.parameters.iter().any(|p| p.name == *name) => {
                format!("{{{name}}}")
            }
            other => address::text(&self.names, inside, other)?,
        };
        let is_method = function.class.is_some()
            && !function
                .decorators
                .iter()
                .any(|d| d.as_ref() == "staticmethod");
        let parameters = function.parameters.iter().skip(usize::from(is_method));
        let mut filled_any = false;
        for (at, parameter) in parameters.enumerate() {
            let hole = format!("{{{}}}", parameter.name);
            if !text.contains(&hole) {
                continue;
            }
            let given = client::argument(use_, &parameter.name, at)?;
            let given = address::text(&self.names, place, given)?;
            text = text.replace(&hole, &given);
            filled_any = true;
        }
        filled_any.then_some(text)
    }

    /// Returns the calls of a function, as far as names tell.
    pub(super) fn users(&self, at: usize, function: &Function) -> Vec<(usize, usize)> {
        let candidates = self.by_last.get(function.name.as_ref());
        let mut found = Vec::new();
        for &(user, index) in candidates.into_iter().flatten().take(MAX_USERS) {
            let Some(call) = self.names.module(user).and_then(|m| m.calls.get(index)) else {
                continue;
            };
            let callee = call.callee.replace("()", "");
            let owner = callee.rsplit_once('.').map_or("", |(owner, _)| owner);
            let is_same = if user == at {
                callee == *function.qualified
                    || owner == "self"
                    || owner == "cls"
                    || function.class.is_none() && callee == *function.name
                    || function.qualified.ends_with(&callee)
            } else {
                match self.names.split(user, &callee) {
                    Some((owner, rest)) => owner == at && *rest == *function.qualified,
                    // A method of an object from elsewhere, when only one class has it.
                    None => owner == "self" && self.is_inherited(user, call, at),
                }
            };
            if is_same {
                found.push((user, index));
            }
        }
        found
    }

    /// Says whether the class around `call` has a base in module `at`.
    fn is_inherited(&self, user: usize, call: &Call, at: usize) -> bool {
        let class = || {
            let module = self.names.module(user)?;
            let function = module.functions.get(call.scope? as usize)?;
            module.classes.get(function.class? as usize)
        };
        class().is_some_and(|class| {
            class.bases.iter().any(|base| {
                self.names
                    .class(user, base)
                    .is_some_and(|(owner, _)| owner == at)
            })
        })
    }
}

/// Returns the method that a caller names: `self._request("GET", "/v2/account")`.
fn method_given(function: &Function, use_: &Call) -> Option<Method> {
    let is_method = usize::from(function.class.is_some());
    let place = function
        .parameters
        .iter()
        .skip(is_method)
        .position(|p| matches!(p.name.as_ref(), "method" | "verb" | "http_method"))?;
    match client::argument(use_, "method", place)? {
        Value::Text(text) => match text.to_ascii_uppercase().as_str() {
            "GET" => Some(Method::Get),
            "POST" => Some(Method::Post),
            "PUT" => Some(Method::Put),
            "PATCH" => Some(Method::Patch),
            "DELETE" => Some(Method::Delete),
            _ => None,
        },
        _ => None,
    }
}

fn named_texts(call: &Call) -> Vec<(Box<str>, Box<str>)> {
    let text = |value: &Value| match value {
        Value::Text(text) => text.clone(),
        Value::Number(number) => number.clone(),
        _ => "{x}".into(),
    };
    call.arguments
        .iter()
        .filter_map(|argument| Some((argument.name.clone()?, text(&argument.value))))
        .collect()
}

fn described(target: &Target<'_>, known: &[(String, String)], blank: ApiCall) -> ApiCall {
    let matched = target.matched.as_ref();
    ApiCall {
        provider: target.provider.name.as_str().into(),
        endpoint: matched.map(|m| m.endpoint.id.as_str().into()),
        use_case: matched.map(|m| m.endpoint.use_case),
        elsewhere: target
            .elsewhere
            .as_ref()
            .map(|m| m.endpoint.id.as_str().into()),
        query: known
            .iter()
            .map(|(name, value)| (name.as_str().into(), value.as_str().into()))
            .collect(),
        ..blank
    }
}

pub(super) fn blank(
    at: usize,
    module: &Module,
    index: usize,
    call: &Call,
    carrier: usize,
) -> ApiCall {
    let function = call
        .scope
        .and_then(|scope| module.functions.get(scope as usize));
    ApiCall {
        path: module.path.clone(),
        module: at,
        call: index,
        line: call.line,
        scope: call.scope,
        function: function.map(|f| f.qualified.clone()).unwrap_or_default(),
        provider: "".into(),
        endpoint: None,
        use_case: None,
        elsewhere: None,
        query: Vec::new(),
        carrier,
        key: KeyFrom::Unseen,
        entry_points: Vec::new(),
        is_reachable: None,
        obstacles: Vec::new(),
    }
}
