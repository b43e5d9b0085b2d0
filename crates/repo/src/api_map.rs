//! Which provider is called from where: host or SDK call, function, callers, entry points, and the
//! variable that carries the key.
//!
//! Why: quotas, keys and refusals belong to providers, so whoever looks after them must know every place
//! that asks. Addresses are put together from constants over files as far as the code writes them down;
//! nothing is executed. What goes to hosts that the catalog does not know is listed apart.
//! Not here: what is wrong with a call (the rules). Start reading at [`ApiMap`].

mod address;
mod build;
mod client;
mod elsewhere;
mod key;
mod names;
mod outlook;
mod reach;
mod sdk;

use serde::Serialize;
use tradewind_catalog::{Method, UseCase};

use crate::python::ScopeId;

pub use client::Client;
pub use key::KeyFrom;
pub use reach::{Caller, Callers, Node};

/// One call that leaves the process, whoever answers.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The file.
    pub path: Box<str>,
    /// Index of the file in [`crate::python::Code::modules`].
    pub module: usize,
    /// Index of the call in its module.
    pub call: usize,
    /// The line.
    pub line: u32,
    /// The function it stands in.
    pub scope: ScopeId,
    /// Who carries it.
    pub client: Client,
    /// The method, where the code says it.
    pub method: Option<Method>,
    /// The address as far as it is known, unknown parts as `{name}`. `None` for packages.
    pub address: Option<Box<str>>,
    /// The host, in lower case, where it is known.
    pub host: Option<Box<str>>,
    /// Whether it ends by itself when nobody answers; `None` when that is decided elsewhere.
    pub has_timeout: Option<bool>,
}

/// One place that asks a provider for one thing.
#[derive(Clone, Debug)]
pub struct ApiCall {
    /// The file that says what is asked.
    pub path: Box<str>,
    /// Index of the file in [`crate::python::Code::modules`].
    pub module: usize,
    /// Index of the call in its module.
    pub call: usize,
    /// The line.
    pub line: u32,
    /// The function it stands in.
    pub scope: ScopeId,
    /// Name of that function; empty at module level.
    pub function: Box<str>,
    /// Name of the provider in the catalog.
    pub provider: Box<str>,
    /// Id of the endpoint in the catalog; `None` when it cannot be told.
    pub endpoint: Option<Box<str>>,
    /// What the endpoint is for.
    pub use_case: Option<UseCase>,
    /// Id of an endpoint of this form that another host of the provider has, when this one has none.
    pub elsewhere: Option<Box<str>>,
    /// What is sent in the query, as far as it is known.
    pub query: Vec<(Box<str>, Box<str>)>,
    /// Index in [`ApiMap::outgoing`] of the call that carries it: the same place, or the helper it
    /// goes through.
    pub carrier: usize,
    /// Where the key comes from.
    pub key: KeyFrom,
    /// What starts it: scripts, commands, routes, jobs. Empty when nothing does.
    pub entry_points: Vec<Box<str>>,
    /// Whether something starts it; `None` when that cannot be told.
    pub is_reachable: Option<bool>,
    /// Why it cannot succeed, in a sentence each.
    pub obstacles: Vec<String>,
}

/// Which provider is called from where.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct ApiMap {
    /// Every call that leaves the process, by file and line.
    pub outgoing: Vec<Outgoing>,
    /// Every place that asks a provider, by file and line.
    pub calls: Vec<ApiCall>,
    /// Every place that asks somebody whom the catalog does not describe, by file and line: the provider is
    /// the name of the package that asks, or the host. No rule judges these; reports list them.
    pub elsewhere: Vec<ApiCall>,
    /// Who calls whom, likely callers included.
    pub callers: Callers,
    /// What could not be followed.
    pub unread: Vec<crate::tree::Unread>,
}

/// One endpoint with everything that asks it, as reports carry it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Name of the provider.
    pub provider: String,
    /// The endpoint; null when it cannot be told.
    pub endpoint: Option<String>,
    /// The places.
    pub calls: Vec<EntryCall>,
}

/// One place that asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EntryCall {
    /// The file.
    pub path: String,
    /// The line.
    pub line: u32,
    /// The function; null at module level.
    pub function: Option<String>,
    /// What starts it.
    pub entry_points: Vec<String>,
    /// The variable or name that carries the key; null when there is none.
    pub key_from: Option<String>,
    /// Whether something starts it and nothing on the way stops it; null when that cannot be told.
    pub reachable: Option<bool>,
}

impl ApiMap {
    /// Returns the map as reports carry it: by provider and endpoint, those of the catalog and all others.
    pub fn entries(&self) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut sorted: Vec<&ApiCall> = self.calls.iter().chain(&self.elsewhere).collect();
        sorted.sort_by_key(|call| (&call.provider, &call.endpoint, &call.path, call.line));
        for call in sorted {
            let endpoint = call.endpoint.as_deref();
            let same = |entry: &Entry| {
                *entry.provider == *call.provider && entry.endpoint.as_deref() == endpoint
            };
            if !entries.last().is_some_and(same) {
                entries.push(Entry {
                    provider: call.provider.to_string(),
                    endpoint: endpoint.map(str::to_owned),
                    calls: Vec::new(),
                });
            }
            let Some(entry) = entries.last_mut() else {
                continue;
            };
            entry.calls.push(EntryCall {
                path: call.path.to_string(),
                line: call.line,
                function: (!call.function.is_empty()).then(|| call.function.to_string()),
                entry_points: call.entry_points.iter().map(ToString::to_string).collect(),
                key_from: call.key.words().map(str::to_owned),
                reachable: if call.obstacles.is_empty() {
                    call.is_reachable
                } else {
                    Some(false)
                },
            });
        }
        entries
    }

    /// Returns the hosts that no provider of the catalog owns, with the places that ask them.
    pub fn unknown_hosts(&self) -> Vec<(&str, Vec<&Outgoing>)> {
        let mut hosts: std::collections::BTreeMap<&str, Vec<&Outgoing>> =
            std::collections::BTreeMap::new();
        for (at, outgoing) in self.outgoing.iter().enumerate() {
            let is_known = self.calls.iter().any(|call| call.carrier == at);
            if let (false, Some(host)) = (is_known, outgoing.host.as_deref()) {
                hosts.entry(host).or_default().push(outgoing);
            }
        }
        hosts.into_iter().collect()
    }
}
