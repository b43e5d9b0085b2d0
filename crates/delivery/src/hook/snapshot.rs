//! A private copy of the tree under check, for programs of others to run in.
//!
//! Why: a program that fixes files must not find the work tree, where edits lie that nobody has staged. Each copy has its
//! own git directory and index, so that `git diff --staged` or `git ls-files` in a hook say what they would say in the
//! repository. Copies stay warm at one path for each repository: only what differs from the last run is written. What programs
//! leave behind is removed before the next run, but for their caches.
//! A copy that another run uses, or in which a program of a killed run still lives, is left alone, and the next one is taken.
//! Where attributes make files in a work tree other than their blobs (line ends, LFS), git writes them, with the filters of
//! the user's own settings; those of the repository's `.git/config` are not run, and hooks see the file as it is stored.
//! Not here: what to run, what to do with what it changed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use tradewind_host::files;
use tradewind_host::git::Git;
use tradewind_repo::Oid;
use tradewind_repo::index::Index;

use super::HookError;
use super::situation::{Situation, mode, to_path};
use crate::staged::Mode;

/// Copies of one repository at once.
const MAX_COPIES: usize = 32;
/// Folders that tools keep between runs.
const CACHES: &[&str] = &[
    "__pycache__",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".hypothesis",
];
/// Ignored folders that hooks need from the work tree.
pub(crate) const LINKED: &[&str] = &[".venv", "venv", "node_modules"];
/// Bound on the list of what was written last time.
const MAX_MANIFEST_BYTES: u64 = 256 * 1024 * 1024;

/// What a file looked like when it was written: mode, name of content, length and modification time.
type Written = (u32, Oid, u64, i128);

/// A private copy.
#[derive(Debug)]
pub(crate) struct Snapshot {
    dir: PathBuf,
    // Held until the copy is dropped.
    _lock: fs::File,
    files: BTreeMap<Box<[u8]>, Written>,
}

/// What a program made of the copy.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// New contents by path.
    pub(crate) written: BTreeMap<Box<[u8]>, Vec<u8>>,
    /// Files that it removed, and links that it turned: told, never applied.
    pub(crate) odd: Vec<Box<[u8]>>,
}

impl Snapshot {
    /// Takes a copy that nobody uses.
    pub(crate) fn take(cache: &Path) -> Result<Self, HookError> {
        for number in 0..MAX_COPIES {
            let dir = cache.join(number.to_string());
            files::ensure_private_dir(&dir)?;
            let path = dir.join("lock");
            let lock = fs::OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&path)
                .map_err(HookError::io("open", &path))?;
            if lock.try_lock().is_err() || is_inhabited(&dir) {
                continue;
            }
            let files = read_manifest(&dir).unwrap_or_default();
            return Ok(Self {
                dir,
                _lock: lock,
                files,
            });
        }
        Err(HookError::io("find a free folder below", cache)(
            std::io::ErrorKind::ResourceBusy.into(),
        ))
    }

    /// Returns where programs run.
    pub(crate) fn tree(&self) -> PathBuf {
        self.dir.join("tree")
    }

    /// Makes it the tree under check, with contents that replace those of the index.
    pub(crate) fn fill(
        &mut self,
        situation: &Situation,
        over: &BTreeMap<Box<[u8]>, Vec<u8>>,
    ) -> Result<(), HookError> {
        let tree = self.tree();
        fs::create_dir_all(&tree).map_err(HookError::io("make", &tree))?;
        // What was written is unknown until all is.
        absent(fs::remove_file(self.dir.join("manifest")))
            .map_err(HookError::io("remove the list in", &self.dir))?;
        let is_sha256 = situation.objects.is_sha256();
        let index = &situation.index;
        let mut wanted: BTreeMap<&[u8], (u32, Oid)> = BTreeMap::new();
        let mut submodules = Vec::new();
        for entry in index.entries() {
            let path = index.path(entry);
            if entry.stage == 0 && entry.mode == 0o160_000 {
                submodules.push(path);
            } else if entry.stage == 0 && !entry.is_intent_to_add {
                let id = match over.get(path) {
                    Some(bytes) => tradewind_repo::odb::blob_name(bytes, is_sha256),
                    None => entry.id,
                };
                wanted.insert(path, (entry.mode, id));
            }
        }
        self.clean(&wanted, &submodules)?;
        for path in submodules {
            // As after a clone: an empty folder, or git would say that the submodule is deleted.
            let folder = self.on_disk(path);
            fs::create_dir_all(&folder).map_err(HookError::io("make", &folder))?;
        }
        self.git_dir(situation, over)?;
        let is_converted = situation.has_attributes() || has_conversion(situation)?;
        let conversion = self.conversion(situation, is_converted)?;
        let path = self.dir.join("conversion");
        let mut known = std::mem::take(&mut self.files);
        if fs::read_to_string(&path).unwrap_or_default() != conversion {
            // The same blob made another file then.
            known.clear();
            fs::write(&path, conversion).map_err(HookError::io("write", path))?;
        }
        let mut missing = Vec::new();
        for (path, (bits, id)) in &wanted {
            match known.remove(*path) {
                Some(written)
                    if (written.0, written.1) == (*bits, *id)
                        && look(&self.on_disk(path)) == Some((written.2, written.3)) =>
                {
                    self.files.insert((*path).into(), written);
                }
                _ => missing.push((*path, *bits, *id)),
            }
        }
        if is_converted {
            self.check_out(&missing)?;
        } else {
            for (path, bits, id) in &missing {
                let bytes = match over.get(*path) {
                    Some(bytes) => bytes.clone(),
                    None => situation.read(path, mode(*bits), *id)?,
                };
                self.write(path, *bits, &bytes)?;
            }
        }
        for (path, bits, id) in missing {
            if let Some((size, at)) = look(&self.on_disk(path)) {
                self.files.insert(path.into(), (bits, id, size, at));
            }
        }
        self.link(situation);
        self.keep();
        Ok(())
    }

    /// Names all that decides which file git makes of a blob here: settings, filters and attributes.
    fn conversion(&self, situation: &Situation, is_converted: bool) -> Result<String, HookError> {
        if !is_converted {
            return Ok("none".to_owned());
        }
        let mut hasher = blake3::Hasher::new();
        let settings = Git::discover()?.run_blocking(&self.tree(), &["config", "--list", "-z"])?;
        hasher.update(&settings);
        let own = situation
            .location()
            .common_dir
            .join("info")
            .join("attributes");
        hasher.update(&files::read_bounded(&own, 1024 * 1024).unwrap_or_default());
        for entry in situation.index.entries() {
            let path = situation.index.path(entry);
            if path == b".gitattributes" || path.ends_with(b"/.gitattributes") {
                hasher.update(path);
                hasher.update(entry.id.as_slice());
            }
        }
        Ok(hasher.finalize().to_hex().to_string())
    }

    fn on_disk(&self, path: &[u8]) -> PathBuf {
        self.tree().join(to_path(path))
    }

    /// Removes what is not wanted, but for caches.
    fn clean(
        &self,
        wanted: &BTreeMap<&[u8], (u32, Oid)>,
        submodules: &[&[u8]],
    ) -> Result<(), HookError> {
        let mut folders: BTreeSet<&[u8]> = submodules.iter().copied().collect();
        for path in wanted.keys().chain(submodules) {
            for (at, _) in path.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
                folders.insert(path.get(..at).unwrap_or_default());
            }
        }
        let tree = self.tree();
        let mut open = vec![(tree.clone(), Vec::new())];
        while let Some((dir, prefix)) = open.pop() {
            let listed = fs::read_dir(&dir).map_err(HookError::io("list", &dir))?;
            for entry in listed.filter_map(Result::ok) {
                let name = entry.file_name();
                let name = name.as_encoded_bytes();
                if prefix.is_empty() && name == b".git" {
                    continue;
                }
                let path = if prefix.is_empty() {
                    name.to_vec()
                } else {
                    [prefix.as_slice(), b"/", name].concat()
                };
                let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
                if is_dir && folders.contains(path.as_slice()) {
                    open.push((entry.path(), path));
                } else if is_dir && CACHES.iter().any(|cache| cache.as_bytes() == name) {
                    // Kept: what makes the next run fast.
                } else if is_dir {
                    let here = entry.path();
                    fs::remove_dir_all(&here).map_err(HookError::io("remove", here))?;
                } else if !wanted.contains_key(path.as_slice()) {
                    let here = entry.path();
                    fs::remove_file(&here).map_err(HookError::io("remove", here))?;
                }
            }
        }
        Ok(())
    }

    /// Makes the private git directory: objects by alternates, the commit, an index, what a merge left.
    fn git_dir(
        &self,
        situation: &Situation,
        over: &BTreeMap<Box<[u8]>, Vec<u8>>,
    ) -> Result<(), HookError> {
        let git = self.tree().join(".git");
        let location = situation.location();
        absent(fs::remove_dir_all(&git)).map_err(HookError::io("remove", &git))?;
        for folder in [
            "objects/info",
            "objects/pack",
            "refs/heads",
            "refs/tags",
            "info",
        ] {
            let folder = git.join(folder);
            fs::create_dir_all(&folder).map_err(HookError::io("make", folder))?;
        }
        let put = |name: &str, bytes: &[u8]| {
            let path = git.join(name);
            if let Some(dir) = path.parent() {
                fs::create_dir_all(dir).map_err(HookError::io("make", dir))?;
            }
            fs::write(&path, bytes).map_err(HookError::io("write", path))
        };
        let mut alternates = Vec::new();
        for dir in situation.objects.dirs() {
            let dir = dir.canonicalize().unwrap_or_else(|_| dir.clone());
            alternates.extend_from_slice(dir.as_os_str().as_encoded_bytes());
            alternates.push(b'\n');
        }
        put("objects/info/alternates", &alternates)?;
        let format = if situation.objects.is_sha256() {
            "[core]\n\trepositoryformatversion = 1\n\tbare = false\n[extensions]\n\tobjectformat = sha256\n"
        } else {
            "[core]\n\trepositoryformatversion = 0\n\tbare = false\n"
        };
        put("config", settings(location, format).as_bytes())?;
        match (&situation.checkout.branch, situation.checkout.commit) {
            (Some(branch), commit) => {
                put("HEAD", format!("ref: {branch}\n").as_bytes())?;
                if let Some(commit) = commit {
                    put(branch, format!("{commit}\n").as_bytes())?;
                }
            }
            (None, Some(commit)) => put("HEAD", format!("{commit}\n").as_bytes())?,
            (None, None) => put("HEAD", b"ref: refs/heads/main\n")?,
        }
        for name in [
            "MERGE_HEAD",
            "MERGE_MSG",
            "MERGE_MODE",
            "CHERRY_PICK_HEAD",
            "REVERT_HEAD",
        ] {
            if let Ok(bytes) = files::read_bounded(&location.git_dir.join(name), 1024 * 1024) {
                put(name, &bytes)?;
            }
        }
        for name in ["info/exclude", "info/attributes"] {
            if let Ok(bytes) = files::read_bounded(&location.common_dir.join(name), 1024 * 1024) {
                put(name, &bytes)?;
            }
        }
        let is_sha256 = situation.objects.is_sha256();
        let index = &situation.index;
        let entries: Vec<_> = index
            .entries()
            .iter()
            .filter(|entry| entry.stage == 0 && !entry.is_intent_to_add)
            .map(|entry| {
                let path = index.path(entry);
                let id = match over.get(path) {
                    Some(bytes) => tradewind_repo::odb::blob_name(bytes, is_sha256),
                    None => entry.id,
                };
                (path, entry.mode, id)
            })
            .collect();
        put("index", &Index::write(entries.into_iter(), is_sha256))?;
        self.put_objects(over)
    }

    /// Writes what fixers made into the private objects, so that git finds what the private index names.
    fn put_objects(&self, over: &BTreeMap<Box<[u8]>, Vec<u8>>) -> Result<(), HookError> {
        if over.is_empty() {
            return Ok(());
        }
        let git = Git::discover()?;
        for bytes in over.values() {
            git.porcelain(
                &self.tree(),
                &["hash-object", "-w", "--no-filters", "--stdin"],
                bytes.clone(),
                &[],
            )?;
        }
        Ok(())
    }

    fn write(&self, path: &[u8], bits: u32, bytes: &[u8]) -> Result<(), HookError> {
        let target = self.on_disk(path);
        if let Some(dir) = target.parent() {
            fs::create_dir_all(dir).map_err(HookError::io("make", dir))?;
        }
        // A link or a file of another mode gives way.
        absent(fs::remove_file(&target)).map_err(HookError::io("remove", &target))?;
        match mode(bits) {
            Mode::Link => link(&to_path(bytes), &target).map_err(HookError::io("link", &target)),
            kind => {
                let mut file =
                    fs::File::create_new(&target).map_err(HookError::io("make", &target))?;
                file.write_all(bytes)
                    .map_err(HookError::io("write", &target))?;
                if kind == Mode::Executable {
                    executable(&file).map_err(HookError::io("change", &target))?;
                }
                Ok(())
            }
        }
    }

    /// Lets git write files, with its filters.
    fn check_out(&self, missing: &[(&[u8], u32, Oid)]) -> Result<(), HookError> {
        let mut paths = Vec::new();
        for (path, ..) in missing {
            paths.extend_from_slice(path);
            paths.push(0);
        }
        if !paths.is_empty() {
            let git = Git::discover()?;
            let args = ["checkout-index", "-f", "-q", "-z", "--stdin"];
            git.porcelain(&self.tree(), &args, paths, &[])?;
        }
        Ok(())
    }

    /// Links the folders of the work tree that hooks need and git ignores.
    fn link(&self, situation: &Situation) {
        for name in LINKED {
            let (from, to) = (situation.location().top.join(name), self.tree().join(name));
            if from.is_dir() && !to.exists() {
                // A system that gives no links runs its hooks without.
                if let Err(error) = link(&from, &to) {
                    tracing::debug!(%error, "a folder cannot be linked");
                }
            }
        }
    }

    /// Finds out what programs changed since it was filled.
    pub(crate) fn changes(&mut self, situation: &Situation) -> Result<Changes, HookError> {
        let mut changes = Changes::default();
        let converted = situation.has_attributes();
        for (path, written) in &self.files {
            let target = self.on_disk(path);
            if look(&target) == Some((written.2, written.3)) {
                continue;
            }
            let is_file = fs::symlink_metadata(&target).is_ok_and(|meta| meta.is_file());
            if !is_file || mode(written.0) == Mode::Link {
                changes.odd.push(path.clone());
                continue;
            }
            let bytes = fs::read(&target).map_err(HookError::io("read", &target))?;
            let bytes = if converted {
                self.cleaned(path, bytes)?
            } else {
                bytes
            };
            if tradewind_repo::odb::blob_name(&bytes, situation.objects.is_sha256()) != written.1 {
                changes.written.insert(path.clone(), bytes);
            }
        }
        Ok(changes)
    }

    /// Brings a file of the copy into the form in which it is stored.
    fn cleaned(&self, path: &[u8], bytes: Vec<u8>) -> Result<Vec<u8>, HookError> {
        let git = Git::discover()?;
        let path = format!("--path={}", String::from_utf8_lossy(path));
        let args = ["hash-object", "-w", "--stdin", path.as_str()];
        let id = git.porcelain(&self.tree(), &args, bytes, &[])?;
        let id = String::from_utf8_lossy(&id).trim().to_owned();
        Ok(git.run_blocking(&self.tree(), &["cat-file", "blob", &id])?)
    }

    /// Remembers what was written, for the next run.
    fn keep(&self) {
        let mut text = Vec::new();
        for (path, (mode, id, size, at)) in &self.files {
            text.extend_from_slice(format!("{mode:o} {id} {size} {at} ").as_bytes());
            text.extend_from_slice(path);
            text.push(0);
        }
        if let Err(error) = fs::write(self.dir.join("manifest"), text) {
            tracing::debug!(%error, "a snapshot's list cannot be kept");
        }
    }

    /// Remembers whose programs live here, so that a copy is not taken from under them.
    pub(crate) fn inhabited_by(&self, group: Option<u32>) {
        let path = self.dir.join("inhabitant");
        let told = match group {
            Some(group) => fs::write(&path, group.to_string()),
            None => fs::remove_file(&path),
        };
        if let Err(error) = told {
            tracing::debug!(%error, "a snapshot's inhabitant cannot be kept");
        }
    }
}

/// Takes "there was none" for done.
fn absent(removed: std::io::Result<()>) -> std::io::Result<()> {
    match removed {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Says whether a program of an earlier run still lives in a copy.
fn is_inhabited(dir: &Path) -> bool {
    fs::read_to_string(dir.join("inhabitant"))
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .is_some_and(tradewind_host::process::is_group_alive)
}

fn read_manifest(dir: &Path) -> Option<BTreeMap<Box<[u8]>, Written>> {
    let text = files::read_bounded(&dir.join("manifest"), MAX_MANIFEST_BYTES).ok()?;
    let records = text
        .split(|byte| *byte == 0)
        .filter(|record| !record.is_empty());
    let mut found = BTreeMap::new();
    for record in records {
        let mut words = record.splitn(5, |byte| *byte == b' ');
        let mut word = || std::str::from_utf8(words.next()?).ok();
        let mode = u32::from_str_radix(word()?, 8).ok()?;
        let id = word()?.parse().ok()?;
        let size = word()?.parse().ok()?;
        let at = word()?.parse().ok()?;
        found.insert(words.next()?.into(), (mode, id, size, at));
    }
    Some(found)
}

/// Returns length and modification time, of a link itself.
fn look(path: &Path) -> Option<(u64, i128)> {
    let meta = fs::symlink_metadata(path).ok()?;
    let at = meta.modified().ok()?;
    let at = match at.duration_since(std::time::UNIX_EPOCH) {
        Ok(since) => i128::try_from(since.as_nanos()).ok()?,
        Err(before) => -i128::try_from(before.duration().as_nanos()).ok()?,
    };
    Some((meta.len(), at))
}

/// Says whether the user's settings convert line ends though no attributes do.
fn has_conversion(situation: &Situation) -> Result<bool, HookError> {
    let git = situation.git()?;
    let args = [
        "config",
        "--get-regexp",
        r"^core\.(autocrlf|attributesfile)$",
    ];
    match git.run_blocking(&situation.location().top, &args) {
        Ok(answer) => Ok(!answer.ends_with(b"false\n") || answer.contains(&b'/')),
        Err(error) if error.exit_code() == Some(1) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Takes over the repository's settings but for those that lead back to it.
pub(crate) fn settings(location: &tradewind_repo::Location, format: &str) -> String {
    let text = files::read_bounded(&location.common_dir.join("config"), 1024 * 1024);
    let text = text.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let mut kept = format.to_owned();
    let mut section = String::new();
    for line in text.lines() {
        let trimmed = line.trim();
        if let Some(rest) = trimmed.strip_prefix('[') {
            section = rest
                .split([']', ' '])
                .next()
                .unwrap_or_default()
                .to_ascii_lowercase();
        }
        let key = trimmed
            .split(['=', ' '])
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        let is_kept = match section.as_str() {
            // Who commits, how lines end. No filters: who sent this folder could have written them.
            "user" | "diff" | "merge" | "blame" => true,
            "core" => !matches!(
                key.as_str(),
                "worktree"
                    | "bare"
                    | "hookspath"
                    | "repositoryformatversion"
                    | "fsmonitor"
                    | "sparsecheckout"
                    | "sparsecheckoutcone"
            ),
            _ => false,
        };
        if is_kept {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

#[cfg(unix)]
fn link(from: &Path, to: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(from, to)
}

#[cfg(windows)]
fn link(from: &Path, to: &Path) -> std::io::Result<()> {
    if from.is_dir() {
        std::os::windows::fs::symlink_dir(from, to)
    } else {
        std::os::windows::fs::symlink_file(from, to)
    }
}

#[cfg(unix)]
fn executable(file: &fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = file.metadata()?.permissions().mode();
    // Who may read may start it, as git does.
    file.set_permissions(fs::Permissions::from_mode(mode | (mode & 0o444) >> 2))
}

/// There, whether a file may be started is not told by its mode.
#[cfg(not(unix))]
fn executable(_: &fs::File) -> std::io::Result<()> {
    Ok(())
}

/// Contents of several programs, put together in the configuration's sequence.
#[derive(Debug, Default)]
pub(crate) struct Together {
    pub(crate) over: BTreeMap<Box<[u8]>, Vec<u8>>,
    /// Paths of which a later fix was left out, because an earlier one changed the same lines.
    pub(crate) collided: HashMap<Box<[u8]>, usize>,
}

impl Together {
    /// Adds what one program made of the common base.
    pub(crate) fn add(
        &mut self,
        situation: &Situation,
        base: &BTreeMap<Box<[u8]>, Vec<u8>>,
        written: BTreeMap<Box<[u8]>, Vec<u8>>,
    ) -> Result<(), HookError> {
        for (path, bytes) in written {
            let Some(earlier) = self.over.get(&path) else {
                self.over.insert(path, bytes);
                continue;
            };
            let start = match base.get(&path) {
                Some(bytes) => bytes.clone(),
                None => match situation.index.get(&path) {
                    Some(entry) => situation.read(&path, mode(entry.mode), entry.id)?,
                    None => Vec::new(),
                },
            };
            let merged = super::merge::merge(&start, earlier, &bytes);
            if merged.left_out > 0 {
                *self.collided.entry(path.clone()).or_default() += merged.left_out;
            }
            self.over.insert(path, merged.bytes);
        }
        Ok(())
    }
}
