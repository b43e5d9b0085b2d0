//! Why the engine cannot go on.
//!
//! Not here: why an action failed (that is an event), what is wrong with a configuration
//! ([`crate::document::ConfigMistake`]), why an undo is refused ([`crate::undo::UndoError`]).

use tradewind_core::Recovery;
use tradewind_journal::{ReadError, TxError};

use crate::undo::UndoError;

/// Why the engine, or something asked of it, had no effect.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The journal refused to write.
    #[error(transparent)]
    Write(#[from] TxError),
    /// The journal cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The store of preimages cannot be used.
    #[error(transparent)]
    Undo(#[from] UndoError),
    /// The engine runs already in this process.
    #[error("engine runs already")]
    Running,
    /// A task that reads for the engine ended: a bug, or the runtime is shutting down.
    #[error("reading task ended")]
    Lost,
}

impl EngineError {
    /// Says what a caller may usefully do next.
    pub fn recovery(&self) -> Recovery {
        match self {
            Self::Write(error) => error.recovery(),
            Self::Read(error) => error.recovery(),
            Self::Undo(error) => error.recovery(),
            Self::Running | Self::Lost => Recovery::GiveUp,
        }
    }
}
