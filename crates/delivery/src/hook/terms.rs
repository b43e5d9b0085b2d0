//! All that decides what a hook says of a file besides the file: named, so that a change can be told.
//!
//! Not here: finding it out ([`super::tool`], [`super::memory`]), keeping it ([`super::verdicts`]).

use serde::{Deserialize, Serialize};

use super::cache::first;

/// One thing that decides, and a hash of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// What it is, as a person reads it: `configuration pyproject.toml`.
    pub(crate) what: String,
    /// A hash of it.
    pub(crate) digest: u64,
}

impl Part {
    /// Names one thing by its bytes.
    pub(crate) fn of(what: impl Into<String>, bytes: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(bytes);
        Self {
            what: what.into(),
            digest: first(&hasher),
        }
    }
}

/// All that decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) parts: Vec<Part>,
    /// Of all parts.
    pub(crate) digest: u64,
}

impl Terms {
    pub(crate) fn new(parts: Vec<Part>) -> Self {
        let mut hasher = blake3::Hasher::new();
        // What another version of this program finds out may mean something else.
        hasher.update(env!("CARGO_PKG_VERSION").as_bytes());
        for part in &parts {
            hasher.update(&(part.what.len() as u64).to_le_bytes());
            hasher.update(part.what.as_bytes());
            hasher.update(&part.digest.to_le_bytes());
        }
        Self {
            parts,
            digest: first(&hasher),
        }
    }

    /// Says what is another than it was: the first thing of them.
    pub(crate) fn difference(&self, before: &[Part]) -> String {
        let find = |parts: &[Part], what: &str| {
            let part = parts.iter().find(|part| part.what == what);
            part.map(|part| part.digest)
        };
        for part in &self.parts {
            match find(before, &part.what) {
                Some(digest) if digest == part.digest => {}
                Some(_) => return format!("{} changed", part.what),
                None => return format!("{} is new", part.what),
            }
        }
        match before
            .iter()
            .find(|part| find(&self.parts, &part.what).is_none())
        {
            Some(part) => format!("{} is gone", part.what),
            None => "this program is another version".to_owned(),
        }
    }
}
