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

use jiff::Timestamp;

use super::ignores::{IGNORE_FILE, Ignores, Rules};
use super::tracked::{Kind, Tracked};
use super::{Entry, MAX_UNTRACKED, TreeView, racy};
use crate::error::RepoError;
use crate::location::Location;
use crate::stamp::{self, Stamp};

/// Folders within folders that are followed.
const MAX_DEPTH: usize = 200;
/// Sentences kept about what could not be read.
const MAX_PROBLEMS: usize = 50;

pub(super) fn run(
    location: &Location,
    tracked: &Arc<Tracked>,
    previous: Option<&TreeView>,
    now: Timestamp,
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
                is_ignored: false,
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
    problems: Vec<String>,
    // The folder that is walked, as it stands in paths: empty or ending with `/`.
    prefix: Vec<u8>,
}

/// How the walk came into a folder.
#[derive(Clone, Copy)]
struct State {
    depth: usize,
    // Whether the folder is ignored and only walked for the tracked files in it.
    is_ignored: bool,
}

struct Found {
    name: OsString,
    is_dir: bool,
    entry: fs::DirEntry,
}

impl Found {
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
    fn problem(&mut self, text: impl FnOnce() -> String) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(text());
        }
    }

    fn folder(&mut self, folder: &Path, above: &Rules<'_>, state: State) {
        let found = match fs::read_dir(folder) {
            Ok(entries) => list(entries),
            // Deleted while we walk: its tracked files will count as missing.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
            Err(error) => {
                self.pass_folder();
                return self.problem(|| format!("{} cannot be read: {error}", folder.display()));
            }
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

    fn file(&mut self, one: &Found, rules: &Rules<'_>, state: State) {
        let length = self.prefix.len();
        self.prefix.extend_from_slice(one.name.as_encoded_bytes());
        let is_tracked = self.advance();
        if is_tracked || !(state.is_ignored || rules.is_ignored(&one.entry.path(), false)) {
            match one.entry.metadata() {
                Ok(meta) => self.push(is_tracked, Stamp::from_metadata(&meta)),
                Err(_) if is_tracked => self.missing.push(self.next - 1),
                Err(_) => {}
            }
        }
        self.prefix.truncate(length);
    }

    fn subfolder(&mut self, one: &Found, rules: &Rules<'_>, state: State) {
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
        let is_ignored = state.is_ignored || rules.is_ignored(&path, true);
        let is_nested = !holds_tracked && path.join(".git").symlink_metadata().is_ok();
        if holds_tracked || !(is_ignored || is_nested || self.is_truncated) {
            if state.depth < MAX_DEPTH {
                let state = State {
                    depth: state.depth + 1,
                    is_ignored,
                };
                self.folder(&path, rules, state);
            } else {
                self.pass_folder();
                self.problem(|| format!("{} lies too deep", path.display()));
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

fn list(entries: fs::ReadDir) -> Vec<Found> {
    let mut found: Vec<Found> = entries
        .flatten()
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
    found.sort_unstable_by(Found::cmp);
    found
}
