//! Who a finding is, from one audit to the next.
//!
//! Why: a baseline, "what changed since" and a code-scanning page must recognise a finding although lines
//! were added above it. So an identity is made of the rule, the first path or commit and the title,
//! in which figures count for nothing ("in 3 files" becomes "in 4 files"). Findings that are equal so far are
//! told apart by their sequence.
//! Not here: whether a finding is right.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::finding::Finding;

/// Who a finding is: 32 hexadecimal digits.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Identity(String);

impl Identity {
    /// Takes an identity that was written down.
    pub fn from_text(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Returns its digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns the identity of each finding, in their sequence.
pub fn identities(findings: &[Finding]) -> Vec<Identity> {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    findings
        .iter()
        .map(|finding| {
            let key = key(finding);
            let nth = seen.entry(key.clone()).or_default();
            *nth += 1;
            digest(&key, *nth)
        })
        .collect()
}

fn key(finding: &Finding) -> String {
    let first = finding.evidence.first();
    let path = first.and_then(|evidence| evidence.path.as_deref());
    let commit = first.and_then(|evidence| evidence.commit.as_deref());
    format!(
        "{}\0{}\0{}\0{}",
        finding.rule,
        path.unwrap_or_default(),
        commit.unwrap_or_default(),
        without_figures(&finding.title)
    )
}

/// Puts `#` for each run of digits that stands alone; digits inside names (`ema20`) stay.
pub(crate) fn without_figures(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut before, mut is_figure) = (' ', false);
    for c in text.chars() {
        if c.is_ascii_digit() && (is_figure || !(before.is_alphanumeric() || before == '_')) {
            if !is_figure {
                out.push('#');
            }
            is_figure = true;
        } else {
            is_figure = false;
            out.push(c);
        }
        before = c;
    }
    out
}

fn digest(key: &str, nth: u32) -> Identity {
    let digest = Sha256::digest(format!("{key}\0{nth}").as_bytes());
    let mut text = String::with_capacity(32);
    for byte in digest.iter().take(16) {
        // Writing to a String cannot fail.
        write!(text, "{byte:02x}").unwrap_or_default();
    }
    Identity(text)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::finding::{Area, Confidence, Evidence, Severity, Timeframe};

    pub(crate) fn finding(rule: &str, title: &str, path: &str, line: u32) -> Finding {
        Finding {
            rule: rule.to_owned(),
            title: title.to_owned(),
            area: Area::Runs,
            severity: Severity::High,
            confidence: Confidence::Certain,
            evidence: vec![Evidence::at(path, line, "the line")],
            impact: "The bot stops.".to_owned(),
            timeframe: Timeframe::Week,
            action: "Repair it.".to_owned(),
            fix: None,
        }
    }

    #[test]
    fn a_finding_that_moved_down_the_file_is_the_same() {
        let before = [finding("r", "3 calls of ema20 wait", "a.py", 5)];
        let after = [finding("r", "12 calls of ema20 wait", "a.py", 50)];
        assert_eq!(identities(&before), identities(&after));
        let other = [finding("r", "3 calls of ema50 wait", "a.py", 5)];
        assert_ne!(identities(&before), identities(&other));
    }

    #[test]
    fn equal_findings_are_told_apart() {
        let twice = [finding("r", "t", "a.py", 5), finding("r", "t", "a.py", 9)];
        let found = identities(&twice);
        assert_ne!(found[0], found[1]);
    }
}
