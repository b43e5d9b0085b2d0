//! Where a command runs: the folder, the state directory, the store, the daemon if one runs.
//!
//! Why: every command starts by asking the same four questions. Reading goes straight to the store;
//! changing goes through [`Place::control`], which finds out who may write.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use tradewind_core::{Clock, RepositoryId};
use tradewind_host::clock::SystemClock;
use tradewind_host::git::Git;
use tradewind_journal::{Journal, OpenError, Options, ReadError, Reader};
use tradewind_repo::location::{self, Location};

use crate::client::{self, Daemon};
use crate::control::{self, Command, Controls, Reply};
use crate::report::{Exit, Failure};
use crate::repositories;

/// How long a command waits while another process has the store's lock: a command has it for milliseconds,
/// a daemon that starts or ends for some seconds.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);
/// How often it looks again meanwhile.
const LOCK_INTERVAL: Duration = Duration::from_millis(50);

/// Name of the configuration at a repository's top.
pub(crate) const CONFIG_FILE: &str = "tradewind.toml";

/// Where a command runs.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    cwd: PathBuf,
    state: PathBuf,
    clock: Arc<dyn Clock>,
}

impl Place {
    /// Finds the present place, as if started in `directory` where one is given.
    pub(crate) fn find(directory: Option<PathBuf>) -> Result<Self, Failure> {
        let here = std::env::current_dir().map_err(|e| {
            Failure::because(Exit::Outside, "the current folder cannot be read", &e)
        })?;
        let cwd = directory.map_or_else(|| here.clone(), |d| here.join(d));
        if !cwd.is_dir() {
            return Err(Failure::new(
                Exit::Usage,
                format!("{} is no folder", cwd.display()),
            ));
        }
        let state = tradewind_host::dirs::state_dir().map_err(|e| {
            Failure::from_error(Exit::Config, &e)
                .hint("set TRADEWIND_STATE to a folder on a local disk")
        })?;
        Ok(Self {
            cwd,
            state,
            clock: Arc::new(SystemClock),
        })
    }

    /// Makes a place from its parts; for the demo, which lives in folders of its own.
    pub(crate) fn at(cwd: PathBuf, state: PathBuf) -> Self {
        Self {
            cwd,
            state,
            clock: Arc::new(SystemClock),
        }
    }

    /// Returns the folder the command runs in.
    pub(crate) fn cwd(&self) -> &Path {
        &self.cwd
    }

    /// Returns the user's state directory.
    pub(crate) fn state(&self) -> &Path {
        &self.state
    }

    /// Returns the clock.
    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// Returns the present time.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Opens the store for reading.
    pub(crate) fn reader(&self) -> Result<Reader, Failure> {
        Reader::open(&self.state).map_err(|error| match error {
            ReadError::Missing { .. } => Failure::from_error(Exit::Outside, &error).hint(
                "run `tradewind up` in a repository, or `tradewind demo` to see what it does",
            ),
            error => Failure::from_error(Exit::Outside, &error).hint("run `tradewind doctor`"),
        })
    }

    /// Finds git.
    pub(crate) fn git() -> Result<Git, Failure> {
        Git::discover().map_err(|error| {
            Failure::from_error(Exit::Outside, &error)
                .hint("install git 2.30 or newer and make sure that it is on the PATH")
        })
    }

    /// Finds the repository that this folder belongs to.
    pub(crate) fn location(&self) -> Result<Location, Failure> {
        let git = Self::git()?;
        Location::find(&git, &self.cwd).map_err(|error| {
            Failure::because(
                Exit::Usage,
                format!(
                    "{} is in no git repository that can be read",
                    self.cwd.display()
                ),
                &error,
            )
            .hint("change into your bot's folder, or make it a repository with `git init`")
        })
    }

    /// Returns this folder's repository and its id, making the id when there is none yet.
    pub(crate) fn repository(&self) -> Result<(Location, RepositoryId), Failure> {
        let location = self.location()?;
        let id = location::identity(&location)
            .map_err(|error| Failure::from_error(Exit::Outside, &error))?;
        Ok((location, id))
    }

    /// Returns the id of this folder's repository when it has one, without making one.
    pub(crate) fn registered_repository(&self) -> Option<RepositoryId> {
        let git = Git::discover().ok()?;
        let location = Location::find(&git, &self.cwd).ok()?;
        location::peek_identity(&location).ok().flatten()
    }

    /// Returns this folder's repository for a command that changes its files.
    ///
    /// Such a command works where the list says that the repository is. That is another folder when the
    /// repository was moved or copied while nobody watched (the list is corrected first) and in a linked
    /// work tree (refused: it would change files that the user is not looking at).
    pub(crate) async fn watched_repository(&self) -> Result<(Location, RepositoryId), Failure> {
        let (location, id) = self.repository()?;
        let listed = match self.reader() {
            Ok(reader) => repositories::all(&reader)
                .map_err(|e| Failure::from_error(Exit::Outside, &e))?
                .into_iter()
                .find(|listed| listed.id == id),
            // Nothing is listed where nothing was ever journaled; the command itself says so.
            Err(_no_store) => None,
        };
        let Some(listed) = listed.filter(|listed| listed.path != location.top) else {
            return Ok((location, id));
        };
        let registered = self
            .control(Command::Register {
                path: location.top.clone(),
            })
            .await?;
        let Reply::Registered {
            repository, path, ..
        } = registered
        else {
            return Err(Failure::new(
                Exit::Bug,
                "registering gave an unexpected answer",
            ));
        };
        if path != location.top {
            return Err(Failure::new(
                Exit::Usage,
                format!(
                    "{} is a linked work tree; what is recorded belongs to {}",
                    location.top.display(),
                    listed.path.display()
                ),
            )
            .hint(format!("run it there: `cd {}`", listed.path.display())));
        }
        Ok((location, repository))
    }

    /// Executes a command: through the daemon when one runs, else by taking the store's lock.
    pub(crate) async fn control(&self, command: Command) -> Result<Reply, Failure> {
        let deadline = Instant::now() + LOCK_PATIENCE;
        let journal = loop {
            if let Some(daemon) = Daemon::find(&self.state) {
                match daemon.send(&command).await {
                    Err(client::SendError::Gone) => {}
                    other => return other.map_err(Failure::from)?,
                }
            }
            if let Some(journal) = self.try_journal(deadline).await? {
                break journal;
            }
        };
        let controls = Controls::standalone(journal, self.clock(), &self.state, Self::git()?)?;
        control::execute(&controls, command).await
    }

    /// Takes the store's lock; none, after a short wait, when another process has it and the deadline has not
    /// come: perhaps it is a daemon that answers by now.
    pub(crate) async fn try_journal(&self, deadline: Instant) -> Result<Option<Journal>, Failure> {
        match Journal::open(Options::new(&self.state, self.clock())) {
            Ok(journal) => Ok(Some(journal)),
            Err(OpenError::Locked { .. }) if Instant::now() < deadline => {
                tokio::time::sleep(LOCK_INTERVAL).await;
                Ok(None)
            }
            Err(error) => Err(open_failure(&error)),
        }
    }
}

/// Reports why the store cannot be opened for writing.
pub(crate) fn open_failure(error: &OpenError) -> Failure {
    match error {
        OpenError::Locked { .. } => Failure::from_error(Exit::Daemon, error)
            .hint("a daemon is starting or stopping; try again in a moment, or end it with `tradewind up --stop`"),
        OpenError::NetworkFileSystem { .. } => Failure::from_error(Exit::Config, error)
            .hint("set TRADEWIND_STATE to a folder on a local disk"),
        OpenError::Newer { .. } => Failure::from_error(Exit::Config, error).hint("install the newer Tradewind that wrote it"),
        error => Failure::from_error(Exit::Outside, error).hint("run `tradewind doctor`"),
    }
}

/// Says who gives an order at this terminal.
pub(crate) fn user() -> String {
    ["USER", "USERNAME", "LOGNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()))
        .unwrap_or_else(|| "someone".to_owned())
}
