//! Failures as a person reads them: what, why, the next command, and an exit code.
//!
//! Why: every room has small typed errors; here at the edge each becomes one report. The exit codes
//! are public: 0 done, 1 found something, 2 wrong usage, 3 wrong configuration, 4 daemon not
//! reachable, 5 the outside world failed, 70 a bug in Tradewind.
//! Not here: writing to the terminal ([`crate::terminal`]).

use std::error::Error;

use serde::{Deserialize, Serialize};

/// How a command ended, as the shell sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Exit {
    /// All done.
    Done = 0,
    /// A check found something.
    Found = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The configuration is wrong.
    Config = 3,
    /// The daemon is not reachable.
    Daemon = 4,
    /// The outside world failed: disk, network, git.
    Outside = 5,
    /// A bug in Tradewind.
    Bug = 70,
}

/// A command that did not do what it was asked.
///
/// Travels from the daemon to the command line as JSON, hence the plain texts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    /// What the shell gets.
    pub(crate) exit: Exit,
    /// What went wrong, in one sentence without a full stop.
    pub(crate) what: String,
    /// Why, outermost cause first.
    pub(crate) why: Vec<String>,
    /// What to do next, usually a command.
    pub(crate) hint: Option<String>,
}

impl Failure {
    /// Reports `what` without a further cause.
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self {
            exit,
            what: what.into(),
            why: Vec::new(),
            hint: None,
        }
    }

    /// Reports `error` with its chain of causes.
    pub(crate) fn from_error(exit: Exit, error: &dyn Error) -> Self {
        let mut failure = Self::new(exit, error.to_string());
        failure.why_from(error);
        failure
    }

    /// Reports `what`, because of `error`.
    pub(crate) fn because(exit: Exit, what: impl Into<String>, error: &dyn Error) -> Self {
        let mut failure = Self::new(exit, what);
        failure.why.push(error.to_string());
        failure.why_from(error);
        failure
    }

    /// Adds what to do next.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn why_from(&mut self, error: &dyn Error) {
        let mut cause = error.source();
        while let Some(error) = cause {
            let text = error.to_string();
            // Libraries often repeat their source's text; saying it twice helps nobody.
            if self.why.last() != Some(&text) {
                self.why.push(text);
            }
            cause = error.source();
        }
    }
}

/// What commands return.
pub(crate) type Outcome = Result<Exit, Failure>;
