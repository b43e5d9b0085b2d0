//! Why a question about a repository has no answer.

use std::io;
use std::path::{Path, PathBuf};

use tradewind_core::{DraftError, Recovery};
use tradewind_host::files::FileError;
use tradewind_host::git::GitError;
use tradewind_host::random::RandomError;

/// Why a question about a repository has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RepoError {
    /// No repository at the path or above it, or one that git refuses to read.
    #[error("{} is not in a git repository", path.display())]
    NotARepository {
        /// The path.
        path: PathBuf,
        /// What git said; it names `safe.directory` when the owner is somebody else.
        #[source]
        source: GitError,
    },
    /// The repository was there and is not any more, or only in parts.
    #[error("repository at {} is gone", path.display())]
    Gone {
        /// Its git directory.
        path: PathBuf,
    },
    /// Git gave no answer.
    #[error("git does not answer")]
    Git(#[from] GitError),
    /// Git's answer has another shape than documented.
    #[error("git {command} answered in an unknown form: {text:?}")]
    Answer {
        /// The command.
        command: &'static str,
        /// The start of the answer.
        text: String,
    },
    /// The index makes no sense.
    #[error("what is staged cannot be read")]
    Index(#[from] crate::index::IndexError),
    /// A file of the repository cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file cannot be read or written within its bounds.
    #[error("the repository's identity cannot be kept")]
    File(#[from] FileError),
    /// The identity file holds something else than an identity.
    #[error("{} does not hold a repository id; delete it to get a new one", path.display())]
    BadIdentity {
        /// The file.
        path: PathBuf,
    },
    /// No randomness for a new identity.
    #[error("no identity can be made")]
    Random(#[from] RandomError),
    /// An event's body cannot be built.
    #[error("event cannot be built")]
    Draft(#[from] DraftError),
}

impl RepoError {
    pub(crate) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Read { path, source }
    }

    /// Says what a caller may usefully do next.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Git(source) => source.recovery(),
            Self::File(source) => source.recovery(),
            Self::NotARepository { .. }
            | Self::Index(_)
            | Self::Read { .. }
            | Self::BadIdentity { .. }
            | Self::Random(_) => Recovery::Fix,
            Self::Gone { .. } | Self::Answer { .. } | Self::Draft(_) => Recovery::GiveUp,
        }
    }
}
