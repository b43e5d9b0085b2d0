//! `tradewind prune`: remove old events and undo material.

use std::time::Duration;

use crate::control::{Command, Reply};
use crate::place::Place;
use crate::report::{Exit, Failure, Outcome};
use crate::{terminal, times};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Remove events older than this, e.g. `90d`
    #[arg(long, value_name = "AGE", value_parser = times::parse_duration)]
    older_than: Option<Duration>,
    /// Remove the oldest events until the journal has at most so many MiB
    #[arg(long, value_name = "MIB")]
    max_size: Option<u64>,
    /// Keep at least so many of the newest events
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    keep: u64,
}

pub(crate) async fn run(place: &Place, args: Args) -> Outcome {
    if args.older_than.is_none() && args.max_size.is_none() {
        return Err(Failure::new(Exit::Usage, "nothing says what is old")
            .hint("try `tradewind prune --older-than 90d`"));
    }
    let command = Command::Prune {
        max_age: args.older_than,
        max_bytes: args.max_size.map(|mib| mib.saturating_mul(1024 * 1024)),
        keep_last: args.keep,
    };
    if let Reply::Pruned { events, undo_bytes } = place.control(command).await? {
        match events {
            Some((first, last)) => terminal::line(format_args!(
                "Removed events {first} to {last}; the rest still verifies: `tradewind log --verify`."
            )),
            None => terminal::line("No event is old enough to go."),
        }
        if undo_bytes > 0 {
            terminal::line(format_args!(
                "Removed {} KiB of undo material that had expired.",
                undo_bytes / 1024
            ));
        }
    }
    Ok(Exit::Done)
}
