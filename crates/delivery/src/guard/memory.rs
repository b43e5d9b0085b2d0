//! Two trees in memory, for tests of rules.

use std::collections::BTreeMap;

use tradewind_repo::{Oid, RepoError};

use super::{Blob, Contents, Judgement, Listed, Policy, Question, judge};
use crate::staged::{Change, Entry, Mode};

/// Files by path.
pub(super) type Files<'f> = &'f [(&'f str, &'f str)];

#[derive(Debug)]
pub(super) struct Memory {
    after: Vec<Listed>,
    blobs: BTreeMap<Oid, Vec<u8>>,
    pub(super) changes: Vec<Change>,
}

/// Names a content; the real name where it is nothing.
fn name(content: &str) -> Oid {
    use std::hash::{Hash as _, Hasher as _};
    if content.is_empty() {
        return "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391".parse().unwrap();
    }
    let mut hasher = std::collections::hash_map::DefaultHasher::new();
    content.hash(&mut hasher);
    format!("{:040x}", hasher.finish()).parse().unwrap()
}

impl Memory {
    pub(super) fn new(before: Files<'_>, after: Files<'_>) -> Self {
        let entry = |content: &str| Entry {
            mode: Mode::Regular,
            id: name(content),
        };
        let map = |files: Files<'_>| -> BTreeMap<Box<[u8]>, Entry> {
            files
                .iter()
                .map(|(path, content)| (path.as_bytes().into(), entry(content)))
                .collect()
        };
        let (old, new) = (map(before), map(after));
        let mut paths: Vec<_> = old.keys().chain(new.keys()).cloned().collect();
        paths.sort();
        paths.dedup();
        let changes = paths
            .into_iter()
            .filter(|path| old.get(path) != new.get(path))
            .map(|path| Change {
                before: old.get(&path).copied(),
                after: new.get(&path).copied(),
                path,
            });
        Self {
            changes: changes.collect(),
            after: new.into_iter().collect(),
            blobs: before
                .iter()
                .chain(after)
                .map(|(_, content)| (name(content), content.as_bytes().to_vec()))
                .collect(),
        }
    }

    pub(super) fn judge(&self, policy: &Policy, message: Option<&str>) -> Judgement {
        let question = Question {
            changes: &self.changes,
            policy,
            message,
        };
        judge(&question, self).unwrap()
    }
}

impl Contents for Memory {
    fn tree(&self) -> Result<Vec<Listed>, RepoError> {
        Ok(self.after.clone())
    }

    fn blobs(
        &self,
        ids: &[Oid],
        max_bytes: u64,
        each: &mut dyn FnMut(Blob<'_>),
    ) -> Result<(), RepoError> {
        for id in ids {
            if let Some(bytes) = self.blobs.get(id) {
                let size = bytes.len() as u64;
                each(Blob {
                    id: *id,
                    size,
                    bytes: (size <= max_bytes).then_some(bytes.as_slice()),
                });
            }
        }
        Ok(())
    }
}

/// Judges a commit with the usual policy, as `kind path` each.
pub(super) fn stops(before: Files<'_>, after: Files<'_>) -> Vec<String> {
    let judgement = Memory::new(before, after).judge(&Policy::default(), None);
    judgement
        .stops
        .iter()
        .map(|stop| format!("{} {}", stop.kind.as_str(), stop.path))
        .collect()
}
