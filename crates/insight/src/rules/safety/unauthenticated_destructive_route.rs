//! `unauthenticated-destructive-route`.

use tradewind_repo::python::{Code, Function, Module};

use super::calls;
use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};
use crate::rules::documentation::capped;

/// Routes that trade or delete and ask nobody who they are.
pub(super) struct UnauthenticatedDestructiveRoute;

const ABOUT: About = About {
    id: "unauthenticated-destructive-route",
    title: "Routes that trade or delete without a login",
    area: Area::Safety,
    severity: Severity::High,
    confidence: Confidence::Likely,
    timeframe: Timeframe::Immediate,
    impact: "Anybody who reaches the port can sell the position, stop the bot or delete its data.",
    action: "Ask for a token in these routes, or listen on 127.0.0.1 only.",
    after: &[],
};

/// What a route must not do for strangers.
const DEEDS: &[&str] = &[
    "delete",
    "remove",
    "reset",
    "wipe",
    "sell",
    "buy",
    "order",
    "trade",
    "liquidate",
    "close_position",
    "close-position",
    "close_all",
    "stop",
    "shutdown",
    "restart",
    "kill",
    "cancel",
    "withdraw",
    "transfer",
    "execute",
];
/// Words of everything that asks who is there.
const GUARDS: &[&str] = &[
    "auth",
    "login",
    "token",
    "jwt",
    "permission",
    "user",
    "session",
    "apikey",
    "api_key",
    "secret",
    "password",
    "passphrase",
    "verify",
    "signature",
    "hmac",
    "credential",
    "security",
    "protected",
    "require",
    "admin",
    "abort",
    "passwd",
    "guard",
    "check_key",
];

impl Rule for UnauthenticatedDestructiveRoute {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        // One that looks at every request may stand in another file than the routes.
        if let Some(path) = asks_for_all(context) {
            findings.not_checked(format!("{path} looks at every request before a route does"));
            return;
        }
        for module in &context.code.modules {
            if Code::is_test(&module.path)
                || module
                    .functions
                    .iter()
                    .all(|function| route(function).is_none())
            {
                continue;
            }
            let text = context.tree.text(&module.path).unwrap_or_default();
            let lower = text.to_ascii_lowercase();
            // Whoever listens on this computer only is asked by its login.
            let is_open = text.contains("0.0.0.0")
                || context.project.dockerfiles.iter().any(|file| {
                    file.instructions
                        .iter()
                        .any(|line| line.rest.contains("0.0.0.0"))
                });
            let is_guarded_whole = [
                "before_request",
                "add_middleware",
                "basichttp",
                "httpbasic",
                "middleware(\"http\")",
                "dependencies=",
                "login_manager",
                "x-api-key",
            ]
            .iter()
            .any(|word| lower.contains(word));
            if !is_open || is_guarded_whole {
                continue;
            }
            let mut evidence = Vec::new();
            for (at, function) in module.functions.iter().enumerate() {
                let Some(address) = route(function) else {
                    continue;
                };
                if is_destructive(function, address)
                    && does_something(module, at, function, &text)
                    && !is_guarded(module, at, function, &text)
                {
                    let note = calls::line(&text, function.line);
                    evidence.push(Evidence::at(
                        module.path.as_ref(),
                        function.line,
                        format!("{address}: {note}"),
                    ));
                }
            }
            if let Some(first) = evidence.first() {
                let line = first.line.unwrap_or(0);
                let title = format!(
                    "{}:{line} trades or deletes for anybody who reaches the port",
                    module.path
                );
                findings.add(title, capped(evidence));
            }
        }
    }
}

/// The address that a function answers at.
fn route(function: &Function) -> Option<&str> {
    function
        .decorators
        .iter()
        .zip(&function.decorator_texts)
        .find_map(|(name, text)| {
            let last = name.rsplit('.').next().unwrap_or_default();
            let is_route = name.contains('.')
                && matches!(
                    last,
                    "route" | "post" | "delete" | "put" | "patch" | "websocket"
                );
            text.as_deref()
                .filter(|text| is_route && text.starts_with('/'))
        })
}

fn is_destructive(function: &Function, address: &str) -> bool {
    let words = format!("{} {}", function.name, address).to_ascii_lowercase();
    let pieces: Vec<&str> = words
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .collect();
    let reads = [
        "get", "list", "history", "status", "show", "view", "orders", "trades",
    ];
    let has_deed = DEEDS
        .iter()
        .any(|deed| pieces.contains(deed) || deed.contains(['_', '-']) && words.contains(deed));
    has_deed && !pieces.iter().any(|piece| reads.contains(piece))
}

/// Says whether a function does more than answer and log: it calls something or keeps something.
fn does_something(module: &Module, at: usize, function: &Function, text: &str) -> bool {
    let scope = u32::try_from(at).ok();
    let only_answers = |callee: &str| {
        let (owner, last) = callee.rsplit_once('.').unwrap_or(("", callee));
        let is_log = owner.to_ascii_lowercase().contains("log");
        is_log || matches!(last, "jsonify" | "JSONResponse" | "print" | "str" | "dict")
    };
    let mut calls = module.calls.iter().filter(|call| call.scope == scope);
    let lines = text
        .lines()
        .skip(function.line as usize)
        .take(function.end_line.saturating_sub(function.line) as usize);
    calls.any(|call| !only_answers(&call.callee))
        || lines.into_iter().any(|line| {
            let line = line.trim_start();
            line.contains(" = ") || line.starts_with("del ") || line.starts_with("await ")
        })
}

/// Says whether the function, its decorators, its parameters or its text ask who is there.
fn is_guarded(module: &Module, at: usize, function: &Function, text: &str) -> bool {
    let asks = |word: &str| {
        let word = word.to_ascii_lowercase();
        GUARDS.iter().any(|guard| word.contains(guard))
    };
    let scope = u32::try_from(at).ok();
    let body = text
        .lines()
        .skip(function.line.saturating_sub(4) as usize)
        .take((function.end_line + 4).saturating_sub(function.line) as usize);
    function.decorators.iter().any(|name| asks(name))
        || function
            .parameters
            .iter()
            .any(|parameter| asks(&parameter.name))
        || module
            .calls
            .iter()
            .any(|call| call.scope == scope && asks(&call.callee))
        || body
            .into_iter()
            .any(|line| asks(line) || line.contains("Depends("))
}
/// Returns the file whose middleware may ask every request who it is from.
fn asks_for_all<'a>(context: &Context<'a>) -> Option<&'a str> {
    let has = |path: &str| {
        let text = context
            .tree
            .text(path)
            .unwrap_or_default()
            .to_ascii_lowercase();
        (text.contains(".middleware(\"http\")") || text.contains("basehttpmiddleware"))
            && ["token", "auth", "api_key", "api-key"]
                .iter()
                .any(|word| text.contains(word))
    };
    let mut modules = context.code.modules.iter();
    modules
        .find(|module| !Code::is_test(&module.path) && has(&module.path))
        .map(|module| module.path.as_ref())
}
