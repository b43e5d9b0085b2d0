//! What a repository *is*: where it lies, what its refs say, what came since the last look.
//!
//! Why a room of its own: the daemon, the audit, the changelog and the guard ask the same questions
//! and must get the same answers. It reads only and executes nothing of the repository; git runs
//! through [`tradewind_host::git`]. The same commit gives the same answer.
//! Not here: what to do about it, and when to look. Start reading at [`location`], then [`refs`]
//! and [`changes`].

pub mod api_map;
pub mod changes;
pub mod checkout;
pub mod documents;
pub mod error;
pub mod fingerprint;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
pub mod generated;
pub mod history;
pub mod index;
pub mod leaks;
pub mod location;
pub mod objects;
pub mod odb;
pub mod oid;
pub mod operation;
pub mod outlines;
pub mod project;
pub mod python;
pub mod references;
pub mod refs;
pub mod secrets;
pub mod tree;
pub mod trees;
pub mod worktree;

mod cores;
mod stamp;

pub use error::RepoError;
pub use fingerprint::Fingerprint;
pub use location::Location;
pub use oid::Oid;
pub use operation::{Operation, operation_in_progress};
