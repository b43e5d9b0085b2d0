//! Market data for every program on the machine: what is held, what is missing, and the cheapest way to
//! get it.
//!
//! Why: five scripts that load the same bars cost five times the quota, and each of them takes a refusal
//! for "no data". So far it is the part that decides without asking anybody: which bars there can be
//! ([`grid`]), which of them are known ([`coverage`]), and which calls fetch the rest ([`plan`]).
//! Not here: what providers are (`catalog`), how often they may be asked (`quota`).
//! Start reading at [`coverage`].

pub mod coverage;
pub mod grid;
pub mod plan;
pub mod rows;
pub mod store;

pub use coverage::{Coverage, Known, Proof};
pub use grid::{Grid, GridError, Key};
pub use plan::{Call, Tariff};
pub use rows::Rows;
pub use store::Store;
