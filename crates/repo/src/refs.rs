//! What the refs of a repository say at one moment.
//!
//! HEAD, branches and tags, read straight from the repository's files: no child process, some
//! microseconds for a usual repository. Repositories with the `reftable` store are asked through
//! git. Remote-tracking refs are left out on purpose: a commit that was fetched is news when it
//! reaches a branch, a tag or HEAD, not before.
//! A view also remembers how far each reflog went, so that [`crate::changes`] can find what was
//! visited between two looks, and the tips at registration, which are history and never news.
//! Not here: what changed between two views.

mod reflog;
mod store;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tradewind_host::git::Git;

pub use reflog::Maker;
pub(crate) use reflog::{Makers, makers, visited};

use crate::error::RepoError;
use crate::location::Location;
use crate::oid::Oid;

/// What HEAD names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Head {
    /// A ref, usually a branch (`refs/heads/main`); it need not exist yet.
    Ref(String),
    /// A commit.
    Detached(Oid),
}

impl Head {
    /// Returns the branch's short name, or the object id.
    pub fn short(&self) -> String {
        match self {
            Self::Ref(name) => short_name(name).to_owned(),
            Self::Detached(oid) => oid.to_string(),
        }
    }
}

/// Returns a ref's short name: without `refs/heads/` or `refs/tags/`.
pub fn short_name(name: &str) -> &str {
    name.strip_prefix(BRANCHES)
        .or_else(|| name.strip_prefix(TAGS))
        .unwrap_or(name)
}

/// What is checked out.
pub(crate) const HEAD: &str = "HEAD";
/// Where branches live.
pub(crate) const BRANCHES: &str = "refs/heads/";
/// Where tags live.
pub(crate) const TAGS: &str = "refs/tags/";

/// How far a reflog went, and its last entry, by which a rewritten log is noticed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LogEnd {
    /// Length of the file.
    pub(crate) bytes: u64,
    /// Object id of the last entry.
    pub(crate) to: Option<Oid>,
    /// Time of the last entry, in seconds since 1970, by the clock of whoever wrote it.
    pub(crate) at: i64,
}

/// What the refs say at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefsView {
    /// What HEAD names.
    pub head: Head,
    /// Branches and tags by full name; a tag's own object where it has one.
    pub refs: BTreeMap<String, Oid>,
    /// Commits at which the other work trees of this repository stand without a branch.
    pub other_heads: BTreeMap<String, Oid>,
    /// What could not be read, as sentences; such refs are missing from `refs`.
    pub problems: Vec<String>,
    /// Tips when the repository was first looked at.
    pub(crate) history: Vec<Oid>,
    /// Ends of the reflogs, by path below the common directory.
    pub(crate) logs: BTreeMap<String, LogEnd>,
}

impl RefsView {
    /// Takes the first look: everything that is reachable now is history.
    ///
    /// # Errors
    /// [`RepoError::Gone`] when HEAD cannot be read, [`RepoError::Git`].
    pub fn read(git: &Git, location: &Location) -> Result<Self, RepoError> {
        let mut view = store::read(git, location, None)?;
        view.history = view.tips().collect();
        view.history.sort_unstable();
        view.history.dedup();
        Ok(view)
    }

    /// Takes another look; what was history stays so.
    ///
    /// # Errors
    /// As for [`RefsView::read`].
    pub fn look_again(&self, git: &Git, location: &Location) -> Result<Self, RepoError> {
        let mut view = store::read(git, location, Some(self))?;
        view.history.clone_from(&self.history);
        Ok(view)
    }

    /// Returns the commit HEAD stands at; `None` when its branch has no commit yet.
    pub fn head_commit(&self) -> Option<Oid> {
        match &self.head {
            Head::Ref(name) => self.refs.get(name).copied(),
            Head::Detached(oid) => Some(*oid),
        }
    }

    /// Returns the short name of the branch at HEAD, when there is one.
    pub fn branch(&self) -> Option<&str> {
        match &self.head {
            Head::Ref(name) => name.strip_prefix(BRANCHES),
            Head::Detached(_) => None,
        }
    }

    /// Iterates over the last entries of the logs of branches and of HEAD, with the ref they are of.
    pub(crate) fn log_tips(&self) -> impl Iterator<Item = (&str, Oid)> {
        self.logs.iter().filter_map(|(name, end)| {
            let name = match &self.head {
                _ if name.starts_with(BRANCHES) => name.as_str(),
                Head::Ref(branch) if name == HEAD => branch,
                Head::Detached(_) if name == HEAD => HEAD,
                _ => return None,
            };
            Some((name, end.to?))
        })
    }

    /// Iterates over all object ids that refs and heads point to; some may be there twice.
    pub fn tips(&self) -> impl Iterator<Item = Oid> + '_ {
        let head = match &self.head {
            Head::Detached(oid) => Some(*oid),
            Head::Ref(_) => None,
        };
        self.refs
            .values()
            .chain(self.other_heads.values())
            .copied()
            .chain(head)
    }
}

/// Takes logs and references apart, whatever they hold.
#[cfg(any(test, feature = "fuzz"))]
pub(crate) fn fuzz(bytes: &[u8]) {
    reflog::fuzz(bytes);
    store::fuzz(bytes);
}
