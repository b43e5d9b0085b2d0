//! Keeps the state directory from growing for ever: once a day, old events and old undo material go.
//!
//! When it acts: five minutes after the start, then daily. Bounds: events for [`MAX_AGE`] and
//! [`MAX_BYTES`], of which the newest [`KEEP_LAST`] always stay; undo material as `[engine.undo]` says.
//! `tradewind prune` does the same with other bounds, at once.

use std::time::Duration;

use tradewind_engine::Supervisor;

use crate::control::{self, Command, Controls};

/// Events older than this go.
const MAX_AGE: Duration = Duration::from_hours(9600);
/// The oldest events go when the store is larger.
const MAX_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// So many of the newest events stay in any case.
const KEEP_LAST: u64 = 10_000;
const FIRST: Duration = Duration::from_mins(5);
const INTERVAL: Duration = Duration::from_hours(24);

/// Starts the daily round.
pub(crate) fn start(supervisor: &Supervisor, controls: Controls) {
    supervisor.start("housekeeping", move |token| {
        let controls = controls.clone();
        async move {
            let mut pause = FIRST;
            loop {
                tokio::select! {
                    // Cancel-safe: both only wait.
                    () = token.cancelled() => return Ok::<_, String>(()),
                    () = tokio::time::sleep(pause) => {}
                }
                pause = INTERVAL;
                let command = Command::Prune {
                    max_age: Some(MAX_AGE),
                    max_bytes: Some(MAX_BYTES),
                    keep_last: KEEP_LAST,
                };
                control::execute(&controls, command)
                    .await
                    .map_err(|failure| failure.what)?;
            }
        }
    });
}
