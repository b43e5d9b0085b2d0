//! What the ledger remembers over its own end: reading it back, and what must be written down next.
//!
//! Not here: tables and transactions ([`crate::store`]).

use tradewind_core::payload::LedgerRecovered;

use super::{Doubt, Ledger, Slot, provider_of};
use crate::call::{Ending, Held, Verdict};
use crate::gate::Gate;
use crate::lease::Leases;
use crate::record::{GateRow, LeaseRow, Transition, Write};
use crate::server_clock::ServerClock;
use crate::window::{Rule, Symbol, Window};

impl Ledger {
    /// Decides about what was open, and about stamps that cannot be compared with ours.
    pub(super) fn recover(&mut self, now_us: i64) {
        let arrived = now_us.saturating_add(self.settings.trip_us);
        let (mut open, mut units, mut in_doubt) = (0, 0, false);
        let gates = &self.found.gates;
        for row in &mut self.found.leases {
            let is_same_boot = row.boot.is_some() && row.boot == self.boot;
            in_doubt |= !is_same_boot;
            if row.is_open {
                open += 1;
                units += row.units;
                // Its last request may have left a moment ago.
                row.stamp_us = arrived;
                self.writes.push(Write::Close {
                    id: row.id,
                    units: row.units,
                    stamp_us: row.stamp_us,
                });
            } else if !is_same_boot {
                // How long ago that was, only the other side's clock can say; until then it counts for
                // a full window from now on.
                row.server_us = row.server_us.or_else(|| answered_by(row, gates));
                row.stamp_us = now_us;
                self.writes.push(Write::Doubt {
                    id: row.id,
                    stamp_us: row.stamp_us,
                    server_us: row.server_us,
                });
            }
        }
        if open > 0 || in_doubt {
            let told = LedgerRecovered {
                open_leases: open,
                units,
                is_time_in_doubt: in_doubt,
            };
            self.writes.push(Write::Tell(Transition::Recovered(told)));
        }
    }

    /// Ends every lease of which nothing is under way, as before a planned end: what was not used is
    /// then not counted as spent.
    pub fn rest(&mut self, now_us: i64) {
        for slot in &mut self.slots {
            slot.leases.end_idle(now_us, 0, &mut self.writes);
        }
    }

    /// Returns what must be written down now; empty while the last of it is still being written.
    pub fn writes(&mut self) -> Vec<Write> {
        if self.is_writing || self.writes.is_empty() {
            return Vec::new();
        }
        self.is_writing = true;
        for slot in &mut self.slots {
            slot.leases.sent();
        }
        std::mem::take(&mut self.writes)
    }

    /// Says whether [`Ledger::writes`] would return something.
    pub fn has_writes(&self) -> bool {
        !self.is_writing && !self.writes.is_empty()
    }

    /// Says that what [`Ledger::writes`] returned is on disk.
    pub fn written(&mut self, now_us: i64) {
        self.is_writing = false;
        self.is_unwritable = false;
        for slot in &mut self.slots {
            slot.leases.written(true);
        }
        for id in self.debiting.clone() {
            self.grant_if_durable(id, now_us);
        }
    }

    /// Says that `writes` could not be written. Who waits for them is refused, and so is everybody
    /// until they are; they come first with the next [`Ledger::writes`].
    pub fn not_written(&mut self, mut writes: Vec<Write>, now_us: i64) {
        self.is_writing = false;
        self.is_unwritable = true;
        for slot in &mut self.slots {
            slot.leases.written(false);
        }
        writes.append(&mut self.writes);
        self.writes = writes;
        for id in std::mem::take(&mut self.debiting) {
            self.verdicts.push(Verdict::Refused {
                call: id,
                held: Held::Unwritable,
            });
            self.end(id, &Ending::NotSent, now_us);
        }
    }

    pub(super) fn gate(&mut self, key: &str, now_us: i64) -> usize {
        if let Some(index) = self.gate_by_key.get(key) {
            return *index;
        }
        let row = self.found.gates.iter().find(|row| row.gate == key);
        let gate = row.map_or_else(Gate::default, |row| {
            Gate::restore(row, self.boot.as_deref(), now_us)
        });
        self.gates.push((key.to_owned(), gate));
        self.gate_by_key
            .insert(key.to_owned(), self.gates.len() - 1);
        self.gates.len() - 1
    }

    pub(super) fn slot(&mut self, key: &str, rule: Rule, gate: usize, now_us: i64) -> usize {
        if let Some(&index) = self.slot_by_key.get(key) {
            self.slots[index].window.set_rule(rule, now_us);
            return index;
        }
        let mut window = Window::new(rule, now_us);
        let (mut spent, mut doubts) = (Vec::new(), Vec::new());
        self.found.leases.retain(|row| {
            if row.window != key {
                return true;
            }
            if let Some(name) = row.symbol {
                let symbol = Symbol {
                    held: 0,
                    stamp_us: row.stamp_us,
                    lease: row.id,
                };
                window.symbols.insert(name, symbol);
            } else {
                spent.push((row.stamp_us, row.units));
                doubts.extend(row.server_us.map(|server_us| Doubt {
                    lease: row.id,
                    units: row.units,
                    charged_us: row.stamp_us,
                    server_us,
                }));
            }
            false
        });
        window.restore(spent, now_us);
        self.slots.push(Slot {
            key: key.to_owned(),
            window,
            leases: Leases::default(),
            gate,
            seen_us: [i64::MIN; 4],
            is_exhaustion_told: false,
            forget_at_us: now_us,
            doubts,
        });
        self.slot_by_key
            .insert(key.to_owned(), self.slots.len() - 1);
        self.slots.len() - 1
    }

    pub(super) fn write_gate(&mut self, gate: usize, now_us: i64) {
        let (key, state) = &self.gates[gate];
        let row = state.row(key, self.boot.as_deref(), now_us);
        self.writes.push(Write::Gate(row));
    }
}

/// Returns the other side's time by which a lease of another run of the machine was answered for, as far
/// as a gate of its provider knew the time in that run.
fn answered_by(row: &LeaseRow, gates: &[GateRow]) -> Option<i64> {
    let boot = row.boot.as_deref()?;
    let of_provider = gates.iter().filter(|gate| {
        gate.boot.as_deref() == Some(boot) && provider_of(&gate.gate) == provider_of(&row.window)
    });
    of_provider
        .filter_map(|gate| {
            let clock = ServerClock::restore(gate.offset?, gate.written_us);
            // The clocks may have drifted apart before as well as after.
            let drift = clock.drift_us(row.stamp_us);
            Some(
                row.stamp_us
                    .saturating_add(gate.offset?.high_us)
                    .saturating_add(drift),
            )
        })
        .min()
}
