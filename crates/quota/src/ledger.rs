//! The ledger: every window, every gate and every call between its asking and its answer.
//!
//! Why a machine without clock, store or network: whether a limit can ever be exceeded must be tried
//! out in every interleaving, with crashes at every step, on a clock that a test owns. It is told what
//! happened and when; it says who may send, who is refused and what must be written down first.
//!
//! When it acts: a call is granted when all its windows have room at once, its gate is open, nobody who
//! comes first waits for one of these windows, and its units are durable. It is refused at once when its
//! deadline cannot be met, its gate is shut out or its breaker open, and never forgotten.
//! First start: nothing is spent. Start after a crash: what was open counts as spent at that moment.
//! Not here: what a request is, waiting, sending; whoever drives it does that.

mod lessons;
mod memory;
mod turns;

use std::collections::{BTreeSet, HashMap};

use crate::boundary::{HOUR_US, SECOND_US};
pub use crate::call::{Ask, CallId, Demand, Ending, Facts, Held, Settings, Verdict};
use crate::class::Class;
use crate::gate::{Breaker, Gate};
use crate::lease::Leases;
use crate::record::{Records, Write};
use crate::server_clock::{Offset, ServerClock};
use crate::view::{GateView, LedgerView, WindowView};
use crate::window::{Need, Window};

/// How far the clocks of two servers on the internet may stand apart.
const SKEW_US: i64 = 300 * SECOND_US;

#[derive(Clone, Debug)]
struct Slot {
    key: String,
    window: Window,
    leases: Leases,
    gate: usize,
    /// When each class last asked.
    seen_us: [i64; 4],
    is_exhaustion_told: bool,
    forget_at_us: i64,
    doubts: Vec<Doubt>,
}

/// Units of another run of the machine, charged from this run's start on until it is known when they
/// were spent.
#[derive(Clone, Copy, Debug)]
struct Doubt {
    lease: u64,
    units: u64,
    charged_us: i64,
    /// The other side's time by which they were answered for.
    server_us: i64,
}

#[derive(Clone, Debug)]
struct Part {
    slot: usize,
    need: Need,
    units: u64,
    leases: Vec<(u64, u64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Waiting,
    Debiting,
    Sent(i64),
}

#[derive(Clone, Debug)]
struct Call {
    gate: usize,
    parts: Vec<Part>,
    class: Class,
    asked_us: i64,
    /// When it would have come, were it live: calls go in this sequence.
    turn_us: i64,
    deadline_us: Option<i64>,
    stage: Stage,
    is_probe: bool,
    is_forced: bool,
}

/// The state machine.
#[derive(Clone, Debug)]
pub struct Ledger {
    settings: Settings,
    boot: Option<String>,
    slots: Vec<Slot>,
    slot_by_key: HashMap<String, usize>,
    gates: Vec<(String, Gate)>,
    gate_by_key: HashMap<String, usize>,
    calls: HashMap<CallId, Call>,
    waiting: BTreeSet<(i64, CallId)>,
    deadlines: BTreeSet<(i64, CallId)>,
    debiting: Vec<CallId>,
    verdicts: Vec<Verdict>,
    writes: Vec<Write>,
    /// What was written down of windows and gates that nobody has asked for since.
    found: Records,
    next_call: u64,
    next_lease: u64,
    is_writing: bool,
    is_unwritable: bool,
    wake_us: i64,
    would_wait: u64,
    /// The time of day as any server tells it.
    world: ServerClock,
}

impl Ledger {
    /// Starts from what was written down before. `boot` names the run of the machine that `now_us` and all
    /// later moments belong to; `None` when nobody knows.
    pub fn new(settings: Settings, records: Records, boot: Option<String>, now_us: i64) -> Self {
        let mut ledger = Self {
            settings,
            boot,
            slots: Vec::new(),
            slot_by_key: HashMap::new(),
            gates: Vec::new(),
            gate_by_key: HashMap::new(),
            calls: HashMap::new(),
            waiting: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            debiting: Vec::new(),
            verdicts: Vec::new(),
            writes: Vec::new(),
            next_call: 1,
            next_lease: records.leases.iter().map(|row| row.id).max().unwrap_or(0) + 1,
            found: records,
            is_writing: false,
            is_unwritable: false,
            wake_us: i64::MAX,
            would_wait: 0,
            world: ServerClock::default(),
        };
        ledger.recover(now_us);
        ledger
    }

    /// Reads back what is known of these windows, as [`Ledger::ask`] does, without asking.
    pub fn prepare(&mut self, gate: &str, demands: &[Demand], now_us: i64) {
        let gate = self.gate(gate, now_us);
        for demand in demands {
            self.slot(&demand.window, demand.rule.clone(), gate, now_us);
        }
    }

    /// Says that somebody wants to send a request; the verdict comes with [`Ledger::verdicts`].
    pub fn ask(&mut self, ask: Ask, now_us: i64) -> CallId {
        let id = CallId(self.next_call);
        self.next_call += 1;
        let gate = self.gate(&ask.gate, now_us);
        let mut parts = Vec::with_capacity(ask.demands.len());
        for demand in ask.demands {
            let slot = self.slot(&demand.window, demand.rule, gate, now_us);
            self.slots[slot].seen_us[ask.class.rank()] = now_us;
            parts.push(Part {
                slot,
                need: demand.need,
                units: 0,
                leases: Vec::new(),
            });
        }
        let handicap = i64::try_from(ask.class.rank()).unwrap_or(0) * self.settings.ageing_us;
        let call = Call {
            gate,
            parts,
            class: ask.class,
            asked_us: now_us,
            turn_us: now_us.saturating_add(handicap),
            deadline_us: ask.deadline_us,
            stage: Stage::Waiting,
            is_probe: false,
            is_forced: ask.is_forced || self.settings.is_shadow,
        };
        if call.is_forced {
            self.calls.insert(id, call);
            self.grant_forced(id, now_us);
            return id;
        }
        if let Some(held) = self.refusal(&call, now_us) {
            self.verdicts.push(Verdict::Refused { call: id, held });
            return id;
        }
        self.waiting.insert((call.turn_us, id));
        if let Some(deadline) = call.deadline_us {
            self.deadlines.insert((deadline, id));
        }
        self.calls.insert(id, call);
        self.pump(now_us);
        id
    }

    /// Returns why a call that comes now is refused at once.
    fn refusal(&mut self, call: &Call, now_us: i64) -> Option<Held> {
        if self.is_unwritable {
            return Some(Held::Unwritable);
        }
        for part in &call.parts {
            let slot = &self.slots[part.slot];
            let least = match &part.need {
                Need::Units(units) => *units,
                Need::Symbols(names) => names.len() as u64,
            };
            if least > slot.window.most() {
                return Some(Held::NeverFits {
                    window: slot.key.clone(),
                    limit: slot.window.most(),
                });
            }
        }
        if let Some(held) = self.shut(call.gate, call.deadline_us, now_us) {
            return Some(held);
        }
        if self.waiting.len() >= self.settings.max_waiting {
            return Some(Held::QueueFull);
        }
        let deadline = call.deadline_us?;
        let ready = self.ready_at_us(call, now_us);
        (ready > deadline).then(|| Held::Deadline {
            wait_us: ready.saturating_sub(now_us),
        })
    }

    /// Returns why a gate lets nobody in who wants to be done by `deadline_us`.
    fn shut(&mut self, gate: usize, deadline_us: Option<i64>, now_us: i64) -> Option<Held> {
        let gate = &mut self.gates[gate].1;
        if let Some((until, is_banned)) = gate.closed(now_us) {
            let wait_us = until.saturating_sub(now_us);
            if is_banned {
                return Some(Held::Banned { wait_us });
            }
            if deadline_us.is_some_and(|deadline| until > deadline) {
                return Some(Held::Throttled { wait_us });
            }
        }
        match gate.breaker(now_us) {
            Breaker::Open { until_us } => Some(Held::BreakerOpen {
                wait_us: until_us.saturating_sub(now_us),
            }),
            Breaker::Closed | Breaker::HalfOpen { .. } => None,
        }
    }

    /// Returns a moment before which the call cannot be granted.
    fn ready_at_us(&mut self, call: &Call, now_us: i64) -> i64 {
        let mut ready = now_us;
        for part in &call.parts {
            let ahead = self
                .waiting
                .range(..(call.turn_us, CallId(u64::MAX)))
                .filter_map(|(_, id)| self.calls.get(id))
                .flat_map(|other| &other.parts)
                .filter(|other| other.slot == part.slot)
                .map(|other| match &other.need {
                    Need::Units(units) => *units,
                    // They may be the same ones.
                    Need::Symbols(_) => 0,
                })
                .sum();
            let offset = self.offset_of(part.slot, now_us);
            let slot = &mut self.slots[part.slot];
            let units = slot.window.cost(&part.need, now_us, offset);
            let cap = slot.window.limit;
            let at = slot.window.ready_at_us(units, ahead, cap, now_us, offset);
            ready = ready.max(at);
        }
        ready
    }

    /// Says how a granted call ended, or that nobody waits for an ungranted one any more.
    pub fn end(&mut self, id: CallId, ending: &Ending, now_us: i64) {
        let Some(call) = self.calls.remove(&id) else {
            return;
        };
        self.waiting.remove(&(call.turn_us, id));
        if let Some(deadline) = call.deadline_us {
            self.deadlines.remove(&(deadline, id));
        }
        self.debiting.retain(|other| *other != id);
        let stamp = match (call.stage, ending) {
            (Stage::Sent(_), Ending::Answered(_)) => Some(now_us),
            (Stage::Sent(_), Ending::Lost) => Some(now_us.saturating_add(self.settings.linger_us)),
            // Nobody waited for an answer: it may not even have arrived.
            (Stage::Sent(sent_us), Ending::Abandoned) => {
                let lost = now_us.saturating_add(self.settings.linger_us);
                Some(sent_us.saturating_add(self.settings.trip_us).max(lost))
            }
            (Stage::Waiting | Stage::Debiting, _)
            | (Stage::Sent(_), Ending::NotSent | Ending::Unreached) => None,
        };
        for part in &call.parts {
            self.settle(part, stamp, now_us);
        }
        match (call.stage, ending) {
            (Stage::Sent(sent_us), Ending::Answered(facts)) => {
                self.learn(&call, facts, sent_us, now_us);
            }
            (Stage::Sent(_), Ending::Lost | Ending::Unreached)
                if !call.is_forced || self.settings.is_shadow =>
            {
                self.fail(&call, now_us);
            }
            _ if call.is_probe => self.gates[call.gate].1.unprobe(),
            _ => {}
        }
        self.pump(now_us);
    }

    fn settle(&mut self, part: &Part, stamp_us: Option<i64>, now_us: i64) {
        let slot = &mut self.slots[part.slot];
        match &part.need {
            Need::Units(_) => {
                slot.window.held = slot.window.held.saturating_sub(part.units);
                if let Some(stamp) = stamp_us {
                    slot.window.charge(stamp, part.units, now_us);
                }
            }
            Need::Symbols(names) if !part.leases.is_empty() => {
                for name in names {
                    if let Some(symbol) = slot.window.symbols.get_mut(name) {
                        symbol.held = symbol.held.saturating_sub(1);
                        symbol.stamp_us = symbol.stamp_us.max(stamp_us.unwrap_or(i64::MIN));
                    }
                }
            }
            Need::Symbols(_) => {}
        }
        for (lease, units) in &part.leases {
            slot.leases
                .settle(*lease, *units, stamp_us, &mut self.writes);
        }
    }

    /// Returns what was decided since it was last asked.
    pub fn verdicts(&mut self) -> Vec<Verdict> {
        std::mem::take(&mut self.verdicts)
    }

    /// Does what time alone brings: ends idle leases, forgets what is free, gives out what became free.
    pub fn tick(&mut self, now_us: i64) {
        for slot in &mut self.slots {
            let idle = (slot.window.rule.length_us / 100).clamp(SECOND_US, 600 * SECOND_US);
            slot.leases.end_idle(now_us, idle, &mut self.writes);
            if slot.forget_at_us <= now_us {
                let until_us = slot.window.forgotten_us(now_us);
                slot.forget_at_us = now_us
                    .saturating_add((slot.window.rule.length_us / 16).clamp(SECOND_US, HOUR_US));
                slot.window
                    .symbols
                    .retain(|_, symbol| symbol.held > 0 || symbol.stamp_us > until_us);
                self.writes.push(Write::Forget {
                    window: slot.key.clone(),
                    until_us,
                });
            }
        }
        self.pump(now_us);
    }

    /// Returns when [`Ledger::tick`] has something to do.
    pub fn wake_us(&self, now_us: i64) -> Option<i64> {
        let is_idle = self.slots.iter().all(|slot| slot.leases.is_idle());
        let housekeeping = (!is_idle).then(|| now_us.saturating_add(SECOND_US));
        let next = (self.wake_us != i64::MAX).then_some(self.wake_us);
        next.into_iter().chain(housekeeping).min()
    }

    /// Says whether a probe is wanted before other calls pass.
    pub fn wants_probe(&mut self, gate: &str, now_us: i64) -> bool {
        self.gate_by_key.get(gate).is_some_and(|gate| {
            self.gates[*gate].1.breaker(now_us) == Breaker::HalfOpen { is_probing: false }
        })
    }

    fn offset_of(&self, slot: usize, now_us: i64) -> Option<Offset> {
        self.gates[self.slots[slot].gate].1.clock.offset(now_us)
    }

    /// Returns how everything stands.
    pub fn view(&mut self, now_us: i64) -> LedgerView {
        let mut windows = Vec::with_capacity(self.slots.len());
        for index in 0..self.slots.len() {
            let offset = self.offset_of(index, now_us);
            let slot = &mut self.slots[index];
            let (provider, window) = names_of(&slot.key);
            let (provider, window) = (provider.to_owned(), window.to_owned());
            let limit = slot.window.limit;
            let used = slot.window.taken(now_us, offset);
            let free_at = slot.window.ready_at_us(1, 0, limit, now_us, offset);
            windows.push(WindowView {
                key: slot.key.clone(),
                provider,
                window,
                limit,
                used,
                in_flight: slot.window.held,
                free_in_ms: ms(free_at.saturating_sub(now_us)),
            });
        }
        let gates = self
            .gates
            .iter_mut()
            .map(|(key, gate)| GateView {
                provider: provider_of(key).to_owned(),
                key: key.clone(),
                closed_for_ms: gate.closed(now_us).map(|(until, _)| ms(until - now_us)),
                is_banned: gate.closed(now_us).is_some_and(|(_, is_banned)| is_banned),
                breaker: gate.breaker(now_us).into(),
            })
            .collect();
        let mut waiting = [0; 4];
        for (_, id) in &self.waiting {
            if let Some(call) = self.calls.get(id) {
                waiting[call.class.rank()] += 1;
            }
        }
        LedgerView {
            windows,
            gates,
            waiting,
            is_shadow: self.settings.is_shadow,
            would_wait: self.would_wait,
            is_writable: !self.is_unwritable,
        }
    }
}

fn provider_of(key: &str) -> &str {
    key.split(['/', '@']).next().unwrap_or(key)
}

fn names_of(key: &str) -> (&str, &str) {
    let rest = key.split_once('/').map_or(key, |(_, rest)| rest);
    let window = rest.rsplit_once('@').map_or(rest, |(window, _)| window);
    (provider_of(key), window)
}

fn ms(us: i64) -> u64 {
    u64::try_from(us.max(0)).unwrap_or(0).div_ceil(1_000)
}
