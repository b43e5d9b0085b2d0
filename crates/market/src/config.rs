//! `[market]`: which providers this user has, where their keys are, how much is kept.
//!
//! Why the user's and not the repository's: keys and limits belong to a person, and several repositories
//! share both. Not here: limits (`[quota]`), the keys themselves.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tradewind_catalog::Catalog;
use tradewind_core::nearest::unknown;
use tradewind_engine::secret::SecretReference;

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
