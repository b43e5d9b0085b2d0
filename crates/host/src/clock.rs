//! The machine's clocks.
//!
//! The only place that asks the operating system for the time of day and for the time since it
//! started; everybody else holds a [`Clock`] or an [`Uptime`].

use std::time::Instant;

use jiff::Timestamp;
use tradewind_core::{Clock, Uptime};

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

/// Reads how long the machine has been running. On Linux that counts sleep and is the same for all
/// processes; elsewhere it counts from the making of this value and names no boot.
#[derive(Clone, Debug)]
pub struct SystemUptime {
    since: Instant,
    boot: Option<String>,
}

impl SystemUptime {
    /// Asks the system which run of the machine this is.
    pub fn new() -> Self {
        Self {
            since: Instant::now(),
            boot: boot_id(),
        }
    }
}

impl Default for SystemUptime {
    fn default() -> Self {
        Self::new()
    }
}

impl Uptime for SystemUptime {
    fn now_us(&self) -> i64 {
        since_boot_us()
            .unwrap_or_else(|| i64::try_from(self.since.elapsed().as_micros()).unwrap_or(i64::MAX))
    }

    fn boot(&self) -> Option<String> {
        self.boot.clone()
    }
}

#[cfg(target_os = "linux")]
fn boot_id() -> Option<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let id = text.trim();
    (!id.is_empty()).then(|| id.to_owned())
}

#[cfg(not(target_os = "linux"))]
fn boot_id() -> Option<String> {
    None
}

#[cfg(target_os = "linux")]
fn since_boot_us() -> Option<i64> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    time.tv_sec
        .checked_mul(1_000_000)?
        .checked_add(time.tv_nsec / 1_000)
}

#[cfg(not(target_os = "linux"))]
fn since_boot_us() -> Option<i64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_values_of_one_machine_agree_on_the_boot_and_never_go_backwards() {
        let (one, other) = (SystemUptime::new(), SystemUptime::new());
        assert_eq!(one.boot(), other.boot());
        let before = one.now_us();
        assert!(one.now_us() >= before);
        if one.boot().is_some() {
            assert!(other.now_us() >= before);
        }
    }
}
