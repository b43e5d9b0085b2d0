//! Notices that the wall clock jumped or that the machine slept.
//!
//! Why: quotas, schedules and ages are in wall time. The monotonic clock does not jump; when the two
//! disagree by more than [`TOLERANCE_MS`] since the last look, an event says by how much. A suspended machine looks
//! like a forward step, because the monotonic clock stands still meanwhile (Linux), or like nothing where it does not.

use std::time::Duration;

use tokio::time::Instant;
use tradewind_core::Draft;
use tradewind_core::payload::ClockStepped;
use tradewind_engine::Supervisor;

use super::hub::Hub;

/// How often the clocks are compared.
const INTERVAL: Duration = Duration::from_secs(10);
/// Smaller differences are ordinary adjustments.
const TOLERANCE_MS: i64 = 2_000;

/// Starts the comparison.
pub(crate) fn watch(supervisor: &Supervisor, hub: Hub) {
    supervisor.start("clock", move |token| {
        let hub = hub.clone();
        async move {
            let (mut wall, mut steady) = (hub.now(), Instant::now());
            loop {
                tokio::select! {
                    // Cancel-safe: both only wait.
                    () = token.cancelled() => return Ok::<_, String>(()),
                    () = tokio::time::sleep(INTERVAL) => {}
                }
                let (now, later) = (hub.now(), Instant::now());
                let passed = i64::try_from((later - steady).as_millis()).unwrap_or(i64::MAX);
                let step_ms = now.duration_since(wall).as_millis() - i128::from(passed);
                let step_ms = i64::try_from(step_ms).unwrap_or(i64::MAX);
                (wall, steady) = (now, later);
                if step_ms.abs() > TOLERANCE_MS {
                    let draft =
                        Draft::new(now, &ClockStepped { step_ms }).map_err(|e| e.to_string())?;
                    hub.journal()
                        .append(draft)
                        .await
                        .map_err(|e| e.to_string())?;
                }
            }
        }
    });
}
