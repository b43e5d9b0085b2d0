//! Handlers around a fetch that turn every error into an empty answer.

use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};
use crate::rule::{About, Context, Findings, Rule};
use crate::source::{Source, grouped, is_test};

/// Handlers around a fetch that turn every error into an empty answer.
#[derive(Debug)]
pub struct ErrorsBecomeEmpty;

const ABOUT: About = About {
    id: "errors-become-empty",
    title: "Errors of a fetch are turned into an empty answer",
    area: Area::MarketData,
    severity: Severity::High,
    confidence: Confidence::Possible,
    timeframe: Timeframe::Week,
    impact: "An outage, a spent quota or a wrong key looks like a symbol without history: the strategy decides on nothing and nobody is told.",
    action: "Catch only what is expected, log it, and let the rest out; check the status.",
    after: &[],
};

impl Rule for ErrorsBecomeEmpty {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn check(&self, context: &Context<'_>, findings: &mut Findings) {
        let mut silent: Vec<Evidence> = Vec::new();
        let mut done: Vec<(&str, u32)> = Vec::new();
        let mut asks_provider = false;
        for (at, outgoing) in context.api_map.outgoing.iter().enumerate() {
            if is_test(&outgoing.path) {
                continue;
            }
            let Some(module) = context.code.modules.get(outgoing.module) else {
                continue;
            };
            let handler = module
                .calls
                .get(outgoing.call)
                .and_then(|call| call.swallowed_at);
            let Some(handler) = handler.filter(|line| !done.contains(&(&outgoing.path, *line)))
            else {
                continue;
            };
            done.push((&outgoing.path, handler));
            let Some(source) = Source::read(context, &outgoing.path) else {
                continue;
            };
            let block = source.block(handler);
            let said = source.text(block.clone()).to_lowercase();
            let is_told = [
                "log",
                "print",
                "raise",
                "warn",
                "notify",
                "report",
                "send",
                "alert",
                "capture_exception",
                "traceback",
                "error(",
            ]
            .iter()
            .any(|word| said.contains(word));
            // It is kept for somebody: a list of failures, a last error.
            let is_kept = block.clone().any(|line| {
                let text = source.line(line);
                text.contains(" = ") || text.contains("+=") || text.contains(".append(")
            });
            // Failing that way is its contract.
            let around = source.around(module, outgoing.scope).to_lowercase();
            let is_promised = [
                "on failure",
                "on error",
                "or none",
                "none if",
                "if unavailable",
            ]
            .iter()
            .any(|words| around.contains(words));
            if is_kept || is_promised || is_reasoned(&source, handler, block.clone()) {
                continue;
            }
            let empty = block
                .clone()
                .find(|line| is_empty_return(source.line(*line)));
            let on_the_head = is_empty_return(after_colon(source.line(handler))).then_some(handler);
            if let (false, Some(line)) = (is_told, empty.or(on_the_head)) {
                asks_provider |= context.api_map.calls.iter().any(|call| call.carrier == at);
                silent.push(source.at(handler));
                if line != handler {
                    silent.push(source.at(line));
                }
            }
        }
        let handlers = silent.len();
        let title = if handlers <= 2 {
            let place = silent
                .first()
                .and_then(|e| e.path.clone())
                .unwrap_or_default();
            format!(
                "every error of the fetch in {place} becomes an empty answer, and nothing says so"
            )
        } else {
            "errors of fetches become empty answers, and nothing says so".to_owned()
        };
        // An answer of a provider that is missing and one that is empty are traded alike; other addresses may be optional.
        if let Some(finding) = grouped(findings, title, silent)
            && asks_provider
        {
            finding.confidence = Confidence::Likely;
        }
    }
}

/// Says whether a comment at the handler tells why: `# noqa: BLE001 - the next pass tries again`.
fn is_reasoned(source: &Source, handler: u32, block: std::ops::RangeInclusive<u32>) -> bool {
    std::iter::once(handler).chain(block).any(|line| {
        let Some((_, comment)) = source.line(line).split_once('#') else {
            return false;
        };
        let is_mark = |word: &str| {
            let word = word.trim_matches(|c: char| !c.is_alphanumeric());
            word.is_empty()
                || [
                    "noqa", "type", "pragma", "pylint", "nosec", "ignore", "disable", "no", "cover",
                ]
                .contains(&word)
                || word.chars().any(|c| c.is_ascii_digit())
        };
        comment
            .split_whitespace()
            .filter(|word| !is_mark(word))
            .count()
            >= 3
    })
}

fn after_colon(line: &str) -> &str {
    line.split_once(':').map_or("", |(_, rest)| rest)
}

/// Says whether a line returns what a good but empty answer looks like.
fn is_empty_return(line: &str) -> bool {
    let Some(value) = line.trim().strip_prefix("return") else {
        return false;
    };
    let value = value.split('#').next().unwrap_or_default().trim();
    matches!(
        value,
        "None"
            | "[]"
            | "{}"
            | "()"
            | "list()"
            | "dict()"
            | "0"
            | "0.0"
            | "\"\""
            | "''"
            | "pd.DataFrame()"
            | "pandas.DataFrame()"
            | "DataFrame()"
            | "pd.Series()"
            | "[], []"
            | "None, None"
    )
}
