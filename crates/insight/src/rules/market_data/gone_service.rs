//! Calls of brokers and providers whose service was shut down.

use tradewind_repo::python::{Module, Resolution, Text, TextRole};

use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::quotes::{is_foreign, is_shelved};
use crate::rule::{About, Context, Findings, Rule};
use crate::tables::services::{GONE, Gone};

/// Calls of brokers and providers whose service was shut down.
#[derive(Debug)]
pub struct GoneService;

const ABOUT: About = About {
    id: "gone-service",
    title: "Brokers and providers that are gone",
    area: Area::MarketData,
    severity: Severity::High,
    confidence: Confidence::Certain,
    timeframe: Timeframe::Immediate,
    impact: "Nobody answers there any more: no price comes and no order arrives, whatever the code does.",
    action: "Move to another provider, or delete what asks this one.",
    after: &[],
};

impl Rule for GoneService {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        for gone in GONE.iter().filter(|gone| gone.since <= context.today) {
            let mut evidence = imports(context, gone);
            let is_imported = !evidence.is_empty();
            evidence.extend(hosts(context, gone));
            evidence.sort();
            evidence.dedup_by(|one, other| one.path == other.path && one.line == other.line);
            let Some(path) = evidence.first().and_then(|first| first.path.clone()) else {
                continue;
            };
            let title = format!(
                "{path} asks {}, which is gone since {}",
                gone.name, gone.since
            );
            let finding = findings.add(title, evidence);
            // An address may stand in settings that nobody uses.
            if !is_imported {
                finding.confidence = Confidence::Possible;
            }
            finding.action = format!("{} Instead: {}.", finding.action, gone.instead);
        }
    }
}

/// Imports of packages that ask nobody else.
fn imports(context: &Context<'_>, gone: &Gone) -> Vec<Evidence> {
    let is_meant = |module: &str| {
        gone.modules.iter().any(|known| {
            let rest = module.strip_prefix(known);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    };
    let imports = context
        .code
        .imports()
        .filter(|(module, import, resolution)| {
            let is_outside = matches!(
                resolution,
                Resolution::Outside { .. } | Resolution::Undecided { .. }
            );
            is_outside && import.level == 0 && is_meant(&import.module) && !is_aside(&module.path)
        });
    imports
        .map(|(module, import, _)| context.quote(&module.path, import.line))
        .collect()
}

/// Addresses in code.
fn hosts(context: &Context<'_>, gone: &Gone) -> Vec<Evidence> {
    let is_meant = |text: &str| {
        let authority = text.split_once("://").map_or("", |(_, rest)| rest);
        let host = authority
            .split(['/', '?', ':', '{'])
            .next()
            .unwrap_or_default();
        gone.hosts.iter().any(|known| {
            let rest = host.strip_suffix(known);
            rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    };
    let mut found = Vec::new();
    for module in &context.code.modules {
        if is_aside(&module.path) {
            continue;
        }
        let texts = module
            .texts
            .iter()
            .filter(|text| text.role == TextRole::Address);
        found.extend(
            texts
                .filter(|text| is_meant(&text.text) && !is_for_people(context, module, text))
                .map(|text| context.quote(&module.path, text.line)),
        );
    }
    found
}

/// Says whether an address is shown to people, by the name it is kept under: `"url": "https://…/markets"`.
fn is_for_people(context: &Context<'_>, module: &Module, text: &Text) -> bool {
    let whole = context.tree.text(&module.path).unwrap_or_default();
    let at = (text.line as usize).saturating_sub(1);
    let line = whole.lines().nth(at).unwrap_or_default().trim_start();
    let key = line
        .split([':', '='])
        .next()
        .unwrap_or_default()
        .trim_matches(['"', '\'', ' ']);
    let is_shown = matches!(
        key,
        "url" | "link" | "website" | "homepage" | "www" | "doc" | "docs" | "referral" | "logo"
    );
    is_shown
        && !["/api", "api.", "wss:", "/ws"]
            .iter()
            .any(|part| text.text.contains(part))
}

fn is_aside(path: &str) -> bool {
    is_foreign(path) || is_shelved(path)
}
