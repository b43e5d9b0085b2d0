//! The report as JSON: the contract that other programs read.
//!
//! A change of meaning raises [`SCHEMA_VERSION`]; `docs/reference/audit.schema.json` is generated from here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Report;
use crate::audit::NotChecked;
use crate::finding::Finding;
use crate::sources::Sources;

/// Version of the form.
pub const SCHEMA_VERSION: u32 = 1;

/// What `tradewind audit --format json` prints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Document {
    /// Version of the form.
    pub schema_version: u32,
    /// Which repository, and what of it.
    pub repository: Repository,
    /// What is wrong, in the sequence of repair; after it the remarks, whose confidence is `possible`.
    pub findings: Vec<Finding>,
    /// Which provider is called from where.
    pub api_map: Vec<Api>,
    /// What could not be decided. An absent finding of such a rule is no clean bill.
    pub not_checked: Vec<NotChecked>,
}

/// Which repository, and what of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Repository {
    /// Name of its folder.
    pub name: String,
    /// The commit at HEAD, or the one that was asked for; null before the first one.
    pub commit: Option<String>,
    /// The branch that is checked out; null when none is.
    pub branch: Option<String>,
    /// Whether files were read as they lie in the work tree, uncommitted changes included.
    pub is_work_tree: bool,
    /// The date of the audit, by which dated tables were read.
    pub audited_on: String,
}

/// One endpoint of a provider, and who calls it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Api {
    /// The provider.
    pub provider: String,
    /// The endpoint, as the catalog calls it; null when it cannot be told.
    pub endpoint: Option<String>,
    /// The calls.
    pub calls: Vec<ApiCall>,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct ApiCall {
    /// File.
    pub path: String,
    /// Line.
    pub line: u32,
    /// Function it stands in; null at module level.
    pub function: Option<String>,
    /// What starts it: scripts, console scripts, routes, jobs.
    pub entry_points: Vec<String>,
    /// Variable or file that the key comes from; never the key.
    pub key_from: Option<String>,
    /// Whether an entry point leads to it; null when that cannot be said.
    pub reachable: Option<bool>,
}

impl Document {
    /// Makes the document of a report.
    pub fn of(report: &Report) -> Self {
        let repository = &report.repository;
        Self {
            schema_version: SCHEMA_VERSION,
            repository: Repository {
                name: repository.name.clone(),
                commit: repository.commit.clone(),
                branch: repository.branch.clone(),
                is_work_tree: repository.is_work_tree,
                audited_on: repository.audited_on.to_string(),
            },
            findings: report.all().map(|told| told.finding.clone()).collect(),
            api_map: report.api_map.clone(),
            not_checked: report.not_checked.clone(),
        }
    }

    /// Returns its text.
    pub fn to_text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }
}

/// Returns the JSON schema of the document.
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(Document)
}

/// Puts the API map into the words of the contract.
pub(super) fn api_map(sources: &Sources) -> Vec<Api> {
    let entries = sources.api_map.entries().into_iter();
    entries
        .map(|entry| Api {
            provider: entry.provider,
            endpoint: entry.endpoint,
            calls: entry
                .calls
                .into_iter()
                .map(|call| ApiCall {
                    path: call.path,
                    line: call.line,
                    function: call.function,
                    entry_points: call.entry_points,
                    key_from: call.key_from,
                    reachable: call.reachable,
                })
                .collect(),
        })
        .collect()
}
