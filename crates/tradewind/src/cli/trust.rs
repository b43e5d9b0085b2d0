//! `tradewind trust`: see what `tradewind.toml` would execute, and allow exactly that content.

use std::io::{BufRead, IsTerminal};

use tradewind_engine::trust;

use crate::control::{Command, Reply};
use crate::place::{CONFIG_FILE, Place};
use crate::report::{Exit, Failure, Outcome};
use crate::terminal::{self, Tone, paint};
use crate::wire;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Say yes without being asked, for scripts; read it first
    #[arg(short, long)]
    yes: bool,
    /// Only show what would be executed; exit code 1 when it is not trusted
    #[arg(long, conflicts_with = "yes")]
    show: bool,
}

pub(crate) async fn run(place: &Place, args: Args) -> Outcome {
    let location = place.location()?;
    let file = location.top.join(CONFIG_FILE);
    let text = wire::read_file(&file).map_err(|e| {
        Failure::because(
            Exit::Config,
            format!("{} cannot be read", file.display()),
            &e,
        )
        .hint(wire::read_hint(&e))
    })?;
    let config = wire::Config::parse(&text).map_err(|mistakes| {
        Failure::new(
            Exit::Config,
            format!("{CONFIG_FILE} has {} mistakes", mistakes.len()),
        )
        .hint("`tradewind config check` shows them")
    })?;
    let digest = trust::digest(&text);
    let executed = executes(&config);
    if executed.is_empty() {
        terminal::line(format_args!(
            "{CONFIG_FILE} executes nothing; there is nothing to trust."
        ));
        return Ok(Exit::Done);
    }
    terminal::line(format_args!(
        "{CONFIG_FILE} in {} would execute:",
        terminal::word(location.top.display())
    ));
    for what in &executed {
        terminal::line(format_args!(
            "  {:<24} {:<8} {}",
            terminal::word(&what.place),
            what.when,
            paint(Tone::Strong, terminal::one_line(&what.command, 400))
        ));
    }
    if is_trusted(place, &text)? {
        terminal::line("This content is trusted already.");
        return Ok(Exit::Done);
    }
    if args.show {
        terminal::line("This content is not trusted: nothing of it executes.");
        return Ok(Exit::Found);
    }
    if !args.yes && !ask()? {
        terminal::line("Nothing was allowed.");
        return Ok(Exit::Found);
    }
    // The repository must be known before something of it can be trusted.
    let registered = place
        .control(Command::Register {
            path: location.top.clone(),
        })
        .await?;
    let Reply::Registered { repository, .. } = registered else {
        return Err(Failure::new(
            Exit::Bug,
            "registering gave an unexpected answer",
        ));
    };
    place.control(Command::Trust { repository, digest }).await?;
    terminal::line("Trusted. Any change of the file needs your word again.");
    Ok(Exit::Done)
}

/// Something that a configuration would execute.
struct Executed {
    place: String,
    /// Of its own accord, or when.
    when: &'static str,
    command: String,
}

fn executes(config: &wire::Config) -> Vec<Executed> {
    let rules = trust::executes(&config.engine).into_iter();
    let rules = rules.map(|what| Executed {
        place: what.place,
        when: what.mode.as_str(),
        command: what.command,
    });
    let checks = config.checks.definitions().into_iter();
    let checks = checks.map(|check| Executed {
        place: format!("checks.{}", check.name),
        when: "check",
        command: check.command.to_string(),
    });
    rules.chain(checks).collect()
}

/// Says whether a person has allowed what this text would execute here.
pub(super) fn is_trusted(place: &Place, text: &str) -> Result<bool, Failure> {
    match (place.registered_repository(), place.reader()) {
        (Some(id), Ok(reader)) => trust::is_trusted(&reader, id, &trust::digest(text))
            .map_err(|e| Failure::from_error(Exit::Outside, &e)),
        _ => Ok(false),
    }
}

fn ask() -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::new(Exit::Usage, "nobody is there to ask")
            .hint("read what is listed above, then run `tradewind trust --yes`"));
    }
    terminal::note("Allow this? [y/N]");
    let mut answer = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut answer)
        .map_err(|e| Failure::because(Exit::Outside, "the answer cannot be read", &e))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
