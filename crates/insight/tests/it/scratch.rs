//! A repository in a temporary folder, built step by step by real git.

use std::path::{Path, PathBuf};

use tradewind_host::git::Git;

/// When the first commit is made: 2026-01-05 09:00 UTC, a Monday. Each further one comes an hour later.
const FIRST_COMMIT: i64 = 1_767_603_600;

pub(crate) struct Scratch {
    _folder: tempfile::TempDir,
    pub(crate) git: Git,
    pub(crate) top: PathBuf,
    pub(crate) author: (String, String),
    seconds: i64,
}

impl Scratch {
    /// Makes an empty repository whose branch is `main`.
    pub(crate) fn new(git: &Git) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let top = std::fs::canonicalize(folder.path()).unwrap().join("r");
        std::fs::create_dir(&top).unwrap();
        let scratch = Self {
            _folder: folder,
            git: git.clone(),
            top,
            author: ("Owner".to_owned(), "owner@example.invalid".to_owned()),
            seconds: FIRST_COMMIT,
        };
        scratch.run(&["init", "-q", "-b", "main", "--template="]);
        scratch
    }

    pub(crate) fn run(&self, args: &[&str]) -> String {
        let date = format!("{} +0000", self.seconds);
        let env = [
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_SYSTEM", "/dev/null"),
            ("GIT_AUTHOR_NAME", self.author.0.as_str()),
            ("GIT_AUTHOR_EMAIL", self.author.1.as_str()),
            ("GIT_AUTHOR_DATE", &date),
            ("GIT_COMMITTER_NAME", self.author.0.as_str()),
            ("GIT_COMMITTER_EMAIL", self.author.1.as_str()),
            ("GIT_COMMITTER_DATE", &date),
        ];
        let output = self.git.porcelain(&self.top, args, Vec::new(), &env);
        let output = output.unwrap_or_else(|error| panic!("git {args:?}: {error:?}"));
        String::from_utf8_lossy(&output).trim_end().to_owned()
    }

    pub(crate) fn write(&self, path: &str, content: &[u8]) {
        assert!(
            !Path::new(path).is_absolute() && !path.split('/').any(|part| part == ".."),
            "{path} leads out of the repository"
        );
        let path = self.top.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub(crate) fn remove(&self, path: &str) {
        let full = self.top.join(path);
        let removed = if full.is_dir() {
            std::fs::remove_dir_all(&full)
        } else {
            std::fs::remove_file(&full)
        };
        removed.unwrap_or_else(|error| panic!("delete {path}: {error}"));
    }

    /// Commits everything that is not ignored, an hour after the commit before.
    pub(crate) fn commit(&mut self, message: &str) {
        self.run(&["add", "-A"]);
        self.run(&[
            "commit",
            "-q",
            "--allow-empty",
            "--allow-empty-message",
            "--cleanup=verbatim",
            "-m",
            message,
        ]);
        self.pass(1);
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, hours: i64) {
        self.seconds += 3_600 * hours;
    }

    /// Lets the next commit come so many minutes after the one before, not an hour.
    pub(crate) fn hasten(&mut self, minutes: i64) {
        self.seconds += 60 * minutes - 3_600;
    }
}
