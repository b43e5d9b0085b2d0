//! The room delivery beside the tools that it stands in for.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by panicking"
)]

mod change;
mod hooks;
mod page;
mod verdicts;
