//! `[audit]` in `tradewind.toml`: what fails the command, the baseline, and what is suppressed.
//!
//! A suppression must say why and until when: what nobody has to look at again is never repaired. When
//! its date has passed it is reported and no longer hides anything.

use globset::{GlobBuilder, GlobMatcher};
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::audit::abouts;
use crate::finding::{Finding, Severity};

/// `[audit]`: how `tradewind audit` judges this repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AuditSection {
    /// Exit code 1 when a finding is at least so severe, as `--fail-on` does. Default: never.
    pub fail_on: Option<Severity>,
    /// File of known findings, relative to the repository's root, as `--baseline` names it.
    pub baseline: Option<String>,
    /// Findings that are not to be shown.
    pub suppress: Vec<SuppressSection>,
}

/// `[[audit.suppress]]`: findings that somebody has decided to live with, for a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SuppressSection {
    /// The rule, as the report names it; `*` for every rule, with a path only (examples, vendored code).
    pub rule: String,
    /// Paths whose findings are meant, as a pattern (`scripts/**`); without it all findings of the rule.
    #[serde(default)]
    pub path: Option<String>,
    /// Why it may stay, in your own words.
    pub reason: String,
    /// The last day on which it counts, in quotes: `"2026-12-31"`.
    pub until: Date,
}

/// Stands for every rule in an entry that has a path.
const EVERY_RULE: &str = "*";

/// What is wrong with one entry of `suppress`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Which entry, the first is 0.
    pub entry: usize,
    /// The key.
    pub key: &'static str,
    /// What is wrong.
    pub what: String,
}

impl AuditSection {
    /// Returns every mistake that the form alone does not show.
    pub fn mistakes(&self) -> Vec<Mistake> {
        let rules: Vec<_> = abouts().iter().map(|about| about.id).collect();
        let mut mistakes = Vec::new();
        for (entry, suppress) in self.suppress.iter().enumerate() {
            let mut mistake = |key, what: String| mistakes.push(Mistake { entry, key, what });
            if suppress.rule == EVERY_RULE {
                if suppress.path.is_none() {
                    mistake("path", "is needed where every rule is meant".to_owned());
                }
            } else if !rules.contains(&suppress.rule.as_str()) {
                mistake("rule", format!("there is no rule {:?}", suppress.rule));
            }
            if suppress.reason.trim().chars().count() < 5 {
                mistake("reason", "must say why it may stay".to_owned());
            }
            if let Some(path) = &suppress.path
                && let Err(error) = glob(path)
            {
                mistake("path", format!("is no pattern of paths: {error}"));
            }
        }
        mistakes
    }
}

fn glob(pattern: &str) -> Result<GlobMatcher, globset::Error> {
    let pattern = pattern.trim_start_matches("./");
    let glob = GlobBuilder::new(pattern).literal_separator(true).build()?;
    Ok(glob.compile_matcher())
}

/// The suppressions of a repository, ready to be asked.
#[derive(Debug, Default)]
pub struct Suppressions {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    section: SuppressSection,
    matcher: Option<GlobMatcher>,
    is_expired: bool,
    matched: usize,
}

impl Suppressions {
    /// Prepares the entries as of `today`; entries with mistakes hide nothing.
    pub fn new(section: &AuditSection, today: Date) -> Self {
        let entries = section.suppress.iter().filter_map(|section| {
            let matcher = match &section.path {
                Some(path) => Some(glob(path).ok()?),
                None => None,
            };
            Some(Entry {
                is_expired: section.until < today,
                section: section.clone(),
                matcher,
                matched: 0,
            })
        });
        Self {
            entries: entries.collect(),
        }
    }

    /// Returns the reason why a finding is not to be shown, and counts.
    pub fn reason(&mut self, finding: &Finding) -> Option<String> {
        let path = finding
            .evidence
            .first()
            .and_then(|evidence| evidence.path.as_deref());
        let mut reason = None;
        for entry in &mut self.entries {
            let is_meant = [EVERY_RULE, &finding.rule].contains(&entry.section.rule.as_str());
            let fits = is_meant
                && entry
                    .matcher
                    .as_ref()
                    .is_none_or(|matcher| path.is_some_and(|path| matcher.is_match(path)));
            if fits {
                entry.matched += 1;
                if !entry.is_expired {
                    reason.get_or_insert_with(|| entry.section.reason.clone());
                }
            }
        }
        reason
    }

    /// Returns what is to be said of the entries once every finding was asked: the expired, and those that
    /// match nothing any more.
    pub fn notices(&self) -> Vec<String> {
        let named = |entry: &Entry| match &entry.section.path {
            Some(path) => format!("{} in {path}", entry.section.rule),
            None => entry.section.rule.clone(),
        };
        self.entries
            .iter()
            .filter_map(|entry| match (entry.is_expired, entry.matched) {
                (true, 0) => Some(format!(
                    "the suppression of {} ended on {} and is not needed any more: delete it",
                    named(entry),
                    entry.section.until
                )),
                (true, found) => Some(format!(
                    "the suppression of {} ended on {}: {found} finding{} shown again",
                    named(entry),
                    entry.section.until,
                    if found == 1 { " is" } else { "s are" }
                )),
                (false, 0) => Some(format!(
                    "the suppression of {} hides nothing: delete it",
                    named(entry)
                )),
                (false, _) => None,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::tests::finding;

    fn suppress(path: Option<&str>, until: &str) -> SuppressSection {
        SuppressSection {
            rule: "r".to_owned(),
            path: path.map(str::to_owned),
            reason: "we live with it".to_owned(),
            until: until.parse().unwrap(),
        }
    }

    #[test]
    fn an_expired_suppression_hides_nothing_and_is_told() {
        let section = AuditSection {
            suppress: vec![
                suppress(Some("scripts/**"), "2026-01-01"),
                suppress(Some("bot/*.py"), "2026-12-31"),
                suppress(Some("lib/**"), "2026-12-31"),
            ],
            ..AuditSection::default()
        };
        let mut asked = Suppressions::new(&section, "2026-06-01".parse().unwrap());
        assert_eq!(asked.reason(&finding("r", "t", "scripts/a/b.py", 1)), None);
        assert!(asked.reason(&finding("r", "t", "bot/a.py", 1)).is_some());
        assert_eq!(asked.reason(&finding("r", "t", "bot/x/a.py", 1)), None);
        assert_eq!(asked.reason(&finding("q", "t", "bot/a.py", 1)), None);
        let notices = asked.notices();
        assert_eq!(notices.len(), 2, "{notices:?}");
        assert!(
            notices[0].contains("1 finding is shown again"),
            "{notices:?}"
        );
    }

    #[test]
    fn a_suppression_needs_a_rule_that_exists_and_a_reason() {
        let mut section = AuditSection {
            suppress: vec![suppress(Some("a["), "2026-12-31")],
            ..AuditSection::default()
        };
        section.suppress[0].reason = " ".to_owned();
        let keys: Vec<_> = section
            .mistakes()
            .iter()
            .map(|mistake| mistake.key)
            .collect();
        assert_eq!(keys, ["rule", "reason", "path"]);
    }

    #[test]
    fn every_rule_can_be_suppressed_below_a_path_only() {
        let mut section = AuditSection {
            suppress: vec![suppress(Some("examples/**"), "2026-12-31")],
            ..AuditSection::default()
        };
        section.suppress[0].rule = "*".to_owned();
        assert_eq!(section.mistakes(), []);
        let mut asked = Suppressions::new(&section, "2026-06-01".parse().unwrap());
        assert!(
            asked
                .reason(&finding("q", "t", "examples/a.py", 1))
                .is_some()
        );
        assert_eq!(asked.reason(&finding("q", "t", "bot/a.py", 1)), None);
        section.suppress[0].path = None;
        assert_eq!(section.mistakes()[0].key, "path");
    }
}
