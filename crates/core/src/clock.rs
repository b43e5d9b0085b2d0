//! The clock as a trait: nobody reads the time of day except through one of these.
//!
//! Why: tests own time. The real clock lives in the room `host`; tests bring their own.

use jiff::Timestamp;

/// Tells the time of day.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Returns the present time in UTC.
    fn now(&self) -> Timestamp;
}

impl<C: Clock + ?Sized> Clock for std::sync::Arc<C> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }
}

/// Tells how long the machine has been running; nobody can set it.
///
/// Why beside [`Clock`]: the time of day can be wrong or jump; what must last so and so long after
/// something else is measured by this.
pub trait Uptime: Send + Sync + std::fmt::Debug {
    /// Returns the microseconds since some fixed moment, time asleep included where the system counts
    /// it. Never goes backwards.
    fn now_us(&self) -> i64;

    /// Returns the name of this run of the machine; stamps of the same run can be compared, also across
    /// processes. `None` where the system does not say, so that each process stands alone.
    fn boot(&self) -> Option<String>;
}

impl<U: Uptime + ?Sized> Uptime for std::sync::Arc<U> {
    fn now_us(&self) -> i64 {
        (**self).now_us()
    }

    fn boot(&self) -> Option<String> {
        (**self).boot()
    }
}

/// A clock that stands still until told otherwise; for tests and for replay.
#[derive(Debug)]
pub struct FixedClock {
    now: std::sync::Mutex<Timestamp>,
}

impl FixedClock {
    /// Stands at `now`.
    pub fn at(now: Timestamp) -> Self {
        Self {
            now: std::sync::Mutex::new(now),
        }
    }

    /// Moves to `now`, forwards or backwards.
    pub fn set(&self, now: Timestamp) {
        *self
            .now
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = now;
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        *self
            .now
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
