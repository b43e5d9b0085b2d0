//! Putting a repository on the list: who it is, where it is, what its history was before we came.
//!
//! A repository keeps its id when its folder moves; a copy of the folder brings the same id along and
//! gets a new one. What was committed before the registration is history and is not journaled.

use std::path::{Path, PathBuf};

use tradewind_core::payload::{RepositoryMoved, RepositoryRegistered};
use tradewind_core::{Draft, RepositoryId};
use tradewind_engine::document::ConfigMistake;
use tradewind_repo::RepoError;
use tradewind_repo::location::{self, Location};
use tradewind_repo::refs::RefsView;

use crate::control::Controls;
use crate::daemon::blocking;
use crate::place::CONFIG_FILE;
use crate::report::{Exit, Failure};
use crate::{repositories, wire};

/// A repository that is on the list now.
#[derive(Debug)]
pub(crate) struct Registered {
    /// Its id.
    pub(crate) id: RepositoryId,
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Whether it was on the list before.
    pub(crate) was_known: bool,
}

fn repo_failure(error: &RepoError) -> Failure {
    Failure::from_error(Exit::Outside, error)
        .hint("look at it with `git status`; `tradewind doctor` checks the rest")
}

/// Puts the repository that `path` lies in on the list.
pub(crate) async fn register(controls: &Controls, path: &Path) -> Result<Registered, Failure> {
    let git = controls.git().clone();
    let (asked, runner) = (path.to_path_buf(), git.clone());
    let location = blocking(move || Location::find(&runner, &asked))
        .await?
        .map_err(|e| {
            Failure::from_error(Exit::Usage, &e).hint("name a folder inside a git repository")
        })?;
    check_name(&location.top)?;
    let mut id = location::identity(&location).map_err(|e| repo_failure(&e))?;
    let known = lookup(controls, id).await?;
    if let Some((old, _)) = &known
        && *old != location.top
        && let Ok(other) = Location::find(&git, old)
        && location::peek_identity(&other).ok().flatten() == Some(id)
    {
        if other.is_same_repository(&location) {
            // A linked work tree: the repository is watched already, through the one that came first.
            return Ok(Registered {
                id,
                path: old.clone(),
                was_known: true,
            });
        }
        // The folder was copied, id and all: the copy is a repository of its own.
        id = location::renew_identity(&location).map_err(|e| repo_failure(&e))?;
        return enter(controls, &location, id).await;
    }
    match known {
        None => enter(controls, &location, id).await,
        Some((old, refs)) => {
            if old != location.top {
                moved(controls, id, &old, &location.top, refs).await?;
            }
            configure(controls, id, &location.top).await?;
            Ok(Registered {
                id,
                path: location.top,
                was_known: true,
            })
        }
    }
}

/// Refuses a folder whose name cannot be written down: the list, events and JSON hold text.
pub(crate) fn check_name(top: &Path) -> Result<(), Failure> {
    if top.to_str().is_some() {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Usage,
        format!("{} has a name that is not UTF-8", top.display()),
    )
    .hint("rename the folder, then run `tradewind up` in it"))
}

/// Returns where a registered repository was last, and the serialized view of its references.
pub(crate) async fn lookup(
    controls: &Controls,
    id: RepositoryId,
) -> Result<Option<(PathBuf, Vec<u8>)>, Failure> {
    controls
        .journal()
        .transact(move |tx| repositories::get(tx, id))
        .await
        .map_err(|e| Failure::from_error(Exit::Outside, &e))
}

async fn enter(
    controls: &Controls,
    location: &Location,
    id: RepositoryId,
) -> Result<Registered, Failure> {
    let (git, place) = (controls.git().clone(), location.clone());
    // Counting a long history takes seconds.
    let (view, commits) = blocking(move || {
        let view = RefsView::read(&git, &place);
        (view, count_commits(&git, &place))
    })
    .await?;
    let view = view.map_err(|e| repo_failure(&e))?;
    let body = RepositoryRegistered {
        path: location.top.display().to_string(),
        head: view.head_commit().map(|_| view.head.short()),
        commits,
    };
    let draft = Draft::new(controls.clock().now(), &body)
        .map_err(|e| Failure::from_error(Exit::Bug, &e))?
        .about(repositories::name_of(&location.top))
        .in_repository(id);
    let refs = serialize(&view)?;
    let path = location.top.clone();
    controls
        .journal()
        .transact(move |tx| {
            repositories::put(tx, id, &path, &refs)?;
            tx.append(draft)
        })
        .await
        .map_err(|e| Failure::from_error(Exit::Outside, &e))?;
    configure(controls, id, &location.top).await?;
    Ok(Registered {
        id,
        path: location.top.clone(),
        was_known: false,
    })
}

/// Notes that a repository is at another path.
pub(crate) async fn moved(
    controls: &Controls,
    id: RepositoryId,
    from: &Path,
    to: &Path,
    refs: Vec<u8>,
) -> Result<(), Failure> {
    let body = RepositoryMoved {
        from: from.display().to_string(),
        to: to.display().to_string(),
    };
    let draft = Draft::new(controls.clock().now(), &body)
        .map_err(|e| Failure::from_error(Exit::Bug, &e))?
        .about(repositories::name_of(to))
        .in_repository(id);
    let to = to.to_path_buf();
    controls
        .journal()
        .transact(move |tx| {
            repositories::put(tx, id, &to, &refs)?;
            tx.append(draft)
        })
        .await
        .map(drop)
        .map_err(|e| Failure::from_error(Exit::Outside, &e))
}

/// Writes a view of references as it is kept in the store.
pub(crate) fn serialize(view: &RefsView) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(view).map_err(|e| Failure::from_error(Exit::Bug, &e))
}

fn count_commits(git: &tradewind_host::git::Git, location: &Location) -> u64 {
    // A repository without commits has none to count; one with missing objects is reported by its watcher.
    git.run_blocking(&location.top, &["rev-list", "--count", "--all"])
        .ok()
        .and_then(|out| String::from_utf8_lossy(&out).trim().parse().ok())
        .unwrap_or(0)
}

/// Reads the repository's configuration and puts it in force, or says what is wrong with it.
pub(crate) async fn configure(
    controls: &Controls,
    id: RepositoryId,
    top: &Path,
) -> Result<wire::Config, Failure> {
    let outside = |error: &dyn std::error::Error| Failure::from_error(Exit::Outside, error);
    let read = match wire::read_file(&top.join(CONFIG_FILE)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        read => read,
    };
    // A file that cannot be read is a wrong configuration like any other: it must not keep the repository
    // from being watched.
    let (digest, parsed) = match read {
        Ok(text) => (
            tradewind_engine::trust::digest(&text),
            wire::Config::parse(&text),
        ),
        Err(error) => {
            let message = format!("{CONFIG_FILE} cannot be read: {error}");
            let mistake = ConfigMistake {
                line: 1,
                column: 1,
                message,
            };
            let digest = tradewind_engine::trust::digest(&mistake.message);
            (digest, Err(vec![mistake]))
        }
    };
    match parsed {
        Ok(config) => {
            let engine = config.engine.clone();
            controls
                .engine()
                .set_repository(id, top.to_path_buf(), engine, digest)
                .await
                .map_err(|e| outside(&e))?;
            Ok(config)
        }
        Err(mistakes) => {
            controls
                .engine()
                .reject_configuration(id, digest, &mistakes)
                .await
                .map_err(|e| outside(&e))?;
            Ok(wire::Config::default())
        }
    }
}
