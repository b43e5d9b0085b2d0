//! Calls that wait for ever when nobody answers.

use tradewind_repo::api_map::{Client, Outgoing};

use crate::finding::{Area, Confidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};
use crate::source::{Source, grouped, is_test};

/// Calls that wait for ever when nobody answers.
#[derive(Debug)]
pub struct NoTimeout;

const ABOUT: About = About {
    id: "no-timeout",
    title: "Calls over the network without a time-out",
    area: Area::MarketData,
    severity: Severity::High,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Immediate,
    impact: "One connection that dies without a word stops the program for good, with positions open and no error to see.",
    action: "Give every call a time-out, such as `timeout=10`, and let the error out.",
    after: &[],
};

impl Rule for NoTimeout {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let calls = || context.code.modules.iter().flat_map(|m| m.calls.iter());
        if calls().any(|call| call.callee.ends_with("socket.setdefaulttimeout")) {
            findings.not_checked(
                "a default time-out is set for all sockets, which reaches urllib but not requests",
            );
        }
        let has_default = calls().any(|call| call.callee.ends_with("socket.setdefaulttimeout"));
        let mut open: Vec<(bool, &Outgoing)> = Vec::new();
        for (at, outgoing) in context.api_map.outgoing.iter().enumerate() {
            let is_covered = has_default && outgoing.client != Client::Requests;
            if outgoing.has_timeout != Some(false) || is_test(&outgoing.path) || is_covered {
                continue;
            }
            let asks_provider = context.api_map.calls.iter().any(|call| call.carrier == at);
            open.push((!asks_provider, outgoing));
        }
        open.sort_by_key(|(is_other, outgoing)| (*is_other, &outgoing.path, outgoing.line));
        let asks_provider = open.iter().any(|(is_other, _)| !is_other);
        let mut places = Vec::new();
        for (_, outgoing) in &open {
            let Some(source) = Source::read(context, &outgoing.path) else {
                continue;
            };
            if sets_one_elsewhere(&source) {
                findings.not_checked(format!(
                    "{}: an adapter of its own may set time-outs",
                    outgoing.path
                ));
                continue;
            }
            places.push(source.at(outgoing.line));
        }
        let title = match places.len() {
            1 => "a call over the network has no time-out".to_owned(),
            n => format!("{n} calls over the network have no time-out"),
        };
        if let Some(finding) = grouped(findings, title, places) {
            if asks_provider {
                finding.confidence = Confidence::Likely;
            } else {
                finding.severity = Severity::Medium;
            }
        }
    }
}

/// Says whether a file gives its sessions an adapter, which is where a default is put.
fn sets_one_elsewhere(source: &Source) -> bool {
    let text = source.text(1..=source.length());
    text.contains("HTTPAdapter)") && text.contains("timeout") || text.contains("TimeoutSession")
}
