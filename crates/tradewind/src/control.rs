//! Commands that change something, as data.
//!
//! Why data: one process writes the store. The command line builds a [`Command`]; without a daemon it
//! takes the store's lock and executes it here, with one it sends the same value to the daemon, which
//! executes it here too. So both ways cannot differ. Not here: reading (readers open the store
//! themselves, beside whoever writes) and printing (`cli/`).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tradewind_core::payload::{
    AuditCompleted, ExceptionGranted, Payload, RepositoryRemoved, VerdictRefuted,
};
use tradewind_core::{Clock, Draft, RepositoryId, Seq};
use tradewind_engine::proposals::{self, ProposalError};
use tradewind_engine::undo::{Difference, Direction, Expiry, Restore, UndoError, Which};
use tradewind_engine::{Engine, EngineParts, Supervisor, pause};
use tradewind_host::egress::DirectEgress;
use tradewind_host::git::Git;
use tradewind_journal::{Journal, Reader, Retention, TxError};

use crate::daemon::watcher::Watchers;
use crate::place::CONFIG_FILE;
use crate::report::{Exit, Failure};
use crate::{registration, repositories, wire};

/// Something to change.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub(crate) enum Command {
    /// Put a repository under watch and say so.
    Register {
        /// A folder inside it.
        path: PathBuf,
    },
    /// Take a repository off the watch.
    Remove {
        /// Which one.
        repository: RepositoryId,
    },
    /// Take back an action.
    Undo {
        /// In which repository.
        repository: RepositoryId,
        /// The action's request, outcome or any event between; none is the newest that can be undone.
        event: Option<Seq>,
        /// Only say what would be done.
        dry_run: bool,
    },
    /// Put back what an undo took away.
    Redo {
        /// In which repository.
        repository: RepositoryId,
        /// As for [`Command::Undo`].
        event: Option<Seq>,
        /// Only say what would be done.
        dry_run: bool,
    },
    /// Bring a file back.
    Restore {
        /// In which repository.
        repository: RepositoryId,
        /// Path from the top of the repository, with `/`.
        path: String,
        /// The newest content at or before then; none is the newest content that differs from the present one.
        at: Option<Timestamp>,
        /// Replace content that is there.
        force: bool,
    },
    /// Say yes to a proposal.
    Approve {
        /// The event that opened it.
        proposal: Seq,
        /// Who says so.
        by: String,
    },
    /// Say no to a proposal.
    Reject {
        /// The event that opened it.
        proposal: Seq,
        /// Who says so.
        by: String,
        /// Why; may be empty.
        reason: String,
    },
    /// Stop every acting rule.
    Pause {
        /// Who says so.
        by: String,
        /// Why; may be empty.
        reason: String,
    },
    /// Let acting rules act again.
    Resume {
        /// Who says so.
        by: String,
    },
    /// Allow a configuration to execute.
    Trust {
        /// In which repository.
        repository: RepositoryId,
        /// Digest of the content that the person has seen; another content is refused.
        digest: String,
    },
    /// Copy the store.
    Backup {
        /// Where to; must not exist.
        to: PathBuf,
    },
    /// Remove what is old.
    Prune {
        /// Events older than this go.
        max_age: Option<Duration>,
        /// The oldest events go until the store is no larger.
        max_bytes: Option<u64>,
        /// So many of the newest events stay in any case.
        keep_last: u64,
    },
    /// Remove the bodies of events.
    Erase {
        /// Which.
        events: Vec<Seq>,
        /// Why, without the secret itself.
        reason: String,
    },
    /// Journal an audit.
    RecordAudit {
        /// Of which repository; none where it has no id yet.
        repository: Option<RepositoryId>,
        /// What it found.
        audit: AuditCompleted,
    },
    /// Let a commit pass that the guard stops.
    GrantException {
        /// In which repository.
        repository: RepositoryId,
        /// Which paths, why, and for how long.
        granted: ExceptionGranted,
    },
    /// Journal that what was known of a hook did not hold.
    RecordRefuted {
        /// In which repository.
        repository: RepositoryId,
        /// Which hook, and what it said.
        refuted: VerdictRefuted,
    },
    /// End the daemon.
    Stop,
}

/// What came of a command.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub(crate) enum Reply {
    /// A repository is under watch.
    Registered {
        /// Its id.
        repository: RepositoryId,
        /// Its name.
        name: String,
        /// Its path.
        path: PathBuf,
        /// Whether it was watched before.
        was_known: bool,
    },
    /// An undo, redo or restore was done, or would be.
    Changed {
        /// What was changed, one path or reference each.
        changes: Vec<Changed>,
        /// The event that says so; none for a dry run.
        event: Option<Seq>,
    },
    /// An event was journaled and nothing more is to be said.
    Recorded {
        /// The event.
        event: Seq,
    },
    /// A backup was written.
    BackedUp {
        /// Last event in it.
        last: Seq,
    },
    /// Old things were removed.
    Pruned {
        /// First and last event that went; none when nothing was old enough.
        events: Option<(Seq, Seq)>,
        /// Bytes of undo material that went.
        undo_bytes: u64,
    },
    /// It was done and left no event.
    Done,
}

/// One path or reference that was changed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Changed {
    /// Which, and what became of it.
    pub(crate) what: String,
    /// The lines that differ; empty where that says nothing.
    pub(crate) diff: String,
}

impl Changed {
    fn new(what: String) -> Self {
        Self {
            what,
            diff: String::new(),
        }
    }
}

/// What a command line gets back from the daemon.
pub(crate) type Answer = Result<Reply, Failure>;

/// What commands are executed with: the open store and what stands on it.
#[derive(Clone)]
pub(crate) struct Controls {
    journal: Journal,
    clock: Arc<dyn Clock>,
    state: PathBuf,
    git: Git,
    engine: Engine,
    supervisor: Supervisor,
    /// The watchers of the daemon; none when a command runs alone under the store's lock.
    watchers: Option<Watchers>,
}

impl std::fmt::Debug for Controls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Controls")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Controls {
    /// Puts together what commands need, for the daemon or for one command alone.
    pub(crate) fn new(
        journal: Journal,
        clock: Arc<dyn Clock>,
        state: &Path,
        git: Git,
        supervisor: Supervisor,
        watchers: Option<Watchers>,
    ) -> Result<Self, Failure> {
        let outside = |error: &dyn std::error::Error| {
            Failure::from_error(Exit::Outside, error).hint("run `tradewind doctor`")
        };
        journal
            .migrate(repositories::NAMESPACE, repositories::STEPS)
            .map_err(|e| outside(&e))?;
        let egress = DirectEgress::new().map_err(|e| outside(&e))?;
        let parts = EngineParts {
            journal: journal.clone(),
            actions: wire::registry(),
            egress: Arc::new(egress),
            clock: Arc::clone(&clock),
            secret_scan: wire::secret_scan(),
            state_dir: state.to_path_buf(),
        };
        let engine = Engine::new(parts, supervisor.clone()).map_err(|e| outside(&e))?;
        Ok(Self {
            journal,
            clock,
            state: state.to_path_buf(),
            git,
            engine,
            supervisor,
            watchers,
        })
    }

    /// For one command that found no daemon.
    pub(crate) fn standalone(
        journal: Journal,
        clock: Arc<dyn Clock>,
        state: &Path,
        git: Git,
    ) -> Result<Self, Failure> {
        let supervisor = Supervisor::new(None, Arc::clone(&clock), CancellationToken::new());
        Self::new(journal, clock, state, git, supervisor, None)
    }

    /// Returns the journal.
    pub(crate) fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Returns the state directory.
    pub(crate) fn state(&self) -> &Path {
        &self.state
    }

    /// Returns the clock.
    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// Returns git.
    pub(crate) fn git(&self) -> &Git {
        &self.git
    }

    /// Returns who owns tasks.
    pub(crate) fn supervisor(&self) -> &Supervisor {
        &self.supervisor
    }

    /// Returns the engine.
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    fn reader(&self) -> Result<Reader, Failure> {
        self.journal
            .reader()
            .map_err(|e| Failure::from_error(Exit::Outside, &e))
    }

    /// Returns where a registered repository is.
    fn path(&self, repository: RepositoryId) -> Result<PathBuf, Failure> {
        let all = repositories::all(&self.reader()?)
            .map_err(|e| Failure::from_error(Exit::Outside, &e))?;
        all.into_iter()
            .find(|r| r.id == repository)
            .map(|r| r.path)
            .ok_or_else(|| {
                Failure::new(Exit::Usage, "this repository is not registered")
                    .hint("run `tradewind up` in it once")
            })
    }
}

/// Executes a command.
pub(crate) async fn execute(controls: &Controls, command: Command) -> Answer {
    match command {
        Command::Register { path } => register(controls, &path).await,
        Command::Remove { repository } => remove(controls, repository).await,
        Command::Undo {
            repository,
            event,
            dry_run,
        } => change(controls, Direction::Undo, repository, event, dry_run).await,
        Command::Redo {
            repository,
            event,
            dry_run,
        } => change(controls, Direction::Redo, repository, event, dry_run).await,
        Command::Restore {
            repository,
            path,
            at,
            force,
        } => restore(controls, repository, &path, at, force).await,
        Command::Approve { proposal, by } => {
            let request = proposals::approve(&controls.journal, proposal, &by)
                .await
                .map_err(|e| proposal_failure(&e))?;
            controls.engine.kick();
            Ok(Reply::Recorded { event: request })
        }
        Command::Reject {
            proposal,
            by,
            reason,
        } => {
            let event = proposals::reject(&controls.journal, proposal, &by, &reason)
                .await
                .map_err(|e| proposal_failure(&e))?;
            Ok(Reply::Recorded { event })
        }
        Command::Pause { by, reason } => {
            let event = pause::pause(&controls.journal, &by, &reason)
                .await
                .map_err(|e| write_failure(&e))?;
            Ok(Reply::Recorded { event })
        }
        Command::Resume { by } => {
            let event = pause::resume(&controls.journal, &by)
                .await
                .map_err(|e| write_failure(&e))?;
            controls.engine.kick();
            Ok(event.map_or(Reply::Done, |event| Reply::Recorded { event }))
        }
        Command::Trust { repository, digest } => trust(controls, repository, &digest).await,
        Command::Backup { to } => {
            let last = controls.journal.backup(to.clone()).await.map_err(|e| {
                Failure::because(
                    Exit::Outside,
                    format!("{} cannot be written", to.display()),
                    &e,
                )
                .hint("name a file that does not exist, on a disk with room")
            })?;
            Ok(Reply::BackedUp { last })
        }
        Command::Prune {
            max_age,
            max_bytes,
            keep_last,
        } => prune(controls, max_age, max_bytes, keep_last).await,
        Command::Erase { events, reason } => erase(controls, events, reason).await,
        Command::RecordAudit { repository, audit } => {
            record_audit(controls, repository, &audit).await
        }
        Command::GrantException {
            repository,
            granted,
        } => record(controls, repository, &granted).await,
        Command::RecordRefuted {
            repository,
            refuted,
        } => record(controls, repository, &refuted).await,
        Command::Stop => match &controls.watchers {
            Some(watchers) => {
                watchers.stop();
                Ok(Reply::Done)
            }
            None => Err(Failure::new(Exit::Daemon, "no daemon runs")),
        },
    }
}

async fn record<P: Payload>(controls: &Controls, repository: RepositoryId, body: &P) -> Answer {
    let draft = Draft::new(controls.clock.now(), body)
        .map_err(|e| Failure::from_error(Exit::Bug, &e))?
        .in_repository(repository);
    let event = controls
        .journal
        .transact(move |tx| tx.append(draft))
        .await
        .map_err(|e| write_failure(&e))?;
    Ok(Reply::Recorded { event })
}

async fn record_audit(
    controls: &Controls,
    repository: Option<RepositoryId>,
    audit: &AuditCompleted,
) -> Answer {
    let subject = repositories::name_of(Path::new(&audit.path));
    let mut draft = Draft::new(controls.clock.now(), audit)
        .map_err(|e| Failure::from_error(Exit::Bug, &e))?
        .about(subject);
    draft.repository = repository;
    let event = controls
        .journal
        .transact(move |tx| tx.append(draft))
        .await
        .map_err(|e| write_failure(&e))?;
    Ok(Reply::Recorded { event })
}

fn write_failure(error: &TxError) -> Failure {
    match error {
        TxError::Refused { .. } => Failure::from_error(Exit::Usage, error),
        error => Failure::from_error(Exit::Outside, error)
            .hint("look at `tradewind doctor`; what was acknowledged is safe"),
    }
}

fn proposal_failure(error: &ProposalError) -> Failure {
    match error {
        ProposalError::Unknown { .. } | ProposalError::Decided { .. } => {
            Failure::from_error(Exit::Usage, error)
                .hint("`tradewind proposals list` shows what is open")
        }
        ProposalError::Paused => Failure::from_error(Exit::Usage, error)
            .hint("let rules act again with `tradewind resume`"),
        error => Failure::from_error(Exit::Outside, error),
    }
}

async fn register(controls: &Controls, path: &Path) -> Answer {
    let registered = registration::register(controls, path).await?;
    if let Some(watchers) = &controls.watchers {
        watchers.watch(controls, registered.id).await?;
    }
    Ok(Reply::Registered {
        repository: registered.id,
        name: repositories::name_of(&registered.path),
        path: registered.path,
        was_known: registered.was_known,
    })
}

async fn remove(controls: &Controls, repository: RepositoryId) -> Answer {
    let path = controls.path(repository)?;
    let body = RepositoryRemoved {
        path: path.display().to_string(),
    };
    let draft = Draft::new(controls.clock.now(), &body)
        .map_err(|e| Failure::from_error(Exit::Bug, &e))?
        .in_repository(repository);
    let event = controls
        .journal
        .transact(move |tx| {
            repositories::remove(tx, repository)?;
            tx.append(draft)
        })
        .await
        .map_err(|e| write_failure(&e))?;
    controls.engine.remove_repository(repository);
    if let Some(watchers) = &controls.watchers {
        watchers.unwatch(repository).await?;
    }
    Ok(Reply::Recorded { event })
}

async fn trust(controls: &Controls, repository: RepositoryId, digest: &str) -> Answer {
    let path = controls.path(repository)?;
    let file = path.join(CONFIG_FILE);
    let text = wire::read_file(&file).map_err(|e| {
        Failure::because(
            Exit::Config,
            format!("{} cannot be read", file.display()),
            &e,
        )
    })?;
    if tradewind_engine::trust::digest(&text) != digest {
        return Err(Failure::new(
            Exit::Usage,
            format!("{} changed since it was shown", file.display()),
        )
        .hint("run `tradewind trust` again and read it again"));
    }
    let event = tradewind_engine::trust::trust(&controls.journal, repository, digest)
        .await
        .map_err(|e| write_failure(&e))?;
    if controls.watchers.is_some() {
        registration::configure(controls, repository, &path).await?;
    }
    Ok(Reply::Recorded { event })
}

async fn erase(controls: &Controls, events: Vec<Seq>, reason: String) -> Answer {
    let erased = controls.journal.erase(events, reason).await;
    let event = erased.map_err(|error| {
        let failure = write_failure(&error);
        match error {
            TxError::Refused { .. } => failure.hint("`tradewind log --all` lists the events"),
            TxError::LogHeld { .. } => failure.hint(
                "it is in `journal.db-wal` until what reads the journal, such as `tradewind log --follow`, has ended",
            ),
            _ => failure,
        }
    })?;
    Ok(Reply::Recorded { event })
}

async fn prune(
    controls: &Controls,
    max_age: Option<Duration>,
    max_bytes: Option<u64>,
    keep_last: u64,
) -> Answer {
    let policy = Retention {
        max_age,
        max_bytes,
        keep_last,
    };
    let pruned = controls
        .journal
        .prune(policy)
        .await
        .map_err(|e| write_failure(&e))?;
    let mut undo_bytes = 0;
    let all = repositories::all(&controls.reader()?)
        .map_err(|e| Failure::from_error(Exit::Outside, &e))?;
    for repository in all {
        let section = wire::undo_section(&repository.path);
        let expiry = Expiry {
            repository: repository.id,
            max_age: section.max_age,
            max_bytes: section.max_bytes.get(),
        };
        undo_bytes += controls
            .engine
            .undo()
            .expire(expiry)
            .await
            .map_err(|e| undo_failure(&e))?
            .freed_bytes;
    }
    Ok(Reply::Pruned {
        events: pruned.map(|p| (p.first, p.last)),
        undo_bytes,
    })
}

async fn change(
    controls: &Controls,
    direction: Direction,
    repository: RepositoryId,
    event: Option<Seq>,
    dry_run: bool,
) -> Answer {
    let which = Which {
        repository,
        path: controls.path(repository)?,
        seq: event,
        dry_run,
    };
    let undo = controls.engine.undo();
    let done = match direction {
        Direction::Undo => undo.undo(which).await,
        Direction::Redo => undo.redo(which).await,
    };
    let done = done.map_err(|e| undo_failure(&e))?;
    let mut changes: Vec<_> = done.files.iter().map(changed).collect();
    changes.extend(
        done.references
            .iter()
            .map(|name| Changed::new(format!("{name} put back"))),
    );
    if done.index {
        changes.push(Changed::new("index put back".to_owned()));
    }
    changes.extend(
        done.kept
            .iter()
            .map(|path| Changed::new(format!("{path} was changed since and is left as it is"))),
    );
    Ok(Reply::Changed {
        changes,
        event: done.event,
    })
}

async fn restore(
    controls: &Controls,
    repository: RepositoryId,
    file: &str,
    at: Option<Timestamp>,
    force: bool,
) -> Answer {
    let restore = Restore {
        repository,
        path: controls.path(repository)?,
        file: file.to_owned(),
        at,
        force,
    };
    let restored = controls
        .engine
        .undo()
        .restore(restore)
        .await
        .map_err(|e| match e {
            UndoError::Nothing { .. } => Failure::from_error(Exit::Usage, &e)
                .hint("name one file, not a folder, as seen from where you are; `git log --all -- PATH` shows what git knows of it"),
            e => undo_failure(&e),
        })?;
    let already = if restored.event.is_some() {
        "as it was"
    } else {
        "has the content already that it had"
    };
    let what = format!(
        "{} {already} at {} ({})",
        restored.file, restored.as_of, restored.origin
    );
    let changes = vec![Changed::new(what)];
    Ok(Reply::Changed {
        changes,
        event: restored.event,
    })
}

/// Says what becomes of a path, with the lines that differ.
fn changed(difference: &Difference) -> Changed {
    let what = format!("{} {}", difference.path, difference.change);
    Changed {
        what,
        diff: difference.diff.clone().unwrap_or_default(),
    }
}

fn undo_failure(error: &UndoError) -> Failure {
    match error {
        UndoError::Nothing { .. } => Failure::from_error(Exit::Usage, error)
            .hint("`tradewind log --kind 'engine.action.*'` lists actions"),
        UndoError::Differs { differences } => {
            let mut failure = Failure::from_error(Exit::Found, error)
                .hint("nothing was touched; save your version first, or bring single files back with `tradewind restore PATH`");
            for Changed { what, diff } in differences.iter().map(changed) {
                failure.why.push(if diff.is_empty() {
                    what
                } else {
                    format!("{what}\n{}", diff.trim_end())
                });
            }
            failure
        }
        error => Failure::from_error(Exit::Outside, error)
            .hint("nothing was lost; what was begun is completed by the next command"),
    }
}
