//! `[quota]` of the user's configuration: which plan is paid for, what is kept for whom, and shadow mode.
//!
//! Why it is the user's and not a repository's: a limit belongs to a key or an address, and several
//! repositories share both. Not here: the limits themselves (`catalog`), counting ([`crate::ledger`]).

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tradewind_catalog::Catalog;
use tradewind_catalog::plan::{Plan, Window};
use tradewind_catalog::provider::Provider;
use tradewind_core::nearest::unknown;

use crate::call::Settings;
use crate::class::Reserves;
use crate::window::Rule;

/// `[quota]`: how calls to providers are rationed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct QuotaSection {
    /// Whether everything is counted and nothing held back. Default false.
    pub shadow: bool,
    /// Shares of each window that are kept for the more urgent classes.
    pub reserves: Reserves,
    /// What is special about single providers, by their names in the catalog.
    pub providers: BTreeMap<String, ProviderSection>,
}

/// `[quota.providers.<name>]`: what this user has with one provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProviderSection {
    /// The plan that the key is on. Default: the first one in the catalog, which is the free one.
    pub plan: Option<String>,
    /// Other limits than the catalog's, by the id of the window: lower to leave room for programs that
    /// do not go through Tradewind, higher where the provider granted more.
    pub limits: BTreeMap<String, NonZeroU32>,
}

/// Something in `[quota]` that the catalog does not know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", path.join("."))]
pub struct QuotaMistake {
    /// Where it stands, below `quota`.
    pub path: Vec<String>,
    /// What is wrong, without a full stop.
    pub message: String,
}

impl QuotaSection {
    /// Returns everything that does not agree with the catalog; empty when the section can be in force.
    pub fn check(&self, catalog: &Catalog) -> Vec<QuotaMistake> {
        let mut mistakes = Vec::new();
        let mut tell = |path: &[&str], message: String| {
            mistakes.push(QuotaMistake {
                path: path.iter().map(|&part| part.to_owned()).collect(),
                message,
            });
        };
        if self.reserves.sum() > 90 {
            tell(
                &["reserves"],
                "together they keep more than 90 % from the least urgent calls".to_owned(),
            );
        }
        for (name, section) in &self.providers {
            let Some(provider) = catalog.provider(name) else {
                let names = catalog.providers().map(|provider| provider.name.as_str());
                let message = unknown("provider", name, &names.collect::<Vec<_>>());
                tell(&["providers", name], message);
                continue;
            };
            if let Some(id) = &section.plan
                && provider.plans.iter().all(|plan| plan.id != *id)
            {
                let ids: Vec<_> = provider.plans.iter().map(|plan| plan.id.as_str()).collect();
                tell(&["providers", name, "plan"], unknown("plan", id, &ids));
            }
            let windows = self.plan(provider).map_or(&[][..], |plan| &plan.windows);
            let ids: Vec<_> = windows.iter().map(|window| window.id.as_str()).collect();
            for id in section.limits.keys() {
                if !ids.contains(&id.as_str()) {
                    let path = ["providers", name, "limits", id];
                    tell(&path, unknown("window", id, &ids));
                }
            }
        }
        mistakes
    }

    /// Returns the plan that this user has with `provider`; `None` where the catalog knows none.
    pub fn plan<'p>(&self, provider: &'p Provider) -> Option<&'p Plan> {
        let own = self.providers.get(&provider.name);
        let named = own.and_then(|section| section.plan.as_deref());
        let named = named.and_then(|id| provider.plans.iter().find(|plan| plan.id == id));
        named.or(provider.plans.first())
    }

    /// Returns the limit that is to hold instead of the catalog's.
    pub fn limit(&self, provider: &str, window: &str) -> Option<u32> {
        let section = self.providers.get(provider)?;
        section.limits.get(window).map(|limit| limit.get())
    }

    /// Returns how a window of `provider` is counted for this user.
    pub(crate) fn rule(&self, provider: &str, declared: &Window) -> Rule {
        let Some(limit) = self.limit(provider, &declared.id) else {
            return Rule::of(declared);
        };
        // Who may use less may not use more of it at once either.
        Rule::of(&Window {
            limit,
            burst: declared.burst.map(|burst| burst.min(limit)),
            ..declared.clone()
        })
    }

    /// Returns how the ledger is to behave.
    pub fn settings(&self) -> Settings {
        Settings {
            reserves: self.reserves,
            is_shadow: self.shadow,
            ..Settings::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(text: &str) -> QuotaSection {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn what_the_catalog_does_not_know_is_told_with_the_nearest_name() {
        let catalog = Catalog::builtin_shared();
        let wrong = section(
            "[providers.polygn]\nplan = \"free\"\n[providers.binance]\nplan = \"gold\"\n[providers.binance.limits]\nminute = 5\n",
        );
        let told: Vec<String> = wrong
            .check(catalog)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(
            told[0].contains("plan") && told[0].contains("public"),
            "{told:?}"
        );
        assert!(told[2].contains("did you mean \"polygon\"?"), "{told:?}");
        assert!(section("shadow = true").check(catalog).is_empty());
    }

    #[test]
    fn reserves_that_leave_nothing_are_refused() {
        let greedy = section("[reserves]\nlive = 60\ntriggered = 30\ninteractive = 20\n");
        assert_eq!(greedy.check(Catalog::builtin_shared()).len(), 1);
    }

    #[test]
    fn without_a_word_the_first_plan_holds() {
        let catalog = Catalog::builtin_shared();
        let polygon = catalog.provider("polygon").unwrap();
        let first = polygon.plans.first();
        assert_eq!(QuotaSection::default().plan(polygon), first);
        assert_eq!(section("[providers.polygon]").plan(polygon), first);
    }
}
