//! Hosts: which names belong to a provider, and what each is for.
//!
//! Why strict: whoever may answer for a host gets the user's key. A name is compared as a whole, label
//! by label, so `evil-api.polygon.io.example` is nobody's. Not here: resolving or calling anything.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::basis::Basis;

/// What a host is for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Answers requests for market data.
    Data,
    /// Holds accounts and takes orders with real money.
    Broker,
    /// Pushes data over a WebSocket.
    Stream,
    /// Plays the broker, or the data, with nothing at stake.
    Sandbox,
}

impl Role {
    /// Returns the word that stands in the catalog.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Broker => "broker",
            Self::Stream => "stream",
            Self::Sandbox => "sandbox",
        }
    }
}

/// `[[host]]`: names that answer the same, preferred one first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// What endpoints call this group; unique in the file.
    pub id: String,
    /// What the group is for.
    pub role: Role,
    /// The names. `*.example.com` is any name below `example.com`, not itself.
    pub names: Vec<HostPattern>,
    /// Ports that it listens on. Default 443.
    #[serde(default = "default_ports")]
    pub ports: Vec<u16>,
    /// What a reader should know about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Where the facts come from. Default: the provider's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
}

fn default_ports() -> Vec<u16> {
    vec![443]
}

impl Host {
    /// Tells whether `name` is one of this group.
    pub fn accepts(&self, name: &HostName) -> bool {
        self.names.iter().any(|pattern| pattern.accepts(name))
    }
}

/// A name of a host: lower case, without the root's dot, of letters, digits and hyphens only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostName {
    // Invariant: at least two labels, each 1–63 of `[a-z0-9-]`, 253 in all. Checked in parse.
    text: String,
}

impl HostName {
    /// Reads a name, with or without a final dot, in any case. `None` for everything else: an address,
    /// an escape, a letter outside ASCII, a port, a user.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix('.').unwrap_or(text);
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let last = text.rsplit('.').next()?;
        let sound = text.len() <= 253
            && text.contains('.')
            && text.split('.').all(label)
            // A last label of digits is an IPv4 address to every resolver.
            && !last.bytes().all(|b| b.is_ascii_digit());
        sound.then(|| Self {
            text: text.to_ascii_lowercase(),
        })
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A whole name, or every name below one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostPattern {
    name: HostName,
    below: bool,
}

/// Text that names no hosts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a host name such as `api.example.com` or `*.example.com`")]
pub struct HostPatternError(String);

impl HostPattern {
    /// Tells whether `name` is meant.
    pub fn accepts(&self, name: &HostName) -> bool {
        if !self.below {
            return self.name == *name;
        }
        name.text
            .strip_suffix(&self.name.text)
            .is_some_and(|front| front.ends_with('.'))
    }

    /// Returns the name when it is a whole one.
    pub fn exact(&self) -> Option<&HostName> {
        (!self.below).then_some(&self.name)
    }

    /// Tells whether some name is meant by both.
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self.below, other.below) {
            (false, false) => self.name == other.name,
            (true, false) => self.accepts(&other.name),
            (false, true) => other.accepts(&self.name),
            (true, true) => {
                self.name == other.name || self.accepts(&other.name) || other.accepts(&self.name)
            }
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let star = if self.below { "*." } else { "" };
        write!(f, "{star}{}", self.name)
    }
}

impl TryFrom<String> for HostPattern {
    type Error = HostPatternError;

    fn try_from(text: String) -> Result<Self, HostPatternError> {
        let (below, name) = match text.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, text.as_str()),
        };
        match HostName::parse(name) {
            // Only the one way of writing it, so that the files read back as they were.
            Some(parsed) if parsed.as_str() == name => Ok(Self {
                name: parsed,
                below,
            }),
            Some(_) | None => Err(HostPatternError(text)),
        }
    }
}

impl From<HostPattern> for String {
    fn from(pattern: HostPattern) -> Self {
        pattern.to_string()
    }
}

impl JsonSchema for HostPattern {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "HostPattern".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "A host name in lower case, or `*.` and a name for everything below it.",
            "pattern": "^(\\*\\.)?([a-z0-9-]+\\.)+[a-z0-9-]+$"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> HostPattern {
        HostPattern::try_from(text.to_owned()).unwrap()
    }

    fn accepts(rule: &str, name: &str) -> bool {
        HostName::parse(name).is_some_and(|name| pattern(rule).accepts(&name))
    }

    #[test]
    fn a_whole_name_is_met_in_any_case_and_with_the_roots_dot() {
        assert!(accepts("api.polygon.io", "API.Polygon.IO."));
        assert!(!accepts("api.polygon.io", "api.polygon.io.."));
        assert!(!accepts("api.polygon.io", "xapi.polygon.io"));
        assert!(!accepts("api.polygon.io", "evil-api.polygon.io.example"));
        assert!(!accepts("api.polygon.io", "a.api.polygon.io"));
    }

    #[test]
    fn a_star_means_names_below_and_nothing_beside() {
        assert!(accepts("*.yahoo.com", "query1.finance.yahoo.com"));
        assert!(!accepts("*.yahoo.com", "yahoo.com"));
        assert!(!accepts("*.yahoo.com", "notyahoo.com"));
        assert!(!accepts("*.yahoo.com", "yahoo.com.example"));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in [
            "", ".", "com", "1.2.3.4", "[::1]", "a..b", "-a.b", "a.b:443", "u@a.b", "a%2eb.c",
            "ä.de", "a_b.c",
        ] {
            assert!(HostName::parse(text).is_none(), "{text:?}");
        }
        for text in [
            "*.com",
            "*",
            "*api.example.com",
            "API.example.com",
            "a.*.com",
            "example.com.",
        ] {
            assert!(HostPattern::try_from(text.to_owned()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn patterns_that_share_a_name_overlap() {
        assert!(pattern("*.a.com").overlaps(&pattern("x.a.com")));
        assert!(pattern("*.a.com").overlaps(&pattern("*.b.a.com")));
        assert!(!pattern("*.a.com").overlaps(&pattern("a.com")));
        assert!(!pattern("x.a.com").overlaps(&pattern("y.a.com")));
    }
}
