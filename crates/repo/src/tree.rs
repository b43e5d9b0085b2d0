//! The files of a repository as the audit and the docs read them, and their text.
//!
//! Why: every reader of this room asks "is there a file of that name" and "what does it say", and must
//! get one answer, whether the repository is a work tree, a bare clone or a map in a test. Paths are
//! text with `/`, relative to the root. With a work tree, tracked files are read as they lie on disk, so
//! that a mistake that was mended is gone before it is committed; untracked and ignored files are listed
//! with their state. Without one, the files of a commit are read.
//! Links are never followed, nothing outside the root is opened, no file is read beyond
//! [`MAX_TEXT_BYTES`]. Not here: what files mean. Start reading at [`Tree`].

mod commit;
mod disk;
mod held;
mod index;
mod patterns;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tradewind_host::git::Git;

use crate::error::RepoError;
use crate::location::Location;
use crate::oid::Oid;

/// Files longer than this are listed and not read; no source file that a person wrote is.
pub const MAX_TEXT_BYTES: u64 = 2 * 1024 * 1024;

/// What a file is to git.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// Ordinary content.
    Regular,
    /// Ordinary content that may be started.
    Executable,
    /// A symbolic link; its content is where it leads.
    Link,
    /// Another repository, named by a commit; untracked, it lies there without being one.
    Submodule,
    /// A whole folder that is ignored.
    Folder,
}

/// Which files are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Those of the work tree; in a bare repository those of HEAD.
    WorkTree,
    /// Those of a commit.
    Commit(Oid),
}

/// Whether git has a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileState {
    /// In the index (or in the commit that is read).
    Tracked,
    /// On disk, neither tracked nor ignored.
    Untracked,
    /// On disk, untracked, and hidden by this pattern.
    Ignored(Arc<IgnorePattern>),
}

/// One line of an ignore file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnorePattern {
    /// The ignore file, relative to the root; `None` for the user's own outside the repository.
    pub file: Option<String>,
    /// Its line, the first is 1.
    pub line: u32,
    /// The pattern as written.
    pub pattern: String,
}

/// One file, or for ignored ones one whole folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Path from the root, with `/`. Bytes that are no UTF-8 are replaced.
    pub path: Box<str>,
    /// Name of its content as a git blob, where known without reading it.
    pub id: Option<Oid>,
    /// Length in bytes; 0 where unknown.
    pub size: u64,
    /// What it is to git.
    pub kind: FileKind,
    /// Whether git has it.
    pub state: FileState,
}

/// Something that could not be read, and why: the audit's `not_checked` says it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unread {
    /// What was to be read: a path, or words such as "history before 2020-01-01".
    pub what: String,
    /// Why not.
    pub reason: String,
}

/// Where contents come from.
#[derive(Debug)]
enum Contents {
    /// A map, in tests.
    Memory(BTreeMap<Box<str>, Arc<[u8]>>),
    /// Files below this folder.
    Disk {
        root: PathBuf,
        // Paths whose bytes are no UTF-8, by their text.
        odd: BTreeMap<Box<str>, PathBuf>,
        // What lies outside a sparse checkout.
        blobs: BTreeMap<Oid, Arc<[u8]>>,
    },
    /// Contents of a commit.
    Blobs(BTreeMap<Oid, Arc<[u8]>>),
}

/// The files of one repository at one moment.
#[derive(Debug)]
pub struct Tree {
    // Invariant: sorted by path, each path once.
    files: Vec<File>,
    missing: Vec<Box<str>>,
    ignored_by: BTreeMap<Box<str>, Arc<IgnorePattern>>,
    contents: Contents,
    unread: Vec<Unread>,
}

impl Tree {
    /// Reads the files of a repository.
    ///
    /// # Errors
    /// [`RepoError::Git`], [`RepoError::Read`], [`RepoError::Gone`] when the work tree is not there.
    pub fn read(git: &Git, location: &Location, source: Source) -> Result<Self, RepoError> {
        match source {
            Source::Commit(commit) => commit::read(git, location, commit),
            Source::WorkTree if !location.is_bare => disk::work_tree(git, location),
            Source::WorkTree => match head(git, location)? {
                Some(commit) => commit::read(git, location, commit),
                None => Ok(Self::of(Vec::<(&str, &str)>::new())),
            },
        }
    }

    /// Reads a folder that is in no repository. Each file that no ignore rule hides counts as tracked;
    /// [`Self::unread`] says so.
    ///
    /// # Errors
    /// [`RepoError::Gone`] when there is no such folder.
    pub fn read_folder(folder: &Path) -> Result<Self, RepoError> {
        disk::folder(folder)
    }

    /// Makes a tree of tracked files out of a map, for tests of readers and rules.
    pub fn of<P: Into<Box<str>>, C: Into<Vec<u8>>>(
        files: impl IntoIterator<Item = (P, C)>,
    ) -> Self {
        let contents: BTreeMap<Box<str>, Arc<[u8]>> = files
            .into_iter()
            .map(|(path, bytes)| (path.into(), Arc::from(bytes.into())))
            .collect();
        let files = contents
            .iter()
            .map(|(path, bytes)| File {
                path: path.clone(),
                id: None,
                size: bytes.len() as u64,
                kind: FileKind::Regular,
                state: FileState::Tracked,
            })
            .collect();
        Self {
            files,
            missing: Vec::new(),
            ignored_by: BTreeMap::new(),
            contents: Contents::Memory(contents),
            unread: Vec::new(),
        }
    }

    /// Makes a tree of tracked files whose contents the caller has, as far as it wants them read: two trees that
    /// differ in a few files share the rest. A path that comes twice counts once.
    pub fn assembled(mut files: Vec<File>, contents: BTreeMap<Oid, Arc<[u8]>>) -> Self {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files.dedup_by(|a, b| a.path == b.path);
        Self {
            files,
            missing: Vec::new(),
            ignored_by: BTreeMap::new(),
            contents: Contents::Blobs(contents),
            unread: Vec::new(),
        }
    }

    /// Returns every file, tracked or not, sorted by path.
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// Returns the tracked files, sorted by path.
    pub fn tracked(&self) -> impl Iterator<Item = &File> {
        self.files
            .iter()
            .filter(|file| file.state == FileState::Tracked)
    }

    /// Returns the file at `path`, tracked or not.
    pub fn get(&self, path: &str) -> Option<&File> {
        let at = self
            .files
            .binary_search_by(|file| file.path.as_ref().cmp(path))
            .ok()?;
        self.files.get(at)
    }

    /// Says whether git has a file at `path`, or files below it.
    pub fn has(&self, path: &str) -> bool {
        self.get(path)
            .is_some_and(|file| file.state == FileState::Tracked)
            || self.has_folder(path)
    }

    /// Says whether git has a file below the folder `path`; the root is `""`.
    pub fn has_folder(&self, path: &str) -> bool {
        self.below(path)
            .any(|file| file.state == FileState::Tracked)
    }

    /// Returns every file below the folder `path`, at any depth; the root is `""`.
    pub fn below<'t>(&'t self, path: &str) -> impl Iterator<Item = &'t File> + use<'t> {
        let path = path.trim_end_matches('/');
        let prefix = if path.is_empty() {
            String::new()
        } else {
            format!("{path}/")
        };
        let start = self
            .files
            .partition_point(|file| file.path.as_ref() < prefix.as_str());
        self.files[start..]
            .iter()
            .take_while(move |file| file.path.starts_with(&prefix))
    }

    /// Returns the content of a file. `None` for folders, submodules, links and what is absent, too
    /// long or unreadable; [`Self::unread`] does not list those by itself.
    pub fn bytes(&self, path: &str) -> Option<Arc<[u8]>> {
        let file = self.get(path)?;
        if file.size > MAX_TEXT_BYTES
            || !matches!(file.kind, FileKind::Regular | FileKind::Executable)
        {
            return None;
        }
        match &self.contents {
            Contents::Memory(files) => files.get(path).map(Arc::clone),
            Contents::Blobs(blobs) => blobs.get(&file.id?).map(Arc::clone),
            Contents::Disk { root, odd, blobs } => {
                let path = odd.get(path).map_or(Path::new(path), PathBuf::as_path);
                read_file(&root.join(path))
                    .map(Arc::from)
                    .or_else(|| file.id.and_then(|id| blobs.get(&id).map(Arc::clone)))
            }
        }
    }

    /// Returns the tracked files that are not on disk: deleted and not committed.
    pub fn missing(&self) -> &[Box<str>] {
        &self.missing
    }

    /// Returns the pattern that would hide a tracked file if it were not tracked.
    pub fn tracked_although_ignored(&self) -> impl Iterator<Item = (&str, &IgnorePattern)> {
        self.ignored_by
            .iter()
            .map(|(path, pattern)| (path.as_ref(), pattern.as_ref()))
    }

    /// Returns the content of a file as text: without a byte order mark, bytes that are no UTF-8
    /// replaced. A mark of UTF-16 is believed, as pip and editors do. `None` as for [`Self::bytes`], and for
    /// what looks binary (a zero byte in the first 8,000).
    pub fn text(&self, path: &str) -> Option<String> {
        let bytes = match &self.contents {
            // Most texts are read here, and most are UTF-8: the bytes that were read become the text.
            Contents::Disk { root, odd, .. } if odd.is_empty() && self.is_readable(path) => {
                read_file(&root.join(path))
            }
            _ => None,
        };
        let bytes = match bytes {
            Some(bytes) => bytes,
            None => self.bytes(path)?.to_vec(),
        };
        if let Some(text) = utf16(&bytes) {
            return Some(text);
        }
        if is_binary(&bytes) {
            return None;
        }
        if let Some(bytes) = bytes.strip_prefix(b"\xef\xbb\xbf") {
            return Some(String::from_utf8_lossy(bytes).into_owned());
        }
        let text = String::from_utf8(bytes);
        Some(text.unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    fn is_readable(&self, path: &str) -> bool {
        self.get(path).is_some_and(|file| {
            file.size <= MAX_TEXT_BYTES
                && matches!(file.kind, FileKind::Regular | FileKind::Executable)
        })
    }

    /// Returns what could not be listed or read while the tree was made.
    pub fn unread(&self) -> &[Unread] {
        &self.unread
    }
}

/// Reads UTF-16 that says that it is; shells of Windows write `requirements.txt` so.
fn utf16(bytes: &[u8]) -> Option<String> {
    let unit: fn([u8; 2]) -> u16 = match bytes.get(..2)? {
        [0xff, 0xfe] => u16::from_le_bytes,
        [0xfe, 0xff] => u16::from_be_bytes,
        _ => return None,
    };
    let units: Vec<u16> = bytes
        .get(2..)?
        .chunks_exact(2)
        .filter_map(|pair| Some(unit(pair.try_into().ok()?)))
        .collect();
    // A picture or an archive may begin with the same two bytes.
    let text = String::from_utf16(&units).ok()?;
    (!text.contains('\0')).then_some(text)
}

fn is_binary(bytes: &[u8]) -> bool {
    // `contains` looks at many bytes at a time.
    bytes.get(..8_000).unwrap_or(bytes).contains(&0)
}

/// Reads a file that is one: no link is followed, no pipe is waited for, and one that grew since it was
/// listed is cut at the bound.
fn read_file(path: &Path) -> Option<Vec<u8>> {
    let meta = path.symlink_metadata().ok()?;
    if !meta.is_file() || meta.len() > MAX_TEXT_BYTES {
        return None;
    }
    let mut bytes = Vec::with_capacity(usize::try_from(meta.len()).unwrap_or(0));
    let file = std::fs::File::open(path).ok()?;
    file.take(MAX_TEXT_BYTES).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Returns the commit of HEAD; `None` when there is none yet.
pub(crate) fn head(git: &Git, location: &Location) -> Result<Option<Oid>, RepoError> {
    let args = ["rev-parse", "--verify", "--quiet", "HEAD^{commit}"];
    match git.run_blocking(&location.git_dir, &args) {
        Ok(answer) => Ok(Oid::from_hex(answer.trim_ascii_end()).ok()),
        Err(error) if error.exit_code() == Some(1) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Takes answers of `git ls-tree` and `git ls-files`, and an ignore file, apart.
#[cfg(any(test, feature = "fuzz"))]
pub(crate) fn fuzz(answer: &[u8]) {
    commit::fuzz(answer);
    index::fuzz(answer);
    patterns::fuzz(answer);
}
