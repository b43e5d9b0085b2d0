//! The words of Tradewind: what every other room speaks.
//!
//! Why: thirteen rooms can only work together when an event, an id and a time mean the same thing in
//! all of them. Not here: I/O, async, a clock (only the trait), decisions. Start reading at [`event`].

pub mod bar;
pub mod clock;
pub mod cloudevent;
pub mod event;
#[cfg(any(test, feature = "fuzz"))]
pub mod fuzz;
pub mod id;
pub mod instrument;
pub mod interval;
pub mod kind;
pub mod mark;
pub mod nearest;
pub mod payload;
pub mod recovery;

pub use bar::{Article, Bar, Quote, Side, Trade};
pub use clock::{Clock, Uptime};
pub use event::{Draft, DraftError, Event};
pub use id::{JournalId, RepositoryId, Seq};
pub use instrument::{Instrument, InstrumentError};
pub use interval::{Interval, IntervalError};
pub use kind::EventKind;
pub use recovery::Recovery;
