//! Verdicts of programs of others that are known: this hook found this content at this path in order.
//!
//! Why another file than that of our own checks: here more decides (the tool, its configuration, variables), and when a
//! verdict does not hold any more a person wants to know which of it changed. So beside the records, which are three hashes
//! (place, content, terms), the file holds what the last few [`Terms`] of each hook were made of.
//! One file for each repository, written whole at the end of a run; what makes no sense is an empty one. Bounded: terms
//! that have not been used lately go with their records, and beyond [`MAX_RECORDS`] only those of this run stay.
//! Not here: what a hook's terms are ([`super::terms`]), whether it may be remembered ([`super::memory`]).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tradewind_host::files;

use super::cache::{number, write};
use super::terms::{Part, Terms};
use super::tool::Seen;

/// First bytes of the file; a change of form or meaning changes them.
const MAGIC: &[u8; 8] = b"TWouts01";
/// Records kept.
const MAX_RECORDS: usize = 200_000;
/// Terms kept of one hook.
const MAX_TERMS: usize = 4;
/// Hooks whose terms are kept.
const MAX_HOOKS: usize = 256;
/// Interpreters whose search path is kept.
const MAX_INTERPRETERS: usize = 16;
/// Bound on the part that is text.
const MAX_HEAD: usize = 4 * 1024 * 1024;
const RECORD: usize = 24;

/// A record: of content and of terms, by place.
type Record = (u64, u64);

/// What is known of the verdicts of one repository.
#[derive(Debug, Default)]
pub(crate) struct Verdicts {
    file: Option<PathBuf>,
    head: Head,
    // Invariant: sorted by place; whole records only.
    records: Vec<u8>,
    new: HashMap<u64, Record>,
    is_changed: bool,
    /// What was looked at to find out what decides.
    pub(crate) seen: Seen,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Head {
    /// The last terms of each hook, the newest last.
    hooks: BTreeMap<u64, Vec<Kept>>,
    /// Tools that gave a verdict which did not hold, by hook: not remembered again.
    distrusted: BTreeSet<(u64, u64)>,
    /// What interpreters said of where they look for modules.
    interpreters: BTreeMap<u64, Search>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Kept {
    digest: u64,
    parts: Vec<Part>,
}

/// Where an interpreter looks for modules, and what was there when it said so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Search {
    pub(crate) folders: Vec<String>,
    pub(crate) seen: u64,
}

/// What is known of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// It was found in order, and nothing has changed since.
    Clean,
    /// It was never found in order at this path.
    Never,
    /// Its content is another.
    Content,
    /// Something else is another: what.
    Terms(String),
}

impl Verdicts {
    /// Opens what is known; without a file it remembers nothing.
    pub(crate) fn open(file: Option<PathBuf>) -> Self {
        let read = file.as_deref().and_then(read);
        let (head, records) = read.unwrap_or_default();
        Self {
            file,
            head,
            records,
            new: HashMap::new(),
            is_changed: false,
            seen: Seen::default(),
        }
    }

    /// Says what is known of a file.
    pub(crate) fn find(&self, hook: u64, place: u64, content: u64, terms: &Terms) -> Found {
        match self.at(place) {
            None => Found::Never,
            Some((_, known)) if known != terms.digest => {
                let kept = self.head.hooks.get(&hook);
                let kept = kept.and_then(|kept| kept.iter().find(|kept| kept.digest == known));
                Found::Terms(kept.map_or_else(
                    || "what decides changed".to_owned(),
                    |kept| terms.difference(&kept.parts),
                ))
            }
            Some((known, _)) if known != content => Found::Content,
            Some(_) => Found::Clean,
        }
    }

    fn at(&self, place: u64) -> Option<Record> {
        let (mut low, mut high) = (0, self.records.len() / RECORD);
        while low < high {
            let middle = low.midpoint(high);
            let at = middle * RECORD;
            match number(self.records.get(at..at + 8)?).cmp(&place) {
                std::cmp::Ordering::Equal => {
                    let content = number(self.records.get(at + 8..at + 16)?);
                    return Some((content, number(self.records.get(at + 16..at + 24)?)));
                }
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// Remembers that a file was found in order.
    pub(crate) fn keep(&mut self, place: u64, content: u64, terms: &Terms) {
        self.new.insert(place, (content, terms.digest));
    }

    /// Remembers what the terms of a hook are made of.
    pub(crate) fn keep_terms(&mut self, hook: u64, terms: &Terms) {
        let kept = self.head.hooks.entry(hook).or_default();
        if kept.last().is_some_and(|kept| kept.digest == terms.digest) {
            return;
        }
        kept.retain(|kept| kept.digest != terms.digest);
        kept.push(Kept {
            digest: terms.digest,
            parts: terms.parts.clone(),
        });
        if kept.len() > MAX_TERMS {
            kept.remove(0);
        }
        self.is_changed = true;
    }

    /// Says whether a hook with this tool gave a verdict that did not hold.
    pub(crate) fn is_distrusted(&self, hook: u64, tool: u64) -> bool {
        self.head.distrusted.contains(&(hook, tool))
    }

    /// Forgets a hook and does not remember it again with this tool.
    pub(crate) fn distrust(&mut self, hook: u64, tool: u64) {
        let gone: BTreeSet<u64> = self
            .head
            .hooks
            .remove(&hook)
            .into_iter()
            .flatten()
            .map(|kept| kept.digest)
            .collect();
        self.new.retain(|_, (_, terms)| !gone.contains(terms));
        self.head.distrusted.insert((hook, tool));
        self.is_changed = true;
    }

    /// Returns where an interpreter looks for modules, as it said.
    pub(crate) fn search(&self, interpreter: u64) -> Option<&Search> {
        self.head.interpreters.get(&interpreter)
    }

    /// Remembers where an interpreter looks for modules.
    pub(crate) fn keep_search(&mut self, interpreter: u64, search: Search) {
        if self.head.interpreters.len() >= MAX_INTERPRETERS {
            self.head.interpreters.clear();
        }
        self.head.interpreters.insert(interpreter, search);
        self.is_changed = true;
    }

    /// Writes what is new. That it cannot is no fault of the commit.
    pub(crate) fn save(&mut self) {
        let Some(file) = self.file.clone() else {
            return;
        };
        if self.new.is_empty() && !self.is_changed {
            return;
        }
        // Another run may have written meanwhile: what it found in order is, and what it distrusts is distrusted.
        let (other, records) = read(&file).unwrap_or_default();
        self.head.distrusted.extend(other.distrusted);
        while self.head.hooks.len() > MAX_HOOKS {
            self.head.hooks.pop_first();
        }
        let live: BTreeSet<u64> = self
            .head
            .hooks
            .values()
            .flatten()
            .map(|kept| kept.digest)
            .collect();
        let mut all: BTreeMap<u64, Record> = BTreeMap::new();
        for record in records.chunks_exact(RECORD) {
            let part = |at: usize| record.get(at..at + 8).map(number);
            if let (Some(place), Some(content), Some(terms)) = (part(0), part(8), part(16))
                && live.contains(&terms)
            {
                all.insert(place, (content, terms));
            }
        }
        if all.len() + self.new.len() > MAX_RECORDS {
            all.clear();
        }
        all.extend(self.new.drain());
        let head = serde_json::to_vec(&Stored::from(&self.head)).unwrap_or_default();
        let Ok(len) = u32::try_from(head.len()) else {
            return;
        };
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&len.to_le_bytes());
        bytes.extend_from_slice(&head);
        for (place, (content, terms)) in all.into_iter().take(MAX_RECORDS) {
            for number in [place, content, terms] {
                bytes.extend_from_slice(&number.to_le_bytes());
            }
        }
        if let Err(error) = write(&file, &bytes) {
            tracing::debug!(%error, "verdicts of programs cannot be kept");
        }
        self.is_changed = false;
    }
}

/// Keys of a map are text in JSON.
#[derive(Serialize, Deserialize)]
struct Stored {
    hooks: Vec<(u64, Vec<Kept>)>,
    distrusted: Vec<(u64, u64)>,
    interpreters: Vec<(u64, Search)>,
}

impl From<&Head> for Stored {
    fn from(head: &Head) -> Self {
        Self {
            hooks: head.hooks.clone().into_iter().collect(),
            distrusted: head.distrusted.iter().copied().collect(),
            interpreters: head.interpreters.clone().into_iter().collect(),
        }
    }
}

fn read(file: &Path) -> Option<(Head, Vec<u8>)> {
    let bound = (MAX_RECORDS * RECORD + MAX_HEAD) as u64;
    let bytes = files::read_bounded(file, bound).ok()?;
    let rest = bytes.strip_prefix(MAGIC.as_slice())?;
    let (len, rest) = rest.split_first_chunk::<4>()?;
    let (head, records) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*len)).ok()?)?;
    if !records.len().is_multiple_of(RECORD) {
        return None;
    }
    let stored: Stored = serde_json::from_slice(head).ok()?;
    let head = Head {
        hooks: stored.hooks.into_iter().collect(),
        distrusted: stored.distrusted.into_iter().collect(),
        interpreters: stored.interpreters.into_iter().collect(),
    };
    Some((head, records.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(parts: &[(&str, u64)]) -> Terms {
        Terms::new(
            parts
                .iter()
                .map(|(what, digest)| Part {
                    what: (*what).to_owned(),
                    digest: *digest,
                })
                .collect(),
        )
    }

    #[test]
    fn what_was_kept_is_found_and_what_changed_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("v");
        let old = terms(&[("tool /bin/x", 1), ("configuration a.toml", 2)]);
        let mut first = Verdicts::open(Some(file.clone()));
        assert_eq!(first.find(7, 1, 1, &old), Found::Never);
        first.keep_terms(7, &old);
        first.keep(1, 10, &old);
        first.keep(2, 20, &old);
        first.save();
        let second = Verdicts::open(Some(file.clone()));
        assert_eq!(second.find(7, 1, 10, &old), Found::Clean);
        assert_eq!(second.find(7, 1, 11, &old), Found::Content);
        assert_eq!(second.find(7, 3, 1, &old), Found::Never);
        let new = terms(&[("tool /bin/x", 1), ("configuration a.toml", 3)]);
        assert_eq!(
            second.find(7, 1, 10, &new),
            Found::Terms("configuration a.toml changed".to_owned())
        );
        // What is cut off anywhere, or of another form, is nothing known, and no error.
        let whole = std::fs::read(&file).unwrap();
        for len in 0..whole.len() {
            std::fs::write(&file, &whole[..len]).unwrap();
            let cut = Verdicts::open(Some(file.clone()));
            assert!(matches!(
                cut.find(7, 2, 20, &old),
                Found::Never | Found::Clean
            ));
            assert_ne!(cut.find(7, 2, 21, &old), Found::Clean);
        }
    }

    #[test]
    fn terms_of_long_ago_go_with_their_records_and_a_distrusted_tool_stays_so() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("v");
        for n in 0..10_u64 {
            let mut verdicts = Verdicts::open(Some(file.clone()));
            let terms = terms(&[("tool", n)]);
            verdicts.keep_terms(7, &terms);
            verdicts.keep(n, n, &terms);
            verdicts.save();
        }
        let mut verdicts = Verdicts::open(Some(file.clone()));
        let known = |verdicts: &Verdicts, n: u64| {
            verdicts.find(7, n, n, &terms(&[("tool", n)])) == Found::Clean
        };
        assert_eq!((0..10).filter(|n| known(&verdicts, *n)).count(), MAX_TERMS);
        verdicts.distrust(7, 99);
        verdicts.save();
        let verdicts = Verdicts::open(Some(file));
        assert_eq!((0..10).filter(|n| known(&verdicts, *n)).count(), 0);
        assert!(verdicts.is_distrusted(7, 99));
        assert!(!verdicts.is_distrusted(7, 98));
    }
}
