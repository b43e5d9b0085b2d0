//! Brings one file back as it was: the newest content at or before a time, wherever it is known from.
//!
//! Looked for in the recorded operations (which also know files that git ignores or never saw) and in
//! every commit that a reference or a reflog reaches. What is there now is kept first, so a restore is
//! an operation like any other and can be undone.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use tradewind_core::payload::{ActionRequested, Reversibility};
use tradewind_core::{RepositoryId, Seq};
use tradewind_host::files::{self, FileKind};
use tradewind_journal::rusqlite::params;

use super::image::{self, Image};
use super::operation::Change;
use super::record::{self, State};
use super::{Below, Direction, Operation, Shared, UndoError, diff, git, new_id};
use crate::store;

/// Name under which a restore stands among the requested actions.
pub(super) const ACTION: &str = "restore";
const SYMLINK_MODE: &str = "120000";
const EXECUTABLE_MODE: &str = "100755";

/// Which file to bring back.
#[derive(Clone, Debug)]
pub struct Restore {
    /// The repository.
    pub repository: RepositoryId,
    /// Where it is.
    pub path: PathBuf,
    /// The file, relative to the repository's top, with `/`.
    pub file: String,
    /// As it was at this time; `None` for the newest known content.
    pub at: Option<Timestamp>,
    /// Whether to replace another content that is there now.
    pub force: bool,
}

/// What was brought back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// The file.
    pub file: String,
    /// Where the content came from: a commit id or an operation id.
    pub origin: String,
    /// When that content was last known to be the file's.
    pub as_of: Timestamp,
    /// The operation by which it can be undone; `None` when the file was so already.
    pub operation: Option<String>,
    /// The event; `None` when the file was so already.
    pub event: Option<Seq>,
}

/// A content that is known from somewhere.
struct Known {
    image: Image,
    origin: String,
    as_of: Timestamp,
}

impl Shared {
    pub(super) fn restore(&self, restore: &Restore) -> Result<Restored, UndoError> {
        let file = restore.file.trim_start_matches("./").to_owned();
        check_inside(&restore.path, &file)?;
        let known = self
            .newest(restore, &file)?
            .ok_or_else(|| UndoError::Nothing {
                what: format!("no content of {file} is known at or before that time"),
            })?;
        let path = restore.path.join(files::from_slash(&file));
        let present = image::keep(&self.blobs, &restore.path, &file)?;
        let mut restored = Restored {
            file: file.clone(),
            origin: known.origin.clone(),
            as_of: known.as_of,
            operation: None,
            event: None,
        };
        if present == known.image {
            return Ok(restored);
        }
        let stands = files::file_kind(&path)?;
        if stands == FileKind::Dir || (present != Image::Absent && !restore.force) {
            let difference = diff::to_present(&self.blobs, &file, &known.image, &restore.path)?;
            return Err(UndoError::Differs {
                differences: vec![difference],
            });
        }
        let operation = Operation {
            id: new_id()?,
            repository: restore.repository,
            path: restore.path.clone(),
            request: self.request(restore, &file)?,
            created_at: self.clock.now(),
            patterns: Vec::new(),
            files: [(
                file,
                Change {
                    before: present,
                    after: known.image,
                },
            )]
            .into(),
            folders: missing_folders(&restore.path, &path)?,
            index: None,
            references: std::collections::BTreeMap::new(),
            has_references: false,
            origin: Some(known.origin),
        };
        record::insert_as(&self.journal, operation.clone(), State::Undone)?;
        let done = self.go(&operation, Direction::Redo, false)?;
        restored.operation = Some(done.operation);
        restored.event = done.event;
        Ok(restored)
    }

    /// Records that a person asked for it.
    fn request(&self, restore: &Restore, file: &str) -> Result<Seq, UndoError> {
        let body = ActionRequested {
            rule: String::new(),
            action: ACTION.to_owned(),
            arguments: json!({
                "path": file,
                "at": restore.at.map(|at| at.to_string()),
                "force": restore.force,
            }),
            summary: format!("Brings {file} back."),
            reversibility: Reversibility::Reversible,
        };
        let (repository, subject) = (restore.repository, file.to_owned());
        let seq = self.journal.transact_blocking(move |tx| {
            let draft = store::draft(tx, &body)?
                .about(subject)
                .in_repository(repository);
            tx.append(draft)
        })?;
        Ok(seq)
    }

    /// Finds the newest content at or before the time that was asked for.
    fn newest(&self, restore: &Restore, file: &str) -> Result<Option<Known>, UndoError> {
        let until = restore.at.unwrap_or_else(|| self.clock.now());
        let recorded = self.newest_recorded(restore, file, until)?;
        let committed = self.newest_committed(restore, file, until)?;
        Ok([recorded, committed]
            .into_iter()
            .flatten()
            .max_by_key(|known| known.as_of))
    }

    fn newest_recorded(
        &self,
        restore: &Restore,
        file: &str,
        until: Timestamp,
    ) -> Result<Option<Known>, UndoError> {
        let records = self.journal.reader()?.query(
            "SELECT id, record FROM engine_operations
                WHERE repository = ?1 AND created_ms <= ?2 AND state <> 'captured'
                ORDER BY created_ms DESC",
            params![restore.repository.to_string(), until.as_millisecond()],
            |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)),
        )?;
        for (id, text) in records {
            let operation: Operation = serde_json::from_str(&text)
                .map_err(|source| UndoError::Below(Below::Record { id, source }))?;
            let Some(change) = operation.files.get(file) else {
                continue;
            };
            // The state after a restore is a copy of something older; the state before is news.
            let sides = if operation.origin.is_some() {
                [&change.before, &Image::Absent]
            } else {
                [&change.after, &change.before]
            };
            let present = sides.into_iter().find(|image| **image != Image::Absent);
            if let Some(image) = present {
                return Ok(Some(Known {
                    image: image.clone(),
                    origin: operation.id,
                    as_of: operation.created_at,
                }));
            }
        }
        Ok(None)
    }

    fn newest_committed(
        &self,
        restore: &Restore,
        file: &str,
        until: Timestamp,
    ) -> Result<Option<Known>, UndoError> {
        let Some(git) = &self.git else {
            return Ok(None);
        };
        let found = git::newest_commit_with(git, &restore.path, file, until.as_second());
        let Some((commit, second)) = found? else {
            return Ok(None);
        };
        let Some((content, mode)) = git::read_file_at(git, &restore.path, &commit, file)? else {
            return Ok(None);
        };
        let image = if mode == SYMLINK_MODE {
            let target = String::from_utf8_lossy(&content).into_owned();
            Image::Symlink { target }
        } else {
            Image::File {
                size_bytes: content.len() as u64,
                content: self.blobs.keep(file, &content)?,
                mode: match (cfg!(unix), mode == EXECUTABLE_MODE) {
                    (false, _) => 0,
                    (true, true) => 0o755,
                    (true, false) => 0o644,
                },
            }
        };
        Ok(Some(Known {
            image,
            origin: commit,
            as_of: Timestamp::from_second(second).unwrap_or(until),
        }))
    }
}

/// A path that leaves the repository, through `..` or through a link, is not restored.
fn check_inside(top: &Path, file: &str) -> Result<(), UndoError> {
    let refuse = || UndoError::Nothing {
        what: format!("{file} is no path inside the repository"),
    };
    let relative = files::from_slash(file);
    let parts: Vec<_> = relative.components().collect();
    let is_inside = !parts.is_empty()
        && parts
            .iter()
            .all(|part| matches!(part, Component::Normal(name) if *name != ".git"));
    if !is_inside {
        return Err(refuse());
    }
    if image::is_behind_link(top, file)? {
        return Err(refuse());
    }
    Ok(())
}

/// Folders that have to be made, so that an undo removes them again.
fn missing_folders(top: &Path, path: &Path) -> Result<Change<BTreeSet<String>>, UndoError> {
    let mut after = BTreeSet::new();
    for folder in path.ancestors().skip(1).take_while(|folder| *folder != top) {
        if files::file_kind(folder)? == FileKind::Missing
            && let Ok(relative) = folder.strip_prefix(top)
        {
            after.insert(files::to_slash(relative));
        }
    }
    Ok(Change {
        before: BTreeSet::new(),
        after,
    })
}
