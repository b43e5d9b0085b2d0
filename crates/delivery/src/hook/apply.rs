//! Brings fixes into what is staged and into the work tree, so that whatever dies, no byte that a user wrote is lost.
//!
//! When it acts: only when a run fixed something. First the new contents become objects, then the intent is written down and
//! flushed, then the index is changed through git, then each file: the new content is written beside it and exchanged with it
//! in one step. What was exchanged is compared with what was merged from; when an editor saved in between, that newer text
//! is merged and exchanged again. When it recovers: the next run of any hook finishes what is written down; a file that already
//! has its fix is left alone. On first start there is nothing to finish.
//! What was there stays beside the file for a moment longer ([`Tree::settle`]): an editor that had it open may still write into it.
//! Where the owner edited the same lines, his lines stay in the work tree and the fix is only staged; it is told. So it is
//! where a filter makes the file: one that cannot be turned back would lose what only the file has (the results in a
//! notebook), and one of the repository's own settings is not run.
//! Where the system cannot exchange files (Windows), a save within the microseconds between the look and the rename would
//! be replaced.
//! Not here: deciding what to fix.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tradewind_host::files::{self, Mode};
use tradewind_host::git::Git;
use tradewind_repo::checkout::Checkout;
use tradewind_repo::{Oid, odb};

use super::situation::{Candidate, Situation, bits, to_path};
use super::{HookError, merge, step};

/// Saves of an editor that are followed, one after the other.
const MAX_SAVES: usize = 20;
/// How long what was there lies beside its file, for an editor that is in the middle of writing it.
const SETTLE: Duration = Duration::from_millis(20);
/// Bound on an intent.
const MAX_INTENT_BYTES: u64 = 64 * 1024 * 1024;

/// What is to be done to one path.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
struct Fix {
    /// The path, each byte as two digits: it may be no text.
    path: String,
    mode: u32,
    /// What was staged.
    from: Oid,
    /// What it becomes.
    to: Oid,
}

/// What is to be done, written down before it is.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
struct Intent {
    schema_version: u32,
    /// Whether the index gets the fixes; not in `git commit -a`, where it is git's own for the moment.
    is_staged: bool,
    fixes: Vec<Fix>,
}

/// What became of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The path.
    pub path: Box<[u8]>,
    /// Whether the fix is staged.
    pub is_staged: bool,
    /// What became of the file in the work tree.
    pub file: InTree,
}

/// What became of a file in the work tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InTree {
    /// It has the fix.
    Fixed,
    /// It has the fix but for this many places, where its own edits stay.
    Partly(usize),
    /// It is not there, or no ordinary file; it was left alone.
    LeftAlone,
    /// A filter makes it that cannot be turned back, or that the repository's own settings name; it was left alone.
    Filtered,
    /// It was saved twice while the fix was written; one text is in the file, the other in a file beside it.
    Kept,
}

/// A file that was exchanged, while what was there lies beside it.
struct Waiting {
    /// Which of the fixes.
    at: usize,
    target: PathBuf,
    /// What was merged from, and what it became.
    seen: blake3::Hash,
    new: blake3::Hash,
}

/// How an exchange went.
enum Exchanged {
    /// As it should; `true` where what was there lies beside the file now.
    Done(bool),
    /// Somebody saved in between: this is his text, and it is in the file.
    Newer(Vec<u8>),
}

fn folder(checkout: &Checkout) -> PathBuf {
    checkout.location.git_dir.join("tradewind")
}

fn intent_file(checkout: &Checkout) -> PathBuf {
    folder(checkout).join("apply.json")
}

/// Applies fixes: new content by file.
pub(crate) fn apply(
    situation: &Situation,
    fixes: &[(Candidate, Vec<u8>)],
) -> Result<Vec<Applied>, HookError> {
    let git = situation.git()?;
    let checkout = &situation.checkout;
    let mut intent = Intent {
        schema_version: 1,
        is_staged: !checkout.has_own_index(),
        fixes: Vec::with_capacity(fixes.len()),
    };
    for (file, bytes) in fixes {
        intent.fixes.push(Fix {
            path: hex(&file.path),
            mode: bits(file.mode),
            from: file.id,
            to: odb::blob_name(bytes, situation.objects.is_sha256()),
        });
    }
    let dir = folder(checkout);
    fs::create_dir_all(&dir).map_err(HookError::io("make", &dir))?;
    write_objects(&git, checkout, &dir, fixes)?;
    step("objects written");
    let text = serde_json::to_vec(&intent)
        .map_err(std::io::Error::other)
        .map_err(HookError::io("write", intent_file(checkout)))?;
    files::atomic_write(&intent_file(checkout), &text, Mode::Private)?;
    step("intent recorded");
    let done = carry_out(&git, checkout, &intent);
    if done.is_ok() || !started(&done) {
        remove(&intent_file(checkout))?;
    }
    step("intent removed");
    done
}

/// Says whether anything was changed before an error; the index comes first, so one there changed nothing.
fn started(done: &Result<Vec<Applied>, HookError>) -> bool {
    !matches!(done, Err(HookError::Git(_)))
}

/// Finishes what an earlier run began; returns what it did.
pub(crate) fn finish(checkout: &Checkout) -> Result<Vec<Applied>, HookError> {
    let path = intent_file(checkout);
    let text = match files::read_bounded(&path, MAX_INTENT_BYTES) {
        Ok(text) => text,
        Err(error) if error.is_not_found() => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let Ok(intent) = serde_json::from_slice::<Intent>(&text) else {
        // It is written whole or not at all; this one somebody else wrote. It is kept for a look.
        let aside = path.with_extension("unreadable");
        fs::rename(&path, &aside).map_err(HookError::io("rename", &path))?;
        return Ok(Vec::new());
    };
    let git = Git::discover()?.keeping_hook_env();
    let done = carry_out(&git, checkout, &intent)?;
    remove(&path)?;
    Ok(done)
}

fn remove(path: &Path) -> Result<(), HookError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(HookError::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// Writes contents as objects, all through one child.
fn write_objects(
    git: &Git,
    checkout: &Checkout,
    dir: &Path,
    fixes: &[(Candidate, Vec<u8>)],
) -> Result<(), HookError> {
    let parts = tempfile::Builder::new()
        .prefix("fixes-")
        .tempdir_in(dir)
        .map_err(HookError::io("make a folder in", dir))?;
    let mut names = Vec::new();
    for (at, (_, bytes)) in fixes.iter().enumerate() {
        let path = parts.path().join(at.to_string());
        fs::write(&path, bytes).map_err(HookError::io("write", &path))?;
        names.extend_from_slice(path.as_os_str().as_encoded_bytes());
        names.push(b'\n');
    }
    let args = ["hash-object", "-w", "--no-filters", "--stdin-paths"];
    git.run_with_stdin(&checkout.location.top, &args, names)?;
    Ok(())
}

fn carry_out(git: &Git, checkout: &Checkout, intent: &Intent) -> Result<Vec<Applied>, HookError> {
    let top = &checkout.location.top;
    let mut applied = Vec::with_capacity(intent.fixes.len());
    let staged = if intent.is_staged {
        stage(git, checkout, intent)?
    } else {
        vec![false; intent.fixes.len()]
    };
    step("index changed");
    let paths: Vec<Vec<u8>> = intent
        .fixes
        .iter()
        .map(|fix| unhex(&fix.path).unwrap_or_default())
        .collect();
    let tree = Tree {
        git,
        top,
        conversion: Conversion::of(git, top, &paths)?,
        fixes: &intent.fixes,
        paths: &paths,
    };
    let mut waiting = Vec::new();
    for (at, (path, is_staged)) in paths.iter().zip(staged).enumerate() {
        let file = tree.bring(at, &mut waiting)?;
        step("file exchanged");
        applied.push(Applied {
            path: path.clone().into(),
            is_staged,
            file,
        });
    }
    for _ in 0..MAX_SAVES {
        if waiting.is_empty() {
            break;
        }
        for (at, file) in tree.settle(&mut waiting)? {
            if let Some(applied) = applied.get_mut(at) {
                applied.file = file;
            }
        }
    }
    step("files settled");
    Ok(applied)
}

/// Puts the fixes into the index; not where something else was staged meanwhile.
fn stage(git: &Git, checkout: &Checkout, intent: &Intent) -> Result<Vec<bool>, HookError> {
    let index = checkout.read_index(|| Ok::<_, HookError>(git.clone()))?;
    let mut lines = Vec::new();
    let mut skipped = Vec::new();
    let mut staged = Vec::new();
    for fix in &intent.fixes {
        let path = unhex(&fix.path).unwrap_or_default();
        let entry = index.get(&path);
        let now = entry.map(|entry| entry.id);
        staged.push(now == Some(fix.from) || now == Some(fix.to));
        if now == Some(fix.from) {
            if entry.is_some_and(|entry| entry.is_skipped) {
                skipped.extend_from_slice(&path);
                skipped.push(0);
            }
            lines.extend_from_slice(format!("{:o} {} 0\t", fix.mode, fix.to).as_bytes());
            lines.extend_from_slice(&path);
            lines.push(0);
        }
    }
    if !lines.is_empty() {
        let args = ["update-index", "-z", "--index-info"];
        git.run_with_stdin(&checkout.location.top, &args, lines)?;
    }
    if !skipped.is_empty() {
        // Outside a sparse checkout; without this the file would count as deleted.
        let args = ["update-index", "-z", "--skip-worktree", "--stdin"];
        git.run_with_stdin(&checkout.location.top, &args, skipped)?;
    }
    Ok(staged)
}

/// How files in the work tree differ from what is stored.
struct Conversion {
    is_possible: bool,
    /// Paths whose filter the repository's own settings name: it is not run.
    untrusted: BTreeSet<Vec<u8>>,
}

impl Conversion {
    fn of(git: &Git, top: &Path, paths: &[Vec<u8>]) -> Result<Self, HookError> {
        let args = [
            "config",
            "--get-regexp",
            r"^core\.(autocrlf|attributesfile|eol)$",
        ];
        let has_setting = match git.run_blocking(top, &args) {
            Ok(answer) => !answer.is_empty(),
            Err(error) if error.exit_code() == Some(1) => false,
            Err(error) => return Err(error.into()),
        };
        let attributes = git.run_blocking(
            top,
            &["ls-files", "-z", "--", "*.gitattributes", ".gitattributes"],
        )?;
        let own = git.run_blocking(top, &["rev-parse", "--git-path", "info/attributes"])?;
        let own = top.join(String::from_utf8_lossy(&own).trim_end());
        let is_possible = has_setting
            || !attributes.is_empty()
            || own.exists()
            || top.join(".gitattributes").exists();
        let untrusted = if is_possible {
            untrusted(git, top, paths)?
        } else {
            BTreeSet::new()
        };
        Ok(Self {
            is_possible,
            untrusted,
        })
    }

    /// Brings a file of the work tree into the form in which it is stored.
    fn clean(
        &self,
        git: &Git,
        top: &Path,
        path: &[u8],
        bytes: &[u8],
    ) -> Result<Vec<u8>, HookError> {
        if !self.is_possible {
            return Ok(bytes.to_vec());
        }
        let named = format!("--path={}", String::from_utf8_lossy(path));
        let args = ["hash-object", "-w", "--stdin", named.as_str()];
        let id = git.porcelain(top, &args, bytes.to_vec(), &[])?;
        let id = String::from_utf8_lossy(&id).trim().to_owned();
        Ok(git.run_blocking(top, &["cat-file", "blob", &id])?)
    }

    /// Brings what is stored into the form that a file of the work tree has.
    fn smudge(
        &self,
        git: &Git,
        top: &Path,
        path: &[u8],
        bytes: Vec<u8>,
    ) -> Result<Vec<u8>, HookError> {
        if !self.is_possible {
            return Ok(bytes);
        }
        let args = ["hash-object", "-w", "--no-filters", "--stdin"];
        let id = git.run_with_stdin(top, &args, bytes)?;
        let id = String::from_utf8_lossy(&id).trim().to_owned();
        let named = format!("--path={}", String::from_utf8_lossy(path));
        Ok(git.porcelain(
            top,
            &["cat-file", "--filters", &named, &id],
            Vec::new(),
            &[],
        )?)
    }
}

/// Returns the paths whose filter the repository's own settings name; those came with a folder, not from its owner.
fn untrusted(git: &Git, top: &Path, paths: &[Vec<u8>]) -> Result<BTreeSet<Vec<u8>>, HookError> {
    let args = [
        "config",
        "--show-scope",
        "--name-only",
        "-z",
        "--get-regexp",
        r"^filter\.",
    ];
    let answer = match git.run_blocking(top, &args) {
        Ok(answer) => answer,
        Err(error) if error.exit_code() == Some(1) => return Ok(BTreeSet::new()),
        Err(error) => return Err(error.into()),
    };
    let mut own: BTreeSet<Vec<u8>> = BTreeSet::new();
    let mut words = answer.split(|byte| *byte == 0);
    while let (Some(scope), Some(key)) = (words.next(), words.next()) {
        let name = key.get("filter.".len()..).unwrap_or_default();
        let end = name.iter().rposition(|byte| *byte == b'.').unwrap_or(0);
        if matches!(scope, b"local" | b"worktree") {
            own.insert(name.get(..end).unwrap_or_default().to_vec());
        }
    }
    if own.is_empty() {
        return Ok(BTreeSet::new());
    }
    let mut asked = Vec::new();
    for path in paths {
        asked.extend_from_slice(path);
        asked.push(0);
    }
    let args = ["check-attr", "-z", "--stdin", "filter"];
    let answer = git.run_with_stdin(top, &args, asked)?;
    let mut words = answer.split(|byte| *byte == 0);
    let mut found = BTreeSet::new();
    while let (Some(path), Some(_), Some(value)) = (words.next(), words.next(), words.next()) {
        if own.contains(value) {
            found.insert(path.to_vec());
        }
    }
    Ok(found)
}

/// A work tree into which fixes are brought.
struct Tree<'a> {
    git: &'a Git,
    top: &'a Path,
    conversion: Conversion,
    fixes: &'a [Fix],
    paths: &'a [Vec<u8>],
}

impl Tree<'_> {
    fn clean(&self, path: &[u8], bytes: &[u8]) -> Result<Vec<u8>, HookError> {
        self.conversion.clean(self.git, self.top, path, bytes)
    }

    fn smudge(&self, path: &[u8], bytes: Vec<u8>) -> Result<Vec<u8>, HookError> {
        self.conversion.smudge(self.git, self.top, path, bytes)
    }

    fn blob(&self, id: Oid) -> Result<Vec<u8>, HookError> {
        let args = ["cat-file", "blob", &id.to_string()];
        Ok(self.git.run_blocking(self.top, &args)?)
    }

    /// Brings a fix into its file.
    fn bring(&self, at: usize, waiting: &mut Vec<Waiting>) -> Result<InTree, HookError> {
        let (Some(fix), Some(path)) = (self.fixes.get(at), self.paths.get(at)) else {
            return Ok(InTree::LeftAlone);
        };
        let target = self.top.join(to_path(path));
        let is_file = fs::symlink_metadata(&target).is_ok_and(|meta| meta.is_file());
        if !is_file {
            return Ok(InTree::LeftAlone);
        }
        if self.conversion.untrusted.contains(path) {
            return Ok(InTree::Filtered);
        }
        let (from, to) = (self.blob(fix.from)?, self.blob(fix.to)?);
        let left = beside(&target);
        if left.exists() {
            // An ended run left it: what was there before the exchange, or what was to come, perhaps half of it. Where
            // nothing is in it that is not in the file with its fix, it goes.
            let raw = read(&left)?;
            let file = self.clean(path, &read(&target)?)?;
            let beside = self.clean(path, &raw)?;
            let to_come = merge::merge(&from, &file, &to).bytes;
            let is_old = merge::merge(&from, &beside, &to).bytes == file;
            if is_old || self.smudge(path, to_come)?.starts_with(&raw) {
                remove(&left)?;
            } else {
                keep(&left, &target)?;
            }
        }
        let mut seen = read(&target)?;
        for _ in 0..MAX_SAVES {
            let ours = self.clean(path, &seen)?;
            let merged = merge::merge(&from, &ours, &to);
            let state = if merged.left_out == 0 {
                InTree::Fixed
            } else {
                InTree::Partly(merged.left_out)
            };
            if merged.bytes == ours {
                return Ok(state);
            }
            if self.conversion.is_possible
                && !is_same_but_for_line_ends(&self.smudge(path, ours)?, &seen)
            {
                return Ok(InTree::Filtered);
            }
            let new = self.smudge(path, merged.bytes)?;
            match exchange(&target, &new, &seen)? {
                Exchanged::Done(lies_beside) => {
                    if lies_beside {
                        waiting.push(Waiting {
                            at,
                            target,
                            seen: blake3::hash(&seen),
                            new: blake3::hash(&new),
                        });
                    }
                    return Ok(state);
                }
                Exchanged::Newer(newer) => seen = newer,
            }
        }
        Ok(InTree::Partly(1))
    }

    /// Removes what lies beside exchanged files, unless an editor wrote into it meanwhile or replaced the file: that text
    /// is the newest, and the fix is merged with it. Returns what became of those; what has to wait again is `waiting`.
    fn settle(&self, waiting: &mut Vec<Waiting>) -> Result<BTreeMap<usize, InTree>, HookError> {
        step("files exchanged");
        std::thread::sleep(SETTLE);
        let mut found = BTreeMap::new();
        for one in std::mem::take(waiting) {
            let beside = beside(&one.target);
            let is_as_seen = blake3::hash(&read(&beside)?) == one.seen;
            let is_ours = fs::read(&one.target).is_ok_and(|now| blake3::hash(&now) == one.new);
            if is_as_seen {
                remove(&beside)?;
                if is_ours || !one.target.exists() {
                    continue;
                }
            } else if is_ours {
                files::swap(&beside, &one.target)?;
                if blake3::hash(&read(&beside)?) == one.new {
                    remove(&beside)?;
                } else {
                    keep(&beside, &one.target)?;
                }
            } else {
                keep(&beside, &one.target)?;
                found.insert(one.at, InTree::Kept);
                continue;
            }
            found.insert(one.at, self.bring(one.at, waiting)?);
        }
        Ok(found)
    }
}

/// Says whether a conversion and back keeps everything; line ends may become those that git writes.
fn is_same_but_for_line_ends(one: &[u8], other: &[u8]) -> bool {
    let without = |bytes: &[u8]| -> Vec<u8> {
        let mut kept = Vec::with_capacity(bytes.len());
        for (at, byte) in bytes.iter().enumerate() {
            if *byte != b'\r' || bytes.get(at + 1) != Some(&b'\n') {
                kept.push(*byte);
            }
        }
        kept
    };
    one == other || without(one) == without(other)
}

fn read(path: &Path) -> Result<Vec<u8>, HookError> {
    fs::read(path).map_err(HookError::io("read", path))
}

/// Returns where the new content of a file is written before it is exchanged; one name, so that it is found again.
fn beside(target: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(target.file_name().unwrap_or_default());
    name.push(".tradewind-tmp");
    target.with_file_name(name)
}

/// Puts a content that nobody knows where its owner finds it.
fn keep(beside: &Path, target: &Path) -> Result<(), HookError> {
    for number in 0..1000 {
        let mut name = target.file_name().unwrap_or_default().to_owned();
        name.push(format!(".tradewind-kept-{number}"));
        let kept = target.with_file_name(name);
        if !kept.exists() {
            return fs::rename(beside, &kept).map_err(HookError::io("rename", beside));
        }
    }
    Ok(())
}

/// Exchanges a file's content, unless it is another than what was `seen`.
fn exchange(target: &Path, new: &[u8], seen: &[u8]) -> Result<Exchanged, HookError> {
    let beside = beside(target);
    if beside.exists() {
        keep(&beside, target)?;
    }
    let io = |what| HookError::io(what, beside.clone());
    let mut file = fs::File::create_new(&beside).map_err(io("make"))?;
    std::io::Write::write_all(&mut file, new).map_err(io("write"))?;
    let mode = fs::metadata(target).map_err(HookError::io("look at", target))?;
    fs::set_permissions(&beside, mode.permissions()).map_err(io("change"))?;
    file.sync_all().map_err(io("flush"))?;
    drop(file);
    let now = read(target)?;
    if now != seen {
        remove(&beside)?;
        return Ok(Exchanged::Newer(now));
    }
    step("before the exchange");
    let is_exchanged = files::swap(&beside, target)?;
    step("after the exchange");
    if !is_exchanged {
        return Ok(Exchanged::Done(false));
    }
    // From here on the file beside may hold what a user wrote: it is never removed unseen.
    let old = read(&beside)?;
    if old == seen {
        return Ok(Exchanged::Done(true));
    }
    // What was saved in between lies beside; it goes back, and ours away, unless there was yet another save.
    files::swap(&beside, target)?;
    let ours = read(&beside)?;
    if ours == new {
        remove(&beside)?;
    } else {
        keep(&beside, target)?;
    }
    Ok(Exchanged::Newer(old))
}

fn hex(path: &[u8]) -> String {
    path.iter().fold(String::new(), |mut text, byte| {
        text.push_str(&format!("{byte:02x}"));
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}
