//! Orders that are sent again without an id of their own.

use tradewind_repo::api_map::ApiCall;
use tradewind_repo::python::Module;

use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};
use crate::rules::trading::sends_order;
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
        let mut told: Vec<(String, _, Vec<Evidence>)> = Vec::new();
        for call in &context.api_map.calls {
            if is_test(&call.path) || !sends_order(context, call) {
                continue;
            }
            let (Some(source), Some(module)) = (
                Source::read(context, &call.path),
                context.code.modules.get(call.module),
            ) else {
                continue;
            };
            let id = id(&source, module, call);
            if id == Id::Possible {
                continue;
            }
            let Some((again, is_far)) = retried(context, module, &source, call) else {
                continue;
            };
            let repeats = (again.path.clone(), again.line);
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
            if let Id::Anew(line) = id {
                places.push(source.noted(line, "made anew for each attempt"));
            }
            let name = if call.function.is_empty() {
                &call.path
            } else {
                &call.function
            };
            let how = match id {
                Id::Anew(_) => "with another client order id each time",
                Id::Missing | Id::Possible => "without a client order id",
            };
            let title = format!("`{name}` sends an order again after an error, {how}");
            // Several orders in one loop are one mistake.
            match told
                .iter_mut()
                .find(|(t, r, _)| *t == title && *r == repeats)
            {
                Some((_, _, known)) if !is_far => known.push(source.at(call.line)),
                _ => told.push((title, repeats, places)),
            }
        }
        // What one file does in several loops is one habit.
        let mut habits: Vec<(String, Vec<Evidence>, usize)> = Vec::new();
        for (title, _, places) in told {
            let path = |places: &[Evidence]| places.first().and_then(|first| first.path.clone());
            let how = |title: &str| title.rsplit_once(", ").map(|(_, how)| how.to_owned());
            let same = habits.iter_mut().find(|(known, others, _)| {
                how(known) == how(&title) && path(others) == path(&places)
            });
            match same {
                Some((_, others, count)) => {
                    others.extend(places);
                    *count += 1;
                }
                None => habits.push((title, places, 1)),
            }
        }
        for (title, places, count) in habits {
            let more = match count {
                1 => String::new(),
                many => format!(", and {} more loops do", many - 1),
            };
            findings.add(format!("{title}{more}"), places);
        }
    }
}

/// What a call says about its client order id.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Id {
    /// It may carry one.
    Possible,
    /// It carries one that is made where it is sent, so that each attempt has its own.
    Anew(u32),
    /// It names all that it sends, and no id is among it.
    Missing,
}

/// Reads the id out of the call itself, where the call names what it sends, and else out of its function.
fn id(source: &Source, module: &Module, call: &ApiCall) -> Id {
    let arguments = module
        .calls
        .get(call.call)
        .map_or(&[][..], |c| &c.arguments);
    let named = |wanted: &dyn Fn(&str) -> bool| {
        let mut names = arguments
            .iter()
            .filter_map(|argument| argument.name.as_deref());
        names.any(|name| wanted(&name.to_lowercase()))
    };
    let is_id = |name: &str| IDS.iter().any(|id| name.contains(id));
    let is_spelled_out = named(&|name| matches!(name, "quantity" | "qty" | "volume" | "stopprice"))
        && !named(&|name| name.starts_with('*'));
    if named(&is_id) {
        return anew(source, call.line).map_or(Id::Possible, Id::Anew);
    }
    let text = source.around(module, call.scope).to_lowercase();
    if !is_spelled_out && is_id(&text) {
        return Id::Possible;
    }
    Id::Missing
}

/// Returns the line of the call's id when its value is read from the clock or drawn by chance right there.
fn anew(source: &Source, line: u32) -> Option<u32> {
    let mut depth = 0_i64;
    for number in line..=source.length().min(line + 20) {
        let text = source.line(number).to_lowercase();
        let value = IDS.iter().find_map(|id| {
            let (_, rest) = text.split_once(id)?;
            rest.trim_start().strip_prefix('=')
        });
        let is_fresh = value.is_some_and(|value| {
            ["time(", "timestamp(", "now(", "uuid", "random", "token_hex"]
                .iter()
                .any(|word| value.contains(word))
        });
        if is_fresh {
            return Some(number);
        }
        let opened = text.matches('(').count();
        let closed = text.matches(')').count();
        depth += i64::try_from(opened).unwrap_or(0) - i64::try_from(closed).unwrap_or(0);
        if depth <= 0 {
            break;
        }
    }
    None
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
