//! Finds keys, tokens and passwords in the bytes of a file.
//!
//! One detector for all parts: the guard stops a commit by it, the preimage store encrypts by it, the
//! audit reports by it, `erase` looks for leaks by it. It knows the shapes of issued credentials
//! ([`mod@rules`]) and, with less certainty, assignments of random-looking text to names like `api_key`.
//! Low noise comes first: placeholders, references to the environment, words and obvious dummies are
//! no hits ([`plausible`]).
//! A hit says where, never what: the value is not copied out.
//! Not here: scanning history or trees, suppressions, encryption.

mod lead;
mod plausible;
mod rules;

use rules::{Place, rules};

/// Bytes of a file that are looked at; credentials do not hide behind megabytes of data.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;
/// Hits told of one file.
pub const MAX_HITS: usize = 1000;

/// Where something that looks like a credential lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretHit {
    /// What it looks like; one of [`rule_names`].
    pub rule: &'static str,
    /// Line, the first is 1.
    pub line: u32,
    /// First byte of the value.
    pub start: usize,
    /// Byte behind the value.
    pub end: usize,
}

/// Finds what looks like credentials in `bytes`, the content of the file at `path` (with `/`; only
/// its name is used, to know configuration from code). Hits are in the order of the file and do not
/// overlap.
pub fn find(path: &str, bytes: &[u8]) -> Vec<SecretHit> {
    let bytes = bytes.get(..MAX_BYTES).unwrap_or(bytes);
    let place = Place::of(path, bytes);
    let mut spans: Vec<(&'static str, usize, usize)> = Vec::new();
    for (rule, stretches) in rules().matching(bytes) {
        for (start, end) in rule.spans(&place, bytes, &stretches) {
            // Rules come from the most to the least certain: the first to claim a span keeps it.
            let is_taken = spans.iter().any(|(_, from, to)| start < *to && *from < end);
            if !is_taken && spans.len() < MAX_HITS {
                spans.push((rule.name, start, end));
            }
        }
    }
    spans.sort_by_key(|(_, start, _)| *start);
    let (mut line, mut at) = (1_u32, 0);
    let mut hits = Vec::with_capacity(spans.len());
    for (rule, start, end) in spans {
        let between = bytes.get(at..start).unwrap_or_default();
        let feeds = between.split(|byte| *byte == b'\n').count() - 1;
        line = line.saturating_add(u32::try_from(feeds).unwrap_or(u32::MAX));
        at = start;
        hits.push(SecretHit {
            rule,
            line,
            start,
            end,
        });
    }
    hits
}

/// Says whether `bytes` hold anything that looks like a credential.
pub fn holds_any(path: &str, bytes: &[u8]) -> bool {
    !find(path, bytes).is_empty()
}

/// Lists the names of all rules, the most certain first.
pub fn rule_names() -> impl Iterator<Item = &'static str> {
    rules().names()
}
