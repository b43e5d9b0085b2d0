//! A provider of the tests' own: its catalog file and requests to it.

use std::path::PathBuf;
use std::sync::Arc;

use tradewind_catalog::Catalog;
use tradewind_host::egress::{Method, Request};

/// Returns a catalog that knows the built-in providers and `practice` with these windows.
pub(crate) fn catalog(windows: &str) -> Arc<Catalog> {
    let text = include_str!("practice.toml").replace("# WINDOWS", windows);
    let file = PathBuf::from("practice.toml");
    let loaded = Catalog::builtin().overlay([(file, text)]);
    assert_eq!(loaded.mistakes, []);
    Arc::new(loaded.catalog)
}

/// Returns one window of `practice`.
pub(crate) fn window(counts: &str, limit: u64, per: &str, rest: &str) -> String {
    format!(
        "[[plan.window]]\nid = \"window\"\ncounts = \"{counts}\"\nlimit = {limit}\nper = \"{per}\"\nscope = \"address\"\n{rest}\n"
    )
}

/// Returns a request to `practice`.
pub(crate) fn get(path: &str) -> Request {
    let url = format!("https://api.practice.example{path}");
    Request::new(Method::GET, url.parse().unwrap())
}
