//! Writes what was found as drafts of events.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tradewind_core::payload::{
    BranchCreated, BranchDeleted, BranchRewritten, BranchUpdated, ChangeMerged, CommitCreated,
    HeadSwitched, Payload, TagCreated, TagDeleted, TagMoved,
};
use tradewind_core::{Draft, DraftError, RepositoryId};

use super::counts::Counted;
use super::walk::Commit;
use super::{Change, Found};
use crate::oid::Oid;
use crate::refs::{BRANCHES, Head, Maker, short_name};

pub(super) struct Writer {
    repository: RepositoryId,
    now: Timestamp,
    maker: Maker,
    found: Vec<Found>,
}

impl Writer {
    pub(super) fn new(repository: RepositoryId, now: Timestamp) -> Self {
        Self {
            repository,
            now,
            maker: Maker::Unknown,
            found: Vec::new(),
        }
    }

    /// Says who did what is written from here on.
    pub(super) fn made_by(&mut self, maker: Maker) {
        self.maker = maker;
    }

    pub(super) fn finish(self) -> Vec<Found> {
        self.found
    }

    fn draft(&self, subject: &str, body: &impl Payload) -> Result<Draft, DraftError> {
        Ok(Draft::new(self.now, body)?
            .about(subject)
            .in_repository(self.repository))
    }

    fn push(&mut self, subject: &str, body: &impl Payload) -> Result<(), DraftError> {
        let draft = self.draft(subject, body)?;
        self.put(draft);
        Ok(())
    }

    fn put(&mut self, draft: Draft) {
        let maker = self.maker;
        self.found.push(Found { draft, maker });
    }

    pub(super) fn commit(
        &mut self,
        commit: &Commit,
        files_changed: Option<u64>,
    ) -> Result<(), DraftError> {
        let id = commit.oid.to_string();
        let parents: Vec<String> = commit.parents.iter().map(Oid::to_string).collect();
        let merged: Vec<String> = parents.iter().skip(1).cloned().collect();
        let body = CommitCreated {
            id: id.clone(),
            parents,
            author: commit.author.clone(),
            authored_at: commit.authored_at,
            committed_at: commit.committed_at,
            title: commit.title.clone(),
            reference: commit.reference.clone(),
            files_changed,
        };
        let key = format!("commit/{}/{id}", self.repository);
        self.put(self.draft(&id, &body)?.with_key(key));
        if merged.is_empty() {
            return Ok(());
        }
        let reference = commit.reference.as_deref();
        let branch = reference
            .and_then(|name| name.strip_prefix(BRANCHES))
            .map(str::to_owned);
        let key = format!("merge/{}/{id}", self.repository);
        let body = ChangeMerged {
            id: id.clone(),
            branch,
            merged,
            title: commit.title.clone(),
        };
        self.put(self.draft(&id, &body)?.with_key(key));
        Ok(())
    }

    pub(super) fn branch(
        &mut self,
        name: &str,
        change: Change,
        counted: Option<&Counted>,
    ) -> Result<(), DraftError> {
        let branch = short_name(name).to_owned();
        match change {
            Change::Created(to) => self.push(
                name,
                &BranchCreated {
                    branch,
                    to: to.to_string(),
                },
            ),
            Change::Deleted(from) => self.push(
                name,
                &BranchDeleted {
                    branch,
                    from: from.to_string(),
                },
            ),
            Change::Moved { from, to } => {
                let (from, to) = (from.to_string(), to.to_string());
                if let Some(Counted { gained, dropped: 0 }) = counted {
                    let commits = *gained;
                    return self.push(
                        name,
                        &BranchUpdated {
                            branch,
                            from,
                            to,
                            commits,
                        },
                    );
                }
                // Uncounted: the old tip is missing or history is; that is no plain step on.
                let dropped = counted.map_or(0, |counted| counted.dropped);
                self.push(
                    name,
                    &BranchRewritten {
                        branch,
                        from,
                        to,
                        dropped,
                    },
                )
            }
        }
    }

    pub(super) fn tag(
        &mut self,
        name: &str,
        change: Change,
        peeled: &BTreeMap<Oid, Oid>,
    ) -> Result<(), DraftError> {
        let tag = short_name(name).to_owned();
        let target = |oid: Oid| peeled.get(&oid).copied().unwrap_or(oid);
        match change {
            Change::Created(to) => self.push(
                name,
                &TagCreated {
                    tag,
                    to: target(to).to_string(),
                },
            ),
            Change::Deleted(from) => self.push(
                name,
                &TagDeleted {
                    tag,
                    from: target(from).to_string(),
                },
            ),
            // A tag that was written anew for the same commit did not move.
            Change::Moved { from, to } if target(from) == target(to) => Ok(()),
            Change::Moved { from, to } => {
                let (from, to) = (target(from).to_string(), target(to).to_string());
                self.push(name, &TagMoved { tag, from, to })
            }
        }
    }

    pub(super) fn head(&mut self, before: &Head, after: &Head) -> Result<(), DraftError> {
        let body = HeadSwitched {
            from: Some(before.short()),
            to: after.short(),
        };
        self.push("HEAD", &body)
    }
}
