//! The list of repositories under watch, kept in the store.
//!
//! Each row holds where the repository is, what it is called, and what its references looked like
//! when the last of their changes was journaled; the view and the events move in one transaction, so a
//! kill between two looks neither loses nor repeats a commit.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tradewind_core::payload::RepositoryRemoved;
use tradewind_core::{EventKind, RepositoryId};
use tradewind_journal::{Filter, ReadError, Reader, Tx, TxError};

use crate::report::{Exit, Failure};

/// Namespace of the edge's own tables in the store.
pub(crate) const NAMESPACE: &str = "edge";
/// Layout of the edge's tables, step by step; a released step never changes.
pub(crate) const STEPS: &[&str] = &["CREATE TABLE edge_repositories (
        id TEXT PRIMARY KEY,
        path TEXT NOT NULL,
        name TEXT NOT NULL,
        refs BLOB NOT NULL,
        problem TEXT
    ) STRICT"];

/// A repository under watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Watched {
    /// Its id.
    pub(crate) id: RepositoryId,
    /// Where it is: its work tree, or its git directory when it is bare.
    pub(crate) path: PathBuf,
    /// What it is called: the folder's name.
    pub(crate) name: String,
    /// What keeps it from being watched; none when all is well.
    pub(crate) problem: Option<String>,
}

/// Returns every repository under watch.
pub(crate) fn all(reader: &Reader) -> Result<Vec<Watched>, ReadError> {
    if !has_table(reader)? {
        return Ok(Vec::new());
    }
    let rows = reader.query(
        "SELECT id, path, name, problem FROM edge_repositories ORDER BY name, path",
        [],
        |row| {
            Ok((
                row.get::<_, String>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, String>(2)?,
                row.get::<_, Option<String>>(3)?,
            ))
        },
    )?;
    Ok(rows
        .into_iter()
        .filter_map(|(id, path, name, problem)| {
            Some(Watched {
                id: id.parse().ok()?,
                path: PathBuf::from(path),
                name,
                problem,
            })
        })
        .collect())
}

fn has_table(reader: &Reader) -> Result<bool, ReadError> {
    let found = reader.query(
        "SELECT 1 FROM sqlite_schema WHERE name = 'edge_repositories'",
        [],
        |_| Ok(()),
    )?;
    Ok(!found.is_empty())
}

/// Returns the names of all repositories by id.
pub(crate) fn names(reader: &Reader) -> Result<BTreeMap<RepositoryId, String>, Failure> {
    let outside = |error: ReadError| Failure::from_error(Exit::Outside, &error);
    // Those that are on the list no more are known by where they were last.
    let removed = Filter {
        kinds: vec![EventKind::RepoRepositoryRemoved],
        ..Filter::default()
    };
    let mut names = BTreeMap::new();
    for event in reader.select(&removed).map_err(outside)? {
        if let (Some(id), Ok(body)) = (event.repository, event.payload::<RepositoryRemoved>()) {
            names.insert(id, name_of(Path::new(&body.path)));
        }
    }
    let listed = all(reader).map_err(outside)?;
    names.extend(listed.into_iter().map(|r| (r.id, r.name)));
    Ok(names)
}

/// Returns where the repository was last and the view of its references.
pub(crate) fn get(tx: &Tx<'_>, id: RepositoryId) -> Result<Option<(PathBuf, Vec<u8>)>, TxError> {
    let row = tx.query_row(
        "SELECT path, refs FROM edge_repositories WHERE id = ?1",
        [id.to_string()],
        |row| Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?)),
    )?;
    Ok(row.map(|(path, refs)| (PathBuf::from(path), refs)))
}

/// Writes a repository's row; `refs` is its serialized view.
pub(crate) fn put(
    tx: &mut Tx<'_>,
    id: RepositoryId,
    path: &Path,
    refs: &[u8],
) -> Result<(), TxError> {
    tx.execute(
        "INSERT INTO edge_repositories (id, path, name, refs) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (id) DO UPDATE SET path = ?2, name = ?3, refs = ?4, problem = NULL",
        (id.to_string(), path.to_string_lossy(), name_of(path), refs),
    )?;
    Ok(())
}

/// Moves the view of a repository's references.
pub(crate) fn set_refs(tx: &mut Tx<'_>, id: RepositoryId, refs: &[u8]) -> Result<(), TxError> {
    tx.execute(
        "UPDATE edge_repositories SET refs = ?2 WHERE id = ?1",
        (id.to_string(), refs),
    )?;
    Ok(())
}

/// Says what keeps a repository from being watched.
pub(crate) fn set_problem(
    tx: &mut Tx<'_>,
    id: RepositoryId,
    problem: Option<&str>,
) -> Result<(), TxError> {
    tx.execute(
        "UPDATE edge_repositories SET problem = ?2 WHERE id = ?1",
        (id.to_string(), problem),
    )?;
    Ok(())
}

/// Takes a repository off the list; false when it was not on it.
pub(crate) fn remove(tx: &mut Tx<'_>, id: RepositoryId) -> Result<bool, TxError> {
    Ok(tx.execute(
        "DELETE FROM edge_repositories WHERE id = ?1",
        [id.to_string()],
    )? > 0)
}

/// Returns what a repository at `path` is called.
pub(crate) fn name_of(path: &Path) -> String {
    let name = path
        .file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default();
    // A bare repository `bot.git` is called `bot`; a `.git` without work tree is called by its folder.
    match name.strip_suffix(".git") {
        Some("") => path.parent().map(name_of).unwrap_or(name),
        Some(stem) => stem.to_owned(),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_called_by_its_folder() {
        assert_eq!(name_of(Path::new("/home/ada/bot")), "bot");
        assert_eq!(name_of(Path::new("/srv/bot.git")), "bot");
        assert_eq!(name_of(Path::new("/home/ada/bot/.git")), "bot");
    }
}
