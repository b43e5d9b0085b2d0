//! `.pre-commit-config.yaml` as pre-commit 4.7 reads it, and which files each of its hooks is for.
//!
//! Why: people have this file. It is taken as it is, with what it warns of and what it refuses, so that nobody
//! keeps two lists of hooks. Beyond pre-commit: `repo: builtin`, `priority` and two languages, as prek has them.
//! Not here: running anything, fetching repositories of hooks (the module `hook`), the checks ([`crate::builtin`]).
//! Start reading at [`Config`], then [`Settled`].

pub mod config;
mod field;
pub mod hook;
pub mod identify;
pub mod pattern;
pub mod words;
mod yaml11;

pub use config::{Config, ConfigError, Remark, Repository, Source};
pub use hook::{Given, Hook, LANGUAGES, ManifestError, Settled, Stage, manifest};
pub use identify::Tags;
pub use pattern::{Pattern, PatternError};

/// Version of pre-commit whose reading of the file this is.
pub const READ_AS: &str = "4.7.0";
