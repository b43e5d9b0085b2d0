//! A repository in a temporary folder, and a journal that drops what it has already.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use tradewind_core::{Draft, EventKind, RepositoryId, Seq, mark};
use tradewind_host::git::Git;
use tradewind_repo::refs::{Maker, RefsView};
use tradewind_repo::{Location, changes};

pub(crate) const ID: RepositoryId = RepositoryId::from_bytes([7; 16]);

pub(crate) struct Scratch {
    folder: tempfile::TempDir,
    pub(crate) git: Git,
    pub(crate) top: PathBuf,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        Self::with_init(&[])
    }

    pub(crate) fn with_init(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let git = Git::discover().unwrap();
        let top = std::fs::canonicalize(folder.path()).unwrap().join("r");
        std::fs::create_dir(&top).unwrap();
        let scratch = Self { folder, git, top };
        let args: Vec<_> = ["init", "-q", "-b", "main"]
            .iter()
            .chain(options)
            .copied()
            .collect();
        scratch.run(&args);
        scratch
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn run(&self, args: &[&str]) -> String {
        self.try_run(args)
            .unwrap_or_else(|error| panic!("{args:?}: {error}"))
    }

    pub(crate) fn try_run(&self, args: &[&str]) -> Result<String, tradewind_host::git::GitError> {
        self.run_in(&self.top, args)
    }

    pub(crate) fn run_in(
        &self,
        dir: &Path,
        args: &[&str],
    ) -> Result<String, tradewind_host::git::GitError> {
        self.run_with(dir, args, &[])
    }

    /// Runs git as the action of `request` would.
    pub(crate) fn run_marked(&self, request: Seq, args: &[&str]) -> String {
        let mark = mark::of_request(request);
        self.run_with(&self.top, args, &[("GIT_REFLOG_ACTION", &mark)])
            .unwrap_or_else(|error| panic!("{args:?}: {error}"))
    }

    pub(crate) fn run_with(
        &self,
        dir: &Path,
        args: &[&str],
        more: &[(&str, &str)],
    ) -> Result<String, tradewind_host::git::GitError> {
        let mut env = vec![
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_SYSTEM", "/dev/null"),
            ("GIT_AUTHOR_NAME", "A"),
            ("GIT_AUTHOR_EMAIL", "a@b"),
            ("GIT_COMMITTER_NAME", "C"),
            ("GIT_COMMITTER_EMAIL", "c@d"),
        ];
        env.extend(more);
        let output = self.git.porcelain(dir, args, Vec::new(), &env)?;
        Ok(String::from_utf8_lossy(&output).trim_end().to_owned())
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.top.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Commits without touching the work tree; returns the object id.
    pub(crate) fn commit(&self, title: &str) -> String {
        self.run(&[
            "commit",
            "-q",
            "--allow-empty",
            "--allow-empty-message",
            "-m",
            title,
        ]);
        self.run(&["rev-parse", "HEAD"])
    }

    pub(crate) fn location(&self) -> Location {
        Location::find(&self.git, &self.top).unwrap()
    }

    pub(crate) fn watch(&self) -> Watched {
        let location = self.location();
        let view = RefsView::read(&self.git, &location).unwrap();
        Watched {
            location,
            view,
            git: self.git.clone(),
            keys: BTreeSet::new(),
            events: Vec::new(),
            makers: Vec::new(),
        }
    }
}

/// What the daemon keeps: the last view, and a journal that drops second drafts of one key.
pub(crate) struct Watched {
    pub(crate) location: Location,
    pub(crate) view: RefsView,
    git: Git,
    keys: BTreeSet<String>,
    pub(crate) events: Vec<Draft>,
    pub(crate) makers: Vec<(EventKind, Maker)>,
}

impl Watched {
    /// Looks again and returns what was journaled now, as `kind subject`.
    pub(crate) fn look(&mut self) -> Vec<String> {
        self.look_for_problems();
        self.events
            .iter()
            .map(|event| format!("{} {}", event.kind, event.subject))
            .collect()
    }

    pub(crate) fn look_for_problems(&mut self) -> Vec<String> {
        let after = self.view.look_again(&self.git, &self.location).unwrap();
        // What is kept between runs must be enough to go on from.
        let text = serde_json::to_string(&after).unwrap();
        let after: RefsView = serde_json::from_str(&text).unwrap();
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let found =
            changes::between(&self.git, &self.location, ID, &self.view, &after, now).unwrap();
        for changes::Found { draft, maker } in found.found {
            self.makers.push((draft.kind, maker));
            if draft
                .key
                .as_ref()
                .is_none_or(|key| self.keys.insert(key.clone()))
            {
                self.events.push(draft);
            }
        }
        self.view = after;
        found.problems
    }

    pub(crate) fn take(&mut self) -> Vec<Draft> {
        self.look();
        std::mem::take(&mut self.events)
    }

    pub(crate) fn commits(&self) -> Vec<String> {
        let commits = self
            .events
            .iter()
            .filter(|e| e.kind == EventKind::RepoCommitCreated);
        commits.map(|event| event.subject.clone()).collect()
    }
}

/// Reads a draft's body.
pub(crate) fn body(draft: &Draft) -> BTreeMap<String, serde_json::Value> {
    serde_json::from_str(draft.data.get()).unwrap()
}
