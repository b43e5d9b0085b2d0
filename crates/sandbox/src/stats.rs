//! What the sandbox itself has counted, per provider and endpoint.
//!
//! Why: a client's own count of its calls proves nothing about the calls.

use std::collections::BTreeMap;

use crate::wire::{Json, object};

/// What came to one endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EndpointStats {
    /// Requests, refused ones included.
    pub requests: u64,
    /// Refused because of a limit or a switch.
    pub refused: u64,
    /// Refused as one of a banned client.
    pub banned: u64,
    /// Came although the client had been told to wait.
    pub too_early: u64,
    /// Refused because of a key or a plan.
    pub denied: u64,
}

/// What came to the stream of one provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamStats {
    /// Connections, those that were sent away included.
    pub connections: u64,
    /// Of them, open now.
    pub open: u64,
    /// Messages of clients.
    pub messages: u64,
    /// Items that were subscribed to.
    pub subscriptions: u64,
    /// Refused for good: a wrong key, one connection too many.
    pub denied: u64,
    /// Trades and quotes that were pushed.
    pub frames: u64,
}

/// What came, by provider and endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// By name of the provider, then name of the endpoint.
    pub providers: BTreeMap<String, BTreeMap<String, EndpointStats>>,
    /// What came to streams, by name of the provider.
    pub streams: BTreeMap<String, StreamStats>,
}

impl Stats {
    /// Returns everything that came to `provider`, over all endpoints.
    pub fn of(&self, provider: &str) -> EndpointStats {
        let mut sum = EndpointStats::default();
        for one in self.providers.get(provider).into_iter().flatten() {
            sum.requests += one.1.requests;
            sum.refused += one.1.refused;
            sum.banned += one.1.banned;
            sum.too_early += one.1.too_early;
            sum.denied += one.1.denied;
        }
        sum
    }

    /// Returns what came to the stream of `provider`.
    pub fn stream_of(&self, provider: &str) -> StreamStats {
        self.streams.get(provider).copied().unwrap_or_default()
    }

    pub(crate) fn at(&mut self, provider: &str, endpoint: &str) -> &mut EndpointStats {
        self.providers
            .entry(provider.to_owned())
            .or_default()
            .entry(endpoint.to_owned())
            .or_default()
    }

    pub(crate) fn json(&self) -> Json {
        let number = |count: u64| Json::Number(count.to_string());
        let endpoint = |stats: &EndpointStats| {
            object! {
                "requests" => number(stats.requests),
                "refused" => number(stats.refused),
                "banned" => number(stats.banned),
                "too_early" => number(stats.too_early),
                "denied" => number(stats.denied),
            }
        };
        let providers = self.providers.iter().map(|(name, endpoints)| {
            let endpoints = endpoints.iter().map(|(id, s)| (id.clone(), endpoint(s)));
            (name.clone(), Json::Object(endpoints.collect()))
        });
        let streams = self.streams.iter().map(|(name, stats)| {
            let told = object! {
                "connections" => number(stats.connections),
                "open" => number(stats.open),
                "messages" => number(stats.messages),
                "subscriptions" => number(stats.subscriptions),
                "denied" => number(stats.denied),
                "frames" => number(stats.frames),
            };
            (name.clone(), told)
        });
        object! {
            "schema_version" => 1_i64,
            "providers" => Json::Object(providers.collect()),
            "streams" => Json::Object(streams.collect()),
        }
    }
}
