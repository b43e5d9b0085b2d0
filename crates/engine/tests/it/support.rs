//! A world for one test: a repository, a state directory, an engine that runs until it is dropped.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use tradewind_core::clock::FixedClock;
use tradewind_core::payload::{BranchUpdated, CommitCreated, Payload};
use tradewind_core::{Clock, Draft, Event, EventKind, RepositoryId, Seq};
use tradewind_engine::action::Registry;
use tradewind_engine::undo::{Faults, SecretScan, Undo, Which};
use tradewind_engine::{Engine, EngineParts, Supervisor, config, trust};
use tradewind_host::egress::DirectEgress;
use tradewind_host::git::Git;
use tradewind_journal::{Filter, Journal, Options};

pub(crate) const START: &str = "2026-01-05T10:00:00Z";

pub(crate) fn repository() -> RepositoryId {
    RepositoryId::from_bytes([7; 16])
}

pub(crate) fn scan() -> SecretScan {
    Arc::new(|_, bytes| bytes.windows(4).any(|window| window == b"AKIA"))
}

pub(crate) struct World {
    pub(crate) dir: TempDir,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) journal: Journal,
    pub(crate) engine: Engine,
    pub(crate) supervisor: Supervisor,
}

impl World {
    /// A world whose engine does not run yet.
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("repo")).unwrap();
        Self::in_dir(
            dir,
            Timestamp::from_millisecond(start().as_millisecond()).unwrap(),
        )
    }

    /// The same world after the process ended and another one began.
    pub(crate) async fn restart(self) -> Self {
        let now = self.clock.now();
        let left = self.supervisor.shut_down(Duration::from_secs(10)).await;
        assert!(left.is_empty(), "{left:?}");
        let Self {
            dir,
            journal,
            engine,
            supervisor,
            ..
        } = self;
        drop((engine, supervisor, journal));
        Self::in_dir(dir, now)
    }

    fn in_dir(dir: TempDir, now: Timestamp) -> Self {
        tradewind_host::egress::install_crypto();
        let clock = Arc::new(FixedClock::at(now));
        let state = dir.path().join("state");
        let options = Options::new(&state, clock.clone() as Arc<dyn Clock>);
        // The former handle's writer may still be closing the store.
        let journal = (0..200)
            .find_map(|_| match Journal::open(options.clone()) {
                Ok(journal) => Some(journal),
                Err(error) => {
                    assert!(error.to_string().contains("being written"), "{error}");
                    std::thread::yield_now();
                    None
                }
            })
            .unwrap_or_else(|| Journal::open(options.clone()).unwrap());
        let supervisor = Supervisor::new(
            Some(journal.clone()),
            clock.clone(),
            CancellationToken::new(),
        );
        let parts = EngineParts {
            journal: journal.clone(),
            actions: Registry::new(),
            egress: Arc::new(DirectEgress::new().unwrap()),
            clock: clock.clone(),
            secret_scan: scan(),
            state_dir: state,
        };
        let engine = Engine::new(parts, supervisor.clone()).unwrap();
        Self {
            dir,
            clock,
            journal,
            engine,
            supervisor,
        }
    }

    pub(crate) fn repo(&self) -> PathBuf {
        self.dir.path().join("repo")
    }

    /// Puts rules in force; they are trusted unless the caller says otherwise.
    pub(crate) async fn rules(&self, text: &str, trusted: bool) {
        let config = config::parse(text, self.engine.actions()).unwrap();
        let digest = trust::digest(text);
        if trusted {
            trust::trust(&self.journal, repository(), &digest)
                .await
                .unwrap();
        }
        self.engine
            .set_repository(repository(), self.repo(), config, digest)
            .await
            .unwrap();
    }

    /// Starts the engine.
    pub(crate) async fn start(&self) {
        let engine = self.engine.clone();
        self.supervisor.start("engine", move |token| {
            let engine = engine.clone();
            async move { engine.run(token).await }
        });
        // The first start puts the cursor behind what is there; wait until it has.
        for _ in 0..10_000 {
            let ready = self
                .journal
                .transact(|tx| tx.cursor(tradewind_engine::engine::CONSUMER))
                .await
                .unwrap();
            if ready.is_some() {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("the engine did not start");
    }

    pub(crate) async fn emit<P: Payload>(&self, body: &P, subject: &str) -> Seq {
        let draft = Draft::new(self.clock.now(), body).unwrap();
        self.journal
            .append(draft.about(subject).in_repository(repository()))
            .await
            .unwrap()
    }

    pub(crate) async fn commit(&self, title: &str) -> Seq {
        self.emit(&commit_body(title), "main").await
    }

    pub(crate) async fn push(&self, branch: &str) -> Seq {
        let body = BranchUpdated {
            branch: branch.into(),
            from: "a".into(),
            to: "b".into(),
            commits: 1,
        };
        self.emit(&body, branch).await
    }

    /// Moves the clock and lets the engine look at it.
    pub(crate) fn pass(&self, seconds: i64) {
        self.clock
            .set(self.clock.now() + SignedDuration::from_secs(seconds));
        self.engine.kick();
    }

    /// Waits until `count` events of a kind are there, and returns them.
    pub(crate) async fn wait(&self, kind: EventKind, count: usize) -> Vec<Event> {
        let all = async {
            let mut follow = self.journal.follow(Seq::ZERO);
            let mut found = Vec::new();
            while found.len() < count {
                let events = follow.next().await.unwrap();
                found.extend(events.into_iter().filter(|event| event.kind == kind));
            }
            found
        };
        let found = tokio::time::timeout(Duration::from_secs(20), all).await;
        found.unwrap_or_else(|_| {
            panic!(
                "{count} of {kind} did not come; there are {:#?}",
                self.told()
            )
        })
    }

    pub(crate) fn events(&self, kind: EventKind) -> Vec<Event> {
        let filter = Filter {
            kinds: vec![kind],
            limit: 10_000,
            ..Filter::default()
        };
        self.journal.reader().unwrap().select(&filter).unwrap()
    }

    /// Waits until the engine has looked at everything and nothing waits or runs.
    pub(crate) async fn settle(&self) {
        let rest = async {
            let mut looked = self.engine.looked();
            loop {
                let last = self.journal.last();
                looked.wait_for(|seq| *seq >= last).await.unwrap();
                let waiting = self
                    .journal
                    .reader()
                    .unwrap()
                    .query(
                        "SELECT 1 FROM engine_requests WHERE state <> 'done'",
                        [],
                        |_| Ok(()),
                    )
                    .unwrap();
                if waiting.is_empty() && self.journal.last() == last {
                    return;
                }
                self.engine.kick();
                tokio::task::yield_now().await;
            }
        };
        if tokio::time::timeout(Duration::from_secs(20), rest)
            .await
            .is_err()
        {
            panic!("no rest: {:#?}", self.told());
        }
    }

    pub(crate) fn told(&self) -> Vec<String> {
        self.journal
            .reader()
            .unwrap()
            .after(Seq::ZERO, 10_000)
            .unwrap()
            .iter()
            .map(|event| {
                let data = event.data.as_ref().map_or("", |data| data.get());
                format!(
                    "{} {} cause {:?} {data}",
                    event.seq, event.kind, event.cause
                )
            })
            .collect()
    }
}

pub(crate) fn start() -> Timestamp {
    START.parse().unwrap()
}

pub(crate) fn commit_body(title: &str) -> CommitCreated {
    CommitCreated {
        id: "c0ffee".into(),
        parents: Vec::new(),
        author: "A".into(),
        authored_at: start(),
        committed_at: start(),
        title: title.into(),
        reference: Some("refs/heads/main".into()),
        files_changed: Some(1),
    }
}

pub(crate) fn body(event: &Event) -> Value {
    serde_json::from_str(event.data.as_ref().unwrap().get()).unwrap()
}

/// A store of preimages over a folder, without an engine around it.
pub(crate) struct Bench {
    pub(crate) dir: TempDir,
    pub(crate) journal: Journal,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) faults: Faults,
    pub(crate) undo: Undo,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("repo")).unwrap();
        let clock = Arc::new(FixedClock::at(start()));
        let state = dir.path().join("state");
        let options = Options::new(&state, clock.clone() as Arc<dyn Clock>);
        // The crashes here are of the process's own making, so nothing has to reach the disk.
        let journal = Journal::open_without_flushing(options).unwrap();
        let faults = Faults::counting();
        let undo = Undo::open_with_faults(
            journal.clone(),
            clock.clone(),
            &state,
            scan(),
            faults.clone(),
        )
        .unwrap();
        Self {
            dir,
            journal,
            clock,
            faults,
            undo,
        }
    }

    pub(crate) fn repo(&self) -> PathBuf {
        self.dir.path().join("repo")
    }

    pub(crate) fn which(&self) -> Which {
        Which {
            repository: repository(),
            path: self.repo(),
            seq: None,
            dry_run: false,
        }
    }

    /// Runs `change` as an action that may write `paths`; returns the operation.
    pub(crate) async fn act(&self, paths: &[&str], change: impl FnOnce(&Path)) -> String {
        let writes = tradewind_engine::action::Writes {
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
            ..Default::default()
        };
        self.act_with(writes, change).await
    }

    pub(crate) async fn act_with(
        &self,
        writes: tradewind_engine::action::Writes,
        change: impl FnOnce(&Path),
    ) -> String {
        let request = self
            .journal
            .append(Draft::new(self.clock.now(), &commit_body("x")).unwrap())
            .await
            .unwrap();
        let capture = tradewind_engine::undo::Capture {
            repository: repository(),
            path: self.repo(),
            request,
            writes,
        };
        let id = self.undo.capture(capture).await.unwrap();
        change(&self.repo());
        self.undo.seal(&id).await.unwrap();
        id
    }
}

/// Runs git in a repository of a test; any command.
pub(crate) fn git(dir: &Path, args: &[&str]) -> String {
    let git = Git::discover().unwrap();
    let who = [
        ("GIT_AUTHOR_NAME", "A"),
        ("GIT_AUTHOR_EMAIL", "a@example.com"),
        ("GIT_COMMITTER_NAME", "A"),
        ("GIT_COMMITTER_EMAIL", "a@example.com"),
        ("GIT_AUTHOR_DATE", "2026-01-05T09:00:00Z"),
        ("GIT_COMMITTER_DATE", "2026-01-05T09:00:00Z"),
    ];
    let output = git.porcelain(dir, args, Vec::new(), &who).unwrap();
    String::from_utf8(output).unwrap().trim_end().to_owned()
}
