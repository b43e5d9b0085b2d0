//! Streams: what happens at the market, as it happens, each trade once.
//!
//! Why in the daemon: a free plan has one connection and thirty symbols, and three bots that open it each for
//! itself lock each other out. So there is one connection per stream of a provider, shared by everybody
//! ([`hub`]); it is opened again when it breaks, what was missed is fetched ([`link`]), and trades are handed
//! on once and in sequence ([`sequence`]). Listeners ([`listener`]) are places in a bounded ring ([`topic`]); bars are made
//! of trades ([`bars`]), messages of both ([`told`]).
//! Not here: what streams there are (`catalog`), sockets (`host`), the doors ([`crate::http`]).
//! Start reading at [`hub`], then [`link`] and [`sequence`].

pub mod bars;
pub mod hub;
mod link;
pub mod listener;
mod sequence;
pub mod told;
pub mod topic;
mod words;

pub(crate) use link::digest;

pub use hub::{FollowAsk, Kind, Streams};
pub use listener::{Follow, Followed};
pub use topic::{End, Notice, Place, Told, What};
