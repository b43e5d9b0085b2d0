//! Addresses as they stand in source code and in requests, read for one purpose: whose are they?
//!
//! Why strict: clients disagree on backslashes, users, white space and escapes in a host, and whoever
//! fools the reading gets a key. What could be read in two ways is nobody's. Lenient only where code is
//! lenient: the path and the query may have braces of an f-string. Not here: joining, sending.

use crate::host::HostName;

/// An address that has one reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Its host.
    pub host: HostName,
    /// Its port, where it has one.
    pub port: Option<u16>,
    /// Its path, as written, at least `/`.
    pub path: String,
    /// Its query, decoded, in order.
    pub query: Vec<(String, String)>,
}

impl Address {
    /// Reads `http`, `https`, `ws` and `wss` addresses; `None` for everything else.
    pub fn parse(text: &str) -> Option<Self> {
        if text.chars().any(|c| c.is_control() || c == '\\') {
            return None;
        }
        let (scheme, rest) = text.split_once("://")?;
        let schemes = ["https", "http", "wss", "ws"];
        schemes
            .iter()
            .find(|known| scheme.eq_ignore_ascii_case(known))?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        let (host, port) = match authority.split_once(':') {
            None => (authority, None),
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => {
                (host, Some(port.parse().ok()?))
            }
            Some(_) => return None,
        };
        let rest = rest.split('#').next().unwrap_or("");
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let dots = |part: &str| {
            matches!(
                part.to_ascii_lowercase().replace("%2e", ".").as_str(),
                "." | ".."
            )
        };
        if path.split('/').any(dots) {
            return None;
        }
        Some(Self {
            host: HostName::parse(host)?,
            port,
            path: if path.is_empty() {
                "/".to_owned()
            } else {
                path.to_owned()
            },
            query: query
                .split('&')
                .filter(|pair| !pair.is_empty())
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(name, value)| (decoded(name, true), decoded(value, true)))
                .collect(),
        })
    }
}

/// Returns `text` without its percent escapes; an escape that is none stays as it is.
pub(crate) fn decoded(text: &str, plus_is_space: bool) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hex = |digit: u8| char::from(digit).to_digit(16);
        let escape = match (first, tail) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)),
            _ => None,
        };
        let byte = escape.and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
        rest = if byte.is_some() { &tail[2..] } else { tail };
        bytes.push(match (byte, first) {
            (Some(byte), _) => byte,
            (None, b'+') if plus_is_space => b' ',
            (None, first) => first,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_in_parts() {
        let address =
            Address::parse("WSS://Stream.Binance.com:9443/stream?streams=a%2Fb+c&x#y").unwrap();
        assert_eq!(address.host.as_str(), "stream.binance.com");
        assert_eq!(address.port, Some(9443));
        assert_eq!(address.path, "/stream");
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(address.query, [pair("streams", "a/b c"), pair("x", "")]);
        assert_eq!(Address::parse("https://a.example?x=1").unwrap().path, "/");
    }

    #[test]
    fn an_f_string_is_read_with_its_braces() {
        let address =
            Address::parse("https://finnhub.io/api/v1/quote?symbol={symbol}&token={key}").unwrap();
        assert_eq!(address.query[0].1, "{symbol}");
    }

    #[test]
    fn what_has_two_readings_is_nobodys() {
        for text in [
            "https://api.polygon.io@evil.example/",
            "https://user:pw@api.polygon.io/",
            "https://api.polygon.io\\@evil.example/",
            "https://evil.example\\.api.polygon.io/",
            "https://api.polygon.io\t/",
            "https://api.polygon.io /",
            "https://api%2epolygon.io/",
            "https:/api.polygon.io/",
            "//api.polygon.io/",
            "ftp://api.polygon.io/",
            "https://api.polygon.io:x/",
            "https://api.polygon.io/v2/../v1",
            "https://api.polygon.io/v2/%2E%2e/v1",
            "https://{host}/v2",
            "https://1.2.3.4/",
            "",
        ] {
            assert!(Address::parse(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn an_escape_that_is_none_stays() {
        assert_eq!(decoded("%zz%2", false), "%zz%2");
        assert_eq!(decoded("BTC%2FUSD+", false), "BTC/USD+");
        assert_eq!(decoded("%FF", false), "\u{fffd}");
    }
}
