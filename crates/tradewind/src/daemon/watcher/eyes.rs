//! One look at one repository: what moved since the last one.
//!
//! Everything here may block (stat, git) and runs on threads that may. A look that finds nothing costs
//! a few stat calls for the references and one stat per file for the work tree.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::Timestamp;
use tradewind_core::payload::CommitCreated;
use tradewind_core::{Draft, EventKind, RepositoryId, Seq};
use tradewind_host::git::Git;
use tradewind_host::watch::WatchSpec;
use tradewind_journal::{Tx, TxError};
use tradewind_repo::RepoError;
use tradewind_repo::changes::{self, Found};
use tradewind_repo::fingerprint::Fingerprint;
use tradewind_repo::location::{self, Location};
use tradewind_repo::operation::{Operation, operation_in_progress};
use tradewind_repo::refs::{Maker, RefsView};
use tradewind_repo::worktree::deletions::{Deletions, Notice};
use tradewind_repo::worktree::{self, TreeView, watch_filter};

use super::super::{blocking, outside};
use crate::control::Controls;
use crate::place::CONFIG_FILE;
use crate::report::{Exit, Failure};
use crate::{registration, repositories};

/// Upper bound on folders watched where each costs a watch; beyond it the work tree is polled.
const MAX_WATCHES: usize = 16_384;
/// Folders looked into when a repository is gone.
const MAX_NEIGHBOURS: usize = 2_000;

/// How much a look takes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// References and configuration: cheap, at every hint.
    References,
    /// The work tree as well.
    Everything,
}

/// What a look found.
#[derive(Debug)]
pub(super) enum Look {
    /// The repository is not there.
    Gone {
        /// What is there instead.
        error: String,
    },
    /// It is there.
    Seen(Seen),
}

/// What moved.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Events about references, in causal order.
    pub(super) refs: Vec<Found>,
    /// Events about the work tree.
    pub(super) tree: Vec<Draft>,
    /// Whether `tradewind.toml` is another than before.
    pub(super) is_config_changed: bool,
    /// The view that the events in `refs` lead to.
    view: Option<RefsView>,
}

/// What is known of a repository from the looks before.
#[derive(Debug)]
pub(super) struct Eyes {
    id: RepositoryId,
    git: Git,
    location: Location,
    refs: RefsView,
    print: Option<Fingerprint>,
    tree: Option<TreeView>,
    deletions: Deletions,
    config: Option<(u64, Option<SystemTime>)>,
}

impl Eyes {
    /// Opens a repository that is on the list; none when it is on it no more.
    pub(super) async fn open(
        controls: &Controls,
        id: RepositoryId,
    ) -> Result<Option<Self>, Failure> {
        let Some((path, refs)) = registration::lookup(controls, id).await? else {
            return Ok(None);
        };
        let git = controls.git().clone();
        blocking(move || {
            let location = Location::find(&git, &path).map_err(|e| outside(&e))?;
            if location::peek_identity(&location)
                .map_err(|e| outside(&e))?
                .is_some_and(|there| there != id)
            {
                return Err(Failure::new(
                    Exit::Outside,
                    format!("another repository is at {}", path.display()),
                ));
            }
            let refs = serde_json::from_slice(&refs).map_err(|e| outside(&e))?;
            let config = stamp(&location);
            Ok(Some(Self {
                id,
                git,
                location,
                refs,
                print: None,
                tree: None,
                deletions: Deletions::default(),
                config,
            }))
        })
        .await?
    }

    /// Returns the top of the repository.
    pub(super) fn top(&self) -> &Path {
        &self.location.top
    }

    /// Looks once.
    pub(super) async fn look(
        mut self,
        scope: Scope,
        now: Timestamp,
    ) -> Result<(Self, Look), Failure> {
        blocking(move || {
            let look = match self.see(scope, now) {
                Ok(seen) => Look::Seen(seen),
                Err(error) if !self.location.exists() => Look::Gone {
                    error: error.to_string(),
                },
                Err(error) => return Err(outside(&error)),
            };
            Ok((self, look))
        })
        .await?
    }

    fn see(&mut self, scope: Scope, now: Timestamp) -> Result<Seen, RepoError> {
        if !self.location.exists() {
            return Err(RepoError::Gone {
                path: self.location.top.clone(),
            });
        }
        let mut seen = Seen::default();
        let config = stamp(&self.location);
        seen.is_config_changed = config != self.config;
        self.config = config;
        let print = Fingerprint::take(&self.location, self.print.as_ref(), now);
        if !self
            .print
            .as_ref()
            .is_some_and(|before| before.has_same_refs(&print))
        {
            let view = self.refs.look_again(&self.git, &self.location)?;
            if view != self.refs {
                let found =
                    changes::between(&self.git, &self.location, self.id, &self.refs, &view, now)?;
                for problem in &found.problems {
                    tracing::warn!(repository = %self.id, problem, "part of the repository cannot be read");
                }
                seen.refs = found.found;
                seen.view = Some(view);
            }
        }
        self.print = Some(print);
        if scope == Scope::Everything {
            self.see_tree(&mut seen, now)?;
        }
        Ok(seen)
    }

    fn see_tree(&mut self, seen: &mut Seen, now: Timestamp) -> Result<(), RepoError> {
        let operation = operation_in_progress(&self.location);
        if operation.is_some_and(Operation::is_transient) && self.tree.is_some() {
            // git is writing right now; the notice that it is done brings the next look.
            return Ok(());
        }
        let view = TreeView::scan(&self.git, &self.location, self.tree.as_ref(), now)?;
        match &self.tree {
            None => self.deletions = Deletions::new(&view),
            Some(before) => {
                let diff = worktree::diff(before, &view);
                if !diff.is_empty() {
                    seen.tree.push(Draft::new(now, &diff.to_payload())?);
                }
                match self.deletions.update(&view, operation) {
                    Some(Notice::Deleted(body)) => seen.tree.push(Draft::new(now, &body)?),
                    Some(Notice::Restored(body)) => seen.tree.push(Draft::new(now, &body)?),
                    None => {}
                }
            }
        }
        self.tree = Some(view);
        Ok(())
    }

    /// Journals what was found, together with the view that it leads to.
    pub(super) async fn journal(&mut self, controls: &Controls, seen: Seen) -> Result<(), Failure> {
        let Seen {
            refs, tree, view, ..
        } = seen;
        if refs.is_empty() && tree.is_empty() && view.is_none() {
            return Ok(());
        }
        // What an action of ours did is its effect, and must not look like a person's doing.
        let id = self.id;
        // Where no log tells whose it is, the time must.
        let of_refs = controls.engine().cause_of_changes(id, newest_commit(&refs));
        let of_tree = controls.engine().cause_of_changes(id, None);
        let serialized = view.as_ref().map(registration::serialize).transpose()?;
        controls
            .journal()
            .transact(move |tx| {
                for Found { draft, maker } in refs {
                    let cause = match maker {
                        Maker::Request(request) => requested(tx, id, request)?,
                        Maker::Other => None,
                        Maker::Unknown => of_refs,
                    };
                    append(tx, id, draft, cause)?;
                }
                for draft in tree {
                    append(tx, id, draft, of_tree)?;
                }
                match serialized {
                    Some(refs) => repositories::set_refs(tx, id, &refs),
                    None => Ok(()),
                }
            })
            .await
            .map_err(|e| outside(&e))?;
        if let Some(view) = view {
            self.refs = view;
        }
        Ok(())
    }

    /// Says which rules of ignoring [`Eyes::watch_spec`] stands on; another answer means that it is out of date.
    pub(super) fn ignore_state(&self) -> Option<u64> {
        self.tree.as_ref().map(TreeView::ignore_state)
    }

    /// Says what to listen to; that is known after the first look.
    pub(super) fn watch_spec(&self) -> Option<WatchSpec> {
        let Location {
            top,
            git_dir,
            common_dir,
            ..
        } = &self.location;
        let mut trees = BTreeSet::from([top.clone(), common_dir.clone(), git_dir.clone()]);
        // A tree inside another one is watched with it.
        let all = trees.clone();
        trees.retain(|tree| {
            !all.iter()
                .any(|other| other != tree && tree.starts_with(other))
        });
        let is_ignored = watch_filter(&self.location, self.tree.as_ref()?);
        Some(WatchSpec {
            trees: trees.into_iter().collect(),
            folders: Vec::new(),
            is_ignored,
            max_watches: MAX_WATCHES,
        })
    }
}

fn append(
    tx: &mut Tx<'_>,
    id: RepositoryId,
    draft: Draft,
    cause: Option<Seq>,
) -> Result<(), TxError> {
    let draft = draft.in_repository(id);
    let draft = match cause {
        Some(cause) => draft.caused_by(cause),
        None => draft,
    };
    tx.append(draft).map(drop)
}

/// Believes a mark only when it names a request in this repository: anybody can write into a reflog, and
/// after a backup was loaded its marks name other events.
fn requested(tx: &Tx<'_>, id: RepositoryId, request: Seq) -> Result<Option<Seq>, TxError> {
    let is_ours = tx.get(request)?.is_some_and(|event| {
        event.kind == EventKind::EngineActionRequested && event.repository == Some(id)
    });
    Ok(is_ours.then_some(request))
}

/// Returns when the newest of the commits among `found` was made; none when there is none.
fn newest_commit(found: &[Found]) -> Option<Timestamp> {
    found
        .iter()
        .map(|found| &found.draft)
        .filter(|draft| draft.kind == EventKind::RepoCommitCreated)
        .filter_map(|draft| serde_json::from_str::<CommitCreated>(draft.data.get()).ok())
        .map(|commit| commit.committed_at)
        .max()
}

/// Returns what shows that `tradewind.toml` was written.
fn stamp(location: &Location) -> Option<(u64, Option<SystemTime>)> {
    let meta = std::fs::metadata(location.top.join(CONFIG_FILE)).ok()?;
    Some((meta.len(), meta.modified().ok()))
}

/// Looks for the repository `id` beside and around its old place.
pub(super) fn find_moved(git: &Git, id: RepositoryId, old: &Path) -> Option<PathBuf> {
    let near = [old.parent(), old.parent().and_then(Path::parent)];
    near.into_iter().flatten().find_map(|folder| {
        let neighbours = std::fs::read_dir(folder)
            .ok()?
            .flatten()
            .take(MAX_NEIGHBOURS);
        neighbours.map(|entry| entry.path()).find_map(|path| {
            let marks = [
                path.join(".git").join(location::IDENTITY_FILE),
                path.join(location::IDENTITY_FILE),
            ];
            if !marks.iter().any(|mark| mark.is_file()) {
                return None;
            }
            let found = Location::find(git, &path).ok()?;
            (location::peek_identity(&found).ok().flatten() == Some(id)).then_some(found.top)
        })
    })
}
