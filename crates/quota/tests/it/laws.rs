//! What must hold in every interleaving: the server never sees an excess, and gets asked for all it has.

use proptest::prelude::*;

use crate::world::{Policy, SECOND, Seen, Setup, World};

fn setup(seed: u64, policy: Policy) -> Setup {
    Setup {
        seed,
        policy,
        limit: 100,
        window: 10 * SECOND,
        is_style_known: true,
        workers: 8,
        max_weight: 1,
        max_delay: 25_000,
        lost_one_in: 0,
        crashes: 0,
        is_reboot: false,
        has_counter: false,
        length: 60 * SECOND,
    }
}

fn policies() -> impl Strategy<Value = Policy> {
    prop_oneof![
        Just(Policy::Fixed),
        Just(Policy::Sliding),
        (1..150_u32).prop_map(|burst| Policy::Bucket { burst }),
    ]
}

prop_compose! {
    fn setups()(
        seed: u64,
        policy in policies(),
        limit in prop_oneof![1..20_u32, 20..120_u32, 1_000..6_000_u32],
        window in SECOND / 2..20 * SECOND,
        is_style_known: bool,
        workers in 1..12_usize,
        weight in 1..60_u64,
        max_delay in prop_oneof![Just(0_i64), 1..50_000_i64, 1..3 * SECOND],
        lost_one_in in prop_oneof![Just(0_u64), 2..60_u64],
        crashes in 0..6_u32,
        is_reboot: bool,
        has_counter: bool,
    ) -> Setup {
        let most = match policy {
            Policy::Bucket { burst } => limit.min(burst),
            Policy::Fixed | Policy::Sliding => limit,
        };
        Setup {
            seed, policy, limit, window, is_style_known, workers,
            max_weight: weight.min(u64::from(most)),
            max_delay, lost_one_in, crashes, is_reboot,
            has_counter: has_counter && !matches!(policy, Policy::Bucket { .. }),
            length: 60 * SECOND,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_interleaving_of_delays_losses_crashes_and_reboots_exceeds_a_limit(setup in setups()) {
        let seen = World::run(setup);
        prop_assert_eq!(seen.excess, 0);
        prop_assert!(seen.accepted > 0);
    }
}

/// Units that the server had to give, as its own statistics would say.
fn possible(setup: &Setup, seen: Seen) -> u64 {
    let span = seen.last - seen.first;
    let limit = u64::from(setup.limit);
    match setup.policy {
        Policy::Sliding | Policy::Fixed => limit * u64::try_from(span / setup.window + 1).unwrap(),
        Policy::Bucket { burst } => {
            u64::from(burst)
                + limit * u64::try_from(span).unwrap() / u64::try_from(setup.window).unwrap()
        }
    }
}

#[test]
fn a_saturated_server_is_asked_for_99_of_100_units() {
    for seed in 0..20 {
        for policy in [
            Policy::Fixed,
            Policy::Sliding,
            Policy::Bucket { burst: 100 },
        ] {
            for (limit, max_weight) in [(100, 1), (1_000, 10)] {
                let setup = Setup {
                    limit,
                    max_weight,
                    ..setup(seed, policy)
                };
                let seen = World::run(setup.clone());
                let share = seen.accepted * 1_000 / possible(&setup, seen);
                assert_eq!(seen.excess, 0);
                assert!(
                    share >= 990,
                    "{share}‰ of {policy:?} with seed {seed}: {seen:?}"
                );
            }
        }
    }
}

#[test]
fn kills_and_lost_answers_cost_less_than_a_twentieth() {
    for seed in 0..20 {
        for policy in [
            Policy::Fixed,
            Policy::Sliding,
            Policy::Bucket { burst: 100 },
        ] {
            let setup = Setup {
                crashes: 2,
                lost_one_in: 50,
                ..setup(seed, policy)
            };
            let seen = World::run(setup.clone());
            let share = seen.accepted * 1_000 / possible(&setup, seen);
            assert_eq!(seen.excess, 0);
            assert!(
                share >= 950,
                "{share}‰ of {policy:?} with seed {seed}: {seen:?}"
            );
        }
    }
}

/// A request that leaves a moment before the ledger dies may arrive long after it lives again.
#[test]
fn what_a_dead_process_sent_is_counted_when_it_arrives_late() {
    let seen = World::run(Setup {
        limit: 72,
        window: 14_537_917,
        is_style_known: false,
        workers: 5,
        max_weight: 8,
        max_delay: 2_505_798,
        lost_one_in: 18,
        crashes: 3,
        ..setup(1_078_613_456_484_175_990, Policy::Bucket { burst: 13 })
    });
    assert_eq!(seen.excess, 0);
}
