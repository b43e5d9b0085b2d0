//! Credentials in lines that a commit adds.
//!
//! The detector is the room repo's; here is only what makes a hit a reason to stop: it is new in this file, and it
//! does not lie where dummies live.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{Hash as _, Hasher as _};

use tradewind_repo::secrets::{self, SecretHit};
use tradewind_repo::{Oid, RepoError};

use super::MAX_READ_BYTES;
use crate::guard::{
    Blob, Contents, Evidence, How, Judgement, Kind, MAX_EVIDENCE, Next, Question, Stop, gone, mass,
    text,
};
use crate::staged::Change;

/// Files whose former content is looked at for what was known before.
const MAX_BEFORE: usize = 2_000;

/// One hit in a new content.
#[derive(Debug)]
pub(super) struct Suspect<'q> {
    change: &'q Change,
    line: u32,
    rule: &'static str,
    // Equal for equal values; says nothing about the value.
    mark: u64,
}

/// Looks for credentials in a content.
pub(super) fn of<'q>(change: &'q Change, bytes: &[u8]) -> Vec<Suspect<'q>> {
    let path = text(&change.path);
    let hits = secrets::find(&path, bytes);
    hits.iter()
        .filter(|hit| counts(&path, bytes, hit))
        .filter_map(|hit| {
            Some(Suspect {
                change,
                line: hit.line,
                rule: hit.rule,
                mark: mark(bytes.get(hit.start..hit.end)?),
            })
        })
        .collect()
}

/// Tells the hits whose value was in no file that the commit changes, moves or deletes.
pub(super) fn tell(
    question: &Question<'_>,
    contents: &dyn Contents,
    suspects: Vec<Suspect<'_>>,
    judgement: &mut Judgement,
) -> Result<(), RepoError> {
    if suspects.is_empty() {
        return Ok(());
    }
    let mut paths: HashMap<Oid, &[u8]> = HashMap::new();
    for change in question.changes.iter().take(MAX_BEFORE) {
        if let Some(before) = change.before {
            paths.insert(before.id, &change.path);
        }
    }
    let ids: Vec<Oid> = paths.keys().copied().collect();
    let mut known: HashSet<u64> = HashSet::new();
    contents.blobs(&ids, MAX_READ_BYTES, &mut |Blob { id, bytes, .. }| {
        if let (Some(path), Some(bytes)) = (paths.get(&id), bytes) {
            let hits = secrets::find(&text(path), bytes);
            known.extend(
                hits.iter()
                    .filter_map(|hit| Some(mark(bytes.get(hit.start..hit.end)?))),
            );
        }
    })?;
    let mut by_path: BTreeMap<&[u8], Vec<Suspect<'_>>> = BTreeMap::new();
    for suspect in suspects {
        if !known.contains(&suspect.mark) {
            by_path
                .entry(&suspect.change.path)
                .or_default()
                .push(suspect);
        }
    }
    for (path, suspects) in by_path {
        let path = text(path);
        let first = suspects
            .first()
            .map_or("credential", |suspect| suspect.rule);
        let evidence = suspects.iter().take(MAX_EVIDENCE).map(|suspect| Evidence {
            path: path.to_string(),
            line: Some(suspect.line),
            how: How::Here,
            note: words(suspect.rule),
        });
        let evidence: Vec<Evidence> = evidence.collect();
        // What one issuer gives out may stand in a test as an example: that is worth a look and no stop.
        let tells = if is_dummy_place(&path) {
            &mut judgement.warnings
        } else {
            &mut judgement.stops
        };
        tells.push(Stop {
            kind: Kind::Secret,
            what: format!("{path} gives away {}.", words(first)),
            more: suspects.len() - evidence.len(),
            evidence,
            next: vec![
                Next {
                    does: "read it from the environment instead (replace it at its issuer if it ever left this machine), then stage the file".to_owned(),
                    command: format!("git add -- {}", crate::guard::shell(&path)),
                },
                gone::allow(&path),
            ],
            path: path.into_owned(),
        });
    }
    Ok(())
}

fn mark(value: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Says what a hit is, in words.
fn words(rule: &str) -> String {
    match rule {
        "assigned-secret" => "what looks like a credential".to_owned(),
        "url-key" => "a key in a URL".to_owned(),
        "url-password" => "a password in a URL".to_owned(),
        rule if rule.starts_with(['a', 'e', 'i', 'o']) => format!("an {}", rule.replace('-', " ")),
        rule => format!("a {}", rule.replace('-', " ")),
    }
}

/// Says whether a hit is a reason to stop: shapes that one issuer gives out anywhere, the others outside of tests,
/// pages and examples.
fn counts(path: &str, bytes: &[u8], hit: &SecretHit) -> bool {
    let is_shape = !matches!(
        hit.rule,
        "assigned-secret"
            | "url-key"
            | "url-password"
            | "session-cookie"
            | "json-web-token"
            | "private-key"
            | "google-api-key"
            | "alpaca-key"
            | "oanda-token"
            | "iex-key"
    );
    let before = bytes.get(..hit.start).unwrap_or_default();
    let line = before
        .rsplit(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let line = String::from_utf8_lossy(line).to_ascii_lowercase();
    // The key in such an address opens this one file or badge to whoever has the link.
    let is_public = ["alt=media&token=", "badge.svg?", "/badge/", "/badge?"];
    if hit.rule == "url-key" && is_public.iter().any(|part| line.contains(part)) {
        return false;
    }
    if hit.rule == "aws-access-key" && line.contains("x-amz-")
        || line.contains("githubusercontent.com")
    {
        return false;
    }
    if hit.rule == "assigned-secret" && mass::is_bundled(path) {
        return false;
    }
    is_shape
        || !(is_dummy_place(path)
            || line.contains("testnet")
            || line.contains("test_")
            || line.contains("badge"))
}

/// Says whether a path is where dummies live.
fn is_dummy_place(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    let is_page = [".md", ".rst", ".rst.txt", ".html", ".doctree"]
        .iter()
        .any(|end| lower.ends_with(end));
    is_page
        || lower.split('/').any(|part| {
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
                    | "examples"
            ) || matches!(stem, "doc" | "docs" | "docsrc" | "documentation")
                || stem.starts_with("test_")
                || stem.ends_with("_test")
                || stem.ends_with("_tests")
                || stem.ends_with("-test")
                || part.contains(".test.")
                || part.contains(".spec.")
                || part.contains("example")
                || part.contains("sample")
        })
}
