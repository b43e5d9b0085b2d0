//! A provider: everything that one file of the catalog says.
//!
//! Why one type for one file: what a person reviews, what the lint checks and what other rooms ask is
//! the same thing. Not here: reading files ([`crate::catalog`]), contradictions ([`crate::lint`]).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::access::{Authentication, Credential, Sdk};
use crate::basis::Basis;
use crate::endpoint::{Endpoint, Method};
use crate::host::{Host, HostName};
use crate::plan::{Counter, Plan};
use crate::refusal::{FailureClass, Refusal};
use crate::stream::Stream;

/// One provider; the whole of `catalog/<name>.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// Its name in Tradewind, the file's name without `.toml`: lower-case letters and digits.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// What it sells, one sentence.
    pub summary: String,
    /// Its home page.
    pub site: String,
    /// Whether it offers this interface to customers. What is not may end any day.
    #[serde(default = "yes")]
    pub official: bool,
    /// Whether it judges a client by its TLS fingerprint, so that a proxy in between is refused.
    #[serde(default)]
    pub judges_tls_fingerprint: bool,
    /// Where the facts come from, unless a group says otherwise.
    pub basis: Basis,
    /// Its hosts.
    #[serde(default, rename = "host")]
    pub hosts: Vec<Host>,
    /// What a call may have to carry.
    #[serde(default, rename = "credential", skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<Credential>,
    /// Ways to prove who asks.
    #[serde(default, rename = "authentication")]
    pub authentications: Vec<Authentication>,
    /// Kinds of accounts and their limits.
    #[serde(default, rename = "plan")]
    pub plans: Vec<Plan>,
    /// Headers that say how much is used or left.
    #[serde(default, rename = "counter", skip_serializing_if = "Vec::is_empty")]
    pub counters: Vec<Counter>,
    /// What it answers.
    #[serde(default, rename = "endpoint")]
    pub endpoints: Vec<Endpoint>,
    /// What it pushes.
    #[serde(default, rename = "stream", skip_serializing_if = "Vec::is_empty")]
    pub streams: Vec<Stream>,
    /// Forms of answers that are no data.
    #[serde(default, rename = "refusal", skip_serializing_if = "Vec::is_empty")]
    pub refusals: Vec<Refusal>,
    /// What surprises.
    #[serde(default, rename = "quirk", skip_serializing_if = "Vec::is_empty")]
    pub quirks: Vec<Quirk>,
    /// Packages that call it.
    #[serde(default, rename = "sdk", skip_serializing_if = "Vec::is_empty")]
    pub sdks: Vec<Sdk>,
}

const fn yes() -> bool {
    true
}

/// `[[quirk]]`: something that surprises, as a sentence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Quirk {
    /// The sentence, with its full stop.
    pub text: String,
    /// Endpoints that it is about. Default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<String>,
    /// Where it comes from. Default: the provider's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
}

/// An endpoint and what a call says at its placeholders and in its query.
#[derive(Clone, Debug, PartialEq)]
pub struct Matched<'p> {
    /// The endpoint.
    pub endpoint: &'p Endpoint,
    /// Parameters by name. A name that stands twice in the query has its first value.
    pub arguments: BTreeMap<String, String>,
}

impl Provider {
    /// Returns the host group of that id.
    pub fn host(&self, id: &str) -> Option<&Host> {
        self.hosts.iter().find(|host| host.id == id)
    }

    /// Returns the host group that a name belongs to.
    pub fn host_of(&self, name: &HostName) -> Option<&Host> {
        self.hosts.iter().find(|host| host.accepts(name))
    }

    /// Returns the endpoint of that id.
    pub fn endpoint(&self, id: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.id == id)
    }

    /// Returns the stream of that id.
    pub fn stream(&self, id: &str) -> Option<&Stream> {
        self.streams.iter().find(|stream| stream.id == id)
    }

    /// Returns every name of an environment variable that may hold one of its credentials.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.credentials
            .iter()
            .flat_map(|c| &c.env)
            .map(String::as_str)
    }

    /// Returns the endpoint that a call asks, the most specific one, on host group `on` or, without
    /// one, on any. The latter tells a call that goes to the wrong host from one to nowhere.
    pub fn matched(
        &self,
        method: Method,
        on: Option<&str>,
        path: &str,
        query: &[(String, String)],
    ) -> Option<Matched<'_>> {
        let value = |name: &str| {
            query
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value)
        };
        self.endpoints
            .iter()
            .filter(|e| e.method == method && on.is_none_or(|on| e.on.iter().any(|id| id == on)))
            .filter(|e| {
                e.conditions
                    .iter()
                    .all(|(name, wanted)| value(name) == Some(wanted))
            })
            .filter_map(|endpoint| Some((endpoint, endpoint.path.matches(path)?)))
            .min_by_key(|(e, _)| (e.path.specificity(), usize::MAX - e.conditions.len()))
            .map(|(endpoint, mut arguments)| {
                for (name, value) in query {
                    arguments
                        .entry(name.clone())
                        .or_insert_with(|| value.clone());
                }
                Matched {
                    endpoint,
                    arguments,
                }
            })
    }

    /// Returns the first form of refusal that an answer of `endpoint` has.
    pub fn refusal(&self, endpoint: &Endpoint, status: u16, body: &str) -> Option<&Refusal> {
        let json: Option<Value> = serde_json::from_str(body).ok();
        self.refusals
            .iter()
            .find(|refusal| refusal.matches(&endpoint.id, status, body, json.as_ref()))
    }

    /// Returns the class of an answer of `endpoint`: `None` when it is the data that was asked for.
    ///
    /// What is neither that nor a known refusal is an outage when the server says so (5xx), a bad
    /// request from 400 on, and otherwise malformed, never empty: emptiness needs proof.
    pub fn classify(&self, endpoint: &Endpoint, status: u16, body: &str) -> Option<FailureClass> {
        if status == 304 {
            // Who asked whether something has changed has been told.
            return None;
        }
        let good = (200..300).contains(&status)
            && endpoint.success.as_ref().is_none_or(|success| {
                serde_json::from_str(body).is_ok_and(|json| success.holds(&json))
            });
        if good {
            return None;
        }
        let unknown = match status {
            500.. => FailureClass::Outage,
            400..500 => FailureClass::BadRequest,
            _ => FailureClass::Malformed,
        };
        let known = self.refusal(endpoint, status, body);
        Some(known.map_or(unknown, |refusal| refusal.class))
    }

    /// Returns the basis that holds for a group: its own, or the provider's.
    pub fn basis_of<'b>(&'b self, own: Option<&'b Basis>) -> &'b Basis {
        own.unwrap_or(&self.basis)
    }
}
