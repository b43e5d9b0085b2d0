//! Which folders have a watch.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};

use super::{WatchError, WatchSpec};

/// Whether one watch covers a whole tree at no further cost.
const COVERS_TREES: bool = cfg!(any(target_os = "macos", target_os = "ios", windows));

pub(super) struct Folders {
    watcher: RecommendedWatcher,
    spec: WatchSpec,
    // Invariant: what the watcher was told, without folders that are known to be gone.
    watched: HashSet<PathBuf>,
}

impl Folders {
    pub(super) fn new(watcher: RecommendedWatcher, spec: WatchSpec) -> Self {
        Self {
            watcher,
            spec,
            watched: HashSet::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.watched.len()
    }

    /// Watches everything that was asked for and is not watched yet.
    pub(super) fn watch_all(&mut self) -> Result<(), WatchError> {
        for folder in self.spec.folders.clone() {
            self.add_required(&folder, RecursiveMode::NonRecursive)?;
        }
        for tree in self.spec.trees.clone() {
            if COVERS_TREES {
                self.add_required(&tree, RecursiveMode::Recursive)?;
            } else {
                self.add_required(&tree, RecursiveMode::NonRecursive)?;
                self.add_below(tree)?;
            }
        }
        Ok(())
    }

    /// Watches a folder that appeared in a tree, with what is already below it.
    pub(super) fn watch_new(&mut self, folder: &Path) -> Result<(), WatchError> {
        // A folder of this name may have been here before; its watch went with it.
        self.forget(folder);
        if COVERS_TREES || !self.spec.trees.iter().any(|tree| folder.starts_with(tree)) {
            return Ok(());
        }
        if self.add(folder, RecursiveMode::NonRecursive)? {
            self.add_below(folder.to_owned())?;
        }
        Ok(())
    }

    /// Takes note that a folder is gone, with everything below it.
    pub(super) fn forget(&mut self, folder: &Path) {
        if self.watched.contains(folder) {
            self.watched.retain(|watched| !watched.starts_with(folder));
        }
    }

    /// Says whether a path, or a folder it lies in, is left out.
    pub(super) fn is_ignored(&self, path: &Path, is_dir: bool) -> bool {
        let is_ignored = &self.spec.is_ignored;
        if is_ignored(path, is_dir) {
            return true;
        }
        // Where each folder has its own watch, nothing comes from within an ignored one.
        COVERS_TREES
            && path.ancestors().skip(1).any(|above| {
                self.spec
                    .trees
                    .iter()
                    .any(|tree| above.starts_with(tree) && above != tree)
                    && is_ignored(above, true)
            })
    }

    fn add_required(&mut self, path: &Path, mode: RecursiveMode) -> Result<(), WatchError> {
        if self.add(path, mode)? {
            return Ok(());
        }
        Err(WatchError::Missing {
            path: path.to_owned(),
        })
    }

    /// Returns `false` when the folder does not exist any more.
    fn add(&mut self, path: &Path, mode: RecursiveMode) -> Result<bool, WatchError> {
        if self.watched.contains(path) {
            return Ok(true);
        }
        if !COVERS_TREES && self.watched.len() >= self.spec.max_watches {
            return Err(WatchError::TooMany {
                watches: self.watched.len(),
            });
        }
        match self.watcher.watch(path, mode) {
            Ok(()) => {
                self.watched.insert(path.to_owned());
                Ok(true)
            }
            Err(_) if !path.is_dir() => Ok(false),
            Err(error) => Err(WatchError::of(error, self.watched.len())),
        }
    }

    fn add_below(&mut self, folder: PathBuf) -> Result<(), WatchError> {
        let mut open = vec![folder];
        while let Some(folder) = open.pop() {
            // Gone or closed to us: then there is nothing to see.
            let Ok(entries) = std::fs::read_dir(&folder) else {
                continue;
            };
            for entry in entries.flatten() {
                if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    continue;
                }
                let path = entry.path();
                if (self.spec.is_ignored)(&path, true) {
                    continue;
                }
                if self.add(&path, RecursiveMode::NonRecursive)? {
                    open.push(path);
                }
            }
        }
        Ok(())
    }
}
