//! The terms of a request: whose it is, which windows it takes from, and whether it may be held back.
//!
//! Why apart: what the catalog says becomes what the ledger counts in one place, for the governor, for
//! forecasts and for tests alike. A key appears in a window's name as a digest only.
//! Not here: counting ([`crate::ledger`]), what an answer says ([`crate::answer`]).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};
use tradewind_catalog::Catalog;
use tradewind_catalog::access::How;
use tradewind_catalog::endpoint::{Endpoint, Method, ParameterRole};
use tradewind_catalog::host::{Host, Role};
use tradewind_catalog::plan::{Counts, Scope, Window as Declared};
use tradewind_catalog::provider::{Matched, Provider};
use tradewind_catalog::url::Address;
use tradewind_host::egress::Request;

use crate::call::Demand;
use crate::config::QuotaSection;
use crate::window::{Need, SymbolId};

/// Digits of a key's digest that stand in the name of its windows: enough to tell keys apart.
const KEY_DIGITS: usize = 12;

/// What is known about a request before it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Terms<'c> {
    /// Whose host it goes to.
    pub(crate) provider: &'c Provider,
    /// The endpoint; `None` when the catalog has none of this form.
    pub(crate) endpoint: Option<&'c Endpoint>,
    /// The gate: `provider@scope`, or `provider/host@scope` for hosts that serve no data.
    pub(crate) gate: String,
    /// What it takes; all of it at once.
    pub(crate) demands: Vec<Demand>,
    /// Whether it may be held back, repeated and shared. Everything else, an order above all, is counted
    /// and passes straight through.
    pub(crate) is_rationed: bool,
    /// Every window of the plan that is counted on this host: its id and its name in the ledger.
    pub(crate) windows: Vec<(&'c Declared, String)>,
}

impl<'c> Terms<'c> {
    /// Reads what `request` is by the catalog; `None` when its host is nobody's there.
    pub(crate) fn of(
        catalog: &'c Catalog,
        config: &QuotaSection,
        request: &Request,
    ) -> Option<Self> {
        let address = Address::parse(request.url.as_str())?;
        let (provider, host) = catalog.by_host(address.host.as_str())?;
        let method = method(request.method.as_str());
        let matched = method.and_then(|method| {
            provider.matched(method, Some(&host.id), &address.path, &address.query)
        });
        let key = key_of(provider, host, &address, request);
        let arguments = matched.as_ref().map(|matched| &matched.arguments);
        let windows = windows(provider, host, config, key.as_deref());
        let demands = windows
            .iter()
            .filter_map(|(declared, name)| {
                let rule = config.rule(&provider.name, declared);
                let endpoint = matched.as_ref().map(|matched| matched.endpoint);
                Some(Demand {
                    window: name.clone(),
                    need: need(declared, endpoint, arguments)?,
                    rule,
                })
            })
            .collect();
        let is_by_key = windows
            .iter()
            .any(|(declared, _)| declared.scope == Some(Scope::Key));
        let scope = match &key {
            Some(key) if is_by_key => key,
            _ => "address",
        };
        let gate = if host.role == Role::Data {
            format!("{}@{scope}", provider.name)
        } else {
            format!("{}/{}@{scope}", provider.name, host.id)
        };
        let endpoint = matched.map(|Matched { endpoint, .. }| endpoint);
        Some(Self {
            provider,
            endpoint,
            gate,
            demands,
            is_rationed: endpoint.is_some_and(Endpoint::is_data),
            windows,
        })
    }
}

fn method(text: &str) -> Option<Method> {
    [
        Method::Get,
        Method::Post,
        Method::Put,
        Method::Patch,
        Method::Delete,
    ]
    .into_iter()
    .find(|method| method.as_str() == text)
}

/// Returns the windows that count calls to `host`, with their names in the ledger.
fn windows<'c>(
    provider: &'c Provider,
    host: &Host,
    config: &QuotaSection,
    key: Option<&str>,
) -> Vec<(&'c Declared, String)> {
    let plan = config.plan(provider);
    plan.into_iter()
        .flat_map(|plan| &plan.windows)
        .filter(|window| {
            if window.on.is_empty() {
                host.role == Role::Data
            } else {
                window.on.contains(&host.id)
            }
        })
        .map(|window| {
            let scope = match (window.scope, key) {
                (Some(Scope::Key), Some(key)) => key,
                // For whom it counts is not known: that all keys share it is the stricter reading.
                _ => "address",
            };
            let name = format!("{}/{}@{scope}", provider.name, window.id);
            (window, name)
        })
        .collect()
}

/// Returns what a call takes from a window; `None` when that is nothing.
fn need(
    declared: &Declared,
    endpoint: Option<&Endpoint>,
    arguments: Option<&BTreeMap<String, String>>,
) -> Option<Need> {
    let none = BTreeMap::new();
    let arguments = arguments.unwrap_or(&none);
    match declared.counts {
        Counts::Requests => Some(Need::Units(1)),
        Counts::Weight => {
            // A call that the catalog does not describe costs at least something.
            let weight = endpoint.map_or(1, |endpoint| endpoint.weigh(arguments).0);
            (weight > 0).then(|| Need::Units(u64::from(weight)))
        }
        Counts::UniqueSymbols => {
            let mut names: Vec<SymbolId> = endpoint
                .into_iter()
                .flat_map(|endpoint| &endpoint.parameters)
                .filter(|parameter| {
                    matches!(
                        parameter.role,
                        Some(ParameterRole::Symbol | ParameterRole::Symbols)
                    )
                })
                .filter_map(|parameter| arguments.get(&parameter.name))
                .flat_map(|list| list.split(','))
                // Some write the list as JSON.
                .map(|name| name.trim_matches(|c: char| c.is_whitespace() || "[]\"'".contains(c)))
                .filter(|name| !name.is_empty())
                .map(symbol_id)
                .collect();
            names.sort_unstable();
            names.dedup();
            (!names.is_empty()).then_some(Need::Symbols(names))
        }
    }
}

fn symbol_id(name: &str) -> SymbolId {
    let digest = Sha256::digest(name.to_ascii_uppercase().as_bytes());
    let mut id = SymbolId::default();
    id.copy_from_slice(&digest[..16]);
    id
}

/// Returns a digest of the key that the request carries, where the provider has keys.
fn key_of(
    provider: &Provider,
    host: &Host,
    address: &Address,
    request: &Request,
) -> Option<String> {
    let header = |name: &str| {
        let value = request.headers.get(name)?.to_str().ok()?;
        (!value.is_empty()).then(|| value.to_owned())
    };
    let ways = provider
        .authentications
        .iter()
        .filter(|way| way.on.is_empty() || way.on.contains(&host.id));
    let key = ways.map(|way| &way.how).find_map(|how| match how {
        How::None {} => None,
        How::Query { parameter, .. } => {
            let given = address.query.iter().find(|(name, _)| name == parameter);
            given
                .map(|(_, value)| value.clone())
                .filter(|value| !value.is_empty())
        }
        How::Headers { headers } => {
            let first = headers.first()?;
            let value = header(&first.name)?;
            Some(match value.strip_prefix(&first.prefix) {
                Some(bare) => bare.to_owned(),
                None => value,
            })
        }
        How::Signed { header: name, .. } => header(name),
    })?;
    let digest = Sha256::digest(key.as_bytes());
    let mut text = String::with_capacity(KEY_DIGITS);
    for byte in &digest[..KEY_DIGITS / 2] {
        // Writing to a String cannot go wrong.
        write!(text, "{byte:02x}").unwrap_or_default();
    }
    Some(text)
}
