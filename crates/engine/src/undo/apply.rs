//! Puts one operation back: each file whole, none lost, and the same again after a crash.
//!
//! Every file goes through a spare name beside it. The new content is made there, flushed, and then
//! exchanged with the path in one step; what comes out of the exchange is looked at, and when it is
//! not what was expected (an editor saved in between) it is exchanged back and left alone (`step`).
//!
//! Not here: the decision whether to go at all (that is made before the intent is recorded), and
//! more than one at a time (the caller holds the turn).

use std::path::{Path, PathBuf};

use tradewind_core::payload::{ActionRedone, FileRestored};
use tradewind_core::{Draft, Seq};
use tradewind_host::files::{self, FileKind};
use tradewind_journal::{Tx, TxError};

use super::blobs::io;
use super::image::{self, Image};
use super::operation::Change;
use super::step::{Ended, Step, remove_folder};
use super::{Difference, Direction, Done, Operation, Shared, UndoError, diff, git, record};
use crate::store;

/// Name under which the index stands among what was kept.
const INDEX: &str = "git:index";

/// Upper bound on the names of files, and of references, in one event.
const MAX_NAMED_BYTES: usize = 64 * 1024;

/// Orders a change by direction: where from, where to.
fn along<T>(change: &Change<T>, direction: Direction) -> (&T, &T) {
    match direction {
        Direction::Undo => (&change.after, &change.before),
        Direction::Redo => (&change.before, &change.after),
    }
}

impl Shared {
    /// Takes an operation back or puts it back, after the check that nobody worked on it since.
    pub(super) fn go(
        &self,
        operation: &Operation,
        direction: Direction,
        dry_run: bool,
    ) -> Result<Done, UndoError> {
        let differences = self.differences(operation, direction)?;
        if !differences.is_empty() {
            return Err(UndoError::Differs { differences });
        }
        let mut done = self.describe(operation, direction)?;
        if dry_run {
            return Ok(done);
        }
        record::insert_intent(&self.journal, operation, direction)?;
        self.faults.point()?;
        done.kept = self.apply(operation, direction)?;
        self.finish(operation, direction, done)
    }

    /// Completes every recorded intent.
    pub(super) fn complete(&self) -> Result<Vec<Done>, UndoError> {
        let mut completed = Vec::new();
        for intent in record::intents(&self.journal)? {
            let mut operation = match record::load(&self.journal, &intent.operation) {
                Ok((operation, _)) => operation,
                Err(UndoError::Nothing { .. }) => {
                    record::drop_intent(&self.journal, &intent.operation)?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            operation.path = PathBuf::from(&intent.path);
            if files::file_kind(&operation.path)? != FileKind::Dir {
                // The repository is away, perhaps on a disk that is not there: the intent can wait.
                tracing::warn!(
                    operation = intent.operation,
                    "interrupted undo waits for its folder"
                );
                continue;
            }
            let mut done = self.describe(&operation, intent.direction)?;
            done.kept = self.apply(&operation, intent.direction)?;
            completed.push(self.finish(&operation, intent.direction, done)?);
        }
        Ok(completed)
    }

    /// Says what is different now from what the operation left.
    fn differences(
        &self,
        operation: &Operation,
        direction: Direction,
    ) -> Result<Vec<Difference>, UndoError> {
        let mut differences = Vec::new();
        for (name, change) in &operation.files {
            let (expected, _) = along(change, direction);
            let path = operation.path.join(files::from_slash(name));
            let present = image::look(&self.blobs, &operation.path, name)?;
            if present != *expected {
                differences.push(diff::to_present(
                    &self.blobs,
                    name,
                    expected,
                    &operation.path,
                )?);
            } else if let Some(blocked) = blocking(operation, direction, name, &path)? {
                differences.push(Difference::note(
                    &blocked,
                    "a folder with other files stands in the way",
                ));
            }
        }
        if let Some(change) = &operation.index {
            let (expected, _) = along(change, direction);
            let present = git::read_index(self.git()?, &operation.path, &self.blobs, false)?;
            if present.stage != expected.stage {
                differences.push(Difference::note(INDEX, "the index holds other entries now"));
            }
        }
        for (name, change) in &operation.references {
            let (expected, _) = along(change, direction);
            let present = git::read_reference(self.git()?, &operation.path, name)?;
            if present != *expected {
                let words = |to: &Option<String>| to.clone().unwrap_or_else(|| "nothing".into());
                let note = format!("points to {}, not {}", words(&present), words(expected));
                differences.push(Difference::note(name, &note));
            }
        }
        Ok(differences)
    }

    /// Says what going would change.
    fn describe(&self, operation: &Operation, direction: Direction) -> Result<Done, UndoError> {
        let mut files = Vec::with_capacity(operation.files.len());
        for (name, change) in &operation.files {
            let (from, to) = along(change, direction);
            files.push(diff::between(&self.blobs, name, from, to)?);
        }
        Ok(Done {
            operation: operation.id.clone(),
            request: operation.request,
            files,
            references: operation.references.keys().cloned().collect(),
            index: operation.index.is_some(),
            kept: Vec::new(),
            event: None,
        })
    }

    /// Goes. Returns what was left alone. May be called again after it stopped anywhere.
    fn apply(&self, operation: &Operation, direction: Direction) -> Result<Vec<String>, UndoError> {
        let mut kept = Vec::new();
        let steps = steps(operation, direction);
        // Away first: a file may have to make room for a folder, or the other way round.
        for step in steps.iter().filter(|step| *step.to == Image::Absent).rev() {
            if self.take_away(step)? == Ended::Kept {
                kept.push(step.name.to_owned());
            }
        }
        let (gone, made) = along(&operation.folders, direction);
        for folder in gone.iter().rev() {
            self.faults.point()?;
            if !image::is_behind_link(&operation.path, folder)? {
                remove_folder(&operation.path.join(files::from_slash(folder)))?;
            }
        }
        for folder in made {
            self.faults.point()?;
            let path = operation.path.join(files::from_slash(folder));
            if !image::is_behind_link(&operation.path, folder)?
                && files::file_kind(&path)? == FileKind::Missing
            {
                std::fs::create_dir_all(&path).map_err(io("make folder", &path))?;
            }
        }
        for step in steps.iter().filter(|step| *step.to != Image::Absent) {
            if self.put(step)? == Ended::Kept {
                kept.push(step.name.to_owned());
            }
        }
        self.apply_references(operation, direction, &mut kept)?;
        self.apply_index(operation, direction, &mut kept)?;
        Ok(kept)
    }

    fn apply_index(
        &self,
        operation: &Operation,
        direction: Direction,
        kept: &mut Vec<String>,
    ) -> Result<(), UndoError> {
        let Some(change) = &operation.index else {
            return Ok(());
        };
        self.faults.point()?;
        let (from, to) = along(change, direction);
        let present = git::read_index(self.git()?, &operation.path, &self.blobs, false)?;
        if present.stage == to.stage {
            return Ok(());
        }
        if present.stage != from.stage {
            kept.push(INDEX.to_owned());
            return Ok(());
        }
        git::write_index(self.git()?, &operation.path, &self.blobs, to)?;
        self.faults.point()
    }

    fn apply_references(
        &self,
        operation: &Operation,
        direction: Direction,
        kept: &mut Vec<String>,
    ) -> Result<(), UndoError> {
        let mut names: Vec<_> = operation.references.keys().collect();
        // What is made first, then HEAD, then what is deleted: HEAD never names a branch that is gone.
        names.sort_by_key(|name| {
            let (_, to) = along(&operation.references[*name], direction);
            match (name.as_str(), to) {
                (git::HEAD, _) => 1,
                (_, None) => 2,
                _ => 0,
            }
        });
        for name in names {
            self.faults.point()?;
            let (from, to) = along(&operation.references[name], direction);
            let present = git::read_reference(self.git()?, &operation.path, name)?;
            if present == *to {
                continue;
            }
            if present != *from {
                kept.push(name.clone());
                continue;
            }
            git::move_reference(
                self.git()?,
                &operation.path,
                name,
                from.as_deref(),
                to.as_deref(),
            )?;
            self.faults.point()?;
        }
        Ok(())
    }

    /// Records the event and ends the intent.
    fn finish(
        &self,
        operation: &Operation,
        direction: Direction,
        mut done: Done,
    ) -> Result<Done, UndoError> {
        self.faults.point()?;
        let is_back = |name: &&String| !done.kept.contains(*name);
        let files: Vec<_> = operation.files.keys().filter(is_back).cloned().collect();
        let references: Vec<_> = operation
            .references
            .keys()
            .filter(is_back)
            .cloned()
            .collect();
        done.files.retain(|file| files.contains(&file.path));
        done.references.clone_from(&references);
        done.index &= !done.kept.iter().any(|name| name == INDEX);
        let recorded = operation.clone();
        let event: Seq = record::finish(&self.journal, operation, direction, move |tx| {
            build_event(tx, &recorded, direction, &files, &references)
        })?;
        done.event = Some(event);
        Ok(done)
    }
}

/// Builds the event that says what was done.
fn build_event(
    tx: &Tx<'_>,
    operation: &Operation,
    direction: Direction,
    files: &[String],
    references: &[String],
) -> Result<Draft, TxError> {
    let rule = record::rule_of(tx, operation.request)?;
    if direction == Direction::Undo {
        let body = record::undone(operation, &bounded(files), &bounded(references));
        return Ok(store::draft(tx, &body)?.about(rule));
    }
    // The first time that a restored file is put there, it is restored; after an undo, redone.
    let key = format!("restored/{}", operation.id);
    if let (Some(origin), None, Some(path)) = (
        &operation.origin,
        tx.by_key(&key)?,
        operation.files.keys().next(),
    ) {
        let body = FileRestored {
            path: path.clone(),
            origin: origin.clone(),
            operation: operation.id.clone(),
        };
        return Ok(store::draft(tx, &body)?.about(path.clone()).with_key(key));
    }
    let body = ActionRedone {
        request: operation.request,
        operation: operation.id.clone(),
        files: bounded(files),
        references: bounded(references),
    };
    Ok(store::draft(tx, &body)?.about(rule))
}

/// An event's body is bounded; the record of the operation has them all.
fn bounded(names: &[String]) -> Vec<String> {
    let mut left_bytes = MAX_NAMED_BYTES;
    names
        .iter()
        .take_while(|name| {
            left_bytes = left_bytes.saturating_sub(name.len() + 4);
            left_bytes > 0
        })
        .cloned()
        .collect()
}

fn steps(operation: &Operation, direction: Direction) -> Vec<Step<'_>> {
    let short = operation.id.get(..12).unwrap_or(&operation.id);
    operation
        .files
        .iter()
        .enumerate()
        .map(|(number, (name, change))| {
            let path = operation.path.join(files::from_slash(name));
            let (from, to) = along(change, direction);
            let spare = path.with_file_name(format!(".tradewind-{short}-{number}"));
            Step {
                name,
                top: &operation.path,
                path,
                spare,
                from,
                to,
            }
        })
        .collect()
}

/// Returns a file that stands in a folder where a file is to go, and is not on its way out.
fn blocking(
    operation: &Operation,
    direction: Direction,
    name: &str,
    path: &Path,
) -> Result<Option<String>, UndoError> {
    let (_, to) = along(&operation.files[name], direction);
    if *to == Image::Absent
        || image::is_behind_link(&operation.path, name)?
        || files::file_kind(path)? != FileKind::Dir
    {
        return Ok(None);
    }
    let mut open = vec![(name.to_owned(), path.to_owned())];
    while let Some((name, path)) = open.pop() {
        for entry in std::fs::read_dir(&path).map_err(io("read folder", &path))? {
            let entry = entry.map_err(io("read folder", &path))?;
            let inner = format!("{name}/{}", files::to_slash(Path::new(&entry.file_name())));
            if files::file_kind(&entry.path())? == FileKind::Dir {
                open.push((inner, entry.path()));
                continue;
            }
            let leaves = operation
                .files
                .get(&inner)
                .is_some_and(|change| *along(change, direction).1 == Image::Absent);
            if !leaves {
                return Ok(Some(inner));
            }
        }
    }
    Ok(None)
}
