//! Loops that ask a provider as fast as they go.

use std::collections::{BTreeMap, BTreeSet};

use tradewind_catalog::Provider;
use tradewind_catalog::plan::Counts;
use tradewind_repo::api_map::ApiCall;

use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::quotes::is_shelved;
use crate::rule::{About, Context, Findings, Rule};
use crate::source::{Source, grouped, is_test};

/// Loops that ask a provider as fast as they go.
#[derive(Debug)]
pub struct NoPacing;

const ABOUT: About = About {
    id: "no-pacing",
    title: "Loops that ask a provider without a pause",
    area: Area::MarketData,
    severity: Severity::High,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Week,
    impact: "The quota is gone within the first symbols; the rest of the list, and whatever shares the key, is refused for the rest of the window.",
    action: "Pace the calls (a limiter shared by all callers), ask for several symbols at once where the provider can, and keep answers that do not change.",
    after: &[],
};

/// How many functions lie between a loop and the call.
const MAX_DEPTH: usize = 4;

/// What shows that somebody paces, keeps answers or waits.
const PACES: &[&str] = &[
    "sleep(",
    "limiter",
    "rate_limit",
    "ratelimit",
    "throttle",
    "semaphore",
    "cache",
    ".wait(",
    "pace",
    "backoff",
    "enableratelimit",
];

/// A loop, and the quotas that it meets.
struct Loop {
    evidence: Evidence,
    certain: BTreeSet<String>,
    likely: BTreeSet<String>,
}

struct Hunt<'a> {
    context: &'a Context<'a>,
    found: BTreeMap<(String, u32), Loop>,
}

impl Rule for NoPacing {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let mut hunt = Hunt {
            context,
            found: BTreeMap::new(),
        };
        for call in &context.api_map.calls {
            let provider = context.catalog.provider(&call.provider);
            let Some((provider, quota)) = provider.and_then(|p| Some((p, quota(p)?))) else {
                continue;
            };
            if is_test(&call.path)
                || is_by_hand(&call.path)
                || call.use_case.is_some_and(|u| !u.is_data())
            {
                continue;
            }
            hunt.follow(call, &format!("{}: {quota}", provider.title));
        }
        let mut met = BTreeSet::new();
        let mut loops: Vec<(bool, Evidence)> = Vec::new();
        for found in hunt.found.into_values() {
            let is_certain = !found.certain.is_empty();
            let quotas = if is_certain {
                found.certain
            } else {
                found.likely
            };
            let words = quotas.iter().cloned().collect::<Vec<_>>().join(", ");
            met.extend(quotas);
            let mut evidence = found.evidence;
            evidence.note = format!("{} ({words})", evidence.note);
            loops.push((!is_certain, evidence));
        }
        loops.sort();
        let places: Vec<Evidence> = loops.into_iter().map(|(_, place)| place).collect();
        let met = met.into_iter().collect::<Vec<_>>().join(", ");
        let title = match places.len() {
            1 => format!("a loop asks without a pause ({met})"),
            n => format!("{n} loops ask without a pause ({met})"),
        };
        grouped(findings, title, places);
    }
}

impl Hunt<'_> {
    /// Goes from a call to its callers until one stands in a loop.
    fn follow(&mut self, call: &ApiCall, quota: &str) {
        let mut open = vec![(call.module, call.scope, Some(call.call), true, 0)];
        let mut seen = BTreeSet::new();
        while let Some((at, scope, index, is_certain, depth)) = open.pop() {
            let context = self.context;
            let Some(module) = context.code.modules.get(at) else {
                continue;
            };
            let Some(source) = Source::read(context, &module.path) else {
                continue;
            };
            let here = index.and_then(|index| module.calls.get(index));
            if let Some(here) = here.filter(|call| call.is_in_loop)
                && let Some(line) = source.loop_around(here.line)
                && is_over_many(source.line(line))
            {
                self.judge(&source, line, here.line, is_certain, quota);
                continue;
            }
            let around = scope
                .map(|_| source.around(module, scope))
                .unwrap_or_default();
            if depth >= MAX_DEPTH || scope.is_none() || paces(&around) || !seen.insert((at, scope))
            {
                continue;
            }
            for caller in context.api_map.callers.of(at, scope) {
                // An object of unknown class may be something else altogether.
                if caller.call.is_some() && !caller.is_certain {
                    continue;
                }
                let is_certain = is_certain && caller.is_certain;
                open.push((
                    caller.module,
                    caller.scope,
                    caller.call,
                    is_certain,
                    depth + 1,
                ));
            }
        }
    }

    fn judge(&mut self, source: &Source, line: u32, call: u32, is_certain: bool, quota: &str) {
        let is_statement = line != call;
        let block = if is_statement {
            source.text(source.block(line))
        } else {
            source.line(line).to_owned()
        };
        // A search that ends with the first answer goes over alternatives.
        if paces(&block) || block.lines().any(|line| line.trim() == "break") {
            return;
        }
        // Tasks that are made in a list run where they are gathered.
        let gathered = (line..=line + 3).find(|at| source.line(*at).contains("gather("));
        let line = if is_statement {
            line
        } else {
            gathered.unwrap_or(line)
        };
        let evidence = source.short(line);
        let path = evidence.path.clone().unwrap_or_default();
        if is_test(&path) || is_by_hand(&path) {
            return;
        }
        let found = self.found.entry((path, line)).or_insert_with(|| Loop {
            evidence,
            certain: BTreeSet::new(),
            likely: BTreeSet::new(),
        });
        let quotas = if is_certain {
            &mut found.certain
        } else {
            &mut found.likely
        };
        quotas.insert(quota.to_owned());
    }
}

/// Says whether a file is for what somebody tries out and watches: a refusal is seen, and nothing trades by it.
fn is_by_hand(path: &str) -> bool {
    let folders = path.rsplit_once('/').map_or("", |(folders, _)| folders);
    is_shelved(path)
        || folders.split('/').any(|part| {
            matches!(
                part.to_ascii_lowercase().as_str(),
                "analysis"
                    | "backtest"
                    | "backtesting"
                    | "backtests"
                    | "examples"
                    | "notebooks"
                    | "research"
            )
        })
}

/// Says whether a loop goes over many things, and not over attempts or pages.
fn is_over_many(line: &str) -> bool {
    let line = line.to_lowercase();
    // A few names in the line itself: over before a quota is met.
    let is_short_list = line
        .split_once(" in ")
        .and_then(|(_, list)| list.trim_start().strip_prefix(['[', '(']))
        .and_then(|list| list.split_once([']', ')']))
        .is_some_and(|(list, _)| list.matches(',').count() < FEW);
    let is_repeat = [
        "attempt", "retr", "tries", "page", "range(3)", "range(5)", "while ",
    ]
    .iter()
    .any(|word| line.contains(word));
    !is_repeat && !is_short_list
}

/// As many requests one after the other meet no quota of a second.
const FEW: usize = 4;

fn paces(text: &str) -> bool {
    let text = text.to_lowercase();
    PACES.iter().any(|word| text.contains(word))
}

/// Returns the window of the free plan that a loop meets first, in words.
fn quota(provider: &Provider) -> Option<String> {
    let free = provider.plans.iter().find(|plan| plan.free)?;
    let window = free.windows.iter().find(|window| {
        let per = window.per.to_string();
        let unit = per.trim_end_matches('s').rsplit(' ').next();
        window.counts != Counts::UniqueSymbols
            && match unit {
                Some("second") => window.limit <= 1,
                Some("minute") => window.limit <= 10,
                Some("hour") => window.limit <= 100,
                Some("day") => window.limit <= 1000,
                _ => false,
            }
    })?;
    let per = window.per.to_string();
    Some(format!(
        "{} {} per {}",
        window.limit,
        window.counts.as_words(window.limit),
        per.strip_prefix("1 ").unwrap_or(&per)
    ))
}
