//! A shared HTTP cache: which answers are kept, for how long, and for whom.
//!
//! Why: a bot that asks for the same bars every second spends its quota on what has not changed, although the
//! provider said how long its answer is good. Rules are RFC 9111, with stale answers by RFC 5861, targeted
//! directives by RFC 9213 and what was done told by RFC 9211.
//! When it acts: on GET and HEAD that the caller of [`Front::answer`] sends here; it never repeats a call. When
//! the origin fails, it serves a stale answer only where that was allowed. First start: empty; it lives in memory.
//! Each rule is a pure function of messages and time, in the file that has its name; [`front`] drives them.
//! Not here: interim answers (1xx), parts of answers (206) as things to keep, who may ask.
//! Start reading at [`freshness`], then [`front`].

pub mod date;
pub mod directives;
pub mod freshness;
pub mod front;
pub mod range;
pub mod store;
pub mod storing;
pub mod validate;
pub mod vary;

pub use front::{Ask, Fetched, Front, How, Origin, Served, Sharing};
pub use store::{Credential, Key, Store};
pub use storing::Stored;

/// What differs between a cache for a provider of the catalog and one for an origin that the user named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Whether an answer that does not say how long it is good may be reused for a tenth of the time since it
    /// was last changed, at most a day. Prices are never guessed to be good.
    pub may_guess: bool,
    /// Whether a stale answer may be served when the origin cannot be reached, without leave of its own.
    pub stale_when_cut_off: bool,
}

impl Rules {
    /// For market data: nothing is reused beyond what its provider said.
    pub const STRICT: Self = Self {
        may_guess: false,
        stale_when_cut_off: false,
    };
    /// Everything that RFC 9111 allows.
    pub const FULL: Self = Self {
        may_guess: true,
        stale_when_cut_off: true,
    };
}
