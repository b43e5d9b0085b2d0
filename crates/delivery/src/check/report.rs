//! What came of checks, and who is told meanwhile.

use std::time::Duration;

use tradewind_repo::Oid;

use super::config::Kind;
use super::coverage::Coverage;
use super::junit::Tests;
use super::plan::Planned;

/// How a check ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It ran, and all is as it should be.
    Passed,
    /// It passed before on the same inputs.
    Cached,
    /// It ran, and something is not as it should be.
    Failed {
        /// Its exit code; 128 and the signal's number where a signal ended it.
        exit_code: i32,
    },
    /// It took too long and was ended.
    TimedOut {
        /// The time that it had.
        limit: Duration,
    },
    /// It was not run.
    Skipped {
        /// Why, as a clause.
        because: String,
        /// Whether that speaks against the tree: a check that it needs did not pass.
        is_failure: bool,
    },
    /// It cannot be run here.
    Broken {
        /// Why, as a clause.
        why: String,
        /// The command that helps; empty where there is none to name.
        next: String,
    },
    /// The run was ended from outside before it was over.
    Cancelled,
}

impl Verdict {
    /// Says whether nothing speaks against the tree.
    pub fn is_passed(&self) -> bool {
        match self {
            Self::Passed | Self::Cached => true,
            Self::Skipped { is_failure, .. } => !is_failure,
            Self::Failed { .. } | Self::TimedOut { .. } | Self::Broken { .. } | Self::Cancelled => {
                false
            }
        }
    }

    /// Returns one word, for programs.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Cached => "cached",
            Self::Failed { .. } => "failed",
            Self::TimedOut { .. } => "timed_out",
            Self::Skipped { .. } => "skipped",
            Self::Broken { .. } => "broken",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What came of one check.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// What was run, as a shell would read it.
    pub command: String,
    /// How it ended.
    pub verdict: Verdict,
    /// How long it ran.
    pub elapsed: Duration,
    /// What it said, both streams as they came; the middle of very much is left out, and that is said.
    pub output: String,
    /// Its tests, where it told of them.
    pub tests: Option<Tests>,
    /// Its coverage, where it told of it.
    pub coverage: Option<Coverage>,
    /// Why it ran, or why it did not have to, as a clause.
    pub why: String,
    /// What else is to be told.
    pub remarks: Vec<String>,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// The commit that was checked; `None` for a tree that is none's.
    pub commit: Option<Oid>,
    /// Name of everything that was checked: same name, same files.
    pub tree: String,
    /// The checks, in the plan's sequence.
    pub checks: Vec<Checked>,
    /// What else is to be told.
    pub remarks: Vec<String>,
    /// How long it took.
    pub elapsed: Duration,
    /// Whether it was ended from outside.
    pub is_cancelled: bool,
}

impl Report {
    /// Says whether nothing speaks against the tree.
    pub fn is_passed(&self) -> bool {
        !self.is_cancelled && self.checks.iter().all(|check| check.verdict.is_passed())
    }
}

/// Is told what happens while checks run.
pub trait Observer: Send {
    /// A check begins.
    fn started(&mut self, _check: &Planned) {}

    /// A check wrote something.
    fn output(&mut self, _check: &Planned, _bytes: &[u8]) {}

    /// A check is over, or is not run.
    fn ended(&mut self, _checked: &Checked) {}
}

/// Listens to nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {}
