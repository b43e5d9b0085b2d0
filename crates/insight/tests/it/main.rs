//! The room insight on real git repositories.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on says so by panicking"
)]

mod bot;
mod causes;
mod fixtures;
mod mistakes;
mod odd;
mod pages;
#[path = "../../../tradewind/src/cli/demo/replay.rs"]
mod replay;
mod scratch;
