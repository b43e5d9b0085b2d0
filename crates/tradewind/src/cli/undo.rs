//! `tradewind undo` and `redo`.

use tradewind_core::Seq;

use crate::control::{Command, Reply};
use crate::place::Place;
use crate::report::{Exit, Outcome};
use crate::terminal::{self, Tone, paint};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The action, by any of its events; without it the newest that can be undone (or redone)
    event: Option<Seq>,
    /// Only show what would be changed
    #[arg(short = 'n', long)]
    dry_run: bool,
}

pub(crate) async fn undo(place: &Place, args: Args) -> Outcome {
    let (_, repository) = place.watched_repository().await?;
    let command = Command::Undo {
        repository,
        event: args.event,
        dry_run: args.dry_run,
    };
    show(place, command, "undone", "`tradewind redo` puts it back.").await
}

pub(crate) async fn redo(place: &Place, args: Args) -> Outcome {
    let (_, repository) = place.watched_repository().await?;
    let command = Command::Redo {
        repository,
        event: args.event,
        dry_run: args.dry_run,
    };
    show(
        place,
        command,
        "redone",
        "`tradewind undo` takes it back again.",
    )
    .await
}

/// Sends a command that changes files and says what became of each.
pub(crate) async fn show(place: &Place, command: Command, done: &str, next: &str) -> Outcome {
    let is_dry_run = matches!(
        command,
        Command::Undo { dry_run: true, .. } | Command::Redo { dry_run: true, .. }
    );
    if let Reply::Changed { changes, event } = place.control(command).await? {
        for change in &changes {
            terminal::line(terminal::word(&change.what));
            for line in change.diff.lines() {
                terminal::line(format_args!(
                    "    {}",
                    paint(Tone::Dim, terminal::clean(line))
                ));
            }
        }
        match event {
            Some(event) => terminal::line(format_args!(
                "{} {done} as event {event}. {next}",
                count(changes.len())
            )),
            None if is_dry_run => terminal::line(format_args!(
                "{} would be {done}; nothing was touched.",
                count(changes.len())
            )),
            None => terminal::line("There is nothing to change; nothing was touched."),
        }
    }
    Ok(Exit::Done)
}

fn count(n: usize) -> String {
    if n == 1 {
        "One change".to_owned()
    } else {
        format!("{n} changes")
    }
}
