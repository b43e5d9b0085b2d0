//! Whose turn it is: who waits, who may send now, and what is debited for it.
//!
//! Not here: how much room a window has ([`crate::window`]).

use std::collections::HashSet;

use tradewind_core::payload::WindowExhausted;

use super::{Ledger, Stage, ms, names_of};
use crate::boundary::{HOUR_US, SECOND_US};
use crate::call::{CallId, Demand, Held, Verdict};
use crate::gate::Breaker;
use crate::lease;
use crate::record::{Transition, Write};
use crate::window::{Need, Symbol};

impl Ledger {
    /// Gives out what can be given out at this moment.
    pub fn pump(&mut self, now_us: i64) {
        self.wake_us = i64::MAX;
        while let Some(&(deadline, id)) = self.deadlines.first() {
            if deadline > now_us {
                self.wake_us = deadline;
                break;
            }
            let wait_us = self.calls.get(&id).cloned().map_or(0, |call| {
                self.ready_at_us(&call, now_us).saturating_sub(now_us)
            });
            self.refuse(id, Held::Deadline { wait_us });
        }
        if self.is_unwritable {
            for (_, id) in self.waiting.clone() {
                self.refuse(id, Held::Unwritable);
            }
        }
        let mut blocked = HashSet::new();
        let mut turns: Vec<CallId> = self.waiting.iter().map(|(_, id)| *id).collect();
        turns.retain(|id| {
            let gate = self.calls.get(id).map(|call| call.gate);
            let held = gate.and_then(|gate| self.shut(gate, None, now_us));
            if let Some(held) = &held {
                self.refuse(*id, held.clone());
            }
            held.is_none()
        });
        for id in turns {
            self.turn(id, now_us, &mut blocked);
        }
    }

    pub(super) fn refuse(&mut self, id: CallId, held: Held) {
        if let Some(call) = self.calls.remove(&id) {
            self.waiting.remove(&(call.turn_us, id));
            if let Some(deadline) = call.deadline_us {
                self.deadlines.remove(&(deadline, id));
            }
            self.verdicts.push(Verdict::Refused { call: id, held });
        }
    }

    /// It is this call's turn: reserves its units, or notes what it waits for.
    pub(super) fn turn(&mut self, id: CallId, now_us: i64, blocked: &mut HashSet<usize>) {
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        let (gate, class, asked_us) = (call.gate, call.class, call.asked_us);
        if let Some((until, _)) = self.gates[gate].1.closed(now_us) {
            self.wake_us = self.wake_us.min(until);
            return;
        }
        let breaker = self.gates[gate].1.breaker(now_us);
        if breaker == (Breaker::HalfOpen { is_probing: true }) {
            return;
        }
        let rank = i64::try_from(class.rank()).unwrap_or(0);
        let is_aged = now_us.saturating_sub(asked_us) >= rank * self.settings.ageing_us;
        let parts: Vec<(usize, Need)> = call
            .parts
            .iter()
            .map(|part| (part.slot, part.need.clone()))
            .collect();
        if parts.iter().any(|(slot, _)| blocked.contains(slot)) {
            return;
        }
        for (index, need) in &parts {
            let offset = self.offset_of(*index, now_us);
            let reserves = self.settings.reserves;
            let slot = &mut self.slots[*index];
            let units = slot.window.cost(need, now_us, offset);
            let limit = slot.window.limit;
            let memory = slot.window.rule.length_us.max(HOUR_US);
            let is_urgent_about = slot.seen_us[..class.rank()]
                .iter()
                .any(|seen| seen.saturating_add(memory) > now_us);
            let cap = reserves
                .cap(class, limit, &slot.window.rule, is_urgent_about, is_aged)
                // What needs more than its class may take still gets a window of its own.
                .max(units.min(limit));
            if slot.window.fits(units, cap, now_us, offset) {
                continue;
            }
            if slot.window.fits(units, limit, now_us, offset) {
                // Kept for others; they may stop asking.
                self.wake_us = self.wake_us.min(now_us.saturating_add(SECOND_US));
                return;
            }
            blocked.insert(*index);
            let ready = slot.window.ready_at_us(units, 0, limit, now_us, offset);
            self.wake_us = self.wake_us.min(ready.max(now_us.saturating_add(1)));
            self.tell_exhausted(*index, ready, now_us);
            return;
        }
        if breaker != Breaker::Closed {
            self.gates[gate].1.probe();
            if let Some(call) = self.calls.get_mut(&id) {
                call.is_probe = true;
            }
        }
        self.reserve(id, now_us);
        self.grant_if_durable(id, now_us);
    }

    pub(super) fn tell_exhausted(&mut self, index: usize, ready_us: i64, now_us: i64) {
        let slot = &mut self.slots[index];
        if slot.is_exhaustion_told || slot.window.rule.length_us < HOUR_US {
            return;
        }
        slot.is_exhaustion_told = true;
        let (provider, window) = names_of(&slot.key);
        self.writes
            .push(Write::Tell(Transition::Exhausted(WindowExhausted {
                provider: provider.to_owned(),
                window: window.to_owned(),
                limit: slot.window.limit,
                free_in_ms: ms(ready_us.saturating_sub(now_us)),
            })));
    }

    /// Takes a call's units out of its windows.
    pub(super) fn reserve(&mut self, id: CallId, now_us: i64) {
        let Some(mut call) = self.calls.remove(&id) else {
            return;
        };
        self.waiting.remove(&(call.turn_us, id));
        if let Some(deadline) = call.deadline_us {
            self.deadlines.remove(&(deadline, id));
        }
        for part in &mut call.parts {
            let slot = &mut self.slots[part.slot];
            slot.is_exhaustion_told = false;
            match &part.need {
                Need::Units(units) => {
                    part.units = *units;
                    slot.window.held += units;
                    let size = lease::most_units(slot.window.limit);
                    let lease = slot.leases.take(
                        &slot.key,
                        *units,
                        size,
                        &mut self.next_lease,
                        &mut self.writes,
                    );
                    part.leases.push((lease, *units));
                }
                Need::Symbols(names) => {
                    for name in names {
                        let symbol = slot.window.symbols.entry(*name).or_insert_with(|| {
                            let lease = self.next_lease;
                            self.next_lease += 1;
                            Symbol {
                                held: 0,
                                stamp_us: i64::MIN,
                                lease,
                            }
                        });
                        symbol.held += 1;
                        let lease = symbol.lease;
                        slot.leases
                            .take_symbol(&slot.key, lease, *name, &mut self.writes);
                        part.leases.push((lease, 1));
                    }
                }
            }
        }
        call.stage = Stage::Debiting;
        self.calls.insert(id, call);
        self.debiting.push(id);
        // What is left to do for the leases has its time too.
        self.wake_us = self.wake_us.min(now_us.saturating_add(SECOND_US));
    }

    pub(super) fn grant_if_durable(&mut self, id: CallId, now_us: i64) {
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        let is_durable = call.is_forced
            || call.parts.iter().all(|part| {
                let leases = &self.slots[part.slot].leases;
                part.leases
                    .iter()
                    .all(|(lease, _)| leases.is_durable(*lease))
            });
        if is_durable && let Some(call) = self.calls.get_mut(&id) {
            call.stage = Stage::Sent(now_us);
            let is_probe = call.is_probe;
            self.debiting.retain(|other| *other != id);
            self.verdicts.push(Verdict::Granted { call: id, is_probe });
        }
    }

    /// Returns which of these windows have no room at this moment for what is demanded of them, with what they
    /// have; takes nothing.
    pub(crate) fn without_room(
        &mut self,
        gate: &str,
        demands: &[Demand],
        now_us: i64,
    ) -> Vec<(String, u64)> {
        let gate = self.gate(gate, now_us);
        let mut full = Vec::new();
        for demand in demands {
            let index = self.slot(&demand.window, demand.rule.clone(), gate, now_us);
            let offset = self.offset_of(index, now_us);
            let window = &mut self.slots[index].window;
            let units = window.cost(&demand.need, now_us, offset);
            let limit = window.limit;
            if !window.fits(units, limit, now_us, offset) {
                full.push((demand.window.clone(), limit));
            }
        }
        full
    }

    /// Counts a call that is not held back, and whether it would have been.
    pub(super) fn grant_forced(&mut self, id: CallId, now_us: i64) {
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        let gate = call.gate;
        let parts: Vec<(usize, Need)> = call
            .parts
            .iter()
            .map(|part| (part.slot, part.need.clone()))
            .collect();
        let mut would_wait = self.shut(gate, Some(now_us), now_us).is_some();
        for (index, need) in &parts {
            let offset = self.offset_of(*index, now_us);
            let window = &mut self.slots[*index].window;
            let units = window.cost(need, now_us, offset);
            let limit = window.limit;
            would_wait |= !window.fits(units, limit, now_us, offset);
        }
        self.would_wait += u64::from(would_wait && self.settings.is_shadow);
        self.reserve(id, now_us);
        self.grant_if_durable(id, now_us);
    }
}
