//! The machine's clock.
//!
//! The only place that asks the operating system for the time of day; everybody else holds a
//! [`Clock`].

use jiff::Timestamp;
use tradewind_core::Clock;

/// Reads the machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the home of the real clock"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
