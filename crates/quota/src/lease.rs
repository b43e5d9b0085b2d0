//! Leases: the units that are debited durably before any of them is used.
//!
//! Why in lots: a flush for each request would slow down a window of thousands. A lease has at most
//! 1 % of a window (one unit when the limit is 100 or less), or what one call takes when that is more.
//! A crash costs what was open; the leases of a symbol window have one symbol each.
//! When it acts: a call that finds no room in the open lease begins another. When it ends: it is used up
//! and answered, or idle for a hundredth of the window. First start: nothing is open.

use std::collections::HashMap;

use crate::record::Write;
use crate::window::SymbolId;

/// Returns how many units of a window with this limit a lease may have, unless one call takes more.
pub(crate) fn most_units(limit: u64) -> u64 {
    if limit <= 100 { 1 } else { limit / 100 }
}

/// Whether a lease is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cover {
    /// It waits to be written.
    New,
    /// It is being written.
    Sent,
    /// It is on disk.
    Durable,
}

#[derive(Clone, Debug)]
struct Lease {
    symbol: Option<SymbolId>,
    size: u64,
    used: u64,
    /// Units whose calls have no answer yet.
    flying: u64,
    stamp_us: i64,
    cover: Cover,
    /// Nothing more is taken from it.
    is_sealed: bool,
}

/// The leases of one window.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leases {
    open: Option<u64>,
    all: HashMap<u64, Lease>,
}

impl Leases {
    /// Takes `units` from a lease, making one of `size` where needed; returns its number.
    pub(crate) fn take(
        &mut self,
        window: &str,
        units: u64,
        size: u64,
        next_id: &mut u64,
        writes: &mut Vec<Write>,
    ) -> u64 {
        if let Some(id) = self.open
            && let Some(lease) = self.all.get_mut(&id)
        {
            if !lease.is_sealed && lease.size - lease.used >= units {
                lease.used += units;
                lease.flying += units;
                return id;
            }
            lease.is_sealed = true;
            self.end_if_done(id, writes);
        }
        let id = *next_id;
        *next_id += 1;
        let size = size.max(units);
        self.begin(window, id, None, size, units, writes);
        self.open = Some(id);
        id
    }

    /// Takes a symbol, whose lease has the number `id` each time.
    pub(crate) fn take_symbol(
        &mut self,
        window: &str,
        id: u64,
        symbol: SymbolId,
        writes: &mut Vec<Write>,
    ) {
        if let Some(lease) = self.all.get_mut(&id) {
            lease.flying += 1;
            return;
        }
        self.begin(window, id, Some(symbol), 1, 1, writes);
    }

    fn begin(
        &mut self,
        window: &str,
        id: u64,
        symbol: Option<SymbolId>,
        size: u64,
        used: u64,
        writes: &mut Vec<Write>,
    ) {
        writes.push(Write::Open {
            id,
            window: window.to_owned(),
            symbol,
            units: size,
        });
        let lease = Lease {
            symbol,
            size,
            used,
            flying: used,
            stamp_us: i64::MIN,
            cover: Cover::New,
            is_sealed: used == size && symbol.is_none(),
        };
        self.all.insert(id, lease);
    }

    /// Gives back `units` of a call: answered for at `stamp_us`, or never sent when there is none.
    pub(crate) fn settle(
        &mut self,
        id: u64,
        units: u64,
        stamp_us: Option<i64>,
        writes: &mut Vec<Write>,
    ) {
        let Some(lease) = self.all.get_mut(&id) else {
            return;
        };
        lease.flying = lease.flying.saturating_sub(units);
        match stamp_us {
            Some(stamp) => lease.stamp_us = lease.stamp_us.max(stamp),
            None if lease.symbol.is_none() => lease.used = lease.used.saturating_sub(units),
            None => {}
        }
        self.end_if_done(id, writes);
    }

    fn end_if_done(&mut self, id: u64, writes: &mut Vec<Write>) {
        let Some(lease) = self.all.get(&id) else {
            return;
        };
        if !lease.is_sealed || lease.flying > 0 {
            return;
        }
        // A symbol that was never asked for after all has no stamp either.
        let units = if lease.stamp_us == i64::MIN {
            0
        } else {
            lease.used
        };
        writes.push(Write::Close {
            id,
            units,
            stamp_us: lease.stamp_us,
        });
        self.all.remove(&id);
        if self.open == Some(id) {
            self.open = None;
        }
    }

    /// Ends leases of which nothing has been asked for `idle_us`.
    pub(crate) fn end_idle(&mut self, now_us: i64, idle_us: i64, writes: &mut Vec<Write>) {
        let idle: Vec<u64> = self
            .all
            .iter()
            .filter(|(_, lease)| lease.flying == 0 && lease.cover == Cover::Durable)
            .filter(|(_, lease)| lease.stamp_us.saturating_add(idle_us) <= now_us)
            .map(|(id, _)| *id)
            .collect();
        for id in idle {
            if let Some(lease) = self.all.get_mut(&id) {
                lease.is_sealed = true;
            }
            self.end_if_done(id, writes);
        }
    }

    /// Says whether any lease waits for its end.
    pub(crate) fn is_idle(&self) -> bool {
        self.all.is_empty()
    }

    /// Says whether the lease is on disk.
    pub(crate) fn is_durable(&self, id: u64) -> bool {
        self.all
            .get(&id)
            .is_none_or(|lease| lease.cover == Cover::Durable)
    }

    /// What waits to be written is being written.
    pub(crate) fn sent(&mut self) {
        self.turn(Cover::New, Cover::Sent);
    }

    /// What was being written is on disk, or is not and is to be written again.
    pub(crate) fn written(&mut self, is_durable: bool) {
        let to = if is_durable {
            Cover::Durable
        } else {
            Cover::New
        };
        self.turn(Cover::Sent, to);
    }

    fn turn(&mut self, from: Cover, to: Cover) {
        for lease in self.all.values_mut() {
            if lease.cover == from {
                lease.cover = to;
            }
        }
    }
}
