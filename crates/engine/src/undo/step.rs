//! One file on its way: taken away, or put, and settled after a crash.
//!
//! The spare name beside the path only ever holds a whole content, so what it holds tells how far a
//! crash let it come. What is neither the state before nor the state after is somebody's save: it is
//! never deleted and never replaced.

use std::path::{Path, PathBuf};

use tradewind_host::files::{self, FileKind};

use super::blobs::io;
use super::image::{self, Image};
use super::{Shared, UndoError};

/// One file on its way.
pub(super) struct Step<'a> {
    pub(super) name: &'a str,
    pub(super) top: &'a Path,
    pub(super) path: PathBuf,
    pub(super) spare: PathBuf,
    pub(super) from: &'a Image,
    pub(super) to: &'a Image,
}

/// How a step ended.
#[derive(PartialEq, Eq)]
pub(super) enum Ended {
    /// The path is as it should be.
    Done,
    /// Somebody changed it; it was left alone.
    Kept,
}

impl Shared {
    /// Makes a path absent.
    pub(super) fn take_away(&self, step: &Step<'_>) -> Result<Ended, UndoError> {
        self.faults.point()?;
        if image::is_behind_link(step.top, step.name)? {
            return Ok(Ended::Done);
        }
        if files::file_kind(&step.spare)? != FileKind::Missing {
            // A crash came after the move: what was moved is the recorded content, or somebody's save.
            return self.settle_away(step);
        }
        let present = image::look(&self.blobs, step.top, step.name)?;
        if present == Image::Absent {
            return Ok(Ended::Done);
        }
        if present != *step.from {
            return Ok(Ended::Kept);
        }
        self.faults.point()?;
        std::fs::rename(&step.path, &step.spare).map_err(io("move", &step.path))?;
        self.faults.point()?;
        self.settle_away(step)
    }

    /// What was moved to the spare name is dropped when it is the recorded content, else moved back.
    fn settle_away(&self, step: &Step<'_>) -> Result<Ended, UndoError> {
        if image::look_at(&self.blobs, &step.spare)? == *step.from {
            remove(&step.spare)?;
            self.faults.point()?;
            sync_parent(&step.path)?;
            return Ok(Ended::Done);
        }
        if files::file_kind(&step.path)? == FileKind::Missing {
            place_new(&step.spare, &step.path)?;
        }
        Ok(Ended::Kept)
    }

    /// Puts a content at a path.
    pub(super) fn put(&self, step: &Step<'_>) -> Result<Ended, UndoError> {
        self.faults.point()?;
        if image::is_behind_link(step.top, step.name)? {
            // What would be written there may lie outside the repository.
            return Ok(Ended::Kept);
        }
        // A content that is half-made has another name than a whole one.
        let mut half = step.spare.clone().into_os_string();
        half.push("p");
        let half = PathBuf::from(half);
        remove(&half)?;
        if files::file_kind(&step.spare)? != FileKind::Missing
            && let Some(ended) = self.settle_put(step)?
        {
            return Ok(ended);
        }
        let present = image::look(&self.blobs, step.top, step.name)?;
        if present == *step.to {
            return Ok(Ended::Done);
        }
        if present != *step.from {
            return Ok(Ended::Kept);
        }
        let is_folder = files::file_kind(&step.path)? == FileKind::Dir;
        if is_folder && !remove_folder(&step.path)? {
            return Ok(Ended::Kept);
        }
        if let Some(parent) = step.path.parent() {
            std::fs::create_dir_all(parent).map_err(io("make folder", parent))?;
        }
        image::make(&self.blobs, &half, step.to)?;
        self.faults.point()?;
        std::fs::rename(&half, &step.spare).map_err(io("move", &half))?;
        self.faults.point()?;
        if *step.from == Image::Absent {
            let is_new = place_new(&step.spare, &step.path)?;
            self.faults.point()?;
            remove(&step.spare)?;
            sync_parent(&step.path)?;
            return Ok(if is_new { Ended::Done } else { Ended::Kept });
        }
        let is_exchanged = files::swap(&step.spare, &step.path)?;
        self.faults.point()?;
        if !is_exchanged {
            // No exchange on this file system: the look a moment ago has to do.
            return Ok(Ended::Done);
        }
        Ok(self.settle_put(step)?.unwrap_or(Ended::Done))
    }

    /// Reads from the spare name what happened; `None` when nothing has, and the spare is free now.
    fn settle_put(&self, step: &Step<'_>) -> Result<Option<Ended>, UndoError> {
        let spare = image::look_at(&self.blobs, &step.spare)?;
        let present = image::look(&self.blobs, step.top, step.name)?;
        if spare == *step.from && present == *step.to {
            remove(&step.spare)?;
            self.faults.point()?;
            sync_parent(&step.path)?;
            return Ok(Some(Ended::Done));
        }
        if spare == *step.to {
            // Made and not put yet, or put by a second name.
            remove(&step.spare)?;
            return Ok(None);
        }
        if spare == *step.from {
            // Put, and then changed by somebody: theirs stays, the old content is in the store.
            remove(&step.spare)?;
            return Ok(Some(Ended::Kept));
        }
        // Somebody saved in the moment of the exchange: theirs goes back, ours is in the store.
        if present == *step.to {
            files::swap(&step.spare, &step.path)?;
            remove(&step.spare)?;
        }
        Ok(Some(Ended::Kept))
    }
}

/// Removes a file or link; one that is not there is fine.
fn remove(path: &Path) -> Result<(), UndoError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(io("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// Removes a folder that is empty; false when it is not.
pub(super) fn remove_folder(path: &Path) -> Result<bool, UndoError> {
    match std::fs::remove_dir(path) {
        Ok(()) => Ok(true),
        Err(error) => match error.kind() {
            std::io::ErrorKind::NotFound => Ok(true),
            std::io::ErrorKind::DirectoryNotEmpty | std::io::ErrorKind::NotADirectory => Ok(false),
            _ => Err(io("remove folder", path)(error)),
        },
    }
}

/// Gives what is at `from` the name `to` unless that is taken; false when it is. `from` may stay.
fn place_new(from: &Path, to: &Path) -> Result<bool, UndoError> {
    match std::fs::hard_link(from, to) {
        Ok(()) => {
            remove(from)?;
            Ok(true)
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        // No hard links on this file system: look, then move.
        Err(_) if files::file_kind(to)? == FileKind::Missing => {
            std::fs::rename(from, to).map_err(io("move", from))?;
            Ok(true)
        }
        Err(_) => Ok(false),
    }
}

fn sync_parent(path: &Path) -> Result<(), UndoError> {
    match path.parent() {
        Some(parent) if files::file_kind(parent)? == FileKind::Dir => Ok(files::sync_dir(parent)?),
        _ => Ok(()),
    }
}
