//! The bodies of events, one type per kind.
//!
//! Why here: the four parts never import each other, yet all read what the others did; a body's
//! shape is therefore a word of the common language. Times are RFC 3339 UTC, paths use `/`,
//! durations carry their unit in the field's name. A field may be added with a default; anything else
//! raises the schema version in [`crate::kind`]. Text in bodies may come from outside: never evaluate it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::Seq;
use crate::kind::EventKind;

/// A typed body: knows which kind of event it is the body of.
pub trait Payload: Serialize {
    /// Returns the kind of event this is the body of.
    fn kind(&self) -> EventKind;
}

macro_rules! bodies {
    ($($(#[$doc:meta])+ $kind:ident as $name:ident { $($(#[$field_doc:meta])+ $field:ident: $ty:ty,)* })+) => {
        $(
            $(#[$doc])+
            #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
            pub struct $name {
                $($(#[$field_doc])+ pub $field: $ty,)*
            }

            impl Payload for $name {
                fn kind(&self) -> EventKind {
                    EventKind::$kind
                }
            }
        )+
    };
}

/// One finding of an audit, as far as the next one needs it to compare.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditFinding {
    /// Who it is: equal in each audit that finds it, although lines move.
    pub identity: String,
    /// The rule.
    pub rule: String,
    /// Its title, cut; text of the repository may stand in it.
    pub title: String,
}

bodies! {
    /// Body of `journal.store.opened`.
    JournalStoreOpened as StoreOpened {
        /// Version of the program that opened it.
        version: String,
        /// Version of the store's layout.
        layout: u32,
        /// Version of the SQLite library.
        sqlite: String,
    }
    /// Body of `journal.store.migrated`.
    JournalStoreMigrated as StoreMigrated {
        /// Layout before.
        from: u32,
        /// Layout now.
        to: u32,
        /// File name, in the state directory, of the copy made before.
        backup: String,
    }
    /// Body of `journal.range.pruned`.
    JournalRangePruned as RangePruned {
        /// First event that went.
        first: Seq,
        /// Last event that went.
        last: Seq,
        /// Chain hash of the last one, lower-case hexadecimal: verification starts from it.
        anchor: String,
    }
    /// Body of `journal.payload.erased`.
    JournalPayloadErased as PayloadErased {
        /// Events whose bodies were erased.
        events: Vec<Seq>,
        /// Why, in the words of whoever asked.
        reason: String,
    }
    /// Body of `journal.backup.created`.
    JournalBackupCreated as BackupCreated {
        /// Where the copy is.
        path: String,
        /// Last event in it.
        last: Seq,
    }
    /// Body of `journal.backup.loaded`.
    JournalBackupLoaded as BackupLoaded {
        /// Where it was read from.
        path: String,
        /// Last event of the backup; what came after it is gone from this store.
        last: Seq,
    }

    /// Body of `daemon.process.started`.
    DaemonProcessStarted as ProcessStarted {
        /// Version of the program.
        version: String,
        /// Process id.
        pid: u32,
        /// Address the listener is bound to.
        listen: String,
    }
    /// Body of `daemon.process.stopped`.
    DaemonProcessStopped as ProcessStopped {
        /// Why it ended.
        reason: String,
        /// Tasks that did not end before the deadline.
        unfinished: Vec<String>,
    }
    /// Body of `daemon.task.restarted`.
    DaemonTaskRestarted as TaskRestarted {
        /// Name of the task.
        task: String,
        /// What ended it.
        error: String,
        /// How often it was started again since it last ran well.
        attempt: u32,
        /// Pause before the new start.
        backoff_ms: u64,
    }
    /// Body of `daemon.clock.stepped`.
    DaemonClockStepped as ClockStepped {
        /// How far the wall clock moved beyond the time that passed; negative is backwards.
        step_ms: i64,
    }

    /// Body of `repo.repository.registered`.
    RepoRepositoryRegistered as RepositoryRegistered {
        /// Absolute path of the work tree, or of the git directory of a bare repository.
        path: String,
        /// Branch or commit at HEAD; null when no commit exists yet.
        head: Option<String>,
        /// Commits reachable when it was registered; those are history, not news.
        commits: u64,
    }
    /// Body of `repo.repository.moved`.
    RepoRepositoryMoved as RepositoryMoved {
        /// Path before.
        from: String,
        /// Path now.
        to: String,
    }
    /// Body of `repo.repository.lost`.
    RepoRepositoryLost as RepositoryLost {
        /// Path where it was.
        path: String,
        /// What was found there instead.
        error: String,
    }
    /// Body of `repo.repository.removed`.
    RepoRepositoryRemoved as RepositoryRemoved {
        /// Path where it is.
        path: String,
    }
    /// Body of `repo.watch.degraded`.
    RepoWatchDegraded as WatchDegraded {
        /// Why notices do not work.
        error: String,
        /// How often the work tree is polled instead.
        poll_ms: u64,
    }
    /// Body of `repo.commit.created`.
    RepoCommitCreated as CommitCreated {
        /// Object id.
        id: String,
        /// Parents, first parent first.
        parents: Vec<String>,
        /// Author's name as recorded, invalid bytes replaced.
        author: String,
        /// When the author says it was written.
        authored_at: Timestamp,
        /// When the committer says it was committed.
        committed_at: Timestamp,
        /// First line of the message, at most 200 characters.
        title: String,
        /// Reference that it was first seen on; null when it was already unreachable.
        reference: Option<String>,
        /// Files changed against the first parent; null when not counted.
        files_changed: Option<u64>,
    }
    /// Body of `repo.change.merged`.
    RepoChangeMerged as ChangeMerged {
        /// Object id of the merge commit.
        id: String,
        /// Branch that it was merged into; null when not on a branch.
        branch: Option<String>,
        /// Parents beyond the first: what was merged.
        merged: Vec<String>,
        /// First line of the message.
        title: String,
    }
    /// Body of `repo.branch.created`.
    RepoBranchCreated as BranchCreated {
        /// Short name.
        branch: String,
        /// Object id it points to.
        to: String,
    }
    /// Body of `repo.branch.updated`.
    RepoBranchUpdated as BranchUpdated {
        /// Short name.
        branch: String,
        /// Object id before.
        from: String,
        /// Object id now.
        to: String,
        /// How many commits `to` has that `from` has not.
        commits: u64,
    }
    /// Body of `repo.branch.rewritten`.
    RepoBranchRewritten as BranchRewritten {
        /// Short name.
        branch: String,
        /// Object id before.
        from: String,
        /// Object id now.
        to: String,
        /// How many commits of `from` are no longer on the branch.
        dropped: u64,
    }
    /// Body of `repo.branch.deleted`.
    RepoBranchDeleted as BranchDeleted {
        /// Short name.
        branch: String,
        /// Object id it pointed to.
        from: String,
    }
    /// Body of `repo.tag.created`.
    RepoTagCreated as TagCreated {
        /// Short name.
        tag: String,
        /// Object id it points to.
        to: String,
    }
    /// Body of `repo.tag.moved`.
    RepoTagMoved as TagMoved {
        /// Short name.
        tag: String,
        /// Object id before.
        from: String,
        /// Object id now.
        to: String,
    }
    /// Body of `repo.tag.deleted`.
    RepoTagDeleted as TagDeleted {
        /// Short name.
        tag: String,
        /// Object id it pointed to.
        from: String,
    }
    /// Body of `repo.head.switched`.
    RepoHeadSwitched as HeadSwitched {
        /// Branch, or object id when detached, before; null when there was none.
        from: Option<String>,
        /// Branch, or object id when detached, now.
        to: String,
    }
    /// Body of `repo.worktree.changed`.
    RepoWorktreeChanged as WorktreeChanged {
        /// How many tracked files differ from the last look.
        modified: u64,
        /// How many files appeared.
        added: u64,
        /// How many files went away.
        deleted: u64,
        /// The first paths of them, at most 50.
        paths: Vec<String>,
    }
    /// Body of `repo.files.deleted`.
    RepoFilesDeleted as FilesDeleted {
        /// How many tracked files are gone from the work tree.
        deleted: u64,
        /// How many are tracked in all.
        tracked: u64,
        /// The first paths of them, at most 50.
        paths: Vec<String>,
    }
    /// Body of `repo.files.restored`.
    RepoFilesRestored as FilesRestored {
        /// How many files are back.
        restored: u64,
    }

    /// Body of `engine.config.loaded`.
    EngineConfigLoaded as ConfigLoaded {
        /// Digest of the file's content.
        digest: String,
        /// Names of the rules and the mode of each.
        rules: BTreeMap<String, String>,
        /// Whether a person has allowed what it would execute.
        is_trusted: bool,
    }
    /// Body of `engine.config.rejected`.
    EngineConfigRejected as ConfigRejected {
        /// Digest of the file's content.
        digest: String,
        /// Every mistake found, with line and column.
        errors: Vec<String>,
    }
    /// Body of `engine.config.trusted`.
    EngineConfigTrusted as ConfigTrusted {
        /// Digest of the file's content.
        digest: String,
    }
    /// Body of `engine.rule.shadowed`.
    EngineRuleShadowed as RuleShadowed {
        /// Name of the rule.
        rule: String,
        /// Name of the action it would have requested.
        action: String,
        /// What that action would have done, in one sentence.
        summary: String,
    }
    /// Body of `engine.rule.held`.
    EngineRuleHeld as RuleHeld {
        /// Name of the rule.
        rule: String,
        /// Why nothing was done.
        reason: HeldReason,
        /// The reason in one sentence.
        detail: String,
    }
    /// Body of `engine.rule.failed`.
    EngineRuleFailed as RuleFailed {
        /// Name of the rule.
        rule: String,
        /// What went wrong.
        error: String,
    }
    /// Body of `engine.proposal.opened`.
    EngineProposalOpened as ProposalOpened {
        /// Name of the rule.
        rule: String,
        /// Name of the action.
        action: String,
        /// Arguments of the action.
        arguments: serde_json::Value,
        /// What it will do, in one sentence.
        summary: String,
        /// Whether and how it can be taken back.
        reversibility: Reversibility,
        /// After this it is no longer acted on.
        expires_at: Timestamp,
    }
    /// Body of `engine.proposal.approved`.
    EngineProposalApproved as ProposalApproved {
        /// The event that opened it.
        proposal: Seq,
        /// Who said so.
        by: String,
    }
    /// Body of `engine.proposal.rejected`.
    EngineProposalRejected as ProposalRejected {
        /// The event that opened it.
        proposal: Seq,
        /// Who said so.
        by: String,
        /// Why; may be empty.
        reason: String,
    }
    /// Body of `engine.proposal.expired`.
    EngineProposalExpired as ProposalExpired {
        /// The event that opened it.
        proposal: Seq,
    }
    /// Body of `engine.action.requested`.
    EngineActionRequested as ActionRequested {
        /// Name of the rule; empty when a person asked.
        rule: String,
        /// Name of the action.
        action: String,
        /// Arguments of the action.
        arguments: serde_json::Value,
        /// What it will do, in one sentence.
        summary: String,
        /// Whether and how it can be taken back.
        reversibility: Reversibility,
    }
    /// Body of `engine.action.succeeded`.
    EngineActionSucceeded as ActionSucceeded {
        /// The event that requested it.
        request: Seq,
        /// How long it took.
        elapsed_ms: u64,
        /// What came of it, in one sentence.
        summary: String,
        /// Machine-readable results of the action, such as an exit code.
        output: serde_json::Value,
        /// Id of the recorded preimages when it can be undone.
        operation: Option<String>,
    }
    /// Body of `engine.action.failed`.
    EngineActionFailed as ActionFailed {
        /// The event that requested it.
        request: Seq,
        /// How long it took.
        elapsed_ms: u64,
        /// What went wrong, in one sentence.
        error: String,
        /// Machine-readable results of the action, such as an exit code.
        output: serde_json::Value,
        /// Id of the recorded preimages when what it did before failing can be undone.
        operation: Option<String>,
    }
    /// Body of `engine.action.abandoned`.
    EngineActionAbandoned as ActionAbandoned {
        /// The event that requested it.
        request: Seq,
        /// Why it is not run again.
        reason: String,
        /// Id of the recorded preimages when what it did can be undone.
        operation: Option<String>,
    }
    /// Body of `engine.action.undone`.
    EngineActionUndone as ActionUndone {
        /// The event that requested the action.
        request: Seq,
        /// Id of the recorded preimages.
        operation: String,
        /// Files that were put back.
        files: Vec<String>,
        /// References that were put back.
        references: Vec<String>,
    }
    /// Body of `engine.action.redone`.
    EngineActionRedone as ActionRedone {
        /// The event that requested the action.
        request: Seq,
        /// Id of the recorded preimages.
        operation: String,
        /// Files that were changed again.
        files: Vec<String>,
        /// References that were changed again.
        references: Vec<String>,
    }
    /// Body of `engine.file.restored`.
    EngineFileRestored as FileRestored {
        /// Path in the repository.
        path: String,
        /// Where the content came from: a commit id or an operation id.
        origin: String,
        /// Id of the recorded preimages: a restore can be undone.
        operation: String,
    }
    /// Body of `engine.acting.paused`.
    EngineActingPaused as ActingPaused {
        /// Who said so.
        by: String,
        /// Why; may be empty.
        reason: String,
    }
    /// Body of `engine.acting.resumed`.
    EngineActingResumed as ActingResumed {
        /// Who said so.
        by: String,
    }
    /// Body of `quota.window.exhausted`.
    QuotaWindowExhausted as WindowExhausted {
        /// Whose window: a provider, or a host that is rationed by configuration.
        provider: String,
        /// Id of the window.
        window: String,
        /// How many units it has.
        limit: u64,
        /// Time until the first of them is free again.
        free_in_ms: u64,
    }
    /// Body of `quota.limit.corrected`.
    QuotaLimitCorrected as LimitCorrected {
        /// Whose window.
        provider: String,
        /// Id of the window.
        window: String,
        /// The limit that was in force.
        from: u64,
        /// The limit that an answer named.
        to: u64,
    }
    /// Body of `quota.provider.banned`.
    QuotaProviderBanned as ProviderBanned {
        /// Who shut us out.
        provider: String,
        /// Whether the address is shut out, or one key.
        by_address: bool,
        /// For how long from now on.
        wait_ms: u64,
        /// How many bans there were in a row.
        bans: u32,
    }
    /// Body of `quota.key.refused`.
    QuotaKeyRefused as KeyRefused {
        /// Who refused it.
        provider: String,
        /// `auth` when the key is missing or wrong, `plan` when its plan does not have what was asked.
        class: String,
    }
    /// Body of `quota.breaker.opened`.
    QuotaBreakerOpened as BreakerOpened {
        /// Who failed.
        provider: String,
        /// Failures in a row.
        failures: u32,
        /// Time until a probe is sent.
        wait_ms: u64,
    }
    /// Body of `quota.breaker.closed`.
    QuotaBreakerClosed as BreakerClosed {
        /// Who answers again.
        provider: String,
    }
    /// Body of `quota.ledger.recovered`.
    QuotaLedgerRecovered as LedgerRecovered {
        /// Leases that were open.
        open_leases: u64,
        /// Units in them; all count as spent now.
        units: u64,
        /// Whether the machine was started anew, or the time since cannot be known: then everything that
        /// the ledger holds is charged for a full window from now on.
        is_time_in_doubt: bool,
    }

    /// Body of `delivery.exception.granted`.
    DeliveryExceptionGranted as ExceptionGranted {
        /// Paths from the root, files or folders.
        paths: Vec<String>,
        /// Why, in the words of whoever granted it.
        reason: String,
        /// Who granted it.
        by: String,
        /// The commit that `HEAD` was at; none before the first one. Without `until`, the exception is spent as soon as
        /// `HEAD` is elsewhere.
        head: Option<String>,
        /// Until when it counts; none for the next commit only.
        until: Option<Timestamp>,
    }

    /// Body of `delivery.verdict.refuted`.
    DeliveryVerdictRefuted as VerdictRefuted {
        /// The hook, by id; none for a check of our own, which is a bug.
        hook: Option<String>,
        /// Files of which it was known to find nothing, some of them.
        files: Vec<String>,
        /// What it said when it was asked again; bounded.
        said: String,
    }

    /// Body of `insight.audit.completed`.
    InsightAuditCompleted as AuditCompleted {
        /// Where the repository is.
        path: String,
        /// The commit that was looked at; none before the first one.
        commit: Option<String>,
        /// Whether files were read as they lie in the work tree.
        is_work_tree: bool,
        /// Whether some rules were left aside, so that an absent finding says nothing.
        is_partial: bool,
        /// Findings by severity: `critical`, `high`, `medium`, `low`. Known and suppressed ones are not counted.
        by_severity: BTreeMap<String, u64>,
        /// Findings by rule.
        by_rule: BTreeMap<String, u64>,
        /// The findings, the most important first, known and suppressed ones too; bounded.
        findings: Vec<AuditFinding>,
        /// Findings beyond that bound.
        more_findings: u64,
        /// Questions that could not be decided.
        not_checked: u64,
        /// How long it took.
        duration_ms: u64,
    }
}

/// Why a rule that matched did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HeldReason {
    /// Its `limit` is reached for this window.
    Limit,
    /// Acting rules are paused.
    Paused,
    /// The configuration has not been trusted.
    Untrusted,
    /// The event was caused by the rule's own action.
    Loop,
    /// The chain of causes is longer than allowed.
    Depth,
    /// The event lies too far in the past to act on.
    Stale,
}

/// Whether and how an action can be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reversibility {
    /// `undo` restores the state before, byte for byte.
    Reversible,
    /// Another action makes up for it; traces stay.
    Compensable,
    /// It cannot be taken back: a message sent, a push.
    Irreversible,
    /// It changes nothing outside the journal.
    Harmless,
}

/// Body of `external.event.received`: a foreign event as it came.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExternalEvent {
    /// The sender's own type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The sender's own name.
    pub source: String,
    /// The sender's own id, unique within its source.
    pub id: String,
    /// Further attributes of the sender, as text.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extensions: BTreeMap<String, String>,
    /// Media type of the data when the sender said one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datacontenttype: Option<String>,
    /// The data when it is JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Box<RawValue>>,
    /// The data in base64 when it is not JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_base64: Option<String>,
}

impl Payload for ExternalEvent {
    fn kind(&self) -> EventKind {
        EventKind::ExternalEventReceived
    }
}
