//! `tradewind erase`: remove a leaked secret from the journal, and say where it was.

use std::io::{IsTerminal, Read};
use std::ops::ControlFlow;

use tradewind_core::Seq;

use crate::control::{Command, Reply};
use crate::place::Place;
use crate::report::{Exit, Failure, Outcome};
use crate::terminal;

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false, id = "what", args = ["events", "secret_from_stdin"])]
pub(crate) struct Args {
    /// The events whose bodies go
    #[arg(value_name = "SEQ")]
    events: Vec<Seq>,
    /// Read the secret from standard input and erase every event that holds it; never type it as an argument
    #[arg(long)]
    secret_from_stdin: bool,
    /// Why, without the secret itself
    #[arg(short, long, default_value = "it held a secret")]
    reason: String,
    /// Only say which events would be erased
    #[arg(short = 'n', long)]
    dry_run: bool,
}

/// A shorter text would match by chance and erase what it should not.
const MIN_SECRET_BYTES: usize = 8;

pub(crate) async fn run(place: &Place, args: Args) -> Outcome {
    let events = if args.secret_from_stdin {
        find(place)?
    } else {
        args.events
    };
    if events.is_empty() {
        terminal::line("No event holds it.");
        return Ok(Exit::Done);
    }
    let names: Vec<_> = events.iter().map(ToString::to_string).collect();
    if args.dry_run {
        terminal::line(format_args!(
            "Would erase the bodies of {} events: {}.",
            events.len(),
            names.join(", ")
        ));
        return Ok(Exit::Found);
    }
    if args.reason.trim().is_empty() {
        return Err(Failure::new(Exit::Usage, "the reason is empty")
            .hint("say why with `--reason`, without the secret"));
    }
    if let Reply::Recorded { event } = place
        .control(Command::Erase {
            events,
            reason: args.reason,
        })
        .await?
    {
        terminal::line(format_args!(
            "Erased the bodies of {} events ({}); event {event} says so.",
            names.len(),
            names.join(", ")
        ));
        terminal::line(
            "The chain still verifies: `tradewind log --verify`. Copies made by `tradewind backup` before now still hold it.",
        );
        terminal::line(
            "A secret that leaked must also be replaced at its provider: erasing it here does not unleak it.",
        );
    }
    Ok(Exit::Done)
}

fn find(place: &Place) -> Result<Vec<Seq>, Failure> {
    if std::io::stdin().is_terminal() {
        terminal::note(
            "Type or paste the secret, then end the input (Ctrl-D; Ctrl-Z and Enter on Windows).",
        );
    }
    let mut secret = String::new();
    std::io::stdin()
        .take(64 * 1024)
        .read_to_string(&mut secret)
        .map_err(|e| {
            Failure::because(
                Exit::Usage,
                "the secret cannot be read from standard input",
                &e,
            )
        })?;
    let secret = secret.trim();
    if secret.len() < MIN_SECRET_BYTES {
        return Err(Failure::new(Exit::Usage, format!("the secret is shorter than {MIN_SECRET_BYTES} bytes"))
            .hint("so short a text stands in events by chance; name the events themselves: `tradewind erase SEQ…`"));
    }
    // Bodies are JSON text, in which quotes and backslashes of the secret are escaped.
    let escaped = serde_json::to_string(secret).unwrap_or_default();
    let escaped = escaped.trim_matches('"');
    let mut found = Vec::new();
    place
        .reader()?
        .for_each(Seq::ZERO, |event| {
            let holds = |text: &str| text.contains(secret) || text.contains(escaped);
            if event.data.as_ref().is_some_and(|data| holds(data.get())) {
                found.push(event.seq);
            }
            ControlFlow::Continue(())
        })
        .map_err(|e| Failure::from_error(Exit::Outside, &e))?;
    Ok(found)
}
