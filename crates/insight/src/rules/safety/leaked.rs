//! How bad a leaked credential is, and which places belong to one.

use std::collections::BTreeMap;

use tradewind_repo::leaks::Leak;

use crate::finding::{Confidence, Severity};

/// Says what a kind of credential is in words.
pub(super) fn words(kind: &str) -> String {
    match kind {
        "assigned-secret" => "a credential".to_owned(),
        "url-key" => "a key in a URL".to_owned(),
        "url-password" => "a password in a URL".to_owned(),
        "aws-access-key" => "an AWS access key".to_owned(),
        "aws-secret-key" => "an AWS secret key".to_owned(),
        "iex-key" => "an IEX key".to_owned(),
        "oanda-token" => "an OANDA token".to_owned(),
        "openai-key" => "an OpenAI key".to_owned(),
        "openrouter-key" => "an OpenRouter key".to_owned(),
        "alpaca-key" => "an Alpaca key id".to_owned(),
        "alpaca-secret" => "an Alpaca secret".to_owned(),
        "anthropic-key" => "an Anthropic key".to_owned(),
        other => format!("a {}", other.replace('-', " ")),
    }
}

/// Says how much a leak of a kind hurts: identifiers and keys that belong into pages less than what moves
/// money.
pub(super) fn severity(kind: &str) -> Severity {
    match kind {
        "alpaca-key" | "json-web-token" | "google-api-key" => Severity::Medium,
        "assigned-secret" | "url-key" | "url-password" | "session-cookie" | "huggingface-token" => {
            Severity::High
        }
        _ => Severity::Critical,
    }
}

/// Says how sure it is: shapes that one issuer gives out are certain.
pub(super) fn confidence(kind: &str) -> Confidence {
    match kind {
        "assigned-secret" | "url-key" | "url-password" | "session-cookie" | "oanda-token"
        | "iex-key" | "json-web-token" | "alpaca-key" => Confidence::Likely,
        _ => Confidence::Certain,
    }
}

/// Says whether a place is where dummies live: tests, fixtures, examples of packages.
pub(super) fn is_dummy_place(path: &str) -> bool {
    path.to_ascii_lowercase().split('/').any(|part| {
        let stem = part.split('.').next().unwrap_or_default();
        matches!(
            stem,
            "test"
                | "tests"
                | "testing"
                | "testdata"
                | "test_data"
                | "fixtures"
                | "cassettes"
                | "conftest"
                | "mocks"
                | "__mocks__"
                | "__tests__"
                | "spec"
                | "specs"
        ) || stem.starts_with("test_")
            || stem.ends_with("_test")
            || stem.ends_with("_tests")
            || stem.ends_with("-test")
            || part.contains(".test.")
            || part.contains(".spec.")
    })
}

/// Says whether a leak counts: in places of dummies only what one issuer gives out by shape.
pub(in crate::rules) fn counts(leak: &Leak) -> bool {
    let is_shape = confidence(leak.kind) == Confidence::Certain && leak.kind != "private-key";
    // Links to pictures on a forge are signed for minutes.
    let is_short_lived =
        leak.kind == "json-web-token" && leak.before.contains("githubusercontent.com");
    let is_no_secret = match leak.kind {
        "url-key" => is_public_link(&leak.before),
        "assigned-secret" => is_bundle(&leak.path) || is_for_tests(&leak.before),
        // A page loads a map with a key that everybody who sees the page can read.
        "google-api-key" => leak.before.contains("maps.googleapis.com/maps/api/js"),
        // The id in a signed address is public, and the signature lasts hours.
        "aws-access-key" => leak.before.contains("X-Amz-"),
        _ => false,
    };
    (is_shape || !is_dummy_place(&leak.path)) && !is_short_lived && !is_no_secret
}

/// Says whether an address is made to be given away: the key in it opens this one picture, badge or file to
/// whoever has the link.
fn is_public_link(before: &str) -> bool {
    let lower = before.to_ascii_lowercase();
    lower.contains("alt=media&token=")
        || lower.contains("badge.svg?")
        || lower.contains("/badge/")
        || lower.contains("/badge?")
        || lower.contains("/graph/badge")
}

/// Says whether a name tells that a key opens a test network only: `TEST_API_KEY: "`.
fn is_for_tests(before: &str) -> bool {
    let upper = before.to_ascii_uppercase();
    ["TEST_", "_TEST", "TESTNET"]
        .iter()
        .any(|word| upper.contains(word))
}

/// Says whether a file is what a packer of scripts wrote: its names are cut short, and a long text beside one
/// called `token` is a word of its grammar.
fn is_bundle(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let is_web = [".js", ".mjs", ".css", ".map"]
        .iter()
        .any(|end| name.ends_with(end));
    let is_packed = name.contains(".min.") || name.contains(".bundle.") || name.contains(".chunk.");
    let is_delivered = path.split('/').any(|part| {
        matches!(
            part,
            "_nuxt" | "_next" | "_static" | "static" | "dist" | "assets" | "vendor" | "build"
        )
    });
    is_web && (is_packed || is_delivered)
}

/// Quotes the line up to the value.
pub(super) fn quote(leak: &Leak) -> String {
    let before: String = leak.before.chars().take(80).collect();
    if before.trim().is_empty() {
        return format!("{} (value not shown)", words(leak.kind));
    }
    format!("{before}*** ({})", words(leak.kind))
}

/// Gathers places that hold the same value; an id and the secret that stands within two lines of it are one
/// credential.
pub(super) fn credentials<'l>(leaks: &[&'l Leak]) -> Vec<Vec<&'l Leak>> {
    let mut groups: BTreeMap<u64, Vec<&Leak>> = BTreeMap::new();
    for leak in leaks {
        groups.entry(leak.mark).or_default().push(leak);
    }
    let is_id = |leak: &Leak| matches!(leak.kind, "alpaca-key" | "aws-access-key");
    let ids: Vec<u64> = groups
        .iter()
        .filter(|(_, places)| places.iter().any(|leak| is_id(leak)))
        .map(|(mark, _)| *mark)
        .collect();
    for id in ids {
        let Some(places) = groups.get(&id) else {
            continue;
        };
        let mate = groups.iter().find(|(mark, others)| {
            **mark != id
                && others.iter().any(|other| {
                    !is_id(other)
                        && places.iter().any(|place| {
                            place.path == other.path
                                && place.commit == other.commit
                                && place.line.abs_diff(other.line) <= 2
                        })
                })
        });
        if let Some(mate) = mate.map(|(mark, _)| *mark)
            && let Some(places) = groups.remove(&id)
        {
            groups.entry(mate).or_default().extend(places);
        }
    }
    let mut groups: Vec<Vec<&Leak>> = groups.into_values().collect();
    for group in &mut groups {
        group.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
        group.dedup_by(|a, b| a.path == b.path && a.line == b.line);
    }
    groups.sort_by(|a, b| {
        let key = |group: &[&Leak]| group.first().map(|leak| (leak.path.clone(), leak.line));
        key(a).cmp(&key(b))
    });
    groups
}

/// Returns the worst kind of a group.
pub(super) fn worst(group: &[&Leak]) -> &'static str {
    let worst = group.iter().max_by_key(|leak| severity(leak.kind));
    worst.map_or("assigned-secret", |leak| leak.kind)
}
