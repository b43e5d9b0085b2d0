//! A world on a virtual clock: a server that enforces a limit, a network, a store that takes its time,
//! workers that ask as fast as they may, and a ledger between them that can die at any moment.
//!
//! Time is in microseconds since the world began. The server judges: it shares no code with the ledger.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use tradewind_quota::ledger::{Ask, CallId, Demand, Ending, Facts, Ledger, Settings, Verdict};
use tradewind_quota::record::{Records, Write};
use tradewind_quota::window::{Need, Rule, Said};
use tradewind_quota::{Boundary, Class};

pub(crate) const SECOND: i64 = 1_000_000;

/// What the server enforces.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Policy {
    Fixed,
    Sliding,
    Bucket { burst: u32 },
}

/// How the world is set up.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub seed: u64,
    pub policy: Policy,
    pub limit: u32,
    pub window: i64,
    /// Whether the ledger knows the style; else it has to be strict.
    pub is_style_known: bool,
    pub workers: usize,
    /// Most units that a call takes.
    pub max_weight: u64,
    /// One way through the network takes up to this.
    pub max_delay: i64,
    /// Of so many answers one gets lost; none when 0.
    pub lost_one_in: u64,
    /// How often the ledger dies.
    pub crashes: u32,
    /// Whether the machine is started anew with it.
    pub is_reboot: bool,
    /// Whether the server says how much is used, and is believed.
    pub has_counter: bool,
    pub length: i64,
}

/// What the server saw.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub accepted: u64,
    pub excess: u64,
    pub first: i64,
    pub last: i64,
}

pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 {
            0
        } else {
            (self.next() >> 11) % bound
        }
    }

    fn time(&mut self, bound: i64) -> i64 {
        i64::try_from(self.below(u64::try_from(bound + 1).unwrap())).unwrap()
    }
}

/// A server that counts when a request arrives.
struct Server {
    policy: Policy,
    limit: i128,
    window: i64,
    log: VecDeque<(i64, u64)>,
    /// A bucket's level, in units times the window's length.
    level: i128,
    at: i64,
    seen: Seen,
    /// Its clock, before the world's.
    ahead: i64,
}

impl Server {
    fn used(&mut self, now: i64) -> i128 {
        let begin = match self.policy {
            Policy::Fixed => (now + self.ahead).div_euclid(self.window) * self.window - self.ahead,
            Policy::Sliding | Policy::Bucket { .. } => now - self.window + 1,
        };
        while self.log.front().is_some_and(|(at, _)| *at < begin) {
            self.log.pop_front();
        }
        self.log.iter().map(|(_, units)| i128::from(*units)).sum()
    }

    /// Counts a request; says what is used with it.
    fn arrive(&mut self, now: i64, units: u64) -> u64 {
        let excess = if let Policy::Bucket { burst } = self.policy {
            let drained = i128::from(now - self.at) * self.limit;
            self.level =
                (self.level - drained).max(0) + i128::from(units) * i128::from(self.window);
            self.at = now;
            self.level > i128::from(burst) * i128::from(self.window)
        } else {
            self.log.push_back((now, units));
            self.used(now) > self.limit
        };
        if self.seen.accepted == 0 {
            self.seen.first = now;
        }
        self.seen.last = now;
        self.seen.accepted += units;
        self.seen.excess += u64::from(excess);
        u64::try_from(self.used(now)).unwrap()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Ask {
        worker: usize,
    },
    Arrive {
        life: u32,
        call: CallId,
        units: u64,
    },
    Answer {
        life: u32,
        call: CallId,
        sent: i64,
        used: u64,
        date: i64,
    },
    Lost {
        life: u32,
        call: CallId,
    },
    Written {
        life: u32,
    },
    Wake {
        life: u32,
    },
    Crash,
    Start,
}

pub(crate) struct World {
    setup: Setup,
    random: Random,
    now: i64,
    events: BinaryHeap<Reverse<(i64, u64, Event)>>,
    sequence: u64,
    server: Server,
    ledger: Option<Ledger>,
    life: u32,
    /// The uptime's zero, on the world's clock.
    booted: i64,
    boots: u32,
    disk: Records,
    flying: Option<Vec<Write>>,
    calls: BTreeMap<CallId, (usize, u64)>,
    sent: BTreeMap<CallId, i64>,
    /// When the ledger is woken next; one timer is set at a time.
    wake: i64,
}

impl World {
    pub(crate) fn run(setup: Setup) -> Seen {
        let mut random = Random::new(setup.seed);
        let ahead = random.time(1_000 * SECOND);
        let server = Server {
            policy: setup.policy,
            limit: i128::from(setup.limit),
            window: setup.window,
            log: VecDeque::new(),
            level: 0,
            at: 0,
            seen: Seen::default(),
            ahead,
        };
        let mut world = Self {
            random,
            now: 0,
            events: BinaryHeap::new(),
            sequence: 0,
            server,
            ledger: None,
            life: 0,
            booted: -7 * SECOND,
            boots: 0,
            disk: Records::default(),
            flying: None,
            calls: BTreeMap::new(),
            sent: BTreeMap::new(),
            wake: i64::MAX,
            setup,
        };
        world.start();
        for _ in 0..world.setup.crashes {
            let at = world.random.time(world.setup.length);
            world.at(at, Event::Crash);
        }
        while let Some(Reverse((at, _, event))) = world.events.pop() {
            if at > world.setup.length {
                break;
            }
            world.now = at;
            world.happen(event);
        }
        world.server.seen
    }

    fn at(&mut self, at: i64, event: Event) {
        self.sequence += 1;
        self.events.push(Reverse((at, self.sequence, event)));
    }

    fn after(&mut self, delay: i64, event: Event) {
        self.at(self.now + delay, event);
    }

    fn uptime(&self) -> i64 {
        self.now - self.booted
    }

    fn boot(&self) -> String {
        format!("boot {}", self.boots)
    }

    fn start(&mut self) {
        let settings = Settings::default();
        let records = self.disk.clone();
        let ledger = Ledger::new(settings, records, Some(self.boot()), self.uptime());
        self.ledger = Some(ledger);
        for worker in 0..self.setup.workers {
            let pause = self.random.time(2_000);
            self.after(pause, Event::Ask { worker });
        }
        self.turn();
    }

    fn rule(&self) -> Rule {
        let boundary = match self.setup.policy {
            Policy::Fixed if self.setup.is_style_known => Some(Boundary::Every(self.setup.window)),
            _ => None,
        };
        let burst = match self.setup.policy {
            Policy::Bucket { burst } => Some(burst),
            Policy::Fixed | Policy::Sliding => None,
        };
        Rule {
            limit: self.setup.limit,
            length_us: self.setup.window,
            counts_symbols: false,
            is_log: burst.is_none() || !self.setup.is_style_known,
            boundary,
            burst,
        }
    }

    fn happen(&mut self, event: Event) {
        let life = self.life;
        match event {
            Event::Ask { worker } => self.ask(worker),
            // What was sent arrives, whatever became of the sender.
            Event::Arrive { life, call, units } => self.arrive(life, call, units),
            Event::Answer {
                life: of,
                call,
                sent,
                used,
                date,
            } if of == life => {
                self.answer(call, sent, used, date);
            }
            Event::Lost { life: of, call } if of == life => {
                self.finish(call, &Ending::Lost);
            }
            Event::Written { life: of } if of == life => {
                let writes = self.flying.take().unwrap();
                let boot = self.boot();
                for write in &writes {
                    self.disk.apply(write, Some(&boot));
                }
                let uptime = self.uptime();
                if let Some(ledger) = &mut self.ledger {
                    ledger.written(uptime);
                }
                self.turn();
            }
            Event::Wake { life: of } if of == life => {
                if self.now >= self.wake {
                    self.wake = i64::MAX;
                }
                let uptime = self.uptime();
                if let Some(ledger) = &mut self.ledger {
                    ledger.tick(uptime);
                }
                self.turn();
            }
            Event::Crash => self.crash(),
            Event::Start => self.start(),
            Event::Answer { .. }
            | Event::Lost { .. }
            | Event::Written { .. }
            | Event::Wake { .. } => {}
        }
    }

    fn ask(&mut self, worker: usize) {
        let units = 1 + self.random.below(self.setup.max_weight);
        let demand = Demand {
            window: "p/w@address".to_owned(),
            rule: self.rule(),
            need: Need::Units(units),
        };
        let uptime = self.uptime();
        let class = Class::ALL[worker % 4];
        let Some(ledger) = &mut self.ledger else {
            return;
        };
        let call = ledger.ask(
            Ask {
                gate: "p@address".to_owned(),
                demands: vec![demand],
                class: if self.setup.crashes > 0 {
                    class
                } else {
                    Class::Interactive
                },
                deadline_us: None,
                is_forced: false,
            },
            uptime,
        );
        self.calls.insert(call, (worker, units));
        self.turn();
    }

    fn arrive(&mut self, life: u32, call: CallId, units: u64) {
        let used = self.server.arrive(self.now, units);
        let date = (self.now + self.server.ahead).div_euclid(SECOND) * SECOND;
        let back = self.random.time(self.setup.max_delay);
        let is_lost = self.setup.lost_one_in > 0 && self.random.below(self.setup.lost_one_in) == 0;
        if !is_lost && let Some(sent) = self.sent.get(&call).copied() {
            let answer = Event::Answer {
                life,
                call,
                sent,
                used,
                date,
            };
            self.after(back, answer);
        }
    }

    fn answer(&mut self, call: CallId, sent: i64, used: u64, date: i64) {
        // Whoever has given up has given up.
        if self.sent.get(&call) != Some(&sent) {
            return;
        }
        let said = Said {
            used: Some(used),
            is_confirmed: true,
            ..Said::default()
        };
        let facts = Facts {
            date_us: Some(date),
            said: if self.setup.has_counter {
                vec![("p/w@address".to_owned(), said)]
            } else {
                Vec::new()
            },
            ..Facts::default()
        };
        self.finish(call, &Ending::Answered(facts));
    }

    fn finish(&mut self, call: CallId, ending: &Ending) {
        let Some((worker, _)) = self.calls.remove(&call) else {
            return;
        };
        self.sent.remove(&call);
        let uptime = self.uptime();
        if let Some(ledger) = &mut self.ledger {
            ledger.end(call, ending, uptime);
        }
        self.after(200, Event::Ask { worker });
        self.turn();
    }

    /// Does what the ledger says.
    fn turn(&mut self) {
        let uptime = self.uptime();
        let Some(ledger) = &mut self.ledger else {
            return;
        };
        let verdicts = ledger.verdicts();
        let writes = ledger.writes();
        let wake = ledger.wake_us(uptime);
        for verdict in verdicts {
            match verdict {
                Verdict::Granted { call, .. } => self.send(call),
                Verdict::Refused { call, .. } => {
                    if let Some((worker, _)) = self.calls.remove(&call) {
                        self.after(SECOND / 10, Event::Ask { worker });
                    }
                }
            }
        }
        let life = self.life;
        if !writes.is_empty() {
            assert!(self.flying.is_none(), "one batch at a time");
            self.flying = Some(writes);
            let flush = 300 + self.random.time(2_000);
            self.after(flush, Event::Written { life });
        }
        if let Some(wake) = wake {
            // Timers are never early, and often late.
            let at = self.now + (wake - uptime).max(0) + self.random.time(1_000);
            if at + 2_000 < self.wake {
                self.wake = at;
                self.at(at, Event::Wake { life });
            }
        }
    }

    fn send(&mut self, call: CallId) {
        let Some((_, units)) = self.calls.get(&call).copied() else {
            return;
        };
        let (life, now) = (self.life, self.now);
        self.sent.insert(call, now);
        let there = self.random.time(self.setup.max_delay);
        if self.setup.lost_one_in > 0 {
            // Given up at last; the request may still be on its way then, for a while.
            let given_up = self.random.time(3 * self.setup.max_delay) + 1;
            if self.random.below(self.setup.lost_one_in) == 0 {
                self.after(given_up, Event::Lost { life, call });
                if self.random.below(3) > 0 {
                    let stray = self.random.time(given_up + SECOND / 2);
                    self.after(stray, Event::Arrive { life, call, units });
                }
                return;
            }
            self.after(
                2 * self.setup.max_delay + 50_000,
                Event::Lost { life, call },
            );
        }
        self.after(there, Event::Arrive { life, call, units });
    }

    fn crash(&mut self) {
        if self.ledger.take().is_none() {
            return;
        }
        // The batch that was under way may be on disk or not; never in part.
        if let Some(writes) = self.flying.take()
            && self.random.below(2) == 0
        {
            let boot = self.boot();
            for write in &writes {
                self.disk.apply(write, Some(&boot));
            }
        }
        self.life += 1;
        self.wake = i64::MAX;
        self.calls.clear();
        self.sent.clear();
        let mut pause = self.random.time(3 * SECOND);
        if self.setup.is_reboot {
            self.boots += 1;
            // Nothing of the last run is on its way any more when the next one begins.
            pause += SECOND;
            self.booted = self.now + pause - self.random.time(100 * SECOND);
        }
        self.after(pause, Event::Start);
    }
}
