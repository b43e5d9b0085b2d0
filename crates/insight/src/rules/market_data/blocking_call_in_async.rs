//! Calls that hold up the event loop.

use std::collections::{BTreeMap, BTreeSet};

use tradewind_repo::api_map::Client;
use tradewind_repo::python::{Call, Module, Value};

use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};
use crate::source::{Source, function, grouped, is_test};

/// Calls that hold up the event loop.
#[derive(Debug)]
pub struct BlockingCallInAsync;

const ABOUT: About = About {
    id: "blocking-call-in-async",
    title: "Blocking calls inside `async` functions",
    area: Area::MarketData,
    severity: Severity::Medium,
    confidence: Confidence::Certain,
    timeframe: Timeframe::Week,
    impact: "While one call waits, nothing else runs: `gather` gains nothing, sockets miss their heartbeats, and one slow symbol delays the stop of the next.",
    action: "Use `await asyncio.sleep(…)` and `await asyncio.to_thread(…)`, or a client that can be awaited.",
    after: &[],
};

/// How many calls lie between an `async` function and what blocks.
const MAX_DEPTH: usize = 6;

type Node = (usize, Option<u32>);

/// A function that blocks, the line that makes it so, and the pause that it comes from, if it is one.
#[derive(Clone, Copy, Debug)]
struct Step {
    node: Node,
    line: u32,
    depth: usize,
    pause: Option<(usize, u32)>,
}

/// Says whether a plain function calls something out of a table: `PROVIDERS[name](symbol)`.
fn calls_a_table(module: &Module, scope: Option<u32>) -> bool {
    let is_plain = function(module, scope).is_some_and(|f| !f.is_async);
    is_plain
        && module
            .calls
            .iter()
            .any(|call| call.scope == scope && call.written.ends_with("[]"))
}

impl Rule for BlockingCallInAsync {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let mut places: BTreeMap<(usize, u32), BTreeSet<(usize, u32)>> = BTreeMap::new();
        let mut seen: BTreeSet<(Node, Option<(usize, u32)>)> = BTreeSet::new();
        // From each call that blocks back through plain functions to the first `async` one.
        let mut open: Vec<Step> = blocking(context);
        while let Some(step) = open.pop() {
            let Step {
                node: (at, scope),
                line,
                depth,
                pause,
            } = step;
            let Some(module) = context.code.modules.get(at) else {
                continue;
            };
            let Some(of) = function(module, scope) else {
                continue;
            };
            if of.is_async {
                if line > 0 {
                    places.entry((at, line)).or_default().extend(pause);
                }
                continue;
            }
            if depth >= MAX_DEPTH || !seen.insert(((at, scope), pause)) {
                continue;
            }
            for caller in context.api_map.callers.of(at, scope) {
                let Some(user) = context.code.modules.get(caller.module) else {
                    continue;
                };
                let call = caller.call.filter(|_| caller.is_certain);
                let line = match call.and_then(|call| user.calls.get(call)) {
                    Some(call) if !call.is_awaited => call.line,
                    // Named in a table: only who calls what a table holds may mean it.
                    None if caller.call.is_none() && calls_a_table(user, caller.scope) => 0,
                    _ => continue,
                };
                open.push(Step {
                    node: (caller.module, caller.scope),
                    line,
                    depth: depth + 1,
                    pause,
                });
            }
        }
        let mut shown: BTreeSet<(usize, u32)> = BTreeSet::new();
        for ((at, line), pauses) in places {
            let Some(module) = context.code.modules.get(at).filter(|m| !is_test(&m.path)) else {
                continue;
            };
            let Some(source) = Source::read(context, &module.path) else {
                continue;
            };
            let text = source.line(line);
            if has_nothing_beside(context, module, &source) {
                continue;
            }
            // Handed to a thread, or only named.
            if [
                "to_thread",
                "run_in_executor",
                "lambda",
                "run_sync",
                "run_in_threadpool",
            ]
            .iter()
            .any(|word| text.contains(word))
            {
                continue;
            }
            shown.insert((at, line));
            shown.extend(pauses);
        }
        let evidence: Vec<Evidence> = shown
            .into_iter()
            .filter_map(|(at, line)| {
                let module = context.code.modules.get(at)?;
                Some(Source::read(context, &module.path)?.at(line))
            })
            .collect();
        let title = match evidence.len() {
            1 => "a blocking call holds up the event loop".to_owned(),
            n => format!("{n} blocking calls hold up the event loop"),
        };
        grouped(findings, title, evidence);
    }
}

/// Says whether a program runs one thing after the other: `asyncio.run(main())`, and nothing that waits beside
/// it.
fn has_nothing_beside(context: &Context<'_>, module: &Module, source: &Source) -> bool {
    let last = |call: &Call| {
        let end = call.callee.rsplit('.').next();
        end.unwrap_or_default().to_owned()
    };
    let runs = module
        .calls
        .iter()
        .any(|call| call.callee.as_ref() == "asyncio.run");
    let shares = module.calls.iter().any(|call| {
        matches!(
            last(call).as_str(),
            "gather"
                | "create_task"
                | "TaskGroup"
                | "ensure_future"
                | "wait"
                | "as_completed"
                | "run_forever"
                | "start_soon"
                | "to_thread"
                | "run_in_executor"
                | "subscribe"
        ) || call.callee.to_lowercase().contains("websocket")
    });
    runs && !shares
        && !source.text(1..=u32::from(u16::MAX)).contains("while True")
        && context.code.importers_of(&module.path).next().is_none()
}

/// Returns the calls that block, wherever they stand.
fn blocking(context: &Context<'_>) -> Vec<Step> {
    let mut found = Vec::new();
    for (at, module) in context.code.modules.iter().enumerate() {
        let sleeps = module.calls.iter().filter(|call| {
            let is_own = function(module, call.scope).is_some_and(|f| f.is_async);
            call.callee.as_ref() == "time.sleep" && (is_own || !is_short(call))
        });
        found.extend(sleeps.map(|call| Step {
            node: (at, call.scope),
            line: call.line,
            depth: 0,
            pause: Some((at, call.line)),
        }));
    }
    for outgoing in &context.api_map.outgoing {
        let Some(module) = context.code.modules.get(outgoing.module) else {
            continue;
        };
        let Some(call) = module.calls.get(outgoing.call) else {
            continue;
        };
        if waits(module, call, outgoing.client) {
            found.push(Step {
                node: (outgoing.module, outgoing.scope),
                line: outgoing.line,
                depth: 0,
                pause: None,
            });
        }
    }
    found
}

/// Says whether a pause is over before anybody misses the loop; such a one matters only where it stands.
fn is_short(call: &Call) -> bool {
    let seconds = call.arguments.first().map(|argument| &argument.value);
    matches!(seconds, Some(Value::Number(text)) if text.parse::<f64>().is_ok_and(|seconds| seconds < 0.5))
}

/// Says whether a call waits for its answer without `await`.
fn waits(module: &Module, call: &Call, client: Client) -> bool {
    if call.is_awaited || call.callee.to_lowercase().contains("async") {
        return false;
    }
    match client {
        Client::Requests | Client::Urllib | Client::Urllib3 => true,
        Client::Httpx => !call.callee.contains("stream"),
        // Packages may have an interface to await; only those that have none are sure.
        Client::Sdk => {
            let root = call.callee.split('.').next().unwrap_or_default();
            matches!(
                root,
                "yfinance" | "alpaca_trade_api" | "finnhub" | "fredapi" | "tiingo" | "polygon"
            ) && function(module, call.scope).is_none_or(|f| !f.is_async || !call.is_awaited)
        }
        _ => false,
    }
}
