//! What the ledger writes down, and what it reads back: rows and changes to them, as data.
//!
//! Why data: the state machine knows no store, and a test can lose, delay or repeat what it wrote.
//! Not here: tables and transactions ([`crate::store`]).

use tradewind_core::payload::{
    BreakerClosed, BreakerOpened, KeyRefused, LedgerRecovered, LimitCorrected, ProviderBanned,
    WindowExhausted,
};

use crate::server_clock::Offset;
use crate::window::SymbolId;

/// Units that were taken out of a window in one go: open while any of them may still be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseRow {
    /// Its number, never used for another.
    pub id: u64,
    /// The window.
    pub window: String,
    /// The symbol, where symbols are counted.
    pub symbol: Option<SymbolId>,
    /// Units: all it may use while it is open, what it did use afterwards.
    pub units: u64,
    /// Whether some may still be used or unanswered.
    pub is_open: bool,
    /// The run of the machine that the stamp belongs to.
    pub boot: Option<String>,
    /// Uptime at which the last of it was answered, in microseconds.
    pub stamp_us: i64,
    /// The other side's time by which the last of it was answered, in microseconds since 1970: kept of
    /// what another run of the machine spent, until that can be told in this run's uptime.
    pub server_us: Option<i64>,
}

/// What is remembered of a provider as one address or key sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateRow {
    /// Whose gate.
    pub gate: String,
    /// The run of the machine that the stamps belong to.
    pub boot: Option<String>,
    /// Uptime at which this was written.
    pub written_us: i64,
    /// Uptime before which nothing is sent.
    pub closed_until_us: Option<i64>,
    /// Whether it is a ban.
    pub is_banned: bool,
    /// Bans in a row.
    pub bans: u32,
    /// What is known of the other side's clock.
    pub offset: Option<Offset>,
}

/// One change to the store.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// A lease begins; nothing of it is used before this is durable.
    Open {
        /// Its number.
        id: u64,
        /// The window.
        window: String,
        /// The symbol, where symbols are counted.
        symbol: Option<SymbolId>,
        /// Units that it may use.
        units: u64,
    },
    /// A lease ended with so many units used; 0 takes it away.
    Close {
        /// Its number.
        id: u64,
        /// Units that it used.
        units: u64,
        /// Uptime at which the last of it was answered.
        stamp_us: i64,
    },
    /// An ended lease of another run of the machine counts from `stamp_us` on, until it is known when
    /// that was.
    Doubt {
        /// Its number.
        id: u64,
        /// Uptime from which a whole window is waited.
        stamp_us: i64,
        /// The other side's time by which it was answered, where that is known.
        server_us: Option<i64>,
    },
    /// Units that somebody else spent.
    Foreign {
        /// A number as for a lease.
        id: u64,
        /// The window.
        window: String,
        /// Units.
        units: u64,
        /// Uptime at which they were seen.
        stamp_us: i64,
    },
    /// Ended leases of a window up to a stamp no longer matter.
    Forget {
        /// The window.
        window: String,
        /// Up to this uptime.
        until_us: i64,
    },
    /// What is remembered of a gate.
    Gate(GateRow),
    /// Something that the journal tells everybody.
    Tell(Transition),
}

/// A change of state that matters beyond this room.
#[derive(Clone, Debug, PartialEq)]
pub enum Transition {
    /// A long window is spent.
    Exhausted(WindowExhausted),
    /// A limit is another than was thought.
    Corrected(LimitCorrected),
    /// A provider shut us out.
    Banned(ProviderBanned),
    /// A provider refused a key or its plan.
    KeyRefused(KeyRefused),
    /// Calls are refused until a probe succeeds.
    BreakerOpened(BreakerOpened),
    /// Calls pass again.
    BreakerClosed(BreakerClosed),
    /// The ledger was read back.
    Recovered(LedgerRecovered),
}

/// Everything that was written down.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Records {
    /// Leases, open and ended.
    pub leases: Vec<LeaseRow>,
    /// Gates.
    pub gates: Vec<GateRow>,
}

impl Records {
    /// Carries one change out, as the store does; `boot` is the run of the machine that writes.
    pub fn apply(&mut self, write: &Write, boot: Option<&str>) {
        let boot = boot.map(str::to_owned);
        match write {
            Write::Open {
                id,
                window,
                symbol,
                units,
            } => {
                self.leases.retain(|row| row.id != *id);
                self.leases.push(LeaseRow {
                    id: *id,
                    window: window.clone(),
                    symbol: *symbol,
                    units: *units,
                    is_open: true,
                    boot,
                    stamp_us: 0,
                    server_us: None,
                });
            }
            Write::Close { id, units: 0, .. } => self.leases.retain(|row| row.id != *id),
            Write::Close {
                id,
                units,
                stamp_us,
            } => {
                if let Some(row) = self.leases.iter_mut().find(|row| row.id == *id) {
                    row.units = *units;
                    row.is_open = false;
                    row.boot = boot;
                    row.stamp_us = *stamp_us;
                    row.server_us = None;
                }
            }
            Write::Doubt {
                id,
                stamp_us,
                server_us,
            } => {
                if let Some(row) = self.leases.iter_mut().find(|row| row.id == *id) {
                    row.boot = boot;
                    row.stamp_us = *stamp_us;
                    row.server_us = *server_us;
                }
            }
            Write::Foreign {
                id,
                window,
                units,
                stamp_us,
            } => self.leases.push(LeaseRow {
                id: *id,
                window: window.clone(),
                symbol: None,
                units: *units,
                is_open: false,
                boot,
                stamp_us: *stamp_us,
                server_us: None,
            }),
            Write::Forget { window, until_us } => self.leases.retain(|row| {
                row.window != *window || row.is_open || row.boot != boot || row.stamp_us > *until_us
            }),
            Write::Gate(gate) => {
                self.gates.retain(|row| row.gate != gate.gate);
                self.gates.push(gate.clone());
            }
            Write::Tell(_) => {}
        }
    }
}
