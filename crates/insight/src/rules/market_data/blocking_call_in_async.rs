//! Calls that hold up the event loop.

use std::collections::{BTreeMap, BTreeSet};

use tradewind_repo::api_map::Client;
use tradewind_repo::python::{Call, Module, Value};

use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::quotes::is_shelved;
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
    confidence: Confidence::Possible,
    timeframe: Timeframe::Week,
    impact: "While one call waits, nothing else runs: `gather` gains nothing, sockets miss their heartbeats, and one slow symbol delays the stop of the next.",
    action: "Use `await asyncio.sleep(…)` and `await asyncio.to_thread(…)`, or a client that can be awaited.",
    after: &[],
};

/// How many calls lie between an `async` function and what blocks.
const MAX_DEPTH: usize = 6;

/// Says whether a file stands beside the program that trades: tests, what was put away, what somebody runs in a
/// notebook, one step after the other.
fn is_aside(path: &str) -> bool {
    let folders = path.rsplit_once('/').map_or("", |(folders, _)| folders);
    is_test(path)
        || is_shelved(path)
        || folders.split('/').any(|part| {
            matches!(
                part.to_ascii_lowercase().as_str(),
                "analysis" | "analytics" | "examples" | "notebooks" | "research"
            )
        })
}

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
            let Some(module) = context.code.modules.get(at).filter(|m| !is_aside(&m.path)) else {
                continue;
            };
            let Some(source) = Source::read(context, &module.path) else {
                continue;
            };
            let text = source.line(line);
            if has_nothing_beside(context, module, &source)
                || is_before_all(context, module, line)
                || is_at_start(module, &source, line)
            {
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

/// Calls that start something beside what runs.
const SHARES: &[&str] = &[
    "gather",
    "create_task",
    "TaskGroup",
    "ensure_future",
    "wait",
    "as_completed",
    "run_forever",
    "start_soon",
    "subscribe",
    "add_job",
    "start",
    "serve",
    "start_server",
];

/// Says whether a call stands in what a program does once, when it starts, before anything waits beside it.
fn is_at_start(module: &Module, source: &Source, line: u32) -> bool {
    let Some(call) = module.calls.iter().find(|call| call.line == line) else {
        return false;
    };
    let Some(of) = function(module, call.scope) else {
        return false;
    };
    let name = of.name.trim_start_matches('_');
    let is_start = matches!(name, "run" | "start" | "main" | "lifespan" | "connect")
        || ["init", "setup", "startup", "on_start", "bootstrap", "warm"]
            .iter()
            .any(|word| name.starts_with(word));
    let starts_something = module.calls.iter().any(|other| {
        let last = other.written.rsplit('.').next().unwrap_or_default();
        other.scope == call.scope && other.line < line && SHARES.contains(&last)
    });
    is_start && !call.is_in_loop && !starts_something && source.loop_around(line).is_none()
}

/// Says whether a call is made while a program starts, when nothing runs beside it yet: its function is awaited once
/// on the way from `asyncio.run`, and nothing before it starts a task.
fn is_before_all(context: &Context<'_>, module: &Module, line: u32) -> bool {
    let is_imported = context
        .code
        .importers_of(&module.path)
        .any(|(importer, import)| {
            let is_entry = import.name.as_ref().is_some_and(|name| {
                let mut functions = module.functions.iter();
                functions.any(|f| f.scope.is_none() && f.class.is_none() && f.name == *name)
            });
            !is_test(&importer.path) && !is_entry
        });
    let here = module.calls.iter().find(|call| call.line == line);
    let Some(call) = here.filter(|_| !is_imported) else {
        return false;
    };
    let last = |call: &Call| {
        let end = call.written.rsplit('.').next();
        end.unwrap_or_default().to_owned()
    };
    // Functions of this file that start a task, at whatever remove.
    let mut starters: BTreeSet<String> = SHARES.iter().map(|name| (*name).to_owned()).collect();
    for _ in 0..MAX_DEPTH {
        let more: Vec<String> = module
            .calls
            .iter()
            .filter(|call| starters.contains(&last(call)))
            .filter_map(|call| Some(function(module, call.scope)?.name.to_string()))
            .collect();
        starters.extend(more);
    }
    let (mut scope, mut at, mut is_in_loop) = (call.scope, call.line, call.is_in_loop);
    for _ in 0..MAX_DEPTH {
        let Some(of) = function(module, scope) else {
            return true;
        };
        let starts = module.calls.iter().any(|other| {
            other.scope == scope && other.line < at && starters.contains(&last(other))
        });
        if is_in_loop || starts {
            return false;
        }
        let is_run = |other: &Call| {
            let mut calls = module.calls.iter();
            calls.any(|run| run.line == other.line && run.callee.as_ref() == "asyncio.run")
        };
        // A coroutine does nothing until somebody waits for it.
        let mut callers = module.calls.iter().filter(|other| {
            last(other) == of.name.as_ref()
                && other.callee.as_ref() != "asyncio.run"
                && (other.is_awaited || is_run(other))
        });
        let (Some(caller), None) = (callers.next(), callers.next()) else {
            return false;
        };
        if is_run(caller) {
            return true;
        }
        (scope, at, is_in_loop) = (caller.scope, caller.line, caller.is_in_loop);
    }
    false
}

/// Returns the calls that block, wherever they stand.
fn blocking(context: &Context<'_>) -> Vec<Step> {
    let mut found = Vec::new();
    let has_awaitable = has_awaitable_packages(context);
    for (at, module) in context.code.modules.iter().enumerate() {
        let has_pauses = module
            .calls
            .iter()
            .any(|call| call.callee.as_ref() == "time.sleep");
        let source = has_pauses
            .then(|| Source::read(context, &module.path))
            .flatten();
        // After an error a plain function may wait before it tries again: that is not what happens each time.
        let is_after_error = |line: u32| {
            source.as_ref().is_some_and(|source| {
                let mut heads = source.heads(line).into_iter();
                heads.any(|head| source.line(head).trim_start().starts_with("except"))
            })
        };
        let sleeps = module.calls.iter().filter(|call| {
            let is_own = function(module, call.scope).is_some_and(|f| f.is_async);
            call.callee.as_ref() == "time.sleep"
                && (is_own || !is_short(call) && !is_after_error(call.line))
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
        let is_blocking_package = outgoing.client == Client::Sdk
            && !has_awaitable
            && !call.is_awaited
            && !call.callee.to_lowercase().contains("async");
        if is_blocking_package || waits(module, call, outgoing.client) {
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

/// Says whether some file takes the interface to await out of a provider's package (`AsyncClient`,
/// `ccxt.async_support`): then which objects wait cannot be told.
fn has_awaitable_packages(context: &Context<'_>) -> bool {
    let is_one = |name: &str| {
        let name = name.to_ascii_lowercase();
        !name.starts_with("asyncio") && (name.contains("async") || name.contains("aio"))
    };
    let modules = context.code.modules.iter();
    modules.flat_map(|module| &module.imports).any(|import| {
        let top = import.module.split('.').next().unwrap_or_default();
        let is_provider = !context.catalog.by_import(top).is_empty();
        is_provider
            && (is_one(&import.module)
                || import.module.contains(".pro")
                || import.name.as_deref().is_some_and(is_one))
    })
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
