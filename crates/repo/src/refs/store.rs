//! Reads refs from the repository's files, or through git where the store is not made of files.
//!
//! Loose refs are read before packed ones, as git does: `pack-refs` writes the packed file first and
//! removes the loose ones afterwards, so that whoever reads in this order misses none.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, Read as _};
use std::path::Path;

use tradewind_host::files;
use tradewind_host::git::Git;

use super::{BRANCHES, Head, RefsView, TAGS, reflog};
use crate::error::RepoError;
use crate::location::Location;
use crate::oid::Oid;

/// Bound on symbolic refs that point to symbolic refs; git's own is 5.
const MAX_SYMREF_DEPTH: usize = 5;
/// Bound on folders within folders below `refs/`.
const MAX_DEPTH: usize = 32;
/// Bound on a line of `packed-refs`; a file system's names end at 4096 bytes.
const MAX_LINE_BYTES: u64 = 64 * 1024;
/// Bound on the sentences kept about what could not be read.
const MAX_PROBLEMS: usize = 50;

pub(super) fn read(
    git: &Git,
    location: &Location,
    previous: Option<&RefsView>,
) -> Result<RefsView, RepoError> {
    // Logs first: an entry that is written after this is told at the next look. The other way round,
    // a commit would be taken for one that was left again, because its branch was read before it moved.
    let mut logs = reflog::ends(git, location, previous)?;
    let mut reading = Reading::default();
    let head = read_head(git, location)?;
    if is_reftable(location) {
        reading.ask_git(git, location)?;
    } else {
        let refs = location.common_dir.join("refs");
        reading.read_loose(&refs.join("heads"), BRANCHES, 0);
        reading.read_loose(&refs.join("tags"), TAGS, 0);
        reading.read_packed(&location.common_dir)?;
    }
    let other_heads = other_heads(location);
    let refs = reading.resolve();
    reflog::fit_to_branches(location, &refs, &mut logs)?;
    let problems = reading.problems;
    Ok(RefsView {
        head,
        refs,
        other_heads,
        problems,
        history: Vec::new(),
        logs,
    })
}

/// Says whether refs live in git's binary table format.
pub(super) fn is_reftable(location: &Location) -> bool {
    location.common_dir.join("reftable").is_dir()
}

fn read_head(git: &Git, location: &Location) -> Result<Head, RepoError> {
    if is_reftable(location) {
        return ask_head(git, location);
    }
    let path = location.git_dir.join("HEAD");
    let gone = || RepoError::Gone {
        path: location.git_dir.clone(),
    };
    match files::read_bounded(&path, 4096) {
        Ok(bytes) => match parse_ref(&bytes) {
            Some(Value::Oid(oid)) => Ok(Head::Detached(oid)),
            Some(Value::Symbolic(name)) => Ok(Head::Ref(name)),
            None => Err(gone()),
        },
        Err(error) if error.is_not_found() => Err(gone()),
        Err(error) => Err(error.into()),
    }
}

fn ask_head(git: &Git, location: &Location) -> Result<Head, RepoError> {
    let dir = &location.git_dir;
    match git.run_blocking(dir, &["symbolic-ref", "--quiet", "HEAD"]) {
        Ok(name) => Ok(Head::Ref(
            String::from_utf8_lossy(name.trim_ascii_end()).into_owned(),
        )),
        Err(error) if error.exit_code() == Some(1) => {
            let oid = git.run_blocking(dir, &["rev-parse", "--verify", "HEAD"])?;
            let gone = || RepoError::Gone { path: dir.clone() };
            Oid::from_hex(oid.trim_ascii_end())
                .ok()
                .map(Head::Detached)
                .ok_or_else(gone)
        }
        Err(error) => Err(error.into()),
    }
}

enum Value {
    Oid(Oid),
    Symbolic(String),
}

/// Reads the content of a loose ref or of HEAD.
fn parse_ref(bytes: &[u8]) -> Option<Value> {
    let text = bytes.trim_ascii_end();
    if let Some(name) = text.strip_prefix(b"ref:") {
        let name = String::from_utf8_lossy(name.trim_ascii()).into_owned();
        return (!name.is_empty()).then_some(Value::Symbolic(name));
    }
    Oid::from_hex(text)
        .ok()
        .filter(|oid| !oid.is_zero())
        .map(Value::Oid)
}

#[derive(Default)]
struct Reading {
    refs: BTreeMap<String, Oid>,
    symbolic: Vec<(String, String)>,
    problems: Vec<String>,
}

impl Reading {
    fn problem(&mut self, text: impl FnOnce() -> String) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(text());
        }
    }

    fn read_loose(&mut self, dir: &Path, prefix: &str, depth: usize) {
        let entries = match fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => return self.problem(|| format!("{prefix} cannot be read: {error}")),
        };
        for entry in entries.flatten() {
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if kind.is_dir() && depth < MAX_DEPTH {
                self.read_loose(&entry.path(), &format!("{name}/"), depth + 1);
            } else if !kind.is_dir() && !has_lock_suffix(&name) {
                self.read_one(&entry.path(), name);
            }
        }
    }

    fn read_one(&mut self, path: &Path, name: String) {
        match files::read_bounded(path, 4096) {
            Ok(bytes) => match parse_ref(&bytes) {
                Some(Value::Oid(oid)) => {
                    self.refs.insert(name, oid);
                }
                Some(Value::Symbolic(target)) => self.symbolic.push((name, target)),
                // Git itself makes refs by rename, so this is damage and not an unfinished write.
                None => self.problem(|| format!("{name} holds no object id")),
            },
            // Deleted, or packed and read from there in a moment.
            Err(error) if error.is_not_found() => {}
            Err(error) => self.problem(|| format!("{name} cannot be read: {error}")),
        }
    }

    fn read_packed(&mut self, common_dir: &Path) -> Result<(), RepoError> {
        let path = common_dir.join("packed-refs");
        let file = match fs::File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(RepoError::read(&path)(source)),
        };
        self.take_lines(io::BufReader::new(file))
            .map_err(RepoError::read(&path))
    }

    /// Takes the lines of `packed-refs`. One beyond the bound is passed over and told: no name is that long, and a
    /// file of zeros has no line feed.
    fn take_lines(&mut self, mut file: impl BufRead) -> io::Result<()> {
        let mut line = Vec::new();
        loop {
            line.clear();
            let mut part = file.by_ref().take(MAX_LINE_BYTES);
            if part.read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            if line.last() == Some(&b'\n') || (line.len() as u64) < MAX_LINE_BYTES {
                self.take_packed(line.strip_suffix(b"\n").unwrap_or(&line));
            } else {
                self.problem(|| format!("packed-refs has a line beyond {MAX_LINE_BYTES} bytes"));
                file.skip_until(b'\n')?;
            }
        }
    }

    /// Takes `<oid> <name>`.
    fn take_packed(&mut self, line: &[u8]) {
        if matches!(line.first(), None | Some(b'#' | b'^')) {
            return;
        }
        let at = line
            .iter()
            .position(|byte| *byte == b' ')
            .unwrap_or(line.len());
        let (oid, name) = line.split_at(at);
        let name = String::from_utf8_lossy(name.trim_ascii()).into_owned();
        if !name.starts_with(BRANCHES) && !name.starts_with(TAGS) {
            return;
        }
        match Oid::from_hex(oid) {
            // A loose ref wins over a packed one.
            Ok(oid) => {
                self.refs.entry(name).or_insert(oid);
            }
            Err(_) => self.problem(|| format!("{name} is packed without an object id")),
        }
    }

    fn ask_git(&mut self, git: &Git, location: &Location) -> Result<(), RepoError> {
        let format = "--format=%(objectname) %(refname)";
        let args = ["for-each-ref", format, BRANCHES, TAGS];
        git.records(&location.git_dir, &args, Vec::new(), b'\n', |line| {
            let text = String::from_utf8_lossy(line);
            if let Some((oid, name)) = text.split_once(' ') {
                match oid.parse() {
                    Ok(oid) => {
                        self.refs.insert(name.to_owned(), oid);
                    }
                    Err(_) => self.problem(|| format!("{name} holds no object id")),
                }
            }
            std::ops::ControlFlow::Continue(())
        })?;
        Ok(())
    }

    fn resolve(&mut self) -> BTreeMap<String, Oid> {
        let mut refs = std::mem::take(&mut self.refs);
        let symbolic: BTreeMap<_, _> = std::mem::take(&mut self.symbolic).into_iter().collect();
        for (name, target) in &symbolic {
            // It may shadow a packed ref of the same name.
            refs.remove(name);
            let mut target = target;
            for _ in 0..MAX_SYMREF_DEPTH {
                if let Some(oid) = refs.get(target) {
                    let oid = *oid;
                    refs.insert(name.clone(), oid);
                    break;
                }
                match symbolic.get(target) {
                    Some(next) => target = next,
                    None => break,
                }
            }
        }
        refs
    }
}

/// Takes loose and packed references apart, whatever they hold.
#[cfg(any(test, feature = "fuzz"))]
pub(super) fn fuzz(bytes: &[u8]) {
    let mut reading = Reading::default();
    assert!(reading.take_lines(bytes).is_ok());
    for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        match parse_ref(line) {
            Some(Value::Symbolic(target)) => {
                reading
                    .symbolic
                    .push((format!("refs/heads/{number}"), target));
            }
            Some(Value::Oid(oid)) => assert!(!oid.is_zero()),
            None => {}
        }
    }
    let _ = reading.resolve();
    assert!(reading.problems.len() <= MAX_PROBLEMS);
}

/// Finds the commits at which the repository's other work trees stand without a branch.
fn other_heads(location: &Location) -> BTreeMap<String, Oid> {
    let mut heads = BTreeMap::new();
    for (name, dir) in reflog::other_git_dirs(location) {
        let bytes = files::read_bounded(&dir.join("HEAD"), 4096).unwrap_or_default();
        if let Some(Value::Oid(oid)) = parse_ref(&bytes) {
            heads.insert(name, oid);
        }
    }
    heads
}

fn has_lock_suffix(name: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|extension| extension == "lock")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_packed_refs_without_end_is_told_and_the_rest_is_read() {
        let oid = "a".repeat(40);
        let endless = "0".repeat(300_000);
        let text = format!("# pack-refs\n{oid} refs/heads/one\n{endless}\n{oid} refs/tags/two");
        let mut reading = Reading::default();
        reading.take_lines(text.as_bytes()).unwrap();
        let names: Vec<_> = reading.refs.keys().map(String::as_str).collect();
        assert_eq!(names, ["refs/heads/one", "refs/tags/two"]);
        assert_eq!(
            reading.problems,
            ["packed-refs has a line beyond 65536 bytes"]
        );
    }
}
