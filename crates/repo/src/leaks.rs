//! Credentials that a repository gives away: in its files, and only in its history.
//!
//! One reading with the detector of [`crate::secrets`]. What lies in history only is read from git's
//! objects, within a bound on bytes: names that credentials are found under come first, and what was not
//! read is counted. The value of a credential is never kept; a [`Leak::mark`] tells whether two places
//! hold the same one.
//! Not here: how bad a leak is. Start reading at [`Leaks::read`].

mod clean;

use std::collections::hash_map::DefaultHasher;
use std::collections::{HashMap, HashSet};
use std::hash::{Hash as _, Hasher as _};
use std::ops::ControlFlow;
use std::path::Path;

use tradewind_host::git::Git;

use clean::Clean;

use crate::documents::is_foreign;
use crate::error::RepoError;
use crate::history::{Deed, History, PathId};
use crate::location::Location;
use crate::objects;
use crate::oid::Oid;
use crate::secrets;
use crate::tree::{FileKind, Tree, Unread};

/// Bytes of old contents that are read.
pub const MAX_HISTORY_BYTES: u64 = 64 * 1024 * 1024;
/// Lengths of old contents asked at once, in the sequence of reading.
const SIZES_AT_ONCE: usize = 8_192;
/// Longer contents are data.
const MAX_BLOB_BYTES: u64 = 512 * 1024;
/// Leaks kept; a repository with more has one problem, not ten thousand.
const MAX_LEAKS: usize = 2_000;

/// Endings of files in which nobody writes a credential.
const SKIPPED: &[&str] = &[
    "png", "jpg", "jpeg", "gif", "ico", "webp", "svg", "pdf", "zip", "gz", "tar", "xz", "7z",
    "whl", "csv", "tsv", "parquet", "arrow", "feather", "h5", "hdf5", "npy", "npz", "pkl",
    "joblib", "pt", "pyc", "so", "dll", "exe", "woff", "woff2", "ttf", "eot", "mp4", "mp3", "db",
    "sqlite", "lock", "map", "min.js", "min.css", "snap", "jsonl",
];

/// One place of one credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leak {
    /// The file.
    pub path: Box<str>,
    /// Its line.
    pub line: u32,
    /// What it looks like; one of [`secrets::rule_names`].
    pub kind: &'static str,
    /// Equal for equal values. Says nothing about the value.
    pub mark: u64,
    /// What stands on the line before the value, trimmed: `API_KEY = "`.
    pub before: Box<str>,
    /// The commit that brought it, for what lies in history.
    pub commit: Option<Oid>,
}

/// Credentials that a repository gives away.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Leaks {
    /// In tracked files, by path and line.
    pub head: Vec<Leak>,
    /// In history and in no tracked file any more: the oldest place of each, by time.
    pub history: Vec<Leak>,
    /// What could not be read.
    pub unread: Vec<Unread>,
}

/// How to look.
#[derive(Clone, Copy, Default)]
pub struct Options<'a> {
    /// File that keeps which contents are clean; a later run does not look at them again.
    pub cache: Option<&'a Path>,
    /// Called with old contents done and to do.
    pub on_progress: Option<&'a (dyn Fn(usize, usize) + Sync)>,
}

impl std::fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("cache", &self.cache)
            .finish_non_exhaustive()
    }
}

impl Leaks {
    /// Reads the tracked files and, where `git` and `location` lead to one, the history.
    pub fn read(
        git: &Git,
        location: &Location,
        tree: &Tree,
        history: &History,
        options: &Options<'_>,
    ) -> Self {
        let mut clean = Clean::open(options.cache);
        let mut leaks = Self::default();
        leaks.read_tree(tree, &mut clean);
        let past = Past {
            git,
            location,
            tree,
            history,
            on_progress: options.on_progress,
        };
        leaks.read_history(&past, &mut clean);
        clean.finish();
        leaks
    }

    /// Reads the tracked files only.
    pub fn of_tree(tree: &Tree) -> Self {
        let mut leaks = Self::default();
        leaks.read_tree(tree, &mut Clean::default());
        leaks
    }

    fn read_tree(&mut self, tree: &Tree, clean: &mut Clean) {
        for file in tree.tracked() {
            if !matches!(file.kind, FileKind::Regular | FileKind::Executable)
                || is_skipped(&file.path)
                || self.head.len() >= MAX_LEAKS
                || file
                    .id
                    .is_some_and(|id| clean.get(id, &file.path).is_some())
            {
                continue;
            }
            if let Some(bytes) = tree.bytes(&file.path) {
                let before = self.head.len();
                look(&file.path, &bytes, None, &mut self.head);
                if let Some(id) = file.id.filter(|_| self.head.len() == before) {
                    clean.put(id, &file.path, bytes.len() as u64);
                }
            }
        }
    }

    fn read_history(&mut self, past: &Past<'_>, clean: &mut Clean) {
        let Past {
            git,
            location,
            tree,
            history,
            on_progress,
        } = *past;
        let present: HashSet<Oid> = tree.tracked().filter_map(|file| file.id).collect();
        // A path is changed a hundred times: what its name says is asked once.
        let ranks: Vec<Option<u8>> = history
            .paths
            .iter()
            .map(|path| (!is_skipped(path)).then(|| rank(path)))
            .collect();
        let rank = |path: PathId| ranks.get(path.0 as usize).copied().flatten();
        // The oldest commit that has each content: commits come children first.
        let mut origins: HashMap<Oid, (usize, PathId)> = HashMap::new();
        for (at, commit) in history.commits.iter().enumerate() {
            for change in &commit.changes {
                if let Some(blob) = change.blob
                    && change.deed != Deed::Deleted
                    && rank(change.path).is_some()
                    && !present.contains(&blob)
                {
                    origins.insert(blob, (at, change.path));
                }
            }
        }
        let mut wanted: Vec<(u8, usize, &str, Oid)> = origins
            .iter()
            .filter_map(|(blob, (at, path))| Some((rank(*path)?, *at, history.path(*path), *blob)))
            .collect();
        wanted.sort_unstable();
        let order: Vec<(Oid, &str)> = wanted
            .iter()
            .map(|(_, _, path, blob)| (*blob, *path))
            .collect();
        let mut found = Vec::new();
        let read = choose(git, location, &order, clean).and_then(|chosen| {
            self.tell(&chosen, order.len());
            let mut done = 0;
            objects::read_sized(git, location, &chosen.unknown, |blob, bytes| {
                if found.len() >= MAX_LEAKS {
                    return ControlFlow::Break(());
                }
                done += 1;
                if let Some(on_progress) = on_progress {
                    on_progress(done, chosen.unknown.len());
                }
                if let Some((at, path)) = origins.get(&blob) {
                    let path = history.path(*path);
                    let commit = history.commits.get(*at).map(|commit| commit.id);
                    let before = found.len();
                    look(path, bytes, commit, &mut found);
                    if found.len() == before {
                        clean.put(blob, path, bytes.len() as u64);
                    }
                }
                ControlFlow::Continue(())
            })
        });
        if let Err(error) = read {
            self.unread.push(Unread {
                what: "old contents".to_owned(),
                reason: error.to_string(),
            });
        }
        self.keep_old(found, history);
    }

    /// Tells what of `total` old contents is not read.
    fn tell(&mut self, chosen: &Chosen, total: usize) {
        if chosen.missing > 0 {
            self.unread.push(Unread {
                what: format!("{} old contents", chosen.missing),
                reason: "the clone does not hold them".to_owned(),
            });
        }
        if chosen.left > 0 {
            self.unread.push(Unread {
                what: format!("{} of {total} old contents", chosen.left),
                reason: format!("the bound of {} MiB was reached", MAX_HISTORY_BYTES >> 20),
            });
        }
    }

    /// Keeps of each credential that is in no file any more the oldest place.
    fn keep_old(&mut self, mut found: Vec<Leak>, history: &History) {
        let age: HashMap<Oid, usize> = history
            .commits
            .iter()
            .enumerate()
            .map(|(at, commit)| (commit.id, at))
            .collect();
        let rank = |leak: &Leak| leak.commit.and_then(|commit| age.get(&commit).copied());
        found.sort_by(|a, b| rank(b).cmp(&rank(a)).then_with(|| a.path.cmp(&b.path)));
        let mut seen: HashSet<u64> = self.head.iter().map(|leak| leak.mark).collect();
        found.retain(|leak| seen.insert(leak.mark));
        self.history = found;
    }
}

/// Where old contents come from.
struct Past<'a> {
    git: &'a Git,
    location: &'a Location,
    tree: &'a Tree,
    history: &'a History,
    on_progress: Option<&'a (dyn Fn(usize, usize) + Sync)>,
}

/// Which old contents are read.
#[derive(Debug, Default)]
struct Chosen {
    /// Those that nothing is known about.
    unknown: Vec<Oid>,
    missing: usize,
    /// Beyond the bound.
    left: usize,
}

/// Chooses within the bound, which counts what is known to be clean as well: a run with a cache answers as
/// one without.
fn choose(
    git: &Git,
    location: &Location,
    order: &[(Oid, &str)],
    clean: &mut Clean,
) -> Result<Chosen, RepoError> {
    let mut chosen = Chosen::default();
    let mut bytes = 0_u64;
    for (at, part) in order.chunks(SIZES_AT_ONCE).enumerate() {
        // Behind the bound nothing is asked any more: git needs a second for a hundred thousand lengths.
        if bytes >= MAX_HISTORY_BYTES {
            chosen.left += order.len() - at * SIZES_AT_ONCE;
            break;
        }
        let known: Vec<Option<u64>> = part
            .iter()
            .map(|(blob, path)| clean.get(*blob, path))
            .collect();
        let asked: Vec<Oid> = part
            .iter()
            .zip(&known)
            .filter(|(_, known)| known.is_none())
            .map(|((blob, _), _)| *blob)
            .collect();
        let mut sizes: HashMap<Oid, Option<u64>> = HashMap::with_capacity(asked.len());
        if !asked.is_empty() {
            objects::sizes(git, location, &asked, |blob, size| {
                sizes.insert(blob, size);
            })?;
        }
        for ((blob, path), known) in part.iter().zip(known) {
            let size = match (known, sizes.get(blob)) {
                (Some(size), _) | (None, Some(&Some(size))) => size,
                (None, Some(None)) => {
                    chosen.missing += 1;
                    continue;
                }
                // No content at all: a submodule's commit.
                (None, None) => continue,
            };
            if size > MAX_BLOB_BYTES {
                if known.is_none() {
                    clean.put(*blob, path, size);
                }
            } else if bytes >= MAX_HISTORY_BYTES {
                chosen.left += 1;
            } else {
                bytes += size;
                if known.is_none() {
                    chosen.unknown.push(*blob);
                }
            }
        }
    }
    Ok(chosen)
}

/// Looks at one content.
fn look(path: &str, bytes: &[u8], commit: Option<Oid>, found: &mut Vec<Leak>) {
    for hit in secrets::find(path, bytes) {
        let Some(value) = bytes.get(hit.start..hit.end) else {
            continue;
        };
        if found.len() >= MAX_LEAKS {
            return;
        }
        let begin = bytes.get(..hit.start).unwrap_or_default();
        let begin = begin
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(begin, |at| begin.get(at + 1..).unwrap_or_default());
        let tail = begin
            .get(begin.len().saturating_sub(100)..)
            .unwrap_or_default();
        // A line may hold two values: what stands before the second must not show the first.
        let shown = if secrets::holds_any(path, begin) {
            String::new()
        } else {
            String::from_utf8_lossy(tail).trim_start().to_owned()
        };
        found.push(Leak {
            path: path.into(),
            line: hit.line,
            kind: hit.rule,
            mark: mark(value),
            before: shown.into(),
            commit,
        });
    }
}

/// Names a value without telling it. The hash is short and only compared within one run.
fn mark(value: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn is_skipped(path: &str) -> bool {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let name = name.to_ascii_lowercase();
    is_foreign(folder)
        || is_browser_profile(folder)
        || SKIPPED.iter().any(|ending| {
            name.strip_suffix(ending)
                .is_some_and(|stem| stem.ends_with('.'))
        })
        || matches!(
            name.as_str(),
            "package-lock.json" | "pnpm-lock.yaml" | "npm-shrinkwrap.json"
        )
}

/// A browser's own profile holds the browser's public keys and digests of settings by the hundred.
fn is_browser_profile(folder: &str) -> bool {
    let lower = folder.to_ascii_lowercase();
    let is_browser = ["chrome", "chromium", "firefox", "edge", "profile"]
        .iter()
        .any(|name| lower.contains(name));
    is_browser
        && lower.split('/').any(|part| {
            matches!(
                part,
                "default" | "cache_data" | "code cache" | "local storage" | "extensions"
            )
        })
}

/// Where credentials are found most often comes first.
fn rank(path: &str) -> u8 {
    let lower = path.to_ascii_lowercase();
    let name = lower.rsplit('/').next().unwrap_or_default();
    let is_telling = [
        "env", "secret", "cred", "config", "setting", "key", "token", "auth", "account",
    ]
    .iter()
    .any(|part| name.contains(part));
    let is_test = lower.contains("test") || lower.contains("fixture");
    match (
        is_telling,
        is_test,
        name.rsplit('.').next().unwrap_or_default(),
    ) {
        (true, false, _) => 0,
        (false, false, "py" | "sh" | "yml" | "yaml" | "toml" | "ini" | "cfg" | "js" | "ts") => 1,
        (false, false, "json" | "md" | "ipynb" | "txt") => 2,
        (_, true, _) => 4,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leak_is_told_without_its_value() {
        let value = ["CATAGDYB", "L6HCQR6I"].concat();
        let text = format!("import os\nKEY = os.getenv('AV_KEY', '{value}')\n");
        let tree = Tree::of([("a.py", text.clone()), ("b.py", text)]);
        let leaks = Leaks::of_tree(&tree).head;
        assert_eq!(leaks.len(), 2);
        assert_eq!(leaks[0].line, 2);
        assert_eq!(leaks[0].mark, leaks[1].mark);
        assert!(!format!("{leaks:?}").contains(&value));
    }
}
