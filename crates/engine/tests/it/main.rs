//! The room on the real thing: a real store, real files, real git, real processes and sockets.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests may do what tests may"
)]

mod condition;
mod config;
mod crash;
mod flow;
mod restore;
mod support;
mod undo;
mod webhook;
