//! What ignore rules hide: files, whole folders with the source files in them, tracked files that a
//! pattern covers as well, repositories within the repository.
//!
//! Why the names below an ignored folder: "what does this pattern hide that code needs" is a question of
//! the audit. Environments, package stores and caches are never entered, and every list has a bound;
//! what lies beyond is counted.
//! Not here: whether it matters.

use std::collections::HashMap;
use std::fs::{self, DirEntry};
use std::path::{Path, PathBuf};

use ignore::gitignore::Glob;

/// Ignored files and folders that are told one by one.
const MAX_HIDDEN: usize = 10_000;
/// Source files named below one ignored folder.
const MAX_NAMES: usize = 500;
/// Entries looked at below one ignored folder.
const MAX_LOOKS: usize = 5_000;
/// Folders within an ignored folder that are followed.
const MAX_DEPTH: usize = 8;

/// Endings of files that a program can need as code or settings.
const SOURCE_ENDINGS: &[&str] = &[
    "py", "pyi", "pyx", "ipynb", "js", "jsx", "mjs", "cjs", "ts", "tsx", "rs", "go", "sh", "sql",
    "toml", "yaml", "yml", "ini", "cfg",
];

/// Folders that programs fill and nobody imports from by path.
const MACHINE_MADE: &[&str] = &[
    "node_modules",
    "site-packages",
    "__pycache__",
    "__pypackages__",
    ".git",
    ".tox",
    ".nox",
    ".eggs",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".hypothesis",
    ".ipynb_checkpoints",
    ".venv",
];
/// Files by which an environment, a package store or a cache tells itself.
const MACHINE_MARKS: &[&str] = &["pyvenv.cfg", "CACHEDIR.TAG", "conda-meta", "bin/activate"];

/// One hidden file or folder.
#[derive(Clone, Debug)]
pub(crate) struct HiddenFile {
    /// Path from the root as bytes, a folder without its last `/`.
    pub(crate) path: Vec<u8>,
    pub(crate) size: u64,
    /// Index into [`Hidden::patterns`].
    pub(crate) pattern: u32,
    pub(crate) is_folder: bool,
    pub(crate) is_link: bool,
}

/// What the walk met that git does not mention.
#[derive(Debug, Default)]
pub(crate) struct Hidden {
    /// Patterns by their file and text.
    pub(crate) patterns: Vec<(Option<PathBuf>, String)>,
    pub(crate) files: Vec<HiddenFile>,
    /// Tracked paths that a pattern covers.
    pub(crate) tracked: Vec<(Vec<u8>, u32)>,
    /// Folders that are repositories of their own and not submodules.
    pub(crate) nested: Vec<Vec<u8>>,
    /// How many more were not told.
    pub(crate) dropped: u64,
    known: HashMap<(Option<PathBuf>, String), u32>,
}

impl Hidden {
    fn pattern(&mut self, glob: &Glob) -> u32 {
        let key = (glob.from().map(Path::to_owned), glob.original().to_owned());
        if let Some(at) = self.known.get(&key) {
            return *at;
        }
        let at = u32::try_from(self.patterns.len()).unwrap_or(u32::MAX);
        self.patterns.push(key.clone());
        self.known.insert(key, at);
        at
    }

    fn push(&mut self, file: HiddenFile) {
        if self.files.len() < MAX_HIDDEN {
            self.files.push(file);
        } else {
            self.dropped += 1;
        }
    }

    pub(super) fn file(&mut self, path: &[u8], glob: &Glob, is_tracked: bool, entry: &DirEntry) {
        if self.files.len() >= MAX_HIDDEN && !is_tracked {
            self.dropped += 1;
            return;
        }
        let pattern = self.pattern(glob);
        if is_tracked {
            self.tracked.push((path.to_vec(), pattern));
            return;
        }
        let Ok(meta) = entry.metadata() else {
            return;
        };
        self.push(HiddenFile {
            path: path.to_vec(),
            size: meta.len(),
            pattern,
            is_folder: false,
            is_link: meta.is_symlink(),
        });
    }

    /// Takes an ignored folder that holds nothing tracked; `prefix` ends with `/`.
    pub(super) fn folder(&mut self, prefix: &[u8], glob: &Glob, folder: &Path) {
        let pattern = self.pattern(glob);
        self.push(HiddenFile {
            path: prefix.strip_suffix(b"/").unwrap_or(prefix).to_vec(),
            size: 0,
            pattern,
            is_folder: true,
            is_link: false,
        });
        let mut looks = MAX_LOOKS;
        let mut names = MAX_NAMES;
        self.names(prefix, pattern, folder, (MAX_DEPTH, &mut looks, &mut names));
    }

    pub(super) fn nested(&mut self, prefix: &[u8]) {
        if self.nested.len() < MAX_HIDDEN {
            self.nested
                .push(prefix.strip_suffix(b"/").unwrap_or(prefix).to_vec());
        }
    }

    fn names(
        &mut self,
        prefix: &[u8],
        pattern: u32,
        folder: &Path,
        (depth, looks, names): (usize, &mut usize, &mut usize),
    ) {
        if depth == 0 || is_machine_made(folder) {
            return;
        }
        let Ok(entries) = fs::read_dir(folder) else {
            return;
        };
        for entry in entries.flatten() {
            if *looks == 0 || *names == 0 {
                return;
            }
            *looks -= 1;
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            let mut path = prefix.to_vec();
            path.extend_from_slice(entry.file_name().as_encoded_bytes());
            if kind.is_dir() {
                path.push(b'/');
                self.names(&path, pattern, &entry.path(), (depth - 1, looks, names));
            } else if kind.is_file() && is_source(&path) {
                *names -= 1;
                self.push(HiddenFile {
                    path,
                    size: entry.metadata().map_or(0, |meta| meta.len()),
                    pattern,
                    is_folder: false,
                    is_link: false,
                });
            }
        }
    }
}

fn is_source(path: &[u8]) -> bool {
    SOURCE_ENDINGS.iter().any(|ending| {
        path.strip_suffix(ending.as_bytes())
            .is_some_and(|stem| stem.ends_with(b"."))
    })
}

fn is_machine_made(folder: &Path) -> bool {
    let is_known = folder
        .file_name()
        .and_then(|name| name.to_str())
        .is_some_and(|name| MACHINE_MADE.contains(&name) || name.ends_with(".egg-info"));
    is_known
        || MACHINE_MARKS
            .iter()
            .any(|mark| folder.join(mark).symlink_metadata().is_ok())
}
