//! The decision: what a rule does about an event that it matches.
//!
//! A pure function of the rule, the event and the [`Situation`]; it reads no clock and does nothing.
//! When a rule acts: its kinds and its condition match, the event is neither too old nor the rule's
//! own doing nor at the end of a long chain, the rule's limit leaves room, and its mode allows it.
//! When it recovers: a held event stays held, the next one is looked at anew. First start: history
//! before the first start is never acted on (see [`crate::engine`]).

use std::time::Duration;

use jiff::Timestamp;
use tradewind_core::payload::HeldReason;
use tradewind_core::{Event, EventKind, Seq};

use crate::config::{Mode, Rule};

/// A debounced rule waits at most this many times its debounce: a stream that never rests must not
/// keep it silent for ever.
pub const MAX_WAITS: u32 = 10;

/// What must be known besides the rule and the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Situation {
    /// The journal's time.
    pub now: Timestamp,
    /// The event that paused acting.
    pub paused: Option<Seq>,
    /// Digest of the configuration, and whether a person allowed what it executes.
    pub digest: String,
    /// Whether a person allowed what the configuration executes.
    pub is_trusted: bool,
    /// Whether the action would execute anything on this machine.
    pub executes: bool,
    /// How often the rule fired in its limit's window, this event not counted.
    pub fired: u64,
    /// How many causes stand behind the event.
    pub depth: u32,
    /// How many may.
    pub max_depth: u32,
    /// Whether one of the causes, or the event itself, is the rule's own doing.
    pub is_own: bool,
}

/// What a rule does about an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Says what it would have done.
    Shadow,
    /// Asks a person.
    Propose,
    /// Requests the action.
    Act,
    /// Waits for quiet.
    Wait(Duration),
    /// Does nothing, and says why.
    Hold {
        /// Why.
        reason: HeldReason,
        /// Why, in one sentence.
        detail: String,
        /// The same reason with the same text here is said once only.
        once: String,
    },
}

/// Decides when an event arrives.
pub fn arrive(rule: &Rule, event: &Event, situation: &Situation) -> Decision {
    if situation.is_own && !rule.allow_self {
        return Decision::Hold {
            reason: HeldReason::Loop,
            detail: format!(
                "Event {} follows from what this rule did itself; `allow_self = true` would let it.",
                event.seq
            ),
            once: event.correlation.to_string(),
        };
    }
    if situation.depth > situation.max_depth {
        return Decision::Hold {
            reason: HeldReason::Depth,
            detail: format!(
                "Event {} has more than {} causes behind it (`engine.max_depth`).",
                event.seq, situation.max_depth
            ),
            once: event.correlation.to_string(),
        };
    }
    if age(event, situation.now) > rule.max_age {
        return stale(rule, event);
    }
    match rule.debounce {
        Some(quiet) => Decision::Wait(quiet),
        None => fire(rule, event, situation),
    }
}

/// Decides when a debounced rule has waited long enough.
pub fn wake(rule: &Rule, event: &Event, situation: &Situation) -> Decision {
    // It waited on purpose; beyond that, the machine was off, and the event is as old as any other.
    let waited = rule.debounce.unwrap_or_default().saturating_mul(MAX_WAITS);
    if age(event, situation.now) > rule.max_age.saturating_add(waited) {
        return stale(rule, event);
    }
    fire(rule, event, situation)
}

/// Decides when nothing has to be waited for any more.
pub fn fire(rule: &Rule, event: &Event, situation: &Situation) -> Decision {
    if let Some(limit) = rule.limit
        && situation.fired >= u64::from(limit.max.get())
    {
        let window = i64::try_from(limit.per.as_secs().max(1)).unwrap_or(i64::MAX);
        return Decision::Hold {
            reason: HeldReason::Limit,
            detail: format!(
                "It fired {} times within {} already.",
                limit.max,
                words(limit.per)
            ),
            once: event.recorded_at.as_second().div_euclid(window).to_string(),
        };
    }
    if rule.mode == Mode::Shadow {
        return Decision::Shadow;
    }
    if situation.executes && !situation.is_trusted {
        return Decision::Hold {
            reason: HeldReason::Untrusted,
            detail: "It would execute something, and nobody has allowed this configuration to; \
                     `tradewind trust` shows what it is."
                .to_owned(),
            once: situation.digest.clone(),
        };
    }
    if rule.mode == Mode::Propose {
        return Decision::Propose;
    }
    match situation.paused {
        Some(paused) => Decision::Hold {
            reason: HeldReason::Paused,
            detail: "Acting is paused; `tradewind resume` lets rules act again.".to_owned(),
            once: paused.to_string(),
        },
        None => Decision::Act,
    }
}

/// Returns whether a rule may look at an event at all.
///
/// What the engine says about a rule never fires that rule, and a notice that a chain was cut never
/// fires any: otherwise the cut would be one more link.
pub fn may_look(rule: &Rule, event: &Event) -> bool {
    if !rule.kinds.contains(&event.kind) {
        return false;
    }
    match event.kind {
        EventKind::EngineRuleShadowed | EventKind::EngineRuleFailed => event.subject != rule.name,
        EventKind::EngineRuleHeld => {
            let cut = event
                .payload::<tradewind_core::payload::RuleHeld>()
                .is_ok_and(|held| matches!(held.reason, HeldReason::Loop | HeldReason::Depth));
            event.subject != rule.name && !cut
        }
        _ => true,
    }
}

fn stale(rule: &Rule, event: &Event) -> Decision {
    Decision::Hold {
        reason: HeldReason::Stale,
        detail: format!(
            "Event {} and perhaps more were recorded more than {} ago (`max_age`).",
            event.seq,
            words(rule.max_age)
        ),
        // One notice per hour of history: a long downtime is told in a few lines.
        once: event.recorded_at.as_second().div_euclid(3600).to_string(),
    }
}

fn age(event: &Event, now: Timestamp) -> Duration {
    // A clock that went backwards makes an event young, not old.
    Duration::try_from(now.duration_since(event.recorded_at)).unwrap_or_default()
}

fn words(duration: Duration) -> humantime_serde::re::humantime::FormattedDuration {
    humantime_serde::re::humantime::format_duration(duration)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;
    use crate::action::Registry;
    use crate::config;

    fn rule(mode: Mode, extra: &str) -> Arc<Rule> {
        let text = format!(
            "[rules.r]\non = 'repo.tag.created'\ndo = 'log'\nmode = '{mode}'\n{extra}\n\
             limit = {{ max = 3, per = '1h' }}\nmax_age = '1h'\nwith = {{ message = 'x' }}\n"
        );
        let config = config::parse(&text, &Registry::new()).unwrap();
        Arc::clone(&config.rules["r"])
    }

    fn event() -> Event {
        Event {
            seq: Seq(9),
            kind: EventKind::RepoTagCreated,
            schema: 1,
            occurred_at: Timestamp::UNIX_EPOCH,
            recorded_at: Timestamp::UNIX_EPOCH,
            cause: None,
            correlation: Seq(9),
            subject: String::new(),
            repository: None,
            data: None,
        }
    }

    prop_compose! {
        fn situation()(
            minutes in -100..200_i64,
            paused in any::<bool>(),
            is_trusted in any::<bool>(),
            executes in any::<bool>(),
            fired in 0..6_u64,
            depth in 0..12_u32,
            is_own in any::<bool>(),
        ) -> Situation {
            Situation {
                now: Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes),
                paused: paused.then_some(Seq(1)),
                digest: String::new(),
                is_trusted,
                executes,
                fired,
                depth,
                max_depth: 8,
                is_own,
            }
        }
    }

    proptest! {
        #[test]
        fn a_rule_acts_exactly_when_nothing_speaks_against_it(
            situation in situation(),
            mode in prop::sample::select(vec![Mode::Shadow, Mode::Propose, Mode::Act]),
        ) {
            let s = &situation;
            let may_fire = !s.is_own
                && s.depth <= 8
                && s.now <= Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1)
                && s.fired < 3;
            let may_execute = s.is_trusted || !s.executes;
            let expected = match mode {
                Mode::Shadow if may_fire => Some(Decision::Shadow),
                Mode::Propose if may_fire && may_execute => Some(Decision::Propose),
                Mode::Act if may_fire && may_execute && s.paused.is_none() => Some(Decision::Act),
                _ => None,
            };
            match (arrive(&rule(mode, ""), &event(), s), expected) {
                (Decision::Hold { detail, .. }, None) => prop_assert!(detail.ends_with('.')),
                (actual, expected) => prop_assert_eq!(Some(actual), expected),
            }
        }
    }

    #[test]
    fn a_debounced_rule_waits_first_and_is_not_stale_for_waiting() {
        let rule = rule(Mode::Act, "debounce = '10m'");
        let mut situation = Situation {
            now: Timestamp::UNIX_EPOCH,
            paused: None,
            digest: String::new(),
            is_trusted: true,
            executes: false,
            fired: 0,
            depth: 0,
            max_depth: 8,
            is_own: false,
        };
        let quiet = Duration::from_mins(10);
        assert_eq!(arrive(&rule, &event(), &situation), Decision::Wait(quiet));
        situation.now += SignedDuration::from_mins(100);
        assert_eq!(wake(&rule, &event(), &situation), Decision::Act);
        situation.now += SignedDuration::from_hours(2);
        assert!(matches!(
            wake(&rule, &event(), &situation),
            Decision::Hold {
                reason: HeldReason::Stale,
                ..
            }
        ));
    }
}
