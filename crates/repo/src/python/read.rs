//! Reads all Python files of a tree on all cores, and keeps what an earlier run found out about them.
//!
//! Memory is bounded: each thread holds one syntax tree at a time. Threads have a stack that the deepest tree
//! that [`SourceFile::parse`] lets through fits into, for rules that walk it too.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::cache::Cache;
use super::module::Module;
use super::source::SourceFile;
use crate::tree::{File, FileKind, FileState, MAX_TEXT_BYTES, Tree, Unread};

/// Room for walking a tree: pages are taken when they are needed only.
const STACK_BYTES: usize = 64 * 1024 * 1024;
/// More threads would hold more trees and wait for the same disk.
const MAX_THREADS: usize = 8;

/// What was read.
#[derive(Debug, Default)]
pub struct Reading {
    /// The summaries, by path.
    pub modules: Vec<Arc<Module>>,
    /// What the caller made of each file, in the same sequence.
    pub kept: Vec<Vec<u8>>,
    /// Files that could not be read, and files that were read in part.
    pub unread: Vec<Unread>,
    /// How many files were parsed; the others came from the cache.
    pub parsed: usize,
}

/// Reads every tracked or untracked Python file of a tree that no ignore pattern hides. `each` sees the files
/// that are parsed, on several threads; the bytes that it returns are kept and come back when the same
/// file is met again, so they must follow from the file alone and from the version that the cache was
/// opened with.
pub fn read(tree: &Tree, cache: &Cache, each: impl Fn(&SourceFile) -> Vec<u8> + Sync) -> Reading {
    let files: Vec<&File> = tree
        .files()
        .iter()
        .filter(|file| is_python(tree, file))
        .collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(file) = files.get(index) else {
                return done;
            };
            done.push((index, one(tree, cache, file, &each)));
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.min(MAX_THREADS).min(files.len());
    let mut done = Vec::with_capacity(files.len());
    std::thread::scope(|scope| {
        let started: Vec<_> = (0..threads)
            .filter_map(|_| {
                std::thread::Builder::new()
                    .name("python".to_owned())
                    .stack_size(STACK_BYTES)
                    .spawn_scoped(scope, work)
                    .ok()
            })
            .collect();
        if started.is_empty() {
            done = work();
        }
        for thread in started {
            match thread.join() {
                Ok(found) => done.extend(found),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    done.sort_unstable_by_key(|(index, _)| *index);
    let mut reading = Reading::default();
    for (_, outcome) in done {
        match outcome {
            Ok(file) => {
                reading.parsed += usize::from(file.is_parsed);
                reading.unread.extend(partly(&file.module));
                reading.modules.push(Arc::new(file.module));
                reading.kept.push(file.kept);
            }
            Err(unread) => reading.unread.push(unread),
        }
    }
    reading
}

/// What was made of one file.
struct Made {
    module: Module,
    kept: Vec<u8>,
    is_parsed: bool,
}

fn one(
    tree: &Tree,
    cache: &Cache,
    file: &File,
    each: &impl Fn(&SourceFile) -> Vec<u8>,
) -> Result<Made, Unread> {
    let by_id = file
        .id
        .map(|id| Cache::key(&file.path, id.to_string().as_bytes()));
    let found = |key| {
        cache.get(key).map(|(module, kept)| Made {
            module,
            kept,
            is_parsed: false,
        })
    };
    if let Some(made) = by_id.as_ref().and_then(found) {
        return Ok(made);
    }
    let Some(text) = tree.text(&file.path) else {
        return Err(unread(file));
    };
    let key = by_id
        .or_else(|| {
            cache
                .is_used()
                .then(|| Cache::key(&file.path, text.as_bytes()))
        })
        .unwrap_or_default();
    if by_id.is_none()
        && let Some(made) = found(&key)
    {
        return Ok(made);
    }
    // One file that trips the parser must not cost the others.
    let parse = || SourceFile::parse(file.path.clone(), text);
    let source = catch_unwind(AssertUnwindSafe(parse)).map_err(|_panic| Unread {
        what: file.path.to_string(),
        reason: "the parser panicked; this is a bug in Tradewind".to_owned(),
    })?;
    let kept = each(&source);
    cache.put(&key, &source.module, &kept);
    let module = Arc::unwrap_or_clone(source.into_module());
    Ok(Made {
        module,
        kept,
        is_parsed: true,
    })
}

/// Says whether a file is Python, by its name or by its first line.
fn is_python(tree: &Tree, file: &File) -> bool {
    if matches!(file.state, FileState::Ignored(_))
        || !matches!(file.kind, FileKind::Regular | FileKind::Executable)
    {
        return false;
    }
    let name = file.path.rsplit('/').next().unwrap_or_default();
    match name.rsplit_once('.') {
        Some((_, suffix)) => matches!(suffix, "py" | "pyw"),
        None => {
            file.kind == FileKind::Executable
                && tree.bytes(&file.path).is_some_and(|bytes| {
                    let line = bytes
                        .split(|byte| *byte == b'\n')
                        .next()
                        .unwrap_or_default();
                    line.starts_with(b"#!") && line.windows(6).any(|part| part == b"python")
                })
        }
    }
}

fn unread(file: &File) -> Unread {
    let reason = if file.size > MAX_TEXT_BYTES {
        format!("longer than {} MiB", MAX_TEXT_BYTES / 1024 / 1024)
    } else {
        "no readable text".to_owned()
    };
    Unread {
        what: file.path.to_string(),
        reason,
    }
}

/// Says that a file was read in part.
fn partly(module: &Module) -> Option<Unread> {
    let error = module.errors.first()?;
    Some(Unread {
        what: module.path.to_string(),
        reason: format!("line {}: {}", error.line, error.message),
    })
}
