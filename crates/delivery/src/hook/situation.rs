//! What hooks look at: the tree that will be committed, which of its files, and what else they may ask.
//!
//! Why: nothing is taken from the work tree but bytes that are proven by their name to be what is staged; reading those
//! from disk is faster than from git's objects. What the checks ask beyond a file's content is answered here, once, and
//! only when asked.
//! Not here: running hooks, changing anything.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use tradewind_host::files;
use tradewind_host::git::Git;
use tradewind_repo::checkout::Checkout;
use tradewind_repo::index::Index;
use tradewind_repo::odb::{self, Kind, Objects};
use tradewind_repo::trees::{self, Side};
use tradewind_repo::{Location, Oid, operation_in_progress};

use super::{HookError, Scope};
use crate::builtin::Surroundings;
use crate::precommit::{Config, Settled, Tags, identify};
use crate::staged::Mode;

/// Content longer than this is not looked at; it is told.
pub(crate) const MAX_BYTES: u64 = 256 * 1024 * 1024;
/// Bound on a file of the machine that a check asks for.
const MAX_MACHINE_BYTES: u64 = 1024 * 1024;

/// A file that hooks look at.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) path: Box<[u8]>,
    pub(crate) mode: Mode,
    pub(crate) id: Oid,
}

/// What hooks look at.
pub(crate) struct Situation {
    pub(crate) checkout: Checkout,
    pub(crate) objects: Objects,
    /// The tree under check: what is staged, or a commit's.
    pub(crate) index: Index,
    /// Whether the tree under check is what is staged.
    pub(crate) is_staged: bool,
    pub(crate) candidates: Vec<Candidate>,
    /// The tree before.
    base: Option<Oid>,
    pub(crate) config: Option<Config>,
    pub(crate) hooks: Vec<Settled>,
    git: OnceLock<Option<Git>>,
    tracked: OnceLock<Vec<Box<[u8]>>>,
    added: OnceLock<Vec<Box<[u8]>>>,
    attributes: OnceLock<bool>,
    filters: Mutex<Option<std::collections::HashMap<Box<[u8]>, Filter>>>,
}

impl std::fmt::Debug for Situation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Situation")
            .field("checkout", &self.checkout)
            .field("candidates", &self.candidates.len())
            .finish_non_exhaustive()
    }
}

pub(crate) fn mode(bits: u32) -> Mode {
    match bits {
        0o100_755 => Mode::Executable,
        0o120_000 => Mode::Link,
        0o160_000 => Mode::Submodule,
        _ => Mode::Regular,
    }
}

pub(crate) fn bits(mode: Mode) -> u32 {
    match mode {
        Mode::Regular => 0o100_644,
        Mode::Executable => 0o100_755,
        Mode::Link => 0o120_000,
        Mode::Submodule => 0o160_000,
    }
}

fn candidate(path: &[u8], side: Side) -> Candidate {
    Candidate {
        path: path.into(),
        mode: mode(side.0),
        id: side.1,
    }
}

fn discover() -> Result<Git, HookError> {
    Git::discover().map_err(HookError::from)
}

impl Situation {
    /// Looks at a repository.
    pub(crate) fn look(dir: &Path, scope: &Scope) -> Result<Self, HookError> {
        let mut this = Self::open(dir)?;
        this.choose(scope)?;
        Ok(this)
    }

    /// Looks at a repository without choosing a tree or files in it.
    pub(crate) fn open(dir: &Path) -> Result<Self, HookError> {
        let checkout = Checkout::find(dir, discover)?;
        let objects = checkout.objects()?;
        Ok(Self {
            index: Index::default(),
            is_staged: true,
            candidates: Vec::new(),
            base: None,
            config: None,
            hooks: Vec::new(),
            git: OnceLock::new(),
            tracked: OnceLock::new(),
            added: OnceLock::new(),
            attributes: OnceLock::new(),
            filters: Mutex::default(),
            checkout,
            objects,
        })
    }

    /// Makes a tree the one under check, and `commit`, where it is one's, what seems checked out.
    pub(crate) fn take_tree(&mut self, tree: Oid, commit: Option<Oid>) -> Result<(), HookError> {
        self.index = Index::of_tree(&self.objects, tree)?;
        self.is_staged = false;
        if commit.is_some() && commit != self.checkout.commit {
            self.checkout.branch = None;
            self.checkout.commit = commit;
        }
        Ok(())
    }

    /// Makes what is staged the tree under check.
    pub(crate) fn take_staged(&mut self) -> Result<(), HookError> {
        self.index = self.checkout.read_index(discover)?;
        Ok(())
    }

    fn choose(&mut self, scope: &Scope) -> Result<(), HookError> {
        let head = match self.checkout.commit {
            Some(commit) => Some(trees::commit(&self.objects, commit)?.0),
            None => None,
        };
        self.base = head;
        let mut found = Vec::new();
        match scope {
            Scope::Staged => {
                self.index = self.checkout.read_index(discover)?;
                trees::staged(&self.objects, head, &self.index, &mut |path, _, after| {
                    found.extend(after.map(|side| candidate(path, side)));
                })?;
                // What a merge brings in unchanged was checked where it comes from.
                for other in self.checkout.merged()? {
                    let (tree, _) = trees::commit(&self.objects, other)?;
                    let mut kept = Vec::new();
                    for file in found {
                        let there = trees::at(&self.objects, tree, &file.path)?;
                        if there != Some((bits(file.mode), file.id)) {
                            kept.push(file);
                        }
                    }
                    found = kept;
                }
            }
            Scope::All | Scope::Files(_) => {
                self.index = self.checkout.read_index(discover)?;
                let entries = self.index.entries().iter();
                let entries = entries.filter(|entry| entry.stage == 0 && !entry.is_intent_to_add);
                let wanted = match scope {
                    Scope::Files(files) => Some(files),
                    _ => None,
                };
                found.extend(entries.filter_map(|entry| {
                    let path = self.index.path(entry);
                    wanted
                        .is_none_or(|files| files.iter().any(|file| file.as_ref() == path))
                        .then(|| candidate(path, (entry.mode, entry.id)))
                }));
            }
            Scope::Between { from, to } => {
                let to = trees::commit(&self.objects, *to)?.0;
                let from = match from {
                    Some(from) => Some(trees::commit(&self.objects, *from)?.0),
                    None => None,
                };
                self.index = Index::of_tree(&self.objects, to)?;
                self.is_staged = false;
                self.base = from;
                trees::between(&self.objects, from, Some(to), &mut |path, _, after| {
                    found.extend(after.map(|side| candidate(path, side)));
                })?;
            }
        }
        found.sort_by(|a, b| a.path.cmp(&b.path));
        self.candidates = found;
        Ok(())
    }

    /// Returns git, looked for once.
    pub(crate) fn git(&self) -> Result<Git, HookError> {
        if let Some(Some(git)) = self.git.get() {
            return Ok(git.clone());
        }
        let git = discover()?.keeping_hook_env();
        self.git.get_or_init(|| Some(git.clone()));
        Ok(git)
    }

    /// Returns the tree that changes are against.
    pub(super) fn base(&self) -> Option<Oid> {
        self.base
    }

    pub(crate) fn location(&self) -> &Location {
        &self.checkout.location
    }

    /// Returns where a path lies in the work tree.
    pub(crate) fn on_disk(&self, path: &[u8]) -> PathBuf {
        self.location().top.join(to_path(path))
    }

    /// Reads a content: from the work tree when its name proves it, else from git's objects.
    pub(crate) fn read(&self, path: &[u8], mode: Mode, id: Oid) -> Result<Vec<u8>, HookError> {
        if mode == Mode::Submodule {
            return Ok(Vec::new());
        }
        if mode != Mode::Link
            && let Some(bytes) = read_file(&self.on_disk(path))
            && odb::blob_name(&bytes, self.objects.is_sha256()) == id
        {
            return Ok(bytes);
        }
        match self.objects.read(id, MAX_BYTES)? {
            Some(object) if object.kind == Kind::Blob => Ok(object.bytes),
            _ => Err(trees::TreeError::Missing { id }.into()),
        }
    }

    /// Says whether a program makes of a blob what lies in a work tree.
    pub(crate) fn has_filter(&self, path: &[u8]) -> bool {
        self.filter(path) != Filter::None
    }

    fn filter(&self, path: &[u8]) -> Filter {
        if !self.has_attributes() {
            return Filter::None;
        }
        let mut known = self.filters.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.get_or_insert_with(|| {
            let mut known = std::collections::HashMap::new();
            let mut asked: Vec<u8> = Vec::new();
            for file in &self.candidates {
                asked.extend_from_slice(&file.path);
                asked.push(0);
            }
            let args = ["check-attr", "-z", "--stdin", "filter"];
            let answer = self
                .git()
                .and_then(|git| Ok(git.run_with_stdin(&self.location().top, &args, asked)?));
            let answer = answer.unwrap_or_default();
            let mut words = answer.split(|byte| *byte == 0);
            while let (Some(path), Some(_), Some(value)) =
                (words.next(), words.next(), words.next())
            {
                let filter = match value {
                    b"lfs" => Filter::Lfs,
                    b"unspecified" | b"unset" => continue,
                    _ => Filter::Other,
                };
                known.insert(path.into(), filter);
            }
            known
        });
        known.get(path).copied().unwrap_or(Filter::None)
    }

    /// Says whether attributes may make a file in the work tree another than its blob.
    pub(crate) fn has_attributes(&self) -> bool {
        *self.attributes.get_or_init(|| {
            let is_one =
                |path: &[u8]| path == b".gitattributes" || path.ends_with(b"/.gitattributes");
            let entries = self.index.entries().iter();
            entries
                .into_iter()
                .any(|entry| is_one(self.index.path(entry)))
                || self
                    .location()
                    .common_dir
                    .join("info")
                    .join("attributes")
                    .exists()
        })
    }
}

/// What attributes say of how a file is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filter {
    None,
    Lfs,
    Other,
}

/// Reads an ordinary file, none that is being made larger than a check looks at.
fn read_file(path: &Path) -> Option<Vec<u8>> {
    // A link would lead elsewhere; its bytes would not have the name anyway.
    let meta = std::fs::symlink_metadata(path).ok()?;
    (meta.is_file() && meta.len() <= MAX_BYTES).then(|| std::fs::read(path).ok())?
}

#[cfg(unix)]
pub(crate) fn to_path(path: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    std::ffi::OsStr::from_bytes(path).into()
}

/// Git speaks UTF-8 where paths are text.
#[cfg(not(unix))]
pub(crate) fn to_path(path: &[u8]) -> PathBuf {
    String::from_utf8_lossy(path).into_owned().into()
}

impl Surroundings for Situation {
    fn tracked(&self) -> &[Box<[u8]>] {
        self.tracked.get_or_init(|| {
            let mut paths: Vec<Box<[u8]>> = Vec::with_capacity(self.index.entries().len());
            for entry in self.index.entries() {
                let path = self.index.path(entry);
                if paths.last().is_none_or(|last| last.as_ref() != path) {
                    paths.push(path.into());
                }
            }
            paths
        })
    }

    fn content(&self, path: &[u8]) -> Option<(Mode, Vec<u8>)> {
        let entry = self.index.get(path)?;
        let mode = mode(entry.mode);
        Some((mode, self.read(path, mode, entry.id).ok()?))
    }

    fn before(&self, path: &[u8]) -> Option<(Mode, Vec<u8>)> {
        let (bits, id) = trees::at(&self.objects, self.base?, path).ok()??;
        let mode = mode(bits);
        Some((mode, self.read(path, mode, id).ok()?))
    }

    fn mode(&self, path: &[u8]) -> Option<Mode> {
        self.index.get(path).map(|entry| mode(entry.mode))
    }

    fn tags(&self, path: &[u8]) -> Option<Tags> {
        let (mode, bytes) = self.content(path)?;
        identify::tags(path, mode, Some(&bytes))
    }

    fn added(&self) -> &[Box<[u8]>] {
        self.added.get_or_init(|| {
            let mut added: Vec<Box<[u8]>> = Vec::new();
            let mut note = |path: &[u8], before: Option<Side>, after: Option<Side>| {
                if before.is_none() && after.is_some() {
                    added.push(path.into());
                }
            };
            // A tree that cannot be read was told when the candidates were chosen.
            let told = trees::staged(&self.objects, self.base, &self.index, &mut note);
            if told.is_err() {
                added.clear();
            }
            added.sort();
            added
        })
    }

    fn exists(&self, path: &[u8]) -> bool {
        if self.index.get(path).is_some() {
            return true;
        }
        let folder = [path, b"/"].concat();
        let entries = self.index.entries();
        let at = entries.partition_point(|entry| self.index.path(entry) < folder.as_slice());
        if entries
            .get(at)
            .is_some_and(|entry| self.index.path(entry).starts_with(&folder))
        {
            return true;
        }
        self.on_disk(path).exists()
    }

    fn is_lfs(&self, path: &[u8]) -> bool {
        self.filter(path) == Filter::Lfs
    }

    fn branch(&self) -> Option<String> {
        let branch = self.checkout.branch.as_deref()?;
        Some(
            branch
                .strip_prefix("refs/heads/")
                .unwrap_or(branch)
                .to_owned(),
        )
    }

    fn is_merging(&self) -> bool {
        let dir = &self.location().git_dir;
        (dir.join("MERGE_MSG").exists() && dir.join("MERGE_HEAD").exists())
            || dir.join("rebase-apply").exists()
            || dir.join("rebase-merge").exists()
            || operation_in_progress(self.location())
                .is_some_and(|_| dir.join("MERGE_HEAD").exists())
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn machine_file(&self, path: &str) -> Option<Vec<u8>> {
        let path = match path.strip_prefix("~/") {
            Some(rest) => std::env::home_dir()?.join(rest),
            None => self.location().top.join(path),
        };
        files::read_bounded(&path, MAX_MACHINE_BYTES).ok()
    }

    fn config(&self) -> Option<&Config> {
        self.config.as_ref()
    }

    fn hooks(&self) -> &[Settled] {
        &self.hooks
    }
}
