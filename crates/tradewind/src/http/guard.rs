//! Who may ask the listener for what.
//!
//! A web page in the user's browser is a stranger: it can send requests to `127.0.0.1`, under any host
//! name that it made resolve there (DNS rebinding). So every request must name a host that is ours,
//! must not come from another origin, and, unless it is a safe read of a public path on a loopback
//! listener, must carry the token that lies in a private file of the state directory.
//! Acts on every request, before any handler. Keeps no state: nothing to recover, nothing on first start.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::Response;
use sha2::{Digest, Sha256};

use super::problem;
use crate::daemon::hub::Hub;

/// Carries the token where `Authorization` belongs to somebody else.
pub(crate) const TOKEN_HEADER: &str = "x-tradewind-token";
/// Paths that a safe read needs no token for on a loopback listener (DESIGN §3).
const OPEN_PATHS: &[&str] = &["/", "/healthz", "/metrics", "/v1/news"];
/// Paths below which the same holds: market data.
const OPEN_FOLDERS: &[&str] = &["/v1/bars/", "/v1/quote/", "/v1/trades/"];

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The `Host` is not one of ours.
    Host,
    /// `Origin` or `Sec-Fetch-Site` says that another site's page asks.
    Site,
    /// The token is missing or wrong.
    Token,
}

impl Refusal {
    /// Returns the status, what is wrong, and what to do.
    pub(crate) fn told(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Host => (
                StatusCode::MISDIRECTED_REQUEST,
                "this host name is not served here",
                "ask for 127.0.0.1 or localhost with the listener's port, or start with `tradewind up --host-name NAME`",
            ),
            Self::Site => (
                StatusCode::FORBIDDEN,
                "another site's page may not ask here",
                "open the address directly",
            ),
            Self::Token => (
                StatusCode::UNAUTHORIZED,
                "this needs the token of this user's Tradewind",
                "send `Authorization: Bearer TOKEN`; `tradewind status --token-file` names the file that holds it",
            ),
        }
    }
}

/// What the decision needs to know of the listener.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    /// Address the listener is bound to.
    pub(crate) bound: SocketAddr,
    /// Further host names that lead here, such as a container's; lower case, without port.
    pub(crate) names: Vec<String>,
    /// SHA-256 of the token: comparing digests takes the same time wherever the difference is.
    pub(crate) token_digest: [u8; 32],
}

impl Policy {
    /// Decides on one request.
    pub(crate) fn decide(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<(), Refusal> {
        self.meant(uri, headers)?;
        let is_safe = method == Method::GET || method == Method::HEAD;
        if self.bound.ip().is_loopback() && is_safe && is_open(uri.path()) {
            return Ok(());
        }
        if self.has_token(headers) {
            Ok(())
        } else {
            Err(Refusal::Token)
        }
    }

    /// Decides whether a request is meant for us, and comes from no other site's page.
    pub(crate) fn meant(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        // A request written as for a proxy (`GET http://name/`) means that name, whatever `Host` says.
        if let Some(authority) = uri.authority()
            && !self.is_our_host(authority.as_str())
        {
            return Err(Refusal::Host);
        }
        let host = single(headers, header::HOST.as_str()).ok_or(Refusal::Host)?;
        if !self.is_our_host(host) {
            return Err(Refusal::Host);
        }
        if headers.contains_key(header::ORIGIN) {
            let origin = single(headers, header::ORIGIN.as_str()).ok_or(Refusal::Site)?;
            // The listener speaks plain HTTP; an origin with another scheme or host is another site.
            if origin.strip_prefix("http://") != Some(host) {
                return Err(Refusal::Site);
            }
        }
        if headers.contains_key("sec-fetch-site") {
            let site = single(headers, "sec-fetch-site").ok_or(Refusal::Site)?;
            if site != "same-origin" && site != "none" {
                return Err(Refusal::Site);
            }
        }
        Ok(())
    }

    fn is_our_host(&self, host: &str) -> bool {
        let (name, port) = match host.strip_prefix('[') {
            Some(rest) => match rest.split_once(']') {
                Some((name, "")) => (name, None),
                Some((name, rest)) => (name, rest.strip_prefix(':')),
                None => return false,
            },
            None => match host.split_once(':') {
                Some((name, port)) => (name, Some(port)),
                None => (host, None),
            },
        };
        // Without a port the client believes in port 80.
        let port = match port {
            None => Some(80),
            // `parse` would take a sign.
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse::<u16>().ok()
            }
            Some(_not_a_port) => None,
        };
        let name = name.to_ascii_lowercase();
        if self.names.contains(&name) {
            return true;
        }
        if port != Some(self.bound.port()) {
            return false;
        }
        match name.parse::<IpAddr>() {
            // An address cannot be rebound; but a loopback listener has no business with others.
            Ok(address) => address.is_loopback() || !self.bound.ip().is_loopback(),
            Err(_not_an_address) => name == "localhost",
        }
    }

    /// Says whether `Authorization` carries our token, and not somebody else's.
    fn is_ours(&self, headers: &HeaderMap) -> bool {
        single(headers, header::AUTHORIZATION.as_str())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .is_some_and(|(_, token)| digest(token.trim()) == self.token_digest)
    }

    fn has_token(&self, headers: &HeaderMap) -> bool {
        // Where `Authorization` is the provider's, ours has a header of its own.
        if let Some(token) = single(headers, TOKEN_HEADER) {
            return digest(token.trim()) == self.token_digest;
        }
        self.is_ours(headers)
    }
}

/// Says whether a safe read of this path needs no token on a loopback listener.
fn is_open(path: &str) -> bool {
    OPEN_PATHS.contains(&path) || OPEN_FOLDERS.iter().any(|folder| path.starts_with(folder))
}

/// Returns the digest that [`Policy::token_digest`] holds.
pub(crate) fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Returns a header's value when it is there exactly once and is text.
fn single<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// The middleware around every handler.
pub(crate) async fn check(State(hub): State<Hub>, mut request: Request, next: Next) -> Response {
    match hub
        .policy()
        .decide(request.method(), request.uri(), request.headers())
    {
        Ok(()) => {
            if hub.policy().is_ours(request.headers()) {
                // It has done its work here; a call that is passed on must not carry it to a provider.
                request.headers_mut().remove(header::AUTHORIZATION);
            }
            let mut response = next.run(request).await;
            let headers = response.headers_mut();
            headers.insert(
                header::X_CONTENT_TYPE_OPTIONS,
                header::HeaderValue::from_static("nosniff"),
            );
            headers.insert(
                "cross-origin-resource-policy",
                header::HeaderValue::from_static("same-origin"),
            );
            response
        }
        Err(refusal @ (Refusal::Host | Refusal::Site)) => {
            let (status, title, detail) = refusal.told();
            problem(status, title, detail)
        }
        Err(Refusal::Token) => {
            let (status, title, detail) = Refusal::Token.told();
            let mut response = problem(status, title, detail);
            response.headers_mut().insert(
                header::WWW_AUTHENTICATE,
                header::HeaderValue::from_static("Bearer"),
            );
            response
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(bound: &str) -> Policy {
        Policy {
            bound: bound.parse().unwrap(),
            names: vec!["gateway".into()],
            token_digest: digest("t0ken"),
        }
    }

    fn decide(
        bound: &str,
        method: &Method,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<(), Refusal> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        policy(bound).decide(method, &path.parse().unwrap(), &map)
    }

    const LOOP: &str = "127.0.0.1:8420";

    #[test]
    fn a_safe_read_of_a_public_path_needs_no_token_on_loopback() {
        for host in [
            "127.0.0.1:8420",
            "localhost:8420",
            "LOCALHOST:8420",
            "[::1]:8420",
            "gateway:9",
        ] {
            assert_eq!(
                decide(LOOP, &Method::GET, "/", &[("host", host)]),
                Ok(()),
                "{host}"
            );
        }
    }

    #[test]
    fn a_rebound_name_is_refused_whatever_else_is_right() {
        for host in [
            "evil.example:8420",
            "127.0.0.1.evil.example:8420",
            "localhost:81",
            "10.0.0.1:8420",
            "[::1",
            "",
            "localhost:x",
            "localhost:+8420",
        ] {
            let headers = [("host", host), ("authorization", "Bearer t0ken")];
            assert_eq!(
                decide(LOOP, &Method::GET, "/", &headers),
                Err(Refusal::Host),
                "{host}"
            );
        }
        assert_eq!(decide(LOOP, &Method::GET, "/", &[]), Err(Refusal::Host));
        let twice = [("host", "localhost:8420"), ("host", "evil.example")];
        assert_eq!(decide(LOOP, &Method::GET, "/", &twice), Err(Refusal::Host));
    }

    #[test]
    fn a_request_written_as_for_a_proxy_is_refused_for_a_foreign_name() {
        let headers = [("host", LOOP), ("authorization", "Bearer t0ken")];
        for uri in ["http://evil.example/", "http://evil.example:8420/v1/events"] {
            assert_eq!(
                decide(LOOP, &Method::GET, uri, &headers),
                Err(Refusal::Host),
                "{uri}"
            );
        }
        let own = "http://localhost:8420/";
        assert_eq!(decide(LOOP, &Method::GET, own, &headers), Ok(()));
    }

    #[test]
    fn another_sites_page_is_refused_even_with_the_token() {
        let ours = ("host", "localhost:8420");
        let token = ("authorization", "Bearer t0ken");
        for foreign in [
            ("origin", "http://evil.example"),
            ("origin", "null"),
            ("origin", "https://localhost:8420"),
            ("origin", "http://localhost:9999"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            assert_eq!(
                decide(LOOP, &Method::GET, "/", &[ours, token, foreign]),
                Err(Refusal::Site),
                "{foreign:?}"
            );
        }
        for own in [
            ("origin", "http://localhost:8420"),
            ("sec-fetch-site", "none"),
            ("sec-fetch-site", "same-origin"),
        ] {
            assert_eq!(
                decide(LOOP, &Method::GET, "/", &[ours, own]),
                Ok(()),
                "{own:?}"
            );
        }
    }

    #[test]
    fn everything_else_needs_the_token() {
        let ours = ("host", "localhost:8420");
        for (method, path) in [
            (Method::GET, "/v1/events"),
            (Method::POST, "/"),
            (Method::POST, "/v1/control"),
            (Method::GET, "/openapi.json"),
            (Method::GET, "//"),
        ] {
            assert_eq!(
                decide(LOOP, &method, path, &[ours]),
                Err(Refusal::Token),
                "{method} {path}"
            );
            for wrong in [
                "Bearer t0ke",
                "Bearer t0ken2",
                "Basic t0ken",
                "t0ken",
                "Bearer",
            ] {
                let headers = [ours, ("authorization", wrong)];
                assert_eq!(
                    decide(LOOP, &method, path, &headers),
                    Err(Refusal::Token),
                    "{wrong}"
                );
            }
            assert_eq!(
                decide(
                    LOOP,
                    &method,
                    path,
                    &[ours, ("authorization", "bearer t0ken")]
                ),
                Ok(())
            );
        }
    }

    #[test]
    fn beyond_loopback_even_the_first_page_needs_the_token() {
        let host = ("host", "192.168.1.5:8420");
        assert_eq!(
            decide("0.0.0.0:8420", &Method::GET, "/", &[host]),
            Err(Refusal::Token)
        );
        assert_eq!(
            decide(
                "0.0.0.0:8420",
                &Method::GET,
                "/",
                &[host, ("authorization", "Bearer t0ken")]
            ),
            Ok(())
        );
        let rebound = [
            ("host", "evil.example:8420"),
            ("authorization", "Bearer t0ken"),
        ];
        assert_eq!(
            decide("0.0.0.0:8420", &Method::GET, "/", &rebound),
            Err(Refusal::Host)
        );
    }
}
