//! One walk over the work tree, in the order of the index.
//!
//! Folders are walked in git's order (a folder sorts as if its name ended with `/`), so that the
//! walk and the list of tracked paths advance side by side and each entry is compared once. Ignore
//! rules are asked only about what is not tracked.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use ignore::gitignore::Glob;
use jiff::Timestamp;

use super::hidden::Hidden;
use super::ignores::{IGNORE_FILE, Ignores, Rules};
use super::tracked::{Kind, Tracked};
use super::{Entry, MAX_UNTRACKED, TreeView, racy};
use crate::error::RepoError;
use crate::location::Location;
use crate::stamp::{self, Stamp};
use crate::tree::Unread;

/// Folders within folders that are followed.
const MAX_DEPTH: usize = 200;
/// Entries of one folder that are looked at; what lies in a larger one is unknown.
const MAX_FOLDER_ENTRIES: usize = 200_000;
/// Sentences kept about what could not be read.
const MAX_PROBLEMS: usize = 50;

pub(super) fn run(
    location: &Location,
    tracked: &Arc<Tracked>,
    previous: Option<&TreeView>,
    now: Timestamp,
    hidden: Option<&mut Hidden>,
) -> Result<TreeView, RepoError> {
    let known = previous.map(|previous| previous.ignores.as_ref());
    let mut ignores = Ignores::default();
    let [user, exclude] = Rules::everywhere(&mut ignores, known, location);
    let user = Rules::new(user, None);
    let base = Rules::new(exclude, Some(&user));
    let mut scan = Scan {
        tracked,
        known,
        ignores,
        now_ns: stamp::nanoseconds(now),
        paths: Vec::with_capacity(previous.map_or(0, |previous| previous.paths.len() + 1024)),
        entries: Vec::with_capacity(previous.map_or(0, |previous| previous.len() + 16)),
        racy: Vec::new(),
        missing: Vec::new(),
        next: 0,
        untracked: 0,
        is_truncated: false,
        problems: Vec::new(),
        prefix: Vec::new(),
        hidden,
    };
    if !location.is_bare {
        if !location.top.is_dir() {
            return Err(RepoError::Gone {
                path: location.top.clone(),
            });
        }
        scan.folder(
            &location.top,
            &base,
            State {
                depth: 0,
                ignored_by: None,
            },
        );
    }
    scan.skip_to_end();
    Ok(scan.finish(&location.top, Arc::clone(tracked), previous))
}

struct Scan<'a> {
    tracked: &'a Tracked,
    known: Option<&'a Ignores>,
    ignores: Ignores,
    now_ns: i64,
    paths: Vec<u8>,
    entries: Vec<Entry>,
    racy: Vec<u32>,
    missing: Vec<u32>,
    // The first tracked path that the walk has not passed.
    next: u32,
    untracked: usize,
    is_truncated: bool,
    problems: Vec<Unread>,
    // The folder that is walked, as it stands in paths: empty or ending with `/`.
    prefix: Vec<u8>,
    // Where ignored files and nested repositories are told, when somebody wants to know.
    hidden: Option<&'a mut Hidden>,
}

/// How the walk came into a folder.
#[derive(Clone, Copy)]
struct State<'g> {
    depth: usize,
    // What hides the folder, when it is ignored and only walked for the tracked files in it.
    ignored_by: Option<&'g Glob>,
}

struct Found {
    name: OsString,
    is_dir: bool,
    entry: fs::DirEntry,
}

impl Found {
    fn path(&self) -> std::path::PathBuf {
        self.entry.path()
    }

    /// Compares as git does: a folder as if its name ended with `/`.
    fn cmp(&self, other: &Self) -> Ordering {
        let (a, b) = (self.name.as_encoded_bytes(), other.name.as_encoded_bytes());
        let common = a.len().min(b.len());
        let byte = |name: &[u8], is_dir: bool| name.get(common).copied().or(is_dir.then_some(b'/'));
        a.get(..common)
            .cmp(&b.get(..common))
            .then_with(|| byte(a, self.is_dir).cmp(&byte(b, other.is_dir)))
            .then_with(|| a.len().cmp(&b.len()))
    }
}

impl Scan<'_> {
    fn problem(&mut self, reason: impl FnOnce() -> String) {
        if self.problems.len() < MAX_PROBLEMS {
            let what = super::text(&self.prefix);
            let what = if what.is_empty() {
                "/".to_owned()
            } else {
                what
            };
            self.problems.push(Unread {
                what,
                reason: reason(),
            });
        }
    }

    fn folder(&mut self, folder: &Path, above: &Rules<'_>, state: State<'_>) {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            // Deleted while we walk: its tracked files will count as missing.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
            Err(error) => {
                self.pass_folder();
                return self.problem(|| format!("cannot be read: {error}"));
            }
        };
        let Some(found) = list(entries, MAX_FOLDER_ENTRIES) else {
            self.pass_folder();
            return self.problem(|| format!("more than {MAX_FOLDER_ENTRIES} entries"));
        };
        let has_rules = found
            .iter()
            .any(|one| !one.is_dir && one.name == IGNORE_FILE);
        let own = has_rules.then(|| above.of_folder(&mut self.ignores, self.known, folder));
        let rules = own.as_ref().unwrap_or(above);
        for one in found {
            if one.is_dir {
                self.subfolder(&one, rules, state);
            } else {
                self.file(&one, rules, state);
            }
        }
    }

    fn file(&mut self, one: &Found, rules: &Rules<'_>, state: State<'_>) {
        let length = self.prefix.len();
        self.prefix.extend_from_slice(one.name.as_encoded_bytes());
        let is_tracked = self.advance();
        let pattern = if is_tracked && self.hidden.is_none() {
            None
        } else {
            let own = || rules.pattern(&one.path(), false);
            state.ignored_by.or_else(own)
        };
        if let (Some(hidden), Some(glob)) = (&mut self.hidden, pattern) {
            hidden.file(&self.prefix, glob, is_tracked, &one.entry);
        }
        if is_tracked || pattern.is_none() {
            match one.entry.metadata() {
                Ok(meta) => self.push(is_tracked, Stamp::from_metadata(&meta)),
                Err(_) if is_tracked => self.missing.push(self.next - 1),
                Err(_) => {}
            }
        }
        self.prefix.truncate(length);
    }

    fn subfolder(&mut self, one: &Found, rules: &Rules<'_>, state: State<'_>) {
        let length = self.prefix.len();
        self.prefix.extend_from_slice(one.name.as_encoded_bytes());
        if self.advance() {
            // A submodule is tracked under the folder's own name; a file of that name is gone.
            match self.tracked.kind(self.next - 1) {
                Kind::Submodule => {
                    self.prefix.truncate(length);
                    return;
                }
                Kind::File => self.missing.push(self.next - 1),
                Kind::Skipped => {}
            }
        }
        self.prefix.push(b'/');
        self.skip_before();
        let holds_tracked = self.tracked.path(self.next).starts_with(&self.prefix);
        let path = one.entry.path();
        let ignored_by = state.ignored_by.or_else(|| rules.pattern(&path, true));
        let is_nested = !holds_tracked && path.join(".git").symlink_metadata().is_ok();
        if let (Some(hidden), false) = (&mut self.hidden, holds_tracked) {
            match ignored_by {
                Some(glob) => hidden.folder(&self.prefix, glob, &path),
                None if is_nested => hidden.nested(&self.prefix),
                None => {}
            }
        }
        if holds_tracked || !(ignored_by.is_some() || is_nested || self.is_truncated) {
            if state.depth < MAX_DEPTH {
                let state = State {
                    depth: state.depth + 1,
                    ignored_by,
                };
                self.folder(&path, rules, state);
            } else {
                self.pass_folder();
                self.problem(|| format!("lies more than {MAX_DEPTH} folders deep"));
            }
        }
        self.prefix.truncate(length);
    }

    /// Passes tracked paths that sort before `prefix`: they are not there.
    fn skip_before(&mut self) {
        while self.next < self.tracked.len()
            && self.tracked.path(self.next) < self.prefix.as_slice()
        {
            self.miss();
        }
    }

    /// Moves on to `prefix` and says whether it is tracked.
    fn advance(&mut self) -> bool {
        self.skip_before();
        let is_tracked = self.next < self.tracked.len()
            && self.tracked.path(self.next) == self.prefix.as_slice();
        self.next += u32::from(is_tracked);
        is_tracked
    }

    fn miss(&mut self) {
        if self.tracked.kind(self.next) == Kind::File {
            self.missing.push(self.next);
        }
        self.next += 1;
    }

    /// Passes a folder that cannot be read: what is in it is unknown, not missing.
    fn pass_folder(&mut self) {
        while self.next < self.tracked.len()
            && self.tracked.path(self.next).starts_with(&self.prefix)
        {
            self.next += 1;
        }
    }

    fn skip_to_end(&mut self) {
        while self.next < self.tracked.len() {
            self.miss();
        }
    }

    fn push(&mut self, is_tracked: bool, stamp: Stamp) {
        if !is_tracked {
            if self.untracked >= MAX_UNTRACKED {
                self.is_truncated = true;
                return;
            }
            self.untracked += 1;
        }
        let place = u32::try_from(self.entries.len());
        let at = u32::try_from(self.paths.len());
        let len = u32::try_from(self.prefix.len());
        let (Ok(place), Ok(at), Ok(len)) = (place, at, len) else {
            self.is_truncated = true;
            return;
        };
        self.paths.extend_from_slice(&self.prefix);
        self.entries.push(Entry {
            at,
            len,
            is_tracked,
            stamp,
        });
        if stamp.is_racy(self.now_ns) {
            self.racy.push(place);
        }
    }

    fn finish(self, top: &Path, tracked: Arc<Tracked>, previous: Option<&TreeView>) -> TreeView {
        let mut view = TreeView {
            paths: self.paths,
            entries: self.entries,
            racy: BTreeMap::new(),
            missing: self.missing,
            tracked,
            ignores: Arc::new(self.ignores),
            is_truncated: self.is_truncated,
            problems: self.problems,
        };
        view.racy = racy::hashes(top, &view, &self.racy, previous);
        view
    }
}

/// Sorts a folder's entries; `None` when there are more than `max`.
fn list(entries: fs::ReadDir, max: usize) -> Option<Vec<Found>> {
    let mut found: Vec<Found> = entries
        .flatten()
        .take(max + 1)
        .filter_map(|entry| {
            let is_dir = entry.file_type().ok()?.is_dir();
            let name = entry.file_name();
            // The repository itself is no part of its work tree.
            (name != ".git").then_some(Found {
                name,
                is_dir,
                entry,
            })
        })
        .collect();
    if found.len() > max {
        return None;
    }
    found.sort_unstable_by(Found::cmp);
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_too_many_entries_is_given_up_and_not_held_in_memory() {
        let folder = tempfile::tempdir().unwrap();
        for n in 0..20 {
            fs::write(folder.path().join(format!("f{n}")), "").unwrap();
        }
        let listed = |max| list(fs::read_dir(folder.path()).unwrap(), max).map(|found| found.len());
        assert_eq!(listed(20), Some(20));
        assert_eq!(listed(19), None);
    }
}
