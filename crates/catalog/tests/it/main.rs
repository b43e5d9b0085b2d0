//! The room catalog: the built-in files, lookups, lint, overrides, pages.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on says so by panicking"
)]

mod builtin;
mod hosts;
mod linted;
mod outcomes;
mod overrides;
mod pages;
mod targets;
mod thirteenth;
