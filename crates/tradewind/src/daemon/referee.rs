//! Asks some of what is known of hooks again, while nobody waits for it.
//!
//! When it acts: half an hour after the start, then every six hours, in each repository in which no operation of git is under
//! way and in which something is known of programs of others; those run with the lowest priority. It starts nothing that a
//! run of hooks did not start before in the same form (see `hook::referee` of room `delivery`). What did not hold is journaled.
//! What `up` finds depends on its environment: started with other variables than the user's terminal, little is known to it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tradewind_delivery::hook::referee::{Reviewed, Share, review};
use tradewind_delivery::hook::{Cancel, Request, Scope};
use tradewind_delivery::precommit::Stage;
use tradewind_engine::Supervisor;
use tradewind_host::{dirs, random};
use tradewind_repo::{Location, operation_in_progress};

use crate::cli::hook::referee::refuted_event;
use crate::control::{self, Command, Controls};
use crate::{repositories, wire};

const FIRST: Duration = Duration::from_mins(30);
const INTERVAL: Duration = Duration::from_hours(6);

/// Starts the round.
pub(crate) fn start(supervisor: &Supervisor, controls: Controls) {
    supervisor.start("referee of hooks", move |token| {
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
                let cancel = Arc::new(Cancel::default());
                tokio::select! {
                    // Cancel-safe: programs are ended; what was asked by then counts for nothing.
                    () = token.cancelled() => {
                        cancel.cancel();
                        return Ok(());
                    }
                    done = round(&controls, &cancel) => done?,
                }
            }
        }
    });
}

async fn round(controls: &Controls, cancel: &Arc<Cancel>) -> Result<(), String> {
    let Ok(cache) = dirs::cache_dir() else {
        return Ok(());
    };
    let reader = controls
        .journal()
        .reader()
        .map_err(|error| error.to_string())?;
    let all = repositories::all(&reader).map_err(|error| error.to_string())?;
    drop(reader);
    for watched in all.into_iter().filter(|watched| watched.problem.is_none()) {
        let (cancel, cache) = (Arc::clone(cancel), cache.join("hooks"));
        let (git, path) = (controls.git().clone(), watched.path);
        let looked = tokio::task::spawn_blocking(move || {
            let location = Location::find(&git, &path).ok()?;
            if operation_in_progress(&location).is_some() {
                return None;
            }
            look(&path, &cache, &cancel)
        });
        let looked = looked.await.map_err(|error| error.to_string())?;
        for one in looked.into_iter().flat_map(|reviewed| reviewed.refuted) {
            let command = Command::RecordRefuted {
                repository: watched.id,
                refuted: refuted_event(&one),
            };
            control::execute(controls, command)
                .await
                .map_err(|failure| failure.what)?;
        }
    }
    Ok(())
}

/// Asks again in one repository; what goes wrong there is for whoever runs its hooks to see.
fn look(dir: &Path, cache: &Path, cancel: &Cancel) -> Option<Reviewed> {
    let seed = random::bytes().ok().map(u64::from_le_bytes)?;
    let request = Request {
        dir,
        stage: Stage::PreCommit,
        scope: Scope::All,
        config: None,
        only: None,
        skip: &[],
        args: &[],
        env: &[],
        cache,
        uses_cache: true,
        declared: &wire::hooks_section,
    };
    match review(&request, Share::USUAL, seed, cancel) {
        Ok(reviewed) => Some(reviewed),
        Err(error) => {
            tracing::debug!(%error, "what is known of hooks cannot be asked again");
            None
        }
    }
}
