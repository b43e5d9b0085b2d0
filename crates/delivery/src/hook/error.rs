//! Why hooks could not be run.

use std::path::PathBuf;

use tradewind_core::Recovery;
use tradewind_host::files::FileError;
use tradewind_host::git::GitError;
use tradewind_host::process::ProcessError;
use tradewind_repo::RepoError;
use tradewind_repo::odb::ObjectError;
use tradewind_repo::trees::TreeError;

use crate::precommit::{ConfigError, PatternError};

/// Why hooks could not be run. Nothing in the work tree or the index was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HookError {
    /// The repository gives no answer.
    #[error("the repository cannot be read")]
    Repo(#[from] RepoError),
    /// Git gives no answer.
    #[error("git does not answer")]
    Git(#[from] GitError),
    /// An object cannot be read.
    #[error("what is staged cannot be read")]
    Object(#[from] ObjectError),
    /// Trees cannot be compared.
    #[error("what changed cannot be found out")]
    Tree(#[from] TreeError),
    /// The configuration has mistakes.
    #[error("{} has mistakes", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// Which.
        #[source]
        source: ConfigError,
    },
    /// A pattern of the configuration cannot be applied.
    #[error("a pattern of the configuration cannot be applied")]
    Pattern(#[from] PatternError),
    /// The configuration that was named is not there.
    #[error("{} is not there", path.display())]
    NoConfig {
        /// The file.
        path: PathBuf,
    },
    /// The configuration differs from what is staged of it.
    #[error(
        "{name} has changes that are not staged, so what would run is not what would be committed"
    )]
    ConfigNotStaged {
        /// The file, relative to the root.
        name: String,
    },
    /// No hook of that id or alias.
    #[error("no hook {id:?} for this stage in the configuration; there are {known}")]
    NoSuchHook {
        /// What was asked for.
        id: String,
        /// What there is.
        known: String,
    },
    /// A file cannot be read or written.
    #[error("a file cannot be read or written")]
    File(#[from] FileError),
    /// The snapshot cannot be made.
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
    /// A program cannot be run.
    #[error("a program cannot be run")]
    Process(#[from] ProcessError),
    /// The repository has no work tree.
    #[error("{} is a bare repository: nothing is staged in it", path.display())]
    Bare {
        /// Where it lies.
        path: PathBuf,
    },
    /// A commit named on the command line is not there.
    #[error("{name:?} names no commit of this repository")]
    NoSuchCommit {
        /// The name.
        name: String,
    },
}

impl HookError {
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
            Self::Repo(source) => source.recovery(),
            Self::Git(source) => source.recovery(),
            Self::File(source) => source.recovery(),
            Self::Process(source) => source.recovery(),
            Self::Io { .. } => Recovery::Retry,
            Self::Object(_)
            | Self::Tree(_)
            | Self::Config { .. }
            | Self::Pattern(_)
            | Self::NoConfig { .. }
            | Self::ConfigNotStaged { .. }
            | Self::NoSuchHook { .. }
            | Self::Bare { .. }
            | Self::NoSuchCommit { .. } => Recovery::Fix,
        }
    }
}
