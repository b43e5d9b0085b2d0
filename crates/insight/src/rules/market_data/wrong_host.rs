//! Endpoints that are asked at a host which does not serve them.

use tradewind_catalog::host::Role;

use crate::finding::{Area, Confidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};
use crate::source::{Source, grouped};

/// Endpoints that are asked at a host which does not serve them.
#[derive(Debug)]
pub struct WrongHost;

const ABOUT: About = About {
    id: "wrong-host",
    title: "An endpoint asked at a host that does not serve it",
    area: Area::MarketData,
    severity: Severity::High,
    confidence: Confidence::Certain,
    timeframe: Timeframe::Immediate,
    impact: "The call fails every time, often right after an order: what depends on the answer never happens.",
    action: "Ask the host that serves the endpoint.",
    after: &[],
};

impl Rule for WrongHost {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let mut done: Vec<(&str, &str, &str)> = Vec::new();
        for call in &context.api_map.calls {
            let Some(elsewhere) = call.elsewhere.as_deref() else {
                continue;
            };
            let Some(carrier) = context.api_map.outgoing.get(call.carrier) else {
                continue;
            };
            let Some(provider) = context.catalog.provider(&call.provider) else {
                continue;
            };
            let Some(endpoint) = provider.endpoint(elsewhere) else {
                continue;
            };
            let address = carrier.address.as_deref().unwrap_or_default();
            let Some((_, host)) = carrier
                .host
                .as_deref()
                .and_then(|h| context.catalog.by_host(h))
            else {
                continue;
            };
            let right = endpoint.on.iter().filter_map(|id| provider.host(id));
            let right: Vec<_> = right.collect();
            let names: Vec<&str> = right
                .iter()
                .filter_map(|host| host.names.first()?.exact())
                .map(tradewind_catalog::host::HostName::as_str)
                .collect();
            let Some(wanted) = names.first() else {
                continue;
            };
            // Two hosts for the same purpose: a mirror or a newer name that the catalog does not know yet.
            if right.iter().any(|other| other.role == host.role) || host.role == Role::Stream {
                continue;
            }
            if done.contains(&(&call.path, &call.function, elsewhere)) {
                continue;
            }
            done.push((&call.path, &call.function, elsewhere));
            let Some(source) = Source::read(context, &call.path) else {
                continue;
            };
            let asked = carrier.host.as_deref().unwrap_or(address);
            let mut places = vec![source.at(call.line)];
            let written = context.code.modules.get(call.module).and_then(|module| {
                let mut texts = module.texts.iter();
                texts
                    .find(|text| text.text.contains(asked))
                    .map(|text| text.line)
            });
            if let Some(line) = written.filter(|line| *line != call.line) {
                places.push(source.at(line));
            }
            let title = format!(
                "{} asks {asked} for {}; {wanted} serves that",
                named(&call.function, &call.path),
                endpoint.path
            );
            if let Some(finding) = grouped(findings, title, places) {
                finding.action = format!("Ask `https://{wanted}`.");
            }
        }
    }
}

fn named<'a>(function: &'a str, path: &'a str) -> &'a str {
    if function.is_empty() { path } else { function }
}
