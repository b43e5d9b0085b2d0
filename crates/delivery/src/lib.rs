//! Everything up to a checked commit on main: hooks that cannot lose work, a guard for core files, checks in clean copies.
//!
//! Why: the owner of a bot commits in a hurry. What is checked here is what will be committed, never what
//! happens to lie in the work tree; and nothing in the work tree is moved while it is checked.
//! Not here: what a repository is (room `repo`), undo (room `engine`), reading the command line.
//! Start reading at [`hook`], then [`guard`] and [`check`].

pub mod builtin;
pub mod change;
pub mod check;
pub mod guard;
pub mod hook;
pub mod precommit;
pub mod staged;
