//! Orders that are sent again without an id of their own.

use tradewind_catalog::UseCase;
use tradewind_catalog::endpoint::ParameterRole;
use tradewind_repo::api_map::ApiCall;
use tradewind_repo::python::Module;

use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};
use crate::source::{Source, function, indent, is_test};

/// Orders that are sent again without an id of their own.
#[derive(Debug)]
pub struct OrderWithoutClientId;

const ABOUT: About = About {
    id: "order-without-client-id",
    title: "Orders are sent again without a client order id",
    area: Area::Trading,
    severity: Severity::Critical,
    confidence: Confidence::Likely,
    timeframe: Timeframe::Immediate,
    impact: "A time-out after the order was accepted buys two or three times.",
    action: "Make one client order id per decision, send it with each attempt, and look the order up before sending again.",
    after: &[],
};

/// Names that orders carry their own id under, at any venue.
const IDS: &[&str] = &[
    "client_order_id",
    "clientorderid",
    "newclientorderid",
    "client_oid",
    "clientoid",
    "cl_ord_id",
    "userref",
    "clordid",
    "idempotency",
];

impl Rule for OrderWithoutClientId {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        for call in &context.api_map.calls {
            if is_test(&call.path) || !is_order(context, call) {
                continue;
            }
            let (Some(source), Some(module)) = (
                Source::read(context, &call.path),
                context.code.modules.get(call.module),
            ) else {
                continue;
            };
            let text = source.around(module, call.scope).to_lowercase();
            if IDS.iter().any(|id| text.contains(id)) {
                continue;
            }
            let Some((again, is_far)) = retried(context, module, &source, call) else {
                continue;
            };
            let mut places = Vec::new();
            if let Some(line) = body(&source, module, call) {
                places.push(source.at(line));
            }
            if is_far {
                places.push(source.at(call.line));
            }
            places.push(again);
            if !is_far {
                places.push(source.at(call.line));
            }
            let name = if call.function.is_empty() {
                &call.path
            } else {
                &call.function
            };
            findings.add(
                format!("`{name}` sends an order again after an error, without a client order id"),
                places,
            );
        }
    }
}

fn is_order(context: &Context<'_>, call: &ApiCall) -> bool {
    let endpoint = context
        .catalog
        .provider(&call.provider)
        .and_then(|provider| provider.endpoint(call.endpoint.as_deref()?));
    call.use_case == Some(UseCase::Order)
        && endpoint.is_some_and(|e| e.parameter_for(ParameterRole::ClientOrderId).is_some())
}

/// Returns the line that builds what is sent, when it is another one.
fn body(source: &Source, module: &Module, call: &ApiCall) -> Option<u32> {
    let span = source.span(module, call.scope);
    let sent = source.line(call.line);
    (*span.start()..call.line).rev().find(|line| {
        let text = source.line(*line);
        let name = text.split_once('=').map(|(name, _)| name.trim());
        name.is_some_and(|name| {
            !name.is_empty() && text.contains('{') && sent.contains(&format!("={name}"))
        })
    })
}

/// Returns what sends the order again, and whether that stands in a caller.
fn retried(
    context: &Context<'_>,
    module: &Module,
    source: &Source,
    call: &ApiCall,
) -> Option<(Evidence, bool)> {
    if let Some(of) = function(module, call.scope) {
        let is_retry = |name: &str| {
            let name = name.to_lowercase();
            name.contains("retry") || name.contains("backoff")
        };
        if of.decorators.iter().any(|name| is_retry(name)) {
            return Some((source.noted(of.line, "its decorator calls it again"), false));
        }
    }
    if let Some(line) = loop_of_attempts(source, call.line) {
        return Some((source.at(line), false));
    }
    for caller in context.api_map.callers.of(call.module, call.scope) {
        if !caller.is_certain {
            continue;
        }
        let of = context.code.modules.get(caller.module)?;
        let line = caller
            .call
            .and_then(|at| of.calls.get(at))
            .map(|call| call.line);
        let far = Source::read(context, &of.path)?;
        let text = far.around(of, caller.scope).to_lowercase();
        if IDS.iter().any(|id| text.contains(id)) {
            continue;
        }
        if let Some(line) = line.and_then(|line| loop_of_attempts(&far, line)) {
            return Some((far.at(line), true));
        }
    }
    None
}

/// Returns the loop that tries again when the line fails: a `try` inside a loop that goes on after an
/// error and ends after success.
fn loop_of_attempts(source: &Source, line: u32) -> Option<u32> {
    let heads = source.heads(line);
    let tries = heads
        .iter()
        .position(|head| source.line(*head).trim_start().starts_with("try"))?;
    // What lies deep below the `try` is one step of many; the loop does not repeat just it.
    if tries > 1 {
        return None;
    }
    let head = *heads.get(tries)?;
    let outer = heads.iter().skip(tries + 1).find(|head| {
        let text = source.line(**head).trim_start();
        ["for ", "while ", "async for ", "def ", "async def "]
            .iter()
            .any(|word| text.starts_with(word))
    })?;
    let text = source.line(*outer).trim().to_lowercase();
    let counts = text.starts_with("for ")
        && (text.contains("range(")
            || text.contains("attempt")
            || text.contains("retr")
            || text.contains("tries"));
    let waits = text.starts_with("while ");
    if !counts && !waits {
        return None;
    }
    // `for i in range(len(symbols))` goes over many things.
    if text.contains("len(") {
        return None;
    }
    let body = source.text(source.block(head));
    let is_endless = text.starts_with("while true") || text.starts_with("while 1");
    let ends = body.contains("return") || body.contains("break");
    if !ends && (is_endless || counts) {
        return None;
    }
    gives_up(source, head).is_none().then_some(*outer)
}

/// Returns the handler of a `try` that does not go on: it raises, returns or breaks at once.
fn gives_up(source: &Source, head: u32) -> Option<u32> {
    let depth = indent(source.line(head));
    let mut handlers = Vec::new();
    for number in head + 1..=source.length() {
        let line = source.line(number);
        if line.trim().is_empty() {
            continue;
        }
        if indent(line) < depth || indent(line) == depth && !is_clause(line.trim_start()) {
            break;
        }
        if indent(line) == depth && line.trim_start().starts_with("except") {
            handlers.push(number);
        }
    }
    // One handler that goes on is enough to try again.
    let leaves = |handler: &u32| {
        let mut body = source.block(*handler);
        let last = body.rfind(|n| !source.line(*n).trim().is_empty());
        last.is_some_and(|last| {
            let text = source.line(last).trim_start();
            ["raise", "return", "break", "sys.exit", "exit("]
                .iter()
                .any(|word| text.starts_with(word))
        })
    };
    if handlers.is_empty() || handlers.iter().all(leaves) {
        return Some(handlers.first().copied().unwrap_or(head));
    }
    None
}

fn is_clause(trimmed: &str) -> bool {
    ["except", "else", "finally"]
        .iter()
        .any(|word| trimmed.starts_with(word))
}
