//! Paths by number: history names the same few thousand paths a hundred thousand times.

use std::collections::HashMap;

use super::PathId;

/// Gives each path a number, in the order of first use.
#[derive(Debug, Default)]
pub(super) struct Paths {
    known: HashMap<Box<str>, PathId>,
    pub(super) list: Vec<Box<str>>,
}

impl Paths {
    pub(super) fn id(&mut self, path: &str) -> PathId {
        if let Some(id) = self.known.get(path) {
            return *id;
        }
        let id = PathId(u32::try_from(self.list.len()).unwrap_or(u32::MAX));
        self.known.insert(path.into(), id);
        self.list.push(path.into());
        id
    }
}
