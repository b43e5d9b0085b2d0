//! One sentence for each event: what `log`, `explain`, the first page and `status` show.
//!
//! The match is over the closed list, so a new kind does not compile until somebody has said how it
//! reads. Values come from bodies and may be hostile: the callers clean what they print.

use std::fmt::Display;

use serde::de::DeserializeOwned;
use tradewind_core::payload as body;
use tradewind_core::{Event, EventKind};

use crate::terminal::Tone;

/// Says in one sentence, without a full stop, what `event` is.
pub(crate) fn describe(event: &Event) -> String {
    if event.data.is_none() {
        return "(erased)".to_owned();
    }
    try_describe(event).unwrap_or_else(|| {
        // An older or newer shape than ours: the raw body still says something.
        event
            .data
            .as_ref()
            .map(|d| d.get().to_owned())
            .unwrap_or_default()
    })
}

/// Returns how loud the event is.
pub(crate) fn tone(kind: EventKind) -> Tone {
    use EventKind as K;
    match kind {
        K::EngineActionSucceeded
        | K::EngineActionUndone
        | K::EngineActionRedone
        | K::RepoFilesRestored
        | K::EngineFileRestored
        | K::QuotaBreakerClosed => Tone::Good,
        K::EngineActionFailed
        | K::EngineRuleFailed
        | K::EngineConfigRejected
        | K::RepoFilesDeleted
        | K::RepoRepositoryLost
        | K::DaemonTaskRestarted
        | K::QuotaProviderBanned
        | K::QuotaKeyRefused
        | K::DeliveryVerdictRefuted => Tone::Bad,
        K::EngineProposalOpened
        | K::EngineActionAbandoned
        | K::EngineRuleHeld
        | K::RepoBranchRewritten
        | K::RepoWatchDegraded
        | K::DaemonClockStepped
        | K::EngineActingPaused
        | K::QuotaWindowExhausted
        | K::QuotaBreakerOpened => Tone::Warn,
        K::EngineRuleShadowed | K::JournalStoreOpened | K::RepoWorktreeChanged => Tone::Dim,
        K::JournalStoreMigrated
        | K::JournalRangePruned
        | K::JournalPayloadErased
        | K::JournalBackupCreated
        | K::JournalBackupLoaded
        | K::DaemonProcessStarted
        | K::DaemonProcessStopped
        | K::RepoRepositoryRegistered
        | K::RepoRepositoryMoved
        | K::RepoRepositoryRemoved
        | K::RepoCommitCreated
        | K::RepoChangeMerged
        | K::RepoBranchCreated
        | K::RepoBranchUpdated
        | K::RepoBranchDeleted
        | K::RepoTagCreated
        | K::RepoTagMoved
        | K::RepoTagDeleted
        | K::RepoHeadSwitched
        | K::EngineConfigLoaded
        | K::EngineConfigTrusted
        | K::EngineProposalApproved
        | K::EngineProposalRejected
        | K::EngineProposalExpired
        | K::EngineActionRequested
        | K::EngineActingResumed
        | K::QuotaLimitCorrected
        | K::QuotaLedgerRecovered
        | K::DeliveryExceptionGranted
        | K::InsightAuditCompleted
        | K::ExternalEventReceived => Tone::Plain,
    }
}

#[expect(
    clippy::too_many_lines,
    reason = "one arm per kind of the closed list, in the list's order"
)]
fn try_describe(event: &Event) -> Option<String> {
    use EventKind as K;
    Some(match event.kind {
        K::JournalStoreOpened => {
            let b: body::StoreOpened = read(event)?;
            format!(
                "store opened by version {} (SQLite {})",
                b.version, b.sqlite
            )
        }
        K::JournalStoreMigrated => {
            let b: body::StoreMigrated = read(event)?;
            format!(
                "store layout {} became {}; copy kept as {}",
                b.from, b.to, b.backup
            )
        }
        K::JournalRangePruned => {
            let b: body::RangePruned = read(event)?;
            format!("events {} to {} pruned", b.first, b.last)
        }
        K::JournalPayloadErased => {
            let b: body::PayloadErased = read(event)?;
            format!("bodies of {} erased: {}", list(&b.events), b.reason)
        }
        K::JournalBackupCreated => {
            let b: body::BackupCreated = read(event)?;
            format!("backup up to {} written to {}", b.last, b.path)
        }
        K::JournalBackupLoaded => {
            let b: body::BackupLoaded = read(event)?;
            format!("backup up to {} loaded from {}", b.last, b.path)
        }
        K::DaemonProcessStarted => {
            let b: body::ProcessStarted = read(event)?;
            format!(
                "daemon {} started on {} (pid {})",
                b.version, b.listen, b.pid
            )
        }
        K::DaemonProcessStopped => {
            let b: body::ProcessStopped = read(event)?;
            let left = if b.unfinished.is_empty() {
                String::new()
            } else {
                format!("; cut off: {}", b.unfinished.join(", "))
            };
            format!("daemon stopped: {}{left}", b.reason)
        }
        K::DaemonTaskRestarted => {
            let b: body::TaskRestarted = read(event)?;
            format!(
                "task {} failed ({}), start {} after {} ms",
                b.task, b.error, b.attempt, b.backoff_ms
            )
        }
        K::DaemonClockStepped => {
            let b: body::ClockStepped = read(event)?;
            format!("wall clock moved by {} ms, or the machine slept", b.step_ms)
        }
        K::RepoRepositoryRegistered => {
            let b: body::RepositoryRegistered = read(event)?;
            format!(
                "watching {} ({} so far)",
                b.path,
                counted(b.commits, "commit")
            )
        }
        K::RepoRepositoryMoved => {
            let b: body::RepositoryMoved = read(event)?;
            format!("repository moved from {} to {}", b.from, b.to)
        }
        K::RepoRepositoryLost => {
            let b: body::RepositoryLost = read(event)?;
            format!("repository is no longer at {}: {}", b.path, b.error)
        }
        K::RepoRepositoryRemoved => {
            let b: body::RepositoryRemoved = read(event)?;
            format!("no longer watching {}", b.path)
        }
        K::RepoWatchDegraded => {
            let b: body::WatchDegraded = read(event)?;
            format!(
                "file notices do not work ({}); looking every {} ms instead",
                b.error, b.poll_ms
            )
        }
        K::RepoCommitCreated => {
            let b: body::CommitCreated = read(event)?;
            let files = b
                .files_changed
                .map(|n| format!(", {}", counted(n, "file")))
                .unwrap_or_default();
            format!("{} {} ({}{files})", short(&b.id), b.title, b.author)
        }
        K::RepoChangeMerged => {
            let b: body::ChangeMerged = read(event)?;
            let into = b
                .branch
                .map(|branch| format!(" into {branch}"))
                .unwrap_or_default();
            format!(
                "{} merged {}{into}",
                short(&b.id),
                b.merged
                    .iter()
                    .map(|id| short(id))
                    .collect::<Vec<_>>()
                    .join(", ")
            )
        }
        K::RepoBranchCreated => {
            let b: body::BranchCreated = read(event)?;
            format!("branch {} at {}", b.branch, short(&b.to))
        }
        K::RepoBranchUpdated => {
            let b: body::BranchUpdated = read(event)?;
            format!(
                "branch {} {} → {} ({})",
                b.branch,
                short(&b.from),
                short(&b.to),
                counted(b.commits, "commit")
            )
        }
        K::RepoBranchRewritten => {
            let b: body::BranchRewritten = read(event)?;
            format!(
                "branch {} rewritten {} → {} ({} dropped)",
                b.branch,
                short(&b.from),
                short(&b.to),
                counted(b.dropped, "commit")
            )
        }
        K::RepoBranchDeleted => {
            let b: body::BranchDeleted = read(event)?;
            format!("branch {} deleted at {}", b.branch, short(&b.from))
        }
        K::RepoTagCreated => {
            let b: body::TagCreated = read(event)?;
            format!("tag {} at {}", b.tag, short(&b.to))
        }
        K::RepoTagMoved => {
            let b: body::TagMoved = read(event)?;
            format!("tag {} moved {} → {}", b.tag, short(&b.from), short(&b.to))
        }
        K::RepoTagDeleted => {
            let b: body::TagDeleted = read(event)?;
            format!("tag {} deleted at {}", b.tag, short(&b.from))
        }
        K::RepoHeadSwitched => {
            let b: body::HeadSwitched = read(event)?;
            format!("checked out {}", b.to)
        }
        K::RepoWorktreeChanged => {
            let b: body::WorktreeChanged = read(event)?;
            format!(
                "work tree: {} modified, {} new, {} gone: {}",
                b.modified,
                b.added,
                b.deleted,
                some(&b.paths)
            )
        }
        K::RepoFilesDeleted => {
            let b: body::FilesDeleted = read(event)?;
            format!(
                "{} of {} tracked files are gone from the work tree: {}",
                b.deleted,
                b.tracked,
                some(&b.paths)
            )
        }
        K::RepoFilesRestored => {
            let b: body::FilesRestored = read(event)?;
            let are = if b.restored == 1 { "is" } else { "are" };
            format!("{} {are} back", counted(b.restored, "file"))
        }
        K::EngineConfigLoaded => {
            let b: body::ConfigLoaded = read(event)?;
            let trust = if b.is_trusted {
                "trusted"
            } else {
                "not trusted yet: nothing of it executes"
            };
            format!("{} in force, {trust}", counted(b.rules.len(), "rule"))
        }
        K::EngineConfigRejected => {
            let b: body::ConfigRejected = read(event)?;
            format!(
                "configuration has {}: {}",
                counted(b.errors.len(), "mistake"),
                b.errors.join("; ")
            )
        }
        K::EngineConfigTrusted => {
            let b: body::ConfigTrusted = read(event)?;
            format!("configuration {} trusted", short(&b.digest))
        }
        K::EngineRuleShadowed => {
            let b: body::RuleShadowed = read(event)?;
            format!("{} would: {}", b.rule, bare(&b.summary))
        }
        K::EngineRuleHeld => {
            let b: body::RuleHeld = read(event)?;
            format!("{} held: {}", b.rule, bare(&b.detail))
        }
        K::EngineRuleFailed => {
            let b: body::RuleFailed = read(event)?;
            format!("{} could not be evaluated: {}", b.rule, b.error)
        }
        K::EngineProposalOpened => {
            let b: body::ProposalOpened = read(event)?;
            format!("{} proposes: {}", b.rule, bare(&b.summary))
        }
        K::EngineProposalApproved => {
            let b: body::ProposalApproved = read(event)?;
            format!("proposal {} approved by {}", b.proposal, b.by)
        }
        K::EngineProposalRejected => {
            let b: body::ProposalRejected = read(event)?;
            let why = if b.reason.is_empty() {
                String::new()
            } else {
                format!(": {}", b.reason)
            };
            format!("proposal {} rejected by {}{why}", b.proposal, b.by)
        }
        K::EngineProposalExpired => {
            let b: body::ProposalExpired = read(event)?;
            format!("proposal {} expired", b.proposal)
        }
        K::EngineActionRequested => {
            let b: body::ActionRequested = read(event)?;
            let who = if b.rule.is_empty() {
                "a person"
            } else {
                b.rule.as_str()
            };
            format!("{who}: {}", bare(&b.summary))
        }
        K::EngineActionSucceeded => {
            let b: body::ActionSucceeded = read(event)?;
            format!("{} ({})", bare(&b.summary), elapsed(b.elapsed_ms))
        }
        K::EngineActionFailed => {
            let b: body::ActionFailed = read(event)?;
            format!("{} ({})", bare(&b.error), elapsed(b.elapsed_ms))
        }
        K::EngineActionAbandoned => {
            let b: body::ActionAbandoned = read(event)?;
            format!("action {} abandoned: {}", b.request, b.reason)
        }
        K::EngineActionUndone => {
            let b: body::ActionUndone = read(event)?;
            format!(
                "action {} undone: {}",
                b.request,
                put_back(&b.files, &b.references)
            )
        }
        K::EngineActionRedone => {
            let b: body::ActionRedone = read(event)?;
            format!(
                "action {} redone: {}",
                b.request,
                put_back(&b.files, &b.references)
            )
        }
        K::EngineFileRestored => {
            let b: body::FileRestored = read(event)?;
            format!("{} restored from {}", b.path, b.origin)
        }
        K::EngineActingPaused => {
            let b: body::ActingPaused = read(event)?;
            let why = if b.reason.is_empty() {
                String::new()
            } else {
                format!(": {}", b.reason)
            };
            format!("acting paused by {}{why}", b.by)
        }
        K::EngineActingResumed => {
            let b: body::ActingResumed = read(event)?;
            format!("acting resumed by {}", b.by)
        }
        K::QuotaWindowExhausted => {
            let b: body::WindowExhausted = read(event)?;
            let wait = counted(b.free_in_ms.div_ceil(1_000), "second");
            format!(
                "quota of {} is spent: window {}, {}; the next is free in {wait}",
                b.provider,
                b.window,
                counted(b.limit, "unit")
            )
        }
        K::QuotaLimitCorrected => {
            let b: body::LimitCorrected = read(event)?;
            format!(
                "{} says that window {} has {}, not {}",
                b.provider,
                b.window,
                counted(b.to, "unit"),
                b.from
            )
        }
        K::QuotaProviderBanned => {
            let b: body::ProviderBanned = read(event)?;
            let whom = if b.by_address {
                "this address"
            } else {
                "a key"
            };
            let wait = counted(b.wait_ms.div_ceil(1_000), "second");
            format!("{} shut out {whom} for {wait}", b.provider)
        }
        K::QuotaKeyRefused => {
            let b: body::KeyRefused = read(event)?;
            let what = if b.class == "plan" {
                "what the key's plan does not have"
            } else {
                "the key"
            };
            format!("{} refused {what}", b.provider)
        }
        K::QuotaBreakerOpened => {
            let b: body::BreakerOpened = read(event)?;
            format!(
                "{} failed {} in a row; the next probe is in {}",
                b.provider,
                counted(b.failures, "time"),
                counted(b.wait_ms.div_ceil(1_000), "second")
            )
        }
        K::QuotaBreakerClosed => {
            let b: body::BreakerClosed = read(event)?;
            format!("{} answers again", b.provider)
        }
        K::QuotaLedgerRecovered => {
            let b: body::LedgerRecovered = read(event)?;
            let doubt = if b.is_time_in_doubt {
                "; the time since is in doubt, full windows are charged"
            } else {
                ""
            };
            format!(
                "quota ledger recovered: {} of {} count as spent{doubt}",
                counted(b.units, "unit"),
                counted(b.open_leases, "open lease")
            )
        }
        K::DeliveryExceptionGranted => {
            let b: body::ExceptionGranted = read(event)?;
            let until = b.until.map_or_else(
                || "for the next commit".to_owned(),
                |until| format!("until {until}"),
            );
            format!(
                "{} lets the guard pass {} {until}: {}",
                b.by,
                b.paths.join(", "),
                b.reason
            )
        }
        K::DeliveryVerdictRefuted => {
            let b: body::VerdictRefuted = read(event)?;
            let hook = b.hook.unwrap_or_else(|| "a check of our own".to_owned());
            format!(
                "what was known of {hook} did not hold for {}; it is not remembered any more",
                b.files.first().map_or("a file", String::as_str)
            )
        }
        K::InsightAuditCompleted => {
            let b: body::AuditCompleted = read(event)?;
            let counts: Vec<_> = ["critical", "high", "medium", "low"]
                .iter()
                .filter_map(|name| Some(format!("{} {name}", b.by_severity.get(*name)?)))
                .filter(|words| !words.starts_with("0 "))
                .collect();
            let found = if counts.is_empty() {
                "found nothing".to_owned()
            } else {
                format!("found {}", counts.join(", "))
            };
            let partial = if b.is_partial {
                " (some rules only)"
            } else {
                ""
            };
            format!(
                "audit {found}{partial}; {} not checked, {} ms",
                b.not_checked, b.duration_ms
            )
        }
        K::ExternalEventReceived => {
            let b: body::ExternalEvent = read(event)?;
            format!("{} from {}", b.event_type, b.source)
        }
    })
}

/// Says how many there are of `noun`, whose plural ends in `s`.
pub(crate) fn counted<N: Copy + Display + PartialEq + From<u8>>(n: N, noun: &str) -> String {
    let s = if n == N::from(1) { "" } else { "s" };
    format!("{n} {noun}{s}")
}

/// Takes the full stop off a sentence that goes on here.
fn bare(sentence: &str) -> &str {
    sentence.strip_suffix('.').unwrap_or(sentence)
}

fn read<P: DeserializeOwned>(event: &Event) -> Option<P> {
    event.payload().ok()
}

/// Shortens an object id or digest to what a person compares.
pub(crate) fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

/// Says a duration the way a person would.
pub(crate) fn elapsed(elapsed_ms: u64) -> String {
    match elapsed_ms {
        0..1_000 => format!("{elapsed_ms} ms"),
        1_000..60_000 => format!("{}.{} s", elapsed_ms / 1_000, elapsed_ms % 1_000 / 100),
        _ => format!(
            "{} min {} s",
            elapsed_ms / 60_000,
            elapsed_ms % 60_000 / 1_000
        ),
    }
}

fn put_back(files: &[String], references: &[String]) -> String {
    some(&files.iter().chain(references).cloned().collect::<Vec<_>>())
}

fn some(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = names
        .iter()
        .take(SHOWN)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > SHOWN {
        format!("{shown} and {} more", names.len() - SHOWN)
    } else {
        shown
    }
}

fn list(seqs: &[tradewind_core::Seq]) -> String {
    seqs.iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tradewind_core::{Draft, Seq};

    #[test]
    fn a_body_of_a_shape_that_this_program_does_not_know_is_shown_raw() {
        let draft = Draft::raw(
            EventKind::RepoTagCreated,
            jiff::Timestamp::UNIX_EPOCH,
            &serde_json::json!({"x": 1}),
        )
        .unwrap();
        let event = Event {
            seq: Seq(1),
            kind: draft.kind,
            schema: 99,
            occurred_at: draft.occurred_at,
            recorded_at: draft.occurred_at,
            cause: None,
            correlation: Seq(1),
            subject: String::new(),
            repository: None,
            data: Some(draft.data),
        };
        assert_eq!(describe(&event), r#"{"x":1}"#);
    }
}
