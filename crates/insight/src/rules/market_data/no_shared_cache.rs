//! One provider with a small quota that is asked from many places, none of which keeps the answer.

use std::collections::BTreeSet;

use tradewind_catalog::Provider;
use tradewind_catalog::plan::Counts;
use tradewind_repo::api_map::ApiCall;

use crate::finding::{Area, Confidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};
use crate::source::{Source, grouped, is_test};

/// One provider with a small quota that is asked from many places, none of which keeps the answer.
#[derive(Debug)]
pub struct NoSharedCache;

const ABOUT: About = About {
    id: "no-shared-cache",
    title: "One small quota, many places that spend it, no cache",
    area: Area::MarketData,
    severity: Severity::Medium,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Month,
    impact: "One script eats the calls that another needs at the open; the same bars are paid for again and again.",
    action: "Fetch in one place and keep the answer: closed bars do not change.",
    after: &[],
};

/// From how many functions on it is a pattern.
const MANY: usize = 3;

impl Rule for NoSharedCache {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        for provider in context.catalog.providers() {
            let Some(quota) = small_quota(provider) else {
                continue;
            };
            let calls: Vec<&ApiCall> = context
                .api_map
                .calls
                .iter()
                .filter(|call| *call.provider == *provider.name && !is_test(&call.path))
                .filter(|call| {
                    call.use_case
                        .is_none_or(tradewind_catalog::UseCase::is_data)
                })
                .collect();
            let functions: BTreeSet<_> =
                calls.iter().map(|call| (call.module, call.scope)).collect();
            let files: BTreeSet<&str> = calls.iter().map(|call| call.path.as_ref()).collect();
            if functions.len() < MANY || files.len() < 2 {
                continue;
            }
            let sources: Vec<Source> = files
                .iter()
                .filter_map(|path| Source::read(context, path))
                .collect();
            if sources.iter().any(keeps_answers) {
                findings.not_checked(format!(
                    "{} is asked from {} functions, some of which keep answers",
                    provider.title,
                    functions.len()
                ));
                continue;
            }
            let mut evidence = Vec::new();
            let mut done = BTreeSet::new();
            for call in &calls {
                let Some(carrier) = context.api_map.outgoing.get(call.carrier) else {
                    continue;
                };
                let source = files.iter().position(|path| *path == call.path.as_ref());
                if let Some(source) = source.and_then(|at| sources.get(at))
                    && done.insert((call.module, call.scope, carrier.line))
                {
                    evidence.push(source.at(call.line));
                }
            }
            let title = format!(
                "{} is asked from {} functions in {} files, none with a cache; the free plan has {quota}",
                provider.title,
                functions.len(),
                files.len()
            );
            grouped(findings, title, evidence);
        }
    }
}

/// Returns the smallest window of the free plan in words, when it is so small that scripts compete for it.
pub(super) fn small_quota(provider: &Provider) -> Option<String> {
    let free = provider.plans.iter().find(|plan| plan.free)?;
    let window = free
        .windows
        .iter()
        .filter(|window| window.counts != Counts::UniqueSymbols)
        .find(|window| {
            let per = window.per.to_string();
            let unit = per.trim_end_matches('s').rsplit(' ').next();
            match unit {
                Some("minute") => window.limit <= 10,
                Some("hour") => window.limit <= 100,
                Some("day") => window.limit <= 1000,
                _ => false,
            }
        })?;
    let what = window.counts.as_words(window.limit);
    Some(format!(
        "{} {what} per {}",
        window.limit,
        window.per.to_string().trim_start_matches("1 ")
    ))
}

/// Says whether a file keeps what it fetched, in whatever way.
pub(super) fn keeps_answers(source: &Source) -> bool {
    let text = source.text(1..=source.length()).to_lowercase();
    [
        "cache",
        "to_parquet",
        "to_pickle",
        "redis",
        "to_sql",
        "sqlite",
    ]
    .iter()
    .any(|word| text.contains(word))
}
