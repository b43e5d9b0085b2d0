//! How a sandbox is set up.
//!
//! Why plain fields: a test says what differs from the default and nothing else.

use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tradewind_core::Clock;
use tradewind_host::clock::SystemClock;

use crate::faults::Fault;

/// Names every provider where a list of providers stands.
pub const EVERYBODY: &str = "all";

/// How a sandbox is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen; loopback only. Default: any free port of `127.0.0.1`.
    pub listen: SocketAddr,
    /// What the market is made of. Default 1.
    pub seed: u64,
    /// What time it is. Default: the machine's.
    pub clock: Arc<dyn Clock>,
    /// Keys that no provider takes; any other key that is not empty works. Default: `wrong`.
    pub wrong_keys: Vec<String>,
    /// Providers whose caller pays for the larger plan, or [`EVERYBODY`]. Default: none, so that all
    /// have the free plan with its limits and gates.
    pub paid: Vec<String>,
    /// What differs from the limits of the plan. Later ones hold.
    pub limits: Vec<LimitChange>,
    /// What goes wrong from the start.
    pub faults: Vec<Fault>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            seed: 1,
            clock: Arc::new(SystemClock),
            wrong_keys: vec!["wrong".to_owned()],
            paid: Vec::new(),
            limits: Vec::new(),
            faults: Vec::new(),
        }
    }
}

impl Settings {
    /// Sets up a sandbox without limits and plan gates: for tests of anything else.
    pub fn generous() -> Self {
        Self {
            paid: vec![EVERYBODY.to_owned()],
            limits: vec![LimitChange {
                provider: EVERYBODY.to_owned(),
                window: None,
                units: None,
            }],
            ..Self::default()
        }
    }

    /// The same at `clock`.
    #[must_use]
    pub fn at(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }
}

/// A limit that differs: `polygon=100`, `tiingo.hour=5`, `binance=off`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitChange {
    /// Name of the provider, or [`EVERYBODY`].
    pub provider: String,
    /// Name of the window; `None` for all of the provider when it is switched off, else its first.
    pub window: Option<String>,
    /// Units in the window; `None` for no limit.
    pub units: Option<i64>,
}

/// Text that is no change of a limit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not PROVIDER=UNITS, PROVIDER.WINDOW=UNITS or PROVIDER=off")]
pub struct LimitChangeError(String);

impl FromStr for LimitChange {
    type Err = LimitChangeError;

    fn from_str(text: &str) -> Result<Self, LimitChangeError> {
        let error = || LimitChangeError(text.chars().take(80).collect());
        let (name, units) = text.split_once('=').ok_or_else(error)?;
        let (provider, window) = match name.split_once('.') {
            Some((provider, window)) => (provider, Some(window.to_owned())),
            None => (name, None),
        };
        let units = match units {
            "off" => None,
            units => Some(units.parse().ok().filter(|u| *u >= 0).ok_or_else(error)?),
        };
        if provider.is_empty() || window.as_deref() == Some("") {
            return Err(error());
        }
        Ok(Self {
            provider: provider.to_owned(),
            window,
            units,
        })
    }
}

/// A clock that runs like the machine's and began at another time.
#[derive(Clone, Copy, Debug)]
pub struct RunningFrom {
    ahead: SignedDuration,
}

impl RunningFrom {
    /// Says that it is `now`.
    pub fn new(now: Timestamp) -> Self {
        Self {
            ahead: now.duration_since(SystemClock.now()),
        }
    }
}

impl Clock for RunningFrom {
    fn now(&self) -> Timestamp {
        let now = SystemClock.now();
        now.checked_add(self.ahead).unwrap_or(now)
    }
}

/// A clock that runs faster than the machine's.
#[derive(Clone, Copy, Debug)]
pub struct Accelerated {
    from: Timestamp,
    began: Timestamp,
    factor: i32,
}

impl Accelerated {
    /// Says that it is `from`, and runs `factor` times as fast as the machine's clock from now on.
    pub fn new(from: Timestamp, factor: i32) -> Self {
        Self {
            from,
            began: SystemClock.now(),
            factor,
        }
    }
}

impl Clock for Accelerated {
    fn now(&self) -> Timestamp {
        let passed = SystemClock.now().duration_since(self.began);
        let passed = passed.checked_mul(self.factor).unwrap_or(passed);
        self.from.checked_add(passed).unwrap_or(self.from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_a_limit_is_read_or_refused() {
        let read = |text: &str| text.parse::<LimitChange>();
        let change = read("tiingo.hour=5").unwrap();
        assert_eq!(
            (change.window.as_deref(), change.units),
            (Some("hour"), Some(5))
        );
        assert_eq!(read("all=off").unwrap().units, None);
        for text in ["", "tiingo", "tiingo=", "tiingo=-1", "=5", "tiingo.=5"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
