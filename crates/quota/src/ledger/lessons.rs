//! What the ledger learns from answers: counters, refusals, failures, and the other side's time of day.
//!
//! Not here: reading headers and bodies ([`crate::answer`]).

use tradewind_catalog::refusal::FailureClass;
use tradewind_core::payload::{
    BreakerClosed, BreakerOpened, KeyRefused, LimitCorrected, ProviderBanned,
};

use super::{Call, Ledger, SKEW_US, ms, names_of, provider_of};
use crate::boundary::{HOUR_US, SECOND_US};
use crate::call::Facts;
use crate::record::{Transition, Write};
use crate::server_clock::Offset;
use crate::window::Said;

impl Ledger {
    /// Takes over what an answer says.
    pub(super) fn learn(&mut self, call: &Call, facts: &Facts, sent_us: i64, now_us: i64) {
        let known = self.gates[call.gate].1.clock.offset(now_us);
        if let Some(date) = facts.date_us {
            let clock = &mut self.gates[call.gate].1.clock;
            clock.observe(sent_us, now_us, date);
            if is_better(known, clock.offset(now_us)) {
                self.write_gate(call.gate, now_us);
            }
            self.tell_time(sent_us, now_us, date);
        }
        for (key, said) in &facts.said {
            let Some(&slot) = self.slot_by_key.get(key) else {
                continue;
            };
            let own = call.parts.iter().find(|part| part.slot == slot);
            self.reconcile(
                slot,
                *said,
                own.map_or(0, |part| part.units),
                sent_us,
                now_us,
            );
        }
        let gate = &mut self.gates[call.gate].1;
        let closes = match facts.class {
            Some(FailureClass::Outage | FailureClass::Malformed | FailureClass::OutcomeUnknown) => {
                self.fail(call, now_us);
                return;
            }
            _ => gate.answered(call.is_probe),
        };
        match facts.class {
            None
            | Some(FailureClass::NotFound | FailureClass::Empty | FailureClass::BadRequest) => {
                gate.good();
            }
            Some(FailureClass::Throttled) => {
                let shortest = call
                    .parts
                    .iter()
                    .map(|part| self.slots[part.slot].window.rule.length_us);
                let fallback = shortest.min().unwrap_or(60 * SECOND_US);
                gate.throttle(facts.wait_us, fallback.min(HOUR_US), now_us);
                self.write_gate(call.gate, now_us);
            }
            Some(FailureClass::QuotaGone) => self.spend_out(call, facts.wait_us, now_us),
            Some(FailureClass::Banned) => {
                let (wait, bans) = gate.ban(facts.wait_us, now_us);
                self.write_gate(call.gate, now_us);
                let key = &self.gates[call.gate].0;
                self.writes
                    .push(Write::Tell(Transition::Banned(ProviderBanned {
                        provider: provider_of(key).to_owned(),
                        by_address: key.ends_with("@address"),
                        wait_ms: ms(wait),
                        bans,
                    })));
            }
            Some(class @ (FailureClass::Auth | FailureClass::Plan)) => {
                if gate.tell_key() {
                    self.writes
                        .push(Write::Tell(Transition::KeyRefused(KeyRefused {
                            provider: provider_of(&self.gates[call.gate].0).to_owned(),
                            class: class.as_str().to_owned(),
                        })));
                }
            }
            Some(FailureClass::Outage | FailureClass::Malformed | FailureClass::OutcomeUnknown) => {
            }
        }
        if closes {
            self.writes
                .push(Write::Tell(Transition::BreakerClosed(BreakerClosed {
                    provider: provider_of(&self.gates[call.gate].0).to_owned(),
                })));
        }
    }

    /// Takes over what any server says about the time of day: its answer to what was sent at `sent_us`
    /// came at `now_us` and says `date_us`, cut to the second.
    pub fn tell_time(&mut self, sent_us: i64, now_us: i64, date_us: i64) {
        self.world.observe(sent_us, now_us, date_us);
        let world = self
            .world
            .offset(now_us)
            .map(|offset| offset.low_us - SKEW_US);
        for index in 0..self.slots.len() {
            let own = self.offset_of(index, now_us).map(|offset| offset.low_us);
            let Some(low_us) = own.max(world) else {
                continue;
            };
            let slot = &mut self.slots[index];
            for doubt in std::mem::take(&mut slot.doubts) {
                let answered_us = doubt.server_us.saturating_sub(low_us);
                if answered_us < doubt.charged_us {
                    slot.window
                        .restamp(doubt.charged_us, answered_us, doubt.units);
                    self.writes.push(Write::Close {
                        id: doubt.lease,
                        units: doubt.units,
                        stamp_us: answered_us,
                    });
                }
            }
        }
    }

    /// Says whether units of another run of the machine are in the way of calls that pass this gate, and no
    /// server has yet told the time, which would say how old they are.
    pub fn is_time_in_doubt(&mut self, gate: &str, now_us: i64) -> bool {
        let Some(&gate) = self.gate_by_key.get(gate) else {
            return false;
        };
        if self.world.offset(now_us).is_some() {
            return false;
        }
        let offset = self.gates[gate].1.clock.offset(now_us);
        let mut slots = self.slots.iter_mut().filter(|slot| slot.gate == gate);
        slots.any(|slot| {
            let limit = slot.window.limit;
            !slot.doubts.is_empty() && !slot.window.fits(1, limit, now_us, offset)
        })
    }

    pub(super) fn fail(&mut self, call: &Call, now_us: i64) {
        let (key, gate) = &mut self.gates[call.gate];
        if let Some((failures, wait)) = gate.failed(call.is_probe, now_us) {
            self.writes
                .push(Write::Tell(Transition::BreakerOpened(BreakerOpened {
                    provider: provider_of(key).to_owned(),
                    failures,
                    wait_ms: ms(wait),
                })));
        }
    }

    /// The quota of a long window is gone, whatever we thought: its longest window is full.
    pub(super) fn spend_out(&mut self, call: &Call, wait_us: Option<i64>, now_us: i64) {
        if let Some(wait) = wait_us {
            self.gates[call.gate]
                .1
                .throttle(Some(wait), HOUR_US, now_us);
            self.write_gate(call.gate, now_us);
            return;
        }
        let longest = call
            .parts
            .iter()
            .map(|part| part.slot)
            .filter(|slot| !self.slots[*slot].window.rule.counts_symbols)
            .max_by_key(|slot| self.slots[*slot].window.rule.length_us);
        if let Some(slot) = longest {
            let used = Said {
                used: Some(self.slots[slot].window.limit),
                ..Said::default()
            };
            self.reconcile(slot, used, 0, now_us, now_us);
        }
    }

    pub(super) fn reconcile(
        &mut self,
        slot: usize,
        said: Said,
        own: u64,
        sent_us: i64,
        now_us: i64,
    ) {
        let offset = self.offset_of(slot, now_us);
        let id = self.next_lease;
        let slot = &mut self.slots[slot];
        let before = slot.window.limit;
        let foreign = slot.window.reconcile(said, own, sent_us, now_us, offset);
        if slot.window.limit != before {
            let (provider, window) = names_of(&slot.key);
            self.writes
                .push(Write::Tell(Transition::Corrected(LimitCorrected {
                    provider: provider.to_owned(),
                    window: window.to_owned(),
                    from: before,
                    to: slot.window.limit,
                })));
        }
        if foreign > 0 {
            self.next_lease += 1;
            self.writes.push(Write::Foreign {
                id,
                window: slot.key.clone(),
                units: foreign,
                stamp_us: now_us,
            });
        }
    }
}

/// Says whether the other side's clock is so much better known that it is worth a line in the store.
fn is_better(before: Option<Offset>, after: Option<Offset>) -> bool {
    let width = |offset: Offset| offset.high_us - offset.low_us;
    match (before, after) {
        (None, Some(_)) => true,
        (Some(before), Some(after)) => {
            width(after) * 4 < width(before) * 3 || width(after) > width(before)
        }
        (_, None) => false,
    }
}
