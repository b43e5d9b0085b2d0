//! What the journal remembers of audits: writes this one down, finds the last one.
//!
//! An audit must work where nothing can be written, so a failure to write it down is a warning at most.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use tradewind_core::payload::{AuditCompleted, AuditFinding};
use tradewind_core::{Event, EventKind, RepositoryId, Seq};
use tradewind_insight::Report;
use tradewind_insight::identity::Identity;
use tradewind_insight::report::Last;
use tradewind_journal::{Filter, ReadError, Reader};
use tradewind_repo::location::{self, Location};

use crate::cli::log::local_time;
use crate::control::Command;
use crate::place::Place;
use crate::report::{Exit, Failure};
use crate::terminal;

/// Findings that one event lists; a title has at most [`MAX_TITLE`] characters, so the body keeps its bound.
const MAX_FINDINGS: usize = 300;
const MAX_TITLE: usize = 120;
/// How far back the last audit is searched.
const MAX_BACK: usize = 500;

fn repository(location: Option<&Location>) -> Option<RepositoryId> {
    location::peek_identity(location?).ok().flatten()
}

/// Writes the audit down; the first one makes the journal, so that the second can be compared with it.
///
/// Where that cannot be (a read-only home in CI), an audit is none the worse: only a journal that was there before
/// is worth a warning.
pub(super) async fn keep(
    place: &Place,
    location: Option<&Location>,
    top: &Path,
    report: &Report,
    took: Duration,
) {
    let had_journal = Reader::open(place.state()).is_ok();
    let command = Command::RecordAudit {
        repository: repository(location),
        audit: body(top, report, took),
    };
    if let Err(failure) = place.control(command).await
        && had_journal
    {
        terminal::warn(format_args!(
            "the audit is not in the journal: {}",
            terminal::clean(&failure.what)
        ));
    }
}

fn body(top: &Path, report: &Report, took: Duration) -> AuditCompleted {
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    let mut by_rule: BTreeMap<String, u64> = BTreeMap::new();
    for told in &report.findings {
        *by_rule.entry(told.finding.rule.clone()).or_default() += 1;
    }
    let hidden = report.suppressed.iter().map(|(told, _)| told);
    // A finding that tells several is remembered by each, so that one that comes or goes is said.
    let all: Vec<_> = report
        .all()
        .chain(&report.known)
        .chain(hidden)
        .flat_map(|told| told.parts().map(move |part| (told, part)))
        .collect();
    AuditCompleted {
        path: top.display().to_string(),
        commit: report.repository.commit.clone(),
        is_work_tree: report.repository.is_work_tree,
        is_partial: report.is_partial,
        by_severity: report
            .counts()
            .into_iter()
            .map(|(severity, n)| (severity.as_str().to_owned(), count(n)))
            .collect(),
        by_rule,
        findings: all
            .iter()
            .take(MAX_FINDINGS)
            .map(|(told, part)| AuditFinding {
                identity: part.identity.to_string(),
                rule: told.finding.rule.clone(),
                title: terminal::one_line(&part.title, MAX_TITLE),
            })
            .collect(),
        more_findings: count(all.len().saturating_sub(MAX_FINDINGS)),
        not_checked: count(report.not_checked.len()),
        duration_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
    }
}

fn none_yet() -> Failure {
    Failure::new(
        Exit::Usage,
        "the journal has no earlier audit of this repository",
    )
    .hint("run `tradewind audit` once; the next one can be compared with it")
}

/// Finds the audit to compare with: the last complete one of this repository, or the one that is named.
pub(super) fn last(
    place: &Place,
    location: Option<&Location>,
    top: &Path,
    which: &str,
) -> Result<Last, Failure> {
    let reader = Reader::open(place.state()).map_err(|error| {
        if matches!(error, ReadError::Missing { .. }) {
            none_yet()
        } else {
            Failure::from_error(Exit::Outside, &error).hint("run `tradewind doctor`")
        }
    })?;
    let outside = |e: ReadError| Failure::from_error(Exit::Outside, &e);
    let (event, audit) = if which.eq_ignore_ascii_case("last") {
        let filter = Filter {
            kinds: vec![EventKind::InsightAuditCompleted],
            limit: MAX_BACK,
            newest_first: true,
            ..Filter::default()
        };
        let path = top.display().to_string();
        let id = repository(location);
        let found = reader.select(&filter).map_err(outside)?;
        found
            .into_iter()
            .filter_map(|event| read(event).ok())
            .find(|(event, audit)| {
                let is_same = match (id, event.repository) {
                    (Some(here), Some(there)) => here == there,
                    _ => audit.path == path,
                };
                is_same && !audit.is_partial
            })
            .ok_or_else(none_yet)?
    } else {
        let wrong = || {
            Failure::new(Exit::Usage, format!("{which:?} is no audit in the journal"))
                .hint("say `--since last`, or a number from `tradewind log --kind insight.audit.completed`")
        };
        let seq: u64 = which.parse().map_err(|_no_number| wrong())?;
        let event = reader.get(Seq(seq)).map_err(outside)?.ok_or_else(wrong)?;
        if event.kind != EventKind::InsightAuditCompleted {
            return Err(wrong());
        }
        read(event)?
    };
    Ok(Last {
        when: format!("{} (event {})", local_time(event.recorded_at), event.seq),
        is_cut: audit.more_findings > 0,
        findings: audit
            .findings
            .into_iter()
            .map(|found| {
                (
                    Identity::from_text(&found.identity),
                    (found.rule, found.title),
                )
            })
            .collect(),
    })
}

fn read(event: Event) -> Result<(Event, AuditCompleted), Failure> {
    let audit = event
        .payload()
        .map_err(|e| Failure::from_error(Exit::Usage, &e).hint("say `--since last`"))?;
    Ok((event, audit))
}
