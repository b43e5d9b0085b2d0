//! The room repo on real git repositories.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on says so by panicking"
)]

mod changes;
mod location;
mod random_history;
mod scratch;
mod secrets;
mod worktree;
