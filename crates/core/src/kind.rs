//! The closed list of everything that can happen.
//!
//! Why closed: a rule, a projection and a reader in two years must be able to know every kind there
//! is. A name is `<part>.<noun>.<past verb>`; it never changes once released. Each kind has a schema
//! version, raised when its payload changes shape; payloads are in [`crate::payload`].
//! Not here: kinds that nobody emits yet. A foreign event keeps its own type inside
//! [`EventKind::ExternalEventReceived`] and never becomes one of these.

use std::fmt;
use std::str::FromStr;

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal, $schema:literal;)+) => {
        /// What happened.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum EventKind {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl EventKind {
            /// Every kind, in the order of this file.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Returns the kind's name, as it stands in the journal and on the wire.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// Returns the schema version that this program writes for the kind; 1 or more.
            pub const fn schema(self) -> u16 {
                match self {
                    $(Self::$variant => $schema,)+
                }
            }

            /// Returns one sentence on what the kind means, for `--help` and the reference.
            pub const fn doc(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($($doc),+),)+
                }
            }
        }

        impl FromStr for EventKind {
            type Err = UnknownKind;

            fn from_str(name: &str) -> Result<Self, UnknownKind> {
                match name {
                    $($name => Ok(Self::$variant),)+
                    _ => Err(UnknownKind(name.to_owned())),
                }
            }
        }
    };
}

kinds! {
    /// The store was opened for writing by a process.
    JournalStoreOpened = "journal.store.opened", 1;
    /// The store's layout was brought up to this program's version.
    JournalStoreMigrated = "journal.store.migrated", 1;
    /// Old events were removed by retention; the chain verifies from here on.
    JournalRangePruned = "journal.range.pruned", 1;
    /// A payload that held a secret was replaced by a tombstone.
    JournalPayloadErased = "journal.payload.erased", 1;
    /// A copy of the store was written.
    JournalBackupCreated = "journal.backup.created", 1;
    /// The store's content was replaced by a backup.
    JournalBackupLoaded = "journal.backup.loaded", 1;

    /// The daemon began to run.
    DaemonProcessStarted = "daemon.process.started", 1;
    /// The daemon ended in an orderly way.
    DaemonProcessStopped = "daemon.process.stopped", 1;
    /// A task of the daemon panicked or failed and is started again.
    DaemonTaskRestarted = "daemon.task.restarted", 1;
    /// The wall clock jumped, or the machine slept.
    DaemonClockStepped = "daemon.clock.stepped", 1;

    /// A repository was put under the daemon's watch.
    RepoRepositoryRegistered = "repo.repository.registered", 1;
    /// A registered repository was found at another path.
    RepoRepositoryMoved = "repo.repository.moved", 1;
    /// A registered repository is not where it was.
    RepoRepositoryLost = "repo.repository.lost", 1;
    /// A repository was taken off the daemon's watch.
    RepoRepositoryRemoved = "repo.repository.removed", 1;
    /// File change notices do not work here; the work tree is polled instead.
    RepoWatchDegraded = "repo.watch.degraded", 1;
    /// A commit became reachable from a branch, a tag or HEAD.
    RepoCommitCreated = "repo.commit.created", 1;
    /// A merge brought two lines of history together (CDEvents: change merged).
    RepoChangeMerged = "repo.change.merged", 1;
    /// A branch appeared (CDEvents: branch created).
    RepoBranchCreated = "repo.branch.created", 1;
    /// A branch moved forward.
    RepoBranchUpdated = "repo.branch.updated", 1;
    /// A branch moved to a commit that does not contain the former one: rebase, amend, reset.
    RepoBranchRewritten = "repo.branch.rewritten", 1;
    /// A branch went away (CDEvents: branch deleted).
    RepoBranchDeleted = "repo.branch.deleted", 1;
    /// A tag appeared.
    RepoTagCreated = "repo.tag.created", 1;
    /// A tag points to something else than before.
    RepoTagMoved = "repo.tag.moved", 1;
    /// A tag went away.
    RepoTagDeleted = "repo.tag.deleted", 1;
    /// HEAD names another branch or commit than before: a checkout.
    RepoHeadSwitched = "repo.head.switched", 1;
    /// The work tree differs from what was last seen, and has been quiet since.
    RepoWorktreeChanged = "repo.worktree.changed", 1;
    /// Many tracked files vanished from the work tree at once.
    RepoFilesDeleted = "repo.files.deleted", 1;
    /// Files that had vanished together are back.
    RepoFilesRestored = "repo.files.restored", 1;

    /// A configuration was read and is in force.
    EngineConfigLoaded = "engine.config.loaded", 1;
    /// A configuration has mistakes; the one before stays in force.
    EngineConfigRejected = "engine.config.rejected", 1;
    /// A person read what a configuration would execute and allowed it.
    EngineConfigTrusted = "engine.config.trusted", 1;
    /// A rule in shadow mode matched; this is what it would have done.
    EngineRuleShadowed = "engine.rule.shadowed", 1;
    /// A rule matched but did nothing: over its limit, paused, untrusted, or a loop.
    EngineRuleHeld = "engine.rule.held", 1;
    /// A rule could not be evaluated on an event.
    EngineRuleFailed = "engine.rule.failed", 1;
    /// A rule in propose mode matched and waits for a person.
    EngineProposalOpened = "engine.proposal.opened", 1;
    /// A person said yes to a proposal.
    EngineProposalApproved = "engine.proposal.approved", 1;
    /// A person said no to a proposal.
    EngineProposalRejected = "engine.proposal.rejected", 1;
    /// A proposal grew too old to act on.
    EngineProposalExpired = "engine.proposal.expired", 1;
    /// An action is about to run; written before it has any effect.
    EngineActionRequested = "engine.action.requested", 1;
    /// An action did what it was asked.
    EngineActionSucceeded = "engine.action.succeeded", 1;
    /// An action ended without doing what it was asked.
    EngineActionFailed = "engine.action.failed", 1;
    /// An action was found half-finished at start and is not run again.
    EngineActionAbandoned = "engine.action.abandoned", 1;
    /// An action's effect was taken back.
    EngineActionUndone = "engine.action.undone", 1;
    /// An undone action's effect was put back.
    EngineActionRedone = "engine.action.redone", 1;
    /// A file was brought back from an earlier time.
    EngineFileRestored = "engine.file.restored", 1;
    /// Every acting rule was stopped.
    EngineActingPaused = "engine.acting.paused", 1;
    /// Acting rules may act again.
    EngineActingResumed = "engine.acting.resumed", 1;

    /// The units of a window of an hour or more are all spent.
    QuotaWindowExhausted = "quota.window.exhausted", 1;
    /// A provider says another limit than the one that was in force; its word holds.
    QuotaLimitCorrected = "quota.limit.corrected", 1;
    /// A provider shut us out for a time; nothing is sent to it before.
    QuotaProviderBanned = "quota.provider.banned", 1;
    /// A provider refused a key, or what the key's plan does not have; asking again does not help.
    QuotaKeyRefused = "quota.key.refused", 1;
    /// A provider failed again and again; calls are refused until a probe succeeds.
    QuotaBreakerOpened = "quota.breaker.opened", 1;
    /// A probe succeeded; calls pass again.
    QuotaBreakerClosed = "quota.breaker.closed", 1;
    /// The ledger was read back; what was open when the process ended counts as spent.
    QuotaLedgerRecovered = "quota.ledger.recovered", 1;

    /// A repository was audited: what was found, by severity and by rule.
    InsightAuditCompleted = "insight.audit.completed", 1;

    /// A person let a commit pass that the guard stops, and said why.
    DeliveryExceptionGranted = "delivery.exception.granted", 1;
    /// What was known of a hook did not hold when it was asked again; the hook is not remembered any more.
    DeliveryVerdictRefuted = "delivery.verdict.refuted", 1;

    /// An event of another system came in; its own type and data are in the payload.
    ExternalEventReceived = "external.event.received", 1;
}

impl EventKind {
    /// Returns the kinds whose names match `pattern`, in which `*` stands for any characters.
    ///
    /// An empty answer means that the pattern can never match, which is a mistake worth telling.
    pub fn matching(pattern: &str) -> Vec<Self> {
        Self::ALL
            .iter()
            .copied()
            .filter(|kind| matches(pattern.as_bytes(), kind.as_str().as_bytes()))
            .collect()
    }
}

/// Greedy wildcard match that steps back to the last `*` only, so its time is bounded by the product of the lengths.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while n < name.len() {
        if pattern.get(p) == Some(&b'*') {
            retry = Some((p + 1, n));
            p += 1;
        } else if pattern.get(p) == name.get(n) {
            p += 1;
            n += 1;
        } else if let Some((after_star, consumed)) = retry {
            retry = Some((after_star, consumed + 1));
            p = after_star;
            n = consumed + 1;
        } else {
            return false;
        }
    }
    pattern
        .get(p..)
        .is_some_and(|rest| rest.iter().all(|b| *b == b'*'))
}

/// A name that is no kind of this program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown event kind {0:?}")]
pub struct UnknownKind(pub String);

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl serde::Serialize for EventKind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for EventKind {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = std::borrow::Cow::<str>::deserialize(deserializer)?;
        name.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_a_part_a_noun_and_a_past_verb() {
        for kind in EventKind::ALL {
            let words: Vec<_> = kind.as_str().split('.').collect();
            assert_eq!(words.len(), 3, "{kind}");
            assert!(
                words
                    .iter()
                    .all(|w| !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase())),
                "{kind}"
            );
            assert!(kind.schema() >= 1, "{kind}");
            assert_eq!(kind.as_str().parse(), Ok(*kind));
        }
    }

    #[test]
    fn a_star_stands_for_any_characters() {
        assert_eq!(EventKind::matching("repo.tag.*").len(), 3);
        assert_eq!(
            EventKind::matching("repo.commit.created"),
            [EventKind::RepoCommitCreated]
        );
        assert_eq!(EventKind::matching("*").len(), EventKind::ALL.len());
        assert_eq!(
            EventKind::matching("*.created*"),
            EventKind::matching("*.created")
        );
        assert!(EventKind::matching("repo.tag").is_empty());
        assert!(EventKind::matching("").is_empty());
    }

    #[test]
    fn no_two_kinds_share_a_name() {
        let names: std::collections::BTreeSet<_> =
            EventKind::ALL.iter().map(|k| k.as_str()).collect();
        assert_eq!(names.len(), EventKind::ALL.len());
    }
}
