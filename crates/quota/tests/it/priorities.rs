//! Who goes first, what is kept, what is refused at once, and how failures close and open the way.

use tradewind_catalog::refusal::FailureClass;
use tradewind_quota::Class;
use tradewind_quota::ledger::{
    Ask, CallId, Demand, Ending, Facts, Held, Ledger, Settings, Verdict,
};
use tradewind_quota::record::{Records, Transition, Write};
use tradewind_quota::window::{Need, Rule, Said};

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// A ledger whose store writes at once.
struct Bench {
    ledger: Ledger,
    rule: Rule,
    told: Vec<Transition>,
}

impl Bench {
    fn new(limit: u32, length_us: i64) -> Self {
        Self::with(Settings::default(), limit, length_us)
    }

    fn with(settings: Settings, limit: u32, length_us: i64) -> Self {
        let boot = Some("one".to_owned());
        Self {
            ledger: Ledger::new(settings, Records::default(), boot, 0),
            rule: Rule {
                limit,
                length_us,
                counts_symbols: false,
                is_log: true,
                boundary: None,
                burst: None,
            },
            told: Vec::new(),
        }
    }

    fn ask(&mut self, class: Class, deadline_us: Option<i64>, now_us: i64) -> CallId {
        self.ask_for(Need::Units(1), class, deadline_us, now_us)
    }

    fn ask_for(
        &mut self,
        need: Need,
        class: Class,
        deadline_us: Option<i64>,
        now_us: i64,
    ) -> CallId {
        let demand = Demand {
            window: "p/w@address".to_owned(),
            rule: self.rule.clone(),
            need,
        };
        let ask = Ask {
            gate: "p@address".to_owned(),
            demands: vec![demand],
            class,
            deadline_us,
            is_forced: false,
        };
        self.ledger.ask(ask, now_us)
    }

    fn verdicts(&mut self, now_us: i64) -> Vec<Verdict> {
        loop {
            let writes = self.ledger.writes();
            if writes.is_empty() {
                return self.ledger.verdicts();
            }
            self.told
                .extend(writes.into_iter().filter_map(|write| match write {
                    Write::Tell(transition) => Some(transition),
                    _ => None,
                }));
            self.ledger.written(now_us);
        }
    }

    fn granted(&mut self, now_us: i64) -> Vec<CallId> {
        self.verdicts(now_us)
            .into_iter()
            .map(|verdict| match verdict {
                Verdict::Granted { call, .. } => call,
                Verdict::Refused { call, held } => panic!("{call:?} is refused: {held:?}"),
            })
            .collect()
    }

    fn answer(
        &mut self,
        call: CallId,
        class: Option<FailureClass>,
        wait_us: Option<i64>,
        now_us: i64,
    ) {
        let facts = Facts {
            class,
            wait_us,
            ..Facts::default()
        };
        self.ledger.end(call, &Ending::Answered(facts), now_us);
    }

    fn refused(&mut self, now_us: i64) -> Held {
        match self.verdicts(now_us).pop() {
            Some(Verdict::Refused { held, .. }) => held,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn calls_go_by_class_and_whoever_has_waited_three_steps_stands_beside_a_live_one() {
    let mut bench = Bench::new(1, 10 * SECOND);
    let first = bench.ask(Class::Interactive, None, 0);
    assert_eq!(bench.granted(0), [first]);
    let backfill = bench.ask(Class::Backfill, None, 1);
    let interactive = bench.ask(Class::Interactive, None, 2);
    let live = bench.ask(Class::Live, None, 3);
    let mut now = 10;
    let mut holder = first;
    for expected in [live, interactive] {
        bench.answer(holder, None, None, now);
        now += 11 * SECOND;
        bench.ledger.tick(now);
        assert_eq!(bench.granted(now), [expected]);
        holder = expected;
    }
    let late = 91 * SECOND;
    let newer = bench.ask(Class::Live, None, late);
    bench.answer(holder, None, None, late);
    bench.ledger.tick(late + 11 * SECOND);
    assert_eq!(
        bench.granted(late + 11 * SECOND),
        [backfill],
        "it came first by now"
    );
    bench.answer(backfill, None, None, late + 11 * SECOND);
    bench.ledger.tick(late + 22 * SECOND);
    assert_eq!(bench.granted(late + 22 * SECOND), [newer]);
}

#[test]
fn backfill_never_takes_the_closing_hour_of_a_day_however_long_it_waits() {
    let mut bench = Bench::new(240, DAY);
    let mut now = 0;
    let mut taken = 0;
    for _ in 0..240 {
        bench.ask(Class::Backfill, None, now);
        for call in bench.granted(now) {
            bench.answer(call, None, None, now);
            taken += 1;
        }
        now += SECOND;
    }
    // No class above has asked: a 24th would be 10 units, the reserve of a fifth is more.
    assert_eq!(taken, 192);
    bench.ledger.tick(now + 3_600 * SECOND);
    assert_eq!(bench.granted(now + 3_600 * SECOND), []);
    let live = bench.ask(Class::Live, None, now + 3_600 * SECOND);
    assert_eq!(bench.granted(now + 3_600 * SECOND), [live]);
}

#[test]
fn a_deadline_that_cannot_be_met_is_refused_at_once_with_the_wait() {
    let mut bench = Bench::new(1, 10 * SECOND);
    let first = bench.ask(Class::Live, None, 0);
    assert_eq!(bench.granted(0), [first]);
    bench.answer(first, None, None, 0);
    bench.ask(Class::Live, Some(9 * SECOND), SECOND);
    let Held::Deadline { wait_us } = bench.refused(SECOND) else {
        panic!("refused for another reason");
    };
    assert!(
        (9 * SECOND..9 * SECOND + 50_000).contains(&wait_us),
        "{wait_us}"
    );
    bench.ask(Class::Live, Some(11 * SECOND), SECOND);
    assert_eq!(bench.granted(SECOND), [], "this one waits");
    // Behind it another window passes.
    bench.ask(Class::Live, Some(11 * SECOND), SECOND);
    assert!(matches!(bench.refused(SECOND), Held::Deadline { .. }));
}

#[test]
fn a_ban_refuses_everybody_and_a_throttle_only_who_cannot_wait() {
    let mut bench = Bench::new(100, 10 * SECOND);
    let one = bench.ask(Class::Live, None, 0);
    let two = bench.ask(Class::Live, None, 0);
    assert_eq!(bench.granted(0), [one, two]);
    bench.answer(one, Some(FailureClass::Throttled), Some(3 * SECOND), 0);
    bench.ask(Class::Live, Some(SECOND), 0);
    assert_eq!(
        bench.refused(0),
        Held::Throttled {
            wait_us: 3 * SECOND
        }
    );
    let patient = bench.ask(Class::Live, Some(5 * SECOND), 0);
    assert_eq!(bench.granted(0), []);
    bench.ledger.tick(3 * SECOND);
    assert_eq!(bench.granted(3 * SECOND), [patient]);
    bench.answer(
        two,
        Some(FailureClass::Banned),
        Some(60 * SECOND),
        4 * SECOND,
    );
    bench.ask(Class::Live, None, 4 * SECOND);
    assert_eq!(
        bench.refused(4 * SECOND),
        Held::Banned {
            wait_us: 60 * SECOND
        }
    );
    assert!(
        bench
            .told
            .iter()
            .any(|told| matches!(told, Transition::Banned(_)))
    );
}

#[test]
fn an_outage_opens_the_breaker_and_one_probe_at_a_time_passes_afterwards() {
    let mut bench = Bench::new(100, SECOND);
    for _ in 0..5 {
        let call = bench.ask(Class::Live, None, 0);
        assert_eq!(bench.granted(0), [call]);
        bench.ledger.end(call, &Ending::Lost, 0);
    }
    bench.ask(Class::Live, None, 1);
    assert_eq!(
        bench.refused(1),
        Held::BreakerOpen {
            wait_us: SECOND - 1
        }
    );
    assert!(bench.ledger.wants_probe("p@address", SECOND));
    let probe = bench.ask(Class::Live, None, SECOND);
    let next = bench.ask(Class::Live, None, SECOND);
    let granted = bench.verdicts(SECOND);
    assert_eq!(
        granted,
        [Verdict::Granted {
            call: probe,
            is_probe: true
        }]
    );
    bench.answer(probe, None, None, SECOND);
    assert_eq!(bench.granted(SECOND), [next]);
    assert!(matches!(
        bench.told[..],
        [Transition::BreakerOpened(_), Transition::BreakerClosed(_)]
    ));
}

#[test]
fn a_symbol_is_counted_once_in_its_window() {
    let mut bench = Bench::new(2, DAY);
    bench.rule.counts_symbols = true;
    let name = |byte: u8| [byte; 16];
    for (names, passes) in [
        (vec![name(1), name(2)], true),
        (vec![name(2)], true),
        (vec![name(3)], false),
        (vec![name(1)], true),
    ] {
        let call = bench.ask_for(Need::Symbols(names), Class::Live, Some(DAY / 2), 0);
        let granted = matches!(bench.verdicts(0)[..], [Verdict::Granted { .. }]);
        assert_eq!(granted, passes);
        bench.answer(call, None, None, SECOND);
    }
}

#[test]
fn shadow_counts_and_refuses_nothing() {
    let settings = Settings {
        is_shadow: true,
        ..Settings::default()
    };
    let mut bench = Bench::with(settings, 2, 10 * SECOND);
    for _ in 0..5 {
        let call = bench.ask(Class::Backfill, Some(0), 0);
        assert_eq!(bench.granted(0), [call]);
    }
    let view = bench.ledger.view(0);
    assert_eq!((view.would_wait, view.windows[0].used), (3, 5));
}

#[test]
fn what_others_spend_is_learned_from_the_counter_and_a_spent_key_is_told_once() {
    let mut bench = Bench::new(10, 10 * SECOND);
    let call = bench.ask(Class::Live, None, 0);
    assert_eq!(bench.granted(0), [call]);
    let said = Said {
        remaining: Some(0),
        ..Said::default()
    };
    let facts = Facts {
        said: vec![("p/w@address".to_owned(), said)],
        class: Some(FailureClass::Auth),
        ..Facts::default()
    };
    bench.ledger.end(call, &Ending::Answered(facts), SECOND);
    bench.ask(Class::Live, Some(9 * SECOND), SECOND);
    assert!(matches!(bench.refused(SECOND), Held::Deadline { .. }));
    assert!(matches!(bench.told[..], [Transition::KeyRefused(_)]));
}

#[test]
fn units_that_cannot_be_written_are_not_given_out() {
    let mut bench = Bench::new(10, 10 * SECOND);
    bench.ask(Class::Live, None, 0);
    let writes = bench.ledger.writes();
    bench.ledger.not_written(writes, 0);
    assert_eq!(bench.ledger.verdicts().len(), 1);
    bench.ask(Class::Live, None, 0);
    assert!(matches!(
        bench.ledger.verdicts()[..],
        [Verdict::Refused {
            held: Held::Unwritable,
            ..
        }]
    ));
    // What is not ours to ration, an order above all, passes all the same.
    let order = bench.ledger.ask(
        Ask {
            gate: "p@address".to_owned(),
            demands: Vec::new(),
            class: Class::Live,
            deadline_us: None,
            is_forced: true,
        },
        0,
    );
    assert!(matches!(
        bench.ledger.verdicts()[..],
        [Verdict::Granted { call, .. }] if call == order
    ));
    let again = bench.ledger.writes();
    assert!(!again.is_empty(), "what was not written comes again");
    bench.ledger.written(1);
    let call = bench.ask(Class::Live, None, 2);
    assert_eq!(bench.granted(2), [call]);
}
