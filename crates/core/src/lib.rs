//! The words of Tradewind: what every other room speaks.
//!
//! Why: thirteen rooms can only work together when an event, an id and a time mean the same thing in
//! all of them. Not here: I/O, async, a clock (only the trait), decisions. Start reading at [`event`].

pub mod clock;
pub mod cloudevent;
pub mod event;
pub mod id;
pub mod kind;
pub mod mark;
pub mod payload;
pub mod recovery;

pub use clock::Clock;
pub use event::{Draft, DraftError, Event};
pub use id::{JournalId, RepositoryId, Seq};
pub use kind::EventKind;
pub use recovery::Recovery;
