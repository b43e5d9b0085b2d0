//! How the ledger stands, for `status`, `usage` and the first page.
//!
//! Not here: who spent what, which is the market's to attribute. Nothing here names a key: a scope is
//! `address` or a digest.

use serde::Serialize;

use crate::gate::Breaker;

/// Everything at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LedgerView {
    /// Windows that were asked for since the start.
    pub windows: Vec<WindowView>,
    /// Gates that were asked for since the start.
    pub gates: Vec<GateView>,
    /// Calls that wait: live, triggered, interactive, backfill.
    pub waiting: [u64; 4],
    /// Whether everything is counted and nothing refused.
    pub is_shadow: bool,
    /// Calls that would have waited or been refused, had the mode not been shadow.
    pub would_wait: u64,
    /// Whether units can be written down; nothing is granted otherwise.
    pub is_writable: bool,
}

/// One window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WindowView {
    /// Its key: `provider/window@scope`.
    pub key: String,
    /// Whose window it is.
    pub provider: String,
    /// Its id in the catalog.
    pub window: String,
    /// Units in it.
    pub limit: u64,
    /// Units taken, those without an answer included.
    pub used: u64,
    /// Units without an answer.
    pub in_flight: u64,
    /// Time until a unit is free; 0 when one is.
    pub free_in_ms: u64,
}

/// One provider as one key or address sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GateView {
    /// Its key: `provider@scope`.
    pub key: String,
    /// The provider.
    pub provider: String,
    /// For how long nothing is sent; none when calls pass.
    pub closed_for_ms: Option<u64>,
    /// Whether that is a ban.
    pub is_banned: bool,
    /// State of the breaker.
    pub breaker: BreakerView,
}

/// State of a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerView {
    /// Calls pass.
    Closed,
    /// Calls are refused.
    Open,
    /// A probe may pass.
    HalfOpen,
}

impl From<Breaker> for BreakerView {
    fn from(breaker: Breaker) -> Self {
        match breaker {
            Breaker::Closed => Self::Closed,
            Breaker::Open { .. } => Self::Open,
            Breaker::HalfOpen { .. } => Self::HalfOpen,
        }
    }
}
