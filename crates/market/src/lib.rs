//! Market data for every program on the machine: what is held, what is missing, and the cheapest way to
//! get it.
//!
//! Why: five scripts that load the same bars cost five times the quota, and each of them takes a refusal
//! for "no data". Which bars there can be says [`grid`], which of them are known [`coverage`]; [`plan`] finds
//! the calls that fetch the rest, [`store`] keeps what came, and [`supply`] hands it to everybody who asks.
//! [`service`] chooses whom to ask, [`adapter`] speaks with them, [`http`] is the door.
//! Not here: what providers are (`catalog`), how often they may be asked (`quota`).
//! Start reading at [`service`], then [`supply`] and [`coverage`].

pub mod adapter;
pub mod bars;
mod calendar;
pub mod cassette;
pub mod config;
pub mod coverage;
mod fetch;
pub mod format;
pub mod grid;
pub mod http;
pub mod http_cache;
pub mod import;
pub mod listener;
pub mod moments;
pub mod pass;
pub mod plan;
pub mod redact;
pub mod rows;
mod seam;
pub mod secrets;
pub mod service;
pub mod source;
pub mod store;
pub mod stream;
pub mod supply;
pub mod usage;

pub use coverage::{Coverage, Known, Proof};
pub use grid::{Grid, GridError, Key};
pub use plan::{Call, Tariff};
pub use rows::Rows;
pub use store::Store;
