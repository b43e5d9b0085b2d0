//! `[guard]` in `tradewind.toml`: what is protected, what is allowed, and how large is too large.

use std::num::NonZeroU64;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bytes from which a file is large.
const LARGE_BYTES: u64 = 5 * 1024 * 1024;
/// The same in folders of data.
const LARGE_DATA_BYTES: u64 = 50 * 1024 * 1024;
/// Patterns of one list.
const MAX_PATTERNS: usize = 1_000;

/// `[guard]`: what stops a commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GuardSection {
    /// Paths that may not be deleted, moved or emptied, as patterns (`strategies/**`), whether or not anything
    /// refers to them. Default: none; what is referred to is found.
    pub protect: Vec<String>,
    /// Paths that may be deleted, moved or added whatever is found, as patterns (`attic/**`). `protect` comes
    /// first. Credentials are stopped all the same: grant an exception for one path with `tradewind guard allow`.
    /// Default: none.
    pub allow: Vec<String>,
    /// Folders of data, as patterns; files in them may be as large as `max_data_bytes`. Default: `data/**`,
    /// `datasets/**` and `tests/**/data/**` at any depth.
    pub data: Vec<String>,
    /// Bytes from which an added file is too large. Default 5 MiB.
    pub max_file_bytes: NonZeroU64,
    /// The same in folders of data. Default 50 MiB.
    pub max_data_bytes: NonZeroU64,
}

impl Default for GuardSection {
    fn default() -> Self {
        let bytes = |bytes| NonZeroU64::new(bytes).unwrap_or(NonZeroU64::MAX);
        Self {
            protect: Vec::new(),
            allow: Vec::new(),
            data: ["**/data/**", "**/datasets/**", "**/fixtures/**"]
                .map(str::to_owned)
                .to_vec(),
            max_file_bytes: bytes(LARGE_BYTES),
            max_data_bytes: bytes(LARGE_DATA_BYTES),
        }
    }
}

/// What is wrong with one pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The key.
    pub key: &'static str,
    /// What is wrong.
    pub what: String,
}

impl GuardSection {
    /// Returns every mistake that the form alone does not show.
    pub fn mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        for (key, patterns) in [
            ("protect", &self.protect),
            ("allow", &self.allow),
            ("data", &self.data),
        ] {
            if patterns.len() > MAX_PATTERNS {
                mistakes.push(Mistake {
                    key,
                    what: format!("must have at most {MAX_PATTERNS} patterns"),
                });
            } else if let Err(error) = globs(patterns) {
                mistakes.push(Mistake {
                    key,
                    what: format!("holds no pattern of paths: {error}"),
                });
            }
        }
        mistakes
    }
}

/// The section, ready to be asked.
#[derive(Clone, Debug)]
pub struct Policy {
    protect: GlobSet,
    allow: GlobSet,
    data: GlobSet,
    max_file_bytes: u64,
    max_data_bytes: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self::new(&GuardSection::default())
    }
}

impl Policy {
    /// Prepares a section. A list with a mistake ([`GuardSection::mistakes`]) counts as empty.
    pub fn new(section: &GuardSection) -> Self {
        let set = |patterns: &[String]| globs(patterns).unwrap_or_default();
        Self {
            protect: set(&section.protect),
            allow: set(&section.allow),
            data: set(&section.data),
            max_file_bytes: section.max_file_bytes.get(),
            max_data_bytes: section.max_data_bytes.get(),
        }
    }

    /// Says whether the user protects a path.
    pub fn protects(&self, path: &str) -> bool {
        !self.protect.is_empty() && self.protect.is_match(path)
    }

    /// Says whether anything may become of a path.
    pub fn allows(&self, path: &str) -> bool {
        !self.allow.is_empty() && self.allow.is_match(path)
    }

    /// Returns from how many bytes on a file is too large at a path.
    pub fn max_bytes(&self, path: &str) -> u64 {
        if self.data.is_match(path) {
            self.max_data_bytes
        } else {
            self.max_file_bytes
        }
    }

    /// Returns the least of the bounds: what is shorter is nowhere too large.
    pub(super) fn least_max_bytes(&self) -> u64 {
        self.max_file_bytes.min(self.max_data_bytes)
    }
}

fn globs(patterns: &[String]) -> Result<GlobSet, globset::Error> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let pattern = pattern.trim_start_matches("./");
        set.add(GlobBuilder::new(pattern).literal_separator(true).build()?);
        // A folder means all that is in it.
        if let Some(folder) = pattern.strip_suffix('/') {
            let below = format!("{folder}/**");
            set.add(GlobBuilder::new(&below).literal_separator(true).build()?);
        }
    }
    set.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_stay_within_a_folder_unless_they_say_otherwise() {
        let policy = Policy::new(&GuardSection {
            protect: vec!["strategies/*.py".into(), "live/".into()],
            ..GuardSection::default()
        });
        assert!(policy.protects("strategies/a.py"));
        assert!(!policy.protects("strategies/old/a.py"));
        assert!(policy.protects("live/x/y.py"));
        assert!(!policy.allows("strategies/a.py"));
        assert!(policy.max_bytes("bot/data/x.csv") > policy.max_bytes("bot/x.csv"));
    }

    #[test]
    fn a_bad_pattern_is_a_mistake_at_its_key() {
        let section = GuardSection {
            allow: vec!["a[".into()],
            ..GuardSection::default()
        };
        let keys: Vec<_> = section.mistakes().iter().map(|m| m.key).collect();
        assert_eq!(keys, ["allow"]);
    }
}
