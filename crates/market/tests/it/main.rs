//! The room market on real files and a real journal.
//!
//! One binary for all integration tests, one file per noun.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests stop at the first surprise, as tests do"
)]

mod store;
mod supply;
