//! Brings fixes into what is staged and into the work tree, so that whatever dies, no byte that a user wrote is lost.
//!
//! When it acts: only when a run fixed something. First the new contents become objects, then the intent is written down and
//! flushed, then the index is changed through git, then each file: the new content is written beside it and exchanged with it
//! in one step. What was exchanged is compared with what was merged from; when an editor saved in between, that newer text
//! is merged and exchanged again. When it recovers: the next run of any hook finishes what is written down; a file that already
//! has its fix is left alone. On first start there is nothing to finish.
//! Where the owner edited the same lines, his lines stay in the work tree and the fix is only staged; it is told.
//! Where the system cannot exchange files (Windows), a save within the microseconds between the look and the rename would
//! be replaced.
//! Not here: deciding what to fix.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tradewind_host::files::{self, Mode};
use tradewind_host::git::Git;
use tradewind_repo::checkout::Checkout;
use tradewind_repo::{Oid, odb};

use super::situation::{Candidate, Situation, bits, to_path};
use super::{HookError, merge, step};

/// Saves of an editor that are followed, one after the other.
const MAX_SAVES: usize = 20;
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
    let conversion = Conversion::of(git, top)?;
    for (fix, is_staged) in intent.fixes.iter().zip(staged) {
        let Some(path) = unhex(&fix.path) else {
            continue;
        };
        let file = in_tree(git, checkout, &conversion, fix, &path)?;
        step("file exchanged");
        applied.push(Applied {
            path: path.into(),
            is_staged,
            file,
        });
    }
    Ok(applied)
}

/// Puts the fixes into the index; not where something else was staged meanwhile.
fn stage(git: &Git, checkout: &Checkout, intent: &Intent) -> Result<Vec<bool>, HookError> {
    let index = checkout.read_index(|| Ok::<_, HookError>(git.clone()))?;
    let mut lines = Vec::new();
    let mut staged = Vec::new();
    for fix in &intent.fixes {
        let path = unhex(&fix.path).unwrap_or_default();
        let now = index.get(&path).map(|entry| entry.id);
        staged.push(now == Some(fix.from) || now == Some(fix.to));
        if now == Some(fix.from) {
            lines.extend_from_slice(format!("{:o} {} 0\t", fix.mode, fix.to).as_bytes());
            lines.extend_from_slice(&path);
            lines.push(0);
        }
    }
    if !lines.is_empty() {
        let args = ["update-index", "-z", "--index-info"];
        git.run_with_stdin(&checkout.location.top, &args, lines)?;
    }
    Ok(staged)
}

/// How files in the work tree differ from what is stored.
struct Conversion {
    is_possible: bool,
}

impl Conversion {
    fn of(git: &Git, top: &Path) -> Result<Self, HookError> {
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
        Ok(Self {
            is_possible: has_setting
                || !attributes.is_empty()
                || own.exists()
                || top.join(".gitattributes").exists(),
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

/// Brings a fix into one file of the work tree.
fn in_tree(
    git: &Git,
    checkout: &Checkout,
    conversion: &Conversion,
    fix: &Fix,
    path: &[u8],
) -> Result<InTree, HookError> {
    let top = &checkout.location.top;
    let target = top.join(to_path(path));
    let is_file = fs::symlink_metadata(&target).is_ok_and(|meta| meta.is_file());
    if !is_file {
        return Ok(InTree::LeftAlone);
    }
    let blob = |id: Oid| -> Result<Vec<u8>, HookError> {
        Ok(git.run_blocking(top, &["cat-file", "blob", &id.to_string()])?)
    };
    let (from, to) = (blob(fix.from)?, blob(fix.to)?);
    let left = beside(&target);
    if left.exists() {
        // An ended run left it: what was there before the exchange, or what was to come, perhaps half of it. Where
        // nothing is in it that is not in the file with its fix, it goes.
        let clean = |bytes: &[u8]| conversion.clean(git, top, path, bytes);
        let raw = read(&left)?;
        let (file, beside) = (clean(&read(&target)?)?, clean(&raw)?);
        let to_come = merge::merge(&from, &file, &to).bytes;
        let is_old = merge::merge(&from, &beside, &to).bytes == file;
        if is_old
            || conversion
                .smudge(git, top, path, to_come)?
                .starts_with(&raw)
        {
            remove(&left)?;
        } else {
            keep(&left, &target)?;
        }
    }
    let mut seen = read(&target)?;
    for _ in 0..MAX_SAVES {
        let ours = conversion.clean(git, top, path, &seen)?;
        let merged = merge::merge(&from, &ours, &to);
        let state = if merged.left_out == 0 {
            InTree::Fixed
        } else {
            InTree::Partly(merged.left_out)
        };
        if merged.bytes == ours {
            return Ok(state);
        }
        let new = conversion.smudge(git, top, path, merged.bytes)?;
        match exchange(&target, &new, &seen)? {
            None => return Ok(state),
            // Somebody saved between the look and the exchange: his text is the one to merge with.
            Some(newer) => seen = newer,
        }
    }
    Ok(InTree::Partly(1))
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

/// Exchanges a file's content; `Some` with what was there when that is not what was `seen`, which is put back first.
fn exchange(target: &Path, new: &[u8], seen: &[u8]) -> Result<Option<Vec<u8>>, HookError> {
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
        return Ok(Some(now));
    }
    step("before the exchange");
    let is_exchanged = files::swap(&beside, target)?;
    step("after the exchange");
    if !is_exchanged {
        return Ok(None);
    }
    // From here on the file beside may hold what a user wrote: it is never removed unseen.
    let old = read(&beside)?;
    if old == seen {
        remove(&beside)?;
        return Ok(None);
    }
    // What was saved in between lies beside; it goes back, and ours away, unless there was yet another save.
    files::swap(&beside, target)?;
    let ours = read(&beside)?;
    if ours == new {
        remove(&beside)?;
    } else {
        keep(&beside, target)?;
    }
    Ok(Some(old))
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
