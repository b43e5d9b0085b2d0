//! The probe: the cheapest call that shows whether a provider is there again.
//!
//! Why not the call that somebody waits for: it may cost a thousand times as much and be refused again.
//! Not here: when one is sent ([`crate::gate`], [`crate::governor`]).

use std::collections::BTreeMap;
use std::time::Duration;

use tradewind_catalog::access::How;
use tradewind_catalog::endpoint::{Endpoint, Method as CatalogMethod};
use tradewind_host::egress::{Method, Request};

use crate::terms::Terms;

/// How long an answer to a probe is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Returns the cheapest request to the same host that needs no arguments, with the same key; `None` when
/// there is none, or none cheaper than `request` itself.
pub(crate) fn cheapest(terms: &Terms<'_>, request: &Request) -> Option<Request> {
    let own = terms.endpoint?;
    let host = terms.provider.hosts.iter().find(|host| {
        let name = request
            .url
            .host_str()
            .and_then(tradewind_catalog::host::HostName::parse);
        name.is_some_and(|name| host.accepts(&name))
    })?;
    let cheapest = terms
        .provider
        .endpoints
        .iter()
        .filter(|endpoint| endpoint.method == CatalogMethod::Get && endpoint.is_data())
        .filter(|endpoint| endpoint.on.contains(&host.id) && needs_nothing(endpoint))
        .min_by_key(|endpoint| endpoint.weigh(&BTreeMap::new()))?;
    if cheapest.id == own.id || cheapest.weigh(&BTreeMap::new()) >= own.cost.least() {
        return None;
    }
    let mut url = request.url.clone();
    url.set_path(&cheapest.path.fill(|_| String::new()));
    let keys: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(name, _)| is_key(terms, name))
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    url.set_query(None);
    {
        let mut pairs = url.query_pairs_mut();
        for (name, value) in cheapest
            .conditions
            .iter()
            .chain(keys.iter().map(|(n, v)| (n, v)))
        {
            pairs.append_pair(name, value);
        }
    }
    if url.query() == Some("") {
        url.set_query(None);
    }
    let mut probe = Request::new(Method::GET, url);
    probe.headers = request.headers.clone();
    probe.timeout = PATIENCE.min(request.timeout);
    Some(probe)
}

fn needs_nothing(endpoint: &Endpoint) -> bool {
    endpoint.path.placeholders().next().is_none()
        && endpoint
            .parameters
            .iter()
            .all(|parameter| !parameter.required)
}

fn is_key(terms: &Terms<'_>, name: &str) -> bool {
    terms
        .provider
        .authentications
        .iter()
        .any(|way| matches!(&way.how, How::Query { parameter, .. } if parameter.as_str() == name))
}
