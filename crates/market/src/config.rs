//! `[market]`: which providers this user has, where their keys are, how much is kept.
//!
//! Why the user's and not the repository's: keys and limits belong to a person, and several repositories
//! share both. Not here: limits (`[quota]`), the keys themselves.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tradewind_catalog::Catalog;
use tradewind_catalog::host::HostName;
use tradewind_core::nearest::unknown;
use tradewind_engine::secret::SecretReference;
use tradewind_host::egress::Url;

/// `[market]`: where bars come from and how much of them is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MarketSection {
    /// Providers to ask first, by their names in the catalog, the most preferred one first. Default: those
    /// whose keys are found, then those that need none.
    pub prefer: Vec<String>,
    /// Providers whose bars you take for the same, as lists of names: when one of a list fails, the next one
    /// answers, and says so. Default: none; providers differ in feed, session and correction.
    pub equivalent: Vec<Vec<String>>,
    /// Upper bound on the bars that are kept on disk, in MiB. Series that were used longest ago go first.
    /// Default 4096.
    pub max_mib: Option<NonZeroU32>,
    /// Where the keys are, by provider and by the catalog's name of the credential: `env:NAME`, `file:PATH`
    /// or `cmd:LINE`. Default: the first of the provider's usual variables that is set.
    pub keys: BTreeMap<String, BTreeMap<String, String>>,
    /// Upper bound on the answers that are kept in memory for pass-through and for all listeners, in MiB.
    /// Default 256.
    pub max_http_mib: Option<NonZeroU32>,
    /// Ports of their own, by name, for programs that can only change a host name. Default: none.
    pub listeners: BTreeMap<String, ListenerSection>,
}

/// `[market.listeners.<name>]`: a port of this machine at whose root one provider is, or one origin of yours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ListenerSection {
    /// Port on 127.0.0.1; 0 takes any that is free, and the daemon says which.
    pub port: u16,
    /// A provider of the catalog. Calls to its data endpoints are rationed, shared and kept for as long as it says;
    /// all others pass straight through.
    pub provider: Option<String>,
    /// Which of the provider's hosts. Default: the first that answers data.
    pub host: Option<String>,
    /// Instead of a provider, a server of your own on this machine, as `http://127.0.0.1:8010`. Everything that
    /// RFC 9111 allows is kept, and nothing is rationed.
    pub origin: Option<String>,
    /// Which answers are shared by programs that wait for the same: `every` or `storable`, those that may be
    /// kept. Default: `every` for a provider, whose data calls change nothing; `storable` for an origin.
    pub share: Option<Share>,
}

/// Which answers are shared by those who wait for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Share {
    /// Every answer, errors and those that must not be kept included.
    Every,
    /// Answers that may be kept.
    Storable,
}

impl ListenerSection {
    /// Returns the origin, when it is one that can be served.
    pub fn origin(&self) -> Option<Url> {
        let url = Url::parse(self.origin.as_deref()?).ok()?;
        let host = url
            .host_str()?
            .trim_start_matches('[')
            .trim_end_matches(']');
        let is_here = match host.parse::<IpAddr>() {
            Ok(address) => address.is_loopback(),
            Err(_a_name) => host.eq_ignore_ascii_case("localhost"),
        };
        let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let is_open = url.username().is_empty() && url.password().is_none();
        (url.scheme() == "http" && is_here && is_bare && is_open).then_some(url)
    }
}

/// Something in `[market]` that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", path.join("."))]
pub struct MarketMistake {
    /// Where it stands, below `market`.
    pub path: Vec<String>,
    /// What is wrong, without a full stop.
    pub message: String,
}

impl MarketSection {
    /// Returns how many bytes of bars are kept on disk.
    pub fn max_bytes(&self) -> u64 {
        u64::from(self.max_mib.map_or(4_096, NonZeroU32::get)) * 1024 * 1024
    }

    /// Returns how many bytes of answers are kept in memory.
    pub fn max_http_bytes(&self) -> u64 {
        u64::from(self.max_http_mib.map_or(256, NonZeroU32::get)) * 1024 * 1024
    }

    /// Returns the providers that may answer instead of `provider`, in sequence.
    pub fn instead_of<'a>(&'a self, provider: &'a str) -> impl Iterator<Item = &'a str> {
        let lists = self
            .equivalent
            .iter()
            .filter(move |list| list.iter().any(|name| name == provider));
        lists
            .flatten()
            .map(String::as_str)
            .filter(move |name| *name != provider)
    }

    /// Returns everything that does not agree with the catalog; empty when the section can be in force.
    pub fn check(&self, catalog: &Catalog) -> Vec<MarketMistake> {
        let mut mistakes = Vec::new();
        let mut tell = |path: &[&str], message: String| {
            mistakes.push(MarketMistake {
                path: path.iter().map(|&part| part.to_owned()).collect(),
                message,
            });
        };
        let names: Vec<_> = catalog.providers().map(|p| p.name.as_str()).collect();
        for name in &self.prefer {
            if catalog.provider(name).is_none() {
                tell(&["prefer"], unknown("provider", name, &names));
            }
        }
        for name in self.equivalent.iter().flatten() {
            if catalog.provider(name).is_none() {
                tell(&["equivalent"], unknown("provider", name, &names));
            }
        }
        let mut ports = BTreeMap::new();
        for (name, listener) in &self.listeners {
            let at = |key| ["listeners", name.as_str(), key];
            let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            if name.is_empty() || name.len() > 40 || !name.chars().all(is_plain) {
                let message = "the name is not of 1 to 40 letters, digits, - and _".to_owned();
                tell(&["listeners", name], message);
            }
            if listener.port != 0
                && let Some(other) = ports.insert(listener.port, name)
            {
                tell(
                    &at("port"),
                    format!("listener {other} has this port already"),
                );
            }
            match (&listener.provider, &listener.origin) {
                (Some(provider), None) => match catalog.provider(provider) {
                    None => tell(&at("provider"), unknown("provider", provider, &names)),
                    Some(provider) => {
                        if let Some(host) = &listener.host
                            && HostName::parse(host)
                                .is_none_or(|host| provider.host_of(&host).is_none())
                        {
                            tell(&at("host"), format!("{} has no such host", provider.name));
                        }
                    }
                },
                (None, Some(_)) if listener.host.is_some() => {
                    tell(&at("host"), "only a provider has hosts".to_owned());
                }
                (None, Some(_)) if listener.origin().is_none() => {
                    let message = "an origin is a server on this machine, as http://127.0.0.1:8010; add a provider of your own to the catalog for others";
                    tell(&at("origin"), message.to_owned());
                }
                (None, Some(_)) => {}
                _ => {
                    let message = "a listener has either a provider or an origin".to_owned();
                    tell(&["listeners", name], message);
                }
            }
        }
        for (name, keys) in &self.keys {
            let Some(provider) = catalog.provider(name) else {
                tell(&["keys", name], unknown("provider", name, &names));
                continue;
            };
            let ids: Vec<_> = provider.credentials.iter().map(|c| c.id.as_str()).collect();
            for (id, reference) in keys {
                if !ids.contains(&id.as_str()) {
                    tell(&["keys", name, id], unknown("credential", id, &ids));
                }
                // The text is not shown: it may be the key itself.
                if let Err(error) = SecretReference::parse(reference) {
                    tell(&["keys", name, id], error.to_string());
                }
            }
        }
        mistakes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_listener_cannot_be_is_told_with_its_place() {
        let wrong: MarketSection = toml::from_str(
            "[listeners.a]\nport = 9001\nprovider = \"alpacca\"\n\
             [listeners.b]\nport = 9001\norigin = \"http://10.0.0.1:80\"\n\
             [listeners.c]\norigin = \"http://127.0.0.1:80/path\"\n\
             [listeners.d]\norigin = \"https://127.0.0.1\"\n\
             [listeners.e]\nprovider = \"alpaca\"\nhost = \"evil.example\"\n\
             [listeners.f]\nprovider = \"alpaca\"\norigin = \"http://127.0.0.1:80\"\n\
             [listeners.g]\n[listeners.h]\norigin = \"http://u:p@localhost:80\"\n",
        )
        .unwrap();
        let told = wrong.check(Catalog::builtin_shared());
        let places: Vec<_> = told.iter().map(|mistake| mistake.path.join(".")).collect();
        let expected = [
            "listeners.a.provider",
            "listeners.b.port",
            "listeners.b.origin",
            "listeners.c.origin",
            "listeners.d.origin",
            "listeners.e.host",
            "listeners.f",
            "listeners.g",
            "listeners.h.origin",
        ];
        assert_eq!(places, expected, "{told:?}");
        let right: MarketSection = toml::from_str(
            "[listeners.a]\nport = 9001\nprovider = \"alpaca\"\nhost = \"paper-api.alpaca.markets\"\n\
             [listeners.b]\nport = 9002\norigin = \"http://localhost:8010\"\nshare = \"every\"\n",
        )
        .unwrap();
        assert!(right.check(Catalog::builtin_shared()).is_empty());
    }

    #[test]
    fn a_key_itself_is_refused_and_not_repeated() {
        let wrong: MarketSection = toml::from_str(
            "prefer = [\"alpacca\"]\n[keys.polygon]\nkey = \"pk_live_123456\"\n[keys.alpaca]\nkye = \"env:A\"\n",
        )
        .unwrap();
        let told: Vec<_> = wrong
            .check(Catalog::builtin_shared())
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(
            told.iter().all(|text| !text.contains("pk_live")),
            "{told:?}"
        );
        assert!(told[0].contains("did you mean \"alpaca\"?"), "{told:?}");
        assert!(told[1].contains("there are key, secret"), "{told:?}");
    }
}
