//! What a start does with requests that the last run left without an outcome.
//!
//! Waiting: nothing was done yet, they run. Started: the action says whether it is run again by its
//! key or abandoned; what it had done is recorded as it is now, so that it can be undone. Queued:
//! the outbox goes on by itself. Actions that still run in this process are left alone.

use std::sync::Arc;

use tradewind_core::Seq;
use tradewind_core::payload::ActionRequested;

use super::{Engine, EngineError, Shared, dispatch};
use crate::action::OnRestart;
use crate::store;

/// Upper bound on actions that can have been running: far more than ever run at once.
const MAX_STARTED: u32 = 4_096;

impl Engine {
    /// Finds requests without an outcome and settles those that will never get one.
    ///
    /// [`run`](Self::run) does this first; a command that holds the store's lock may do it alone.
    ///
    /// # Errors
    /// [`EngineError::Write`] when the journal refuses.
    pub async fn reconcile(&self) -> Result<(), EngineError> {
        self.shared.reconcile().await
    }
}

impl Shared {
    pub(super) async fn reconcile(self: &Arc<Self>) -> Result<(), EngineError> {
        let rows = self.parts.journal.transact(|tx| {
            let mut found = Vec::new();
            for row in store::requests_in(tx, "started", MAX_STARTED)? {
                let body = tx
                    .get(row.seq)?
                    .and_then(|event| event.payload::<ActionRequested>().ok());
                found.push((row, body.map(|body| body.action)));
            }
            Ok(found)
        });
        for (row, action) in rows.await? {
            if self.is_running(row.seq) {
                continue;
            }
            let action = action.and_then(|name| self.parts.actions.action(&name));
            let on_restart = action.map_or(OnRestart::Abandon, |action| action.on_restart());
            if on_restart == OnRestart::Abandon
                && let Some(operation) = &row.operation
                && let Err(error) = self.undo.seal(operation).await
            {
                tracing::warn!(operation, %error, "postimages of an abandoned action were not saved");
            }
            self.parts
                .journal
                .transact(move |tx| match on_restart {
                    OnRestart::Resume => store::mark_waiting(tx, row.seq),
                    OnRestart::Abandon => dispatch::abandon(
                        tx,
                        &row,
                        "Tradewind ended while it ran; how far it got is not known.".to_owned(),
                    ),
                })
                .await?;
        }
        Ok(())
    }

    fn is_running(&self, request: Seq) -> bool {
        self.lock()
            .running
            .values()
            .any(|running| running.request == request)
    }
}
