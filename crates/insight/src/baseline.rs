//! A baseline: the findings that a team knows and has put off, so that a check fails on new ones only.
//!
//! One JSON file, written by `--write-baseline` and kept in the repository. It names findings by identity and
//! says beside each what it was, for whoever reads a change of the file.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::identity::Identity;
use crate::report::Told;

/// Version of the file's form.
pub const SCHEMA_VERSION: u32 = 1;
/// A longer file is no baseline.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;

/// Findings that are known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// Version of the form.
    pub schema_version: u32,
    /// The findings, by identity.
    pub findings: Vec<Known>,
}

/// One finding that is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// Who it is.
    pub identity: Identity,
    /// Its rule, for readers.
    pub rule: String,
    /// Its title when it was written down, for readers.
    pub title: String,
}

/// Why a file is no baseline.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BaselineError {
    /// It is no JSON of the right form.
    #[error("it is no baseline")]
    Form(#[source] serde_json::Error),
    /// A newer program wrote it.
    #[error("it has form {found}, this program knows form {SCHEMA_VERSION}")]
    Newer {
        /// The form found.
        found: u32,
    },
}

impl Baseline {
    /// Writes down these findings, and of a joined one each that it tells.
    pub fn of<'f>(told: impl Iterator<Item = &'f Told>) -> Self {
        let mut findings: Vec<_> = told
            .flat_map(|told| {
                told.parts().map(|part| Known {
                    identity: part.identity,
                    rule: told.finding.rule.clone(),
                    title: part.title,
                })
            })
            .collect();
        // By rule, so that the file changes little when an audit changes little.
        findings.sort_by(|a, b| {
            (&a.rule, &a.title, &a.identity).cmp(&(&b.rule, &b.title, &b.identity))
        });
        Self {
            schema_version: SCHEMA_VERSION,
            findings,
        }
    }

    /// Reads a baseline.
    ///
    /// # Errors
    /// [`BaselineError`].
    pub fn parse(text: &str) -> Result<Self, BaselineError> {
        let baseline: Self = serde_json::from_str(text).map_err(BaselineError::Form)?;
        if baseline.schema_version != SCHEMA_VERSION {
            return Err(BaselineError::Newer {
                found: baseline.schema_version,
            });
        }
        Ok(baseline)
    }

    /// Returns the text of the file.
    pub fn to_text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Returns the identities that are known.
    pub fn identities(&self) -> BTreeSet<&Identity> {
        self.findings.iter().map(|known| &known.identity).collect()
    }
}
