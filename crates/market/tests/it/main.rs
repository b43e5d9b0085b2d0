//! The room market on real files, a real journal and recorded answers.
//!
//! One binary for all integration tests, one file per noun.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests stop at the first surprise, as tests do"
)]

mod answers;
mod hostile;
mod kept;
mod listening;
mod orders;
mod pages;
mod passing;
mod practice;
mod proof;
mod recorded;
mod refusals;
mod requests;
mod sharing;
mod store;
mod streams;
mod supply;
mod usage;
