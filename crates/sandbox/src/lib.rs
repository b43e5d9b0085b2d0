//! Market-data providers to practise against: the wire formats of twelve providers over a made-up market,
//! with their limits, bans and faults on a switch.
//!
//! Why: what fetches data can only be trusted when it was tried against somebody who counts, refuses
//! and errs like the real ones, and nobody may try that on the real ones. It shares no code with the
//! adapters that it tests, and reads their formats from recorded answers.
//! Not here: prices of the real world, money.
//! Start reading at [`server`], then a provider, then [`market`].

mod call;
pub mod detour;
pub mod faults;
mod limits;
pub mod market;
mod providers;
pub mod server;
pub mod settings;
mod stats;
mod streams;
pub mod venue;
mod wire;

pub use detour::Detour;
pub use faults::{Fault, FaultKind};
pub use market::Market;
pub use server::{Running, Sandbox, SandboxError};
pub use settings::{Accelerated, LimitChange, RunningFrom, Settings};
pub use stats::{EndpointStats, Stats, StreamStats};
pub use venue::{Order, OrderState};

/// Returns the names of all providers that are simulated.
pub fn providers() -> Vec<String> {
    providers::names()
}
