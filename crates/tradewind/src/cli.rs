//! The command line: what may be typed, grouped by purpose, and who answers it.
//!
//! One file per command under `cli/`. A command returns an exit or a failure ([`crate::report`]); nothing else
//! decides the exit code.

pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod catalog;
pub(crate) mod change;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod erase;
pub(crate) mod exec;
pub(crate) mod explain;
pub(crate) mod get;
pub(crate) mod guard;
pub(crate) mod hook;
pub(crate) mod import;
pub(crate) mod init;
pub(crate) mod log;
pub(crate) mod pause;
pub(crate) mod proposals;
pub(crate) mod prune;
mod reach;
pub(crate) mod restore;
pub(crate) mod sandbox;
pub(crate) mod status;
pub(crate) mod trust;
pub(crate) mod undo;
pub(crate) mod up;
pub(crate) mod usage;

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::place::Place;
use crate::report::Outcome;

const GROUPS: &str = "\
Look:
  audit        What is wrong with a repository, with evidence, and what to repair first
  log          What happened, newest last; `--follow` goes on
  explain      Why something happened and what came of it
  status       What is watched, which rules act, what waits for you
  doctor       Whether this machine has what Tradewind needs

Market:
  get          Market data from the cache or the cheapest call, as text, CSV, JSON, Arrow or Parquet
  import       Keep bars of a CSV, Arrow or Parquet file, so that nobody is asked for them again
  exec         Run a program unchanged, with its calls to providers through the gateway
  usage        Who asked providers for what, what it cost, what the cache saved
  catalog      What is known of the market-data providers: limits, endpoints, quirks

Deliver:
  change       What changed, grouped into coherent commits with messages that say only facts
  check        Run the repository's lint and tests in a clean copy, as much of them as a change can reach
  guard        What a commit would break or give away, before it is made and in history
  hook         Check what is staged before each commit, without touching your files
  undo         Take back an action, byte for byte
  redo         Put back what `undo` took away
  restore      Bring a file back from an earlier time

Run:
  init         Write a first tradewind.toml for this repository
  up           Watch this repository; run the daemon or join it
  pause        Stop every acting rule at once
  resume       Let acting rules act again
  proposals    What rules ask for: list, approve, reject
  trust        See what tradewind.toml would execute, and allow it
  config       Check tradewind.toml, or print its schema
  demo         See it all on an example bot, without keys or network
  sandbox      Practise against simulated providers with real limits, bans and faults
  backup       Copy the store, or load a copy
  prune        Remove old events, undo material and logs
  erase        Remove a leaked secret from the journal
  completions  Print shell completions";

const EXAMPLES: &str = "\
Exit codes: 0 done, 1 found something, 2 usage, 3 configuration, 4 daemon not reachable, 5 outside world failed, 70 bug.

New here?  tradewind demo
Any bot:   tradewind audit PATH
Your bot:  cd my-bot && tradewind init && tradewind up";

/// Puts a trading repository on autopilot: every event journaled, every action explained and undoable.
#[derive(Debug, Parser)]
#[command(
    name = "tradewind",
    version,
    after_help = EXAMPLES,
    help_template = "{about}\n\n{usage-heading} {usage}\n\n{subcommands-placeholder}\n\nOptions:\n{options}{after-help}",
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 110
)]
pub(crate) struct Cli {
    /// Run as if started in this folder.
    #[arg(short = 'C', long = "directory", global = true, value_name = "DIR")]
    directory: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

/// The form of a listing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs: one object with `schema_version`.
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// What is wrong with a repository, with evidence, and what to repair first
    Audit(audit::Args),
    /// What happened, newest last; `--follow` goes on
    Log(log::Args),
    /// Why something happened and what came of it
    Explain(explain::Args),
    /// What is watched, which rules act, what waits for you
    Status(status::Args),
    /// Whether this machine has what Tradewind needs
    Doctor(doctor::Args),
    /// Market data from the cache or the cheapest call, as text, CSV, JSON, Arrow or Parquet
    Get(get::Args),
    /// Keep bars of a CSV, Arrow or Parquet file, so that nobody is asked for them again
    Import(import::Args),
    /// Run a program unchanged, with its calls to providers through the gateway
    Exec(exec::Args),
    /// Who asked providers for what, what it cost, what the cache saved
    Usage(usage::Args),
    /// What is known of the market-data providers: limits, endpoints, quirks
    Catalog(catalog::Args),
    /// What changed, grouped into coherent commits with messages that say only facts
    Change(change::Args),
    /// Run the repository's lint and tests in a clean copy, as much of them as a change can reach
    Check(check::Args),
    /// What a commit would break or give away, before it is made and in history
    Guard(guard::Args),
    /// Check what is staged before each commit, without touching your files
    Hook(hook::Args),
    /// Take back an action, byte for byte
    Undo(undo::Args),
    /// Put back what `undo` took away
    Redo(undo::Args),
    /// Bring a file back from an earlier time
    Restore(restore::Args),
    /// Write a first tradewind.toml for this repository
    Init(init::Args),
    /// Watch this repository; run the daemon or join it
    Up(up::Args),
    /// Stop every acting rule at once
    Pause(pause::Args),
    /// Let acting rules act again
    Resume,
    /// What rules ask for: list, approve, reject
    Proposals(proposals::Args),
    /// See what tradewind.toml would execute, and allow it
    Trust(trust::Args),
    /// Check tradewind.toml, or print its schema
    Config(config::Args),
    /// See it all on an example bot, without keys or network
    Demo(demo::Args),
    /// Practise against simulated providers with real limits, bans and faults
    Sandbox(sandbox::Args),
    /// Copy the store, or load a copy
    Backup(backup::Args),
    /// Remove old events, undo material and logs
    Prune(prune::Args),
    /// Remove a leaked secret from the journal
    Erase(erase::Args),
    /// Print shell completions
    Completions(completions::Args),
}

/// Builds the command with its grouped help.
pub(crate) fn command() -> clap::Command {
    use clap::CommandFactory;
    let command = Cli::command();
    let template = format!(
        "{{about}}\n\n{{usage-heading}} {{usage}}\n\n{GROUPS}\n\nOptions:\n{{options}}{{after-help}}"
    );
    command.help_template(template)
}

impl Cli {
    /// Returns whether the command serves nobody: one thread is enough for it.
    pub(crate) fn is_one_thing_at_a_time(&self) -> bool {
        matches!(self.command, Command::Hook(_) | Command::Guard(_))
    }
}

/// Reads the command line; ends the program with help or with what is wrong in it.
pub(crate) fn read() -> Cli {
    use clap::FromArgMatches;
    let matches = command().get_matches();
    Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// Runs what the command line says.
pub(crate) async fn run(cli: Cli) -> Outcome {
    let place = Place::find(cli.directory)?;
    match cli.command {
        Command::Audit(args) => Box::pin(audit::run(&place, args)).await,
        Command::Log(args) => log::run(&place, args).await,
        Command::Explain(args) => explain::run(&place, &args),
        Command::Status(args) => status::run(&place, &args).await,
        Command::Doctor(args) => doctor::run(&place, &args).await,
        Command::Get(args) => Box::pin(get::run(&place, args)).await,
        Command::Import(args) => Box::pin(import::run(&place, args)).await,
        Command::Exec(args) => Box::pin(exec::run(&place, args)).await,
        Command::Usage(args) => usage::run(&place, &args).await,
        Command::Catalog(args) => catalog::run(&place, args).await,
        Command::Change(args) => Box::pin(change::run(&place, args)).await,
        Command::Check(args) => Box::pin(check::run(&place, args)).await,
        Command::Guard(args) => guard::run(&place, args).await,
        Command::Hook(args) => Box::pin(hook::run(&place, args)).await,
        Command::Undo(args) => undo::undo(&place, args).await,
        Command::Redo(args) => undo::redo(&place, args).await,
        Command::Restore(args) => restore::run(&place, args).await,
        Command::Init(args) => init::run(&place, &args).await,
        Command::Up(args) => Box::pin(up::run(&place, args)).await,
        Command::Pause(args) => pause::pause(&place, args).await,
        Command::Resume => pause::resume(&place).await,
        Command::Proposals(args) => proposals::run(&place, args).await,
        Command::Trust(args) => trust::run(&place, args).await,
        Command::Config(args) => config::run(&place, &args),
        Command::Demo(args) => Box::pin(demo::run(args)).await,
        Command::Sandbox(args) => Box::pin(sandbox::run(args)).await,
        Command::Backup(args) => backup::run(&place, args).await,
        Command::Prune(args) => prune::run(&place, args).await,
        Command::Erase(args) => erase::run(&place, args).await,
        Command::Completions(args) => completions::run(&args),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        command().debug_assert();
    }

    #[test]
    fn every_command_stands_in_exactly_one_group_with_its_own_words() {
        for sub in command().get_subcommands() {
            let about = sub.get_about().unwrap().to_string();
            let lines = GROUPS
                .lines()
                .filter(|l| l.trim_start().starts_with(&format!("{} ", sub.get_name())));
            let lines: Vec<_> = lines.collect();
            assert_eq!(lines.len(), 1, "{}", sub.get_name());
            assert!(lines[0].ends_with(&about), "{}: {about}", sub.get_name());
        }
    }
}
