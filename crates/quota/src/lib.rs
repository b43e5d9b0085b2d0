//! Rations what providers allow: every governed request is debited before it is sent.
//!
//! Why: limits belong to keys and addresses, not to processes; whoever counts for himself alone gets
//! banned with everybody else. One ledger per user knows every window, survives crashes, and hands out
//! what there is by urgency. A state machine
//! and its store; the front that drives them is the `Egress` of every governed host.
//! Not here: what the limits are (`catalog`), what is cached or asked (`market`), attribution.
//! Start reading at [`ledger`], then [`window`] for why no limit can be exceeded.

mod answer;
mod boundary;
mod call;
mod class;
pub mod config;
mod gate;
pub mod governor;
mod lease;
pub mod ledger;
pub mod outlook;
mod probe;
pub mod record;
pub mod rehearsal;
pub mod retry;
mod server_clock;
pub mod store;
mod terms;
pub mod view;
pub mod window;

pub use boundary::Boundary;
pub use class::{Class, Reserves, UnknownClass};
pub use config::QuotaSection;
pub use governor::{Answer, Governor, Urgency};
pub use server_clock::Offset;
