//! The journal on a real file: what it promises to every other room.
//!
//! One binary for all integration tests, one file per noun.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests stop at the first surprise, as tests do"
)]

mod append;
#[cfg(unix)]
mod faults;
mod keep;
mod laws;
#[cfg(unix)]
#[path = "../faults/producers.rs"]
mod producers;
mod samples;
mod support;
