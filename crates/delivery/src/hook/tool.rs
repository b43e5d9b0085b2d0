//! Which program a hook starts, and everything of it that decides: its bytes, its interpreter, the packages beside it.
//!
//! Why: "black passed" holds only for this black. A small file is known by its bytes; a large one by its stamp (device,
//! number, length, times of change), as git knows files. A script of Python is known by its interpreter and by every package
//! that the interpreter finds: their lists of files (`RECORD`) by stamp, the module that the script starts file by file.
//! Where modules are looked for only the interpreter knows: it is asked once, and again when something there has changed.
//! In doubt there is no answer but a reason, and the hook is asked each time.
//! Not seen: an edit inside a package other than the tool's own; the referee is for that.
//! Not here: which programs may be remembered ([`super::per_file`]).

use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};

use tradewind_host::files;
use tradewind_host::process::{self, CommandSpec};

use super::cache::first;
use super::terms::Part;
use super::verdicts::{Search, Verdicts};

/// A file up to this length is known by its bytes.
const MAX_READ: u64 = 256 * 1024;
/// Files of a tool's own module that are looked at.
const MAX_FILES: usize = 4_000;
/// What an interpreter says of its folders.
const MAX_ANSWER: usize = 64 * 1024;

/// A program that a hook starts.
#[derive(Clone, Debug)]
pub(crate) struct Tool {
    /// What it is called, without folder and `.exe`.
    pub(crate) name: String,
    /// Module that its start script imports; `None` for a program that is no such script.
    pub(crate) module: Option<String>,
    /// What of it decides.
    pub(crate) parts: Vec<Part>,
    /// Files in which its packages register themselves.
    pub(crate) entry_points: Vec<PathBuf>,
}

/// Finds a program on the path as the system will.
///
/// # Errors
/// Why it cannot be said which one will run.
pub(crate) fn on_path(name: &str) -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    for dir in std::env::split_paths(&path) {
        if !dir.is_absolute() {
            return Err("PATH has a folder that depends on where a program starts".to_owned());
        }
        let found = dir.join(name);
        if is_program(&found) {
            return Ok(found);
        }
        let found = dir.join(format!("{name}.exe"));
        if cfg!(windows) && found.is_file() {
            return Ok(found);
        }
    }
    Err(format!("{name} is not on the path"))
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file()
}

/// Looks at the program at `path`, started with `args` before those of the hook.
///
/// # Errors
/// Why it is not known what decides.
pub(crate) fn look(path: &Path, args: &[String], verdicts: &mut Verdicts) -> Result<Tool, String> {
    let mut tool = Tool {
        name: name(path),
        module: None,
        parts: vec![part("tool", path)?],
        entry_points: Vec::new(),
    };
    let head = head(path)?;
    if is_python(&tool.name) {
        // `python -m black` is black.
        let module = match args {
            [flag, module, ..] if flag == "-m" => Some(module.clone()),
            _ => None,
        };
        if let Some(module) = &module {
            tool.name = module.replace('_', "-");
        }
        tool.module.clone_from(&module);
        packages(path, &[], module.as_deref(), &mut tool, verdicts)?;
    } else if head.starts_with(b"#!") {
        let text = String::from_utf8_lossy(&head);
        let (interpreter, flags) = interpreter(&text)?;
        if is_python(&name(&interpreter)) {
            let module = imported(&text);
            tool.module.clone_from(&module);
            neighbours(path, &mut tool);
            packages(&interpreter, &flags, module.as_deref(), &mut tool, verdicts)?;
        } else {
            // Whatever it calls is for who declared it to know.
            tool.parts.push(part("interpreter", &interpreter)?);
        }
    }
    Ok(tool)
}

fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.strip_suffix(".exe").unwrap_or(&name).to_owned()
}

fn is_python(name: &str) -> bool {
    ["python", "pypy"].iter().any(|kind| {
        name.strip_prefix(kind).is_some_and(|rest| {
            rest.bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.')
        })
    })
}

/// Names a file by its bytes, or, where it is large, by its stamp.
pub(crate) fn part(what: &str, path: &Path) -> Result<Part, String> {
    let meta = fs::metadata(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let what = format!("{what} {}", path.display());
    if meta.len() > MAX_READ {
        // Where it leads decides too: a link that is turned is another tool.
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let stamp = format!("{} {}", real.display(), stamp(&meta));
        return Ok(Part::of(what, stamp.as_bytes()));
    }
    let bytes = files::read_bounded(path, MAX_READ).map_err(|error| error.to_string())?;
    Ok(Part::of(what, &bytes))
}

#[cfg(unix)]
fn stamp(meta: &Metadata) -> String {
    use std::os::unix::fs::MetadataExt as _;
    format!(
        "{} {} {} {}.{} {}.{}",
        meta.dev(),
        meta.ino(),
        meta.len(),
        meta.mtime(),
        meta.mtime_nsec(),
        meta.ctime(),
        meta.ctime_nsec()
    )
}

#[cfg(not(unix))]
fn stamp(meta: &Metadata) -> String {
    format!(
        "{} {:?} {:?}",
        meta.len(),
        meta.modified().ok(),
        meta.created().ok()
    )
}

/// Reads the beginning of a file: its first line, and what a start script imports.
fn head(path: &Path) -> Result<Vec<u8>, String> {
    use std::io::Read as _;
    let mut head = Vec::new();
    let told = |error: std::io::Error| format!("{}: {error}", path.display());
    fs::File::open(path)
        .map_err(told)?
        .take(4096)
        .read_to_end(&mut head)
        .map_err(told)?;
    Ok(head)
}

/// Reads which program a script is for, with the arguments of its first line.
pub(crate) fn interpreter(text: &str) -> Result<(PathBuf, Vec<String>), String> {
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    let mut words = first
        .trim_start_matches("#!")
        .split_whitespace()
        .map(str::to_owned);
    let program = words.next().ok_or("its first line names no program")?;
    let mut rest: Vec<String> = words.collect();
    if Path::new(&program).ends_with("env") {
        rest.retain(|word| word != "-S");
        if rest.is_empty() || rest.iter().any(|word| word.contains('=')) {
            return Err("its first line is not understood".to_owned());
        }
        let named = rest.remove(0);
        return Ok((on_path(&named)?, rest));
    }
    // What pip writes where the path is too long for a first line, or has blanks.
    if program.ends_with("/sh")
        && let Some(second) = lines.next().and_then(|line| line.strip_prefix("'''exec' "))
    {
        let mut words = crate::precommit::words::split(second)
            .map_err(|error| error.to_string())?
            .into_iter()
            .take_while(|word| !word.starts_with('$'));
        let program = words.next().ok_or("its first lines are not understood")?;
        return Ok((PathBuf::from(program), words.collect()));
    }
    Ok((PathBuf::from(program), rest))
}

/// Finds the module that a start script imports.
fn imported(text: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (module, _) = line.strip_prefix("from ")?.split_once(" import ")?;
        (module != "__future__").then(|| module.trim().to_owned())
    })
}

/// Adds the modules that lie beside a script: it may import them.
fn neighbours(script: &Path, tool: &mut Tool) {
    let Some(dir) = script.parent() else {
        return;
    };
    let mut seen = Vec::new();
    for entry in fs::read_dir(dir)
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
    {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "py")
            && let Ok(meta) = fs::metadata(&path)
        {
            seen.push(format!("{} {}\n", path.display(), stamp(&meta)));
        }
    }
    seen.sort();
    let what = format!("modules in {}", dir.display());
    tool.parts.push(Part::of(what, seen.concat().as_bytes()));
}

/// Adds what an interpreter of Python is, and all packages that it finds.
fn packages(
    interpreter: &Path,
    flags: &[String],
    module: Option<&str>,
    tool: &mut Tool,
    verdicts: &mut Verdicts,
) -> Result<(), String> {
    if std::env::var_os("PYTHONPATH").is_some_and(|value| !value.is_empty()) {
        return Err("PYTHONPATH is set, and what lies there is not watched".to_owned());
    }
    if head(interpreter)?.starts_with(b"#!") {
        // As pyenv does it: which one it starts depends on where it is started.
        return Err(format!(
            "{} is a script that chooses an interpreter",
            interpreter.display()
        ));
    }
    let interpreter_part = part("interpreter", interpreter)?;
    let key = interpreter_key(interpreter, flags, &interpreter_part);
    tool.parts.push(interpreter_part);
    let around = surroundings(interpreter, flags, key, verdicts)?;
    tool.parts.push(Part {
        what: format!("packages of {}", interpreter.display()),
        digest: around.digest,
    });
    tool.entry_points.clone_from(&around.entry_points);
    let Some(module) = module else {
        return Ok(());
    };
    let first = module.split('.').next().unwrap_or(module);
    for folder in &around.folders {
        let here = Path::new(folder).join(first);
        let file = Path::new(folder).join(format!("{first}.py"));
        if here.is_dir() {
            let known = verdicts.seen.packages.get(&here).cloned();
            let part = match known {
                Some(part) => part,
                None => package(&here)?,
            };
            verdicts.seen.packages.insert(here, part.clone());
            tool.parts.push(part);
            return Ok(());
        }
        if file.is_file() {
            tool.parts.push(part("module", &file)?);
            return Ok(());
        }
    }
    Err(format!(
        "the module {module} is not where its interpreter looks"
    ))
}

/// What was looked at in this run.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    interpreters: HashMap<u64, Around>,
    packages: HashMap<PathBuf, Part>,
}

/// Where an interpreter looks for modules, and what lies there.
#[derive(Clone, Debug)]
struct Around {
    folders: Vec<String>,
    digest: u64,
    entry_points: Vec<PathBuf>,
}

fn surroundings(
    interpreter: &Path,
    flags: &[String],
    key: u64,
    verdicts: &mut Verdicts,
) -> Result<Around, String> {
    if let Some(around) = verdicts.seen.interpreters.get(&key) {
        return Ok(around.clone());
    }
    let walk = |folders: Vec<String>| {
        let mut walked = Walked::default();
        for folder in &folders {
            walked.folder(Path::new(folder));
        }
        Around {
            folders,
            digest: walked.digest(),
            entry_points: walked.entry_points,
        }
    };
    let known = verdicts.search(key).cloned();
    let known = known.map(|search| (walk(search.folders), search.seen));
    let around = match known {
        Some((around, seen)) if around.digest == seen => around,
        _ => {
            let around = walk(ask(interpreter, flags)?);
            let search = Search {
                folders: around.folders.clone(),
                seen: around.digest,
            };
            verdicts.keep_search(key, search);
            around
        }
    };
    verdicts.seen.interpreters.insert(key, around.clone());
    Ok(around)
}

/// Names a package by its files.
fn package(dir: &Path) -> Result<Part, String> {
    let mut seen = Vec::new();
    files_of(dir, &mut seen)?;
    seen.sort();
    let what = format!("package {}", dir.display());
    Ok(Part::of(what, seen.concat().as_bytes()))
}

/// Names an interpreter with everything that moves its folders but what lies in them.
fn interpreter_key(interpreter: &Path, flags: &[String], part: &Part) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(interpreter.as_os_str().as_encoded_bytes());
    hasher.update(&part.digest.to_le_bytes());
    hasher.update(flags.join("\0").as_bytes());
    for dir in [
        interpreter.parent(),
        interpreter.parent().and_then(Path::parent),
    ] {
        let settings = dir.map(|dir| dir.join("pyvenv.cfg"));
        let text = settings.and_then(|path| files::read_bounded(&path, MAX_READ).ok());
        hasher.update(&text.unwrap_or_default());
        hasher.update(&[0]);
    }
    for (name, value) in python_variables() {
        hasher.update(name.as_encoded_bytes());
        hasher.update(&[0]);
        hasher.update(value.as_encoded_bytes());
        hasher.update(&[0]);
    }
    first(&hasher)
}

/// Returns the variables that Python itself looks at.
pub(crate) fn python_variables() -> Vec<(std::ffi::OsString, std::ffi::OsString)> {
    let mut found: Vec<_> = std::env::vars_os()
        .filter(|(name, _)| {
            let name = name.to_string_lossy();
            name.starts_with("PYTHON") || name == "HOME" || name == "USERPROFILE"
        })
        .collect();
    found.sort();
    found
}

/// Asks an interpreter where it looks for modules.
fn ask(interpreter: &Path, flags: &[String]) -> Result<Vec<String>, String> {
    let dir = interpreter.parent().unwrap_or(Path::new("/"));
    let mut spec = CommandSpec::new(interpreter, dir).args(flags).args([
        "-c",
        "import sys; sys.stdout.buffer.write('\\n'.join(p for p in sys.path if p).encode())",
    ]);
    spec.max_output_bytes = MAX_ANSWER;
    let finished = process::run_blocking(spec).map_err(|error| error.to_string())?;
    if !finished.status.is_success() {
        return Err(format!(
            "{} does not say where its modules are",
            interpreter.display()
        ));
    }
    let text = String::from_utf8(finished.stdout.bytes).map_err(|error| error.to_string())?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// What lies where modules are looked for.
#[derive(Debug, Default)]
struct Walked {
    hasher: blake3::Hasher,
    entry_points: Vec<PathBuf>,
}

impl Walked {
    fn digest(&self) -> u64 {
        first(&self.hasher)
    }

    fn folder(&mut self, folder: &Path) {
        self.hasher.update(folder.as_os_str().as_encoded_bytes());
        self.hasher.update(&[0]);
        let mut names: Vec<_> = fs::read_dir(folder)
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.file_name()))
            .filter(|name| name != "__pycache__")
            .collect();
        names.sort();
        for name in names {
            let text = name.to_string_lossy();
            self.hasher.update(name.as_encoded_bytes());
            self.hasher.update(&[0]);
            let path = folder.join(&name);
            let watched = if text.ends_with(".dist-info") {
                let entry_points = path.join("entry_points.txt");
                if entry_points.is_file() {
                    self.entry_points.push(entry_points);
                }
                path.join("RECORD")
            } else if text.ends_with(".egg-info") {
                path.join("PKG-INFO")
            } else if matches!(
                Path::new(text.as_ref())
                    .extension()
                    .and_then(|end| end.to_str()),
                Some("pth" | "egg-link" | "zip")
            ) || text == "os.py"
            {
                path
            } else {
                continue;
            };
            if let Ok(meta) = fs::metadata(&watched) {
                self.hasher.update(stamp(&meta).as_bytes());
            }
        }
    }
}

/// Lists the files of a package with their stamps.
fn files_of(dir: &Path, seen: &mut Vec<String>) -> Result<(), String> {
    let listed = fs::read_dir(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    for entry in listed.filter_map(Result::ok) {
        let path = entry.path();
        if entry.file_name() == "__pycache__" {
            continue;
        }
        if seen.len() == MAX_FILES {
            return Err(format!("{} has more than {MAX_FILES} files", dir.display()));
        }
        let Ok(meta) = fs::metadata(&path) else {
            continue;
        };
        if meta.is_dir() && !entry.file_type().is_ok_and(|kind| kind.is_symlink()) {
            files_of(&path, seen)?;
        } else {
            seen.push(format!("{} {}\n", path.display(), stamp(&meta)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_lines_of_scripts_are_read_as_they_are_written() {
        let read = |text: &str| interpreter(text).unwrap();
        let of = |path: &str, flags: &[&str]| {
            (
                PathBuf::from(path),
                flags
                    .iter()
                    .map(|flag| (*flag).to_owned())
                    .collect::<Vec<_>>(),
            )
        };
        assert_eq!(
            read("#!/v/bin/python3\nimport re\n"),
            of("/v/bin/python3", &[])
        );
        assert_eq!(
            read("#! /v/bin/python3 -sE\n"),
            of("/v/bin/python3", &["-sE"])
        );
        let long =
            "#!/bin/sh\n'''exec' \"/v with blanks/bin/python\" \"$0\" \"$@\"\n' '''\nimport re\n";
        assert_eq!(read(long), of("/v with blanks/bin/python", &[]));
        assert!(interpreter("#!\n").is_err());
        assert!(interpreter("#!/usr/bin/env A=1 python\n").is_err());
        assert_eq!(
            imported("#!x\nfrom __future__ import annotations\nfrom black import patched_main\n")
                .as_deref(),
            Some("black")
        );
        assert_eq!(imported("#!x\nimport os\n"), None);
        for (name, expected) in [
            ("python", true),
            ("python3.12", true),
            ("pypy3", true),
            ("pythonic", false),
        ] {
            assert_eq!(is_python(name), expected, "{name}");
        }
    }
}
