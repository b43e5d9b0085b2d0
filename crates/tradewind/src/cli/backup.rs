//! `tradewind backup create|load`.

use std::path::PathBuf;

use clap::Subcommand;

use crate::client::Daemon;
use crate::control::{Command, Reply};
use crate::place::Place;
use crate::report::{Exit, Failure, Outcome};
use crate::terminal;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Write a copy of the journal, while everything goes on
    Create {
        /// Where to; must not exist yet
        file: PathBuf,
    },
    /// Replace the journal by a copy; what it replaces is kept beside it
    Load {
        /// The copy
        file: PathBuf,
    },
}

pub(crate) async fn run(place: &Place, args: Args) -> Outcome {
    match args.action {
        Action::Create { file } => {
            let to = place.cwd().join(file);
            if let Reply::BackedUp { last } =
                place.control(Command::Backup { to: to.clone() }).await?
            {
                terminal::line(format_args!(
                    "The journal up to event {last} is in {}.",
                    terminal::word(to.display())
                ));
                terminal::line(
                    "Undo material (blobs/) is not in it: it belongs to the work trees of this machine.",
                );
            }
            Ok(Exit::Done)
        }
        Action::Load { file } => {
            if let Some(daemon) = Daemon::find(place.state())
                && daemon.is_alive().await
            {
                return Err(Failure::new(
                    Exit::Daemon,
                    "a daemon runs on the journal that would be replaced",
                )
                .hint("end it with `tradewind up --stop`, load the backup, start it again"));
            }
            let from = place.cwd().join(file);
            let last = tradewind_journal::load_backup(&from, place.state(), place.clock())
                .map_err(|error| {
                    Failure::because(
                        Exit::Outside,
                        format!("{} cannot be loaded", from.display()),
                        &error,
                    )
                    .hint("name a file that `tradewind backup create FILE` wrote; the journal is as it was")
                })?;
            terminal::line(format_args!(
                "The journal ends with event {last} again. The replaced one is kept in {}.",
                terminal::word(place.state().display())
            ));
            Ok(Exit::Done)
        }
    }
}
