//! What the tests share: a state directory of their own, a clock that stands still, small drafts.

use std::sync::Arc;

use jiff::Timestamp;
use tempfile::TempDir;
use tradewind_core::clock::FixedClock;
use tradewind_core::{Draft, EventKind};
use tradewind_journal::{Journal, Options};

/// Where every test's clock starts.
pub(crate) const START: i64 = 1_700_000_000;

/// A state directory and the clock of the journal in it.
pub(crate) struct Place {
    pub(crate) dir: TempDir,
    pub(crate) clock: Arc<FixedClock>,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            clock: Arc::new(FixedClock::at(at(0))),
        }
    }

    pub(crate) fn options(&self) -> Options {
        Options::new(self.dir.path(), Arc::clone(&self.clock) as _)
    }

    pub(crate) fn open(&self) -> Journal {
        Journal::open(self.options()).unwrap()
    }
}

/// Returns the time `seconds` after the start.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(START + seconds).unwrap()
}

/// Returns a draft with a body of its own.
pub(crate) fn draft(text: &str) -> Draft {
    Draft::raw(
        EventKind::RepoWorktreeChanged,
        at(0),
        &serde_json::json!({ "text": text }),
    )
    .unwrap()
}

/// Returns a runtime of two threads.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}
