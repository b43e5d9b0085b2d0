//! When a call is repeated: bounded, jittered, and never for what repeating cannot mend.
//!
//! When it acts: a data call was throttled, or had no answer, an outage or an answer without form; at most
//! three attempts in all. What it waits: full jitter, a random part of half a second doubled with each
//! attempt and of eight seconds at most (Brooker, "Exponential Backoff and Jitter", 2015), but never less
//! than the answer asked for. A throttled call waits in its line like everybody, so that it cannot fall
//! into a closed window. A wrong key, a plan that lacks the data, a spent quota, a ban and "no such
//! thing" are never repeated or hidden. Not here: whether a repetition finds room ([`crate::ledger`]).

use std::time::Duration;

use tradewind_catalog::refusal::FailureClass;

/// Attempts at one call, the first one included.
pub const MAX_ATTEMPTS: u32 = 3;
const BASE: Duration = Duration::from_millis(500);
const MOST: Duration = Duration::from_secs(8);

/// Returns how long to wait before the next attempt; `None` when there is none.
///
/// `attempt` counts from 1, `class` is the answer's (`None` for no answer at all), `asked` what the answer
/// said to wait, `random` a number that nobody can foresee.
pub fn wait(
    class: Option<FailureClass>,
    attempt: u32,
    asked: Option<Duration>,
    random: u32,
) -> Option<Duration> {
    if attempt >= MAX_ATTEMPTS {
        return None;
    }
    match class {
        // The gate is closed for as long as was asked; the line does the waiting.
        Some(FailureClass::Throttled) => Some(Duration::ZERO),
        None | Some(FailureClass::Outage | FailureClass::Malformed) => {
            let most = BASE.saturating_mul(1 << attempt.min(8)).min(MOST);
            let part = most.mul_f64(f64::from(random) / f64::from(u32::MAX));
            Some(part.max(asked.unwrap_or_default()))
        }
        Some(
            FailureClass::QuotaGone
            | FailureClass::Banned
            | FailureClass::Auth
            | FailureClass::Plan
            | FailureClass::NotFound
            | FailureClass::Empty
            | FailureClass::BadRequest
            | FailureClass::OutcomeUnknown,
        ) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_repeating_cannot_mend_is_not_repeated() {
        for class in [
            FailureClass::QuotaGone,
            FailureClass::Banned,
            FailureClass::Auth,
            FailureClass::Plan,
            FailureClass::NotFound,
            FailureClass::Empty,
            FailureClass::BadRequest,
            FailureClass::OutcomeUnknown,
        ] {
            assert_eq!(wait(Some(class), 1, None, 0), None, "{class}");
        }
    }

    proptest! {
        #[test]
        fn waits_are_bounded_and_no_shorter_than_what_was_asked(
            attempt in 1_u32..10, asked in prop::option::of(0_u64..100_000), random: u32,
        ) {
            let asked = asked.map(Duration::from_millis);
            match wait(Some(FailureClass::Outage), attempt, asked, random) {
                None => prop_assert!(attempt >= MAX_ATTEMPTS),
                Some(wait) => {
                    prop_assert!(attempt < MAX_ATTEMPTS);
                    prop_assert!(wait >= asked.unwrap_or_default());
                    prop_assert!(wait <= MOST.max(asked.unwrap_or_default()));
                }
            }
        }
    }
}
