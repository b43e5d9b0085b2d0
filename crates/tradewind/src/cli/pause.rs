//! `tradewind pause` and `resume`: the emergency brake.

use crate::control::Command;
use crate::place::{Place, user};
use crate::report::{Exit, Outcome};
use crate::terminal;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Why, for whoever reads the journal later
    #[arg(short, long, default_value = "")]
    reason: String,
}

pub(crate) async fn pause(place: &Place, args: Args) -> Outcome {
    place
        .control(Command::Pause {
            by: user(),
            reason: args.reason,
        })
        .await?;
    terminal::line(
        "Every acting rule is stopped. Events are still journaled. `tradewind resume` lets rules act again.",
    );
    Ok(Exit::Done)
}

pub(crate) async fn resume(place: &Place) -> Outcome {
    place.control(Command::Resume { by: user() }).await?;
    terminal::line("Acting rules may act again.");
    Ok(Exit::Done)
}
