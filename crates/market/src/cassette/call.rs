//! What a call is found by in a cassette: whose it is, its host, its path and its parameters without keys.
//!
//! Why without keys: the machine that replays has others, or none. Why sorted: clients build a query from a
//! map. Headers are not compared: they change with each version of a client.

use tradewind_catalog::Catalog;
use tradewind_catalog::access::How;
use tradewind_catalog::catalog::Target;
use tradewind_catalog::endpoint::Method as Declared;
use tradewind_catalog::host::Role;
use tradewind_catalog::provider::Provider;
use tradewind_catalog::url::Address;
use tradewind_host::egress::Method;

use super::{Why, spoken};
use crate::pass::Call;
use crate::redact::{Cleaner, is_parameter, is_telling};

/// What a call is found by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    /// Provider in the catalog.
    pub provider: String,
    /// Host.
    pub host: String,
    /// Path, as it came.
    pub path: String,
    /// Parameters `name=value`, decoded, sorted, without keys.
    pub query: Vec<String>,
}

impl Subject {
    /// Reads a call.
    ///
    /// # Errors
    /// Why it is not recorded: it is none for data, or has a body.
    pub fn of(catalog: &Catalog, call: &Call) -> Result<Self, Why> {
        if call.method != Method::GET {
            return Err(Why::NotData);
        }
        let url = url_of(call);
        let (target, address) = catalog
            .target(Declared::Get, &url, &[])
            .zip(Address::parse(&url))
            .ok_or(Why::NotData)?;
        let Target {
            provider, matched, ..
        } = target;
        if !matched.is_some_and(|matched| matched.endpoint.is_data()) {
            return Err(Why::NotData);
        }
        if !call.body.is_empty() {
            return Err(Why::HasBody);
        }
        Ok(Self::at(provider, address))
    }

    /// Reads the address of a stream.
    ///
    /// # Errors
    /// Why it is not recorded: no provider pushes data there, or its path is one user's own.
    pub fn of_stream(catalog: &Catalog, host: &str, path_and_query: &str) -> Result<Self, Why> {
        let address = Address::parse(&url(host, path_and_query)).ok_or(Why::NotData)?;
        let (provider, known) = catalog.by_host(host).ok_or(Why::NotData)?;
        if known.role != Role::Stream || spoken::has_key(&address.path) {
            return Err(Why::NotData);
        }
        Ok(Self::at(provider, address))
    }

    fn at(provider: &Provider, address: Address) -> Self {
        let is_key = |name: &String| {
            let mut ways = provider.authentications.iter();
            let travels = ways
                .any(|way| matches!(&way.how, How::Query { parameter, .. } if parameter == name));
            let mut streams = provider.streams.iter();
            travels
                || streams.any(|stream| stream.query.contains_key(name))
                || (is_telling(name) && !is_parameter(provider, name))
        };
        let kept = address.query.iter().filter(|(name, _)| !is_key(name));
        let mut query: Vec<_> = kept
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        query.sort();
        Self {
            provider: provider.name.clone(),
            host: address.host.as_str().to_owned(),
            path: address.path,
            query,
        }
    }

    /// Returns it with every key replaced.
    #[must_use]
    pub fn cleaned(&self, cleaner: &mut Cleaner) -> Self {
        let mut query: Vec<_> = self.query.iter().map(|pair| cleaner.clean(pair)).collect();
        query.sort();
        Self {
            path: cleaner.clean(&self.path),
            query,
            ..self.clone()
        }
    }
}

impl Subject {
    /// Returns its parameters as a person reads them.
    fn parameters(&self) -> String {
        if self.query.is_empty() {
            return String::new();
        }
        format!("?{}", self.query.join("&"))
    }

    /// Returns how a stream at this address is called.
    pub(super) fn stream_name(&self) -> String {
        let parameters = self.parameters();
        format!("the stream wss://{}{}{parameters}", self.host, self.path)
    }
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parameters = self.parameters();
        write!(f, "GET https://{}{}{parameters}", self.host, self.path)
    }
}

/// Returns the address that a call goes to.
pub(super) fn url_of(call: &Call) -> String {
    url(
        call.host.as_deref().unwrap_or_default(),
        &call.path_and_query,
    )
}

/// Returns the address of a path at a host.
pub(super) fn url(host: &str, path_and_query: &str) -> String {
    let slash = if path_and_query.starts_with('/') {
        ""
    } else {
        "/"
    };
    format!("https://{host}{slash}{path_and_query}")
}

#[cfg(test)]
pub(super) mod tests {
    use axum::body::Bytes;
    use tradewind_host::egress::HeaderMap;

    use super::*;

    pub(in super::super) fn call(method: Method, host: &str, path: &str) -> Call {
        Call {
            provider: String::new(),
            host: Some(host.to_owned()),
            method,
            path_and_query: path.to_owned(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            consumer: "test".to_owned(),
            urgency: tradewind_quota::Urgency::default(),
        }
    }

    fn subject(method: Method, host: &str, path: &str) -> Result<String, Why> {
        let call = call(method, host, path);
        Subject::of(Catalog::builtin_shared(), &call).map(|subject| subject.to_string())
    }

    #[test]
    fn keys_are_no_part_of_an_address_and_the_sequence_of_parameters_does_not_matter() {
        let one = "/v2/aggs/ticker/AAPL/range/1/day/2024-03-01/2024-03-15?sort=asc&adjusted=true&apiKey=one";
        let two = "/v2/aggs/ticker/AAPL/range/1/day/2024-03-01/2024-03-15?adjusted=true&client_token=x&sort=asc";
        let said = subject(Method::GET, "api.polygon.io", one).unwrap();
        assert_eq!(
            said,
            "GET https://api.polygon.io/v2/aggs/ticker/AAPL/range/1/day/2024-03-01/2024-03-15?adjusted=true&sort=asc"
        );
        assert_eq!(subject(Method::GET, "API.polygon.io", two), Ok(said));
    }

    #[test]
    fn the_cursor_of_a_page_is_no_key() {
        let path = "/v2/stocks/bars?symbols=AAPL&timeframe=1Day&page_token=abc";
        let said = subject(Method::GET, "data.alpaca.markets", path).unwrap();
        assert!(
            said.ends_with("?page_token=abc&symbols=AAPL&timeframe=1Day"),
            "{said}"
        );
    }

    #[test]
    fn only_reading_data_is_recorded() {
        for (method, host, path) in [
            (Method::POST, "paper-api.alpaca.markets", "/v2/orders"),
            (Method::DELETE, "paper-api.alpaca.markets", "/v2/orders"),
            (Method::GET, "paper-api.alpaca.markets", "/v2/account"),
            (
                Method::POST,
                "data.alpaca.markets",
                "/v2/stocks/bars?symbols=A&timeframe=1Day",
            ),
            (Method::GET, "data.alpaca.markets", "/v2/nothing"),
            (
                Method::GET,
                "example.org",
                "/v2/stocks/bars?symbols=A&timeframe=1Day",
            ),
        ] {
            assert_eq!(
                subject(method, host, path),
                Err(Why::NotData),
                "{host}{path}"
            );
        }
        let mut with_body = call(
            Method::GET,
            "data.alpaca.markets",
            "/v2/stocks/bars?symbols=A&timeframe=1Day",
        );
        with_body.body = Bytes::from_static(b"{}");
        assert_eq!(
            Subject::of(Catalog::builtin_shared(), &with_body),
            Err(Why::HasBody)
        );
    }
}
