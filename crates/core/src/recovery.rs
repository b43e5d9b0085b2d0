//! What a caller may usefully do about an error.
//!
//! Why: whoever must decide asks `error.recovery()` and never reads an error's text.

use std::time::Duration;

/// What a caller may usefully do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// The same call may succeed at once.
    Retry,
    /// The same call may succeed after this time.
    RetryAfter(Duration),
    /// A person must change something first: input, configuration, permission, disk.
    Fix,
    /// Nothing helps; the thing asked for does not exist or the state is broken.
    GiveUp,
}
