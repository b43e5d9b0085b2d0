//! Why changes were neither planned nor committed.

use std::path::PathBuf;

use tradewind_core::Recovery;
use tradewind_host::git::GitError;
use tradewind_repo::odb::ObjectError;
use tradewind_repo::trees::TreeError;
use tradewind_repo::{Oid, RepoError};

/// Why changes were neither planned nor committed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// The repository gives no answer.
    #[error("the repository cannot be read")]
    Repo(#[from] RepoError),
    /// Git gives no answer.
    #[error("git does not answer")]
    Git(#[from] GitError),
    /// Trees cannot be compared.
    #[error("what changed cannot be found out")]
    Tree(#[from] TreeError),
    /// An object cannot be read.
    #[error("a content cannot be read")]
    Object(#[from] ObjectError),
    /// There is no work tree.
    #[error("a bare repository has no work tree, so there is nothing to commit")]
    Bare,
    /// Paths are in conflict.
    #[error("{count} paths are in conflict, among them {first}")]
    Conflicts {
        /// How many.
        count: usize,
        /// One of them.
        first: String,
    },
    /// More than can be looked at together.
    #[error("{count} paths changed, more than {most} are not planned at once")]
    TooMany {
        /// How many.
        count: usize,
        /// The bound.
        most: usize,
    },
    /// A path named on the command line is not in the repository.
    #[error("{path} is outside of the repository")]
    Outside {
        /// The path.
        path: String,
    },
    /// Git said something else than it says.
    #[error("git {command} answered {text:?}")]
    Answer {
        /// The command.
        command: &'static str,
        /// What it said.
        text: String,
    },
    /// A content that git named is not there.
    #[error("object {id} is not in this repository (a partial clone?)")]
    Missing {
        /// The object.
        id: Oid,
    },
    /// A private file cannot be written or read.
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

impl ChangeError {
    pub(super) fn io(
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }

    /// Says what a caller may usefully do next.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Repo(source) => source.recovery(),
            Self::Git(source) => source.recovery(),
            Self::Io { .. } => Recovery::Retry,
            Self::Answer { .. } => Recovery::GiveUp,
            Self::Tree(_)
            | Self::Object(_)
            | Self::Bare
            | Self::Conflicts { .. }
            | Self::TooMany { .. }
            | Self::Outside { .. }
            | Self::Missing { .. } => Recovery::Fix,
        }
    }
}
