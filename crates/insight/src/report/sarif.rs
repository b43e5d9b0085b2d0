//! The report as SARIF 2.1.0, for code-scanning pages and editors.
//!
//! Rules carry their page; results carry an identity that survives moved lines, baseline and suppressions.
//! What could not be decided is a notification of the run.

use serde_json::{Map, Value, json};

use super::{Report, Told};
use crate::audit::abouts;
use crate::finding::{Confidence, Evidence, Fix, Severity};
use crate::pages;
use crate::rule::About;

/// Where the pages of the rules can be read.
const PAGES: &str = "https://github.com/tradewind-dev/tradewind/blob/main/docs/rules";

/// Returns the text of the file.
pub fn write(report: &Report) -> String {
    let mut text = serde_json::to_string_pretty(&log(report)).unwrap_or_default();
    text.push('\n');
    text
}

fn log(report: &Report) -> Value {
    let abouts = abouts();
    let rules: Vec<_> = abouts.iter().map(|about| rule(about)).collect();
    let mut results = Vec::new();
    for told in report.all() {
        results.push(result(told, &abouts, None, false));
    }
    for told in &report.known {
        results.push(result(told, &abouts, None, true));
    }
    for (told, reason) in &report.suppressed {
        results.push(result(told, &abouts, Some(reason), false));
    }
    let notifications: Vec<_> = report
        .not_checked
        .iter()
        .map(|not| {
            json!({
                "level": "note",
                "message": { "text": format!("{}: not checked: {}", not.rule, not.reason) },
            })
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "tradewind",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "informationUri": "https://github.com/tradewind-dev/tradewind",
                "rules": rules,
            }},
            "invocations": [{
                "executionSuccessful": true,
                "toolExecutionNotifications": notifications,
            }],
            "originalUriBaseIds": { "SRCROOT": { "description": { "text": "The root of the repository." } } },
            "columnKind": "unicodeCodePoints",
            "properties": {
                "repository": report.repository.name,
                "commit": report.repository.commit,
                "auditedOn": report.repository.audited_on.to_string(),
            },
            "results": results,
        }],
    })
}

fn rule(about: &About) -> Value {
    let mut rule = json!({
        "id": about.id,
        "name": camel(about.id),
        "shortDescription": { "text": about.title },
        "fullDescription": { "text": about.impact },
        "helpUri": format!("{PAGES}/{}.md", about.id),
        "defaultConfiguration": { "level": if about.confidence == Confidence::Possible { "note" } else { level(about.severity) } },
        "properties": {
            "tags": [about.area.as_str()],
            "precision": precision(about.confidence),
            "problem.severity": problem(about.severity),
        },
    });
    if let Some(page) = pages::page(about.id) {
        rule["help"] = json!({ "text": about.action, "markdown": page });
    }
    if about.area == crate::finding::Area::Safety {
        rule["properties"]["security-severity"] = json!(security(about.severity));
        rule["properties"]["tags"] = json!([about.area.as_str(), "security"]);
    }
    rule
}

fn result(told: &Told, abouts: &[&About], suppressed: Option<&String>, is_known: bool) -> Value {
    let finding = &told.finding;
    let mut result = Map::new();
    result.insert("ruleId".to_owned(), json!(finding.rule));
    if let Some(at) = abouts.iter().position(|about| about.id == finding.rule) {
        result.insert("ruleIndex".to_owned(), json!(at));
    }
    let level = if finding.is_remark() {
        "note"
    } else {
        level(finding.severity)
    };
    result.insert("level".to_owned(), json!(level));
    let mut words = format!(
        "{}. {} {}",
        finding.title.trim_end_matches('.'),
        finding.impact,
        finding.action
    );
    if let Some(Fix::Command { command }) = &finding.fix {
        words.push_str(&format!(" Run: {command}"));
    }
    result.insert("message".to_owned(), json!({ "text": words }));
    let located: Vec<_> = finding.evidence.iter().filter_map(location).collect();
    let (first, others) = located
        .split_first()
        .map_or((Vec::new(), Vec::new()), |(first, others)| {
            (vec![first.clone()], others.to_vec())
        });
    result.insert("locations".to_owned(), Value::Array(first));
    let others: Vec<_> = others
        .into_iter()
        .enumerate()
        .map(|(at, mut other)| {
            other["id"] = json!(at + 1);
            other
        })
        .collect();
    if !others.is_empty() {
        result.insert("relatedLocations".to_owned(), Value::Array(others));
    }
    result.insert(
        "partialFingerprints".to_owned(),
        json!({ "tradewind/v1": told.identity.as_str() }),
    );
    let state = match (is_known, told.is_new) {
        (true, _) | (false, Some(false)) => Some("unchanged"),
        (false, Some(true)) => Some("new"),
        (false, None) => None,
    };
    if let Some(state) = state {
        result.insert("baselineState".to_owned(), json!(state));
    }
    if let Some(reason) = suppressed {
        result.insert(
            "suppressions".to_owned(),
            json!([{ "kind": "external", "status": "accepted", "justification": reason }]),
        );
    }
    let commits: Vec<_> = finding
        .evidence
        .iter()
        .filter_map(|evidence| evidence.commit.clone())
        .collect();
    let mut properties = json!({
        "severity": finding.severity.as_str(),
        "confidence": finding.confidence.as_str(),
        "timeframe": finding.timeframe.as_str(),
        "area": finding.area.as_str(),
    });
    if !commits.is_empty() {
        properties["commits"] = json!(commits);
    }
    if !told.joined.is_empty() {
        let identities = told.joined.iter().map(|part| part.identity.as_str());
        properties["joined"] = json!(identities.collect::<Vec<_>>());
    }
    result.insert("properties".to_owned(), properties);
    Value::Object(result)
}

fn location(evidence: &Evidence) -> Option<Value> {
    let path = evidence.path.as_ref()?;
    let mut physical = json!({
        "artifactLocation": { "uri": uri(path), "uriBaseId": "SRCROOT" },
    });
    if let Some(line) = evidence.line.filter(|line| *line > 0) {
        physical["region"] = json!({ "startLine": line });
    }
    Some(json!({ "physicalLocation": physical, "message": { "text": evidence.note } }))
}

/// A relative reference: everything but unreserved characters and `/` as `%XX`.
fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn camel(id: &str) -> String {
    id.split('-')
        .map(|word| {
            let mut chars = word.chars();
            chars
                .next()
                .map(|first| first.to_ascii_uppercase().to_string() + chars.as_str())
                .unwrap_or_default()
        })
        .collect()
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low => "note",
    }
}

fn problem(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low => "recommendation",
    }
}

fn precision(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Certain => "very-high",
        Confidence::Likely => "high",
        Confidence::Possible => "medium",
    }
}

fn security(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "2.0",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_path_is_a_relative_reference() {
        assert_eq!(uri("a b/ü:#?.py"), "a%20b/%C3%BC%3A%23%3F.py");
        assert_eq!(camel("unresolved-import"), "UnresolvedImport");
    }
}
