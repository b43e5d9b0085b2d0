//! The report: what an audit found, in the sequence in which it is to be repaired, and in five forms.
//!
//! [`Report::of`] sorts, names, hides what the owner knows or suppresses, and compares with the last audit.
//! The forms are one file each below `report/`; the one for the terminal belongs to the command line.
//! Not here: reading the repository, deciding exit codes.

pub mod contract;
pub mod html;
pub mod markdown;
mod picture;
pub mod plain;
pub mod sarif;
pub mod system;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use crate::audit::{Audit, NotChecked, abouts};
use crate::baseline::Baseline;
use crate::cause;
use crate::config::{AuditSection, Suppressions};
use crate::facts::Facts;
use crate::finding::{Finding, Severity};
use crate::identity::{self, Identity};
use crate::rank;

/// Which repository, and what of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repository {
    /// Name of its folder.
    pub name: String,
    /// The commit at HEAD, or the one that was asked for.
    pub commit: Option<String>,
    /// The branch that is checked out.
    pub branch: Option<String>,
    /// Whether files were read as they lie in the work tree.
    pub is_work_tree: bool,
    /// The date of the audit.
    pub audited_on: Date,
}

/// One finding as the report tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Who it is.
    pub identity: Identity,
    /// What it says.
    pub finding: Finding,
    /// Whether the last audit did not have it, or one of its places; `None` when none was compared.
    pub is_new: Option<bool>,
    /// What was joined into it because it has the same cause, itself first; empty where it stands alone.
    pub joined: Vec<Part>,
}

/// One of the findings that a finding tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Who it is.
    pub identity: Identity,
    /// What it would say alone.
    pub title: String,
}

impl Told {
    /// Returns the findings that it tells: baselines and the journal remember each of them.
    pub fn parts(&self) -> impl Iterator<Item = Part> + '_ {
        let alone = self.joined.is_empty().then(|| Part {
            identity: self.identity.clone(),
            title: self.finding.title.clone(),
        });
        alone.into_iter().chain(self.joined.iter().cloned())
    }
}

/// What changed since the last audit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Since {
    /// When the last audit was, in words.
    pub when: String,
    /// How many findings and remarks came.
    pub came: usize,
    /// The findings that went: rule and title as they were.
    pub went: Vec<(String, String)>,
    /// Whether the last audit's list was cut, so that an old finding may look new.
    pub is_cut: bool,
}

/// The last audit, as the journal remembers it.
#[derive(Clone, Debug, Default)]
pub struct Last {
    /// When it was, in words.
    pub when: String,
    /// Its findings: identity to rule and title.
    pub findings: BTreeMap<Identity, (String, String)>,
    /// Whether the list was cut.
    pub is_cut: bool,
}

/// What the owner has decided about findings.
#[derive(Clone, Debug, Default)]
pub struct Decisions<'a> {
    /// `[audit]` of `tradewind.toml`.
    pub section: AuditSection,
    /// Findings that are known.
    pub baseline: Option<&'a Baseline>,
    /// The last audit, to be compared with.
    pub last: Option<&'a Last>,
}

/// The report.
#[derive(Clone, Debug)]
pub struct Report {
    /// Which repository.
    pub repository: Repository,
    /// Figures and facts.
    pub facts: Facts,
    /// What is wrong, in the sequence of repair, without the remarks.
    pub findings: Vec<Told>,
    /// What is only possible, in the same sequence. Nothing counts it.
    pub remarks: Vec<Told>,
    /// What is wrong and known.
    pub known: Vec<Told>,
    /// What is wrong and suppressed, with the owner's reasons.
    pub suppressed: Vec<(Told, String)>,
    /// What is to be said of suppressions and baseline.
    pub notices: Vec<String>,
    /// Which provider is called from where.
    pub api_map: Vec<contract::Api>,
    /// What could not be decided.
    pub not_checked: Vec<NotChecked>,
    /// What changed since the last audit.
    pub since: Option<Since>,
    /// Rules that were left aside (`--only`).
    pub is_partial: bool,
}

impl Report {
    /// Puts the report together.
    pub fn of(audit: &Audit, decisions: &Decisions<'_>) -> Self {
        let after: BTreeMap<_, _> = abouts()
            .into_iter()
            .map(|about| (about.id, about.after))
            .collect();
        let sorted = rank::sort(audit.findings.clone(), |rule| {
            after.get(rule).copied().unwrap_or_default()
        });
        let identities = identity::identities(&sorted);
        let since = decisions
            .last
            .map(|last| compare(last, &identities, audit.is_partial));
        let mut report = Self {
            repository: audit.repository.clone(),
            facts: Facts::of(&audit.sources),
            findings: Vec::new(),
            remarks: Vec::new(),
            known: Vec::new(),
            suppressed: Vec::new(),
            notices: Vec::new(),
            api_map: contract::api_map(&audit.sources),
            not_checked: audit.not_checked.clone(),
            since,
            is_partial: audit.is_partial,
        };
        let known: BTreeSet<_> = decisions
            .baseline
            .map(Baseline::identities)
            .unwrap_or_default();
        let mut suppressions = Suppressions::new(&decisions.section, report.repository.audited_on);
        for (finding, identity) in sorted.into_iter().zip(identities) {
            let told = Told {
                is_new: decisions
                    .last
                    .map(|last| !last.findings.contains_key(&identity)),
                identity,
                finding,
                joined: Vec::new(),
            };
            if let Some(reason) = suppressions.reason(&told.finding) {
                report.suppressed.push((told, reason));
            } else if known.contains(&told.identity) {
                report.known.push(told);
            } else if told.finding.is_remark() {
                report.remarks.push(told);
            } else {
                report.findings.push(told);
            }
        }
        report.findings = cause::join(report.findings);
        report.remarks = cause::join(report.remarks);
        report.not_checked.sort();
        report.not_checked.dedup();
        // An audit of some rules cannot say that nothing matches.
        if !report.is_partial {
            report.notices = suppressions.notices();
            let gone = known.len().saturating_sub(report.known.len());
            if gone > 0 {
                report.notices.push(format!(
                    "{gone} of {} findings of the baseline {} repaired: write it anew with --write-baseline",
                    known.len(),
                    if gone == 1 { "is" } else { "are" }
                ));
            }
        }
        report
    }

    /// Says whether a finding is at least so severe; remarks count where they are asked for.
    pub fn reaches(&self, severity: Severity, with_remarks: bool) -> bool {
        let remarks = self.remarks.iter().filter(|_| with_remarks);
        self.findings
            .iter()
            .chain(remarks)
            .any(|told| told.finding.severity >= severity)
    }

    /// Returns the findings in the sequence of repair, and after them the remarks.
    pub fn all(&self) -> impl Iterator<Item = &Told> {
        self.findings.iter().chain(&self.remarks)
    }

    /// Returns how many findings have each severity, the worst first; remarks are not among them.
    pub fn counts(&self) -> [(Severity, usize); 4] {
        [
            Severity::Critical,
            Severity::High,
            Severity::Medium,
            Severity::Low,
        ]
        .map(|severity| {
            let found = self
                .findings
                .iter()
                .filter(|told| told.finding.severity == severity);
            (severity, found.count())
        })
    }
}

fn compare(last: &Last, now: &[Identity], is_partial: bool) -> Since {
    let here: BTreeSet<_> = now.iter().collect();
    let went = last
        .findings
        .iter()
        // Of some rules only, nothing can be said about the others.
        .filter(|(identity, _)| !is_partial && !here.contains(identity));
    Since {
        when: last.when.clone(),
        came: now
            .iter()
            .filter(|identity| !last.findings.contains_key(identity))
            .count(),
        went: went.map(|(_, words)| words.clone()).collect(),
        is_cut: last.is_cut,
    }
}
