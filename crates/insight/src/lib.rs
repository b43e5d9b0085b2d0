//! The audit: what is wrong with a repository, with evidence.
//!
//! Why: a finding that is wrong costs more trust than ten right ones earn. Every finding therefore quotes
//! the fact it rests on, says how certain it is, and names the repair; what could not be decided is
//! said as *not checked*, never as clean. Rules are pure: the same repository, catalog and date give the
//! same report.
//! Not here: reading repositories (room `repo`), writing to them, blocking anything.
//! Start reading at [`rule`], then a file in `rules/`.

pub mod audit;
pub mod baseline;
mod cause;
pub mod config;
pub mod declared;
mod demote;
pub mod facts;
pub mod finding;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
pub mod gone;
pub mod identity;
mod idle;
pub mod pages;
pub mod progress;
pub mod pythons;
mod quotes;
mod rank;
pub mod report;
pub mod rule;
pub mod rules;
pub mod sources;
pub mod tables;

mod source;

pub use audit::{Audit, NotChecked, Request, Selection};
pub use finding::{Area, Confidence, Evidence, Finding, Fix, Severity, Timeframe};
pub use report::Report;
pub use rule::{About, Context, Findings, PythonRule, Rule};
pub use sources::Sources;
