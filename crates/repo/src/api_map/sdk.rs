//! Which calls go to a provider through a package: `yfinance.download`, `ccxt.kraken().fetch_ohlcv`.
//!
//! The packages and their calls are the catalog's. An object that was handed in from elsewhere is known by
//! the name of its method, when one imported package alone has it and the repository has none of that name.
//! Not here: calls by address.

use std::collections::{BTreeMap, BTreeSet};

use tradewind_catalog::{Catalog, Provider, UseCase};

use crate::python::{Call, Code};

/// The packages that a repository imports.
pub(super) struct Packages<'a> {
    catalog: &'a Catalog,
    // Name of a method, and whose it is; only what one provider alone has.
    by_method: BTreeMap<&'a str, Owner<'a>>,
}

/// Whose a call is.
#[derive(Clone, Copy)]
pub(super) struct Owner<'a> {
    pub provider: &'a Provider,
    pub endpoint: Option<&'a str>,
    /// What it is for, where no endpoint says so.
    pub use_case: Option<UseCase>,
}

/// Names that many kinds of objects have; alone they say nothing.
const COMMON: &[&str] = &[
    "download", "history", "search", "quote", "price", "klines", "trades", "depth", "account",
    "eod",
];

impl<'a> Packages<'a> {
    pub(super) fn new(catalog: &'a Catalog, code: &Code) -> Self {
        let mut imported: BTreeSet<&str> = BTreeSet::new();
        let mut own: BTreeSet<&str> = BTreeSet::new();
        for module in &code.modules {
            imported.extend(module.imports.iter().map(|i| i.module.as_ref()));
            own.extend(module.functions.iter().map(|f| f.name.as_ref()));
        }
        let mut by_method: BTreeMap<&str, Option<Owner<'_>>> = BTreeMap::new();
        for provider in catalog.providers() {
            for sdk in &provider.sdks {
                if !imported.iter().any(|module| sdk.is_imported_by(module)) {
                    continue;
                }
                for known in &sdk.calls {
                    let Some((_, method)) = known.call.rsplit_once('.') else {
                        continue;
                    };
                    if own.contains(method) || COMMON.contains(&method) {
                        continue;
                    }
                    let owner = Owner {
                        provider,
                        endpoint: known.endpoints.first().map(String::as_str),
                        use_case: known.use_case,
                    };
                    by_method
                        .entry(method)
                        .and_modify(|held| {
                            if held.is_some_and(|other| other.provider.name != provider.name) {
                                *held = None;
                            }
                        })
                        .or_insert(Some(owner));
                }
            }
        }
        let by_method = by_method
            .into_iter()
            .filter_map(|(method, held)| Some((method, held?)))
            .collect();
        Self { catalog, by_method }
    }

    /// Returns whose a call is; `None` when it goes through no known package.
    pub(super) fn owner(&self, call: &Call) -> Option<Owner<'a>> {
        let callee = call.callee.replace("()", "");
        let (front, last) = callee.rsplit_once('.')?;
        if !last.starts_with(|c: char| c.is_ascii_lowercase()) {
            return None;
        }
        for (provider, sdk) in self.catalog.by_import(&callee) {
            if !sdk.entries.is_empty() && !sdk.is_entered_by(&callee) {
                continue;
            }
            let class = front.rsplit('.').next().unwrap_or_default();
            let known = sdk
                .call(&format!("{class}.{last}"))
                .or_else(|| sdk.call(last));
            let endpoints = known.map_or(&[][..], |known| &known.endpoints);
            let is_method = class.starts_with(|c: char| c.is_ascii_uppercase());
            if known.is_none() && !is_method {
                continue;
            }
            let endpoint = match endpoints {
                [one] => Some(one.as_str()),
                _ => None,
            };
            // A method that the table does not have may stay at home (`Ticker.some_setting`).
            if known.is_none() && !last.starts_with("get_") && !last.starts_with("fetch_") {
                continue;
            }
            return Some(Owner {
                provider,
                endpoint,
                use_case: known.and_then(|known| known.use_case),
            });
        }
        let is_object = front
            .split('.')
            .next_back()
            .is_some_and(|object| object.starts_with(|c: char| c.is_ascii_lowercase() || c == '_'));
        self.by_method.get(last).filter(|_| is_object).copied()
    }
}
