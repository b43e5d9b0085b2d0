//! Why checks could not be run.

use std::path::PathBuf;

use tradewind_core::Recovery;

use crate::hook::HookError;

/// Why checks could not be run. No check was judged then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The tree cannot be read, or no copy of it made.
    #[error("a clean copy of the tree cannot be made")]
    Copy(#[from] HookError),
    /// No check of that name.
    #[error("no check `{name}`; there are {known}")]
    NoSuchCheck {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// A check needs one that is not there, or itself.
    #[error("check `{name}` cannot be put in sequence: {why}")]
    Graph {
        /// The check.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// A file of ours cannot be read or written.
    #[error("cannot {what} {}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

impl CheckError {
    pub(crate) fn io(
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }

    /// Says what a caller may usefully do next.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Copy(source) => source.recovery(),
            Self::Io { .. } => Recovery::Retry,
            Self::NoSuchCheck { .. } | Self::Graph { .. } => Recovery::Fix,
        }
    }
}
