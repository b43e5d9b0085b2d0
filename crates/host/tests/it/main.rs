//! The room host on real children, a real git, real files and real sockets.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on says so by panicking"
)]

mod egress;
mod files;
mod git;
mod process;
mod watch;
