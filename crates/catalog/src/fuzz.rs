//! Every reader of outside text in this room as a function of any bytes; what `tradewind_repo`'s module of the
//! same name says holds here as well.

#![expect(
    clippy::missing_panics_doc,
    reason = "a body that panics has found something"
)]

use std::path::PathBuf;
use std::sync::LazyLock;

use crate::catalog::Catalog;
use crate::endpoint::{Endpoint, Method};
use crate::mapping::{Body, Program};
use crate::offer::{VARIABLES, fields};
use crate::page::page;

/// A target: its name, and what it calls.
pub type Target = (&'static str, fn(&[u8]));

/// Every target of this room.
pub const TARGETS: &[Target] = &[
    ("provider", provider),
    ("address", address),
    ("answer", answer),
];

/// A file of the catalog, as an override.
pub fn provider(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let loaded = Catalog::default().overlay([(PathBuf::from("demo.toml"), text.as_ref())]);
    let last = text.split('\n').count();
    for mistake in &loaded.mistakes {
        assert!(
            (1..=last).contains(&(mistake.line as usize)),
            "{mistake:?} of {last} lines"
        );
        assert!(mistake.column >= 1, "{mistake:?}");
    }
    for provider in loaded.catalog.providers() {
        let _ = page(provider);
    }
}

/// An address on each line, as source code has them: whose is it?
pub fn address(bytes: &[u8]) {
    let catalog = Catalog::builtin_shared();
    for line in String::from_utf8_lossy(bytes).lines().take(50) {
        for method in [Method::Get, Method::Post] {
            if let Some(target) = catalog.target(method, line, &[("function", "TIME_SERIES_DAILY")])
            {
                let host = line.split("://").nth(1).unwrap_or_default();
                assert!(
                    !host.contains(['\\', '@']) || host.contains(['/', '?', '#']),
                    "{line}"
                );
                let _ = target.matched.map(|it| it.endpoint.weigh(&it.arguments));
            }
        }
        let _ = (
            catalog.by_host(line),
            catalog.by_variable(line),
            catalog.by_import(line),
        );
    }
}

/// A provider's answer, whoever's: what it is, and the rows that anybody's mapping finds in it.
pub fn answer(bytes: &[u8]) {
    let (status, body) = bytes.split_at_checked(2).unwrap_or((&[0, 200], bytes));
    let status = status
        .iter()
        .fold(0, |sum, byte| sum * 256 + u16::from(*byte))
        % 600;
    let text = String::from_utf8_lossy(body);
    for provider in Catalog::builtin_shared().providers() {
        for endpoint in provider.endpoints.iter().take(3) {
            let _ = provider.classify(endpoint, status, &text);
        }
    }
    for bytes in [bytes, body] {
        if let Ok(read) = Body::read(bytes) {
            rows(bytes, &read);
        }
    }
}

/// Runs every mapping, and holds one reader of success against the other.
fn rows(bytes: &[u8], body: &Body) {
    static PROGRAMS: LazyLock<Vec<(&Endpoint, Program)>> = LazyLock::new(|| {
        let endpoints = Catalog::builtin_shared()
            .providers()
            .flat_map(|p| &p.endpoints);
        let offers = endpoints.flat_map(|e| e.offers.iter().map(move |offer| (e, offer)));
        let compiled =
            offers.filter_map(|(e, offer)| Some((e, offer.rows.compile(&VARIABLES).ok()?)));
        compiled.collect()
    });
    let value = serde_json::from_slice::<serde_json::Value>(bytes);
    for (endpoint, program) in PROGRAMS.iter() {
        let fields = fields(endpoint.use_case).unwrap_or_default();
        let found = program.rows(body, &["AAPL", "none"], fields);
        for row in found.unwrap_or_default() {
            assert_eq!(row.len(), fields.len(), "{}", endpoint.id);
        }
        if let (Some(success), Ok(value)) = (&endpoint.success, &value) {
            assert_eq!(
                success.holds_in(body),
                success.holds(value),
                "{}",
                endpoint.id
            );
        }
    }
}

#[cfg(test)]
#[path = "../../../fuzz/seeds.rs"]
mod seeds;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_seeds_and_survives_them_and_their_mutations() {
        seeds::exercise("catalog", TARGETS);
    }
}
