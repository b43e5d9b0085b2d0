//! The guard's questions, answered from what is staged without a git child.
//!
//! Why here: before a commit the guard judges the very index that git will commit, which with `git commit -a` is none of the
//! repository's own. Not here: the judgement ([`crate::guard`]).

use std::path::Path;

use tradewind_repo::odb::{Kind, ObjectError};
use tradewind_repo::{Location, Oid, RepoError, trees};

use super::situation::{Situation, mode};
use super::{HookError, Scope};
use crate::guard::{self, Blob, Contents, Judgement, Listed, Policy, Question};
use crate::staged::{Change, Entry};

/// What the guard says of what is staged.
#[derive(Debug)]
pub struct Guarded {
    /// What it says.
    pub judgement: Judgement,
    /// Where the repository lies.
    pub location: Location,
    /// The last commit.
    pub head: Option<Oid>,
}

/// Judges what is staged by what `policy` wants of this repository, beside the commit's message where it is known.
///
/// # Errors
/// [`HookError`]; then nothing was judged.
pub fn judge_staged<E: From<HookError>>(
    dir: &Path,
    message: Option<&str>,
    policy: impl FnOnce(&Location) -> Result<Policy, E>,
) -> Result<Guarded, E> {
    let situation = Situation::look(dir, &Scope::Staged)?;
    let policy = policy(situation.location())?;
    let changes = situation.changes()?;
    let question = Question {
        changes: &changes,
        policy: &policy,
        message,
    };
    let judgement = guard::judge(&question, &situation).map_err(HookError::from)?;
    Ok(Guarded {
        judgement,
        location: situation.checkout.location.clone(),
        head: situation.checkout.commit,
    })
}

impl Situation {
    /// Returns what the commit would change.
    fn changes(&self) -> Result<Vec<Change>, HookError> {
        let mut changes = Vec::new();
        let entry = |(bits, id)| Entry {
            mode: mode(bits),
            id,
        };
        trees::staged(
            &self.objects,
            self.base(),
            &self.index,
            &mut |path, before, after| {
                changes.push(Change {
                    path: path.into(),
                    before: before.map(entry),
                    after: after.map(entry),
                });
            },
        )?;
        Ok(changes)
    }
}

impl Contents for Situation {
    fn tree(&self) -> Result<Vec<Listed>, RepoError> {
        let entries = self.index.entries().iter();
        Ok(entries
            .filter(|entry| entry.stage == 0 && !entry.is_intent_to_add)
            .map(|entry| {
                let known = Entry {
                    mode: mode(entry.mode),
                    id: entry.id,
                };
                (self.index.path(entry).into(), known)
            })
            .collect())
    }

    fn blobs(
        &self,
        ids: &[Oid],
        max_bytes: u64,
        each: &mut dyn FnMut(Blob<'_>),
    ) -> Result<(), RepoError> {
        for id in ids {
            match self.objects.read(*id, max_bytes) {
                Ok(Some(object)) if object.kind == Kind::Blob => each(Blob {
                    id: *id,
                    size: object.bytes.len() as u64,
                    bytes: Some(&object.bytes),
                }),
                Err(ObjectError::TooLong { size, .. }) => each(Blob {
                    id: *id,
                    size,
                    bytes: None,
                }),
                // What is not here or is damaged is nothing that this commit adds.
                Ok(_) | Err(_) => {}
            }
        }
        Ok(())
    }
}
