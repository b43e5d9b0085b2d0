//! Limits and costs: windows that hold something, and calls that fit into them.
//!
//! Not here: whether the numbers are today's.

use super::{Rule, Sink};
use crate::cost::{Band, Cost, Weight};
use crate::plan::{Counts, Plan, Window};
use crate::provider::Provider;

pub(super) fn check(provider: &Provider, sink: &mut Sink<'_>) {
    let mut paid = false;
    for (at, plan) in provider.plans.iter().enumerate() {
        if plan.free && paid {
            let message = format!("free plan `{}` stands behind a paid one", plan.id);
            sink.say(Rule::PaidBeforeFree, &[&"plan", &at, &"free"], message);
        }
        paid |= !plan.free;
        for (window_at, window) in plan.windows.iter().enumerate() {
            check_window(window, at, window_at, sink);
        }
    }
    check_costs(provider, sink);
}

fn check_window(window: &Window, plan_at: usize, at: usize, sink: &mut Sink<'_>) {
    let id = &window.id;
    let mut zero = |key: &str, what: &str| {
        let message = format!("window `{id}` {what}");
        sink.say(
            Rule::ZeroWindow,
            &[&"plan", &plan_at, &"window", &at, &key],
            message,
        );
    };
    if window.limit == 0 {
        zero("limit", "allows nothing");
    }
    if window.per.count == 0 {
        zero("per", "lasts no time");
    }
    if window.burst == Some(0) {
        zero("burst", "lets nothing out at once");
    }
    if window.scope.is_none() {
        let message =
            format!("window `{id}` does not say whether it is counted per key or per address");
        sink.say(
            Rule::LimitWithoutScope,
            &[&"plan", &plan_at, &"window", &at, &"id"],
            message,
        );
    }
}

fn check_costs(provider: &Provider, sink: &mut Sink<'_>) {
    for (at, endpoint) in provider.endpoints.iter().enumerate() {
        if let Some(why) = bad_bands(&endpoint.cost) {
            sink.say(Rule::BadBands, &[&"endpoint", &at, &"cost"], why);
        }
        let plans: Vec<&Plan> = provider
            .plans
            .iter()
            .filter(|plan| endpoint.plans.is_empty() || endpoint.plans.contains(&plan.id))
            .collect();
        let windows = || plans.iter().flat_map(|plan| &plan.windows);
        let weighs = endpoint.cost != Cost::default();
        // A provider whose limits are not known at all contradicts nothing.
        if weighs && windows().next().is_some() && !windows().any(|w| w.counts == Counts::Weight) {
            let message = format!(
                "endpoint `{}` has a weight, but no window counts weight",
                endpoint.id
            );
            sink.say(Rule::UncountedWeight, &[&"endpoint", &at, &"cost"], message);
        }
        let Weight(least) = endpoint.cost.least();
        for plan in &plans {
            let small = plan
                .windows
                .iter()
                .find(|w| w.counts == Counts::Weight && (1..least).contains(&w.limit));
            if let Some(window) = small {
                let message = format!(
                    "endpoint `{}` costs at least {least}, window `{}` of plan `{}` holds {}",
                    endpoint.id, window.id, plan.id, window.limit
                );
                sink.say(Rule::Unaffordable, &[&"endpoint", &at, &"cost"], message);
            }
        }
    }
}

fn bad_bands(cost: &Cost) -> Option<&'static str> {
    let rise = |bands: &[Band]| bands.windows(2).all(|pair| pair[0].max < pair[1].max);
    match cost {
        Cost::ByLimit { bands, .. } if bands.is_empty() => Some("a cost by limit has no bands"),
        Cost::ByLimit { bands, .. } | Cost::BySymbols { bands, .. } if !rise(bands) => {
            Some("bands of a cost must rise")
        }
        Cost::PerRow { rows: 0, .. } => Some("a lot of rows is empty"),
        Cost::Fixed { .. }
        | Cost::PerSymbol { .. }
        | Cost::PerRow { .. }
        | Cost::ByLimit { .. }
        | Cost::BySymbols { .. } => None,
    }
}
