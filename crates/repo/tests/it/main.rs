//! The room repo on real git repositories.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on says so by panicking"
)]

mod api_map;
mod changes;
mod history;
mod hostile;
mod join;
mod location;
mod objects;
mod outline;
mod partial;
mod random_history;
mod scratch;
mod secrets;
mod staged;
mod tree;
mod worktree;
