//! What market-data providers are: hosts, keys, limits, endpoints, answers. Facts only; no calls.
//!
//! Why: limits and refusals baked into code rot, and every part of Tradewind must agree on them. Each
//! provider is one reviewed file, `catalog/<name>.toml` at the root of the repository; a thirteenth is
//! one more file and one test (`docs/how-to/add-a-provider.md`). Later rooms add optional tables to the
//! same files; what stands keeps its meaning. The one thing here that runs is the
//! language of mappings ([`mapping`]), so that the lint can refuse what does not compile.
//! Not here: anything that asks a provider, counts a quota or says what a row means.
//! Start reading at [`provider`], then [`catalog`].

pub mod access;
pub mod answer;
pub mod basis;
pub mod catalog;
pub mod cost;
mod document;
pub mod endpoint;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
pub mod host;
pub mod lint;
pub mod mapping;
pub mod offer;
pub mod page;
pub mod period;
pub mod plan;
pub mod pointer;
pub mod provider;
pub mod refusal;
pub mod stream;
pub mod template;
pub mod url;

pub use catalog::{Catalog, LoadError, Loaded, Mistake, Target};
pub use endpoint::{Endpoint, Method, UseCase};
pub use lint::{Finding, Rule};
pub use provider::{Matched, Provider};

/// Returns the JSON schema of a catalog file, for editors.
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(Provider)
}
