//! The room quota as others use it: on a virtual clock against reference servers, on a real store, on
//! real sockets.
//!
//! One binary for all integration tests, one file per noun.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests stop at the first surprise, as tests do"
)]

mod governor;
mod laws;
mod origin;
mod outlook;
mod practice;
mod priorities;
mod store;
mod world;
